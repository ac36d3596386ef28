/*
  The Prinz potential with inertia: dx = v dt, dv = ((-V'(x) + tilt)/mass - friction v) dt + noise, V = height times the four wells. In equilibrium
  exp(-E/kT) with the energy E = mass v^2/2 + V - tilt x, which is the `potential` here.
*/
#include "library.h"

enum { MASS = FARE_KT + 1, FRICTION, HEIGHT, TILT };

static const fare_parameter parameters[] = {
  FARE_TEMPERATURE,
  {"mass", 1.0, 1e-6, 1e6, "mass of the particle"},
  {"friction", 1.0, 0.0, 1e6, "rate at which velocity is lost"},
  {"height", 4.0, 1e-6, 1e3, "scale of the potential"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  FARE_PARAMETERS_END,
};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double half = 0.5 * theta[MASS], height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = half * x[1][i] * x[1][i] + height * fare_prinz_wells(x[0][i]) - tilt * x[0][i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double mass = theta[MASS], height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) f[0][i] = tilt - height * fare_prinz_slope(x[0][i]);
  for (size_t i = 0; i < n; i++) f[1][i] = -mass * x[1][i];
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double inverse = 1 / theta[MASS], friction = theta[FRICTION], height = theta[HEIGHT], tilt = theta[TILT];

  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double q = x[0][i], v = x[1][i];

    f[0][i] = v;
    f[1][i] = inverse * (tilt - height * fare_prinz_slope(q)) - friction * v;
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  const double heat = theta[FRICTION] * theta[FARE_KT] / theta[MASS];

  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) D[0][i] = 0;
  for (size_t i = 0; i < n; i++) D[1][i] = heat;
}

static void shape(int dim, size_t n, const double *const x[], double *const phi[])
{
  (void)dim;
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    phi[0][i] = 0.5 * x[1][i] * x[1][i];
    phi[1][i] = fare_prinz_wells(x[0][i]);
    phi[2][i] = x[0][i];
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  (void)dim;
  a[0] = theta[MASS];
  a[1] = theta[HEIGHT];
  a[2] = -theta[TILT];
}

const fare_system_type fare_system_kramers_prinz = {
  .name            = "kramers_prinz",
  .summary         = "the four wells of Prinz with inertia, in position and velocity",
  .reference       = "Kramers, Physica 7, 284 (1940); Prinz et al., J. Chem. Phys. 134, 174105 (2011)",
  .dimension_least = 2,
  .dimension_most  = 2,
  .axes            = {"x", "v"},
  .parameters      = parameters,
  .lower           = {-1.8, -8},
  .upper           = {1.8, 8},
  .potential       = potential,
  .force           = force,
  .shapes          = 3,
  .shape           = shape,
  .coefficients    = coefficients,
  .drift           = drift,
  .diffusion       = diffusion,
};
