/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside measure: how cells make bins, and how bins are pooled. */
#ifndef FARE_BINNING_PRIVATE_H
#define FARE_BINNING_PRIVATE_H

#include <fare/measure.h>

#define FARE_COARSE_MOST 256 /* coarse bins along any axis */
#define FARE_GROUPS      50  /* of samples */
/* entries of a group behind its bins: outside below, outside elsewhere, the whole group */
#define FARE_GROUP_EXTRA 3

struct fare_binning {
  fare_grid grid;                 /* a copy, without its dm */
  PetscInt  cells[FARE_DIM_MAX];  /* of a fine bin, along each axis; the last bin of an axis may have fewer */
  PetscInt  fine[FARE_DIM_MAX];   /* fine bins */
  PetscInt  block[FARE_DIM_MAX];  /* fine bins of a coarse one; the last may have fewer */
  PetscInt  coarse[FARE_DIM_MAX]; /* coarse bins */
  size_t    bins;                 /* fine bins in all */
  double   *edge;                 /* ends of fine bins along the first axis: fine[0] + 1 */
  /*
    what cumulative functions, replicates and groups look at: the fine bins of one axis, coarse bins of
    several
  */
  PetscInt         step[FARE_DIM_MAX]; /* cells of such a bin */
  PetscInt         seen[FARE_DIM_MAX];
  size_t           all_seen, *seen_of; /* in all, and the one of every fine bin */
  fare_projections projections;
};

/* Makes and frees the projections of the bins that are seen. */
PetscErrorCode fare_projections_create(const fare_binning *binning, fare_projections *projections);
PetscErrorCode fare_projections_destroy(fare_projections *projections);

/* A coordinate, into the box where the axis is periodic. */
double fare_binning_wrap(const fare_binning *binning, int axis, double x);

/*
  The first row with the position of each local row, and the weight, over `largest`, of all rows there. Rows
  at the ends of the box, a position that more than half of all rows have, and positions rounded to four
  decimals or fewer are no copies. `copies` counts the rows, on all ranks, that are not the first. Collective.
*/
PetscErrorCode fare_copies_find(const fare_binning *binning, const fare_ensemble *ensemble, double largest,
  int64_t first[], double weight[], int64_t *copies);

/* The thinnest part of a density on the bins that are seen, and its wells: arrays of all_seen. */
PetscErrorCode fare_regions_find(
  const fare_binning *binning, const double mass[], double tail[], int well[], int *wells);

/*
  Pools coarse bins into boxes of mass >= least each (or one of all, when there is too little) and gives every
  fine bin i the number pool[i] of its box. The box of all bins is cut in two along its longest side that
  allows it, as near to the middle as both parts keep enough, and so on within the parts.
*/
PetscErrorCode fare_binning_pool(
  const fare_binning *binning, const double mass[], double least, size_t pool[], size_t *pools);

/*
  Gives every bin a pool of its own but those in which the truth's mass is not known, which share the last:
  where it is less than twice its estimated error (corrected - mass; corrected may be NULL), and where it, or
  with its error, is next to nothing. For the sake of errors no more than FARE_TAIL of the truth is pooled.
  Returns what a bin of the last pool would need to be known.
*/
double fare_pool_thin(
  size_t bins, const double mass[], const double corrected[], size_t pool[], size_t *pools);

#endif
