/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Importance sampling with Doob's transform (Chetrite and Touchette, Ann. Henri Poincare 16, 2005 (2015)): the
  drift u = 2 D grad ln q leads paths to b, and the weight of a path is the likelihood of its noise without u
  over that with it, ln w = - sum [u sqrt(2 D) dW + u^2 dt/2]/(2 D). With the committor q itself and steps of
  width 0 all weights are alike; with any other q, and any step, the mean of w over all paths is without bias.

  What u does in a step is bounded: by half of the way to the next set and three standard deviations of the
  noise. The bounded u stands in the weight, too.
*/
#include "rare.h"

#include <fare/committor_field.h>

#include <math.h>

typedef enum { EXACT, COARSE, FROZEN, UNDRIVEN, NONE } control;
static const char *const controls[] = {
  [EXACT]    = "exact",
  [COARSE]   = "coarse",
  [FROZEN]   = "frozen",
  [UNDRIVEN] = "undriven",
  [NONE]     = "none",
  NULL,
};

typedef struct {
  fare_integers control;
  fare_reals    dt;
  int           crossing;
  PetscInt64    paths, cells;
} doob;

#define AT(member) offsetof(doob, member)
static const fare_field fields[] = {
  {"control", FARE_CHOICES, AT(control), "[exact]", 0, 0, controls, "",
    "committor that leads the paths, one row of the table for each: exact; coarse: of fewer cells; frozen: "
    "as if "
    "the drive stayed as it is at the moment; undriven: without the drive; none: plain paths"},
  {"control_cells", FARE_INTEGER, AT(cells), "64", 8, 4096, NULL, "", "cells per axis of the coarse one"},
  {"dt", FARE_REALS, AT(dt), NULL, 1e-12, 1e3, NULL, "time",
    "step of the simulation; of a list, each for itself, and what they tell of steps of width 0"},
  {"crossing", FARE_CHOICE, AT(crossing), "bridge", 0, 0, fare_crossings, "",
    "a set is entered where a step ends in it, or also between, as the bridge over a step tells"},
  {"paths", FARE_INTEGER, AT(paths), "1000", 1, 1e9, NULL, "", "paths of one run"},
  FARE_FIELDS_END,
};

static int settings(const void *options)
{
  const doob *s = options;

  return (int)(s->control.count * s->dt.count);
}

static void setting(const void *options, int i, fare_rare_setting *to)
{
  const doob  *s     = options;
  const size_t steps = s->dt.count, k = (size_t)i / steps;

  to->kind           = (int)s->control.values[k];
  to->chain.dt       = s->dt.values[(size_t)i % steps];
  to->chain.crossing = s->crossing;
  snprintf(to->label, sizeof to->label, "%s dt %.4g", controls[to->kind], to->chain.dt);
}

static PetscErrorCode check(void *options, const fare_node *node, const fare_rare_context *context)
{
  const doob *s = options;

  PetscFunctionBegin;
  if (!s->control.count)
    FARE_REFUSE(fare_node_find(node, "control"), "expected a control, got an empty list");
  if (!s->dt.count) FARE_REFUSE(fare_node_find(node, "dt"), "expected a step, got an empty list");
  for (size_t i = 0; i < s->control.count; i++) {
    const control c = (control)s->control.values[i];

    for (size_t k = 0; k < i; k++) {
      if (s->control.values[k] == s->control.values[i])
        FARE_REFUSE(fare_node_find(node, "control"), "the control '%s' is there twice", controls[c]);
    }
    if ((c == FROZEN || c == UNDRIVEN) && !fare_system_is_driven(context->system))
      FARE_REFUSE(fare_node_find(node, "control"),
        "the control '%s' is of a drive, and nothing is driven: take 'exact'", controls[c]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const void *options, const fare_rare_context *context, void **work)
{
  const doob            *s  = options;
  const control          c  = (control)context->setting.kind;
  fare_committor_options of = {c == FROZEN ? FARE_COMMITTOR_FROZEN
      : c == UNDRIVEN                      ? FARE_COMMITTOR_UNDRIVEN
                                           : FARE_COMMITTOR_EXACT,
    c == COARSE ? (PetscInt)s->cells : 0, 0, 0};

  PetscFunctionBegin;
  if (c == NONE) PetscFunctionReturn(0);
  PetscCall(fare_committor_field_create(
    context->comm, context->grid, context->system, context->event, &of, (fare_committor_field **)work));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(void **work)
{
  PetscFunctionBegin;
  PetscCall(fare_committor_field_destroy((fare_committor_field **)work));
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_rare_context    *context;
  const fare_committor_field *field;
} pilot;

/* By how much u has to be made smaller. */
static double bound(const pilot *p, const double x[], const double D[], const double u[])
{
  const fare_rare_context *c     = p->context;
  double                   speed = 0, most = 0, away[FARE_DIM_MAX];
  const double             to_a  = fare_rare_distance(c->grid, &c->event->a, x, away);
  const double             reach = PetscMin(to_a, fare_rare_distance(c->grid, &c->event->b, x, away));

  for (int axis = 0; axis < c->grid->dim; axis++) {
    speed += u[axis] * u[axis];
    most = PetscMax(most, D[axis]);
  }
  most = 0.5 * reach + 3 * sqrt(2 * most * c->dt);
  return sqrt(speed) * c->dt > most ? most / (sqrt(speed) * c->dt) : 1;
}

static void steer(void *to, double t, const double x[], const double D[], double u[])
{
  const pilot  *p                   = to;
  const int     dim                 = p->context->grid->dim;
  const double *at[FARE_DIM_MAX]    = {x};
  double       *slope[FARE_DIM_MAX] = {u}, log_q, share;

  for (int axis = 0; axis < dim; axis++) {
    at[axis]    = &x[axis];
    slope[axis] = &u[axis];
  }
  fare_committor_field_at(p->field, 1, &t, at, &log_q, slope);
  for (int axis = 0; axis < dim; axis++) u[axis] *= 2 * D[axis];
  share = bound(p, x, D, u);
  for (int axis = 0; axis < dim; axis++) u[axis] *= share;
}

static void count(const fare_path *path, fare_rare_once *once)
{
  const double weight = exp(path->log_weight);

  once->weighted++;
  once->information -= path->log_weight;
  if (path->end != FARE_PATH_IN_B) return;
  once->hits++;
  once->weights += weight;
  once->squares += weight * weight;
  once->heaviest = PetscMax(once->heaviest, weight);
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, int64_t number, fare_rare_once *once)
{
  enum { TOGETHER = 512 };
  const doob     *s    = options;
  pilot           p    = {context, work};
  const fare_walk walk = {
    context, fare_rare_stream(context, number, "noise"), -1, NULL, work ? steer : NULL, &p};
  int64_t   steps = 0;
  fare_path path[TOGETHER];

  PetscFunctionBegin;
  for (PetscInt64 first = 0; first < s->paths; first += TOGETHER) {
    const size_t together = (size_t)PetscMin(TOGETHER, s->paths - first);

    for (size_t i = 0; i < together; i++)
      path[i] = fare_path_begin(context, (uint32_t)(first + (PetscInt64)i));
    PetscCall(fare_paths_walk(&walk, together, path, &steps));
    for (size_t i = 0; i < together; i++) count(&path[i], once);
  }
  once->estimate = once->weights / (double)s->paths;
  once->cost     = (double)steps;
  if (!work) {
    once->paths = (double)s->paths;
    once->steps = (double)steps;
  }
  PetscFunctionReturn(0);
}

const fare_rare_type fare_rare_doob = {
  .name    = "doob",
  .summary = "importance sampling: the gradient of a committor leads paths to b, and weights make up for it",
  .reference = "Chetrite and Touchette, Ann. Henri Poincare 16, 2005 (2015)",
  .size      = sizeof(doob),
  .fields    = fields,
  .check     = check,
  .settings  = settings,
  .setting   = setting,
  .begin     = begin,
  .end       = end,
  .run       = run,
};
