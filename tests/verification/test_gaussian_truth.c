/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Linear systems against closed forms: Ornstein and Uhlenbeck, a swirl, matrix exponentials (Van Loan 1978),
  Lyapunov's equation, and particles. Nothing here uses the truth's own matrices.
*/
#include "joints.h"

#define D 4 /* axes of the larger system */

/* ln of a normal density of covariance S by elimination: destroys S. */
static double log_normal(int dim, double *S, const double r[])
{
  double y[16], result = -0.5 * dim * log(2 * M_PI);

  memcpy(y, r, (size_t)dim * sizeof *y);
  for (int p = 0; p < dim; p++) { /* S = L diag L': y becomes L^-1 r */
    for (int row = p + 1; row < dim; row++) {
      const double f = S[row * dim + p] / S[p * dim + p];

      for (int k = p; k < dim; k++) S[row * dim + k] -= f * S[p * dim + k];
      y[row] -= f * y[p];
    }
    result -= 0.5 * (log(S[p * dim + p]) + y[p] * y[p] / S[p * dim + p]);
  }
  return result;
}

static void multiply(int n, const double *a, const double *b, double *to)
{
  double sum[16 * 16];

  for (int i = 0; i < n; i++) {
    for (int j = 0; j < n; j++) {
      sum[i * n + j] = 0;
      for (int k = 0; k < n; k++) sum[i * n + j] += a[i * n + k] * b[k * n + j];
    }
  }
  memcpy(to, sum, (size_t)(n * n) * sizeof *to);
}

/* exp(M), by Taylor's series of M/1024, squared ten times. */
static void exponential(int n, const double *M, double *to)
{
  double term[16 * 16] = {0}, small[16 * 16];

  memset(to, 0, (size_t)(n * n) * sizeof *to);
  for (int i = 0; i < n; i++) to[i * n + i] = term[i * n + i] = 1;
  for (int i = 0; i < n * n; i++) small[i] = M[i] / 1024;
  for (int k = 1; k < 12; k++) {
    multiply(n, term, small, term);
    for (int i = 0; i < n * n; i++) to[i] += term[i] /= k;
  }
  for (int k = 0; k < 10; k++) multiply(n, to, to, to);
}

/*
  Mean and covariance after time t: exp([[-A, Q], [0, A']] t) = [[., G], [0, F']] gives F and F G (Van Loan,
  IEEE Trans. Autom. Control 23, 395); the drift's constant part by one more row.
*/
static void evolve(
  const double A[D * D], const double b[D], const double Q[D], double t, double m[D], double S[D * D])
{
  double M[4 * D * D] = {0}, E[4 * D * D], N[(D + 1) * (D + 1)] = {0}, F[(D + 1) * (D + 1)];
  double was[D], step[D * D], noise[D * D], back[D * D];

  for (int i = 0; i < D; i++) {
    for (int j = 0; j < D; j++) {
      M[i * 2 * D + j]           = -A[i * D + j] * t;
      M[(D + i) * 2 * D + D + j] = A[j * D + i] * t;
      N[i * (D + 1) + j]         = A[i * D + j] * t;
    }
    M[i * 2 * D + D + i] = Q[i] * t;
    N[i * (D + 1) + D]   = b[i] * t;
    was[i]               = m[i];
  }
  exponential(2 * D, M, E);
  exponential(D + 1, N, F);
  for (int i = 0; i < D; i++) {
    m[i] = F[i * (D + 1) + D];
    for (int j = 0; j < D; j++) {
      m[i] += F[i * (D + 1) + j] * was[j];
      step[i * D + j]  = F[i * (D + 1) + j];
      back[j * D + i]  = F[i * (D + 1) + j];
      noise[i * D + j] = E[i * 2 * D + D + j];
    }
  }
  multiply(D, step, noise, noise);
  multiply(D, step, S, S);
  multiply(D, S, back, S);
  for (int i = 0; i < D * D; i++) S[i] += noise[i];
}

static const char four_axes[] =
  "system:\n"
  "  name: linear\n"
  "  matrix: [[-1, 0.5, 0, 0.2], [-0.5, -2, 0.3, 0], [0, 0.4, -0.7, -1.1], [0.6, 0, 1.2, -0.9]]\n"
  "  modulated: [0.3, -0.2, 0, 0.1]\n"
  "  offset: [1, 0, -0.5, 0.25]\n"
  "  noise: [1, 0.5, 2, 0.1]\n"
  "  parameters: {kT: 0.8, mobility: 1.5, modulation: 1, strength: 1}\n"
  "drive: [{parameter: shift, waveform: square, amplitude: 2, period: 0.6}]\n"
  "initial: {density: gaussian, mean: [1, -1, 0.5, 0], sd: [0.3, 0.4, 0.5, 0.2]}\n"
  "truth: {kind: gaussian}\n";

/* The same by matrix exponentials, from jump to jump. */
static void four_axes_at(double t, double m[D], double S[D * D])
{
  static const double rows[D * D] = {-0.7, 0.5, 0, 0.2, -0.5, -2.2, 0.3, 0, 0, 0.4, -0.7, -1.1, 0.6, 0, 1.2,
    -0.8},
                               offset[D] = {1, 0, -0.5, 0.25}, noise[D] = {1, 0.5, 2, 0.1},
                               mean[D] = {1, -1, 0.5, 0}, sd[D] = {0.3, 0.4, 0.5, 0.2};
  double A[D * D], b[D], Q[D];

  memset(S, 0, D * D * sizeof *S);
  for (int i = 0; i < D; i++) {
    m[i]         = mean[i];
    S[i * D + i] = sd[i] * sd[i];
    Q[i]         = 2 * 1.5 * 0.8 * noise[i];
  }
  for (int i = 0; i < D * D; i++) A[i] = 1.5 * rows[i];
  for (int half = 0; half * 0.3 < t - 1e-9; half++) {
    for (int i = 0; i < D; i++) b[i] = 1.5 * offset[i] * (1 + (half % 2 ? -2 : 2));
    evolve(A, b, Q, PetscMin(0.3, t - half * 0.3), m, S);
  }
}

static double reference(double t, const double x[D])
{
  double m[D], S[D * D], r[D];

  four_axes_at(t, m, S);
  for (int i = 0; i < D; i++) r[i] = x[i] - m[i];
  return log_normal(D, S, r);
}

static void a_square_wave_against_matrix_exponentials(void **state)
{
  static const double times[] = {0.1, 0.3, 0.75, 1.5}, points[][D] = {{0, 0, 0, 0}, {2, -1, 1, 0.5}};
  joint_subject       s = make_joint(four_axes);

  (void)state;
  for (int k = 0; k < 4; k++) {
    assert_ok(fare_joint_advance(s.joint, times[k]));
    for (int i = 0; i < 2; i++) {
      const double wanted = reference(times[k], points[i]);

      assert_near(log_density_at(s.joint, 0, points[i]), wanted, 1e-8 * (1 + fabs(wanted)));
      score_is_the_gradient(s.joint, points[i], 1e-6);
    }
    assert_between(s.joint->status.error, 1e-16, 1e-6);
  }
  drop_joint(&s);
}

/* A loose tolerance: the estimate covers what is wrong, and is not much more. */
static void the_error_is_estimated(void **state)
{
  char          yaml[1024];
  joint_subject s;
  double        worst = 0;

  (void)state;
  snprintf(yaml, sizeof yaml, "%.*s, tolerance: 1e-6}\n", (int)sizeof four_axes - 3, four_axes);
  s = make_joint(yaml);
  assert_ok(fare_joint_advance(s.joint, 1.5));
  for (int i = 0; i < 50; i++) {
    const double x[D] = {sin(i), cos(1.7 * i), sin(2.3 * i), cos(i)};

    worst = PetscMax(worst, fabs(log_density_at(s.joint, 0, x) - reference(1.5, x)));
  }
  assert_between(worst, 1e-12, 1e-3);
  assert_between(s.joint->status.error, 0.1 * worst, 1e4 * worst);
  drop_joint(&s);
}

/* rotational_ou of the library: at rest 2-D, the mean on a spiral, in closed form. */
static void a_swirl_of_the_library(void **state)
{
  joint_subject s = make_joint("system: {name: rotational_ou}\n"
                               "initial: {density: gaussian, mean: [1.5, 0], sd: [0.7, 0.7]}\n"
                               "truth: {kind: gaussian}\n");

  (void)state;
  for (double t = 0; t < 3; t += 0.5) {
    const double x[] = {0.3, -0.4}, m[] = {1.5 * exp(-t) * cos(t), 1.5 * exp(-t) * sin(t)},
                 v = 1 - 0.51 * exp(-2 * t), r2 = pow(x[0] - m[0], 2) + pow(x[1] - m[1], 2),
                 m2 = m[0] * m[0] + m[1] * m[1];

    assert_ok(fare_joint_advance(s.joint, t));
    assert_near(log_density_at(s.joint, 0, x), -log(2 * M_PI * v) - r2 / (2 * v), 1e-9);
    assert_near(s.joint->status.entropy, 1 + log(2 * M_PI * v), 1e-9);
    assert_near(s.joint->status.equilibrium, v - 1 - log(v) + m2 / 2, 1e-9); /* Boltzmann is N(0, 1) */
  }
  drop_joint(&s);
}

/* Entropy and divergence are no farther off than they say, with few time steps. */
static void errors_of_entropy(void **state)
{
  joint_subject s = make_joint("system: {name: rotational_ou}\n"
                               "initial: {density: gaussian, mean: [1.5, 0], sd: [0.2, 0.2]}\n"
                               "truth: {kind: gaussian, tolerance: 1e-5}\n");

  (void)state;
  for (double t = 0.5; t < 3; t += 0.5) {
    const double v = 1 - 0.96 * exp(-2 * t), m2 = 2.25 * exp(-2 * t);

    assert_ok(fare_joint_advance(s.joint, t));
    assert_near(s.joint->status.entropy, 1 + log(2 * M_PI * v), s.joint->status.entropy_error);
    assert_near(s.joint->status.equilibrium, v - 1 - log(v) + m2 / 2, s.joint->status.equilibrium_error);
    assert_between(s.joint->status.entropy_error, 1e-15, 1e-3);
  }
  drop_joint(&s);
}

static void what_grows_without_bound_is_refused(void **state)
{
  joint_subject s = make_joint("system: {name: linear, matrix: [200, -1]}\n"
                               "initial: {density: gaussian, mean: [1, 1], sd: [1, 1]}\n"
                               "truth: {kind: gaussian}\n");

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.1));
  assert_int_equal(fare_joint_advance(s.joint, 5), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "the system is unstable"));
  drop_joint(&s);
}

/* A ring of springs ends in the Boltzmann density, and covariances in Lyapunov's equation. */
static void at_rest_it_is_boltzmanns(void **state)
{
  joint_subject s =
    make_joint("system: {name: linear, matrix: [[-2, 1, 0], [1, -3, 1], [0, 1, -2]], offset: [1, 0, 2],\n"
               "  parameters: {kT: 0.5}}\n"
               "initial: {density: point, mean: [0, 0, 0]}\n"
               "truth: {kind: gaussian}\n");
  const double x[3] = {0.1, 0.9, -0.3}, C[9] = {5, 2, 1, 2, 4, 2, 1, 2, 5}, /* (-A)^-1 times 8 */
    mean[3] = {7. / 8, 6. / 8, 11. / 8};
  double S[9], r[3];

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 40));
  for (int i = 0; i < 9; i++) S[i] = 0.5 * C[i] / 8;
  for (int i = 0; i < 3; i++) r[i] = x[i] - mean[i];
  assert_near(log_density_at(s.joint, 0, x), log_normal(3, S, r), 1e-8);
  assert_near(s.joint->status.equilibrium, 0, 1e-8);
  drop_joint(&s);
  /* begun there, it stays there */
  s = make_joint("system: {name: linear, matrix: [-2, -0.5]}\ninitial: {density: boltzmann}\n"
                 "truth: {kind: gaussian}\n");
  assert_near(log_density_at(s.joint, 0, x), log(1 / (2 * M_PI)) - x[0] * x[0] - 0.25 * x[1] * x[1], 1e-10);
  drop_joint(&s);
}

/* Draws, particles by the system's own drift, and Rosenblatt's transform of both. */
#define BLOCKS 60
#define COUNT  (BLOCKS * FARE_BLOCK)

static void moments_of(double *const x[], double m[D], double S[D * D])
{
  for (int i = 0; i < D; i++) {
    m[i] = 0;
    for (int k = 0; k < COUNT; k++) m[i] += x[i][k] / COUNT;
  }
  for (int i = 0; i < D; i++) {
    for (int j = 0; j < D; j++) {
      S[i * D + j] = 0;
      for (int k = 0; k < COUNT; k++) S[i * D + j] += (x[i][k] - m[i]) * (x[j][k] - m[j]) / COUNT;
    }
  }
}

static void have_these_moments(double *const x[], const double m[D], const double S[D * D], double slack)
{
  double of[D], co[D * D];

  moments_of(x, of, co);
  for (int i = 0; i < D; i++) {
    assert_near(of[i], m[i], 4.5 * sqrt(S[i * D + i] / COUNT) + slack);
    for (int j = 0; j < D; j++) {
      const double sigma = sqrt((S[i * D + i] * S[j * D + j] + S[i * D + j] * S[i * D + j]) / COUNT);

      assert_near(co[i * D + j], S[i * D + j], 4.5 * sigma + slack);
    }
  }
}

/* Even on [0,1]^D: means 1/2, variances 1/12, no correlations. */
static void is_even(fare_joint *joint, double *const x[], double slack)
{
  static double u[D][COUNT];
  double *const to[D]          = {u[0], u[1], u[2], u[3]};
  const double  half[D]        = {0.5, 0.5, 0.5, 0.5};
  double        twelfth[D * D] = {0};

  for (int i = 0; i < D; i++) twelfth[i * D + i] = 1. / 12;
  assert_ok(joint->type->rosenblatt(joint, COUNT, (const double *const *)x, to));
  have_these_moments(to, half, twelfth, slack);
}

static void draws_and_particles(void **state)
{
  static double     x[D][COUNT], z[FARE_BLOCK], f[D][FARE_BLOCK], noise[D][FARE_BLOCK];
  const double      dt     = 2.5e-3;
  const fare_stream stream = fare_stream_make(5, "test");
  double *const     to[D]  = {x[0], x[1], x[2], x[3]};
  double            m[D], S[D * D];
  joint_subject     s = make_joint(four_axes);

  (void)state;
  for (uint64_t b = 0; b < BLOCKS; b++) { /* begins at the start */
    double *const at[D] = {
      x[0] + b * FARE_BLOCK, x[1] + b * FARE_BLOCK, x[2] + b * FARE_BLOCK, x[3] + b * FARE_BLOCK};
    double *const        force[D]  = {f[0], f[1], f[2], f[3]},
                  *const spread[D] = {noise[0], noise[1], noise[2], noise[3]};

    assert_ok(s.joint->type->draw(s.joint, stream, b, at));
    for (uint64_t step = 0; step * dt < 0.5 - 1e-9; step++) {
      fare_system_drift(s.system, (double)step * dt + 0.5 * dt, FARE_BLOCK, (const double *const *)at, force);
      fare_system_diffusion(s.system, (double)step * dt, FARE_BLOCK, (const double *const *)at, spread);
      for (uint32_t axis = 0; axis < D; axis++) {
        fare_random_normals(stream, b, step + 10, axis, z);
        for (int i = 0; i < FARE_BLOCK; i++)
          at[axis][i] += f[axis][i] * dt + sqrt(2 * noise[axis][i] * dt) * z[i];
      }
    }
  }
  assert_ok(fare_joint_advance(s.joint, 0.5));
  four_axes_at(0.5, m, S);
  have_these_moments(to, m, S, 0.01); /* the integrator's own error */
  is_even(s.joint, to, 0.01);
  for (uint64_t b = 0; b < BLOCKS; b++) {
    double *const at[D] = {
      x[0] + b * FARE_BLOCK, x[1] + b * FARE_BLOCK, x[2] + b * FARE_BLOCK, x[3] + b * FARE_BLOCK};

    assert_ok(s.joint->type->draw(s.joint, stream, b, at));
  }
  have_these_moments(to, m, S, 0);
  is_even(s.joint, to, 0);
  drop_joint(&s);
}

/* Mass, mean and covariance of marginals, and their density against the reference's. */
static void marginals_of_one_and_two_axes(void **state)
{
  const int     axis[] = {2, 0};
  double        m[D], S[D * D];
  joint_subject s = make_joint(four_axes);

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.5));
  four_axes_at(0.5, m, S);
  for (int axes = 1; axes <= 2; axes++) {
    fare_grid         *grid;
    Vec                masses;
    const PetscScalar *mass;
    double             sum = 0, first[2] = {0}, second[3] = {0}, worst = 0;

    assert_ok(s.joint->type->marginal(s.joint, 0, axes, axis, &grid, &masses));
    assert_int_equal(grid->dim, axes);
    assert_ok(VecGetArrayRead(masses, &mass));
    for (PetscInt j = 0, at = 0; j < grid->cells[1]; j++) {
      for (PetscInt i = 0; i < grid->cells[0]; i++, at++) {
        const double r[2] = {
          fare_grid_centre(grid, 0, i) - m[2], axes > 1 ? fare_grid_centre(grid, 1, j) - m[0] : 0};
        double       co[]  = {S[2 * D + 2], S[2 * D], S[2 * D], S[0]};
        const double value = exp(log_normal(axes, co, r)) * fare_grid_volume(grid);

        sum += mass[at];
        for (int a = 0; a < axes; a++) first[a] += r[a] * mass[at];
        second[0] += r[0] * r[0] * mass[at];
        second[1] += r[0] * r[1] * mass[at];
        second[2] += r[1] * r[1] * mass[at];
        worst = PetscMax(worst, fabs(value - mass[at]) / fare_grid_volume(grid));
      }
    }
    assert_ok(VecRestoreArrayRead(masses, &mass));
    assert_near(sum, 1, 1e-12);
    for (int a = 0; a < axes; a++) assert_near(first[a], 0, 1e-6);
    assert_near(second[0], S[2 * D + 2] + pow(grid->spacing[0], 2) / 12, 1e-6); /* Sheppard's correction */
    if (axes > 1) assert_near(second[1], S[2 * D], 1e-6);
    if (axes > 1) assert_near(second[2], S[0] + pow(grid->spacing[1], 2) / 12, 1e-6);
    assert_between(worst, 0, axes > 1 ? 3e-3 : 3e-4);
    assert_ok(VecDestroy(&masses));
    assert_ok(fare_grid_destroy(&grid));
  }
  drop_joint(&s);
}

/* Two Gaussians in one trap stay two: closed form along each axis. */
static void a_mixture_stays_one(void **state)
{
  joint_subject       s   = make_joint("system: {name: linear, matrix: [-1, -2]}\n"
                                               "initial: {density: mixture, weights: [1, 3], mean: [-2, 0, 2, 1],\n"
                                               "  sd: [0.3, 0.4, 0.5, 0.2]}\n"
                                               "truth: {kind: gaussian}\n");
  static const double w[] = {0.25, 0.75}, mean[][2] = {{-2, 0}, {2, 1}}, sd[][2] = {{0.3, 0.4}, {0.5, 0.2}};
  const double        t = 0.4, x[] = {0.2, 0.5};
  double p = 0, u[2], *const to[] = {&u[0], &u[1]}, cdf = 0, given[2] = {0};
  const double *const at[] = {&x[0], &x[1]};

  (void)state;
  assert_ok(fare_joint_advance(s.joint, t));
  for (int c = 0; c < 2; c++) {
    double n[2], y[2];

    for (int a = 0; a < 2; a++) {
      const double k = a + 1, v = 1 / k + (sd[c][a] * sd[c][a] - 1 / k) * exp(-2 * k * t);

      y[a] = (x[a] - mean[c][a] * exp(-k * t)) / sqrt(v);
      n[a] = exp(-0.5 * y[a] * y[a]) / sqrt(2 * M_PI * v);
    }
    p += w[c] * n[0] * n[1];
    cdf += w[c] * 0.5 * erfc(-y[0] / sqrt(2));
    given[0] += w[c] * n[0] * 0.5 * erfc(-y[1] / sqrt(2));
    given[1] += w[c] * n[0];
  }
  assert_near(log_density_at(s.joint, 0, x), log(p), 1e-9);
  assert_ok(s.joint->type->rosenblatt(s.joint, 1, at, to));
  assert_near(u[0], cdf, 1e-9);
  assert_near(u[1], given[0] / given[1], 1e-9);
  score_is_the_gradient(s.joint, x, 1e-7);
  assert_between(s.joint->status.entropy_error, 1e-4, 2e-2);
  drop_joint(&s);
}

static void others_are_refused(void **state)
{
  (void)state;
  refuses_joint("system: {name: double_well}\ninitial: {density: gaussian, mean: [0], sd: [1]}\n"
                "truth: {kind: gaussian}\n",
    "is not linear in x");
  refuses_joint("system: {name: geometric_brownian}\ninitial: {density: gaussian, mean: [1], sd: [0.1]}\n"
                "truth: {kind: gaussian}\n",
    "depends on x");
  refuses_joint(
    "system: {name: linear, matrix: [-1]}\ninitial: {density: uniform}\ntruth: {kind: gaussian}\n",
    "plan.yaml:3:8: truth: kind: gaussian needs an initial density");
  refuses_joint(
    "system: {name: linear, matrix: [1]}\ninitial: {density: boltzmann}\ntruth: {kind: gaussian}\n",
    "no minimum");
  refuses_joint("system: {name: linear, matrix: [[1, 2], [3]]}\ninitial: {density: gaussian, mean: [1, 1], "
                "sd: [1, 1]}\ntruth: {kind: gaussian}\n",
    "plan.yaml:1:41: system.matrix[1]: expected a row of 2 numbers");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_square_wave_against_matrix_exponentials),
  cmocka_unit_test(the_error_is_estimated),
  cmocka_unit_test(a_swirl_of_the_library),
  cmocka_unit_test(errors_of_entropy),
  cmocka_unit_test(what_grows_without_bound_is_refused),
  cmocka_unit_test(at_rest_it_is_boltzmanns),
  cmocka_unit_test(draws_and_particles),
  cmocka_unit_test(marginals_of_one_and_two_axes),
  cmocka_unit_test(a_mixture_stays_one),
  cmocka_unit_test(others_are_refused),
};
FARE_TEST_MAIN(tests)
