/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Particles on the cells of a distributed grid. No rank holds more than its own cells and what its own
  particles touch.
*/
#include <fare/measure.h>

#include <math.h>
#include <petscdmda.h>
#include <stdlib.h>

/* Where cells live: how each axis is cut, and where each rank's cells begin among all, rank after rank. */
typedef struct {
  const fare_grid *grid;
  /* piece[axis][cell] holds a cell; begin[axis][piece] is its first */
  PetscInt ranks[FARE_DIM_MAX], *piece[FARE_DIM_MAX], *begin[FARE_DIM_MAX];
  /* of each rank, and the number of all cells */
  const PetscInt *first;
  PetscMPIInt     size;
} layout;

/* A place among all cells, and whole units of weight in it. */
typedef struct {
  int64_t place, units;
} entry;

static PetscErrorCode layout_create(const fare_grid *grid, Vec masses, layout *l)
{
  const PetscInt *owned[FARE_DIM_MAX] = {NULL, NULL, NULL};

  PetscFunctionBegin;
  *l = (layout){.grid = grid};
  PetscCallMPI(MPI_Comm_size(grid->comm, &l->size));
  PetscCall(DMDAGetOwnershipRanges(grid->dm, &owned[0], &owned[1], &owned[2]));
  PetscCall(DMDAGetInfo(grid->dm, NULL, NULL, NULL, NULL, &l->ranks[0], &l->ranks[1], &l->ranks[2], NULL,
    NULL, NULL, NULL, NULL, NULL));
  PetscCall(VecGetOwnershipRanges(masses, &l->first));
  for (int axis = 0; axis < grid->dim; axis++) {
    PetscCall(PetscMalloc2(grid->cells[axis], &l->piece[axis], l->ranks[axis] + 1, &l->begin[axis]));
    l->begin[axis][0] = 0;
    for (PetscInt p = 0; p < l->ranks[axis]; p++) {
      l->begin[axis][p + 1] = l->begin[axis][p] + owned[axis][p];
      for (PetscInt i = l->begin[axis][p]; i < l->begin[axis][p + 1]; i++) l->piece[axis][i] = p;
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode layout_destroy(layout *l)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < l->grid->dim; axis++) PetscCall(PetscFree2(l->piece[axis], l->begin[axis]));
  PetscFunctionReturn(0);
}

/* The cell along an axis, or -1 outside. */
static PetscInt cell_along(const fare_grid *grid, int axis, double x)
{
  const double lower = grid->lower[axis], upper = grid->upper[axis];

  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC && !(x >= lower && x <= upper)) {
    x = fmod(x - lower, upper - lower);
    x = PetscMin(upper, lower + (x < 0 ? x + (upper - lower) : x));
  }
  if (!(x >= lower && x <= upper)) return -1; /* what is no number too */
  return PetscMin((PetscInt)((x - lower) / grid->spacing[axis]), grid->cells[axis] - 1);
}

/* Among the cells of all ranks in the order of ranks, or -1 outside. */
static int64_t place_of(const layout *l, const fare_ensemble *ensemble, int64_t particle)
{
  PetscInt rank = 0, within = 0;

  for (int axis = l->grid->dim - 1; axis >= 0; axis--) {
    const PetscInt cell  = cell_along(l->grid, axis, ensemble->x[axis][particle]),
                   piece = cell < 0 ? 0 : l->piece[axis][cell];

    if (cell < 0) return -1;
    rank   = rank * l->ranks[axis] + piece;
    within = within * (l->begin[axis][piece + 1] - l->begin[axis][piece]) + cell - l->begin[axis][piece];
  }
  return l->first[rank] + within;
}

static int by_place(const void *a, const void *b)
{
  const int64_t p = ((const entry *)a)->place, q = ((const entry *)b)->place;

  return (p > q) - (p < q);
}

/* One entry for each place, in ascending order; entries of one place are added up. */
static int64_t merge(int64_t count, entry entries[])
{
  int64_t kept = 0;

  if (count > 1) qsort(entries, (size_t)count, sizeof *entries, by_place);
  for (int64_t i = 0; i < count; i++) {
    if (kept && entries[kept - 1].place == entries[i].place)
      entries[kept - 1].units += entries[i].units;
    else
      entries[kept++] = entries[i];
  }
  return kept;
}

/* What each rank has to say to each other one; most say nothing to most. */
static PetscErrorCode exchange(
  MPI_Comm comm, const layout *l, int64_t count, const entry entries[], int64_t *received, entry **mine)
{
  PetscMPIInt *numbers, *send, *send_at, *receive, *receive_at;
  MPI_Datatype pair;
  int64_t      total = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(4 * (size_t)l->size, &numbers));
  send       = numbers;
  send_at    = send + l->size;
  receive    = send_at + l->size;
  receive_at = receive + l->size;
  for (int64_t i = 0, rank = 0; i < count; i++) {
    while (entries[i].place >= l->first[rank + 1]) rank++;
    send[rank]++;
  }
  PetscCallMPI(MPI_Alltoall(send, 1, MPI_INT, receive, 1, MPI_INT, comm));
  for (int rank = 0; rank < l->size; rank++) {
    receive_at[rank] = (PetscMPIInt)total;
    total += receive[rank];
    if (rank) send_at[rank] = send_at[rank - 1] + send[rank - 1];
  }
  PetscCall(PetscMalloc1(total, mine));
  PetscCallMPI(MPI_Type_contiguous(2, MPI_INT64_T, &pair));
  PetscCallMPI(MPI_Type_commit(&pair));
  PetscCallMPI(MPI_Alltoallv(entries, send, send_at, pair, *mine, receive, receive_at, pair, comm));
  PetscCallMPI(MPI_Type_free(&pair));
  PetscCall(PetscFree(numbers));
  *received = total;
  PetscFunctionReturn(0);
}

/* Units in the cells of this rank, where cells are many: each rank sends what its particles touch. */
static PetscErrorCode deposit_sparse(const layout *l, const fare_ensemble *ensemble,
  const fare_weight_units *weight, PetscInt own, int64_t units[], int64_t *outside)
{
  entry   *entries, *mine = NULL;
  int64_t  count = 0, received = 0;
  PetscInt first;
  int      rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(ensemble->comm, &rank));
  first = l->first[rank];
  PetscCall(PetscMalloc1(ensemble->local, &entries));
  for (int64_t i = 0; i < ensemble->local; i++) {
    const entry e = {place_of(l, ensemble, i), fare_weight_units_of(weight, ensemble, i)};

    if (e.place < 0)
      *outside += e.units;
    else
      entries[count++] = e;
  }
  count = merge(count, entries);
  PetscCall(exchange(ensemble->comm, l, count, entries, &received, &mine));
  for (PetscInt i = 0; i < own; i++) units[i] = 0;
  for (int64_t i = 0; i < received; i++) units[mine[i].place - first] += mine[i].units;
  PetscCall(PetscFree(entries));
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(0);
}

/*
  The same where all cells together are fewer than the particles of a rank, or every rank has the whole grid.
*/
static PetscErrorCode deposit_dense(const layout *l, const fare_ensemble *ensemble,
  const fare_weight_units *weight, int64_t units[], int64_t *outside)
{
  const PetscInt cells = l->first[l->size];
  PetscMPIInt   *own;
  int64_t       *all;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(cells, &all, l->size, &own));
  for (int64_t i = 0; i < ensemble->local; i++) {
    const int64_t place = place_of(l, ensemble, i), add = fare_weight_units_of(weight, ensemble, i);

    if (place < 0)
      *outside += add;
    else
      all[place] += add;
  }
  for (int rank = 0; rank < l->size; rank++) own[rank] = (PetscMPIInt)(l->first[rank + 1] - l->first[rank]);
  if (l->size == 1)
    PetscCallMPI(MPI_Allreduce(all, units, own[0], MPI_INT64_T, MPI_SUM, ensemble->comm));
  else
    PetscCallMPI(MPI_Reduce_scatter(all, units, own, MPI_INT64_T, MPI_SUM, ensemble->comm));
  PetscCall(PetscFree2(all, own));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_deposit(
  const fare_grid *grid, const fare_ensemble *ensemble, Vec *masses, double *outside)
{
  int64_t          *units, sums[2] = {0}; /* outside, and in all */
  fare_weight_units weight;
  PetscScalar      *mass;
  PetscMPIInt       ranks;
  layout            l;
  PetscInt          own;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(ensemble->comm, &ranks));
  if (ensemble->dim != grid->dim)
    FARE_FAIL(FARE_ERR_FAILED, "an ensemble of dimension %d does not fit a grid of dimension %d",
      ensemble->dim, grid->dim);
  PetscCall(fare_ensemble_units(ensemble, &weight));
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetLocalSize(*masses, &own));
  PetscCall(layout_create(grid, *masses, &l));
  if (l.size != 1 && l.size != ranks)
    FARE_FAIL(FARE_ERR_FAILED, "a grid on %d ranks does not fit an ensemble on %d", (int)l.size, (int)ranks);
  PetscCall(PetscMalloc1(own, &units));
  if (l.size == 1 || l.first[l.size] <= ensemble->count / ranks)
    PetscCall(deposit_dense(&l, ensemble, &weight, units, &sums[0]));
  else
    PetscCall(deposit_sparse(&l, ensemble, &weight, own, units, &sums[0]));
  for (int64_t i = 0; i < ensemble->local; i++) sums[1] += fare_weight_units_of(&weight, ensemble, i);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_INT64_T, MPI_SUM, ensemble->comm));
  PetscCall(VecGetArrayWrite(*masses, &mass));
  for (PetscInt i = 0; i < own; i++) mass[i] = (double)units[i] / (double)sums[1];
  PetscCall(VecRestoreArrayWrite(*masses, &mass));
  *outside = (double)sums[0] / (double)sums[1];
  PetscCall(PetscFree(units));
  PetscCall(layout_destroy(&l));
  PetscFunctionReturn(0);
}
