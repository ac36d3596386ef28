/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"

#include "look.h"

#include <math.h>

/* Squared distances of a point of x to points of y from `from` on. */
static void squares(
  int dim, const double *const x[], int i, int from, int m, const double *const y[], double r2[])
{
  for (int j = from; j < m; j++) r2[j] = 0;
  for (int axis = 0; axis < dim; axis++) {
    const double  at = x[axis][i];
    const double *of = y[axis];

#pragma omp simd
    for (int j = from; j < m; j++) r2[j] += (of[j] - at) * (of[j] - at);
  }
}

void fare_unit_distances(int dim, int n, const double *const x[], const double w[], int m,
  const double *const y[], const double v[], double sum[2])
{
  double r2[FARE_BLOCK];

  for (int i = 0; i < n; i++) {
    const double own  = w ? w[i] : 1;
    double       near = 0, all = 0;

    squares(dim, x, i, 0, m, y, r2);
#pragma omp simd reduction(+ : near, all)
    for (int j = 0; j < m; j++) {
      const double other = v ? v[j] : 1;

      near += other * sqrt(r2[j]);
      all += other;
    }
    sum[0] += own * near;
    sum[1] += own * all;
  }
}

void fare_unit_distances_within(int dim, int n, const double *const x[], const double w[], double sum[2])
{
  double r2[FARE_BLOCK];

  for (int i = 0; i < n; i++) {
    const double own  = w ? w[i] : 1;
    double       near = 0, all = 0;

    squares(dim, x, i, i + 1, n, x, r2);
#pragma omp simd reduction(+ : near, all)
    for (int j = i + 1; j < n; j++) {
      const double other = w ? w[j] : 1;

      near += other * sqrt(r2[j]);
      all += other;
    }
    sum[0] += own * near;
    sum[1] += own * all;
  }
}

/* Products of scores, and of their difference with the distance, of point i and those after it. */
static void products(
  int dim, const double *const x[], const double *const s[], int i, int n, double dot[], double along[])
{
  for (int j = i + 1; j < n; j++) dot[j] = along[j] = 0;
  for (int axis = 0; axis < dim; axis++) {
    const double *at = x[axis], *score = s[axis];

#pragma omp simd
    for (int j = i + 1; j < n; j++) {
      dot[j] += score[i] * score[j];
      along[j] += (score[i] - score[j]) * (at[i] - at[j]);
    }
  }
}

void fare_unit_stein(int dim, double length2, int n, const double *const x[], const double *const s[],
  const double w[], double sum[2])
{
  double       r2[FARE_BLOCK], dot[FARE_BLOCK], along[FARE_BLOCK];
  const double a = 1 / length2;

  for (int i = 0; i < n; i++) {
    const double own   = w ? w[i] : 1;
    double       stein = 0, all = 0;

    squares(dim, x, i, i + 1, n, x, r2);
    products(dim, x, s, i, n, dot, along);
#pragma omp simd reduction(+ : stein, all)
    for (int j = i + 1; j < n; j++) {
      const double k = 1 / sqrt(1 + a * r2[j]), k3 = k * k * k, other = w ? w[j] : 1;

      stein += other * (dot[j] * k + a * (along[j] + dim) * k3 - 3 * a * a * r2[j] * k3 * k * k);
      all += other;
    }
    sum[0] += own * stein;
    sum[1] += own * all;
  }
}
