/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  chain: what a system of the name `chain` is made of: copies of one unit of one axis, each coupled to the
  next by a spring.
*/
#ifndef FARE_CHAIN_H
#define FARE_CHAIN_H

#include <fare/system.h>

/** A system of this kind; borrowed from the fare_system. */
typedef struct fare_chain fare_chain;

/**
  The chain that a system is. Not collective.
  @param system any
  @return NULL where it is none
*/
const fare_chain *fare_chain_of(const fare_system *system);
/**
  What its sites are copies of. Not collective.
  @param chain the chain
  @return a type of one axis with a potential and force, whose parameters have the same places in the table
  of the chain; borrowed
*/
const fare_system_type *fare_chain_unit(const fare_chain *chain);
/**
  Where the strength of the springs is. Not collective.
  @param chain the chain
  @return its place among the parameters
*/
int fare_chain_coupling(const fare_chain *chain);

#endif
