/*
  Many comparisons in one process, for scores.py, which knows what they should show. Reads numbers in double
  precision from standard input: dimension, cells per axis, lower and upper end of every axis, exact draws
  behind a floor, name of the random numbers, samples n, whether they have weights; then the truth's masses,
  first axis fastest, the positions of samples, axis after axis, and their weights. Prints for each comparison
  a line: for every measure NAME VALUE CORRECTED LOW HIGH FLOOR EFFECTIVE INDEPENDENT.
*/
#include <fare/fare.h>
#include <petscdmda.h>

#include <stdio.h>
#include <stdlib.h>

enum { MEASURES_MOST = 32 };
typedef struct {
  double dim, cells, lower, upper, replicates, seed, count, weighted;
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

static PetscErrorCode read_samples(const header *h, const fare_binning *binning, fare_binned *q)
{
  fare_ensemble *ensemble;

  PetscFunctionBeginUser;
  PetscCall(fare_ensemble_create(PETSC_COMM_WORLD, (int)h->dim, (int64_t)h->count, &ensemble));
  for (int axis = 0; axis < (int)h->dim; axis++) PetscCall(get(ensemble->x[axis], (size_t)h->count));
  if (h->weighted > 0) {
    PetscCall(fare_ensemble_weigh(ensemble));
    PetscCall(get(ensemble->weight, (size_t)h->count));
  }
  PetscCall(fare_binning_ensemble(binning, ensemble, q));
  PetscCall(fare_ensemble_destroy(&ensemble));
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(const header *h)
{
  const double             lower[] = {h->lower, h->lower, h->lower}, upper[] = {h->upper, h->upper, h->upper};
  const PetscInt           cells[] = {(PetscInt)h->cells, (PetscInt)h->cells, (PetscInt)h->cells};
  const fare_measure_type *type[MEASURES_MOST];
  fare_measured            result[MEASURES_MOST];
  fare_binning            *binning;
  fare_binned              p, q;
  fare_grid               *grid;
  size_t                   count = 0;

  PetscFunctionBeginUser;
  for (size_t i = 0; fare_measure_type_at(i) && count < MEASURES_MOST; i++) {
    if (!fare_measure_type_at(i)->dimension_max || h->dim <= fare_measure_type_at(i)->dimension_max)
      type[count++] = fare_measure_type_at(i);
  }
  PetscCall(fare_grid_create(PETSC_COMM_WORLD, (int)h->dim, cells, lower, upper, NULL, &grid));
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(read_masses(grid, binning, &p));
  PetscCall(read_samples(h, binning, &q));
  PetscCall(fare_measure_compare(PETSC_COMM_WORLD, binning, &p, NULL, &q, count, type, (int)h->replicates,
    fare_stream_make((uint64_t)h->seed, "referee"), result));
  for (size_t i = 0; i < count; i++) {
    const fare_measured *r = &result[i];

    printf("%s %.17g %.17g %.17g %.17g %.17g %.17g %.17g ", type[i]->name, r->value, r->corrected, r->low,
      r->high, r->floor_mean, r->effective, r->independent);
  }
  putchar('\n');
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
