/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Monotone rational-quadratic splines of the unit interval (Durkan et al., arXiv 1906.04032), one for each row
  of a tile: between knots (X_k, Y_k) with slopes S_k, and straight beyond the ends. The parameters of a row
  are 3 bins + 1 numbers out of a network: bins of widths, bins of heights, slopes of knots. All zero, the
  spline is y = x.
*/
#ifndef FARE_SPLINE_H
#define FARE_SPLINE_H

#include <fare/random.h>

#define FARE_SPLINE_LEAST 1e-3 /* least width and height of a bin, and least slope */

/* Value k of row r is at [k * FARE_BLOCK + r]. */
typedef struct {
  int     bins;
  int     circular;               /* the last slope is the first: the slope goes on round the circle */
  double *width, *height;         /* shares of the bins, by softmax; bins */
  double *X, *Y, *S, *rise;       /* knots, and the derivative of a slope by its parameter; bins + 1 */
  double *dw, *dX, *dh, *dY, *dS; /* of the loss, by what an evaluation in a bin depends on; bins + 1 */
} fare_spline;

PetscErrorCode fare_spline_create(int bins, int circular, fare_spline **spline);
PetscErrorCode fare_spline_destroy(fare_spline **spline);

/* Kernels. Points i = 0 ... n - 1 belong to rows row[i]; NULL: to rows i. */

/* The knots of n rows; derivatives begin anew. */
void fare_spline_knots(fare_spline *spline, int n, const float theta[]);
/* y and ln dy/dx. Either may be NULL. */
void fare_spline_forward(
  const fare_spline *spline, int n, const int row[], const double x[], double y[], double log_slope[]);
/* x of y. */
void fare_spline_inverse(const fare_spline *spline, int n, const int row[], const double y[], double x[]);
/* The sum of weight ((pull (y - 1/2))^2/2 - ln dy/dx), whose derivatives are added up in the spline. */
double fare_spline_loss(
  fare_spline *spline, int n, const int row[], const double x[], const double weight[], double pull);
/* Those derivatives by the parameters of n rows. */
void fare_spline_gradient(const fare_spline *spline, int n, float d_theta[]);

#endif
