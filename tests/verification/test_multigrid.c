/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,4 timeout=120 */
/*
  The preconditioner of grids in two and three dimensions: solves are right by the assembled matrix, and take
  as few iterations on fine grids and several ranks as on coarse ones.
*/
#include "fare_test.h"

#include "truth/solver/level.h"
#include "truth/solver/multigrid.h"

#include <petscdmda.h>

typedef struct {
  fare_system    *system;
  fare_grid      *grid;
  fare_operator  *op;
  fare_multigrid *multigrid;
} fixture;

static void make(fixture *f, const char *name, int dim, PetscInt cells, fare_boundary end)
{
  const PetscInt          n[FARE_DIM_MAX] = {cells, cells, cells};
  const fare_system_type *type            = fare_system_type_find(name);
  fare_boundary           ends[FARE_DIM_MAX];

  for (int axis = 0; axis < dim; axis++) ends[axis] = type->periodic[axis] ? FARE_BOUNDARY_PERIODIC : end;
  assert_ok(fare_system_create(type, dim, &f->system));
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, dim, n, type->lower, type->upper, ends, &f->grid));
  assert_ok(fare_operator_create(f->grid, f->system, &f->op));
  assert_ok(fare_operator_rates(f->op, 0));
  assert_ok(fare_multigrid_create(f->op, &f->multigrid));
}

static void unmake(fixture *f)
{
  assert_ok(fare_multigrid_destroy(&f->multigrid));
  assert_ok(fare_operator_destroy(&f->op));
  assert_ok(fare_grid_destroy(&f->grid));
  assert_ok(fare_system_destroy(&f->system));
}

static PetscErrorCode precondition(PC pc, Vec from, Vec to)
{
  fare_multigrid    *multigrid;
  const PetscScalar *r;
  PetscScalar       *z;

  PetscFunctionBeginUser;
  PetscCall(PCShellGetContext(pc, &multigrid));
  PetscCall(VecGetArrayRead(from, &r));
  PetscCall(VecGetArray(to, &z));
  PetscCall(fare_multigrid_cycle(multigrid, r, z));
  PetscCall(VecRestoreArray(to, &z));
  PetscCall(VecRestoreArrayRead(from, &r));
  PetscFunctionReturn(0);
}

/*
  Iterations that reduce the residual of a rough right side by 1e-8, where GMRES keeps `restart` directions;
  checks the solution against the assembled matrix.
*/
static int iterations(
  const char *name, int dim, PetscInt cells, fare_boundary end, double shift, PetscInt restart)
{
  fixture     f;
  Mat         A;
  Vec         b, x, r;
  KSP         ksp;
  PC          pc;
  PetscRandom random;
  PetscReal   norm, size;
  PetscInt    count;

  make(&f, name, dim, cells, end);
  assert_ok(fare_operator_matrix(f.op, &A));
  assert_ok(fare_operator_assemble(f.op, 0, shift, A));
  fare_multigrid_factor(f.multigrid, shift);
  assert_ok(MatCreateVecs(A, &x, &b));
  assert_ok(VecDuplicate(b, &r));
  assert_ok(PetscRandomCreate(PETSC_COMM_WORLD, &random));
  assert_ok(VecSetRandom(b, random));
  assert_ok(KSPCreate(PETSC_COMM_WORLD, &ksp));
  assert_ok(KSPSetOperators(ksp, A, A));
  assert_ok(KSPSetType(ksp, KSPFGMRES));
  assert_ok(KSPGMRESSetRestart(ksp, restart));
  assert_ok(KSPGetPC(ksp, &pc));
  assert_ok(PCSetType(pc, PCSHELL));
  assert_ok(PCShellSetContext(pc, f.multigrid));
  assert_ok(PCShellSetApply(pc, precondition));
  assert_ok(KSPSetTolerances(ksp, 1e-8, 0, PETSC_DEFAULT, 200));
  assert_ok(KSPSolve(ksp, b, x));
  assert_ok(KSPGetIterationNumber(ksp, &count));
  assert_ok(MatMult(A, x, r));
  assert_ok(VecAYPX(r, -1, b));
  assert_ok(VecNorm(r, NORM_2, &norm));
  assert_ok(VecNorm(b, NORM_2, &size));
  assert_between(norm, 0, 1.01e-8 * size);
  assert_ok(KSPDestroy(&ksp));
  assert_ok(PetscRandomDestroy(&random));
  assert_ok(VecDestroy(&b));
  assert_ok(VecDestroy(&x));
  assert_ok(VecDestroy(&r));
  assert_ok(MatDestroy(&A));
  unmake(&f);
  return (int)count;
}

#define ALL_KEPT 30

/*
  A gradient force, a rotating one, and one without diffusion along an axis, which is periodic; from steps
  that are long by any measure to short ones. The truth keeps few directions: only the longest steps on three
  axes take more iterations for that, 27 on one rank and 32 on four.
*/
static void iterations_are_flat(void **state)
{
  const struct {
    const char   *name;
    int           dim;
    PetscInt      cells;
    fare_boundary end;
  } known[] = {
    {"quadruple_well", 2, 32, FARE_BOUNDARY_REFLECTING},
    {"quadruple_well", 2, 32, FARE_BOUNDARY_ABSORBING},
    {"rotational_ou", 2, 32, FARE_BOUNDARY_REFLECTING},
    {"swing_equation", 2, 32, FARE_BOUNDARY_REFLECTING},
    {"wells_3d", 3, 16, FARE_BOUNDARY_REFLECTING},
    {"wells_3d", 3, 16, FARE_BOUNDARY_ABSORBING},
  };

  (void)state;
  for (size_t c = 0; c < sizeof known / sizeof known[0]; c++) {
    for (double shift = 1; shift < 5000; shift *= 16) {
      const int levels = known[c].dim == 2 ? 4 : 3;
      int       before = 0, last = 0, few = 0;

      for (int i = 0; i < levels; i++) {
        const PetscInt cells = known[c].cells << i;

        before = last;
        last   = iterations(known[c].name, known[c].dim, cells, known[c].end, shift, ALL_KEPT);
        if (i == levels - 1)
          few = iterations(known[c].name, known[c].dim, cells, known[c].end, shift, FARE_MULTIGRID_RESTART);
      }
      if (getenv("FARE_TEST_SHOW"))
        fare_log("%s, shift %g: %d, then %d; %d as in the truth", known[c].name, shift, before, last, few);
      assert_between(last, 1, 18);
      assert_between(last - before, 0, 4);
      assert_between(few, 1, known[c].dim == 3 && shift < 16 ? 34 : 18);
    }
  }
}

static double sum_of(const fare_level *level, const float *masses)
{
  double sum = 0;

  for (PetscInt i = 0; i < level->patch->owned; i++) sum += (double)masses[i];
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  return sum;
}

/*
  The residual of x in A = shift - L, summed over children. Lines are not factored, so that x stays as it is.
*/
static void restrict_residual(fare_level *fine, fare_level *coarse, double shift, float *scratch)
{
  fare_patch_forget(fine->patch);
  fare_level_back_restrict(fine, coarse, shift, scratch);
  assert_ok(fare_patch_exchange(fine->patch, fine->x));
  fare_level_add_beyond(fine, coarse);
}

/*
  Flows on all grids keep the mass, also between ranks, and so do summing and interpolating; to round-off of
  single precision.
*/
static void coarser_grids_keep_mass(void **state)
{
  const PetscBool twice[] = {PETSC_TRUE, PETSC_TRUE, PETSC_TRUE};
  const struct {
    const char *name;
    int         dim;
    /* the last is periodic along an axis */
  } known[] = {{"quadruple_well", 2}, {"wells_3d", 3}, {"swing_equation", 2}};

  (void)state;
  for (size_t c = 0; c < sizeof known / sizeof known[0]; c++) {
    fixture     f;
    fare_level  level[3];
    fare_patch *patch;
    float      *scratch;
    double      sum;

    make(&f, known[c].name, known[c].dim, 32, FARE_BOUNDARY_REFLECTING);
    assert_ok(fare_patch_create(f.grid, MPI_FLOAT, &patch));
    for (int l = 0; l < 3; l++) {
      if (l) assert_ok(fare_patch_coarsen(level[l - 1].patch, twice, &patch));
      assert_ok(fare_level_create(patch, &level[l]));
      for (int axis = 0; axis < known[c].dim && l == 0; axis++) {
        fare_level_import(patch->box, f.op->up[axis], level[0].up[axis]);
        fare_level_import(patch->box, f.op->down[axis], level[0].down[axis]);
      }
      if (l) fare_level_coarsen_rates(&level[l - 1], &level[l]);
    }
    assert_ok(PetscMalloc1(FARE_LEVEL_SCRATCH * level[0].patch->count[0], &scratch));
    for (PetscInt i = 0; i < f.op->owned; i++)
      level[0].b[i] = level[0].x[i] = (float)(1 + sin(3.7 * (double)i));
    sum = sum_of(&level[0], level[0].x);
    restrict_residual(&level[0], &level[1], -1, scratch); /* 2 x + L x */
    assert_near(sum_of(&level[1], level[1].b), 2 * sum, 1e-5 * sum);
    for (PetscInt i = 0; i < level[1].patch->owned; i++) {
      level[1].x[i] = (float)(1 + sin(2.3 * (double)i));
      level[1].b[i] = 0;
    }
    for (PetscInt i = 0; i < f.op->owned; i++) level[0].x[i] = 0;
    sum = sum_of(&level[1], level[1].x);
    assert_ok(fare_patch_exchange(level[1].patch, level[1].x));
    fare_level_prolong(&level[1], &level[0], scratch);
    assert_near(sum_of(&level[0], level[0].x), sum, 1e-5 * sum);
    restrict_residual(&level[1], &level[2], 0, scratch); /* L x */
    assert_near(sum_of(&level[2], level[2].b), 0, 1e-5 * sum);
    assert_ok(PetscFree(scratch));
    for (int l = 0; l < 3; l++) assert_ok(fare_level_destroy(&level[l]));
    unmake(&f);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(iterations_are_flat),
  cmocka_unit_test(coarser_grids_keep_mass),
};
FARE_TEST_MAIN(tests)
