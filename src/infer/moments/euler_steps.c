/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Fits of drift and diffusion to displacements. Over one Euler step of the lag, a displacement is Gaussian
  with mean f lag and variance 2 D lag. The sum of its logarithms over data depends on first and second
  moments of displacements alone; so does its mean over infinitely many data, with the moments that the grid's
  transition probabilities have. The same code fits both.
*/
#include "moments.h"

#include <math.h>
#include <string.h>

#define LOOKS 8

typedef struct {
  fare_fields_at at;
  PetscBool      raw;  /* second moments are not about f lag */
  double        *held; /* D that weights the squares of a raw fit; [axis * rows + row] */
} moment_fit;

/* What one row and axis adds to value, score and information. */
static void add_row(moment_fit *p, size_t row, int axis, double *value, double score[], double information[])
{
  const fare_moments *m     = p->at.m;
  const int           count = p->at.context->count;
  const size_t        at = (size_t)axis * m->rows + row, field = (size_t)p->at.dim * m->rows;
  const double        lag = m->lag[row], w = m->weight[row], f = p->at.f[at], D = p->at.D[at];
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
    const double df = p->at.f[(size_t)(k + 1) * field + at], dD = p->at.D[(size_t)(k + 1) * field + at],
                 s = drift * df / (2 * weigh) + spread * dD / (2 * weigh * weigh);

    score[k] += w * s;
    p->at.scores[row * (size_t)count + (size_t)k] += s;
    for (int j = 0; j < count; j++)
      information[k * count + j] += w *
        (df * p->at.f[(size_t)(j + 1) * field + at] * lag / (2 * weigh) +
          dD * p->at.D[(size_t)(j + 1) * field + at] / (2 * weigh * weigh));
  }
}

static PetscErrorCode evaluate(
  void *to, const double theta[], double *value, double score[], double information[])
{
  moment_fit *p     = to;
  const int   count = p->at.context->count;

  PetscFunctionBegin;
  PetscCall(fare_fields_at_evaluate(&p->at, theta));
  *value = 0;
  memset(score, 0, (size_t)count * sizeof *score);
  memset(information, 0, (size_t)(count * count) * sizeof *information);
  memset(p->at.scores, 0, p->at.m->rows * (size_t)count * sizeof *p->at.scores);
  for (size_t row = 0; row < p->at.m->rows; row++) {
    for (int axis = 0; axis < p->at.dim; axis++) add_row(p, row, axis, value, score, information);
  }
  PetscFunctionReturn(0);
}

/*
  Of two least squares, of displacements and of their squares, each weight follows from D: it is held while
  the maximum is found, and found again, until nothing moves.
*/
static PetscErrorCode search(moment_fit *p, fare_fit *fit)
{
  const fare_infer_context *c       = p->at.context;
  fare_fit_problem          problem = {.count = c->count, .evaluate = evaluate, .to = p};

  PetscFunctionBegin;
  memcpy(problem.least, p->at.model->least, sizeof problem.least);
  memcpy(problem.most, p->at.model->most, sizeof problem.most);
  for (int round = 0; round < (p->raw ? 100 : 1); round++) {
    const fare_fit before = *fit;
    double         moved  = 0;

    PetscCall(fare_fields_at_evaluate(&p->at, fit->theta));
    memcpy(p->held, p->at.D, (size_t)p->at.dim * p->at.m->rows * sizeof *p->held);
    PetscCall(fare_fit_maximise(&problem, c->name, NULL, p->raw ? 1e-16 : 1e-9, fit));
    for (int k = 0; k < c->count; k++)
      moved = PetscMax(moved, fabs(fit->theta[k] - before.theta[k]) / p->at.model->scale[k]);
    if (!p->raw || moved < 1e-9) PetscFunctionReturn(0);
  }
  FARE_FAIL(FARE_ERR_FAILED, "the weights of squares do not settle: begin elsewhere");
}

static PetscErrorCode run(moment_fit *p, double theta[], fare_inferred *inferred)
{
  const size_t size = sizeof(double) * (size_t)p->at.context->count;
  fare_fit     fit;
  double       unused[FARE_INFER_MAX], information[FARE_INFER_MAX * FARE_INFER_MAX], value;

  PetscFunctionBegin;
  memcpy(fit.theta, p->at.context->guess, size);
  PetscCall(search(p, &fit));
  memcpy(theta, fit.theta, size);
  if (!inferred) PetscFunctionReturn(0);
  PetscCall(evaluate(p, theta, &value, unused, information));
  PetscCall(fare_fields_at_errors(&p->at, theta, fit.covariance, fit.held, inferred));
  inferred->log_likelihood = p->raw ? NAN : value;
  PetscFunctionReturn(0);
}

/* Frees the moments. `inferred` NULL: theta alone. */
static PetscErrorCode fit_moments(
  const fare_infer_context *context, fare_moments *moments, double theta[], fare_inferred *inferred)
{
  moment_fit     p = {.raw = context->type->variant == FARE_SQUARES ? PETSC_TRUE : PETSC_FALSE};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_fields_at_create(context, moments, &p.at));
  PetscCall(PetscMalloc1((size_t)p.at.dim * moments->rows, &p.held));
  code = run(&p, theta, inferred);
  PetscCall(PetscFree(p.held));
  PetscCall(fare_fields_at_free(&p.at));
  PetscCall(fare_moments_free(moments));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_euler_fit(
  const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred)
{
  fare_moments moments;
  double       theta[FARE_INFER_MAX];

  PetscFunctionBegin;
  PetscCall(fare_moments_of_tracks(context, tracks, &moments));
  PetscFunctionReturn(fit_moments(context, &moments, theta, inferred));
}

PetscErrorCode fare_euler_limit(const fare_infer_context *context, const PetscInt cells[], double theta[])
{
  fare_moments moments;

  PetscFunctionBegin;
  PetscCall(fare_moments_of_truth(context, cells, &moments));
  PetscFunctionReturn(fit_moments(context, &moments, theta, NULL));
}

/* Gaussians of displacements need a width along each axis. */
PetscErrorCode fare_euler_check(const fare_infer_context *c)
{
  const int     dim = fare_system_dimension(c->study->system);
  double        z[FARE_DIM_MAX], D[FARE_DIM_MAX], most[FARE_DIM_MAX] = {0};
  const double *at[FARE_DIM_MAX] = {z, z + 1, z + 2};
  double       *to[FARE_DIM_MAX] = {D, D + 1, D + 2};

  PetscFunctionBegin;
  for (int look = 0; look < LOOKS; look++) {
    for (int axis = 0; axis < dim; axis++)
      z[axis] = c->box.lower[axis] + fmod(0.13 + 0.37 * look, 1) * (c->box.upper[axis] - c->box.lower[axis]);
    fare_system_diffusion(c->study->system, c->study->start, 1, at, to);
    for (int axis = 0; axis < dim; axis++) most[axis] = PetscMax(most[axis], D[axis]);
  }
  for (int axis = 0; axis < dim; axis++) {
    if (!(most[axis] > 0))
      FARE_FAIL(FARE_ERR_INPUT,
        "%s needs noise along each axis, and %s has none: take sfi, or with inertia ulisfi", c->type->name,
        fare_system_axis_name(c->study->system, axis));
  }
  PetscFunctionReturn(0);
}
