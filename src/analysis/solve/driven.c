/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Backward equations of driven systems: from the end of the span to its start, or over the period again and
  again. The latter is an affine map x -> c + K x of which the fixed point is wanted; (I - K) d = c + K x - x
  by GMRES, one product of which is one period, so that rare events take no longer than others. Then all again
  with half the steps.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>

typedef struct {
  const fare_span *span;
  fare_stepper    *stepper;
  fare_timeline   *line;
  const double    *value;    /* in each target */
  double           b, scale; /* scale: L1 norm of c outside of targets */
  int              level, runs, count;
  Vec              end;         /* x there: known, or a guess of it */
  Vec             *at, *before; /* x at each of the stops, now and on the level before */
} problem;

/* x from the end to the start; linear: without b, and 0 in targets. */
static PetscErrorCode carry(problem *p, PetscBool linear, Vec x)
{
  PetscFunctionBegin;
  p->stepper->b = linear ? 0 : p->b;
  PetscCall(fare_timeline_run(p->line, p->level, p->stepper, x, NULL, NULL, NULL));
  p->runs++;
  PetscFunctionReturn(0);
}

static PetscErrorCode multiply(Mat shell, Vec v, Vec y)
{
  static const double zero[2] = {0, 0};
  problem            *p;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(shell, &p));
  PetscCall(VecCopy(v, y));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, zero, y));
  PetscCall(carry(p, PETSC_TRUE, y));
  PetscCall(VecAYPX(y, -1, v));
  PetscFunctionReturn(0);
}

static PetscErrorCode residual(void *context, Vec x, Vec r, double *scale)
{
  problem *p = context;

  PetscFunctionBegin;
  *scale = p->scale;
  PetscCall(VecCopy(x, r));
  PetscCall(carry(p, PETSC_FALSE, r));
  PetscCall(VecAXPY(r, -1, x));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_scale(problem *p, Vec like)
{
  static const double zero[2] = {0, 0};
  PetscReal           norm;
  Vec                 c;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(like, &c));
  PetscCall(VecSet(c, 0));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, p->value, c));
  PetscCall(carry(p, PETSC_FALSE, c));
  PetscCall(fare_absorbing_hold(p->stepper->absorbing, zero, c));
  PetscCall(fare_norm_1(c, &norm));
  p->scale = norm;
  PetscCall(VecDestroy(&c));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_periodic(problem *p, Vec x, fare_driven *driven)
{
  fare_solved solved;
  KSP         ksp;

  PetscFunctionBegin;
  PetscCall(find_scale(p, x));
  PetscCall(fare_linear_solver_create_map(x, multiply, p, "analysis_driven_periodic_", &ksp));
  PetscCall(fare_linear_solver_refine(ksp, residual, p, 0.01 * p->span->tolerance, p->span->tolerance,
    "periodic solution of the backward equation", x, &solved));
  driven->residual = solved.residual;
  PetscCall(KSPDestroy(&ksp));
  PetscFunctionReturn(0);
}

static PetscErrorCode keep(void *context, int stop, double t, Vec x)
{
  problem *p = context;

  PetscFunctionBegin;
  (void)t;
  PetscCall(VecCopy(x, p->at[stop]));
  PetscFunctionReturn(0);
}

/* p->at of one level, and their largest change since the level before, relative to the largest value. */
static PetscErrorCode solve_level(void *context, int level, double *difference, fare_driven *driven)
{
  problem  *p      = context;
  PetscReal change = 0, largest = 0, norm;
  Vec       x;

  PetscFunctionBegin;
  p->level = level;
  if (p->span->after == FARE_AFTER_PERIODIC) PetscCall(find_periodic(p, p->end, driven));
  PetscCall(VecDuplicate(p->end, &x));
  PetscCall(VecCopy(p->end, x));
  p->stepper->b     = p->b;
  p->stepper->steps = 0;
  PetscCall(fare_timeline_run(p->line, level, p->stepper, x, NULL, keep, p));
  PetscCall(VecDestroy(&x));
  for (int i = 0; i < p->count; i++) {
    PetscCall(VecNorm(p->at[i], NORM_INFINITY, &norm));
    largest = PetscMax(largest, norm);
    PetscCall(VecAYPX(p->before[i], -1, p->at[i]));
    PetscCall(VecNorm(p->before[i], NORM_INFINITY, &norm));
    change = PetscMax(change, norm);
    PetscCall(VecCopy(p->at[i], p->before[i]));
  }
  *difference        = largest > 0 ? change / largest : 0;
  driven->largest    = largest;
  driven->steps      = p->stepper->steps;
  driven->iterations = ++p->runs;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_span_check(const fare_span *span, int count, const double starts[])
{
  PetscFunctionBegin;
  if (!(span->end > span->start))
    FARE_FAIL(
      FARE_ERR_INPUT, "analysis: the span must end after it starts (%g), got %g", span->start, span->end);
  for (int i = 0; i < count; i++) {
    if (!(starts[i] >= span->start && starts[i] <= span->end))
      FARE_FAIL(FARE_ERR_INPUT, "analysis: a start at %g lies outside the span, [%g, %g]", starts[i],
        span->start, span->end);
    if (i && !(starts[i] > starts[i - 1]))
      FARE_FAIL(FARE_ERR_INPUT, "analysis: starts must increase, got %g after %g", starts[i], starts[i - 1]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(const fare_grid *grid, const fare_system *system, const fare_span *span,
  int targets, const fare_region *const target[], double b, const double value[], int count,
  const double starts[], Vec at[], fare_driven *driven)
{
  problem     p = {.span = span, .value = value, .b = b, .count = count, .at = at};
  fare_solved frozen;

  PetscFunctionBegin;
  *driven = (fare_driven){0};
  PetscCall(fare_span_check(span, count, starts));
  PetscCall(fare_stepper_create(grid, system, span->end, targets, target, PETSC_FALSE, &p.stepper));
  p.stepper->still = fare_system_is_driven(system) ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(fare_timeline_create(system, span->end, span->start, count, starts,
    span->after == FARE_AFTER_OVER ? PETSC_TRUE : PETSC_FALSE, &p.line));
  if (span->after == FARE_AFTER_FROZEN) {
    PetscCall(fare_absorbing_solve(
      p.stepper->absorbing, b, value, "frozen solution at the end of the span", &p.end, &frozen));
    driven->residual = frozen.residual;
  } else {
    PetscCall(DMCreateGlobalVector(grid->dm, &p.end));
    PetscCall(VecSet(p.end, 0));
    PetscCall(fare_absorbing_hold(p.stepper->absorbing, value, p.end));
  }
  PetscCall(VecDuplicateVecs(p.end, count, &p.before));
  for (int i = 0; i < count; i++) {
    PetscCall(VecDuplicate(p.end, &at[i]));
    PetscCall(VecSet(p.before[i], 0));
  }
  PetscCall(fare_levels_run(span->tolerance, solve_level, &p, "solution of the backward equation", driven));
  PetscCall(VecDestroyVecs(count, &p.before));
  PetscCall(VecDestroy(&p.end));
  PetscCall(fare_timeline_destroy(&p.line));
  PetscCall(fare_stepper_destroy(&p.stepper));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_driven_passage_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *target, int count, const double starts[], Vec times[],
  fare_driven *driven)
{
  const fare_region *targets[] = {target};
  const double       zero      = 0;

  PetscFunctionBegin;
  PetscCall(solve(grid, system, span, 1, targets, 1, &zero, count, starts, times, driven));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_driven_committor_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *a, const fare_region *b, int count, const double starts[],
  Vec committor[], fare_driven *driven)
{
  const fare_region *targets[] = {a, b};
  const double       value[]   = {0, 1};

  PetscFunctionBegin;
  if (fare_region_overlaps(a, b)) FARE_FAIL(FARE_ERR_INPUT, "analysis: the sets a and b overlap");
  PetscCall(solve(grid, system, span, 2, targets, 0, value, count, starts, committor, driven));
  PetscFunctionReturn(0);
}
