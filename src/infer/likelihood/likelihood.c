/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The likelihood of tracks: the sum of ln p(x_{k+1}|x_k) over all pairs, p being the transition density of the
  Fokker-Planck equation on a grid, at any lag. Slopes are exact derivatives of the grid's own likelihood. The
  information is Fisher's, of the starts that the data have: sum_k E[s s'|x_k], s = d ln p/dtheta.
*/
#include "infer/infer.h"

#include <math.h>
#include <string.h>

#define RESOLVED 3.0 /* cells that a lag spreads a point over, at least: sqrt(2 D lag)/h */
#define ABSENT   1e-300
#define CELLS_1D 4096 /* most cells along one axis: matrices of all pairs of them are multiplied */

/* Sums of one source, which one rank makes. */
#define SUMS      (2 + FARE_INFER_MAX + FARE_INFER_MAX * FARE_INFER_MAX)
#define ABSENT_AT (SUMS - 1) /* 1 + a cell that data reach from here with probability 0; 0: there is none */

typedef struct {
  const fare_infer_context *context;
  fare_model               *model;
  fare_pairs                pairs;
  /* of the lag that is evaluated: */
  const fare_lag *lag;
  const PetscInt *place; /* of the columns asked for among the lag's sources */
  double         *sums;  /* [source * SUMS] */
  /* a step of probability 0, in the last evaluation; lag 0: there is none */
  double   absent_lag;
  PetscInt absent_from, absent_to;
} likelihood;

static PetscErrorCode add_column(
  void *to, PetscInt i, PetscInt source, const double P[], const double *const dP[])
{
  likelihood     *l     = to;
  const fare_lag *lag   = l->lag;
  const PetscInt  s     = l->place[i];
  const int       count = l->model->count;
  double         *sum = l->sums + s * SUMS, *score = sum + 1, *information = score + count;

  PetscFunctionBegin;
  (void)source;
  for (size_t e = lag->first[s]; e < lag->first[s + 1]; e++) {
    const double p = PetscMax(P[lag->target[e]], ABSENT);

    if (p <= ABSENT) sum[ABSENT_AT] = lag->target[e] + 1.0;
    sum[0] += lag->weight[e] * log(p);
    for (int k = 0; k < count; k++) score[k] += lag->weight[e] * dP[k][lag->target[e]] / p;
  }
  for (PetscInt cell = 0; cell < l->model->cells; cell++) {
    if (!(P[cell] > ABSENT)) continue;
    for (int k = 0; k < count; k++) {
      const double part = lag->starts[s] * dP[k][cell] / P[cell];

      for (int j = 0; j <= k; j++) information[k * count + j] += part * dP[j][cell];
    }
  }
  PetscFunctionReturn(0);
}

/* Along one axis every rank does all; else they share the sources, FARE_LANES at a time. */
static PetscErrorCode my_sources(const likelihood *l, PetscInt place[], PetscInt source[], PetscInt *mine)
{
  int rank = 0, ranks = 1;

  PetscFunctionBegin;
  if (l->model->grid->dim > 1) {
    PetscCallMPI(MPI_Comm_rank(l->context->comm, &rank));
    PetscCallMPI(MPI_Comm_size(l->context->comm, &ranks));
  }
  *mine = 0;
  for (PetscInt s = 0; s < l->lag->sources; s++) {
    if (s / FARE_LANES % ranks != rank) continue;
    place[*mine]      = s;
    source[(*mine)++] = l->lag->source[s];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate_lag(likelihood *l, const fare_lag *lag, double total[SUMS])
{
  const int size = 1 + l->model->count + l->model->count * l->model->count;
  PetscInt *place, *source, mine = 0;

  PetscFunctionBegin;
  l->lag = lag;
  PetscCall(PetscMalloc2(lag->sources, &place, lag->sources, &source));
  PetscCall(PetscCalloc1(lag->sources * SUMS, &l->sums));
  l->place = place;
  PetscCall(my_sources(l, place, source, &mine));
  PetscCall(fare_error_agree(
    l->context->comm, fare_columns(l->model, lag->lag, PETSC_TRUE, mine, source, add_column, l)));
  if (l->model->grid->dim > 1)
    PetscCallMPI(MPI_Allreduce(
      MPI_IN_PLACE, l->sums, (int)(lag->sources * SUMS), MPI_DOUBLE, MPI_SUM, l->context->comm));
  for (PetscInt s = 0; s < lag->sources; s++) {
    const double *sums = l->sums + s * SUMS;

    for (int i = 0; i < size; i++) total[i] += sums[i];
    if (sums[ABSENT_AT] > 0) {
      l->absent_lag  = lag->lag;
      l->absent_from = lag->source[s];
      l->absent_to   = (PetscInt)sums[ABSENT_AT] - 1;
    }
  }
  PetscCall(PetscFree(l->sums));
  PetscCall(PetscFree2(place, source));
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(
  void *to, const double theta[], double *value, double score[], double information[])
{
  likelihood *l           = to;
  const int   count       = l->model->count;
  double      total[SUMS] = {0};

  PetscFunctionBegin;
  l->absent_lag = 0;
  PetscCall(fare_error_agree(l->context->comm, fare_model_set(l->model, theta, PETSC_TRUE)));
  for (int i = 0; i < l->pairs.lags; i++) PetscCall(evaluate_lag(l, &l->pairs.of[i], total));
  *value = total[0] - (double)l->pairs.pairs * log(fare_grid_volume(l->model->grid));
  memcpy(score, total + 1, (size_t)count * sizeof *score);
  for (int k = 0; k < count; k++)
    for (int j = 0; j < count; j++)
      information[k * count + j] = total[1 + count + PetscMax(j, k) * count + PetscMin(j, k)];
  PetscFunctionReturn(0);
}

/* Cells must be finer than what a lag spreads a point over, wherever pairs start. */
static PetscErrorCode check_lag(const likelihood *l, const fare_lag *lag)
{
  const fare_grid *g = l->model->grid;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < lag->sources; s++) {
    double        x[FARE_DIM_MAX], D[FARE_DIM_MAX];
    const double *at[FARE_DIM_MAX]   = {&x[0], &x[1], &x[2]};
    double *const to_D[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

    fare_cell_centre(g, lag->source[s], x);
    fare_system_diffusion(l->model->system, 0, 1, at, to_D);
    for (int axis = 0; axis < g->dim; axis++) {
      const double width = sqrt(2 * D[axis] * lag->lag), h = g->spacing[axis];

      if (width >= RESOLVED * h) continue;
      if (!(D[axis] > 0))
        FARE_FAIL(FARE_ERR_INPUT, "axis %s has no diffusion: transition densities need it on every axis",
          fare_system_axis_name(l->model->system, axis));
      FARE_FAIL(FARE_ERR_INPUT,
        "cells: a lag of %g spreads a point by %.3g along %s, and cells are %.3g wide: take %d cells or more",
        lag->lag, width, fare_system_axis_name(l->model->system, axis), h,
        2 * (int)ceil(0.5 * RESOLVED * (double)g->cells[axis] * h / width));
    }
  }
  PetscFunctionReturn(0);
}

/* A lag that the cells do not resolve, and a step that cannot be, which would count for nothing. */
static PetscErrorCode check_fit(const likelihood *l, const double theta[])
{
  char from[64], to[64];

  PetscFunctionBegin;
  PetscCall(fare_model_parameters(l->model, theta));
  for (int i = 0; i < l->pairs.lags; i++) PetscCall(check_lag(l, &l->pairs.of[i]));
  if (l->absent_lag == 0) PetscFunctionReturn(0);
  fare_infer_place(l->model->grid, l->absent_from, from);
  fare_infer_place(l->model->grid, l->absent_to, to);
  FARE_FAIL(FARE_ERR_FAILED,
    "a step from %s to %s in a time of %g has probability 0 in this model: look for outliers, and at units",
    from, to, l->absent_lag);
}

static PetscErrorCode begin(
  const fare_infer_context *context, const fare_tracks *tracks, const PetscInt cells[], likelihood *l)
{
  int64_t        count, *pair;
  PetscErrorCode code;

  PetscFunctionBegin;
  *l = (likelihood){.context = context};
  PetscCall(fare_infer_check_noise(tracks, "likelihood"));
  if (tracks->dim == 1 && cells[0] > CELLS_1D)
    FARE_FAIL(FARE_ERR_INPUT, "cells: at most %d along one axis, got %d", CELLS_1D, (int)cells[0]);
  PetscCall(fare_infer_model(context, cells, &l->model));
  PetscCall(fare_tracks_pairs(tracks, context->lag, &count, &pair));
  code = fare_pairs_create(tracks, l->model->grid, count, pair, &l->pairs);
  PetscCall(PetscFree(pair));
  PetscFunctionReturn(code);
}

static PetscErrorCode end(likelihood *l)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(l->sums));
  PetscCall(fare_pairs_free(&l->pairs));
  PetscCall(fare_model_destroy(&l->model));
  PetscFunctionReturn(0);
}

static fare_fit_problem problem_of(likelihood *l)
{
  fare_fit_problem p = {.count = l->model->count, .evaluate = evaluate, .to = l};

  memcpy(p.least, l->model->least, sizeof p.least);
  memcpy(p.most, l->model->most, sizeof p.most);
  return p;
}

/*
  What half as many cells would find is one step of scoring away; the cells' error, of second order, is a
  third of the difference.
*/
static PetscErrorCode find_grid_error(
  const fare_infer_context *context, const fare_tracks *tracks, const fare_fit *fit, double error[])
{
  PetscInt       half[FARE_DIM_MAX];
  likelihood     l;
  fare_fit       coarse;
  double         step[FARE_INFER_MAX];
  PetscErrorCode code;

  PetscFunctionBegin;
  fare_infer_half(context, half);
  code = begin(context, tracks, half, &l);
  if (!code) code = evaluate(&l, fit->theta, &coarse.value, coarse.score, coarse.information);
  if (!code)
    code =
      fare_fit_solve(context->count, context->name, fit->held, coarse.information, coarse.score, step, NULL);
  PetscCall(end(&l));
  PetscCall(code);
  for (int k = 0; k < context->count; k++) error[k] = fabs(step[k]) / 3;
  PetscFunctionReturn(0);
}

static PetscErrorCode search(const fare_infer_context *context, likelihood *l, fare_fit *fit)
{
  const fare_fit_problem p = problem_of(l);

  PetscFunctionBegin;
  memcpy(fit->theta, context->guess, (size_t)p.count * sizeof *fit->theta);
  PetscCall(fare_fit_maximise(&p, context->name, NULL, 1e-8, fit));
  PetscCall(evaluate(l, fit->theta, &fit->value, fit->score, fit->information));
  PetscCall(check_fit(l, fit->theta));
  PetscFunctionReturn(0);
}

static PetscErrorCode fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  fare_fit       best = {.value = NAN};
  likelihood     l;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = begin(context, tracks, context->cells, &l);
  if (!code) code = search(context, &l, &best);
  if (!code) {
    const fare_fit_problem p = problem_of(&l);

    code = fare_fit_intervals(&p, context->name, &best, context->profile, inferred);
  }
  inferred->pairs = l.pairs.pairs;
  PetscCall(end(&l));
  PetscCall(code);
  PetscCall(find_grid_error(context, tracks, &best, inferred->grid));
  PetscFunctionReturn(0);
}

const fare_infer_type fare_infer_likelihood = {
  .name      = "likelihood",
  .summary   = "largest likelihood of the Fokker-Planck equation's transition densities, at any lag",
  .reference = "transition densities: uniformization on the grid (Jensen, Skand. Aktuarietidskr. 36, 87 "
               "(1953)); scoring "
               "(Fisher, Proc. Camb. Philos. Soc. 22, 700 (1925))",
  .dim_max   = 2,
  .fit       = fit,
};
