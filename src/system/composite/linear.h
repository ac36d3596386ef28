/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside composites: products of small matrices with batches of points. */
#ifndef FARE_COMPOSITE_LINEAR_H
#define FARE_COMPOSITE_LINEAR_H

#include <stddef.h>

/* (a A + m M) x + s b: matrices are by rows; what is NULL is zero. */
typedef struct {
  int           dim;
  const double *A, *M, *b;
  double        a, m, s;
} fare_affine;

/* f[axis][i] = scale[axis] ((a A + m M) x + s b); scale may be NULL. */
void fare_affine_apply(
  const fare_affine *map, const double scale[], size_t n, const double *const x[], double *const f[]);
/* V[i] = -x (a A + m M) x / 2 - s b x, of symmetric matrices. */
void fare_affine_potential(const fare_affine *map, size_t n, const double *const x[], double V[]);

#endif
