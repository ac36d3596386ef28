/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Action matching: particles of the first density are carried along by dx/dt = grad s(x,t), or entropic by dx
  = grad s dt + sqrt(2 D) dW, from one time to the next; s is learned from snapshots. Flow time is physical
  time: what is made at t has been everywhere before.

  Gradients are taken of scaled positions, so that the flow is that of least action where lengths are measured
  in standard deviations.
*/
#include "action_matching.h"

#include <math.h>
#include <string.h>

static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(fare_action, common, "64", "3", "6000", "2048", "3e-3", "4", "4"),
  {"transport_steps", FARE_INTEGER, offsetof(fare_action, transport_steps), "8", 1, 1e7, NULL, "",
    "steps of integration from one snapshot to the next: Runge-Kutta of order 4, entropic Heun"},
  {"entropic", FARE_BOOLEAN, offsetof(fare_action, entropic), "false", 0, 0, NULL, "",
    "particles diffuse as in the system, and the learned field is the drift that goes with it"},
  FARE_FIELDS_END,
};

/* The velocity that the grid gives is that of particles which do not diffuse. */
static PetscErrorCode check_mode(const void *state, fare_sampler_mode mode)
{
  const fare_action *a = state;

  PetscFunctionBegin;
  if (mode == FARE_ORACLE && a->entropic)
    FARE_FAIL(FARE_ERR_INPUT, "an oracle of action_matching is not entropic: remove one of the two");
  PetscFunctionReturn(0);
}

static PetscErrorCode setup(fare_sampler *sampler)
{
  fare_action            *a    = sampler->state;
  const fare_system_type *type = fare_system_type_of(sampler->system);
  fare_action_shape      *s    = &a->shape;

  PetscFunctionBegin;
  *s        = (fare_action_shape){.dim = fare_system_dimension(sampler->system),
           .frequencies                = (int)a->common.frequencies,
           .time_frequencies           = (int)a->common.time_frequencies};
  s->inputs = s->dim * (1 + 2 * s->frequencies) + fare_generative_time_inputs(&a->common);
  for (int axis = 0; axis < s->dim; axis++) {
    s->periodic[axis] = type->periodic[axis];
    if (s->periodic[axis] && !s->frequencies)
      FARE_SAMPLER_FAIL(sampler, FARE_ERR_INPUT, "a periodic axis needs frequencies: 1 or more");
  }
  PetscCall(fare_learn_network(
    &a->common.learn, s->inputs, 1, fare_sampler_stream(sampler, "weights"), &a->common.network));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  PetscFunctionBegin;
  PetscCall(fare_action_oracle_destroy(&((fare_action *)sampler->state)->oracle));
  PetscCall(fare_generative_destroy(sampler));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_action *a = sampler->state;

  PetscFunctionBegin;
  if (sampler->mode == FARE_LEARNED) {
    PetscCall(fare_action_learn(sampler, data));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_generative_scale_exact(sampler, data));
  PetscCall(fare_action_oracle_create(sampler->exact, a->common.sd, &a->oracle));
  a->common.ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

typedef double places[FARE_AXES_MAX][FARE_BLOCK];

/* One advance: what all blocks share. */
typedef struct {
  const fare_sampler *sampler;
  const fare_action  *a;
  fare_action_tile    tile;
  fare_stream         noise;
  double              from, h;
  int64_t             steps;
} ode_context;

static void velocity(ode_context *j, double t, places x, places v)
{
  const fare_generative *g = &j->a->common;
  fare_place             z, gradient;
  float                  clock[FARE_BLOCK];

  for (int axis = 0; axis < j->a->shape.dim; axis++) {
    for (int i = 0; i < FARE_BLOCK; i++) z[axis][i] = (float)((x[axis][i] - g->mean[axis]) / g->sd[axis]);
  }
  for (int i = 0; i < FARE_BLOCK; i++) clock[i] = (float)fare_action_clock(j->sampler, t);
  fare_action_evaluate(&j->a->shape, g->network, FARE_BLOCK, z, clock, &j->tile, gradient);
  for (int axis = 0; axis < j->a->shape.dim; axis++) {
    for (int i = 0; i < FARE_BLOCK; i++) v[axis][i] = g->sd[axis] * j->a->speed * (double)gradient[axis][i];
  }
}

static void runge_kutta(ode_context *j, double t, places x)
{
  const int dim = j->a->shape.dim;
  places    k[4], y;

  velocity(j, t, x, k[0]);
  for (int stage = 1; stage < 4; stage++) {
    const double part = stage == 3 ? j->h : j->h / 2;

    for (int axis = 0; axis < dim; axis++)
      fare_action_step(part, FARE_BLOCK, x[axis], k[stage - 1][axis], y[axis]);
    velocity(j, t + part, y, k[stage]);
  }
  for (int axis = 0; axis < dim; axis++)
    fare_action_gather(j->h, FARE_BLOCK, k[0][axis], k[1][axis], k[2][axis], k[3][axis], x[axis]);
}

/* Heun with noise of the diffusion where the step begins: order 2 in the drift, Ito. */
static void heun(ode_context *j, double t, uint64_t number, uint64_t step, places x)
{
  const int     dim = j->a->shape.dim;
  const double *at[FARE_AXES_MAX];
  places        D, v, w, y, z;
  double       *to[FARE_AXES_MAX];

  for (int axis = 0; axis < dim; axis++) {
    at[axis] = x[axis];
    to[axis] = D[axis];
  }
  fare_system_diffusion(j->sampler->system, t, FARE_BLOCK, at, to);
  velocity(j, t, x, v);
  for (int axis = 0; axis < dim; axis++) {
    fare_random_normals(j->noise, number, step, (uint32_t)axis, z[axis]);
    for (int i = 0; i < FARE_BLOCK; i++) {
      z[axis][i] *= sqrt(2 * D[axis][i] * j->h);
      y[axis][i] = x[axis][i] + j->h * v[axis][i] + z[axis][i];
    }
  }
  velocity(j, t + j->h, y, w);
  for (int axis = 0; axis < dim; axis++) {
    for (int i = 0; i < FARE_BLOCK; i++) x[axis][i] += j->h / 2 * (v[axis][i] + w[axis][i]) + z[axis][i];
  }
}

static void carry(ode_context *j, const fare_block *at)
{
  const int dim = j->a->shape.dim;
  places    x;

  for (int axis = 0; axis < dim; axis++) memcpy(x[axis], at->x[axis], sizeof x[axis]);
  for (int64_t step = 0; step < j->steps; step++) {
    const double t = j->from + (double)step * j->h;

    if (j->a->entropic)
      heun(j, t, at->number, j->a->steps + (uint64_t)step, x);
    else
      runge_kutta(j, t, x);
  }
  for (int axis = 0; axis < dim; axis++) {
    fare_generative_wrap(j->sampler, axis, FARE_BLOCK, x[axis]);
    memcpy(at->x[axis], x[axis], sizeof x[axis]);
  }
}

/* So many from one time of the schedule to the next, however many of them lie between. */
static int64_t steps_between(const fare_sampler *sampler, double from, double to)
{
  const fare_schedule *schedule = &sampler->schedule;
  const double         interval =
    schedule->count > 1 ? (schedule->end - schedule->start) / (double)(schedule->count - 1) : 1;

  return ((const fare_action *)sampler->state)->transport_steps *
    (int64_t)PetscMax(1, llround((to - from) / interval));
}

static int evaluations(const fare_action *a)
{
  return a->entropic ? 2 : 4;
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  fare_action *a = sampler->state;
  ode_context  j = {
     .sampler = sampler, .a = a, .from = ensemble->time, .noise = fare_sampler_stream(sampler, "noise")};

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  if (!a->begun) {
    PetscCall(fare_sampler_draw_initial(sampler, t, ensemble));
    a->begun = PETSC_TRUE;
    PetscFunctionReturn(0);
  }
  if (t <= ensemble->time) PetscFunctionReturn(0);
  j.steps = steps_between(sampler, ensemble->time, t);
  j.h     = (t - ensemble->time) / (double)j.steps;
  if (a->oracle) PetscCall(fare_action_oracle_between(a->oracle, ensemble->time, t));
  PetscCall(fare_action_tile_create(&a->shape, &j.tile));
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    if (a->oracle)
      fare_action_oracle_carry(a->oracle, j.steps, FARE_BLOCK, block.x);
    else
      carry(&j, &block);
  }
  PetscCall(fare_action_tile_destroy(&j.tile));
  a->steps += (uint64_t)j.steps;
  if (!a->oracle) sampler->cost.network_evaluations += ensemble->local * j.steps * evaluations(a);
  PetscFunctionReturn(0);
}

static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_action *a = sampler->state;

  cost->network_evaluations += a->common.learn.steps * a->common.learn.batch * fare_action_passes(a) +
    particles * a->transport_steps * evaluations(a) * (sampler->schedule.count - 1);
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, fare_action, common, .fields = fare_generative_kept),
  FARE_KEEP(BOOLEAN, fare_action, begun),
  FARE_KEEP(INTEGER, fare_action, steps),
  FARE_KEEP(REAL, fare_action, speed),
  FARE_KEPT_END,
};

static PetscErrorCode loaded(fare_sampler *sampler)
{
  fare_action *a = sampler->state;

  PetscFunctionBegin;
  fare_action_prepare(sampler);
  if (sampler->mode == FARE_ORACLE && a->common.ready && !a->oracle)
    PetscCall(fare_action_oracle_create(sampler->exact, a->common.sd, &a->oracle));
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_action_matching = {
  .name          = "action_matching",
  .summary       = "particles transported from snapshot to snapshot by the gradient of a learned potential",
  .reference     = "Neklyudov, Brekelmans, Severo and Makhzani, arXiv 2210.06662 (2022)",
  .family        = FARE_GENERATIVE,
  .walls         = FARE_WALLS_FOLDED,
  .size          = sizeof(fare_action),
  .modes         = FARE_ORACLE,
  .fields        = fields,
  .check_mode    = check_mode,
  .setup         = setup,
  .train         = train,
  .advance       = advance,
  .estimate_cost = estimate_cost,
  .curve         = fare_generative_curve,
  .kept          = kept,
  .loaded        = loaded,
  .many_axes     = PETSC_TRUE,
  .destroy       = destroy,
};
