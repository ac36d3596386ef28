/* fare-test: labels=verification ranks=1,2 timeout=240 */
/* Diffusion learned in earnest, in little time, from densities of closed form that move: two wells in one dimension, a Gaussian in two. */
#include "student.h"

#define SAMPLE 16384 /* particles of each training time */
#define GOOD   0.006 /* what so short a training reaches everywhere */

#define WELLS "{width: 32, layers: 3, steps: 4000, batch: 1024, learning_rate: 4.0e-3, octaves: 4, time_octaves: 2"

static void two_moving_wells(void **state)
{
  student           s, stochastic;
  const fare_curve *curve;
  char              path[64];
  int               size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_diffusion_wells.%d.h5", size);
  student_begin(PETSC_COMM_WORLD, "diffusion", 1, WELLS "}", &s);
  teach(&s, SAMPLE);
  curve = s.sampler->type->curve(s.sampler);
  assert_true(curve->count > 100);
  assert_true(curve->loss[curve->count - 1] < curve->loss[0]);
  assert_good_wells(&s, GOOD);
  keep(&s, path, PETSC_TRUE);
  student_end(&s);

  /* the same network through the stochastic solver: a different path to the same density */
  student_begin(PETSC_COMM_WORLD, "diffusion", 1, WELLS ", solver: sde}", &stochastic);
  keep(&stochastic, path, PETSC_FALSE);
  assert_good_wells(&stochastic, GOOD);
  student_end(&stochastic);
}

/* The variance-preserving process with predicted noise: another training, levels of its own, the same flow. */
static void the_variance_preserving_form(void **state)
{
  student s;
  int     size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  if (size > 1) return; /* nothing here knows of ranks that the others have not seen */
  student_begin(PETSC_COMM_WORLD, "diffusion", 1, WELLS ", parametrisation: vp, sampling_steps: 32}", &s);
  teach(&s, SAMPLE);
  assert_good_wells(&s, 2 * GOOD);
  student_end(&s);
}

static void a_moving_gaussian_in_two_dimensions(void **state)
{
  student s;

  (void)state;
  student_begin(PETSC_COMM_WORLD, "diffusion", 2, "{width: 32, layers: 2, steps: 3000, batch: 1024, learning_rate: 4.0e-3, octaves: 1, time_octaves: 2}", &s);
  teach(&s, SAMPLE);
  assert_good_gaussian(&s, 20000);
  student_end(&s);
}

#define SHORT "{width: 16, layers: 2, steps: 60, batch: 700, sampling_steps: 18}"

/* Trains where there is something to learn from, and draws twice; the second draw's checksum. */
static void short_run(student *s, int64_t training, int64_t drawn, uint64_t *sum)
{
  fare_ensemble *e;

  if (training) teach(s, training);
  assert_ok(fare_ensemble_create(s->comm, s->dim, drawn, &e));
  assert_ok(fare_sampler_advance(s->sampler, 0.25, e));
  assert_ok(fare_sampler_advance(s->sampler, 0.5, e));
  assert_ok(fare_ensemble_checksum(e, sum));
  assert_ok(fare_ensemble_destroy(&e));
}

/* Two trainings alike; also with so few particles that one of two ranks has none. */
static void runs_repeat_to_the_bit(void **state)
{
  const int64_t training[] = {5000, 300}, drawn[] = {3000, 200};

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    for (int few = 0; few < 2; few++) {
      uint64_t sum[2];

      for (int k = 0; k < 2; k++) {
        student s;
        int64_t rows;

        student_begin(PETSC_COMM_WORLD, "diffusion", dim, SHORT, &s);
        short_run(&s, training[few], drawn[few], &sum[k]);
        rows = s.sampler->cost.network_evaluations;
        MPI_Allreduce(MPI_IN_PLACE, &rows, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
        assert_int_equal(rows, 60 * 700 + 2 * drawn[few] * (2 * 18 - 1));
        student_end(&s);
      }
      assert_true(sum[0] == sum[1]);
    }
  }
}

/* What was saved draws on as the original does, together or on one rank: every block has its bits wherever it lives. */
static void saved_networks_draw_the_same(void **state)
{
  const MPI_Comm comm[2] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  uint64_t       sum, first, again;
  student        s;
  char           path[64];
  int            size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_diffusion.%d.h5", size);
  student_begin(PETSC_COMM_WORLD, "diffusion", 2, SHORT, &s);
  short_run(&s, 5000, 3000, &first);
  keep(&s, path, PETSC_TRUE);
  short_run(&s, 0, 3000, &sum);
  assert_true(first != sum); /* later draws are new ones */
  student_end(&s);
  for (int k = 0; k < 2; k++) {
    const fare_curve *curve;

    student_begin(comm[k], "diffusion", 2, SHORT, &s);
    keep(&s, path, PETSC_FALSE);
    short_run(&s, 0, 3000, &again);
    assert_true(again == sum);
    curve = s.sampler->type->curve(s.sampler);
    assert_int_equal(curve->count, 60);
    student_end(&s);
  }
}

static void untrained_samplers_refuse(void **state)
{
  fare_ensemble *e;
  student        s;

  (void)state;
  student_begin(PETSC_COMM_WORLD, "diffusion", 1, "{}", &s);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 10, &e));
  assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "must be trained"));
  assert_ok(fare_ensemble_destroy(&e));
  student_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_moving_wells),
  cmocka_unit_test(the_variance_preserving_form),
  cmocka_unit_test(a_moving_gaussian_in_two_dimensions),
  cmocka_unit_test(runs_repeat_to_the_bit),
  cmocka_unit_test(saved_networks_draw_the_same),
  cmocka_unit_test(untrained_samplers_refuse),
};
FARE_TEST_MAIN(tests)
