/* SPDX-License-Identifier: BSD-2-Clause */
/* What analyses that take long keep from pause to pause, to checkpoints and from them. */
#include "analysis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "/analyses"

void fare_analysis_keeper_free(fare_analysis_keeper *keeper)
{
  for (size_t i = 0; i < keeper->rows; i++) free(keeper->row[i].number);
  free(keeper->row);
  fare_pieces_free(&keeper->waiting);
  fare_pieces_free(&keeper->own);
  keeper->rows = 0;
  keeper->row  = NULL;
}

PetscErrorCode fare_analysis_keep(
  fare_analysis_keeper *keeper, const char *name, size_t count, double **number)
{
  fare_analysis_row *more;

  PetscFunctionBegin;
  if (strcmp(keeper->under_way, name)) fare_pieces_free(&keeper->waiting);
  snprintf(keeper->under_way, sizeof keeper->under_way, "%s", name);
  for (size_t i = 0; i < keeper->rows; i++) {
    *number = keeper->row[i].number;
    if (!strcmp(keeper->row[i].name, name) && keeper->row[i].count == count) PetscFunctionReturn(0);
  }
  more = realloc(keeper->row, (keeper->rows + 1) * sizeof *more);
  if (!more) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  keeper->row = more;
  more += keeper->rows;
  *more = (fare_analysis_row){.count = count, .number = calloc(count + 1, sizeof(double))};
  if (!more->number) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  snprintf(more->name, sizeof more->name, "%s", name);
  keeper->rows++;
  *number = more->number;
  PetscFunctionReturn(0);
}

static PetscErrorCode put(fare_analysis_keeper *keeper, fare_store *store)
{
  fare_pieces    own = {0};
  PetscErrorCode code;
  char           path[64];

  PetscFunctionBegin;
  PetscCall(fare_store_group(store, FOLDER));
  PetscCall(fare_store_put_int(store, FOLDER, "rows", (int64_t)keeper->rows));
  PetscCall(fare_store_put_string(store, FOLDER, "row", keeper->under_way));
  for (size_t i = 0; i < keeper->rows; i++) {
    const fare_analysis_row *row   = &keeper->row[i];
    const uint64_t           count = row->count;

    snprintf(path, sizeof path, FOLDER "/%zu", i);
    PetscCall(fare_store_group(store, path));
    PetscCall(fare_store_put_string(store, path, "name", row->name));
    snprintf(path, sizeof path, FOLDER "/%zu/numbers", i);
    PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &count, row->number));
  }
  code = keeper->own.count
    ? fare_pieces_add(&own, keeper->own.number[0], keeper->own.words[0], keeper->own.word)
    : 0;
  if (!code) code = fare_pieces_share(fare_store_comm(store), &keeper->waiting, &own);
  code = fare_error_agree(fare_store_comm(store), code);
  if (!code) code = fare_store_write_pieces(store, FOLDER, &own);
  fare_pieces_free(&own);
  PetscFunctionReturn(code);
}

static PetscErrorCode get(fare_analysis_keeper *keeper, fare_store *store)
{
  int64_t rows;
  char    path[64], under_way[FARE_ANALYSIS_ROW], name[FARE_ANALYSIS_ROW];

  PetscFunctionBegin;
  PetscCall(fare_store_get_int(store, FOLDER, "rows", &rows));
  PetscCall(fare_store_get_string(store, FOLDER, "row", sizeof under_way, under_way));
  for (int64_t i = 0; i < rows; i++) {
    uint64_t extent[4];
    double  *number;
    int      rank;

    snprintf(path, sizeof path, FOLDER "/%lld", (long long)i);
    PetscCall(fare_store_get_string(store, path, "name", sizeof name, name));
    snprintf(path, sizeof path, FOLDER "/%lld/numbers", (long long)i);
    PetscCall(fare_store_extents(store, path, &rank, extent));
    PetscCall(fare_analysis_keep(keeper, name, (size_t)extent[0], &number));
    PetscCall(fare_store_read_array(store, path, FARE_STORE_FLOAT64, 1, extent, number));
  }
  snprintf(keeper->under_way, sizeof keeper->under_way, "%s", under_way);
  PetscCall(fare_store_read_pieces(store, FOLDER, &keeper->waiting));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_analysis_keeper_pass(fare_analysis_keeper *keeper, fare_store *store, PetscBool load)
{
  PetscBool has = PETSC_FALSE;

  PetscFunctionBegin;
  if (load) PetscCall(fare_store_has(store, FOLDER, &has));
  if (load && has)
    PetscCall(get(keeper, store));
  else if (!load && keeper->rows)
    PetscCall(put(keeper, store));
  PetscFunctionReturn(0);
}
