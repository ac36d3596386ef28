/* fare-test: labels=verification ranks=1,2 timeout=240 */
/* Diffusion learned in earnest, in little time, from densities of closed form that move: two wells in one dimension, a Gaussian in two. */
#include "fare_test.h"

#define TIMES  11    /* learned from: 0, 0.1, ... 1; held out are those half-way between */
#define SAMPLE 16384 /* particles of each */
#define DRAWN  16384
#define BINS   32

/* Two wells that move along and change their weights: p = w N(c - 0.8, 0.2^2) + (1 - w) N(c + 0.8, 0.3^2). */
static double centre(double t)
{
  return 0.4 * sin(2 * M_PI * t);
}
static double left_weight(double t)
{
  return 0.5 + 0.3 * cos(2 * M_PI * t);
}
static const double place[2] = {-0.8, 0.8}, width[2] = {0.2, 0.3};

static double cumulative(double t, double x)
{
  const double w[2] = {left_weight(t), 1 - left_weight(t)};
  double       sum  = 0;

  for (int k = 0; k < 2; k++) sum += w[k] * 0.5 * erfc((centre(t) + place[k] - x) / (width[k] * sqrt(2)));
  return sum;
}

static void fill_wells(fare_ensemble *e, double t, uint64_t step)
{
  const fare_stream stream = fare_stream_make(8, "wells");

  for (int64_t b = 0; b < e->blocks; b++) {
    double u[FARE_BLOCK], z[FARE_BLOCK];

    fare_random_uniforms(stream, (uint64_t)(e->first_block + b), step, 0, u);
    fare_random_normals(stream, (uint64_t)(e->first_block + b), step, 1, z);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const int k = u[i] > left_weight(t);

      e->x[0][b * FARE_BLOCK + i] = centre(t) + place[k] + width[k] * z[i];
    }
  }
}

/* x_1 = m(t) + s(t) z_1, x_2 = x_1/2 + z_2/4: a Gaussian that moves, breathes and is correlated. */
static double mean_of(double t)
{
  return cos(M_PI * t);
}
static double sd_of(double t)
{
  return 0.4 + 0.3 * t;
}

static void fill_gaussian(fare_ensemble *e, double t, uint64_t step)
{
  const fare_stream stream = fare_stream_make(8, "gaussian");

  for (int64_t b = 0; b < e->blocks; b++) {
    double z[2][FARE_BLOCK];

    for (uint32_t k = 0; k < 2; k++) fare_random_normals(stream, (uint64_t)(e->first_block + b), step, k, z[k]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      e->x[0][b * FARE_BLOCK + i] = mean_of(t) + sd_of(t) * z[0][i];
      e->x[1][b * FARE_BLOCK + i] = e->x[0][b * FARE_BLOCK + i] / 2 + z[1][i] / 4;
    }
  }
}

/* A sampler of one system, and what it learns from. */
typedef struct {
  MPI_Comm      comm;
  int           dim;
  fare_system  *system;
  fare_initial  initial;
  fare_sampler *sampler;
} student;

static void student_begin(MPI_Comm comm, int dim, const char *options, student *s)
{
  static const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  fare_config               *config;

  *s = (student){.comm = comm, .dim = dim};
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &s->system));
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find("diffusion"), "diffusion", fare_config_root(config), NULL, 11, s->system, &s->initial, &schedule, &s->sampler));
  assert_ok(fare_config_destroy(&config));
}

static void student_end(student *s)
{
  assert_ok(fare_sampler_destroy(&s->sampler));
  assert_ok(fare_system_destroy(&s->system));
}

static void teach(student *s, int64_t count)
{
  double                  times[TIMES];
  fare_ensemble          *at[TIMES];
  const fare_training_set data = {TIMES, times, at};

  for (int k = 0; k < TIMES; k++) {
    times[k] = (double)k / (TIMES - 1);
    assert_ok(fare_ensemble_create(s->comm, s->dim, count, &at[k]));
    if (s->dim == 1) fill_wells(at[k], times[k], (uint64_t)k);
    else fill_gaussian(at[k], times[k], (uint64_t)k);
  }
  assert_ok(fare_sampler_train(s->sampler, &data));
  for (int k = 0; k < TIMES; k++) assert_ok(fare_ensemble_destroy(&at[k]));
}

static void keep(student *s, const char *path, PetscBool save)
{
  fare_store *store;

  if (save) {
    assert_ok(fare_store_create(s->comm, path, &store));
    assert_ok(fare_store_group(store, "/sampler"));
    assert_ok(s->sampler->type->save(s->sampler, store, "/sampler"));
    assert_ok(fare_store_commit(&store));
  } else {
    assert_ok(fare_store_open(s->comm, path, &store));
    assert_ok(s->sampler->type->load(s->sampler, store, "/sampler"));
    assert_ok(fare_store_close(&store));
  }
}

/* KL(p || samples) over bins of equal probability, by the closed form; its floor under exact samples is (BINS - 1)/(2 n). */
static double divergence(const fare_ensemble *e, double t)
{
  double count[BINS] = {0}, kl = 0;

  for (int64_t i = 0; i < e->local; i++) count[(int)PetscMin(BINS - 1, BINS * cumulative(t, e->x[0][i]))]++;
  MPI_Allreduce(MPI_IN_PLACE, count, BINS, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int b = 0; b < BINS; b++) kl -= log((count[b] + 0.5) * BINS / ((double)e->count + 0.5 * BINS)) / BINS;
  return kl;
}

#define FLOOR ((BINS - 1) / (2. * DRAWN))
#define GOOD  0.006 /* what so short a training reaches everywhere */

/* Draws at all times of the schedule and asserts that trained and held-out ones are close to the truth. */
static void assert_good(student *s)
{
  double         mean[2] = {0};
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(s->comm, 1, DRAWN, &e));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = k / (2. * TIMES - 2);
    double       kl;

    assert_ok(fare_sampler_advance(s->sampler, t, e));
    kl = divergence(e, t);
    assert_between(kl, 0.5 * FLOOR, 3 * GOOD);
    assert_true(divergence(e, t + 0.25) > 0.1); /* it is this time's density and no other's */
    mean[k % 2] += kl / (TIMES - k % 2);
  }
  assert_between(mean[0], 0.5 * FLOOR, GOOD);
  assert_between(mean[1], 0.5 * FLOOR, GOOD);
  print_message("mean KL %.5f at trained times, %.5f at held-out times, floor %.5f\n", mean[0], mean[1], FLOOR);
  assert_ok(fare_ensemble_destroy(&e));
}

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
  student_begin(PETSC_COMM_WORLD, 1, WELLS "}", &s);
  teach(&s, SAMPLE);
  curve = s.sampler->type->curve(s.sampler);
  assert_true(curve->count > 100);
  assert_true(curve->loss[curve->count - 1] < curve->loss[0]);
  assert_good(&s);
  keep(&s, path, PETSC_TRUE);
  student_end(&s);

  /* the same network through the stochastic solver: a different path to the same density */
  student_begin(PETSC_COMM_WORLD, 1, WELLS ", solver: sde}", &stochastic);
  keep(&stochastic, path, PETSC_FALSE);
  assert_good(&stochastic);
  student_end(&stochastic);
}

static void a_moving_gaussian_in_two_dimensions(void **state)
{
  const int64_t  count = 20000;
  fare_ensemble *e;
  student        s;

  (void)state;
  student_begin(PETSC_COMM_WORLD, 2, "{width: 32, layers: 2, steps: 3000, batch: 1024, learning_rate: 4.0e-3, octaves: 1, time_octaves: 2}", &s);
  teach(&s, SAMPLE);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, count, &e));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = k / (2. * TIMES - 2), s1 = sd_of(t) * sd_of(t), s2 = s1 / 4 + 1. / 16;
    double       mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective, cross = 0;

    assert_ok(fare_sampler_advance(s.sampler, t, e));
    assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
    for (int64_t i = 0; i < e->local; i++) cross += (e->x[0][i] - mean[0]) * (e->x[1][i] - mean[1]) / (double)count;
    MPI_Allreduce(MPI_IN_PLACE, &cross, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    /* five standard errors and what the network may be off by: 3% of the sd, 6% of the variances */
    assert_near(mean[0], mean_of(t), (5 / sqrt((double)count) + 0.03) * sqrt(s1));
    assert_near(mean[1], mean_of(t) / 2, (5 / sqrt((double)count) + 0.03) * sqrt(s2));
    assert_near(variance[0], s1, (5 * sqrt(2. / (double)count) + 0.06) * s1);
    assert_near(variance[1], s2, (5 * sqrt(2. / (double)count) + 0.06) * s2);
    assert_near(cross, s1 / 2, (5 * sqrt(2. / (double)count) + 0.06) * sqrt(s1 * s2));
  }
  assert_ok(fare_ensemble_destroy(&e));
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

        student_begin(PETSC_COMM_WORLD, dim, SHORT, &s);
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
  student_begin(PETSC_COMM_WORLD, 2, SHORT, &s);
  short_run(&s, 5000, 3000, &first);
  keep(&s, path, PETSC_TRUE);
  short_run(&s, 0, 3000, &sum);
  assert_true(first != sum); /* later draws are new ones */
  student_end(&s);
  for (int k = 0; k < 2; k++) {
    const fare_curve *curve;

    student_begin(comm[k], 2, SHORT, &s);
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
  student_begin(PETSC_COMM_WORLD, 1, "{}", &s);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 10, &e));
  assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "must be trained"));
  assert_ok(fare_ensemble_destroy(&e));
  student_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_moving_wells),
  cmocka_unit_test(a_moving_gaussian_in_two_dimensions),
  cmocka_unit_test(runs_repeat_to_the_bit),
  cmocka_unit_test(saved_networks_draw_the_same),
  cmocka_unit_test(untrained_samplers_refuse),
};
FARE_TEST_MAIN(tests)
