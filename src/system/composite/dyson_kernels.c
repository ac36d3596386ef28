/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "dyson.h"

#include <math.h>

void fare_dyson_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double k = theta[FARE_DYSON_STIFFNESS], centre = theta[FARE_DYSON_CENTRE], kT = theta[FARE_KT];

  for (size_t i = 0; i < n; i++) V[i] = 0;
  for (int a = 0; a < dim; a++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) V[i] += 0.5 * k * (x[a][i] - centre) * (x[a][i] - centre);
    for (int b = 0; b < a; b++) {
#pragma omp simd
      for (size_t i = 0; i < n; i++) V[i] -= 2 * kT * log(fabs(x[a][i] - x[b][i]));
    }
  }
}

void fare_dyson_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double k = theta[FARE_DYSON_STIFFNESS], centre = theta[FARE_DYSON_CENTRE], kT = theta[FARE_KT];

  for (int a = 0; a < dim; a++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) f[a][i] = -k * (x[a][i] - centre);
  }
  for (int a = 0; a < dim; a++) {
    for (int b = 0; b < a; b++) {
#pragma omp simd
      for (size_t i = 0; i < n; i++) {
        const double push = 2 * kT / (x[a][i] - x[b][i]);

        f[a][i] += push;
        f[b][i] -= push;
      }
    }
  }
}
