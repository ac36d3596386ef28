/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The evolution by PETSc's TS: where eigenvalues are complex, a fully implicit Runge-Kutta method of order 4
  (ARK4(3)6L[2]SA, Kennedy and Carpenter, Appl. Numer. Math. 44, 139 (2003)), L-stable, with five solves a
  step; and whatever an option asks for. It keeps the sum of P as L does.
*/
#include "truth/rates/operator.h"

#include <math.h>
#include <string.h>

/* F(t, P, Pdot) = Pdot - L(t) P */
static PetscErrorCode residual(TS ts, PetscReal t, Vec P, Vec Pdot, Vec F, void *context)
{
  fare_evolution *e = context;

  PetscFunctionBegin;
  (void)ts;
  PetscCall(fare_operator_apply(e->op, t, P, F));
  PetscCall(VecAYPX(F, -1, Pdot));
  PetscFunctionReturn(0);
}

static PetscErrorCode jacobian(
  TS ts, PetscReal t, Vec P, Vec Pdot, PetscReal shift, Mat A, Mat B, void *context)
{
  PetscFunctionBegin;
  (void)ts, (void)P, (void)Pdot, (void)A, (void)B;
  PetscCall(fare_truth_solver_prepare(context, t, shift));
  PetscFunctionReturn(0);
}

static PetscErrorCode after_step(TS ts)
{
  fare_evolution *e;
  PetscReal       t, end, smallest;
  PetscInt        now[3];

  PetscFunctionBegin;
  PetscCall(TSGetApplicationContext(ts, &e));
  PetscCall(TSGetTime(ts, &t));
  PetscCall(VecMin(e->masses, NULL, &smallest));
  e->largest_step = PetscMax(e->largest_step, t - e->before);
  e->before       = t;
  PetscCall(TSGetTimeStep(ts, &e->next_step));
  PetscCall(TSGetStepRejections(ts, &now[0]));
  PetscCall(TSGetSNESIterations(ts, &now[1]));
  PetscCall(TSGetKSPIterations(ts, &now[2]));
  e->steps++;
  e->rejected += now[0] - e->seen[0];
  e->solves += now[1] - e->seen[1];
  e->iterations += now[2] - e->seen[2];
  memcpy(e->seen, now, sizeof now);
  PetscCall(fare_evolution_stepped(e, t, e->masses, smallest));
  PetscCall(TSGetMaxTime(ts, &end));
  if (t < end) PetscCall(fare_evolution_pause(e, t));
  PetscFunctionReturn(0);
}

/*
  Where guess - x would be negative it is made zero, by way of x; returns the mass that this adds on all
  ranks.
*/
static PetscErrorCode hold_positive(Vec guess, Vec x, double *added)
{
  const PetscScalar *from;
  PetscScalar       *step;
  PetscInt           n;

  PetscFunctionBegin;
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
  What a solve leaves to be wished for, put right within it, so that the method never sees anything else; see
  evolution.c.
*/
static PetscErrorCode keep_density(KSP ksp, Vec b, Vec x, void *context)
{
  fare_evolution *e = context;
  PetscScalar     now, step, all;
  double          added = 0;
  SNES            snes;
  Vec             guess;
  PetscReal       t;

  PetscFunctionBegin;
  (void)ksp, (void)b;
  PetscCall(TSGetSNES(e->ts, &snes));
  PetscCall(SNESGetSolution(snes, &guess));
  if (!e->is_linear) {
    PetscCall(hold_positive(guess, x, &added));
    e->positivity_correction = PetscMax(e->positivity_correction, added);
  }
  if (e->absorbs) PetscFunctionReturn(0);
  PetscCall(VecSum(guess, &now));
  PetscCall(VecSum(x, &step));
  PetscCall(VecSum(e->masses, &all));
  PetscCall(TSGetTime(e->ts, &t));
  PetscCall(fare_evolution_check_mass(e, t, now - step - added));
  PetscCall(VecAXPY(x, (now - 1 - step) / all, e->masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ts_create(fare_evolution *e, double start)
{
  PetscInt  size;
  PetscBool step_given;
  TSAdapt   adapt;
  SNES      snes;
  KSP       ksp;

  PetscFunctionBegin;
  PetscCall(TSCreate(e->grid->comm, &e->ts));
  PetscCall(TSSetOptionsPrefix(e->ts, "truth_"));
  PetscCall(TSSetProblemType(e->ts, TS_LINEAR));
  PetscCall(TSSetApplicationContext(e->ts, e));
  PetscCall(TSSetIFunction(e->ts, NULL, residual, e));
  PetscCall(TSSetIJacobian(e->ts, e->A, e->A, jacobian, e));
  PetscCall(TSSetType(e->ts, TSARKIMEX));
  PetscCall(TSARKIMEXSetType(e->ts, TSARKIMEX4));
  PetscCall(TSARKIMEXSetFullyImplicit(e->ts, PETSC_TRUE));
  /*
    the weighted root mean square of a step's error below one bounds its L1 norm by the tolerance (Cauchy and
    Schwarz)
  */
  PetscCall(VecGetSize(e->masses, &size));
  PetscCall(TSSetTolerances(e->ts, e->tolerance / (double)size, NULL, 0, NULL));
  PetscCall(TSGetAdapt(e->ts, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTBASIC));
  PetscCall(TSSetExactFinalTime(e->ts, TS_EXACTFINALTIME_MATCHSTEP));
  PetscCall(TSSetMaxSteps(e->ts, PETSC_MAX_INT));
  PetscCall(TSSetMaxStepRejections(e->ts, 50));
  PetscCall(TSSetErrorIfStepFails(e->ts, PETSC_FALSE));
  PetscCall(TSSetTime(e->ts, start));
  PetscCall(TSSetSolution(e->ts, e->masses));
  PetscCall(TSSetPostStep(e->ts, after_step));
  PetscCall(TSGetSNES(e->ts, &snes));
  PetscCall(SNESSetType(snes, SNESKSPONLY));
  PetscCall(SNESGetKSP(snes, &ksp));
  PetscCall(fare_truth_solver_configure(e, ksp));
  PetscCall(KSPSetPostSolve(ksp, keep_density, e));
  PetscCall(TSSetFromOptions(e->ts));
  PetscCall(PetscOptionsHasName(NULL, "truth_", "-ts_dt", &step_given));
  if (step_given) PetscCall(TSGetTimeStep(e->ts, &e->largest_step));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ts_restart(fare_evolution *e, double t)
{
  PetscFunctionBegin;
  PetscCall(TSSetTime(e->ts, t));
  PetscCall(TSRestartStep(e->ts));
  e->largest_step = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_ts_advance(fare_evolution *e, double t, double longest)
{
  /* of the interval: the very first step, from which the error control goes on */
  const double      interval = t - e->before, first = 1e-3;
  TSConvergedReason reason;
  TSAdapt           adapt;
  PetscReal         reached, step;

  PetscFunctionBegin;
  PetscCall(TSGetAdapt(e->ts, &adapt));
  PetscCall(TSAdaptSetStepLimits(adapt, PETSC_DEFAULT, longest));
  if (e->next_step > 0) {
    PetscCall(TSSetTimeStep(e->ts, e->next_step));
  } else {
    PetscCall(TSSetTimeStep(e->ts,
      PetscMin(longest, PetscMin(interval, e->largest_step > 0 ? e->largest_step : first * interval))));
    e->largest_step = 0;
  }
  PetscCall(TSSetMaxTime(e->ts, t));
  PetscCall(TSSolve(e->ts, NULL));
  PetscCall(TSGetConvergedReason(e->ts, &reason));
  if (reason != TS_CONVERGED_TIME) {
    PetscCall(TSGetTime(e->ts, &reached));
    PetscCall(TSGetTimeStep(e->ts, &step));
    FARE_FAIL(FARE_ERR_FAILED,
      "truth: the time stepping gave up at time %g with step %g (%s); smallest density so far %g, mass off "
      "by %g",
      (double)reached, (double)step, TSConvergedReasons[reason], e->minimum, e->mass_drift);
  }
  PetscCall(TSSetTime(e->ts, t)); /* to the last bit */
  PetscFunctionReturn(0);
}
