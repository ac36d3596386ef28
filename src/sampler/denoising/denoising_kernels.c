/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "denoising.h"

#include <math.h>

void fare_denoising_levels(
  int n, double mean, double sd, double least, double most, const float z[], float sigma[], float level[])
{
  const float middle = (float)mean, spread = (float)sd, low = (float)log(least), high = (float)log(most);

#pragma omp simd
  for (int i = 0; i < n; i++) {
    const float wanted = middle + spread * z[i], at = wanted < low ? low : wanted > high ? high : wanted;

    sigma[i] = expf(at);
    level[i] = 2 * (at - low) / (high - low) - 1;
  }
}

void fare_denoising_levels_even(int n, double beta_min, double beta_max, double least, double most,
  const float z[], float sigma[], float level[])
{
  const double low = log(least), high = log(most);

  for (int i = 0; i < n; i++) {
    const double tau    = 0.5 * erfc(-(double)z[i] / sqrt(2)),
                 B      = tau * (beta_min + 0.5 * (beta_max - beta_min) * tau);
    const double wanted = 0.5 * log(expm1(B)), at = wanted < low ? low : wanted > high ? high : wanted;

    sigma[i] = (float)exp(at);
    level[i] = (float)(2 * (at - low) / (high - low) - 1);
  }
}

void fare_denoising_corrupt(
  int n, const float sigma[], const float x[], const float e[], float y[], float u[], float target[])
{
#pragma omp simd
  for (int i = 0; i < n; i++) {
    const float c_in = 1 / sqrtf(1 + sigma[i] * sigma[i]);

    y[i]      = x[i] + sigma[i] * e[i];
    u[i]      = c_in * y[i];
    target[i] = c_in * (sigma[i] * x[i] - e[i]);
  }
}
