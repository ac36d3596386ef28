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

#define ABOVE FARE_PATH_LATE /* how a trial ends at the next interface */
#define PIECE 16384          /* steps of walkers between two looks at the clock */

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

/* One run. */
typedef struct {
  const forward_flux      *s;
  const fare_rare_context *context;
  const fare_score        *score;
  fare_rare_state         *run;
  double                   from, width; /* score of the first interface, and between two */
  double                   next;        /* that trials are to reach */
  int64_t                  burn, all;   /* steps of walkers */
} flux;

static double score_of(const flux *f, const fare_path *path)
{
  return path->end == FARE_PATH_IN_B
    ? HUGE_VAL
    : fare_score_at(f->score, fare_rare_time(f->context, path->step), path->x);
}

static void cross(flux *f, size_t i, double score, const fare_path *path)
{
  if (path->step > f->burn) fare_rare_remember(f->run, i, score, path);
}

/*
  Of walkers, which go on from a, and from b at the start, which is on the first interface. Marked are those
  that have been in a since they crossed.
*/
static void watch(void *to, size_t i, fare_path *path)
{
  flux  *f = to;
  double score;

  if (path->end == FARE_PATH_IN_A) {
    path->mark = 1;
    path->end  = FARE_PATH_GOES_ON;
    return;
  }
  score = path->mark ? score_of(f, path) : -HUGE_VAL;
  if (score >= f->from) {
    cross(f, i, score, path);
    path->mark = 0;
  }
  if (path->end != FARE_PATH_IN_B) return;
  path->end = FARE_PATH_GOES_ON;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) path->x[axis] = f->context->event->start[axis];
  cross(f, i, f->from, path);
}

static void reach(void *to, size_t i, fare_path *path)
{
  const flux *f = to;

  (void)i;
  if (path->end == FARE_PATH_GOES_ON && score_of(f, path) >= f->next) path->end = ABOVE;
}

static PetscErrorCode begin_walkers(const flux *f)
{
  PetscFunctionBegin;
  PetscCall(fare_rare_hold(f->run, (size_t)f->s->walkers, PETSC_TRUE));
  for (size_t i = 0; i < f->run->count; i++) f->run->path[i] = fare_path_begin(f->context, (uint32_t)i);
  f->run->until = PetscMin(PIECE, f->all);
  PetscFunctionReturn(0);
}

/* States on the interface that was reached last: crossings of walkers, or ends of trials, in their order. */
static PetscErrorCode gather(const flux *f, size_t *count, fare_path **state)
{
  const fare_rare_state *run = f->run;
  size_t                 all = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < run->count; i++) all += run->past ? run->past[i].count : 1;
  PetscCall(PetscMalloc1(all, state));
  *count = 0;
  for (size_t i = 0; i < run->count; i++) {
    for (size_t k = 0; run->past && k < run->past[i].count; k++) {
      const fare_milestone *m  = &run->past[i].at[k];
      fare_path            *to = &(*state)[(*count)++];

      *to     = fare_path_begin(f->context, 0);
      to->end = m->score == HUGE_VAL ? FARE_PATH_IN_B : FARE_PATH_GOES_ON;
      for (int axis = 0; axis < FARE_DIM_MAX; axis++) to->x[axis] = m->x[axis];
    }
    if (run->past || run->path[i].end == FARE_PATH_IN_A) continue;
    (*state)[*count] = run->path[i];
    if (run->path[i].end == ABOVE) (*state)[*count].end = FARE_PATH_GOES_ON;
    ++*count;
  }
  PetscFunctionReturn(0);
}

/* Score that trials of an interface are to reach; the last of them, b. */
static double aim(const flux *f, int64_t interface)
{
  return interface == f->s->interfaces ? HUGE_VAL : f->from + f->width * (double)interface;
}

/* Trials from states of an interface, drawn at random. */
static PetscErrorCode begin_trials(flux *f, size_t count, const fare_path state[])
{
  fare_rare_state *run    = f->run;
  fare_random      random = {
         .stream = fare_rare_stream(f->context, run->number, "states"), .sequence = (uint32_t)run->stage};

  PetscFunctionBegin;
  PetscCall(fare_rare_hold(run, (size_t)f->s->trials, PETSC_FALSE));
  run->until = -1;
  f->next    = aim(f, run->stage);
  for (size_t i = 0; i < run->count; i++) {
    const size_t     drawn = (size_t)(fare_random_uniform(&random) * (double)count);
    const fare_path *from  = &state[PetscMin(drawn, count - 1)];
    fare_path       *path  = &run->path[i];

    *path            = fare_path_begin(f->context, (uint32_t)i);
    path->generation = (uint32_t)run->stage;
    path->end        = from->end;
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) path->x[axis] = from->x[axis];
    reach(f, i, path); /* one step may cross several */
  }
  PetscFunctionReturn(0);
}

/* What has come to the interface: the flux through the first, or the share of trials; *more goes on to the
 * next.
 */
static PetscErrorCode pass_interface(flux *f, PetscBool *more)
{
  fare_rare_state *run  = f->run;
  const int64_t    last = f->s->interfaces;
  fare_path       *state;
  size_t           count = 0;
  double           part;

  PetscFunctionBegin;
  PetscCall(gather(f, &count, &state));
  part = (double)count /
    (run->stage ? (double)run->count : (double)(f->all - f->burn) * f->context->dt * (double)run->count);
  run->detail[run->stage] = part;
  run->value              = run->stage ? run->value * part : part;
  *more                   = count && run->stage < last ? PETSC_TRUE : PETSC_FALSE;
  if (*more) {
    run->stage++;
    PetscCall(begin_trials(f, count, state));
  }
  PetscCall(PetscFree(state));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, fare_rare_state *run, PetscBool *ended)
{
  const forward_flux *s     = options;
  const fare_score   *score = work;
  const fare_event   *event = context->event;
  flux                f     = {.s = s, .context = context, .score = score, .run = run};
  PetscBool           more  = PETSC_TRUE;

  PetscFunctionBegin;
  f.from  = fare_score_at(score, event->time, event->start);
  f.width = (fare_score_of_b(score, event) - f.from) / (double)s->interfaces;
  f.burn  = (int64_t)floor(s->burn / context->dt + 0.5);
  f.all   = PetscMax(f.burn + 1, (int64_t)floor(s->time / context->dt + 0.5));
  f.next  = aim(&f, run->stage);
  if (!run->count) PetscCall(begin_walkers(&f));
  while (more) {
    const fare_walk walk = {context, fare_rare_stream(context, run->number, run->stage ? "trials" : "noise"),
      run->until, run->stage ? reach : watch, NULL, &f};

    run->share = (double)run->stage / (double)(s->interfaces + 1);
    PetscCall(fare_rare_walk(&walk, run, ended));
    if (!*ended) PetscFunctionReturn(0);
    if (!run->stage && run->until < f.all)
      run->until = PetscMin(run->until + PIECE, f.all);
    else
      PetscCall(pass_interface(&f, &more));
  }
  run->once.estimate = run->value;
  run->once.cost     = (double)run->steps;
  PetscFunctionReturn(0);
}

static size_t details(const void *options)
{
  return (size_t)((const forward_flux *)options)->interfaces + 1;
}

static PetscErrorCode interfaces(
  const void *options, const fare_rare_context *context, void *work, fare_interface interface[])
{
  PetscFunctionBegin;
  PetscCall(fare_interfaces_solve(context, work, details(options), interface));
  PetscFunctionReturn(0);
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
  .name       = "forward_flux",
  .summary    = "flux through a first interface times the chances to reach each further one: the rate",
  .reference  = "Allen, Warren and ten Wolde, Phys. Rev. Lett. 94, 018104 (2005)",
  .size       = sizeof(forward_flux),
  .fields     = fields,
  .check      = check,
  .setting    = setting,
  .begin      = begin,
  .end        = end,
  .run        = run,
  .details    = details,
  .interfaces = interfaces,
};
