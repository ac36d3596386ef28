/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracks in memory: rows sorted by particle and time, and the pairs that follow each other. */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME 1e-6 /* relative difference of times between observations that counts as none */

PetscErrorCode fare_tracks_create(const char *name, int dim, int64_t rows, fare_tracks **tracks)
{
  const size_t n = (size_t)rows;
  fare_tracks *t;

  PetscFunctionBegin;
  PetscCall(PetscNew(&t));
  *tracks = t;
  t->dim  = dim;
  t->rows = rows;
  PetscCall(PetscStrallocpy(name, &t->name));
  PetscCall(PetscCalloc4(n, &t->id, n, &t->time, n * (size_t)dim, &t->x, n, &t->place));
  for (int64_t row = 0; row < rows; row++) t->place[row] = row;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tracks_destroy(fare_tracks **tracks)
{
  fare_tracks *t = *tracks;

  PetscFunctionBegin;
  if (!t) PetscFunctionReturn(0);
  PetscCall(PetscFree(t->name));
  PetscCall(PetscFree(t->first));
  PetscCall(PetscFree(t->column));
  PetscCall(PetscFree4(t->id, t->time, t->x, t->place));
  PetscCall(PetscFree(*tracks));
  PetscFunctionReturn(0);
}

const char *fare_tracks_field(int dim, int field, char name[8])
{
  if (field < 2) return field ? "time" : "id";
  if (dim == 1) return "x";
  snprintf(name, 8, "%c", "xyz"[field - 2]);
  return name;
}

PetscErrorCode fare_tracks_error(const fare_tracks *t, int64_t row, int field, const char *format, ...)
{
  static const char *const datasets[] = {"id", "time", "position"};
  char                     what[512], name[8];
  va_list                  rest;

  va_start(rest, format);
  vsnprintf(what, sizeof what, format, rest);
  va_end(rest);
  if (t->column)
    return fare_error(FARE_ERR_INPUT, "%s:%lld:%lld: column '%s': %s", t->name, (long long)t->place[row],
      (long long)t->column[row * (t->dim + 2) + field], fare_tracks_field(t->dim, field, name), what);
  if (field < 2)
    return fare_error(
      FARE_ERR_INPUT, "%s: /%s[%lld]: %s", t->name, datasets[field], (long long)t->place[row], what);
  return fare_error(
    FARE_ERR_INPUT, "%s: /position[%lld, %d]: %s", t->name, (long long)t->place[row], field - 2, what);
}

/* What rows are sorted by, and where they were. */
typedef struct {
  int64_t id, from;
  double  time;
} key;

static int in_order(const void *a, const void *b)
{
  const key *p = a, *q = b;

  if (p->id != q->id) return p->id < q->id ? -1 : 1;
  if (p->time != q->time) return p->time < q->time ? -1 : 1;
  return (p->from > q->from) - (p->from < q->from);
}

/* Moves what a row has, `size` bytes of it, to where the row goes. */
static PetscErrorCode move(const fare_tracks *t, const key sorted[], size_t size, void *of)
{
  char *copy;

  PetscFunctionBegin;
  if (!of) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1((size_t)t->rows * size, &copy));
  memcpy(copy, of, (size_t)t->rows * size);
  for (int64_t row = 0; row < t->rows; row++)
    memcpy((char *)of + (size_t)row * size, copy + (size_t)sorted[row].from * size, size);
  PetscCall(PetscFree(copy));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_finite(const fare_tracks *t)
{
  PetscFunctionBegin;
  for (int64_t row = 0; row < t->rows; row++) {
    if (!isfinite(t->time[row]))
      PetscFunctionReturn(fare_tracks_error(t, row, 1, "expected a finite number, got %g", t->time[row]));
    for (int axis = 0; axis < t->dim; axis++) {
      const double x = t->x[row * t->dim + axis];

      if (!isfinite(x))
        PetscFunctionReturn(fare_tracks_error(t, row, 2 + axis, "expected a finite number, got %g", x));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode find_tracks(fare_tracks *t)
{
  PetscFunctionBegin;
  t->tracks = 0;
  PetscCall(PetscFree(t->first));
  PetscCall(PetscMalloc1((size_t)t->rows + 1, &t->first));
  for (int64_t row = 0; row < t->rows; row++) {
    if (row && t->id[row] == t->id[row - 1] && t->time[row] == t->time[row - 1])
      PetscFunctionReturn(fare_tracks_error(
        t, row, 1, "track %lld has two rows of time %.10g", (long long)t->id[row], t->time[row]));
    if (!row || t->id[row] != t->id[row - 1]) t->first[t->tracks++] = row;
  }
  t->first[t->tracks] = t->rows;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tracks_sort(fare_tracks *t)
{
  const size_t axes = (size_t)t->dim;
  key         *sorted;

  PetscFunctionBegin;
  PetscCall(check_finite(t));
  PetscCall(PetscMalloc1((size_t)t->rows, &sorted));
  for (int64_t row = 0; row < t->rows; row++) sorted[row] = (key){t->id[row], row, t->time[row]};
  qsort(sorted, (size_t)t->rows, sizeof *sorted, in_order);
  PetscCall(move(t, sorted, sizeof *t->id, t->id));
  PetscCall(move(t, sorted, sizeof *t->time, t->time));
  PetscCall(move(t, sorted, sizeof *t->place, t->place));
  PetscCall(move(t, sorted, axes * sizeof *t->x, t->x));
  PetscCall(move(t, sorted, (axes + 2) * sizeof *t->column, t->column));
  PetscCall(PetscFree(sorted));
  PetscCall(find_tracks(t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tracks_pairs(const fare_tracks *t, double lag, int64_t *count, int64_t **pair)
{
  PetscFunctionBegin;
  *count = 0;
  PetscCall(PetscMalloc1(2 * (size_t)PetscMax(1, t->rows), pair));
  for (int64_t track = 0; track < t->tracks; track++) {
    int64_t from = t->first[track], row = from + 1;

    while (row < t->first[track + 1]) {
      const double passed = t->time[row] - t->time[from],
                   slack  = SAME * lag + 4 * PETSC_MACHINE_EPSILON * fabs(t->time[row]);

      if (passed < lag - slack) {
        row++;
      } else if (lag == 0 || passed <= lag + slack) {
        (*pair)[2 * *count]     = from;
        (*pair)[2 * *count + 1] = row;
        ++*count;
        from = row++;
      } else if (++from == row) {
        row++;
      }
    }
  }
  PetscFunctionReturn(0);
}
