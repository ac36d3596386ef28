/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: methods that look at marginals, densities at several times without whose is whose. */
#ifndef FARE_INFER_MARGINALS_H
#define FARE_INFER_MARGINALS_H

#include "infer/moments/moments.h"

/* A density at one time, as points with weights, whose sum is 1: observations, or centres of cells. */
typedef struct {
  double  time, observations; /* how many; infinite: exact */
  size_t  points;
  double *x[FARE_DIM_MAX], *weight;
  double *score; /* of one axis: d ln p/dx; of kernels as wide as Silverman says, or of cells */
} fare_marginal;
typedef struct {
  int                       dim;
  size_t                    count;
  fare_marginal            *at; /* in order of time */
  const fare_infer_context *context;
  const fare_grid          *grid; /* of its cells; NULL: points are observations */
} fare_marginals;

/*
  What a method finds in marginals. Of points that are cells where `cells` is true. A method fills in what it
  knows of `inferred`, which is NULL where data are resampled, and in limits. Not collective.
*/
typedef PetscErrorCode fare_marginals_estimate(
  const fare_marginals *marginals, double theta[], fare_inferred *inferred);
/*
  fit and limit of such a method. Standard errors are by the bootstrap, which draws observations of each time
  anew. Collective.
*/
PetscErrorCode fare_marginals_fit(const fare_infer_context *context, const fare_tracks *tracks,
  PetscBool cells, fare_marginals_estimate *estimate, fare_inferred *inferred);
PetscErrorCode fare_marginals_limit(const fare_infer_context *context, const PetscInt cells[],
  fare_marginals_estimate *estimate, double theta[]);

/* Refuses noise that depends on the position, at the first guess. */
PetscErrorCode fare_marginals_check_noise(const fare_infer_context *context);

/*
  Steps of Gauss and Newton to the root of scores, within the ranges of the parameters. FARE_ERR_FAILED where
  they do not come to it.
*/
typedef PetscErrorCode fare_marginals_scores(void *to, const double theta[], double score[], double slopes[]);
PetscErrorCode         fare_marginals_root(const fare_infer_context *context, const fare_model *model,
          fare_marginals_scores *scores, void *to, double theta[]);

#endif
