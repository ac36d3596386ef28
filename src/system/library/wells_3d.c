/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Eight wells in three dimensions: three particles, each in two wells, and springs between them,
  V = height sum_k (x_k^2 - 1)^2 + coupling/2 sum_{j<k} (x_j - x_k)^2 - tilt x - tilt_y y - tilt_z z.
  Without coupling the density is a product. Beyond coupling = 4/3 height only (-1,-1,-1) and (1,1,1) and the
  saddle between them are left.
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, COUPLING, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"height", 2.0, 1e-6, 1e6, "barrier between the wells of one axis, without coupling"},
  {"coupling", 0.25, -1e3, 1e3, "spring constant between any two axes"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant force along y"},
  {"tilt_z", 0.0, -1e3, 1e3, "constant force along z"},
  FARE_PARAMETERS_END,
};

static inline double square(double x)
{
  return x * x;
}

static inline double wells(double x, double y, double z)
{
  return square(x * x - 1) + square(y * y - 1) + square(z * z - 1);
}

static inline double springs(double x, double y, double z)
{
  return 0.5 * (square(x - y) + square(y - z) + square(z - x));
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double height = theta[HEIGHT], coupling = theta[COUPLING], *tilt = theta + TILT;

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], r = x[2][i];

    V[i] = height * wells(p, q, r) + coupling * springs(p, q, r) - tilt[0] * p - tilt[1] * q - tilt[2] * r;
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double height = theta[HEIGHT], coupling = theta[COUPLING];

  for (int axis = 0; axis < dim; axis++) {
    const double tilt = theta[TILT + axis];

#pragma omp simd
    for (size_t i = 0; i < n; i++) {
      const double p = x[axis][i], sum = x[0][i] + x[1][i] + x[2][i];

      f[axis][i] = tilt - 4 * height * p * (p * p - 1) - coupling * (3 * p - sum);
    }
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    phi[0][i] = wells(x[0][i], x[1][i], x[2][i]);
    phi[1][i] = springs(x[0][i], x[1][i], x[2][i]);
    phi[2][i] = x[0][i];
    phi[3][i] = x[1][i];
    phi[4][i] = x[2][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HEIGHT];
  a[1] = theta[COUPLING];
  for (int axis = 0; axis < dim; axis++) a[2 + axis] = -theta[TILT + axis];
}

const fare_system_type fare_system_wells_3d = {
  .name          = "wells_3d",
  .summary       = "eight wells in three dimensions: three coupled two-well particles",
  .reference     = "Berglund, Fernandez and Gentz, Nonlinearity 20, 2551 (2007)",
  .dimension_min = 3,
  .dimension_max = 3,
  .parameters    = parameters,
  .lower         = {-2.4, -2.4, -2.4},
  .upper         = {2.4, 2.4, 2.4},
  .potential     = potential,
  .force         = force,
  .basis_count   = 5,
  .basis         = basis,
  .coefficients  = coefficients,
};
