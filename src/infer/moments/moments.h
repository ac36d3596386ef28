/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: methods that look at displacements over a lag. */
#ifndef FARE_INFER_MOMENTS_H
#define FARE_INFER_MOMENTS_H

#include "infer/infer.h"

/*
  Displacements over a lag, from n starts: first and second moments of each axis, with weights. One row for
  each pair of data, or for each cell in the limit of infinitely many.
*/
typedef struct {
  size_t   rows;
  double  *x[FARE_DIM_MAX], *first[FARE_DIM_MAX], *second[FARE_DIM_MAX], *lag, *weight;
  int64_t *track; /* whose successive rows depend on each other */
  /* where displacements end, of data those of the rows, and the sum of weights times them that end there */
  size_t  ends;
  double *end[FARE_DIM_MAX], *arrived[FARE_DIM_MAX], *landed; /* and the weights alone */
} fare_moments;
PetscErrorCode fare_moments_create(int dim, size_t rows, size_t ends, fare_moments *moments);
PetscErrorCode fare_moments_free(fare_moments *moments);
/* Those of data. */
PetscErrorCode fare_moments_of_tracks(
  const fare_infer_context *context, const fare_tracks *tracks, fare_moments *moments);
/* Those of starts as simulated tracks have them. Collective. */
PetscErrorCode fare_moments_of_truth(
  const fare_infer_context *context, const PetscInt cells[], fare_moments *moments);

/* Drift f and diffusion D of a system at the starts, and their derivatives by the parameters. */
typedef struct {
  const fare_infer_context *context;
  const fare_moments       *m;
  int                       dim;
  fare_model               *model;  /* of a coarse grid: for its system and ranges alone */
  double                   *f, *D;  /* [(field * dim + axis) * rows + row]; field 0, then slopes */
  double                   *scores; /* [row * count + k] */
} fare_fields_at;
PetscErrorCode fare_fields_at_create(
  const fare_infer_context *context, const fare_moments *moments, fare_fields_at *fields);
PetscErrorCode fare_fields_at_free(fare_fields_at *fields);
PetscErrorCode fare_fields_at_evaluate(const fare_fields_at *fields, const double theta[]);
/*
  Standard errors of a root of the sum of scores, whose slope has the inverse `covariance`: A^-1 cov(sum of s)
  A^-1, right whatever the density of the data is, and whatever scores of one track have to do with each
  other. Held parameters have none.
*/
PetscErrorCode fare_fields_at_errors(const fare_fields_at *fields, const double theta[],
  const double covariance[], const PetscBool held[], fare_inferred *inferred);

/*
  Masses of cells: the mean density at the starts of all lags of a track, from the initial density on, at the
  model's present rates, undriven. Once it differs from the stationary one by very little, the rest is that.
  Not collective.
*/
PetscErrorCode fare_density_of_starts(
  const fare_infer_context *context, const fare_model *model, double mean[]);

/*
  fit and limit of the methods that project displacements onto the derivatives of the drift by its parameters.
*/
enum { FARE_ITO, FARE_ITO_SPARSE, FARE_STRATONOVICH, FARE_INERTIA };
PetscErrorCode fare_projection_fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred);
PetscErrorCode fare_projection_limit(
  const fare_infer_context *context, const PetscInt cells[], double theta[]);
/*
  Of moments however they were had; frees them. FARE_STRATONOVICH needs their ends. `inferred` NULL: theta
  alone.
*/
PetscErrorCode fare_projection_of(
  const fare_infer_context *context, fare_moments *moments, double theta[], fare_inferred *inferred);

/*
  fit and limit of the methods that take a displacement for one Euler step: `variant` FARE_EULER fits drift f
  and diffusion D by its Gaussian, with second moments about f lag; FARE_SQUARES by least squares of
  displacements and of their squares.
*/
enum { FARE_EULER, FARE_SQUARES };
PetscErrorCode fare_euler_check(const fare_infer_context *context);
PetscErrorCode fare_euler_fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred);
PetscErrorCode fare_euler_limit(const fare_infer_context *context, const PetscInt cells[], double theta[]);

#endif
