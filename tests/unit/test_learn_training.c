/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1,2,3 timeout=120 */
/*
  Training on all ranks: what it learns, what it does alike, when it ends early, and that it can stop in the
  middle and go on to the same bits.
*/
#include "fare_test.h"

#include "learn/state.h"
#include "learn_rows.h"

#include <hdf5.h>

/* Regression of sin(2 x), with noise on it, on the first coordinate of the rows. */
typedef struct {
  fare_learn_rows  *rows;
  fare_learn_batch *batch;
  fare_stream       stream;
  int64_t           bad_step, step;
  double            noise; /* of the wanted values, a number that belongs to the row */
} lesson;

static double beginning; /* this rank's sum of losses of the function 0, which training begins with */

static void draw(void *context, int64_t step, int64_t *rows)
{
  lesson *l = context;

  fare_learn_batch_draw(l->batch, l->rows, l->stream, (uint64_t)step);
  l->step = step;
  *rows   = l->batch->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  lesson *l = context;

  memcpy(input, l->batch->x[0] + first, (size_t)n * sizeof(float));
}

static double wanted_at(const lesson *l, int64_t i)
{
  const double x = (double)l->batch->x[0][i];

  return sin(2 * x) + l->noise * sin(1e4 * x);
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  lesson *l   = context;
  double  sum = l->step == l->bad_step && n > 0 ? NAN : 0;

  for (int i = 0; i < n; i++) {
    const double wanted = wanted_at(l, first + i);
    const float  off    = output[i] - (float)wanted;

    if (l->step == 0) beginning += 0.5 * wanted * wanted;
    d_output[i] = off;
    sum += 0.5 * (double)(off * off);
  }
  return sum;
}

static const fare_learn_options usual = {
  .width = 16, .layers = 2, .batch = 900, .warmup = 10, .learning_rate = 0.01, .ema = 0.98};

/* Trains by these options, in a session where one is given, and leaves the lesson open. */
static PetscErrorCode teach_by(MPI_Comm comm, const fare_learn_options *options, fare_learn_session *session,
  lesson *l, fare_network **network, fare_curve *curve, int64_t *evaluations)
{
  const fare_learn_problem problem = {
    .what = "training", .context = l, .draw = draw, .inputs = inputs, .loss = loss, .session = session};
  double mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

  l->stream = fare_stream_make(6, "lesson");
  fill_rows(comm, PETSC_FALSE, &l->rows, mean, sd);
  fare_learn_rows_hold_out(l->rows, options->validation_fraction);
  assert_ok(fare_learn_batch_create(2, options->batch, &l->batch));
  assert_ok(fare_learn_network(options, 1, 1, fare_stream_make(6, "weights"), network));
  return fare_learn_train(comm, *network, options, &problem, curve, evaluations);
}

static void lesson_end(lesson *l)
{
  assert_ok(fare_learn_batch_destroy(&l->batch));
  assert_ok(fare_learn_rows_destroy(&l->rows));
}

static PetscErrorCode teach(MPI_Comm comm, int64_t steps, int64_t bad_step, fare_network **network,
  fare_curve *curve, int64_t *evaluations)
{
  fare_learn_options options = usual;
  lesson             l       = {.bad_step = bad_step};
  PetscErrorCode     code;

  options.steps = steps;
  code          = teach_by(comm, &options, NULL, &l, network, curve, evaluations);
  lesson_end(&l);
  return code;
}

static void training_learns_and_ranks_agree(void **state)
{
  fare_curve    curve = {0};
  fare_network *network;
  int64_t       evaluations = 0;
  size_t        count;
  uint32_t      low[1024], high[1024];
  float         x[FARE_BLOCK], y[FARE_BLOCK];

  (void)state;
  assert_ok(teach(PETSC_COMM_WORLD, 500, -1, &network, &curve, &evaluations));
  MPI_Allreduce(MPI_IN_PLACE, &evaluations, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
  assert_int_equal(evaluations, 500 * 900);
  count = fare_network_count(network);
  assert_true(count <= 1024);
  memcpy(low, fare_network_weights(network), count * sizeof *low);
  memcpy(high, low, count * sizeof *low);
  MPI_Allreduce(MPI_IN_PLACE, low, (int)count, MPI_UINT32_T, MPI_MIN, PETSC_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, high, (int)count, MPI_UINT32_T, MPI_MAX, PETSC_COMM_WORLD);
  assert_memory_equal(low, high, count * sizeof *low);

  assert_int_equal(curve.count, 200);
  assert_int_equal(curve.step[curve.count - 1], 500);
  assert_between(curve.loss[0], 0.1, 1);
  assert_between(curve.loss[curve.count - 1], 0, 2e-3);
  for (int i = 0; i < 37; i++) x[i] = (float)(-1.5 + 3. * i / 36);
  fare_network_evaluate(network, 37, x, 0, NULL, y);
  for (int i = 0; i < 37; i++) assert_near(y[i], sin(2 * (double)x[i]), 0.1);
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_network_destroy(&network));
}

/*
  The ranks' sum of gradients is the gradient of the whole batch: a few steps together are the steps of one
  rank but for rounding.
*/
static void ranks_take_the_steps_of_one(void **state)
{
  const MPI_Comm comm[2]  = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  fare_curve     curve[2] = {{0}, {0}};
  fare_network  *network[2];
  int64_t        evaluations = 0;

  (void)state;
  for (int k = 0; k < 2; k++) {
    beginning = 0;
    assert_ok(teach(comm[k], 20, -1, &network[k], &curve[k], &evaluations));
    MPI_Allreduce(MPI_IN_PLACE, &beginning, 1, MPI_DOUBLE, MPI_SUM, comm[k]);
    assert_near(curve[k].loss[0], beginning / 900, 1e-5);
  }
  assert_int_equal(curve[0].count, 20);
  for (size_t i = 0; i < 20; i++) assert_near(curve[0].loss[i], curve[1].loss[i], 1e-4 * curve[1].loss[i]);
  for (size_t i = 0; i < fare_network_count(network[0]); i++)
    assert_near(fare_network_weights(network[0])[i], fare_network_weights(network[1])[i], 1e-3);
  for (int k = 0; k < 2; k++) {
    assert_ok(fare_curve_free(&curve[k]));
    assert_ok(fare_network_destroy(&network[k]));
  }
}

static void a_loss_that_is_not_finite_stops_all(void **state)
{
  fare_curve    curve = {0};
  fare_network *network;
  int64_t       evaluations = 0;

  (void)state;
  assert_int_equal(teach(PETSC_COMM_WORLD, 40, 15, &network, &curve, &evaluations), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "step 15 of 40"));
  assert_non_null(strstr(fare_error_message(), "learning rate 0.00933013")); /* 0.005 (1 + cos(pi/6)) */
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_network_destroy(&network));
}

/*
  More weights than rows that differ: what is learned of noise does not hold for rows that are held out, and
  training sees that.
*/
static void training_ends_early(void **state)
{
  fare_learn_options options = usual;
  fare_curve         all = {0}, curve = {0};
  lesson             l = {.bad_step = -1, .noise = 0.5}, same = l;
  fare_network      *network, *last;
  int64_t            evaluations = 0;
  size_t             best        = 0;
  double             sum[2]      = {0, 0};

  (void)state;
  options.steps               = 1500;
  options.width               = 48;
  options.batch               = 300;
  options.validation_fraction = 0.5;
  options.patience            = 12;
  assert_ok(teach_by(PETSC_COMM_WORLD, &options, NULL, &l, &network, &curve, &evaluations));
  assert_non_null(curve.validation);
  for (size_t i = 1; i < curve.count; i++) {
    if (curve.validation[i] < curve.validation[best]) best = i;
  }
  assert_int_equal(curve.count, best + 1 + 12);
  assert_true(curve.count < 200);

  /* the loss of held-out rows, evaluated here, is the least of the curve */
  for (int64_t k = 0; k < 4; k++) {
    int64_t rows;

    draw(&l, FARE_LEARN_HELD_OUT + k, &rows);
    for (int64_t i = 0; i < rows; i++) {
      float y;

      fare_network_evaluate(network, 1, &l.batch->x[0][i], 0, NULL, &y);
      sum[0] += 0.5 * pow((double)y - wanted_at(&l, i), 2);
    }
    sum[1] += (double)rows;
  }
  MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  assert_true(sum[1] == 4 * 300);
  assert_near(sum[0] / sum[1], curve.validation[best], 1e-5 * curve.validation[best]);

  /* without patience training takes the same steps up to there, and all others */
  options.patience = 0;
  assert_ok(teach_by(PETSC_COMM_WORLD, &options, NULL, &same, &last, &all, &evaluations));
  assert_int_equal(all.count, 200);
  assert_memory_equal(all.validation, curve.validation, curve.count * sizeof *curve.validation);
  assert_memory_equal(all.loss, curve.loss, curve.count * sizeof *curve.loss);
  lesson_end(&l);
  lesson_end(&same);
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_curve_free(&all));
  assert_ok(fare_network_destroy(&network));
  assert_ok(fare_network_destroy(&last));
}

static void nothing_to_validate_with_is_an_error(void **state)
{
  fare_learn_options options = usual;
  fare_curve         curve   = {0};
  lesson             l       = {.bad_step = -1};
  fare_learn_problem problem = {
    .what = "training", .context = &l, .draw = draw, .inputs = inputs, .loss = loss};
  fare_network *network;
  int64_t       evaluations = 0;
  double        mean[FARE_DIM_MAX], sd[FARE_DIM_MAX];

  (void)state;
  options.steps               = 10;
  options.validation_fraction = 0.1; /* of which the rows have not been told */
  fill_rows(PETSC_COMM_WORLD, PETSC_FALSE, &l.rows, mean, sd);
  assert_ok(fare_learn_batch_create(2, options.batch, &l.batch));
  assert_ok(fare_learn_network(&options, 1, 1, fare_stream_make(6, "weights"), &network));
  assert_int_equal(
    fare_learn_train(PETSC_COMM_WORLD, network, &options, &problem, &curve, &evaluations), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "no particles are held out"));
  lesson_end(&l);
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_network_destroy(&network));
}

/* Stops at the first pause from `stop` on, having kept the state in a file. */
typedef struct {
  int64_t             stop;
  const char         *path;
  fare_learn_session *session;
  int                 pauses;
} attendant;

static PetscErrorCode keep_and_stop(void *context, int64_t step, PetscBool *stop)
{
  attendant  *a = context;
  fare_store *store;

  PetscFunctionBeginUser;
  a->pauses++;
  if (step < a->stop) PetscFunctionReturn(0);
  PetscCall(fare_store_create(PETSC_COMM_WORLD, a->path, &store));
  PetscCall(fare_learn_state_save(a->session->state, store, "/training"));
  PetscCall(fare_store_commit(&store));
  *stop = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/*
  One training, and the same in three parts that know of each other through files alone: before any point of
  the curve, amid, and to the end.
*/
static void stopped_training_goes_on_to_the_same_bits(void **state)
{
  const int64_t      stops[] = {64, 4000, INT64_MAX};
  fare_learn_options options = usual;
  fare_curve         whole = {0}, curve = {0};
  fare_network      *network, *other;
  lesson             l           = {.bad_step = -1, .noise = 0.5};
  int64_t            evaluations = 0, parts = 0;
  char               path[64];
  int                size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_learn_training.%d.h5", size);
  options.steps               = 15000;
  options.batch               = 12;
  options.validation_fraction = 0.25;
  options.patience            = 30;
  options.residual            = PETSC_TRUE;
  assert_ok(teach_by(PETSC_COMM_WORLD, &options, NULL, &l, &network, &whole, &evaluations));
  lesson_end(&l);
  /* its patience was tried, and at an end, after where it stopped */
  assert_true(whole.count > 56 && whole.count < 200);
  for (int part = 0; part < 3; part++) {
    fare_learn_session session = {0};
    attendant          a       = {.stop = stops[part], .path = path, .session = &session};
    fare_store        *store;
    PetscErrorCode     code;

    session.context = &a;
    session.pause   = keep_and_stop;
    if (part) {
      assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
      assert_ok(fare_learn_state_load(&session.state, store, "/training"));
      assert_ok(fare_store_close(&store));
    }
    l    = (lesson){.bad_step = -1, .noise = 0.5};
    code = teach_by(PETSC_COMM_WORLD, &options, &session, &l, &other, &curve, &parts);
    lesson_end(&l);
    assert_true(a.pauses > 0);
    if (part < 2) {
      assert_int_equal(code, FARE_ERR_STOPPED);
      assert_non_null(session.state);
      assert_int_equal(curve.count == 0, part == 0);
      assert_ok(fare_learn_state_destroy(&session.state));
      assert_ok(fare_network_destroy(&other));
    } else
      assert_ok(code);
    assert_null(session.state);
  }
  assert_int_equal(parts, evaluations);
  assert_int_equal(curve.count, whole.count);
  assert_memory_equal(curve.step, whole.step, whole.count * sizeof *whole.step);
  assert_memory_equal(curve.loss, whole.loss, whole.count * sizeof *whole.loss);
  assert_memory_equal(curve.validation, whole.validation, whole.count * sizeof *whole.validation);
  assert_memory_equal(
    fare_network_weights(other), fare_network_weights(network), fare_network_count(network) * sizeof(float));
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_curve_free(&whole));
  assert_ok(fare_network_destroy(&network));
  assert_ok(fare_network_destroy(&other));
}

static void another_trainings_state_is_refused(void **state)
{
  fare_learn_options options     = usual;
  fare_curve         curve       = {0};
  int64_t            evaluations = 0;
  fare_learn_session session     = {0};
  attendant          a           = {.stop = 64, .path = "test_learn_training_other.h5", .session = &session};

  (void)state;
  session.context = &a;
  session.pause   = keep_and_stop;
  for (int bad = 0; bad < 2; bad++) {
    lesson        l = {.bad_step = -1};
    fare_network *network;

    options.steps = bad ? 201 : 200;
    assert_int_equal(teach_by(PETSC_COMM_WORLD, &options, &session, &l, &network, &curve, &evaluations),
      bad ? FARE_ERR_FAILED : FARE_ERR_STOPPED);
    assert_non_null(strstr(fare_error_message(), bad ? "another training" : "stopped before step 64 of 200"));
    lesson_end(&l);
    assert_ok(fare_network_destroy(&network));
  }
  assert_ok(fare_learn_state_destroy(&session.state));
  assert_ok(fare_curve_free(&curve));
}

/* What no training leaves behind, though it can be saved. */
static void spoil(fare_learn_state *s, int how)
{
  switch (how) {
  case 0:
    break; /* sound */
  case 1:
    s->step = -1;
    break;
  case 2:
    s->step = 1001;
    break;
  case 3:
    s->step = s->steps = INT64_MAX;
    break;
  case 4:
    s->curve.count = 99;
    break;
  case 5:
    s->curve.count = 200;
    break; /* the next point would have no room */
  case 6:
    s->step = 3;
    break;
  case 7:
    s->summed = -1;
    break;
  case 8:
    s->summed = 501;
    break;
  case 9:
    s->since = -1;
    break;
  case 10:
    s->sum = NAN;
    break;
  default:
    s->least = NAN;
  }
}

static void states_that_cannot_be_are_refused(void **state)
{
  enum { COUNT = 10, HOW = 12 };
  const float none[COUNT] = {0};
  char        path[64];
  int         size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_learn_bad_state.%d.h5", size);
  for (int how = 0; how < HOW; how++) {
    fare_learn_state *s, *back;
    fare_store       *store;
    PetscErrorCode    code;

    assert_ok(fare_learn_state_create(COUNT, none, 1000, PETSC_TRUE, &s));
    s->step        = 500;
    s->curve.count = 100;
    spoil(s, how);
    assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
    assert_ok(fare_learn_state_save(s, store, "/training"));
    assert_ok(fare_store_commit(&store));
    assert_ok(fare_learn_state_destroy(&s));
    assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
    code = fare_learn_state_load(&back, store, "/training");
    if (code != (how ? FARE_ERR_FAILED : 0))
      fail_msg("state %d: code %d, %s", how, (int)code, fare_error_message());
    if (how) assert_non_null(strstr(fare_error_message(), "/training is not a state of training"));
    assert_int_equal(back == NULL, how != 0);
    assert_ok(fare_learn_state_destroy(&back));
    assert_ok(fare_store_close(&store));
  }
}

/* Weights that were never written may claim any number. */
static void weights_that_are_only_claimed_are_refused(void **state)
{
  const hsize_t     claimed = (hsize_t)1 << 28; /* five gigabytes for the five arrays */
  fare_learn_state *back;
  fare_store       *store;
  char              path[64];
  int               rank, size;

  (void)state;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_learn_claimed.%d.h5", size);
  if (rank == 0) {
    const hid_t file    = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                group   = H5Gcreate2(file, "/training", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space   = H5Screate_simple(1, &claimed, NULL),
                dataset = H5Dcreate2(
                  group, "weights", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    assert_true(
      H5Dclose(dataset) >= 0 && H5Sclose(space) >= 0 && H5Gclose(group) >= 0 && H5Fclose(file) >= 0);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_int_equal(fare_learn_state_load(&back, store, "/training"), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "/training/weights is incomplete"));
  assert_null(back);
  assert_ok(fare_store_close(&store));
}

/* The same loss through `gradient` in place of `inputs` and `loss`: the same steps. */
typedef struct {
  lesson lesson;
  float  input[FARE_BLOCK], output[FARE_BLOCK], d_output[FARE_BLOCK];
} whole_lesson;

static void draw_whole(void *context, int64_t step, int64_t *rows)
{
  draw(&((whole_lesson *)context)->lesson, step, rows);
}

static double whole_gradient(void *context, fare_network *network, int64_t first, int n, float gradient[])
{
  whole_lesson *w = context;
  double        sum;

  inputs(&w->lesson, first, n, w->input);
  fare_network_forward(network, n, w->input, w->output);
  sum = loss(&w->lesson, first, n, w->output, w->d_output);
  if (gradient) fare_network_backward(network, n, w->input, w->d_output, gradient, NULL);
  return sum;
}

static void a_gradient_of_ones_own_takes_the_same_steps(void **state)
{
  static whole_lesson w       = {.lesson = {.bad_step = -1}};
  fare_learn_options  options = usual;
  lesson              l       = {.bad_step = -1};
  fare_learn_problem  problem = {
     .what = "training", .context = &w, .draw = draw_whole, .gradient = whole_gradient};
  fare_curve    curve = {0};
  fare_network *one, *two;
  int64_t       evaluations = 0;

  (void)state;
  options.steps               = 40;
  options.validation_fraction = 0.1;
  assert_ok(teach_by(PETSC_COMM_WORLD, &options, NULL, &l, &one, &curve, &evaluations));
  w.lesson.rows   = l.rows;
  w.lesson.batch  = l.batch;
  w.lesson.stream = l.stream;
  assert_ok(fare_learn_network(&options, 1, 1, fare_stream_make(6, "weights"), &two));
  assert_ok(fare_learn_train(PETSC_COMM_WORLD, two, &options, &problem, &curve, &evaluations));
  assert_memory_equal(
    fare_network_weights(one), fare_network_weights(two), fare_network_count(one) * sizeof(float));
  lesson_end(&l);
  assert_ok(fare_curve_free(&curve));
  assert_ok(fare_network_destroy(&one));
  assert_ok(fare_network_destroy(&two));
}

static void curves_are_kept(void **state)
{
  int64_t          steps[]  = {10, 20, 30};
  double           losses[] = {0.5, 0.25, 0.125}, held[] = {0.6, 0.3, 0.4};
  const fare_curve curve[2] = {{3, steps, losses, NULL}, {3, steps, losses, held}};
  fare_curve       back     = {0};
  fare_store      *store;
  char             path[64];
  int              size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_learn_curve.%d.h5", size);
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  for (int k = 0; k < 2; k++)
    assert_ok(fare_kept_save(fare_curve_kept, &curve[k], 0, store, k ? "/b/curve" : "/a/curve"));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  for (int k = 0; k < 2; k++) {
    assert_ok(fare_kept_load(fare_curve_kept, &back, 0, NULL, store, k ? "/b/curve" : "/a/curve"));
    assert_int_equal(back.count, 3);
    assert_memory_equal(back.step, steps, sizeof steps);
    assert_memory_equal(back.loss, losses, sizeof losses);
    assert_int_equal(back.validation != NULL, k);
    if (k) assert_memory_equal(back.validation, held, sizeof held);
  }
  assert_ok(fare_store_close(&store));
  assert_ok(fare_curve_free(&back));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(training_learns_and_ranks_agree),
  cmocka_unit_test(ranks_take_the_steps_of_one),
  cmocka_unit_test(a_loss_that_is_not_finite_stops_all),
  cmocka_unit_test(training_ends_early),
  cmocka_unit_test(nothing_to_validate_with_is_an_error),
  cmocka_unit_test(stopped_training_goes_on_to_the_same_bits),
  cmocka_unit_test(another_trainings_state_is_refused),
  cmocka_unit_test(states_that_cannot_be_are_refused),
  cmocka_unit_test(weights_that_are_only_claimed_are_refused),
  cmocka_unit_test(a_gradient_of_ones_own_takes_the_same_steps),
  cmocka_unit_test(curves_are_kept),
};
FARE_TEST_MAIN(tests)
