/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a committor is learned: anywhere in the box, or on paths of splitting, or on those that it leads. */
#include "learner.h"

#include <math.h>

#define LED    512   /* that are learned from */
#define STEPS  50000 /* at most, of one of them */
#define TRIALS 1000

extern const fare_rare_type fare_rare_splitting;

const char *const fare_learned_places[] = {[FARE_LEARN_UNIFORMLY] = "uniform",
  [FARE_LEARN_ON_SPLITTING]                                       = "splitting",
  [FARE_LEARN_ON_DOOB]                                            = "doob",
  NULL};

static void add_place(void *to, size_t i, const fare_path *path)
{
  fare_learner *l  = to;
  size_t        at = l->places < FARE_LEARNER_PLACES
           ? l->places++
           : (size_t)(fare_random_uniform(&l->reservoir) * (double)(l->seen + 1));

  l->seen++;
  if (at >= FARE_LEARNER_PLACES) return; /* each that is seen stays with equal chance */
  l->place[at] =
    (fare_place){.t = fare_rare_time(l->c, path->step), .log_weight = path->log_weight, .path = i};
  l->place[at].lag = (size_t)((path->step - path->born) / l->led);
  for (int axis = 0; axis < l->dim; axis++) l->place[at].x[axis] = path->x[axis];
}

/* The same of a path that is learned from, a lag of which may end there. */
static void pass_place(void *to, size_t i, const fare_path *path)
{
  fare_learner *l                = to;
  const int64_t taken            = path->step - path->born;
  const double *at[FARE_DIM_MAX] = {path->x, path->x + 1, path->x + 2}, t = fare_rare_time(l->c, path->step);
  double        log_q;

  add_place(to, i, path);
  if (!taken || taken % l->led) return;
  fare_committor_field_at(l->leader, 1, &t, at, &log_q, NULL);
  l->behind[i * l->lags + (size_t)(taken / l->led) - 1] = path->log_weight + log_q;
}

static void visit(void *to, size_t i, fare_path *path)
{
  const fare_pilot *p = to;

  if (path->end == FARE_PATH_GOES_ON && path->step - path->born >= STEPS) path->end = FARE_PATH_LATE;
  if (path->end == FARE_PATH_GOES_ON) p->context->watch(p->context->watcher, i, path);
}

PetscErrorCode fare_learner_lead(const fare_rare_context *c, const fare_committor_field *field,
  fare_stream noise, size_t count, fare_path path[])
{
  fare_pilot      p     = {c, field};
  const fare_walk walk  = {c, noise, -1, visit, fare_committor_steer, &p};
  int64_t         steps = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < count; i++) c->watch(c->watcher, i, &path[i]);
  PetscCall(fare_paths_walk(&walk, count, NULL, path, &steps));
  PetscFunctionReturn(0);
}

static PetscErrorCode split(const fare_learner *l, fare_rare_context *watched)
{
  static const char keys[] = "{dt: 1.0e-3, walkers: 100, kill: 10}"; /* of the context's setting is dt */
  fare_rare_job     job    = {&fare_rare_splitting, NULL, watched, NULL};
  fare_config      *config;
  void             *options;
  fare_rare_once    once;
  PetscErrorCode    code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(fare_rare_splitting.size, &options));
  PetscCall(fare_config_parse("splitting", keys, sizeof keys - 1, &config));
  PetscCall(fare_fields_read(fare_rare_splitting.fields, NULL, fare_config_root(config), options));
  job.options = options;
  code        = fare_rare_splitting.begin(options, watched, &job.work);
  if (!code) code = fare_rare_run_through(&job, l->round, &once);
  PetscCall(fare_rare_splitting.end(&job.work));
  fare_fields_free(fare_rare_splitting.fields, options);
  fare_config_destroy(&config);
  PetscCall(PetscFree(options));
  PetscFunctionReturn(code);
}

void fare_learner_draw_uniform(const fare_learner *l, fare_random *random, double *t, double x[])
{
  const fare_grid *grid = l->c->grid;

  for (int trial = 0; trial < TRIALS; trial++) {
    for (int axis = 0; axis < l->dim; axis++)
      x[axis] = grid->lower[axis] + fare_random_uniform(random) * (grid->upper[axis] - grid->lower[axis]);
    if (!fare_region_has(&l->event->b, x) && !(l->event->a.boxes && fare_region_has(&l->event->a, x))) break;
  }
  *t = l->timed ? l->event->time + fare_random_uniform(random) * l->span : l->event->time;
}

const fare_place *fare_learner_draw_place(const fare_learner *l, fare_random *random)
{
  return &l->place[PetscMin(l->places - 1, (size_t)(fare_random_uniform(random) * (double)l->places))];
}

/*
  Where paths begin that are learned from. Whole paths begin anywhere for the first half of the rounds, at
  first shortly before the deadline and then earlier and earlier: the leader is good where it was learned.
*/
static void begin_paths(const fare_learner *l, fare_path path[])
{
  const int   late   = l->timed ? (int)l->keys->rounds / 2 : 0;
  fare_random random = {.stream = fare_rare_stream(l->c, l->round, "beginnings")};

  for (uint32_t i = 0; i < LED; i++) {
    double t = l->event->time;

    path[i] = fare_path_begin(l->c, i);
    if (l->round < late || l->keys->train_on == FARE_LEARN_UNIFORMLY) {
      fare_learner_draw_uniform(l, &random, &t, path[i].x);
      if (l->round < late) t = l->event->deadline - (l->event->deadline - t) * (l->round + 1) / late;
    } else if (l->keys->train_on == FARE_LEARN_ON_SPLITTING) {
      const fare_place *from = fare_learner_draw_place(l, &random);

      t = from->t;
      for (int axis = 0; axis < l->dim; axis++) path[i].x[axis] = from->x[axis];
    }
    path[i].step = path[i].born =
      PetscMin(PetscMax(0, l->c->steps - 1), (int64_t)round((t - l->event->time) / l->c->dt));
  }
}

/* Of all places, what their lags tell of ln q there; those behind which a path was cut are left out. */
static void look_back(fare_learner *l, const fare_path path[])
{
  size_t kept = 0;

  for (size_t i = 0; i < LED; i++) {
    if (path[i].step > path[i].born)
      l->behind[i * l->lags + (size_t)((path[i].step - path[i].born - 1) / l->led)] =
        path[i].end == FARE_PATH_IN_B                                 ? path[i].log_weight
        : path[i].end == FARE_PATH_LATE && path[i].step < l->c->steps ? NAN
                                                                      : -HUGE_VAL;
  }
  for (size_t i = 0; i < l->places; i++) {
    const double behind = l->behind[l->place[i].path * l->lags + l->place[i].lag];

    l->place[kept]            = l->place[i];
    l->place[kept].log_weight = behind - l->place[i].log_weight;
    if (!isnan(behind)) kept++;
  }
  l->places = kept;
}

/* Places on paths that the network leads as it is. */
static PetscErrorCode lead_paths(fare_learner *l, fare_rare_context *watched)
{
  fare_committor_field *field;
  fare_path            *path;
  PetscErrorCode        code;

  PetscFunctionBegin;
  PetscCall(fare_learner_tabulate(l, &field));
  l->leader = field;
  l->lags   = l->timed ? (size_t)(l->c->steps / l->led) + 1 : 0;
  PetscCall(PetscMalloc2(LED, &path, LED * l->lags, &l->behind));
  begin_paths(l, path);
  l->places = l->seen = 0;
  if (l->timed) watched->watch = pass_place;
  code = fare_learner_lead(watched, field, fare_rare_stream(l->c, l->round, "places"), LED, path);
  if (!code && l->timed) look_back(l, path);
  PetscCall(PetscFree2(path, l->behind));
  PetscCall(fare_committor_field_destroy(&field));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_learner_find_places(fare_learner *l)
{
  fare_rare_context watched = *l->c;
  PetscErrorCode    code    = 0;

  PetscFunctionBegin;
  l->places = l->seen = 0;
  watched.watch       = add_place;
  watched.watcher     = l;
  if (l->keys->train_on == FARE_LEARN_ON_SPLITTING) code = split(l, &watched);
  if (!code && l->keys->train_on == FARE_LEARN_ON_SPLITTING && !l->places)
    FARE_FAIL(FARE_ERR_FAILED, "round %d: no path was seen between the sets", l->round);
  if (!code && (l->timed || l->keys->train_on == FARE_LEARN_ON_DOOB)) code = lead_paths(l, &watched);
  if (!code && l->keys->train_on != FARE_LEARN_UNIFORMLY && !l->places)
    FARE_FAIL(FARE_ERR_FAILED, "round %d: no path was seen between the sets", l->round);
  PetscFunctionReturn(code);
}
