/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Whether a plan goes on with what another has begun, or asks for what it has found: compared value by value.
*/
#include "study/run/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAME_TIME 1e-9 /* of the time between snapshots */

/* The table `fields` stands for the whole section: it is there in both plans, or in neither. */
static PetscErrorCode compare_section(const fare_field *fields, const fare_field *more,
  const fare_node *begun, const void *now, const char *key, fare_difference *d)
{
  PetscFunctionBegin;
  if (now)
    PetscCall(fare_fields_compare(fields, more, begun, now, key, d));
  else
    fare_texts_compare(begun ? "present" : "absent", "absent", key, d);
  PetscFunctionReturn(0);
}

/* As they stand in the files. */
static void compare_prior(const fare_node *now, const fare_node *begun, const char *path, fare_difference *d)
{
  fare_text text[2] = {{0}, {0}};
  char      key[256];

  fare_key_join(path, "prior", sizeof key, key);
  if (begun) fare_node_write(begun, &text[0]);
  if (now) fare_node_write(now, &text[1]);
  fare_texts_compare(begun ? text[0].text : "absent", now ? text[1].text : "absent", key, d);
  for (int i = 0; i < 2; i++) fare_text_free(&text[i]);
}

/* The method's own keys, those of its training, and its prior. */
static PetscErrorCode compare_method(
  const fare_plan_ensemble *e, const fare_node *begun, const char *path, fare_difference *d)
{
  const fare_method_keys keys = fare_plan_method_keys(e->type, begun);
  char                   key[256];

  PetscFunctionBegin;
  PetscCall(fare_fields_compare(e->type->fields, keys.node_more, keys.node, e->options, path, d));
  fare_key_join(path, "train", sizeof key, key);
  PetscCall(compare_section(fare_training_fields, NULL, fare_node_find(begun, "train"),
    e->type->train ? &e->training : NULL, key, d));
  compare_prior(e->prior_node, fare_node_find(begun, "prior"), path, d);
  PetscFunctionReturn(0);
}

/* The text of a scalar; another where there is none. */
static const char *text_of(const fare_node *node, const char *otherwise)
{
  return node && fare_node_kind_of(node) == FARE_NODE_SCALAR ? fare_node_text(node) : otherwise;
}

/* The method is compared before its keys, which are others for another. */
static PetscErrorCode compare_ensemble(
  const fare_plan_ensemble *e, const fare_node *begun, fare_difference *d)
{
  static const char *const ways[] = {"sampler", "plugin"};
  const char *const        now[]  = {e->sampler, e->plugin};
  const fare_method_keys   keys   = fare_plan_method_keys(e->type, begun);
  fare_plan_ensemble       line   = *e;
  char                     path[128], key[256];

  PetscFunctionBegin;
  line.name = e->line;
  fare_key_join("ensembles", e->line, sizeof path, path);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(ways) && begun; i++) {
    const fare_node *node = fare_node_find(begun, ways[i]);

    fare_key_join(path, ways[i], sizeof key, key);
    fare_texts_compare(text_of(node, "none"), now[i] ? now[i] : "none", key, d);
  }
  PetscCall(fare_fields_compare(keys.own, keys.own_more, begun, &line, path, d));
  if (d->kind == FARE_ALIKE) PetscCall(compare_method(e, begun, path, d));
  PetscFunctionReturn(0);
}

/*
  Matched by name: everything that a study keeps of them is filed under it, and so are their random numbers.
*/
static PetscErrorCode compare_ensembles(const fare_plan *plan, const fare_node *list, fare_difference *d)
{
  const PetscBool is_list = list && fare_node_kind_of(list) == FARE_NODE_LIST ? PETSC_TRUE : PETSC_FALSE;
  size_t          lines   = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (plan->ensemble[i].seed) continue;
    lines++;
    PetscCall(compare_ensemble(&plan->ensemble[i], fare_node_named(list, plan->ensemble[i].line), d));
  }
  for (size_t i = 0; is_list && i < fare_node_size(list); i++) {
    const char *name = text_of(fare_node_find(fare_node_item(list, i), "name"), "");
    PetscBool   has  = *name ? PETSC_FALSE : PETSC_TRUE;
    char        key[256];

    for (size_t k = 0; k < plan->ensembles; k++) has |= !strcmp(plan->ensemble[k].line, name);
    fare_key_join("ensembles", name, sizeof key, key);
    if (!has) fare_texts_compare("present", "absent", key, d);
  }
  fare_counts_compare(is_list ? fare_node_size(list) : 0, lines, "ensembles", d);
  PetscFunctionReturn(0);
}

static void compare_scalar(const fare_node *root, const char *key, const char *now, fare_difference *d)
{
  fare_texts_compare(text_of(fare_node_find(root, key), "absent"), now, key, d);
}

/* The kind of truth comes before its keys, which are others for another. */
static void compare_kinds(const fare_plan *plan, const fare_node *begun, fare_difference *d)
{
  const char *now = plan->joint ? plan->joint->name : "grid";

  if (begun) fare_texts_compare(text_of(fare_node_find(begun, "kind"), "grid"), now, "truth.kind", d);
}

/* All but measures, output, and how far the study goes. */
static PetscErrorCode compare_plans(
  const fare_plan *plan, const fare_node *root, const fare_schedule *begun, fare_difference *d)
{
  fare_plan like = *plan;
  char      seed[32];

  PetscFunctionBegin;
  like.snapshots.end   = begun->end;
  like.snapshots.count = begun->count;
  snprintf(seed, sizeof seed, "%lld", (long long)plan->seed);
  compare_scalar(root, "study", plan->study, d);
  compare_scalar(root, "seed", seed, d);
  compare_scalar(root, "condition", plan->condition ? plan->condition : "absent", d);
  PetscCall(
    fare_system_compare(plan->system, fare_node_find(root, "system"), fare_node_find(root, "drive"), d));
  /* a section decides what others hold, so that its presence comes first */
  for (const fare_plan_section *s = fare_plan_sections; s->key; s++)
    fare_texts_compare(fare_node_find(root, s->key) ? "present" : "absent",
      fare_plan_options(&like, s) ? "present" : "absent", s->key, d);
  compare_kinds(plan, fare_node_find(root, "truth"), d);
  for (const fare_plan_section *s = fare_plan_sections; s->key && d->kind == FARE_ALIKE; s++) {
    const fare_field *more, *table = fare_plan_table(&like, s, &more);

    PetscCall(
      compare_section(table, more, fare_node_find(root, s->key), fare_plan_options(&like, s), s->key, d));
  }
  PetscCall(compare_ensembles(plan, fare_node_find(root, "ensembles"), d));
  PetscCall(fare_analyses_compare(plan->analyses, plan->analysis, fare_node_find(root, "analysis"), d));
  PetscCall(fare_rare_compare(plan->rare, fare_node_find(root, "events"), fare_node_find(root, "rare"), d));
  PetscCall(fare_control_compare(plan->control, fare_node_find(root, "control"), d));
  PetscCall(fare_infer_compare(plan->infer, fare_node_find(root, "infer"), d));
  PetscFunctionReturn(0);
}

/* What was measured: the same measures, in any order. */
static void compare_measures(const fare_plan *plan, const fare_node *list, fare_difference *d)
{
  const size_t count = list && fare_node_kind_of(list) == FARE_NODE_LIST ? fare_node_size(list) : 0;

  for (size_t m = 0; m < plan->measures; m++) {
    PetscBool has = PETSC_FALSE;

    for (size_t i = 0; i < count; i++)
      has |= !strcmp(text_of(fare_node_item(list, i), ""), plan->measure[m]->name);
    if (!has) fare_texts_compare("none", plan->measure[m]->name, "measures", d);
  }
  fare_counts_compare(count, plan->measures, "measures", d);
}

/*
  More snapshots may follow, if those that there are keep their times and no method has learned from where the
  end was.
*/
static PetscErrorCode compare_schedules(const fare_plan *plan, const fare_schedule *old, PetscInt64 next)
{
  const fare_schedule *now = &plan->snapshots;
  const double         gap = (now->end - now->start) / (double)PetscMax(1, now->count - 1);

  PetscFunctionBegin;
  if (old->end == now->end && old->count == now->count) PetscFunctionReturn(0);
  for (size_t i = 0; i < plan->ensembles; i++) {
    if (plan->ensemble[i].type->train)
      FARE_FAIL(FARE_ERR_INPUT,
        "--resume: the snapshots now end at %g instead of %g, but ensemble %s trains on all of them: start "
        "the study again",
        now->end, old->end, plan->ensemble[i].name);
  }
  for (PetscInt64 k = 0; k < next; k++) {
    const double before = fare_schedule_time(old, k), after = fare_schedule_time(now, k);

    if (k >= now->count || fabs(after - before) > SAME_TIME * gap)
      FARE_FAIL(FARE_ERR_INPUT,
        "--resume: snapshot %lld was planned at time %g, but the plan now has %s%g; snapshots can only be "
        "added at the end",
        (long long)k, before, k >= now->count ? "none: it ends at " : "", k >= now->count ? now->end : after);
  }
  PetscFunctionReturn(0);
}

/* Parses a plan as fare_plan_write leaves it; the caller destroys it. */
static PetscErrorCode parse(const char *text, fare_config **config, fare_schedule *schedule)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_config_parse("the original plan", text, strlen(text), config));
  code = fare_fields_read(
    fare_schedule_fields, NULL, fare_node_find(fare_config_root(*config), "snapshots"), schedule);
  if (code) fare_config_destroy(config);
  PetscFunctionReturn(code);
}

static PetscErrorCode refuse(const char *what, const fare_difference *d)
{
  const char *advice = "continue with that version, or restart the study with --overwrite";

  switch (d->kind) {
  case FARE_ALIKE:
    return 0;
  case FARE_DIFFERENT:
    return fare_error(
      FARE_ERR_INPUT, "%s another plan: %s was %s, now it is %s", what, d->key, d->before, d->now);
  case FARE_LACKING:
    return fare_error(
      FARE_ERR_INPUT, "%s another version of FARE, whose plans have no %s; %s", what, d->key, advice);
  case FARE_UNKNOWN:
    return fare_error(FARE_ERR_INPUT,
      "%s another version of FARE, whose plans have %s, which this one does not know; %s", what, d->key,
      advice);
  }
  return 0;
}

PetscErrorCode fare_plan_continues(const fare_plan *plan, const char *begun, PetscInt64 next)
{
  fare_difference difference = {FARE_ALIKE};
  fare_schedule   schedule   = {0};
  fare_config    *config;
  PetscErrorCode  code;

  PetscFunctionBegin;
  PetscCall(parse(begun, &config, &schedule));
  code = compare_plans(plan, fare_config_root(config), &schedule, &difference);
  fare_config_destroy(&config);
  PetscCall(code);
  PetscCall(refuse("--resume: the study was started with", &difference));
  PetscCall(compare_schedules(plan, &schedule, next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_plan_compare(const fare_plan *plan, const char *found, fare_plan_relation *relation)
{
  fare_difference difference = {FARE_ALIKE};
  fare_schedule   schedule   = {0};
  fare_config    *config;
  PetscErrorCode  code;

  PetscFunctionBegin;
  *relation = FARE_PLAN_OTHER;
  PetscCall(parse(found, &config, &schedule));
  code = compare_plans(plan, fare_config_root(config), &schedule, &difference);
  if (!code && difference.kind == FARE_ALIKE) {
    *relation = FARE_PLAN_EXTENDED;
    compare_measures(plan, fare_node_find(fare_config_root(config), "measures"), &difference);
    code = compare_section(fare_schedule_fields, NULL, fare_node_find(fare_config_root(config), "snapshots"),
      &plan->snapshots, "snapshots", &difference);
  }
  fare_config_destroy(&config);
  PetscCall(code);
  if (difference.kind == FARE_ALIKE) *relation = FARE_PLAN_SAME;
  (void)refuse("the study was started with", &difference);
  PetscFunctionReturn(0);
}
