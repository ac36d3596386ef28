/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  measure: a number that compares an ensemble with a density on a grid at one instant, with its noise floor.
  docs/measures.md has every definition, rule and source.
*/
#ifndef FARE_MEASURE_H
#define FARE_MEASURE_H

#include <fare/ensemble.h>
#include <fare/truth.h>

/**
  Bins: unions of whole cells, declared before any sample is looked at. Every rank holds all bins, none holds
  the grid. There are fine bins (blocks of cells), coarse bins (blocks of fine ones) and pools of coarse bins
  (neighbours joined until n p >= 5 by the truth's own masses; for plug-in divergences), plus one for what
  falls outside the grid. All follow from the grid alone and, for the pools, from the truth and n.
*/
typedef struct fare_binning fare_binning;
/**
  Makes the bins of a grid. Collective.

  @param grid    no reference to it is kept
  @param binning the bins, owned by the caller: fare_binning_destroy()
  @return 0 or an error code of PETSc
*/
PetscErrorCode fare_binning_create(const fare_grid *grid, fare_binning **binning);
/**
  Frees bins. Not collective.

  @param binning set to NULL; NULL already: nothing to do
  @return 0 or an error code of PETSc
*/
PetscErrorCode fare_binning_destroy(fare_binning **binning);
/**
  Tells how many fine bins there are along each axis. Bin (i, j, k) is the (k extent[1] + j) extent[0] + i th.
  Not collective.

  @param binning the bins
  @param extent  numbers of fine bins; 1 beyond the grid's dimension
*/
void fare_binning_extents(const fare_binning *binning, uint64_t extent[FARE_DIM_MAX]);

/** A density, or samples, on fine bins; the last entry is the outside. */
typedef struct {
  size_t  bins;      /**< fine bins, without the outside */
  double *mass;      /**< bins + 1, sum 1 */
  double  below;     /**< the part of the outside that lies below a single axis; 0 beyond one dimension */
  double  effective; /**< effective number of samples, copies of one taken together; HUGE_VAL: a density */
  /** (sum w^2)^2 / sum w^4, of samples: as many equal ones stand behind the estimate of their noise */
  double  behind;
  int64_t samples;  /**< number of samples; 0 for a density */
  int64_t distinct; /**< those with a weight at different positions */
  /**
    sums of squares of shares of weight, copies taken together, and numbers of distinct samples: of each bin
    that intervals look at, and the outside; NULL where all samples are alike
  */
  double *square;
  size_t  groups; /**< consecutive particles in so many groups of equal size, for intervals; 0: none */
  /**
    shares of all weight, per group: those in the bins that intervals look at, outside below, outside
    elsewhere, the whole group
  */
  double *group;
} fare_binned;
/**
  Sorts cell masses into bins and scales them to sum 1; what is negative in a bin counts as 0. Collective.

  @param binning the bins
  @param masses  a vector of their grid
  @param binned  the same on all ranks; owned by the caller: fare_binned_free()
  @return 0, or FARE_ERR_FAILED when the sum is not positive and finite
*/
PetscErrorCode fare_binning_density(const fare_binning *binning, Vec masses, fare_binned *binned);
/**
  Sorts an ensemble into bins, wrapped into the box along periodic axes: the same bits on any number of ranks,
  weighted or not. Collective over ensemble->comm.

  @param binning  the bins
  @param ensemble the particles
  @param binned   the same on all ranks; owned by the caller: fare_binned_free()
  @return 0, or FARE_ERR_FAILED when no weight is positive
*/
PetscErrorCode fare_binning_ensemble(
  const fare_binning *binning, const fare_ensemble *ensemble, fare_binned *binned);
/**
  Frees the arrays. Not collective.

  @param binned what fare_binning_density() or fare_binning_ensemble() made
  @return 0 or an error code of PETSc
*/
PetscErrorCode fare_binned_free(fare_binned *binned);

/**
  Puts an ensemble on the cells of a grid: the same bits on any number of ranks. Memory of a rank grows with
  its own particles and cells, not with the grid. Collective over ensemble->comm.

  @param grid     spread over the same ranks, or whole on each
  @param ensemble the particles
  @param masses   as the truth's, in a new vector of the grid that the caller owns
  @param outside  the share that lies outside; together with the masses 1
  @return 0, or FARE_ERR_FAILED when no weight is positive or the grid does not fit
*/
PetscErrorCode fare_deposit(
  const fare_grid *grid, const fare_ensemble *ensemble, Vec *masses, double *outside);

/**
  Interpolates ln of a density at local particles from its bin averages: cubic between fine bins, fourth order
  in their width. Where it is steep it stays within the range of the bins beside the point; beside an empty
  bin (mass below 1e-24) it is the average of the point's own. What is outside, or in an empty bin, has the
  logarithm of the smallest normal number. Not collective.

  @param binning     the bins
  @param p           the density
  @param ensemble    the particles
  @param log_density one number per local particle, per unit of volume
  @return 0 or an error code of PETSc
*/
PetscErrorCode fare_binning_log_density(
  const fare_binning *binning, const fare_binned *p, const fare_ensemble *ensemble, double log_density[]);

/**
  Directions that samples are projected on in two and three dimensions, with the order of all bins along each.
*/
typedef struct {
  int           directions; /**< 0 in one dimension */
  const double *weight;     /**< of each, sum 1 */
  /** bins by ascending projection of their middles, one direction after the other */
  const PetscInt *order;
  const double   *gap; /**< from each bin in that order to the next; the last is 0 */
} fare_projections;

/**
  What an estimator sees: pure arrays. p is the truth, q the samples (or a second density). The half-count
  rule makes p and q positive in every pool. Between two densities the pools are the fine bins, but one for
  all those of which the truth's mass is too small to be known; p is positive, q may be 0.
*/
typedef struct {
  int    dim;   /**< of the grid */
  double n;     /**< effective samples behind q, HUGE_VAL: a density */
  size_t pools; /**< the outside last among them */
  /** masses of the truth in pools, with the half-count rule or the least that is known: to divide by */
  const double           *p;
  const double           *q;           /**< the same of the samples */
  const double           *p_raw;       /**< p without any rule */
  const double           *q_raw;       /**< q without any rule */
  size_t                  bins;        /**< fine bins in one dimension, coarse beyond */
  const double           *p_bin;       /**< masses of the truth in bins */
  const double           *q_bin;       /**< masses of the samples in bins, without the outside */
  const double           *edge;        /**< ends of bins in one dimension: bins + 1, ascending */
  double                  q_below;     /**< share of q outside below a single axis */
  double                  q_above;     /**< share of q outside elsewhere */
  const fare_projections *projections; /**< in two and three dimensions */
  /** per bin: how much of it belongs to where the truth is thinnest and has FARE_TAIL of its mass */
  const double *tail;
  int           wells; /**< of the truth */
  const int    *well;  /**< per bin: the well of the truth that it belongs to */
} fare_comparison;
#define FARE_TAIL       0.01 /**< mass of the truth where it is thinnest */
#define FARE_WELLS_MOST 1024 /**< wells that a truth has at most */

/** What a measure provides: one const descriptor named in src/measure/list.h. */
typedef struct {
  const char *name;          /**< as in study files */
  const char *summary;       /**< one line */
  const char *definition;    /**< formula and rules */
  const char *reference;     /**< source of the formula */
  const char *unit;          /**< "nats", "length", "1" */
  int         dimension_max; /**< largest dimension it is defined in; 0: any */
  double      fewest;        /**< independent samples that an interval needs where samples are correlated */
  PetscBool   pools;         /**< a sum over pools; else it looks at bins */
  /**
    vanishes as the difference of q and p does, not as its square: bias and interval are those of its square
  */
  PetscBool norm;
  double (*evaluate)(const fare_comparison *comparison); /**< the value; not collective */
  /** with the bias that evaluate takes off, for the interval; NULL: evaluate takes off none */
  double (*plain)(const fare_comparison *comparison);
} fare_measure_type;

/**
  Finds a measure. Not collective.

  @param name as in study files
  @return its descriptor; NULL when unknown
*/
const fare_measure_type *fare_measure_type_find(const char *name);
/**
  Walks through all measures. Not collective.

  @param i from 0 on
  @return a descriptor; NULL past the last
*/
const fare_measure_type *fare_measure_type_at(size_t i);
/**
  Prints what `fare describe measure` says. Not collective.

  @param type the measure
  @param to   where to
*/
void fare_measure_type_describe(const fare_measure_type *type, FILE *to);

/** Why there is no interval. */
typedef enum {
  FARE_INTERVAL,         /**< there is one */
  FARE_NO_GROUPS,        /**< too few distinct samples */
  FARE_ONE_GROUP,        /**< one group of samples has all the weight */
  FARE_FEW_WEIGHTS,      /**< a few samples have most of the weight */
  FARE_BARE_POOLS,       /**< samples with uneven weights are missing somewhere */
  FARE_LONG_CORRELATION, /**< even the largest groups depend on each other */
  FARE_FEW_INDEPENDENT,  /**< too few independent samples among correlated ones */
  FARE_NO_VALUE,         /**< the value is not a number */
  FARE_NOT_ASKED,        /**< values alone were asked for */
  FARE_INTERVAL_KINDS    /**< how many kinds there are */
} fare_interval;
extern const char *const fare_interval_reasons[FARE_INTERVAL_KINDS]; /**< empty where there is one */

/** In place of a number of replicates: what is known of the noise is not a number then. */
#define FARE_VALUES_ALONE (-1)
/** A measure's value and what is known of its noise. */
typedef struct {
  double value;           /**< the estimate */
  double corrected;       /**< less its estimated bias; may be negative; not a number without an interval */
  double low;             /**< lower end of the 95% interval of what infinitely many samples would show */
  double high;            /**< upper end; both are not a number without an interval */
  double floor_mean;      /**< mean of the same estimator on exact draws; 0 between densities */
  double floor_high;      /**< 95% quantile of the same */
  double excess;          /**< value - floor_mean */
  double significance;    /**< excess in standard deviations of the floor; 0 between densities */
  double p_value;         /**< (1 + draws that reach the value) / (1 + draws); 1 between densities */
  double effective;       /**< (sum w)^2 / sum w^2, copies taken together; HUGE_VAL for a density */
  double independent;     /**< as many independent samples scatter like the groups; HUGE_VAL for a density */
  double pooled;          /**< effective samples that the pools are made for */
  fare_interval interval; /**< whether corrected, low and high are there */
  double        truth_error; /**< |change of the value when the truth's estimated error is added to it| */
} fare_measured;

/**
  Compares q with the truth p by several measures at once, with noise floors, bias and intervals. The results
  are the same on every rank, to the bit on any number of ranks. Collective.

  @param comm        ranks that share the exact draws
  @param binning     the bins
  @param p           the truth, the same on every rank; or exact draws from it, as many as p->samples, whose
                     noise floors and intervals then count in: for measures that look at the difference of
                     the two sides alone
  @param p_corrected the truth plus its estimated error; may be NULL
  @param q           samples or a density, the same on every rank; its groups, left out one after the other,
                     give bias and interval
  @param count       number of measures
  @param types       the measures
  @param replicates  exact draws behind the floor; FARE_VALUES_ALONE: neither floor nor interval
  @param stream      names their random numbers
  @param results     one for each measure
  @return 0, or FARE_ERR_INPUT where a measure is not defined in this dimension
*/
PetscErrorCode fare_measure_compare(MPI_Comm comm, const fare_binning *binning, const fare_binned *p,
  const fare_binned *p_corrected, const fare_binned *q, size_t count, const fare_measure_type *const types[],
  int replicates, fare_stream stream, fare_measured results[]);

#endif
