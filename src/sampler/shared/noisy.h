/* SPDX-License-Identifier: BSD-2-Clause */
/*
  noisy: what methods have in common that learn from data with noise, at a noise level that differs from row
  to row. The inputs of their network are the noisy position u per axis, sines and cosines of the position per
  axis, then those that all particles of a block share: the noise level, scaled to [-1, 1], and t, each with
  frequencies.
*/
#ifndef FARE_NOISY_H
#define FARE_NOISY_H

#include "weighing.h"

/* How many inputs are of the position, and of the noise level. */
static inline int fare_noisy_position_inputs(const fare_generative *g, int dim)
{
  return dim * (1 + 2 * (int)g->frequencies);
}
static inline int fare_noisy_level_inputs(const fare_generative *g)
{
  return 1 + 2 * (int)g->noise_frequencies;
}
/* Makes the network. */
PetscErrorCode fare_noisy_setup(fare_sampler *sampler);

/* Of each row of the batch: how much noise, that scaled to [-1, 1], and the noise of each axis. */
typedef struct fare_noisy_rows fare_noisy_rows;
struct fare_noisy_rows {
  fare_generative_rows rows;
  float               *amount, *level, *noise[FARE_AXES_MAX];
  float         target[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED; /* of a tile: what the network should say */
  fare_weighing weighing; /* of a prior; `penalty` NULL where there is none */
};
/*
  Trains the network by the functions `draw` and `inputs`, whose context begins with a fare_noisy_rows. The
  loss is the square of the error, summed over axes. Collective.
*/
PetscErrorCode fare_noisy_learn(fare_sampler *sampler, const fare_training_set *data,
  fare_noisy_rows *context, void (*draw)(void *context, int64_t step, int64_t *rows),
  void (*inputs)(void *context, int64_t first, int n, float input[]));
/* The inputs of noise level and time of rows [first, first + n), from `input` on. */
void fare_noisy_inputs(
  const fare_noisy_rows *l, const fare_generative *g, int64_t first, int n, float input[]);

#endif
