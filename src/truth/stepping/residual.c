/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A bound on the error of the time method. For any path u(t) through the computed masses, the error e = P - u
  obeys e' = L e - r with the residual r = u' - L u; the propagator of a rate matrix never expands the L1
  norm, so the error at the end is at most the integral of |r| over time, and that whatever the method was.
  Over a step u is the polynomial through the masses at both its ends and at the ends of the steps before.
  Derivatives of the masses would give as high an order with fewer points, but L P carries the round-off of P
  times the largest rate, and L is applied once more. The integral is by two points of Radau's in each step,
  the last of them its end, whose rates are there. (Three points changed it by a tenth, at most by a quarter.)
*/
#include "truth/rates/operator.h"
#include "truth/stepping/bdf.h"

#define HISTORY FARE_RESIDUAL_HISTORY /* points of the polynomial: its residual is of fifth order */
#define POINTS  2
static const double point[POINTS] = {1, 1. / 3}, weight[POINTS] = {0.25, 0.75};

struct fare_residual {
  int    count;
  double t[HISTORY]; /* the latest last */
  Vec    masses[HISTORY], u, rest;
};

PetscErrorCode fare_residual_create(double t, Vec masses, fare_residual **residual)
{
  fare_residual *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  *residual = r;
  for (int i = 0; i < HISTORY; i++) PetscCall(VecDuplicate(masses, &r->masses[i]));
  PetscCall(VecDuplicate(masses, &r->u));
  PetscCall(VecDuplicate(masses, &r->rest));
  PetscCall(fare_residual_restart(r, t, masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_residual_restart(fare_residual *r, double t, Vec masses)
{
  PetscFunctionBegin;
  r->t[0]  = t;
  r->count = 1;
  PetscCall(VecCopy(masses, r->masses[0]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_residual_destroy(fare_residual **residual)
{
  fare_residual *r = *residual;

  PetscFunctionBegin;
  if (!r) PetscFunctionReturn(0);
  for (int i = 0; i < HISTORY; i++) PetscCall(VecDestroy(&r->masses[i]));
  PetscCall(VecDestroy(&r->u));
  PetscCall(VecDestroy(&r->rest));
  PetscCall(PetscFree(*residual));
  PetscFunctionReturn(0);
}

void fare_residual_vectors(const fare_residual *r, Vec vector[])
{
  for (int i = 0; i < HISTORY; i++) vector[i] = r->masses[i];
}

void fare_residual_save(const fare_residual *r, double numbers[])
{
  numbers[0] = r->count;
  for (int i = 0; i < HISTORY; i++) numbers[1 + i] = r->t[i];
}

void fare_residual_load(fare_residual *r, const double numbers[])
{
  r->count = (int)numbers[0];
  for (int i = 0; i < HISTORY; i++) r->t[i] = numbers[1 + i];
}

static PetscErrorCode push(fare_residual *r, double t, Vec masses)
{
  PetscFunctionBegin;
  if (r->count == HISTORY) {
    const Vec oldest = r->masses[0];

    for (int i = 0; i + 1 < HISTORY; i++) {
      r->t[i]      = r->t[i + 1];
      r->masses[i] = r->masses[i + 1];
    }
    r->masses[HISTORY - 1] = oldest;
    r->count--;
  }
  r->t[r->count] = t;
  PetscCall(VecCopy(masses, r->masses[r->count++]));
  PetscFunctionReturn(0);
}

/* Coefficients of the masses in the Lagrange polynomial and in its derivative at t. */
static void lagrange(const fare_residual *r, double t, PetscScalar c[], PetscScalar d[])
{
  for (int i = 0; i < r->count; i++) {
    c[i] = 1;
    d[i] = 0;
    for (int k = 0; k < r->count; k++) {
      if (k == i) continue;
      d[i] = (d[i] * (t - r->t[k]) + c[i]) / (r->t[i] - r->t[k]);
      c[i] *= (t - r->t[k]) / (r->t[i] - r->t[k]);
    }
  }
}

/* The L1 norm of L u - u' at t. Collective. */
static PetscErrorCode residual_norm(fare_residual *r, fare_operator *op, double t, double *norm)
{
  const PetscScalar *masses[HISTORY];
  PetscScalar        c[HISTORY], d[HISTORY], *u, *rest;

  PetscFunctionBegin;
  lagrange(r, t, c, d);
  PetscCall(fare_operator_rates(op, t));
  for (int i = 0; i < r->count; i++) PetscCall(VecGetArrayRead(r->masses[i], &masses[i]));
  PetscCall(VecGetArray(r->u, &u));
  PetscCall(VecGetArray(r->rest, &rest));
  fare_bdf_predict(op->owned, r->count, masses, c, d, u, rest);
  PetscCall(fare_patch_exchange(op->patch, u));
  fare_patch_residual(op->patch, op->up, op->down, 0, rest, u, rest);
  PetscCall(VecRestoreArray(r->rest, &rest));
  PetscCall(VecRestoreArray(r->u, &u));
  for (int i = 0; i < r->count; i++) PetscCall(VecRestoreArrayRead(r->masses[i], &masses[i]));
  PetscCall(fare_norm_1(r->rest, norm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_residual_step(fare_residual *r, fare_operator *op, double t, Vec masses, double *bound)
{
  const double from = r->t[r->count - 1], h = t - from;

  PetscFunctionBegin;
  PetscCall(push(r, t, masses));
  for (int q = 0; q < POINTS; q++) {
    double norm;

    PetscCall(residual_norm(r, op, from + point[q] * h, &norm));
    *bound += h * weight[q] * norm;
  }
  PetscFunctionReturn(0);
}
