/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The penalty of a prior on a density of one axis that a network says at any time: its action
  (fare/current_action.h) beside the assumed dynamics (`fokker_planck`) or beside no motion at all
  (`least_dissipation`), integrated over the schedule by one time in each step of training, over the number of
  training times. With the loss -ln q, a weight so means what it does in `weak_constraint`: the action counts
  as often as a training snapshot has particles, times that weight.
*/
#ifndef FARE_CURRENT_PRIOR_H
#define FARE_CURRENT_PRIOR_H

#include "line.h"

#include "sampler/shared/weighing.h"

#include <fare/current_action.h>
#include <fare/operator.h>

#define FARE_CURRENT_CELLS 128 /* of both sides a tile */

typedef struct {
  const fare_sampler *sampler;
  fare_current_line   line;
  fare_grid          *grid;
  fare_operator      *op;
  fare_stream         stream;
  PetscBool           here;  /* on this rank */
  double              share; /* of a training time: what the mean over time counts */
  double time[2], x[FARE_CURRENT_CELLS], u[2 * FARE_CURRENT_CELLS], slope[2 * FARE_CURRENT_CELLS];
} fare_current_prior;

/* FARE_ERR_INPUT where the system has more axes than one. */
PetscErrorCode fare_current_check_prior(
  const void *state, const fare_system *system, const fare_prior *prior);
/* Between `lower` and `upper`. */
PetscErrorCode fare_current_prior_create(const fare_sampler *sampler, const fare_training_set *data,
  double lower, double upper, fare_current_prior *prior);
PetscErrorCode fare_current_prior_destroy(fare_current_prior *prior);
/*
  Whether rows are those that the penalty goes with: the first of a step on rank 0. Sets the two times; `more`
  becomes another uniform number.
*/
PetscBool fare_current_prior_begin(fare_current_prior *prior, const fare_weighing_rows *rows, double *more);
/*
  The penalty of u, ln q + any constants: before, then after; `slope` becomes its derivatives. Not a number
  where the rates of the system are not finite.
*/
double fare_current_prior_penalty(fare_current_prior *prior, double weight);

#endif
