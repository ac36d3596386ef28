/* SPDX-License-Identifier: BSD-2-Clause */
/* Velocities by differences, taken as if they were observed. */
#include "inertia.h"

const fare_infer_type fare_infer_velocity_differences = {
  .name      = "velocity_differences",
  .summary   = "least squares of velocities that are differences of positions: 2/3 of friction and noise",
  .reference = "Pedersen et al., Phys. Rev. E 94, 062401 (2016), of its bias",
  .variant   = FARE_ITO,
  .dim_max   = 2,
  .fit       = fare_inertia_fit,
  .limit     = fare_inertia_limit,
  .check     = fare_inertia_check,
};
