/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The best drive: values at knots, linear between, with jumps at both ends (Schmiedl and Seifert, Phys. Rev.
  Lett. 98, 108301 (2007)), by the derivatives of the discretised evolution.

  An optimiser exploits what a time stepper gets wrong: with one value per step of implicit Euler it raised
  the probability of an event to twice what is true. So there are many steps between knots, and the result is
  computed again with twice the steps, on wider cells, and by the truth's own time method. An optimum is
  refused that steps change by more than 1%, or whose estimated error by the cells is more than that.
*/
#include "control.h"

#include <fare/transport_bound.h>

#include <math.h>

#define TRUSTED 0.01  /* change of the optimum, of its scale */
#define LOST    1e-10 /* of kT: no dissipated work is told from rounding below that */

/* The same drive by other steps and cells. */
typedef struct {
  fare_control_problem plain, fine, wide; /* wide: without an adjoint where there are no such cells */
  fare_grid           *half;
} trio;

static PetscErrorCode create_half(const fare_grid *grid, fare_grid **half)
{
  PetscInt cells[FARE_DIM_MAX];

  PetscFunctionBegin;
  *half = NULL;
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->cells[axis] % 2) PetscFunctionReturn(0);
    cells[axis] = grid->cells[axis] / 2;
  }
  PetscCall(fare_grid_create(grid->comm, grid->dim, cells, grid->lower, grid->upper, grid->boundary, half));
  PetscFunctionReturn(0);
}

static PetscErrorCode create(const fare_control_line *line, const fare_grid *grid, trio *t)
{
  const PetscInt steps = (PetscInt)line->steps;

  PetscFunctionBegin;
  *t = (trio){.half = NULL};
  PetscCall(fare_control_problem_create(line, grid, steps, &t->plain));
  PetscCall(fare_control_problem_create(line, grid, 2 * steps, &t->fine));
  PetscCall(create_half(grid, &t->half));
  if (t->half) PetscCall(fare_control_problem_create(line, t->half, steps, &t->wide));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(trio *t)
{
  PetscFunctionBegin;
  PetscCall(fare_control_problem_free(&t->plain));
  PetscCall(fare_control_problem_free(&t->fine));
  if (t->half) PetscCall(fare_control_problem_free(&t->wide));
  if (t->half) PetscCall(fare_grid_destroy(&t->half));
  PetscFunctionReturn(0);
}

/* By the fine steps, with what the others change. */
static PetscErrorCode assess(
  trio *t, const double knot[], double *value, double *step_error, double *grid_error)
{
  double plain, wide = NAN;

  PetscFunctionBegin;
  PetscCall(fare_control_value(&t->plain, knot, &plain, NULL));
  PetscCall(fare_control_value(&t->fine, knot, value, NULL));
  if (t->half) PetscCall(fare_control_value(&t->wide, knot, &wide, NULL));
  *step_error = fabs(*value - plain);
  *grid_error = fabs(wide - plain) / 3;
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(
  const fare_control_line *line, const fare_control_ladder *ladder, trio *t, fare_control_result *r)
{
  double steps, cells;

  PetscFunctionBegin;
  r->rungs = ladder->count;
  for (int i = 0; i < ladder->count; i++) {
    r->rung[i].name     = ladder->rung[i].name;
    r->rung[i].feasible = ladder->rung[i].feasible;
    r->rung[i].value = r->rung[i].error = NAN;
    if (!fare_control_is_possible(line, ladder->rung[i].knot)) continue;
    PetscCall(assess(t, ladder->rung[i].knot, &r->rung[i].value, &steps, &cells));
    r->rung[i].error = steps + (isnan(cells) ? 0 : cells);
  }
  PetscFunctionReturn(0);
}

/* The best of the drives that keep to the limits; else the first, brought within the bounds. */
static void choose_start(const fare_control_line *line, const fare_control_ladder *ladder,
  const fare_control_result *r, double knot[])
{
  const int size  = line->points * line->drives;
  double    least = HUGE_VAL, factor;
  int       best  = -1;

  for (int i = 0; i < ladder->count; i++) {
    const double cost = fare_control_cost(line, r->rung[i].value, &factor);

    /* on the sphere of an energy, where there is one */
    if (!ladder->rung[i].feasible || !(cost < least) ||
      (line->energy < FARE_CONTROL_OWN && !(fare_control_energy(line, ladder->rung[i].knot, NULL) > 0)))
      continue;
    best  = i;
    least = cost;
  }
  for (int i = 0; i < size; i++) {
    const fare_control_drive *drive = &line->drive[i % line->drives];

    knot[i] = best >= 0 ? ladder->rung[best].knot[i]
                        : PetscMax(drive->lower, PetscMin(drive->upper, ladder->rung[0].knot[i]));
  }
}

/* What a change of the optimum is compared with. */
static double scale_of(const fare_control_line *line, const fare_control_result *r)
{
  if (line->aim == FARE_AIM_OBSERVABLE) return fabs(r->optimum - r->rung[0].value);
  if (line->aim == FARE_AIM_REACH) return PetscMax(r->optimum, r->rung[0].value);
  return r->optimum;
}

/* left: what the search has not found, at the slope of its end; cut: it was not given more time. */
static PetscErrorCode certify(
  const fare_control_line *line, double left, PetscBool cut, const fare_control_result *r)
{
  const double most = TRUSTED * scale_of(line, r);
  double       factor;

  PetscFunctionBegin;
  if (fare_aim_is_work(line->aim) && !(r->optimum > LOST * fare_system_kT(line->system, 0)))
    FARE_FAIL(FARE_ERR_FAILED,
      "%s %g is lost in rounding: expected `from` and `to` that are farther apart, of a parameter that moves "
      "the "
      "potential",
      r->quantity, r->optimum);
  if (line->aim == FARE_AIM_OBSERVABLE && !(scale_of(line, r) > LOST * fabs(r->optimum)))
    FARE_FAIL(FARE_ERR_FAILED, "no drive changes the %s %g: the parameters have no effect on it", r->quantity,
      r->optimum);
  if (line->aim == FARE_AIM_REACH && !(scale_of(line, r) > LOST))
    FARE_FAIL(FARE_ERR_FAILED,
      "without a drive the density is already that of the target: there is nothing to optimise");
  if (line->aim == FARE_AIM_MOST_POWER &&
    !(r->optimum > LOST * fare_system_kT(line->system, 0) / line->duration))
    FARE_FAIL(FARE_ERR_FAILED,
      "no drive within `lower` and `upper` was found that gives power: %g is lost in rounding", r->optimum);
  if (!(left <= (line->event ? TRUSTED : most)))
    FARE_FAIL(FARE_ERR_FAILED,
      "the search %s after %lld iterations at %s %g, which still has a slope: take other `knots` or "
      "bounds",
      cut ? "was cut off" : "ended", (long long)r->iterations, r->quantity, r->optimum);
  if (!(r->step_error <= most))
    FARE_FAIL(FARE_ERR_FAILED,
      "%s %g by the best drive changes by %g with twice the steps: it exploits the time steps; take more "
      "`steps`, or fewer `knots`",
      r->quantity, r->optimum, r->step_error);
  if (r->grid_error > most)
    FARE_FAIL(FARE_ERR_FAILED,
      "%s %g by the best drive has an error of %g by the cells, which is more than 1%%: take more cells",
      r->quantity, r->optimum, r->grid_error);
  if (!(fabs(r->checked - r->optimum) <= most))
    FARE_FAIL(FARE_ERR_FAILED,
      "%s %g by the best drive is %g by the truth's own steps: it exploits the time steps; take more "
      "`steps`, fewer `knots`, or a smaller `tolerance` of the truth",
      r->quantity, r->optimum, r->checked);
  for (int i = 0; i < r->rungs; i++) {
    if (r->rung[i].feasible &&
      fare_control_cost(line, r->optimum, &factor) >
        fare_control_cost(line, r->rung[i].value, &factor) + TRUSTED * (line->event ? 1 : scale_of(line, r)))
      FARE_FAIL(FARE_ERR_FAILED, "%s %g by the drive that was found is worse than %g by the drive '%s'",
        r->quantity, r->optimum, r->rung[i].value, r->rung[i].name);
  }
  if (r->bound - r->bound_error > r->optimum + most)
    FARE_FAIL(FARE_ERR_FAILED, "%s %g by the drive that was found is less than any can have, %g", r->quantity,
      r->optimum, r->bound);
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_numbers(
  const fare_control_line *line, const double knot[], const trio *t, fare_control_result *r)
{
  PetscFunctionBegin;
  r->free_energy = NAN;
  if (fare_aim_is_work(line->aim)) PetscCall(fare_adjoint_free_energy(t->fine.adjoint, &r->free_energy));
  r->steps  = t->fine.protocol.steps;
  r->energy = fare_control_energy(line, knot, NULL);
  for (int i = 0; i < r->knots * line->drives; i++)
    r->course[i % line->drives].value[i / line->drives] = knot[i];
  for (int d = 0; d < line->drives && line->aim == FARE_AIM_MOST_POWER;
       d++) { /* the cycles before and after */
    r->course[d].from = r->course[d].value[r->knots - 1];
    r->course[d].to   = r->course[d].value[0];
  }
  PetscFunctionReturn(0);
}

/* What no control can undercut, where optimal transport is known. */
static PetscErrorCode bound(const fare_control_line *line, const fare_grid *grid, fare_control_result *r)
{
  fare_transport_bound found;
  fare_system         *before, *after;
  PetscErrorCode       code;

  PetscFunctionBegin;
  r->bound = r->bound_error = NAN;
  if (!fare_aim_is_work(line->aim)) PetscFunctionReturn(0);
  for (int d = 0; d < line->drives; d++) {
    if (line->drive[d].parameter >= FARE_OWN) continue;
    fare_log(
      "control %s: no bound: '%s' moves, and not the potential alone", line->name, line->drive[d].name);
    PetscFunctionReturn(0);
  }
  PetscCall(fare_control_system(line, PETSC_FALSE, &before));
  PetscCall(fare_control_system(line, PETSC_TRUE, &after));
  code = fare_transport_bound_between(grid, before, after, line->duration, &found);
  PetscCall(fare_system_destroy(&before));
  PetscCall(fare_system_destroy(&after));
  if (code == FARE_ERR_INPUT) fare_log("control %s: no bound: %s", line->name, fare_error_message());
  if (code == FARE_ERR_FAILED) fare_warn("control %s: no bound: %s", line->name, fare_error_message());
  if (!code) r->bound = found.value;
  if (!code) r->bound_error = found.error;
  PetscFunctionReturn(code == FARE_ERR_INPUT || code == FARE_ERR_FAILED ? 0 : code);
}

PetscErrorCode fare_control_optimise(
  const fare_control_line *line, const fare_grid *grid, fare_control_result *r)
{
  fare_control_ladder ladder;
  double             *knot, left;
  PetscBool           cut;
  trio                t;

  PetscFunctionBegin;
  PetscCall(bound(line, grid, r));
  PetscCall(PetscMalloc1((size_t)(line->points * line->drives), &knot));
  PetscCall(create(line, grid, &t));
  PetscCall(fare_control_ladder_create(line, grid, &ladder));
  PetscCall(compare(line, &ladder, &t, r));
  choose_start(line, &ladder, r, knot);
  PetscCall(fare_control_search(&t.plain, knot, &r->iterations, &left, &cut));
  PetscCall(assess(&t, knot, &r->optimum, &r->step_error, &r->grid_error));
  PetscCall(keep_numbers(line, knot, &t, r));
  PetscCall(fare_control_follow(line, grid, &t.plain, r));
  fare_control_ladder_free(&ladder);
  PetscCall(destroy(&t));
  PetscCall(PetscFree(knot));
  PetscCall(certify(line, left, cut, r));
  PetscFunctionReturn(0);
}
