/* fare-test: labels=verification ranks=1,2 timeout=600 */
/*
  Samplers that know their field: from the exact density they must draw that density, but for an error of their own that falls at the order of their solver; from a training set
  they must give back the training set. And the means behind both, against sums in the plainest form.
*/
#include "fare_test.h"

#include "sampler/posterior.h"
#include "sampler/poisson_flow.h"

#define SNAPSHOTS 5
#define BINS      40

/* A driven Prinz potential and its exact densities on 1024 cells, whole on every rank. */
typedef struct {
  fare_system    *system;
  fare_initial    initial;
  fare_schedule   schedule;
  fare_densities *exact;
} driven;

static void driven_begin(PetscInt64 cells, driven *d)
{
  char               text[64];
  fare_config       *config;
  fare_truth_options options;

  *d = (driven){.initial = {.density = FARE_INITIAL_BOLTZMANN}, .schedule = {0, 1, SNAPSHOTS}};
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 1, &d->system));
  assert_ok(fare_system_drive_sine(d->system, "tilt", 4, 1, 0));
  snprintf(text, sizeof text, "{cells: [%lld], tolerance: 1.0e-7}", (long long)cells);
  assert_ok(fare_config_parse("test", text, strlen(text), &config));
  assert_ok(fare_truth_options_from_config(fare_config_root(config), d->system, &options));
  assert_ok(fare_densities_create(PETSC_COMM_SELF, d->system, &d->initial, &d->schedule, &options, &d->exact));
  assert_ok(fare_truth_options_free(&options));
  assert_ok(fare_config_destroy(&config));
}

static void driven_end(driven *d)
{
  assert_ok(fare_densities_destroy(&d->exact));
  assert_ok(fare_system_destroy(&d->system));
}

static fare_sampler *make(MPI_Comm comm, const driven *d, const char *method, const char *options, fare_sampler_mode mode)
{
  fare_config  *config;
  fare_sampler *sampler;

  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find(method), method, fare_config_root(config), NULL, 5, d->system, &d->initial, &d->schedule, &sampler));
  assert_ok(fare_sampler_set_mode(sampler, mode, mode == FARE_ORACLE ? d->exact : NULL));
  assert_ok(fare_config_destroy(&config));
  return sampler;
}

static fare_sampler *make_oracle(MPI_Comm comm, const driven *d, const char *method, const char *options)
{
  fare_sampler           *sampler = make(comm, d, method, options, FARE_ORACLE);
  const fare_training_set times   = {SNAPSHOTS, d->exact->times, NULL};

  assert_ok(fare_sampler_train(sampler, &times));
  return sampler;
}

/* KL(p || samples) over bins of whole cells of about the same mass at time k; nothing may lie outside the grid. */
static double divergence(const driven *d, int k, const fare_ensemble *e)
{
  const fare_grid *grid = d->exact->grid;
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
  for (int b = 0; b < BINS; b++) kl += mass[b] * log(mass[b] * ((double)e->count + 0.5 * BINS) / (count[b] + 0.5));
  free(bin);
  return kl;
}

static const struct oracle {
  const char *method, *options;
} oracles[] = {
  {"diffusion", "{sampling_steps: 48}"},
  {"diffusion", "{sampling_steps: 64, sigma_min: 1.0e-6}"}, /* the score has no bound, what the steps make of it has */
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
      assert_true(divergence(&d, (k + 1) % SNAPSHOTS, e) > (k + 1 < SNAPSHOTS ? 0.05 : 0.01)); /* it is this time's density and no other's */
    }
    print_message("%s %s: mean KL %.3e, exact draws have %.3e\n", oracles[i].method, oracles[i].options, mean, floor);
    /* 2 n KL of exact draws is chi squared with BINS - 1 degrees of freedom; the mean of five is within 5 standard deviations, and the methods' own error may add a fifth */
    assert_between(mean, floor * (1 - 5 * sqrt(2. / (SNAPSHOTS * (BINS - 1)))), floor * (1.2 + 5 * sqrt(2. / (SNAPSHOTS * (BINS - 1)))));
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
    print_message("%s, %s: %.2e %.2e %.2e, order %.2f\n", all[i].method, all[i].options, error[0], error[1], error[2], order);
    assert_between(order, all[i].order - 0.4, all[i].order + 1);
    assert_ok(fare_ensemble_destroy(&best));
  }
  driven_end(&d);
}

/* A sampler of an Ornstein-Uhlenbeck system whose training set holds `count` particles at each of times 0, 1/2 and 1; x[k][axis]. */
static void remember(MPI_Comm comm, int dim, const char *method, const char *options, int64_t count, fare_system **system, fare_sampler **sampler, fare_ensemble *at[3])
{
  static const fare_schedule schedule = {0, 1, 5};
  static const fare_initial  initial  = {.density = FARE_INITIAL_BOLTZMANN};
  static const double        times[]  = {0, 0.5, 1};
  const fare_training_set    data     = {3, times, at};
  fare_config               *config;

  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, system));
  assert_ok(fare_config_parse("test", options, strlen(options), &config));
  assert_ok(fare_sampler_create(comm, fare_sampler_type_find(method), method, fare_config_root(config), NULL, 5, *system, &initial, &schedule, sampler));
  assert_ok(fare_config_destroy(&config));
  assert_ok(fare_sampler_set_mode(*sampler, FARE_EMPIRICAL, NULL));
  for (int k = 0; k < 3; k++) {
    assert_ok(fare_ensemble_create(comm, dim, count, &at[k]));
    for (int64_t b = 0; b < at[k]->blocks; b++) {
      for (int axis = 0; axis < dim; axis++) fare_random_normals(fare_stream_make(4, "remember"), (uint64_t)(at[k]->first_block + b), (uint64_t)k, (uint32_t)axis, at[k]->x[axis] + b * FARE_BLOCK);
    }
  }
  assert_ok(fare_sampler_train(*sampler, &data));
}

static void forget(fare_system **system, fare_sampler **sampler, fare_ensemble *at[3])
{
  for (int k = 0; k < 3; k++) assert_ok(fare_ensemble_destroy(&at[k]));
  assert_ok(fare_sampler_destroy(sampler));
  assert_ok(fare_system_destroy(system));
}

/* What every rank would do for itself is done once. */
static int repeats(void)
{
  int size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  return size > 1;
}

/* Squared distance of particle i to the nearest of an ensemble. */
static double nearest(const fare_ensemble *e, int64_t i, const fare_ensemble *to)
{
  double least = HUGE_VAL;

  for (int64_t j = 0; j < to->local; j++) {
    double square = 0;

    for (int axis = 0; axis < e->dim; axis++) square += (e->x[axis][i] - to->x[axis][j]) * (e->x[axis][i] - to->x[axis][j]);
    least = PetscMin(least, square);
  }
  return least;
}

/* At a training time every particle drawn is one that was learned from; between two times it is one of theirs, by shares that are linear in time. */
static void the_empirical_optimum_gives_back_the_training_set(void **state)
{
  static const struct {
    const char *method, *options;
  } all[] = {
    {"diffusion", "{sampling_steps: 60, sigma_min: 1.0e-3}"},
    {"poisson_flow", "{sampling_steps: 60, sigma_min: 1.0e-3}"},
    {"flow_matching", "{sampling_steps: 40, grading: 3}"},
  };

  (void)state;
  if (repeats()) return;
  for (int dim = 1; dim <= 3; dim++) {
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(all); i++) {
      const int64_t  drawn = 2000;
      fare_ensemble *at[3], *e;
      fare_system   *system;
      fare_sampler  *sampler;
      int64_t        known = 0, earlier = 0;

      remember(PETSC_COMM_SELF, dim, all[i].method, all[i].options, 50, &system, &sampler, at);
      assert_ok(fare_ensemble_create(PETSC_COMM_SELF, dim, drawn, &e));
      assert_ok(fare_sampler_advance(sampler, 0.5, e));
      for (int64_t k = 0; k < drawn; k++) known += nearest(e, k, at[1]) < 1e-4;
      assert_between((double)known, 0.98 * (double)drawn, (double)drawn);
      assert_ok(fare_sampler_advance(sampler, 0.875, e));
      for (int64_t k = 0; k < drawn; k++) earlier += nearest(e, k, at[1]) < nearest(e, k, at[2]);
      assert_near((double)earlier / (double)drawn, 0.25, 5 * sqrt(0.25 * 0.75 / (double)drawn));
      assert_ok(fare_ensemble_destroy(&e));
      forget(&system, &sampler, at);
    }
  }
}

/* sum of K x over sum of K, one by one. */
static void plain_mean(const fare_ensemble *data, const fare_generative *g, int augmented, double sigma, const double y[], double mean[])
{
  double sum = 0, least = HUGE_VAL;

  for (int axis = 0; axis < data->dim; axis++) mean[axis] = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t j = 0; j < data->local; j++) {
      double square = 0, weight;

      for (int axis = 0; axis < data->dim; axis++) square += pow((data->x[axis][j] - g->mean[axis]) / g->sd[axis] - y[axis], 2);
      least = PetscMin(least, square);
      if (!pass) continue;
      weight = augmented ? pow((square + augmented * sigma * sigma) / (least + augmented * sigma * sigma), -0.5 * (data->dim + augmented)) : exp((least - square) / (2 * sigma * sigma));
      sum += weight;
      for (int axis = 0; axis < data->dim; axis++) mean[axis] += weight * (data->x[axis][j] - g->mean[axis]) / g->sd[axis];
    }
  }
  for (int axis = 0; axis < data->dim; axis++) mean[axis] /= sum;
}

/* E[x | y] of a training set at levels that are summed on a mesh and at levels that are summed one by one, where noisy data are; in units of the data's sd. */
static void means_are_those_of_plain_sums(void **state)
{
  static const double sigmas[] = {20, 2, 0.5, 0.1, 0.02};
  static const int    kinds[]  = {0, 8, 128};

  (void)state;
  if (repeats()) return;
  for (int dim = 1; dim <= 3; dim++) {
    for (size_t kind = 0; kind < 3; kind++) {
      fare_ensemble   *at[3];
      fare_system     *system;
      fare_sampler    *sampler;
      fare_generative *g;
      double           worst = 0;
      char             options[64];

      snprintf(options, sizeof options, kinds[kind] ? "{dimensions: %d}" : "{}", kinds[kind]);
      remember(PETSC_COMM_SELF, dim, kinds[kind] ? "poisson_flow" : "diffusion", options, 1000, &system, &sampler, at);
      g = sampler->state;
      assert_ok(fare_posterior_begin(sampler, kinds[kind], 0.5));
      for (size_t s = 0; s < PETSC_STATIC_ARRAY_LENGTH(sigmas); s++) {
        double     noise[FARE_DIM_MAX][FARE_BLOCK];
        fare_place y, mean;

        for (uint32_t axis = 0; axis < (uint32_t)dim; axis++) fare_random_normals(fare_stream_make(4, "noise"), 0, s, axis, noise[axis]);
        if (kinds[kind]) fare_poisson_noise(dim, kinds[kind], fare_stream_make(4, "noise"), 0, s, 0, noise);
        for (int axis = 0; axis < dim; axis++) {
          for (int i = 0; i < FARE_BLOCK; i++) y[axis][i] = (float)((at[1]->x[axis][i] - g->mean[axis]) / g->sd[axis] + sigmas[s] * noise[axis][i]);
        }
        assert_ok(fare_posterior_level(g->posterior, sigmas[s]));
        fare_posterior_mean(g->posterior, y, mean);
        for (int i = 0; i < FARE_BLOCK; i++) {
          double where[FARE_DIM_MAX] = {0}, plain[FARE_DIM_MAX];

          for (int axis = 0; axis < dim; axis++) where[axis] = (double)y[axis][i];
          plain_mean(at[1], g, kinds[kind], sigmas[s], where, plain);
          for (int axis = 0; axis < dim; axis++) worst = PetscMax(worst, fabs((double)mean[axis][i] - plain[axis]) / PetscMin(1, sigmas[s]));
        }
      }
      print_message("%d axes, D = %d: largest error %.1e of min(sd, sigma)\n", dim, kinds[kind], worst);
      assert_between(worst, 0, dim == 1 ? 1e-3 : dim == 2 ? 5e-3 : 0.02);
      forget(&system, &sampler, at);
    }
  }
}

/* Where the density is normal, with mean m and variance v along an axis, E[x | y] = (v y + sigma^2 m)/(v + sigma^2). */
static void the_oracle_of_a_gaussian(void **state)
{
  static const PetscInt cells[FARE_DIM_MAX][FARE_DIM_MAX] = {{512, 1, 1}, {128, 96, 1}, {48, 40, 44}};
  static const double   lower[] = {-5, -4, -3}, upper[] = {5, 6, 4}, centre[] = {0.3, 0.8, -0.2}, width[] = {0.8, 0.9, 0.6};
  static const double   sigmas[] = {40, 1, 0.2};
  double                times[]  = {0};

  (void)state;
  if (repeats()) return;
  for (int dim = 1; dim <= 3; dim++) {
    const fare_training_set set = {1, times, NULL};
    fare_densities    exact = {.count = 1, .times = times};
    driven            d     = {.schedule = {0, 0, 1}, .initial = {.density = FARE_INITIAL_BOLTZMANN}, .exact = &exact};
    double           *mass, worst = 0;
    fare_sampler     *sampler;
    fare_generative  *g;
    PetscInt          count = 1;

    assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells[dim - 1], lower, upper, NULL, &exact.grid));
    for (int axis = 0; axis < dim; axis++) count *= exact.grid->cells[axis];
    mass         = calloc((size_t)count, sizeof *mass);
    exact.masses = &mass;
    for (PetscInt i = 0; i < count; i++) {
      PetscInt rest = i;

      mass[i] = 1;
      for (int axis = 0; axis < dim; axis++) {
        const double x = fare_grid_centre(exact.grid, axis, rest % exact.grid->cells[axis]) - centre[axis], half = exact.grid->spacing[axis] / 2;

        mass[i] *= 0.5 * (erf((x + half) / (width[axis] * sqrt(2))) - erf((x - half) / (width[axis] * sqrt(2))));
        rest /= exact.grid->cells[axis];
      }
    }
    assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &d.system));
    sampler = make(PETSC_COMM_SELF, &d, "diffusion", "{}", FARE_ORACLE);
    assert_ok(fare_sampler_train(sampler, &set));
    g = sampler->state;
    for (int axis = 0; axis < dim; axis++) {
      assert_near(g->mean[axis], centre[axis], 1e-5);
      assert_near(g->sd[axis], width[axis], 1e-4);
    }
    assert_ok(fare_posterior_begin(sampler, 0, 0));
    for (size_t s = 0; s < PETSC_STATIC_ARRAY_LENGTH(sigmas); s++) {
      const double variance = sigmas[s] * sigmas[s];
      double       z[FARE_BLOCK];
      fare_place   y, mean;

      for (int axis = 0; axis < dim; axis++) {
        fare_random_normals(fare_stream_make(4, "noise"), 0, s, (uint32_t)axis, z);
        for (int i = 0; i < FARE_BLOCK; i++) y[axis][i] = (float)(z[i] * sqrt(1 + variance));
      }
      assert_ok(fare_posterior_level(g->posterior, sigmas[s]));
      fare_posterior_mean(g->posterior, y, mean);
      for (int axis = 0; axis < dim; axis++) {
        for (int i = 0; i < FARE_BLOCK; i++) worst = PetscMax(worst, fabs((double)mean[axis][i] - (double)y[axis][i] / (1 + variance)));
      }
    }
    print_message("%d axes: largest error %.1e sd\n", dim, worst);
    assert_between(worst, 0, dim == 1 ? 1e-3 : dim == 2 ? 1e-2 : 0.05);
    assert_ok(fare_sampler_destroy(&sampler));
    assert_ok(fare_system_destroy(&d.system));
    assert_ok(fare_grid_destroy(&exact.grid));
    free(mass);
  }
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

        if (mode) remember(comm[k], 1, methods[i], "{sampling_steps: 8}", 1500, &system, &sampler, at);
        else sampler = make_oracle(comm[k], &d, methods[i], "{sampling_steps: 8}");
        assert_ok(fare_ensemble_create(comm[k], 1, 1500, &e));
        assert_ok(fare_sampler_advance(sampler, 0.25, e));
        assert_ok(fare_sampler_advance(sampler, 0.5, e));
        assert_ok(fare_ensemble_checksum(e, &sum[k]));
        assert_ok(fare_ensemble_destroy(&e));
        if (mode) forget(&system, &sampler, at);
        else assert_ok(fare_sampler_destroy(&sampler));
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
  char                     path[64];
  int                      size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "test_oracles.%d.h5", size);
  driven_begin(256, &d);
  for (int mode = 0; mode < 2; mode++) {
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(methods); i++) {
      uint64_t       sum[2];
      fare_ensemble *at[3], *e;
      fare_system   *system;
      fare_sampler  *sampler, *other;
      fare_store    *store;
      fare_config   *config;

      if (mode) remember(PETSC_COMM_WORLD, 1, methods[i], "{sampling_steps: 8}", 700, &system, &sampler, at);
      else sampler = make_oracle(PETSC_COMM_WORLD, &d, methods[i], "{sampling_steps: 8}");
      assert_ok(fare_config_parse("test", "{sampling_steps: 8}", 19, &config));
      assert_ok(fare_sampler_create(PETSC_COMM_WORLD, sampler->type, methods[i], fare_config_root(config), NULL, 5, sampler->system, sampler->initial, &sampler->schedule, &other));
      assert_ok(fare_config_destroy(&config));
      assert_ok(fare_sampler_set_mode(other, sampler->mode, sampler->exact));
      assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 1500, &e));
      assert_ok(fare_sampler_advance(sampler, 0.25, e));
      assert_ok(fare_store_create(PETSC_COMM_WORLD, path, &store));
      assert_ok(fare_store_group(store, "/sampler"));
      assert_ok(sampler->type->save(sampler, store, "/sampler"));
      assert_ok(fare_store_commit(&store));
      assert_ok(fare_store_open(PETSC_COMM_WORLD, path, &store));
      assert_ok(other->type->load(other, store, "/sampler"));
      assert_ok(fare_store_close(&store));
      assert_ok(fare_sampler_advance(sampler, 0.75, e));
      assert_ok(fare_ensemble_checksum(e, &sum[0]));
      assert_ok(fare_sampler_advance(other, 0.75, e));
      assert_ok(fare_ensemble_checksum(e, &sum[1]));
      assert_true(sum[0] == sum[1]);
      assert_ok(fare_ensemble_destroy(&e));
      assert_ok(fare_sampler_destroy(&other));
      if (mode) forget(&system, &sampler, at);
      else assert_ok(fare_sampler_destroy(&sampler));
    }
  }
  driven_end(&d);
}

/* An oracle is nothing to be taught: it needs no particles, and says when a time is none of the schedule's. */
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
  cmocka_unit_test(the_empirical_optimum_gives_back_the_training_set),
  cmocka_unit_test(means_are_those_of_plain_sums),
  cmocka_unit_test(the_oracle_of_a_gaussian),
  cmocka_unit_test(oracles_do_not_know_of_ranks),
  cmocka_unit_test(they_go_on_from_a_file),
  cmocka_unit_test(oracles_refuse_other_times),
};
FARE_TEST_MAIN(tests)
