/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  committor_field: the committor q(t,x) of an event as something that particles evaluate where they are: whole
  on every rank, with its logarithm and the gradient of that, and with a relative accuracy however small q is.
*/
#ifndef FARE_COMMITTOR_FIELD_H
#define FARE_COMMITTOR_FIELD_H

#include <fare/rare.h>

/** What the committor knows of the drive. */
typedef enum {
  FARE_COMMITTOR_EXACT,   /**< all of it */
  FARE_COMMITTOR_FROZEN,  /**< its present state, as if that stayed */
  FARE_COMMITTOR_UNDRIVEN /**< nothing: parameters have their base values */
} fare_committor_kind;
/** How a committor is solved for. */
typedef struct {
  fare_committor_kind kind;      /**< what it knows of the drive */
  PetscInt            cells;     /**< per axis; 0: those of the grid */
  int                 moments;   /**< at which q is kept, up to the deadline; 0: enough */
  double              tolerance; /**< of ln q at the start, that steps in time may leave; 0: 1e-4 */
} fare_committor_options;

/** A committor on a grid, and at many moments where it depends on time. */
typedef struct fare_committor_field fare_committor_field;
/**
  Solves for the committor of an event: the probability to reach b before a and before the deadline. The same
  bits on any number of ranks. Collective.
  @param comm    the ranks; all of them get all of it
  @param grid    gives box, boundaries and cells
  @param system  the physics, borrowed for the call
  @param event   sets, start and deadline; borrowed as long as the field is
  @param options what it knows, and how finely
  @param field   destroy with fare_committor_field_destroy()
  @return FARE_ERR_INPUT for too many cells, or what is driven without a deadline and not frozen or undriven
*/
PetscErrorCode fare_committor_field_create(MPI_Comm comm, const fare_grid *grid, const fare_system *system,
  const fare_event *event, const fare_committor_options *options, fare_committor_field **field);
/**
  A committor that is given by a function, kept as one that is solved for. Not collective.
  @param grid    gives box, boundaries and cells
  @param event   sets, start and deadline; borrowed as long as the field is
  @param options cells and moments
  @param log_q   gives ln q at n points x[axis][point] outside of both sets, all at time t
  @param to      its argument
  @param field   destroy with fare_committor_field_destroy()
  @return FARE_ERR_INPUT for too many cells
*/
PetscErrorCode fare_committor_field_fill(const fare_grid *grid, const fare_event *event,
  const fare_committor_options *options,
  void (*log_q)(void *to, double t, size_t n, const double *const x[], double log_q[]), void *to,
  fare_committor_field **field);
/**
  Frees it. Not collective.
  @param field set to NULL; may be NULL
  @return an error of PETSc
*/
PetscErrorCode fare_committor_field_destroy(fare_committor_field **field);
/**
  ln q and its gradient at points, each at a time of its own. Not collective.
  @param field the committor
  @param n     number of points
  @param t     their times, up to the deadline
  @param x     points x[axis][point], within the box
  @param log_q n values: 0 in b, -HUGE_VAL in a
  @param slope values slope[axis][point], 0 in both sets; NULL: not wanted
*/
void fare_committor_field_at(const fare_committor_field *field, size_t n, const double t[],
  const double *const x[], double log_q[], double *const slope[]);
/**
  The largest width of cells, over all axes. Not collective.
  @param field the committor
  @return a length
*/
double fare_committor_field_spacing(const fare_committor_field *field);

#endif
