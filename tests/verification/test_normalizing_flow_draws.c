/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1,2 timeout=240 */
/*
  Spline flows: what they draw against the masses that they say they have, an oracle's draws against its
  floor, and what draws on from a file.
*/
#include "flow_masses.h"

#include <stdlib.h>

/*
  Pearson's sum of the draws of `e` against the masses of a grid's cells, cells with less than 5 expected left
  aside; as standard deviations above its mean.
*/
static double excess(const fare_ensemble *e, const fare_grid *grid, const double masses[])
{
  const PetscInt n     = grid->cells[0] * grid->cells[1] * grid->cells[2];
  double        *count = calloc((size_t)n, sizeof *count), sum = 0, cells = 0;

  for (int64_t i = 0; i < e->local; i++) {
    PetscInt cell = 0, stride = 1;
    int      inside = 1;

    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt at = (PetscInt)floor((e->x[axis][i] - grid->lower[axis]) / grid->spacing[axis]);

      inside = inside && at >= 0 && at < grid->cells[axis];
      cell += stride * at;
      stride *= grid->cells[axis];
    }
    if (inside) count[cell]++;
  }
  MPI_Allreduce(MPI_IN_PLACE, count, n, MPI_DOUBLE, MPI_SUM, e->comm);
  for (PetscInt i = 0; i < n; i++) {
    const double expected = (double)e->count * masses[i];

    if (expected < 5) continue;
    sum += (count[i] - expected) * (count[i] - expected) / expected;
    cells++;
  }
  free(count);
  assert_true(cells > 10);
  return (sum - cells) / sqrt(2 * cells);
}

/* Masses are integrals of what is drawn, whatever the network says: here it is hardly trained. */
static void draws_have_the_masses_that_are_told(void **state)
{

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    const PetscInt all      = dim == 1 ? 128
           : dim == 2                  ? 32 * 32
                                       : 16 * 16 * 16,
                   cells[3] = {dim == 1 ? 128
                       : dim == 2       ? 32
                                        : 16,
                     dim == 2 ? 32 : 16, 16};
    const double   lower[3] = {-3, -3, -3}, upper[3] = {3, 3, 3};
    double        *masses = calloc((size_t)all, sizeof *masses);
    fare_ensemble *e;
    fare_grid     *grid;
    student        s = {0};

    flow_begin(PETSC_COMM_WORLD, make_system("ornstein_uhlenbeck", dim), &moving_times,
      "{width: 16, layers: 2, steps: 30, batch: 600, bins: 8, learning_rate: 0.02, warmup: 0, ema: 0.5}", &s);
    if (dim == 1) teach(&s, 3000, fill_wells);
    if (dim == 2) teach(&s, 3000, fill_gaussian);
    if (dim == 3) {
      fare_ensemble          *at[2];
      const double            times[2] = {0, 1};
      const fare_training_set data     = {2, times, at};
      const fare_stream       stream   = fare_stream_make(8, "three");

      for (int k = 0; k < 2; k++) {
        assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, 3, 3000, &at[k]));
        for (int64_t i = 0; i < at[k]->blocks; i++) {
          for (uint32_t axis = 0; axis < 3; axis++)
            fare_random_normals(
              stream, (uint64_t)(at[k]->first_block + i), (uint64_t)k, axis, at[k]->x[axis] + i * FARE_BLOCK);
          for (int j = 0; j < FARE_BLOCK; j++)
            at[k]->x[2][i * FARE_BLOCK + j] += at[k]->x[0][i * FARE_BLOCK + j];
        }
      }
      assert_ok(fare_sampler_train(s.sampler, &data));
      for (int k = 0; k < 2; k++) assert_ok(fare_ensemble_destroy(&at[k]));
    }
    assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells, lower, upper, NULL, &grid));
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, 100000, &e));
    for (int k = 0; k < 2; k++) {
      masses_of(&s, 0.3 + 0.5 * k, grid, masses);
      assert_ok(fare_sampler_advance(s.sampler, 0.3 + 0.5 * k, e));
      assert_between(excess(e, grid, masses), -5, 5);
    }
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_grid_destroy(&grid));
    free(masses);
    student_end(&s);
  }
}

static void the_oracle_draws_the_truth(void **state)
{
  const fare_schedule schedule = {0, 1, 5};

  (void)state;
  for (int dim = 1; dim <= 2; dim++) {
    fare_system   *system = dim == 1 ? make_driven("prinz", 1, "tilt", 4) : make_system("quadruple_well", 2);
    fare_ensemble *e, *alone;
    fare_training_set times = {0};
    student           s     = {0};
    double           *masses;
    uint64_t          sum[2];

    solve_exactly(&s, system, &schedule, dim == 1 ? 128 : 32, 1e-6);
    masses = calloc((size_t)(s.exact->grid->cells[0] * s.exact->grid->cells[1]), sizeof *masses);
    assert_ok(fare_ensemble_create(PETSC_COMM_WORLD, dim, 100000, &e));
    assert_ok(fare_ensemble_create(PETSC_COMM_SELF, dim, 100000, &alone));
    for (int k = 0; k < 2; k++) {
      if (k) system = dim == 1 ? make_driven("prinz", 1, "tilt", 4) : make_system("quadruple_well", 2);
      if (k) solve_exactly(&s, system, &schedule, dim == 1 ? 128 : 32, 1e-6);
      flow_begin(k ? PETSC_COMM_SELF : PETSC_COMM_WORLD, system, &schedule, "{}", &s);
      assert_ok(fare_sampler_set_mode(s.sampler, FARE_ORACLE, s.exact));
      assert_ok(fare_sampler_train(s.sampler, &times));
      for (int i = 0; i < schedule.count; i++) {
        const double t = fare_schedule_time(&schedule, i);

        assert_ok(fare_sampler_advance(s.sampler, t, k ? alone : e));
        masses_of(&s, t, s.exact->grid, masses);
        assert_near(
          divergence(s.exact->grid->cells[0] * s.exact->grid->cells[1], s.exact->masses[i], masses), 0, 0);
        assert_between(excess(k ? alone : e, s.exact->grid, masses), -5, 5);
      }
      assert_int_equal(fare_sampler_advance(s.sampler, 0.123, k ? alone : e), FARE_ERR_FAILED);
      assert_ok(fare_ensemble_checksum(k ? alone : e, &sum[k]));
      student_end(&s);
    }
    assert_true(sum[0] == sum[1]); /* whatever the ranks */
    assert_ok(fare_ensemble_destroy(&e));
    assert_ok(fare_ensemble_destroy(&alone));
    free(masses);
  }
}

static void saved_flows_draw_the_same(void **state)
{
  (void)state;
  assert_saved_draw_the_same(METHOD, "{width: 16, layers: 2, steps: 50, batch: 600, bins: 8}", 50);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(draws_have_the_masses_that_are_told),
  cmocka_unit_test(the_oracle_draws_the_truth),
  cmocka_unit_test(saved_flows_draw_the_same),
};
FARE_TEST_MAIN(tests)
