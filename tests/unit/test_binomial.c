/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/* Binomial and multinomial counts against their exact probabilities. */
#include "fare_test.h"

#define DRAWS 200000

static double log_pmf(double n, double p, double k)
{
  return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p);
}

/*
  Chi-square of counts against the exact probabilities; values with fewer than 10 expected are pooled, per
  tail.
*/
static void against_exact_probabilities(int64_t n, double p, int draws)
{
  const double  mean = (double)n * p, sd = sqrt(mean * (1 - p));
  const int64_t low   = (int64_t)PetscMax(0, floor(mean - 12 * sd - 30)),
                high  = (int64_t)PetscMin((double)n, ceil(mean + 12 * sd + 30));
  const size_t width  = (size_t)(high - low + 1);
  int64_t     *seen   = calloc(width, sizeof *seen);
  fare_random  random = {.stream = fare_stream_make(3, "binomial"), .sequence = (uint64_t)n};
  double       chi = 0, degrees = -1, expected = 0, counted = 0;

  assert_non_null(seen);
  for (int i = 0; i < draws; i++) {
    const int64_t k = fare_random_binomial(&random, n, p);

    assert_true(k >= low && k <= high);
    seen[k - low]++;
  }
  for (size_t i = 0; i < width; i++) {
    expected += draws * exp(log_pmf((double)n, p, (double)(low + (int64_t)i)));
    counted += (double)seen[i];
    if (expected < 10 && i + 1 < width) continue;
    if (expected >= 10 || counted > 0) {
      chi += pow(counted - expected, 2) / PetscMax(expected, 1);
      degrees++;
    }
    expected = counted = 0;
  }
  assert_between(degrees, 1, width);
  if (chi > degrees + 4 * sqrt(2 * degrees) + 4)
    fail_msg("n = %lld, p = %g: chi-square %g with %g degrees of freedom", (long long)n, p, chi, degrees);
  free(seen);
}

static void follows_the_exact_probabilities(void **state)
{
  const struct {
    int64_t n;
    double  p;
  } cases[] = {{1, 0.3}, {7, 0.5}, {19, 0.5}, {20, 0.5}, {25, 0.41}, {40, 0.25}, {40, 0.26}, {50, 0.97},
    {1000, 0.001}, {1000, 0.01}, {1000, 0.9995}, {1000000, 3e-6}, {1000000, 1.1e-5}, {300, 0.7}, {4000, 0.5},
    {100000, 0.02}};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    against_exact_probabilities(cases[i].n, cases[i].p, DRAWS);
  /* where rejection begins: an error of a percent in its tails must show */
  against_exact_probabilities(1000, 0.0101, 60 * DRAWS);
}

/* Mean, variance, skewness and kurtosis where there are too many values to count each. */
static void has_the_moments_at_huge_n(void **state)
{
  const struct {
    int64_t n;
    double  p;
  } cases[] = {{1000000000, 0.5}, {1000000000, 1e-3}, {1000000000000, 0.3}, {1000000000000, 0.999},
    {1000000000000000, 1e-13}, {1000000000000000, 0.5}};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const double n = (double)cases[i].n, p = cases[i].p, sd = sqrt(n * p * (1 - p)),
                 skewness = (1 - 2 * p) / sd, excess = (1 - 6 * p * (1 - p)) / (sd * sd);
    double      m[5]   = {0};
    fare_random random = {.stream = fare_stream_make(4, "moments"), .sequence = i};

    for (int d = 0; d < DRAWS; d++) {
      /* about the mean as a whole number first, so that nothing is lost */
      const int64_t centre = llround(n * p), k = fare_random_binomial(&random, cases[i].n, p);
      const double  z = ((double)(k - centre) + ((double)centre - n * p)) / sd;

      for (int power = 1; power <= 4; power++) m[power] += pow(z, power) / DRAWS;
    }
    assert_near(m[1], 0, 5 / sqrt(DRAWS));
    assert_near(m[2], 1, 5 * sqrt((2 + excess) / DRAWS));
    assert_near(m[3], skewness, 5 * sqrt((15 + 30 * fabs(excess)) / DRAWS));
    assert_near(m[4], 3 + excess, 5 * sqrt((96 + 300 * fabs(excess)) / DRAWS));
  }
}

static void ends_are_certain(void **state)
{
  fare_random random = {.stream = fare_stream_make(1, "ends")};

  (void)state;
  assert_int_equal(fare_random_binomial(&random, 0, 0.5), 0);
  assert_int_equal(fare_random_binomial(&random, 1000, 0), 0);
  assert_int_equal(fare_random_binomial(&random, 1000, 1), 1000);
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(fare_random_binomial(&random, 1000, 1e-300), 0);
    assert_int_equal(fare_random_binomial(&random, 1000, 1 - 1e-16), 1000);
  }
}

/*
  Whole sums, nothing where nothing may be, covariance -n p_i p_j, and chi-square of every draw with k - 1
  degrees of freedom.
*/
static void multinomials_share_out_everything(void **state)
{
  enum { K = 37, N = 5000, REPEATS = 4000 };
  double  p[K], sum = 0, mean_chi = 0, square_chi = 0, product = 0;
  int64_t counts[K];
  int     occupied = 0;

  (void)state;
  for (int k = 0; k < K; k++) {
    p[k] = k % 5 == 2 || k < 4 ? 0 : exp(-0.02 * pow(k - 20, 2));
    sum += p[k];
    occupied += p[k] > 0;
  }
  for (int k = 0; k < K; k++) p[k] /= sum;
  for (int r = 0; r < REPEATS; r++) {
    fare_random random = {.stream = fare_stream_make(5, "multinomial"), .sequence = (uint64_t)r};
    int64_t     total  = 0;
    double      chi    = 0;

    fare_random_multinomial(&random, N, K, p, counts);
    for (int k = 0; k < K; k++) {
      assert_true(counts[k] >= 0);
      if (p[k] == 0)
        assert_int_equal(counts[k], 0);
      else
        chi += pow((double)counts[k] - N * p[k], 2) / (N * p[k]);
      total += counts[k];
    }
    assert_int_equal(total, N);
    mean_chi += chi / REPEATS;
    square_chi += chi * chi / REPEATS;
    product += ((double)counts[19] - N * p[19]) * ((double)counts[21] - N * p[21]) / REPEATS;
  }
  /* exact for Pearson's statistic: mean k - 1, variance 2(k - 1) + (sum 1/p - k^2 - 2k + 2)/N */
  assert_near(mean_chi, occupied - 1, 5 * sqrt(2. * occupied / REPEATS));
  {
    double variance = 2. * (occupied - 1) + (-occupied * (occupied + 2.) + 2) / N;

    for (int k = 0; k < K; k++) variance += p[k] > 0 ? 1 / p[k] / N : 0;
    assert_near(square_chi - mean_chi * mean_chi, variance, 0.15 * variance);
  }
  assert_near(product, -N * p[19] * p[21], 5 * N * sqrt(p[19] * p[21] / REPEATS));
}

/* A far tail keeps its relative precision: the counts of two classes of 1e-9 among many draws. */
static void multinomials_fill_the_tails(void **state)
{
  enum { REPEATS = 2000 };
  const double  p[5] = {1 - 1e-9 - 2e-9 - 1e-30, 1e-9, 0, 1e-30, 2e-9};
  const int64_t n    = 10000000000; /* 10 and 20 expected */
  int64_t       counts[5], sum[5] = {0};

  (void)state;
  for (int r = 0; r < REPEATS; r++) {
    fare_random random = {.stream = fare_stream_make(6, "tails"), .sequence = (uint64_t)r};

    fare_random_multinomial(&random, n, 5, p, counts);
    for (int k = 0; k < 5; k++) sum[k] += counts[k];
  }
  assert_near((double)sum[1] / REPEATS, 10, 5 * sqrt(10. / REPEATS));
  assert_near((double)sum[4] / REPEATS, 20, 5 * sqrt(20. / REPEATS));
  assert_int_equal(sum[2] + sum[3], 0);
}

static void sequences_repeat_and_differ(void **state)
{
  const double p[4] = {0.1, 0.2, 0.3, 0.4};
  int64_t      counts[3][4];

  (void)state;
  for (int i = 0; i < 3; i++) {
    fare_random random = {.stream = fare_stream_make(7, "sequence"), .sequence = i == 2};

    fare_random_multinomial(&random, 100000, 4, p, counts[i]);
    assert_true(random.next > 0);
  }
  assert_memory_equal(counts[0], counts[1], sizeof counts[0]);
  assert_memory_not_equal(counts[0], counts[2], sizeof counts[0]);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(follows_the_exact_probabilities),
  cmocka_unit_test(has_the_moments_at_huge_n),
  cmocka_unit_test(ends_are_certain),
  cmocka_unit_test(multinomials_share_out_everything),
  cmocka_unit_test(multinomials_fill_the_tails),
  cmocka_unit_test(sequences_repeat_and_differ),
};
FARE_TEST_MAIN(tests)
