/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Four wells in two dimensions, the "2-D Prinz potential" of some papers. By axis, x^4 - x^3/16 - 2 x^2 + 3
  x/16 and y^4 - y^3/8 - 2 y^2 + 3 y/8; here height (x^4 - 2 x^2) - asymmetry_x (x^3 - 3 x) and the same of y,
  so that the wells stay at
  (+-1, +-1) and only their depths differ. The published noise sigma = 0.6 is kT = sigma^2/2 = 0.18.
  Without asymmetry it is the symmetric quadruple well (x^2 - 1)^2 + (y^2 - 1)^2 less a constant 2.
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, ASYMMETRY_X, ASYMMETRY_Y, TILT, TILT_Y };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS_AT(0.18),
  {"height", 1.0, 1e-6, 1e6, "barrier between neighbouring wells without asymmetry"},
  {"asymmetry_x", 0.0625, -1e3, 1e3, "makes wells at x = 1 higher than those at x = -1, by four times this"},
  {"asymmetry_y", 0.125, -1e3, 1e3, "the same along y"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant force along y"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double height = theta[HEIGHT], ax = theta[ASYMMETRY_X], ay = theta[ASYMMETRY_Y], fx = theta[TILT],
               fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], p2 = p * p, q2 = q * q;

    V[i] = height * (p2 * (p2 - 2) + q2 * (q2 - 2)) - ax * p * (p2 - 3) - ay * q * (q2 - 3) - fx * p - fy * q;
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double height = theta[HEIGHT], ax = theta[ASYMMETRY_X], ay = theta[ASYMMETRY_Y], fx = theta[TILT],
               fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i];

    f[0][i] = fx - (p * p - 1) * (4 * height * p - 3 * ax);
    f[1][i] = fy - (q * q - 1) * (4 * height * q - 3 * ay);
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], p2 = p * p, q2 = q * q;

    phi[0][i] = p2 * (p2 - 2) + q2 * (q2 - 2);
    phi[1][i] = p * p2;
    phi[2][i] = q * q2;
    phi[3][i] = p;
    phi[4][i] = q;
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HEIGHT];
  a[1] = -theta[ASYMMETRY_X];
  a[2] = -theta[ASYMMETRY_Y];
  a[3] = 3 * theta[ASYMMETRY_X] - theta[TILT];
  a[4] = 3 * theta[ASYMMETRY_Y] - theta[TILT_Y];
}

const fare_system_type fare_system_quadruple_well = {
  .name          = "quadruple_well",
  .summary       = "four wells of different depth in two dimensions",
  .reference     = "Hoffmann et al., Mach. Learn.: Sci. Technol. 3, 015009 (2022)",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-2.2, -2.2},
  .upper         = {2.2, 2.2},
  .potential     = potential,
  .force         = force,
  .basis_count   = 5,
  .basis         = basis,
  .coefficients  = coefficients,
};
