/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include <fare/ensemble.h>

int fare_walls_crossed(const fare_walls *walls, int64_t n, const double *const x[])
{
  for (int axis = 0; axis < walls->dim; axis++) {
    const double lower        = walls->at[axis][0] ? walls->lower[axis] : -1e300,
                 upper        = walls->at[axis][1] ? walls->upper[axis] : 1e300;
    const double *restrict at = x[axis];
    int beyond                = 0;

#pragma omp simd reduction(| : beyond)
    for (int64_t i = 0; i < n; i++) beyond |= (at[i] < lower) | (at[i] > upper);
    if (beyond) return 1;
  }
  return 0;
}
