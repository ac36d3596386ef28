/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  potential_spline: what a system of the name `spline` is made of: a potential without a formula, by its
  values at evenly spaced knots along one axis. They are its parameters V1, V2, ...
*/
#ifndef FARE_POTENTIAL_SPLINE_H
#define FARE_POTENTIAL_SPLINE_H

#include <fare/system.h>

#define FARE_POTENTIAL_KNOTS_MIN 4 /**< fewest knots */
#define FARE_POTENTIAL_KNOTS_MAX \
  27 /**< most of them: parameters that a system may have, but for its others */
/** Places of the other parameters in the table. */
enum { FARE_POTENTIAL_SPLINE_FORCE = FARE_OWN, FARE_POTENTIAL_SPLINE_VALUES };

/** A system of this kind; borrowed from the fare_system. */
typedef struct fare_potential_spline fare_potential_spline;

/**
  The spline that a system is. Not collective.
  @param system any
  @return NULL where it is none
*/
const fare_potential_spline *fare_potential_spline_of(const fare_system *system);
/**
  Where a knot is. Not collective.
  @param spline of a system
  @param k      its number, from 0
  @return its place along the axis
*/
double fare_potential_spline_knot(const fare_potential_spline *spline, int k);
/**
  Roughness as a quadratic form of the values at knots: the integral of V''^2, from the first knot to the
  last, or once around a ring. Not collective.
  @param spline of a system
  @param S      filled, [knots * knots], symmetric; 0 along what adds a constant, and on a line a slope
*/
void fare_potential_spline_roughness(const fare_potential_spline *spline, double S[]);

#endif
