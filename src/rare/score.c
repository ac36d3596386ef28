/* SPDX-License-Identifier: BSD-2-Clause */
/* How near to the event a state is, for methods that favour what is nearer. */
#include "rare.h"
#include <fare/committor_field.h>

#include <math.h>
#include <string.h>

struct fare_score {
  fare_committor_field *committor; /* NULL: an axis */
  int                   axis;
  double                sign;
};

static PetscBool is_committor(const fare_score_keys *keys)
{
  return keys->score && !strcmp(keys->score, "committor") ? PETSC_TRUE : PETSC_FALSE;
}

static int axis_named(const fare_system *system, const char *name)
{
  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    if (!strcmp(fare_system_axis_name(system, axis), name)) return axis;
  }
  return -1;
}

/* Which way b's first box lies off the start: 1, -1, or 0 where it holds it. */
static double side_of(const fare_event *event, int axis)
{
  const double start = event->start[axis];

  return start < event->b.lower[axis] ? 1 : start > event->b.upper[axis] ? -1 : 0;
}

static int default_axis(const fare_event *event)
{
  for (int axis = 0; axis < event->b.dim; axis++) {
    if (side_of(event, axis) != 0) return axis;
  }
  return 0;
}

PetscErrorCode fare_score_check(
  const fare_score_keys *keys, const fare_node *node, const fare_rare_context *context)
{
  const fare_node *score = fare_node_find(node, "score");
  int              axis;

  PetscFunctionBegin;
  if (is_committor(keys)) PetscFunctionReturn(0);
  if (!keys->score && side_of(context->event, default_axis(context->event)) == 0)
    FARE_REFUSE(node, "b lies off the start along no axis: set 'score: committor'");
  if (!keys->score) PetscFunctionReturn(0);
  axis = axis_named(context->system, keys->score);
  if (axis < 0)
    FARE_REFUSE(score, "unknown score '%s': expected `committor`, or an axis, such as %s", keys->score,
      fare_system_axis_name(context->system, 0));
  if (side_of(context->event, axis) == 0)
    FARE_REFUSE(score, "b does not lie off the start along %s: take another axis", keys->score);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_score_create(
  const fare_score_keys *keys, const fare_rare_context *context, fare_score **score)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(score));
  if (is_committor(keys)) {
    const fare_committor_options options = {.cells = (PetscInt)keys->cells};

    PetscCall(fare_committor_field_create(
      context->comm, context->grid, context->system, context->event, &options, &(*score)->committor));
    PetscFunctionReturn(0);
  }
  (*score)->axis = keys->score ? axis_named(context->system, keys->score) : default_axis(context->event);
  (*score)->sign = side_of(context->event, (*score)->axis);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_score_destroy(fare_score **score)
{
  PetscFunctionBegin;
  if (*score) PetscCall(fare_committor_field_destroy(&(*score)->committor));
  PetscCall(PetscFree(*score));
  PetscFunctionReturn(0);
}

double fare_score_at(const fare_score *score, double t, const double x[])
{
  const double *at[FARE_DIM_MAX] = {x, x + 1, x + 2};
  double        log_q;

  if (score->committor) {
    fare_committor_field_at(score->committor, 1, &t, at, &log_q, NULL);
    return log_q;
  }
  return score->sign * x[score->axis];
}

double fare_score_of_b(const fare_score *score, const fare_event *event)
{
  if (score->committor) return 0;
  return score->sign > 0 ? event->b.lower[score->axis] : -event->b.upper[score->axis];
}
