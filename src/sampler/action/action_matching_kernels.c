/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "action_matching.h"

void fare_action_chain(int frequencies, double frequency, int n, const float feature[],
  const float d_position[], const float d_feature[], float d[])
{
  float w = (float)frequency;

#pragma omp simd
  for (int i = 0; i < n; i++) d[i] = d_position ? d_position[i] : 0;
  for (int k = 0; k < frequencies; k++, w *= 2) {
    const float *sine = feature + (size_t)(2 * k) * FARE_BLOCK, *cosine = sine + FARE_BLOCK,
                *by_sine = d_feature + (size_t)(2 * k) * FARE_BLOCK, *by_cosine = by_sine + FARE_BLOCK;

#pragma omp simd
    for (int i = 0; i < n; i++) d[i] += w * (cosine[i] * by_sine[i] - sine[i] * by_cosine[i]);
  }
}

void fare_action_push(
  int frequencies, double frequency, int n, const float feature[], const float along[], float d_feature[])
{
  float w = (float)frequency;

  for (int k = 0; k < frequencies; k++, w *= 2) {
    const float *sine = feature + (size_t)(2 * k) * FARE_BLOCK, *cosine = sine + FARE_BLOCK;
    float       *to_sine = d_feature + (size_t)(2 * k) * FARE_BLOCK, *to_cosine = to_sine + FARE_BLOCK;

#pragma omp simd
    for (int i = 0; i < n; i++) {
      to_sine[i]   = w * cosine[i] * along[i];
      to_cosine[i] = -w * sine[i] * along[i];
    }
  }
}

void fare_action_step(double h, int n, const double x[], const double v[], double out[])
{
#pragma omp simd
  for (int i = 0; i < n; i++) out[i] = x[i] + h * v[i];
}

void fare_action_gather(
  double h, int n, const double k1[], const double k2[], const double k3[], const double k4[], double x[])
{
#pragma omp simd
  for (int i = 0; i < n; i++) x[i] += h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
}
