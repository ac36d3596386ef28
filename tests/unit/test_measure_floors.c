/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/* Floors, p-values and excesses against exact sums and laws, and what else belongs to a value. */
#include "measures.h"

/* Mean of f(k) over Binomial(n, p). */
static double binomial_mean(int n, double p, double (*f)(int n, double p, double K, int k), double K)
{
  double sum = 0;

  for (int k = 0; k <= n; k++) {
    const double log_probability =
      lgamma(n + 1.) - lgamma(k + 1.) - lgamma(n - k + 1.) + k * log(p) + (n - k) * log1p(-p);

    if (log_probability > -60) sum += exp(log_probability) * f(n, p, K, k);
  }
  return sum;
}
static double kl_term(int n, double p, double K, int k)
{
  return p * log(p * (n + K / 2) / (k + 0.5));
}
static double reverse_term(int n, double p, double K, int k)
{
  (void)K;
  return k ? (double)k / n * log(k * (n + 0.5) / (n * n * p)) : 0;
}
static double js_term(int n, double p, double K, int k)
{
  const double q = (double)k / n;

  (void)K;
  return 0.5 * (p * log(2 * p / (p + q)) + (k ? q * log(2 * q / (p + q)) : 0));
}
static double tv_term(int n, double p, double K, int k)
{
  (void)K;
  return 0.5 * fabs(p - (double)k / n);
}

static double hellinger_term(int n, double p, double K, int k)
{
  (void)K;
  return 0.5 * pow(sqrt(p) - sqrt((double)k / n), 2);
}
static double chi_squared_term(int n, double p, double K, int k)
{
  (void)K;
  return pow(p - (double)k / n, 2) / (p * n / (n + 0.5));
}

/* Means of floors: expectations summed exactly bin by bin, and the laws for many samples. */
static void floors_have_the_means_of_theory(void **state)
{
  enum { N = 256, SAMPLES = 10000, REPLICATES = 3000 };
  double (*const terms[PLUG_IN])(int, double, double, int) = {
    kl_term, reverse_term, js_term, tv_term, hellinger_term, chi_squared_term};
  bins   b = make_line(N, -4, 4);
  double mass[N], counts[N] = {[N / 2] = SAMPLES}, exact[PLUG_IN] = {0}, root = 0, width = 8. / N,
                  cumulative = 0, tv = 0, law;
  size_t        pool[N], pools;
  fare_binned   p, q = samples(&b, counts, 0, 0);
  fare_measured r[MEASURES];

  (void)state;
  fill_gaussian(&b, 0, 1, mass);
  p = density(&b, mass);
  assert_ok(fare_binning_pool(b.binning, p.mass, 5. / SAMPLES, pool, &pools));
  for (size_t k = 0; k < pools; k++) {
    double in = 0;

    for (int i = 0; i < N; i++) in += pool[i] == k ? p.mass[i] : 0;
    for (int m = 0; m < PLUG_IN; m++) exact[m] += binomial_mean(SAMPLES, in, terms[m], (double)pools + 1);
    tv += sqrt(in * (1 - in) / (2 * M_PI * SAMPLES));
  }
  for (int i = 0; i < N; i++) {
    const double next = cumulative + p.mass[i];

    root += width * 0.5 * (sqrt(cumulative * (1 - cumulative)) + sqrt(PetscMax(0, next * (1 - next))));
    cumulative = next;
  }
  compare(&b, &p, &q, REPLICATES, 11, r);
  law = ((double)pools - 1) / (2. * SAMPLES);
  /* the spread of 2n KL is that of chi-square: five standard errors of the mean */
  assert_near(r[KL].floor_mean, exact[KL], 5 * law * sqrt(2 / ((double)pools - 1) / REPLICATES));
  assert_near(
    r[REVERSE_KL].floor_mean, exact[REVERSE_KL], 5 * law * sqrt(2 / ((double)pools - 1) / REPLICATES));
  assert_near(r[JENSEN_SHANNON].floor_mean, exact[JENSEN_SHANNON],
    5 * law / 4 * sqrt(2 / ((double)pools - 1) / REPLICATES));
  assert_near(
    r[TOTAL_VARIATION].floor_mean, exact[TOTAL_VARIATION], 5 * tv / sqrt((double)pools * REPLICATES));
  assert_near(
    r[HELLINGER].floor_mean, exact[HELLINGER], 5 * law / 4 * sqrt(2 / ((double)pools - 1) / REPLICATES));
  assert_near(
    r[CHI_SQUARED].floor_mean, exact[CHI_SQUARED], 5 * law * 2 * sqrt(2 / ((double)pools - 1) / REPLICATES));
  /* laws of first order in 1/n, which pools of 5 expected samples obey to some percent */
  assert_near(r[KL].floor_mean, law, 0.1 * law);
  assert_near(r[REVERSE_KL].floor_mean, law, 0.1 * law);
  assert_near(r[JENSEN_SHANNON].floor_mean, law / 4, 0.1 * law / 4);
  assert_near(r[TOTAL_VARIATION].floor_mean, tv, 0.02 * tv);
  assert_near(r[HELLINGER].floor_mean, law / 4, 0.1 * law / 4);
  assert_near(r[CHI_SQUARED].floor_mean, 2 * law, 10 * law * sqrt(2 / ((double)pools - 1) / REPLICATES));
  /* without bias: the mean is 0, to five standard errors whatever the number of samples */
  assert_near(r[ENERGY].floor_mean, 0, 5 * r[ENERGY].floor_high / sqrt(REPLICATES));
  assert_true(r[ENERGY].floor_high > 0);
  assert_near(
    r[TAIL].floor_mean, sqrt(2 / M_PI * 0.99 / 0.01 / SAMPLES), 5 * sqrt(0.99 / 0.01 / SAMPLES / REPLICATES));
  law = sqrt(2 / (M_PI * SAMPLES)) * root;
  assert_near(r[WASSERSTEIN_1].floor_mean, law, 5 * law * 0.5 / sqrt(REPLICATES));
  for (int m = 0; m < MEASURES; m++) {
    if (m == WELLS) continue; /* there is one */
    assert_true(r[m].floor_high > r[m].floor_mean && r[m].p_value == 1. / (REPLICATES + 1));
    assert_near(r[m].excess, r[m].value - r[m].floor_mean, 0);
  }
  /* the 95% quantile of KL by that of chi-square, Wilson and Hilferty */
  law = (double)pools - 1;
  assert_near(r[JENSEN_SHANNON].floor_high,
    law * pow(1 - 2 / (9 * law) + 1.6448536 * sqrt(2 / (9 * law)), 3) / (8. * SAMPLES),
    0.05 * r[JENSEN_SHANNON].floor_high);
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&q));
  unmake(&b);
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* Over many exact ensembles p-values are uniform (Kolmogorov-Smirnov) and excesses have mean zero. */
static void exact_draws_are_not_told_apart(void **state)
{
  enum { N = 64, SAMPLES = 500, SEEDS = 300, REPLICATES = 199 };
  bins        b = make_line(N, -4, 4);
  double      mass[N], values[MEASURES][SEEDS], mean[MEASURES] = {0}, square[MEASURES] = {0};
  fare_binned p;

  (void)state;
  fill_gaussian(&b, 0.3, 0.8, mass);
  p = density(&b, mass);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    fare_binned   q = draw(&b, &p, SAMPLES, seed);
    fare_measured r[MEASURES];

    compare(&b, &p, &q, REPLICATES, 100 + seed, r);
    for (int m = 0; m < MEASURES; m++) {
      values[m][seed] = r[m].p_value;
      mean[m] += r[m].excess / SEEDS;
      square[m] += r[m].excess * r[m].excess / SEEDS;
    }
    assert_ok(fare_binned_free(&q));
  }
  for (int m = 0; m < MEASURES; m++) {
    double distance = 0;

    if (m == WELLS) continue; /* there is one */
    qsort(values[m], SEEDS, sizeof values[m][0], ascending);
    for (int i = 0; i < SEEDS; i++)
      distance = PetscMax(
        distance, PetscMax(fabs(values[m][i] - (double)i / SEEDS), fabs((i + 1.) / SEEDS - values[m][i])));
    assert_between(distance, 0, 1.63 / sqrt(SEEDS) + 1. / REPLICATES); /* 1% level */
    assert_near(mean[m], 0, 4 * sqrt(square[m] / SEEDS));
  }
  assert_ok(fare_binned_free(&p));
  unmake(&b);
}

/* A shift of a tenth of a standard deviation is seen, and the excess of kl is its size. */
static void a_small_difference_is_seen(void **state)
{
  enum { N = 512, SAMPLES = 20000 };
  bins          b = make_line(N, -5, 5);
  double        mass[N];
  fare_binned   p, shifted, q;
  fare_measured r[MEASURES];

  (void)state;
  fill_gaussian(&b, 0, 1, mass);
  p = density(&b, mass);
  fill_gaussian(&b, 0.1, 1, mass);
  shifted = density(&b, mass);
  q       = draw(&b, &shifted, SAMPLES, 0);
  compare(&b, &p, &q, 199, 1, r);
  for (int m = 0; m < MEASURES; m++) {
    if (m != TAIL && m != WELLS) assert_near(r[m].p_value, 1. / 200, 1e-15);
    if (m != TAIL && m != WELLS) assert_between(r[m].significance, 3, 1000);
  }
  /* KL 0.005, standard error 0.1/sqrt(n) from the linear part and the floor's own spread */
  assert_near(r[KL].excess, 0.005, 5 * sqrt(0.01 / SAMPLES + pow(r[KL].floor_mean, 2) / 50));
  assert_near(r[WASSERSTEIN_1].value, 0.1, 5 / sqrt(SAMPLES));
  assert_near(r[WASSERSTEIN_2].value, 0.1, 5 / sqrt(SAMPLES));
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&shifted));
  assert_ok(fare_binned_free(&q));
  unmake(&b);
}

/* Weighted samples are judged by their effective number: the floor is that of so many unweighted ones. */
static void effective_samples_make_the_floor(void **state)
{
  enum { N = 128 };
  bins          b = make_line(N, -4, 4);
  double        mass[N];
  fare_binned   p, few, weighted;
  fare_measured of_few[MEASURES], of_weighted[MEASURES], of_all[MEASURES];

  (void)state;
  fill_gaussian(&b, 0, 1, mass);
  p                  = density(&b, mass);
  few                = draw(&b, &p, 400, 1);
  weighted           = few;
  weighted.samples   = 10000;
  weighted.effective = 400.3;
  compare(&b, &p, &few, 100, 1, of_few);
  compare(&b, &p, &weighted, 100, 1, of_weighted);
  for (int m = 0; m < MEASURES; m++) {
    assert_true(
      of_few[m].effective == 400 && of_weighted[m].effective == 400.3 && of_weighted[m].independent == 400.3);
    of_weighted[m].effective = of_weighted[m].independent = 400;
  }
  assert_memory_equal(of_few, of_weighted, sizeof of_few);
  weighted.effective = 10000;
  compare(&b, &p, &weighted, 100, 1, of_all);
  for (int m = 0; m < MEASURES; m++) {
    if (m != WELLS)
      assert_true(of_all[m].floor_high < (m == ENERGY ? of_few[m].floor_high / 10 : of_few[m].floor_mean));
  }
  weighted.effective = 1; /* one pool is left; nothing is infinite */
  compare(&b, &p, &weighted, 100, 1, of_all);
  for (int m = 0; m < MEASURES; m++) {
    if (m != ENERGY)
      assert_true(isfinite(of_all[m].value) && isfinite(of_all[m].floor_mean));
    else
      assert_true(isnan(of_all[m].value) && isnan(of_all[m].p_value)); /* no two samples */
  }
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&few));
  unmake(&b);
}

static void truth_errors_are_changes_of_the_value(void **state)
{
  const double             half[] = {0.5, 0.5}, other[] = {0.52, 0.48}, third[] = {0.3, 0.7};
  const fare_measure_type *types[] = {fare_measure_type_find("kl"), fare_measure_type_find("wasserstein_1")};
  bins                     b       = make_line(2, 0, 2);
  fare_binned              p = density(&b, half), corrected = density(&b, other), q = density(&b, third);
  fare_measured            r[2];

  (void)state;
  assert_ok(fare_measure_compare(
    PETSC_COMM_SELF, b.binning, &p, &corrected, &q, 2, types, 0, fare_stream_make(1, "floor"), r));
  assert_near(r[0].truth_error, 0.52 * log(0.52 / 0.3) + 0.48 * log(0.48 / 0.7) - r[0].value, 1e-15);
  assert_near(r[1].value, 0.2, 1e-15);
  assert_near(r[1].truth_error, 0.02, 1e-15);
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&corrected));
  assert_ok(fare_binned_free(&q));
  unmake(&b);
}

static void measures_are_listed_and_know_their_limits(void **state)
{
  const PetscInt           cells[]  = {4, 4};
  const double             ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const fare_measure_type *type;
  bins                     b = make(2, cells, 0, 1);
  fare_binned              p = density(&b, ones);
  fare_measured            r;
  FILE                    *to = tmpfile();
  char                     text[2048];
  size_t                   count = 0, length;

  (void)state;
  assert_non_null(to);
  for (; (type = fare_measure_type_at(count)); count++) {
    assert_ptr_equal(fare_measure_type_find(type->name), type);
    assert_true(*type->summary && *type->definition && *type->reference && *type->unit && type->evaluate);
    if (type->dimension_max && type->dimension_max < 2)
      assert_int_equal(fare_measure_compare(PETSC_COMM_SELF, b.binning, &p, NULL, &p, 1, &type, 10,
                         fare_stream_make(1, "floor"), &r),
        FARE_ERR_INPUT);
    else
      assert_ok(fare_measure_compare(
        PETSC_COMM_SELF, b.binning, &p, NULL, &p, 1, &type, 10, fare_stream_make(1, "floor"), &r));
  }
  for (int m = 0; m < MEASURES; m++) assert_non_null(fare_measure_type_find(names[m]));
  assert_true(count >= MEASURES);
  assert_null(fare_measure_type_find("nothing"));
  fare_measure_type_describe(fare_measure_type_find("kl"), to);
  rewind(to);
  length       = fread(text, 1, sizeof text - 1, to);
  text[length] = 0;
  assert_non_null(strstr(text, "D(truth||ensemble)"));
  assert_non_null(strstr(text, "half count"));
  assert_non_null(strstr(text, "nats"));
  fclose(to);
  assert_ok(fare_binned_free(&p));
  unmake(&b);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(floors_have_the_means_of_theory),
  cmocka_unit_test(exact_draws_are_not_told_apart),
  cmocka_unit_test(a_small_difference_is_seen),
  cmocka_unit_test(effective_samples_make_the_floor),
  cmocka_unit_test(truth_errors_are_changes_of_the_value),
  cmocka_unit_test(measures_are_listed_and_know_their_limits),
};
FARE_TEST_MAIN(tests)
