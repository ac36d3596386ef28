/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A committor that a network learns by the backward equation (Rotskoff, Mitchell and Vanden-Eijnden, PMLR 145,
  757 (2022), for the reversible case): q(t,x) is the mean of q(t + lag, X) over a step of the chain from x,
  wherever no set is reached on the way. The right side, by the network as it is, is the target of the left
  (a semi-group target, whose gradient is not taken). What is learned is ln q, since q itself may be 1e-9.

  ln q = base + rise * network, where base is that of Brownian motion without drift before the nearest faces
  and the deadline, and rise is 0 in b: boundary values are hard. The mean over a step is Gauss-Hermite's,
  weighted by likelihoods around the step that the slope of ln q steers; the lag shrinks towards the sets, so
  that no node lies within one.

  Values travel by one lag in a round of targets. Where the drift is stiff a step must be short, and a
  deadline is thousands of steps away. So with a deadline a lag has many steps, which the network of the last
  round leads: the weight of the steps times q behind them has the mean q, whoever leads, and is 0 where b is
  missed. The loss exp(r) - r, r being the logarithm of that product less ln q, is least at this mean. Rounds
  go back in time from the deadline, so that what is behind a lag has been learned before.
*/
#include "learner.h"

#include <math.h>

#define PATHS 64  /* by which a field is judged */
#define FAR   2.0 /* logarithm of a weight above ln q, from where the loss grows at an even pace */

static void draw(void *context, int64_t step, int64_t *rows)
{
  fare_learner *l      = context;
  const size_t  n      = (size_t)l->keys->net.batch;
  fare_random   random = {.stream = l->stream, .sequence = (uint64_t)l->round << 40 | (uint64_t)step};

  for (size_t i = 0; i < n; i++) {
    fare_place at;

    if (!l->timed && l->keys->train_on == FARE_LEARN_UNIFORMLY)
      fare_learner_draw_uniform(l, &random, &at.t, at.x);
    else
      at = *fare_learner_draw_place(l, &random);
    l->t[i] = at.t;
    for (int axis = 0; axis < l->dim; axis++) l->x[axis][i] = at.x[axis];
    if (l->timed) l->target[i] = at.log_weight;
  }
  if (!l->timed) fare_learner_find_targets(l, n);
  *rows = (int64_t)n;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  const fare_learner *l = context;

  for (int row = 0; row < n; row++) {
    double x[FARE_DIM_MAX];

    for (int axis = 0; axis < l->dim; axis++) x[axis] = l->x[axis][first + row];
    fare_learner_input(l, l->t[first + row], x, row, input);
  }
}

/* exp(r) - r - 1, which grows at an even pace from FAR on, and its slope; of a path that misses b r is -inf.
 */
static double loss_of_weight(double r, double *slope)
{
  const double by = exp(PetscMin(r, FAR));

  *slope = by - 1;
  return by - 1 - PetscMax(r, -20) + (r > FAR ? by * (r - FAR) : 0);
}

/* Huber's loss: far targets are followed at an even pace. */
static double loss_of_mean(double r, double *slope)
{
  *slope = 2 * PetscMax(-1, PetscMin(1, r));
  return fabs(r) < 1 ? r * r : 2 * fabs(r) - 1;
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  const fare_learner *l   = context;
  double              sum = 0;

  for (int row = 0; row < n; row++) {
    double x[FARE_DIM_MAX], rise, base, r, slope;

    for (int axis = 0; axis < l->dim; axis++) x[axis] = l->x[axis][first + row];
    base = fare_learner_base(l, l->t[first + row], x, &rise);
    r    = base > FARE_LEARNER_LEAST ? l->target[first + row] - base - rise * output[row] : 0;
    sum += l->timed ? loss_of_weight(r, &slope) : loss_of_mean(r, &slope);
    d_output[row] = (float)(-slope * rise);
  }
  return sum;
}

static PetscErrorCode learn(fare_learner *l)
{
  const fare_learn_problem problem = {
    .what = "committor", .context = l, .draw = draw, .inputs = inputs, .loss = loss};
  int64_t evaluations = 0;

  PetscFunctionBegin;
  for (l->round = 0; l->round < (int)l->keys->rounds; l->round++) {
    fare_curve     curve = {0};
    PetscErrorCode code;

    PetscCall(fare_learner_find_places(l));
    code = fare_learn_train(PETSC_COMM_SELF, l->network, &l->keys->net, &problem, &curve, &evaluations);
    PetscCall(fare_curve_free(&curve));
    PetscCall(code);
  }
  PetscFunctionReturn(0);
}

/* How far the learned field is from the exact one. */
typedef struct {
  const fare_rare_context    *c;
  const fare_committor_field *learned, *exact;
  double                      sum, count;
} judge;

static void compare(void *to, size_t i, const fare_path *path)
{
  judge        *j                = to;
  const double *at[FARE_DIM_MAX] = {path->x, path->x + 1, path->x + 2}, t = fare_rare_time(j->c, path->step);
  double        learned, exact;

  (void)i;

  fare_committor_field_at(j->learned, 1, &t, at, &learned, NULL);
  fare_committor_field_at(j->exact, 1, &t, at, &exact, NULL);
  j->sum += PetscSqr(exp(learned) - exp(exact));
  j->count++;
}

static PetscErrorCode judge_field(
  const fare_learner *l, const fare_committor_field *field, fare_learned_judgement *judgement)
{
  const fare_committor_options options          = {0};
  const double                *at[FARE_DIM_MAX] = {l->event->start, l->event->start + 1, l->event->start + 2};
  fare_rare_context            watched          = *l->c;
  fare_committor_field        *exact;
  judge                        j = {l->c, field, NULL, 0, 0};
  fare_path                    path[PATHS];
  double                       learned, known;
  PetscErrorCode               code;

  PetscFunctionBegin;
  PetscCall(fare_committor_field_create(l->c->comm, l->c->grid, l->c->system, l->event, &options, &exact));
  j.exact         = exact;
  watched.watch   = compare;
  watched.watcher = &j;
  for (uint32_t i = 0; i < PATHS; i++) path[i] = fare_path_begin(l->c, i);
  code = fare_learner_lead(&watched, exact, fare_rare_stream(l->c, 0, "judge"), PATHS, path);
  fare_committor_field_at(field, 1, &l->event->time, at, &learned, NULL);
  fare_committor_field_at(exact, 1, &l->event->time, at, &known, NULL);
  *judgement = (fare_learned_judgement){sqrt(j.sum / j.count), learned - known};
  PetscCall(fare_committor_field_destroy(&exact));
  PetscFunctionReturn(code);
}

static PetscErrorCode begin(fare_learner *l)
{
  const size_t  n                = (size_t)l->keys->net.batch;
  const double *at[FARE_DIM_MAX] = {l->event->start, l->event->start + 1, l->event->start + 2};
  double        D[FARE_DIM_MAX], *Ds[FARE_DIM_MAX] = {&D[0], &D[1], &D[2]}, away[FARE_DIM_MAX];

  PetscFunctionBegin;
  fare_system_diffusion(l->c->system, l->event->time, 1, at, Ds);
  for (int axis = 0; axis < l->dim; axis++) l->D = PetscMax(l->D, D[axis]);
  l->reach     = 0.25 * fare_rare_distance(l->c->grid, &l->event->b, l->event->start, away);
  l->stream    = fare_rare_stream(l->c, 0, "batches");
  l->reservoir = (fare_random){.stream = fare_rare_stream(l->c, 0, "reservoir")};
  PetscCall(PetscMalloc5(FARE_LEARNER_PLACES, &l->place, n, &l->t, n * FARE_DIM_MAX, &l->target,
    n * FARE_LEARNER_NODES, &l->node_t, n * FARE_LEARNER_NODES, &l->value));
  for (int axis = 0; axis < l->dim; axis++)
    PetscCall(PetscMalloc2(n, &l->x[axis], n * FARE_LEARNER_NODES, &l->node[axis]));
  PetscCall(
    fare_learn_network(&l->keys->net, l->inputs, 1, fare_rare_stream(l->c, 0, "weights"), &l->network));
  PetscFunctionReturn(0);
}

static PetscErrorCode end(fare_learner *l)
{
  PetscFunctionBegin;
  PetscCall(fare_network_destroy(&l->network));
  for (int axis = 0; axis < l->dim; axis++) PetscCall(PetscFree2(l->x[axis], l->node[axis]));
  PetscCall(PetscFree5(l->place, l->t, l->target, l->node_t, l->value));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learned_create(const fare_learned_keys *keys, const fare_rare_context *context, double dt,
  fare_committor_field **field, fare_learned_judgement *judgement)
{
  fare_rare_context own   = *context;
  const PetscBool   timed = context->event->deadline < FARE_NEVER ? PETSC_TRUE : PETSC_FALSE;
  fare_learner      l     = {.c = &own,
             .keys              = keys,
             .event             = context->event,
             .dim               = context->grid->dim,
             .timed             = timed,
             .lag               = keys->lag > 0 ? keys->lag : dt,
             .span              = timed ? context->event->deadline - context->event->time : 1};
  char              name[80];
  PetscErrorCode    code;

  PetscFunctionBegin;
  /* the same for rows of all steps */
  snprintf(name, sizeof name, "learned/%s", context->event->name);
  own.name  = name;
  own.theta = NULL;
  own.steps = timed ? PetscMax(1, (int64_t)ceil(l.span / dt * (1 - 1e-12))) : -1;
  own.dt    = timed ? l.span / (double)own.steps : dt;
  l.led     = PetscMax(1, (int64_t)round((keys->lag > 0 ? keys->lag : l.span) / own.dt));
  l.inputs  = l.dim + (timed ? 2 : 0);
  PetscCall(begin(&l));
  code = learn(&l);
  if (!code) code = fare_learner_tabulate(&l, field);
  if (!code) code = judge_field(&l, *field, judgement);
  PetscCall(end(&l));
  PetscFunctionReturn(code);
}
