/* SPDX-License-Identifier: BSD-2-Clause */
/* The equations of single steps of an adjoint, and their solver. */
#include "adjoint.h"

#include <math.h>

#define AHEAD 2.41421356237309505 /* 1 + sqrt 2 */
#define BACK  1.41421356237309505 /* sqrt 2 */
#define FEW   8                   /* iterations, after which factors of an earlier step no longer serve */

/*
  As the steppers of other analyses: each rank has the factors of its own part, and factors are used again as
  long as they serve.
*/
static PetscErrorCode choose_factors(const fare_adjoint *s, PetscBool parts)
{
  PetscInt count;
  KSP     *part;
  PC       pc;

  PetscFunctionBegin;
  PetscCall(KSPGetPC(s->ksp, &pc));
  PetscCall(PCSetType(pc, parts ? PCBJACOBI : PCLU));
  if (!parts) {
    PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERPETSC));
    if (s->grid->dim == 1) PetscCall(KSPSetType(s->ksp, KSPPREONLY));
    PetscFunctionReturn(0);
  }
  PetscCall(KSPSetUp(s->ksp));
  PetscCall(PCBJacobiGetSubKSP(pc, &count, NULL, &part));
  for (PetscInt i = 0; i < count; i++) {
    PetscCall(KSPGetPC(part[i], &pc));
    PetscCall(PCSetType(pc, PCLU));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_adjoint_solver(fare_adjoint *s)
{
  PetscMPIInt ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->grid->comm, &ranks));
  PetscCall(fare_absorbing_matrix(s->place.absorbing, &s->A));
  PetscCall(KSPCreate(s->grid->comm, &s->ksp));
  PetscCall(KSPSetOperators(s->ksp, s->A, s->A));
  PetscCall(fare_linear_solver_choose(s->grid, s->ksp));
  if (s->grid->dim < 3) PetscCall(choose_factors(s, ranks > 1 ? PETSC_TRUE : PETSC_FALSE));
  PetscCall(KSPSetTolerances(s->ksp, 1e-12, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOptionsPrefix(s->ksp, "adjoint_"));
  PetscCall(KSPSetFromOptions(s->ksp));
  s->lags = s->grid->dim > 1 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

const double *fare_adjoint_values(const fare_adjoint *s, PetscInt place)
{
  return s->value + place * s->protocol->parameters;
}

double fare_adjoint_width(const fare_adjoint *s, PetscInt step)
{
  return FARE_ADJOINT_STAGE * (s->protocol->time[step + 1] - s->protocol->time[step]);
}

/* The chain at a place, and A of a width. */
PetscErrorCode fare_adjoint_move(fare_adjoint *s, PetscInt place, double width)
{
  PetscFunctionBegin;
  PetscCall(fare_place_set(&s->place, fare_adjoint_values(s, place)));
  PetscCall(fare_absorbing_move(s->place.absorbing, 0));
  PetscCall(fare_absorbing_fill(s->place.absorbing, 1, width, s->A));
  PetscFunctionReturn(0);
}

/* A x = b, or A^T x = b: A is of the backward equation. x is a guess where factors are old. */
static PetscErrorCode solve(fare_adjoint *s, PetscBool transposed, double width, Vec b, Vec x)
{
  const PetscBool    kept = s->lags && s->factored > 0.5 * width && s->factored < 2 * width && s->spent <= FEW
       ? PETSC_TRUE
       : PETSC_FALSE;
  KSPConvergedReason reason;

  PetscFunctionBegin;
  for (int fresh = !kept; fresh < 2; fresh++) {
    PetscCall(KSPSetReusePreconditioner(s->ksp, fresh ? PETSC_FALSE : PETSC_TRUE));
    PetscCall(transposed ? KSPSolveTranspose(s->ksp, b, x) : KSPSolve(s->ksp, b, x));
    if (fresh) s->factored = width;
    PetscCall(KSPGetConvergedReason(s->ksp, &reason));
    PetscCall(KSPGetIterationNumber(s->ksp, &s->spent));
    if (reason > 0) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "adjoint: the solver of a step of width %g gave up (%s)", width,
    KSPConvergedReasons[reason]);
}

/* x = A^-1 x of the backward equation, whose values in targets stay. */
PetscErrorCode fare_adjoint_solve_backward(fare_adjoint *s, double width, Vec x)
{
  double scale;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_residual(s->place.absorbing, 0, x, s->r, &scale));
  PetscCall(VecScale(s->r, width));
  PetscCall(VecNorm(s->r, NORM_INFINITY, &scale));
  if (scale == 0) PetscFunctionReturn(0);
  PetscCall(solve(s, PETSC_FALSE, width, s->r, s->r));
  PetscCall(VecAXPY(x, 1, s->r));
  PetscFunctionReturn(0);
}

/* One step forward: from P to Y and next. */
PetscErrorCode fare_adjoint_step_forward(fare_adjoint *s, PetscInt step, Vec P, Vec Y, Vec next)
{
  const double width = fare_adjoint_width(s, step);

  PetscFunctionBegin;
  PetscCall(fare_adjoint_move(s, 3 * step + 2, width));
  PetscCall(solve(s, PETSC_TRUE, width, P, Y));
  PetscCall(VecCopy(Y, s->r));
  PetscCall(VecAXPBY(s->r, -BACK, AHEAD, P));
  PetscCall(fare_adjoint_move(s, 3 * step + 3, width));
  PetscCall(solve(s, PETSC_TRUE, width, s->r, next));
  PetscFunctionReturn(0);
}
