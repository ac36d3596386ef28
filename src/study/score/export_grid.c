/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The cells of a finished study's truth, and its masses there: for generators whose density is known.
  docs/scoring.md has the format.
*/
#include "score.h"

#include <stdio.h>
#include <string.h>

static const char *const axis_names[FARE_DIM_MAX] = {"x", "y", "z"};

static PetscErrorCode write_axis(const fare_finished *study, int axis, fare_store *to)
{
  const fare_grid *grid  = &study->grid;
  const uint64_t   cells = (uint64_t)grid->cells[axis], edges = cells + 1;
  double          *edge, *centre;
  char             path[64];

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(edges, &edge, cells, &centre));
  for (size_t i = 0; i <= cells; i++) edge[i] = grid->lower[axis] + (double)i * grid->spacing[axis];
  for (size_t i = 0; i < cells; i++) centre[i] = grid->lower[axis] + ((double)i + 0.5) * grid->spacing[axis];
  edge[cells] = grid->upper[axis];
  snprintf(path, sizeof path, "/edges/%s", axis_names[axis]);
  PetscCall(fare_store_write_array(to, path, FARE_STORE_FLOAT64, 1, &edges, edge));
  snprintf(path, sizeof path, "/centres/%s", axis_names[axis]);
  PetscCall(fare_store_write_array(to, path, FARE_STORE_FLOAT64, 1, &cells, centre));
  PetscCall(PetscFree2(edge, centre));
  PetscFunctionReturn(0);
}

static PetscErrorCode label(const fare_finished *study, fare_store *to, const char *path)
{
  PetscFunctionBegin;
  PetscCall(fare_store_label(to, path, 0, "times", study->snapshots, study->time));
  PetscCall(fare_grid_label(&study->grid, 1, to, path));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const fare_finished *study, fare_store *to)
{
  const fare_grid *grid = &study->grid;
  uint64_t         extent[4], start[4], count[4], none[4] = {0}, periodic[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < study->dim; axis++)
    periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC;
  PetscCall(fare_export_describe(study, to, "fare-grid 1.0",
    "masses of the truth in its cells: truth_mass[time, (z, y,) x]; fare score takes cell_mass or "
    "log_density_cells of the same shape"));
  PetscCall(fare_store_put_reals(to, "/", "lower", (size_t)study->dim, grid->lower));
  PetscCall(fare_store_put_reals(to, "/", "upper", (size_t)study->dim, grid->upper));
  PetscCall(fare_store_put_real(to, "/", "cell_volume", fare_grid_volume(grid)));
  PetscCall(fare_store_put_uint64s(to, "/", "periodic", (size_t)study->dim, periodic));
  fare_finished_box(study, 0, extent, start, count);
  for (int axis = 0; axis < study->dim; axis++) PetscCall(write_axis(study, axis, to));
  PetscCall(
    fare_store_write(to, "/truth_mass", FARE_STORE_FLOAT64, study->dim + 1, extent, none, none, NULL));
  PetscCall(
    fare_store_write(to, "/truth_error", FARE_STORE_FLOAT64, study->dim + 1, extent, none, none, NULL));
  PetscCall(label(study, to, "/truth_mass"));
  PetscCall(label(study, to, "/truth_error"));
  PetscFunctionReturn(0);
}

static PetscErrorCode copy_mesh(const fare_finished *study, fare_store *from, size_t snapshot,
  const char *mesh, fare_store *to, const char *path, double buffer[])
{
  const size_t cells = (size_t)(study->grid.count[0] * study->grid.count[1] * study->grid.count[2]);
  uint64_t     extent[4], start[4], count[4];
  char         name[128];

  PetscFunctionBegin;
  fare_finished_box(study, snapshot, extent, start, count);
  snprintf(name, sizeof name, "/data/%zu/meshes/%s", snapshot, mesh);
  PetscCall(fare_grid_read(&study->grid, buffer, from, name));
  for (size_t i = 0; i < cells; i++) buffer[i] *= fare_grid_volume(&study->grid);
  PetscCall(fare_store_fill(to, path, FARE_STORE_FLOAT64, study->dim + 1, start, count, buffer));
  PetscFunctionReturn(0);
}

static PetscErrorCode copy_all(const fare_finished *study, fare_store *to)
{
  const PetscInt cells = study->grid.count[0] * study->grid.count[1] * study->grid.count[2];
  PetscErrorCode code  = 0;
  double        *buffer;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(cells, &buffer));
  for (size_t k = 0; k < study->snapshots && !code; k++) {
    const char *mesh[2];
    fare_store *from;

    code = fare_as_input(fare_finished_snapshot(study, k, &from));
    if (!code) code = fare_finished_compared(from, k, mesh);
    if (!code) code = copy_mesh(study, from, k, mesh[0], to, "/truth_mass", buffer);
    if (!code) code = copy_mesh(study, from, k, mesh[1], to, "/truth_error", buffer);
    PetscCall(fare_store_close(&from));
  }
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(code);
}

static PetscErrorCode fill(const void *context, fare_store *to)
{
  PetscFunctionBegin;
  PetscCall(begin(context, to));
  PetscCall(copy_all(context, to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_export_grid(MPI_Comm comm, const char *directory, const char *path)
{
  fare_finished  study;
  char           usual[sizeof study.study + 16];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_finished_open(comm, directory, &study));
  snprintf(usual, sizeof usual, "%s_grid.h5", study.study);
  if (!path) path = usual;
  code = fare_finished_open_truth(&study);
  if (!code) code = fare_export_write(comm, path, fill, &study);
  if (!code && fare_is_rank_0(comm))
    printf("%s: the truth of %s in %lld cells at %zu times\n", path, study.study,
      (long long)(study.grid.cells[0] * study.grid.cells[1] * study.grid.cells[2]), study.snapshots);
  PetscCall(fare_finished_close(&study));
  PetscFunctionReturn(code);
}
