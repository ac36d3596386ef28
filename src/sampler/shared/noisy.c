/* SPDX-License-Identifier: BSD-2-Clause */
/* Training on data with noise. */
#include "noisy.h"

PetscErrorCode fare_noisy_setup(fare_sampler *sampler)
{
  fare_generative *g   = sampler->state;
  const int        dim = fare_system_dimension(sampler->system),
            inputs     = fare_noisy_position_inputs(g, dim) + fare_noisy_level_inputs(g) +
    fare_generative_time_inputs(g);

  PetscFunctionBegin;
  PetscCall(fare_learn_network(&g->learn, inputs, dim, fare_sampler_stream(sampler, "weights"), &g->network));
  PetscFunctionReturn(0);
}

void fare_noisy_inputs(
  const fare_noisy_rows *l, const fare_generative *g, int64_t first, int n, float input[])
{
  fare_generative_scalar(g->noise_frequencies, n, l->level + first, FARE_BLOCK, input);
  fare_generative_rows_times(&l->rows, first, n, input + (size_t)fare_noisy_level_inputs(g) * FARE_BLOCK);
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  const fare_noisy_rows *l   = context;
  double                 sum = 0;

  for (int axis = 0; axis < l->rows.dim; axis++)
    sum += fare_generative_loss(n, l->rows.batch->weight + first, l->target[axis],
      output + (size_t)axis * FARE_BLOCK, d_output + (size_t)axis * FARE_BLOCK);
  return sum;
}

PetscErrorCode fare_noisy_learn(fare_sampler *sampler, const fare_training_set *data, fare_noisy_rows *l,
  void (*draw)(void *context, int64_t step, int64_t *rows),
  void (*inputs)(void *context, int64_t first, int n, float input[]))
{
  fare_learn_problem problem = {.context = l, .draw = draw, .inputs = inputs, .loss = loss};
  const size_t       size    = (size_t)((const fare_generative *)sampler->state)->learn.batch;
  const int          dim     = fare_system_dimension(sampler->system);
  PetscErrorCode     code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(size, &l->amount, size, &l->level));
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscMalloc1(size, &l->noise[axis]));
  code                = fare_generative_rows_begin(sampler, data, &l->rows);
  l->weighing.sampler = sampler;
  l->weighing.rows    = l->rows.rows;
  if (!code && l->weighing.penalty)
    code = fare_weighing_train(&l->weighing, &problem);
  else if (!code)
    code = fare_generative_learn(sampler, &problem);
  PetscCall(fare_generative_rows_end(&l->rows));
  PetscCall(PetscFree2(l->amount, l->level));
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscFree(l->noise[axis]));
  PetscFunctionReturn(code);
}
