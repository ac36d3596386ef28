/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1 timeout=240 */
/*
  Bridges between two densities on a grid: the Gaussian one in closed form (Mallasto, Gerolin and Minh, arXiv
  2006.03416), a dense matrix exponential as a second method, the propagator's adjoint; and couplings of
  particles.
*/
#include "fare_test.h"

#include <fare/bridge.h>
#include "sampler/bridge/bridge_coupling.h"
#include "truth/bridge/propagator.h"

#include <stdlib.h>

static double normal_below(double x)
{
  return 0.5 * erfc(-x / sqrt(2));
}

static void gaussian(const fare_grid *grid, double mean, double sd, double masses[])
{
  double sum = 0;

  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    const double a = (grid->lower[0] + i * grid->spacing[0] - mean) / sd, b = a + grid->spacing[0] / sd;

    sum += masses[i] = a > 0 ? normal_below(-a) - normal_below(-b) : normal_below(b) - normal_below(a);
  }
  for (PetscInt i = 0; i < grid->cells[0]; i++) masses[i] /= sum;
}

static void moments(const fare_grid *grid, const double masses[], double *mean, double *variance)
{
  *mean = *variance = 0;
  for (PetscInt i = 0; i < grid->cells[0]; i++) *mean += masses[i] * fare_grid_centre(grid, 0, i);
  for (PetscInt i = 0; i < grid->cells[0]; i++)
    *variance += masses[i] * pow(fare_grid_centre(grid, 0, i) - *mean, 2);
}

static double distance(PetscInt n, const double p[], const double q[])
{
  double sum = 0;

  for (PetscInt i = 0; i < n; i++) sum += fabs(p[i] - q[i]);
  return sum;
}

/*
  From N(m0, s0^2) to N(m1, s1^2) by a Brownian reference that gains the variance g: covariance of the ends,
  and relative entropy.
*/
static const double m0 = -0.5, s0 = 0.5, m1 = 0.8, s1 = 0.9;

static double covariance(double g)
{
  return 0.5 * (sqrt(4 * s0 * s0 * s1 * s1 + g * g) - g);
}
static double entropy(double g)
{
  const double c = covariance(g), left = s1 * s1 - c * c / (s0 * s0), slope = c / (s0 * s0) - 1;

  return 0.5 * (left / g - 1 - log(left / g) + ((m1 - m0) * (m1 - m0) + slope * slope * s0 * s0) / g);
}

#define CELLS 640

typedef struct {
  fare_grid   *grid;
  fare_system *brownian;
  double       p0[CELLS], p1[CELLS];
} gaussians;

static void gaussians_begin(double D, gaussians *g)
{
  const PetscInt cells[1] = {CELLS};
  const double   lower[1] = {-8}, upper[1] = {8};

  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &g->grid));
  assert_ok(fare_bridge_brownian(1, &D, &g->brownian));
  gaussian(g->grid, m0, s0, g->p0);
  gaussian(g->grid, m1, s1, g->p1);
}

static void gaussians_end(gaussians *g)
{
  assert_ok(fare_system_destroy(&g->brownian));
  assert_ok(fare_grid_destroy(&g->grid));
}

/* The bridge at three times between, with so many steps. */
static const double part[3] = {0.25, 0.5, 0.8};

static void solve(
  const gaussians *g, double T, PetscInt64 steps, double place[3][CELLS], fare_bridge_result *result)
{
  const fare_bridge bridge    = {.grid = g->grid,
       .reference                      = g->brownian,
       .start                          = 1,
       .end                            = 1 + T,
       .p0                             = g->p0,
       .p1                             = g->p1,
       .steps                          = steps,
       .iterations                     = 5000,
       .tolerance                      = 1e-12};
  const double      times[3]  = {1 + part[0] * T, 1 + part[1] * T, 1 + part[2] * T};
  double *const     masses[3] = {place[0], place[1], place[2]};

  assert_ok(fare_bridge_solve(&bridge, 3, times, masses, NULL, result));
  assert_between(result->mismatch, 0, 1e-12);
}

static void gaussian_bridges_have_their_closed_form(void **state)
{
  /* the smaller, the more rounds, and the finer cells and steps that the entropy of going so far takes */
  static const double D[2] = {1, 0.3}, T = 0.5;

  (void)state;
  for (int i = 0; i < 2; i++) {
    const double       gain = 2 * D[i] * T, c = covariance(gain);
    double             place[3][CELLS], worst = 0;
    fare_bridge_result result;
    gaussians          g;

    gaussians_begin(D[i], &g);
    solve(&g, T, i ? 256 : 64, place, &result);
    for (int k = 0; k < 3; k++) {
      const double s = part[k],
                   expected =
                     (1 - s) * (1 - s) * s0 * s0 + s * s * s1 * s1 + 2 * s * (1 - s) * c + gain * s * (1 - s);
      double mean, variance, shape[CELLS];

      moments(g.grid, place[k], &mean, &variance);
      worst = fmax(worst, fmax(fabs(mean - ((1 - s) * m0 + s * m1)), fabs(variance - expected)));
      gaussian(g.grid, (1 - s) * m0 + s * m1, sqrt(expected), shape);
      assert_between(distance(CELLS, place[k], shape), 0, 2e-3);
    }
    print_message("D = %g: moments off by %.2e; entropy %.5f, off by %.2e; %lld rounds\n", D[i], worst,
      entropy(gain), result.entropy - entropy(gain), (long long)result.iterations);
    assert_between(worst, 0, 5e-4);
    assert_near(result.entropy, entropy(gain), 2e-3 * entropy(gain));
    gaussians_end(&g);
  }
}

static void steps_are_of_second_order(void **state)
{
  double             place[3][3][CELLS], change[2];
  fare_bridge_result result;
  gaussians          g;

  (void)state;
  gaussians_begin(1, &g);
  for (int k = 0; k < 3; k++) solve(&g, 0.5, 20 << k, place[k], &result);
  for (int k = 0; k < 2; k++) change[k] = distance(CELLS, place[k][1], place[k + 1][1]);
  print_message("twice the steps change the density by %.2e, then by %.2e\n", change[0], change[1]);
  assert_between(change[0] / change[1], 3.5, 5);
  gaussians_end(&g);
}

/*
  In any dimension, driven, with a force that is no gradient, round circles: y . K x = K^T y . x, to what
  rounding leaves, and K keeps the sum.
*/
static void backward_is_the_adjoint_of_forward(void **state)
{
  static const struct {
    const char *name;
    int         dim;
    PetscInt    cells[3];
    PetscBool   driven;
  } cases[] = {{"quadruple_well", 2, {14, 9, 1}, PETSC_TRUE}, {"rotational_ou", 2, {11, 14, 1}, PETSC_FALSE},
    {"tilted_washboard", 1, {37, 1, 1}, PETSC_FALSE}, {"tilted_washboard", 1, {3, 1, 1}, PETSC_FALSE},
    {"wells_3d", 3, {6, 5, 4}, PETSC_FALSE}};
  enum { MOST = 200 };
  const double time[4] = {0.1, 0.2, 0.35, 0.4};
  fare_random  random  = {.stream = fare_stream_make(6, "adjoint")};

  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const fare_system_type *type = fare_system_type_find(cases[k].name);
    const PetscInt          n    = cases[k].cells[0] * cases[k].cells[1] * cases[k].cells[2];
    fare_system            *system;
    fare_propagator        *K;
    fare_grid              *grid;
    fare_boundary           end[3];
    double                  x[MOST], y[MOST], Kx[MOST], Ky[MOST], one = 0, other = 0, sum[2] = {0};

    assert_true(n <= MOST);
    for (int axis = 0; axis < cases[k].dim; axis++)
      end[axis] = type->periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
    assert_ok(
      fare_grid_create(PETSC_COMM_SELF, cases[k].dim, cases[k].cells, type->lower, type->upper, end, &grid));
    assert_ok(fare_system_create(type, cases[k].dim, &system));
    if (cases[k].driven) assert_ok(fare_system_drive_sine(system, "tilt", 1, 0.5, 0));
    assert_ok(fare_propagator_create(grid, system, 4, time, 12, 1, &K));
    for (int i = 0; i < n; i++) Kx[i] = x[i] = fare_random_uniform(&random);
    for (int i = 0; i < n; i++) Ky[i] = y[i] = fare_random_uniform(&random);
    fare_propagator_forward(K, 0, 1, Kx);
    fare_propagator_forward(K, 1, 3, Kx);
    fare_propagator_backward(K, 0, 3, Ky);
    for (int i = 0; i < n; i++) {
      one += y[i] * Kx[i];
      other += Ky[i] * x[i];
      sum[0] += x[i];
      sum[1] += Kx[i];
    }
    assert_near(one, other, 1e-12 * one);
    assert_near(sum[1], sum[0], 1e-12 * sum[0]);
    assert_ok(fare_propagator_destroy(&K));
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_grid_destroy(&grid));
  }
}

/* Round a circle too a step is the implicit Euler step: (1 - h L) of its result is what it began with. */
static void steps_solve_what_they_should(void **state)
{
  enum { N = 24 };
  const PetscInt   cells[1] = {N};
  const double     time[2]  = {0, 0.05};
  fare_random      random   = {.stream = fare_stream_make(6, "steps")};
  fare_system     *system;
  fare_operator   *op;
  fare_propagator *K;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("tilted_washboard"), 1, &system));
  for (int periodic = 0; periodic < 2; periodic++) {
    const fare_system_type *type   = fare_system_type_of(system);
    const fare_boundary     end[1] = {periodic ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING};
    double                  x[N], y[N];
    const PetscScalar      *flow;
    fare_grid              *grid;
    Vec                     P, LP;

    assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, type->lower, type->upper, end, &grid));
    assert_ok(fare_operator_create(grid, system, &op));
    assert_ok(fare_propagator_create(grid, system, 2, time, 1, 1, &K));
    for (int i = 0; i < N; i++) y[i] = x[i] = fare_random_uniform(&random);
    fare_propagator_forward(K, 0, 1, y);
    VecCreateSeqWithArray(PETSC_COMM_SELF, 1, N, y, &P);
    VecDuplicate(P, &LP);
    assert_ok(fare_operator_apply(op, 0.025, P, LP));
    VecGetArrayRead(LP, &flow);
    for (int i = 0; i < N; i++) assert_near(y[i] - 0.05 * flow[i], x[i], 1e-12);
    VecRestoreArrayRead(LP, &flow);
    VecDestroy(&P);
    VecDestroy(&LP);
    assert_ok(fare_propagator_destroy(&K));
    assert_ok(fare_operator_destroy(&op));
    assert_ok(fare_grid_destroy(&grid));
  }
  assert_ok(fare_system_destroy(&system));
}

/*
  Far from a point mass K is tiny, but positive at every distance: no rounding of larger numbers drowns it.
*/
static void what_is_tiny_stays_positive(void **state)
{
  enum { N = 512 };
  const PetscInt   cells[1] = {N};
  const double     lower[1] = {-4}, upper[1] = {4}, time[2] = {0, 0.01}, D = 1;
  fare_propagator *K;
  fare_system     *brownian;
  fare_grid       *grid;
  double           x[N] = {0}, least = HUGE_VAL;

  (void)state;
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  assert_ok(fare_bridge_brownian(1, &D, &brownian));
  assert_ok(fare_propagator_create(grid, brownian, 2, time, 32, 1, &K));
  x[0] = 1;
  fare_propagator_forward(K, 0, 1, x);
  for (int i = 1; i < N; i++) {
    assert_true(x[i] > 0 && x[i] < x[i - 1]);
    least = x[i];
  }
  assert_true(least < 1e-120);
  assert_ok(fare_propagator_destroy(&K));
  assert_ok(fare_system_destroy(&brownian));
  assert_ok(fare_grid_destroy(&grid));
}

/* A second method, on few cells: exp(t L) as a dense matrix by squaring, then plain fitting. */
#define FEW 40

static void multiply(double A[FEW][FEW], double B[FEW][FEW], double C[FEW][FEW])
{
  for (int i = 0; i < FEW; i++) {
    for (int j = 0; j < FEW; j++) {
      C[i][j] = 0;
      for (int k = 0; k < FEW; k++) C[i][j] += A[i][k] * B[k][j];
    }
  }
}

static void exponential(double L[FEW][FEW], double t, double E[FEW][FEW])
{
  enum { SQUARINGS = 16, TERMS = 8 };
  double A[FEW][FEW], B[FEW][FEW], C[FEW][FEW];

  for (int i = 0; i < FEW; i++) {
    for (int j = 0; j < FEW; j++) {
      A[i][j] = L[i][j] * t / (1 << SQUARINGS);
      E[i][j] = i == j;
    }
  }
  memcpy(B, E, sizeof B);
  for (int term = 1; term <= TERMS; term++) {
    multiply(B, A, C);
    for (int i = 0; i < FEW; i++) {
      for (int j = 0; j < FEW; j++) E[i][j] += B[i][j] = C[i][j] / term;
    }
  }
  for (int k = 0; k < SQUARINGS; k++) {
    multiply(E, E, C);
    memcpy(E, C, sizeof C);
  }
}

static void dense_matrices_give_the_same_bridge(void **state)
{
  static double      L[FEW][FEW], half[FEW][FEW], whole[FEW][FEW];
  const PetscInt     cells[1] = {FEW};
  const double       lower[1] = {-1.6}, upper[1] = {1.6}, T = 0.3, times[1] = {T / 2};
  double             p0[FEW], p1[FEW], a[FEW], b[FEW], middle[FEW], got[FEW], expected = 0;
  double *const      masses[1] = {got};
  fare_system       *system;
  fare_operator     *op;
  fare_grid         *grid;
  Vec                x, y;
  fare_bridge_result result;
  fare_bridge        bridge;

  (void)state;
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 1, &system));
  assert_ok(fare_operator_create(grid, system, &op));
  VecCreateSeq(PETSC_COMM_SELF, FEW, &x);
  VecDuplicate(x, &y);
  for (int j = 0; j < FEW; j++) {
    const PetscScalar *column;

    VecSet(x, 0);
    VecSetValue(x, j, 1, INSERT_VALUES);
    VecAssemblyBegin(x);
    VecAssemblyEnd(x);
    assert_ok(fare_operator_apply(op, 0, x, y));
    VecGetArrayRead(y, &column);
    for (int i = 0; i < FEW; i++) L[i][j] = column[i];
    VecRestoreArrayRead(y, &column);
  }
  VecDestroy(&x);
  VecDestroy(&y);
  exponential(L, T / 2, half);
  exponential(L, T, whole);
  gaussian(grid, -0.4, 0.4, p0); /* not where the dynamics would take it */
  gaussian(grid, 0.5, 0.3, p1);
  for (int i = 0; i < FEW; i++) b[i] = 1;
  for (int round = 0; round < 3000; round++) {
    for (int i = 0; i < FEW; i++) {
      double sum = 0;

      for (int j = 0; j < FEW; j++) sum += whole[j][i] * b[j];
      a[i] = p0[i] / sum;
    }
    for (int j = 0; j < FEW; j++) {
      double sum = 0;

      for (int i = 0; i < FEW; i++) sum += whole[j][i] * a[i];
      b[j] = p1[j] / sum;
    }
  }
  for (int k = 0; k < FEW; k++) {
    double ahead = 0, back = 0;

    for (int i = 0; i < FEW; i++) {
      ahead += half[k][i] * a[i];
      back += half[i][k] * b[i];
      expected += b[i] * whole[i][k] * a[k] * log(b[i] * a[k] / p0[k]);
    }
    middle[k] = ahead * back;
  }
  bridge = (fare_bridge){.grid = grid,
    .reference                 = system,
    .start                     = 0,
    .end                       = T,
    .p0                        = p0,
    .p1                        = p1,
    .steps                     = 512,
    .iterations                = 5000,
    .tolerance                 = 1e-12};
  assert_ok(fare_bridge_solve(&bridge, 1, times, masses, NULL, &result));
  print_message("dense: L1 %.2e, entropy %.6f and %.6f, %lld rounds\n", distance(FEW, got, middle), expected,
    result.entropy, (long long)result.iterations);
  assert_between(result.mismatch, 0, 1e-12);
  assert_between(distance(FEW, got, middle), 0, 1e-5);
  assert_near(result.entropy, expected, 1e-5);
  assert_ok(fare_operator_destroy(&op));
  assert_ok(fare_system_destroy(&system));
  assert_ok(fare_grid_destroy(&grid));
}

/*
  Particles at the quantiles of two Gaussians: the coupling has their bridge's covariance, and its marginals.
*/
static void couplings_of_particles_are_entropic(void **state)
{
  static double  x[FARE_BLOCK], y[FARE_BLOCK], p[FARE_BLOCK], z[FARE_BLOCK];
  const double   spread[3] = {1, 0.3, 0.05}, period[1] = {0};
  fare_coupling *coupling;

  (void)state;
  for (int i = 0; i < FARE_BLOCK; i++) {
    double low = -10, high = 10;

    while (high - low > 1e-12) {
      const double middle = (low + high) / 2;

      if (normal_below(middle) < (i + 0.5) / FARE_BLOCK)
        low = middle;
      else
        high = middle;
    }
    z[i]                      = low;
    p[i]                      = 1. / FARE_BLOCK;
    x[i]                      = m0 + s0 * z[i];
    y[(i * 197) % FARE_BLOCK] = m1 + s1 * z[i]; /* in any order */
  }
  assert_ok(fare_coupling_create(&coupling));
  for (int k = 0; k < 3; k++) {
    const double *from = x, *to = y, c = covariance(spread[k] * spread[k]);
    double        cross = 0, left;

    left = fare_coupling_solve(
      coupling, 1, &spread[k], period, FARE_BLOCK, &from, p, FARE_BLOCK, &to, p, 1e-3, 5000);
    assert_between(left, 0, 1e-3);
    for (int i = 0; i < FARE_BLOCK; i++) {
      for (int j = 0; j < 64; j++)
        cross +=
          (x[i] - m0) * (y[fare_coupling_partner(coupling, i, (j + 0.5) / 64)] - m1) / (64. * FARE_BLOCK);
    }
    print_message("spread %g: covariance %.4f of the bridge's %.4f\n", spread[k], cross, c);
    assert_near(cross, c, 0.02 * s0 * s1);
  }
  fare_coupling_destroy(&coupling);
}

/*
  Ends so far apart that every pair costs hundreds: exp(-cost) is nothing, and all partners would be alike.
  Potentials that are taken into the exponent leave the covariance that two normals of width s have at any
  distance.
*/
static void couplings_reach_over_a_distance(void **state)
{
  static double x[FARE_BLOCK], y[FARE_BLOCK], p[FARE_BLOCK];
  const double  s = 0.3, spread[1] = {0.2}, period[1] = {0}, g = spread[0] * spread[0],
               c = 0.5 * (sqrt(4 * s * s * s * s + g * g) - g), *from = x, *to = y;
  fare_coupling *coupling;
  double         cross = 0;

  (void)state;
  for (int i = 0; i < FARE_BLOCK; i++) {
    double low = -10, high = 10;

    while (high - low > 1e-12) {
      const double middle = (low + high) / 2;

      if (normal_below(middle) < (i + 0.5) / FARE_BLOCK)
        low = middle;
      else
        high = middle;
    }
    p[i]                      = 1. / FARE_BLOCK;
    x[i]                      = s * low;
    y[(i * 197) % FARE_BLOCK] = 6 + s * low;
  }
  assert_ok(fare_coupling_create(&coupling));
  assert_between(
    fare_coupling_solve(coupling, 1, spread, period, FARE_BLOCK, &from, p, FARE_BLOCK, &to, p, 1e-3, 5000), 0,
    1e-3);
  for (int i = 0; i < FARE_BLOCK; i++) {
    for (int j = 0; j < 64; j++)
      cross += x[i] * (y[fare_coupling_partner(coupling, i, (j + 0.5) / 64)] - 6) / (64. * FARE_BLOCK);
  }
  print_message("at a distance: covariance %.4f of the bridge's %.4f\n", cross, c);
  assert_near(cross, c, 0.02 * s * s);
  fare_coupling_destroy(&coupling);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(gaussian_bridges_have_their_closed_form),
  cmocka_unit_test(steps_are_of_second_order),
  cmocka_unit_test(backward_is_the_adjoint_of_forward),
  cmocka_unit_test(steps_solve_what_they_should),
  cmocka_unit_test(what_is_tiny_stays_positive),
  cmocka_unit_test(dense_matrices_give_the_same_bridge),
  cmocka_unit_test(couplings_of_particles_are_entropic),
  cmocka_unit_test(couplings_reach_over_a_distance),
};
FARE_TEST_MAIN(tests)
