/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"

#include "chain.h"

void fare_springs_energy(double coupling, int sites, size_t n, const double *const x[], double V[])
{
  for (int k = 0; k + 1 < sites; k++) {
    const double *left = x[k], *right = x[k + 1];

#pragma omp simd
    for (size_t i = 0; i < n; i++) V[i] += 0.5 * coupling * (left[i] - right[i]) * (left[i] - right[i]);
  }
}

void fare_springs_force(double coupling, int sites, size_t n, const double *const x[], double *const f[])
{
  for (int k = 0; k + 1 < sites; k++) {
    const double *left = x[k], *right = x[k + 1];
    double       *on_left = f[k], *on_right = f[k + 1];

#pragma omp simd
    for (size_t i = 0; i < n; i++) {
      const double pull = coupling * (right[i] - left[i]);

      on_left[i] += pull;
      on_right[i] -= pull;
    }
  }
}
