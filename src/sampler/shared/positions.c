/* SPDX-License-Identifier: BSD-2-Clause */
#include "positions.h"

#include <fare/sampler.h>

/* Where this rank's particles stand among all. */
static void range_of(const fare_ensemble *e, uint64_t *start, uint64_t *count)
{
  *start = (uint64_t)PetscMin(e->first_block * FARE_BLOCK, e->count);
  *count = (uint64_t)e->local;
}

static PetscErrorCode save(const void *object, fare_store *to, const char *path)
{
  const fare_ensemble *e      = object;
  const uint64_t       global = (uint64_t)e->count;
  uint64_t             start, count;
  char                 axis_path[512];

  PetscFunctionBegin;
  range_of(e, &start, &count);
  PetscCall(fare_store_group(to, path));
  PetscCall(fare_store_put_int(to, path, "dim", e->dim));
  for (int axis = 0; axis < e->dim; axis++) {
    snprintf(axis_path, sizeof axis_path, "%s/%d", path, axis);
    PetscCall(fare_store_write(to, axis_path, FARE_STORE_FLOAT64, 1, &global, &start, &count, e->x[axis]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode load(void **object, void *context, fare_store *from, const char *path)
{
  fare_ensemble **ensemble = (fare_ensemble **)object;
  uint64_t        global[4], start, count;
  int64_t         dim;
  char            axis_path[512];
  int             rank;

  PetscFunctionBegin;
  PetscCall(fare_store_get_int(from, path, "dim", &dim));
  snprintf(axis_path, sizeof axis_path, "%s/0", path);
  PetscCall(fare_store_extents(from, axis_path, &rank, global));
  PetscCall(fare_store_check_whole(from, axis_path));
  if (dim < 1 || dim > FARE_AXES_MAX || rank != 1)
    FARE_FAIL(FARE_ERR_FAILED, "%s does not hold positions", path);
  PetscCall(fare_ensemble_destroy(ensemble));
  PetscCall(fare_ensemble_create(((fare_sampler *)context)->comm, (int)dim, (int64_t)global[0], ensemble));
  range_of(*ensemble, &start, &count);
  for (int axis = 0; axis < dim; axis++) {
    snprintf(axis_path, sizeof axis_path, "%s/%d", path, axis);
    PetscCall(fare_store_read(from, axis_path, FARE_STORE_FLOAT64, 1, &start, &count, (*ensemble)->x[axis]));
  }
  PetscFunctionReturn(0);
}

const fare_kept_type fare_positions_kept = {save, load};
