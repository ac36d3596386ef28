/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "flow_matching.h"

#include <math.h>

#define LEAST_TAU 1e-3 /* of frequencies; what comes before has faded altogether */

double fare_flow_matching_slope(int base, double tau)
{
  return base * (2 * tau - 1) / ((1 - tau) * (1 - tau) + tau * tau);
}

void fare_flow_matching_times(int n, const float z[], float tau[], float level[])
{
  for (int i = 0; i < n; i++) {
    tau[i]   = (float)(0.5 * erfc(-(double)z[i] / sqrt(2)));
    level[i] = 2 * tau[i] - 1;
  }
}

void fare_flow_matching_position(
  int faded, double tau, const float u[FARE_BLOCK], float y[FARE_BLOCK], float spread[FARE_BLOCK])
{
  const float by = tau > LEAST_TAU ? (float)tau : (float)LEAST_TAU;

#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) {
    y[i]      = faded ? u[i] / by : u[i];
    spread[i] = faded ? (1 - (float)tau) / by : 0;
  }
}

void fare_flow_matching_frequency_slopes(
  int faded, double tau, int frequencies, double frequency, const float feature[], float slope[])
{
  const double by = faded ? (tau > LEAST_TAU ? tau : LEAST_TAU) : 1;

  for (int k = 0; k < frequencies; k++, frequency *= 2) {
    const float *restrict sine = feature + 2 * k * FARE_BLOCK, *restrict cosine = sine + FARE_BLOCK;
    const float rate = (float)(frequency / by);

#pragma omp simd
    for (int i = 0; i < FARE_BLOCK; i++) {
      slope[2 * k * FARE_BLOCK + i]       = rate * cosine[i];
      slope[(2 * k + 1) * FARE_BLOCK + i] = -rate * sine[i];
    }
  }
}

void fare_flow_matching_corrupt(int n, int base, int faded, const float tau[], const float x[],
  const float z[], float u[], float target[], float y[], float spread[])
{
  const float least = (float)LEAST_TAU;

#pragma omp simd
  for (int i = 0; i < n; i++) {
    const float left = 1 - tau[i], place = left * z[i] + tau[i] * x[i], by = tau[i] > least ? tau[i] : least;

    u[i]      = place;
    target[i] = x[i] - z[i] - (float)base * (2 * tau[i] - 1) / (left * left + tau[i] * tau[i]) * place;
    y[i]      = faded ? place / by : place;
    spread[i] = faded ? left / by : 0;
  }
}
