/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Entropic action matching with the system's own potential for a model: s = -mobility V, whose gradient is the
  drift, minimises

    E_0[s] - E_1[s] + int E[|grad s|^2/2 + D lap s] dt

  over the parameters of V, with D known. The time integral is the trapezoid rule of the snapshots. Forces
  that are no gradient are nothing to it.
*/
#include "marginals.h"

#include <math.h>
#include <string.h>

#define ASIDE 1e-3 /* of the box, for derivatives of V */

typedef struct {
  const fare_marginals *m;
  fare_model           *model;
  size_t                points, size;           /* of all times; of one field */
  double               *x[FARE_DIM_MAX], *work; /* [points] */
  double *s, *slope, *lap; /* [field], [field * dim + axis], [field]; field 0, then of parameters */
} action;

/* s at points that are moved along an axis. */
static void look(const action *a, int axis, double move, double s[])
{
  const fare_system *system = a->model->system;
  const double       start = a->m->context->study->start, kT = fare_system_kT(system, start);
  const double      *x[FARE_DIM_MAX];
  double             z[FARE_DIM_MAX], D[FARE_DIM_MAX];
  const double      *at[FARE_DIM_MAX] = {z, z + 1, z + 2};
  double            *to[FARE_DIM_MAX] = {D, D + 1, D + 2};

  for (int k = 0; k < a->m->dim; k++) {
    x[k] = a->x[k];
    z[k] = a->x[k][0];
  }
  fare_system_diffusion(system, start, 1, at, to);
  if (move != 0) {
    for (size_t i = 0; i < a->points; i++) a->work[i] = a->x[axis][i] + move;
    x[axis] = a->work;
  }
  fare_system_potential(system, start, a->points, x, s);
  for (size_t i = 0; i < a->points; i++) s[i] *= -D[0] / kT;
}

/* s, its slopes and its Laplacian, at the present parameters. */
static PetscErrorCode derive(const action *a, double s[], double slope[], double lap[])
{
  double *side;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * a->points, &side));
  look(a, 0, 0, s);
  memset(lap, 0, a->points * sizeof *lap);
  for (int axis = 0; axis < a->m->dim; axis++) {
    const fare_box *box = &a->m->context->box;
    const double    h   = ASIDE * (box->upper[axis] - box->lower[axis]);

    look(a, axis, -h, side);
    look(a, axis, h, side + a->points);
    for (size_t i = 0; i < a->points; i++) {
      slope[(size_t)axis * a->points + i] = (side[a->points + i] - side[i]) / (2 * h);
      lap[i] += (side[a->points + i] - 2 * s[i] + side[i]) / (h * h);
    }
  }
  PetscCall(PetscFree(side));
  PetscFunctionReturn(0);
}

static PetscErrorCode derive_all(const action *a, const double theta[])
{
  const size_t n = a->points, dim = (size_t)a->m->dim;
  double      *below;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((2 + dim) * n, &below));
  PetscCall(fare_model_parameters(a->model, theta));
  PetscCall(derive(a, a->s, a->slope, a->lap));
  for (int k = 0; k < a->m->context->count; k++) {
    double moved[2], *s = a->s + (size_t)(k + 1) * n, *slope = a->slope + (size_t)(k + 1) * dim * n,
                     *lap = a->lap + (size_t)(k + 1) * n;
    const double width    = fare_model_moved(a->model, theta, k, moved);

    PetscCall(fare_system_set(a->model->system, a->m->context->name[k], moved[0]));
    PetscCall(derive(a, below, below + n, below + (1 + dim) * n));
    PetscCall(fare_system_set(a->model->system, a->m->context->name[k], moved[1]));
    PetscCall(derive(a, s, slope, lap));
    PetscCall(fare_system_set(a->model->system, a->m->context->name[k], theta[k]));
    for (size_t i = 0; i < n; i++) {
      s[i]   = (s[i] - below[i]) / width;
      lap[i] = (lap[i] - below[(1 + dim) * n + i]) / width;
    }
    for (size_t i = 0; i < dim * n; i++) slope[i] = (slope[i] - below[n + i]) / width;
  }
  PetscCall(PetscFree(below));
  PetscFunctionReturn(0);
}

static PetscErrorCode scores(void *to, const double theta[], double score[], double slopes[])
{
  const action *a     = to;
  const int     count = a->m->context->count;
  const size_t  n = a->points, dim = (size_t)a->m->dim;
  double        z[FARE_DIM_MAX], D[FARE_DIM_MAX];
  const double *at[FARE_DIM_MAX]   = {z, z + 1, z + 2};
  double       *to_D[FARE_DIM_MAX] = {D, D + 1, D + 2};
  size_t        first              = 0;

  PetscFunctionBegin;
  PetscCall(derive_all(a, theta));
  memset(score, 0, (size_t)count * sizeof *score);
  memset(slopes, 0, (size_t)(count * count) * sizeof *slopes);
  for (size_t axis = 0; axis < dim; axis++) z[axis] = a->x[axis][0];
  fare_system_diffusion(a->model->system, a->m->context->study->start, 1, at, to_D);
  for (size_t t = 0; t < a->m->count; t++) {
    const fare_marginal *here   = &a->m->at[t];
    const double         before = t ? here->time - here[-1].time : 0,
                 after          = t + 1 < a->m->count ? here[1].time - here->time : 0;
    const double ends = (t ? 1.0 : 0) - (t + 1 < a->m->count ? 1.0 : 0), span = 0.5 * (before + after);

    for (size_t i = first; i < first + here->points; i++) {
      const double w = here->weight[i - first];

      for (int k = 0; k < count; k++) {
        const double *g     = a->slope + (size_t)(k + 1) * dim * n + i;
        double        along = 0;

        for (size_t axis = 0; axis < dim; axis++) along += g[axis * n] * a->slope[axis * n + i];
        score[k] += w *
          (ends * a->s[(size_t)(k + 1) * n + i] - span * (along + D[0] * a->lap[(size_t)(k + 1) * n + i]));
        for (int j = 0; j < count; j++) {
          const double *other = a->slope + (size_t)(j + 1) * dim * n + i;

          for (size_t axis = 0; axis < dim; axis++)
            slopes[k * count + j] += w * span * g[axis * n] * other[axis * n];
        }
      }
    }
    first += here->points;
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode estimate(const fare_marginals *m, double theta[], fare_inferred *inferred)
{
  const PetscInt few[FARE_DIM_MAX] = {4, 4, 4};
  const size_t   dim = (size_t)m->dim, fields = (size_t)m->context->count + 1;
  action         a    = {.m = m};
  size_t         used = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  (void)inferred;
  for (size_t t = 0; t < m->count; t++) a.points += m->at[t].points;
  PetscCall(fare_infer_model(m->context, few, &a.model));
  PetscCall(PetscMalloc5(dim * a.points, &a.x[0], a.points, &a.work, fields * a.points, &a.s,
    fields * dim * a.points, &a.slope, fields * a.points, &a.lap));
  for (size_t axis = 1; axis < dim; axis++) a.x[axis] = a.x[0] + axis * a.points;
  for (size_t t = 0; t < m->count; used += m->at[t++].points)
    for (size_t axis = 0; axis < dim; axis++)
      memcpy(a.x[axis] + used, m->at[t].x[axis], m->at[t].points * sizeof(double));
  code = fare_marginals_root(m->context, a.model, scores, &a, theta);
  PetscCall(PetscFree5(a.x[0], a.work, a.s, a.slope, a.lap));
  PetscCall(fare_model_destroy(&a.model));
  PetscFunctionReturn(code);
}

static PetscErrorCode fit(const fare_infer_context *c, const fare_tracks *t, fare_inferred *inferred)
{
  return fare_marginals_fit(c, t, PETSC_FALSE, estimate, inferred);
}

static PetscErrorCode limit(const fare_infer_context *c, const PetscInt cells[], double theta[])
{
  return fare_marginals_limit(c, cells, estimate, theta);
}

/* D must not depend on what is sought: the action would fall for ever as it grows. */
static PetscErrorCode check(const fare_infer_context *c)
{
  const PetscInt few[FARE_DIM_MAX] = {4, 4, 4};
  double         z[FARE_DIM_MAX]   = {0}, D[2][FARE_DIM_MAX];
  const double  *at[FARE_DIM_MAX]  = {z, z + 1, z + 2};
  fare_model    *model;
  int            moves = -1;

  PetscFunctionBegin;
  if (!fare_system_has_potential(c->study->system) || fare_system_type_of(c->study->system)->drift)
    FARE_FAIL(FARE_ERR_INPUT, "action_matching is for systems whose drift is mobility (-grad V + F)");
  PetscCall(fare_marginals_check_noise(c));
  PetscCall(fare_infer_model(c, few, &model));
  for (int axis = 0; axis < fare_system_dimension(c->study->system); axis++)
    z[axis] = 0.5 * (c->box.lower[axis] + c->box.upper[axis]);
  for (int k = 0; k < c->count && moves < 0; k++) {
    double moved[2];

    (void)fare_model_moved(model, c->guess, k, moved);
    for (int side = 0; side < 2; side++) {
      double *to[FARE_DIM_MAX] = {D[side], D[side] + 1, D[side] + 2};

      PetscCall(fare_system_set(model->system, c->name[k], moved[side]));
      fare_system_diffusion(model->system, c->study->start, 1, at, to);
    }
    if (D[0][0] != D[1][0]) moves = k;
  }
  PetscCall(fare_model_destroy(&model));
  if (moves >= 0)
    FARE_FAIL(FARE_ERR_INPUT, "action_matching takes the noise as known: leave %s out", c->name[moves]);
  PetscFunctionReturn(0);
}

const fare_infer_type fare_infer_action_matching = {
  .name      = "action_matching",
  .summary   = "the gradient part of the drift by the least entropic action of snapshots; noise known",
  .reference = "Neklyudov et al., Action Matching, ICML (2023)",
  .dim_max   = FARE_DIM_MAX,
  .unpaired  = PETSC_TRUE,
  .fit       = fit,
  .limit     = limit,
  .check     = check,
};
