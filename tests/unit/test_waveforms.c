/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Every waveform against its formula at points computed by hand, through the system that it drives. */
#include "fare_test.h"

#include <stdlib.h>

enum { TILT = 3 }; /* of prinz: kT, mobility, height, tilt */

static fare_system *driven(const char *drive)
{
  static const char *const head = "system: {name: prinz, parameters: {tilt: 0.5}}\ndrive:\n";
  fare_text                text = {0};
  fare_config             *config;
  fare_system             *system;

  fare_text_add(&text, "%s%s\n", head, drive);
  assert_ok(fare_config_parse("f.yaml", text.text, text.length, &config));
  assert_ok(fare_system_from_config(fare_node_find(fare_config_root(config), "system"),
    fare_node_find(fare_config_root(config), "drive"), &system));
  fare_config_destroy(&config);
  fare_text_free(&text);
  return system;
}

typedef struct {
  double t, tilt;
} point;

static void assert_follows(const char *drive, size_t count, const point points[], double tolerance)
{
  fare_system *system = driven(drive);

  assert_true(fare_system_is_driven(system));
  for (size_t i = 0; i < count; i++) {
    double theta[FARE_PARAMETERS_MAX];

    fare_system_parameters(system, points[i].t, theta);
    if (!(fabs(theta[TILT] - points[i].tilt) <= tolerance))
      fail_msg("%s: tilt(%g) = %.17g, expected %.17g", drive, points[i].t, theta[TILT], points[i].tilt);
    assert_near(theta[FARE_KT], 1, 0); /* the others stand still */
  }
  assert_ok(fare_system_destroy(&system));
}
#define FOLLOWS(drive, tolerance, ...) \
  assert_follows(                      \
    drive, sizeof((const point[]){__VA_ARGS__}) / sizeof(point), (const point[]){__VA_ARGS__}, tolerance)

static void formulas(void **state)
{
  (void)state;
  FOLLOWS("  - {parameter: tilt, waveform: constant, amplitude: -2}", 0, {-1e9, -1.5}, {0, -1.5}, {7, -1.5});
  /* sine of period 4 that begins at t = 1 */
  FOLLOWS("  - {parameter: tilt, waveform: sine, amplitude: 3, period: 4, start: 1}", 1e-14, {1, 0.5},
    {2, 3.5}, {3, 0.5}, {4, -2.5}, {1 + 1. / 3, 2}, {-1, 0.5}, {0, -2.5});
  /* a quarter of a cycle ahead it is a cosine; sin(pi/6) = 1/2 at phase pi/6 */
  FOLLOWS("  - {parameter: tilt, waveform: sine, amplitude: 2, period: 1, phase: 1.5707963267948966}", 1e-14,
    {0, 2.5}, {0.25, 0.5}, {0.5, -1.5}, {1. / 6, 1.5});
  FOLLOWS("  - {parameter: tilt, waveform: square, amplitude: 2, period: 4}", 0, {0, 2.5}, {1.9, 2.5},
    {2, -1.5}, {3.9, -1.5}, {4, 2.5}, {-0.1, -1.5}, {-2.1, 2.5});
  FOLLOWS("  - {parameter: tilt, waveform: square, amplitude: 2, period: 4, duty: 0.25, start: 1}", 0,
    {1, 2.5}, {1.99, 2.5}, {2, -1.5}, {4.99, -1.5}, {5, 2.5});
  FOLLOWS("  - {parameter: tilt, waveform: square, amplitude: 2, period: 4, phase: 3.141592653589793}", 0,
    {0, -1.5}, {1.9, -1.5}, {2, 2.5}, {3.9, 2.5}, {4, -1.5});
  FOLLOWS(
    "  - {parameter: tilt, waveform: square, amplitude: 2, period: 4, duty: 0}", 0, {0, -1.5}, {3.9, -1.5});
  FOLLOWS("  - {parameter: tilt, waveform: square, amplitude: 2, period: 4, duty: 1}", 0, {0, 2.5},
    {3.9, 2.5}, {4, 2.5});
  FOLLOWS("  - {parameter: tilt, waveform: ramp, amplitude: 8, start: 1, end: 5}", 1e-14, {-3, 0.5}, {1, 0.5},
    {2, 2.5}, {3, 4.5}, {4.5, 7.5}, {5, 8.5}, {1e9, 8.5});
  /* s^2 (3 - 2 s) at s = 1/4, 1/2, 3/4: 5/32, 1/2, 27/32 */
  FOLLOWS("  - {parameter: tilt, waveform: smoothstep, amplitude: 32, start: 1, end: 5}", 1e-13, {0, 0.5},
    {1, 0.5}, {2, 5.5}, {3, 16.5}, {4, 27.5}, {5, 32.5}, {6, 32.5});
  FOLLOWS("  - {parameter: tilt, waveform: tabulated, times: [-1, 0, 2, 3], values: [1, 3, -1, 0]}", 1e-14,
    {-9, 1.5}, {-1, 1.5}, {-0.5, 2.5}, {0, 3.5}, {1, 1.5}, {1.5, 0.5}, {2, -0.5}, {2.5, 0}, {3, 0.5},
    {9, 0.5});
  FOLLOWS("  - {parameter: tilt, waveform: tabulated, times: 4, values: 5, amplitude: -2}", 0, {0, -9.5},
    {4, -9.5}, {5, -9.5});
}

/* Whole cycles end where they should however many there were: the flank belongs to the new cycle. */
static void squares_do_not_drift(void **state)
{
  fare_system *system = driven("  - {parameter: tilt, waveform: square, amplitude: 1, period: 0.125}");
  double       theta[FARE_PARAMETERS_MAX];

  (void)state;
  for (int k = -1000; k <= 1000; k++) {
    fare_system_parameters(system, 0.125 * k, theta);
    assert_near(theta[TILT], 1.5, 0);
    fare_system_parameters(system, 0.125 * k + 0.0625, theta);
    assert_near(theta[TILT], -0.5, 0);
  }
  assert_ok(fare_system_destroy(&system));
}

/* Jumps are where the values on both sides differ, all of them and no others. */
static void jumps_are_known(void **state)
{
  const double jumps[] = {0.5, 1.0, 2.5, 3.0, 4.5};
  fare_system *system =
    driven("  - {parameter: tilt, waveform: square, amplitude: 2, period: 2, start: 0.5, duty: 0.25}");
  double t = 0;

  (void)state;
  for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
    double before[FARE_PARAMETERS_MAX], after[FARE_PARAMETERS_MAX];

    t = fare_system_next_jump(system, t);
    assert_near(t, jumps[i], 1e-12);
    fare_system_parameters(system, t - 1e-9, before);
    fare_system_parameters(system, t + 1e-9, after);
    assert_near(fabs(after[TILT] - before[TILT]), 4, 1e-12);
  }
  assert_ok(fare_system_destroy(&system));
  system = driven("  - {parameter: tilt, waveform: sine, amplitude: 2, period: 2}");
  assert_true(fare_system_next_jump(system, 0) == HUGE_VAL);
  assert_ok(fare_system_destroy(&system));
}

/* Every time at which a slope jumps, in order, and only once where two waveforms have it. */
static void corners_are_known(void **state)
{
  const double corners[] = {-1, 0, 0.25, 0.5, 2, 2.25, 2.5, 3, 4};
  fare_system *system =
    driven("  - {parameter: tilt, waveform: tabulated, times: [-1, 0, 2, 3], values: [1, 3, -1, 0]}\n"
           "  - {parameter: tilt, waveform: ramp, amplitude: 1, start: 0.5, end: 2.5}\n"
           "  - {parameter: kT, waveform: smoothstep, amplitude: 0.5, start: 0.25, end: 2.25}\n"
           "  - {parameter: tilt, waveform: tabulated, amplitude: 0, times: [1, 1.5], values: [0, 1]}\n"
           "  - {parameter: kT, waveform: square, amplitude: 0.1, period: 4, duty: 1}\n"
           "  - {parameter: tilt, waveform: square, amplitude: 1, period: 4, duty: 0.5, start: -4}");
  double t = -1.5;

  (void)state;
  for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++) {
    t = fare_system_next_corner(system, t);
    assert_near(t, corners[i], 1e-15);
  }
  assert_ok(fare_system_destroy(&system));
  system = driven("  - {parameter: tilt, waveform: sine, amplitude: 2, period: 2}");
  assert_true(fare_system_next_corner(system, 0) == HUGE_VAL);
  assert_ok(fare_system_destroy(&system));
}

/*
  An edge that rounding puts just behind a time is still to come, however long the period; the one at the time
  itself is not.
*/
static void edges_are_neither_lost_nor_met_twice(void **state)
{
  fare_system *system = driven("  - {parameter: tilt, waveform: square, amplitude: 2, period: 0.3}");
  double       t      = 0;

  (void)state;
  for (int k = 1; k <= 3000; k++) {
    const double edge = fare_system_next_jump(system, t);

    assert_near(edge, 0.15 * k, 1e-12 * k);
    assert_true(fare_system_next_jump(system, nextafter(edge, 0)) == edge);
    t = edge;
  }
  assert_ok(fare_system_destroy(&system));
}

/* At the time of an edge, to the last bit, the parameter has its new value; just before it, the old one. */
static void values_change_at_edges(void **state)
{
  static const char *const drives[] = {"period: 0.821482822012462, duty: 0.6774096071571505",
    "period: 0.7176933999453554, duty: 0.4259075153526154, phase: 1",
    "period: 1731.7, duty: 0.1, start: -3.3", "period: 1.0e-3, duty: 0.3333, phase: 2.2, start: 0.7"};

  (void)state;
  for (size_t i = 0; i < sizeof drives / sizeof drives[0]; i++) {
    char         text[256];
    fare_system *system;
    double       t = 0, theta[2][FARE_PARAMETERS_MAX];

    snprintf(text, sizeof text, "  - {parameter: tilt, waveform: square, amplitude: 2, %s}", drives[i]);
    system = driven(text);
    for (int k = 0; k < 2000; k++) {
      const double edge = fare_system_next_jump(system, t);

      fare_system_parameters(system, nextafter(edge, t), theta[0]);
      fare_system_parameters(system, edge, theta[1]);
      assert_near(fabs(theta[1][TILT] - theta[0][TILT]), 4, 0);
      t = edge;
    }
    assert_ok(fare_system_destroy(&system));
  }
}

/* A sine is seen whatever its period; a smoothstep while it rises; lines need no steps of their own. */
static void steps_follow_the_drive(void **state)
{
  fare_system *system = driven("  - {parameter: tilt, waveform: sine, amplitude: 2, period: 3.0e-5}\n"
                               "  - {parameter: tilt, waveform: sine, amplitude: 0, period: 1.0e-9}");

  (void)state;
  assert_between(fare_system_longest_step(system, 7), 1e-6, 3e-5 / 4);
  assert_ok(fare_system_destroy(&system));
  system = driven("  - {parameter: tilt, waveform: smoothstep, amplitude: 2, start: 5, end: 5.001}");
  assert_true(fare_system_longest_step(system, 4) == HUGE_VAL);
  assert_between(fare_system_longest_step(system, 5.0005), 1e-5, 0.001 / 2);
  assert_true(fare_system_longest_step(system, 6) == HUGE_VAL);
  assert_ok(fare_system_destroy(&system));
  system = driven("  - {parameter: tilt, waveform: tabulated, times: [0, 1], values: [0, 1]}");
  assert_true(fare_system_longest_step(system, 0.5) == HUGE_VAL);
  assert_ok(fare_system_destroy(&system));
}

static void several_add_up(void **state)
{
  (void)state;
  FOLLOWS("  - {parameter: tilt, waveform: constant, amplitude: 1}\n  - {parameter: tilt, waveform: ramp, "
          "amplitude: 4, end: 2}\n  - {parameter: tilt, waveform: sine, amplitude: 2, period: 4}",
    1e-14, {0, 1.5}, {1, 5.5}, {2, 5.5}, {3, 3.5});
}

static void ranges_hold_at_every_moment(void **state)
{
  static const struct {
    const char    *drive;
    double         start, end;
    PetscErrorCode code;
  } cases[] = {
    {"  - {parameter: kT, waveform: ramp, amplitude: -2, start: 1, end: 2}", 0, 1, 0},
    {"  - {parameter: kT, waveform: ramp, amplitude: -2, start: 1, end: 2}", 0, 1.4, 0},
    {"  - {parameter: kT, waveform: ramp, amplitude: -2, start: 1, end: 2}", 0, 1.6, FARE_ERR_INPUT},
    {"  - {parameter: kT, waveform: tabulated, times: [0, 30, 30.0001, 30.0002], values: [0, 0, -2, 0]}", 0,
      100, FARE_ERR_INPUT},
    {"  - {parameter: kT, waveform: sine, amplitude: 0.99, period: 1}", 0, 100, 0},
    {"  - {parameter: kT, waveform: sine, amplitude: 1.01, period: 1}", 0, 1, FARE_ERR_INPUT},
    {"  - {parameter: kT, waveform: constant, amplitude: -1}", 0, 1, FARE_ERR_INPUT},
    {"  - {parameter: kT, waveform: constant, amplitude: 1e308}\n  - {parameter: kT, waveform: constant, "
     "amplitude: 1e308}",
      0, 1, FARE_ERR_INPUT},
    {"  - {parameter: kT, waveform: constant, amplitude: -2}\n  - {parameter: kT, waveform: constant, "
     "amplitude: 2}",
      0, 1, 0},
  };

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    fare_system   *system = driven(cases[i].drive);
    PetscErrorCode code   = fare_system_check(system, cases[i].start, cases[i].end);

    if (code != cases[i].code)
      fail_msg("%s over [%g, %g]: %d, expected %d", cases[i].drive, cases[i].start, cases[i].end, (int)code,
        (int)cases[i].code);
    if (code) assert_non_null(strstr(fare_error_message(), "kT reaches "));
    assert_ok(fare_system_destroy(&system));
  }
}

static void mistakes(void **state)
{
  static const struct {
    const char *node, *message;
  } cases[] = {
    {"{parameter: tilt, waveform: ramp, amplitude: 1, start: 2, end: 2}",
      "f.yaml:1:71: drive.end: the ramp must end after it starts (2), got 2"},
    {"{parameter: tilt, waveform: smoothstep, amplitude: 1, start: 2, end: 1}",
      "f.yaml:1:77: drive.end: the ramp must end after it starts (2), got 1"},
    {"{parameter: tilt, waveform: tabulated, times: [0, 1, 1], values: [1, 2, 3]}",
      "f.yaml:1:54: drive.times: times must increase, got 1 after 1"},
    {"{parameter: tilt, waveform: tabulated, times: [0, 1], values: [1, 2, 3]}",
      "f.yaml:1:70: drive.values: needs as many values as times (2), got 3"},
    {"{parameter: tilt, waveform: square, amplitude: 1, period: 1, duty: 1.5}",
      "f.yaml:1:75: drive.duty: expected a number from 0 to 1, got 1.5"},
    {"{parameter: tilt, waveform: sine, amplitude: 1, period: -1}",
      "f.yaml:1:64: drive.period: expected a number from 1e-12 to 1e+12, got -1"},
    {"{parameter: tilt, waveform: sine, amplitude: 1, period: 1, duty: 0.5}",
      "f.yaml:1:67: drive: unknown key 'duty'; known keys: parameter, waveform, amplitude, period, phase, "
      "start"},
    {"{parameter: tilt, waveform: saw, amplitude: 1}",
      "f.yaml:1:36: drive.waveform: unknown waveform 'saw'; choose from: constant, sine, square, ramp, "
      "smoothstep, tabulated, chirp, expression"},
    {"{parameter: tilt, waveform: chirp, amplitude: 1, frequency: 1, final_frequency: 2, start: 3, end: 3}",
      "f.yaml:1:106: drive.end: the sweep must end after it starts (3), got 3"},
    {"{parameter: tilt, waveform: chirp, amplitude: 1, frequency: 0, final_frequency: 2, end: 3, sweep: "
     "geometric}",
      "f.yaml:1:68: drive.frequency: a geometric sweep needs frequencies above 0"},
    {"{parameter: tilt, waveform: expression, expression: 'sin(t) + y'}",
      "f.yaml:1:60: drive.expression: unknown symbol 'y' (did you mean 't'?): an expression of a drive has "
      "the time t alone; "
      "there "
      "are: t, pi, e\n  sin(t) + y\n           ^"},
    {"{parameter: tilt, waveform: tabulated, times: [0]}", "f.yaml:1:8: drive: missing key 'values'"},
    {"{parameter: tilt, waveform: tabulated, dataset: x, times: [0], values: [0]}",
      "f.yaml:1:56: drive.dataset: only with a 'file'"},
    {"{parameter: tilt, waveform: tabulated}",
      "f.yaml:1:8: drive: missing key 'times', or 'file' instead of times and values"},
    {"{parameter: tilt, waveform: [sine]}", "f.yaml:1:36: drive.waveform: expected the name of a waveform"},
    {"{parameter: tilt}", "f.yaml:1:8: drive: missing key 'waveform'"},
    {"sine", "f.yaml:1:8: drive: expected a map {parameter: ..., waveform: ..., ...}"},
    {"{parameter: slope, waveform: constant, amplitude: 1}",
      "f.yaml:1:20: drive.parameter: system 'prinz' has no parameter 'slope'; it has kT, mobility, height, "
      "tilt"},
  };
  fare_system *system;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    fare_config *config;
    fare_text    text = {0};

    fare_text_add(&text, "drive: %s", cases[i].node);
    assert_ok(fare_config_parse("f.yaml", text.text, text.length, &config));
    assert_int_equal(
      fare_system_drive(system, fare_node_find(fare_config_root(config), "drive")), FARE_ERR_INPUT);
    assert_string_equal(fare_error_message(), cases[i].message);
    fare_config_destroy(&config);
    fare_text_free(&text);
  }
  assert_false(fare_system_is_driven(system));
  assert_ok(fare_system_destroy(&system));
}

/*
  A chirp: crests where the integral of the frequency says, by hand; outside the sweep a sine; continuous, and
  the same slope on both sides, at both ends.
*/
static void chirps(void **state)
{
  static const char *const both[] = {"linear", "geometric"};

  (void)state;
  /* 2 t^2 + t cycles up to t = 1, 5 (t - 1) + 3 after that */
  FOLLOWS("  - {parameter: tilt, waveform: chirp, amplitude: 2, frequency: 1, final_frequency: 5, end: 1}",
    1e-13, {-0.25, -1.5}, {0, 0.5}, {0.5, 0.5}, {(sqrt(3) - 1) / 4, 2.5}, {1, 0.5}, {1.05, 2.5}, {1.1, 0.5});
  /* (4^t - 1)/ln 4 cycles from t = 3 on, and a quarter */
  FOLLOWS(
    "  - {parameter: tilt, waveform: chirp, amplitude: 2, frequency: 1, final_frequency: 16, start: 3, end: "
    "5, sweep: geometric, phase: 1.5707963267948966}",
    1e-13, {3, 2.5}, {2.75, 0.5}, {3 + log(1 + log(4)) / log(4), 2.5},
    {3 + log(1 + 1.5 * log(4)) / log(4), -1.5});
  for (int i = 0; i < 2; i++) {
    char         drive[200];
    fare_system *system;

    snprintf(drive, sizeof drive,
      "  - {parameter: tilt, waveform: chirp, amplitude: 1, frequency: 0.5, final_frequency: 8, start: 1, "
      "end: 4, "
      "sweep: %s, phase: 0.3}",
      both[i]);
    system = driven(drive);
    for (double end = 1; end <= 4; end += 3) {
      const double h = 1e-5;
      double       theta[4][FARE_PARAMETERS_MAX], before, after;

      for (int k = 0; k < 4; k++) fare_system_parameters(system, end + h * (k - 1.5), theta[k]);
      before = (theta[1][TILT] - theta[0][TILT]) / h;
      after  = (theta[3][TILT] - theta[2][TILT]) / h;
      assert_near(after, before, 1e-1); /* its slope reaches 50, and changes by 0.03 in between */
      assert_near(theta[2][TILT] - theta[1][TILT], 0.5 * h * (before + after), 1e-9);
      assert_near(fare_system_next_corner(system, end - 1e-3), end, 0);
    }
    assert_true(fare_system_next_jump(system, 0) == HUGE_VAL);
    assert_ok(fare_system_destroy(&system));
  }
}

/* Stretches end eight times a cycle, at crests among others, as long as there are cycles. */
static void chirps_are_not_stepped_over(void **state)
{
  fare_system   *system = driven("  - {parameter: tilt, waveform: chirp, amplitude: 1, frequency: 0.01, "
                                   "final_frequency: 100, start: 0, end: 10, sweep: geometric}");
  const fare_box box    = fare_system_box(system);
  double         t = 0, longest = 0, theta[FARE_PARAMETERS_MAX];
  int            ends = 0, crests = 0;

  (void)state;
  while (t < 10) {
    const double end = fare_system_smooth_until(system, &box, t, 10);

    longest = fmax(longest, 0.01 * (pow(10, 0.4 * end) - pow(10, 0.4 * t)) / (0.4 * log(10)));
    fare_system_parameters(system, end, theta);
    crests += fabs(fabs(theta[TILT] - 0.5) - 1) < 1e-9;
    t = end;
    ends++;
  }
  assert_near(longest, 0.125, 1e-9); /* of a cycle */
  /* 99.99/(0.4 ln 10) cycles */
  assert_in_range(ends, 865, 872);
  assert_in_range(crests, 216, 218);
  assert_ok(fare_system_destroy(&system));
}

static void expressions(void **state)
{
  fare_system *system;

  (void)state;
  FOLLOWS("  - {parameter: tilt, waveform: expression, amplitude: 2, expression: \"t^2 - cos(pi*t)\"}", 1e-14,
    {0, -1.5}, {0.5, 1}, {1, 4.5}, {-1, 4.5}, {2, 6.5});
  system =
    driven("  - {parameter: tilt, waveform: expression, expression: \"step(t - 0.3)*2 + abs(t - 0.7)\"}");
  assert_ok(fare_system_check(system, 0, 1));
  assert_near(fare_system_next_jump(system, 0), 0.3, 1e-16);
  assert_near(fare_system_next_corner(system, 0.4), 0.7, 1e-16);
  assert_ok(fare_system_destroy(&system));
  system = driven("  - {parameter: tilt, waveform: expression, expression: \"exp(-((t - 3)/1e-6)^2)\"}");
  assert_ok(fare_system_check(system, 0, 10));
  assert_between(fare_system_shortest_pulse(system, 0, 10), 1e-7, 1e-5);
  assert_ok(fare_system_destroy(&system));
  system = driven("  - {parameter: kT, waveform: expression, expression: \"-2*exp(-((t - 3)/1e-6)^2)\"}");
  assert_int_equal(fare_system_check(system, 0, 10), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "kT reaches "));
  assert_ok(fare_system_destroy(&system));
}

/* The registry: everything in it can be described, and its resolved plan reads back. */
static void listed_and_described(void **state)
{
  char  *text = NULL;
  size_t size = 0, count = 0;
  FILE  *to = open_memstream(&text, &size);

  (void)state;
  for (; fare_waveform_name_at(count); count++) {
    assert_non_null(fare_waveform_description_at(count));
    assert_ok(fare_waveform_describe(fare_waveform_name_at(count), to));
  }
  assert_int_equal(count, 8);
  assert_null(fare_waveform_description_at(count));
  fclose(to);
  assert_non_null(strstr(text, "duty"));
  free(text);
  assert_int_equal(fare_waveform_describe("saw", stdout), FARE_ERR_INPUT);
}

static void written_and_read_back(void **state)
{
  fare_system *system =
                driven("  - {parameter: tilt, waveform: square, amplitude: 0.1, period: 3, duty: 0.3, phase: "
                       "-1, start: 0.7}\n  - {parameter: tilt, waveform: tabulated, times: [0, 0.1], values: "
                       "[1e-3, -7]}\n  - {parameter: height, waveform: smoothstep, amplitude: 1, end: 2}\n"
                       "  - {parameter: tilt, waveform: chirp, amplitude: 0.3, frequency: 0.7, "
                       "final_frequency: 9, sweep: geometric, start: -1, end: 1, phase: 0.1}\n"
                       "  - {parameter: tilt, waveform: expression, expression: \"exp(-t^2)*t\"}"),
              *again;
  fare_config *config;
  fare_text    text = {0};

  (void)state;
  fare_system_write(system, &text);
  assert_ok(fare_config_parse("written", text.text, text.length, &config));
  assert_ok(fare_system_from_config(fare_node_find(fare_config_root(config), "system"),
    fare_node_find(fare_config_root(config), "drive"), &again));
  for (int i = -50; i < 50; i++) {
    double theta[FARE_PARAMETERS_MAX], theta_again[FARE_PARAMETERS_MAX];

    fare_system_parameters(system, 0.07 * i, theta);
    fare_system_parameters(again, 0.07 * i, theta_again);
    for (int k = 0; k <= TILT; k++) assert_true(theta[k] == theta_again[k]);
  }
  fare_config_destroy(&config);
  assert_ok(fare_system_destroy(&system));
  assert_ok(fare_system_destroy(&again));
  fare_text_free(&text);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(formulas),
  cmocka_unit_test(squares_do_not_drift),
  cmocka_unit_test(jumps_are_known),
  cmocka_unit_test(corners_are_known),
  cmocka_unit_test(edges_are_neither_lost_nor_met_twice),
  cmocka_unit_test(values_change_at_edges),
  cmocka_unit_test(steps_follow_the_drive),
  cmocka_unit_test(several_add_up),
  cmocka_unit_test(ranges_hold_at_every_moment),
  cmocka_unit_test(chirps),
  cmocka_unit_test(chirps_are_not_stepped_over),
  cmocka_unit_test(expressions),
  cmocka_unit_test(mistakes),
  cmocka_unit_test(listed_and_described),
  cmocka_unit_test(written_and_read_back),
};
FARE_TEST_MAIN(tests)
