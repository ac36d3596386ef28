/* SPDX-License-Identifier: BSD-2-Clause */
/* Stochastic force inference: displacements in the sense of Stratonovich, projected onto terms of the drift.
 */
#include "moments.h"

const fare_infer_type fare_infer_sfi = {
  .name      = "sfi",
  .summary   = "stochastic force inference: Stratonovich product of drift and displacements",
  .reference = "Frishman and Ronceray, Phys. Rev. X 10, 021009 (2020)",
  .variant   = FARE_STRATONOVICH,
  .dim_max   = FARE_DIM_MAX,
  .fit       = fare_projection_fit,
  .limit     = fare_projection_limit,
};
