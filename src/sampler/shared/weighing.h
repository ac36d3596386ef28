/* SPDX-License-Identifier: BSD-2-Clause */
/*
  weighing: training with the penalty of a prior, whose weight is given or chosen. To choose, a network is
  trained with half of the rows once for each weight of a short list, and the weight is taken that has the
  least loss of the other half at the end, without the penalty. It is then trained anew with all rows that its
  options leave it.
*/
#ifndef FARE_WEIGHING_H
#define FARE_WEIGHING_H

#include "generative.h"

#define FARE_WEIGHING_TRIALS 6

/* Where a penalty is asked for: rows [first, first + n) of the batch of a step. */
typedef struct {
  double        weight; /* above 0 */
  int64_t       step, first;
  int           n;
  fare_network *network;
} fare_weighing_rows;

typedef struct {
  fare_sampler    *sampler;
  fare_learn_rows *rows;
  /* weight times the penalty of those rows, as a sum like that of losses; adds its gradient */
  double (*penalty)(void *context, const fare_weighing_rows *rows, float gradient[]);

  fare_learn_problem problem; /* without it; `penalty` has its context */
  double             weight;
  int                trial; /* FARE_WEIGHING_TRIALS: the last training */
  double             loss[FARE_WEIGHING_TRIALS];
  int64_t            step;
  float             *input, *output, *d_output;
} fare_weighing;

/*
  Trains the network of a sampler that has a prior on a problem and the penalty; what the problem leaves out
  is named here. Collective.
*/
PetscErrorCode fare_weighing_train(fare_weighing *weighing, const fare_learn_problem *problem);

#endif
