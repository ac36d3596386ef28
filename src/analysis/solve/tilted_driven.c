/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Tilted generators that move in time, or for a while: du/dt = -W(t) u, backward. Of a drive that repeats, psi
  is ln of the largest multiplier of one period, by Krylov-Schur on that map (SLEPc); its slope comes from
  left and right vectors and from du/ds, which is evolved along with u. Of a span, u is 1 at its end, and its
  mean over the masses at the start is <exp(s A)>.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>
#include <slepceps.h>

#include <math.h>

#define STOPS    32 /* at which u is brought back to size 1 */
#define SUBSPACE 10

typedef struct {
  const fare_grid        *grid;
  const fare_system      *system;
  const fare_tilted_span *span;
  const fare_observable  *observable;
  double                  s, offset, grown; /* grown: ln of what u was divided by */
  fare_stepper           *backward, *forward;
  fare_timeline          *back, *forth;
  int                     level;
  PetscInt                runs;
  Vec                     u, left;
  fare_tilted            *tilted;
  double                  slope_change;
} problem;

static PetscErrorCode create_stepper(problem *p, double t, PetscBool forward, fare_stepper **stepper)
{
  PetscFunctionBegin;
  PetscCall(fare_stepper_create(p->grid, p->system, t, 0, NULL, forward, stepper));
  PetscCall(fare_absorbing_tilt((*stepper)->absorbing, p->system, p->observable, p->s));
  (*stepper)->absorbing->tilting->offset = p->offset;
  PetscFunctionReturn(0);
}

static PetscErrorCode carry_back(Mat shell, Vec x, Vec y)
{
  problem *p;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(shell, &p));
  PetscCall(VecCopy(x, y));
  PetscCall(fare_timeline_run(p->back, p->level, p->backward, y, NULL, NULL, NULL));
  p->runs++;
  PetscFunctionReturn(0);
}

static PetscErrorCode carry_forth(Mat shell, Vec x, Vec y)
{
  problem *p;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(shell, &p));
  PetscCall(VecCopy(x, y));
  PetscCall(fare_timeline_run(p->forth, p->level, p->forward, y, NULL, NULL, NULL));
  p->runs++;
  PetscFunctionReturn(0);
}

/* The largest multiplier of a map, and its vector, from a guess of it; largest value 1. */
static PetscErrorCode find_multiplier(problem *p, fare_map_function map, Vec v, double *multiplier)
{
  const PetscInt owned = fare_grid_owned(p->grid);
  PetscScalar    imaginary, sum;
  PetscReal      norm;
  PetscInt       converged;
  Mat            shell;
  EPS            eps;

  PetscFunctionBegin;
  PetscCall(MatCreateShell(p->grid->comm, owned, owned, PETSC_DETERMINE, PETSC_DETERMINE, p, &shell));
  PetscCall(MatShellSetOperation(shell, MATOP_MULT, (void (*)(void))map));
  PetscCall(EPSCreate(p->grid->comm, &eps));
  PetscCall(EPSSetOperators(eps, shell, NULL));
  PetscCall(EPSSetProblemType(eps, EPS_NHEP));
  PetscCall(EPSSetWhichEigenpairs(eps, EPS_LARGEST_MAGNITUDE));
  PetscCall(EPSSetDimensions(eps, 1, SUBSPACE, PETSC_DEFAULT));
  PetscCall(EPSSetTolerances(eps, PetscMax(1e-13, 0.01 * p->span->tolerance), 500));
  PetscCall(EPSSetInitialSpace(eps, 1, &v));
  PetscCall(EPSSetOptionsPrefix(eps, "analysis_tilted_"));
  PetscCall(EPSSetFromOptions(eps));
  PetscCall(EPSSolve(eps));
  PetscCall(EPSGetConverged(eps, &converged));
  if (converged < 1)
    FARE_FAIL(FARE_ERR_FAILED, "tilted: the multiplier of a period does not converge at the tilt %g", p->s);
  PetscCall(EPSGetEigenpair(eps, 0, multiplier, &imaginary, v, NULL));
  PetscCall(EPSDestroy(&eps));
  PetscCall(MatDestroy(&shell));
  PetscCall(VecSum(v, &sum));
  PetscCall(VecNorm(v, NORM_INFINITY, &norm));
  PetscCall(VecScale(v, (sum < 0 ? -1 : 1) / norm));
  if (!(*multiplier > 0) || imaginary != 0)
    FARE_FAIL(FARE_ERR_FAILED, "tilted: the multiplier of a period is %g%+gi at the tilt %g", *multiplier,
      imaginary, p->s);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_periodic(problem *p, double *psi, double *slope)
{
  const double period = p->span->end - p->span->start;
  double       multiplier, other;
  PetscScalar  size, product;
  Vec          y;

  PetscFunctionBegin;
  PetscCall(find_multiplier(p, carry_back, p->u, &multiplier));
  PetscCall(find_multiplier(p, carry_forth, p->left, &other));
  PetscCall(VecDuplicate(p->u, &y));
  PetscCall(VecCopy(p->u, y));
  PetscCall(fare_stepper_add_tangent(p->backward));
  PetscCall(fare_timeline_run(p->back, p->level, p->backward, y, NULL, NULL, NULL));
  p->runs++;
  PetscCall(VecDot(p->left, p->u, &size));
  PetscCall(VecDot(p->left, p->backward->tangent, &product));
  *psi   = p->offset + log(multiplier) / period;
  *slope = product / (size * multiplier * period);
  PetscCall(fare_stepper_drop_tangent(p->backward));
  PetscCall(VecDestroy(&y));
  PetscFunctionReturn(0);
}

static PetscErrorCode rescale(void *context, int stop, double t, Vec x)
{
  problem  *p = context;
  PetscReal norm;

  PetscFunctionBegin;
  (void)stop, (void)t;
  PetscCall(VecNorm(x, NORM_INFINITY, &norm));
  if (!(norm > 0) || !isfinite(norm))
    FARE_FAIL(FARE_ERR_FAILED, "tilted: <exp(s A)> leaves the range of numbers at the tilt %g", p->s);
  PetscCall(VecScale(x, 1 / norm));
  PetscCall(VecScale(p->backward->tangent, 1 / norm));
  p->grown += log(norm);
  PetscFunctionReturn(0);
}

/* Potential energies of cells; 0 where they do not count. New vector. */
static PetscErrorCode energies(const problem *p, double t, Vec *U)
{
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(p->grid->dm, U));
  PetscCall(VecSet(*U, 0));
  if (p->observable->kind != FARE_OF_WORK) PetscFunctionReturn(0);
  PetscCall(VecGetArray(*U, &to));
  for (PetscInt n = 0; n < fare_grid_owned(p->grid); n++) {
    double        centre[FARE_DIM_MAX] = {0};
    const double *at[FARE_DIM_MAX]     = {&centre[0], &centre[1], &centre[2]};

    fare_cell_centre(p->grid, n, centre);
    fare_system_potential(p->system, t, 1, at, &to[n]);
  }
  PetscCall(VecRestoreArray(*U, &to));
  PetscFunctionReturn(0);
}

/* u and du/ds at the end: exp(s U), divided by its largest value. */
static PetscErrorCode begin_at_end(problem *p, Vec u)
{
  PetscReal most;
  Vec       U;

  PetscFunctionBegin;
  PetscCall(energies(p, p->span->end, &U));
  PetscCall(VecCopy(U, u));
  PetscCall(VecScale(u, p->s));
  PetscCall(VecMax(u, NULL, &most));
  PetscCall(VecShift(u, -most));
  PetscCall(VecExp(u));
  p->grown = most;
  PetscCall(VecPointwiseMult(p->backward->tangent, U, u));
  PetscCall(VecDestroy(&U));
  PetscFunctionReturn(0);
}

/* From u at the start: psi, its slope, and ln <exp(s A)> of each cell in p->u. */
static PetscErrorCode gather(problem *p, Vec u, double *psi, double *slope)
{
  const double       T = p->span->end - p->span->start;
  const PetscScalar *x, *y, *mass;
  PetscScalar       *to, *energy;
  double             sum[2] = {0, 0};
  PetscReal          most;
  Vec                U;

  PetscFunctionBegin;
  PetscCall(energies(p, p->span->start, &U));
  PetscCall(VecGetArrayRead(u, &x));
  PetscCall(VecGetArray(p->u, &to));
  PetscCall(VecGetArray(U, &energy));
  for (PetscInt n = 0; n < fare_grid_owned(p->grid); n++) to[n] = log(x[n]) - p->s * energy[n];
  PetscCall(VecRestoreArray(p->u, &to));
  PetscCall(VecMax(p->u, NULL, &most));
  PetscCall(VecGetArray(p->u, &to));
  PetscCall(VecGetArrayRead(p->backward->tangent, &y));
  PetscCall(VecGetArrayRead(p->span->begin, &mass));
  for (PetscInt n = 0; n < fare_grid_owned(p->grid); n++) {
    const double weight = mass[n] * exp(to[n] - most);

    if (mass[n] > 0) sum[0] += weight;
    if (mass[n] > 0) sum[1] += weight * (y[n] / x[n] - energy[n]);
    to[n] = p->offset + (to[n] + p->grown) / T;
  }
  PetscCall(VecRestoreArrayRead(p->span->begin, &mass));
  PetscCall(VecRestoreArrayRead(p->backward->tangent, &y));
  PetscCall(VecRestoreArrayRead(u, &x));
  PetscCall(VecRestoreArray(p->u, &to));
  PetscCall(VecRestoreArray(U, &energy));
  PetscCall(VecDestroy(&U));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, p->grid->comm));
  *psi   = p->offset + (log(sum[0]) + most + p->grown) / T;
  *slope = sum[1] / (sum[0] * T);
  PetscFunctionReturn(0);
}

static PetscErrorCode find_for_a_while(problem *p, double *psi, double *slope)
{
  Vec u;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p->u, &u));
  PetscCall(fare_stepper_add_tangent(p->backward));
  PetscCall(begin_at_end(p, u));
  PetscCall(fare_timeline_run(p->back, p->level, p->backward, u, NULL, rescale, p));
  p->runs++;
  PetscCall(gather(p, u, psi, slope));
  PetscCall(fare_stepper_drop_tangent(p->backward));
  PetscCall(VecDestroy(&u));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_level(void *context, int level, double *difference, fare_driven *driven)
{
  problem     *p        = context;
  const double duration = p->span->end - p->span->start;
  double       psi, slope;

  PetscFunctionBegin;
  p->level           = level;
  p->backward->steps = 0;
  if (p->span->repeats)
    PetscCall(find_periodic(p, &psi, &slope));
  else
    PetscCall(find_for_a_while(p, &psi, &slope));
  if (!isfinite(psi) || !isfinite(slope))
    FARE_FAIL(FARE_ERR_FAILED, "tilted: psi is not a number at the tilt %g", p->s);
  *difference        = fabs(psi - p->tilted->psi) * duration;
  p->slope_change    = fabs(slope - p->tilted->slope);
  p->tilted->psi     = psi;
  p->tilted->slope   = slope;
  driven->steps      = p->backward->steps;
  driven->iterations = p->runs;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tilted_solve_driven(const fare_grid *grid, const fare_system *system,
  const fare_tilted_span *span, const fare_observable *observable, double s, fare_tilted *tilted,
  fare_driven *driven, double *slope_error)
{
  problem p = {.grid = grid, .system = system, .span = span, .observable = observable, .s = s};
  double  stop[STOPS];

  PetscFunctionBegin;
  *driven = (fare_driven){0};
  if (span->repeats) PetscCall(fare_slepc_begin());
  for (int i = 0; i < STOPS; i++) stop[i] = span->start + (span->end - span->start) * i / STOPS;
  PetscCall(fare_tilted_solve(grid, system, span->start, observable, s, tilted));
  p.offset = tilted->psi;
  p.tilted = tilted;
  p.u      = tilted->right;
  PetscCall(VecDuplicate(p.u, &p.left));
  PetscCall(VecSet(p.left, 1));
  PetscCall(create_stepper(&p, span->end, PETSC_FALSE, &p.backward));
  PetscCall(fare_timeline_create(
    system, span->end, span->start, STOPS, stop, span->repeats ? PETSC_FALSE : PETSC_TRUE, &p.back));
  if (span->repeats) PetscCall(create_stepper(&p, span->start, PETSC_TRUE, &p.forward));
  if (span->repeats)
    PetscCall(fare_timeline_create(system, span->start, span->end, 0, NULL, PETSC_FALSE, &p.forth));
  PetscCall(fare_levels_run(span->tolerance, solve_level, &p, "tilted backward equation", driven));
  tilted->width    = NAN;
  tilted->rounding = driven->error / (span->end - span->start);
  *slope_error     = p.slope_change;
  PetscCall(VecDestroy(&p.left));
  PetscCall(fare_timeline_destroy(&p.back));
  PetscCall(fare_timeline_destroy(&p.forth));
  PetscCall(fare_stepper_destroy(&p.backward));
  PetscCall(fare_stepper_destroy(&p.forward));
  PetscFunctionReturn(0);
}
