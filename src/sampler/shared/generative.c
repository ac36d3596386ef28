/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What samplers that learn from snapshots, conditioned on the physical time, have in common: inputs, rows,
  training, what is kept.
*/
#include "generative.h"

#include <math.h>
#include <string.h>

void fare_generative_scalar(PetscInt64 frequencies, int n, const float z[], int stride, float out[])
{
  memcpy(out, z, (size_t)n * sizeof(float));
  fare_learn_frequencies((int)frequencies, PETSC_PI / 2, n, z, NULL, stride, out + stride);
}

int fare_generative_time_inputs(const fare_generative *g)
{
  return 1 + 2 * (int)g->time_frequencies;
}

void fare_generative_time(const fare_sampler *sampler, double t, float out[])
{
  const fare_generative *g      = sampler->state;
  const double           length = sampler->schedule.end - sampler->schedule.start;
  const float            z      = length > 0 ? (float)(2 * (t - sampler->schedule.start) / length - 1) : 0;

  fare_generative_scalar(g->time_frequencies, 1, &z, 1, out);
}

PetscBool fare_generative_is_periodic(const fare_sampler *sampler, int axis)
{
  return fare_system_type_of(sampler->system)->periodic[axis];
}

int fare_generative_frequencies(const fare_sampler *sampler, int axis)
{
  const int frequencies = (int)((const fare_generative *)sampler->state)->frequencies;

  return fare_generative_is_periodic(sampler, axis) ? PetscMax(1, frequencies) : frequencies;
}

double fare_generative_frequency(const fare_sampler *sampler, int axis)
{
  const fare_generative  *g    = sampler->state;
  const fare_system_type *type = fare_system_type_of(sampler->system);

  return type->periodic[axis] ? 2 * PETSC_PI * g->sd[axis] / (type->upper[axis] - type->lower[axis])
                              : g->frequency;
}

int fare_generative_position_inputs(const fare_sampler *sampler, int axes)
{
  int n = 0;

  for (int axis = 0; axis < axes; axis++)
    n +=
      (fare_generative_is_periodic(sampler, axis) ? 0 : 1) + 2 * fare_generative_frequencies(sampler, axis);
  return n;
}

void fare_generative_positions(
  const fare_sampler *sampler, int axes, int n, const float *const z[], float input[])
{
  for (int axis = 0; axis < axes; axis++) {
    const int frequencies = fare_generative_frequencies(sampler, axis);

    if (!fare_generative_is_periodic(sampler, axis)) {
      memcpy(input, z[axis], (size_t)n * sizeof(float));
      input += FARE_BLOCK;
    }
    fare_learn_frequencies(
      frequencies, fare_generative_frequency(sampler, axis), n, z[axis], NULL, FARE_BLOCK, input);
    input += (size_t)(2 * frequencies) * FARE_BLOCK;
  }
}

void fare_generative_wrap(const fare_sampler *sampler, int axis, int64_t n, double x[])
{
  const fare_system_type *type  = fare_system_type_of(sampler->system);
  const double            lower = type->lower[axis], length = type->upper[axis] - lower;

  for (int64_t i = 0; i < n && type->periodic[axis]; i++) x[i] -= length * floor((x[i] - lower) / length);
}

PetscErrorCode fare_generative_rows_begin(
  fare_sampler *sampler, const fare_training_set *data, fare_generative_rows *l)
{
  fare_generative *g = sampler->state;
  double *(*x)[FARE_AXES_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  *l = (fare_generative_rows){.dim = fare_system_dimension(sampler->system),
    .time_inputs                   = fare_generative_time_inputs(g),
    .stream                        = fare_sampler_stream(sampler, "training")};
  PetscCall(PetscMalloc1((size_t)(data->count * l->time_inputs), &l->times));
  PetscCall(PetscCalloc1((size_t)data->count, &x));
  PetscCall(fare_learn_rows_create(sampler->comm, l->dim, data->count, &l->rows));
  for (int k = 0; k < data->count; k++) {
    const fare_ensemble *e = data->at[k];

    /* copies, since particles of a training set are not ours to change */
    for (int axis = 0; axis < l->dim; axis++) {
      PetscCall(PetscMalloc1((size_t)e->local, &x[k][axis]));
      PetscCall(PetscArraycpy(x[k][axis], e->x[axis], e->local));
      fare_generative_wrap(sampler, axis, e->local, x[k][axis]);
    }
    fare_learn_rows_set(
      l->rows, k, e->count, e->first_block * FARE_BLOCK, e->local, (const double *const *)x[k], e->weight);
    fare_generative_time(sampler, data->times[k], l->times + k * l->time_inputs);
  }
  fare_learn_rows_hold_out(l->rows, g->learn.validation_fraction);
  code = fare_learn_rows_standardise(l->rows, g->mean, g->sd);
  for (int k = 0; k < data->count; k++) {
    for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscFree(x[k][axis]));
  }
  PetscCall(PetscFree(x));
  if (!code) PetscCall(fare_learn_batch_create(l->dim, g->learn.batch, &l->batch));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_generative_rows_end(fare_generative_rows *l)
{
  PetscFunctionBegin;
  PetscCall(fare_learn_rows_destroy(&l->rows));
  PetscCall(fare_learn_batch_destroy(&l->batch));
  PetscCall(PetscFree(l->times));
  PetscFunctionReturn(0);
}

void fare_generative_rows_times(const fare_generative_rows *l, int64_t first, int n, float input[])
{
  for (int k = 0; k < l->time_inputs; k++) {
    for (int i = 0; i < n; i++)
      input[k * FARE_BLOCK + i] = l->times[l->batch->group[first + i] * l->time_inputs + k];
  }
}

PetscErrorCode fare_generative_learn(fare_sampler *sampler, fare_learn_problem *problem)
{
  fare_generative *g = sampler->state;
  char             what[128];

  PetscFunctionBegin;
  snprintf(what, sizeof what, "training %s", sampler->name);
  problem->what    = what;
  problem->session = &sampler->session;
  PetscCall(fare_learn_train(
    sampler->comm, g->network, &g->learn, problem, &g->curve, &sampler->cost.network_evaluations));
  g->ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_generative_scale_exact(fare_sampler *sampler, const fare_training_set *times)
{
  fare_generative *g                 = sampler->state;
  const fare_grid *grid              = sampler->exact->grid;
  double           sum[FARE_DIM_MAX] = {0}, square[FARE_DIM_MAX] = {0};

  PetscFunctionBegin;
  for (int k = 0; k < times->count; k++) {
    const double *mass;

    PetscCall(fare_sampler_exact(sampler, times->times[k], &mass));
    for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
      double x[FARE_DIM_MAX];

      fare_cell_centre(grid, n, x);
      for (int axis = 0; axis < grid->dim; axis++) {
        sum[axis] += mass[n] * x[axis] / times->count;
        /* what the centres of cells have too much (Sheppard) */
        square[axis] +=
          mass[n] * (x[axis] * x[axis] - grid->spacing[axis] * grid->spacing[axis] / 12) / times->count;
      }
    }
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    g->mean[axis] = sum[axis];
    g->sd[axis]   = sqrt(square[axis] - sum[axis] * sum[axis]);
  }
  PetscFunctionReturn(0);
}

void fare_generative_diffusion(const fare_system *system, double t, const double x[], double D[])
{
  const double *at[FARE_AXES_MAX];
  double       *to[FARE_AXES_MAX];

  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    at[axis] = x + axis;
    to[axis] = D + axis;
  }
  fare_system_diffusion(system, t, 1, at, to);
}

PetscErrorCode fare_generative_check_ready(const fare_sampler *sampler)
{
  PetscFunctionBegin;
  if (!((const fare_generative *)sampler->state)->ready)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "it must be trained, or loaded, before it can sample");
  PetscFunctionReturn(0);
}

void fare_generative_place(const fare_sampler *sampler, fare_row from[], fare_ensemble *ensemble, int64_t b)
{
  const fare_generative *g = sampler->state;

  for (int axis = 0; axis < ensemble->dim; axis++) {
    double *x = ensemble->x[axis] + b * FARE_BLOCK;

    fare_generative_shift(g->mean[axis], g->sd[axis], from[axis], x);
    fare_generative_wrap(sampler, axis, FARE_BLOCK, x);
  }
}

const fare_curve *fare_generative_curve(const fare_sampler *sampler)
{
  return &((const fare_generative *)sampler->state)->curve;
}

static const fare_kept given[] = {
  FARE_KEEP(REAL, fare_generative_particles, time),
  {.name    = "x",
    .kind   = FARE_KEPT_REALS,
    .offset = offsetof(fare_generative_particles, x[0]),
    .length = offsetof(fare_generative_particles, count)},
  {.name    = "y",
    .kind   = FARE_KEPT_REALS,
    .offset = offsetof(fare_generative_particles, x[1]),
    .length = offsetof(fare_generative_particles, count)},
  {.name    = "z",
    .kind   = FARE_KEPT_REALS,
    .offset = offsetof(fare_generative_particles, x[2]),
    .length = offsetof(fare_generative_particles, count)},
  FARE_KEEP_WITH(
    REALS, fare_generative_particles, weight, .length = offsetof(fare_generative_particles, count)),
  FARE_KEPT_END,
};

const fare_kept fare_generative_kept[] = {
  FARE_KEEP(BOOLEAN, fare_generative, ready),
  FARE_KEEP(INTEGER, fare_generative, advances),
  FARE_KEEP_WITH(REAL, fare_generative, mean, .count = FARE_AXES_MAX),
  FARE_KEEP_WITH(REAL, fare_generative, sd, .count = FARE_AXES_MAX),
  FARE_KEEP_WITH(
    OBJECT, fare_generative, network, .type = &fare_network_kept, .only = FARE_KEPT_IN(FARE_LEARNED)),
  FARE_KEEP_WITH(
    STRUCT, fare_generative, curve, .fields = fare_curve_kept, .only = FARE_KEPT_IN(FARE_LEARNED)),
  FARE_KEEP_WITH(STRUCTS, fare_generative, given, .length = offsetof(fare_generative, times),
    .size = sizeof(fare_generative_particles), .fields = given, .only = FARE_KEPT_IN(FARE_EMPIRICAL)),
  FARE_KEPT_END,
};

/* All axes have the particles of a training set, and an optimum has a training set. */
PetscErrorCode fare_generative_loaded(fare_sampler *sampler)
{
  const fare_generative *g = sampler->state;
  PetscBool is = sampler->mode != FARE_EMPIRICAL || !g->ready || g->times ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  for (int64_t k = 0; k < g->times; k++) {
    if (!g->given[k].count) is = PETSC_FALSE;
    for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++) {
      if (!g->given[k].x[axis]) is = PETSC_FALSE;
    }
  }
  if (!is) FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "its training set is incomplete");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_generative_destroy(fare_sampler *sampler)
{
  fare_generative *g = sampler->state;

  PetscFunctionBegin;
  PetscCall(fare_network_destroy(&g->network));
  PetscCall(fare_kept_free(fare_generative_kept, g));
  PetscFunctionReturn(0);
}
