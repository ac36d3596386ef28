/* SPDX-License-Identifier: BSD-2-Clause */
/*
  How many have not yet reached a target, and when they do: the forward equation of a moving generator without
  the target.
*/
#include "analysis.h"

#include <math.h>

typedef struct {
  fare_stepper  *stepper;
  fare_timeline *line;
  Vec            masses;
  int            count;
  fare_survival *survival;
  fare_survival *before; /* of the level before */
  Vec           *left;   /* per time: masses, of the level before until they are known anew; NULL */
  double         moved;  /* the largest L1 norm of their difference */
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
  p->survival[stop] = (fare_survival){.survival = sum, .density = -flow, .lived = p->lived};
  if (!p->left) PetscFunctionReturn(0);
  PetscCall(VecAXPY(p->left[stop], -1, P));
  PetscCall(fare_norm_1(p->left[stop], &flow));
  PetscCall(VecCopy(P, p->left[stop]));
  p->moved = PetscMax(p->moved, flow);
  PetscFunctionReturn(0);
}

static PetscErrorCode run(void *context, int level, double *difference, fare_driven *driven)
{
  static const double zero = 0;
  problem            *p    = context;
  double              most = 0;
  Vec                 P;

  PetscFunctionBegin;
  p->lived = p->moved = 0;
  p->stepper->steps   = 0;
  PetscCall(VecSet(p->ones, 1));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, &zero, p->ones));
  PetscCall(VecDuplicate(p->masses, &P));
  PetscCall(VecCopy(p->masses, P));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, &zero, P));
  PetscCall(fare_timeline_run(p->line, level, p->stepper, P, &p->lived, look, p));
  PetscCall(VecDestroy(&P));
  *difference = p->moved;
  for (int i = 0; i < p->count; i++) {
    *difference  = PetscMax(*difference, fabs(p->survival[i].survival - p->before[i].survival));
    most         = PetscMax(most, fabs(p->survival[i].density - p->before[i].density));
    p->before[i] = p->survival[i];
  }
  for (int i = 0; i < p->count; i++) p->survival[i].density_error = most;
  driven->steps      = p->stepper->steps;
  driven->iterations = level + 1;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_survival_solve(const fare_grid *grid, const fare_system *system,
  const fare_region *target, Vec masses, double start, double tolerance, int count, const double times[],
  fare_survival survival[], Vec left[], fare_driven *driven)
{
  const fare_region *targets[] = {target};
  problem            p         = {.masses = masses, .count = count, .survival = survival, .left = left};

  PetscFunctionBegin;
  *driven = (fare_driven){0};
  if (count < 1 || !(times[0] >= start))
    FARE_FAIL(FARE_ERR_INPUT, "analysis: survival is requested at a time before the start, %g", start);
  for (int i = 1; i < count; i++) {
    if (!(times[i] > times[i - 1]))
      FARE_FAIL(
        FARE_ERR_INPUT, "analysis: times of survival must increase, got %g after %g", times[i], times[i - 1]);
  }
  if (!(times[count - 1] > start))
    FARE_FAIL(FARE_ERR_INPUT, "analysis: survival is requested only at the start");
  PetscCall(fare_stepper_create(grid, system, start, 1, targets, PETSC_TRUE, &p.stepper));
  PetscCall(fare_timeline_create(system, start, times[count - 1], count, times, PETSC_TRUE, &p.line));
  PetscCall(VecDuplicate(masses, &p.ones));
  PetscCall(VecDuplicate(masses, &p.leaves));
  PetscCall(PetscCalloc1(count, &p.before));
  for (int i = 0; i < count && left; i++) {
    PetscCall(VecDuplicate(masses, &left[i]));
    PetscCall(VecSet(left[i], 0));
  }
  PetscCall(fare_levels_run(tolerance, run, &p, "survival", driven));
  PetscCall(PetscFree(p.before));
  PetscCall(VecDestroy(&p.ones));
  PetscCall(VecDestroy(&p.leaves));
  PetscCall(fare_timeline_destroy(&p.line));
  PetscCall(fare_stepper_destroy(&p.stepper));
  PetscFunctionReturn(0);
}
