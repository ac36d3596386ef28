/* SPDX-License-Identifier: BSD-2-Clause */
/* Sparse regression of displacements onto the terms of the drift. */
#include "moments.h"

const fare_infer_type fare_infer_sindy = {
  .name    = "sindy",
  .summary = "sparse least squares of displacements, with terms left out by cross-validation",
  .reference =
    "Boninsegna, Nueske and Clementi, J. Chem. Phys. 148, 241723 (2018); Brunton, Proctor and Kutz, "
    "Proc. Natl. Acad. Sci. USA 113, 3932 (2016)",
  .variant = FARE_ITO_SPARSE,
  .dim_max = FARE_DIM_MAX,
  .fit     = fare_projection_fit,
  .limit   = fare_projection_limit,
};
