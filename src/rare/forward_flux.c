/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Forward flux (Allen, Warren and ten Wolde, Phys. Rev. Lett. 94, 018104 (2005)): the rate of first crossings
  of an interface next to a, times the chances to go on from each interface to the next before a. Interfaces
  are levels of a score. A crossing counts only of paths that have been in a since the one before, and states
  are those behind the step that crosses: so the product is that of the chain, without bias whatever
  interfaces are. Who reaches b begins again at the start, and what is told is the inverse mean time from
  there.
*/
#include "rare.h"

#include <math.h>
#include <stdlib.h>

#define ABOVE FARE_PATH_LATE /* how a trial ends at the next interface */

typedef struct {
  fare_chain_keys chain;
  fare_score_keys score;
  PetscInt64      walkers, interfaces, trials;
  double          time, burn;
} forward_flux;

#define AT(member) offsetof(forward_flux, member)
static const fare_field fields[] = {
  FARE_CHAIN_FIELDS(AT(chain)),
  FARE_SCORE_FIELDS(AT(score)),
  {"walkers", FARE_INTEGER, AT(walkers), "32", 1, 1e6, NULL, "", "paths that cross the first interface"},
  {"time", FARE_REAL, AT(time), NULL, 1e-12, 1e12, NULL, "time", "of each of them"},
  {"burn", FARE_REAL, AT(burn), "0", 0, 1e12, NULL, "time", "at its beginning that does not count"},
  {"interfaces", FARE_INTEGER, AT(interfaces), "10", 1, 1e5, NULL, "",
    "at equal distances of the score, from that of the start, up to b, which is not one"},
  {"trials", FARE_INTEGER, AT(trials), "200", 1, 1e7, NULL, "", "paths from each interface"},
  FARE_FIELDS_END,
};

/* Where a path has crossed an interface. */
typedef struct {
  double        x[FARE_DIM_MAX];
  fare_path_end end;
} state;

/* One run. */
typedef struct {
  const forward_flux      *s;
  const fare_rare_context *context;
  const fare_score        *score;
  double                   from, width; /* score of the first interface, and between two */
  double                   next;        /* that trials are to reach */
  int64_t                  burn;        /* steps */
  PetscBool               *armed;       /* of each walker: it has been in a since it crossed */
  state                   *crossing;
  size_t                   crossings, room;
  PetscBool                full;
} flux;

static double score_of(const flux *f, const fare_path *path)
{
  return path->end == FARE_PATH_IN_B
    ? HUGE_VAL
    : fare_score_at(f->score, fare_rare_time(f->context, path->step), path->x);
}

static void cross(flux *f, const fare_path *path)
{
  state *s;

  if (path->step <= f->burn) return;
  if (f->crossings == f->room) {
    const size_t room = 2 * f->room + 1024;
    state       *more = realloc(f->crossing, room * sizeof *more);

    if (!more) {
      f->full = PETSC_TRUE;
      return;
    }
    f->crossing = more;
    f->room     = room;
  }
  s      = &f->crossing[f->crossings++];
  s->end = path->end;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) s->x[axis] = path->x[axis];
}

/* Of walkers, which go on from a, and from b at the start, which is on the first interface. */
static void watch(void *to, size_t i, fare_path *path)
{
  flux *f = to;

  if (path->end == FARE_PATH_IN_A) {
    f->armed[i] = PETSC_TRUE;
    path->end   = FARE_PATH_GOES_ON;
    return;
  }
  if (f->armed[i] && score_of(f, path) >= f->from) {
    cross(f, path);
    f->armed[i] = PETSC_FALSE;
  }
  if (path->end != FARE_PATH_IN_B) return;
  path->end = FARE_PATH_GOES_ON;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) path->x[axis] = f->context->event->start[axis];
  cross(f, path);
}

static void reach(void *to, size_t i, fare_path *path)
{
  const flux *f = to;

  (void)i;
  if (path->end == FARE_PATH_GOES_ON && score_of(f, path) >= f->next) path->end = ABOVE;
}

static PetscErrorCode find_crossings(flux *f, int64_t number, int64_t most, int64_t *steps)
{
  const size_t    count = (size_t)f->s->walkers;
  const fare_walk plan  = {f->context, fare_rare_stream(f->context, number, "noise"), most, watch, NULL, f};
  fare_path      *path;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &path));
  PetscCall(PetscCalloc1(count, &f->armed));
  for (size_t i = 0; i < count; i++) path[i] = fare_path_begin(f->context, (uint32_t)i);
  const PetscErrorCode code = fare_paths_walk(&plan, count, path, steps);

  PetscCall(PetscFree(f->armed));
  PetscCall(PetscFree(path));
  if (!code && f->full) FARE_FAIL(FARE_ERR_FAILED, "forward_flux: out of memory for crossings");
  PetscFunctionReturn(code);
}

/* Trials from states of one interface, drawn at random; those that reach the next are its states. */
static PetscErrorCode go_on(flux *f, int64_t number, uint32_t interface, fare_path path[], int64_t *steps)
{
  const size_t    count  = (size_t)f->s->trials;
  const PetscBool last   = interface == (uint32_t)f->s->interfaces ? PETSC_TRUE : PETSC_FALSE;
  const fare_walk plan   = {f->context, fare_rare_stream(f->context, number, "trials"), -1, reach, NULL, f};
  fare_random     random = {.stream = fare_rare_stream(f->context, number, "states"), .sequence = interface};

  PetscFunctionBegin;
  f->next = last ? HUGE_VAL : f->from + f->width * (double)interface;
  for (size_t i = 0; i < count; i++) {
    const size_t drawn = (size_t)(fare_random_uniform(&random) * (double)f->crossings);
    const state *from  = &f->crossing[PetscMin(drawn, f->crossings - 1)];

    path[i]            = fare_path_begin(f->context, (uint32_t)i);
    path[i].generation = interface;
    path[i].end        = from->end;
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) path[i].x[axis] = from->x[axis];
    reach(f, i, &path[i]); /* one step may cross several */
  }
  PetscCall(fare_paths_walk(&plan, count, path, steps));
  f->crossings = 0;
  for (size_t i = 0; i < count; i++) {
    if (path[i].end == FARE_PATH_IN_A) continue;
    if (path[i].end == ABOVE) path[i].end = FARE_PATH_GOES_ON;
    cross(f, &path[i]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode multiply(flux *f, int64_t number, fare_rare_once *once)
{
  const double  dt    = f->context->dt;
  const int64_t all   = PetscMax(f->burn + 1, (int64_t)floor(f->s->time / dt + 0.5));
  int64_t       steps = 0;
  fare_path    *path;

  PetscFunctionBegin;
  PetscCall(find_crossings(f, number, all, &steps));
  once->estimate = (double)f->crossings / ((double)(all - f->burn) * dt * (double)f->s->walkers);
  f->burn        = -1; /* all trials count */
  PetscCall(PetscMalloc1((size_t)f->s->trials, &path));
  for (uint32_t k = 1; k <= (uint32_t)f->s->interfaces && f->crossings; k++) {
    PetscCall(go_on(f, number, k, path, &steps));
    once->estimate *= (double)f->crossings / (double)f->s->trials;
  }
  once->cost = (double)steps;
  PetscCall(PetscFree(path));
  if (f->full) FARE_FAIL(FARE_ERR_FAILED, "forward_flux: out of memory for crossings");
  PetscFunctionReturn(0);
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, int64_t number, fare_rare_once *once)
{
  const forward_flux *s     = options;
  const fare_score   *score = work;
  const fare_event   *event = context->event;
  flux                f     = {.s = s, .context = context, .score = score};
  PetscErrorCode      code;

  PetscFunctionBegin;
  f.from  = fare_score_at(score, event->time, event->start);
  f.width = (fare_score_of_b(score, event) - f.from) / (double)s->interfaces;
  f.burn  = (int64_t)floor(s->burn / context->dt + 0.5);
  code    = multiply(&f, number, once);
  free(f.crossing);
  PetscFunctionReturn(code);
}

static void setting(const void *options, int i, fare_rare_setting *s)
{
  (void)i;
  s->chain = ((const forward_flux *)options)->chain;
  s->of    = FARE_RARE_RATE;
}

static PetscErrorCode check(void *options, const fare_node *node, const fare_rare_context *context)
{
  const forward_flux *s = options;

  PetscFunctionBegin;
  if (context->event->deadline < FARE_NEVER)
    FARE_REFUSE(fare_node_find(node, "event"),
      "forward_flux needs a steady flux through its interfaces, which %s does not have: take `splitting` or "
      "`weighted_ensemble`",
      fare_system_is_driven(context->system) ? "a driven system" : "an event with a deadline");
  PetscCall(fare_score_check(&s->score, node, context));
  if (!(s->time > s->burn))
    FARE_REFUSE(
      fare_node_find(node, "time"), "expected more than the burn-in (%g), got %g", s->burn, s->time);
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const void *options, const fare_rare_context *context, void **work)
{
  PetscFunctionBegin;
  PetscCall(fare_score_create(&((const forward_flux *)options)->score, context, (fare_score **)work));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(void **work)
{
  PetscFunctionBegin;
  PetscCall(fare_score_destroy((fare_score **)work));
  PetscFunctionReturn(0);
}

const fare_rare_type fare_rare_forward_flux = {
  .name      = "forward_flux",
  .summary   = "flux through a first interface times the chances to reach each further one: the rate",
  .reference = "Allen, Warren and ten Wolde, Phys. Rev. Lett. 94, 018104 (2005)",
  .size      = sizeof(forward_flux),
  .fields    = fields,
  .check     = check,
  .setting   = setting,
  .begin     = begin,
  .end       = end,
  .run       = run,
};
