/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Fits of drift and diffusion to displacements. Over one Euler step of the lag, a displacement is Gaussian
  with mean f lag and variance 2 D lag. The sum of its logarithms over data depends on first and second
  moments of displacements alone; so does its mean over infinitely many data, with the moments that the grid's
  transition probabilities have. The same code fits both.
*/
#include "infer/infer.h"

#include <math.h>
#include <string.h>

#define RARE    1e-13 /* share of the starts that a cell must have to count */
#define SETTLED 1e-6  /* L1 difference from the stationary density that is none */

PetscErrorCode fare_moments_create(int dim, size_t rows, fare_moments *m)
{
  PetscFunctionBegin;
  *m = (fare_moments){.rows = rows};
  for (int axis = 0; axis < dim; axis++)
    PetscCall(PetscCalloc3(rows, &m->x[axis], rows, &m->first[axis], rows, &m->second[axis]));
  PetscCall(PetscCalloc3(rows, &m->lag, rows, &m->weight, rows, &m->track));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_free(fare_moments *m)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    PetscCall(PetscFree3(m->x[axis], m->first[axis], m->second[axis]));
  PetscCall(PetscFree3(m->lag, m->weight, m->track));
  *m = (fare_moments){0};
  PetscFunctionReturn(0);
}

/* The shortest way along an axis. */
static double way(const fare_infer_context *c, int axis, double from, double to)
{
  const double length = c->box.upper[axis] - c->box.lower[axis];

  return c->boundary[axis] == FARE_BOUNDARY_PERIODIC ? remainder(to - from, length) : to - from;
}

/* Along a periodic axis, displacements of more than half a turn are taken for shorter ones. */
static PetscErrorCode tell_turns(const fare_infer_context *c, const fare_moments *m)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < fare_system_dimension(c->study->system); axis++) {
    const double length = c->box.upper[axis] - c->box.lower[axis];
    size_t       far    = 0;

    if (c->boundary[axis] != FARE_BOUNDARY_PERIODIC) continue;
    for (size_t row = 0; row < m->rows; row++) far += fabs(m->first[axis][row]) > 0.25 * length;
    if ((double)far > 0.1 * (double)m->rows)
      fare_warn("along %s, %.0f%% of the displacements exceed a quarter of a turn: those of more than a half "
                "are taken for shorter ones; a shorter lag, or likelihood, is right",
        fare_system_axis_name(c->study->system, axis), 100 * (double)far / (double)m->rows);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_of_tracks(
  const fare_infer_context *context, const fare_tracks *t, const char *method, fare_moments *m)
{
  int64_t count, *pair;

  PetscFunctionBegin;
  *m = (fare_moments){0};
  PetscCall(fare_infer_check_noise(t, method));
  PetscCall(fare_tracks_pairs(t, context->lag, &count, &pair));
  PetscCall(fare_moments_create(t->dim, (size_t)count, m));
  for (int64_t i = 0; i < count; i++) {
    const int64_t from = pair[2 * i], to = pair[2 * i + 1];

    m->lag[i]    = t->time[to] - t->time[from];
    m->weight[i] = 1;
    m->track[i]  = t->id[from];
    for (int axis = 0; axis < t->dim; axis++) {
      const double x = t->x[from * t->dim + axis], d = way(context, axis, x, t->x[to * t->dim + axis]);

      m->x[axis][i]      = x;
      m->first[axis][i]  = d;
      m->second[axis][i] = d * d;
    }
  }
  PetscCall(PetscFree(pair));
  if (!count) FARE_FAIL(FARE_ERR_INPUT, "%s: no track has two observations with this lag", t->name);
  if (count <= context->count)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %lld pairs are too few for %d parameters", t->name, (long long)count,
      context->count);
  PetscCall(tell_turns(context, m));
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_infer_context *context;
  const fare_grid          *grid;
  fare_moments             *moments;
} filling;

static PetscErrorCode fill_row(
  void *to, PetscInt i, PetscInt source, const double P[], const double *const dP[])
{
  const filling   *f = to;
  const fare_grid *g = f->grid;
  double           from[FARE_DIM_MAX], at[FARE_DIM_MAX];

  PetscFunctionBegin;
  (void)dP;
  fare_cell_centre(g, source, from);
  for (PetscInt cell = 0; cell < fare_grid_owned(g); cell++) {
    fare_cell_centre(g, cell, at);
    for (int axis = 0; axis < g->dim; axis++) {
      const double d = way(f->context, axis, from[axis], at[axis]);

      f->moments->first[axis][i] += P[cell] * d;
      f->moments->second[axis][i] += P[cell] * d * d;
    }
  }
  for (int axis = 0; axis < g->dim; axis++) f->moments->x[axis][i] = from[axis];
  PetscFunctionReturn(0);
}

/*
  The mean density at the starts of all lags of a track, from the initial density on. Once it differs from the
  stationary one by less than SETTLED, the rest is that.
*/
static PetscErrorCode density_of_starts(const fare_infer_context *c, const fare_model *model, double mean[])
{
  const PetscInt n = model->cells;
  double        *P, *still;
  fare_solved    solved;
  Vec            masses;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &P, n, &still));
  PetscCall(fare_stationary_solve(model->grid, model->system, c->study->start, &masses, &solved));
  PetscCall(fare_grid_gather(model->grid, masses, still));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_initial(model->grid, c->study->initial, model->system, c->study->start, &masses));
  PetscCall(fare_grid_gather(model->grid, masses, P));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_masses_advance(model, c->settle, 1, &P));
  memset(mean, 0, (size_t)n * sizeof *mean);
  for (double k = 0, off = 1; k < c->transitions; k++) {
    const double left = off < SETTLED ? c->transitions - k : 1;

    for (PetscInt i = 0; i < n; i++) mean[i] += left * P[i] / c->transitions;
    if (left > 1) break;
    PetscCall(fare_masses_advance(model, c->lag, 1, &P));
    off = 0;
    for (PetscInt i = 0; i < n; i++) off += fabs(P[i] - still[i]);
  }
  PetscCall(PetscFree2(P, still));
  PetscFunctionReturn(0);
}

/* Cells that hold a share of the starts, and those shares. */
static PetscErrorCode find_starts(
  const fare_infer_context *c, const fare_model *model, PetscInt source[], double share[], PetscInt *count)
{
  double most = 0;

  PetscFunctionBegin;
  *count = 0;
  PetscCall(density_of_starts(c, model, share));
  for (PetscInt cell = 0; cell < model->cells; cell++) most = PetscMax(most, share[cell]);
  for (PetscInt cell = 0; cell < model->cells; cell++) {
    if (!(share[cell] > RARE * most)) continue;
    share[*count]      = share[cell];
    source[(*count)++] = cell;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode fill_rows(const fare_infer_context *c, fare_model *model, fare_moments *m)
{
  double    truth[FARE_INFER_MAX], *share;
  PetscInt *source, count;
  filling   f = {c, model->grid, m};

  PetscFunctionBegin;
  PetscCall(fare_infer_truth(c, truth));
  PetscCall(fare_model_set(model, truth, PETSC_FALSE));
  PetscCall(PetscMalloc2(model->cells, &source, model->cells, &share));
  PetscCall(find_starts(c, model, source, share, &count));
  PetscCall(fare_moments_create(model->grid->dim, (size_t)count, m));
  for (PetscInt i = 0; i < count; i++) {
    m->lag[i]    = c->lag;
    m->weight[i] = share[i];
  }
  PetscCall(fare_columns(model, c->lag, PETSC_FALSE, count, source, fill_row, &f));
  PetscCall(PetscFree2(source, share));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_of_truth(
  const fare_infer_context *context, const PetscInt cells[], fare_moments *moments)
{
  fare_model    *model;
  PetscErrorCode code;

  PetscFunctionBegin;
  *moments = (fare_moments){0};
  PetscCall(fare_infer_model(context, cells, &model));
  code = fare_error_agree(context->comm, fill_rows(context, model, moments));
  PetscCall(fare_model_destroy(&model));
  PetscFunctionReturn(code);
}

typedef struct {
  const fare_infer_context *context;
  const fare_moments       *m;
  int                       dim;
  PetscBool                 raw;
  fare_model               *model;  /* of a coarse grid: for its system and ranges alone */
  double                   *f, *D;  /* [(field * dim + axis) * rows + row]; field 0, then slopes */
  double                   *held;   /* D that weights the squares of a raw fit; [axis * rows + row] */
  double                   *scores; /* [row * count + k], of the last evaluation */
} moment_fit;

/* Drift and diffusion at all starts. */
static void look(const moment_fit *p, double *f, double *D)
{
  double *to_f[FARE_DIM_MAX], *to_D[FARE_DIM_MAX];

  for (int axis = 0; axis < p->dim; axis++) {
    to_f[axis] = f + (size_t)axis * p->m->rows;
    to_D[axis] = D + (size_t)axis * p->m->rows;
  }
  fare_system_drift(p->model->system, 0, p->m->rows, (const double *const *)p->m->x, to_f);
  fare_system_diffusion(p->model->system, 0, p->m->rows, (const double *const *)p->m->x, to_D);
}

static PetscErrorCode look_with_slopes(const moment_fit *p, const double theta[])
{
  const size_t field = (size_t)p->dim * p->m->rows;
  double      *below;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * field, &below));
  PetscCall(fare_model_parameters(p->model, theta));
  look(p, p->f, p->D);
  for (int k = 0; k < p->context->count; k++) {
    double      *f = p->f + (size_t)(k + 1) * field, *D = p->D + (size_t)(k + 1) * field, moved[2];
    const double width = fare_model_moved(p->model, theta, k, moved);

    PetscCall(fare_system_set(p->model->system, p->context->name[k], moved[0]));
    look(p, below, below + field);
    PetscCall(fare_system_set(p->model->system, p->context->name[k], moved[1]));
    look(p, f, D);
    PetscCall(fare_system_set(p->model->system, p->context->name[k], theta[k]));
    for (size_t i = 0; i < field; i++) {
      f[i] = (f[i] - below[i]) / width;
      D[i] = (D[i] - below[field + i]) / width;
    }
  }
  PetscCall(PetscFree(below));
  PetscFunctionReturn(0);
}

/* What one row and axis adds to value, score and information. */
static void add_row(moment_fit *p, size_t row, int axis, double *value, double score[], double information[])
{
  const fare_moments *m     = p->m;
  const int           count = p->context->count;
  const size_t        at = (size_t)axis * m->rows + row, field = (size_t)p->dim * m->rows;
  const double        lag = m->lag[row], w = m->weight[row], f = p->f[at], D = p->D[at];
  const double        weigh = p->raw ? p->held[at] : D, drift = m->first[axis][row] - f * lag,
               square = p->raw ? m->second[axis][row]
                               : m->second[axis][row] - 2 * m->first[axis][row] * f * lag + f * f * lag * lag,
               spread = square / (2 * lag) - D;

  if (p->raw)
    *value -= w *
      (f * lag * (0.5 * f * lag - m->first[axis][row]) / (2 * weigh * lag) +
        PetscSqr(spread) / (4 * weigh * weigh));
  else
    *value -= w * (square / (4 * D * lag) + 0.5 * log(4 * PETSC_PI * D * lag));
  for (int k = 0; k < count; k++) {
    const double df = p->f[(size_t)(k + 1) * field + at], dD = p->D[(size_t)(k + 1) * field + at],
                 s = drift * df / (2 * weigh) + spread * dD / (2 * weigh * weigh);

    score[k] += w * s;
    p->scores[row * (size_t)count + (size_t)k] += s;
    for (int j = 0; j < count; j++)
      information[k * count + j] += w *
        (df * p->f[(size_t)(j + 1) * field + at] * lag / (2 * weigh) +
          dD * p->D[(size_t)(j + 1) * field + at] / (2 * weigh * weigh));
  }
}

static PetscErrorCode evaluate(
  void *to, const double theta[], double *value, double score[], double information[])
{
  moment_fit *p     = to;
  const int   count = p->context->count;

  PetscFunctionBegin;
  PetscCall(look_with_slopes(p, theta));
  *value = 0;
  memset(score, 0, (size_t)count * sizeof *score);
  memset(information, 0, (size_t)(count * count) * sizeof *information);
  memset(p->scores, 0, p->m->rows * (size_t)count * sizeof *p->scores);
  for (size_t row = 0; row < p->m->rows; row++) {
    for (int axis = 0; axis < p->dim; axis++) add_row(p, row, axis, value, score, information);
  }
  PetscFunctionReturn(0);
}

/*
  Of two least squares, of displacements and of their squares, each weight follows from D: it is held while
  the maximum is found, and found again, until nothing moves.
*/
static PetscErrorCode search(moment_fit *p, fare_fit *fit)
{
  const fare_infer_context *c       = p->context;
  fare_fit_problem          problem = {.comm = c->comm, .count = c->count, .evaluate = evaluate, .to = p};

  PetscFunctionBegin;
  memcpy(problem.least, p->model->least, sizeof problem.least);
  memcpy(problem.most, p->model->most, sizeof problem.most);
  for (int round = 0; round < (p->raw ? 100 : 1); round++) {
    const fare_fit before = *fit;
    double         moved  = 0;

    PetscCall(look_with_slopes(p, fit->theta));
    memcpy(p->held, p->D, (size_t)p->dim * p->m->rows * sizeof *p->held);
    PetscCall(fare_fit_maximise(&problem, c->name, NULL, p->raw ? 1e-16 : 1e-9, fit));
    for (int k = 0; k < c->count; k++)
      moved = PetscMax(moved, fabs(fit->theta[k] - before.theta[k]) / p->model->scale[k]);
    if (!p->raw || moved < 1e-9) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "the weights of squares do not settle: begin elsewhere");
}

/* Sum of products of values that stand `apart` rows apart, in one track. */
static double products(const fare_moments *m, const double value[], size_t apart)
{
  double sum = 0;

  for (size_t row = 0; row + apart < m->rows; row++)
    if (m->track[row] == m->track[row + apart]) sum += value[row] * value[row + apart];
  return sum;
}

/*
  Variance of the sum of values that depend on each other within a track. Of their covariances, pairs of
  successive distances count as long as they are positive (Geyer, Statist. Sci. 7, 473 (1992)).
*/
static double variance_of_sum(const fare_moments *m, const double value[])
{
  const double square = products(m, value, 0);
  double       sum    = -square;

  for (size_t apart = 0; apart < m->rows; apart += 2) {
    const double pair = (apart ? products(m, value, apart) : square) + products(m, value, apart + 1);

    if (!(pair > 0)) break;
    sum += 2 * pair;
  }
  return sum > 0 ? sum : square;
}

/* A^-1 cov(sum of s) A^-1: right whatever the density of the data is. */
static PetscErrorCode find_errors(const moment_fit *p, const fare_fit *fit, fare_inferred *to)
{
  const int    count = p->context->count;
  const double rows = (double)p->m->rows, freedom = rows / (rows - count);
  double      *moves;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->m->rows, &moves));
  for (int k = 0; k < count; k++) {
    double sum = 0;

    for (size_t row = 0; row < p->m->rows; row++) {
      moves[row] = 0;
      for (int j = 0; j < count; j++)
        moves[row] += fit->covariance[k * count + j] * p->scores[row * (size_t)count + (size_t)j];
    }
    sum          = freedom * variance_of_sum(p->m, moves);
    to->error[k] = fit->held[k] ? NAN : sqrt(sum);
    to->low[k]   = PetscMax(p->model->least[k], fit->theta[k] - FARE_QUANTILE * to->error[k]);
    to->high[k]  = PetscMin(p->model->most[k], fit->theta[k] + FARE_QUANTILE * to->error[k]);
    to->grid[k]  = NAN;
    if (fit->held[k]) to->low[k] = to->high[k] = NAN;
  }
  PetscCall(PetscFree(moves));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(moment_fit *p, double theta[], fare_inferred *inferred)
{
  fare_fit fit;
  double   unused[FARE_INFER_MAX], information[FARE_INFER_MAX * FARE_INFER_MAX], value;

  PetscFunctionBegin;
  memcpy(fit.theta, p->context->guess, sizeof(double) * (size_t)p->context->count);
  PetscCall(search(p, &fit));
  memcpy(theta, fit.theta, sizeof(double) * (size_t)p->context->count);
  if (!inferred) PetscFunctionReturn(0);
  PetscCall(evaluate(p, fit.theta, &value, unused, information));
  PetscCall(find_errors(p, &fit, inferred));
  inferred->pairs          = (int64_t)p->m->rows;
  inferred->log_likelihood = p->raw ? NAN : value;
  memcpy(inferred->theta, theta, sizeof(double) * (size_t)p->context->count);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_moments_fit(const fare_infer_context *context, const fare_moments *moments, PetscBool raw,
  double theta[], fare_inferred *inferred)
{
  const PetscInt few[FARE_DIM_MAX] = {4, 4, 4};
  moment_fit     p                 = {.context = context, .m = moments, .raw = raw};
  const int      dim               = fare_system_dimension(context->study->system);
  const size_t   field = (size_t)dim * moments->rows, fields = (size_t)(context->count + 1) * field;
  PetscErrorCode code;

  PetscFunctionBegin;
  p.dim = dim;
  PetscCall(fare_infer_model(context, few, &p.model));
  PetscCall(PetscMalloc4(
    fields, &p.f, fields, &p.D, field, &p.held, moments->rows * (size_t)context->count, &p.scores));
  code = run(&p, theta, inferred);
  PetscCall(PetscFree4(p.f, p.D, p.held, p.scores));
  PetscCall(fare_model_destroy(&p.model));
  PetscFunctionReturn(code);
}
