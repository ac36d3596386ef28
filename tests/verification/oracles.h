/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What tests of exact fields share: samplers that take theirs from exact densities, and samplers that take it
  from a training set.
*/
#ifndef ORACLES_H
#define ORACLES_H

#include "samplers.h"

#include <stdlib.h>

#define SNAPSHOTS 5

/* A driven Prinz potential and its exact densities, whole on every rank. */
typedef struct {
  fare_system    *system;
  fare_initial    initial;
  fare_schedule   schedule;
  fare_densities *exact;
} driven;

static inline void driven_begin(PetscInt64 cells, driven *d)
{
  const fare_truth_options options = {.cells = {1, &cells}, .tolerance = 1e-7};

  *d = (driven){.initial = {.density = FARE_INITIAL_BOLTZMANN},
    .schedule            = {0, 1, SNAPSHOTS},
    .system              = make_driven("prinz", 1, "tilt", 4)};
  assert_ok(
    fare_densities_create(PETSC_COMM_SELF, d->system, &d->initial, &d->schedule, &options, &d->exact));
}

static inline void driven_end(driven *d)
{
  assert_ok(fare_densities_destroy(&d->exact));
  assert_ok(fare_system_destroy(&d->system));
}

static inline fare_sampler *make(MPI_Comm comm, const driven *d, const char *method, const char *options)
{
  fare_sampler *sampler = make_sampler(comm, method, options, 5, d->system, &d->initial, &d->schedule);

  assert_ok(fare_sampler_set_mode(sampler, FARE_ORACLE, d->exact));
  return sampler;
}

static inline fare_sampler *make_oracle(
  MPI_Comm comm, const driven *d, const char *method, const char *options)
{
  fare_sampler           *sampler = make(comm, d, method, options);
  const fare_training_set times   = {SNAPSHOTS, d->exact->times, NULL};

  assert_ok(fare_sampler_train(sampler, &times));
  return sampler;
}

/*
  A sampler of an Ornstein-Uhlenbeck system whose training set holds `count` particles at each of times 0, 1/2
  and 1; x[k][axis].
*/
static inline void remember(MPI_Comm comm, int dim, const char *method, const char *options, int64_t count,
  fare_system **system, fare_sampler **sampler, fare_ensemble *at[3])
{
  static const fare_schedule schedule = {0, 1, 5};
  static const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  static const double        times[]  = {0, 0.5, 1};
  const fare_training_set    data     = {3, times, at};

  *system  = make_system("ornstein_uhlenbeck", dim);
  *sampler = make_sampler(comm, method, options, 5, *system, &initial, &schedule);
  assert_ok(fare_sampler_set_mode(*sampler, FARE_EMPIRICAL, NULL));
  for (int k = 0; k < 3; k++) {
    assert_ok(fare_ensemble_create(comm, dim, count, &at[k]));
    for (int64_t b = 0; b < at[k]->blocks; b++) {
      for (int axis = 0; axis < dim; axis++)
        fare_random_normals(fare_stream_make(4, "remember"), (uint64_t)(at[k]->first_block + b), (uint64_t)k,
          (uint32_t)axis, at[k]->x[axis] + b * FARE_BLOCK);
    }
  }
  assert_ok(fare_sampler_train(*sampler, &data));
}

static inline void forget(fare_system **system, fare_sampler **sampler, fare_ensemble *at[3])
{
  for (int k = 0; k < 3; k++) assert_ok(fare_ensemble_destroy(&at[k]));
  assert_ok(fare_sampler_destroy(sampler));
  assert_ok(fare_system_destroy(system));
}

#endif
