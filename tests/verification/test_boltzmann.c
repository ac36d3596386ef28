/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3,4 timeout=120 */
/* The equilibrium sampler against the exact density, from a start that has only one well filled. */
#include "samplers.h"

#define CELLS 64

/* Chi-square of counts in cells against exp(-V/kT), cells with fewer than 5 expected pooled into one. */
static double chi_square(const fare_ensemble *e, const fare_system *system, double t, double *degrees)
{
  const double lower = -2, width = 4. / CELLS, kT = fare_system_kT(system, t);
  double       p[CELLS] = {0}, count[CELLS] = {0}, sum = 0, chi = 0, rest_p = 0, rest_count = 0;

  for (int c = 0; c < CELLS; c++) {
    for (int q = 0; q < 64; q++) {
      double        x[1] = {lower + width * (c + (q + 0.5) / 64)}, V[1];
      const double *px[] = {x};

      fare_system_potential(system, t, 1, px, V);
      p[c] += exp(-V[0] / kT);
    }
    sum += p[c];
  }
  for (int64_t i = 0; i < e->local; i++) {
    const int c = (int)floor((e->x[0][i] - lower) / width);

    if (c >= 0 && c < CELLS) count[c]++;
  }
  MPI_Allreduce(MPI_IN_PLACE, count, CELLS, MPI_DOUBLE, MPI_SUM, e->comm);
  *degrees = -1;
  for (int c = 0; c < CELLS; c++) {
    const double expected = (double)e->count * p[c] / sum;

    if (expected < 5) {
      rest_p += expected;
      rest_count += count[c];
      continue;
    }
    chi += pow(count[c] - expected, 2) / expected;
    ++*degrees;
  }
  if (rest_p > 0) chi += pow(rest_count - rest_p, 2) / PetscMax(rest_p, 1);
  return chi;
}

static void reaches_equilibrium_from_one_well(void **state)
{
  double         at[] = {-0.74}, wide[] = {0.05};
  fare_initial   initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  fare_schedule  schedule = {0, 1, 2};
  fare_system   *system   = make_driven("prinz", 1, "tilt", 4);
  fare_sampler  *sampler;
  fare_ensemble *e;

  (void)state;
  sampler = make_sampler(PETSC_COMM_WORLD, "boltzmann", "{}", 5, system, &initial, &schedule);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 100000, &e));
  for (int k = 0; k <= 3; k++) {
    const double t = 0.25 * k;
    double       chi, degrees;

    assert_ok(fare_sampler_advance(sampler, t, e));
    chi = chi_square(e, system, t, &degrees);
    assert_between(chi, degrees - 5 * sqrt(2 * degrees), degrees + 5 * sqrt(2 * degrees));
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/*
  At temperatures other than 1 both moves of a sweep must know it: the variance of a trap is kT over its
  stiffness.
*/
static void equilibrium_at_other_temperatures(void **state)
{
  static const double kT[]     = {0.2, 4};
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 1, 2};
  const int64_t       count    = 100000;
  double              m[FARE_DIM_MAX], v[FARE_DIM_MAX], effective;

  (void)state;
  for (int i = 0; i < 2; i++) {
    fare_system   *system = make_system("ornstein_uhlenbeck", 1);
    fare_sampler  *sampler;
    fare_ensemble *e;

    assert_ok(fare_system_set(system, "kT", kT[i]));
    sampler = make_sampler(PETSC_COMM_WORLD, "boltzmann", "{}", 5, system, &initial, &schedule);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, count, &e));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_ensemble_moments(e, m, v, &effective));
    assert_near(v[0], kT[i], 5 * kT[i] * sqrt(2. / count));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_system_destroy(&system));
  }
}

static void same_bits_on_any_ranks_and_after_loading(void **state)
{
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 0.6, 3};
  fare_system        *system   = make_driven("double_well", 2, "tilt", 1);
  char                path[PATH_SIZE];

  (void)state;
  path_for("boltzmann", path);
  assert_same_bits("boltzmann", "{}", 5, system, &initial, &schedule, path);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(reaches_equilibrium_from_one_well),
  cmocka_unit_test(equilibrium_at_other_temperatures),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
};
FARE_TEST_MAIN(tests)
