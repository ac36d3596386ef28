/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include <fare/langevin.h>

#include <math.h>
#include <string.h>

static inline const double *theta_at(const fare_langevin_run *run, int step)
{
  return run->theta + (size_t)step * FARE_PARAMETERS_MAX;
}

static inline double noise_scale(const fare_langevin_run *run, const double *theta)
{
  return sqrt(2 * theta[FARE_MOBILITY] * theta[FARE_KT] * run->dt);
}

/* x += a f + b z */
static inline void move(
  double *restrict x, double a, const double *restrict f, double b, const double *restrict z)
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) x[i] += a * f[i] + b * z[i];
}

/* Where a block stands before a step, for ends that absorb. */
typedef struct {
  double x[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
} places;

static inline void remember(const fare_langevin_run *run, const double *const x[], places *to)
{
  for (int axis = 0; axis < run->dim && run->walls && run->walls->absorbing; axis++)
    memcpy(to->x[axis], x[axis], sizeof to->x[axis]);
}

/*
  Ends of the box, after a step whose noise had this variance along every axis, or that along each of each
  particle.
*/
static inline void meet(const fare_langevin_run *run, uint64_t block, int step, const places *before,
  double even, const double *const variance[], double *const x[])
{
  const double *from[FARE_AXES_MAX];
  double        all[FARE_AXES_MAX];

  if (!fare_langevin_meets(run, (const double *const *)x)) return;
  for (int axis = 0; axis < run->dim; axis++) {
    from[axis] = before->x[axis];
    all[axis]  = even;
  }
  fare_langevin_meet(run, block, step, from, all, variance, x, NULL);
}

/*
  Where a predictor has passed a mirror: the place that is seen in it, and signs for the drift there. Whether
  any has.
*/
static inline int look_into_mirrors(
  const fare_langevin_run *run, const double *const predicted[], places *seen, places *sign)
{
  double *place[FARE_AXES_MAX], *turned[FARE_AXES_MAX];

  if (!run->walls || !fare_walls_crossed(run->walls, FARE_BLOCK, predicted)) return 0;
  fare_block_rows(run->dim, seen->x, place);
  fare_block_rows(run->dim, sign->x, turned);
  for (int axis = 0; axis < run->dim; axis++) memcpy(seen->x[axis], predicted[axis], sizeof seen->x[axis]);
  fare_walls_fold(run->walls, FARE_BLOCK, PETSC_TRUE, place, turned);
  return 1;
}

static inline void turn(const places *sign, int axis, double *restrict f)
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) f[i] *= sign->x[axis][i];
}

void fare_langevin_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double  force[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, z[FARE_BLOCK] FARE_ALIGNED;
  double *f[FARE_AXES_MAX];
  places  before;

  fare_block_rows(run->dim, force, f);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step);

    remember(run, (const double *const *)x, &before);
    run->type->force(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    for (int axis = 0; axis < run->dim; axis++) {
      fare_random_normals(run->noise, block, run->first_step + (uint64_t)step, (uint32_t)axis, z);
      move(x[axis], theta[FARE_MOBILITY] * run->dt, f[axis], noise_scale(run, theta), z);
    }
    meet(run, block, step, &before, 2 * theta[FARE_MOBILITY] * theta[FARE_KT] * run->dt, NULL, x);
  }
}

/* Mirrors turn over, too, the half of a step's noise that belongs to the next. */
static void meet_with_frames(
  const fare_langevin_run *run, uint64_t block, int step, double variance, double *const x[])
{
  double even[FARE_AXES_MAX];

  for (int axis = 0; axis < run->dim; axis++) {
    even[axis] = variance;
    for (int i = 0; i < FARE_BLOCK; i++) run->frame[axis][i] = 1;
  }
  if (fare_langevin_meets(run, (const double *const *)x))
    fare_langevin_meet(run, block, step, NULL, even, NULL, x, run->frame);
}

void fare_langevin_leimkuhler_matthews(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double  force[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, noise[2][FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double *f[FARE_AXES_MAX];

  fare_block_rows(run->dim, force, f);
  /* R_n of the first step is drawn again: counters make that the same number as the last step's R_{n+1} */
  for (int axis = 0; axis < run->dim; axis++)
    fare_random_normals(run->noise, block, run->first_step, (uint32_t)axis, noise[0][axis]);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step);
    const double  drift = theta[FARE_MOBILITY] * run->dt, half = 0.5 * noise_scale(run, theta);

    run->type->force(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    for (int axis = 0; axis < run->dim; axis++) {
      const double *restrict before = noise[step & 1][axis];
      const double *restrict frame  = run->frame[axis];
      double *restrict after = noise[~step & 1][axis], *restrict q = x[axis];

      fare_random_normals(run->noise, block, run->first_step + (uint64_t)step + 1, (uint32_t)axis, after);
      if (!frame) {
#pragma omp simd
        for (int i = 0; i < FARE_BLOCK; i++) q[i] += drift * force[axis][i] + half * (before[i] + after[i]);
      } else {
#pragma omp simd
        for (int i = 0; i < FARE_BLOCK; i++)
          q[i] += drift * force[axis][i] + half * (frame[i] * before[i] + after[i]);
      }
    }
    if (run->walls) meet_with_frames(run, block, step, 4 * half * half, x);
  }
}

void fare_langevin_heun(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double  now[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, then[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double  predicted[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, z[FARE_BLOCK] FARE_ALIGNED;
  double *f[FARE_AXES_MAX], *g[FARE_AXES_MAX], *y[FARE_AXES_MAX], *image[FARE_AXES_MAX];
  places  before, seen, sign;

  fare_block_rows(run->dim, now, f);
  fare_block_rows(run->dim, then, g);
  fare_block_rows(run->dim, predicted, y);
  fare_block_rows(run->dim, seen.x, image);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step), *next = theta_at(run, step + 1);
    int           mirrored;
    const double  drift = theta[FARE_MOBILITY] * run->dt, drift_next = next[FARE_MOBILITY] * run->dt;
    /* the variance of the step is the mean of those at its two ends */
    const double spread = sqrt(0.5 * (pow(noise_scale(run, theta), 2) + pow(noise_scale(run, next), 2)));

    remember(run, (const double *const *)x, &before);
    run->type->force(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    for (int axis = 0; axis < run->dim; axis++) {
      double *restrict p = predicted[axis];

      fare_random_normals(run->noise, block, run->first_step + (uint64_t)step, (uint32_t)axis, z);
#pragma omp simd
      for (int i = 0; i < FARE_BLOCK; i++) p[i] = x[axis][i] + drift * now[axis][i] + spread * z[i];
    }
    mirrored = look_into_mirrors(run, (const double *const *)y, &seen, &sign);
    run->type->force(run->dim, next, FARE_BLOCK, (const double *const *)(mirrored ? image : y), g);
    /* from the predictor on: it holds the noise */
    for (int axis = 0; axis < run->dim; axis++) {
      double *restrict q = x[axis];

      if (mirrored) turn(&sign, axis, then[axis]);
#pragma omp simd
      for (int i = 0; i < FARE_BLOCK; i++)
        q[i] = predicted[axis][i] + 0.5 * (drift_next * then[axis][i] - drift * now[axis][i]);
    }
    meet(run, block, step, &before, spread * spread, NULL, x);
  }
}

/* z = sqrt(2 D dt) R, per axis; and 2 D dt where there are walls. */
static void general_noise(const fare_langevin_run *run, const double *theta, uint64_t block, uint64_t step,
  const double *const x[], double *const z[], places *variance)
{
  double  diffusion[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double *D[FARE_AXES_MAX];

  fare_block_rows(run->dim, diffusion, D);
  run->type->diffusion(run->dim, theta, FARE_BLOCK, x, D);
  for (int axis = 0; axis < run->dim; axis++) {
    double *restrict r = z[axis];

    fare_random_normals(run->noise, block, step, (uint32_t)axis, r);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) r[i] *= sqrt(2 * diffusion[axis][i] * run->dt);
    if (!run->walls) continue;
    for (int i = 0; i < FARE_BLOCK; i++) variance->x[axis][i] = 2 * diffusion[axis][i] * run->dt;
  }
}

void fare_langevin_general_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double  drift[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, noise[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double *f[FARE_AXES_MAX], *z[FARE_AXES_MAX], *spread[FARE_AXES_MAX];
  places  before, variance;

  fare_block_rows(run->dim, drift, f);
  fare_block_rows(run->dim, noise, z);
  fare_block_rows(run->dim, variance.x, spread);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step);

    remember(run, (const double *const *)x, &before);
    run->type->drift(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    general_noise(
      run, theta, block, run->first_step + (uint64_t)step, (const double *const *)x, z, &variance);
    for (int axis = 0; axis < run->dim; axis++) move(x[axis], run->dt, f[axis], 1, z[axis]);
    meet(run, block, step, &before, 0, (const double *const *)spread, x);
  }
}

void fare_langevin_general_heun(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double  now[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, then[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double  predicted[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, noise[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  double *f[FARE_AXES_MAX], *g[FARE_AXES_MAX], *z[FARE_AXES_MAX], *y[FARE_AXES_MAX], *image[FARE_AXES_MAX],
    *spread[FARE_AXES_MAX];
  places before, variance, seen, sign;

  fare_block_rows(run->dim, now, f);
  fare_block_rows(run->dim, then, g);
  fare_block_rows(run->dim, noise, z);
  fare_block_rows(run->dim, predicted, y);
  fare_block_rows(run->dim, seen.x, image);
  fare_block_rows(run->dim, variance.x, spread);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step), *next = theta_at(run, step + 1);
    int           mirrored;

    remember(run, (const double *const *)x, &before);
    run->type->drift(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    general_noise(
      run, theta, block, run->first_step + (uint64_t)step, (const double *const *)x, z, &variance);
    for (int axis = 0; axis < run->dim; axis++) {
      for (int i = 0; i < FARE_BLOCK; i++)
        predicted[axis][i] = x[axis][i] + run->dt * now[axis][i] + noise[axis][i];
    }
    mirrored = look_into_mirrors(run, (const double *const *)y, &seen, &sign);
    run->type->drift(run->dim, next, FARE_BLOCK, (const double *const *)(mirrored ? image : y), g);
    for (int axis = 0; axis < run->dim; axis++) {
      if (mirrored) turn(&sign, axis, g[axis]);
      move(x[axis], 0.5 * run->dt, f[axis], 1, z[axis]);
      move(x[axis], 0.5 * run->dt, g[axis], 0, z[axis]);
    }
    meet(run, block, step, &before, 0, (const double *const *)spread, x);
  }
}
