/* SPDX-License-Identifier: BSD-2-Clause */
/* The likelihood of one Euler step per lag: what fits of stochastic differential equations most often
 * maximise. */
#include "moments.h"

const fare_infer_type fare_infer_euler_likelihood = {
  .name    = "euler_likelihood",
  .summary = "maximum likelihood of one Euler step per lag",
  .reference =
    "Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955); as a loss: Dietrich et al., Chaos 33, 023121 (2023)",
  .variant = FARE_EULER,
  .dim_max = FARE_DIM_MAX,
  .fit     = fare_euler_fit,
  .limit   = fare_euler_limit,
  .check   = fare_euler_check,
};
