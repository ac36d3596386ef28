/* SPDX-License-Identifier: BSD-2-Clause */
/* Positions of particles that belong to a method's state, for its table of what is kept. */
#ifndef FARE_POSITIONS_H
#define FARE_POSITIONS_H

#include <fare/ensemble.h>
#include <fare/store.h>

/*
  A fare_ensemble without weights, of which every rank saves and loads its own blocks; on any number of ranks.
  Loading makes one on the communicator of the sampler that is its context.
*/
extern const fare_kept_type fare_positions_kept;

#endif
