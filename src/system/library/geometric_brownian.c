/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Noise that grows with the state: dX = growth X dt + volatility X dW in the sense of Ito, so D = volatility^2
  X^2/2. ln X is Gaussian; x = 0 is never reached.
*/
#include "support/kernel.h"
#include "library.h"

enum { GROWTH, VOLATILITY };

static const fare_parameter parameters[] = {
  {"growth", 0.1, -1e3, 1e3, "growth rate of the mean"},
  {"volatility", 0.3, 0.0, 1e3, "noise per unit of x and square root of time"},
  FARE_PARAMETERS_END,
};

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double growth = theta[GROWTH];

#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = growth * x[0][i];
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  const double half = 0.5 * theta[VOLATILITY] * theta[VOLATILITY];

#pragma omp simd
  for (size_t i = 0; i < n; i++) D[0][i] = half * x[0][i] * x[0][i];
}

const fare_system_type fare_system_geometric_brownian = {
  .name          = "geometric_brownian",
  .summary       = "multiplicative noise, as in prices and populations; lognormal in closed form",
  .reference     = "Black and Scholes, J. Polit. Econ. 81, 637 (1973)",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = parameters,
  .lower         = {0},
  .upper         = {8},
  .drift         = drift,
  .diffusion     = diffusion,
};
