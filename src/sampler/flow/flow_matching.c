/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Flow matching, conditioned on the physical time t: a velocity v(u, tau; t) that carries a normal variate at
  tau = 0 to the data at tau = 1, learned from straight paths u = (1 - tau) z + tau x between the two. Where
  noise and data are paired at random, v = (D - u)/(1 - tau), with D = E[x | u/tau] the denoiser of noise
  level (1 - tau)/tau: what the oracle and the empirical optimum take. The density of the samples follows
  from ln p along the same paths, d ln p/dtau = -div v, by the network's own derivatives.
*/
#include "flow_matching.h"

#include "sampler/prior/score_prior.h"
#include "sampler/shared/posterior.h"

#include <math.h>

#define PROBES_FINE 0.1 /* standard error of ln q, by half of whose square p/q is off */

static const char *const couplings[] = {"independent", "optimal_transport", NULL};
static const char *const solvers[]   = {"heun", "rk4", NULL};

static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(fare_flow_matching, common, "64", "3", "10000", "4096", "4e-3", "5", "3"),
  {"noise_frequencies", FARE_INTEGER, offsetof(fare_flow_matching, common.noise_frequencies), "3", 0, 16,
    NULL, "", "frequencies of sines and cosines of tau, the lowest half a period over its range"},
  {"coupling", FARE_CHOICE, offsetof(fare_flow_matching, coupling), "independent", 0, 0, couplings, "",
    "how noise and data are paired in training, always within one physical time"},
  {"solver", FARE_CHOICE, offsetof(fare_flow_matching, solver), "rk4", 0, 0, solvers, "",
    "solves du/dtau = v: two or four network evaluations per step"},
  {"sampling_steps", FARE_INTEGER, offsetof(fare_flow_matching, sampling_steps), "16", 2, 4096, NULL, "",
    "steps from noise to data"},
  {"grading", FARE_REAL, offsetof(fare_flow_matching, grading), "2", 1, 10, NULL, "",
    "how strongly steps concentrate at the data: equal steps of (1 - tau)^(1/grading)"},
  {"probes", FARE_INTEGER, offsetof(fare_flow_matching, probes), "8", 2, 4096, NULL, "",
    "in more than 8 axes: random directions that the divergence in ln q is estimated along; as many as axes, "
    "or "
    "more: it is summed axis by axis, without an error"},
  FARE_FIELDS_END,
};

/* What a step of training works on; the amount is tau, first its normal. */
typedef struct {
  fare_noisy_rows           noisy;
  const fare_flow_matching *s;
  fare_flow_matching_pairs  pairs;
  fare_score_prior          prior;
} training_context;

enum { DRAW_TAU = 1, DRAW_NOISE }; /* and one for each axis, then those of the prior */

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context       *l = context;
  const fare_learn_batch *b = l->noisy.rows.batch;

  fare_learn_batch_draw(l->noisy.rows.batch, l->noisy.rows.rows, l->noisy.rows.stream, (uint64_t)step);
  fare_learn_batch_normals(b, l->noisy.rows.stream, (uint64_t)step, DRAW_TAU, l->noisy.amount);
  for (int axis = 0; axis < l->noisy.rows.dim; axis++)
    fare_learn_batch_normals(
      b, l->noisy.rows.stream, (uint64_t)step, DRAW_NOISE + (uint32_t)axis, l->noisy.noise[axis]);
  fare_flow_matching_times((int)b->count, l->noisy.amount, l->noisy.amount, l->noisy.level);
  if (l->noisy.weighing.penalty)
    fare_score_prior_draw(&l->prior, &l->noisy, (uint64_t)step, DRAW_NOISE + (uint32_t)l->noisy.rows.dim);
  if (l->s->coupling == FARE_FLOW_MATCHING_OPTIMAL_TRANSPORT)
    fare_flow_matching_couple(
      &l->pairs, l->noisy.rows.dim, b->count, b->group, (const float *const *)b->x, l->noisy.noise);
  *rows = b->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context         *l           = context;
  const fare_flow_matching *s           = l->s;
  const fare_generative    *g           = &s->common;
  const int                 independent = s->coupling == FARE_FLOW_MATCHING_INDEPENDENT;
  float                     y[FARE_BLOCK] FARE_ALIGNED, spread[FARE_BLOCK] FARE_ALIGNED;
  float                    *to = input + (size_t)l->noisy.rows.dim * FARE_BLOCK;

  for (int axis = 0; axis < l->noisy.rows.dim; axis++) {
    fare_flow_matching_corrupt(n, independent, independent, l->noisy.amount + first,
      l->noisy.rows.batch->x[axis] + first, l->noisy.noise[axis] + first, input + (size_t)axis * FARE_BLOCK,
      l->noisy.target[axis], y, spread);
    fare_learn_frequencies((int)g->frequencies, g->frequency, n, y, spread, FARE_BLOCK, to);
    to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  }
  fare_noisy_inputs(&l->noisy, g, first, n, to);
}

static double sigma_of(double tau)
{
  return (1 - tau) / PetscMax(tau, 1e-6);
}

/* u = tau y, and s = (D - y)/sigma^2, D = u + (1 - tau) v, v = answer + slope u. */
static void ask(const void *state, double y, double sigma, fare_score_question *q)
{
  const double tau = 1 / (1 + sigma), u = tau * y, inverse = 1 / (sigma * sigma);

  (void)state;
  q->position = u;
  q->level    = 2 * tau - 1;
  q->own      = (u + (1 - tau) * fare_flow_matching_slope(1, tau) * u - y) * inverse;
  q->gain     = (1 - tau) * inverse;
}

static const fare_score_method method = {sigma_of, ask};

static double penalty(void *context, const fare_weighing_rows *rows, float gradient[])
{
  training_context *l = context;

  return fare_score_prior_penalty(&l->prior, &l->noisy, rows, gradient);
}

static PetscErrorCode check_prior(const void *state, const fare_system *system, const fare_prior *prior)
{
  const fare_flow_matching *s = state;

  PetscFunctionBegin;
  if (s->coupling != FARE_FLOW_MATCHING_INDEPENDENT)
    FARE_FAIL(
      FARE_ERR_INPUT, "a prior needs the score, which a velocity tells for independent coupling alone");
  PetscCall(fare_score_check_prior(state, system, prior));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  const fare_flow_matching *s = sampler->state;
  training_context          l = {.s = s};
  PetscErrorCode            code;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) {
    if (s->coupling != FARE_FLOW_MATCHING_INDEPENDENT)
      FARE_SAMPLER_FAIL(
        sampler, FARE_ERR_INPUT, "the velocity is known without training only for independent coupling");
    PetscCall(fare_posterior_train(sampler, data));
    PetscFunctionReturn(0);
  }
  for (int k = 0; k < data->count; k++) {
    if (data->at[k]->weight && s->coupling == FARE_FLOW_MATCHING_OPTIMAL_TRANSPORT)
      FARE_SAMPLER_FAIL(
        sampler, FARE_ERR_INPUT, "optimal_transport needs training particles of equal weight");
  }
  PetscCall(fare_flow_matching_pairs_create(s->common.learn.batch, &l.pairs));
  if (sampler->prior) {
    PetscCall(fare_score_prior_create(sampler, data, &method, &l.prior));
    l.noisy.weighing.penalty = penalty;
  }
  code = fare_noisy_learn(sampler, data, &l.noisy, draw, inputs);
  if (sampler->prior) PetscCall(fare_score_prior_destroy(&l.prior));
  PetscCall(fare_flow_matching_pairs_destroy(&l.pairs));
  PetscFunctionReturn(code);
}

/* Evaluations of the network per particle. */
static int64_t evaluations(const fare_flow_matching *s)
{
  return s->sampling_steps * (s->solver == FARE_FLOW_MATCHING_HEUN ? 2 : 4);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  fare_flow_matching *s = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  PetscCall(fare_flow_matching_draw(sampler, t, ensemble));
  s->common.advances++;
  s->time = t;
  if (sampler->mode == FARE_LEARNED) sampler->cost.network_evaluations += ensemble->local * evaluations(s);
  PetscFunctionReturn(0);
}

static PetscErrorCode model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  const fare_generative *g = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  if (sampler->mode == FARE_LEARNED) {
    PetscCall(fare_flow_matching_density(sampler, t, grid, masses));
  } else {
    PetscCall(fare_posterior_begin(sampler, 0, t));
    PetscCall(fare_posterior_masses(g->posterior, grid, masses));
  }
  PetscFunctionReturn(0);
}

/*
  Noise of ln q is in the intervals of its means. What is a mean of p/q it makes too large.
*/
static PetscErrorCode log_density(fare_sampler *sampler, int64_t n, const double *const x[], double to[])
{
  fare_flow_matching *s = sampler->state;
  double              error;

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  PetscCall(fare_flow_matching_log_density(sampler, n, x, to, &error));
  if (error > PROBES_FINE && !s->warned && fare_is_rank_0(sampler->comm)) {
    fare_warn("%s: ln q is estimated, with a standard error of %.2g per point, so kl_density is too large by "
              "about %.2g: set probes to %d, which leaves no error, or look at reverse_kl_density",
      sampler->where, error, 0.5 * error * error, fare_system_dimension(sampler->system));
    s->warned = PETSC_TRUE;
  }
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_flow_matching *s = sampler->state;

  cost->network_evaluations +=
    s->common.learn.steps * s->common.learn.batch + particles * evaluations(s) * sampler->schedule.count;
}

const fare_sampler_type fare_sampler_flow_matching = {
  .name          = "flow_matching",
  .summary       = "flow matching conditioned on time: a velocity that turns noise into particles, with the "
                   "density of the samples",
  .reference     = "Lipman et al., arXiv 2210.02747 (2022); Tong et al., arXiv 2302.00482 (2023)",
  .family        = FARE_GENERATIVE,
  .walls         = FARE_WALLS_FOLDED,
  .size          = sizeof(fare_flow_matching),
  .modes         = FARE_ORACLE | FARE_EMPIRICAL,
  .fields        = fields,
  .setup         = fare_noisy_setup,
  .train         = train,
  .advance       = advance,
  .model_density = model_density,
  .log_density   = log_density,
  .log_density_learned = PETSC_TRUE,
  .density_between     = PETSC_TRUE,
  .estimate_cost       = estimate_cost,
  .curve               = fare_generative_curve,
  .kept                = fare_generative_kept,
  .loaded              = fare_generative_loaded,
  .many_axes           = PETSC_TRUE,
  .noised_oracle       = PETSC_TRUE,
  .lifted              = PETSC_TRUE,
  .priors =
    1 << FARE_PRIOR_FOKKER_PLANCK | 1 << FARE_PRIOR_NOISE_EQUATION | 1 << FARE_PRIOR_LEAST_DISSIPATION,
  .check_prior = check_prior,
  .destroy     = fare_posterior_destroy,
};
