/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What the cells at the ends of the box hide from grids that are all too coarse for it.

  Absorbing ends: drift inwards leaves a layer of width D/f from which mass is still absorbed when a start
  fills the cells there. Of a mass m in the cell at the end, m/Pe is absorbed, Pe = f h/D. The rates absorb
  m/(2 sinh(Pe/2)): next to nothing once the layer is thinner than a cell, and all grids agree on that.

  Singular ends: where D vanishes at an end like D' x, the density goes like x^(a - 1), a = f/D'. For a < 1 it
  is not bounded. The first cell holds most of the error, and how that falls from grid to grid says little.
  Taking for its mean what the density has at its centre misses |1 - a 2^(1 - a)| of its mass.
*/
#include "truth/truth.h"

#include <math.h>

#define SINGULAR 1e-6 /* D at the end, relative to the centre of its cell: it vanishes there */

/* Drift inwards at the end of a cell, and D there and at the centre of the cell. */
typedef struct {
  double inwards, D, D_centre;
} at_end;

static at_end look(
  const fare_grid *grid, const fare_system *system, double t, const double centre[], int axis, int side)
{
  double        x[FARE_DIM_MAX][2], f[FARE_DIM_MAX][2], D[FARE_DIM_MAX][2];
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};
  const double *const from[] = {x[0], x[1], x[2]};

  for (int a = 0; a < grid->dim; a++) x[a][0] = x[a][1] = centre[a];
  x[axis][0] = side ? grid->upper[axis] : grid->lower[axis];
  fare_system_drift(system, t, 2, from, to_f);
  fare_system_diffusion(system, t, 2, from, to_D);
  return (at_end){side ? -f[axis][0] : f[axis][0], D[axis][0], D[axis][1]};
}

/* The part of a cell's mass that its grid does not absorb and should. */
static double missed_by_absorption(const at_end *end, double h)
{
  const double Pe = end->inwards * h / end->D;

  if (!(Pe > 0) || !isfinite(Pe)) return 0;
  return Pe < 0.1 ? Pe / 24 : 1 / Pe - 1 / (2 * sinh(0.5 * Pe));
}

/* And the part that a singular end leaves open. */
static double missed_by_singularity(const at_end *end, double h)
{
  const double a = 0.5 * end->inwards * h / end->D_centre;

  if (!(fabs(end->D) <= SINGULAR * end->D_centre) || !(a > 0 && a < 1)) return 0;
  return fabs(1 - a * exp2(1 - a));
}

PetscErrorCode fare_ends_look(const fare_grid *grid, const fare_system *system, double t, Vec masses,
  double layer[FARE_DIM_MAX][2], double *singular)
{
  const PetscScalar *mass;
  double             sums[FARE_DIM_MAX][2] = {{0}}, sum = 0;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(masses, &mass));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];
    double   centre[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    for (int axis = 0; axis < grid->dim; axis++) {
      const int side = index[axis] > 0;
      at_end    end;

      if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC || index[axis] % (grid->cells[axis] - 1)) continue;
      fare_cell_centre(grid, n, centre);
      end = look(grid, system, t, centre, axis, side);
      if (fare_boundary_absorbs(grid->boundary[axis], side))
        sums[axis][side] += mass[n] * missed_by_absorption(&end, grid->spacing[axis]);
      else
        sum += mass[n] * missed_by_singularity(&end, grid->spacing[axis]);
    }
  }
  PetscCall(VecRestoreArrayRead(masses, &mass));
  PetscCallMPI(MPI_Allreduce(sums, layer, 2 * FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscCallMPI(MPI_Allreduce(&sum, singular, 1, MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}
