/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/* Estimators against hand-made distributions and closed forms. */
#include "measures.h"

#include <float.h>

static void small_distributions_by_hand(void **state)
{
  const double  p[] = {0.5, 0.5}, q[] = {0.25, 0.75};
  bins          b = make_line(2, 0, 2);
  fare_measured r[MEASURES];

  (void)state;
  compare_densities(&b, p, q, r);
  assert_near(r[KL].value, 0.5 * log(4. / 3), 1e-15);
  assert_near(r[REVERSE_KL].value, 0.25 * log(0.5) + 0.75 * log(1.5), 1e-15);
  assert_near(r[JENSEN_SHANNON].value,
    0.25 * log(4. / 3) + 0.25 * log(0.8) + 0.125 * log(2. / 3) + 0.375 * log(1.2), 1e-15);
  assert_near(r[TOTAL_VARIATION].value, 0.25, 1e-15);
  assert_near(r[WASSERSTEIN_1].value, 0.25, 1e-15);
  assert_near(r[WASSERSTEIN_2].value, sqrt(1. / 12), 1e-15);
  assert_near(r[HELLINGER].value, 1 - sqrt(0.125) - sqrt(0.375), 1e-15);
  assert_near(r[CHI_SQUARED].value, 0.25, 1e-15);
  assert_near(r[ENERGY].value, 1. / 12, 1e-15);
  assert_near(r[SLICED].value, 0.25, 1e-15);
  assert_near(r[TAIL].value, 0, 1e-13); /* two bins alike: one part in a hundred of both */
  assert_true(r[WELLS].value == 0);
  for (int m = 0; m < MEASURES; m++) {
    assert_true(r[m].floor_mean == 0 && r[m].floor_high == 0 && r[m].p_value == 1 && r[m].truth_error == 0);
    assert_true(r[m].excess == r[m].value);
  }
  unmake(&b);
}

/* Crossing cumulative functions: (0.4, 0.2, 0.4) and (0.2, 0.6, 0.2); F - G goes 0, 0.2, -0.2, 0. */
static void crossing_cumulative_functions(void **state)
{
  const double  p[] = {0.4, 0.2, 0.4}, q[] = {0.2, 0.6, 0.2};
  bins          b = make_line(3, -3, 3);
  fare_measured r[MEASURES];

  (void)state;
  compare_densities(&b, p, q, r);
  assert_near(r[WASSERSTEIN_1].value, 2 * (0.1 + 0.1 + 2 * 0.5 * 0.5 * 0.2), 1e-14);
  /*
    By halves, with u from the middle: F^-1 = 10u to u = 0.1, then 1 + 5(u - 0.1); G^-1 = (10/3) u to u = 0.3,
    then 1 + 10(u - 0.3). The difference is (20/3) u, then 2/3 + (5/3)(u - 0.1), then 1 - 5(u - 0.3).
  */
  assert_near(r[WASSERSTEIN_2].value,
    sqrt(2 * (400. / 27 * 1e-3 + 0.2 * (4. / 9 + 2. / 3 + 1) / 3 + 0.2 * (1. / 3))), 1e-14);
  unmake(&b);
}

#define CELLS 4096

/* E|N(m, s^2)| */
static double folded(double m, double s)
{
  return s * sqrt(2 / M_PI) * exp(-m * m / (2 * s * s)) + m * erf(m / (s * M_SQRT2));
}

static void gaussians_in_closed_form(void **state)
{
  const struct {
    double mean, sd;
  } cases[] = {{0.4, 1}, {0, 1.3}, {-0.7, 0.8}};
  bins b    = make_line(CELLS, -14, 14);
  /* errors of the bins are of second order with constants below 1 */
  const double  h2 = pow(b.grid->spacing[0], 2);
  static double p[CELLS], q[CELLS];

  (void)state;
  fill_gaussian(&b, 0, 1, p);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const double  m = cases[i].mean, s = cases[i].sd;
    double        js = 0;
    fare_measured r[MEASURES];

    fill_gaussian(&b, m, s, q);
    compare_densities(&b, p, q, r);
    assert_near(r[KL].value, log(s) + (1 + m * m) / (2 * s * s) - 0.5, h2);
    assert_near(r[REVERSE_KL].value, -log(s) + (s * s + m * m) / 2 - 0.5, h2);
    assert_near(r[WASSERSTEIN_2].value, hypot(m, s - 1), h2);
    assert_near(r[HELLINGER].value, 1 - sqrt(2 * s / (1 + s * s)) * exp(-m * m / (4 * (1 + s * s))), h2);
    assert_near(r[CHI_SQUARED].value, exp(m * m / (2 - s * s)) / (s * sqrt(2 - s * s)) - 1, h2);
    assert_near(r[ENERGY].value, 2 * folded(m, sqrt(1 + s * s)) - 2 * (1 + s) / sqrt(M_PI), h2);
    assert_near(r[SLICED].value, r[WASSERSTEIN_1].value, 0);
    assert_near(
      r[TAIL].value, fabs(100 * (1 - gaussian(m, s, -2.5758293035489004, 2.5758293035489004)) - 1), 100 * h2);
    assert_near(r[WELLS].value, 0, 1e-14);
    if (s == 1) assert_near(r[TOTAL_VARIATION].value, erf(fabs(m) / (2 * M_SQRT2)), h2);
    /* the mean of |m + (s - 1) z|, for quantile functions of Gaussians are linear in each other */
    if (s != 1)
      assert_near(r[WASSERSTEIN_1].value,
        fabs(s - 1) * sqrt(2 / M_PI) * exp(-m * m / (2 * (s - 1) * (s - 1))) +
          m * erf(m / (fabs(s - 1) * M_SQRT2)),
        h2);
    else
      assert_near(r[WASSERSTEIN_1].value, fabs(m), h2);
    /* the trapezium rule on the two densities, exponentially accurate on the whole line */
    for (double x = -20; x <= 20; x += 0.01) {
      const double f = exp(-x * x / 2) / sqrt(2 * M_PI),
                   g = exp(-pow((x - m) / s, 2) / 2) / (s * sqrt(2 * M_PI));

      js += 0.005 * (f * log(2 * f / (f + g)) + g * log(2 * g / (f + g)));
    }
    assert_near(r[JENSEN_SHANNON].value, js, h2);
  }
  unmake(&b);
}

/* Divergences of products add up; cells are blocked together beyond the caps. */
static void products_in_two_and_three_dimensions(void **state)
{
  const PetscInt cells[] = {130, 70, 66};
  const double   mean[] = {0.5, 0, -0.3}, sd[] = {1, 1.2, 0.9};

  (void)state;
  for (int dim = 2; dim <= 3; dim++) {
    bins          b   = make(dim, cells, -7, 7);
    const size_t  all = (size_t)(b.grid->cells[0] * b.grid->cells[1] * b.grid->cells[2]);
    double       *p = malloc(all * sizeof *p), *q = malloc(all * sizeof *q), kl = 0, reverse = 0;
    double        width = 0;
    fare_measured r[MEASURES];

    assert_true(p && q);
    for (size_t i = 0; i < all; i++) p[i] = q[i] = 1;
    for (int axis = 0; axis < dim; axis++) {
      for (size_t i = 0; i < all; i++) {
        const size_t at[] = {i % 130, i / 130 % 70, i / 130 / 70};
        const double x    = -7 + (double)at[axis] * b.grid->spacing[axis];

        p[i] *= gaussian(0, 1, x, x + b.grid->spacing[axis]);
        q[i] *= gaussian(mean[axis], sd[axis], x, x + b.grid->spacing[axis]);
      }
      kl += log(sd[axis]) + (1 + pow(mean[axis], 2)) / (2 * pow(sd[axis], 2)) - 0.5;
      reverse += -log(sd[axis]) + (pow(sd[axis], 2) + pow(mean[axis], 2)) / 2 - 0.5;
      width = PetscMax(width, (double)b.binning->cells[axis] * b.grid->spacing[axis]);
    }
    compare_densities(&b, p, q, r);
    assert_near(r[KL].value, kl, 0.1 * width * width);
    assert_near(r[REVERSE_KL].value, reverse, 0.1 * width * width);
    assert_true(b.binning->bins <= 262144 && (dim == 2 || b.binning->fine[0] == 44));
    free(p);
    free(q);
    unmake(&b);
  }
}

/* Symmetry, bounds, Pinsker's inequality, W1 <= W2, and zero for equals alone. */
static void identities_hold(void **state)
{
  enum { N = 50 };
  bins        b      = make_line(N, 0, 1);
  fare_random random = {.stream = fare_stream_make(1, "identities")};

  (void)state;
  for (int repeat = 0; repeat < 50; repeat++) {
    double        p[N], q[N];
    fare_measured to[MEASURES], from[MEASURES], same[MEASURES];

    for (int i = 0; i < N; i++) {
      p[i] = pow(fare_random_uniform(&random), 4);
      q[i] = repeat % 2 ? pow(fare_random_uniform(&random), 4)
                        : p[i] * (1 + 1e-4 * (fare_random_uniform(&random) - 0.5));
    }
    compare_densities(&b, p, q, to);
    compare_densities(&b, q, p, from);
    compare_densities(&b, p, p, same);
    for (int m = 0; m < MEASURES; m++) {
      assert_near(same[m].value, 0, 0);
      if (m != TAIL && m != WELLS) assert_true(to[m].value > 0);
    }
    assert_near(to[HELLINGER].value, from[HELLINGER].value, 1e-14);
    assert_near(to[ENERGY].value, from[ENERGY].value, 1e-14);
    assert_between(to[HELLINGER].value, pow(to[TOTAL_VARIATION].value, 2) / 2, to[TOTAL_VARIATION].value);
    assert_between(to[REVERSE_KL].value, 0, log1p(to[CHI_SQUARED].value));
    assert_between(to[ENERGY].value, 0, 2 * to[WASSERSTEIN_1].value);
    assert_between(to[WELLS].value, 0, to[TOTAL_VARIATION].value * (1 + 1e-12));
    assert_between(to[TAIL].value, 0, to[TOTAL_VARIATION].value / FARE_TAIL);
    assert_near(to[KL].value, from[REVERSE_KL].value, 1e-14);
    assert_near(to[JENSEN_SHANNON].value, from[JENSEN_SHANNON].value, 1e-14);
    assert_near(to[TOTAL_VARIATION].value, from[TOTAL_VARIATION].value, 1e-14);
    assert_near(to[WASSERSTEIN_1].value, from[WASSERSTEIN_1].value, 1e-14);
    assert_near(to[WASSERSTEIN_2].value, from[WASSERSTEIN_2].value, 1e-14);
    assert_between(
      to[JENSEN_SHANNON].value, 0.5 * pow(to[TOTAL_VARIATION].value, 2), M_LN2 * to[TOTAL_VARIATION].value);
    assert_between(to[TOTAL_VARIATION].value, 0, PetscMin(1, sqrt(to[KL].value / 2)));
    assert_between(to[WASSERSTEIN_1].value, 0, to[WASSERSTEIN_2].value);
    assert_between(to[WASSERSTEIN_2].value, 0, sqrt(to[WASSERSTEIN_1].value)); /* on an axis of length 1 */
  }
  unmake(&b);
}

static void no_mass_where_the_other_has_all(void **state)
{
  const double  p[] = {1, 0, 0, 0}, q[] = {0, 0, 0, 1}, tiny[] = {1, 1e-320, 0, 1e-300};
  bins          b = make_line(4, 0, 4);
  fare_measured r[MEASURES];

  (void)state;
  compare_densities(&b, p, q, r);
  assert_near(r[JENSEN_SHANNON].value, M_LN2, 1e-15);
  assert_near(r[TOTAL_VARIATION].value, 1, 1e-15);
  assert_near(r[WASSERSTEIN_1].value, 3, 1e-15);
  assert_near(r[WASSERSTEIN_2].value, 3, 1e-15);
  assert_near(r[HELLINGER].value, 1, 1e-15);
  assert_near(r[ENERGY].value, 2 * (2 + 2. / 3), 1e-14);
  assert_near(r[CHI_SQUARED].value * 1e-24, 1, 1e-12); /* the truth is given 1e-24 of its mass there */
  assert_near(r[TAIL].value, 99, 1e-12);
  assert_near(r[KL].value, -log(DBL_MIN), 1e-12);
  assert_near(r[REVERSE_KL].value, log(1e24), 1e-12);
  compare_densities(&b, tiny, p, r);
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].value, 0, 1e-15);
  compare_densities(&b, p, tiny, r);
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].value, 0, 1e-15);
  compare_densities(&b, q, tiny, r);
  assert_near(r[KL].value, -log(1e-300), 1e-10);
  unmake(&b);
}

/* One density with another, of which the first has an error. */
static void compare_with_error(const bins *b, const double p_mass[], const double corrected_mass[],
  const double q_mass[], fare_measured r[MEASURES])
{
  const fare_measure_type *types[MEASURES];
  fare_binned p = density(b, p_mass), corrected = density(b, corrected_mass), q = density(b, q_mass);

  for (int m = 0; m < MEASURES; m++) types[m] = fare_measure_type_find(names[m]);
  assert_ok(fare_measure_compare(
    PETSC_COMM_SELF, b->binning, &p, &corrected, &q, MEASURES, types, 0, fare_stream_make(1, "floor"), r));
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&corrected));
  assert_ok(fare_binned_free(&q));
}

/*
  N(1,1) against N(0,1), whose tails are cut off where a solver has round-off for mass: chi squared is e - 1,
  D(N(1,1)||N(0,1)) a half, and no cut changes either.
*/
static void a_truth_that_is_cut_off_costs_nothing(void **state)
{
  enum { CUT = 480 };
  bins          b = make_line(CUT, -12, 12);
  double        p[CUT], cut[CUT], q[CUT], chi_squared = 0;
  fare_measured r[MEASURES], same[MEASURES];

  (void)state;
  fill_gaussian(&b, 0, 1, p);
  fill_gaussian(&b, 1, 1, q);
  for (int i = 0; i < CUT; i++) {
    cut[i] = p[i] > 1e-16 ? p[i] : 0;
    chi_squared += (p[i] - q[i]) / p[i] * (p[i] - q[i]);
  }
  compare_with_error(&b, cut, p, q, r);
  assert_near(chi_squared, M_E - 1, 1e-3); /* so much is lost in bins of width 0.05 */
  assert_near(r[CHI_SQUARED].value, chi_squared, 1e-8);
  assert_near(r[REVERSE_KL].value, 0.5, 2e-4);
  for (int m = 0; m < MEASURES; m++) assert_between(r[m].truth_error, 0, 1e-8);
  compare_with_error(&b, cut, p, cut, same);
  for (int m = 0; m < MEASURES; m++) assert_near(same[m].value, 0, 1e-14);
  unmake(&b);
}

/*
  Two bins are known, to a millionth. Of the other three one has no mass, one less than its error, and one has
  none once its error is added: they are one pool.
*/
static void masses_that_are_not_known_make_one_pool(void **state)
{
  const double e = 1e-6, p[] = {0.6 - 3 * e, 0.4, 0, e, 2 * e},
               corrected[] = {0.6 - 2 * e, 0.4 - 4 * e, 2 * e, 4 * e, 0}, q[] = {0.5, 0.3, 0.05, 0.05, 0.1};
  const double  least = 6 * e; /* twice the largest error of a thin bin */
  bins          b     = make_line(5, 0, 5);
  double        chi_squared[2], reverse_kl[2];
  fare_measured r[MEASURES];

  (void)state;
  for (int with = 0; with < 2; with++) {
    const double *of = with ? corrected : p, thin = of[2] + of[3] + of[4], given = 1 + least - thin;

    assert_true(thin <= least * (1 + 1e-12));
    chi_squared[with] =
      given * (pow(of[0] - q[0], 2) / of[0] + pow(of[1] - q[1], 2) / of[1] + pow(thin - 0.2, 2) / least);
    reverse_kl[with] =
      q[0] * log(q[0] / of[0]) + q[1] * log(q[1] / of[1]) + 0.2 * log(0.2 / least) + log(given);
  }
  compare_with_error(&b, p, corrected, q, r);
  assert_near(r[CHI_SQUARED].value, chi_squared[0], 1e-9 * chi_squared[0]);
  assert_near(r[REVERSE_KL].value, reverse_kl[0], 1e-12);
  assert_near(r[CHI_SQUARED].truth_error, fabs(chi_squared[1] - chi_squared[0]), 1e-9 * chi_squared[0]);
  assert_near(r[REVERSE_KL].truth_error, fabs(reverse_kl[1] - reverse_kl[0]), 1e-12);
  assert_near(r[TOTAL_VARIATION].value, 0.2 - 3 * e, 1e-15);
  unmake(&b);
}

/*
  An error as large as the mass itself does not hide a difference: no more than 1% of the truth is pooled for
  it.
*/
static void a_large_error_hides_nothing(void **state)
{
  const double  p[] = {0.5, 0.5}, corrected[] = {0.9, 0.1}, q[] = {0.3, 0.7};
  bins          b = make_line(2, 0, 2);
  fare_measured r[MEASURES];

  (void)state;
  compare_with_error(&b, p, corrected, q, r);
  assert_near(r[CHI_SQUARED].value, 0.16, 1e-14);
  assert_near(r[CHI_SQUARED].truth_error, 4 - 0.16, 1e-13);
  unmake(&b);
}

/* 100 samples, half of them in a bin that the truth's error empties: that bin is given half a count. */
static void a_pool_that_an_error_empties_has_half_a_count(void **state)
{
  const double half[] = {0.5, 0.5}, left[] = {1, 0}, counts[] = {50, 50};
  bins         b = make_line(2, 0, 2);
  fare_binned  p = density(&b, half), corrected = density(&b, left), q = samples(&b, counts, 0, 0);
  const fare_measure_type *type = fare_measure_type_find("chi_squared");
  fare_measured            r;

  (void)state;
  assert_ok(fare_measure_compare(
    PETSC_COMM_SELF, b.binning, &p, &corrected, &q, 1, &type, 0, fare_stream_make(1, "floor"), &r));
  assert_near(r.value, 0, 1e-15);
  assert_near(r.truth_error, 0.25 / (100 / 100.5) + 0.25 / (0.5 / 100.5), 1e-11);
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&corrected));
  assert_ok(fare_binned_free(&q));
  unmake(&b);
}

/* 100 samples in two bins of truth 1/2 each and an outside, K = 3: all in one bin, then some outside. */
static void empty_bins_and_the_outside_follow_the_rule(void **state)
{
  const double  half[] = {0.5, 0.5}, left[] = {100, 0}, most[] = {45, 45};
  bins          b = make_line(2, 0, 2);
  fare_binned   p = density(&b, half), q = samples(&b, left, 0, 0);
  fare_measured r[MEASURES], more[MEASURES];

  (void)state;
  compare(&b, &p, &q, 200, 1, r);
  assert_near(r[KL].value, 0.5 * log(0.5 * 101.5 / 100.5) + 0.5 * log(0.5 * 101.5 / 0.5), 1e-14);
  assert_near(r[REVERSE_KL].value, log(100.5 / 50), 1e-14);
  assert_near(r[JENSEN_SHANNON].value, 0.5 * (0.5 * log(2. / 3) + 0.5 * log(2) + log(4. / 3)), 1e-14);
  assert_near(r[TOTAL_VARIATION].value, 0.5, 1e-14);
  assert_near(r[HELLINGER].value, 1 - sqrt(0.5), 1e-14);
  assert_near(r[CHI_SQUARED].value, 2 * 0.25 / (50 / 100.5), 1e-14);
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].p_value, m == TAIL || m == WELLS ? 1 : 1. / 201, 1e-15);
  assert_ok(fare_binned_free(&q));
  for (int side = 0; side < 2; side++) {
    q = samples(&b, most, side ? 0 : 10, side ? 10 : 0);
    compare(&b, &p, &q, 5000, 1, r);
    assert_near(r[KL].value, log(0.5 * 101.5 / 45.5), 1e-14);
    assert_near(r[REVERSE_KL].value, 0.9 * log(0.45 * 100.5 / 50) + 0.1 * log(0.1 * 100.5 / 0.5), 1e-14);
    assert_near(r[JENSEN_SHANNON].value, 0.5 * (log(1 / 0.95) + 0.9 * log(0.9 / 0.95) + 0.1 * log(2)), 1e-14);
    assert_near(r[TOTAL_VARIATION].value, 0.1, 1e-14);
    assert_near(r[HELLINGER].value, 0.5 * (2 * pow(sqrt(0.5) - sqrt(0.45), 2) + 0.1), 1e-14);
    assert_near(r[CHI_SQUARED].value, 2 * 0.0025 / (50 / 100.5) + 0.01 / (0.5 / 100.5), 1e-14);
    assert_near(r[TAIL].value, 9.9, 1e-12);
    assert_near(r[WELLS].value, 0.1, 1e-14);
    assert_near(r[WASSERSTEIN_1].value, 0.1, 1e-14); /* a tenth, from an end to a mean distance 1 */
    assert_near(r[WASSERSTEIN_2].value, sqrt(1. / 75), 1e-14);
    for (int m = 0; m < TOTAL_VARIATION; m++) assert_between(r[m].p_value, 1. / 5001, 0.002);
    /*
      exact draws reach this one when a bin has 60 or more, with probability 0.0569; beyond 60, with 0.0354:
      ties must count
    */
    assert_near(r[TOTAL_VARIATION].p_value, 0.0569, 5 * sqrt(0.0569 / 5000));
    assert_ok(fare_binned_free(&q));
    q = samples(&b, most, side ? 0 : 90, side ? 90 : 0);
    compare(&b, &p, &q, 0, 1, more);
    for (int m = 0; m < MEASURES; m++) assert_between(more[m].value, r[m].value * 1.5, 100);
    assert_ok(fare_binned_free(&q));
  }
  assert_ok(fare_binned_free(&p));
  unmake(&b);
}

/*
  Two wells whose weights are wrong and whose shapes are right: the scores are the same wherever there is
  mass, so that a measure of scores sees nothing, and the populations say by how much.
*/
static void populations_see_what_scores_do_not(void **state)
{
  enum { N = 400 };
  bins          b = make_line(N, -4, 4);
  double        left[N], right[N], p[N], q[N], fisher = 0;
  fare_measured r[MEASURES];

  (void)state;
  fill_gaussian(&b, -2, 0.25, left);
  fill_gaussian(&b, 2, 0.25, right);
  for (int i = 0; i < N; i++) {
    p[i] = 0.5 * left[i] + 0.5 * right[i];
    q[i] = 0.7 * left[i] + 0.3 * right[i];
  }
  for (int i = 1; i + 1 < N; i++)
    fisher += p[i] * pow((log(p[i + 1] / p[i - 1]) - log(q[i + 1] / q[i - 1])) / (2 * b.grid->spacing[0]), 2);
  compare_densities(&b, p, q, r);
  assert_between(fisher, 0, 1e-10);
  assert_near(r[WELLS].value, 0.2, 1e-10);
  assert_near(r[TOTAL_VARIATION].value, 0.2, 1e-10);
  assert_near(r[KL].value, 0.5 * log(0.5 / 0.7) + 0.5 * log(0.5 / 0.3), 1e-10);
  unmake(&b);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(small_distributions_by_hand),
  cmocka_unit_test(crossing_cumulative_functions),
  cmocka_unit_test(gaussians_in_closed_form),
  cmocka_unit_test(products_in_two_and_three_dimensions),
  cmocka_unit_test(identities_hold),
  cmocka_unit_test(no_mass_where_the_other_has_all),
  cmocka_unit_test(a_truth_that_is_cut_off_costs_nothing),
  cmocka_unit_test(masses_that_are_not_known_make_one_pool),
  cmocka_unit_test(a_large_error_hides_nothing),
  cmocka_unit_test(a_pool_that_an_error_empties_has_half_a_count),
  cmocka_unit_test(empty_bins_and_the_outside_follow_the_rule),
  cmocka_unit_test(populations_see_what_scores_do_not),
};
FARE_TEST_MAIN(tests)
