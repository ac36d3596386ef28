/* SPDX-License-Identifier: BSD-2-Clause */
/* The short-time bound in its variational form: the largest <2 h - h^2/2>, with h linear in the features. */
#include "dissipation.h"

static PetscErrorCode score(const fare_dissipation_pairs *p, double to[])
{
  double *weight;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->features, &weight));
  PetscCall(fare_dissipation_linear(p, PETSC_FALSE, weight));
  for (int64_t i = p->first; i < p->last; i++) {
    const double h = fare_dissipation_sum(p, i, weight);

    to[i - p->first] = 2 * h - 0.5 * h * h;
  }
  PetscCall(PetscFree(weight));
  PetscFunctionReturn(0);
}

static PetscErrorCode fit(const fare_infer_context *c, const fare_tracks *tracks, fare_inferred *inferred)
{
  return fare_dissipation_fit(c, tracks, score, PETSC_FALSE, inferred);
}

const fare_infer_type fare_infer_otsubo = {
  .name      = "otsubo",
  .summary   = "dissipation by the short-time uncertainty relation in variational form",
  .reference = "Otsubo, Manikandan, Sagawa and Krishnamurthy, Communications Physics 5, 11 (2022)",
  .seeks     = "entropy_production",
  .dim_max   = FARE_DIM_MAX,
  .fit       = fit,
  .limit     = fare_dissipation_limit,
  .truth     = fare_dissipation_truth,
  .check     = fare_dissipation_check,
};
