/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The likelihood of unpaired snapshots: the sum of ln p(x_i, t_i) over all observations, whoever made them,
  with p the density that begins in the study's initial one, driven or not. Over a step the rates are those of
  its middle: second order in the step, which is halved until that makes no difference. The information is
  Fisher's: sum_t n_t sum_cells (dP)(dP)'/P.
*/
#include "infer/infer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME       1e-6 /* of the time since the start: difference of times that are one snapshot */
#define STEPS      8    /* between snapshots, at first */
#define STEPS_MOST 4096
#define ENOUGH     0.02 /* standard errors by which half as many steps may move an estimate */
#define ABSENT     1e-300
#define RESOLVED   2.0 /* cells in a standard deviation, at least */

/* What the observations of one time say about ln P. */
typedef struct {
  double  time, count;
  double *weight; /* per cell */
} snapshot;

typedef struct {
  const fare_infer_context *context;
  fare_model               *model;
  int64_t                   snapshots, observations;
  snapshot                 *at;
  double                   *weights;
  int                       steps; /* between snapshots, of a driven system */
  /* of the last evaluation: an observation of probability 0, and the narrowest density; at NaN: there is none
   */
  double   absent_at, narrow_at, narrow; /* in cells */
  PetscInt absent;
} likelihood;

static int by_time(const void *a, const void *b)
{
  const double *p = a, *q = b;

  return (*p > *q) - (*p < *q);
}

static PetscErrorCode find_times(const fare_tracks *t, likelihood *l)
{
  double *time;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)t->rows, &time));
  memcpy(time, t->time, (size_t)t->rows * sizeof *time);
  qsort(time, (size_t)t->rows, sizeof *time, by_time);
  for (int64_t row = 0; row < t->rows; row++) {
    const double slack =
      SAME * (time[row] - l->context->study->start) + 4 * PETSC_MACHINE_EPSILON * fabs(time[row]);

    if (l->snapshots && time[row] - time[l->snapshots - 1] <= slack) continue;
    time[l->snapshots++] = time[row];
  }
  PetscCall(PetscCalloc2(l->snapshots, &l->at, l->snapshots * l->model->cells, &l->weights));
  for (int64_t k = 0; k < l->snapshots; k++)
    l->at[k] = (snapshot){time[k], 0, l->weights + k * l->model->cells};
  PetscCall(PetscFree(time));
  PetscFunctionReturn(0);
}

static PetscErrorCode add_rows(const fare_tracks *t, likelihood *l)
{
  PetscInt cell[FARE_STENCIL_MAX];
  double   x[FARE_DIM_MAX], weight[FARE_STENCIL_MAX];

  PetscFunctionBegin;
  for (int64_t row = 0; row < t->rows; row++) {
    int64_t low = 0, high = l->snapshots - 1;
    int     size;

    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;

      if (l->at[middle].time <= t->time[row])
        low = middle;
      else
        high = middle - 1;
    }
    PetscCall(fare_place(t, l->model->grid, row, x));
    size = fare_stencil(l->model->grid, x, cell, weight);
    for (int i = 0; i < size; i++) l->at[low].weight[cell[i]] += weight[i];
    l->at[low].count += 1;
  }
  l->observations = t->rows;
  PetscFunctionReturn(0);
}

/* Masses at the start, and their derivatives, which are there where it is a Boltzmann density. */
static PetscErrorCode begin_masses(const likelihood *l, const double theta[], double *const P[])
{
  const fare_infer_study *study = l->context->study;
  fare_model             *m     = l->model;
  Vec                     masses;

  PetscFunctionBegin;
  PetscCall(fare_model_parameters(m, theta));
  PetscCall(fare_grid_initial(m->grid, study->initial, m->system, study->start, &masses));
  PetscCall(fare_grid_gather(m->grid, masses, P[0]));
  PetscCall(VecDestroy(&masses));
  for (int k = 0; k < m->count; k++) {
    double       moved[2];
    const double width = fare_model_moved(m, theta, k, moved);
    double      *below = NULL;

    PetscCall(PetscMalloc1(m->cells, &below));
    for (int side = 0; side < 2; side++) {
      PetscCall(fare_system_set(m->system, m->name[k], moved[side]));
      PetscCall(fare_grid_initial(m->grid, study->initial, m->system, study->start, &masses));
      PetscCall(fare_grid_gather(m->grid, masses, side ? P[k + 1] : below));
      PetscCall(VecDestroy(&masses));
    }
    PetscCall(fare_system_set(m->system, m->name[k], theta[k]));
    for (PetscInt i = 0; i < m->cells; i++) P[k + 1][i] = (P[k + 1][i] - below[i]) / width;
    PetscCall(PetscFree(below));
  }
  PetscFunctionReturn(0);
}

/* From one time to another; steps end at corners of the drive. */
static PetscErrorCode move(
  const likelihood *l, const double theta[], double from, double to, double *const P[])
{
  fare_model *m      = l->model;
  const int   driven = fare_system_is_driven(m->system), steps = driven ? l->steps : 1;
  double      now = from;

  PetscFunctionBegin;
  for (int step = 1; step <= steps; step++) {
    const double end = step == steps ? to : from + (to - from) * step / steps;

    while (now < end) {
      const double corner = driven ? fare_system_next_corner(m->system, now) : HUGE_VAL,
                   stop   = PetscMin(end, corner);

      if (stop > now) {
        m->time = 0.5 * (now + stop);
        PetscCall(fare_model_set(m, theta, PETSC_TRUE));
        PetscCall(fare_masses_advance(m, stop - now, 1 + m->count, P));
      }
      now = stop;
    }
  }
  PetscFunctionReturn(0);
}

/* The smallest standard deviation along an axis, in cells. */
static double narrowest(const fare_grid *g, const double P[])
{
  double least = HUGE_VAL;

  for (int axis = 0; axis < g->dim; axis++) {
    double sum[3] = {0}, x[FARE_DIM_MAX];

    for (PetscInt cell = 0; cell < fare_grid_owned(g); cell++) {
      fare_cell_centre(g, cell, x);
      x[axis] = (x[axis] - g->lower[axis]) / g->spacing[axis];
      sum[0] += P[cell];
      sum[1] += P[cell] * x[axis];
      sum[2] += P[cell] * x[axis] * x[axis];
    }
    least = PetscMin(least, sqrt(PetscMax(0, sum[2] / sum[0] - PetscSqr(sum[1] / sum[0]))));
  }
  return least;
}

static void add_snapshot(
  likelihood *l, const snapshot *at, double *const P[], double *value, double score[], double information[])
{
  const int    count = l->model->count;
  const double width = narrowest(l->model->grid, P[0]);

  if (!(width >= l->narrow)) {
    l->narrow    = width;
    l->narrow_at = at->time;
  }
  for (PetscInt cell = 0; cell < l->model->cells; cell++) {
    const double p = PetscMax(P[0][cell], ABSENT);

    if (p <= ABSENT && at->weight[cell] != 0) {
      l->absent    = cell;
      l->absent_at = at->time;
    }
    *value += at->weight[cell] * log(p);
    for (int k = 0; k < count; k++) {
      const double s = P[k + 1][cell] / p;

      score[k] += at->weight[cell] * s;
      for (int j = 0; j < count && p > ABSENT; j++)
        information[k * count + j] += at->count * s * P[j + 1][cell];
    }
  }
}

static PetscErrorCode evaluate(
  void *to, const double theta[], double *value, double score[], double information[])
{
  likelihood    *l      = to;
  fare_model    *m      = l->model;
  const int      fields = 1 + m->count;
  double        *P[FARE_INFER_MAX + 1], *all, now = l->context->study->start;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)fields * (size_t)m->cells, &all));
  for (int k = 0; k < fields; k++) P[k] = all + k * m->cells;
  l->narrow = l->absent_at = NAN;
  *value                   = -(double)l->observations * log(fare_grid_volume(m->grid));
  memset(score, 0, (size_t)m->count * sizeof *score);
  memset(information, 0, (size_t)(m->count * m->count) * sizeof *information);
  code = begin_masses(l, theta, P);
  for (int64_t k = 0; k < l->snapshots && !code; k++) {
    code = move(l, theta, now, l->at[k].time, P);
    now  = l->at[k].time;
    if (!code) add_snapshot(l, &l->at[k], P, value, score, information);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(fare_error_agree(l->context->comm, code));
}

static PetscErrorCode begin(
  const fare_infer_context *context, const fare_tracks *t, const PetscInt cells[], int steps, likelihood *l)
{
  PetscFunctionBegin;
  *l = (likelihood){.context = context, .steps = steps};
  PetscCall(fare_infer_check_noise(t, "snapshot_likelihood"));
  for (int64_t row = 0; row < t->rows; row++) {
    if (t->time[row] < context->study->start)
      PetscFunctionReturn(fare_tracks_error(
        t, row, 1, "%.10g is before the study's start, %g", t->time[row], context->study->start));
  }
  PetscCall(fare_infer_model(context, cells, &l->model));
  PetscCall(find_times(t, l));
  PetscCall(add_rows(t, l));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(likelihood *l)
{
  PetscFunctionBegin;
  PetscCall(PetscFree2(l->at, l->weights));
  PetscCall(fare_model_destroy(&l->model));
  PetscFunctionReturn(0);
}

/* By how many standard errors, and by how much, the estimate would move from a fit with these steps and
 * cells. */
static PetscErrorCode find_move(likelihood *l, const fare_fit *fit, double step[], double *errors)
{
  fare_fit at;

  PetscFunctionBegin;
  PetscCall(evaluate(l, fit->theta, &at.value, at.score, at.information));
  PetscCall(fare_fit_solve(
    l->context->count, l->context->name, fit->held, at.information, at.score, step, at.covariance));
  *errors = 0;
  for (int k = 0; k < l->context->count; k++) {
    if (!fit->held[k])
      *errors = PetscMax(*errors, fabs(step[k]) / sqrt(at.covariance[k * l->context->count + k]));
  }
  PetscFunctionReturn(0);
}

/* The maximum, with steps in time that are halved until they make no difference; `time` is what they make. */
static PetscErrorCode search(likelihood *l, fare_fit *fit, double time[])
{
  const fare_infer_context *c = l->context;
  fare_fit_problem          p = {.count = c->count, .evaluate = evaluate, .to = l};
  double                    errors;

  PetscFunctionBegin;
  memcpy(p.least, l->model->least, sizeof p.least);
  memcpy(p.most, l->model->most, sizeof p.most);
  memcpy(fit->theta, c->guess, (size_t)p.count * sizeof *fit->theta);
  for (;;) {
    PetscCall(fare_fit_maximise(&p, c->name, NULL, 1e-8, fit));
    memset(time, 0, (size_t)c->count * sizeof *time);
    if (!fare_system_is_driven(l->model->system)) break;
    l->steps *= 2;
    PetscCall(find_move(l, fit, time, &errors));
    for (int k = 0; k < c->count; k++) time[k] /= 3;
    if (errors < ENOUGH) {
      PetscCall(fare_fit_maximise(&p, c->name, NULL, 1e-8, fit));
      break;
    }
    if (l->steps >= STEPS_MOST)
      FARE_FAIL(FARE_ERR_FAILED, "%d steps between snapshots do not resolve the drive", l->steps);
  }
  PetscFunctionReturn(0);
}

/* What the maximum hides: densities that the cells do not resolve, observations that count for nothing. */
static PetscErrorCode check_fit(likelihood *l, fare_fit *fit)
{
  char place[64];

  PetscFunctionBegin;
  PetscCall(evaluate(l, fit->theta, &fit->value, fit->score, fit->information));
  if (l->narrow < RESOLVED)
    FARE_FAIL(FARE_ERR_INPUT,
      "cells: at time %g the density's standard deviation is %.2g cells: take %.0f times as many or more",
      l->narrow_at, l->narrow, ceil(RESOLVED / PetscMax(l->narrow, 1e-3)));
  if (isnan(l->absent_at)) PetscFunctionReturn(0);
  fare_infer_place(l->model->grid, l->absent, place);
  FARE_FAIL(FARE_ERR_FAILED,
    "an observation at %s at time %g has probability 0 in this model: look for outliers, and at units", place,
    l->absent_at);
}

static PetscErrorCode finish(const fare_infer_context *context, likelihood *l, const fare_fit *best,
  const double time[], fare_inferred *to)
{
  fare_fit_problem p = {.count = context->count, .evaluate = evaluate, .to = l};

  PetscFunctionBegin;
  memcpy(p.least, l->model->least, sizeof p.least);
  memcpy(p.most, l->model->most, sizeof p.most);
  PetscCall(fare_fit_intervals(&p, context->name, best, context->profile, to));
  for (int k = 0; k < context->count; k++) to->grid[k] = fabs(time[k]);
  to->pairs = l->observations;
  PetscFunctionReturn(0);
}

/* Half as many cells, with the steps that served; their error is a third of the difference. */
static PetscErrorCode add_grid_error(const fare_infer_context *context, const fare_tracks *tracks, int steps,
  const fare_fit *best, fare_inferred *to)
{
  PetscInt       half[FARE_DIM_MAX];
  double         step[FARE_INFER_MAX], errors;
  likelihood     l;
  PetscErrorCode code;

  PetscFunctionBegin;
  fare_infer_half(context, half);
  code = begin(context, tracks, half, steps, &l);
  if (!code) code = find_move(&l, best, step, &errors);
  PetscCall(end(&l));
  PetscCall(code);
  for (int k = 0; k < context->count; k++) to->grid[k] += fabs(step[k]) / 3;
  PetscFunctionReturn(0);
}

static PetscErrorCode fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  double         time[FARE_INFER_MAX];
  fare_fit       best;
  likelihood     l;
  int            steps;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = begin(context, tracks, context->cells, STEPS, &l);
  if (!code) code = search(&l, &best, time);
  if (!code) code = check_fit(&l, &best);
  steps = l.steps;
  if (!code) code = finish(context, &l, &best, time, inferred);
  PetscCall(end(&l));
  PetscCall(code);
  PetscCall(add_grid_error(context, tracks, steps, &best, inferred));
  PetscFunctionReturn(0);
}

const fare_infer_type fare_infer_snapshot_likelihood = {
  .name    = "snapshot_likelihood",
  .summary = "largest likelihood of unpaired observations, by the density over time, driven or not",
  .reference =
    "Fokker-Planck density by uniformization; scoring (Fisher, Proc. Camb. Philos. Soc. 22, 700 (1925))",
  .dim_max  = 2,
  .driven   = PETSC_TRUE,
  .unpaired = PETSC_TRUE,
  .fit      = fit,
};
