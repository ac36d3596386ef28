/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "record.h"

void fare_record_bounds(int64_t n, const double x[], double *least, double *most)
{
  double low = HUGE_VAL, high = -HUGE_VAL;

#pragma omp simd reduction(min : low) reduction(max : high)
  for (int64_t i = 0; i < n; i++) {
    low  = low < x[i] ? low : x[i];
    high = high > x[i] ? high : x[i];
  }
  *least = low;
  *most  = high;
}
