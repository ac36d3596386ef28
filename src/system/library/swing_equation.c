/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A generator on a strong grid, whose rotor runs ahead of the grid by an angle: d angle = speed dt,
  d speed = (power - coupling sin angle - damping speed)/inertia dt + noise. For |power| < coupling it can run
  in step with the grid or, out of step, near the speed power/damping. On the circle of angles power is no
  gradient, so there is no potential.
*/
#include "support/kernel.h"
#include "library.h"

enum { POWER, COUPLING, INERTIA, DAMPING, DIFFUSION };

static const fare_parameter parameters[] = {
  {"power", 0.5, -1e3, 1e3, "mechanical power that drives the rotor"},
  {"coupling", 1.0, 0.0, 1e3, "largest power that the line can carry away"},
  {"inertia", 1.0, 1e-6, 1e6, "of the rotor"},
  {"damping", 0.25, 0.0, 1e6, "power lost per unit of speed"},
  {"diffusion", 0.05, 0.0, 1e6,
    "diffusion coefficient of the speed: half the squared noise of the power over the squared "
    "inertia"},
  FARE_PARAMETERS_END,
};

static void acceleration(const double *theta, size_t n, const double angle[], double a[])
{
  const double inverse = 1 / theta[INERTIA], power = theta[POWER], coupling = theta[COUPLING];

#pragma omp simd
  for (size_t i = 0; i < n; i++) a[i] = inverse * (power - coupling * sin(angle[i]));
}

static void bath(const double *theta, double *friction, double *heating)
{
  *friction = theta[DAMPING] / theta[INERTIA];
  *heating  = theta[DIFFUSION];
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  fare_inertial_drift(acceleration, bath, theta, n, x, f);
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  fare_inertial_diffusion(bath, theta, n, D);
}

const fare_system_type fare_system_swing_equation = {
  .name          = "swing_equation",
  .summary       = "generator on a power grid: angle and speed of its rotor, in or out of step",
  .reference     = "Filatrella, Nielsen and Pedersen, Eur. Phys. J. B 61, 485 (2008)",
  .dimension_min = 2,
  .dimension_max = 2,
  .axes          = {"angle", "speed"},
  .parameters    = parameters,
  .lower         = {-M_PI, -4},
  .upper         = {M_PI, 6},
  .periodic      = {PETSC_TRUE, PETSC_FALSE},
  .drift         = drift,
  .diffusion     = diffusion,
  .acceleration  = acceleration,
  .bath          = bath,
};
