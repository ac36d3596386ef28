/* SPDX-License-Identifier: BSD-2-Clause */
/* The double well (x^2 - 1)^2 with inertia. */
#include "support/kernel.h"
#include "library.h"

#define KRAMERS_HEIGHT             2.0
#define KRAMERS_HEIGHT_MAX         1e6
#define KRAMERS_HEIGHT_DESCRIPTION "barrier between the wells at x = -1 and x = 1"

static inline double wells(double x)
{
  const double s = x * x - 1;

  return s * s;
}
static inline double slope(double x)
{
  return 4 * x * (x * x - 1);
}

#include "kramers.h"

const fare_system_type fare_system_kramers_double_well = {
  .name      = "kramers_double_well",
  .summary   = "underdamped double well, in position and velocity",
  .reference = "Kramers, Physica 7, 284 (1940)",
  .lower     = {-2.6, -8},
  .upper     = {2.6, 8},
  KRAMERS_DESCRIPTOR,
};
