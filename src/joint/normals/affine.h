/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside joint: a system's drift as A x + b, and its constant noise, read off the drift itself. */
#ifndef FARE_AFFINE_PRIVATE_H
#define FARE_AFFINE_PRIVATE_H

#include "normals.h"

/* At one time. Matrices are by rows. */
typedef struct {
  int     dim;
  double *A, *b, *D;                  /* owned; D: the diffusion, per axis */
  double *points, *values;            /* where the drift is looked at, and what it is there */
  double  theta[FARE_PARAMETERS_MAX]; /* what A, b and D are of */
  int     known;
} fare_linear_drift;

PetscErrorCode fare_linear_drift_create(int dim, fare_linear_drift *drift);
PetscErrorCode fare_linear_drift_destroy(fare_linear_drift *drift);
/* At time t. FARE_ERR_FAILED where the drift is not linear, or the noise not constant. */
PetscErrorCode fare_linear_drift_read(fare_linear_drift *drift, const fare_system *system, double t);
/*
  The Boltzmann density of the moment as a mixture of one component, factored; `has` is false where the system
  has no potential, or none that is bounded from below.
*/
PetscErrorCode fare_linear_boltzmann(
  const fare_system *system, double t, fare_normals *boltzmann, PetscBool *has);
/*
  Means and covariances from one time to another, by the moment equations dm = A m + b, dS = A S + S A' + 2 D
  and an explicit method of order 8 with error control (Verner's, of PETSc): `tolerance` is relative, per
  step. Not factored afterwards.
*/
PetscErrorCode fare_moments_advance(fare_linear_drift *drift, const fare_system *system, double from,
  double to, double tolerance, fare_normals *normals);

#endif
