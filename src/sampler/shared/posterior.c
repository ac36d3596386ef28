/* SPDX-License-Identifier: BSD-2-Clause */
/*
  E[x | y] of exact densities and of training sets: which data are meant, and how they are summed.
*/
#include "posterior_parts.h"

#include <petscdmda.h>

#include <math.h>

/* Particles of one training time, wrapped; weights with sum 1, NULL where all are equal. */
static PetscErrorCode gather_time(
  const fare_sampler *sampler, const fare_ensemble *e, double t, fare_generative_particles *to)
{
  double sum = 0;

  PetscFunctionBegin;
  to->time  = t;
  to->count = e->count;
  for (int axis = 0; axis < e->dim; axis++) {
    PetscCall(PetscMalloc1(e->count, &to->x[axis]));
    PetscCall(fare_ensemble_gather(e, e->local, e->x[axis], to->x[axis]));
    fare_generative_wrap(sampler, axis, e->count, to->x[axis]);
  }
  if (!e->weight) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(e->count, &to->weight));
  PetscCall(fare_ensemble_gather(e, e->local, e->weight, to->weight));
  for (int64_t i = 0; i < e->count; i++) sum += to->weight[i];
  for (int64_t i = 0; i < e->count; i++) to->weight[i] /= sum;
  PetscFunctionReturn(0);
}

static double share_of(const fare_generative_particles *of, int64_t i)
{
  return of->weight ? of->weight[i] : 1. / (double)of->count;
}

/* The mean over all times of a power of what an axis has from a place on. */
static double moment(const fare_generative *g, int axis, double about, int power)
{
  double sum = 0;

  for (int64_t k = 0; k < g->times; k++) {
    for (int64_t i = 0; i < g->given[k].count; i++)
      sum += share_of(&g->given[k], i) * pow(g->given[k].x[axis][i] - about, power);
  }
  return sum / (double)g->times;
}

/*
  Mean and sd as a training_context has them, but of all particles in their order, so that they are the same
  on any number of ranks.
*/
static PetscErrorCode scale_times(const fare_sampler *sampler, fare_generative *g)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++) {
    g->mean[axis] = moment(g, axis, 0, 1);
    g->sd[axis]   = sqrt(moment(g, axis, g->mean[axis], 2));
    if (!(isfinite(g->sd[axis]) && g->sd[axis] > 0))
      FARE_SAMPLER_FAIL(
        sampler, FARE_ERR_FAILED, "the training particles have no spread along axis %d", axis);
    for (int64_t k = 0; k < g->times; k++) {
      for (int64_t i = 0; i < g->given[k].count; i++)
        g->given[k].x[axis][i] = (g->given[k].x[axis][i] - g->mean[axis]) / g->sd[axis];
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_generative *g = sampler->state;

  PetscFunctionBegin;
  if (sampler->mode == FARE_ORACLE) {
    /* of a truth that is not one grid, the scale is that of each time */
    if (!sampler->joint) PetscCall(fare_generative_scale_exact(sampler, data));
  } else {
    PetscCall(PetscCalloc1((size_t)data->count, &g->given));
    for (g->times = 0; g->times < data->count; g->times++)
      PetscCall(gather_time(sampler, data->at[g->times], data->times[g->times], &g->given[g->times]));
    PetscCall(scale_times(sampler, g));
  }
  g->ready = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode resize(fare_posterior *p, int64_t count)
{
  PetscFunctionBegin;
  p->count = count;
  for (int axis = 0; axis < p->dim; axis++) {
    PetscCall(PetscFree(p->x[axis]));
    PetscCall(PetscMalloc1((size_t)count, &p->x[axis]));
  }
  PetscCall(PetscFree(p->weight));
  PetscCall(PetscMalloc1((size_t)count, &p->weight));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin_cells(fare_posterior *p, double t)
{
  const fare_generative *g    = p->sampler->state;
  const fare_grid       *grid = p->sampler->exact->grid;
  const double          *masses;

  PetscFunctionBegin;
  PetscCall(fare_sampler_exact(p->sampler, t, &masses));
  p->cells = PETSC_TRUE;
  PetscCall(resize(p, fare_grid_owned(grid)));
  for (int axis = 0; axis < p->dim; axis++) {
    p->extent[axis]  = (int)grid->cells[axis];
    p->spacing[axis] = grid->spacing[axis] / g->sd[axis];
    p->lower[axis]   = (fare_grid_centre(grid, axis, 0) - g->mean[axis]) / g->sd[axis];
    p->upper[axis]   = (fare_grid_centre(grid, axis, grid->cells[axis] - 1) - g->mean[axis]) / g->sd[axis];
  }
  for (int64_t i = 0; i < p->count; i++) {
    int64_t rest = i;

    p->weight[i] = masses[i];
    for (int axis = 0; axis < p->dim; axis++) {
      p->x[axis][i] = p->lower[axis] + p->spacing[axis] * (double)(rest % p->extent[axis]);
      rest /= p->extent[axis];
    }
  }
  PetscFunctionReturn(0);
}

static void add_time(fare_posterior *p, const fare_generative_particles *of, double share, int64_t at)
{
  for (int64_t i = 0; i < of->count; i++) {
    for (int axis = 0; axis < p->dim; axis++) p->x[axis][at + i] = of->x[axis][i];
    p->weight[at + i] = share * share_of(of, i);
  }
}

static PetscErrorCode begin_particles(fare_posterior *p, double t)
{
  const fare_generative           *g  = p->sampler->state;
  const fare_generative_particles *of = g->given, *last = g->given + g->times - 1;
  const double                     same = 1e-9 * (p->sampler->schedule.end - p->sampler->schedule.start);
  double                           later;

  PetscFunctionBegin;
  while (of < last && of[1].time <= t + same) of++;
  later = of < last && t > of->time + same ? (t - of->time) / (of[1].time - of->time) : 0;
  PetscCall(resize(p, of->count + (later > 0 ? of[1].count : 0)));
  add_time(p, of, 1 - later, 0);
  if (later > 0) add_time(p, of + 1, later, of->count);
  for (int axis = 0; axis < p->dim; axis++) {
    p->lower[axis] = p->upper[axis] = p->x[axis][0];
    for (int64_t i = 0; i < p->count; i++) {
      p->lower[axis] = PetscMin(p->lower[axis], p->x[axis][i]);
      p->upper[axis] = PetscMax(p->upper[axis], p->x[axis][i]);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_begin(fare_sampler *sampler, int augmented, double t)
{
  fare_generative *g = sampler->state;

  PetscFunctionBegin;
  if (!g->posterior) {
    PetscCall(PetscNew(&g->posterior));
    g->posterior->sampler = sampler;
    g->posterior->dim     = fare_system_dimension(sampler->system);
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) g->posterior->extent[axis] = 1;
  }
  g->posterior->augmented = augmented;
  g->posterior->level     = 0;
  if (sampler->mode == FARE_ORACLE && sampler->joint)
    PetscCall(fare_posterior_joint_begin(g->posterior, sampler));
  else if (sampler->mode == FARE_ORACLE)
    PetscCall(begin_cells(g->posterior, t));
  else
    PetscCall(begin_particles(g->posterior, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_level(fare_posterior *p, double sigma)
{
  PetscFunctionBegin;
  if (sigma == p->level) PetscFunctionReturn(0);
  p->level = sigma;
  if (p->joint) PetscFunctionReturn(fare_posterior_joint_level(p, sigma));
  p->by_table = fare_posterior_table_serves(p, sigma);
  if (p->by_table)
    PetscCall(fare_posterior_table_make(p, sigma));
  else
    PetscCall(fare_posterior_boxes_make(p, sigma));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_mean(const fare_posterior *p, const fare_row y[], fare_row mean[])
{
  PetscFunctionBegin;
  if (p->joint)
    PetscCall(fare_posterior_joint_mean(p, y, mean));
  else if (p->by_table)
    fare_posterior_lookup(&p->table, y, mean);
  else
    fare_posterior_sum(&p->boxes, y, mean);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_destroy(fare_sampler *sampler)
{
  fare_generative *g = sampler->state;
  fare_posterior  *p = g->posterior;

  PetscFunctionBegin;
  if (p) {
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree(p->x[axis]));
    PetscCall(PetscFree(p->weight));
    PetscCall(PetscFree2(p->share, p->wide));
    PetscCall(fare_posterior_table_free(&p->table));
    PetscCall(fare_posterior_boxes_free(&p->boxes));
    PetscCall(PetscFree(g->posterior));
  }
  PetscCall(fare_generative_destroy(sampler));
  PetscFunctionReturn(0);
}

/* The place of a datum among the cells that this rank owns, -1 where it is not among them. */
static PetscInt owned_cell(const fare_posterior *p, const fare_grid *grid, int64_t i)
{
  const fare_generative *g  = p->sampler->state;
  PetscInt               at = 0;

  for (int axis = p->dim - 1; axis >= 0; axis--) {
    const double   x    = g->mean[axis] + g->sd[axis] * p->x[axis][i];
    const PetscInt cell = (PetscInt)floor((x - grid->lower[axis]) / grid->spacing[axis]) - grid->start[axis];

    if (cell < 0 || cell >= grid->count[axis]) return -1;
    at = at * grid->count[axis] + cell;
  }
  return at;
}

PetscErrorCode fare_posterior_masses(const fare_posterior *p, const fare_grid *grid, Vec *masses)
{
  PetscScalar *mass;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArray(*masses, &mass));
  for (int64_t i = 0; i < p->count; i++) {
    const PetscInt at = owned_cell(p, grid, i);

    if (at >= 0) mass[at] += p->weight[i];
  }
  PetscCall(VecRestoreArray(*masses, &mass));
  PetscFunctionReturn(0);
}
