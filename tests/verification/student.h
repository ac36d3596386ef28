/* What tests of learned samplers share: densities of closed form that move, samplers taught from them, and how far what they draw is off. */
#ifndef STUDENT_H
#define STUDENT_H

#include "fare_test.h"

#define TIMES 11 /* learned from: 0, 0.1, ... 1; held out are those half-way between */
#define DRAWN 16384
#define BINS  32

/* Two wells that move along and change their weights: p = w N(c - 0.8, 0.2^2) + (1 - w) N(c + 0.8, 0.3^2). */
static inline double wells_centre(double t)
{
  return 0.4 * sin(2 * M_PI * t);
}
static inline double wells_left_weight(double t)
{
  return 0.5 + 0.3 * cos(2 * M_PI * t);
}
static const double wells_place[2] = {-0.8, 0.8}, wells_width[2] = {0.2, 0.3};

static inline double wells_cumulative(double t, double x)
{
  const double w[2] = {wells_left_weight(t), 1 - wells_left_weight(t)};
  double       sum  = 0;

  for (int k = 0; k < 2; k++) sum += w[k] * 0.5 * erfc((wells_centre(t) + wells_place[k] - x) / (wells_width[k] * sqrt(2)));
  return sum;
}

static inline void fill_wells(fare_ensemble *e, double t, uint64_t step)
{
  const fare_stream stream = fare_stream_make(8, "wells");

  for (int64_t b = 0; b < e->blocks; b++) {
    double u[FARE_BLOCK], z[FARE_BLOCK];

    fare_random_uniforms(stream, (uint64_t)(e->first_block + b), step, 0, u);
    fare_random_normals(stream, (uint64_t)(e->first_block + b), step, 1, z);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const int k = u[i] > wells_left_weight(t);

      e->x[0][b * FARE_BLOCK + i] = wells_centre(t) + wells_place[k] + wells_width[k] * z[i];
    }
  }
}

/* x_1 = m(t) + s(t) z_1, x_2 = x_1/2 + z_2/4: a Gaussian that moves, breathes and is correlated. */
static inline double mean_of(double t)
{
  return cos(M_PI * t);
}
static inline double sd_of(double t)
{
  return 0.4 + 0.3 * t;
}

static inline void fill_gaussian(fare_ensemble *e, double t, uint64_t step)
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

static inline void student_begin(MPI_Comm comm, const char *method, int dim, const char *options, student *s)
{
  static const fare_schedule schedule = {0, 1, 2 * TIMES - 1};
  fare_config               *config;

  *s = (student){.comm = comm, .dim = dim};
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &s->system));
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find(method), method, fare_config_root(config), NULL, 11, s->system, &s->initial, &schedule, &s->sampler));
  assert_ok(fare_config_destroy(&config));
}

static inline void student_end(student *s)
{
  assert_ok(fare_sampler_destroy(&s->sampler));
  assert_ok(fare_system_destroy(&s->system));
}

static inline void teach(student *s, int64_t count)
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

static inline void keep(student *s, const char *path, PetscBool save)
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
static inline double wells_divergence(const fare_ensemble *e, double t)
{
  double count[BINS] = {0}, kl = 0;

  for (int64_t i = 0; i < e->local; i++) count[(int)PetscMin(BINS - 1, BINS * wells_cumulative(t, e->x[0][i]))]++;
  MPI_Allreduce(MPI_IN_PLACE, count, BINS, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int b = 0; b < BINS; b++) kl -= log((count[b] + 0.5) * BINS / ((double)e->count + 0.5 * BINS)) / BINS;
  return kl;
}

#define WELLS_FLOOR ((BINS - 1) / (2. * DRAWN))

/* Draws at all times of the schedule and asserts that trained and held-out ones are close to the truth: on average within `good`. */
static inline void assert_good_wells(student *s, double good)
{
  double         mean[2] = {0};
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(s->comm, 1, DRAWN, &e));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = k / (2. * TIMES - 2);
    double       kl;

    assert_ok(fare_sampler_advance(s->sampler, t, e));
    kl = wells_divergence(e, t);
    assert_between(kl, 0.5 * WELLS_FLOOR, 3 * good);
    assert_true(wells_divergence(e, t + 0.25) > 0.1); /* it is this time's density and no other's */
    mean[k % 2] += kl / (TIMES - k % 2);
  }
  assert_between(mean[0], 0.5 * WELLS_FLOOR, good);
  assert_between(mean[1], 0.5 * WELLS_FLOOR, good);
  print_message("mean KL %.5f at trained times, %.5f at held-out times, floor %.5f\n", mean[0], mean[1], WELLS_FLOOR);
  assert_ok(fare_ensemble_destroy(&e));
}

/* Draws at all times and asserts mean and covariance of the Gaussian, within five standard errors and what a network may be off by: 3% of the sd, 6% of the variances. */
static inline void assert_good_gaussian(student *s, int64_t count)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(s->comm, 2, count, &e));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = k / (2. * TIMES - 2), s1 = sd_of(t) * sd_of(t), s2 = s1 / 4 + 1. / 16;
    double       mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective, cross = 0;

    assert_ok(fare_sampler_advance(s->sampler, t, e));
    assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
    for (int64_t i = 0; i < e->local; i++) cross += (e->x[0][i] - mean[0]) * (e->x[1][i] - mean[1]) / (double)count;
    MPI_Allreduce(MPI_IN_PLACE, &cross, 1, MPI_DOUBLE, MPI_SUM, s->comm);
    assert_near(mean[0], mean_of(t), (5 / sqrt((double)count) + 0.03) * sqrt(s1));
    assert_near(mean[1], mean_of(t) / 2, (5 / sqrt((double)count) + 0.03) * sqrt(s2));
    assert_near(variance[0], s1, (5 * sqrt(2. / (double)count) + 0.06) * s1);
    assert_near(variance[1], s2, (5 * sqrt(2. / (double)count) + 0.06) * s2);
    assert_near(cross, s1 / 2, (5 * sqrt(2. / (double)count) + 0.06) * sqrt(s1 * s2));
  }
  assert_ok(fare_ensemble_destroy(&e));
}

#endif
