/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "thermo.h"

#include <math.h>

void fare_average_boltzmann(
  size_t n, int points, const double weight[], double T, double *restrict V, double *restrict energy)
{
  double *restrict sum = V; /* the first point's place serves once its value is used */

  for (size_t i = 0; i < n; i++) energy[i] = V[i];
  for (int q = 1; q < points; q++) {
    const double *restrict v = V + (size_t)q * n;

#pragma omp simd
    for (size_t i = 0; i < n; i++) energy[i] = v[i] < energy[i] ? v[i] : energy[i];
  }
#pragma omp simd
  for (size_t i = 0; i < n; i++) sum[i] = weight[0] * exp((energy[i] - V[i]) / T);
  for (int q = 1; q < points; q++) {
    const double *restrict v = V + (size_t)q * n;

#pragma omp simd
    for (size_t i = 0; i < n; i++) sum[i] += weight[q] * exp((energy[i] - v[i]) / T);
  }
#pragma omp simd
  for (size_t i = 0; i < n; i++) energy[i] -= T * log(sum[i]);
}
