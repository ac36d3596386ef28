/* SPDX-License-Identifier: BSD-2-Clause */
/* The network's inputs, and the noise of the reference over a bridge. */
#include "schrodinger_bridge.h"

#include <math.h>
#include <string.h>

static PetscBool is_periodic(const fare_sampler *sampler, int axis)
{
  return fare_system_type_of(sampler->system)->periodic[axis];
}

static int frequencies_of(const fare_sampler *sampler, int axis)
{
  const int frequencies = (int)((const fare_schrodinger *)sampler->state)->common.frequencies;

  return is_periodic(sampler, axis) ? PetscMax(1, frequencies) : frequencies;
}

/* z and its frequencies; round a circle only what closes with it. */
int fare_schrodinger_place_inputs(const fare_sampler *sampler)
{
  int n = 0;

  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++)
    n += 2 * frequencies_of(sampler, axis) + (is_periodic(sampler, axis) ? 0 : 1);
  return n;
}

void fare_schrodinger_places(const fare_sampler *sampler, int n, const float *const z[], float input[])
{
  const fare_generative  *g    = sampler->state;
  const fare_system_type *type = fare_system_type_of(sampler->system);

  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++) {
    const double round = 2 * PETSC_PI * g->sd[axis] / (type->upper[axis] - type->lower[axis]);

    if (!type->periodic[axis]) {
      memcpy(input, z[axis], (size_t)n * sizeof(float));
      input += FARE_BLOCK;
    }
    fare_learn_frequencies(frequencies_of(sampler, axis), type->periodic[axis] ? round : g->frequency, n,
      z[axis], NULL, FARE_BLOCK, input);
    input += 2 * frequencies_of(sampler, axis) * FARE_BLOCK;
  }
}

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
