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

FARE_DISSIPATION_METHOD(otsubo, score, PETSC_FALSE,
  "dissipation by the short-time uncertainty relation in variational form",
  "Otsubo, Manikandan, Sagawa and Krishnamurthy, Communications Physics 5, 11 (2022)");
