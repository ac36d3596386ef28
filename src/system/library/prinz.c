/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Four wells of different depth and width in one dimension:
  V(x) = height (x^8 + 0.8 exp(-80 x^2) + 0.2 exp(-80 (x - 1/2)^2) + 0.5 exp(-40 (x + 1/2)^2)) - tilt x
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"height", 4.0, 0.0, 1e3, "scale of the potential"},
  {"tilt", 0.0, -1e3, 1e3, "constant force added to all"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double *restrict q = x[0];
  const double height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = height * fare_prinz_wells(q[i]) - tilt * q[i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double *restrict q = x[0];
  double *restrict g       = f[0];
  const double height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) g[i] = tilt - height * fare_prinz_slope(q[i]);
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) phi[0][i] = fare_prinz_wells(x[0][i]);
  for (size_t i = 0; i < n; i++) phi[1][i] = x[0][i];
}

static void coefficients(int dim, const double *theta, double a[])
{
  (void)dim;
  a[0] = theta[HEIGHT];
  a[1] = -theta[TILT];
}

const fare_system_type fare_system_prinz = {
  .name          = "prinz",
  .summary       = "four wells of different depth and width, one dimension",
  .reference     = "Prinz et al., J. Chem. Phys. 134, 174105 (2011)",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = parameters,
  .lower         = {-2},
  .upper         = {2},
  .potential     = potential,
  .force         = force,
  .basis_count   = 2,
  .basis         = basis,
  .coefficients  = coefficients,
};
