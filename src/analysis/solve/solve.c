/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Linear problems of generators: which solver, and iterative refinement with residuals in the form of flows,
  which round least.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>
#include <slepcsys.h>

#include <math.h>

PetscErrorCode fare_linear_solver_create(const fare_grid *grid, Mat A, Mat P, KSP *ksp)
{
  PetscFunctionBegin;
  PetscCall(KSPCreate(grid->comm, ksp));
  PetscCall(KSPSetOperators(*ksp, A, P));
  PetscCall(fare_linear_solver_choose(grid, *ksp));
  PetscCall(KSPSetTolerances(*ksp, 1e-8, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOptionsPrefix(*ksp, "analysis_"));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_solver_create_map(
  Vec like, fare_map_function map, void *context, const char *prefix, KSP *ksp)
{
  const MPI_Comm comm = PetscObjectComm((PetscObject)like);
  PetscInt       owned;
  Mat            shell;
  PC             pc;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(like, &owned));
  PetscCall(MatCreateShell(comm, owned, owned, PETSC_DETERMINE, PETSC_DETERMINE, context, &shell));
  PetscCall(MatShellSetOperation(shell, MATOP_MULT, (void (*)(void))map));
  PetscCall(KSPCreate(comm, ksp));
  PetscCall(KSPSetOperators(*ksp, shell, shell));
  PetscCall(KSPSetType(*ksp, KSPGMRES));
  PetscCall(KSPGMRESSetRestart(*ksp, 50));
  PetscCall(KSPGetPC(*ksp, &pc));
  PetscCall(PCSetType(pc, PCNONE));
  PetscCall(KSPSetTolerances(*ksp, 1e-4, 1e-300, PETSC_DEFAULT, 200));
  PetscCall(KSPSetOptionsPrefix(*ksp, prefix));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscCall(MatDestroy(&shell));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_slepc_begin(void)
{
  PetscBool begun;

  PetscFunctionBegin;
  PetscCall(SlepcInitialized(&begun));
  if (begun) PetscFunctionReturn(0);
  PetscCall(SlepcInitializeNoArguments());
  PetscCall(PetscRegisterFinalize(SlepcFinalize));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_solver_residual(
  fare_residual_function residual, void *context, Vec x, Vec r, double *relative)
{
  PetscReal norm;
  double    scale;

  PetscFunctionBegin;
  PetscCall(residual(context, x, r, &scale));
  PetscCall(fare_norm_1(r, &norm));
  *relative = norm > 0 ? (scale > 0 ? norm / scale : HUGE_VAL) : 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_solver_refine(KSP ksp, fare_residual_function residual, void *context,
  double enough, double most, const char *what, Vec x, fare_solved *solved)
{
  enum { ROUNDS = 40 };
  Vec      r, step, best;
  double   relative;
  PetscInt spent;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(x, &r));
  PetscCall(VecDuplicate(x, &step));
  PetscCall(VecDuplicate(x, &best));
  solved->iterations = 1;
  PetscCall(fare_linear_solver_residual(residual, context, x, r, &solved->residual));
  PetscCall(VecCopy(x, best));
  for (int round = 0; round < ROUNDS && solved->residual > enough; round++) {
    PetscCall(KSPSolve(ksp, r, step));
    PetscCall(KSPGetIterationNumber(ksp, &spent));
    PetscCall(VecAXPY(x, 1, step));
    PetscCall(fare_linear_solver_residual(residual, context, x, r, &relative));
    solved->iterations += spent + 1;
    if (!(relative < solved->residual)) break; /* false, too, where it is no number */
    PetscCall(VecCopy(x, best));
    const PetscBool slow = relative > 0.5 * solved->residual ? PETSC_TRUE : PETSC_FALSE;

    solved->residual = relative;
    if (slow && relative < most) break;
  }
  PetscCall(VecCopy(best, x));
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&step));
  PetscCall(VecDestroy(&best));
  if (!(solved->residual <= most))
    FARE_FAIL(FARE_ERR_FAILED, "%s: not solved, its residual stays at %g (at most %g is expected)", what,
      solved->residual, most);
  PetscFunctionReturn(0);
}
