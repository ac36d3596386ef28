/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The drive of least work: values at knots, linear between, with jumps at both ends (Schmiedl and Seifert,
  Phys. Rev. Lett. 98, 108301 (2007)), by the derivatives of the discretised evolution and PETSc's TAO, a
  bounded quasi-Newton method. TAO is there with PETSc, whereas an L-BFGS-B of one's own would have to be
  kept.

  An optimiser exploits what a time stepper gets wrong: with one value per step of implicit Euler it raised
  the probability of an event to twice what is true. So there are many steps between knots, and the work is
  found again with twice the steps and on wider cells; an optimum that either changes by more than 1% is
  refused.
*/
#include "control.h"

#include <fare/adjoint.h>

#include <petsctao.h>

#include <math.h>

#define ITERATIONS_MAX 500
#define TIGHT          1e-7 /* gradient at the end, relative to the first */
#define TRUSTED        0.01 /* change by steps or cells, of the optimum */

/* One number of steps on one grid. */
typedef struct {
  const fare_control_line *line;
  fare_protocol            protocol;
  fare_adjoint            *adjoint;
  double                  *place, *slope; /* values at places, and derivatives by them */
} problem;

static PetscErrorCode create(const fare_control_line *line, const fare_grid *grid, PetscInt steps, problem *p)
{
  static const fare_goal goal = {.kind = FARE_GOAL_DISSIPATION};

  PetscFunctionBegin;
  p->line = line;
  PetscCall(fare_protocol_plan(
    line->system, 0, line->duration, (int)line->knots - 1, steps, 1, &line->parameter, &p->protocol));
  PetscCall(PetscMalloc2(p->protocol.places, &p->place, p->protocol.places, &p->slope));
  PetscCall(fare_adjoint_create(grid, line->system, &p->protocol, NULL, &goal, &p->adjoint));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(problem *p)
{
  PetscFunctionBegin;
  PetscCall(fare_adjoint_destroy(&p->adjoint));
  PetscCall(PetscFree2(p->place, p->slope));
  PetscCall(fare_protocol_free(&p->protocol));
  PetscFunctionReturn(0);
}

/* The knot to the left of a place, and how far it is from there to the next. */
static int knot_below(const problem *p, PetscInt place, double *share)
{
  const double at   = p->protocol.at[place] / p->line->duration * (double)(p->line->knots - 1);
  const int    left = (int)PetscMax(0, PetscMin((double)p->line->knots - 2, floor(at)));

  *share = at - left;
  return left;
}

/* Dissipated work of the drive with these knots; its derivatives by them, where not NULL. Collective. */
static PetscErrorCode dissipate(problem *p, const double knot[], double *work, double gradient[])
{
  const PetscInt last = p->protocol.places - 1;
  double         share;

  PetscFunctionBegin;
  p->place[0]    = p->line->from;
  p->place[last] = p->line->to;
  for (PetscInt i = 1; i < last; i++) {
    const int k = knot_below(p, i, &share);

    p->place[i] = knot[k] + share * (knot[k + 1] - knot[k]);
  }
  PetscCall(fare_adjoint_run(p->adjoint, p->place, work, gradient ? p->slope : NULL));
  if (!gradient) PetscFunctionReturn(0);
  PetscCall(PetscArrayzero(gradient, p->line->knots));
  for (PetscInt i = 1; i < last; i++) {
    const int k = knot_below(p, i, &share);

    gradient[k] += (1 - share) * p->slope[i];
    gradient[k + 1] += share * p->slope[i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(Tao tao, Vec x, PetscReal *work, Vec gradient, void *context)
{
  problem           *p = context;
  const PetscScalar *knot;
  PetscScalar       *to;

  PetscFunctionBegin;
  (void)tao;
  PetscCall(VecGetArrayRead(x, &knot));
  PetscCall(VecGetArrayWrite(gradient, &to));
  PetscCall(dissipate(p, knot, work, to));
  PetscCall(VecRestoreArrayWrite(gradient, &to));
  PetscCall(VecRestoreArrayRead(x, &knot));
  PetscFunctionReturn(0);
}

/* Without jumps the first and the last knot have no room. */
static PetscErrorCode bound(const fare_control_line *line, Vec lower, Vec upper)
{
  const PetscInt last = (PetscInt)line->knots - 1;

  PetscFunctionBegin;
  PetscCall(VecSet(lower, line->lower));
  PetscCall(VecSet(upper, line->upper));
  if (!line->jumps) {
    PetscCall(VecSetValue(lower, 0, line->from, INSERT_VALUES));
    PetscCall(VecSetValue(upper, 0, line->from, INSERT_VALUES));
    PetscCall(VecSetValue(lower, last, line->to, INSERT_VALUES));
    PetscCall(VecSetValue(upper, last, line->to, INSERT_VALUES));
  }
  PetscCall(VecAssemblyBegin(lower));
  PetscCall(VecAssemblyEnd(lower));
  PetscCall(VecAssemblyBegin(upper));
  PetscCall(VecAssemblyEnd(upper));
  PetscFunctionReturn(0);
}

/* A search that ends where its line search finds nothing better has come to what rounding lets it see. */
static PetscErrorCode judge(Tao tao, PetscInt *iterations)
{
  TaoConvergedReason reason;

  PetscFunctionBegin;
  PetscCall(TaoGetConvergedReason(tao, &reason));
  PetscCall(TaoGetIterationNumber(tao, iterations));
  if (reason > 0 || reason == TAO_DIVERGED_LS_FAILURE) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED, "the search for the best drive ended after %lld iterations (%s)",
    (long long)*iterations, TaoConvergedReasons[reason]);
}

/* Improves the knots. Every rank does the same with the same numbers. */
static PetscErrorCode search(problem *p, double knot[], PetscInt *iterations)
{
  Vec x, lower, upper;
  Tao tao;

  PetscFunctionBegin;
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, (PetscInt)p->line->knots, knot, &x));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, (PetscInt)p->line->knots, &lower));
  PetscCall(VecDuplicate(lower, &upper));
  PetscCall(bound(p->line, lower, upper));
  PetscCall(TaoCreate(PETSC_COMM_SELF, &tao));
  PetscCall(TaoSetType(tao, TAOBQNLS));
  PetscCall(TaoSetSolution(tao, x));
  PetscCall(TaoSetVariableBounds(tao, lower, upper));
  PetscCall(TaoSetObjectiveAndGradient(tao, NULL, evaluate, p));
  PetscCall(TaoSetTolerances(tao, 0, 0, TIGHT));
  PetscCall(TaoSetMaximumIterations(tao, ITERATIONS_MAX));
  PetscCall(TaoSetOptionsPrefix(tao, "control_"));
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(TaoSolve(tao));
  PetscCall(judge(tao, iterations));
  PetscCall(TaoDestroy(&tao));
  PetscCall(VecDestroy(&upper));
  PetscCall(VecDestroy(&lower));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(0);
}

/* The optimum once more on cells twice as wide; NaN where there are none. */
static PetscErrorCode dissipate_on_wider_cells(
  const fare_control_line *line, const fare_grid *grid, const double knot[], double *work)
{
  PetscInt   cells[FARE_DIM_MAX];
  fare_grid *half;
  problem    p = {0};

  PetscFunctionBegin;
  *work = NAN;
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->cells[axis] % 2) PetscFunctionReturn(0);
    cells[axis] = grid->cells[axis] / 2;
  }
  PetscCall(fare_grid_create(grid->comm, grid->dim, cells, grid->lower, grid->upper, grid->boundary, &half));
  PetscCall(create(line, half, (PetscInt)line->steps, &p));
  PetscCall(dissipate(&p, knot, work, NULL));
  PetscCall(destroy(&p));
  PetscCall(fare_grid_destroy(&half));
  PetscFunctionReturn(0);
}

/* With twice the steps: the optimum, and the drives that it is compared with. */
static PetscErrorCode compare(const fare_control_line *line, const fare_grid *grid, fare_control_result *r)
{
  problem p = {0};
  double *knot;

  PetscFunctionBegin;
  PetscCall(create(line, grid, 2 * (PetscInt)line->steps, &p));
  PetscCall(PetscMalloc1(line->knots, &knot));
  PetscCall(dissipate(&p, r->value, &r->optimum, NULL));
  for (int k = 0; k < r->knots; k++) knot[k] = line->from + (line->to - line->from) * k / (r->knots - 1);
  PetscCall(dissipate(&p, knot, &r->linear, NULL));
  for (int k = 0; k < r->knots; k++) knot[k] = line->to;
  PetscCall(dissipate(&p, knot, &r->at_once, NULL));
  PetscCall(fare_adjoint_free_energy(p.adjoint, &r->free_energy));
  r->steps = p.protocol.steps;
  PetscCall(PetscFree(knot));
  PetscCall(destroy(&p));
  PetscFunctionReturn(0);
}

static PetscErrorCode certify(const fare_control_line *line, const fare_control_result *r)
{
  const double most = TRUSTED * r->optimum;

  PetscFunctionBegin;
  if (!(r->step_error <= most))
    FARE_FAIL(FARE_ERR_FAILED,
      "the best drive dissipates %g, which changes by %g with twice the steps: it exploits the time steps; "
      "take more `steps`, or fewer `knots`",
      r->optimum, r->step_error);
  if (r->grid_error > most)
    FARE_FAIL(FARE_ERR_FAILED,
      "the best drive dissipates %g, with an error of %g by the cells, which is more than 1%%: take more "
      "cells",
      r->optimum, r->grid_error);
  if (line->jumps && r->optimum > r->linear * (1 + TRUSTED))
    FARE_FAIL(FARE_ERR_FAILED, "the drive that was found dissipates %g, more than a linear ramp (%g)",
      r->optimum, r->linear);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_optimise(
  const fare_control_line *line, const fare_grid *grid, fare_control_result *r)
{
  problem p = {0};
  double  coarse, wide;

  PetscFunctionBegin;
  r->knots = (int)line->knots;
  PetscCall(PetscMalloc2(r->knots, &r->time, r->knots, &r->value));
  for (int k = 0; k < r->knots; k++) {
    r->time[k] = line->duration * k / (r->knots - 1);
    r->value[k] =
      PetscMax(line->lower, PetscMin(line->upper, line->from + (line->to - line->from) * k / (r->knots - 1)));
  }
  PetscCall(create(line, grid, (PetscInt)line->steps, &p));
  PetscCall(search(&p, r->value, &r->iterations));
  PetscCall(dissipate(&p, r->value, &coarse, NULL));
  PetscCall(destroy(&p));
  PetscCall(dissipate_on_wider_cells(line, grid, r->value, &wide));
  PetscCall(compare(line, grid, r));
  r->step_error = fabs(r->optimum - coarse);
  r->grid_error = fabs(wide - coarse) / 3;
  PetscCall(certify(line, r));
  PetscFunctionReturn(0);
}
