/* SPDX-License-Identifier: BSD-2-Clause */
#include "level.h"

#include <math.h>
#include <string.h>

PetscErrorCode fare_level_create(fare_patch *patch, fare_level *l)
{
  const PetscInt n     = patch->owned,
                 lanes = (n / patch->count[0] + FARE_LANES - 1) / FARE_LANES * FARE_LANES * patch->count[0];

  PetscFunctionBegin;
  memset(l, 0, sizeof *l);
  l->patch = patch;
  for (int axis = 0; axis < patch->dim; axis++) {
    PetscCall(PetscCalloc2(patch->box, &l->up[axis], patch->box, &l->down[axis]));
    if (axis) PetscCall(PetscCalloc1(n, &l->inverse[axis]));
  }
  PetscCall(PetscMalloc3(lanes, &l->from, lanes, &l->lead, lanes, &l->back));
  PetscCall(PetscMalloc3(n, &l->b, n, &l->x, n, &l->z));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_level_destroy(fare_level *l)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    PetscCall(PetscFree2(l->up[axis], l->down[axis]));
    PetscCall(PetscFree(l->inverse[axis]));
  }
  PetscCall(PetscFree3(l->from, l->lead, l->back));
  PetscCall(PetscFree3(l->b, l->x, l->z));
  PetscCall(fare_patch_destroy(&l->patch));
  PetscFunctionReturn(0);
}

/* A mean of square roots, so that steep places do not decide. */
PetscErrorCode fare_level_typical_rates(fare_level *l)
{
  const fare_patch *patch                  = l->patch;
  double            sums[FARE_DIM_MAX + 1] = {0};

  PetscFunctionBegin;
  for (int axis = 0; axis < patch->dim; axis++) {
    for (PetscInt k = 0; k < patch->count[2]; k++) {
      for (PetscInt j = 0; j < patch->count[1]; j++) {
        const PetscInt box = fare_patch_box_row(patch, j, k);

        for (PetscInt i = 0; i < patch->count[0]; i++)
          sums[axis] +=
            sqrt((double)l->up[axis][box + i] + (double)l->down[axis][box + i - patch->stride[axis]]);
      }
    }
  }
  sums[FARE_DIM_MAX] = (double)patch->owned;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_SUM, patch->comm));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) l->rate[axis] = PetscSqr(sums[axis] / sums[FARE_DIM_MAX]);
  PetscFunctionReturn(0);
}
