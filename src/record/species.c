/* SPDX-License-Identifier: BSD-2-Clause */
/* Particles read back from a snapshot, for a run that goes on and measures what is there already. */
#include "record.h"

#include <stdio.h>

void fare_record_component(int dim, int axis, char name[FARE_COMPONENT_SIZE])
{
  if (dim <= FARE_DIM_MAX)
    snprintf(name, FARE_COMPONENT_SIZE, "%c", "xyz"[axis]);
  else
    snprintf(name, FARE_COMPONENT_SIZE, "x%d", axis + 1);
}

static PetscErrorCode read_column(
  fare_store *store, const char *path, const fare_ensemble *ensemble, double to[])
{
  const uint64_t start = (uint64_t)PetscMin(ensemble->first_block * FARE_BLOCK, ensemble->count),
                 count = (uint64_t)ensemble->local;
  uint64_t extent[4]   = {0};
  int      rank;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(store, path, &rank, extent));
  if (rank != 1 || extent[0] != (uint64_t)ensemble->count)
    FARE_FAIL(FARE_ERR_FAILED, "%s holds %llu of %lld particles; thinned snapshots cannot be measured again",
      path, (unsigned long long)extent[0], (long long)ensemble->count);
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, 1, &start, &count, to));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_species(
  fare_store *store, int64_t index, const char *name, fare_ensemble *ensemble)
{
  char     path[512], component[FARE_COMPONENT_SIZE];
  uint64_t extent[4];
  int      rank;

  PetscFunctionBegin;
  for (int axis = 0; axis < ensemble->dim; axis++) {
    fare_record_component(ensemble->dim, axis, component);
    snprintf(path, sizeof path, "/data/%lld/particles/%s/position/%s", (long long)index, name, component);
    PetscCall(read_column(store, path, ensemble, ensemble->x[axis]));
  }
  /* a constant component is a group; only particles that differ in weight have a dataset */
  snprintf(path, sizeof path, "/data/%lld/particles/%s/weighting", (long long)index, name);
  if (fare_store_extents(store, path, &rank, extent)) PetscFunctionReturn(0);
  PetscCall(fare_ensemble_weigh(ensemble));
  PetscCall(read_column(store, path, ensemble, ensemble->weight));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_record_read_species(
  fare_record *record, int64_t index, const char *name, fare_ensemble *ensemble)
{
  char           path[PETSC_MAX_PATH_LEN + 64];
  fare_store    *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/snapshots/snapshot_%06lld.h5", record->directory, (long long)index);
  PetscCall(fare_store_open(record->comm, path, &store));
  code = read_species(store, index, name, ensemble);
  PetscCall(fare_store_close(&store));
  PetscFunctionReturn(code);
}
