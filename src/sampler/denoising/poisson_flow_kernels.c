/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "poisson_flow.h"

#include <math.h>

void fare_poisson_gammas(
  double shape, fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double gamma[FARE_BLOCK])
{
  const double d = (shape < 1 ? shape + 1 : shape) - 1. / 3, c = 1 / sqrt(9 * d);
  double       z[FARE_BLOCK] FARE_ALIGNED, u[FARE_BLOCK] FARE_ALIGNED, candidate[FARE_BLOCK] FARE_ALIGNED,
    excess[FARE_BLOCK] FARE_ALIGNED;
  int wanted[FARE_BLOCK], left = FARE_BLOCK;

  for (int i = 0; i < FARE_BLOCK; i++) wanted[i] = 1;
  for (uint32_t attempt = 0; left; attempt++) {
    fare_random_normals(stream, block, step, draw + 2 * attempt, z);
    fare_random_uniforms(stream, block, step, draw + 2 * attempt + 1, u);
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double root = 1 + c * z[i], cube = root > 0 ? root * root * root : 1;

      candidate[i] = d * cube;
      excess[i]    = root > 0 ? log(u[i]) - (z[i] * z[i] / 2 + d - d * cube + d * log(cube)) : 1;
    }
    for (int i = 0; i < FARE_BLOCK; i++) {
      if (!wanted[i] || excess[i] > 0) continue;
      gamma[i]  = candidate[i];
      wanted[i] = 0;
      left--;
    }
  }
  if (shape >= 1) return;
  fare_random_uniforms(stream, block, step, UINT32_MAX, u);
  for (int i = 0; i < FARE_BLOCK; i++) gamma[i] *= pow(u[i], 1 / shape);
}

void fare_poisson_noise(int dim, int augmented, fare_stream stream, uint64_t block, uint64_t step,
  uint32_t draw, double e[][FARE_BLOCK])
{
  double gamma[FARE_BLOCK] FARE_ALIGNED;

  for (int axis = 0; axis < dim; axis++)
    fare_random_normals(stream, block, step, draw + (uint32_t)axis, e[axis]);
  fare_poisson_gammas(0.5 * augmented, stream, block, step, draw + (uint32_t)dim, gamma);
  for (int axis = 0; axis < dim; axis++) {
#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) e[axis][i] *= sqrt(augmented / (2 * gamma[i]));
  }
}
