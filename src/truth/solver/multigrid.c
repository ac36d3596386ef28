/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A preconditioner for A = shift - L in two and three dimensions: one cycle of geometric multigrid that
  smooths by lines.

  With A = sum of H_k, H_k = shift/d + A_k and A_k the part of -L along axis k, the smoother is the product of
  tridiagonal solves along all axes in turn

    M^-1 = (H_2 + t_1)^-1 (t_1 + t_2) (H_1 + t_2)^-1,   t_k diagonal,

  a sweep of alternating directions (Peaceman and Rachford, J. SIAM 3, 28 (1955)): on a mode with eigenvalues
  h_1, h_2 of the parts it leaves (h_1 - t_1)(h_2 - t_2) / ((h_1 + t_2)(h_2 + t_1)). The geometric mean of the
  ends of the range that is to be damped is best for t: the upper half of the spectrum where a coarser grid
  follows, all of it on the coarsest. In three dimensions it is the like product of three, times 3/4 of the
  sum of products of pairs of its diagonals.

  A coarser grid has cells twice as wide along axes along which rates are not much smaller than along others.
  Its rates are made of those of the finer grid, so that it is a rate matrix, too, whatever the system is.
  Residuals are summed, corrections interpolated. There are as many grids as the shift needs: where the rates
  have fallen to it the smoother alone is a good solver. Lines end where a rank's cells do.
*/
#include "multigrid.h"

#include "level.h"

#include <math.h>
#include <string.h>

#define LEVELS_MAX 24
#define WEAK       0.3 /* of the fastest axis's rates: an axis that is slower keeps its cells */
#define FEWEST     4   /* cells along an axis that are not made fewer */
/* sweeps on the coarsest grid; on others there is one before and one after what the coarser ones do */
#define LOWEST 2
#define EASY   2.0 /* times the shift: rates that the smoother alone copes with */

struct fare_multigrid {
  const fare_operator *op;
  int                  levels, used; /* those that there are, and those that the shift needs */
  fare_level           level[LEVELS_MAX];
  double               shift;
  float               *scratch;
};

PetscErrorCode fare_multigrid_destroy(fare_multigrid **multigrid)
{
  fare_multigrid *mg = *multigrid;

  PetscFunctionBegin;
  if (!mg) PetscFunctionReturn(0);
  for (int i = 0; i < mg->levels; i++) PetscCall(fare_level_destroy(&mg->level[i]));
  PetscCall(PetscFree(mg->scratch));
  PetscCall(PetscFree(*multigrid));
  PetscFunctionReturn(0);
}

static double fastest(const fare_level *l)
{
  return PetscMax(l->rate[0], PetscMax(l->rate[1], l->rate[2]));
}

/*
  One grid more, where some axis can be coarsened on all ranks. Which ones is decided once, by the rates at
  the start.
*/
static PetscErrorCode add_level(fare_multigrid *mg, PetscBool *added)
{
  fare_level *fine = &mg->level[mg->levels - 1], *next = fine + 1;
  PetscInt    odd[FARE_DIM_MAX]   = {0};
  PetscBool   twice[FARE_DIM_MAX] = {PETSC_FALSE};
  fare_patch *patch;

  PetscFunctionBegin;
  *added = PETSC_FALSE;
  if (mg->levels == LEVELS_MAX) PetscFunctionReturn(0);
  for (int axis = 0; axis < fine->patch->dim; axis++) odd[axis] = fine->patch->count[axis] % 2;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, odd, FARE_DIM_MAX, MPIU_INT, MPI_MAX, fine->patch->comm));
  for (int axis = 0; axis < fine->patch->dim; axis++) {
    if (odd[axis] || fine->cells[axis] <= FEWEST || fine->rate[axis] < WEAK * fastest(fine)) continue;
    twice[axis] = *added = PETSC_TRUE;
  }
  if (!*added) PetscFunctionReturn(0);
  PetscCall(fare_patch_coarsen(fine->patch, twice, &patch));
  PetscCall(fare_level_create(patch, next));
  mg->levels++;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    next->cells[axis] = fine->cells[axis] / (twice[axis] ? 2 : 1);
  fare_level_coarsen_rates(fine, next);
  PetscCall(fare_level_typical_rates(next));
  PetscFunctionReturn(0);
}

static void import_rates(fare_multigrid *mg)
{
  const fare_level *finest = &mg->level[0];

  for (int axis = 0; axis < finest->patch->dim; axis++) {
    fare_level_import(finest->patch->box, mg->op->up[axis], finest->up[axis]);
    fare_level_import(finest->patch->box, mg->op->down[axis], finest->down[axis]);
  }
}

PetscErrorCode fare_multigrid_create(const fare_operator *op, fare_multigrid **multigrid)
{
  fare_multigrid *mg;
  fare_patch     *patch;
  PetscBool       more = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(PetscNew(&mg));
  *multigrid = mg;
  mg->op     = op;
  PetscCall(fare_patch_create(op->grid, MPI_FLOAT, &patch));
  PetscCall(fare_level_create(patch, &mg->level[0]));
  mg->levels = 1;
  memcpy(mg->level[0].cells, op->grid->cells, sizeof op->grid->cells);
  import_rates(mg);
  PetscCall(fare_level_typical_rates(&mg->level[0]));
  while (more) PetscCall(add_level(mg, &more));
  PetscCall(PetscMalloc1(
    (FARE_LEVEL_SCRATCH + (patch->dim == 2 ? 1 : patch->count[1])) * patch->count[0], &mg->scratch));
  PetscFunctionReturn(0);
}

void fare_multigrid_factor(fare_multigrid *mg, double shift)
{
  const int dim = mg->level[0].patch->dim;

  mg->shift = shift;
  for (mg->used = 1; mg->used < mg->levels && fastest(&mg->level[mg->used - 1]) > EASY * shift;) mg->used++;
  import_rates(mg);
  for (int i = 0; i < mg->used; i++) {
    fare_level *l = &mg->level[i];
    double      least[FARE_DIM_MAX];

    if (i) fare_level_coarsen_rates(l - 1, l);
    for (int axis = 0; axis < dim; axis++)
      least[axis] = i < mg->used - 1 ? (dim == 2 ? 0.5 : 0.25) : 2.5 / PetscSqr((double)l->cells[axis]);
    fare_level_factor(l, shift, least, mg->scratch);
  }
}

/* x += M^-1 (b - A x) */
static PetscErrorCode smooth(fare_multigrid *mg, fare_level *l)
{
  PetscFunctionBegin;
  PetscCall(fare_patch_exchange(l->patch, l->x));
  fare_level_forth(l, mg->shift, l->x, mg->scratch, l->z);
  fare_level_back_add(l, l->z, mg->scratch, l->x);
  PetscFunctionReturn(0);
}

/* x from zero by one cycle */
static PetscErrorCode cycle(fare_multigrid *mg, int at)
{
  fare_level *l = &mg->level[at], *next = l + 1;

  PetscFunctionBegin;
  fare_level_forth(l, mg->shift, NULL, mg->scratch, l->x);
  if (at == mg->used - 1) {
    fare_level_back(l, l->x);
    for (int sweep = 1; sweep < LOWEST; sweep++) PetscCall(smooth(mg, l));
    PetscFunctionReturn(0);
  }
  fare_patch_forget(l->patch);
  fare_level_back_restrict(l, next, mg->shift, mg->scratch);
  PetscCall(fare_patch_exchange(l->patch, l->x));
  fare_level_add_beyond(l, next);
  PetscCall(cycle(mg, at + 1));
  PetscCall(fare_patch_exchange(next->patch, next->x));
  fare_level_prolong(next, l, mg->scratch);
  PetscCall(smooth(mg, l));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_multigrid_cycle(fare_multigrid *mg, const double *r, double *z)
{
  const fare_level *finest = &mg->level[0];

  PetscFunctionBegin;
  fare_level_import(finest->patch->owned, r, finest->b);
  PetscCall(cycle(mg, 0));
  fare_level_export(finest->patch->owned, finest->x, z);
  PetscFunctionReturn(0);
}
