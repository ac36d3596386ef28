/* SPDX-License-Identifier: BSD-2-Clause */
/* What a prior asks of an energy E(x,t) of one axis that a network learns: ln q = -E, up to ln Z(t). */
#ifndef FARE_ENERGY_PRIOR_H
#define FARE_ENERGY_PRIOR_H

#include "energy_model.h"
#include "sampler/prior/current_prior.h"

typedef struct {
  fare_current_prior current;
  float             *input, *output, *d_output;
} fare_energy_prior;

/* Of a descriptor. */
PetscErrorCode fare_energy_check_prior(const void *state, const fare_system *system, const fare_prior *prior);

PetscErrorCode fare_energy_prior_create(
  const fare_sampler *sampler, const fare_training_set *data, fare_energy_prior *prior);
PetscErrorCode fare_energy_prior_destroy(fare_energy_prior *prior);
/* See fare_weighing. */
double fare_energy_prior_penalty(fare_energy_prior *prior, const fare_weighing_rows *rows, float gradient[]);
/* ln of the integral of exp(-E) over z, by cells of the box, with the present weights of the network. */
double fare_energy_prior_log_norm(fare_energy_prior *prior, double t);

#endif
