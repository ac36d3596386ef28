/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3,4 timeout=120 */
/*
  The generator: a rate matrix, at rest in the Boltzmann density, of second order, with the published
  relaxation rates.
*/
#include "fare_test.h"

#include <petscdmda.h>
#include <slepceps.h>

typedef struct {
  fare_system   *system;
  fare_grid     *grid;
  fare_operator *op;
} fixture;

static void make(fixture *f, const char *name, int dim, PetscInt cells)
{
  const PetscInt          n[FARE_DIM_MAX] = {cells, cells + 2, cells - 2};
  const fare_system_type *type            = fare_system_type_find(name);

  assert_ok(fare_system_create(type, dim, &f->system));
  assert_ok(fare_system_set(f->system, "tilt", 0.7));
  assert_ok(fare_system_set(f->system, "kT", 0.8));
  assert_ok(fare_system_set(f->system, "mobility", 1.3));
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, dim, n, type->lower, type->upper, NULL, &f->grid));
  assert_ok(fare_operator_create(f->grid, f->system, &f->op));
}

static void unmake(fixture *f)
{
  assert_ok(fare_operator_destroy(&f->op));
  assert_ok(fare_grid_destroy(&f->grid));
  assert_ok(fare_system_destroy(&f->system));
}

static const struct {
  const char *name;
  int         dim;
  PetscInt    cells;
} cases[] = {
  {"prinz", 1, 200}, {"ornstein_uhlenbeck", 1, 64}, {"double_well", 2, 40}, {"ornstein_uhlenbeck", 3, 14}};
#define CASES (sizeof cases / sizeof cases[0])

/* A = -L: off-diagonals at most 0, columns sum to 0, so mass is conserved and nothing becomes negative. */
static void is_a_rate_matrix(void **state)
{
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    fixture            f;
    Mat                A;
    Vec                ones, sums;
    PetscInt           first, last, n;
    const PetscInt    *column;
    const PetscScalar *value;
    PetscReal          norm, size;

    make(&f, cases[c].name, cases[c].dim, cases[c].cells);
    assert_ok(fare_operator_matrix(f.op, &A));
    assert_ok(fare_operator_assemble(f.op, 0, 0, A));
    assert_ok(MatGetOwnershipRange(A, &first, &last));
    for (PetscInt row = first; row < last; row++) {
      assert_ok(MatGetRow(A, row, &n, &column, &value));
      for (PetscInt i = 0; i < n; i++) {
        if (column[i] == row)
          assert_true(value[i] > 0);
        else
          assert_true(value[i] <= 0);
      }
      assert_ok(MatRestoreRow(A, row, &n, &column, &value));
    }
    assert_ok(MatCreateVecs(A, &sums, &ones));
    assert_ok(VecSet(ones, 1));
    assert_ok(MatMultTranspose(A, ones, sums));
    assert_ok(VecNorm(sums, NORM_INFINITY, &norm));
    assert_ok(MatNorm(A, NORM_1, &size));
    assert_between(norm, 0, 1e-15 * size);
    assert_ok(VecDestroy(&ones));
    assert_ok(VecDestroy(&sums));
    assert_ok(MatDestroy(&A));
    unmake(&f);
  }
}

/*
  L p = 0 for the Boltzmann masses, which are integrated by another quadrature; each row to round-off of its
  own terms.
*/
static void is_at_rest_in_boltzmann(void **state)
{
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    /*
      the cell's own quadrature is shared in one dimension; in more it is of sixth order, which these cells
      resolve
    */
    const double tolerance = cases[c].dim == 1 ? 1e-12 : 2e-3;
    fixture      f;
    Vec          p, flow, through;
    Mat          A;
    PetscReal    norm, size;

    make(&f, cases[c].name, cases[c].dim, cases[c].cells);
    assert_ok(fare_grid_boltzmann(f.grid, f.system, 0, &p));
    assert_ok(VecDuplicate(p, &flow));
    assert_ok(VecDuplicate(p, &through));
    assert_ok(fare_operator_apply(f.op, 0, p, flow));
    assert_ok(fare_operator_matrix(f.op, &A));
    assert_ok(fare_operator_assemble(f.op, 0, 0, A));
    assert_ok(MatGetDiagonal(A, through));
    assert_ok(VecPointwiseMult(through, through, p));
    assert_ok(VecNorm(flow, NORM_1, &norm));
    assert_ok(VecNorm(through, NORM_1, &size));
    assert_between(norm, 0, tolerance * size);
    assert_ok(MatDestroy(&A));
    assert_ok(VecDestroy(&p));
    assert_ok(VecDestroy(&flow));
    assert_ok(VecDestroy(&through));
    unmake(&f);
  }
}

/* Detailed balance: the flow p_i r(i->j) in equilibrium is the same both ways, face by face. */
static void has_detailed_balance(void **state)
{
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    fixture   f;
    Mat       A, back;
    Vec       p;
    PetscReal norm, size;

    make(&f, cases[c].name, cases[c].dim, cases[c].cells);
    assert_ok(fare_operator_matrix(f.op, &A));
    assert_ok(fare_operator_assemble(f.op, 0, 0, A));
    assert_ok(fare_grid_boltzmann(f.grid, f.system, 0, &p));
    assert_ok(MatDiagonalScale(A, NULL, p));
    assert_ok(MatTranspose(A, MAT_INITIAL_MATRIX, &back));
    assert_ok(MatNorm(A, NORM_FROBENIUS, &size));
    assert_ok(MatAXPY(back, -1, A, DIFFERENT_NONZERO_PATTERN));
    assert_ok(MatNorm(back, NORM_FROBENIUS, &norm));
    assert_between(norm, 0, (cases[c].dim == 1 ? 1e-12 : 2e-3) * size); /* as above */
    assert_ok(MatDestroy(&A));
    assert_ok(MatDestroy(&back));
    assert_ok(VecDestroy(&p));
    unmake(&f);
  }
}

static void apply_agrees_with_the_matrix(void **state)
{
  (void)state;
  for (size_t c = 0; c < CASES; c++) {
    fixture     f;
    Mat         A;
    Vec         p, by_apply, by_matrix;
    PetscRandom random;
    PetscReal   norm, size;

    make(&f, cases[c].name, cases[c].dim, cases[c].cells);
    assert_ok(fare_operator_matrix(f.op, &A));
    assert_ok(fare_operator_assemble(f.op, 0, 2.5, A));
    assert_ok(DMCreateGlobalVector(f.grid->dm, &p));
    assert_ok(VecDuplicate(p, &by_apply));
    assert_ok(VecDuplicate(p, &by_matrix));
    assert_ok(PetscRandomCreate(PETSC_COMM_WORLD, &random));
    assert_ok(VecSetRandom(p, random));
    assert_ok(MatMult(A, p, by_matrix));
    assert_ok(fare_operator_apply(f.op, 0, p, by_apply));
    assert_ok(VecNorm(by_matrix, NORM_2, &size));
    /* A p + L p = 2.5 p */
    assert_ok(VecAXPY(by_matrix, 1, by_apply));
    assert_ok(VecAXPY(by_matrix, -2.5, p));
    assert_ok(VecNorm(by_matrix, NORM_2, &norm));
    assert_between(norm, 0, 1e-14 * size);
    assert_ok(PetscRandomDestroy(&random));
    assert_ok(MatDestroy(&A));
    assert_ok(VecDestroy(&p));
    assert_ok(VecDestroy(&by_apply));
    assert_ok(VecDestroy(&by_matrix));
    unmake(&f);
  }
}

/*
  Detailed balance makes A similar to the symmetric matrix with -sqrt(r(i->j) r(j->i)) off the diagonal, which
  needs no p.
*/
static void symmetrise(Mat A, Mat *S)
{
  Mat                back;
  PetscInt           rows, n, m;
  const PetscInt    *column;
  const PetscScalar *value, *other;

  assert_ok(MatTranspose(A, MAT_INITIAL_MATRIX, &back));
  assert_ok(MatDuplicate(A, MAT_COPY_VALUES, S));
  assert_ok(MatGetSize(A, &rows, NULL));
  for (PetscInt row = 0; row < rows; row++) {
    assert_ok(MatGetRow(A, row, &n, &column, &value));
    assert_ok(MatGetRow(back, row, &m, NULL, &other));
    assert_int_equal(n, m);
    for (PetscInt i = 0; i < n; i++) {
      if (column[i] != row)
        assert_ok(MatSetValue(*S, row, column[i], -sqrt(value[i] * other[i]), INSERT_VALUES));
    }
    assert_ok(MatRestoreRow(back, row, &m, NULL, &other));
    assert_ok(MatRestoreRow(A, row, &n, &column, &value));
  }
  assert_ok(MatAssemblyBegin(*S, MAT_FINAL_ASSEMBLY));
  assert_ok(MatAssemblyEnd(*S, MAT_FINAL_ASSEMBLY));
  assert_ok(MatDestroy(&back));
}

/* The lowest `count` relaxation rates of a system on a grid of `cells`, beginning with 0. */
static void relaxation_rates(const char *name, double kT, PetscInt cells, int count, double rate[])
{
  const fare_system_type *type = fare_system_type_find(name);
  fare_system            *system;
  fare_grid              *grid;
  fare_operator          *op;
  Mat                     A, S;
  EPS                     eps;
  ST                      st;
  PetscInt                found;

  assert_ok(fare_system_create(type, 1, &system));
  assert_ok(fare_system_set(system, "kT", kT));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, type->lower, type->upper, NULL, &grid));
  assert_ok(fare_operator_create(grid, system, &op));
  assert_ok(fare_operator_matrix(op, &A));
  assert_ok(fare_operator_assemble(op, 0, 0, A));
  assert_ok(EPSCreate(PETSC_COMM_SELF, &eps));
  symmetrise(A, &S);
  assert_ok(EPSSetOperators(eps, S, NULL));
  assert_ok(EPSSetProblemType(eps, EPS_HEP));
  assert_ok(EPSSetDimensions(eps, count, PETSC_DEFAULT, PETSC_DEFAULT));
  assert_ok(EPSSetWhichEigenpairs(eps, EPS_TARGET_MAGNITUDE));
  assert_ok(EPSSetTarget(eps, -0.1));
  assert_ok(EPSGetST(eps, &st));
  assert_ok(STSetType(st, STSINVERT));
  assert_ok(EPSSetTolerances(eps, 1e-13, 1000));
  assert_ok(EPSSolve(eps));
  assert_ok(EPSGetConverged(eps, &found));
  assert_true(found >= count);
  for (int i = 0; i < count; i++) assert_ok(EPSGetEigenvalue(eps, i, &rate[i], NULL));
  assert_ok(EPSDestroy(&eps));
  assert_ok(MatDestroy(&S));
  assert_ok(MatDestroy(&A));
  assert_ok(fare_operator_destroy(&op));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* Second order in the cells; extrapolated, the rates are the published ones. */
static void has_the_known_relaxation_rates(void **state)
{
  const struct {
    const char *name;
    double      kT;
    int         count;
    double      rate[6];
  } known[] = {
    {"prinz", 1, 6, {0, 1.1989938518, 7.8885020877, 15.361392816, 82.081666, 94.932693}},
    {"prinz", 2, 3, {0, 4.234709125, 21.41845927}},
    {"double_well", 1, 2, {0, 0.7486816723}},
    {"double_well", 0.25, 2, {0, 0.0297795933}},
    {"ornstein_uhlenbeck", 1, 4, {0, 1, 2, 3}},
  };

  (void)state;
  assert_ok(SlepcInitializeNoArguments());
  for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
    double coarse[6], middle[6], fine[6];

    relaxation_rates(known[k].name, known[k].kT, 256, known[k].count, coarse);
    relaxation_rates(known[k].name, known[k].kT, 512, known[k].count, middle);
    relaxation_rates(known[k].name, known[k].kT, 1024, known[k].count, fine);
    for (int i = 0; i < known[k].count; i++) {
      const double extrapolated = fine[i] + (fine[i] - middle[i]) / 3, expected = known[k].rate[i];

      assert_near(extrapolated, expected, 1e-9 + 2e-7 * expected);
      if (i) assert_between(log2((coarse[i] - expected) / (middle[i] - expected)), 1.95, 2.05);
    }
  }
  assert_ok(SlepcFinalize());
}

/* Rates follow a parameter that is driven, and the cached shapes give what the potential itself gives. */
static void follows_the_protocol(void **state)
{
  fixture   f, still;
  Vec       p, moving, fixed;
  PetscReal difference, size;

  (void)state;
  make(&f, "prinz", 1, 128);
  make(&still, "prinz", 1, 128);
  assert_ok(fare_system_drive_sine(f.system, "tilt", 4, 1, 0));
  assert_ok(fare_system_drive_sine(f.system, "height", 1, 2, 0));
  assert_ok(fare_system_set(still.system, "tilt", 4.7));
  assert_ok(fare_system_set(still.system, "height", 4 + sin(0.25 * M_PI)));
  assert_ok(fare_grid_boltzmann(f.grid, f.system, 0, &p));
  assert_ok(VecDuplicate(p, &moving));
  assert_ok(VecDuplicate(p, &fixed));
  assert_ok(fare_operator_apply(f.op, 0, p, moving));
  assert_ok(fare_operator_apply(f.op, 0.25, p, moving));
  assert_ok(fare_operator_apply(still.op, 7, p, fixed));
  assert_ok(VecAXPY(moving, -1, fixed));
  assert_ok(VecNorm(moving, NORM_1, &difference));
  assert_ok(VecNorm(fixed, NORM_1, &size));
  assert_true(size > 0.1);
  assert_between(difference, 0, 1e-11 * size);
  assert_ok(VecDestroy(&p));
  assert_ok(VecDestroy(&moving));
  assert_ok(VecDestroy(&fixed));
  unmake(&f);
  unmake(&still);
}

/*
  On five cells, each with wells of its own, the way that is faster turns while the centres are nearly level:
  rates that jump there cannot be followed in time.
*/
static void moves_without_jumps(void **state)
{
  const int    looks = 4000;
  const double most  = 1.05; /* the tilt alone makes 1.01 of a look */
  double       worst = 1;
  fixture      f;
  Mat          A;
  Vec          now, before;

  (void)state;
  make(&f, "prinz", 1, 5);
  assert_ok(fare_system_set(f.system, "kT", 0.1));
  assert_ok(fare_operator_matrix(f.op, &A));
  assert_ok(MatCreateVecs(A, &now, &before));
  for (int k = 0; k <= looks; k++) {
    PetscReal least, largest;

    assert_ok(fare_system_set(f.system, "tilt", 8.0 * k / looks));
    assert_ok(fare_operator_assemble(f.op, k, 0, A));
    assert_ok(MatGetDiagonal(A, now));
    if (k) {
      assert_ok(VecPointwiseDivide(before, now, before));
      assert_ok(VecMin(before, NULL, &least));
      assert_ok(VecMax(before, NULL, &largest));
      worst = PetscMax(worst, PetscMax(largest, 1 / least));
    }
    assert_ok(VecCopy(now, before));
  }
  assert_between(worst, 1, most);
  assert_ok(VecDestroy(&now));
  assert_ok(VecDestroy(&before));
  assert_ok(MatDestroy(&A));
  unmake(&f);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(is_a_rate_matrix),
  cmocka_unit_test(is_at_rest_in_boltzmann),
  cmocka_unit_test(has_detailed_balance),
  cmocka_unit_test(apply_agrees_with_the_matrix),
  cmocka_unit_test(has_the_known_relaxation_rates),
  cmocka_unit_test(follows_the_protocol),
  cmocka_unit_test(moves_without_jumps),
};
FARE_TEST_MAIN(tests)
