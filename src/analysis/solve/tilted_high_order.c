/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The tilted generator of high order. What an observable grows by between two cells in a line is an integral
  w(to) - w(from) along that line, so that the tilted operator along an axis is exp(s w) L exp(-s w): entries
  of L, each times exp(s (w(to) - w(from))), which keeps the order. Its eigenvalue next to that of fitted
  rates by Rayleigh quotients of left and right vectors (Ostrowski, Arch. Ration. Mech. Anal. 3, 325 (1959)).
*/
#include "analysis/analysis.h"

#include <petscao.h>
#include <petscdmda.h>

#include <math.h>

#define ROUNDS   20
#define REACH    4                              /* cells that entries reach */
#define MOST     (1 + 2 * REACH * FARE_DIM_MAX) /* entries of a row */
#define ENOUGH   1e-15 /* of the fastest rate: a residual as small as rounding lets it be */
#define CLOSE    1e-9  /* the most that is put up with where it gets no smaller */
#define NEGATIVE 1e-2  /* the most, of all, that a right vector may have below 0 */

/* (f - D')/D along an axis: what entropy grows by per length. */
static double force_at(const fare_system *system, double t, const double x[], int axis, double h)
{
  double        at[FARE_DIM_MAX][3], f[FARE_DIM_MAX][3], D[FARE_DIM_MAX][3];
  const double *points[] = {at[0], at[1], at[2]};
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};
  const double nearby = 1e-3 * h;

  for (int a = 0; a < FARE_DIM_MAX; a++) {
    for (int k = 0; k < 3; k++) at[a][k] = x[a] + (a == axis ? (k - 1) * nearby : 0);
  }
  fare_system_drift(system, t, 3, points, to_f);
  fare_system_diffusion(system, t, 3, points, to_D);
  return (f[axis][1] - 0.5 * (D[axis][2] - D[axis][0]) / nearby) / D[axis][1];
}

typedef struct {
  const fare_grid       *grid;
  const fare_system     *system;
  const fare_observable *observable;
  fare_absorbing        *faces;      /* tilted: for the rates per time */
  double                 t, s, unit; /* unit: of the observable per entropy, 0 where that does not count */
  Mat                    W, slope;
} problem;

/* What the observable grows by from the centre x to the next one up. */
static double step_up(const problem *p, const double x[], int axis)
{
  static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                      weight[] = {5. / 18, 8. / 18, 5. / 18};
  const double h               = p->grid->spacing[axis];
  double       sum             = 0;

  if (p->observable->kind == FARE_OF_DISPLACEMENT) return axis == p->observable->axis ? h : 0;
  for (int q = 0; q < 3 && p->unit != 0; q++) {
    double y[FARE_DIM_MAX] = {x[0], x[1], x[2]};

    y[axis] += place[q] * h;
    if (p->grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) {
      const double length = p->grid->upper[axis] - p->grid->lower[axis];

      y[axis] -= length * floor((y[axis] - p->grid->lower[axis]) / length);
    }
    sum += weight[q] * h * force_at(p->system, p->t, y, axis, h);
  }
  return p->unit * sum;
}

/* How many cells up another is, the shorter way round a ring. */
static PetscInt wrapped(const fare_grid *grid, int axis, PetscInt apart)
{
  const PetscInt cells = grid->cells[axis];

  if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC) return apart;
  if (2 * apart > cells) return apart - cells;
  return 2 * apart < -cells ? apart + cells : apart;
}

/* grown[axis][REACH + k]: from the cell k up along an axis to the one of this index. */
static void find_growth(const problem *p, const PetscInt index[], double grown[FARE_DIM_MAX][2 * REACH + 1])
{
  for (int axis = 0; axis < p->grid->dim; axis++) {
    double x[FARE_DIM_MAX] = {0};

    for (int a = 0; a < p->grid->dim; a++) x[a] = fare_grid_centre(p->grid, a, index[a]);
    grown[axis][REACH] = 0;
    for (int k = 0; k < REACH; k++) {
      x[axis]                    = fare_grid_centre(p->grid, axis, index[axis]) + k * p->grid->spacing[axis];
      grown[axis][REACH + k + 1] = grown[axis][REACH + k] - step_up(p, x, axis);
      x[axis] -= (2 * k + 1) * p->grid->spacing[axis];
      grown[axis][REACH - k - 1] = grown[axis][REACH - k] + step_up(p, x, axis);
    }
  }
}

/* Entries of the row of an owned cell become those of W and of its slope. */
static PetscErrorCode tilt_row(
  const problem *p, PetscInt n, PetscInt count, const PetscInt cell[], PetscScalar W[], PetscScalar slope[])
{
  const PetscInt *cells = p->grid->cells;
  const double    rate  = p->faces->tilting->rate[n];
  double          grown[FARE_DIM_MAX][2 * REACH + 1];
  PetscInt        index[FARE_DIM_MAX];

  PetscFunctionBegin;
  fare_cell_index(p->grid, n, index);
  find_growth(p, index, grown);
  for (PetscInt e = 0; e < count; e++) {
    const PetscInt there[] = {
      cell[e] % cells[0], cell[e] / cells[0] % cells[1], cell[e] / cells[0] / cells[1]};
    double    sum  = 0;
    PetscBool same = PETSC_TRUE;

    for (int axis = 0; axis < p->grid->dim; axis++) {
      const PetscInt apart = wrapped(p->grid, axis, there[axis] - index[axis]);

      if (!apart) continue;
      sum  = grown[axis][REACH + apart];
      same = PETSC_FALSE;
    }
    W[e] *= exp(p->s * sum);
    slope[e] = W[e] * sum + (same ? rate : 0);
    W[e] += same ? p->s * rate : 0;
    if (!isfinite(W[e]))
      FARE_FAIL(FARE_ERR_FAILED, "tilted: a tilt of %g is too much for moves between cells", p->s);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode assemble(Mat A)
{
  PetscFunctionBegin;
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

/* W and its slope, of the entries of L. */
static PetscErrorCode tilt(problem *p)
{
  PetscInt first;
  Mat      L;
  AO       order;

  PetscFunctionBegin;
  PetscCall(fare_high_order_matrix(p->grid, p->system, p->t, &L));
  PetscCall(MatDuplicate(L, MAT_DO_NOT_COPY_VALUES, &p->W));
  PetscCall(MatDuplicate(L, MAT_DO_NOT_COPY_VALUES, &p->slope));
  PetscCall(DMDAGetAO(p->grid->dm, &order));
  PetscCall(MatGetOwnershipRange(L, &first, NULL));
  for (PetscInt n = 0; n < fare_grid_owned(p->grid); n++) {
    const PetscInt     row = first + n;
    PetscInt           count, cell[MOST];
    PetscScalar        entry[MOST], slope[MOST];
    const PetscInt    *column;
    const PetscScalar *from;

    PetscCall(MatGetRow(L, row, &count, &column, &from));
    PetscCall(PetscArraycpy(cell, column, count));
    PetscCall(PetscArraycpy(entry, from, count));
    PetscCall(AOPetscToApplication(order, count, cell));
    PetscCall(tilt_row(p, n, count, cell, entry, slope));
    PetscCall(MatSetValues(p->W, 1, &row, count, column, entry, INSERT_VALUES));
    PetscCall(MatSetValues(p->slope, 1, &row, count, column, slope, INSERT_VALUES));
    PetscCall(MatRestoreRow(L, row, &count, &column, &from));
  }
  PetscCall(assemble(p->W));
  PetscCall(assemble(p->slope));
  PetscCall(MatDestroy(&L));
  PetscFunctionReturn(0);
}

/* v = (sigma - W)^-1 v, of L1 norm 1. */
static PetscErrorCode invert(KSP ksp, Vec v)
{
  PetscReal norm;
  Vec       from;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(v, &from));
  PetscCall(VecCopy(v, from));
  PetscCall(KSPSolve(ksp, from, v));
  PetscCall(fare_norm_1(v, &norm));
  PetscCall(VecScale(v, 1 / norm));
  PetscCall(VecDestroy(&from));
  PetscFunctionReturn(0);
}

/* By (sigma - W)^-1, right and left; then the quotient, its slope, and the residual of the right one. */
static PetscErrorCode improve(
  const problem *p, double sigma, Vec right, Vec left, fare_tilted *tilted, double *residual)
{
  Mat         A, transposed;
  KSP         ksp[2];
  PetscScalar size, product;
  Vec         y;

  PetscFunctionBegin;
  PetscCall(MatDuplicate(p->W, MAT_COPY_VALUES, &A));
  PetscCall(MatScale(A, -1));
  PetscCall(MatShift(A, sigma));
  PetscCall(MatTranspose(A, MAT_INITIAL_MATRIX, &transposed));
  PetscCall(fare_linear_solver_create(p->grid, A, A, &ksp[0]));
  PetscCall(fare_linear_solver_create(p->grid, transposed, transposed, &ksp[1]));
  PetscCall(invert(ksp[0], right));
  PetscCall(invert(ksp[1], left));
  PetscCall(VecDuplicate(right, &y));
  PetscCall(VecDot(left, right, &size));
  PetscCall(MatMult(p->slope, right, y));
  PetscCall(VecDot(left, y, &product));
  tilted->slope = product / size;
  PetscCall(MatMult(p->W, right, y));
  PetscCall(VecDot(left, y, &product));
  tilted->psi = product / size;
  PetscCall(VecAXPY(y, -tilted->psi, right));
  PetscCall(fare_norm_1(y, residual));
  tilted->iterations += 2;
  PetscCall(VecDestroy(&y));
  for (int k = 0; k < 2; k++) PetscCall(KSPDestroy(&ksp[k]));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&transposed));
  PetscFunctionReturn(0);
}

/* The largest eigenvalue has a right vector without a change of sign. */
static PetscErrorCode check_sign(const problem *p, Vec right)
{
  PetscScalar sum;
  PetscReal   norm;

  PetscFunctionBegin;
  PetscCall(VecSum(right, &sum));
  PetscCall(fare_norm_1(right, &norm));
  if (!(norm - fabs(sum) <= NEGATIVE * norm))
    FARE_FAIL(FARE_ERR_FAILED,
      "tilted: at the tilt %g the scheme high_order loses the density, which has %.0e of it below 0: take "
      "more "
      "cells, a smaller tilt or truth.scheme: fitted",
      p->s, (norm - fabs(sum)) / (2 * norm));
  PetscFunctionReturn(0);
}

static PetscErrorCode find(const problem *p, fare_tilted *tilted)
{
  double    residual = HUGE_VAL, before = HUGE_VAL, sigma = tilted->psi;
  PetscReal fastest;
  Vec       right, left;

  PetscFunctionBegin;
  PetscCall(MatNorm(p->W, NORM_INFINITY, &fastest));
  PetscCall(DMCreateGlobalVector(p->grid->dm, &right));
  PetscCall(VecDuplicate(right, &left));
  PetscCall(VecSet(right, 1));
  PetscCall(VecCopy(tilted->right, left)); /* the left one of masses is the one of paths to come */
  for (int round = 0; round < ROUNDS && residual > ENOUGH * fastest; round++) {
    PetscCall(improve(p, sigma, right, left, tilted, &residual));
    if (residual < CLOSE * fastest && residual > 0.5 * before) break;
    before = residual;
    /* the first rounds, at the psi of fitted rates, make sure that it is next to that one */
    if (round) sigma = tilted->psi + ENOUGH * fastest;
  }
  if (!(residual <= CLOSE * fastest))
    FARE_FAIL(FARE_ERR_FAILED, "tilted: psi of the scheme high_order is not found at the tilt %g", p->s);
  PetscCall(check_sign(p, right));
  tilted->rounding = PETSC_MACHINE_EPSILON * fastest;
  tilted->width    = NAN;
  PetscCall(VecDestroy(&right));
  PetscCall(VecDestroy(&left));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tilted_solve_high_order(const fare_grid *grid, const fare_system *system, double t,
  const fare_observable *observable, double s, fare_tilted *tilted)
{
  problem p = {.grid = grid, .system = system, .observable = observable, .t = t, .s = s};

  PetscFunctionBegin;
  PetscCall(fare_tilted_solve(grid, system, t, observable, s, tilted));
  if (observable->kind == FARE_OF_ENTROPY) p.unit = 1;
  if (observable->kind == FARE_OF_HEAT || observable->kind == FARE_OF_WORK)
    p.unit = fare_system_kT(system, t);
  PetscCall(fare_absorbing_create(grid, system, t, 0, NULL, &p.faces));
  PetscCall(fare_absorbing_tilt(p.faces, system, observable, s));
  PetscCall(tilt(&p));
  PetscCall(find(&p, tilted));
  PetscCall(MatDestroy(&p.W));
  PetscCall(MatDestroy(&p.slope));
  PetscCall(fare_absorbing_destroy(&p.faces));
  PetscFunctionReturn(0);
}
