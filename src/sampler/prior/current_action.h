/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The action of a density that moves along one axis, beside the current J_0 of assumed dynamics,

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

#include <fare/support.h>

#define FARE_CURRENT_SPREAD 1e-3

typedef struct {
  PetscInt  cells;
  PetscBool closed;                   /* the axis is a circle */
  PetscBool still;                    /* J_0 = 0 */
  double    span;                     /* of time, from before to after */
  double   *rate;                     /* out of cell i: down at [2 i], up at [2 i + 1] */
  double   *mass;                     /* before, then after */
  double   *excess, *theta, *current; /* of the face above each cell: J - J_0, theta, J */
} fare_current_line;

PetscErrorCode fare_current_line_create(PetscInt cells, PetscBool closed, fare_current_line *line);
PetscErrorCode fare_current_line_destroy(fare_current_line *line);
/*
  I for ln p + any constants, u: before, then after; leaves masses and what is said of faces in the line.
  Not collective.
  @param slope dI/du, or NULL
*/
double fare_current_action(fare_current_line *line, const double u[], double slope[]);

#endif
