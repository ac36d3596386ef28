/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/*
  What some measures are made from: directions, the thinnest part of a density, its wells, and its logarithm
  at points.
*/
#include "measures.h"

/*
  Moments of a direction over the circle or sphere, and the mean of |x|, from the order of bins: the gaps tell
  each direction's component.
*/
static void directions_are_a_quadrature(void **state)
{
  (void)state;
  for (int dim = 2; dim <= 3; dim++) {
    const PetscInt          cells[] = {2, 1, 1};
    bins                    b       = make(dim, cells, 0, 2);
    const fare_projections *along   = &b.binning->projections;
    double                  sum = 0, first = 0, second = 0, fourth = 0, eighth = 0;

    /* middles a distance of 1 apart along the first axis: the gap is |x| */
    assert_int_equal(b.binning->all_seen, 2);
    for (int d = 0; d < along->directions; d++) {
      const double x = along->gap[2 * d], w = along->weight[d];

      sum += w;
      first += w * x;
      second += w * x * x;
      fourth += w * pow(x, 4);
      eighth += w * pow(x, 8);
    }
    assert_near(sum, 1, 1e-14);
    assert_near(second, dim == 2 ? 1. / 2 : 1. / 3, 1e-14);
    assert_near(fourth, dim == 2 ? 3. / 8 : 1. / 5, 1e-14);
    assert_near(eighth, dim == 2 ? 35. / 128 : 1. / 9, 1e-14);
    assert_near(first, dim == 2 ? 2 / M_PI : 0.5, dim == 2 ? 0.002 : 0.025); /* |x| is no polynomial */
    unmake(&b);
  }
}

/*
  E|N(m, s^2 I)|: closed in space; in the plane the average over angles of a component's, exponentially
  accurate by equal steps.
*/
static double mean_length(int dim, double m, double s)
{
  enum { ANGLES = 200 };
  double sum = 0;

  if (dim == 3)
    return m > 0 ? s * sqrt(2 / M_PI) * exp(-m * m / (2 * s * s)) + (m + s * s / m) * erf(m / (s * M_SQRT2))
                 : 2 * s * sqrt(2 / M_PI);
  for (int k = 0; k < ANGLES; k++) {
    const double c = m * cos(M_PI * (k + 0.5) / ANGLES);

    sum += s * sqrt(2 / M_PI) * exp(-c * c / (2 * s * s)) + c * erf(c / (s * M_SQRT2));
  }
  return M_PI / 2 * sum / ANGLES;
}

/* Gaussians a shift apart along a slanting direction. */
static void distances_along_projections(void **state)
{
  const PetscInt cells[] = {128, 128, 24};

  (void)state;
  for (int dim = 2; dim <= 3; dim++) {
    const PetscInt few[]   = {48, 48, 48};
    const double   shift[] = {0.6, -0.3, 0.2};
    bins           b       = make(dim, dim == 2 ? cells : few, -6, 6);
    const size_t   all     = (size_t)(b.grid->cells[0] * b.grid->cells[1] * b.grid->cells[2]);
    double        *p = malloc(all * sizeof *p), *q = malloc(all * sizeof *q), length = 0, exact, width = 0;
    fare_measured  r[MEASURES];

    assert_true(p && q);
    for (size_t i = 0; i < all; i++) {
      size_t rest = i;

      p[i] = q[i] = 1;
      for (int axis = 0; axis < dim; axis++) {
        const double x = -6 + (double)(rest % (size_t)b.grid->cells[axis]) * b.grid->spacing[axis];

        p[i] *= gaussian(0, 1, x, x + b.grid->spacing[axis]);
        q[i] *= gaussian(shift[axis], 1, x, x + b.grid->spacing[axis]);
        rest /= (size_t)b.grid->cells[axis];
      }
    }
    for (int axis = 0; axis < dim; axis++) {
      length += shift[axis] * shift[axis];
      width = PetscMax(width, (double)b.binning->step[axis] * b.grid->spacing[axis]);
    }
    length = sqrt(length);
    compare_densities(&b, p, q, r);
    /* projections of Gaussians are Gaussians a projected shift apart */
    assert_near(r[SLICED].value, length * (dim == 2 ? 2 / M_PI : 0.5), 0.02 * length);
    exact = 2 * mean_length(dim, length, M_SQRT2) - 2 * mean_length(dim, 0, M_SQRT2);
    assert_near(r[ENERGY].value, exact, 0.02 * exact + 0.05 * width * width * exact);
    free(p);
    free(q);
    unmake(&b);
  }
}

/*
  The mean of the estimate over exact draws of a few samples is the energy distance itself, in every
  dimension: nothing of the noise is left.
*/
static void energy_distances_have_no_bias(void **state)
{
  enum { SAMPLES = 12, SEEDS = 4000 };
  const PetscInt cells[] = {10, 9, 8};

  (void)state;
  for (int dim = 1; dim <= 3; dim++) {
    bins          b   = make(dim, cells, 0, 3);
    const size_t  all = b.binning->bins;
    double       *p = malloc(all * sizeof *p), *q = malloc(all * sizeof *q), mean = 0, square = 0;
    fare_binned   truth, other;
    fare_measured r[MEASURES];

    assert_true(p && q);
    for (size_t i = 0; i < all; i++) {
      p[i] = 1 + 0.5 * sin((double)i);
      q[i] = 1 + 0.9 * sin(0.3 * (double)i);
    }
    truth = density(&b, p);
    other = density(&b, q);
    compare(&b, &truth, &other, 0, 1, r);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
      fare_binned   few = draw(&b, &other, SAMPLES, seed);
      fare_measured of[MEASURES];

      compare(&b, &truth, &few, 0, 1, of);
      mean += of[ENERGY].value / SEEDS;
      square += of[ENERGY].value * of[ENERGY].value / SEEDS;
      assert_ok(fare_binned_free(&few));
    }
    assert_near(mean, r[ENERGY].value, 4 * sqrt((square - mean * mean) / SEEDS));
    assert_ok(fare_binned_free(&truth));
    assert_ok(fare_binned_free(&other));
    free(p);
    free(q);
    unmake(&b);
  }
}

static void find(const bins *b, const double mass[], double tail[], int well[], int *wells)
{
  fare_binned p    = density(b, mass);
  double     *seen = calloc(b->binning->all_seen, sizeof *seen);

  assert_non_null(seen);
  for (size_t i = 0; i < p.bins; i++) seen[b->binning->seen_of[i]] += p.mass[i];
  assert_ok(fare_regions_find(b->binning, seen, tail, well, wells));
  free(seen);
  assert_ok(fare_binned_free(&p));
}

static void tails_have_their_mass(void **state)
{
  enum { N = 1200 };
  bins   b = make_line(N, -6, 6);
  double mass[N], tail[N], sum = 0;
  int    well[N], wells;

  (void)state;
  fill_gaussian(&b, 0, 1, mass);
  find(&b, mass, tail, well, &wells);
  for (int i = 0; i < N; i++) {
    const double x = -6 + 0.01 * (i + 0.5);

    sum += tail[i] * mass[i];
    /* 1% of a Gaussian lies beyond */
    if (fabs(fabs(x) - 2.5758) > 0.01) assert_true(tail[i] == (fabs(x) > 2.5758));
    assert_near(tail[i], tail[N - 1 - i], 1e-12); /* both sides, though round-off may order them */
  }
  assert_near(sum, FARE_TAIL, 1e-10);
  assert_int_equal(wells, 1);
  for (int i = 0; i < N; i++) mass[i] = 1;
  find(&b, mass, tail, well, &wells);
  for (int i = 0; i < N; i++) assert_near(tail[i], FARE_TAIL, 1e-12);
  unmake(&b);
}

/*
  Two wells with a ripple in one, one of 0.0005 of the mass, one that a pass too high does not part; bounded
  by minima of the density.
*/
static void wells_are_basins(void **state)
{
  enum { N = 800 };
  bins   b = make_line(N, -8, 8);
  double mass[N], part[N], tail[N];
  int    well[N], wells, edge = 0;

  (void)state;
  memset(mass, 0, sizeof mass);
  const struct {
    double share, mean, sd;
  } parts[] = {{0.5995, -3, 0.5}, {0.3, 2, 0.4}, {0.1, 3, 0.4}, {0.0005, 6.5, 0.2}};
  for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
    fill_gaussian(&b, parts[k].mean, parts[k].sd, part);
    for (int i = 0; i < N; i++) mass[i] += parts[k].share * part[i];
  }
  for (int i = 0; i < N; i++) mass[i] *= 1 + 0.1 * sin(i);
  find(&b, mass, tail, well, &wells);
  assert_int_equal(wells, 2);
  for (int i = 1; i < N; i++) {
    if (well[i] == well[i - 1]) continue;
    assert_int_equal(edge, 0);
    edge = i;
  }
  assert_between(-8 + edge * 0.02, -1.5, 0.5); /* the pass between -3 and 2 */
  unmake(&b);
}

/*
  A ring's well does not end where the ring is cut; one on the diagonal of a plane holds together, and two of
  them are two.
*/
static void wells_in_other_shapes(void **state)
{
  enum { N = 64 };
  const PetscInt      ring[] = {N}, plane[] = {N, N};
  const double        low[] = {0, 0}, high[] = {1, 1};
  const fare_boundary periodic[] = {FARE_BOUNDARY_PERIODIC};
  bins                b;
  static double       mass[N * N], tail[N * N];
  static int          well[N * N];
  int                 wells;

  (void)state;
  assert_ok(fare_grid_create(PETSC_COMM_SELF, 1, ring, low, high, periodic, &b.grid));
  assert_ok(fare_binning_create(b.grid, &b.binning));
  for (int i = 0; i < N; i++) mass[i] = exp(2 * cos(2 * M_PI * (i + 0.5) / N));
  find(&b, mass, tail, well, &wells);
  assert_int_equal(wells, 1);
  for (int i = 0; i < N; i++) mass[i] = exp(2 * cos(4 * M_PI * (i + 0.5) / N));
  find(&b, mass, tail, well, &wells);
  assert_int_equal(wells, 2);
  assert_true(well[0] == well[N - 1] && well[0] != well[N / 2]);
  unmake(&b);
  b = make(2, plane, 0, 1);
  for (int one = 1; one >= 0; one--) {
    for (int i = 0; i < N * N; i++) {
      const double x = (i % N + 0.5) / N, y = (i / N + 0.5) / N, along = x + y - 1, across = (x - y) * N;

      mass[i] = exp(-across * across) *
        (one ? exp(-along * along) : exp(-20 * pow(along - 0.5, 2)) + 2 * exp(-20 * pow(along + 0.5, 2)));
    }
    find(&b, mass, tail, well, &wells);
    assert_int_equal(wells, one ? 1 : 2);
  }
  assert_true(well[0] != well[N * N - 1]);
  unmake(&b);
}

/*
  Against the formula: two sizes of bins show the fourth order, in one to three dimensions and round a ring.
*/
static void logarithms_at_points(void **state)
{
  (void)state;
  for (int dim = 1; dim <= 4; dim++) {
    const int      axes = PetscMin(dim, 3), ring = dim == 4;
    double         worst[2] = {0};
    fare_ensemble *e;

    assert_ok(fare_ensemble_create(PETSC_COMM_SELF, ring ? 1 : axes, 1000, &e));
    for (int axis = 0; axis < e->dim; axis++) {
      double u[FARE_BLOCK];

      for (int64_t block = 0; block < e->blocks; block++) {
        fare_random_uniforms(fare_stream_make(3, "points"), (uint64_t)block, (uint64_t)axis, 0, u);
        for (int i = 0; i < FARE_BLOCK; i++)
          e->x[axis][block * FARE_BLOCK + i] = ring ? 10 * u[i] - 4 : 2 * (2 * u[i] - 1);
      }
    }
    for (int fine = 0; fine < 2; fine++) {
      const PetscInt      n = (PetscInt)(e->dim == 3 ? 20 : 32) << fine, cells[] = {n, n, n};
      const double        low[] = {-3, -3, -3}, high[] = {3, 3, 3};
      const fare_boundary periodic[]  = {FARE_BOUNDARY_PERIODIC};
      double             *log_density = malloc(1000 * sizeof *log_density), *mass, h = 6. / (double)n;
      fare_binned         p;
      bins                b;
      size_t              all;

      assert_ok(fare_grid_create(PETSC_COMM_SELF, e->dim, cells, low, high, ring ? periodic : NULL, &b.grid));
      assert_ok(fare_binning_create(b.grid, &b.binning));
      all  = b.binning->bins;
      mass = malloc(all * sizeof *mass);
      assert_true(mass && log_density);
      for (size_t i = 0; i < all; i++) {
        size_t rest = i;

        mass[i] = 1;
        for (int axis = 0; axis < e->dim; axis++) {
          const double x = -3 + (double)(rest % (size_t)n) * h;

          mass[i] *= ring ? h + 0.5 * 3 / M_PI * (sin((x + h) * M_PI / 3) - sin(x * M_PI / 3))
                          : gaussian(0.2, 1, x, x + h);
          rest /= (size_t)n;
        }
      }
      p = density(&b, mass);
      assert_ok(fare_binning_log_density(b.binning, &p, e, log_density));
      for (int i = 0; i < 1000; i++) {
        double exact = ring ? log((1 + 0.5 * cos(e->x[0][i] * M_PI / 3)) / 6) : 0;

        for (int axis = 0; !ring && axis < e->dim; axis++)
          exact += -0.5 * pow(e->x[axis][i] - 0.2, 2) - 0.5 * log(2 * M_PI) - log(gaussian(0.2, 1, -3, 3));
        worst[fine] = PetscMax(worst[fine], fabs(log_density[i] - exact));
      }
      e->x[0][0] = ring ? NAN : 3.1;
      assert_ok(fare_binning_log_density(b.binning, &p, e, log_density));
      assert_between(log_density[0], -709, -708);
      e->x[0][0] = 0;
      assert_ok(fare_binned_free(&p));
      free(mass);
      free(log_density);
      unmake(&b);
    }
    assert_between(worst[0] / worst[1], 10, 25); /* fourth order: 16 */
    assert_between(worst[1], 0, 1e-3);
    assert_ok(fare_ensemble_destroy(&e));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(directions_are_a_quadrature),
  cmocka_unit_test(distances_along_projections),
  cmocka_unit_test(energy_distances_have_no_bias),
  cmocka_unit_test(tails_have_their_mass),
  cmocka_unit_test(wells_are_basins),
  cmocka_unit_test(wells_in_other_shapes),
  cmocka_unit_test(logarithms_at_points),
};
FARE_TEST_MAIN(tests)
