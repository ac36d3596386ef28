/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3 timeout=120 */
/*
  Weighted particles along a protocol: the free energy against quadrature, weights that are exact at any step,
  and what an oracle makes of it.
*/
#include "samplers.h"

#define METHOD "annealed_importance"

/* What a sampler has found, from the file that it was written to. */
static void found(const char *path, double *log_ratio, double *error, double *least)
{
  fare_store *store;

  assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
  assert_ok(fare_store_get_real(store, "sampler/annealing", "log_ratio", log_ratio));
  assert_ok(fare_store_get_real(store, "sampler/annealing", "variance", error));
  assert_ok(fare_store_get_real(store, "sampler/annealing", "least", least));
  assert_ok(fare_store_close(&store));
  *error = sqrt(*error);
}

static void found_by(fare_sampler *sampler, double *log_ratio, double *error, double *least)
{
  char path[PATH_SIZE];

  path_for("annealed", path);
  save_sampler(sampler, path);
  found(path, log_ratio, error, least);
}

/* ln of the integral of exp(-V/kT) over all that matters, by the midpoint rule. */
static double log_partition(const fare_system *system, double t)
{
  double sum = 0, kT = fare_system_kT(system, t);

  for (int i = 0; i < 40000; i++) {
    double        x[1] = {-4 + 8 * (i + 0.5) / 40000}, V[1];
    const double *px[] = {x};

    fare_system_potential(system, t, 1, px, V);
    sum += exp(-V[0] / kT);
  }
  return log(sum);
}

/*
  Several independent runs: their mean within its standard error of the exact value, and their spread what
  each says it is.
*/
static void free_energy(
  const char *name, const char *parameter, double amplitude, const char *options, double end, int resampled)
{
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, end, 3};
  fare_system        *system   = make_driven(name, 1, parameter, amplitude);
  const double        exact    = log_partition(system, end) - log_partition(system, 0);
  const int           runs     = 12;
  double              sum = 0, square = 0, claimed = 0, lowest = 1;

  for (int run = 0; run < runs; run++) {
    fare_sampler *sampler = make_named(
      PETSC_COMM_WORLD, METHOD, "annealed", options, 100 + (uint64_t)run, system, &initial, &schedule);
    fare_ensemble *e;
    double         ratio, error, least;

    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 4096, &e));
    for (int k = 0; k < 3; k++) assert_ok(fare_sampler_advance(sampler, end * k / 2, e));
    found_by(sampler, &ratio, &error, &least);
    sum += ratio / runs;
    square += ratio * ratio / runs;
    claimed += error * error / runs;
    lowest = PetscMin(lowest, least);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
  }
  print_message("%s, %s: ln Z/Z_0 = %.5f +- %.5f (claimed of one run %.5f, found %.5f), exact %.5f, least "
                "effective %.3f\n",
    name, options, sum, sqrt(claimed / runs), sqrt(claimed), sqrt((square - sum * sum) * runs / (runs - 1)),
    exact, lowest);
  assert_near(sum, exact, 4 * sqrt(claimed / runs));
  assert_between((square - sum * sum) * runs / (runs - 1) / claimed, 0.2, 3.5);
  assert_true(!resampled == !(lowest < 0.5));
  assert_ok(fare_system_destroy(&system));
}

static void free_energies_are_exact(void **state)
{
  (void)state;
  free_energy("prinz", "tilt", 4, "{protocol_steps: 20}", 0.25, 0);
  free_energy("prinz", "tilt", 4, "{protocol_steps: 20, relaxations: 3}", 0.75, 1);
  free_energy("prinz", "tilt", 4, "{protocol_steps: 40, relaxation: langevin, step: 0.0005}", 0.75, 1);
  free_energy("ornstein_uhlenbeck", "stiffness", 0.8, "{protocol_steps: 10}", 0.25, 0);
}

/*
  What weights by the work alone would make of unadjusted steps, without noise: mass and variance of the
  weighted density, normal all the way, in a trap whose stiffness goes through so many values from 1 to 1 +
  amplitude along a quarter of a sine.
*/
static double log_ratio_by_work_alone(double amplitude, int steps, double h)
{
  double mass = 0, variance = 1, before = 1;

  for (int n = 1; n <= steps; n++) {
    const double k = 1 + amplitude * sin(0.5 * M_PI * n / steps), narrower = 1 / (1 / variance + k - before);

    mass += 0.5 * log(narrower / variance);
    variance = (1 - h * k) * (1 - h * k) * narrower + 2 * h;
    before   = k;
  }
  return mass;
}

static void weights_are_exact_at_large_steps(void **state)
{
  const double exact = -0.5 * log(2.5);

  (void)state;
  free_energy(
    "ornstein_uhlenbeck", "stiffness", 1.5, "{protocol_steps: 20, relaxation: langevin, step: 0.1}", 0.25, 0);
  free_energy(
    "ornstein_uhlenbeck", "stiffness", 1.5, "{protocol_steps: 8, relaxation: langevin, step: 0.3}", 0.25, 0);
  print_message("by the work alone: %.4f and %.4f, exact %.4f\n", log_ratio_by_work_alone(1.5, 40, 0.1),
    log_ratio_by_work_alone(1.5, 16, 0.3), exact);
  /* four standard errors of the runs above are 0.005 */
  assert_true(fabs(log_ratio_by_work_alone(1.5, 40, 0.1) - exact) > 0.02);
  assert_true(fabs(log_ratio_by_work_alone(1.5, 16, 0.3) - exact) > 0.05);
}

/* Chi-square of weighted counts over 40 bins against masses, scaled by the number of effective particles. */
static double chi_square(const fare_ensemble *e, const fare_grid *grid, Vec masses, double *degrees)
{
  double             share[40] = {0}, sum[2] = {0}, effective, chi = 0;
  const PetscInt     per_bin = grid->cells[0] / 40;
  const PetscScalar *p;

  for (int64_t i = 0; i < e->local; i++) {
    const double w = e->weight[i];

    share[(int)PetscMax(
      0, PetscMin(39, floor((e->x[0][i] - grid->lower[0]) / (grid->upper[0] - grid->lower[0]) * 40)))] += w;
    sum[0] += w;
    sum[1] += w * w;
  }
  MPI_Allreduce(MPI_IN_PLACE, share, 40, MPI_DOUBLE, MPI_SUM, e->comm);
  MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, e->comm);
  effective = sum[0] * sum[0] / sum[1];
  *degrees  = -1;
  assert_ok(VecGetArrayRead(masses, &p));
  for (int b = 0; b < 40; b++) {
    double exact = 0;

    for (PetscInt c = b * per_bin; c < (b + 1) * per_bin; c++) exact += p[c];
    if (exact * effective < 5) continue;
    chi += effective * pow(share[b] / sum[0] - exact, 2) / exact;
    ++*degrees;
  }
  assert_ok(VecRestoreArrayRead(masses, &p));
  return chi;
}

/*
  Driven Prinz from equilibrium: as an oracle the particles have the density of the truth, which is far from
  the instantaneous equilibrium; with V alone they have the latter. Particles made by resampling are not
  independent, so chi-square may be somewhat larger than its number of degrees of freedom, but not by the
  distance of the two.
*/
static void an_oracle_follows_the_truth(void **state)
{
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 1, 9};
  PetscInt64          cells[]  = {1000};
  fare_truth_options  options  = {.cells = {1, cells}, .tolerance = 1e-7};
  fare_system        *system   = make_driven("prinz", 1, "tilt", 4);
  fare_densities     *exact;
  fare_sampler       *oracle, *plain;
  fare_ensemble      *e, *f;

  (void)state;
  assert_ok(fare_densities_create(PETSC_COMM_SELF, system, &initial, &schedule, &options, &exact));
  oracle = make_named(PETSC_COMM_WORLD, METHOD, "annealed", "{protocol_steps: 10, relaxations: 4}", 7, system,
    &initial, &schedule);
  plain  = make_named(PETSC_COMM_WORLD, METHOD, "annealed", "{protocol_steps: 10, relaxations: 4}", 7, system,
     &initial, &schedule);
  assert_ok(fare_sampler_set_mode(oracle, FARE_ORACLE, exact));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 40000, &e));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 40000, &f));
  for (PetscInt64 k = 0; k < exact->count; k++) {
    double chi[3], degrees[3], ratio, error, least;
    Vec    truth, target, boltzmann;

    assert_ok(fare_sampler_advance(oracle, exact->times[k], e));
    assert_ok(fare_sampler_advance(plain, exact->times[k], f));
    assert_ok(oracle->type->model_density(oracle, exact->times[k], exact->grid, &target));
    assert_ok(plain->type->model_density(plain, exact->times[k], exact->grid, &boltzmann));
    assert_ok(VecDuplicate(target, &truth));
    for (PetscInt c = 0; c < exact->grid->cells[0]; c++)
      assert_ok(VecSetValue(truth, c, exact->masses[k][c], INSERT_VALUES));
    assert_ok(VecAssemblyBegin(truth));
    assert_ok(VecAssemblyEnd(truth));
    chi[0] = chi_square(e, exact->grid, truth, &degrees[0]);
    chi[1] = chi_square(f, exact->grid, boltzmann, &degrees[1]);
    chi[2] = chi_square(e, exact->grid, boltzmann, &degrees[2]);
    print_message("time %g: chi-square of the oracle %.1f of %g, of the plain one %.1f of %g; oracle against "
                  "the equilibrium %.0f\n",
      exact->times[k], chi[0], degrees[0], chi[1], degrees[1], chi[2]);
    assert_between(chi[0], 0, 2.5 * degrees[0]);
    assert_between(chi[1], 0, 2.5 * degrees[1]);
    if (k > 0) assert_true(chi[2] > 20 * degrees[2]);
    /* the interpolation itself is exact to a few 1e-6 in the L1 norm */
    {
      PetscReal off;

      assert_ok(VecAXPY(target, -1, truth));
      assert_ok(VecNorm(target, NORM_1, &off));
      assert_between(off, 0, 1e-5);
    }
    /* and the mean weight is 1, since p and the interpolation at the schedule's times are normalised */
    found_by(oracle, &ratio, &error, &least);
    assert_near(ratio, 0, 5 * error + 1e-5);
    assert_ok(VecDestroy(&truth));
    assert_ok(VecDestroy(&target));
    assert_ok(VecDestroy(&boltzmann));
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_ensemble_destroy(&f));
  assert_ok(fare_sampler_destroy(&oracle));
  assert_ok(fare_sampler_destroy(&plain));
  assert_ok(fare_densities_destroy(&exact));
  assert_ok(fare_system_destroy(&system));
}

/* With resampling over the whole ensemble, which moves particles between ranks. */
static void same_bits_on_any_ranks_and_after_loading(void **state)
{
  const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  const fare_schedule schedule = {0, 0.6, 4};
  fare_system        *system   = make_driven("prinz", 1, "tilt", 4);
  double              ratio, error, least;
  char                path[PATH_SIZE];

  (void)state;
  path_for("annealed", path);
  assert_same_bits(METHOD, "{protocol_steps: 6, resample_below: 0.9}", 1, system, &initial, &schedule, path);
  found(path, &ratio, &error, &least);
  assert_true(least < 0.9);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(free_energies_are_exact),
  cmocka_unit_test(weights_are_exact_at_large_steps),
  cmocka_unit_test(an_oracle_follows_the_truth),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
};
FARE_TEST_MAIN(tests)
