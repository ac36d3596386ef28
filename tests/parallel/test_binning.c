/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=parallel ranks=1,2,3,4 timeout=60 */
/*
  Bins and measures are the same on any number of ranks: to the bit from samples, to round-off from densities.
*/
#include "fare_test.h"

#define COUNT 20011 /* not a whole number of blocks */

static const double lower[] = {-3, -2, -4}, upper[] = {3, 4, 4};
/* blocks that ranks share */
static const PetscInt    cells[][FARE_DIM_MAX] = {{10001, 1, 1}, {100, 75, 1}, {20, 10, 70}};
static const char *const names[]               = {
                "kl", "reverse_kl", "jensen_shannon", "total_variation", "wasserstein_1", "wasserstein_2"};

/* One dimension's grid, bins, truth and ensemble, on a communicator. */
typedef struct {
  MPI_Comm       comm;
  fare_grid     *grid;
  fare_binning  *binning;
  fare_ensemble *ensemble;
  fare_binned    p, q;
} setting;

/*
  Gaussian particles, some of them outside the grid; weights, where asked for, that spread over nine decades.
*/
static void make(MPI_Comm comm, int dim, const fare_boundary end[], PetscBool weighted, setting *s)
{
  double       mean[] = {0.5, 1, 0}, sd[] = {1.2, 1, 1};
  fare_initial initial = {
    .density = FARE_INITIAL_GAUSSIAN, .mean = {(size_t)dim, mean}, .sd = {(size_t)dim, sd}};
  fare_system *system;
  Vec          masses;

  s->comm = comm;
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), dim, &system));
  assert_ok(fare_grid_create(comm, dim, cells[dim - 1], lower, upper, end, &s->grid));
  assert_ok(fare_binning_create(s->grid, &s->binning));
  assert_ok(fare_grid_initial(s->grid, &initial, system, 0, &masses));
  assert_ok(fare_binning_density(s->binning, masses, &s->p));
  assert_ok(fare_ensemble_create(comm, dim, COUNT, &s->ensemble));
  assert_ok(fare_ensemble_draw(s->ensemble, &initial, system, 0, fare_stream_make(1, "draw")));
  if (weighted) {
    s->ensemble->weight =
      aligned_alloc(64, (size_t)PetscMax(1, s->ensemble->blocks) * FARE_BLOCK * sizeof(double));
    assert_non_null(s->ensemble->weight);
    for (int64_t i = 0; i < s->ensemble->blocks * FARE_BLOCK; i++)
      s->ensemble->weight[i] = exp(20 * sin((double)(s->ensemble->first_block * FARE_BLOCK + i)));
  }
  assert_ok(fare_binning_ensemble(s->binning, s->ensemble, &s->q));
  assert_ok(VecDestroy(&masses));
  assert_ok(fare_system_destroy(&system));
}

static void unmake(setting *s)
{
  assert_ok(fare_binned_free(&s->p));
  assert_ok(fare_binned_free(&s->q));
  assert_ok(fare_ensemble_destroy(&s->ensemble));
  assert_ok(fare_binning_destroy(&s->binning));
  assert_ok(fare_grid_destroy(&s->grid));
}

static void same_bits_on_any_ranks(void **state)
{
  const fare_measure_type *types[6];

  (void)state;
  for (int m = 0; m < 6; m++) types[m] = fare_measure_type_find(names[m]);
  for (int dim = 1; dim <= 3; dim++) {
    for (int weighted = 0; weighted < 2; weighted++) {
      const size_t  count = dim == 1 ? 6 : 4;
      fare_measured r[6], r_alone[6];
      setting       all, alone;

      make(PETSC_COMM_WORLD, dim, NULL, weighted ? PETSC_TRUE : PETSC_FALSE, &all);
      make(PETSC_COMM_SELF, dim, NULL, weighted ? PETSC_TRUE : PETSC_FALSE, &alone);
      assert_true(all.q.bins == alone.q.bins && all.p.bins == all.q.bins && all.q.samples == COUNT);
      assert_memory_equal(all.q.mass, alone.q.mass, (all.q.bins + 1) * sizeof *all.q.mass);
      assert_true(all.q.below == alone.q.below && all.q.effective == alone.q.effective);
      for (size_t i = 0; i <= all.p.bins; i++)
        assert_near(all.p.mass[i], alone.p.mass[i], 1e-13 * alone.p.mass[i]);
      /* the same truth on both sides: it is exact to the bit only for the same ranks */
      assert_ok(fare_measure_compare(
        all.comm, all.binning, &alone.p, NULL, &all.q, count, types, 37, fare_stream_make(2, "floor"), r));
      assert_ok(fare_measure_compare(alone.comm, alone.binning, &alone.p, NULL, &alone.q, count, types, 37,
        fare_stream_make(2, "floor"), r_alone));
      assert_memory_equal(r, r_alone, count * sizeof r[0]);
      unmake(&all);
      unmake(&alone);
    }
  }
}

/* A slow recount on every rank of all particles, of which each rank draws a copy. */
static void bins_hold_what_lies_in_them(void **state)
{
  const fare_boundary periodic[] = {FARE_BOUNDARY_PERIODIC};

  (void)state;
  for (int wrap = 0; wrap < 2; wrap++) {
    setting       all, alone;
    const int64_t block = 3; /* cells of a bin: 10001 cells make 3334 bins */
    double       *counts, below = 0, total = 0;

    make(PETSC_COMM_WORLD, 1, wrap ? periodic : NULL, PETSC_FALSE, &all);
    make(PETSC_COMM_SELF, 1, wrap ? periodic : NULL, PETSC_FALSE, &alone);
    assert_int_equal(all.q.bins, 3334);
    counts = calloc(all.q.bins + 1, sizeof *counts);
    assert_non_null(counts);
    for (int64_t i = 0; i < COUNT; i++) {
      double x = alone.ensemble->x[0][i];

      while (wrap && x < -3) x += 6;
      while (wrap && x >= 3) x -= 6;
      if (x < -3) below++;
      if (x < -3 || x > 3)
        counts[all.q.bins]++;
      else
        counts[(int64_t)floor((x + 3) / (6. / 10001)) / block]++;
    }
    for (size_t i = 0; i <= all.q.bins; i++) {
      assert_near(all.q.mass[i] * COUNT, counts[i], 1e-9);
      total += all.q.mass[i];
    }
    assert_near(total, 1, 1e-13);
    assert_near(all.q.below * COUNT, below, 1e-9);
    if (wrap)
      assert_true(all.q.mass[all.q.bins] == 0);
    else
      assert_near(all.q.mass[all.q.bins],
        0.5 * erfc(2.5 / 1.2 * M_SQRT1_2) + 0.5 * erfc(3.5 / 1.2 * M_SQRT1_2), 5 * sqrt(0.02 / COUNT));
    free(counts);
    unmake(&all);
    unmake(&alone);
  }
}

/*
  Both ends belong to the box; what is no number is outside, on a periodic axis too; dimensions must agree.
*/
static void borders_and_nonsense(void **state)
{
  const double        places[] = {-3, 3, nextafter(3, 4), nextafter(-3, -4), -INFINITY, INFINITY, NAN, 1e300};
  const fare_boundary periodic[] = {FARE_BOUNDARY_PERIODIC};
  setting             s;

  (void)state;
  for (int wrap = 0; wrap < 2; wrap++) {
    make(PETSC_COMM_WORLD, 1, wrap ? periodic : NULL, PETSC_FALSE, &s);
    for (int64_t i = 0; i < s.ensemble->local; i++) {
      const int64_t id = s.ensemble->first_block * FARE_BLOCK + i;

      s.ensemble->x[0][i] = id < 8 ? places[id] : 0;
    }
    assert_ok(fare_binned_free(&s.q));
    assert_ok(fare_binning_ensemble(s.binning, s.ensemble, &s.q));
    assert_near(s.q.mass[s.q.bins] * COUNT, wrap ? 3 : 6, 1e-9);
    assert_near(s.q.below * COUNT, wrap ? 1 : 2, 1e-9);
    if (!wrap) {
      assert_near(s.q.mass[0] * COUNT, 1, 1e-9);
      assert_near(s.q.mass[s.q.bins - 1] * COUNT, 1, 1e-9);
    }
    s.ensemble->dim = 2;
    assert_ok(fare_binned_free(&s.q));
    assert_int_equal(fare_binning_ensemble(s.binning, s.ensemble, &s.q), FARE_ERR_FAILED);
    s.ensemble->dim = 1;
    unmake(&s);
  }
}

/*
  Particles of a wide Gaussian with the weights that make them the truth's: told apart without weights, not
  told apart with them.
*/
static void weights_are_respected(void **state)
{
  double       wide[] = {1.8}, at[] = {0.5}, mean[FARE_DIM_MAX], variance[FARE_DIM_MAX], effective;
  fare_initial initial = {.density = FARE_INITIAL_GAUSSIAN, .mean = {1, at}, .sd = {1, wide}};
  const fare_measure_type *types[6];
  fare_measured            weighted[6], unweighted[6];
  fare_system             *system;
  setting                  s;

  (void)state;
  for (int m = 0; m < 6; m++) types[m] = fare_measure_type_find(names[m]);
  make(PETSC_COMM_WORLD, 1, NULL, PETSC_TRUE, &s);
  assert_ok(fare_ensemble_moments(s.ensemble, mean, variance, &effective));
  assert_near(s.q.effective, effective, 1e-9 * effective);
  assert_ok(fare_system_create(fare_system_type_find("ornstein_uhlenbeck"), 1, &system));
  assert_ok(fare_ensemble_draw(s.ensemble, &initial, system, 0, fare_stream_make(5, "wide")));
  for (int64_t i = 0; i < s.ensemble->local; i++) {
    const double x = s.ensemble->x[0][i] - 0.5;

    /* the truth is on the grid alone */
    s.ensemble->weight[i] =
      fabs(s.ensemble->x[0][i]) <= 3 ? 7e-200 * exp(-0.5 * x * x * (1 / 1.44 - 1 / 3.24)) : 0;
  }
  assert_ok(fare_binned_free(&s.q));
  assert_ok(fare_binning_ensemble(s.binning, s.ensemble, &s.q));
  assert_true(s.q.mass[s.q.bins] == 0);
  assert_between(s.q.effective, 0.5 * COUNT, 0.95 * COUNT);
  assert_ok(fare_measure_compare(
    s.comm, s.binning, &s.p, NULL, &s.q, 6, types, 99, fare_stream_make(2, "floor"), weighted));
  free(s.ensemble->weight);
  s.ensemble->weight = NULL;
  assert_ok(fare_binned_free(&s.q));
  assert_ok(fare_binning_ensemble(s.binning, s.ensemble, &s.q));
  assert_true(s.q.effective == COUNT);
  assert_ok(fare_measure_compare(
    s.comm, s.binning, &s.p, NULL, &s.q, 6, types, 99, fare_stream_make(2, "floor"), unweighted));
  for (int m = 0; m < 6; m++) {
    assert_between(weighted[m].p_value, 0.02, 1);
    assert_near(unweighted[m].p_value, 0.01, 1e-15);
    assert_true(fabs(weighted[m].excess) < 0.1 * unweighted[m].excess);
  }
  assert_ok(fare_system_destroy(&system));
  unmake(&s);
}

static void weightless_ensembles_are_refused(void **state)
{
  setting s;

  (void)state;
  make(PETSC_COMM_WORLD, 1, NULL, PETSC_TRUE, &s);
  for (int64_t i = 0; i < s.ensemble->local; i++) s.ensemble->weight[i] = 0;
  assert_ok(fare_binned_free(&s.q));
  assert_int_equal(fare_binning_ensemble(s.binning, s.ensemble, &s.q), FARE_ERR_FAILED);
  unmake(&s);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(same_bits_on_any_ranks),
  cmocka_unit_test(bins_hold_what_lies_in_them),
  cmocka_unit_test(borders_and_nonsense),
  cmocka_unit_test(weights_are_respected),
  cmocka_unit_test(weightless_ensembles_are_refused),
};
FARE_TEST_MAIN(tests)
