/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracks in HDF5: /id [R], /time [R], /position [R, d] and the attribute noise. */
#include "data.h"

#include <stdio.h>
#include <string.h>

#define ROWS_MOST 200000000 /* that a rank holds */

static PetscErrorCode check_extent(
  fare_store *store, const char *path, const char *dataset, int dim, uint64_t *rows)
{
  const int       wanted = strcmp(dataset, "/position") ? 1 : 2;
  uint64_t        extent[4];
  fare_store_kind kind;
  PetscBool       has;
  int             rank;

  PetscFunctionBegin;
  PetscCall(fare_store_has(store, dataset, &has));
  if (!has)
    FARE_FAIL(FARE_ERR_INPUT, "%s: no dataset %s: tracks are /id [R], /time [R] and /position [R, %d]", path,
      dataset, dim);
  PetscCall(fare_store_kind_of(store, dataset, &kind));
  if (kind == FARE_STORE_NEITHER || (kind == FARE_STORE_REALS && !strcmp(dataset, "/id")))
    FARE_FAIL(
      FARE_ERR_INPUT, "%s: %s: expected %s", path, dataset, strcmp(dataset, "/id") ? "numbers" : "integers");
  PetscCall(fare_store_extents(store, dataset, &rank, extent));
  /* along one axis, positions need no extent of their own */
  if (rank != wanted && !(wanted == 2 && rank == 1 && dim == 1))
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s: expected %d extents, got %d", path, dataset, wanted, rank);
  if (rank == 2 && extent[1] != (uint64_t)dim)
    FARE_FAIL(FARE_ERR_INPUT, "%s: /position: expected %d column%s for a %d-dimensional system, got %llu",
      path, dim, dim > 1 ? "s" : "", dim, (unsigned long long)extent[1]);
  if (*rows && extent[0] != *rows)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %llu rows, /id has %llu", path, dataset,
      (unsigned long long)extent[0], (unsigned long long)*rows);
  *rows = extent[0];
  if (!*rows || *rows > ROWS_MOST)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s: expected 1 to %d rows, got %llu", path, dataset, ROWS_MOST,
      (unsigned long long)*rows);
  PetscCall(fare_store_check_whole(store, dataset));
  PetscFunctionReturn(0);
}

/* One number for all axes, or one for each: an attribute of the root or of the positions. */
static PetscErrorCode read_noise(fare_store *store, const char *where, fare_tracks *t)
{
  PetscBool has;

  PetscFunctionBegin;
  PetscCall(fare_store_has_attribute(store, where, "noise", &has));
  if (!has) PetscFunctionReturn(0);
  if (t->dim > 1 && !fare_store_get_reals(store, where, "noise", (size_t)t->dim, t->noise)) {
    for (int axis = 0; axis < t->dim; axis++)
      if (!(t->noise[axis] >= 0 && t->noise[axis] < 1e300))
        FARE_FAIL(FARE_ERR_INPUT, "%s: attribute noise: expected numbers of at least 0", t->name);
    PetscFunctionReturn(0);
  }
  PetscCall(fare_store_get_real(store, where, "noise", &t->noise[0]));
  if (!(t->noise[0] >= 0 && t->noise[0] < 1e300))
    FARE_FAIL(FARE_ERR_INPUT, "%s: attribute noise: expected a number of at least 0", t->name);
  for (int axis = 1; axis < t->dim; axis++) t->noise[axis] = t->noise[0];
  PetscFunctionReturn(0);
}

static PetscErrorCode read_all(fare_store *store, const char *path, int dim, fare_tracks **tracks)
{
  static const char *const datasets[] = {"/id", "/time", "/position"};
  uint64_t                 rows       = 0, extent[4];
  int                      rank;
  fare_tracks             *t;

  PetscFunctionBegin;
  for (int i = 0; i < 3; i++) PetscCall(check_extent(store, path, datasets[i], dim, &rows));
  PetscCall(fare_tracks_create(path, dim, (int64_t)rows, tracks));
  t = *tracks;
  PetscCall(fare_store_read_array(store, "/id", FARE_STORE_INT64, 1, &rows, t->id));
  for (uint64_t row = 0; row < rows; row++)
    if (t->id[row] == INT64_MAX) /* what HDF5 makes of larger ones */
      PetscFunctionReturn(fare_tracks_error(t, (int64_t)row, 0, "expected an integer below 2^63 - 1"));
  PetscCall(fare_store_read_array(store, "/time", FARE_STORE_FLOAT64, 1, &rows, t->time));
  PetscCall(fare_store_extents(store, "/position", &rank, extent));
  PetscCall(fare_store_read_array(store, "/position", FARE_STORE_FLOAT64, rank, extent, t->x));
  PetscCall(read_noise(store, "/position", t));
  PetscCall(read_noise(store, "/", t));
  PetscFunctionReturn(0);
}

/* What is wrong inside a file that the user named is the user's to hear of. */
static PetscErrorCode as_input(PetscErrorCode code)
{
  return code == FARE_ERR_FAILED ? FARE_ERR_INPUT : code;
}

PetscErrorCode fare_tracks_read_hdf5(MPI_Comm comm, const char *path, int dim, fare_tracks **tracks)
{
  fare_store    *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(as_input(fare_store_open(comm, path, &store)));
  code = as_input(read_all(store, path, dim, tracks));
  PetscCall(fare_store_close(&store));
  PetscFunctionReturn(code);
}

/* HDF5 by its signature; all else is taken for text. */
static PetscErrorCode look(MPI_Comm comm, const char *path, PetscBool *is_hdf5)
{
  static const char signature[8] = "\211HDF\r\n\032\n";
  char              begin[8]     = "";
  int               is           = 0;
  PetscErrorCode    code         = 0;

  PetscFunctionBegin;
  if (fare_is_rank_0(comm)) {
    FILE *file = fopen(path, "rb");

    if (!file) code = fare_error(FARE_ERR_INPUT, "%s: cannot be opened", path);
    is = file && fread(begin, 1, sizeof begin, file) == sizeof begin && !memcmp(begin, signature, 8);
    if (file) fclose(file);
  }
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Bcast(&is, 1, MPI_INT, 0, comm));
  *is_hdf5 = is ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tracks_read(MPI_Comm comm, const char *path, int dim, fare_tracks **tracks)
{
  PetscBool      is_hdf5;
  PetscErrorCode code;

  PetscFunctionBegin;
  *tracks = NULL;
  PetscCall(look(comm, path, &is_hdf5));
  code =
    is_hdf5 ? fare_tracks_read_hdf5(comm, path, dim, tracks) : fare_tracks_read_csv(comm, path, dim, tracks);
  if (!code) code = fare_tracks_sort(*tracks);
  if (code) PetscCall(fare_tracks_destroy(tracks));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_tracks_begin(fare_store *store, int dim, uint64_t rows)
{
  const uint64_t extent[2] = {rows, (uint64_t)dim}, none[2] = {0, 0};

  PetscFunctionBegin;
  PetscCall(fare_store_write(store, "/id", FARE_STORE_INT64, 1, extent, none, none, NULL));
  PetscCall(fare_store_write(store, "/time", FARE_STORE_FLOAT64, 1, extent, none, none, NULL));
  PetscCall(fare_store_write(store, "/position", FARE_STORE_FLOAT64, 2, extent, none, none, NULL));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tracks_fill(fare_store *store, int dim, uint64_t first, uint64_t rows, const int64_t id[],
  const double time[], const double x[])
{
  const uint64_t start[2] = {rows ? first : 0, 0}, count[2] = {rows, (uint64_t)dim};

  PetscFunctionBegin;
  PetscCall(fare_store_fill(store, "/id", FARE_STORE_INT64, 1, start, count, id));
  PetscCall(fare_store_fill(store, "/time", FARE_STORE_FLOAT64, 1, start, count, time));
  PetscCall(fare_store_fill(store, "/position", FARE_STORE_FLOAT64, 2, start, count, x));
  PetscFunctionReturn(0);
}
