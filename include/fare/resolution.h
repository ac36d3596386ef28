/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  resolution: what a grid may not resolve.
*/
#ifndef FARE_RESOLUTION_H
#define FARE_RESOLUTION_H

#include <fare/grid.h>

/** What a grid may not resolve. */
typedef struct {
  double rough; /**< largest change of U/kT by a kink, a jump or a bump within a cell that holds mass */
  double steep[FARE_DIM_MAX]; /**< any change, along each axis; infinite: drift without diffusion */
  double filled;              /**< number of cells that hold the mass */
} fare_resolution;

/**
  Looks at what potential and drift do within cells that hold mass. Collective.
  @param grid       the cells
  @param system     the physics
  @param t          time of its parameters
  @param masses     of the cells; their sum is 1
  @param resolution filled in
  @return an error of PETSc
*/
PetscErrorCode fare_resolution_look(
  const fare_grid *grid, const fare_system *system, double t, Vec masses, fare_resolution *resolution);

#endif
