/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3 timeout=120 */
/*
  What chains and weights are made of: resampling that is systematic, weights against plain sums, and steps
  that are tuned to the acceptance they should have, counted again by chains in the plainest form.
*/
#include "create_sampler.h"
#include "fare_test.h"

#include "sampler/energy/energy.h"

#define COUNT 3000

/* A first axis that holds ids, and weights over many orders; the same on any ranks. */
static fare_ensemble *weighted(MPI_Comm comm, double order)
{
  fare_ensemble *e;

  assert_ok(fare_ensemble_create(comm, 1, COUNT, &e));
  assert_ok(fare_ensemble_weigh(e));
  for (int64_t b = 0; b < e->blocks; b++) {
    double z[FARE_BLOCK];

    fare_random_normals(fare_stream_make(6, "weights"), (uint64_t)(e->first_block + b), 0, 0, z);
    for (int i = 0; i < FARE_BLOCK; i++) {
      e->x[0][b * FARE_BLOCK + i]   = (double)((e->first_block + b) * FARE_BLOCK + i);
      e->weight[b * FARE_BLOCK + i] = exp(order * z[i]);
    }
  }
  return e;
}

/* Every weight of all ranks, by id. */
static void gather_weights(const fare_ensemble *e, double all[COUNT])
{
  memset(all, 0, COUNT * sizeof *all);
  for (int64_t i = 0; i < e->local; i++) all[e->first_block * FARE_BLOCK + i] = e->weight[i];
  MPI_Allreduce(MPI_IN_PLACE, all, COUNT, MPI_DOUBLE, MPI_SUM, e->comm);
}

/*
  A particle with n w/sum expected offspring has that number rounded down or up, never less or more; and over
  all phases u its mean. Independent draws would stray from it by a root of it.
*/
static void resampling_is_systematic(void **state)
{
  enum { PHASES = 50 };
  static double weight[COUNT], mean[COUNT];
  double        sum = 0;

  (void)state;
  memset(mean, 0, sizeof mean);
  for (int phase = 0; phase < PHASES; phase++) {
    fare_ensemble *e = weighted(PETSC_COMM_WORLD, 1.5);
    static double  offspring[COUNT];

    gather_weights(e, weight);
    memset(offspring, 0, sizeof offspring);
    sum = 0;
    for (int i = 0; i < COUNT; i++) sum += weight[i];
    assert_ok(fare_weights_resample(e, NULL, (phase + 0.5) / PHASES));
    for (int64_t i = 0; i < e->local; i++) {
      offspring[(int)e->x[0][i]]++;
      assert_near(e->weight[i], 1, 0);
    }
    MPI_Allreduce(MPI_IN_PLACE, offspring, COUNT, MPI_DOUBLE, MPI_SUM, e->comm);
    for (int i = 0; i < COUNT; i++) {
      const double expected = COUNT * weight[i] / sum;

      assert_between(offspring[i], floor(expected - 1e-9), ceil(expected + 1e-9));
      mean[i] += offspring[i] / PHASES;
    }
    assert_ok(fare_ensemble_destroy(&e));
  }
  for (int i = 0; i < COUNT; i++) assert_near(mean[i], COUNT * weight[i] / sum, 1.0001 / PHASES);
}

/*
  New weights, their mean and how many particles they are worth, with costs that no exponential function has a
  number for.
*/
static void weights_are_those_of_plain_sums(void **state)
{
  static const double shifts[] = {0, 5000, -5000};
  static double       before[COUNT], after[COUNT], cost[COUNT + FARE_BLOCK];

  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(shifts); k++) {
    fare_ensemble *e   = weighted(PETSC_COMM_WORLD, 0.7);
    double         sum = 0, total = 0, square = 0, log_mean, effective;

    gather_weights(e, before);
    for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++)
      cost[i] = shifts[k] + 1.2 * sin((double)(e->first_block * FARE_BLOCK + i));
    assert_ok(fare_weights_multiply(e, cost, &log_mean, &effective));
    gather_weights(e, after);
    for (int i = 0; i < COUNT; i++) {
      before[i] *= exp(-1.2 * sin(i));
      sum += before[i];
      square += before[i] * before[i];
    }
    for (int i = 0; i < COUNT; i++) total += after[i];
    assert_near(total, COUNT, 1e-8);
    for (int i = 0; i < COUNT; i++)
      assert_near(after[i], before[i] * COUNT / sum, 1e-11 * COUNT * before[i] / sum + 1e-300);
    assert_near(log_mean, log(sum / COUNT) - shifts[k], 1e-9);
    assert_near(effective, sum * sum / square / COUNT, 1e-11);
    assert_ok(fare_ensemble_destroy(&e));
  }
}

static fare_sampler *make(const char *type, const char *options, const fare_system *system)
{
  static const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  static const fare_schedule schedule = {0, 1, 2};
  fare_sampler              *sampler;
  fare_config               *config;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(create_sampler(
    PETSC_COMM_WORLD, fare_sampler_type_find(type), type, config, 5, system, &initial, &schedule, &sampler));
  fare_config_destroy(&config);
  return sampler;
}

/* Of a group that a sampler saves. */
static void read_kept(fare_sampler *sampler, const char *group, const char *key, size_t count, double to[])
{
  const char    *path  = "test_chains.h5";
  const uint64_t start = 0;
  fare_store    *store;
  char           dataset[64];

  assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_sampler_save(sampler, store, "sampler"));
  assert_ok(fare_store_commit(&store));
  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  snprintf(dataset, sizeof dataset, "%s/%s", group, key);
  if (count == 1)
    assert_ok(fare_store_get_real(store, group, key, to));
  else
    assert_ok(fare_store_read(store, dataset, FARE_STORE_FLOAT64, 1, &start, &(uint64_t){count}, to));
  assert_ok(fare_store_close(&store));
}

/*
  Share of the steps that Metropolis and Hastings accept on a normal density of so many dimensions and this
  variance, at equilibrium.
*/
static double accepted_at(double h, double variance, int dim)
{
  fare_random random   = {.stream = fare_stream_make(7, "acceptance")};
  const int   trials   = 40000;
  double      accepted = 0;

  for (int n = 0; n < trials; n++) {
    double cost = 0;

    for (int axis = 0; axis < dim; axis++) {
      const double x     = sqrt(variance) * fare_random_normal(&random),
                   y     = x - h * x / variance + sqrt(2 * h) * fare_random_normal(&random);
      const double forth = y - x + h * x / variance, back = x - y + h * y / variance;

      cost += (y * y - x * x) / (2 * variance) + (back * back - forth * forth) / (4 * h);
    }
    accepted += PetscMin(1, exp(-cost)) / trials;
  }
  return accepted;
}

/* Roberts and Rosenthal's 0.574 at the bottom of every ladder and on every rung of it. */
static void steps_are_tuned_to_their_acceptance(void **state)
{
  enum { RUNGS = 3 };
  static const struct {
    const char *type, *options, *group;
    int         rungs;
  } cases[] = {{"boltzmann", "{adaptation: 40}", "sampler/chains", 1},
    {"replica_exchange", "{temperatures: 3, highest: 20, adaptation: 40, sweeps: 400}", "sampler", RUNGS},
    {"annealed_importance", "{step: 1.0}", "sampler/annealing", 1}};

  (void)state;
  for (int dim = 1; dim <= 3; dim += 2) {
    fare_system *system;

    assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &system));
    assert_ok(fare_system_set(system, "stiffness", 2));
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
      fare_sampler  *sampler = make(cases[i].type, cases[i].options, system);
      double         h[RUNGS];
      fare_ensemble *e;

      assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, 8192, &e));
      assert_ok(fare_sampler_advance(sampler, 0, e));
      read_kept(sampler, cases[i].group, cases[i].rungs > 1 ? "h" : "step", (size_t)cases[i].rungs, h);
      for (int k = 0; k < cases[i].rungs; k++) {
        const double share = accepted_at(h[k], 0.5 * pow(20, k / (RUNGS - 1.)), dim);

        print_message("%s, %d-D, rung %d: step %.4f, %.3f accepted\n", cases[i].type, dim, k, h[k], share);
        assert_near(share, 0.574, 0.02);
      }
      if (cases[i].rungs > 1) {
        double tried[RUNGS], exchanged[RUNGS];

        read_kept(sampler, "sampler", "tried", RUNGS, tried);
        read_kept(sampler, "sampler", "exchanged", RUNGS, exchanged);
        for (int k = 0; k + 1 < RUNGS; k++) {
          fare_random  random = {.stream = fare_stream_make(7, "exchange")};
          const double low = pow(20, k / (RUNGS - 1.)), high = pow(20, (k + 1) / (RUNGS - 1.));
          double       expected = 0;

          for (int n = 0; n < 100000; n++) {
            double U = 0, V = 0;

            for (int axis = 0; axis < dim; axis++) U += 0.5 * low * pow(fare_random_normal(&random), 2);
            for (int axis = 0; axis < dim; axis++) V += 0.5 * high * pow(fare_random_normal(&random), 2);
            expected += PetscMin(1, exp((1 / low - 1 / high) * (U - V))) / 100000;
          }
          print_message("%d-D, rungs %d and %d: %.4f of the exchanges, expected %.4f\n", dim, k, k + 1,
            exchanged[k] / tried[k], expected);
          assert_near(exchanged[k] / tried[k], expected, 0.01);
        }
      }
      assert_ok(fare_ensemble_destroy(&e));
      assert_ok(fare_sampler_destroy(&sampler));
    }
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  An energy learned with walkers that take steps so large that without their weights, or with those of the
  work alone, they would have another density than the energy they stand for: on data of variance 1 and E = k
  z^2/2, steps h keep the variance 1/(k - h k^2/2), so that training would come to rest at k = (1 - sqrt(1 - 2
  h))/h = 1.225 for h = 0.3, and tell a variance of 0.816.
*/
static void walkers_are_weighed_at_large_steps(void **state)
{
  const double            times[2] = {0, 1}, lower[1] = {-6}, upper[1] = {8}, centre = 1, width = 0.9;
  const PetscInt          cells[1] = {400};
  fare_ensemble          *at[2];
  const fare_training_set data = {2, times, at};
  fare_system            *system;
  fare_sampler           *sampler;
  fare_grid              *grid;
  Vec                     masses;
  const PetscScalar      *mass;
  double                  sum[3] = {0};

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  sampler = make("neq_ebm",
    "{width: 16, layers: 2, steps: 600, batch: 4096, walkers: 4096, walker_step: 0.3, frequencies: 1, "
    "time_frequencies: 0, learning_rate: 4.0e-3, ema: 0.99, warmup: 50}",
    system);
  for (int k = 0; k < 2; k++) {
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 20000, &at[k]));
    for (int64_t b = 0; b < at[k]->blocks; b++) {
      double *x = at[k]->x[0] + b * FARE_BLOCK;

      fare_random_normals(fare_stream_make(6, "data"), (uint64_t)(at[k]->first_block + b), (uint64_t)k, 0, x);
      for (int i = 0; i < FARE_BLOCK; i++) x[i] = centre + width * x[i];
    }
  }
  assert_ok(fare_sampler_train(sampler, &data));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, cells, lower, upper, NULL, &grid));
  assert_ok(sampler->type->model_density(sampler, 0.5, grid, &masses));
  assert_int_equal(VecGetArrayRead(masses, &mass), 0);
  for (PetscInt i = 0; i < cells[0]; i++) {
    for (int power = 0; power < 3; power++)
      sum[power] += mass[i] * pow((fare_grid_centre(grid, 0, i) - centre) / width, power);
  }
  assert_int_equal(VecRestoreArrayRead(masses, &mass), 0);
  print_message(
    "variance %.3f of the data's, 0.816 of it without the weights of steps\n", sum[2] - sum[1] * sum[1]);
  assert_near(sum[0], 1, 1e-9);
  assert_near(sum[1], 0, 0.06);
  assert_near(sum[2] - sum[1] * sum[1], 1, 0.06);
  assert_int_equal(VecDestroy(&masses), 0);
  for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_destroy(&at[k]));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(resampling_is_systematic),
  cmocka_unit_test(weights_are_those_of_plain_sums),
  cmocka_unit_test(steps_are_tuned_to_their_acceptance),
  cmocka_unit_test(walkers_are_weighed_at_large_steps),
};
FARE_TEST_MAIN(tests)
