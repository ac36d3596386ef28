/* measure: a number that compares an ensemble with a density on a grid at one instant, with its noise floor. */
#ifndef FARE_MEASURE_H
#define FARE_MEASURE_H

#include <fare/ensemble.h>
#include <fare/truth.h>

/*
  Bins are unions of whole cells, declared before any sample is looked at. Every rank holds all bins, none holds the
  grid. There are two sets: fine bins (blocks of cells; for cumulative functions) and coarse bins (blocks of fine ones, neighbours
  pooled until n p >= 5 by the truth's own masses; for plug-in divergences) plus one for what falls outside the grid.
*/
typedef struct fare_binning fare_binning;
PetscErrorCode fare_binning_create(const fare_grid *grid, fare_binning **binning);
PetscErrorCode fare_binning_destroy(fare_binning **binning);

/* A density, or samples, on fine bins; the last entry is the outside. */
typedef struct {
  size_t  bins;      /* fine bins, without the outside */
  double *mass;      /* bins + 1, sum 1 */
  double  effective; /* effective number of samples; HUGE_VAL for a density */
  int64_t samples;   /* number of samples; 0 for a density */
} fare_binned;
/* Collective; the result is the same on all ranks and owned by the caller. */
PetscErrorCode fare_binning_density(const fare_binning *binning, Vec masses, fare_binned *binned);
PetscErrorCode fare_binning_ensemble(const fare_binning *binning, const fare_ensemble *ensemble, fare_binned *binned);
PetscErrorCode fare_binned_free(fare_binned *binned);

/* What an estimator sees: pure arrays. p is the truth, q the samples (or a second density). */
typedef struct {
  int           dim;
  size_t        coarse;          /* coarse bins, the outside among them */
  const double *p, *q;           /* masses of coarse bins; q with the half-count rule where samples are few: see docs/measures.md */
  const double *q_raw;           /* without any rule */
  size_t        fine;            /* fine bins along the one axis; 0 beyond one dimension */
  double        lower, width;    /* of the fine bins */
  const double *p_fine, *q_fine; /* masses; fine entries */
} fare_comparison;

typedef struct {
  const char *name, *summary, *definition, *reference, *unit;
  int         dimension_most; /* largest dimension it is defined in; 0: any */
  double (*evaluate)(const fare_comparison *comparison);
} fare_measure_type;

const fare_measure_type *fare_measure_type_find(const char *name);
const fare_measure_type *fare_measure_type_at(size_t i);
PetscErrorCode fare_measure_type_describe(const fare_measure_type *type, FILE *to);

typedef struct {
  double value;                   /* the estimate */
  double floor_mean, floor_high;  /* of the same estimator on exact draws: mean and 95% quantile; 0 between densities */
  double p_value;                 /* fraction of exact draws that reach the value */
  double excess;                  /* value - floor_mean */
  double truth_error;             /* |change of the value when the truth's estimated error is added to it| */
} fare_measured;

/*
  All `count` measures of q against the truth p at once. `p_corrected` (may be NULL) is the truth plus its estimated error. `replicates`
  exact draws give the floor, shared out over the ranks of comm; `random` names their stream. Collective; same result on every rank.
*/
PetscErrorCode fare_measure_compare(MPI_Comm comm, const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected, const fare_binned *q, size_t count, const fare_measure_type *const types[], int replicates, fare_stream stream, fare_measured results[]);

#endif
