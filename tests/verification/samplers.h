/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What tests of samplers share: one made from its options, written to a file and read from it, and the same
  bits whoever draws them.
*/
#ifndef SAMPLERS_H
#define SAMPLERS_H

#include "create_sampler.h"
#include "fare_test.h"

#include <stdio.h>

static inline fare_system *make_system(const char *name, int dim)
{
  fare_system *system;

  assert_ok(fare_system_create(fare_system_type_find(name), dim, &system));
  return system;
}

/* `parameter` as amplitude * sin(2 pi t). */
static inline fare_system *make_driven(const char *name, int dim, const char *parameter, double amplitude)
{
  fare_system *system = make_system(name, dim);

  assert_ok(fare_system_drive_sine(system, parameter, amplitude, 1, 0));
  return system;
}

/* `options` are YAML; of seed and name come the random numbers. */
static inline fare_sampler *make_named(MPI_Comm comm, const char *method, const char *name,
  const char *options, uint64_t seed, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule)
{
  fare_sampler *sampler;
  fare_config  *config;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(create_sampler(
    comm, fare_sampler_type_find(method), name, config, seed, system, initial, schedule, &sampler));
  fare_config_destroy(&config);
  return sampler;
}

static inline fare_sampler *make_sampler(MPI_Comm comm, const char *method, const char *options,
  uint64_t seed, const fare_system *system, const fare_initial *initial, const fare_schedule *schedule)
{
  return make_named(comm, method, method, options, seed, system, initial, schedule);
}

static inline void save_sampler(fare_sampler *sampler, const char *path)
{
  fare_store *store;

  assert_ok(fare_store_create(sampler->comm, path, &store));
  assert_ok(fare_sampler_save(sampler, store, "sampler"));
  assert_ok(fare_store_commit(&store));
}

static inline void load_sampler(fare_sampler *sampler, const char *path)
{
  fare_store *store;

  assert_ok(fare_store_open(sampler->comm, path, &store));
  assert_ok(fare_sampler_load(sampler, store, "sampler"));
  assert_ok(fare_store_close(&store));
}

#define PATH_SIZE 64

/* A file of this test alone, which may run on other numbers of ranks at the same moment. */
static inline void path_for(const char *what, char path[PATH_SIZE])
{
  int size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, PATH_SIZE, "test_%s.%d.h5", what, size);
}

/*
  Through all times of the schedule: together, on each rank alone, and together with a second sampler that is
  read from `path` before the last of them and takes over the particles.
*/
static inline void assert_same_bits(const char *method, const char *options, uint64_t seed,
  const fare_system *system, const fare_initial *initial, const fare_schedule *schedule, const char *path)
{
  const MPI_Comm comm[2] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  const int      dim = fare_system_dimension(system), last = (int)schedule->count - 1;
  uint64_t       sum[2], after;

  for (int k = 0; k < 2; k++) {
    fare_sampler *sampler = make_sampler(comm[k], method, options, seed, system, initial, schedule),
                 *again   = make_sampler(comm[k], method, options, seed, system, initial, schedule);
    fare_ensemble *e, *copy;

    assert_ok(fare_ensemble_create(comm[k], dim, 5000, &e));
    assert_ok(fare_ensemble_create(comm[k], dim, 5000, &copy));
    for (int n = 0; n < last; n++)
      assert_ok(fare_sampler_advance(sampler, fare_schedule_time(schedule, n), e));
    if (k == 0) {
      save_sampler(sampler, path);
      load_sampler(again, path);
      assert_ok(fare_ensemble_copy(e, copy));
      assert_ok(fare_sampler_advance(again, schedule->end, copy));
      assert_ok(fare_ensemble_checksum(copy, &after));
    }
    assert_ok(fare_sampler_advance(sampler, schedule->end, e));
    assert_ok(fare_ensemble_checksum(e, &sum[k]));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_ensemble_destroy(&copy));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_sampler_destroy(&again));
  }
  assert_true(sum[0] == sum[1]);
  assert_true(sum[0] == after);
}

#endif
