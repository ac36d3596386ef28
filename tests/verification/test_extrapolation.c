/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  What others are compared with: a density extrapolated from three grids, against a closed form on one to
  three axes; and where it must be the truth's own.
*/
#include "fare_test.h"

#define MEAN 0.5
#define T    0.4

/* A trap of stiffness and kT 1 at the origin, the same along all axes. */
static double mass_along(const fare_grid *grid, int axis, PetscInt i, double sd)
{
  const double width = sqrt(2 * (1 + (sd * sd - 1) * exp(-2 * T))), mean = MEAN * exp(-T),
               low = grid->lower[axis] + (double)i * grid->spacing[axis];

  return 0.5 * (erf((low + grid->spacing[axis] - mean) / width) - erf((low - mean) / width));
}

/* Of masses; and how far (exact - masses) points along an estimate of it: 1, where they are parallel. */
typedef struct {
  double error, least, sum, cosine;
} look;

static look look_at(const fare_truth *truth, Vec masses, Vec estimate, double sd)
{
  const fare_grid   *grid = fare_truth_grid(truth);
  const PetscScalar *mass, *estimated;
  double             sums[5] = {0}, least = 1;

  assert_ok(VecGetArrayRead(masses, &mass));
  assert_ok(VecGetArrayRead(estimate, &estimated));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    PetscInt index[FARE_DIM_MAX];
    double   missing = 1;

    fare_cell_index(grid, n, index);
    for (int axis = 0; axis < grid->dim; axis++) missing *= mass_along(grid, axis, index[axis], sd);
    missing -= mass[n];
    least = fmin(least, mass[n]);
    sums[0] += fabs(missing);
    sums[1] += mass[n];
    sums[2] += missing * estimated[n];
    sums[3] += missing * missing;
    sums[4] += estimated[n] * estimated[n];
  }
  assert_ok(VecRestoreArrayRead(estimate, &estimated));
  assert_ok(VecRestoreArrayRead(masses, &mass));
  MPI_Allreduce(MPI_IN_PLACE, sums, 5, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_DOUBLE, MPI_MIN, PETSC_COMM_WORLD);
  return (look){sums[0], least, sums[1], sums[2] / sqrt(sums[3] * sums[4])};
}

static fare_truth *make(const fare_system *system, double sd, PetscInt64 cells, PetscBool extrapolate)
{
  double       at[] = {MEAN, MEAN, MEAN}, wide[] = {sd, sd, sd}, low[] = {-6, -6, -6}, high[] = {6, 6, 6};
  PetscInt64   n[]           = {cells, cells, cells};
  const size_t dim           = (size_t)fare_system_dimension(system);
  const fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {dim, at}, .sd = {dim, wide}};
  fare_truth_options options = {.cells = {dim, n},
    .lower                             = {dim, low},
    .upper                             = {dim, high},
    .tolerance                         = 1e-7,
    .estimate                          = PETSC_TRUE,
    .extrapolate                       = extrapolate};
  fare_truth        *truth;

  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &initial, 0, &options, &truth));
  assert_ok(fare_truth_advance(truth, T));
  return truth;
}

/* Ten times better at least; its estimate is between its error and a third of the plain estimate. */
static void it_is_better_and_knows_how_much(void **state)
{
  const PetscInt64 cells[] = {96, 80, 48};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    fare_system             *system;
    fare_truth              *truth;
    const fare_truth_status *s;
    look                     plain, better;

    assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &system));
    truth  = make(system, 0.8, cells[dim - 1], PETSC_TRUE);
    s      = fare_truth_get_status(truth);
    plain  = look_at(truth, fare_truth_masses(truth), fare_truth_error_field(truth), 0.8);
    better = look_at(truth, fare_truth_compared(truth), fare_truth_compared_error(truth), 0.8);
    if (getenv("FARE_TEST_SHOW"))
      fare_log("%d-D: plain %.2e, estimate %.2e; extrapolated %.2e, estimate %.2e; cosines %.3f, %.3f", dim,
        plain.error, s->error, better.error, s->error_extrapolated, plain.cosine, better.cosine);
    assert_true(s->extrapolated && fare_truth_extrapolates(truth));
    assert_between(better.error, 0, plain.error / 10);
    assert_between(s->error_extrapolated, better.error, s->error / 3);
    assert_between(better.cosine, 0.3, 1);
    assert_between(better.least, 0, 1);
    assert_near(better.sum, 1, 1e-13);
    assert_ok(fare_truth_destroy(&truth));
    assert_ok(fare_system_destroy(&system));
  }
}

/* V = slope |x - 0.03|, whose kink lies elsewhere in the cells of each grid. */
enum { SLOPE = FARE_OWN };
static const fare_parameter kink_parameters[] = {
  FARE_COMMON_PARAMETERS, {"slope", 2, -10, 10, "slope"}, FARE_PARAMETERS_END};

static void kink_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = theta[SLOPE] * fabs(x[0][i] - 0.03);
}

static void kink_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) f[0][i] = x[0][i] > 0.03 ? -theta[SLOPE] : theta[SLOPE];
}

static const fare_system_type kink = {
  .name          = "kink",
  .dimension_min = 1,
  .dimension_max = 1,
  .parameters    = kink_parameters,
  .lower         = {-6},
  .upper         = {6},
  .potential     = kink_potential,
  .force         = kink_force,
};

static void expect_plain(
  const fare_system_type *type, double sd, PetscInt64 cells, PetscBool extrapolate, PetscBool could)
{
  fare_system             *system;
  fare_truth              *truth;
  const fare_truth_status *s;

  assert_ok(fare_system_create(type, 1, &system));
  truth = make(system, sd, cells, extrapolate);
  s     = fare_truth_get_status(truth);
  assert_int_equal(fare_truth_extrapolates(truth), could);
  assert_false(s->extrapolated);
  assert_ptr_equal(fare_truth_compared(truth), fare_truth_masses(truth));
  assert_ptr_equal(fare_truth_compared_error(truth), fare_truth_error_field(truth));
  assert_true(s->error > 0 && s->error_extrapolated == s->error);
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

static void elsewhere_it_is_the_truth(void **state)
{
  const fare_system_type *trap = fare_system_type_find("ornstein_uhlenbeck");

  (void)state;
  expect_plain(&kink, 0.8, 96, PETSC_TRUE, PETSC_TRUE);
  expect_plain(trap, 0.2, 96, PETSC_TRUE, PETSC_TRUE); /* a start of less than two cells */
  expect_plain(trap, 0.8, 96, PETSC_FALSE, PETSC_FALSE);
  expect_plain(trap, 0.8, 90, PETSC_TRUE, PETSC_FALSE); /* there is no third grid */
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(it_is_better_and_knows_how_much),
  cmocka_unit_test(elsewhere_it_is_the_truth),
};

FARE_TEST_MAIN(tests)
