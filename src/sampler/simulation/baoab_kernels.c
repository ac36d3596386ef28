/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include <fare/langevin.h>

#include <math.h>
#include <string.h>

/*
  The exact solution of dv = -friction v dt + sqrt(2 heating) dW over dt, v -> keep v + spread z, with the
  mean of both ends' parameters.
*/
static void friction_and_noise(
  const fare_langevin_run *run, const double *theta, const double *next, double *keep, double *spread)
{
  double friction[2], heating[2], rate, loss;

  run->type->bath(theta, &friction[0], &heating[0]);
  run->type->bath(next, &friction[1], &heating[1]);
  rate    = 0.5 * (friction[0] + friction[1]);
  loss    = -expm1(-2 * rate * run->dt);
  *keep   = exp(-rate * run->dt);
  *spread = sqrt(0.5 * (heating[0] + heating[1]) * (rate > 0 ? loss / rate : 2 * run->dt));
}

/* Ends of the box; q and v are where `from` tells before. Mirrors turn velocities over. */
static void meet(const fare_langevin_run *run, uint64_t block, int step, double from[2][FARE_BLOCK],
  double spread, double *const x[])
{
  const double *const before[FARE_DIM_MAX]   = {from[0], from[1]};
  const double        variance[FARE_DIM_MAX] = {0, spread * spread};

  if (fare_langevin_meets(run, (const double *const *)x))
    fare_langevin_meet(run, block, step, before, variance, NULL, x, NULL);
}

void fare_baoab(const fare_langevin_run *run, uint64_t block, double *const x[])
{
  double *restrict q = x[0], *restrict v = x[1];
  double       a[FARE_BLOCK] FARE_ALIGNED, z[FARE_BLOCK] FARE_ALIGNED, from[2][FARE_BLOCK] FARE_ALIGNED;
  const double half     = 0.5 * run->dt;
  const int    absorbed = run->walls && run->walls->absorbing;

  run->type->acceleration(run->theta, FARE_BLOCK, q, a);
  for (int step = 0; step < run->steps; step++) {
    const double *theta = run->theta + (size_t)step * FARE_PARAMETERS_MAX,
                 *next  = theta + FARE_PARAMETERS_MAX;
    double keep, spread;

    friction_and_noise(run, theta, next, &keep, &spread);
    fare_random_normals(run->noise, block, run->first_step + (uint64_t)step, 0, z);
    for (int axis = 0; axis < 2 && absorbed; axis++) memcpy(from[axis], x[axis], sizeof from[axis]);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double kicked = v[i] + half * a[i], thermalized = keep * kicked + spread * z[i];

      q[i] += half * (kicked + thermalized);
      v[i] = thermalized;
    }
    meet(run, block, step, from, spread, x);
    for (int axis = 0; axis < 2 && absorbed; axis++) memcpy(from[axis], x[axis], sizeof from[axis]);
    run->type->acceleration(next, FARE_BLOCK, q, a);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) v[i] += half * a[i];
    meet(run, block, step, from, 0, x);
  }
}
