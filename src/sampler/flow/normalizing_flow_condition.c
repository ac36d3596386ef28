/* SPDX-License-Identifier: BSD-2-Clause */
/* What the spline of an axis is conditioned on: the axes before it and t. */
#include "normalizing_flow.h"

#include <string.h>

PetscBool fare_normalizing_flow_is_periodic(const fare_sampler *sampler, int axis)
{
  return fare_system_type_of(sampler->system)->periodic[axis];
}

fare_network *fare_normalizing_flow_network(const fare_normalizing_flow *s, int axis)
{
  return axis ? s->further[axis] : s->common.network;
}

/* What is said of an axis: z and its frequencies, but of a circle only what closes with it. */
static int frequencies_of(const fare_sampler *sampler, int axis)
{
  const int frequencies = (int)((const fare_normalizing_flow *)sampler->state)->common.frequencies;

  return fare_normalizing_flow_is_periodic(sampler, axis) ? PetscMax(1, frequencies) : frequencies;
}

int fare_normalizing_flow_place_inputs(const fare_sampler *sampler, int axis)
{
  int n = 0;

  for (int k = 0; k < axis; k++)
    n += 2 * frequencies_of(sampler, k) + (fare_normalizing_flow_is_periodic(sampler, k) ? 0 : 1);
  return n;
}

void fare_normalizing_flow_places(
  const fare_sampler *sampler, int axis, int n, const double *const x[], float input[])
{
  const fare_normalizing_flow *s = sampler->state;
  const fare_generative       *g = &s->common;
  float                        z[FARE_BLOCK] FARE_ALIGNED;

  for (int k = 0; k < axis; k++) {
    const PetscBool periodic = fare_normalizing_flow_is_periodic(sampler, k);

    for (int i = 0; i < n; i++)
      z[i] = (float)(periodic ? 2 * PETSC_PI * fare_normalizing_flow_unit(s, k, x[k][i])
                              : (x[k][i] - g->mean[k]) / g->sd[k]);
    if (!periodic) {
      memcpy(input, z, (size_t)n * sizeof *z);
      input += FARE_BLOCK;
    }
    fare_learn_frequencies(
      frequencies_of(sampler, k), periodic ? 1 : g->frequency, n, z, NULL, FARE_BLOCK, input);
    input += 2 * frequencies_of(sampler, k) * FARE_BLOCK;
  }
}

void fare_normalizing_flow_condition(
  fare_sampler *sampler, int axis, const float time[], int n, const double *const x[])
{
  fare_normalizing_flow *s    = sampler->state;
  const int              rows = axis ? n : 1;

  fare_normalizing_flow_places(sampler, axis, rows, x, s->input);
  /* a whole tile, so that a row's bits depend on nothing else */
  fare_network_evaluate(fare_normalizing_flow_network(s, axis), FARE_BLOCK, s->input,
    fare_generative_time_inputs(&s->common), time, s->theta);
  fare_spline_knots(s->spline[axis], rows, s->theta);
}
