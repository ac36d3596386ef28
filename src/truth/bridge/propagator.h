/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside bridges: the propagator of a reference process over an interval, and its adjoint, applied and never
  formed.
*/
#ifndef FARE_BRIDGE_PROPAGATOR_H
#define FARE_BRIDGE_PROPAGATOR_H

#include <fare/truth.h>

typedef struct fare_propagator fare_propagator;

/*
  Implicit Euler steps between `marks` ascending times, of which the first and the last are the ends: each
  part gets its share of `steps`, times `refine`, so that a refined propagator has steps of exactly half, a
  third ... the length.
*/
PetscErrorCode fare_propagator_create(const fare_grid *grid, const fare_system *system, int marks,
  const double time[], PetscInt64 steps, int refine, fare_propagator **propagator);
PetscErrorCode fare_propagator_destroy(fare_propagator **propagator);
/* values = K values from mark i to mark j, and K^T values from mark j back to mark i; i <= j. */
void fare_propagator_forward(const fare_propagator *propagator, int i, int j, double values[]);
void fare_propagator_backward(const fare_propagator *propagator, int i, int j, double values[]);

/*
  Kernels. Strands of cells along one axis: cell i of strand (outer, inner) stands at (outer length + i)
  inners + inner. The matrix of a strand has `diagonal` - and off it only what is not positive: -below[i] in
  row i before the diagonal, -above[i] after it, round the ends where a strand is closed.
*/
typedef struct {
  PetscInt outers, length, inners;
} fare_strands;
/*
  LU factors of all strands, in the order of the cells: inverse pivots, and the entries next to them. closed:
  `last_row` and `last_column` hold those of the last row and column, which fill in; otherwise they are NULL.
*/
typedef struct {
  double *inverse, *below, *above, *last_row, *last_column;
} fare_strands_factors;
/*
  Factorises in place: `inverse` begins as the diagonal, `below` and `above` as the matrix has them. Nothing
  is subtracted but from pivots.
*/
void fare_strands_factorise(const fare_strands *of, const fare_strands_factors *factors);
/* Systems with these factors solved, in place, and those of the transposed matrix. */
void fare_strands_solve(const fare_strands *of, const fare_strands_factors *factors, double x[]);
void fare_strands_solve_transposed(const fare_strands *of, const fare_strands_factors *factors, double x[]);

#endif
