/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3 timeout=120 */
/*
  Parallel tempering against the exact density where chains that only step locally stay in their well, and
  what it keeps.
*/
#include "samplers.h"

#define METHOD "replica_exchange"

/* The probability of x > 0, by quadrature. */
static double right_half(const fare_system *system, double t)
{
  double sum[2] = {0}, kT = fare_system_kT(system, t);

  for (int i = 0; i < 40000; i++) {
    double        x[1] = {-2 + 4 * (i + 0.5) / 40000}, V[1];
    const double *px[] = {x};

    fare_system_potential(system, t, 1, px, V);
    sum[x[0] > 0] += exp(-V[0] / kT);
  }
  return sum[1] / (sum[0] + sum[1]);
}

static double share_right(const fare_ensemble *e)
{
  double n = 0;

  for (int64_t i = 0; i < e->local; i++) n += e->x[0][i] > 0;
  MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_DOUBLE, MPI_SUM, e->comm);
  return n / (double)e->count;
}

/*
  A barrier of 12 kT: exp(-12) of the local steps that come near it cross. All begin on the left; the ladder
  must bring the exact share to the right, at both tilts.
*/
static void crosses_a_barrier_that_local_steps_do_not(void **state)
{
  double              at[] = {-1}, wide[] = {0.1};
  const fare_initial  initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  const fare_schedule schedule = {0, 0.25, 2};
  const int64_t       count    = 20000;
  fare_system        *system   = make_driven("double_well", 1, "tilt", 0.3);
  fare_sampler       *sampler;
  fare_ensemble      *e;

  (void)state;
  assert_ok(fare_system_set(system, "height", 12));
  sampler = make_sampler(
    PETSC_COMM_WORLD, METHOD, "{temperatures: 4, highest: 16, sweeps: 400}", 5, system, &initial, &schedule);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, count, &e));
  for (int k = 0; k < 2; k++) {
    const double t = 0.25 * k, exact = right_half(system, t);

    assert_ok(fare_sampler_advance(sampler, t, e));
    print_message("share to the right at time %g: %.5f, exact %.5f\n", t, share_right(e), exact);
    assert_near(share_right(e), exact, 5 * sqrt(exact * (1 - exact) / (double)count));
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/* KL divergence from the exact masses, whose mean for exact draws is (bins - 1)/2n. */
static void is_at_the_floor_of_its_target(void **state)
{
  double              at[] = {-0.74}, wide[] = {0.05};
  const fare_initial  initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  const fare_schedule schedule = {0, 0.5, 3};
  const PetscInt      cells[]  = {64};
  const double        lower[] = {-2}, upper[] = {2};
  fare_system        *system = make_driven("prinz", 1, "tilt", 4);
  fare_sampler       *sampler;
  fare_ensemble      *e;
  fare_grid          *grid;

  (void)state;
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  sampler = make_sampler(PETSC_COMM_WORLD, METHOD, "{}", 5, system, &initial, &schedule);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 50000, &e));
  for (int k = 0; k < 3; k++) {
    double             count[64] = {0}, chi = 0, degrees = -1;
    const PetscScalar *p;
    Vec                masses;

    assert_ok(fare_sampler_advance(sampler, 0.25 * k, e));
    assert_ok(sampler->type->model_density(sampler, 0.25 * k, grid, &masses));
    for (int64_t i = 0; i < e->local; i++)
      count[(int)PetscMax(0, PetscMin(63, floor((e->x[0][i] + 2) * 16)))]++;
    MPI_Allreduce(MPI_IN_PLACE, count, 64, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
    assert_ok(VecGetArrayRead(masses, &p));
    for (int c = 0; c < 64; c++) {
      if (50000 * p[c] < 5) continue;
      chi += pow(count[c] - 50000 * p[c], 2) / (50000 * p[c]);
      degrees++;
    }
    assert_ok(VecRestoreArrayRead(masses, &p));
    assert_between(chi, degrees - 5 * sqrt(2 * degrees), degrees + 5 * sqrt(2 * degrees));
    assert_ok(VecDestroy(&masses));
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

static void same_bits_on_any_ranks_and_after_loading(void **state)
{
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 0.6, 3};
  fare_system        *system   = make_driven("double_well", 2, "tilt", 1);
  char                path[PATH_SIZE];

  (void)state;
  path_for(METHOD, path);
  assert_same_bits(METHOD, "{temperatures: 3, sweeps: 10}", 5, system, &initial, &schedule, path);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(crosses_a_barrier_that_local_steps_do_not),
  cmocka_unit_test(is_at_the_floor_of_its_target),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
};
FARE_TEST_MAIN(tests)
