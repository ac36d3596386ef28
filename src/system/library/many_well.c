/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A pair of ManyWell: V(u, v) = u^4 - 6 u^2 - tilt u + v^2/2, with a barrier of about 9 between wells of
  different weight along u; with one axis, u alone. Sixteen copies are the target ManyWell-32.
*/
#include "support/kernel.h"
#include <fare/system.h>

enum { TILT = FARE_OWN };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"tilt", 0.5, -1e3, 1e3, "constant force along the first axis"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double u = x[0][i], s = u * u;

    V[i] = s * (s - 6) - tilt * u;
  }
  for (int axis = 1; axis < dim; axis++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) V[i] += 0.5 * x[axis][i] * x[axis][i];
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = tilt + x[0][i] * (12 - 4 * x[0][i] * x[0][i]);
  for (int axis = 1; axis < dim; axis++) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) f[axis][i] = -x[axis][i];
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
  for (size_t i = 0; i < n; i++) {
    const double s = x[0][i] * x[0][i];

    phi[0][i] = s * (s - 6) + (dim > 1 ? 0.5 * x[1][i] * x[1][i] : 0);
    phi[1][i] = x[0][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = 1;
  a[1] = -theta[TILT];
}

const fare_system_type fare_system_many_well = {
  .name          = "many_well",
  .summary       = "two wells and a normal axis: copies of it make the target ManyWell",
  .reference     = "Midgley et al., arXiv:2208.01893 (2022)",
  .dimension_min = 1,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-3.2, -7},
  .upper         = {3.2, 7},
  .potential     = potential,
  .force         = force,
  .basis_count   = 2,
  .basis         = basis,
  .coefficients  = coefficients,
};
