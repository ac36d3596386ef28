/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  adjoint: what a drive leads to, and its derivatives by every value that the drive takes. The masses of cells
  go through fixed steps of an L-stable method of second order; backward go the derivatives of the result,
  exact for these steps. One way forward twice and one back, whatever the number of values.
*/
#ifndef FARE_ADJOINT_H
#define FARE_ADJOINT_H

#include <fare/analysis.h>

/** What a drive leads to. */
typedef enum {
  FARE_GOAL_WORK,        /**< mean work: the change of V by the drive, jumps included */
  FARE_GOAL_DISSIPATION, /**< work beyond the difference of free energies of the first and last values */
  FARE_GOAL_OBSERVABLE,  /**< expectation of a field at the end */
  FARE_GOAL_DIVERGENCE,  /**< KL(density at the end || target), in nats */
  FARE_GOAL_EVENT,       /**< probability to reach b before a, and before the end */
  FARE_GOAL_CYCLE        /**< work of one period of a drive that repeats, in the periodic steady state */
} fare_goal_kind;
/** Which of them, of what. */
typedef struct {
  fare_goal_kind kind; /**< which */
  Vec field;           /**< observable: a value per cell; divergence: masses of the target, sum 1; borrowed */
  const fare_region *a; /**< event: the set to avoid; NULL, or without boxes: none; borrowed */
  const fare_region *b; /**< event: the set to reach; borrowed */
} fare_goal;

/**
  Steps in time, and the parameters that move. The drive has values at places: one before the start; three for
  each step: at its beginning, within it, at its end; one after the end. Two values at one time make a jump.
*/
typedef struct {
  PetscInt steps;                          /**< number of steps */
  double  *time;                           /**< rising, steps + 1 of them */
  int      parameters;                     /**< number of parameters that move */
  int      parameter[FARE_PARAMETERS_MAX]; /**< their places in the system's table */
  PetscInt places;                         /**< 3 steps + 2 */
  double  *at;                             /**< times of the places */
} fare_protocol;
/**
  Lays out steps. Not collective.
  @param count      of times
  @param time       rising; a step from each to the next
  @param parameters how many move
  @param parameter  their places in the system's table
  @param protocol   free with fare_protocol_free()
  @return FARE_ERR_INPUT where times do not rise
*/
PetscErrorCode fare_protocol_create(
  PetscInt count, const double time[], int parameters, const int parameter[], fare_protocol *protocol);
/**
  Frees it. Not collective.
  @param protocol afterwards without steps
  @return an error of PETSc
*/
PetscErrorCode fare_protocol_free(fare_protocol *protocol);
/**
  Values that the drive of a system has at the places: of two at one time each its own. Not collective.
  @param protocol the places
  @param system   whose drive
  @param value    [place * parameters + k], overwritten
*/
void fare_protocol_sample(const fare_protocol *protocol, const fare_system *system, double value[]);

/**
  Lays out steps for a drive: equal ones in equal pieces of the time and between the jumps and bends of the
  drive within; they shrink towards the ends, and towards jumps from both sides. Not collective.
  @param system     whose drive
  @param start      of the time
  @param end        of the time
  @param pieces     a step ends at the end of each
  @param steps      in all, about
  @param parameters how many move
  @param parameter  their places in the system's table
  @param protocol   free with fare_protocol_free()
  @return FARE_ERR_INPUT where the drive has more than 100000 corners
*/
PetscErrorCode fare_protocol_plan(const fare_system *system, double start, double end, int pieces,
  PetscInt steps, int parameters, const int parameter[], fare_protocol *protocol);

/**
  Masses that make the goal that of paths from one point: means are values at the point, by cubics. Some may
  be negative. Collective.
  @param grid   the cells
  @param goal   an event, whose sets are not reached across
  @param x      the point
  @param masses new global vector of sum 1; the caller destroys it
  @return an error of PETSc
*/
PetscErrorCode fare_adjoint_point(
  const fare_grid *grid, const fare_goal *goal, const double x[], Vec *masses);

/**
  The field of an observable, whose mean a goal is. Collective.
  @param grid   the cells
  @param axis   along which a coordinate is taken
  @param power  of that coordinate
  @param region whose probability is meant instead; NULL: none
  @param field  new global vector; the caller destroys it
  @return an error of PETSc
*/
PetscErrorCode fare_adjoint_observable(
  const fare_grid *grid, int axis, int power, const fare_region *region, Vec *field);

/** A drive to be tried again and again. */
typedef struct fare_adjoint fare_adjoint;
/**
  Gets ready. Collective.
  @param grid     the cells; borrowed, as are all others
  @param system   the physics; what moves there and not in the protocol stays as it is at the start
  @param protocol steps and parameters
  @param start    masses at the start, sum 1; NULL: those of Boltzmann, of the values before the start; of a
  cycle, those that a period brings back
  @param goal     what is asked for
  @param adjoint  destroy with fare_adjoint_destroy()
  @return FARE_ERR_INPUT for work without a potential, with another force or under a moving temperature, and
  for an end that absorbs where the goal is no event
*/
PetscErrorCode fare_adjoint_create(const fare_grid *grid, const fare_system *system,
  const fare_protocol *protocol, Vec start, const fare_goal *goal, fare_adjoint **adjoint);
/**
  Destroys it. Collective.
  @param adjoint set to NULL; may be NULL already
  @return an error of PETSc
*/
PetscErrorCode fare_adjoint_destroy(fare_adjoint **adjoint);
/**
  The goal and its derivatives. Those by the values before the start count what they change of Boltzmann's
  masses; of a cycle, the values before the start and after the end are to be those of its beginning. Rates
  are differentiated by differences, to about 1e-9. Where V falls by more than 4 kT from one cell to the next,
  rates have kinks; take cells so small that there is no mass. Collective; the same on all ranks.
  @param adjoint  what is asked for
  @param value    of the drive, [place * parameters + k]
  @param goal     the result
  @param gradient its derivative by each of these values; NULL: none
  @return FARE_ERR_INPUT for a value out of the parameter's range; FARE_ERR_FAILED where a step is not solved
*/
PetscErrorCode fare_adjoint_run(fare_adjoint *adjoint, const double value[], double *goal, double gradient[]);
/**
  The difference of free energies that dissipation is beyond, of the values that were run last. Collective.
  @param adjoint     of a goal with work, that has been run
  @param free_energy that of the values after the end, less that of those before the start
  @return an error of PETSc
*/
PetscErrorCode fare_adjoint_free_energy(fare_adjoint *adjoint, double *free_energy);

#endif
