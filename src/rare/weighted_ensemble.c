/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Weighted ensemble (Huber and Kim, Biophys. J. 70, 97 (1996)): walkers with weights, which from time to time
  are drawn anew within bins along a score, so many in each as its share says, with equal weights. Whatever
  bins and shares are, expectations stay those of the chain (Zhang, Jasnow and Zuckerman, J. Chem. Phys. 132,
  054107 (2010)).

  Who reaches b leaves its weight there. Without a deadline it begins again at the start, at once, within the
  move, and the weight that arrives per time is the inverse mean time from there to b (Hill, Free Energy
  Transduction in Biology, 1977). With a deadline the event's probability is the weight that arrives in time.

  Within a bin walkers are ordered by their score before they are drawn, systematically: so who is drawn
  hardly changes the mean of any function of the score (Gerber, Chopin and Whiteley, Ann. Stat. 47, 2236
  (2019)). Weights are kept as logarithms: none is too small.
*/
#include "statistics/allocation.h"
#include "run/runs.h"

#include <math.h>
#include <stdlib.h>

enum { UNIFORM, OPTIMAL, LEARNED };
static const char *const allocations[] = {
  [UNIFORM] = "uniform", [OPTIMAL] = "optimal", [LEARNED] = "learned", NULL};

#define LEAST     3    /* walkers of a bin that has any */
#define BINS_MOST 1000 /* whose moves fit into a matrix */

typedef struct {
  fare_chain_keys chain;
  fare_score_keys score;
  PetscInt64      walkers, bins, pilots;
  int             allocation;
  double          resample, time, burn;
  PetscBool       ends; /* the event has a deadline */
} weighted_ensemble;

#define AT(member) offsetof(weighted_ensemble, member)
static const fare_field fields[] = {
  FARE_CHAIN_FIELDS(AT(chain)),
  FARE_SCORE_FIELDS(AT(score)),
  {"walkers", FARE_INTEGER, AT(walkers), "240", 2, 1e7, NULL, "", "in all bins together; at least 3 in each"},
  {"bins", FARE_INTEGER, AT(bins), "24", 1, 1e5, NULL, "",
    "of equal width between the scores of the start and of b; the first and the last are open"},
  {"allocation", FARE_CHOICE, AT(allocation), "uniform", 0, 0, allocations, "",
    "share of a bin in the walkers: equal ones; those of least variance, found on a grid; or those, learned "
    "from "
    "moves that pilots have seen"},
  {"pilots", FARE_INTEGER, AT(pilots), "4", 1, 1000, NULL, "",
    "of `allocation: learned`: runs of equal shares that come before and do not count, but for their cost"},
  {"resample", FARE_REAL, AT(resample), NULL, 1e-12, 1e9, NULL, "time", "between two times of drawing anew"},
  {"time", FARE_REAL, AT(time), "0", 0, 1e12, NULL, "time", "of one run; needed without a deadline"},
  {"burn", FARE_REAL, AT(burn), "0", 0, 1e12, NULL, "time", "at its beginning that does not count"},
  FARE_FIELDS_END,
};

/* What runs share. */
typedef struct {
  fare_event        event; /* of a rate without a; sets are borrowed */
  fare_rare_context context;
  fare_score       *score;
  double            from, width; /* score where bins begin, and of one */
  size_t           *target;      /* walkers of each bin */
  size_t            room;        /* walkers of all */
  double           *moved; /* where a pilot puts the weights that moved between bins; NULL: none is run */
  double            spent; /* steps of pilots */
} shared;

typedef struct {
  double score;
  size_t bin, walker;
} place;

/* One run. */
typedef struct {
  const weighted_ensemble *s;
  const shared            *w;
  fare_rare_state         *run;
  PetscBool                counts; /* burn-in is over */
  fare_path               *next;   /* walkers that are drawn */
  size_t                   made;   /* of them */
} ensemble;

static size_t bin_of(const weighted_ensemble *s, double from, double width, double score)
{
  const double at = (score - from) / width;

  return at > 0 ? (size_t)PetscMin((double)s->bins - 1, floor(at)) : 0;
}

/* By bins, scores, and where they stand. */
static int compare(const void *a, const void *b)
{
  const place *x = a, *y = b;

  if (x->bin != y->bin) return x->bin < y->bin ? -1 : 1;
  if (x->score != y->score) return x->score < y->score ? -1 : 1;
  return x->walker < y->walker ? -1 : 1;
}

/* Arrivals count where they happen; who arrives begins again, or is done. */
static void visit(void *to, size_t i, fare_path *path)
{
  ensemble *e = to;

  (void)i;
  if (path->end != FARE_PATH_IN_B) return;
  path->own += exp(path->log_weight);
  if (e->s->ends) return;
  path->end = FARE_PATH_GOES_ON;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) path->x[axis] = e->w->event.start[axis];
}

/* Walkers of one bin, those of order[0..count-1], to `wanted` of equal weights. */
static void draw(ensemble *e, const place order[], size_t count, size_t wanted, double u)
{
  const fare_path *path = e->run->path;
  double           top = -HUGE_VAL, sum = 0, passed = 0;
  size_t           made = 0;

  for (size_t k = 0; k < count; k++) top = PetscMax(top, path[order[k].walker].log_weight);
  for (size_t k = 0; k < count; k++) sum += exp(path[order[k].walker].log_weight - top);
  for (size_t k = 0; k < count; k++) {
    passed += exp(path[order[k].walker].log_weight - top) / sum * (double)wanted;
    /* the last takes what rounding leaves */
    for (; made < wanted && ((double)made + u < passed || k + 1 == count); made++) {
      fare_path *copy = &e->next[e->made++];

      *copy            = path[order[k].walker];
      copy->mark       = (int64_t)order[k].bin;
      copy->log_weight = top + log(sum / (double)wanted);
    }
  }
}

/* Walkers that go on, by bins and scores. */
static size_t sort(const ensemble *e, place order[])
{
  size_t living = 0;

  for (size_t i = 0; i < e->run->count; i++) {
    const fare_path *path = &e->run->path[i];

    if (path->end != FARE_PATH_GOES_ON) continue;
    const double score = fare_score_at(e->w->score, fare_rare_time(&e->w->context, path->step), path->x);

    order[living++] = (place){score, bin_of(e->s, e->w->from, e->w->width, score), i};
  }
  qsort(order, living, sizeof *order, compare);
  return living;
}

/* Weights of a move, from where a walker was drawn to where it is, or to b. */
static void see_moves(const ensemble *e)
{
  const size_t width = (size_t)e->s->bins + 1;

  for (size_t i = 0; i < e->run->count; i++) {
    const fare_path *path  = &e->run->path[i];
    const double     score = fare_score_at(e->w->score, fare_rare_time(&e->w->context, path->step), path->x);
    const size_t     to    = path->own > 0 ? width - 1 : bin_of(e->s, e->w->from, e->w->width, score);

    e->w->moved[(size_t)path->mark * width + to] += exp(path->log_weight);
  }
}

/* All bins, in their order. */
static PetscErrorCode resample(ensemble *e)
{
  fare_rare_state  *run    = e->run;
  const fare_stream stream = fare_rare_stream(&e->w->context, run->number, "draws");
  fare_random       random = {.stream = stream, .sequence = (uint64_t)++run->stage};
  size_t            living, last;
  place            *order;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(run->count, &order));
  PetscCall(PetscCalloc1(e->w->room, &e->next));
  e->made = 0;
  living  = sort(e, order);
  for (size_t first = 0; first < living; first = last) {
    const size_t bin = order[first].bin;

    for (last = first + 1; last < living && order[last].bin == bin;) last++;
    draw(e, &order[first], last - first, e->w->target[bin], fare_random_uniform(&random));
  }
  PetscCall(PetscFree(order));
  PetscCall(PetscFree(run->path));
  run->path  = e->next;
  run->count = e->made;
  for (size_t i = 0; i < run->count; i++) {
    run->path[i].slot       = (uint32_t)i;
    run->path[i].generation = (uint32_t)run->stage;
    run->path[i].born       = run->path[i].step;
  }
  PetscFunctionReturn(0);
}

static int64_t steps_in(const shared *w, double time)
{
  return (int64_t)floor(time / w->context.dt + 0.5);
}

static PetscErrorCode begin_walkers(const ensemble *e)
{
  fare_rare_state *run = e->run;

  PetscFunctionBegin;
  PetscCall(fare_rare_hold(run, (size_t)e->s->walkers, PETSC_FALSE));
  run->until = 0;
  for (size_t i = 0; i < run->count; i++) {
    run->path[i]            = fare_path_begin(&e->w->context, (uint32_t)i);
    run->path[i].log_weight = -log((double)run->count);
    run->path[i].mark       = (int64_t)bin_of(e->s, e->w->from, e->w->width, e->w->from);
  }
  PetscFunctionReturn(0);
}

/* Moves, and draws between them. The clock of all walkers is run->until, where the move ends. */
static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, fare_rare_state *run, PetscBool *ended)
{
  const weighted_ensemble *s    = options;
  const shared            *w    = work;
  fare_rare_context        c    = w->context; /* a rate's is without a */
  ensemble                 e    = {.s = s, .w = w, .run = run};
  const int64_t            each = PetscMax(1, steps_in(w, s->resample)), burn = steps_in(w, s->burn),
                all = s->ends ? c.steps : PetscMax(burn + 1, steps_in(w, s->time));
  fare_walk plan    = {&c, fare_rare_stream(&c, run->number, "noise"), 0, visit, NULL, &e};

  PetscFunctionBegin;
  c.team = context->team;
  if (!run->count) PetscCall(begin_walkers(&e));
  for (;;) {
    e.counts   = run->until > burn ? PETSC_TRUE : PETSC_FALSE;
    plan.until = run->until;
    PetscCall(fare_rare_walk(&plan, run, ended));
    if (!*ended) break;
    if (w->moved && run->until) see_moves(&e);
    for (size_t i = 0; i < run->count; i++) {
      run->value += e.counts ? run->path[i].own : 0;
      run->path[i].own = 0;
    }
    if (run->until == all) break;
    if (run->until) PetscCall(resample(&e));
    if (!run->count) break;
    /* burn-in ends between two moves */
    run->until += PetscMin(each, (run->until < burn ? burn : all) - run->until);
  }
  run->share   = (double)run->until / (double)all;
  run->present = run->until > burn && !s->ends ? run->value / ((double)(run->until - burn) * c.dt) : NAN;
  run->once.estimate = run->value / (s->ends ? 1 : (double)(all - burn) * c.dt);
  run->once.cost     = (double)run->steps + w->spent / context->runs;
  PetscFunctionReturn(0);
}

static void setting(const void *options, int i, fare_rare_setting *s)
{
  const weighted_ensemble *o = options;

  (void)i;
  s->chain = o->chain;
  s->of    = o->ends ? FARE_RARE_PROBABILITY : FARE_RARE_RATE;
}

static PetscErrorCode check(void *options, const fare_node *node, const fare_rare_context *context)
{
  weighted_ensemble *s = options;

  PetscFunctionBegin;
  s->ends = context->event->deadline < FARE_NEVER ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fare_score_check(&s->score, node, context));
  if (s->ends && s->allocation != UNIFORM)
    FARE_REFUSE(fare_node_find(node, "allocation"),
      "the optimum is of a steady state, which an event with a deadline does not have: take `uniform`");
  if (s->allocation == LEARNED && s->bins > BINS_MOST)
    FARE_REFUSE(fare_node_find(node, "bins"), "shares are learned of %d bins at most, got %lld", BINS_MOST,
      (long long)s->bins);
  if (s->ends && (s->time > 0 || s->burn > 0))
    FARE_REFUSE(fare_node_find(node, s->time > 0 ? "time" : "burn"),
      "the event has a deadline, up to which all counts: there is no steady state to wait for");
  if (!s->ends && !(s->time > s->burn))
    FARE_REFUSE(fare_node_find(node, "time") ? fare_node_find(node, "time") : node,
      "expected a `time` of each run, longer than the burn-in (%g), got %g", s->burn, s->time);
  PetscFunctionReturn(0);
}

/* sqrt(w_b sum of pi v^2) of each bin, from a grid that each rank has alone. */
static PetscErrorCode find_shares(const weighted_ensemble *s, const shared *w, double share[])
{
  const fare_grid   *like = w->context.grid;
  PetscInt           cells[FARE_DIM_MAX];
  const PetscScalar *pi, *spread;
  double            *weight;
  fare_recycling     recycling;
  fare_solved        solved;
  fare_grid         *grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < like->dim; axis++)
    cells[axis] = like->dim == 1 ? like->cells[0] : (PetscInt)s->score.cells;
  PetscCall(
    fare_grid_create(PETSC_COMM_SELF, like->dim, cells, like->lower, like->upper, like->boundary, &grid));
  PetscCall(fare_recycling_solve(
    grid, w->context.system, w->event.time, &w->event.b, w->event.start, &recycling, &solved));
  PetscCall(PetscCalloc1((size_t)s->bins, &weight));
  PetscCall(VecGetArrayRead(recycling.masses, &pi));
  PetscCall(VecGetArrayRead(recycling.spread, &spread));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(grid, n, x);
    const size_t bin = bin_of(s, w->from, w->width, fare_score_at(w->score, w->event.time, x));

    weight[bin] += pi[n];
    share[bin] += pi[n] * spread[n];
  }
  for (PetscInt64 bin = 0; bin < s->bins; bin++) share[bin] = sqrt(weight[bin] * share[bin]);
  PetscCall(VecRestoreArrayRead(recycling.masses, &pi));
  PetscCall(VecRestoreArrayRead(recycling.spread, &spread));
  PetscCall(PetscFree(weight));
  PetscCall(fare_recycling_free(&recycling));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

/* Walkers of each bin, in proportion to shares. */
static void set_targets(const weighted_ensemble *s, const double share[], shared *w)
{
  double sum = 0;

  for (PetscInt64 bin = 0; bin < s->bins; bin++) sum += share[bin];
  w->room = (size_t)s->walkers;
  for (PetscInt64 bin = 0; bin < s->bins; bin++) {
    w->target[bin] = (size_t)PetscMax(LEAST, floor((double)s->walkers * share[bin] / sum + 0.5));
    w->room += w->target[bin];
  }
}

extern const fare_rare_type fare_rare_weighted_ensemble;

/* Pilots, spread over the ranks, and what all of them have seen, in their order. Collective. */
static PetscErrorCode learn_shares(
  const weighted_ensemble *s, const fare_rare_context *context, shared *w, double share[])
{
  const size_t      size  = (size_t)s->bins * ((size_t)s->bins + 1);
  fare_rare_context alone = *context;
  fare_rare_job     job   = {&fare_rare_weighted_ensemble, s, &alone, w};
  PetscErrorCode    code  = 0;
  double           *all, spent = 0;
  int               rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(context->comm, &rank));
  PetscCallMPI(MPI_Comm_size(context->comm, &ranks));
  PetscCall(PetscCalloc1(size * (size_t)s->pilots, &all));
  for (PetscInt64 i = rank; i < s->pilots && !code; i += ranks) {
    fare_rare_once once;

    w->moved = all + size * (size_t)i;
    code     = fare_rare_run_through(&job, -1 - i, &once);
    spent += once.cost;
  }
  w->moved = NULL;
  PetscCall(fare_error_agree(context->comm, code));
  for (PetscInt64 i = 0; i < s->pilots; i++)
    PetscCallMPI(MPI_Bcast(all + size * (size_t)i, (int)size, MPI_DOUBLE, (int)(i % ranks), context->comm));
  PetscCallMPI(MPI_Allreduce(&spent, &w->spent, 1, MPI_DOUBLE, MPI_SUM, context->comm));
  for (size_t k = size; k < size * (size_t)s->pilots; k++) all[k % size] += all[k];
  code = fare_shares_learn((size_t)s->bins, all, share);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(code);
}

static PetscErrorCode allocate(const weighted_ensemble *s, const fare_rare_context *context, shared *w)
{
  PetscErrorCode code = 0;
  double        *share;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)s->bins, &share));
  PetscCall(PetscMalloc1((size_t)s->bins, &w->target));
  for (PetscInt64 bin = 0; bin < s->bins && s->allocation != OPTIMAL; bin++) share[bin] = 1;
  if (s->allocation == OPTIMAL) code = find_shares(s, w, share);
  if (!code) set_targets(s, share, w);
  if (s->allocation == LEARNED) {
    code = learn_shares(s, context, w, share);
    if (!code) set_targets(s, share, w);
  }
  PetscCall(PetscFree(share));
  PetscFunctionReturn(code);
}

static PetscErrorCode end(void **work)
{
  shared *w = *work;

  PetscFunctionBegin;
  if (!w) PetscFunctionReturn(0);
  PetscCall(fare_score_destroy(&w->score));
  PetscCall(PetscFree(w->target));
  PetscCall(PetscFree(*work));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const void *options, const fare_rare_context *context, void **work)
{
  const weighted_ensemble *s = options;
  shared                  *w;

  PetscFunctionBegin;
  PetscCall(PetscNew(&w));
  *work      = w;
  w->event   = *context->event;
  w->context = *context;
  if (!s->ends) w->event.a.boxes = 0;
  w->context.event = &w->event;
  PetscCall(fare_score_create(&s->score, context, &w->score));
  w->from  = fare_score_at(w->score, w->event.time, w->event.start);
  w->width = (fare_score_of_b(w->score, &w->event) - w->from) / (double)s->bins;
  PetscCall(allocate(s, context, w));
  PetscFunctionReturn(0);
}

const fare_rare_type fare_rare_weighted_ensemble = {
  .name    = "weighted_ensemble",
  .summary = "walkers with weights, drawn anew within bins; of b without a deadline, the rate",
  .reference =
    "Huber and Kim, Biophys. J. 70, 97 (1996); Aristoff and Zuckerman, Multiscale Model. Simul. 18, "
    "646 (2020)",
  .size    = sizeof(weighted_ensemble),
  .fields  = fields,
  .check   = check,
  .setting = setting,
  .begin   = begin,
  .end     = end,
  .run     = run,
};
