/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Somebody else's samples: a file looked through before any number is believed, then read one time after the
  other. docs/scoring.md has the format.
*/
#include "score.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK          65536 /* rows that one rank reads at once */
#define TIME_TOLERANCE 1e-5  /* of the time between snapshots; times in single precision pass */
#define GROUP_SIZE     64
#define SAMPLES_MOST   1000000000000 /* at one time, as particles of an ensemble */

static const char *plural(uint64_t n)
{
  return n == 1 ? "" : "s";
}

/* What a dataset must be: numbers that are there, in at least so many extents and at most so many. */
static PetscErrorCode check_dataset(const fare_samples *s, const char *path, const char *layout, int least,
  int most, PetscBool integers, int *rank, uint64_t extent[4])
{
  fare_store_kind kind;
  PetscBool       has;

  PetscFunctionBegin;
  PetscCall(fare_store_has(s->store, path, &has));
  if (!has) FARE_FAIL(FARE_ERR_INPUT, "%s: has no dataset %s %s", s->path, path, layout);
  PetscCall(fare_store_kind_of(s->store, path, &kind));
  if (kind == FARE_STORE_NEITHER) {
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s holds no numbers; expected a dataset %s of float32 or float64", s->path,
      path, layout);
  }
  if (kind == FARE_STORE_INTEGERS && !integers) {
    FARE_FAIL(
      FARE_ERR_INPUT, "%s: %s holds integers; expected %s of float32 or float64", s->path, path, layout);
  }
  PetscCall(fare_store_check_whole(s->store, path));
  PetscCall(fare_store_extents(s->store, path, rank, extent));
  if (*rank < least || *rank > most) {
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %d extent%s; expected %s", s->path, path, *rank,
      plural((uint64_t)*rank), layout);
  }
  PetscFunctionReturn(0);
}

/*
  An optional companion of the samples with one number for each, in extents of which the first may be missing.
*/
static PetscErrorCode check_companion(const fare_samples *s, const char *path, const char *layout, int least,
  int rank, const uint64_t samples[], PetscBool integers, PetscBool *has, PetscBool *full)
{
  uint64_t extent[4];
  int      there;

  PetscFunctionBegin;
  *full = PETSC_FALSE;
  PetscCall(fare_store_has(s->store, path, has));
  if (!*has) PetscFunctionReturn(0);
  PetscCall(check_dataset(s, path, layout, least, rank, integers, &there, extent));
  *full = there == rank ? PETSC_TRUE : PETSC_FALSE;
  for (int i = 0; i < there; i++) {
    const uint64_t expected = samples[rank - there + i];

    if (extent[i] == expected) continue;
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %llu along axis %d, the samples have %llu", s->path, path,
      (unsigned long long)extent[i], i, (unsigned long long)expected);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_samples(const fare_samples *s, const char *path, uint64_t n, uint64_t dim)
{
  PetscFunctionBegin;
  if (dim != (uint64_t)s->study->dim)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %llu ax%ss, the truth in %s has %d", s->path, path,
      (unsigned long long)dim, dim == 1 ? "i" : "e", s->study->directory, s->study->dim);
  if (!n) FARE_FAIL(FARE_ERR_INPUT, "%s: %s holds no samples (N = 0)", s->path, path);
  if (n > SAMPLES_MOST)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s claims to hold %llu samples; at most %lld can be read", s->path, path,
      (unsigned long long)n, (long long)SAMPLES_MOST);
  PetscFunctionReturn(0);
}

static PetscErrorCode allocate(fare_samples *s, size_t times, PetscBool grouped)
{
  PetscFunctionBegin;
  s->times = times;
  PetscCall(PetscCalloc5(
    times, &s->snapshot, times, &s->count, times, &s->weighted, times, &s->trained, times, &s->flat));
  if (grouped) PetscCall(PetscCalloc1(times, &s->group));
  PetscFunctionReturn(0);
}

static void list_times(const fare_finished *study, fare_text *to)
{
  enum { MOST = 8 };

  for (size_t k = 0; k < study->snapshots; k++) {
    if (study->snapshots > MOST && k == 3) {
      fare_text_add(to, ", ...");
      k = study->snapshots - 1;
    }
    fare_text_add(to, "%s%.10g", k ? ", " : "", study->time[k]);
  }
}

/* The snapshot that a time of the file means. */
static PetscErrorCode match(fare_samples *s, size_t i, const char *named, double time)
{
  const fare_finished *study   = s->study;
  const double         spacing = study->snapshots > 1
            ? (study->time[study->snapshots - 1] - study->time[0]) / (double)(study->snapshots - 1)
            : 1;
  size_t               nearest = 0;

  PetscFunctionBegin;
  if (!isfinite(time)) FARE_FAIL(FARE_ERR_INPUT, "%s: %s is %g, not a time", s->path, named, time);
  for (size_t k = 1; k < study->snapshots; k++) {
    if (fabs(study->time[k] - time) < fabs(study->time[nearest] - time)) nearest = k;
  }
  if (!(fabs(study->time[nearest] - time) <= TIME_TOLERANCE * spacing)) {
    fare_text      list = {0};
    PetscErrorCode code;

    list_times(study, &list);
    code = fare_error(FARE_ERR_INPUT,
      "%s: %s = %.10g is not the time of a snapshot of %s; there are %zu: %s; the nearest is %.10g", s->path,
      named, time, study->directory, study->snapshots, list.text, study->time[nearest]);
    fare_text_free(&list);
    PetscFunctionReturn(code);
  }
  for (size_t other = 0; other < i; other++) {
    if (s->snapshot[other] == nearest)
      FARE_FAIL(FARE_ERR_INPUT, "%s: %s = %.10g: that time is there twice", s->path, named, time);
  }
  s->snapshot[i] = nearest;
  PetscFunctionReturn(0);
}

/*
  The extents T, N, d of samples, whichever of them a file leaves out: d in one dimension, T where there is
  one time.
*/
static PetscErrorCode read_shape(fare_samples *s, uint64_t times, PetscBool *flat, uint64_t shape[3])
{
  static const char layout[] = "[T, N, d] (times, samples, axes)";
  const PetscBool   line     = s->study->dim == 1 ? PETSC_TRUE : PETSC_FALSE,
                  once       = times == 1 ? PETSC_TRUE : PETSC_FALSE;
  uint64_t extent[4];
  int      rank;

  PetscFunctionBegin;
  PetscCall(check_dataset(s, "/samples", layout, 3 - line - once, 3, PETSC_FALSE, &rank, extent));
  s->timed = rank == 3 || (rank == 2 && line && !(once && extent[1] == 1)) ? PETSC_TRUE : PETSC_FALSE;
  *flat    = rank == (s->timed ? 2 : 1) ? PETSC_TRUE : PETSC_FALSE;
  shape[0] = s->timed ? extent[0] : 1;
  shape[1] = extent[s->timed ? 1 : 0];
  shape[2] = *flat ? 1 : extent[rank - 1];
  if (shape[0] != times) {
    FARE_FAIL(FARE_ERR_INPUT, "%s: /times has %llu time%s, /samples has %llu", s->path,
      (unsigned long long)times, plural(times), (unsigned long long)shape[0]);
  }
  PetscCall(check_samples(s, "/samples", shape[1], shape[2]));
  PetscFunctionReturn(0);
}

/* A number for each time, all at once. */
static PetscErrorCode read_for_times(const fare_samples *s, const char *path, int rank, double to[])
{
  const uint64_t start = 0, count = s->times;

  PetscFunctionBegin;
  PetscCall(fare_store_read(s->store, path, FARE_STORE_FLOAT64, rank, &start, &count, to));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_trained(fare_samples *s, size_t i, const char *named, double trained)
{
  PetscFunctionBegin;
  if (trained != 0 && trained != 1) {
    FARE_FAIL(
      FARE_ERR_INPUT, "%s: %s is %g; expected 1 (learned from) or 0 (held out)", s->path, named, trained);
  }
  s->trained[i] = trained == 1;
  PetscFunctionReturn(0);
}

/* What the generator learned from, where the file says so. */
static PetscErrorCode read_trained(fare_samples *s, double buffer[])
{
  uint64_t extent[4];
  int      rank;

  PetscFunctionBegin;
  PetscCall(fare_store_has(s->store, "/trained", &s->has_trained));
  if (!s->has_trained) PetscFunctionReturn(0);
  PetscCall(check_dataset(s, "/trained", "[T]", s->times == 1 ? 0 : 1, 1, PETSC_TRUE, &rank, extent));
  if (rank && extent[0] != s->times) {
    FARE_FAIL(FARE_ERR_INPUT, "%s: /times has %zu time%s, /trained has %llu", s->path, s->times,
      plural(s->times), (unsigned long long)extent[0]);
  }
  PetscCall(read_for_times(s, "/trained", rank, buffer));
  for (size_t i = 0; i < s->times; i++) {
    char named[64];

    snprintf(named, sizeof named, "/trained[%zu]", i);
    PetscCall(keep_trained(s, i, named, buffer[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_times(fare_samples *s, int rank, double time[])
{
  PetscFunctionBegin;
  PetscCall(read_for_times(s, "/times", rank, time));
  for (size_t i = 0; i < s->times; i++) {
    char named[64];

    snprintf(named, sizeof named, rank ? "/times[%zu]" : "/times", i);
    PetscCall(match(s, i, named, time[i]));
  }
  PetscCall(read_trained(s, time));
  PetscFunctionReturn(0);
}

/* /times [T], /samples [T, N, d], and companions [T, N]. */
static PetscErrorCode open_arrays(fare_samples *s)
{
  uint64_t       times[4] = {1}, shape[3];
  PetscBool      weighted, flat = PETSC_FALSE;
  PetscErrorCode code;
  double        *buffer;
  int            rank;

  PetscFunctionBegin;
  PetscCall(check_dataset(s, "/times", "[T]", 0, 1, PETSC_TRUE, &rank, times));
  if (!rank) times[0] = 1;
  if (!times[0]) FARE_FAIL(FARE_ERR_INPUT, "%s: /times is empty", s->path);
  PetscCall(read_shape(s, times[0], &flat, shape));
  PetscCall(check_companion(s, "/weights", "[T, N]", 1, 2, shape, PETSC_TRUE, &weighted, &s->weights_timed));
  PetscCall(check_companion(s, "/log_density", "[T, N]", times[0] == 1 ? 1 : 2, 2, shape, PETSC_FALSE,
    &s->has_log_density, &s->log_density_timed));
  PetscCall(allocate(s, (size_t)times[0], PETSC_FALSE));
  for (size_t i = 0; i < s->times; i++) {
    s->count[i]    = (int64_t)shape[1];
    s->weighted[i] = weighted;
    s->flat[i]     = flat;
  }
  PetscCall(PetscMalloc1(s->times, &buffer));
  code = read_times(s, rank, buffer);
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(code);
}

/* /times [T] and a density on cells [T, (z, y,) x]. */
static PetscErrorCode open_cells(fare_samples *s)
{
  const int      dim  = s->study->dim;
  const char    *path = fare_cells_path(s->cells);
  uint64_t       times[4], extent[4];
  PetscErrorCode code;
  double        *buffer;
  int            rank;

  PetscFunctionBegin;
  PetscCall(check_dataset(s, "/times", "[T]", 1, 1, PETSC_TRUE, &rank, times));
  PetscCall(
    check_dataset(s, path, "[T, cells of the axes, x last]", dim + 1, dim + 1, PETSC_FALSE, &rank, extent));
  if (!times[0]) FARE_FAIL(FARE_ERR_INPUT, "%s: /times is empty", s->path);
  if (extent[0] != times[0])
    FARE_FAIL(FARE_ERR_INPUT, "%s: /times has %llu time%s, %s has %llu", s->path,
      (unsigned long long)times[0], plural(times[0]), path, (unsigned long long)extent[0]);
  for (int axis = 0; axis < dim; axis++) {
    const uint64_t there = extent[dim - axis], cells = (uint64_t)s->study->grid.cells[axis];

    if (there != cells)
      FARE_FAIL(FARE_ERR_INPUT,
        "%s: %s has %llu cells along %c, the truth in %s has %llu (fare export --grid writes them)", s->path,
        path, (unsigned long long)there, "xyz"[axis], s -> study -> directory, (unsigned long long)cells);
  }
  PetscCall(allocate(s, (size_t)times[0], PETSC_FALSE));
  PetscCall(PetscMalloc1(s->times, &buffer));
  code = read_times(s, 1, buffer);
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(code);
}

/* Whether the file has a density on cells, which stands alone. */
static PetscErrorCode find_cells(fare_samples *s, PetscBool samples)
{
  PetscBool mass, density;

  PetscFunctionBegin;
  PetscCall(fare_store_has(s->store, "/cell_mass", &mass));
  PetscCall(fare_store_has(s->store, "/log_density_cells", &density));
  if (mass + density + samples > 1)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: has more than one of samples, /cell_mass and /log_density_cells; expected one", s->path);
  s->cells = mass ? FARE_CELLS_MASS : density ? FARE_CELLS_LOG_DENSITY : FARE_CELLS_NONE;
  PetscFunctionReturn(0);
}

/* A group's own `trained`, of which all have one or none. */
static PetscErrorCode read_group_trained(fare_samples *s, size_t i)
{
  char      named[2 * GROUP_SIZE];
  PetscBool has;
  double    trained;

  PetscFunctionBegin;
  PetscCall(fare_store_has_attribute(s->store, s->group[i], "trained", &has));
  if (i == 0) s->has_trained = has;
  if (has != s->has_trained) {
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: %s has %s attribute 'trained', %s has %s; expected it at all times or at none", s->path,
      s->group[i], has ? "an" : "no", s->group[0], has ? "none" : "one");
  }
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_get_real(s->store, s->group[i], "trained", &trained));
  snprintf(named, sizeof named, "%s, trained", s->group[i]);
  PetscCall(keep_trained(s, i, named, trained));
  PetscFunctionReturn(0);
}

/* One group: its attribute `time`, samples [N, d], and companions [N]. */
static PetscErrorCode open_group(fare_samples *s, size_t i)
{
  const int least = s->study->dim == 1 ? 1 : 2;
  char      path[2 * GROUP_SIZE], named[2 * GROUP_SIZE];
  uint64_t  extent[4];
  PetscBool log_density, full;
  double    time;
  int       rank;

  PetscFunctionBegin;
  PetscCall(fare_samples_check_names(s, s->group[i], PETSC_FALSE));
  PetscCall(fare_store_get_real(s->store, s->group[i], "time", &time));
  snprintf(path, sizeof path, "%s/samples", s->group[i]);
  PetscCall(check_dataset(s, path, "[N, d] (samples, axes)", least, 2, PETSC_FALSE, &rank, extent));
  s->flat[i] = rank == 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(check_samples(s, path, extent[0], rank == 1 ? 1 : extent[1]));
  s->count[i] = (int64_t)extent[0];
  snprintf(path, sizeof path, "%s/weights", s->group[i]);
  PetscCall(check_companion(s, path, "[N]", 1, 1, extent, PETSC_TRUE, &s->weighted[i], &full));
  snprintf(path, sizeof path, "%s/log_density", s->group[i]);
  PetscCall(check_companion(s, path, "[N]", 1, 1, extent, PETSC_FALSE, &log_density, &full));
  if (!log_density) s->has_log_density = PETSC_FALSE;
  PetscCall(read_group_trained(s, i));
  snprintf(named, sizeof named, "%s, time", s->group[i]);
  PetscCall(match(s, i, named, time));
  PetscFunctionReturn(0);
}

/* Counts the groups /time_..., or names them where there is room already. */
static PetscErrorCode find_groups(fare_samples *s, size_t *count)
{
  char      name[GROUP_SIZE];
  PetscBool has = PETSC_TRUE;

  PetscFunctionBegin;
  *count = 0;
  for (size_t i = 0; has; i++) {
    PetscCall(fare_store_child(s->store, "/", i, sizeof name, name, &has));
    if (!has || strncmp(name, "time_", 5)) continue;
    for (const char *c = name; *c; c++) {
      if (iscntrl((unsigned char)*c))
        FARE_FAIL(FARE_ERR_INPUT,
          "%s: the name of group %zu, which begins as that of a time, has a control character in it", s->path,
          i);
    }
    if (s->group) snprintf(s->group[*count], GROUP_SIZE, "/%.*s", GROUP_SIZE - 2, name);
    ++*count;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode open_any(fare_samples *s)
{
  PetscBool samples, times;
  size_t    groups;

  PetscFunctionBegin;
  PetscCall(fare_store_has(s->store, "/samples", &samples));
  PetscCall(fare_store_has(s->store, "/times", &times));
  PetscCall(find_groups(s, &groups));
  PetscCall(fare_samples_check_names(s, "/", PETSC_FALSE));
  PetscCall(find_cells(s, samples || groups ? PETSC_TRUE : PETSC_FALSE));
  if (s->cells) {
    PetscCall(open_cells(s));
    PetscFunctionReturn(0);
  }
  if ((samples || times) && groups)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: has /samples or /times and groups /time_... too; expected one or the other", s->path);
  if (samples || times) {
    PetscCall(open_arrays(s));
    PetscFunctionReturn(0);
  }
  if (!groups)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: no samples there: neither /times [T] and /samples [T, N, d], nor groups /time_000, ...", s->path);
  PetscCall(allocate(s, groups, PETSC_TRUE));
  PetscCall(find_groups(s, &groups));
  s->has_log_density = PETSC_TRUE;
  for (size_t i = 0; i < groups; i++) PetscCall(open_group(s, i));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_samples_open(const fare_finished *study, const char *path, fare_samples *samples)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  memset(samples, 0, sizeof *samples);
  samples->comm  = study->comm;
  samples->study = study;
  if (strlen(path) >= sizeof samples->path)
    FARE_FAIL(FARE_ERR_INPUT, "the name of the file is longer than a path can be");
  snprintf(samples->path, sizeof samples->path, "%s", path);
  code = fare_store_open(samples->comm, path, &samples->store);
  if (!code) code = open_any(samples);
  if (!code) code = fare_samples_check_names(samples, "/", PETSC_TRUE);
  if (!code && samples->group) code = fare_samples_check_names(samples, samples->group[0], PETSC_TRUE);
  if (code) PetscCall(fare_samples_close(samples));
  PetscFunctionReturn(fare_as_input(code));
}

PetscErrorCode fare_samples_close(fare_samples *samples)
{
  PetscFunctionBegin;
  PetscCall(fare_store_close(&samples->store));
  PetscCall(
    PetscFree5(samples->snapshot, samples->count, samples->weighted, samples->trained, samples->flat));
  PetscCall(PetscFree(samples->group));
  PetscFunctionReturn(0);
}

/* A dataset that has numbers of one time, and where they are in it. */
typedef struct {
  char path[2 * GROUP_SIZE],
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

/* Reads a chunk into the ensemble and looks at every number. */
static PetscErrorCode read_chunk(
  const fare_samples *s, size_t i, int64_t from, int64_t rows, double buffer[], fare_ensemble *e, findings *f)
{
  static const char rule[]  = "; weights are finite and not negative";
  const int64_t     first   = e->first_block * FARE_BLOCK + from;
  const rows_of     samples = rows_at(s, i, "samples", s->timed, s->flat[i] ? 0 : e->dim);
  const rows_of     weights = rows_at(s, i, "weights", s->weights_timed, 0);

  PetscFunctionBegin;
  PetscCall(read_rows(s, i, &samples, first, rows, buffer));
  for (int64_t row = 0; row < rows; row++) take_row(s, &samples, buffer + row * e->dim, from + row, e, f);
  if (!s->weighted[i]) PetscFunctionReturn(0);
  PetscCall(read_rows(s, i, &weights, first, rows, e->weight + from));
  for (int64_t row = 0; row < rows; row++) {
    const double weight = e->weight[from + row];

    if (!(weight >= 0 && isfinite(weight)) && !f->bad)
      f->bad = bad_number(s, &weights, first + row, "", weight, e->time, rule);
  }
  PetscFunctionReturn(0);
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
    fare_warn("%s: the last %lld of %lld samples at time %g are %g, as where nothing was written (was the "
              "writer stopped?)",
      s->path, (long long)rows, (long long)e->count, e->time, f->fill);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_all(const fare_samples *s, size_t i, double buffer[], fare_ensemble *e)
{
  const rows_of samples  = rows_at(s, i, "samples", s->timed, 0);
  int64_t       chunks   = (e->local + CHUNK - 1) / CHUNK;
  double        heaviest = 0;
  findings      f        = {0};

  PetscFunctionBegin;
  PetscCall(fare_store_fill_value(s->store, samples.path, &f.fill));
  /* reading is collective */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &chunks, 1, MPI_INT64_T, MPI_MAX, s->comm));
  for (int64_t c = 0; c < chunks; c++) {
    const int64_t from = PetscMin(c * CHUNK, e->local);

    PetscCall(read_chunk(s, i, from, PetscMin(CHUNK, e->local - from), buffer, e, &f));
  }
  PetscCall(fare_error_agree(s->comm, f.bad));
  PetscCall(warn_of_unwritten(s, e, &f));
  if (!e->weight) PetscFunctionReturn(0);
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
  PetscErrorCode code   = 0;

  PetscFunctionBegin;
  *ensemble = NULL;
  PetscCall(fare_ensemble_create(samples->comm, samples->study->dim, samples->count[i], &e));
  e->time = samples->study->time[samples->snapshot[i]];
  /* the ensemble's from here on */
  if (samples->weighted[i])
    e->weight = calloc((size_t)PetscMax(1, e->blocks) * FARE_BLOCK, sizeof *e->weight);
  if (samples->weighted[i] && !e->weight)
    code = fare_error(FARE_ERR_FAILED, "out of memory for %lld weights", (long long)samples->count[i]);
  code = fare_error_agree(samples->comm, code);
  if (!code) code = PetscMalloc1((size_t)e->dim * (size_t)PetscMin(CHUNK, PetscMax(1, e->local)), &buffer);
  if (!code) code = read_all(samples, i, buffer, e);
  PetscCall(PetscFree(buffer));
  if (code) PetscCall(fare_ensemble_destroy(&e));
  *ensemble = e;
  PetscFunctionReturn(fare_as_input(code));
}

PetscErrorCode fare_samples_read_log_density(
  const fare_samples *s, size_t i, const fare_ensemble *e, double **log_density)
{
  int64_t        chunks = (e->local + CHUNK - 1) / CHUNK;
  const rows_of  of     = rows_at(s, i, "log_density", s->log_density_timed, 0);
  PetscErrorCode bad = 0, code = 0;

  PetscFunctionBegin;
  *log_density = calloc((size_t)PetscMax(1, e->local), sizeof **log_density);
  PetscCall(fare_error_agree(s->comm,
    *log_density ? 0
                 : fare_error(FARE_ERR_FAILED, "out of memory for %lld logarithms", (long long)e->count)));
  /* reading is collective */
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &chunks, 1, MPI_INT64_T, MPI_MAX, s->comm));
  for (int64_t c = 0; c < chunks && !code; c++) {
    const int64_t from = PetscMin(c * CHUNK, e->local), rows = PetscMin(CHUNK, e->local - from),
                  first = e->first_block * FARE_BLOCK + from;

    code = read_rows(s, i, &of, first, rows, *log_density + from);
    for (int64_t row = 0; row < rows && !code; row++) {
      const double value = (*log_density)[from + row];

      if (!isfinite(value) && !bad) {
        bad = bad_number(s, &of, first + row, "", value, e->time, "; a sample has a finite log-density");
      }
    }
  }
  if (!code) code = fare_error_agree(s->comm, bad);
  if (code) {
    free(*log_density);
    *log_density = NULL;
  }
  PetscFunctionReturn(fare_as_input(code));
}
