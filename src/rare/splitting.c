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
  const fare_rare_context *context;
  const fare_score        *score;
  fare_rare_state         *run;
} population;

static double top(const fare_past *past)
{
  return past->at[past->count - 1].score;
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

/* Of a branch; what is behind it is overwritten when the copy gets there. */
static void copy_marks(const fare_rare_marks *m, size_t from, size_t to)
{
  for (int i = 0; i < m->count * FARE_DIM_MAX; i++) mark_at(m, to, 0)[i] = mark_at(m, from, 0)[i];
}

static void visit(void *to, size_t i, fare_path *path)
{
  population  *p     = to;
  const double score = score_of(p, path);

  if (p->context->watch && path->end == FARE_PATH_GOES_ON) p->context->watch(p->context->watcher, i, path);
  if (p->context->marks) mark(p->context->marks, i, path);
  if (score > top(&p->run->past[i])) fare_rare_remember(p->run, i, score, path);
}

/* All walkers, at the start. */
static PetscErrorCode begin_paths(const population *p, size_t walkers)
{
  PetscFunctionBegin;
  PetscCall(fare_rare_hold(p->run, walkers, PETSC_TRUE));
  for (size_t i = 0; i < walkers; i++) {
    fare_path *path = &p->run->path[i];

    *path = fare_path_begin(p->context, (uint32_t)i);
    fare_rare_remember(p->run, i, score_of(p, path), path);
  }
  PetscFunctionReturn(0);
}

/*
  A path goes on from the parent's first record above the level, with new numbers. Of its past that record is
  enough: levels rise, so that none before it matters again.
*/
static void branch(const population *p, size_t i, size_t parent, double level, uint32_t generation)
{
  const fare_past *from = &p->run->past[parent];
  fare_path       *path = &p->run->path[i];
  fare_milestone   m;
  size_t           first = 0;

  while (!(from->at[first].score > level)) first++;
  m = from->at[first];
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) path->x[axis] = m.x[axis];
  path->step = path->born = m.step;
  path->generation        = generation;
  p->run->past[i].count   = 0;
  fare_rare_remember(p->run, i, m.score, path);
  if (p->context->marks) copy_marks(p->context->marks, parent, i);
  /* a record is of a path that goes on, but for that of b */
  path->end = m.score == HUGE_VAL     ? FARE_PATH_IN_B
    : path->step == p->context->steps ? FARE_PATH_LATE
                                      : FARE_PATH_GOES_ON;
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
  Kills all up to the level and lets survivors branch in their place: *killed of them; with all of them,
  nothing else is done. Parents are drawn by counter, in the order of the walkers.
*/
static PetscErrorCode replace(const population *p, double level, uint32_t generation, size_t *killed)
{
  const size_t walkers = p->run->count;
  fare_random  random  = {
      .stream = fare_rare_stream(p->context, p->run->number, "parents"), .sequence = generation};
  size_t living = 0, *alive, *dead;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(walkers, &alive, walkers, &dead));
  *killed = 0;
  for (size_t i = 0; i < walkers; i++) {
    if (top(&p->run->past[i]) > level)
      alive[living++] = i;
    else
      dead[(*killed)++] = i;
  }
  for (size_t k = 0; k < *killed && living; k++) {
    const size_t chosen = (size_t)(fare_random_uniform(&random) * (double)living);

    branch(p, dead[k], alive[PetscMin(chosen, living - 1)], level, generation);
  }
  PetscCall(PetscFree2(alive, dead));
  PetscFunctionReturn(0);
}

/* The level of the next generation: the score that `kill` of the walkers do not exceed. */
static PetscErrorCode find_level(const population *p, size_t kill, double *level)
{
  double *score;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->run->count, &score));
  for (size_t i = 0; i < p->run->count; i++) score[i] = top(&p->run->past[i]);
  *level = smallest(p->run->count, score, kill - 1);
  PetscCall(PetscFree(score));
  PetscFunctionReturn(0);
}

/* A generation: walkers go to their ends, then those that lag are replaced. */
static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, fare_rare_state *run, PetscBool *ended)
{
  const splitting *s    = options;
  population       p    = {context, work, run};
  const fare_walk  walk = {context, fare_rare_stream(context, run->number, "noise"), -1, visit, NULL, &p};
  size_t           hits = 0, killed = 0;

  PetscFunctionBegin;
  if (!run->count) PetscCall(begin_paths(&p, (size_t)s->walkers));
  while (killed < run->count) { /* with none left: extinct, and log(0) stands */
    double level = 0;

    PetscCall(fare_rare_walk(&walk, run, ended));
    if (!*ended) PetscFunctionReturn(0);
    if (!run->stage++) {
      run->once.paths = (double)run->count;
      run->once.steps = (double)run->steps;
    }
    PetscCall(find_level(&p, (size_t)s->kill, &level));
    if (level == HUGE_VAL) break;
    PetscCall(replace(&p, level, (uint32_t)run->stage, &killed));
    run->value += log1p(-(double)killed / (double)run->count);
  }
  for (size_t i = 0; i < run->count; i++) hits += run->path[i].end == FARE_PATH_IN_B;
  for (size_t i = 0; i < run->count && context->marks; i++)
    context->marks->end[i] = run->path[i].end == FARE_PATH_IN_B ? run->path[i].step : -1;
  if (context->marks) context->marks->log_weight = run->value;
  run->once.estimate = exp(run->value) * (double)hits / (double)run->count;
  run->once.cost     = (double)run->steps;
  PetscFunctionReturn(0);
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
