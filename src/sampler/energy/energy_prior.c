/* SPDX-License-Identifier: BSD-2-Clause */
#include "energy_prior.h"

#include <math.h>

PetscErrorCode fare_energy_check_prior(const void *state, const fare_system *system, const fare_prior *prior)
{
  PetscFunctionBegin;
  PetscCall(fare_current_check_prior(state, system, prior));
  if (!((const fare_energy_model *)state)->conditioned)
    FARE_FAIL(FARE_ERR_INPUT, "prior '%s' needs an energy at every time: set conditioned to true",
      fare_prior_kinds[prior->kind]);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_prior_create(
  const fare_sampler *sampler, const fare_training_set *data, fare_energy_prior *p)
{
  const fare_generative *g    = sampler->state;
  const size_t           size = (size_t)fare_network_shape_of(g->network)->inputs * FARE_BLOCK;
  double                 lower, upper;

  PetscFunctionBegin;
  fare_prior_box(sampler, &lower, &upper);
  PetscCall(PetscMalloc3(size, &p->input, FARE_BLOCK, &p->output, FARE_BLOCK, &p->d_output));
  PetscCall(fare_current_prior_create(sampler, data, lower, upper, &p->current));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_prior_destroy(fare_energy_prior *p)
{
  PetscFunctionBegin;
  PetscCall(fare_current_prior_destroy(&p->current));
  PetscCall(PetscFree3(p->input, p->output, p->d_output));
  PetscFunctionReturn(0);
}

/* ln q + ln Z at the centres of cells, at `sides` times; leaves what the network was asked. */
static void ask(fare_energy_prior *p, fare_network *network, int sides, const double time[], double u[])
{
  const fare_sampler    *sampler = p->current.sampler;
  const fare_generative *g       = sampler->state;
  const PetscBool        closed  = fare_generative_is_periodic(sampler, 0);
  const int              n = sides * FARE_CURRENT_CELLS, times = fare_generative_time_inputs(g);
  float                 *to = p->input + (size_t)fare_generative_position_inputs(sampler, 1) * FARE_BLOCK,
        z[FARE_BLOCK] FARE_ALIGNED, features[64];
  const float *at = z;

  for (int i = 0; i < n; i++) z[i] = (float)((p->current.x[i % FARE_CURRENT_CELLS] - g->mean[0]) / g->sd[0]);
  fare_generative_positions(sampler, 1, n, &at, p->input);
  for (int side = 0; side < sides; side++) {
    fare_generative_time(sampler, time[side], features);
    for (int k = 0; k < times; k++) {
      for (int i = 0; i < FARE_CURRENT_CELLS; i++)
        to[k * FARE_BLOCK + side * FARE_CURRENT_CELLS + i] = features[k];
    }
  }
  fare_network_forward(network, n, p->input, p->output);
  for (int i = 0; i < n; i++) u[i] = -(double)p->output[i] - (closed ? 0 : 0.5 * (double)z[i] * (double)z[i]);
}

double fare_energy_prior_penalty(fare_energy_prior *p, const fare_weighing_rows *rows, float gradient[])
{
  fare_current_prior *c = &p->current;
  double              more, sum;

  if (!fare_current_prior_begin(c, rows, &more)) return 0;
  ask(p, rows->network, 2, c->time, c->u);
  sum = fare_current_prior_penalty(c, rows->weight);
  for (int i = 0; i < 2 * FARE_CURRENT_CELLS; i++) p->d_output[i] = (float)-c->slope[i];
  fare_network_backward(rows->network, 2 * FARE_CURRENT_CELLS, p->input, p->d_output, gradient, NULL);
  return sum;
}

double fare_energy_prior_log_norm(fare_energy_prior *p, double t)
{
  fare_current_prior    *c    = &p->current;
  const fare_generative *g    = c->sampler->state;
  double                 most = -HUGE_VAL, sum = 0;

  ask(p, g->network, 1, &t, c->u);
  for (int i = 0; i < FARE_CURRENT_CELLS; i++) most = PetscMax(most, c->u[i]);
  for (int i = 0; i < FARE_CURRENT_CELLS; i++) sum += exp(c->u[i] - most);
  return most + log(sum * c->grid->spacing[0] / g->sd[0]);
}
