/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What a design can tell: eigenvalues and directions of Fisher's information, in units of the parameters'
  scales. An eigenvalue that is not above the error that cells and steps make is 0: no number of particles
  tells its direction. A better design exchanges times, and starts, as long as the sum of relative variances
  falls.
*/
#include "design.h"

#include <petscblaslapack.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STEPS     32    /* of a driven system from snapshot to snapshot; half as many give the error */
#define OTHERS    16    /* times that a better design may take, by default */
#define ROUNDING  1e-10 /* of the largest eigenvalue */
#define COMPONENT 1e-3  /* of a direction, below which a parameter has no part in it */
#define UNTOLD    1e15  /* relative variance of a direction that is not told */
#define MORE      1.01  /* gain in a variance that is worth a row */
#define RESOLVED  2.0   /* cells in the standard deviation of a density, at least */

/* Times with the information of each, on three levels: as asked, half the cells, half the steps. */
enum { FINE, COARSE, LONG, LEVELS };
typedef struct {
  int64_t    n;
  fare_tell *level[LEVELS];
} table;

static int by_time(const void *a, const void *b)
{
  const double p = ((const fare_tell *)a)->time, q = ((const fare_tell *)b)->time;

  return (p > q) - (p < q);
}

/* Given times first in `mine` (their places after sorting), then the others. */
static PetscErrorCode list_times(const fare_infer_context *c, const fare_design *d, table *t, int64_t mine[])
{
  const size_t others = d->others.count ? d->others.count : d->kind == FARE_DESIGN_SNAPSHOTS ? OTHERS : 0;
  double       last   = c->study->start;

  PetscFunctionBegin;
  t->n = (int64_t)(d->times.count + others);
  for (int level = 0; level < LEVELS; level++) PetscCall(PetscCalloc1((size_t)t->n, &t->level[level]));
  for (size_t i = 0; i < d->times.count; i++) {
    t->level[FINE][i].time = d->times.values[i];
    last                   = PetscMax(last, d->times.values[i]);
  }
  for (size_t i = 0; i < others; i++)
    t->level[FINE][d->times.count + i].time = d->others.count
      ? d->others.values[i]
      : c->study->start + (last - c->study->start) * (double)(i + 1) / (double)others;
  qsort(t->level[FINE], (size_t)t->n, sizeof(fare_tell), by_time);
  for (int level = 1; level < LEVELS; level++)
    memcpy(t->level[level], t->level[FINE], (size_t)t->n * sizeof(fare_tell));
  for (size_t i = 0; i < d->times.count; i++)
    for (int64_t k = 0; k < t->n; k++)
      if (t->level[FINE][k].time == d->times.values[i]) mine[i] = k;
  PetscFunctionReturn(0);
}

static PetscErrorCode fill(
  const fare_infer_context *c, const fare_design *d, const fare_initial *initial, table *t)
{
  const PetscBool driven = fare_system_is_driven(c->study->system);
  PetscInt        half[FARE_DIM_MAX];

  PetscFunctionBegin;
  fare_infer_half(c, half);
  if (d->kind == FARE_DESIGN_TRAJECTORIES) {
    PetscCall(fare_tell_transitions(c, initial, c->cells, t->n, t->level[FINE]));
    PetscCall(fare_tell_transitions(c, initial, half, t->n, t->level[COARSE]));
  } else {
    PetscCall(fare_tell_snapshots(c, initial, c->cells, STEPS, t->n, t->level[FINE]));
    PetscCall(fare_tell_snapshots(c, initial, half, STEPS, t->n, t->level[COARSE]));
    if (driven) PetscCall(fare_tell_snapshots(c, initial, c->cells, STEPS / 2, t->n, t->level[LONG]));
  }
  if (!driven) memcpy(t->level[LONG], t->level[FINE], (size_t)t->n * sizeof(fare_tell));
  PetscFunctionReturn(0);
}

/*
  Densities of snapshots that the cells do not resolve: those that were asked about are refused, those that a
  better design might take of its own accord tell nothing.
*/
static PetscErrorCode check_widths(
  const fare_infer_context *c, const fare_design *d, const int64_t mine[], table *t)
{
  PetscFunctionBegin;
  for (int64_t k = 0; k < t->n && d->kind == FARE_DESIGN_SNAPSHOTS; k++) {
    const fare_tell *tell  = &t->level[FINE][k];
    PetscBool        asked = d->others.count > 0 ? PETSC_TRUE : PETSC_FALSE;

    if (tell->width >= RESOLVED) continue;
    for (size_t i = 0; i < d->times.count; i++)
      if (mine[i] == k) asked = PETSC_TRUE;
    if (asked)
      FARE_FAIL(FARE_ERR_INPUT,
        "cells: at time %g the density is as steep as a Gaussian of standard deviation %.2g cells: take %.0f "
        "times as many or more",
        tell->time, tell->width, ceil(RESOLVED / PetscMax(tell->width, 1e-3)));
    for (int level = 0; level < LEVELS; level++)
      memset(t->level[level][k].information, 0, (size_t)(c->count * c->count) * sizeof(double));
  }
  PetscFunctionReturn(0);
}

/* The sum over chosen times. */
static void add_up(int count, const fare_tell tell[], size_t n, const int64_t chosen[], double to[])
{
  memset(to, 0, (size_t)(count * count) * sizeof *to);
  for (size_t i = 0; i < n; i++)
    for (int k = 0; k < count * count; k++) to[k] += tell[chosen[i]].information[k];
}

/* Ascending eigenvalues, and eigenvectors [eigenvalue * count + component]. */
static PetscErrorCode decompose(int count, const double A[], double value[], double vector[])
{
  double       work[16 * FARE_INFER_MAX];
  PetscBLASInt n = count, room = PETSC_STATIC_ARRAY_LENGTH(work), info;

  PetscFunctionBegin;
  memcpy(vector, A, (size_t)(count * count) * sizeof *vector);
  PetscCallBLAS("LAPACKsyev", LAPACKsyev_("V", "U", &n, vector, &n, value, work, &room, &info));
  if (info) FARE_FAIL(FARE_ERR_FAILED, "the information matrix has no eigenvalues (LAPACK: %d)", (int)info);
  PetscFunctionReturn(0);
}

typedef struct {
  double sum[FARE_INFER_MAX * FARE_INFER_MAX], value[FARE_INFER_MAX], error[FARE_INFER_MAX];
  double vector[FARE_INFER_MAX * FARE_INFER_MAX],
    mix[FARE_INFER_MAX * FARE_INFER_MAX]; /* by which errors mix two directions */
} spectrum;

/*
  What errors of the information do to eigenvalues and, in `mix`, to directions. A third of the difference to
  half the cells, or half the steps, is the perturbation of first order. To be on the safe side, the whole
  difference goes into that of second order, which is all there is where the first one is 0.
*/
static void add_errors(int n, const double fine[], const double other[], spectrum *s)
{
  for (int e = 0; e < n; e++) {
    for (int f = 0; f < n; f++) {
      const double gap = PetscMax(fabs(s->value[f] - s->value[e]), 1e-300);
      double       mix = 0;

      for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
          mix += s->vector[e * n + i] * (fine[i * n + j] - other[i * n + j]) * s->vector[f * n + j];
      mix = fabs(mix);
      s->error[e] += f == e ? mix / 3 : PetscMin(mix / 3, mix * mix / gap);
      s->mix[e * n + f] += mix / 3;
    }
  }
}

/* Ascending eigenvalues with their errors, by cells, steps and rounding, and directions. */
static PetscErrorCode find_spectrum(int n, const table *t, size_t times, const int64_t chosen[], spectrum *s)
{
  double sum[LEVELS][FARE_INFER_MAX * FARE_INFER_MAX];

  PetscFunctionBegin;
  for (int level = 0; level < LEVELS; level++) add_up(n, t->level[level], times, chosen, sum[level]);
  memcpy(s->sum, sum[FINE], sizeof s->sum);
  PetscCall(decompose(n, s->sum, s->value, s->vector));
  memset(s->mix, 0, sizeof s->mix);
  for (int k = 0; k < n; k++) s->error[k] = ROUNDING * s->value[n - 1];
  for (int level = FINE + 1; level < LEVELS; level++) add_errors(n, sum[FINE], sum[level], s);
  PetscFunctionReturn(0);
}

/* Sum of relative variances of one particle; a direction that is not told counts more than all that are. */
static PetscErrorCode cost_of(int count, const table *t, size_t n, const int64_t chosen[], double *cost)
{
  spectrum s;

  PetscFunctionBegin;
  PetscCall(find_spectrum(count, t, n, chosen, &s));
  *cost = 0;
  for (int k = 0; k < count; k++) *cost += s.value[k] > s.error[k] ? 1 / s.value[k] : UNTOLD;
  PetscFunctionReturn(0);
}

/* Exchanges one time after the other for the best one, until none gains. */
static PetscErrorCode improve(int count, const table *t, size_t n, int64_t chosen[], double *cost)
{
  PetscBool better = PETSC_TRUE;

  PetscFunctionBegin;
  PetscCall(cost_of(count, t, n, chosen, cost));
  while (better) {
    better = PETSC_FALSE;
    for (size_t i = 0; i < n; i++) {
      int64_t best = chosen[i];

      for (int64_t k = 0; k < t->n; k++) {
        double trial;

        chosen[i] = k;
        PetscCall(cost_of(count, t, n, chosen, &trial));
        if (trial < *cost * (1 - 1e-6)) {
          *cost  = trial;
          best   = k;
          better = PETSC_TRUE;
        }
      }
      chosen[i] = best;
    }
  }
  PetscFunctionReturn(0);
}

/* Eigenvalues with their errors, and what follows for the parameters. */
static PetscErrorCode judge(const fare_infer_context *c, const fare_design *d, const table *t, size_t n,
  const int64_t chosen[], fare_infer_design *to)
{
  const int    count = c->count;
  const double many  = d->particles * (d->kind == FARE_DESIGN_TRAJECTORIES ? c->transitions : 1);
  spectrum     s;

  PetscFunctionBegin;
  PetscCall(find_spectrum(count, t, n, chosen, &s));
  memcpy(to->information, s.sum, sizeof s.sum);
  memcpy(to->value, s.value, sizeof s.value);
  memcpy(to->error, s.error, sizeof s.error);
  memcpy(to->direction, s.vector, sizeof s.vector);
  to->cost = to->unknown = 0;
  for (int k = 0; k < count; k++) to->variance[k] = 0;
  for (int e = 0; e < count; e++) to->unknown += s.value[e] > s.error[e] ? 0 : 1;
  for (int k = 0; k < count; k++) {
    double untold = 0, blur = 0;

    for (int e = 0; e < count; e++) {
      const double part = s.vector[e * count + k];

      if (s.value[e] > s.error[e]) {
        to->variance[k] += part * part / (s.value[e] * many);
        for (int f = 0; f < count; f++)
          if (!(s.value[f] > s.error[f])) blur += fabs(part) * PetscMin(1, s.mix[e * count + f] / s.value[e]);
      } else {
        untold += part * part;
      }
    }
    /* the part that it has in what is not told, unless errors may have put it there */
    if (sqrt(untold) > COMPONENT + 2 * blur) to->variance[k] = HUGE_VAL;
  }
  for (int k = 0; k < count; k++) to->cost += to->variance[k];
  PetscFunctionReturn(0);
}

/* A row of the results, named. */
static PetscErrorCode add_row(const fare_infer_context *c, const fare_design *d, const char *name,
  const char *start, const table *t, size_t n, const int64_t chosen[], fare_infer_results *results)
{
  fare_infer_design *to;
  fare_text          text = {0};

  PetscFunctionBegin;
  results->design = realloc(results->design, (results->designs + 1) * sizeof *results->design);
  if (!results->design) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  to  = &results->design[results->designs];
  *to = (fare_infer_design){.count = c->count, .particles = d->particles};
  fare_text_add(&text, "%s%s", start, d->kind == FARE_DESIGN_SNAPSHOTS ? "t =" : "lag");
  for (size_t i = 0; i < n; i++)
    fare_text_add(&text, "%s%.4g", i ? ", " : " ", t->level[FINE][chosen[i]].time);
  snprintf(to->infer, sizeof to->infer, "%s", name);
  snprintf(to->design, sizeof to->design, "%s", text.text);
  fare_text_free(&text);
  for (int k = 0; k < c->count; k++) {
    snprintf(to->parameter[k], sizeof to->parameter[k], "%s", c->name[k]);
    to->scale[k] = c->guess[k] != 0 ? fabs(c->guess[k]) : 1;
  }
  PetscCall(judge(c, d, t, n, chosen, to));
  results->designs++;
  PetscFunctionReturn(0);
}

static int in_order(const void *a, const void *b)
{
  const int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;

  return (p > q) - (p < q);
}

/* The times that are asked about from one start, then better ones. */
static PetscErrorCode judge_start(const fare_infer_context *c, const char *name, const fare_design *d,
  const fare_initial *initial, const char *start, fare_infer_results *results)
{
  const size_t n = d->kind == FARE_DESIGN_SNAPSHOTS ? d->times.count : 1;
  table        t = {0};
  int64_t     *chosen, *given;
  double       before, after;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(d->times.count, &chosen, d->times.count, &given));
  PetscCall(list_times(c, d, &t, given));
  PetscCall(fill(c, d, initial, &t));
  PetscCall(check_widths(c, d, given, &t));
  for (size_t first = 0; first < d->times.count; first += n) {
    memcpy(chosen, given + first, n * sizeof *chosen);
    PetscCall(add_row(c, d, name, start, &t, n, chosen, results));
    PetscCall(cost_of(c->count, &t, n, chosen, &before));
  }
  PetscCall(improve(c->count, &t, n, chosen, &after));
  qsort(chosen, n, sizeof *chosen, in_order);
  if (after * MORE < before) PetscCall(add_row(c, d, name, start, &t, n, chosen, results));
  for (int level = 0; level < LEVELS; level++) PetscCall(PetscFree(t.level[level]));
  PetscCall(PetscFree2(chosen, given));
  PetscFunctionReturn(0);
}

static PetscErrorCode judge_starts(
  const fare_infer_context *c, const char *name, const fare_design *d, fare_infer_results *results)
{
  PetscFunctionBegin;
  PetscCall(judge_start(c, name, d, c->study->initial, "", results));
  for (size_t i = 0; d->starts && i < fare_node_size(d->starts); i++) {
    fare_initial   initial = {0};
    char           start[32];
    PetscErrorCode code;

    snprintf(start, sizeof start, "start %zu, ", i + 1);
    code        = fare_initial_from_config(fare_node_item(d->starts, i), c->study->system, &initial);
    initial.box = &c->box;
    if (!code) code = judge_start(c, name, d, &initial, start, results);
    fare_initial_free(&initial);
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

const fare_infer_type fare_infer_identifiability = {
  .name      = "identifiability",
  .summary   = "what data from an experimental design can determine, and what they cannot; takes no data",
  .reference = "eigenvalues of Fisher's information of snapshots or tracks",
  .dim_max   = 2,
  .driven    = PETSC_TRUE,
  .judge     = judge_starts,
};
