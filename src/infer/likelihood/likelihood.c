/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The likelihood of tracks: the sum of ln p(x_{k+1}|x_k) over all pairs, p being the transition density of the
  Fokker-Planck equation on a grid, at any lag, driven or not. Slopes are exact derivatives of the grid's own
  likelihood. The information is Fisher's, of the starts that the data have: sum_k E[s s'|x_k],
  s = d ln p/dtheta.
*/
#include "likelihood.h"

#include "infer/potential/bands.h"

#include <math.h>
#include <string.h>

#define RESOLVED 3.0  /* cells that a lag spreads a point over, at least: sqrt(2 D lag)/h */
#define CELLS_1D 4096 /* most cells along one axis: matrices of all pairs of them are multiplied */

/*
  Sums of one source, which one rank makes: the value, score and information, and then 1 + a cell that data
  reach from here with probability 0; 0: there is none.
*/
#define SUMS_MAX (2 + FARE_INFER_MAX + FARE_INFER_MAX * FARE_INFER_MAX)
static inline PetscInt sums_of(int count)
{
  return 2 + count + count * count;
}

typedef struct {
  fare_model *model;
  fare_pairs  pairs;
  PetscBool   slopes; /* whether they are wanted, or values alone */
  /* of the lag that is evaluated: */
  const fare_lag *lag;
  const PetscInt *place;          /* of the columns asked for among the lag's sources */
  PetscInt       *again, repeats; /* those of them that want all digits */
  double         *sums;           /* [source * sums_of()] */
  /* a step of probability 0, in the last evaluation; lag 0: there is none */
  double   absent_lag;
  PetscInt absent_from, absent_to;
} pairs_of;

static PetscErrorCode add_column(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[])
{
  pairs_of       *l     = to;
  const fare_lag *lag   = l->lag;
  const PetscInt  s     = l->place[i];
  const int       count = l->model->count;
  const double    least = PetscMax(unsure, FARE_ABSENT);
  double         *sum = l->sums + s * sums_of(count), *score = sum + 1, *information = score + count;

  PetscFunctionBegin;
  (void)source;
  for (size_t e = lag->first[s]; e < lag->first[s + 1]; e++) {
    if (P[lag->target[e]] < unsure) {
      l->again[l->repeats++] = s;
      PetscFunctionReturn(0);
    }
  }
  for (size_t e = lag->first[s]; e < lag->first[s + 1]; e++) {
    const double p = PetscMax(P[lag->target[e]], FARE_ABSENT);

    if (p <= FARE_ABSENT) sum[sums_of(count) - 1] = lag->target[e] + 1.0;
    sum[0] += lag->weight[e] * log(p);
    for (int k = 0; k < count && l->slopes; k++) score[k] += lag->weight[e] * dP[k][lag->target[e]] / p;
  }
  for (PetscInt cell = 0; cell < l->model->cells && l->slopes; cell++) {
    if (!(P[cell] > least)) continue;
    for (int k = 0; k < count; k++) {
      const double part = lag->starts[s] * dP[k][cell] / P[cell];

      for (int j = 0; j <= k; j++) information[k * count + j] += part * dP[j][cell];
    }
  }
  PetscFunctionReturn(0);
}

/* Along one axis every rank does all of what nothing drives; else they share the sources, FARE_LANES at a
 * time. */
static PetscBool is_shared(const fare_model *m)
{
  return m->grid->dim > 1 || fare_system_is_driven(m->system) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode my_sources(
  const fare_likelihood *l, PetscInt place[], PetscInt source[], PetscInt *mine)
{
  const fare_lag *lag  = ((const pairs_of *)l->data)->lag;
  int             rank = 0, ranks = 1;

  PetscFunctionBegin;
  if (is_shared(l->model)) {
    PetscCallMPI(MPI_Comm_rank(l->context->comm, &rank));
    PetscCallMPI(MPI_Comm_size(l->context->comm, &ranks));
  }
  *mine = 0;
  for (PetscInt s = 0; s < lag->sources; s++) {
    if (s / FARE_LANES % ranks != rank) continue;
    place[*mine]      = s;
    source[(*mine)++] = lag->source[s];
  }
  PetscFunctionReturn(0);
}

/* Columns whose data have so small probabilities that they need all digits. */
static PetscErrorCode repeat_columns(const fare_likelihood *l)
{
  pairs_of       *d     = l->data;
  const PetscInt  count = d->repeats, *place = d->place;
  double          lag  = d->lag->lag;
  const fare_path path = fare_path_constant(l->model, &lag);
  PetscInt       *source;
  PetscErrorCode  code;

  PetscFunctionBegin;
  if (!count) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(count, &source));
  for (PetscInt i = 0; i < count; i++) source[i] = d->lag->source[d->again[i]];
  d->place = d->again;
  code     = fare_path_columns(&path, d->slopes, count, source, add_column, d);
  d->place = place;
  PetscCall(PetscFree(source));
  PetscFunctionReturn(code);
}

/* Columns of a lag; of a driven system with rates over the time between. */
static PetscErrorCode make_columns(
  const fare_likelihood *l, const double theta[], PetscInt count, const PetscInt source[])
{
  pairs_of       *d   = l->data;
  const fare_lag *lag = d->lag;
  fare_path       path;
  PetscErrorCode  code;

  PetscFunctionBegin;
  if (!fare_system_is_driven(l->model->system)) {
    PetscCall(fare_columns(l->model, lag->lag, d->slopes, count, source, add_column, d));
    PetscCall(repeat_columns(l));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_path_create(l->model, theta, lag->from, lag->from + lag->lag, l->steps, d->slopes, &path));
  code = fare_path_columns(&path, d->slopes, count, source, add_column, d);
  PetscCall(fare_path_free(&path));
  PetscFunctionReturn(code);
}

static PetscErrorCode evaluate_lag(
  const fare_likelihood *l, const double theta[], const fare_lag *lag, double total[])
{
  const PetscInt size = sums_of(l->model->count);
  pairs_of      *d    = l->data;
  PetscInt      *place, *source, mine = 0;

  PetscFunctionBegin;
  d->lag = lag;
  PetscCall(PetscMalloc3(lag->sources, &place, lag->sources, &source, lag->sources, &d->again));
  d->repeats = 0;
  PetscCall(PetscCalloc1(lag->sources * size, &d->sums));
  d->place = place;
  PetscCall(my_sources(l, place, source, &mine));
  PetscCall(fare_error_agree(l->context->comm, make_columns(l, theta, mine, source)));
  if (is_shared(l->model))
    PetscCallMPI(MPI_Allreduce(
      MPI_IN_PLACE, d->sums, (int)(lag->sources * size), MPI_DOUBLE, MPI_SUM, l->context->comm));
  for (PetscInt s = 0; s < lag->sources; s++) {
    const double *sums = d->sums + s * size;

    for (PetscInt i = 0; i < size - 1; i++) total[i] += sums[i];
    if (sums[size - 1] > 0) {
      d->absent_lag  = lag->lag;
      d->absent_from = lag->source[s];
      d->absent_to   = (PetscInt)sums[size - 1] - 1;
    }
  }
  PetscCall(PetscFree(d->sums));
  PetscCall(PetscFree3(place, source, d->again));
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(
  fare_likelihood *l, const double theta[], double *value, double score[], double information[])
{
  const int count           = l->model->count;
  pairs_of *d               = l->data;
  double    total[SUMS_MAX] = {0};

  PetscFunctionBegin;
  d->absent_lag = 0;
  d->slopes     = score ? PETSC_TRUE : PETSC_FALSE;
  if (!fare_system_is_driven(l->model->system))
    PetscCall(fare_error_agree(l->context->comm, fare_model_set(l->model, theta, d->slopes)));
  for (int i = 0; i < d->pairs.lags; i++) PetscCall(evaluate_lag(l, theta, &d->pairs.of[i], total));
  *value = total[0] - (double)d->pairs.pairs * log(fare_grid_volume(l->model->grid));
  for (int k = 0; k < count && d->slopes; k++) {
    score[k] = total[1 + k];
    for (int j = 0; j < count; j++)
      information[k * count + j] = total[1 + count + PetscMax(j, k) * count + PetscMin(j, k)];
  }
  PetscFunctionReturn(0);
}

/* Cells must be finer than what a lag spreads a point over, wherever pairs start. */
static PetscErrorCode check_lag(const fare_model *m, const fare_lag *lag)
{
  const fare_grid *g = m->grid;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < lag->sources; s++) {
    double        x[FARE_DIM_MAX], D[FARE_DIM_MAX];
    const double *at[FARE_DIM_MAX]   = {&x[0], &x[1], &x[2]};
    double *const to_D[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

    fare_cell_centre(g, lag->source[s], x);
    fare_system_diffusion(m->system, lag->from, 1, at, to_D);
    for (int axis = 0; axis < g->dim; axis++) {
      const double width = sqrt(2 * D[axis] * lag->lag), h = g->spacing[axis];

      if (width < RESOLVED * h)
        FARE_FAIL(FARE_ERR_INPUT,
          "cells: a lag of %g spreads a point by %.3g along %s, and cells are %.3g wide: take %d cells or "
          "more",
          lag->lag, width, fare_system_axis_name(m->system, axis), h,
          2 * (int)ceil(0.5 * RESOLVED * (double)g->cells[axis] * h / width));
    }
  }
  PetscFunctionReturn(0);
}

/* A lag that the cells do not resolve, and a step that cannot be, which would count for nothing. */
static PetscErrorCode check(fare_likelihood *l, const double theta[])
{
  const pairs_of *d = l->data;
  char            from[64], to[64];

  PetscFunctionBegin;
  PetscCall(fare_model_parameters(l->model, theta));
  for (int i = 0; i < d->pairs.lags; i++) PetscCall(check_lag(l->model, &d->pairs.of[i]));
  if (d->absent_lag == 0) PetscFunctionReturn(0);
  fare_infer_place(l->model->grid, d->absent_from, from);
  fare_infer_place(l->model->grid, d->absent_to, to);
  FARE_FAIL(FARE_ERR_FAILED,
    "a step from %s to %s in a time of %g has probability 0 in this model: check for outliers, and check the "
    "units",
    from, to, d->absent_lag);
}

static PetscErrorCode begin(fare_likelihood *l, const fare_tracks *tracks)
{
  int64_t        count, *pair;
  pairs_of      *d;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(&d));
  l->data  = d;
  d->model = l->model;
  if (tracks->dim == 1 && l->model->cells > CELLS_1D)
    FARE_FAIL(FARE_ERR_INPUT, "cells: at most %d along one axis, got %d", CELLS_1D, (int)l->model->cells);
  PetscCall(fare_tracks_pairs(tracks, l->context->lag, &count, &pair));
  if (tracks->dim == 1) l->lattice.nodes = 0;
  code = fare_pairs_create(tracks, l->model, &l->lattice, count, pair, &d->pairs);
  PetscCall(PetscFree(pair));
  l->count = count;
  PetscFunctionReturn(code);
}

static PetscErrorCode end(fare_likelihood *l)
{
  pairs_of *d = l->data;

  PetscFunctionBegin;
  PetscCall(PetscFree(d->sums));
  PetscCall(fare_pairs_free(&d->pairs));
  PetscCall(PetscFree(l->data));
  PetscFunctionReturn(0);
}

const fare_likelihood_kind fare_likelihood_pairs = {
  .name = "pairs", .begin = begin, .evaluate = evaluate, .check = check, .end = end};

/* Positions that are known exactly make pairs; noisy ones pass a filter. */
static PetscErrorCode fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  PetscBool noisy = PETSC_FALSE;

  PetscFunctionBegin;
  for (int axis = 0; axis < tracks->dim; axis++)
    if (tracks->noise[axis] > 0) noisy = PETSC_TRUE;
  PetscCall(
    fare_likelihood_fit(noisy ? &fare_likelihood_filter : &fare_likelihood_pairs, context, tracks, inferred));
  PetscFunctionReturn(0);
}

const fare_infer_type fare_infer_likelihood = {
  .name      = "likelihood",
  .summary   = "maximum likelihood with the Fokker-Planck equation's transition densities, at any lag, or of "
               "noisy tracks",
  .reference = "transition densities: uniformization on the grid (Jensen, Skand. Aktuarietidskr. 36, 87 "
               "(1953)); scoring "
               "(Fisher, Proc. Camb. Philos. Soc. 22, 700 (1925))",
  .dim_max   = 2,
  .likely    = PETSC_TRUE,
  .driven    = PETSC_TRUE,
  .fit       = fit,
  .prepare   = fare_frame_create,
};
