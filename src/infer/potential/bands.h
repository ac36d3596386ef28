/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: what fits of potentials without a formula have in common. */
#ifndef FARE_INFER_BANDS_H
#define FARE_INFER_BANDS_H

#include "infer/potential.h"

/*
  Fits seek V/kT: what is known well of a potential is that, and a penalty on V alone would cool it. In place
  of V at knots, theta holds V/kT: `values` from it, and what follows for slope and curvature, and for a
  covariance.
*/
void fare_potential_values(const fare_potential *potential, int count, const double theta[], double values[]);
void fare_potential_pull_back(
  const fare_potential *potential, int count, const double theta[], double score[], double information[]);
void fare_potential_push_forward(
  const fare_potential *potential, int count, const double theta[], double covariance[]);
/* Of small changes. */
void fare_potential_move(const fare_potential *potential, int count, const double theta[], double step[]);

/*
  ln of the prior of a weight, but for its norm: -weight/2 times the roughness of V/kT, with its slope and
  minus its curvature. Adds them. Score and information may be NULL.
*/
void fare_potential_penalise(const fare_potential *potential, int count, double weight, const double theta[],
  double *value, double score[], double information[]);
/* A weight to begin with: as stiff as the information is. */
double fare_potential_begin(const fare_potential *potential, const fare_fit *fit, int count);
/*
  The weight that makes Laplace's marginal likelihood largest, near the maximum `fit` with a weight. Not
  collective.
*/
PetscErrorCode fare_potential_choose(const fare_potential *potential, const char *const name[], int count,
  const fare_fit *fit, double weight, double *chosen);

/* `simulated`: the study's own system is the truth. Collective. */
PetscErrorCode fare_frame_create(
  const fare_infer_context *context, const fare_tracks *tracks, PetscBool simulated, fare_frame **frame);

/*
  Rows, bands and errors of a maximum in V/kT. `weight` is that of the penalty, `moved` by how much cells and
  steps move the parameters.
*/
PetscErrorCode fare_potential_finish(const fare_infer_context *context, const fare_fit *best, double weight,
  const double moved[], fare_inferred *to);

#endif
