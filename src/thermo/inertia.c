/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Systems with inertia, by the scheme of high order: densities and energies are taken at the centres of cells,
  where sums over cells are of its order, too, for a density that vanishes at the ends. No transition over a
  face has a reverse; entropy production follows from heat and entropy.
*/
#include "thermo.h"

#include <petscdmda.h>

#include <math.h>

#define RUN 512 /* cells at a time */

PetscErrorCode fare_inertia_energies(const fare_grid *grid, const fare_system *system, double t, Vec U)
{
  const PetscInt owned = fare_grid_owned(grid);
  double         x[FARE_DIM_MAX][RUN];
  const double  *points[FARE_DIM_MAX] = {x[0], x[1], x[2]};
  PetscScalar   *energy;

  PetscFunctionBegin;
  PetscCall(VecGetArray(U, &energy));
  for (PetscInt first = 0; first < owned; first += RUN) {
    const PetscInt n = PetscMin(RUN, owned - first);

    for (PetscInt i = 0; i < n; i++) {
      double centre[FARE_DIM_MAX];

      fare_cell_centre(grid, first + i, centre);
      for (int axis = 0; axis < grid->dim; axis++) x[axis][i] = centre[axis];
    }
    fare_system_potential(system, t, (size_t)n, points, energy + first);
  }
  PetscCall(VecRestoreArray(U, &energy));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_inertia_rates(
  const fare_grid *grid, const fare_system *system, double t, Vec p, Vec U, fare_production *rates)
{
  PetscScalar absorbed;
  Vec         flow;
  Mat         L;

  PetscFunctionBegin;
  *rates = (fare_production){
    .total = NAN, .housekeeping = NAN, .excess = NAN, .power = U ? 0 : NAN, .absorbed = NAN};
  if (!U) PetscFunctionReturn(0);
  PetscCall(VecDuplicate(p, &flow));
  PetscCall(fare_high_order_matrix(grid, system, t, &L));
  PetscCall(MatMult(L, p, flow));
  PetscCall(VecDot(U, flow, &absorbed));
  rates->absorbed = absorbed;
  PetscCall(MatDestroy(&L));
  PetscCall(VecDestroy(&flow));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_inertia_velocity(
  const fare_grid *grid, const fare_system *system, double t, Vec p, double velocity[])
{
  Vec J;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p, &J));
  for (int axis = 0; axis < grid->dim; axis++) {
    PetscScalar sum;

    PetscCall(fare_high_order_current(grid, system, t, axis, p, J));
    PetscCall(VecSum(J, &sum));
    velocity[axis] = sum * grid->spacing[axis];
  }
  PetscCall(VecDestroy(&J));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_inertia_current(
  const fare_grid *grid, const fare_system *system, double t, Vec masses, int axis, Vec *density)
{
  Vec values;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(masses, density));
  PetscCall(VecDuplicate(masses, &values));
  PetscCall(VecCopy(masses, values));
  PetscCall(fare_high_order_values(grid, values));
  PetscCall(fare_high_order_current(grid, system, t, axis, values, *density));
  PetscCall(VecScale(*density, grid->spacing[axis] / fare_grid_volume(grid)));
  PetscCall(VecDestroy(&values));
  PetscFunctionReturn(0);
}
