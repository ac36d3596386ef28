/* SPDX-License-Identifier: BSD-2-Clause */
/* Drift and diffusion by the first two moments of displacements, over the lag: least squares of both. */
#include "moments.h"

const fare_infer_type fare_infer_kramers_moyal = {
  .name      = "kramers_moyal",
  .summary   = "least squares of displacements and their squares, divided by the lag",
  .reference = "Friedrich and Peinke, Phys. Rev. Lett. 78, 863 (1997); as a regression: Boninsegna, Nueske "
               "and Clementi, J. Chem. Phys. 148, 241723 (2018)",
  .variant   = FARE_SQUARES,
  .dim_max   = FARE_DIM_MAX,
  .fit       = fare_euler_fit,
  .limit     = fare_euler_limit,
  .check     = fare_euler_check,
};
