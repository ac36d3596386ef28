/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3,4 timeout=120 */
/*
  The integrators against the Gaussian they must produce, order by order, and the same bits on any number of
  ranks.
*/
#include "samplers.h"

#define SEED 3

/* Moments at t = 1 of a trap of stiffness 2 whose centre is dragged, from a Gaussian, with many particles. */
static void moments(const char *options, int64_t count, double *mean, double *variance)
{
  double              at[] = {0.5}, wide[] = {0.3}, m[FARE_DIM_MAX], v[FARE_DIM_MAX], effective;
  fare_initial        initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  const fare_schedule schedule = {0, 1, 3};
  fare_system        *system   = make_driven("ornstein_uhlenbeck", 1, "centre", 1);
  fare_sampler       *sampler;
  fare_ensemble      *e;

  assert_ok(fare_system_set(system, "stiffness", 2));
  sampler = make_sampler(PETSC_COMM_WORLD, "langevin", options, SEED, system, &initial, &schedule);
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
  Euler-Maruyama's variance is known in closed form at any step: s_{n+1} = (1 - k h)^2 s_n + 2 h. The
  simulation must give that, not the exact one, and that converges to the exact one in first order.
*/
static void euler_maruyama_has_its_own_variance(void **state)
{
  double        mean, variance, s = 0.09, m = 0.5;
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

/*
  At a fine step each scheme agrees with the exact solution within its noise; the second-order ones do so at a
  coarse step too.
*/
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

/*
  Weak order, without noise in the comparison: the error of the variance in a stationary trap, where theory
  gives s_h exactly.
*/
static void stationary_variance_follows_theory(void **state)
{
  const int64_t count = 400000;
  const double  h = 0.1, k = 2;
  fare_initial  initial    = {.density = FARE_INITIAL_BOLTZMANN};
  const char   *options[]  = {"{dt: 0.1}", "{dt: 0.1, integrator: leimkuhler_matthews}"};
  const double  expected[] = {(1 / k) / (1 - k * h / 2), 1 / k};
  fare_schedule schedule   = {0, 3, 2};

  (void)state;
  for (int i = 0; i < 2; i++) {
    fare_system   *system = make_system("ornstein_uhlenbeck", 1);
    fare_sampler  *sampler;
    fare_ensemble *e;
    double         m[FARE_DIM_MAX], v[FARE_DIM_MAX], effective;

    assert_ok(fare_system_set(system, "stiffness", k));
    sampler = make_sampler(PETSC_COMM_WORLD, "langevin", options[i], SEED, system, &initial, &schedule);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, count, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, 3, e));
    assert_ok(fare_ensemble_moments(e, m, v, &effective));
    assert_near(v[0], expected[i], 5 * expected[i] * sqrt(2. / count) + 1e-5 * expected[i]);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  Heun's variance in a trap of stiffness 2 where mobility and temperature are driven, in closed form at any
  step: with a = k mu_n h, b = k mu_{n+1} h, x' = ((1 - b/2)(1 - a) + a/2) x + (1 - b/2) s z, s^2 = (mu_n kT_n
  + mu_{n+1} kT_{n+1}) h. The parameters at the end of the step must be those of the end.
*/
static double heun_variance(const char *driven, double h, double span)
{
  double variance = 0.09;

  for (int n = 0; n < (int)lround(span / h); n++) {
    const double    now = 1 + 0.8 * sin(2 * M_PI * n * h), next = 1 + 0.8 * sin(2 * M_PI * (n + 1) * h);
    const PetscBool mobile = !strcmp(driven, "mobility") ? PETSC_TRUE : PETSC_FALSE;
    const double    a = 2 * h * (mobile ? now : 1), b = 2 * h * (mobile ? next : 1);

    variance = pow((1 - b / 2) * (1 - a) + a / 2, 2) * variance + pow(1 - b / 2, 2) * (now + next) * h;
  }
  return variance;
}

static void heun_follows_driven_mobility_and_temperature(void **state)
{
  static const char *const driven[] = {"mobility", "kT"};
  double                   at[] = {0}, wide[] = {0.3}, m[FARE_DIM_MAX], v[FARE_DIM_MAX], effective;
  const fare_initial       initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  const fare_schedule      schedule = {0, 0.3, 2};
  const int64_t            count    = 400000;

  (void)state;
  for (int i = 0; i < 2; i++) {
    const double   expected = heun_variance(driven[i], 0.1, 0.3);
    fare_system   *system   = make_driven("ornstein_uhlenbeck", 1, driven[i], 0.8);
    fare_sampler  *sampler;
    fare_ensemble *e;

    assert_ok(fare_system_set(system, "stiffness", 2));
    sampler = make_sampler(
      PETSC_COMM_WORLD, "langevin", "{dt: 0.1, integrator: heun}", SEED, system, &initial, &schedule);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, count, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, 0.3, e));
    assert_ok(fare_ensemble_moments(e, m, v, &effective));
    assert_near(v[0], expected, 5 * expected * sqrt(2. / count));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_system_destroy(&system));
  }
}

static void same_bits_on_any_ranks_and_after_loading(void **state)
{
  const char *options[] = {
    "{dt: 0.003}", "{dt: 0.003, integrator: leimkuhler_matthews}", "{dt: 0.003, integrator: heun}"};
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 1, 3};
  fare_system        *system   = make_driven("prinz", 1, "tilt", 4);
  char                path[PATH_SIZE];

  (void)state;
  path_for("langevin", path);
  for (int i = 0; i < 3; i++)
    assert_same_bits("langevin", options[i], SEED, system, &initial, &schedule, path);
  assert_ok(fare_system_destroy(&system));
}

/* Many particles take their steps in shorter runs, with a table of parameters for each. */
static void same_bits_among_any_number(void **state)
{
  const int64_t       counts[] = {4 * FARE_BLOCK, 1000000}; /* of both the first block is on rank 0 */
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0.1, 0.4, 2};
  fare_system        *system   = make_driven("prinz", 1, "tilt", 4);
  double              x[2][FARE_BLOCK];
  int                 rank;

  (void)state;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  for (int i = 0; i < 2; i++) {
    fare_sampler *sampler =
      make_sampler(PETSC_COMM_WORLD, "langevin", "{dt: 0.001}", SEED, system, &initial, &schedule);
    fare_ensemble *e;

    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, counts[i], &e));
    assert_ok(fare_sampler_advance(sampler, 0.1, e));
    assert_ok(fare_sampler_advance(sampler, 0.4, e));
    if (rank == 0) memcpy(x[i], e->x[0], sizeof x[i]);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
  }
  if (rank == 0) assert_memory_equal(x[0], x[1], sizeof x[0]);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(euler_maruyama_has_its_own_variance),
  cmocka_unit_test(schemes_are_as_good_as_they_claim),
  cmocka_unit_test(stationary_variance_follows_theory),
  cmocka_unit_test(heun_follows_driven_mobility_and_temperature),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
  cmocka_unit_test(same_bits_among_any_number),
};
FARE_TEST_MAIN(tests)
