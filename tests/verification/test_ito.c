/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Noise that grows with the state, in the sense of Ito: dX = mu X dt + sigma X dW has the mean exp(mu t) and
  the second moment exp((2 mu + sigma^2) t) of where it began, and ln X the variance sigma^2 t. In
  Stratonovich's sense the mean would be exp((mu + sigma^2/2) t). Simulations say so as the truth does.
*/
#include "create_sampler.h"
#include "fare_test.h"

#define COUNT 400000

static void particles_are_ito(void **state)
{
  static const char *const options[] = {"{dt: 0.002}", "{dt: 0.002, integrator: heun}"};
  const double             mu = 0.1, sigma = 0.6, t = 1, stratonovich = exp((mu + 0.5 * sigma * sigma) * t);
  const fare_schedule      schedule = {0, 1, 2};
  double                   at[1] = {2}, wide[1] = {1e-6};
  const fare_initial       initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  fare_system             *system;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("geometric_brownian"), 1, &system));
  assert_ok(fare_system_set(system, "growth", mu));
  assert_ok(fare_system_set(system, "volatility", sigma));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(options); k++) {
    const double   grown = exp(mu * t), spread = grown * sqrt(exp(sigma * sigma * t) - 1);
    double         mean, variance, effective, sum[2] = {0};
    fare_sampler  *sampler;
    fare_ensemble *e;
    fare_config   *config;

    assert_ok(fare_config_parse("test", options[k], strlen(options[k]), &config));
    assert_ok(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find("langevin"), "langevin", config, 3,
      system, &initial, &schedule, &sampler));
    fare_config_destroy(&config);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, COUNT, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, t, e));
    assert_ok(fare_ensemble_moments(e, &mean, &variance, &effective));
    for (int64_t i = 0; i < e->local; i++) {
      sum[0] += log(e->x[0][i] / 2) / COUNT;
      sum[1] += pow(log(e->x[0][i] / 2) - (mu - 0.5 * sigma * sigma) * t, 2) / COUNT;
    }
    MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    print_message("%s: mean %.4f, Ito %.4f, Stratonovich %.4f\n", options[k], mean / 2, grown, stratonovich);
    assert_near(mean / 2, grown, 5 * spread / sqrt(COUNT) + 1e-3);
    assert_near(sum[0], (mu - 0.5 * sigma * sigma) * t, 5 * sigma / sqrt(COUNT) + 1e-3);
    assert_near(sum[1], sigma * sigma * t, 5 * sigma * sigma * sqrt(2. / COUNT) + 1e-3);
    assert_near(sqrt(variance) / 2, spread, 0.01 * spread);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
  }
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(particles_are_ito)};
FARE_TEST_MAIN(tests)
