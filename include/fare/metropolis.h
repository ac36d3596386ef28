/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  metropolis: kernels of Metropolis-adjusted Langevin moves.
*/
#ifndef FARE_METROPOLIS_H
#define FARE_METROPOLIS_H

#include <fare/ensemble.h>

/**
  Langevin proposal y = x + h f/kT + sqrt(2 h) z for a block, z normal: the draws `first` ... first + dim - 1.
  @param dim axes
  @param h step
  @param kT temperature
  @param x positions
  @param f forces there
  @param stream of the random numbers
  @param block number of the block
  @param step number of the step
  @param first draw
  @param y becomes the proposal
*/
void fare_metropolis_propose(int dim, double h, double kT, const double *const x[], const double *const f[],
  fare_stream stream, uint64_t block, uint64_t step, uint32_t first, double *const y[]);
/**
  Cost of moves: (V(y) - V(x))/kT + ln q(y|x) - ln q(x|y) of the proposals of fare_metropolis_propose(). A
  move is accepted where its cost is at most an exponential deviate.
  @param dim axes
  @param h step
  @param kT temperature
  @param x positions
  @param f forces there
  @param V potential there
  @param y proposals
  @param g forces there
  @param U potential there
  @param cost becomes the cost of each move of the block
*/
void fare_metropolis_cost(int dim, double h, double kT, const double *const x[], const double *const f[],
  const double *V, const double *const y[], const double *const g[], const double *U,
  double cost[FARE_BLOCK]);
/**
  Exponential deviates -ln(u) for a block.
  @param stream of the random numbers
  @param block number of the block
  @param step number of the step
  @param draw of the step
  @param e becomes the deviates
*/
void fare_metropolis_exponentials(
  fare_stream stream, uint64_t block, uint64_t step, uint32_t draw, double e[FARE_BLOCK]);

#endif
