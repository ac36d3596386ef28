/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Five wells on a ring: V = depth cos(5 angle - phase) + stiffness (r - radius)^2 - tilt x - tilt_y y in polar
  coordinates. Its wells turn when `phase` is driven and go out and in with `radius`; the published motion is
  a ramp of pi/2 per unit of time on phase and a sine of amplitude 1/2 and period 1 on radius 3/2. Published
  with inverse temperature 5. The angle has no value at the origin, and the force no bound near it.
*/
#include "support/kernel.h"
#include "library.h"

#include <float.h>

enum { DEPTH = FARE_OWN, STIFFNESS, RADIUS, PHASE, TILT, TILT_Y };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS_AT(0.2),
  {"depth", 1.0, -1e3, 1e3, "half the barrier between neighbouring wells on the ring"},
  {"stiffness", 10.0, 1e-6, 1e6, "of the ring; the spring constant across it is twice this"},
  {"radius", 1.5, 0.0, 1e3, "of the ring"},
  {"phase", 0.0, -1e6, 1e6, "five times the angle by which the wells are rotated"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  {"tilt_y", 0.0, -1e3, 1e3, "constant force along y"},
  FARE_PARAMETERS_END,
};

/* cos or sin of five times an angle from its cos or sin */
static inline double five_times(double c)
{
  return c * (5 + c * c * (16 * c * c - 20));
}

/* 1/r, and a number at the origin too */
static inline double inverse_radius(double x, double y)
{
  return 1 / sqrt(x * x + y * y + DBL_MIN);
}

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double depth_cos = theta[DEPTH] * cos(theta[PHASE]), depth_sin = theta[DEPTH] * sin(theta[PHASE]);
  const double k = theta[STIFFNESS], radius = theta[RADIUS], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], inverse = inverse_radius(p, q), out = sqrt(p * p + q * q) - radius;

    V[i] = depth_cos * five_times(p * inverse) + depth_sin * five_times(q * inverse) + k * out * out -
      fx * p - fy * q;
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double depth_cos = theta[DEPTH] * cos(theta[PHASE]), depth_sin = theta[DEPTH] * sin(theta[PHASE]);
  const double k = theta[STIFFNESS], radius = theta[RADIUS], fx = theta[TILT], fy = theta[TILT_Y];

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], inverse = inverse_radius(p, q), c = p * inverse, s = q * inverse;
    const double inward = 2 * k * (sqrt(p * p + q * q) - radius);
    /* in the sense of growing angle */
    const double along = 5 * (depth_cos * five_times(s) - depth_sin * five_times(c)) * inverse;

    f[0][i] = fx - inward * c - along * s;
    f[1][i] = fy - inward * s + along * c;
  }
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    const double p = x[0][i], q = x[1][i], inverse = inverse_radius(p, q), square = p * p + q * q;

    phi[0][i] = five_times(p * inverse);
    phi[1][i] = five_times(q * inverse);
    phi[2][i] = square;
    phi[3][i] = sqrt(square);
    phi[4][i] = 1;
    phi[5][i] = p;
    phi[6][i] = q;
  }
}

static void coefficients(int dim, const double *theta, double a[])
{
  const double k = theta[STIFFNESS], radius = theta[RADIUS];

  a[0] = theta[DEPTH] * cos(theta[PHASE]);
  a[1] = theta[DEPTH] * sin(theta[PHASE]);
  a[2] = k;
  a[3] = -2 * k * radius;
  a[4] = k * radius * radius;
  a[5] = -theta[TILT];
  a[6] = -theta[TILT_Y];
}

const fare_system_type fare_system_five_well = {
  .name          = "five_well",
  .summary       = "five wells on a ring that can rotate and breathe",
  .reference     = "Hoffmann et al., Mach. Learn.: Sci. Technol. 3, 015009 (2022)",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-3, -3},
  .upper         = {3, 3},
  .potential     = potential,
  .force         = force,
  .basis_count   = 7,
  .basis         = basis,
  .coefficients  = coefficients,
};
