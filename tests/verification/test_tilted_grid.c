/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/* Scaled cumulants against identities that hold on the same grid, and a closed form of two axes. */
#include "analyses.h"

static fare_tilted solve(
  const fare_grid *grid, const fare_system *system, const fare_observable *of, double s)
{
  fare_tilted found;

  assert_ok(fare_tilted_solve(grid, system, 0, of, s, &found));
  assert_ok(VecDestroy(&found.right));
  return found;
}

/* Gallavotti and Cohen: s and -push/kT - s of displacement, s and -1 - s of entropy, s and -1/kT - s of heat.
 */
static void fluctuations_are_symmetric(void **state)
{
  const double kT = 0.7, push = 0.9;
  const struct {
    fare_observable of;
    double          sum;
  } cases[] = {{{FARE_OF_DISPLACEMENT, 0, 0, NULL}, -push / kT}, {{FARE_OF_ENTROPY, 0, 0, NULL}, -1},
    {{FARE_OF_HEAT, 0, 0, NULL}, -1 / kT}, {{FARE_OF_WORK, 0, 0, NULL}, -1 / kT}};
  fare_system *system = make_system(&washboard, 1);
  fare_grid   *grid;

  (void)state;
  assert_ok(fare_system_set(system, "kT", kT));
  assert_ok(fare_system_set(system, "push", push));
  grid = make_grid(system, 120);
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    for (double s = 0.1; s < 1; s += 0.4) {
      const fare_tilted one   = solve(grid, system, &cases[c].of, s),
                        other = solve(grid, system, &cases[c].of, cases[c].sum - s);

      assert_near(one.psi, other.psi, 1e-10);
      assert_near(one.slope, -other.slope, 1e-9);
      assert_between(fabs(one.psi), 1e-2, 10);
      assert_between(one.width, 0, 1e-9);
    }
  }
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* psi(s) = s + psi(-s) of the time in one of two wells that are alike; a slope of one half at 0. */
static void wells_share_the_time(void **state)
{
  double                lower = 0, upper = 10;
  const fare_region     right  = {.dim = 1, .boxes = 1, .lower = &lower, .upper = &upper};
  const fare_observable of     = {FARE_OF_OCCUPATION, 0, 0, &right};
  fare_system          *system = make_system(fare_system_type_find("double_well"), 1);
  fare_grid            *grid   = make_grid(system, 200);

  (void)state;
  for (double kT = 0.6; kT > 0.05; kT /= 2) {
    assert_ok(fare_system_set(system, "kT", kT));
    for (double s = 1e-3; s < 2; s *= 10)
      assert_near(solve(grid, system, &of, s).psi, s + solve(grid, system, &of, -s).psi, 1e-10);
    assert_near(solve(grid, system, &of, 0).slope, 0.5, 1e-6);
  }
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

static void slope_at_rest_is_the_velocity(void **state)
{
  const fare_observable of     = {FARE_OF_DISPLACEMENT, 0, 0, NULL};
  fare_system          *system = make_system(&washboard, 1);
  fare_grid            *grid   = make_grid(system, 90);
  const fare_tilted     rest   = solve(grid, system, &of, 0);
  double                velocity[FARE_DIM_MAX];
  fare_solved           solved;
  fare_operator        *op;
  Vec                   P;

  (void)state;
  assert_ok(fare_stationary_solve(grid, system, 0, &P, &solved));
  assert_ok(fare_operator_create(grid, system, &op));
  assert_ok(fare_operator_velocity(op, 0, P, velocity));
  assert_between(velocity[0], 0.05, 1);
  assert_near(rest.slope, velocity[0], 1e-11);
  assert_near(rest.psi, 0, 1e-11);
  assert_ok(VecDestroy(&P));
  assert_ok(fare_operator_destroy(&op));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* psi = k - sqrt(k^2 - 4 omega^2 s (1 + s)) of the entropy of a swirl: its right vector is a Gaussian. */
static void entropy_of_a_swirl(void **state)
{
  static const char yaml[] = "analysis: [{name: a, kind: tilted, of: entropy, tilts: [-0.5, -0.2, 0.02]}]\n";
  static const double tilts[] = {-0.5, -0.2, 0.02};
  section             s;

  (void)state;
  run_section(make_system(&swirl, 2), 64, yaml, &s);
  for (size_t i = 0; i < 3; i++) {
    const double inside = 1 - 4 * 4 * tilts[i] * (1 + tilts[i]);

    check_value(&s, 0, "psi", i, 1 - sqrt(inside), 2, 0.05);
    check_value(&s, 0, "slope", i, 8 * (1 + 2 * tilts[i]) / sqrt(inside), 2, 0.2);
  }
  free_section(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(fluctuations_are_symmetric),
  cmocka_unit_test(wells_share_the_time),
  cmocka_unit_test(slope_at_rest_is_the_velocity),
  cmocka_unit_test(entropy_of_a_swirl),
};
FARE_TEST_MAIN(tests)
