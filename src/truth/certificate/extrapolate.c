/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A better density from the same three grids, by Richardson's rule: where the error falls by the factor r from
  grid to grid, the finest masses lack (finest - next)/(r - 1) of each coarser cell. Relative to the masses,
  what is lacking is smooth: it is interpolated between coarser cells, and each of these gets what it lacks.

  The coarser two grids make a density on half as many cells in the same way. Its difference from this one,
  over r - 1, is the estimated error. Where densities are smooth that error falls by r^2, and the estimate is
  too large by r + 1; but no fourth grid shows it.
*/
#include "truth/grid/patch.h"
#include "truth/truth.h"

#include <petscdmda.h>

#define CHANGE_MOST 0.5 /* of a mass: none becomes negative */

/* A grid whose cells have children on a finer one. */
typedef struct {
  const fare_grid *grid;
  fare_patch      *patch;
  double          *change;                             /* what cells lack, relative to their masses */
  PetscInt         children, child[1 << FARE_DIM_MAX]; /* of a cell: number, and places behind the first */
} level;

struct fare_extrapolation {
  level half, quarter;
  Vec   coarser, difference; /* on the half grid: the density made there, and how the finer one differs */
};

static PetscErrorCode create_level(const fare_grid *grid, level *l)
{
  PetscInt stride = 1;

  PetscFunctionBegin;
  l->grid     = grid;
  l->children = 1;
  for (int axis = 0; axis < grid->dim; axis++) {
    for (PetscInt i = 0; i < l->children; i++) l->child[l->children + i] = l->child[i] + stride;
    l->children *= 2;
    stride *= 2 * grid->count[axis];
  }
  PetscCall(fare_patch_create(grid, MPI_DOUBLE, &l->patch));
  PetscCall(PetscMalloc1(l->patch->owned, &l->change));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_extrapolation_create(
  const fare_grid *half, const fare_grid *quarter, fare_extrapolation **extrapolation)
{
  fare_extrapolation *x;

  PetscFunctionBegin;
  PetscCall(PetscNew(&x));
  *extrapolation = x;
  PetscCall(create_level(half, &x->half));
  PetscCall(create_level(quarter, &x->quarter));
  PetscCall(DMCreateGlobalVector(half->dm, &x->coarser));
  PetscCall(DMCreateGlobalVector(half->dm, &x->difference));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_extrapolation_destroy(fare_extrapolation **extrapolation)
{
  fare_extrapolation *x = *extrapolation;

  PetscFunctionBegin;
  if (!x) PetscFunctionReturn(0);
  PetscCall(fare_patch_destroy(&x->half.patch));
  PetscCall(fare_patch_destroy(&x->quarter.patch));
  PetscCall(PetscFree(x->half.change));
  PetscCall(PetscFree(x->quarter.change));
  PetscCall(VecDestroy(&x->coarser));
  PetscCall(VecDestroy(&x->difference));
  PetscCall(PetscFree(*extrapolation));
  PetscFunctionReturn(0);
}

/* Where an owned cell is, and the first of its children among the owned finer cells. */
static PetscInt first_child(const level *l, PetscInt n, PetscInt at[FARE_DIM_MAX])
{
  const PetscInt *count = l->patch->count;
  PetscInt        first = 0, stride = 1;

  for (int axis = 0; axis < l->grid->dim; axis++) {
    at[axis] = n % count[axis];
    n /= count[axis];
    first += 2 * at[axis] * stride;
    stride *= 2 * count[axis];
  }
  return first;
}

static double sum_of_children(const level *l, const PetscScalar fine[], PetscInt first)
{
  double sum = 0;

  for (PetscInt i = 0; i < l->children; i++) sum += fine[first + l->child[i]];
  return sum;
}

static double cut(double change)
{
  return PetscMax(-CHANGE_MOST, PetscMin(CHANGE_MOST, change));
}

/* The change of a neighbour; of the cell itself where there is none, as by a mirror. */
static double change_beside(const level *l, PetscInt n, const PetscInt at[], int axis, int side)
{
  const fare_patch *p    = l->patch;
  const PetscInt    gap  = axis == 0 ? 1
        : axis == 1                  ? p->count[0]
                                     : p->count[0] * p->count[1],
                 outside = side ? at[axis] == p->count[axis] - 1 : at[axis] == 0,
                 face    = n % gap + n / gap / p->count[axis] * gap;

  if (!outside) return l->change[side ? n + gap : n - gap];
  return p->neighbour[axis][side] == MPI_PROC_NULL ? l->change[n]
                                                   : ((const double *)p->ghost[axis][side])[face];
}

/* The children of one cell, and their sum. */
static double change_children(const level *l, PetscInt n, const PetscScalar fine[], PetscScalar better[])
{
  PetscInt       at[FARE_DIM_MAX] = {0};
  const PetscInt first            = first_child(l, n, at);
  const double   all              = sum_of_children(l, fine, first);
  double         change[1 << FARE_DIM_MAX], lacking = l->change[n] * all;

  change[0] = l->change[n];
  for (int axis = 0; axis < l->grid->dim; axis++) {
    const double slope =
      (change_beside(l, n, at, axis, 1) - change_beside(l, n, at, axis, 0)) / 8; /* to a child's centre */

    for (PetscInt i = 0; i < 1 << axis; i++) {
      change[(1 << axis) + i] = change[i] + slope;
      change[i] -= slope;
    }
  }
  for (PetscInt i = 0; i < l->children; i++) lacking -= change[i] * fine[first + l->child[i]];
  for (PetscInt i = 0; i < l->children && all > 0; i++) change[i] += lacking / all;
  for (PetscInt i = 0; i < l->children; i++) {
    const PetscInt c = first + l->child[i];

    better[c] = fine[c] * (1 + cut(change[i]));
  }
  return sum_of_children(l, better, first);
}

/* Sum of the masses is what the rule gives for it: 1, or what no end has absorbed. */
static PetscErrorCode improve(level *l, Vec fine, Vec coarse, double ratio, Vec better)
{
  const PetscScalar *f, *c;
  PetscScalar       *b;
  double             sum[2] = {0, 0}; /* as it should be, and as it is where changes are cut */

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(fine, &f));
  PetscCall(VecGetArrayRead(coarse, &c));
  for (PetscInt n = 0; n < l->patch->owned; n++) {
    PetscInt     at[FARE_DIM_MAX];
    const double all = sum_of_children(l, f, first_child(l, n, at)), lacking = (all - c[n]) / (ratio - 1);

    l->change[n] = all > 0 ? cut(lacking / all) : 0;
    sum[0] += all + lacking;
  }
  PetscCall(VecRestoreArrayRead(coarse, &c));
  PetscCall(fare_patch_exchange(l->patch, l->change));
  PetscCall(VecGetArrayWrite(better, &b));
  for (PetscInt n = 0; n < l->patch->owned; n++) sum[1] += change_children(l, n, f, b);
  PetscCall(VecRestoreArrayWrite(better, &b));
  PetscCall(VecRestoreArrayRead(fine, &f));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, l->grid->comm));
  if (sum[0] > 0 && sum[1] > 0) PetscCall(VecScale(better, sum[0] / sum[1]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_extrapolate(fare_extrapolation *x, Vec masses, Vec half, Vec quarter, double nominal,
  double observed, Vec better, Vec error_field, double *error)
{
  const fare_grid *grid = x->half.grid;

  PetscFunctionBegin;
  PetscCall(improve(&x->half, masses, half, nominal, better));
  PetscCall(improve(&x->quarter, half, quarter, nominal, x->coarser));
  PetscCall(fare_grid_restrict(grid, better, x->difference));
  PetscCall(VecAXPY(x->difference, -1, x->coarser));
  PetscCall(VecScale(x->difference, 1 / (PetscMin(observed, nominal) - 1)));
  PetscCall(fare_norm_1(x->difference, error));
  PetscCall(fare_grid_prolong(grid, x->difference, error_field));
  PetscFunctionReturn(0);
}
