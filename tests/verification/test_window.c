/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,4 timeout=120 */
/*
  The window in which transport works: a narrow Gaussian that drifts askew round a torus, over the corner
  where four ranks meet and over both ends, against its closed form; and that what is dropped outside is in
  the estimate.
*/
#include "fare_test.h"

#include "truth/truth.h"

#include <math.h>

#define WIDE   2.0 /* the box is twice as wide along each axis */
#define SPREAD 0.002
#define START  0.16
static const double speed[] = {1, 0.7}, mean[] = {-0.7, -0.5};

static const fare_parameter no_parameters[] = {FARE_PARAMETERS_END};

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)theta, (void)x;
  for (int a = 0; a < dim; a++) {
    for (size_t i = 0; i < n; i++) f[a][i] = speed[a];
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)theta, (void)x;
  for (int a = 0; a < dim; a++) {
    for (size_t i = 0; i < n; i++) D[a][i] = SPREAD;
  }
}

static const fare_system_type type = {.name = "torus",
  .dimension_min                            = 2,
  .dimension_max                            = 2,
  .parameters                               = no_parameters,
  .lower                                    = {-WIDE, -WIDE},
  .upper                                    = {WIDE, WIDE},
  .drift                                    = drift,
  .diffusion                                = diffusion};

static fare_truth *create(const fare_system *system, PetscInt64 cells, double tolerance)
{
  PetscInt64         n[] = {cells, cells}, ends[] = {FARE_BOUNDARY_PERIODIC, FARE_BOUNDARY_PERIODIC};
  double             at[] = {mean[0], mean[1]}, sd[] = {START, START};
  fare_initial       initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, at}, .sd = {2, sd}};
  fare_truth_options options = {.cells = {2, n},
    .boundaries                        = {2, ends},
    .tolerance                         = tolerance,
    .estimate                          = PETSC_TRUE,
    .scheme                            = FARE_SCHEME_HIGH_ORDER};
  fare_truth        *truth;

  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &initial, 0, &options, &truth));
  return truth;
}

/* Mass of a cell between two places along an axis at time t, with what has come round. */
static double mass_between(int axis, double t, double low, double high)
{
  const double scale = 1 / sqrt(2 * (START * START + 2 * SPREAD * t));
  double       sum   = 0;

  for (int turn = -3; turn <= 3; turn++) {
    const double centre = mean[axis] + speed[axis] * t + 2 * WIDE * turn;

    sum += 0.5 * (erf((high - centre) * scale) - erf((low - centre) * scale));
  }
  return sum;
}

static double distance(const fare_grid *grid, Vec masses, double t)
{
  const PetscScalar *mass;
  double             sum = 0;

  assert_ok(VecGetArrayRead(masses, &mass));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double x[3], exact = 1;

    fare_cell_centre(grid, n, x);
    for (int a = 0; a < 2; a++)
      exact *= mass_between(a, t, x[a] - 0.5 * grid->spacing[a], x[a] + 0.5 * grid->spacing[a]);
    sum += fabs(mass[n] - exact);
  }
  assert_ok(VecRestoreArrayRead(masses, &mass));
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  return sum;
}

static void mass_is_followed(void **state)
{
  const double times[] = {0, 1, 2.5, 4};
  fare_system *system;

  (void)state;
  assert_ok(fare_system_create(&type, 0, &system));
  fare_truth *truth = create(system, 128, 1e-8);

  for (int i = 0; i < 4; i++) {
    double off;

    assert_ok(fare_truth_advance(truth, times[i]));
    off = distance(fare_truth_grid(truth), fare_truth_masses(truth), times[i]);
    if (getenv("FARE_TEST_SHOW"))
      fare_log("t = %g: %.2e, estimate %.2e", times[i], off, fare_truth_get_status(truth)->error);
    assert_between(off, 0, 5e-4);
    assert_between(fare_truth_get_status(truth)->mass_drift, 0, 1e-13);
  }
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

static void what_is_dropped_is_told(void **state)
{
  const double tolerance[] = {1e-8, 1e-2};
  fare_truth  *truth[2];
  fare_system *system;
  PetscReal    apart;
  Vec          difference;

  (void)state;
  assert_ok(fare_system_create(&type, 0, &system));
  for (int i = 0; i < 2; i++) {
    truth[i] = create(system, 128, tolerance[i]);
    assert_ok(fare_truth_advance(truth[i], 2));
  }
  assert_ok(VecDuplicate(fare_truth_masses(truth[0]), &difference));
  assert_ok(VecWAXPY(difference, -1, fare_truth_masses(truth[0]), fare_truth_masses(truth[1])));
  assert_ok(VecNorm(difference, NORM_1, &apart));
  const double told =
    fare_truth_get_status(truth[1])->error_time - fare_truth_get_status(truth[0])->error_time;

  if (getenv("FARE_TEST_SHOW")) fare_log("apart %.2e, told %.2e", (double)apart, told);
  assert_between(apart, 1e-12, told);
  assert_between(told, 0, 1e-6);
  assert_ok(VecDestroy(&difference));
  for (int i = 0; i < 2; i++) assert_ok(fare_truth_destroy(&truth[i]));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(mass_is_followed),
  cmocka_unit_test(what_is_dropped_is_told),
};
FARE_TEST_MAIN(tests)
