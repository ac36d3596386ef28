/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification timeout=60 */
/*
  The bound of full control: in traps, whose best drives reach it, by closed forms; in four wells by another
  program; and in a box, where walls hold what is moved.
*/
#include "analyses.h"

#include <fare/transport_bound.h>

static fare_transport_bound solve(
  fare_system *system, const char *parameter, double from, double to, double duration)
{
  fare_grid           *grid = make_grid(system, 16);
  fare_transport_bound bound;
  int                  k = 0;

  while (strcmp(fare_system_type_of(system)->parameters[k].name, parameter)) k++;
  assert_ok(fare_transport_bound_solve(grid, system, 0, k, from, to, duration, &bound));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("%s: %.10g +- %.1e, moved %.8g", parameter, bound.value, bound.error, bound.moved);
  assert_between(bound.moved, 0, bound.value + 1e-6);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
  return bound;
}

static void check(fare_transport_bound bound, double expected, double most)
{
  assert_between(bound.error, 0, most);
  assert_near(bound.value, expected, 2 * bound.error + 1e-6);
}

/* Schmiedl and Seifert, Phys. Rev. Lett. 98, 108301 (2007): l^2/(t + 2), and the breathing trap. */
static void best_drives_of_traps_reach_it(void **state)
{
  const fare_system_type *trap = fare_system_type_find("ornstein_uhlenbeck");
  const double            y    = (2 + sqrt(28)) / 12;
  fare_system            *soft = make_system(trap, 1);

  (void)state;
  check(solve(make_system(trap, 1), "centre", 0, 2, 1), 4. / 3, 1e-5);
  check(solve(make_system(trap, 1), "stiffness", 1, 4, 1),
    0.5 * (4 * y * y - 1) - log(y) + (1 - y) * (1 - y) - 0.5 * log(4), 1e-5);
  assert_ok(fare_system_set(soft, "kT", 0.5));
  assert_ok(fare_system_set(soft, "mobility", 2));
  assert_ok(fare_system_set(soft, "stiffness", 0.5)); /* relaxes in a time of 1, and dissipates half */
  check(solve(soft, "centre", 1, -1, 1), 0.5 * 4. / 3, 1e-5);
}

/*
  On a plane: a trap whose axes are alike is dragged along a diagonal, and breathes; and four wells, whose
  axes know nothing of each other, so that bounds add up.
*/
static fare_transport_bound solve_2d(
  fare_system *first, fare_system *last, const double lower[], const double upper[], double duration)
{
  const PetscInt       cells[] = {16, 16};
  fare_grid           *grid;
  fare_transport_bound bound;

  assert_ok(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, NULL, &grid));
  assert_ok(fare_transport_bound_between(grid, first, last, duration, &bound));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("plane: %.8g +- %.1e, moved %.8g", bound.value, bound.error, bound.moved);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&first));
  assert_ok(fare_system_destroy(&last));
  return bound;
}

static void planes_have_bounds(void **state)
{
  const double y = (2 + sqrt(28)) / 12, low[] = {-5, -5}, high[] = {7, 5}, box[] = {-2.6, -2.6},
               other[]           = {2.6, 2.6};
  const double         breathing = 0.5 * (4 * y * y - 1) - log(y) + (1 - y) * (1 - y) - 0.5 * log(4);
  fare_system         *first, *last;
  fare_transport_bound found, alone;

  (void)state;
  first = make_system(fare_system_type_find("ornstein_uhlenbeck"), 2);
  last  = make_system(fare_system_type_find("ornstein_uhlenbeck"), 2);
  assert_ok(fare_system_set(last, "centre", 2));
  assert_ok(fare_system_set(last, "stiffness", 4));
  found = solve_2d(first, last, low, high, 1);
  /* along the axis of the drag: with the mean m, the least of m^2 + 2 (2 - m)^2, which is 8/3 */
  assert_near(found.value, 8. / 3 + 2 * breathing, 2 * found.error);
  assert_between(found.error, 0, 0.02 * found.value);
  assert_near(found.moved, 16. / 9 + 2 * (1 - y) * (1 - y), 0.03 * found.value);

  alone = solve(make_system(fare_system_type_find("double_well"), 1), "tilt", 0, 1.5, 1); /* kT = 1 */
  first = make_system(fare_system_type_find("quadruple_well"), 2);
  last  = make_system(fare_system_type_find("quadruple_well"), 2);
  assert_ok(fare_system_set(last, "tilt", 1.5));
  assert_ok(fare_system_set(last, "tilt_y", -1.5));
  assert_ok(fare_system_set(first, "kT", 1));
  assert_ok(fare_system_set(last, "kT", 1));
  for (int axis = 0; axis < 2; axis++) {
    assert_ok(fare_system_set(first, axis ? "asymmetry_y" : "asymmetry_x", 0));
    assert_ok(fare_system_set(last, axis ? "asymmetry_y" : "asymmetry_x", 0));
  }
  found = solve_2d(first, last, box, other, 1);
  assert_near(found.value, 2 * alone.value, 2 * found.error);
  assert_between(found.error, 0, 0.03 * found.value);
}

/* In space, on 24 cells per axis: a trap is dragged. */
static void spaces_have_bounds(void **state)
{
  const PetscInt          cells[] = {8, 8, 8};
  const double            low[] = {-4, -4, -4}, high[] = {5.5, 4, 4};
  const fare_system_type *trap  = fare_system_type_find("ornstein_uhlenbeck");
  fare_system            *first = make_system(trap, 3), *last = make_system(trap, 3);
  fare_grid              *grid;
  fare_transport_bound    bound;

  (void)state;
  assert_ok(fare_system_set(last, "centre", 1.5));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 3, cells, low, high, NULL, &grid));
  assert_ok(fare_transport_bound_between(grid, first, last, 1, &bound));
  if (getenv("FARE_TEST_SHOW")) fare_log("space: %.8g +- %.1e", bound.value, bound.error);
  assert_near(bound.value, 0.75, 2 * bound.error);
  assert_between(bound.error, 0, 0.1 * bound.value);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&first));
  assert_ok(fare_system_destroy(&last));
}

static void four_wells_agree_with_another_program(void **state)
{
  const fare_system_type *prinz = fare_system_type_find("prinz");

  (void)state;
  /* by the dual problem, max over psi of <psi^c> in p_0 less ln <exp(-psi)> in p_1, on 6001 points */
  assert_near(solve(make_system(prinz, 1), "tilt", 0, 2, 1).value, 0.142022, 1e-5);
  assert_near(solve(make_system(prinz, 1), "tilt", 0, 2, 10).value, 0.018822, 1e-5);
  /* at once, all is dissipated: KL(p_0 || p_1) */
  check(solve(make_system(prinz, 1), "tilt", 0, 2, 1e-7), 0.434938, 1e-4);
}

/* A tilt in a narrow box, flat at first: slow enough, nothing is dissipated; at once, the divergence. */
static void walls_hold_what_is_moved(void **state)
{
  static fare_system_type box;
  const double            Z = (exp(1.5) - exp(-1.5)) / 1.5; /* of exp(1.5 x), over [-1, 1] */

  (void)state;
  box          = *fare_system_type_find("ornstein_uhlenbeck");
  box.lower[0] = -1;
  box.upper[0] = 1;
  for (int k = 0; k < 2; k++) {
    fare_system *system = make_system(&box, 1);

    assert_ok(fare_system_set(system, "stiffness", 1e-6));
    check(solve(system, "tilt", 0, 1.5, k ? 1e9 : 1e-9), k ? 0 : log(Z / 2), 1e-4);
  }
}

/* A trap that widens until its walls hold it, with next to no mass at them before. */
static void walls_hold_what_comes_to_them(void **state)
{
  static fare_system_type box;
  const double            Z0 = sqrt(2 * M_PI / 50), Z1 = sqrt(20 * M_PI) * erf(1.5 / sqrt(20));

  (void)state;
  box          = *fare_system_type_find("ornstein_uhlenbeck");
  box.lower[0] = -1.5;
  box.upper[0] = 1.5;
  check(solve(make_system(&box, 1), "stiffness", 50, 0.1, 1e9), 0, 1e-4);
  check(solve(make_system(&box, 1), "stiffness", 50, 0.1, 1e-9), log(Z1 / Z0) + 0.5 * (0.1 / 50 - 1), 1e-4);
  assert_between(solve(make_system(&box, 1), "stiffness", 50, 0.1, 4).value, 0.01, 2);
}

/* A double well is made steeper, in lengths and energies of any size. */
static void units_do_not_matter(void **state)
{
  const double unit[] = {1, 1. / (1 << 20)}, energy[] = {1, 1. / (1 << 18)};
  double       found[2];

  (void)state;
  for (int i = 0; i < 2; i++) {
    const double         lower = -2.6 * unit[i], upper = 2.6 * unit[i];
    const PetscInt       cells = 16;
    char                 yaml[512];
    fare_config         *config;
    fare_system         *first, *last;
    fare_grid           *grid;
    fare_transport_bound bound;

    snprintf(yaml, sizeof yaml,
      "{expression: {potential: height*%.17g*((x/%.17g)^2 - 1)^2, lower: [%.17g], upper: [%.17g]}, "
      "parameters: "
      "{height: 1, kT: %.17g, mobility: %.17g}}",
      energy[i], unit[i], lower, upper, 0.5 * energy[i], 8 * unit[i] * unit[i] / energy[i]);
    assert_ok(fare_config_parse("plan.yaml", yaml, strlen(yaml), &config));
    assert_ok(fare_system_from_config(fare_config_root(config), NULL, &first));
    assert_ok(fare_system_from_config(fare_config_root(config), NULL, &last));
    assert_ok(fare_system_set(last, "height", 1.2));
    assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, NULL, &grid));
    assert_ok(fare_transport_bound_between(grid, first, last, 0.125, &bound));
    found[i] = bound.value / energy[i];
    assert_between(bound.error, 0, 1e-4 * bound.value);
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&first));
    assert_ok(fare_system_destroy(&last));
    fare_config_destroy(&config);
  }
  assert_near(found[1] / found[0], 1, 1e-6);
}

static void what_it_is_not_for_is_refused(void **state)
{
  fare_system         *system  = make_system(&washboard, 1), *plane;
  fare_grid           *grid    = make_grid(system, 16);
  const PetscInt       cells[] = {16, 16};
  const double         lower[] = {-4, -4}, upper[] = {4, 4};
  const fare_boundary  ring[] = {FARE_BOUNDARY_REFLECTING, FARE_BOUNDARY_PERIODIC};
  fare_transport_bound bound;

  (void)state;
  assert_int_equal(fare_transport_bound_solve(grid, system, 0, HEIGHT, 1, 2, 1, &bound), FARE_ERR_INPUT);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
  plane = make_system(fare_system_type_find("ornstein_uhlenbeck"), 2);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, ring, &grid));
  assert_int_equal(fare_transport_bound_solve(grid, plane, 0, FARE_OWN, 1, 2, 1, &bound), FARE_ERR_INPUT);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&plane));
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(best_drives_of_traps_reach_it),
    cmocka_unit_test(planes_have_bounds),
    cmocka_unit_test(spaces_have_bounds),
    cmocka_unit_test(four_wells_agree_with_another_program),
    cmocka_unit_test(walls_hold_what_is_moved),
    cmocka_unit_test(walls_hold_what_comes_to_them),
    cmocka_unit_test(units_do_not_matter),
    cmocka_unit_test(what_it_is_not_for_is_refused),
  };

  return fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
