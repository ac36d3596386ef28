/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A system of one's own: a ring on which a particle is driven round, V = height cos(n phi) with a torque that
  no potential has. Change the formulas, the parameters and the descriptor; README.md tells how to build it
  and how a study names it.
*/
#include <fare/plugin.h>

#include <math.h>

enum { HEIGHT = FARE_OWN, WELLS, TORQUE };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"height", 2.0, 0.0, 1e3, "half of the barrier between wells"},
  {"wells", 3.0, 1.0, 100.0, "number of wells on the ring, whole"},
  {"torque", 0.0, -1e3, 1e3, "constant force round the ring"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double *restrict phi = x[0];
  const double height = theta[HEIGHT], wells = theta[WELLS];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = height * cos(wells * phi[i]);
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double *restrict phi = x[0];
  double *restrict g         = f[0];
  const double height = theta[HEIGHT], wells = theta[WELLS], torque = theta[TORQUE];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) g[i] = height * wells * sin(wells * phi[i]) + torque;
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) f[0][i] = theta[TORQUE];
}

static const fare_system_type ring = {
  .name            = "ring",
  .summary         = "wells on a ring with a torque that drives round",
  .reference       = "Risken, The Fokker-Planck Equation (1989), chapter 11",
  .dimension_min   = 1,
  .dimension_max   = 1,
  .axes            = {"phi"},
  .parameters      = parameters,
  .lower           = {-M_PI},
  .upper           = {M_PI},
  .periodic        = {PETSC_TRUE},
  .potential       = potential,
  .force           = force,
  .nonconservative = nonconservative,
};
FARE_PLUGIN_SYSTEM(ring);
