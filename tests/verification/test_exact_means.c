/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1 timeout=300 */
/*
  The means behind exact fields, against sums in the plainest form and the closed form of a Gaussian; and
  samplers with the field of a training set give back that set.
*/
#include "oracles.h"

#include "sampler/denoising/poisson_flow.h"
#include "sampler/shared/posterior.h"

/* Squared distance of particle i to the nearest of an ensemble. */
static double nearest(const fare_ensemble *e, int64_t i, const fare_ensemble *to)
{
  double least = HUGE_VAL;

  for (int64_t j = 0; j < to->local; j++) {
    double square = 0;

    for (int axis = 0; axis < e->dim; axis++)
      square += (e->x[axis][i] - to->x[axis][j]) * (e->x[axis][i] - to->x[axis][j]);
    least = PetscMin(least, square);
  }
  return least;
}

/*
  At a training time every particle drawn is one that was learned from; between two times it is one of theirs,
  by shares that are linear in time.
*/
static void the_empirical_optimum_gives_back_the_training_set(void **state)
{
  static const struct {
    const char *method, *options;
    /* fewer where they are dear: the tables of Poisson flow in three dimensions */
    int steps[FARE_DIM_MAX];
  } all[] = {
    {"diffusion", "sigma_min: 1.0e-3", {60, 60, 60}},
    {"poisson_flow", "sigma_min: 1.0e-3", {60, 60, 30}},
    {"flow_matching", "grading: 3", {40, 40, 40}},
  };

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(all); i++) {
      const int64_t  drawn = 2000;
      fare_ensemble *at[3], *e;
      fare_system   *system;
      fare_sampler  *sampler;
      int64_t        known = 0, earlier = 0;
      char           options[64];

      snprintf(options, sizeof options, "{%s, sampling_steps: %d}", all[i].options, all[i].steps[dim - 1]);
      remember(PETSC_COMM_SELF, dim, all[i].method, options, 50, &system, &sampler, at);
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
static void plain_mean(const fare_ensemble *data, const fare_generative *g, int augmented, double sigma,
  const double y[], double mean[])
{
  double sum = 0, least = HUGE_VAL;

  for (int axis = 0; axis < data->dim; axis++) mean[axis] = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t j = 0; j < data->local; j++) {
      double square = 0, weight;

      for (int axis = 0; axis < data->dim; axis++)
        square += pow((data->x[axis][j] - g->mean[axis]) / g->sd[axis] - y[axis], 2);
      least = PetscMin(least, square);
      if (!pass) continue;
      weight = augmented ? pow((square + augmented * sigma * sigma) / (least + augmented * sigma * sigma),
                             -0.5 * (data->dim + augmented))
                         : exp((least - square) / (2 * sigma * sigma));
      sum += weight;
      for (int axis = 0; axis < data->dim; axis++)
        mean[axis] += weight * (data->x[axis][j] - g->mean[axis]) / g->sd[axis];
    }
  }
  for (int axis = 0; axis < data->dim; axis++) mean[axis] /= sum;
}

/*
  E[x | y] of a training set at levels that are summed on a mesh and at levels that are summed one by one,
  where noisy data are; in units of the data's sd.
*/
static void means_are_those_of_plain_sums(void **state)
{
  static const double sigmas[] = {20, 2, 0.5, 0.1, 0.02};
  static const int    kinds[]  = {0, 8, 128};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    for (size_t kind = 0; kind < 3; kind++) {
      fare_ensemble   *at[3];
      fare_system     *system;
      fare_sampler    *sampler;
      fare_generative *g;
      double           worst = 0;
      char             options[64];

      snprintf(options, sizeof options, kinds[kind] ? "{dimensions: %d}" : "{}", kinds[kind]);
      remember(PETSC_COMM_SELF, dim, kinds[kind] ? "poisson_flow" : "diffusion", options, 1000, &system,
        &sampler, at);
      g = sampler->state;
      assert_ok(fare_posterior_begin(sampler, kinds[kind], 0.5));
      for (size_t s = 0; s < PETSC_STATIC_ARRAY_LENGTH(sigmas); s++) {
        double     noise[FARE_DIM_MAX][FARE_BLOCK];
        fare_place y, mean;

        for (uint32_t axis = 0; axis < (uint32_t)dim; axis++)
          fare_random_normals(fare_stream_make(4, "noise"), 0, s, axis, noise[axis]);
        if (kinds[kind]) fare_poisson_noise(dim, kinds[kind], fare_stream_make(4, "noise"), 0, s, 0, noise);
        for (int axis = 0; axis < dim; axis++) {
          for (int i = 0; i < FARE_BLOCK; i++)
            y[axis][i] =
              (float)((at[1]->x[axis][i] - g->mean[axis]) / g->sd[axis] + sigmas[s] * noise[axis][i]);
        }
        assert_ok(fare_posterior_level(g->posterior, sigmas[s]));
        assert_ok(fare_posterior_mean(g->posterior, y, mean));
        for (int i = 0; i < FARE_BLOCK; i++) {
          double where[FARE_DIM_MAX] = {0}, plain[FARE_DIM_MAX];

          for (int axis = 0; axis < dim; axis++) where[axis] = (double)y[axis][i];
          plain_mean(at[1], g, kinds[kind], sigmas[s], where, plain);
          for (int axis = 0; axis < dim; axis++)
            worst = PetscMax(worst, fabs((double)mean[axis][i] - plain[axis]) / PetscMin(1, sigmas[s]));
        }
      }
      print_message("%d axes, D = %d: largest error %.1e of min(sd, sigma)\n", dim, kinds[kind], worst);
      assert_between(worst, 0, dim == 1 ? 1e-3 : dim == 2 ? 5e-3 : 0.02);
      forget(&system, &sampler, at);
    }
  }
}

/*
  Where the density is normal, with mean m and variance v along an axis, E[x | y] = (v y + sigma^2 m)/(v +
  sigma^2).
*/
static void the_oracle_of_a_gaussian(void **state)
{
  static const PetscInt cells[FARE_DIM_MAX][FARE_DIM_MAX] = {{512, 1, 1}, {128, 96, 1}, {48, 40, 44}};
  static const double   lower[] = {-5, -4, -3}, upper[] = {5, 6, 4}, centre[] = {0.3, 0.8, -0.2},
                      width[]  = {0.8, 0.9, 0.6};
  static const double sigmas[] = {40, 1, 0.2};
  double              times[]  = {0};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    const fare_training_set set   = {1, times, NULL};
    fare_densities          exact = {.count = 1, .times = times};
    driven  d = {.schedule = {0, 0, 1}, .initial = {.density = FARE_INITIAL_BOLTZMANN}, .exact = &exact};
    double *mass, worst = 0;
    fare_sampler    *sampler;
    fare_generative *g;
    PetscInt         count = 1;

    assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells[dim - 1], lower, upper, NULL, &exact.grid));
    for (int axis = 0; axis < dim; axis++) count *= exact.grid->cells[axis];
    mass         = calloc((size_t)count, sizeof *mass);
    exact.masses = &mass;
    for (PetscInt i = 0; i < count; i++) {
      PetscInt rest = i;

      mass[i] = 1;
      for (int axis = 0; axis < dim; axis++) {
        const double x    = fare_grid_centre(exact.grid, axis, rest % exact.grid->cells[axis]) - centre[axis],
                     half = exact.grid->spacing[axis] / 2;

        mass[i] *=
          0.5 * (erf((x + half) / (width[axis] * sqrt(2))) - erf((x - half) / (width[axis] * sqrt(2))));
        rest /= exact.grid->cells[axis];
      }
    }
    d.system = make_system("ornstein_uhlenbeck", dim);
    sampler  = make(PETSC_COMM_SELF, &d, "diffusion", "{}");
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
      assert_ok(fare_posterior_mean(g->posterior, y, mean));
      for (int axis = 0; axis < dim; axis++) {
        for (int i = 0; i < FARE_BLOCK; i++)
          worst = PetscMax(worst, fabs((double)mean[axis][i] - (double)y[axis][i] / (1 + variance)));
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

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(the_empirical_optimum_gives_back_the_training_set),
  cmocka_unit_test(means_are_those_of_plain_sums),
  cmocka_unit_test(the_oracle_of_a_gaussian),
};
FARE_TEST_MAIN(tests)
