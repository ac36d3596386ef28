/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/* Committors that particles evaluate where they are: against quadrature, and against each other. */
#include "analyses.h"

#include <fare/committor_field.h>

enum { POINTS = 400 };

static fare_event make_event(double a[], double b[], double start, double deadline)
{
  static double lowest[] = {-99, -99}, highest[] = {99, 99};

  return (fare_event){"event", {.dim = 1, .boxes = a ? 1 : 0, .lower = lowest, .upper = a},
    {.dim = 1, .boxes = 1, .lower = b, .upper = highest}, {start}, 0, deadline};
}

static fare_committor_field *make_field(const fare_grid *grid, const fare_system *system,
  const fare_event *event, fare_committor_kind kind, PetscInt cells, int moments)
{
  const fare_committor_options options = {kind, cells, moments, 0};
  fare_committor_field        *field;

  assert_ok(fare_committor_field_create(PETSC_COMM_WORLD, grid, system, event, &options, &field));
  return field;
}

static double log_q_at(const fare_committor_field *field, double t, double x, double *slope)
{
  const double *at[] = {&x};
  double        value, *to[] = {slope};

  fare_committor_field_at(field, 1, &t, at, &value, slope ? to : NULL);
  return value;
}

/* ln q and its slope, at 1e-9 and next to a, of one axis and of two that do not feel each other. */
static void logarithms_and_slopes_are_those_of_quadrature(void **state)
{
  const double kT = 0.05, all = integral(two_wells, kT, 1, -1, 0.5, 0, 0);

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    fare_event            event  = make_event((double[]){-1, 99}, (double[]){0.5, -99}, -0.9, FARE_NEVER);
    fare_system          *system = make_system(fare_system_type_find("double_well"), dim);
    fare_grid            *grid;
    fare_committor_field *field;
    double                worst = 0, steepest = 0;

    event.a.dim = event.b.dim = dim;
    assert_ok(fare_system_set(system, "kT", kT));
    assert_ok(fare_grid_create(
      PETSC_COMM_WORLD, dim, (PetscInt[]){512, 12}, (double[]){-1.6, -1}, (double[]){1.6, 1}, NULL, &grid));
    field = make_field(grid, system, &event, FARE_COMMITTOR_EXACT, 0, 0);
    for (int i = 0; i < POINTS; i++) {
      const double x[2] = {-1 + 1.5 * (i + 0.5) / POINTS, 0.1}, *at[2] = {&x[0], &x[1]},
                   exact = integral(two_wells, kT, 1, -1, x[0], 0, 0) / all,
                   slope = exp(two_wells(x[0]) / kT) / all / exact, t = 3;
      double value, gradient[2] = {0}, *to[2] = {&gradient[0], &gradient[1]};

      fare_committor_field_at(field, 1, &t, at, &value, to);
      worst    = fmax(worst, fabs(value - log(exact)));
      steepest = fmax(steepest, fabs(gradient[0] - slope) / (1 + slope));
      assert_near(gradient[1], 0, 1e-3);
    }
    if (getenv("FARE_TEST_SHOW")) fare_log("%d axes: ln q off by %.1e, slopes by %.1e", dim, worst, steepest);
    assert_between(worst, 0, 4e-3);
    assert_between(steepest, 0, 8e-3);
    if (dim == 1) {
      assert_true(log_q_at(field, 0, 0.7, NULL) == 0);
      assert_true(log_q_at(field, 0, -1.1, NULL) == -HUGE_VAL);
    }
    assert_ok(fare_committor_field_destroy(&field));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
}

static fare_system *make_driven(double kT, double amplitude)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);

  assert_ok(fare_system_set(system, "kT", kT));
  assert_ok(fare_system_drive_sine(system, "tilt", amplitude, 1, 0));
  return system;
}

/* Under a drive and with a deadline: 6.6e-16 at the start, the slope as differences have it, and the same
 * between moments as with other moments. */
static void driven_committors_keep_their_digits(void **state)
{
  fare_event            event  = make_event(NULL, (double[]){0.5}, -0.7, 1);
  fare_system          *system = make_driven(0.12, 1);
  fare_grid            *grid   = make_grid_on(PETSC_COMM_WORLD, system, 1024);
  fare_committor_field *field  = make_field(grid, system, &event, FARE_COMMITTOR_EXACT, 0, 0),
                       *other  = make_field(grid, system, &event, FARE_COMMITTOR_EXACT, 0, 97);

  (void)state;
  assert_near(log_q_at(field, 0, -0.7, NULL), log(6.644e-16), 5e-3);
  for (int i = 0; i < POINTS; i++) {
    const double t = fmod(0.5 + 0.6180339887498949 * i, 1) * 0.99, x = -1 + 1.49 * (i + 0.5) / POINTS,
                 h = 4e-3;
    double slope, value = log_q_at(field, t, x, &slope);

    if (value < -40) continue; /* no path is there so late */
    assert_near(slope, (log_q_at(field, t, x + h, NULL) - log_q_at(field, t, x - h, NULL)) / (2 * h),
      2e-2 * (1 + fabs(slope)));
    assert_near(value, log_q_at(other, t, x, NULL), 1e-2 * (1 + fabs(value)));
  }
  assert_ok(fare_committor_field_destroy(&field));
  assert_ok(fare_committor_field_destroy(&other));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* What knows less is something else where there is a drive, and the same where there is none. */
static void lesser_knowledge_is_another_committor(void **state)
{
  (void)state;
  for (int driven = 0; driven < 2; driven++) {
    fare_event   event  = make_event(NULL, (double[]){0.5}, -0.7, 1);
    fare_system *system = make_driven(0.25, driven ? 3 : 0);
    fare_grid   *grid   = make_grid_on(PETSC_COMM_WORLD, system, 256);
    double       at[3], coarse;

    for (int kind = 0; kind < 3; kind++) {
      fare_committor_field *field = make_field(grid, system, &event, (fare_committor_kind)kind, 0, 12);

      at[kind] = log_q_at(field, 0, -0.7, NULL);
      assert_ok(fare_committor_field_destroy(&field));
    }
    fare_committor_field *field = make_field(grid, system, &event, FARE_COMMITTOR_EXACT, 64, 24);

    coarse = log_q_at(field, 0, -0.7, NULL);
    assert_ok(fare_committor_field_destroy(&field));
    if (getenv("FARE_TEST_SHOW"))
      fare_log("q exact %.5g, frozen %.5g, undriven %.5g, of 64 cells %.5g", exp(at[0]), exp(at[1]),
        exp(at[2]), exp(coarse));
    assert_near(at[2], log(9.04e-7), 2e-2);
    assert_near(at[1], at[2], 1e-3); /* at the start, the drive is at rest */
    assert_near(at[0], driven ? log(1.5584e-5) : at[2], driven ? 2e-2 : 1e-3);
    assert_between(fabs(coarse - at[0]), 1e-3, 1);
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
}

/* All ranks have the bits that one rank alone has. */
static void ranks_have_the_same_bits(void **state)
{
  fare_event                   event  = make_event((double[]){-1.1}, (double[]){0.5}, -0.7, 1);
  fare_system                 *system = make_driven(0.25, 3);
  fare_grid                   *grid   = make_grid_on(PETSC_COMM_WORLD, system, 64);
  fare_committor_field        *field  = make_field(grid, system, &event, FARE_COMMITTOR_FROZEN, 0, 7), *alone;
  const fare_committor_options options = {FARE_COMMITTOR_FROZEN, 0, 7, 0};

  (void)state;
  assert_ok(fare_committor_field_create(PETSC_COMM_SELF, grid, system, &event, &options, &alone));
  for (int i = 0; i < 100; i++) {
    double slope[2];

    assert_true(log_q_at(field, 0.01 * i, -1.09 + 0.0155 * i, &slope[0]) ==
      log_q_at(alone, 0.01 * i, -1.09 + 0.0155 * i, &slope[1]));
    assert_true(slope[0] == slope[1]);
  }
  assert_ok(fare_committor_field_destroy(&field));
  assert_ok(fare_committor_field_destroy(&alone));
  event.deadline = FARE_NEVER;
  assert_int_equal(
    fare_committor_field_create(PETSC_COMM_WORLD, grid, system, &event, &options, &field), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "needs a deadline"));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(logarithms_and_slopes_are_those_of_quadrature),
  cmocka_unit_test(driven_committors_keep_their_digits),
  cmocka_unit_test(lesser_knowledge_is_another_committor),
  cmocka_unit_test(ranks_have_the_same_bits),
};
FARE_TEST_MAIN(tests)
