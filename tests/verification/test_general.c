/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3 timeout=300 */
/* Drift and diffusion that are no gradient's: closed forms, orders, and ends that absorb. */
#include "fare_test.h"

#include "truth/truth.h"

/* A linear drift about the origin, f = -k x + omega (-y, x), with constant diffusion. */
enum { K, OMEGA, DIFFUSION };
static const fare_parameter rotation_parameters[] = {{"k", 1, -10, 10, "pull"},
  {"omega", 1, -10, 10, "rotation"}, {"D", 0.5, 0, 10, "diffusion"}, FARE_PARAMETERS_END};

static void rotation_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -theta[K] * x[0][i] - theta[OMEGA] * x[1][i];
    f[1][i] = -theta[K] * x[1][i] + theta[OMEGA] * x[0][i];
  }
}

static void constant_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = theta[DIFFUSION];
  }
}

static const fare_system_type rotation = {
  .name          = "rotation",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = rotation_parameters,
  .lower         = {-5, -5},
  .upper         = {5, 5},
  .drift         = rotation_drift,
  .diffusion     = constant_diffusion,
};

/* x' = v, v' = -x - gamma v + noise: diffusion along one axis alone. */
enum { GAMMA, T };
static const fare_parameter oscillator_parameters[] = {
  {"gamma", 1, 0, 10, "friction"}, {"T", 1, 0, 10, "temperature"}, FARE_PARAMETERS_END};

static void oscillator_drift(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = x[1][i];
    f[1][i] = -x[0][i] - theta[GAMMA] * x[1][i];
  }
}

static void oscillator_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) {
    D[0][i] = 0;
    D[1][i] = theta[GAMMA] * theta[T];
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

/* Geometric Brownian motion: dX = 0.3 X dt + 0.4 X dW, in the sense of Ito. */
static const fare_parameter growth_parameters[] = {
  {"mu", 0.3, -10, 10, "growth"}, {"sigma", 0.4, 0, 10, "volatility"}, FARE_PARAMETERS_END};

static void growth_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[0] * x[0][i];
}

static void growth_diffusion(
  int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) D[0][i] = 0.5 * theta[1] * theta[1] * x[0][i] * x[0][i];
}

static const fare_system_type growth = {
  .name          = "growth",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = growth_parameters,
  .lower         = {0},
  .upper         = {20},
  .drift         = growth_drift,
  .diffusion     = growth_diffusion,
};

/* Mean and second moment along an axis of masses at cell centres. */
static void moments(const fare_grid *grid, Vec masses, int axis, double *mean, double *second)
{
  const PetscScalar *mass;
  double             sum[2] = {0};

  assert_ok(VecGetArrayRead(masses, &mass));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    const PetscInt at = axis == 0 ? n % grid->count[0] : n / grid->count[0] % grid->count[1];
    const double   x  = fare_grid_centre(grid, axis, grid->start[axis] + at);

    sum[0] += mass[n] * x;
    sum[1] += mass[n] * x * x;
  }
  assert_ok(VecRestoreArrayRead(masses, &mass));
  MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, grid->comm);
  *mean   = sum[0];
  *second = sum[1];
}

/* Moments at time t of a system from a Gaussian, on a grid. */
static void evolve(const fare_system_type *type, double at[], double wide[], PetscInt64 cells, double t,
  double mean[], double second[])
{
  const size_t       dim     = (size_t)type->dimension_min;
  PetscInt64         n[]     = {cells, cells, cells};
  fare_initial       initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {dim, at}, .sd = {dim, wide}};
  fare_truth_options options = {.cells = {dim, n}, .tolerance = 1e-8, .scheme = FARE_SCHEME_FITTED};
  fare_system       *system;
  fare_truth        *truth;

  assert_ok(fare_system_create(type, 0, &system));
  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &initial, 0, &options, &truth));
  assert_ok(fare_truth_advance(truth, t));
  for (int axis = 0; axis < type->dimension_min; axis++)
    moments(fare_truth_grid(truth), fare_truth_masses(truth), axis, &mean[axis], &second[axis]);
  assert_between(fare_truth_get_status(truth)->mass_drift, 0, 1e-12);
  assert_between(fare_truth_get_status(truth)->minimum, -1e-14, 1);
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/* m(t) = e^{-kt} R(omega t) m(0); the variance of each axis relaxes to D/k. The scheme is of second order. */
static void a_rotating_trap_rotates(void **state)
{
  double       at[] = {1, 0}, wide[] = {0.6, 0.6}, mean[2][2], second[2][2];
  const double t = 0.7, m[] = {exp(-t) * cos(t), exp(-t) * sin(t)}, s = 0.5 + (0.36 - 0.5) * exp(-2 * t);

  (void)state;
  for (int i = 0; i < 2; i++) evolve(&rotation, at, wide, 64 << i, t, mean[i], second[i]);
  for (int axis = 0; axis < 2; axis++) {
    const double square = s + m[axis] * m[axis];

    assert_between((second[0][axis] - square) / (second[1][axis] - square), 3.5, 4.5);
    assert_near(mean[1][axis] + (mean[1][axis] - mean[0][axis]) / 3, m[axis], 1e-5);
    assert_near(second[1][axis] + (second[1][axis] - second[0][axis]) / 3, square, 3e-4);
  }
}

/*
  Where diffusion vanishes along an axis the flux is upwind: of first order, positive. Moments from the linear
  equations, by small steps.
*/
static void an_oscillator_swings(void **state)
{
  double       at[] = {1, 0}, wide[] = {0.6, 0.8}, mean[3][2], second[3][2];
  double       m[2] = {1, 0}, xx = 0.36, xv = 0, vv = 0.64;
  const double h = 1e-5, t = 1;

  (void)state;
  for (int k = 0; k < (int)(t / h + 0.5); k++) {
    const double m0 = m[0], a = xx, b = xv, c = vv;

    m[0] += h * m[1];
    m[1] += h * (-m0 - m[1]);
    xx = a + h * 2 * b;
    xv = b + h * (c - a - b);
    vv = c + h * (-2 * b - 2 * c + 2);
  }
  for (int i = 0; i < 3; i++) evolve(&oscillator, at, wide, 40 << i, t, mean[i], second[i]);
  assert_between((second[0][0] - xx - m[0] * m[0]) / (second[1][0] - xx - m[0] * m[0]), 1.6, 2.6);
  assert_between((second[1][0] - xx - m[0] * m[0]) / (second[2][0] - xx - m[0] * m[0]), 1.7, 2.4);
  assert_near(mean[2][0], m[0], 0.01);
  assert_near(mean[2][1], m[1], 0.01);
  assert_near(2 * second[2][0] - second[1][0], xx + m[0] * m[0], 0.02);
  assert_near(2 * second[2][1] - second[1][1], vv + m[1] * m[1], 0.02);
}

/*
  E X = x0 e^{mu t}, E X^2 = E X0^2 e^{(2 mu + sigma^2) t}: Stratonovich would have mu + sigma^2/2 in the
  mean.
*/
static void geometric_brownian_motion_grows_as_ito_says(void **state)
{
  double at[] = {1.5}, wide[] = {0.1}, mean[2], second[2];

  (void)state;
  for (int i = 0; i < 2; i++) evolve(&growth, at, wide, 2048 << i, 1, &mean[i], &second[i]);
  assert_near(mean[1] + (mean[1] - mean[0]) / 3, 1.5 * exp(0.3), 1e-5);
  assert_near(second[1] + (second[1] - second[0]) / 3, (1.5 * 1.5 + 0.01) * exp(2 * 0.3 + 0.16), 2e-4);
}

/* No force at all; the same as a gradient and as a general system. */
static const fare_parameter free_parameters[] = {FARE_COMMON_PARAMETERS, FARE_PARAMETERS_END};

static void no_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim, (void)theta, (void)x;
  for (size_t i = 0; i < n; i++) V[i] = 0;
}

static void no_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)theta, (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = 0;
  }
}

static void unit_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)theta, (void)x;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) D[axis][i] = 1;
  }
}

static const fare_system_type free_gradient = {
  .name          = "free",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = free_parameters,
  .lower         = {0},
  .upper         = {1},
  .potential     = no_potential,
  .force         = no_force,
};
static const fare_system_type free_general = {
  .name          = "free_general",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = free_parameters,
  .lower         = {0},
  .upper         = {1},
  .drift         = no_force,
  .diffusion     = unit_diffusion,
};

/*
  From a uniform start, with D = 1: survival = sum over odd n of 8/(pi n)^2 e^{-(pi n)^2 t}; one end alone
  absorbs as half of an interval twice as long.
*/
static double survival(double length, double t)
{
  double sum = 0;

  for (int n = 1; n < 200; n += 2) sum += 8 / pow(M_PI * n, 2) * exp(-pow(M_PI * n / length, 2) * t);
  return sum;
}

static void ends_absorb(void **state)
{
  const fare_system_type *types[] = {&free_gradient, &free_general};
  const struct {
    fare_boundary end;
    double        length;
  } cases[] = {
    {FARE_BOUNDARY_ABSORBING, 1}, {FARE_BOUNDARY_ABSORBING_BELOW, 2}, {FARE_BOUNDARY_ABSORBING_ABOVE, 2}};
  const fare_initial initial = {.density = FARE_INITIAL_UNIFORM};

  (void)state;
  for (int k = 0; k < 6; k++) {
    const fare_system_type *type = types[k % 2];
    const fare_boundary     end  = cases[k / 2].end;
    const double            t = 0.15, exact = survival(cases[k / 2].length, t);
    double                  left[2];
    fare_system            *system;

    assert_ok(fare_system_create(type, 1, &system));
    for (int i = 0; i < 2; i++) {
      PetscInt        cells = 100 << i;
      fare_grid      *grid;
      fare_evolution *evolution;
      Vec             masses;

      assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, type->lower, type->upper, &end, &grid));
      assert_ok(fare_grid_initial(grid, &initial, system, 0, &masses));
      assert_ok(fare_evolution_create(grid, system, 0, 1e-9, PETSC_FALSE, masses, &evolution));
      assert_ok(fare_evolution_advance(evolution, t));
      assert_ok(VecSum(evolution->masses, &left[i]));
      assert_ok(fare_evolution_destroy(&evolution));
      assert_ok(fare_grid_destroy(&grid));
    }
    assert_near(left[1], exact, 1e-3);
    assert_near(left[1] + (left[1] - left[0]) / 3, exact, 1e-6);
    assert_ok(fare_system_destroy(&system));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_rotating_trap_rotates),
  cmocka_unit_test(an_oscillator_swings),
  cmocka_unit_test(geometric_brownian_motion_grows_as_ito_says),
  cmocka_unit_test(ends_absorb),
};
FARE_TEST_MAIN(tests)
