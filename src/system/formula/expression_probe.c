/* SPDX-License-Identifier: BSD-2-Clause */
/* A look at all functions of a section's formulas before anything runs. */
#include "expression_builder.h"

#include <math.h>

#define PROBES 2048 /* points */

/* In messages, and in the order of fare_formula_part; NULL: not looked at. */
static const char *const function_names[FARE_PARTS] = {"the potential", "the force",
  "the nonconservative force", NULL, NULL, "the drift", "the diffusion", NULL, NULL};

/* How many values per point: 1, one per axis, or 0 where the system has no such function. */
static int evaluate(const fare_builder *b, fare_formula_part part, const double *theta,
  const double *const x[], double *const v[])
{
  const fare_system_type   *type     = &b->made->type;
  fare_vector_kernel *const vector[] = {
    NULL, type->force, type->nonconservative, NULL, NULL, type->drift, type->diffusion, NULL, NULL};

  if (part == FARE_PART_POTENTIAL && type->potential) type->potential(b->dim, theta, PROBES, x, v[0]);
  if (vector[part]) vector[part](b->dim, theta, PROBES, x, v);
  return function_names[part] ? b->formulas.count[part] : 0;
}

/* All finite, and a diffusion not below zero. */
static PetscErrorCode check_values(
  const fare_builder *b, fare_formula_part part, int component, const double *const x[], const double value[])
{
  PetscFunctionBegin;
  for (int i = 0; i < PROBES; i++) {
    fare_text place = {0};

    if (isfinite(value[i]) && !(part == FARE_PART_DIFFUSION && value[i] < 0)) continue;
    for (int axis = 0; axis < b->dim; axis++)
      fare_text_add(&place, "%s%s = %g", axis ? ", " : "", b->symbols.axis[axis], x[axis][i]);
    PetscErrorCode code = fare_node_error(fare_builder_formula(b, part, component),
      "%s is %g at %s, inside lower and upper, with the parameters given", function_names[part], value[i],
      place.text);

    fare_text_free(&place);
    PetscFunctionReturn(code);
  }
  PetscFunctionReturn(0);
}

/* What is at the two ends of a periodic axis must be the same. */
static PetscErrorCode check_period(const fare_builder *b, fare_formula_part part, int component, int axis,
  const double low[], const double high[])
{
  static const char *const remedies[] = {"a force with circulation goes under 'nonconservative'; ",
    "give a torque and all other forces together under 'force' in place of the potential; "};
  const double             tolerance  = 1e-6;
  const char              *remedy     = part == FARE_PART_POTENTIAL ? remedies[b->keys.mass ? 1 : 0] : "";

  PetscFunctionBegin;
  for (int i = 0; i < PROBES; i++) {
    if (fabs(high[i] - low[i]) <= tolerance * (1 + fabs(low[i]))) continue;
    FARE_REFUSE(fare_builder_formula(b, part, component),
      "%s is not periodic along '%s': %.9g at its lower end, %.9g at its upper; %sbounds need all their "
      "digits",
      function_names[part], b->symbols.axis[axis], low[i], high[i], remedy);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_builder_probe(const fare_builder *b)
{
  /* powers of 1/g, g^4 = g + 1, spread evenly in 3 dimensions */
  static const double     step[FARE_DIM_MAX] = {0.8191725133961645, 0.6710436067037893, 0.5497004779019703};
  static double           place[FARE_DIM_MAX][PROBES], end[PROBES], value[2][FARE_DIM_MAX][PROBES];
  const double           *x[FARE_DIM_MAX]            = {place[0], place[1], place[2]};
  double *const           low[FARE_DIM_MAX]          = {value[0][0], value[0][1], value[0][2]},
                *const    high[FARE_DIM_MAX]         = {value[1][0], value[1][1], value[1][2]};
  const fare_system_type *type                       = &b->made->type;
  double                  theta[FARE_PARAMETERS_MAX] = {0};

  PetscFunctionBegin;
  PetscCall(fare_builder_values(b, theta));
  for (int axis = 0; axis < b->dim; axis++) {
    for (int i = 0; i < PROBES; i++)
      place[axis][i] =
        type->lower[axis] + fmod(0.5 + step[axis] * (i + 1), 1) * (type->upper[axis] - type->lower[axis]);
  }
  for (int part = 0; part < FARE_PARTS; part++) {
    const int count = evaluate(b, part, theta, x, low);

    for (int k = 0; k < count; k++) PetscCall(check_values(b, part, k, x, low[k]));
  }
  for (int axis = 0; axis < b->dim; axis++) {
    if (!type->periodic[axis]) continue;
    x[axis] = end;
    for (int part = 0; part < FARE_PARTS; part++) {
      int count;

      /* where the potential is continuous its slope may jump, there as anywhere */
      if ((part == FARE_PART_FORCE || (part == FARE_PART_DRIFT && b->keys.mass)) && type->potential) continue;
      for (int i = 0; i < PROBES; i++) end[i] = type->lower[axis];
      evaluate(b, part, theta, x, low);
      for (int i = 0; i < PROBES; i++) end[i] = fare_ring_end(type->lower[axis], type->upper[axis]);
      count = evaluate(b, part, theta, x, high);
      for (int k = 0; k < count; k++) PetscCall(check_period(b, part, k, axis, low[k], high[k]));
    }
    x[axis] = place[axis];
  }
  PetscFunctionReturn(0);
}
