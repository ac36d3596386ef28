/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The likelihood of unpaired snapshots: the sum of ln p(x_i, t_i) over all observations, whoever made them,
  with p the density that begins in the study's initial one, driven or not. Over a step the rates are those of
  its middle: second order in the step, which is halved until that makes no difference. The information is
  Fisher's: sum_t n_t sum_cells (dP)(dP)'/P.
*/
#include "likelihood.h"

#include "infer/potential/bands.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME     1e-6 /* of the time since the start: difference of times that are one snapshot */
#define RESOLVED 2.0  /* cells in a standard deviation, at least */

/* What the observations of one time say about ln P. */
typedef struct {
  double  time, count;
  double *weight; /* per cell */
} snapshot;

typedef struct {
  int64_t   snapshots;
  snapshot *at;
  double   *weights;
  /* of the last evaluation: an observation of probability 0, and the narrowest density; at NaN: there is none
   */
  double   absent_at, narrow_at, narrow; /* in cells */
  PetscInt absent;
} snapshots_of;

static int by_time(const void *a, const void *b)
{
  const double *p = a, *q = b;

  return (*p > *q) - (*p < *q);
}

static PetscErrorCode find_times(const fare_tracks *t, fare_likelihood *l)
{
  snapshots_of *d = l->data;
  double       *time;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)t->rows, &time));
  memcpy(time, t->time, (size_t)t->rows * sizeof *time);
  qsort(time, (size_t)t->rows, sizeof *time, by_time);
  for (int64_t row = 0; row < t->rows; row++) {
    const double slack =
      SAME * (time[row] - l->context->study->start) + 4 * PETSC_MACHINE_EPSILON * fabs(time[row]);

    if (d->snapshots && time[row] - time[d->snapshots - 1] <= slack) continue;
    time[d->snapshots++] = time[row];
  }
  PetscCall(PetscCalloc2(d->snapshots, &d->at, d->snapshots * l->model->cells, &d->weights));
  for (int64_t k = 0; k < d->snapshots; k++)
    d->at[k] = (snapshot){time[k], 0, d->weights + k * l->model->cells};
  PetscCall(PetscFree(time));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_rows(const fare_tracks *t, fare_likelihood *l)
{
  snapshots_of *d = l->data;
  PetscInt      cell[FARE_STENCIL_MAX];
  double        x[FARE_DIM_MAX], weight[FARE_STENCIL_MAX];

  PetscFunctionBegin;
  for (int64_t row = 0; row < t->rows; row++) {
    int64_t low = 0, high = d->snapshots - 1;
    int     size;

    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;

      if (d->at[middle].time <= t->time[row])
        low = middle;
      else
        high = middle - 1;
    }
    PetscCall(fare_place(t, l->model->grid, row, x));
    size = fare_parabola_stencil(l->model->grid, x, cell, weight);
    for (int i = 0; i < size; i++) d->at[low].weight[cell[i]] += weight[i];
    d->at[low].count += 1;
  }
  l->count = t->rows;
  PetscFunctionReturn(0);
}

static void add_snapshot(const fare_model *m, snapshots_of *d, const snapshot *at, double *const P[],
  double *value, double score[], double information[])
{
  const int    count = score ? m->count : 0;
  const double width = fare_masses_width(m, P[0]);

  if (!(width >= d->narrow)) {
    d->narrow    = width;
    d->narrow_at = at->time;
  }
  for (PetscInt cell = 0; cell < m->cells; cell++) {
    const double p = PetscMax(P[0][cell], FARE_ABSENT);

    if (p <= FARE_ABSENT && at->weight[cell] != 0) {
      d->absent    = cell;
      d->absent_at = at->time;
    }
    *value += at->weight[cell] * log(p);
    for (int k = 0; k < count; k++) {
      const double s = P[k + 1][cell] / p;

      score[k] += at->weight[cell] * s;
      for (int j = 0; j < count && p > FARE_ABSENT; j++)
        information[k * count + j] += at->count * s * P[j + 1][cell];
    }
  }
}

/* Through all snapshots, from the start. */
static PetscErrorCode pass(fare_likelihood *l, const double theta[], int fields, double *const P[],
  double *value, double score[], double information[])
{
  const fare_infer_study *study  = l->context->study;
  const PetscBool         slopes = score ? PETSC_TRUE : PETSC_FALSE;
  snapshots_of           *d      = l->data;
  double                  now    = study->start;

  PetscFunctionBegin;
  PetscCall(fare_model_initial(l->model, study->initial, study->start, theta, slopes, P));
  for (int64_t k = 0; k < d->snapshots; k++) {
    if (d->at[k].time > now) {
      fare_path      path;
      PetscErrorCode code;

      PetscCall(fare_path_create(l->model, theta, now, d->at[k].time, l->steps, slopes, &path));
      code = fare_path_advance(&path, fields, 1, P);
      PetscCall(fare_path_free(&path));
      PetscCall(code);
    }
    now = d->at[k].time;
    add_snapshot(l->model, d, &d->at[k], P, value, score, information);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(
  fare_likelihood *l, const double theta[], double *value, double score[], double information[])
{
  const size_t   count  = (size_t)l->model->count;
  const int      fields = score ? 1 + l->model->count : 1;
  snapshots_of  *d      = l->data;
  double        *P[FARE_INFER_MAX + 1], *all;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)fields * (size_t)l->model->cells, &all));
  for (int k = 0; k < fields; k++) P[k] = all + k * l->model->cells;
  d->narrow = d->absent_at = NAN;
  *value                   = -(double)l->count * log(fare_grid_volume(l->model->grid));
  if (score) memset(score, 0, count * sizeof *score);
  if (score) memset(information, 0, count * count * sizeof *information);
  code = pass(l, theta, fields, P, value, score, information);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(fare_error_agree(l->context->comm, code));
}

static PetscErrorCode begin(fare_likelihood *l, const fare_tracks *t)
{
  const double  start = l->context->study->start;
  snapshots_of *d;

  PetscFunctionBegin;
  PetscCall(fare_infer_check_noise(t, "snapshot_likelihood"));
  for (int64_t row = 0; row < t->rows; row++) {
    if (t->time[row] < start)
      PetscFunctionReturn(
        fare_tracks_error(t, row, 1, "%.10g is before the study's start, %g", t->time[row], start));
  }
  PetscCall(PetscNew(&d));
  l->data = d;
  PetscCall(find_times(t, l));
  PetscCall(add_rows(t, l));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(fare_likelihood *l)
{
  snapshots_of *d = l->data;

  PetscFunctionBegin;
  PetscCall(PetscFree2(d->at, d->weights));
  PetscCall(PetscFree(l->data));
  PetscFunctionReturn(0);
}

/* What the maximum hides: densities that the cells do not resolve, observations that count for nothing. */
static PetscErrorCode check(fare_likelihood *l, const double theta[])
{
  snapshots_of *d = l->data;
  char          place[64];

  PetscFunctionBegin;
  (void)theta;
  if (d->narrow < RESOLVED)
    FARE_FAIL(FARE_ERR_INPUT,
      "cells: at time %g the density is as steep as a Gaussian of standard deviation %.2g cells: take %.0f "
      "times as "
      "many or more",
      d->narrow_at, d->narrow, ceil(RESOLVED / PetscMax(d->narrow, 1e-3)));
  if (isnan(d->absent_at)) PetscFunctionReturn(0);
  fare_infer_place(l->model->grid, d->absent, place);
  FARE_FAIL(FARE_ERR_FAILED,
    "an observation at %s at time %g has probability 0 in this model: check for outliers, and check the "
    "units",
    place, d->absent_at);
}

static const fare_likelihood_kind snapshots = {
  .name = "snapshots", .begin = begin, .evaluate = evaluate, .check = check, .end = end};

static PetscErrorCode fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  return fare_likelihood_fit(&snapshots, context, tracks, inferred);
}

const fare_infer_type fare_infer_snapshot_likelihood = {
  .name    = "snapshot_likelihood",
  .summary = "maximum likelihood of unpaired observations, by the density over time, driven or not",
  .reference =
    "Fokker-Planck density by uniformization; scoring (Fisher, Proc. Camb. Philos. Soc. 22, 700 (1925))",
  .dim_max  = 2,
  .likely   = PETSC_TRUE,
  .driven   = PETSC_TRUE,
  .unpaired = PETSC_TRUE,
  .fit      = fit,
  .prepare  = fare_frame_create,
};
