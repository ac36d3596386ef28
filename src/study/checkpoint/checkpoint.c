/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Checkpoints. A file is complete or absent (it is written beside its name and renamed), carries a checksum of
  itself in its name, and is read only where that still holds; the last two are kept, so that one which is
  damaged later leaves another.
*/
#include "study/run/study.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define FORMAT      "fare-checkpoint 7"
#define KEPT        2
#define NUMBER_MOST 100000000000 /* what a name can hold, and one more */
#define PATH_SIZE   (PETSC_MAX_PATH_LEN + 128)
#define NAME_SIZE   64

/* Which way state goes. What saves and what loads is one walk over what is kept. */
typedef enum { SAVE, LOAD } direction;

/*
  Bytes that rank 0 holds when they are saved, and that every rank with room for them gets when they are
  loaded: at most as many as there are.
*/
static PetscErrorCode move_bytes(direction way, fare_store *store, const char *path, size_t bytes, void *data)
{
  uint64_t  extent[4] = {bytes};
  PetscBool has;
  int       rank;

  PetscFunctionBegin;
  if (!bytes) PetscFunctionReturn(0);
  if (way == SAVE)
    PetscFunctionReturn(fare_store_write_array(store, path, FARE_STORE_UINT8, 1, extent, data));
  PetscCall(fare_store_has(store, path, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_extents(store, path, &rank, extent));
  extent[0] = data ? PetscMin(extent[0], bytes) : 0;
  PetscCall(fare_store_read_array(store, path, FARE_STORE_UINT8, 1, extent, data));
  PetscFunctionReturn(0);
}

/* Padding is stepped like any particle, so it is kept, too: whole blocks, in the order of their numbers. */
static PetscErrorCode move_column(direction way, fare_store *store, const char *group, const char *name,
  const fare_ensemble *e, double values[])
{
  const uint64_t global = (uint64_t)((e->count + FARE_BLOCK - 1) / FARE_BLOCK) * FARE_BLOCK,
                 start = (uint64_t)e->first_block * FARE_BLOCK, count = (uint64_t)e->blocks * FARE_BLOCK;
  char path[PATH_SIZE];

  snprintf(path, sizeof path, "%.400s/%s", group, name);
  return way == SAVE ? fare_store_write(store, path, FARE_STORE_FLOAT64, 1, &global, &start, &count, values)
                     : fare_store_read(store, path, FARE_STORE_FLOAT64, 1, &start, &count, values);
}

static PetscErrorCode move_ensemble(direction way, fare_store *store, const char *group, fare_ensemble *e)
{
  int64_t weighted = e->weight ? 1 : 0;

  PetscFunctionBegin;
  if (way == SAVE) {
    PetscCall(fare_store_group(store, group));
    PetscCall(fare_store_put_real(store, group, "time", e->time));
    PetscCall(fare_store_put_int(store, group, "weighted", weighted));
  } else {
    PetscCall(fare_store_get_real(store, group, "time", &e->time));
    PetscCall(fare_store_get_int(store, group, "weighted", &weighted));
    if (weighted) PetscCall(fare_ensemble_weigh(e));
  }
  for (int axis = 0; axis < e->dim; axis++) {
    char name[16];

    snprintf(name, sizeof name, "x%d", axis);
    PetscCall(move_column(way, store, group, name, e, e->x[axis]));
  }
  if (weighted) PetscCall(move_column(way, store, group, "weight", e, e->weight));
  PetscFunctionReturn(0);
}

static const fare_kept cost_members[] = {
  FARE_KEEP(REAL, fare_cost, train_seconds),
  FARE_KEEP(REAL, fare_cost, sample_seconds),
  FARE_KEEP(INTEGER, fare_cost, force_evaluations),
  FARE_KEEP(INTEGER, fare_cost, network_evaluations),
  FARE_KEPT_END,
};

/* Over all ranks: the slowest's seconds, the sum of evaluations. */
static PetscErrorCode put_cost(MPI_Comm comm, fare_store *store, const char *group, const fare_cost *mine)
{
  fare_cost cost;

  PetscFunctionBegin;
  PetscCall(fare_cost_gather(comm, mine, &cost));
  PetscCall(fare_kept_save(cost_members, &cost, 0, store, group));
  PetscFunctionReturn(0);
}

static PetscErrorCode get_cost(MPI_Comm comm, fare_store *store, const char *group, fare_cost *cost)
{
  PetscFunctionBegin;
  PetscCall(fare_kept_load(cost_members, cost, 0, NULL, store, group));
  /* sums are rank 0's from here on */
  if (!fare_is_rank_0(comm)) cost->force_evaluations = cost->network_evaluations = 0;
  PetscFunctionReturn(0);
}

/* Of a method that is still being trained. */
static PetscErrorCode put_training(fare_run *run, fare_store *store, size_t i, const char *group)
{
  char path[PATH_SIZE + 16];

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/training", group);
  PetscCall(fare_store_group(store, path));
  PetscCall(put_cost(run->comm, store, path, &run->sampler[i]->cost));
  PetscCall(fare_learn_state_save(run->sampler[i]->session.state, store, path));
  PetscFunctionReturn(0);
}

static PetscErrorCode put_method(fare_run *run, fare_store *store, size_t i)
{
  const fare_plan_ensemble *e = &run->plan->ensemble[i];
  char                      group[PATH_SIZE], path[PATH_SIZE + 16];

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/methods/%s", e->name);
  PetscCall(fare_store_group(store, group));
  PetscCall(fare_store_put_int(store, group, "ready", run->ready[i]));
  PetscCall(fare_store_put_int(store, group, "made", run->made[i]));
  if (run->results.failure[i])
    PetscCall(fare_store_put_string(store, group, "failure", run->results.failure[i]));
  if (run->sampler[i]->session.state) PetscCall(put_training(run, store, i, group));
  if (!run->ready[i] || run->results.failure[i]) PetscFunctionReturn(0);
  PetscCall(put_cost(run->comm, store, group, &run->sampler[i]->cost));
  snprintf(path, sizeof path, "%s/state", group);
  PetscCall(fare_store_group(store, path));
  PetscCall(fare_sampler_save(run->sampler[i], store, path));
  snprintf(path, sizeof path, "%s/particles", group);
  PetscCall(move_ensemble(SAVE, store, path, run->ensemble[i]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_has(fare_run *run, size_t i, PetscBool *ready)
{
  char    group[PATH_SIZE];
  int64_t value = 0;

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/methods/%s", run->plan->ensemble[i].name);
  if (run->from) PetscCall(fare_store_get_int(run->from, group, "ready", &value));
  *ready = value ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_load_training(fare_run *run, size_t i)
{
  char      path[PATH_SIZE];
  PetscBool has;

  PetscFunctionBegin;
  if (!run->from) PetscFunctionReturn(0);
  snprintf(path, sizeof path, "/methods/%s/training", run->plan->ensemble[i].name);
  PetscCall(fare_store_has(run->from, path, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(get_cost(run->comm, run->from, path, &run->sampler[i]->cost));
  PetscCall(fare_learn_state_load(&run->sampler[i]->session.state, run->from, path));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_load(fare_run *run, size_t i)
{
  const fare_plan_ensemble *e = &run->plan->ensemble[i];
  char                      group[PATH_SIZE], path[PATH_SIZE + 16], why[2048];
  int64_t                   made, next;

  PetscFunctionBegin;
  snprintf(group, sizeof group, "/methods/%s", e->name);
  if (!fare_store_get_string(run->from, group, "failure", sizeof why, why)) {
    free(run->results.failure[i]);
    run->results.failure[i] = strdup(why);
    PetscFunctionReturn(0);
  }
  PetscCall(fare_store_get_int(run->from, group, "made", &made));
  PetscCall(fare_store_get_int(run->from, "/", "next", &next));
  if (made != next && made != next + 1)
    FARE_FAIL(FARE_ERR_FAILED,
      "--resume: ensemble %s of the checkpoint is at snapshot %lld, the study at %lld", e->name,
      (long long)made, (long long)next);
  run->made[i] = made;
  PetscCall(get_cost(run->comm, run->from, group, &run->sampler[i]->cost));
  snprintf(path, sizeof path, "%s/state", group);
  PetscCall(fare_sampler_load(run->sampler[i], run->from, path));
  snprintf(path, sizeof path, "%s/particles", group);
  PetscCall(move_ensemble(LOAD, run->from, path, run->ensemble[i]));
  PetscFunctionReturn(0);
}

static void measure_names(const fare_plan *plan, fare_text *to)
{
  for (size_t m = 0; m < plan->measures; m++) fare_text_add(to, "%s ", plan->measure[m]->name);
  fare_text_add(to, "%zu", sizeof(fare_measured));
}

/*
  What was found at the snapshots before `next`; what was measured only where `measured`. Sizes and checksums
  of their files are what the run that goes on will trust.
*/
static PetscErrorCode move_results(
  direction way, fare_run *run, fare_store *store, PetscInt64 next, PetscBool measured)
{
  const fare_results *r     = &run->results;
  const size_t        count = (size_t)next;
  char                path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(move_bytes(way, store, "/results/files", count * sizeof *r->file, r->file));
  for (size_t i = 0; i < run->plan->ensembles; i++) {
    snprintf(path, sizeof path, "/results/census/%s", run->plan->ensemble[i].name);
    PetscCall(move_bytes(way, store, path, count * sizeof **r->census, r->census[i]));
    snprintf(path, sizeof path, "/results/dynamics/%s", run->plan->ensemble[i].name);
    if (r->motion[i] && measured)
      PetscCall(move_bytes(way, store, path, count * sizeof **r->motion, r->motion[i]));
  }
  for (size_t i = 0; i < r->comparisons && measured; i++) {
    const fare_compared *c = &r->comparison[i];

    snprintf(path, sizeof path, "/results/measured/%s", c->label);
    PetscCall(move_bytes(way, store, path, count * run->plan->measures * sizeof *c->measured, c->measured));
  }
  for (size_t i = 0; i < r->series && measured; i++) {
    const fare_binned_series *series = &r->binned[i];

    snprintf(path, sizeof path, "/results/series/%s", series->name);
    PetscCall(
      move_bytes(way, store, path, count * fare_results_bins(r) * sizeof *series->mass, series->mass));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode put_results(fare_run *run, fare_store *store, PetscInt64 next)
{
  fare_text names = {0};

  PetscFunctionBegin;
  PetscCall(fare_store_group(store, "/results"));
  measure_names(run->plan, &names);
  PetscCall(fare_store_put_string(store, "/results", "measures", names.text));
  fare_text_free(&names);
  PetscCall(move_results(SAVE, run, store, next, PETSC_TRUE));
  PetscFunctionReturn(0);
}

static PetscErrorCode get_results(fare_run *run, fare_store *store, PetscInt64 next, PetscBool *measured)
{
  fare_text names = {0};
  char      before[4096];

  PetscFunctionBegin;
  PetscCall(fare_store_get_string(store, "/results", "measures", sizeof before, before));
  measure_names(run->plan, &names);
  *measured = strcmp(before, names.text) ? PETSC_FALSE : PETSC_TRUE;
  fare_text_free(&names);
  PetscCall(move_results(LOAD, run, store, next, *measured));
  PetscFunctionReturn(0);
}

/* The numbers of sound names, newest first; on one rank. */
typedef struct {
  size_t count;
  struct {
    long          number;
    unsigned long sum;
    char          name[NAME_SIZE];
  } file[64];
} listing;

static int newer(const void *a, const void *b)
{
  const long x = *(const long *)a, y = *(const long *)b;

  return x < y ? 1 : x > y ? -1 : 0;
}

static void list_files(const char *folder, listing *list)
{
  DIR           *directory = opendir(folder);
  struct dirent *entry;

  list->count = 0;
  while (directory && (entry = readdir(directory)) && list->count < PETSC_STATIC_ARRAY_LENGTH(list->file)) {
    int end = 0;

    if (sscanf(entry->d_name, "checkpoint_%12ld_%8lx.h5%n", &list->file[list->count].number,
          &list->file[list->count].sum, &end) != 2 ||
      !end || entry->d_name[end])
      continue;
    snprintf(list->file[list->count].name, NAME_SIZE, "%.*s", NAME_SIZE - 1, entry->d_name);
    list->count++;
  }
  if (directory) closedir(directory);
  qsort(list->file, list->count, sizeof *list->file, newer);
}

/* Gives the file its checksum and takes away those that are no longer kept; on one rank. */
static PetscErrorCode seal(
  const char *folder, const char *path, int64_t number, uint64_t sum, char sealed[PATH_SIZE + NAME_SIZE])
{
  char    old[PATH_SIZE + NAME_SIZE];
  listing list;

  PetscFunctionBegin;
  snprintf(sealed, PATH_SIZE + NAME_SIZE, "%s/checkpoint_%06lld_%08llx.h5", folder, (long long)number,
    (unsigned long long)sum);
  if (rename(path, sealed)) FARE_FAIL(FARE_ERR_FAILED, "%s: cannot be renamed: %s", path, strerror(errno));
  list_files(folder, &list);
  for (size_t i = KEPT; i < list.count; i++) {
    snprintf(old, sizeof old, "%s/%s", folder, list.file[i].name);
    unlink(old);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode put_all(fare_run *run, fare_store *store, PetscInt64 next)
{
  fare_text plan = {0};

  PetscFunctionBegin;
  PetscCall(fare_store_put_string(store, "/", "format", FORMAT));
  PetscCall(fare_store_put_string(store, "/", "version", fare_version()));
  PetscCall(fare_store_put_int(store, "/", "number", run->checkpoints));
  PetscCall(fare_store_put_int(store, "/", "next", next));
  PetscCall(fare_store_put_int(store, "/", "under_way", run->under_way == next));
  fare_plan_write(run->plan, &plan);
  PetscCall(fare_store_write_text(store, "/plan", plan.text));
  fare_text_free(&plan);
  PetscCall(put_results(run, store, next));
  PetscCall(fare_analysis_keeper_pass(&run->results.keeper, store, PETSC_FALSE));
  PetscCall(fare_rare_results_keep(&run->results.rare, store, PETSC_FALSE));
  PetscCall(fare_checkpoint_put_truth(run, store, next));
  for (size_t i = 0; i < run->plan->ensembles; i++) PetscCall(put_method(run, store, i));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_write(fare_run *run, PetscInt64 next)
{
  const double   began = fare_seconds();
  char           folder[PATH_SIZE], path[PATH_SIZE + 32], sealed[PATH_SIZE + NAME_SIZE] = "";
  fare_store    *store;
  fare_checksum  sum;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_record_hold(run->record));
  snprintf(folder, sizeof folder, "%s/checkpoints", run->plan->directory);
  snprintf(path, sizeof path, "%s/checkpoint_%06lld.h5", folder, (long long)run->checkpoints);
  PetscCall(fare_store_create(run->comm, path, &store));
  code = put_all(run, store, next);
  if (!code)
    code = fare_store_commit(&store);
  else
    fare_store_close(&store);
  PetscCall(code);
  PetscCall(fare_store_checksum(run->comm, path, &sum));
  if (fare_is_rank_0(run->comm)) code = seal(folder, path, run->checkpoints, sum.crc32, sealed);
  PetscCall(fare_error_agree(run->comm, code));
  PetscCallMPI(MPI_Bcast(sealed, sizeof sealed, MPI_CHAR, 0, run->comm));
  fare_advise("--resume continues from %s", sealed);
  run->checkpoints++;
  run->last_checkpoint = fare_seconds();
  run->checkpointing += fare_seconds() - began;
  PetscFunctionReturn(0);
}

static PetscErrorCode get_all(fare_run *run, fare_store *store, PetscInt64 *next, PetscBool *measured)
{
  fare_text      plan = {0};
  char           format[64], version[64];
  int64_t        number, at, under_way;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_store_get_string(store, "/", "format", sizeof format, format));
  PetscCall(fare_store_get_string(store, "/", "version", sizeof version, version));
  if (strcmp(format, FORMAT) || strcmp(version, fare_version()))
    FARE_FAIL(FARE_ERR_INPUT,
      "--resume: the checkpoint was written by FARE %s as '%s'; this is FARE %s, which reads '%s'", version,
      format, fare_version(), FORMAT);
  PetscCall(fare_store_get_int(store, "/", "number", &number));
  PetscCall(fare_store_get_int(store, "/", "next", &at));
  PetscCall(fare_store_get_int(store, "/", "under_way", &under_way));
  if (number < 0 || number > NUMBER_MOST || at < 0 || at > NUMBER_MOST)
    FARE_FAIL(FARE_ERR_INPUT, "--resume: checkpoint number %lld after %lld snapshots is impossible",
      (long long)number, (long long)at);
  PetscCall(fare_store_read_text(store, "/plan", &plan));
  code = fare_plan_continues(run->plan, plan.text, under_way ? at + 1 : at);
  fare_text_free(&plan);
  PetscCall(code);
  if (at > run->plan->snapshots.count)
    FARE_FAIL(FARE_ERR_INPUT, "--resume: the checkpoint was written after %lld snapshots, the plan has %lld",
      (long long)at, (long long)run->plan->snapshots.count);
  run->checkpoints = number + 1;
  *next            = at;
  PetscCall(get_results(run, store, at, measured));
  PetscCall(fare_analysis_keeper_pass(&run->results.keeper, store, PETSC_TRUE));
  PetscCall(fare_rare_results_keep(&run->results.rare, store, PETSC_TRUE));
  PetscFunctionReturn(0);
}

/* The newest file from the at-th on whose checksum holds; "" where there is none. On one rank. */
static void choose(const char *folder, const listing *list, size_t *at, char path[PATH_SIZE])
{
  for (; *at < list->count; ++*at) {
    fare_checksum sum;

    snprintf(path, PATH_SIZE, "%s/%s", folder, list->file[*at].name);
    if (!fare_store_checksum(PETSC_COMM_SELF, path, &sum) && sum.crc32 == list->file[*at].sum) return;
    fare_warn("checkpoint %s is damaged (checksum mismatch)%s", path,
      *at + 1 < list->count ? "; using the previous one" : "");
  }
  *path = '\0';
}

PetscBool fare_checkpoint_find(const char *directory, size_t size, char path[])
{
  char    folder[PATH_SIZE - NAME_SIZE];
  listing list;

  snprintf(folder, sizeof folder, "%.*s/checkpoints", PETSC_MAX_PATH_LEN, directory);
  list_files(folder, &list);
  if (!list.count) return PETSC_FALSE;
  snprintf(path, size, "%s/%s", folder, list.file[0].name);
  return PETSC_TRUE;
}

/*
  Opens the file, and closes it again where a snapshot before it is not whole: that one is made again on the
  way from an earlier moment.
*/
static PetscErrorCode try_open(fare_run *run, const char *path, PetscInt64 *next, PetscBool *measured)
{
  PetscInt64     bad = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_store_open(run->comm, path, &run->from));
  code = get_all(run, run->from, next, measured);
  if (!code) code = fare_run_check_snapshots(run, *next, &bad);
  if (code || bad < *next) PetscCall(fare_store_close(&run->from));
  if (code) PetscFunctionReturn(code);
  if (bad < *next) fare_results_forget_series(&run->results);
  if (bad < *next) fare_warn("%s; it and all later snapshots are recomputed", fare_error_message());
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_open(fare_run *run, PetscInt64 *next, PetscBool *measured)
{
  const PetscBool is_first = fare_is_rank_0(run->comm);
  char            folder[PATH_SIZE - NAME_SIZE], path[PATH_SIZE] = "";
  listing         list = {0};
  size_t          at   = 0;
  int64_t         newest;

  PetscFunctionBegin;
  snprintf(folder, sizeof folder, "%.*s/checkpoints", PETSC_MAX_PATH_LEN, run->plan->directory);
  if (is_first) list_files(folder, &list);
  newest = list.count ? list.file[0].number + 1 : 0;
  for (;; at++) {
    if (is_first) choose(folder, &list, &at, path);
    PetscCallMPI(MPI_Bcast(path, PATH_SIZE, MPI_CHAR, 0, run->comm));
    if (!*path) break;
    PetscCall(try_open(run, path, next, measured));
    if (run->from) break;
  }
  PetscCallMPI(MPI_Bcast(&newest, 1, MPI_INT64_T, 0, run->comm));
  /* whatever was chosen: numbers tell which is newest */
  run->checkpoints     = PetscMax(run->checkpoints, newest);
  run->last_checkpoint = fare_seconds();
  if (!run->from) {
    *next     = 0;
    *measured = PETSC_TRUE;
    fare_log("no checkpoint to resume from: starting the study from the beginning");
    PetscFunctionReturn(0);
  }
  fare_advise("--resume continues from %s", path);
  fare_log("resuming from %s: %lld of %lld snapshots are done", path, (long long)*next,
    (long long)run->plan->snapshots.count);
  PetscFunctionReturn(0);
}
