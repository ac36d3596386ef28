/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside truth: kernels of the backward differentiation. */
#ifndef FARE_BDF_H
#define FARE_BDF_H

#include "truth/truth.h"

#define FARE_BDF_ORDERS  5
#define FARE_BDF_HISTORY FARE_BDF_POINTS

/* guess = sum of c_i past_i, rest = - sum of d_i past_i. */
void fare_bdf_predict(PetscInt n, int count, const double *const past[], const double c[], const double d[],
  double *guess, double *rest);
/*
  p += step; where `positive` is set negative values become zero. sums: of p, and of what this positivity
  correction added.
*/
void fare_bdf_correct(PetscInt n, int positive, const double *step, double *p, double sums[2]);
/* p *= scale; norms[m]: L1 norm of p - sum of c[m]_i past_i, for each row of c. Returns the smallest p. */
double fare_bdf_finish(PetscInt n, int count, const double *const past[], double scale, int rows,
  const double c[][FARE_BDF_HISTORY], double *p, double norms[]);

#endif
