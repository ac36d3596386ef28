/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Three wells in one dimension: V(x) = height (5 - 24.82 x + 41.4251 x^2 - 27.5344 x^3 + 8.53128 x^4 - 1.24006
  x^5 + 0.0684 x^6) - tilt x. The published noise 0.75 is kT = 0.75^2/2. The force is the slope of just this
  V; deeptime's is not quite (it has 34.125104 x^3 and 82.603155 x^2 where four and three times the
  coefficients are 34.12512 and 82.6032).
*/
#include "support/kernel.h"
#include "library.h"

enum { HEIGHT = FARE_OWN, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS_AT(0.28125),
  {"height", 1.0, 1e-6, 1e3, "scale of the potential"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  FARE_PARAMETERS_END,
};

static inline double wells(double x)
{
  return 5 + x * (-24.82 + x * (41.4251 + x * (-27.5344 + x * (8.53128 + x * (-1.24006 + x * 0.0684)))));
}

static inline double slope(double x)
{
  return -24.82 + x * (82.8502 + x * (-82.6032 + x * (34.12512 + x * (-6.2003 + x * 0.4104))));
}

#include "wells_1d.h"

const fare_system_type fare_system_triple_well_1d = {
  .name      = "triple_well_1d",
  .summary   = "three wells in one dimension, a polynomial of degree six",
  .reference = "Hoffmann et al., Mach. Learn.: Sci. Technol. 3, 015009 (2022)",
  .lower     = {-0.5},
  .upper     = {6.5},
  WELLS_1D_DESCRIPTOR,
};
