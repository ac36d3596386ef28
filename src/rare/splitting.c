/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Adaptive multilevel splitting (Cerou and Guyader, Stoch. Anal. Appl. 25, 417 (2007)) in the form that is
  unbiased for a chain, whatever score, walkers and number killed (Brehier, Gazeau, Goudenege, Lelievre and
  Rousset, Ann. Appl. Probab. 26, 3559 (2016)): all that tie with the level are killed, and a copy branches at
  the first state whose score is above the level, strictly.

  Of a path its records alone are kept, the steps at which the largest score so far rises: where it first
  passes any level is one of them. Who is in b is above all levels.
*/
#include "rare.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
  fare_chain_keys chain;
  fare_score_keys score;
  PetscInt64      walkers, kill;
} splitting;

#define AT(member) offsetof(splitting, member)
static const fare_field fields[] = {
  FARE_CHAIN_FIELDS(AT(chain)),
  FARE_SCORE_FIELDS(AT(score)),
  {"walkers", FARE_INTEGER, AT(walkers), "100", 2, 1e7, NULL, "", "paths that are kept alive"},
  {"kill", FARE_INTEGER, AT(kill), "1", 1, 1e7, NULL, "",
    "paths that are replaced at a time; more where scores tie"},
  FARE_FIELDS_END,
};

typedef struct {
  double  score, x[FARE_DIM_MAX];
  int64_t step;
} record;
typedef struct {
  size_t  count, room;
  record *at;
} history;

typedef struct {
  const fare_rare_context *context;
  const fare_score        *score;
  size_t                   walkers;
  fare_path               *path;
  history                 *past;
  size_t                  *walked; /* the walker of each path that is walked now */
  fare_path               *moving;
  PetscBool                full; /* no memory was left for a record */
} population;

static double top(const history *past)
{
  return past->at[past->count - 1].score;
}

static PetscBool keep(history *past, double score, const fare_path *path)
{
  record *r;

  if (past->count == past->room) {
    const size_t room = PetscMax(16, 2 * past->room);
    record      *more = realloc(past->at, room * sizeof *more);

    if (!more) return PETSC_FALSE;
    past->at   = more;
    past->room = room;
  }
  r        = &past->at[past->count++];
  r->score = score;
  r->step  = path->step;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) r->x[axis] = path->x[axis];
  return PETSC_TRUE;
}

/* Where a path is: above all in b, nowhere once it has ended otherwise. */
static double score_of(const population *p, const fare_path *path)
{
  if (path->end == FARE_PATH_IN_B) return HUGE_VAL;
  if (path->end == FARE_PATH_IN_A) return -HUGE_VAL;
  return fare_score_at(p->score, fare_rare_time(p->context, path->step), path->x);
}

static double *mark_at(const fare_rare_marks *m, size_t walker, int k)
{
  return m->x + (walker * (size_t)m->count + (size_t)k) * FARE_DIM_MAX;
}

static void mark(const fare_rare_marks *m, size_t walker, const fare_path *path)
{
  for (int k = 0; k < m->count; k++) {
    for (int axis = 0; axis < FARE_DIM_MAX && m->step[k] == path->step; axis++)
      mark_at(m, walker, k)[axis] = path->x[axis];
  }
}

static void visit(void *to, size_t i, fare_path *path)
{
  population  *p     = to;
  history     *past  = &p->past[p->walked[i]];
  const double score = score_of(p, path);

  if (p->context->watch && path->end == FARE_PATH_GOES_ON) p->context->watch(p->context->watcher, i, path);
  if (p->context->marks) mark(p->context->marks, p->walked[i], path);
  if (score > top(past) && !keep(past, score, path)) p->full = PETSC_TRUE;
}

/* Walks `count` paths to their ends. */
static PetscErrorCode walk(population *p, fare_stream noise, size_t count, int64_t *steps)
{
  const fare_walk plan = {p->context, noise, -1, visit, NULL, p};

  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) p->moving[i] = p->path[p->walked[i]];
  PetscCall(fare_paths_walk(&plan, count, p->moving, steps));
  for (size_t i = 0; i < count; i++) p->path[p->walked[i]] = p->moving[i];
  if (p->full) FARE_FAIL(FARE_ERR_FAILED, "splitting: out of memory for the records of paths");
  PetscFunctionReturn(0);
}

/* All walkers, from the start. */
static PetscErrorCode begin_paths(population *p, fare_stream noise, int64_t *steps)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < p->walkers; i++) {
    p->path[i]   = fare_path_begin(p->context, (uint32_t)i);
    p->walked[i] = i;
    if (!keep(&p->past[i], score_of(p, &p->path[i]), &p->path[i])) p->full = PETSC_TRUE;
  }
  PetscCall(walk(p, noise, p->walkers, steps));
  PetscFunctionReturn(0);
}

/* The copy of a path up to its first record above the level, from where it goes on with new numbers. */
static PetscErrorCode branch(population *p, size_t i, size_t parent, double level, uint32_t generation)
{
  const history *from = &p->past[parent];
  fare_path     *path = &p->path[i];
  size_t         last = 0;

  PetscFunctionBegin;
  while (!(from->at[last].score > level)) last++;
  p->past[i].count = 0;
  for (size_t k = 0; k <= last; k++) {
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) path->x[axis] = from->at[k].x[axis];
    path->step = from->at[k].step;
    if (!keep(&p->past[i], from->at[k].score, path))
      FARE_FAIL(FARE_ERR_FAILED, "splitting: out of memory for the records of paths");
  }
  path->born       = path->step;
  path->generation = generation;
  if (p->context->marks) /* those behind the branch are overwritten when the copy gets there */
    PetscCall(PetscArraycpy(mark_at(p->context->marks, i, 0), mark_at(p->context->marks, parent, 0),
      (size_t)p->context->marks->count * FARE_DIM_MAX));
  /* a record is of a path that goes on, but for that of b */
  path->end = from->at[last].score == HUGE_VAL ? FARE_PATH_IN_B
    : path->step == p->context->steps          ? FARE_PATH_LATE
                                               : FARE_PATH_GOES_ON;
  PetscFunctionReturn(0);
}

/* The k-th smallest of `count` numbers, k from 0, which are put in another order (Hoare 1961). */
static double smallest(size_t count, double value[], size_t k)
{
  size_t low = 0, high = count - 1;

  while (low < high) {
    const double pivot = value[low + (high - low) / 2];
    size_t       i = low, j = high;

    for (;;) {
      while (value[i] < pivot) i++;
      while (value[j] > pivot) j--;
      if (i >= j) break;
      const double swap = value[i];
      value[i++]        = value[j];
      value[j--]        = swap;
    }
    if (k <= j)
      high = j;
    else
      low = j + 1;
  }
  return value[k];
}

/*
  Kills all up to the level and lets survivors branch in their place: `killed` of them; with all of them,
  nothing else is done. Parents are drawn by counter, in the order of the walkers.
*/
static PetscErrorCode replace(
  population *p, double level, uint32_t generation, fare_stream parents, size_t alive[], size_t *killed)
{
  fare_random random = {.stream = parents, .sequence = generation};
  size_t      living = 0;

  PetscFunctionBegin;
  *killed = 0;
  for (size_t i = 0; i < p->walkers; i++) {
    if (top(&p->past[i]) > level)
      alive[living++] = i;
    else
      p->walked[(*killed)++] = i;
  }
  for (size_t k = 0; k < *killed && living; k++) {
    const size_t chosen = (size_t)(fare_random_uniform(&random) * (double)living);

    PetscCall(branch(p, p->walked[k], alive[PetscMin(chosen, living - 1)], level, generation));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode split(const splitting *s, population *p, int64_t number, fare_rare_once *once)
{
  const fare_stream noise   = fare_rare_stream(p->context, number, "noise"),
                    parents = fare_rare_stream(p->context, number, "parents");
  double *score, log_weight = 0;
  size_t *alive, hits       = 0;
  int64_t steps = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(p->walkers, &score, p->walkers, &alive));
  PetscCall(begin_paths(p, noise, &steps));
  once->paths = (double)p->walkers;
  once->steps = (double)steps;
  for (uint32_t generation = 1;; generation++) {
    double level;
    size_t killed;

    for (size_t i = 0; i < p->walkers; i++) score[i] = top(&p->past[i]);
    level = smallest(p->walkers, score, (size_t)s->kill - 1);
    if (level == HUGE_VAL) break;
    PetscCall(replace(p, level, generation, parents, alive, &killed));
    log_weight += log1p(-(double)killed / (double)p->walkers);
    if (killed == p->walkers) break; /* extinct: log(0) */
    PetscCall(walk(p, noise, killed, &steps));
  }
  for (size_t i = 0; i < p->walkers; i++) hits += p->path[i].end == FARE_PATH_IN_B;
  for (size_t i = 0; i < p->walkers && p->context->marks; i++)
    p->context->marks->end[i] = p->path[i].end == FARE_PATH_IN_B ? p->path[i].step : -1;
  if (p->context->marks) p->context->marks->log_weight = log_weight;
  once->estimate = exp(log_weight) * (double)hits / (double)p->walkers;
  once->cost     = (double)steps;
  PetscCall(PetscFree2(score, alive));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, int64_t number, fare_rare_once *once)
{
  const splitting *s = options;
  population       p = {.context = context, .score = work, .walkers = (size_t)s->walkers};
  PetscErrorCode   code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc4(p.walkers, &p.path, p.walkers, &p.past, p.walkers, &p.walked, p.walkers, &p.moving));
  code = split(s, &p, number, once);
  for (size_t i = 0; i < p.walkers; i++) free(p.past[i].at);
  PetscCall(PetscFree4(p.path, p.past, p.walked, p.moving));
  PetscFunctionReturn(code);
}

static void setting(const void *options, int i, fare_rare_setting *s)
{
  (void)i;
  s->chain = ((const splitting *)options)->chain;
}

static PetscErrorCode check(void *options, const fare_node *node, const fare_rare_context *context)
{
  const splitting *s = options;

  PetscFunctionBegin;
  if (s->kill >= s->walkers)
    FARE_REFUSE(fare_node_find(node, "kill"), "expected fewer than the %lld walkers, got %lld",
      (long long)s->walkers, (long long)s->kill);
  PetscCall(fare_score_check(&s->score, node, context));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const void *options, const fare_rare_context *context, void **work)
{
  PetscFunctionBegin;
  PetscCall(fare_score_create(&((const splitting *)options)->score, context, (fare_score **)work));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(void **work)
{
  PetscFunctionBegin;
  PetscCall(fare_score_destroy((fare_score **)work));
  PetscFunctionReturn(0);
}

/* With the committor as the score, and one killed at a time. */
static double optimum(const void *options, double p)
{
  return expm1(-log(p) / (double)((const splitting *)options)->walkers);
}

const fare_rare_type fare_rare_splitting = {
  .name      = "splitting",
  .summary   = "adaptive multilevel splitting: paths that lag are replaced by branches of those that lead",
  .reference = "Cerou and Guyader, Stoch. Anal. Appl. 25, 417 (2007); Brehier et al., Ann. Appl. Probab. 26, "
               "3559 (2016)",
  .size      = sizeof(splitting),
  .fields    = fields,
  .check     = check,
  .setting   = setting,
  .begin     = begin,
  .end       = end,
  .run       = run,
  .optimum   = optimum,
};
