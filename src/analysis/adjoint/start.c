/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Masses whose mean of any field is the value of that field at a point: cubic between the four centres next to
  it along each axis, or linear between two where a set reaches into those.
*/
#include "adjoint.h"

#include <petscdmda.h>

#include <math.h>

#define NODES 4

/* Nodes along an axis from `first` on, and what each counts. */
typedef struct {
  PetscInt first;
  int      count;
  double   weight[NODES];
} stencil;

static stencil stencil_at(const fare_grid *grid, int axis, double x, int count)
{
  const double    place    = (x - grid->lower[axis]) / grid->spacing[axis] - 0.5;
  const PetscBool periodic = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  stencil         s        = {(PetscInt)floor(place) + 1 - count / 2, count, {0}};

  if (!periodic) s.first = PetscMax(0, PetscMin(s.first, grid->cells[axis] - count));
  for (int i = 0; i < count; i++) {
    s.weight[i] = 1;
    for (int j = 0; j < count; j++) {
      if (j != i) s.weight[i] *= (place - (double)(s.first + j)) / (double)(i - j);
    }
  }
  return s;
}

static double weight_of(const fare_grid *grid, int axis, const stencil *s, PetscInt index)
{
  PetscInt i = index - s->first;

  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC)
    i = (i % grid->cells[axis] + grid->cells[axis]) % grid->cells[axis];
  return i >= 0 && i < s->count ? s->weight[i] : 0;
}

/* What a cell counts; 0: it does not. */
static double weight_at(const fare_grid *grid, const stencil s[], const PetscInt index[])
{
  double weight = 1;

  for (int axis = 0; axis < grid->dim; axis++) weight *= weight_of(grid, axis, &s[axis], index[axis]);
  return weight;
}

/* Whether a set of the event has the centre of a cell that counts. Collective. */
static PetscErrorCode reaches(
  const fare_grid *grid, const fare_goal *goal, const stencil s[], PetscBool *reached)
{
  *reached = PETSC_FALSE;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];
    double   x[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    if (weight_at(grid, s, index) == 0) continue;
    fare_cell_centre(grid, n, x);
    if (fare_region_has(goal->b, x) || (goal->a && goal->a->boxes && fare_region_has(goal->a, x)))
      *reached = PETSC_TRUE;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, reached, 1, MPI_INT, MPI_MAX, grid->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_adjoint_point(const fare_grid *grid, const fare_goal *goal, const double x[], Vec *masses)
{
  stencil      s[FARE_DIM_MAX];
  PetscScalar *to;
  PetscBool    reached = PETSC_FALSE;

  PetscFunctionBegin;
  for (int count = NODES; count >= 2; count -= 2) {
    for (int axis = 0; axis < grid->dim; axis++) s[axis] = stencil_at(grid, axis, x[axis], count);
    if (count == NODES) PetscCall(reaches(grid, goal, s, &reached));
    if (!reached) break;
  }
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArrayWrite(*masses, &to));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    to[n] = weight_at(grid, s, index);
  }
  PetscCall(VecRestoreArrayWrite(*masses, &to));
  PetscFunctionReturn(0);
}
