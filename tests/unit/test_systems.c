/* fare-test: labels=unit ranks=1 timeout=60 */
/* Walks the registry: whatever a system says about itself must agree with itself. */
#include "fare_test.h"

#define POINTS 257

/* Parameters off their defaults, so that no term can hide behind a zero; points inside the domain. */
static void prepare(const fare_system_type *type, int dim, double theta[], double x[][POINTS])
{
  fare_random random = {.stream = fare_stream_make(11, type->name)};

  for (int i = 0; type->parameters[i].name; i++) {
    const fare_parameter *row = &type->parameters[i];

    theta[i] = PetscMin(row->most, PetscMax(row->least, row->value + 0.3 * (0.5 + fare_random_uniform(&random))));
  }
  for (int axis = 0; axis < dim; axis++) {
    for (int i = 0; i < POINTS; i++) x[axis][i] = type->lower[axis] + (0.1 + 0.8 * fare_random_uniform(&random)) * (type->upper[axis] - type->lower[axis]);
  }
}

#define FOR_EACH_SYSTEM(type, dim) \
  for (size_t i_ = 0; fare_system_type_at(i_); i_++) \
    for (int dim = fare_system_type_at(i_)->dimension_least; dim <= fare_system_type_at(i_)->dimension_most; dim++) \
      for (const fare_system_type *type = fare_system_type_at(i_); type; type = NULL)

static void tables_are_complete(void **state)
{
  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    assert_string_equal(type->parameters[FARE_KT].name, "kT");
    assert_string_equal(type->parameters[FARE_MOBILITY].name, "mobility");
    assert_true(*type->summary && *type->reference);
    assert_ptr_equal(fare_system_type_find(type->name), type);
    for (int i = 0; type->parameters[i].name; i++) {
      assert_true(i < FARE_PARAMETERS_MAX - 1 && *type->parameters[i].meaning);
      assert_between(type->parameters[i].value, type->parameters[i].least, type->parameters[i].most);
    }
    for (int axis = 0; axis < dim; axis++) assert_true(type->lower[axis] < type->upper[axis]);
  }
}

/* -grad V by Richardson-extrapolated central differences against the force less its part that is no gradient. */
static void force_is_minus_gradient(void **state)
{
  static double x[FARE_DIM_MAX][POINTS], y[FARE_DIM_MAX][POINTS], f[FARE_DIM_MAX][POINTS], extra[FARE_DIM_MAX][POINTS], V[4][POINTS];
  const double *const px[] = {x[0], x[1], x[2]}, *const py[] = {y[0], y[1], y[2]};
  double *const       pf[] = {f[0], f[1], f[2]}, *const pe[] = {extra[0], extra[1], extra[2]};
  const double        shifts[4] = {-2e-3, -1e-3, 1e-3, 2e-3};

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double theta[FARE_PARAMETERS_MAX];

    prepare(type, dim, theta, x);
    memset(extra, 0, sizeof extra);
    type->force(dim, theta, POINTS, px, pf);
    if (type->extra) type->extra(dim, theta, POINTS, px, pe);
    for (int axis = 0; axis < dim; axis++) {
      double scale = 0;

      for (int k = 0; k < 4; k++) {
        memcpy(y, x, sizeof y);
        for (int i = 0; i < POINTS; i++) y[axis][i] += shifts[k];
        type->potential(dim, theta, POINTS, py, V[k]);
      }
      for (int i = 0; i < POINTS; i++) scale = PetscMax(scale, fabs(f[axis][i]));
      for (int i = 0; i < POINTS; i++) {
        const double slope = (V[0][i] - 8 * V[1][i] + 8 * V[2][i] - V[3][i]) / (12 * 1e-3);

        if (!(fabs(f[axis][i] - extra[axis][i] + slope) < 1e-5 * (1 + scale))) fail_msg("%s, %d dimensions, axis %d at %g: force %g, -dV/dx %g", type->name, dim, axis, x[axis][i], f[axis][i], -slope);
      }
    }
  }
}

static void shapes_add_up_to_the_potential(void **state)
{
  static double x[FARE_DIM_MAX][POINTS], V[POINTS], phi[8][POINTS];
  const double *const px[]  = {x[0], x[1], x[2]};
  double *const       pphi[] = {phi[0], phi[1], phi[2], phi[3], phi[4], phi[5], phi[6], phi[7]};

  (void)state;
  FOR_EACH_SYSTEM(type, dim)
  {
    double theta[FARE_PARAMETERS_MAX], a[8];

    if (!type->shapes) continue;
    assert_in_range(type->shapes, 1, 8);
    prepare(type, dim, theta, x);
    type->potential(dim, theta, POINTS, px, V);
    type->shape(dim, POINTS, px, pphi);
    type->coefficients(dim, theta, a);
    for (int i = 0; i < POINTS; i++) {
      double sum = 0, size = 0;

      for (int k = 0; k < type->shapes; k++) {
        sum += a[k] * phi[k][i];
        size += fabs(a[k] * phi[k][i]);
      }
      if (!(fabs(sum - V[i]) <= 1e-13 * (1 + size))) fail_msg("%s: V %.17g, sum of shapes %.17g", type->name, V[i], sum);
    }
  }
}

/* Minima and barriers of the Prinz potential at the published parameters, to the digits that are known. */
static void prinz_landmarks(void **state)
{
  const double at[] = {-0.739430, -0.223738, 0.269149, 0.673296, -0.501598, 0.502009};
  const double is[] = {0.559380, 0.152811, 0.021104, 0.241322, 2.015825, 0.815876};
  const double *const x[] = {at};
  double              V[6], f[6];
  double *const       pf[] = {f};
  fare_system        *system;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system));
  fare_system_potential(system, 0, 6, x, V);
  fare_system_force(system, 0, 6, x, pf);
  for (int i = 0; i < 6; i++) {
    assert_near(V[i], is[i], 1e-6);
    assert_near(f[i], 0, 2e-4); /* slope at a place known to six digits */
  }
  assert_ok(fare_system_destroy(&system));
}

static void sine_drives_a_parameter(void **state)
{
  fare_system *system;
  double       theta[FARE_PARAMETERS_MAX];

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system));
  assert_false(fare_system_is_driven(system));
  assert_ok(fare_system_set(system, "tilt", 0.5));
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 2, 0));
  assert_true(fare_system_is_driven(system));
  fare_system_parameters(system, 0.5, theta);
  assert_near(theta[3], 4.5, 1e-14);
  fare_system_parameters(system, 1.5, theta);
  assert_near(theta[3], -3.5, 1e-14);
  assert_ok(fare_system_check(system, 0, 10));
  assert_ok(fare_system_drive_sine(system, "kT", 2, 1, 0)); /* would go below zero */
  assert_int_equal(fare_system_check(system, 0, 10), FARE_ERR_INPUT);
  assert_int_equal(fare_system_drive_sine(system, "tlt", 2, 1, 0), FARE_ERR_INPUT);
  assert_int_equal(fare_system_set(system, "kT", -1), FARE_ERR_INPUT);
  assert_int_equal(fare_system_set(system, "kT", NAN), FARE_ERR_INPUT);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(tables_are_complete),     cmocka_unit_test(force_is_minus_gradient), cmocka_unit_test(shapes_add_up_to_the_potential),
  cmocka_unit_test(prinz_landmarks),         cmocka_unit_test(sine_drives_a_parameter),
};
FARE_TEST_MAIN(tests)
