/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification timeout=120 */
/*
  Sensitivities to a drive: against a closed form, against differences of what other steppers find, and what
  is refused.
*/
#include "analyses.h"

static double number(const section *s, const char *name, size_t i)
{
  double value, error;

  assert_ok(fare_analysis_value(s->result[0], name, i, &value, &error));
  if (getenv("FARE_TEST_SHOW")) fare_log("%s %zu: %.9g +- %.1e", name, i, value, error);
  assert_between(error, 0, 0.02 * PetscMax(0.1, fabs(value)));
  return value;
}

/*
  A trap k = 1 that follows l(t): W is the double integral of l'(t) l'(s) exp(-|t - s|) over 2, so that it
  changes by the integral of -d/dt of phi(t) = the integral of l'(s) exp(-|t - s|), times the change of l.
*/
static void dragged_traps_have_a_closed_form(void **state)
{
  fare_system *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  section      s;

  (void)state;
  drive(system, "{parameter: centre, waveform: ramp, amplitude: 2, start: 0, end: 1}");
  run_section(
    system, 256, "analysis: [{name: w, kind: sensitivity, of: work, span: 1, pieces: 8, steps: 200}]", &s);
  check_value(&s, 0, "value", 0, 4 / M_E, 1.5, 1e-2);
  for (size_t i = 0; i <= 8; i++) {
    double mean = 0, area = 0; /* over a hat, or half of one */

    for (int q = -200; q < 200; q++) {
      const double at = ((double)i + (q + 0.5) / 200) / 8, hat = 1 - fabs(q + 0.5) / 200;

      if (at < 0 || at > 1) continue;
      mean += -2 * (exp(-at) - exp(at - 1)) * hat;
      area += hat;
    }
    check_value(&s, 0, "by_centre", i, mean / area, 1.5, 1e-2);
  }
  check_value(&s, 0, "before_centre", 0, -2 * (1 - exp(-1)), 1.5, 1e-2);
  check_value(&s, 0, "after_centre", 0, 2 * (1 - exp(-1)), 1.5, 1e-2);
  check_value(&s, 0, "total_centre", 0, 0, 1.5, 1e-2);
  free_section(&s);
}

static double gauss(double x)
{
  return exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

/* Its density is a Gaussian, whose mean m changes with the centre at t by exp(t - 1). */
static void a_trap_moves_its_density(void **state)
{
  const double mean   = 2 / M_E;
  fare_system *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  section      s;
  double       lower, moved = 0;

  (void)state;
  lower = fare_system_box(system).lower[0];
  drive(system, "{parameter: centre, waveform: ramp, amplitude: 2, start: 0, end: 1}");
  run_section(system, 128,
    "analysis: [{name: w, kind: sensitivity, of: density, bins: 16, span: 1, pieces: 4, steps: 60}]", &s);
  for (size_t bin = 0; bin < 16; bin++) {
    const double wide = (fare_system_box(system).upper[0] - lower) / 16, a = lower + wide * (double)bin;

    if (fabs(a + 0.5 * wide - mean) > 4) continue;
    check_value(&s, 0, "value", bin,
      0.5 * (erf((a + wide - mean) / M_SQRT2) - erf((a - mean) / M_SQRT2)) / wide, 1.5, 2e-2);
    for (size_t i = 0; i <= 4; i++) {
      double sum = 0, area = 0, value, error;

      for (int q = -200; q < 200; q++) {
        const double at = ((double)i + (q + 0.5) / 200) / 4, hat = 1 - fabs(q + 0.5) / 200;

        if (at < 0 || at > 1) continue;
        sum += exp(at - 1) * hat;
        area += hat;
      }
      assert_ok(fare_analysis_value(s.result[0], "by_centre", bin * 5 + i, &value, &error));
      if (getenv("FARE_TEST_SHOW"))
        fare_log("bin %zu time %zu: %.6g +- %.1e, expected %.6g", bin, i, value, error,
          -(gauss(a + wide - mean) - gauss(a - mean)) / wide * sum / area);
      assert_near(value, -(gauss(a + wide - mean) - gauss(a - mean)) / wide * sum / area, 1.5 * error + 1e-6);
      assert_between(error, 0, 0.02);
      if (i == 2) moved += value * wide;
    }
  }
  assert_near(moved, 0, 1e-3);
  free_section(&s);
}

/* The chance that the event has happened, by the steps of order 4 of committors. */
static double chance(double amplitude, double height)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);
  double       value, error;
  section      s;

  assert_ok(fare_system_set(system, "kT", 0.5));
  assert_ok(fare_system_set(system, "height", height));
  assert_ok(fare_system_drive_sine(system, "tilt", amplitude, 1, 0));
  run_section(system, 256,
    "analysis: [{name: q, kind: driven_committor, span: 1, after: over, tolerance: 1e-8, estimate: false, "
    "b: {lower: [0.5]}, points: [-0.7], meshes: false}]",
    &s);
  assert_ok(fare_analysis_value(s.result[0], "committor", 0, &value, &error));
  free_section(&s);
  return value;
}

/* By the amplitude of the sine, and by a constant parameter. */
static void events_respond_as_differences_say(void **state)
{
  enum { PIECES = 100 };
  const double step = 0.02, by_height = (log(chance(1, 4 + step)) - log(chance(1, 4 - step))) / (2 * step),
               by_amplitude = (log(chance(1 + step, 4)) - log(chance(1 - step, 4))) / (2 * step);
  fare_system *system       = make_system(fare_system_type_find("prinz"), 1);
  double       sum          = 0;
  section      s;

  (void)state;
  assert_ok(fare_system_set(system, "kT", 0.5));
  assert_ok(fare_system_drive_sine(system, "tilt", 1, 1, 0));
  run_section(system, 256,
    "analysis: [{name: p, kind: sensitivity, of: event, span: 1, b: {lower: [0.5]}, point: [-0.7], pieces: "
    "100, "
    "parameters: [height]}]",
    &s);
  check_value(&s, 0, "value", 0, 1.651011e-2, 1.5, 1e-2);
  for (size_t i = 0; i <= PIECES; i++) {
    double value;

    assert_ok(fare_analysis_value(s.result[0], "by_tilt", i, &value, NULL));
    sum += value * sin(2 * M_PI * (double)i / PIECES) / PIECES;
  }
  if (getenv("FARE_TEST_SHOW"))
    fare_log("by amplitude: %.8g, expected %.8g; by height: expected %.8g", sum, by_amplitude, by_height);
  assert_near(sum, by_amplitude, 2e-3 * fabs(by_amplitude));
  assert_near(number(&s, "total_height", 0), by_height, 1e-3 * fabs(by_height));
  free_section(&s);
}

/* Where the density at the start is not Boltzmann's, nothing tells how it follows the values before. */
static void unknown_starts_are_not_counted(void **state)
{
  fare_system *system = make_system(&swirl, 2);
  double       value;
  section      s;

  (void)state;
  drive(system, "{parameter: stiffness, waveform: ramp, amplitude: 1, start: 0, end: 1}");
  run_section(system, 16,
    "analysis: [{name: m, kind: sensitivity, of: moment, power: 2, span: 1, pieces: 2, steps: 40}]", &s);
  assert_ok(fare_analysis_value(s.result[0], "by_stiffness", 1, &value, NULL));
  assert_between(value, -1, -1e-3);
  assert_ok(fare_analysis_value(s.result[0], "before_stiffness", 0, &value, NULL));
  assert_true(isnan(value));
  assert_ok(fare_analysis_value(s.result[0], "total_stiffness", 0, &value, NULL));
  assert_true(isnan(value));
  free_section(&s);
}

static void bad_sections_say_why(void **state)
{
  const struct {
    const char *keys, *message;
  } cases[] = {
    {"of: event, span: 1", "missing key 'b'"},
    {"of: work, span: 1, b: {lower: [1]}", "only 'of: event' has this key"},
    {"of: occupation, span: 1", "missing key 'region'"},
    {"of: work, span: 1, parameters: [speed]", "has no parameter 'speed'"},
    {"of: work, span: 1, parameters: [tilt, tilt]", "'tilt' is there twice"},
    {"of: work, span: 1, parameters: [kT]", "no derivative by kT"},
    {"of: moment, span: 1, axis: y", "there is no axis 'y'"},
    {"of: event, span: 1, b: {lower: [0.5]}, point: [0.7]", "the point lies in a or b"},
    {"of: event, span: 1, b: {lower: [0.5]}, point: [0.1, 0.2]", "expected one point, got 2"},
    {"of: event, span: 1, a: {upper: [0.6]}, b: {lower: [0.5]}", "the sets a and b overlap"},
  };
  fare_system *still = make_system(fare_system_type_find("prinz"), 1);
  section      s;

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(cases); c++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);
    char         yaml[256];

    assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
    snprintf(yaml, sizeof yaml, "analysis: [{name: a, kind: sensitivity, %s}]", cases[c].keys);
    assert_int_equal(read_section(system, 64, yaml, &s), FARE_ERR_INPUT);
    if (!strstr(fare_error_message(), cases[c].message))
      fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    if (strncmp(fare_error_message(), "plan.yaml:", 10)) fail_msg("no place in '%s'", fare_error_message());
    free_section(&s);
  }
  assert_int_equal(read_section(still, 64, "analysis: [{name: a, kind: sensitivity, of: work, span: 1}]", &s),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "no parameter is driven"));
  free_section(&s);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(dragged_traps_have_a_closed_form),
    cmocka_unit_test(a_trap_moves_its_density),
    cmocka_unit_test(events_respond_as_differences_say),
    cmocka_unit_test(unknown_starts_are_not_counted),
    cmocka_unit_test(bad_sections_say_why),
  };

  return fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
