/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,4 timeout=300 */
/* Passage times, committors and rates between sets against quadrature, series and each other. */
#include "analyses.h"

/*
  tau(x) = (1/D) int_x^b dy e^{U(y)/T} int_{-inf}^y dz e^{-U(z)/T}, to a boundary that lies anywhere in a
  cell.
*/
static void passage_times_are_double_integrals(void **state)
{
  const struct {
    const char *name;
    potential   U;
    double      kT, x, b, lower;
    const char *yaml;
  } cases[] = {
    {"ornstein_uhlenbeck", harmonic, 1, -0.5, 1.5, -6,
      "analysis: [{name: up, kind: passage, target: {lower: [1.5]}, points: [-0.5, 2.0]}]"},
    {"double_well", two_wells, 0.25, -1, 0, -3.5,
      "analysis: [{name: top, kind: passage, target: {lower: [0]}, points: [[-1]]}]"},
    {"double_well", two_wells, 0.25, -1, 0.7321, -3.5,
      "analysis: [{name: over, kind: passage, target: {lower: [0.7321], upper: [3]}, points: [-1.0]}]"},
  };

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system *system = make_system(fare_system_type_find(cases[c].name), 1);
    const double exact =
      integral(cases[c].U, cases[c].kT, 1, cases[c].x, cases[c].b, 1, cases[c].lower) / cases[c].kT;
    double  value;
    section s;

    assert_ok(fare_system_set(system, "kT", cases[c].kT));
    run_section(system, 1024, cases[c].yaml, &s);
    /* where cells cut the boundary differently on the two grids the estimate is one of size alone */
    check_value(&s, 0, "time", 0, exact, 4, 2e-4);
    if (c == 0) {
      assert_ok(fare_analysis_value(s.result[0], "time", 1, &value, NULL));
      assert_true(value == 0);
    }
    free_section(&s);
  }
}

/* The error stays of second order, in the cells, wherever the boundary lies in its cell. */
static void boundaries_are_exact_to_second_order(void **state)
{
  const double exact    = integral(harmonic, 1, 1, 0, 1.2, 1, -6);
  double       worst[2] = {0, 0};

  (void)state;
  for (int k = 0; k < 2; k++) {
    for (int i = 0; i < 8; i++) {
      double       b = 1.2, point[1] = {0}, tau, shift = 0.01 * i; /* an eighth of the wider cells */
      fare_region  target = {.dim = 1, .boxes = 1, .lower = (double[]){b}, .upper = (double[]){100}};
      fare_system *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
      PetscInt     cells  = 150 << k;
      fare_solved  solved;
      fare_grid   *grid;
      Vec          times;

      assert_ok(fare_grid_create(
        PETSC_COMM_WORLD, 1, &cells, (double[]){-6 + shift}, (double[]){6 + shift}, NULL, &grid));
      assert_ok(fare_passage_solve(grid, system, 0, &target, &times, &solved));
      assert_ok(fare_grid_interpolate(grid, times, 1, point, &tau));
      worst[k] = PetscMax(worst[k], fabs(tau - exact));
      assert_ok(VecDestroy(&times));
      assert_ok(fare_grid_destroy(&grid));
      assert_ok(fare_system_destroy(&system));
    }
  }
  if (getenv("FARE_TEST_SHOW")) fare_log("passage at 150 and 300 cells: off %.2e, %.2e", worst[0], worst[1]);
  assert_between(worst[0], 1e-6, 1e-3);
  assert_between(log2(worst[0] / worst[1]), 1.8, 2.2);
}

/*
  q(x) = int_a^x e^{U/T} / int_a^b e^{U/T}, flux D/(Z int_a^b e^{U/T}), and detailed balance: k_ab/k_ba from
  q.
*/
static void committors_are_integrals(void **state)
{
  const double T = 0.4, a = -0.9, b = 0.83, top = 0.1;
  const double barrier = integral(two_wells, T, 1, a, b, 0, 0),
               Z       = integral(two_wells, T, -1, -3.5, 3.5, 0, 0);
  const double flux    = T / (Z * barrier);
  fare_system *system  = make_system(fare_system_type_find("double_well"), 1);
  double       rate_ab, rate_ba, imbalance, from_a, here = 0;
  section      s;

  (void)state;
  /* <1 - q> over exp(-U/T) */
  for (int i = 0; i < 2000; i++) {
    const double x = a + (b - a) * (i + 0.5) / 2000;

    here += (b - a) / 2000 * exp(-two_wells(x) / T) * integral(two_wells, T, 1, x, b, 0, 0) / barrier;
  }
  from_a = (integral(two_wells, T, -1, -3.5, a, 0, 0) + here) / Z;
  assert_ok(fare_system_set(system, "kT", T));
  run_section(system, 1400,
    "analysis: [{name: over, kind: committor, a: {upper: [-0.9]}, b: [{lower: [0.83], upper: [1.5]}, {lower: "
    "[1.5]}], points: [-0.5, 0.1, 1.0]}]",
    &s);
  check_value(&s, 0, "committor", 0, integral(two_wells, T, 1, a, -0.5, 0, 0) / barrier, 4, 1e-4);
  check_value(&s, 0, "committor", 1, integral(two_wells, T, 1, a, top, 0, 0) / barrier, 4, 1e-4);
  check_value(&s, 0, "committor", 2, 1, 1, 1e-4);
  check_value(&s, 0, "flux", 0, flux, 4, 1e-4);
  check_value(&s, 0, "rate_ab", 0, flux / from_a, 4, 1e-4);
  check_value(&s, 0, "rate_ba", 0, flux / (1 - from_a), 4, 1e-4);
  assert_ok(fare_analysis_value(s.result[0], "rate_ab", 0, &rate_ab, NULL));
  assert_ok(fare_analysis_value(s.result[0], "rate_ba", 0, &rate_ba, NULL));
  assert_ok(fare_analysis_value(s.result[0], "imbalance", 0, &imbalance, NULL));
  assert_between(imbalance, 0, 1e-10);
  free_section(&s);
}

/*
  Once around a pushed ring: a -> b and back through the other side. Both fluxes agree, and pi q- is no longer
  pi (1 - q+).
*/
static void reactions_without_detailed_balance(void **state)
{
  fare_region a = {.dim = 1, .boxes = 1, .lower = (double[]){-0.5}, .upper = (double[]){0.5}},
              b = {.dim = 1, .boxes = 2, .lower = (double[]){2.6, -M_PI}, .upper = (double[]){M_PI, -2.6}};
  fare_system  *system = make_system(&washboard, 1);
  double        mean[2], flux[2];
  fare_grid    *grid;
  fare_reaction there, back;
  fare_solved   solved;
  Vec           pi, reversed;

  (void)state;
  assert_ok(fare_system_set(system, "push", 0.8));
  for (int k = 0; k < 2; k++) {
    grid = make_grid(system, 400 << k);
    assert_ok(fare_stationary_solve(grid, system, 0, &pi, &solved));
    assert_ok(fare_reaction_solve(grid, system, 0, &a, &b, pi, &there, &solved));
    assert_ok(fare_reaction_solve(grid, system, 0, &b, &a, pi, &back, &solved));
    assert_near(there.flux_a, there.flux_b, 1e-9 * there.flux_b);
    /* in a steady state as many go as come back; the time is shared */
    assert_near(there.flux_b, back.flux_b, 2e-3 * there.flux_b / (1 << 2 * k));
    assert_ok(VecDuplicate(pi, &reversed));
    assert_ok(VecWAXPY(reversed, 1, there.reactive, back.reactive));
    assert_between(l1_distance(reversed, pi), 0, 1e-9);
    assert_ok(VecPointwiseMult(reversed, pi, there.committor));
    assert_true(l1_distance(reversed, back.reactive) > 0.05);
    flux[k] = there.flux_b;
    mean[k] = there.rate_ab;
    assert_ok(VecDestroy(&reversed));
    assert_ok(VecDestroy(&pi));
    assert_ok(fare_reaction_free(&there));
    assert_ok(fare_reaction_free(&back));
    assert_ok(fare_grid_destroy(&grid));
  }
  assert_near(flux[0], flux[1], 1e-3 * flux[1]);
  assert_near(mean[0], mean[1], 1e-3 * mean[1]);
  assert_ok(fare_system_destroy(&system));
}

/*
  A barrier of 12.5 kT: the first rate is the sum of the rates of both wells, by committor and by passage
  time, and they follow the double integral.
*/
static void rare_events_agree(void **state)
{
  const double T      = 0.08;
  const double tau    = integral(two_wells, T, 1, -1, 1, 1, -3.5) / T;
  fare_system *system = make_system(fare_system_type_find("double_well"), 1);
  double       first, ab, ba, mean, escape, residual;
  section      s;

  (void)state;
  assert_ok(fare_system_set(system, "kT", T));
  run_section(system, 1400,
    "analysis:\n"
    "  - {name: rates, kind: relaxation, count: 3}\n"
    "  - {name: over, kind: committor, a: {upper: [-1]}, b: {lower: [1]}}\n"
    "  - {name: passage, kind: passage, target: {lower: [1]}, from: {lower: [-1.2], upper: [-0.8]}, points: "
    "[-1]}\n"
    "  - {name: escape, kind: passage, leave: {upper: [0]}}\n",
    &s);
  check_value(&s, 2, "time", 0, tau, 4, 2e-3 * tau);
  assert_ok(fare_analysis_value(s.result[0], "rate", 1, &first, NULL));
  assert_ok(fare_analysis_value(s.result[1], "rate_ab", 0, &ab, NULL));
  assert_ok(fare_analysis_value(s.result[1], "rate_ba", 0, &ba, NULL));
  assert_ok(fare_analysis_value(s.result[2], "mean", 0, &mean, NULL));
  assert_ok(fare_analysis_value(s.result[3], "rate", 0, &escape, NULL));
  assert_ok(fare_analysis_value(s.result[3], "residual", 0, &residual, NULL));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("first rate %.9g, rates %.9g + %.9g, 2/tau %.9g, escape %.9g, residual %.1e, 1/tau exact %.9g",
      first, ab, ba, 2 / mean, escape, residual, 1 / tau);
  assert_near(ab, ba, 1e-6 * ab);
  assert_near(first, ab + ba, 2e-4 * first);
  assert_near(first, 2 / mean, 2e-3 * first);
  assert_near(escape, first, 2e-2 * first);
  free_section(&s);
}

/*
  Mean exit time of free diffusion from a square, at its middle: Poisson's equation by its sine series,
  boundaries within cells.
*/
static void exit_from_a_square(void **state)
{
  const double a      = 1.37;
  double       series = 0, value, error;
  fare_system *system = make_system(&swirl, 2);
  section      s;

  (void)state;
  /* -laplacian u = 1 on (0, 1)^2, at the middle: sum over odd m, n */
  for (int m = 1; m < 400; m += 2)
    series += 4 / pow(M_PI * m, 3) * (m % 4 == 1 ? 1 : -1) * (1 - 1 / cosh(0.5 * M_PI * m));
  assert_near(series, 0.0736713532, 1e-8);
  assert_ok(fare_system_set(system, "stiffness", 0));
  assert_ok(fare_system_set(system, "swirl", 0));
  run_section(system, 128,
    "analysis: [{name: exit, kind: passage, leave: {lower: [-0.67, -0.35], upper: [0.7, 1.02]}, points: "
    "[[0.015, 0.335]]}]",
    &s);
  assert_ok(fare_analysis_value(s.result[0], "time", 0, &value, &error));
  if (getenv("FARE_TEST_SHOW"))
    fare_log(
      "exit from a square %.9g, expected %.9g, estimated error %.1e", value, series * a * a / 0.5, error);
  assert_near(value, series * a * a / 0.5, 5e-3 * value);
  assert_between(error, 1e-6, 5e-3 * value);
  free_section(&s);
}

/*
  From the well at -1 to 0.5, by quadrature to ten digits: the numbers that grids extrapolate are at least 20
  times nearer, by their own error bars and by their errors; a rate stays the inverse of its time. Where the
  boundary lies within cells (the third) and differences do not fall, numbers are those of the grid.
*/
static void extrapolated_times_are_better(void **state)
{
  static const char yaml[] =
    "analysis: [{name: up, kind: passage, target: {lower: [0.5]}, from: {upper: [-1]}, points: [-1.0]}]";
  const struct {
    double     kT, time;
    PetscInt64 cells;
  } cases[] = {{1, 2.703768682, 560}, {0.25, 65.92498421, 1120}, {1, 2.703768682, 600}};

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    const PetscBool cut = c == 2 ? PETSC_TRUE : PETSC_FALSE;
    double          value[2], error[2], mean, rate;
    section         s;

    for (int better = 0; better < 2; better++) {
      fare_system *system = make_system(fare_system_type_find("double_well"), 1);

      assert_ok(fare_system_set(system, "kT", cases[c].kT));
      if (better)
        run_extrapolated(system, cases[c].cells, yaml, &s);
      else
        run_section(system, cases[c].cells, yaml, &s);
      assert_ok(fare_analysis_value(s.result[0], "time", 0, &value[better], &error[better]));
      assert_ok(fare_analysis_value(s.result[0], "mean", 0, &mean, NULL));
      assert_ok(fare_analysis_value(s.result[0], "rate", 0, &rate, NULL));
      assert_near(mean * rate, 1, 1e-12);
      if (getenv("FARE_TEST_SHOW"))
        fare_log("time %.10g, off %.1e, estimated %.1e", value[better], value[better] - cases[c].time,
          error[better]);
      assert_near(value[better], cases[c].time, 2 * error[better]);
      free_section(&s);
    }
    if (cut) {
      assert_true(value[1] == value[0] && error[1] == error[0]);
      continue;
    }
    assert_near(value[1], cases[c].time, 0.05 * fabs(value[0] - cases[c].time));
    assert_between(error[1], 1e-10 * value[1], 0.2 * error[0]);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(extrapolated_times_are_better),
  cmocka_unit_test(passage_times_are_double_integrals),
  cmocka_unit_test(boundaries_are_exact_to_second_order),
  cmocka_unit_test(committors_are_integrals),
  cmocka_unit_test(reactions_without_detailed_balance),
  cmocka_unit_test(rare_events_agree),
  cmocka_unit_test(exit_from_a_square),
};
FARE_TEST_MAIN(tests)
