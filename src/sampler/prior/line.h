/* SPDX-License-Identifier: BSD-2-Clause */
/* Grids of one axis that priors work on, whole on every rank: the truth's box, or the system's own. */
#ifndef FARE_PRIOR_LINE_H
#define FARE_PRIOR_LINE_H

#include <fare/sampler.h>

void           fare_prior_box(const fare_sampler *sampler, double *lower, double *upper);
PetscErrorCode fare_prior_grid(
  const fare_sampler *sampler, double lower, double upper, PetscInt cells, fare_grid **grid);

#endif
