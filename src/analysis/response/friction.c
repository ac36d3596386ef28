/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The friction tensor of slow drives at the parameters of the system, and between two values of them: its
  geodesic, what that dissipates, and a drive along it.
*/
#include "response.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define POINTS_MAX 10000
#define WIDER      0.25 /* of the box between both ends, where none is given */

typedef struct {
  const fare_node   *names;
  fare_reals         from, to, lower, upper;
  double             duration;
  PetscInt64         nodes, points;
  fare_geodesic_task task;
} friction;

#define AT(member) offsetof(friction, member)
static const fare_field fields[] = {
  {"parameters", FARE_NODE, AT(names), NULL, 0, 0, NULL, "", "list of the one to three that move"},
  {"from", FARE_REALS, AT(from), "", -1e9, 1e9, NULL, "",
    "their values at the start of a geodesic; by default there is none"},
  {"to", FARE_REALS, AT(to), "", -1e9, 1e9, NULL, "", "at its end"},
  {"duration", FARE_REAL, AT(duration), "1", 1e-9, 1e12, NULL, "time", "of a drive along it, from time on"},
  {"lower", FARE_REALS, AT(lower), "", -1e9, 1e9, NULL, "",
    "of several parameters: lower corner of the box that a geodesic may pass; by default a quarter beyond "
    "both ends"},
  {"upper", FARE_REALS, AT(upper), "", -1e9, 1e9, NULL, "", "its upper corner"},
  {"nodes", FARE_INTEGER, AT(nodes), "0", 0, FARE_CHEBYSHEV_MAX, NULL, "",
    "values of each parameter at which the tensor is found, odd; 0: 17 of one parameter, 9 of two, 7 of "
    "three"},
  {"points", FARE_INTEGER, AT(points), "41", 2, POINTS_MAX, NULL, "", "times of the drive"},
  FARE_FIELDS_END,
};

static PetscErrorCode find_parameters(friction *s, const fare_analysis_context *context)
{
  fare_geodesic_task *task = &s->task;

  PetscFunctionBegin;
  if (fare_node_kind_of(s->names) != FARE_NODE_LIST || !fare_node_size(s->names) ||
    fare_node_size(s->names) > FARE_FRICTION_MAX)
    FARE_REFUSE(s->names, "expected a list of one to %d names of parameters", FARE_FRICTION_MAX);
  for (size_t i = 0; i < fare_node_size(s->names); i++) {
    PetscCall(fare_response_parameter(fare_node_item(s->names, i), context->system, &task->parameter[i]));
    for (size_t other = 0; other < i; other++) {
      if (task->parameter[other] == task->parameter[i])
        FARE_REFUSE(
          fare_node_item(s->names, i), "'%s' is there twice", fare_node_text(fare_node_item(s->names, i)));
    }
    task->parameters = (int)i + 1;
  }
  PetscFunctionReturn(0);
}

/* A list of values of all parameters, each within its range, goes to `to`. */
static PetscErrorCode take_values(
  const friction *s, const fare_node *at, const fare_reals *list, const fare_parameter *row, double to[])
{
  PetscFunctionBegin;
  if (list->count != (size_t)s->task.parameters)
    FARE_REFUSE(at, "expected %d number%s, one for each parameter, got %zu", s->task.parameters,
      s->task.parameters > 1 ? "s" : "", list->count);
  for (int k = 0; k < s->task.parameters; k++) {
    const fare_parameter *p = &row[s->task.parameter[k]];

    to[k] = list->values[k];
    if (!(to[k] >= p->min && to[k] <= p->max))
      FARE_REFUSE(at, "%s = %g is outside its range, [%g, %g]", p->name, to[k], p->min, p->max);
  }
  PetscFunctionReturn(0);
}

/* The box: given, or wider than that between both ends, within the ranges of the parameters. */
static PetscErrorCode find_box(friction *s, const fare_node *node, const fare_parameter *row)
{
  fare_geodesic_task *task = &s->task;

  PetscFunctionBegin;
  for (int k = 0; k < task->parameters; k++) {
    const fare_parameter *p = &row[task->parameter[k]];
    const double low = PetscMin(task->from[k], task->to[k]), high = PetscMax(task->from[k], task->to[k]);
    const double wider = WIDER * (high > low ? high - low : PetscMax(1, fabs(low)));

    task->lower[k] = PetscMax(low - wider, low - 0.5 * (low - p->min));
    task->upper[k] = PetscMin(high + wider, high + 0.5 * (p->max - high));
  }
  if (s->lower.count) PetscCall(take_values(s, fare_node_find(node, "lower"), &s->lower, row, task->lower));
  if (s->upper.count) PetscCall(take_values(s, fare_node_find(node, "upper"), &s->upper, row, task->upper));
  for (int k = 0; k < task->parameters; k++) {
    const double ends[] = {task->from[k], task->to[k]};

    for (int end = 0; end < 2; end++) {
      if (ends[end] < task->lower[k] || ends[end] > task->upper[k])
        FARE_REFUSE(fare_node_find(node, end ? "to" : "from"), "%s = %g is outside of [lower, upper]",
          row[task->parameter[k]].name, ends[end]);
    }
    if (!(task->lower[k] < task->upper[k]))
      FARE_REFUSE(node, "the box of %s is empty: give 'lower' and 'upper'", row[task->parameter[k]].name);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  static const char *const ends[]  = {"from", "to", "lower", "upper"};
  static const int         usual[] = {17, 9, 7};
  double                   theta[FARE_PARAMETERS_MAX], own[FARE_FRICTION_MAX];
  const fare_parameter    *row   = fare_system_type_of(context->system)->parameters;
  friction                *s     = state;
  PetscBool                apart = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(fare_response_check(node, context));
  PetscCall(find_parameters(s, context));
  fare_system_parameters(context->system, time, theta);
  for (int k = 0; k < s->task.parameters; k++) own[k] = theta[s->task.parameter[k]];
  PetscCall(
    fare_response_check_rings(s->names, context->system, time, s->task.parameters, s->task.parameter, own));
  if (s->nodes && (s->nodes < 5 || s->nodes % 2 == 0))
    FARE_REFUSE(
      fare_node_find(node, "nodes"), "expected an odd number from 5 on, got %lld", (long long)s->nodes);
  s->task.nodes  = s->nodes ? (int)s->nodes : usual[s->task.parameters - 1];
  s->task.points = (int)s->points;
  if (!s->from.count != !s->to.count)
    FARE_REFUSE(node, "missing key '%s': a geodesic has two ends", s->from.count ? "to" : "from");
  for (int k = s->from.count ? 2 : 0; k < 4; k++) {
    const fare_node *at = fare_node_find(node, ends[k]);

    if (at && (!s->from.count || s->task.parameters == 1))
      FARE_REFUSE(at, "only a geodesic of several parameters has a box");
  }
  if (!s->from.count) PetscFunctionReturn(0);
  PetscCall(take_values(s, fare_node_find(node, "from"), &s->from, row, s->task.from));
  PetscCall(take_values(s, fare_node_find(node, "to"), &s->to, row, s->task.to));
  for (int k = 0; k < s->task.parameters; k++) apart |= s->task.from[k] != s->task.to[k];
  if (!apart) FARE_REFUSE(fare_node_find(node, "to"), "a geodesic must end elsewhere than it begins");
  if (s->task.parameters > 1) PetscCall(find_box(s, node, row));
  for (int end = 0; end < 2; end++)
    PetscCall(fare_response_check_rings(s->names, context->system, time, s->task.parameters,
      s->task.parameter, end ? s->task.to : s->task.from));
  PetscFunctionReturn(0);
}

/* A table for each parameter, as a tabulated waveform takes it: times, and what is added to the base value.
 */
static PetscErrorCode keep_drive(
  const friction *s, const fare_system *system, double time, const fare_geodesic *g, fare_findings *found)
{
  const fare_parameter *row = fare_system_type_of(system)->parameters;
  fare_system          *still;
  double                theta[FARE_PARAMETERS_MAX], *table;

  PetscFunctionBegin;
  if (fare_system_drives(system, FARE_TIME))
    PetscCall(fare_system_create_frozen(system, time, &still));
  else
    PetscCall(fare_system_create_undriven(system, &still));
  fare_system_parameters(still, time, theta);
  PetscCall(fare_system_destroy(&still));
  PetscCall(PetscMalloc1(2 * g->points, &table));
  for (int k = 0; k < g->parameters; k++) {
    char          name[48];
    fare_finding *f;

    for (int i = 0; i < g->points; i++) {
      table[2 * i]     = time + s->duration * i / (g->points - 1);
      table[2 * i + 1] = g->value[i * g->parameters + k] - theta[s->task.parameter[k]];
    }
    snprintf(name, sizeof name, "drive_%.40s", row[s->task.parameter[k]].name);
    f = fare_found_exact(found, name, "along the geodesic: times, and what is added to the parameter's value",
      (size_t)g->points, 2, table);
    f->curve = PETSC_TRUE;
  }
  PetscCall(PetscFree(table));
  PetscFunctionReturn(0);
}

static void keep_curve(fare_findings *found, const char *name, const char *meaning, size_t rows,
  size_t columns, const double value[])
{
  fare_finding *f = fare_found_exact(found, name, meaning, rows, columns, value);

  f->curve = PETSC_TRUE;
  f->rank  = 2;
}

/* error: of what lies between nodes; others are told by grids. */
static void keep_number(
  fare_findings *found, const char *name, const char *meaning, double value, double error)
{
  fare_found(found, name, meaning, 1, &value)->least[0] = error;
}

static PetscErrorCode keep_geodesic(
  const friction *s, const fare_system *system, double time, const fare_geodesic *g, fare_findings *found)
{
  const size_t d      = (size_t)g->parameters;
  const double square = g->length * g->length;

  PetscFunctionBegin;
  keep_number(found, "length", "of the geodesic, by the metric", g->length, g->error[0]);
  keep_number(found, "excess_work", "beyond the free energy of a slow drive along it: length^2/duration",
    square / s->duration, 2 * g->length * g->error[0] / s->duration);
  keep_number(found, "straight", "the same of a drive at constant rates", g->straight / s->duration,
    g->error[1] / s->duration);
  keep_curve(found, "path", "points of the geodesic at equal times", (size_t)g->points, d, g->value);
  keep_curve(found, "nodes", "values of the parameters at which the tensor is found", g->nodes, d, g->node);
  keep_curve(found, "tensors", "friction there, row after row", g->nodes, d * d, g->tensor);
  PetscCall(keep_drive(s, system, time, g, found));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const friction *s = state;
  const int       d = s->task.parameters;
  double          tensor[FARE_FRICTION_MAX * FARE_FRICTION_MAX];
  fare_solved     solved;
  fare_geodesic   g = {0};
  fare_finding   *f;
  PetscErrorCode  code = 0;

  PetscFunctionBegin;
  (void)like;
  PetscCall(fare_friction_solve(grid, system, time, d, s->task.parameter, NULL, tensor, &solved));
  f = fare_found(
    found, "friction", "tensor at the system's parameters, row after row", (size_t)(d * d), tensor);
  if (d > 1) {
    f->rank      = 2;
    f->extent[0] = f->extent[1] = (uint64_t)d;
  }
  if (s->from.count) code = fare_geodesic_solve(grid, system, time, &s->task, &g);
  if (!code && s->from.count) code = keep_geodesic(s, system, time, &g, found);
  solved.residual = PetscMax(solved.residual, g.residual);
  fare_geodesic_free(&g);
  PetscCall(code);
  fare_found_number(found, "residual", "of the equations, relative to their terms", solved.residual);
  PetscFunctionReturn(0);
}

/* The drive as a section of a study. */
static void print(const fare_findings *found, const char *name, FILE *to)
{
  PetscBool any = PETSC_FALSE;

  for (int i = 0; i < found->findings; i++) {
    const fare_finding *f = &found->finding[i];

    if (strncmp(f->name, "drive_", strlen("drive_"))) continue;
    if (!any) fprintf(to, "\nDrive along the geodesic of %s, to be pasted:\ndrive:\n", name);
    any = PETSC_TRUE;
    fprintf(to, "  - {parameter: %s, waveform: tabulated", f->name + strlen("drive_"));
    for (int column = 0; column < 2; column++) {
      fprintf(to, ",\n     %s: [", column ? "values" : "times");
      for (uint64_t k = 0; k < f->extent[0]; k++)
        fprintf(to, "%s%.7g", !k ? "" : k % 10 ? ", " : ",\n       ", f->value[2 * k + (uint64_t)column]);
      fprintf(to, "]");
    }
    fprintf(to, "}\n");
  }
}

const fare_analysis_type fare_analysis_friction = {
  .name      = "friction",
  .summary   = "dissipation of slow drives: friction of parameters, and the geodesic between two values",
  .reference = "Sivak and Crooks, Phys. Rev. Lett. 108, 190602 (2012)",
  .size      = sizeof(friction),
  .fields    = fields,
  .check     = check,
  .run       = run,
  .print     = print,
};
