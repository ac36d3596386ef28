/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A file of somebody else's samples, checked before any number of it is read (samples_read.c): names, extents,
  types, times. docs/scoring.md has the format.
*/
#include "score.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_TOLERANCE 1e-5          /* of the time between snapshots; times in single precision pass */
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
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %d dimension%s; expected %s", s->path, path, *rank,
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
      FARE_FAIL(FARE_ERR_INPUT, "%s: %s = %.10g: duplicate time", s->path, named, time);
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
  const uint64_t count = s->times;

  return fare_store_read_array(s->store, path, FARE_STORE_FLOAT64, rank, &count, to);
}

static PetscErrorCode keep_trained(fare_samples *s, size_t i, const char *named, double trained)
{
  PetscFunctionBegin;
  if (trained != 0 && trained != 1) {
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s is %g; expected 1 (training) or 0 (held out)", s->path, named, trained);
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

static PetscErrorCode match_times(fare_samples *s, int rank, double time[])
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

static PetscErrorCode read_times(fare_samples *s, int rank)
{
  double        *buffer;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(s->times, &buffer));
  code = match_times(s, rank, buffer);
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(code);
}

/* /times [T], /samples [T, N, d], and companions [T, N]. */
static PetscErrorCode open_arrays(fare_samples *s)
{
  uint64_t  times[4] = {1}, shape[3];
  PetscBool weighted, flat = PETSC_FALSE;
  int       rank;

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
  PetscCall(read_times(s, rank));
  PetscFunctionReturn(0);
}

/* /times [T] and a density on cells [T, (z, y,) x]. */
static PetscErrorCode open_cells(fare_samples *s)
{
  const int   dim  = s->study->dim;
  const char *path = fare_cells_path(s->cells);
  uint64_t    times[4], extent[4];
  int         rank;

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
  PetscCall(read_times(s, 1));
  PetscFunctionReturn(0);
}

/* Whether the file has a density on cells, which stands alone. */
static PetscErrorCode find_cells(fare_samples *s, PetscBool samples)
{
  PetscBool mass, density;

  PetscFunctionBegin;
  PetscCall(fare_store_has(s->store, "/cell_mass", &mass));
  PetscCall(fare_store_has(s->store, "/log_density_cells", &density));
  if (mass + density && fare_finished_is_joint(s->study))
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: %s is a density on cells, and the truth in %s (kind '%s') has none: give /samples, with "
      "/log_density where it is known",
      s->path, mass ? "/cell_mass" : "/log_density_cells", s->study->directory, s->study->kind);
  if (mass + density + samples > 1)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: has more than one of samples, /cell_mass and /log_density_cells; expected one", s->path);
  s->cells = mass ? FARE_CELLS_MASS : density ? FARE_CELLS_LOG_DENSITY : FARE_CELLS_NONE;
  PetscFunctionReturn(0);
}

/* A group's own `trained`, of which all have one or none. */
static PetscErrorCode read_group_trained(fare_samples *s, size_t i)
{
  char      named[2 * FARE_GROUP_SIZE];
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
  char      path[2 * FARE_GROUP_SIZE], named[2 * FARE_GROUP_SIZE];
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
  char      name[FARE_GROUP_SIZE];
  PetscBool has = PETSC_TRUE;

  PetscFunctionBegin;
  *count = 0;
  for (size_t i = 0; has; i++) {
    PetscCall(fare_store_child(s->store, "/", i, sizeof name, name, &has));
    if (!has || strncmp(name, "time_", 5)) continue;
    for (const char *c = name; *c; c++) {
      if (iscntrl((unsigned char)*c))
        FARE_FAIL(FARE_ERR_INPUT, "%s: the name of time group %zu contains a control character", s->path, i);
    }
    if (s->group) snprintf(s->group[*count], FARE_GROUP_SIZE, "/%.*s", FARE_GROUP_SIZE - 2, name);
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
  if (s->cells) PetscFunctionReturn(open_cells(s));
  if ((samples || times) && groups)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: has /samples or /times and groups /time_... too; expected one or the other", s->path);
  if (samples || times) PetscFunctionReturn(open_arrays(s));
  if (!groups)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: no samples: neither /times [T] and /samples [T, N, d], nor groups /time_000, ...", s->path);
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
  if (strlen(path) >= sizeof samples->path) FARE_FAIL(FARE_ERR_INPUT, "the path of the file is too long");
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
