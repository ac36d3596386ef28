/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels of energies that are given on a grid. */
#ifndef FARE_ENERGY_GRID_H
#define FARE_ENERGY_GRID_H

#include <fare/support.h>

#define FARE_SPLINE_MARGIN 2 /* coefficients beyond the first and the last cell */

/* A product of cubic B-splines, one per cell: its coefficients with their margins, the first axis fastest. */
typedef struct {
  int       dim;
  int64_t   cells[FARE_DIM_MAX], stride[FARE_DIM_MAX];
  double    lower[FARE_DIM_MAX], spacing[FARE_DIM_MAX]; /* of the box and its cells */
  PetscBool periodic[FARE_DIM_MAX];
  double   *coefficient;
} fare_energy_spline;

/* Value and minus its derivatives at n points; beyond an end that is not periodic a steep ramp is added. */
void fare_energy_spline_evaluate(
  const fare_energy_spline *spline, int n, const double *const x[], double U[], double *const f[]);
/* to = (1 - s) from + s with, n values. */
void fare_energy_spline_between(double s, size_t n, const double from[], const double with[], double to[]);

#endif
