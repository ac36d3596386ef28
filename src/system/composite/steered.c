/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A system under feedback control: dX = (f + u) dt + sqrt(2 D) dW, with u = -2 D grad V by the value V of an
  analysis `bridge`, or another control that this has tried. Its parameters are those of the system that is
  steered. All that knows systems knows it then: the truth computes its density, particles follow it, and both
  are compared.
*/
#include "composite.h"

#include <fare/feedback.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const fare_node *unit_node;
  char            *control, *analysis, *controller, *hash;
  fare_system     *unit;
  fare_feedback   *feedback;
  fare_parameter   parameters[FARE_PARAMETERS_MAX];
} steered;

static const fare_field fields[] = {
  {"unit", FARE_NODE, offsetof(steered, unit_node), NULL, 0, 0, NULL, "",
    "the system that is steered: a section `system`"},
  {"control", FARE_STRING, offsetof(steered, control), NULL, 0, 0, NULL, "",
    "the study.h5 of a study with an analysis of kind `bridge`; relative to the study file"},
  {"analysis", FARE_STRING, offsetof(steered, analysis), "", 0, 0, NULL, "",
    "name of that analysis, where there are several"},
  {"controller", FARE_STRING, offsetof(steered, controller), "exact", 0, 0, NULL, "",
    "exact: the control of least cost; or one that the analysis has tried: linear, learned_0, learned_1, "
    "..."},
  {"hash", FARE_STRING, offsetof(steered, hash), "", 0, 0, NULL, "",
    "of the numbers of the control, as a resolved study has it: others are refused"},
  FARE_FIELDS_END,
};

/* The values of the unit's parameters: the table is the same. */
static const steered *unit_of(const double *theta, double own[FARE_PARAMETERS_MAX])
{
  const steered *s = fare_composite_at(theta)->state;

  memcpy(own, theta, FARE_PARAMETERS_MAX * sizeof *own);
  own[FARE_SELF] = s->unit->base[FARE_SELF];
  own[FARE_TIME] = 0;
  return s;
}

/* Noise and slope of the value at a few points, whose first is `first`. */
#define FEW 256
typedef struct {
  double D[FARE_DIM_MAX][FEW], slope[FARE_DIM_MAX][FEW];
} glance;

static void look(const steered *s, int dim, double t, const double *own, size_t first, size_t n,
  const double *const x[], glance *g)
{
  const double *from[FARE_DIM_MAX];
  double       *D[FARE_DIM_MAX], *slope[FARE_DIM_MAX];

  for (int axis = 0; axis < dim; axis++) {
    from[axis]  = x[axis] + first;
    D[axis]     = g->D[axis];
    slope[axis] = g->slope[axis];
  }
  fare_system_type_diffusion(s->unit->type, dim, own, n, from, D);
  fare_feedback_at(s->feedback, t, n, from, NULL, slope);
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  double         own[FARE_PARAMETERS_MAX];
  const steered *s = unit_of(theta, own);
  glance         g;

  fare_system_type_drift(s->unit->type, dim, own, n, x, f);
  for (size_t first = 0; first < n; first += FEW) {
    const size_t count = PetscMin(n - first, FEW);

    look(s, dim, theta[FARE_TIME], own, first, count, x, &g);
    for (int axis = 0; axis < dim; axis++) {
      for (size_t i = 0; i < count; i++) f[axis][first + i] -= 2 * g.D[axis][i] * g.slope[axis][i];
    }
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  double         own[FARE_PARAMETERS_MAX];
  const steered *s = unit_of(theta, own);

  fare_system_type_diffusion(s->unit->type, dim, own, n, x, D);
}

static void effort(int dim, const double *theta, size_t n, const double *const x[], double rate[])
{
  double         own[FARE_PARAMETERS_MAX];
  const steered *s = unit_of(theta, own);
  glance         g;

  for (size_t first = 0; first < n; first += FEW) {
    const size_t count = PetscMin(n - first, FEW);

    look(s, dim, theta[FARE_TIME], own, first, count, x, &g);
    for (size_t i = 0; i < count; i++) {
      rate[first + i] = 0;
      for (int axis = 0; axis < dim; axis++)
        rate[first + i] += g.D[axis][i] * g.slope[axis][i] * g.slope[axis][i];
    }
  }
}

/* The unit's table, box and noise; the drift is another one. */
static void make_type(steered *s, fare_system_type *type)
{
  const fare_system_type *unit = s->unit->type;

  for (int i = 0; unit->parameters[i].name; i++) {
    s->parameters[i]       = unit->parameters[i];
    s->parameters[i].value = s->unit->base[i];
  }
  type->dimension_min = type->dimension_max = s->unit->dimension;
  type->parameters                          = s->parameters;
  memcpy(type->axes, unit->axes, sizeof type->axes);
  memcpy(type->lower, unit->lower, sizeof type->lower);
  memcpy(type->upper, unit->upper, sizeof type->upper);
  memcpy(type->periodic, unit->periodic, sizeof type->periodic);
  type->drift     = drift;
  type->diffusion = diffusion;
}

static PetscErrorCode check_hash(const fare_node *section, const steered *s)
{
  char hash[32];

  PetscFunctionBegin;
  snprintf(hash, sizeof hash, "%016" PRIx64, fare_feedback_hash(s->feedback));
  if (s->hash && strcmp(s->hash, hash))
    FARE_REFUSE(fare_node_find(section, "control"),
      "its control has changed: it has the hash %s, and the study is one of %s", hash, s->hash);
  PetscFunctionReturn(0);
}

/* So that the resolved plan reads back from anywhere. */
static PetscErrorCode make_absolute(const fare_node *control, steered *s)
{
  char *path, *full;

  PetscFunctionBegin;
  PetscCall(fare_node_path(control, &path));
  full = realpath(path, NULL);
  free(path);
  if (!full) PetscFunctionReturn(0); /* an error of the reader's */
  free(s->control);
  s->control = full;
  PetscFunctionReturn(0);
}

static PetscErrorCode read(const fare_node *section, fare_composite *c)
{
  steered         *s       = c->state;
  const fare_node *control = fare_node_find(section, "control");

  PetscFunctionBegin;
  PetscCall(make_absolute(control, s));
  if (fare_node_kind_of(s->unit_node) != FARE_NODE_MAP)
    FARE_REFUSE(s->unit_node, "expected a section `system`, say {name: prinz}");
  PetscCall(c->read_unit(s->unit_node, NULL, &s->unit));
  if (s->unit->dimension > FARE_DIM_MAX)
    FARE_REFUSE(s->unit_node, "a system of %d axes has no control on a grid: at most %d", s->unit->dimension,
      FARE_DIM_MAX);
  if (s->unit->course)
    FARE_REFUSE(s->unit_node, "formulas of a unit may not hold t: drive a parameter of theirs instead");
  PetscCall(fare_feedback_read(control, s->analysis, strcmp(s->controller, "exact") ? s->controller : NULL,
    s->unit->dimension, &s->feedback));
  PetscCall(check_hash(section, s));
  make_type(s, &c->type);
  c->rates       = s->unit->origin.rates;
  c->clock.begin = fare_feedback_shape_of(s->feedback)->begin;
  c->clock.end   = fare_feedback_shape_of(s->feedback)->end;
  c->clock.step  = (c->clock.end - c->clock.begin) / (fare_feedback_shape_of(s->feedback)->moments - 1);
  PetscFunctionReturn(0);
}

static void write(const fare_composite *c, fare_text *to)
{
  const steered *s = c->state;

  fare_text_add(to, "  unit:\n");
  fare_composite_write_unit(c, s->unit, 2, to);
  fare_text_add(to, "  control: '");
  for (const char *letter = s->control; *letter; letter++)
    fare_text_add(to, *letter == '\'' ? "''" : "%c", *letter);
  fare_text_add(to, "'\n");
  if (s->analysis) fare_text_add(to, "  analysis: %s\n", s->analysis);
  fare_text_add(to, "  controller: %s\n", s->controller);
  fare_text_add(to, "  hash: '%016" PRIx64 "'\n", fare_feedback_hash(s->feedback));
}

static void free_state(fare_composite *c)
{
  steered *s = c->state;

  PetscCallVoid(fare_feedback_destroy(&s->feedback));
  PetscCallVoid(fare_system_destroy(&s->unit));
}

const fare_composite_kind fare_composite_steered = {
  .name      = "steered",
  .summary   = "another system under feedback control, the best or a learned one of an analysis `bridge`",
  .reference = "Dai Pra, Appl. Math. Optim. 23, 313 (1991)",
  .size      = sizeof(steered),
  .fields    = fields,
  .read      = read,
  .write     = write,
  .effort    = effort,
  .free      = free_state,
};
