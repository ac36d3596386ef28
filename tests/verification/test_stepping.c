/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3,4 timeout=300 */
/*
  Steps in time: an error that follows the tolerance, an estimate that holds where tolerances are loose, and a
  state that is saved and restored to the same bits.
*/
#include "fare_test.h"

typedef struct {
  const char *system, *parameter;
  double      amplitude, period;
  PetscInt64  cells[FARE_DIM_MAX];
} drive;

static const drive line  = {"prinz", "tilt", 4, 1, {256}},
                   plane = {"quadruple_well", "tilt", 0.5, 0.5, {48, 48}},
                   swing = {"swing_equation", "coupling", 0.3, 1, {32, 32}},
                   box   = {"wells_3d", "tilt", 1, 1, {16, 16, 16}};

static fare_system *create_system(const drive *d)
{
  const fare_system_type *type = fare_system_type_find(d->system);
  int                     dim  = 1;
  fare_system            *system;

  while (dim < FARE_DIM_MAX && d->cells[dim]) dim++;
  assert_ok(fare_system_create(type, dim, &system));
  assert_ok(fare_system_drive_sine(system, d->parameter, d->amplitude, d->period, 0));
  return system;
}

static fare_truth *create_truth_on(
  MPI_Comm comm, const drive *d, const fare_system *system, double tolerance, PetscBool estimate)
{
  static double       mean[] = {-0.7, -0.7, -0.7}, sd[] = {0.3, 0.3, 0.3};
  static fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {0, mean}, .sd = {0, sd}};
  PetscInt64          cells[FARE_DIM_MAX];
  fare_truth_options  options = {.cells = {(size_t)fare_system_dimension(system), cells},
     .tolerance                         = tolerance,
     .estimate                          = estimate,
     .scheme                            = FARE_SCHEME_FITTED};
  fare_truth         *truth;

  memcpy(cells, d->cells, sizeof cells);
  initial.mean.count = initial.sd.count = options.cells.count;
  assert_ok(fare_truth_create(comm, system, &initial, 0, &options, &truth));
  return truth;
}

static fare_truth *create_truth(
  const drive *d, const fare_system *system, double tolerance, PetscBool estimate)
{
  return create_truth_on(PETSC_COMM_WORLD, d, system, tolerance, estimate);
}

static double distance(const fare_truth *a, const fare_truth *b)
{
  Vec       difference;
  PetscReal norm;

  assert_ok(VecDuplicate(fare_truth_masses(a), &difference));
  assert_ok(VecWAXPY(difference, -1, fare_truth_masses(a), fare_truth_masses(b)));
  assert_ok(VecNorm(difference, NORM_1, &norm));
  assert_ok(VecDestroy(&difference));
  return norm;
}

/*
  A hundredth of the tolerance has an error about as many times as small, which is not more than all steps may
  add.
*/
static void the_error_follows_the_tolerance(void **state)
{
  const drive *drives[] = {&line, &plane, &box};

  (void)state;
  for (int i = 0; i < 3; i++) {
    fare_system *system = create_system(drives[i]);
    fare_truth  *exact  = create_truth(drives[i], system, 1e-11, PETSC_FALSE);
    double       before = 0;

    assert_ok(fare_truth_advance(exact, 0.4));
    for (double tolerance = 1e-4; tolerance > 1e-9; tolerance /= 100) {
      fare_truth *truth = create_truth(drives[i], system, tolerance, PETSC_FALSE);
      double      error;

      assert_ok(fare_truth_advance(truth, 0.4));
      error = distance(truth, exact);
      assert_between(error, 0, tolerance * fare_truth_get_status(truth)->steps);
      if (before > 0) assert_between(before / error, 15, 700);
      before = error;
      assert_ok(fare_truth_destroy(&truth));
    }
    assert_ok(fare_truth_destroy(&exact));
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  Where the tolerance would allow a step across several periods of the drive, or from snapshot to snapshot,
  the estimate still tells the error in time.
*/
static void loose_tolerances_are_estimated(void **state)
{
  const drive *drives[] = {&line, &plane, &swing};

  (void)state;
  for (int i = 0; i < 3; i++) {
    for (double interval = 0.1; interval < 10; interval *= 5) {
      for (double tolerance = 0.1; tolerance > 1e-4; tolerance /= 10) {
        fare_system *system = create_system(drives[i]);
        fare_truth  *exact  = create_truth(drives[i], system, 1e-8, PETSC_TRUE),
                   *truth   = create_truth(drives[i], system, tolerance, PETSC_TRUE);

        for (int k = 1; k <= 3; k++) {
          assert_ok(fare_truth_advance(exact, interval * k));
          assert_ok(fare_truth_advance(truth, interval * k));
          /* stability limits the steps of transport then, and far longer ones on the half grid */
          const double most = drives[i] == &swing && tolerance == 0.1 ? 64 : 8;

          assert_between(fare_truth_get_status(truth)->error_time / distance(truth, exact), 0.12, most);
        }
        assert_ok(fare_truth_destroy(&truth));
        assert_ok(fare_truth_destroy(&exact));
        assert_ok(fare_system_destroy(&system));
      }
    }
  }
}

/* Copies what a checkpoint keeps. */
static void restore(fare_truth *to, const fare_truth *from)
{
  for (int part = 0; part < fare_truth_parts(from); part++) {
    Vec              vector[2][FARE_TRUTH_VECTORS];
    int              count;
    const fare_grid *grid;
    double           numbers[FARE_TRUTH_NUMBERS];

    fare_truth_part(from, part, &grid, &count, vector[0]);
    fare_truth_part(to, part, &grid, &count, vector[1]);
    for (int v = 0; v < count; v++) assert_ok(VecCopy(vector[0][v], vector[1][v]));
    assert_ok(fare_truth_save(from, part, numbers));
    assert_ok(fare_truth_load(to, part, numbers));
  }
}

/* Goes on from a copy of the state as if it had never stopped. */
static void a_restored_state_goes_on_to_the_same_bits(void **state)
{
  const drive *drives[] = {&line, &plane, &swing};

  (void)state;
  for (int i = 0; i < 3; i++) {
    fare_system *system = create_system(drives[i]);
    fare_truth  *whole  = create_truth(drives[i], system, 1e-6, PETSC_TRUE),
               *second  = create_truth(drives[i], system, 1e-6, PETSC_TRUE);

    assert_ok(fare_truth_advance(whole, 0.13));
    assert_int_equal(fare_truth_parts(second), FARE_TRUTH_PARTS_MAX);
    restore(second, whole);
    for (int k = 0; k < 3; k++) {
      const fare_truth_status *a = fare_truth_get_status(whole), *b = fare_truth_get_status(second);

      assert_true(a->time == b->time && a->error == b->error && a->time_bound == b->time_bound &&
        a->steps == b->steps && a->iterations == b->iterations && a->minimum == b->minimum);
      assert_true(distance(whole, second) == 0);
      assert_ok(fare_truth_advance(whole, 0.2 + 0.3 * k));
      assert_true(distance(whole, second) > 1e-6);
      assert_ok(fare_truth_advance(second, 0.2 + 0.3 * k));
    }
    assert_ok(fare_truth_destroy(&whole));
    assert_ok(fare_truth_destroy(&second));
    assert_ok(fare_system_destroy(&system));
  }
}

typedef struct {
  const fare_truth *from;
  fare_truth       *to; /* NULL: it has been done */
} copying;

/* On the way of the finest grid, behind the pulse. */
static PetscErrorCode copy_once(void *context)
{
  copying *c = context;
  double   numbers[FARE_TRUTH_NUMBERS];

  PetscFunctionBeginUser;
  assert_ok(fare_truth_save(c->from, 0, numbers));
  if (!c->to || numbers[0] < 0.03) PetscFunctionReturn(0);
  assert_true(numbers[0] < 0.09);
  restore(c->to, c->from);
  c->to = NULL;
  PetscFunctionReturn(0);
}

/*
  A pulse between two snapshots makes cells too steep and is gone: that is doubted at the next one, and later
  as long as the density remembers it. So it is where a run is interrupted behind the pulse.
*/
static void cells_too_steep_between_snapshots_are_doubted(void **state)
{
  const drive still = {"ornstein_uhlenbeck", "tilt", 0, 1, {256}};
  const char  pulse[] =
    "{parameter: tilt, waveform: tabulated, amplitude: 300, times: [0.02, 0.021, 0.023, 0.024], "
    "values: [0, 1, 1, 0]}";
  fare_config             *config;
  fare_system             *system;
  fare_truth              *whole, *second;
  copying                  c;
  const fare_truth_status *a, *b;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find(still.system), 1, &system));
  assert_ok(fare_config_parse("pulse", pulse, strlen(pulse), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
  whole  = create_truth(&still, system, 1e-6, PETSC_TRUE);
  second = create_truth(&still, system, 1e-6, PETSC_TRUE);
  c      = (copying){whole, second};
  fare_truth_set_pause(whole, copy_once, &c);
  a = fare_truth_get_status(whole);
  b = fare_truth_get_status(second);
  assert_ok(fare_truth_advance(whole, 0.015));
  assert_int_equal(a->doubt, FARE_DOUBT_NONE);
  for (int k = 0; k < 3; k++) {
    assert_ok(fare_truth_advance(whole, 0.1 + 0.1 * k));
    assert_ok(fare_truth_advance(second, 0.1 + 0.1 * k));
    assert_int_equal(a->doubt, FARE_DOUBT_WELLS);
    assert_true(a->doubt_size > 5);
    assert_true(a->doubt == b->doubt && a->doubt_size == b->doubt_size && a->error == b->error);
  }
  assert_ok(fare_truth_destroy(&whole));
  assert_ok(fare_truth_destroy(&second));
  assert_ok(fare_system_destroy(&system));
}

/*
  On several ranks or on one, in two and three dimensions and with complex eigenvalues: the same density to
  what the solver leaves.
*/
static void ranks_do_not_matter(void **state)
{
  const drive *drives[]  = {&plane, &swing, &box};
  const double tolerance = 1e-7;

  (void)state;
  for (int i = 0; i < 3; i++) {
    fare_system *system     = create_system(drives[i]);
    fare_truth  *together   = create_truth(drives[i], system, tolerance, PETSC_FALSE),
               *alone       = create_truth_on(PETSC_COMM_SELF, drives[i], system, tolerance, PETSC_FALSE);
    const fare_grid   *grid = fare_truth_grid(together);
    const PetscScalar *a, *b;
    double             difference = 0;

    assert_ok(fare_truth_advance(together, 0.3));
    assert_ok(fare_truth_advance(alone, 0.3));
    assert_ok(VecGetArrayRead(fare_truth_masses(together), &a));
    assert_ok(VecGetArrayRead(fare_truth_masses(alone), &b));
    for (PetscInt n = 0; n < grid->count[0] * grid->count[1] * grid->count[2]; n++) {
      const PetscInt x = grid->start[0] + n % grid->count[0],
                     y = grid->start[1] + n / grid->count[0] % grid->count[1],
                     z = grid->start[2] + n / grid->count[0] / grid->count[1];

      difference += fabs(a[n] - b[x + grid->cells[0] * (y + grid->cells[1] * z)]);
    }
    assert_ok(VecRestoreArrayRead(fare_truth_masses(together), &a));
    assert_ok(VecRestoreArrayRead(fare_truth_masses(alone), &b));
    MPI_Allreduce(MPI_IN_PLACE, &difference, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    assert_between(difference, 0, tolerance);
    assert_ok(fare_truth_destroy(&together));
    assert_ok(fare_truth_destroy(&alone));
    assert_ok(fare_system_destroy(&system));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(the_error_follows_the_tolerance),
  cmocka_unit_test(loose_tolerances_are_estimated),
  cmocka_unit_test(a_restored_state_goes_on_to_the_same_bits),
  cmocka_unit_test(cells_too_steep_between_snapshots_are_doubted),
  cmocka_unit_test(ranks_do_not_matter),
};
FARE_TEST_MAIN(tests)
