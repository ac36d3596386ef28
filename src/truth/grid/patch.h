/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside truth: one rank's cells on one grid, what neighbours hold beyond them, and how masses flow there. */
#ifndef FARE_PATCH_H
#define FARE_PATCH_H

#include <fare/truth.h>

/*
  Masses are arrays of the owned cells, (k count[1] + j) count[0] + i, of one type. Rates stand at the cells
  of the box, which has a layer more around along each axis of the grid: those over the face above each cell,
  up from the cell and down from its neighbour. `ghost` are the masses beyond each side of the patch, zeros at
  an end.
*/
typedef struct {
  MPI_Comm     comm;
  MPI_Datatype type; /* of masses: MPI_DOUBLE or MPI_FLOAT */
  int          dim;
  /* first: the owned cell (0,0,0) in the box */
  PetscInt count[FARE_DIM_MAX], owned, stride[FARE_DIM_MAX], first, box;
  /* rank below and above, MPI_PROC_NULL at an end */
  int   neighbour[FARE_DIM_MAX][2];
  void *ghost[FARE_DIM_MAX][2], *outgoing[FARE_DIM_MAX][2];
} fare_patch;

/*
  Of the cells that this rank owns on a grid; and of cells twice as wide along the axes of `twice`, whose
  counts must be even.
*/
PetscErrorCode fare_patch_create(const fare_grid *grid, MPI_Datatype type, fare_patch **patch);
PetscErrorCode fare_patch_coarsen(const fare_patch *fine, const PetscBool twice[], fare_patch **coarse);
PetscErrorCode fare_patch_destroy(fare_patch **patch);
/* Brings masses from beyond the patch into `ghost`. Collective. */
PetscErrorCode fare_patch_exchange(const fare_patch *patch, const void *masses);
/* As if there were none beyond. */
void fare_patch_forget(const fare_patch *patch);

/* The cells (0, j, k) among the owned and in the box. */
static inline PetscInt fare_patch_row(const fare_patch *patch, PetscInt j, PetscInt k)
{
  return (k * patch->count[1] + j) * patch->count[0];
}
static inline PetscInt fare_patch_box_row(const fare_patch *patch, PetscInt j, PetscInt k)
{
  return patch->first + k * patch->stride[2] + j * patch->stride[1];
}

/* Kernels, in double precision. `ghost` must be of p. */
/* y = sign (L p - shift p), and y = b + L p - shift p, where y may be b. */
void fare_patch_apply(const fare_patch *patch, double *const up[], double *const down[], double sign,
  double shift, const double *p, double *y);
void fare_patch_residual(const fare_patch *patch, double *const up[], double *const down[], double shift,
  const double *b, const double *p, double *y);

#endif
