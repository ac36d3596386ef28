/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What is done with any likelihood: its maximum by scoring, intervals, and the errors that cells, a lattice of
  starts and, where the system is driven, steps in time make. Steps and the lattice's spacing are halved until
  the estimate moves by a small part of its error.
*/
#include "likelihood.h"

#include "infer/potential/bands.h"

#include <math.h>
#include <string.h>

#define STEPS      8 /* between observations, at first */
#define STEPS_MOST 4096
#define NODES      3    /* of a lattice of starts, over what a lag spreads a point, at first */
#define ENOUGH     0.02 /* standard errors by which half as many steps may move an estimate, or the lattice */
#define ASIDE      0.05 /* standard errors between which the score's slope is taken */
#define ROUNDS     20   /* fits in search of a weight */
#define ALIKE      0.01 /* relative change of a weight that ends it */

static PetscErrorCode evaluate(
  void *to, const double theta[], double *value, double score[], double information[])
{
  fare_likelihood      *l      = to;
  const fare_potential *sought = l->context->potential;
  const int             count  = l->context->count;
  double                values[FARE_INFER_MAX];

  PetscFunctionBegin;
  if (!sought) {
    PetscCall(l->kind->evaluate(l, theta, value, score, information));
    PetscFunctionReturn(0);
  }
  fare_potential_values(sought, count, theta, values);
  PetscCall(l->kind->evaluate(l, values, value, score, information));
  if (score) fare_potential_pull_back(sought, count, theta, score, information);
  fare_potential_penalise(sought, count, l->smoothness, theta, value, score, information);
  PetscFunctionReturn(0);
}

/* Densities need noise on each axis, wherever they may be. */
static PetscErrorCode check_diffusion(const fare_likelihood *l)
{
  const fare_model *m = l->model;

  PetscFunctionBegin;
  PetscCall(fare_model_parameters(l->model, l->context->guess));
  for (PetscInt cell = 0; cell < m->cells; cell++) {
    double        x[FARE_DIM_MAX], D[FARE_DIM_MAX];
    const double *at[FARE_DIM_MAX]   = {&x[0], &x[1], &x[2]};
    double *const to_D[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]};

    fare_cell_centre(m->grid, cell, x);
    fare_system_diffusion(m->system, l->context->study->start, 1, at, to_D);
    for (int axis = 0; axis < m->grid->dim; axis++) {
      if (!(D[axis] > 0))
        FARE_FAIL(FARE_ERR_INPUT, "axis %s has no diffusion: densities of this method need it on every axis",
          fare_system_axis_name(m->system, axis));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(const fare_likelihood_kind *kind, const fare_infer_context *context,
  const fare_tracks *tracks, const PetscInt cells[], int steps, fare_lattice lattice, double smoothness,
  fare_likelihood *l)
{
  PetscFunctionBegin;
  *l = (fare_likelihood){
    .kind = kind, .context = context, .steps = steps, .lattice = lattice, .smoothness = smoothness};
  PetscCall(fare_infer_model(context, cells, &l->model));
  PetscCall(check_diffusion(l));
  PetscCall(kind->begin(l, tracks));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(fare_likelihood *l)
{
  PetscFunctionBegin;
  if (l->data) PetscCall(l->kind->end(l));
  PetscCall(fare_model_destroy(&l->model));
  PetscFunctionReturn(0);
}

static fare_fit_problem problem_of(fare_likelihood *l)
{
  fare_fit_problem p = {.comm = l->context->comm, .count = l->model->count, .evaluate = evaluate, .to = l};

  memcpy(p.least, l->model->least, sizeof p.least);
  memcpy(p.most, l->model->most, sizeof p.most);
  return p;
}

/* By how many standard errors, and by how much, the estimate would move from a fit with these steps and
 * cells. */
static PetscErrorCode find_move(fare_likelihood *l, const fare_fit *fit, double step[], double *errors)
{
  const int count = l->context->count;
  fare_fit  at;

  PetscFunctionBegin;
  PetscCall(evaluate(l, fit->theta, &at.value, at.score, at.information));
  *errors = 0;
  for (int k = 0; k < count; k++) {
    step[k] = 0;
    for (int j = 0; j < count; j++) step[k] += fit->covariance[k * count + j] * at.score[j];
    if (!fit->held[k]) *errors = PetscMax(*errors, fabs(step[k]) / sqrt(fit->covariance[k * count + k]));
  }
  PetscFunctionReturn(0);
}

/* What helps where no potential is found. */
static PetscErrorCode explain(const fare_potential *sought, PetscErrorCode code)
{
  char text[1024];

  if (!sought || code != FARE_ERR_FAILED) return code;
  snprintf(text, sizeof text, "%s", fare_error_message());
  return fare_error(FARE_ERR_FAILED,
    "no potential is found, take smoothness: auto, fewer knots, a narrower range, "
    "or more data: %s",
    text);
}

/* The maximum at these steps in time, of a potential with the weight of its penalty. */
static PetscErrorCode maximise(fare_likelihood *l, const fare_fit_problem *p, fare_fit *fit)
{
  const fare_infer_context *c                     = l->context;
  const fare_potential     *sought                = c->potential;
  PetscBool                 fixed[FARE_INFER_MAX] = {PETSC_FALSE};
  double                    change                = HUGE_VAL;

  PetscFunctionBegin;
  if (sought) fixed[sought->fixed] = PETSC_TRUE;
  if (sought && sought->smoothness < 0 && l->smoothness == 0) {
    PetscCall(evaluate(l, fit->theta, &fit->value, fit->score, fit->information));
    l->smoothness = fare_potential_begin(sought, fit, c->count);
  }
  for (int round = 0; sought && sought->smoothness < 0 && round < ROUNDS && change > ALIKE; round++) {
    double chosen;

    PetscCall(explain(sought, fare_fit_maximise(p, c->name, fixed, 1e-3, fit)));
    PetscCall(fare_error_agree(
      c->comm, fare_potential_choose(sought, c->name, c->count, fit, l->smoothness, &chosen)));
    PetscCallMPI(MPI_Bcast(&chosen, 1, MPI_DOUBLE, 0, c->comm));
    change        = fabs(log(chosen / l->smoothness));
    l->smoothness = chosen;
  }
  PetscCall(explain(sought, fare_fit_maximise(p, c->name, fixed, 1e-8, fit)));
  PetscFunctionReturn(0);
}

/*
  The error of the lattice, of fourth order, is a fifteenth of what half as many nodes along each axis would
  change.
*/
static PetscErrorCode find_lattice_error(
  const fare_likelihood *l, const fare_tracks *tracks, const fare_fit *fit, double error[], double *errors)
{
  const fare_lattice half = {l->lattice.nodes, 2, PETSC_FALSE};
  fare_likelihood    other;
  PetscErrorCode     code;

  PetscFunctionBegin;
  code = begin(l->kind, l->context, tracks, l->context->cells, l->steps, half, l->smoothness, &other);
  if (!code) code = find_move(&other, fit, error, errors);
  PetscCall(end(&other));
  for (int k = 0; k < l->context->count; k++) error[k] /= 15;
  *errors /= 15;
  PetscFunctionReturn(code);
}

/* The maximum, with steps in time that are halved until they make no difference; `time` is what they make. */
static PetscErrorCode search(fare_likelihood *l, fare_fit *fit, double time[])
{
  const fare_infer_context *c = l->context;
  const fare_fit_problem    p = problem_of(l);
  double                    errors;

  PetscFunctionBegin;
  for (;;) {
    PetscCall(maximise(l, &p, fit));
    memset(time, 0, (size_t)c->count * sizeof *time);
    if (!fare_system_is_driven(l->model->system)) break;
    l->steps *= 2;
    PetscCall(find_move(l, fit, time, &errors));
    for (int k = 0; k < c->count; k++) time[k] /= 3;
    if (errors < ENOUGH) {
      PetscCall(maximise(l, &p, fit));
      break;
    }
    if (l->steps >= STEPS_MOST)
      FARE_FAIL(FARE_ERR_FAILED, "%d steps between observations do not resolve the drive", l->steps);
  }
  PetscCall(evaluate(l, fit->theta, &fit->value, fit->score, fit->information));
  PetscFunctionReturn(0);
}

/* The likelihood's own curvature in place of what stood for it. */
static PetscErrorCode observe(fare_likelihood *l, const fare_fit_problem *p, fare_fit *fit)
{
  const int n = p->count;
  double    step[FARE_INFER_MAX], curvature[FARE_INFER_MAX * FARE_INFER_MAX];

  PetscFunctionBegin;
  for (int k = 0; k < n; k++) {
    const double error =
      fit->held[k] ? 1 / sqrt(fit->information[k * n + k]) : sqrt(fit->covariance[k * n + k]);
    const double ends[2] = {PetscMax(p->least[k], fit->theta[k] - ASIDE * error),
      PetscMin(p->most[k], fit->theta[k] + ASIDE * error)};
    fare_fit     at[2]   = {*fit, *fit};

    for (int side = 0; side < 2; side++) {
      at[side].theta[k] = ends[side];
      PetscCall(evaluate(l, at[side].theta, &at[side].value, at[side].score, at[side].information));
    }
    for (int j = 0; j < n; j++)
      curvature[k * n + j] = (at[0].score[j] - at[1].score[j]) / (ends[1] - ends[0]);
  }
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++)
      fit->information[k * n + j] = 0.5 * (curvature[k * n + j] + curvature[j * n + k]);
  PetscCall(
    fare_fit_solve(n, l->context->name, fit->held, fit->information, fit->score, step, fit->covariance));
  PetscFunctionReturn(0);
}

static PetscErrorCode finish(fare_likelihood *l, fare_fit *best, fare_inferred *to)
{
  const fare_infer_context *c = l->context;
  const fare_fit_problem    p = problem_of(l);
  double                    values[FARE_INFER_MAX];

  PetscFunctionBegin;
  memcpy(values, best->theta, (size_t)c->count * sizeof *values);
  if (c->potential) fare_potential_values(c->potential, c->count, best->theta, values);
  PetscCall(l->kind->check(l, values));
  if (l->kind->observed) PetscCall(observe(l, &p, best));
  to->pairs = l->count;
  if (c->potential) PetscFunctionReturn(0);
  PetscCall(fare_fit_intervals(&p, c->name, best, c->profile, to));
  if (c->posterior.draws) PetscCall(fare_posterior_sample(&p, c->name, best, &c->posterior, to));
  PetscFunctionReturn(0);
}

/*
  What half as many cells would find is one step of scoring away, with the steps in time that served; the
  cells' error, of second order, is a third of the difference.
*/
static PetscErrorCode find_grid_error(
  const fare_likelihood *of, const fare_tracks *tracks, const fare_fit *best, double step[])
{
  PetscInt        half[FARE_DIM_MAX];
  double          errors;
  fare_likelihood l;
  PetscErrorCode  code;

  PetscFunctionBegin;
  fare_infer_half(of->context, half);
  code = begin(of->kind, of->context, tracks, half, of->steps, of->lattice, of->smoothness, &l);
  if (!code) code = find_move(&l, best, step, &errors);
  PetscCall(end(&l));
  PetscCall(code);
  for (int k = 0; k < of->context->count; k++) step[k] /= 3;
  PetscFunctionReturn(0);
}

/*
  The maximum with a lattice of starts that is refined until it makes no difference. `other` is the error that
  steps and lattice make.
*/
static PetscErrorCode refine(fare_likelihood *l, const fare_tracks *tracks, fare_fit *best, double other[])
{
  const fare_infer_context *c = l->context;
  double                    error[FARE_INFER_MAX], errors;
  PetscErrorCode            code;

  PetscFunctionBegin;
  memcpy(best->theta, c->guess, (size_t)c->count * sizeof *best->theta);
  for (;;) {
    code = search(l, best, other);
    if (!l->lattice.coarse) PetscFunctionReturn(code);
    if (!code) {
      PetscCall(find_lattice_error(l, tracks, best, error, &errors));
      for (int k = 0; k < c->count; k++) other[k] = fabs(other[k]) + fabs(error[k]);
      if (errors < ENOUGH) PetscFunctionReturn(0);
    } else { /* a lattice that is too coarse has no maximum */
      if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
      memcpy(best->theta, c->guess, (size_t)c->count * sizeof *best->theta);
    }
    l->lattice.nodes *= 2;
    PetscCall(end(l));
    PetscCall(
      begin(l->kind, c, tracks, c->cells, PetscMax(STEPS, l->steps / 2), l->lattice, l->smoothness, l));
  }
}

PetscErrorCode fare_likelihood_fit(const fare_likelihood_kind *kind, const fare_infer_context *context,
  const fare_tracks *tracks, fare_inferred *inferred)
{
  const fare_potential *sought = context->potential;
  double                time[FARE_INFER_MAX], grid[FARE_INFER_MAX];
  fare_fit              best = {.value = NAN};
  fare_likelihood       l;
  PetscErrorCode        code;

  PetscFunctionBegin;
  code = begin(kind, context, tracks, context->cells, STEPS, (fare_lattice){NODES, 1, PETSC_FALSE},
    sought ? PetscMax(0, sought->smoothness) : 0, &l);
  if (!code) code = refine(&l, tracks, &best, time);
  if (!code) code = finish(&l, &best, inferred);
  PetscCall(end(&l));
  PetscCall(code);
  PetscCall(find_grid_error(&l, tracks, &best, grid));
  for (int k = 0; k < context->count; k++) inferred->grid[k] = fabs(time[k]) + fabs(grid[k]);
  for (int k = 0; k < context->count; k++) grid[k] += time[k];
  if (sought) PetscCall(fare_potential_finish(context, &best, l.smoothness, grid, inferred));
  PetscFunctionReturn(0);
}
