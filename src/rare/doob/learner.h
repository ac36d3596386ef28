/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside doob: what the parts of learning share. Nothing here is collective. */
#ifndef FARE_LEARNER_PRIVATE_H
#define FARE_LEARNER_PRIVATE_H

#include "learned.h"
#include "rare/run/runs.h"

#define FARE_LEARNER_LEAST  -650  /* of ln q: less is not learned from */
#define FARE_LEARNER_PLACES 16384 /* of paths, from which batches are drawn */
#define FARE_LEARNER_NODES  27    /* of a step, at most */

typedef enum { FARE_LEARN_UNIFORMLY, FARE_LEARN_ON_SPLITTING, FARE_LEARN_ON_DOOB } fare_learn_source;

/* Where a path was: the logarithm of its weight, and then what is learned from; which path, in which lag. */
typedef struct {
  double t, x[FARE_DIM_MAX], log_weight;
  size_t path, lag;
} fare_place;

typedef struct {
  const fare_rare_context *c;
  const fare_learned_keys *keys;
  const fare_event        *event;
  fare_network            *network;
  fare_stream              stream;
  int                      dim, inputs, round;
  PetscBool                timed;
  double                   lag, span, D, reach;
  /* of paths that are led: steps of a lag; how many lags a path has at most; what is behind each of them */
  int64_t                     led;
  size_t                      lags;
  double                     *behind;
  const fare_committor_field *leader;
  /* places of paths: how many there are, and how many were seen */
  size_t      places, seen;
  fare_place *place;
  fare_random reservoir;
  /* the batch, then `stride` nodes of each row's step */
  size_t  stride;
  double *t, *x[FARE_DIM_MAX], *target, *node_t, *node[FARE_DIM_MAX], *value;
} fare_learner;

/* Of ln q: what is not learned, and what the network's output is multiplied by (learned_field.c). */
double fare_learner_base(const fare_learner *l, double t, const double x[], double *rise);
/* Inputs of a row of a block. */
void fare_learner_input(const fare_learner *l, double t, const double x[], int row, float input[]);
/* ln q by the network as it is. */
void fare_learner_evaluate(
  const fare_learner *l, size_t n, const double t[], const double *const x[], double log_q[]);
/* What the network knows, as steering evaluates it. */
PetscErrorCode fare_learner_tabulate(fare_learner *l, fare_committor_field **field);

/* Places of a round, as its key says (learned_places.c). */
PetscErrorCode fare_learner_find_places(fare_learner *l);
void           fare_learner_draw_uniform(const fare_learner *l, fare_random *random, double *t, double x[]);
const fare_place *fare_learner_draw_place(const fare_learner *l, fare_random *random);
/* Paths that a committor leads, seen by the context's `watch`. */
PetscErrorCode fare_learner_lead(const fare_rare_context *c, const fare_committor_field *field,
  fare_stream noise, size_t count, fare_path path[]);

/* Targets of the rows: from the mean over a step (learned_targets.c). */
void fare_learner_find_targets(fare_learner *l, size_t n);

#endif
