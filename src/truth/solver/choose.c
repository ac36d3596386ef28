/* SPDX-License-Identifier: BSD-2-Clause */
/* Which solver suits a matrix of the grid's sparsity. */
#include <fare/operator.h>

/* Factors of so many cells in three dimensions take seconds; beyond, multigrid. */
#define FACTORED_3D 50000

static PetscErrorCode choose_factors(const fare_grid *grid, int ranks, PC pc)
{
  PetscFunctionBegin;
  if (ranks == 1 && grid->dim == 1) {
    PetscCall(PCSetType(pc, PCLU));
    PetscFunctionReturn(0);
  }
#if defined(PETSC_HAVE_MUMPS)
  PetscCall(PCSetType(pc, PCLU));
  PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERMUMPS));
#else
  PetscCall(PCSetType(pc, ranks == 1 ? PCLU : PCREDUNDANT));
#endif
  PetscFunctionReturn(0);
}

static PetscErrorCode choose_multigrid(int ranks, PC pc)
{
  PetscFunctionBegin;
#if defined(PETSC_HAVE_HYPRE)
  (void)ranks;
  PetscCall(PCSetType(pc, PCHYPRE));
  PetscCall(PCHYPRESetType(pc, "boomeramg"));
#else
  PetscCall(PCSetType(pc, ranks == 1 ? PCILU : PCBJACOBI));
#endif
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_solver_choose(const fare_grid *grid, KSP ksp)
{
  const double cells = (double)grid->cells[0] * (double)grid->cells[1] * (double)grid->cells[2];
  PetscMPIInt  ranks;
  PC           pc;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(grid->comm, &ranks));
  PetscCall(KSPSetType(ksp, KSPGMRES));
  PetscCall(KSPGMRESSetRestart(ksp, 100));
  PetscCall(KSPSetPCSide(ksp, PC_RIGHT));
  PetscCall(KSPGetPC(ksp, &pc));
  if (grid->dim < 3 || cells <= FACTORED_3D)
    PetscCall(choose_factors(grid, ranks, pc));
  else
    PetscCall(choose_multigrid(ranks, pc));
  PetscFunctionReturn(0);
}
