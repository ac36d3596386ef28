/* SPDX-License-Identifier: BSD-2-Clause */
/* The likelihood of one Euler step per lag: what fits of stochastic differential equations most often
 * maximise. */
#include "infer/infer.h"

static PetscErrorCode fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  fare_moments   moments;
  double         theta[FARE_INFER_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_moments_of_tracks(context, tracks, "euler_likelihood", &moments);
  if (!code) code = fare_moments_fit(context, &moments, PETSC_FALSE, theta, inferred);
  PetscCall(fare_moments_free(&moments));
  PetscFunctionReturn(code);
}

static PetscErrorCode limit(const fare_infer_context *context, const PetscInt cells[], double theta[])
{
  fare_moments   moments;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_moments_of_truth(context, cells, &moments);
  if (!code) code = fare_moments_fit(context, &moments, PETSC_FALSE, theta, NULL);
  PetscCall(fare_moments_free(&moments));
  PetscFunctionReturn(code);
}

const fare_infer_type fare_infer_euler_likelihood = {
  .name    = "euler_likelihood",
  .summary = "largest likelihood of one Euler step per lag",
  .reference =
    "Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955); as a loss: Dietrich et al., Chaos 33, 023121 (2023)",
  .dim_max = FARE_DIM_MAX,
  .fit     = fit,
  .limit   = limit,
};
