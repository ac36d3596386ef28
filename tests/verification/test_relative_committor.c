/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Committors with relative errors, however small they are: against quadrature, and against other grids and
  other steps in time of programs that share nothing with FARE.
*/
#include "analyses.h"

static void check_log(const section *s, size_t analysis, size_t i, double exact, double relative)
{
  double value, error, log_value, log_error;

  assert_ok(fare_analysis_value(s->result[analysis], "ln_committor", i, &log_value, &log_error));
  assert_ok(fare_analysis_value(s->result[analysis], "committor", i, &value, &error));
  if (getenv("FARE_TEST_SHOW"))
    fare_log("%zu %zu: %.9g +- %.1e, expected %.9g, ln off by %.1e, bar %.1e", analysis, i, value, error,
      exact, log_value - log(exact), log_error);
  assert_near(log_value, log(exact), 2 * log_error + 1e-9);
  assert_between(log_error, 0, relative);
  assert_near(value, exp(log_value), 1e-12 * value);
  assert_near(error, log_error * value, 0.01 * error);
}

/* Down to 1e-16, and a thousandth from a. */
static void static_committors_have_relative_bars(void **state)
{
  const double at[] = {-0.9, -0.99, -0.999, -0.5, 0.3}, temperature[] = {0.05, 0.03};

  (void)state;
  for (int k = 0; k < 2; k++) {
    const double kT = temperature[k], all = integral(two_wells, kT, 1, -1, 0.5, 0, 0);
    fare_system *system = make_system(fare_system_type_find("double_well"), 1);
    section      s;

    assert_ok(fare_system_set(system, "kT", kT));
    run_section(system, 2048,
      "analysis: [{name: q, kind: committor, a: {upper: [-1]}, b: {lower: [0.5]}, relative: true, points: "
      "[-0.9, -0.99, -0.999, -0.5, 0.3]}]",
      &s);
    for (size_t i = 0; i < 5; i++)
      check_log(&s, 0, i, integral(two_wells, kT, 1, -1, at[i], 0, 0) / all, 1e-3);
    free_section(&s);
  }
}

/* Implicit Euler steps of a program in Python, extrapolated; the last digit is as that of its steps. */
static void driven_committors_have_relative_bars(void **state)
{
  const struct {
    double kT, amplitude, exact, known;
  } cases[] = {{0.5, 1, 1.651013e-2, 1e-6}, {0.25, 1, 1.5014e-6, 1e-4}, {0.25, 3, 1.5585e-5, 1e-4},
    {0.12, 1, 6.646e-16, 5e-4}};

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(cases); c++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);
    double       value, error;
    section      s;

    assert_ok(fare_system_set(system, "kT", cases[c].kT));
    assert_ok(fare_system_drive_sine(system, "tilt", cases[c].amplitude, 1, 0));
    run_section_on(PETSC_COMM_SELF, system, 1024,
      "analysis: [{name: q, kind: driven_committor, span: 1, after: over, relative: true, tolerance: 1e-5, "
      "a: {upper: [-1.6]}, b: {lower: [0.5]}, points: [-0.7], meshes: false}]",
      &s);
    assert_ok(fare_analysis_value(s.result[0], "ln_committor", 0, &value, &error));
    if (getenv("FARE_TEST_SHOW"))
      fare_log("kT %g: ln q off by %.1e, bar %.1e", cases[c].kT, value - log(cases[c].exact), error);
    assert_near(value, log(cases[c].exact), 1.5 * error + cases[c].known);
    assert_between(error, 0, 5e-3);
    free_section(&s);
  }
}

/* What repeats, what stands still, and what solves without relative accuracy agree where all hold. */
static void periods_agree_with_other_steps(void **state)
{
  const char *keys = "period: 1, starts: 3, a: {upper: [-0.6]}, b: {lower: [0.5]}, points: [-0.55, 0]";
  char        yaml[512];
  section     s;

  (void)state;
  for (int driven = 0; driven < 2; driven++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);

    assert_ok(fare_system_set(system, "kT", 0.5));
    assert_ok(fare_system_drive_sine(system, "tilt", driven ? 3 : 0, 1, 0));
    snprintf(yaml, sizeof yaml,
      "analysis:\n  - {name: p, kind: driven_committor, relative: true, %s}\n"
      "  - {name: q, kind: driven_committor, tolerance: 1e-7, %s}\n"
      "  - {name: r, kind: committor, relative: true, a: {upper: [-0.6]}, b: {lower: [0.5]}, points: [-0.55, "
      "0]}\n",
      keys, keys);
    run_section_on(PETSC_COMM_SELF, system, 256, yaml, &s);
    for (size_t i = 0; i < 6; i++) {
      double p, q, still;

      assert_ok(fare_analysis_value(s.result[0], "ln_committor", i, &p, NULL));
      assert_ok(fare_analysis_value(s.result[1], "committor", i, &q, NULL));
      assert_ok(fare_analysis_value(s.result[2], "ln_committor", i % 2, &still, NULL));
      assert_near(p, log(q), 2e-6);
      if (!driven) assert_near(p, still, 2e-6);
    }
    free_section(&s);
  }
}

static void what_has_no_logarithm_is_refused(void **state)
{
  section s;

  (void)state;
  assert_int_equal(read_section(make_system(fare_system_type_find("double_well"), 1), 256,
                     "analysis: [{name: q, kind: committor, a: {upper: [-1]}, b: {lower: [0.5]}, relative: "
                     "true, points: [0, -1.2]}]",
                     &s),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "the point lies in a or b"));
  free_section(&s);
  assert_int_equal(read_section(make_system(fare_system_type_find("double_well"), 1), 256,
                     "analysis: [{name: q, kind: committor, a: {upper: [-1]}, b: {lower: [0.5]}, relative: "
                     "true}]",
                     &s),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "relative: true needs points"));
  free_section(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(static_committors_have_relative_bars),
  cmocka_unit_test(driven_committors_have_relative_bars),
  cmocka_unit_test(periods_agree_with_other_steps),
  cmocka_unit_test(what_has_no_logarithm_is_refused),
};
FARE_TEST_MAIN(tests)
