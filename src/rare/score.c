/* SPDX-License-Identifier: BSD-2-Clause */
/* How near to the event a state is, for methods that favour what is nearer. */
#include "rare.h"

#include <math.h>
#include <string.h>

struct fare_score {
  int    axis;
  double sign;
};

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
  if (!keys->score) PetscFunctionReturn(0);
  axis = axis_named(context->system, keys->score);
  if (axis < 0)
    FARE_REFUSE(score, "unknown score '%s': expected an axis, such as %s", keys->score,
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
  (*score)->axis = keys->score ? axis_named(context->system, keys->score) : default_axis(context->event);
  (*score)->sign = side_of(context->event, (*score)->axis);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_score_destroy(fare_score **score)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(*score));
  PetscFunctionReturn(0);
}

double fare_score_at(const fare_score *score, double t, const double x[])
{
  (void)t;
  return score->sign * x[score->axis];
}
