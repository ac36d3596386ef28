/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=300 */
/*
  The sampler of bridges: with the true dynamics as reference it has the truth at held-out times, with
  Brownian motion it does not, and by how much is told; what is learned has the closed form of Gaussian
  bridges, and follows the driven Prinz potential.
*/
#include "create_sampler.h"
#include "student.h"

#include "sampler/bridge/schrodinger_bridge.h"

#define METHOD "schrodinger_bridge"

/* `wave`: of the tilt, as YAML; NULL: none. */
static fare_system *system_of(const char *name, int dim, const char *wave)
{
  fare_system *system = make_system(name, dim);
  fare_config *config;

  if (!wave) return system;
  assert_ok(fare_config_parse("test", wave, strlen(wave), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
  return system;
}
#define SINE "{parameter: tilt, waveform: sine, amplitude: 4.0, period: 1.0}"

static void make_oracle(student *s)
{
  double            at[TAUGHT_MOST];
  fare_training_set times = {.times = at};

  training_times(s, at, &times.count);
  assert_ok(fare_sampler_set_mode(s->sampler, FARE_ORACLE, s->exact));
  assert_ok(fare_sampler_train(s->sampler, &times));
}

/* L1 between the oracle's density and the exact one at snapshot k. */
static double distance_at(student *s, PetscInt64 k)
{
  const PetscScalar *mass;
  double             sum = 0;
  PetscInt           n;
  Vec                masses;

  assert_ok(
    fare_schrodinger_model_density(s->sampler, fare_schedule_time(&s->schedule, k), s->exact->grid, &masses));
  VecGetSize(masses, &n);
  VecGetArrayRead(masses, &mass);
  for (PetscInt i = 0; i < n; i++) sum += fabs(mass[i] - s->exact->masses[k][i]);
  VecRestoreArrayRead(masses, &mass);
  VecDestroy(&masses);
  return sum;
}

static double worst_held_out(student *s)
{
  double worst = 0;

  for (PetscInt64 k = 0; k < s->schedule.count; k += 2) assert_near(distance_at(s, k), 0, 0);
  for (PetscInt64 k = 1; k < s->schedule.count; k += 2) worst = fmax(worst, distance_at(s, k));
  return worst;
}

static void the_true_dynamics_give_the_truth(void **state)
{
  static const struct {
    const char *system, *wave, *options;
    int         dim;
    PetscInt    cells;
    double      end, most;
  } cases[] = {
    {"prinz", SINE, "{reference: dynamics, fit_steps: 128}", 1, 256, 0.5, 1e-5},
    /* jumps within bridges, and far from snapshots */
    {"prinz", "{parameter: tilt, waveform: square, amplitude: 4.0, period: 0.13}",
      "{reference: dynamics, fit_steps: 128}", 1, 128, 0.3, 1e-4},
    {"quadruple_well", "{parameter: tilt, waveform: sine, amplitude: 0.6, period: 5.0}",
      "{reference: dynamics, fit_steps: 24}", 2, 32, 2, 3e-4},
    {"rotational_ou", NULL, "{reference: dynamics, fit_steps: 12}", 2, 32, 0.4, 1e-4},
  };

  (void)state;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    /* the last snapshot is held out: the reference alone leads there */
    const fare_schedule     schedule = {0, cases[k].end, 6};
    fare_system            *system   = system_of(cases[k].system, cases[k].dim, cases[k].wave);
    const fare_schrodinger *b;
    student                 s = {0};
    double                  worst;

    solve_exactly(&s, system, &schedule, cases[k].cells, 1e-9);
    student_begin(PETSC_COMM_WORLD, METHOD, "bridge", system, &schedule, cases[k].options, &s);
    make_oracle(&s);
    b     = s.sampler->state;
    worst = worst_held_out(&s);
    print_message("%s: held-out densities off by %.2e in L1; relative entropy of the first bridge %.2e\n",
      cases[k].system, worst, b->entropy[0]);
    assert_between(worst, 0, cases[k].most);
    for (int i = 0; i + 1 < b->count; i++) {
      assert_between(b->mismatch[i], 0, 1e-12);
      assert_near(b->entropy[i], 0, 1e-3);
    }
    student_end(&s);
  }
}

static void brownian_references_are_told_apart(void **state)
{
  static const char *const options[2] = {"{noise: 1.0}", "{noise: 0.3}"};
  const fare_schedule      schedule   = {0, 0.5, 11};

  (void)state;
  for (int k = 0; k < 2; k++) {
    fare_system            *system = system_of("prinz", 1, SINE);
    const fare_schrodinger *b;
    student                 s = {0};
    double                  worst;

    solve_exactly(&s, system, &schedule, 256, 1e-9);
    student_begin(PETSC_COMM_WORLD, METHOD, "bridge", system, &schedule, options[k], &s);
    make_oracle(&s);
    b     = s.sampler->state;
    worst = worst_held_out(&s);
    print_message(
      "Brownian %s: held-out densities off by %.3f in L1; relative entropy of the first bridge %.4f\n",
      options[k], worst, b->entropy[0]);
    assert_between(worst, k ? 0.1 : 0.3, k ? 0.5 : 1); /* a modelling error, no rounding */
    for (int i = 0; i + 1 < b->count; i++) {
      assert_between(b->mismatch[i], 0, 1e-12);
      assert_true(b->entropy[i] > 0.1);
    }
    student_end(&s);
  }
}

/* Draws of an oracle are of its masses, with the same bits on any number of ranks. */
static void oracles_draw_the_same_on_any_ranks(void **state)
{
  const fare_schedule schedule = {0, 0.4, 5};
  const MPI_Comm      comm[2]  = {PETSC_COMM_WORLD, PETSC_COMM_SELF};
  uint64_t            sum[2];

  (void)state;
  for (int k = 0; k < 2; k++) {
    fare_system   *system = system_of("prinz", 1, SINE);
    const int64_t  count  = 40000;
    fare_ensemble *e;
    student        s = {0};
    double         mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective, expected = 0;

    solve_exactly(&s, system, &schedule, 128, 1e-9);
    student_begin(comm[k], METHOD, "bridge", system, &schedule, "{}", &s);
    assert_ok(fare_ensemble_create(comm[k], 1, count, &e));
    assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED); /* nothing is solved yet */
    make_oracle(&s);
    for (int i = 0; i < 2; i++)
      assert_ok(fare_sampler_advance(s.sampler, fare_schedule_time(&schedule, i), e));
    assert_ok(fare_ensemble_checksum(e, &sum[k]));
    assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
    for (PetscInt i = 0; i < 128; i++)
      expected +=
        ((const fare_schrodinger *)s.sampler->state)->masses[1][i] * fare_grid_centre(s.exact->grid, 0, i);
    assert_near(mean[0], expected, 5 * sqrt(variance[0] / (double)count));
    assert_int_equal(fare_sampler_advance(s.sampler, 0.123, e), FARE_ERR_FAILED);
    assert_ok(fare_ensemble_destroy(&e));
    student_end(&s);
  }
  assert_true(sum[0] == sum[1]);
}

/*
  From N(0, 1) at 0, where the sampler's own particles begin, to N(1, 0.5^2) at 1 along x; along y it stays.
*/
static void fill_gaussian(const student *s, int k, double t, fare_ensemble *e)
{
  const fare_stream stream = fare_stream_make(8, "gaussian");

  (void)s;
  for (int64_t b = 0; b < e->blocks; b++) {
    for (int axis = 0; axis < e->dim; axis++) {
      double *x = e->x[axis] + b * FARE_BLOCK;

      fare_random_normals(stream, (uint64_t)(e->first_block + b), (uint64_t)k, (uint32_t)axis, x);
      for (int i = 0; i < FARE_BLOCK && axis == 0; i++) x[i] = t + (1 - t / 2) * x[i];
    }
  }
}

#define SHORT                                                                                            \
  "{width: 32, layers: 2, steps: 1500, batch: 2048, frequencies: 1, time_frequencies: 1, pairs: 16384, " \
  "noise: 1.0}"

/*
  kT = mobility = 1: the reference gains the variance 2 over the bridge. Pairs at random would have the
  covariance 0 in place of c.
*/
static void gaussians_are_bridged_as_the_closed_form_says(void **state)
{
  const fare_schedule schedule = {0, 1, 3};

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    const double g = 2, s0 = 1, s1 = 0.5, c = 0.5 * (sqrt(4 * s0 * s0 * s1 * s1 + g * g) - g),
                 still  = 0.5 * (sqrt(4 + g * g) - g);
    const double middle = 0.25 * (s0 * s0 + s1 * s1 + 2 * c + g), unpaired = middle - 0.5 * c,
                 stays     = 0.25 * (2 + 2 * still + g);
    double         zero[2] = {0, 0}, one[2] = {1, 1}, mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;
    fare_ensemble *e;
    student        s = {
             .initial =
               {
                 .density = FARE_INITIAL_GAUSSIAN,
                 .mean    = {(size_t)dim, zero},
                 .sd      = {(size_t)dim, one},
        },
    };

    student_begin(
      PETSC_COMM_WORLD, METHOD, "bridge", system_of("ornstein_uhlenbeck", dim, NULL), &schedule, SHORT, &s);
    teach(&s, 32768, fill_gaussian);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, 50000, &e));
    for (int k = 0; k < 3; k++) {
      assert_ok(fare_sampler_advance(s.sampler, 0.5 * k, e));
      assert_ok(fare_ensemble_moments(e, mean, variance, &effective));
      print_message("%d-D, t = %.1f: mean %.4f, variance %.4f", dim, 0.5 * k, mean[0], variance[0]);
      if (k == 1) print_message(" (closed form %.4f; pairs at random %.4f)", middle, unpaired);
      print_message("\n");
      assert_near(mean[0], 0.5 * k, 0.03);
      assert_near(variance[0], k == 1 ? middle : k ? s1 * s1 : s0 * s0, k == 1 ? 0.03 * middle : 0.04);
      if (dim == 2) assert_near(variance[1], k == 1 ? stays : 1, 0.05);
    }
    assert_true(fabs(unpaired - middle) > 0.05 * middle); /* far enough apart to be told */
    assert_ok(fare_ensemble_destroy(&e));
    student_end(&s);
  }
}

/* D(p||q) over 32 bins of 8 cells each; empty bins count half a sample. */
static double divergence(const student *s, PetscInt64 k, const fare_ensemble *e, const double q[])
{
  enum { BINS = 32 };
  const fare_grid *grid    = s->exact->grid;
  double           p[BINS] = {0}, have[BINS] = {0}, sum = 0, all = 0;

  for (PetscInt i = 0; i < grid->cells[0]; i++) p[i * BINS / grid->cells[0]] += s->exact->masses[k][i];
  if (e) {
    for (int64_t i = 0; i < e->local; i++) {
      const double bin = floor((e->x[0][i] - grid->lower[0]) / (grid->upper[0] - grid->lower[0]) * BINS);

      if (bin >= 0 && bin < BINS) have[(int)bin]++;
    }
    MPI_Allreduce(MPI_IN_PLACE, have, BINS, MPI_DOUBLE, MPI_SUM, e->comm);
    for (int b = 0; b < BINS; b++) have[b] += 0.5;
  } else {
    for (PetscInt i = 0; i < grid->cells[0]; i++) have[i * BINS / grid->cells[0]] += q[i];
  }
  for (int b = 0; b < BINS; b++) all += have[b];
  for (int b = 0; b < BINS; b++) {
    if (p[b] > 1e-12) sum += p[b] * log(p[b] * all / have[b]);
  }
  return sum;
}

static void the_driven_prinz_potential_is_followed(void **state)
{
  const fare_schedule schedule   = {0, 0.6, 13};
  fare_system        *system     = system_of("prinz", 1, SINE);
  double              learned[2] = {0}, boltzmann[2] = {0};
  fare_ensemble      *e;
  student             s = {0};

  (void)state;
  solve_exactly(&s, system, &schedule, 256, 1e-9);
  student_begin(PETSC_COMM_WORLD, METHOD, "bridge", system, &schedule,
    "{width: 48, steps: 3000, batch: 2048, pairs: 8192}", &s);
  teach(&s, 16384, fill_exact);
  assert_true(s.sampler->type->curve(s.sampler)->count == 200);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 30000, &e));
  for (PetscInt64 k = 0; k < schedule.count; k++) {
    const double       t = fare_schedule_time(&schedule, k);
    const PetscScalar *mass;
    Vec                masses;

    assert_ok(fare_sampler_advance(s.sampler, t, e));
    if (!k) continue;
    learned[k % 2] += divergence(&s, k, e, NULL) / 6;
    assert_ok(fare_grid_boltzmann(s.exact->grid, system, t, &masses));
    VecGetArrayRead(masses, &mass);
    boltzmann[k % 2] += divergence(&s, k, NULL, mass) / 6;
    VecRestoreArrayRead(masses, &mass);
    VecDestroy(&masses);
  }
  print_message("mean KL at trained times %.4f, of Boltzmann %.4f; at held-out times %.4f, %.4f\n",
    learned[0], boltzmann[0], learned[1], boltzmann[1]);
  assert_between(learned[0], 0, 0.01); /* the floor is 0.0005 */
  assert_true(learned[0] + learned[1] < (boltzmann[0] + boltzmann[1]) / 10);
  assert_ok(fare_ensemble_destroy(&e));
  student_end(&s);
}

/* What was saved under way goes on as the original does. */
static void saved_bridges_go_on_the_same(void **state)
{
  const fare_schedule schedule = {0, 1, 5};
  uint64_t            sum[2];
  fare_ensemble      *e, *kept;
  char                path[PATH_SIZE];

  (void)state;
  path_for(METHOD, path);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 3000, &e));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 2, 3000, &kept));
  for (int k = 0; k < 2; k++) {
    student s = {.initial = {.density = FARE_INITIAL_BOLTZMANN}};

    student_begin(PETSC_COMM_WORLD, METHOD, "bridge", system_of("ornstein_uhlenbeck", 2, NULL), &schedule,
      "{width: 16, layers: 2, steps: 40, batch: 600, pairs: 2048}", &s);
    assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED);
    if (k == 0) {
      teach(&s, 3000, fill_gaussian);
      for (int i = 0; i < 2; i++) assert_ok(fare_sampler_advance(s.sampler, 0.25 * i, e));
      assert_ok(fare_ensemble_copy(e, kept));
      save_sampler(s.sampler, path);
    } else {
      assert_ok(fare_ensemble_copy(kept, e));
      load_sampler(s.sampler, path);
    }
    for (int i = 2; i < 5; i++) assert_ok(fare_sampler_advance(s.sampler, 0.25 * i, e));
    assert_ok(fare_ensemble_checksum(e, &sum[k]));
    student_end(&s);
  }
  assert_true(sum[0] == sum[1]);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_ensemble_destroy(&kept));
}

static void what_cannot_be_bridged_is_refused(void **state)
{
  const fare_schedule     schedule = {0, 1, 3};
  double                  times[2] = {0, 1};
  fare_ensemble          *at[2];
  const fare_training_set data   = {2, times, at};
  fare_system            *system = system_of("kramers_double_well", 2, NULL);
  fare_sampler           *sampler;
  fare_config            *config;
  student                 s = {0};

  (void)state;
  assert_ok(fare_config_parse("test", "{}", 2, &config));
  assert_int_equal(create_sampler(PETSC_COMM_WORLD, fare_sampler_type_find(METHOD), METHOD, config, 11,
                     system, &s.initial, &schedule, &sampler),
    FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "has none along x"));
  assert_ok(fare_sampler_destroy(&sampler));
  fare_config_destroy(&config);
  assert_ok(fare_system_destroy(&system));

  student_begin(
    PETSC_COMM_WORLD, METHOD, "bridge", system_of("prinz", 1, NULL), &schedule, "{reference: dynamics}", &s);
  for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 1000, &at[k]));
  assert_int_equal(fare_sampler_train(s.sampler, &data), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "goes with 'oracle: true'"));
  for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_destroy(&at[k]));
  student_end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(the_true_dynamics_give_the_truth),
  cmocka_unit_test(brownian_references_are_told_apart),
  cmocka_unit_test(oracles_draw_the_same_on_any_ranks),
  cmocka_unit_test(gaussians_are_bridged_as_the_closed_form_says),
  cmocka_unit_test(the_driven_prinz_potential_is_followed),
  cmocka_unit_test(saved_bridges_go_on_the_same),
  cmocka_unit_test(what_cannot_be_bridged_is_refused),
};
FARE_TEST_MAIN(tests)
