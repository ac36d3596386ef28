/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,3 timeout=300 */
/* The work of particles, and free energies from it, against the grid and against closed forms. */
#include "fare_test.h"

#include <stdlib.h>

static fare_system *driven(const char *name, int dimension, const char *waveform)
{
  fare_system *system;
  fare_config *config;

  assert_ok(fare_system_create(fare_system_type_find(name), dimension, &system));
  assert_ok(fare_config_parse("test", waveform, strlen(waveform), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
  return system;
}

/* Exact change of the free energy, and the mean and variance of the work of so many steps, both ways. */
static double on_the_grid(const fare_system *system, PetscInt64 cells, double end, PetscInt64 steps,
  double mean[2], double variance[2])
{
  PetscInt64         n[]     = {cells, cells};
  fare_truth_options options = {
    .cells = {(size_t)fare_system_dimension(system), n}, .tolerance = 1e-6, .estimate = PETSC_FALSE};
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  fare_truth        *truth;
  fare_chain        *chain;
  double             dF;

  assert_ok(fare_truth_create(PETSC_COMM_SELF, system, &initial, 0, &options, &truth));
  assert_ok(fare_chain_create(fare_truth_grid(truth), system, 0, end, steps, &chain));
  for (int way = 0; way < 2; way++) assert_ok(fare_chain_moments(chain, way, &mean[way], &variance[way]));
  dF = fare_chain_free_energy(chain);
  assert_ok(fare_chain_destroy(&chain));
  assert_ok(fare_truth_destroy(&truth));
  return dF;
}

/* Within four standard errors, which must not be so large that anything would do. */
static void check_estimates(const fare_work *w, double dF, double largest_error)
{
  for (int way = 0; way < 2; way++) {
    assert_between(w->jarzynski[way].error, 1e-6, largest_error);
    assert_near(w->jarzynski[way].estimate, dF, 4 * w->jarzynski[way].error);
    assert_between(w->jarzynski[way].effective, 100, (double)w->particles);
  }
  assert_between(w->bennett.error, 1e-6, PetscMin(w->jarzynski[0].error, w->jarzynski[1].error));
  assert_near(w->bennett.estimate, dF, 4 * w->bennett.error);
  assert_between(w->bennett.overlap, 0.05, 1);
}

static void particles_of_a_driven_prinz(void **state)
{
  const fare_thermo_options options = {.particles = 20000, .dt = 1e-3, .relaxation = FARE_RELAX_METROPOLIS};
  fare_system              *system =
    driven("prinz", 1, "{parameter: tilt, waveform: ramp, amplitude: 2, start: 0, end: 0.5}");
  fare_work w, alone;
  double    mean[2], variance[2], dF, sum[2] = {0, 0};

  (void)state;
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, NULL, 0, 0.5, &options, 11, &w));
  dF = on_the_grid(system, 512, 0.5, 800, mean, variance);
  assert_true(fabs(dF) > 0.1);
  check_estimates(&w, dF, 0.02);
  assert_between(w.accepted[0], 0.9, 0.9999);
  /* a step of this size moves the work itself by a few hundredths */
  for (int way = 0; way < 2; way++) assert_near(w.mean[way], mean[way], 0.05);
  for (int way = 0; way < 2; way++) assert_near(w.variance[way], variance[way], 0.1 * variance[way]);
  assert_true(w.mean[0] > dF && w.mean[1] > -dF);
  for (int way = 0; way < 2; way++) {
    for (int bin = 0; bin < FARE_WORK_BINS; bin++)
      sum[way] += w.density[way][bin] * (w.upper - w.lower) / FARE_WORK_BINS;
    assert_near(sum[way], 1, 1e-9);
  }
  assert_ok(fare_work_simulate(PETSC_COMM_SELF, system, NULL, 0, 0.5, &options, 11, &alone));
  assert_memory_equal(&w, &alone, sizeof w); /* on any number of ranks */
  assert_ok(fare_system_destroy(&system));
}

/* With steps so large that one move in seven is refused the relations still hold, and Euler's do not. */
static void large_steps_need_metropolis(void **state)
{
  fare_thermo_options options = {.particles = 40000, .dt = 0.25, .relaxation = FARE_RELAX_METROPOLIS};
  fare_system        *system =
    driven("ornstein_uhlenbeck", 1, "{parameter: stiffness, waveform: ramp, amplitude: 3, start: 0, end: 1}");
  const double dF = 0.5 * log(4);
  fare_work    exact, euler;

  (void)state;
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, NULL, 0, 1, &options, 3, &exact));
  check_estimates(&exact, dF, 0.02);
  assert_between(exact.accepted[0], 0.5, 0.97);
  options.relaxation = FARE_RELAX_EULER_MARUYAMA;
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, NULL, 0, 1, &options, 3, &euler));
  assert_true(fabs(euler.bennett.estimate - dF) > 8 * euler.bennett.error);
  options.relaxation = FARE_RELAX_HEUN;
  options.dt         = 0.005;
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, NULL, 0, 1, &options, 3, &euler));
  check_estimates(&euler, dF, 0.02);
  assert_near(euler.mean[0], 0.9360417073, 0.02);
  assert_ok(fare_system_destroy(&system));
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* Dragged at speed 1 for a time 2: mean 1.1353352832, variance twice that, and Gaussian. */
static void work_on_a_dragged_trap_is_gaussian(void **state)
{
  const fare_thermo_options options = {.particles = 20000, .dt = 5e-3, .relaxation = FARE_RELAX_HEUN};
  fare_system              *system =
    driven("ornstein_uhlenbeck", 1, "{parameter: centre, waveform: ramp, amplitude: 2, start: 0, end: 2}");
  const double W = 1.1353352832, n = (double)options.particles;
  double       widest = 0, cumulative = 0;
  fare_work    w;

  (void)state;
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, NULL, 0, 2, &options, 5, &w));
  for (int way = 0; way < 2; way++) {
    assert_near(w.mean[way], W, 4 * sqrt(2 * W / n) + options.dt); /* the chain of steps is of first order */
    assert_near(w.variance[way] / (2 * w.mean[way]), 1, 4 * sqrt(2 / n) + 0.02);
  }
  check_estimates(&w, 0, 0.05);
  /*
    Kolmogorov's distance between histogram and Gaussian at the ends of bins; 1.95/sqrt(n) is exceeded once in
    a thousand
  */
  for (int bin = 0; bin < FARE_WORK_BINS; bin++) {
    const double at = w.lower + (w.upper - w.lower) * (bin + 1) / FARE_WORK_BINS;

    cumulative += w.density[0][bin] * (w.upper - w.lower) / FARE_WORK_BINS;
    widest = fmax(widest, fabs(cumulative - 0.5 * erfc((w.mean[0] - at) / sqrt(2 * w.variance[0]))));
  }
  assert_between(widest, 0, 1.95 / sqrt(n));
  assert_ok(fare_system_destroy(&system));
}

static void two_dimensions(void **state)
{
  const fare_thermo_options options = {.particles = 10000, .dt = 0.02, .relaxation = FARE_RELAX_METROPOLIS};
  fare_system              *system =
    driven("quadruple_well", 2, "{parameter: tilt, waveform: ramp, amplitude: 0.5, start: 0, end: 1}");
  double    mean[2], variance[2], dF;
  fare_work w;

  (void)state;
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, NULL, 0, 1, &options, 8, &w));
  dF = on_the_grid(system, 64, 1, 4, mean, variance);
  check_estimates(&w, dF, 0.05);
  assert_ok(fare_system_destroy(&system));
}

/*
  Gaussian work of mean s^2/2 both ways has no change of free energy at kT 1. Errors and overlap that the
  estimators state are those that are seen.
*/
static void stated_errors_are_those_seen(void **state)
{
  enum { REPLICATES = 400, N = 1000, M = 500 };
  const double s      = 1.2;
  fare_random  random = {fare_stream_make(7, "test"), 0, 0};
  double forward[N], reverse[M], found[2][REPLICATES], stated[2] = {0, 0}, overlap = 0, exact = 0, p5, p95;

  (void)state;
  for (int r = 0; r < REPLICATES; r++) {
    fare_jarzynski jarzynski;
    fare_bennett   bennett;

    for (int i = 0; i < N; i++) forward[i] = 2 * (0.5 * s * s + s * fare_random_normal(&random));
    for (int i = 0; i < M; i++) reverse[i] = 2 * (0.5 * s * s + s * fare_random_normal(&random));
    bennett     = fare_bennett_estimate(2, N, forward, M, reverse); /* at kT 2 all is twice as large */
    jarzynski   = fare_jarzynski_estimate(2, N, forward);
    found[0][r] = jarzynski.estimate;
    found[1][r] = bennett.estimate;
    stated[0] += jarzynski.error / REPLICATES;
    stated[1] += bennett.error / REPLICATES;
    overlap += bennett.overlap / REPLICATES;
  }
  for (int k = 0; k < 2; k++) {
    double mean = 0, variance = 0;

    for (int r = 0; r < REPLICATES; r++) mean += found[k][r] / REPLICATES;
    for (int r = 0; r < REPLICATES; r++) variance += pow(found[k][r] - mean, 2) / (REPLICATES - 1);
    /* the average of exponentials is biased by variance/2kT */
    assert_near(mean, 0, 5 * sqrt(variance / REPLICATES) + (k ? 0 : variance / 4));
    assert_between(stated[k] / sqrt(variance), 0.85, 1.15);
    qsort(found[k], REPLICATES, sizeof(double), ascending);
  }
  p5  = found[1][REPLICATES / 20];
  p95 = found[1][REPLICATES - REPLICATES / 20];
  assert_between((p95 - p5) / (2 * 1.645 * stated[1]), 0.85, 1.15);
  /* overlap: the integral of p q (n + m)/(n p + m q) over the work, p forward and q of minus the reversed */
  for (int i = -8000; i <= 8000; i++) {
    const double x = i * 1e-3, p = exp(-0.5 * pow((x - 0.5 * s * s) / s, 2)),
                 q = exp(-0.5 * pow((x + 0.5 * s * s) / s, 2));

    exact += 1e-3 * p * q * (N + M) / (N * p + M * q) / (s * sqrt(2 * M_PI));
  }
  assert_near(overlap, exact, 5e-3);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(particles_of_a_driven_prinz),
  cmocka_unit_test(large_steps_need_metropolis),
  cmocka_unit_test(work_on_a_dragged_trap_is_gaussian),
  cmocka_unit_test(two_dimensions),
  cmocka_unit_test(stated_errors_are_those_seen),
};

FARE_TEST_MAIN(tests)
