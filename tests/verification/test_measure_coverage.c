/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=verification ranks=1 timeout=240 */
/*
  Intervals hold the true value as often as they say, whatever the rows: independent, correlated, copied,
  weighted. FARE_COVERAGE_SEEDS=1000 makes the table of docs/measures.md.
*/
#include "unit/measures.h"

#include "measure/sides.h"

#include <stdlib.h>
#include <string.h>

enum { SEEDS = 60, REPLICATES = 80 };
typedef enum { EVEN, LOGNORMAL, PROPOSAL, HEAVY_STRIP, LIGHT_STRIP } weighting;

/* Rows of a Gaussian that is shifted along the first axis from the truth, a normal distribution. */
typedef struct {
  const char *name;
  int         dim, n;
  double      shift, correlation;
  int         copies;
  PetscBool   shuffled;
  weighting   weights;
  double      parameter; /* standard deviation of the logarithm or of the proposal; weight of the strip */
  /* coverage that the usual run asks for, of all measures; intervals may be withheld where it is 0 */
  double least;
} rows;

static const rows lines[] = {
  {"independent", 1, 4000, 0, 0, 1, PETSC_FALSE, EVEN, 0, 0.92},
  {"independent", 1, 4000, 0.1, 0, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"independent", 1, 4000, 0.5, 0, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"independent", 1, 200, 0.5, 0, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"independent", 2, 4000, 0.3, 0, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.3", 1, 4000, 0, 0.3, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.5", 1, 4000, 0, 0.5, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.5", 1, 4000, 0.3, 0.5, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.9", 1, 4000, 0, 0.9, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.9", 1, 4000, 0.1, 0.9, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.9", 1, 4000, 0.5, 0.9, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.9", 2, 8000, 0, 0.9, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.9", 2, 8000, 0.3, 0.9, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.95", 1, 4000, 0, 0.95, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.95", 1, 4000, 0.5, 0.95, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"rho 0.95", 1, 20000, 0, 0.95, 1, PETSC_FALSE, EVEN, 0, 0.9},
  {"2 copies", 1, 4000, 0, 0, 2, PETSC_FALSE, EVEN, 0, 0.9},
  {"2 copies, shuffled", 1, 4000, 0, 0, 2, PETSC_TRUE, EVEN, 0, 0.9},
  {"2 copies, shuffled", 1, 4000, 0.3, 0, 2, PETSC_TRUE, EVEN, 0, 0.9},
  {"5 copies", 1, 4000, 0.1, 0, 5, PETSC_FALSE, EVEN, 0, 0.9},
  {"5 copies, shuffled", 1, 4000, 0.3, 0, 5, PETSC_TRUE, EVEN, 0, 0.9},
  {"5 copies, shuffled", 2, 8000, 0.3, 0, 5, PETSC_TRUE, EVEN, 0, 0.9},
  {"weights, sd 0.3", 1, 4000, 0, 0, 1, PETSC_FALSE, LOGNORMAL, 0.3, 0.9},
  {"weights, sd 0.3", 1, 4000, 0.3, 0, 1, PETSC_FALSE, LOGNORMAL, 0.3, 0.9},
  {"weights, sd 1", 1, 4000, 0, 0, 1, PETSC_FALSE, LOGNORMAL, 1, 0.9},
  {"weights, sd 1", 1, 4000, 0.3, 0, 1, PETSC_FALSE, LOGNORMAL, 1, 0.9},
  {"weights, sd 2", 1, 4000, 0.3, 0, 1, PETSC_FALSE, LOGNORMAL, 2, 0},
  {"weights, sd 2", 1, 50000, 0.3, 0, 1, PETSC_FALSE, LOGNORMAL, 2, 0},
  {"proposal 1.4 as wide", 1, 4000, 0, 0, 1, PETSC_FALSE, PROPOSAL, 1.4, 0.9},
  {"proposal 1.4 as wide", 1, 4000, 0.3, 0, 1, PETSC_FALSE, PROPOSAL, 1.4, 0.9},
  {"proposal 0.9 as wide", 1, 4000, 0, 0, 1, PETSC_FALSE, PROPOSAL, 0.9, 0.9},
  {"proposal 0.9 as wide", 1, 4000, 0.3, 0, 1, PETSC_FALSE, PROPOSAL, 0.9, 0.9},
  {"proposal 0.8 as wide", 1, 4000, 0, 0, 1, PETSC_FALSE, PROPOSAL, 0.8, 0.9},
  {"proposal 0.8 as wide", 1, 4000, 0.3, 0, 1, PETSC_FALSE, PROPOSAL, 0.8, 0.9},
  {"proposal 0.7 as wide", 1, 4000, 0, 0, 1, PETSC_FALSE, PROPOSAL, 0.7, 0},
  {"proposal 0.5 as wide", 1, 4000, 0, 0, 1, PETSC_FALSE, PROPOSAL, 0.5, 0},
  {"heavy strip", 1, 4000, 0, 0, 1, PETSC_FALSE, HEAVY_STRIP, 10, 0.9},
  {"heavy strip", 1, 4000, 0.3, 0, 1, PETSC_FALSE, HEAVY_STRIP, 10, 0.9},
  {"light strip", 1, 4000, 0, 0, 1, PETSC_FALSE, LIGHT_STRIP, 0.1, 0.9},
  {"light strip", 2, 8000, 0.3, 0, 1, PETSC_FALSE, LIGHT_STRIP, 0.1, 0.9},
  {"rho 0.9, weights sd 1", 1, 4000, 0, 0.9, 1, PETSC_FALSE, LOGNORMAL, 1, 0.9},
  {"rho 0.9, weights sd 1", 1, 4000, 0.3, 0.9, 1, PETSC_FALSE, LOGNORMAL, 1, 0.9},
};

static bins make_bins(int dim)
{
  const PetscInt cells[FARE_DIM_MAX] = {dim == 1 ? 120 : 48, 48, 1};

  return make(dim, cells, -6, 6);
}

static fare_binned make_density(const bins *b, double shift)
{
  const PetscInt n = b->grid->cells[0], m = b->grid->cells[1];
  double        *mass = calloc((size_t)(n * m), sizeof *mass);
  fare_binned    p;

  assert_non_null(mass);
  for (PetscInt i = 0; i < n * m; i++) {
    const double x = -6 + (double)(i % n) * b->grid->spacing[0],
                 y = -6 + (double)(i / n) * b->grid->spacing[1];

    mass[i] = gaussian(shift, 1, x, x + b->grid->spacing[0]);
    if (b->grid->dim > 1) mass[i] *= gaussian(0, 1, y, y + b->grid->spacing[1]);
  }
  p = density(b, mass);
  free(mass);
  return p;
}

/* What a row at x, relative to the mean, counts for beside others of a normal distribution. */
static double weigh(const rows *of, double x)
{
  if (of->weights == HEAVY_STRIP || of->weights == LIGHT_STRIP) return x > 0.5 && x < 0.8 ? of->parameter : 1;
  return of->weights == PROPOSAL ? exp(0.5 * x * x * (1 / (of->parameter * of->parameter) - 1)) : 1;
}

static void draw_row(const rows *of, fare_random *random, double x[])
{
  const double greatest = 1 / PetscMin(1, of->parameter);

  do {
    for (int axis = 0; axis < of->dim; axis++) x[axis] = fare_random_normal(random);
    if (of->weights == PROPOSAL) x[0] *= of->parameter;
  } while ((of->weights == HEAVY_STRIP || of->weights == LIGHT_STRIP) &&
    fare_random_uniform(random) * greatest > 1 / weigh(of, x[0]));
}

static void shuffle(fare_random *random, fare_ensemble *e)
{
  for (int64_t i = e->count - 1; i > 0; i--) {
    const int64_t j = (int64_t)(fare_random_uniform(random) * (double)(i + 1));

    for (int axis = 0; axis < e->dim; axis++) {
      const double x = e->x[axis][i];

      e->x[axis][i] = e->x[axis][j];
      e->x[axis][j] = x;
    }
  }
}

static fare_binned draw_rows(const bins *b, const rows *of, uint64_t seed)
{
  fare_random    random          = {.stream = fare_stream_make(seed, of->name), .sequence = (uint64_t)of->n};
  double         x[FARE_DIM_MAX] = {0}, z[FARE_DIM_MAX];
  fare_ensemble *e;
  fare_binned    q;

  assert_ok(fare_ensemble_create(PETSC_COMM_SELF, of->dim, of->n, &e));
  if (of->weights != EVEN) assert_ok(fare_ensemble_weigh(e));
  for (int64_t i = 0; i < of->n; i++) {
    if (i % of->copies == 0) {
      draw_row(of, &random, z);
      for (int axis = 0; axis < of->dim; axis++)
        x[axis] =
          i ? of->correlation * x[axis] + sqrt(1 - of->correlation * of->correlation) * z[axis] : z[axis];
    }
    for (int axis = 0; axis < of->dim; axis++) e->x[axis][i] = x[axis] + (axis ? 0 : of->shift);
    if (of->weights == LOGNORMAL)
      e->weight[i] = exp(of->parameter * fare_random_normal(&random));
    else if (of->weights != EVEN)
      e->weight[i] = weigh(of, x[0]);
  }
  if (of->shuffled) shuffle(&random, e);
  assert_ok(fare_binning_ensemble(b->binning, e, &q));
  assert_ok(fare_ensemble_destroy(&e));
  return q;
}

/* What infinitely many rows would show in the pools that are made for so many. */
static void find_targets(
  const bins *b, const fare_binned *p, const fare_binned *exact, double pooled, double target[MEASURES])
{
  fare_binned with = *exact;
  fare_sides  s;

  with.samples   = 1;
  with.effective = pooled;
  assert_ok(fare_sides_create(b->binning, p, NULL, &with, pooled, &s));
  fare_sides_show_samples(&s);
  memcpy(s.q, s.q_raw, (s.pools + 1) * sizeof *s.q);
  memcpy(s.p, s.p_raw, (s.pools + 1) * sizeof *s.p);
  s.seen.n = HUGE_VAL;
  for (int m = 0; m < (b->grid->dim == 1 ? MEASURES : ANY_DIMENSION); m++)
    target[m] = fare_measure_type_find(names[m])->evaluate(&s.seen);
  assert_ok(fare_sides_destroy(&s));
}

typedef struct {
  double covered[MEASURES], given[MEASURES], effective, independent, likely, value[MEASURES],
    target[MEASURES], floor[MEASURES];
} coverage;

static void cover(const rows *of, int seeds, coverage *c)
{
  bins        b = make_bins(of->dim);
  fare_binned p = make_density(&b, 0), exact = make_density(&b, of->shift);

  *c = (coverage){0};
  for (int seed = 0; seed < seeds; seed++) {
    fare_binned   q = draw_rows(&b, of, (uint64_t)seed);
    double        target[MEASURES];
    fare_measured r[MEASURES];

    compare(&b, &p, &q, REPLICATES, (uint64_t)seed, r);
    find_targets(&b, &p, &exact, r[KL].pooled, target);
    for (int m = 0; m < (of->dim == 1 ? MEASURES : ANY_DIMENSION); m++) {
      assert_true((r[m].interval == FARE_INTERVAL) == !isnan(r[m].high));
      c->given[m] += r[m].interval == FARE_INTERVAL;
      c->covered[m] += r[m].low <= target[m] && target[m] <= r[m].high;
      c->value[m] += r[m].value / seeds;
      c->floor[m] += r[m].floor_mean / seeds;
      c->target[m] += target[m] / seeds;
    }
    c->likely += (r[KL].p_value > 0.05) / (double)seeds;
    c->effective += r[KL].effective / seeds;
    c->independent += r[KL].independent / seeds;
    assert_ok(fare_binned_free(&q));
  }
  for (int m = 0; m < MEASURES; m++) {
    c->covered[m] /= c->given[m];
    c->given[m] /= seeds;
  }
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&exact));
  unmake(&b);
}

/* In the order of columns; the truth has one well. */
static const int shown[] = {KL, REVERSE_KL, JENSEN_SHANNON, TOTAL_VARIATION, HELLINGER, CHI_SQUARED, ENERGY,
  TAIL, WASSERSTEIN_1, WASSERSTEIN_2};

/* Those of which hardly any interval is given have no coverage to speak of. */
static void print_line(const rows *of, const coverage *c)
{
  printf(
    "| %s | %d | %d | %g | %.0f | %.0f |", of->name, of->dim, of->n, of->shift, c->effective, c->independent);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(shown); i++) {
    const int m = shown[i] == WASSERSTEIN_1 && of->dim > 1 ? SLICED : shown[i];

    if (m == WASSERSTEIN_2 && of->dim > 1)
      printf(" - |");
    else if (c->given[m] < 0.1)
      printf(" none |");
    else
      printf(" %.1f |", 100 * c->covered[m]);
  }
  printf(" %.0f | %.0f |\n", 100 * c->given[KL], 100 * c->likely);
  fflush(stdout);
}

/* To four standard errors: rows for which no line is asked may be withheld, but not wrong. */
static void check_line(const rows *of, const coverage *c, int seeds)
{
  const PetscBool narrow =
    of->weights == PROPOSAL && of->parameter < 0.7 ? PETSC_TRUE : PETSC_FALSE; /* misses too much */

  if (of->least > 0 && c->given[KL] < 0.85) fail_msg("%s: intervals given for %.2f", of->name, c->given[KL]);
  if (of->shift == 0 && c->likely < 0.95 - 4 * sqrt(0.05 * 0.95 / seeds) && !narrow)
    fail_msg("%s: p above 0.05 for %.3f of right rows", of->name, c->likely);
  for (int m = 0; m < (of->dim == 1 ? MEASURES : ANY_DIMENSION); m++) {
    const double given = c->given[m] * seeds;

    if (given >= 20 && c->covered[m] < 0.92 - 4 * sqrt(0.08 * 0.92 / given))
      fail_msg("%s, shift %g: %s covers %.3f", of->name, of->shift, names[m], c->covered[m]);
  }
}

static void intervals_hold_the_true_value(void **state)
{
  const char *asked = getenv("FARE_COVERAGE_SEEDS"), *only = getenv("FARE_COVERAGE_ONLY");
  const int   seeds = asked ? atoi(asked) : SEEDS;

  (void)state;
  printf("| rows | axes | number | shift | effective | independent | kl | reverse_kl | jensen_shannon | "
         "total_variation | hellinger_squared | chi_squared | energy_distance | tail_error | wasserstein_1, "
         "sliced | wasserstein_2 | given | p > 0.05 |\n");
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(lines); i++) {
    coverage c;

    if (only && !strstr(lines[i].name, only)) continue;
    cover(&lines[i], seeds, &c);
    print_line(&lines[i], &c);
    check_line(&lines[i], &c, seeds);
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(intervals_hold_the_true_value),
};
FARE_TEST_MAIN(tests)
