/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=600 */
/*
  Samplers that know their field: from the exact density they must draw that density, but for an error of
  their own that falls at the order of their solver.
*/
#include "oracles.h"

#define BINS 40

/*
  KL(p || samples) over bins of whole cells of about the same mass at time k; nothing may lie outside the
  grid.
*/
static double divergence(const driven *d, int k, const fare_ensemble *e)
{
  const fare_grid *grid       = d->exact->grid;
  double           mass[BINS] = {0}, count[BINS] = {0}, below = 0, kl = 0;
  int             *bin;

  bin = calloc((size_t)grid->cells[0], sizeof *bin);
  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    bin[i] = (int)PetscMin(BINS - 1, BINS * below);
    mass[bin[i]] += d->exact->masses[k][i];
    below += d->exact->masses[k][i];
  }
  for (int64_t i = 0; i < e->local; i++) {
    const PetscInt cell = (PetscInt)floor((e->x[0][i] - grid->lower[0]) / grid->spacing[0]);

    assert_true(cell >= 0 && cell < grid->cells[0]);
    count[bin[cell]]++;
  }
  MPI_Allreduce(MPI_IN_PLACE, count, BINS, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int b = 0; b < BINS; b++)
    kl += mass[b] * log(mass[b] * ((double)e->count + 0.5 * BINS) / (count[b] + 0.5));
  free(bin);
  return kl;
}

static const struct oracle {
  const char *method, *options;
} oracles[] = {
  {"diffusion", "{sampling_steps: 48}"},
  /* the score has no bound, what the steps make of it has */
  {"diffusion", "{sampling_steps: 64, sigma_min: 1.0e-6}"},
  {"diffusion", "{parametrisation: vp, sampling_steps: 48}"},
  {"diffusion", "{solver: sde, sampling_steps: 128}"},
  {"poisson_flow", "{dimensions: 8, sampling_steps: 48}"},
  {"poisson_flow", "{dimensions: 128, sampling_steps: 48}"},
  {"flow_matching", "{solver: heun, sampling_steps: 48}"},
  {"flow_matching", "{solver: rk4, sampling_steps: 24}"},
};

#define MANY 40960

static void oracles_draw_the_exact_density(void **state)
{
  const double floor = (BINS - 1) / (2. * MANY);
  driven       d;

  (void)state;
  driven_begin(1024, &d);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(oracles); i++) {
    fare_sampler  *sampler = make_oracle(PETSC_COMM_WORLD, &d, oracles[i].method, oracles[i].options);
    double         mean    = 0;
    fare_ensemble *e;

    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, MANY, &e));
    for (int k = 0; k < SNAPSHOTS; k++) {
      assert_ok(fare_sampler_advance(sampler, d.exact->times[k], e));
      mean += divergence(&d, k, e) / SNAPSHOTS;
      /* it is this time's density and no other's */
      assert_true(divergence(&d, (k + 1) % SNAPSHOTS, e) > (k + 1 < SNAPSHOTS ? 0.05 : 0.01));
    }
    print_message(
      "%s %s: mean KL %.3e, exact draws have %.3e\n", oracles[i].method, oracles[i].options, mean, floor);
    /*
      2 n KL of exact draws is chi squared with BINS - 1 degrees of freedom; the mean of five is within 5
      standard deviations, and the methods' own error may add a fifth
    */
    assert_between(mean, floor * (1 - 5 * sqrt(2. / (SNAPSHOTS * (BINS - 1)))),
      floor * (1.2 + 5 * sqrt(2. / (SNAPSHOTS * (BINS - 1)))));
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
  }
  driven_end(&d);
}

/* The root of the mean squared distance of two ensembles, particle by particle. */
static double apart(const fare_ensemble *a, const fare_ensemble *b)
{
  double sum = 0;

  for (int64_t i = 0; i < a->local; i++) sum += (a->x[0][i] - b->x[0][i]) * (a->x[0][i] - b->x[0][i]);
  MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, a->comm);
  return sqrt(sum / (double)a->count);
}

static fare_ensemble *drawn_with(const driven *d, const char *method, const char *more, int steps)
{
  char           options[128];
  fare_sampler  *sampler;
  fare_ensemble *e;

  snprintf(options, sizeof options, "{%s, sampling_steps: %d}", more, steps);
  sampler = make_oracle(PETSC_COMM_WORLD, d, method, options);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 2048, &e));
  assert_ok(fare_sampler_advance(sampler, 0.25, e));
  assert_ok(fare_sampler_destroy(&sampler));
  return e;
}

/* The same noise with more and more steps: no sampling error stands before that of the solver. */
static void errors_fall_at_the_order_of_the_solver(void **state)
{
  static const struct {
    const char *method, *options;
    int         steps;
    double      order;
  } all[] = {
    {"diffusion", "solver: ode", 32, 2},
    {"diffusion", "parametrisation: vp", 32, 2},
    {"poisson_flow", "dimensions: 32", 32, 2},
    {"flow_matching", "solver: heun", 32, 2},
    {"flow_matching", "solver: rk4", 4, 4},
  };
  driven d;

  (void)state;
  driven_begin(4096, &d);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(all); i++) {
    fare_ensemble *at[3], *best = drawn_with(&d, all[i].method, all[i].options, 16 * all[i].steps);
    double         error[3], order;

    for (int k = 0; k < 3; k++) {
      at[k]    = drawn_with(&d, all[i].method, all[i].options, all[i].steps << k);
      error[k] = apart(at[k], best);
      assert_ok(fare_ensemble_destroy(&at[k]));
    }
    order = log2(error[0] / error[2]) / 2;
    print_message("%s, %s: %.2e %.2e %.2e, order %.2f\n", all[i].method, all[i].options, error[0], error[1],
      error[2], order);
    assert_between(order, all[i].order - 0.4, all[i].order + 1);
    assert_ok(fare_ensemble_destroy(&best));
  }
  driven_end(&d);
}

/* The same bits together and on one rank alone. */
static void oracles_do_not_know_of_ranks(void **state)
{
  static const char *const methods[] = {"diffusion", "poisson_flow", "flow_matching"};
  const MPI_Comm           comm[2]   = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  driven                   d;

  (void)state;
  driven_begin(256, &d);
  for (int mode = 0; mode < 2; mode++) {
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(methods); i++) {
      uint64_t sum[2];

      for (int k = 0; k < 2; k++) {
        fare_ensemble *at[3], *e;
        fare_system   *system;
        fare_sampler  *sampler;

        if (mode)
          remember(comm[k], 1, methods[i], "{sampling_steps: 8}", 1500, &system, &sampler, at);
        else
          sampler = make_oracle(comm[k], &d, methods[i], "{sampling_steps: 8}");
        assert_ok(fare_ensemble_create(comm[k], 1, 1500, &e));
        assert_ok(fare_sampler_advance(sampler, 0.25, e));
        assert_ok(fare_sampler_advance(sampler, 0.5, e));
        assert_ok(fare_ensemble_checksum(e, &sum[k]));
        assert_ok(fare_ensemble_destroy(&e));
        if (mode)
          forget(&system, &sampler, at);
        else
          assert_ok(fare_sampler_destroy(&sampler));
      }
      assert_true(sum[0] == sum[1]);
    }
  }
  driven_end(&d);
}

/* Saved and loaded, they draw on to the same bits: an empirical optimum brings its training set along. */
static void they_go_on_from_a_file(void **state)
{
  static const char *const methods[] = {"diffusion", "poisson_flow", "flow_matching"};
  driven                   d;
  char                     path[PATH_SIZE];

  (void)state;
  path_for("oracles", path);
  driven_begin(256, &d);
  for (int mode = 0; mode < 2; mode++) {
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(methods); i++) {
      uint64_t       sum[2];
      fare_ensemble *at[3], *e;
      fare_system   *system;
      fare_sampler  *sampler, *other;

      if (mode)
        remember(PETSC_COMM_WORLD, 1, methods[i], "{sampling_steps: 8}", 700, &system, &sampler, at);
      else
        sampler = make_oracle(PETSC_COMM_WORLD, &d, methods[i], "{sampling_steps: 8}");
      other = make_sampler(PETSC_COMM_WORLD, methods[i], "{sampling_steps: 8}", 5, sampler->system,
        sampler->initial, &sampler->schedule);
      assert_ok(fare_sampler_set_mode(other, sampler->mode, sampler->exact));
      assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 1500, &e));
      assert_ok(fare_sampler_advance(sampler, 0.25, e));
      save_sampler(sampler, path);
      load_sampler(other, path);
      assert_ok(fare_sampler_advance(sampler, 0.75, e));
      assert_ok(fare_ensemble_checksum(e, &sum[0]));
      assert_ok(fare_sampler_advance(other, 0.75, e));
      assert_ok(fare_ensemble_checksum(e, &sum[1]));
      assert_true(sum[0] == sum[1]);
      assert_ok(fare_ensemble_destroy(&e));
      assert_ok(fare_sampler_destroy(&other));
      if (mode)
        forget(&system, &sampler, at);
      else
        assert_ok(fare_sampler_destroy(&sampler));
    }
  }
  driven_end(&d);
}

/*
  An oracle is nothing to be taught: it needs no particles, and says when a time is none of the schedule's.
*/
static void oracles_refuse_other_times(void **state)
{
  fare_sampler  *sampler;
  fare_ensemble *e;
  driven         d;

  (void)state;
  driven_begin(256, &d);
  sampler = make_oracle(PETSC_COMM_WORLD, &d, "diffusion", "{}");
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 10, &e));
  assert_int_equal(fare_sampler_advance(sampler, 0.3, e), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "no exact density at time 0.3"));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
  driven_end(&d);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(oracles_draw_the_exact_density),
  cmocka_unit_test(errors_fall_at_the_order_of_the_solver),
  cmocka_unit_test(oracles_do_not_know_of_ranks),
  cmocka_unit_test(they_go_on_from_a_file),
  cmocka_unit_test(oracles_refuse_other_times),
};
FARE_TEST_MAIN(tests)
