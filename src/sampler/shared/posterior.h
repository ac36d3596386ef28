/* SPDX-License-Identifier: BSD-2-Clause */
/*
  posterior: E[x | y], where x is a place of the data and y the same place with noise of level sigma: what a
  perfectly trained denoiser would say. A truth that is not one grid knows its density with noise; else data
  are the cells of the exact density (an oracle) or the particles
  of a training set (the empirical optimum), all scaled as fare_generative has it. Every rank holds them
  whole.

  Sums over data are made once per level on a mesh of y, axis by axis, and interpolated; where particles are
  too few for that, or the level too low, they are summed one by one. A cell is a normal blob with half its
  width as standard deviation, so what an oracle draws tends to the exact density with the square of the
  cells' width.
*/
#ifndef FARE_POSTERIOR_H
#define FARE_POSTERIOR_H

#include "generative.h"

typedef struct fare_posterior fare_posterior;

/*
  In place of training, for a sampler that is not to learn: finds mean and sd and, for an empirical optimum,
  gathers the training set. Collective.
*/
PetscErrorCode fare_posterior_train(fare_sampler *sampler, const fare_training_set *data);
/*
  Takes the data of time t. An empirical optimum has those of the training time t, or between two both sets
  with weights linear in t: between training times the data define no optimum, and that is the plainest
  mixture. `augmented` is 0 for normal noise of standard deviation sigma along each axis, else the D of
  Poisson flow: density of the noise e ~ (|e|^2 + D sigma^2)^(-(N + D)/2). Not collective.
*/
PetscErrorCode fare_posterior_begin(fare_sampler *sampler, int augmented, double t);
/* Makes ready for a level sigma > 0. Not collective. */
PetscErrorCode fare_posterior_level(fare_posterior *posterior, double sigma);
/* E[x | y] for a block, at that level. */
PetscErrorCode fare_posterior_mean(const fare_posterior *posterior, const fare_row y[], fare_row mean[]);
/* Of a descriptor with an empirical optimum; ends with fare_generative_destroy. */
PetscErrorCode fare_posterior_destroy(fare_sampler *sampler);

/*
  Shares of the data in the cells of a grid of the same system at the time of begin, in the order of its
  vectors: the model density. Collective over the grid.
*/
PetscErrorCode fare_posterior_masses(const fare_posterior *posterior, const fare_grid *grid, Vec *masses);

#endif
