/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The training loop: batches in tiles, gradients summed over ranks, Adam, the average of weights, the curve of
  the loss, early stopping.
*/
#include "kernels.h"
#include "state.h"

#include <math.h>

#define PAUSE_STEPS        64 /* between two looks whether to stop */
#define VALIDATION_BATCHES 4  /* the same ones at every point of the curve */

/*
  What a step needs beside the state, allocated once. Gradient and summed loss lie together, so that one sum
  over ranks serves both.
*/
typedef struct {
  MPI_Comm                  comm;
  fare_network             *network;
  const fare_learn_options *options;
  const fare_learn_problem *problem;
  int64_t                  *evaluations;
  fare_learn_state         *state;
  float                    *weights; /* the network's */
  float                    *input, *output, *d_output, *gradient, *aside;
} training_context;

static PetscErrorCode context_begin(training_context *l)
{
  const fare_network_shape *shape   = fare_network_shape_of(l->network);
  const size_t              outputs = (size_t)shape->outputs * FARE_BLOCK;

  PetscFunctionBegin;
  l->weights = fare_network_weights(l->network);
  PetscCall(
    PetscCalloc3((size_t)shape->inputs * FARE_BLOCK, &l->input, outputs, &l->output, outputs, &l->d_output));
  PetscCall(PetscCalloc2(
    fare_network_count(l->network) + 1, &l->gradient, fare_network_count(l->network), &l->aside));
  PetscFunctionReturn(0);
}

static PetscErrorCode context_end(training_context *l)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(l->input, l->output, l->d_output));
  PetscCall(PetscFree2(l->gradient, l->aside));
  PetscFunctionReturn(0);
}

double fare_learn_rate(const fare_learn_options *options, int64_t step)
{
  const double falling = (double)PetscMax(1, options->steps - options->warmup);

  if (step < options->warmup) return options->learning_rate * (double)(step + 1) / (double)options->warmup;
  return options->learning_rate * 0.5 * (1 + cos(PETSC_PI * (double)(step - options->warmup) / falling));
}

/* The sum of losses of all rows of a batch here; adds its gradient unless that is NULL. */
static double batch_loss(training_context *l, int64_t step, float gradient[], int64_t *rows)
{
  const fare_learn_problem *p   = l->problem;
  double                    sum = 0;

  p->draw(p->context, step, rows);
  for (int64_t first = 0; first < *rows; first += FARE_BLOCK) {
    const int n = (int)PetscMin(FARE_BLOCK, *rows - first);

    if (p->gradient) {
      sum += p->gradient(p->context, l->network, first, n, gradient);
      continue;
    }
    p->inputs(p->context, first, n, l->input);
    if (gradient)
      fare_network_forward(l->network, n, l->input, l->output);
    else
      fare_network_evaluate(l->network, n, l->input, 0, NULL, l->output);
    sum += p->loss(p->context, first, n, l->output, l->d_output);
    if (gradient) fare_network_backward(l->network, n, l->input, l->d_output, gradient, NULL);
  }
  /* a penalty, which goes with no row: of trainings that keep more than a network */
  if (p->gradient && p->keep && !*rows) sum += p->gradient(p->context, l->network, 0, 0, gradient);
  *l->evaluations += *rows;
  return sum;
}

/* The mean loss of one batch and its gradient: the same on all ranks. */
static PetscErrorCode gradient_of(training_context *l, int64_t step, double *loss)
{
  const size_t count = l->state->count;
  const float  share = 1 / (float)l->options->batch;
  int64_t      rows;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(l->gradient, count));
  l->gradient[count] = (float)batch_loss(l, step, l->gradient, &rows);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, l->gradient, (int)count + 1, MPI_FLOAT, MPI_SUM, l->comm));
  for (size_t i = 0; i <= count; i++) l->gradient[i] *= share;
  *loss = l->gradient[count];
  PetscFunctionReturn(0);
}

/* The mean loss of held-out rows by the averaged weights. */
static PetscErrorCode validation_of(training_context *l, double *loss)
{
  const size_t count  = l->state->count;
  double       sum[2] = {0, 0};

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(l->aside, l->weights, count));
  PetscCall(PetscArraycpy(l->weights, l->state->mean, count));
  for (int64_t k = 0; k < VALIDATION_BATCHES; k++) {
    int64_t rows;

    sum[0] += batch_loss(l, FARE_LEARN_HELD_OUT + k, NULL, &rows);
    sum[1] += (double)rows;
  }
  PetscCall(PetscArraycpy(l->weights, l->aside, count));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, l->comm));
  if (sum[1] == 0) FARE_FAIL(FARE_ERR_FAILED, "%s: no particles are held out", l->problem->what);
  *loss = sum[0] / sum[1];
  PetscFunctionReturn(0);
}

/*
  Whether a point of the curve ends with this step: CURVE_POINTS of them, evenly, the last at the last step.
*/
static int ends_point(int64_t step, int64_t steps)
{
  return (step + 1) * CURVE_POINTS / steps > step * CURVE_POINTS / steps;
}

/* Adds a point to the curve. *over where held-out rows have not gained for too long. */
static PetscErrorCode add_point(training_context *l, fare_progress *progress, PetscBool *over)
{
  fare_learn_state *s    = l->state;
  const size_t      i    = s->curve.count;
  const double      loss = s->sum / (double)s->summed;
  char              note[96];

  PetscFunctionBegin;
  s->curve.step[i] = s->step;
  s->curve.loss[i] = loss;
  snprintf(note, sizeof note, "loss %.5f", loss);
  if (s->curve.validation) {
    PetscCall(validation_of(l, &s->curve.validation[i]));
    s->since++;
    if (s->curve.validation[i] < s->least) {
      s->least = s->curve.validation[i];
      s->since = 0;
      PetscCall(PetscArraycpy(s->best, s->mean, s->count));
    }
    *over = l->options->patience > 0 && s->since >= l->options->patience ? PETSC_TRUE : PETSC_FALSE;
    snprintf(note, sizeof note, "loss %.5f, held out %.5f", loss, s->curve.validation[i]);
  }
  s->curve.count++;
  s->sum    = 0;
  s->summed = 0;
  fare_progress_update(progress, (double)s->step, note);
  PetscFunctionReturn(0);
}

static PetscErrorCode pause_of(training_context *l)
{
  const fare_learn_session *session = l->problem->session;
  PetscBool                 stop    = PETSC_FALSE;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(l->state->weights, l->weights, l->state->count));
  if (l->problem->kept) {
    PetscCall(fare_learn_state_keep(l->state, l->problem->kept));
    l->problem->keep(l->problem->context, l->state->numbers);
    PetscCallMPI(
      MPI_Allreduce(MPI_IN_PLACE, l->state->numbers, (int)l->problem->kept, MPI_DOUBLE, MPI_SUM, l->comm));
  }
  PetscCall(session->pause(session->context, l->state->step, &stop));
  if (stop)
    FARE_FAIL(FARE_ERR_STOPPED, "%s: stopped before step %lld of %lld", l->problem->what,
      (long long)l->state->step, (long long)l->state->steps);
  PetscFunctionReturn(0);
}

static PetscErrorCode steps_of(training_context *l, fare_progress *progress)
{
  fare_learn_state *s     = l->state;
  const int64_t     began = s->step;
  PetscBool         over  = PETSC_FALSE;

  PetscFunctionBegin;
  while (s->step < s->steps && !over) {
    const double rate  = fare_learn_rate(l->options, s->step),
                 decay = PetscMin(l->options->ema, (1 + (double)s->step) / (10 + (double)s->step));
    double loss        = 0;

    if (l->problem->session && l->problem->session->pause && s->step > began && s->step % PAUSE_STEPS == 0)
      PetscCall(pause_of(l));
    PetscCall(gradient_of(l, s->step, &loss));
    if (!isfinite(loss))
      FARE_FAIL(FARE_ERR_FAILED,
        "%s: the loss is not finite at step %lld of %lld (learning rate %g); try a smaller learning_rate",
        l->problem->what, (long long)s->step, (long long)s->steps, rate);
    fare_adam_step(rate, s->step + 1, s->count, l->gradient, s->m, s->v, l->weights);
    fare_average_step(decay, s->count, l->weights, s->mean);
    s->sum += loss;
    s->summed++;
    s->step++;
    if (ends_point(s->step - 1, s->steps)) PetscCall(add_point(l, progress, &over));
  }
  if (over)
    fare_log(
      "%s: ended at step %lld of %lld, with no gain on held-out particles over %lld points of the curve",
      l->problem->what, (long long)s->step, (long long)s->steps, (long long)s->since);
  PetscFunctionReturn(0);
}

/* Leaves in the network what is sampled with. */
static PetscErrorCode finish(training_context *l)
{
  const fare_learn_state *s   = l->state;
  float                   bad = 0;

  PetscFunctionBegin;
  PetscCall(
    PetscArraycpy(l->weights, l->options->patience > 0 && s->least < HUGE_VAL ? s->best : s->mean, s->count));
  for (size_t i = 0; i < s->count; i++) bad += l->weights[i] * 0; /* 0, or NaN once one is not finite */
  if (bad != 0)
    FARE_FAIL(FARE_ERR_FAILED,
      "%s: the weights are not finite after the last step %lld (learning rate %g); try a smaller "
      "learning_rate",
      l->problem->what, (long long)s->step, l->options->learning_rate);
  PetscFunctionReturn(0);
}

/* Goes on from the session's state, or begins. */
static PetscErrorCode state_of(training_context *l)
{
  fare_learn_session *session   = l->problem->session;
  const PetscBool     validated = l->options->validation_fraction > 0 ? PETSC_TRUE : PETSC_FALSE;
  const size_t        count     = fare_network_count(l->network);

  PetscFunctionBegin;
  if (session && session->state) {
    l->state = session->state;
    if (l->state->count != count || l->state->steps != l->options->steps ||
      (l->state->curve.validation != NULL) != validated || l->state->kept != l->problem->kept)
      FARE_FAIL(FARE_ERR_FAILED, "%s: the saved state belongs to another training", l->problem->what);
    PetscCall(PetscArraycpy(l->weights, l->state->weights, count));
    if (l->problem->kept) l->problem->recall(l->problem->context, l->state->numbers);
    fare_log("%s: resumes at step %lld of %lld", l->problem->what, (long long)l->state->step,
      (long long)l->state->steps);
    PetscFunctionReturn(0);
  }
  PetscCall(fare_learn_state_create(count, l->weights, l->options->steps, validated, &l->state));
  if (session) session->state = l->state;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_train(MPI_Comm comm, fare_network *network, const fare_learn_options *options,
  const fare_learn_problem *problem, fare_curve *curve, int64_t *evaluations)
{
  training_context l = {
    .comm = comm, .network = network, .options = options, .problem = problem, .evaluations = evaluations};
  fare_progress  progress;
  PetscErrorCode code;

  PetscFunctionBegin;
  fare_learn_check_blas();
  PetscCall(context_begin(&l));
  code = state_of(&l);
  if (!code) {
    fare_progress_begin(&progress, problem->what, (double)options->steps);
    code = steps_of(&l, &progress);
    fare_progress_end(&progress);
    if (!code) code = finish(&l);
    PetscCall(fare_curve_copy(&l.state->curve, curve));
    if (code != FARE_ERR_STOPPED) {
      PetscCall(fare_learn_state_destroy(&l.state));
      if (problem->session) problem->session->state = NULL;
    }
  }
  PetscCall(context_end(&l));
  PetscFunctionReturn(code);
}
