/* SPDX-License-Identifier: BSD-2-Clause */
#include "quantile.h"

#include <string.h>

/*
  sums[axis]: cumulative masses along an axis for every cell of the axes before it, cells[axis] to each,
  summed over the axes behind.
*/
typedef struct {
  const fare_grid *grid;
  double          *sums[FARE_DIM_MAX];
} table;

static size_t cells_before(const fare_grid *grid, int axis)
{
  size_t n = 1;

  for (int k = 0; k < axis; k++) n *= (size_t)grid->cells[k];
  return n;
}

static PetscErrorCode table_create(const fare_grid *grid, const double masses[], table *t)
{
  PetscFunctionBegin;
  t->grid = grid;
  for (int axis = 0; axis < grid->dim; axis++) {
    const size_t before = cells_before(grid, axis), along = (size_t)grid->cells[axis],
                 behind = cells_before(grid, grid->dim) / before / along;

    PetscCall(PetscCalloc1(before * along, &t->sums[axis]));
    for (size_t k = 0; k < behind; k++) {
      for (size_t j = 0; j < along; j++) {
        for (size_t i = 0; i < before; i++)
          t->sums[axis][i * along + j] += masses[(k * along + j) * before + i];
      }
    }
    for (size_t i = 0; i < before; i++) {
      for (size_t j = 1; j < along; j++) t->sums[axis][i * along + j] += t->sums[axis][i * along + j - 1];
    }
  }
  PetscFunctionReturn(0);
}

/*
  The first of n ascending sums above `target`, which lies below the last, and how far into it the target is.
*/
static size_t find(size_t n, const double sum[], double target, double *part)
{
  size_t below = 0, above = n - 1; /* sum[above] > target, and so it is for none before `below` */
  double start;

  while (below < above) {
    const size_t middle = (below + above) / 2;

    if (sum[middle] > target)
      above = middle;
    else
      below = middle + 1;
  }
  start = above ? sum[above - 1] : 0;
  *part = sum[above] > start ? (target - start) / (sum[above] - start) : 0.5;
  return above;
}

static void transform(const table *t, const double u[], double x[])
{
  size_t cell = 0, before = 1;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    const size_t  along = (size_t)t->grid->cells[axis];
    const double *sum   = t->sums[axis] + cell * along;
    double        part;
    const size_t  at = find(along, sum, u[axis] * sum[along - 1], &part);

    x[axis] = t->grid->lower[axis] + t->grid->spacing[axis] * ((double)at + part);
    cell += at * before;
    before *= along;
  }
}

PetscErrorCode fare_quantile_draw(
  const fare_grid *grid, const double masses[], fare_stream stream, uint64_t step, fare_ensemble *ensemble)
{
  table  t;
  double u[FARE_DIM_MAX][FARE_BLOCK];

  PetscFunctionBegin;
  PetscCall(table_create(grid, masses, &t));
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    for (int axis = 0; axis < grid->dim; axis++)
      fare_random_uniforms(stream, (uint64_t)(ensemble->first_block + b), step, (uint32_t)axis, u[axis]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      double here[FARE_DIM_MAX] = {0}, x[FARE_DIM_MAX] = {0};

      for (int axis = 0; axis < grid->dim; axis++) here[axis] = u[axis][i];
      transform(&t, here, x);
      for (int axis = 0; axis < grid->dim; axis++) ensemble->x[axis][b * FARE_BLOCK + i] = x[axis];
    }
  }
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscFree(t.sums[axis]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_quantile_masses(
  const fare_grid *from, const double masses[], const fare_grid *grid, Vec *to)
{
  PetscScalar *mass;

  PetscFunctionBegin;
  if (memcmp(from->cells, grid->cells, sizeof from->cells))
    FARE_FAIL(FARE_ERR_FAILED, "the exact density is known on cells other than those requested");
  PetscCall(DMCreateGlobalVector(grid->dm, to));
  PetscCall(VecGetArray(*to, &mass));
  for (PetscInt k = 0, n = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++, n++)
        mass[n] = masses[((grid->start[2] + k) * grid->cells[1] + grid->start[1] + j) * grid->cells[0] +
          grid->start[0] + i];
    }
  }
  PetscCall(VecRestoreArray(*to, &mass));
  PetscFunctionReturn(0);
}
