/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Transport of high order as matrices, for what needs no limiter: eigenvalues, and linear equations. Entries
  are those of the flows of transport.c, face by face.
*/
#include "transport.h"
#include "truth/rates/operator.h"

#include <petscao.h>
#include <petscdmda.h>

#include <math.h>

#define AROUND (2 * FARE_REACH + 1)

/* The cells around one along an axis: drift and diffusion, per spacing and its square, and their columns. */
typedef struct {
  const fare_grid *grid;
  int              axis;
  PetscInt         index; /* of the one in the middle, place FARE_REACH */
  double           f[AROUND], D[AROUND];
  PetscInt         column[AROUND]; /* -1: beyond an end */
} row;

/* Weights of the 2 pairs cells around a face, from below, `first` among those of the row; 0: an end. */
typedef int (*face_weights)(const row *r, int side, int *first, double weight[]);

static int differences(
  const row *r, const double table[FARE_REACH][FARE_REACH], int side, int *first, double w[])
{
  const int pairs = PetscMin(FARE_REACH - 1, fare_transport_pairs(r->grid, r->axis, r->index - 1 + side));

  *first = FARE_REACH + side - pairs;
  for (int k = 0; k < pairs; k++) {
    w[pairs + k]     = table[pairs][k];
    w[pairs - 1 - k] = -table[pairs][k];
  }
  return 2 * pairs;
}

static int weights_to_mass(const row *r, int side, int *first, double w[])
{
  return differences(r, fare_transport_to_mass, side, first, w);
}

static int weights_to_point(const row *r, int side, int *first, double w[])
{
  return differences(r, fare_transport_to_point, side, first, w);
}

static int weights_of_flow(const row *r, int side, int *first, double w[])
{
  const int pairs = fare_transport_pairs(r->grid, r->axis, r->index - 1 + side);
  double    f, D;

  *first = FARE_REACH + side - pairs;
  fare_transport_weights(pairs, r->f + *first, r->D + *first, w);
  if (pairs) return 2 * pairs;
  if (!fare_boundary_absorbs(r->grid->boundary[r->axis], side)) return 0;
  *first = FARE_REACH;
  D      = r->D[FARE_REACH];
  f      = 1.5 * r->f[FARE_REACH] - 0.5 * r->f[FARE_REACH + (side ? -1 : 1)];
  w[0]   = fare_transport_end(side ? 1 : -1, f, D);
  return 1;
}

/* Without drift and diffusion where the system is NULL. */
static void fill_row(const fare_grid *grid, const fare_system *system, double t, PetscInt n, int axis, row *r)
{
  double        at[FARE_DIM_MAX][AROUND], f[FARE_DIM_MAX][AROUND], D[FARE_DIM_MAX][AROUND];
  const double *x[] = {at[0], at[1], at[2]};
  double *const F[] = {f[0], f[1], f[2]}, *const S[] = {D[0], D[1], D[2]};
  const double h = grid->spacing[axis];
  PetscInt     index[FARE_DIM_MAX];

  fare_cell_index(grid, n, index);
  r->grid  = grid;
  r->axis  = axis;
  r->index = index[axis];
  for (int k = 0; k < AROUND; k++) {
    PetscInt there[FARE_DIM_MAX] = {index[0], index[1], index[2]};
    PetscInt i = index[axis] + k - FARE_REACH, cells = grid->cells[axis];

    if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) i = (i % cells + cells) % cells;
    r->column[k] = -1;
    there[axis]  = PetscMax(0, PetscMin(cells - 1, i)); /* beyond an end nothing is looked at */
    for (int a = 0; a < grid->dim; a++) at[a][k] = fare_grid_centre(grid, a, there[a]);
    if (i == there[axis]) r->column[k] = (there[2] * grid->cells[1] + there[1]) * grid->cells[0] + there[0];
  }
  if (!system) return;
  fare_system_drift(system, t, AROUND, x, F);
  fare_system_diffusion(system, t, AROUND, x, S);
  for (int k = 0; k < AROUND; k++) {
    r->f[k] = f[axis][k] / h;
    r->D[k] = D[axis][k] / (h * h);
  }
}

static const double inflow[] = {1, -1}, mean[] = {0.5, 0.5};

/* Adds to A, for each cell, so much of the flows up over its faces along one axis, below and above it. */
static PetscErrorCode add_axis(const fare_grid *grid, const fare_system *system, double t, int axis,
  const double share[2], face_weights of, Mat A)
{
  PetscInt first;
  AO       order;

  PetscFunctionBegin;
  PetscCall(DMDAGetAO(grid->dm, &order));
  PetscCall(MatGetOwnershipRange(A, &first, NULL));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    const PetscInt to            = first + n;
    double         entry[AROUND] = {0};
    PetscInt       column[AROUND];
    row            r;

    fill_row(grid, system, t, n, axis, &r);
    for (int side = 0; side < 2; side++) {
      double weight[2 * FARE_REACH];
      int    at, count = of(&r, side, &at, weight);

      for (int k = 0; k < count; k++) entry[at + k] += share[side] * weight[k];
    }
    for (int k = 0; k < AROUND; k++) {
      if (!isfinite(entry[k]))
        FARE_FAIL(FARE_ERR_FAILED, "analysis: drift or diffusion is not finite at time %g", t);
      column[k] = r.column[k];
    }
    PetscCall(AOApplicationToPetsc(order, AROUND, column));
    PetscCall(MatSetValues(A, 1, &to, AROUND, column, entry, ADD_VALUES));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode create(const fare_grid *grid, int axes, Mat *A)
{
  const PetscInt owned = fare_grid_owned(grid), around = 2 * FARE_REACH * axes, width = 1 + around;

  PetscFunctionBegin;
  PetscCall(MatCreate(grid->comm, A));
  PetscCall(MatSetSizes(*A, owned, owned, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(*A, MATAIJ));
  PetscCall(MatSeqAIJSetPreallocation(*A, width, NULL));
  PetscCall(MatMPIAIJSetPreallocation(*A, width, NULL, around, NULL));
  PetscCall(MatSetOption(*A, MAT_NEW_NONZERO_ALLOCATION_ERR, PETSC_FALSE)); /* of few cells, on a ring */
  PetscFunctionReturn(0);
}

static PetscErrorCode finish(Mat A)
{
  PetscFunctionBegin;
  PetscCall(MatAssemblyBegin(A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_high_order_matrix(const fare_grid *grid, const fare_system *system, double t, Mat *L)
{
  PetscFunctionBegin;
  PetscCall(create(grid, grid->dim, L));
  for (int axis = 0; axis < grid->dim; axis++)
    PetscCall(add_axis(grid, system, t, axis, inflow, weights_of_flow, *L));
  PetscCall(finish(*L));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_high_order_current(
  const fare_grid *grid, const fare_system *system, double t, int axis, Vec values, Vec J)
{
  Mat A;

  PetscFunctionBegin;
  PetscCall(create(grid, 1, &A));
  PetscCall(add_axis(grid, system, t, axis, mean, weights_of_flow, A));
  PetscCall(finish(A));
  PetscCall(MatMult(A, values, J));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(0);
}

/* Along one axis after the other. */
static PetscErrorCode convert(const fare_grid *grid, face_weights of, Vec values)
{
  Vec from;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(values, &from));
  for (int axis = 0; axis < grid->dim; axis++) {
    Mat A;

    PetscCall(create(grid, 1, &A));
    PetscCall(add_axis(grid, NULL, 0, axis, inflow, of, A));
    PetscCall(finish(A));
    PetscCall(VecCopy(values, from));
    PetscCall(MatMultAdd(A, from, from, values));
    PetscCall(MatDestroy(&A));
  }
  PetscCall(VecDestroy(&from));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_high_order_masses(const fare_grid *grid, Vec values)
{
  PetscFunctionBegin;
  PetscCall(convert(grid, weights_to_mass, values));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_high_order_values(const fare_grid *grid, Vec masses)
{
  PetscFunctionBegin;
  PetscCall(convert(grid, weights_to_point, masses));
  PetscFunctionReturn(0);
}
