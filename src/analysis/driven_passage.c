/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The mean time until a set is reached while the drive goes on, dtau/dt = -1 - L(t)^T tau backward in time;
  and of paths from a set, when they get there, forward.
*/
#include "analysis.h"

typedef struct {
  fare_driven_keys  keys;
  fare_passage_keys sets;
  PetscInt64        survival;
  double            horizon;
} passage;

#define AT(member) offsetof(passage, member)
static const fare_field fields[] = {
  FARE_DRIVEN_FIELDS(AT(keys)),
  FARE_PASSAGE_FIELDS(AT(sets)),
  {"survival", FARE_INTEGER, AT(survival), "0", 0, 100000, NULL, "",
    "number of times at which to give the survival of paths begun in `from` at the first start, and the "
    "density of arrival times"},
  {"horizon", FARE_REAL, AT(horizon), "0", 0, 1e12, NULL, "time",
    "duration of the survival curve; by default the span or period"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  passage *s = state;

  PetscFunctionBegin;
  PetscCall(fare_driven_check(&s->keys, node, context->system, time, "passage"));
  PetscCall(fare_passage_check(&s->sets, node, context));
  if (s->survival && !s->sets.begin.boxes)
    FARE_REFUSE(fare_node_find(node, "survival"), "survival needs an initial set: give 'from'");
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_survival(const passage *s, const fare_grid *grid, const fare_system *system,
  const fare_span *span, Vec begin, fare_findings *found)
{
  const double   length = s->horizon > 0 ? s->horizon : span->end - span->start;
  const int      count  = (int)s->survival;
  double        *times, *left, *density;
  fare_survival *survival;
  fare_driven    driven;
  fare_finding  *f;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(count, &times, count, &left, count, &density, count, &survival));
  for (int i = 0; i < count; i++) times[i] = span->start + length * (i + 1) / count;
  PetscCall(fare_survival_solve(grid, system, &s->sets.absorbing, begin, span->start, s->keys.tolerance,
    count, times, survival, NULL, &driven));
  for (int i = 0; i < count; i++) left[i] = survival[i].survival;
  for (int i = 0; i < count; i++) density[i] = survival[i].density;
  f = fare_found_exact(
    found, "survival_times", "at which `survival` and `passage_density` are given", (size_t)count, 1, times);
  f->curve = PETSC_TRUE;
  f        = fare_found(
           found, "survival", "fraction of paths from the set that have not arrived", (size_t)count, left);
  f->curve = PETSC_TRUE;
  for (int i = 0; i < count; i++) f->least[i] = driven.error;
  f        = fare_found(found, "passage_density", "density of their arrival times", (size_t)count, density);
  f->curve = PETSC_TRUE;
  for (int i = 0; i < count; i++) f->least[i] = survival[i].density_error;
  fare_found_number(found, "survival_step_error", "estimated, of the time stepping", driven.error);
  PetscCall(PetscFree4(times, left, density, survival));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_means(const passage *s, const fare_grid *grid, const fare_system *system,
  const fare_span *span, Vec times[], double known, fare_findings *found)
{
  const int     count = (int)s->keys.starts;
  double        mean[FARE_STARTS_MAX], rate[FARE_STARTS_MAX];
  fare_finding *f;
  Vec           begin;

  PetscFunctionBegin;
  if (!s->sets.begin.boxes) PetscFunctionReturn(0);
  PetscCall(fare_passage_begin(&s->sets, grid, system, span->start, &begin));
  for (int k = 0; k < count; k++) {
    PetscCall(VecDot(times[k], begin, &mean[k]));
    rate[k] = 1 / mean[k];
  }
  f           = fare_found(found, "mean", "mean time from the set, of each start", (size_t)count, mean);
  f->by_start = PETSC_TRUE;
  for (int k = 0; k < count; k++) f->least[k] = known;
  f           = fare_found(found, "rate", "its inverse", (size_t)count, rate);
  f->by_start = PETSC_TRUE;
  for (int k = 0; k < count; k++) f->least[k] = known * rate[k] * rate[k];
  if (s->survival) PetscCall(keep_survival(s, grid, system, span, begin, found));
  PetscCall(VecDestroy(&begin));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const passage *s     = state;
  const int      count = (int)s->keys.starts;
  double         starts[FARE_STARTS_MAX];
  Vec            times[FARE_STARTS_MAX];
  fare_driven    driven;
  fare_span      span;

  PetscFunctionBegin;
  (void)like;
  fare_driven_plan(&s->keys, time, &span, starts);
  PetscCall(
    fare_driven_passage_solve(grid, system, &span, &s->sets.absorbing, count, starts, times, &driven));
  PetscCall(keep_means(s, grid, system, &span, times, driven.error * driven.largest, found));
  PetscCall(fare_passage_at_points(&s->sets, grid,
    s->keys.after == FARE_AFTER_OVER
      ? "mean time, cut off at the end of the span: of each start, from the points"
      : "mean time: of each start, from the points",
    count, times, driven.error * driven.largest, NULL, 0, found));
  fare_driven_keep(
    &s->keys, PETSC_FALSE, &driven, starts, "times from which `time`, `mean` and `rate` are given", found);
  for (int k = 0; k < count; k++) {
    char name[32];

    snprintf(name, sizeof name, "passage_time_%d", k);
    if (s->sets.meshes)
      fare_found_mesh(found, name, "mean first-passage time from the centre of each cell, from this start",
        FARE_MESH_VALUES, times[k]);
    else
      PetscCall(VecDestroy(&times[k]));
  }
  PetscFunctionReturn(0);
}

static void destroy(void *state)
{
  fare_passage_free(&((passage *)state)->sets);
}

const fare_analysis_type fare_analysis_driven_passage = {
  .name      = "driven_passage",
  .summary   = "mean first-passage time into or out of a set under a drive, by start time, "
               "and distribution of arrival times",
  .reference = "Gardiner, Handbook of Stochastic Methods (Springer), chapter 5: the backward equation, with "
               "time-dependent coefficients",
  .size      = sizeof(passage),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .destroy   = destroy,
};
