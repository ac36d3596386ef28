/* SPDX-License-Identifier: BSD-2-Clause */
/* Drift and diffusion where displacements begin, and errors of what is fitted to them. */
#include "moments.h"

#include <math.h>
#include <string.h>

PetscErrorCode fare_fields_at_create(
  const fare_infer_context *context, const fare_moments *moments, fare_fields_at *fields)
{
  const PetscInt few[FARE_DIM_MAX] = {4, 4, 4};
  const int      dim               = fare_system_dimension(context->study->system);
  const size_t   size              = (size_t)(context->count + 1) * (size_t)dim * moments->rows;

  PetscFunctionBegin;
  *fields = (fare_fields_at){.context = context, .m = moments, .dim = dim};
  PetscCall(fare_infer_model(context, few, &fields->model));
  PetscCall(PetscMalloc3(
    size, &fields->f, size, &fields->D, moments->rows * (size_t)context->count, &fields->scores));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_fields_at_free(fare_fields_at *fields)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(fields->f, fields->D, fields->scores));
  PetscCall(fare_model_destroy(&fields->model));
  PetscFunctionReturn(0);
}

/* Drift and diffusion at all starts. */
static void look(const fare_fields_at *p, double *f, double *D)
{
  double *to_f[FARE_DIM_MAX], *to_D[FARE_DIM_MAX];

  for (int axis = 0; axis < p->dim; axis++) {
    to_f[axis] = f + (size_t)axis * p->m->rows;
    to_D[axis] = D + (size_t)axis * p->m->rows;
  }
  fare_system_drift(p->model->system, 0, p->m->rows, (const double *const *)p->m->x, to_f);
  fare_system_diffusion(p->model->system, 0, p->m->rows, (const double *const *)p->m->x, to_D);
}

PetscErrorCode fare_fields_at_evaluate(const fare_fields_at *p, const double theta[])
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
  successive distances count as long as they are positive (Geyer, Statist. Sci. 7, 473 (1992)). The values add
  to 0 where something was fitted: pairs of all distances would tell a variance of 0, so that those of a few
  are taken, with at most a FEW-th of what all hold.
*/
#define FEW 4
static double variance_of_sum(const fare_moments *m, const double value[])
{
  const double square = products(m, value, 0);
  double       sum    = -square;

  for (size_t apart = 0; FEW * (2 * apart + 3) <= m->rows; apart += 2) {
    const double pair = (apart ? products(m, value, apart) : square) + products(m, value, apart + 1);

    if (!(pair > 0)) break;
    sum += 2 * pair;
  }
  return sum > 0 ? sum : square;
}

PetscErrorCode fare_fields_at_errors(const fare_fields_at *p, const double theta[], const double covariance[],
  const PetscBool held[], fare_inferred *to)
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
        moves[row] += covariance[k * count + j] * p->scores[row * (size_t)count + (size_t)j];
    }
    sum          = freedom * variance_of_sum(p->m, moves);
    to->error[k] = held[k] ? NAN : sqrt(sum);
    to->low[k]   = PetscMax(p->model->least[k], theta[k] - FARE_NORMAL_95 * to->error[k]);
    to->high[k]  = PetscMin(p->model->most[k], theta[k] + FARE_NORMAL_95 * to->error[k]);
    to->grid[k]  = NAN;
    if (held[k]) to->low[k] = to->high[k] = NAN;
  }
  to->pairs = (int64_t)p->m->rows;
  memcpy(to->theta, theta, (size_t)count * sizeof *theta);
  PetscCall(PetscFree(moves));
  PetscFunctionReturn(0);
}
