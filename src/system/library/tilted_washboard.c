/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A particle pulled over a corrugated track: V = -height cos x on a circle and the constant force `force`. On
  a circle that force is no gradient: the potential -force x would not come back to itself.
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, FORCE };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS_AT(0.5),
  {"height", 1.0, -1e6, 1e6, "half the barrier between neighbouring wells, without force"},
  {"force", 0.5, -1e6, 1e6, "constant force along x; no wells for |force| >= height"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double height = theta[HEIGHT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = -height * cos(x[0][i]);
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double height = theta[HEIGHT], pull = theta[FORCE];

#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = pull - height * sin(x[0][i]);
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  fare_fill(dim, n, theta[FORCE], f);
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) phi[0][i] = -cos(x[0][i]);
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HEIGHT];
}

const fare_system_type fare_system_tilted_washboard = {
  .name = "tilted_washboard",
  .summary =
    "cosine on a circle with a constant force: Brownian motor, Josephson junction, phase-locked loop",
  .reference =
    "Stratonovich, Radiotekh. Elektron. 3, 497 (1958); Reimann et al., Phys. Rev. Lett. 87, 010602 (2001)",
  .dimension_min   = 1,
  .dimension_max   = 1,
  .parameters      = parameters,
  .lower           = {-M_PI},
  .upper           = {M_PI},
  .periodic        = {PETSC_TRUE},
  .potential       = potential,
  .force           = force,
  .nonconservative = nonconservative,
  .basis_count     = 1,
  .basis           = basis,
  .coefficients    = coefficients,
};
