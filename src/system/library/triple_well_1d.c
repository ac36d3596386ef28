/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Three wells in one dimension: V(x) = height (5 - 24.82 x + 41.4251 x^2 - 27.5344 x^3 + 8.53128 x^4 - 1.24006
  x^5 + 0.0684 x^6) - tilt x. The published noise 0.75 is kT = 0.75^2/2. The force is the slope of just this
  V; deeptime's is not quite (it has 34.125104 x^3 and 82.603155 x^2 where four and three times the
  coefficients are 34.12512 and 82.6032).
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS_AT(0.28125),
  {"height", 1.0, 1e-6, 1e3, "scale of the potential"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  FARE_PARAMETERS_END,
};

static inline double wells(double x)
{
  return 5 + x * (-24.82 + x * (41.4251 + x * (-27.5344 + x * (8.53128 + x * (-1.24006 + x * 0.0684)))));
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double *restrict q = x[0];
  const double height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = height * wells(q[i]) - tilt * q[i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double *restrict q = x[0];
  double *restrict g       = f[0];
  const double height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double y = q[i];

    g[i] =
      tilt - height * (-24.82 + y * (82.8502 + y * (-82.6032 + y * (34.12512 + y * (-6.2003 + y * 0.4104)))));
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) phi[0][i] = wells(x[0][i]);
  for (size_t i = 0; i < n; i++) phi[1][i] = x[0][i];
}

static void coefficients(int dim, const double *theta, double a[])
{
  (void)dim;
  a[0] = theta[HEIGHT];
  a[1] = -theta[TILT];
}

const fare_system_type fare_system_triple_well_1d = {
  .name          = "triple_well_1d",
  .summary       = "three wells in one dimension, a polynomial of degree six",
  .reference     = "Hoffmann et al., Mach. Learn.: Sci. Technol. 3, 015009 (2022)",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = parameters,
  .lower         = {-0.5},
  .upper         = {6.5},
  .potential     = potential,
  .force         = force,
  .basis_count   = 2,
  .basis         = basis,
  .coefficients  = coefficients,
};
