/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Friction of slow drives and geodesics: traps with closed forms, of which several parameters make a flat
  space in other coordinates; four wells by quadrature; and what is refused.
*/
#include "analyses.h"

#include <fare/friction.h>

/* V = stiffness (x - centre)^2/2 + second (y + centre/2)^2/2. */
enum { FIRST = FARE_OWN, CENTRE, SECOND };
static const fare_parameter plane_parameters[] = {FARE_COMMON_PARAMETERS, {"first", 1, 0.1, 100, ""},
  {"centre", 0, -10, 10, ""}, {"second", 1, 0.1, 100, ""}, FARE_PARAMETERS_END};

static void plane_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++)
    V[i] = 0.5 * theta[FIRST] * pow(x[0][i] - theta[CENTRE], 2) +
      0.5 * theta[SECOND] * pow(x[1][i] + 0.5 * theta[CENTRE], 2);
}

static void plane_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -theta[FIRST] * (x[0][i] - theta[CENTRE]);
    f[1][i] = -theta[SECOND] * (x[1][i] + 0.5 * theta[CENTRE]);
  }
}

static const fare_system_type plane = {
  .name          = "plane",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = plane_parameters,
  .lower         = {-4.5, -4.5},
  .upper         = {4.5, 4.5},
  .potential     = plane_potential,
  .force         = plane_force,
};

/* |x - radius (cos angle, sin angle)|^2/2: a plane in polar coordinates. */
enum { RADIUS = FARE_OWN, ANGLE };
static const fare_parameter polar_parameters[] = {
  FARE_COMMON_PARAMETERS, {"radius", 1, 0.1, 4, ""}, {"angle", 0, -4, 4, ""}, FARE_PARAMETERS_END};

static void polar_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double centre[] = {theta[RADIUS] * cos(theta[ANGLE]), theta[RADIUS] * sin(theta[ANGLE])};

  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) f[axis][i] = centre[axis] - x[axis][i];
  }
}

static void polar_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double centre[] = {theta[RADIUS] * cos(theta[ANGLE]), theta[RADIUS] * sin(theta[ANGLE])};

  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = 0.5 * (pow(x[0][i] - centre[0], 2) + pow(x[1][i] - centre[1], 2));
}

static const fare_system_type polar = {
  .name          = "polar",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = polar_parameters,
  .lower         = {-6, -6},
  .upper         = {6, 6},
  .potential     = polar_potential,
  .force         = polar_force,
};

/* Dragged, 1/mobility whatever else; breathing, kT/(4 mobility stiffness^3). */
static void traps_have_a_closed_form(void **state)
{
  fare_system *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  section      s;

  (void)state;
  assert_ok(fare_system_set(system, "kT", 0.7));
  assert_ok(fare_system_set(system, "mobility", 1.6));
  assert_ok(fare_system_set(system, "stiffness", 2.5));
  assert_ok(fare_system_set(system, "centre", 0.3));
  run_extrapolated(system, 256, "analysis: [{name: f, kind: friction, parameters: [centre, stiffness]}]", &s);
  check_value(&s, 0, "friction", 0, 1 / 1.6, 1.5, 1e-4);
  check_value(&s, 0, "friction", 1, 0, 1.5, 1e-4);
  check_value(&s, 0, "friction", 2, 0, 1.5, 1e-4);
  check_value(&s, 0, "friction", 3, 0.7 / (4 * 1.6 * pow(2.5, 3)), 1.5, 1e-4);
  free_section(&s);
}

/*
  The integral of (dF/dl)^2/(mobility p), F = the integral of p, from either end to the middle: by sums that
  know no grid of FARE's.
*/
static double quadrature(double tilt)
{
  enum { N = 40000 };
  static double p[N + 1];
  const double  h   = 4.0 / N;
  double        sum = 0, mean = 0, friction = 0;

  for (int i = 0; i <= N; i++) {
    const double x = -2 + h * i;

    p[i] = exp(tilt * x -
      4 *
        (pow(x, 8) + 0.8 * exp(-80 * x * x) + 0.2 * exp(-80 * pow(x - 0.5, 2)) +
          0.5 * exp(-40 * pow(x + 0.5, 2))));
    sum += p[i];
    mean += p[i] * x;
  }
  mean /= sum;
  for (int end = 0; end < 2; end++) {
    double within = 0;

    for (int k = 0; k < N / 2; k++) {
      const int i = end ? N - k : k, next = end ? i - 1 : i + 1;

      within += 0.5 * h * (p[i] * (-2 + h * i - mean) + p[next] * (-2 + h * next - mean));
      friction += p[next] > 0 ? (k < N / 2 - 1 ? 1 : 0.5) * h * within * within / p[next] : 0;
    }
  }
  return friction / (sum * h);
}

static void four_wells_agree_with_quadrature(void **state)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);
  double       length = 0, straight = 0;
  section      s;

  (void)state;
  for (int i = 0; i < 20; i++) { /* midpoints, and Simpson's rule with what lies beside */
    const double at = 2 * (i + 0.5) / 20, part = 1. / 20;

    length +=
      part / 3 * (sqrt(quadrature(at - part)) + 4 * sqrt(quadrature(at)) + sqrt(quadrature(at + part)));
    straight += 2 * part / 3 * (quadrature(at - part) + 4 * quadrature(at) + quadrature(at + part));
  }
  run_extrapolated(system, 256,
    "analysis: [{name: f, kind: friction, parameters: [tilt], from: [0], to: [2], duration: 4, points: 3}]",
    &s);
  check_value(&s, 0, "friction", 0, quadrature(0), 1.5, 1e-4);
  check_value(&s, 0, "length", 0, length, 1.5, 1e-4);
  check_value(&s, 0, "excess_work", 0, 0.456811 / 4, 2, 1e-4); /* of another program */
  check_value(&s, 0, "straight", 0, straight / 4, 1.5, 1e-4);
  free_section(&s);
}

/* V = -3 exp(-((x - place)/width)^2/2). */
enum { PLACE = FARE_OWN, WIDTH };
static const fare_parameter well_parameters[] = {
  FARE_COMMON_PARAMETERS, {"place", 0, -1, 1, ""}, {"width", 1, 1e-9, 1, ""}, FARE_PARAMETERS_END};

static void well_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = -3 * exp(-0.5 * PetscSqr((x[0][i] - theta[PLACE]) / theta[WIDTH]));
}

static void well_force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  double *const V = f[0];

  well_potential(dim, theta, n, x, V);
  for (size_t i = 0; i < n; i++) f[0][i] = V[i] * (x[0][i] - theta[PLACE]) / PetscSqr(theta[WIDTH]);
}

/* Friction times mobility is a number, whatever the unit of length. */
static void narrow_wells_rub_as_wide_ones(void **state)
{
  const int parameter = PLACE;
  double    friction[3];

  (void)state;
  for (int k = 0; k < 3; k++) {
    const double     width  = pow(1e-3, k);
    fare_system_type well   = {.name = "well",
        .dimension_min               = 1,
        .dimension_max               = 1,
        .parameters                  = well_parameters,
        .lower                       = {-4 * width},
        .upper                       = {4 * width},
        .potential                   = well_potential,
        .force                       = well_force};
    fare_system     *system = make_system(&well, 1);
    fare_grid       *grid;

    assert_ok(fare_system_set(system, "width", width));
    grid = make_grid(system, 64);
    assert_ok(fare_friction_solve(grid, system, 0, 1, &parameter, NULL, &friction[k], NULL));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
    assert_near(friction[k], friction[0], 1e-7 * friction[0]);
  }
  assert_between(friction[0], 0.1, 1);
}

/* Half of the length lies on either side of the point in the middle. */
static void geodesics_are_as_fast_everywhere(void **state)
{
  fare_system       *system = make_system(fare_system_type_find("prinz"), 1);
  fare_geodesic_task task   = {
      .parameters = 1, .parameter = {FARE_OWN + 1}, .from = {2}, .to = {0}, .nodes = 17, .points = 3};
  fare_grid    *grid = make_grid(system, 128);
  fare_geodesic whole, half;

  (void)state;
  assert_ok(fare_geodesic_solve(grid, system, 0, &task, &whole));
  assert_near(whole.value[0], 2, 1e-12);
  assert_near(whole.value[2], 0, 1e-12);
  task.to[0] = whole.value[1];
  assert_ok(fare_geodesic_solve(grid, system, 0, &task, &half));
  assert_near(half.length, 0.5 * whole.length, 1e-8);
  fare_geodesic_free(&half);
  fare_geodesic_free(&whole);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* In y = stiffness^(-1/2) and the centre, the tensor of a trap is that of a plane: geodesics are straight. */
static void two_parameters_of_a_trap_span_a_plane(void **state)
{
  fare_system       *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  fare_geodesic_task task   = {.parameters = 2,
      .parameter                           = {FARE_OWN, FARE_OWN + 1},
      .from                                = {1, 0},
      .to                                  = {6, 0.4},
      .lower                               = {0.8, -0.2},
      .upper                               = {7, 0.6},
      .nodes                               = 13,
      .points                              = 11};
  fare_grid         *grid   = make_grid(system, 1024);
  const double       y0 = 1, y1 = 1 / sqrt(6), square = pow(y1 - y0, 2) + 0.16;
  fare_geodesic      g;

  (void)state;
  assert_ok(fare_geodesic_solve(grid, system, 0, &task, &g));
  if (getenv("FARE_TEST_SHOW"))
    fare_log(
      "length %.9g, expected %.9g +- %.1e; straight %.6g", g.length, sqrt(square), g.error[0], g.straight);
  assert_near(g.length, sqrt(square), 3e-4 * g.length);
  assert_between(g.error[0], 0, 1e-3);
  assert_between(g.straight, 1.4 * square, HUGE_VAL);
  for (int i = 0; i < g.points; i++) {
    const double s = i / 10.0, y = y0 + s * (y1 - y0);

    assert_near(1 / sqrt(g.value[2 * i]), y, 5e-4);
    assert_near(g.value[2 * i + 1], 0.4 * s, 5e-4);
  }
  fare_geodesic_free(&g);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

static void check_path(const section *s, size_t point, double first, double second)
{
  double value[2];

  for (size_t k = 0; k < 2; k++)
    assert_ok(fare_analysis_value(s->result[0], "path", 2 * point + k, &value[k], NULL));
  assert_near(value[0], first, 1e-3);
  assert_near(value[1], second, 1e-3);
}

/* Many small solves show nothing more on several ranks. */
static void on_one_rank_alone(void)
{
  PetscMPIInt ranks;

  MPI_Comm_size(PETSC_COMM_WORLD, &ranks);
  if (ranks > 1) skip();
}

/* A chord in polar coordinates passes nearer to the centre than both of its ends. */
static void geodesics_bend(void **state)
{
  section s;

  (void)state;
  on_one_rank_alone();
  run_extrapolated(make_system(&polar, 2), 48,
    "analysis: [{name: f, kind: friction, parameters: [radius, angle], from: [1, 0], to: [1, 1.5],"
    " lower: [0.5, -0.2], upper: [1.2, 1.7], points: 3, nodes: 5}]",
    &s);
  check_value(&s, 0, "length", 0, 2 * sin(0.75), 1.5, 1e-2);
  check_value(&s, 0, "straight", 0, 1.5 * 1.5, 1.5, 1e-2);
  check_path(&s, 1, cos(0.75), 0.75);
  free_section(&s);
}

/* Of both axes: dl^2 = d(first^-1/2)^2 + d(second^-1/2)^2 + (1 + 1/4) d(centre)^2. */
static void three_parameters_span_a_space(void **state)
{
  const double square = pow(1 - 1 / sqrt(2), 2) + pow(1 / sqrt(1.5) - 1, 2) + 1.25 * 0.09;
  section      s;

  (void)state;
  on_one_rank_alone();
  run_extrapolated(make_system(&plane, 2), 32,
    "analysis: [{name: f, kind: friction, parameters: [first, centre, second], from: [1, 0, 1.5], to: [2, "
    "0.3, "
    "1],"
    " nodes: 5}]",
    &s);
  check_value(&s, 0, "length", 0, sqrt(square), 1.5, 5e-2);
  free_section(&s);
}

static void what_cannot_be_told_fails(void **state)
{
  const struct {
    const fare_system_type *type;
    const char             *keys, *message;
  } cases[] = {
    {fare_system_type_find("ornstein_uhlenbeck"), "parameters: [centre, tilt], from: [0, 0], to: [1, 1]",
      "two of the parameters do the same"},
    {&polar,
      "parameters: [radius, angle], from: [1, 0], to: [1, 1.5], lower: [0.9, 0], upper: [1, 2], nodes: 5",
      "the geodesic leaves the box"},
  };

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(cases); c++) {
    double  value;
    char    yaml[256];
    section s;

    snprintf(yaml, sizeof yaml, "analysis: [{name: f, kind: friction, estimate: false, %s}]", cases[c].keys);
    run_section(make_system(cases[c].type, 0), 32, yaml, &s);
    assert_int_equal(fare_analysis_value(s.result[0], "length", 0, &value, NULL), FARE_ERR_FAILED);
    if (!strstr(fare_error_message(), cases[c].message))
      fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    free_section(&s);
  }
}

static void bad_sections_say_why(void **state)
{
  static const struct {
    const char *keys, *message;
  } cases[] = {
    {"parameters: tilt", "expected a list of one to 3 names"},
    {"parameters: []", "expected a list of one to 3 names"},
    {"parameters: [speed]", "has no parameter 'speed'"},
    {"parameters: [kT]", "'kT' does not move the potential"},
    {"parameters: [tilt, tilt]", "'tilt' is there twice"},
    {"parameters: [tilt], nodes: 6", "expected an odd number"},
    {"parameters: [tilt], from: [0]", "missing key 'to'"},
    {"parameters: [tilt], from: [0], to: [0]", "must end elsewhere"},
    {"parameters: [tilt], from: [0, 1], to: [0]", "expected 1 number, one for each parameter, got 2"},
    {"parameters: [height], from: [-1], to: [0]", "height = -1 is outside its range"},
    {"parameters: [tilt], from: [0], to: [1], lower: [-1]", "only a geodesic of several parameters"},
    {"parameters: [tilt, height], from: [0, 1], to: [1, 1], upper: [0.5, 2]", "outside of [lower, upper]"},
  };

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(cases); c++) {
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);
    char         yaml[256];
    section      s;

    snprintf(yaml, sizeof yaml, "analysis: [{name: a, kind: friction, %s}]", cases[c].keys);
    assert_int_equal(read_section(system, 64, yaml, &s), FARE_ERR_INPUT);
    if (!strstr(fare_error_message(), cases[c].message))
      fail_msg("expected '%s' in '%s'", cases[c].message, fare_error_message());
    if (strncmp(fare_error_message(), "plan.yaml:", 10)) fail_msg("no place in '%s'", fare_error_message());
    free_section(&s);
  }
}

static void slope_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = cos(x[0][i]) - theta[PLACE] * x[0][i];
}

/* On a ring, of which the undriven potential closes. */
static void potentials_that_do_not_close_are_refused(void **state)
{
  static const char *const keys[] = {
    "kind: friction, parameters: [place]", "kind: counterdiabatic, parameter: place, from: 0, to: 1"};

  (void)state;
  for (size_t c = 0; c < PETSC_STATIC_ARRAY_LENGTH(keys); c++) {
    fare_system_type ring = washboard;
    char             yaml[128];
    section          s;

    ring.parameters      = well_parameters;
    ring.potential       = slope_potential;
    ring.nonconservative = NULL;
    snprintf(yaml, sizeof yaml, "analysis: [{name: a, %s}]", keys[c]);
    assert_int_equal(read_section(make_system(&ring, 1), 64, yaml, &s), FARE_ERR_INPUT);
    assert_non_null(strstr(fare_error_message(), "where these parameters move: "));
    assert_non_null(strstr(fare_error_message(), "the potential is not periodic"));
    free_section(&s);
  }
}

static void other_forces_are_refused(void **state)
{
  fare_system *system = make_system(&washboard, 1);
  section      s;

  (void)state;
  assert_int_equal(
    read_section(system, 64, "analysis: [{name: a, kind: friction, parameters: [height]}]", &s),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "whole force is the gradient"));
  free_section(&s);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(traps_have_a_closed_form),
    cmocka_unit_test(four_wells_agree_with_quadrature),
    cmocka_unit_test(narrow_wells_rub_as_wide_ones),
    cmocka_unit_test(potentials_that_do_not_close_are_refused),
    cmocka_unit_test(geodesics_are_as_fast_everywhere),
    cmocka_unit_test(two_parameters_of_a_trap_span_a_plane),
    cmocka_unit_test(geodesics_bend),
    cmocka_unit_test(three_parameters_span_a_space),
    cmocka_unit_test(what_cannot_be_told_fails),
    cmocka_unit_test(bad_sections_say_why),
    cmocka_unit_test(other_forces_are_refused),
  };

  return fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
