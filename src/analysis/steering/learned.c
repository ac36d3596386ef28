/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A control that a small network learns from its own paths. The loss is the variance of ln of a path's
  likelihood with this control over that with the best one (Nuesken and Richter, Partial Differ. Equ. Appl. 2,
  48 (2021)), among paths that begin at the same place: what depends on the place alone, the least cost from
  there, drops out and need not be known. By a = u/sqrt(2 D) at a step it has the derivative 2 (gap - mean)
  dW, so that neither drift nor end are differentiated, and its noise vanishes at the best control.
*/
#include "steering.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TOGETHER 8     /* paths from the same start */
#define POOL     16384 /* starts that are drawn from */

struct fare_steer_network {
  const fare_steer *s;
  fare_network     *network;
  char              name[64];
  double            mean[FARE_DIM_MAX], sd[FARE_DIM_MAX]; /* of both ends, which inputs are measured by */
  /* training: paths of one batch, row = step * paths + path */
  int64_t        blocks, paths, steps;
  fare_ensemble *pool;
  float         *input, *kick; /* [row * (dim + 1) + k], [row * dim + axis] */
  double        *gap;          /* of each path: difference from the mean of those from the same start */
  int64_t        block;        /* under way */
};

static void measure(fare_steer_network *l)
{
  const fare_grid *grid = l->s->grid;
  const int        last = fare_feedback_shape_of(l->s->best)->moments - 1;

  for (int pass = 0; pass < 2; pass++) {
    for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
      const double mass = 0.5 * (l->s->masses[0][n] + l->s->masses[last][n]);
      double       x[FARE_DIM_MAX];

      fare_cell_centre(grid, n, x);
      for (int axis = 0; axis < grid->dim; axis++) {
        if (!pass) l->mean[axis] += mass * x[axis];
        if (pass) l->sd[axis] += mass * PetscSqr(x[axis] - l->mean[axis]);
      }
    }
  }
  for (int axis = 0; axis < grid->dim; axis++) l->sd[axis] = sqrt(l->sd[axis]);
}

/* Place and time as the network sees them. */
static float seen(const fare_steer_network *l, double t, int axis, double x)
{
  const fare_feedback_shape *span = fare_feedback_shape_of(l->s->best);

  return (float)(axis < span->dim ? (x - l->mean[axis]) / l->sd[axis]
                                  : 2 * (t - span->begin) / (span->end - span->begin) - 1);
}

/* The network's unit of a. */
static double unit_of(const fare_steer_network *l)
{
  const fare_feedback_shape *span = fare_feedback_shape_of(l->s->best);

  return 1 / sqrt(span->end - span->begin);
}

static void steer(
  void *context, double t, size_t n, const double *const x[], const double *const D[], double *const a[])
{
  fare_steer_network *l    = context;
  const int           dim  = l->s->grid->dim;
  const float         time = seen(l, t, dim, 0);
  float input[FARE_DIM_MAX * FARE_BLOCK] FARE_ALIGNED, output[FARE_DIM_MAX * FARE_BLOCK] FARE_ALIGNED;

  (void)D;
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) input[axis * FARE_BLOCK + (int)i] = seen(l, t, axis, x[axis][i]);
  }
  fare_network_evaluate(l->network, (int)n, input, 1, &time, output);
  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < n; i++) a[axis][i] = unit_of(l) * (double)output[axis * FARE_BLOCK + (int)i];
  }
}

static void keep(void *context, int64_t step, double t, const double *const x[], const double *const kick[])
{
  fare_steer_network *l   = context;
  const int           dim = l->s->grid->dim;

  for (int i = 0; i < FARE_BLOCK; i++) {
    const int64_t row = step * l->paths + l->block * FARE_BLOCK + i;

    for (int axis = 0; axis < dim; axis++) {
      l->input[row * (dim + 1) + axis] = seen(l, t, axis, x[axis][i]);
      l->kick[row * dim + axis]        = (float)kick[axis][i];
    }
    l->input[row * (dim + 1) + dim] = seen(l, t, dim, 0);
  }
}

/* Starts of a block, TOGETHER paths from each. */
static void begin(const fare_steer_network *l, fare_stream stream, int64_t step, fare_steer_block *b)
{
  double u[FARE_BLOCK] FARE_ALIGNED;

  fare_random_uniforms(stream, b->number, (uint64_t)step, 0, u);
  for (int i = 0; i < FARE_BLOCK; i++) {
    const int64_t from = (int64_t)(u[i - i % TOGETHER] * POOL);

    for (int axis = 0; axis < l->s->grid->dim; axis++) b->x[axis][i] = l->pool->x[axis][from];
  }
}

static void walk(void *context, int64_t step, int64_t *rows)
{
  fare_steer_network *l     = context;
  const fare_pilot    pilot = fare_steer_network_pilot(l);
  const PetscBool     held  = step >= FARE_LEARN_HELD_OUT ? PETSC_TRUE : PETSC_FALSE;
  const uint64_t      seed  = (uint64_t)l->s->keys->seed;
  char                name[96];
  fare_stream         choice;
  fare_steer_block    b = {.steps = l->steps, .draws = 1, .keep = keep, .context = l};

  if (held) step -= FARE_LEARN_HELD_OUT;
  snprintf(name, sizeof name, "%s%s/choice", l->name, held ? "/held" : "");
  choice = fare_stream_make(seed, name);
  snprintf(name, sizeof name, "%s%s/noise", l->name, held ? "/held" : "");
  b.noise = fare_stream_make(seed, name);
  b.first = (uint64_t)(step * l->steps);
  for (l->block = 0; l->block < l->blocks; l->block++) {
    b.number = (uint64_t)l->block;
    begin(l, choice, step, &b);
    fare_steer_walk(l->s, &pilot, &b);
    for (int i = 0; i < FARE_BLOCK; i += TOGETHER) {
      double mean = 0;

      for (int k = 0; k < TOGETHER; k++) mean += b.gap[i + k] / TOGETHER;
      for (int k = 0; k < TOGETHER; k++) l->gap[l->block * FARE_BLOCK + i + k] = b.gap[i + k] - mean;
    }
  }
  *rows = l->paths * l->steps;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  const fare_steer_network *l     = context;
  const int                 count = l->s->grid->dim + 1;

  for (int k = 0; k < count; k++) {
    for (int i = 0; i < n; i++) input[k * FARE_BLOCK + i] = l->input[(first + i) * count + k];
  }
}

/* Each row has its share of the variance of the path's start. */
static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  const fare_steer_network *l   = context;
  const int                 dim = l->s->grid->dim;
  double                    sum = 0;

  (void)output;
  for (int i = 0; i < n; i++) {
    const double gap = l->gap[(first + i) % l->paths] * TOGETHER / (TOGETHER - 1);

    sum += gap * l->gap[(first + i) % l->paths] / (double)l->steps;
    for (int axis = 0; axis < dim; axis++)
      d_output[axis * FARE_BLOCK + i] = (float)(2 * gap * unit_of(l)) * l->kick[(first + i) * dim + axis];
  }
  return sum;
}

PetscErrorCode fare_steer_network_create(const fare_steer *s, int number, fare_steer_network **network)
{
  fare_steer_network *l;
  char                name[96];

  PetscFunctionBegin;
  PetscCall(PetscNew(network));
  l    = *network;
  l->s = s;
  snprintf(l->name, sizeof l->name, "steering/network%d", number);
  snprintf(name, sizeof name, "%s/weights", l->name);
  measure(l);
  PetscCall(fare_learn_network(&s->keys->learn, s->grid->dim + 1, s->grid->dim,
    fare_stream_make((uint64_t)s->keys->seed, name), &l->network));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_steer_network_train(fare_steer_network *l)
{
  const fare_steer_keys     *keys    = l->s->keys;
  const fare_feedback_shape *span    = fare_feedback_shape_of(l->s->best);
  const int                  dim     = l->s->grid->dim;
  fare_learn_options         options = keys->learn;
  fare_learn_problem         problem = {
            .what = "controllers", .context = l, .draw = walk, .inputs = inputs, .loss = loss};
  fare_curve curve       = {0};
  int64_t    evaluations = 0, rows;
  char       name[96];

  PetscFunctionBegin;
  l->steps      = (int64_t)ceil((span->end - span->begin) / keys->dt * (1 - 1e-12));
  l->blocks     = (options.batch + FARE_BLOCK - 1) / FARE_BLOCK;
  l->paths      = l->blocks * FARE_BLOCK;
  options.batch = l->paths;
  rows          = l->paths * l->steps;
  snprintf(name, sizeof name, "%s/starts", l->name);
  PetscCall(fare_steer_starts(l->s, name, POOL, &l->pool));
  PetscCall(PetscMalloc3(rows * (dim + 1), &l->input, rows * dim, &l->kick, l->paths, &l->gap));
  PetscCall(fare_learn_train(PETSC_COMM_SELF, l->network, &options, &problem, &curve, &evaluations));
  PetscCall(fare_curve_free(&curve));
  PetscCall(PetscFree3(l->input, l->kick, l->gap));
  PetscCall(fare_ensemble_destroy(&l->pool));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_steer_network_destroy(fare_steer_network **network)
{
  PetscFunctionBegin;
  PetscCall(fare_network_destroy(&(*network)->network));
  PetscCall(PetscFree(*network));
  PetscFunctionReturn(0);
}

float *fare_steer_network_weights(fare_steer_network *l, size_t *count)
{
  *count = fare_network_count(l->network);
  return fare_network_weights(l->network);
}

fare_pilot fare_steer_network_pilot(fare_steer_network *l)
{
  return (fare_pilot){steer, l};
}
