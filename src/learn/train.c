/* The training loop: batches in tiles, gradients summed over ranks, Adam, the average of weights, the curve of the loss. */
#include "kernels.h"

#include <fare/learn.h>
#include <math.h>
#include <stdlib.h>

#define CURVE_POINTS 200

/* All that a step needs, allocated once. Gradient and summed loss lie together, so that one sum over ranks serves both. */
typedef struct {
  size_t count;
  float *input, *output, *d_output;
  float *gradient, *m, *v, *mean;
} workspace;

static PetscErrorCode workspace_create(const fare_network_shape *shape, size_t count, const float weights[], workspace *w)
{
  const size_t outputs = (size_t)shape->outputs * FARE_BLOCK;

  PetscFunctionBeginUser;
  w->count = count;
  PetscCall(PetscCalloc3((size_t)shape->inputs * FARE_BLOCK, &w->input, outputs, &w->output, outputs, &w->d_output));
  PetscCall(PetscCalloc4(count + 1, &w->gradient, count, &w->m, count, &w->v, count, &w->mean));
  PetscCall(PetscArraycpy(w->mean, weights, count));
  PetscFunctionReturn(0);
}

static PetscErrorCode workspace_destroy(workspace *w)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree3(w->input, w->output, w->d_output));
  PetscCall(PetscFree4(w->gradient, w->m, w->v, w->mean));
  PetscFunctionReturn(0);
}

double fare_learn_rate(const fare_learn_options *options, int64_t step)
{
  const double falling = (double)PetscMax(1, options->steps - options->warmup);

  if (step < options->warmup) return options->learning_rate * (double)(step + 1) / (double)options->warmup;
  return options->learning_rate * 0.5 * (1 + cos(PETSC_PI * (double)(step - options->warmup) / falling));
}

/* The mean loss of one batch and, in the workspace, its gradient: the same on all ranks. */
static PetscErrorCode gradient_of(MPI_Comm comm, fare_network *network, const fare_learn_options *options, const fare_learn_problem *problem, int64_t step, workspace *w, double *loss, int64_t *evaluations)
{
  const float share = 1 / (float)options->batch;
  double      sum   = 0;
  int64_t     rows;

  PetscFunctionBeginUser;
  PetscCall(PetscArrayzero(w->gradient, w->count));
  problem->draw(problem->context, step, &rows);
  for (int64_t first = 0; first < rows; first += FARE_BLOCK) {
    const int n = (int)PetscMin(FARE_BLOCK, rows - first);

    problem->inputs(problem->context, first, n, w->input);
    fare_network_forward(network, n, w->input, w->output);
    sum += problem->loss(problem->context, first, n, w->output, w->d_output);
    fare_network_backward(network, n, w->input, w->d_output, w->gradient, NULL);
  }
  *evaluations += rows;
  w->gradient[w->count] = (float)sum;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, w->gradient, (int)w->count + 1, MPI_FLOAT, MPI_SUM, comm));
  for (size_t i = 0; i <= w->count; i++) w->gradient[i] *= share;
  *loss = w->gradient[w->count];
  PetscFunctionReturn(0);
}

static PetscErrorCode curve_begin(fare_curve *curve)
{
  PetscFunctionBeginUser;
  PetscCall(fare_curve_free(curve));
  curve->step = calloc(CURVE_POINTS, sizeof *curve->step);
  curve->loss = calloc(CURVE_POINTS, sizeof *curve->loss);
  if (!curve->step || !curve->loss) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

/* Whether a point of the curve ends with this step: CURVE_POINTS of them, evenly, the last at the last step. */
static int ends_point(int64_t step, int64_t steps)
{
  return (step + 1) * CURVE_POINTS / steps > step * CURVE_POINTS / steps;
}

PetscErrorCode fare_learn_train(MPI_Comm comm, fare_network *network, const fare_learn_options *options, const fare_learn_problem *problem, fare_curve *curve, int64_t *evaluations)
{
  float        *weights = fare_network_weights(network), bad = 0;
  double        sum     = 0;
  int64_t       summed  = 0;
  workspace     w;
  fare_progress progress;

  PetscFunctionBeginUser;
  PetscCall(workspace_create(fare_network_shape_of(network), fare_network_count(network), weights, &w));
  PetscCall(curve_begin(curve));
  fare_progress_begin(&progress, problem->what, (double)options->steps);
  for (int64_t step = 0; step < options->steps; step++) {
    const double rate = fare_learn_rate(options, step), decay = PetscMin(options->ema, (1 + (double)step) / (10 + (double)step));
    double       loss  = 0;
    char         note[64];

    PetscCall(gradient_of(comm, network, options, problem, step, &w, &loss, evaluations));
    if (!isfinite(loss)) {
      PetscCall(workspace_destroy(&w));
      FARE_FAIL(FARE_ERR_FAILED, "%s: the loss is not finite at step %lld of %lld (learning rate %g); try a smaller learning_rate", problem->what, (long long)step, (long long)options->steps, rate);
    }
    fare_adam_step(&fare_adam_usual, rate, step + 1, w.count, w.gradient, w.m, w.v, weights);
    fare_average_step(decay, w.count, weights, w.mean);
    sum += loss;
    summed++;
    if (!ends_point(step, options->steps)) continue;
    curve->step[curve->count]   = step + 1;
    curve->loss[curve->count++] = sum / (double)summed;
    snprintf(note, sizeof note, "loss %.5f", sum / (double)summed);
    fare_progress_update(&progress, (double)(step + 1), note);
    sum    = 0;
    summed = 0;
  }
  fare_progress_end(&progress);
  PetscCall(PetscArraycpy(weights, w.mean, w.count));
  PetscCall(workspace_destroy(&w));
  for (size_t i = 0; i < fare_network_count(network); i++) bad += weights[i] * 0; /* 0, or NaN once one is not finite */
  if (bad != 0) FARE_FAIL(FARE_ERR_FAILED, "%s: the weights are not finite after the last step %lld (learning rate %g); try a smaller learning_rate", problem->what, (long long)options->steps, options->learning_rate);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_free(fare_curve *curve)
{
  PetscFunctionBeginUser;
  free(curve->step);
  free(curve->loss);
  curve->step  = NULL;
  curve->loss  = NULL;
  curve->count = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_save(const fare_curve *curve, MPI_Comm comm, fare_store *to, const char *group)
{
  const uint64_t global = curve->count, start = 0;
  uint64_t       count;
  char           path[512];
  int            rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  count = rank ? 0 : global;
  snprintf(path, sizeof path, "%s/step", group);
  PetscCall(fare_store_write(to, path, FARE_STORE_INT64, 1, &global, &start, &count, curve->step));
  snprintf(path, sizeof path, "%s/loss", group);
  PetscCall(fare_store_write(to, path, FARE_STORE_FLOAT64, 1, &global, &start, &count, curve->loss));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_load(fare_curve *curve, fare_store *from, const char *group)
{
  const uint64_t start = 0;
  uint64_t       global[4];
  char           path[512];
  int            rank;

  PetscFunctionBeginUser;
  PetscCall(curve_begin(curve));
  snprintf(path, sizeof path, "%s/step", group);
  PetscCall(fare_store_extents(from, path, &rank, global));
  if (rank != 1 || global[0] > CURVE_POINTS) FARE_FAIL(FARE_ERR_FAILED, "%s is not a curve of at most %d points", group, CURVE_POINTS);
  PetscCall(fare_store_read(from, path, FARE_STORE_INT64, 1, &start, global, curve->step));
  snprintf(path, sizeof path, "%s/loss", group);
  PetscCall(fare_store_read(from, path, FARE_STORE_FLOAT64, 1, &start, global, curve->loss));
  curve->count = global[0];
  PetscFunctionReturn(0);
}
