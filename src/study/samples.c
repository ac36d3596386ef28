/* Somebody else's samples: a file looked through before any number is believed, then read one time after the other. docs/scoring.md has the format. */
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

/* What a dataset must be: so many extents, of numbers that are there. */
static PetscErrorCode check_dataset(const fare_samples *s, const char *path, const char *layout, int rank, PetscBool integers, uint64_t extent[4])
{
  fare_store_kind kind;
  PetscBool       has;
  int             there;

  PetscFunctionBeginUser;
  PetscCall(fare_store_has(s->store, path, &has));
  if (!has) FARE_FAIL(FARE_ERR_INPUT, "%s: has no dataset %s %s", s->path, path, layout);
  PetscCall(fare_store_check_whole(s->store, path));
  PetscCall(fare_store_kind_of(s->store, path, &kind));
  if (kind == FARE_STORE_NEITHER) FARE_FAIL(FARE_ERR_INPUT, "%s: %s holds no numbers; expected a dataset %s of float32 or float64", s->path, path, layout);
  if (kind == FARE_STORE_INTEGERS && !integers) FARE_FAIL(FARE_ERR_INPUT, "%s: %s holds integers; expected %s of float32 or float64", s->path, path, layout);
  PetscCall(fare_store_extents(s->store, path, &there, extent));
  if (there != rank) FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %d extent%s; expected %s", s->path, path, there, plural((uint64_t)there), layout);
  PetscFunctionReturn(0);
}

/* An optional companion of the samples with one number for each. */
static PetscErrorCode check_companion(const fare_samples *s, const char *path, const char *layout, int rank, const uint64_t samples[], PetscBool integers, PetscBool *has)
{
  uint64_t extent[4];

  PetscFunctionBeginUser;
  PetscCall(fare_store_has(s->store, path, has));
  if (!*has) PetscFunctionReturn(0);
  PetscCall(check_dataset(s, path, layout, rank, integers, extent));
  for (int i = 0; i < rank; i++) {
    if (extent[i] != samples[i]) FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %llu along axis %d, the samples have %llu", s->path, path, (unsigned long long)extent[i], i, (unsigned long long)samples[i]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_samples(const fare_samples *s, const char *path, uint64_t n, uint64_t dim)
{
  PetscFunctionBeginUser;
  if (dim != (uint64_t)s->study->dim) FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %llu ax%ss, the truth in %s has %d", s->path, path, (unsigned long long)dim, dim == 1 ? "i" : "e", s->study->directory, s->study->dim);
  if (!n) FARE_FAIL(FARE_ERR_INPUT, "%s: %s holds no samples (N = 0)", s->path, path);
  if (n > SAMPLES_MOST) FARE_FAIL(FARE_ERR_INPUT, "%s: %s claims to hold %llu samples; at most %lld can be read", s->path, path, (unsigned long long)n, (long long)SAMPLES_MOST);
  PetscFunctionReturn(0);
}

static PetscErrorCode allocate(fare_samples *s, size_t times, PetscBool grouped)
{
  PetscFunctionBeginUser;
  s->times = times;
  PetscCall(PetscCalloc3(times, &s->snapshot, times, &s->count, times, &s->weighted));
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
  const double         spacing = study->snapshots > 1 ? (study->time[study->snapshots - 1] - study->time[0]) / (double)(study->snapshots - 1) : 1;
  size_t               nearest = 0;

  PetscFunctionBeginUser;
  if (!isfinite(time)) FARE_FAIL(FARE_ERR_INPUT, "%s: %s is %g, not a time", s->path, named, time);
  for (size_t k = 1; k < study->snapshots; k++) {
    if (fabs(study->time[k] - time) < fabs(study->time[nearest] - time)) nearest = k;
  }
  if (!(fabs(study->time[nearest] - time) <= TIME_TOLERANCE * spacing)) {
    fare_text      list = {0};
    PetscErrorCode code;

    list_times(study, &list);
    code = fare_error(FARE_ERR_INPUT, "%s: %s = %.10g is not the time of a snapshot of %s; there are %zu: %s; the nearest is %.10g", s->path, named, time, study->directory, study->snapshots, list.text, study->time[nearest]);
    fare_text_free(&list);
    PetscFunctionReturn(code);
  }
  for (size_t other = 0; other < i; other++) {
    if (s->snapshot[other] == nearest) FARE_FAIL(FARE_ERR_INPUT, "%s: %s = %.10g: that time is there twice", s->path, named, time);
  }
  s->snapshot[i] = nearest;
  PetscFunctionReturn(0);
}

/* /times [T], /samples [T, N, d], and companions [T, N]. */
static PetscErrorCode open_arrays(fare_samples *s)
{
  const uint64_t start = 0;
  uint64_t       times[4], extent[4];
  PetscBool      weighted;
  PetscErrorCode code = 0;
  double        *time;

  PetscFunctionBeginUser;
  PetscCall(check_dataset(s, "/times", "[T]", 1, PETSC_TRUE, times));
  PetscCall(check_dataset(s, "/samples", "[T, N, d] (times, samples, axes)", 3, PETSC_FALSE, extent));
  if (!times[0]) FARE_FAIL(FARE_ERR_INPUT, "%s: /times is empty", s->path);
  if (extent[0] != times[0]) FARE_FAIL(FARE_ERR_INPUT, "%s: /times has %llu time%s, /samples has %llu", s->path, (unsigned long long)times[0], plural(times[0]), (unsigned long long)extent[0]);
  PetscCall(check_samples(s, "/samples", extent[1], extent[2]));
  PetscCall(check_companion(s, "/weights", "[T, N]", 2, extent, PETSC_TRUE, &weighted));
  PetscCall(check_companion(s, "/log_density", "[T, N]", 2, extent, PETSC_FALSE, &s->has_log_density));
  PetscCall(allocate(s, (size_t)times[0], PETSC_FALSE));
  PetscCall(PetscMalloc1(s->times, &time));
  code = fare_store_read(s->store, "/times", FARE_STORE_FLOAT64, 1, &start, times, time);
  for (size_t i = 0; i < s->times && !code; i++) {
    char named[64];

    snprintf(named, sizeof named, "/times[%zu]", i);
    s->count[i]    = (int64_t)extent[1];
    s->weighted[i] = weighted;
    code           = match(s, i, named, time[i]);
  }
  PetscCall(PetscFree(time));
  PetscFunctionReturn(code);
}

/* /times [T] and a density on cells [T, (z, y,) x]. */
static PetscErrorCode open_cells(fare_samples *s)
{
  const int      dim   = s->study->dim;
  const uint64_t start = 0;
  const char    *path  = fare_cells_path(s->cells);
  uint64_t       times[4], extent[4];
  PetscErrorCode code = 0;
  double        *time;

  PetscFunctionBeginUser;
  PetscCall(check_dataset(s, "/times", "[T]", 1, PETSC_TRUE, times));
  PetscCall(check_dataset(s, path, "[T, cells of the axes, x last]", dim + 1, PETSC_FALSE, extent));
  if (!times[0]) FARE_FAIL(FARE_ERR_INPUT, "%s: /times is empty", s->path);
  if (extent[0] != times[0]) FARE_FAIL(FARE_ERR_INPUT, "%s: /times has %llu time%s, %s has %llu", s->path, (unsigned long long)times[0], plural(times[0]), path, (unsigned long long)extent[0]);
  for (int axis = 0; axis < dim; axis++) {
    const uint64_t there = extent[dim - axis], cells = (uint64_t)s->study->grid.cells[axis];

    if (there != cells) FARE_FAIL(FARE_ERR_INPUT, "%s: %s has %llu cells along %c, the truth in %s has %llu (fare export --grid writes them)", s->path, path, (unsigned long long)there, "xyz"[axis], s->study->directory, (unsigned long long)cells);
  }
  PetscCall(allocate(s, (size_t)times[0], PETSC_FALSE));
  PetscCall(PetscMalloc1(s->times, &time));
  code = fare_store_read(s->store, "/times", FARE_STORE_FLOAT64, 1, &start, times, time);
  for (size_t i = 0; i < s->times && !code; i++) {
    char named[64];

    snprintf(named, sizeof named, "/times[%zu]", i);
    code = match(s, i, named, time[i]);
  }
  PetscCall(PetscFree(time));
  PetscFunctionReturn(code);
}

/* Whether the file has a density on cells, which stands alone. */
static PetscErrorCode find_cells(fare_samples *s, PetscBool samples)
{
  PetscBool mass, density;

  PetscFunctionBeginUser;
  PetscCall(fare_store_has(s->store, "/cell_mass", &mass));
  PetscCall(fare_store_has(s->store, "/log_density_cells", &density));
  if (mass + density + samples > 1) FARE_FAIL(FARE_ERR_INPUT, "%s: has more than one of samples, /cell_mass and /log_density_cells; expected one", s->path);
  s->cells = mass ? FARE_CELLS_MASS : density ? FARE_CELLS_LOG_DENSITY : FARE_CELLS_NONE;
  PetscFunctionReturn(0);
}

/* One group: its attribute `time`, samples [N, d], and companions [N]. */
static PetscErrorCode open_group(fare_samples *s, size_t i)
{
  char      path[2 * GROUP_SIZE], named[2 * GROUP_SIZE];
  uint64_t  extent[4];
  PetscBool log_density;
  double    time;

  PetscFunctionBeginUser;
  PetscCall(fare_store_get_real(s->store, s->group[i], "time", &time));
  snprintf(path, sizeof path, "%s/samples", s->group[i]);
  PetscCall(check_dataset(s, path, "[N, d] (samples, axes)", 2, PETSC_FALSE, extent));
  PetscCall(check_samples(s, path, extent[0], extent[1]));
  s->count[i] = (int64_t)extent[0];
  snprintf(path, sizeof path, "%s/weights", s->group[i]);
  PetscCall(check_companion(s, path, "[N]", 1, extent, PETSC_TRUE, &s->weighted[i]));
  snprintf(path, sizeof path, "%s/log_density", s->group[i]);
  PetscCall(check_companion(s, path, "[N]", 1, extent, PETSC_FALSE, &log_density));
  if (!log_density) s->has_log_density = PETSC_FALSE;
  snprintf(named, sizeof named, "%s, time", s->group[i]);
  PetscCall(match(s, i, named, time));
  PetscFunctionReturn(0);
}

/* Counts the groups /time_..., or names them where there is room already. */
static PetscErrorCode find_groups(fare_samples *s, size_t *count)
{
  char      name[GROUP_SIZE];
  PetscBool has = PETSC_TRUE;

  PetscFunctionBeginUser;
  *count = 0;
  for (size_t i = 0; has; i++) {
    PetscCall(fare_store_child(s->store, "/", i, sizeof name, name, &has));
    if (!has || strncmp(name, "time_", 5)) continue;
    for (const char *c = name; *c; c++) {
      if (iscntrl((unsigned char)*c)) FARE_FAIL(FARE_ERR_INPUT, "%s: the name of group %zu, which begins as that of a time, has a control character in it", s->path, i);
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

  PetscFunctionBeginUser;
  PetscCall(fare_store_has(s->store, "/samples", &samples));
  PetscCall(fare_store_has(s->store, "/times", &times));
  PetscCall(find_groups(s, &groups));
  PetscCall(find_cells(s, samples || groups ? PETSC_TRUE : PETSC_FALSE));
  if (s->cells) {
    PetscCall(open_cells(s));
    PetscFunctionReturn(0);
  }
  if ((samples || times) && groups) FARE_FAIL(FARE_ERR_INPUT, "%s: has /samples or /times and groups /time_... too; expected one or the other", s->path);
  if (samples || times) {
    PetscCall(open_arrays(s));
    PetscFunctionReturn(0);
  }
  if (!groups) FARE_FAIL(FARE_ERR_INPUT, "%s: no samples there: neither /times [T] and /samples [T, N, d], nor groups /time_000, ...", s->path);
  PetscCall(allocate(s, groups, PETSC_TRUE));
  PetscCall(find_groups(s, &groups));
  s->has_log_density = PETSC_TRUE;
  for (size_t i = 0; i < groups; i++) PetscCall(open_group(s, i));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_samples_open(const fare_finished *study, const char *path, fare_samples *samples)
{
  PetscErrorCode code;

  PetscFunctionBeginUser;
  memset(samples, 0, sizeof *samples);
  samples->comm  = study->comm;
  samples->study = study;
  if (strlen(path) >= sizeof samples->path) FARE_FAIL(FARE_ERR_INPUT, "the name of the file is longer than a path can be");
  snprintf(samples->path, sizeof samples->path, "%s", path);
  code = fare_store_open(samples->comm, path, &samples->store);
  if (!code) code = open_any(samples);
  if (code) PetscCall(fare_samples_close(samples));
  PetscFunctionReturn(fare_as_input(code));
}

PetscErrorCode fare_samples_close(fare_samples *samples)
{
  PetscFunctionBeginUser;
  PetscCall(fare_store_close(&samples->store));
  PetscCall(PetscFree3(samples->snapshot, samples->count, samples->weighted));
  PetscCall(PetscFree(samples->group));
  PetscFunctionReturn(0);
}

/* Where rows of a time stand in the file: "/samples[3, 17" or "/time_003/samples[17". */
static void place(const fare_samples *s, size_t i, const char *name, char path[2 * GROUP_SIZE], char index[32])
{
  snprintf(path, 2 * GROUP_SIZE, "%s/%s", s->group ? s->group[i] : "", name);
  *index = '\0';
  if (!s->group) snprintf(index, 32, "%zu, ", i);
}

/* `width` numbers a row (0: one, without an axis of its own), rows [first, first + rows) of the i-th time. */
static PetscErrorCode read_rows(const fare_samples *s, size_t i, const char *path, int64_t first, int64_t rows, int width, double to[])
{
  uint64_t start[3], count[3];
  int      rank = 0;

  PetscFunctionBeginUser;
  if (!s->group) {
    start[rank]   = i;
    count[rank++] = rows ? 1 : 0;
  }
  start[rank]   = (uint64_t)(rows ? first : 0);
  count[rank++] = (uint64_t)rows;
  if (width) {
    start[rank]   = 0;
    count[rank++] = (uint64_t)width;
  }
  if (!rows) memset(start, 0, sizeof start);
  PetscCall(fare_store_read(s->store, path, FARE_STORE_FLOAT64, rank, start, count, to));
  PetscFunctionReturn(0);
}

/* Reads a chunk into the ensemble and looks at every number. `bad` keeps the first that is wrong. */
static PetscErrorCode read_chunk(const fare_samples *s, size_t i, int64_t from, int64_t rows, double buffer[], fare_ensemble *e, PetscErrorCode *bad)
{
  const int64_t first = e->first_block * FARE_BLOCK + from;
  char          path[2 * GROUP_SIZE], index[32];

  PetscFunctionBeginUser;
  place(s, i, "samples", path, index);
  PetscCall(read_rows(s, i, path, first, rows, e->dim, buffer));
  for (int64_t row = 0; row < rows; row++) {
    for (int axis = 0; axis < e->dim; axis++) {
      const double x = buffer[row * e->dim + axis];

      if (!isfinite(x) && !*bad) *bad = fare_error(FARE_ERR_INPUT, "%s: %s[%s%lld, %d] is %g (time %g, row %lld)", s->path, path, index, (long long)(first + row), axis, x, e->time, (long long)(first + row));
      e->x[axis][from + row] = x;
    }
  }
  if (!s->weighted[i]) PetscFunctionReturn(0);
  place(s, i, "weights", path, index);
  PetscCall(read_rows(s, i, path, first, rows, 0, e->weight + from));
  for (int64_t row = from; row < from + rows; row++) {
    if (!(e->weight[row] >= 0 && isfinite(e->weight[row])) && !*bad) *bad = fare_error(FARE_ERR_INPUT, "%s: %s[%s%lld] is %g (time %g, row %lld); weights are finite and not negative", s->path, path, index, (long long)(first + row - from), e->weight[row], e->time, (long long)(first + row - from));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_all(const fare_samples *s, size_t i, double buffer[], fare_ensemble *e)
{
  int64_t        chunks = (e->local + CHUNK - 1) / CHUNK;
  double         heaviest = 0;
  PetscErrorCode bad = 0;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &chunks, 1, MPI_INT64_T, MPI_MAX, s->comm)); /* reading is collective */
  for (int64_t c = 0; c < chunks; c++) {
    const int64_t from = PetscMin(c * CHUNK, e->local);

    PetscCall(read_chunk(s, i, from, PetscMin(CHUNK, e->local - from), buffer, e, &bad));
  }
  PetscCall(fare_error_agree(s->comm, bad));
  if (!e->weight) PetscFunctionReturn(0);
  for (int64_t row = 0; row < e->local; row++) heaviest = PetscMax(heaviest, e->weight[row]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &heaviest, 1, MPI_DOUBLE, MPI_MAX, s->comm));
  if (!(heaviest > 0)) FARE_FAIL(FARE_ERR_INPUT, "%s: all weights are 0 at time %g (index %zu)", s->path, e->time, i);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_samples_read(const fare_samples *samples, size_t i, fare_ensemble **ensemble)
{
  fare_ensemble *e;
  double        *buffer = NULL;
  PetscErrorCode code   = 0;

  PetscFunctionBeginUser;
  *ensemble = NULL;
  PetscCall(fare_ensemble_create(samples->comm, samples->study->dim, samples->count[i], &e));
  e->time = samples->study->time[samples->snapshot[i]];
  if (samples->weighted[i]) e->weight = calloc((size_t)PetscMax(1, e->blocks) * FARE_BLOCK, sizeof *e->weight); /* the ensemble's from here on */
  if (samples->weighted[i] && !e->weight) code = fare_error(FARE_ERR_FAILED, "out of memory for %lld weights", (long long)samples->count[i]);
  code = fare_error_agree(samples->comm, code);
  if (!code) code = PetscMalloc1((size_t)e->dim * (size_t)PetscMin(CHUNK, PetscMax(1, e->local)), &buffer);
  if (!code) code = read_all(samples, i, buffer, e);
  PetscCall(PetscFree(buffer));
  if (code) PetscCall(fare_ensemble_destroy(&e));
  *ensemble = e;
  PetscFunctionReturn(fare_as_input(code));
}

PetscErrorCode fare_samples_read_log_density(const fare_samples *s, size_t i, const fare_ensemble *e, double **log_density)
{
  int64_t        chunks = (e->local + CHUNK - 1) / CHUNK;
  char           path[2 * GROUP_SIZE], index[32];
  PetscErrorCode bad = 0, code = 0;

  PetscFunctionBeginUser;
  *log_density = calloc((size_t)PetscMax(1, e->local), sizeof **log_density);
  PetscCall(fare_error_agree(s->comm, *log_density ? 0 : fare_error(FARE_ERR_FAILED, "out of memory for %lld logarithms", (long long)e->count)));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &chunks, 1, MPI_INT64_T, MPI_MAX, s->comm)); /* reading is collective */
  place(s, i, "log_density", path, index);
  for (int64_t c = 0; c < chunks && !code; c++) {
    const int64_t from = PetscMin(c * CHUNK, e->local), rows = PetscMin(CHUNK, e->local - from), first = e->first_block * FARE_BLOCK + from;

    code = read_rows(s, i, path, first, rows, 0, *log_density + from);
    for (int64_t row = 0; row < rows && !code; row++) {
      const double value = (*log_density)[from + row];

      if (!isfinite(value) && !bad) bad = fare_error(FARE_ERR_INPUT, "%s: %s[%s%lld] is %g (time %g, row %lld); a sample has a finite log-density", s->path, path, index, (long long)(first + row), value, e->time, (long long)(first + row));
    }
  }
  if (!code) code = fare_error_agree(s->comm, bad);
  if (code) {
    free(*log_density);
    *log_density = NULL;
  }
  PetscFunctionReturn(fare_as_input(code));
}
