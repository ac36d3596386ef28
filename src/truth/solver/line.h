/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside truth: the direct solve on one axis, for the whole of it on one rank. */
#ifndef FARE_LINE_H
#define FARE_LINE_H

#include <petscsys.h>

/*
  Solves (shift - L) x = b on n cells, two or more. up[i] and down[i] are the rates over the face above cell
  i, from below and from above it; those of index -1 are at the face below the first. What leaves through the
  two outer faces is lost, or with `ring`, where they are one, comes back at the other side; then there are
  three cells or more. work: FARE_LINE_WORK(n) numbers. x may not be b. shift > 0.
*/
#define FARE_LINE_PARTS   16
#define FARE_LINE_WORK(n) (3 * (n))
void fare_line_solve(PetscInt n, int ring, const double *up, const double *down, double shift,
  const double *b, double *x, double *work);

#endif
