/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1 timeout=240 */
/*
  Noise of measures that set samples beside a finite pool of exact draws: floors are as high as values of
  exact draws, few of these look significant, and intervals hold the true value. FARE_COVERAGE_SEEDS=1000
  makes the numbers of docs/many_axes.md.
*/
#include "joints.h"

#define AXES 4
enum { SEEDS = 100, SAMPLES = 16384 }; /* a quarter of the pool: its noise cannot be overlooked */

static const char gaussian_4[] = "system: {name: linear, matrix: [[-1, 0.5, 0, 0], [0.5, -1.5, 0.3, 0], [0, "
                                 "0.3, -1, 0.6], [0, 0, 0.6, -2]]}\n"
                                 "initial: {density: boltzmann}\n"
                                 "truth: {kind: gaussian}\n";

static const char mixture_4[] =
  "system: {name: gaussian_mixture, weights: [1, 3, 2], mean: [-6, 0, 0, 0, 0, 6, 0, 0, 6, 0, 0, 0], sd: "
  "[1]}\n"
  "initial: {density: boltzmann}\n"
  "truth: {kind: mixture}\n";

typedef struct {
  double alarms, inside, value, floor; /* shares of all seeds; means */
} seen;

static int replicates = 100;

static int seeds(void)
{
  return getenv("FARE_COVERAGE_SEEDS") ? atoi(getenv("FARE_COVERAGE_SEEDS")) : SEEDS;
}

/* Samples of exact draws, `moved` afterwards, against the truth; what is true of these is known. */
static seen look_at(int n, const joint_subject *s, const char *name, int64_t count, double truth,
  void (*moved)(fare_ensemble *e, double by), double by)
{
  const fare_measure_type *type = fare_joint_measure_find(name);
  seen                     all  = {0};

  for (int seed = 0; seed < n; seed++) {
    fare_ensemble *e;
    fare_measured  m;

    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, AXES, count, &e));
    assert_ok(fare_joint_draw(s->joint, fare_stream_make((uint64_t)seed, "samples"), e));
    if (moved) moved(e, by);
    assert_ok(fare_joint_compare(
      s->joint, e, NULL, 1, &type, replicates, fare_stream_make((uint64_t)seed, "measures"), &m));
    assert_int_equal(m.interval, FARE_INTERVAL);
    all.alarms += (m.p_value < 0.05) / (double)n;
    all.inside += (truth >= m.low && truth <= m.high) / (double)n;
    all.value += m.value / n;
    all.floor += m.floor_mean / n;
    assert_ok(fare_ensemble_destroy(&e));
  }
  print_message("%-20s moved by %g: %4.1f%% significant, %5.1f%% of intervals hold %.5g; mean %.5g, floor "
                "%.5g\n",
    name, by, 100 * all.alarms, 100 * all.inside, truth, all.value, all.floor);
  return all;
}

static seen look(const joint_subject *s, const char *name, int64_t count, double truth,
  void (*moved)(fare_ensemble *e, double by), double by)
{
  return look_at(seeds(), s, name, count, truth, moved, by);
}

static void exact_draws(void **state)
{
  static const char *const names[] = {"log_density_shift", "log_density_ks"};
  joint_subject            s       = make_joint(gaussian_4);

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(names); i++) {
    const seen of = look(&s, names[i], SAMPLES, 0, NULL, 0);

    assert_near(of.value / of.floor, 1, 0.06); /* 1.12 without the noise of the pool */
    assert_true(of.alarms <= 0.08);
    assert_true(of.inside >= 0.92);
  }
  drop_joint(&s);
}

/* All axes by a factor: T = ln p of a Gaussian is a constant - chi^2/2, and E|change| is its mean. */
static void stretch(fare_ensemble *e, double by)
{
  for (int axis = 0; axis < e->dim; axis++) {
    for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->x[axis][i] *= by;
  }
}

static void stretched_draws(void **state)
{
  const double  by    = 1.1;
  const double  truth = 0.5 * AXES * (by * by - 1);
  joint_subject s     = make_joint(gaussian_4);

  (void)state;
  assert_true(look(&s, "log_density_shift", 2000, truth, stretch, by).inside >= 0.9);
  drop_joint(&s);
}

/* One axis alone. */
static void push(fare_ensemble *e, double by)
{
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->x[0][i] += by;
}

/* P(chi^2 <= x) of so many degrees of freedom, an even number. */
static double chi_squared(int freedom, double x)
{
  double term = 1, sum = 0;

  for (int i = 0; i < freedom / 2; i++) {
    sum += term;
    term *= 0.5 * x / (i + 1);
  }
  return 1 - exp(-0.5 * x) * sum;
}

/*
  Of p the quadratic form is chi^2 of four degrees of freedom; of what is pushed, one that is not central: a
  mixture of more degrees by Poisson's law.
*/
static double largest_difference(double noncentral)
{
  double largest = 0;

  for (double x = 0; x < 30; x += 0.01) {
    double weight = exp(-0.5 * noncentral), sum = 0;

    for (int j = 0; j < 40; j++) {
      sum += weight * chi_squared(AXES + 2 * j, x);
      weight *= 0.5 * noncentral / (j + 1);
    }
    largest = PetscMax(largest, chi_squared(AXES, x) - sum);
  }
  return largest;
}

/* The mean over the directions of slices of how far they go along the first axis. */
static double mean_slope(void)
{
  fare_random random = {.stream = fare_stream_make(1, "directions of slices")};
  double      mean   = 0;

  for (int k = 0; k < 16; k++) {
    double direction[AXES], square = 0;

    for (int axis = 0; axis < AXES; axis++) {
      direction[axis] = fare_random_normal(&random);
      square += direction[axis] * direction[axis];
    }
    mean += fabs(direction[0]) / sqrt(square) / 16;
  }
  return mean;
}

/* The variance of the first axis by elimination; its precision is 1. */
static double variance_of_first(void)
{
  const double K[3][3] = {{1.5, -0.3, 0}, {-0.3, 1, -0.6}, {0, -0.6, 2}};
  double       below   = K[1][1] - K[1][2] * K[1][2] / K[2][2];

  return 1 / (1 - 0.25 / (K[0][0] - K[0][1] * K[0][1] / below));
}

static void pushed_log_densities(void **state)
{
  const double  by = 0.5;
  joint_subject s  = make_joint(gaussian_4);

  (void)state;
  assert_true(look(&s, "log_density_ks", 2000, largest_difference(by * by), push, by).inside >= 0.92);
  drop_joint(&s);
}

/* The covariance, from the precision. */
static void covariance(double of[AXES][AXES])
{
  double K[AXES][AXES] = {{1, -0.5, 0, 0}, {-0.5, 1.5, -0.3, 0}, {0, -0.3, 1, -0.6}, {0, 0, -0.6, 2}};

  for (int i = 0; i < AXES; i++) {
    for (int j = 0; j < AXES; j++) of[i][j] = i == j;
  }
  for (int i = 0; i < AXES; i++) { /* Gauss and Jordan */
    const double pivot = K[i][i];

    for (int j = 0; j < AXES; j++) {
      K[i][j] /= pivot;
      of[i][j] /= pivot;
    }
    for (int k = 0; k < AXES; k++) {
      const double factor = K[k][i];

      for (int j = 0; j < AXES && k != i; j++) {
        K[k][j] -= factor * K[i][j];
        of[k][j] -= factor * of[i][j];
      }
    }
  }
}

/* The mean divergence of pairs of axes when the first axis is pushed by 1: of half of them. */
static double divergence_of_pairs(void)
{
  double s[AXES][AXES], sum = 0;

  covariance(s);
  assert_near(s[0][0], variance_of_first(), 1e-12);
  for (int b = 1; b < AXES; b++) sum += 0.5 * s[b][b] / (s[0][0] * s[b][b] - s[0][b] * s[0][b]);
  return sum / (AXES * (AXES - 1) / 2.);
}

/* Means take the noise of their parts as common to all, so that their intervals are wide. */
static void pushed_axes(void **state)
{
  const double  by = 0.5, v = variance_of_first();
  const int     n = seeds() / 4;
  joint_subject s = make_joint(gaussian_4);

  (void)state;
  assert_true(look_at(n, &s, "marginals_1", 2000, by * by / 2 / v / AXES, push, by).inside >= 0.84);
  assert_true(look_at(n, &s, "marginals_1_max", 2000, by * by / 2 / v, push, by).inside >= 0.84);
  assert_true(look_at(n, &s, "marginals_1_wasserstein", 2000, by / AXES, push, by).inside >= 0.84);
  drop_joint(&s);
}

/* Fewer replicates of floors than elsewhere: they take most of the time. */
#define FEW 25

static void sliced(void **state)
{
  const double  by = 0.3;
  const int     n  = seeds() / 2;
  joint_subject s  = make_joint(gaussian_4);
  seen          of;

  (void)state;
  replicates = FEW;
  of         = look_at(n, &s, "sliced_wasserstein", 2000, 0, NULL, 0);
  assert_near(of.value / of.floor, 1, 0.08);
  assert_true(of.alarms <= 0.08);
  assert_true(of.inside >= 0.92);
  assert_true(look_at(n, &s, "sliced_wasserstein", 2000, by * mean_slope(), push, by).inside >= 0.92);
  drop_joint(&s);
}

static void pairs(void **state)
{
  const double  by = 0.3, truth = by * by * divergence_of_pairs();
  const int     n = seeds() / 4;
  joint_subject s = make_joint(gaussian_4);
  seen          of;

  (void)state;
  replicates = FEW;
  of         = look_at(n, &s, "marginals_2", 2000, 0, NULL, 0);
  assert_near(of.value / of.floor, 1, 0.06);
  assert_true(of.alarms <= 0.08);
  assert_true(of.inside >= 0.92);
  assert_true(look_at(n, &s, "marginals_2", 2000, truth, push, by).inside >= 0.92);
  drop_joint(&s);
}

/* A share of the leftmost component goes to another one. */
static void move_some(fare_ensemble *e, double share)
{
  const int64_t every = share > 0 ? llround(1 / share) : INT64_MAX;
  int64_t       met   = 0;

  for (int64_t i = 0; i < e->count; i++) {
    if (e->x[0][i] > -3 || ++met % every) continue;
    e->x[0][i] += 6;
    e->x[1][i] += 6;
  }
}

static void populations(void **state)
{
  joint_subject s  = make_joint(mixture_4);
  seen          of = look(&s, "modes", SAMPLES, 0, NULL, 0);

  (void)state;
  assert_near(of.value / of.floor, 1, 0.09);
  assert_true(of.alarms <= 0.09);
  assert_true(of.inside >= 0.92);
  assert_true(look(&s, "modes", 2000, 0.25 / 6, move_some, 0.25).inside >= 0.9);
  drop_joint(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(exact_draws),
  cmocka_unit_test(stretched_draws),
  cmocka_unit_test(pushed_log_densities),
  cmocka_unit_test(pushed_axes),
  cmocka_unit_test(sliced),
  cmocka_unit_test(pairs),
  cmocka_unit_test(populations),
};
FARE_TEST_MAIN(tests)
