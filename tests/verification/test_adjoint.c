/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Derivatives by the values of a drive: against differences of the goal itself, for every goal, in one and two
  dimensions; and goals against closed forms.
*/
#include "analyses.h"

#include <fare/adjoint.h>

#define STEPS_MAX 100

typedef struct {
  fare_system  *system;
  fare_grid    *grid;
  fare_protocol protocol;
  fare_adjoint *adjoint;
  double        value[(3 * STEPS_MAX + 2) * 4], gradient[(3 * STEPS_MAX + 2) * 4];
} trial;

/* Steps of unequal width. */
static void begin(const char *type, int dim, PetscInt cells, PetscInt steps, int parameters,
  const int parameter[], const fare_goal *goal, Vec start, trial *t)
{
  double time[STEPS_MAX + 1];

  for (PetscInt n = 0; n <= steps; n++) {
    const double s = (double)n / (double)steps;

    time[n] = 0.2 + 0.5 * s * (1 + 0.5 * s);
  }
  t->system = make_system(fare_system_type_find(type), dim);
  t->grid   = make_grid(t->system, cells);
  assert_ok(fare_protocol_create(steps + 1, time, parameters, parameter, &t->protocol));
  assert_ok(fare_adjoint_create(t->grid, t->system, &t->protocol, start, goal, &t->adjoint));
}

static void end(trial *t)
{
  assert_ok(fare_adjoint_destroy(&t->adjoint));
  assert_ok(fare_protocol_free(&t->protocol));
  assert_ok(fare_grid_destroy(&t->grid));
  assert_ok(fare_system_destroy(&t->system));
}

/* A rough drive, with jumps everywhere. */
static void fill(trial *t, double base, double size)
{
  const PetscInt values = t->protocol.places * t->protocol.parameters;

  for (PetscInt i = 0; i < values; i++)
    t->value[i] = base + size * sin(1.7 * (double)i + 0.3 * (double)(i * i));
}

/* The derivative of the goal along a direction, by a difference of fourth order. */
static double slope_along(trial *t, const double way[], double step)
{
  static const double at[] = {2, 1, -1, -2}, weight[] = {-1. / 12, 8. / 12, -8. / 12, 1. / 12};
  const PetscInt      values = t->protocol.places * t->protocol.parameters;
  double              kept[(3 * STEPS_MAX + 2) * 4], slope = 0, goal;

  for (PetscInt i = 0; i < values; i++) kept[i] = t->value[i];
  for (int q = 0; q < 4; q++) {
    for (PetscInt i = 0; i < values; i++) t->value[i] = kept[i] + at[q] * step * way[i];
    assert_ok(fare_adjoint_run(t->adjoint, t->value, &goal, NULL));
    slope += weight[q] * goal / step;
  }
  for (PetscInt i = 0; i < values; i++) t->value[i] = kept[i];
  return slope;
}

/*
  The gradient along a direction that mixes all values, for few runs: solvers of two axes speak in each of
  their iterations, which is slow where ranks share a core.
*/
static void check_direction(trial *t, double step)
{
  const PetscInt values = t->protocol.places * t->protocol.parameters;
  double         way[(3 * STEPS_MAX + 2) * 4], goal, slope, sum = 0, size = 0;

  assert_ok(fare_adjoint_run(t->adjoint, t->value, &goal, t->gradient));
  for (PetscInt i = 0; i < values; i++) {
    way[i] = cos(2.3 * (double)i + 0.7 * (double)(i * i));
    sum += way[i] * t->gradient[i];
    size += PetscSqr(t->gradient[i]);
  }
  slope = slope_along(t, way, step);
  if (getenv("FARE_TEST_SHOW"))
    fare_log(
      "along a direction: %.10g, by differences %.10g, off by %.1e", sum, slope, (sum - slope) / sqrt(size));
  assert_true(size > 0);
  assert_near(sum, slope, 1e-7 * sqrt(size));
}

/* The gradient at some places against differences of fourth order. */
static void check_gradient(trial *t, double step)
{
  const PetscInt values = t->protocol.places * t->protocol.parameters;
  const PetscInt edge   = t->protocol.parameters; /* values before the start, and after the end */
  double         way[(3 * STEPS_MAX + 2) * 4] = {0}, goal, again, largest = 0, inner = 0;

  assert_ok(fare_adjoint_run(t->adjoint, t->value, &goal, t->gradient));
  assert_ok(fare_adjoint_run(t->adjoint, t->value, &again, NULL));
  assert_near(again, goal, 1e-12 * fabs(goal));
  for (PetscInt i = 0; i < values; i++) largest = PetscMax(largest, fabs(t->gradient[i]));
  for (PetscInt i = edge; i < values - edge; i++) inner = PetscMax(inner, fabs(t->gradient[i]));
  assert_true(inner > 0);
  for (PetscInt i = 0; i < values; i += i < 4 || i >= values - 5 ? 1 : values / 7) {
    double slope;

    way[i] = 1;
    slope  = slope_along(t, way, step);
    way[i] = 0;
    if (getenv("FARE_TEST_SHOW"))
      fare_log("value %d: %.10g, by differences %.10g, off by %.1e of the largest", (int)i, t->gradient[i],
        slope, (t->gradient[i] - slope) / largest);
    assert_near(t->gradient[i], slope, 1e-7 * (i < edge || i >= values - edge ? largest : inner));
  }
}

enum { TILT_OF_WELLS = FARE_OWN + 1 };

static void work_has_its_derivatives(void **state)
{
  static const int         both[]  = {FARE_OWN, TILT_OF_WELLS};
  static const char *const types[] = {"double_well", "prinz"};

  (void)state;
  for (int k = 0; k < 4; k++) {
    const fare_goal goal = {.kind = k % 2 ? FARE_GOAL_DISSIPATION : FARE_GOAL_WORK};
    trial           t;

    begin(types[k / 2], 1, 96, 17, 2, both, &goal, NULL, &t);
    fill(&t, 1.2, 0.6);
    check_gradient(&t, 2e-3);
    end(&t);
  }
}

static void ends_have_their_derivatives(void **state)
{
  static const int tilt[] = {TILT_OF_WELLS};

  (void)state;
  for (int k = 0; k < 2; k++) {
    fare_goal    goal   = {.kind = k ? FARE_GOAL_DIVERGENCE : FARE_GOAL_OBSERVABLE};
    fare_system *system = make_system(fare_system_type_find("prinz"), 1);
    fare_grid   *grid   = make_grid(system, 128);
    Vec          start;
    trial        t;

    assert_ok(fare_system_set(system, "tilt", 1));
    assert_ok(fare_grid_boltzmann(grid, system, 0, &goal.field));
    assert_ok(fare_system_set(system, "tilt", -1));
    assert_ok(fare_grid_boltzmann(grid, system, 0, &start));
    begin("prinz", 1, 128, 20, 1, tilt, &goal, k ? NULL : start, &t);
    fill(&t, 0.5, 0.7);
    check_gradient(&t, 2e-3);
    if (!k) assert_near(t.gradient[0], 0, 0);
    end(&t);
    assert_ok(VecDestroy(&start));
    assert_ok(VecDestroy(&goal.field));
    assert_ok(fare_grid_destroy(&grid));
    assert_ok(fare_system_destroy(&system));
  }
}

/* Sets that end within cells. */
static void events_have_their_derivatives(void **state)
{
  static const int tilt[] = {TILT_OF_WELLS};
  double           low[] = {-3, 0.513}, high[] = {-1.613, 3};
  fare_region      a = {.dim = 1, .boxes = 1, .lower = &low[0], .upper = &high[0]},
              b      = {.dim = 1, .boxes = 1, .lower = &low[1], .upper = &high[1]};

  (void)state;
  for (int k = 0; k < 2; k++) {
    const fare_goal goal = {.kind = FARE_GOAL_EVENT, .a = k ? &a : NULL, .b = &b};
    trial           t;

    begin("prinz", 1, 128, 20, 1, tilt, &goal, NULL, &t);
    fill(&t, 0.5, 0.7);
    check_gradient(&t, 2e-3);
    end(&t);
  }
}

/* Parameters of the system that stay as they are: the sum over all places. */
static void constants_have_their_derivatives(void **state)
{
  static const int    all[]   = {FARE_KT, FARE_MOBILITY, FARE_OWN, TILT_OF_WELLS};
  static const double value[] = {0.8, 1.3, 3.2, 0.4}, step = 2e-3;
  static const double at[] = {2, 1, -1, -2}, weight[] = {-1. / 12, 8. / 12, -8. / 12, 1. / 12};
  double              low = 0.513, high = 3;
  fare_region         b    = {.dim = 1, .boxes = 1, .lower = &low, .upper = &high};
  const fare_goal     goal = {.kind = FARE_GOAL_EVENT, .b = &b};
  double              result, sum[4] = {0}, largest = 0;
  trial               t;

  (void)state;
  begin("prinz", 1, 128, 20, 4, all, &goal, NULL, &t);
  for (PetscInt i = 0; i < 4 * t.protocol.places; i++) t.value[i] = value[i % 4];
  assert_ok(fare_adjoint_run(t.adjoint, t.value, &result, t.gradient));
  for (PetscInt i = 0; i < 4 * t.protocol.places; i++) sum[i % 4] += t.gradient[i];
  for (int k = 0; k < 4; k++) largest = PetscMax(largest, fabs(sum[k]));
  for (int k = 0; k < 4; k++) {
    double slope = 0;

    for (int q = 0; q < 4; q++) {
      for (PetscInt i = k; i < 4 * t.protocol.places; i += 4) t.value[i] = value[k] + at[q] * step;
      assert_ok(fare_adjoint_run(t.adjoint, t.value, &result, NULL));
      slope += weight[q] * result / step;
    }
    for (PetscInt i = k; i < 4 * t.protocol.places; i += 4) t.value[i] = value[k];
    assert_true(fabs(sum[k]) > 1e-3 * largest);
    assert_near(sum[k], slope, 1e-7 * largest);
  }
  end(&t);
}

static void two_axes_have_theirs(void **state)
{
  static const int both[] = {FARE_OWN + 3, FARE_OWN + 4};
  double           low[] = {0.11, 0.07}, high[] = {5, 5};
  fare_region      b = {.dim = 2, .boxes = 1, .lower = low, .upper = high};

  (void)state;
  for (int k = 0; k < 2; k++) {
    const fare_goal goal = {.kind = k ? FARE_GOAL_EVENT : FARE_GOAL_DISSIPATION, .b = &b};
    trial           t;

    begin("quadruple_well", 2, 44, 3, 2, both, &goal, NULL, &t);
    fill(&t, 0.1, 0.3);
    check_direction(&t, 1e-3);
    end(&t);
  }
}

/* A drive from 0 to 2 in a time 1: it jumps to `first` and from `second`. */
static double value_at(double t, double first, double second)
{
  return t < 0 ? 0 : t > 1 ? 2 : first + (second - first) * t;
}

/* The goal in so many equal steps; -1 and 2 are before the start and after the end. */
static double goal_of(const fare_grid *grid, fare_system *system, int parameter, PetscInt steps, double first,
  double second, fare_goal_kind kind)
{
  const fare_goal goal = {.kind = kind};
  double          time[4 * STEPS_MAX + 1], value[12 * STEPS_MAX + 2], result;
  fare_protocol   protocol;
  fare_adjoint   *adjoint;

  for (PetscInt n = 0; n <= steps; n++) time[n] = (double)n / (double)steps;
  assert_ok(fare_protocol_create(steps + 1, time, 1, &parameter, &protocol));
  assert_int_equal(protocol.places, 3 * steps + 2);
  value[0]                   = value_at(-1, first, second);
  value[protocol.places - 1] = value_at(2, first, second);
  for (PetscInt i = 1; i < protocol.places - 1; i++) value[i] = value_at(protocol.at[i], first, second);
  assert_ok(fare_adjoint_create(grid, system, &protocol, NULL, &goal, &adjoint));
  assert_ok(fare_adjoint_run(adjoint, value, &result, NULL));
  assert_ok(fare_adjoint_destroy(&adjoint));
  assert_ok(fare_protocol_free(&protocol));
  return result;
}

/* Schmiedl and Seifert, Phys. Rev. Lett. 98, 108301 (2007): a trap dragged evenly, and as costs least. */
static void dragged_traps_need_their_work(void **state)
{
  const double   lower = -7, upper = 9;
  const PetscInt cells  = 640;
  fare_system   *system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
  fare_grid     *grid;
  double         even[3], least;

  (void)state;
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, &lower, &upper, NULL, &grid));
  for (int k = 0; k < 3; k++) even[k] = goal_of(grid, system, FARE_OWN + 1, 25 << k, 0, 2, FARE_GOAL_WORK);
  least = goal_of(grid, system, FARE_OWN + 1, 100, 2. / 3, 4. / 3, FARE_GOAL_DISSIPATION);
  if (getenv("FARE_TEST_SHOW"))
    fare_log("even: %.8f %.8f %.8f (%.8f); least: %.8f", even[0], even[1], even[2], 4 / M_E, least);
  assert_near(even[2], 4 / M_E, 1e-4);
  assert_between((even[1] - even[0]) / (even[2] - even[1]), 3.5, 4.5);
  assert_near(least, 4. / 3, 1e-4);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* Against an evolution by other steps, and a quotient of two integrals for what is switched at once. */
static void tilted_wells_dissipate(void **state)
{
  fare_system *system = make_system(fare_system_type_find("prinz"), 1);
  fare_grid   *grid   = make_grid(system, 400);
  double       even, at_once;

  (void)state;
  even    = goal_of(grid, system, TILT_OF_WELLS, 100, 0, 2, FARE_GOAL_DISSIPATION);
  at_once = goal_of(grid, system, TILT_OF_WELLS, 1, 2, 2, FARE_GOAL_DISSIPATION);
  if (getenv("FARE_TEST_SHOW")) fare_log("even: %.8f, at once: %.8f", even, at_once);
  assert_near(even, 0.248395, 1e-4);
  assert_near(at_once, 0.434938, 1e-4);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/*
  Neither the units of parameters nor where their zero lies matter: a trap that is tiny in every unit, and one
  that is huge. By centre, stiffness, mobility and kT, one at a time.
*/
static void units_do_not_matter(void **state)
{
  static const struct {
    double kT, mobility, stiffness, centre, time;
  } units[]                    = {{4e-6, 1e5, 1e4, 0, 1e-9}, {1e4, 1e-3, 1, 0, 1e3}};
  static const int parameter[] = {FARE_OWN, FARE_OWN + 1, FARE_KT, FARE_MOBILITY};
  const PetscInt   cells = 96, steps = 12;

  (void)state;
  for (size_t u = 0; u < PETSC_STATIC_ARRAY_LENGTH(units); u++) {
    const double width = sqrt(units[u].kT / units[u].stiffness);
    const double lower = units[u].centre - 6 * width, upper = units[u].centre + 6 * width;
    double       time[STEPS_MAX + 1];

    for (PetscInt n = 0; n <= steps; n++) time[n] = units[u].time * (double)n / (double)steps;
    for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(parameter); k++) {
      const double base[] = {units[u].stiffness, units[u].centre, units[u].kT, units[u].mobility};
      const double size   = k == 1 ? width : base[k];
      fare_goal    goal   = {.kind = k < 2 ? FARE_GOAL_WORK : FARE_GOAL_OBSERVABLE};
      Vec          start  = NULL;
      trial        t;

      t.system = make_system(fare_system_type_find("ornstein_uhlenbeck"), 1);
      assert_ok(fare_system_set(t.system, "kT", units[u].kT));
      assert_ok(fare_system_set(t.system, "mobility", units[u].mobility));
      assert_ok(fare_system_set(t.system, "stiffness", units[u].stiffness));
      assert_ok(fare_system_set(t.system, "centre", units[u].centre + (k < 2 ? 0 : 2 * width)));
      assert_ok(fare_grid_create(PETSC_COMM_WORLD, 1, &cells, &lower, &upper, NULL, &t.grid));
      if (k >= 2) {
        assert_ok(fare_adjoint_observable(t.grid, 0, 1, NULL, &goal.field));
        assert_ok(VecShift(goal.field, -units[u].centre));
        assert_ok(VecScale(goal.field, 1 / width));
        assert_ok(fare_system_set(t.system, "centre", units[u].centre));
        assert_ok(fare_grid_boltzmann(t.grid, t.system, 0, &start));
        assert_ok(fare_system_set(t.system, "centre", units[u].centre + 2 * width));
      }
      assert_ok(fare_protocol_create(steps + 1, time, 1, &parameter[k], &t.protocol));
      assert_ok(fare_adjoint_create(t.grid, t.system, &t.protocol, start, &goal, &t.adjoint));
      fill(&t, base[k] + 0.3 * size, 0.2 * size);
      check_gradient(&t, 4e-3 * size);
      end(&t);
      assert_ok(VecDestroy(&start));
      assert_ok(VecDestroy(&goal.field));
    }
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(work_has_its_derivatives),
    cmocka_unit_test(ends_have_their_derivatives),
    cmocka_unit_test(events_have_their_derivatives),
    cmocka_unit_test(constants_have_their_derivatives),
    cmocka_unit_test(two_axes_have_theirs),
    cmocka_unit_test(dragged_traps_need_their_work),
    cmocka_unit_test(tilted_wells_dissipate),
    cmocka_unit_test(units_do_not_matter),
  };

  return fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
