/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: a position and its velocity, of which the position alone is observed. */
#ifndef FARE_INFER_INERTIA_H
#define FARE_INFER_INERTIA_H

#include "infer/moments/moments.h"

/*
  check, fit and limit of the methods that take velocities from differences of positions: `variant` FARE_ITO
  takes them as they are, FARE_INERTIA knows what they have in common with their change. Collective.
*/
PetscErrorCode fare_inertia_check(const fare_infer_context *context);
PetscErrorCode fare_inertia_fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred);
PetscErrorCode fare_inertia_limit(const fare_infer_context *context, const PetscInt cells[], double theta[]);

/* Drift A z + c and diffusion B of a system that is linear at the values of its own; *linear: whether it is.
 */
typedef struct {
  double A[2][2], c[2], B[2];
} fare_linear;
PetscErrorCode fare_linear_find(const fare_infer_context *context, fare_linear *linear, PetscBool *is_linear);
/*
  Mean and second moments, [1, x, v, dv] by [1, x, v, dv], of position, velocity by differences and its change
  over a lag, in the mean of all triples that simulated tracks have.
*/
PetscErrorCode fare_linear_triples(
  const fare_infer_context *context, const fare_linear *linear, const PetscInt cells[], double moments[4][4]);

#endif
