/* Inside truth: the preconditioner for A = shift - L, and the tridiagonal solves along lines of cells that it smooths by. */
#ifndef FARE_MULTIGRID_H
#define FARE_MULTIGRID_H

#include "patch.h"
#include "truth.h"

/* Preconditions shift - L with the rates of `finest`, borrowed, as they were when last factored. They must be known when it is made. Collective. */
PetscErrorCode fare_multigrid_create(const fare_grid *grid, const fare_patch *finest, fare_multigrid **mg);
PetscErrorCode fare_multigrid_destroy(fare_multigrid **mg);
PetscErrorCode fare_multigrid_factor(fare_multigrid *mg, double shift);
/* One cycle from zero: z approximates the solution of (shift - L) z = r. */
PetscErrorCode fare_multigrid_cycle(fare_multigrid *mg, const double *r, double *z);

#define FARE_LANES 8 /* lines side by side along the first axis */

/*
  Of the tridiagonal matrices along the lines of one axis: y_i = from r_i + lead y_{i-1}, then x_i = y_i + back x_{i+1}. In single precision, which a
  preconditioner can afford. Lines along the first axis: value i of line b * FARE_LANES + s at [(b * n + i) * FARE_LANES + s]; along others in the order of masses.
*/
typedef struct {
  float *from, *lead, *back;
} fare_line_factors;

PetscInt fare_lines_size(const fare_patch *patch, int axis); /* of each array */
#define FARE_LINES_SCRATCH (3 * FARE_LANES + 8)              /* doubles for each cell of a row */

/* Kernels. The lines of all axes, for the smoother in multigrid.c; `least` is the smallest eigenvalue of the part of each axis that it shall damp, relative to the largest. */
void fare_lines_factor(const fare_patch *patch, double shift, const double least[], double *scratch, fare_line_factors factors[]);
/* x = the product of the solves along all axes of r; x may not be r. */
void fare_lines_solve(const fare_patch *patch, const fare_line_factors factors[], const double *r, double *scratch, double *x);

#endif
