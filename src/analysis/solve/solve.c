/*
  Linear problems of generators: which solver, and iterative refinement with residuals in the form of flows,
  which round least.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>

/* Factors of so many cells in three dimensions take seconds; beyond, multigrid. */
#define FACTORED_3D 50000

static PetscErrorCode choose_factors(const fare_grid *grid, int ranks, PC pc)
{
  PetscFunctionBeginUser;
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
  PetscFunctionBeginUser;
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

  PetscFunctionBeginUser;
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

PetscErrorCode fare_linear_solver_create(const fare_grid *grid, Mat A, Mat P, KSP *ksp)
{
  PetscFunctionBeginUser;
  PetscCall(KSPCreate(grid->comm, ksp));
  PetscCall(KSPSetOperators(*ksp, A, P));
  PetscCall(fare_linear_solver_choose(grid, *ksp));
  PetscCall(KSPSetTolerances(*ksp, 1e-8, 1e-300, PETSC_DEFAULT, 300));
  PetscCall(KSPSetOptionsPrefix(*ksp, "analysis_"));
  PetscCall(KSPSetFromOptions(*ksp));
  PetscFunctionReturn(0);
}

static PetscErrorCode relative_residual(
  fare_residual_function residual, void *context, Vec x, Vec r, double *relative)
{
  PetscReal norm;
  double    scale;

  PetscFunctionBeginUser;
  PetscCall(residual(context, x, r, &scale));
  PetscCall(VecNorm(r, NORM_1, &norm));
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

  PetscFunctionBeginUser;
  PetscCall(VecDuplicate(x, &r));
  PetscCall(VecDuplicate(x, &step));
  PetscCall(VecDuplicate(x, &best));
  solved->iterations = 1;
  PetscCall(relative_residual(residual, context, x, r, &solved->residual));
  PetscCall(VecCopy(x, best));
  for (int round = 0; round < ROUNDS && solved->residual > enough; round++) {
    PetscCall(KSPSolve(ksp, r, step));
    PetscCall(KSPGetIterationNumber(ksp, &spent));
    PetscCall(VecAXPY(x, 1, step));
    PetscCall(relative_residual(residual, context, x, r, &relative));
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

PetscErrorCode fare_ghosts_of(const fare_grid *grid, fare_ghosts *g)
{
  PetscFunctionBeginUser;
  PetscCall(DMDAGetGhostCorners(
    grid->dm, &g->start[0], &g->start[1], &g->start[2], &g->count[0], &g->count[1], &g->count[2]));
  for (int axis = grid->dim; axis < FARE_DIM_MAX; axis++) {
    g->start[axis] = 0;
    g->count[axis] = 1;
  }
  g->stride[0] = 1;
  g->stride[1] = g->count[0];
  g->stride[2] = g->count[0] * g->count[1];
  PetscFunctionReturn(0);
}

void fare_cell_index(const fare_grid *grid, PetscInt n, PetscInt index[])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    index[axis] = grid->start[axis] + n % grid->count[axis];
    n /= grid->count[axis];
  }
}
