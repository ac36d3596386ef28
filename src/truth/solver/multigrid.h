/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside truth: the preconditioner for A = shift - L in two and three dimensions. */
#ifndef FARE_MULTIGRID_H
#define FARE_MULTIGRID_H

#include "truth/rates/operator.h"

/* Vectors that flexible GMRES keeps of each kind, with a cycle as its preconditioner. */
#define FARE_MULTIGRID_RESTART 4

/*
  Preconditions shift - L with the rates of `op`, borrowed, as they were when last factored. They must be
  known when it is made. Collective.
*/
PetscErrorCode fare_multigrid_create(const fare_operator *op, fare_multigrid **mg);
PetscErrorCode fare_multigrid_destroy(fare_multigrid **mg);
void           fare_multigrid_factor(fare_multigrid *mg, double shift);
/* One cycle from zero: z approximates the solution of (shift - L) z = r. */
PetscErrorCode fare_multigrid_cycle(fare_multigrid *mg, const double *r, double *z);

#endif
