/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/*
  Formulas of time: their bounds hold values of random formulas, knots leave nothing between them, jumps and
  corners are where they belong, pulses are found however narrow, and what cannot be followed is refused.
*/
#include "formulas.h"

#include "system/formula/course.h"
#include "system/formula/interval.h"

static fare_tree *tree_of(const char *text, int *root)
{
  fare_symbols       symbols = {.axes = 1, .axis = {"x"}};
  fare_formula_fault fault;
  fare_tree         *tree;

  assert_ok(fare_tree_create(&tree));
  if (!fare_formula_parse(tree, &symbols, text, root, &fault)) fail_msg("%s: %s", text, fault.what);
  return tree;
}

static fare_course *course_of(const char *text)
{
  static const char *const names[] = {"the formula"};
  fare_course             *course;
  int                      root;
  fare_tree               *tree = tree_of(text, &root);

  assert_ok(fare_course_create(&course));
  assert_ok(fare_course_follow(course, tree, 1, &root, names));
  return course;
}

/* A formula of x alone. */
static const term *random_formula(fare_text *text)
{
  const term *formula;

  pooled  = 0;
  formula = grow(1 + below(4), 1);
  for (int i = 0; i < pooled; i++) {
    if (pool[i].kind == 'p') pool[i] = (term){'#', 0.75 + pool[i].value, NULL, NULL};
  }
  print(formula, 1, text);
  return formula;
}

static double value_of(const term *formula, double t, double *size)
{
  const double x[] = {t, 0, 0};

  return evaluate(formula, x, NULL, size).v;
}

static void bounds_hold_all_values(void **state)
{
  enum { FORMULAS = 1500, POINTS = 60 };
  int bounded = 0;

  (void)state;
  for (int i = 0; i < FORMULAS; i++) {
    fare_text    text    = {0};
    const term  *formula = random_formula(&text);
    const double from = 6 * uniform() - 3, to = from + pow(uniform(), 4) * 3;
    int          root;
    fare_tree   *tree = tree_of(text.text, &root);
    fare_range   at[1024];

    assert_in_range(root, 0, 1023);
    fare_ranges_of(tree, root, (fare_range){from, to}, at);
    bounded += isfinite(at[root].lower) && isfinite(at[root].upper);
    for (int k = 0; k < POINTS; k++) {
      double       size  = 1;
      const double t     = from + (to - from) * k / (POINTS - 1);
      const double value = value_of(formula, t, &size), rim = 1e-12 * size;

      if (!(value >= at[root].lower - rim && value <= at[root].upper + rim))
        fail_msg("%s is %.17g at %.17g, outside [%.17g, %.17g] for [%.17g, %.17g]", text.text, value, t,
          at[root].lower, at[root].upper, from, to);
    }
    fare_tree_destroy(&tree);
    fare_text_free(&text);
  }
  assert_in_range(bounded, FORMULAS / 2, FORMULAS);
}

static PetscBool may_jump(void)
{
  for (int i = 0; i < pooled; i++) {
    if (strchr("gH", pool[i].kind)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* Between two knots a formula departs from a straight line by no more than a quarter of all that it varies.
 */
static void nothing_is_left_between_knots(void **state)
{
  enum { FORMULAS = 400, PLACES = 20000 };
  const double  start = -1, end = 2;
  static double v[PLACES + 1];
  int           followed = 0;

  (void)state;
  for (int i = 0; i < FORMULAS; i++) {
    fare_text    text    = {0};
    const term  *formula = random_formula(&text);
    double       size = 1, low = HUGE_VAL, high = -HUGE_VAL, from = start;
    fare_course *course;

    if (!may_jump()) {
      course = course_of(text.text);
      assert_ok(fare_course_cover(course, start, end));
      for (int k = 0; k <= PLACES; k++) {
        v[k] = value_of(formula, start + (end - start) * k / PLACES, &size);
        low  = fmin(low, v[k]);
        high = fmax(high, v[k]);
      }
      while (from < end) {
        const double to = fare_course_next_knot(course, from);
        const int    a  = (int)ceil((from - start) / (end - start) * PLACES),
                  b     = (int)floor((fmin(to, end) - start) / (end - start) * PLACES);

        for (int k = a + 1; k < b; k++) {
          const double line = v[a] + (v[b] - v[a]) * (k - a) / (b - a);

          if (!(fabs(v[k] - line) <= 0.25 * (high - low) + 1e-6 * fmax(fabs(high), fabs(low)) + 1e-12))
            fail_msg(
              "%s: %g beside a straight line between knots %g and %g", text.text, v[k] - line, from, to);
        }
        from = to;
      }
      followed++;
      fare_course_destroy(&course);
    }
    fare_text_free(&text);
  }
  assert_in_range(followed, FORMULAS / 2, FORMULAS);
}

/* Knots within a pulse, and few of them; widths down to the rounding of time. */
static void pulses_of_any_width_are_found(void **state)
{
  static const char *const shapes[] = {"3*exp(-((x - 0.7123)/%g)^2)", "2 - 1/(1 + ((x - 0.7123)/%g)^2)",
    "tanh((x - 0.7123)/%g)", "max(0, 1 - abs(x - 0.7123)/%g)"};

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(shapes); i++) {
    for (double width = 1; width > 1e-9; width /= 10) {
      char         text[100];
      fare_course *course;
      int          inside = 0, all = 0;

      snprintf(text, sizeof text, shapes[i], width);
      course = course_of(text);
      assert_ok(fare_course_cover(course, 0, 2));
      for (double t = fare_course_next_knot(course, 0); t < HUGE_VAL; t = fare_course_next_knot(course, t)) {
        inside += fabs(t - 0.7123) < width;
        all++;
      }
      if (inside < 1 || all > 400) fail_msg("%s: %d knots inside, %d in all", text, inside, all);
      fare_course_destroy(&course);
    }
  }
}

/* To the last bit: where the value changes. */
static void jumps_and_corners_have_their_times(void **state)
{
  fare_course *course  = course_of("step(x - 0.3) + sign(0.7 - x)*x + abs(x - 1) + max(x, 1.5)");
  const double jumps[] = {0.3, 0.7}, corners[] = {0.3, 0.7, 1, 1.5};
  double       t = 0;

  (void)state;
  assert_true(fare_course_next_jump(course, 0) == HUGE_VAL); /* nothing is known yet */
  assert_ok(fare_course_cover(course, 0, 2));
  for (int i = 0; i < 2; i++) {
    t = fare_course_next_jump(course, t);
    assert_near(t, jumps[i], 1e-15);
    assert_true(fabs(fare_course_at(course, 0, t) - fare_course_at(course, 0, nextafter(t, 0))) > 0.5);
  }
  assert_true(fare_course_next_jump(course, t) == HUGE_VAL);
  t = 0;
  for (int i = 0; i < 4; i++) {
    t = fare_course_next_corner(course, t);
    assert_near(t, corners[i], 3e-16);
  }
  assert_true(fare_course_next_corner(course, t) == HUGE_VAL);
  fare_course_destroy(&course);
  course = course_of("sign(sin(2*pi*x))"); /* a square wave */
  assert_ok(fare_course_cover(course, 0.1, 50.1));
  t = 0.1;
  for (int i = 1; i <= 100; i++) {
    t = fare_course_next_jump(course, t);
    assert_near(t, 0.5 * i, 1e-14);
  }
  assert_ok(fare_course_cover(course, 40, 60)); /* more, and all that was known */
  assert_near(fare_course_next_jump(course, 0.1), 0.5, 1e-14);
  assert_near(fare_course_next_jump(course, 59.1), 59.5, 1e-13);
  fare_course_destroy(&course);
}

static void straight_lines_need_no_knots(void **state)
{
  static const char *const lines[] = {"x", "3*x - 1", "2", "(x + 1)/4", "step(x - 9)*7"};

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(lines); i++) {
    fare_course *course = course_of(lines[i]);

    assert_ok(fare_course_cover(course, 0, 8));
    assert_true(fare_course_next_knot(course, 0) >= 8);
    assert_true(fare_course_next_corner(course, 0) == HUGE_VAL);
    fare_course_destroy(&course);
  }
}

static void what_cannot_be_followed_is_refused(void **state)
{
  static const struct {
    const char *text, *what;
  } cases[] = {
    {"1/(x - 0.5)", "the formula has no finite value at time 0.5"},
    {"1/(x - 0.7123)", "the formula has no bound near time 0.7123"},
    {"1/(x - 0.7123)^2", "the formula has no bound near time 0.7123"},
    {"tan(x)", "the formula has no bound near time 1.57"},
    {"log(x)", "the formula has no finite value at time 0"},
    {"sqrt(x - 1)", "the formula has no finite value at time 0"},
    {"x^x^x*log(1 - x)", "the formula has no finite value at time "},
    {"sin(1e8*x)", "the formula varies too fast to be followed from time 0 to 2"},
    {"step(sin(1e8*x))", "the formula turns or varies too fast to be followed from time 0 to 2"},
    {"step(sin(1/(x + 1e-9)))", "too fast to be followed from time 0 to 2"},
  };

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    fare_course   *course = course_of(cases[i].text);
    PetscErrorCode code   = fare_course_cover(course, 0, 2);

    if (code != FARE_ERR_INPUT || !strstr(fare_error_message(), cases[i].what))
      fail_msg("%s: %d, %s", cases[i].text, (int)code, fare_error_message());
    fare_course_destroy(&course);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(bounds_hold_all_values),
  cmocka_unit_test(nothing_is_left_between_knots),
  cmocka_unit_test(pulses_of_any_width_are_found),
  cmocka_unit_test(jumps_and_corners_have_their_times),
  cmocka_unit_test(straight_lines_need_no_knots),
  cmocka_unit_test(what_cannot_be_followed_is_refused),
};
FARE_TEST_MAIN(tests)
