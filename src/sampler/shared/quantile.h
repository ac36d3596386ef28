/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Draws from a density given by its cell masses, without any error but that of the cells: the inverse of
  Rosenblatt's transform (Ann. Math. Stat. 23, 470 (1952)), x_1 = F^{-1}(u_1), x_2 = F^{-1}(u_2 | x_1), ...,
  with the density even within each cell.
*/
#ifndef FARE_QUANTILE_H
#define FARE_QUANTILE_H

#include <fare/ensemble.h>
#include <fare/truth.h>
#include <petscdm.h>

/* `masses`: of all cells of a serial grid, the first axis fastest. The same bits on any number of ranks. */
PetscErrorCode fare_quantile_draw(
  const fare_grid *grid, const double masses[], fare_stream stream, uint64_t step, fare_ensemble *ensemble);
/*
  The masses that this rank owns of a grid with the same cells, as a new vector. FARE_ERR_FAILED where its
  cells are others. Collective.
*/
PetscErrorCode fare_quantile_masses(
  const fare_grid *from, const double masses[], const fare_grid *grid, Vec *to);

#endif
