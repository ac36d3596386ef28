/*
  dP/dt = L(t) P on one grid, by PETSc's TS with error control. Where the force is a gradient the spectrum of L is real and backward differentiation of
  order 5 is stable: one solve a step. Otherwise eigenvalues are complex, and a fully implicit Runge-Kutta method of order 4 is used (ARK4(3)6L[2]SA,
  Kennedy and Carpenter, Appl. Numer. Math. 44, 139 (2003)), L-stable, with five solves a step. Both keep the sum of P as L does.
*/
#include "lines.h"
#include "truth.h"

#include <petscdmda.h>

#include <math.h>

/* F(t, P, Pdot) = Pdot - L(t) P */
static PetscErrorCode residual(TS ts, PetscReal t, Vec P, Vec Pdot, Vec F, void *context)
{
  fare_evolution *e = context;

  PetscFunctionBeginUser;
  (void)ts;
  PetscCall(fare_operator_apply(e->op, t, P, F));
  PetscCall(VecAYPX(F, -1, Pdot));
  PetscFunctionReturn(0);
}

/* The preconditioner by lines is ours to renew; any other that was chosen by an option is PETSc's. */
static PetscErrorCode refactor_lines(TS ts, double shift)
{
  SNES      snes;
  KSP       ksp;
  PC        pc;
  PetscBool ours;

  PetscFunctionBeginUser;
  PetscCall(TSGetSNES(ts, &snes));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  PetscCall(PetscObjectTypeCompare((PetscObject)pc, PCSHELL, &ours));
  if (ours) PetscCall(fare_lines_factor(pc, shift));
  PetscFunctionReturn(0);
}

static PetscErrorCode jacobian(TS ts, PetscReal t, Vec P, Vec Pdot, PetscReal shift, Mat A, Mat B, void *context)
{
  fare_evolution *e = context;

  PetscFunctionBeginUser;
  (void)P, (void)Pdot, (void)A;
  PetscCall(fare_operator_assemble(e->op, t, shift, B));
  PetscCall(refactor_lines(ts, shift));
  PetscFunctionReturn(0);
}

static PetscErrorCode watch(fare_evolution *e)
{
  PetscScalar sum;
  PetscReal   smallest;

  PetscFunctionBeginUser;
  PetscCall(VecSum(e->masses, &sum));
  PetscCall(VecMin(e->masses, NULL, &smallest));
  e->mass_drift = PetscMax(e->mass_drift, e->absorbs ? sum - 1 : fabs(sum - 1));
  e->minimum    = PetscMin(e->minimum, smallest / fare_grid_volume(e->grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode after_step(TS ts)
{
  fare_evolution *e;
  PetscReal       t;

  PetscFunctionBeginUser;
  PetscCall(TSGetApplicationContext(ts, &e));
  PetscCall(TSGetTime(ts, &t));
  e->largest_step = PetscMax(e->largest_step, t - e->before);
  e->before       = t;
  if (e->residual) PetscCall(fare_residual_step(e->residual, e->op, t, e->masses, &e->time_bound));
  PetscCall(watch(e));
  PetscFunctionReturn(0);
}

/* Where guess - x would be negative it is made zero, by way of x; returns the mass that this adds on all ranks. */
static PetscErrorCode hold_positive(Vec guess, Vec x, double *added)
{
  const PetscScalar *from;
  PetscScalar       *step;
  PetscInt           n;

  PetscFunctionBeginUser;
  *added = 0;
  PetscCall(VecGetLocalSize(x, &n));
  PetscCall(VecGetArrayRead(guess, &from));
  PetscCall(VecGetArray(x, &step));
  for (PetscInt i = 0; i < n; i++) {
    if (!(step[i] > from[i])) continue;
    *added += step[i] - from[i];
    step[i] = from[i];
  }
  PetscCall(VecRestoreArray(x, &step));
  PetscCall(VecRestoreArrayRead(guess, &from));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, added, 1, MPI_DOUBLE, MPI_SUM, PetscObjectComm((PetscObject)x)));
  PetscFunctionReturn(0);
}

/*
  What a solve leaves to be wished for, put right within it, so that the method never sees anything else. A density is not negative, but no method beyond order one
  keeps it so: what dips below zero is lifted to it, which costs twice the mass that was missing in L1 and is kept account of. And every stage has the sum of P that P
  had before, because the columns of L sum to zero; but an iterative solve leaves a residual, and the coefficients of a method of many steps lose
  digits where steps are very unequal. What is missing is added in proportion to the masses.
*/
static PetscErrorCode keep_density(KSP ksp, Vec b, Vec x, void *context)
{
  fare_evolution *e = context;
  PetscScalar     now, step, all;
  double          added;
  SNES            snes;
  Vec             guess;

  PetscFunctionBeginUser;
  (void)ksp, (void)b;
  PetscCall(TSGetSNES(e->ts, &snes));
  PetscCall(SNESGetSolution(snes, &guess));
  if (!e->is_linear) {
    PetscCall(hold_positive(guess, x, &added));
    e->lifted = PetscMax(e->lifted, added);
  }
  if (e->absorbs) PetscFunctionReturn(0);
  PetscCall(VecSum(guess, &now));
  PetscCall(VecSum(x, &step));
  PetscCall(VecSum(e->masses, &all));
  PetscCall(VecAXPY(x, (now - 1 - step) / all, e->masses));
  PetscFunctionReturn(0);
}

/* An option that holds unless the user gave it: some things of PETSc can be had by options alone before they are set up. */
static PetscErrorCode set_default(const char *option, const char *value)
{
  PetscBool given;

  PetscFunctionBeginUser;
  PetscCall(PetscOptionsHasName(NULL, NULL, option, &given));
  if (!given) PetscCall(PetscOptionsSetValue(NULL, option, value));
  PetscFunctionReturn(0);
}

/*
  One axis: a direct solve on each rank's part, which GMRES joins in about two iterations per boundary between ranks. More axes: BiCGStab with
  line solves along each axis in turn. Because the inverse of A never expands the L1 norm (times shift), a residual of L1 norm r adds at most r to the error: it is kept far below the
  tolerance of a step.
*/
static PetscErrorCode choose_solver(fare_evolution *e, double tolerance)
{
  const double     share = 1e-5; /* of the tolerance */
  const fare_grid *grid = e->grid;
  PetscMPIInt      ranks;
  PetscInt         size;
  SNES             snes;
  KSP              ksp;
  PC               pc;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  PetscCall(TSGetSNES(e->ts, &snes));
  PetscCall(SNESSetType(snes, SNESKSPONLY));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(KSPGetPC(ksp, &pc));
  if (grid->dim == 1 && ranks == 1) {
    PetscCall(KSPSetType(ksp, KSPPREONLY));
    PetscCall(PCSetType(pc, PCLU));
  } else if (grid->dim == 1) {
    PetscCall(KSPSetType(ksp, KSPGMRES));
    PetscCall(KSPSetPCSide(ksp, PC_RIGHT));
    PetscCall(PCSetType(pc, PCBJACOBI));
    PetscCall(set_default("-truth_sub_pc_type", "lu"));
  } else {
    PetscCall(KSPSetType(ksp, KSPBCGS));
    PetscCall(fare_lines_create(e->op, pc));
  }
  PetscCall(VecGetSize(e->masses, &size));
  PetscCall(KSPSetTolerances(ksp, 1e-14, share * tolerance / sqrt((double)size), PETSC_DEFAULT, 500));
  PetscCall(KSPSetPostSolve(ksp, keep_density, e));
  PetscFunctionReturn(0);
}

static PetscErrorCode choose_method(fare_evolution *e)
{
  PetscFunctionBeginUser;
  if (fare_operator_is_gradient(e->op)) {
    PetscCall(TSSetType(e->ts, TSBDF));
    PetscCall(TSBDFSetOrder(e->ts, 5));
  } else {
    PetscCall(TSSetType(e->ts, TSARKIMEX));
    PetscCall(TSARKIMEXSetType(e->ts, TSARKIMEX4));
    PetscCall(TSARKIMEXSetFullyImplicit(e->ts, PETSC_TRUE));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode create_stepper(fare_evolution *e, double start, double tolerance)
{
  PetscInt  size;
  PetscBool step_given;
  TSAdapt   adapt;

  PetscFunctionBeginUser;
  PetscCall(TSCreate(e->grid->comm, &e->ts));
  PetscCall(TSSetOptionsPrefix(e->ts, "truth_"));
  PetscCall(TSSetProblemType(e->ts, TS_LINEAR));
  PetscCall(TSSetApplicationContext(e->ts, e));
  PetscCall(TSSetIFunction(e->ts, NULL, residual, e));
  PetscCall(TSSetIJacobian(e->ts, e->A, e->A, jacobian, e));
  PetscCall(choose_method(e));
  /* the weighted root mean square of a step's error below one bounds its L1 norm by `tolerance` (Cauchy and Schwarz) */
  PetscCall(VecGetSize(e->masses, &size));
  PetscCall(TSSetTolerances(e->ts, tolerance / (double)size, NULL, 0, NULL));
  PetscCall(TSGetAdapt(e->ts, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTBASIC));
  PetscCall(TSSetExactFinalTime(e->ts, TS_EXACTFINALTIME_MATCHSTEP));
  PetscCall(TSSetMaxSteps(e->ts, PETSC_MAX_INT));
  PetscCall(TSSetMaxStepRejections(e->ts, 50));
  PetscCall(TSSetErrorIfStepFails(e->ts, PETSC_FALSE));
  PetscCall(TSSetTime(e->ts, start));
  PetscCall(TSSetSolution(e->ts, e->masses));
  PetscCall(TSSetPostStep(e->ts, after_step));
  PetscCall(choose_solver(e, tolerance));
  PetscCall(TSSetFromOptions(e->ts));
  PetscCall(PetscOptionsHasName(NULL, "truth_", "-ts_dt", &step_given));
  if (step_given) PetscCall(TSGetTimeStep(e->ts, &e->largest_step));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_create(const fare_grid *grid, const fare_system *system, double start, double tolerance, PetscBool bound, Vec masses, fare_evolution **evolution)
{
  fare_evolution *e;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&e));
  *evolution = e;
  e->grid    = grid;
  e->system  = system;
  e->masses  = masses;
  e->before  = start;
  e->minimum = HUGE_VAL;
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->end[axis] >= FARE_END_ABSORBING) e->absorbs = PETSC_TRUE;
  }
  PetscCall(fare_operator_create(grid, system, &e->op));
  PetscCall(fare_operator_matrix(e->op, &e->A));
  PetscCall(create_stepper(e, start, tolerance));
  if (bound) PetscCall(fare_residual_create(start, masses, &e->residual));
  PetscCall(watch(e));
  PetscFunctionReturn(0);
}

static PetscErrorCode advance_smoothly(fare_evolution *e, double t)
{
  const double      interval = t - e->before, first = 1e-3; /* of the interval: the very first step, from which the error control goes on */
  TSConvergedReason reason;
  PetscReal         reached, step;

  PetscFunctionBeginUser;
  if (!(interval > 0)) PetscFunctionReturn(0);
  PetscCall(TSSetTimeStep(e->ts, PetscMin(interval, e->largest_step > 0 ? e->largest_step : first * interval)));
  e->largest_step = 0;
  PetscCall(TSSetMaxTime(e->ts, t));
  PetscCall(TSSolve(e->ts, NULL));
  PetscCall(TSGetConvergedReason(e->ts, &reason));
  if (reason <= 0) {
    PetscCall(TSGetTime(e->ts, &reached));
    PetscCall(TSGetTimeStep(e->ts, &step));
    FARE_FAIL(FARE_ERR_FAILED, "truth: the time stepping gave up at time %g with step %g (%s); smallest density so far %g, mass off by %g", (double)reached, (double)step, TSConvergedReasons[reason], e->minimum, e->mass_drift);
  }
  PetscCall(TSSetTime(e->ts, t)); /* to the last bit */
  e->before = t;
  PetscFunctionReturn(0);
}

/*
  Where a parameter jumps the method ends a step just before, with the parameter's old value, and begins anew, so that no step lies across: a jump on a snapshot
  is not yet felt there.
*/
PetscErrorCode fare_evolution_advance(fare_evolution *e, double t)
{
  PetscFunctionBeginUser;
  for (double jump = fare_system_next_jump(e->system, e->before); jump <= t; jump = fare_system_next_jump(e->system, jump)) {
    PetscCall(advance_smoothly(e, jump - 1e-12 * PetscMax(1, fabs(jump))));
    PetscCall(TSSetTime(e->ts, jump));
    PetscCall(TSRestartStep(e->ts));
    e->before       = jump;
    e->largest_step = 0;
    if (e->residual) PetscCall(fare_residual_restart(e->residual, jump, e->masses));
  }
  PetscCall(advance_smoothly(e, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_absorbed(fare_evolution *e, double *survival, double *flux)
{
  PetscScalar sum;
  Vec         rate;

  PetscFunctionBeginUser;
  *survival = 1;
  *flux     = 0;
  if (!e->absorbs) PetscFunctionReturn(0);
  PetscCall(VecSum(e->masses, survival));
  PetscCall(VecDuplicate(e->masses, &rate));
  PetscCall(fare_operator_apply(e->op, e->before, e->masses, rate));
  PetscCall(VecSum(rate, &sum)); /* what flows between cells cancels */
  PetscCall(VecDestroy(&rate));
  *flux = -sum;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_destroy(fare_evolution **evolution)
{
  fare_evolution *e = *evolution;

  PetscFunctionBeginUser;
  if (!e) PetscFunctionReturn(0);
  PetscCall(fare_residual_destroy(&e->residual));
  PetscCall(TSDestroy(&e->ts));
  PetscCall(MatDestroy(&e->A));
  PetscCall(VecDestroy(&e->masses));
  PetscCall(fare_operator_destroy(&e->op));
  PetscCall(PetscFree(*evolution));
  PetscFunctionReturn(0);
}
