/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Energies: forces against differences, exact ones against the truth, learned ones against what they should
  have learned.
*/
#include "samplers.h"

#include "sampler/energy/energy_model.h"

#define SNAPSHOTS 9
#define SEED      11

/*
  The driven Prinz potential over one period from equilibrium, its exact densities, and particles of it at
  every second time.
*/
typedef struct {
  fare_system      *system;
  fare_initial      initial;
  fare_schedule     schedule;
  fare_densities   *exact;
  fare_training_set data;
  double            times[SNAPSHOTS];
  fare_ensemble    *at[SNAPSHOTS];
} subject;

static subject *prinz(MPI_Comm comm, int64_t particles)
{
  static subject     s;
  PetscInt64         cells[] = {800};
  fare_truth_options options = {.cells = {1, cells}, .tolerance = 1e-7};
  fare_sampler      *simulation;
  fare_ensemble     *e;

  s        = (subject){.initial = {.density = FARE_INITIAL_BOLTZMANN}, .schedule = {0, 1, SNAPSHOTS}};
  s.system = make_driven("prinz", 1, "tilt", 4);
  assert_ok(fare_densities_create(PETSC_COMM_SELF, s.system, &s.initial, &s.schedule, &options, &s.exact));
  simulation =
    make_sampler(comm, "langevin", "{dt: 0.001, integrator: heun}", SEED, s.system, &s.initial, &s.schedule);
  assert_ok(fare_ensemble_create(comm, 1, particles, &e));
  for (int k = 0; k < SNAPSHOTS && particles > 1; k++) {
    const double t = fare_schedule_time(&s.schedule, k);

    assert_ok(fare_sampler_advance(simulation, t, e));
    if (k % 2) continue;
    s.times[s.data.count] = t;
    assert_ok(fare_ensemble_create(comm, 1, particles, &s.at[s.data.count]));
    assert_ok(fare_ensemble_copy(e, s.at[s.data.count++]));
  }
  s.data.times = s.times;
  s.data.at    = s.at;
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&simulation));
  return &s;
}

static void destroy(subject *s)
{
  for (int k = 0; k < s->data.count; k++) assert_ok(fare_ensemble_destroy(&s->at[k]));
  assert_ok(fare_densities_destroy(&s->exact));
  assert_ok(fare_system_destroy(&s->system));
}

/* D(p||q) of cell masses. */
static double divergence(const fare_densities *exact, const double p[], Vec q)
{
  const PetscScalar *b;
  double             sum = 0;

  assert_ok(VecGetArrayRead(q, &b));
  for (PetscInt c = 0; c < exact->grid->cells[0]; c++) sum += p[c] > 0 ? p[c] * log(p[c] / b[c]) : 0;
  assert_ok(VecRestoreArrayRead(q, &b));
  return sum;
}

/*
  Chi-square of weighted counts over 32 bins against cell masses, as if every effective particle were an
  independent one.
*/
static double chi_square(
  const fare_ensemble *e, const fare_grid *grid, const double masses[], double *degrees)
{
  double         share[32] = {0}, sum[2] = {0}, chi = 0;
  const PetscInt per_bin = grid->cells[0] / 32;

  for (int64_t i = 0; i < e->local; i++) {
    const double w = e->weight ? e->weight[i] : 1;

    share[(int)PetscMax(
      0, PetscMin(31, floor((e->x[0][i] - grid->lower[0]) / (grid->upper[0] - grid->lower[0]) * 32)))] += w;
    sum[0] += w;
    sum[1] += w * w;
  }
  MPI_Allreduce(MPI_IN_PLACE, share, 32, MPI_DOUBLE, MPI_SUM, e->comm);
  MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, e->comm);
  *degrees = -1;
  for (int b = 0; b < 32; b++) {
    const double effective = sum[0] * sum[0] / sum[1];
    double       p         = 0;

    for (PetscInt c = b * per_bin; c < (b + 1) * per_bin; c++) p += masses[c];
    if (p * effective < 5) continue;
    chi += effective * pow(share[b] / sum[0] - p, 2) / p;
    ++*degrees;
  }
  return chi;
}

/* f against the difference of U over a step that suits its precision. */
static void check_force(fare_energy *energy, double step, double tolerance)
{
  double        place[3][FARE_DIM_MAX][FARE_BLOCK], force[FARE_DIM_MAX][FARE_BLOCK], U[3][FARE_BLOCK];
  double *const f[FARE_DIM_MAX] = {force[0], force[1], force[2]}, spare[FARE_DIM_MAX][FARE_BLOCK];
  double *const g[FARE_DIM_MAX] = {(double *)spare[0], (double *)spare[1], (double *)spare[2]};
  fare_random   random          = {.stream = fare_stream_make(4, "places")};

  for (int axis = 0; axis < energy->dim; axis++) {
    for (int i = 0; i < FARE_BLOCK; i++)
      place[0][axis][i] = energy->periodic[axis]
        ? energy->lower[axis] + energy->length[axis] * (2 * fare_random_uniform(&random) - 0.5)
        : fare_random_normal(&random);
  }
  for (int axis = 0; axis < energy->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const double *z[FARE_DIM_MAX] = {place[side + 1][0], place[side + 1][1], place[side + 1][2]};

      memcpy(place[side + 1], place[0], sizeof place[0]);
      for (int i = 0; i < FARE_BLOCK; i++) place[side + 1][axis][i] += (side ? 1 : -1) * step;
      energy->evaluate(energy, FARE_BLOCK, z, U[side + 1], g);
    }
    {
      const double *z[FARE_DIM_MAX] = {place[0][0], place[0][1], place[0][2]};

      energy->evaluate(energy, FARE_BLOCK, z, U[0], f);
    }
    for (int i = 0; i < FARE_BLOCK; i++)
      assert_near(f[axis][i], -(U[2][i] - U[1][i]) / (2 * step), tolerance * (1 + fabs(f[axis][i])));
  }
}

/*
  Of an exact energy with one axis of each kind, and of a network with random weights; round a ring both come
  back to the same.
*/
static void forces_are_derivatives(void **state)
{
  const fare_initial initial = {
    .density = FARE_INITIAL_GAUSSIAN, .mean = {2, (double[]){0.5, 0.3}}, .sd = {2, (double[]){0.6, 0.7}}};
  const fare_schedule schedule = {0, 0.2, 3};
  const double        shift[] = {0.2, 0.1}, scale[] = {0.8, 1.3};
  PetscInt64          cells[] = {48, 40};
  fare_truth_options  options = {.cells = {2, cells}, .tolerance = 1e-4};
  fare_sampler       *sampler;
  fare_system        *system;
  fare_densities     *exact;
  fare_energy        *energy;
  fare_random         random = {.stream = fare_stream_make(5, "weights")};
  fare_generative    *g;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("swing_equation"), 2, &system));
  assert_ok(fare_densities_create(PETSC_COMM_SELF, system, &initial, &schedule, &options, &exact));
  assert_ok(fare_energy_of_densities(exact, 0, NULL, shift, scale, &energy));
  assert_true(energy->periodic[0] && !energy->periodic[1]);
  assert_ok(energy->move(energy, 0.13));
  check_force(energy, 1e-6, 1e-5);
  assert_ok(fare_energy_destroy(&energy));
  assert_ok(fare_densities_destroy(&exact));

  sampler = make_sampler(PETSC_COMM_WORLD, "ebm", "{width: 16, layers: 2, conditioned: true, frequencies: 2}",
    SEED, system, &initial, &schedule);
  g       = sampler->state;
  for (size_t i = 0; i < fare_network_count(g->network); i++)
    fare_network_weights(g->network)[i] = 0.3f * (float)fare_random_normal(&random);
  for (int axis = 0; axis < 2; axis++) {
    g->mean[axis] = shift[axis];
    g->sd[axis]   = scale[axis];
  }
  assert_ok(fare_energy_of_network(sampler, &energy));
  assert_ok(energy->move(energy, 0.13));
  check_force(energy, 3e-3, 2e-3); /* in float32 */
  {
    double there[2][FARE_BLOCK] = {{0.4}, {-0.3}}, round[2][FARE_BLOCK] = {{0.4 + energy->length[0]}, {-0.3}},
           U[2][FARE_BLOCK], f[2][FARE_BLOCK];
    const double *z[2][FARE_DIM_MAX] = {{there[0], there[1]}, {round[0], round[1]}};
    double *const to[FARE_DIM_MAX]   = {f[0], f[1]};

    for (int i = 0; i < 2; i++) energy->evaluate(energy, 1, z[i], U[i], to);
    assert_near(U[0][0], U[1][0], 1e-5);
  }
  assert_ok(fare_energy_destroy(&energy));
  assert_ok(fare_sampler_destroy(&sampler));
  assert_ok(fare_system_destroy(&system));
}

/*
  With the exact energies all methods but the static one follow p(x,t); that one stays with the mean over the
  training times.
*/
static void oracles_have_the_densities_they_claim(void **state)
{
  static const struct {
    const char *type, *options;
    int         pooled;
  } cases[]               = {{"ebm", "{}", 1}, {"ebm", "{conditioned: true}", 0}, {"neq_ebm", "{}", 0},
                  {"neq_ebm", "{relaxation: mala, protocol_steps: 5}", 0}};
  subject          *s     = prinz(PETSC_COMM_WORLD, 1);
  const double      all[] = {0, 0.25, 0.5, 0.75, 1};
  fare_training_set times = {5, all, NULL};

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fare_sampler *sampler = make_sampler(
      PETSC_COMM_WORLD, cases[i].type, cases[i].options, SEED, s->system, &s->initial, &s->schedule);
    fare_ensemble *e;
    double         pooled[800] = {0};

    for (int k = 0; k < SNAPSHOTS; k += 2) {
      for (int c = 0; c < 800; c++) pooled[c] += s->exact->masses[k][c] / 5;
    }
    assert_ok(fare_sampler_set_mode(sampler, FARE_ORACLE, s->exact));
    assert_ok(fare_sampler_train(sampler, &times));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 20000, &e));
    for (int k = 0; k < SNAPSHOTS; k++) {
      const double *p = cases[i].pooled ? pooled : s->exact->masses[k];
      double        chi, degrees;
      Vec           masses;

      assert_ok(fare_sampler_advance(sampler, s->exact->times[k], e));
      assert_ok(sampler->type->model_density(sampler, s->exact->times[k], s->exact->grid, &masses));
      assert_between(divergence(s->exact, p, masses), -1e-10, 1e-9);
      assert_ok(VecDestroy(&masses));
      chi = chi_square(e, s->exact->grid, p, &degrees);
      /* resampled particles are not independent, but their moves make them nearly so */
      assert_between(chi, 0, (e->weight ? 2.5 : 1) * (degrees + 5 * sqrt(2 * degrees)));
    }
    assert_true(sampler->cost.network_evaluations == 0);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_sampler_destroy(&sampler));
  }
  destroy(s);
}

/*
  Mean over all snapshots of D(p||q), for the density that a sampler aims at; and its particles against that.
*/
static double drawn(fare_sampler *sampler, const subject *s)
{
  fare_ensemble *e;
  double         sum = 0;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 6000, &e));
  for (int k = 0; k < SNAPSHOTS; k++) {
    const PetscScalar *q;
    double             chi, degrees;
    Vec                masses;

    assert_ok(fare_sampler_advance(sampler, s->exact->times[k], e));
    assert_ok(sampler->type->model_density(sampler, s->exact->times[k], s->exact->grid, &masses));
    sum += divergence(s->exact, s->exact->masses[k], masses) / SNAPSHOTS;
    assert_ok(VecGetArrayRead(masses, &q));
    chi = chi_square(e, s->exact->grid, q, &degrees);
    assert_ok(VecRestoreArrayRead(masses, &q));
    assert_between(chi, 0, (e->weight ? 2.5 : 1) * (degrees + 5 * sqrt(2 * degrees)));
    assert_ok(VecDestroy(&masses));
  }
  assert_ok(fare_ensemble_destroy(&e));
  return sum;
}

/* Mean over the training times of the entropy of z = (x - mean)/sd. */
static double entropy(const subject *s, const fare_sampler *sampler)
{
  double sum = 0;

  for (int k = 0; k < SNAPSHOTS; k += 2) {
    for (PetscInt c = 0; c < s->exact->grid->cells[0]; c++) {
      const double p = s->exact->masses[k][c];

      sum -= p > 0 ? p * log(p / s->exact->grid->spacing[0]) / s->data.count : 0;
    }
  }
  return sum - log(((const fare_generative *)sampler->state)->sd[0]);
}

/*
  With Jarzynski weights the walkers know ln Z, so the loss is the cross-entropy of data and energy: after a
  short training as good as the integral of it. (In a long one it gets too low, as the network comes to know
  the walkers that it is compared with; more of them are a cure.)
*/
static void the_loss_is_the_cross_entropy(void **state)
{
  subject      *s       = prinz(PETSC_COMM_WORLD, 20000);
  fare_sampler *sampler = make_sampler(PETSC_COMM_WORLD, "neq_ebm",
    "{width: 16, layers: 2, steps: 400, ema: 0, batch: 4096, learning_rate: 1e-3, walkers: 4096, "
    "time_frequencies: 2}",
    SEED, s->system, &s->initial, &s->schedule);
  double        last    = 0, exact;

  (void)state;
  assert_ok(fare_sampler_train(sampler, &s->data));
  exact = entropy(s, sampler);
  for (int k = 0; k < SNAPSHOTS; k += 2) {
    Vec masses;

    assert_ok(sampler->type->model_density(sampler, s->exact->times[k], s->exact->grid, &masses));
    exact += divergence(s->exact, s->exact->masses[k], masses) / s->data.count;
    assert_ok(VecDestroy(&masses));
  }
  {
    const fare_curve *curve = sampler->type->curve(sampler);

    for (size_t i = curve->count - 20; i < curve->count; i++) last += curve->loss[i] / 20;
  }
  print_message("cross-entropy %.4f by the walkers, %.4f by quadrature, %.4f with the exact density\n", last,
    exact, entropy(s, sampler));
  assert_near(last, exact, 0.02);
  assert_ok(fare_sampler_destroy(&sampler));
  destroy(s);
}

/*
  Small trainings. The energy conditioned on time must be 50 times closer to the truth than the equilibrium of
  the moment; the one for all times no closer than the pooled density is, but near that.
*/
static void learned_energies_are_near_what_they_learn(void **state)
{
  subject      *s           = prinz(PETSC_COMM_WORLD, 20000);
  double        equilibrium = 0, pooled[800] = {0}, best = 0;
  fare_sampler *sampler;

  (void)state;
  for (int k = 0; k < SNAPSHOTS; k++) {
    Vec masses;

    assert_ok(fare_grid_boltzmann(s->exact->grid, s->system, s->exact->times[k], &masses));
    equilibrium += divergence(s->exact, s->exact->masses[k], masses) / SNAPSHOTS;
    assert_ok(VecDestroy(&masses));
    for (int c = 0; c < 800 && k % 2 == 0; c++) pooled[c] += s->exact->masses[k][c] / 5;
  }
  for (int k = 0; k < SNAPSHOTS; k++) {
    for (int c = 0; c < 800; c++)
      best += s->exact->masses[k][c] > 0
        ? s->exact->masses[k][c] * log(s->exact->masses[k][c] / pooled[c]) / SNAPSHOTS
        : 0;
  }

  sampler = make_sampler(PETSC_COMM_WORLD, "neq_ebm",
    "{width: 32, layers: 2, steps: 1500, time_frequencies: 2, walkers: 4096}", SEED, s->system, &s->initial,
    &s->schedule);
  assert_ok(fare_sampler_train(sampler, &s->data));
  {
    const double off = drawn(sampler, s);

    print_message("neq_ebm: D(truth||learned) %.5f on average, of the equilibrium %.4f\n", off, equilibrium);
    assert_between(off, 0, equilibrium / 50);
  }
  assert_ok(fare_sampler_destroy(&sampler));

  sampler = make_sampler(PETSC_COMM_WORLD, "ebm",
    "{width: 32, layers: 2, steps: 1500, time_frequencies: 2, conditioned: true, walkers: 512, burn_in: 60}",
    SEED, s->system, &s->initial, &s->schedule);
  assert_ok(fare_sampler_train(sampler, &s->data));
  {
    const double off = drawn(sampler, s);

    print_message("ebm, conditioned: %.5f\n", off);
    assert_between(off, 0, equilibrium / 50);
  }
  assert_ok(fare_sampler_destroy(&sampler));

  sampler =
    make_sampler(PETSC_COMM_WORLD, "ebm", "{width: 32, layers: 2, steps: 800, walkers: 2048, burn_in: 60}",
      SEED, s->system, &s->initial, &s->schedule);
  assert_ok(fare_sampler_train(sampler, &s->data));
  {
    const double off = drawn(sampler, s);

    print_message("ebm: %.5f, of the pooled density %.5f\n", off, best);
    assert_between(off, best - 0.01, best + 0.02);
  }
  assert_ok(fare_sampler_destroy(&sampler));
  destroy(s);
}

/*
  Trained on all ranks together, saved, and read by all together and by each alone: the same particles, also
  after a second stop on the way.
*/
static void same_bits_on_any_ranks_and_after_loading(void **state)
{
  static const char *const types[]   = {"ebm", "neq_ebm"};
  static const char *const options[] = {
    "{width: 8, layers: 1, steps: 60, walkers: 512, burn_in: 5, sweeps: 2, adaptation: 2, conditioned: true}",
    "{width: 8, layers: 1, steps: 60, start_steps: 20, resample_below: 0.95}"};
  const MPI_Comm comm[3] = {PETSC_COMM_WORLD, PETSC_COMM_SELF, PETSC_COMM_WORLD};
  subject       *s       = prinz(PETSC_COMM_WORLD, 3000);
  char           path[PATH_SIZE], half[PATH_SIZE];

  (void)state;
  path_for("energy_models", path);
  path_for("energy_models_half", half);
  for (int type = 0; type < 2; type++) {
    fare_sampler *trained =
      make_sampler(PETSC_COMM_WORLD, types[type], options[type], SEED, s->system, &s->initial, &s->schedule);
    uint64_t sum[3];

    assert_ok(fare_sampler_train(trained, &s->data));
    save_sampler(trained, path);
    assert_ok(fare_sampler_destroy(&trained));
    for (int k = 0; k < 3; k++) {
      fare_sampler *sampler =
        make_sampler(comm[k], types[type], options[type], SEED, s->system, &s->initial, &s->schedule);
      fare_ensemble *e;

      load_sampler(sampler, path);
      assert_ok(fare_ensemble_create(comm[k], 1, 4 * FARE_BLOCK, &e));
      for (int n = 0; n < 3; n++) assert_ok(fare_sampler_advance(sampler, s->exact->times[n], e));
      if (k == 2) {
        save_sampler(sampler, half);
        assert_ok(fare_sampler_destroy(&sampler));
        sampler =
          make_sampler(comm[k], types[type], options[type], SEED, s->system, &s->initial, &s->schedule);
        load_sampler(sampler, half);
      }
      for (int n = 3; n < 6; n++) assert_ok(fare_sampler_advance(sampler, s->exact->times[n], e));
      assert_ok(fare_ensemble_checksum(e, &sum[k]));
      assert_ok(fare_ensemble_destroy(&e));
      assert_ok(fare_sampler_destroy(&sampler));
    }
    assert_true(sum[0] == sum[1]);
    assert_true(sum[0] == sum[2]);
  }
  destroy(s);
}

static PetscErrorCode stop_once(void *context, int64_t step, PetscBool *stop)
{
  int64_t *at = context;

  PetscFunctionBeginUser;
  *stop = *at == 0 ? PETSC_TRUE : PETSC_FALSE;
  *at   = step;
  PetscFunctionReturn(0);
}

/* Walkers and their weights live from step to step, so they have to be kept with the network. */
static void a_training_that_stops_goes_on_to_the_same_bits(void **state)
{
  static const char *const        types[] = {"ebm", "neq_ebm"},
                           *const options = "{width: 8, layers: 1, steps: 150, walkers: 1024, batch: 1024}";
  subject                        *s       = prinz(PETSC_COMM_WORLD, 3000);
  char                            path[PATH_SIZE];

  (void)state;
  path_for("energy_models", path);
  for (int type = 0; type < 2; type++) {
    fare_sampler *whole = make_sampler(
                   PETSC_COMM_WORLD, types[type], options, SEED, s->system, &s->initial, &s->schedule),
                 *first = make_sampler(
                   PETSC_COMM_WORLD, types[type], options, 11, s->system, &s->initial, &s->schedule);
    fare_sampler *second =
      make_sampler(PETSC_COMM_WORLD, types[type], options, SEED, s->system, &s->initial, &s->schedule);
    const fare_generative *a = whole->state, *b = second->state;
    fare_store            *store;
    int64_t                at = 0;

    assert_ok(fare_sampler_train(whole, &s->data));
    first->session.context = &at;
    first->session.pause   = stop_once;
    assert_int_equal(fare_sampler_train(first, &s->data), FARE_ERR_STOPPED);
    assert_between(at, 1, 149);
    assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
    assert_ok(fare_learn_state_save(first->session.state, store, "training"));
    assert_ok(fare_store_commit(&store));
    assert_ok(fare_sampler_destroy(&first));
    assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
    assert_ok(fare_learn_state_load(&second->session.state, store, "training"));
    assert_ok(fare_store_close(&store));
    assert_ok(fare_sampler_train(second, &s->data));
    assert_memory_equal(fare_network_weights(a->network), fare_network_weights(b->network),
      fare_network_count(a->network) * sizeof(float));
    assert_ok(fare_sampler_destroy(&whole));
    assert_ok(fare_sampler_destroy(&second));
  }
  destroy(s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(forces_are_derivatives),
  cmocka_unit_test(oracles_have_the_densities_they_claim),
  cmocka_unit_test(the_loss_is_the_cross_entropy),
  cmocka_unit_test(learned_energies_are_near_what_they_learn),
  cmocka_unit_test(same_bits_on_any_ranks_and_after_loading),
  cmocka_unit_test(a_training_that_stops_goes_on_to_the_same_bits),
};
FARE_TEST_MAIN(tests)
