/* SPDX-License-Identifier: BSD-2-Clause */
/*
  measure: a number that compares an ensemble with a density on a grid at one instant, with its noise floor.
*/
#ifndef FARE_MEASURE_H
#define FARE_MEASURE_H

#include <fare/ensemble.h>
#include <fare/truth.h>

/*
  Bins are unions of whole cells, declared before any sample is looked at. Every rank holds all bins, none
  holds the grid. There are fine bins (blocks of cells), coarse bins (blocks of fine ones) and pools of coarse
  bins (neighbours joined until n p >= 5 by the truth's own masses; for plug-in divergences), plus one for
  what falls outside the grid. All follow from the grid alone and, for the pools, from the truth and n.
  docs/measures.md has the sizes and every rule.
*/
typedef struct fare_binning fare_binning;
/* Keeps no reference to the grid. Collective. */
PetscErrorCode fare_binning_create(const fare_grid *grid, fare_binning **binning);
PetscErrorCode fare_binning_destroy(fare_binning **binning);
/*
  Fine bins along each axis, 1 beyond the grid's dimension; bin (i, j, k) is the (k extent[1] + j) extent[0] +
  i th.
*/
void fare_binning_extents(const fare_binning *binning, uint64_t extent[FARE_DIM_MAX]);

/* A density, or samples, on fine bins; the last entry is the outside. */
typedef struct {
  size_t  bins;      /* fine bins, without the outside */
  double *mass;      /* bins + 1, sum 1 */
  double  below;     /* the part of the outside that lies below a single axis; 0 beyond one dimension */
  double  effective; /* effective number of samples, copies of one taken together; HUGE_VAL for a density */
  /* (sum w^2)^2 / sum w^4, of samples: as many equal ones stand behind the estimate of their noise */
  double  behind;
  int64_t samples;  /* number of samples; 0 for a density */
  int64_t distinct; /* those with a weight at different positions */
  /*
    sums of squares of shares of weight, copies taken together, and numbers of distinct samples: of each bin
    that intervals look at, and the outside; NULL where all samples are alike
  */
  double *square;
  size_t  groups; /* consecutive particles in so many groups of equal size, for intervals; 0: none */
  /*
    shares of all weight, per group: those in the bins that intervals look at, outside below, outside
    elsewhere, the whole group
  */
  double *group;
} fare_binned;
/*
  Cell masses (a vector of the grid) by bins, with sum 1; what is negative in a bin counts as 0. The result is
  the same on all ranks and owned by the caller. FARE_ERR_FAILED when the sum is not positive and finite.
  Collective.
*/
PetscErrorCode fare_binning_density(const fare_binning *binning, Vec masses, fare_binned *binned);
/*
  An ensemble by bins, wrapped into the box along periodic axes: the same bits on any number of ranks,
  weighted or not. The result is the same on all ranks and owned by the caller. FARE_ERR_FAILED when no weight
  is positive. Collective over ensemble->comm.
*/
PetscErrorCode fare_binning_ensemble(
  const fare_binning *binning, const fare_ensemble *ensemble, fare_binned *binned);
PetscErrorCode fare_binned_free(fare_binned *binned);

/*
  An ensemble on the cells of a grid that is spread over the same ranks (or whole on each): masses as the
  truth's in a new vector of the grid, and the share that lies outside, together 1. The same bits on any
  number of ranks; memory of a rank grows with its own particles and cells, not with the grid. FARE_ERR_FAILED
  when no weight is positive. Collective over ensemble->comm.
*/
PetscErrorCode fare_deposit(
  const fare_grid *grid, const fare_ensemble *ensemble, Vec *masses, double *outside);

/*
  ln of the density p at local particles, from its bin averages: cubic between fine bins, fourth order in
  their width. Where it is steep it stays within the range of the bins beside the point; beside an empty bin
  (mass below 1e-24) it is the average of the point's own. What is outside, or in an empty bin, has the
  logarithm of the smallest normal number. Not collective.
*/
PetscErrorCode fare_binning_log_density(
  const fare_binning *binning, const fare_binned *p, const fare_ensemble *ensemble, double log_density[]);

/*
  Directions that samples are projected on in two and three dimensions, with the order of all bins along each.
  docs/measures.md has the quadrature.
*/
typedef struct {
  int           directions; /* 0 in one dimension */
  const double *weight;     /* of each, sum 1 */
  /* bins by ascending projection of their middles, one direction after the other */
  const PetscInt *order;
  const double   *gap; /* from each bin in that order to the next; the last is 0 */
} fare_projections;

/*
  What an estimator sees: pure arrays. p is the truth, q the samples (or a second density). The half-count
  rule makes p and q positive in every pool. Between two densities the pools are the fine bins, but one for
  all those of which the truth's mass is too small to be known; p is positive, q may be 0.
*/
typedef struct {
  int    dim;
  double n;     /* effective samples behind q, HUGE_VAL: a density */
  size_t pools; /* the outside last among them */
  /* masses of pools, with the half-count rule or the least that is known: to divide by */
  const double *p, *q;
  const double *p_raw, *q_raw; /* without any rule */
  size_t        bins;          /* fine bins in one dimension, coarse beyond */
  const double *p_bin, *q_bin; /* their masses, without the outside */
  const double *edge;          /* ends of bins in one dimension: bins + 1, ascending */
  /* shares of q outside: beyond the two ends of a single axis; all above beyond one dimension */
  double                  q_below, q_above;
  const fare_projections *projections;
  /* per bin: how much of it belongs to where the truth is thinnest and has FARE_TAIL of its mass */
  const double *tail;
  int           wells;
  const int    *well; /* per bin: the well of the truth that it belongs to */
} fare_comparison;
#define FARE_TAIL       0.01
#define FARE_WELLS_MOST 1024

/* What a measure provides: one const descriptor named in src/measure/list.h. */
typedef struct {
  const char *name, *summary, *definition, *reference, *unit;
  int         dimension_max; /* largest dimension it is defined in; 0: any */
  double      fewest;        /* independent ones that an interval needs where samples are correlated */
  PetscBool   pools;         /* a sum over pools; else it looks at bins */
  /*
    vanishes as the difference of q and p does, not as its square: bias and interval are those of its square
  */
  PetscBool norm;
  double (*evaluate)(const fare_comparison *comparison);
  /* with the bias that evaluate takes off, for the interval; NULL: evaluate takes off none */
  double (*plain)(const fare_comparison *comparison);
} fare_measure_type;

const fare_measure_type *fare_measure_type_find(const char *name); /* NULL when unknown */
const fare_measure_type *fare_measure_type_at(size_t i);           /* NULL past the last */
void                     fare_measure_type_describe(const fare_measure_type *type, FILE *to);

/* Why there is no interval. */
typedef enum {
  FARE_INTERVAL,
  FARE_NO_GROUPS,
  FARE_ONE_GROUP,
  FARE_FEW_WEIGHTS,
  FARE_BARE_POOLS,
  FARE_LONG_CORRELATION,
  FARE_FEW_INDEPENDENT,
  FARE_NO_VALUE,
  FARE_INTERVAL_KINDS
} fare_interval;
extern const char *const fare_interval_reasons[FARE_INTERVAL_KINDS]; /* empty where there is one */

typedef struct {
  double value;     /* the estimate */
  double corrected; /* less its estimated bias; may be negative */
  /* 95% interval of what infinitely many samples would show; not a number without groups */
  double low, high;
  /* of the same estimator on exact draws: mean and 95% quantile; 0 between densities */
  double floor_mean, floor_high;
  /* value - floor_mean, and that in standard deviations of the floor; 0 between densities */
  double excess, significance;
  /* (1 + exact draws that reach the value) / (1 + exact draws); 1 between densities */
  double p_value;
  /*
    numbers of samples: (sum w)^2 / sum w^2, and as many independent ones as scatter like the groups; HUGE_VAL
    for a density
  */
  double        effective, independent;
  double        pooled;      /* effective samples that the pools are made for */
  fare_interval interval;    /* whether corrected, low and high are there */
  double        truth_error; /* |change of the value when the truth's estimated error is added to it| */
} fare_measured;

/*
  All `count` measures of q against the truth p at once. `p_corrected` (may be NULL) is the truth plus its
  estimated error. `replicates` exact draws give the floor, shared out over the ranks of comm; `stream` names
  their random numbers. The groups of q, left out one after the other, give bias and interval. p and q are the
  same on every rank, and so are the results, to the bit on any number of ranks. FARE_ERR_INPUT where a
  measure is not defined in this dimension. Collective.
*/
PetscErrorCode fare_measure_compare(MPI_Comm comm, const fare_binning *binning, const fare_binned *p,
  const fare_binned *p_corrected, const fare_binned *q, size_t count, const fare_measure_type *const types[],
  int replicates, fare_stream stream, fare_measured results[]);

/** Half the width of a 95% interval of a normal distribution, in standard deviations. */
#define FARE_NORMAL_95 1.959963984540054
/**
  The same of Student's t, by the expansion of Fisher and Cornish: to 0.001 from 5 degrees of freedom on.

  @param freedom degrees of freedom
*/
double fare_student_95(double freedom);

#endif
