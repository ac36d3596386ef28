/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields on a grid as datasets: the slowest axis first, each rank its own cells. */
#include <fare/store.h>
#include <fare/truth.h>

typedef struct {
  uint64_t global[FARE_DIM_MAX], start[FARE_DIM_MAX], count[FARE_DIM_MAX];
} box;

static box box_of(const fare_grid *grid)
{
  box b = {{0}, {0}, {0}};

  for (int i = 0; i < grid->dim; i++) {
    const int axis = grid->dim - 1 - i;

    b.global[i] = (uint64_t)grid->cells[axis];
    b.start[i]  = (uint64_t)grid->start[axis];
    b.count[i]  = (uint64_t)grid->count[axis];
  }
  return b;
}

PetscErrorCode fare_grid_write(
  const fare_grid *grid, const double values[], fare_store *store, const char *path)
{
  box b = box_of(grid);
  int ranks, grid_ranks, rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(fare_store_comm(store), &ranks));
  PetscCallMPI(MPI_Comm_rank(fare_store_comm(store), &rank));
  PetscCallMPI(MPI_Comm_size(grid->comm, &grid_ranks));
  if (grid_ranks != ranks && rank) b.count[0] = 0; /* every rank holds the whole grid */
  PetscCall(fare_store_write(store, path, FARE_STORE_FLOAT64, grid->dim, b.global, b.start, b.count, values));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_read(const fare_grid *grid, double values[], fare_store *store, const char *path)
{
  const box b = box_of(grid);

  PetscFunctionBegin;
  PetscCall(fare_store_read(store, path, FARE_STORE_FLOAT64, grid->dim, b.start, b.count, values));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_label(const fare_grid *grid, int before, fare_store *store, const char *path)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    const uint64_t cells = (uint64_t)grid->cells[axis];
    double        *centre;

    PetscCall(PetscMalloc1(cells, &centre));
    for (uint64_t i = 0; i < cells; i++)
      centre[i] = grid->lower[axis] + ((double)i + 0.5) * grid->spacing[axis];
    PetscCall(fare_store_label(store, path, before + grid->dim - 1 - axis, grid->axis[axis], cells, centre));
    PetscCall(PetscFree(centre));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_write_mesh(
  const fare_grid *grid, const double values[], const char *comment, fare_store *store, const char *path)
{
  const char *labels[FARE_DIM_MAX];
  double      spacing[FARE_DIM_MAX], offset[FARE_DIM_MAX];

  PetscFunctionBegin;
  for (int i = 0; i < grid->dim; i++) {
    const int axis = grid->dim - 1 - i;

    labels[i]  = grid->axis[axis];
    spacing[i] = grid->spacing[axis];
    offset[i]  = grid->lower[axis];
  }
  PetscCall(fare_grid_write(grid, values, store, path));
  PetscCall(fare_store_put_string(store, path, "comment", comment));
  PetscCall(fare_store_put_strings(store, path, "axisLabels", (size_t)grid->dim, labels));
  PetscCall(fare_store_put_reals(store, path, "gridSpacing", (size_t)grid->dim, spacing));
  PetscCall(fare_store_put_reals(store, path, "gridGlobalOffset", (size_t)grid->dim, offset));
  PetscFunctionReturn(0);
}
