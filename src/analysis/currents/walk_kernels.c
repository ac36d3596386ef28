/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "walk.h"

void fare_walk_step(ptrdiff_t cells, int faces, const int32_t *restrict neighbour,
  const double *restrict stay, const double *restrict move, double weight, const double *restrict x,
  double *restrict y, double *restrict sum)
{
  for (ptrdiff_t cell = 0; cell < cells; cell++) {
    double value[FARE_WALK_LANES];

#pragma omp simd
    for (int lane = 0; lane < FARE_WALK_LANES; lane++)
      value[lane] = stay[cell] * x[cell * FARE_WALK_LANES + lane];
    for (ptrdiff_t face = cell * faces; face < (cell + 1) * faces; face++) {
      const double *from = x + (ptrdiff_t)neighbour[face] * FARE_WALK_LANES, rate = move[face];

#pragma omp simd
      for (int lane = 0; lane < FARE_WALK_LANES; lane++) value[lane] += rate * from[lane];
    }
#pragma omp simd
    for (int lane = 0; lane < FARE_WALK_LANES; lane++) {
      y[cell * FARE_WALK_LANES + lane] = value[lane];
      sum[cell * FARE_WALK_LANES + lane] += weight * value[lane];
    }
  }
}
