/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Importance sampling with Doob's transform (Chetrite and Touchette, Ann. Henri Poincare 16, 2005 (2015)): the
  drift u = 2 D grad ln q leads paths to b, and the weight of a path is the likelihood of its noise without u
  over that with it, ln w = - sum [u sqrt(2 D) dW + u^2 dt/2]/(2 D). With the committor q itself and steps of
  width 0 all weights are alike; with any other q, and any step, the mean of w over all paths is without bias.

  What u does in a step is bounded: by half of the way to the next set and three standard deviations of the
  noise. The bounded u stands in the weight, too.
*/
#include "learned.h"

#include <math.h>

#define SAME_STEP 1e-3 /* names of rows have four digits of it */

typedef enum { EXACT, COARSE, FROZEN, UNDRIVEN, LEARNED, NONE } control;
static const char *const controls[] = {
  [EXACT]    = "exact",
  [COARSE]   = "coarse",
  [FROZEN]   = "frozen",
  [UNDRIVEN] = "undriven",
  [LEARNED]  = "learned",
  [NONE]     = "none",
  NULL,
};

typedef struct {
  fare_integers control;
  fare_reals    dt;
  int           crossing;
  PetscInt64    paths, cells;

  fare_learned_keys learned;
} doob;

/* What the runs share. */
typedef struct {
  fare_committor_field  *field; /* NULL: plain paths */
  fare_learned_judgement learned;
} shared;

#define AT(member) offsetof(doob, member)
static const fare_field fields[] = {
  {"control", FARE_CHOICES, AT(control), "[exact]", 0, 0, controls, "",
    "committor that leads the paths, one row of the table for each: exact; coarse: of fewer cells; frozen: "
    "as if "
    "the drive stayed as it is at the moment; undriven: without the drive; learned: by a network; none: "
    "plain paths"},
  {"control_cells", FARE_INTEGER, AT(cells), "64", 8, 4096, NULL, "", "cells per axis of the coarse one"},
  {"dt", FARE_REALS, AT(dt), NULL, 1e-12, 1e3, NULL, "time",
    "step of the simulation; of a list, each for itself, and what they tell of steps of width 0"},
  {"crossing", FARE_CHOICE, AT(crossing), "bridge", 0, 0, fare_crossings, "",
    "a set is entered where a step ends in it, or also between, as the bridge over a step tells"},
  {"paths", FARE_INTEGER, AT(paths), "1000", 1, 1e9, NULL, "", "paths of one run"},
  FARE_LEARNED_FIELDS(doob, learned),
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
  for (size_t i = 0; i < s->dt.count; i++) {
    for (size_t k = 0; k < i; k++) {
      if (fabs(s->dt.values[k] / s->dt.values[i] - 1) < SAME_STEP)
        FARE_REFUSE(fare_node_find(node, "dt"), "the step %g is there twice", s->dt.values[i]);
    }
  }
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

  shared        *to;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(PetscNew(&to));
  to->learned = (fare_learned_judgement){NAN, NAN};
  if (c == LEARNED)
    code = fare_learned_create(&s->learned, context, s->dt.values[0], &to->field, &to->learned);
  else if (c != NONE)
    code = fare_committor_field_create(
      context->comm, context->grid, context->system, context->event, &of, &to->field);
  *work = to;
  PetscFunctionReturn(code);
}

static PetscErrorCode end(void **work)
{
  shared *from = *work;

  PetscFunctionBegin;
  if (from) PetscCall(fare_committor_field_destroy(&from->field));
  PetscCall(PetscFree(*work));
  PetscFunctionReturn(0);
}

static void report(const void *work, fare_rare_row *row)
{
  const shared *s = work;

  row->learned_error = s->learned.error;
  row->learned_start = s->learned.start;
}

static void count(const fare_path *path, fare_rare_state *run)
{
  const double    weight = exp(path->log_weight);
  fare_rare_once *once   = &run->once;

  once->weighted++;
  once->information -= path->log_weight;
  if (path->end != FARE_PATH_IN_B) return;
  once->hits++;
  once->weights += weight;
  once->squares += weight * weight;
  once->heaviest = PetscMax(once->heaviest, weight);
}

static PetscErrorCode run(
  const void *options, const fare_rare_context *context, void *work, fare_rare_state *run, PetscBool *ended)
{
  const doob     *s    = options;
  const shared   *with = work;
  fare_pilot      p    = {context, with->field};
  const fare_walk walk = {context, fare_rare_stream(context, run->number, "noise"), -1, NULL,
    with->field ? fare_committor_steer : NULL, &p};
  fare_rare_once *once = &run->once;

  PetscFunctionBegin;
  PetscCall(fare_rare_sample(&walk, s->paths, run, count, ended));
  once->estimate = once->weights / (double)run->stage;
  once->cost     = (double)run->steps;
  if (!with->field) {
    once->paths = (double)run->stage;
    once->steps = (double)run->steps;
  }
  run->present = once->estimate;
  run->present_error =
    sqrt((once->squares / (double)run->stage - PetscSqr(once->estimate)) / (double)run->stage);
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
  .shares    = PETSC_TRUE,
  .begin     = begin,
  .end       = end,
  .run       = run,
  .report    = report,
};
