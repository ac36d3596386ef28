/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The search for the best knots by PETSc's TAO, a bounded quasi-Newton method. TAO is there with PETSc,
  whereas an L-BFGS-B of one's own would have to be kept.

  Where the energy is limited, the best drive has all of it, as a rule. So knots are sought on the sphere of
  that energy, to which any others are scaled. Where the result would be better with less energy, the search
  goes on within the sphere. Where knots of that energy could break bounds, or leave the range of a parameter,
  TAO keeps to those and the energy is kept by an augmented Lagrangian (Nocedal and Wright, Numerical
  Optimization, 2nd ed., chapter 17.4): with c = energy/limit - 1, p (max(0, m/p + c)^2 - (m/p)^2)/2 is added.
*/
#include "control.h"

#include <petsctao.h>

#include <math.h>

#define ITERATIONS_MAX 500
#define LOOKS_MAX      2000  /* at the cost, in all rounds together */
#define IDLE           8     /* iterations that lead nowhere, after which one more would not */
#define NOWHERE        1e-13 /* of the cost: lost in rounding */
#define TIGHT          1e-7  /* gradient at the end, relative to the first */
#define LOOSE          1e-5  /* the same in a round of multipliers */
#define ROUNDS         20    /* of multipliers, at most */
#define KEPT           1e-7  /* energy beyond the limit that is left, relative */
#define FIRM           10    /* first weight of that, in units of the cost */
#define FIRMER         4 /* what the weight grows by where a round has not made the excess as much smaller */

/* TAO's variables are knots in the unit of their drive; its function is the cost in a unit of its own. */
typedef struct {
  fare_control_problem *problem;
  PetscBool             sphere;
  int                   size, looks; /* looks: at the cost so far */
  PetscInt              gained;      /* the iteration that has made the cost less last, and that cost */
  double                least;
  double                unit;    /* of the cost; 0: not known yet */
  double  weight, multiplier;    /* of the energy beyond the limit; weight 0: it is not limited so */
  double *z;                     /* knots before they are scaled to the energy */
  double *knot, *slope, *pull;   /* scaled; derivatives by them, of the cost and of the energy */
  double *low, *high, *gradient; /* of TAO's variables; the derivatives at the end */
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

/* Adds what energy costs beyond the limit. */
static void add_energy(const search *s, const double knot[], double *cost, double gradient[])
{
  const double limit = s->problem->line->energy,
               over  = fare_control_energy(s->problem->line, knot, s->pull) / limit - 1,
               push  = PetscMax(0, s->multiplier + s->weight * over);

  *cost += (push * push - s->multiplier * s->multiplier) / (2 * s->weight);
  for (int i = 0; i < s->size; i++) gradient[i] += push * s->unit * s->pull[i] / limit;
}

/* The cost at x, TAO's variables, and its derivatives by them. */
static PetscErrorCode find_cost(search *s, const double x[], double *cost, double gradient[])
{
  const fare_control_line *line = s->problem->line;
  double                   value, factor;

  PetscFunctionBegin;
  for (int i = 0; i < s->size; i++) s->z[i] = s->knot[i] = x[i] * unit_of(s, i);
  if (s->sphere) (void)fare_control_scale(line, s->knot);
  s->looks++;
  PetscCall(fare_control_value(s->problem, s->knot, &value, s->slope));
  if (fare_aim_is_event(line->aim) && !(value > 0))
    FARE_FAIL(
      FARE_ERR_FAILED, "the event is too rare for these steps, which give %g: take more `steps`", value);
  *cost = fare_control_cost(line, value, &factor) / s->unit;
  for (int i = 0; i < s->size; i++) gradient[i] = s->slope[i] *= factor;
  if (s->sphere) scale_gradient(s, s->z, gradient);
  if (s->weight > 0) add_energy(s, s->knot, cost, gradient);
  for (int i = 0; i < s->size; i++) gradient[i] *= unit_of(s, i) / s->unit;
  PetscFunctionReturn(0);
}

/*
  Also over where rounding is all that is left: the steps of a line search are then noise, and TAO would go on
  with them to the last iteration. And where the search has taken long enough.
*/
static PetscErrorCode is_over(Tao tao, void *context)
{
  search            *s = context;
  TaoConvergedReason reason;
  PetscInt           now;
  PetscReal          cost;

  PetscFunctionBegin;
  PetscCall(TaoDefaultConvergenceTest(tao, NULL));
  PetscCall(TaoGetSolutionStatus(tao, &now, &cost, NULL, NULL, NULL, &reason));
  if (now == 0 || cost < s->least - NOWHERE * PetscMax(1, fabs(cost))) {
    s->gained = now;
    s->least  = cost;
  }
  if (reason == TAO_CONTINUE_ITERATING && (now - s->gained >= IDLE || s->looks >= LOOKS_MAX))
    PetscCall(TaoSetConvergedReason(tao, TAO_DIVERGED_USER));
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
  PetscCall(TaoSetTolerances(tao, 0, 0, s->weight > 0 ? LOOSE : TIGHT));
  PetscCall(TaoSetMaximumIterations(tao, ITERATIONS_MAX));
  PetscCall(TaoSetConvergenceTest(tao, is_over, s));
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
  if (!(s->unit > 0)) PetscCall(choose_unit(s, knot));
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

/* Whether no knots of the line's energy come to a bound. */
static PetscBool is_roomy(const fare_control_line *line)
{
  for (int d = 0; d < line->drives; d++) {
    const fare_control_drive *drive = &line->drive[d];
    double                    low, high;

    fare_control_reach(line, drive, &low, &high);
    if (low < drive->lower || high > drive->upper) return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* On the sphere, and within it where that is better. */
static PetscErrorCode run_sphere(search *s, double knot[], PetscInt *iterations, double *left)
{
  PetscBool less = PETSC_TRUE;

  PetscFunctionBegin;
  s->sphere = PETSC_TRUE;
  PetscCall(run(s, knot, iterations, left));
  (void)fare_control_scale(s->problem->line, knot);
  PetscCall(wants_less(s, knot, &less));
  s->sphere = PETSC_FALSE;
  if (less) PetscCall(run(s, knot, iterations, left));
  PetscFunctionReturn(0);
}

/* Within bounds. What energy is left beyond the limit is taken by a scale. */
static PetscErrorCode run_bounded(search *s, double knot[], PetscInt *iterations, double *left)
{
  const fare_control_line *line = s->problem->line;
  double                   over, before = HUGE_VAL;

  PetscFunctionBegin;
  s->weight = FIRM;
  for (int round = 0; round < ROUNDS; round++) {
    PetscCall(run(s, knot, iterations, left));
    over          = fare_control_energy(line, knot, NULL) / line->energy - 1;
    s->multiplier = PetscMax(0, s->multiplier + s->weight * over);
    if ((over <= KEPT && (s->multiplier == 0 || over >= -KEPT)) || s->looks >= LOOKS_MAX) break;
    if (fabs(over) > before / FIRMER) s->weight *= FIRMER;
    before = fabs(over);
  }
  s->weight = 0;
  if (fare_control_energy(line, knot, NULL) > line->energy) (void)fare_control_scale(line, knot);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_control_search(
  fare_control_problem *p, double knot[], PetscInt *iterations, double *left, PetscBool *cut)
{
  const fare_control_line *line = p->line;
  search                   s    = {.problem = p, .size = line->points * line->drives};

  PetscFunctionBegin;
  *iterations = 0;
  PetscCall(PetscMalloc7(s.size, &s.z, s.size, &s.knot, s.size, &s.slope, s.size, &s.pull, s.size, &s.low,
    s.size, &s.high, s.size, &s.gradient));
  if (line->energy == FARE_CONTROL_OWN)
    PetscCall(run(&s, knot, iterations, left));
  else if (is_roomy(line))
    PetscCall(run_sphere(&s, knot, iterations, left));
  else
    PetscCall(run_bounded(&s, knot, iterations, left));
  *cut = s.looks >= LOOKS_MAX ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(PetscFree7(s.z, s.knot, s.slope, s.pull, s.low, s.high, s.gradient));
  if (!fare_control_is_feasible(line, knot))
    FARE_FAIL(FARE_ERR_FAILED,
      "the best drive that was found has the energy %g and breaks a limit: no drive may have so little "
      "energy "
      "between `lower` and `upper`",
      fare_control_energy(line, knot, NULL));
  PetscFunctionReturn(0);
}
