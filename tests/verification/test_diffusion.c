/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Diffusion learned in earnest, in little time, from densities of closed form that move: two wells in one
  dimension, a Gaussian in two.
*/
#include "moving.h"

#define SAMPLE 16384 /* particles of each training time */
#define GOOD   0.006 /* what so short a training reaches everywhere */

#define WELLS                                                                                \
  "{width: 32, layers: 3, steps: 4000, batch: 1024, learning_rate: 4.0e-3, frequencies: 4, " \
  "time_frequencies: 2"

static void two_moving_wells(void **state)
{
  student           s, stochastic;
  const fare_curve *curve;
  char              path[PATH_SIZE];

  (void)state;
  path_for("diffusion_wells", path);
  moving_begin(PETSC_COMM_WORLD, "diffusion", 1, WELLS "}", &s);
  teach_moving(&s, SAMPLE);
  curve = s.sampler->type->curve(s.sampler);
  assert_true(curve->count > 100);
  assert_true(curve->loss[curve->count - 1] < curve->loss[0]);
  assert_good_wells(&s, GOOD);
  save_sampler(s.sampler, path);
  student_end(&s);

  /* the same network through the stochastic solver: a different path to the same density */
  moving_begin(PETSC_COMM_WORLD, "diffusion", 1, WELLS ", solver: sde}", &stochastic);
  load_sampler(stochastic.sampler, path);
  assert_good_wells(&stochastic, GOOD);
  student_end(&stochastic);
}

/*
  The variance-preserving process with predicted noise: another training, levels of its own, the same flow.
*/
static void the_variance_preserving_form(void **state)
{
  student s;
  int     size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  if (size > 1) return; /* nothing here knows of ranks that the others have not seen */
  moving_begin(PETSC_COMM_WORLD, "diffusion", 1, WELLS ", parametrisation: vp, sampling_steps: 32}", &s);
  teach_moving(&s, SAMPLE);
  assert_good_wells(&s, 2 * GOOD);
  student_end(&s);
}

static void a_moving_gaussian_in_two_dimensions(void **state)
{
  student s;

  (void)state;
  moving_begin(PETSC_COMM_WORLD, "diffusion", 2,
    "{width: 32, layers: 2, steps: 3000, batch: 1024, learning_rate: 4.0e-3, frequencies: 1, "
    "time_frequencies: 2}",
    &s);
  teach_moving(&s, SAMPLE);
  assert_good_gaussian(&s, 20000);
  student_end(&s);
}

#define SHORT "{width: 16, layers: 2, steps: 60, batch: 700, sampling_steps: 18}"

/* Two trainings alike; also with so few particles that one of two ranks has none. */
static void runs_repeat_to_the_bit(void **state)
{
  const int64_t training[] = {5000, 300}, drawn[] = {3000, 200};

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    for (int few = 0; few < 2; few++) {
      uint64_t sum[2];

      for (int k = 0; k < 2; k++) {
        fare_ensemble *e;
        student        s;
        int64_t        rows;

        moving_begin(PETSC_COMM_WORLD, "diffusion", dim, SHORT, &s);
        teach_moving(&s, training[few]);
        assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, drawn[few], &e));
        assert_ok(fare_sampler_advance(s.sampler, 0.25, e));
        assert_ok(fare_sampler_advance(s.sampler, 0.5, e));
        assert_ok(fare_ensemble_checksum(e, &sum[k]));
        assert_ok(fare_ensemble_destroy(&e));
        rows = s.sampler->cost.network_evaluations;
        MPI_Allreduce(MPI_IN_PLACE, &rows, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
        assert_int_equal(rows, 60 * 700 + 2 * drawn[few] * (2 * 18 - 1));
        student_end(&s);
      }
      assert_true(sum[0] == sum[1]);
    }
  }
}

static void saved_networks_draw_the_same(void **state)
{
  (void)state;
  assert_saved_draw_the_same("diffusion", SHORT, 60);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_moving_wells),
  cmocka_unit_test(the_variance_preserving_form),
  cmocka_unit_test(a_moving_gaussian_in_two_dimensions),
  cmocka_unit_test(runs_repeat_to_the_bit),
  cmocka_unit_test(saved_networks_draw_the_same),
};
FARE_TEST_MAIN(tests)
