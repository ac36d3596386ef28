/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Driven mixtures: the density is the formula, the system's drift transports it (Fokker and Planck's equation
  by differences), and so do particles, in 2 and in 32 axes.
*/
#include "joints.h"

#include <stdio.h>
#include <stdlib.h>

static const char breathing[] =
  "system: {name: gaussian_mixture, weights: [1, 2, 1], mean: [-1, 0, 1.5, 0.5, 0, -2],\n"
  "  sd: [0.5, 0.6, 0.7, 0.4, 0.8, 0.5], motion: [1, 0, 0, 0.5, -1, 1], motion_2: [0, 1, -1, 0, 0, 0.5],\n"
  "  parameters: {kT: 0.7, mobility: 1.3, position_2: 0.2, width: 1.1}}\n"
  "drive:\n"
  "  - {parameter: position, waveform: sine, amplitude: 0.8, period: 1.5}\n"
  "  - {parameter: position_2, waveform: ramp, start: 0.1, end: 0.9, amplitude: 1.5}\n"
  "  - {parameter: width, waveform: smoothstep, start: 0.0, end: 1.0, amplitude: 0.4}\n"
  "initial: {density: boltzmann}\n"
  "truth: {kind: mixture}\n";

/* The same by hand. */
static double formula(double t, const double x[2])
{
  static const double w[] = {0.25, 0.5, 0.25}, mean[][2] = {{-1, 0}, {1.5, 0.5}, {0, -2}},
                      sd[][2]     = {{0.5, 0.6}, {0.7, 0.4}, {0.8, 0.5}},
                      motion[][2] = {{1, 0}, {0, 0.5}, {-1, 1}}, motion_2[][2] = {{0, 1}, {-1, 0}, {0, 0.5}};
  const double position = 0.8 * sin(2 * M_PI * t / 1.5), position_2 = 0.2 + 1.5 * (t - 0.1) / 0.8,
               width = 1.1 + 0.4 * t * t * (3 - 2 * t);
  double p           = 0;

  for (int c = 0; c < 3; c++) {
    double n = w[c];

    for (int a = 0; a < 2; a++) {
      const double m = mean[c][a] + position * motion[c][a] + position_2 * motion_2[c][a],
                   s = width * sd[c][a];

      n *= exp(-0.5 * pow((x[a] - m) / s, 2)) / (s * sqrt(2 * M_PI));
    }
    p += n;
  }
  return log(p);
}

static void drift_at(const fare_system *system, double t, const double point[2], double f[2])
{
  const double *const x[]  = {&point[0], &point[1]};
  double *const       to[] = {&f[0], &f[1]};

  fare_system_drift(system, t, 1, x, to);
}

/* Central differences of fourth order of ln p and of the drift, at a place and a time. */
static double residual(const fare_system *system, double t, const double x[2])
{
  static const double step[] = {-2, -1, 1, 2}, first[] = {1. / 12, -8. / 12, 8. / 12, -1. / 12},
                      second[] = {-1. / 12, 16. / 12, 16. / 12, -1. / 12};
  const double h = 2e-3, D = 0.7 * 1.3;
  double       f[2], rate = 0, sum = 0;

  drift_at(system, t, x, f);
  for (int k = 0; k < 4; k++) rate += first[k] / h * formula(t + step[k] * h, x);
  for (int a = 0; a < 2; a++) {
    double slope = 0, curvature = -2.5 / (h * h) * formula(t, x), divergence = 0;

    for (int k = 0; k < 4; k++) {
      double y[] = {x[0], x[1]}, g[2];

      y[a] += step[k] * h;
      drift_at(system, t, y, g);
      slope += first[k] / h * formula(t, y);
      curvature += second[k] / (h * h) * formula(t, y);
      divergence += first[k] / h * g[a];
    }
    sum += f[a] * slope + divergence - D * (curvature + slope * slope);
  }
  return rate + sum;
}

static void the_drift_transports_the_formula(void **state)
{
  joint_subject s = make_joint(breathing);

  (void)state;
  for (double t = 0.15; t < 0.85; t += 0.2) {
    assert_ok(fare_joint_advance(s.joint, t));
    for (int i = 0; i < 10; i++) {
      const double x[] = {2 * sin(3. * i + t), 2 * cos(1.7 * i)};

      assert_near(log_density_at(s.joint, 0, x), formula(t, x), 1e-12 * (1 + fabs(formula(t, x))));
      score_is_the_gradient(s.joint, x, 1e-7);
      assert_near(residual(s.system, t, x), 0, 1e-5);
    }
  }
  drop_joint(&s);
}

/* -grad V is kT times the score, and V = -kT ln p: the Boltzmann density of the moment is the truth. */
static void the_potential_is_that_of_the_density(void **state)
{
  const double x[] = {0.4, -0.9}, *const at[] = {&x[0], &x[1]};
  double        V, f[2], odd[2], s[2], theta[FARE_PARAMETERS_MAX];
  double *const force[] = {&f[0], &f[1]}, *const rest[] = {&odd[0], &odd[1]}, *const to[] = {&s[0], &s[1]};
  joint_subject j = make_joint(breathing);

  (void)state;
  assert_ok(fare_joint_advance(j.joint, 0.6));
  assert_ok(j.joint->type->score(j.joint, 1, at, to));
  fare_system_potential(j.system, 0.6, 1, at, &V);
  fare_system_force(j.system, 0.6, 1, at, force);
  fare_system_parameters(j.system, 0.6, theta);
  fare_system_type_of(j.system)->nonconservative(2, theta, 1, at, rest);
  assert_near(V, -0.7 * formula(0.6, x), 1e-12);
  for (int a = 0; a < 2; a++) assert_near(f[a] - odd[a], 0.7 * s[a], 1e-12);
  assert_true(fabs(odd[0]) > 0.1);
  drop_joint(&j);
}

static char *mixture_32(void)
{
  char  path[1024];
  FILE *file;
  char *text = calloc(1, 1 << 16);

  snprintf(path, sizeof path, "%s/input/high/mixture_32.yaml", getenv("FARE_SOURCE_DIR"));
  file = fopen(path, "r");
  assert_non_null(file);
  assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
  fclose(file);
  return text;
}

/*
  E ln p at t = 0.3 is -35.340 +- 0.006 by 500000 draws of another program, of which the centres are. Here by
  draws of the truth, and by particles that Heun's method has brought there from the start.
*/
#define AXES   32
#define BLOCKS 16
static void thirty_two_axes(void **state)
{
  static double     at[2][AXES][FARE_BLOCK], f[2][AXES][FARE_BLOCK], z[AXES][FARE_BLOCK], l[FARE_BLOCK];
  double           *x[AXES], *y[AXES], *g[2][AXES], sum[2] = {0}, square[2] = {0};
  const double      dt = 4e-3, n = BLOCKS * FARE_BLOCK;
  const fare_stream stream = fare_stream_make(9, "test");
  char             *text   = mixture_32();
  joint_subject     s[2]   = {make_joint(text), make_joint(text)};

  (void)state;
  for (int a = 0; a < AXES; a++) {
    x[a] = at[0][a], y[a] = at[1][a];
    g[0][a] = f[0][a], g[1][a] = f[1][a];
  }
  assert_ok(fare_joint_advance(s[1].joint, 0.3));
  assert_near(s[1].joint->status.entropy, 35.340, 3 * hypot(0.006, s[1].joint->status.entropy_error));
  for (uint64_t b = 0; b < BLOCKS; b++) {
    assert_ok(s[0].joint->type->draw(s[0].joint, stream, b, x));
    for (int step = 0; step < 75; step++) {
      fare_system_drift(s[0].system, step * dt, FARE_BLOCK, (const double *const *)x, g[0]);
      for (uint32_t a = 0; a < AXES; a++) {
        fare_random_normals(stream, b, (uint64_t)step + 10, a, z[a]);
        for (int i = 0; i < FARE_BLOCK; i++) y[a][i] = x[a][i] + dt * g[0][a][i] + sqrt(2 * dt) * z[a][i];
      }
      fare_system_drift(s[0].system, (step + 1) * dt, FARE_BLOCK, (const double *const *)y, g[1]);
      for (int a = 0; a < AXES; a++) {
        for (int i = 0; i < FARE_BLOCK; i++)
          x[a][i] += 0.5 * dt * (g[0][a][i] + g[1][a][i]) + sqrt(2 * dt) * z[a][i];
      }
    }
    for (int k = 0; k < 2; k++) {
      if (k) assert_ok(s[1].joint->type->draw(s[1].joint, stream, b, x));
      assert_ok(s[1].joint->type->log_density(s[1].joint, 0, FARE_BLOCK, (const double *const *)x, l));
      for (int i = 0; i < FARE_BLOCK; i++) {
        sum[k] += l[i] / n;
        square[k] += l[i] * l[i] / n;
      }
    }
  }
  for (int k = 0; k < 2; k++)
    assert_near(sum[k], -35.340, 3 * hypot(0.006, sqrt((square[k] - sum[k] * sum[k]) / n)));
  for (int k = 0; k < 2; k++) drop_joint(&s[k]);
  free(text);
}

/* Draws through the conditionals are even and have no correlations. */
static void conditionals_of_draws_are_even(void **state)
{
  enum { N = 40 * FARE_BLOCK };
  static double     x[2][N], u[2][N];
  const fare_stream stream  = fare_stream_make(3, "test");
  double *const     to[]    = {u[0], u[1]};
  joint_subject     s       = make_joint(breathing);
  double            mean[2] = {0}, co[3] = {0};

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.5));
  for (uint64_t b = 0; b < 40; b++) {
    double *const at[] = {x[0] + b * FARE_BLOCK, x[1] + b * FARE_BLOCK};

    assert_ok(s.joint->type->draw(s.joint, stream, b, at));
  }
  assert_ok(s.joint->type->rosenblatt(s.joint, N, (const double *const[]){x[0], x[1]}, to));
  for (int i = 0; i < N; i++) {
    for (int a = 0; a < 2; a++) mean[a] += (u[a][i] - 0.5) / N;
    co[0] += pow(u[0][i] - 0.5, 2) / N;
    co[1] += pow(u[1][i] - 0.5, 2) / N;
    co[2] += (u[0][i] - 0.5) * (u[1][i] - 0.5) / N;
  }
  for (int a = 0; a < 2; a++) {
    assert_near(mean[a], 0, 4 * sqrt(1. / 12 / N));
    assert_near(co[a], 1. / 12, 4 * sqrt(1. / 180 / N));
  }
  assert_near(co[2], 0, 4. / 12 / sqrt(N));
  drop_joint(&s);
}

static void jumps_are_refused(void **state)
{
#define OF(drive, initial)                                                                        \
  "system: {name: gaussian_mixture, weights: [1, 1], mean: [-1, 1], sd: [0.5], motion: [1, 1]}\n" \
  "drive: [" drive "]\ninitial: {density: " initial "}\ntruth: {kind: mixture}\n"
  joint_subject s;

  (void)state;
  refuses_joint(
    OF("{parameter: position, waveform: square, amplitude: 1, period: 1}", "boltzmann"), "widths jump");
  refuses_joint(OF("", "uniform"), "begins with the mixture itself");
  refuses_joint("system: {name: double_well}\ninitial: {density: boltzmann}\ntruth: {kind: mixture}\n",
    "is for system 'gaussian_mixture'");
  refuses_joint("system: {name: gaussian_mixture, weights: [1, 1], mean: [0, 1, 2], sd: [1]}\n"
                "initial: {density: boltzmann}\ntruth: {kind: mixture}\n",
    "system.mean: expected as many numbers for each of 2 components");
  /* temperature may jump: it leaves the density alone */
  s = make_joint(OF("{parameter: kT, waveform: square, amplitude: 0.5, period: 1}", "boltzmann"));
  assert_ok(fare_joint_advance(s.joint, 3));
  drop_joint(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(the_drift_transports_the_formula),
  cmocka_unit_test(the_potential_is_that_of_the_density),
  cmocka_unit_test(thirty_two_axes),
  cmocka_unit_test(conditionals_of_draws_are_even),
  cmocka_unit_test(jumps_are_refused),
};
FARE_TEST_MAIN(tests)
