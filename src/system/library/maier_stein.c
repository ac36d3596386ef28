/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Two stable points at (+-1, 0) and a saddle between them without a potential: dx = (x - x^3 - alpha x y^2 +
  tilt) dt + noise, dy = (-mu (1 + x^2) y + tilt_y) dt + noise. Only for alpha = mu the drift is a gradient;
  beyond alpha = 4 mu the way out leaves the axis.
*/
#include "support/kernel.h"
#include "library.h"

enum { ALPHA, MU, DIFFUSION, TILT, TILT_Y };

static const fare_parameter parameters[] = {
  {"alpha", 10.0, 0.0, 1e6, "pull towards x = 0 off the axis"},
  {"mu", 1.0, 1e-6, 1e6, "rate of return to the axis"},
  {"diffusion", 0.05, 0.0, 1e6, "diffusion coefficient along both axes, half the squared noise"},
  {"tilt", 0.0, -1e3, 1e3, "constant drift along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant drift along y"},
  FARE_PARAMETERS_END,
};

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double alpha = theta[ALPHA], mu = theta[MU], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i];

    f[0][i] = fx + p * (1 - p * p - alpha * q * q);
    f[1][i] = fy - mu * (1 + p * p) * q;
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  fare_fill(dim, n, theta[DIFFUSION], D);
}

const fare_system_type fare_system_maier_stein = {
  .name          = "maier_stein",
  .summary       = "two stable points without a potential: escape without detailed balance",
  .reference     = "Maier and Stein, Phys. Rev. E 48, 931 (1993)",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-2, -1.6},
  .upper         = {2, 1.6},
  .drift         = drift,
  .diffusion     = diffusion,
};
