/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  transport_bound: what any control of a system must dissipate, whatever it drives.
*/
#ifndef FARE_TRANSPORT_BOUND_H
#define FARE_TRANSPORT_BOUND_H

#include <fare/analysis.h>

/** The least that any control dissipates. */
typedef struct {
  double value; /**< the bound on work beyond the difference of free energies */
  double error; /**< estimated, by half as many cells */
  double moved; /**< its part that is dissipated on the way; the rest is dissipated after it */
} fare_transport_bound;
/**
  Bounds the work of going from one value of a parameter to another, from the Boltzmann density on, with
  whatever potential in between:

    W - dF >= min over rho of W2(p_0, rho)^2/(mobility duration) + kT KL(rho || p_1),

  with p_0 and p_1 the Boltzmann densities of both values (Aurell, Mejia-Monasterio and Muratore-Ginanneschi,
  Phys. Rev. Lett. 106, 250601 (2011)). On one axis, rho comes from p_0 by a map that rises, which is found by
  Newton's method. On more, the dual problem is solved on a mesh of its own, of 64 cells per axis, or 24 of
  three; the error is estimated by half as many. Not collective; the same on all ranks.
  @param grid      gives the box; with reflecting boundaries
  @param system    the physics: its whole force is the gradient of its potential
  @param t         time at which the other parameters are frozen
  @param parameter its place in the system's table
  @param from      its value at the start
  @param to        its value at the end
  @param duration  of the way
  @param bound     filled in
  @return FARE_ERR_INPUT for other boundaries, another force and values out of range;
  FARE_ERR_FAILED where the map is not found
*/
PetscErrorCode fare_transport_bound_solve(const fare_grid *grid, const fare_system *system, double t,
  int parameter, double from, double to, double duration, fare_transport_bound *bound);
/**
  The same between two systems that differ by any parameters of the potential. Not collective; the same on all
  ranks.
  @param grid     as above
  @param first    the physics at the start, as it is at time 0
  @param last     the physics at the end, with the same kT and mobility
  @param duration of the way
  @param bound    filled in
  @return as fare_transport_bound_solve()
*/
PetscErrorCode fare_transport_bound_between(const fare_grid *grid, const fare_system *first,
  const fare_system *last, double duration, fare_transport_bound *bound);

#endif
