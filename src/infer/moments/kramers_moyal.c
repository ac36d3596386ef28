/* SPDX-License-Identifier: BSD-2-Clause */
/* Drift and diffusion by the first two moments of displacements, over the lag: least squares of both. */
#include "infer/infer.h"

static PetscErrorCode fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  fare_moments   moments;
  double         theta[FARE_INFER_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_moments_of_tracks(context, tracks, "kramers_moyal", &moments);
  if (!code) code = fare_moments_fit(context, &moments, PETSC_TRUE, theta, inferred);
  PetscCall(fare_moments_free(&moments));
  PetscFunctionReturn(code);
}

static PetscErrorCode limit(const fare_infer_context *context, const PetscInt cells[], double theta[])
{
  fare_moments   moments;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = fare_moments_of_truth(context, cells, &moments);
  if (!code) code = fare_moments_fit(context, &moments, PETSC_TRUE, theta, NULL);
  PetscCall(fare_moments_free(&moments));
  PetscFunctionReturn(code);
}

const fare_infer_type fare_infer_kramers_moyal = {
  .name      = "kramers_moyal",
  .summary   = "least squares of displacements and their squares, divided by the lag",
  .reference = "Friedrich and Peinke, Phys. Rev. Lett. 78, 863 (1997); as a regression: Boninsegna, Nueske "
               "and Clementi, J. Chem. Phys. 148, 241723 (2018)",
  .dim_max   = FARE_DIM_MAX,
  .fit       = fit,
  .limit     = limit,
};
