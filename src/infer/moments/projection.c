/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Least squares of displacements against the drift, projected onto its derivatives b_k by the parameters:

    <b_k (dx - f lag)> = 0,

  the product b_k dx in the sense of Ito, b_k(x_0) dx, or of Stratonovich, (b_k(x_0) + b_k(x_1)) dx/2 less
  lag D div b_k, with lag D = dx^2/2 of each axis. Of velocities by differences, lag D div b_k/3 stands for
  what they have in common with their change. Parameters that the drift does not have follow from <dx^2> = 2 D
  lag in the same way. Of a sparse fit, terms are left out one by one, the one that matters least first
  (Boninsegna, Nueske and Clementi 2018); cross-validation tells how many stay.
*/
#include "moments.h"

#include <math.h>
#include <string.h>

#define ROUNDS 100
#define FOLDS  10
#define NEAR   1e-7  /* of the scale of parameters, where a root is found: steps end in rounding there */
#define LINEAR 1e-6  /* relative to the drift: what it may deviate from a sum of terms */
#define SMALL  1e-12 /* of the largest slope of a parameter: none */
#define ASIDE  2e-4  /* of the box, for derivatives along an axis */

typedef struct {
  fare_fields_at at, behind,
    aside[FARE_DIM_MAX][2]; /* starts; ends; beside starts: where a variant needs them */
  fare_moments ends, beside[FARE_DIM_MAX][2];
  int          variant;
  PetscBool    is_drift[FARE_INFER_MAX]; /* whether the drift tells a parameter, or else the diffusion */
} projection;

/* Whether products of displacements and drift are corrected by its derivatives along axes. */
static PetscBool corrects(const projection *p)
{
  return p->variant == FARE_STRATONOVICH || p->variant == FARE_INERTIA ? PETSC_TRUE : PETSC_FALSE;
}

/* A field's slope by parameter k along an axis, of `fields` f or D. */
static const double *slope(const fare_fields_at *at, const double *fields, int k, int axis)
{
  return fields + ((size_t)(k + 1) * (size_t)at->dim + (size_t)axis) * at->m->rows;
}

static PetscErrorCode find_aside(const fare_infer_context *c, const fare_moments *m, int axis, int side,
  fare_moments *beside, fare_fields_at *at)
{
  const double h = ASIDE * (c->box.upper[axis] - c->box.lower[axis]);

  PetscFunctionBegin;
  PetscCall(fare_moments_create(fare_system_dimension(c->study->system), m->rows, 0, beside));
  for (int other = 0; other < fare_system_dimension(c->study->system); other++) {
    for (size_t row = 0; row < m->rows; row++)
      beside->x[other][row] = m->x[other][row] + (other == axis ? (side ? h : -h) : 0);
  }
  PetscCall(fare_fields_at_create(c, beside, at));
  PetscFunctionReturn(0);
}

static PetscErrorCode create(const fare_infer_context *c, const fare_moments *m, projection *p)
{
  const int dim = fare_system_dimension(c->study->system);

  PetscFunctionBegin;
  PetscCall(fare_fields_at_create(c, m, &p->at));
  if (!corrects(p)) PetscFunctionReturn(0);
  if (p->variant == FARE_STRATONOVICH) {
    p->ends = (fare_moments){.rows = m->ends};
    for (int axis = 0; axis < dim; axis++) p->ends.x[axis] = m->end[axis];
    PetscCall(fare_fields_at_create(c, &p->ends, &p->behind));
  }
  for (int axis = 0; axis < dim; axis++)
    for (int side = 0; side < 2; side++)
      PetscCall(find_aside(c, m, axis, side, &p->beside[axis][side], &p->aside[axis][side]));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(projection *p)
{
  PetscFunctionBegin;
  PetscCall(fare_fields_at_free(&p->at));
  if (!corrects(p)) PetscFunctionReturn(0);
  if (p->variant == FARE_STRATONOVICH) PetscCall(fare_fields_at_free(&p->behind));
  for (int axis = 0; axis < p->at.dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscCall(fare_fields_at_free(&p->aside[axis][side]));
      PetscCall(fare_moments_free(&p->beside[axis][side]));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode evaluate(const projection *p, const double theta[])
{
  PetscFunctionBegin;
  PetscCall(fare_fields_at_evaluate(&p->at, theta));
  if (!corrects(p)) PetscFunctionReturn(0);
  if (p->variant == FARE_STRATONOVICH) PetscCall(fare_fields_at_evaluate(&p->behind, theta));
  for (int axis = 0; axis < p->at.dim; axis++)
    for (int side = 0; side < 2; side++) PetscCall(fare_fields_at_evaluate(&p->aside[axis][side], theta));
  PetscFunctionReturn(0);
}

/* Which parameters the drift has. */
static void find_stages(projection *p)
{
  double most[FARE_INFER_MAX] = {0}, all = 0;

  for (int k = 0; k < p->at.context->count; k++) {
    for (int axis = 0; axis < p->at.dim; axis++) {
      const double *b = slope(&p->at, p->at.f, k, axis);

      for (size_t row = 0; row < p->at.m->rows; row++) most[k] = PetscMax(most[k], fabs(b[row]));
    }
    most[k] *= p->at.model->scale[k];
    all = PetscMax(all, most[k]);
  }
  for (int k = 0; k < p->at.context->count; k++)
    p->is_drift[k] = most[k] > SMALL * all ? PETSC_TRUE : PETSC_FALSE;
}

/* What a displacement says of parameter k beyond Ito's product: nothing there. */
static double turn(const projection *p, int k, int axis, size_t row)
{
  const fare_moments *m = p->at.m;
  const double        h = ASIDE * (p->at.context->box.upper[axis] - p->at.context->box.lower[axis]);
  const double       *above, *below;
  double              div;

  if (!corrects(p)) return 0;
  above = slope(&p->aside[axis][1], p->aside[axis][1].f, k, axis);
  below = slope(&p->aside[axis][0], p->aside[axis][0].f, k, axis);
  div   = (above[row] - below[row]) / (2 * h);
  if (p->variant == FARE_INERTIA) return -m->second[axis][row] * div / 6;
  return -0.5 * slope(&p->at, p->at.f, k, axis)[row] * m->first[axis][row] - 0.5 * m->second[axis][row] * div;
}

/*
  Scores of the drift's parameters or of the others, and what they fall by where parameters rise: of all rows,
  or of one fold.
*/
static void add_rows(
  projection *p, PetscBool drift, size_t first, size_t behind, double score[], double slopes[])
{
  const fare_moments *m     = p->at.m;
  const int           count = p->at.context->count;
  const double       *field = drift ? p->at.f : p->at.D;

  for (int k = 0; k < count; k++) {
    if (p->is_drift[k] != drift) continue;
    for (int axis = 0; axis < p->at.dim; axis++) {
      const double *b = slope(&p->at, field, k, axis), *value = field + (size_t)axis * m->rows;
      const double *at_end = p->variant == FARE_STRATONOVICH ? slope(&p->behind, p->behind.f, k, axis) : NULL;
      const PetscBool rows_end = m->ends == m->rows ? PETSC_TRUE : PETSC_FALSE;

      for (size_t row = first; row < behind; row++) {
        const double lag = m->lag[row], weight = drift ? lag : 1;
        const double rest =
          drift ? m->first[axis][row] - value[row] * lag : m->second[axis][row] / (2 * lag) - value[row];
        double s = b[row] * rest + (drift ? turn(p, k, axis, row) : 0);

        if (drift && at_end && rows_end) s += 0.5 * at_end[row] * m->arrived[axis][row] / m->weight[row];
        score[k] += m->weight[row] * s;
        p->at.scores[row * (size_t)count + (size_t)k] += s;
        for (int j = 0; j < count; j++)
          slopes[k * count + j] += m->weight[row] * weight * b[row] * slope(&p->at, field, j, axis)[row];
      }
      for (size_t end = 0; drift && at_end && !rows_end && end < m->ends; end++)
        score[k] += 0.5 * at_end[end] * m->arrived[axis][end];
    }
  }
}

static void clear(projection *p, double score[], double slopes[])
{
  const size_t count = (size_t)p->at.context->count;

  memset(score, 0, count * sizeof *score);
  memset(slopes, 0, count * count * sizeof *slopes);
  memset(p->at.scores, 0, p->at.m->rows * count * sizeof *p->at.scores);
}

/* Solves for the parameters of one stage, those that are not left out, within their ranges. */
static PetscErrorCode solve_stage(
  projection *p, PetscBool drift, const PetscBool out[], double theta[], PetscBool held[], double inverse[])
{
  const fare_infer_context *c = p->at.context;
  const fare_model         *m = p->at.model;
  double score[FARE_INFER_MAX], slopes[FARE_INFER_MAX * FARE_INFER_MAX], step[FARE_INFER_MAX];

  PetscFunctionBegin;
  for (int round = 0; round < ROUNDS; round++) {
    PetscBool fixed[FARE_INFER_MAX];
    double    moved = 0;

    PetscCall(evaluate(p, theta));
    clear(p, score, slopes);
    add_rows(p, drift, 0, p->at.m->rows, score, slopes);
    for (int k = 0; k < c->count; k++) {
      if (p->is_drift[k] != drift) {
        fixed[k] = PETSC_TRUE;
        continue;
      }
      held[k]  = (theta[k] <= m->least[k] && score[k] <= 0) || (theta[k] >= m->most[k] && score[k] >= 0);
      fixed[k] = held[k] || out[k] ? PETSC_TRUE : PETSC_FALSE;
    }
    PetscCall(fare_fit_solve(c->count, c->name, fixed, slopes, score, step, inverse));
    for (int k = 0; k < c->count; k++) {
      const double to = PetscMin(m->most[k], PetscMax(m->least[k], theta[k] + step[k]));

      moved    = PetscMax(moved, fabs(to - theta[k]) / m->scale[k]);
      theta[k] = to;
    }
    if (moved < NEAR) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "the projection of displacements did not come to an end: begin elsewhere");
}

/* Sums of one fold, at the theta of the last evaluation. */
typedef struct {
  double score[FARE_INFER_MAX], slopes[FARE_INFER_MAX * FARE_INFER_MAX];
} sums;

/*
  Leaves out the terms that matter least, one after the other, until `most` are out: solutions of each size
  are visited. Parameters are counted from those of the sums, so that a term is out where it moves by -theta.
*/
typedef PetscErrorCode visit_size(void *to, int out, const PetscBool is_out[], const double step[]);
static PetscErrorCode  leave_out(
   const projection *p, const sums *of, const double theta[], int most, visit_size *visit, void *to)
{
  const fare_infer_context *c                      = p->at.context;
  PetscBool                 is_out[FARE_INFER_MAX] = {PETSC_FALSE}, fixed[FARE_INFER_MAX];

  PetscFunctionBegin;
  for (int out = 0; out <= most; out++) {
    double rest[FARE_INFER_MAX], step[FARE_INFER_MAX], least = HUGE_VAL;
    int    next = -1;

    for (int k = 0; k < c->count; k++) {
      fixed[k] = is_out[k] || !p->is_drift[k] ? PETSC_TRUE : PETSC_FALSE;
      rest[k]  = of->score[k];
      for (int j = 0; j < c->count; j++)
        if (is_out[j]) rest[k] += of->slopes[k * c->count + j] * theta[j];
    }
    PetscCall(fare_fit_solve(c->count, c->name, fixed, of->slopes, rest, step, NULL));
    for (int k = 0; k < c->count; k++) {
      const double size = fabs(theta[k] + step[k]) * sqrt(of->slopes[k * c->count + k]);

      if (is_out[k]) step[k] = -theta[k];
      if (fixed[k] || p->at.model->least[k] > 0 || p->at.model->most[k] < 0 || size >= least) continue;
      least = size;
      next  = k;
    }
    PetscCall(visit(to, out, is_out, step));
    if (next < 0) break;
    is_out[next] = PETSC_TRUE;
  }
  PetscFunctionReturn(0);
}

typedef struct {
  int         count, sizes;
  const sums *held_out;
  double      error[FARE_INFER_MAX + 1];
} judged;

/* Squares of what is held out, less those at step 0. */
static PetscErrorCode judge(void *to, int out, const PetscBool is_out[], const double step[])
{
  judged *j   = to;
  double  sum = 0;

  PetscFunctionBegin;
  (void)is_out;
  for (int k = 0; k < j->count; k++) {
    sum -= 2 * step[k] * j->held_out->score[k];
    for (int i = 0; i < j->count; i++) sum += step[k] * step[i] * j->held_out->slopes[k * j->count + i];
  }
  j->error[out] = sum;
  j->sizes      = out + 1;
  PetscFunctionReturn(0);
}

static PetscErrorCode take(void *to, int out, const PetscBool is_out[], const double step[])
{
  PetscFunctionBegin;
  (void)out;
  (void)step;
  memcpy(to, is_out, FARE_INFER_MAX * sizeof *is_out);
  PetscFunctionReturn(0);
}

/* How many terms to leave out: as many as make the error no larger than the least, by its standard error. */
static int choose(int folds, judged of[])
{
  int best = 0, chosen = 0, sizes = of[0].sizes;

  for (int size = 1; size < sizes; size++) {
    double here = 0, least = 0;

    for (int fold = 0; fold < folds; fold++) {
      here += of[fold].error[size];
      least += of[fold].error[best];
    }
    if (here < least) best = size;
  }
  for (int size = best; size < sizes; size++) {
    double mean = 0, square = 0;

    for (int fold = 0; fold < folds; fold++) {
      const double more = of[fold].error[size] - of[fold].error[best];

      mean += more / folds;
      square += more * more / folds;
    }
    if (mean * mean * (folds - 1) <= square - mean * mean) chosen = size;
  }
  return PetscMax(best, chosen);
}

/* Terms that cross-validation leaves out. The folds are successive parts of the rows. */
static PetscErrorCode find_sparse(projection *p, double theta[], PetscBool out[])
{
  const fare_infer_context *c     = p->at.context;
  const size_t              rows  = p->at.m->rows;
  const int                 folds = rows < 2 * FOLDS ? 2 : FOLDS;
  sums                      of[FOLDS], all = {{0}, {0}};
  judged                    result[FOLDS];

  PetscFunctionBegin;
  PetscCall(evaluate(p, theta));
  clear(p, all.score, all.slopes);
  for (int fold = 0; fold < folds; fold++) {
    of[fold] = (sums){{0}, {0}};
    add_rows(p, PETSC_TRUE, rows * (size_t)fold / (size_t)folds, rows * (size_t)(fold + 1) / (size_t)folds,
      of[fold].score, of[fold].slopes);
    for (int k = 0; k < c->count; k++) all.score[k] += of[fold].score[k];
    for (int k = 0; k < c->count * c->count; k++) all.slopes[k] += of[fold].slopes[k];
  }
  for (int fold = 0; fold < folds; fold++) {
    sums rest = all;

    for (int k = 0; k < c->count; k++) rest.score[k] -= of[fold].score[k];
    for (int k = 0; k < c->count * c->count; k++) rest.slopes[k] -= of[fold].slopes[k];
    result[fold] = (judged){.count = c->count, .held_out = &of[fold]};
    PetscCall(leave_out(p, &rest, theta, c->count, judge, &result[fold]));
  }
  PetscCall(leave_out(p, &all, theta, choose(folds, result), take, out));
  for (int k = 0; k < c->count; k++)
    if (out[k]) theta[k] = 0;
  PetscFunctionReturn(0);
}

/* A library of terms is one of a sum of them: from one theta to another, the drift has to vary like that. */
static PetscErrorCode check_linear(projection *p, const double from[], const double to[])
{
  const fare_infer_context *c    = p->at.context;
  const size_t              rows = (size_t)p->at.dim * p->at.m->rows;
  double                   *sum, most = 0, off = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(rows, &sum));
  PetscCall(evaluate(p, from));
  memcpy(sum, p->at.f, rows * sizeof *sum);
  for (int k = 0; k < c->count; k++)
    for (size_t i = 0; i < rows; i++) sum[i] += (to[k] - from[k]) * p->at.f[(size_t)(k + 1) * rows + i];
  PetscCall(evaluate(p, to));
  for (size_t i = 0; i < rows; i++) {
    most = PetscMax(most, fabs(p->at.f[i]));
    off  = PetscMax(off, fabs(p->at.f[i] - sum[i]));
  }
  PetscCall(PetscFree(sum));
  if (off > LINEAR * most)
    FARE_FAIL(FARE_ERR_INPUT,
      "%s takes the drift for a sum of terms, which it is not in these parameters: "
      "leave one out, or take sfi",
      c->type->name);
  PetscFunctionReturn(0);
}

/* The inverse of the slopes of both stages, of which the second depends on the first one. */
static PetscErrorCode join(projection *p, const double first[], const double second[], double inverse[])
{
  const int count = p->at.context->count;
  double    score[FARE_INFER_MAX], slopes[FARE_INFER_MAX * FARE_INFER_MAX];

  PetscFunctionBegin;
  clear(p, score, slopes);
  add_rows(p, PETSC_TRUE, 0, p->at.m->rows, score, slopes);
  add_rows(p, PETSC_FALSE, 0, p->at.m->rows, score, slopes);
  for (int i = 0; i < count * count; i++) inverse[i] = first[i] + second[i];
  for (int k = 0; k < count; k++)
    for (int j = 0; j < count; j++)
      for (int a = 0; a < count && p->is_drift[j] && !p->is_drift[k]; a++)
        for (int b = 0; b < count; b++)
          if (!p->is_drift[a] && p->is_drift[b])
            inverse[k * count + j] -= second[k * count + a] * slopes[a * count + b] * first[b * count + j];
  PetscFunctionReturn(0);
}

static PetscErrorCode run(projection *p, double theta[], fare_inferred *inferred)
{
  const fare_infer_context *c                   = p->at.context;
  const size_t              size                = FARE_INFER_MAX * FARE_INFER_MAX * sizeof(double);
  PetscBool                 out[FARE_INFER_MAX] = {PETSC_FALSE}, held[FARE_INFER_MAX] = {PETSC_FALSE};
  double                    first[FARE_INFER_MAX * FARE_INFER_MAX], second[FARE_INFER_MAX * FARE_INFER_MAX],
    inverse[FARE_INFER_MAX * FARE_INFER_MAX];

  PetscFunctionBegin;
  memset(first, 0, size);
  memset(second, 0, size);
  memcpy(theta, c->guess, sizeof(double) * (size_t)c->count);
  PetscCall(evaluate(p, theta));
  find_stages(p);
  if (p->variant == FARE_ITO_SPARSE && inferred) PetscCall(find_sparse(p, theta, out));
  PetscCall(solve_stage(p, PETSC_TRUE, out, theta, held, first));
  PetscCall(solve_stage(p, PETSC_FALSE, out, theta, held, second));
  if (p->variant == FARE_ITO_SPARSE) PetscCall(check_linear(p, c->guess, theta));
  if (!inferred) PetscFunctionReturn(0);
  PetscCall(evaluate(p, theta));
  PetscCall(join(p, first, second, inverse));
  for (int k = 0; k < c->count; k++) held[k] = held[k] || out[k] ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fare_fields_at_errors(&p->at, theta, inverse, held, inferred));
  memcpy(inferred->dropped, out, sizeof out);
  inferred->log_likelihood = NAN;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_projection_of(
  const fare_infer_context *context, fare_moments *moments, double theta[], fare_inferred *inferred)
{
  projection     p = {.variant = context->type->variant};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(create(context, moments, &p));
  code = run(&p, theta, inferred);
  PetscCall(destroy(&p));
  PetscCall(fare_moments_free(moments));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_projection_fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  fare_moments moments;
  double       theta[FARE_INFER_MAX];

  PetscFunctionBegin;
  PetscCall(fare_moments_of_tracks(context, tracks, &moments));
  PetscFunctionReturn(fare_projection_of(context, &moments, theta, inferred));
}

PetscErrorCode fare_projection_limit(
  const fare_infer_context *context, const PetscInt cells[], double theta[])
{
  fare_moments moments;

  PetscFunctionBegin;
  PetscCall(fare_moments_of_truth(context, cells, &moments));
  PetscFunctionReturn(fare_projection_of(context, &moments, theta, NULL));
}
