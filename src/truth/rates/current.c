/* SPDX-License-Identifier: BSD-2-Clause */
/* Probability currents over the faces of cells, and the rates that they come from. */
#include "operator.h"

PetscErrorCode fare_operator_faces(fare_operator *op, double t, double leaving[], double entering[])
{
  const int dim = op->grid->dim, faces = 2 * dim;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  FARE_FOR_OWNED(op, n, cell)
  {
    for (int axis = 0; axis < dim; axis++) {
      const PetscInt below = cell - op->stride[axis], at = n * faces + 2 * axis;

      leaving[at]      = op->down[axis][below];
      entering[at]     = op->up[axis][below];
      leaving[at + 1]  = op->up[axis][cell];
      entering[at + 1] = op->down[axis][cell];
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_operator_current(fare_operator *op, double t, Vec P, int axis, Vec J)
{
  const fare_grid   *grid = op->grid;
  const PetscScalar *p;
  PetscScalar       *to;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(op, t));
  PetscCall(fare_ghosts_of(grid, &ghosts));
  PetscCall(fare_ghosts_get(grid, P, &local, &p));
  PetscCall(VecGetArray(J, &to));
  FARE_FOR_OWNED(op, n, cell)
  {
    const double up = op->up[axis][cell], down = op->down[axis][cell];
    PetscInt     index[FARE_DIM_MAX], at;

    fare_cell_index(grid, n, index);
    at = fare_ghosts_at(&ghosts, index);
    /* at an end there is no neighbour to read */
    to[n] = (up != 0 ? up * p[at] : 0) - (down != 0 ? down * p[at + ghosts.stride[axis]] : 0);
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

  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) exits[axis][0] = exits[axis][1] = 0;
  PetscCall(VecGetArrayRead(P, &p));
  FARE_FOR_OWNED(op, n, cell)
  {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    for (int axis = 0; axis < grid->dim; axis++) {
      if (grid->boundary[axis] < FARE_BOUNDARY_ABSORBING) continue;
      if (index[axis] == 0) exits[axis][0] += op->down[axis][cell - op->stride[axis]] * p[n];
      if (index[axis] == grid->cells[axis] - 1) exits[axis][1] += op->up[axis][cell] * p[n];
    }
  }
  PetscCall(VecRestoreArrayRead(P, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, exits, 2 * FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}
