/* SPDX-License-Identifier: BSD-2-Clause */
/* The section `control:`. */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64 /* of a line, far more than there are */

struct fare_control {
  size_t             count;
  fare_control_line *line;
};

static PetscErrorCode read_line(const fare_node *node, const fare_truth_options *truth, const fare_rare *rare,
  const fare_system *system, const fare_control *control, fare_control_line *line)
{
  PetscFunctionBegin;
  PetscCall(fare_control_line_read(node, system, truth, rare, line));
  for (const fare_control_line *other = control->line; other < line; other++) {
    if (!strcmp(other->name, line->name))
      FARE_REFUSE(fare_node_find(node, "name"), "there is a control '%s' already", line->name);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_from_config(const fare_node *list, const fare_system *system,
  const fare_truth_options *truth, const fare_rare *rare, fare_control **control)
{
  PetscFunctionBegin;
  *control = NULL;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., parameter: ..., ...}");
  PetscCall(PetscNew(control));
  PetscCall(PetscCalloc1(fare_node_size(list) + 1, &(*control)->line));
  for (size_t i = 0; i < fare_node_size(list); i++) {
    (*control)->count = i + 1;
    PetscCall(read_line(fare_node_item(list, i), truth, rare, system, *control, &(*control)->line[i]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_destroy(fare_control **control)
{
  PetscFunctionBegin;
  if (!*control) PetscFunctionReturn(0);
  for (size_t i = 0; i < (*control)->count; i++) fare_control_line_free(&(*control)->line[i]);
  PetscCall(PetscFree((*control)->line));
  PetscCall(PetscFree(*control));
  PetscFunctionReturn(0);
}

/* Keys that have a meaning for every line; of the others, those that were given are written. */
static PetscBool is_general(const char *key)
{
  static const char *const general[] = {"name", "aim", "duration", "knots", "jumps", "steps"};

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(general); i++) {
    if (!strcmp(key, general[i])) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

void fare_control_write(const fare_control *control, fare_text *to)
{
  if (!control) return;
  fare_text_add(to, "control:\n");
  for (size_t i = 0; i < control->count; i++) {
    fare_text_add(to, "  -\n");
    for (const fare_field *f = fare_control_fields; f->key; f++) {
      const fare_field       one[] = {*f, FARE_FIELDS_END};
      const fare_node *const node  = fare_node_find(control->line[i].node, f->key);

      if (node || is_general(f->key)) fare_fields_write(one, &control->line[i], 4, to);
      if (!node || f->kind != FARE_NODE) continue;
      fare_text_add(to, "    %s: ", f->key);
      fare_node_write(node, to);
      fare_text_add(to, "\n");
    }
  }
}

static PetscErrorCode compare_one(
  const fare_control_line *line, const fare_node *before, fare_difference *difference)
{
  fare_field written[FIELDS_MAX + 1];
  char       path[128], key[256];
  int        count = 0;

  PetscFunctionBegin;
  for (const fare_field *f = fare_control_fields; f->key && count < FIELDS_MAX; f++) {
    if (is_general(f->key) || fare_node_find(before, f->key) || fare_node_find(line->node, f->key))
      written[count++] = *f;
  }
  written[count] = (fare_field)FARE_FIELDS_END;
  fare_key_join("control", line->name, sizeof path, path);
  PetscCall(fare_fields_compare(written, NULL, before, line, path, difference));
  for (const fare_field *f = fare_control_fields; f->key; f++) {
    fare_key_join(path, f->key, sizeof key, key);
    if (f->kind == FARE_NODE)
      PetscCall(fare_nodes_compare(
        fare_node_find(before, f->key), fare_node_find(line->node, f->key), key, difference));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_compare(
  const fare_control *control, const fare_node *list, fare_difference *difference)
{
  const size_t count = control ? control->count : 0;

  PetscFunctionBegin;
  for (size_t i = 0; i < count && difference->kind == FARE_ALIKE; i++)
    PetscCall(compare_one(&control->line[i], fare_node_named(list, control->line[i].name), difference));
  fare_counts_compare(list ? fare_node_size(list) : 0, count, "control", difference);
  PetscFunctionReturn(0);
}

/* Names and ends of the drives, and the times of the knots. */
static PetscErrorCode begin_result(const fare_control_line *line, fare_control_result *r)
{
  static const char *const quantity[] = {[FARE_AIM_LEAST_WORK] = "dissipated work",
    [FARE_AIM_LEAST_DISSIPATION]                               = "dissipated work",
    [FARE_AIM_MOST_LIKELY]                                     = "probability",
    [FARE_AIM_LEAST_LIKELY]                                    = "probability",
    [FARE_AIM_OBSERVABLE]                                      = "mean",
    [FARE_AIM_REACH]                                           = "divergence",
    [FARE_AIM_MOST_POWER]                                      = "power"};

  PetscFunctionBegin;
  r->name     = line->name;
  r->aim      = fare_control_aim(line->aim);
  r->quantity = quantity[line->aim];
  r->knots    = line->points;
  r->courses  = line->drives;
  PetscCall(PetscMalloc1(r->knots, &r->time));
  PetscCall(PetscArraycpy(r->time, line->at, r->knots));
  r->efficiency = r->carnot = NAN;
  for (int d = 0; d < line->drives; d++) {
    const fare_control_drive *drive = &line->drive[d];

    r->course[d] = (fare_control_course){drive->name, drive->from, drive->to, drive->base, NULL};
    PetscCall(PetscCalloc1(r->knots, &r->course[d].value));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode run_one(
  const fare_control_line *line, const fare_grid *grid, fare_control_result *result)
{
  const double   began = fare_seconds();
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(begin_result(line, result));
  code = fare_control_optimise(line, grid, result);
  if (code && code != FARE_ERR_FAILED && code != FARE_ERR_INPUT) PetscFunctionReturn(code);
  if (code) {
    result->failure = strdup(fare_error_message());
    fare_warn("control %s: %s; the others go on", line->name, result->failure);
  } else {
    fare_log("control %s: %.2f s", line->name, fare_seconds() - began);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_run(
  const fare_control *control, const fare_grid *grid, fare_control_results *results)
{
  PetscFunctionBegin;
  *results = (fare_control_results){0};
  if (!control) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1(control->count + 1, &results->result));
  for (size_t i = 0; i < control->count; i++) {
    results->count = i + 1;
    PetscCall(run_one(&control->line[i], grid, &results->result[i]));
  }
  PetscFunctionReturn(0);
}

void fare_control_results_free(fare_control_results *results)
{
  for (size_t i = 0; i < results->count; i++) {
    free(results->result[i].failure);
    (void)PetscFree(results->result[i].time);
    (void)PetscFree(results->result[i].density);
    for (int d = 0; d < results->result[i].courses; d++) (void)PetscFree(results->result[i].course[d].value);
  }
  (void)PetscFree(results->result);
  *results = (fare_control_results){0};
}
