/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=2 timeout=240 */
/*
  Measures of truths without a grid: exact draws are within the floors, generators that are wrong in a known
  way show values that are known in closed form, and every rank count gives the same bits.
*/
#include "joints.h"

#define AXES 4
static const char gaussian_4[] = "system: {name: linear, matrix: [[-1, 0.5, 0, 0], [0.5, -1.5, 0.3, 0], [0, "
                                 "0.3, -1, 0.6], [0, 0, 0.6, -2]]}\n"
                                 "initial: {density: boltzmann}\n"
                                 "truth: {kind: gaussian}\n";

/* Exact draws, of a stream of their own. */
static fare_ensemble *draws_of(fare_joint *joint, int64_t count, uint64_t seed)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, joint->dim, count, &e));
  assert_ok(fare_joint_draw(joint, fare_stream_make(seed, "samples"), e));
  return e;
}

static fare_measured measure(fare_joint *joint, const fare_ensemble *e, const char *name, const double *log_q)
{
  const fare_measure_type *type = fare_joint_measure_find(name);
  fare_measured            m;

  assert_non_null(type);
  assert_ok(fare_joint_compare(joint, e, log_q, 1, &type, 100, fare_stream_make(77, "measures"), &m));
  return m;
}

/* Those of samples alone. */
static const char *const of_samples[] = {"rosenblatt", "marginals_1", "marginals_1_max",
  "marginals_1_wasserstein", "marginals_2", "marginals_2_max", "log_density_shift", "log_density_ks",
  "energy_distance", "sliced_wasserstein", "stein"};

static void exact_draws_are_within_the_floors(void **state)
{
  joint_subject  s = make_joint(gaussian_4);
  fare_ensemble *e = draws_of(s.joint, 20000, 1);

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(of_samples); i++) {
    const fare_measured m = measure(s.joint, e, of_samples[i], NULL);

    if (!(fabs(m.significance) < 3.5)) fail_msg("%s: significance %g", of_samples[i], m.significance);
    assert_int_equal(m.interval, FARE_INTERVAL);
    assert_between(m.p_value, 1e-3, 1);
    assert_true(m.value < m.floor_mean + 4 * (m.floor_high - m.floor_mean));
    assert_true(m.low <= 1e-3 && m.high > 0);
  }
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

static void shift(fare_ensemble *e, int axis, double by)
{
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->x[axis][i] += by;
}

/* One axis moved by 1: N(m, v) to N(m + 1, v), of the whole Gaussian and of one axis. */
static void a_shift_is_measured(void **state)
{
  joint_subject  s              = make_joint(gaussian_4);
  fare_ensemble *e              = draws_of(s.joint, 40000, 2);
  double         variance[AXES] = {0}, *log_q;
  fare_measured  m;

  (void)state;
  /* (-A)^-1 by Cramer's rule along the diagonal; the precision of axis 0 is 1: D = 1/2 */
  {
    const double K[AXES][AXES] = {{1, -0.5, 0, 0}, {-0.5, 1.5, -0.3, 0}, {0, -0.3, 1, -0.6}, {0, 0, -0.6, 2}};
    const double m23           = K[2][2] * K[3][3] - K[2][3] * K[2][3],
                 m123          = K[1][1] * m23 - K[1][2] * K[1][2] * K[3][3],
                 det           = K[0][0] * m123 - K[0][1] * K[0][1] * m23;

    variance[0] = m123 / det;
  }
  assert_ok(PetscMalloc1((size_t)e->local + 1, &log_q));
  assert_ok(s.joint->type->log_density(s.joint, 0, e->local, (const double *const *)e->x, log_q));
  shift(e, 0, 1);
  m = measure(s.joint, e, "reverse_kl_density", log_q); /* q(x) = p(x - 1) */
  assert_near(m.value, 0.5, 5 * 1 / sqrt(40000));
  assert_between(0.5, m.low, m.high);
  m = measure(s.joint, e, "kl_density", log_q);
  assert_between(0.5, m.low - 0.05, m.high + 0.05);
  m = measure(s.joint, e, "density_mass", log_q);
  assert_between(1, m.low - 0.02, m.high + 0.02);
  m = measure(s.joint, e, "marginals_1", NULL); /* 1/(2 v_0), one of four axes */
  assert_near(m.value, 0.5 / variance[0] / 4, 0.01);
  m = measure(s.joint, e, "marginals_1_max", NULL);
  assert_near(m.value, 0.5 / variance[0], 0.03);
  assert_between(0.5 / variance[0], m.low - 0.01, m.high + 0.01);
  m = measure(s.joint, e, "marginals_1_wasserstein", NULL); /* every particle goes by 1 */
  assert_near(m.value, 0.25, 0.015);
  m = measure(s.joint, e, "rosenblatt", NULL); /* of at most 1/2; binning loses some */
  assert_between(m.value, 0.35, 0.5);
  assert_true(m.significance > 20 && m.high < 0.52);
  /* energy distance in one axis, up to what the others add: below that of one axis alone */
  m = measure(s.joint, e, "energy_distance", NULL);
  assert_true(m.significance > 10 && m.low > 0);
  m = measure(s.joint, e, "stein", NULL);
  assert_true(m.significance > 10 && m.low > 0);
  m = measure(s.joint, e, "log_density_shift", NULL); /* the mean of ln p falls by 1/2 */
  assert_between(m.value, 0.45, 0.6);
  assert_ok(PetscFree(log_q));
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

/* Two normal distributions of one axis, N(0, 1) the truth and N(a, 1): closed forms and plain quadrature. */
static double normal(double x, double mean)
{
  return exp(-0.5 * (x - mean) * (x - mean)) / sqrt(2 * M_PI);
}

/* Stein's kernel of (1 + (x - y)^2/2)^(-1/2), by differences: s s k + s k_y + s k_x + k_xy, with s = -x. */
static double k_of(double x, double y)
{
  return 1 / sqrt(1 + 0.5 * (x - y) * (x - y));
}

static double stein_of(double x, double y)
{
  const double h = 1e-3, kx = (k_of(x + h, y) - k_of(x - h, y)) / (2 * h),
               ky  = (k_of(x, y + h) - k_of(x, y - h)) / (2 * h),
               kxy = (k_of(x + h, y + h) - k_of(x + h, y - h) - k_of(x - h, y + h) + k_of(x - h, y - h)) /
    (4 * h * h);

  return x * y * k_of(x, y) - x * ky - y * kx + kxy;
}

/* E|X - Y|, X and Y of N(0, 1) and N(a, 1): of N(a, 2). */
static double mean_distance(double a)
{
  return 2 / sqrt(M_PI) * exp(-a * a / 4) + a * erf(a / 2);
}

static void pairs_against_closed_forms(void **state)
{
  const double   a = 0.6, h = 0.05;
  joint_subject  s = make_joint("system: {name: ornstein_uhlenbeck}\ninitial: {density: gaussian, mean: [0], "
                                 "sd: [1]}\ntruth: {kind: gaussian}\n");
  fare_ensemble *e = draws_of(s.joint, 60000, 4);
  double         stein = 0;
  fare_measured  m;

  (void)state;
  shift(e, 0, a);
  for (double x = a - 7; x < a + 7; x += h) {
    for (double y = a - 7; y < a + 7; y += h) stein += h * h * normal(x, a) * normal(y, a) * stein_of(x, y);
  }
  m = measure(s.joint, e, "energy_distance", NULL);
  assert_near(m.value, 2 * mean_distance(a) - 2 * mean_distance(0), 0.03 * m.value + (m.high - m.low) / 2);
  assert_between(2 * mean_distance(a) - 2 * mean_distance(0), m.low - 0.01, m.high + 0.01);
  m = measure(s.joint, e, "stein", NULL);
  /* l^2 is found by 512 draws: to a tenth */
  assert_near(m.value / 2, stein, 0.15 * stein);
  m = measure(s.joint, e, "sliced_wasserstein", NULL);
  assert_near(m.value, a, 0.03);
  m = measure(s.joint, e, "log_density_ks", NULL); /* of x^2: P(|Z| <= c) against P(|Z + a| <= c) */
  {
    double largest = 0;

    for (double c = 0; c < 4; c += 0.001)
      largest = PetscMax(largest, erf(c / sqrt(2)) - 0.5 * (erf((c - a) / sqrt(2)) + erf((c + a) / sqrt(2))));
    assert_near(m.value, largest, 0.02);
  }
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

/* A mixture of which a component got another weight: half the sum of differences is the difference. */
static void modes_are_counted(void **state)
{
  joint_subject s =
    make_joint("system: {name: gaussian_mixture, weights: [1, 3], mean: [-6, 0, 6, 0], sd: [1]}\n"
               "initial: {density: boltzmann}\ntruth: {kind: mixture}\n");
  fare_ensemble *e = draws_of(s.joint, 20000, 5);
  fare_measured  m;

  (void)state;
  m = measure(s.joint, e, "modes", NULL);
  assert_true(fabs(m.significance) < 4 && m.value < 0.02);
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->x[0][i] = -e->x[0][i];
  m = measure(s.joint, e, "modes", NULL);
  assert_near(m.value, 0.5, 0.02);
  assert_between(0.5, m.low, m.high);
  m = measure(s.joint, e, "stein", NULL); /* blind to it */
  assert_true(fabs(m.significance) < 4);
  /* weights in place of copies: the mirrored particles weighed back */
  assert_ok(fare_ensemble_weigh(e));
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) e->weight[i] = e->x[0][i] < 0 ? 1. / 9 : 1;
  m = measure(s.joint, e, "modes", NULL);
  assert_near(m.value, 0, 0.03);
  m = measure(s.joint, e, "energy_distance", NULL);
  assert_true(fabs(m.significance) < 4);
  m = measure(s.joint, e, "rosenblatt", NULL);
  assert_true(fabs(m.value) < 0.02);
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

/* The truth on one rank alone, and on all: every number is the same to the bit. */
static void ranks_do_not_matter(void **state)
{
  joint_subject  s   = make_joint(gaussian_4);
  fare_ensemble *all = draws_of(s.joint, 3000, 6), *own;
  fare_joint    *alone;

  (void)state;
  assert_ok(fare_joint_create(PETSC_COMM_SELF, s.type, s.options, s.system, s.initial, 0, &alone));
  assert_ok(fare_ensemble_create(PETSC_COMM_SELF, AXES, 3000, &own));
  assert_ok(fare_joint_draw(alone, fare_stream_make(6, "samples"), own));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(of_samples); i++) {
    const fare_measured a = measure(s.joint, all, of_samples[i], NULL),
                        b = measure(alone, own, of_samples[i], NULL);

    assert_memory_equal(&a.value, &b.value, sizeof a.value);
    assert_memory_equal(&a.significance, &b.significance, sizeof a.value);
    assert_memory_equal(&a.high, &b.high, sizeof a.value);
  }
  assert_ok(fare_ensemble_destroy(&all));
  assert_ok(fare_ensemble_destroy(&own));
  assert_ok(fare_joint_destroy(&alone));
  drop_joint(&s);
}

/*
  A product of the marginals of a Gaussian: D(q||p) and D(p||q) in closed form. With unit variances and
  correlation r of two axes D(p||q) = -ln(1 - r^2)/2 and D(q||p) = r^2/(1 - r^2) + ln(1 - r^2)/2.
*/
static void a_product_of_marginals(void **state)
{
  const double   r = 0.6, D_pq = -0.5 * log(1 - r * r), D_qp = r * r / (1 - r * r) + 0.5 * log(1 - r * r);
  char           yaml[512];
  joint_subject  s;
  fare_sampler  *sampler;
  fare_ensemble *e;
  double        *log_q;
  fare_schedule  schedule = {.start = 0, .end = 1, .count = 2};
  fare_measured  m;

  (void)state;
  snprintf(yaml, sizeof yaml,
    "system: {name: linear, matrix: [[%.17g, %.17g], [%.17g, %.17g]]}\ninitial: {density: boltzmann}\n"
    "truth: {kind: gaussian}\n",
    -1 / (1 - r * r), r / (1 - r * r), r / (1 - r * r), -1 / (1 - r * r));
  s = make_joint(yaml);
  assert_ok(fare_sampler_create(PETSC_COMM_WORLD, fare_sampler_type_find("product_of_marginals"), "q", NULL,
    3, s.system, s.initial, &schedule, &sampler));
  fare_sampler_set_joint(sampler, s.joint);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 60000, &e));
  assert_ok(fare_sampler_advance(sampler, 0, e));
  assert_ok(PetscMalloc1((size_t)e->local + 1, &log_q));
  assert_ok(sampler->type->log_density(sampler, e->local, (const double *const *)e->x, log_q));
  m = measure(s.joint, e, "reverse_kl_density", log_q);
  assert_near(m.value, D_qp, 0.02);
  assert_between(D_qp, m.low - 0.005, m.high + 0.005);
  m = measure(s.joint, e, "kl_density", log_q);
  assert_near(m.value, D_pq, 0.02);
  m = measure(s.joint, e, "density_mass", log_q);
  assert_near(m.value, 1, 0.02);
  m = measure(s.joint, e, "marginals_1", NULL); /* blind to it */
  assert_true(fabs(m.significance) < 4);
  m = measure(s.joint, e, "marginals_2", NULL); /* all of it, but for bins */
  assert_between(m.value, 0.85 * D_pq, 1.05 * D_pq);
  m = measure(s.joint, e, "rosenblatt", NULL);
  assert_near(
    m.value, 0.2484, 0.01); /* on 16 x 16 cells, by NumPy; thin tails of the truth hide in the outermost */
  assert_ok(PetscFree(log_q));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  drop_joint(&s);
}

/* y_0 becomes y_0 + by, and y_1 what is correlated with it, in the axes of the blocks. */
static void spoil(const fare_joint *joint, fare_ensemble *e, double by, double correlation)
{
  const fare_product *product = fare_product_of(joint->system);
  const int64_t       n       = e->blocks * FARE_BLOCK;
  double             *y[AXES];

  assert_ok(PetscMalloc1(AXES * n, &y[0]));
  for (int axis = 1; axis < AXES; axis++) y[axis] = y[0] + axis * n;
  fare_product_to_blocks(product, (size_t)n, (const double *const *)e->x, y);
  for (int64_t i = 0; i < n; i++) {
    y[1][i] = correlation * y[0][i] + sqrt(1 - correlation * correlation) * y[1][i];
    y[0][i] += by;
  }
  fare_product_from_blocks(product, (size_t)n, (const double *const *)y, e->x);
  assert_ok(PetscFree(y[0]));
}

/*
  Four normal axes under a rotation: D is 1/2 where one block is moved by 1, and -ln(1 - r^2)/2 where two are
  correlated, which none shows alone. Cells lose some.
*/
static void blocks_are_seen_through_a_rotation(void **state)
{
  joint_subject s =
    make_joint("system: {name: product, copies: 4, unit: {name: ornstein_uhlenbeck}, rotation: "
               "haar, rotation_seed: 3}\n"
               "initial: {density: boltzmann}\ntruth: {kind: product, cells: 256}\n");
  fare_ensemble *e;
  fare_measured  m;

  (void)state;
  e = draws_of(s.joint, 20000, 1);
  m = measure(s.joint, e, "block_rosenblatt", NULL);
  assert_true(fabs(m.significance) < 3.5);
  spoil(s.joint, e, 1, 0);
  m = measure(s.joint, e, "block_rosenblatt", NULL);
  assert_between(m.value, 0.42, 0.5);
  assert_true(m.significance > 20 && m.high < 0.52);
  assert_ok(fare_ensemble_destroy(&e));
  e = draws_of(s.joint, 20000, 2);
  spoil(s.joint, e, 0, 0.8);
  m = measure(s.joint, e, "block_rosenblatt", NULL);
  assert_between(m.value, 0.4, -0.5 * log(1 - 0.64));
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

/* Even on the unit square; a companion has no density on half of it, and twice as much on the other. */
static int two_versions(const fare_joint *joint)
{
  (void)joint;
  return 2;
}

static PetscErrorCode half_is_empty(
  fare_joint *joint, int version, int64_t n, const double *const x[], double to[])
{
  (void)joint;
  for (int64_t i = 0; i < n; i++) to[i] = !version ? 0 : x[0][i] < 0.5 ? log(2) : -HUGE_VAL;
  return 0;
}

static PetscErrorCode as_it_is(fare_joint *joint, int64_t n, const double *const x[], double *const u[])
{
  for (int axis = 0; axis < joint->dim; axis++) memcpy(u[axis], x[axis], (size_t)n * sizeof **u);
  return 0;
}

static void a_companion_without_density_counts(void **state)
{
  const fare_joint_type type = {
    .name = "square", .versions = two_versions, .log_density = half_is_empty, .rosenblatt = as_it_is};
  fare_joint     joint = {.type = &type, .comm = PETSC_COMM_WORLD, .dim = 2};
  const int64_t  n     = 4096;
  fare_ensemble *e;
  fare_measured  m;

  (void)state;
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, n, &e));
  for (int64_t i = 0; i < e->local; i++) e->x[0][i] = e->x[1][i] = (double)(i % 64) / 64 + 1. / 128;
  m = measure(&joint, e, "rosenblatt", NULL);
  assert_near(m.truth_error, fabs(0.5 * log(2) - 0.5 * log(2. * (double)n + 1)), 1e-12);
  assert_ok(fare_ensemble_destroy(&e));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(exact_draws_are_within_the_floors),
  cmocka_unit_test(a_shift_is_measured),
  cmocka_unit_test(pairs_against_closed_forms),
  cmocka_unit_test(modes_are_counted),
  cmocka_unit_test(ranks_do_not_matter),
  cmocka_unit_test(a_product_of_marginals),
  cmocka_unit_test(blocks_are_seen_through_a_rotation),
  cmocka_unit_test(a_companion_without_density_counts),
};
FARE_TEST_MAIN(tests)
