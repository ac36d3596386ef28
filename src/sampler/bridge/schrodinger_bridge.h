/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the sampler schrodinger_bridge: its state. */
#ifndef FARE_SCHRODINGER_BRIDGE_H
#define FARE_SCHRODINGER_BRIDGE_H

#include "sampler/shared/generative.h"

enum { FARE_REFERENCE_BROWNIAN, FARE_REFERENCE_DYNAMICS };

typedef struct {
  fare_generative common;
  int             reference;
  double          noise, tolerance;
  PetscInt64      fit_steps, fit_rounds, pairs, chord_frequencies, sampling_steps;

  int64_t count; /* training times; the bridges lie between */
  double *times;
  double  D[FARE_AXES_MAX]; /* of the Brownian reference */

  /*
    with the exact densities of the ends: masses of the bridge at every snapshot, and what each bridge cost
  */
  PetscInt64 snapshots;
  PetscInt   cells;
  double   **masses, *entropy, *mismatch;

  /* learned: where the particles stand */
  PetscBool begun;
  double    now;
  uint64_t  steps; /* taken so far: the counter of the random numbers */
} fare_schrodinger;

/* Keeps the training times, and makes room for what belongs to each snapshot and bridge. */
PetscErrorCode fare_schrodinger_begin(fare_sampler *sampler, int count, const double times[]);
/* Bridges between exact densities. Collective. */
PetscErrorCode fare_schrodinger_solve(fare_sampler *sampler, const fare_training_set *times);
/* Of an oracle, whose density alone is known: as a descriptor's `target`. Collective. */
PetscErrorCode fare_schrodinger_model_density(
  fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);
/* Bridges between training particles, by a network. Collective. */
PetscErrorCode fare_schrodinger_learn(fare_sampler *sampler, const fare_training_set *data);

/* The network's inputs of the part s of bridge k that is behind, of n rows or one; they follow the positions.
 */
int  fare_schrodinger_chord_inputs(const fare_sampler *sampler);
void fare_schrodinger_chords(
  const fare_sampler *sampler, int n, const int k[], const float s[], int stride, float input[]);
/* Standard deviation that the reference gains along an axis over bridge k, scaled. */
double fare_schrodinger_spread(const fare_sampler *sampler, int k, int axis);

#endif
