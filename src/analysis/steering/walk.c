/* SPDX-License-Identifier: BSD-2-Clause */
/* Paths under a control, block by block. */
#include "steering.h"

#include <math.h>
#include <string.h>

/* Back into the box along periodic axes; mirrors elsewhere. */
static void stay_in_box(const fare_steer *s, const fare_walls *walls, double *const x[])
{
  const fare_grid *grid = s->grid;

  for (int axis = 0; axis < grid->dim; axis++) {
    const double width = grid->upper[axis] - grid->lower[axis];

    if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC) continue;
    for (int i = 0; i < FARE_BLOCK; i++)
      x[axis][i] -= width * floor((x[axis][i] - grid->lower[axis]) / width);
  }
  if (fare_walls_crossed(walls, FARE_BLOCK, (const double *const *)x))
    fare_walls_fold(walls, FARE_BLOCK, PETSC_FALSE, x, NULL);
}

/* sqrt(dt) z along an axis. */
static void draw(const fare_steer_block *b, int64_t step, int axis, double dt, double kick[])
{
  double other[FARE_BLOCK] FARE_ALIGNED;

  fare_random_normals(b->noise, b->number, b->first + (uint64_t)(step * b->draws), (uint32_t)axis, kick);
  if (b->draws > 1)
    fare_random_normals(
      b->noise, b->number, b->first + (uint64_t)(step * b->draws) + 1, (uint32_t)axis, other);
  for (int i = 0; i < FARE_BLOCK; i++)
    kick[i] = sqrt(dt) * (b->draws > 1 ? (kick[i] + other[i]) * M_SQRT1_2 : kick[i]);
}

void fare_steer_walk(const fare_steer *s, const fare_pilot *pilot, fare_steer_block *b)
{
  const fare_feedback_shape *span  = fare_feedback_shape_of(s->best);
  const double               dt    = (span->end - span->begin) / (double)b->steps;
  const fare_walls           walls = fare_grid_walls(s->grid, s->system);
  const int                  dim   = s->grid->dim;
  double store[4][FARE_DIM_MAX][FARE_BLOCK] FARE_ALIGNED, value[FARE_BLOCK], *x[FARE_DIM_MAX],
    *f[FARE_DIM_MAX], *D[FARE_DIM_MAX], *a[FARE_DIM_MAX], *kick[FARE_DIM_MAX];

  fare_block_rows(dim, b->x, x);
  fare_block_rows(dim, store[0], f);
  fare_block_rows(dim, store[1], D);
  fare_block_rows(dim, store[2], a);
  fare_block_rows(dim, store[3], kick);
  fare_feedback_at(s->best, span->begin, FARE_BLOCK, (const double *const *)x, value, NULL);
  for (int i = 0; i < FARE_BLOCK; i++) b->gap[i] = -value[i];
  memset(b->cost, 0, sizeof b->cost);
  for (int64_t step = 0; step < b->steps; step++) {
    const double t = span->begin + (double)step * dt;

    fare_system_drift(s->system, t, FARE_BLOCK, (const double *const *)x, f);
    fare_system_diffusion(s->system, t, FARE_BLOCK, (const double *const *)x, D);
    pilot->at(pilot->context, t, FARE_BLOCK, (const double *const *)x, (const double *const *)D, a);
    for (int axis = 0; axis < dim; axis++) draw(b, step, axis, dt, kick[axis]);
    if (b->keep) b->keep(b->context, step, t, (const double *const *)x, (const double *const *)kick);
    for (int axis = 0; axis < dim; axis++) {
      for (int i = 0; i < FARE_BLOCK; i++) {
        const double c = a[axis][i], spent = 0.5 * c * c * dt;

        b->cost[i] += spent;
        b->gap[i] += spent + c * kick[axis][i];
        x[axis][i] += f[axis][i] * dt + sqrt(2 * D[axis][i]) * (c * dt + kick[axis][i]);
      }
    }
    stay_in_box(s, &walls, x);
  }
  fare_feedback_at(s->best, span->end, FARE_BLOCK, (const double *const *)x, value, NULL);
  for (int i = 0; i < FARE_BLOCK; i++) b->gap[i] += value[i];
}

PetscErrorCode fare_steer_starts(const fare_steer *s, const char *name, int64_t count, fare_ensemble **starts)
{
  const double begin = fare_feedback_shape_of(s->best)->begin;
  fare_box     box   = fare_grid_box(s->grid);
  fare_initial from  = *s->from;

  PetscFunctionBegin;
  from.box     = &box;
  from.bounded = PETSC_TRUE;
  PetscCall(fare_ensemble_create(PETSC_COMM_SELF, s->grid->dim, count, starts));
  PetscCall(
    fare_ensemble_draw(*starts, &from, s->system, begin, fare_stream_make((uint64_t)s->keys->seed, name)));
  PetscFunctionReturn(0);
}
