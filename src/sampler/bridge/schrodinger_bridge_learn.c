/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What is learned: partners for the training particles of one time among those of the next, and the drift that
  takes the mean of the bridges between partners.
*/
#include "bridge_coupling.h"
#include "schrodinger_bridge.h"

#include <math.h>
#include <string.h>

#define COUPLING_TOLERANCE 3e-3 /* of marginals of blocks that are themselves samples of 512 */
#define COUPLING_ROUNDS    2000
/* part of a bridge that batches go to: the noise of what is learned grows without bound towards its end */
#define LAST 0.999

/* Of every bridge, as rows of the two ends with the same numbers. */
typedef struct {
  int64_t count, first, local; /* of all ranks, and here */
  double *x[2][FARE_AXES_MAX], *weight;
} partners;

typedef struct {
  fare_sampler     *sampler;
  int               dim, bridges;
  partners         *pairs;
  fare_learn_rows  *rows[2];
  fare_learn_batch *batch[2];
  double            mean[2][FARE_AXES_MAX], sd[2][FARE_AXES_MAX];
  fare_stream       stream;
  float            *s, *xi[FARE_AXES_MAX], *z[FARE_AXES_MAX], *target[FARE_AXES_MAX], *weight;
} training_context;

/* The system's diffusion, averaged over all training particles, times the square of `noise`. */
static PetscErrorCode mean_diffusion(fare_sampler *sampler, const fare_training_set *data)
{
  fare_schrodinger *b                      = sampler->state;
  const int         dim                    = fare_system_dimension(sampler->system);
  double            sum[FARE_AXES_MAX + 1] = {0};

  PetscFunctionBegin;
  for (int k = 0; k < data->count; k++) {
    for (int64_t block = 0; block < data->at[k]->blocks; block++) {
      const fare_block at = fare_ensemble_block(data->at[k], block);
      double           D[FARE_AXES_MAX][FARE_BLOCK], *to[FARE_AXES_MAX];

      fare_block_rows(dim, D, to);
      fare_system_diffusion(sampler->system, data->times[k], FARE_BLOCK, (const double *const *)at.x, to);
      for (int axis = 0; axis < dim; axis++) {
        for (int i = 0; i < FARE_BLOCK; i++) sum[axis] += D[axis][i];
      }
      sum[FARE_AXES_MAX] += FARE_BLOCK;
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, FARE_AXES_MAX + 1, MPI_DOUBLE, MPI_SUM, sampler->comm));
  for (int axis = 0; axis < dim; axis++) b->D[axis] = sum[axis] / sum[FARE_AXES_MAX] * b->noise * b->noise;
  PetscFunctionReturn(0);
}

/* Shares of the particles of a block, which has `n` of them. */
static void shares(const fare_ensemble *e, int64_t first, int n, double p[])
{
  double sum = 0;

  for (int i = 0; i < n; i++) sum += p[i] = e->weight ? e->weight[first + i] : 1;
  for (int i = 0; i < n; i++) p[i] /= sum;
}

/* Couples the particles of one block at both ends of bridge k, and appends the pairs. */
static void couple_block(fare_sampler *sampler, fare_coupling *coupling, const fare_training_set *data, int k,
  int64_t block, partners *to)
{
  const fare_schrodinger *b    = sampler->state;
  const fare_system_type *type = fare_system_type_of(sampler->system);
  const fare_ensemble    *e = data->at[k], *next = data->at[k + 1];
  const int64_t           first = block * FARE_BLOCK;
  const int               dim = e->dim, n = (int)PetscMin(FARE_BLOCK, e->local - first);
  double        spread[FARE_AXES_MAX], period[FARE_AXES_MAX], p[FARE_BLOCK], q[FARE_BLOCK], u[FARE_BLOCK];
  const double *x[FARE_AXES_MAX], *y[FARE_AXES_MAX];

  for (int axis = 0; axis < dim; axis++) {
    spread[axis] = sqrt(2 * b->D[axis] * (data->times[k + 1] - data->times[k]));
    period[axis] = type->periodic[axis] ? type->upper[axis] - type->lower[axis] : 0;
    x[axis]      = e->x[axis] + first;
    y[axis]      = next->x[axis] + first;
  }
  shares(e, first, n, p);
  shares(next, first, n, q);
  fare_coupling_solve(coupling, dim, spread, period, n, x, p, n, y, q, COUPLING_TOLERANCE, COUPLING_ROUNDS);
  fare_random_uniforms(
    fare_sampler_stream(sampler, "partners"), (uint64_t)(e->first_block + block), (uint64_t)k, 0, u);
  for (int i = 0; i < n; i++) {
    const int j = fare_coupling_partner(coupling, i, u[i]);

    for (int axis = 0; axis < dim; axis++) {
      const double d = y[axis][j] - x[axis][i];

      to->x[0][axis][to->local] = x[axis][i];
      to->x[1][axis][to->local] =
        x[axis][i] + d - (period[axis] > 0 ? period[axis] * nearbyint(d / period[axis]) : 0);
    }
    to->weight[to->local++] = p[i] * n;
  }
}

/* Every so-many-th block, from the first on, whichever rank has it. */
static PetscErrorCode couple(
  fare_sampler *sampler, fare_coupling *coupling, const fare_training_set *data, int k, partners *to)
{
  const fare_schrodinger *b   = sampler->state;
  const fare_ensemble    *e   = data->at[k];
  const int64_t           all = (e->count + FARE_BLOCK - 1) / FARE_BLOCK,
                every         = PetscMax(1, all * FARE_BLOCK / b->pairs);
  const int64_t skip          = (every - e->first_block % every) % every;
  const size_t  room          = (size_t)(e->blocks / every + 1) * FARE_BLOCK;

  PetscFunctionBegin;
  if (data->at[k + 1]->count != e->count)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED,
      "expected equally many training particles at each time, got %lld and %lld", (long long)e->count,
      (long long)data->at[k + 1]->count);
  for (int axis = 0; axis < e->dim; axis++)
    PetscCall(PetscMalloc2(room, &to->x[0][axis], room, &to->x[1][axis]));
  PetscCall(PetscMalloc1(room, &to->weight));
  to->first = (e->first_block + skip) / every * FARE_BLOCK;
  for (int64_t block = skip; block < e->blocks && block * FARE_BLOCK < e->local; block += every)
    couple_block(sampler, coupling, data, k, block, to);
  PetscCallMPI(MPI_Allreduce(&to->local, &to->count, 1, MPI_INT64_T, MPI_SUM, sampler->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode couple_all(training_context *l, const fare_training_set *data)
{
  fare_coupling *coupling;
  fare_progress  progress;
  char           what[128];
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(fare_coupling_create(&coupling));
  snprintf(what, sizeof what, "couplings of %s", l->sampler->name);
  fare_progress_begin(&progress, what, l->bridges);
  for (int k = 0; k < l->bridges && !code; k++) {
    code = couple(l->sampler, coupling, data, k, &l->pairs[k]);
    fare_progress_update(&progress, k + 1, NULL);
  }
  fare_progress_end(&progress);
  fare_coupling_destroy(&coupling);
  PetscFunctionReturn(code);
}

static PetscErrorCode context_begin(fare_sampler *sampler, const fare_training_set *data, training_context *l)
{
  fare_schrodinger *b    = sampler->state;
  const size_t      size = (size_t)b->common.learn.batch;

  PetscFunctionBegin;
  *l = (training_context){.sampler = sampler,
    .dim                           = fare_system_dimension(sampler->system),
    .bridges                       = data->count - 1,
    .stream                        = fare_sampler_stream(sampler, "training")};
  PetscCall(PetscCalloc1((size_t)l->bridges, &l->pairs));
  PetscCall(PetscMalloc2(size, &l->s, size, &l->weight));
  for (int axis = 0; axis < l->dim; axis++)
    PetscCall(PetscMalloc3(size, &l->xi[axis], size, &l->z[axis], size, &l->target[axis]));
  PetscCall(couple_all(l, data));
  for (int end = 0; end < 2; end++) {
    PetscCall(fare_learn_rows_create(sampler->comm, l->dim, l->bridges, &l->rows[end]));
    for (int k = 0; k < l->bridges; k++)
      fare_learn_rows_set(l->rows[end], k, l->pairs[k].count, l->pairs[k].first, l->pairs[k].local,
        (const double *const *)l->pairs[k].x[end], data->at[k]->weight ? l->pairs[k].weight : NULL);
    fare_learn_rows_hold_out(l->rows[end], b->common.learn.validation_fraction);
    PetscCall(fare_learn_rows_standardise(l->rows[end], l->mean[end], l->sd[end]));
    PetscCall(fare_learn_batch_create(l->dim, b->common.learn.batch, &l->batch[end]));
  }
  PetscCall(PetscArraycpy(b->common.mean, l->mean[0], l->dim));
  PetscCall(PetscArraycpy(b->common.sd, l->sd[0], l->dim));
  PetscFunctionReturn(0);
}

static PetscErrorCode context_end(training_context *l)
{
  PetscFunctionBegin;
  for (int k = 0; l->pairs && k < l->bridges; k++) {
    for (int axis = 0; axis < l->dim; axis++)
      PetscCall(PetscFree2(l->pairs[k].x[0][axis], l->pairs[k].x[1][axis]));
    PetscCall(PetscFree(l->pairs[k].weight));
  }
  PetscCall(PetscFree(l->pairs));
  for (int end = 0; end < 2; end++) {
    PetscCall(fare_learn_rows_destroy(&l->rows[end]));
    PetscCall(fare_learn_batch_destroy(&l->batch[end]));
  }
  PetscCall(PetscFree2(l->s, l->weight));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscFree3(l->xi[axis], l->z[axis], l->target[axis]));
  PetscFunctionReturn(0);
}

enum { DRAW_TIME = 1, DRAW_NOISE };

/*
  Points of bridges between partners and the drift there. What is learned has the variance spread^2 s/(1-s)
  about its mean, which weights make up for, as far as it is more than that of positions, 1.
*/
static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context *l    = context;
  fare_learn_batch *from = l->batch[0], *to = l->batch[1];

  for (int end = 0; end < 2; end++)
    fare_learn_batch_draw(l->batch[end], l->rows[end], l->stream, (uint64_t)step);
  fare_learn_batch_normals(from, l->stream, (uint64_t)step, DRAW_TIME, l->s);
  for (int64_t i = 0; i < from->count; i++) l->s[i] = (float)(LAST * 0.5 * erfc(-(double)l->s[i] / sqrt(2)));
  for (int axis = 0; axis < l->dim; axis++) {
    fare_learn_batch_normals(from, l->stream, (uint64_t)step, DRAW_NOISE + (uint32_t)axis, l->xi[axis]);
    for (int64_t i = 0; i < from->count; i++) {
      const double s = l->s[i], spread = fare_schrodinger_spread(l->sampler, from->group[i], axis),
                   xi = l->xi[axis][i];
      const double z0 = from->x[axis][i],
                   z1 =
                     (l->mean[1][axis] - l->mean[0][axis] + l->sd[1][axis] * to->x[axis][i]) / l->sd[0][axis];

      l->z[axis][i]      = (float)((1 - s) * z0 + s * z1 + spread * sqrt(s * (1 - s)) * xi);
      l->target[axis][i] = (float)(z1 - z0 - spread * sqrt(s / (1 - s)) * xi);
    }
  }
  *rows = from->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context *l                = context;
  const float      *z[FARE_AXES_MAX] = {NULL};

  for (int axis = 0; axis < l->dim; axis++) z[axis] = l->z[axis] + first;
  fare_generative_positions(l->sampler, l->dim, n, z, input);
  fare_schrodinger_chords(l->sampler, n, l->batch[0]->group + first, l->s + first, FARE_BLOCK,
    input + fare_generative_position_inputs(l->sampler, l->dim) * FARE_BLOCK);
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  training_context       *l     = context;
  const fare_learn_batch *batch = l->batch[0];
  double                  sum   = 0;

  for (int axis = 0; axis < l->dim; axis++) {
    for (int64_t i = first; i < first + n; i++) {
      const double spread = fare_schrodinger_spread(l->sampler, batch->group[i], axis), s = l->s[i];

      l->weight[i] = (float)(batch->weight[i] / (1 + spread * spread * s / (1 - s)));
    }
    sum += fare_generative_loss(n, l->weight + first, l->target[axis] + first,
      output + (size_t)axis * FARE_BLOCK, d_output + (size_t)axis * FARE_BLOCK);
  }
  return sum;
}

PetscErrorCode fare_schrodinger_learn(fare_sampler *sampler, const fare_training_set *data)
{
  training_context   l;
  fare_learn_problem problem = {.context = &l, .draw = draw, .inputs = inputs, .loss = loss};
  PetscErrorCode     code;

  PetscFunctionBegin;
  PetscCall(mean_diffusion(sampler, data));
  code = context_begin(sampler, data, &l);
  if (!code) code = fare_generative_learn(sampler, &problem);
  PetscCall(context_end(&l));
  PetscFunctionReturn(code);
}
