/* SPDX-License-Identifier: BSD-2-Clause */
/* What a drive leads to as a function of its knots, between which it is linear, with its derivatives. */
#include "control.h"

#include <math.h>

/* The masses that are to be reached; none is 0, as logarithms of them are taken. */
static PetscErrorCode create_target(const fare_control_line *line, const fare_grid *grid, Vec *masses)
{
  const double least = 1e-300;
  fare_system *after;
  PetscScalar *mass;

  PetscFunctionBegin;
  PetscCall(fare_control_system(line, PETSC_TRUE, &after));
  PetscCall(fare_grid_initial(grid, &line->target, after, 0, masses));
  PetscCall(fare_system_destroy(&after));
  PetscCall(VecGetArray(*masses, &mass));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) mass[n] = PetscMax(mass[n], least);
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscFunctionReturn(0);
}

/* Masses at the start, where they are not those of Boltzmann. */
static PetscErrorCode create_start(const fare_grid *grid, fare_control_problem *p)
{
  fare_solved  solved;
  fare_system *before;

  PetscFunctionBegin;
  if (p->line->event)
    PetscCall(fare_adjoint_point(grid, &p->goal, p->line->event->start, &p->start));
  else if (!fare_system_is_gradient(p->line->system)) {
    PetscCall(fare_control_system(p->line, PETSC_FALSE, &before));
    PetscCall(fare_stationary_solve(grid, before, 0, &p->start, &solved));
    PetscCall(fare_system_destroy(&before));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode create_goal(const fare_grid *grid, fare_control_problem *p)
{
  const fare_control_line *line = p->line;

  PetscFunctionBegin;
  p->goal = (fare_goal){.kind = FARE_GOAL_DISSIPATION};
  if (line->event) p->goal = (fare_goal){.kind = FARE_GOAL_EVENT, .a = &line->event->a, .b = &line->event->b};
  if (line->aim == FARE_AIM_OBSERVABLE) {
    p->goal.kind = FARE_GOAL_OBSERVABLE;
    PetscCall(fare_adjoint_observable(
      grid, line->along, (int)line->power, line->region_node ? &line->region : NULL, &p->goal.field));
  }
  if (line->aim == FARE_AIM_REACH) {
    p->goal.kind = FARE_GOAL_DIVERGENCE;
    PetscCall(create_target(line, grid, &p->goal.field));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_problem_create(
  const fare_control_line *line, const fare_grid *grid, PetscInt steps, fare_control_problem *p)
{
  int      parameter[FARE_CONTROL_COURSES_MAX];
  PetscInt values;

  PetscFunctionBegin;
  *p = (fare_control_problem){.line = line, .comm = grid->comm};
  for (int k = 0; k < line->drives; k++) parameter[k] = line->drive[k].parameter;
  PetscCall(fare_protocol_plan(
    line->system, 0, line->duration, (int)line->knots - 1, steps, line->drives, parameter, &p->protocol));
  values = p->protocol.places * line->drives;
  PetscCall(PetscMalloc2(values, &p->place, values, &p->slope));
  PetscCall(create_goal(grid, p));
  PetscCall(create_start(grid, p));
  PetscCall(fare_adjoint_create(grid, line->system, &p->protocol, p->start, &p->goal, &p->adjoint));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_problem_free(fare_control_problem *p)
{
  PetscFunctionBegin;
  PetscCall(fare_adjoint_destroy(&p->adjoint));
  PetscCall(VecDestroy(&p->start));
  PetscCall(VecDestroy(&p->goal.field));
  PetscCall(PetscFree2(p->place, p->slope));
  PetscCall(fare_protocol_free(&p->protocol));
  PetscFunctionReturn(0);
}

/* The knot to the left of a place, and how far it is from there to the next. */
static int knot_below(const fare_control_problem *p, PetscInt place, double *share)
{
  const double at   = p->protocol.at[place] / p->line->duration * (double)(p->line->knots - 1);
  const int    left = (int)PetscMax(0, PetscMin((double)p->line->knots - 2, floor(at)));

  *share = at - left;
  return left;
}

/* Linear between two values, and never beyond them by rounding: one of them may be as far as can be. */
static double between(double left, double right, double share)
{
  const double value = left + share * (right - left);

  return PetscMax(PetscMin(left, right), PetscMin(PetscMax(left, right), value));
}

PetscErrorCode fare_control_value(
  fare_control_problem *p, const double knot[], double *value, double gradient[])
{
  const int      drives = p->line->drives;
  const PetscInt last   = p->protocol.places - 1;
  double         share;

  PetscFunctionBegin;
  PetscCall(fare_stop_check(p->comm, "the search for the best drive"));
  for (int d = 0; d < drives; d++) {
    p->place[d]                 = p->line->drive[d].from;
    p->place[last * drives + d] = p->line->drive[d].to;
    for (PetscInt i = 1; i < last; i++) {
      const double *left = knot + knot_below(p, i, &share) * drives + d;

      p->place[i * drives + d] = between(left[0], left[drives], share);
    }
  }
  PetscCall(fare_adjoint_run(p->adjoint, p->place, value, gradient ? p->slope : NULL));
  if (!gradient) PetscFunctionReturn(0);
  PetscCall(PetscArrayzero(gradient, p->line->knots * drives));
  for (PetscInt i = 1; i < last; i++) {
    double *left = gradient + knot_below(p, i, &share) * drives;

    for (int d = 0; d < drives; d++) {
      left[d] += (1 - share) * p->slope[i * drives + d];
      left[drives + d] += share * p->slope[i * drives + d];
    }
  }
  PetscFunctionReturn(0);
}

double fare_control_cost(const fare_control_line *line, double value, double *factor)
{
  const double sign =
    line->aim == FARE_AIM_MOST_LIKELY || (line->aim == FARE_AIM_OBSERVABLE && line->seek == 0) ? -1 : 1;

  *factor = fare_aim_is_event(line->aim) ? sign / value : sign;
  return fare_aim_is_event(line->aim) ? sign * log(value) : sign * value;
}

double fare_control_energy(const fare_control_line *line, const double knot[], double gradient[])
{
  const int    drives = line->drives, knots = (int)line->knots;
  const double part   = line->duration / (3 * (double)(knots - 1));
  double       energy = 0;

  for (int i = 0; gradient && i < knots * drives; i++) gradient[i] = 0;
  for (int i = 0; i < (knots - 1) * drives; i++) {
    const double base = line->drive[i % drives].base, a = knot[i] - base, b = knot[i + drives] - base;

    energy += part * (a * a + a * b + b * b);
    if (!gradient) continue;
    gradient[i] += part * (2 * a + b);
    gradient[i + drives] += part * (2 * b + a);
  }
  return energy;
}

PetscBool fare_control_scale(const fare_control_line *line, double knot[])
{
  const double energy = fare_control_energy(line, knot, NULL), factor = sqrt(line->energy / energy);

  if (!(energy > 0)) return PETSC_FALSE;
  for (int i = 0; i < (int)line->knots * line->drives; i++) {
    const double base = line->drive[i % line->drives].base;

    knot[i] = base + factor * (knot[i] - base);
  }
  return PETSC_TRUE;
}
