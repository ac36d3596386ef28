/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: what a design of observations can tell, before any are made. */
#ifndef FARE_INFER_DESIGN_H
#define FARE_INFER_DESIGN_H

#include "infer/infer.h"

/* Information of one particle at one time, or of one transition, in units of the parameters' scales. */
typedef struct {
  double time, information[FARE_INFER_MAX * FARE_INFER_MAX];
  double width; /* of a density that tells anything, in cells: fare_masses_width(); else infinite */
} fare_tell;
/*
  Of each of n times, in order, with these cells and steps in time: of snapshots from an initial density, or
  of transitions with these lags that start as the context's tracks do. Collective.
*/
PetscErrorCode fare_tell_snapshots(const fare_infer_context *context, const fare_initial *initial,
  const PetscInt cells[], int steps, int64_t n, fare_tell tell[]);
PetscErrorCode fare_tell_transitions(const fare_infer_context *context, const fare_initial *initial,
  const PetscInt cells[], int64_t n, fare_tell tell[]);

#endif
