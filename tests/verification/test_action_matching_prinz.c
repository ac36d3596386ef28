/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=2 timeout=300 */
/*
  The driven Prinz potential, learned by action matching from a simulation, deterministic and entropic,
  against the exact density; equilibrium is ten times as far.
*/
#include "samplers.h"

#define TIMES     21
#define PARTICLES 8192
#define CELLS     1024
#define BINS      32

typedef struct {
  fare_system    *system;
  fare_initial    initial;
  fare_schedule   schedule;
  fare_densities *exact;
  double          times[TIMES];
  fare_ensemble  *at[TIMES];
} scene;

static void scene_begin(scene *s)
{
  PetscInt64         cells   = CELLS;
  fare_truth_options options = {.cells = {1, &cells}, .tolerance = 1e-7};
  fare_sampler      *simulation;
  fare_ensemble     *particles;
  fare_config       *config;
  const char        *boltzmann = "{density: boltzmann}";

  *s        = (scene){.schedule = {0, 1, TIMES}};
  s->system = make_driven("prinz", 1, "tilt", 4);
  assert_ok(fare_config_parse("test", boltzmann, strlen(boltzmann), &config));
  assert_ok(fare_initial_from_config(fare_config_root(config), s->system, &s->initial));
  fare_config_destroy(&config);
  assert_ok(
    fare_densities_create(PETSC_COMM_WORLD, s->system, &s->initial, &s->schedule, &options, &s->exact));
  simulation = make_sampler(
    PETSC_COMM_WORLD, "langevin", "{integrator: heun, dt: 5.0e-4}", 7, s->system, &s->initial, &s->schedule);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, PARTICLES, &particles));
  for (int k = 0; k < TIMES; k++) {
    s->times[k] = fare_schedule_time(&s->schedule, k);
    assert_ok(fare_sampler_advance(simulation, s->times[k], particles));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, PARTICLES, &s->at[k]));
    assert_ok(fare_ensemble_copy(particles, s->at[k]));
  }
  assert_ok(fare_ensemble_destroy(&particles));
  assert_ok(fare_sampler_destroy(&simulation));
}

static void scene_end(scene *s)
{
  for (int k = 0; k < TIMES; k++) assert_ok(fare_ensemble_destroy(&s->at[k]));
  assert_ok(fare_densities_destroy(&s->exact));
  fare_initial_free(&s->initial);
  assert_ok(fare_system_destroy(&s->system));
}

/*
  Bins of a quantile 1/BINS each, so that none is rare: KL(p || q) with q from masses or, with half a count
  added, from particles.
*/
static double divergence(const scene *s, int k, const double masses[], const fare_ensemble *e)
{
  const fare_grid *grid    = s->exact->grid;
  double           p[BINS] = {0}, q[BINS] = {0}, below = 0, kl = 0;
  int              bin[CELLS];

  for (int i = 0; i < CELLS; i++) {
    bin[i] = (int)PetscMin(BINS - 1, BINS * below);
    p[bin[i]] += s->exact->masses[k][i];
    below += s->exact->masses[k][i];
    if (masses) q[bin[i]] += masses[i];
  }
  for (int64_t i = 0; e && i < e->local; i++)
    q[bin[(int)PetscMin(PetscMax((e->x[0][i] - grid->lower[0]) / grid->spacing[0], 0), CELLS - 1)]]++;
  if (e) MPI_Allreduce(MPI_IN_PLACE, q, BINS, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  for (int b = 0; b < BINS; b++) {
    if (e) q[b] = (q[b] + 0.5) / ((double)e->count + 0.5 * BINS);
    kl += p[b] * log(p[b] / q[b]);
  }
  return kl;
}

static double of_equilibrium(const scene *s)
{
  double mean = 0;

  for (int k = 0; k < TIMES; k++) {
    const PetscScalar *masses;
    Vec                equilibrium;

    assert_ok(fare_grid_boltzmann(s->exact->grid, s->system, s->times[k], &equilibrium));
    assert_ok(VecGetArrayRead(equilibrium, &masses));
    mean += divergence(s, k, masses, NULL) / TIMES;
    assert_ok(VecRestoreArrayRead(equilibrium, &masses));
    assert_ok(VecDestroy(&equilibrium));
  }
  return mean;
}

static double of_action_matching(scene *s, fare_sampler_mode mode, const char *options)
{
  const fare_training_set data = {TIMES, s->times, mode == FARE_ORACLE ? NULL : s->at};
  fare_sampler           *sampler =
    make_sampler(PETSC_COMM_WORLD, "action_matching", options, 7, s->system, &s->initial, &s->schedule);
  fare_ensemble *e;
  double         mean = 0;

  assert_ok(fare_sampler_set_mode(sampler, mode, mode == FARE_ORACLE ? s->exact : NULL));
  assert_ok(fare_sampler_train(sampler, &data));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, PARTICLES, &e));
  for (int k = 0; k < TIMES; k++) {
    assert_ok(fare_sampler_advance(sampler, s->times[k], e));
    mean += divergence(s, k, NULL, e) / TIMES;
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  return mean;
}

static void it_follows_what_equilibrium_cannot(void **state)
{
  const double floor = (BINS - 1) / (2. * PARTICLES);
  double       equilibrium, oracle, learned, entropic;
  scene        s;

  (void)state;
  scene_begin(&s);
  equilibrium = of_equilibrium(&s);
  oracle      = of_action_matching(&s, FARE_ORACLE, "{}");
  learned     = of_action_matching(&s, FARE_LEARNED,
        "{width: 32, steps: 3000, batch: 1024, learning_rate: 5.0e-3, time_frequencies: 3, transport_steps: 4}");
  entropic    = of_action_matching(&s, FARE_LEARNED,
       "{entropic: true, width: 32, steps: 1000, batch: 512, learning_rate: 5.0e-3, time_frequencies: 3, "
          "transport_steps: 40}");
  print_message("mean KL: equilibrium %.4f, learned %.4f, entropic %.4f, oracle %.5f, exact draws %.5f\n",
    equilibrium, learned, entropic, oracle, floor);
  assert_between(oracle, 0.5 * floor, 1.5 * floor);
  assert_between(learned, 0.5 * floor, equilibrium / 10);
  assert_between(entropic, 0.5 * floor, equilibrium / 10);
  scene_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(it_follows_what_equilibrium_cannot),
};
FARE_TEST_MAIN(tests)
