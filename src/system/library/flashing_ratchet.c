/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A lopsided periodic potential that is switched on and off, V = switch height (sin 2 pi x + sin(4 pi x)/4) on
  [0, 1], carries particles one way without any mean force. On for half of each period: {parameter: switch,
  waveform: square, amplitude: 0.5, period: ...} about switch = 0.5.
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, SWITCH, FORCE };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"height", 5.0, 0.0, 1e6, "scale of the potential, whose range is 2.2 times this"},
  {"switch", 1.0, 0.0, 1.0, "factor of the potential: 0 off, 1 on"},
  {"force", 0.0, -1e6, 1e6, "constant force along x, for instance a load"},
  FARE_PARAMETERS_END,
};

static inline double teeth(double x)
{
  return sin(2 * M_PI * x) + 0.25 * sin(4 * M_PI * x);
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double height = theta[HEIGHT] * theta[SWITCH];

#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = height * teeth(x[0][i]);
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double slope = M_PI * theta[HEIGHT] * theta[SWITCH], pull = theta[FORCE];

#pragma omp simd
  for (size_t i = 0; i < n; i++)
    f[0][i] = pull - slope * (2 * cos(2 * M_PI * x[0][i]) + cos(4 * M_PI * x[0][i]));
}

static void nonconservative(
  int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  fare_fill(dim, n, theta[FORCE], f);
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) phi[0][i] = teeth(x[0][i]);
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HEIGHT] * theta[SWITCH];
}

const fare_system_type fare_system_flashing_ratchet = {
  .name    = "flashing_ratchet",
  .summary = "asymmetric periodic potential, switched on and off, that drives a current",
  .reference =
    "Ajdari and Prost, C. R. Acad. Sci. Paris II 315, 1635 (1992); Reimann, Phys. Rep. 361, 57 (2002)",
  .dimension_min   = 1,
  .dimension_max   = 1,
  .parameters      = parameters,
  .lower           = {0},
  .upper           = {1},
  .periodic        = {PETSC_TRUE},
  .potential       = potential,
  .force           = force,
  .nonconservative = nonconservative,
  .basis_count     = 1,
  .basis           = basis,
  .coefficients    = coefficients,
};
