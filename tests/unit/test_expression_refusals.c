/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/*
  Formulas that are refused: what is said of them, and the place that it is said of. Nothing of them is
  compiled.
*/
#include "formula_systems.h"

/*
  Refused before any compiler sees it: the message, and a caret under the place of '@' in the formula (which
  is taken out).
*/
static void refusals_point_at_the_place(void **state)
{
  static const struct {
    const char *formula, *what;
  } cases[] = {
    {"x^2 + @tlt*x", "unknown symbol 'tlt' (did you mean 'tilt'?)"},
    {"@sinn(x)", "unknown function 'sinn' (did you mean 'sin'?)"},
    {"@system(x)", "unknown function 'system'"},
    {"x +@", "expected a number, a name or '(', got the end"},
    {"x + @* 2", "expected a number, a name or '('"},
    {"(x + 1@", "expected an operator or ')', got the end"},
    {"x + 1@)", "a ')' without a matching '('"},
    {"2@x", "expected an operator before this; a product is written with *"},
    {"(x)@(x)", "expected an operator before this"},
    {"x@(1)", "'x' is not a function; a product is written x*(...)"},
    {"k@(1 + x)", "'k' is not a function"},
    {"sin@", "'sin' is a function: expected '(' after it"},
    {"sin @x", "'sin' is a function: expected '('"},
    {"sin(@)", "expected a number, a name or '('"},
    {"sin(x@, x)", "'sin' has one argument"},
    {"@min(x)", "'min' needs two arguments or more"},
    {"x*@*2", "a power is written ^"},
    {"1@,5*x", "a ',' outside a function's parentheses; the decimal sign is a point"},
    {"x @; x", "not a character of formulas"},
    {"x @= 2", "not a character of formulas"},
    {"@#include <x>", "not a character of formulas"},
    {"x + @`ls`", "not a character of formulas"},
    {"@\\\"x\\\"", "not a character of formulas"},
    {"x@[0]", "not a character of formulas"},
    {"x @\xC2\xB7 2", "not a character of formulas, which are in plain ASCII"},
    {"@_x", "not a character of formulas"},
    {"@.", "expected digits next to the decimal point"},
    {"1.2@.3", "expected an operator before this"},
    {"0@x10", "expected an operator before this"},
    {"@1e999*x", "too large a number"},
    {"x + 1@/0", "this is not a finite number"},
    {"@log(-1) + x", "this is not a finite number"},
    {"@ ", "expected a formula, got nothing"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char  *at = strchr(cases[i].formula, '@');
    char         yaml[512], *line;
    int          column = 0;
    fare_config *config;
    fare_system *system;

    snprintf(yaml, sizeof yaml,
      "system:\n  expression: {lower: [-1], upper: [1], potential: \"%.*s%s\"}\n  parameters: {k: 1, tilt: "
      "0}\n",
      (int)(at - cases[i].formula), cases[i].formula, at + 1);
    for (const char *c = cases[i].formula; c < at; c++) column += *c != '\\';
    assert_int_equal(system_of(yaml, &config, &system), FARE_ERR_INPUT);
    fare_config_destroy(&config);
    if (strncmp(fare_error_message(), "formulas.yaml:2:52: system.expression.potential: ", 49) ||
      strncmp(fare_error_message() + 49, cases[i].what, strlen(cases[i].what)))
      fail_msg("%s: %s", cases[i].formula, fare_error_message());
    line = strrchr(fare_error_message(), '\n');
    assert_non_null(line);
    if (strcspn(line + 1, "^") != (size_t)column + 2 || strlen(line + 1) != (size_t)column + 3)
      fail_msg("%s: caret elsewhere\n%s", cases[i].formula, fare_error_message());
  }
  assert_int_equal(files_in_cache(), 0);
}

/* A caret stays under its place where only a part of the formula is shown. */
static void long_formulas_are_shown_in_part(void **state)
{
  char         yaml[1024];
  fare_text    formula = {0};
  fare_config *config;
  fare_system *system;
  char        *shown, *caret;

  (void)state;
  for (int i = 0; i < 60; i++) fare_text_add(&formula, "x^%d + ", 2 + i % 8);
  fare_text_add(&formula, "wrong + x^2");
  snprintf(
    yaml, sizeof yaml, "system: {expression: {lower: [-1], upper: [1], potential: \"%s\"}}\n", formula.text);
  fare_text_free(&formula);
  assert_int_equal(system_of(yaml, &config, &system), FARE_ERR_INPUT);
  fare_config_destroy(&config);
  shown = strchr(fare_error_message(), '\n') + 1;
  caret = strchr(shown, '\n') + 1;
  assert_true(caret - shown < 120);
  assert_int_equal(strcspn(caret, "^"), strstr(shown, "wrong") - shown);
}

/* Known when the times of the study are. */
static void formulas_of_time_are_looked_at(void **state)
{
  static const struct {
    const char *inside, *what;
  } cases[] = {
    {"lower: -1, upper: 1, potential: x/(t - 0.5)", "has no finite value at time 0.5"},
    {"lower: -1, upper: 1, potential: x/(t - 0.7123)", "has no bound near time 0.7123"},
    {"lower: -1, upper: 1, potential: log(x + 1 - 2*t)", "has no finite value at time"},
    {"lower: -1, upper: 1, potential: x*sin(1e9*t)", "varies too fast to be followed"},
    {"lower: -1, upper: 1, drift: x, diffusion: 1 - t", "a diffusion of -0.03125"},
    {"lower: -pi, upper: pi, periodic: true, potential: cos(x) - step(t - 1)*x", "is not periodic along 'x'"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char           yaml[512];
    fare_config   *config;
    fare_system   *system;
    PetscErrorCode code;

    snprintf(yaml, sizeof yaml, "system:\n  expression: {%s}\n", cases[i].inside);
    assert_ok(system_of(yaml, &config, &system));
    assert_true(fare_system_is_driven(system));
    code = fare_system_check(system, 0, 2);
    if (code != FARE_ERR_INPUT || !strstr(fare_error_message(), cases[i].what))
      fail_msg("%s: %d, %s", cases[i].inside, (int)code, fare_error_message());
    assert_ok(fare_system_destroy(&system));
    fare_config_destroy(&config);
  }
}

static void other_refusals_name_the_key(void **state)
{
  static const struct {
    const char *inside, *parameters, *what; /* of expression: {...}; the message after the file's name */
  } cases[] = {
    {"lower: [-1], upper: [1]", "{}", "no dynamics"},
    {"lower: [-1], upper: [1], potential: x, force: x", "{}", "the potential already gives a force"},
    {"lower: [-1], upper: [1], drift: x, diffusion: 1, force: x", "{}", "a drift replaces the force"},
    {"lower: [-1], upper: [1], nonconservative: x, force: x", "{}", "only with a 'potential'"},
    {"lower: [-1], upper: [1], drift: x", "{}", "needs a 'diffusion' as well"},
    {"lower: [-1], upper: [1], potential: x, diffusion: 1", "{}", "only with a 'drift'"},
    {"lower: [-1], upper: [1], potential: x, nonconservative: [x, x]", "{}",
      "expected a list of 1 formula, one per axis"},
    {"lower: [-1, -1], upper: [1, 1], force: x", "{}", "expected a list of 2 formulas, one per axis"},
    {"lower: [-1], upper: [1], potential: [x]", "{}", "expected a formula"},
    {"lower: [-1, 0], upper: [1], potential: x", "{}", "upper: expected 2 numbers, one per axis, got 1"},
    {"lower: [1], upper: [1], potential: x", "{}", "must lie above lower"},
    {"lower: [0, 0, 0, 0], upper: [1], potential: x", "{}", "expected 1 to 3 numbers"},
    {"lower: [], upper: [1], potential: x", "{}", "expected 1 to 3 numbers"},
    {"axes: [], lower: [0], upper: [1], potential: x", "{}", "expected a list of 1 to 3 names"},
    {"axes: [sin], lower: [0], upper: [1], potential: x", "{}", "'sin' is reserved in formulas"},
    {"axes: [q, q], lower: [0, 0], upper: [1, 1], potential: q", "{}", "'q' is already an axis"},
    {"axes: ['2x'], lower: [0], upper: [1], potential: x", "{}", "'2x' is not a valid name"},
    {"axes: [kT], lower: [0], upper: [1], potential: kT", "{}", "'kT' is a parameter of every system"},
    {"lower: [0], upper: [1], potential: x, periodic: [maybe]", "{}",
      "expected a list of 1 of true and false"},
    {"lower: [0], upper: [1], potential: x, periodic: [true, true]", "{}",
      "expected a list of 1 of true and false"},
    {"lower: [0], upper: [1], potential: x, colour: red", "{}", "unknown key 'colour'"},
    {"upper: [1], potential: x", "{}", "missing key 'lower'"},
    {"lower: [0], upper: [1], potential: x", "{k: 1}", "no formula uses 'k'"},
    {"lower: [0], upper: [1], potential: x*e", "{e: 1}", "'e' is reserved in formulas"},
    {"lower: [0], upper: [1], potential: x", "{x: 1}", "'x' is already an axis"},
    {"lower: [0], upper: [1], potential: k*x", "{k: soft}", "expected a finite number, got 'soft'"},
    {"lower: [0], upper: [1], potential: x", "{kT: -1}", "expected a number from 1e-06 to 1e+06"},
    {"lower: [-1], upper: [1], potential: log(x)", "{}", "the potential is"},
    {"lower: [-1], upper: [1], drift: [x], diffusion: [x]", "{}", "the diffusion is -"},
    {"lower: [0], upper: [6.283], potential: sin(x), periodic: [true]", "{}",
      "the potential is not periodic along 'x'"},
    {"lower: [0], upper: [6.283185307179586], potential: cos(x) - w*x, periodic: [true]", "{w: 1}",
      "the potential is not periodic along 'x'"},
    {"lower: [-pi, -1], upper: [pi, 1], potential: cos(x) - w*x, periodic: [true, false], mass: 1, friction: "
     "1",
      "{w: 1}", "give a torque and all other forces together under 'force'"},
    {"lower: pi, upper: -pi, potential: cos(x), periodic: true", "{}",
      "upper: must lie above lower, got lower 3.14159 and upper -3.14159 along 'x'"},
    {"lower: -t, upper: 1, potential: x", "{}", "lower: unknown symbol 't'"},
    {"lower: [-1], upper: [x], potential: x", "{}", "a bound is a number, or a formula of parameters"},
    {"lower: -1/k, upper: 1, potential: k*x", "{k: 0}",
      "lower: expected a number from -1e12 to 1e12, got -inf"},
    {"lower: -1, upper: 1, potential: t*x", "{t: 1}", "'t' is reserved in formulas"},
    {"axes: [t], lower: -1, upper: 1, potential: t", "{}", "'t' is reserved in formulas"},
    {"axes: [time], lower: -1, upper: 1, potential: time", "{}", "'time' is an axis of every file"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, mass: 0, friction: 1", "{}",
      "mass: expected a mass above 0, got 0"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, mass: 1, friction: g", "{g: -2}",
      "friction: expected a friction of 0 or more, got -2"},
    {"lower: [-1, -1], upper: [1, 1], potential: x + v, mass: 1, friction: 1", "{}",
      "with a mass, neither the position nor given a value"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, mass: x, friction: 1", "{}",
      "a mass is a number, or a formula of parameters"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, mass: 1, friction: 1", "{mobility: 2}",
      "no formula uses 'mobility'; use it in a formula, or leave it out"},
    {"lower: [-1], upper: [1], potential: x", "{KT: 2}", "no formula uses 'KT' (did you mean 'kT'?)"},
    {"lower: [-1], upper: [1], potential: x, mass: 1, friction: 1", "{}",
      "a body with inertia has two axes, position and velocity, got 1"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, mass: 1", "{}", "mass: needs a 'friction' as well"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, friction: 1", "{}", "friction: only with a 'mass'"},
    {"lower: [-1, -1], upper: [1, 1], drift: [x, v], diffusion: [1, 1], mass: 1, friction: 1", "{}",
      "mass: gives drift and diffusion"},
    {"lower: [-1, -1], upper: [1, 1], potential: x, nonconservative: 1, mass: 1, friction: 1", "{}",
      "with a 'mass', give the total force under 'force'"},
    {"lower: [-1, -1], upper: [1, 1], force: [x, x], mass: 1, friction: 1", "{}",
      "expected a list of 1 formula, one per axis but the velocity's"},
    {"lower: [0, 0], upper: [6.283185307179586, 1], drift: [cos(x), y], diffusion: [1, x*y], periodic: "
     "[true, false]",
      "{}", "expression.diffusion[1]: the diffusion is not periodic along 'x'"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char           yaml[512];
    fare_config   *config;
    fare_system   *system;
    PetscErrorCode code;

    snprintf(yaml, sizeof yaml, "system:\n  expression: {%s}\n  parameters: %s\n", cases[i].inside,
      cases[i].parameters);
    code = system_of(yaml, &config, &system);
    if (code != FARE_ERR_INPUT || strncmp(fare_error_message(), "formulas.yaml:", 14) ||
      !strstr(fare_error_message(), cases[i].what))
      fail_msg("%s: %d, %s", cases[i].inside, (int)code, fare_error_message());
    assert_ok(fare_system_destroy(&system));
    fare_config_destroy(&config);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test_setup(refusals_point_at_the_place, make_cache),
  cmocka_unit_test(long_formulas_are_shown_in_part),
  cmocka_unit_test(formulas_of_time_are_looked_at),
  cmocka_unit_test_teardown(other_refusals_name_the_key, remove_cache),
};
FARE_TEST_MAIN(tests)
