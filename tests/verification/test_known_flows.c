/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=120 */
/*
  Generators whose field is known, so that every particle's way is: networks with weights set by hand, and
  exact densities that are Gaussian. Signs, conventions of time and noise, and divergences that a training
  might make up for, or hide in its own error, show here at once and without any training.
*/
#include "create_sampler.h"
#include "fare_test.h"

#include "sampler/denoising/denoising.h"
#include "sampler/flow/flow_matching.h"

#define COUNT 8192

static const fare_schedule schedule = {0, 1, 2};
static const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};

static fare_sampler *make(const fare_system *system, const char *method, const char *options)
{
  fare_sampler *sampler;
  fare_config  *config;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find(method), method, config, 5, system,
    &initial, &schedule, &sampler));
  fare_config_destroy(&config);
  return sampler;
}

static fare_system *trap(int dim)
{
  fare_system *system;

  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &system));
  return system;
}

/*
  Makes the network of one hidden layer the function A u + b of the places, which are its first inputs: a
  unit's argument is u_k + 16, where a SiLU is its argument to 2e-6, and the last layer takes the 16 away
  again.
*/
static void teach_linear(fare_sampler *sampler, const double A[2][2], const double b[2])
{
  fare_generative          *g     = sampler->state;
  const fare_network_shape *shape = fare_network_shape_of(g->network);
  float *w = fare_network_weights(g->network), *last = w + (size_t)(shape->inputs + 1) * (size_t)shape->width;
  const int dim = shape->outputs;

  assert_int_equal(shape->layers, 1);
  memset(w, 0, fare_network_count(g->network) * sizeof *w);
  for (int k = 0; k < dim; k++) {
    w[k * shape->inputs + k]            = 1;
    w[shape->inputs * shape->width + k] = 16;
    last[shape->width * dim + k]        = (float)b[k];
    for (int j = 0; j < dim; j++) {
      last[k * shape->width + j] = (float)A[k][j];
      last[shape->width * dim + k] -= (float)(16 * A[k][j]);
    }
    g->mean[k] = 0;
    g->sd[k]   = 1;
  }
  g->ready = PETSC_TRUE;
}

/* exp(A t) of two by two, by its series. */
static void exponential(const double A[2][2], double t, double E[2][2])
{
  double term[2][2] = {{1, 0}, {0, 1}};

  for (int i = 0; i < 4; i++) E[i / 2][i % 2] = term[i / 2][i % 2];
  for (int n = 1; n < 40; n++) {
    double next[2][2];

    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 2; j++) next[i][j] = t / n * (term[i][0] * A[0][j] + term[i][1] * A[1][j]);
    }
    memcpy(term, next, sizeof next);
    for (int i = 0; i < 4; i++) E[i / 2][i % 2] += term[i / 2][i % 2];
  }
}

/* The noise that particle i of block b begins with, in the sampler's first drawing. */
static void latent(const fare_sampler *sampler, int64_t block, double z[2][FARE_BLOCK])
{
  for (uint32_t axis = 0; axis < 2; axis++)
    fare_random_normals(fare_sampler_stream(sampler, "latent"), (uint64_t)block, 0, axis, z[axis]);
}

/* The largest difference of particles, over all ranks, from M z + c. */
static double off_linear(
  const fare_sampler *sampler, const fare_ensemble *e, const double M[2][2], const double c[2])
{
  double worst = 0;

  for (int64_t b = 0; b < e->blocks; b++) {
    double z[2][FARE_BLOCK];

    latent(sampler, e->first_block + b, z);
    for (int i = 0; i < FARE_BLOCK; i++) {
      for (int k = 0; k < 2; k++)
        worst = fmax(worst, fabs(e->x[k][b * FARE_BLOCK + i] - M[k][0] * z[0][i] - M[k][1] * z[1][i] - c[k]));
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD);
  return worst;
}

static fare_ensemble *drawn(fare_sampler *sampler, int dim, double t)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, COUNT, &e));
  assert_ok(fare_sampler_advance(sampler, t, e));
  return e;
}

static const double swirl[2][2] = {{0.5, 0.4}, {-0.7, -0.2}}, none[2] = {0, 0};

/*
  A velocity A u carries z to exp(A) z, where optimal transport was learned and nothing is added to the
  network; its density is Gaussian, and its logarithm has lost the trace of A.
*/
static void a_linear_velocity_has_a_gaussian_density(void **state)
{
  const PetscInt cells[] = {60, 48};
  const double   lower[] = {-4, -3}, upper[] = {4, 3};
  fare_system   *system = trap(2);
  fare_sampler  *sampler =
    make(system, "flow_matching", "{layers: 1, width: 4, coupling: optimal_transport, sampling_steps: 16}");
  double             E[2][2], S[2][2] = {{0}}, det, worst = 0;
  fare_ensemble     *e;
  fare_grid         *grid;
  Vec                masses;
  const PetscScalar *mass;

  (void)state;
  teach_linear(sampler, swirl, none);
  e = drawn(sampler, 2, 0.5);
  exponential(swirl, 1, E);
  assert_between(off_linear(sampler, e, E, none), 0, 1e-4);
  for (int i = 0; i < 4; i++) S[i / 2][i % 2] = E[i / 2][0] * E[i % 2][0] + E[i / 2][1] * E[i % 2][1];
  det = S[0][0] * S[1][1] - S[0][1] * S[1][0];
  assert_near(sqrt(det), exp(swirl[0][0] + swirl[1][1]), 1e-12);
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 2, cells, lower, upper, NULL, &grid));
  assert_ok(sampler->type->model_density(sampler, 0.5, grid, &masses));
  assert_int_equal(VecGetArrayRead(masses, &mass), 0);
  for (PetscInt n = 0; n < cells[0] * cells[1]; n++) {
    const double x = fare_grid_centre(grid, 0, n % cells[0]), y = fare_grid_centre(grid, 1, n / cells[0]);
    const double p = exp(-0.5 * (S[1][1] * x * x - 2 * S[0][1] * x * y + S[0][0] * y * y) / det) /
      (2 * M_PI * sqrt(det)) * fare_grid_volume(grid);

    if (p > 1e-9) worst = fmax(worst, fabs(mass[n] / p - 1));
  }
  print_message("density off by %.1e of itself\n", worst);
  assert_between(worst, 0, 1e-3);
  assert_int_equal(VecRestoreArrayRead(masses, &mass), 0);
  assert_int_equal(VecDestroy(&masses), 0);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/*
  What is added for independent pairs, (2 tau - 1)/((1 - tau)^2 + tau^2) u, carries a normal variate to
  itself; a constant c of the network is left over as int c/s(tau) dtau with s^2 = (1 - tau)^2 + tau^2.
*/
static void a_constant_velocity_shifts(void **state)
{
  const double   zero[2][2] = {{0}}, one[2][2] = {{1, 0}, {0, 1}}, c[2] = {0.7, -1.1};
  double         integral = 0, shift[2];
  fare_system   *system   = trap(2);
  fare_sampler  *sampler  = make(system, "flow_matching", "{layers: 1, width: 4, sampling_steps: 32}");
  fare_ensemble *e;

  (void)state;
  for (int i = 0; i < 20000; i++) {
    const double tau = (i + 0.5) / 20000;

    integral += 1 / sqrt((1 - tau) * (1 - tau) + tau * tau) / 20000;
  }
  for (int k = 0; k < 2; k++) shift[k] = c[k] * integral;
  teach_linear(sampler, zero, c);
  e = drawn(sampler, 2, 0.5);
  assert_between(off_linear(sampler, e, one, shift), 0, 1e-4);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/*
  F = A u: from dy/dsigma = (y - D)/sigma with D = y/(1 + sigma^2) + sigma F/sqrt(1 + sigma^2) and y = sqrt(1
  + sigma^2) u follows sqrt(1 + sigma^2) du/dsigma = -F/sqrt(1 + sigma^2), so u = exp(A arctan(sigma_max)) z.
*/
static void a_linear_denoiser_turns(void **state)
{
  fare_system   *system  = trap(2);
  fare_sampler  *sampler = make(system, "diffusion", "{layers: 1, width: 4, sampling_steps: 200}");
  double         E[2][2];
  fare_ensemble *e;

  (void)state;
  teach_linear(sampler, swirl, none);
  e = drawn(sampler, 2, 0.5);
  exponential(swirl, atan(80), E);
  print_message("off by %.1e\n", off_linear(sampler, e, E, none));
  assert_between(off_linear(sampler, e, E, none), 0, 2e-3);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/*
  Where the network says that the noise is c everywhere, dy/dsigma = c: y = sqrt(1 + sigma_max^2) z -
  sigma_max c, and sigma_max^2 = exp(B) - 1 with B = 0.1 + 1.9/2.
*/
static void a_constant_noise_is_taken_away(void **state)
{
  const double zero[2][2] = {{0}}, c[2] = {0.3, -0.2}, B = 0.1 + 0.5 * 1.9, sigma = sqrt(exp(B) - 1),
               M[2][2] = {{exp(0.5 * B), 0}, {0, exp(0.5 * B)}}, shift[2] = {-sigma * c[0], -sigma * c[1]};
  fare_system  *system = trap(2);
  fare_sampler *sampler =
    make(system, "diffusion", "{layers: 1, width: 4, parametrisation: vp, beta_max: 2, sampling_steps: 400}");
  fare_ensemble *e;

  (void)state;
  teach_linear(sampler, zero, c);
  e = drawn(sampler, 2, 0.5);
  print_message("off by %.1e\n", off_linear(sampler, e, M, shift));
  assert_between(off_linear(sampler, e, M, shift), 0, 1e-3);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

#define CELLS 1024

/* Exact densities that are normal, at two times: the pooled mean and width are those of neither. */
static const double times[2] = {0, 1}, mean[2] = {-1, 1.2}, width[2] = {0.5, 1.1};

static void gaussians_begin(fare_densities *exact, double *mass[2])
{
  const PetscInt cells[] = {CELLS};
  const double   lower[] = {-7}, upper[] = {8};

  *exact = (fare_densities){.count = 2, .times = (double *)times, .masses = mass};
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &exact->grid));
  for (int k = 0; k < 2; k++) {
    mass[k] = calloc(CELLS, sizeof *mass[k]);
    for (PetscInt i = 0; i < CELLS; i++) {
      const double x = (fare_grid_centre(exact->grid, 0, i) - mean[k]) / width[k],
                   h = exact->grid->spacing[0] / width[k] / 2;

      mass[k][i] = 0.5 * (erf((x + h) / sqrt(2)) - erf((x - h) / sqrt(2)));
    }
  }
}

/*
  Flows from noise to a Gaussian are linear. In z, scaled by the pooled mean a and width s: noise of level
  sigma on N(m, v^2) has the width sqrt(v^2 + sigma^2), so y - m goes in proportion to that and x = m + v
  (y_max - m)/sqrt(v^2 + sigma_max^2), y_max = sqrt(1 + sigma_max^2) z. A straight way has the width sqrt((1 -
  tau)^2 + tau^2 v^2) about tau m: x = m + v z.
*/
static void flows_to_a_gaussian_are_linear(void **state)
{
  static const struct {
    const char *method, *options;
    double      tolerance; /* of the solver, the grid and float32 */
  } cases[]             = {{"diffusion", "{sampling_steps: 300}", 5e-3},
                {"diffusion", "{parametrisation: vp, sampling_steps: 300}", 5e-3},
                {"flow_matching", "{sampling_steps: 40}", 5e-3}};
  fare_system   *system = trap(1);
  fare_densities exact;
  double        *mass[2];

  (void)state;
  gaussians_begin(&exact, mass);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    for (int k = 0; k < 2; k++) {
      const fare_training_set set     = {2, times, NULL};
      fare_sampler           *sampler = make(system, cases[i].method, cases[i].options);
      const fare_generative  *g       = sampler->state;
      double                  worst   = 0, m, v, top;
      fare_ensemble          *e;

      assert_ok(fare_sampler_set_mode(sampler, FARE_ORACLE, &exact));
      assert_ok(fare_sampler_train(sampler, &set));
      assert_near(g->mean[0], 0.5 * (mean[0] + mean[1]), 1e-6);
      m   = (mean[k] - g->mean[0]) / g->sd[0];
      v   = width[k] / g->sd[0];
      top = strcmp(cases[i].method, "diffusion") ? 0 : ((const fare_denoising *)sampler->state)->sigma_max;
      e   = drawn(sampler, 1, times[k]);
      for (int64_t b = 0; b < e->blocks; b++) {
        double z[2][FARE_BLOCK];

        latent(sampler, e->first_block + b, z);
        for (int j = 0; j < FARE_BLOCK; j++) {
          const double x =
            m + v * (top > 0 ? (sqrt(1 + top * top) * z[0][j] - m) / sqrt(v * v + top * top) : z[0][j]);

          worst = fmax(worst, fabs((e->x[0][b * FARE_BLOCK + j] - g->mean[0]) / g->sd[0] - x) / v);
        }
      }
      MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_DOUBLE, MPI_MAX, PETSC_COMM_WORLD);
      print_message("%s %s, time %g: off by %.1e sd\n", cases[i].method, cases[i].options, times[k], worst);
      assert_between(worst, 0, cases[i].tolerance);
      assert_ok(fare_ensemble_destroy(&e));
      assert_ok(fare_sampler_destroy(&sampler));
    }
  }
  for (int k = 0; k < 2; k++) free(mass[k]);
  assert_ok(fare_grid_destroy(&exact.grid));
  assert_ok(fare_system_destroy(&system));
}

/*
  With noise on the way, or heavy tails at its beginning, particles are no function of their noise that is
  known, but mean and width must be those of the density: within five standard errors and 1%.
*/
static void noise_on_the_way_leaves_the_density(void **state)
{
  static const struct {
    const char *method, *options;
  } cases[]             = {{"diffusion", "{solver: sde, sampling_steps: 200}"},
                {"diffusion", "{solver: sde, sampling_steps: 200, churn: 60}"},
                {"diffusion", "{solver: ode, sampling_steps: 50}"},
                {"poisson_flow", "{dimensions: 8, sampling_steps: 60}"}};
  fare_system   *system = trap(1);
  fare_densities exact;
  double        *mass[2];

  (void)state;
  gaussians_begin(&exact, mass);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    const fare_training_set set     = {2, times, NULL};
    fare_sampler           *sampler = make(system, cases[i].method, cases[i].options);

    assert_ok(fare_sampler_set_mode(sampler, FARE_ORACLE, &exact));
    assert_ok(fare_sampler_train(sampler, &set));
    for (int k = 0; k < 2; k++) {
      fare_ensemble *e = drawn(sampler, 1, times[k]);
      double         got, variance, effective;

      assert_ok(fare_ensemble_moments(e, &got, &variance, &effective));
      print_message("%s %s, time %g: mean %.4f of %.4f, width %.4f of %.4f\n", cases[i].method,
        cases[i].options, times[k], got, mean[k], sqrt(variance), width[k]);
      assert_near(got, mean[k], (5 / sqrt(COUNT) + 0.01) * width[k]);
      assert_near(sqrt(variance), width[k], (5 / sqrt(2. * COUNT) + 0.01) * width[k]);
      assert_ok(fare_ensemble_destroy(&e));
    }
    assert_ok(fare_sampler_destroy(&sampler));
  }
  for (int k = 0; k < 2; k++) free(mass[k]);
  assert_ok(fare_grid_destroy(&exact.grid));
  assert_ok(fare_system_destroy(&system));
}

/*
  The score goes like 1/sigma where noise vanishes: of particles that stand alone it has no bound. Yet the
  last step, which ends at noise 0, is finite and leads onto them.
*/
static void the_last_step_is_finite(void **state)
{
  static const char *const options[] = {"{sampling_steps: 40, sigma_min: 1.0e-6}",
    "{parametrisation: vp, sampling_steps: 40}", "{solver: sde, sampling_steps: 40, sigma_min: 1.0e-6}"};
  const double             at[2]     = {0, 1};
  fare_system             *system    = trap(1);

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(options); i++) {
    fare_sampler           *sampler = make(system, "diffusion", options[i]);
    fare_ensemble          *e, *data[2];
    const fare_training_set set   = {2, at, data};
    int64_t                 stray = 0;

    for (int k = 0; k < 2; k++) {
      assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 2, &data[k]));
      /* two particles at -1 and 1, or -2 and 2 */
      for (int64_t n = 0; n < data[k]->local; n++) data[k]->x[0][n] = (k + 1) * (n ? 1 : -1);
    }
    assert_ok(fare_sampler_set_mode(sampler, FARE_EMPIRICAL, NULL));
    assert_ok(fare_sampler_train(sampler, &set));
    e = drawn(sampler, 1, 1);
    for (int64_t n = 0; n < e->local; n++) {
      assert_true(isfinite(e->x[0][n]));
      stray += !(fabs(fabs(e->x[0][n]) - 2) < 1e-3);
    }
    MPI_Allreduce(MPI_IN_PLACE, &stray, 1, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
    assert_between((double)stray, 0, 0.005 * COUNT);
    for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_destroy(&data[k]));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
  }
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(a_linear_velocity_has_a_gaussian_density),
  cmocka_unit_test(a_constant_velocity_shifts),
  cmocka_unit_test(a_linear_denoiser_turns),
  cmocka_unit_test(a_constant_noise_is_taken_away),
  cmocka_unit_test(flows_to_a_gaussian_are_linear),
  cmocka_unit_test(noise_on_the_way_leaves_the_density),
  cmocka_unit_test(the_last_step_is_finite),
};
FARE_TEST_MAIN(tests)
