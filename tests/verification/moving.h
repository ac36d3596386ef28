/* SPDX-License-Identifier: BSD-2-Clause */
/* Densities of closed form that move, what samplers learned from them draw, and how far that is off. */
#ifndef MOVING_H
#define MOVING_H

#include "student.h"

#define TIMES 11 /* learned from: 0, 0.1, ... 1; held out are those half-way between */
#define DRAWN 16384
#define BINS  32
#define APART 0.8

static const fare_schedule moving_times = {0, 1, 2 * TIMES - 1};

/*
  Two wells that move along and change their weights: p = w N(c - apart, 0.2^2) + (1 - w) N(c + apart, 0.3^2).
*/
static inline double wells_centre(double t)
{
  return 0.4 * sin(2 * M_PI * t);
}
static inline double wells_left_weight(double t)
{
  return 0.5 + 0.3 * cos(2 * M_PI * t);
}
static const double wells_width[2] = {0.2, 0.3};

static inline double wells_cumulative(double apart, double t, double x)
{
  const double w[2] = {wells_left_weight(t), 1 - wells_left_weight(t)};
  double       sum  = 0;

  for (int k = 0; k < 2; k++)
    sum += w[k] * 0.5 * erfc((wells_centre(t) + (k ? apart : -apart) - x) / (wells_width[k] * sqrt(2)));
  return sum;
}

static inline void fill_wells_apart(double apart, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "wells");

  for (int64_t b = 0; b < e->blocks; b++) {
    double u[FARE_BLOCK], z[FARE_BLOCK];

    fare_random_uniforms(stream, (uint64_t)(e->first_block + b), (uint64_t)k, 0, u);
    fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, 1, z);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const int right = u[i] > wells_left_weight(t);

      e->x[0][b * FARE_BLOCK + i] = wells_centre(t) + (right ? apart : -apart) + wells_width[right] * z[i];
    }
  }
}

static inline void fill_wells(const student *s, int k, double t, fare_ensemble *e)
{
  (void)s;
  fill_wells_apart(APART, k, t, e);
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

static inline void fill_gaussian(const student *s, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "gaussian");

  (void)s;
  for (int64_t b = 0; b < e->blocks; b++) {
    double z[2][FARE_BLOCK];

    for (uint32_t j = 0; j < 2; j++)
      fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, j, z[j]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      e->x[0][b * FARE_BLOCK + i] = mean_of(t) + sd_of(t) * z[0][i];
      e->x[1][b * FARE_BLOCK + i] = e->x[0][b * FARE_BLOCK + i] / 2 + z[1][i] / 4;
    }
  }
}

/* In one dimension to learn the wells, in two the Gaussian; the system is only what has so many axes. */
static inline void moving_begin(MPI_Comm comm, const char *method, int dim, const char *options, student *s)
{
  *s = (student){0};
  student_begin(comm, method, method, make_system("ornstein_uhlenbeck", dim), &moving_times, options, s);
}

static inline void teach_moving(student *s, int64_t count)
{
  teach(s, count, fare_system_dimension(s->system) == 1 ? fill_wells : fill_gaussian);
}

/*
  KL(p || samples) over bins of equal probability, by the closed form; its floor under exact samples is (BINS
  - 1)/(2 n).
*/
static inline double wells_divergence(const fare_ensemble *e, double t)
{
  double count[BINS] = {0}, kl = 0;

  for (int64_t i = 0; i < e->local; i++)
    count[(int)PetscMin(BINS - 1, BINS * wells_cumulative(APART, t, e->x[0][i]))]++;
  MPI_Allreduce(MPI_IN_PLACE, count, BINS, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int b = 0; b < BINS; b++) kl -= log((count[b] + 0.5) * BINS / ((double)e->count + 0.5 * BINS)) / BINS;
  return kl;
}

#define WELLS_FLOOR ((BINS - 1) / (2. * DRAWN))

/*
  Draws at all times of the schedule and asserts that trained and held-out ones are close to the truth: on
  average within `good`.
*/
static inline void assert_good_wells(student *s, double good)
{
  double         mean[2] = {0};
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(s->sampler->comm, 1, DRAWN, &e));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = fare_schedule_time(&s->schedule, k);
    double       kl;

    assert_ok(fare_sampler_advance(s->sampler, t, e));
    kl = wells_divergence(e, t);
    assert_between(kl, 0.5 * WELLS_FLOOR, 3 * good);
    assert_true(wells_divergence(e, t + 0.25) > 0.1); /* it is this time's density and no other's */
    mean[k % 2] += kl / (TIMES - k % 2);
  }
  assert_between(mean[0], 0.5 * WELLS_FLOOR, good);
  assert_between(mean[1], 0.5 * WELLS_FLOOR, good);
  print_message(
    "mean KL %.5f at trained times, %.5f at held-out times, floor %.5f\n", mean[0], mean[1], WELLS_FLOOR);
  assert_ok(fare_ensemble_destroy(&e));
}

/*
  Draws at all times and asserts mean and covariance of the Gaussian, within five standard errors and what a
  network may be off by: 3% of the sd, 6% of the variances.
*/
static inline void assert_good_gaussian(student *s, int64_t count)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(s->sampler->comm, 2, count, &e));
  for (int k = 0; k < 2 * TIMES - 1; k++) {
    const double t = fare_schedule_time(&s->schedule, k), s1 = sd_of(t) * sd_of(t), s2 = s1 / 4 + 1. / 16;
    double       mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective, cross = 0;

    assert_ok(fare_sampler_advance(s->sampler, t, e));
    assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
    for (int64_t i = 0; i < e->local; i++)
      cross += (e->x[0][i] - mean[0]) * (e->x[1][i] - mean[1]) / (double)count;
    MPI_Allreduce(MPI_IN_PLACE, &cross, 1, MPI_DOUBLE, MPI_SUM, s->sampler->comm);
    assert_near(mean[0], mean_of(t), (5 / sqrt((double)count) + 0.03) * sqrt(s1));
    assert_near(mean[1], mean_of(t) / 2, (5 / sqrt((double)count) + 0.03) * sqrt(s2));
    assert_near(variance[0], s1, (5 * sqrt(2. / (double)count) + 0.06) * s1);
    assert_near(variance[1], s2, (5 * sqrt(2. / (double)count) + 0.06) * s2);
    assert_near(cross, s1 / 2, (5 * sqrt(2. / (double)count) + 0.06) * sqrt(s1 * s2));
  }
  assert_ok(fare_ensemble_destroy(&e));
}

/*
  What was saved draws on as the original does, together or on one rank: every block has its bits wherever it
  lives. `steps`: of the training, each of which is kept with its loss.
*/
static inline void assert_saved_draw_the_same(const char *method, const char *options, size_t steps)
{
  const MPI_Comm comm[3] = {PETSC_COMM_WORLD, PETSC_COMM_WORLD, PETSC_COMM_SELF};
  uint64_t       sum[3], first;
  char           path[PATH_SIZE];

  path_for(method, path);
  for (int k = 0; k < 3; k++) {
    fare_ensemble *e;
    student        s;

    moving_begin(comm[k], method, 2, options, &s);
    assert_ok(fare_ensemble_create(comm[k], 2, 3000, &e));
    assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED);
    assert_non_null(strstr(fare_error_message(), "must be trained"));
    if (k == 0) {
      teach_moving(&s, 5000);
      assert_ok(fare_sampler_advance(s.sampler, 0.25, e));
      assert_ok(fare_ensemble_checksum(e, &first));
      save_sampler(s.sampler, path);
    } else {
      load_sampler(s.sampler, path);
    }
    assert_int_equal(s.sampler->type->curve(s.sampler)->count, steps);
    assert_ok(fare_sampler_advance(s.sampler, 0.25, e));
    assert_ok(fare_ensemble_checksum(e, &sum[k]));
    assert_ok(fare_ensemble_destroy(&e));
    student_end(&s);
  }
  assert_true(sum[0] == sum[1] && sum[0] == sum[2]);
  assert_true(sum[0] != first); /* later draws are new ones */
}

#endif
