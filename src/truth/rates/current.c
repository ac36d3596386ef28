/* SPDX-License-Identifier: BSD-2-Clause */
/* Probability currents over the faces of cells, and the rates that they come from. */
#include "operator.h"

#include <petscdmda.h>

static PetscBool is_owned(const fare_grid *grid, const PetscInt index[])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    if (index[axis] < grid->start[axis] || index[axis] >= grid->start[axis] + grid->count[axis])
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

PetscErrorCode fare_operator_faces(fare_operator *op, double t, double leaving[], double entering[])
{
  const fare_grid *grid  = op->grid;
  const int        faces = 2 * grid->dim;
  PetscInt         n     = 0;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  for (PetscInt cell = 0; cell < op->box; cell++) {
    PetscInt index[FARE_DIM_MAX];

    fare_operator_index(op, cell, index);
    if (!is_owned(grid, index)) continue;
    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt below = cell - op->stride[axis];

      leaving[n * faces + 2 * axis]      = op->down[axis][below];
      entering[n * faces + 2 * axis]     = op->up[axis][below];
      leaving[n * faces + 2 * axis + 1]  = op->up[axis][cell];
      entering[n * faces + 2 * axis + 1] = op->down[axis][cell];
    }
    n++;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_current(fare_operator *op, double t, Vec P, int axis, Vec J)
{
  const fare_grid   *grid = op->grid;
  const PetscScalar *p;
  PetscScalar       *to;
  PetscInt           start[FARE_DIM_MAX], count[FARE_DIM_MAX], stride = 1, n = 0;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  PetscCall(DMGetLocalVector(grid->dm, &local));
  PetscCall(DMGlobalToLocal(grid->dm, P, INSERT_VALUES, local));
  PetscCall(DMDAGetGhostCorners(grid->dm, &start[0], &start[1], &start[2], &count[0], &count[1], &count[2]));
  for (int a = grid->dim; a < FARE_DIM_MAX; a++) {
    start[a] = 0;
    count[a] = 1;
  }
  for (int a = 0; a < axis; a++) stride *= count[a];
  PetscCall(VecGetArrayRead(local, &p));
  PetscCall(VecGetArray(J, &to));
  for (PetscInt cell = 0; cell < op->box; cell++) {
    const double up = op->up[axis][cell], down = op->down[axis][cell];
    PetscInt     index[FARE_DIM_MAX], at;

    fare_operator_index(op, cell, index);
    if (!is_owned(grid, index)) continue;
    at = ((index[2] - start[2]) * count[1] + index[1] - start[1]) * count[0] + index[0] - start[0];
    /* at an end there is no neighbour to read */
    to[n++] = (up != 0 ? up * p[at] : 0) - (down != 0 ? down * p[at + stride] : 0);
  }
  PetscCall(VecRestoreArray(J, &to));
  PetscCall(VecRestoreArrayRead(local, &p));
  PetscCall(DMRestoreLocalVector(grid->dm, &local));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_exits(const fare_operator *op, Vec P, double exits[FARE_DIM_MAX][2])
{
  const fare_grid   *grid = op->grid;
  const PetscScalar *p;
  PetscInt           n = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) exits[axis][0] = exits[axis][1] = 0;
  PetscCall(VecGetArrayRead(P, &p));
  for (PetscInt cell = 0; cell < op->box; cell++) {
    PetscInt index[FARE_DIM_MAX];

    fare_operator_index(op, cell, index);
    if (!is_owned(grid, index)) continue;
    for (int axis = 0; axis < grid->dim; axis++) {
      if (grid->boundary[axis] < FARE_BOUNDARY_ABSORBING) continue;
      if (index[axis] == 0) exits[axis][0] += op->down[axis][cell - op->stride[axis]] * p[n];
      if (index[axis] == grid->cells[axis] - 1) exits[axis][1] += op->up[axis][cell] * p[n];
    }
    n++;
  }
  PetscCall(VecRestoreArrayRead(P, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, exits, 2 * FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}
