/* SPDX-License-Identifier: BSD-2-Clause */
/* Cloning beside the tilted generator, for the analysis `tilted`. */
#ifndef FARE_TILTED_PRIVATE_H
#define FARE_TILTED_PRIVATE_H

#include "analysis/analysis.h"

typedef struct {
  PetscInt64 walkers, runs, control, seed;
  double     dt, resample, duration, burn;
} fare_clones;
extern const fare_field fare_clones_fields[];

/* What runs find: psi extrapolated from N and 2N walkers, and that of N alone, with standard errors. */
typedef struct {
  double psi, error, few, few_error, slope, slope_error;
  double chain,
    chain_error;   /* what psi of ever more walkers tends to, at this dt and duration; NaN: not known */
  double families; /* of 2N walkers at the end of burn, how many have descendants at the end */
} fare_cloned;
/*
  Runs of both sizes for one tilt, spread over the ranks: the same bits on any. They pause from time to time,
  and go on where the keeper of `found` has them from a checkpoint. Collective.
*/
PetscErrorCode fare_clones_run(const fare_clones *keys, const fare_observable *observable,
  const fare_grid *grid, const fare_system *system, double t, double s, int number, fare_findings *found,
  fare_cloned *cloned);

#endif
