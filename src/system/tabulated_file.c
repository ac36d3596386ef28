/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The values of a tabulated waveform from a file. CSV: two numbers on a line, times and values, with a comma,
  a semicolon or blanks between them; lines that are empty or begin with #, and a first line of names, do not
  count. HDF5: a dataset of two columns.
*/
#include "waveform.h"

#include <ctype.h>
#include <errno.h>
#include <fare/store.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 100000

/* A row of times and values; FARE_ERR_INPUT with a message that does not name the file. */
static PetscErrorCode add_row(fare_waveform *w, size_t *room, double time, double value)
{
  const size_t count = w->times.count;

  PetscFunctionBegin;
  if (!isfinite(time) || !isfinite(value)) FARE_FAIL(FARE_ERR_INPUT, "%g, %g: not finite", time, value);
  if (count && !(time > w->times.values[count - 1]))
    FARE_FAIL(FARE_ERR_INPUT, "times must increase, got %.12g after %.12g", time, w->times.values[count - 1]);
  if (count == ROWS_MAX) FARE_FAIL(FARE_ERR_INPUT, "more than %d rows", ROWS_MAX);
  if (count == *room) {
    double *times, *values;

    *room  = 2 * *room + 256;
    times  = realloc(w->times.values, *room * sizeof *times);
    values = times ? realloc(w->values.values, *room * sizeof *values) : NULL;
    if (times) w->times.values = times;
    if (values) w->values.values = values;
    if (!values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  }
  w->times.values[count]  = time;
  w->values.values[count] = value;
  w->times.count = w->values.count = count + 1;
  PetscFunctionReturn(0);
}

static const char *skip_blanks(const char *at)
{
  while (isspace((unsigned char)*at)) at++;
  return at;
}

/* How many numbers the line begins with, at most three; -1: something else follows them. */
static int numbers_of(const char *line, double number[3])
{
  const char *at    = skip_blanks(line);
  int         count = 0;

  while (*at && *at != '#' && count < 3) {
    char *end;

    number[count] = strtod(at, &end);
    if (end == at || (*end && !strchr(" \t\r\n,;#", *end))) return -1;
    count++;
    at = skip_blanks(end);
    if (*at == ',' || *at == ';') at = skip_blanks(at + 1);
  }
  return count;
}

static PetscErrorCode read_csv(FILE *file, fare_waveform *w, int *line)
{
  static const char mark[] = "\xEF\xBB\xBF"; /* that some programs write before UTF-8 */
  char              text[512];
  size_t            room = 0;

  PetscFunctionBegin;
  for (*line = 1; fgets(text, sizeof text, file); ++*line) {
    const char *from = *line == 1 && !strncmp(text, mark, 3) ? text + 3 : text;
    double      number[3];
    int         count;

    if (!strchr(text, '\n') && !feof(file)) FARE_FAIL(FARE_ERR_INPUT, "the line is too long, or not text");
    count = numbers_of(from, number);
    if (count == 0 || (*line == 1 && count < 0)) continue;
    if (count != 2) {
      text[strcspn(text, "\r\n")] = '\0';
      FARE_FAIL(FARE_ERR_INPUT, "expected two numbers, a time and a value, got '%.60s'", from);
    }
    PetscCall(add_row(w, &room, number[0], number[1]));
  }
  *line = 0;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_dataset(fare_store *store, fare_waveform *w)
{
  const uint64_t start[4] = {0};
  uint64_t       extent[4];
  size_t         room = 0;
  double        *rows;
  int            rank;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_store_extents(store, w->dataset, &rank, extent));
  if (rank != 2 || extent[1] != 2)
    FARE_FAIL(FARE_ERR_INPUT, "expected a dataset of n rows and 2 columns, got %d extent%s%s", rank,
      rank == 1 ? "" : "s", rank == 2 ? " with another number of columns" : "");
  if (extent[0] > ROWS_MAX) FARE_FAIL(FARE_ERR_INPUT, "more than %d rows", ROWS_MAX);
  rows = calloc(2 * extent[0] + 1, sizeof *rows);
  if (!rows) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  code = fare_store_read(store, w->dataset, FARE_STORE_FLOAT64, 2, start, extent, rows);
  for (uint64_t i = 0; i < extent[0] && !code; i++) code = add_row(w, &room, rows[2 * i], rows[2 * i + 1]);
  free(rows);
  PetscFunctionReturn(code);
}

static PetscErrorCode read_hdf5(const char *path, fare_waveform *w)
{
  fare_store    *store;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_store_open(PETSC_COMM_SELF, path, &store));
  code = read_dataset(store, w);
  PetscCall(fare_store_close(&store));
  PetscFunctionReturn(code);
}

/* The message just kept, where it was read. */
static PetscErrorCode refuse(const fare_node *node, const char *path, int line)
{
  char why[512], at[32] = "";

  PetscFunctionBegin;
  if (line) snprintf(at, sizeof at, ":%d", line);
  PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
  FARE_REFUSE(node, "%.300s%s: %s", path, at, why);
}

static PetscErrorCode read_path(const fare_node *node, const char *path, fare_waveform *w)
{
  FILE          *file = fopen(path, "r");
  int            line = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!file)
    FARE_REFUSE(
      node, "cannot read '%.300s' (a relative path starts from the study file): %s", path, strerror(errno));
  code = w->dataset ? read_hdf5(path, w) : read_csv(file, w, &line);
  if (!code && ferror(file)) code = fare_error(FARE_ERR_INPUT, "%s", strerror(EISDIR));
  fclose(file);
  if (code) PetscFunctionReturn(refuse(node, path, line));
  if (!w->times.count) FARE_REFUSE(node, "'%.300s' has no rows of a time and a value", path);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_waveform_read_file(const fare_node *node, fare_waveform *w)
{
  char          *path = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_node_path(node, &path));
  code = read_path(node, path, w);
  free(path);
  PetscCall(code);
  /* what is in the file is the plan, not where it was */
  w->source = w->file;
  w->file   = NULL;
  free(w->dataset);
  w->dataset = NULL;
  PetscFunctionReturn(0);
}
