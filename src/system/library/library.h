/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the library of systems: what several of them share. */
#ifndef FARE_LIBRARY_PRIVATE_H
#define FARE_LIBRARY_PRIVATE_H

#include <fare/system.h>

#include "support/kernel_math.h"

#include <math.h>

/* FARE_COMMON_PARAMETERS with another default temperature. */
#define FARE_COMMON_PARAMETERS_AT(temperature)                                                     \
  {"kT", temperature, 1e-6, 1e6, "temperature times Boltzmann's constant"},                        \
  {                                                                                                \
    "mobility", 1.0, 1e-6, 1e6, "inverse friction; the diffusion coefficient is mobility times kT" \
  }

/*
  Four wells of Prinz et al. (2011): x^8 + 0.8 exp(-80 x^2) + 0.2 exp(-80 (x - 1/2)^2) + 0.5 exp(-40 (x +
  1/2)^2)
*/
static inline double fare_prinz_wells(double x)
{
  const double x2 = x * x, x4 = x2 * x2, r = x - 0.5, l = x + 0.5;

  return x4 * x4 + 0.8 * exp(-80 * x2) + 0.2 * exp(-80 * r * r) + 0.5 * exp(-40 * l * l);
}

/*
  Its three Gaussians from two exponentials: with b = exp(-40 (x + 1/2)^2) and u = exp(40 x + 10), g = b u =
  exp(-40 x^2) and g u = exp(20 - 40 (x - 1/2)^2). Beyond |x| = 8, where all are nothing, they are left at
  that: neither exponent leaves its range.
*/
static inline double fare_prinz_slope(double x)
{
  const double c = fmin(fmax(x, -8), 8), l = c + 0.5, x2 = x * x;
  const double b = fare_kernel_exp2(fmax(-40 * FARE_LOG2E * (l * l), -1021)),
               u = fare_kernel_exp2(40 * FARE_LOG2E * c + 10 * FARE_LOG2E);
  const double g = b * u, a = g * u, exp_minus_40 = 4.248354255291589e-18;

  return 8 * (x * (x2 * x2 * x2 - 16 * (g * g)) - 4 * exp_minus_40 * (x - 0.5) * (a * a) - 5 * (x + 0.5) * b);
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
