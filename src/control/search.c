/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The search for the best knots by PETSc's TAO, a bounded quasi-Newton method. TAO is there with PETSc,
  whereas an L-BFGS-B of one's own would have to be kept.

  Where the energy is limited, the best drive has all of it, as a rule. So knots are sought on the sphere of
  that energy, to which any others are scaled. Where the result would be better with less energy, the search
  goes on within the sphere.
*/
#include "control.h"

#include <petsctao.h>

#include <math.h>

#define ITERATIONS_MAX 500
#define TIGHT          1e-7 /* gradient at the end, relative to the first */
#define FLAT           1e-8 /* in kT, nats or logarithms: what derivatives cannot tell from 0 */

typedef struct {
  fare_control_problem *problem;
  PetscBool             sphere;
  int                   size;
  double               *knot, *slope, *pull; /* scaled; derivatives by them, of the cost and of the energy */
} search;

/* By knots z that are scaled to x = b + s (z - b): s (g - e (z - b).g/2E'), of gradients g and e at z. */
static void scale_gradient(const search *s, const double z[], double gradient[])
{
  const fare_control_line *line   = s->problem->line;
  const double             energy = fare_control_energy(line, z, s->pull);
  double                   along  = 0;

  for (int i = 0; i < s->size; i++) along += (z[i] - line->drive[i % line->drives].base) * s->slope[i];
  for (int i = 0; i < s->size; i++)
    gradient[i] = sqrt(line->energy / energy) * (s->slope[i] - s->pull[i] * along / (2 * energy));
}

static PetscErrorCode evaluate(Tao tao, Vec x, PetscReal *cost, Vec gradient, void *context)
{
  search            *s = context;
  const PetscScalar *z;
  PetscScalar       *to;
  double             value, factor;

  PetscFunctionBegin;
  (void)tao;
  PetscCall(VecGetArrayRead(x, &z));
  PetscCall(VecGetArrayWrite(gradient, &to));
  PetscCall(PetscArraycpy(s->knot, z, s->size));
  if (s->sphere) (void)fare_control_scale(s->problem->line, s->knot);
  PetscCall(fare_control_value(s->problem, s->knot, &value, s->slope));
  if (fare_aim_is_event(s->problem->line->aim) && !(value > 0))
    FARE_FAIL(
      FARE_ERR_FAILED, "the event is too rare for these steps, which give %g: take more `steps`", value);
  *cost = fare_control_cost(s->problem->line, value, &factor);
  for (int i = 0; i < s->size; i++) s->slope[i] *= factor;
  if (s->sphere)
    scale_gradient(s, z, to);
  else
    PetscCall(PetscArraycpy(to, s->slope, s->size));
  PetscCall(VecRestoreArrayWrite(gradient, &to));
  PetscCall(VecRestoreArrayRead(x, &z));
  PetscFunctionReturn(0);
}

/* Without jumps the first and the last knots have no room; on the sphere all have any. */
static PetscErrorCode bound(const search *s, Vec lower, Vec upper)
{
  const fare_control_line *line = s->problem->line;
  PetscScalar             *low, *high;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(lower, &low));
  PetscCall(VecGetArrayWrite(upper, &high));
  for (int i = 0; i < s->size; i++) {
    const fare_control_drive *drive = &line->drive[i % line->drives];

    low[i]  = s->sphere ? PETSC_NINFINITY : drive->lower;
    high[i] = s->sphere ? PETSC_INFINITY : drive->upper;
    if (line->jumps) continue;
    if (i < line->drives) low[i] = high[i] = drive->from;
    if (i >= s->size - line->drives) low[i] = high[i] = drive->to;
  }
  PetscCall(VecRestoreArrayWrite(lower, &low));
  PetscCall(VecRestoreArrayWrite(upper, &high));
  PetscFunctionReturn(0);
}

/* A search that ends where its line search finds nothing better has come to what rounding lets it see. */
static PetscErrorCode judge(Tao tao, PetscInt *iterations)
{
  TaoConvergedReason reason;
  PetscInt           spent;

  PetscFunctionBegin;
  PetscCall(TaoGetConvergedReason(tao, &reason));
  PetscCall(TaoGetIterationNumber(tao, &spent));
  *iterations += spent;
  if (reason > 0 || reason == TAO_DIVERGED_LS_FAILURE) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED, "the search for the best drive ended after %lld iterations (%s)",
    (long long)spent, TaoConvergedReasons[reason]);
}

static PetscErrorCode run(search *s, double knot[], PetscInt *iterations)
{
  Vec x, lower, upper;
  Tao tao;

  PetscFunctionBegin;
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, s->size, knot, &x));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, s->size, &lower));
  PetscCall(VecDuplicate(lower, &upper));
  PetscCall(bound(s, lower, upper));
  PetscCall(TaoCreate(PETSC_COMM_SELF, &tao));
  PetscCall(TaoSetType(tao, TAOBQNLS));
  PetscCall(TaoSetSolution(tao, x));
  PetscCall(TaoSetVariableBounds(tao, lower, upper));
  PetscCall(TaoSetObjectiveAndGradient(tao, NULL, evaluate, s));
  PetscCall(TaoSetTolerances(tao, s->problem->line->aim == FARE_AIM_OBSERVABLE ? 0 : FLAT, 0, TIGHT));
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

/* Whether less energy would be better: the cost falls along the way to the base values. */
static PetscErrorCode wants_less(search *s, const double knot[], PetscBool *less)
{
  const fare_control_line *line = s->problem->line;
  double                   value, factor, along = 0;

  PetscFunctionBegin;
  PetscCall(fare_control_value(s->problem, knot, &value, s->slope));
  (void)fare_control_cost(line, value, &factor);
  for (int i = 0; i < s->size; i++)
    along += factor * s->slope[i] * (knot[i] - line->drive[i % line->drives].base);
  *less = along > 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_search(fare_control_problem *p, double knot[], PetscInt *iterations)
{
  const fare_control_line *line = p->line;
  search                   s    = {.problem = p, .size = (int)line->knots * line->drives};
  PetscBool                less = PETSC_TRUE;

  PetscFunctionBegin;
  *iterations = 0;
  s.sphere    = line->energy < FARE_CONTROL_OWN ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscMalloc3(s.size, &s.knot, s.size, &s.slope, s.size, &s.pull));
  if (s.sphere) {
    PetscCall(run(&s, knot, iterations));
    (void)fare_control_scale(line, knot);
    PetscCall(wants_less(&s, knot, &less));
    s.sphere = PETSC_FALSE;
  }
  if (less) PetscCall(run(&s, knot, iterations));
  PetscCall(PetscFree3(s.knot, s.slope, s.pull));
  if (!fare_control_is_feasible(line, knot))
    FARE_FAIL(FARE_ERR_FAILED,
      "the best drive that was found has the energy %g and breaks a limit: `lower` and `upper` are not kept "
      "beside `energy`; take a smaller one",
      fare_control_energy(line, knot, NULL));
  PetscFunctionReturn(0);
}
