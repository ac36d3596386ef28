/* SPDX-License-Identifier: BSD-2-Clause */
/* Walkers that are cloned: their steps, their weights, and how they are drawn anew. */
#include "crowd.h"

#include <math.h>
#include <string.h>

PetscErrorCode fare_crowd_create(size_t count, int dim, fare_crowd *c)
{
  const size_t rows = (size_t)(6 * dim + 5);
  double      *next;

  PetscFunctionBegin;
  c->count   = count;
  c->doubles = rows * count + FARE_BLOCK;
  PetscCall(PetscCalloc1(c->doubles, &c->memory));
  PetscCall(PetscCalloc2(count, &c->family, count, &c->parent));
  next = c->memory;
  for (int axis = 0; axis < dim; axis++, next += 6 * count) {
    c->x[axis] = next;
    c->y[axis] = next + count;
    c->f[axis] = next + 2 * count;
    c->g[axis] = next + 3 * count;
    c->D[axis] = next + 4 * count;
    c->u[axis] = next + 5 * count;
  }
  c->grown      = next;
  c->log_weight = next + count;
  c->sum        = next + 2 * count;
  c->level      = next + 3 * count;
  c->z          = next + 4 * count;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_crowd_free(fare_crowd *c)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(c->memory));
  PetscCall(PetscFree2(c->family, c->parent));
  PetscFunctionReturn(0);
}

static double wrapped(const fare_grid *grid, int axis, double x)
{
  const double width = grid->upper[axis] - grid->lower[axis];

  return grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? x - width * floor((x - grid->lower[axis]) / width)
                                                        : x;
}

void fare_crowd_interpolate(const fare_cloning *p, const double x[], double gradient[])
{
  const fare_grid *grid                = p->coarse;
  PetscInt         below[FARE_DIM_MAX] = {0};
  double           part[FARE_DIM_MAX]  = {0};

  for (int axis = 0; axis < p->dim; axis++) {
    const double at = (wrapped(grid, axis, x[axis]) - grid->lower[axis]) / grid->spacing[axis] - 0.5;

    below[axis] = (PetscInt)floor(at);
    part[axis]  = at - floor(at);
  }
  for (int k = 0; k <= p->dim; k++) gradient[k] = 0;
  for (int corner = 0; corner < 1 << p->dim; corner++) {
    PetscInt cell   = 0;
    double   weight = 1;

    for (int axis = p->dim - 1; axis >= 0; axis--) {
      const int      up    = corner >> axis & 1;
      const PetscInt cells = grid->cells[axis];
      PetscInt       i     = below[axis] + up;

      if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) i = (i % cells + cells) % cells;
      cell = cell * cells + PetscMax(0, PetscMin(cells - 1, i));
      weight *= up ? part[axis] : 1 - part[axis];
    }
    for (int k = 0; k <= p->dim; k++) gradient[k] += weight * p->gradient[cell * (p->dim + 1) + k];
  }
}

/* What the observable grows by per length along an axis. */
static double per_length(const fare_cloning *p, const fare_crowd *c, double *const f[], size_t i, int axis)
{
  switch (p->observable->kind) {
  case FARE_OF_DISPLACEMENT:
    return axis == p->observable->axis;
  case FARE_OF_ENTROPY:
    return f[axis][i] / c->D[axis][i];
  case FARE_OF_HEAT:
  case FARE_OF_WORK:
    return fare_system_kT(p->system, p->t) * f[axis][i] / c->D[axis][i];
  default:
    return 0;
  }
}

/* And per time. */
static double per_time(const fare_cloning *p, double *const x[], size_t i)
{
  double at[FARE_DIM_MAX];

  if (p->observable->kind == FARE_OF_MOMENT)
    return pow(x[p->observable->axis][i], (double)p->observable->power);
  if (p->observable->kind != FARE_OF_OCCUPATION) return 0;
  for (int axis = 0; axis < p->dim; axis++) at[axis] = x[axis][i];
  return fare_region_has(p->observable->region, at);
}

/* f, D and the drift u that steers, at x. */
static void look(const fare_cloning *p, fare_crowd *c)
{
  fare_system_drift(p->system, p->t, c->count, (const double *const *)c->x, c->f);
  fare_system_diffusion(p->system, p->t, c->count, (const double *const *)c->x, c->D);
  for (size_t i = 0; i < c->count && p->coarse; i++) {
    double x[FARE_DIM_MAX] = {0}, gradient[FARE_DIM_MAX + 1];

    for (int axis = 0; axis < p->dim; axis++) x[axis] = c->x[axis][i];
    fare_crowd_interpolate(p, x, gradient);
    for (int axis = 0; axis < p->dim; axis++)
      c->u[axis][i] = 2 * c->D[axis][i] * (p->s * per_length(p, c, c->f, i, axis) + gradient[axis]);
  }
}

/*
  One step: drift without steering is that of Heun's method, for which noise is as at the beginning; what
  steers is taken there alone, so that the weight is that of Girsanov. z: [axis][walker].
*/
void fare_crowd_step(const fare_cloning *p, fare_crowd *c, fare_stream noise, uint64_t number)
{
  const double dt = p->keys->dt;

  look(p, c);
  for (int axis = 0; axis < p->dim; axis++) {
    for (size_t block = 0; block * FARE_BLOCK < c->count; block++)
      fare_random_normals(noise, block, number, (uint32_t)axis, c->z + block * FARE_BLOCK);
    for (size_t i = 0; i < c->count; i++) {
      const double D = c->D[axis][i], u = c->u[axis][i];

      c->y[axis][i] = c->x[axis][i] + (c->f[axis][i] + u) * dt + sqrt(2 * D * dt) * c->z[i];
      c->log_weight[i] -= u * c->z[i] * sqrt(dt / (2 * D)) + u * u * dt / (4 * D);
    }
  }
  fare_system_drift(p->system, p->t, c->count, (const double *const *)c->y, c->g);
  for (size_t i = 0; i < c->count; i++) {
    c->grown[i] += 0.5 * dt * per_time(p, c->x, i);
    for (int axis = 0; axis < p->dim; axis++) {
      c->y[axis][i] += 0.5 * (c->g[axis][i] - c->f[axis][i]) * dt;
      c->grown[i] += 0.5 * (per_length(p, c, c->f, i, axis) + per_length(p, c, c->g, i, axis)) *
        (c->y[axis][i] - c->x[axis][i]);
    }
    for (int axis = 0; axis < p->dim; axis++) c->x[axis][i] = wrapped(p->grid, axis, c->y[axis][i]);
  }
  if (p->walls.dim && fare_walls_crossed(&p->walls, (int64_t)c->count, (const double *const *)c->x))
    fare_walls_fold(&p->walls, (int64_t)c->count, PETSC_FALSE, c->x, NULL);
  for (size_t i = 0; i < c->count; i++) c->grown[i] += 0.5 * dt * per_time(p, c->x, i);
}

/* Of the places y of parents. */
static void take(fare_crowd *c, int dim)
{
  double *const beside = c->grown;

  for (int axis = 0; axis < dim; axis++) {
    for (size_t i = 0; i < c->count; i++) c->y[axis][i] = c->x[axis][c->parent[i]];
    memcpy(c->x[axis], c->y[axis], c->count * sizeof(double));
  }
  for (size_t i = 0; i < c->count; i++) beside[i] = c->sum[c->parent[i]];
  memcpy(c->sum, beside, c->count * sizeof(double));
  for (size_t i = 0; i < c->count; i++) c->parent[i] = c->family[c->parent[i]];
  memcpy(c->family, c->parent, c->count * sizeof *c->family);
}

void fare_crowd_levels(const fare_cloning *p, fare_crowd *c, double level[])
{
  for (size_t i = 0; i < c->count && p->coarse; i++) {
    double x[FARE_DIM_MAX] = {0}, found[FARE_DIM_MAX + 1];

    for (int axis = 0; axis < p->dim; axis++) x[axis] = c->x[axis][i];
    fare_crowd_interpolate(p, x, found);
    level[i] = found[p->dim];
  }
}

/*
  ln of the mean weight, which has r at the end over r at the beginning: of a perfect control all are alike
  then. Then walkers are drawn anew, with equal weights, by one uniform number. */
double fare_crowd_resample(const fare_cloning *p, fare_crowd *c, double u)
{
  double most = -HUGE_VAL, all = 0, reached = 0;
  size_t next = 0;

  fare_crowd_levels(p, c, c->z);
  for (size_t i = 0; i < c->count; i++) {
    c->sum[i] += c->grown[i];
    c->log_weight[i] += p->s * c->grown[i] + (p->coarse ? c->z[i] - c->level[i] : 0);
    most = PetscMax(most, c->log_weight[i]);
  }
  for (size_t i = 0; i < c->count; i++) all += exp(c->log_weight[i] - most);
  for (size_t i = 0; i < c->count; i++) {
    reached += exp(c->log_weight[i] - most) / all * (double)c->count;
    while (next < c->count && (double)next + u < reached) c->parent[next++] = (int64_t)i;
  }
  while (next < c->count) c->parent[next++] = (int64_t)c->count - 1;
  take(c, p->dim);
  for (size_t i = 0; i < c->count; i++) c->grown[i] = c->log_weight[i] = 0;
  fare_crowd_levels(p, c, c->level);
  return most + log(all / (double)c->count);
}

void fare_crowd_scatter(const fare_cloning *p, fare_crowd *c, fare_stream stream)
{
  for (int axis = 0; axis < p->dim; axis++) {
    for (size_t block = 0; block * FARE_BLOCK < c->count; block++)
      fare_random_uniforms(stream, block, 0, (uint32_t)axis, c->z + block * FARE_BLOCK);
    for (size_t i = 0; i < c->count; i++)
      c->x[axis][i] = p->grid->lower[axis] + (p->grid->upper[axis] - p->grid->lower[axis]) * c->z[i];
  }
}
