/* SPDX-License-Identifier: BSD-2-Clause */
/* Training and drawing of the samplers that take noise out, level by level. */
#include "denoising.h"
#include "sampler/shared/ode.h"
#include "sampler/shared/posterior.h"

#include <math.h>
#include <string.h>

/*
  The inputs of the network: u per axis, frequencies of y per axis, then those that all particles of a block
  share: ln sigma and t.
*/
static int position_inputs(const fare_generative *g, int dim)
{
  return dim * (1 + 2 * (int)g->frequencies);
}
static int noise_inputs(const fare_denoising *d)
{
  return 1 + 2 * (int)d->noise_frequencies;
}

PetscErrorCode fare_denoising_setup(fare_sampler *sampler)
{
  fare_denoising  *d   = sampler->state;
  fare_generative *g   = &d->common;
  const int        dim = fare_system_dimension(sampler->system),
            inputs     = position_inputs(g, dim) + noise_inputs(d) + fare_generative_time_inputs(g);

  PetscFunctionBegin;
  if (d->sigma_min >= d->sigma_max)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_INPUT, "sigma_min %g must be below sigma_max %g", d->sigma_min, d->sigma_max);
  PetscCall(fare_learn_network(&g->learn, inputs, dim, fare_sampler_stream(sampler, "weights"), &g->network));
  PetscFunctionReturn(0);
}

/* What a step of training works on. */
typedef struct {
  const fare_denoising *d;
  fare_generative_rows  rows;
  /* of the batch's rows; sigma as its normal until levels are made */
  float *sigma, *level, *e[FARE_DIM_MAX];
  float  target[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED; /* of the tile */
} training_context;

enum { DRAW_SIGMA = 1, DRAW_NOISE };

static void draw_noise(training_context *l, uint64_t step)
{
  const fare_learn_batch *batch = l->rows.batch;
  double                  e[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED;
  int64_t                 block = -1;

  for (int64_t i = 0; i < batch->count; i++) {
    if (batch->number[i] / FARE_BLOCK != block) {
      block = batch->number[i] / FARE_BLOCK;
      l->d->noise(l->d, l->rows.dim, l->rows.stream, (uint64_t)block, step, DRAW_NOISE, e);
    }
    for (int axis = 0; axis < l->rows.dim; axis++)
      l->e[axis][i] = (float)e[axis][batch->number[i] % FARE_BLOCK];
  }
}

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context     *l = context;
  const fare_denoising *d = l->d;

  fare_learn_batch_draw(l->rows.batch, l->rows.rows, l->rows.stream, (uint64_t)step);
  fare_learn_batch_normals(l->rows.batch, l->rows.stream, (uint64_t)step, DRAW_SIGMA, l->sigma);
  draw_noise(l, (uint64_t)step);
  *rows = l->rows.batch->count;
  if (d->predicts_noise)
    fare_denoising_levels_even(
      (int)*rows, d->beta_min, d->beta_max, d->sigma_min, d->sigma_max, l->sigma, l->sigma, l->level);
  else
    fare_denoising_levels(
      (int)*rows, d->p_mean, d->p_std, d->sigma_min, d->sigma_max, l->sigma, l->sigma, l->level);
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context      *l = context;
  const fare_generative *g = &l->d->common;
  float                  y[FARE_BLOCK] FARE_ALIGNED;
  float                 *to = input + (size_t)l->rows.dim * FARE_BLOCK;

  for (int axis = 0; axis < l->rows.dim; axis++) {
    fare_denoising_corrupt(n, l->sigma + first, l->rows.batch->x[axis] + first, l->e[axis] + first, y,
      input + (size_t)axis * FARE_BLOCK, l->target[axis]);
    if (l->d->predicts_noise) memcpy(l->target[axis], l->e[axis] + first, (size_t)n * sizeof(float));
    fare_learn_frequencies((int)g->frequencies, g->frequency, n, y, l->sigma + first, FARE_BLOCK, to);
    to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  }
  fare_generative_scalar(l->d->noise_frequencies, n, l->level + first, FARE_BLOCK, to);
  fare_generative_rows_times(&l->rows, first, n, to + (size_t)noise_inputs(l->d) * FARE_BLOCK);
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  training_context *l   = context;
  double            sum = 0;

  for (int axis = 0; axis < l->rows.dim; axis++) {
    sum += fare_generative_loss(n, l->rows.batch->weight + first, l->target[axis],
      output + (size_t)axis * FARE_BLOCK, d_output + (size_t)axis * FARE_BLOCK);
  }
  return sum;
}

PetscErrorCode fare_denoising_train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_denoising    *d       = sampler->state;
  training_context   l       = {.d = d};
  fare_learn_problem problem = {.context = &l, .draw = draw, .inputs = inputs, .loss = loss};
  const size_t       size    = (size_t)d->common.learn.batch;
  PetscErrorCode     code;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) {
    PetscCall(fare_posterior_train(sampler, data));
    PetscFunctionReturn(0);
  }
  PetscCall(PetscMalloc2(size, &l.sigma, size, &l.level));
  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++)
    PetscCall(PetscMalloc1(size, &l.e[axis]));
  code = fare_generative_rows_begin(sampler, data, &l.rows);
  if (!code) code = fare_generative_learn(sampler, &problem);
  PetscCall(fare_generative_rows_end(&l.rows));
  PetscCall(PetscFree2(l.sigma, l.level));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree(l.e[axis]));
  PetscFunctionReturn(code);
}

/* One advance: what all blocks share. */
typedef struct {
  const fare_denoising *d;
  fare_sampler_mode     mode;
  int                   dim, common;
  double               *sigma;  /* sampling_steps + 1 levels, the last 0 */
  float                *shared; /* inputs of ln sigma and t */
  float                *input;
  fare_stream           latent, churn;
  double                from, to; /* levels where the step begins and ends */
  fare_ode              ode;
} ode_context;

static PetscErrorCode ode_begin(fare_sampler *sampler, double t, int dim, ode_context *j)
{
  const fare_denoising *d     = sampler->state;
  const double          first = pow(d->sigma_max, 1 / d->rho), last = pow(d->sigma_min, 1 / d->rho);

  PetscFunctionBegin;
  *j        = (ode_context){.d = d,
           .mode               = sampler->mode,
           .dim                = dim,
           .common             = noise_inputs(d) + fare_generative_time_inputs(&d->common)};
  j->latent = fare_sampler_stream(sampler, "latent");
  j->churn  = fare_sampler_stream(sampler, "churn");
  PetscCall(PetscMalloc3((size_t)d->sampling_steps + 1, &j->sigma, (size_t)j->common, &j->shared,
    (size_t)position_inputs(&d->common, dim) * FARE_BLOCK, &j->input));
  for (PetscInt64 i = 0; i < d->sampling_steps; i++)
    j->sigma[i] = pow(first + (double)i / (double)(d->sampling_steps - 1) * (last - first), d->rho);
  j->sigma[d->sampling_steps] = 0;
  fare_generative_time(sampler, t, j->shared + noise_inputs(d));
  if (j->mode != FARE_LEARNED) PetscCall(fare_posterior_begin(sampler, d->augmented, t));
  PetscFunctionReturn(0);
}

static PetscErrorCode ode_end(ode_context *j)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(j->sigma, j->shared, j->input));
  PetscFunctionReturn(0);
}

/* F at noise level sigma, of the network. */
static void evaluate_network(ode_context *j, double sigma, const fare_place u, fare_place F)
{
  const fare_denoising  *d    = j->d;
  const fare_generative *g    = &d->common;
  const double           wide = sqrt(1 + sigma * sigma);
  const float            level =
    (float)PetscMin(1, 2 * log(sigma / d->sigma_min) / log(d->sigma_max / d->sigma_min) - 1);
  float  y[FARE_BLOCK] FARE_ALIGNED, spread[FARE_BLOCK] FARE_ALIGNED;
  float *to = j->input + (size_t)j->dim * FARE_BLOCK;

  for (int i = 0; i < FARE_BLOCK; i++) spread[i] = (float)sigma;
  for (int axis = 0; axis < j->dim; axis++) {
    memcpy(j->input + (size_t)axis * FARE_BLOCK, u[axis], sizeof y);
    fare_generative_scale((float)wide, u[axis], y);
    fare_learn_frequencies((int)g->frequencies, g->frequency, FARE_BLOCK, y, spread, FARE_BLOCK, to);
    to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  }
  fare_generative_scalar(d->noise_frequencies, 1, &level, 1, j->shared);
  fare_network_evaluate(g->network, FARE_BLOCK, j->input, j->common, j->shared, F[0]);
  for (int axis = 0; axis < j->dim && d->predicts_noise; axis++) {
    fare_generative_scale((float)-wide, F[axis], F[axis]);
    fare_generative_euler((float)sigma, F[axis], u[axis], F[axis]);
  }
}

/* The same of the exact denoiser: F = (D - c_skip y)/c_out. */
static void evaluate_posterior(const ode_context *j, double sigma, const fare_place u, fare_place F)
{
  const double wide = sqrt(1 + sigma * sigma);
  fare_place y FARE_ALIGNED, mean FARE_ALIGNED;

  for (int axis = 0; axis < j->dim; axis++) fare_generative_scale((float)wide, u[axis], y[axis]);
  fare_posterior_mean(j->d->common.posterior, y, mean);
  for (int axis = 0; axis < j->dim; axis++) {
    fare_generative_euler((float)(-1 / wide), mean[axis], u[axis], F[axis]);
    fare_generative_scale((float)(wide / sigma), F[axis], F[axis]);
  }
}

/* F at both ends of a step. */
static PetscErrorCode evaluate_field(
  void *context, double share, const fare_ode_batch *p, double divergence[])
{
  ode_context *j     = context;
  const double sigma = share > 0 ? j->to : j->from;

  PetscFunctionBegin;
  (void)divergence;
  if (j->mode != FARE_LEARNED) PetscCall(fare_posterior_level(j->d->common.posterior, sigma));
  for (int64_t b = 0; b < p->count; b++) {
    if (j->mode != FARE_LEARNED)
      evaluate_posterior(j, sigma, p->w[b], p->v[b]);
    else
      evaluate_network(j, sigma, p->w[b], p->v[b]);
  }
  PetscFunctionReturn(0);
}

/* Adds noise that raises the level, and returns the new one (Karras et al., algorithm 2). */
static double add_churn(const ode_context *j, PetscInt64 step, double sigma, const fare_ode_batch *p)
{
  const double raised = sigma * (1 + PetscMin(j->d->churn / (double)j->d->sampling_steps, sqrt(2) - 1));
  const float  keep   = (float)sqrt((1 + sigma * sigma) / (1 + raised * raised)),
              add     = (float)sqrt((raised * raised - sigma * sigma) / (1 + raised * raised));
  double z[FARE_BLOCK] FARE_ALIGNED;

  for (int64_t b = 0; b < p->count; b++) {
    for (int axis = 0; axis < j->dim; axis++) {
      fare_random_normals(j->churn, (uint64_t)(p->first + b),
        j->d->common.advances * (uint64_t)j->d->sampling_steps + (uint64_t)step, (uint32_t)axis, z);
      fare_generative_mix(keep, add, p->u[b][axis], z, p->u[b][axis]);
    }
  }
  return raised;
}

/*
  Pure noise: u = y/sqrt(1 + sigma_max^2), where y is noise of the largest level on data of mean 0; normal
  noise is given the variance of the data, too.
*/
static void draw_latent(void *context, uint64_t block, fare_place u)
{
  const ode_context *j     = context;
  const double       sigma = j->d->sigma_max;
  const float        scale = (float)(j->d->augmented ? sigma / sqrt(1 + sigma * sigma) : 1);
  double             e[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED;

  j->d->noise(j->d, j->dim, j->latent, block, j->d->common.advances, 0, e);
  for (int axis = 0; axis < j->dim; axis++) fare_generative_mix(0, scale, u[axis], e[axis], u[axis]);
}

/* From noise to data: Heun's steps in -phi, and one of Euler to the level 0. */
static PetscErrorCode denoise(void *context, const fare_ode_batch *p)
{
  ode_context          *j = context;
  const fare_denoising *d = j->d;

  PetscFunctionBegin;
  for (PetscInt64 i = 0; i < d->sampling_steps; i++) {
    const PetscBool last = i + 1 == d->sampling_steps;

    j->to   = j->sigma[i + 1];
    j->from = d->stochastic && i > 0 && !last ? add_churn(j, i, j->sigma[i], p) : j->sigma[i];
    PetscCall(
      fare_ode_step(&j->ode, last ? &fare_ode_euler : &fare_ode_heun, atan(j->from) - atan(j->to), p, NULL));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_denoising_advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  fare_denoising *d = sampler->state;
  ode_context     j;

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  PetscCall(ode_begin(sampler, t, ensemble->dim, &j));
  j.ode = (fare_ode){j.dim, &j, draw_latent, evaluate_field, denoise};
  PetscCall(fare_ode_draw(&j.ode, sampler, sampler->mode != FARE_LEARNED, ensemble));
  PetscCall(ode_end(&j));
  d->common.advances++;
  if (sampler->mode == FARE_LEARNED)
    sampler->cost.network_evaluations += ensemble->local * (2 * d->sampling_steps - 1);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_denoising_estimate_cost(fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_denoising *d = sampler->state;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) PetscFunctionReturn(0);
  cost->network_evaluations += d->common.learn.steps * d->common.learn.batch +
    particles * (2 * d->sampling_steps - 1) * sampler->schedule.count;
  PetscFunctionReturn(0);
}
