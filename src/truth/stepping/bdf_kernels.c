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

#define RUN 256

double fare_bdf_finish(PetscInt n, int count, const double *const past[], double scale, int rows,
  const double c[][FARE_BDF_HISTORY], double *restrict p, double norms[])
{
  double smallest = HUGE_VAL, r[RUN];

  for (int m = 0; m < rows; m++) norms[m] = 0;
  for (PetscInt first = 0; first < n; first += RUN) {
    const PetscInt width = PetscMin(RUN, n - first);

#pragma omp simd reduction(min : smallest)
    for (PetscInt i = 0; i < width; i++) {
      p[first + i] *= scale;
      smallest = fmin(smallest, p[first + i]);
    }
    for (int m = 0; m < rows; m++) {
      double sum = 0;

      for (PetscInt i = 0; i < width; i++) r[i] = p[first + i];
      for (int k = 0; k < count; k++) {
        if (c[m][k] == 0) continue;
#pragma omp simd
        for (PetscInt i = 0; i < width; i++) r[i] -= c[m][k] * past[k][first + i];
      }
#pragma omp simd reduction(+ : sum)
      for (PetscInt i = 0; i < width; i++) sum += fabs(r[i]);
      norms[m] += sum;
    }
  }
  return smallest;
}
