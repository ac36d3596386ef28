/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification timeout=120 */
/* Best drives against closed forms and another program's, and what is refused. */
#include "analyses.h"

#include <fare/control.h>

typedef struct {
  fare_config         *config;
  fare_system         *system;
  fare_grid           *grid;
  fare_control        *control;
  fare_control_results found;
} study;

static PetscErrorCode read_control(const char *type, const char *yaml, study *s)
{
  static const fare_truth_options truth = {.cells = {0, NULL}};

  memset(s, 0, sizeof *s);
  s->system = make_system(fare_system_type_find(type), 1);
  assert_ok(fare_config_parse("plan.yaml", yaml, strlen(yaml), &s->config));
  return fare_control_from_config(
    fare_node_find(fare_config_root(s->config), "control"), s->system, &truth, &s->control);
}

static const fare_control_result *run_control(
  const char *type, double lower, double upper, PetscInt cells, const char *yaml, study *s)
{
  const fare_control_result *r;

  assert_ok(read_control(type, yaml, s));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, NULL, &s->grid));
  assert_ok(fare_control_run(s->control, s->grid, &s->found));
  assert_int_equal(s->found.count, 1);
  r = s->found.result;
  if (getenv("FARE_TEST_SHOW") && !r->failure)
    fare_log("at once %.8g, linear %.8g, optimum %.8g +- %.1e, %.1e; %g to %g; %d iterations", r->at_once,
      r->linear, r->optimum, r->step_error, r->grid_error, r->value[0], r->value[r->knots - 1],
      (int)r->iterations);
  return r;
}

static void free_control(study *s)
{
  fare_control_results_free(&s->found);
  assert_ok(fare_control_destroy(&s->control));
  if (s->grid) assert_ok(fare_grid_destroy(&s->grid));
  assert_ok(fare_system_destroy(&s->system));
  fare_config_destroy(&s->config);
}

/* Schmiedl and Seifert, Phys. Rev. Lett. 98, 108301 (2007). */
static void traps_have_closed_forms(void **state)
{
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("ornstein_uhlenbeck", -5, 7, 384,
    "control: [{name: drag, parameter: centre, from: 0, to: 2, duration: 1, knots: 9}]", &s);
  assert_null(r->failure);
  assert_near(r->optimum, 4. / 3, 2e-4);
  assert_near(r->linear, 4 / M_E, 2e-4);
  assert_near(r->at_once, 2, 2e-4);
  for (int k = 0; k < r->knots; k++) assert_near(r->value[k], 2. / 3 + 2. / 3 * k / (r->knots - 1), 5e-3);
  free_control(&s);

  r = run_control("ornstein_uhlenbeck", -5, 5, 320,
    "control: [{name: breathe, parameter: stiffness, from: 1, to: 4, duration: 1, knots: 12}]", &s);
  assert_null(r->failure);
  assert_near(r->free_energy, log(2), 2e-4);
  assert_near(r->optimum, 0.1974246, 2e-4);
  assert_near(r->value[0], 1.3924, 0.02);
  assert_near(r->value[11], 3.3542, 0.05);
  free_control(&s);
}

/* A chain of implicit Euler steps, extrapolated, of a program that shares nothing with FARE. */
static void wells_are_tilted_as_another_program_says(void **state)
{
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("prinz", -2, 2, 256,
    "control: [{name: ramp, parameter: tilt, from: 0, to: 2, duration: 1, knots: 12}]", &s);
  assert_null(r->failure);
  assert_near(r->free_energy, -0.6268407, 1e-4);
  assert_near(r->at_once, 0.434938, 2e-4);
  assert_near(r->linear, 0.2484, 2e-4);
  assert_near(r->optimum, 0.2234, 2e-4);
  free_control(&s);
}

/* Bounds hold, and without jumps the ends stay. */
static void bounds_and_ends_hold(void **state)
{
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("ornstein_uhlenbeck", -5, 7, 128,
    "control: [{name: drag, parameter: centre, from: 0, to: 2, duration: 1, knots: 7, upper: 1.1}]", &s);
  assert_null(r->failure);
  for (int k = 0; k < r->knots; k++) assert_between(r->value[k], -1, 1.1);
  assert_near(r->value[r->knots - 1], 1.1, 1e-9);
  free_control(&s);
  r = run_control("ornstein_uhlenbeck", -5, 7, 128,
    "control: [{name: drag, parameter: centre, from: 0, to: 2, duration: 1, knots: 7, jumps: false}]", &s);
  assert_null(r->failure);
  assert_near(r->value[0], 0, 1e-12);
  assert_near(r->value[r->knots - 1], 2, 1e-12);
  assert_between(r->optimum, 4. / 3, r->linear);
  free_control(&s);
}

/* Eight steps, while a well is tilted by more than they can follow. */
static void drives_that_exploit_steps_are_refused(void **state)
{
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("prinz", -2, 2, 128,
    "control: [{name: ramp, parameter: tilt, from: 0, to: 20, duration: 10, knots: 2, steps: 8}]", &s);
  assert_non_null(r->failure);
  assert_non_null(strstr(r->failure, "it exploits the time steps"));
  free_control(&s);
}

static void bad_sections_say_why(void **state)
{
  const struct {
    const char *type, *keys, *message;
  } cases[] = {
    {"prinz", "parameter: speed, from: 0, to: 1, duration: 1", "has no parameter 'speed'"},
    {"prinz", "parameter: kT, from: 1, to: 2, duration: 1", "moving temperature"},
    {"prinz", "parameter: height, from: -1, to: 2, duration: 1", "outside the parameter's range"},
    {"prinz", "parameter: tilt, from: 0, to: 2, duration: 1, lower: 1, upper: 1", "must have room"},
    {"prinz", "parameter: tilt, from: 0, to: 2, duration: 1, knots: 2, jumps: false", "nothing to be found"},
    {"prinz", "parameter: tilt, from: 0, to: 2, duration: 1, upper: 1, jumps: false", "without jumps"},
    {"tilted_washboard", "parameter: height, from: 1, to: 2, duration: 1", "gradient of its potential"},
  };
  study s;

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(cases); c++) {
    char yaml[256];

    snprintf(yaml, sizeof yaml, "control: [{name: a, %s}]", cases[c].keys);
    assert_int_equal(read_control(cases[c].type, yaml, &s), FARE_ERR_INPUT);
    if (!strstr(fare_error_message(), cases[c].message))
      fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    if (strncmp(fare_error_message(), "plan.yaml:", 10)) fail_msg("no place in '%s'", fare_error_message());
    free_control(&s);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(traps_have_closed_forms),
    cmocka_unit_test(wells_are_tilted_as_another_program_says),
    cmocka_unit_test(bounds_and_ends_hold),
    cmocka_unit_test(drives_that_exploit_steps_are_refused),
    cmocka_unit_test(bad_sections_say_why),
  };

  return fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
