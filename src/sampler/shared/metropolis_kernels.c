/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include <fare/metropolis.h>

#include <math.h>

void fare_metropolis_exponentials(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double e[FARE_BLOCK])
{
  fare_random_uniforms(stream, block, step, draw, e);
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) e[i] = -log(e[i]);
}

void fare_metropolis_propose(int dim, double h, double kT, const double *const x[], const double *const f[],
  fare_stream stream, uint64_t block, uint64_t step, uint32_t first, double *const y[])
{
  const double drift = h / kT, spread = sqrt(2 * h);

  for (int axis = 0; axis < dim; axis++) {
    fare_random_normals(stream, block, step, first + (uint32_t)axis, y[axis]);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) y[axis][i] = x[axis][i] + drift * f[axis][i] + spread * y[axis][i];
  }
}

void fare_metropolis_cost(int dim, double h, double kT, const double *const x[], const double *const f[],
  const double *V, const double *const y[], const double *const g[], const double *U, double cost[FARE_BLOCK])
{
  const double drift = h / kT;

#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) cost[i] = (U[i] - V[i]) / kT;
  for (int axis = 0; axis < dim; axis++) {
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double forth = y[axis][i] - x[axis][i] - drift * f[axis][i],
                   back  = x[axis][i] - y[axis][i] - drift * g[axis][i];

      cost[i] += (back * back - forth * forth) / (4 * h);
    }
  }
}
