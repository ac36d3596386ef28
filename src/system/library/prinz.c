/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Four wells of different depth and width in one dimension:
  V(x) = height (x^8 + 0.8 exp(-80 x^2) + 0.2 exp(-80 (x - 1/2)^2) + 0.5 exp(-40 (x + 1/2)^2)) - tilt x
*/
#include "support/kernel.h"
#include "prinz.h"

enum { HEIGHT = FARE_OWN, TILT };

static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS,
  {"height", 4.0, 0.0, 1e3, "scale of the potential"},
  {"tilt", 0.0, -1e3, 1e3, "constant force along x"},
  FARE_PARAMETERS_END,
};

#include "wells_1d.h"

const fare_system_type fare_system_prinz = {
  .name      = "prinz",
  .summary   = "four wells of different depth and width in one dimension",
  .reference = "Prinz et al., J. Chem. Phys. 134, 174105 (2011)",
  .lower     = {-2},
  .upper     = {2},
  WELLS_1D_DESCRIPTOR,
};
