/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A normalizing flow conditioned on the physical time t: monotone splines that carry p(x,t) to a density of
  closed form, axis after axis, each conditioned on the axes before it. Its density is known in closed form,
  so that it is learned by likelihood, and compared with the truth without drawing anything.

  ln p(x|t) is a sum over axes, and every axis has a network of its own: each is learned by itself. The first
  one's parameters depend on t alone, so that its network is evaluated once for each training time, whatever
  the batch.
*/
#include "normalizing_flow.h"

#include "sampler/prior/current_prior.h"
#include "sampler/shared/quantile.h"

#include <math.h>
#include <string.h>

#define LOOKS 4 /* of a prior in a step, each at a time of its own; it costs two rows of the network */

static const fare_field fields[] = {
  FARE_GENERATIVE_FIELDS(fare_normalizing_flow, common, "64", "3", "4000", "4096", "3e-3", "3", "3"),
  {"bins", FARE_INTEGER, offsetof(fare_normalizing_flow, bins), "32", 2, 512, NULL, "",
    "bins of each spline"},
  FARE_FIELDS_END,
};

static PetscErrorCode setup(fare_sampler *sampler)
{
  fare_normalizing_flow *s = sampler->state;
  const int dim = fare_system_dimension(sampler->system), times = fare_generative_time_inputs(&s->common),
            outputs = 3 * (int)s->bins + 1;

  PetscFunctionBegin;
  for (int axis = 0; axis < dim; axis++) {
    char purpose[32];

    snprintf(purpose, sizeof purpose, "weights_%d", axis);
    PetscCall(fare_learn_network(&s->common.learn, fare_generative_position_inputs(sampler, axis) + times,
      outputs, fare_sampler_stream(sampler, purpose), axis ? &s->further[axis] : &s->common.network));
    PetscCall(fare_spline_create((int)s->bins, fare_generative_is_periodic(sampler, axis), &s->spline[axis]));
  }
  PetscCall(PetscCalloc2((size_t)(fare_generative_position_inputs(sampler, dim) + times) * FARE_BLOCK,
    &s->input, (size_t)outputs * FARE_BLOCK, &s->theta));
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(fare_sampler *sampler)
{
  fare_normalizing_flow *s = sampler->state;

  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_AXES_MAX; axis++) {
    PetscCall(fare_network_destroy(&s->further[axis]));
    PetscCall(fare_spline_destroy(&s->spline[axis]));
  }
  PetscCall(PetscFree2(s->input, s->theta));
  PetscCall(fare_generative_destroy(sampler));
  PetscFunctionReturn(0);
}

/*
  The interval of an axis: the circle, or the range of the particles, as far as it lies within six standard
  deviations.
*/
static PetscErrorCode choose_interval(fare_sampler *sampler, const fare_training_set *data, int axis)
{
  const double            widest  = 6;
  const fare_system_type *type    = fare_system_type_of(sampler->system);
  fare_normalizing_flow  *s       = sampler->state;
  double                  ends[2] = {-HUGE_VAL, -HUGE_VAL}; /* of -x and x */

  PetscFunctionBegin;
  s->lower[axis] = type->lower[axis];
  s->upper[axis] = type->upper[axis];
  if (type->periodic[axis]) PetscFunctionReturn(0);
  for (int k = 0; k < data->count; k++) {
    for (int64_t i = 0; i < data->at[k]->local; i++) {
      ends[0] = PetscMax(ends[0], -data->at[k]->x[axis][i]);
      ends[1] = PetscMax(ends[1], data->at[k]->x[axis][i]);
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, ends, 2, MPI_DOUBLE, MPI_MAX, sampler->comm));
  s->lower[axis] = PetscMax(-ends[0], s->common.mean[axis] - widest * s->common.sd[axis]);
  s->upper[axis] = PetscMin(ends[1], s->common.mean[axis] + widest * s->common.sd[axis]);
  PetscFunctionReturn(0);
}

/* What a step of training an axis works on. */
typedef struct {
  fare_sampler        *sampler;
  fare_generative_rows base;
  int                  axis, times;
  double               pull, constant; /* of the loss, which is -ln p with it */
  /* of the batch's rows: earlier axes, and the axis learned on the unit interval */
  double            *x[FARE_AXES_MAX], *v, *weight;
  int               *row; /* of the first axis: where a particle's time stands in the tile */
  float             *input, *output, *d_output;
  int64_t            evaluations; /* of the first axis */
  fare_current_prior prior;
} training_context;

static void draw(void *context, int64_t step, int64_t *rows)
{
  training_context            *l     = context;
  const fare_learn_batch      *batch = l->base.batch;
  const fare_normalizing_flow *s     = l->sampler->state;

  fare_learn_batch_draw(l->base.batch, l->base.rows, l->base.stream, (uint64_t)step);
  for (int axis = 0; axis <= l->axis; axis++) {
    for (int64_t i = 0; i < batch->count; i++)
      l->x[axis][i] = s->common.mean[axis] + s->common.sd[axis] * (double)batch->x[axis][i];
  }
  for (int64_t i = 0; i < batch->count; i++) {
    l->v[i]      = fare_normalizing_flow_unit(s, l->axis, l->x[l->axis][i]);
    l->weight[i] = batch->weight[i];
  }
  *rows = batch->count;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  training_context *l                = context;
  const double     *x[FARE_AXES_MAX] = {NULL};

  for (int axis = 0; axis < l->axis; axis++) x[axis] = l->x[axis] + first;
  fare_normalizing_flow_places(l->sampler, l->axis, n, x, input);
  fare_generative_rows_times(
    &l->base, first, n, input + fare_generative_position_inputs(l->sampler, l->axis) * FARE_BLOCK);
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  training_context *l      = context;
  fare_spline      *spline = ((const fare_normalizing_flow *)l->sampler->state)->spline[l->axis];
  double            sum;

  fare_spline_knots(spline, n, output);
  sum = fare_spline_loss(spline, n, NULL, l->v + first, l->weight + first, l->pull);
  for (int i = 0; i < n; i++) sum += l->constant * l->weight[first + i];
  fare_spline_gradient(spline, n, d_output);
  return sum;
}

/* The particles of training times [begin, begin + n), and which of those times is theirs. */
static int64_t gather(const training_context *l, int begin, int n, double v[], double weight[], int row[])
{
  int64_t count = 0;

  for (int64_t i = 0; i < l->base.batch->count; i++) {
    const int group = l->base.batch->group[i] - begin;

    if (group < 0 || group >= n) continue;
    row[count]      = group;
    v[count]        = l->v[i];
    weight[count++] = l->weight[i];
  }
  return count;
}

/* The first axis: the whole batch at once, with one row of the network for each training time. */
static double first_gradient(void *context, fare_network *network, int64_t first, int n, float gradient[])
{
  training_context *l      = context;
  fare_spline      *spline = ((const fare_normalizing_flow *)l->sampler->state)->spline[0];
  double            sum    = 0;

  (void)n;
  for (int begin = 0; begin < l->times && first == 0; begin += FARE_BLOCK) {
    const int     tile  = PetscMin(FARE_BLOCK, l->times - begin);
    const int64_t count = gather(l, begin, tile, l->x[1], l->x[2], l->row);

    for (int k = 0; k < l->base.time_inputs; k++) {
      for (int i = 0; i < tile; i++)
        l->input[k * FARE_BLOCK + i] = l->base.times[(begin + i) * l->base.time_inputs + k];
    }
    fare_network_forward(network, tile, l->input, l->output);
    fare_spline_knots(spline, tile, l->output);
    sum += fare_spline_loss(spline, (int)count, l->row, l->x[1], l->x[2], l->pull);
    for (int64_t i = 0; i < count; i++) sum += l->constant * l->x[2][i];
    fare_spline_gradient(spline, tile, l->d_output);
    if (gradient) fare_network_backward(network, tile, l->input, l->d_output, gradient, NULL);
    l->evaluations += tile;
  }
  return sum;
}

/*
  ln q along the only axis to either side of a moment. Derivatives by the splines are those of a loss -ln q,
  whose weights are the slopes.
*/
static double penalty_once(void *context, const fare_weighing_rows *rows, float gradient[])
{
  training_context            *l      = context;
  fare_current_prior          *c      = &l->prior;
  const fare_normalizing_flow *s      = l->sampler->state;
  fare_spline                 *spline = s->spline[0];
  double v[2 * FARE_CURRENT_CELLS], y[2 * FARE_CURRENT_CELLS], weight[2 * FARE_CURRENT_CELLS], more, sum;
  int    row[2 * FARE_CURRENT_CELLS];
  float  time[64];

  if (!fare_current_prior_begin(c, rows, &more)) return 0;
  for (int side = 0; side < 2; side++) {
    fare_generative_time(l->sampler, c->time[side], time);
    for (int k = 0; k < l->base.time_inputs; k++) l->input[k * FARE_BLOCK + side] = time[k];
  }
  for (int i = 0; i < 2 * FARE_CURRENT_CELLS; i++) {
    row[i] = i / FARE_CURRENT_CELLS;
    v[i]   = fare_normalizing_flow_unit(s, 0, c->x[i % FARE_CURRENT_CELLS]);
    if (fare_generative_is_periodic(l->sampler, 0)) v[i] -= floor(v[i]);
  }
  fare_network_forward(rows->network, 2, l->input, l->output);
  fare_spline_knots(spline, 2, l->output);
  fare_spline_forward(spline, 2 * FARE_CURRENT_CELLS, row, v, y, c->u);
  for (int i = 0; i < 2 * FARE_CURRENT_CELLS; i++)
    c->u[i] -= 0.5 * l->pull * l->pull * (y[i] - 0.5) * (y[i] - 0.5);
  sum = fare_current_prior_penalty(c, rows->weight);
  for (int i = 0; i < 2 * FARE_CURRENT_CELLS; i++) weight[i] = -c->slope[i];
  (void)fare_spline_loss(spline, 2 * FARE_CURRENT_CELLS, row, v, weight, l->pull);
  fare_spline_gradient(spline, 2, l->d_output);
  fare_network_backward(rows->network, 2, l->input, l->d_output, gradient, NULL);
  l->evaluations += 2;
  return sum;
}

/* At several times: one alone would leave more noise than a large weight bears. */
static double penalty(void *context, const fare_weighing_rows *rows, float gradient[])
{
  double sum = 0;

  for (int k = 0; k < LOOKS; k++) {
    const fare_weighing_rows once = {
      rows->weight / LOOKS, LOOKS * rows->step + k, rows->first, rows->n, rows->network};

    sum += penalty_once(context, &once, gradient);
  }
  return sum;
}

static PetscErrorCode context_begin(fare_sampler *sampler, const fare_training_set *data, training_context *l)
{
  fare_normalizing_flow *s = sampler->state;
  const size_t size = (size_t)s->common.learn.batch, outputs = (size_t)(3 * s->bins + 1) * FARE_BLOCK;

  PetscFunctionBegin;
  l->sampler = sampler;
  l->times   = data->count;
  PetscCall(PetscMalloc3(size, &l->v, size, &l->weight, size, &l->row));
  /* the first axis takes two more for itself */
  for (int axis = 0; axis < PetscMax(3, fare_system_dimension(sampler->system)); axis++)
    PetscCall(PetscMalloc1(size, &l->x[axis]));
  PetscCall(PetscMalloc3((size_t)fare_generative_time_inputs(&s->common) * FARE_BLOCK, &l->input, outputs,
    &l->output, outputs, &l->d_output));
  PetscCall(fare_generative_rows_begin(sampler, data, &l->base));
  for (int axis = 0; axis < l->base.dim; axis++) PetscCall(choose_interval(sampler, data, axis));
  if (sampler->prior) {
    double lower, upper;

    fare_prior_box(sampler, &lower, &upper);
    PetscCall(fare_current_prior_create(sampler, data, lower, upper, &l->prior));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode context_end(training_context *l)
{
  PetscFunctionBegin;
  PetscCall(fare_generative_rows_end(&l->base));
  PetscCall(PetscFree3(l->v, l->weight, l->row));
  for (int axis = 0; axis < FARE_AXES_MAX; axis++) PetscCall(PetscFree(l->x[axis]));
  PetscCall(PetscFree3(l->input, l->output, l->d_output));
  PetscCall(fare_current_prior_destroy(&l->prior));
  PetscFunctionReturn(0);
}

/* Of one axis; rows of the network count, not those of the batch. */
static PetscErrorCode learn_with_prior(training_context *l, const fare_learn_problem *problem)
{
  fare_cost     *cost     = &l->sampler->cost;
  const int64_t  before   = cost->network_evaluations;
  fare_weighing  weighing = {.sampler = l->sampler, .rows = l->base.rows, .penalty = penalty};
  PetscErrorCode code;

  PetscFunctionBegin;
  code                      = fare_weighing_train(&weighing, problem);
  cost->network_evaluations = before + l->evaluations;
  PetscFunctionReturn(code);
}

/*
  Adds the losses of a further axis to the curve, as far as both go: so it becomes that of -ln p of all axes.
*/
static void join(const fare_curve *further, fare_curve *curve)
{
  curve->count = PetscMin(curve->count, further->count);
  for (size_t i = 0; i < curve->count; i++) {
    curve->loss[i] += further->loss[i];
    if (curve->validation) curve->validation[i] += further->validation[i];
  }
}

static PetscErrorCode learn_axis(training_context *l, int axis)
{
  fare_sampler          *sampler     = l->sampler;
  fare_normalizing_flow *s           = sampler->state;
  fare_curve             curve       = {0};
  int64_t                evaluations = 0;
  char                   what[160];
  /* one network's state is kept */
  fare_learn_problem problem = {.what = what,
    .context                          = l,
    .draw                             = draw,
    .inputs                           = inputs,
    .loss                             = loss,
    .gradient                         = axis ? NULL : first_gradient,
    .session                          = l->base.dim == 1 ? &sampler->session : NULL};

  PetscFunctionBegin;
  snprintf(what, sizeof what, "training %s%s%s", sampler->name, l->base.dim > 1 ? ", axis " : "",
    l->base.dim > 1 ? fare_system_axis_name(sampler->system, axis) : "");
  l->axis = axis;
  l->pull = fare_generative_is_periodic(sampler, axis) ? 0 : FARE_NORMALIZING_FLOW_PULL;
  l->constant =
    log(s->upper[axis] - s->lower[axis]) + (l->pull > 0 ? 0.5 * log(2 * PETSC_PI) - log(l->pull) : 0);
  if (sampler->prior) {
    PetscCall(learn_with_prior(l, &problem));
    PetscFunctionReturn(0);
  }
  PetscCall(fare_learn_train(sampler->comm, fare_normalizing_flow_network(s, axis), &s->common.learn,
    &problem, axis ? &curve : &s->common.curve, &evaluations));
  sampler->cost.network_evaluations += axis ? evaluations : l->evaluations;
  if (axis) join(&curve, &s->common.curve);
  PetscCall(fare_curve_free(&curve));
  PetscFunctionReturn(0);
}

static PetscErrorCode train(fare_sampler *sampler, const fare_training_set *data)
{
  fare_normalizing_flow *s    = sampler->state;
  training_context       l    = {0};
  PetscErrorCode         code = 0;

  PetscFunctionBegin;
  if (sampler->mode == FARE_LEARNED) {
    code = context_begin(sampler, data, &l);
    for (int axis = 0; axis < l.base.dim && !code; axis++) code = learn_axis(&l, axis);
    PetscCall(context_end(&l));
  }
  s->common.ready = code ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(code);
}

static void make_block(
  fare_sampler *sampler, const float time[], fare_stream latent, uint64_t block, double *const x[])
{
  static const int       first[FARE_BLOCK]; /* all particles belong to the one row of the first axis */
  fare_normalizing_flow *s = sampler->state;
  double                 y[FARE_BLOCK];

  for (int axis = 0; axis < fare_system_dimension(sampler->system); axis++) {
    if (fare_generative_is_periodic(sampler, axis)) {
      fare_random_uniforms(latent, block, s->common.advances, (uint32_t)axis, y);
    } else {
      fare_random_normals(latent, block, s->common.advances, (uint32_t)axis, y);
      for (int i = 0; i < FARE_BLOCK; i++) y[i] = 0.5 + y[i] / FARE_NORMALIZING_FLOW_PULL;
    }
    fare_normalizing_flow_condition(sampler, axis, time, FARE_BLOCK, (const double *const *)x);
    fare_spline_inverse(s->spline[axis], FARE_BLOCK, axis ? NULL : first, y, x[axis]);
    for (int i = 0; i < FARE_BLOCK; i++) x[axis][i] = fare_normalizing_flow_place(s, axis, x[axis][i]);
    sampler->cost.network_evaluations += axis ? FARE_BLOCK : 1;
  }
}

static PetscErrorCode advance(fare_sampler *sampler, double t, fare_ensemble *ensemble)
{
  fare_normalizing_flow *s      = sampler->state;
  const fare_stream      latent = fare_sampler_stream(sampler, "latent");
  const double          *masses = NULL;
  float                  time[64];

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  s->time = t;
  if (sampler->mode == FARE_ORACLE) {
    PetscCall(fare_sampler_exact(sampler, t, &masses));
    PetscCall(fare_quantile_draw(sampler->exact->grid, masses, latent, s->common.advances++, ensemble));
    PetscFunctionReturn(0);
  }
  fare_generative_time(sampler, t, time);
  for (int64_t b = 0; b < ensemble->blocks; b++) {
    const fare_block block = fare_ensemble_block(ensemble, b);

    make_block(sampler, time, latent, block.number, block.x);
  }
  s->common.advances++;
  PetscFunctionReturn(0);
}

static PetscErrorCode model_density(fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  const double *exact = NULL;

  PetscFunctionBegin;
  if (sampler->mode == FARE_ORACLE) {
    PetscCall(fare_sampler_exact(sampler, t, &exact));
    PetscCall(fare_quantile_masses(sampler->exact->grid, exact, grid, masses));
  } else {
    PetscCall(fare_normalizing_flow_masses(sampler, t, grid, masses));
  }
  PetscFunctionReturn(0);
}

/* Of the first axis one row for each training time and block, of the others one for each particle. */
static void estimate_cost(const fare_sampler *sampler, int64_t particles, fare_cost *cost)
{
  const fare_normalizing_flow *s = sampler->state;
  const int64_t further = fare_system_dimension(sampler->system) - 1, count = sampler->schedule.count;

  cost->network_evaluations += s->common.learn.steps * (count + further * s->common.learn.batch) +
    count * (particles / FARE_BLOCK + 1 + further * particles);
}

static const fare_kept kept[] = {
  FARE_KEEP_WITH(STRUCT, fare_normalizing_flow, common, .fields = fare_generative_kept),
  FARE_KEEP_WITH(REAL, fare_normalizing_flow, lower, .count = FARE_AXES_MAX),
  FARE_KEEP_WITH(REAL, fare_normalizing_flow, upper, .count = FARE_AXES_MAX),
  FARE_KEEP_WITH(OBJECT, fare_normalizing_flow, further, .count = FARE_AXES_MAX, .type = &fare_network_kept,
    .only = FARE_KEPT_IN(FARE_LEARNED)),
  FARE_KEPT_END,
};

const fare_sampler_type fare_sampler_normalizing_flow = {
  .name      = "normalizing_flow",
  .summary   = "monotone splines conditioned on time, trained by maximum likelihood, with an exact density",
  .reference = "Durkan et al., arXiv 1906.04032 (2019)",
  .family    = FARE_GENERATIVE,
  .walls     = FARE_WALLS_FOLDED,
  .size      = sizeof(fare_normalizing_flow),
  .modes     = FARE_ORACLE,
  .fields    = fields,
  .setup     = setup,
  .train     = train,
  .advance   = advance,
  .model_density       = model_density,
  .log_density         = fare_normalizing_flow_log_density,
  .log_density_learned = PETSC_TRUE,
  .density_between     = PETSC_TRUE,
  .estimate_cost       = estimate_cost,
  .curve               = fare_generative_curve,
  .kept                = kept,
  .many_axes           = PETSC_TRUE,
  .priors              = 1 << FARE_PRIOR_FOKKER_PLANCK | 1 << FARE_PRIOR_LEAST_DISSIPATION,
  .check_prior         = fare_current_check_prior,
  .destroy             = destroy,
};
