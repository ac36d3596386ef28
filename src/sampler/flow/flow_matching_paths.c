/* SPDX-License-Identifier: BSD-2-Clause */
/* The paths of flow matching: from noise to data, and back with the density. */
#include "flow_matching.h"
#include "sampler/shared/ode.h"
#include "sampler/shared/posterior.h"

#include <petscdmda.h>

#include <math.h>
#include <string.h>

#define LEAST_TAU 1e-4 /* where the exact velocity stands for that at 0: its noise level has no end there */

static const fare_ode_scheme *const schemes[] = {
  [FARE_FLOW_MATCHING_HEUN] = &fare_ode_heun, [FARE_FLOW_MATCHING_RK4] = &fare_ode_rk4};

/* What all blocks share. */
typedef struct {
  const fare_flow_matching *s;
  fare_sampler_mode         mode;
  int                       dim, common;
  /* inputs of tau and t; a tile of all inputs; its derivatives along one axis */
  float      *shared, *input, *direction;
  fare_stream latent;
  double      tau, h; /* where the step begins, and its length */
  fare_row   *sign;   /* of every axis, what a derivative is along; NULL: one axis after the other */
  fare_ode    ode;
} ode_context;

static PetscErrorCode ode_begin(fare_sampler *sampler, double t, ode_context *w)
{
  const fare_flow_matching *s   = sampler->state;
  const int                 dim = fare_system_dimension(sampler->system);
  size_t                    tile;

  PetscFunctionBegin;
  *w   = (ode_context){.s = s,
      .mode               = sampler->mode,
      .dim                = dim,
      .latent             = fare_sampler_stream(sampler, "latent"),
      .common             = fare_noisy_level_inputs(&s->common) + fare_generative_time_inputs(&s->common)};
  tile = (size_t)(fare_noisy_position_inputs(&s->common, dim) + w->common) * FARE_BLOCK;
  PetscCall(PetscMalloc3((size_t)w->common, &w->shared, tile, &w->input, tile, &w->direction));
  fare_generative_time(sampler, t, w->shared + fare_noisy_level_inputs(&s->common));
  if (w->mode != FARE_LEARNED) PetscCall(fare_posterior_begin(sampler, 0, t));
  PetscFunctionReturn(0);
}

static PetscErrorCode ode_end(ode_context *w)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(w->shared, w->input, w->direction));
  PetscFunctionReturn(0);
}

/* The network's inputs for a block at tau. */
static void fill_inputs(ode_context *w, double tau, const fare_row u[])
{
  const fare_generative *g           = &w->s->common;
  const int              independent = w->s->coupling == FARE_FLOW_MATCHING_INDEPENDENT;
  const float            level       = (float)(2 * tau - 1);
  float                  y[FARE_BLOCK] FARE_ALIGNED, spread[FARE_BLOCK] FARE_ALIGNED;
  float                 *to = w->input + (size_t)w->dim * FARE_BLOCK;

  for (int axis = 0; axis < w->dim; axis++) {
    memcpy(w->input + (size_t)axis * FARE_BLOCK, u[axis], sizeof y);
    fare_flow_matching_position(independent, tau, u[axis], y, spread);
    fare_learn_frequencies((int)g->frequencies, g->frequency, FARE_BLOCK, y, spread, FARE_BLOCK, to);
    to += (size_t)(2 * g->frequencies) * FARE_BLOCK;
  }
  fare_generative_scalar(g->noise_frequencies, 1, &level, 1, w->shared);
}

static void add_slope(const ode_context *w, double slope, const fare_row u[], fare_row v[])
{
  for (int axis = 0; axis < w->dim; axis++) fare_generative_euler((float)slope, v[axis], u[axis], v[axis]);
}

static void evaluate_network(ode_context *w, double tau, const fare_row u[], fare_row v[])
{
  fill_inputs(w, tau, u);
  fare_network_evaluate(w->s->common.network, FARE_BLOCK, w->input, w->common, w->shared, v[0]);
  add_slope(w, fare_flow_matching_slope(w->s->coupling == FARE_FLOW_MATCHING_INDEPENDENT, tau), u, v);
}

/* The direction of all inputs that an axis of u has, times `sign`. */
static void add_direction(ode_context *w, double tau, int axis, const float sign[])
{
  const fare_generative *g           = &w->s->common;
  const int              independent = w->s->coupling == FARE_FLOW_MATCHING_INDEPENDENT,
            frequencies              = 2 * (int)g->frequencies;
  float *slope                       = w->direction + (size_t)(w->dim + axis * frequencies) * FARE_BLOCK;

  for (int i = 0; i < FARE_BLOCK; i++) w->direction[axis * FARE_BLOCK + i] = sign ? sign[i] : 1;
  fare_flow_matching_frequency_slopes(
    independent, tau, (int)g->frequencies, g->frequency, w->input + (slope - w->direction), slope);
  for (int k = 0; sign && k < frequencies; k++) {
    for (int i = 0; i < FARE_BLOCK; i++) slope[k * FARE_BLOCK + i] *= sign[i];
  }
}

/*
  The velocity and its divergence: axis by axis by derivatives along it, or along signs, which estimates it.
*/
static void evaluate_divergence(
  ode_context *w, double tau, const fare_row u[], fare_row v[], double divergence[FARE_BLOCK])
{
  const fare_generative *g           = &w->s->common;
  const int              independent = w->s->coupling == FARE_FLOW_MATCHING_INDEPENDENT,
            own                      = fare_noisy_position_inputs(g, w->dim);
  const double     slope             = fare_flow_matching_slope(independent, tau);
  fare_place along FARE_ALIGNED;

  fill_inputs(w, tau, u);
  for (int k = 0; k < w->common; k++) {
    for (int i = 0; i < FARE_BLOCK; i++) w->input[(own + k) * FARE_BLOCK + i] = w->shared[k];
  }
  for (int i = 0; i < FARE_BLOCK; i++) divergence[i] = w->dim * slope;
  for (int axis = 0; axis < (w->sign ? 1 : w->dim); axis++) {
    memset(w->direction, 0, (size_t)(own + w->common) * FARE_BLOCK * sizeof(float));
    for (int k = 0; k < w->dim; k++) {
      if (w->sign || k == axis) add_direction(w, tau, k, w->sign ? w->sign[k] : NULL);
    }
    fare_network_tangent(g->network, FARE_BLOCK, w->input, w->direction, v[0], along[0]);
    for (int k = 0; k < w->dim; k++) {
      for (int i = 0; i < FARE_BLOCK && (w->sign || k == axis); i++)
        divergence[i] += (double)along[k][i] * (w->sign ? (double)w->sign[k][i] : 1);
    }
  }
  add_slope(w, slope, u, v);
}

/* v = (D - u)/(1 - tau), which is u at the end, where no noise is left. */
static PetscErrorCode evaluate_posterior(const ode_context *w, double tau, const fare_row u[], fare_row v[])
{
  const double from = PetscMax(tau, LEAST_TAU);
  fare_place y FARE_ALIGNED, mean FARE_ALIGNED;

  PetscFunctionBegin;
  if (tau >= 1) {
    memcpy(v, u, (size_t)w->dim * sizeof *v);
    PetscFunctionReturn(0);
  }
  for (int axis = 0; axis < w->dim; axis++) fare_generative_scale((float)(1 / from), u[axis], y[axis]);
  PetscCall(fare_posterior_mean(w->s->common.posterior, y, mean));
  for (int axis = 0; axis < w->dim; axis++) {
    fare_generative_euler(-1, mean[axis], u[axis], v[axis]);
    fare_generative_scale((float)(1 / (1 - from)), v[axis], v[axis]);
  }
  PetscFunctionReturn(0);
}

/* Velocities of a batch at one moment. */
static PetscErrorCode evaluate_field(
  void *context, double share, const fare_ode_batch *p, double divergence[])
{
  ode_context *w   = context;
  const double tau = w->tau + share * w->h, from = PetscMax(tau, LEAST_TAU);

  PetscFunctionBegin;
  if (w->mode != FARE_LEARNED && tau < 1)
    PetscCall(fare_posterior_level(w->s->common.posterior, (1 - from) / from));
  for (int64_t b = 0; b < p->count; b++) {
    if (w->mode != FARE_LEARNED)
      PetscCall(evaluate_posterior(w, tau, p->w + b * p->dim, p->v + b * p->dim));
    else if (divergence)
      evaluate_divergence(w, tau, p->w + b * p->dim, p->v + b * p->dim, divergence);
    else
      evaluate_network(w, tau, p->w + b * p->dim, p->v + b * p->dim);
  }
  PetscFunctionReturn(0);
}

/* The moments between steps, 0 and 1 exactly. */
static double moment(const fare_flow_matching *s, PetscInt64 i)
{
  return 1 - pow(1 - (double)i / (double)s->sampling_steps, s->grading);
}

static PetscErrorCode make_step(ode_context *w, const fare_ode_scheme *with, PetscInt64 from, PetscInt64 to,
  const fare_ode_batch *p, double integral[])
{
  PetscFunctionBegin;
  w->tau = moment(w->s, from);
  w->h   = moment(w->s, to) - w->tau;
  PetscCall(fare_ode_step(&w->ode, with, w->h, p, integral));
  PetscFunctionReturn(0);
}

/*
  The last step of an empirical optimum goes straight to a particle: the velocity at the end knows only of the
  noise that is left.
*/
static PetscErrorCode follow(void *context, const fare_ode_batch *p)
{
  ode_context              *w = context;
  const fare_flow_matching *s = w->s;

  PetscFunctionBegin;
  for (PetscInt64 i = 0; i < s->sampling_steps; i++) {
    const PetscBool straight = w->mode == FARE_EMPIRICAL && i + 1 == s->sampling_steps;

    PetscCall(make_step(w, straight ? &fare_ode_euler : schemes[s->solver], i, i + 1, p, NULL));
  }
  PetscFunctionReturn(0);
}

static void draw_latent(void *context, uint64_t block, fare_row u[])
{
  const ode_context *w = context;
  double             z[FARE_BLOCK] FARE_ALIGNED;

  for (int axis = 0; axis < w->dim; axis++) {
    fare_random_normals(w->latent, block, w->s->common.advances, (uint32_t)axis, z);
    fare_generative_mix(0, 1, u[axis], z, u[axis]);
  }
}

PetscErrorCode fare_flow_matching_draw(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  ode_context w;

  PetscFunctionBegin;
  PetscCall(ode_begin(sampler, t, &w));
  w.ode = (fare_ode){w.dim, &w, draw_latent, evaluate_field, follow};
  PetscCall(fare_ode_draw(&w.ode, sampler, sampler->mode != FARE_LEARNED, ensemble));
  PetscCall(ode_end(&w));
  PetscFunctionReturn(0);
}

/* Centres of owned cells [first, first + n), scaled; those past the last are copies of it. */
static void cells_of(
  const fare_generative *g, const fare_grid *grid, PetscInt first, PetscInt n, fare_row u[])
{
  for (PetscInt i = 0; i < FARE_BLOCK; i++) {
    double x[FARE_DIM_MAX];

    fare_cell_centre(grid, first + PetscMin(i, n - 1), x);
    for (int axis = 0; axis < grid->dim; axis++)
      u[axis][i] = (float)((x[axis] - g->mean[axis]) / g->sd[axis]);
  }
}

/*
  ln q of a block of scaled places: that of noise where they come from, less the integral of the divergence on
  the way. u becomes where they come from.
*/
static PetscErrorCode follow_back(ode_context *w, const fare_ode_batch *p, double log_density[FARE_BLOCK])
{
  const fare_flow_matching *s                    = w->s;
  double                    integral[FARE_BLOCK] = {0}; /* from 1 to 0 */

  PetscFunctionBegin;
  for (PetscInt64 i = s->sampling_steps; i > 0; i--)
    PetscCall(make_step(w, schemes[s->solver], i, i - 1, p, integral));
  for (int i = 0; i < FARE_BLOCK; i++) {
    log_density[i] = integral[i] - 0.5 * w->dim * log(2 * PETSC_PI);
    for (int axis = 0; axis < w->dim; axis++)
      log_density[i] -= 0.5 * (double)p->u[axis][i] * (double)p->u[axis][i];
  }
  PetscFunctionReturn(0);
}

/* Masses of one block of cells, per volume of a scaled cell. */
static PetscErrorCode masses_of(
  ode_context *w, const fare_grid *grid, PetscInt n, const fare_ode_batch *p, PetscScalar mass[])
{
  double volume = fare_grid_volume(grid), log_density[FARE_BLOCK];

  PetscFunctionBegin;
  for (int axis = 0; axis < w->dim; axis++) volume /= w->s->common.sd[axis];
  PetscCall(follow_back(w, p, log_density));
  for (PetscInt i = 0; i < n; i++) mass[i] = volume * exp(log_density[i]);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_flow_matching_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  const fare_generative *g     = sampler->state;
  const PetscInt         cells = fare_grid_owned(grid);
  PetscScalar           *mass;
  ode_context            w;
  fare_ode_batch         p;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(ode_begin(sampler, t, &w));
  w.ode = (fare_ode){w.dim, &w, NULL, evaluate_field, NULL};
  PetscCall(fare_ode_batch_create(w.dim, 1, &p));
  PetscCall(VecGetArray(*masses, &mass));
  for (PetscInt first = 0; first < cells; first += FARE_BLOCK) {
    const PetscInt n = PetscMin(FARE_BLOCK, cells - first);

    cells_of(g, grid, first, n, p.u);
    PetscCall(masses_of(&w, grid, n, &p, mass + first));
  }
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscCall(fare_ode_batch_destroy(&p));
  PetscCall(ode_end(&w));
  PetscFunctionReturn(0);
}

/* Signs of all axes of a point: by its bits, so that they are the same whichever rank has it. */
static void find_signs(const ode_context *w, fare_stream stream, uint32_t probe, int i, double x[])
{
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  uint32_t counter[4], bits[4];

  for (size_t k = 0; k < (size_t)w->dim * sizeof *x; k++)
    hash = (hash ^ ((const unsigned char *)x)[k]) * 1099511628211u;
  counter[0] = (uint32_t)hash;
  counter[1] = (uint32_t)(hash >> 32);
  counter[2] = probe;
  counter[3] = 0;
  fare_philox4x32(counter, stream.key, bits);
  for (int axis = 0; axis < w->dim; axis++) w->sign[axis][i] = bits[axis / 32] >> (axis % 32) & 1 ? 1 : -1;
}

/* Takes n points of a block from `first` on; those past the last are copies of it. */
static void points_of(ode_context *w, int64_t first, int64_t n, const double *const x[], fare_stream stream,
  uint32_t probe, fare_row u[])
{
  const fare_generative *g = &w->s->common;

  for (int i = 0; i < FARE_BLOCK; i++) {
    double at[FARE_AXES_MAX];

    for (int axis = 0; axis < w->dim; axis++) {
      at[axis]   = x[axis][first + PetscMin(i, n - 1)];
      u[axis][i] = (float)((at[axis] - g->mean[axis]) / g->sd[axis]);
    }
    if (w->sign) find_signs(w, stream, probe, i, at);
  }
}

PetscErrorCode fare_flow_matching_log_density(
  fare_sampler *sampler, int64_t n, const double *const x[], double log_density[], double *error)
{
  const fare_flow_matching *s      = sampler->state;
  const fare_stream         stream = fare_sampler_stream(sampler, "probes");
  double                    volume = 0, sum = 0;
  fare_place                sign;
  fare_ode_batch            p;
  ode_context               w;
  int64_t                   probes = 1;

  PetscFunctionBegin;
  PetscCall(ode_begin(sampler, s->time, &w));
  w.ode = (fare_ode){w.dim, &w, NULL, evaluate_field, NULL};
  if (w.dim > PetscMax(FARE_FLOW_MATCHING_EXACT, s->probes)) {
    w.sign = sign;
    probes = s->probes;
  }
  PetscCall(fare_ode_batch_create(w.dim, 1, &p));
  for (int axis = 0; axis < w.dim; axis++) volume += log(s->common.sd[axis]);
  for (int64_t first = 0; first < n; first += FARE_BLOCK) {
    const int64_t count = PetscMin(FARE_BLOCK, n - first);
    double        value[FARE_BLOCK], mean[FARE_BLOCK] = {0}, square[FARE_BLOCK] = {0};

    for (int64_t k = 0; k < probes; k++) {
      points_of(&w, first, count, x, stream, (uint32_t)k, p.u);
      PetscCall(follow_back(&w, &p, value));
      for (int i = 0; i < FARE_BLOCK; i++) {
        const double off = value[i] - mean[i];

        mean[i] += off / (double)(k + 1); /* Welford's sums */
        square[i] += off * (value[i] - mean[i]);
      }
    }
    for (int64_t i = 0; i < count; i++) {
      log_density[first + i] = mean[i] - volume;
      sum += square[i];
    }
  }
  *error = probes > 1 && n ? sqrt(sum / (double)(n * probes * (probes - 1))) : 0;
  PetscCall(fare_ode_batch_destroy(&p));
  PetscCall(ode_end(&w));
  PetscFunctionReturn(0);
}
