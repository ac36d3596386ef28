/* SPDX-License-Identifier: BSD-2-Clause */
/* Exponentials alone, compiled as kernels are: what the force cannot do without. */
#include "particles.h"

#include "support/kernel_math.h"

void bench_exponentials(int n, const double x[], double e[])
{
#pragma omp simd
  for (int i = 0; i < n; i++) e[i] = fare_kernel_exp2(FARE_LOG2E * x[i]);
}

void bench_library_exponentials(int n, const double x[], double e[])
{
#pragma omp simd
  for (int i = 0; i < n; i++) e[i] = exp(x[i]);
}
