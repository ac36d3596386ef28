/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the library of systems: what several of them share. */
#ifndef FARE_LIBRARY_PRIVATE_H
#define FARE_LIBRARY_PRIVATE_H

#include <fare/system.h>

#include "support/kernel_math.h"

#include <math.h>

/* The same value along all axes at n points. */
static inline void fare_fill(int axes, size_t n, double value, double *const to[])
{
  for (int axis = 0; axis < axes; axis++) {
    for (size_t i = 0; i < n; i++) to[axis][i] = value;
  }
}

/* Drift and diffusion of a body with inertia from the two functions that describe it. */
static inline void fare_inertial_drift(void (*acceleration)(const double *, size_t, const double[], double[]),
  void (*bath)(const double *, double *, double *), const double *theta, size_t n, const double *const x[],
  double *const f[])
{
  double friction, heating;

  bath(theta, &friction, &heating);
  acceleration(theta, n, x[0], f[1]);
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    f[0][i] = x[1][i];
    f[1][i] -= friction * x[1][i];
  }
}

static inline void fare_inertial_diffusion(
  void (*bath)(const double *, double *, double *), const double *theta, size_t n, double *const D[])
{
  double friction, heating;

  bath(theta, &friction, &heating);
  for (size_t i = 0; i < n; i++) D[0][i] = 0;
  for (size_t i = 0; i < n; i++) D[1][i] = heating;
}

#endif
