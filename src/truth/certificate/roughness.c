/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What a grid may not resolve, seen without another grid: accidents may make two or three coarse grids agree.

  Roughness: a kink, a jump, or a bump of the drift that is narrower than a cell. At five points a quarter of
  a cell apart the fourth difference of a smooth drift is small; that of a jump is up to six times as large as
  the jump. Steepness: the change of the potential, or of drift over diffusion, over a cell that holds mass;
  in a harmonic well that is 3 where the standard deviation is about a cell. Filled: how many cells hold the
  mass, (sum p)^2/(sum p^2).
*/
#include "truth/truth.h"

#include <math.h>

#define POINTS  5
#define MATTERS 1e-6 /* cells of less mass do not count for roughness */
#define HOLDS   1e-3 /* cells of less mass, relative to the largest, do not count for steepness */

/*
  |fourth difference of f| h/D, or of D over D, whose kinks do the same, and the mean of |f| h/D along an
  axis: changes of the potential over the cell, in units of kT.
*/
static void look_at_cell(const fare_grid *grid, const fare_system *system, double t, const double centre[],
  int axis, double *rough, double *steep)
{
  static const double difference[POINTS] = {1, -4, 6, -4, 1};
  double x[FARE_DIM_MAX][POINTS] = {{0}}, f[FARE_DIM_MAX][POINTS] = {{0}}, D[FARE_DIM_MAX][POINTS] = {{0}};
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};
  const double *const from[] = {x[0], x[1], x[2]};
  double              fourth = 0, mean = 0, kink = 0;

  for (int i = 0; i < POINTS; i++) {
    for (int a = 0; a < grid->dim; a++)
      x[a][i] = centre[a] + (a == axis ? (i - 2) * 0.25 * grid->spacing[axis] : 0);
  }
  fare_system_drift(system, t, POINTS, from, to_f);
  fare_system_diffusion(system, t, POINTS, from, to_D);
  for (int i = 0; i < POINTS; i++) {
    fourth += difference[i] * f[axis][i];
    kink += difference[i] * D[axis][i];
    mean += fabs(f[axis][i]) / POINTS;
  }
  *rough = 0;
  *steep = mean > 0 ? HUGE_VAL : 0;
  if (!(D[axis][2] > 0)) return;
  *rough = PetscMax(fabs(fourth) * grid->spacing[axis], fabs(kink)) / D[axis][2];
  *steep = mean * grid->spacing[axis] / D[axis][2];
}

/*
  An axis without diffusion beside one that has some, as position beside velocity, is smoothed by that one:
  how well, grids tell.
*/
static void keep_steepest(int dim, const double steep[], double most[])
{
  PetscBool diffuses = PETSC_FALSE;

  for (int axis = 0; axis < dim; axis++) diffuses |= isfinite(steep[axis]) ? PETSC_TRUE : PETSC_FALSE;
  for (int axis = 0; axis < dim; axis++) {
    if (steep[axis] > most[axis] && !(diffuses && isinf(steep[axis]))) most[axis] = steep[axis];
  }
}

PetscErrorCode fare_resolution_look(
  const fare_grid *grid, const fare_system *system, double t, Vec masses, fare_resolution *r)
{
  const PetscScalar *mass;
  PetscReal          largest;
  double             most[FARE_DIM_MAX + 1] = {0}, sums[2] = {0};

  PetscFunctionBegin;
  PetscCall(VecMax(masses, NULL, &largest));
  PetscCall(VecGetArrayRead(masses, &mass));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double centre[FARE_DIM_MAX], rough, steep[FARE_DIM_MAX];

    sums[0] += mass[n];
    sums[1] += mass[n] * mass[n];
    if (!(mass[n] > PetscMin(MATTERS, HOLDS * largest))) continue;
    fare_cell_centre(grid, n, centre);
    for (int axis = 0; axis < grid->dim; axis++) {
      look_at_cell(grid, system, t, centre, axis, &rough, &steep[axis]);
      if (mass[n] > MATTERS && rough > most[FARE_DIM_MAX]) most[FARE_DIM_MAX] = rough;
    }
    if (mass[n] > HOLDS * largest) keep_steepest(grid->dim, steep, most);
  }
  PetscCall(VecRestoreArrayRead(masses, &mass));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_MAX, grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, grid->comm));
  *r =
    (fare_resolution){.rough = most[FARE_DIM_MAX], .filled = sums[1] > 0 ? sums[0] / sums[1] * sums[0] : 0};
  for (int axis = 0; axis < grid->dim; axis++) r->steep[axis] = most[axis];
  PetscFunctionReturn(0);
}
