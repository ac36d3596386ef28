/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The surface of Mueller and Brown: three wells on a bent valley, V = scale sum_k A_k exp(a_k (x - x_k)^2 +
  b_k (x - x_k)(y - y_k) + c_k (y - y_k)^2). As published (scale 1) its barriers are near 100; the default
  scale makes them some five kT.
*/
#include "support/kernel.h"
#include "library.h"

enum { SCALE = FARE_OWN, TILT, TILT_Y };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"scale", 0.05, 1e-6, 1e3, "factor of the published surface, whose deepest well is at -146.7"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant force along y"},
  FARE_PARAMETERS_END,
};

/* One term each, by its distance (p, q) from its own centre. */
static inline double term_0(double p, double q)
{
  return -200 * exp(-p * p - 10 * q * q);
}

static inline double term_1(double p, double q)
{
  return -100 * exp(-p * p - 10 * q * q);
}

static inline double term_2(double p, double q)
{
  return -170 * exp(-6.5 * p * p + 11 * p * q - 6.5 * q * q);
}

static inline double term_3(double p, double q)
{
  return 15 * exp(0.7 * p * p + 0.6 * p * q + 0.7 * q * q);
}

static inline double surface(double x, double y)
{
  return term_0(x - 1, y) + term_1(x, y - 0.5) + term_2(x + 0.5, y - 1.5) + term_3(x + 1, y - 1);
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double scale = theta[SCALE], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = scale * surface(x[0][i], x[1][i]) - fx * x[0][i] - fy * x[1][i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double scale = theta[SCALE], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i];
    const double e0 = term_0(p - 1, q), e1 = term_1(p, q - 0.5), e2 = term_2(p + 0.5, q - 1.5),
                 e3 = term_3(p + 1, q - 1);

    f[0][i] = fx +
      scale *
        (2 * (p - 1) * e0 + 2 * p * e1 + (13 * (p + 0.5) - 11 * (q - 1.5)) * e2 -
          (1.4 * (p + 1) + 0.6 * (q - 1)) * e3);
    f[1][i] = fy +
      scale *
        (20 * q * e0 + 20 * (q - 0.5) * e1 + (13 * (q - 1.5) - 11 * (p + 0.5)) * e2 -
          (1.4 * (q - 1) + 0.6 * (p + 1)) * e3);
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    phi[0][i] = surface(x[0][i], x[1][i]);
    phi[1][i] = x[0][i];
    phi[2][i] = x[1][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[SCALE];
  a[1] = -theta[TILT];
  a[2] = -theta[TILT_Y];
}

const fare_system_type fare_system_mueller_brown = {
  .name          = "mueller_brown",
  .summary       = "three wells along a curved valley, the standard test of reaction paths",
  .reference     = "Mueller and Brown, Theor. Chim. Acta 53, 75 (1979)",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-3.4, -1.4},
  .upper         = {1.6, 3.4},
  .potential     = potential,
  .force         = force,
  .basis_count   = 3,
  .basis         = basis,
  .coefficients  = coefficients,
};
