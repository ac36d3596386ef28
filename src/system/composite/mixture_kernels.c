/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"

#include "mixture.h"

#include <math.h>

enum { RUN = FARE_MIXTURE_RUN };

static void exponent(
  const fare_mixture_moment *m, int component, size_t n, const double *const x[], double e[])
{
  for (size_t i = 0; i < n; i++) e[i] = m->height[component];
  for (int axis = 0; axis < m->dim; axis++) {
    const double mean = m->mean[component * m->dim + axis],
                 half = 0.5 * m->precision[component * m->dim + axis];
    const double *at  = x[axis];

#pragma omp simd
    for (size_t i = 0; i < n; i++) e[i] -= half * (at[i] - mean) * (at[i] - mean);
  }
}

void fare_mixture_look(
  const fare_mixture_moment *mixture, size_t n, const double *const x[], double log_density[], double share[])
{
  double e[FARE_MIXTURE_MOST * RUN], highest[RUN], sum[RUN];

  for (int c = 0; c < mixture->components; c++) exponent(mixture, c, n, x, e + c * RUN);
  for (size_t i = 0; i < n; i++) {
    highest[i] = e[i];
    sum[i]     = 0;
  }
  for (int c = 1; c < mixture->components; c++) {
    for (size_t i = 0; i < n; i++) highest[i] = e[c * RUN + i] > highest[i] ? e[c * RUN + i] : highest[i];
  }
  for (int c = 0; c < mixture->components; c++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
      e[c * RUN + i] = exp(e[c * RUN + i] - highest[i]);
      sum[i] += e[c * RUN + i];
    }
  }
  for (size_t i = 0; i < n; i++) log_density[i] = highest[i] + log(sum[i]);
  if (!share) return;
  for (int c = 0; c < mixture->components; c++) {
    for (size_t i = 0; i < n; i++) share[c * RUN + i] = e[c * RUN + i] / sum[i];
  }
}

void fare_mixture_sum(const fare_mixture_moment *mixture, const double constant[], const double slope[],
  size_t n, const double *const x[], const double share[], double *const f[])
{
  for (int axis = 0; axis < mixture->dim; axis++) {
    double sum[RUN] = {0};

    for (int c = 0; c < mixture->components; c++) {
      const double  a = constant[c * mixture->dim + axis], b = slope[c * mixture->dim + axis];
      const double *g = share + c * RUN, *at = x[axis];

#pragma omp simd
      for (size_t i = 0; i < n; i++) sum[i] += g[i] * (a + b * at[i]);
    }
    for (size_t i = 0; i < n; i++) f[axis][i] = sum[i];
  }
}
