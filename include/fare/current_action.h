/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  current_action: the action of a density that moves along one axis, beside the current J_0 of some dynamics,

    I = int (J - J_0)^2/(4 D p) dx,   dp/dt = -dJ/dx,

  in nats per particle and time: many particles follow that density with a probability of about exp(-N int I
  dt) (Dawson and Gaertner, Stochastics 20, 247 (1987)). With J_0 = 0 it is a quarter of the entropy
  production int J^2/(D p) dx. A density says what its current is on a line; on a circle up to a constant,
  which is chosen so that I is least.

  On cells, with rates a up and b down a face and masses p before and after: J from the mass that crosses the
  face in between, J_0 = <a p_below - b p_above>, and I = sum (J - J_0)^2/(2 theta), theta = <a p_below + b
  p_above>, <> the mean of before and after. An even density of mass FARE_CURRENT_SPREAD joins in theta, so
  that places without mass do not count for ever.
*/
#ifndef FARE_CURRENT_ACTION_H
#define FARE_CURRENT_ACTION_H

#include <fare/grid.h>
#include <fare/system.h>

#define FARE_CURRENT_SPREAD 1e-3 /**< mass of an even density that joins in the denominator */

/** Cells of one axis and what is known of the faces above them. */
typedef struct {
  PetscInt  cells;   /**< their number */
  PetscBool closed;  /**< the axis is a circle */
  PetscBool still;   /**< J_0 = 0 */
  double    span;    /**< of time, from before to after */
  double   *rate;    /**< out of cell i: down at [2 i], up at [2 i + 1]; the caller's to set */
  double   *mass;    /**< before, then after; of the last action, as is what follows */
  double   *excess;  /**< J - J_0 through the face above each cell */
  double   *theta;   /**< there */
  double   *current; /**< J there */
} fare_current_line;

/**
  Makes a line. Not collective.
  @param grid serial, of one axis
  @param line to fill; fare_current_line_destroy(), after an error too
  @return an error of PETSc
*/
PetscErrorCode fare_current_line_create(const fare_grid *grid, fare_current_line *line);
/**
  Frees what a line holds. Not collective.
  @param line may be all zero
  @return an error of PETSc
*/
PetscErrorCode fare_current_line_destroy(fare_current_line *line);
/**
  Sets `still`, and the rates of diffusion alone. Not collective.
  @param grid   of the line
  @param system whose diffusion is meant
  @param t      the time
  @param line   changed
*/
void fare_current_set_still(
  const fare_grid *grid, const fare_system *system, double t, fare_current_line *line);
/**
  The action. Not collective.
  @param line  with rates; its masses and faces become those of u
  @param u     ln p and any constant each: before, then after; -infinity where there is no mass
  @param slope dI/du, or NULL
  @return I, in nats per time
*/
double fare_current_action(fare_current_line *line, const double u[], double slope[]);

#endif
