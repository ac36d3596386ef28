/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "bridge_coupling.h"

#include <math.h>

void fare_coupling_cost(int m, double x, double spread, double period, const double y[], float cost[])
{
  const double turn = period > 0 ? 1 / period : 0;

#pragma omp simd
  for (int j = 0; j < m; j++) {
    const double d = y[j] - x, near = (d - period * nearbyint(d * turn)) / spread;

    cost[j] += (float)(0.5 * near * near);
  }
}

void fare_coupling_weights(int m, float f, const float g[], const float cost[], float K[])
{
#pragma omp simd
  for (int j = 0; j < m; j++) {
    const float e = f + g[j] - cost[j];

    K[j] = expf(e > -80 ? e : -80);
  }
}

float fare_coupling_dot(int m, const float K[], const float v[])
{
  float sum = 0;

#pragma omp simd reduction(+ : sum)
  for (int j = 0; j < m; j++) sum += K[j] * v[j];
  return sum;
}

void fare_coupling_add(int m, float u, const float K[], float to[])
{
#pragma omp simd
  for (int j = 0; j < m; j++) to[j] += u * K[j];
}
