/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,2,3,4 timeout=60 */
/*
  Particles on the cells of a grid that ranks share: to the bit what a slow count of all particles on each
  rank gives, whichever way they are exchanged.
*/
#include "fare_test.h"

#include <petscdmda.h>
#include <stdlib.h>

static const double lower[] = {-3, -2, -4}, upper[] = {3, 4, 4};

/* Few cells for many particles, and many cells for few: both ways of the exchange. */
static const struct {
  PetscInt cells[FARE_DIM_MAX];
  int      dim;
  int64_t  count;
} cases[] = {{{101, 1, 1}, 1, 20011}, {{13, 7, 1}, 2, 20011}, {{9, 5, 7}, 3, 20011},
  {{30011, 1, 1}, 1, 20011}, {{301, 203, 1}, 2, 20011}, {{41, 37, 53}, 3, 20011}, {{64, 64, 1}, 2, 100}};

static fare_ensemble *make(MPI_Comm comm, int dim, int64_t count, PetscBool weighted)
{
  double       mean[] = {0.5, 1, 0}, sd[] = {1.2, 1, 1};
  fare_initial initial = {
    .density = FARE_INITIAL_GAUSSIAN, .mean = {(size_t)dim, mean}, .sd = {(size_t)dim, sd}};
  fare_system   *system;
  fare_ensemble *e;

  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &system));
  assert_ok(fare_ensemble_create(comm, dim, count, &e));
  assert_ok(fare_ensemble_draw(e, &initial, system, 0, fare_stream_make(1, "draw")));
  if (weighted) {
    e->weight = aligned_alloc(64, (size_t)PetscMax(1, e->blocks) * FARE_BLOCK * sizeof(double));
    assert_non_null(e->weight);
    for (int64_t i = 0; i < e->blocks * FARE_BLOCK; i++)
      e->weight[i] = exp(20 * sin((double)(e->first_block * FARE_BLOCK + i)));
  }
  assert_ok(fare_system_destroy(&system));
  return e;
}

/* Masses of all cells in natural order, the outside last, from particles that are all here. */
static double *count_slowly(const fare_grid *grid, const fare_ensemble *e)
{
  const size_t      cells = (size_t)(grid->cells[0] * grid->cells[1] * grid->cells[2]);
  double           *mass  = calloc(cells + 1, sizeof *mass);
  fare_weight_units units;
  int64_t          *sum = calloc(cells + 1, sizeof *sum), total = 0;

  assert_true(mass && sum);
  assert_ok(fare_ensemble_units(e, &units));
  for (int64_t i = 0; i < e->local; i++) {
    size_t at = 0;

    for (int axis = grid->dim - 1; axis >= 0 && at < cells; axis--) {
      double x = e->x[axis][i];

      while (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC && x < lower[axis])
        x += upper[axis] - lower[axis];
      while (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC && x > upper[axis])
        x -= upper[axis] - lower[axis];
      if (x < lower[axis] || x > upper[axis])
        at = cells;
      else
        at = at * (size_t)grid->cells[axis] +
          (size_t)floor((x - lower[axis]) / ((upper[axis] - lower[axis]) / (double)grid->cells[axis]));
    }
    sum[at] += fare_weight_units_of(&units, e, i);
  }
  for (size_t i = 0; i <= cells; i++) total += sum[i];
  for (size_t i = 0; i <= cells; i++) mass[i] = (double)sum[i] / (double)total;
  free(sum);
  return mass;
}

static void check(int which, PetscBool weighted, PetscBool periodic, MPI_Comm grid_comm)
{
  const fare_boundary around[] = {FARE_BOUNDARY_PERIODIC, FARE_BOUNDARY_PERIODIC, FARE_BOUNDARY_PERIODIC};
  fare_ensemble      *e        = make(PETSC_COMM_WORLD, cases[which].dim, cases[which].count, weighted),
                *alone         = make(PETSC_COMM_SELF, cases[which].dim, cases[which].count, weighted);
  const PetscScalar *mass;
  fare_grid         *grid;
  double            *expected, outside;
  PetscInt           wrong = 0;
  Vec                masses;

  assert_ok(fare_grid_create(
    grid_comm, cases[which].dim, cases[which].cells, lower, upper, periodic ? around : NULL, &grid));
  expected = count_slowly(grid, alone);
  assert_ok(fare_deposit(grid, e, &masses, &outside));
  assert_true(outside == expected[grid->cells[0] * grid->cells[1] * grid->cells[2]]);
  assert_true(periodic ? outside == 0 : outside > 1e-12);
  assert_ok(VecGetArrayRead(masses, &mass));
  for (PetscInt k = 0, at = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++, at++)
        wrong += mass[at] !=
          expected[((grid->start[2] + k) * grid->cells[1] + grid->start[1] + j) * grid->cells[0] +
            grid->start[0] + i];
    }
  }
  assert_int_equal(wrong, 0);
  assert_ok(VecRestoreArrayRead(masses, &mass));
  assert_ok(VecDestroy(&masses));
  free(expected);
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_ensemble_destroy(&e));
  assert_ok(fare_ensemble_destroy(&alone));
}

static void cells_hold_what_lies_in_them(void **state)
{
  (void)state;
  for (size_t which = 0; which < PETSC_STATIC_ARRAY_LENGTH(cases); which++) {
    for (int weighted = 0; weighted < 2; weighted++) {
      check((int)which, weighted ? PETSC_TRUE : PETSC_FALSE, PETSC_FALSE, PETSC_COMM_WORLD);
      check((int)which, weighted ? PETSC_TRUE : PETSC_FALSE, PETSC_TRUE, PETSC_COMM_WORLD);
    }
  }
}

static void a_grid_that_every_rank_has(void **state)
{
  (void)state;
  check(0, PETSC_TRUE, PETSC_FALSE, PETSC_COMM_SELF);
  check(4, PETSC_FALSE, PETSC_TRUE, PETSC_COMM_SELF);
}

static void what_is_no_number_is_outside(void **state)
{
  fare_ensemble *e = make(PETSC_COMM_WORLD, 2, 1000, PETSC_FALSE);
  fare_grid     *grid;
  double         outside;
  PetscScalar    sum;
  Vec            masses;

  (void)state;
  for (int64_t i = 0; i < e->local; i++) {
    const int64_t id = e->first_block * FARE_BLOCK + i;

    e->x[0][i] = id == 0 ? NAN : id == 1 ? INFINITY : id == 2 ? -INFINITY : 3;
    e->x[1][i] = 4; /* the last corner belongs to the box */
  }
  assert_ok(fare_grid_create(PETSC_COMM_WORLD, 2, cases[4].cells, lower, upper, NULL, &grid));
  assert_ok(fare_deposit(grid, e, &masses, &outside));
  assert_true(outside == 0.003);
  assert_ok(VecMax(masses, NULL, &sum));
  assert_true(sum == 0.997);
  assert_ok(VecDestroy(&masses));
  e->dim = 1;
  assert_int_equal(fare_deposit(grid, e, &masses, &outside), FARE_ERR_FAILED);
  e->dim = 2;
  assert_ok(fare_grid_destroy(&grid));
  assert_ok(fare_ensemble_destroy(&e));
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(cells_hold_what_lies_in_them),
  cmocka_unit_test(a_grid_that_every_rank_has),
  cmocka_unit_test(what_is_no_number_is_outside),
};
FARE_TEST_MAIN(tests)
