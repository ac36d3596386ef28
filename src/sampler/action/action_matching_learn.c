/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Learning the potential s(z,t) from snapshots p_0, p_1, ... at t_0, t_1, ... Between two of them the density
  is taken as p = (1 - l) p_k + l p_{k+1}, t = t_k + l dt_k, and then the action of Neklyudov et al.,

    E_first s(t_first) - E_last s(t_last) + int E_p [|grad s|^2/2 + ds/dt (+ sum_k D_k d^2 s/dz_k^2,
  entropic)] dt,

  is, integrated by parts in every interval, with l even in (0,1),

    sum_k E_l { dt_k [(1 - l) E_k A(t) + l E_{k+1} A(t)] + E_k s(t) - E_{k+1} s(t) },   A = |grad s|^2/2 (+
  sum D d^2 s/dz^2).

  It is bounded below however far apart the snapshots are (the sum over them of the former is not: s may fall
  in t at the snapshots alone and rise in between), and its least value is where grad s carries every snapshot
  exactly to the next. One particle of snapshot k is shown to both intervals beside it, l on one side as on
  the other, so that s(t_k + l dt_k) - s(t_k - l dt_{k-1}) is a small number with little noise.

  The derivative of |grad s|^2/2 by the weights is that of grad s along itself, held: one pass of a tangent.
*/
#include "action_matching.h"

#include <math.h>
#include <string.h>

/* in z, of the difference that stands for a second derivative: the mean of it over so much to either side */
#define STEP 0.02f

double fare_action_clock(const fare_sampler *sampler, double t)
{
  const double length = sampler->schedule.end - sampler->schedule.start;

  return length > 0 ? 2 * (t - sampler->schedule.start) / length - 1 : 0;
}

void fare_action_prepare(fare_sampler *sampler)
{
  fare_action            *a    = sampler->state;
  const fare_system_type *type = fare_system_type_of(sampler->system);

  for (int axis = 0; axis < a->shape.dim; axis++) {
    a->shape.frequency[axis] = a->shape.periodic[axis]
      ? 2 * PETSC_PI * a->common.sd[axis] / (type->upper[axis] - type->lower[axis])
      : a->common.frequency;
  }
}

PetscErrorCode fare_action_tile_create(const fare_action_shape *shape, fare_action_tile *t)
{
  const size_t inputs = (size_t)shape->inputs * FARE_BLOCK;

  PetscFunctionBegin;
  PetscCall(PetscCalloc7(inputs, &t->input, inputs, &t->d_input, inputs, &t->direction, FARE_BLOCK,
    &t->output, FARE_BLOCK, &t->along, FARE_BLOCK, &t->d_output, FARE_BLOCK, &t->d_along));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_action_tile_destroy(fare_action_tile *t)
{
  PetscFunctionBegin;
  PetscCall(PetscFree7(t->input, t->d_input, t->direction, t->output, t->along, t->d_output, t->d_along));
  PetscFunctionReturn(0);
}

/* Where the sines and cosines of an axis begin. */
static size_t frequencies_at(const fare_action_shape *s, int axis)
{
  return (size_t)(s->dim + axis * 2 * s->frequencies) * FARE_BLOCK;
}

static void fill_inputs(const fare_action_shape *s, int n, fare_row z[], const float clock[], float input[])
{
  for (int axis = 0; axis < s->dim; axis++) {
    for (int i = 0; i < n; i++) input[axis * FARE_BLOCK + i] = s->periodic[axis] ? 0 : z[axis][i];
    fare_learn_frequencies(
      s->frequencies, s->frequency[axis], n, z[axis], NULL, FARE_BLOCK, input + frequencies_at(s, axis));
  }
  fare_generative_scalar(s->time_frequencies, n, clock, FARE_BLOCK, input + frequencies_at(s, s->dim));
}

/* The direction of the inputs when z moves along `dz`; that of the times is zero from the start. */
static void fill_direction(
  const fare_action_shape *s, int n, fare_row dz[], const float input[], float direction[])
{
  for (int axis = 0; axis < s->dim; axis++) {
    for (int i = 0; i < n; i++) direction[axis * FARE_BLOCK + i] = s->periodic[axis] ? 0 : dz[axis][i];
    fare_action_push(s->frequencies, s->frequency[axis], n, input + frequencies_at(s, axis), dz[axis],
      direction + frequencies_at(s, axis));
  }
}

void fare_action_evaluate(const fare_action_shape *s, fare_network *network, int n, fare_row z[],
  const float clock[], fare_action_tile *t, fare_row gradient[])
{
  float one[FARE_BLOCK] FARE_ALIGNED;

  for (int i = 0; i < FARE_BLOCK; i++) one[i] = 1;
  fill_inputs(s, n, z, clock, t->input);
  fare_network_forward(network, n, t->input, t->output);
  fare_network_backward(network, n, t->input, one, NULL, t->d_input);
  for (int axis = 0; axis < s->dim; axis++) {
    const size_t first = frequencies_at(s, axis);

    fare_action_chain(s->frequencies, s->frequency[axis], n, t->input + first,
      s->periodic[axis] ? NULL : t->d_input + axis * FARE_BLOCK, t->d_input + first, gradient[axis]);
  }
}

typedef struct {
  fare_sampler        *sampler;
  const fare_action   *a;
  fare_generative_rows rows;
  fare_action_tile     tile;
  int                  count;
  const double        *times;
  double               mean_interval; /* in units of 1/speed */
  float               *uniform;       /* of the batch's rows: l as its normal */
} training_context;

enum { DRAW_UNIFORM = 1 };

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context *l = context;

  fare_learn_batch_draw(l->rows.batch, l->rows.rows, l->rows.stream, (uint64_t)step);
  fare_learn_batch_normals(l->rows.batch, l->rows.stream, (uint64_t)step, DRAW_UNIFORM, l->uniform);
  *rows = l->rows.batch->count;
}

/* One side of a tile's rows, and when that is; no weights where there is no such side. */
static void fill_side(
  const training_context *l, int64_t first, int n, int later, double t[], fare_action_weights *w)
{
  for (int i = 0; i < n; i++) {
    const fare_learn_batch *batch = l->rows.batch;
    const int               k = batch->group[first + i], other = later ? k + 1 : k - 1;
    const double            part = 0.5 * erfc(-(double)l->uniform[first + i] / sqrt(2)),
                 weight          = (double)batch->weight[first + i] / l->mean_interval;
    const PetscBool there        = other >= 0 && other < l->count ? PETSC_TRUE : PETSC_FALSE;
    const double    interval     = there ? l->times[other] - l->times[k] : 0;

    t[i]         = l->times[k] + part * interval;
    w->clock[i]  = (float)fare_action_clock(l->sampler, t[i]);
    w->action[i] = (float)(weight * (1 - part) * fabs(interval) * l->a->speed);
    w->value[i]  = there ? (float)(later ? weight : -weight) : 0;
  }
}

/* The system's diffusion where and when a side's rows are, per unit of 1/speed in z. */
static void fill_diffusion(const training_context *l, int n, fare_row z[], const double t[], fare_row D[])
{
  const fare_generative *g = &l->a->common;
  double                 x[FARE_AXES_MAX][FARE_BLOCK], d[FARE_AXES_MAX][FARE_BLOCK];
  const int              together = fare_system_is_driven(l->sampler->system) ? 1 : n;

  for (int axis = 0; axis < l->rows.dim; axis++)
    fare_generative_shift(g->mean[axis], g->sd[axis], z[axis], x[axis]);
  for (int i = 0; i < n; i += together) {
    const double *from[FARE_AXES_MAX];
    double       *to[FARE_AXES_MAX];

    for (int axis = 0; axis < l->rows.dim; axis++) {
      from[axis] = x[axis] + i;
      to[axis]   = d[axis] + i;
    }
    fare_system_diffusion(l->sampler->system, t[i], (size_t)together, from, to);
  }
  for (int axis = 0; axis < l->rows.dim; axis++) {
    for (int i = 0; i < n; i++) D[axis][i] = (float)(d[axis][i] / (g->sd[axis] * g->sd[axis] * l->a->speed));
  }
}

/*
  One pass of a tangent along `dz` from the tile's inputs, and the gradient of d_output s + d_along (grad s .
  dz).
*/
static void tangent(const fare_action_shape *shape, fare_network *network, int n, fare_row dz[],
  fare_action_tile *t, float gradient[])
{
  fill_direction(shape, n, dz, t->input, t->direction);
  fare_network_tangent(network, n, t->input, t->direction, t->output, t->along);
  if (gradient)
    fare_network_tangent_backward(
      network, n, t->input, t->direction, t->d_output, t->d_along, gradient, NULL);
}

/* The sum of action D d^2 s/dz^2 along one axis, from the two first derivatives beside z. */
static double bend(const fare_action_shape *shape, fare_network *network, int n, int axis, fare_row z[],
  const fare_action_weights *w, const float D[], fare_action_tile *t, float gradient[])
{
  fare_place dz, beside;
  double     sum = 0;

  memset(dz, 0, (size_t)shape->dim * sizeof *dz);
  for (int i = 0; i < n; i++) dz[axis][i] = 1;
  memcpy(beside, z, (size_t)shape->dim * sizeof *beside);
  for (int sign = -1; sign <= 1; sign += 2) {
    for (int i = 0; i < n; i++) {
      beside[axis][i] = z[axis][i] + (float)sign * STEP;
      t->d_along[i]   = (float)sign * w->action[i] * D[i] / (2 * STEP);
      t->d_output[i]  = 0;
    }
    fill_inputs(shape, n, beside, w->clock, t->input);
    tangent(shape, network, n, dz, t, gradient);
    for (int i = 0; i < n; i++) sum += (double)(t->d_along[i] * t->along[i]);
  }
  return sum;
}

double fare_action_loss(const fare_action_shape *shape, fare_network *network, int n, fare_row z[],
  const fare_action_weights *w, fare_row D[], fare_action_tile *t, float gradient[])
{
  fare_place dz;
  double     sum = 0;

  memset(dz, 0, (size_t)shape->dim * sizeof *dz);
  fare_action_evaluate(shape, network, n, z, w->clock, t, dz);
  for (int i = 0; i < n; i++) {
    float square = 0;

    for (int axis = 0; axis < shape->dim; axis++) {
      square += dz[axis][i] * dz[axis][i];
      dz[axis][i] *= w->action[i];
    }
    sum += (double)(0.5f * w->action[i] * square + w->value[i] * t->output[i]);
    t->d_output[i] = w->value[i];
    t->d_along[i]  = 1;
  }
  if (gradient) tangent(shape, network, n, dz, t, gradient);
  for (int axis = 0; D && axis < shape->dim; axis++)
    sum += bend(shape, network, n, axis, z, w, D[axis], t, gradient);
  return sum;
}

int fare_action_passes(const fare_action *a)
{
  return 2 * (2 + (a->entropic ? 2 * a->shape.dim : 0));
}

static double gradient_of(void *context, fare_network *network, int64_t first, int n, float gradient[])
{
  training_context *l = context;
  fare_place        z, D;
  double            sum = 0;

  memset(z, 0, (size_t)l->rows.dim * sizeof *z);
  for (int axis = 0; axis < l->rows.dim; axis++)
    memcpy(z[axis], l->rows.batch->x[axis] + first, (size_t)n * sizeof(float));
  for (int later = 0; later < 2; later++) {
    fare_action_weights w;
    double              t[FARE_BLOCK];

    fill_side(l, first, n, later, t, &w);
    if (l->a->entropic) fill_diffusion(l, n, z, t, D);
    sum += fare_action_loss(&l->a->shape, network, n, z, &w, l->a->entropic ? D : NULL, &l->tile, gradient);
  }
  /* the one is counted by who calls */
  l->sampler->cost.network_evaluations += n * (fare_action_passes(l->a) - 1);
  return sum;
}

/*
  A rate at which the data move, in z: by the changes of means and widths from snapshot to snapshot; entropic,
  by diffusion too.
*/
static PetscErrorCode find_speed(fare_sampler *sampler, const fare_training_set *data)
{
  fare_action *a   = sampler->state;
  const int    dim = a->shape.dim;
  double       before[2][FARE_AXES_MAX], now[2][FARE_AXES_MAX], effective, sum = 0;

  PetscFunctionBegin;
  for (int k = 0; k < data->count; k++) {
    PetscCall(fare_ensemble_moments(data->at[k], now[0], now[1], &effective));
    for (int axis = 0; axis < dim; axis++) {
      const double sd = a->common.sd[axis];

      now[1][axis] = sqrt(now[1][axis]);
      if (k)
        sum +=
          (pow((now[0][axis] - before[0][axis]) / sd, 2) + pow((now[1][axis] - before[1][axis]) / sd, 2)) /
          pow(data->times[k] - data->times[k - 1], 2) / (dim * (data->count - 1));
    }
    memcpy(before, now, sizeof now);
  }
  if (a->entropic) {
    double D[FARE_AXES_MAX];

    fare_generative_diffusion(sampler->system, data->times[0], a->common.mean, D);
    for (int axis = 0; axis < dim; axis++) sum += pow(D[axis] / pow(a->common.sd[axis], 2), 2) / dim;
  }
  a->speed = PetscMax(sqrt(sum), 1 / (data->times[data->count - 1] - data->times[0]));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_times(const fare_sampler *sampler, const fare_training_set *data)
{
  const double length = sampler->schedule.end - sampler->schedule.start;

  PetscFunctionBegin;
  if (data->count < 2)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED, "action matching needs at least two training times");
  if (fabs(data->times[0] - sampler->schedule.start) > 1e-9 * length)
    FARE_SAMPLER_FAIL(sampler, FARE_ERR_FAILED,
      "it must be trained from the first snapshot on, not from t = %g", data->times[0]);
  if (data->times[data->count - 1] < sampler->schedule.end - 1e-9 * length)
    fare_warn("%s: not trained for times after t = %g", sampler->where, data->times[data->count - 1]);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_action_learn(fare_sampler *sampler, const fare_training_set *data)
{
  fare_action       *a       = sampler->state;
  training_context   l       = {.sampler = sampler, .a = a, .count = data->count, .times = data->times};
  fare_learn_problem problem = {.context = &l, .draw = draw, .gradient = gradient_of};
  PetscErrorCode     code;

  PetscFunctionBegin;
  PetscCall(check_times(sampler, data));
  PetscCall(PetscMalloc1((size_t)a->common.learn.batch, &l.uniform));
  PetscCall(fare_action_tile_create(&a->shape, &l.tile));
  code = fare_generative_rows_begin(sampler, data, &l.rows);
  fare_action_prepare(sampler);
  if (!code) code = find_speed(sampler, data);
  if (!code) {
    l.mean_interval = a->speed * (data->times[data->count - 1] - data->times[0]) / (data->count - 1);
    code            = fare_generative_learn(sampler, &problem);
  }
  PetscCall(fare_generative_rows_end(&l.rows));
  PetscCall(fare_action_tile_destroy(&l.tile));
  PetscCall(PetscFree(l.uniform));
  PetscFunctionReturn(code);
}
