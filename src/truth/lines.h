/* Inside truth: tridiagonal solves along the lines of a box, many lines at once. Kernels, and the preconditioner made of them. */
#ifndef FARE_LINES_H
#define FARE_LINES_H

#include <fare/truth.h>

#define FARE_LANES 8 /* lines side by side along the first axis */

/* Makes `pc` the product of line solves of op's rates; they are those of the last factor. Collective. */
PetscErrorCode fare_lines_create(fare_operator *op, PC pc);
/* Factors for A = shift - L with the operator's present rates. */
PetscErrorCode fare_lines_factor(PC pc, double shift);

/* Lines along the first axis: value i of line b * FARE_LANES + s at [(b * n + i) * FARE_LANES + s]. */
void fare_lines_factor_lanes(PetscInt blocks, PetscInt n, double *lower, double *inverse, const double *upper);
void fare_lines_solve_lanes(PetscInt blocks, PetscInt n, const double *lower, const double *inverse, const double *upper, double *x);
/* To that layout, scaled, and back. */
void fare_lines_to_lanes(PetscInt rows, PetscInt n, double scale, const double *from, double *to);
void fare_lines_from_lanes(PetscInt rows, PetscInt n, const double *from, double *to);
/* Lines across planes: value i of line s at [(b * n + i) * width + s]. */
void fare_lines_factor_planes(PetscInt blocks, PetscInt n, PetscInt width, double *lower, double *inverse, const double *upper);
void fare_lines_solve_planes(PetscInt blocks, PetscInt n, PetscInt width, const double *lower, const double *inverse, const double *upper, double *x);

#endif
