/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside truth: one grid of multigrid.c and the kernels that act there, in single precision, which a
  preconditioner can afford.
*/
#ifndef FARE_LEVEL_H
#define FARE_LEVEL_H

#include "truth/grid/patch.h"

#define FARE_LANES 16 /* lines side by side along the first axis */

/*
  Rates and masses as fare_patch has them. Of the tridiagonal matrices along lines of the first axis, those
  with the factor of the smoother: y_i = from r_i + lead y_{i-1}, then x_i = y_i + back x_{i+1}, value i of
  line b * FARE_LANES + s at [(b * n + i) * FARE_LANES + s]. Of those along others the inverse pivots, in the
  order of masses: y_i = inverse (r_i + up y_{i-1}), then x_i = y_i + inverse down x_{i+1}.
*/
typedef struct {
  fare_patch *patch;
  PetscInt    cells[FARE_DIM_MAX]; /* of all ranks */
  double      rate[FARE_DIM_MAX];  /* at which masses leave a cell along an axis, typically */
  float      *up[FARE_DIM_MAX], *down[FARE_DIM_MAX];
  float      *from, *lead, *back, *inverse[FARE_DIM_MAX];
  float      *b, *x, *z;
} fare_level;

/* Takes the patch over, of single precision. Rates are zero. */
PetscErrorCode fare_level_create(fare_patch *patch, fare_level *level);
PetscErrorCode fare_level_destroy(fare_level *level);
/* Finds what leaves a cell along each axis, typically, over all ranks. Collective. */
PetscErrorCode fare_level_typical_rates(fare_level *level);

/*
  Kernels. scratch: FARE_LEVEL_SCRATCH rows and a layer, which is a row in two dimensions and a plane in
  three.
*/
#define FARE_LEVEL_SCRATCH (2 * FARE_LANES + 5)

void fare_level_import(PetscInt n, const double *from, float *to);
void fare_level_export(PetscInt n, const float *from, double *to);
/* Rates of cells twice as wide from those of their children. */
void fare_level_coarsen_rates(const fare_level *fine, const fare_level *coarse);
/*
  The lines of all axes, for the smoother in multigrid.c; `least` is the smallest eigenvalue of the part of
  each axis that it shall damp, relative to the largest.
*/
void fare_level_factor(const fare_level *level, double shift, const double least[], float *scratch);
/*
  M^-1 of r, with r = b, or r = b - A x where x is given, whose ghosts must be known: all but the way back
  along the last axis, which walks through the grid from its end and takes along what else is to be done
  there.
*/
void fare_level_forth(const fare_level *level, double shift, const float *x, float *scratch, float *to);
void fare_level_back(const fare_level *level, float *x);
/* That of z, which is added to x. */
void fare_level_back_add(const fare_level *level, const float *z, float *scratch, float *x);
/*
  That of level->x, and coarse->b = the sums over children of b - A x. fare_level_add_beyond adds to it what
  comes in from beyond the patch, as `ghost` was not yet known.
*/
void fare_level_back_restrict(
  const fare_level *level, const fare_level *coarse, double shift, float *scratch);
void fare_level_add_beyond(const fare_level *level, const fare_level *coarse);
/*
  Adds to the children's x what coarse cells hold there, by linear interpolation; `ghost` must be of it. The
  sum of what is added is that of the coarse x.
*/
void fare_level_prolong(const fare_level *coarse, const fare_level *fine, float *scratch);

#endif
