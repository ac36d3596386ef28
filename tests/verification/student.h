/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What tests of learned samplers share: a sampler, the system it stands for and the exact densities, and how
  it is taught.
*/
#ifndef STUDENT_H
#define STUDENT_H

#include "samplers.h"

#include "sampler/shared/quantile.h"

#define TAUGHT_MOST 64 /* training times */

typedef struct {
  fare_system    *system;
  fare_initial    initial; /* of what it holds, only the student's own is used */
  fare_schedule   schedule;
  fare_densities *exact; /* NULL unless solved */
  fare_sampler   *sampler;
} student;

/* Takes the system over. What `s` holds before: where particles begin, and the exact densities, if any. */
static inline void student_begin(MPI_Comm comm, const char *method, const char *name, fare_system *system,
  const fare_schedule *schedule, const char *options, student *s)
{
  s->system   = system;
  s->schedule = *schedule;
  s->sampler  = make_named(comm, method, name, options, 11, s->system, &s->initial, &s->schedule);
}

static inline void student_end(student *s)
{
  assert_ok(fare_sampler_destroy(&s->sampler));
  assert_ok(fare_densities_destroy(&s->exact));
  assert_ok(fare_system_destroy(&s->system));
}

/*
  Every second time of the schedule is learned from; held out are those between, and the last where their
  number is even.
*/
static inline void training_times(const student *s, double times[], int *count)
{
  *count = 0;
  for (PetscInt64 k = 0; k < s->schedule.count; k += 2)
    times[(*count)++] = fare_schedule_time(&s->schedule, k);
}

/* Fills an ensemble for training time k. */
typedef void (*filler)(const student *s, int k, double t, fare_ensemble *e);

static inline void teach(student *s, int64_t count, filler fill)
{
  double            times[TAUGHT_MOST];
  fare_ensemble    *at[TAUGHT_MOST];
  fare_training_set data = {0, times, at};

  training_times(s, times, &data.count);
  for (int k = 0; k < data.count; k++) {
    assert_ok(fare_ensemble_create(s->sampler->comm, fare_system_dimension(s->system), count, &at[k]));
    fill(s, k, times[k], at[k]);
  }
  assert_ok(fare_sampler_train(s->sampler, &data));
  for (int k = 0; k < data.count; k++) assert_ok(fare_ensemble_destroy(&at[k]));
}

/* Exact densities from equilibrium, on so many cells of each axis. Before student_begin. */
static inline void solve_exactly(
  student *s, const fare_system *system, const fare_schedule *schedule, PetscInt cells, double tolerance)
{
  PetscInt64               each[FARE_DIM_MAX] = {cells, cells, cells};
  const fare_truth_options options            = {
               .cells = {(size_t)fare_system_dimension(system), each}, .tolerance = tolerance};

  s->initial = (fare_initial){.density = FARE_INITIAL_BOLTZMANN};
  assert_ok(fare_densities_create(PETSC_COMM_SELF, system, &s->initial, schedule, &options, &s->exact));
}

/* Particles of the exact density: what a perfect simulation would give. */
static inline void fill_exact(const student *s, int k, double t, fare_ensemble *e)
{
  const PetscInt64 at = fare_densities_find(s->exact, t);

  assert_true(at >= 0);
  assert_ok(
    fare_quantile_draw(s->exact->grid, s->exact->masses[at], fare_stream_make(8, "exact"), (uint64_t)k, e));
}

#endif
