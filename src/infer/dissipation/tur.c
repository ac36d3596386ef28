/* SPDX-License-Identifier: BSD-2-Clause */
/* The uncertainty relation: 2 <J>^2/Var J of the current J that is best for the training pairs. */
#include "dissipation.h"

#include <math.h>

/* Currents of variance 1, so that folds go together. */
static PetscErrorCode score(const fare_dissipation_pairs *p, double to[])
{
  double *weight, sum = 0, squares = 0, used = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->features, &weight));
  PetscCall(fare_dissipation_linear(p, PETSC_TRUE, weight));
  for (int64_t i = 0; i < p->count; i++) {
    const double J = fare_dissipation_sum(p, i, weight);

    if (fare_is_held_out(p, i)) continue;
    used += 1;
    sum += J;
    squares += J * J;
  }
  const double unit = sqrt(squares / used - PetscSqr(sum / used));

  for (int64_t i = p->first; i < p->last; i++) to[i - p->first] = fare_dissipation_sum(p, i, weight) / unit;
  PetscCall(PetscFree(weight));
  PetscFunctionReturn(0);
}

FARE_DISSIPATION_METHOD(tur, score, PETSC_TRUE,
  "dissipation by the thermodynamic uncertainty relation of the best current",
  "Li, Horowitz, Gingrich and Fakhri, Nature Communications 10, 1666 (2019)");
