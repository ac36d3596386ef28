/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  feedback: a control u(t, x) = -2 D grad V(t, x) of a system dX = (f + u) dt + sqrt(2 D) dW, by its value V
  on a grid at some moments; or any control, by -u/2D there. It costs int u^2/4D dt = int D (grad V)^2 dt
  nats: the relative entropy of paths with it to those without.
*/
#ifndef FARE_FEEDBACK_H
#define FARE_FEEDBACK_H

#include <fare/system.h>

/** A control, whole on every rank. */
typedef struct fare_feedback fare_feedback;
/** The cells and the moments at which V or -u/2D is given. */
typedef struct {
  int       dim;                    /**< number of axes */
  int64_t   cells[FARE_DIM_MAX];    /**< along each of them */
  double    lower[FARE_DIM_MAX];    /**< lower corner of the box */
  double    spacing[FARE_DIM_MAX];  /**< width of a cell */
  PetscBool periodic[FARE_DIM_MAX]; /**< the axis closes */
  int       moments;                /**< at least 4 */
  double    begin;                  /**< time of the first */
  double    end;                    /**< time of the last */
  PetscBool slopes;                 /**< -u/2D is given, which need not be a gradient, and not V */
} fare_feedback_shape;

/**
  The time of a moment: dense towards the end, where a control is stiff, (end - t)/(end - begin) = (1 -
  moment/(moments - 1))^2. Not collective.
  @param shape  gives begin, end and the number of moments
  @param moment from 0
  @return its time
*/
double fare_feedback_time(const fare_feedback_shape *shape, int moment);
/**
  The reverse. Not collective.
  @param shape as there
  @param t     time
  @return a moment, and the part of the way to the next
*/
double fare_feedback_moment(const fare_feedback_shape *shape, double t);
/**
  Makes a control. Not collective.
  @param shape    where V is given
  @param value    value[moment] of all cells, the first axis fastest, copied; HUGE_VAL: higher than all
  others; of slopes, those of the first axis, then of the next
  @param feedback destroy with fare_feedback_destroy()
  @return an error of PETSc
*/
PetscErrorCode fare_feedback_create(
  const fare_feedback_shape *shape, double *const value[], fare_feedback **feedback);
/**
  Reads what an analysis `bridge` has left in the study.h5 of a study. Every rank reads for itself.
  @param node     what names the file, relative to its own
  @param analysis name of the analysis; NULL: the only one of its kind
  @param tried    which of the controls that it has tried, "linear" or "learned_0"; NULL: the best one
  @param dim      number of axes that it must have
  @param feedback destroy with fare_feedback_destroy(); NULL after an error
  @return FARE_ERR_INPUT at the node where there is none of so many axes
*/
PetscErrorCode fare_feedback_read(
  const fare_node *node, const char *analysis, const char *tried, int dim, fare_feedback **feedback);
/**
  Frees it. Not collective.
  @param feedback set to NULL; may be NULL
  @return an error of PETSc
*/
PetscErrorCode fare_feedback_destroy(fare_feedback **feedback);
/**
  Where it is given. Not collective.
  @param feedback the control
  @return borrowed
*/
const fare_feedback_shape *fare_feedback_shape_of(const fare_feedback *feedback);
/**
  A hash of all of its numbers, times and cells among them (FNV-1a). Not collective.
  @param feedback the control
  @return the hash
*/
uint64_t fare_feedback_hash(const fare_feedback *feedback);
/**
  V and its gradient at points: along an axis of space by parabolas through three cells, whose slopes are
  continuous; in the root of the time left by cubics (Catmull and Rom 1974). Slopes that are given are linear
  along axes, and have no V. Outside of the box, as at its
  ends; before the first moment and after the last, nothing controls: all is 0. Not collective.
  @param feedback the control
  @param t        time
  @param n        number of points
  @param x        points x[axis][point]
  @param value    n values; NULL: not wanted
  @param slope    values slope[axis][point]; NULL: not wanted
*/
void fare_feedback_at(const fare_feedback *feedback, double t, size_t n, const double *const x[],
  double value[], double *const slope[]);

#endif
