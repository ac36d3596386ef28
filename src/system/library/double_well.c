/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Two wells: V(x) = height (x_1^2 - 1)^2 + stiffness (x_2^2 + ...)/2 - tilt x_1. With stiffness 2 it is the
  surface of deeptime's double_well_2d, whose noise sqrt(kT/2) makes it sample exp(-4 V/kT); here it is
  exp(-V/kT).
*/
#include "support/kernel.h"
#include <fare/system.h>

enum { HEIGHT = FARE_OWN, STIFFNESS, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"height", 1.0, 0.0, 1e6, "barrier between the wells at x = -1 and x = 1"},
  {"stiffness", 4.0, 1e-6, 1e6, "spring constant along the other axes"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along the first axis"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double height = theta[HEIGHT], k = theta[STIFFNESS], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double s = x[0][i] * x[0][i] - 1;

    V[i] = height * s * s - tilt * x[0][i];
  }
  for (int axis = 1; axis < dim; axis++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) V[i] += 0.5 * k * x[axis][i] * x[axis][i];
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double height = theta[HEIGHT], k = theta[STIFFNESS], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = tilt - 4 * height * x[0][i] * (x[0][i] * x[0][i] - 1);
  for (int axis = 1; axis < dim; axis++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) f[axis][i] = -k * x[axis][i];
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
  for (size_t i = 0; i < n; i++) {
    const double s      = x[0][i] * x[0][i] - 1;
    double       across = 0;

    for (int axis = 1; axis < dim; axis++) across += x[axis][i] * x[axis][i];
    phi[0][i] = s * s;
    phi[1][i] = 0.5 * across;
    phi[2][i] = x[0][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HEIGHT];
  a[1] = theta[STIFFNESS];
  a[2] = -theta[TILT];
}

const fare_system_type fare_system_double_well = {
  .name          = "double_well",
  .summary       = "double well along the first axis, harmonic along the others",
  .reference     = "Kramers, Physica 7, 284 (1940)",
  .dimension_min = 1,
  .dimension_max = 3,
  .parameters    = parameters,
  .lower         = {-3.5, -5, -5},
  .upper         = {3.5, 5, 5},
  .potential     = potential,
  .force         = force,
  .basis_count   = 3,
  .basis         = basis,
  .coefficients  = coefficients,
};
