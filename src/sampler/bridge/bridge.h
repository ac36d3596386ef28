/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside the sampler schrodinger_bridge: bridges between two densities on a grid, exactly, and couplings of
  two sets of particles.

  A Schroedinger bridge from p0 to p1 is the process nearest to a reference process, in relative entropy,
  among all with these ends (Leonard, arXiv 1308.0215). With K the reference's propagator it couples the ends
  by b_j K_ji a_i, where a = p0/(K^T b) and b = p1/(K a), and its density at a time between is the product of
  a carried forward and b carried backward.
*/
#ifndef FARE_BRIDGE_H
#define FARE_BRIDGE_H

#include <fare/truth.h>

/* A system that only diffuses, by D[axis]. Destroy with fare_system_destroy. */
PetscErrorCode fare_bridge_brownian(int dim, const double D[], fare_system **system);

typedef struct {
  const fare_grid   *grid; /* of this rank alone */
  const fare_system *reference;
  double             start, end;
  const double      *p0, *p1; /* masses of all cells, sum 1; p1 may be NULL: the reference alone, from p0 */
  PetscInt64         steps, iterations; /* of the propagator; of the fitting at most */
  double             tolerance;         /* L1 */
} fare_bridge;

typedef struct {
  double mismatch; /* L1, of the end that is worse */
  /*
    of the bridge relative to the reference begun at p0, in nats; where it is 0, what the steps leave may be
    less
  */
  double     entropy;
  PetscInt64 iterations;
} fare_bridge_result;

/*
  Masses of the bridge at `count` ascending times between its ends (with p1 NULL also at the later one), into
  masses[k]. The propagator takes implicit Euler steps, whose matrices keep every number positive and precise
  in its own size; the bridges of `steps` and of twice as many are extrapolated to none. Not collective.
*/
PetscErrorCode fare_bridge_solve(const fare_bridge *bridge, int count, const double times[],
  double *const masses[], fare_bridge_result *result);

#endif
