/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,2,3,4 timeout=60 */
#include "fare_test.h"

#define COUNT 20011 /* not a whole number of blocks */

static void blocks_cover_everything_once(void **state)
{
  fare_ensemble *e;
  int64_t        sum[2];

  (void)state;
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, COUNT, &e));
  sum[0] = e->local;
  sum[1] = e->blocks;
  MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
  assert_int_equal(sum[0], COUNT);
  assert_int_equal(sum[1], (COUNT + FARE_BLOCK - 1) / FARE_BLOCK);
  assert_ok(fare_ensemble_destroy(&e));
}

/* Draws `initial` over all ranks and alone: the bits must be the same. The distributed one is handed out. */
static void draw_both_ways(const fare_initial *initial, const fare_system *system, fare_ensemble **e)
{
  const fare_stream stream = fare_stream_make(1, "draw");
  fare_ensemble    *alone;
  uint64_t          sum, sum_alone;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, fare_system_dimension(system), COUNT, e));
  assert_ok(fare_ensemble_create(PETSC_COMM_SELF, fare_system_dimension(system), COUNT, &alone));
  assert_ok(fare_ensemble_draw(*e, initial, system, 0, stream));
  assert_ok(fare_ensemble_draw(alone, initial, system, 0, stream));
  assert_ok(fare_ensemble_checksum(*e, &sum));
  assert_ok(fare_ensemble_checksum(alone, &sum_alone));
  assert_true(sum == sum_alone);
  if (alone->local) alone->x[0][COUNT / 2] = nextafter(alone->x[0][COUNT / 2], 10);
  assert_ok(fare_ensemble_checksum(alone, &sum_alone));
  assert_true(sum != sum_alone);
  assert_ok(fare_ensemble_is_valid(*e));
  assert_ok(fare_ensemble_destroy(&alone));
}

static void draws_from_boltzmann(void **state)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  fare_system       *system;
  fare_ensemble     *e;
  double             mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system));
  draw_both_ways(&initial, system, &e);
  assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
  assert_near(mean[0], 0.0959511415, 5 * sqrt(0.2624 / COUNT));
  assert_near(variance[0], 0.2624231109, 5 * 0.2624 * sqrt(2. / COUNT));
  assert_near(effective, COUNT, 1e-6);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_system_destroy(&system));
}

static void draws_gaussians_and_uniforms(void **state)
{
  double       means[] = {0.5, -1, 2}, sds[] = {0.1, 1, 2};
  fare_initial gaussian = {.density = FARE_INITIAL_GAUSSIAN, .mean = {3, means}, .sd = {3, sds}},
               uniform  = {.density = FARE_INITIAL_UNIFORM};
  fare_system   *system;
  fare_ensemble *e;
  double         mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 3, &system));
  draw_both_ways(&gaussian, system, &e);
  assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
  for (int axis = 0; axis < 3; axis++) {
    assert_near(mean[axis], means[axis], 5 * sds[axis] / sqrt(COUNT));
    assert_near(variance[axis], sds[axis] * sds[axis], 5 * sds[axis] * sds[axis] * sqrt(2. / COUNT));
  }
  assert_ok(fare_ensemble_destroy(&e));
  draw_both_ways(&uniform, system, &e);
  assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
  for (int axis = 0; axis < 3; axis++) {
    assert_near(mean[axis], 0, 5 * 16 / sqrt(12. * COUNT));
    assert_near(variance[axis], 256 / 12., 5 * 256 / 12. / sqrt(COUNT));
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_system_destroy(&system));
}

/* One bad particle on the last rank is found by all, and named. */
static void a_bad_particle_is_named(void **state)
{
  fare_ensemble *e;

  (void)state;
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, COUNT, &e));
  assert_ok(fare_ensemble_is_valid(e));
  if (e->first_block * FARE_BLOCK <= COUNT - 1 && COUNT - 1 < (e->first_block + e->blocks) * FARE_BLOCK)
    e->x[0][COUNT - 1 - e->first_block * FARE_BLOCK] = NAN;
  assert_int_equal(fare_ensemble_is_valid(e), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "particle 20010 "));
  assert_ok(fare_ensemble_destroy(&e));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(blocks_cover_everything_once),
  cmocka_unit_test(draws_from_boltzmann),
  cmocka_unit_test(draws_gaussians_and_uniforms),
  cmocka_unit_test(a_bad_particle_is_named),
};
FARE_TEST_MAIN(tests)
