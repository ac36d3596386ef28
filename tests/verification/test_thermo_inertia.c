/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  Thermodynamics of an oscillator with inertia, dragged and squeezed, from a start out of equilibrium: it
  stays Gaussian, and its moments obey linear equations. Heat is what friction takes and the bath gives,
  friction (kT - mass <v^2>).
*/
#include "fare_test.h"

#include <stdlib.h>
#include <string.h>

enum { STIFFNESS = FARE_OWN, PLACE, FRICTION };
static const fare_parameter parameters[] = {FARE_COMMON_PARAMETERS, {"stiffness", 1, 0, 100, ""},
  {"place", 0, -100, 100, ""}, {"friction", 0.7, 0, 100, ""}, FARE_PARAMETERS_END};

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    const double y = x[0][i] - theta[PLACE];

    V[i] = 0.5 * (theta[STIFFNESS] * y * y + x[1][i] * x[1][i]);
  }
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = -theta[STIFFNESS] * (x[0][i] - theta[PLACE]);
    f[1][i] = -x[1][i];
  }
}

static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) {
    f[0][i] = x[1][i];
    f[1][i] = -theta[STIFFNESS] * (x[0][i] - theta[PLACE]) - theta[FRICTION] * x[1][i];
  }
}

static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) {
    D[0][i] = 0;
    D[1][i] = theta[FRICTION] * theta[FARE_KT];
  }
}

static const fare_system_type oscillator = {
  .name          = "oscillator",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-4.5, -5},
  .upper         = {5.5, 5},
  .potential     = potential,
  .force         = force,
  .drift         = drift,
  .diffusion     = diffusion,
};

#define END 1.5
static double place(double t)
{
  return 0.8 * sin(M_PI * t);
}
static double stiffness(double t)
{
  return 1 + 0.4 * sin(2 * M_PI * t);
}

/* Means, covariances xx, xv, vv, work and heat. */
typedef struct {
  double y[7];
} state;

static state slope(double t, const state *s)
{
  const double *y = s->y, k = stiffness(t), g = 0.7, kT = 0.5, away = y[0] - place(t),
               dk = 0.8 * M_PI * cos(2 * M_PI * t), dl = 0.8 * M_PI * cos(M_PI * t);

  return (state){{y[1], -k * away - g * y[1], 2 * y[3], y[4] - k * y[2] - g * y[3],
    -2 * k * y[3] - 2 * g * y[4] + 2 * g * kT, 0.5 * dk * (away * away + y[2]) - k * away * dl,
    g * (kT - y[1] * y[1] - y[4])}};
}

static state add(const state *a, double h, const state *b)
{
  state sum;

  for (int i = 0; i < 7; i++) sum.y[i] = a->y[i] + h * b->y[i];
  return sum;
}

static state follow(state s, double end)
{
  enum { STEPS = 4000 };
  const double h = end / STEPS;

  for (int n = 0; n < STEPS; n++) {
    const double t = n * h;
    const state  a = slope(t, &s), at_b = add(&s, h / 2, &a), b = slope(t + h / 2, &at_b),
                at_c = add(&s, h / 2, &b), c = slope(t + h / 2, &at_c), at_d = add(&s, h, &c),
                d = slope(t + h, &at_d);

    for (int i = 0; i < 7; i++) s.y[i] += h / 6 * (a.y[i] + 2 * b.y[i] + 2 * c.y[i] + d.y[i]);
  }
  return s;
}

static double entropy(const state *s)
{
  return 1 + log(2 * M_PI * sqrt(s->y[2] * s->y[4] - s->y[3] * s->y[3]));
}

static fare_system *make_oscillator(void)
{
  fare_system *system;

  assert_ok(fare_system_create(&oscillator, 2, &system));
  assert_ok(fare_system_set(system, "kT", 0.5));
  assert_ok(fare_system_drive_sine(system, "place", 0.8, 2, 0));
  assert_ok(fare_system_drive_sine(system, "stiffness", 0.4, 1, 0));
  return system;
}

/* Of one number of the last row: off by less than its bar says, which is small. */
static void check(
  const fare_thermo *thermo, const char *name, size_t offset, double expected, double most, double *off)
{
  const size_t last  = fare_thermo_count(thermo) - 1;
  const double value = *(const double *)((const char *)(fare_thermo_rows(thermo) + last) + offset),
               error = *(const double *)((const char *)(fare_thermo_errors(thermo) + last) + offset);

  *off = fabs(value - expected);
  if (getenv("FARE_TEST_SHOW"))
    fare_log("%s: %.10g, expected %.10g, off %.2e, bar %.2e", name, value, expected, *off, error);
  assert_between(*off, 0, 1.5 * error + 1e-9);
  assert_between(error, 0, most);
}

#define AT(member) offsetof(fare_thermo_row, member)

static void moments_tell_work_heat_and_entropy(void **unused)
{
  const fare_thermo_options options = {.points = 5};
  double                    mean[] = {0.6, -0.4}, sd[] = {0.5, 0.9}, off[2][6];
  const fare_initial        initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, mean}, .sd = {2, sd}};
  const state               begin = {{0.6, -0.4, 0.25, 0, 0.81, 0, 0}}, end = follow(begin, END);
  const double              produced = entropy(&end) - entropy(&begin) - end.y[6] / 0.5;

  (void)unused;
  for (int level = 0; level < 2; level++) {
    PetscInt64         n[]    = {32 << level, 24 << level};
    fare_truth_options how    = {.cells = {2, n}, .tolerance = 1e-6, .estimate = PETSC_TRUE};
    fare_system       *system = make_oscillator();
    const double       most   = level ? 0.02 : 0.2;
    fare_truth        *truth;
    fare_thermo       *thermo;
    double             balance;

    assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &initial, 0, &how, &truth));
    assert_int_equal(fare_truth_runs_with(truth), FARE_SCHEME_HIGH_ORDER);
    assert_ok(fare_thermo_create(truth, system, &options, &thermo));
    for (int k = 1; k <= 6; k++) assert_ok(fare_thermo_advance(thermo, END * k / 6));
    check(thermo, "work", AT(work), end.y[5], most, &off[level][0]);
    check(thermo, "heat", AT(heat), end.y[6], most, &off[level][1]);
    check(thermo, "produced", AT(total), produced, most, &off[level][2]);
    check(thermo, "entropy", AT(entropy), entropy(&end), most, &off[level][3]);
    check(thermo, "velocity", AT(velocity[0]), end.y[1], most, &off[level][4]);
    check(thermo, "force", AT(velocity[1]), -stiffness(END) * (end.y[0] - place(END)) - 0.7 * end.y[1], most,
      &off[level][5]);
    /* dissipated work is free energy and entropy that the bath has */
    const fare_thermo_row *row = fare_thermo_rows(thermo), *last = row + fare_thermo_count(thermo) - 1;

    balance = last->work - (last->free_energy - row->free_energy) - 0.5 * last->total;
    assert_near(balance, 0, 1e-10);
    assert_between(last->energy_balance, 0, level ? 1e-4 : 1e-2);
    assert_ok(fare_thermo_destroy(&thermo));
    assert_ok(fare_truth_destroy(&truth));
    assert_ok(fare_system_destroy(&system));
  }
  for (int k = 0; k < 6; k++) assert_between(off[1][k], 0, 2e-5);
  assert_between(off[1][3], 0, off[0][3] / 30);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(moments_tell_work_heat_and_entropy),
};

FARE_TEST_MAIN(tests)
