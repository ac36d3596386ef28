/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/* Rare passages, and values at points with their error bars, against quadrature that shares nothing with the
 * grid. */
#include "analyses.h"

static double prinz_potential(double x)
{
  return 4 *
    (pow(x, 8) + 0.8 * exp(-80 * x * x) + 0.2 * exp(-80 * (x - 0.5) * (x - 0.5)) +
      0.5 * exp(-40 * (x + 0.5) * (x + 0.5)));
}

/* ln of tau(x) = (1/kT) int_x^b dy e^{U(y)/kT} int_lower^y dz e^{-U(z)/kT}, in logarithms. */
static double log_passage(potential U, double kT, double lower, double x, double b)
{
  enum { N = 40000 };
  const double h      = (b - lower) / N;
  double       inside = -HUGE_VAL, sum = -HUGE_VAL;

  for (int i = 0; i < N; i++) {
    const double y = lower + (i + 0.5) * h, u = U(y) / kT, half = log(0.5 * h) - u;
    double       part;

    inside = fmax(inside, half) + log1p(exp(-fabs(inside - half)));
    part   = log(h / kT) + u + inside;
    if (y > x) sum = fmax(sum, part) + log1p(exp(-fabs(sum - part)));
    inside = fmax(inside, half) + log1p(exp(-fabs(inside - half)));
  }
  return sum;
}

static fare_system *make_cold(const char *name, int dim, double kT)
{
  fare_system *system = make_system(fare_system_type_find(name), dim);

  assert_ok(fare_system_set(system, "kT", kT));
  return system;
}

/* Barriers up to 60 kT: every number has its digits, rates of both ways make the relaxation rate, and the
 * bars are no smaller than the errors. */
static void no_barrier_is_too_high(void **state)
{
  const struct {
    const char *name;
    potential   U;
    double      height, lower, x, b;
    const char *sets;
  } cases[] = {
    {"double_well", two_wells, 1, -3.5, -1, 1, "target: {lower: [1]}, points: [-1]"},
    {"prinz", prinz_potential, 3.2, -1.5, -0.7, 0.7, "target: {lower: [0.7]}, points: [-0.7]"},
  };
  const double barrier[] = {12, 33, 60};

  (void)state;
  for (size_t c = 0; c < 2; c++) {
    for (size_t k = 0; k < 3; k++) {
      const double kT    = cases[c].height / barrier[k],
                   exact = exp(log_passage(cases[c].U, kT, cases[c].lower, cases[c].x, cases[c].b));
      double  tau, error, ab, ba, first, zero;
      char    yaml[512];
      section s;

      snprintf(yaml, sizeof yaml,
        "analysis:\n  - {name: t, kind: passage, %s}\n  - {name: r, kind: relaxation, count: 2}\n"
        "  - {name: c, kind: committor, a: {upper: [%g]}, b: {lower: [%g]}}\n",
        cases[c].sets, cases[c].x, cases[c].b);
      run_section(make_cold(cases[c].name, 1, kT), 1024, yaml, &s);
      assert_ok(fare_analysis_value(s.result[0], "time", 0, &tau, &error));
      assert_ok(fare_analysis_value(s.result[1], "rate", 0, &zero, NULL));
      assert_ok(fare_analysis_value(s.result[1], "rate", 1, &first, NULL));
      assert_ok(fare_analysis_value(s.result[2], "rate_ab", 0, &ab, NULL));
      assert_ok(fare_analysis_value(s.result[2], "rate_ba", 0, &ba, NULL));
      if (getenv("FARE_TEST_SHOW"))
        fare_log("%s %g kT: %.9g +- %.1e, expected %.9g; rates %.9g, %.9g + %.9g", cases[c].name, barrier[k],
          tau, error, exact, first, ab, ba);
      assert_near(tau, exact, 1e-5 * exact);
      assert_between(error, 1e-12 * tau, 1e-3 * tau);
      assert_true(zero == 0);
      assert_near(first, ab + ba, 2e-2 * first); /* other wells than the two take their part in prinz */
      if (c == 0) assert_near(first, 2 / exact, k ? 1e-5 * first : 1e-3 * first);
      free_section(&s);
    }
  }
}

/* Two axes that do not feel each other: passages along one are those of one axis, at 40 kT, and so is the
 * slowest rate. */
static void two_axes_keep_digits(void **state)
{
  const char *yaml[] = {"analysis: [{name: t, kind: passage, target: {lower: [0.8]}, points: [-1]}, {name: "
                        "r, kind: relaxation, count: 2}]",
    "analysis: [{name: t, kind: passage, target: {lower: [0.8, -9]}, points: [[-1, "
    "0.3]]}, {name: r, kind: relaxation, count: 2}]"};
  double      tau[2], rate[2];

  (void)state;
  for (int k = 0; k < 2; k++) {
    fare_system *system = make_cold("double_well", 1 + k, 1. / 40);
    section      s;

    assert_ok(read_section(system, 96, yaml[k], &s));
    s.grid = NULL;
    assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1 + k, (PetscInt[]){96, 96}, (double[]){-1.6, -1},
      (double[]){1.6, 1}, NULL, &s.grid));
    assert_ok(fare_analyses_run(s.count, s.analysis, s.grid, NULL, &s.result));
    assert_ok(fare_analysis_value(s.result[0], "time", 0, &tau[k], NULL));
    assert_ok(fare_analysis_value(s.result[1], "rate", 1, &rate[k], NULL));
    free_section(&s);
  }
  if (getenv("FARE_TEST_SHOW"))
    fare_log("two axes: %.9g, %.9g; rates %.9g, %.9g", tau[0], tau[1], rate[0], rate[1]);
  assert_true(tau[0] > 1e16);
  assert_near(tau[1], tau[0], 1e-3 * tau[0]);
  assert_near(rate[1], rate[0], 1e-3 * rate[0]);
}

/* Wells that no potential is known of, with a barrier of 30 kT between: a drift alone. Populations of the
 * steady state. */
static void cubic_drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) f[0][i] = -4 * x[0][i] * (x[0][i] * x[0][i] - 1) + 0.1;
}
static void cold_diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) D[0][i] = theta[0];
}
static const fare_parameter   cold_parameters[] = {{"noise", 1. / 30, 1e-6, 100, ""}, FARE_PARAMETERS_END};
static const fare_system_type cold              = {
               .name          = "cold",
               .dimension_min = 1,
               .dimension_max = 1,
               .parameters    = cold_parameters,
               .lower         = {-1.8},
               .upper         = {1.8},
               .drift         = cubic_drift,
               .diffusion     = cold_diffusion,
};

static double tilted(double x)
{
  return two_wells(x) - 0.1 * x;
}

static void populations_balance_over_barriers(void **state)
{
  const double T = 1. / 30, left = integral(tilted, T, -1, -1.8, 0, 0, 0),
               right        = integral(tilted, T, -1, 0, 1.8, 0, 0);
  fare_system       *system = make_system(&cold, 1);
  fare_grid         *grid   = make_grid_on(PETSC_COMM_SELF, system, 1024);
  double             sum    = 0;
  fare_solved        solved;
  const PetscScalar *p;
  Vec                P;

  (void)state;
  assert_ok(fare_stationary_solve(grid, system, 0, &P, &solved));
  assert_ok(VecGetArrayRead(P, &p));
  for (PetscInt i = 0; i < 512; i++) sum += p[i];
  assert_ok(VecRestoreArrayRead(P, &p));
  if (getenv("FARE_TEST_SHOW")) fare_log("left well %.9g, expected %.9g", sum, left / (left + right));
  assert_near(sum, left / (left + right), 1e-3 * left / (left + right));
  assert_ok(VecDestroy(&P));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* Bars at many points: none is much below the error, and most are not much above. */
enum { POINTS = 600, FINE = 20000 };

static int by_size(const void *a, const void *b)
{
  const double l = *(const double *)a, r = *(const double *)b;

  return (l > r) - (l < r);
}

static void check_points(const section *s, size_t analysis, const char *name, const double exact[])
{
  double ratio[POINTS];

  for (size_t i = 0; i < POINTS; i++) {
    double value, error;

    assert_ok(fare_analysis_value(s->result[analysis], name, i, &value, &error));
    assert_true(error > 0 || exact[i] == value);
    if (fabs(value - exact[i]) > 3 * error + 1e-7 * exact[i])
      fail_msg("%s %zu: %.12g +- %.1e, expected %.12g", name, i, value, error, exact[i]);
    ratio[i] = error / (fabs(value - exact[i]) + 1e-8 * exact[i] + 1e-300);
  }
  qsort(ratio, POINTS, sizeof *ratio, by_size);
  if (getenv("FARE_TEST_SHOW"))
    fare_log("%s: bars are %.2g (least), %.2g (median) times the errors", name, ratio[0], ratio[POINTS / 2]);
  assert_between(ratio[POINTS / 2], 0.3, 100);
}

static void bars_hold_at_points(void **state)
{
  const double a = -0.71, b = 0.83, lower = -3.5;
  const struct {
    double kT;
    int    cells;
  } cases[] = {{0.2, 512}, {0.35, 256}, {0.6, 700}};

  (void)state;
  for (size_t c = 0; c < 3; c++) {
    static double barrier[FINE + 1], inside[FINE + 1], outer[FINE + 1], q[POINTS], p[POINTS], tau[POINTS];
    const double  kT = cases[c].kT, h = (b - lower) / FINE;
    static char   points[POINTS * 24], yaml[3 * POINTS * 24];
    section       s;

    /* cumulative sums by Simpson's rule, and the double integral by the trapezoidal one */
    for (int i = 0; i < FINE; i++) {
      const double y = lower + i * h;

      inside[i + 1] = inside[i] +
        h / 6 * (exp(-two_wells(y) / kT) + 4 * exp(-two_wells(y + h / 2) / kT) + exp(-two_wells(y + h) / kT));
      barrier[i + 1] = y < a - h ? 0
                                 : barrier[i] +
          h / 6 *
            (exp(two_wells(fmax(a, y)) / kT) + 4 * exp(two_wells(fmax(a, y) + h / 2) / kT) +
              exp(two_wells(y + h) / kT));
    }
    for (int i = FINE - 1; i >= 0; i--) {
      const double y = lower + i * h, in = i ? inside[i] * exp(fmin(700, two_wells(y) / kT)) : 0;

      outer[i] = outer[i + 1] + h / (2 * kT) * (in + inside[i + 1] * exp(two_wells(y + h) / kT));
    }
    points[0] = '\0';
    for (int i = 0; i < POINTS; i++) {
      const double at = a + (b - a) * fmod(0.5 + 0.6180339887498949 * i, 1), place = (at - lower) / h,
                   share = place - floor(place);
      const int below    = (int)place;
      char      one[32];

      snprintf(one, sizeof one, "%s%.16g", i ? ", " : "", at);
      strcat(points, one);
      q[i]   = integral(two_wells, kT, 1, a, at, 0, 0);
      p[i]   = integral(two_wells, kT, 1, at, b, 0, 0);
      tau[i] = outer[below] * (1 - share) + outer[below + 1] * share;
    }
    for (int i = 0; i < POINTS; i++) {
      const double all = q[i] + p[i];

      q[i] /= all;
      p[i] /= all;
    }
    snprintf(yaml, sizeof yaml,
      "analysis:\n  - {name: t, kind: passage, target: {lower: [%g]}, points: [%s]}\n  - {name: c, "
      "kind: committor, a: {upper: [%g]}, b: {lower: [%g]}, points: [%s]}\n",
      b, points, a, b, points);
    run_section(make_cold("double_well", 1, kT), cases[c].cells, yaml, &s);
    check_points(&s, 0, "time", tau);
    check_points(&s, 1, "committor", q);
    check_points(&s, 1, "to_a", p);
    free_section(&s);
  }
}

/* Mean exit time of free diffusion from a square of side a whose sides lie within cells: its series, at
 * points all over it. */
static void bars_hold_in_a_square(void **state)
{
  enum { COUNT = 200 };
  const double a = 1.37, corner[] = {-0.67, -0.35};
  fare_system *system = make_system(&swirl, 2);
  char         yaml[200 + 48 * COUNT] =
    "analysis: [{name: exit, kind: passage, leave: {lower: [-0.67, -0.35], upper: [0.7, 1.02]}, points: [";
  double  exact[COUNT], ratio[COUNT];
  section s;

  (void)state;
  for (int i = 0; i < COUNT; i++) {
    const double x = fmod(0.5 + 0.7548776662466927 * i, 1), y = fmod(0.5 + 0.5698402909980532 * i, 1);
    char         one[64];

    exact[i] = 0;
    for (int m = 1; m < 400; m += 2) {
      const double k = M_PI * m, far = fabs(y - 0.5);

      exact[i] +=
        4 / pow(k, 3) * sin(k * x) * (1 - (exp(k * (far - 0.5)) + exp(-k * (far + 0.5))) / (1 + exp(-k)));
    }
    exact[i] *= a * a / 0.5;
    snprintf(one, sizeof one, "%s[%.16g, %.16g]", i ? ", " : "", corner[0] + a * x, corner[1] + a * y);
    strcat(yaml, one);
  }
  strcat(yaml, "]}]");
  assert_ok(fare_system_set(system, "stiffness", 0));
  assert_ok(fare_system_set(system, "swirl", 0));
  run_section(system, 192, yaml, &s);
  for (size_t i = 0; i < COUNT; i++) {
    double value, error;

    assert_ok(fare_analysis_value(s.result[0], "time", i, &value, &error));
    if (fabs(value - exact[i]) > 3 * error)
      fail_msg("time %zu: %.12g +- %.1e, expected %.12g", i, value, error, exact[i]);
    ratio[i] = error / (fabs(value - exact[i]) + 1e-9);
  }
  qsort(ratio, COUNT, sizeof *ratio, by_size);
  if (getenv("FARE_TEST_SHOW"))
    fare_log("square: bars are %.2g (least), %.2g (median) times the errors", ratio[0], ratio[COUNT / 2]);
  assert_between(ratio[COUNT / 2], 0.3, 30);
  free_section(&s);
}

/* Ends at -1 and 1 that absorb, in a well between them: half of all leave at each. */
static void the_whole_box_is_left_through_its_ends(void **state)
{
  const char *text  = "analysis: [{name: t, kind: passage, leave: {lower: [-2], upper: [2]}, points: [0.0]}]";
  const char *part  = "analysis: [{name: t, kind: passage, leave: {lower: [-0.9995], upper: [2]}}]";
  PetscInt64  cells = 512, closed = FARE_BOUNDARY_REFLECTING, open = FARE_BOUNDARY_ABSORBING;
  fare_truth_options  truth  = {.cells = {1, &cells},
      .lower                           = {1, (double[]){-1}},
      .upper                           = {1, (double[]){1}},
      .boundaries                      = {1, &open}};
  const fare_boundary end[]  = {FARE_BOUNDARY_ABSORBING, FARE_BOUNDARY_ABSORBING, FARE_BOUNDARY_ABSORBING};
  fare_system        *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  double              value, error, up, down;
  section             s = {.system = system};

  (void)state;
  assert_ok(fare_config_parse("plan.yaml", text, strlen(text), &s.config));
  assert_ok(fare_analyses_from_config(
    fare_node_find(fare_config_root(s.config), "analysis"), system, &truth, &s.count, &s.analysis));
  assert_ok(
    fare_grid_create(PETSC_COMM_WORLD, 1, (PetscInt[]){512}, (double[]){-1}, (double[]){1}, end, &s.grid));
  assert_ok(fare_analyses_run(s.count, s.analysis, s.grid, NULL, &s.result));
  assert_ok(fare_analysis_value(s.result[0], "time", 0, &value, &error));
  assert_ok(fare_analysis_value(s.result[0], "upper_x", 0, &up, NULL));
  assert_ok(fare_analysis_value(s.result[0], "lower_x", 0, &down, NULL));
  /* U = x^2/2, kT 1: tau(0) = int_0^1 dy e^{y^2/2} int_0^y dz e^{-z^2/2} */
  assert_near(value, integral(harmonic, 1, 1, 0, 1, 1, 0), 3 * error);
  assert_between(error, 1e-9, 1e-4);
  assert_near(up, 0.5, 1e-6);
  assert_near(up + down, 1, 1e-12);
  assert_ok(fare_analysis_results_destroy(&s.result));
  assert_ok(fare_analyses_destroy(&s.count, &s.analysis));
  /* closed ends are not left, and half a cell is no set */
  truth.boundaries.values = &closed;
  assert_int_equal(fare_analyses_from_config(fare_node_find(fare_config_root(s.config), "analysis"), system,
                     &truth, &s.count, &s.analysis),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "whole box"));
  fare_config_destroy(&s.config);
  truth.boundaries.values = &open;
  assert_ok(fare_config_parse("plan.yaml", part, strlen(part), &s.config));
  assert_int_equal(fare_analyses_from_config(fare_node_find(fare_config_root(s.config), "analysis"), system,
                     &truth, &s.count, &s.analysis),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "so narrow"));
  free_section(&s);
}

/* An iterative solver says so where a barrier costs it its digits. */
static void lost_digits_are_an_error(void **state)
{
  double  value;
  section s;

  (void)state;
  assert_ok(PetscOptionsSetValue(NULL, "-analysis_pc_type", "lu"));
  run_section_on(PETSC_COMM_SELF, make_cold("double_well", 1, 1. / 40), 512,
    "analysis: [{name: t, kind: passage, target: {lower: [1]}, points: [-1]}, {name: r, kind: "
    "relaxation, count: 2}]",
    &s);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(fare_analysis_value(s.result[i], i ? "rate" : "time", 0, &value, NULL), FARE_ERR_FAILED);
    assert_non_null(strstr(fare_error_message(), "barrier"));
  }
  assert_ok(PetscOptionsClearValue(NULL, "-analysis_pc_type"));
  free_section(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(no_barrier_is_too_high),
  cmocka_unit_test(two_axes_keep_digits),
  cmocka_unit_test(populations_balance_over_barriers),
  cmocka_unit_test(bars_hold_at_points),
  cmocka_unit_test(bars_hold_in_a_square),
  cmocka_unit_test(the_whole_box_is_left_through_its_ends),
  cmocka_unit_test(lost_digits_are_an_error),
};
FARE_TEST_MAIN(tests)
