/* SPDX-License-Identifier: BSD-2-Clause */
/* The network's inputs that say when, and the noise of the reference over a bridge. */
#include "schrodinger_bridge.h"

#include <math.h>

int fare_schrodinger_chord_inputs(const fare_sampler *sampler)
{
  const fare_schrodinger *b = sampler->state;

  return 1 + 2 * (int)b->chord_frequencies + fare_generative_time_inputs(&b->common);
}

void fare_schrodinger_chords(
  const fare_sampler *sampler, int n, const int k[], const float s[], int stride, float input[])
{
  const fare_schrodinger *b                          = sampler->state;
  const double            length                     = sampler->schedule.end - sampler->schedule.start;
  float                   z[FARE_BLOCK] FARE_ALIGNED = {0};

  for (int i = 0; i < n; i++) z[i] = 2 * s[i] - 1;
  fare_generative_scalar(b->chord_frequencies, n, z, stride, input);
  for (int i = 0; i < n; i++)
    z[i] = (float)(2 *
        (b->times[k[i]] + (b->times[k[i] + 1] - b->times[k[i]]) * (double)s[i] - sampler->schedule.start) /
        length -
      1);
  fare_generative_scalar(
    b->common.time_frequencies, n, z, stride, input + (1 + 2 * b->chord_frequencies) * stride);
}

double fare_schrodinger_spread(const fare_sampler *sampler, int k, int axis)
{
  const fare_schrodinger *b = sampler->state;

  return sqrt(2 * b->D[axis] * (b->times[k + 1] - b->times[k])) / b->common.sd[axis];
}
