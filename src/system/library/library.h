/* Inside the library of systems: what several of them share. */
#ifndef FARE_LIBRARY_PRIVATE_H
#define FARE_LIBRARY_PRIVATE_H

#include <fare/system.h>

#include <math.h>

/* FARE_COMMON_PARAMETERS with another default temperature. */
#define FARE_COMMON_PARAMETERS_AT(temperature) \
  {"kT", temperature, 1e-6, 1e6, "temperature times Boltzmann's constant"}, \
  {"mobility", 1.0, 1e-6, 1e6, "inverse friction; the diffusion coefficient is mobility times kT"}

/* Four wells of Prinz et al. (2011): x^8 + 0.8 exp(-80 x^2) + 0.2 exp(-80 (x - 1/2)^2) + 0.5 exp(-40 (x + 1/2)^2) */
static inline double fare_prinz_wells(double x)
{
  const double x2 = x * x, x4 = x2 * x2, r = x - 0.5, l = x + 0.5;

  return x4 * x4 + 0.8 * exp(-80 * x2) + 0.2 * exp(-80 * r * r) + 0.5 * exp(-40 * l * l);
}

static inline double fare_prinz_slope(double x)
{
  const double x2 = x * x, r = x - 0.5, l = x + 0.5;

  return 8 * x * x2 * x2 * x2 - 128 * x * exp(-80 * x2) - 32 * r * exp(-80 * r * r) - 40 * l * exp(-40 * l * l);
}

#endif
