/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside measure: truth and samples as estimators see them, in arrays that every replicate refills. */
#ifndef FARE_SIDES_H
#define FARE_SIDES_H

#include "measure/bins/binning.h"

#define FARE_EVEN_LEAST \
  0.9 /* effective samples per distinct one: weights that vary less leave no pool bare */

typedef struct {
  const fare_binning *binning;
  const fare_binned  *samples;
  const fare_binned  *drawn;        /* the truth, where it is known by exact draws alone; else NULL */
  int64_t             n;            /* effective samples, rounded; 0: a density */
  size_t              pools, *pool; /* the pool of every fine bin */
  /* between densities: mass that the truth is given at most in the pool of bins where it is not known */
  double   least;
  size_t  *pool_seen;             /* the pool of every bin that is seen; for samples alone */
  double  *p, *p_raw, *q, *q_raw; /* pools and the outside */
  double  *p_bin, *q_bin, *tail;  /* bins that are seen */
  double  *q_whole, *q_bin_whole; /* of all samples */
  int     *well;
  int64_t *counts;
  /*
    of samples that are not alike: sums of squares of shares of weight in pools and outside, and numbers of
    distinct samples there; else NULL
  */
  double *square;
  /* with these, masses from which as many draws have their noise, of bins that are seen */
  double *proposal;
  int64_t draws; /* and how many; else n */
  /*
    of correlated samples: of each group from its share of all, by pools, at the size of one standard
    deviation; else NULL
  */
  double         *deviation;
  double         *noise; /* of the truth, of bins that are seen; where it is drawn */
  fare_comparison seen;
} fare_sides;

/*
  Pools, tail and wells follow from the truth p and the number of samples, `pooled`, that pools are made for;
  the pools of densities also from the truth plus its error (may be NULL).
*/
PetscErrorCode fare_sides_create(const fare_binning *binning, const fare_binned *p,
  const fare_binned *p_corrected, const fare_binned *q, double pooled, fare_sides *sides);
PetscErrorCode fare_sides_destroy(fare_sides *sides);
/*
  The truth, as it is to be divided by; between densities that depends on the other one, which has to be shown
  before.
*/
void fare_sides_show_truth(fare_sides *sides, const fare_binned *p);
/*
  The samples themselves; as many exact draws from what is on the side of the truth; the samples without one
  of their groups (false: nothing is left).
*/
void fare_sides_show_samples(fare_sides *sides);
void fare_sides_show_draws(fare_sides *sides, fare_random *random);
/*
  After fare_sides_show_draws, and a call of fare_sides_correlate: draws with the covariance of groups in a
  share of `blend`, the rest of the independent draws; drawn[] keeps those, and scale[] has a normal variate
  for each group.
*/
PetscErrorCode fare_sides_correlate(fare_sides *sides);
void fare_sides_show_correlated(fare_sides *sides, double blend, const double drawn[], const double normal[]);
/* Sum of squares of the shares of weight in a pool. */
double fare_sides_square(const fare_sides *sides, size_t pool);
/*
  The share of the truth in pools with hardly any samples, if those count for much: a proposal was too narrow.
  0 where samples are alike.
*/
double    fare_sides_bare(const fare_sides *sides);
PetscBool fare_sides_show_without(fare_sides *sides, size_t group);
/*
  Where the truth itself is draws: adds the noise of as many new ones to the samples or draws that are shown;
  or leaves out the group of the truth's draws too. Differences of the two sides alone are right then.
*/
void fare_sides_add_truth_noise(fare_sides *sides, fare_random *random);
void fare_sides_leave_out_of_truth(fare_sides *sides, size_t group);
/* How far the masses of pools without a group are from those of all samples: sum of squares. */
double fare_sides_change(const fare_sides *sides);

#endif
