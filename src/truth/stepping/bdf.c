/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Backward differentiation of variable order, one to five, and variable steps (Gear 1971; coefficients for
  unequal steps are those of the polynomial through the points themselves). Each step solves

    (shift - L(t)) P = - sum of d_i P_i,

  shift and d_i the weights in the derivative at t of the polynomial through P and the k last P_i. The guess
  is the polynomial through the k + 1 last P_i; the error of a step is estimated by h / (t - t_k) |P - guess|
  in L1, and what orders k - 1 and k + 1 would have had likewise. The next step takes the order that allows it
  to be longest.
*/
#include "bdf.h"
#include "truth/rates/operator.h"

#include <limits.h>
#include <math.h>

#define SAFETY   0.9
#define GROWTH   2.0 /* of a step, at most */
#define WORTH    1.1 /* growth that is worth another matrix */
#define REJECTED 50  /* steps in a row, at most */

struct fare_bdf {
  int       order, count, since; /* count: of points known; since: steps of this order */
  double    t[FARE_BDF_HISTORY]; /* the latest first */
  Vec       past[FARE_BDF_HISTORY], next, rest, correction;
  double    step, first; /* to be tried next, 0: to be found; the very first, 0: to be found */
  PetscBool monitor;     /* a line for each step, as TS has it */
};

PetscErrorCode fare_bdf_create(fare_evolution *e, double start)
{
  fare_bdf *b;
  KSP       ksp;

  PetscFunctionBegin;
  PetscCall(PetscNew(&b));
  e->bdf = b;
  for (int i = 0; i < FARE_BDF_HISTORY; i++) PetscCall(VecDuplicate(e->masses, &b->past[i]));
  PetscCall(VecDuplicate(e->masses, &b->next));
  PetscCall(VecDuplicate(e->masses, &b->rest));
  PetscCall(VecDuplicate(e->masses, &b->correction));
  PetscCall(PetscOptionsGetReal(NULL, "truth_", "-ts_dt", &b->first, NULL));
  PetscCall(PetscOptionsHasName(NULL, "truth_", "-ts_monitor", &b->monitor));
  PetscCall(KSPCreate(e->grid->comm, &ksp));
  PetscCall(KSPSetOptionsPrefix(ksp, "truth_"));
  PetscCall(KSPSetOperators(ksp, e->A, e->A));
  PetscCall(fare_truth_solver_configure(e, ksp));
  PetscCall(KSPSetFromOptions(ksp));
  PetscCall(fare_bdf_restart(e, start));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_bdf_destroy(fare_bdf **bdf)
{
  fare_bdf *b = *bdf;

  PetscFunctionBegin;
  if (!b) PetscFunctionReturn(0);
  for (int i = 0; i < FARE_BDF_HISTORY; i++) PetscCall(VecDestroy(&b->past[i]));
  PetscCall(VecDestroy(&b->next));
  PetscCall(VecDestroy(&b->rest));
  PetscCall(VecDestroy(&b->correction));
  PetscCall(PetscFree(*bdf));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_bdf_restart(fare_evolution *e, double t)
{
  fare_bdf *b = e->bdf;

  PetscFunctionBegin;
  PetscCall(VecCopy(e->masses, b->past[0]));
  b->t[0]  = t;
  b->count = b->order = 1;
  b->since            = 0;
  b->step             = 0;
  PetscFunctionReturn(0);
}

void fare_bdf_vectors(const fare_bdf *b, Vec vector[])
{
  for (int i = 0; i < FARE_BDF_HISTORY; i++) vector[i] = b->past[i];
}

fare_path fare_bdf_path(const fare_bdf *b)
{
  return (fare_path){b->past, b->t, {b->correction, b->rest}};
}

void fare_bdf_save(const fare_bdf *b, double numbers[])
{
  numbers[0] = b->order;
  numbers[1] = b->count;
  numbers[2] = b->since;
  numbers[3] = b->step;
  for (int i = 0; i < FARE_BDF_HISTORY; i++) numbers[4 + i] = b->t[i];
}

/* Whether a step can be taken from here: points from the latest back, enough of them for the order. */
static PetscBool is_sound(const double numbers[])
{
  const double order = numbers[0], count = numbers[1], since = numbers[2], step = numbers[3],
               *t = numbers + 4;

  if (!(order >= 1 && order <= FARE_BDF_ORDERS && order == floor(order))) return PETSC_FALSE;
  if (!(count >= 1 && count <= FARE_BDF_HISTORY && count == floor(count) &&
        (count > order || (count == 1 && order == 1))))
    return PETSC_FALSE;
  if (!(since >= 0 && since <= INT_MAX && step >= 0 && isfinite(step))) return PETSC_FALSE;
  for (int i = 0; i < (int)count; i++) {
    if (!isfinite(t[i]) || (i && !(t[i] < t[i - 1]))) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode fare_bdf_load(fare_bdf *b, const double numbers[])
{
  PetscFunctionBegin;
  if (!is_sound(numbers))
    FARE_FAIL(FARE_ERR_FAILED, "the saved data are not a state of the truth's time stepping");
  b->order = (int)numbers[0];
  b->count = (int)numbers[1];
  b->since = (int)numbers[2];
  b->step  = numbers[3];
  for (int i = 0; i < FARE_BDF_HISTORY; i++) b->t[i] = numbers[4 + i];
  PetscFunctionReturn(0);
}

/* The first step, and a point before the start by the derivative there, so that there is a guess. */
static PetscErrorCode begin(fare_evolution *e, double interval)
{
  const double share = 1e-3; /* of the way to the first snapshot */
  fare_bdf    *b     = e->bdf;
  PetscReal    norm;

  PetscFunctionBegin;
  PetscCall(fare_operator_apply(e->op, b->t[0], b->past[0], b->rest));
  PetscCall(fare_norm_1(b->rest, &norm));
  b->step = b->first > 0 ? b->first : share * interval;
  if (!(b->first > 0) && norm > 0) b->step = PetscMin(b->step, sqrt(e->tolerance) / norm);
  PetscCall(VecWAXPY(b->past[1], -b->step, b->rest, b->past[0]));
  b->t[1]  = b->t[0] - b->step;
  b->count = 2;
  PetscFunctionReturn(0);
}

/* Weights of the last `points` points in the polynomial through them, at t. */
static void extrapolation(const fare_bdf *b, int points, double t, double c[])
{
  for (int i = 0; i < FARE_BDF_HISTORY; i++) {
    c[i] = i < points;
    for (int k = 0; k < points && i < points; k++) {
      if (k != i) c[i] *= (t - b->t[k]) / (b->t[i] - b->t[k]);
    }
  }
}

/*
  Weights in the derivative at t of the polynomial through t itself and the last k points; that of t is
  returned.
*/
static double differentiation(const fare_bdf *b, int k, double t, double d[])
{
  double own = 0;

  extrapolation(b, k, t, d);
  for (int i = 0; i < k; i++) {
    own += 1 / (t - b->t[i]);
    d[i] /= b->t[i] - t;
  }
  return own;
}

/* Solves for the masses at t, in b->next. `failed` where the solver does. */
static PetscErrorCode solve(
  fare_evolution *e, double t, const double *const past[], double *added, double *scale, PetscBool *failed)
{
  fare_bdf          *b = e->bdf;
  const PetscInt     n = e->op->owned;
  double             c[FARE_BDF_HISTORY], d[FARE_BDF_HISTORY], sums[2];
  const double       shift = differentiation(b, b->order, t, d);
  const PetscScalar *correction;
  PetscScalar       *next, *rest;
  KSPConvergedReason reason;
  PetscInt           iterations;

  PetscFunctionBegin;
  extrapolation(b, b->order + 1, t, c);
  PetscCall(fare_truth_solver_prepare(e, t, shift));
  PetscCall(VecGetArray(b->next, &next));
  PetscCall(VecGetArray(b->rest, &rest));
  fare_bdf_predict(n, b->order + 1, past, c, d, next, rest);
  PetscCall(fare_patch_exchange(e->op->patch, next));
  fare_patch_residual(e->op->patch, e->op->up, e->op->down, shift, rest, next, rest);
  PetscCall(VecRestoreArray(b->rest, &rest));
  PetscCall(KSPSolve(e->ksp, b->rest, b->correction));
  PetscCall(KSPGetConvergedReason(e->ksp, &reason));
  PetscCall(KSPGetIterationNumber(e->ksp, &iterations));
  e->solves++;
  e->iterations += iterations;
  *failed = reason < 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(VecGetArrayRead(b->correction, &correction));
  fare_bdf_correct(n, !e->is_linear, correction, next, sums);
  PetscCall(VecRestoreArrayRead(b->correction, &correction));
  PetscCall(VecRestoreArray(b->next, &next));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, e->grid->comm));
  if (!*failed) PetscCall(fare_evolution_check_mass(e, t, sums[0] - sums[1]));
  *added = sums[1];
  *scale = e->absorbs ? 1 : 1 / sums[0];
  PetscFunctionReturn(0);
}
/*
  What a step of length h to t with order m adds to the error, from the distance between its end and the
  extrapolation.
*/
static double error_share(const fare_bdf *b, int m, double t)
{
  return (t - b->t[0]) / (t - b->t[m]);
}

static double allowed_growth(double tolerance, double error, int order)
{
  return error > 0 ? SAFETY * pow(tolerance / error, 1.0 / (order + 1)) : GROWTH;
}

/*
  Solves for the masses at t and estimates the errors of this order and its neighbours; infinite for orders
  that cannot be.
*/
static PetscErrorCode try_step(
  fare_evolution *e, double t, double error[FARE_BDF_ORDERS + 2], double *smallest)
{
  fare_bdf          *b = e->bdf;
  const PetscScalar *past[FARE_BDF_HISTORY];
  double             c[3][FARE_BDF_HISTORY], norms[4], added = 0, scale = 1;
  PetscScalar       *next;
  PetscBool          failed = PETSC_TRUE;
  int                orders[3], rows = 0;

  PetscFunctionBegin;
  for (int i = 0; i < FARE_BDF_HISTORY; i++) PetscCall(VecGetArrayRead(b->past[i], &past[i]));
  for (int m = 0; m < FARE_BDF_ORDERS + 2; m++) error[m] = HUGE_VAL;
  for (int m = PetscMax(1, b->order - 1); m <= PetscMin(b->order + 1, FARE_BDF_ORDERS) && m < b->count; m++) {
    extrapolation(b, m + 1, t, c[rows]);
    orders[rows++] = m;
  }
  PetscCall(solve(e, t, past, &added, &scale, &failed));
  if (!failed) {
    PetscCall(VecGetArray(b->next, &next));
    *smallest = fare_bdf_finish(e->op->owned, b->count, past, scale, rows, c, next, norms);
    PetscCall(VecRestoreArray(b->next, &next));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, norms, rows, MPI_DOUBLE, MPI_SUM, e->grid->comm));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, smallest, 1, MPI_DOUBLE, MPI_MIN, e->grid->comm));
    for (int i = 0; i < rows; i++)
      error[orders[i]] = isfinite(norms[i]) ? error_share(b, orders[i], t) * norms[i] : HUGE_VAL;
    if (error[b->order] <= e->tolerance) e->positivity_correction = PetscMax(e->positivity_correction, added);
  }
  for (int i = 0; i < FARE_BDF_HISTORY; i++) PetscCall(VecRestoreArrayRead(b->past[i], &past[i]));
  PetscFunctionReturn(0);
}

/* The masses found become the latest of the history. */
static void accept(fare_bdf *b, double t)
{
  const Vec oldest = b->past[FARE_BDF_HISTORY - 1];

  for (int i = FARE_BDF_HISTORY - 1; i > 0; i--) {
    b->past[i] = b->past[i - 1];
    b->t[i]    = b->t[i - 1];
  }
  b->past[0] = b->next;
  b->t[0]    = t;
  b->next    = oldest;
  b->count   = PetscMin(b->count + 1, FARE_BDF_HISTORY);
  b->since++;
}

/* The order that allows the longest next step, and how much longer than this it may be. */
static double choose_order(fare_bdf *b, double tolerance, const double error[])
{
  const int order = b->order;
  double    best  = allowed_growth(tolerance, error[order], order);

  for (int m = order - 1; m <= order + 1; m += 2) {
    if (m < 1 || m > FARE_BDF_ORDERS || !(error[m] < HUGE_VAL) || (m > order && b->since <= order)) continue;
    if (allowed_growth(tolerance, error[m], m) <= best) continue;
    best     = allowed_growth(tolerance, error[m], m);
    b->order = m;
    b->since = 0;
  }
  return best;
}

/* Steps so that none is much shorter than the others before time t is met. */
static double length_of_step(const fare_bdf *b, double t, double longest)
{
  const double step = PetscMin(b->step, longest), left = t - b->t[0];

  if (step >= left * (1 - 1e-10)) return left;
  return 2 * step > left ? left / 2 : step;
}

PetscErrorCode fare_bdf_advance(fare_evolution *e, double end, double longest)
{
  fare_bdf *b = e->bdf;

  PetscFunctionBegin;
  if (b->count == 1) PetscCall(begin(e, end - b->t[0]));
  for (int rejected = 0; b->t[0] < end;) {
    const double h = length_of_step(b, end, longest),
                 t = b->t[0] + h >= end - 1e-14 * fabs(end) ? end : b->t[0] + h;
    double error[FARE_BDF_ORDERS + 2], smallest, growth;

    if (rejected == REJECTED || !(t > b->t[0])) {
      FARE_FAIL(FARE_ERR_FAILED,
        "truth: the time stepping gave up at time %g with step %g (%d steps rejected); smallest density so "
        "far %g, mass off by %g",
        b->t[0], h, rejected, e->minimum, e->mass_drift);
    }
    PetscCall(try_step(e, t, error, &smallest));
    if (!(error[b->order] <= e->tolerance)) {
      rejected++;
      e->rejected++;
      growth   = error[b->order] < HUGE_VAL ? allowed_growth(e->tolerance, error[b->order], b->order) : 0;
      b->step  = h * PetscMin(0.9, PetscMax(0.1, growth));
      b->since = 0;
      if (rejected > 2) b->order = 1;
      continue;
    }
    rejected      = 0;
    e->last_error = error[b->order];
    e->steps++;
    if (b->monitor)
      PetscCall(PetscPrintf(e->grid->comm, "%" PetscInt_FMT " TS dt %g time %g order %d error %g\n", e->steps,
        h, t, b->order, error[b->order]));
    accept(b, t);
    growth = PetscMin(GROWTH, choose_order(b, e->tolerance, error));
    if (growth < 1 || growth > WORTH || h < b->step)
      b->step = h < b->step ? PetscMax(growth * h, PetscMin(b->step, GROWTH * growth * h)) : growth * h;
    PetscCall(fare_evolution_stepped(e, t, b->past[0], smallest));
    if (t < end) PetscCall(fare_evolution_pause(e, t));
  }
  PetscCall(VecCopy(b->past[0], e->masses));
  PetscFunctionReturn(0);
}
