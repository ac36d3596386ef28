/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Dissipation from pairs of positions, always judged on pairs that were held out. A fold is a stretch of the
  tracks, so that training and test share no neighbours but at its ends.
*/
#include "dissipation.h"

#include <petscblaslapack.h>

#include <math.h>
#include <string.h>

#define BLOCKS 32 /* of scores, whose means are taken as independent */
#define ENOUGH 10 /* pairs to a feature */

double fare_dissipation_sum(const fare_dissipation_pairs *p, int64_t i, const double weight[])
{
  double sum = 0;

  for (int k = 0; k < p->features; k++) sum += weight[k] * p->value[i * p->features + k];
  return sum;
}

PetscErrorCode fare_dissipation_solve(int n, double A[], double b[])
{
  const double little = 1e-9;
  PetscBLASInt size = n, one = 1, info;

  PetscFunctionBegin;
  for (int k = 0; k < n; k++) A[k * n + k] += little * (A[k * n + k] + 1e-300);
  LAPACKpotrf_("L", &size, A, &size, &info);
  if (info) FARE_FAIL(FARE_ERR_FAILED, "features of the pairs depend on each other: take fewer features");
  LAPACKpotrs_("L", &size, &one, A, &size, b, &size, &info);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_dissipation_linear(const fare_dissipation_pairs *p, PetscBool centred, double weight[])
{
  const int n = p->features;
  double   *A, used = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(n * n, &A));
  memset(weight, 0, (size_t)n * sizeof *weight);
  for (int64_t i = 0; i < p->count; i++) {
    const double *v = p->value + i * n;

    if (fare_is_held_out(p, i)) continue;
    used += 1;
    for (int k = 0; k < n; k++) {
      weight[k] += v[k];
      for (int l = 0; l <= k; l++) A[l * n + k] += v[k] * v[l];
    }
  }
  for (int k = 0; k < n; k++) {
    for (int l = 0; l <= k && centred; l++) A[l * n + k] -= weight[k] * weight[l] / used;
  }
  for (int k = 0; k < n; k++) weight[k] *= 2;
  PetscCall(fare_dissipation_solve(n, A, weight));
  PetscCall(PetscFree(A));
  PetscFunctionReturn(0);
}

/* Functions of one axis: powers of z, or where it is periodic 1, cos, sin, cos 2, ... */
static double function_of(PetscBool periodic, double z, int degree)
{
  if (!periodic) return pow(z, degree);
  if (!degree) return 1;
  return degree % 2 ? cos((degree + 1) / 2 * z) : sin(degree / 2 * z);
}

/* Degrees of all axes of product `k`; false past the last. */
static PetscBool product(int dim, int most, int k, int degree[])
{
  int seen = 0;

  for (degree[2] = 0; degree[2] <= (dim > 2 ? most : 0); degree[2]++) {
    for (degree[1] = 0; degree[1] <= (dim > 1 ? most : 0); degree[1]++) {
      for (degree[0] = 0; degree[0] <= most; degree[0]++) {
        if (degree[0] + degree[1] + degree[2] <= most && seen++ == k) return PETSC_TRUE;
      }
    }
  }
  return PETSC_FALSE;
}

static int products(int dim, int most)
{
  int degree[FARE_DIM_MAX], count = 0;

  while (product(dim, most, count, degree)) count++;
  return count;
}

/* Centre and width of the middles, and width of the ways, of what is trained on. */
typedef struct {
  double centre[FARE_DIM_MAX], width[FARE_DIM_MAX], way[FARE_DIM_MAX];
} scales;

static void find_scales(const fare_dissipation_pairs *p, scales *s)
{
  const fare_infer_context *c = p->context;

  for (int axis = 0; axis < p->dim; axis++) {
    double sum[3] = {0}, used = 0;

    for (int64_t i = 0; i < p->count; i++) {
      const double x = p->from[i * p->dim + axis] + 0.5 * p->way[i * p->dim + axis];

      if (fare_is_held_out(p, i)) continue;
      used += 1;
      sum[0] += x;
      sum[1] += x * x;
      sum[2] += PetscSqr(p->way[i * p->dim + axis]);
    }
    s->centre[axis] = sum[0] / used;
    s->width[axis]  = sqrt(PetscMax(sum[1] / used - PetscSqr(s->centre[axis]), 1e-300));
    s->way[axis]    = sqrt(PetscMax(sum[2] / used, 1e-300));
    if (c->boundary[axis] != FARE_BOUNDARY_PERIODIC) continue;
    s->centre[axis] = c->box.lower[axis];
    s->width[axis]  = (c->box.upper[axis] - c->box.lower[axis]) / (2 * PETSC_PI);
  }
}

static void make_features(fare_dissipation_pairs *p)
{
  const fare_infer_context *c     = p->context;
  const int                 count = p->features / p->dim;
  scales                    s;

  find_scales(p, &s);
  for (int64_t i = 0; i < p->count; i++) {
    for (int k = 0; k < count; k++) {
      int    degree[FARE_DIM_MAX];
      double value = 1;

      product(p->dim, c->features, k, degree);
      for (int axis = 0; axis < p->dim; axis++) {
        const double x = p->from[i * p->dim + axis] + 0.5 * p->way[i * p->dim + axis];

        value *= function_of(c->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE,
          (x - s.centre[axis]) / s.width[axis], degree[axis]);
      }
      for (int axis = 0; axis < p->dim; axis++)
        p->value[i * p->features + k * p->dim + axis] = value * p->way[i * p->dim + axis] / s.way[axis];
    }
  }
}

static PetscErrorCode create(
  const fare_infer_context *c, const fare_tracks *tracks, fare_dissipation_pairs *p)
{
  int64_t *pair;
  double   lag;

  PetscFunctionBegin;
  PetscCall(fare_infer_check_noise(tracks, c->type->name));
  p->context  = c;
  p->dim      = tracks->dim;
  p->features = p->dim * products(p->dim, c->features);
  PetscCall(fare_tracks_pairs(tracks, c->lag, &p->count, &pair));
  if (p->count < 2 * (int64_t)ENOUGH * p->features || p->count < 2 * BLOCKS) {
    PetscCall(PetscFree(pair));
    FARE_FAIL(FARE_ERR_INPUT, "%lld pairs are too few for %d features: %lld or more are needed",
      (long long)p->count, p->features, (long long)PetscMax(2 * (int64_t)ENOUGH * p->features, 2 * BLOCKS));
  }
  lag = tracks->time[pair[1]] - tracks->time[pair[0]];
  PetscCall(
    PetscMalloc3(p->count * p->dim, &p->from, p->count * p->dim, &p->way, p->count * p->features, &p->value));
  for (int64_t i = 0; i < p->count; i++) {
    const int64_t a = pair[2 * i], b = pair[2 * i + 1];

    if (!(fabs(tracks->time[b] - tracks->time[a] - lag) <= 1e-5 * lag)) lag = NAN;
    for (int axis = 0; axis < p->dim; axis++) {
      p->from[i * p->dim + axis] = tracks->x[a * p->dim + axis];
      p->way[i * p->dim + axis] =
        fare_infer_way(c, axis, tracks->x[a * p->dim + axis], tracks->x[b * p->dim + axis]);
    }
  }
  PetscCall(PetscFree(pair));
  if (isnan(lag)) FARE_FAIL(FARE_ERR_INPUT, "pairs have different lags: give 'lag'");
  PetscFunctionReturn(0);
}

/* Mean of block means and its standard error; and the variance of single scores. */
static void average(int64_t count, const double score[], double *mean, double *error, double *variance)
{
  double sum = 0, squares = 0, between = 0;

  for (int64_t i = 0; i < count; i++) sum += score[i];
  *mean = sum / (double)count;
  for (int64_t i = 0; i < count; i++) squares += PetscSqr(score[i] - *mean);
  for (int b = 0; b < BLOCKS; b++) {
    const int64_t first = count * b / BLOCKS, last = count * (b + 1) / BLOCKS;
    double        block = 0;

    for (int64_t i = first; i < last; i++) block += score[i] - *mean;
    between += PetscSqr(block / (double)(last - first));
  }
  *error    = sqrt(between / (BLOCKS * (BLOCKS - 1)));
  *variance = squares / (double)(count - 1);
}

PetscErrorCode fare_dissipation_fit(const fare_infer_context *c, const fare_tracks *tracks,
  fare_dissipation_score *score, PetscBool ratio, fare_inferred *inferred)
{
  fare_dissipation_pairs p = {0};
  double                *all, mean, error, variance, lag;

  PetscFunctionBegin;
  PetscCall(create(c, tracks, &p));
  PetscCall(PetscMalloc1(p.count, &all));
  for (int fold = 0; fold < c->folds; fold++) {
    p.first = p.count * fold / c->folds;
    p.last  = p.count * (fold + 1) / c->folds;
    make_features(&p);
    PetscCall(score(&p, all + p.first));
  }
  average(p.count, all, &mean, &error, &variance);
  lag = c->lag > 0 ? c->lag : tracks->time[1] - tracks->time[0];
  if (ratio) {
    error = 4 * fabs(mean) * error / variance;
    mean  = 2 * mean * fabs(mean) / variance;
  }
  if (!(error > 0)) error = NAN; /* nothing was found that would serve other pairs */
  inferred->pairs    = p.count;
  inferred->theta[0] = mean / lag;
  inferred->error[0] = error / lag;
  inferred->low[0]   = (mean - FARE_NORMAL_95 * error) / lag;
  inferred->high[0]  = (mean + FARE_NORMAL_95 * error) / lag;
  inferred->grid[0]  = NAN;
  PetscCall(PetscFree(all));
  PetscCall(PetscFree3(p.from, p.way, p.value));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(
  const fare_infer_context *c, const PetscInt cells[], double lag, double *rate, double *at_once)
{
  const int  dim = fare_system_dimension(c->study->system);
  fare_grid *grid;

  PetscFunctionBegin;
  PetscCall(fare_grid_create(c->comm, dim, cells, c->box.lower, c->box.upper, c->boundary, &grid));
  PetscCall(fare_irreversibility_solve(grid, c->study->system, 0, 1, &lag, rate, at_once));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_dissipation_limit(const fare_infer_context *c, const PetscInt cells[], double theta[])
{
  double at_once;

  return solve(c, cells, c->lag, theta, &at_once);
}

/* A short lag, of which nothing but the production is asked. */
PetscErrorCode fare_dissipation_truth(const fare_infer_context *c, double theta[])
{
  double rate;

  return solve(c, c->cells, 1e-6 * c->lag, &rate, theta);
}

PetscErrorCode fare_dissipation_check(const fare_infer_context *c)
{
  const fare_system *system = c->study->system;
  const int          dim    = fare_system_dimension(system);
  double             at[FARE_DIM_MAX], D[FARE_DIM_MAX];
  const double      *x[FARE_DIM_MAX]  = {&at[0], &at[1], &at[2]};
  double *const      to[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) at[axis] = 0.5 * c->box.lower[axis] + 0.5 * c->box.upper[axis];
  fare_system_diffusion(system, 0, 1, x, to);
  for (int axis = 0; axis < dim; axis++) {
    if (!(D[axis] > 0))
      FARE_FAIL(FARE_ERR_INPUT,
        "%s needs diffusion along every axis: axis %s has none, and reversal would turn velocities",
        c->type->name, fare_system_axis_name(system, axis));
  }
  PetscFunctionReturn(0);
}
