/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Schroedinger bridges between one training time and the next: the process nearest to a reference process that
  has the densities of both. Generative time is physical time, and particles are carried along.

  Learned by bridge matching, the first half-step of DSBM (Shi et al., arXiv 2303.16852), with couplings by
  entropic optimal transport as in [SF]2M (Tong et al., arXiv 2307.03672): between partners z_0 and z_1 the
  reference's own bridge is z_s = (1-s) z_0 + s z_1 + sigma sqrt(s(1-s)) xi, and the drift that takes the mean
  of all such bridges is that of E[z_1 - z_0 - sigma sqrt(s/(1-s)) xi | z_s], which a network learns. The mean
  has the ends of its bridges; were the coupling the entropic optimum of the two densities, it would be the
  Schroedinger bridge itself.
*/
#include "schrodinger_bridge.h"

#include "sampler/shared/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const references[] = {"brownian", "dynamics", NULL};

static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(fare_schrodinger, common, "64", "3", "5000", "4096", "4e-3", "4", "4"),
  {"reference", FARE_CHOICE, offsetof(fare_schrodinger, reference), "brownian", 0, 0, references, "",
    "reference process of the bridges; dynamics: of the system itself, only as an oracle"},
  {"noise", FARE_REAL, offsetof(fare_schrodinger, noise), "0.3", 1e-3, 1e3, NULL, "",
    "brownian: its noise in units of the system's own, sqrt(2 D)"},
  {"fit_steps", FARE_INTEGER, offsetof(fare_schrodinger, fit_steps), "32", 1, 4096, NULL, "",
    "oracle: time steps of the reference over each bridge (and twice as many, to extrapolate)"},
  {"tolerance", FARE_REAL, offsetof(fare_schrodinger, tolerance), "1e-12", 1e-15, 1, NULL, "",
    "oracle: L1 tolerance for the densities at both ends"},
  {"fit_rounds", FARE_INTEGER, offsetof(fare_schrodinger, fit_rounds), "10000", 1, 1e9, NULL, "",
    "oracle: most rounds of iterative proportional fitting"},
  {"pairs", FARE_INTEGER, offsetof(fare_schrodinger, pairs), "16384", 1, 1e9, NULL, "",
    "training particles coupled at each end of a bridge, in blocks of 512"},
  {"chord_frequencies", FARE_INTEGER, offsetof(fare_schrodinger, chord_frequencies), "2", 0, 16, NULL, "",
    "frequencies of sines and cosines of the time within a bridge"},
  {"sampling_steps", FARE_INTEGER, offsetof(fare_schrodinger, sampling_steps), "16", 1, 1e6, NULL, "",
    "time steps over each bridge, two network evaluations each"},
  FARE_FIELDS_END,
};

/* Where the system has no noise the Brownian reference has none, and cannot bridge anything. */
static PetscErrorCode check(const void *state, const fare_system *system)
{
  const fare_schrodinger *b    = state;
  const fare_system_type *type = fare_system_type_of(system);
  double                  x[FARE_AXES_MAX], D[FARE_AXES_MAX];

  PetscFunctionBegin;
  for (int axis = 0; axis < fare_system_dimension(system); axis++)
    x[axis] = type->lower[axis] + 0.4 * (type->upper[axis] - type->lower[axis]);
  fare_generative_diffusion(system, 0, x, D);
  for (int axis = 0; axis < fare_system_dimension(system) && b->reference == FARE_REFERENCE_BROWNIAN;
       axis++) {
    if (!(D[axis] > 0))
      FARE_FAIL(FARE_ERR_INPUT,
        "sampler 'schrodinger_bridge' with 'reference: brownian' needs noise along every axis, and system "
        "'%s' has none along %s",
        type->name, fare_system_axis_name(system, axis));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode setup(fare_sampler *sampler)
{
  fare_schrodinger *b = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_learn_network(&b->common.learn,
    fare_generative_position_inputs(sampler, fare_system_dimension(sampler->system)) +
      fare_schrodinger_chord_inputs(sampler),
    fare_system_dimension(sampler->system), fare_sampler_stream(sampler, "weights"), &b->common.network));
  PetscFunctionReturn(0);
}

static PetscErrorCode forget(fare_schrodinger *b)
{
  PetscFunctionBegin;
  for (PetscInt64 k = 0; b->masses && k < b->snapshots; k++) PetscCall(PetscFree(b->masses[k]));
  PetscCall(PetscFree(b->masses));
  PetscCall(PetscFree(b->times));
  PetscCall(PetscFree(b->entropy));
  PetscCall(PetscFree(b->mismatch));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  PetscFunctionBegin;
  PetscCall(forget(sampler->state));
  PetscCall(fare_generative_destroy(sampler));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_schrodinger_begin(fare_sampler *sampler, int count, const double times[])
{
  fare_schrodinger *b = sampler->state;

  PetscFunctionBegin;
  if (count < 2)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "a bridge needs particles at two times, not %d", count);
  if (times[0] > sampler->schedule.start)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "the first training time %g is not the start %g", times[0],
      sampler->schedule.start);
  PetscCall(forget(b));
  b->count     = count;
  b->snapshots = sampler->schedule.count;
  PetscCall(PetscCalloc1((size_t)count, &b->times));
  PetscCall(PetscCalloc1((size_t)count, &b->entropy));
  PetscCall(PetscCalloc1((size_t)count, &b->mismatch));
  PetscCall(PetscArraycpy(b->times, times, count));
  PetscCall(PetscCalloc1((size_t)b->snapshots, &b->masses));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_schrodinger *b = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_schrodinger_begin(sampler, data->count, data->times));
  if (sampler->mode == FARE_ORACLE) {
    PetscCall(fare_schrodinger_solve(sampler, data));
  } else {
    if (b->reference == FARE_REFERENCE_DYNAMICS)
      FARE_SAMPLER_FAIL(sampler, FARE_ERR_INPUT,
        "'reference: dynamics' goes with 'oracle: true'; the trained model "
        "has a Brownian reference");
    PetscCall(fare_schrodinger_learn(sampler, data));
  }
  b->common.ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* What blocks share over one step. */
typedef struct {
  fare_sampler *sampler;
  double        h; /* in parts of the bridge */
  double        spread[FARE_AXES_MAX];
  float        *before, *after; /* inputs that all particles share at both ends of the step */
  float        *input;
  fare_stream   stream;
} stride;

/*
  Heun's method for noise that is the same everywhere: of second order in the density (Kloeden and Platen
  1992, section 15.1).
*/
static void step_block(stride *j, uint64_t block, double *const x[])
{
  fare_schrodinger *b   = j->sampler->state;
  const int         dim = fare_system_dimension(j->sampler->system),
            shared      = fare_schrodinger_chord_inputs(j->sampler);
  fare_place z FARE_ALIGNED, to FARE_ALIGNED, F FARE_ALIGNED, G FARE_ALIGNED;
  const float *places[FARE_AXES_MAX], *ahead[FARE_AXES_MAX];

  for (int axis = 0; axis < dim; axis++) {
    places[axis] = z[axis];
    ahead[axis]  = to[axis];
    for (int i = 0; i < FARE_BLOCK; i++)
      z[axis][i] = (float)((x[axis][i] - b->common.mean[axis]) / b->common.sd[axis]);
  }
  fare_generative_positions(j->sampler, dim, FARE_BLOCK, places, j->input);
  fare_network_evaluate(b->common.network, FARE_BLOCK, j->input, shared, j->before, F[0]);
  for (int axis = 0; axis < dim; axis++) {
    double xi[FARE_BLOCK] FARE_ALIGNED;

    fare_random_normals(j->stream, block, b->steps, (uint32_t)axis, xi);
    /* the noise is in both */
    fare_generative_mix(1, (float)(j->spread[axis] * sqrt(j->h)), z[axis], xi, z[axis]);
    fare_generative_euler((float)j->h, z[axis], F[axis], to[axis]);
  }
  fare_generative_positions(j->sampler, dim, FARE_BLOCK, ahead, j->input);
  fare_network_evaluate(b->common.network, FARE_BLOCK, j->input, shared, j->after, G[0]);
  for (int axis = 0; axis < dim; axis++) {
    fare_generative_euler((float)(0.5 * j->h), z[axis], F[axis], z[axis]);
    fare_generative_euler((float)(0.5 * j->h), z[axis], G[axis], z[axis]);
    fare_generative_shift(b->common.mean[axis], b->common.sd[axis], z[axis], x[axis]);
    fare_generative_wrap(j->sampler, axis, FARE_BLOCK, x[axis]);
  }
}

/* Takes all particles over the part [from, to] of bridge k. */
static PetscErrorCode cross(fare_sampler *sampler, int k, double from, double to, fare_ensemble *ensemble)
{
  fare_schrodinger *b      = sampler->state;
  const int         inputs = fare_schrodinger_chord_inputs(sampler);
  const PetscInt64  n      = PetscMax(1, (PetscInt64)ceil((to - from) * (double)b->sampling_steps - 1e-9));
  stride            j      = {
                    .sampler = sampler, .h = (to - from) / (double)n, .stream = fare_sampler_stream(sampler, "noise")};

  PetscFunctionBegin;
  PetscCall(PetscMalloc3((size_t)inputs, &j.before, (size_t)inputs, &j.after,
    (size_t)fare_generative_position_inputs(sampler, fare_system_dimension(sampler->system)) * FARE_BLOCK,
    &j.input));
  for (int axis = 0; axis < ensemble->dim; axis++) j.spread[axis] = fare_schrodinger_spread(sampler, k, axis);
  for (PetscInt64 i = 0; i < n; i++, b->steps++) {
    const float ends[2] = {(float)(from + (double)i * j.h), (float)(from + (double)(i + 1) * j.h)};

    fare_schrodinger_chords(sampler, 1, &k, &ends[0], 1, j.before);
    fare_schrodinger_chords(sampler, 1, &k, &ends[1], 1, j.after);
    for (int64_t n_block = 0; n_block < ensemble->blocks; n_block++) {
      const fare_block block = fare_ensemble_block(ensemble, n_block);

      step_block(&j, block.number, block.x);
    }
  }
  PetscCall(PetscFree3(j.before, j.after, j.input));
  sampler->cost.network_evaluations += 2 * n * ensemble->local;
  PetscFunctionReturn(0);
}

/* Past the last training time nothing is known but the reference. */
static void diffuse(fare_sampler *sampler, double duration, fare_ensemble *ensemble)
{
  fare_schrodinger *b      = sampler->state;
  const fare_stream stream = fare_sampler_stream(sampler, "noise");
  double            xi[FARE_BLOCK] FARE_ALIGNED;

  for (int64_t k = 0; k < ensemble->blocks; k++) {
    const fare_block block = fare_ensemble_block(ensemble, k);

    for (int axis = 0; axis < ensemble->dim; axis++) {
      double *x = block.x[axis];

      fare_random_normals(stream, block.number, b->steps, (uint32_t)axis, xi);
      for (int i = 0; i < FARE_BLOCK; i++) x[i] += sqrt(2 * b->D[axis] * duration) * xi[i];
      fare_generative_wrap(sampler, axis, FARE_BLOCK, x);
    }
  }
  b->steps++;
}

static PetscErrorCode move(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  fare_schrodinger *b    = sampler->state;
  const double      tiny = 1e-9 * (sampler->schedule.end - sampler->schedule.start);

  PetscFunctionBegin;
  for (int k = 0; k + 1 < b->count; k++) {
    const double length = b->times[k + 1] - b->times[k], from = PetscMax(b->now, b->times[k]),
                 to = PetscMin(t, b->times[k + 1]);

    if (to - from > tiny)
      PetscCall(cross(sampler, k, (from - b->times[k]) / length, (to - b->times[k]) / length, ensemble));
  }
  if (t - PetscMax(b->now, b->times[b->count - 1]) > tiny)
    diffuse(sampler, t - PetscMax(b->now, b->times[b->count - 1]), ensemble);
  b->now = t;
  PetscFunctionReturn(0);
}

/* Of the bridge at a snapshot. */
static PetscErrorCode masses_at(const fare_sampler *sampler, double t, const double **masses)
{
  const fare_schrodinger *b = sampler->state;
  const PetscInt64        k = fare_densities_find(sampler->exact, t);

  PetscFunctionBegin;
  if (k < 0)
    FARE_SAMPLER_FAIL(
      sampler, FARE_ERR_FAILED, "an oracle knows its bridge only at snapshots, not at time %g", t);
  if (!b->masses) FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "its bridges are not solved yet");
  *masses = b->masses[k];
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  fare_schrodinger *b      = sampler->state;
  const double     *masses = NULL;

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  if (sampler->mode == FARE_ORACLE) {
    PetscCall(masses_at(sampler, t, &masses));
    PetscCall(fare_quantile_draw(
      sampler->exact->grid, masses, fare_sampler_stream(sampler, "latent"), b->common.advances, ensemble));
  } else {
    if (!b->begun) {
      PetscCall(fare_sampler_draw_initial(sampler, sampler->schedule.start, ensemble));
      b->begun = PETSC_TRUE;
      b->now   = sampler->schedule.start;
    }
    PetscCall(move(sampler, t, ensemble));
  }
  b->common.advances++;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_schrodinger_model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *to)
{
  const double *masses = NULL;

  PetscFunctionBegin;
  PetscCall(masses_at(sampler, t, &masses));
  PetscCall(fare_quantile_masses(sampler->exact->grid, masses, grid, to));
  PetscFunctionReturn(0);
}

/* As if every second snapshot were learned from. */
static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_schrodinger *b = sampler->state;

  cost->network_evaluations += b->common.learn.steps * b->common.learn.batch +
    particles * b->sampling_steps * (sampler->schedule.count - 1);
}

/* The bridges of an oracle are solved again when a study goes on; their relative entropies are a record. */
static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, fare_schrodinger, common, .fields = fare_generative_kept),
  FARE_KEEP_WITH(REALS, fare_schrodinger, times, .length = offsetof(fare_schrodinger, count)),
  FARE_KEEP_WITH(REALS, fare_schrodinger, entropy, .length = offsetof(fare_schrodinger, count)),
  FARE_KEEP_WITH(REALS, fare_schrodinger, mismatch, .length = offsetof(fare_schrodinger, count)),
  FARE_KEEP_WITH(REAL, fare_schrodinger, D, .count = FARE_AXES_MAX),
  FARE_KEEP(BOOLEAN, fare_schrodinger, begun),
  FARE_KEEP(REAL, fare_schrodinger, now),
  FARE_KEEP(INTEGER, fare_schrodinger, steps),
  FARE_KEPT_END,
};

static PetscErrorCode loaded(fare_sampler *sampler)
{
  const fare_schrodinger *b = sampler->state;

  PetscFunctionBegin;
  if (b->common.ready && b->count < 2)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "a bridge needs two times, not %lld", (long long)b->count);
  PetscFunctionReturn(0);
}

const fare_sampler_type fare_sampler_schrodinger_bridge = {
  .name    = "schrodinger_bridge",
  .summary = "bridges from one training time to the next, closest to a reference process in relative entropy",
  .reference           = "Shi et al., arXiv 2303.16852 (2023); Tong et al., arXiv 2307.03672 (2023)",
  .family              = FARE_GENERATIVE,
  .walls               = FARE_WALLS_FOLDED,
  .size                = sizeof(fare_schrodinger),
  .modes               = FARE_ORACLE,
  .fields              = fields,
  .check               = check,
  .setup               = setup,
  .train               = train,
  .advance             = advance,
  .model_density       = fare_schrodinger_model_density,
  .model_density_modes = FARE_ORACLE,
  .estimate_cost       = estimate_cost,
  .curve               = fare_generative_curve,
  .kept                = kept,
  .loaded              = loaded,
  .many_axes           = PETSC_TRUE,
  .destroy             = destroy,
};
