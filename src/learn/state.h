/* SPDX-License-Identifier: BSD-2-Clause */
/* All that training stands on between two steps. */
#ifndef FARE_LEARN_STATE_H
#define FARE_LEARN_STATE_H

#include <fare/learn.h>

#define CURVE_POINTS 200

struct fare_learn_state {
  size_t  count;           /* of weights */
  int64_t step, steps;     /* the next one; how many there are */
  float  *weights, *m, *v; /* of Adam; weights are the network's own between pauses */
  /* the average of weights, and that of the point with the least loss of validation */
  float     *mean, *best;
  double     sum; /* of losses since the curve's last point */
  int64_t    summed;
  double     least; /* loss of validation */
  int64_t    since; /* points without a lesser one */
  fare_curve curve;
  size_t     kept; /* what the problem keeps besides, whole on every rank */
  double    *numbers;
};

/* Before the first step, with the network's weights. */
PetscErrorCode fare_learn_state_create(
  size_t count, const float weights[], int64_t steps, PetscBool validated, fare_learn_state **state);
/* Room for so many numbers, zero. */
PetscErrorCode fare_learn_state_keep(fare_learn_state *state, size_t kept);
/* With room for CURVE_POINTS points. */
PetscErrorCode fare_curve_begin(fare_curve *curve, PetscBool validated);
PetscErrorCode fare_curve_copy(const fare_curve *from, fare_curve *to);

#endif
