/* SPDX-License-Identifier: BSD-2-Clause */
/* Marginals of data and of the truth, and fits to them with errors by the bootstrap. */
#include "marginals.h"

#include <fare/random.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME   1e-6 /* of the span of all times: difference that is none */
#define DRAWS  50   /* of the bootstrap */
#define FEW    4    /* observations of a time, at least */
#define BINS   1024 /* of the density that kernels make */
#define ROUNDS 100
#define NEAR   1e-7
#define MANY   1e8 /* points of all times: some gigabytes */
#define ABSENT 1e-290

static PetscErrorCode make_room(int dim, size_t points, double time, fare_marginal *m)
{
  PetscFunctionBegin;
  *m = (fare_marginal){.time = time, .points = points, .observations = HUGE_VAL};
  for (int axis = 0; axis < dim; axis++) PetscCall(PetscCalloc1(points, &m->x[axis]));
  PetscCall(PetscCalloc2(points, &m->weight, points, &m->score));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_marginals *m)
{
  PetscFunctionBegin;
  for (size_t k = 0; k < m->count; k++) {
    for (int axis = 0; axis < m->dim; axis++) PetscCall(PetscFree(m->at[k].x[axis]));
    PetscCall(PetscFree2(m->at[k].weight, m->at[k].score));
  }
  PetscCall(PetscFree(m->at));
  PetscFunctionReturn(0);
}

/* A point of one axis, to be sorted with its weight. */
typedef struct {
  double  x;
  int64_t row;
} placed;

static int by_x(const void *a, const void *b)
{
  const placed *p = a, *q = b;

  if (p->x != q->x) return p->x < q->x ? -1 : 1;
  return (p->row > q->row) - (p->row < q->row);
}

/* Standard deviation of the kernels, 0.9 min(sd, IQR/1.34) n^(-1/5), of sorted points: Silverman (1986). */
static double width_of(const fare_marginal *m)
{
  double mean = 0, square = 0, sum = 0, quarter[2] = {NAN, NAN};

  for (size_t i = 0; i < m->points; i++) {
    mean += m->weight[i] * m->x[0][i];
    sum += m->weight[i];
    for (int side = 0; side < 2; side++)
      if (isnan(quarter[side]) && sum >= (side ? 0.75 : 0.25)) quarter[side] = m->x[0][i];
  }
  for (size_t i = 0; i < m->points; i++) square += m->weight[i] * PetscSqr(m->x[0][i] - mean);
  if (quarter[1] > quarter[0]) square = PetscMin(square, PetscSqr((quarter[1] - quarter[0]) / 1.34));
  return 0.9 * sqrt(square) * pow(m->observations, -0.2);
}

/* d ln p/dx of the density that kernels make: in bins, between which points are shared and read linearly. */
static PetscErrorCode score_of_kernels(double wider, fare_marginal *m)
{
  const double width = wider * width_of(m), low = m->x[0][0] - 4 * width,
               step   = (m->x[0][m->points - 1] + 4 * width - low) / (BINS - 1);
  double    bin[BINS] = {0}, score[BINS];
  const int reach     = step > 0 ? (int)PetscMin(BINS, ceil(6 * width / step)) : 0;

  PetscFunctionBegin;
  if (!(m->x[0][m->points - 1] > m->x[0][0]))
    FARE_FAIL(FARE_ERR_INPUT, "observations of time %g lie in one place", m->time);
  for (size_t i = 0; i < m->points; i++) {
    const double s = (m->x[0][i] - low) / step;
    const int    k = (int)PetscMin(BINS - 2, floor(s));

    bin[k] += m->weight[i] * (k + 1 - s);
    bin[k + 1] += m->weight[i] * (s - k);
  }
  for (int k = 0; k < BINS; k++) {
    double p = ABSENT, slope = 0;

    for (int j = PetscMax(0, k - reach); j <= PetscMin(BINS - 1, k + reach); j++) {
      const double d = (k - j) * step / width, g = bin[j] * exp(-0.5 * d * d);

      p += g;
      slope -= g * d / width;
    }
    score[k] = slope / p;
  }
  for (size_t i = 0; i < m->points; i++) {
    const double s = (m->x[0][i] - low) / step;
    const int    k = (int)PetscMin(BINS - 2, floor(s));

    m->score[i] = score[k] * (k + 1 - s) + score[k + 1] * (s - k);
  }
  PetscFunctionReturn(0);
}

static void score_of_cells(const fare_grid *g, fare_marginal *m)
{
  for (size_t i = 0; i < m->points; i++) {
    const size_t below = i ? i - 1 : 0, above = i + 1 < m->points ? i + 1 : i;

    m->score[i] = m->weight[below] > ABSENT && m->weight[above] > ABSENT
      ? log(m->weight[above] / m->weight[below]) / ((double)(above - below) * g->spacing[0])
      : 0;
  }
}

static PetscErrorCode find_scores(fare_marginals *m, double wider)
{
  PetscFunctionBegin;
  for (size_t k = 0; k < m->count && m->dim == 1; k++) {
    if (m->grid)
      score_of_cells(m->grid, &m->at[k]);
    else
      PetscCall(score_of_kernels(wider, &m->at[k]));
  }
  PetscFunctionReturn(0);
}

static PetscInt cell_of(const fare_grid *g, const double x[])
{
  PetscInt cell = 0, stride = 1;

  for (int axis = 0; axis < g->dim; axis++) {
    const PetscInt index = (PetscInt)floor((x[axis] - g->lower[axis]) / g->spacing[axis]);

    cell += stride * PetscMax(0, PetscMin(g->cells[axis] - 1, index));
    stride *= g->cells[axis];
  }
  return cell;
}

/* Observations of rows [0, count) of `order`, as points or in cells. */
static PetscErrorCode take_rows(
  const fare_tracks *t, const fare_grid *g, int64_t count, placed order[], fare_marginals *m)
{
  fare_marginal *to = &m->at[m->count++];
  double         x[FARE_DIM_MAX];

  PetscFunctionBegin;
  PetscCall(make_room(m->dim, m->grid ? (size_t)fare_grid_owned(g) : (size_t)count, order[0].x, to));
  if (count < FEW)
    FARE_FAIL(FARE_ERR_INPUT, "%s: time %g has %lld observations: %d or more make a snapshot", t->name,
      order[0].x, (long long)count, FEW);
  to->observations = (double)count;
  for (size_t i = 0; i < to->points && m->grid; i++) {
    fare_cell_centre(g, (PetscInt)i, x);
    for (int axis = 0; axis < m->dim; axis++) to->x[axis][i] = x[axis];
  }
  for (int64_t i = 0; i < count; i++) order[i].x = t->x[order[i].row * t->dim];
  qsort(order, (size_t)count, sizeof *order, by_x);
  for (int64_t i = 0; i < count; i++) {
    PetscCall(fare_place(t, g, order[i].row, x));
    if (m->grid) {
      to->weight[cell_of(g, x)] += 1 / (double)count;
      continue;
    }
    for (int axis = 0; axis < m->dim; axis++) to->x[axis][i] = x[axis];
    to->weight[i] = 1 / (double)count;
  }
  PetscFunctionReturn(0);
}

/* Room for times; refuses more points than fit. */
static PetscErrorCode make_times(const char *of, size_t times, double points, fare_marginals *m)
{
  PetscFunctionBegin;
  if (points > MANY)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: %zu snapshots of %.0f points in all are too many: take fewer transitions or cells", of, times,
      points);
  PetscCall(PetscCalloc1(times, &m->at));
  PetscFunctionReturn(0);
}

/* Behind the observations that are of the time of the first one. */
static int64_t behind_time(const placed order[], int64_t rows, int64_t first)
{
  const double slack = SAME * (order[rows - 1].x - order[0].x);
  int64_t      row   = first + 1;

  while (row < rows && order[row].x - order[first].x <= slack) row++;
  return row;
}

static PetscErrorCode of_tracks(const fare_tracks *t, const fare_grid *g, fare_marginals *m)
{
  placed        *order, *sorted;
  size_t         times = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2((size_t)t->rows, &order, (size_t)t->rows, &sorted));
  for (int64_t row = 0; row < t->rows; row++) order[row] = (placed){t->time[row], row};
  qsort(order, (size_t)t->rows, sizeof *order, by_x);
  memcpy(sorted, order, (size_t)t->rows * sizeof *order);
  for (int64_t first = 0; first < t->rows; first = behind_time(sorted, t->rows, first)) times++;
  code =
    make_times(t->name, times, m->grid ? (double)times * (double)fare_grid_owned(g) : (double)t->rows, m);
  for (int64_t first = 0, behind; first < t->rows && !code; first = behind) {
    behind = behind_time(sorted, t->rows, first);
    code   = take_rows(t, g, behind - first, order + first, m);
  }
  PetscCall(PetscFree2(order, sorted));
  PetscCall(code);
  if (times < 2)
    FARE_FAIL(FARE_ERR_INPUT, "%s: all observations are of one time: %s looks at what changes", t->name,
      m->context->type->name);
  PetscFunctionReturn(0);
}

/* Those that infinitely many simulated tracks have. */
static PetscErrorCode of_truth(fare_model *model, fare_marginals *m)
{
  const fare_infer_context *c     = m->context;
  const size_t              times = (size_t)c->transitions + 1, cells = (size_t)model->cells;
  double                    truth[FARE_INFER_MAX], *P, x[FARE_DIM_MAX];
  Vec                       masses;

  PetscFunctionBegin;
  PetscCall(fare_infer_truth(c, truth));
  PetscCall(fare_model_set(model, truth, PETSC_FALSE));
  PetscCall(make_times("limits", times, (double)times * (double)cells, m));
  PetscCall(PetscMalloc1(cells, &P));
  PetscCall(fare_grid_initial(model->grid, c->study->initial, model->system, c->study->start, &masses));
  PetscCall(fare_grid_gather(model->grid, masses, P));
  PetscCall(VecDestroy(&masses));
  for (size_t k = 0; k < times; k++) {
    fare_marginal *to = &m->at[m->count++];

    PetscCall(fare_masses_advance(model, k ? c->lag : c->settle, 1, &P));
    PetscCall(make_room(m->dim, cells, c->study->start + c->settle + (double)k * c->lag, to));
    memcpy(to->weight, P, cells * sizeof *P);
    for (size_t i = 0; i < cells; i++) {
      fare_cell_centre(model->grid, (PetscInt)i, x);
      for (int axis = 0; axis < m->dim; axis++) to->x[axis][i] = x[axis];
    }
  }
  PetscCall(PetscFree(P));
  PetscFunctionReturn(0);
}

/* Draws the observations of each time anew. */
static PetscErrorCode draw(const fare_marginals *from, int draw, fare_marginals *to)
{
  fare_random random = {fare_stream_make(from->context->study->seed, "infer/bootstrap"), (uint64_t)draw, 0};

  PetscFunctionBegin;
  for (size_t k = 0; k < from->count; k++) {
    fare_marginal *m = &to->at[k];
    int64_t       *counts;

    PetscCall(PetscMalloc1(m->points, &counts));
    fare_random_multinomial(&random, (int64_t)m->observations, m->points, from->at[k].weight, counts);
    for (size_t i = 0; i < m->points; i++) m->weight[i] = (double)counts[i] / m->observations;
    PetscCall(PetscFree(counts));
  }
  PetscCall(find_scores(to, 1));
  PetscFunctionReturn(0);
}

static PetscErrorCode copy(const fare_marginals *from, fare_marginals *to)
{
  PetscFunctionBegin;
  *to = *from;
  PetscCall(PetscMalloc1(from->count, &to->at));
  for (size_t k = 0; k < from->count; k++) {
    const fare_marginal *m = &from->at[k];

    PetscCall(make_room(from->dim, m->points, m->time, &to->at[k]));
    to->at[k].observations = m->observations;
    for (int axis = 0; axis < from->dim; axis++)
      memcpy(to->at[k].x[axis], m->x[axis], m->points * sizeof *m->x[axis]);
  }
  PetscFunctionReturn(0);
}

/* Standard errors: the scatter of what is found in data that are drawn anew. */
static PetscErrorCode bootstrap(const fare_marginals *m, const fare_model *model,
  fare_marginals_estimate *estimate, fare_inferred *inferred)
{
  const int      count                = m->context->count;
  double         mean[FARE_INFER_MAX] = {0}, square[FARE_INFER_MAX] = {0}, theta[FARE_INFER_MAX];
  fare_marginals again;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(copy(m, &again));
  for (int i = 0; i < DRAWS && !code; i++) {
    code = draw(m, i, &again);
    if (!code) code = estimate(&again, theta, NULL);
    for (int k = 0; k < count && !code; k++) {
      const double off = theta[k] - mean[k];

      mean[k] += off / (i + 1);
      square[k] += off * (theta[k] - mean[k]);
    }
  }
  PetscCall(destroy(&again));
  PetscCall(code);
  for (int k = 0; k < count; k++) {
    const double    centre = inferred->theta[k], error = sqrt(square[k] / (DRAWS - 1));
    const PetscBool end = centre <= model->least[k] || centre >= model->most[k] ? PETSC_TRUE : PETSC_FALSE;

    inferred->error[k] = end ? NAN : error;
    inferred->low[k]   = end ? NAN : PetscMax(model->least[k], centre - FARE_NORMAL_95 * error);
    inferred->high[k]  = end ? NAN : PetscMin(model->most[k], centre + FARE_NORMAL_95 * error);
  }
  PetscFunctionReturn(0);
}

/* What the width of kernels makes of an estimate, which grows with its square: kernels with twice of that. */
static PetscErrorCode find_blur(fare_marginals_estimate *estimate, fare_marginals *m, fare_inferred *inferred)
{
  double theta[FARE_INFER_MAX];

  PetscFunctionBegin;
  for (int k = 0; k < m->context->count; k++) inferred->grid[k] = NAN;
  if (m->grid || m->dim > 1) PetscFunctionReturn(0);
  PetscCall(find_scores(m, sqrt(2)));
  PetscCall(estimate(m, theta, NULL));
  for (int k = 0; k < m->context->count; k++)
    if (theta[k] != inferred->theta[k]) inferred->grid[k] = fabs(theta[k] - inferred->theta[k]);
  PetscCall(find_scores(m, 1));
  PetscFunctionReturn(0);
}

static PetscErrorCode fit(const fare_tracks *t, const fare_model *model, fare_marginals_estimate *estimate,
  fare_marginals *m, fare_inferred *inferred)
{
  PetscFunctionBegin;
  PetscCall(of_tracks(t, model->grid, m));
  PetscCall(find_scores(m, 1));
  PetscCall(estimate(m, inferred->theta, inferred));
  inferred->pairs = t->rows;
  PetscCall(find_blur(estimate, m, inferred));
  PetscCall(bootstrap(m, model, estimate, inferred));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_marginals_fit(const fare_infer_context *c, const fare_tracks *t, PetscBool cells,
  fare_marginals_estimate *estimate, fare_inferred *inferred)
{
  fare_marginals m = {.dim = t->dim, .context = c};
  fare_model    *model;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_infer_check_noise(t, c->type->name));
  PetscCall(fare_infer_model(c, c->cells, &model));
  if (cells) m.grid = model->grid;
  code = fit(t, model, estimate, &m, inferred);
  PetscCall(destroy(&m));
  PetscCall(fare_model_destroy(&model));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_marginals_limit(
  const fare_infer_context *c, const PetscInt cells[], fare_marginals_estimate *estimate, double theta[])
{
  fare_marginals m = {.dim = fare_system_dimension(c->study->system), .context = c};
  fare_model    *model;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_infer_model(c, cells, &model));
  m.grid = model->grid;
  code   = fare_error_agree(c->comm, of_truth(model, &m));
  if (!code) code = find_scores(&m, 1);
  if (!code) code = estimate(&m, theta, NULL);
  PetscCall(destroy(&m));
  PetscCall(fare_model_destroy(&model));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_marginals_check_noise(const fare_infer_context *c)
{
  const int     dim = fare_system_dimension(c->study->system);
  double        z[FARE_DIM_MAX], D[FARE_DIM_MAX], first[FARE_DIM_MAX] = {0};
  const double *at[FARE_DIM_MAX] = {z, z + 1, z + 2};
  double       *to[FARE_DIM_MAX] = {D, D + 1, D + 2};

  PetscFunctionBegin;
  for (int look = 0; look < 8; look++) {
    for (int axis = 0; axis < dim; axis++)
      z[axis] = c->box.lower[axis] + fmod(0.13 + 0.37 * look, 1) * (c->box.upper[axis] - c->box.lower[axis]);
    fare_system_diffusion(c->study->system, c->study->start, 1, at, to);
    for (int axis = 0; axis < dim; axis++) {
      if (!look) first[axis] = D[axis];
      if (fabs(D[axis] - first[0]) > 1e-9 * fabs(first[0]))
        FARE_FAIL(FARE_ERR_INPUT,
          "%s takes noise to be the same everywhere and along all axes, which it is not "
          "in this system",
          c->type->name);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_marginals_root(
  const fare_infer_context *c, const fare_model *m, fare_marginals_scores *scores, void *to, double theta[])
{
  double score[FARE_INFER_MAX], slopes[FARE_INFER_MAX * FARE_INFER_MAX], step[FARE_INFER_MAX];

  PetscFunctionBegin;
  memcpy(theta, c->guess, sizeof(double) * (size_t)c->count);
  for (int round = 0; round < ROUNDS; round++) {
    PetscBool held[FARE_INFER_MAX];
    double    moved = 0;

    PetscCall(scores(to, theta, score, slopes));
    for (int k = 0; k < c->count; k++)
      held[k] = (theta[k] <= m->least[k] && score[k] <= 0) || (theta[k] >= m->most[k] && score[k] >= 0);
    PetscCall(fare_fit_solve(c->count, c->name, held, slopes, score, step, NULL));
    for (int k = 0; k < c->count; k++) {
      const double next = PetscMin(m->most[k], PetscMax(m->least[k], theta[k] + step[k]));

      moved    = PetscMax(moved, fabs(next - theta[k]) / m->scale[k]);
      theta[k] = next;
    }
    if (moved < NEAR) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "%s did not come to an end: begin elsewhere", c->type->name);
}
