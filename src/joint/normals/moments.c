/* SPDX-License-Identifier: BSD-2-Clause */
/* The moment equations of a linear system in time. */
#include "affine.h"

#include <cblas.h>
#include <math.h>
#include <petscts.h>
#include <string.h>

#define AFTER   1e-12 /* relative: so long before a jump are parameters still the old ones */
#define LARGEST 1e100 /* of means and covariances: beyond, squares of them would soon overflow */

/* What the right-hand side sees. */
typedef struct {
  fare_linear_drift *drift;
  const fare_system *system;
  fare_normals      *normals;
  double             until; /* parameters are read no later than this */
} moments;

/* dS = A S + S A' + 2 D */
static void covariance_rate(const fare_linear_drift *drift, const double S[], double AS[], double dS[])
{
  const int dim = drift->dim;

  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, dim, dim, dim, 1, drift->A, dim, S, dim, 0, AS, dim);
  for (int row = 0; row < dim; row++) {
    for (int column = 0; column < dim; column++)
      dS[row * dim + column] = AS[row * dim + column] + AS[column * dim + row];
    dS[row * dim + row] += 2 * drift->D[row];
  }
}

static void mean_rate(const fare_linear_drift *drift, const double m[], double dm[])
{
  const int dim = drift->dim;

  for (int row = 0; row < dim; row++) {
    dm[row] = drift->b[row];
    for (int column = 0; column < dim; column++) dm[row] += drift->A[row * dim + column] * m[column];
  }
}

static PetscErrorCode rate(TS ts, PetscReal t, Vec state, Vec to, void *context)
{
  moments           *s   = context;
  const int          dim = s->drift->dim, step = dim + dim * dim;
  const PetscScalar *from;
  PetscScalar       *rates;
  double            *AS;
  PetscReal          largest;

  PetscFunctionBegin;
  (void)ts;
  PetscCall(VecNorm(state, NORM_INFINITY, &largest));
  if (!(largest < LARGEST))
    FARE_FAIL(FARE_ERR_INPUT,
      "truth: means or covariances exceed %g at time %g: the system is unstable; end the study earlier",
      LARGEST, t);
  PetscCall(fare_linear_drift_read(s->drift, s->system, PetscMin(t, s->until)));
  PetscCall(PetscMalloc1((size_t)(dim * dim), &AS));
  PetscCall(VecGetArrayRead(state, &from));
  PetscCall(VecGetArrayWrite(to, &rates));
  for (int c = 0; c < s->normals->components; c++) {
    mean_rate(s->drift, from + c * step, rates + c * step);
    covariance_rate(s->drift, from + c * step + dim, AS, rates + c * step + dim);
  }
  PetscCall(VecRestoreArrayWrite(to, &rates));
  PetscCall(VecRestoreArrayRead(state, &from));
  PetscCall(PetscFree(AS));
  PetscFunctionReturn(0);
}

/* Means and covariances to or from the state. */
static PetscErrorCode exchange(fare_normals *p, Vec state, PetscBool out)
{
  const int    dim = p->dim, size = dim * dim;
  PetscScalar *a;

  PetscFunctionBegin;
  PetscCall(VecGetArray(state, &a));
  for (int c = 0; c < p->components; c++) {
    PetscScalar *mean = a + c * (dim + size), *covariance = mean + dim;

    memcpy(out ? mean : p->mean + c * dim, out ? p->mean + c * dim : mean, (size_t)dim * sizeof *mean);
    memcpy(out ? covariance : p->covariance + c * size, out ? p->covariance + c * size : covariance,
      (size_t)size * sizeof *mean);
  }
  PetscCall(VecRestoreArray(state, &a));
  PetscFunctionReturn(0);
}

/* Numbers much smaller than the smallest variance do not decide on steps. */
static double smallest_variance(const fare_normals *p)
{
  double least = HUGE_VAL;

  for (int c = 0; c < p->components; c++) {
    for (int axis = 0; axis < p->dim; axis++)
      least = PetscMin(least, p->covariance[(c * p->dim + axis) * p->dim + axis]);
  }
  return least;
}

static PetscErrorCode create_stepper(moments *s, double tolerance, TS *ts)
{
  TSAdapt adapt;

  PetscFunctionBegin;
  PetscCall(TSCreate(PETSC_COMM_SELF, ts));
  PetscCall(TSSetType(*ts, TSRK));
  PetscCall(TSRKSetType(*ts, TSRK8VR));
  PetscCall(TSSetRHSFunction(*ts, NULL, rate, s));
  PetscCall(
    TSSetTolerances(*ts, tolerance * PetscMin(1, smallest_variance(s->normals)), NULL, tolerance, NULL));
  PetscCall(TSGetAdapt(*ts, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTBASIC));
  PetscCall(TSSetExactFinalTime(*ts, TS_EXACTFINALTIME_MATCHSTEP));
  PetscCall(TSSetMaxSteps(*ts, PETSC_MAX_INT));
  PetscCall(TSSetMaxStepRejections(*ts, 100));
  PetscCall(TSSetErrorIfStepFails(*ts, PETSC_FALSE));
  PetscFunctionReturn(0);
}

/* Over a stretch on which the drive is smooth. */
static PetscErrorCode advance_smoothly(moments *s, double from, double to, double tolerance)
{
  const double      longest = fare_system_longest_step(s->system, from), first = 1e-3;
  Vec               state;
  TS                ts;
  TSAdapt           adapt;
  TSConvergedReason reason;

  PetscFunctionBegin;
  s->until = to - AFTER * PetscMax(1, fabs(to));
  PetscCall(create_stepper(s, tolerance, &ts));
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, (PetscInt)(s->normals->means + s->normals->covariances), &state));
  PetscCall(exchange(s->normals, state, PETSC_TRUE));
  PetscCall(TSGetAdapt(ts, &adapt));
  if (isfinite(longest)) PetscCall(TSAdaptSetStepLimits(adapt, PETSC_DEFAULT, longest));
  PetscCall(TSSetTime(ts, from));
  PetscCall(TSSetTimeStep(ts, PetscMin(longest, first * (to - from))));
  PetscCall(TSSetMaxTime(ts, to));
  PetscCall(TSSolve(ts, state));
  PetscCall(TSGetConvergedReason(ts, &reason));
  PetscCall(exchange(s->normals, state, PETSC_FALSE));
  PetscCall(VecDestroy(&state));
  PetscCall(TSDestroy(&ts));
  if (reason != TS_CONVERGED_TIME)
    FARE_FAIL(FARE_ERR_FAILED, "truth: the moment equations could not be followed from time %g to %g (%s)",
      from, to, TSConvergedReasons[reason]);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_advance(fare_linear_drift *drift, const fare_system *system, double from,
  double to, double tolerance, fare_normals *normals)
{
  moments s = {.drift = drift, .system = system, .normals = normals};

  PetscFunctionBegin;
  while (from < to) {
    const double end = PetscMin(to, fare_system_next_corner(system, from));

    PetscCall(advance_smoothly(&s, from, end, tolerance));
    from = end;
  }
  PetscFunctionReturn(0);
}
