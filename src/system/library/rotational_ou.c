/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A harmonic trap and a swirl around the origin: V = stiffness |x|^2/2 - tilt x - tilt_y y and the force
  rotation (-y, x), which is no gradient. Gaussian for ever when it begins so; at rest of variance
  kT/stiffness without tilt, with entropy production 2 mobility rotation^2/stiffness.
*/
#include "support/kernel.h"
#include "library.h"

enum { STIFFNESS = FARE_OWN, ROTATION, TILT, TILT_Y };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"stiffness", 1.0, 1e-6, 1e6, "spring constant"},
  {"rotation", 1.0, -1e6, 1e6, "tangential force per radius, anticlockwise"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant force along y"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double k = theta[STIFFNESS], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++)
    V[i] = 0.5 * k * (x[0][i] * x[0][i] + x[1][i] * x[1][i]) - fx * x[0][i] - fy * x[1][i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double k = theta[STIFFNESS], w = theta[ROTATION], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i];

    f[0][i] = fx - k * p - w * q;
    f[1][i] = fy - k * q + w * p;
  }
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double w = theta[ROTATION];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i];

    f[0][i] = -w * q;
    f[1][i] = w * p;
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    phi[0][i] = 0.5 * (x[0][i] * x[0][i] + x[1][i] * x[1][i]);
    phi[1][i] = x[0][i];
    phi[2][i] = x[1][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[STIFFNESS];
  a[1] = -theta[TILT];
  a[2] = -theta[TILT_Y];
}

const fare_system_type fare_system_rotational_ou = {
  .name            = "rotational_ou",
  .summary         = "harmonic trap with rotation: nonequilibrium steady state in closed form",
  .reference       = "Weiss, Tellus A 55, 208 (2003)",
  .dimension_min   = 2,
  .dimension_max   = 2,
  .parameters      = parameters,
  .lower           = {-8, -8},
  .upper           = {8, 8},
  .potential       = potential,
  .force           = force,
  .nonconservative = nonconservative,
  .basis_count     = 3,
  .basis           = basis,
  .coefficients    = coefficients,
};
