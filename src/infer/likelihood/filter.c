/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The likelihood of noisy tracks, y = x + noise: the exact nonlinear filter. The density of a state, given all
  observations so far, is taken through each interval by the Fokker-Planck equation, p <- K p, and multiplied
  by what the next observation says, p <- p g(y|.); ln of the norms adds up to ln p(y_1, y_2, ...). Slopes go
  the same way. Scores of successive observations are uncorrelated, so that the sum of their squares stands
  for the information. Tracks with the same intervals, and the same start where that matters, go side by side.
*/
#include "likelihood.h"

#include <cblas.h>

#include <math.h>
#include <string.h>

#define RESOLVED \
  0.7 /* cells in the noise, at least, of half as many: sums over cells are then integrals to 1e-4 */
#define ROOM  (1 << 27) /* numbers in matrices of transition probabilities, at most */
#define SAME  1e-6
#define REACH 8.0 /* standard deviations of noise that images along a ring are summed over */
#define MODES 5   /* of a ring that is less than four times as wide as the noise: the next is exp(-44) */

/*
  Sums of one batch, which one rank makes: 1 + a row whose probability is 0 (0: there is none), the value,
  score and information.
*/
static inline int64_t sums_of(int count)
{
  return 2 + count + count * count;
}

typedef struct {
  const fare_tracks *tracks;
  fare_intervals     intervals;
  int64_t            batches, *batch; /* first track of each, and behind the last */
  double            *matrices;        /* of every interval, P and its slopes; NULL: there is no room */
  double            *sums;
} filter;

/* States of a batch, [lane][field][cell], given the observations so far. */
typedef struct {
  int     lanes, fields;
  double *P, *next;
} states;

/* The interval before a row that is not the first of its track. */
static int interval_before(const filter *d, int64_t track, int64_t row)
{
  return d->intervals.of[row - track - 1];
}

/* `timed`: the states at their first observations depend on when these are. */
static PetscBool go_together(const filter *d, PetscBool timed, int64_t a, int64_t b)
{
  const int64_t *first = d->tracks->first, rows = first[a + 1] - first[a];

  if (first[b + 1] - first[b] != rows) return PETSC_FALSE;
  if (timed && d->tracks->time[first[a]] != d->tracks->time[first[b]]) return PETSC_FALSE;
  for (int64_t i = 1; i < rows; i++)
    if (interval_before(d, a, first[a] + i) != interval_before(d, b, first[b] + i)) return PETSC_FALSE;
  return PETSC_TRUE;
}

static PetscErrorCode find_batches(PetscBool timed, filter *d)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)d->tracks->tracks + 1, &d->batch));
  for (int64_t track = 0; track < d->tracks->tracks; track++) {
    const int64_t first = d->batches ? d->batch[d->batches - 1] : 0;

    if (!d->batches || track - first == FARE_LANES || !go_together(d, timed, first, track))
      d->batch[d->batches++] = track;
  }
  d->batch[d->batches] = d->tracks->tracks;
  PetscFunctionReturn(0);
}

static PetscErrorCode check_rows(const fare_likelihood *l, const fare_tracks *t)
{
  const double     lag = l->context->lag, start = l->context->study->start;
  const fare_grid *g = l->model->grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < t->dim; axis++) {
    const double width = g->upper[axis] - g->lower[axis];

    if (!(t->noise[axis] > 0))
      FARE_FAIL(FARE_ERR_INPUT, "observations of %s have no noise, but others have: give each axis some",
        fare_system_axis_name(l->model->system, axis));
    /* of the cells asked for, and of half as many, which tell their error */
    if (t->noise[axis] * (double)(l->context->cells[axis] / 2) < RESOLVED * width)
      FARE_FAIL(FARE_ERR_INPUT, "cells: noise of %g along %s needs cells of %.3g or less: take %d or more",
        t->noise[axis], fare_system_axis_name(l->model->system, axis), 0.5 * t->noise[axis] / RESOLVED,
        2 * (int)ceil(RESOLVED * width / t->noise[axis]));
  }
  for (int64_t track = 0; track < t->tracks; track++) {
    const int64_t first = t->first[track];

    if (l->context->first == FARE_FIRST_INITIAL && t->time[first] < start)
      PetscFunctionReturn(
        fare_tracks_error(t, first, 1, "%.10g is before the study's start, %g", t->time[first], start));
    for (int64_t row = first + 1; row < t->first[track + 1] && lag > 0; row++) {
      const double passed = t->time[row] - t->time[row - 1];

      if (fabs(passed - lag) > SAME * lag + 4 * PETSC_MACHINE_EPSILON * fabs(t->time[row]))
        PetscFunctionReturn(fare_tracks_error(t, row, 1,
          "comes %.10g after the one before: noisy observations are taken as they come, remove 'lag'",
          passed));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(fare_likelihood *l, const fare_tracks *t)
{
  int64_t       *pair, count = 0;
  filter        *d;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(&d));
  l->data   = d;
  d->tracks = t;
  PetscCall(check_rows(l, t));
  PetscCall(PetscMalloc1(2 * (size_t)t->rows, &pair));
  for (int64_t track = 0; track < t->tracks; track++) {
    for (int64_t row = t->first[track] + 1; row < t->first[track + 1]; row++) {
      pair[2 * count]       = row - 1;
      pair[2 * count++ + 1] = row;
    }
  }
  l->count = l->context->first == FARE_FIRST_INITIAL ? t->rows : count;
  code     = fare_intervals_create(t, l->model, count, pair, &d->intervals);
  PetscCall(PetscFree(pair));
  PetscCall(code);
  if (!count) FARE_FAIL(FARE_ERR_INPUT, "%s: no track has two observations", t->name);
  PetscCall(find_batches(l->context->first == FARE_FIRST_INITIAL ? PETSC_TRUE : PETSC_FALSE, d));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(fare_likelihood *l)
{
  filter *d = l->data;

  PetscFunctionBegin;
  PetscCall(PetscFree(d->batch));
  PetscCall(PetscFree(d->matrices));
  PetscCall(PetscFree(d->sums));
  PetscCall(fare_intervals_free(&d->intervals));
  PetscCall(PetscFree(l->data));
  PetscFunctionReturn(0);
}

/* A place for columns of one interval. */
typedef struct {
  PetscInt n;
  int      count;
  double  *of;
} matrices;

static PetscErrorCode keep(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[])
{
  const matrices *m    = to;
  const size_t    size = (size_t)m->n * sizeof *P;

  PetscFunctionBegin;
  (void)source;
  (void)unsure;
  memcpy(m->of + i * m->n, P, size);
  for (int k = 0; k < m->count; k++) memcpy(m->of + ((k + 1) * m->n + i) * m->n, dP[k], size);
  PetscFunctionReturn(0);
}

/* Along one axis without a drive: all transition probabilities at once, where there is room. */
static PetscErrorCode make_matrices(fare_likelihood *l, const double theta[], int fields)
{
  const PetscInt n    = l->model->cells;
  const size_t   size = (size_t)fields * (size_t)n * (size_t)n;
  filter        *d    = l->data;
  PetscInt      *all;

  PetscFunctionBegin;
  if (fare_system_is_driven(l->model->system)) PetscFunctionReturn(0);
  PetscCall(fare_model_set(l->model, theta, fields > 1 ? PETSC_TRUE : PETSC_FALSE));
  if (l->model->grid->dim > 1 || size * (size_t)d->intervals.count > ROOM) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(n, &all));
  for (PetscInt i = 0; i < n; i++) all[i] = i;
  PetscCall(PetscMalloc1(size * (size_t)d->intervals.count, &d->matrices));
  for (int i = 0; i < d->intervals.count; i++) {
    matrices to = {n, fields - 1, d->matrices + (size_t)i * size};

    PetscCall(
      fare_columns(l->model, d->intervals.lag[i], fields > 1 ? PETSC_TRUE : PETSC_FALSE, n, all, keep, &to));
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* next = K P, and of slopes d(K P) = K dP + dK P. */
static void multiply(const double *K, int n, states *s)
{
  const int all = s->fields * n;

  for (int k = 0; k < s->fields; k++) {
    const double *dK = K + (size_t)k * (size_t)n * (size_t)n;

    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, s->lanes, n, 1, K, n, s->P + k * n, all, 0,
      s->next + k * n, all);
    if (k)
      cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, s->lanes, n, 1, dK, n, s->P, all, 1,
        s->next + k * n, all);
  }
}

/* P through a time of a system, from the first lane or all. */
static PetscErrorCode evolve(
  fare_likelihood *l, const double theta[], double from, double to, int lanes, states *s)
{
  const PetscBool slopes = s->fields > 1 ? PETSC_TRUE : PETSC_FALSE;
  double         *at[FARE_LANES * (FARE_INFER_MAX + 1)];
  fare_path       path;
  PetscErrorCode  code;

  PetscFunctionBegin;
  for (int i = 0; i < lanes * s->fields; i++) at[i] = s->P + i * l->model->cells;
  PetscCall(fare_path_create(l->model, theta, from, to, l->steps, slopes, &path));
  code = fare_path_advance(&path, s->fields, lanes, at);
  PetscCall(fare_path_free(&path));
  PetscFunctionReturn(code);
}

static PetscErrorCode propagate(fare_likelihood *l, const double theta[], int interval, states *s)
{
  const filter *d    = l->data;
  const size_t  n    = (size_t)l->model->cells;
  const double  from = d->intervals.from[interval];
  double       *P    = s->P;

  PetscFunctionBegin;
  if (!d->matrices) {
    PetscCall(evolve(l, theta, from, from + d->intervals.lag[interval], s->lanes, s));
    PetscFunctionReturn(0);
  }
  multiply(d->matrices + (size_t)interval * (size_t)s->fields * n * n, (int)n, s);
  s->P    = s->next;
  s->next = P;
  PetscFunctionReturn(0);
}

/* States at the first observations: even over the box, or what has become of the initial density. */
static PetscErrorCode begin_states(fare_likelihood *l, const double theta[], int64_t track, states *s)
{
  const filter           *d     = l->data;
  const fare_infer_study *study = l->context->study;
  const PetscInt          n     = l->model->cells;
  const double            time  = d->tracks->time[d->tracks->first[track]];
  double                 *at[FARE_INFER_MAX + 1];

  PetscFunctionBegin;
  memset(s->P, 0, (size_t)(s->lanes * s->fields) * (size_t)n * sizeof *s->P);
  if (l->context->first == FARE_FIRST_FLAT) {
    for (int lane = 0; lane < s->lanes; lane++)
      for (PetscInt i = 0; i < n; i++) s->P[lane * s->fields * n + i] = 1 / (double)n;
    PetscFunctionReturn(0);
  }
  for (int k = 0; k < s->fields; k++) at[k] = s->P + k * n;
  PetscCall(fare_model_initial(
    l->model, study->initial, study->start, theta, s->fields > 1 ? PETSC_TRUE : PETSC_FALSE, at));
  if (time > study->start) PetscCall(evolve(l, theta, study->start, time, 1, s));
  for (int lane = 1; lane < s->lanes; lane++)
    memcpy(s->P + lane * s->fields * n, s->P, (size_t)s->fields * (size_t)n * sizeof *s->P);
  PetscFunctionReturn(0);
}

/* The Gaussian of mean 0; along a ring, of a width, the sum over its images, by whichever series is short. */
static double gaussian(double off, double sd, double width)
{
  const double peak = 1 / (sd * sqrt(2 * PETSC_PI));
  double       sum  = 0;

  if (!(width > 0)) return peak * exp(-0.5 * PetscSqr(off / sd));
  off = remainder(off, width);
  if (sd > 0.25 * width) {
    const double fade = 2 * PetscSqr(PETSC_PI * sd / width);

    for (int k = MODES; k > 0; k--) sum += 2 * exp(-fade * k * k) * cos(2 * PETSC_PI * k * off / width);
    return (1 + sum) / width;
  }
  for (int far = (int)ceil(REACH * sd / width), k = -far; k <= far; k++)
    sum += exp(-0.5 * PetscSqr((off + k * width) / sd));
  return peak * sum;
}

/* g(y|x) at the centres of all cells. */
static void weigh(const fare_grid *g, const fare_tracks *t, int64_t row, double weight[])
{
  const PetscInt cells  = fare_grid_owned(g);
  PetscInt       stride = 1;

  for (PetscInt cell = 0; cell < cells; cell++) weight[cell] = 1;
  for (int axis = 0; axis < g->dim; axis++) {
    const PetscInt n     = g->cells[axis];
    const double   width = g->boundary[axis] == FARE_BOUNDARY_PERIODIC ? g->upper[axis] - g->lower[axis] : 0;

    for (PetscInt i = 0; i < n; i++) {
      double x[FARE_DIM_MAX], factor;

      fare_cell_centre(g, i * stride, x);
      factor = gaussian(t->x[row * g->dim + axis] - x[axis], t->noise[axis], width);
      for (PetscInt block = i * stride; block < cells; block += n * stride)
        for (PetscInt cell = block; cell < block + stride; cell++) weight[cell] *= factor;
    }
    stride *= n;
  }
}

/* One lane's state, given an observation of weights g; its probability where it counts. */
static void condition(
  PetscInt n, int fields, const double g[], int64_t row, PetscBool counts, double P[], double sums[])
{
  double p[FARE_INFER_MAX + 1] = {0}, *value = sums + 1, *score = value + 1,
                            *information = score + fields - 1;

  for (int k = 0; k < fields; k++)
    for (PetscInt i = 0; i < n; i++) p[k] += P[k * n + i] * g[i];
  if (!(p[0] > FARE_ABSENT)) {
    *value += log(FARE_ABSENT);
    sums[0] = (double)row + 1;
    return;
  }
  for (int k = 1; k < fields; k++) p[k] /= p[0];
  for (int k = 1; k < fields; k++)
    for (PetscInt i = 0; i < n; i++) P[k * n + i] = (P[k * n + i] - p[k] * P[i]) * g[i] / p[0];
  for (PetscInt i = 0; i < n; i++) P[i] *= g[i] / p[0];
  if (!counts) return;
  *value += log(p[0]);
  for (int k = 1; k < fields; k++) {
    score[k - 1] += p[k];
    for (int j = 1; j < fields; j++) information[(k - 1) * (fields - 1) + j - 1] += p[k] * p[j];
  }
}

static PetscErrorCode pass(
  fare_likelihood *l, const double theta[], int64_t batch, double g[], states *s, double sums[])
{
  const filter      *d     = l->data;
  const fare_tracks *t     = d->tracks;
  const int64_t      track = d->batch[batch];
  const PetscInt     n     = l->model->cells;

  PetscFunctionBegin;
  s->lanes = (int)(d->batch[batch + 1] - track);
  for (int64_t i = 0; i < t->first[track + 1] - t->first[track]; i++) {
    const PetscBool counts = i || l->context->first == FARE_FIRST_INITIAL ? PETSC_TRUE : PETSC_FALSE;

    if (i)
      PetscCall(propagate(l, theta, interval_before(d, track, t->first[track] + i), s));
    else
      PetscCall(begin_states(l, theta, track, s));
    for (int lane = 0; lane < s->lanes; lane++) {
      const int64_t row = t->first[track + lane] + i;

      weigh(l->model->grid, t, row, g);
      condition(n, s->fields, g, row, counts, s->P + lane * s->fields * n, sums);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode pass_all(fare_likelihood *l, const double theta[], int fields)
{
  const size_t n = (size_t)l->model->cells, size = (size_t)(FARE_LANES * fields) * n;
  filter      *d = l->data;
  states       s = {.fields = fields};
  double      *g, *P, *next;
  int          rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(l->context->comm, &rank));
  PetscCallMPI(MPI_Comm_size(l->context->comm, &ranks));
  PetscCall(make_matrices(l, theta, fields));
  PetscCall(PetscMalloc3(n, &g, size, &P, size, &next));
  for (int64_t batch = rank; batch < d->batches; batch += ranks) {
    s.P    = P;
    s.next = next;
    PetscCall(pass(l, theta, batch, g, &s, d->sums + batch * sums_of(l->model->count)));
  }
  PetscCall(PetscFree3(g, P, next));
  PetscCall(PetscFree(d->matrices));
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(
  fare_likelihood *l, const double theta[], double *value, double score[], double information[])
{
  const int     count = l->model->count;
  const int64_t size  = sums_of(count);
  filter       *d     = l->data;

  PetscFunctionBegin;
  PetscCall(PetscFree(d->sums));
  PetscCall(PetscCalloc1(d->batches * size, &d->sums));
  PetscCall(fare_error_agree(l->context->comm, pass_all(l, theta, score ? 1 + count : 1)));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, d->sums, (int)(d->batches * size), MPI_DOUBLE, MPI_SUM, l->context->comm));
  *value = 0;
  if (score) memset(score, 0, (size_t)count * sizeof *score);
  if (score) memset(information, 0, (size_t)(count * count) * sizeof *information);
  for (int64_t batch = 0; batch < d->batches; batch++) {
    const double *sums = d->sums + batch * size;

    *value += sums[1];
    for (int k = 0; k < count && score; k++) score[k] += sums[2 + k];
    for (int k = 0; k < count * count && score; k++) information[k] += sums[2 + count + k];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check(fare_likelihood *l, const double theta[])
{
  const filter *d = l->data;

  PetscFunctionBegin;
  (void)theta;
  for (int64_t batch = 0; batch < d->batches; batch++) {
    const int64_t row = (int64_t)d->sums[batch * sums_of(l->model->count)] - 1;

    if (row >= 0)
      PetscFunctionReturn(fare_tracks_error(d->tracks, row, 2,
        "%.10g has probability 0 in this model: check for outliers, and check the units",
        d->tracks->x[row * d->tracks->dim]));
  }
  PetscFunctionReturn(0);
}

const fare_likelihood_kind fare_likelihood_filter = {
  .name = "filter", .observed = PETSC_TRUE, .begin = begin, .evaluate = evaluate, .check = check, .end = end};
