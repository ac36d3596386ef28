/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  evolution: cell masses on one grid, evolved in time with a given tolerance per step.
*/
#ifndef FARE_EVOLUTION_H
#define FARE_EVOLUTION_H

#include <fare/operator.h>

/** Cell masses on one grid on their way. */
typedef struct fare_evolution fare_evolution;

/**
  Creates an evolution. PETSc options: prefix truth_. Collective.
  @param grid      borrowed, as is the system
  @param system    the physics
  @param start     time of the masses
  @param tolerance estimated L1 error that one step may add
  @param bound     also bound the error of the time method by its residual
  @param masses    the state; the evolution takes it over
  @param evolution destroy with fare_evolution_destroy()
  @return 0 or an error code
*/
PetscErrorCode fare_evolution_create(const fare_grid *grid, const fare_system *system, double start,
  double tolerance, PetscBool bound, Vec masses, fare_evolution **evolution);
/**
  Destroys an evolution. Collective.
  @param evolution set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_evolution_destroy(fare_evolution **evolution);
/**
  Evolves masses of both signs as they are, without positivity correction; before the first advance. Not
  collective.
  @param evolution changed; there is no way back
*/
void fare_evolution_set_linear(fare_evolution *evolution);
/**
  Divides the longest step that an advance may take, for comparison with one that takes it whole. Not
  collective.
  @param evolution changed
  @param parts     at least 1
*/
void fare_evolution_set_parts(fare_evolution *evolution, int parts);
/**
  Evolves to a later time. Collective.
  @param evolution the evolution
  @param t         the time, not before the present one
  @return FARE_ERR_FAILED where the solver gives up
*/
PetscErrorCode fare_evolution_advance(fare_evolution *evolution, double t);
/**
  The masses at the present time. Not collective.
  @param evolution the evolution
  @return borrowed; of the cells of its grid; the next advance changes them
*/
Vec fare_evolution_masses(const fare_evolution *evolution);
/**
  Its operator. Not collective.
  @param evolution the evolution
  @return borrowed; with the rates that were made last
*/
fare_operator *fare_evolution_operator(const fare_evolution *evolution);

#endif
