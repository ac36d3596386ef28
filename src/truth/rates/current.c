/* SPDX-License-Identifier: BSD-2-Clause */
/* Probability currents over the faces of cells, and the rates that they come from. */
#include "operator.h"

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
  PetscInt           n = 0;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(fare_ghosts_get(grid, P, &local, &p));
  PetscCall(VecGetArray(J, &to));
  for (PetscInt cell = 0; cell < op->box; cell++) {
    const double up = op->up[axis][cell], down = op->down[axis][cell];
    PetscInt     index[FARE_DIM_MAX], at;

    fare_operator_index(op, cell, index);
    if (!is_owned(grid, index)) continue;
    at = fare_ghosts_at(&ghosts, index);
    /* at an end there is no neighbour to read */
    to[n++] = (up != 0 ? up * p[at] : 0) - (down != 0 ? down * p[at + ghosts.stride[axis]] : 0);
  }
  PetscCall(VecRestoreArray(J, &to));
  PetscCall(fare_ghosts_restore(grid, &local, &p));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_velocity(fare_operator *op, double t, Vec P, double velocity[])
{
  Vec J;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(P, &J));
  for (int axis = 0; axis < op->grid->dim; axis++) {
    PetscScalar sum;

    PetscCall(fare_operator_current(op, t, P, axis, J));
    PetscCall(VecSum(J, &sum));
    velocity[axis] = sum * op->grid->spacing[axis];
  }
  PetscCall(VecDestroy(&J));
  PetscFunctionReturn(0);
}

/* A face's current is shared by the cells beside it. */
PetscErrorCode fare_operator_current_density(fare_operator *op, double t, Vec P, int axis, Vec *density)
{
  const fare_grid   *grid   = op->grid;
  const double       volume = fare_grid_volume(grid);
  const PetscScalar *J;
  PetscScalar       *at;
  fare_ghosts        ghosts;
  Vec                faces, local;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(VecDuplicate(P, &faces));
  PetscCall(VecDuplicate(P, density));
  PetscCall(fare_operator_current(op, t, P, axis, faces));
  PetscCall(fare_ghosts_get(grid, faces, &local, &J));
  PetscCall(VecGetArray(*density, &at));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(grid, n, index);
    here  = fare_ghosts_at(&ghosts, index);
    at[n] = 0.5 * grid->spacing[axis] *
      (J[here] + (index[axis] > ghosts.start[axis] ? J[here - ghosts.stride[axis]] : 0)) / volume;
  }
  PetscCall(VecRestoreArray(*density, &at));
  PetscCall(fare_ghosts_restore(grid, &local, &J));
  PetscCall(VecDestroy(&faces));
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
