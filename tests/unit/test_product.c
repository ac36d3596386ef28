/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Products of blocks: their forces against formulas written down here, frames, and what is refused. */
#include "formula_systems.h"

#include <fare/product.h>

#define AXES 8 /* of `mixed` */

static const char mixed[] =
  "system:\n"
  "  name: product\n"
  "  blocks:\n"
  "    - {unit: {name: many_well, parameters: {tilt: 0.3}}, copies: 4, label: well}\n"
  "    - {unit: {name: ornstein_uhlenbeck, dimension: 2}, copies: 2, label: soft}\n"
  "  rotation: %s\n"
  "  rotation_seed: 5\n"
  "  parameters: {soft.stiffness: 1.7, soft.centre: 0.4, mobility: 1.5, kT: 0.8}\n"
  "drive:\n"
  "  - {parameter: well.tilt, waveform: sine, amplitude: 2, period: 3}\n";

static void make(const char *rotation, fare_config **config, fare_system **system)
{
  char text[1024];

  snprintf(text, sizeof text, mixed, rotation);
  assert_ok(system_of(text, config, system));
  assert_int_equal(fare_system_dimension(*system), AXES);
}

/* V and its slopes in the frame of the blocks, from the formulas of the units. */
static double blocks_at(const double y[], double t, double slope[])
{
  const double tilt = 0.3 + 2 * sin(2 * M_PI * t / 3), k = 1.7, centre = 0.4;
  double       V = 0;

  for (int a = 0; a < 4; a++) {
    V += pow(y[a], 4) - 6 * y[a] * y[a] - tilt * y[a];
    slope[a] = 4 * pow(y[a], 3) - 12 * y[a] - tilt;
  }
  for (int a = 4; a < AXES; a++) {
    const double d = y[a] - (a % 2 ? 0 : centre);

    V += 0.5 * k * d * d;
    slope[a] = k * d;
  }
  return V;
}

/* The matrix, whatever the frame is. */
static void matrix_of(const fare_product *product, double Q[AXES][AXES])
{
  for (int x = 0; x < AXES; x++) {
    for (int y = 0; y < AXES; y++)
      Q[x][y] = fare_product_row(product, x) ? fare_product_row(product, x)[y]
                                             : (fare_product_axis(product, y) == x ? 1 : 0);
  }
}

static void check_forces(const char *rotation)
{
  enum { POINTS = 700 };
  const double  t = 0.7;
  static double at[AXES][POINTS], f[AXES][POINTS], V[POINTS], D[AXES][POINTS];
  double        Q[AXES][AXES], largest = 0;
  const double *x[AXES];
  double       *to[AXES], *noise[AXES];
  fare_config  *config;
  fare_system  *system;

  make(rotation, &config, &system);
  matrix_of(fare_product_of(system), Q);
  for (int a = 0; a < AXES; a++) {
    x[a]     = at[a];
    to[a]    = f[a];
    noise[a] = D[a];
    for (int i = 0; i < POINTS; i++) at[a][i] = 2 * sin(1.3 * i * (a + 1) + a);
  }
  fare_system_potential(system, t, POINTS, x, V);
  fare_system_drift(system, t, POINTS, x, to);
  fare_system_diffusion(system, t, POINTS, x, noise);
  for (int i = 0; i < POINTS; i++) {
    double y[AXES] = {0}, slope[AXES];

    for (int a = 0; a < AXES * AXES; a++) y[a % AXES] += Q[a / AXES][a % AXES] * at[a / AXES][i];
    assert_near(V[i], blocks_at(y, t, slope), 1e-11 * (1 + fabs(V[i])));
    for (int a = 0; a < AXES; a++) {
      double wanted = 0;

      for (int b = 0; b < AXES; b++) wanted -= 1.5 * Q[a][b] * slope[b];
      assert_near(f[a][i], wanted, 1e-11 * (1 + fabs(wanted)));
      assert_near(D[a][i], 1.5 * 0.8, 1e-15);
    }
  }
  for (int a = 0; a < AXES * AXES; a++) {
    double product = 0;

    for (int b = 0; b < AXES; b++) product += Q[a / AXES][b] * Q[a % AXES][b];
    assert_near(product, a / AXES == a % AXES ? 1 : 0, 1e-14);
    if (a / AXES != a % AXES) largest = PetscMax(largest, fabs(Q[a / AXES][a % AXES]));
  }
  assert_int_equal(largest > 0.1, strcmp(rotation, "none") != 0);
  /* one point alone: the same bits as among others */
  for (int i = 0; i < POINTS; i += 97) {
    double alone[AXES];

    for (int a = 0; a < AXES; a++) {
      x[a]  = &at[a][i];
      to[a] = &alone[a];
    }
    fare_system_drift(system, t, 1, x, to);
    for (int a = 0; a < AXES; a++) assert_true(alone[a] == f[a][i]);
  }
  assert_ok(fare_system_destroy(&system));
  fare_config_destroy(&config);
}

static void forces_are_those_of_the_blocks(void **state)
{
  (void)state;
  check_forces("none");
  check_forces("permutation");
  check_forces("haar");
}

/* Seen from the blocks and back. */
static void frames_turn_back(void **state)
{
  double        x[AXES], y[AXES], back[AXES];
  const double *from[AXES], *middle[AXES];
  double       *to[AXES], *end[AXES];
  fare_config  *config;
  fare_system  *system;

  (void)state;
  make("haar", &config, &system);
  for (int a = 0; a < AXES; a++) {
    x[a]    = cos(a * a);
    from[a] = &x[a];
    to[a] = &y[a], middle[a] = &y[a];
    end[a] = &back[a];
  }
  fare_product_to_blocks(fare_product_of(system), 1, from, to);
  fare_product_from_blocks(fare_product_of(system), 1, middle, end);
  for (int a = 0; a < AXES; a++) assert_near(back[a], x[a], 1e-14);
  assert_ok(fare_system_destroy(&system));
  fare_config_destroy(&config);
}

/* A unit has the values and the drive that the product has, whenever it is asked for. */
static void units_follow_the_product(void **state)
{
  double             V, x = 0.7;
  const double      *at[] = {&x};
  fare_config       *config;
  fare_system       *system;
  const fare_system *unit;

  (void)state;
  make("haar", &config, &system);
  assert_int_equal(fare_product_units(fare_product_of(system)), 2);
  assert_int_equal(fare_product_blocks(fare_product_of(system)), 6);
  for (int pass = 0; pass < 2; pass++) {
    unit = fare_product_unit_system(system, 0);
    for (double t = 0; t < 3; t += 0.7) {
      const double tilt = (pass ? 0.9 : 0.3) + 2 * sin(2 * M_PI * t / 3);

      fare_system_potential(unit, t, 1, at, &V);
      assert_near(V, pow(x, 4) - 6 * x * x - tilt * x, 1e-13);
      assert_near(fare_system_kT(unit, t), 0.8, 0);
    }
    assert_ok(fare_system_set(system, "well.tilt", 0.9));
  }
  assert_ok(fare_system_destroy(&system));
  fare_config_destroy(&config);
}

/* What is written reads back to the same system. */
static void plans_read_back(void **state)
{
  static const char *const rotations[] = {"none", "permutation", "haar"};

  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(rotations); k++) {
    double        x[AXES] = {0.3, -1, 0.2, 1.1, -0.6, 0.5, 0.9, -0.1}, V[2];
    const double *at[AXES];
    fare_config  *config, *again;
    fare_system  *system, *other;
    fare_text     text = {0};

    for (int a = 0; a < AXES; a++) at[a] = &x[a];
    make(rotations[k], &config, &system);
    fare_system_write(system, &text);
    assert_ok(system_of(text.text, &again, &other));
    fare_system_potential(system, 0.4, 1, at, &V[0]);
    fare_system_potential(other, 0.4, 1, at, &V[1]);
    assert_true(V[0] == V[1]);
    fare_text_free(&text);
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_system_destroy(&other));
    fare_config_destroy(&config);
    fare_config_destroy(&again);
  }
}

static void refuse(const char *section, const char *why)
{
  char         text[1024];
  fare_config *config;
  fare_system *system;

  snprintf(text, sizeof text, "system: {name: product, %s}\n", section);
  assert_int_equal(system_of(text, &config, &system), FARE_ERR_INPUT);
  if (!strstr(fare_error_message(), why)) fail_msg("'%s' says nothing of '%s'", fare_error_message(), why);
  assert_ok(fare_system_destroy(&system));
  fare_config_destroy(&config);
}

static void what_cannot_be_is_refused(void **state)
{
  (void)state;
  refuse("copies: 2", "give either 'unit'");
  refuse("copies: 200, unit: {name: prinz}", "copies: expected");
  refuse("copies: 100, unit: {name: double_well, dimension: 2}", "more than 128 axes");
  refuse("copies: 2, unit: {name: product, unit: {name: prinz}}", "system of many");
  refuse("copies: 2, unit: {name: prinz}, rotation: matrix, matrix: [1, 0, 0.1, 1]", "not orthogonal");
  refuse("copies: 2, unit: {name: prinz}, rotation: matrix, matrix: [1, 0, 1]", "need 4 numbers");
  refuse("copies: 2, unit: {name: prinz}, matrix: [1, 0, 0, 1]", "not used with rotation: none");
  refuse("copies: 2, unit: {name: tilted_washboard}, rotation: haar", "closes cannot be rotated");
  refuse("copies: 2, unit: {name: toggle_switch}, rotation: haar", "noise of their own");
  refuse("rotation: haar, blocks: [{unit: {name: prinz}, label: cold, copies: 2}, {unit: {name: prinz, "
         "parameters: {kT: 2}}, label: hot}]",
    "noise of their own");
  refuse("blocks: [{unit: {name: prinz}}, {unit: {name: prinz}}]", "called 'prinz'");
}

/* Without a rotation blocks may have baths of their own; their product has no common temperature then. */
static void baths_may_differ_without_rotation(void **state)
{
  static const char yaml[] =
    "system: {name: product, blocks: [{unit: {name: prinz}, label: cold, copies: 2}, {unit: {name: prinz, "
    "parameters: {kT: 2, mobility: 0.5}}, label: hot}], parameters: {hot.mobility: 3}}\n";
  double        x[3] = {0.1, -0.2, 0.3}, D[3];
  const double *at[] = {&x[0], &x[1], &x[2]};
  double *const to[] = {&D[0], &D[1], &D[2]};
  fare_config  *config;
  fare_system  *system;

  (void)state;
  assert_ok(system_of(yaml, &config, &system));
  assert_false(fare_system_has_potential(system));
  fare_system_diffusion(system, 0, 1, at, to);
  assert_near(D[0], 1, 0);
  assert_near(D[1], 1, 0);
  assert_near(D[2], 6, 0);
  assert_ok(fare_system_destroy(&system));
  fare_config_destroy(&config);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(forces_are_those_of_the_blocks),
  cmocka_unit_test(frames_turn_back),
  cmocka_unit_test(units_follow_the_product),
  cmocka_unit_test(plans_read_back),
  cmocka_unit_test(what_cannot_be_is_refused),
  cmocka_unit_test(baths_may_differ_without_rotation),
};
FARE_TEST_MAIN(tests)
