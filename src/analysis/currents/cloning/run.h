/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside cloning: one run of it, in parts. Nothing here is collective. */
#ifndef FARE_CLONES_RUN_PRIVATE_H
#define FARE_CLONES_RUN_PRIVATE_H

#include "crowd.h"

/* What a run gives: psi, slope, and of its walkers at the end of burn how many have descendants at the end.
 */
enum { FARE_CLONES_PSI, FARE_CLONES_SLOPE, FARE_CLONES_FAMILIES, FARE_CLONES_NUMBERS };

/* A run that is under way. Zero it to begin. */
typedef struct {
  PetscBool   begun;
  int64_t     number, stage, stages; /* intervals that are done, and all of them */
  double      sum;                   /* of ln of mean weights since burn */
  fare_stream noise;
  fare_random choice;
  fare_crowd  crowd;
} fare_clones_state;

/* Steps before those that count, and all of them. */
void           fare_clones_steps(const fare_clones *keys, int64_t *burn, int64_t *all);
PetscErrorCode fare_clones_begin(const fare_cloning *p, int tilt, int64_t number, fare_clones_state *run);
PetscErrorCode fare_clones_end(fare_clones_state *run);
/* Goes on until it has ended, and fills in what it gives, or until a time. */
PetscErrorCode fare_clones_go_on(
  const fare_cloning *p, double until, fare_clones_state *run, double result[], PetscBool *ended);
/* The share that is done. */
double fare_clones_share(const fare_clones_state *run);
/* A copy of its state, and back, where there is one. */
PetscErrorCode fare_clones_put(const fare_clones_state *run, fare_pieces *to);
PetscErrorCode fare_clones_take_up(const fare_pieces *from, fare_clones_state *run);

#endif
