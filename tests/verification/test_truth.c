/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3,4 timeout=300 */
/*
  The truth in time: closed forms, published moments, orders, and whether its estimate of its own error is
  honest.
*/
#include "fare_test.h"

static fare_truth *make_on(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  PetscInt64 cells, double tolerance, PetscBool estimate)
{
  PetscInt64         n[]     = {cells, cells, cells};
  fare_truth_options options = {
    .cells = {(size_t)fare_system_dimension(system), n}, .tolerance = tolerance, .estimate = estimate};
  fare_truth *truth;

  assert_ok(fare_truth_create(comm, system, initial, 0, &options, &truth));
  return truth;
}

static fare_truth *make(const fare_system *system, const fare_initial *initial, PetscInt64 cells,
  double tolerance, PetscBool estimate)
{
  return make_on(PETSC_COMM_WORLD, system, initial, cells, tolerance, estimate);
}

/* Whole on every rank, to be compared cell by cell with one on another grid. */
static fare_truth *make_alone(const fare_system *system, const fare_initial *initial, PetscInt64 cells,
  double tolerance, PetscBool estimate)
{
  return make_on(PETSC_COMM_SELF, system, initial, cells, tolerance, estimate);
}

static fare_system *driven_prinz(void)
{
  fare_system *system;

  assert_ok(fare_system_create(fare_system_type_find("prinz"), 1, &system));
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  return system;
}

/* Mean and variance along the first axis; a cell's mass lies spread over the cell. */
static void moments(const fare_truth *truth, double *mean, double *variance)
{
  const fare_grid   *grid = fare_truth_grid(truth);
  const PetscScalar *mass;
  double             sum[3] = {0};

  assert_ok(VecGetArrayRead(fare_truth_masses(truth), &mass));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
    const double x = fare_grid_centre(grid, 0, grid->start[0] + n % grid->count[0]);

    sum[0] += mass[n];
    sum[1] += mass[n] * x;
    sum[2] += mass[n] * (x * x + grid->spacing[0] * grid->spacing[0] / 12);
  }
  assert_ok(VecRestoreArrayRead(fare_truth_masses(truth), &mass));
  MPI_Allreduce(MPI_IN_PLACE, sum, 3, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  *mean     = sum[1] / sum[0];
  *variance = sum[2] / sum[0] - *mean * *mean;
}

/* L1 distance to a truth on a grid of a whole number of times as many cells; both are whole on this rank. */
static double distance_to_finer(const fare_truth *truth, const fare_truth *finer)
{
  const PetscInt cells = fare_truth_grid(truth)->cells[0], ratio = fare_truth_grid(finer)->cells[0] / cells;
  const PetscScalar *coarse, *fine;
  double             sum = 0;

  assert_int_equal(fare_truth_grid(truth)->count[0], cells);
  assert_int_equal(fare_truth_grid(finer)->count[0], cells * ratio);
  assert_ok(VecGetArrayRead(fare_truth_masses(truth), &coarse));
  assert_ok(VecGetArrayRead(fare_truth_masses(finer), &fine));
  for (PetscInt i = 0; i < cells; i++) {
    double mass = 0;

    for (PetscInt k = 0; k < ratio; k++) mass += fine[i * ratio + k];
    sum += fabs(mass - coarse[i]);
  }
  assert_ok(VecRestoreArrayRead(fare_truth_masses(truth), &coarse));
  assert_ok(VecRestoreArrayRead(fare_truth_masses(finer), &fine));
  return sum;
}

/*
  Moments at time 1 on two grids: they must converge in second order, so that the extrapolated ones are much
  better than either.
*/
static void extrapolated_moments(
  const fare_system *system, const fare_initial *initial, double exact_mean, double exact_variance)
{
  double mean[2], variance[2];

  for (int i = 0; i < 2; i++) {
    fare_truth *truth = make(system, initial, 1024 << i, 1e-10, PETSC_FALSE);

    assert_ok(fare_truth_advance(truth, 1));
    moments(truth, &mean[i], &variance[i]);
    assert_ok(fare_truth_destroy(&truth));
  }
  if (fabs(exact_mean) > 0) assert_between((mean[0] - exact_mean) / (mean[1] - exact_mean), 3.9, 4.1);
  assert_between((variance[0] - exact_variance) / (variance[1] - exact_variance), 3.9, 4.1);
  assert_near(mean[1] + (mean[1] - mean[0]) / 3, exact_mean, 1e-7);
  assert_near(variance[1] + (variance[1] - variance[0]) / 3, exact_variance, 1e-7);
}

static void a_dragged_trap_stays_gaussian(void **state)
{
  const double k = 2, D = 0.5, w = 2 * M_PI, t = 1;
  double       at[] = {0.5}, wide[] = {0.3};
  fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  fare_system *system;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  assert_ok(fare_system_set(system, "stiffness", k));
  assert_ok(fare_system_set(system, "kT", D));
  assert_ok(fare_system_drive_sine(system, "centre", 1, 1, 0));
  /* m' = -k (m - sin w t), s' = -2 k s + 2 D */
  extrapolated_moments(system, &initial,
    (0.5 + k * w / (k * k + w * w)) * exp(-k * t) + k * (k * sin(w * t) - w * cos(w * t)) / (k * k + w * w),
    D / k + (0.09 - D / k) * exp(-2 * k * t));
  assert_ok(fare_system_destroy(&system));
}

/* A trap whose stiffness rises from 1 to 4 in unit time, from equilibrium. */
static void a_breathing_trap_has_the_known_variance(void **state)
{
  const char        *drive   = "{parameter: stiffness, waveform: ramp, amplitude: 3, start: 0, end: 1}";
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  fare_config       *config;
  fare_system       *system;

  (void)state;
  assert_ok(fare_config_parse("drive", drive, strlen(drive), &config));
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
  extrapolated_moments(system, &initial, 0, 0.2891321879);
  assert_ok(fare_system_destroy(&system));
}

/* In two dimensions, with another initial spread along each axis. */
static void two_dimensions_factorise(void **state)
{
  double       at[] = {0.5, -1}, wide[] = {0.6, 0.8}, mean, variance;
  fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, at}, .sd = {2, wide}};
  fare_system *system;
  fare_truth  *truth;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 2, &system));
  truth = make(system, &initial, 96, 1e-7, PETSC_TRUE);
  assert_ok(fare_truth_advance(truth, 0.5));
  moments(truth, &mean, &variance);
  assert_near(mean, 0.5 * exp(-0.5), 1e-3);
  assert_near(variance, 1 + (0.36 - 1) * exp(-1), 6e-3); /* the scheme adds about h^2/6 */
  assert_between(fare_truth_get_status(truth)->mass_drift, 0, 1e-12);
  assert_between(fare_truth_get_status(truth)->minimum, -1e-14, 1);
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/* Computed independently: Richardson-extrapolated from 4096 and 8192 cells, Radau, 1e-9. */
static void driven_prinz_has_the_known_moments(void **state)
{
  const fare_initial initial    = {.density = FARE_INITIAL_BOLTZMANN};
  const double       known[][3] = {{0.25, 0.344465, 0.230744}, {0.75, 0.000326, 0.219484},
          {1.00, -0.119008, 0.273332}, {1.25, 0.218609, 0.262550}, {2.00, -0.151363, 0.272819}};
  fare_system       *system     = driven_prinz();
  fare_truth        *truth      = make(system, &initial, 4096, 1e-8, PETSC_FALSE);
  double             mean, variance;

  (void)state;
  moments(truth, &mean, &variance);
  assert_near(mean, 0.0959511415, 1e-9);
  assert_near(variance, 0.2624231109, 2e-7); /* a cell's mass is taken as spread evenly: h^2/6 = 1.6e-7 */
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    assert_ok(fare_truth_advance(truth, known[i][0]));
    moments(truth, &mean, &variance);
    assert_near(mean, known[i][1], 1.5e-6);
    assert_near(variance, known[i][2], 1.5e-6);
  }
  assert_between(fare_truth_get_status(truth)->mass_drift, 0, 1e-12);
  assert_between(fare_truth_get_status(truth)->minimum, -1e-14, 1);
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/*
  Error against a reference on a much finer grid: falls with the second order in space, and the estimate is
  near it at every snapshot.
*/
static void the_estimate_is_honest(void **state)
{
  enum { LEVELS = 5, USUAL = 4 }; /* the last is what the driven Prinz study uses */
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  const struct {
    PetscInt64 cells;
    double     tolerance;
  } level[LEVELS]        = {{256, 1e-8}, {512, 1e-8}, {1024, 1e-8}, {4096, 1e-5}, {4096, 1e-8}};
  fare_system *system    = driven_prinz();
  fare_truth  *reference = make_alone(system, &initial, 16384, 1e-10, PETSC_FALSE), *truth[LEVELS];

  (void)state;
  for (int i = 0; i < LEVELS; i++)
    truth[i] = make_alone(system, &initial, level[i].cells, level[i].tolerance, PETSC_TRUE);
  for (int k = 1; k <= 3; k++) {
    double error[LEVELS];

    assert_ok(fare_truth_advance(reference, 0.25 * k));
    for (int i = 0; i < LEVELS; i++) {
      const fare_truth_status *status = fare_truth_get_status(truth[i]);

      assert_ok(fare_truth_advance(truth[i], 0.25 * k));
      error[i] = distance_to_finer(truth[i], reference);
      assert_between(status->error / error[i], 0.8, 3);
    }
    assert_between(error[USUAL], 0, 1e-5);
    assert_between(log2(error[0] / error[1]), 1.9, 2.1);
    assert_between(log2(error[1] / error[2]), 1.9, 2.1);
  }
  for (int i = 0; i < LEVELS; i++) assert_ok(fare_truth_destroy(&truth[i]));
  assert_ok(fare_truth_destroy(&reference));
  assert_ok(fare_system_destroy(&system));
}

/* Without error control and with a step per snapshot, half the step has about 2^-4 times the error. */
static void the_one_step_method_has_order_four(void **state)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  const int          count[] = {20, 40, 80};
  fare_system       *system  = driven_prinz();
  fare_truth        *exact   = make_alone(system, &initial, 256, 1e-13, PETSC_FALSE);
  double             error[3];

  (void)state;
  assert_ok(fare_truth_advance(exact, 0.4));
  for (int i = 0; i < 3; i++) {
    fare_truth *truth;
    char        step[32];

    snprintf(step, sizeof step, "%.17g", 0.4 / count[i]);
    assert_ok(PetscOptionsSetValue(NULL, "-truth_ts_type", "arkimex"));
    assert_ok(PetscOptionsSetValue(NULL, "-truth_ts_arkimex_type", "4"));
    assert_ok(PetscOptionsSetValue(NULL, "-truth_ts_adapt_type", "none"));
    assert_ok(PetscOptionsSetValue(NULL, "-truth_ts_dt", step));
    truth = make_alone(system, &initial, 256, 1e-8, PETSC_FALSE);
    for (int k = 1; k <= count[i]; k++) assert_ok(fare_truth_advance(truth, 0.4 * k / count[i]));
    error[i] = distance_to_finer(truth, exact);
    assert_ok(fare_truth_destroy(&truth));
    assert_ok(PetscOptionsClearValue(NULL, "-truth_ts_type"));
    assert_ok(PetscOptionsClearValue(NULL, "-truth_ts_arkimex_type"));
    assert_ok(PetscOptionsClearValue(NULL, "-truth_ts_adapt_type"));
    assert_ok(PetscOptionsClearValue(NULL, "-truth_ts_dt"));
  }
  assert_between(log2(error[0] / error[1]), 3.4, 4.6);
  assert_between(log2(error[1] / error[2]), 3.6, 4.4);
  assert_ok(fare_truth_destroy(&exact));
  assert_ok(fare_system_destroy(&system));
}

/*
  The bound on the error in time holds, against a run of the same grid with a far tighter tolerance, and
  follows the tolerance down.
*/
static void the_bound_holds(void **state)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  fare_system       *system  = driven_prinz();
  fare_truth        *exact   = make_alone(system, &initial, 512, 1e-12, PETSC_FALSE);
  double             before  = 0;

  (void)state;
  assert_ok(fare_truth_advance(exact, 0.3));
  for (double tolerance = 1e-5; tolerance > 1e-9; tolerance /= 100) {
    fare_truth *truth = make_alone(system, &initial, 512, tolerance, PETSC_TRUE);
    double      bound;

    assert_ok(fare_truth_advance(truth, 0.3));
    bound = fare_truth_get_status(truth)->time_bound;
    assert_between(distance_to_finer(truth, exact), 1e-14, bound);
    if (before > 0) assert_between(bound, 0, before / 10);
    before = bound;
    assert_ok(fare_truth_destroy(&truth));
  }
  assert_ok(fare_truth_destroy(&exact));
  assert_ok(fare_system_destroy(&system));
}

/* Distributed or alone: the same density to the solver's tolerance. */
static void ranks_do_not_matter(void **state)
{
  PetscInt64         n[]      = {1024};
  fare_truth_options options  = {.cells = {1, n}, .tolerance = 1e-8, .estimate = PETSC_TRUE};
  const fare_initial initial  = {.density = FARE_INITIAL_BOLTZMANN};
  fare_system       *system   = driven_prinz();
  fare_truth        *together = make(system, &initial, 1024, 1e-8, PETSC_TRUE), *alone;
  const PetscScalar *a, *b;
  const fare_grid   *grid = fare_truth_grid(together);

  (void)state;
  assert_ok(fare_truth_create(PETSC_COMM_SELF, system, &initial, 0, &options, &alone));
  assert_ok(fare_truth_advance(together, 0.3));
  assert_ok(fare_truth_advance(alone, 0.3));
  assert_ok(VecGetArrayRead(fare_truth_masses(together), &a));
  assert_ok(VecGetArrayRead(fare_truth_masses(alone), &b));
  for (PetscInt i = 0; i < grid->count[0]; i++) assert_near(a[i], b[grid->start[0] + i], 1e-13);
  assert_ok(VecRestoreArrayRead(fare_truth_masses(together), &a));
  assert_ok(VecRestoreArrayRead(fare_truth_masses(alone), &b));
  assert_near(fare_truth_get_status(together)->error, fare_truth_get_status(alone)->error, 1e-10);
  assert_ok(fare_truth_destroy(&together));
  assert_ok(fare_truth_destroy(&alone));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_dragged_trap_stays_gaussian),
  cmocka_unit_test(a_breathing_trap_has_the_known_variance),
  cmocka_unit_test(two_dimensions_factorise),
  cmocka_unit_test(driven_prinz_has_the_known_moments),
  cmocka_unit_test(the_estimate_is_honest),
  cmocka_unit_test(the_one_step_method_has_order_four),
  cmocka_unit_test(the_bound_holds),
  cmocka_unit_test(ranks_do_not_matter),
};
FARE_TEST_MAIN(tests)
