/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Two genes that repress each other, as a chemical Langevin equation: x is made at the rate basal +
  production_x/(1 + (y/threshold)^hill), y likewise, both vanish at the rate decay, and both kinds of events
  make noise, D = (made + vanished)/(2 volume). Noise may carry a concentration below zero, where the
  chemistry means nothing. There Hill's function and the noise of decay are those at zero, so that D stays
  positive, while the drift -decay x leads back.
*/
#include "support/kernel.h"
#include "library.h"

enum { PRODUCTION_X, PRODUCTION_Y, BASAL, THRESHOLD, HILL, DECAY, VOLUME };

static const fare_parameter parameters[] = {
  {"production_x", 4.0, 0.0, 1e6, "production rate of x without repression"},
  {"production_y", 4.0, 0.0, 1e6, "production rate of y without repression"},
  {"basal", 0.05, 0.0, 1e6, "production rate of both under full repression"},
  {"threshold", 1.0, 1e-6, 1e6, "concentration that halves the other's production"},
  {"hill", 2.0, 1.0, 20.0, "Hill coefficient: steepness of the repression"},
  {"decay", 1.0, 1e-6, 1e6, "decay rate per molecule"},
  {"volume", 40.0, 1e-3, 1e12, "molecules per unit of concentration: the larger, the less noise"},
  FARE_PARAMETERS_END,
};

static inline double positive(double x)
{
  return x > 0 ? x : 0;
}

/* Rates at which one is made, given the other. */
static void made(
  const double *theta, double production, size_t n, const double *restrict other, double *restrict rate)
{
  const double basal = theta[BASAL], inverse = 1 / theta[THRESHOLD], hill = theta[HILL];

#pragma omp simd
  for (size_t i = 0; i < n; i++) rate[i] = basal + production / (1 + pow(positive(other[i]) * inverse, hill));
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double decay = theta[DECAY];

  for (int axis = 0; axis < dim; axis++) {
    made(theta, theta[PRODUCTION_X + axis], n, x[1 - axis], f[axis]);
#pragma omp simd
    for (size_t i = 0; i < n; i++) f[axis][i] -= decay * x[axis][i];
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  const double decay = theta[DECAY], scale = 0.5 / theta[VOLUME];

  for (int axis = 0; axis < dim; axis++) {
    made(theta, theta[PRODUCTION_X + axis], n, x[1 - axis], D[axis]);
#pragma omp simd
    for (size_t i = 0; i < n; i++) D[axis][i] = scale * (D[axis][i] + decay * positive(x[axis][i]));
  }
}

const fare_system_type fare_system_toggle_switch = {
  .name    = "toggle_switch",
  .summary = "two genes that repress each other, with noise of small copy numbers",
  .reference =
    "Gardner, Cantor and Collins, Nature 403, 339 (2000); Gillespie, J. Chem. Phys. 113, 297 (2000)",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-0.5, -0.5},
  .upper         = {7, 7},
  .drift         = drift,
  .diffusion     = diffusion,
};
