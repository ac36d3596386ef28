/* fare-test: labels=unit ranks=1 timeout=120 */
/* Estimators against hand-made distributions and closed forms; bins, floors and p-values against exact sums. */
#include "fare_test.h"

#include "measure/binning.h"

#include <float.h>
#include <petscdmda.h>

enum { KL, REVERSE_KL, JENSEN_SHANNON, TOTAL_VARIATION, WASSERSTEIN_1, WASSERSTEIN_2, MEASURES, PLUG_IN = WASSERSTEIN_1 };
static const char *const names[MEASURES] = {"kl", "reverse_kl", "jensen_shannon", "total_variation", "wasserstein_1", "wasserstein_2"};

typedef struct {
  fare_grid    *grid;
  fare_binning *binning;
} bins;

static bins make(int dim, const PetscInt cells[], double lower, double upper)
{
  const double low[] = {lower, lower, lower}, high[] = {upper, upper, upper};
  bins         b;

  assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells, low, high, NULL, &b.grid));
  assert_ok(fare_binning_create(b.grid, &b.binning));
  return b;
}

static void unmake(bins *b)
{
  assert_ok(fare_binning_destroy(&b->binning));
  assert_ok(fare_grid_destroy(&b->grid));
}

static bins make_line(PetscInt cells, double lower, double upper)
{
  return make(1, &cells, lower, upper);
}

static fare_binned density(const bins *b, const double mass[])
{
  fare_binned  binned;
  Vec          masses;
  PetscScalar *values;
  PetscInt     n;

  assert_ok(DMCreateGlobalVector(b->grid->dm, &masses));
  assert_ok(VecGetLocalSize(masses, &n));
  assert_ok(VecGetArray(masses, &values));
  for (PetscInt i = 0; i < n; i++) values[i] = mass[i];
  assert_ok(VecRestoreArray(masses, &values));
  assert_ok(fare_binning_density(b->binning, masses, &binned));
  assert_ok(VecDestroy(&masses));
  return binned;
}

/* Counts of fine bins and of what lies below and above the one axis. */
static fare_binned samples(const bins *b, const double counts[], double below, double above)
{
  fare_binned binned = {.bins = b->binning->bins};
  double      total  = below + above;

  for (size_t i = 0; i < binned.bins; i++) total += counts[i];
  assert_ok(PetscMalloc1(binned.bins + 1, &binned.mass));
  for (size_t i = 0; i < binned.bins; i++) binned.mass[i] = counts[i] / total;
  binned.mass[binned.bins] = (below + above) / total;
  binned.below             = below / total;
  binned.samples           = llround(total);
  binned.effective         = total;
  return binned;
}

static void compare(const bins *b, const fare_binned *p, const fare_binned *q, int replicates, uint64_t seed, fare_measured results[MEASURES])
{
  const fare_measure_type *types[MEASURES];

  for (int m = 0; m < MEASURES; m++) types[m] = fare_measure_type_find(names[m]);
  assert_ok(fare_measure_compare(PETSC_COMM_SELF, b->binning, p, NULL, q, b->grid->dim == 1 ? MEASURES : PLUG_IN, types, replicates, fare_stream_make(seed, "floor"), results));
}

/* Compares two lists of cell masses as densities. */
static void compare_densities(const bins *b, const double p_mass[], const double q_mass[], fare_measured results[MEASURES])
{
  fare_binned p = density(b, p_mass), q = density(b, q_mass);

  compare(b, &p, &q, 100, 1, results);
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&q));
}

/* Probability of [a, b] under a Gaussian, precise in both tails. */
static double gaussian(double mean, double sd, double a, double b)
{
  const double u = (a - mean) / sd * M_SQRT1_2, v = (b - mean) / sd * M_SQRT1_2;

  return u > 0 ? 0.5 * (erfc(u) - erfc(v)) : v < 0 ? 0.5 * (erfc(-v) - erfc(-u)) : 0.5 * (erf(v) - erf(u));
}

static void fill_gaussian(const bins *b, double mean, double sd, double mass[])
{
  for (PetscInt i = 0; i < b->grid->cells[0]; i++) mass[i] = gaussian(mean, sd, b->grid->lower[0] + (double)i * b->grid->spacing[0], b->grid->lower[0] + (double)(i + 1) * b->grid->spacing[0]);
}

static void small_distributions_by_hand(void **state)
{
  const double  p[] = {0.5, 0.5}, q[] = {0.25, 0.75};
  bins          b = make_line(2, 0, 2);
  fare_measured r[MEASURES];

  (void)state;
  compare_densities(&b, p, q, r);
  assert_near(r[KL].value, 0.5 * log(4. / 3), 1e-15);
  assert_near(r[REVERSE_KL].value, 0.25 * log(0.5) + 0.75 * log(1.5), 1e-15);
  assert_near(r[JENSEN_SHANNON].value, 0.25 * log(4. / 3) + 0.25 * log(0.8) + 0.125 * log(2. / 3) + 0.375 * log(1.2), 1e-15);
  assert_near(r[TOTAL_VARIATION].value, 0.25, 1e-15);
  assert_near(r[WASSERSTEIN_1].value, 0.25, 1e-15);
  assert_near(r[WASSERSTEIN_2].value, sqrt(1. / 12), 1e-15);
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
    By halves, with u from the middle: F^-1 = 10u to u = 0.1, then 1 + 5(u - 0.1); G^-1 = (10/3) u to u = 0.3, then 1 + 10(u - 0.3).
    The difference is (20/3) u, then 2/3 + (5/3)(u - 0.1), then 1 - 5(u - 0.3).
  */
  assert_near(r[WASSERSTEIN_2].value, sqrt(2 * (400. / 27 * 1e-3 + 0.2 * (4. / 9 + 2. / 3 + 1) / 3 + 0.2 * (1. / 3))), 1e-14);
  unmake(&b);
}

#define CELLS 4096

static void gaussians_in_closed_form(void **state)
{
  const struct {
    double mean, sd;
  } cases[] = {{0.4, 1}, {0, 1.3}, {-0.7, 0.8}};
  bins          b  = make_line(CELLS, -14, 14);
  const double  h2 = pow(b.grid->spacing[0], 2); /* errors of the bins are of second order with constants below 1 */
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
    if (s == 1) assert_near(r[TOTAL_VARIATION].value, erf(fabs(m) / (2 * M_SQRT2)), h2);
    /* the mean of |m + (s - 1) z|, for quantile functions of Gaussians are linear in each other */
    if (s != 1) assert_near(r[WASSERSTEIN_1].value, fabs(s - 1) * sqrt(2 / M_PI) * exp(-m * m / (2 * (s - 1) * (s - 1))) + m * erf(m / (fabs(s - 1) * M_SQRT2)), h2);
    else assert_near(r[WASSERSTEIN_1].value, fabs(m), h2);
    /* the trapezium rule on the two densities, exponentially accurate on the whole line */
    for (double x = -20; x <= 20; x += 0.01) {
      const double f = exp(-x * x / 2) / sqrt(2 * M_PI), g = exp(-pow((x - m) / s, 2) / 2) / (s * sqrt(2 * M_PI));

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
    bins          b     = make(dim, cells, -7, 7);
    const size_t  all   = (size_t)(b.grid->cells[0] * b.grid->cells[1] * b.grid->cells[2]);
    double       *p     = malloc(all * sizeof *p), *q = malloc(all * sizeof *q), kl = 0, reverse = 0;
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
      q[i] = repeat % 2 ? pow(fare_random_uniform(&random), 4) : p[i] * (1 + 1e-4 * (fare_random_uniform(&random) - 0.5));
    }
    compare_densities(&b, p, q, to);
    compare_densities(&b, q, p, from);
    compare_densities(&b, p, p, same);
    for (int m = 0; m < MEASURES; m++) {
      assert_near(same[m].value, 0, 0);
      assert_true(to[m].value > 0);
    }
    assert_near(to[KL].value, from[REVERSE_KL].value, 1e-14);
    assert_near(to[JENSEN_SHANNON].value, from[JENSEN_SHANNON].value, 1e-14);
    assert_near(to[TOTAL_VARIATION].value, from[TOTAL_VARIATION].value, 1e-14);
    assert_near(to[WASSERSTEIN_1].value, from[WASSERSTEIN_1].value, 1e-14);
    assert_near(to[WASSERSTEIN_2].value, from[WASSERSTEIN_2].value, 1e-14);
    assert_between(to[JENSEN_SHANNON].value, 0.5 * pow(to[TOTAL_VARIATION].value, 2), M_LN2 * to[TOTAL_VARIATION].value);
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
  assert_near(r[KL].value, -log(DBL_MIN), 1e-12);
  assert_near(r[REVERSE_KL].value, -log(DBL_MIN), 1e-12);
  compare_densities(&b, tiny, p, r);
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].value, 0, 1e-15);
  compare_densities(&b, p, tiny, r);
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].value, 0, 1e-15);
  compare_densities(&b, q, tiny, r);
  assert_near(r[KL].value, -log(1e-300), 1e-10);
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
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].p_value, 1. / 201, 1e-15);
  assert_ok(fare_binned_free(&q));
  for (int side = 0; side < 2; side++) {
    q = samples(&b, most, side ? 0 : 10, side ? 10 : 0);
    compare(&b, &p, &q, 5000, 1, r);
    assert_near(r[KL].value, log(0.5 * 101.5 / 45.5), 1e-14);
    assert_near(r[REVERSE_KL].value, 0.9 * log(0.45 * 100.5 / 50) + 0.1 * log(0.1 * 100.5 / 0.5), 1e-14);
    assert_near(r[JENSEN_SHANNON].value, 0.5 * (log(1 / 0.95) + 0.9 * log(0.9 / 0.95) + 0.1 * log(2)), 1e-14);
    assert_near(r[TOTAL_VARIATION].value, 0.1, 1e-14);
    assert_near(r[WASSERSTEIN_1].value, 0.1, 1e-14); /* a tenth, from an end to a mean distance 1 */
    assert_near(r[WASSERSTEIN_2].value, sqrt(1. / 75), 1e-14);
    for (int m = 0; m < TOTAL_VARIATION; m++) assert_between(r[m].p_value, 1. / 5001, 0.002);
    /* exact draws reach this one when a bin has 60 or more, with probability 0.0569; beyond 60, with 0.0354: ties must count */
    assert_near(r[TOTAL_VARIATION].p_value, 0.0569, 5 * sqrt(0.0569 / 5000));
    assert_ok(fare_binned_free(&q));
    q = samples(&b, most, side ? 0 : 90, side ? 90 : 0);
    compare(&b, &p, &q, 0, 1, more);
    for (int m = 0; m < MEASURES; m++) assert_between(more[m].value, r[m].value * 1.5, 10);
    assert_ok(fare_binned_free(&q));
  }
  assert_ok(fare_binned_free(&p));
  unmake(&b);
}

/* Pools hold enough, have every bin, lie together, and in one dimension none could be divided at a coarse bin's end. */
static void pools_are_full_enough(void **state)
{
  const PetscInt cells[][FARE_DIM_MAX] = {{8192, 1, 1}, {96, 128, 1}, {48, 30, 20}};
  const double   counts[] = {3, 11, 1000, 200000, 1e8};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    bins         b    = make(dim, cells[dim - 1], -8, 8);
    const size_t n    = b.binning->bins;
    double      *mass = calloc(n, sizeof *mass), *sums = calloc(n, sizeof *sums), total = 0;
    size_t      *pool = calloc(n, sizeof *pool), pools, fewer = 0;

    assert_true(mass && sums && pool);
    for (size_t i = 0; i < n; i++) {
      size_t rest = i;

      mass[i] = 1;
      for (int axis = 0; axis < dim; axis++) {
        const size_t at = rest % (size_t)b.binning->fine[axis];
        const double w  = 16. / (double)b.binning->fine[axis];

        mass[i] *= gaussian(-2, 0.7, -8 + (double)at * w, -8 + (double)(at + 1) * w);
        rest /= (size_t)b.binning->fine[axis];
      }
      total += mass[i];
    }
    for (size_t i = 0; i < n; i++) mass[i] /= total;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      assert_ok(fare_binning_pool(b.binning, mass, 5 / counts[c], pool, &pools));
      memset(sums, 0, n * sizeof *sums);
      for (size_t i = 0; i < n; i++) {
        assert_true(pool[i] < pools);
        sums[pool[i]] += mass[i];
      }
      if (counts[c] < 10) assert_int_equal(pools, 1);
      else {
        for (size_t k = 0; k < pools; k++) assert_between(counts[c] * sums[k], 5 * (1 - 1e-12), counts[c]);
      }
      assert_true(pools >= fewer && pools <= (size_t)(b.binning->coarse[0] * b.binning->coarse[1] * b.binning->coarse[2]));
      fewer = pools;
      for (size_t i = 1; dim == 1 && i < n; i++) {
        double below = 0;

        assert_true(pool[i] == pool[i - 1] || pool[i] == pool[i - 1] + 1);
        if (pool[i] != pool[i - 1]) assert_int_equal(i % (size_t)b.binning->block[0], 0);
        if (pool[i] != pool[i - 1] || i % (size_t)b.binning->block[0]) continue;
        for (size_t k = i; k-- > 0 && pool[k] == pool[i];) below += mass[k];
        assert_true(PetscMin(below, sums[pool[i]] - below) < 5 / counts[c] * (1 + 1e-12));
      }
    }
    assert_true(pools > 20);
    free(mass);
    free(sums);
    free(pool);
    unmake(&b);
  }
}

static void pools_are_cut_near_the_middle(void **state)
{
  bins   b        = make_line(8, 0, 8);
  double equal[8] = {0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125}, skew[8] = {0.6, 0.1, 0.1, 0.1, 0.05, 0.05, 0, 0};
  size_t pool[8], pools;

  (void)state;
  assert_ok(fare_binning_pool(b.binning, equal, 0.3, pool, &pools));
  assert_int_equal(pools, 2);
  for (size_t i = 0; i < 8; i++) assert_int_equal(pool[i], i >= 4);
  assert_ok(fare_binning_pool(b.binning, skew, 0.19, pool, &pools)); /* 0.6, 0.2, 0.2 */
  assert_int_equal(pools, 3);
  for (size_t i = 0; i < 8; i++) assert_int_equal(pool[i], (i >= 1) + (i >= 3));
  unmake(&b);
}

static void bins_cover_cells_that_do_not_divide(void **state)
{
  bins   b = make_line(10001, 0, 10001);
  double *ones = malloc(10001 * sizeof *ones);
  fare_binned p;

  (void)state;
  assert_non_null(ones);
  for (int i = 0; i < 10001; i++) ones[i] = 1;
  p = density(&b, ones);
  assert_int_equal(b.binning->bins, 3334);
  assert_near(b.binning->edge[3333], 9999, 1e-9);
  assert_near(b.binning->edge[3334], 10001, 0);
  assert_near(p.mass[0], 3. / 10001, 1e-17);
  assert_near(p.mass[3333], 2. / 10001, 1e-17);
  assert_true(b.binning->coarse[0] <= FARE_COARSE_MOST);
  assert_ok(fare_binned_free(&p));
  free(ones);
  unmake(&b);
}

/* Round-off below zero counts as nothing; a density that is no density is refused. */
static void densities_are_made_whole(void **state)
{
  const double mass[] = {-1e-18, 2, 6, 0}, zero[4] = {0}, bad[] = {1, NAN, 1, 1};
  bins         b = make_line(4, 0, 1);
  fare_binned  p = density(&b, mass);
  Vec          v;

  (void)state;
  assert_true(p.mass[0] == 0 && p.mass[1] == 0.25 && p.mass[2] == 0.75 && p.mass[4] == 0 && p.samples == 0 && p.effective == HUGE_VAL);
  assert_ok(fare_binned_free(&p));
  for (int i = 0; i < 2; i++) {
    assert_ok(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, 4, i ? bad : zero, &v));
    assert_int_equal(fare_binning_density(b.binning, v, &p), FARE_ERR_FAILED);
    assert_null(p.mass);
    assert_ok(VecDestroy(&v));
  }
  unmake(&b);
}

/* Mean of f(k) over Binomial(n, p). */
static double binomial_mean(int n, double p, double (*f)(int n, double p, double K, int k), double K)
{
  double sum = 0;

  for (int k = 0; k <= n; k++) {
    const double log_probability = lgamma(n + 1.) - lgamma(k + 1.) - lgamma(n - k + 1.) + k * log(p) + (n - k) * log1p(-p);

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

/* Means of floors: expectations summed exactly bin by bin, and the laws for many samples. */
static void floors_have_the_means_of_theory(void **state)
{
  enum { N = 256, SAMPLES = 10000, REPLICATES = 3000 };
  double (*const terms[PLUG_IN])(int, double, double, int) = {kl_term, reverse_term, js_term, tv_term};
  bins          b = make_line(N, -4, 4);
  double        mass[N], counts[N] = {[N / 2] = SAMPLES}, exact[PLUG_IN] = {0}, root = 0, width = 8. / N, cumulative = 0, tv = 0, law;
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
  assert_near(r[REVERSE_KL].floor_mean, exact[REVERSE_KL], 5 * law * sqrt(2 / ((double)pools - 1) / REPLICATES));
  assert_near(r[JENSEN_SHANNON].floor_mean, exact[JENSEN_SHANNON], 5 * law / 4 * sqrt(2 / ((double)pools - 1) / REPLICATES));
  assert_near(r[TOTAL_VARIATION].floor_mean, exact[TOTAL_VARIATION], 5 * tv / sqrt((double)pools * REPLICATES));
  /* laws of first order in 1/n, which pools of 5 expected samples obey to some percent */
  assert_near(r[KL].floor_mean, law, 0.1 * law);
  assert_near(r[REVERSE_KL].floor_mean, law, 0.1 * law);
  assert_near(r[JENSEN_SHANNON].floor_mean, law / 4, 0.1 * law / 4);
  assert_near(r[TOTAL_VARIATION].floor_mean, tv, 0.02 * tv);
  law = sqrt(2 / (M_PI * SAMPLES)) * root;
  assert_near(r[WASSERSTEIN_1].floor_mean, law, 5 * law * 0.5 / sqrt(REPLICATES));
  for (int m = 0; m < MEASURES; m++) {
    assert_true(r[m].floor_high > r[m].floor_mean && r[m].p_value == 1. / (REPLICATES + 1));
    assert_near(r[m].excess, r[m].value - r[m].floor_mean, 0);
  }
  /* the 95% quantile of KL by that of chi-square, Wilson and Hilferty */
  law = (double)pools - 1;
  assert_near(r[JENSEN_SHANNON].floor_high, law * pow(1 - 2 / (9 * law) + 1.6448536 * sqrt(2 / (9 * law)), 3) / (8. * SAMPLES), 0.05 * r[JENSEN_SHANNON].floor_high);
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&q));
  unmake(&b);
}

/* n draws by inversion of the cumulative function: another road than the multinomial's. */
static fare_binned draw(const bins *b, const fare_binned *p, int n, uint64_t sequence)
{
  fare_random random = {.stream = fare_stream_make(9, "draw"), .sequence = sequence};
  double     *counts = calloc(p->bins, sizeof *counts);
  fare_binned q;

  assert_non_null(counts);
  for (int s = 0; s < n; s++) {
    double u = fare_random_uniform(&random);
    size_t i = 0;

    while (i + 1 < p->bins && u > p->mass[i]) u -= p->mass[i++];
    counts[i]++;
  }
  q = samples(b, counts, 0, 0);
  free(counts);
  return q;
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

    qsort(values[m], SEEDS, sizeof values[m][0], ascending);
    for (int i = 0; i < SEEDS; i++) distance = PetscMax(distance, PetscMax(fabs(values[m][i] - (double)i / SEEDS), fabs((i + 1.) / SEEDS - values[m][i])));
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
  for (int m = 0; m < MEASURES; m++) assert_near(r[m].p_value, 1. / 200, 1e-15);
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
  p        = density(&b, mass);
  few      = draw(&b, &p, 400, 1);
  weighted = few;
  weighted.samples   = 10000;
  weighted.effective = 400.3;
  compare(&b, &p, &few, 100, 1, of_few);
  compare(&b, &p, &weighted, 100, 1, of_weighted);
  assert_memory_equal(of_few, of_weighted, sizeof of_few);
  weighted.effective = 10000;
  compare(&b, &p, &weighted, 100, 1, of_all);
  for (int m = 0; m < MEASURES; m++) assert_true(of_all[m].floor_high < of_few[m].floor_mean);
  weighted.effective = 1; /* one pool is left; nothing is infinite */
  compare(&b, &p, &weighted, 100, 1, of_all);
  for (int m = 0; m < MEASURES; m++) assert_true(isfinite(of_all[m].value) && isfinite(of_all[m].floor_mean));
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&few));
  unmake(&b);
}

static void truth_errors_are_changes_of_the_value(void **state)
{
  const double             half[] = {0.5, 0.5}, other[] = {0.52, 0.48}, third[] = {0.3, 0.7};
  const fare_measure_type *types[] = {fare_measure_type_find("kl"), fare_measure_type_find("wasserstein_1")};
  bins                     b = make_line(2, 0, 2);
  fare_binned              p = density(&b, half), corrected = density(&b, other), q = density(&b, third);
  fare_measured            r[2];

  (void)state;
  assert_ok(fare_measure_compare(PETSC_COMM_SELF, b.binning, &p, &corrected, &q, 2, types, 0, fare_stream_make(1, "floor"), r));
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
  const PetscInt           cells[] = {4, 4};
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
    if (type->dimension_most && type->dimension_most < 2) assert_int_equal(fare_measure_compare(PETSC_COMM_SELF, b.binning, &p, NULL, &p, 1, &type, 10, fare_stream_make(1, "floor"), &r), FARE_ERR_INPUT);
    else assert_ok(fare_measure_compare(PETSC_COMM_SELF, b.binning, &p, NULL, &p, 1, &type, 10, fare_stream_make(1, "floor"), &r));
  }
  for (int m = 0; m < MEASURES; m++) assert_non_null(fare_measure_type_find(names[m]));
  assert_true(count >= MEASURES);
  assert_null(fare_measure_type_find("nothing"));
  assert_ok(fare_measure_type_describe(fare_measure_type_find("kl"), to));
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
  cmocka_unit_test(small_distributions_by_hand),
  cmocka_unit_test(crossing_cumulative_functions),
  cmocka_unit_test(gaussians_in_closed_form),
  cmocka_unit_test(products_in_two_and_three_dimensions),
  cmocka_unit_test(identities_hold),
  cmocka_unit_test(no_mass_where_the_other_has_all),
  cmocka_unit_test(empty_bins_and_the_outside_follow_the_rule),
  cmocka_unit_test(pools_are_full_enough),
  cmocka_unit_test(pools_are_cut_near_the_middle),
  cmocka_unit_test(bins_cover_cells_that_do_not_divide),
  cmocka_unit_test(densities_are_made_whole),
  cmocka_unit_test(floors_have_the_means_of_theory),
  cmocka_unit_test(exact_draws_are_not_told_apart),
  cmocka_unit_test(a_small_difference_is_seen),
  cmocka_unit_test(effective_samples_make_the_floor),
  cmocka_unit_test(truth_errors_are_changes_of_the_value),
  cmocka_unit_test(measures_are_listed_and_know_their_limits),
};
FARE_TEST_MAIN(tests)
