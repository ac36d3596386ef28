/* SPDX-License-Identifier: BSD-2-Clause */
/* The Prinz potential with inertia. */
#include "support/kernel.h"
#include "prinz.h"

#define KRAMERS_HEIGHT             4.0
#define KRAMERS_HEIGHT_MAX         1e3
#define KRAMERS_HEIGHT_DESCRIPTION "scale of the potential"

#include "kramers.h"

const fare_system_type fare_system_kramers_prinz = {
  .name      = "kramers_prinz",
  .summary   = "underdamped Prinz potential, in position and velocity",
  .reference = "Kramers, Physica 7, 284 (1940); Prinz et al., J. Chem. Phys. 134, 174105 (2011)",
  .lower     = {-1.8, -8},
  .upper     = {1.8, 8},
  KRAMERS_DESCRIPTOR,
};
