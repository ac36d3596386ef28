/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside joint: the trains of a truth of kind tensor_train. Five of them evolve: the plain one, one of fewer
  terms, one of twice the step, one of three quarters of the cells and one of half of them. Sums of these make
  the density, extrapolated in cells, and three companions that differ from it by an estimated error each: of
  ranks, of time steps, of cells.
*/
#ifndef FARE_VERSIONS_PRIVATE_H
#define FARE_VERSIONS_PRIVATE_H

#include "train.h"

#define FARE_VERSIONS 4 /* sums: the density and its companions */
enum { FARE_MAIN, FARE_RANK, FARE_STEP, FARE_CELLS };
#define FARE_ITSELF  4 /* the plain density beside them */
#define FARE_EVOLVED 5 /* trains that evolve */
enum { FARE_PLAIN, FARE_FEWER, FARE_SLOWER, FARE_COARSER, FARE_COARSEST };

typedef struct {
  PetscInt64  cells, rank;
  double      step, tolerance, lower, upper;
  fare_train *evolved[FARE_EVOLVED];
  fare_train *train[FARE_VERSIONS];
  double     *packed; /* what evolves as numbers, for checkpoints */
  int64_t     length;
  PetscInt64  uncorrected; /* the companion of cells is the plain density */
} fare_trains;

/* versions.c: numbers of a train that evolve, between it and an array that has room; counts them where it is
   NULL. */
int64_t fare_trains_transfer(fare_train *train, double *numbers, PetscBool load, PetscErrorCode *code);
/* All that evolves as numbers: what is kept. */
PetscErrorCode fare_trains_pack(fare_trains *s);
/* What is kept, back into trains. */
PetscErrorCode fare_trains_unpack(fare_trains *s);
/* The versions, after what evolves has changed. */
PetscErrorCode fare_trains_combine(fare_trains *s);
/* A version, or the plain train. */
const fare_train *fare_trains_version(const fare_trains *s, int version);
/*
  ln p of a version, and the sum of logarithms of sites unless NULL. Differences of trains may be small or
  negative where both are far off: nowhere does it lie below half of the plain density of that version.
*/
PetscErrorCode fare_trains_log_density(
  const fare_trains *s, int version, int64_t n, const double *const x[], double to[], double log_sites[]);
/* The gradient of that of the density itself: of the plain density where that is what counts. */
PetscErrorCode fare_trains_score(
  const fare_trains *s, int64_t n, const double *const x[], double *const to[]);

/* judge.c: fills in the status at time t. */
PetscErrorCode fare_trains_judge(fare_joint *joint, double t);

#endif
