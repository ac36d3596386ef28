/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=400 */
/*
  Learned samplers that claim to close a circle, on a density that runs to and fro over the ends of the box,
  where what is cut open would show a step. The spline flow is in test_normalizing_flow; diffusion, Poisson
  flow and flow matching claim no more than to stay in the box (test_every_sampler). In closed form: a normal
  wrapped round the circle has the mean exp(-k^2 s^2/2) of cos k(x - c), and 0 of sin k(x - c).
*/
#include "create_sampler.h"
#include "fare_test.h"

#include "sampler/bridge/schrodinger_bridge.h"

#define TIMES 11 /* learned from; held out are those half-way between */
#define COUNT 16384
#define WIDTH 0.5

static double centre(double t)
{
  return M_PI + 0.8 * sin(2 * M_PI * t);
}

static void fill(fare_ensemble *e, double t, uint64_t step)
{
  for (int64_t b = 0; b < e->blocks; b++) {
    double z[FARE_BLOCK];

    fare_random_normals(fare_stream_make(8, "circle"), (uint64_t)(e->first_block + b), step, 0, z);
    for (int i = 0; i < FARE_BLOCK; i++)
      e->x[0][b * FARE_BLOCK + i] = remainder(centre(t) + WIDTH * z[i], 2 * M_PI);
  }
}

static void harmonics(const fare_ensemble *e, double t, double cosine[2], double sine[2])
{
  double sum[5] = {0};

  for (int64_t i = 0; i < e->local; i++) {
    const double w = e->weight ? e->weight[i] : 1, at = e->x[0][i] - centre(t);

    sum[0] += w;
    for (int k = 0; k < 2; k++) {
      sum[1 + k] += w * cos((k + 1) * at);
      sum[3 + k] += w * sin((k + 1) * at);
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, sum, 5, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int k = 0; k < 2; k++) {
    cosine[k] = sum[1 + k] / sum[0];
    sine[k]   = sum[3 + k] / sum[0];
  }
}

/*
  Means of both harmonics within `most` of the closed form at all times but the first, trained and held out.
*/
static void check(const char *method, const char *options, double most)
{
  const fare_schedule     schedule = {0, 1, 2 * TIMES - 1};
  double                  at[1] = {M_PI}, sd[1] = {WIDTH}, times[TIMES], worst = 0;
  const fare_initial      initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, sd}};
  fare_ensemble          *taught[TIMES], *e;
  const fare_training_set data = {TIMES, times, taught};
  fare_system            *system;
  fare_sampler           *sampler;
  fare_config            *config;

  assert_ok(fare_system_create(fare_system_type_find("tilted_washboard"), 1, &system));
  assert_true(fare_system_type_of(system)->periodic[0]);
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find(method), method, config, 11, system,
    &initial, &schedule, &sampler));
  fare_config_destroy(&config);
  for (int k = 0; k < TIMES; k++) {
    times[k] = (double)k / (TIMES - 1);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, COUNT, &taught[k]));
    fill(taught[k], times[k], (uint64_t)k);
  }
  assert_ok(fare_sampler_train(sampler, &data));
  for (int k = 0; k < TIMES; k++) assert_ok(fare_ensemble_destroy(&taught[k]));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 4096, &e));
  for (PetscInt64 k = 0; k < schedule.count; k++) {
    const double t = fare_schedule_time(&schedule, k);
    double       cosine[2], sine[2];

    assert_ok(fare_sampler_advance(sampler, t, e));
    harmonics(e, t, cosine, sine);
    for (int j = 0; j < 2; j++)
      worst =
        fmax(worst, fmax(fabs(cosine[j] - exp(-0.5 * (j + 1) * (j + 1) * WIDTH * WIDTH)), fabs(sine[j])));
    for (int64_t i = 0; i < e->local && k; i++) assert_between(e->x[0][i], -M_PI, M_PI);
  }
  print_message("%s %s: harmonics off by %.4f at most\n", method, options, worst);
  assert_between(worst, 0, most);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

#define SMALL "width: 32, layers: 2, batch: 1024, learning_rate: 4.0e-3, frequencies: 3, time_frequencies: 2"

static void energies_close(void **state)
{
  (void)state;
  check("ebm", "{conditioned: true, steps: 1200, walkers: 512, burn_in: 60, " SMALL "}", 0.08);
  check("neq_ebm", "{steps: 1200, walkers: 2048, " SMALL "}", 0.08);
}

static void bridges_close(void **state)
{
  (void)state;
  check("schrodinger_bridge", "{steps: 1500, pairs: 4096, " SMALL "}", 0.08);
}

/*
  What a network of bridges is told of a place is the same one turn on, of energies too (test_energy_models:
  forces_are_derivatives).
*/
static void features_close(void **state)
{
  const fare_schedule schedule = {0, 1, 2};
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  static float        here[16 * FARE_BLOCK], there[16 * FARE_BLOCK];
  float               z[FARE_BLOCK], on[FARE_BLOCK];
  const float        *at[FARE_DIM_MAX] = {z}, *next[FARE_DIM_MAX] = {on};
  fare_system        *system;
  fare_sampler       *sampler;
  fare_config        *config;
  int                 inputs;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("tilted_washboard"), 1, &system));
  assert_ok(fare_config_parse("test", "{frequencies: 3}", 16, &config));
  assert_ok(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find("schrodinger_bridge"), "bridge", config,
    11, system, &initial, &schedule, &sampler));
  fare_config_destroy(&config);
  ((fare_generative *)sampler->state)->sd[0] = 0.8;
  inputs = fare_generative_position_inputs(sampler, fare_system_dimension(sampler->system));
  assert_int_equal(inputs, 6);
  for (int i = 0; i < FARE_BLOCK; i++) {
    z[i]  = (float)(0.01 * i - 2);
    on[i] = (float)(0.01 * i - 2 + 2 * M_PI / 0.8);
  }
  fare_generative_positions(sampler, fare_system_dimension(sampler->system), FARE_BLOCK, at, here);
  fare_generative_positions(sampler, fare_system_dimension(sampler->system), FARE_BLOCK, next, there);
  for (int k = 0; k < inputs * FARE_BLOCK; k++) assert_near(there[k], here[k], 2e-5);
  assert_true(fabsf(here[0] - here[FARE_BLOCK - 1]) > 0.01f);
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

static void actions_close(void **state)
{
  (void)state;
  check("action_matching", "{steps: 1500, transport_steps: 4, " SMALL "}", 0.15);
  check("action_matching", "{entropic: true, steps: 1000, transport_steps: 4, " SMALL "}", 0.15);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(energies_close), cmocka_unit_test(bridges_close),
  cmocka_unit_test(features_close), cmocka_unit_test(actions_close)};
FARE_TEST_MAIN(tests)
