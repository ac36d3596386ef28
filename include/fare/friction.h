/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  friction: what slow drives dissipate. While parameters l move slowly, work beyond the difference of free
  energies is the integral of dl_i/dt zeta_ij dl_j/dt, with the friction tensor

    zeta_ij = (1/kT) int_0^infinity <dX_i(s) dX_j(0)> ds,  X_i = -dV/dl_i,

  of the Boltzmann density at each l (Sivak and Crooks, Phys. Rev. Lett. 108, 190602 (2012)). It is a metric:
  a drive along its geodesic, at constant speed, dissipates least, length^2/duration.
*/
#ifndef FARE_FRICTION_H
#define FARE_FRICTION_H

#include <fare/analysis.h>

#define FARE_FRICTION_MAX 3 /**< parameters that move at a time */

/**
  The friction tensor, by one solve for each parameter. Collective.
  @param grid       the cells
  @param system     the physics: its whole force is the gradient of its potential
  @param t          time at which the other parameters are frozen
  @param parameters how many move
  @param parameter  their places in the system's table, none of them kT or mobility
  @param value      their values; NULL: those at t
  @param tensor     [i * parameters + j], in energy time over the product of both parameters' units
  @param solved     how well; may be NULL
  @return FARE_ERR_INPUT where an end absorbs, for another force, and for values out of range; FARE_ERR_FAILED
  where a solve does not converge
*/
PetscErrorCode fare_friction_solve(const fare_grid *grid, const fare_system *system, double t, int parameters,
  const int parameter[], const double value[], double tensor[], fare_solved *solved);

/** A geodesic to be found. */
typedef struct {
  int    parameters;                   /**< how many move */
  int    parameter[FARE_FRICTION_MAX]; /**< their places in the system's table */
  double from[FARE_FRICTION_MAX];      /**< values at the start */
  double to[FARE_FRICTION_MAX];        /**< values at the end */
  double lower[FARE_FRICTION_MAX];     /**< of several parameters: the box in which the tensor is looked at */
  double upper[FARE_FRICTION_MAX]; /**< its upper corner; of a single one, the box is all between both ends */
  int    nodes;  /**< values of each parameter at which the tensor is found, odd, 5 or more */
  int    points; /**< of the path that are asked for, 2 or more */
} fare_geodesic_task;
/** A geodesic. */
typedef struct {
  int     parameters; /**< how many move */
  int     points;     /**< of the path */
  double *value;      /**< [point * parameters + k]; for a drive, at equal times */
  double  length;     /**< by the metric; its square over the duration is what the drive dissipates */
  double  straight;   /**< what a straight line at constant speed dissipates, times the duration */
  double  error[2];   /**< estimated, of both, of what lies between nodes and of the search */
  size_t  nodes;      /**< at which the tensor was found */
  double *node;       /**< where they are, [node * parameters + k] */
  double *tensor;     /**< [(node * parameters + i) * parameters + j] */
  double  residual;   /**< the largest of all solves */
} fare_geodesic;
/**
  Finds the geodesic between two values: by quadrature for one parameter, else the path of least dissipation
  among polynomials. Collective; the same on all ranks.
  @param grid     the cells
  @param system   as of fare_friction_solve()
  @param t        time at which the other parameters are frozen
  @param task     what is asked for
  @param geodesic free with fare_geodesic_free(), after an error, too
  @return as fare_friction_solve(); FARE_ERR_INPUT where both ends are one, too; FARE_ERR_FAILED where the
  tensor is singular, or the path leaves the box
*/
PetscErrorCode fare_geodesic_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_geodesic_task *task, fare_geodesic *geodesic);
/**
  Frees it. Not collective.
  @param geodesic zeroed
*/
void fare_geodesic_free(fare_geodesic *geodesic);

#endif
