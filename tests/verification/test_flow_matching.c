/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=400 */
/*
  Flow matching learned in little time from densities of closed form; the density that it says it draws from,
  against what it draws; how noise and data are paired.
*/
#include "moving.h"

#include "sampler/flow/flow_matching.h"

#define SAMPLE 16384 /* particles of each training time */
#define GOOD   0.008 /* what so short a training reaches everywhere */

#define WELLS                                                                                \
  "{width: 32, layers: 3, steps: 4000, batch: 1024, learning_rate: 4.0e-3, frequencies: 4, " \
  "time_frequencies: 2"

/* The masses that the sampler says it draws from, whole on every rank. */
static double *said(student *s, double t, const fare_grid *grid)
{
  const PetscInt     count = grid->cells[0] * grid->cells[1] * grid->cells[2];
  double            *mass  = calloc((size_t)count, sizeof *mass);
  const PetscScalar *local;
  Vec                masses;

  assert_ok(s->sampler->type->model_density(s->sampler, t, grid, &masses));
  assert_ok(VecGetArrayRead(masses, &local));
  for (PetscInt j = 0, at = 0; j < grid->count[1]; j++) {
    for (PetscInt i = 0; i < grid->count[0]; i++, at++)
      mass[(grid->start[1] + j) * grid->cells[0] + grid->start[0] + i] = local[at];
  }
  assert_ok(VecRestoreArrayRead(masses, &local));
  assert_ok(VecDestroy(&masses));
  MPI_Allreduce(MPI_IN_PLACE, mass, (int)count, MPI_DOUBLE, MPI_SUM, grid->comm);
  return mass;
}

/* KL of samples' shares against masses, over bins of whole cells with about equal mass. */
static double shares_against(const fare_ensemble *e, const fare_grid *grid, const double mass[])
{
  double count[BINS] = {0}, share[BINS] = {0}, below = 0, kl = 0;
  int   *bin = calloc((size_t)grid->cells[0], sizeof *bin);

  for (PetscInt i = 0; i < grid->cells[0]; i++) {
    bin[i] = (int)PetscMin(BINS - 1, BINS * below);
    share[bin[i]] += mass[i];
    below += mass[i];
  }
  for (int64_t i = 0; i < e->local; i++) {
    const PetscInt cell = (PetscInt)floor((e->x[0][i] - grid->lower[0]) / grid->spacing[0]);

    assert_true(cell >= 0 && cell < grid->cells[0]);
    count[bin[cell]]++;
  }
  MPI_Allreduce(MPI_IN_PLACE, count, BINS, MPI_DOUBLE, MPI_SUM, e->comm);
  for (int b = 0; b < BINS; b++)
    kl += share[b] * log(share[b] * ((double)e->count + 0.5 * BINS) / (count[b] + 0.5));
  free(bin);
  return kl;
}

/*
  Its mass is 1, it is close to the truth, and samples follow it as exact draws would: closer than they follow
  the truth.
*/
static void assert_density_said(student *s)
{
  const double   lower = -3.2, upper = 3.2, n = 65536, floor_of_draws = (BINS - 1) / (2 * n);
  const PetscInt cells = 1024;
  fare_grid     *grid;
  fare_ensemble *e;

  assert_ok(fare_grid_create(s->sampler->comm, 1, &cells, &lower, &upper, NULL, &grid));
  assert_ok(fare_ensemble_create(s->sampler->comm, 1, (int64_t)n, &e));
  for (int k = 0; k < 4; k++) {
    const double t    = 0.15 + 0.2 * k; /* held out */
    double      *mass = said(s, t, grid), sum = 0, kl = 0, samples;

    for (PetscInt i = 0; i < cells; i++) {
      const double x = fare_grid_centre(grid, 0, i), half = grid->spacing[0] / 2,
                   p = wells_cumulative(APART, t, x + half) - wells_cumulative(APART, t, x - half);

      sum += mass[i];
      kl += p > 0 ? p * log(p / mass[i]) : 0;
    }
    assert_ok(fare_sampler_advance(s->sampler, t, e));
    samples = shares_against(e, grid, mass);
    print_message(
      "t = %g: mass 1 + %.1e, KL of the truth to it %.5f, of itself to samples %.6f, exact draws %.6f\n", t,
      sum - 1, kl, samples, floor_of_draws);
    assert_near(sum, 1, 2e-3);
    assert_between(kl, 0, 3 * GOOD);
    assert_between(samples, 0, floor_of_draws * (1 + 5 * sqrt(2. / (BINS - 1))));
    free(mass);
  }
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_grid_destroy(&grid));
}

static void two_moving_wells(void **state)
{
  static const char *const options[] = {
    WELLS "}", WELLS ", coupling: optimal_transport, solver: heun, sampling_steps: 40}"};
  int size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (int k = 0; k < (size > 1 ? 1 : 2); k++) {
    student s;

    moving_begin(PETSC_COMM_WORLD, "flow_matching", 1, options[k], &s);
    teach_moving(&s, SAMPLE);
    assert_good_wells(&s, GOOD);
    assert_density_said(&s);
    student_end(&s);
  }
}

/* In two dimensions the divergence is a trace: its density has mass 1 and the covariance of what is drawn. */
static void a_moving_gaussian_in_two_dimensions(void **state)
{
  static const char *const options[] = {"independent", "optimal_transport"};
  const PetscInt           cells[]   = {96, 80};
  const double             lower[] = {-4, -2.5}, upper[] = {4, 2.5};
  int                      size;

  (void)state;
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (int k = 0; k < (size > 1 ? 1 : 2); k++) {
    char       text[256];
    fare_grid *grid;
    student    s;
    double    *mass, sum = 0, mean[2] = {0}, s11 = 0, s12 = 0, s22 = 0;

    snprintf(text, sizeof text,
      "{width: 32, layers: 2, steps: 2000, batch: 1024, learning_rate: 4.0e-3, frequencies: 1, "
      "time_frequencies: 2, "
      "coupling: %s}",
      options[k]);
    moving_begin(PETSC_COMM_WORLD, "flow_matching", 2, text, &s);
    teach_moving(&s, SAMPLE);
    assert_good_gaussian(&s, 20000);
    assert_ok(fare_grid_create(PETSC_COMM_WORLD, 2, cells, lower, upper, NULL, &grid));
    mass = said(&s, 0.45, grid);
    for (PetscInt j = 0; j < cells[1]; j++) {
      for (PetscInt i = 0; i < cells[0]; i++) {
        const double m = mass[j * cells[0] + i], x = fare_grid_centre(grid, 0, i),
                     y = fare_grid_centre(grid, 1, j);

        sum += m;
        mean[0] += m * x;
        mean[1] += m * y;
        s11 += m * x * x;
        s12 += m * x * y;
        s22 += m * y * y;
      }
    }
    {
      const double v = sd_of(0.45) * sd_of(0.45), w = v / 4 + 1. / 16;

      print_message("%s: mass 1 + %.1e, variances off by %.1e %.1e, covariance by %.1e\n", options[k],
        sum - 1, s11 - mean[0] * mean[0] - v, s22 - mean[1] * mean[1] - w, s12 - mean[0] * mean[1] - v / 2);
      assert_near(sum, 1, 5e-3);
      assert_near(mean[0], mean_of(0.45), 0.03 * sqrt(v));
      assert_near(mean[1], mean_of(0.45) / 2, 0.03 * sqrt(w));
      assert_near(s11 - mean[0] * mean[0], v, 0.06 * v);
      assert_near(s22 - mean[1] * mean[1], w, 0.06 * w);
      assert_near(s12 - mean[0] * mean[1], v / 2, 0.06 * sqrt(v * w));
    }
    free(mass);
    assert_ok(fare_grid_destroy(&grid));
    student_end(&s);
  }
}

#define ROWS 240

/* The least sum of squared ways of n rows: Hungarian method with potentials, O(n^3). */
static double least_cost(int n, const double *cost)
{
  double u[ROWS + 1] = {0}, v[ROWS + 1] = {0}, sum = 0;
  int    match[ROWS + 1] = {0}, way[ROWS + 1];

  for (int i = 1; i <= n; i++) {
    double least[ROWS + 1];
    int    used[ROWS + 1] = {0}, j0 = 0;

    match[0] = i;
    for (int j = 0; j <= n; j++) least[j] = HUGE_VAL;
    do {
      const int i0    = match[j0];
      double    delta = HUGE_VAL;
      int       j1    = 0;

      used[j0] = 1;
      for (int j = 1; j <= n; j++) {
        const double reduced = cost[(i0 - 1) * n + j - 1] - u[i0] - v[j];

        if (used[j]) continue;
        if (reduced < least[j]) {
          least[j] = reduced;
          way[j]   = j0;
        }
        if (least[j] < delta) {
          delta = least[j];
          j1    = j;
        }
      }
      for (int j = 0; j <= n; j++) {
        if (used[j]) {
          u[match[j]] += delta;
          v[j] -= delta;
        } else {
          least[j] -= delta;
        }
      }
      j0 = j1;
    } while (match[j0]);
    for (int j1; j0; j0 = j1) {
      j1        = way[j0];
      match[j0] = match[j1];
    }
  }
  for (int j = 1; j <= n; j++) sum += cost[(match[j] - 1) * n + j - 1];
  return sum;
}

/*
  Two groups whose data lie far apart, in one batch. Within each, pairs are as good as the best assignment
  (exactly in one dimension); and each group keeps the noise that it had: were pairs sought across groups, the
  right-hand group would take the right-hand half of all noise.
*/
static void pairs_are_near_the_best_and_within_groups(void **state)
{
  float x[FARE_DIM_MAX][2 * ROWS], z[FARE_DIM_MAX][2 * ROWS], before[FARE_DIM_MAX][2 * ROWS];
  int   group[2 * ROWS];
  fare_flow_matching_pairs pairs;

  (void)state;
  assert_ok(fare_flow_matching_pairs_create(2 * ROWS, &pairs));
  for (int dim = 1; dim <= 3; dim++) {
    const float *const at[FARE_DIM_MAX]   = {x[0], x[1], x[2]};
    float *const       from[FARE_DIM_MAX] = {z[0], z[1], z[2]};
    double            *cost               = calloc(ROWS * ROWS, sizeof *cost);
    double             normal[FARE_BLOCK], noise[FARE_BLOCK];

    for (int axis = 0; axis < dim; axis++) {
      fare_random_normals(fare_stream_make(3, "x"), 0, (uint64_t)dim, (uint32_t)axis, normal);
      fare_random_normals(fare_stream_make(3, "z"), 0, (uint64_t)dim, (uint32_t)axis, noise);
      for (int i = 0; i < 2 * ROWS; i++) {
        group[i]        = 2 - i % 2;
        x[axis][i]      = (float)((group[i] == 1 ? 3 : -3) + (0.5 + axis) * normal[i]);
        before[axis][i] = z[axis][i] = (float)noise[i];
      }
    }
    fare_flow_matching_couple(&pairs, dim, 2 * ROWS, group, at, from);
    for (int g = 1; g <= 2; g++) {
      double made = 0, best, kept = 0, sum = 0;
      int    row[ROWS], n = 0;

      for (int i = 0; i < 2 * ROWS; i++) {
        if (group[i] == g) row[n++] = i;
      }
      assert_int_equal(n, ROWS);
      for (int i = 0; i < n; i++) {
        for (int axis = 0; axis < dim; axis++) {
          made += pow((double)x[axis][row[i]] - (double)z[axis][row[i]], 2);
          kept += pow((double)before[axis][row[i]] - axis, 3);
          sum += pow((double)z[axis][row[i]] - axis, 3);
        }
        for (int j = 0; j < n; j++) {
          for (int axis = 0; axis < dim; axis++)
            cost[i * n + j] += pow((double)x[axis][row[i]] - (double)before[axis][row[j]], 2);
        }
      }
      best = least_cost(n, cost);
      memset(cost, 0, ROWS * ROWS * sizeof *cost);
      print_message("%d axes, group %d: cost %.6g, best %.6g\n", dim, g, made, best);
      assert_near(sum, kept, 1e-9 * fabs(kept));
      assert_between(made, best * (1 - 1e-6), best * (dim == 1 ? 1 + 1e-6 : 1.02));
    }
    free(cost);
  }
  assert_ok(fare_flow_matching_pairs_destroy(&pairs));
}

static void saved_networks_draw_the_same(void **state)
{
  (void)state;
  assert_saved_draw_the_same(
    "flow_matching", "{width: 16, layers: 2, steps: 60, batch: 700, coupling: optimal_transport}", 60);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(two_moving_wells),
  cmocka_unit_test(a_moving_gaussian_in_two_dimensions),
  cmocka_unit_test(pairs_are_near_the_best_and_within_groups),
  cmocka_unit_test(saved_networks_draw_the_same),
};
FARE_TEST_MAIN(tests)
