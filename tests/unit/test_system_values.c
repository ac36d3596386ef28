/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* Systems against the literature: values at points, minima and saddles, places of rest. */
#include "fare_test.h"

/*
  Published formulas in another form, in arithmetic of forty digits: defaults and, by name, others. NAN: no
  potential.
*/
static const struct {
  const char *system, *parameters;
  int         dim;
  double      x[FARE_DIM_MAX], V, drift[FARE_DIM_MAX], diffusion[FARE_DIM_MAX];
} values[] = {
  {"prinz", "", 1, {0.3}, 0.03526127778474208, {-0.9358352407039184}, {1}},
  {"prinz", "kT=0.7 mobility=1.5 height=3 tilt=-0.8", 1, {-0.55}, 0.9423763084953065, {-8.79546008774035},
    {1.05}},
  {"ornstein_uhlenbeck", "", 2, {0.3, -1.2}, 0.765, {-0.3, 1.2}, {1, 1}},
  {"ornstein_uhlenbeck", "kT=0.25 mobility=2 stiffness=3 centre=0.6 tilt=0.9", 2, {-1.1, 0.4}, 5.565,
    {12, -2.4}, {0.5, 0.5}},
  {"double_well", "", 2, {0.4, 0.7}, 1.6856, {1.344, -2.8}, {1, 1}},
  {"double_well", "kT=0.5 mobility=0.5 height=3 stiffness=2 tilt=0.3", 2, {-1.4, -0.2}, 3.2248, {8.214, 0.2},
    {0.25, 0.25}},
  {"triple_well_1d", "", 1, {2.3}, 1.0930666498, {3.130196518}, {0.28125}},
  {"triple_well_1d", "kT=0.4 mobility=1.5 height=2 tilt=-0.6", 1, {1.2}, 4.9154764288, {-9.252311424}, {0.6}},
  {"triple_well_2d", "", 2, {-0.8, 0.5}, -2.678761943267003, {-2.350688931266025, -2.438383970615472},
    {0.59405, 0.59405}},
  {"triple_well_2d", "kT=0.4 mobility=1.5 hill=2 shallow=4 left=6 right=3 walls=0.3 tilt=0.7 tilt_y=-0.4", 2,
    {0.6, 1.1}, -1.987123225245277, {-1.336140975303022, 0.8409132714593503}, {0.6, 0.6}},
  {"quadruple_well", "", 2, {0.7, -1.3}, -1.3668625, {1.332375, 3.84675}, {0.18, 0.18}},
  {"quadruple_well", "kT=0.3 mobility=1.5 height=2 asymmetry_x=0.5 asymmetry_y=-0.25 tilt=0.7 tilt_y=-0.4", 2,
    {-1.6, 0.2}, 3.4104, {34.512, 2.784}, {0.45, 0.45}},
  {"mueller_brown", "", 2, {-0.4, 0.9}, -0.3198441050980488, {-3.174573892319648, -3.566347898403134},
    {1, 1}},
  {"mueller_brown", "kT=2 mobility=1.5 scale=0.2 tilt=0.7 tilt_y=-0.4", 2, {0.5, 0.3}, -12.45980158027123,
    {-23.02216066030817, -50.63855359719793}, {3, 3}},
  {"five_well", "", 2, {-0.9, -1.1}, 0.3451176552754355, {1.614227836421187, -3.355287512213413}, {0.2, 0.2}},
  {"five_well", "kT=0.3 mobility=1.5 depth=2 stiffness=7 radius=1.8 phase=0.9 tilt=0.7 tilt_y=-0.4", 2,
    {1.3, -0.6}, -2.194583613330846, {7.721972538853555, -4.596332197791657}, {0.45, 0.45}},
  {"wells_3d", "", 3, {0.3, -1.2, 0.8}, 3.1151, {1.934, 5.099, 1.679}, {1, 1, 1}},
  {"wells_3d", "kT=0.3 mobility=1.5 height=3 coupling=-0.5 tilt=0.7 tilt_y=-0.4 tilt_z=0.2", 3,
    {-1.1, 0.4, 0.9}, 1.4824, {2.583, 6.198, 5.253}, {0.45, 0.45, 0.45}},
  {"rotational_ou", "", 2, {1.5, -0.7}, 1.37, {-0.8, 2.2}, {1, 1}},
  {"rotational_ou", "kT=0.3 mobility=1.5 stiffness=2 rotation=-3 tilt=0.7 tilt_y=-0.4", 2, {-0.6, 2.2}, 6.5,
    {12.75, -4.5}, {0.45, 0.45}},
  {"tilted_washboard", "", 1, {2.1}, 0.5048461045998575, {-0.3632093666488738}, {0.5}},
  {"tilted_washboard", "kT=0.3 mobility=1.5 height=2 force=-1.2", 1, {-0.9}, -1.243219936541329,
    {0.5499807288824502}, {0.45}},
  {"flashing_ratchet", "", 1, {0.35}, 2.856264326505795, {23.31984590171823}, {1}},
  {"flashing_ratchet", "kT=0.3 mobility=1.5 height=7 switch=0.4 force=-0.8", 1, {0.9}, -2.311538267825532,
    {-26.62683868904757}, {0.45}},
  {"maier_stein", "", 2, {0.6, -0.3}, NAN, {-0.156, 0.408}, {0.05, 0.05}},
  {"maier_stein", "alpha=3 mu=2 diffusion=0.2 tilt=0.7 tilt_y=-0.4", 2, {-1.2, 0.5}, NAN, {2.128, -2.84},
    {0.2, 0.2}},
  {"geometric_brownian", "", 1, {1.7}, NAN, {0.17}, {0.13005}},
  {"geometric_brownian", "growth=-0.4 volatility=0.8", 1, {2.5}, NAN, {-1}, {2}},
  {"toggle_switch", "", 2, {0.8, 2.1}, NAN, {-0.01062846580406654, 0.3890243902439024},
    {0.01986714417744917, 0.05736280487804878}},
  {"toggle_switch", "production_x=3 production_y=5 basal=0.2 threshold=1.5 hill=3.5 decay=0.7 volume=12", 2,
    {2.4, -0.1}, NAN, {1.52, 1.078920684323569}, {0.2033333333333333, 0.04203836184681538}},
  {"kramers_prinz", "", 2, {0.3, -1.4}, 1.015261277784742, {-1.4, 0.4641647592960816}, {0, 1}},
  {"kramers_prinz", "kT=0.7 mass=2 friction=0.4 height=3 tilt=-0.8", 2, {-0.55, 0.9}, 1.752376308495307,
    {0.9, -3.291820029246783}, {0, 0.14}},
  {"kramers_double_well", "", 2, {0.4, -1.4}, 2.3912, {-1.4, 4.088}, {0, 1}},
  {"kramers_double_well", "kT=0.7 mass=2 friction=0.4 height=3 tilt=-0.8", 2, {-1.3, 0.9}, 1.1983,
    {0.9, 4.622}, {0, 0.14}},
  {"swing_equation", "", 2, {2.2, -0.7}, NAN, {-0.7, -0.1334964038195902}, {0, 0.05}},
  {"swing_equation", "power=0.8 coupling=1.5 inertia=2 damping=0.4 diffusion=0.3", 2, {-1.3, 1.6}, NAN,
    {1.6, 0.8026686390628947}, {0, 0.3}},
  {"lorenz63_noise", "", 3, {-3.2, 5.1, 21.7}, NAN, {83, -25.26, -74.18666666666667}, {1, 1, 1}},
  {"many_well", "", 2, {0.3, -1.2}, 0.0381, {3.992, 1.2}, {1, 1}},
  {"many_well", "kT=0.7 mobility=1.5 tilt=-2", 1, {-1.9}, -12.4279, {3.954}, {1.05}},
  {"lorenz63_noise", "sigma=8 rho=24 beta=2 diffusion=3", 3, {7.3, -2.4, 33.1}, NAN, {-77.6, -64.03, -83.72},
    {3, 3, 3}},
};

static void values_are_right(void **state)
{
  (void)state;
  for (size_t row = 0; row < PETSC_STATIC_ARRAY_LENGTH(values); row++) {
    const fare_system_type *type = fare_system_type_find(values[row].system);
    const double *const     x[]  = {&values[row].x[0], &values[row].x[1], &values[row].x[2]};
    double                  V, f[FARE_DIM_MAX], D[FARE_DIM_MAX];
    double *const pf[] = {&f[0], &f[1], &f[2]}, *const pD[] = {&D[0], &D[1], &D[2]};
    char         text[256], name[64];
    fare_system *system;

    assert_non_null(type);
    assert_ok(fare_system_create(type, values[row].dim, &system));
    strcpy(text, values[row].parameters);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
      double value;

      assert_int_equal(sscanf(word, "%63[^=]=%lf", name, &value), 2);
      assert_ok(fare_system_set(system, name, value));
    }
    fare_system_drift(system, 0, 1, x, pf);
    fare_system_diffusion(system, 0, 1, x, pD);
    for (int axis = 0; axis < values[row].dim; axis++) {
      assert_near(f[axis], values[row].drift[axis], 1e-13 * (10 + fabs(f[axis])));
      assert_near(D[axis], values[row].diffusion[axis], 1e-15 * (1 + fabs(D[axis])));
    }
    assert_int_equal(fare_system_has_potential(system), !isnan(values[row].V));
    if (fare_system_has_potential(system)) {
      fare_system_potential(system, 0, 1, x, &V);
      assert_near(V, values[row].V, 1e-13 * (10 + fabs(V)));
    }
    assert_ok(fare_system_destroy(&system));
  }
}

static void every_system_has_values(void **state)
{
  (void)state;
  for (size_t i = 0; fare_system_type_at(i); i++) {
    int rows = 0;

    for (size_t row = 0; row < PETSC_STATIC_ARRAY_LENGTH(values); row++)
      rows += !strcmp(values[row].system, fare_system_type_at(i)->name);
    if (rows < 2) fail_msg("system %s has no values to be compared with", fare_system_type_at(i)->name);
  }
}

typedef struct {
  double x, y, V;
} landmark;

/*
  Minima and saddles: where all forces vanish, at the height that is known. `slope` allows for places known to
  six digits.
*/
static void check_landmarks(const char *name, const char *parameter, double value, int count,
  const landmark *at, double height, double slope)
{
  fare_system *system;

  assert_ok(fare_system_create(fare_system_type_find(name), 0, &system));
  if (parameter) assert_ok(fare_system_set(system, parameter, value));
  for (int i = 0; i < count; i++) {
    const double *const x[] = {&at[i].x, &at[i].y};
    double              V, f[2] = {0, 0};
    double *const       pf[] = {&f[0], &f[1]};

    fare_system_potential(system, 0, 1, x, &V);
    fare_system_force(system, 0, 1, x, pf);
    assert_near(V, at[i].V, height);
    assert_near(f[0], 0, slope);
    assert_near(f[1], 0, slope);
  }
  assert_ok(fare_system_destroy(&system));
}

#define CHECK_LANDMARKS(name, parameter, value, at, height, slope) \
  check_landmarks(name, parameter, value, PETSC_STATIC_ARRAY_LENGTH(at), at, height, slope)

static void landmarks_of_gradient_systems(void **state)
{
  const double   angle   = M_PI / 5;
  const landmark prinz[] = {
    {-0.739430, 0, 0.559380},
    {-0.223738, 0, 0.152811},
    {0.269149, 0, 0.021104},
    {0.673296, 0, 0.241322},
    {-0.501598, 0, 2.015825},
    {0.502009, 0, 0.815876},
  };
  /* the five roots of the slope, from the companion matrix of the polynomial */
  const landmark triple_1d[] = {
    {0.506849132, 0, -0.000530949},
    {1.563529758, 0, 2.615635420},
    {3.157518994, 0, -0.564372851},
    {4.455717327, 0, 1.178013106},
    {5.424328259, 0, -0.508455927},
  };
  const landmark triple_2d[] = {
    {-1.048054993, -0.042093666, -3.994860602},
    {1.048054993, -0.042093666, -3.994860602},
    {0, 1.537082004, -2.172153623},
    {0, -0.315826550, -1.384586640},
    {-0.617272308, 1.102734518, -1.646687453},
  };
  /* V' = (x^2 - 1)(4 x - 3/16): wells at +-1 exactly, tops at 3/64 and 3/32 */
  const landmark quadruple[] = {
    {-1, -1, -2.375},
    {1, -1, -2.125},
    {-1, 1, -1.875},
    {1, 1, -1.625},
    {3. / 64, -1, -1.25 + 9. / 2048 - 27. / 16777216},
  };
  const landmark mueller[] = {
    {-0.558223635, 1.441725842, -146.699517210},
    {0.623499405, 0.028037759, -108.166724117},
    {-0.050010823, 0.466694105, -80.767818130},
    {-0.822001559, 0.624312803, -40.664843509},
    {0.212486582, 0.292988325, -72.248940112},
  };
  const landmark five[] = {
    {-1.5, 0, -1},
    {1.5 * cos(angle), 1.5 * sin(angle), -1},
    {1.5 * cos(3 * angle), -1.5 * sin(3 * angle), -1},
    {1.5, 0, 1},
    {1.5 * cos(4 * angle), 1.5 * sin(4 * angle), 1},
  };
  const landmark inertial[] = {{-1, 0, 0}, {1, 0, 0}, {0, 0, 2}};

  (void)state;
  CHECK_LANDMARKS("prinz", NULL, 0, prinz, 1e-6, 2e-4);
  CHECK_LANDMARKS("kramers_prinz", NULL, 0, prinz, 1e-6, 2e-4);
  CHECK_LANDMARKS("kramers_double_well", NULL, 0, inertial, 1e-14, 1e-14);
  CHECK_LANDMARKS("triple_well_1d", NULL, 0, triple_1d, 1e-9, 2e-8);
  CHECK_LANDMARKS("triple_well_2d", NULL, 0, triple_2d, 1e-9, 2e-8);
  CHECK_LANDMARKS("quadruple_well", NULL, 0, quadruple, 1e-14, 1e-14);
  CHECK_LANDMARKS("mueller_brown", "scale", 1, mueller, 1e-8, 1e-5);
  CHECK_LANDMARKS("five_well", NULL, 0, five, 1e-14, 1e-13);
}

/* Where the drift vanishes, in closed form. */
static void drift_vanishes_where_it_should(void **state)
{
  const double root3 = sqrt(3), lobe = sqrt(8. / 3 * 27), apart = sqrt(1 - 0.75 * 0.25 / 2);
  const struct {
    const char *system, *parameter;
    double      value, x[FARE_DIM_MAX];
  } rest[] = {
    /* with Hill coefficient 2: x y = 1 and x + y = 4 */
    {"toggle_switch", "basal", 0, {2 + root3, 2 - root3, 0}},
    {"toggle_switch", "basal", 0, {2 - root3, 2 + root3, 0}},
    {"maier_stein", NULL, 0, {-1, 0, 0}},
    {"maier_stein", NULL, 0, {0, 0, 0}},
    {"maier_stein", NULL, 0, {1, 0, 0}},
    {"swing_equation", NULL, 0, {M_PI / 6, 0, 0}}, /* sin angle = power/coupling = 1/2 */
    {"swing_equation", NULL, 0, {5 * M_PI / 6, 0, 0}},
    {"lorenz63_noise", NULL, 0, {lobe, lobe, 27}},
    {"lorenz63_noise", NULL, 0, {-lobe, -lobe, 27}},
    {"wells_3d", NULL, 0, {1, 1, 1}},
    {"wells_3d", NULL, 0, {apart, -apart, 0}}, /* a^2 = 1 - 3 coupling/(4 height) */
    {"wells_3d", "height", 0.25, {sqrt(0.25), 0, -sqrt(0.25)}},
  };

  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(rest); k++) {
    const double *const x[]             = {&rest[k].x[0], &rest[k].x[1], &rest[k].x[2]};
    double              f[FARE_DIM_MAX] = {0};
    double *const       pf[]            = {&f[0], &f[1], &f[2]};
    fare_system        *system;

    assert_ok(fare_system_create(fare_system_type_find(rest[k].system), 0, &system));
    if (rest[k].parameter) assert_ok(fare_system_set(system, rest[k].parameter, rest[k].value));
    fare_system_drift(system, 0, 1, x, pf);
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) assert_near(f[axis], 0, 1e-12);
    assert_ok(fare_system_destroy(&system));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(values_are_right),
  cmocka_unit_test(every_system_has_values),
  cmocka_unit_test(landmarks_of_gradient_systems),
  cmocka_unit_test(drift_vanishes_where_it_should),
};
FARE_TEST_MAIN(tests)
