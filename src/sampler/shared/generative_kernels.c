/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "generative.h"

double fare_generative_loss(int n, const float weight[], const float target[], const float F[], float d[])
{
  float sum = 0;

#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; i++) {
    const float off = F[i] - target[i];

    d[i] = 2 * weight[i] * off;
    sum += weight[i] * off * off;
  }
  return sum;
}

void fare_generative_euler(
  float h, const float u[FARE_BLOCK], const float F[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = u[i] + h * F[i];
}

void fare_generative_mix(
  float a, float b, const float u[FARE_BLOCK], const double z[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = a * u[i] + b * (float)z[i];
}

void fare_generative_scale(float a, const float u[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = a * u[i];
}

void fare_generative_shift(double shift, double scale, const float u[FARE_BLOCK], double x[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) x[i] = shift + scale * (double)u[i];
}
