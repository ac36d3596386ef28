/* Inside measure: truth and samples as estimators see them, in arrays that every replicate refills. */
#ifndef FARE_SIDES_H
#define FARE_SIDES_H

#include "binning.h"

typedef struct {
  const fare_binning *binning;
  const fare_binned  *samples;
  int64_t             n; /* effective samples, rounded; 0: a density */
  size_t              pools, *pool;          /* the pool of every fine bin */
  double              least;                 /* between densities: mass that the truth is given at most in the pool of bins where it is not known */
  size_t             *pool_seen;             /* the pool of every bin that is seen; for samples alone */
  double             *p, *p_raw, *q, *q_raw; /* pools and the outside */
  double             *p_bin, *q_bin, *tail;  /* bins that are seen */
  double             *q_whole, *q_bin_whole; /* of all samples */
  int                *well;
  int64_t            *counts;
  fare_comparison     seen;
} fare_sides;

/* Pools, tail and wells follow from the truth p and the number of samples; the pools of densities also from the truth plus its error (may be NULL). */
PetscErrorCode fare_sides_create(const fare_binning *binning, const fare_binned *p, const fare_binned *p_corrected, const fare_binned *q, fare_sides *sides);
PetscErrorCode fare_sides_destroy(fare_sides *sides);
/* The truth, as it is to be divided by; between densities that depends on the other one, which has to be shown before. */
void fare_sides_show_truth(fare_sides *sides, const fare_binned *p);
/* The samples themselves; as many exact draws from what is on the side of the truth; the samples without one of their groups (false: nothing is left). */
void fare_sides_show_samples(fare_sides *sides);
void fare_sides_show_draws(fare_sides *sides, fare_random *random);
PetscBool fare_sides_show_without(fare_sides *sides, size_t group);
/* How far the masses of pools without a group are from those of all samples: sum of squares. */
double fare_sides_change(const fare_sides *sides);

#endif
