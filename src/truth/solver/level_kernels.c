/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "level.h"

#include <math.h>
#include <string.h>

/*
  What is too large or too small for sums and products of single precision is none of a preconditioner's
  business.
*/
#define LARGEST  1e18
#define SMALLEST 1e-30

void fare_level_import(PetscInt n, const double *restrict from, float *restrict to)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++)
    to[i] = (float)(fabs(from[i]) < SMALLEST ? 0 : fmax(-LARGEST, fmin(LARGEST, from[i])));
}

void fare_level_export(PetscInt n, const float *restrict from, double *restrict to)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) to[i] = (double)from[i];
}

/* Where a neighbour of a parent stands, or itself at an end. */
static const float *neighbour_row(const fare_level *level, int axis, PetscInt j, PetscInt k, int side)
{
  const fare_patch *patch = level->patch;
  const PetscInt    at = axis == 1 ? j : k, to = at + 2 * side - 1, n = patch->count[0];

  if (to < 0 || to >= patch->count[axis]) {
    if (patch->neighbour[axis][side] == MPI_PROC_NULL) return level->x + fare_patch_row(patch, j, k);
    return (const float *)patch->ghost[axis][side] + (axis == 1 ? k : j) * n;
  }
  return level->x + (axis == 1 ? fare_patch_row(patch, to, k) : fare_patch_row(patch, j, to));
}

/*
  A child lies a quarter of a parent's width from the parent's centre: along each axis, a quarter of the way
  to the parent's neighbour on that side.
*/
void fare_level_prolong(const fare_level *from, const fare_level *to, float *restrict row)
{
  const fare_patch *coarse = from->patch, *fine = to->patch;
  const PetscInt    n                = coarse->count[0],
                 twice[FARE_DIM_MAX] = {
                   fine->count[0] / n, fine->count[1] / coarse->count[1], fine->count[2] / coarse->count[2]};
  const float share = 1.0f / (float)(twice[0] * twice[1] * twice[2]), quarter = 0.25f * share;

  for (PetscInt k = 0; k < fine->count[2]; k++) {
    for (PetscInt j = 0; j < fine->count[1]; j++) {
      const PetscInt J = j / twice[1], K = k / twice[2], line = K * coarse->count[1] + J;
      const float   *parent = from->x + fare_patch_row(coarse, J, K);
      float *restrict child = to->x + fare_patch_row(fine, j, k);

      for (PetscInt i = 0; i < n; i++) row[i] = share * parent[i];
      for (int axis = 1; axis < coarse->dim; axis++) {
        const float *beside = neighbour_row(from, axis, J, K, (int)((axis == 1 ? j : k) % 2));

        if (twice[axis] == 2) {
          for (PetscInt i = 0; i < n; i++) row[i] += quarter * (beside[i] - parent[i]);
        }
      }
      if (twice[0] == 1) {
        for (PetscInt i = 0; i < n; i++) child[i] += row[i];
        continue;
      }
      const float west =
        coarse->neighbour[0][0] == MPI_PROC_NULL ? parent[0] : ((const float *)coarse->ghost[0][0])[line];
      const float east =
        coarse->neighbour[0][1] == MPI_PROC_NULL ? parent[n - 1] : ((const float *)coarse->ghost[0][1])[line];

      child[0] += row[0] + quarter * (west - parent[0]);
      for (PetscInt i = 1; i < n; i++) {
        child[2 * i - 1] += row[i - 1] + quarter * (parent[i] - parent[i - 1]);
        child[2 * i] += row[i] + quarter * (parent[i - 1] - parent[i]);
      }
      child[2 * n - 1] += row[n - 1] + quarter * (east - parent[n - 1]);
    }
  }
}

/*
  Rates D/h^2 B(-w) and D/h^2 B(w) over twice the distance are D/(2h)^2 B(-2w) and D/(2h)^2 B(2w), which is
  up^2/(2 (up + down)) and the like: a quarter of both where diffusion rules, half of the larger where drift
  does.
*/
static inline void add_faces(PetscInt n, PetscInt step, PetscBool wide, float share, const float *restrict u,
  const float *restrict d, float *restrict up, float *restrict down)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) {
    const float a = u[step * i], b = d[step * i], half = wide ? 0.5f * share / (a + b + (float)SMALLEST) : 0;

    up[i] += wide ? a * (a * half) : share * a;
    down[i] += wide ? b * (b * half) : share * b;
  }
}

/*
  Faces above n coarse cells get what every `step`-th of a row of fine faces gives, over twice the distance
  where that is `wide`.
*/
static void add_share(PetscInt n, PetscInt step, PetscBool wide, float share, const float *u, const float *d,
  float *up, float *down)
{
  if (step == 2 && wide)
    add_faces(n, 2, PETSC_TRUE, share, u, d, up, down);
  else if (step == 2)
    add_faces(n, 2, PETSC_FALSE, share, u, d, up, down);
  else
    add_faces(n, 1, wide, share, u, d, up, down);
}

void fare_level_coarsen_rates(const fare_level *from, const fare_level *to)
{
  const fare_patch *fine = from->patch, *coarse = to->patch;
  PetscInt          twice[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) twice[axis] = fine->count[axis] / coarse->count[axis];
  for (int axis = 0; axis < coarse->dim; axis++) {
    const PetscInt across[FARE_DIM_MAX] = {axis == 0 ? 1 : twice[0], axis == 1 ? 1 : twice[1],
      axis == 2 ? 1 : twice[2]},
                   wide                = twice[axis];
    const float    share               = 1.0f / (float)(across[0] * across[1] * across[2]);
    const PetscInt first[FARE_DIM_MAX] = {axis == 0 ? -1 : 0, axis == 1 ? -1 : 0, axis == 2 ? -1 : 0};

    for (PetscInt k = first[2]; k < coarse->count[2]; k++) {
      for (PetscInt j = first[1]; j < coarse->count[1]; j++) {
        const PetscInt n = coarse->count[0] - first[0], row = fare_patch_box_row(coarse, j, k) + first[0];
        float         *up = to->up[axis] + row, *down = to->down[axis] + row;

        memset(up, 0, (size_t)n * sizeof *up);
        memset(down, 0, (size_t)n * sizeof *down);
        for (PetscInt c = 0; c < across[0] * across[1] * across[2]; c++) {
          /* the face above the parent is that above its last child */
          const PetscInt in = c % across[0],
                         fj = axis == 1 ? wide * j + wide - 1 : twice[1] * j + c / across[0] % across[1],
                         fk = axis == 2 ? wide * k + wide - 1 : twice[2] * k + c / across[0] / across[1];
          const PetscInt at = fare_patch_box_row(fine, fj, fk) + (axis ? in : -1);

          add_share(n, twice[0], wide == 2 ? PETSC_TRUE : PETSC_FALSE, share, from->up[axis] + at,
            from->down[axis] + at, up, down);
        }
      }
    }
  }
}

/* What comes in from beyond one side, added to the parents of the cells there. */
static void add_side(const fare_level *level, const fare_level *coarse, int axis, int side)
{
  const fare_patch *patch = level->patch;
  const PetscInt    last  = side ? patch->count[axis] - 1 : 0;
  const float      *ghost = patch->ghost[axis][side],
              *rate       = (side ? level->down : level->up)[axis] - (side ? 0 : patch->stride[axis]);
  PetscInt twice[FARE_DIM_MAX], from[FARE_DIM_MAX], to[FARE_DIM_MAX], face = 0;

  for (int a = 0; a < FARE_DIM_MAX; a++) {
    twice[a] = patch->count[a] / coarse->patch->count[a];
    from[a]  = a == axis ? last : 0;
    to[a]    = a == axis ? last + 1 : patch->count[a];
  }
  for (PetscInt k = from[2]; k < to[2]; k++) {
    for (PetscInt j = from[1]; j < to[1]; j++) {
      const float *in = rate + fare_patch_box_row(patch, j, k);
      float       *b  = coarse->b + fare_patch_row(coarse->patch, j / twice[1], k / twice[2]);

      for (PetscInt i = from[0]; i < to[0]; i++) b[i / twice[0]] += in[i] * ghost[face++];
    }
  }
}

void fare_level_add_beyond(const fare_level *level, const fare_level *coarse)
{
  for (int axis = 0; axis < level->patch->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      if (level->patch->neighbour[axis][side] != MPI_PROC_NULL) add_side(level, coarse, axis, side);
    }
  }
}
