/* fare-test: labels=verification ranks=1,2,3,4 timeout=120 */
/* The integrators against the Gaussian they must produce, order by order, and the same bits on any number of ranks. */
#include "fare_test.h"

static fare_sampler *make(MPI_Comm comm, const fare_system *system, const fare_initial *initial, const char *options)
{
  static const fare_schedule schedule = {0, 1, 3};
  static fare_config        *config; /* nodes must outlive the sampler's reading only */
  fare_sampler              *sampler;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find("langevin"), "langevin", fare_config_root(config), NULL, 3, system, initial, &schedule, &sampler));
  assert_ok(fare_config_destroy(&config));
  return sampler;
}

/* Moments at t = 1 of a trap of stiffness 2 whose centre is dragged, from a Gaussian, with many particles. */
static void moments(const char *options, int64_t count, double *mean, double *variance)
{
  double        at[] = {0.5}, wide[] = {0.3}, m[FARE_DIM_MAX], v[FARE_DIM_MAX], effective;
  fare_initial  initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  fare_system  *system;
  fare_sampler *sampler;
  fare_ensemble *e;

  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  assert_ok(fare_system_set(system, "stiffness", 2));
  assert_ok(fare_system_drive_sine(system, "centre", 1, 1, 0));
  sampler = make(PETSC_COMM_WORLD, system, &initial, options);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, count, &e));
  assert_ok(fare_sampler_advance(sampler, 0, e));
  assert_ok(fare_sampler_advance(sampler, 0.5, e));
  assert_ok(fare_sampler_advance(sampler, 1, e));
  assert_near(e->time, 1, 0);
  assert_ok(fare_ensemble_moments(e, m, v, &effective));
  *mean     = m[0];
  *variance = v[0];
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/* m' = -2 (m - sin 2 pi t), s' = -4 s + 2 */
static double exact_mean(void)
{
  const double w = 2 * M_PI, transient = 0.5 + 2 * w / (4 + w * w);

  return transient * exp(-2) - 2 * w / (4 + w * w);
}
static double exact_variance(void)
{
  return 0.5 + (0.09 - 0.5) * exp(-4);
}

/*
  Euler-Maruyama's variance is known in closed form at any step: s_{n+1} = (1 - k h)^2 s_n + 2 h. The simulation must give that,
  not the exact one, and that converges to the exact one in first order.
*/
static void euler_maruyama_has_its_own_variance(void **state)
{
  double mean, variance, s = 0.09, m = 0.5;
  const int64_t count = 400000;

  (void)state;
  for (int n = 0; n < 20; n++) {
    m += 2 * (sin(2 * M_PI * n / 20.) - m) / 20;
    s = 0.9 * 0.9 * s + 0.1;
  }
  moments("{dt: 0.05}", count, &mean, &variance);
  assert_near(mean, m, 5 * sqrt(s / count));
  assert_near(variance, s, 5 * s * sqrt(2. / count));
  assert_true(fabs(s - exact_variance()) > 10 * s * sqrt(2. / count)); /* the bias is visible at this step */
}

/* At a fine step each scheme agrees with the exact solution within its noise; the second-order ones do so at a coarse step too. */
static void schemes_are_as_good_as_they_claim(void **state)
{
  const int64_t count = 200000;
  const struct {
    const char *options;
    double      bias_mean, bias_variance; /* bounds of the scheme's own error, h f''-like: from its order */
  } cases[] = {
    {"{dt: 0.0005}", 2e-3, 5e-4},
    {"{dt: 0.02, integrator: heun}", 2e-3, 5e-4},
    {"{dt: 0.002, integrator: leimkuhler_matthews}", 8e-3, 5e-4},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    double mean, variance;

    moments(cases[i].options, count, &mean, &variance);
    assert_near(mean, exact_mean(), cases[i].bias_mean + 5 * sqrt(0.5 / count));
    assert_near(variance, exact_variance(), cases[i].bias_variance + 5 * 0.5 * sqrt(2. / count));
  }
}

/* Weak order, without noise in the comparison: the error of the variance in a stationary trap, where theory gives s_h exactly. */
static void stationary_variance_follows_theory(void **state)
{
  const int64_t  count = 400000;
  const double   h = 0.1, k = 2;
  fare_initial   initial = {.density = FARE_INITIAL_BOLTZMANN};
  const char    *options[] = {"{dt: 0.1}", "{dt: 0.1, integrator: leimkuhler_matthews}"};
  const double   expected[] = {(1 / k) / (1 - k * h / 2), 1 / k};
  fare_schedule  schedule = {0, 3, 2};

  (void)state;
  for (int i = 0; i < 2; i++) {
    fare_system   *system;
    fare_sampler  *sampler;
    fare_config   *config;
    fare_ensemble *e;
    double         m[FARE_DIM_MAX], v[FARE_DIM_MAX], effective;

    assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
    assert_ok(fare_system_set(system, "stiffness", k));
    assert_ok(fare_config_parse("test", options[i], strlen(options[i]), &config));
    assert_ok(fare_sampler_create(PETSC_COMM_WORLD, fare_sampler_type_find("langevin"), "langevin", fare_config_root(config), NULL, 3, system, &initial, &schedule, &sampler));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, count, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, 3, e));
    assert_ok(fare_ensemble_moments(e, m, v, &effective));
    assert_near(v[0], expected[i], 5 * expected[i] * sqrt(2. / count) + 1e-5 * expected[i]);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_config_destroy(&config));
    assert_ok(fare_system_destroy(&system));
  }
}

static void same_bits_on_any_ranks(void **state)
{
  const char *options[] = {"{dt: 0.003}", "{dt: 0.003, integrator: leimkuhler_matthews}", "{dt: 0.003, integrator: heun}"};

  (void)state;
  for (int i = 0; i < 3; i++) {
    const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
    const MPI_Comm     comm[2] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
    uint64_t           sum[2];
    fare_system       *system;

    assert_ok(fare_system_create(fare_system_type_find("prinz"), 1, &system));
    assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
    for (int k = 0; k < 2; k++) {
      fare_sampler  *sampler = make(comm[k], system, &initial, options[i]);
      fare_ensemble *e;

      assert_ok(fare_ensemble_create(comm[k], 1, 5000, &e));
      assert_ok(fare_sampler_advance(sampler, 0, e));
      assert_ok(fare_sampler_advance(sampler, 0.5, e));
      assert_ok(fare_sampler_advance(sampler, 1, e));
      assert_ok(fare_ensemble_checksum(e, &sum[k]));
      assert_ok(fare_ensemble_destroy(&e));
      assert_ok(fare_sampler_destroy(&sampler));
    }
    assert_true(sum[0] == sum[1]);
    assert_ok(fare_system_destroy(&system));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(euler_maruyama_has_its_own_variance),
  cmocka_unit_test(schemes_are_as_good_as_they_claim),
  cmocka_unit_test(stationary_variance_follows_theory),
  cmocka_unit_test(same_bits_on_any_ranks),
};
FARE_TEST_MAIN(tests)
