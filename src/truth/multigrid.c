/*
  A preconditioner for A = shift - L in two and three dimensions: one cycle of geometric multigrid that smooths by lines.

  With A = sum of H_k, H_k = shift/d + A_k and A_k the part of -L along axis k, the smoother is the product of tridiagonal solves along all axes in turn

    M^-1 = (H_2 + t_1)^-1 (t_1 + t_2) (H_1 + t_2)^-1,   t_k diagonal,

  a sweep of alternating directions (Peaceman and Rachford, J. SIAM 3, 28 (1955)): on a mode with eigenvalues h_1, h_2 of the parts it leaves (h_1 - t_1)(h_2 - t_2) / ((h_1 + t_2)(h_2 + t_1)).
  The geometric mean of the ends of the range that is to be damped is best for t: the upper half of the spectrum where a coarser grid follows, all of it on the coarsest. In three dimensions
  it is the like product of three, times 3/4 of the sum of products of pairs of its diagonals.

  A coarser grid has cells twice as wide along axes along which rates are not much smaller than along others. Its rates are made of those of the finer grid, so that
  it is a rate matrix, too, whatever the system is. Residuals are summed, corrections interpolated. There are as many grids as the shift needs: where the rates have fallen to it
  the smoother alone is a good solver. Lines end where a rank's cells do.
*/
#include "multigrid.h"

#include <math.h>
#include <string.h>

#define LEVELS_MAX 24
#define WEAK       0.3 /* of the fastest axis's rates: an axis that is slower keeps its cells */
#define FEWEST     4   /* cells along an axis that are not made fewer */
#define LOWEST     2   /* sweeps on the coarsest grid; on others there is one before and one after what the coarser ones do */
#define EASY       2.0 /* times the shift: rates that the smoother alone copes with */

typedef struct {
  fare_patch       *patch; /* of the finest: borrowed */
  PetscInt          cells[FARE_DIM_MAX]; /* of all ranks */
  double            rate[FARE_DIM_MAX];  /* at which masses leave a cell along an axis, typically */
  fare_line_factors lines[FARE_DIM_MAX];
  double           *b, *x, *r, *z;
} level;

struct fare_multigrid {
  int              levels, used; /* those that there are, and those that the shift needs */
  level            level[LEVELS_MAX];
  double           shift, *scratch;
};

static PetscErrorCode create_level(fare_patch *patch, PetscBool finest, level *l)
{
  PetscFunctionBeginUser;
  memset(l, 0, sizeof *l);
  l->patch = patch;
  for (int axis = 0; axis < patch->dim; axis++) {
    const PetscInt n = fare_lines_size(patch, axis);

    PetscCall(PetscCalloc3(n, &l->lines[axis].from, n, &l->lines[axis].lead, n, &l->lines[axis].back));
  }
  PetscCall(PetscMalloc2(patch->owned, &l->r, patch->owned, &l->z));
  if (!finest) PetscCall(PetscMalloc2(patch->owned, &l->b, patch->owned, &l->x));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_multigrid_destroy(fare_multigrid **multigrid)
{
  fare_multigrid *mg = *multigrid;

  PetscFunctionBeginUser;
  if (!mg) PetscFunctionReturn(0);
  for (int i = 0; i < mg->levels; i++) {
    level *l = &mg->level[i];

    for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree3(l->lines[axis].from, l->lines[axis].lead, l->lines[axis].back));
    PetscCall(PetscFree2(l->r, l->z));
    PetscCall(PetscFree2(l->b, l->x));
    if (i) PetscCall(fare_patch_destroy(&l->patch));
  }
  PetscCall(PetscFree(mg->scratch));
  PetscCall(PetscFree(*multigrid));
  PetscFunctionReturn(0);
}

/* What leaves a cell along each axis, typically, over all ranks: a mean of square roots, so that steep places do not decide. */
static PetscErrorCode find_rates(level *l)
{
  const fare_patch *patch = l->patch;
  double            sums[FARE_DIM_MAX + 1] = {0};

  PetscFunctionBeginUser;
  for (int axis = 0; axis < patch->dim; axis++) {
    for (PetscInt k = 0; k < patch->count[2]; k++) {
      for (PetscInt j = 0; j < patch->count[1]; j++) {
        const PetscInt box = fare_patch_box_row(patch, j, k);

        for (PetscInt i = 0; i < patch->count[0]; i++) sums[axis] += sqrt(patch->up[axis][box + i] + patch->down[axis][box + i - patch->stride[axis]]);
      }
    }
  }
  sums[FARE_DIM_MAX] = (double)patch->owned;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_SUM, patch->comm));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) l->rate[axis] = PetscSqr(sums[axis] / sums[FARE_DIM_MAX]);
  PetscFunctionReturn(0);
}

static double fastest(const level *l)
{
  return PetscMax(l->rate[0], PetscMax(l->rate[1], l->rate[2]));
}

/* One grid more, where some axis can be coarsened on all ranks. Which ones is decided once, by the rates at the start. */
static PetscErrorCode add_level(fare_multigrid *mg, PetscBool *added)
{
  level      *fine = &mg->level[mg->levels - 1], *next = fine + 1;
  PetscInt    odd[FARE_DIM_MAX] = {0};
  PetscBool   twice[FARE_DIM_MAX] = {PETSC_FALSE};
  fare_patch *patch;

  PetscFunctionBeginUser;
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
  PetscCall(create_level(patch, PETSC_FALSE, next));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) next->cells[axis] = fine->cells[axis] / (twice[axis] ? 2 : 1);
  fare_patch_coarsen_rates(fine->patch, patch);
  PetscCall(find_rates(next));
  mg->levels++;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_multigrid_create(const fare_grid *grid, const fare_patch *finest, fare_multigrid **multigrid)
{
  fare_multigrid *mg;
  PetscBool       more = PETSC_TRUE;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&mg));
  *multigrid = mg;
  mg->levels = 1;
  PetscCall(create_level((fare_patch *)finest, PETSC_TRUE, &mg->level[0]));
  memcpy(mg->level[0].cells, grid->cells, sizeof grid->cells);
  PetscCall(find_rates(&mg->level[0]));
  while (more) PetscCall(add_level(mg, &more));
  PetscCall(PetscMalloc1(FARE_LINES_SCRATCH * finest->count[0], &mg->scratch));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_multigrid_factor(fare_multigrid *mg, double shift)
{
  const int dim = mg->level[0].patch->dim;

  PetscFunctionBeginUser;
  mg->shift = shift;
  for (mg->used = 1; mg->used < mg->levels && fastest(&mg->level[mg->used - 1]) > EASY * shift;) mg->used++;
  for (int i = 0; i < mg->used; i++) {
    level *l = &mg->level[i];
    double least[FARE_DIM_MAX];

    if (i) fare_patch_coarsen_rates(mg->level[i - 1].patch, l->patch);
    for (int axis = 0; axis < dim; axis++) least[axis] = i < mg->used - 1 ? (dim == 2 ? 0.5 : 0.25) : 2.5 / PetscSqr((double)l->cells[axis]);
    fare_lines_factor(l->patch, shift, least, mg->scratch, l->lines);
  }
  PetscFunctionReturn(0);
}

static void add(PetscInt n, const double *restrict z, double *restrict x)
{
  for (PetscInt i = 0; i < n; i++) x[i] += z[i];
}

/* x += M^-1 (b - A x) */
static PetscErrorCode smooth(fare_multigrid *mg, level *l, const double *b, double *x)
{
  PetscFunctionBeginUser;
  PetscCall(fare_patch_exchange(l->patch, x));
  fare_patch_residual(l->patch, mg->shift, b, x, l->r);
  fare_lines_solve(l->patch, l->lines, l->r, mg->scratch, l->z);
  add(l->patch->owned, l->z, x);
  PetscFunctionReturn(0);
}

static PetscErrorCode cycle(fare_multigrid *mg, int at, const double *b, double *x)
{
  level *l = &mg->level[at], *next = l + 1;

  PetscFunctionBeginUser;
  fare_lines_solve(l->patch, l->lines, b, mg->scratch, x);
  if (at == mg->used - 1) {
    for (int sweep = 1; sweep < LOWEST; sweep++) PetscCall(smooth(mg, l, b, x));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_patch_exchange(l->patch, x));
  fare_patch_restrict_residual(l->patch, next->patch, mg->shift, b, x, mg->scratch, next->b);
  PetscCall(cycle(mg, at + 1, next->b, next->x));
  PetscCall(fare_patch_exchange(next->patch, next->x));
  fare_patch_add_prolonged(next->patch, l->patch, next->x, mg->scratch, x);
  PetscCall(smooth(mg, l, b, x));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_multigrid_cycle(fare_multigrid *mg, const double *r, double *z)
{
  PetscFunctionBeginUser;
  PetscCall(cycle(mg, 0, r, z));
  PetscFunctionReturn(0);
}
