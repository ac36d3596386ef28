/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
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

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(exact_draws_are_within_the_floors),
  cmocka_unit_test(a_shift_is_measured),
};
FARE_TEST_MAIN(tests)
