/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/* Densities that are known in closed form while parameters move; and numbers known from elsewhere. */
#include "closed_form.h"

#include <fare/analysis.h>

/*
  A trap whose centre swings and whose stiffness is 1 + 2 t: m' = -k (m - sin pi t), s' = 2 - 2 k s, by the
  classical Runge-Kutta method.
*/
static void trap_slope(double t, const double y[2], int axis, double slope[2])
{
  const double k = 1 + 2 * t;

  slope[0] = -k * (y[0] - (axis == 0 ? sin(M_PI * t) : 0));
  slope[1] = 2 - 2 * k * y[1];
}

static void trap_moments(int axis, double t, double y[2])
{
  const double start[][2] = {{0.5, 0.64}, {-0.5, 0.36}, {0.3, 0.81}};
  const int    steps      = 400;
  const double h          = t / steps;

  y[0] = start[axis][0], y[1] = start[axis][1];
  for (int n = 0; n < steps; n++) {
    double a[2], b[2], c[2], d[2], at[2];

    trap_slope(n * h, y, axis, a);
    for (int i = 0; i < 2; i++) at[i] = y[i] + h / 2 * a[i];
    trap_slope((n + 0.5) * h, at, axis, b);
    for (int i = 0; i < 2; i++) at[i] = y[i] + h / 2 * b[i];
    trap_slope((n + 0.5) * h, at, axis, c);
    for (int i = 0; i < 2; i++) at[i] = y[i] + h * c[i];
    trap_slope((n + 1) * h, at, axis, d);
    for (int i = 0; i < 2; i++) y[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
  }
}

static double trap_density(int dim, const double x[], double t)
{
  static double known    = -1, y[3][2];
  double        exponent = 0;

  if (t != known) {
    for (int axis = 0; axis < 3; axis++) trap_moments(axis, t, y[axis]);
    known = t;
  }
  for (int axis = 0; axis < dim; axis++) exponent += pow(x[axis] - y[axis][0], 2) / (2 * y[axis][1]);
  return exp(-exponent);
}

static double trap_1d(const double x[], double t)
{
  return trap_density(1, x, t);
}

static double trap_2d(const double x[], double t)
{
  return trap_density(2, x, t);
}

static double trap_3d(const double x[], double t)
{
  return trap_density(3, x, t);
}

static void a_trap_that_moves_and_stiffens(void **state)
{
  closed_form c = {
    .type   = fare_system_type_find("ornstein_uhlenbeck"),
    .lower  = -5,
    .upper  = 5,
    .end    = 1,
    .order  = 2,
    .drives = {"{parameter: centre, waveform: sine, amplitude: 1, period: 2}",
      "{parameter: stiffness, waveform: ramp, amplitude: 2, start: 0, end: 1}"},
  };

  (void)state;
  c.dim = 1, c.cells = 128, c.error = 3e-4, c.density = trap_1d;
  holds(&c);
  c.dim = 2, c.cells = 48, c.error = 3e-3, c.density = trap_2d;
  holds(&c);
  c.dim = 3, c.cells = 20, c.error = 1.6e-2, c.density = trap_3d;
  holds(&c);
}

/*
  The Prinz potential as it moves, V(x - shift), with a uniform force beside it that is its speed over the
  mobility: exp(-V(x - shift)/kT) exactly.
*/
enum { SHIFT = FARE_OWN, SPEED };
static const fare_parameter travelling_parameters[] = {FARE_COMMON_PARAMETERS, {"shift", 0, -10, 10, "place"},
  {"speed", 1, -10, 10, "of the shift"}, FARE_PARAMETERS_END};

static double prinz(double x)
{
  return 4 *
    (pow(x, 8) + 0.8 * exp(-80 * x * x) + 0.2 * exp(-80 * pow(x - 0.5, 2)) +
      0.5 * exp(-40 * pow(x + 0.5, 2)));
}

static double prinz_slope(double x)
{
  return 4 *
    (8 * pow(x, 7) - 128 * x * exp(-80 * x * x) - 32 * (x - 0.5) * exp(-80 * pow(x - 0.5, 2)) -
      40 * (x + 0.5) * exp(-40 * pow(x + 0.5, 2)));
}

static void travelling_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = prinz(x[0][i] - theta[SHIFT]);
}

static void travelling_extra(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[SPEED] / theta[FARE_MOBILITY];
}

static void travelling_force(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++)
    f[0][i] = theta[SPEED] / theta[FARE_MOBILITY] - prinz_slope(x[0][i] - theta[SHIFT]);
}

static const fare_system_type travelling = {
  .name            = "travelling",
  .dimension_min   = 1,
  .dimension_max   = 1,
  .parameters      = travelling_parameters,
  .lower           = {-1.6},
  .upper           = {2.4},
  .potential       = travelling_potential,
  .force           = travelling_force,
  .nonconservative = travelling_extra,
};

static double travelling_density(const double x[], double t)
{
  return exp(-prinz(x[0] - t));
}

static void a_potential_travels_with_a_force(void **state)
{
  const closed_form c = {
    .type    = &travelling,
    .dim     = 1,
    .lower   = -1.6,
    .upper   = 2.4,
    .end     = 1,
    .cells   = 256,
    .density = travelling_density,
    .error   = 1.5e-4,
    .order   = 2,
    .drives  = {"{parameter: shift, waveform: ramp, amplitude: 1, start: 0, end: 1}"},
  };

  (void)state;
  holds(&c);
}

/*
  Two logistic bumps at -1 and 1 whose weights change at a rate. With C the cumulative of p, the force -dC/dt
  / p moves just as much mass over the barrier as equilibrium asks for, at any speed.
*/
enum { SHARE = FARE_OWN, RATE };
#define BUMP 0.2
static const fare_parameter bumps_parameters[] = {FARE_COMMON_PARAMETERS,
  {"share", 0.1, 0, 1, "of the bump at 1"}, {"rate", 0.7, -10, 10, "of change of the share"},
  FARE_PARAMETERS_END};

static double bump(double x)
{
  return 0.25 / BUMP / pow(cosh(x / (2 * BUMP)), 2);
}

static double bump_slope(double x)
{
  return -bump(x) * tanh(x / (2 * BUMP)) / BUMP;
}

static double bumps(double share, double x)
{
  return (1 - share) * bump(x + 1) + share * bump(x - 1);
}

static void bumps_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = -theta[FARE_KT] * log(bumps(theta[SHARE], x[0][i]));
}

static void bumps_extra(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    const double gained = 0.5 * (tanh((x[0][i] + 1) / (2 * BUMP)) - tanh((x[0][i] - 1) / (2 * BUMP)));

    f[0][i] = theta[RATE] * gained / bumps(theta[SHARE], x[0][i]) / theta[FARE_MOBILITY];
  }
}

static void bumps_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  bumps_extra(dim, theta, n, x, f);
  for (size_t i = 0; i < n; i++)
    f[0][i] += theta[FARE_KT] *
      ((1 - theta[SHARE]) * bump_slope(x[0][i] + 1) + theta[SHARE] * bump_slope(x[0][i] - 1)) /
      bumps(theta[SHARE], x[0][i]);
}

static const fare_system_type two_bumps = {
  .name            = "two_bumps",
  .dimension_min   = 1,
  .dimension_max   = 1,
  .parameters      = bumps_parameters,
  .lower           = {-4.5},
  .upper           = {4.5},
  .potential       = bumps_potential,
  .force           = bumps_force,
  .nonconservative = bumps_extra,
};

static double bumps_density(const double x[], double t)
{
  return bumps(0.1 + 0.7 * t, x[0]);
}

static void a_counterdiabatic_force_keeps_equilibrium(void **state)
{
  const closed_form c = {
    .type    = &two_bumps,
    .dim     = 1,
    .lower   = -4.5,
    .upper   = 4.5,
    .end     = 1,
    .cells   = 256,
    .density = bumps_density,
    .error   = 3e-4,
    .order   = 2,
    .drives  = {"{parameter: share, waveform: ramp, amplitude: 0.7, start: 0, end: 1}"},
  };

  (void)state;
  holds(&c);
}

/* Amplitude and lag of the fundamental of <x>, over one period of the periodic state. */
static void swing(
  const fare_grid *grid, const fare_system *system, double period, double *amplitude, double *lag)
{
  enum { POINTS = 32 };
  fare_evolution *evolution;
  fare_solved     solved;
  Vec             masses;
  double          in_step = 0, late = 0;

  assert_ok(fare_periodic_solve(grid, system, 0, period, 1e-9, &masses, &solved));
  assert_ok(fare_evolution_create(grid, system, 0, 1e-9, PETSC_FALSE, masses, &evolution));
  for (int k = 1; k <= POINTS; k++) {
    const PetscScalar *p;
    double             mean = 0;

    assert_ok(fare_evolution_advance(evolution, period * k / POINTS));
    assert_ok(VecGetArrayRead(evolution->masses, &p));
    for (PetscInt i = 0; i < grid->count[0]; i++)
      mean += p[i] * fare_grid_centre(grid, 0, grid->start[0] + i);
    assert_ok(VecRestoreArrayRead(evolution->masses, &p));
    MPI_Allreduce(MPI_IN_PLACE, &mean, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    in_step += 2.0 / POINTS * mean * cos(2 * M_PI * k / POINTS);
    late += 2.0 / POINTS * mean * sin(2 * M_PI * k / POINTS);
  }
  *amplitude = hypot(in_step, late);
  *lag       = atan2(late, in_step);
  assert_ok(fare_evolution_destroy(&evolution));
}

/* x^4/4 - x^2/2 - A x cos(Omega t), D = Omega = A = 0.1. */
static void stochastic_resonance(void **state)
{
  closed_form  c      = {.type = fare_system_type_find("double_well"), .dim = 1, .lower = -2.5, .upper = 2.5};
  fare_system *system = make_system(&c);
  double       amplitude[2], lag[2];

  (void)state;
  assert_ok(fare_system_set(system, "height", 0.25));
  assert_ok(fare_system_set(system, "kT", 0.1));
  assert_ok(fare_system_drive_sine(system, "tilt", 0.1, 20 * M_PI, M_PI / 2));
  for (int i = 0; i < 2; i++) {
    fare_grid *grid = make_grid(&c, 256 << i);

    swing(grid, system, 20 * M_PI, &amplitude[i], &lag[i]);
    assert_ok(fare_grid_destroy(&grid));
  }
  assert_near(amplitude[1] + (amplitude[1] - amplitude[0]) / 3, 0.2880, 1e-4);
  assert_near(lag[1] + (lag[1] - lag[0]) / 3, 1.1083, 1e-4);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_trap_that_moves_and_stiffens),
  cmocka_unit_test(a_potential_travels_with_a_force),
  cmocka_unit_test(a_counterdiabatic_force_keeps_equilibrium),
  cmocka_unit_test(stochastic_resonance),
};
FARE_TEST_MAIN(tests)
