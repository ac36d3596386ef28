/* SPDX-License-Identifier: BSD-2-Clause */
#include "weighing.h"

#include <math.h>
#include <string.h>

#define HALF 0.5

static const double weights[FARE_WEIGHING_TRIALS] = {0, 0.01, 0.1, 1, 10, 100};

void fare_weighing_keep(const fare_weighing *w, double numbers[])
{
  int rank;

  if (MPI_Comm_rank(w->sampler->comm, &rank) || rank) return;
  numbers[0] = w->trial;
  memcpy(numbers + 1, w->loss, sizeof w->loss);
}

void fare_weighing_recall(fare_weighing *w, const double numbers[])
{
  w->trial = (int)numbers[0];
  memcpy(w->loss, numbers + 1, sizeof w->loss);
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
    fare_weighing_recall(w, fare_learn_state_numbers(w->sampler->session.state));
  for (; w->trial < FARE_WEIGHING_TRIALS && !code; w->trial++) {
    *w->weight = weights[w->trial];
    PetscCall(PetscArraycpy(fare_network_weights(g->network), begun, count));
    code = learn(w, problem, HALF, &w->loss[w->trial]);
    if (code) break;
  }
  if (!code) {
    report(w);
    *w->weight = weights[best_of(w->loss)];
    PetscCall(PetscArraycpy(fare_network_weights(g->network), begun, count));
    code = learn(w, problem, g->learn.validation_fraction, NULL);
  }
  PetscCall(PetscFree(begun));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_weighing_train(fare_weighing *w, fare_learn_problem *problem)
{
  PetscFunctionBegin;
  *w->weight = w->sampler->prior ? w->sampler->prior->weight : 0;
  if (!isnan(*w->weight)) {
    PetscCall(fare_generative_learn(w->sampler, problem));
    PetscFunctionReturn(0);
  }
  problem->kept = 1 + FARE_WEIGHING_TRIALS;
  PetscCall(choose(w, problem));
  PetscFunctionReturn(0);
}
