/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The particles of one ensemble of a finished study, over all times, in one file: to be trained on in any
  language. docs/scoring.md has the format.
*/
#include "score.h"

#include <fare/tracks.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 256

typedef struct {
  fare_finished *study;
  char           name[128], sampler[64], family[64];
  int64_t        particles, simulated; /* in the snapshots, and how many there were */
  PetscBool      weighted;             /* by the first snapshot */
} source;

static PetscErrorCode attribute(
  const fare_finished *study, const char *ensemble, const char *name, size_t size, char value[])
{
  char path[PATH_SIZE];

  snprintf(path, sizeof path, "/ensembles/%.200s", ensemble);
  return fare_store_get_string(study->store, path, name, size, value);
}

/* All names, for the message that lists them; the simulated ones are counted, and the last of them kept. */
static PetscErrorCode list_ensembles(
  const fare_finished *study, fare_text *names, size_t *simulated, char last[128])
{
  char      name[128], family[64];
  PetscBool has = PETSC_TRUE;

  PetscFunctionBegin;
  *simulated = 0;
  for (size_t i = 0; has; i++) {
    PetscCall(fare_store_child(study->store, "/ensembles", i, sizeof name, name, &has));
    if (!has) continue;
    PetscCall(attribute(study, name, "family", sizeof family, family));
    fare_text_add(names, "%s%s (%s)", i ? ", " : "", name, family);
    if (strcmp(family, "simulation")) continue;
    ++*simulated;
    snprintf(last, 128, "%s", name);
  }
  PetscFunctionReturn(0);
}

/* As many as snapshots hold: they may keep a part of them. */
static PetscErrorCode count_particles(const fare_finished *study, source *of)
{
  uint64_t       extent[4] = {0};
  char           path[PATH_SIZE], component[FARE_COMPONENT_SIZE];
  fare_store    *first;
  PetscErrorCode code;
  int            rank;

  PetscFunctionBegin;
  fare_record_component(study->dim, 0, component);
  snprintf(path, sizeof path, "/data/0/particles/%.128s/position/%s", of->name, component);
  PetscCall(fare_finished_snapshot(study, 0, &first));
  code = fare_store_extents(first, path, &rank, extent);
  PetscCall(fare_store_close(&first));
  PetscCall(code);
  of->particles = (int64_t)extent[0];
  snprintf(path, sizeof path, "/ensembles/%.200s", of->name);
  PetscCall(fare_store_get_int(study->store, path, "particles", &of->simulated));
  PetscFunctionReturn(0);
}

static PetscErrorCode choose(const fare_finished *study, const char *asked, source *of)
{
  fare_text      names = {0};
  char           path[PATH_SIZE], last[128] = "", failure[512];
  size_t         simulated;
  PetscBool      has;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = list_ensembles(study, &names, &simulated, last);
  if (!code && !names.text)
    code = fare_error(FARE_ERR_INPUT, "%s: the study has no ensembles, so there are no particles to export",
      study->directory);
  if (!code && !asked && !simulated)
    code = fare_error(FARE_ERR_INPUT, "%s: it has no simulated ensemble; choose another with --ensemble: %s",
      study->directory, names.text);
  if (!code && !asked && simulated > 1)
    code = fare_error(FARE_ERR_INPUT,
      "%s: it has several simulated ensembles; choose one with --ensemble: %s", study->directory, names.text);
  snprintf(of->name, sizeof of->name, "%s", asked ? asked : last);
  snprintf(path, sizeof path, "/ensembles/%.200s", of->name);
  if (!code) code = fare_store_has(study->store, path, &has);
  if (!code && (!has || !*of->name || strchr(of->name, '/')))
    code = fare_error(FARE_ERR_INPUT, "%s: the study has no ensemble '%.60s'; choose from: %s",
      study->directory, of->name, names.text);
  fare_text_free(&names);
  PetscCall(code);
  PetscCall(attribute(study, of->name, "sampler", sizeof of->sampler, of->sampler));
  PetscCall(attribute(study, of->name, "family", sizeof of->family, of->family));
  PetscCall(count_particles(study, of));
  if (!attribute(study, of->name, "failure", sizeof failure, failure))
    FARE_FAIL(FARE_ERR_INPUT, "%s: ensemble %s ended early and has no particles at some times: %s",
      study->directory, of->name, failure);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_export_describe(
  const fare_finished *study, fare_store *to, const char *format, const char *description)
{
  char date[64];

  PetscFunctionBegin;
  fare_record_date(sizeof date, date);
  PetscCallMPI(MPI_Bcast(date, sizeof date, MPI_CHAR, 0, study->comm));
  PetscCall(fare_store_put_string(to, "/", "format", format));
  PetscCall(fare_store_put_string(to, "/", "description", description));
  PetscCall(fare_store_put_string(to, "/", "study", study->study));
  PetscCall(fare_store_put_string(to, "/", "system", study->system));
  PetscCall(fare_store_put_string(to, "/", "software", "FARE"));
  PetscCall(fare_store_put_string(to, "/", "softwareVersion", fare_version()));
  PetscCall(fare_store_put_string(to, "/", "date", date));
  PetscFunctionReturn(0);
}

/* Times, and numbers of rows and axes from 0: what reads netCDF wants all axes labelled, or none. */
static PetscErrorCode label(const source *from, fare_store *to, const char *path, int axes)
{
  static const char *const names[] = {"times", "particle", "axis"};
  const uint64_t extent[] = {from->study->snapshots, (uint64_t)from->particles, (uint64_t)from->study->dim};
  double        *number;

  PetscFunctionBegin;
  for (int i = 0; i < axes; i++) {
    PetscCall(PetscMalloc1(extent[i], &number));
    for (uint64_t k = 0; k < extent[i]; k++) number[k] = i ? (double)k : from->study->time[k];
    PetscCall(fare_store_label(to, path, i, names[i], extent[i], number));
    PetscCall(PetscFree(number));
  }
  PetscFunctionReturn(0);
}

/* Everything but the particles, for which room is made. */
static PetscErrorCode begin(const source *from, fare_store *to)
{
  const fare_finished *study     = from->study;
  const uint64_t       extent[3] = {study->snapshots, (uint64_t)from->particles, (uint64_t)study->dim},
                 none[3]         = {0, 0, 0};
  char what[512];

  PetscFunctionBegin;
  snprintf(what, sizeof what,
    "particles of the ensemble %s (sampler %s) of the study %s: samples[time, particle, axis]; trained: 1 "
    "for training times, 0 for held-out times",
    from->name, from->sampler, study->study);
  PetscCall(fare_export_describe(study, to, "fare-samples 1.0", what));
  PetscCall(fare_store_put_string(to, "/", "ensemble", from->name));
  PetscCall(fare_store_put_string(to, "/", "sampler", from->sampler));
  PetscCall(fare_store_put_string(to, "/", "family", from->family));
  PetscCall(fare_store_put_string(
    to, "/", "split", study->learned ? "as the study was trained" : "every second time"));
  PetscCall(fare_store_put_int(to, "/", "seed", study->seed));
  PetscCall(fare_store_write_array(to, "/trained", FARE_STORE_UINT8, 1, extent, study->trained));
  PetscCall(fare_store_label(to, "/trained", 0, "times", extent[0], study->time));
  PetscCall(fare_store_write(to, "/samples", FARE_STORE_FLOAT64, 3, extent, none, none, NULL));
  PetscCall(label(from, to, "/samples", 3));
  if (!from->weighted) PetscFunctionReturn(0);
  PetscCall(fare_store_write(to, "/weights", FARE_STORE_FLOAT64, 2, extent, none, none, NULL));
  PetscCall(label(from, to, "/weights", 2));
  PetscFunctionReturn(0);
}

static const char *species(const source *from, size_t snapshot, const char *what, char path[PATH_SIZE])
{
  snprintf(path, PATH_SIZE, "/data/%zu/particles/%.128s/%s", snapshot, from->name, what);
  return path;
}

/* One component of all particles here. A weighting that is constant is a group, not a dataset. */
static PetscErrorCode read_component(
  fare_store *snapshot, const char *path, uint64_t first, uint64_t count, double to[])
{
  fare_store_kind kind;

  PetscFunctionBegin;
  PetscCall(fare_store_kind_of(snapshot, path, &kind));
  if (kind == FARE_STORE_NEITHER) {
    for (uint64_t i = 0; i < count; i++) to[i] = 1;
  } else {
    PetscCall(fare_store_read(snapshot, path, FARE_STORE_FLOAT64, 1, &first, &count, to));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode copy(const source *from, size_t k, fare_store *snapshot, fare_store *to, uint64_t first,
  uint64_t count, double component[], double rows[])
{
  const size_t   dim      = (size_t)from->study->dim;
  const uint64_t start[3] = {k, count ? first : 0, 0}, box[3] = {count ? 1 : 0, count, dim};
  char           path[PATH_SIZE];

  PetscFunctionBegin;
  for (size_t axis = 0; axis < dim; axis++) {
    char      name[FARE_COMPONENT_SIZE], position[FARE_COMPONENT_SIZE + 16];
    PetscBool has;

    fare_record_component((int)dim, (int)axis, name);
    snprintf(position, sizeof position, "position/%s", name);
    PetscCall(fare_store_has(snapshot, species(from, k, position, path), &has));
    if (!has)
      FARE_FAIL(
        FARE_ERR_FAILED, "%s: snapshot %zu has no particles of %s", from->study->directory, k, from->name);
    PetscCall(read_component(snapshot, path, first, count, component));
    for (uint64_t i = 0; i < count; i++) rows[i * dim + axis] = component[i];
  }
  PetscCall(fare_store_fill(to, "/samples", FARE_STORE_FLOAT64, 3, start, box, rows));
  if (!from->weighted) PetscFunctionReturn(0);
  PetscCall(read_component(snapshot, species(from, k, "weighting", path), first, count, component));
  PetscCall(fare_store_fill(to, "/weights", FARE_STORE_FLOAT64, 2, start, box, component));
  PetscFunctionReturn(0);
}

/* One time after the other; the ranks share its particles. */
static PetscErrorCode copy_all(const source *from, fare_store *to)
{
  const uint64_t all = (uint64_t)from->particles;
  uint64_t       first, count;
  double        *component, *rows;
  PetscErrorCode code = 0;
  int            rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(from->study->comm, &rank));
  PetscCallMPI(MPI_Comm_size(from->study->comm, &size));
  first = all * (uint64_t)rank / (uint64_t)size;
  count = all * (uint64_t)(rank + 1) / (uint64_t)size - first;
  PetscCall(PetscMalloc2(count, &component, count * (uint64_t)from->study->dim, &rows));
  for (size_t k = 0; k < from->study->snapshots && !code; k++) {
    fare_store *snapshot;

    code = fare_as_input(fare_finished_snapshot(from->study, k, &snapshot));
    if (!code) code = copy(from, k, snapshot, to, first, count, component, rows);
    PetscCall(fare_store_close(&snapshot));
  }
  PetscCall(PetscFree2(component, rows));
  PetscFunctionReturn(code);
}

static PetscErrorCode is_weighted(source *from)
{
  fare_store     *first;
  fare_store_kind kind;
  char            path[PATH_SIZE];
  PetscErrorCode  code;

  PetscFunctionBegin;
  PetscCall(fare_finished_snapshot(from->study, 0, &first));
  code           = fare_store_kind_of(first, species(from, 0, "weighting", path), &kind);
  from->weighted = kind == FARE_STORE_REALS ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fare_store_close(&first));
  PetscFunctionReturn(code);
}

static PetscErrorCode fill(const void *context, fare_store *to)
{
  const source *from = context;

  PetscFunctionBegin;
  PetscCall(begin(from, to));
  PetscCall(fare_export_protocol(from->study, to));
  PetscCall(copy_all(from, to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_export_write(MPI_Comm comm, const char                 *path,
  PetscErrorCode (*write)(const void *context, fare_store *to), const void *context)
{
  fare_store    *to;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  if (fare_is_rank_0(comm) && !access(path, F_OK))
    code = fare_error(FARE_ERR_INPUT, "%s: exists already; choose another name with --out", path);
  PetscCall(fare_error_agree(comm, code));
  PetscCall(fare_store_create(comm, path, &to));
  code = write(context, to);
  if (!code) code = fare_store_commit(&to);
  PetscCall(fare_store_close(&to));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_export(MPI_Comm comm, const char *directory, const char *ensemble, const char *path)
{
  fare_finished  study;
  source         from = {.study = &study};
  char           usual[sizeof study.study + 16];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_finished_open(comm, directory, &study));
  code = fare_as_input(choose(&study, ensemble, &from));
  if (!code) code = fare_as_input(is_weighted(&from));
  snprintf(usual, sizeof usual, "%s_training.h5", study.study);
  if (!path) path = usual;
  if (!code) code = fare_export_write(comm, path, fill, &from);
  if (!code && fare_is_rank_0(comm)) {
    size_t trained  = 0;
    char   kept[64] = "";

    if (from.particles < from.simulated) snprintf(kept, sizeof kept, " of %lld", (long long)from.simulated);
    for (size_t k = 0; k < study.snapshots; k++) trained += study.trained[k];
    printf("%s: %lld%s particles%s of %s in %d dimension%s at %zu times, %zu of them for training (%s)\n",
      path, (long long)from.particles, kept, *kept ? " (kept by the record)" : "", from.name, study.dim,
      study.dim > 1 ? "s" : "", study.snapshots, trained,
      study.learned ? "as the study was" : "every second");
  }
  PetscCall(fare_finished_close(&study));
  PetscFunctionReturn(code);
}

/* Rows of a share of the particles, a track after the other. */
typedef struct {
  uint64_t first, count; /* particles */
  int64_t *id;           /* per row, as the time and the position */
  double  *time, *x;
  double  *component; /* per particle */
  int64_t *now;       /* ids of a snapshot, alike */
} share;

static PetscErrorCode take_snapshot(const source *from, size_t k, fare_store *snapshot, share *s)
{
  const size_t T = from->study->snapshots, dim = (size_t)from->study->dim;
  char         path[PATH_SIZE], name[FARE_COMPONENT_SIZE], position[FARE_COMPONENT_SIZE + 16];

  PetscFunctionBegin;
  PetscCall(fare_store_read(
    snapshot, species(from, k, "id", path), FARE_STORE_INT64, 1, &s->first, &s->count, s->now));
  for (uint64_t i = 0; i < s->count; i++) {
    if (k && s->id[i * T] != s->now[i])
      FARE_FAIL(FARE_ERR_FAILED, "%s: snapshot %zu holds other particles of %s than the first one",
        from->study->directory, k, from->name);
    s->id[i * T + k]   = s->now[i];
    s->time[i * T + k] = from->study->time[k];
  }
  for (size_t axis = 0; axis < dim; axis++) {
    fare_record_component((int)dim, (int)axis, name);
    snprintf(position, sizeof position, "position/%s", name);
    PetscCall(read_component(snapshot, species(from, k, position, path), s->first, s->count, s->component));
    for (uint64_t i = 0; i < s->count; i++) s->x[(i * T + k) * dim + axis] = s->component[i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode take_tracks(const source *from, share *s)
{
  PetscFunctionBegin;
  for (size_t k = 0; k < from->study->snapshots; k++) {
    fare_store    *snapshot;
    PetscErrorCode code;

    PetscCall(fare_as_input(fare_finished_snapshot(from->study, k, &snapshot)));
    code = fare_error_agree(from->study->comm, take_snapshot(from, k, snapshot, s));
    PetscCall(fare_store_close(&snapshot));
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode fill_tracks(const void *context, fare_store *to)
{
  const source  *from = context;
  const uint64_t all = (uint64_t)from->particles, T = from->study->snapshots,
                 dim = (uint64_t)from->study->dim;
  share          s   = {0};
  char           what[512];
  int            rank, size;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(from->study->comm, &rank));
  PetscCallMPI(MPI_Comm_size(from->study->comm, &size));
  s.first = all * (uint64_t)rank / (uint64_t)size;
  s.count = all * (uint64_t)(rank + 1) / (uint64_t)size - s.first;
  if (!s.count) s.first = 0;
  snprintf(what, sizeof what,
    "tracks of the ensemble %s (sampler %s) of the study %s: rows of id, time, position", from->name,
    from->sampler, from->study->study);
  PetscCall(fare_export_describe(from->study, to, FARE_TRACKS_FORMAT, what));
  PetscCall(fare_tracks_begin(to, from->study->dim, all * T));
  PetscCall(PetscMalloc5(s.count * T, &s.id, s.count * T, &s.time, s.count * T * dim, &s.x, s.count,
    &s.component, s.count, &s.now));
  code = take_tracks(from, &s);
  if (!code) code = fare_tracks_fill(to, from->study->dim, s.first * T, s.count * T, s.id, s.time, s.x);
  PetscCall(PetscFree5(s.id, s.time, s.x, s.component, s.now));
  PetscFunctionReturn(code);
}

/* Only simulated particles pass from one snapshot to the next, and those that end have weights. */
static PetscErrorCode check_tracks(const source *from)
{
  PetscFunctionBegin;
  if (strcmp(from->family, "simulation"))
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: the particles of %s (%s) are drawn anew at each time and have no tracks: choose a simulated "
      "ensemble",
      from->study->directory, from->name, from->sampler);
  if (from->weighted)
    FARE_FAIL(FARE_ERR_INPUT, "%s: particles of %s have weights, as some are absorbed: tracks have none",
      from->study->directory, from->name);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_export_tracks(
  MPI_Comm comm, const char *directory, const char *ensemble, const char *path)
{
  fare_finished  study;
  source         from = {.study = &study};
  char           usual[sizeof study.study + 16];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_finished_open(comm, directory, &study));
  code = fare_as_input(choose(&study, ensemble, &from));
  if (!code) code = fare_as_input(is_weighted(&from));
  if (!code) code = check_tracks(&from);
  snprintf(usual, sizeof usual, "%s_tracks.h5", study.study);
  if (!path) path = usual;
  if (!code) code = fare_export_write(comm, path, fill_tracks, &from);
  if (!code && fare_is_rank_0(comm))
    printf("%s: %lld tracks of %s in %d dimension%s at %zu times\n", path, (long long)from.particles,
      from.name, study.dim, study.dim > 1 ? "s" : "", study.snapshots);
  PetscCall(fare_finished_close(&study));
  PetscFunctionReturn(code);
}
