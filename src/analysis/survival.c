/* SPDX-License-Identifier: BSD-2-Clause */
/*
  How many have not yet reached a target, and when they do: the forward equation of a moving generator without
  the target.
*/
#include "analysis.h"

#include <math.h>

typedef struct {
  fare_stepper  *stepper;
  fare_survival *survival;
  double         lived;
  /* 1 outside the target; what leaves each cell for good per time, with the sign - */
  Vec ones, leaves;
} problem;

static PetscErrorCode look(void *context, int stop, double t, Vec P)
{
  problem    *p = context;
  PetscScalar sum, flow;
  double      scale;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_move(p->stepper->absorbing, t));
  PetscCall(fare_absorbing_residual(p->stepper->absorbing, 0, p->ones, p->leaves, &scale));
  PetscCall(VecSum(P, &sum));
  PetscCall(VecDot(p->leaves, P, &flow));
  p->survival[stop] = (fare_survival){sum, -flow, p->lived};
  PetscFunctionReturn(0);
}

static PetscErrorCode run(problem *p, const fare_timeline *line, int level, Vec masses)
{
  static const double zero = 0;
  Vec                 P;

  PetscFunctionBegin;
  p->lived          = 0;
  p->stepper->steps = 0;
  PetscCall(VecSet(p->ones, 1));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, &zero, p->ones));
  PetscCall(VecDuplicate(masses, &P));
  PetscCall(VecCopy(masses, P));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, &zero, P));
  PetscCall(fare_timeline_run(line, level, p->stepper, P, &p->lived, look, p));
  PetscCall(VecDestroy(&P));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_all(
  problem *p, const fare_timeline *line, Vec masses, double tolerance, int count, fare_driven *driven)
{
  double *before, last = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(count, &before));
  driven->error = HUGE_VAL;
  for (int level = 0; level < FARE_LEVELS_MAX && !(driven->error <= tolerance); level++) {
    double difference = 0;

    PetscCall(run(p, line, level, masses));
    for (int i = 0; i < count; i++) {
      difference = PetscMax(difference, fabs(p->survival[i].survival - before[i]));
      before[i]  = p->survival[i].survival;
    }
    if (level) driven->error = fare_step_error(level, difference, last);
    last               = difference;
    driven->steps      = p->stepper->steps;
    driven->iterations = level + 1;
  }
  PetscCall(PetscFree(before));
  if (!(driven->error <= tolerance))
    FARE_FAIL(FARE_ERR_FAILED,
      "analysis: an error of %.1e is left in the survival with %lld steps in time, more than the tolerance "
      "%g",
      driven->error, (long long)driven->steps, tolerance);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_survival_solve(const fare_grid *grid, const fare_system *system,
  const fare_region *target, Vec masses, double start, double tolerance, int count, const double times[],
  fare_survival survival[], fare_driven *driven)
{
  const fare_region *targets[] = {target};
  problem            p         = {.survival = survival};
  fare_timeline     *line;

  PetscFunctionBegin;
  *driven = (fare_driven){0};
  if (count < 1 || !(times[0] >= start))
    FARE_FAIL(FARE_ERR_INPUT, "analysis: survival is asked for at a time before the start, %g", start);
  for (int i = 1; i < count; i++) {
    if (!(times[i] > times[i - 1]))
      FARE_FAIL(
        FARE_ERR_INPUT, "analysis: times of survival must rise, got %g after %g", times[i], times[i - 1]);
  }
  if (!(times[count - 1] > start))
    FARE_FAIL(FARE_ERR_INPUT, "analysis: survival is asked for at the start alone");
  PetscCall(fare_stepper_create(grid, system, start, 1, targets, PETSC_TRUE, &p.stepper));
  PetscCall(fare_timeline_create(system, start, times[count - 1], count, times, PETSC_TRUE, &line));
  PetscCall(VecDuplicate(masses, &p.ones));
  PetscCall(VecDuplicate(masses, &p.leaves));
  PetscCall(solve_all(&p, line, masses, tolerance, count, driven));
  PetscCall(VecDestroy(&p.ones));
  PetscCall(VecDestroy(&p.leaves));
  PetscCall(fare_timeline_destroy(&line));
  PetscCall(fare_stepper_destroy(&p.stepper));
  PetscFunctionReturn(0);
}
