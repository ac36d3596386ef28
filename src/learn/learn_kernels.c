/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "kernels.h"

#include <fare/learn.h>
#include <math.h>

#define STEEPEST 80.0f /* exp(80) is still a float32, and 1/(1 + exp(80)) is nothing beside it */

static inline float logistic(float h)
{
  const float e = expf(h < -STEEPEST ? STEEPEST : -h);

  return 1.0f / (1.0f + e);
}

/* Layers without skip have loops of their own, so that nothing is read for them. */
void fare_silu(int width, int rows, const float bias[], const float skip[], float h[])
{
  for (int k = 0; k < width; k++) {
    float *restrict a       = h + (size_t)k * FARE_BLOCK;
    const float *restrict c = skip ? skip + (size_t)k * FARE_BLOCK : NULL;
    const float b           = bias[k];

#pragma omp simd
    for (int i = 0; i < rows; i++) {
      const float x = a[i] + b;

      a[i] = x * logistic(x);
    }
    if (!c) continue;
#pragma omp simd
    for (int i = 0; i < rows; i++) a[i] += c[i];
  }
}

void fare_silu_slope(int width, int rows, const float bias[], const float skip[], float h[], float slope[])
{
  for (int k = 0; k < width; k++) {
    float *restrict a       = h + (size_t)k * FARE_BLOCK;
    float *restrict d       = slope + (size_t)k * FARE_BLOCK;
    const float *restrict c = skip ? skip + (size_t)k * FARE_BLOCK : NULL;
    const float b           = bias[k];

#pragma omp simd
    for (int i = 0; i < rows; i++) {
      const float x = a[i] + b, s = logistic(x);

      a[i] = x * s;
      d[i] = s + x * s * (1.0f - s);
    }
    if (!c) continue;
#pragma omp simd
    for (int i = 0; i < rows; i++) a[i] += c[i];
  }
}

void fare_add_bias(int width, int rows, const float bias[], float h[])
{
  for (int k = 0; k < width; k++) {
#pragma omp simd
    for (int i = 0; i < rows; i++) h[k * FARE_BLOCK + i] += bias[k];
  }
}

void fare_sum_rows(int width, int rows, const float d[], float bias_gradient[])
{
  for (int k = 0; k < width; k++) {
    float sum = 0;

#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < rows; i++) sum += d[k * FARE_BLOCK + i];
    bias_gradient[k] += sum;
  }
}

void fare_multiply(int width, int rows, const float slope[], const float d[], float out[])
{
  for (int k = 0; k < width; k++) {
#pragma omp simd
    for (int i = 0; i < rows; i++)
      out[k * FARE_BLOCK + i] = slope[k * FARE_BLOCK + i] * d[k * FARE_BLOCK + i];
  }
}

void fare_silu_along(int width, int rows, const float bias[], const float skip[], const float skip_along[],
  float h[], float along[], float slope[], float bend[])
{
  for (int k = 0; k < width; k++) {
    const size_t row  = (size_t)k * FARE_BLOCK;
    float *restrict a = h + row;
    float *restrict e = along + row;
    float *restrict d = slope + row;
    float *restrict f = bend + row;
    const float b     = bias[k];

#pragma omp simd
    for (int i = 0; i < rows; i++) {
      const float x = a[i] + b, s = logistic(x), rest = s * (1.0f - s), first = s + x * rest,
                  second = rest * (2.0f + x * (1.0f - 2.0f * s));

      a[i] = x * s;
      d[i] = first;
      f[i] = second * e[i];
      e[i] *= first;
    }
    if (!skip) continue;
#pragma omp simd
    for (int i = 0; i < rows; i++) {
      a[i] += skip[row + (size_t)i];
      e[i] += skip_along[row + (size_t)i];
    }
  }
}

void fare_multiply_along(int width, int rows, const float slope[], const float bend[], const float d[],
  const float e[], float d_out[], float e_out[])
{
  for (int k = 0; k < width; k++) {
    const size_t row = (size_t)k * FARE_BLOCK;

#pragma omp simd
    for (int i = 0; i < rows; i++) {
      d_out[row + (size_t)i] =
        slope[row + (size_t)i] * d[row + (size_t)i] + bend[row + (size_t)i] * e[row + (size_t)i];
      e_out[row + (size_t)i] = slope[row + (size_t)i] * e[row + (size_t)i];
    }
  }
}

void fare_learn_frequencies(
  int frequencies, double frequency, int n, const float u[], const float spread[], int stride, float out[])
{
  const float w = (float)frequency;
  float       fade[FARE_BLOCK] FARE_ALIGNED;

  if (frequencies < 1) return;
    /*
      sine and cosine in loops of their own, see random; further frequencies by sin 2a = 2 sin a cos a, cos 2a
      = 1
      - 2 sin^2 a
    */
#pragma omp simd
  for (int i = 0; i < n; i++) out[i] = sinf(w * u[i]);
#pragma omp simd
  for (int i = 0; i < n; i++) out[stride + i] = cosf(w * u[i]);
  for (int k = 1; k < frequencies; k++) {
    const float *restrict from = out + (size_t)(2 * k - 2) * (size_t)stride;
    float *restrict to         = out + (size_t)(2 * k) * (size_t)stride;

#pragma omp simd
    for (int i = 0; i < n; i++) {
      to[i]          = 2 * from[i] * from[stride + i];
      to[stride + i] = 1 - 2 * from[i] * from[i];
    }
  }
  if (!spread) return;
#pragma omp simd
  for (int i = 0; i < n; i++) fade[i] = expf(-0.5f * (w * spread[i]) * (w * spread[i]));
  for (int k = 0; k < frequencies; k++) {
    float *restrict to = out + (size_t)(2 * k) * (size_t)stride;

#pragma omp simd
    for (int i = 0; i < n; i++) {
      const float square = fade[i] * fade[i];

      to[i] *= fade[i];
      to[stride + i] *= fade[i];
      fade[i] = square * square;
    }
  }
}

void fare_adam_step(
  double rate, int64_t step, size_t n, const float gradient[], float m[], float v[], float w[])
{
  const float b1 = 0.9f, b2 = 0.999f, epsilon = 1e-8f;
  const float scale  = (float)(rate / (1 - pow(b1, (double)step))),
              unbias = (float)(1 / (1 - pow(b2, (double)step)));

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    m[i] = b1 * m[i] + (1 - b1) * gradient[i];
    v[i] = b2 * v[i] + (1 - b2) * gradient[i] * gradient[i];
    w[i] -= scale * m[i] / (sqrtf(v[i] * unbias) + epsilon);
  }
}

void fare_average_step(double decay, size_t n, const float w[], float mean[])
{
  const float part = (float)(1 - decay);

#pragma omp simd
  for (size_t i = 0; i < n; i++) mean[i] += part * (w[i] - mean[i]);
}
