/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification timeout=120 */
/* A system that has a force but neither a potential nor a drift, beside its density in closed form. */
#include "closed_form.h"

#include <fare/thermo.h>

static const fare_parameter parameters[] = {FARE_COMMON_PARAMETERS, FARE_PARAMETERS_END};

/* A trap of stiffness 1 and a rotation with the angular velocity 2. */
static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -x[0][i] - 2 * x[1][i];
    f[1][i] = -x[1][i] + 2 * x[0][i];
  }
}

static const fare_system_type rotation = {
  .name          = "rotation",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-6, -6},
  .upper         = {6, 6},
  .force         = force,
};

/* A Gaussian whose mean follows the drift: with mobility and kT 1 its variance tends to 1. */
static double spiral(const double x[], double t)
{
  const double m[]      = {1.5 * exp(-t) * cos(2 * t), 1.5 * exp(-t) * sin(2 * t)},
               variance = 1 - 0.5 * exp(-2 * t);

  return exp(-(pow(x[0] - m[0], 2) + pow(x[1] - m[1], 2)) / (2 * variance));
}

static void a_force_without_a_potential(void **state)
{
  const closed_form c = {.type = &rotation,
    .dim                       = 2,
    .lower                     = -6,
    .upper                     = 6,
    .end                       = 1,
    .cells                     = 32,
    .density                   = spiral,
    .error                     = 1e-2,
    .order                     = 2};

  (void)state;
  holds(&c);
}

static fare_truth *truth_on(const fare_system *system, PetscInt64 cells)
{
  const PetscInt64         n[]    = {cells, cells};
  double                   mean[] = {0, 0}, sd[] = {0.7, 0.7};
  const fare_initial       initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, mean}, .sd = {2, sd}};
  const fare_truth_options options = {
    .cells = {2, (PetscInt64 *)n}, .tolerance = 1e-8, .estimate = PETSC_TRUE, .scheme = FARE_SCHEME_FITTED};
  fare_truth *truth;

  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &initial, 0, &options, &truth));
  return truth;
}

/* Of variance s: what the rotation spends at any time, and what is produced until s is 1. */
static void its_entropy_production(void **state)
{
  const fare_thermo_options options = {.points = 5};
  fare_system              *system;
  fare_truth               *truth;
  fare_thermo              *thermo;

  (void)state;
  assert_ok(fare_system_create(&rotation, 2, &system));
  assert_false(fare_system_is_gradient(system));
  truth = truth_on(system, 64);
  assert_ok(fare_thermo_create(truth, system, &options, &thermo));
  assert_ok(fare_thermo_advance(thermo, 0.3));
  for (size_t k = 0; k < 2; k++) {
    const fare_thermo_row *row = &fare_thermo_rows(thermo)[k], *error = &fare_thermo_errors(thermo)[k];
    const double           s = 1 - 0.51 * exp(-2 * row->time);

    assert_near(row->housekeeping_rate, 8 * s, 1.2 * error->housekeeping_rate);
    assert_near(row->excess_rate, 2 * s * (1 - 1 / s) * (1 - 1 / s), 1.2 * error->excess_rate);
    assert_between(error->housekeeping_rate, 0, 0.2);
    assert_between(error->excess_rate, 0, 0.2);
  }
  assert_ok(fare_thermo_destroy(&thermo));
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/* It is not said of a potential that cells are too coarse for it. */
static void its_doubt_is_of_the_drift(void **state)
{
  fare_system *system;
  fare_truth  *truth;

  (void)state;
  assert_ok(fare_system_create(&rotation, 2, &system));
  truth = truth_on(system, 8);
  assert_ok(fare_truth_advance(truth, 0.1));
  assert_int_equal(fare_truth_get_status(truth)->doubt, FARE_DOUBT_DRIFT);
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_force_without_a_potential),
  cmocka_unit_test(its_entropy_production),
  cmocka_unit_test(its_doubt_is_of_the_drift),
};
FARE_TEST_MAIN(tests)
