/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  mixture: what a system of the name `gaussian_mixture` is made of: Gaussians with diagonal covariances, whose
  centres and widths move. Their mixture is the density of the system at all times.
*/
#ifndef FARE_MIXTURE_H
#define FARE_MIXTURE_H

#include <fare/system.h>

/** A system of this kind; borrowed from the fare_system. */
typedef struct fare_mixture fare_mixture;

/**
  The mixture that a system is. Not collective.
  @param system any
  @return NULL where it is none
*/
const fare_mixture *fare_mixture_of(const fare_system *system);
/**
  Number of components. Not collective.
  @param mixture the mixture
  @return at least 1
*/
int fare_mixture_components(const fare_mixture *mixture);
/**
  The components at a time. Not collective.
  @param system   a mixture
  @param t        time
  @param weight   one per component, of sum 1
  @param mean     centres, one component after the other
  @param variance per axis, alike
*/
void fare_mixture_at(const fare_system *system, double t, double weight[], double mean[], double variance[]);
/**
  Whether centres or widths jump: no drift carries them along then. Not collective.
  @param system a mixture
  @param t      time
  @return whether they differ shortly before and after
*/
PetscBool fare_mixture_jumps(const fare_system *system, double t);

#endif
