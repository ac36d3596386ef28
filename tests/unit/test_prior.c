/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Priors. The residual of a score is zero for Gaussians that solve their equation, in physical time and in
  that of noise, and its derivatives are those by differences. Densities between data and dynamics are where a
  plain sum says that nothing is to be gained, and have the limits of histograms and of a likelihood of one
  unknown.
*/
#include "fare_test.h"

#include "sampler/prior/score_residual.h"
#include "sampler/prior/weak_constraint.h"

/* Variance of a trap that begins with 0.2, and its mean that begins at -1. */
static double variance(double k, double D, double t)
{
  return D / k + (0.2 - D / k) * exp(-2 * k * t);
}

/* Scores of that at y with noise of level sigma, and the residual by a stiffness that may be another. */
static double residual_of_trap(double k, double assumed, double t, double sigma, double y)
{
  const double     D = 0.7, h = 0.05, delta = 1e-3;
  fare_score_place p = {.h = h, .span = 2 * delta, .D = D};
  double           s[FARE_SCORE_POINTS], slope[FARE_SCORE_POINTS];

  for (int i = 0; i < FARE_SCORE_POINTS; i++) {
    const double at = i < 3 ? y + (i - 1) * h : y, when = i < 3 ? t : t + (i == 4 ? delta : -delta);

    s[i] = -(at + exp(-k * when)) / (variance(k, D, when) + sigma * sigma);
    if (i < 3) {
      p.drift[i] = -assumed * at;
      p.pull[i]  = -assumed * sigma * sigma;
    }
  }
  return fare_score_residual(&p, s, slope);
}

static void a_trap_has_no_residual(void **state)
{
  (void)state;
  for (double sigma = 0; sigma < 1; sigma += 0.3) {
    for (double y = -2; y <= 2; y += 0.5) assert_near(residual_of_trap(1.5, 1.5, 0.3, sigma, y), 0, 2e-4);
    assert_true(fabs(residual_of_trap(1.5, 2.0, 0.3, sigma, 1)) > 0.1);
  }
}

static void noise_has_no_residual(void **state)
{
  const double sigma = 0.4, ratio = 1.01, h = 0.05, y = 0.7, v = 0.3;

  (void)state;
  {
    const double     at[FARE_SCORE_POINTS]    = {y - h, y, y + h, y, y};
    const double     level[FARE_SCORE_POINTS] = {sigma, sigma, sigma, sigma / ratio, sigma * ratio};
    fare_score_place p = {.h = h, .span = 0.5 * sigma * sigma * (ratio * ratio - 1 / ratio / ratio), .D = 1};
    double           s[FARE_SCORE_POINTS], slope[FARE_SCORE_POINTS];

    for (int i = 0; i < FARE_SCORE_POINTS; i++) s[i] = -at[i] / (v + level[i] * level[i]);
    assert_near(fare_score_residual(&p, s, slope), 0, 2e-4 * fabs(s[1]) / (sigma * sigma));
  }
}

static void slopes_are_differences(void **state)
{
  const fare_score_place p                    = {0.1, 0.3, 0.7, {1.1, -0.4, 0.3}, {0.05, -0.2, 0.1}};
  double                 s[FARE_SCORE_POINTS] = {0.3, -1.2, 0.8, 0.1, 0.9}, slope[FARE_SCORE_POINTS],
         unused[FARE_SCORE_POINTS];

  (void)state;
  (void)fare_score_residual(&p, s, slope);
  for (int i = 0; i < FARE_SCORE_POINTS; i++) {
    const double step = 1e-5, here = s[i];
    double       up;

    s[i] = here + step;
    up   = fare_score_residual(&p, s, unused);
    s[i] = here - step;
    assert_near(
      (up - fare_score_residual(&p, s, unused)) / (2 * step), slope[i], 1e-6 * (1 + fabs(slope[i])));
    s[i] = here;
  }
}

#define CELLS 12
#define TIMES 4

/* Counts that jump about, nothing at the third time, and a little everywhere else. */
static void make_counts(double count[])
{
  for (int k = 0; k < TIMES; k++)
    for (int i = 0; i < CELLS; i++) count[k * CELLS + i] = k == 2 ? 0 : 0.01 + (7 * i + 3 * k) % 5 * (i > 2);
}

static void make_trap(int times, const double time[], PetscInt cells, fare_grid **grid, double ***K)
{
  const double        lower = -4, upper = 4;
  const fare_boundary boundary = FARE_BOUNDARY_REFLECTING;
  fare_system        *trap     = NULL;

  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &trap));
  assert_ok(fare_system_set(trap, "stiffness", 0.8));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, &boundary, grid));
  assert_ok(fare_weak_propagators(*grid, trap, times, time, K));
  assert_ok(fare_system_destroy(&trap));
}

static void propagators_relax_a_trap(void **state)
{
  static const double time[] = {0, 0.4, 1, 0};
  const PetscInt      n      = 100;
  fare_grid          *grid;
  double            **K, sum = 0, mean = 0, x;

  (void)state;
  make_trap(3, time, n, &grid, &K);
  for (PetscInt to = 0; to < n; to++) {
    double both = 0;

    for (PetscInt by = 0; by < n; by++) both += K[0][70 * n + by] * K[1][by * n + to];
    fare_cell_centre(grid, to, &x);
    sum += both;
    mean += both * x;
  }
  fare_cell_centre(grid, 70, &x);
  assert_near(sum, 1, 1e-12);
  assert_near(mean, x * exp(-0.8), 2e-3);
  assert_ok(fare_weak_propagators_destroy(3, &K));
  assert_ok(fare_grid_destroy(&grid));
}

/* What is minimised, as it is written. */
static double plain_sum(const double count[], double *const K[], double lambda, const double q[])
{
  double sum = 0;

  for (int i = 0; i < TIMES * CELLS; i++) sum -= count[i] * log(q[i]);
  for (int k = 0; k + 1 < TIMES; k++)
    for (int to = 0; to < CELLS; to++) {
      const double here = q[(k + 1) * CELLS + to];
      double       flow = 0;

      for (int from = 0; from < CELLS; from++) flow += K[k][from * CELLS + to] * q[k * CELLS + from];
      sum += lambda * here * log(here / flow);
    }
  return sum;
}

/* Slopes of that from the mass of each cell to the largest of its time: none is downhill, or flat on both. */
static void nothing_is_to_be_gained(void **state)
{
  static const double time[TIMES] = {0, 0.3, 0.5, 1}, lambda[] = {0.3, 30, 3000};
  double              count[TIMES * CELLS], q[TIMES * CELLS], **K;
  fare_grid          *grid;

  (void)state;
  make_counts(count);
  make_trap(TIMES, time, CELLS, &grid, &K);
  for (int l = 0; l < 3; l++) {
    const fare_weak_problem problem = {TIMES, CELLS, count, K};
    fare_weak_fit           fit;

    for (int i = 0; i < TIMES * CELLS; i++) q[i] = 1. / CELLS;
    assert_ok(fare_weak_solve(&problem, lambda[l], 1e-9, q, &fit));
    assert_between(fit.gap, -1e-9, 1e-6);
    assert_near(fit.value, plain_sum(count, K, lambda[l], q), 1e-9 * fabs(fit.value));
    for (int i = 0; i < TIMES * CELLS; i++) {
      const double here = q[i], step = 1e-4 * here;
      int          most = i / CELLS * CELLS;
      double       large, change;

      for (int j = most; j < (i / CELLS + 1) * CELLS; j++) most = q[j] > q[most] ? j : most;
      if (most == i) continue;
      large   = q[most];
      q[i]    = here + step;
      q[most] = large - step;
      change  = plain_sum(count, K, lambda[l], q);
      q[i]    = here - step;
      q[most] = large + step;
      change -= plain_sum(count, K, lambda[l], q);
      q[i]    = here;
      q[most] = large;
      assert_near(change / 2, 0, 1e-6 * (count[i] + lambda[l] * here) + 1e-8);
    }
  }
  assert_ok(fare_weak_propagators_destroy(TIMES, &K));
  assert_ok(fare_grid_destroy(&grid));
}

/* Two cells, two times: with strong dynamics one unknown is left, found by bisection of its own likelihood.
 */
static void limits_are_known(void **state)
{
  double                  chain[4] = {0.8, 0.2, 0.3, 0.7}, *K[1] = {chain};
  const double            count[4] = {3, 9, 6, 4};
  const fare_weak_problem problem  = {2, 2, count, K};
  double                  q[4] = {0.5, 0.5, 0.5, 0.5}, low = 0, high = 1;
  fare_weak_fit           fit;

  (void)state;
  assert_ok(fare_weak_solve(&problem, 1e-7, 1e-10, q, &fit));
  assert_near(q[0], 3. / 12, 1e-6);
  assert_near(q[2], 6. / 10, 1e-6);
  assert_ok(fare_weak_solve(&problem, 1e7, 1e-10, q, &fit));
  while (high - low > 1e-12) {
    const double p = 0.5 * (low + high), a = 0.3 + 0.5 * p; /* the first cell then and later */

    if (3 / p - 9 / (1 - p) + 0.5 * (6 / a - 4 / (1 - a)) > 0)
      low = p;
    else
      high = p;
  }
  assert_near(q[0], low, 1e-5);
  assert_near(q[2], 0.3 + 0.5 * low, 1e-5);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_trap_has_no_residual),
  cmocka_unit_test(noise_has_no_residual),
  cmocka_unit_test(slopes_are_differences),
  cmocka_unit_test(propagators_relax_a_trap),
  cmocka_unit_test(nothing_is_to_be_gained),
  cmocka_unit_test(limits_are_known),
};

FARE_TEST_MAIN(tests)
