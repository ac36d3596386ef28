/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  The action of a density that moves. For a Gaussian in a trap it is a closed form, with the right stiffness,
  a wrong one and none, and its error falls as the square of the cells and of the span; on a circle a constant
  current is free. Its derivatives are those by differences.
*/
#include "fare_test.h"

#include <fare/current_action.h>

#define D    0.7
#define K    1.5
#define TIME 0.3

static double variance(double t)
{
  return D / K + (0.2 - D / K) * exp(-2 * K * t);
}

static void make_line(PetscInt cells, double lower, double upper, PetscBool closed, fare_current_line *line)
{
  const fare_boundary boundary = closed ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
  fare_grid          *grid;

  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, &boundary, &grid));
  assert_ok(fare_current_line_create(grid, line));
  assert_ok(fare_grid_destroy(&grid));
}

/* Rates up and down a face between potentials per D, exponentially fitted (Scharfetter and Gummel). */
static void set_rates(fare_current_line *l, double lower, double h, double stiffness)
{
  for (PetscInt i = 0; i < l->cells; i++) {
    const double x = lower + (i + 0.5) * h;

    for (int side = 0; side < 2; side++) {
      const double face = x + (side ? 0.5 : -0.5) * h, rise = (side ? 1 : -1) * stiffness * face * h / D;

      l->rate[2 * i + side] = D / (h * h) * (fabs(rise) < 1e-9 ? 1 : rise / expm1(rise));
    }
  }
}

/* Of the density of a trap that begins with variance 0.2 and mean -1. */
static double action_of_trap(PetscInt cells, double span, double stiffness)
{
  const double      lower = -4, h = 8. / (double)cells;
  fare_current_line line;
  double           *u, sum;

  make_line(cells, lower, -lower, PETSC_FALSE, &line);
  assert_ok(PetscMalloc1(2 * cells, &u));
  line.span  = span;
  line.still = stiffness == 0 ? PETSC_TRUE : PETSC_FALSE;
  set_rates(&line, lower, h, stiffness);
  for (int side = 0; side < 2; side++) {
    const double t = TIME + (side - 0.5) * span;

    for (PetscInt i = 0; i < cells; i++) /* the constant is any */
      u[side * cells + i] =
        3. * side - 0.5 * PetscSqr(lower + ((double)i + 0.5) * h + exp(-K * t)) / variance(t);
  }
  sum = fare_current_action(&line, u, NULL);
  assert_ok(PetscFree(u));
  assert_ok(fare_current_line_destroy(&line));
  return sum;
}

static void a_trap_has_a_closed_form(void **state)
{
  const double mean = -exp(-K * TIME), v = variance(TIME), slope = D - K * v; /* of the variance, by 2 */
  /* v(x) = d mean/dt + (x - mean) d ln sd/dt, beside 0 and -k' x */
  const double still = (PetscSqr(K * mean) + slope * slope / v) / (4 * D),
               wrong = PetscSqr(2 - K) * (v + mean * mean) / (4 * D);

  (void)state;
  assert_near(action_of_trap(400, 0.01, K), 0, 1e-4);
  assert_near(action_of_trap(400, 0.01, 2), wrong, 0.003 * wrong);
  assert_near(action_of_trap(400, 0.01, 0), still, 0.003 * still);
}

/* What cells and span leave of the right dynamics falls as the fourth power, a square of a square. */
static void the_floor_falls(void **state)
{
  (void)state;
  assert_between(action_of_trap(40, 0.08, K) / action_of_trap(80, 0.04, K), 12, 22);
}

/* A bump that goes round, with the constant of its current that costs least; one at rest costs nothing. */
static void a_constant_on_a_circle_is_free(void **state)
{
  const PetscInt    n = 200;
  const double      h = 2 * PETSC_PI / (double)n, speed = 0.8, span = 0.01;
  fare_current_line line;
  double            u[400], around = 0, sum;

  (void)state;
  make_line(n, 0, 2 * PETSC_PI, PETSC_TRUE, &line);
  line.span  = span;
  line.still = PETSC_TRUE;
  for (PetscInt i = 0; i < n; i++) line.rate[2 * i] = line.rate[2 * i + 1] = D / (h * h);
  for (int side = 0; side < 2; side++)
    for (PetscInt i = 0; i < n; i++)
      u[side * n + i] = log(1 + 0.5 * cos(((double)i + 0.5) * h - speed * span * (side - 0.5)));
  sum = fare_current_action(&line, u, NULL);
  /* J = speed p - c, int J/p = 0: I = (speed^2 - (2 pi speed)^2/int 1/p)/(4 D) */
  for (PetscInt i = 0; i < n; i++) around += h * 2 * PETSC_PI / (1 + 0.5 * cos((double)i * h));
  assert_near(sum, speed * speed * (1 - PetscSqr(2 * PETSC_PI) / around) / (4 * D), 2e-3 * sum);
  for (PetscInt i = 0; i < n; i++) u[n + i] = u[i];
  assert_near(fare_current_action(&line, u, NULL), 0, 1e-15);
  assert_ok(fare_current_line_destroy(&line));
}

static void slopes_are_differences(void **state)
{
  enum { N = 9 };
  double            u[2 * N], slope[2 * N];
  fare_current_line line;

  (void)state;
  for (int closed = 0; closed < 2; closed++)
    for (int still = 0; still < 2; still++) {
      make_line(N, 0, 1, closed ? PETSC_TRUE : PETSC_FALSE, &line);
      line.span  = 0.3;
      line.still = still ? PETSC_TRUE : PETSC_FALSE;
      for (int i = 0; i < 2 * N; i++) {
        u[i]         = sin(3. * i) - 0.1 * i;
        line.rate[i] = 1 + 0.5 * cos(2. * i);
      }
      (void)fare_current_action(&line, u, slope);
      for (int i = 0; i < 2 * N; i++) {
        const double step = 1e-5, here = u[i];
        double       up;

        u[i] = here + step;
        up   = fare_current_action(&line, u, NULL);
        u[i] = here - step;
        assert_near(
          (up - fare_current_action(&line, u, NULL)) / (2 * step), slope[i], 1e-7 * (1 + fabs(slope[i])));
        u[i] = here;
      }
      assert_ok(fare_current_line_destroy(&line));
    }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_trap_has_a_closed_form),
  cmocka_unit_test(the_floor_falls),
  cmocka_unit_test(a_constant_on_a_circle_is_free),
  cmocka_unit_test(slopes_are_differences),
};

FARE_TEST_MAIN(tests)
