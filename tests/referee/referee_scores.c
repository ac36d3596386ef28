/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Many comparisons in one process, for scores.py, which knows what they should show. Reads numbers in double
  precision from standard input: dimension, cells per axis, lower and upper end of every axis, exact draws
  behind a floor, name of the random numbers, samples n, whether they have weights, whether they have a
  density; then the truth's masses, first axis fastest, the positions of samples, axis after axis, their
  weights, and their ln q. Prints for each comparison a line: for every measure NAME VALUE CORRECTED LOW HIGH
  FLOOR POOLED INDEPENDENT; measures made from the density where there is one, else those made from bins.
*/
#include "study/score/score.h"

#include <fare/fare.h>
#include <petscdmda.h>

#include <stdio.h>
#include <stdlib.h>

enum { MEASURES_MOST = 32 };
typedef struct {
  double dim, cells, lower, upper, replicates, seed, count, weighted, density;
} header;

static PetscErrorCode get(double to[], size_t n)
{
  PetscFunctionBeginUser;
  if (fread(to, sizeof *to, n, stdin) != n) FARE_FAIL(FARE_ERR_INPUT, "standard input ends too early");
  PetscFunctionReturn(0);
}

static PetscErrorCode read_masses(const fare_grid *grid, const fare_binning *binning, fare_binned *p)
{
  PetscScalar *mass;
  PetscInt     n;
  Vec          masses;

  PetscFunctionBeginUser;
  PetscCall(DMCreateGlobalVector(grid->dm, &masses));
  PetscCall(VecGetLocalSize(masses, &n));
  PetscCall(VecGetArray(masses, &mass));
  PetscCall(get(mass, (size_t)n));
  PetscCall(VecRestoreArray(masses, &mass));
  PetscCall(fare_binning_density(binning, masses, p));
  PetscCall(VecDestroy(&masses));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_samples(const header *h, fare_ensemble **ensemble)
{
  PetscFunctionBeginUser;
  PetscCall(fare_ensemble_create(PETSC_COMM_WORLD, (int)h->dim, (int64_t)h->count, ensemble));
  for (int axis = 0; axis < (int)h->dim; axis++) PetscCall(get((*ensemble)->x[axis], (size_t)h->count));
  if (h->weighted > 0) {
    PetscCall(fare_ensemble_weigh(*ensemble));
    PetscCall(get((*ensemble)->weight, (size_t)h->count));
  }
  PetscFunctionReturn(0);
}

/* From bins. */
static PetscErrorCode measure_bins(const header *h, const fare_binning *binning, const fare_binned *p,
  const fare_binned *q, size_t *count, const fare_measure_type *type[], fare_measured result[])
{
  PetscFunctionBeginUser;
  *count = 0;
  for (size_t i = 0; fare_measure_type_at(i) && *count < MEASURES_MOST; i++) {
    const fare_measure_type *of = fare_measure_type_at(i);

    if (!of->dimension_max || h->dim <= of->dimension_max) type[(*count)++] = of;
  }
  PetscCall(fare_measure_compare(PETSC_COMM_WORLD, binning, p, NULL, q, *count, type, (int)h->replicates,
    fare_stream_make((uint64_t)h->seed, "referee"), result));
  PetscFunctionReturn(0);
}

/* From the samples' own density. */
static PetscErrorCode measure_density(const header *h, fare_binning *binning, const fare_binned *p,
  const fare_binned *q, const fare_ensemble *ensemble, size_t *count, const fare_measure_type *type[],
  fare_measured result[])
{
  const fare_finished study = {.comm = PETSC_COMM_WORLD, .binning = binning};
  double             *log_density;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc1((size_t)h->count, &log_density));
  PetscCall(get(log_density, (size_t)h->count));
  for (*count = 0; fare_score_density_at(*count); (*count)++) {
    type[*count] = fare_score_density_at(*count);
    PetscCall(fare_score_density(&study, type[*count], p, p, q, ensemble, log_density, &result[*count]));
  }
  PetscCall(PetscFree(log_density));
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(const header *h)
{
  const double             lower[] = {h->lower, h->lower, h->lower}, upper[] = {h->upper, h->upper, h->upper};
  const PetscInt           n = (PetscInt)h->cells, cells[] = {n, n, n};
  const fare_measure_type *type[MEASURES_MOST];
  fare_measured            result[MEASURES_MOST];
  fare_ensemble           *ensemble;
  fare_binning            *binning;
  fare_binned              p, q;
  fare_grid               *grid;
  size_t                   count = 0;

  PetscFunctionBeginUser;
  PetscCall(fare_grid_create(PETSC_COMM_WORLD, (int)h->dim, cells, lower, upper, NULL, &grid));
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(read_masses(grid, binning, &p));
  PetscCall(read_samples(h, &ensemble));
  PetscCall(fare_binning_ensemble(binning, ensemble, &q));
  if (h->density > 0)
    PetscCall(measure_density(h, binning, &p, &q, ensemble, &count, type, result));
  else
    PetscCall(measure_bins(h, binning, &p, &q, &count, type, result));
  for (size_t i = 0; i < count; i++) {
    const fare_measured *r = &result[i];

    printf("%s %.17g %.17g %.17g %.17g %.17g %.17g %.17g ", type[i]->name, r->value, r->corrected, r->low,
      r->high, r->floor_mean, r->pooled, r->independent);
  }
  putchar('\n');
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscCall(fare_binned_free(&p));
  PetscCall(fare_binned_free(&q));
  PetscCall(fare_binning_destroy(&binning));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  PetscErrorCode code = 0;
  header         h;

  if (fare_initialize(argc, argv)) return FARE_EXIT_FAILED;
  while (!code && fread(&h, sizeof h, 1, stdin) == 1) {
    code = compare(&h);
    fflush(stdout);
  }
  return fare_finalize(code);
}
