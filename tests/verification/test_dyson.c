/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1 timeout=120 */
/* Dyson's Brownian motion: its density against quadrature, closed moments, matrices and particles. */
#include "joints.h"

#include "joint/dyson/determinant.h"

#include <petscdm.h>

#define BLOCKS 8
#define N      (BLOCKS * FARE_BLOCK)

#define TWO                                                                                       \
  "system: {name: dyson, particles: 2}\ninitial: {density: point, mean: [-1, 0.5], sd: [1.0e-7, " \
  "1.0e-7]}\ntruth: {kind: dyson}\n"
#define TEN                                                                                                \
  "system: {name: dyson, particles: 10}\n"                                                                 \
  "initial: {density: point, mean: [-3.2, -2.9, -2.6, -2.3, -2.0, 1.8, 2.1, 2.4, 2.7, 3.0], sd: [1.0e-7, " \
  "1.0e-7, 1.0e-7, 1.0e-7, 1.0e-7, 1.0e-7, 1.0e-7, 1.0e-7, 1.0e-7, 1.0e-7]}\ntruth: {kind: dyson}\n"

/* Mass and mean distance of two, by the trapezoidal rule over the ordered half of the plane. */
static void two_have_their_mass_and_distance(void **state)
{
  static const double times[] = {0.1, 0.5, 2}, distance[] = {1.62295, 1.98393, 2.24381};
  const double        h = 0.025;
  joint_subject       s = make_joint(TWO);

  (void)state;
  for (int k = 0; k < 3; k++) {
    double mass = 0, mean = 0;

    assert_ok(fare_joint_advance(s.joint, times[k]));
    for (double low = -7; low < 7; low += h) {
      for (double high = low + h; high < 7; high += h) {
        const double p = exp(log_density_at(s.joint, 0, (double[]){low, high})) * h * h;

        mass += p;
        mean += p * (high - low);
      }
    }
    assert_near(mass, 1, 1e-6);
    assert_near(mean, distance[k], 1e-5);
  }
  assert_true(log_density_at(s.joint, 0, (double[]){0.2, 0.1}) == -HUGE_VAL);
  drop_joint(&s);
}

/* Ten in two clusters: the second moment in closed form and the entropy, known from matrices and particles.
 */
static void ten_have_their_moments(void **state)
{
  static const double times[] = {0.05, 0.25, 1}, log_density[] = {2.19, -3.30, -5.21},
                      square[] = {67.788, 78.408, 95.182};
  joint_subject s              = make_joint(TEN);

  (void)state;
  for (int k = 0; k < 3; k++) {
    double *x[10], log_p[N], mean = 0, second = 0, spread = 0;

    assert_ok(fare_joint_advance(s.joint, times[k]));
    draw_joint(s.joint, "ten", BLOCKS, x);
    assert_ok(s.joint->type->log_density(s.joint, 0, N, (const double *const *)x, log_p));
    for (int i = 0; i < N; i++) {
      double sum = 0;

      for (int a = 0; a < 10; a++) sum += x[a][i] * x[a][i];
      mean += log_p[i] / N;
      second += sum / N;
      spread += sum * sum / N;
    }
    assert_near(mean, log_density[k], 0.03 + 3 * s.joint->status.entropy_error);
    assert_near(-s.joint->status.entropy, mean, 5 * s.joint->status.entropy_error);
    assert_near(second, square[k], 4 * sqrt((spread - second * second) / N));
    score_is_the_gradient(s.joint, (double[]){-3.5, -3, -2.5, -2, -1, 1, 1.9, 2.3, 2.9, 3.6}, 1e-5);
    assert_ok(PetscFree(x[0]));
  }
  drop_joint(&s);
}

/*
  E[q/p] over draws from p is 1 for every density q: here of a start beside, so that all factors of the
  density and its draws are put to the test.
*/
static void densities_are_normalised_over_draws(void **state)
{
  joint_subject s     = make_joint("system: {name: dyson, particles: 3}\ninitial: {density: point, mean: "
                                       "[-1, 0, 1], sd: [0.01, 0.01, 0.01]}\ntruth: {kind: dyson}\n"),
                other = make_joint("system: {name: dyson, particles: 3}\ninitial: {density: point, mean: "
                                   "[-0.7, -0.2, 1.3], sd: [0.01, 0.01, 0.01]}\ntruth: {kind: dyson}\n");
  double *x[3], log_p[2][N], mean = 0, square = 0;

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.3));
  assert_ok(fare_joint_advance(other.joint, 0.3));
  draw_joint(s.joint, "three", BLOCKS, x);
  assert_ok(s.joint->type->log_density(s.joint, 0, N, (const double *const *)x, log_p[0]));
  assert_ok(s.joint->type->log_density(other.joint, 0, N, (const double *const *)x, log_p[1]));
  for (int i = 0; i < N; i++) {
    const double ratio = exp(log_p[1][i] - log_p[0][i]);

    mean += ratio / N;
    square += ratio * ratio / N;
  }
  assert_true(square - mean * mean > 0.01);
  assert_near(mean, 1, 4 * sqrt((square - mean * mean) / N));
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
  drop_joint(&other);
}

/* Fifty, from early to late: finite, and in the end the Gaussian unitary ensemble. */
static void fifty_come_to_rest(void **state)
{
  char          text[2048];
  int           length = snprintf(text, sizeof text,
              "system: {name: dyson, particles: 50}\ntruth: {kind: dyson}\n"
                        "initial: {density: point, mean: [");
  joint_subject s;

  (void)state;
  for (int i = 0; i < 50; i++)
    length +=
      snprintf(text + length, sizeof text - (size_t)length, "%s%.4f", i ? ", " : "", -8 + 16 * i / 49.);
  snprintf(text + length, sizeof text - (size_t)length, "], sd: [0.05]}\n");
  s = make_joint(text);
  for (double t = 0.2; t < 30; t *= 5) {
    assert_ok(fare_joint_advance(s.joint, t));
    assert_true(isfinite(s.joint->status.entropy));
    /* it decreases to nothing, so that all constants of both densities are right */
    assert_between(s.joint->status.equilibrium, -1e-8, 1e3 * exp(-2 * t) + 1e-8);
  }
  drop_joint(&s);
}

/* A trap that moves, stiffens and heats up: mean and variance of the centre of mass, which is linear. */
static void driven_traps_are_followed(void **state)
{
  joint_subject s =
    make_joint("system: {name: dyson, particles: 4, parameters: {mobility: 1.5}}\n"
               "drive:\n  - {parameter: centre, waveform: sine, amplitude: 1, period: 1}\n"
               "  - {parameter: stiffness, waveform: square, amplitude: 0.5, period: 0.6}\n"
               "  - {parameter: kT, waveform: sine, amplitude: 0.5, period: 0.7}\n"
               "initial: {density: point, mean: [-1, -0.5, 0.3, 0.9], sd: [0.1]}\ntruth: {kind: dyson}\n");
  double *x[4], mean = -0.075, square = 0, m = 0, v = 0.01 / 4, t = 0;

  (void)state;
  /* d<X> = u k (c - <X>), dVar = -2 u k Var + 2 u kT/N, by small steps at their middle */
  for (double h = 1e-5; t < 0.8 - 0.5 * h; t += h) {
    const double at = t + 0.5 * h, k = 1 + (fmod(at, 0.6) < 0.3 ? 0.5 : -0.5), c = sin(2 * M_PI * at),
                 kT = 1 + 0.5 * sin(2 * M_PI * at / 0.7);

    v += h * (-3 * k * v + 3 * kT / 4);
    mean += h * 1.5 * k * (c - mean);
  }
  assert_ok(fare_joint_advance(s.joint, 0.8));
  draw_joint(s.joint, "trap", BLOCKS, x);
  for (int i = 0; i < N; i++) {
    const double centre = 0.25 * (x[0][i] + x[1][i] + x[2][i] + x[3][i]);

    m += centre / N;
    square += (centre - mean) * (centre - mean) / N;
  }
  assert_near(m, mean, 4 * sqrt(v / N));
  assert_near(square, v, 4 * v * sqrt(2. / N));
  assert_true(s.joint->status.error < 1e-6);
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
}

/* Particles that the system's own drift moves arrive at the density: the mean of ln p is that of draws. */
static void particles_arrive_at_the_density(void **state)
{
  enum { DIM = 3 };
  const double  h = 2e-5;
  joint_subject s =
    make_joint("system: {name: dyson, particles: 3}\ninitial: {density: point, mean: [-0.6, -0.2, "
               "0.5], sd: [1.0e-6, 1.0e-6, 1.0e-6]}\ntruth: {kind: dyson}\n");
  double       *x[DIM], f[DIM][N], z[FARE_BLOCK], log_p[N], mean = 0, square = 0;
  double *const to[] = {f[0], f[1], f[2]};

  (void)state;
  draw_joint(s.joint, "start", BLOCKS, x);
  for (int k = 0; k < 5000; k++) {
    fare_system_drift(s.system, 0, N, (const double *const *)x, to);
    for (int a = 0; a < DIM; a++) {
      for (int b = 0; b < BLOCKS; b++) {
        fare_random_normals(fare_stream_make(3, "noise"), (uint64_t)b, (uint64_t)k, (uint32_t)a, z);
        for (int i = 0; i < FARE_BLOCK; i++)
          x[a][b * FARE_BLOCK + i] += h * f[a][b * FARE_BLOCK + i] + sqrt(2 * h) * z[i];
      }
    }
  }
  assert_ok(fare_joint_advance(s.joint, 0.1));
  for (int i = 0; i < N; i++) {
    for (int pass = 0; pass < 2; pass++) { /* a step may have led past a neighbour */
      for (int a = 1; a < DIM; a++) {
        const double low = PetscMin(x[a - 1][i], x[a][i]), high = PetscMax(x[a - 1][i], x[a][i]);

        x[a - 1][i] = low;
        x[a][i]     = high;
      }
    }
  }
  assert_ok(s.joint->type->log_density(s.joint, 0, N, (const double *const *)x, log_p));
  for (int i = 0; i < N; i++) {
    mean += log_p[i] / N;
    square += log_p[i] * log_p[i] / N;
  }
  assert_near(mean, -s.joint->status.entropy,
    4 * hypot(sqrt((square - mean * mean) / N), s.joint->status.entropy_error));
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
}

/* Two rows: det[exp(x b)] = 2 exp(s) sinh(d), at distances where plain double precision loses all digits. */
static void determinants_of_two_are_known(void **state)
{
  (void)state;
  for (double width = 1e-12; width < 50; width *= 7) {
    const double x[] = {0.3, 0.7}, b[] = {-0.2, -0.2 + width};
    const double d = 0.2 * width, middle = 0.5 * (b[0] + b[1]);

    assert_near(fare_log_determinant(2, x, b), middle + log(d < 1e-4 ? 1 + d * d / 6 : sinh(d) / d),
      1e-13 * (1 + width));
  }
}

/* Fifty rows, against arithmetic of 220 digits (mpmath). */
static void determinants_of_fifty_are_known(void **state)
{
  static const double scale[] = {0.02, 0.3, 0.9, 3},
                      value[] = {
                        -3060.4263707021445, -3047.5238256055073, -2948.0138572147195, -2081.0998411553858};
  double x[50], b[50];

  (void)state;
  for (int k = 0; k < 4; k++) {
    for (int i = 0; i < 50; i++) {
      x[i] = -7 + 14 * i / 49. + 0.1 * sin(3 * i);
      b[i] = scale[k] * (-7 + 14 * i / 49. + 0.1 * cos(5 * i));
    }
    assert_near(fare_log_determinant(50, x, b), value[k], 1e-6);
  }
}

static void what_cannot_be_is_refused(void **state)
{
  (void)state;
  refuses_joint("system: {name: dyson, particles: 2}\ninitial: {density: boltzmann}\ntruth: {kind: dyson}\n",
    "density: point");
  refuses_joint(
    "system: {name: dyson, particles: 2}\ninitial: {density: point, mean: [1, 0]}\ntruth: {kind: dyson}\n",
    "must ascend");
  refuses_joint(
    "system: {name: prinz}\ninitial: {density: boltzmann}\ntruth: {kind: dyson}\n", "not of 'prinz'");
  refuses_joint("system: {name: dyson, particles: 51}\ninitial: {density: boltzmann}\ntruth: {kind: dyson}\n",
    "from 2 to 50");
}

/* Steps that are far too long exchange many; what is shown is in order, and has a density. */
static void simulated_particles_are_in_order(void **state)
{
  static const char        options_yaml[] = "{dt: 2.0e-2}";
  const fare_sampler_type *type           = fare_sampler_type_find("langevin");
  joint_subject            s              = make_joint(TWO);
  fare_schedule            schedule       = {.start = 0, .end = 0.4, .count = 3};
  fare_config             *config;
  fare_sampler            *sampler;
  fare_ensemble           *e;
  void                    *options;

  (void)state;
  assert_ok(fare_config_parse("s.yaml", options_yaml, strlen(options_yaml), &config));
  assert_ok(fare_sampler_options_read(type, fare_config_root(config), NULL, &options));
  assert_ok(
    fare_sampler_create(PETSC_COMM_WORLD, type, "x", options, 5, s.system, s.initial, &schedule, &sampler));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 2000, &e));
  for (int k = 0; k < 3; k++) {
    assert_ok(fare_sampler_advance(sampler, fare_schedule_time(&schedule, k), e));
    for (int64_t i = 0; i < e->local; i++) assert_true(e->x[0][i] < e->x[1][i]);
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  fare_sampler_options_free(type, &options);
  fare_config_destroy(&config);
  drop_joint(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_have_their_mass_and_distance),
  cmocka_unit_test(ten_have_their_moments),
  cmocka_unit_test(densities_are_normalised_over_draws),
  cmocka_unit_test(fifty_come_to_rest),
  cmocka_unit_test(driven_traps_are_followed),
  cmocka_unit_test(particles_arrive_at_the_density),
  cmocka_unit_test(determinants_of_two_are_known),
  cmocka_unit_test(determinants_of_fifty_are_known),
  cmocka_unit_test(what_cannot_be_is_refused),
  cmocka_unit_test(simulated_particles_are_in_order),
};
FARE_TEST_MAIN(tests)
