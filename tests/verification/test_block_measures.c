/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=2 timeout=240 */
/*
  Blocks of a product under a rotation: what is wrong within blocks and what is wrong between them are told
  apart, and add up to the divergence in closed form. Wells of blocks and of sites are counted.
*/
#include "joints.h"

#include <fare/product.h>

#define AXES 4
static const char normals[] =
  "system: {name: product, copies: 4, unit: {name: ornstein_uhlenbeck}, rotation: "
  "haar, rotation_seed: 5}\n"
  "initial: {density: boltzmann}\n"
  "truth: {kind: product, cells: [256], lower: [-7.0], upper: [7.0]}\n";
static const char wells[] = "system: {name: product, copies: 4, unit: {name: many_well}, rotation: haar}\n"
                            "initial: {density: boltzmann}\n"
                            "truth: {kind: product, cells: [128]}\n";
static const char chain[] =
  "system: {name: chain, sites: 4, unit: {name: double_well, parameters: {height: 3}}}\n"
  "initial: {density: mixture, weights: [1, 1], mean: [-1, -1, -1, -1, 1, 1, 1, 1], "
  "sd: [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]}\n"
  "truth: {kind: tensor_train, cells: 24, lower: -2.4, upper: 2.4}\n";

/* Exact draws in the frame of the blocks, as an ensemble. */
static fare_ensemble *blocks_of(fare_joint *joint, int64_t count, uint64_t seed)
{
  fare_ensemble *e, *y;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, joint->dim, count, &e));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, joint->dim, count, &y));
  assert_ok(fare_joint_draw(joint, fare_stream_make(seed, "samples"), e));
  fare_product_to_blocks(
    fare_product_of(joint->system), (size_t)(e->blocks * FARE_BLOCK), (const double *const *)e->x, y->x);
  assert_ok(fare_ensemble_destroy(&e));
  return y;
}

static void back(fare_joint *joint, fare_ensemble *y)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, joint->dim, y->count, &e));
  fare_product_from_blocks(
    fare_product_of(joint->system), (size_t)(y->blocks * FARE_BLOCK), (const double *const *)y->x, e->x);
  for (int axis = 0; axis < y->dim; axis++)
    memcpy(y->x[axis], e->x[axis], (size_t)(y->blocks * FARE_BLOCK) * sizeof **y->x);
  assert_ok(fare_ensemble_destroy(&e));
}

static fare_measured measure(fare_joint *joint, const fare_ensemble *e, const char *name, const double *log_q)
{
  const fare_measure_type *type = fare_joint_measure_find(name);
  fare_measured            m;

  assert_non_null(type);
  assert_ok(fare_joint_compare(joint, e, log_q, 1, &type, 100, fare_stream_make(77, "measures"), &m));
  return m;
}

/*
  Blocks 0 and 1 get the correlation r, and block 2 the mean a: the divergence is -ln(1 - r^2)/2 + a^2/2 of
  unit normals, the first term between blocks and the second within.
*/
static void correlated(double r, double a, double *within, double *between)
{
  joint_subject  s = make_joint(normals);
  fare_ensemble *y = blocks_of(s.joint, 40000, 3);
  double        *log_q;
  fare_measured  m, all, rest;

  assert_ok(PetscMalloc1((size_t)y->local + 1, &log_q));
  for (int64_t i = 0; i < y->local; i++) {
    log_q[i] = -0.5 * AXES * log(2 * M_PI) - 0.5 * log(1 - r * r);
    for (int axis = 0; axis < AXES; axis++) log_q[i] -= 0.5 * y->x[axis][i] * y->x[axis][i];
  }
  for (int64_t i = 0; i < y->blocks * FARE_BLOCK; i++) {
    y->x[1][i] = r * y->x[0][i] + sqrt(1 - r * r) * y->x[1][i];
    y->x[2][i] += a;
  }
  back(s.joint, y);
  m    = measure(s.joint, y, "block_kl", log_q);
  rest = measure(s.joint, y, "total_correlation", log_q);
  all  = measure(s.joint, y, "reverse_kl_density", log_q);
  assert_between(a * a / 2, m.low - 0.004, m.high + 0.004);
  assert_between(-0.5 * log(1 - r * r), rest.low - 0.004, rest.high + 0.004);
  assert_near(m.excess + rest.value, all.value, 1e-12);
  if (a == 0) assert_true(fabs(m.significance) < 3.5);
  if (r == 0) assert_true(fabs(rest.value) < 0.01);
  if (r > 0) assert_true(rest.significance > 10);
  *within  = m.corrected;
  *between = rest.value;
  assert_ok(PetscFree(log_q));
  assert_ok(fare_ensemble_destroy(&y));
  drop_joint(&s);
}

static void within_and_between(void **state)
{
  double within, between;

  (void)state;
  correlated(0, 0, &within, &between);
  assert_near(within, 0, 0.004);
  correlated(0.6, 0, &within, &between);
  assert_near(within, 0, 0.004);
  assert_near(between, -0.5 * log(0.64), 0.01);
  correlated(0, 0.5, &within, &between);
  assert_near(within, 0.125, 0.01);
  correlated(0.6, 0.5, &within, &between);
  assert_near(within, 0.125, 0.01);
  assert_near(between, -0.5 * log(0.64), 0.015);
}

/* Particles of the right well of one block go to its left one: half of them, a share of all that is counted.
 */
static void wells_of_blocks(void **state)
{
  joint_subject  s     = make_joint(wells);
  fare_ensemble *y     = blocks_of(s.joint, 20000, 4);
  int64_t        moved = 0;
  fare_measured  m;

  (void)state;
  for (int64_t i = 0; i < y->blocks * FARE_BLOCK; i++) {
    if (!(y->x[2][i] > 0 && i % 2)) continue;
    moved += i < y->local;
    y->x[2][i] = -y->x[2][i];
  }
  back(s.joint, y);
  assert_ok(MPI_Allreduce(MPI_IN_PLACE, &moved, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD));
  m = measure(s.joint, y, "modes", NULL); /* the mean over four blocks */
  assert_near(m.value, (double)moved / 20000 / 4, 0.006);
  assert_true(m.significance > 10);
  assert_ok(fare_ensemble_destroy(&y));
  y = blocks_of(s.joint, 20000, 6);
  back(s.joint, y);
  m = measure(s.joint, y, "modes", NULL);
  assert_true(fabs(m.significance) < 4 && m.value < 0.006);
  assert_ok(fare_ensemble_destroy(&y));
  drop_joint(&s);
}

static void wells_of_sites(void **state)
{
  joint_subject  s = make_joint(chain);
  fare_ensemble *e;
  int64_t        moved = 0;
  fare_measured  m;

  (void)state;
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 4, 20000, &e));
  assert_ok(fare_joint_draw(s.joint, fare_stream_make(5, "samples"), e));
  m = measure(s.joint, e, "modes", NULL);
  assert_true(fabs(m.significance) < 4 && m.value < 0.01);
  for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++) {
    if (!(e->x[1][i] > 0 && i % 3 == 0)) continue;
    moved += i < e->local;
    e->x[1][i] = -e->x[1][i];
  }
  assert_ok(MPI_Allreduce(MPI_IN_PLACE, &moved, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD));
  m = measure(s.joint, e, "modes", NULL);
  assert_near(m.value, (double)moved / 20000 / 4, 0.01);
  assert_true(m.significance > 8);
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

static void says(const char *yaml, const char *name, PetscBool has_log_density, const char *words)
{
  joint_subject s = make_joint(yaml);

  assert_int_equal(
    fare_joint_measure_check(fare_joint_measure_find(name), s.joint->type, s.joint->dim, has_log_density),
    FARE_ERR_INPUT);
  if (!strstr(fare_error_message(), words)) fail_msg("expected \"%s\" in: %s", words, fare_error_message());
  drop_joint(&s);
}

static void what_is_not_there_is_refused(void **state)
{
  static const char gaussian[] =
    "system: {name: ornstein_uhlenbeck}\ninitial: {density: gaussian, mean: [0], "
    "sd: [1]}\ntruth: {kind: gaussian}\n",
                    one[] = "system: {name: gaussian_mixture, weights: [1], mean: [0, 0], sd: [1]}\n"
                            "initial: {density: boltzmann}\ntruth: {kind: mixture}\n";

  (void)state;
  says(gaussian, "modes", PETSC_FALSE, "does not name");
  says(one, "modes", PETSC_FALSE, "does not name");
  says(gaussian, "block_kl", PETSC_FALSE, "product of blocks");
  says(chain, "total_correlation", PETSC_TRUE, "product of blocks");
  says(normals, "total_correlation", PETSC_FALSE, "their own ln q");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(within_and_between),
  cmocka_unit_test(wells_of_blocks),
  cmocka_unit_test(wells_of_sites),
  cmocka_unit_test(what_is_not_there_is_refused),
};
FARE_TEST_MAIN(tests)
