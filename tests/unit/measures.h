/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What tests of measures share: bins of small grids, densities and samples on them, and all measures at once.
*/
#ifndef FARE_TESTS_MEASURES_H
#define FARE_TESTS_MEASURES_H

#include "fare_test.h"

#include "measure/bins/binning.h"

#include <petscdmda.h>

enum {
  KL,
  REVERSE_KL,
  JENSEN_SHANNON,
  TOTAL_VARIATION,
  HELLINGER,
  CHI_SQUARED,
  PLUG_IN,
  SLICED = PLUG_IN,
  ENERGY,
  TAIL,
  WELLS,
  ANY_DIMENSION,
  WASSERSTEIN_1 = ANY_DIMENSION,
  WASSERSTEIN_2,
  MEASURES
};
static const char *const names[MEASURES] = {"kl", "reverse_kl", "jensen_shannon", "total_variation",
  "hellinger_squared", "chi_squared", "sliced_wasserstein", "energy_distance", "tail_error",
  "well_population", "wasserstein_1", "wasserstein_2"};

typedef struct {
  fare_grid    *grid;
  fare_binning *binning;
} bins;

static inline bins make(int dim, const PetscInt cells[], double lower, double upper)
{
  const double low[] = {lower, lower, lower}, high[] = {upper, upper, upper};
  bins         b;

  assert_ok(fare_grid_create(PETSC_COMM_SELF, dim, cells, low, high, NULL, &b.grid));
  assert_ok(fare_binning_create(b.grid, &b.binning));
  return b;
}

static inline void unmake(bins *b)
{
  assert_ok(fare_binning_destroy(&b->binning));
  assert_ok(fare_grid_destroy(&b->grid));
}

static inline bins make_line(PetscInt cells, double lower, double upper)
{
  return make(1, &cells, lower, upper);
}

static inline fare_binned density(const bins *b, const double mass[])
{
  fare_binned  binned;
  Vec          masses;
  PetscScalar *values;
  PetscInt     n;

  assert_ok(DMCreateGlobalVector(b->grid->dm, &masses));
  assert_ok(VecGetLocalSize(masses, &n));
  assert_ok(VecGetArray(masses, &values));
  for (PetscInt i = 0; i < n; i++) values[i] = mass[i];
  assert_ok(VecRestoreArray(masses, &values));
  assert_ok(fare_binning_density(b->binning, masses, &binned));
  assert_ok(VecDestroy(&masses));
  return binned;
}

/* Counts of fine bins and of what lies below and above the one axis. */
static inline fare_binned samples(const bins *b, const double counts[], double below, double above)
{
  fare_binned binned = {.bins = b->binning->bins};
  double      total  = below + above;

  for (size_t i = 0; i < binned.bins; i++) total += counts[i];
  assert_ok(PetscMalloc1(binned.bins + 1, &binned.mass));
  for (size_t i = 0; i < binned.bins; i++) binned.mass[i] = counts[i] / total;
  binned.mass[binned.bins] = (below + above) / total;
  binned.below             = below / total;
  binned.samples           = llround(total);
  binned.effective         = total;
  return binned;
}

static inline void compare(const bins *b, const fare_binned *p, const fare_binned *q, int replicates,
  uint64_t seed, fare_measured results[MEASURES])
{
  const fare_measure_type *types[MEASURES];

  for (int m = 0; m < MEASURES; m++) types[m] = fare_measure_type_find(names[m]);
  assert_ok(fare_measure_compare(PETSC_COMM_SELF, b->binning, p, NULL, q,
    b->grid->dim == 1 ? MEASURES : ANY_DIMENSION, types, replicates, fare_stream_make(seed, "floor"),
    results));
}

/* Compares two lists of cell masses as densities. */
static inline void compare_densities(
  const bins *b, const double p_mass[], const double q_mass[], fare_measured results[MEASURES])
{
  fare_binned p = density(b, p_mass), q = density(b, q_mass);

  compare(b, &p, &q, 100, 1, results);
  assert_ok(fare_binned_free(&p));
  assert_ok(fare_binned_free(&q));
}

/* Probability of [a, b] under a Gaussian, precise in both tails. */
static inline double gaussian(double mean, double sd, double a, double b)
{
  const double u = (a - mean) / sd * M_SQRT1_2, v = (b - mean) / sd * M_SQRT1_2;

  return u > 0 ? 0.5 * (erfc(u) - erfc(v)) : v < 0 ? 0.5 * (erfc(-v) - erfc(-u)) : 0.5 * (erf(v) - erf(u));
}

static inline void fill_gaussian(const bins *b, double mean, double sd, double mass[])
{
  for (PetscInt i = 0; i < b->grid->cells[0]; i++)
    mass[i] = gaussian(mean, sd, b->grid->lower[0] + (double)i * b->grid->spacing[0],
      b->grid->lower[0] + (double)(i + 1) * b->grid->spacing[0]);
}

/* n draws by inversion of the cumulative function: another road than the multinomial's. */
static inline fare_binned draw(const bins *b, const fare_binned *p, int n, uint64_t sequence)
{
  fare_random random = {.stream = fare_stream_make(9, "draw"), .sequence = sequence};
  double     *counts = calloc(p->bins, sizeof *counts);
  fare_binned q;

  assert_non_null(counts);
  for (int s = 0; s < n; s++) {
    double u = fare_random_uniform(&random);
    size_t i = 0;

    while (i + 1 < p->bins && u > p->mass[i]) u -= p->mass[i++];
    counts[i]++;
  }
  q = samples(b, counts, 0, 0);
  free(counts);
  return q;
}

#endif
