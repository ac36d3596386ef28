/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Lorenz's model of convection with the same noise along every axis: dx = sigma (y - x) dt, dy = (x (rho - z)
  - y) dt, dz = (x y - beta z) dt, each plus noise.
*/
#include "support/kernel.h"
#include "library.h"

enum { SIGMA, RHO, BETA, DIFFUSION };

static const fare_parameter parameters[] = {
  {"sigma", 10.0, 0.0, 1e3, "Prandtl number"},
  {"rho", 28.0, -1e3, 1e3, "Rayleigh number over its critical value"},
  {"beta", 8.0 / 3.0, 0.0, 1e3, "geometric factor of the rolls"},
  {"diffusion", 1.0, 0.0, 1e6, "diffusion coefficient along every axis, half the squared noise"},
  FARE_PARAMETERS_END,
};

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double sigma = theta[SIGMA], rho = theta[RHO], beta = theta[BETA];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], r = x[2][i];

    f[0][i] = sigma * (q - p);
    f[1][i] = p * (rho - r) - q;
    f[2][i] = p * q - beta * r;
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  fare_fill(dim, n, theta[DIFFUSION], D);
}

const fare_system_type fare_system_lorenz63_noise = {
  .name      = "lorenz63_noise",
  .summary   = "the Lorenz attractor with noise: paths are unpredictable, the density is not",
  .reference = "Lorenz, J. Atmos. Sci. 20, 130 (1963); Allawala and Marston, Phys. Rev. E 94, 052218 (2016)",
  .dimension_min = 3,
  .dimension_max = 3,
  .parameters    = parameters,
  .lower         = {-25, -32, -5},
  .upper         = {25, 32, 60},
  .drift         = drift,
  .diffusion     = diffusion,
};
