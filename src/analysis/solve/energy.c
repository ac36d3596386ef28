/* SPDX-License-Identifier: BSD-2-Clause */
#include "analysis/analysis.h"

PetscErrorCode fare_potential_at_centres(const fare_grid *grid, const fare_system *system, double t, Vec V)
{
  const PetscInt owned = fare_grid_owned(grid);
  const double  *x[FARE_DIM_MAX];
  double        *all;
  PetscScalar   *to;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(owned * grid->dim + 1, &all));
  for (PetscInt n = 0; n < owned; n++) {
    double centre[FARE_DIM_MAX];

    fare_cell_centre(grid, n, centre);
    for (int axis = 0; axis < grid->dim; axis++) all[axis * owned + n] = centre[axis];
  }
  for (int axis = 0; axis < grid->dim; axis++) x[axis] = all + axis * owned;
  PetscCall(VecGetArrayWrite(V, &to));
  fare_system_potential(system, t, (size_t)owned, x, to);
  PetscCall(VecRestoreArrayWrite(V, &to));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}
