/* SPDX-License-Identifier: BSD-2-Clause */
/* What the spline of an axis is conditioned on: the axes before it and t. */
#include "normalizing_flow.h"

fare_network *fare_normalizing_flow_network(const fare_normalizing_flow *s, int axis)
{
  return axis ? s->further[axis] : s->common.network;
}

void fare_normalizing_flow_places(
  const fare_sampler *sampler, int axis, int n, const double *const x[], float input[])
{
  const fare_normalizing_flow *s = sampler->state;
  fare_place z                 FARE_ALIGNED;
  const float                 *at[FARE_AXES_MAX];

  for (int k = 0; k < axis; k++) {
    const double from = fare_generative_is_periodic(sampler, k) ? s->lower[k] : s->common.mean[k];

    at[k] = z[k];
    for (int i = 0; i < n; i++) z[k][i] = (float)((x[k][i] - from) / s->common.sd[k]);
  }
  fare_generative_positions(sampler, axis, n, at, input);
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
