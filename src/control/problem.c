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
  p->goal = (fare_goal){.kind = line->aim == FARE_AIM_MOST_POWER ? FARE_GOAL_CYCLE : FARE_GOAL_DISSIPATION};
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
  int      parameter[FARE_PARAMETERS_MAX], parameters = line->drives;
  PetscInt values;

  PetscFunctionBegin;
  *p = (fare_control_problem){.line = line, .comm = grid->comm};
  for (int k = 0; k < line->drives; k++) parameter[k] = line->drive[k].parameter;
  for (int k = 0; fare_system_type_of(line->system)->parameters[k].name; k++) {
    if (fare_system_drives(line->system, k)) parameter[parameters++] = k; /* by the section `drive` */
  }
  PetscCall(fare_protocol_plan(
    line->system, 0, line->duration, (int)line->knots - 1, steps, parameters, parameter, &p->protocol));
  values = p->protocol.places * parameters;
  PetscCall(PetscMalloc2(values, &p->place, values, &p->slope));
  fare_protocol_sample(&p->protocol, line->system, p->place);
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

/*
  The knot to the left of a place, and how far it is from there to the next. The step tells the side of a
  jump.
*/
static int knot_below(const fare_control_problem *p, PetscInt place, double *share)
{
  const fare_control_line *line = p->line;
  const PetscInt           step = (place - 1) / 3;
  const double             mid  = 0.5 * (p->protocol.time[step] + p->protocol.time[step + 1]);
  int                      left = 0;

  while (left < line->points - 2 && line->at[left + 1] <= mid) left++;
  *share = (p->protocol.at[place] - line->at[left]) / (line->at[left + 1] - line->at[left]);
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
  const fare_control_line *line   = p->line;
  const int                drives = line->drives, width = p->protocol.parameters;
  const PetscBool          cycle = line->aim == FARE_AIM_MOST_POWER ? PETSC_TRUE : PETSC_FALSE;
  const PetscInt           last  = p->protocol.places - 1;
  const double             unit  = cycle ? -1 / line->duration : 1; /* power: what a period gives, per time */
  double                   share;

  PetscFunctionBegin;
  PetscCall(fare_stop_check(p->comm, "the search for the best drive"));
  for (int d = 0; d < drives; d++) {
    p->place[d]                = cycle ? knot[d] : line->drive[d].from;
    p->place[last * width + d] = cycle ? knot[d] : line->drive[d].to;
    for (PetscInt i = 1; i < last; i++) {
      const double *left = knot + knot_below(p, i, &share) * drives + d;

      p->place[i * width + d] = between(left[0], left[drives], share);
    }
  }
  PetscCall(fare_adjoint_run(p->adjoint, p->place, value, gradient ? p->slope : NULL));
  *value = unit * *value + 0.0; /* no -0 */
  if (!gradient) PetscFunctionReturn(0);
  PetscCall(PetscArrayzero(gradient, line->points * drives));
  for (PetscInt i = 1; i < last; i++) {
    double *left = gradient + knot_below(p, i, &share) * drives;

    for (int d = 0; d < drives; d++) {
      left[d] += unit * (1 - share) * p->slope[i * width + d];
      left[drives + d] += unit * share * p->slope[i * width + d];
    }
  }
  for (int d = 0; d < drives && cycle; d++) gradient[d] += unit * (p->slope[d] + p->slope[last * width + d]);
  PetscFunctionReturn(0);
}

double fare_control_cost(const fare_control_line *line, double value, double *factor)
{
  const double sign = line->aim == FARE_AIM_MOST_LIKELY || line->aim == FARE_AIM_MOST_POWER ||
      (line->aim == FARE_AIM_OBSERVABLE && line->seek == 0)
    ? -1
    : 1;

  *factor = fare_aim_is_event(line->aim) ? sign / value : sign;
  return fare_aim_is_event(line->aim) ? sign * log(value) : sign * value;
}

double fare_control_energy(const fare_control_line *line, const double knot[], double gradient[])
{
  const int drives = line->drives, knots = line->points;
  double    energy = 0;

  for (int i = 0; gradient && i < knots * drives; i++) gradient[i] = 0;
  for (int i = 0; i < (knots - 1) * drives; i++) {
    const double part = (line->at[i / drives + 1] - line->at[i / drives]) / 3,
                 base = line->drive[i % drives].base, a = knot[i] - base, b = knot[i + drives] - base;

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
  for (int i = 0; i < line->points * line->drives; i++) {
    const double base = line->drive[i % line->drives].base;

    knot[i] = base + factor * (knot[i] - base);
  }
  return PETSC_TRUE;
}
