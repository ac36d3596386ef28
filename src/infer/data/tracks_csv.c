/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Tracks in CSV: a line of names, id, time and the axes in any order among other columns, then a row a line.
  Lines that begin with # are comments; "# noise: 0.05" gives the noise.
*/
#include "data.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MOST 64
#define BYTES_MOST   2000000000L
#define MARK         "\357\273\277" /* of UTF-8, with which spreadsheets begin a file */

typedef struct {
  const char *path;
  int         dim, fields;         /* id, time and the axes */
  int         columns;             /* of the file */
  int         field[COLUMNS_MOST]; /* which field a column is; -1: another */
  int64_t     line;                /* at which reading is, from 1 */
  const char *begin;               /* of that line */
} reader;

static PetscErrorCode wrong(const reader *r, const char *at, int field, const char *what)
{
  char name[8];

  return fare_error(FARE_ERR_INPUT, "%s:%lld:%lld: column '%s': %s", r->path, (long long)r->line,
    (long long)(at - r->begin) + 1, fare_tracks_field(r->dim, field, name), what);
}

/* Rank 0 reads, and all get it, with a byte that ends it. */
static PetscErrorCode load(MPI_Comm comm, const char *path, long *size, char **text)
{
  PetscErrorCode code = 0;
  FILE          *file = NULL;

  PetscFunctionBegin;
  *size = 0;
  if (fare_is_rank_0(comm)) {
    file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) || (*size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
      code = fare_error(FARE_ERR_INPUT, "%s: cannot be read", path);
    else if (*size > BYTES_MOST)
      code =
        fare_error(FARE_ERR_INPUT, "%s: more than %ld bytes: give such tracks as HDF5", path, BYTES_MOST);
  }
  if (code && file) fclose(file);
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Bcast(size, 1, MPI_LONG, 0, comm));
  PetscCall(PetscMalloc1((size_t)*size + 1, text));
  if (file && fread(*text, 1, (size_t)*size, file) != (size_t)*size)
    code = fare_error(FARE_ERR_INPUT, "%s: cannot be read", path);
  if (file) fclose(file);
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Bcast(*text, (int)*size, MPI_CHAR, 0, comm));
  (*text)[*size] = '\0';
  PetscFunctionReturn(0);
}

/* The length of a field without blanks around it; *at moves to where it begins, *next behind its comma. */
static int next_field(const char **at, const char **next)
{
  const char *end;

  while (**at == ' ' || **at == '\t') ++*at;
  end   = *at + strcspn(*at, ",\r\n");
  *next = *end == ',' ? end + 1 : NULL;
  while (end > *at && (end[-1] == ' ' || end[-1] == '\t')) end--;
  return (int)(end - *at);
}

static PetscErrorCode read_header(reader *r)
{
  const char *names[FARE_DIM_MAX + 2], *at = r->begin, *next;
  char        name[FARE_DIM_MAX + 2][8];
  PetscBool   found[FARE_DIM_MAX + 2] = {PETSC_FALSE};

  PetscFunctionBegin;
  for (int k = 0; k < r->fields; k++) names[k] = fare_tracks_field(r->dim, k, name[k]);
  for (r->columns = 0; at; at = next) {
    const int length = next_field(&at, &next);

    if (r->columns == COLUMNS_MOST)
      FARE_FAIL(FARE_ERR_INPUT, "%s:%lld: more than %d columns", r->path, (long long)r->line, COLUMNS_MOST);
    r->field[r->columns] = -1;
    for (int k = 0; k < r->fields; k++) {
      if ((int)strlen(names[k]) != length || strncmp(at, names[k], (size_t)length)) continue;
      if (found[k]) PetscFunctionReturn(wrong(r, at, k, "there is such a column already"));
      r->field[r->columns] = k;
      found[k]             = PETSC_TRUE;
    }
    r->columns++;
  }
  for (int k = 0; k < r->fields; k++) {
    if (!found[k])
      FARE_FAIL(FARE_ERR_INPUT,
        "%s:%lld: no column '%s': the first line names the columns, id,time,x%s in any order", r->path,
        (long long)r->line, names[k],
        r->dim > 2     ? ",y,z"
          : r->dim > 1 ? ",y"
                       : "");
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_number(
  const reader *r, const char *at, int length, int field, int64_t row, fare_tracks *t)
{
  char   text[64], what[128], *end;
  double value;

  PetscFunctionBegin;
  snprintf(text, sizeof text, "%.*s", length < 63 ? length : 63, at);
  for (char *c = text; *c; c++)
    if (iscntrl((unsigned char)*c)) *c = '?';
  snprintf(what, sizeof what, "expected %s, got '%.60s'", field ? "a number" : "an integer", text);
  if (!field) {
    errno      = 0;
    t->id[row] = strtoll(text, &end, 10);
    if (errno == ERANGE) PetscFunctionReturn(wrong(r, at, field, "expected an integer of 64 bits"));
  } else {
    value = strtod(text, &end);
    if (field == 1)
      t->time[row] = value;
    else
      t->x[row * r->dim + field - 2] = value;
  }
  if (end == text || *end || length >= 63) PetscFunctionReturn(wrong(r, at, field, what));
  t->column[row * r->fields + field] = at - r->begin + 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_row(const reader *r, int64_t row, fare_tracks *t)
{
  const char *at     = r->begin, *next;
  int         column = 0;

  PetscFunctionBegin;
  t->place[row] = r->line;
  for (; at; at = next) {
    const int length = next_field(&at, &next);

    if (column < r->columns && r->field[column] >= 0)
      PetscCall(read_number(r, at, length, r->field[column], row, t));
    column++;
  }
  if (column != r->columns)
    FARE_FAIL(FARE_ERR_INPUT, "%s:%lld: expected %d columns as in the first line, got %d", r->path,
      (long long)r->line, r->columns, column);
  PetscFunctionReturn(0);
}

static PetscBool speaks_of_noise(const char *comment)
{
  for (; *comment && *comment != '\n'; comment++)
    if (!strncasecmp(comment, "noise", 5)) return PETSC_TRUE;
  return PETSC_FALSE;
}

/* "# noise: 0.05", or a number for each axis. No other comment may speak of noise: it would go unheard. */
static PetscErrorCode read_comment(const reader *r, fare_tracks *t)
{
  const char *at  = r->begin + 1;
  int         got = 0;

  PetscFunctionBegin;
  while (*at == ' ') at++;
  if (!speaks_of_noise(at)) PetscFunctionReturn(0);
  for (at += strncmp(at, "noise:", 6) ? 0 : 6; got < t->dim; got++) {
    char        *end;
    const double value = strtod(at, &end);

    if (end == at || end > at + strcspn(at, "\r\n")) break;
    t->noise[got] = value;
    at            = end;
  }
  at += strspn(at, " \t\r");
  for (int axis = 0; axis < got; axis++)
    if (!(t->noise[axis] >= 0 && t->noise[axis] < 1e300)) got = 0;
  if ((*at && *at != '\n') || (got != 1 && got != t->dim))
    FARE_FAIL(FARE_ERR_INPUT,
      "%s:%lld: noise: expected '# noise: 0.05', a number of at least 0, or one for each axis", r->path,
      (long long)r->line);
  for (int axis = got; axis < t->dim; axis++) t->noise[axis] = t->noise[0];
  PetscFunctionReturn(0);
}

static PetscBool is_blank(const char *line)
{
  const char end = line[strspn(line, " \t\r")];

  return !end || end == '\n' ? PETSC_TRUE : PETSC_FALSE;
}

/* Rows are counted first (`t` NULL), then read. */
static PetscErrorCode go_through(const char *text, reader *r, fare_tracks *t, int64_t *rows)
{
  PetscBool header = PETSC_FALSE;

  PetscFunctionBegin;
  *rows   = 0;
  r->line = 0;
  if (!strncmp(text, MARK, strlen(MARK))) text += strlen(MARK);
  for (const char *at = text; at && *at;) {
    const char *end = strchr(at, '\n');

    r->line++;
    r->begin = at;
    at       = end ? end + 1 : NULL;
    if (is_blank(r->begin)) continue;
    if (*r->begin == '#') {
      if (t) PetscCall(read_comment(r, t));
      continue;
    }
    if (!header) {
      if (t) PetscCall(read_header(r));
      header = PETSC_TRUE;
      continue;
    }
    if (t) PetscCall(read_row(r, *rows, t));
    ++*rows;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tracks_read_csv(MPI_Comm comm, const char *path, int dim, fare_tracks **tracks)
{
  reader         r = {.path = path, .dim = dim, .fields = dim + 2};
  int64_t        rows;
  char          *text;
  long           size;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(load(comm, path, &size, &text));
  code = go_through(text, &r, NULL, &rows);
  if (!code && (!rows || memchr(text, 0, (size_t)size)))
    code = fare_error(FARE_ERR_INPUT, "%s: %s: tracks are HDF5, or CSV with a line of names and then rows",
      path, rows ? "neither HDF5 nor text" : "no rows");
  if (!code) code = fare_tracks_create(path, dim, rows, tracks);
  if (!code) code = PetscCalloc1((size_t)rows * (size_t)r.fields, &(*tracks)->column);
  if (!code) code = go_through(text, &r, *tracks, &rows);
  PetscCall(PetscFree(text));
  PetscFunctionReturn(code);
}
