/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  bridge: Schroedinger bridges between two densities on a grid.

  A Schroedinger bridge from p0 to p1 is the process nearest to a reference process, in relative entropy,
  among all with these ends (Leonard, arXiv 1308.0215). With K the reference's propagator it couples the ends
  by b_j K_ji a_i, where a = p0/(K^T b) and b = p1/(K a), and its density at a time between is the product of
  a carried forward and b carried backward. It is the controlled reference dX = (f + u) dt + sqrt(2 D) dW of
  least cost E int u^2/4D dt, with u = 2 D grad ln(b carried backward) (Dai Pra, Appl. Math. Optim. 23, 313
  (1991)).
*/
#ifndef FARE_BRIDGE_H
#define FARE_BRIDGE_H

#include <fare/grid.h>

/**
  A system that only diffuses. Not collective.
  @param dim    number of axes
  @param D      diffusion coefficient along each of them
  @param system destroy with fare_system_destroy()
  @return an error of PETSc
*/
PetscErrorCode fare_bridge_brownian(int dim, const double D[], fare_system **system);

/** What is bridged, and how it is solved for. */
typedef struct {
  const fare_grid   *grid;       /**< of this rank alone */
  const fare_system *reference;  /**< the process that the bridge is nearest to */
  double             start;      /**< time of p0 */
  double             end;        /**< time of p1 */
  const double      *p0;         /**< masses of all cells, sum 1 */
  const double      *p1;         /**< alike; may be NULL: the reference alone, from p0 */
  PetscInt64         steps;      /**< of the propagator, and twice as many */
  PetscInt64         iterations; /**< of the fitting at most */
  double             tolerance;  /**< L1, of both ends */
} fare_bridge;

/** How well it was solved, and what the bridge costs. */
typedef struct {
  double mismatch; /**< L1, of the end that is worse */
  /**
    of the bridge relative to the reference begun at p0, in nats; where it is 0, what the steps leave may be
    less
  */
  double     entropy;
  PetscInt64 iterations; /**< of the fitting */
} fare_bridge_result;

/**
  Solves for a bridge. The propagator takes implicit Euler steps, whose matrices keep every number positive
  and precise in its own size; the bridges of `steps` and of twice as many are extrapolated to none. Not
  collective.
  @param bridge what is bridged
  @param count  number of times
  @param times  ascending, between the ends (with p1 NULL also at the later one)
  @param masses the bridge's at these times, masses[k] of all cells
  @param value  NULL; or value[0 .. count + 1] of all cells, at the start, at these times and at the end:
                -ln(b carried backward), the least cost from there on but for a constant; HUGE_VAL where p1
                cannot be reached
  @param result how well, and what it costs
  @return an error of PETSc
*/
PetscErrorCode fare_bridge_solve(const fare_bridge *bridge, int count, const double times[],
  double *const masses[], double *const value[], fare_bridge_result *result);

#endif
