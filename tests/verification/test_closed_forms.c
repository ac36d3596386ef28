/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  Densities that are known in closed form, of systems that nothing drives; and numbers known from elsewhere.
*/
#include "closed_form.h"

#include <fare/analysis.h>

/* With rotation 1 and stiffness 1: the mean goes round on a spiral, the variance as if nothing turned. */
static double spiral(const double x[], double t)
{
  const double m[] = {1.5 * exp(-t) * cos(t), 1.5 * exp(-t) * sin(t)}, variance = 1 - 0.51 * exp(-2 * t);

  return exp(-(pow(x[0] - m[0], 2) + pow(x[1] - m[1], 2)) / (2 * variance));
}

static double rest(const double x[], double t)
{
  (void)t;
  return exp(-(x[0] * x[0] + x[1] * x[1]) / 2);
}

static void a_swirl_in_a_trap(void **state)
{
  closed_form  c = {.type = fare_system_type_find("rotational_ou"),
     .dim                 = 2,
     .lower               = -6,
     .upper               = 6,
     .end                 = 1.5,
     .cells               = 48,
     .density             = spiral,
     .error               = 5e-3,
     .order               = 2};
  double       error[2];
  fare_system *system;

  (void)state;
  holds(&c);
  /* and the steady state, which is at rest in no single place */
  c.density = rest;
  system    = make_system(&c);
  for (int i = 0; i < 2; i++) {
    fare_grid  *grid = make_grid(&c, c.cells << i);
    fare_solved solved;
    Vec         steady, exact;

    assert_ok(fare_stationary_solve(grid, system, 0, &steady, &solved));
    assert_ok(VecDuplicate(steady, &exact));
    exact_masses(&c, grid, 0, exact);
    assert_ok(VecAXPY(exact, -1, steady));
    assert_ok(VecNorm(exact, NORM_1, &error[i]));
    assert_ok(VecDestroy(&steady));
    assert_ok(VecDestroy(&exact));
    assert_ok(fare_grid_destroy(&grid));
  }
  assert_between(error[1], 0, 2e-3);
  assert_between(log2(error[0] / error[1]), 1.9, 2.1);
  assert_ok(fare_system_destroy(&system));
}

/*
  A force across the slope, -c S grad V with S a rotation by a right angle, drives a current along lines of
  equal V and leaves exp(-V/kT).
*/
enum { ACROSS = FARE_OWN };
static const fare_parameter across_parameters[] = {
  FARE_COMMON_PARAMETERS, {"across", 1, -10, 10, "force across the slope"}, FARE_PARAMETERS_END};

static void across_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++)
    V[i] = pow(x[0][i] * x[0][i] - 1, 2) + 2 * x[1][i] * x[1][i] + 0.5 * x[0][i] * x[1][i];
}

static void across_extra(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -theta[ACROSS] * (4 * x[1][i] + 0.5 * x[0][i]);
    f[1][i] = theta[ACROSS] * (4 * x[0][i] * (x[0][i] * x[0][i] - 1) + 0.5 * x[1][i]);
  }
}

static void across_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  across_extra(dim, theta, n, x, f);
  for (size_t i = 0; i < n; i++) {
    f[0][i] -= 4 * x[0][i] * (x[0][i] * x[0][i] - 1) + 0.5 * x[1][i];
    f[1][i] -= 4 * x[1][i] + 0.5 * x[0][i];
  }
}

static const fare_system_type across = {
  .name            = "across",
  .dimension_min   = 2,
  .dimension_max   = 2,
  .parameters      = across_parameters,
  .lower           = {-2.6, -2.6},
  .upper           = {2.6, 2.6},
  .potential       = across_potential,
  .force           = across_force,
  .nonconservative = across_extra,
};

static double across_density(const double x[], double t)
{
  (void)t;
  return exp(-pow(x[0] * x[0] - 1, 2) - 2 * x[1] * x[1] - 0.5 * x[0] * x[1]);
}

static void a_force_across_the_slope_keeps_equilibrium(void **state)
{
  const closed_form c = {.type = &across,
    .dim                       = 2,
    .lower                     = -2.6,
    .upper                     = 2.6,
    .end                       = 1,
    .cells                     = 48,
    .density                   = across_density,
    .error                     = 1.2e-3,
    .order                     = 2};

  (void)state;
  holds(&c);
}

/*
  V = -strength ln cosh x. With strength 1 and D = 1/2 it is Benes's dX = tanh X dt + dW; with a negative one
  a trap with known rates.
*/
enum { STRENGTH = FARE_OWN };
static const fare_parameter hyperbolic_parameters[] = {{"kT", 0.5, 1e-6, 1e6, "temperature"},
  {"mobility", 1, 1e-6, 1e6, "mobility"}, {"strength", 1, -100, 100, "push away from 0"},
  FARE_PARAMETERS_END};

static void hyperbolic_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = -theta[STRENGTH] * log(cosh(x[0][i]));
}

static void hyperbolic_force(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[STRENGTH] * tanh(x[0][i]);
}

static const fare_system_type hyperbolic = {
  .name          = "hyperbolic",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = hyperbolic_parameters,
  .lower         = {-9},
  .upper         = {9},
  .potential     = hyperbolic_potential,
  .force         = hyperbolic_force,
};

static double benes_density(const double x[], double t)
{
  const double x0 = 0.3;

  return cosh(x[0]) / cosh(x0) * exp(-t / 2 - pow(x[0] - x0, 2) / (2 * t)) / sqrt(2 * M_PI * t);
}

static void benes(void **state)
{
  const closed_form c = {.type = &hyperbolic,
    .dim                       = 1,
    .lower                     = -9,
    .upper                     = 9,
    .start                     = 0.2,
    .end                       = 1.7,
    .cells                     = 128,
    .density                   = benes_density,
    .error                     = 1.2e-3,
    .order                     = 2};

  (void)state;
  holds(&c);
}

/* V = 2 lambda ln cosh x with D = 1: rates n (2 lambda - n) below lambda^2. Here lambda = 3, so 5 and 8. */
static void the_rates_of_a_hyperbolic_trap(void **state)
{
  closed_form  c      = {.type = &hyperbolic, .dim = 1, .lower = -9, .upper = 9};
  fare_system *system = make_system(&c);
  double       rate[2][3];

  (void)state;
  assert_ok(fare_system_set(system, "strength", -6));
  assert_ok(fare_system_set(system, "kT", 1));
  for (int i = 0; i < 2; i++) {
    fare_grid    *grid = make_grid(&c, 1024 << i);
    fare_spectrum spectrum;

    assert_ok(fare_spectrum_solve(grid, system, 0, 3, &spectrum));
    for (int n = 0; n < 3; n++) rate[i][n] = spectrum.rate[n];
    assert_ok(fare_spectrum_free(&spectrum));
    assert_ok(fare_grid_destroy(&grid));
  }
  assert_near(rate[1][0], 0, 1e-9);
  for (int n = 1; n <= 2; n++) {
    const double exact = n * (6 - n);

    assert_between((rate[0][n] - exact) / (rate[1][n] - exact), 3.9, 4.1);
    assert_near(rate[1][n] + (rate[1][n] - rate[0][n]) / 3, exact, 1e-5);
  }
  assert_ok(fare_system_destroy(&system));
}

/* From a point, ln X is Gaussian, in the sense of Ito: the whole density, not its moments alone. */
static double lognormal(const double x[], double t)
{
  const double growth = 0.1, volatility = 0.3, variance = volatility * volatility * t;

  return exp(-pow(log(x[0]) - (growth - volatility * volatility / 2) * t, 2) / (2 * variance)) / x[0];
}

static void geometric_brownian_motion_is_lognormal(void **state)
{
  const closed_form c = {.type = fare_system_type_find("geometric_brownian"),
    .dim                       = 1,
    .lower                     = 0,
    .upper                     = 8,
    .start                     = 0.3,
    .end                       = 2,
    .cells                     = 512,
    .density                   = lognormal,
    .error                     = 2e-4,
    .order                     = 2};

  (void)state;
  holds(&c);
}

/*
  x' = v, v' = -x - gamma v + noise: a Gaussian. test_general.c looks at its moments, this at the density with
  its correlation.
*/
#define FRICTION 0.8
static const fare_parameter oscillator_parameters[] = {FARE_PARAMETERS_END};

static void oscillator_drift(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = x[1][i];
    f[1][i] = -x[0][i] - FRICTION * x[1][i];
  }
}

static void oscillator_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)theta, (void)x;
  for (size_t i = 0; i < n; i++) {
    D[0][i] = 0;
    D[1][i] = FRICTION;
  }
}

static const fare_system_type oscillator = {
  .name          = "oscillator",
  .dimension_min = 2,
  .dimension_max = 2,
  .axes          = {"x", "v"},
  .parameters    = oscillator_parameters,
  .lower         = {-6, -6},
  .upper         = {6, 6},
  .drift         = oscillator_drift,
  .diffusion     = oscillator_diffusion,
};

/*
  With kT = 1 the deviation of mean and covariance from equilibrium goes by the flow M(t) of the oscillator
  without noise.
*/
static double oscillator_density(const double x[], double t)
{
  const double w = sqrt(1 - FRICTION * FRICTION / 4), decay = exp(-FRICTION * t / 2), s = sin(w * t) / w,
               c       = cos(w * t);
  const double M[2][2] = {
    {decay * (c + FRICTION / 2 * s), decay * s}, {-decay * s, decay * (c - FRICTION / 2 * s)}};
  const double off[] = {0.36 - 1, 0.81 - 1};
  const double xx    = 1 + M[0][0] * M[0][0] * off[0] + M[0][1] * M[0][1] * off[1],
               vv    = 1 + M[1][0] * M[1][0] * off[0] + M[1][1] * M[1][1] * off[1];
  const double xv = M[0][0] * M[1][0] * off[0] + M[0][1] * M[1][1] * off[1], dx = x[0] - M[0][0],
               dv = x[1] - M[1][0];

  return exp(-(vv * dx * dx - 2 * xv * dx * dv + xx * dv * dv) / (2 * (xx * vv - xv * xv)));
}

static void an_underdamped_oscillator(void **state)
{
  const closed_form c = {.type = &oscillator,
    .dim                       = 2,
    .lower                     = -6,
    .upper                     = 6,
    .end                       = 1.5,
    .cells                     = 96,
    .density                   = oscillator_density,
    .error                     = 4e-2,
    .order                     = 0.93};

  (void)state;
  holds(&c);
}

/* Brownian motion with D = 1 between two ends that absorb, from a uniform start. */
static const fare_parameter free_parameters[] = {FARE_COMMON_PARAMETERS, FARE_PARAMETERS_END};

static void no_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim, (void)theta, (void)x;
  for (size_t i = 0; i < n; i++) V[i] = 0;
}

static void no_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta, (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = 0;
}

static const fare_system_type free_motion = {
  .name          = "free_motion",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = free_parameters,
  .lower         = {0},
  .upper         = {1},
  .potential     = no_potential,
  .force         = no_force,
};

static double sine_series(const double x[], double t)
{
  double sum = 0;

  for (int n = 1; n < 60; n += 2) sum += 4 / (n * M_PI) * sin(n * M_PI * x[0]) * exp(-pow(n * M_PI, 2) * t);
  return sum;
}

static void brownian_motion_between_ends_that_absorb(void **state)
{
  const closed_form c = {.type = &free_motion,
    .dim                       = 1,
    .lower                     = 0,
    .upper                     = 1,
    .start                     = 0.02,
    .end                       = 0.17,
    .cells                     = 64,
    .density                   = sine_series,
    .error                     = 1e-4,
    .order                     = 2,
    .ends                      = FARE_BOUNDARY_ABSORBING};

  (void)state;
  holds(&c);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_swirl_in_a_trap),
  cmocka_unit_test(a_force_across_the_slope_keeps_equilibrium),
  cmocka_unit_test(benes),
  cmocka_unit_test(the_rates_of_a_hyperbolic_trap),
  cmocka_unit_test(geometric_brownian_motion_is_lognormal),
  cmocka_unit_test(an_underdamped_oscillator),
  cmocka_unit_test(brownian_motion_between_ends_that_absorb),
};
FARE_TEST_MAIN(tests)
