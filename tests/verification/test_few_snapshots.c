/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Action matching from two snapshots far apart, where a sum over snapshots would need dense times: the density
  between them is taken as (1 - l) p_0 + l p_1, so that particles of p_0 must have its moments half-way, where
  it has two peaks, and those of p_1 at the end.
*/
#include "create_sampler.h"
#include "fare_test.h"

static const double times[2] = {0, 1}, mean[2] = {0, 1.4}, sd[2] = {0.5, 0.35};

static void fill(fare_ensemble *e, uint64_t k)
{
  for (int64_t b = 0; b < e->blocks; b++) {
    double *x = e->x[0] + b * FARE_BLOCK;

    fare_random_normals(fare_stream_make(8, "snapshots"), (uint64_t)(e->first_block + b), k, 0, x);
    for (int i = 0; i < FARE_BLOCK; i++) x[i] = mean[k] + sd[k] * x[i];
  }
}

static void a_mixture_lies_between_two_snapshots(void **state)
{
  const char *options =
    "{width: 32, layers: 3, steps: 2500, batch: 2048, learning_rate: 4.0e-3, frequencies: 2, "
    "time_frequencies: 2, transport_steps: 32}";
  const fare_schedule     schedule = {0, 1, 3};
  double                  at[1] = {mean[0]}, wide[1] = {sd[0]};
  const fare_initial      initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  fare_ensemble          *taught[2], *e;
  const fare_training_set data = {2, times, taught};
  fare_system            *system;
  fare_sampler           *sampler;
  fare_config            *config;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find("action_matching"), "action", config, 11,
    system, &initial, &schedule, &sampler));
  fare_config_destroy(&config);
  for (uint64_t k = 0; k < 2; k++) {
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 16384, &taught[k]));
    fill(taught[k], k);
  }
  assert_ok(fare_sampler_train(sampler, &data));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 8192, &e));
  for (int n = 0; n < 3; n++) {
    const double l = 0.5 * n, m = (1 - l) * mean[0] + l * mean[1],
                 v = (1 - l) * (sd[0] * sd[0] + mean[0] * mean[0]) + l * (sd[1] * sd[1] + mean[1] * mean[1]) -
      m * m;
    double got, variance, effective;

    assert_ok(fare_sampler_advance(sampler, l, e));
    assert_ok(fare_ensemble_moments(e, &got, &variance, &effective));
    print_message("time %.1f: mean %.3f of %.3f, width %.3f of %.3f\n", l, got, m, sqrt(variance), sqrt(v));
    assert_near(got, m, 0.08 * sqrt(v));
    assert_near(sqrt(variance), sqrt(v), 0.08 * sqrt(v));
  }
  for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_destroy(&taught[k]));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(a_mixture_lies_between_two_snapshots)};
FARE_TEST_MAIN(tests)
