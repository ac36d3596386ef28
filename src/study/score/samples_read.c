/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of a file of samples, one time after the other: every one of them is looked at. */
#include "score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 65536 /* rows of positions that one rank reads at once */

/* A dataset that has numbers of one time, and where they are in it. */
typedef struct {
  char path[2 * FARE_GROUP_SIZE],
    index[32];     /* "/samples" and "3, ", or "/time_003/samples" and nothing: for messages */
  PetscBool timed; /* whether its first extent is time */
  /* numbers of a row along an extent of their own; 0: one, without */
  int width;
} rows_of;

static rows_of rows_at(const fare_samples *s, size_t i, const char *name, PetscBool timed, int width)
{
  rows_of of = {.timed = !s->group && timed ? PETSC_TRUE : PETSC_FALSE, .width = width};

  snprintf(of.path, sizeof of.path, "%s/%s", s->group ? s->group[i] : "", name);
  if (of.timed) snprintf(of.index, sizeof of.index, "%zu, ", i);
  return of;
}

/* Rows [first, first + rows) of the i-th time. */
static PetscErrorCode read_rows(
  const fare_samples *s, size_t i, const rows_of *of, int64_t first, int64_t rows, double to[])
{
  uint64_t start[3], count[3];
  int      rank = 0;

  PetscFunctionBegin;
  if (of->timed) {
    start[rank]   = i;
    count[rank++] = rows ? 1 : 0;
  }
  start[rank]   = (uint64_t)(rows ? first : 0);
  count[rank++] = (uint64_t)rows;
  if (of->width) {
    start[rank]   = 0;
    count[rank++] = (uint64_t)of->width;
  }
  if (!rows) memset(start, 0, sizeof start);
  PetscCall(fare_store_read(s->store, of->path, FARE_STORE_FLOAT64, rank, start, count, to));
  PetscFunctionReturn(0);
}

static PetscErrorCode bad_number(const fare_samples *s, const rows_of *of, int64_t row, const char *axis,
  double value, double time, const char *rule)
{
  return fare_error(FARE_ERR_INPUT, "%s: %s[%s%lld%s] is %g (time %g, row %lld)%s", s->path, of->path,
    of->index, (long long)row, axis, value, time, (long long)row, rule);
}

/*
  One number for each particle here: finite, and not negative where it is a weight. `rule` says so in the
  message of the first that is not.
*/
static PetscErrorCode read_companion(const fare_samples *s, size_t i, const char *name, PetscBool timed,
  PetscBool is_weight, const char *rule, const fare_ensemble *e, double to[])
{
  const rows_of  of    = rows_at(s, i, name, timed, 0);
  const int64_t  first = e->first_block * FARE_BLOCK;
  PetscErrorCode bad   = 0;

  PetscFunctionBegin;
  PetscCall(read_rows(s, i, &of, first, e->local, to));
  for (int64_t row = 0; row < e->local && !bad; row++) {
    if (!isfinite(to[row]) || (is_weight && to[row] < 0))
      bad = bad_number(s, &of, first + row, "", to[row], e->time, rule);
  }
  PetscFunctionReturn(fare_error_agree(s->comm, bad));
}

/* What reading has found on this rank. */
typedef struct {
  PetscErrorCode bad;     /* of the first number that is wrong */
  double         fill;    /* what stands where no sample was written */
  int64_t        written; /* rows up to the last that has another number */
} findings;

static void take_row(
  const fare_samples *s, const rows_of *of, const double x[], int64_t row, fare_ensemble *e, findings *f)
{
  const int64_t global = e->first_block * FARE_BLOCK + row;
  char          at[16] = "";

  for (int axis = 0; axis < e->dim; axis++) {
    if (x[axis] != f->fill) f->written = global + 1;
    if (!isfinite(x[axis]) && !f->bad) {
      if (of->width) snprintf(at, sizeof at, ", %d", axis);
      f->bad = bad_number(s, of, global, at, x[axis], e->time, "");
    }
    e->x[axis][row] = x[axis];
  }
}

/*
  Rows at the end that all hold what HDF5 has where nothing was written. Contiguous datasets, and those of
  parallel writers, have their place from the start, so that nothing else shows that the writer was stopped; a
  density puts no two samples on one point.
*/
static PetscErrorCode warn_of_unwritten(const fare_samples *s, const fare_ensemble *e, findings *f)
{
  enum { SOME = 10 };
  int64_t rows;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &f->written, 1, MPI_INT64_T, MPI_MAX, s->comm));
  rows = e->count - f->written;
  if (rows >= SOME || (rows == e->count && rows > 1)) {
    fare_warn(
      "%s: the last %lld of %lld samples at time %g are %g, as if never written (was the writer stopped?)",
      s->path, (long long)rows, (long long)e->count, e->time, f->fill);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_positions(const fare_samples *s, size_t i, double buffer[], fare_ensemble *e)
{
  const rows_of of     = rows_at(s, i, "samples", s->timed, s->flat[i] ? 0 : e->dim);
  int64_t       chunks = (e->local + CHUNK - 1) / CHUNK;
  findings      f      = {0};

  PetscFunctionBegin;
  PetscCall(fare_store_fill_value(s->store, of.path, &f.fill));
  /* reading is collective */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &chunks, 1, MPI_INT64_T, MPI_MAX, s->comm));
  for (int64_t c = 0; c < chunks; c++) {
    const int64_t from = PetscMin(c * CHUNK, e->local), rows = PetscMin(CHUNK, e->local - from);

    PetscCall(read_rows(s, i, &of, e->first_block * FARE_BLOCK + from, rows, buffer));
    for (int64_t row = 0; row < rows; row++) take_row(s, &of, buffer + row * e->dim, from + row, e, &f);
  }
  PetscCall(fare_error_agree(s->comm, f.bad));
  PetscCall(warn_of_unwritten(s, e, &f));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_weights(const fare_samples *s, size_t i, fare_ensemble *e)
{
  double heaviest = 0;

  PetscFunctionBegin;
  PetscCall(fare_error_agree(s->comm, fare_ensemble_weigh(e)));
  PetscCall(read_companion(
    s, i, "weights", s->weights_timed, PETSC_TRUE, "; weights are finite and not negative", e, e->weight));
  for (int64_t row = 0; row < e->local; row++) heaviest = PetscMax(heaviest, e->weight[row]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &heaviest, 1, MPI_DOUBLE, MPI_MAX, s->comm));
  if (!(heaviest > 0))
    FARE_FAIL(FARE_ERR_INPUT, "%s: all weights are 0 at time %g (index %zu)", s->path, e->time, i);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_samples_read(const fare_samples *samples, size_t i, fare_ensemble **ensemble)
{
  fare_ensemble *e;
  double        *buffer = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  *ensemble = NULL;
  PetscCall(fare_ensemble_create(samples->comm, samples->study->dim, samples->count[i], &e));
  e->time = samples->study->time[samples->snapshot[i]];
  code    = PetscMalloc1((size_t)e->dim * (size_t)PetscMin(CHUNK, PetscMax(1, e->local)), &buffer);
  if (!code) code = read_positions(samples, i, buffer, e);
  if (!code && samples->weighted[i]) code = read_weights(samples, i, e);
  PetscCall(PetscFree(buffer));
  if (code) PetscCall(fare_ensemble_destroy(&e));
  *ensemble = e;
  PetscFunctionReturn(fare_as_input(code));
}

PetscErrorCode fare_samples_read_log_density(
  const fare_samples *s, size_t i, const fare_ensemble *e, double **log_density)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  *log_density = calloc((size_t)PetscMax(1, e->local), sizeof **log_density);
  PetscCall(fare_error_agree(s->comm,
    *log_density ? 0
                 : fare_error(FARE_ERR_FAILED, "out of memory for %lld logarithms", (long long)e->count)));
  code = read_companion(s, i, "log_density", s->log_density_timed, PETSC_FALSE,
    "; a sample has a finite log-density", e, *log_density);
  if (code) {
    free(*log_density);
    *log_density = NULL;
  }
  PetscFunctionReturn(fare_as_input(code));
}
