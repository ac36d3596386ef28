/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2,3 timeout=240 */
/*
  Draws of initial densities on boxes that are not the system's own: counted in cells they follow the cells'
  masses, wells far narrower than the box have the moments and weights of the closed form, and every number of
  ranks draws the same. Gaussians round a circle are those of the Fourier series, in the truth as in the
  particles.
*/
#include "fare_test.h"

#include <unistd.h>

#define MOST_SIGMA 5.0

typedef struct {
  const char *system;
  int         dim;
  struct {
    const char *name;
    double      value;
  } parameter[3];
  fare_initial_kind density;
  fare_box          box;
  PetscInt          bins, split; /* along each axis; cells in each */
  int64_t           particles;
} scene;

static const scene scenes[] = {
  {"ornstein_uhlenbeck", 1, {{"kT", 100}}, FARE_INITIAL_BOLTZMANN, {{-60}, {60}, {PETSC_FALSE}}, 512, 1,
    200000},
  {"ornstein_uhlenbeck", 1, {{"kT", 1}}, FARE_INITIAL_UNIFORM, {{-4}, {4}, {PETSC_FALSE}}, 512, 1, 200000},
  {"ornstein_uhlenbeck", 2, {{"kT", 1}}, FARE_INITIAL_UNIFORM, {{-1, 20}, {3, 21}, {PETSC_FALSE}}, 32, 1,
    100000},
  {"ornstein_uhlenbeck", 2, {{"stiffness", 400}}, FARE_INITIAL_BOLTZMANN,
    {{-0.25, -0.25}, {0.25, 0.25}, {PETSC_FALSE}}, 64, 1, 200000},
  {"ornstein_uhlenbeck", 3, {{"stiffness", 400}}, FARE_INITIAL_BOLTZMANN,
    {{-0.25, -0.25, -0.25}, {0.25, 0.25, 0.25}, {PETSC_FALSE}}, 16, 2, 200000},
  {"prinz", 1, {{"kT", 0.2}}, FARE_INITIAL_BOLTZMANN, {{-1.3}, {0.4}, {PETSC_FALSE}}, 128, 4, 200000},
  {"quadruple_well", 2, {{"kT", 0.05}}, FARE_INITIAL_BOLTZMANN, {{-2, -1.5}, {1.5, 2}, {PETSC_FALSE}}, 50, 4,
    200000},
  {"mueller_brown", 2, {{"kT", 0.3}}, FARE_INITIAL_BOLTZMANN, {{-3.4, -1.4}, {1.6, 3.4}, {PETSC_FALSE}}, 60,
    4, 200000},
  {"wells_3d", 3, {{"kT", 0.1}}, FARE_INITIAL_BOLTZMANN, {{-2, -2, -2}, {2, 2, 2}, {PETSC_FALSE}}, 24, 3,
    300000},
  {"tilted_washboard", 1, {{"kT", 0.3}}, FARE_INITIAL_BOLTZMANN, {{-1}, {-1 + 4 * M_PI}, {PETSC_TRUE}}, 128,
    1, 200000},
};

/* Masses of bins, from those of the cells in them. */
static void sum_bins(const fare_grid *grid, PetscInt split, Vec masses, double *bins)
{
  const PetscScalar *mass;

  assert_ok(VecGetArrayRead(masses, &mass));
  for (PetscInt n = 0; n < grid->cells[0] * grid->cells[1] * grid->cells[2]; n++) {
    PetscInt bin                = 0,
             rest[FARE_DIM_MAX] = {
               n % grid->cells[0], n / grid->cells[0] % grid->cells[1], n / grid->cells[0] / grid->cells[1]};

    for (int axis = grid->dim - 1; axis >= 0; axis--)
      bin = bin * (grid->cells[axis] / split) + rest[axis] / split;
    bins[bin] += mass[n];
  }
  assert_ok(VecRestoreArrayRead(masses, &mass));
}

/* Counts in bins over all ranks; round periodic axes particles are wrapped. Returns how many lie outside. */
static double count(const fare_ensemble *e, const fare_box *box, PetscInt bins, PetscInt all, double *counts)
{
  double outside = 0;

  for (int64_t i = 0; i < e->local; i++) {
    PetscInt  bin    = 0;
    PetscBool inside = PETSC_TRUE;

    for (int axis = e->dim - 1; axis >= 0; axis--) {
      const double length = box->upper[axis] - box->lower[axis],
                   at     = (e->x[axis][i] - box->lower[axis]) / length,
                   within = box->periodic[axis] ? at - floor(at) : at;

      if (!(within >= 0 && within <= 1)) inside = PETSC_FALSE;
      bin = bin * bins + (inside ? PetscMin(bins - 1, (PetscInt)(within * (double)bins)) : 0);
    }
    if (inside)
      counts[bin]++;
    else
      outside++;
  }
  MPI_Allreduce(MPI_IN_PLACE, counts, (int)all, MPI_DOUBLE, MPI_SUM, e->comm);
  MPI_Allreduce(MPI_IN_PLACE, &outside, 1, MPI_DOUBLE, MPI_SUM, e->comm);
  return outside;
}

/*
  Pearson's statistic of bins with at least ten expected and of the rest as one, in standard deviations over
  its mean.
*/
static double pearson(PetscInt bins, const double mass[], const double counts[], double particles)
{
  double sum = 0, degrees = -1, rest[2] = {0, 0};

  for (PetscInt n = 0; n < bins; n++) {
    const double expected = particles * mass[n];

    if (expected < 10) {
      rest[0] += expected;
      rest[1] += counts[n];
    } else {
      sum += (counts[n] - expected) * (counts[n] - expected) / expected;
      degrees++;
    }
  }
  if (rest[0] >= 10) {
    sum += (rest[1] - rest[0]) * (rest[1] - rest[0]) / rest[0];
    degrees++;
  } else {
    assert_between(rest[1], 0, 40);
  }
  return (sum - degrees) / sqrt(2 * degrees);
}

/* Draws over all ranks, and alone: the bits must be the same. */
static fare_ensemble *draw(
  const fare_initial *initial, const fare_system *system, double t, int64_t particles)
{
  const fare_stream stream = fare_stream_make(3, "draw");
  fare_ensemble    *e, *alone;
  uint64_t          sum, sum_alone;

  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, fare_system_dimension(system), particles, &e));
  assert_ok(fare_ensemble_draw(e, initial, system, t, stream));
  assert_ok(fare_ensemble_create(PETSC_COMM_SELF, fare_system_dimension(system), particles, &alone));
  assert_ok(fare_ensemble_draw(alone, initial, system, t, stream));
  assert_ok(fare_ensemble_checksum(e, &sum));
  assert_ok(fare_ensemble_checksum(alone, &sum_alone));
  assert_true(sum == sum_alone);
  assert_ok(fare_ensemble_destroy(&alone));
  assert_ok(fare_ensemble_is_valid(e));
  return e;
}

/* Particles and the truth begin alike. */
static void compare(const char *name, const fare_initial *initial, const fare_system *system,
  const fare_box *box, PetscInt bins, PetscInt split, int64_t particles)
{
  const int      dim = fare_system_dimension(system);
  const PetscInt n = bins * split, cells[FARE_DIM_MAX] = {n, n, n},
                 all = (PetscInt)lround(pow((double)bins, dim));
  fare_boundary  ends[FARE_DIM_MAX];
  fare_grid     *grid;
  fare_ensemble *e;
  Vec            masses;
  double        *mass, *counts, sigma;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    ends[axis] = box->periodic[axis] ? FARE_BOUNDARY_PERIODIC : FARE_BOUNDARY_REFLECTING;
  assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells, box->lower, box->upper, ends, &grid));
  assert_ok(fare_grid_initial(grid, initial, system, 0, &masses));
  assert_ok(PetscCalloc2(all, &mass, all, &counts));
  sum_bins(grid, split, masses, mass);
  e = draw(initial, system, 0, particles);
  assert_near(count(e, box, bins, all, counts), 0, 0);
  sigma = pearson(all, mass, counts, (double)particles);
  print_message("%s, %d axes: Pearson's statistic off by %.2f sigma\n", name, dim, sigma);
  assert_between(sigma, -MOST_SIGMA, MOST_SIGMA);
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(PetscFree2(mass, counts));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_grid_destroy(&grid));
}

static void draws_follow_the_masses_of_cells(void **state)
{
  (void)state;
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(scenes); k++) {
    const scene       *s       = &scenes[k];
    const fare_initial initial = {.density = s->density, .box = &s->box};
    fare_system       *system;

    assert_ok(fare_system_create(fare_system_type_find(s->system), s->dim, &system));
    for (int i = 0; i < 3 && s->parameter[i].name; i++)
      assert_ok(fare_system_set(system, s->parameter[i].name, s->parameter[i].value));
    compare(s->system, &initial, system, &s->box, s->bins, s->split, s->particles);
    assert_ok(fare_system_destroy(&system));
  }
}

/* Sums of z^power over all particles along an axis, z = (x - centre)/sd, over those with x > above. */
static double mean_power(
  const fare_ensemble *e, int axis, double centre, double sd, int power, double above, double *share)
{
  double sums[2] = {0, 0};

  for (int64_t i = 0; i < e->local; i++) {
    if (e->x[axis][i] <= above) continue;
    sums[0]++;
    sums[1] += pow((e->x[axis][i] - centre) / sd, power);
  }
  MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, e->comm);
  if (share) *share = sums[0] / (double)e->count;
  return sums[1] / sums[0];
}

/*
  A standard normal variable's, within five standard deviations: variances of z, z^2 and z^4 are 1, 2 and 96.
*/
static void check_normal(const fare_ensemble *e, int axis, double centre, double sd, double above)
{
  const double n = (double)e->count * (isfinite(above) ? 0.5 : 1);

  assert_near(mean_power(e, axis, centre, sd, 1, above, NULL), 0, MOST_SIGMA * sqrt(1 / n));
  assert_near(mean_power(e, axis, centre, sd, 2, above, NULL), 1, MOST_SIGMA * sqrt(2 / n));
  assert_near(mean_power(e, axis, centre, sd, 4, above, NULL), 3, MOST_SIGMA * sqrt(96 / n));
}

/* A thousandth of a unit wide in a box of 15, and nowhere near the middle of one of its cells. */
static void narrow_wells_have_their_moments(void **state)
{
  const fare_box     wide    = {{-7.3, -7.1, -6.9}, {8.1, 7.7, 7.9}, {PETSC_FALSE}};
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN, .box = &wide};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    fare_system   *system;
    fare_ensemble *e;

    assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &system));
    assert_ok(fare_system_set(system, "stiffness", 1e6));
    assert_ok(fare_system_set(system, "centre", 1.2345));
    e = draw(&initial, system, 0, 50000);
    for (int axis = 0; axis < dim; axis++) check_normal(e, axis, axis ? 0 : 1.2345, 1e-3, -HUGE_VAL);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  Two wells at -1 and 1 whose depths differ by 0.4 kT, with kT a ten-thousandth of the barrier. The third
  order of the potential shifts a mean by some kT.
*/
static void narrow_wells_have_their_weights(void **state)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  const double       kT = 1e-4, right = 1 / (1 + exp(-0.4));

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    fare_system   *system;
    fare_ensemble *e;
    double         share;

    assert_ok(fare_system_create(fare_system_type_find("double_well"), dim, &system));
    assert_ok(fare_system_set(system, "kT", kT));
    assert_ok(fare_system_set(system, "tilt", 0.2 * kT));
    e = draw(&initial, system, 0, 50000);
    mean_power(e, 0, 0, 1, 1, 0, &share);
    assert_near(share, right, MOST_SIGMA * sqrt(right * (1 - right) / (double)e->count));
    assert_near(
      mean_power(e, 0, 1, sqrt(kT / 8), 2, 0, NULL), 1, MOST_SIGMA * sqrt(2 / (0.5 * (double)e->count)));
    for (int axis = 1; axis < dim; axis++) check_normal(e, axis, 0, sqrt(kT / 4), -HUGE_VAL);
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_system_destroy(&system));
  }
}

/*
  A kink, V = 40 |x| + 3 |y|; a step up outside of a circle or ball; a comb of clefts in every third of a
  first cell, at none of the points that are looked at.
*/
static const fare_parameter parameters[] = {
  FARE_COMMON_PARAMETERS, {"height", 1, 0, 100, ""}, FARE_PARAMETERS_END};

static void kink_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim, (void)theta;
  for (size_t i = 0; i < n; i++) V[i] = 40 * fabs(x[0][i]) + 3 * fabs(x[1][i]);
}

static void step_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  for (size_t i = 0; i < n; i++)
    V[i] =
      x[0][i] * x[0][i] + x[1][i] * x[1][i] + (dim > 2 ? x[2][i] * x[2][i] : 0) > 0.25 ? theta[FARE_OWN] : 0;
}

static void comb_potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  (void)dim;
  for (size_t i = 0; i < n; i++) V[i] = fmod(x[0][i] * 49152, 1) < 0.25 ? -theta[FARE_OWN] : 0;
}

static const fare_system_type kink = {.name = "kink",
  .dimension_min                            = 2,
  .dimension_max                            = 2,
  .parameters                               = parameters,
  .lower                                    = {-0.9, -1},
  .upper                                    = {1, 1.1},
  .potential                                = kink_potential};
static const fare_system_type step = {.name = "step",
  .dimension_min                            = 2,
  .dimension_max                            = 3,
  .parameters                               = parameters,
  .lower                                    = {-1, -1, -1},
  .upper                                    = {1, 1, 1},
  .potential                                = step_potential};
static const fare_system_type comb = {.name = "comb",
  .dimension_min                            = 1,
  .dimension_max                            = 1,
  .parameters                               = parameters,
  .lower                                    = {0},
  .upper                                    = {1},
  .potential                                = comb_potential};

static void kinks_are_kept(void **state)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  const double       right   = (1 - exp(-40.)) / (2 - exp(-40.) - exp(-36.)),
               upper         = (1 - exp(-3.3)) / (2 - exp(-3.) - exp(-3.3));
  double         share;
  fare_system   *system;
  fare_ensemble *e;

  (void)state;
  assert_ok(fare_system_create(&kink, 2, &system));
  e = draw(&initial, system, 0, 200000);
  assert_near(mean_power(e, 0, 0, 1. / 40, 1, 0, &share), 1, MOST_SIGMA / sqrt(0.5 * (double)e->count));
  assert_near(share, right, MOST_SIGMA * 0.5 / sqrt((double)e->count));
  mean_power(e, 1, 0, 1, 1, 0, &share);
  assert_near(share, upper, MOST_SIGMA * 0.5 / sqrt((double)e->count));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_system_destroy(&system));
}

/* As a share of all: particles for which the potential is below its middle. */
static void check_share_below(
  const fare_system_type *type, int dim, double height, double middle, double exact)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  fare_system       *system;
  fare_ensemble     *e;
  double             below = 0;

  assert_ok(fare_system_create(type, dim, &system));
  assert_ok(fare_system_set(system, "height", height));
  e = draw(&initial, system, 0, 20000);
  for (int64_t i = 0; i < e->local; i++) {
    const double *const x[FARE_DIM_MAX] = {
      e->x[0] + i, dim > 1 ? e->x[1] + i : NULL, dim > 2 ? e->x[2] + i : NULL};
    double V;

    fare_system_potential(system, 0, 1, x, &V);
    below += V < middle;
  }
  MPI_Allreduce(MPI_IN_PLACE, &below, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  print_message("%s of height %g, %d axes: %.5f below, exact %.5f\n", type->name, height, dim,
    below / (double)e->count, exact);
  assert_near(below / (double)e->count, exact, MOST_SIGMA * sqrt(exact * (1 - exact) / (double)e->count));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_system_destroy(&system));
}

/* However many cells there are, some lie across a step. */
static void steps_are_kept(void **state)
{
  const double disc = 0.25 * M_PI, ball = M_PI / 6;

  (void)state;
  check_share_below(&step, 2, 4, 2, disc / (disc + exp(-4.) * (4 - disc)));
  check_share_below(&step, 2, 20, 10, disc / (disc + exp(-20.) * (4 - disc)));
  check_share_below(&step, 3, 2, 1, ball / (ball + exp(-2.) * (8 - ball)));
}

/*
  What passes the bounds that were made is found in drawing, and raises them: or is an error where that would
  take for ever.
*/
static void what_was_not_seen_is_found(void **state)
{
  const fare_initial initial = {.density = FARE_INITIAL_BOLTZMANN};
  fare_system       *system;
  fare_ensemble     *e;

  (void)state;
  check_share_below(&comb, 1, 1, -0.5, exp(1.) / (exp(1.) + 3));
  check_share_below(&comb, 1, 3, -1.5, exp(3.) / (exp(3.) + 3));
  assert_ok(fare_system_create(&comb, 1, &system));
  assert_ok(fare_system_set(system, "height", 30));
  assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 1, 10000, &e));
  assert_int_equal(fare_ensemble_draw(e, &initial, system, 0, fare_stream_make(1, "draw")), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "peaks too narrow to resolve"));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_system_destroy(&system));
}

/* A normal wrapped round a circle of the given length, in a cell [a, b]: the Fourier series, integrated. */
static double wrapped(double a, double b, double mean, double sd, double length)
{
  const double k   = 2 * M_PI / length;
  double       sum = (b - a) / length;

  for (int j = 1; j < 100000 && 0.5 * j * j * k * k * sd * sd < 60; j++)
    sum +=
      exp(-0.5 * j * j * k * k * sd * sd) / (M_PI * j) * (sin(j * k * (b - mean)) - sin(j * k * (a - mean)));
  return sum;
}

static void gaussians_are_wrapped(void **state)
{
  static const struct {
    double mean[2], sd[2], weight[2];
    int    turns;
  } cases[] = {
    {{3.0}, {0.5}, {1}, 1},
    {{M_PI}, {0.2}, {1}, 1},
    {{-3.1}, {3}, {1}, 1},
    {{7.0}, {0.5}, {1}, 2},
    {{1.0}, {9.4}, {1}, 1},
    {{1.0}, {9.45}, {1}, 1},
    {{1.0}, {1000}, {1}, 1},
    {{-20.0}, {0.7}, {1}, 1},
    {{3.0, 0.5}, {0.4, 2.5}, {1, 3}, 1},
    {{3.0, 0.5}, {0.4, 50}, {2, 1}, 2},
  };
  fare_system *system;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("tilted_washboard"), 1, &system));
  for (size_t k = 0; k < PETSC_STATIC_ARRAY_LENGTH(cases); k++) {
    const size_t   components = cases[k].weight[1] > 0 ? 2 : 1;
    const fare_box box        = {{-M_PI}, {-M_PI + 2 * M_PI * cases[k].turns}, {PETSC_TRUE}};
    double         mean[2] = {cases[k].mean[0], cases[k].mean[1]}, sd[2] = {cases[k].sd[0], cases[k].sd[1]},
           weight[2]            = {cases[k].weight[0], cases[k].weight[1]};
    const fare_initial  initial = {.density = components > 1 ? FARE_INITIAL_MIXTURE : FARE_INITIAL_GAUSSIAN,
       .mean                                = {components, mean},
       .sd                                  = {components, sd},
       .weights                             = {components > 1 ? 2 : 0, weight},
       .box                                 = &box};
    const PetscInt      cells   = 256;
    const fare_boundary end     = FARE_BOUNDARY_PERIODIC;
    const PetscScalar  *mass;
    fare_grid          *grid;
    Vec                 masses;
    double              error = 0;

    assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, box.lower, box.upper, &end, &grid));
    assert_ok(fare_grid_initial(grid, &initial, system, 0, &masses));
    assert_ok(VecGetArrayRead(masses, &mass));
    for (PetscInt i = 0; i < cells; i++) {
      const double a = fare_grid_centre(grid, 0, i) - 0.5 * grid->spacing[0], b = a + grid->spacing[0];
      double       exact = 0;

      for (size_t c = 0; c < components; c++)
        exact +=
          weight[c] / (weight[0] + weight[1]) * wrapped(a, b, mean[c], sd[c], box.upper[0] - box.lower[0]);
      error += fabs(mass[i] - exact);
    }
    assert_ok(VecRestoreArrayRead(masses, &mass));
    print_message("mean %g, sd %g, %d turns: L1 error %.1e\n", mean[0], sd[0], cases[k].turns, error);
    assert_between(error, 0, 2e-12);
    assert_ok(VecDestroy(&masses));
    assert_ok(fare_grid_destroy(&grid));
    compare("wrapped", &initial, system, &box, 128, 2, 100000);
  }
  assert_ok(fare_system_destroy(&system));
}

/* On an axis that ends the truth cuts a gaussian off, and does not wrap it. */
static void gaussians_end_with_an_axis(void **state)
{
  double             mean[] = {3}, sd[] = {0.5};
  const fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, mean}, .sd = {1, sd}};
  const double       lower = -M_PI, upper = M_PI;
  const PetscInt     cells = 64;
  const PetscScalar *mass;
  fare_system       *system;
  fare_grid         *grid;
  Vec                masses;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("tilted_washboard"), 1, &system));
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, NULL, &grid));
  assert_ok(fare_grid_initial(grid, &initial, system, 0, &masses));
  assert_ok(VecGetArrayRead(masses, &mass));
  assert_between(mass[0], 0, 1e-30);
  assert_near(mass[63],
    0.5 * (erf((upper - 3) / sqrt(0.5)) - erf((upper - grid->spacing[0] - 3) / sqrt(0.5))) /
      (0.5 * (1 + erf((upper - 3) / sqrt(0.5)))),
    1e-9);
  assert_ok(VecRestoreArrayRead(masses, &mass));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_system_destroy(&system));
}

/* A snapshot of cells of 0.5 by 1. */
static void write_density(const char *path, uint64_t rows, uint64_t columns, const double density[])
{
  const uint64_t global[] = {rows, columns}, start[] = {0, 0};
  fare_store    *store;

  assert_ok(fare_store_create(PETSC_COMM_SELF, path, &store));
  assert_ok(
    fare_store_write(store, "/data/0/meshes/density", FARE_STORE_FLOAT64, 2, global, start, global, density));
  assert_ok(fare_store_put_reals(store, "/data/0/meshes/density", "gridSpacing", 2, (double[]){1, 0.5}));
  assert_ok(
    fare_store_put_reals(store, "/data/0/meshes/density", "gridGlobalOffset", 2, (double[]){0, -0.75}));
  assert_ok(fare_store_commit(&store));
}

/* Draws are even within each of its cells, and cut off by the box. */
#define COLUMNS 5
#define ROWS    3
static void snapshots_are_drawn_cell_by_cell(void **state)
{
  static const double density[ROWS][COLUMNS] = {{1, 2, 0, 4, 1}, {0, 3, 1, -1, 2}, {5, 1, 1, 0.5, 7}};
  const fare_box      box                    = {{-0.5, 0.25}, {1.75, 5}, {PETSC_FALSE}},
                 elsewhere                   = {{10, 10}, {11, 11}, {PETSC_FALSE}};
  const int64_t  n                           = 100000;
  double         mass[ROWS * COLUMNS], counts[ROWS * COLUMNS] = {0}, total = 0, fraction[2] = {0, 0};
  char           path[64], yaml[128];
  fare_initial   initial = {0};
  fare_system   *system;
  fare_config   *config;
  fare_ensemble *e;
  int            rank, size;

  (void)state;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  snprintf(path, sizeof path, "draws-%d.h5", size);
  if (rank == 0) write_density(path, ROWS, COLUMNS, density[0]);
  MPI_Barrier(PETSC_COMM_WORLD);
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 2, &system));
  snprintf(yaml, sizeof yaml, "{density: snapshot, file: %s}", path);
  assert_ok(fare_config_parse("test", yaml, strlen(yaml), &config));
  assert_ok(fare_initial_from_config(fare_config_root(config), system, &initial));
  fare_config_destroy(&config);
  initial.box = &box;
  for (int j = 0; j < ROWS; j++) {
    for (int i = 0; i < COLUMNS; i++)
      total += mass[j * COLUMNS + i] = fmax(0, density[j][i]) * (i ? 0.5 : 0.25) * (j ? 1 : 0.75);
  }
  for (int k = 0; k < ROWS * COLUMNS; k++) mass[k] /= total;
  e = draw(&initial, system, 0, n);
  for (int64_t k = 0; k < e->local; k++) {
    const double i = (e->x[0][k] + 0.75) / 0.5, j = e->x[1][k];

    assert_between(e->x[0][k], -0.5, 1.75);
    assert_between(e->x[1][k], 0.25, 3);
    counts[(int)j * COLUMNS + (int)i]++;
    fraction[0] += i - floor(i) < 0.5 && i >= 1;
    fraction[1] += j - floor(j) < 0.5 && j >= 1;
  }
  MPI_Allreduce(MPI_IN_PLACE, counts, ROWS * COLUMNS, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, fraction, 2, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD);
  for (int k = 0; k < ROWS * COLUMNS; k++) {
    fraction[0] -= k % COLUMNS ? 0.5 * counts[k] : 0;
    fraction[1] -= k / COLUMNS ? 0.5 * counts[k] : 0;
    if (mass[k] <= 0) assert_near(counts[k], 0, 0);
  }
  assert_between(pearson(ROWS * COLUMNS, mass, counts, (double)n), -MOST_SIGMA, MOST_SIGMA);
  for (int axis = 0; axis < 2; axis++) assert_near(fraction[axis], 0, MOST_SIGMA * 0.5 * sqrt((double)n));
  initial.box = &elsewhere;
  assert_int_equal(fare_ensemble_draw(e, &initial, system, 0, fare_stream_make(1, "draw")), FARE_ERR_FAILED);
  assert_non_null(strstr(fare_error_message(), "in its box it is zero"));
  assert_ok(fare_ensemble_destroy(&e));
  fare_initial_free(&initial);
  assert_ok(fare_system_destroy(&system));
  MPI_Barrier(PETSC_COMM_WORLD);
  if (rank == 0) unlink(path);
}

/*
  From a trap of stiffness 1 to one of 4 the free energy changes by kT ln(4)/2, if particles begin in the
  whole of a box that is wide enough.
*/
static void work_begins_in_the_box(void **state)
{
  const fare_box            box     = {{-60}, {60}, {PETSC_FALSE}};
  const fare_thermo_options options = {.particles = 20000, .dt = 5e-3, .relaxation = FARE_RELAX_METROPOLIS};
  const char               *yaml  = "{parameter: stiffness, waveform: ramp, amplitude: 3, start: 0, end: 1}";
  const double              exact = 30 * log(2.);
  fare_system              *system;
  fare_config              *config;
  fare_work                 w;

  (void)state;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  assert_ok(fare_system_set(system, "kT", 30));
  assert_ok(fare_config_parse("test", yaml, strlen(yaml), &config));
  assert_ok(fare_system_drive(system, fare_config_root(config)));
  fare_config_destroy(&config);
  assert_ok(fare_work_simulate(PETSC_COMM_WORLD, system, &box, 0, 1, &options, 4, &w));
  print_message("free energy %.3f +- %.3f (Jarzynski), %.3f +- %.3f (Bennett), exact %.3f\n",
    w.jarzynski[0].estimate, w.jarzynski[0].error, w.bennett.estimate, w.bennett.error, exact);
  assert_between(w.jarzynski[0].error, 0, 0.2);
  assert_near(w.jarzynski[0].estimate, exact, MOST_SIGMA * w.jarzynski[0].error);
  assert_near(w.bennett.estimate, exact, MOST_SIGMA * w.bennett.error);
  assert_ok(fare_system_destroy(&system));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(draws_follow_the_masses_of_cells),
  cmocka_unit_test(narrow_wells_have_their_moments),
  cmocka_unit_test(narrow_wells_have_their_weights),
  cmocka_unit_test(kinks_are_kept),
  cmocka_unit_test(steps_are_kept),
  cmocka_unit_test(what_was_not_seen_is_found),
  cmocka_unit_test(gaussians_are_wrapped),
  cmocka_unit_test(gaussians_end_with_an_axis),
  cmocka_unit_test(snapshots_are_drawn_cell_by_cell),
  cmocka_unit_test(work_begins_in_the_box),
};
FARE_TEST_MAIN(tests)
