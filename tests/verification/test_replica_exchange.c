/* fare-test: labels=verification ranks=1,2,3 timeout=120 */
/* Parallel tempering against the exact density where chains that only step locally stay in their well, and what it keeps. */
#include "fare_test.h"

static fare_sampler *make(MPI_Comm comm, const char *options, const fare_system *system, const fare_initial *initial, const fare_schedule *schedule)
{
  fare_sampler *sampler;
  fare_config  *config;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find("replica_exchange"), "ladder", fare_config_root(config), NULL, 5, system, initial, schedule, &sampler));
  assert_ok(fare_config_destroy(&config));
  return sampler;
}

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

/* A barrier of 12 kT: exp(-12) of the local steps that come near it cross. All begin on the left; the ladder must bring the exact share to the right, at both tilts. */
static void crosses_a_barrier_that_local_steps_do_not(void **state)
{
  double              at[] = {-1}, wide[] = {0.1};
  const fare_initial  initial  = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  const fare_schedule schedule = {0, 0.25, 2};
  const int64_t       count    = 20000;
  fare_system        *system;
  fare_sampler       *sampler;
  fare_ensemble      *e;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("double_well"), 1, &system));
  assert_ok(fare_system_set(system, "height", 12));
  assert_ok(fare_system_drive_sine(system, "tilt", 0.3, 1, 0));
  sampler = make(PETSC_COMM_WORLD, "{temperatures: 4, highest: 16, sweeps: 400}", system, &initial, &schedule);
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
  fare_system        *system;
  fare_sampler       *sampler;
  fare_ensemble      *e;
  fare_grid          *grid;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 1, &system));
  assert_ok(fare_system_drive_sine(system, "tilt", 4, 1, 0));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  sampler = make(PETSC_COMM_WORLD, "{}", system, &initial, &schedule);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 50000, &e));
  for (int k = 0; k < 3; k++) {
    double             count[64] = {0}, chi = 0, degrees = -1;
    const PetscScalar *p;
    Vec                masses;

    assert_ok(fare_sampler_advance(sampler, 0.25 * k, e));
    assert_ok(sampler->type->target(sampler, 0.25 * k, grid, &masses));
    for (int64_t i = 0; i < e->local; i++) count[(int)PetscMax(0, PetscMin(63, floor((e->x[0][i] + 2) * 16)))]++;
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
  const MPI_Comm      comm[2]  = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  const char         *options  = "{temperatures: 3, sweeps: 10}", *path = "test_replica_exchange.h5";
  uint64_t            sum[3];
  fare_system        *system;
  fare_store         *store;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("double_well"), 2, &system));
  assert_ok(fare_system_drive_sine(system, "tilt", 1, 1, 0));
  for (int k = 0; k < 2; k++) {
    fare_sampler  *sampler = make(comm[k], options, system, &initial, &schedule), *again = make(comm[k], options, system, &initial, &schedule);
    fare_ensemble *e, *copy;

    assert_ok(fare_ensemble_create(comm[k], 2, 5000, &e));
    assert_ok(fare_ensemble_create(comm[k], 2, 5000, &copy));
    assert_ok(fare_sampler_advance(sampler, 0, e));
    assert_ok(fare_sampler_advance(sampler, 0.3, e));
    if (k == 0) {
      assert_ok(fare_store_create(comm[k], path, &store));
      assert_ok(fare_store_group(store, "sampler"));
      assert_ok(sampler->type->save(sampler, store, "sampler"));
      assert_ok(fare_store_commit(&store));
      assert_ok(fare_store_open(comm[k], path, &store));
      assert_ok(again->type->load(again, store, "sampler"));
      assert_ok(fare_store_close(&store));
      assert_ok(fare_ensemble_copy(e, copy));
      for (int64_t i = copy->local; i < copy->blocks * FARE_BLOCK; i++) copy->x[0][i] = copy->x[1][i] = 0; /* padding is not kept */
      assert_ok(fare_sampler_advance(again, 0.6, copy));
      assert_ok(fare_ensemble_checksum(copy, &sum[2]));
    }
    assert_ok(fare_sampler_advance(sampler, 0.6, e));
    assert_ok(fare_ensemble_checksum(e, &sum[k]));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_ensemble_destroy(&copy));
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_sampler_destroy(&again));
  }
  assert_true(sum[0] == sum[1]);
  assert_true(sum[0] == sum[2]);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(crosses_a_barrier_that_local_steps_do_not),
  cmocka_unit_test(is_at_the_floor_of_its_target),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
};
FARE_TEST_MAIN(tests)
