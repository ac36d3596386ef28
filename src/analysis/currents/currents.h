/* SPDX-License-Identifier: BSD-2-Clause */
/* What analyses of currents share. */
#ifndef FARE_CURRENTS_PRIVATE_H
#define FARE_CURRENTS_PRIVATE_H

#include "analysis/analysis.h"

/* Whether diffusion along an axis, the first that it finds, is 0 at the middle of the box. */
PetscBool fare_axis_lacks_diffusion(const fare_analysis_context *context, double time, int *which);
/* Which axis has a name; NULL or empty: the first. `node`: of the name. */
PetscErrorCode fare_axis_find(
  const fare_node *node, const char *name, const fare_analysis_context *context, int *along);
/* Refuses absorbing ends. */
PetscErrorCode fare_currents_check_ends(const fare_node *node, const fare_analysis_context *context);

/* Of a current, per time: the mean, and the variance for all times; errors: of rounding. */
typedef struct {
  double mean, mean_error, variance, error;
} fare_cumulants;
/*
  These, and `count` variances per time over rising horizons, whose steps in time have a relative error of
  `tolerance`. The current has no rate of its own. See cumulants.c. Collective.
*/
PetscErrorCode fare_current_cumulants(const fare_grid *grid, const fare_system *system, double t,
  const fare_observable *current, int count, const double horizons[], double tolerance, fare_cumulants *found,
  double variance[], double error[]);

#endif
