/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the analysis `bridge`: controls that are tried on particles. */
#ifndef FARE_STEERING_H
#define FARE_STEERING_H

#include <fare/ensemble.h>
#include <fare/feedback.h>
#include <fare/grid.h>
#include <fare/learn.h>

typedef enum { FARE_STEER_ZERO, FARE_STEER_LINEAR, FARE_STEER_LEARNED, FARE_STEER_EXACT } fare_steer_kind;
#define FARE_STEER_KINDS 4
extern const char *const fare_steer_kinds[];

/* The keys of `controllers`. */
typedef struct {
  fare_integers      kinds;
  PetscInt64         particles, seed, networks;
  double             dt;
  fare_learn_options learn;
} fare_steer_keys;
extern const fare_field fare_steer_fields[];

/* What is steered, and the best control: of this rank alone, and alike on all. */
typedef struct {
  const fare_steer_keys *keys;
  const fare_grid       *grid;
  const fare_system     *system;
  const fare_initial    *from;
  const fare_feedback   *best;
  double *const         *masses; /* of the bridge at all moments of `best` */
} fare_steer;

/* A control: a = u/sqrt(2 D) at n points of one time, where D is the diffusion. */
typedef struct {
  void (*at)(
    void *context, double t, size_t n, const double *const x[], const double *const D[], double *const a[]);
  void *context;
} fare_pilot;

/* A block of paths, from the first moment to the last. */
typedef struct {
  int64_t     steps;
  fare_stream noise;
  uint64_t    number, first; /* of the block, and of its first draw */
  int         draws;         /* that make the noise of a step: 2 for the noise of steps half as long */
  double      x[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED;
  double      cost[FARE_BLOCK]; /* int u^2/4D dt */
  /* ln of the likelihood of the path with this control over that with the best one: 0 where they are alike */
  double gap[FARE_BLOCK];
  /* called at the beginning of each step, with its noise sqrt(dt) z; NULL: nothing is kept */
  void (*keep)(void *context, int64_t step, double t, const double *const x[], const double *const kick[]);
  void *context;
} fare_steer_block;
/* Takes a block all the way from x, by Euler steps. */
void fare_steer_walk(const fare_steer *s, const fare_pilot *pilot, fare_steer_block *block);
/* Draws so many starts, on every rank alike; destroy with fare_ensemble_destroy(). */
PetscErrorCode fare_steer_starts(
  const fare_steer *s, const char *name, int64_t count, fare_ensemble **starts);

/* A mean over paths and its standard error. */
typedef struct {
  double value, error;
} fare_steer_mean;
typedef struct {
  fare_steer_mean cost, excess, end[FARE_DIM_MAX], square[FARE_DIM_MAX]; /* where paths end, and its square */
  double *slope; /* -u/2D of all moments [(moment * dim + axis) * cells + cell]; NULL: known elsewhere */
} fare_steered;
/*
  Tries each kind of `keys`, in their order, a learned one once for each network: `count` results in all, to
  be freed with fare_steered_free(). Collective over comm; alike on any number of ranks.
*/
PetscErrorCode fare_steer_try(MPI_Comm comm, const fare_steer *s, size_t *count, fare_steered **steered);
PetscErrorCode fare_steered_free(size_t count, fare_steered **steered);

/* A control by a network, which this rank trains alone; `number` tells several apart. */
typedef struct fare_steer_network fare_steer_network;
PetscErrorCode fare_steer_network_create(const fare_steer *s, int number, fare_steer_network **network);
PetscErrorCode fare_steer_network_train(fare_steer_network *network);
PetscErrorCode fare_steer_network_destroy(fare_steer_network **network);
float         *fare_steer_network_weights(fare_steer_network *network, size_t *count);
fare_pilot     fare_steer_network_pilot(fare_steer_network *network);

#endif
