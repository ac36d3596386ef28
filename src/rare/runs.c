/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Runs, spread over the ranks: whole runs first; where fewer are left than there are ranks, each of them is
  made by a team of ranks, which share its paths and all hold its state. All pause from time to time, for a
  line of progress and a checkpoint, which keeps the state of runs under way. Neither teams nor pauses change
  a bit: what a path does depends on itself alone, and sums over paths are made in their order.
*/
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLICE    0.25 /* seconds between pauses */
#define TOGETHER 512  /* paths of each rank between two looks at the clock */

/* 64-bit words that a state is written to, or read from: one function says both. */
typedef struct {
  uint64_t *word;
  size_t    count, room;
  PetscBool reads, failed;
} tape;

static void pass(tape *t, void *eight_bytes)
{
  if (t->failed) return;
  if (t->reads) {
    t->failed = t->count == t->room ? PETSC_TRUE : PETSC_FALSE;
    if (!t->failed) memcpy(eight_bytes, &t->word[t->count++], sizeof *t->word);
    return;
  }
  if (t->count == t->room) {
    const size_t room = 2 * t->room + 1024;
    uint64_t    *more = realloc(t->word, room * sizeof *more);

    t->failed = more ? PETSC_FALSE : PETSC_TRUE;
    if (!more) return;
    t->word = more;
    t->room = room;
  }
  memcpy(&t->word[t->count++], eight_bytes, sizeof *t->word);
}

static void pass_path(tape *t, fare_path *path)
{
  int64_t slot = path->slot, generation = path->generation, end = path->end;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) pass(t, &path->x[axis]);
  pass(t, &path->step);
  pass(t, &path->born);
  pass(t, &slot);
  pass(t, &generation);
  pass(t, &end);
  pass(t, &path->log_weight);
  pass(t, &path->own);
  pass(t, &path->mark);
  path->slot       = (uint32_t)slot;
  path->generation = (uint32_t)generation;
  path->end        = (fare_path_end)end;
}

static PetscBool make_room(fare_past *past, size_t count)
{
  const size_t    room = PetscMax(count, 2 * past->room);
  fare_milestone *more;

  if (count <= past->room) return PETSC_TRUE;
  more = realloc(past->at, room * sizeof *more);
  if (!more) return PETSC_FALSE;
  past->at   = more;
  past->room = room;
  return PETSC_TRUE;
}

/* Milestones from the first that are asked for. */
static void pass_past(tape *t, fare_past *past, size_t first)
{
  int64_t count = (int64_t)past->count;

  pass(t, &count);
  if (t->failed) return;
  if (t->reads && !make_room(past, (size_t)count)) {
    t->failed = PETSC_TRUE;
    return;
  }
  past->count = (size_t)count;
  for (size_t k = first; k < past->count; k++) {
    pass(t, &past->at[k].score);
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) pass(t, &past->at[k].x[axis]);
    pass(t, &past->at[k].step);
  }
}

static PetscErrorCode pass_run(tape *t, size_t details, fare_rare_state *run)
{
  int64_t count = (int64_t)run->count, has_past = run->past != NULL;
  double *once = (double *)&run->once;

  PetscFunctionBegin;
  pass(t, &run->stage);
  pass(t, &run->until);
  pass(t, &run->steps);
  pass(t, &run->value);
  for (int k = 0; k < FARE_RARE_ONCE; k++) pass(t, &once[k]);
  for (size_t k = 0; k < details; k++) pass(t, &run->detail[k]);
  pass(t, &count);
  pass(t, &has_past);
  if (t->reads && !t->failed)
    PetscCall(fare_rare_hold(run, (size_t)count, has_past ? PETSC_TRUE : PETSC_FALSE));
  for (int64_t i = 0; i < count && !t->failed; i++) {
    pass_path(t, &run->path[i]);
    if (has_past) pass_past(t, &run->past[i], 0);
  }
  if (t->failed) FARE_FAIL(FARE_ERR_FAILED, "the state of a run cannot be %s", t->reads ? "read" : "kept");
  PetscFunctionReturn(0);
}

static PetscErrorCode let_go(fare_rare_state *run)
{
  PetscFunctionBegin;
  for (size_t i = 0; run->past && i < run->count; i++) free(run->past[i].at);
  PetscCall(PetscFree(run->path));
  PetscCall(PetscFree(run->past));
  run->count = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_hold(fare_rare_state *run, size_t count, PetscBool past)
{
  PetscFunctionBegin;
  PetscCall(let_go(run));
  PetscCall(PetscCalloc1(count, &run->path));
  if (past) PetscCall(PetscCalloc1(count, &run->past));
  run->count = count;
  PetscFunctionReturn(0);
}

void fare_rare_remember(fare_rare_state *run, size_t i, double score, const fare_path *path)
{
  fare_past      *past = &run->past[i];
  fare_milestone *m;

  if (past->count == past->room && !make_room(past, PetscMax(4, past->count + 1))) {
    run->full = PETSC_TRUE;
    return;
  }
  m        = &past->at[past->count++];
  m->score = score;
  m->step  = path->step;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) m->x[axis] = path->x[axis];
}

PetscErrorCode fare_rare_is_over(
  const fare_rare_context *context, const fare_rare_state *run, PetscBool *over)
{
  int ranks, is = fare_seconds() >= run->pause_at;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(context->team, &ranks));
  if (ranks > 1) PetscCallMPI(MPI_Bcast(&is, 1, MPI_INT, 0, context->team));
  *over = is ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* Paths of one rank, and what their pasts have gained beyond before[]. */
static void pass_paths(
  tape *t, size_t count, const size_t which[], const size_t before[], fare_rare_state *run)
{
  for (size_t k = 0; k < count; k++) {
    pass_path(t, &run->path[which[k]]);
    if (run->past) pass_past(t, &run->past[which[k]], before[k]);
  }
}

/* The k-th of so many shares of paths. */
static size_t share(size_t count, int k, int of)
{
  return count * (size_t)k / (size_t)of;
}

/* What each rank of the team has walked goes to the others: words[] of them, those of this rank on its tape.
 */
static PetscErrorCode exchange(MPI_Comm team, size_t count, const size_t which[], const size_t before[],
  const int64_t words[][2], tape *own, fare_rare_state *run)
{
  size_t    most = 0;
  uint64_t *other;
  int       rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(team, &ranks));
  PetscCallMPI(MPI_Comm_rank(team, &rank));
  for (int k = 0; k < ranks; k++) most = PetscMax(most, (size_t)words[k][0]);
  PetscCall(PetscMalloc1(most, &other));
  for (int k = 0; k < ranks; k++) {
    const size_t first = share(count, k, ranks);
    tape         t     = {.word = other, .room = (size_t)words[k][0], .reads = PETSC_TRUE};

    PetscCallMPI(MPI_Bcast(k == rank ? own->word : other, (int)words[k][0], MPI_UINT64_T, k, team));
    if (k == rank) continue;
    pass_paths(&t, share(count, k + 1, ranks) - first, which + first, before + first, run);
    if (t.failed) run->full = PETSC_TRUE;
  }
  PetscCall(PetscFree(other));
  PetscFunctionReturn(0);
}

/* Paths which[0..count-1], each by one rank of the team. */
static PetscErrorCode walk_together(
  const fare_walk *walk, size_t count, const size_t which[], size_t before[], fare_rare_state *run)
{
  const MPI_Comm team = walk->context->team;
  int64_t        own[2], (*all)[2], steps = 0;
  size_t         first, many;
  int            rank, ranks;
  PetscBool      failed = PETSC_FALSE;
  PetscErrorCode code;
  tape           t = {0};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(team, &ranks));
  PetscCallMPI(MPI_Comm_rank(team, &rank));
  PetscCall(PetscMalloc1(ranks, &all));
  first = share(count, rank, ranks);
  many  = share(count, rank + 1, ranks) - first;
  for (size_t k = 0; k < count && run->past; k++) before[k] = run->past[which[k]].count;
  code = fare_paths_walk(walk, many, which + first, run->path, &steps);
  pass_paths(&t, many, which + first, before + first, run);
  if (!code && (t.failed || run->full))
    code = fare_error(FARE_ERR_FAILED, "out of memory for records of paths");
  own[0] = code ? -1 : (int64_t)t.count;
  own[1] = steps;
  PetscCallMPI(MPI_Allgather(own, 2, MPI_INT64_T, all, 2, MPI_INT64_T, team));
  for (int k = 0; k < ranks; k++) {
    run->steps += all[k][1];
    if (all[k][0] < 0) failed = PETSC_TRUE;
  }
  if (failed)
    code = fare_error_agree(team, code);
  else
    code = exchange(team, count, which, before, (const int64_t(*)[2])all, &t, run);
  free(t.word);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(code);
}

/* Of fewer paths than the team has ranks, all by each. */
static PetscErrorCode walk_some(
  const fare_walk *walk, size_t count, const size_t which[], size_t before[], fare_rare_state *run)
{
  int ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(walk->context->team, &ranks));
  if (ranks > 1 && count >= (size_t)ranks)
    PetscCall(walk_together(walk, count, which, before, run));
  else
    PetscCall(fare_paths_walk(walk, count, which, run->path, &run->steps));
  if (run->full) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the records of paths");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_walk(const fare_walk *walk, fare_rare_state *run, PetscBool *ended)
{
  size_t        *which, *before, next = 0, most;
  int            ranks;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(walk->context->team, &ranks));
  most = (size_t)ranks * TOGETHER;
  PetscCall(PetscMalloc2(PetscMin(most, run->count), &which, PetscMin(most, run->count), &before));
  for (*ended = PETSC_FALSE; !*ended && !code;) {
    PetscBool over  = PETSC_FALSE;
    size_t    count = 0;

    for (; next < run->count && count < most; next++) {
      if (fare_path_goes_on(&run->path[next], walk->until)) which[count++] = next;
    }
    *ended = count ? PETSC_FALSE : PETSC_TRUE;
    if (*ended) break;
    code = fare_rare_is_over(walk->context, run, &over);
    if (over || code) break;
    code = walk_some(walk, count, which, before, run);
  }
  PetscCall(PetscFree2(which, before));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_sample(const fare_walk *walk, int64_t paths, fare_rare_state *run,
  void (*count)(const fare_path *path, fare_rare_state *run), PetscBool *ended)
{
  int ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(walk->context->team, &ranks));
  for (;;) {
    if (!run->count) {
      PetscCall(fare_rare_hold(run, (size_t)PetscMin(ranks * TOGETHER, paths - run->stage), PETSC_FALSE));
      for (size_t i = 0; i < run->count; i++)
        run->path[i] = fare_path_begin(walk->context, (uint32_t)(run->stage + (int64_t)i));
    }
    PetscCall(fare_rare_walk(walk, run, ended));
    if (!*ended) break;
    for (size_t i = 0; i < run->count; i++) count(&run->path[i], run);
    run->stage += (int64_t)run->count;
    run->count = 0;
    if (run->stage == paths) break;
  }
  run->share = (double)run->stage / (double)paths;
  PetscFunctionReturn(0);
}

/* A run that is not begun. */
static fare_rare_state fresh(int64_t number, double detail[])
{
  return (fare_rare_state){.number = number,
    .until                         = -1,
    .present                       = NAN,
    .present_error                 = NAN,
    .detail                        = detail,
    .begun                         = PETSC_TRUE};
}

static size_t details_of(const fare_rare_job *job)
{
  return job->type->details ? job->type->details(job->options) : 0;
}

PetscErrorCode fare_rare_run_through(const fare_rare_job *job, int64_t number, fare_rare_once *once)
{
  fare_rare_state run;
  double         *detail;
  PetscBool       ended;
  PetscErrorCode  code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(details_of(job) + 1, &detail));
  run          = fresh(number, detail);
  run.pause_at = HUGE_VAL;
  code         = job->type->run(job->options, job->context, job->work, &run, &ended);
  *once        = run.once;
  PetscCall(let_go(&run));
  PetscCall(PetscFree(detail));
  PetscFunctionReturn(code);
}

/*
  Some runs, and the teams that make them: team k the runs list[k], list[k + teams], and so on. The state of
  the one that is under way stays between two slices.
*/
typedef struct {
  const fare_rare_job *job;
  MPI_Comm             team;
  int                  teams, mine;
  PetscBool            leads; /* the first rank of its team */
  int64_t              count, at;
  const int64_t       *list;
  fare_rare_state      run;
  double              *detail; /* of the run under way */
  double              *made;   /* of this team, by place in the list */
} shift;

struct fare_rare_under_way {
  size_t    row;   /* to which they belong */
  shift    *now;   /* NULL: none is under way on any rank */
  int64_t   count; /* read from a checkpoint and not gone on with yet, ... */
  int64_t  *number, *words;
  uint64_t *word; /* ... one behind the other */
};

void fare_rare_under_way_free(fare_rare_under_way **under_way)
{
  fare_rare_under_way *u = *under_way;

  if (!u) return;
  free(u->number);
  free(u->words);
  free(u->word);
  free(u);
  *under_way = NULL;
}

/* The state of run `number` that a checkpoint held, if it did: it goes on from there. */
static PetscErrorCode take_up(const fare_rare_under_way *u, size_t details, fare_rare_state *run)
{
  int64_t first = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < u->count; first += u->words[i++]) {
    tape t = {.word = u->word + first, .room = (size_t)u->words[i], .reads = PETSC_TRUE};

    if (u->number[i] == run->number) PetscCall(pass_run(&t, details, run));
  }
  PetscFunctionReturn(0);
}

/* It is made: its state is of no more use. */
static void drop(fare_rare_under_way *u, int64_t number)
{
  int64_t first = 0, all = 0;

  for (int64_t i = 0; i < u->count; i++) all += u->words[i];
  for (int64_t i = 0; i < u->count; first += u->words[i++]) {
    if (u->number[i] != number) continue;
    memmove(
      u->word + first, u->word + first + u->words[i], (size_t)(all - first - u->words[i]) * sizeof *u->word);
    memmove(u->number + i, u->number + i + 1, (size_t)(u->count - i - 1) * sizeof *u->number);
    memmove(u->words + i, u->words + i + 1, (size_t)(u->count - i - 1) * sizeof *u->words);
    u->count--;
    return;
  }
}

/* What this rank puts into a checkpoint: the run that it leads; rank 0 those, too, that none goes on with
 * yet. */
typedef struct {
  int64_t  count, *number, *words;
  tape     tape;
  uint64_t start[2], global[2]; /* of entries and of words, over all ranks */
} share_of_state;

static PetscErrorCode pack(const fare_rare_under_way *u, MPI_Comm comm, share_of_state *to)
{
  const shift *s   = u->now;
  int64_t      own = s && s->leads && s->run.begun ? s->run.number : -1, *all;
  int          ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscMalloc1(ranks, &all));
  PetscCall(PetscMalloc2(u->count + 1, &to->number, u->count + 1, &to->words));
  PetscCallMPI(MPI_Allgather(&own, 1, MPI_INT64_T, all, 1, MPI_INT64_T, comm));
  if (own >= 0) {
    fare_rare_state run = s->run;

    PetscCall(pass_run(&to->tape, details_of(s->job), &run));
    to->number[to->count]  = own;
    to->words[to->count++] = (int64_t)to->tape.count;
  }
  for (int64_t i = 0, first = 0; fare_is_rank_0(comm) && i < u->count; first += u->words[i++]) {
    PetscBool goes_on = PETSC_FALSE;

    for (int k = 0; k < ranks; k++) goes_on |= all[k] == u->number[i];
    if (goes_on) continue;
    for (int64_t k = 0; k < u->words[i]; k++) pass(&to->tape, &u->word[first + k]);
    to->number[to->count]  = u->number[i];
    to->words[to->count++] = u->words[i];
  }
  PetscCall(PetscFree(all));
  if (to->tape.failed) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the state of runs");
  PetscFunctionReturn(0);
}

/* Where each rank's share begins. */
static PetscErrorCode lay_out(MPI_Comm comm, share_of_state *to)
{
  const uint64_t own[2] = {(uint64_t)to->count, to->tape.count};
  int            rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Exscan(own, to->start, 2, MPI_UINT64_T, MPI_SUM, comm));
  if (!rank) to->start[0] = to->start[1] = 0;
  PetscCallMPI(MPI_Allreduce(own, to->global, 2, MPI_UINT64_T, MPI_SUM, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_under_way_put(
  const fare_rare_under_way *u, size_t row, fare_store *store, const char *folder)
{
  const MPI_Comm comm = fare_store_comm(store);
  share_of_state s    = {0};
  uint64_t       count[2];
  char           path[64];
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!u || u->row != row) PetscFunctionReturn(0);
  code = fare_error_agree(comm, pack(u, comm, &s));
  if (!code) code = lay_out(comm, &s);
  count[0] = (uint64_t)s.count;
  count[1] = s.tape.count;
  if (!code && s.global[0]) {
    snprintf(path, sizeof path, "%s/under_way", folder);
    code = fare_store_write(store, path, FARE_STORE_INT64, 1, &s.global[0], &s.start[0], &count[0], s.number);
    snprintf(path, sizeof path, "%s/words", folder);
    if (!code)
      code =
        fare_store_write(store, path, FARE_STORE_INT64, 1, &s.global[0], &s.start[0], &count[0], s.words);
    snprintf(path, sizeof path, "%s/states", folder);
    if (!code)
      code = fare_store_write(
        store, path, FARE_STORE_UINT64, 1, &s.global[1], &s.start[1], &count[1], s.tape.word);
  }
  free(s.tape.word);
  PetscCall(PetscFree2(s.number, s.words));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_under_way_get(
  fare_rare_under_way **under_way, size_t row, fare_store *store, const char *folder)
{
  fare_rare_under_way *u;
  uint64_t             count[4], words[4];
  char                 path[64], states[64];
  PetscBool            has;
  int                  rank;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/under_way", folder);
  snprintf(states, sizeof states, "%s/states", folder);
  PetscCall(fare_store_has(store, path, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_extents(store, path, &rank, count));
  PetscCall(fare_store_extents(store, states, &rank, words));
  fare_rare_under_way_free(under_way);
  u = *under_way = calloc(1, sizeof *u);
  if (!u) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  u->row    = row;
  u->count  = (int64_t)count[0];
  u->number = calloc(count[0], sizeof *u->number);
  u->words  = calloc(count[0], sizeof *u->words);
  u->word   = calloc(words[0], sizeof *u->word);
  if (!u->number || !u->words || !u->word) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the state of runs");
  PetscCall(fare_store_read_array(store, path, FARE_STORE_INT64, 1, count, u->number));
  snprintf(path, sizeof path, "%s/words", folder);
  PetscCall(fare_store_read_array(store, path, FARE_STORE_INT64, 1, count, u->words));
  PetscCall(fare_store_read_array(store, states, FARE_STORE_UINT64, 1, words, u->word));
  for (int64_t i = 0; i < u->count; i++) words[0] -= (uint64_t)u->words[i];
  if (words[0]) FARE_FAIL(FARE_ERR_FAILED, "%s: not the states that it tells of", states);
  PetscFunctionReturn(0);
}

/* Of this team, up to the end of a slice. Collective on the team. */
static PetscErrorCode work(shift *s, const fare_rare_under_way *u, double pause_at)
{
  const fare_rare_job *job   = s->job;
  const size_t         width = FARE_RARE_ONCE + details_of(job);
  PetscBool            over  = PETSC_FALSE, ended;

  PetscFunctionBegin;
  while (!over && s->at < s->count) {
    if (!s->run.begun) {
      for (size_t k = 0; k < details_of(job); k++) s->detail[k] = 0;
      s->run = fresh(s->list[s->at], s->detail);
      PetscCall(take_up(u, details_of(job), &s->run));
    }
    s->run.pause_at = pause_at;
    PetscCall(job->type->run(job->options, job->context, job->work, &s->run, &ended));
    if (!ended) break;
    memcpy(s->made + (size_t)s->at * width, &s->run.once, sizeof s->run.once);
    for (size_t k = 0; k < details_of(job); k++)
      s->made[(size_t)s->at * width + FARE_RARE_ONCE + k] = s->detail[k];
    s->at += s->teams;
    s->run.begun = PETSC_FALSE;
    PetscCall(let_go(&s->run));
    PetscCall(fare_rare_is_over(job->context, &s->run, &over));
  }
  PetscFunctionReturn(0);
}

/* What teams have made from places from[] of the list on is told to all ranks. */
static PetscErrorCode tell(
  const shift *s, int64_t from, MPI_Comm comm, size_t row, fare_rare_under_way *u, fare_rare_results *r)
{
  const size_t details = details_of(s->job), width = FARE_RARE_ONCE + details;
  int64_t      window[2] = {-from, s->at > from ? s->at - s->teams + 1 : from};
  double      *all;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, window, 2, MPI_INT64_T, MPI_MAX, comm));
  window[0] = -window[0];
  if (window[1] <= window[0]) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1((size_t)(window[1] - window[0]) * width, &all));
  for (int64_t k = from; s->leads && k < s->at; k += s->teams)
    memcpy(all + (size_t)(k - window[0]) * width, s->made + (size_t)k * width, width * sizeof *all);
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, all, (int)(window[1] - window[0]) * (int)width, MPI_DOUBLE, MPI_SUM, comm));
  for (int64_t k = window[0]; k < window[1]; k++) {
    const double *one  = all + (size_t)(k - window[0]) * width;
    const size_t  at   = (size_t)s->list[k];
    double       *once = r->once[row] + at * FARE_RARE_ONCE;

    if (!(((const fare_rare_once *)one)->cost > 0)) continue; /* before this slice, or not yet */
    memcpy(once, one, FARE_RARE_ONCE * sizeof *once);
    if (details) memcpy(r->detail[row] + at * details, one + FARE_RARE_ONCE, details * sizeof *one);
    r->done[row]++;
    drop(u, s->list[k]);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* The mean of what there is with its error, and what the run of rank 0 tells so far. */
static PetscErrorCode show(
  fare_progress *progress, const shift *s, MPI_Comm comm, size_t row, const fare_rare_results *r)
{
  const fare_rare_once *once = (const fare_rare_once *)r->once[row];
  const double          done = (double)r->done[row];
  double                sum = 0, squares = 0, begun = s->leads && s->run.begun ? s->run.share : 0;
  char                  note[192] = "";
  size_t                length    = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &begun, 1, MPI_DOUBLE, MPI_SUM, comm));
  for (PetscInt64 i = 0; i < r->runs[row]; i++) sum += once[i].estimate;
  for (PetscInt64 i = 0; i < r->runs[row]; i++)
    squares += once[i].cost > 0 ? PetscSqr(once[i].estimate - sum / done) : 0;
  if (done > 0)
    length = (size_t)snprintf(note, sizeof note, "%.0f runs: %.4g +- %.2g%s", done, sum / done,
      done > 1 ? sqrt(squares / done / (done - 1)) : NAN, s->run.begun ? "; " : "");
  if (s->run.begun && !isnan(s->run.present))
    snprintf(note + length, sizeof note - length, "run %lld so far: %.4g +- %.2g",
      (long long)s->run.number + 1, s->run.present, s->run.present_error);
  else if (s->run.begun)
    snprintf(note + length, sizeof note - length, "run %lld goes on", (long long)s->run.number + 1);
  fare_progress_update(progress, done + begun, note);
  PetscFunctionReturn(0);
}

/* A shift from its beginning to its end, in slices. */
static PetscErrorCode work_in_slices(
  shift *s, fare_progress *progress, const fare_rare_pauses *pauses, size_t row, fare_rare_results *r)
{
  const MPI_Comm       comm = s->job->context->comm;
  fare_rare_under_way *u    = r->under_way;
  int                  more = 1;

  PetscFunctionBegin;
  while (more) {
    const int64_t from = s->at;

    PetscCall(fare_error_agree(comm, work(s, u, fare_seconds() + SLICE)));
    PetscCall(tell(s, from, comm, row, u, r));
    PetscCall(show(progress, s, comm, row, r));
    more = s->at < s->count;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &more, 1, MPI_INT, MPI_MAX, comm));
    if (pauses->pause) PetscCall(pauses->pause(pauses->to));
  }
  PetscFunctionReturn(0);
}

/* Runs of the list: all but the last few, one rank each; of fewer than ranks, by teams. *count: how many. */
static PetscErrorCode make_some(const fare_rare_job *job, fare_progress *progress,
  const fare_rare_pauses *pauses, size_t row, int64_t count, const int64_t list[], fare_rare_results *r)
{
  const MPI_Comm comm = job->context->comm;
  shift          s    = {.job = job, .team = PETSC_COMM_SELF, .list = list};
  int            rank, ranks, place = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  s.teams = (int)PetscMin(ranks, count);
  s.count = count - (count > ranks ? count % ranks : 0);
  s.at = s.mine = (int)((int64_t)rank * s.teams / ranks);
  if (s.teams < ranks) {
    PetscCallMPI(MPI_Comm_split(comm, s.mine, rank, &s.team));
    PetscCallMPI(MPI_Comm_rank(s.team, &place));
  }
  s.leads            = place ? PETSC_FALSE : PETSC_TRUE;
  job->context->team = s.team;
  PetscCall(PetscCalloc2(
    (size_t)s.count * (FARE_RARE_ONCE + details_of(job)), &s.made, details_of(job) + 1, &s.detail));
  r->under_way->now = &s;
  code              = work_in_slices(&s, progress, pauses, row, r);
  r->under_way->now = NULL;
  PetscCall(let_go(&s.run));
  PetscCall(PetscFree2(s.made, s.detail));
  job->context->team = PETSC_COMM_SELF;
  if (s.teams < ranks) PetscCallMPI(MPI_Comm_free(&s.team));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_make(
  const fare_rare_job *job, const fare_rare_pauses *pauses, size_t row, fare_rare_results *r)
{
  const fare_rare_once *once = (const fare_rare_once *)r->once[row];
  PetscErrorCode        code = 0;
  fare_progress         progress;
  int64_t              *list;

  PetscFunctionBegin;
  if (r->done[row] == r->runs[row]) PetscFunctionReturn(0);
  if (r->under_way && r->under_way->row != row) fare_rare_under_way_free(&r->under_way);
  if (!r->under_way) r->under_way = calloc(1, sizeof *r->under_way);
  if (!r->under_way) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  r->under_way->row = row;
  PetscCall(PetscMalloc1(r->runs[row], &list));
  fare_progress_begin(&progress, job->context->name, (double)r->runs[row]);
  while (!code && r->done[row] < r->runs[row]) {
    int64_t count = 0;

    for (PetscInt64 i = 0; i < r->runs[row]; i++) {
      if (!(once[i].cost > 0)) list[count++] = i;
    }
    code = make_some(job, &progress, pauses, row, count, list, r);
  }
  if (!code) fare_progress_end(&progress);
  PetscCall(PetscFree(list));
  fare_rare_under_way_free(&r->under_way);
  PetscFunctionReturn(code);
}
