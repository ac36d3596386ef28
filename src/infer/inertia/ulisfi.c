/* SPDX-License-Identifier: BSD-2-Clause */
/* Underdamped Langevin inference: velocities by differences, and what that does to them allowed for. */
#include "inertia.h"

const fare_infer_type fare_infer_ulisfi = {
  .name      = "ulisfi",
  .summary   = "underdamped Langevin inference from positions, with the bias of differences removed",
  .reference = "Brueckner, Ronceray and Broedersz, Phys. Rev. Lett. 125, 058103 (2020)",
  .variant   = FARE_INERTIA,
  .dim_max   = 2,
  .fit       = fare_inertia_fit,
  .limit     = fare_inertia_limit,
  .check     = fare_inertia_check,
};
