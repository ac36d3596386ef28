/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Flow matching, conditioned on the physical time t: a velocity v(u, tau; t) that carries a normal variate at
  tau = 0 to the data at tau = 1, learned from straight ways u = (1 - tau) z + tau x between the two. Where
  noise and data are paired at random, v = (D - u)/(1 - tau), with D = E[x | u/tau] the denoiser of noise
  level (1 - tau)/tau: what the oracle and the empirical optimum take. The density of what is drawn follows
  from ln p along the same ways, d ln p/dtau = -div v, by the network's own derivatives.
*/
#include "flow_matching.h"

#include "sampler/shared/posterior.h"

static const char *const couplings[] = {"independent", "optimal_transport", NULL};
static const char *const solvers[]   = {"heun", "rk4", NULL};

static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(fare_flow_matching, common, "64", "3", "10000", "4096", "4e-3", "5", "3"),
  {"noise_frequencies", FARE_INTEGER, offsetof(fare_flow_matching, noise_frequencies), "3", 0, 16, NULL, "",
    "frequencies of sines and cosines of tau, the lowest half a period over its range"},
  {"coupling", FARE_CHOICE, offsetof(fare_flow_matching, coupling), "independent", 0, 0, couplings, "",
    "how noise and data are paired in training, always within one physical time"},
  {"solver", FARE_CHOICE, offsetof(fare_flow_matching, solver), "rk4", 0, 0, solvers, "",
    "of the equation du/dtau = v: two or four evaluations of the network per step"},
  {"sampling_steps", FARE_INTEGER, offsetof(fare_flow_matching, sampling_steps), "16", 2, 4096, NULL, "",
    "steps from noise to data"},
  {"grading", FARE_REAL, offsetof(fare_flow_matching, grading), "2", 1, 10, NULL, "",
    "how strongly the steps crowd at the data: equal steps of (1 - tau)^(1/grading)"},
  FARE_FIELDS_END,
};

static PetscErrorCode setup(fare_sampler *sampler)
{
  fare_flow_matching *s   = sampler->state;
  const int           dim = fare_system_dimension(sampler->system);

  PetscFunctionBegin;
  PetscCall(fare_learn_network(&s->common.learn,
    fare_flow_matching_position_inputs(s, dim) + fare_flow_matching_tau_inputs(s) +
      fare_generative_time_inputs(&s->common),
    dim, fare_sampler_stream(sampler, "weights"), &s->common.network));
  PetscFunctionReturn(0);
}

/* What a step of training works on. */
typedef struct {
  const fare_flow_matching *s;
  fare_generative_rows      rows;
  fare_flow_matching_pairs  pairs;
  /* of the batch's rows; tau as its normal until times are made */
  float *tau, *level, *z[FARE_DIM_MAX];
  float  target[FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED; /* of the tile */
} training_context;

enum { DRAW_TAU = 1, DRAW_NOISE };

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context       *l = context;
  const fare_learn_batch *b = l->rows.batch;

  fare_learn_batch_draw(l->rows.batch, l->rows.rows, l->rows.stream, (uint64_t)step);
  fare_learn_batch_normals(b, l->rows.stream, (uint64_t)step, DRAW_TAU, l->tau);
  for (int axis = 0; axis < l->rows.dim; axis++)
    fare_learn_batch_normals(b, l->rows.stream, (uint64_t)step, DRAW_NOISE + (uint32_t)axis, l->z[axis]);
  fare_flow_matching_times((int)b->count, l->tau, l->tau, l->level);
  if (l->s->coupling == FARE_FLOW_MATCHING_OPTIMAL_TRANSPORT)
    fare_flow_matching_couple(&l->pairs, l->rows.dim, b->count, b->group, (const float *const *)b->x, l->z);
  *rows = b->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context         *l           = context;
  const fare_flow_matching *s           = l->s;
  const fare_generative    *g           = &s->common;
  const int                 independent = s->coupling == FARE_FLOW_MATCHING_INDEPENDENT;
  float                     y[FARE_BLOCK] FARE_ALIGNED, spread[FARE_BLOCK] FARE_ALIGNED;
  float                    *to = input + (size_t)l->rows.dim * FARE_BLOCK;

  for (int axis = 0; axis < l->rows.dim; axis++) {
    fare_flow_matching_corrupt(n, independent, independent, l->tau + first, l->rows.batch->x[axis] + first,
      l->z[axis] + first, input + (size_t)axis * FARE_BLOCK, l->target[axis], y, spread);
    fare_learn_frequencies((int)g->frequencies, g->frequency, n, y, spread, FARE_BLOCK, to);
    to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  }
  fare_generative_scalar(s->noise_frequencies, n, l->level + first, FARE_BLOCK, to);
  fare_generative_rows_times(&l->rows, first, n, to + (size_t)fare_flow_matching_tau_inputs(s) * FARE_BLOCK);
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

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_flow_matching *s       = sampler->state;
  training_context    l       = {.s = s};
  fare_learn_problem  problem = {.context = &l, .draw = draw, .inputs = inputs, .loss = loss};
  const size_t        size    = (size_t)s->common.learn.batch;
  PetscErrorCode      code;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) {
    if (s->coupling != FARE_FLOW_MATCHING_INDEPENDENT)
      FARE_SAMPLER_FAIL(
        sampler, FARE_ERR_INPUT, "the velocity is known without learning for independent coupling alone");
    PetscCall(fare_posterior_train(sampler, data));
    PetscFunctionReturn(0);
  }
  for (int k = 0; k < data->count; k++) {
    if (data->at[k]->weight && s->coupling == FARE_FLOW_MATCHING_OPTIMAL_TRANSPORT)
      FARE_SAMPLER_FAIL(
        sampler, FARE_ERR_INPUT, "optimal_transport needs training particles of equal weight");
  }
  PetscCall(PetscMalloc2(size, &l.tau, size, &l.level));
  PetscCall(fare_flow_matching_pairs_create((int64_t)size, &l.pairs));
  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++)
    PetscCall(PetscMalloc1(size, &l.z[axis]));
  code = fare_generative_rows_begin(sampler, data, &l.rows);
  if (!code) code = fare_generative_learn(sampler, &problem);
  PetscCall(fare_generative_rows_end(&l.rows));
  PetscCall(PetscFree2(l.tau, l.level));
  PetscCall(fare_flow_matching_pairs_destroy(&l.pairs));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree(l.z[axis]));
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

static PetscErrorCode estimate_cost(fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_flow_matching *s = sampler->state;

  PetscFunctionBegin;
  if (sampler->mode != FARE_LEARNED) PetscFunctionReturn(0);
  cost->network_evaluations +=
    s->common.learn.steps * s->common.learn.batch + particles * evaluations(s) * sampler->schedule.count;
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_flow_matching = {
  .name          = "flow_matching",
  .summary       = "flow matching conditioned on time: a velocity that carries noise to particles, with the "
                   "density of what is drawn",
  .reference     = "Lipman et al., arXiv 2210.02747 (2022); Tong et al., arXiv 2302.00482 (2023)",
  .family        = FARE_GENERATIVE,
  .walls         = FARE_WALLS_FOLDED,
  .size          = sizeof(fare_flow_matching),
  .modes         = FARE_ORACLE | FARE_EMPIRICAL,
  .fields        = fields,
  .setup         = setup,
  .train         = train,
  .advance       = advance,
  .model_density = model_density,
  .estimate_cost = estimate_cost,
  .curve         = fare_generative_curve,
  .kept          = fare_generative_kept,
  .loaded        = fare_generative_loaded,
  .destroy       = fare_posterior_destroy,
};
