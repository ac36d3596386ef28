/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  BAOAB against what is known of it in closed form, against the equation of motion, and against the truth of a
  driven system.
*/
#include "samplers.h"

#define SEED 3

/* A trap V = stiffness (x - centre)^2/2 for a body with inertia: what the library has no system for. */
enum { STIFFNESS = FARE_KT + 1, MASS, FRICTION, CENTRE };
static const fare_parameter parameters[] = {
  {"kT", 1.0, 0, 10, "temperature"},
  {"stiffness", 1.0, 0, 100, "of the trap"},
  {"mass", 1.0, 0.01, 100, "of the body"},
  {"friction", 1.0, 0, 100, "rate"},
  {"centre", 0.0, -10, 10, "of the trap"},
  FARE_PARAMETERS_END,
};

static void acceleration(const double *theta, size_t n, const double position[], double a[])
{
  for (size_t i = 0; i < n; i++) a[i] = theta[STIFFNESS] / theta[MASS] * (theta[CENTRE] - position[i]);
}
static void bath(const double *theta, double *friction, double *heating)
{
  *friction = theta[FRICTION];
  *heating  = theta[FRICTION] * theta[FARE_KT] / theta[MASS];
}
static void drift(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  (void)dim;
  acceleration(theta, n, x[0], f[1]);
  for (size_t i = 0; i < n; i++) f[0][i] = x[1][i];
  for (size_t i = 0; i < n; i++) f[1][i] -= theta[FRICTION] * x[1][i];
}
static void diffusion(int dim, const double *theta, size_t n, const double *const x[], double *const D[])
{
  (void)dim, (void)x;
  for (size_t i = 0; i < n; i++) D[0][i] = 0;
  for (size_t i = 0; i < n; i++) D[1][i] = theta[FRICTION] * theta[FARE_KT] / theta[MASS];
}
static const fare_system_type trap = {
  .name          = "trap",
  .summary       = "",
  .reference     = "",
  .dimension_min = 2,
  .dimension_max = 2,
  .parameters    = parameters,
  .lower         = {-5, -5},
  .upper         = {5, 5},
  .drift         = drift,
  .diffusion     = diffusion,
  .acceleration  = acceleration,
  .bath          = bath,
};

static fare_sampler *make(
  const fare_system *system, const fare_initial *initial, const fare_schedule *schedule, double dt)
{
  char options[128];

  snprintf(options, sizeof options, "{integrator: baoab, dt: %.17g}", dt);
  return make_sampler(PETSC_COMM_WORLD, "langevin", options, SEED, system, initial, schedule);
}

/*
  In a stationary trap the positions have the variance kT/stiffness at every stable step, and the velocities
  kT/mass (1 - h^2 stiffness/(4 mass)): Leimkuhler and Matthews 2013. Started with neither; at the largest
  step here the velocities are off by a quarter.
*/
static void variances_are_those_of_the_scheme(void **state)
{
  double              at[] = {0.3, 0}, wide[] = {0.7, 1.2};
  const fare_initial  initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, at}, .sd = {2, wide}};
  const fare_schedule schedule = {0, 24, 2};
  const double        k = 2, m = 0.5, kT = 1.5, steps[] = {0.5, 0.25};
  const int64_t       count = 400000;

  (void)state;
  for (int i = 0; i < 2; i++) {
    const double   velocity = kT / m * (1 - steps[i] * steps[i] * k / (4 * m));
    fare_system   *system;
    fare_sampler  *sampler;
    fare_ensemble *e;
    double         mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;

    assert_ok(fare_system_create(&trap, 2, &system));
    assert_ok(fare_system_set(system, "stiffness", k));
    assert_ok(fare_system_set(system, "mass", m));
    assert_ok(fare_system_set(system, "kT", kT));
    sampler = make(system, &initial, &schedule, steps[i]);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, count, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, 24, e));
    assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
    assert_near(variance[0], kT / k, 5 * kT / k * sqrt(2. / count));
    assert_near(variance[1], velocity, 5 * velocity * sqrt(2. / count));
    /* the bias is visible at these steps */
    assert_true(fabs(velocity - kT / m) > 20 * velocity * sqrt(2. / count));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  Position and velocity at t = 2 without noise, in a trap whose centre is dragged and with friction that
  rises.
*/
static void deterministic(double dt, double *position, double *velocity)
{
  double              at[] = {0.5, 0.2}, wide[] = {1e-300, 1e-300};
  const fare_initial  initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, at}, .sd = {2, wide}};
  const fare_schedule schedule = {0, 2, 2};
  fare_system        *system;
  fare_sampler       *sampler;
  fare_ensemble      *e;
  double              mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;

  assert_ok(fare_system_create(&trap, 2, &system));
  assert_ok(fare_system_set(system, "kT", 0));
  assert_ok(fare_system_set(system, "friction", 0.7));
  assert_ok(fare_system_drive_sine(system, "centre", 1, 1.5, 0));
  assert_ok(fare_system_drive_sine(system, "friction", 0.5, 2.5, 0));
  sampler = make(system, &initial, &schedule, dt);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 1, &e));
  assert_ok(fare_sampler_advance(sampler, 0, e));
  assert_ok(fare_sampler_advance(sampler, 2, e));
  assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
  *position = mean[0];
  *velocity = mean[1];
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/* The same equation of motion by Runge's and Kutta's fourth order. */
static void motion(double t, const double y[2], double d[2])
{
  d[0] = y[1];
  d[1] = sin(2 * M_PI * t / 1.5) - y[0] - (0.7 + 0.5 * sin(2 * M_PI * t / 2.5)) * y[1];
}

static void runge_kutta(double y[2])
{
  const double h = 1e-3;

  for (int n = 0; n < 2000; n++) {
    double a[2], b[2], c[2], d[2], x[2];

    motion(n * h, y, a);
    for (int i = 0; i < 2; i++) x[i] = y[i] + 0.5 * h * a[i];
    motion((n + 0.5) * h, x, b);
    for (int i = 0; i < 2; i++) x[i] = y[i] + 0.5 * h * b[i];
    motion((n + 0.5) * h, x, c);
    for (int i = 0; i < 2; i++) x[i] = y[i] + h * c[i];
    motion((n + 1) * h, x, d);
    for (int i = 0; i < 2; i++) y[i] += h / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]);
  }
}

static void is_of_second_order(void **state)
{
  double exact[2] = {0.5, 0.2}, error[3][2];

  (void)state;
  runge_kutta(exact);
  for (int i = 0; i < 3; i++) {
    deterministic(0.1 / (1 << i), &error[i][0], &error[i][1]);
    for (int k = 0; k < 2; k++) error[i][k] = fabs(error[i][k] - exact[k]);
  }
  for (int k = 0; k < 2; k++) {
    assert_between(error[0][k], 1e-5, 2e-2);
    for (int i = 0; i < 2; i++) assert_between(error[i][k] / error[i + 1][k], 3.8, 4.2);
  }
}

#define BINS 24

/* Chi-square of the particles' positions against the truth's, corrected by its estimated error. */
static double against_truth(const fare_ensemble *e, const fare_truth *truth, double *degrees)
{
  const fare_grid   *grid    = fare_truth_grid(truth);
  double             p[BINS] = {0}, count[BINS] = {0}, chi = 0, rest = 0, rest_p = 0;
  const PetscScalar *mass, *error;
  const PetscInt     per_bin = grid->cells[0] / BINS;

  assert_ok(VecGetArrayRead(fare_truth_masses(truth), &mass));
  assert_ok(VecGetArrayRead(fare_truth_error_field(truth), &error));
  for (PetscInt n = 0; n < grid->count[0] * grid->count[1]; n++)
    p[(grid->start[0] + n % grid->count[0]) / per_bin] += mass[n] + error[n];
  assert_ok(VecRestoreArrayRead(fare_truth_masses(truth), &mass));
  assert_ok(VecRestoreArrayRead(fare_truth_error_field(truth), &error));
  for (int64_t i = 0; i < e->local; i++) {
    const int bin = (int)floor((e->x[0][i] - grid->lower[0]) / (grid->upper[0] - grid->lower[0]) * BINS);

    if (bin >= 0 && bin < BINS) count[bin]++;
  }
  MPI_Allreduce(MPI_IN_PLACE, p, BINS, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, count, BINS, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  *degrees = 0;
  for (int b = 0; b < BINS; b++) {
    const double expected = p[b] * (double)e->count;

    if (expected < 10) {
      rest += count[b];
      rest_p += expected;
      continue;
    }
    chi += pow(count[b] - expected, 2) / expected;
    ++*degrees;
  }
  return chi + pow(rest - rest_p, 2) / PetscMax(rest_p, 1);
}

static void follows_the_truth_of_a_driven_system(void **state)
{
  double             chi, degrees, lower[] = {-1.5, -6}, upper[] = {1.5, 6};
  PetscInt64         cells[] = {576, 144};
  fare_truth_options options = {
    .cells = {2, cells}, .lower = {2, lower}, .upper = {2, upper}, .tolerance = 1e-4, .estimate = PETSC_TRUE};
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 0.6, 3};
  fare_system        *system;
  fare_truth         *truth;
  fare_sampler       *sampler;
  fare_ensemble      *e;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("kramers_prinz"), 2, &system));
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  assert_ok(fare_truth_create(PETSC_COMM_WORLD, system, &initial, 0, &options, &truth));
  sampler = make(system, &initial, &schedule, 0.005);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 40000, &e));
  for (int k = 0; k < 3; k++) {
    assert_ok(fare_sampler_advance(sampler, 0.3 * k, e));
    assert_ok(fare_truth_advance(truth, 0.3 * k));
    chi = against_truth(e, truth, &degrees);
    assert_between(chi, degrees - 4 * sqrt(2 * degrees), degrees + 4 * sqrt(2 * degrees));
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_truth_destroy(&truth));
  assert_ok(fare_system_destroy(&system));
}

/* Every system that can be taken apart is the sum of its parts. */
static void parts_make_up_drift_and_diffusion(void **state)
{
  double place[2][FARE_BLOCK], f[2][FARE_BLOCK], D[2][FARE_BLOCK], a[FARE_BLOCK], friction, heating,
    theta[FARE_PARAMETERS_MAX];
  const double *x[FARE_DIM_MAX]  = {place[0], place[1], NULL};
  double *const to[FARE_DIM_MAX] = {f[0], f[1], NULL}, *const spread[FARE_DIM_MAX] = {D[0], D[1], NULL};
  fare_random random = {.stream = fare_stream_make(1, "places")};
  int         found  = 0;

  (void)state;
  for (size_t s = 0; fare_system_type_at(s); s++) {
    const fare_system_type *type = fare_system_type_at(s);
    fare_system            *system;

    if (!type->acceleration) continue;
    found++;
    assert_ok(fare_system_create(type, 0, &system));
    for (int p = 0; type->parameters[p].name; p++)
      assert_ok(
        fare_system_set(system, type->parameters[p].name, PetscMin(type->parameters[p].max, 0.3 + 0.25 * p)));
    for (int axis = 0; axis < 2; axis++) {
      for (int i = 0; i < FARE_BLOCK; i++) place[axis][i] = fare_random_normal(&random);
    }
    fare_system_parameters(system, 0, theta);
    fare_system_drift(system, 0, FARE_BLOCK, x, to);
    fare_system_diffusion(system, 0, FARE_BLOCK, x, spread);
    type->acceleration(theta, FARE_BLOCK, place[0], a);
    type->bath(theta, &friction, &heating);
    for (int i = 0; i < FARE_BLOCK; i++) {
      assert_near(f[0][i], place[1][i], 0);
      assert_near(f[1][i], a[i] - friction * place[1][i], 1e-12 * (fabs(a[i]) + 1));
      assert_near(D[0][i], 0, 0);
      assert_near(D[1][i], heating, 1e-15);
    }
    assert_ok(fare_system_destroy(&system));
  }
  assert_true(found >= 3);
}

static void is_refused_without_inertia(void **state)
{
  const char         *options  = "{integrator: baoab, dt: 0.01}";
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 1, 2};
  fare_sampler       *sampler;
  fare_system        *system;
  fare_config        *config;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 1, &system));
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_int_equal(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find("langevin"), "langevin", config, 3,
                     system, &initial, &schedule, &sampler),
    FARE_ERR_INPUT);
  assert_ok(fare_sampler_destroy(&sampler));
  fare_config_destroy(&config);
  assert_ok(fare_system_destroy(&system));
}

static void same_bits_on_any_ranks_and_after_loading(void **state)
{
  double              at[] = {0, 0}, wide[] = {0.5, 1};
  const fare_initial  initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {2, at}, .sd = {2, wide}};
  const fare_schedule schedule = {0, 1, 3};
  fare_system        *system   = make_driven("kramers_double_well", 2, "tilt", 1);
  char                path[PATH_SIZE];

  (void)state;
  path_for("baoab", path);
  assert_same_bits("langevin", "{integrator: baoab, dt: 0.02}", SEED, system, &initial, &schedule, path);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(parts_make_up_drift_and_diffusion),
  cmocka_unit_test(is_refused_without_inertia),
  cmocka_unit_test(variances_are_those_of_the_scheme),
  cmocka_unit_test(is_of_second_order),
  cmocka_unit_test(follows_the_truth_of_a_driven_system),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
};
FARE_TEST_MAIN(tests)
