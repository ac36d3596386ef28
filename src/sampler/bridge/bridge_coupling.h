/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside bridges: entropic couplings of two small sets of particles. */
#ifndef FARE_BRIDGE_COUPLING_H
#define FARE_BRIDGE_COUPLING_H

#include <fare/random.h>

/* Room for one coupling after another. */
typedef struct fare_coupling fare_coupling;
PetscErrorCode               fare_coupling_create(fare_coupling **coupling);
void                         fare_coupling_destroy(fare_coupling **coupling);
/*
  The entropic optimum between n and m particles (at most FARE_BLOCK) with the given weights, for the cost
  sum_axis (x - y)^2/(2 spread^2): Sinkhorn's iterations until the second marginal is met to `tolerance` in
  L1, the first exactly. period[axis] > 0: the nearest image counts. Returns what is left of the mismatch.
*/
double fare_coupling_solve(fare_coupling *coupling, int dim, const double spread[], const double period[],
  int n, const double *const x[], const double p[], int m, const double *const y[], const double q[],
  double tolerance, int rounds);
/* A partner j of particle i, by a uniform number u. */
int fare_coupling_partner(const fare_coupling *coupling, int i, double u);

/* Kernels, on rows of FARE_BLOCK. */
/* adds one axis */
void fare_coupling_cost(int m, double x, double spread, double period, const double y[], float cost[]);
/* K = exp(f + g - cost) */
void  fare_coupling_weights(int m, float f, const float g[], const float cost[], float K[]);
float fare_coupling_dot(int m, const float K[], const float v[]);
void  fare_coupling_add(int m, float u, const float K[], float to[]);

#endif
