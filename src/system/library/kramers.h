/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A body with inertia in one dimension: dx = v dt, dv = ((-V'(x) + tilt)/mass - friction v) dt + noise, with V
  = height wells(x). In equilibrium exp(-E/kT) with the energy E = mass v^2/2 + V - tilt x, which is the
  `potential` here. A file of the library that includes this defines before it KRAMERS_HEIGHT, the default
  height, KRAMERS_HEIGHT_MAX and KRAMERS_HEIGHT_DESCRIPTION, and the functions wells and slope, its
  derivative.
*/
#ifndef FARE_KRAMERS_PRIVATE_H
#define FARE_KRAMERS_PRIVATE_H

#include "library.h"

enum { MASS = FARE_KT + 1, FRICTION, HEIGHT, TILT };

static const fare_parameter parameters[] = {
  FARE_TEMPERATURE,
  {"mass", 1.0, 1e-6, 1e6, "mass of the particle"},
  {"friction", 1.0, 0.0, 1e6, "damping rate of the velocity"},
  {"height", KRAMERS_HEIGHT, 1e-6, KRAMERS_HEIGHT_MAX, KRAMERS_HEIGHT_DESCRIPTION},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double half = 0.5 * theta[MASS], height = theta[HEIGHT], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = half * x[1][i] * x[1][i] + height * wells(x[0][i]) - tilt * x[0][i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double mass = theta[MASS], height = theta[HEIGHT], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = tilt - height * slope(x[0][i]);
  for (size_t i = 0; i < n; i++) f[1][i] = -mass * x[1][i];
}

static void acceleration(const double *theta, size_t n, const double position[], double a[])
{
  const double inverse = 1 / theta[MASS], height = theta[HEIGHT], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) a[i] = inverse * (tilt - height * slope(position[i]));
}

static void bath(const double *theta, double *friction, double *heating)
{
  *friction = theta[FRICTION];
  *heating  = theta[FRICTION] * theta[FARE_KT] / theta[MASS];
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  fare_inertial_drift(acceleration, bath, theta, n, x, f);
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  fare_inertial_diffusion(bath, theta, n, D);
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    phi[0][i] = 0.5 * x[1][i] * x[1][i];
    phi[1][i] = wells(x[0][i]);
    phi[2][i] = x[0][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[MASS];
  a[1] = theta[HEIGHT];
  a[2] = -theta[TILT];
}

/* All of a descriptor but what makes it one of its own. */
#define KRAMERS_DESCRIPTOR                                                                                \
  .dimension_min = 2, .dimension_max = 2, .axes = {"x", "v"}, .parameters = parameters,                   \
  .potential = potential, .force = force, .basis_count = 3, .basis = basis, .coefficients = coefficients, \
  .drift = drift, .diffusion = diffusion, .acceleration = acceleration, .bath = bath

#endif
