/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  initial: the initial condition. The truth integrates it over cells; ensembles draw from it.
*/
#ifndef FARE_INITIAL_H
#define FARE_INITIAL_H

#include <fare/system.h>

/** The kinds of initial densities; see fare_initial_fields. */
typedef enum {
  FARE_INITIAL_BOLTZMANN,
  FARE_INITIAL_GAUSSIAN,
  FARE_INITIAL_UNIFORM,
  FARE_INITIAL_MIXTURE,
  FARE_INITIAL_POINT,
  FARE_INITIAL_SNAPSHOT
} fare_initial_kind;

/** The initial density. Release with fare_initial_free(). */
typedef struct {
  int                       density;      /**< a fare_initial_kind */
  fare_reals                mean;         /**< per axis; of a mixture, one component after the other */
  fare_reals                sd;           /**< standard deviation, alike */
  fare_reals                weights;      /**< mixture: one per component */
  char                     *file;         /**< snapshot: its path */
  struct fare_density_file *density_file; /**< snapshot: what the file holds */
  const fare_box           *box;          /**< borrowed: the box of the truth; NULL: the system's */
  PetscBool                 bounded;      /**< Gaussians, too, are drawn inside the box along axes that end */
} fare_initial;

/** Keys of the plan's `initial:` section. */
extern const fare_field fare_initial_fields[];

/**
  Reads and checks the plan's `initial:` section. Not collective.
  @param node    the section
  @param system  the system that it is the initial condition of
  @param initial filled in; release it even after an error
  @return FARE_ERR_INPUT, with file, line and key, for what is wrong
*/
PetscErrorCode fare_initial_from_config(
  const fare_node *node, const fare_system *system, fare_initial *initial);

/**
  Releases what an initial condition holds. Not collective.
  @param initial its lists, path and snapshot are freed and zeroed; the struct itself is the caller's
*/
void fare_initial_free(fare_initial *initial);

/**
  Whether the density is Gaussian. Not collective.
  @param initial the density
  @return true for a Gaussian, a mixture of Gaussians, and a point (a narrow Gaussian)
*/
PetscBool fare_initial_is_gaussian(const fare_initial *initial);

/**
  The box of the density. Not collective.
  @param initial the density
  @param system  has the box where `initial` has none
  @return `initial->box`, or else fare_system_box()
*/
fare_box fare_initial_box(const fare_initial *initial, const fare_system *system);

/**
  The cells of a snapshot's density. Not collective.
  @param initial of kind FARE_INITIAL_SNAPSHOT
  @param cells   number of cells per axis
  @param lower   lower corner of their box
  @param spacing width of a cell per axis
*/
void fare_initial_cells(const fare_initial *initial, int64_t cells[], double lower[], double spacing[]);

/**
  ln of the density, up to a constant. Gaussians are wrapped around periodic axes. Not collective.
  @param initial     the density
  @param system      its potential is that of a Boltzmann density
  @param t           time of the system's parameters
  @param n           number of points
  @param x           points within the box, x[axis][point]
  @param log_density n values; -HUGE_VAL where there is no mass
*/
void fare_initial_log_density(const fare_initial *initial, const fare_system *system, double t, size_t n,
  const double *const x[], double log_density[]);

#endif
