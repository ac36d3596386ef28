/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1,2,3 timeout=60 */
/*
  What training is made of, against hand calculation: features, the optimiser, rows and batches on all ranks.
*/
#include "fare_test.h"

#include "learn_rows.h"

#include "learn/kernels.h"

#define ROWS 37 /* not a whole number of vectors */

static void octaves_are_sines_and_cosines(void **state)
{
  enum { FREQUENCIES = 6 };
  const double w = 0.9;
  float        u[ROWS], spread[ROWS], sharp[2 * FREQUENCIES][ROWS], faded[2 * FREQUENCIES][ROWS];

  (void)state;
  for (int i = 0; i < ROWS; i++) {
    u[i]      = (float)(0.3 * (i - 18));
    spread[i] = (float)(0.05 * i);
  }
  fare_learn_frequencies(FREQUENCIES, w, ROWS, u, NULL, ROWS, sharp[0]);
  fare_learn_frequencies(FREQUENCIES, w, ROWS, u, spread, ROWS, faded[0]);
  for (int k = 0; k < FREQUENCIES; k++) {
    for (int i = 0; i < ROWS; i++) {
      const double angle = ldexp(w, k) * (double)u[i],
                   fade  = exp(-0.5 * pow(ldexp(w, k) * (double)spread[i], 2));

      assert_near(sharp[2 * k][i], sin(angle), 4e-5); /* float32 loses a bit per octave */
      assert_near(sharp[2 * k + 1][i], cos(angle), 4e-5);
      assert_near(faded[2 * k][i], fade * sin(angle), 4e-5);
      assert_near(faded[2 * k + 1][i], fade * cos(angle), 4e-5);
    }
  }
}

/* Two steps of Adam by the formulas of the paper, with m and v unbiased before they are used. */
static void adam_steps_by_hand(void **state)
{
  const float g[2][3] = {{0.5f, -2, 0}, {-0.25f, -2, 1e-3f}};
  float       w[3] = {1, 2, 3}, m[3] = {0}, v[3] = {0};
  double      W[3] = {1, 2, 3}, M[3] = {0}, V[3] = {0};

  (void)state;
  for (int step = 1; step <= 2; step++) {
    fare_adam_step(0.01 * step, step, 3, g[step - 1], m, v, w);
    for (int k = 0; k < 3; k++) {
      const double G = (double)g[step - 1][k];

      M[k] = 0.9 * M[k] + 0.1 * G;
      V[k] = 0.999 * V[k] + 0.001 * G * G;
      W[k] -= 0.01 * step * (M[k] / (1 - pow(0.9, step))) / (sqrt(V[k] / (1 - pow(0.999, step))) + 1e-8);
      assert_near(w[k], W[k], 1e-6);
    }
    if (step == 1) {
      /* the first step has the learning rate's size, whatever the gradient's */
      assert_near(w[0], 0.99, 1e-6);
      assert_near(w[1], 2.01, 1e-6);
      assert_near(w[2], 3, 0);
    }
  }
}

static void averages_are_geometric(void **state)
{
  const double decay   = 0.9;
  float        mean[1] = {1};

  (void)state;
  for (int n = 1; n <= 20; n++) {
    const float w[1] = {3};

    fare_average_step(decay, 1, w, mean);
    assert_near(mean[0], 3 - 2 * pow(decay, n), 2e-6);
  }
}

static void the_rate_rises_and_falls(void **state)
{
  const fare_learn_options options = {.steps = 1100, .warmup = 100, .learning_rate = 0.02},
                           sudden  = {.steps = 10, .learning_rate = 1};

  (void)state;
  assert_near(fare_learn_rate(&options, 0), 0.02 / 100, 1e-15);
  assert_near(fare_learn_rate(&options, 49), 0.01, 1e-15);
  assert_near(fare_learn_rate(&options, 99), 0.02, 1e-15);
  assert_near(fare_learn_rate(&options, 100), 0.02, 1e-15);
  assert_near(fare_learn_rate(&options, 350), 0.02 * (0.5 + sqrt(0.125)), 1e-15);
  assert_near(fare_learn_rate(&options, 600), 0.01, 1e-15);
  assert_near(fare_learn_rate(&options, 1100), 0, 1e-15);
  assert_near(fare_learn_rate(&sudden, 0), 1, 0);
}

/* Every group counts alike, and within a group rows count by their weight. */
static void rows_are_standardised(void **state)
{
  (void)state;
  for (int weighted = 0; weighted < 2; weighted++) {
    fare_learn_rows *rows;
    double           mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

    fill_rows(PETSC_COMM_WORLD, weighted ? PETSC_TRUE : PETSC_FALSE, &rows, mean, sd);
    for (int axis = 0; axis < 2; axis++) {
      double first = 0, second = 0;

      for (int g = 0; g < GROUPS; g++) {
        double sum[3] = {0};

        for (int64_t i = 0; i < counts[g]; i++) {
          const double w = weighted ? weights[g][i] : 1;

          sum[0] += w;
          sum[1] += w * value[g][axis][i];
          sum[2] += w * value[g][axis][i] * value[g][axis][i];
        }
        first += sum[1] / sum[0] / GROUPS;
        second += sum[2] / sum[0] / GROUPS;
      }
      assert_near(mean[axis], first, 1e-12 * (1 + fabs(first)));
      assert_near(sd[axis], sqrt(second - first * first), 1e-10);
    }
    assert_ok(fare_learn_rows_destroy(&rows));
  }
}

/* Batches on all ranks together are the batch of one rank: rows, groups, weights and noise. */
static void batches_do_not_depend_on_ranks(void **state)
{
  enum { SIZE = 1300 };
  const fare_stream stream  = fare_stream_make(2, "batch");
  const MPI_Comm    comm[2] = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  static double     seen[2][5][SIZE];
  double            mean[FARE_DIM_MAX], sd[FARE_DIM_MAX], share[GROUPS] = {0};

  (void)state;
  memset(seen, 0, sizeof seen);
  for (int k = 0; k < 2; k++) {
    fare_learn_rows  *rows;
    fare_learn_batch *batch;
    float             z[SIZE];

    fill_rows(comm[k], PETSC_TRUE, &rows, mean, sd);
    assert_ok(fare_learn_batch_create(2, SIZE, &batch));
    fare_learn_batch_draw(batch, rows, stream, 77);
    fare_learn_batch_normals(batch, stream, 77, 1, z);
    for (int64_t i = 0; i < batch->count; i++) {
      const double columns[5] = {(double)batch->x[0][i], (double)batch->x[1][i], (double)batch->weight[i],
        (double)z[i], 1 + batch->group[i]};

      for (int c = 0; c < 5; c++) seen[k][c][batch->number[i]] += columns[c];
    }
    MPI_Allreduce(MPI_IN_PLACE, seen[k], 5 * SIZE, MPI_DOUBLE, MPI_SUM, comm[k]);
    assert_ok(fare_learn_batch_destroy(&batch));
    assert_ok(fare_learn_rows_destroy(&rows));
  }
  for (int i = 0; i < SIZE; i++) {
    for (int c = 0; c < 5; c++) assert_near(seen[0][c][i], seen[1][c][i], 1e-6 * (1 + fabs(seen[1][c][i])));
    assert_between(seen[0][4][i], 1, GROUPS);
    share[(int)seen[0][4][i] - 1]++;
  }
  for (int g = 0; g < GROUPS; g++) assert_between(share[g], SIZE / GROUPS, SIZE / GROUPS + 1);
}

/*
  Every fifth row is held out: batches of training have all others and none of those, batches of validation
  only those.
*/
static void held_out_rows_stay_out(void **state)
{
  enum { SIZE = 3000, BATCHES = 20 };
  static int        seen[2][GROUPS][1500];
  const fare_stream stream = fare_stream_make(2, "batch");
  fare_learn_rows  *rows;
  fare_learn_batch *batch;
  double            mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

  (void)state;
  memset(seen, 0, sizeof seen);
  fill_rows(PETSC_COMM_WORLD, PETSC_FALSE, &rows, mean, sd);
  fare_learn_rows_hold_out(rows, 0.2);
  assert_ok(fare_learn_batch_create(2, SIZE, &batch));
  for (int n = 0; n < 2 * BATCHES; n++) {
    const int held = n >= BATCHES;

    fare_learn_batch_draw(batch, rows, stream, (uint64_t)(held ? FARE_LEARN_HELD_OUT + n - BATCHES : n));
    for (int64_t i = 0; i < batch->count; i++) {
      int row = 0;

      while (row < counts[batch->group[i]] &&
        (float)((value[batch->group[i]][0][row] - mean[0]) / sd[0]) != batch->x[0][i])
        row++;
      assert_true(row < counts[batch->group[i]]);
      seen[held][batch->group[i]][row]++;
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, seen, 2 * GROUPS * 1500, MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
  for (int g = 0; g < GROUPS; g++) {
    for (int row = 0; row < counts[g]; row++) {
      assert_int_equal(seen[0][g][row] > 0, row % 5 != 4);
      assert_int_equal(seen[1][g][row] > 0, row % 5 == 4);
    }
  }
  assert_ok(fare_learn_batch_destroy(&batch));
  assert_ok(fare_learn_rows_destroy(&rows));
}

static void rows_that_cannot_be_learned_from_are_refused(void **state)
{
  double        same[8], mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];
  const double *x[] = {same};

  (void)state;
  for (int bad = 0; bad < 3; bad++) {
    fare_learn_rows *rows;

    for (int i = 0; i < 8; i++) same[i] = bad == 1 && i == 5 ? NAN : 2;
    assert_ok(fare_learn_rows_create(PETSC_COMM_SELF, 1, 1, &rows));
    fare_learn_rows_set(rows, 0, bad == 2 ? 0 : 8, 0, bad == 2 ? 0 : 8, x, NULL);
    assert_int_equal(fare_learn_rows_standardise(rows, mean, sd), FARE_ERR_FAILED);
    assert_non_null(strstr(fare_error_message(), bad == 2 ? "empty" : bad ? "finite" : "same position"));
    assert_ok(fare_learn_rows_destroy(&rows));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(octaves_are_sines_and_cosines),
  cmocka_unit_test(adam_steps_by_hand),
  cmocka_unit_test(averages_are_geometric),
  cmocka_unit_test(the_rate_rises_and_falls),
  cmocka_unit_test(rows_are_standardised),
  cmocka_unit_test(batches_do_not_depend_on_ranks),
  cmocka_unit_test(held_out_rows_stay_out),
  cmocka_unit_test(rows_that_cannot_be_learned_from_are_refused),
};
FARE_TEST_MAIN(tests)
