/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels of Metropolis-adjusted Langevin moves. */
#ifndef FARE_METROPOLIS_H
#define FARE_METROPOLIS_H

#include <fare/ensemble.h>

/* y = x + h f/kT + sqrt(2 h) z, and e = -ln(u), an exponential deviate, for one block. */
void fare_metropolis_propose(int dim, double h, double kT, const double *const x[], const double *const f[],
  fare_stream stream, uint64_t block, uint64_t step, double *const y[], double e[FARE_BLOCK]);
/* cost[i] = (V(y) - V(x))/kT + ln q(y|x) - ln q(x|y): the move is accepted where cost <= e. */
void fare_metropolis_cost(int dim, double h, double kT, const double *const x[], const double *const f[],
  const double *V, const double *const y[], const double *const g[], const double *U,
  double cost[FARE_BLOCK]);
/* -ln(u) for a block. */
void fare_metropolis_exponentials(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double e[FARE_BLOCK]);

#endif
