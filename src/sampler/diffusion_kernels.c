#include "diffusion.h"

#include <math.h>

void fare_diffusion_levels(int n, double mean, double sd, double least, double most, const float z[], float sigma[], float angle[])
{
  const float middle = (float)mean, spread = (float)sd, low = (float)log(least), high = (float)log(most);

#pragma omp simd
  for (int i = 0; i < n; i++) {
    const float wanted = middle + spread * z[i], level = wanted < low ? low : wanted > high ? high : wanted;

    sigma[i] = expf(level);
    angle[i] = 2 * (level - low) / (high - low) - 1;
  }
}

void fare_diffusion_corrupt(int n, const float sigma[], const float x[], const float e[], float y[], float u[], float target[])
{
#pragma omp simd
  for (int i = 0; i < n; i++) {
    const float c_in = 1 / sqrtf(1 + sigma[i] * sigma[i]);

    y[i]      = x[i] + sigma[i] * e[i];
    u[i]      = c_in * y[i];
    target[i] = c_in * (sigma[i] * x[i] - e[i]);
  }
}

double fare_diffusion_loss(int n, const float weight[], const float target[], const float F[], float d[])
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

void fare_diffusion_euler(float h, const float u[FARE_BLOCK], const float F[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = u[i] + h * F[i];
}

void fare_diffusion_heun(float h, const float u[FARE_BLOCK], const float F[FARE_BLOCK], const float G[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = u[i] + 0.5f * h * (F[i] + G[i]);
}

void fare_diffusion_mix(float a, float b, const float u[FARE_BLOCK], const double z[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = a * u[i] + b * (float)z[i];
}

void fare_diffusion_place(double shift, double scale, const float u[FARE_BLOCK], double x[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) x[i] = shift + scale * (double)u[i];
}

void fare_diffusion_scale(float a, const float u[FARE_BLOCK], float out[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) out[i] = a * u[i];
}
