/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside ensemble: what rejection proposes from. */
#ifndef FARE_ENVELOPE_H
#define FARE_ENVELOPE_H

#include <fare/initial.h>

/* A cell is a box's share: the index-th along each axis, of cells whose width is the spacing over 2^level. */
typedef struct {
  int32_t index[FARE_DIM_MAX], level;
} fare_envelope_cell;

/*
  Cells that cover the box of an initial density, and a bound on the density in each; the same on every rank.
*/
typedef struct {
  int                 dim;
  PetscBool           flat; /* the density is even within each cell, and the bound is its value */
  fare_box            box;
  double              lower[FARE_DIM_MAX], spacing[FARE_DIM_MAX];
  int64_t             count;
  fare_envelope_cell *cell;
  double             *bound;      /* ln, on the scale of fare_initial_log_density */
  double             *cumulative; /* of bounds times volumes */
  int64_t            *guide;      /* the first cell whose cumulative sum passes this part of all */
} fare_envelope;

/* FARE_ERR_FAILED where there is nothing to draw from. */
PetscErrorCode fare_envelope_create(
  const fare_initial *initial, const fare_system *system, double t, fare_envelope *envelope);
PetscErrorCode fare_envelope_destroy(fare_envelope *envelope);
/* The cell in which the cumulative sum passes the part u of all. */
int64_t fare_envelope_find(const fare_envelope *envelope, double u);
/* A place along an axis, at a fraction of a cell. */
static inline double fare_envelope_place(
  const fare_envelope *envelope, int64_t cell, int axis, double fraction)
{
  const fare_envelope_cell *in = &envelope->cell[cell];

  return envelope->lower[axis] +
    envelope->spacing[axis] * ((double)in->index[axis] + fraction) / (double)(1 << in->level);
}

#endif
