/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  box: where densities and particles live, and what happens at its ends.
*/
#ifndef FARE_BOX_H
#define FARE_BOX_H

#include <fare/support.h>

/** The box of a density: outside of it there is none, and periodic axes close at its ends. */
typedef struct {
  double    lower[FARE_AXES_MAX];    /**< lower corner */
  double    upper[FARE_AXES_MAX];    /**< upper corner */
  PetscBool periodic[FARE_AXES_MAX]; /**< per axis: it closes */
} fare_box;

/** What a particle meets at an end of the box. */
typedef enum { FARE_WALL_NONE, FARE_WALL_REFLECTING, FARE_WALL_ABSORBING } fare_wall;

/** Boundary conditions for particles, at the lower and the upper end of each axis. Zeroed: no walls. */
typedef struct {
  int       dim;                  /**< 0: no walls */
  double    lower[FARE_AXES_MAX]; /**< lower corner of the box */
  double    upper[FARE_AXES_MAX]; /**< upper corner */
  fare_wall at[FARE_AXES_MAX][2]; /**< per axis, lower end first */
  PetscBool absorbing;            /**< some end absorbs */
  PetscBool inertial; /**< axis 1 is the velocity along axis 0; a reflection there changes its sign */
} fare_walls;

#endif
