/* Inside measure: how cells make bins, and how bins are pooled. */
#ifndef FARE_BINNING_PRIVATE_H
#define FARE_BINNING_PRIVATE_H

#include <fare/measure.h>

#define FARE_COARSE_MOST 256 /* coarse bins along any axis */

struct fare_binning {
  fare_grid grid;                 /* a copy, without its dm */
  PetscInt  cells[FARE_DIM_MAX];  /* of a fine bin, along each axis; the last bin of an axis may have fewer */
  PetscInt  fine[FARE_DIM_MAX];   /* fine bins */
  PetscInt  block[FARE_DIM_MAX];  /* fine bins of a coarse one; the last may have fewer */
  PetscInt  coarse[FARE_DIM_MAX]; /* coarse bins */
  size_t    bins;                 /* fine bins in all */
  double   *edge;                 /* ends of fine bins along the first axis: fine[0] + 1 */
};

/*
  Pools coarse bins into boxes of mass >= least each (or one of all, when there is too little) and gives every fine bin i the number
  pool[i] of its box. The box of all bins is cut in two along its longest side that allows it, as near to the middle as both
  parts keep enough, and so on within the parts.
*/
PetscErrorCode fare_binning_pool(const fare_binning *binning, const double mass[], double least, size_t pool[], size_t *pools);

#endif
