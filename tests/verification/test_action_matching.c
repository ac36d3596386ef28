/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Action matching learned from densities of closed form that move, particle by particle; its oracle against
  closed forms on grids that are halved.
*/
#include "student.h"

#define TIMES 21
#define COUNT 8192

/* x = m(t) + s(t) A z: along the first axis it moves and widens, along the second it narrows. */
static double mean_of(double t, int axis)
{
  return axis ? 0 : sin(M_PI * t);
}
static double sd_of(double t, int axis)
{
  return axis ? 0.5 - 0.2 * t : 0.4 + 0.3 * t;
}

static void fill(fare_ensemble *e, double t, uint64_t step)
{
  const fare_stream stream = fare_stream_make(8, "gaussian");

  for (int64_t b = 0; b < e->blocks; b++) {
    for (int axis = 0; axis < e->dim; axis++) {
      double z[FARE_BLOCK];

      fare_random_normals(stream, (uint64_t)(e->first_block + b), step, (uint32_t)axis, z);
      for (int i = 0; i < FARE_BLOCK; i++)
        e->x[axis][b * FARE_BLOCK + i] = mean_of(t, axis) + sd_of(t, axis) * z[i];
    }
  }
}

static const fare_schedule schedule = {0, 1, TIMES};

/* A sampler of a system that begins as the Gaussian `initial`, in YAML. */
static void begin(MPI_Comm comm, int dim, const char *options, const char *initial, student *s)
{
  fare_system *system = make_system("ornstein_uhlenbeck", dim);
  fare_config *config;

  *s = (student){0};
  assert_ok(fare_config_parse("test", initial, strlen(initial), &config));
  assert_ok(fare_initial_from_config(fare_config_root(config), system, &s->initial));
  fare_config_destroy(&config);
  student_begin(comm, "action_matching", "action", system, &schedule, options, s);
}

static void end(student *s)
{
  student_end(s);
  fare_initial_free(&s->initial);
}

/* From all times but so many of the first. */
static PetscErrorCode teach_from(student *s, int first, int64_t count)
{
  double                  times[TIMES];
  fare_ensemble          *at[TIMES];
  const fare_training_set data = {TIMES - first, times + first, at + first};
  PetscErrorCode          code;

  for (int k = 0; k < TIMES; k++) {
    times[k] = (double)k / (TIMES - 1);
    assert_ok(fare_ensemble_create(s->sampler->comm, fare_system_dimension(s->system), count, &at[k]));
    fill(at[k], times[k], (uint64_t)k);
  }
  code = fare_sampler_train(s->sampler, &data);
  for (int k = 0; k < TIMES; k++) assert_ok(fare_ensemble_destroy(&at[k]));
  return code;
}

#define START_1 "{density: gaussian, mean: [0.0], sd: [0.4]}"
#define START_2 "{density: gaussian, mean: [0.0, 0.0], sd: [0.4, 0.5]}"
#define NETWORK                                                                                     \
  "width: 24, layers: 2, batch: 1024, learning_rate: 5.0e-3, frequencies: 1, time_frequencies: 2, " \
  "transport_steps: "                                                                               \
  "4"

/*
  Each particle goes where the exact flow takes it: z = (x - m(t))/s(t) stays as it is along each axis, since
  s(x,t) = sum_k m_k' x_k + (s_k'/s_k)(x_k - m_k)^2/2 does that. Root mean square over particles, in standard
  deviations.
*/
static void particles_follow_the_exact_flow(void **state)
{
  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    fare_ensemble *e, *start;
    student        s;

    begin(PETSC_COMM_WORLD, dim, "{steps: 3000, " NETWORK "}", dim == 1 ? START_1 : START_2, &s);
    assert_ok(teach_from(&s, 0, COUNT));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, COUNT, &e));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, COUNT, &start));
    assert_ok(fare_sampler_advance(s.sampler, 0, e));
    assert_ok(fare_ensemble_copy(e, start));
    for (int k = 1; k < TIMES; k++) {
      const double t                 = (double)k / (TIMES - 1);
      double       off[FARE_DIM_MAX] = {0};

      assert_ok(fare_sampler_advance(s.sampler, t, e));
      for (int axis = 0; axis < dim; axis++) {
        for (int64_t i = 0; i < e->local; i++)
          off[axis] += pow((e->x[axis][i] - mean_of(t, axis)) / sd_of(t, axis) -
                           (start->x[axis][i] - mean_of(0, axis)) / sd_of(0, axis),
                         2) /
            COUNT;
      }
      MPI_Allreduce(MPI_IN_PLACE, off, FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
      if (k == TIMES - 1)
        print_message("dimension %d: %.4f and %.4f standard deviations off at the end\n", dim, sqrt(off[0]),
          sqrt(off[1]));
      for (int axis = 0; axis < dim; axis++) assert_between(sqrt(off[axis]), 0, 0.08);
    }
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_ensemble_destroy(&start));
    end(&s);
  }
}

/* With diffusion the particles are shuffled, but their density is that of the snapshots. */
static void entropic_particles_have_the_right_moments(void **state)
{
  fare_ensemble *e;
  student        s;

  (void)state;
  begin(PETSC_COMM_WORLD, 1, "{entropic: true, steps: 1500, " NETWORK "}", START_1, &s);
  assert_ok(fare_system_set(s.system, "kT", 0.5));
  assert_ok(teach_from(&s, 0, COUNT));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, COUNT, &e));
  for (int k = 0; k < TIMES; k++) {
    const double t = (double)k / (TIMES - 1);
    double       mean, variance, effective;

    assert_ok(fare_sampler_advance(s.sampler, t, e));
    assert_ok(fare_ensemble_moments(e, &mean, &variance, &effective));
    /* five standard errors, and what the network may be off by */
    assert_near(mean, mean_of(t, 0), (5 / sqrt(COUNT) + 0.05) * sd_of(t, 0));
    assert_near(sqrt(variance), sd_of(t, 0), (5 / sqrt(2. * COUNT) + 0.05) * sd_of(t, 0));
  }
  assert_ok(fare_ensemble_destroy(&e));
  end(&s);
}

/*
  The exact densities of the Ornstein-Uhlenbeck process (stiffness 1, kT 1, mobility 1) from a Gaussian, on so
  many cells.
*/
static void solve(student *s, PetscInt cells)
{
  const size_t       dim                 = (size_t)fare_system_dimension(s->system);
  PetscInt64         n[FARE_DIM_MAX]     = {cells, cells, cells};
  double             lower[FARE_DIM_MAX] = {-7, -7, -7}, upper[FARE_DIM_MAX] = {7, 7, 7};
  fare_truth_options options = {
    .cells = {dim, n}, .lower = {dim, lower}, .upper = {dim, upper}, .tolerance = 1e-7};

  assert_ok(
    fare_densities_create(s->sampler->comm, s->system, &s->initial, &s->schedule, &options, &s->exact));
}

#define SHIFTED_1 "{density: gaussian, mean: [1.5], sd: [0.5]}"
#define SHIFTED_2 "{density: gaussian, mean: [1.5, -0.5], sd: [0.5, 1.2]}"

/*
  Greatest root mean square, over times, of how far particles are from x = m(t) + s(t)/s(0) (x_0 - m(0)), the
  flow of least action, in standard deviations.
*/
static double oracle_error(int dim, PetscInt cells, const char *options, uint64_t *sum)
{
  const double            mean[2] = {1.5, -0.5}, sd[2] = {0.5, 1.2};
  const MPI_Comm          comm  = PETSC_COMM_WORLD;
  double                  worst = 0;
  fare_ensemble          *e, *start;
  double                  times[TIMES];
  const fare_training_set none = {TIMES, times, NULL};
  student                 s;

  begin(comm, dim, options, dim == 1 ? SHIFTED_1 : SHIFTED_2, &s);
  solve(&s, cells);
  for (int k = 0; k < TIMES; k++) times[k] = fare_schedule_time(&s.schedule, k);
  assert_ok(fare_sampler_set_mode(s.sampler, FARE_ORACLE, s.exact));
  assert_ok(fare_sampler_train(s.sampler, &none));
  assert_ok(fare_ensemble_create(comm, dim, COUNT, &e));
  assert_ok(fare_ensemble_create(comm, dim, COUNT, &start));
  assert_ok(fare_sampler_advance(s.sampler, 0, e));
  assert_ok(fare_ensemble_copy(e, start));
  for (int k = 1; k < TIMES; k++) {
    const double decay  = exp(-times[k]);
    double       off[2] = {0};

    assert_ok(fare_sampler_advance(s.sampler, times[k], e));
    for (int axis = 0; axis < dim; axis++) {
      const double width = sqrt(1 + (sd[axis] * sd[axis] - 1) * decay * decay);

      for (int64_t i = 0; i < e->local; i++)
        off[axis] +=
          pow((e->x[axis][i] - decay * mean[axis]) / width - (start->x[axis][i] - mean[axis]) / sd[axis], 2) /
          COUNT;
    }
    MPI_Allreduce(MPI_IN_PLACE, off, 2, MPI_DOUBLE, MPI_SUM, comm);
    for (int axis = 0; axis < dim; axis++) worst = fmax(worst, sqrt(off[axis]));
  }
  assert_ok(fare_ensemble_checksum(e, sum));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_ensemble_destroy(&start));
  end(&s);
  return worst;
}

/*
  One dimension: an error of the order of the cells' width squared. Two: that and the one of taking p linear
  in t between snapshots.
*/
static void oracles_are_as_good_as_their_grid(void **state)
{
  double   coarse, fine;
  uint64_t sum;

  (void)state;
  coarse = oracle_error(1, 128, "{}", &sum);
  fine   = oracle_error(1, 512, "{}", &sum);
  print_message("one dimension: %.5f with 128 cells, %.5f with 512\n", coarse, fine);
  assert_between(fine, 0, coarse / 6);
  assert_between(fine, 0, 1e-3);
  coarse = oracle_error(2, 48, "{transport_steps: 4}", &sum);
  fine   = oracle_error(2, 96, "{transport_steps: 4}", &sum);
  print_message("two dimensions: %.5f with 48^2 cells, %.5f with 96^2\n", coarse, fine);
  assert_between(fine, 0, coarse / 2.5);
  assert_between(fine, 0, 0.02);
}

/* Carries a learned sampler, loaded from a file, over all times. */
static void carried(MPI_Comm comm, const char *path, const char *options, uint64_t *sum)
{
  fare_ensemble *e;
  student        s;

  begin(comm, 2, options, START_2, &s);
  load_sampler(s.sampler, path);
  assert_ok(fare_ensemble_create(comm, 2, 3000, &e));
  for (int k = 0; k < TIMES; k += 4) assert_ok(fare_sampler_advance(s.sampler, (double)k / (TIMES - 1), e));
  assert_ok(fare_ensemble_checksum(e, sum));
  assert_ok(fare_ensemble_destroy(&e));
  end(&s);
}

/*
  Together or on one rank, deterministic or with noise: the same bits; and other bits with noise than without.
*/
static void ranks_make_no_difference(void **state)
{
  uint64_t sum[2][2];
  char     path[PATH_SIZE];

  (void)state;
  path_for("action_matching", path);
  for (int entropic = 0; entropic < 2; entropic++) {
    const char *options = entropic ? "{entropic: true, steps: 30, " NETWORK "}" : "{steps: 30, " NETWORK "}";
    student     s;

    begin(PETSC_COMM_WORLD, 2, options, START_2, &s);
    assert_ok(teach_from(&s, 0, 2000));
    save_sampler(s.sampler, path);
    end(&s);
    carried(PETSC_COMM_WORLD, path, options, &sum[entropic][0]);
    carried(PETSC_COMM_SELF, path, options, &sum[entropic][1]);
    assert_true(sum[entropic][0] == sum[entropic][1]);
  }
  assert_true(sum[0][0] != sum[1][0]);
}

static void what_cannot_be_learned_is_refused(void **state)
{
  fare_ensemble *e;
  student        s;

  (void)state;
  begin(PETSC_COMM_WORLD, 1, "{steps: 1, " NETWORK "}", START_1, &s);
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 10, &e));
  assert_int_equal(fare_sampler_advance(s.sampler, 0, e), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "must be trained"));
  assert_int_equal(teach_from(&s, 3, 100), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "from the first snapshot on, not from t = 0.15"));
  assert_int_equal(teach_from(&s, TIMES - 1, 100), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "at least two training times"));
  assert_ok(fare_ensemble_destroy(&e));
  end(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(particles_follow_the_exact_flow),
  cmocka_unit_test(entropic_particles_have_the_right_moments),
  cmocka_unit_test(oracles_are_as_good_as_their_grid),
  cmocka_unit_test(ranks_make_no_difference),
  cmocka_unit_test(what_cannot_be_learned_is_refused),
};
FARE_TEST_MAIN(tests)
