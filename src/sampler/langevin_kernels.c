#include "langevin.h"

#include <math.h>

#define ALIGNED __attribute__((aligned(64)))

static inline const double *theta_at(const fare_langevin_run *run, int step)
{
  return run->theta + (size_t)step * FARE_PARAMETERS_MAX;
}

static inline double noise_scale(const fare_langevin_run *run, const double *theta)
{
  return sqrt(2 * theta[FARE_MOBILITY] * theta[FARE_KT] * run->dt);
}

/* x += a f + b z */
static inline void move(double *restrict x, double a, const double *restrict f, double b, const double *restrict z)
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) x[i] += a * f[i] + b * z[i];
}

void fare_langevin_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double        force[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, z[FARE_BLOCK] ALIGNED;
  double *const f[FARE_DIM_MAX] = {force[0], force[1], force[2]};

  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step);

    run->type->force(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    for (int axis = 0; axis < run->dim; axis++) {
      fare_random_normals(run->noise, block, run->first_step + (uint64_t)step, (uint32_t)axis, z);
      move(x[axis], theta[FARE_MOBILITY] * run->dt, f[axis], noise_scale(run, theta), z);
    }
  }
}

void fare_langevin_leimkuhler_matthews(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double        force[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, noise[2][FARE_DIM_MAX][FARE_BLOCK] ALIGNED;
  double *const f[FARE_DIM_MAX] = {force[0], force[1], force[2]};

  /* R_n of the first step is drawn again: counters make that the same number as the last step's R_{n+1} */
  for (int axis = 0; axis < run->dim; axis++) fare_random_normals(run->noise, block, run->first_step, (uint32_t)axis, noise[0][axis]);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step);
    const double  drift = theta[FARE_MOBILITY] * run->dt, half = 0.5 * noise_scale(run, theta);

    run->type->force(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    for (int axis = 0; axis < run->dim; axis++) {
      const double *restrict before = noise[step & 1][axis];
      double *restrict after = noise[~step & 1][axis], *restrict q = x[axis];

      fare_random_normals(run->noise, block, run->first_step + (uint64_t)step + 1, (uint32_t)axis, after);
#pragma omp simd
      for (int i = 0; i < FARE_BLOCK; i++) q[i] += drift * force[axis][i] + half * (before[i] + after[i]);
    }
  }
}

void fare_langevin_heun(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double        now[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, then[FARE_DIM_MAX][FARE_BLOCK] ALIGNED;
  double        predicted[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, z[FARE_BLOCK] ALIGNED;
  double *const f[FARE_DIM_MAX] = {now[0], now[1], now[2]}, *const g[FARE_DIM_MAX] = {then[0], then[1], then[2]};
  const double *const y[FARE_DIM_MAX] = {predicted[0], predicted[1], predicted[2]};

  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step), *next = theta_at(run, step + 1);
    const double  drift = theta[FARE_MOBILITY] * run->dt, drift_next = next[FARE_MOBILITY] * run->dt;
    /* the variance of the step is the mean of those at its two ends */
    const double spread = sqrt(0.5 * (pow(noise_scale(run, theta), 2) + pow(noise_scale(run, next), 2)));

    run->type->force(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    for (int axis = 0; axis < run->dim; axis++) {
      double *restrict p = predicted[axis];

      fare_random_normals(run->noise, block, run->first_step + (uint64_t)step, (uint32_t)axis, z);
#pragma omp simd
      for (int i = 0; i < FARE_BLOCK; i++) p[i] = x[axis][i] + drift * now[axis][i] + spread * z[i];
    }
    run->type->force(run->dim, next, FARE_BLOCK, y, g);
    /* from the predictor on: it holds the noise */
    for (int axis = 0; axis < run->dim; axis++) {
      double *restrict q = x[axis];

#pragma omp simd
      for (int i = 0; i < FARE_BLOCK; i++) q[i] = predicted[axis][i] + 0.5 * (drift_next * then[axis][i] - drift * now[axis][i]);
    }
  }
}

/* z = sqrt(2 D dt) R, per axis */
static void general_noise(const fare_langevin_run *run, const double *theta, uint64_t block, uint64_t step, const double *const x[], double *const z[])
{
  double        diffusion[FARE_DIM_MAX][FARE_BLOCK] ALIGNED;
  double *const D[FARE_DIM_MAX] = {diffusion[0], diffusion[1], diffusion[2]};

  run->type->diffusion(run->dim, theta, FARE_BLOCK, x, D);
  for (int axis = 0; axis < run->dim; axis++) {
    double *restrict r = z[axis];

    fare_random_normals(run->noise, block, step, (uint32_t)axis, r);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) r[i] *= sqrt(2 * diffusion[axis][i] * run->dt);
  }
}

void fare_langevin_general_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double        drift[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, noise[FARE_DIM_MAX][FARE_BLOCK] ALIGNED;
  double *const f[FARE_DIM_MAX] = {drift[0], drift[1], drift[2]}, *const z[FARE_DIM_MAX] = {noise[0], noise[1], noise[2]};

  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step);

    run->type->drift(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    general_noise(run, theta, block, run->first_step + (uint64_t)step, (const double *const *)x, z);
    for (int axis = 0; axis < run->dim; axis++) move(x[axis], run->dt, f[axis], 1, z[axis]);
  }
}

void fare_langevin_general_heun(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double        now[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, then[FARE_DIM_MAX][FARE_BLOCK] ALIGNED;
  double        predicted[FARE_DIM_MAX][FARE_BLOCK] ALIGNED, noise[FARE_DIM_MAX][FARE_BLOCK] ALIGNED;
  double *const f[FARE_DIM_MAX] = {now[0], now[1], now[2]}, *const g[FARE_DIM_MAX] = {then[0], then[1], then[2]};
  double *const z[FARE_DIM_MAX] = {noise[0], noise[1], noise[2]};
  const double *const y[FARE_DIM_MAX] = {predicted[0], predicted[1], predicted[2]};

  for (int step = 0; step < run->steps; step++) {
    const double *theta = theta_at(run, step), *next = theta_at(run, step + 1);

    run->type->drift(run->dim, theta, FARE_BLOCK, (const double *const *)x, f);
    general_noise(run, theta, block, run->first_step + (uint64_t)step, (const double *const *)x, z);
    for (int axis = 0; axis < run->dim; axis++) {
      for (int i = 0; i < FARE_BLOCK; i++) predicted[axis][i] = x[axis][i] + run->dt * now[axis][i] + noise[axis][i];
    }
    run->type->drift(run->dim, next, FARE_BLOCK, y, g);
    for (int axis = 0; axis < run->dim; axis++) {
      move(x[axis], 0.5 * run->dt, f[axis], 1, z[axis]);
      move(x[axis], 0.5 * run->dt, g[axis], 0, z[axis]);
    }
  }
}
