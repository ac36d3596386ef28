/* SPDX-License-Identifier: BSD-2-Clause */
/*
  One dimension, V = height wells(x) - tilt x. A file of the library that includes this defines before it its
  parameters, HEIGHT and TILT among them, and the functions wells and slope, its derivative.
*/
#ifndef FARE_WELLS_1D_PRIVATE_H
#define FARE_WELLS_1D_PRIVATE_H

#include "library.h"

static void potential(int dim, const double *theta, size_t n, const double *const x[], double V[])
{
  const double *restrict q = x[0];
  const double height = theta[HEIGHT], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) V[i] = height * wells(q[i]) - tilt * q[i];
}

static void force(int dim, const double *theta, size_t n, const double *const x[], double *const f[])
{
  const double *restrict q = x[0];
  double *restrict g       = f[0];
  const double height = theta[HEIGHT], tilt = theta[TILT];

#pragma omp simd
  for (size_t i = 0; i < n; i++) g[i] = tilt - height * slope(q[i]);
}

static void basis(int dim, size_t n, const double *const x[], double *const phi[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) phi[0][i] = wells(x[0][i]);
  for (size_t i = 0; i < n; i++) phi[1][i] = x[0][i];
}

static void coefficients(int dim, const double *theta, double a[])
{
  a[0] = theta[HEIGHT];
  a[1] = -theta[TILT];
}

/* All of a descriptor but what makes it one of its own. */
#define WELLS_1D_DESCRIPTOR                                                                                 \
  .dimension_min = 1, .dimension_max = 1, .parameters = parameters, .potential = potential, .force = force, \
  .basis_count = 2, .basis = basis, .coefficients = coefficients

#endif
