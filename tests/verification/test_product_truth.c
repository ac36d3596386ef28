/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Densities of products against closed forms and quadrature: Boltzmann densities and Gaussians, rotated or
  not, their scores, draws, marginals and conditionals.
*/
#include "joints.h"

#include <petscdm.h>
#include <stdlib.h>

#define DRAWS 20 /* blocks of particles */
#define N     (DRAWS * FARE_BLOCK)

/* Of ManyWell, by the trapezoidal rule, which converges faster than any power here. */
static double well(double u)
{
  return u * u * (u * u - 6) - 0.5 * u;
}

static double well_integral(double from, double to)
{
  double sum = 0;

  for (int i = 0; i <= 20000; i++) {
    const double u = from + (to - from) * i / 20000;

    sum += (i % 20000 ? 1 : 0.5) * exp(-well(u)) * (to - from) / 20000;
  }
  return sum;
}

/* ManyWell-32 as it is published: ln p is -V less ln Z = 164.6956753, the score is the force. */
static void many_well_has_its_partition_function(void **state)
{
  static const char yaml[] =
    "system: {name: product, blocks: [{unit: {name: many_well}, copies: 16}, {unit: {name: "
    "ornstein_uhlenbeck}, copies: 16}], rotation: haar, rotation_seed: 3}\n"
    "initial: {density: boltzmann}\n"
    "truth: {kind: product, cells: [256, 128]}\n";
  const double  log_Z = 16 * log(well_integral(-5, 5)) + 8 * log(2 * M_PI);
  joint_subject s;
  double       *x[32], *f[32], *score[32], V[N], log_p[N], sum = 0;

  (void)state;
  assert_near(log_Z, 164.6956753, 1e-6);
  assert_near(well_integral(0, 5) / well_integral(-5, 5), 0.844307, 1e-6);
  s = make_joint(yaml);
  draw_joint(s.joint, "wells", DRAWS, x);
  assert_ok(PetscMalloc2(32 * N, &f[0], 32 * N, &score[0]));
  for (int a = 1; a < 32; a++) {
    f[a]     = f[0] + a * N;
    score[a] = score[0] + a * N;
  }
  fare_system_potential(s.system, 0, N, (const double *const *)x, V);
  fare_system_force(s.system, 0, N, (const double *const *)x, f);
  assert_ok(s.joint->type->log_density(s.joint, 0, N, (const double *const *)x, log_p));
  assert_ok(s.joint->type->score(s.joint, N, (const double *const *)x, score));
  for (int i = 0; i < N; i++) {
    assert_near(log_p[i], -V[i] - log_Z, 5e-3);
    sum += log_p[i] + V[i] + log_Z;
  }
  assert_near(sum / N, 0, 2e-4);
  for (int a = 0; a < 32 * N; a++) assert_near(score[0][a], f[0][a], 0.02 * (1 + fabs(f[0][a])));
  /* E V = -ln Z + H, exactly */
  assert_near(s.joint->status.equilibrium, 0, 1e-4);
  sum = 0;
  for (int i = 0; i < N; i++) sum += -log_p[i] / N;
  assert_near(s.joint->status.entropy, sum, 4 * 4 / sqrt(N)); /* ln p has variance 16 */
  assert_ok(PetscFree2(f[0], score[0]));
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
}

/* The slowest rate of ManyWell, 8.6122e-4, by how the right wells fill. */
static void wells_relax_at_their_rate(void **state)
{
  static const char yaml[]      = "system: {name: product, copies: 2, unit: {name: many_well}}\n"
                                  "initial: {density: gaussian, mean: [-1.7, 1.7], sd: [0.2, 0.2]}\n"
                                  "truth: {kind: product, cells: 256, estimate: false}\n";
  double            right[2][2] = {{0}};
  joint_subject     s;

  (void)state;
  s = make_joint(yaml);
  for (int k = 0; k < 2; k++) {
    assert_ok(fare_joint_advance(s.joint, 3 + 200. * k));
    for (int axis = 0; axis < 2; axis++) {
      fare_grid         *grid;
      Vec                masses;
      const PetscScalar *m;

      assert_ok(s.joint->type->marginal(s.joint, 0, 1, &axis, &grid, &masses));
      assert_ok(VecGetArrayRead(masses, &m));
      for (int i = 128; i < 256; i++) right[k][axis] += m[i];
      assert_ok(VecRestoreArrayRead(masses, &m));
      assert_ok(VecDestroy(&masses));
      assert_ok(fare_grid_destroy(&grid));
    }
  }
  for (int axis = 0; axis < 2; axis++)
    assert_near(log((right[0][axis] - 0.844307) / (right[1][axis] - 0.844307)) / 200, 8.6122e-4, 5e-7);
  drop_joint(&s);
}

/* Traps that move, x' = k (c(t) - x) + noise, in a frame: a Gaussian whose mean and variance are known. */
#define TRAPS 4
static const char traps[] =
  "system: {name: product, copies: 4, unit: {name: ornstein_uhlenbeck, parameters: {stiffness: 2, kT: "
  "0.5}}, rotation: %s, rotation_seed: 9}\n"
  "drive: [{parameter: centre, waveform: sine, amplitude: 1.2, period: 2}]\n"
  "initial: {density: gaussian, mean: [0.3, -0.4, 0.1, 0.6], sd: [0.4, 0.4, 0.4, 0.4]}\n"
  "truth: {kind: product, cells: 96, lower: [-4], upper: [4]}\n";

/* Mean of x and variance of each axis at time t. */
static double trap_moments(const fare_product *product, double t, double mean[TRAPS])
{
  const double k = 2, w = M_PI, decay = exp(-k * t),
               pushed       = 1.2 * k * (k * sin(w * t) - w * cos(w * t) + w * decay) / (k * k + w * w);
  const double start[TRAPS] = {0.3, -0.4, 0.1, 0.6};

  for (int a = 0; a < TRAPS; a++) {
    mean[a] = start[a] * decay;
    for (int b = 0; b < TRAPS; b++)
      mean[a] += (fare_product_row(product, a)            ? fare_product_row(product, a)[b]
                     : fare_product_axis(product, b) == a ? 1
                                                          : 0) *
        pushed;
  }
  return 0.25 + (0.16 - 0.25) * decay * decay;
}

static double normal(double x)
{
  return 0.5 * erfc(-x / sqrt(2));
}

/* Marginals of one axis and of two, which are independent here, against error functions. */
static void check_marginals(joint_subject *s, const double mean[], double variance)
{
  for (int axes = 1; axes <= 2; axes++) {
    const int          axis[] = {2, 1};
    fare_grid         *grid;
    Vec                masses;
    const PetscScalar *m;
    double             distance = 0, sum = 0;

    assert_ok(s->joint->type->marginal(s->joint, 0, axes, axis, &grid, &masses));
    assert_int_equal(grid->dim, axes);
    assert_ok(VecGetArrayRead(masses, &m));
    for (PetscInt n = 0; n < grid->cells[0] * grid->cells[1]; n++) {
      double mass = 1;

      for (int k = 0; k < axes; k++) {
        const double at =
          fare_grid_centre(grid, k, k ? n / grid->cells[0] : n % grid->cells[0]) - mean[axis[k]];

        mass *= normal((at + 0.5 * grid->spacing[k]) / sqrt(variance)) -
          normal((at - 0.5 * grid->spacing[k]) / sqrt(variance));
      }
      distance += fabs(m[n] - mass);
      sum += m[n];
    }
    assert_near(sum, 1, 1e-12);
    assert_near(distance, 0, s->joint->status.error + 1e-6);
    assert_ok(VecRestoreArrayRead(masses, &m));
    assert_ok(VecDestroy(&masses));
    assert_ok(fare_grid_destroy(&grid));
  }
}

static void check_traps(const char *rotation)
{
  char          text[1024];
  joint_subject s;

  snprintf(text, sizeof text, traps, rotation);
  s = make_joint(text);
  for (double t = 0; t < 1; t += 0.35) {
    double *x[TRAPS], mean[TRAPS], log_p[2][N], wrong[2] = {0, 0}, moment[TRAPS] = {0};
    double  variance;

    assert_ok(fare_joint_advance(s.joint, t));
    variance = trap_moments(fare_product_of(s.system), t, mean);
    draw_joint(s.joint, "traps", DRAWS, x);
    for (int v = 0; v < 2; v++)
      assert_ok(s.joint->type->log_density(s.joint, v, N, (const double *const *)x, log_p[v]));
    for (int i = 0; i < N; i++) {
      double exact = -0.5 * TRAPS * log(2 * M_PI * variance);

      for (int a = 0; a < TRAPS; a++) {
        exact -= 0.5 * pow(x[a][i] - mean[a], 2) / variance;
        moment[a] += x[a][i] / N;
      }
      for (int v = 0; v < 2; v++) wrong[v] += fabs(log_p[v][i] - exact) / N;
    }
    /* E|ln p - ln p_exact| is the L1 distance, to first order */
    assert_between(wrong[0], 0, 1.1 * s.joint->status.error + 1e-7);
    assert_true(t < 0.1 || wrong[1] < 0.5 * wrong[0]);
    for (int a = 0; a < TRAPS; a++) assert_near(moment[a], mean[a], 4 * sqrt(variance / N) + 1e-3);
    assert_near(s.joint->status.entropy, 0.5 * TRAPS * log(2 * M_PI * exp(1) * variance),
      2 * s.joint->status.entropy_error + 1e-5);
    check_marginals(&s, mean, variance);
    assert_ok(PetscFree(x[0]));
  }
  drop_joint(&s);
}

static void traps_are_gaussians(void **state)
{
  (void)state;
  check_traps("none");
  check_traps("permutation");
  check_traps("haar");
}

/* Two wells turned by an angle: a marginal by convolution, with quadrature. */
static void rotated_marginals_are_convolutions(void **state)
{
  static const char  yaml[] = "system: {name: product, copies: 2, unit: {name: many_well}, rotation: matrix, "
                              "matrix: [0.8, -0.6, 0.6, 0.8]}\n"
                              "initial: {density: boltzmann}\n"
                              "truth: {kind: product, cells: 192, estimate: false}\n";
  const double       Z      = well_integral(-5, 5);
  const int          axis = 0, both[] = {0, 1};
  double             worst = 0;
  joint_subject      s;
  fare_grid         *grid;
  Vec                masses;
  const PetscScalar *m;

  (void)state;
  s = make_joint(yaml);
  assert_ok(s.joint->type->marginal(s.joint, 0, 1, &axis, &grid, &masses));
  assert_ok(VecGetArrayRead(masses, &m));
  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    double sum = 0;

    for (int q = 0; q < 3; q++) { /* Simpson over the cell */
      const double x = fare_grid_centre(grid, 0, i) + (q - 1) * 0.5 * grid->spacing[0];

      for (int k = -400; k <= 400; k++) {
        const double u = 0.0125 * k; /* x = 0.8 u - 0.6 v */

        sum +=
          (q == 1 ? 4 : 1) / 6. * grid->spacing[0] * 0.0125 * exp(-well(u) - well((0.8 * u - x) / 0.6)) / 0.6;
      }
    }
    worst = PetscMax(worst, fabs(m[i] / grid->spacing[0] - sum / (Z * Z) / grid->spacing[0]));
  }
  assert_near(worst, 0, 1e-5);
  assert_ok(VecRestoreArrayRead(masses, &m));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(s.joint->type->marginal(s.joint, 0, 2, both, &grid, &masses));
  assert_ok(VecGetArrayRead(masses, &m));
  for (PetscInt n = 0; n < grid->cells[0] * grid->cells[1]; n++) {
    const double x = fare_grid_centre(grid, 0, n % grid->cells[0]),
                 y = fare_grid_centre(grid, 1, n / grid->cells[0]);
    const double p = exp(-well(0.8 * x + 0.6 * y) - well(0.8 * y - 0.6 * x)) / (Z * Z);

    /* the average over a cell less the middle, whose size its second derivatives say */
    assert_near(m[n] / (grid->spacing[0] * grid->spacing[1]), p, 0.06);
    worst = PetscMax(worst, p);
  }
  assert_true(worst > 1);
  assert_ok(VecRestoreArrayRead(masses, &m));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_grid_destroy(&grid));
  drop_joint(&s);
}

static int compare(const void *a, const void *b)
{
  return *(const double *)a < *(const double *)b ? -1 : 1;
}

/* Draws turn into even, independent numbers, also where axes of a block stand in another order. */
static void conditionals_make_draws_even(void **state)
{
  static const char yaml[] =
    "system: {name: product, copies: 3, unit: {name: mueller_brown, parameters: {scale: 0.05}}, rotation: "
    "permutation, rotation_seed: 4}\n"
    "initial: {density: boltzmann}\n"
    "truth: {kind: product, cells: [64, 64], estimate: false}\n";
  double       *x[6], *u[6], correlation = 0;
  joint_subject s;

  (void)state;
  s = make_joint(yaml);
  draw_joint(s.joint, "conditionals", DRAWS, x);
  assert_ok(PetscMalloc1(6 * N, &u[0]));
  for (int a = 1; a < 6; a++) u[a] = u[0] + a * N;
  assert_ok(s.joint->type->rosenblatt(s.joint, N, (const double *const *)x, u));
  for (int a = 0; a < 6; a++) {
    for (int b = 0; b < a; b++) {
      double product = 0, plain = 0, mean[2] = {0, 0}, square[2] = {0, 0};

      for (int i = 0; i < N; i++) {
        product += (u[a][i] - 0.5) * (u[b][i] - 0.5) * 12 / N;
        mean[0] += x[a][i] / N;
        mean[1] += x[b][i] / N;
      }
      for (int i = 0; i < N; i++) {
        plain += (x[a][i] - mean[0]) * (x[b][i] - mean[1]) / N;
        square[0] += pow(x[a][i] - mean[0], 2) / N;
        square[1] += pow(x[b][i] - mean[1], 2) / N;
      }
      assert_near(product, 0, 4 / sqrt(N));
      correlation = PetscMax(correlation, fabs(plain) / sqrt(square[0] * square[1]));
    }
  }
  assert_between(correlation, 0.5, 1); /* there was something to take away */
  for (int a = 0; a < 6; a++) {
    double farthest = 0;

    qsort(u[a], N, sizeof *u[a], compare);
    for (int i = 0; i < N; i++) farthest = PetscMax(farthest, fabs(u[a][i] - (i + 0.5) / N));
    assert_near(farthest, 0, 2.0 / sqrt(N)); /* Kolmogorov: once in 1500 */
  }
  assert_ok(PetscFree(u[0]));
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
}

/* ln p of draws is what quadrature says of it: draws and density are of the same blocks. */
static void draws_have_the_density(void **state)
{
  static const char yaml[] = "system: {name: product, copies: 8, unit: {name: prinz}, rotation: haar}\n"
                             "drive: [{parameter: tilt, waveform: sine, amplitude: 4, period: 1}]\n"
                             "initial: {density: boltzmann}\n"
                             "truth: {kind: product, cells: 256}\n";
  double           *x[8], log_p[N], mean = 0, square = 0;
  joint_subject     s;

  (void)state;
  s = make_joint(yaml);
  assert_ok(fare_joint_advance(s.joint, 0.3));
  draw_joint(s.joint, "density", DRAWS, x);
  assert_ok(s.joint->type->log_density(s.joint, 0, N, (const double *const *)x, log_p));
  for (int i = 0; i < N; i++) mean += log_p[i] / N;
  for (int i = 0; i < N; i++) square += pow(log_p[i] - mean, 2) / N;
  assert_near(mean, -s.joint->status.entropy, 4 * sqrt(square / N));
  assert_true(s.joint->status.equilibrium > 1);
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
}

/* What is saved goes on to the same bits. */
static void checkpoints_go_on(void **state)
{
  char          text[1024], path[] = "product_truth.h5";
  joint_subject s, again;
  fare_store   *store;
  double       *x[TRAPS], log_p[2][FARE_BLOCK];

  (void)state;
  snprintf(text, sizeof text, traps, "haar");
  s = make_joint(text);
  assert_ok(fare_joint_advance(s.joint, 0.4));
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_joint_save(s.joint, store, "/truth"));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_joint_advance(s.joint, 0.7));
  again = make_joint(text);
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_joint_load(again.joint, store, "/truth"));
  assert_ok(fare_store_close(&store));
  assert_near(again.joint->status.time, 0.4, 0);
  assert_ok(fare_joint_advance(again.joint, 0.7));
  draw_joint(s.joint, "again", 1, x);
  assert_ok(s.joint->type->log_density(s.joint, 1, FARE_BLOCK, (const double *const *)x, log_p[0]));
  assert_ok(s.joint->type->log_density(again.joint, 1, FARE_BLOCK, (const double *const *)x, log_p[1]));
  assert_memory_equal(log_p[0], log_p[1], sizeof log_p[0]);
  assert_true(s.joint->status.error == again.joint->status.error);
  assert_ok(PetscFree(x[0]));
  drop_joint(&s);
  drop_joint(&again);
  remove(path);
}

static void what_cannot_be_is_refused(void **state)
{
#define TWO "system: {name: product, copies: 2, unit: {name: prinz}, rotation: haar}\n"
  (void)state;
  refuses_joint("system: {name: prinz}\ninitial: {density: boltzmann}\ntruth: {kind: product, cells: 64}\n",
    "system named product");
  refuses_joint(TWO
    "initial: {density: gaussian, mean: [0, 0], sd: [0.1, 0.2]}\ntruth: {kind: product, cells: 64}\n",
    "one sd for all axes");
  refuses_joint(TWO "initial: {density: uniform}\ntruth: {kind: product, cells: 64}\n", "box of the state");
  refuses_joint(TWO
    "initial: {density: mixture, weights: [1, 1], mean: [0, 0, 1, 1], sd: [1, 1, 1, 1]}\ntruth: {kind: "
    "product, cells: 64}\n",
    "no product of blocks");
  refuses_joint(
    TWO "initial: {density: boltzmann}\ntruth: {kind: product, cells: [64, 64]}\n", "not of each copy");
  refuses_joint(TWO "initial: {density: boltzmann}\ntruth: {kind: product, cells: 65}\n", "even numbers");
}

static void rotated_products_have_no_conditionals(void **state)
{
  joint_subject s = make_joint(TWO "initial: {density: boltzmann}\ntruth: {kind: product, cells: 64}\n");

  (void)state;
  assert_null(s.joint->type->rosenblatt);
  assert_non_null(strstr(s.joint->type->no_rosenblatt, "under a rotation"));
  drop_joint(&s);
}

/* ln p is the sum of the blocks', seen from them. */
static void blocks_add_up(void **state)
{
  joint_subject s    = make_joint(TWO "initial: {density: boltzmann}\ntruth: {kind: product, cells: 64}\n");
  const double  x[2] = {0.4, -0.7};
  double        y[2], part[2];

  (void)state;
  fare_product_to_blocks(
    fare_product_of(s.system), 1, (const double *const[]){&x[0], &x[1]}, (double *const[]){&y[0], &y[1]});
  for (int b = 0; b < 2; b++)
    assert_ok(fare_joint_block_log_density(s.joint, 0, b, 1, (const double *const[]){&y[b]}, &part[b]));
  assert_near(part[0] + part[1], log_density_at(s.joint, 0, x), 1e-12);
  drop_joint(&s);
}

/* A solver that leaves no mass in the tails: numbers of four times the cells, which have some everywhere. */
static void tails_without_mass(void **state)
{
  joint_subject s = make_joint("system: {name: product, copies: 1, unit: {name: double_well}}\n"
                               "drive: [{parameter: tilt, waveform: sine, amplitude: 1.0, period: 1.0}]\n"
                               "initial: {density: gaussian, mean: [-0.5], sd: [0.4]}\n"
                               "truth: {kind: product, cells: [128]}\n");

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.5));
  assert_true(s.joint->status.error < 2e-3);
  assert_near(s.joint->status.entropy, 1.07443, 2e-3);
  assert_near(s.joint->status.equilibrium, 0.0379214, 2e-3);
  drop_joint(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(many_well_has_its_partition_function),
  cmocka_unit_test(wells_relax_at_their_rate),
  cmocka_unit_test(traps_are_gaussians),
  cmocka_unit_test(rotated_marginals_are_convolutions),
  cmocka_unit_test(conditionals_make_draws_even),
  cmocka_unit_test(draws_have_the_density),
  cmocka_unit_test(checkpoints_go_on),
  cmocka_unit_test(what_cannot_be_is_refused),
  cmocka_unit_test(rotated_products_have_no_conditionals),
  cmocka_unit_test(blocks_add_up),
  cmocka_unit_test(tails_without_mass),
};
/* Of the ranks depend only densities that move, and their files. */
static const struct CMUnitTest parallel[] = {
  cmocka_unit_test(traps_are_gaussians),
  cmocka_unit_test(checkpoints_go_on),
};

int main(int argc, char **argv)
{
  const char *ranks = getenv("OMPI_COMM_WORLD_SIZE");

  return ranks && atoi(ranks) > 1 ? fare_test_run(argc, argv, parallel, PETSC_STATIC_ARRAY_LENGTH(parallel))
                                  : fare_test_run(argc, argv, tests, PETSC_STATIC_ARRAY_LENGTH(tests));
}
