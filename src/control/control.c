/* SPDX-License-Identifier: BSD-2-Clause */
/* The section `control:`. */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_PER_PIECE 8 /* between two knots, at least: optimisers exploit single steps */

static const char *const aims[] = {"least_work", NULL};

#define AT(member) offsetof(fare_control_line, member)
const fare_field fare_control_fields[] = {
  {"name", FARE_STRING, AT(name), NULL, 0, 0, NULL, "", "letters, digits, _ and -"},
  {"aim", FARE_CHOICE, AT(aim), "least_work", 0, 0, aims, "",
    "least_work: mean work on a system that begins in the Boltzmann density"},
  {"parameter", FARE_STRING, AT(parameter_name), NULL, 0, 0, NULL, "", "that is driven"},
  {"from", FARE_REAL, AT(from), NULL, -1e9, 1e9, NULL, "of the parameter", "its value before"},
  {"to", FARE_REAL, AT(to), NULL, -1e9, 1e9, NULL, "of the parameter", "its value after"},
  {"duration", FARE_REAL, AT(duration), NULL, 1e-9, 1e9, NULL, "time", "of the drive"},
  {"knots", FARE_INTEGER, AT(knots), "20", 2, 500, NULL, "", "values to be found, linear between"},
  {"jumps", FARE_BOOLEAN, AT(jumps), "true", 0, 0, NULL, "",
    "whether the drive may jump at both ends; then the first and last knot are free"},
  {"lower", FARE_REAL, AT(lower), "-1e300", -1e300, 1e300, NULL, "of the parameter",
    "least value of the drive; default: of the parameter's own range"},
  {"upper", FARE_REAL, AT(upper), "1e300", -1e300, 1e300, NULL, "of the parameter", "largest one"},
  {"steps", FARE_INTEGER, AT(steps), "100", 8, 1e6, NULL, "",
    "time steps, about, and at least 8 between knots; twice as many judge what they find"},
  FARE_FIELDS_END,
};

struct fare_control {
  size_t             count;
  fare_control_line *line;
};

static PetscErrorCode find_parameter(const fare_node *node, fare_control_line *line)
{
  const fare_system_type *type = fare_system_type_of(line->system);
  const fare_node        *at   = fare_node_find(node, "parameter");
  const fare_parameter   *row  = type->parameters;

  PetscFunctionBegin;
  while (row->name && strcmp(row->name, line->parameter_name)) row++;
  if (!row->name) FARE_REFUSE(at, "system '%s' has no parameter '%s'", type->name, line->parameter_name);
  line->parameter = (int)(row - type->parameters);
  if (line->parameter == FARE_KT) FARE_REFUSE(at, "work under a moving temperature cannot be minimised yet");
  line->lower = PetscMax(line->lower, row->min);
  line->upper = PetscMin(line->upper, row->max);
  if (!(line->lower < line->upper))
    FARE_REFUSE(
      node, "the drive must have room: expected lower < upper, got [%g, %g]", line->lower, line->upper);
  for (int end = 0; end < 2; end++) {
    const double value = end ? line->to : line->from;

    if (!(value >= row->min && value <= row->max))
      FARE_REFUSE(fare_node_find(node, end ? "to" : "from"), "%g is outside the parameter's range, [%g, %g]",
        value, row->min, row->max);
    if (!line->jumps && !(value >= line->lower && value <= line->upper))
      FARE_REFUSE(fare_node_find(node, end ? "to" : "from"),
        "without jumps the drive begins and ends there, but %g is outside of [lower, upper]", value);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_physics(
  const fare_node *node, const fare_truth_options *truth, const fare_control_line *line)
{
  PetscFunctionBegin;
  if (!fare_system_is_gradient(line->system))
    FARE_REFUSE(node, "work needs a system whose whole force is the gradient of its potential");
  if (fare_system_is_driven(line->system))
    FARE_REFUSE(node, "leave out the section 'drive': the best drive of an undriven system is sought");
  for (size_t axis = 0; axis < truth->boundaries.count; axis++) {
    if (truth->boundaries.values[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_REFUSE(node, "axis %s has an absorbing boundary, so that there is no density to begin with",
        fare_system_axis_name(line->system, (int)axis));
  }
  if (!line->jumps && line->knots < 3) FARE_REFUSE(node, "without jumps, 2 knots leave nothing to be found");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_line(const fare_node *node, const fare_truth_options *truth,
  const fare_control *control, fare_control_line *line)
{
  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a map {name: ..., parameter: ..., from: ..., to: ..., duration: ...}");
  PetscCall(fare_fields_read(fare_control_fields, NULL, node, line));
  PetscCall(fare_node_check_name(fare_node_find(node, "name")));
  for (const fare_control_line *other = control->line; other < line; other++) {
    if (!strcmp(other->name, line->name))
      FARE_REFUSE(fare_node_find(node, "name"), "there is a control '%s' already", line->name);
  }
  PetscCall(find_parameter(node, line));
  PetscCall(check_physics(node, truth, line));
  line->steps = PetscMax(line->steps, STEPS_PER_PIECE * (line->knots - 1));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_from_config(
  const fare_node *list, const fare_system *system, const fare_truth_options *truth, fare_control **control)
{
  PetscFunctionBegin;
  *control = NULL;
  if (!list) PetscFunctionReturn(0);
  if (fare_node_kind_of(list) != FARE_NODE_LIST)
    FARE_REFUSE(list, "expected a list of maps {name: ..., parameter: ..., ...}");
  PetscCall(PetscNew(control));
  PetscCall(PetscCalloc1(fare_node_size(list) + 1, &(*control)->line));
  for (size_t i = 0; i < fare_node_size(list); i++) {
    (*control)->line[i].system = system;
    (*control)->count          = i + 1;
    PetscCall(read_line(fare_node_item(list, i), truth, *control, &(*control)->line[i]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_destroy(fare_control **control)
{
  PetscFunctionBegin;
  if (!*control) PetscFunctionReturn(0);
  for (size_t i = 0; i < (*control)->count; i++) fare_fields_free(fare_control_fields, &(*control)->line[i]);
  PetscCall(PetscFree((*control)->line));
  PetscCall(PetscFree(*control));
  PetscFunctionReturn(0);
}

void fare_control_write(const fare_control *control, fare_text *to)
{
  if (!control) return;
  fare_text_add(to, "control:\n");
  for (size_t i = 0; i < control->count; i++) {
    fare_text_add(to, "  -\n");
    fare_fields_write(fare_control_fields, &control->line[i], 4, to);
  }
}

PetscErrorCode fare_control_compare(
  const fare_control *control, const fare_node *list, fare_difference *difference)
{
  const size_t count = control ? control->count : 0;
  char         path[128];

  PetscFunctionBegin;
  for (size_t i = 0; i < count && difference->kind == FARE_ALIKE; i++) {
    fare_key_join("control", control->line[i].name, sizeof path, path);
    PetscCall(fare_fields_compare(fare_control_fields, NULL, fare_node_named(list, control->line[i].name),
      &control->line[i], path, difference));
  }
  fare_counts_compare(list ? fare_node_size(list) : 0, count, "control", difference);
  PetscFunctionReturn(0);
}

static PetscErrorCode run_one(
  const fare_control_line *line, const fare_grid *grid, fare_control_result *result)
{
  double         theta[FARE_PARAMETERS_MAX];
  const double   began = fare_seconds();
  PetscErrorCode code;

  PetscFunctionBegin;
  fare_system_parameters(line->system, 0, theta);
  result->name      = line->name;
  result->parameter = line->parameter_name;
  result->from      = line->from;
  result->to        = line->to;
  result->base      = theta[line->parameter];
  code              = fare_control_optimise(line, grid, result);
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
    (void)PetscFree2(results->result[i].time, results->result[i].value);
  }
  (void)PetscFree(results->result);
  *results = (fare_control_results){0};
}
