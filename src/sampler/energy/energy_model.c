/* SPDX-License-Identifier: BSD-2-Clause */
/*
  An energy that a network holds, or in its place the exact one: its inputs and forces, what is kept of it,
  and the density it means.
*/
#include "energy_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  fare_sampler *sampler;
  float        *input, *d_input, *d_output;
} learned;

static PetscErrorCode learned_move(fare_energy *energy, double t)
{
  learned                 *l = energy->context;
  const fare_energy_model *m = l->sampler->state;
  float *time = l->input + (size_t)fare_generative_position_inputs(l->sampler, energy->dim) * FARE_BLOCK,
        features[64];

  PetscFunctionBegin;
  if (!m->conditioned) PetscFunctionReturn(0);
  fare_generative_time(l->sampler, t, features);
  for (int k = 0; k < fare_generative_time_inputs(&m->common); k++) {
    for (int i = 0; i < FARE_BLOCK; i++) time[k * FARE_BLOCK + i] = features[k];
  }
  PetscFunctionReturn(0);
}

static void learned_evaluate(
  fare_energy *energy, int n, const double *const z[], double U[], double *const f[])
{
  learned      *l       = energy->context;
  fare_network *network = ((const fare_generative *)l->sampler->state)->network;
  float         place[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED, output[FARE_BLOCK] FARE_ALIGNED;
  const float  *at[FARE_AXES_MAX], *in = l->input, *d = l->d_input;

  for (int axis = 0; axis < energy->dim; axis++) {
    at[axis] = place[axis];
    for (int i = 0; i < n; i++) place[axis][i] = (float)z[axis][i];
  }
  fare_generative_positions(l->sampler, energy->dim, n, at, l->input);
  fare_network_forward(network, n, l->input, output);
  fare_network_backward(network, n, l->input, l->d_output, NULL, l->d_input);
  for (int i = 0; i < n; i++) U[i] = output[i];
  for (int axis = 0; axis < energy->dim; axis++) {
    const int frequencies = fare_generative_frequencies(l->sampler, axis);

    for (int i = 0; i < n; i++) f[axis][i] = 0;
    if (!energy->periodic[axis]) {
      for (int i = 0; i < n; i++) U[i] += 0.5 * z[axis][i] * z[axis][i];
      for (int i = 0; i < n; i++) f[axis][i] = -z[axis][i] - (double)d[i];
      in += FARE_BLOCK;
      d += FARE_BLOCK;
    }
    fare_energy_frequencies_back(frequencies, fare_generative_frequency(l->sampler, axis), n, in, d, f[axis]);
    in += (size_t)(2 * frequencies) * FARE_BLOCK;
    d += (size_t)(2 * frequencies) * FARE_BLOCK;
  }
}

static PetscErrorCode learned_destroy(fare_energy *energy)
{
  learned *l = energy->context;

  PetscFunctionBegin;
  PetscCall(PetscFree3(l->input, l->d_input, l->d_output));
  PetscCall(PetscFree(l));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_of_network(fare_sampler *sampler, fare_energy **energy)
{
  const fare_system_type *type = fare_system_type_of(sampler->system);
  const fare_generative  *g    = sampler->state;
  const size_t            size = (size_t)fare_network_shape_of(g->network)->inputs * FARE_BLOCK;
  learned                *l;

  PetscFunctionBegin;
  PetscCall(fare_energy_create(fare_system_dimension(sampler->system), type->periodic, type->lower,
    type->upper, g->mean, g->sd, energy));
  PetscCall(PetscNew(&l));
  l->sampler = sampler;
  PetscCall(PetscCalloc3(size, &l->input, size, &l->d_input, FARE_BLOCK, &l->d_output));
  for (int i = 0; i < FARE_BLOCK; i++) l->d_output[i] = 1;
  (*energy)->context  = l;
  (*energy)->move     = learned_move;
  (*energy)->evaluate = learned_evaluate;
  (*energy)->destroy  = learned_destroy;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_model_setup(fare_sampler *sampler)
{
  fare_energy_model *m = sampler->state;
  const int inputs     = fare_generative_position_inputs(sampler, fare_system_dimension(sampler->system)) +
    (m->conditioned ? fare_generative_time_inputs(&m->common) : 0);

  PetscFunctionBegin;
  PetscCall(fare_learn_network(
    &m->common.learn, inputs, 1, fare_sampler_stream(sampler, "weights"), &m->common.network));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_model_at(fare_sampler *sampler, double t)
{
  fare_energy_model *m = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  if (!m->energy && sampler->mode == FARE_ORACLE)
    PetscCall(fare_energy_of_densities(
      sampler->exact, m->conditioned ? 0 : (int)m->times, m->time, m->common.mean, m->common.sd, &m->energy));
  else if (!m->energy)
    PetscCall(fare_energy_of_network(sampler, &m->energy));
  fare_energy_set_walls(m->energy, &sampler->walls);
  PetscCall(m->energy->move(m->energy, t));
  PetscFunctionReturn(0);
}

void fare_energy_model_count(fare_sampler *sampler, int64_t evaluations)
{
  if (sampler->mode == FARE_LEARNED) sampler->cost.network_evaluations += evaluations;
}

PetscErrorCode fare_energy_model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  fare_energy_model *m = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_energy_model_at(sampler, t));
  PetscCall(fare_energy_masses(m->energy, grid, masses));
  PetscFunctionReturn(0);
}

const fare_kept fare_energy_model_kept[] = {
  FARE_KEEP_WITH(STRUCT, fare_energy_model, common, .fields = fare_generative_kept),
  FARE_KEEP_WITH(REALS, fare_energy_model, time, .length = offsetof(fare_energy_model, times)),
  FARE_KEPT_END,
};

PetscErrorCode fare_energy_model_destroy(fare_sampler *sampler)
{
  fare_energy_model *m = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_energy_destroy(&m->energy));
  PetscCall(PetscFree(m->time));
  PetscCall(fare_generative_destroy(sampler));
  PetscFunctionReturn(0);
}
