/* SPDX-License-Identifier: BSD-2-Clause */
#include "weighing.h"

#include <math.h>
#include <string.h>

#define HALF 0.5

static const double weights[FARE_WEIGHING_TRIALS] = {0, 0.01, 0.1, 1, 10, 100};

#define KEPT (1 + FARE_WEIGHING_TRIALS) /* numbers, before those of the problem */

static void draw(void *context, int64_t step, int64_t *rows)
{
  fare_weighing *w = context;

  w->step = step;
  w->problem.draw(w->problem.context, step, rows);
}

/* Without the penalty. */
static double gradient_of_loss(fare_weighing *w, fare_network *network, int64_t first, int n, float to[])
{
  const fare_learn_problem *p = &w->problem;
  double                    sum;

  if (p->gradient) return p->gradient(p->context, network, first, n, to);
  p->inputs(p->context, first, n, w->input);
  fare_network_forward(network, n, w->input, w->output);
  sum = p->loss(p->context, first, n, w->output, w->d_output);
  if (to) fare_network_backward(network, n, w->input, w->d_output, to, NULL);
  return sum;
}

/* Rows that are held out are judged without the penalty. */
static double gradient(void *context, fare_network *network, int64_t first, int n, float to[])
{
  fare_weighing           *w    = context;
  const fare_weighing_rows rows = {w->weight, w->step, first, n, network};
  const double             sum  = n ? gradient_of_loss(w, network, first, n, to) : 0;

  return to && w->weight > 0 ? sum + w->penalty(w->problem.context, &rows, to) : sum;
}

static void keep(void *context, double numbers[])
{
  const fare_weighing *w = context;
  int                  rank;

  if (w->problem.keep) w->problem.keep(w->problem.context, numbers + KEPT);
  if (MPI_Comm_rank(w->sampler->comm, &rank) || rank) return;
  numbers[0] = w->trial;
  memcpy(numbers + 1, w->loss, sizeof w->loss);
}

static void recall_trials(fare_weighing *w, const double numbers[])
{
  w->trial = (int)numbers[0];
  memcpy(w->loss, numbers + 1, sizeof w->loss);
}

static void recall(void *context, const double numbers[])
{
  fare_weighing *w = context;

  recall_trials(w, numbers);
  if (w->problem.recall) w->problem.recall(w->problem.context, numbers + KEPT);
}

static int best_of(const double loss[])
{
  int best = 0;

  for (int i = 1; i < FARE_WEIGHING_TRIALS; i++) best = loss[i] < loss[best] ? i : best;
  return best;
}

static void report(const fare_weighing *w)
{
  const int best = best_of(w->loss);
  fare_text text = {0};

  for (int i = 0; i < FARE_WEIGHING_TRIALS; i++)
    fare_text_add(&text, "%s%.5g at %g", i ? ", " : "", w->loss[i], weights[i]);
  fare_log("prior of %s: weight %g, by the loss of the half of the particles that is held out (%s; no error "
           "bars)%s",
    w->sampler->name, weights[best], text.text ? text.text : "",
    best + 1 == FARE_WEIGHING_TRIALS ? "; the largest that is tried" : "");
  fare_text_free(&text);
}

static PetscErrorCode learn(fare_weighing *w, fare_learn_problem *problem, double held_out, double *loss)
{
  fare_generative *g     = w->sampler->state;
  const double     given = g->learn.validation_fraction;
  PetscErrorCode   code;

  PetscFunctionBegin;
  g->learn.validation_fraction = held_out;
  fare_learn_rows_hold_out(w->rows, held_out);
  code                         = fare_generative_learn(w->sampler, problem);
  g->learn.validation_fraction = given;
  if (!code && loss) *loss = g->curve.validation[g->curve.count - 1];
  PetscFunctionReturn(code);
}

/* One weight after the other, each from the same first weights of the network. */
static PetscErrorCode choose(fare_weighing *w, fare_learn_problem *problem)
{
  fare_generative *g     = w->sampler->state;
  const size_t     count = fare_network_count(g->network);
  float           *begun;
  PetscErrorCode   code = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(count, &begun));
  PetscCall(PetscArraycpy(begun, fare_network_weights(g->network), count));
  if (w->sampler->session.state && fare_learn_state_numbers(w->sampler->session.state))
    recall_trials(w, fare_learn_state_numbers(w->sampler->session.state));
  for (; w->trial < FARE_WEIGHING_TRIALS && !code; w->trial++) {
    w->weight = weights[w->trial];
    PetscCall(PetscArraycpy(fare_network_weights(g->network), begun, count));
    code = learn(w, problem, HALF, &w->loss[w->trial]);
    if (code) break;
  }
  if (!code) {
    report(w);
    w->weight = weights[best_of(w->loss)];
    PetscCall(PetscArraycpy(fare_network_weights(g->network), begun, count));
    code = learn(w, problem, g->learn.validation_fraction, NULL);
  }
  PetscCall(PetscFree(begun));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_weighing_train(fare_weighing *w, const fare_learn_problem *problem)
{
  const fare_network_shape *shape =
    fare_network_shape_of(((const fare_generative *)w->sampler->state)->network);
  const size_t       outputs = (size_t)shape->outputs * FARE_BLOCK;
  fare_learn_problem with    = {
       .context = w, .draw = draw, .gradient = gradient, .keep = keep, .recall = recall};
  PetscErrorCode code;

  PetscFunctionBegin;
  w->problem = *problem;
  w->weight  = w->sampler->prior->weight;
  PetscCall(
    PetscMalloc3((size_t)shape->inputs * FARE_BLOCK, &w->input, outputs, &w->output, outputs, &w->d_output));
  with.kept = KEPT + problem->kept;
  code      = isnan(w->weight) ? choose(w, &with) : fare_generative_learn(w->sampler, &with);
  PetscCall(PetscFree3(w->input, w->output, w->d_output));
  PetscFunctionReturn(code);
}
