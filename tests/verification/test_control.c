/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification timeout=300 */
/* Best drives against closed forms and another program's, and what is refused. */
#include "analyses.h"

#include "control/control.h"

typedef struct {
  fare_config         *config;
  fare_system         *system;
  fare_grid           *grid;
  fare_rare           *rare;
  fare_control        *control;
  fare_control_results found;
} study;

static PetscErrorCode read_control(const char *type, const char *yaml, study *s)
{
  static const fare_truth_options truth = {.tolerance = 1e-8};
  const fare_node                *root;

  memset(s, 0, sizeof *s);
  assert_ok(fare_config_parse("plan.yaml", yaml, strlen(yaml), &s->config));
  root = fare_config_root(s->config);
  if (type)
    s->system = make_system(fare_system_type_find(type), 1);
  else
    assert_ok(fare_system_from_config(fare_node_find(root, "system"), NULL, &s->system));
  if (strstr(yaml, "aim: most_power")) assert_ok(fare_system_drive_sine(s->system, "kT", 0.5, 1, 0));
  if (strstr(yaml, "events:")) assert_ok(fare_system_set(s->system, "kT", 0.25));
  assert_ok(fare_rare_from_config(fare_node_find(root, "events"), NULL, s->system, &truth, &s->rare));
  return fare_control_from_config(fare_node_find(root, "control"), s->system, &truth, s->rare, &s->control);
}

/* What one of the drives that the best is compared with leads to. */
static double rung(const fare_control_result *r, const char *name)
{
  for (int i = 0; i < r->rungs; i++) {
    if (!strcmp(r->rung[i].name, name)) return r->rung[i].value;
  }
  fail_msg("there is no drive '%s'", name);
  return NAN;
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
  if (getenv("FARE_TEST_SHOW")) {
    for (int i = 0; i < r->rungs; i++) fare_log("%s %.8g", r->rung[i].name, r->rung[i].value);
    fare_log("optimum %.8g +- %.1e, %.1e; by other steps %.8g; bound %.8g; %d iterations; %s", r->optimum,
      r->step_error, r->grid_error, r->checked, r->bound, (int)r->iterations, r->failure ? r->failure : "");
  }
  return r;
}

static void free_control(study *s)
{
  fare_control_results_free(&s->found);
  assert_ok(fare_control_destroy(&s->control));
  assert_ok(fare_rare_destroy(&s->rare));
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
  assert_near(r->bound, 4. / 3, 1e-4);
  assert_near(rung(r, "linear"), 4 / M_E, 2e-4);
  assert_near(rung(r, "switch"), 2, 2e-4);
  for (int k = 0; k < r->knots; k++)
    assert_near(r->course[0].value[k], 2. / 3 + 2. / 3 * k / (r->knots - 1), 5e-3);
  free_control(&s);

  r = run_control("ornstein_uhlenbeck", -5, 5, 320,
    "control: [{name: breathe, parameter: stiffness, from: 1, to: 4, duration: 1, knots: 12}]", &s);
  assert_null(r->failure);
  assert_near(r->free_energy, log(2), 2e-4);
  assert_near(r->optimum, 0.1974246, 2e-4);
  assert_near(r->course[0].value[0], 1.3924, 0.02);
  assert_near(r->course[0].value[11], 3.3542, 0.05);
  assert_near(r->checked, r->optimum, 2e-4);
  free_control(&s);
}

/* A parameter of a formula has no range; and neither kT nor lengths need be of the order of 1. */
static void units_and_ranges_do_not_matter(void **state)
{
  static const double kT[] = {1, 1e-6}, length[] = {1, 1000};

  (void)state;
  for (int i = 0; i < 2; i++) {
    const fare_control_result *r;
    study                      s;
    char                       yaml[512];

    snprintf(yaml, sizeof yaml,
      "{system: {expression: {potential: k*(x - c)^2/2, lower: [%g], upper: [%g]}, parameters: {k: %.17g, c: "
      "0, kT: %g, mobility: %g}}, control: [{name: move, parameter: c, from: 0, to: %g, duration: %g, knots: "
      "6}]}",
      -5 * length[i], 7 * length[i], kT[i] / (length[i] * length[i]), kT[i], 1 / kT[i], 2 * length[i],
      length[i] * length[i]);
    r = run_control(NULL, -5 * length[i], 7 * length[i], 128, yaml, &s);
    assert_null(r->failure);
    assert_near(r->optimum / kT[i], 4. / 3, 1e-3);
    for (int k = 0; k < r->knots; k++)
      assert_near(r->course[0].value[k] / length[i], 2. / 3 + 2. / 3 * k / (r->knots - 1), 0.01);
    free_control(&s);
  }
}

/* Where nothing but rounding is left, neither does a search go on nor is a work of that size a result. */
static void rounding_ends_a_search(void **state)
{
  const fare_control_result *r;
  double                     mean[2];
  study                      s;

  (void)state;
  for (int i = 0; i < 2; i++) {
    r       = run_control("double_well", -3.5, 3.5, 64,
      i ? "control: [{name: weak, aim: observable, parameter: tilt, duration: 1, energy: 1e-12, knots: 3}]"
              : "control: [{name: weak, aim: observable, parameter: tilt, duration: 1, energy: 1e-6, knots: 3}]",
            &s);
    mean[i] = r->optimum;
    assert_true(r->iterations < 60);
    free_control(&s);
  }
  assert_near(mean[1] / mean[0], 1e-3, 1e-7);
  r = run_control("double_well", -3.5, 3.5, 64,
    "control: [{name: still, parameter: tilt, to: 1e-300, duration: 1, knots: 3}]", &s);
  assert_non_null(strstr(r->failure, "lost in rounding"));
  free_control(&s);
}

/*
  With centre and stiffness any Gaussian path can be had, so that the best one is the bound of full control:
  the centre adds the least of m^2 + 2 (m - 2)^2, which is 8/3.
*/
static void two_drives_do_what_one_cannot(void **state)
{
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("ornstein_uhlenbeck", -5, 7, 384,
    "control: [{name: both, duration: 1, knots: 9, drives: [{parameter: centre, from: 0, to: 2}, {parameter: "
    "stiffness, from: 1, to: 4}]}]",
    &s);
  assert_null(r->failure);
  assert_int_equal(r->courses, 2);
  assert_near(r->optimum, 8. / 3 + 0.1974246, 1e-3);
  assert_near(r->bound, 8. / 3 + 0.1974246, 1e-4);
  assert_near(r->course[0].value[0], 4. / 3 / 1.3924, 0.05);
  free_control(&s);
}

/*
  A trap with k = 1 whose centre c(t) has the integral of c^2 = 2 moves the mean at time 1 by no more than the
  square root of 1 - exp(-2); so that a Gaussian with mean 1.5 stays away by half the square of the rest.
*/
static void energy_limits_what_can_be_reached(void **state)
{
  const double               most = sqrt(1 - exp(-2));
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("ornstein_uhlenbeck", -6, 6, 240,
    "control: [{name: far, aim: observable, parameter: centre, duration: 1, knots: 9, energy: 2}]", &s);
  assert_null(r->failure);
  assert_near(r->optimum, most, 5e-4);
  assert_near(r->checked, most, 5e-4);
  assert_near(r->energy, 2, 1e-9);
  assert_near(r->course[0].value[8], most * 2 / (1 - exp(-2)), 0.05);
  free_control(&s);
  r = run_control("ornstein_uhlenbeck", -6, 6, 240,
    "control: [{name: far, aim: observable, seek: smallest, parameter: centre, duration: 1, knots: 9, "
    "energy: "
    "2}]",
    &s);
  assert_null(r->failure);
  assert_near(r->optimum, -most, 5e-4);
  free_control(&s);
  r = run_control("ornstein_uhlenbeck", -6, 6, 240,
    "control: [{name: go, aim: reach, parameter: centre, duration: 1, knots: 9, energy: 2, target: {density: "
    "gaussian, mean: [1.5], sd: [1.0]}}]",
    &s);
  assert_null(r->failure);
  assert_near(r->optimum, (1.5 - most) * (1.5 - most) / 2, 1e-3);
  assert_near(rung(r, "none"), 1.125, 1e-3);
  free_control(&s);
  r = run_control("ornstein_uhlenbeck", -6, 6, 160,
    "control: [{name: go, aim: reach, parameter: centre, to: 1, duration: 1, knots: 5, lower: -3, upper: 3}]",
    &s);
  assert_null(r->failure);
  assert_near(r->optimum, 0, 1e-6);
  assert_near(rung(r, "none"), 0.5, 1e-3);
  free_control(&s);
}

/*
  The largest variance v at time 1 of a trap whose stiffness 1 + u(t) has the integral of u^2 = energy, u >=
  low. With p the derivative by v, p' = 2 (1 + u) p, and q = p v, q' = 2 p, Pontryagin's principle has u =
  max(low, -q/m) with a multiplier m. Backward from p = 1, q = v; v such that q = p at the start, where v = 1.
  *spent: the energy.
*/
static double widest(double m, double low, double *spent)
{
  const int steps = 400;
  double    least = 0.5, most = 20;

  while (most - least > 1e-10) {
    const double v = 0.5 * (least + most), dt = 1. / steps;
    double       p = 1, q = v;

    *spent = 0;
    for (int n = 0; n < steps; n++) {
      const double u = PetscMax(low, -q / m), mp = p - dt * (1 + u) * p, mq = q - dt * p;
      const double middle = PetscMax(low, -mq / m);

      p -= dt * 2 * (1 + middle) * mp;
      q -= dt * 2 * mp;
      *spent += middle * middle * dt;
    }
    if (q > p)
      most = v;
    else
      least = v;
  }
  return least;
}

static double widest_of_energy(double low, double energy)
{
  double least = 0.01, most = 1000, spent, v;

  for (int k = 0; k < 60; k++) {
    const double m = sqrt(least * most);

    v = widest(m, low, &spent);
    if (spent > energy)
      least = m;
    else
      most = m;
  }
  return v;
}

/* A bound beside an energy: it counts at the end, where most is gained, and the energy is spent elsewhere. */
static void bounds_hold_beside_an_energy(void **state)
{
  static const double energy[] = {0.25, 4};
  static const char  *bound[]  = {"lower: 0.4,", ""};

  (void)state;
  for (int k = 0; k < 2; k++) {
    const double               low = k ? -1 + 1e-6 : -0.6, most = widest_of_energy(low, energy[k]);
    const fare_control_result *r;
    study                      s;
    char                       yaml[256];

    snprintf(yaml, sizeof yaml,
      "control: [{name: widen, aim: observable, power: 2, parameter: stiffness, %s duration: 1, knots: 7, "
      "energy: %g}]",
      bound[k], energy[k]);
    r = run_control("ornstein_uhlenbeck", -8, 8, 120, yaml, &s);
    assert_null(r->failure);
    if (getenv("FARE_TEST_SHOW")) fare_log("most %.6f", most);
    assert_near(r->optimum, most, 2e-3 * most);
    assert_between(r->energy, 0, energy[k] * (1 + 1e-6));
    for (int i = 0; i < r->knots; i++) assert_true(r->course[0].value[i] >= 1 + low - 1e-9);
    free_control(&s);
  }
}

/* Against other programs: the drives that the best is compared with by implicit Euler, extrapolated. */
static void events_become_likely(void **state)
{
  const fare_control_result *r;
  study                      s;

  (void)state;
  r = run_control("prinz", -2, 2, 512,
    "{events: [{name: over, b: {lower: [0.5]}, start: [-0.7], deadline: 1}], control: [{name: push, aim: "
    "most_likely, event: over, parameter: tilt, duration: 1, energy: 4.5}]}",
    &s);
  assert_null(r->failure);
  /* tests/study/test_control_event.py finds 2.3165e-4 with a chain and a search of its own */
  assert_near(r->optimum, 2.3165e-4, 1e-6);
  assert_near(r->checked, r->optimum, 5e-3 * r->optimum);
  assert_near(PetscMax(rung(r, "constant_up"), rung(r, "constant_down")), 8.405e-5, 1e-6);
  assert_near(rung(r, "sine"), 1.555e-5, 6e-7);
  free_control(&s);
}

/* Derivatives by the knots of several drives against differences of fourth order, of each aim. */
static void knots_have_their_derivatives(void **state)
{
  static const char *const lines[] = {"control: [{name: a, duration: 1, knots: 4, drives: [{parameter: "
                                      "height, from: 3, to: 4}, {parameter: tilt, "
                                      "from: 0, to: 2}]}]",
    "control: [{name: a, aim: observable, region: {lower: [0.1]}, energy: 1, duration: 1, knots: 4, drives: "
    "[{parameter: height}, {parameter: tilt}, {parameter: kT}]}]",
    "control: [{name: a, aim: reach, duration: 1, knots: 4, drives: [{parameter: mobility}, {parameter: "
    "tilt, to: "
    "2}]}]",
    "{events: [{name: over, b: {lower: [0.5]}, start: [-0.7], deadline: 1}], control: [{name: a, aim: "
    "least_likely, "
    "event: over, duration: 1, knots: 4, energy: 1, drives: [{parameter: height}, {parameter: tilt}]}]}",
    "control: [{name: a, aim: most_power, duration: 1, knots: 4, drives: [{parameter: height, lower: 2, "
    "upper: 6}, "
    "{parameter: tilt, lower: -2, upper: 2}]}]"};
  const PetscInt           cells   = 192;
  const double             lower = -2, upper = 2, step = 2e-3;

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(lines); c++) {
    static const double  at[] = {2, 1, -1, -2}, weight[] = {-1. / 12, 8. / 12, -8. / 12, 1. / 12};
    fare_truth_options   truth = {.tolerance = 1e-8};
    fare_control_line    line  = {0};
    fare_control_problem p;
    double               knot[16], gradient[16], value, largest = 0;
    int                  size;
    study                s;

    assert_ok(read_control("prinz", lines[c], &s));
    assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, NULL, &s.grid));
    assert_ok(fare_control_line_read(fare_node_item(fare_node_find(fare_config_root(s.config), "control"), 0),
      s.system, &truth, s.rare, &line));
    assert_ok(fare_control_problem_create(&line, s.grid, 24, &p));
    size = line.points * line.drives;
    for (int i = 0; i < size; i++)
      knot[i] = line.drive[i % line.drives].base + 0.3 * (1 + sin(1.7 * i + 0.3 * i * i));
    assert_ok(fare_control_value(&p, knot, &value, gradient));
    for (int i = 0; i < size; i++) largest = PetscMax(largest, fabs(gradient[i]));
    assert_true(largest > 0);
    for (int i = 0; i < size; i++) {
      const double kept  = knot[i];
      double       slope = 0;

      for (int q = 0; q < 4; q++) {
        knot[i] = kept + at[q] * step;
        assert_ok(fare_control_value(&p, knot, &value, NULL));
        slope += weight[q] * value / step;
      }
      knot[i] = kept;
      if (getenv("FARE_TEST_SHOW"))
        fare_log("line %zu, knot %d: %.10g, by differences %.10g", c, i, gradient[i], slope);
      assert_near(gradient[i], slope, 1e-7 * largest);
    }
    assert_ok(fare_control_problem_free(&p));
    fare_control_line_free(&line);
    free_control(&s);
  }
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
  assert_near(rung(r, "switch"), 0.434938, 2e-4);
  assert_near(rung(r, "linear"), 0.2484, 2e-4);
  assert_near(rung(r, "geodesic"), 0.2480, 2e-4);
  assert_near(r->optimum, 0.2234, 2e-4);
  assert_near(r->bound, 0.14202, 2e-5);
  free_control(&s);
}

/* Of several systems, fast and slow: the bound, the optimum, and all others above it. */
static void ladders_are_ordered(void **state)
{
  static const struct {
    const char *type, *parameter;
    double      from, to, duration, lower, upper;
  } runs[] = {{"double_well", "tilt", -1, 1, 0.1, -2.2, 2.2}, {"double_well", "tilt", 0, 2, 4, -2.2, 2.2},
    {"double_well", "height", 1, 3, 0.5, -2.4, 2.4}, {"ornstein_uhlenbeck", "stiffness", 4, 1, 0.2, -5, 5},
    {"ornstein_uhlenbeck", "centre", 0, 1, 20, -5, 6}, {"prinz", "tilt", 0, -3, 0.3, -1.8, 1.8},
    {"prinz", "tilt", 2, 0, 10, -1.8, 1.8}};

  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(runs); k++) {
    const fare_control_result *r;
    study                      s;
    char                       yaml[256];

    snprintf(yaml, sizeof yaml,
      "control: [{name: go, parameter: %s, from: %g, to: %g, duration: %g, knots: 6}]", runs[k].parameter,
      runs[k].from, runs[k].to, runs[k].duration);
    r = run_control(runs[k].type, runs[k].lower, runs[k].upper, 96, yaml, &s);
    assert_null(r->failure);
    assert_true(r->bound > 0 && r->bound - r->bound_error <= r->optimum + fare_control_error(r));
    assert_int_equal(r->rungs, 3);
    for (int i = 0; i < r->rungs; i++)
      assert_true(r->optimum - fare_control_error(r) <= r->rung[i].value + r->rung[i].error);
    assert_true(rung(r, "linear") < rung(r, "switch"));
    free_control(&s);
  }
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
  for (int k = 0; k < r->knots; k++) assert_between(r->course[0].value[k], -1, 1.1);
  assert_near(r->course[0].value[r->knots - 1], 1.1, 1e-9);
  free_control(&s);
  r = run_control("ornstein_uhlenbeck", -5, 7, 128,
    "control: [{name: drag, parameter: centre, from: 0, to: 2, duration: 1, knots: 7, jumps: false}]", &s);
  assert_null(r->failure);
  assert_near(r->course[0].value[0], 0, 1e-12);
  assert_near(r->course[0].value[r->knots - 1], 2, 1e-12);
  assert_between(r->optimum, 4. / 3, rung(r, "linear"));
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
    {"prinz", "duration: 1", "missing key 'parameter'"},
    {"prinz", "aim: most_power, parameter: tilt, duration: 1", "as large as can be"},
    {"prinz", "aim: most_power, parameter: kT, duration: 1, lower: 0.5, upper: 2",
      "is optimised here: remove it from the section"},
    {"prinz", "aim: most_power, parameter: tilt, duration: 0.7, lower: -1, upper: 1",
      "does not repeat after 0.7"},
    {"prinz", "aim: most_power, parameter: tilt, duration: 1, lower: -1, upper: 1, energy: 1",
      "only the aims"},
    {"prinz", "aim: most_power, parameter: tilt, duration: 1, lower: -1, upper: 1, jumps: false", "may jump"},
    {"prinz", "parameter: tilt, duration: 1", "two states"},
    {"prinz", "parameter: tilt, to: 1, duration: 1, energy: 1", "only the aims most_likely"},
    {"prinz", "parameter: tilt, to: 1, duration: 1, drives: [{parameter: tilt}]",
      "each of them has this key"},
    {"prinz", "duration: 1, drives: [{parameter: tilt, to: 1}, {parameter: tilt}]", "'tilt' is there twice"},
    {"prinz", "aim: observable, parameter: tilt, duration: 1", "as large as can be"},
    {"prinz", "aim: observable, parameter: tilt, duration: 1, energy: 1, axis: y", "there is no axis 'y'"},
    {"prinz", "aim: most_likely, parameter: tilt, duration: 1, energy: 1", "missing key 'event'"},
    {"prinz", "aim: most_likely, event: over, parameter: tilt, duration: 1, energy: 1", "no event 'over'"},
    {NULL, "parameter: a, from: 0, to: 1, duration: 1", "not periodic along 'x'"},
    {NULL, "aim: observable, parameter: a, duration: 1, energy: 1", "not periodic along 'x'"},
    {NULL, "parameter: k, from: 1, to: 2, duration: 1", "not periodic along 'x'"},
    {NULL, "parameter: b, from: 0, to: 1, duration: 1, lower: -1, upper: 3", "not periodic along 'x'"},
    {NULL, "aim: observable, parameter: b, duration: 1, energy: 2", "not periodic along 'x'"},
  };
  study s;

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(cases); c++) {
    char yaml[512];

    snprintf(yaml, sizeof yaml,
      "{system: {expression: {potential: 'sin(k*x) - a*x - max(b - 2, 0)*x', lower: [-pi], upper: [pi], "
      "periodic: "
      "[true]}, parameters: {a: 0, k: 1, b: 0}}, control: [{name: a, %s}]}",
      cases[c].keys);
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
    cmocka_unit_test(events_become_likely),
    cmocka_unit_test(energy_limits_what_can_be_reached),
    cmocka_unit_test(bounds_hold_beside_an_energy),
    cmocka_unit_test(knots_have_their_derivatives),
    cmocka_unit_test(traps_have_closed_forms),
    cmocka_unit_test(units_and_ranges_do_not_matter),
    cmocka_unit_test(rounding_ends_a_search),
    cmocka_unit_test(two_drives_do_what_one_cannot),
    cmocka_unit_test(wells_are_tilted_as_another_program_says),
    cmocka_unit_test(ladders_are_ordered),
    cmocka_unit_test(bounds_and_ends_hold),
    cmocka_unit_test(drives_that_exploit_steps_are_refused),
    cmocka_unit_test(bad_sections_say_why),
  };

  return fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
