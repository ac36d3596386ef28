/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The penalty of a prior on the score that a network says which learns from noisy data (noisy.h). Collocation
  points are an eighth of the rows of a batch, with noise of a level of their own; with `fokker_planck` at
  times between training times, too. The penalty of a point is 2 (sqrt(1 + q^2) - 1), q the residual over the
  time between training times, or over the whole of the noise, in units of what the network says.

  `least_dissipation` penalises the action of the noisy density instead, which the scores say between which it
  is summed along the axis (current_prior.h).
*/
#ifndef FARE_SCORE_PRIOR_H
#define FARE_SCORE_PRIOR_H

#include "current_prior.h"

#include "sampler/shared/noisy.h"

/*
  What a method asks its network about noisy data y of level sigma: the position and the noise level as it has
  them, each among its inputs. The score is own + gain times the answer.
*/
typedef struct {
  double position, level, own, gain;
} fare_score_question;

/* Of a method whose state begins with a fare_generative. */
typedef struct {
  double (*sigma)(double amount); /* of the amount of noise that a row has */
  void (*ask)(const void *state, double y, double sigma, fare_score_question *question);
} fare_score_method;

typedef struct {
  const fare_sampler      *sampler;
  const fare_generative   *g;
  const fare_score_method *method;
  double                   interval;       /* between training times, on average */
  const double            *times;          /* of training */
  float                   *level, *moment; /* of each row of the batch: even in (0, 1) */
  float                   *input, *output, *d_output;
  fare_current_prior       current; /* of least_dissipation */
} fare_score_prior;

/* FARE_ERR_INPUT where the score has no such equation. */
PetscErrorCode fare_score_check_prior(const void *state, const fare_system *system, const fare_prior *prior);
PetscErrorCode fare_score_prior_create(const fare_sampler *sampler, const fare_training_set *data,
  const fare_score_method *method, fare_score_prior *prior);
PetscErrorCode fare_score_prior_destroy(fare_score_prior *prior);
/* Random numbers of a batch that is drawn, from the draw `first` on. */
void fare_score_prior_draw(
  fare_score_prior *prior, const fare_noisy_rows *rows, uint64_t step, uint32_t first);
/* The penalties of rows of a batch, times the weight; adds the gradient. */
double fare_score_prior_penalty(
  fare_score_prior *prior, const fare_noisy_rows *noisy, const fare_weighing_rows *rows, float gradient[]);

#endif
