/* SPDX-License-Identifier: BSD-2-Clause */
/* What analyses of currents share. */
#ifndef FARE_CURRENTS_PRIVATE_H
#define FARE_CURRENTS_PRIVATE_H

#include "analysis/analysis.h"
#include "walk.h"

/* Whether diffusion along an axis, the first that it finds, is 0 at the middle of the box. */
PetscBool fare_axis_lacks_diffusion(const fare_analysis_context *context, double time, int *which);
/* Which axis has a name; NULL or empty: the first. `node`: of the name. */
PetscErrorCode fare_axis_find(
  const fare_node *node, const char *name, const fare_analysis_context *context, int *along);
/* Refuses absorbing ends. */
PetscErrorCode fare_currents_check_ends(const fare_node *node, const fare_analysis_context *context);

#endif
