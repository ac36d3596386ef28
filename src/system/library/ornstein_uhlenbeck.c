/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A harmonic trap: V(x) = stiffness |x - centre e_1|^2 / 2 - tilt x_1. Gaussian for ever when it begins so.
  The variance at rest is kT/stiffness; deeptime's process of this name has the noise 2 kT in place of sqrt(2
  kT), and another variance therefore.
*/
#include "support/kernel.h"
#include <fare/system.h>

enum { STIFFNESS = FARE_OWN, CENTRE, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"stiffness", 1.0, 1e-6, 1e6, "spring constant, the same along every axis"},
  {"centre", 0.0, -1e3, 1e3, "position of the trap along the first axis"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along the first axis"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double k = theta[STIFFNESS], c = theta[CENTRE], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = 0.5 * k * (x[0][i] - c) * (x[0][i] - c) - tilt * x[0][i];
  for (int axis = 1; axis < dim; axis++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) V[i] += 0.5 * k * x[axis][i] * x[axis][i];
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double k = theta[STIFFNESS], c = theta[CENTRE], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = tilt - k * (x[0][i] - c);
  for (int axis = 1; axis < dim; axis++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) f[axis][i] = -k * x[axis][i];
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
  for (size_t i = 0; i < n; i++) {
    double square = 0;

    for (int axis = 0; axis < dim; axis++) square += x[axis][i] * x[axis][i];
    phi[0][i] = 0.5 * square;
    phi[1][i] = x[0][i];
    phi[2][i] = 1;
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[STIFFNESS];
  a[1] = -theta[STIFFNESS] * theta[CENTRE] - theta[TILT];
  a[2] = 0.5 * theta[STIFFNESS] * theta[CENTRE] * theta[CENTRE];
}

const fare_system_type fare_system_ornstein_uhlenbeck = {
  .name          = "ornstein_uhlenbeck",
  .summary       = "harmonic trap, dragged, breathing or tilted; Gaussian in closed form",
  .reference     = "Uhlenbeck and Ornstein, Phys. Rev. 36, 823 (1930)",
  .dimension_min = 1,
  .dimension_max = 3,
  .parameters    = parameters,
  .lower         = {-8, -8, -8},
  .upper         = {8, 8, 8},
  .potential     = potential,
  .force         = force,
  .basis_count   = 3,
  .basis         = basis,
  .coefficients  = coefficients,
};
