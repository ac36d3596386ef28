/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=600 */
/*
  Every sampler that is registered, in one, two and three dimensions and round a circle, in every mode that it
  has, with trainings of a few steps: what it draws is finite and spread out, and where its field is exact, or
  it tells the density that it aims at, has the moments of that.
*/
#include "create_sampler.h"
#include "fare_test.h"

#define TIMES 3

static const struct {
  int         dim;
  const char *system, *wave, *initial;
  double      half_width; /* of the grid; 0: that of the system */
  PetscInt64  cells;
  int64_t     particles;
  /* from noise to data: more where a density has a step, as one that is cut open */
  const char *sampling_steps;
} scenes[] = {
  {1, "ornstein_uhlenbeck", "{parameter: centre, waveform: sine, amplitude: 2.0, period: 2.0}",
    "{density: gaussian, mean: [0.5], sd: [0.7]}", 6, 192, 3000, "8"},
  {2, "ornstein_uhlenbeck", "{parameter: centre, waveform: sine, amplitude: 2.0, period: 2.0}",
    "{density: gaussian, mean: [0.5, 0.0], sd: [0.7, 1.0]}", 5, 40, 3000, "8"},
  {3, "ornstein_uhlenbeck", "{parameter: centre, waveform: sine, amplitude: 2.0, period: 2.0}",
    "{density: gaussian, mean: [0.5, 0.0, -0.3], sd: [0.7, 1.0, 0.8]}", 4, 24, 1000, "6"},
  {1, "tilted_washboard", "{parameter: height, waveform: sine, amplitude: 0.5, period: 2.0}",
    "{density: gaussian, mean: [2.0], sd: [0.7]}", 0, 96, 3000, "24"},
  {2, "swing_equation", "{parameter: power, waveform: sine, amplitude: 0.2, period: 2.0}",
    "{density: gaussian, mean: [2.0, 0.0], sd: [0.7, 0.8]}", 0, 48, 3000, "24"},
};

/* Little training and few steps, of whatever of these a sampler has. */
static const struct {
  const char *key, *value;
} cheap[] = {{"dt", "0.01"}, {"width", "8"}, {"layers", "1"}, {"steps", "6"}, {"batch", "512"},
  {"walkers", "512"}, {"pairs", "1024"}, {"burn_in", "20"}, {"start_steps", "40"}, {"fit_steps", "6"},
  {"bins", "6"}, {"transport_steps", "4"}};

static void options_of(const fare_sampler_type *type, const char *sampling_steps, char *to, size_t size)
{
  size_t length = (size_t)snprintf(to, size, "{");

  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cheap); i++) {
    for (const fare_field *f = type->fields; f->key; f++) {
      if (!strcmp(f->key, cheap[i].key))
        length += (size_t)snprintf(
          to + length, size - length, "%s%s: %s", length > 1 ? ", " : "", f->key, cheap[i].value);
    }
  }
  for (const fare_field *f = type->fields; f->key; f++) {
    if (!strcmp(f->key, "sampling_steps"))
      length += (size_t)snprintf(to + length, size - length, ", sampling_steps: %s", sampling_steps);
  }
  snprintf(to + length, size - length, "}");
}

typedef struct {
  int               dim;
  int64_t           particles;
  const char       *sampling_steps;
  fare_system      *system;
  fare_initial      initial;
  fare_schedule     schedule;
  fare_densities   *exact;
  double            times[TIMES];
  fare_ensemble    *at[TIMES];
  fare_training_set data;
} scene;

static fare_sampler *sampler_of(const scene *s, const fare_sampler_type *type, const char *options)
{
  fare_sampler *sampler;
  fare_config  *config;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(create_sampler(
    PETSC_COMM_WORLD, type, type->name, config, 21, s->system, &s->initial, &s->schedule, &sampler));
  fare_config_destroy(&config);
  return sampler;
}

/* The exact densities, and particles of the dynamics at every second time. */
static void scene_begin(size_t which, scene *s)
{
  const double       w                   = scenes[which].half_width;
  double             lower[FARE_DIM_MAX] = {-w, -w, -w}, upper[FARE_DIM_MAX] = {w, w, w};
  PetscInt64         cells[FARE_DIM_MAX] = {scenes[which].cells, scenes[which].cells, scenes[which].cells};
  fare_truth_options options             = {.tolerance = 1e-5};
  fare_sampler      *simulation;
  fare_ensemble     *e;
  fare_config       *config;

  *s            = (scene){.dim = scenes[which].dim,
               .particles      = scenes[which].particles,
               .sampling_steps = scenes[which].sampling_steps,
               .schedule       = {0, 0.8, TIMES}};
  options.cells = (fare_integers){(size_t)s->dim, cells};
  if (w > 0) options.lower = (fare_reals){(size_t)s->dim, lower};
  if (w > 0) options.upper = (fare_reals){(size_t)s->dim, upper};
  assert_ok(fare_system_create(fare_system_type_find(scenes[which].system), s->dim, &s->system));
  assert_ok(fare_config_parse("test", scenes[which].wave, strlen(scenes[which].wave), &config));
  assert_ok(fare_system_drive(s->system, fare_config_root(config)));
  fare_config_destroy(&config);
  assert_ok(fare_config_parse("test", scenes[which].initial, strlen(scenes[which].initial), &config));
  assert_ok(fare_initial_from_config(fare_config_root(config), s->system, &s->initial));
  fare_config_destroy(&config);
  assert_ok(
    fare_densities_create(PETSC_COMM_WORLD, s->system, &s->initial, &s->schedule, &options, &s->exact));
  simulation = sampler_of(s, fare_sampler_type_find("langevin"), "{dt: 0.01}");
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, s->dim, s->particles, &e));
  for (int k = 0; k < TIMES; k++) {
    assert_ok(fare_sampler_advance(simulation, fare_schedule_time(&s->schedule, k), e));
    if (k % 2) continue;
    s->times[s->data.count] = fare_schedule_time(&s->schedule, k);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, s->dim, s->particles, &s->at[s->data.count]));
    assert_ok(fare_ensemble_copy(e, s->at[s->data.count++]));
  }
  s->data.times = s->times;
  s->data.at    = s->at;
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&simulation));
}

static void scene_end(scene *s)
{
  for (int k = 0; k < s->data.count; k++) assert_ok(fare_ensemble_destroy(&s->at[k]));
  assert_ok(fare_densities_destroy(&s->exact));
  fare_initial_free(&s->initial);
  assert_ok(fare_system_destroy(&s->system));
}

/*
  Two functions of a place along an axis whose means are compared: x and x^2, round a circle its cosine and
  sine.
*/
static void features(const scene *s, int axis, double x, double to[2])
{
  const fare_system_type *type = fare_system_type_of(s->system);
  const double            turn = 2 * M_PI * (x - type->lower[axis]) / (type->upper[axis] - type->lower[axis]);

  to[0] = type->periodic[axis] ? cos(turn) : x;
  to[1] = type->periodic[axis] ? sin(turn) : x * x;
}

typedef struct {
  double mean[FARE_DIM_MAX][2], variance[FARE_DIM_MAX][2], effective;
} moments;

static moments moments_of_masses(const scene *s, const double mass[])
{
  const fare_grid *grid = s->exact->grid;
  moments          m    = {.effective = HUGE_VAL};

  for (PetscInt n = 0; n < grid->cells[0] * grid->cells[1] * grid->cells[2]; n++) {
    PetscInt rest = n;

    for (int axis = 0; axis < s->dim; axis++) {
      double f[2];

      features(s, axis, fare_grid_centre(grid, axis, rest % grid->cells[axis]), f);
      rest /= grid->cells[axis];
      for (int k = 0; k < 2; k++) m.mean[axis][k] += mass[n] * f[k];
      for (int k = 0; k < 2; k++) m.variance[axis][k] += mass[n] * f[k] * f[k];
    }
  }
  for (int axis = 0; axis < s->dim; axis++) {
    for (int k = 0; k < 2; k++) m.variance[axis][k] -= m.mean[axis][k] * m.mean[axis][k];
  }
  return m;
}

static moments moments_of(const scene *s, const fare_ensemble *e)
{
  double  sum[2 + 4 * FARE_DIM_MAX] = {0};
  moments m;

  for (int64_t i = 0; i < e->local; i++) {
    const double w = e->weight ? e->weight[i] : 1;

    assert_true(isfinite(w) && w >= 0);
    sum[0] += w;
    sum[1] += w * w;
    for (int axis = 0; axis < s->dim; axis++) {
      double f[2];

      features(s, axis, e->x[axis][i], f);
      for (int k = 0; k < 2; k++) sum[2 + 4 * axis + k] += w * f[k];
      for (int k = 0; k < 2; k++) sum[4 + 4 * axis + k] += w * f[k] * f[k];
    }
  }
  MPI_Allreduce(MPI_IN_PLACE, sum, 2 + 4 * FARE_DIM_MAX, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    for (int k = 0; k < 2; k++) m.mean[axis][k] = sum[2 + 4 * axis + k] / sum[0];
    for (int k = 0; k < 2; k++)
      m.variance[axis][k] = sum[4 + 4 * axis + k] / sum[0] - m.mean[axis][k] * m.mean[axis][k];
  }
  m.effective = sum[0] * sum[0] / sum[1];
  return m;
}

/*
  What the ensemble should have the moments of: the density that is told, of an exact field the truth; false
  where there is nothing to compare.
*/
static PetscBool aim_of(const scene *s, fare_sampler *sampler, PetscInt64 k, moments *m)
{
  const PetscScalar *mass;
  Vec                masses;

  if (fare_sampler_type_has_model_density(sampler->type, sampler->mode)) {
    assert_ok(sampler->type->model_density(sampler, s->exact->times[k], s->exact->grid, &masses));
    assert_int_equal(VecGetArrayRead(masses, &mass), 0);
    *m = moments_of_masses(s, mass);
    assert_int_equal(VecRestoreArrayRead(masses, &mass), 0);
    assert_int_equal(VecDestroy(&masses), 0);
    return PETSC_TRUE;
  }
  *m = moments_of_masses(s, s->exact->masses[k]);
  return sampler->mode == FARE_ORACLE || sampler->type->family == FARE_SIMULATION ? PETSC_TRUE : PETSC_FALSE;
}

/*
  Five standard errors, with those of weighted particles made larger as they are not independent, and what
  cells so wide may be off by.
*/
static void check_draws(const scene *s, fare_sampler *sampler, PetscInt64 k, const fare_ensemble *e)
{
  const fare_system_type *type = fare_system_type_of(s->system);
  const moments           got  = moments_of(s, e);
  moments                 want;
  const PetscBool         known = aim_of(s, sampler, k, &want);

  for (int axis = 0; axis < s->dim; axis++) {
    for (int64_t i = 0; i < e->local; i++) {
      assert_true(isfinite(e->x[axis][i]));
      if (type->periodic[axis] && sampler->type->train && k)
        assert_between(e->x[axis][i], type->lower[axis], type->upper[axis]);
    }
    assert_true(got.variance[axis][0] + got.variance[axis][1] > 1e-4);
    for (int j = 0; j < 2 && known; j++) {
      const double spread = sqrt(want.variance[axis][j]), off = got.mean[axis][j] - want.mean[axis][j],
                   most = ((e->weight ? 8 : 5) / sqrt(got.effective) + 0.08) * spread;

      if (!(fabs(off) <= most))
        fail_msg("%s, mode %s, %s in %d dimensions, t = %g, axis %d: mean of feature %d is %.4f, expected "
                 "%.4f within %.4f",
          sampler->type->name, fare_sampler_mode_names[sampler->mode], type->name, s->dim, s->exact->times[k],
          axis, j, got.mean[axis][j], want.mean[axis][j], most);
    }
  }
}

/* Whether the sampler takes the system, by its own check. */
static PetscBool takes(const scene *s, const fare_sampler_type *type)
{
  void          *state = calloc(1, type->size);
  PetscErrorCode code;

  assert_non_null(state);
  if (!type->check || (type->needs_potential && !fare_system_has_potential(s->system))) {
    free(state);
    return !type->needs_potential || fare_system_has_potential(s->system) ? PETSC_TRUE : PETSC_FALSE;
  }
  code = type->check(state, s->system);
  free(state);
  assert_true(!code || code == FARE_ERR_INPUT);
  return code ? PETSC_FALSE : PETSC_TRUE;
}

static void run(const scene *s, const fare_sampler_type *type, fare_sampler_mode mode)
{
  fare_sampler  *sampler;
  fare_ensemble *e;
  char           options[512];

  options_of(type, s->sampling_steps, options, sizeof options);
  sampler = sampler_of(s, type, options);
  assert_ok(fare_sampler_set_mode(sampler, mode, mode == FARE_ORACLE ? s->exact : NULL));
  if (type->train) assert_ok(fare_sampler_train(sampler, &s->data));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, s->dim, s->particles, &e));
  for (PetscInt64 k = 0; k < TIMES; k++) {
    assert_ok(fare_sampler_advance(sampler, s->exact->times[k], e));
    assert_near(e->time, s->exact->times[k], 0);
    check_draws(s, sampler, k, e);
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_sampler_destroy(&sampler));
}

static void run_all(size_t which)
{
  static const fare_sampler_mode modes[] = {FARE_LEARNED, FARE_ORACLE, FARE_EMPIRICAL};
  const fare_sampler_type       *type;
  int                            ran = 0;
  scene                          s;

  scene_begin(which, &s);
  for (size_t i = 0; (type = fare_sampler_type_at(i)); i++) {
    if (!takes(&s, type) || type->needs_joint || !strcmp(type->name, "python"))
      continue; /* which needs a user's function */
    for (size_t m = 0; m < PETSC_STATIC_ARRAY_LENGTH(modes); m++) {
      if (modes[m] && !(type->modes & (int)modes[m])) continue;
      run(&s, type, modes[m]);
      ran++;
    }
  }
  print_message("%s in %d dimensions: %d methods and modes\n", scenes[which].system, s.dim, ran);
  assert_true(ran > 12);
  scene_end(&s);
}

static void one_dimension(void **state)
{
  (void)state;
  run_all(0);
}
static void two_dimensions(void **state)
{
  (void)state;
  run_all(1);
}
static void three_dimensions(void **state)
{
  (void)state;
  run_all(2);
}
static void round_a_circle(void **state)
{
  (void)state;
  run_all(3);
}
static void round_a_circle_and_along_a_line(void **state)
{
  (void)state;
  run_all(4);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(one_dimension),
  cmocka_unit_test(two_dimensions),
  cmocka_unit_test(three_dimensions),
  cmocka_unit_test(round_a_circle),
  cmocka_unit_test(round_a_circle_and_along_a_line),
};
FARE_TEST_MAIN(tests)
