/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"

#include "normals.h"

#include <math.h>

enum { RUN = FARE_NORMALS_RUN };

void fare_normals_solve(
  int dim, const double root[], const double mean[], size_t n, const double *const x[], double y[])
{
  for (int row = 0; row < dim; row++) {
    const double *L  = root + row * dim;
    double       *to = y + row * RUN;
    const double  m = mean[row], inverse = 1 / L[row];

    for (size_t i = 0; i < n; i++) to[i] = x[row][i] - m;
    for (int column = 0; column < row; column++) {
      const double  l    = L[column];
      const double *from = y + column * RUN;

      if (l == 0) continue;
#pragma omp simd
      for (size_t i = 0; i < n; i++) to[i] -= l * from[i];
    }
    for (size_t i = 0; i < n; i++) to[i] *= inverse;
  }
}

void fare_normals_solve_back(int dim, const double root[], size_t n, double y[])
{
  for (int row = dim - 1; row >= 0; row--) {
    double      *to      = y + row * RUN;
    const double inverse = 1 / root[row * dim + row];

    for (int below = row + 1; below < dim; below++) {
      const double  l    = root[below * dim + row];
      const double *from = y + below * RUN;

      if (l == 0) continue;
#pragma omp simd
      for (size_t i = 0; i < n; i++) to[i] -= l * from[i];
    }
    for (size_t i = 0; i < n; i++) to[i] *= inverse;
  }
}

void fare_normals_exponent(int dim, double scale, size_t n, const double y[], double e[])
{
  for (size_t i = 0; i < n; i++) e[i] = scale;
  for (int axis = 0; axis < dim; axis++) {
    const double *from = y + axis * RUN;

#pragma omp simd
    for (size_t i = 0; i < n; i++) e[i] -= 0.5 * from[i] * from[i];
  }
}

void fare_normals_add(int first, size_t n, const double e[], double highest[], double sum[])
{
  if (first) {
    for (size_t i = 0; i < n; i++) {
      highest[i] = e[i];
      sum[i]     = 1;
    }
    return;
  }
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double top = e[i] > highest[i] ? e[i] : highest[i];

    sum[i]     = sum[i] * exp(highest[i] - top) + exp(e[i] - top);
    highest[i] = top;
  }
}

void fare_normals_pull(
  int dim, size_t n, const double e[], const double log_density[], const double w[], double *const s[])
{
  double share[RUN];

#pragma omp simd
  for (size_t i = 0; i < n; i++) share[i] = exp(e[i] - log_density[i]);
  for (int axis = 0; axis < dim; axis++) {
    const double *from = w + axis * RUN;
    double       *to   = s[axis];

#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] -= share[i] * from[i];
  }
}

void fare_normals_place(int dim, const double root[], const double mean[], int count, const int which[],
  const double *const z[], double *const x[])
{
  for (int row = 0; row < dim; row++) {
    for (int i = 0; i < count; i++) x[row][which[i]] = mean[row];
    for (int column = 0; column <= row; column++) {
      const double l = root[row * dim + column];

      if (l == 0) continue;
      for (int i = 0; i < count; i++) x[row][which[i]] += l * z[column][which[i]];
    }
  }
}
