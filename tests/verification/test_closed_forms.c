/* fare-test: labels=verification ranks=1,2 timeout=300 */
/* Densities that are known in closed form at every time, as evolved on two grids: L1 error and its order; and numbers known from elsewhere. */
#include "fare_test.h"

#include "truth/truth.h"

#include <fare/analysis.h>

#include <petscdm.h>

/* A system, what moves it, and the density that it must have from `start` to `end`. */
typedef struct {
  const fare_system_type *type;
  int                     dim;
  const char             *drives[3]; /* YAML */
  double                  lower, upper, start, end;
  PetscInt                cells;     /* of the coarser grid; the finer has twice as many */
  double (*density)(const double x[], double t); /* up to a factor */
  double   error, order;             /* the largest error on the finer grid; the order is met within a tenth */
  fare_end ends;
} closed_form;

/* Gauss and Legendre, five points of a cell in units of half its width. */
static const double node[]   = {-0.9061798459386640, -0.5384693101056831, 0, 0.5384693101056831, 0.9061798459386640};
static const double weight[] = {0.2369268850561891, 0.4786286704993665, 0.5688888888888889, 0.4786286704993665, 0.2369268850561891};

static double cell_mass(const closed_form *c, const fare_grid *grid, const double centre[], double t)
{
  const int points = c->dim == 1 ? 5 : c->dim == 2 ? 25 : 125;
  double    sum    = 0;

  for (int q = 0; q < points; q++) {
    const int which[] = {q % 5, q / 5 % 5, q / 25};
    double    x[3], w = 1;

    for (int axis = 0; axis < c->dim; axis++) {
      x[axis] = centre[axis] + 0.5 * grid->spacing[axis] * node[which[axis]];
      w *= 0.5 * grid->spacing[axis] * weight[which[axis]];
    }
    sum += w * c->density(x, t);
  }
  return sum;
}

/* Of sum 1, unless ends absorb: then the density is known with its factor. */
static void exact_masses(const closed_form *c, const fare_grid *grid, double t, Vec masses)
{
  PetscScalar *mass, sum;

  assert_ok(VecGetArray(masses, &mass));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    const PetscInt at[] = {n % grid->count[0], n / grid->count[0] % grid->count[1], n / grid->count[0] / grid->count[1]};
    double         centre[3];

    for (int axis = 0; axis < c->dim; axis++) centre[axis] = fare_grid_centre(grid, axis, grid->start[axis] + at[axis]);
    mass[n] = cell_mass(c, grid, centre, t);
  }
  assert_ok(VecRestoreArray(masses, &mass));
  if (c->ends == FARE_END_ABSORBING) return;
  assert_ok(VecSum(masses, &sum));
  assert_ok(VecScale(masses, 1 / sum));
}

static void drive(fare_system *system, const char *text)
{
  fare_config *config;

  assert_ok(fare_config_parse("drive", text, strlen(text), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  assert_ok(fare_config_destroy(&config));
}

static fare_system *make_system(const closed_form *c)
{
  fare_system *system;

  assert_ok(fare_system_create(c->type, c->dim, &system));
  for (int i = 0; i < 3 && c->drives[i]; i++) drive(system, c->drives[i]);
  return system;
}

static fare_grid *make_grid(const closed_form *c, PetscInt cells)
{
  const PetscInt n[]     = {cells, cells, cells};
  const double   lower[] = {c->lower, c->lower, c->lower}, upper[] = {c->upper, c->upper, c->upper};
  const fare_end ends[]  = {c->ends, c->ends, c->ends};
  fare_grid     *grid;

  assert_ok(fare_grid_create(PETSC_COMM_WORLD, c->dim, n, lower, upper, ends, &grid));
  return grid;
}

/* The larger of the L1 errors halfway and at the end. */
static double error_on(const closed_form *c, const fare_system *system, PetscInt cells)
{
  fare_grid      *grid = make_grid(c, cells);
  fare_evolution *evolution;
  Vec             masses, exact;
  double          worst = 0;

  assert_ok(DMCreateGlobalVector(grid->dm, &masses));
  assert_ok(VecDuplicate(masses, &exact));
  exact_masses(c, grid, c->start, masses);
  assert_ok(fare_evolution_create(grid, system, c->start, c->dim == 1 ? 1e-9 : 1e-7, PETSC_FALSE, masses, &evolution));
  for (int half = 1; half <= 2; half++) {
    const double t = c->start + 0.5 * half * (c->end - c->start);
    PetscReal    error;

    assert_ok(fare_evolution_advance(evolution, t));
    exact_masses(c, grid, t, exact);
    assert_ok(VecAXPY(exact, -1, evolution->masses));
    assert_ok(VecNorm(exact, NORM_1, &error));
    worst = fmax(worst, error);
  }
  assert_ok(VecDestroy(&exact));
  assert_ok(fare_evolution_destroy(&evolution));
  assert_ok(fare_grid_destroy(&grid));
  return worst;
}

static void holds(const closed_form *c)
{
  fare_system *system = make_system(c);
  const double coarse = error_on(c, system, c->cells), fine = error_on(c, system, 2 * c->cells);

  if (getenv("FARE_TEST_SHOW")) fare_log("%s, %d-D: %.2e and %.2e, order %.2f", c->type->name, c->dim, coarse, fine, log2(coarse / fine));
  assert_between(fine, 0, c->error);
  assert_between(log2(coarse / fine), c->order - 0.1, c->order + 0.1);
  assert_ok(fare_system_destroy(&system));
}

/* A trap whose centre swings and whose stiffness is 1 + 2 t: m' = -k (m - sin pi t), s' = 2 - 2 k s, by the classical Runge-Kutta method. */
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
  static double known = -1, y[3][2];
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
    .type = fare_system_type_find("ornstein_uhlenbeck"), .lower = -5, .upper = 5, .end = 1, .order = 2,
    .drives = {"{parameter: centre, waveform: sine, amplitude: 1, period: 2}", "{parameter: stiffness, waveform: ramp, amplitude: 2, start: 0, end: 1}"},
  };

  (void)state;
  c.dim = 1, c.cells = 128, c.error = 3e-4, c.density = trap_1d;
  holds(&c);
  c.dim = 2, c.cells = 48, c.error = 3e-3, c.density = trap_2d;
  holds(&c);
  c.dim = 3, c.cells = 20, c.error = 1.6e-2, c.density = trap_3d;
  holds(&c);
}

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
  closed_form  c = {.type = fare_system_type_find("rotational_ou"), .dim = 2, .lower = -6, .upper = 6, .end = 1.5, .cells = 48, .density = spiral, .error = 5e-3, .order = 2};
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

/* The Prinz potential as it moves, V(x - shift), with a uniform force beside it that is its speed over the mobility: exp(-V(x - shift)/kT) exactly. */
enum { SHIFT = FARE_OWN, SPEED };
static const fare_parameter travelling_parameters[] = {FARE_COMMON_PARAMETERS, {"shift", 0, -10, 10, "place"}, {"speed", 1, -10, 10, "of the shift"}, FARE_PARAMETERS_END};

static double prinz(double x)
{
  return 4 * (pow(x, 8) + 0.8 * exp(-80 * x * x) + 0.2 * exp(-80 * pow(x - 0.5, 2)) + 0.5 * exp(-40 * pow(x + 0.5, 2)));
}

static double prinz_slope(double x)
{
  return 4 * (8 * pow(x, 7) - 128 * x * exp(-80 * x * x) - 32 * (x - 0.5) * exp(-80 * pow(x - 0.5, 2)) - 40 * (x + 0.5) * exp(-40 * pow(x + 0.5, 2)));
}

static void travelling_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = prinz(x[0][i] - theta[SHIFT]);
}

static void travelling_extra(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[SPEED] / theta[FARE_MOBILITY];
}

static void travelling_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[SPEED] / theta[FARE_MOBILITY] - prinz_slope(x[0][i] - theta[SHIFT]);
}

static const fare_system_type travelling = {
  .name = "travelling", .dimension_least = 1, .dimension_most = 1, .parameters = travelling_parameters, .lower = {-1.6}, .upper = {2.4},
  .potential = travelling_potential, .force = travelling_force, .extra = travelling_extra,
};

static double travelling_density(const double x[], double t)
{
  return exp(-prinz(x[0] - t));
}

static void a_potential_travels_with_a_force(void **state)
{
  const closed_form c = {
    .type = &travelling, .dim = 1, .lower = -1.6, .upper = 2.4, .end = 1, .cells = 256, .density = travelling_density, .error = 1.5e-4, .order = 2,
    .drives = {"{parameter: shift, waveform: ramp, amplitude: 1, start: 0, end: 1}"},
  };

  (void)state;
  holds(&c);
}

/*
  Two logistic bumps at -1 and 1 whose weights change at a rate. With C the cumulative of p, the force -dC/dt / p moves just as much mass over the barrier as equilibrium asks
  for, at any speed.
*/
enum { SHARE = FARE_OWN, RATE };
#define BUMP 0.2
static const fare_parameter bumps_parameters[] = {FARE_COMMON_PARAMETERS, {"share", 0.1, 0, 1, "of the bump at 1"}, {"rate", 0.7, -10, 10, "of change of the share"}, FARE_PARAMETERS_END};

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
  for (size_t i = 0; i < n; i++) f[0][i] += theta[FARE_KT] * ((1 - theta[SHARE]) * bump_slope(x[0][i] + 1) + theta[SHARE] * bump_slope(x[0][i] - 1)) / bumps(theta[SHARE], x[0][i]);
}

static const fare_system_type two_bumps = {
  .name = "two_bumps", .dimension_least = 1, .dimension_most = 1, .parameters = bumps_parameters, .lower = {-4.5}, .upper = {4.5},
  .potential = bumps_potential, .force = bumps_force, .extra = bumps_extra,
};

static double bumps_density(const double x[], double t)
{
  return bumps(0.1 + 0.7 * t, x[0]);
}

static void a_counterdiabatic_force_keeps_equilibrium(void **state)
{
  const closed_form c = {
    .type = &two_bumps, .dim = 1, .lower = -4.5, .upper = 4.5, .end = 1, .cells = 256, .density = bumps_density, .error = 3e-4, .order = 2,
    .drives = {"{parameter: share, waveform: ramp, amplitude: 0.7, start: 0, end: 1}"},
  };

  (void)state;
  holds(&c);
}

/* A force across the slope, -c S grad V with S a rotation by a right angle, drives a current along lines of equal V and leaves exp(-V/kT). */
enum { ACROSS = FARE_OWN };
static const fare_parameter across_parameters[] = {FARE_COMMON_PARAMETERS, {"across", 1, -10, 10, "force across the slope"}, FARE_PARAMETERS_END};

static void across_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) V[i] = pow(x[0][i] * x[0][i] - 1, 2) + 2 * x[1][i] * x[1][i] + 0.5 * x[0][i] * x[1][i];
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
  .name = "across", .dimension_least = 2, .dimension_most = 2, .parameters = across_parameters, .lower = {-2.6, -2.6}, .upper = {2.6, 2.6},
  .potential = across_potential, .force = across_force, .extra = across_extra,
};

static double across_density(const double x[], double t)
{
  (void)t;
  return exp(-pow(x[0] * x[0] - 1, 2) - 2 * x[1] * x[1] - 0.5 * x[0] * x[1]);
}

static void a_force_across_the_slope_keeps_equilibrium(void **state)
{
  const closed_form c = {.type = &across, .dim = 2, .lower = -2.6, .upper = 2.6, .end = 1, .cells = 48, .density = across_density, .error = 1.2e-3, .order = 2};

  (void)state;
  holds(&c);
}

/* V = -strength ln cosh x. With strength 1 and D = 1/2 it is Benes's dX = tanh X dt + dW; with a negative one a trap with known rates. */
enum { STRENGTH = FARE_OWN };
static const fare_parameter hyperbolic_parameters[] = {{"kT", 0.5, 1e-6, 1e6, "temperature"}, {"mobility", 1, 1e-6, 1e6, "mobility"}, {"strength", 1, -100, 100, "push away from 0"}, FARE_PARAMETERS_END};

static void hyperbolic_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = -theta[STRENGTH] * log(cosh(x[0][i]));
}

static void hyperbolic_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[STRENGTH] * tanh(x[0][i]);
}

static const fare_system_type hyperbolic = {
  .name = "hyperbolic", .dimension_least = 1, .dimension_most = 1, .parameters = hyperbolic_parameters, .lower = {-9}, .upper = {9}, .potential = hyperbolic_potential, .force = hyperbolic_force,
};

static double benes_density(const double x[], double t)
{
  const double x0 = 0.3;

  return cosh(x[0]) / cosh(x0) * exp(-t / 2 - pow(x[0] - x0, 2) / (2 * t)) / sqrt(2 * M_PI * t);
}

static void benes(void **state)
{
  const closed_form c = {.type = &hyperbolic, .dim = 1, .lower = -9, .upper = 9, .start = 0.2, .end = 1.7, .cells = 128, .density = benes_density, .error = 1.2e-3, .order = 2};

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
  const closed_form c = {.type = fare_system_type_find("geometric_brownian"), .dim = 1, .lower = 0, .upper = 8, .start = 0.3, .end = 2, .cells = 512, .density = lognormal, .error = 2e-4, .order = 2};

  (void)state;
  holds(&c);
}

/* x' = v, v' = -x - gamma v + noise: a Gaussian. test_general.c looks at its moments, this at the density with its correlation. */
#define FRICTION 0.8
static const fare_parameter oscillator_parameters[] = {FARE_PARAMETERS_END};

static void oscillator_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = x[1][i];
    f[1][i] = -x[0][i] - FRICTION * x[1][i];
  }
}

static void oscillator_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)theta, (void)x;
  for (size_t i = 0; i < n; i++) {
    D[0][i] = 0;
    D[1][i] = FRICTION;
  }
}

static const fare_system_type oscillator = {
  .name = "oscillator", .dimension_least = 2, .dimension_most = 2, .axes = {"x", "v"}, .parameters = oscillator_parameters, .lower = {-6, -6}, .upper = {6, 6},
  .drift = oscillator_drift, .diffusion = oscillator_diffusion,
};

/* With kT = 1 the deviation of mean and covariance from equilibrium goes by the flow M(t) of the oscillator without noise. */
static double oscillator_density(const double x[], double t)
{
  const double w = sqrt(1 - FRICTION * FRICTION / 4), decay = exp(-FRICTION * t / 2), s = sin(w * t) / w, c = cos(w * t);
  const double M[2][2] = {{decay * (c + FRICTION / 2 * s), decay * s}, {-decay * s, decay * (c - FRICTION / 2 * s)}};
  const double off[]   = {0.36 - 1, 0.81 - 1};
  const double xx = 1 + M[0][0] * M[0][0] * off[0] + M[0][1] * M[0][1] * off[1], vv = 1 + M[1][0] * M[1][0] * off[0] + M[1][1] * M[1][1] * off[1];
  const double xv = M[0][0] * M[1][0] * off[0] + M[0][1] * M[1][1] * off[1], dx = x[0] - M[0][0], dv = x[1] - M[1][0];

  return exp(-(vv * dx * dx - 2 * xv * dx * dv + xx * dv * dv) / (2 * (xx * vv - xv * xv)));
}

static void an_underdamped_oscillator(void **state)
{
  const closed_form c = {.type = &oscillator, .dim = 2, .lower = -6, .upper = 6, .end = 1.5, .cells = 96, .density = oscillator_density, .error = 4e-2, .order = 0.93};

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
  .name = "free_motion", .dimension_least = 1, .dimension_most = 1, .parameters = free_parameters, .lower = {0}, .upper = {1}, .potential = no_potential, .force = no_force,
};

static double sine_series(const double x[], double t)
{
  double sum = 0;

  for (int n = 1; n < 60; n += 2) sum += 4 / (n * M_PI) * sin(n * M_PI * x[0]) * exp(-pow(n * M_PI, 2) * t);
  return sum;
}

static void brownian_motion_between_ends_that_absorb(void **state)
{
  const closed_form c = {.type = &free_motion, .dim = 1, .lower = 0, .upper = 1, .start = 0.02, .end = 0.17, .cells = 64, .density = sine_series, .error = 1e-4, .order = 2, .ends = FARE_END_ABSORBING};

  (void)state;
  holds(&c);
}

/* Amplitude and lag of the fundamental of <x>, over one period of the periodic state. */
static void swing(const fare_grid *grid, const fare_system *system, double period, double *amplitude, double *lag)
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
    for (PetscInt i = 0; i < grid->count[0]; i++) mean += p[i] * fare_grid_centre(grid, 0, grid->start[0] + i);
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
  cmocka_unit_test(a_swirl_in_a_trap),
  cmocka_unit_test(a_potential_travels_with_a_force),
  cmocka_unit_test(a_counterdiabatic_force_keeps_equilibrium),
  cmocka_unit_test(a_force_across_the_slope_keeps_equilibrium),
  cmocka_unit_test(benes),
  cmocka_unit_test(the_rates_of_a_hyperbolic_trap),
  cmocka_unit_test(geometric_brownian_motion_is_lognormal),
  cmocka_unit_test(an_underdamped_oscillator),
  cmocka_unit_test(brownian_motion_between_ends_that_absorb),
  cmocka_unit_test(stochastic_resonance),
};
FARE_TEST_MAIN(tests)
