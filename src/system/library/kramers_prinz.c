/* SPDX-License-Identifier: BSD-2-Clause */
/* The Prinz potential with inertia. */
#include "support/kernel.h"
#include "library.h"

#define KRAMERS_HEIGHT         4.0
#define KRAMERS_HEIGHT_MOST    1e3
#define KRAMERS_HEIGHT_MEANING "scale of the potential"

static inline double wells(double x)
{
  return fare_prinz_wells(x);
}
static inline double slope(double x)
{
  return fare_prinz_slope(x);
}

#include "kramers.h"

const fare_system_type fare_system_kramers_prinz = {
  .name      = "kramers_prinz",
  .summary   = "the four wells of Prinz with inertia, in position and velocity",
  .reference = "Kramers, Physica 7, 284 (1940); Prinz et al., J. Chem. Phys. 134, 174105 (2011)",
  .lower     = {-1.8, -8},
  .upper     = {1.8, 8},
  KRAMERS_DESCRIPTOR,
};
