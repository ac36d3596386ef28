/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel of analysis: one step of a chain of cells. */
#ifndef FARE_WALK_PRIVATE_H
#define FARE_WALK_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#define FARE_WALK_LANES 8 /* columns side by side: [cell * lanes + lane] */

/*
  y = M x and sum += weight y. M: stay[cell] on the diagonal, and move[cell * faces + face] in the column of
  the neighbour over a face.
*/
void fare_walk_step(ptrdiff_t cells, int faces, const int32_t *neighbour, const double *stay,
  const double *move, double weight, const double *x, double *y, double *sum);

#endif
