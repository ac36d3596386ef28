/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,4 timeout=300 */
/* Sections `analysis:` of a plan: what is read, refused, run and kept. */
#include "analyses.h"

static void bad_sections_are_one_clear_line(void **state)
{
  const struct {
    const char *yaml, *message;
  } cases[] = {
    {"analysis: {name: a}", "plan.yaml:1:11: analysis: expected a list"},
    {"analysis: [{name: a, kind: statonary}]", "did you mean 'stationary'?"},
    {"analysis: [{name: a, kind: stationary, mesh: true}]", "unknown key 'mesh' (did you mean 'meshes'?)"},
    {"analysis: [{name: a}]", "missing key 'kind'"},
    {"analysis: [{name: a, kind: stationary}, {name: a, kind: relaxation}]",
      "there is an analysis 'a' already"},
    {"analysis: [{name: a b, kind: stationary}]", "expected a name of letters"},
    {"analysis: [{name: a, kind: relaxation, count: 500}]", "from 1 to 32"},
    {"analysis: [{name: a, kind: passage}]", "expected one of 'target' and 'leave', got neither"},
    {"analysis: [{name: a, kind: passage, target: {lower: [5]}}]", "lies outside the truth's box, [-2, 2]"},
    {"analysis: [{name: a, kind: passage, target: []}]", "got an empty list"},
    {"analysis: [{name: a, kind: passage, target: {}}]", "got neither"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1], upper: [0]}}]",
      "upper must lie above lower, got 0 and 1"},
    {"analysis: [{name: a, kind: passage, target: {lower: [0.01], upper: [0.011]}}]",
      "contains no cell centre"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1, 2]}}]",
      "expected 1 number for a 1-dimensional system, got 2"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1]}, points: [7]}]",
      "7 lies outside the truth's box"},
    {"analysis: [{name: a, kind: passage, target: {lower: [1]}, points: [[0, 0]]}]",
      "expected a point, a list of 1 number"},
    {"analysis:\n  - {name: a, kind: committor, a: {upper: [0.5]},\n     b: {lower: [0.4]}}",
      "plan.yaml:3:9: analysis[0].b: the sets a and b overlap"},
    {"analysis: [{name: a, kind: committor, a: {upper: [0.5]}}]", "missing key 'b'"},
    {"analysis: [{name: a, kind: periodic, period: 1}]", "no parameter is driven"},
  };

  (void)state;
  for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);
    section      s;

    assert_int_equal(read_section(system, 64, cases[c].yaml, &s), FARE_ERR_INPUT);
    if (!strstr(fare_error_message(), cases[c].message))
      fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    if (strncmp(fare_error_message(), "plan.yaml:", 10)) fail_msg("no place in '%s'", fare_error_message());
    assert_null(strchr(fare_error_message(), '\n'));
    free_section(&s);
  }
}

/*
  Absorbing ends: nothing is stationary, which one analysis says while the others go on; the slowest rate is
  that of escape, 1/(mean time) for long.
*/
static void absorbing_ends_are_respected(void **state)
{
  const char *yaml =
    "analysis: [{name: steady, kind: stationary}, {name: rates, kind: relaxation, count: 2}, {name: over, "
    "kind: committor, a: {upper: [-0.2]}, b: {lower: [0.2]}, points: [0.05]}]";
  const fare_boundary end[]   = {FARE_BOUNDARY_ABSORBING};
  const PetscInt      cells   = 400;
  const double        lower[] = {-1}, upper[] = {1};
  fare_system        *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  double              value;
  section             s;

  (void)state;
  assert_ok(fare_system_set(system, "stiffness", 1e-6));
  assert_ok(read_section(system, cells, yaml, &s));
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, lower, upper, end, &s.grid));
  assert_ok(fare_analyses_run(s.count, s.analysis, s.grid, NULL, &s.result));
  assert_int_equal(fare_analysis_value(s.result[0], "velocity", 0, &value, NULL), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "no stationary density: axis x has an absorbing boundary"));
  /* free diffusion between walls at -1 and 1: pi^2/4 and pi^2 */
  check_value(&s, 1, "rate", 0, M_PI * M_PI / 4, 1.2, 1e-3);
  check_value(&s, 1, "rate", 1, M_PI * M_PI, 1.2, 1e-3);
  check_value(&s, 2, "committor", 0, 0.25 / 0.4, 4, 1e-4);
  assert_int_equal(fare_analysis_value(s.result[2], "flux", 0, &value, NULL), FARE_ERR_INPUT);
  free_section(&s);
}

static void a_period_must_be_one(void **state)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);
  section      s;

  (void)state;
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  assert_int_equal(
    read_section(system, 64, "analysis: [{name: a, kind: periodic, period: 0.7}]", &s), FARE_ERR_INPUT);
  assert_non_null(
    strstr(fare_error_message(), "plan.yaml:1:46: analysis[0].period: the drive does not repeat after 0.7"));
  free_section(&s);
}

/* Sections are written so that they read back to the same, and what was found is in the file as computed. */
static void sections_and_findings_are_kept(void **state)
{
  const char *yaml =
    "analysis:\n  - {name: over, kind: committor, a: {upper: [-0.3]}, b: [{lower: [0.3], upper: [0.9]}, "
    "{lower: [0.9]}], points: [0.05, -0.1]}\n  - {name: steady, kind: stationary, estimate: false}\n";
  fare_system *system  = make_system(fare_system_type_find("prinz"), 1),
              *other   = make_system(fare_system_type_find("prinz"), 1);
  fare_text      first = {0}, second = {0};
  double         kept[2], value, error, density[128], sum = 0;
  char           path[64];
  fare_store    *store;
  section        s, again;
  const uint64_t start = 0, two = 2, all = 128;

  (void)state;
  run_section(system, 128, yaml, &s);
  fare_analyses_write(s.count, s.analysis, &first);
  assert_ok(read_section(other, 128, first.text, &again));
  fare_analyses_write(again.count, again.analysis, &second);
  assert_string_equal(first.text, second.text);
  free_section(&again);
  fare_text_free(&first);
  fare_text_free(&second);

  snprintf(path, sizeof path, "test_analysis_%d.h5", (int)s.grid->cells[0]);
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_analyses_save(s.result, store));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_read(store, "/analysis/over/committor", FARE_STORE_FLOAT64, 1, &start, &two, kept));
  assert_ok(fare_analysis_value(s.result[0], "committor", 1, &value, &error));
  assert_true(kept[1] == value && !isnan(error));
  assert_ok(
    fare_store_read(store, "/analysis/over/committor_error", FARE_STORE_FLOAT64, 1, &start, &two, kept));
  assert_true(kept[1] == error);
  assert_ok(
    fare_store_read(store, "/analysis/steady/meshes/density", FARE_STORE_FLOAT64, 1, &start, &all, density));
  for (int i = 0; i < 128; i++) sum += density[i] * s.grid->spacing[0];
  assert_near(sum, 1, 1e-13);
  assert_ok(fare_analysis_value(s.result[1], "velocity", 0, &value, &error));
  assert_true(isnan(error));
  assert_int_equal(fare_analysis_value(s.result[1], "rate", 0, &value, &error), FARE_ERR_INPUT);
  assert_ok(fare_store_close(&store));
  free_section(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(bad_sections_are_one_clear_line),
  cmocka_unit_test(absorbing_ends_are_respected),
  cmocka_unit_test(a_period_must_be_one),
  cmocka_unit_test(sections_and_findings_are_kept),
};
FARE_TEST_MAIN(tests)
