/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The neural estimator's objective <h - exp(-h)>, with h linear in the features: it is concave then, and
  Newton's method climbs it. The last part of the training pairs tells when to stop.
*/
#include "dissipation.h"

#include <math.h>
#include <string.h>

#define STEPS 30

static double objective(const fare_dissipation_pairs *p, PetscBool validation, const double weight[])
{
  double sum = 0, used = 0;

  for (int64_t i = 0; i < p->count; i++) {
    if (fare_is_held_out(p, i) || fare_validates(p, i) != validation) continue;
    used += 1;
    sum += fare_dissipation_bound(fare_dissipation_sum(p, i, weight));
  }
  return sum / used;
}

/* Newton's step: A = <v v' exp(-h)>, b = <v (1 + exp(-h))>. */
static PetscErrorCode find_step(
  const fare_dissipation_pairs *p, const double weight[], double A[], double step[])
{
  const int n = p->features;

  PetscFunctionBegin;
  memset(A, 0, (size_t)(n * n) * sizeof *A);
  memset(step, 0, (size_t)n * sizeof *step);
  for (int64_t i = 0; i < p->count; i++) {
    const double *v = p->value + i * n;

    if (fare_is_held_out(p, i) || fare_validates(p, i)) continue;
    const double e = exp(PetscMin(-fare_dissipation_sum(p, i, weight), FARE_CLIP));

    for (int k = 0; k < n; k++) {
      step[k] += v[k] * (1 + e);
      for (int l = 0; l <= k; l++) A[l * n + k] += v[k] * v[l] * e;
    }
  }
  PetscCall(fare_dissipation_solve(n, A, step));
  PetscFunctionReturn(0);
}

static PetscErrorCode score(const fare_dissipation_pairs *p, double to[])
{
  const int n = p->features;
  double   *A, *weight, *step, *next, *best, value, most = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc5(n * n, &A, n, &weight, n, &step, n, &next, n, &best));
  value = objective(p, PETSC_FALSE, weight);
  for (int k = 0; k < STEPS; k++) {
    double length = 1, reached = -HUGE_VAL, held;

    PetscCall(find_step(p, weight, A, step));
    for (; length > 1e-4 && !(reached > value); length *= 0.5) {
      for (int j = 0; j < n; j++) next[j] = weight[j] + length * step[j];
      reached = objective(p, PETSC_FALSE, next);
    }
    if (!(reached > value + 1e-12)) break;
    value = reached;
    memcpy(weight, next, (size_t)n * sizeof *weight);
    held = objective(p, PETSC_TRUE, weight);
    if (!(held > most)) break;
    most = held;
    memcpy(best, weight, (size_t)n * sizeof *best);
  }
  for (int64_t i = p->first; i < p->last; i++)
    to[i - p->first] = fare_dissipation_bound(fare_dissipation_sum(p, i, best));
  PetscCall(PetscFree5(A, weight, step, next, best));
  PetscFunctionReturn(0);
}

FARE_DISSIPATION_METHOD(neep, score, PETSC_FALSE,
  "dissipation by the objective <h - exp(-h)> of NEEP, with polynomial features",
  "Kim, Bae, Lee and Jeong, Phys. Rev. Lett. 125, 140604 (2020)");
