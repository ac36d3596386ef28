/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside system: an orthogonal change of axes, x = Q y, and before it a lift, which is not linear. */
#ifndef FARE_FRAME_H
#define FARE_FRAME_H

#include <fare/product.h>

typedef struct {
  fare_frame_kind kind;
  int             axes;
  int             order[FARE_AXES_MAX]; /* the axis of x that an axis of y is */
  double         *q;                    /* rotations: row after row, a row for each axis of x; owned */
  double          lift;                 /* z_i = y_i + lift y_(i-1)^2 */
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
/* In place: z from y and y from z; and a gradient with respect to y, at y, into one with respect to z. */
void fare_frame_lift(const fare_frame *frame, size_t n, double *const y[]);
void fare_frame_lower(const fare_frame *frame, size_t n, double *const z[]);
void fare_frame_lift_gradient(
  const fare_frame *frame, size_t n, const double *const y[], double *const gradient[]);
/* Changes points x in place: enters the frame, calls `change` there, and leaves it. */
void fare_frame_apply(const fare_frame *frame, size_t n, double *const x[],
  void (*change)(const fare_frame *frame, size_t n, double *const y[]));

#endif
