/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "patch.h"

/*
  Adds what flows in along one axis to n cells. Both cells beside a face evaluate the same expression, so that
  what one loses the other gains. What a mass beyond an end would be does not matter: rates are zero there.
*/
static inline void add_flow(PetscInt n, double sign, const double *restrict up_below,
  const double *restrict down_below, const double *restrict up, const double *restrict down,
  const double *restrict below, const double *restrict here, const double *restrict above,
  double *restrict to)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++)
    to[i] +=
      sign * ((up_below[i] * below[i] - down_below[i] * here[i]) - (up[i] * here[i] - down[i] * above[i]));
}

static void add_flows(const fare_patch *patch, double *const rates_up[], double *const rates_down[],
  PetscInt j, PetscInt k, double sign, const double *p, double *to)
{
  const PetscInt n = patch->count[0], row = fare_patch_row(patch, j, k),
                 box = fare_patch_box_row(patch, j, k), line = k * patch->count[1] + j;
  const double *up = rates_up[0] + box, *down = rates_down[0] + box, *here = p + row;
  const double *west = (const double *)patch->ghost[0][0] + line,
               *east = (const double *)patch->ghost[0][1] + line;

  if (n == 1) {
    add_flow(1, sign, up - 1, down - 1, up, down, west, here, east, to);
  } else {
    add_flow(1, sign, up - 1, down - 1, up, down, west, here, here + 1, to);
    add_flow(n - 2, sign, up, down, up + 1, down + 1, here, here + 1, here + 2, to + 1);
    add_flow(1, sign, up + n - 2, down + n - 2, up + n - 1, down + n - 1, here + n - 2, here + n - 1, east,
      to + n - 1);
  }
  for (int axis = 1; axis < patch->dim; axis++) {
    const PetscInt at = axis == 1 ? j : k, gap = axis == 1 ? n : n * patch->count[1],
                   face = (axis == 1 ? k : j) * n, s = patch->stride[axis];
    const double *below = at ? here - gap : (const double *)patch->ghost[axis][0] + face,
                 *above =
                   at < patch->count[axis] - 1 ? here + gap : (const double *)patch->ghost[axis][1] + face;

    up   = rates_up[axis] + box;
    down = rates_down[axis] + box;
    add_flow(n, sign, up - s, down - s, up, down, below, here, above, to);
  }
}

void fare_patch_residual(const fare_patch *patch, double *const up[], double *const down[], double shift,
  const double *b, const double *p, double *y)
{
  for (PetscInt k = 0; k < patch->count[2]; k++) {
    for (PetscInt j = 0; j < patch->count[1]; j++) {
      const PetscInt row = fare_patch_row(patch, j, k);

#pragma omp simd
      for (PetscInt i = row; i < row + patch->count[0]; i++) y[i] = b[i] - shift * p[i];
      add_flows(patch, up, down, j, k, 1, p, y + row);
    }
  }
}

void fare_patch_apply(const fare_patch *patch, double *const up[], double *const down[], double sign,
  double shift, const double *p, double *y)
{
  for (PetscInt k = 0; k < patch->count[2]; k++) {
    for (PetscInt j = 0; j < patch->count[1]; j++) {
      const PetscInt row  = fare_patch_row(patch, j, k);
      double *restrict to = y + row;

#pragma omp simd
      for (PetscInt i = 0; i < patch->count[0]; i++) to[i] = -sign * shift * p[row + i];
      add_flows(patch, up, down, j, k, sign, p, to);
    }
  }
}
