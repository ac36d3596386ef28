/* SPDX-License-Identifier: BSD-2-Clause */
/*
  exp(L h) of a grid of one axis as a whole matrix, by scaling and squaring of a sum of positive terms
  (uniformization), so that even small probabilities have their digits.
*/
#include "weak_constraint.h"

#include <fare/operator.h>

#include <cblas.h>
#include <math.h>
#include <string.h>

#define STEPS 4  /* of a driven system between two times */
#define TERMS 24 /* of a series in at most one event */

/* Rates out of cells over their two faces, and a matrix that they make. */
typedef struct {
  PetscInt  n;
  PetscBool closed;
  double   *leaving, *entering, fastest;
  double   *step, *power, *work; /* matrices, column by column */
} rates;

/* y = M x of all columns, M = I + L/fastest. */
static void apply(const rates *r, const double x[], double y[])
{
  for (PetscInt c = 0; c < r->n; c++) {
    const double *from = x + c * r->n;
    double       *to   = y + c * r->n;

    for (PetscInt i = 0; i < r->n; i++) {
      const double below = r->leaving[2 * i], above = r->leaving[2 * i + 1];

      to[i] = from[i] * (1 - (below + above) / r->fastest);
    }
    for (PetscInt i = 0; i < r->n; i++) {
      const PetscInt below = i ? i - 1 : r->n - 1, above = i + 1 < r->n ? i + 1 : 0;

      if (i || r->closed) to[below] += from[i] * r->leaving[2 * i] / r->fastest;
      if (i + 1 < r->n || r->closed) to[above] += from[i] * r->leaving[2 * i + 1] / r->fastest;
    }
  }
}

/* step = exp(L h). */
static void exponential(rates *r, double h)
{
  const int    n       = (int)r->n;
  const size_t size    = (size_t)n * (size_t)n;
  const int    squares = (int)PetscMax(0, ceil(log2(r->fastest * h)));
  const double events  = ldexp(r->fastest * h, -squares);
  double       weight  = exp(-events);

  memset(r->power, 0, size * sizeof *r->power);
  for (int i = 0; i < n; i++) r->power[(size_t)i * (size_t)(n + 1)] = 1;
  for (size_t i = 0; i < size; i++) r->step[i] = weight * r->power[i];
  for (int term = 1; term <= TERMS; term++) {
    weight *= events / term;
    apply(r, r->power, r->work);
    memcpy(r->power, r->work, size * sizeof *r->power);
    for (size_t i = 0; i < size; i++) r->step[i] += weight * r->power[i];
  }
  for (int k = 0; k < squares; k++) {
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, r->step, n, r->step, n, 0, r->work, n);
    memcpy(r->step, r->work, size * sizeof *r->step);
  }
}

/* K = step K */
static void follow(rates *r, double K[])
{
  const int n = (int)r->n;

  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, r->step, n, K, n, 0, r->work, n);
  memcpy(K, r->work, (size_t)n * (size_t)n * sizeof *K);
}

static PetscErrorCode cross(
  const fare_system *system, fare_operator *op, double from, double to, rates *r, double K[])
{
  const PetscBool driven = fare_system_is_driven(system);
  const int       steps  = driven ? STEPS : 1;
  double          now    = from;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < r->n; i++) K[i * (r->n + 1)] = 1;
  for (int step = 1; step <= steps; step++) {
    const double end = step == steps ? to : from + (to - from) * step / steps;

    while (now < end) {
      const double stop = driven ? PetscMin(end, fare_system_next_corner(system, now)) : end;

      PetscCall(fare_operator_faces(op, 0.5 * (now + stop), r->leaving, r->entering));
      r->fastest = 0;
      for (PetscInt i = 0; i < r->n; i++)
        r->fastest = PetscMax(r->fastest, r->leaving[2 * i] + r->leaving[2 * i + 1]);
      if (r->fastest > 0) {
        exponential(r, stop - now);
        follow(r, K);
      }
      now = stop;
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_weak_propagators(
  const fare_grid *grid, const fare_system *system, int times, const double time[], double ***K)
{
  const PetscInt n    = grid->cells[0];
  const size_t   size = (size_t)n * (size_t)n;
  rates          r    = {.n = n, .closed = grid->boundary[0] == FARE_BOUNDARY_PERIODIC};
  fare_operator *op;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)times, K));
  PetscCall(
    PetscMalloc5(2 * n, &r.leaving, 2 * n, &r.entering, size, &r.step, size, &r.power, size, &r.work));
  PetscCall(fare_operator_create(grid, system, &op));
  for (int k = 0; k + 1 < times; k++) {
    PetscCall(PetscCalloc1(size, &(*K)[k]));
    PetscCall(cross(system, op, time[k], time[k + 1], &r, (*K)[k]));
  }
  PetscCall(fare_operator_destroy(&op));
  PetscCall(PetscFree5(r.leaving, r.entering, r.step, r.power, r.work));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_weak_propagators_destroy(int times, double ***K)
{
  PetscFunctionBegin;
  if (!*K) PetscFunctionReturn(0);
  for (int k = 0; k + 1 < times; k++) PetscCall(PetscFree((*K)[k]));
  PetscCall(PetscFree(*K));
  PetscFunctionReturn(0);
}
