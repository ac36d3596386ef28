/* SPDX-License-Identifier: BSD-2-Clause */
/*
  weighing: the weight of a prior, as given or chosen. To choose, a network is trained with half of the rows
  once for each weight of a short list, and the weight is taken that has the least loss of the other half at
  the end, without the penalty. It is then trained anew with all rows that its options leave it.
*/
#ifndef FARE_WEIGHING_H
#define FARE_WEIGHING_H

#include "generative.h"

#define FARE_WEIGHING_TRIALS 6

typedef struct {
  fare_sampler    *sampler;
  fare_learn_rows *rows;
  double          *weight; /* of the penalty: set before each training */

  int    trial; /* FARE_WEIGHING_TRIALS: the last training */
  double loss[FARE_WEIGHING_TRIALS];
} fare_weighing;

/* Of the problem: a training that was stopped knows which it was, and the losses of those before. */
void fare_weighing_keep(const fare_weighing *weighing, double numbers[]);
void fare_weighing_recall(fare_weighing *weighing, const double numbers[]);
/* Trains the network of a sampler that has a prior; what the problem leaves out is named here. Collective. */
PetscErrorCode fare_weighing_train(fare_weighing *weighing, fare_learn_problem *problem);

#endif
