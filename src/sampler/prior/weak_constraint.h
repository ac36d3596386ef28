/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside the sampler weak_constraint: densities on a grid, one at each of a chain of times, fitted to counts.

    min over q_0, ..., q_{T-1} of  - sum_k sum_i C_ki ln q_ki + lambda sum_k KL(q_{k+1} || K_k q_k),

  each q_k a probability per cell. It is convex, for KL(a||b) is jointly so and K linear.
*/
#ifndef FARE_WEAK_CONSTRAINT_H
#define FARE_WEAK_CONSTRAINT_H

#include <fare/grid.h>
#include <fare/system.h>

typedef struct {
  int            times;
  PetscInt       cells;
  const double  *count; /* C: [k * cells + i] */
  double *const *K;     /* of each interval: [from * cells + to] */
} fare_weak_problem;

/* How a fit ended. */
typedef struct {
  double value; /* of what is minimised */
  double gap;   /* it is at most so far above the minimum, by convexity; loose where lambda is large */
  int    rounds;
} fare_weak_fit;

/*
  Propagators between times on a serial grid of one axis, for the rates of a system; new. Steps between
  corners of a drive take the rates of their middles. Not collective.
*/
PetscErrorCode fare_weak_propagators(
  const fare_grid *grid, const fare_system *system, int times, const double time[], double ***K);
PetscErrorCode fare_weak_propagators_destroy(int times, double ***K);

/* What is minimised, at q: [k * cells + i]. */
double fare_weak_value(const fare_weak_problem *problem, double lambda, const double q[]);
/*
  Minimises from q on, which must be positive, until the gap is below `enough`. Not collective.
*/
PetscErrorCode fare_weak_solve(
  const fare_weak_problem *problem, double lambda, double enough, double q[], fare_weak_fit *fit);

#endif
