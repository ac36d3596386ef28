/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Logarithms of committors under a drive: dq/dt = -L(t)^T q backward in time by implicit Euler steps, which
  add up what is positive and subtract nothing, so that every q is positive and has its digits however small
  it is. (A method of higher order has negative weights somewhere: Bolley and Crouzeix, RAIRO Anal. Numer. 12,
  237 (1978).) Steps are halved level by level, and ln q is extrapolated to width 0 (Deuflhard, SIAM Rev. 27,
  505 (1985)): positive again, and its error is a relative one.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>

#define ORDERS     5 /* of extrapolation */
#define LEVELS_MAX 13
#define LEVELS_ANY 4 /* where nothing is certified */
#define SWEEPS_MAX 1000

/* What is extrapolated: rows[j] of order j + 1, of this level once row_add() is through. */
typedef struct {
  size_t  size;
  double *row[ORDERS];
} tableau;

typedef struct {
  const fare_grid *grid;
  const fare_span *span;
  fare_stepper    *stepper;
  fare_timeline   *line;
  fare_held        held; /* b, and a where there is one */
  int              count, certified, level;
  size_t           points;
  const double    *x;
  size_t           owned;
  double          *fields, *at, *before; /* ln q of this level: at each stop, cells and points; a sweep ago */
  tableau          of_fields, of_points;
} problem;

static PetscErrorCode keep(void *context, int stop, double t, Vec q)
{
  problem           *p  = context;
  double            *to = p->fields + (size_t)stop * p->owned, *at = p->at + (size_t)stop * p->points;
  const PetscScalar *value;

  PetscFunctionBegin;
  (void)t;
  PetscCall(VecGetArrayRead(q, &value));
  for (size_t n = 0; n < p->owned; n++) to[n] = log(value[n]);
  PetscCall(VecRestoreArrayRead(q, &value));
  if (stop >= p->certified) PetscFunctionReturn(0);
  PetscCall(fare_interpolate(p->grid, &p->held, q, p->points, p->x, at, NULL));
  for (size_t i = 0; i < p->points; i++) at[i] = log(at[i]);
  PetscFunctionReturn(0);
}

/* -infinity less itself is no change. */
static double change_of(double now, double before)
{
  return now == before ? 0 : fabs(now - before);
}

static double largest_change(size_t count, const double now[], const double before[])
{
  double most = 0;

  for (size_t i = 0; i < count; i++) most = PetscMax(most, change_of(now[i], before[i]));
  return most;
}

/* From the end to the start; where the drive repeats, until what comes back is what was given. */
static PetscErrorCode sweep(problem *p, Vec end, fare_driven *driven)
{
  double last = HUGE_VAL, change, ratio;
  Vec    x;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(end, &x));
  for (int round = 0;; round++) {
    PetscCall(VecCopy(end, x));
    PetscCall(fare_timeline_run(p->line, p->level, p->stepper, x, NULL, keep, p));
    driven->iterations++;
    if (p->span->after != FARE_AFTER_PERIODIC) break;
    change = round ? largest_change((size_t)p->certified * p->points, p->at, p->before) : HUGE_VAL;
    ratio  = change > 0 ? PetscMin(0.999, change / last) : 0;
    last   = change;
    PetscCall(PetscArraycpy(p->before, p->at, (size_t)p->certified * p->points));
    PetscCall(VecCopy(x, end));
    if (round > 1 && change * ratio / (1 - ratio) <= 0.1 * p->span->tolerance) break;
    if (round == SWEEPS_MAX)
      FARE_FAIL(FARE_ERR_FAILED,
        "analysis: after %d periods ln q still changes by %.1e: paths stay longer than that outside of both "
        "sets; widen a, or leave `relative` out",
        SWEEPS_MAX, change);
  }
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(0);
}

/* Takes in what was found with 2^level times the steps. Returns how far the two best orders are apart. */
static void extrapolate(tableau *t, int level, const double found[], double error[])
{
  for (size_t i = 0; i < t->size; i++) {
    double now = found[i];

    if (error) error[i] = HUGE_VAL;
    for (int j = 0; j < ORDERS; j++) {
      const double before = t->row[j][i];

      t->row[j][i] = now;
      if (j >= level || !isfinite(now) || !isfinite(before)) {
        for (int k = j + 1; k < ORDERS; k++) t->row[k][i] = now;
        if (error && level && now == before) error[i] = 0;
        break;
      }
      now += (now - before) / (exp2(j + 1) - 1);
      if (error) error[i] = fabs(now - t->row[j][i]);
    }
  }
}

static PetscErrorCode create_tableau(size_t size, tableau *t)
{
  PetscFunctionBegin;
  t->size = size;
  for (int j = 0; j < ORDERS; j++) PetscCall(PetscCalloc1(size, &t->row[j]));
  PetscFunctionReturn(0);
}

static PetscErrorCode free_problem(problem *p)
{
  PetscFunctionBegin;
  for (int j = 0; j < ORDERS; j++) {
    PetscCall(PetscFree(p->of_fields.row[j]));
    PetscCall(PetscFree(p->of_points.row[j]));
  }
  PetscCall(PetscFree3(p->fields, p->at, p->before));
  PetscCall(fare_timeline_destroy(&p->line));
  PetscCall(fare_stepper_destroy(&p->stepper));
  PetscFunctionReturn(0);
}

/* q at the end of the span; of a drive that repeats, a first guess. New vector. */
static PetscErrorCode begin(problem *p, Vec *end, fare_driven *driven)
{
  fare_solved frozen;

  PetscFunctionBegin;
  if (p->span->after == FARE_AFTER_OVER) {
    PetscCall(DMCreateGlobalVector(p->grid->dm, end));
    PetscCall(VecSet(*end, 0));
    PetscCall(fare_absorbing_hold(p->stepper->absorbing, p->held.value, *end));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_absorbing_solve(
    p->stepper->absorbing, 0, p->held.value, "frozen solution at the end of the span", end, &frozen));
  driven->residual = frozen.residual;
  PetscFunctionReturn(0);
}

static PetscErrorCode run_levels(problem *p, Vec end, double error[], fare_driven *driven)
{
  const size_t points = (size_t)p->certified * p->points;

  PetscFunctionBegin;
  driven->error = HUGE_VAL;
  for (p->level = 0; p->level < (points ? LEVELS_MAX : LEVELS_ANY) && !(driven->error <= p->span->tolerance);
       p->level++) {
    p->stepper->steps = 0;
    PetscCall(sweep(p, end, driven));
    driven->steps = p->stepper->steps;
    extrapolate(&p->of_fields, p->level, p->fields, NULL);
    extrapolate(&p->of_points, p->level, p->at, error);
    driven->error = points ? 0 : HUGE_VAL;
    for (size_t i = 0; i < points; i++) driven->error = PetscMax(driven->error, error[i]);
  }
  if (points && !(driven->error <= p->span->tolerance))
    FARE_FAIL(FARE_ERR_FAILED,
      "analysis: ln q at the points still changes by %.1e with %lld time steps, more than the tolerance %g",
      driven->error, (long long)driven->steps, p->span->tolerance);
  PetscFunctionReturn(0);
}

static PetscErrorCode hand_out(const problem *p, Vec log_q[])
{
  PetscScalar *to;

  PetscFunctionBegin;
  for (int k = 0; k < p->count; k++) {
    PetscCall(DMCreateGlobalVector(p->grid->dm, &log_q[k]));
    PetscCall(VecGetArray(log_q[k], &to));
    PetscCall(PetscArraycpy(to, p->of_fields.row[ORDERS - 1] + (size_t)k * p->owned, p->owned));
    PetscCall(VecRestoreArray(log_q[k], &to));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check(const fare_grid *grid, const fare_span *span, const fare_region *a,
  const fare_region *b, int count, const double starts[])
{
  PetscFunctionBegin;
  if (fare_region_overlaps(a, b)) FARE_FAIL(FARE_ERR_INPUT, "analysis: the sets a and b overlap");
  if (!fare_elimination_serves(grid))
    FARE_FAIL(FARE_ERR_INPUT, "analysis: too many cells for ln q with a relative error; take fewer");
  PetscCall(fare_span_check(span, count, starts));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_log_committor_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *a, const fare_region *b, int count, const double starts[],
  int certified, size_t points, const double x[], Vec log_q[], double error[], fare_driven *driven)
{
  const int    targets = a->boxes ? 2 : 1;
  const size_t owned   = (size_t)fare_grid_owned(grid);
  problem      p       = {.grid = grid,
               .span            = span,
               .held            = {targets, {b, a}, {1, 0}, NULL, 0},
               .count           = count,
               .certified       = certified,
               .points          = points,
               .x               = x,
               .owned           = owned};
  Vec          end;

  PetscFunctionBegin;
  *driven = (fare_driven){.largest = 1};
  PetscCall(check(grid, span, a, b, count, starts));
  PetscCall(fare_stepper_create(grid, system, span->end, targets, p.held.region, PETSC_FALSE, &p.stepper));
  p.stepper->value = p.held.value;
  p.stepper->still = fare_system_is_driven(system) ? PETSC_FALSE : PETSC_TRUE;
  PetscCall(fare_timeline_create(system, span->end, span->start, count, starts,
    span->after == FARE_AFTER_OVER ? PETSC_TRUE : PETSC_FALSE, &p.line));
  PetscCall(PetscMalloc3((size_t)count * owned, &p.fields, (size_t)certified * points + 1, &p.at,
    (size_t)certified * points + 1, &p.before));
  PetscCall(create_tableau((size_t)count * owned, &p.of_fields));
  PetscCall(create_tableau((size_t)certified * points, &p.of_points));
  PetscCall(begin(&p, &end, driven));
  PetscCall(run_levels(&p, end, error, driven));
  PetscCall(hand_out(&p, log_q));
  PetscCall(VecDestroy(&end));
  PetscCall(free_problem(&p));
  PetscFunctionReturn(0);
}
