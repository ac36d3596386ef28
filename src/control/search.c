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

/* TAO's variables are knots in the unit of their drive; its function is the cost in a unit of its own. */
typedef struct {
  fare_control_problem *problem;
  PetscBool             sphere;
  int                   size;
  double                unit;                /* of the cost */
  double               *z;                   /* knots before they are scaled to the energy */
  double               *knot, *slope, *pull; /* scaled; derivatives by them, of the cost and of the energy */
  double               *low, *high, *gradient; /* of TAO's variables; the derivatives at the end */
} search;

static double unit_of(const search *s, int i)
{
  return s->problem->line->drive[i % s->problem->line->drives].unit;
}

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

/* The cost at x, TAO's variables, and its derivatives by them. */
static PetscErrorCode find_cost(search *s, const double x[], double *cost, double gradient[])
{
  const fare_control_line *line = s->problem->line;
  double                   value, factor;

  PetscFunctionBegin;
  for (int i = 0; i < s->size; i++) s->z[i] = s->knot[i] = x[i] * unit_of(s, i);
  if (s->sphere) (void)fare_control_scale(line, s->knot);
  PetscCall(fare_control_value(s->problem, s->knot, &value, s->slope));
  if (fare_aim_is_event(line->aim) && !(value > 0))
    FARE_FAIL(
      FARE_ERR_FAILED, "the event is too rare for these steps, which give %g: take more `steps`", value);
  *cost = fare_control_cost(line, value, &factor) / s->unit;
  for (int i = 0; i < s->size; i++) gradient[i] = s->slope[i] *= factor;
  if (s->sphere) scale_gradient(s, s->z, gradient);
  for (int i = 0; i < s->size; i++) gradient[i] *= unit_of(s, i) / s->unit;
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(Tao tao, Vec x, PetscReal *cost, Vec gradient, void *context)
{
  const PetscScalar *at;
  PetscScalar       *to;

  PetscFunctionBegin;
  (void)tao;
  PetscCall(VecGetArrayRead(x, &at));
  PetscCall(VecGetArrayWrite(gradient, &to));
  PetscCall(find_cost(context, at, cost, to));
  PetscCall(VecRestoreArrayWrite(gradient, &to));
  PetscCall(VecRestoreArrayRead(x, &at));
  PetscFunctionReturn(0);
}

/* Without jumps the first and the last knots have no room; on the sphere all have any. */
static void bound(search *s)
{
  const fare_control_line *line = s->problem->line;

  for (int i = 0; i < s->size; i++) {
    const fare_control_drive *drive = &line->drive[i % line->drives];

    s->low[i] = s->sphere || drive->lower <= -FARE_CONTROL_OWN ? PETSC_NINFINITY : drive->lower / drive->unit;
    s->high[i] = s->sphere || drive->upper >= FARE_CONTROL_OWN ? PETSC_INFINITY : drive->upper / drive->unit;
    if (line->jumps) continue;
    if (i < line->drives) s->low[i] = s->high[i] = drive->from / drive->unit;
    if (i >= s->size - line->drives) s->low[i] = s->high[i] = drive->to / drive->unit;
  }
}

/* kT for work; of an observable, which has any unit, its first derivatives. */
static PetscErrorCode choose_unit(search *s, const double x[])
{
  const fare_control_line *line = s->problem->line;
  double                   cost, sum = 0;

  PetscFunctionBegin;
  s->unit = fare_aim_is_work(line->aim) ? fare_system_kT(line->system, 0) : 1;
  if (line->aim != FARE_AIM_OBSERVABLE) PetscFunctionReturn(0);
  PetscCall(find_cost(s, x, &cost, s->gradient));
  for (int i = 0; i < s->size; i++) sum += fabs(s->gradient[i]);
  if (sum > 0) s->unit = sum;
  PetscFunctionReturn(0);
}

/* By how much the cost may fall where each knot moves by its unit, as far as bounds let it. */
static PetscErrorCode judge(search *s, const double x[], double *left)
{
  const double rounding = 1e-9;
  double       cost;

  PetscFunctionBegin;
  PetscCall(find_cost(s, x, &cost, s->gradient));
  *left = 0;
  for (int i = 0; i < s->size; i++) {
    const double g = s->gradient[i], edge = rounding * PetscMax(1, fabs(x[i]));

    if ((g > 0 && x[i] <= s->low[i] + edge) || (g < 0 && x[i] >= s->high[i] - edge)) continue;
    *left += s->unit * fabs(g);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode minimise(search *s, double at[], PetscInt *iterations)
{
  Vec      x, lower, upper;
  Tao      tao;
  PetscInt spent;

  PetscFunctionBegin;
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, s->size, at, &x));
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, s->size, s->low, &lower));
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, s->size, s->high, &upper));
  PetscCall(TaoCreate(PETSC_COMM_SELF, &tao));
  PetscCall(TaoSetType(tao, TAOBQNLS));
  PetscCall(TaoSetSolution(tao, x));
  PetscCall(TaoSetVariableBounds(tao, lower, upper));
  PetscCall(TaoSetObjectiveAndGradient(tao, NULL, evaluate, s));
  PetscCall(TaoSetTolerances(tao, 0, 0, TIGHT));
  PetscCall(TaoSetMaximumIterations(tao, ITERATIONS_MAX));
  PetscCall(TaoSetOptionsPrefix(tao, "control_"));
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(TaoSolve(tao));
  PetscCall(TaoGetIterationNumber(tao, &spent));
  *iterations += spent;
  PetscCall(TaoDestroy(&tao));
  PetscCall(VecDestroy(&upper));
  PetscCall(VecDestroy(&lower));
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(0);
}

/* Whatever TAO says of its end, what counts is the slope that is left there. */
static PetscErrorCode run(search *s, double knot[], PetscInt *iterations, double *left)
{
  PetscFunctionBegin;
  for (int i = 0; i < s->size; i++) knot[i] /= unit_of(s, i);
  bound(s);
  s->unit = 1;
  PetscCall(choose_unit(s, knot));
  PetscCall(minimise(s, knot, iterations));
  PetscCall(judge(s, knot, left));
  for (int i = 0; i < s->size; i++) knot[i] *= unit_of(s, i);
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

PetscErrorCode fare_control_search(fare_control_problem *p, double knot[], PetscInt *iterations, double *left)
{
  const fare_control_line *line = p->line;
  search                   s    = {.problem = p, .size = (int)line->knots * line->drives};
  PetscBool                less = PETSC_TRUE;

  PetscFunctionBegin;
  *iterations = 0;
  s.sphere    = line->energy < FARE_CONTROL_OWN ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscMalloc7(s.size, &s.z, s.size, &s.knot, s.size, &s.slope, s.size, &s.pull, s.size, &s.low,
    s.size, &s.high, s.size, &s.gradient));
  if (s.sphere) {
    PetscCall(run(&s, knot, iterations, left));
    (void)fare_control_scale(line, knot);
    PetscCall(wants_less(&s, knot, &less));
    s.sphere = PETSC_FALSE;
  }
  if (less) PetscCall(run(&s, knot, iterations, left));
  PetscCall(PetscFree7(s.z, s.knot, s.slope, s.pull, s.low, s.high, s.gradient));
  if (!fare_control_is_feasible(line, knot))
    FARE_FAIL(FARE_ERR_FAILED,
      "the best drive that was found has the energy %g and breaks a limit: `lower` and `upper` are not kept "
      "beside `energy`; take a smaller one",
      fare_control_energy(line, knot, NULL));
  PetscFunctionReturn(0);
}
