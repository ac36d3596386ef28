/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Solves with A = shift - L. One axis: a direct solve; with several ranks, of each rank's part, which GMRES
  joins in about two iterations per boundary between ranks. More axes: flexible GMRES, preconditioned by
  cycles of multigrid. Only where ranks share an axis, or where an option chooses a preconditioner of PETSc's,
  is A assembled.
*/
#include "line.h"
#include "multigrid.h"
#include "truth/rates/operator.h"

#include <math.h>

/*
  An option that holds unless the user gave it: some things of PETSc can be had by options alone before they
  are set up.
*/
static PetscErrorCode set_default(const char *option, const char *value)
{
  PetscBool given;

  PetscFunctionBegin;
  PetscCall(PetscOptionsHasName(NULL, NULL, option, &given));
  if (!given) PetscCall(PetscOptionsSetValue(NULL, option, value));
  PetscFunctionReturn(0);
}

static PetscErrorCode multiply(Mat A, Vec from, Vec to)
{
  fare_evolution    *e;
  const PetscScalar *x;
  PetscScalar       *y;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(A, &e));
  PetscCall(VecGetArrayRead(from, &x));
  PetscCall(VecGetArrayWrite(to, &y));
  PetscCall(fare_patch_exchange(e->op->patch, x));
  fare_patch_apply(e->op->patch, e->op->up, e->op->down, -1, e->shift, x, y);
  PetscCall(VecRestoreArrayWrite(to, &y));
  PetscCall(VecRestoreArrayRead(from, &x));
  PetscFunctionReturn(0);
}

static PetscErrorCode precondition(PC pc, Vec from, Vec to)
{
  fare_evolution    *e;
  const PetscScalar *r;
  PetscScalar       *z;

  PetscFunctionBegin;
  PetscCall(PCShellGetContext(pc, &e));
  PetscCall(VecGetArrayRead(from, &r));
  PetscCall(VecGetArrayWrite(to, &z));
  PetscCall(fare_multigrid_cycle(e->multigrid, r, z));
  PetscCall(VecRestoreArrayWrite(to, &z));
  PetscCall(VecRestoreArrayRead(from, &r));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_line(PC pc, Vec from, Vec to)
{
  fare_evolution    *e;
  const PetscScalar *b;
  PetscScalar       *x;

  PetscFunctionBegin;
  PetscCall(PCShellGetContext(pc, &e));
  PetscCall(VecGetArrayRead(from, &b));
  PetscCall(VecGetArrayWrite(to, &x));
  fare_line_solve(e->op->owned, e->grid->boundary[0] == FARE_BOUNDARY_PERIODIC,
    e->op->up[0] + e->op->patch->first, e->op->down[0] + e->op->patch->first, e->shift, b, x, e->line);
  PetscCall(VecRestoreArrayWrite(to, &x));
  PetscCall(VecRestoreArrayRead(from, &b));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_solver_create_matrix(fare_evolution *e, double start)
{
  PetscMPIInt ranks;
  PetscBool   chosen;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(e->grid->comm, &ranks));
  PetscCall(PetscOptionsHasName(NULL, "truth_", "-pc_type", &chosen));
  if (chosen || (e->grid->dim == 1 && ranks > 1)) {
    PetscCall(fare_operator_matrix(e->op, &e->A));
    PetscFunctionReturn(0);
  }
  PetscCall(
    MatCreateShell(e->grid->comm, e->op->owned, e->op->owned, PETSC_DETERMINE, PETSC_DETERMINE, e, &e->A));
  PetscCall(MatShellSetOperation(e->A, MATOP_MULT, (void (*)(void))multiply));
  PetscCall(fare_operator_rates(e->op, start));
  if (e->grid->dim == 1)
    PetscCall(PetscMalloc1(FARE_LINE_WORK(e->op->owned), &e->line));
  else
    PetscCall(fare_multigrid_create(e->op, &e->multigrid));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_solver_configure(fare_evolution *e, KSP ksp)
{
  PetscMPIInt ranks;
  PC          pc;

  PetscFunctionBegin;
  e->ksp = ksp;
  PetscCallMPI(MPI_Comm_size(e->grid->comm, &ranks));
  PetscCall(KSPGetPC(ksp, &pc));
  if (e->multigrid) {
    PetscCall(KSPSetType(ksp, KSPFGMRES));
    PetscCall(KSPGMRESSetRestart(ksp, FARE_MULTIGRID_RESTART));
    PetscCall(PCSetType(pc, PCSHELL));
    PetscCall(PCShellSetName(pc, "multigrid with smoothing by lines"));
    PetscCall(PCShellSetContext(pc, e));
    PetscCall(PCShellSetApply(pc, precondition));
  } else if (e->line) {
    PetscCall(KSPSetType(ksp, KSPPREONLY));
    PetscCall(PCSetType(pc, PCSHELL));
    PetscCall(PCShellSetName(pc, "elimination in parts"));
    PetscCall(PCShellSetContext(pc, e));
    PetscCall(PCShellSetApply(pc, solve_line));
  } else if (e->grid->dim == 1 && ranks == 1) {
    PetscCall(KSPSetType(ksp, KSPPREONLY));
    PetscCall(PCSetType(pc, PCLU));
  } else if (e->grid->dim == 1) {
    PetscCall(KSPSetType(ksp, KSPGMRES));
    PetscCall(KSPSetPCSide(ksp, PC_RIGHT));
    PetscCall(PCSetType(pc, PCBJACOBI));
    PetscCall(set_default("-truth_sub_pc_type", "lu"));
  } else {
    PetscCall(KSPSetType(ksp, KSPBCGS));
  }
  PetscFunctionReturn(0);
}

/*
  The inverse of A times the shift never expands the L1 norm, so a residual of L1 norm r adds at most r /
  shift to the error: it is kept far below the tolerance of a step.
*/
PetscErrorCode fare_truth_solver_prepare(fare_evolution *e, double t, double shift)
{
  const double share = e->multigrid ? 5e-2 * shift : 1e-5; /* of the tolerance */
  double       cells = 1;

  PetscFunctionBegin;
  PetscCall(fare_operator_rates(e->op, t));
  if (e->prepared == e->op->version && e->shift == shift) PetscFunctionReturn(0);
  e->prepared = e->op->version;
  e->shift    = shift;
  if (e->multigrid)
    fare_multigrid_factor(e->multigrid, shift);
  else if (!e->line)
    PetscCall(fare_operator_assemble(e->op, t, shift, e->A));
  for (int axis = 0; axis < e->grid->dim; axis++) cells *= (double)e->grid->cells[axis];
  PetscCall(KSPSetTolerances(e->ksp, 1e-14, share * e->tolerance / sqrt(cells), PETSC_DEFAULT, 500));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_solver_destroy(fare_evolution *e)
{
  PetscFunctionBegin;
  PetscCall(MatDestroy(&e->A));
  PetscCall(PetscFree(e->line));
  PetscCall(fare_multigrid_destroy(&e->multigrid));
  PetscFunctionReturn(0);
}
