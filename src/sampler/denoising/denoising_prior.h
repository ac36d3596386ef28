/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside denoising: the penalty of a prior on the score that a network says. Collocation points are an eighth
  of the rows of a batch, with noise of a level of their own; with `fokker_planck` at times between training
  times, too. The penalty of a point is 2 (sqrt(1 + q^2) - 1), q the residual over the time between training
  times, or over the whole of the noise, in units of what the network says.
*/
#ifndef FARE_DENOISING_PRIOR_H
#define FARE_DENOISING_PRIOR_H

#include "denoising.h"
#include "sampler/shared/noisy.h"

typedef struct {
  const fare_sampler   *sampler;
  const fare_denoising *d;
  double                weight;         /* of the penalty */
  double                interval;       /* between training times, on average */
  const double         *times;          /* of training */
  float                *level, *moment; /* of each row of the batch: even in (0, 1) */
  float                *input, *output, *d_output;
} fare_denoising_prior;

/* FARE_ERR_INPUT where the score has no such equation. */
PetscErrorCode fare_denoising_check_prior(
  const void *state, const fare_system *system, const fare_prior *prior);
PetscErrorCode fare_denoising_prior_create(
  const fare_sampler *sampler, const fare_training_set *data, fare_denoising_prior *prior);
PetscErrorCode fare_denoising_prior_destroy(fare_denoising_prior *prior);
/* Random numbers of a batch that is drawn, from the draw `first` on. */
void fare_denoising_prior_draw(
  fare_denoising_prior *prior, const fare_noisy_rows *rows, uint64_t step, uint32_t first);
/* The penalties of rows [first, first + n), times the weight; adds the gradient. */
double fare_denoising_prior_penalty(fare_denoising_prior *prior, const fare_noisy_rows *rows,
  fare_network *network, int64_t first, int n, float gradient[]);

#endif
