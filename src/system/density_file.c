/* SPDX-License-Identifier: BSD-2-Clause */
#include "density_file.h"

#include <fare/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct fare_density_file {
  int      dim;
  uint64_t cells[FARE_DIM_MAX]; /* x, y, z */
  double   lower[FARE_DIM_MAX], spacing[FARE_DIM_MAX];
  double  *density; /* x fastest */
};

static PetscErrorCode read(fare_store *store, int dim, fare_density_file *m)
{
  const uint64_t start[4] = {0, 0, 0, 0};
  uint64_t       extent[4], total = 1;
  double         spacing[FARE_DIM_MAX], lower[FARE_DIM_MAX];
  char           iteration[64], path[160];
  PetscBool      has;

  PetscFunctionBegin;
  PetscCall(fare_store_child(store, "/data", 0, sizeof iteration, iteration, &has));
  if (!has) FARE_FAIL(FARE_ERR_FAILED, "contains no snapshot");
  snprintf(path, sizeof path, "/data/%s/meshes/density", iteration);
  PetscCall(fare_store_extents(store, path, &m->dim, extent));
  if (m->dim != dim)
    FARE_FAIL(
      FARE_ERR_FAILED, "its density has %d dimension%s, the system %d", m->dim, m->dim > 1 ? "s" : "", dim);
  PetscCall(fare_store_get_reals(store, path, "gridSpacing", (size_t)dim, spacing));
  PetscCall(fare_store_get_reals(store, path, "gridGlobalOffset", (size_t)dim, lower));
  for (int i = 0; i < dim; i++) {
    m->cells[i]   = extent[dim - 1 - i];
    m->spacing[i] = spacing[dim - 1 - i];
    m->lower[i]   = lower[dim - 1 - i];
    total *= extent[i];
  }
  m->density = malloc(total * sizeof *m->density);
  if (!m->density) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, dim, start, extent, m->density));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_density_file_read(
  const fare_node *node, const char *file, int dim, fare_density_file **saved)
{
  fare_store        *store;
  fare_density_file *m;
  PetscErrorCode     code;

  PetscFunctionBegin;
  *saved = NULL;
  m      = calloc(1, sizeof *m);
  if (!m) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  code = fare_store_open(PETSC_COMM_SELF, file, &store);
  if (!code) {
    code = read(store, dim, m);
    PetscCall(fare_store_close(&store));
  }
  if (code) {
    char why[512];

    PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
    fare_density_file_destroy(&m);
    FARE_REFUSE(node, "not usable as initial snapshot: %s", why);
  }
  *saved = m;
  PetscFunctionReturn(0);
}

void fare_density_file_destroy(fare_density_file **saved)
{
  if (*saved) free((*saved)->density);
  free(*saved);
  *saved = NULL;
}

void fare_density_file_cells(
  const fare_density_file *saved, int64_t cells[], double lower[], double spacing[])
{
  for (int axis = 0; axis < saved->dim; axis++) {
    cells[axis]   = (int64_t)saved->cells[axis];
    lower[axis]   = saved->lower[axis];
    spacing[axis] = saved->spacing[axis];
  }
}

void fare_density_file_log_density(
  const fare_density_file *saved, size_t n, const double *const x[], double log_density[])
{
  for (size_t i = 0; i < n; i++) {
    uint64_t at     = 0;
    int      inside = 1;

    for (int axis = saved->dim - 1; axis >= 0; axis--) {
      const double cell = floor((x[axis][i] - saved->lower[axis]) / saved->spacing[axis]);

      inside = inside && cell >= 0 && cell < (double)saved->cells[axis];
      at     = at * saved->cells[axis] + (inside ? (uint64_t)cell : 0);
    }
    log_density[i] = inside && saved->density[at] > 0 ? log(saved->density[at]) : -HUGE_VAL;
  }
}
