/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "bdf.h"

#include <math.h>

void fare_bdf_predict(PetscInt n, int count, const double *const past[], const double c[], const double d[],
  double *restrict guess, double *restrict rest)
{
  const double *p[FARE_BDF_HISTORY];
  double        a[FARE_BDF_HISTORY] = {0}, b[FARE_BDF_HISTORY] = {0};

  for (int i = 0; i < FARE_BDF_HISTORY; i++) {
    p[i] = past[i < count ? i : 0];
    if (i >= count) continue;
    a[i] = c[i];
    b[i] = d[i];
  }
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) {
    guess[i] =
      a[0] * p[0][i] + a[1] * p[1][i] + a[2] * p[2][i] + a[3] * p[3][i] + a[4] * p[4][i] + a[5] * p[5][i];
    rest[i] =
      -(b[0] * p[0][i] + b[1] * p[1][i] + b[2] * p[2][i] + b[3] * p[3][i] + b[4] * p[4][i] + b[5] * p[5][i]);
  }
}

void fare_bdf_correct(
  PetscInt n, int positive, const double *restrict step, double *restrict p, double sums[2])
{
  const double least = positive ? 0 : -HUGE_VAL;
  double       sum = 0, added = 0;

#pragma omp simd reduction(+ : sum, added)
  for (PetscInt i = 0; i < n; i++) {
    const double raw = p[i] + step[i], held = fmax(raw, least);

    p[i] = held;
    sum += held;
    added += held - raw;
  }
  sums[0] = sum;
  sums[1] = added;
}

double fare_bdf_finish(PetscInt n, int count, const double *const past[], double scale, int rows,
  const double c[][FARE_BDF_HISTORY], double *restrict p, double norms[])
{
  const double *q[FARE_BDF_HISTORY];
  double        a[3][FARE_BDF_HISTORY] = {{0}}, smallest = HUGE_VAL, sum0 = 0, sum1 = 0, sum2 = 0;

  for (int k = 0; k < FARE_BDF_HISTORY; k++) {
    q[k] = past[k < count ? k : 0];
    for (int m = 0; m < rows && k < count; m++) a[m][k] = c[m][k];
  }
#define APART(a) \
  fabs(own -     \
    (a[0] * q[0][i] + a[1] * q[1][i] + a[2] * q[2][i] + a[3] * q[3][i] + a[4] * q[4][i] + a[5] * q[5][i]))
#pragma omp simd reduction(min : smallest) reduction(+ : sum0, sum1, sum2)
  for (PetscInt i = 0; i < n; i++) {
    const double own = scale * p[i];

    p[i]     = own;
    smallest = fmin(smallest, own);
    sum0 += APART(a[0]);
    sum1 += APART(a[1]);
    sum2 += APART(a[2]);
  }
#undef APART
  const double sums[] = {sum0, sum1, sum2};

  for (int m = 0; m < rows; m++) norms[m] = sums[m];
  return smallest;
}
