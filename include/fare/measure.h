/* measure: a number that compares an ensemble with a density on a grid at one instant, with its noise floor. */
#ifndef FARE_MEASURE_H
#define FARE_MEASURE_H

#include <fare/ensemble.h>
#include <fare/truth.h>

/*
  Bins are unions of whole cells, declared before any sample is looked at. Every rank holds all bins, none holds the
  grid. There are two sets: fine bins (blocks of cells; for cumulative functions) and coarse bins (blocks of fine ones, neighbours
  pooled until n p >= 5 by the truth's own masses; for plug-in divergences) plus one for what falls outside the grid. Both follow
  from the grid alone and, for the pooling, from the truth and n. docs/measures.md has the sizes and every rule.
*/
typedef struct fare_binning fare_binning;
/* Keeps no reference to the grid. Collective. */
PetscErrorCode fare_binning_create(const fare_grid *grid, fare_binning **binning);
PetscErrorCode fare_binning_destroy(fare_binning **binning);
/* Fine bins along each axis, 1 beyond the grid's dimension; bin (i, j, k) is the (k extent[1] + j) extent[0] + i th. */
void fare_binning_extents(const fare_binning *binning, uint64_t extent[FARE_DIM_MAX]);

/* A density, or samples, on fine bins; the last entry is the outside. */
typedef struct {
  size_t  bins;      /* fine bins, without the outside */
  double *mass;      /* bins + 1, sum 1 */
  double  below;     /* the part of the outside that lies below a single axis; 0 beyond one dimension */
  double  effective; /* effective number of samples; HUGE_VAL for a density */
  int64_t samples;   /* number of samples; 0 for a density */
} fare_binned;
/*
  Cell masses (a vector of the grid) by bins, with sum 1; what is negative in a bin counts as 0. The result is the same on all ranks
  and owned by the caller. FARE_ERR_FAILED when the sum is not positive and finite. Collective.
*/
PetscErrorCode fare_binning_density(const fare_binning *binning, Vec masses, fare_binned *binned);
/*
  An ensemble by bins, wrapped into the box along periodic axes: the same bits on any number of ranks, weighted or not. The
  result is the same on all ranks and owned by the caller. FARE_ERR_FAILED when no weight is positive. Collective over ensemble->comm.
*/
PetscErrorCode fare_binning_ensemble(const fare_binning *binning, const fare_ensemble *ensemble, fare_binned *binned);
PetscErrorCode fare_binned_free(fare_binned *binned);

/*
  What an estimator sees: pure arrays. p is the truth, q the samples (or a second density). The half-count rule makes p and q
  positive in every coarse bin; between two densities there is no such rule, the coarse bins are the fine ones, and masses may be 0.
*/
typedef struct {
  int           dim;
  size_t        coarse;            /* coarse bins, the outside last among them */
  const double *p, *q;             /* masses of coarse bins, with the half-count rule: to divide by */
  const double *p_raw, *q_raw;     /* without any rule */
  size_t        fine;              /* fine bins along the one axis; 0 beyond one dimension */
  const double *edge;              /* ends of fine bins: fine + 1, ascending */
  const double *p_fine, *q_fine;   /* masses; fine entries */
  double        q_below, q_above;  /* shares of q beyond the two ends of the axis */
} fare_comparison;

/* What a measure provides: one const descriptor named in src/measure/list.h. */
typedef struct {
  const char *name, *summary, *definition, *reference, *unit;
  int         dimension_most; /* largest dimension it is defined in; 0: any */
  double (*evaluate)(const fare_comparison *comparison);
} fare_measure_type;

const fare_measure_type *fare_measure_type_find(const char *name); /* NULL when unknown */
const fare_measure_type *fare_measure_type_at(size_t i);           /* NULL past the last */
PetscErrorCode fare_measure_type_describe(const fare_measure_type *type, FILE *to);

typedef struct {
  double value;                   /* the estimate */
  double floor_mean, floor_high;  /* of the same estimator on exact draws: mean and 95% quantile; 0 between densities */
  double p_value;                 /* (1 + exact draws that reach the value) / (1 + exact draws); 1 between densities */
  double excess;                  /* value - floor_mean */
  double truth_error;             /* |change of the value when the truth's estimated error is added to it| */
} fare_measured;

/*
  All `count` measures of q against the truth p at once. `p_corrected` (may be NULL) is the truth plus its estimated error. `replicates`
  exact draws give the floor, shared out over the ranks of comm; `stream` names their random numbers. p and q are the same on every
  rank, and so are the results, to the bit on any number of ranks. FARE_ERR_INPUT where a measure is not defined in this dimension.
  Collective.
*/
PetscErrorCode fare_measure_compare(MPI_Comm comm, const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected, const fare_binned *q, size_t count, const fare_measure_type *const types[], int replicates, fare_stream stream, fare_measured results[]);

#endif
