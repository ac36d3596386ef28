/* SPDX-License-Identifier: BSD-2-Clause */
/* Training and drawing of the samplers that take noise out, level by level. */
#include "denoising.h"
#include "sampler/prior/score_prior.h"
#include "sampler/shared/noisy.h"
#include "sampler/shared/ode.h"
#include "sampler/shared/posterior.h"

#include <math.h>
#include <string.h>

PetscErrorCode fare_denoising_setup(fare_sampler *sampler)
{
  const fare_denoising *d = sampler->state;

  PetscFunctionBegin;
  if (d->sigma_min >= d->sigma_max)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_INPUT, "sigma_min %g must be below sigma_max %g", d->sigma_min, d->sigma_max);
  PetscCall(fare_noisy_setup(sampler));
  PetscFunctionReturn(0);
}

/* What a step of training works on; the amount of noise is sigma, first its normal. */
typedef struct {
  fare_noisy_rows       noisy;
  const fare_denoising *d;
  fare_score_prior      prior;
} training_context;

enum { DRAW_SIGMA = 1, DRAW_NOISE }; /* and one for each axis, then those of the prior */

static void draw_noise(training_context *l, uint64_t step)
{
  const fare_learn_batch *batch = l->noisy.rows.batch;
  double                  e[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;
  int64_t                 block = -1;

  for (int64_t i = 0; i < batch->count; i++) {
    if (batch->number[i] / FARE_BLOCK != block) {
      block = batch->number[i] / FARE_BLOCK;
      l->d->noise(l->d, l->noisy.rows.dim, l->noisy.rows.stream, (uint64_t)block, step, DRAW_NOISE, e);
    }
    for (int axis = 0; axis < l->noisy.rows.dim; axis++)
      l->noisy.noise[axis][i] = (float)e[axis][batch->number[i] % FARE_BLOCK];
  }
}

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context     *l = context;
  const fare_denoising *d = l->d;

  fare_learn_batch_draw(l->noisy.rows.batch, l->noisy.rows.rows, l->noisy.rows.stream, (uint64_t)step);
  fare_learn_batch_normals(
    l->noisy.rows.batch, l->noisy.rows.stream, (uint64_t)step, DRAW_SIGMA, l->noisy.amount);
  draw_noise(l, (uint64_t)step);
  if (l->noisy.weighing.penalty)
    fare_score_prior_draw(&l->prior, &l->noisy, (uint64_t)step, DRAW_NOISE + (uint32_t)l->noisy.rows.dim);
  *rows = l->noisy.rows.batch->count;
  if (d->predicts_noise)
    fare_denoising_levels_even((int)*rows, d->beta_min, d->beta_max, d->sigma_min, d->sigma_max,
      l->noisy.amount, l->noisy.amount, l->noisy.level);
  else
    fare_denoising_levels((int)*rows, d->p_mean, d->p_std, d->sigma_min, d->sigma_max, l->noisy.amount,
      l->noisy.amount, l->noisy.level);
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context      *l = context;
  const fare_generative *g = &l->d->common;
  float                  y[FARE_BLOCK] FARE_ALIGNED;
  float                 *to = input + (size_t)l->noisy.rows.dim * FARE_BLOCK;

  for (int axis = 0; axis < l->noisy.rows.dim; axis++) {
    fare_denoising_corrupt(n, l->noisy.amount + first, l->noisy.rows.batch->x[axis] + first,
      l->noisy.noise[axis] + first, y, input + (size_t)axis * FARE_BLOCK, l->noisy.target[axis]);
    if (l->d->predicts_noise)
      memcpy(l->noisy.target[axis], l->noisy.noise[axis] + first, (size_t)n * sizeof(float));
    fare_learn_frequencies((int)g->frequencies, g->frequency, n, y, l->noisy.amount + first, FARE_BLOCK, to);
    to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  }
  fare_noisy_inputs(&l->noisy, g, first, n, to);
}

static double sigma_of(double amount)
{
  return amount;
}

/* s = (D - y)/sigma^2, D = c_skip y + c_out F; or -e/sigma. */
static void ask(const void *state, double y, double sigma, fare_score_question *q)
{
  const fare_denoising *d    = state;
  const double          wide = sqrt(1 + sigma * sigma);

  q->position = y / wide;
  q->level    = 2 * log(sigma / d->sigma_min) / log(d->sigma_max / d->sigma_min) - 1;
  q->level    = PetscMax(-1, PetscMin(1, q->level));
  q->own      = d->predicts_noise ? 0 : -y / (wide * wide);
  q->gain     = d->predicts_noise ? -1 / sigma : 1 / (sigma * wide);
}

static const fare_score_method method = {sigma_of, ask};

static double penalty(void *context, const fare_weighing_rows *rows, float gradient[])
{
  training_context *l = context;

  return fare_score_prior_penalty(&l->prior, &l->noisy, rows, gradient);
}

PetscErrorCode fare_denoising_train(fare_sampler *sampler, const fare_training_set *data)
{
  training_context l = {.d = sampler->state};
  PetscErrorCode   code;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) {
    PetscCall(fare_posterior_train(sampler, data));
    PetscFunctionReturn(0);
  }
  if (sampler->prior) {
    PetscCall(fare_score_prior_create(sampler, data, &method, &l.prior));
    l.noisy.weighing.penalty = penalty;
  }
  code = fare_noisy_learn(sampler, data, &l.noisy, draw, inputs);
  if (sampler->prior) PetscCall(fare_score_prior_destroy(&l.prior));
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
  const int             level = fare_noisy_level_inputs(&d->common);

  PetscFunctionBegin;
  *j = (ode_context){
    .d = d, .mode = sampler->mode, .dim = dim, .common = level + fare_generative_time_inputs(&d->common)};
  j->latent = fare_sampler_stream(sampler, "latent");
  j->churn  = fare_sampler_stream(sampler, "churn");
  PetscCall(PetscMalloc3((size_t)d->sampling_steps + 1, &j->sigma, (size_t)j->common, &j->shared,
    (size_t)fare_noisy_position_inputs(&d->common, dim) * FARE_BLOCK, &j->input));
  for (PetscInt64 i = 0; i < d->sampling_steps; i++)
    j->sigma[i] = pow(first + (double)i / (double)(d->sampling_steps - 1) * (last - first), d->rho);
  j->sigma[d->sampling_steps] = 0;
  fare_generative_time(sampler, t, j->shared + level);
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
static void evaluate_network(ode_context *j, double sigma, const fare_row u[], fare_row F[])
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
  fare_generative_scalar(g->noise_frequencies, 1, &level, 1, j->shared);
  fare_network_evaluate(g->network, FARE_BLOCK, j->input, j->common, j->shared, F[0]);
  for (int axis = 0; axis < j->dim && d->predicts_noise; axis++) {
    fare_generative_scale((float)-wide, F[axis], F[axis]);
    fare_generative_euler((float)sigma, F[axis], u[axis], F[axis]);
  }
}

/* The same of the exact denoiser: F = (D - c_skip y)/c_out. */
static PetscErrorCode evaluate_posterior(const ode_context *j, double sigma, const fare_row u[], fare_row F[])
{
  const double wide = sqrt(1 + sigma * sigma);
  fare_place y FARE_ALIGNED, mean FARE_ALIGNED;

  PetscFunctionBegin;
  for (int axis = 0; axis < j->dim; axis++) fare_generative_scale((float)wide, u[axis], y[axis]);
  PetscCall(fare_posterior_mean(j->d->common.posterior, y, mean));
  for (int axis = 0; axis < j->dim; axis++) {
    fare_generative_euler((float)(-1 / wide), mean[axis], u[axis], F[axis]);
    fare_generative_scale((float)(wide / sigma), F[axis], F[axis]);
  }
  PetscFunctionReturn(0);
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
      PetscCall(evaluate_posterior(j, sigma, p->w + b * p->dim, p->v + b * p->dim));
    else
      evaluate_network(j, sigma, p->w + b * p->dim, p->v + b * p->dim);
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
    float(*u)[FARE_BLOCK] = p->u + b * p->dim;

    for (int axis = 0; axis < j->dim; axis++) {
      fare_random_normals(j->churn, (uint64_t)(p->first + b),
        j->d->common.advances * (uint64_t)j->d->sampling_steps + (uint64_t)step, (uint32_t)axis, z);
      fare_generative_mix(keep, add, u[axis], z, u[axis]);
    }
  }
  return raised;
}

/*
  Pure noise: u = y/sqrt(1 + sigma_max^2), where y is noise of the largest level on data of mean 0; normal
  noise is given the variance of the data, too.
*/
static void draw_latent(void *context, uint64_t block, fare_row u[])
{
  const ode_context *j     = context;
  const double       sigma = j->d->sigma_max;
  const float        scale = (float)(j->d->augmented ? sigma / sqrt(1 + sigma * sigma) : 1);
  double             e[FARE_AXES_MAX][FARE_BLOCK] FARE_ALIGNED;

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

void fare_denoising_estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_denoising *d = sampler->state;

  cost->network_evaluations += d->common.learn.steps * d->common.learn.batch +
    particles * (2 * d->sampling_steps - 1) * sampler->schedule.count;
}
