/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/* Pools, bins and densities on them. */
#include "measures.h"

/*
  Pools hold enough, have every bin, lie together, and in one dimension none could be divided at a coarse
  bin's end.
*/
static void pools_are_full_enough(void **state)
{
  const PetscInt cells[][FARE_DIM_MAX] = {{8192, 1, 1}, {96, 128, 1}, {48, 30, 20}};
  const double   counts[]              = {3, 11, 1000, 200000, 1e8};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    bins         b    = make(dim, cells[dim - 1], -8, 8);
    const size_t n    = b.binning->bins;
    double      *mass = calloc(n, sizeof *mass), *sums = calloc(n, sizeof *sums), total = 0;
    size_t      *pool = calloc(n, sizeof *pool), pools, fewer = 0;

    assert_true(mass && sums && pool);
    for (size_t i = 0; i < n; i++) {
      size_t rest = i;

      mass[i] = 1;
      for (int axis = 0; axis < dim; axis++) {
        const size_t at = rest % (size_t)b.binning->fine[axis];
        const double w  = 16. / (double)b.binning->fine[axis];

        mass[i] *= gaussian(-2, 0.7, -8 + (double)at * w, -8 + (double)(at + 1) * w);
        rest /= (size_t)b.binning->fine[axis];
      }
      total += mass[i];
    }
    for (size_t i = 0; i < n; i++) mass[i] /= total;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      assert_ok(fare_binning_pool(b.binning, mass, 5 / counts[c], pool, &pools));
      memset(sums, 0, n * sizeof *sums);
      for (size_t i = 0; i < n; i++) {
        assert_true(pool[i] < pools);
        sums[pool[i]] += mass[i];
      }
      if (counts[c] < 10)
        assert_int_equal(pools, 1);
      else {
        for (size_t k = 0; k < pools; k++) assert_between(counts[c] * sums[k], 5 * (1 - 1e-12), counts[c]);
      }
      assert_true(pools >= fewer &&
        pools <= (size_t)(b.binning->coarse[0] * b.binning->coarse[1] * b.binning->coarse[2]));
      fewer = pools;
      for (size_t i = 1; dim == 1 && i < n; i++) {
        double below = 0;

        assert_true(pool[i] == pool[i - 1] || pool[i] == pool[i - 1] + 1);
        if (pool[i] != pool[i - 1]) assert_int_equal(i % (size_t)b.binning->block[0], 0);
        if (pool[i] != pool[i - 1] || i % (size_t)b.binning->block[0]) continue;
        for (size_t k = i; k-- > 0 && pool[k] == pool[i];) below += mass[k];
        assert_true(PetscMin(below, sums[pool[i]] - below) < 5 / counts[c] * (1 + 1e-12));
      }
    }
    assert_true(pools > 20);
    free(mass);
    free(sums);
    free(pool);
    unmake(&b);
  }
}

static void pools_are_cut_near_the_middle(void **state)
{
  bins   b        = make_line(8, 0, 8);
  double equal[8] = {0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125},
         skew[8]  = {0.6, 0.1, 0.1, 0.1, 0.05, 0.05, 0, 0};
  size_t pool[8], pools;

  (void)state;
  assert_ok(fare_binning_pool(b.binning, equal, 0.3, pool, &pools));
  assert_int_equal(pools, 2);
  for (size_t i = 0; i < 8; i++) assert_int_equal(pool[i], i >= 4);
  assert_ok(fare_binning_pool(b.binning, skew, 0.19, pool, &pools)); /* 0.6, 0.2, 0.2 */
  assert_int_equal(pools, 3);
  for (size_t i = 0; i < 8; i++) assert_int_equal(pool[i], (i >= 1) + (i >= 3));
  unmake(&b);
}

static void bins_cover_cells_that_do_not_divide(void **state)
{
  bins        b    = make_line(10001, 0, 10001);
  double     *ones = malloc(10001 * sizeof *ones);
  fare_binned p;

  (void)state;
  assert_non_null(ones);
  for (int i = 0; i < 10001; i++) ones[i] = 1;
  p = density(&b, ones);
  assert_int_equal(b.binning->bins, 3334);
  assert_near(b.binning->edge[3333], 9999, 1e-9);
  assert_near(b.binning->edge[3334], 10001, 0);
  assert_near(p.mass[0], 3. / 10001, 1e-17);
  assert_near(p.mass[3333], 2. / 10001, 1e-17);
  assert_true(b.binning->coarse[0] <= FARE_COARSE_MOST);
  assert_ok(fare_binned_free(&p));
  free(ones);
  unmake(&b);
}

/* Round-off below zero counts as nothing; a density that is no density is refused. */
static void densities_are_made_whole(void **state)
{
  const double mass[] = {-1e-18, 2, 6, 0}, zero[4] = {0}, bad[] = {1, NAN, 1, 1};
  bins         b = make_line(4, 0, 1);
  fare_binned  p = density(&b, mass);
  Vec          v;

  (void)state;
  assert_true(p.mass[0] == 0 && p.mass[1] == 0.25 && p.mass[2] == 0.75 && p.mass[4] == 0 && p.samples == 0 &&
    p.effective == HUGE_VAL);
  assert_ok(fare_binned_free(&p));
  for (int i = 0; i < 2; i++) {
    assert_ok(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, 4, i ? bad : zero, &v));
    assert_int_equal(fare_binning_density(b.binning, v, &p), FARE_ERR_FAILED);
    assert_null(p.mass);
    assert_ok(VecDestroy(&v));
  }
  unmake(&b);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(pools_are_full_enough),
  cmocka_unit_test(pools_are_cut_near_the_middle),
  cmocka_unit_test(bins_cover_cells_that_do_not_divide),
  cmocka_unit_test(densities_are_made_whole),
};
FARE_TEST_MAIN(tests)
