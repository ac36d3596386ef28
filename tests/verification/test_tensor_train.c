/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  Chains by a tensor train: against all cells of three sites at once, against particles, against sums over
  states at rest; its draws, conditionals, marginals and score against its ln p; and what it refuses.
*/
#include "joints.h"

#include <stdio.h>
#include <stdlib.h>

#define KT       0.5
#define COUPLING 0.5
#define START    -1.0
#define WIDTH    0.35

/* Double wells with kT = 0.5 that a square wave tilts by 1.5, from -1 +- 0.35 at each site. */
static char *square_wave(int sites, int cells, int rank, double step)
{
  static char text[4096];
  int         at = snprintf(text, sizeof text,
            "system: {name: chain, sites: %d, unit: {name: double_well, parameters: {height: 1.0, kT: 0.5}},\n"
                    "  parameters: {coupling: 0.5}}\n"
                    "drive: [{parameter: tilt, waveform: square, amplitude: 1.5, period: 1.0}]\n"
                    "truth: {kind: tensor_train, cells: %d, rank: %d, step: %g, tolerance: 0.05, lower: -2.2, upper: "
                    "2.2}\n"
                    "initial: {density: gaussian, mean: [",
            sites, cells, rank, step);

  for (int k = 0; k < sites; k++) at += snprintf(text + at, sizeof text - (size_t)at, k ? ", -1" : "-1");
  at += snprintf(text + at, sizeof text - (size_t)at, "], sd: [");
  for (int k = 0; k < sites; k++) at += snprintf(text + at, sizeof text - (size_t)at, k ? ", 0.35" : "0.35");
  snprintf(text + at, sizeof text - (size_t)at, "]}\n");
  return text;
}

/* The mean along one axis, or of the product along two. */
static double moment(fare_joint *joint, int version, int axes, const int axis[])
{
  fare_grid         *grid;
  Vec                masses;
  const PetscScalar *p;
  double             sum = 0;

  assert_ok(joint->type->marginal(joint, version, axes, axis, &grid, &masses));
  assert_ok(VecGetArrayRead(masses, &p));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    double centre[FARE_DIM_MAX];

    fare_cell_centre(grid, n, centre);
    sum += p[n] * centre[0] * (axes > 1 ? centre[1] : 1);
  }
  assert_ok(VecRestoreArrayRead(masses, &p));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_grid_destroy(&grid));
  return sum;
}

#define CELLS 16
static double centre_of(int cells, int i)
{
  return -2.2 + 4.4 / cells * (i + 0.5);
}

static double centre(int i)
{
  return centre_of(CELLS, i);
}

static double energy(int cells, const int at[3], double tilt)
{
  double V = 0;

  for (int k = 0; k < 3; k++) {
    const double x = centre_of(cells, at[k]);

    V += (x * x - 1) * (x * x - 1) - tilt * x;
    if (k) V += 0.5 * COUPLING * pow(x - centre_of(cells, at[k - 1]), 2);
  }
  return V;
}

static double bernoulli(double w)
{
  return fabs(w) < 1e-9 ? 1 : w / expm1(w);
}

/* The rates of Scharfetter and Gummel, times `factor`, up[axis][cell] and down. */
static void rates_of_all(int cells, double tilt, double factor, double *up, double *down)
{
  const int all = cells * cells * cells;

  for (int n = 0; n < all; n++) {
    for (int k = 0; k < 3; k++) {
      int    at[] = {n / (cells * cells), n / cells % cells, n % cells};
      double w;

      if (at[k] + 1 == cells) continue;
      w = -energy(cells, at, tilt) / KT;
      at[k]++;
      w += energy(cells, at, tilt) / KT;
      up[k * all + n]   = factor * bernoulli(w);
      down[k * all + n] = factor * bernoulli(-w);
    }
  }
}

/* The density of all cells of three sites, by Heun's steps from the product of normals. */
static double *all_cells(int cells, double tilt, double span, int steps)
{
  const int all = cells * cells * cells, stride[] = {cells * cells, cells, 1};
  double   *up = calloc(3 * (size_t)all, sizeof *up), *down = calloc(3 * (size_t)all, sizeof *down),
         *p = calloc((size_t)all, sizeof *p), *flow[2], sum = 0;

  rates_of_all(cells, tilt, KT * pow(cells / 4.4, 2) * span / steps, up, down);
  for (int n = 0; n < all; n++) {
    const int at[] = {n / stride[0], n / cells % cells, n % cells};

    p[n] = 1;
    for (int k = 0; k < 3; k++) p[n] *= exp(-0.5 * pow((centre_of(cells, at[k]) - START) / WIDTH, 2));
    sum += p[n];
  }
  for (int n = 0; n < all; n++) p[n] /= sum * pow(4.4 / cells, 3);
  for (int i = 0; i < 2; i++) flow[i] = calloc((size_t)all, sizeof *flow[i]);
  for (int step = 0; step < steps; step++) {
    for (int i = 0; i < 2; i++) {
      const double *from = i ? flow[0] : p;

      memset(flow[i], 0, (size_t)all * sizeof *flow[i]);
      for (int k = 0; k < 3; k++) {
        for (int n = 0; n + stride[k] < all; n++) {
          const double f = up[k * all + n] * from[n] - down[k * all + n] * from[n + stride[k]];

          flow[i][n] -= f;
          flow[i][n + stride[k]] += f;
        }
      }
    }
    for (int n = 0; n < all; n++) p[n] += flow[0][n] + 0.5 * flow[1][n];
  }
  for (int i = 0; i < 2; i++) free(flow[i]);
  free(up);
  free(down);
  return p;
}

/* Extrapolated from cells and a third of them, whose centres meet. */
static void all_cells_of_three_sites(void **state)
{
  enum { FINE = 3 * CELLS, ALL = CELLS * CELLS * CELLS };
  joint_subject s = make_joint(square_wave(3, 24, 12, 0.05));
  double *fine = all_cells(FINE, 1.5, 0.25, 250), *coarse = all_cells(CELLS, 1.5, 0.25, 100), distance = 0;
  static double q[3][ALL], log_p[ALL];
  const double *x[] = {q[0], q[1], q[2]};

  (void)state;
  for (int n = 0; n < ALL; n++) {
    const int at[] = {n / (CELLS * CELLS), n / CELLS % CELLS, n % CELLS};

    for (int k = 0; k < 3; k++) q[k][n] = centre(at[k]);
  }
  assert_ok(fare_joint_advance(s.joint, 0.25));
  assert_ok(s.joint->type->log_density(s.joint, 0, ALL, x, log_p));
  for (int n = 0; n < ALL; n++) {
    const int    at[] = {n / (CELLS * CELLS), n / CELLS % CELLS, n % CELLS};
    const double f    = fine[((3 * at[0] + 1) * FINE + 3 * at[1] + 1) * FINE + 3 * at[2] + 1];

    distance += fabs(exp(log_p[n]) - f - (f - coarse[n]) / 8) * pow(4.4 / CELLS, 3);
  }
  print_message("L1 distance %.5f, error bar %.5f\n", distance, s.joint->status.error);
  assert_between(distance, 0, 0.007);
  assert_between(s.joint->status.error, distance, 0.03);
  free(fine);
  free(coarse);
  drop_joint(&s);
}

static double force_at(const double x[], int sites, int k, double tilt)
{
  return tilt - 4 * x[k] * (x[k] * x[k] - 1) + (k ? COUPLING * (x[k - 1] - x[k]) : 0) +
    (k + 1 < sites ? COUPLING * (x[k + 1] - x[k]) : 0);
}

/* Heun's method for one walker, up to time 0.5; returns the mean over inner sites. */
static void walk(double x[10], uint64_t number)
{
  fare_random  random = {fare_stream_make(5, "walk"), number, 0};
  const double dt     = 0.01;

  for (int k = 0; k < 10; k++) x[k] = START + WIDTH * fare_random_normal(&random);
  for (int step = 0; step < 50; step++) {
    double f[10], y[10], z[10];

    for (int k = 0; k < 10; k++) {
      f[k] = force_at(x, 10, k, 1.5);
      z[k] = sqrt(2 * KT * dt) * fare_random_normal(&random);
      y[k] = x[k] + f[k] * dt + z[k];
    }
    for (int k = 0; k < 10; k++) x[k] += 0.5 * dt * (f[k] + force_at(y, 10, k, 1.5)) + z[k];
  }
}

static void ten_sites_and_particles(void **state)
{
  enum { WALKERS = 20000 };
  joint_subject s      = make_joint(square_wave(10, 20, 6, 0.1));
  const int     axes[] = {5}, ends[] = {0, 9};
  double        mean = 0, together = 0;

  (void)state;
  for (uint64_t i = 0; i < WALKERS; i++) {
    double x[10];

    walk(x, i);
    for (int k = 1; k < 9; k++) mean += x[k] / 8 / WALKERS;
    together += x[0] * x[9] / WALKERS;
  }
  assert_ok(fare_joint_advance(s.joint, 0.5));
  /* three standard errors of particles, and the cells' error, of which the companions tell */
  assert_near(moment(s.joint, 0, 1, axes), mean, 0.005 + 0.007);
  assert_near(moment(s.joint, 0, 2, ends), together, 0.015 + 0.004);
  assert_between(s.joint->status.error, 0.02, 0.12);
  assert_between(s.joint->status.mass_drift, 1e-12, 1e-3);
  assert_between(s.joint->status.clipped, 0, 1e-3);
  drop_joint(&s);
}

static const char at_rest[] =
  "system: {name: chain, sites: 4, unit: {name: double_well, parameters: {height: 0.5, kT: 0.5, tilt: "
  "0.5}},\n"
  "  parameters: {coupling: 0.5}}\n"
  "truth: {kind: tensor_train, cells: 16, rank: 12, step: 0.1, lower: -2.2, upper: 2.2}\n"
  "initial: {density: mixture, mean: [-1, -1, -1, -1, 1, 1, 1, 1], sd: [0.35, 0.35, 0.35, 0.35, 0.35, 0.35,\n"
  "  0.35, 0.35], weights: [0.3, 0.7]}\n";

static double boltzmann(const double x[4])
{
  double V = 0;

  for (int k = 0; k < 4; k++) {
    V += 0.5 * (x[k] * x[k] - 1) * (x[k] * x[k] - 1) - 0.5 * x[k];
    if (k) V += 0.5 * COUPLING * (x[k] - x[k - 1]) * (x[k] - x[k - 1]);
  }
  return exp(-V / KT);
}

/* All states, the least of which begin far from rest. */
static void rest_is_boltzmann(void **state)
{
  enum { STATES = CELLS * CELLS * CELLS * CELLS };
  joint_subject s = make_joint(at_rest);
  double       *x[4], *log_p, all = 0, distance = 0;

  (void)state;
  log_p = calloc(STATES, sizeof *log_p);
  for (int k = 0; k < 4; k++) x[k] = calloc(STATES, sizeof **x);
  for (int n = 0; n < STATES; n++) {
    double point[4];

    for (int k = 0, m = n; k < 4; k++, m /= CELLS) x[k][n] = point[k] = centre(m % CELLS);
    all += boltzmann(point);
  }
  assert_between(s.joint->status.equilibrium, 0.1, 10);
  assert_ok(fare_joint_advance(s.joint, 20));
  assert_ok(s.joint->type->log_density(s.joint, 0, STATES, (const double *const *)x, log_p));
  for (int n = 0; n < STATES; n++) {
    const double point[] = {x[0][n], x[1][n], x[2][n], x[3][n]};

    distance += fabs(exp(log_p[n]) * pow(4.4 / CELLS, 4) - boltzmann(point) / all);
  }
  assert_between(distance, 0, 8e-3); /* bonds are at rest each by itself: of second order in the cells */
  assert_near(s.joint->status.equilibrium, 0, 1e-3 + s.joint->status.equilibrium_error);
  for (int k = 0; k < 4; k++) free(x[k]);
  free(log_p);
  drop_joint(&s);
}

static void draws_and_conditionals(void **state)
{
  enum { COUNT = 20 * FARE_BLOCK };
  joint_subject  s       = make_joint(square_wave(4, 16, 8, 0.05));
  const int      pair[]  = {0, 3};
  const double   point[] = {-0.9, -0.3, 0.8, -1.2};
  fare_ensemble *e;
  double        *u[4], *back[4], mean = 0, most = 0, sum[4] = {0}, squares[4] = {0};

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.3));
  score_is_the_gradient(s.joint, point, 2e-3);
  assert_ok(fare_ensemble_create(PETSC_COMM_SELF, 4, COUNT, &e));
  assert_ok(fare_joint_draw(s.joint, fare_stream_make(3, "draws"), e));
  for (int k = 0; k < 4; k++) {
    u[k]    = calloc(COUNT, sizeof **u);
    back[k] = calloc(COUNT, sizeof **u);
  }
  assert_ok(s.joint->type->rosenblatt(s.joint, COUNT, (const double *const *)e->x, u));
  for (int k = 0; k < 4; k++) {
    fare_random_uniforms(fare_stream_make(3, "draws"), 0, (uint64_t)k, 0, back[k]);
    for (int i = 0; i < COUNT; i++) {
      sum[k] += u[k][i] / COUNT;
      squares[k] += u[k][i] * u[k][i] / COUNT;
    }
    for (int i = 0; i < FARE_BLOCK; i++) most = PetscMax(most, fabs(u[k][i] - back[k][i]));
    assert_near(sum[k], 0.5, 4 * sqrt(1. / 12 / COUNT));
    assert_near(squares[k], 1. / 3, 4 * sqrt(4. / 45 / COUNT));
  }
  assert_between(most, 0, 1e-6); /* what was drawn comes back */
  for (int i = 0; i < COUNT; i++) mean += e->x[0][i] * e->x[3][i] / COUNT;
  assert_near(moment(s.joint, 0, 2, pair), mean, 0.04);
  for (int k = 0; k < 4; k++) {
    free(u[k]);
    free(back[k]);
  }
  assert_ok(fare_ensemble_destroy(&e));
  drop_joint(&s);
}

/* Ranks that share the versions of a truth come to the bits of one alone. */
static void the_same_on_any_ranks(void **state)
{
  joint_subject s = make_joint(square_wave(3, 16, 4, 0.1));
  fare_joint   *alone;
  const double  point[] = {-1, -0.5, 0.2};

  (void)state;
  assert_ok(fare_joint_create(PETSC_COMM_SELF, s.type, s.options, s.system, s.initial, 0, &alone));
  for (int k = 1; k <= 2; k++) {
    assert_ok(fare_joint_advance(s.joint, 0.3 * k));
    assert_ok(fare_joint_advance(alone, 0.3 * k));
    for (int v = 0; v < s.type->versions(alone); v++)
      assert_true(log_density_at(s.joint, v, point) == log_density_at(alone, v, point));
    assert_true(s.joint->status.error == alone->status.error);
    assert_true(s.joint->status.entropy == alone->status.entropy);
  }
  assert_ok(fare_joint_destroy(&alone));
  drop_joint(&s);
}

/* What is saved goes on to the same bits. */
static void goes_on_from_a_file(void **state)
{
  joint_subject s = make_joint(square_wave(3, 16, 4, 0.1)), again = make_joint(square_wave(3, 16, 4, 0.1));
  const char   *path    = "test_tensor_train.h5";
  const double  point[] = {-1, -0.5, 0.2};
  fare_store   *store;

  (void)state;
  assert_ok(fare_joint_advance(s.joint, 0.3));
  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_joint_save(s.joint, store, "/truth"));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_joint_load(again.joint, store, "/truth"));
  assert_ok(fare_store_close(&store));
  for (int k = 0; k < 2; k++) {
    for (int v = 0; v < s.type->versions(s.joint); v++)
      assert_true(log_density_at(s.joint, v, point) == log_density_at(again.joint, v, point));
    assert_true(s.joint->status.error == again.joint->status.error);
    assert_true(s.joint->status.equilibrium == again.joint->status.equilibrium);
    assert_ok(fare_joint_advance(s.joint, 0.6));
    assert_ok(fare_joint_advance(again.joint, 0.6));
  }
  drop_joint(&again);
  drop_joint(&s);
}

static void what_it_refuses(void **state)
{
  joint_subject s = make_joint(square_wave(6, 16, 2, 0.1));

  (void)state;
  s.joint->status.error = 0;
  assert_int_equal(fare_joint_advance(s.joint, 0.9), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "rank: 4 may do"));
  drop_joint(&s);
  refuses_joint("system: {name: rotational_ou}\ninitial: {density: gaussian, mean: [0, 0], sd: [1, 1]}\n"
                "truth: {kind: tensor_train}\n",
    "is for system 'chain'");
  refuses_joint("system: {name: chain, sites: 3, unit: {name: double_well}}\ninitial: {density: boltzmann}\n"
                "truth: {kind: tensor_train}\n",
    "begins with a product over sites");
  refuses_joint("system: {name: chain, sites: 3, unit: {name: rotational_ou}}\ninitial: {density: uniform}\n"
                "truth: {kind: tensor_train}\n",
    "a site has one axis");
  refuses_joint("system: {name: chain, sites: 3, unit: {name: geometric_brownian}}\n"
                "initial: {density: uniform}\ntruth: {kind: tensor_train}\n",
    "no gradient system");
  refuses_joint("system: {name: chain, sites: 3, unit: {name: chain, sites: 2, unit: {name: prinz}}}\n"
                "initial: {density: uniform}\ntruth: {kind: tensor_train}\n",
    "a system of many");
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(all_cells_of_three_sites),
  cmocka_unit_test(ten_sites_and_particles),
  cmocka_unit_test(rest_is_boltzmann),
  cmocka_unit_test(draws_and_conditionals),
  cmocka_unit_test(the_same_on_any_ranks),
  cmocka_unit_test(goes_on_from_a_file),
  cmocka_unit_test(what_it_refuses),
};

FARE_TEST_MAIN(tests)
