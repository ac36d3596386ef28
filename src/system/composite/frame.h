/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside system: an orthogonal change of axes, x = Q y. */
#ifndef FARE_FRAME_H
#define FARE_FRAME_H

#include <fare/product.h>

typedef struct {
  fare_frame_kind kind;
  int             axes;
  int             order[FARE_AXES_MAX]; /* the axis of x that an axis of y is */
  double         *q;                    /* rotations: row after row, a row for each axis of x; owned */
} fare_frame;

/* Axes in a random order, of which all have the same probability. */
void fare_frame_permute(fare_frame *frame, uint64_t seed);
/* Even over all rotations and reflections: Haar's measure. FARE_ERR_FAILED without memory. */
PetscErrorCode fare_frame_haar(fare_frame *frame, uint64_t seed);
/* The largest entry of |Q Q' - 1|. */
double fare_frame_defect(const fare_frame *frame);
/* y = Q' x and x = Q y. A point's numbers do not depend on the others'. */
void fare_frame_enter(const fare_frame *frame, size_t n, const double *const x[], double *const y[]);
void fare_frame_leave(const fare_frame *frame, size_t n, const double *const y[], double *const x[]);

#endif
