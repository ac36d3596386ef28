/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"

#include "linear.h"

#define RUN 512 /* points that stay in the cache */

static double entry(const fare_affine *map, int row, int column)
{
  const int at = row * map->dim + column;

  return (map->A ? map->a * map->A[at] : 0) + (map->M ? map->m * map->M[at] : 0);
}

/* to[i] = the row of the map at n points. */
static void apply_row(
  const fare_affine *map, int row, size_t n, const double *const x[], size_t from, double to[restrict])
{
  const double b = map->b ? map->s * map->b[row] : 0;

  for (size_t i = 0; i < n; i++) to[i] = b;
  for (int column = 0; column < map->dim; column++) {
    const double  a  = entry(map, row, column);
    const double *in = x[column] + from;

    if (a == 0) continue;
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += a * in[i];
  }
}

void fare_affine_apply(
  const fare_affine *map, const double scale[], size_t n, const double *const x[], double *const f[])
{
  for (size_t from = 0; from < n; from += RUN) {
    const size_t count = n - from < RUN ? n - from : RUN;

    for (int row = 0; row < map->dim; row++) {
      double *to = f[row] + from;

      apply_row(map, row, count, x, from, to);
      for (size_t i = 0; scale && i < count; i++) to[i] *= scale[row];
    }
  }
}

void fare_affine_potential(const fare_affine *map, size_t n, const double *const x[], double V[])
{
  double to[RUN];

  for (size_t from = 0; from < n; from += RUN) {
    const size_t count = n - from < RUN ? n - from : RUN;

    for (size_t i = 0; i < count; i++) V[from + i] = 0;
    for (int row = 0; row < map->dim; row++) {
      const double b = map->b ? map->s * map->b[row] : 0;

      apply_row(map, row, count, x, from, to);
#pragma omp simd
      for (size_t i = 0; i < count; i++) V[from + i] -= 0.5 * (to[i] + b) * x[row][from + i];
    }
  }
}
