/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Rows per second of CPU time of one core, in training (with Adam, as fare_learn_train does it) and in
  evaluation, for a network whose inputs lie ready: bench_learning INPUTS WIDTH LAYERS OUTPUTS BATCH SECONDS
  prints both. Driven by learning.py, which compares.
*/
#include <fare/fare.h>

#include <sys/resource.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  int    inputs, outputs, batch;
  float *input, *target; /* tile after tile */
} lesson;

static double cpu_seconds(void)
{
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
    1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void draw(void *context, int64_t step, int64_t *rows)
{
  (void)step;
  *rows = ((lesson *)context)->batch;
}

static void inputs(void *context, int64_t first, int n, float input[])
{
  const lesson *l = context;

  (void)n;
  memcpy(input, l->input + (size_t)first * (size_t)l->inputs, (size_t)l->inputs * FARE_BLOCK * sizeof(float));
}

static double loss(void *context, int64_t first, int n, const float output[], float d_output[])
{
  const lesson *l   = context;
  double        sum = 0;

  for (int k = 0; k < l->outputs; k++) {
    const float *target = l->target + (size_t)first * (size_t)l->outputs + (size_t)k * FARE_BLOCK;

    for (int i = 0; i < n; i++) {
      const float off = output[k * FARE_BLOCK + i] - target[i];

      sum += (double)(off * off);
      d_output[k * FARE_BLOCK + i] = 2 * off;
    }
  }
  return sum;
}

static PetscErrorCode measure(const fare_network_shape *shape, int batch, double seconds)
{
  const int          tiles = batch / FARE_BLOCK;
  lesson             l = {.inputs = shape->inputs, .outputs = shape->outputs, .batch = tiles * FARE_BLOCK};
  fare_learn_problem problem = {.what = "bench", .context = &l, .draw = draw, .inputs = inputs, .loss = loss};
  fare_learn_options options = {
    .steps = 20, .batch = l.batch, .warmup = 10, .learning_rate = 1e-3, .ema = 0.999};
  fare_random   random = {.stream = fare_stream_make(1, "bench")};
  const size_t  in = (size_t)l.batch * (size_t)l.inputs, out = (size_t)l.batch * (size_t)l.outputs;
  fare_network *network;
  fare_curve    curve = {0};
  int64_t       rows = 0, evaluations = 0;
  double        began, training, evaluating;
  float        *output;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc3(in, &l.input, out, &l.target, out, &output));
  for (size_t i = 0; i < in; i++) l.input[i] = (float)fare_random_normal(&random);
  for (size_t i = 0; i < out; i++) l.target[i] = (float)fare_random_normal(&random);
  PetscCall(fare_network_create(shape, fare_stream_make(1, "weights"), &network));
  PetscCall(fare_learn_train(PETSC_COMM_SELF, network, &options, &problem, &curve, &rows)); /* warms up */
  rows = 0;
  for (began = cpu_seconds(), training = 0; training < seconds; training = cpu_seconds() - began)
    PetscCall(fare_learn_train(PETSC_COMM_SELF, network, &options, &problem, &curve, &rows));
  for (began = cpu_seconds(), evaluating = 0; evaluating < seconds; evaluating = cpu_seconds() - began) {
    for (int tile = 0; tile < tiles; tile++)
      fare_network_evaluate(network, FARE_BLOCK, l.input + (size_t)tile * (size_t)l.inputs * FARE_BLOCK, 0,
        NULL, output + (size_t)tile * (size_t)l.outputs * FARE_BLOCK);
    evaluations += l.batch;
  }
  printf("%.6g %.6g\n", (double)rows / training, (double)evaluations / evaluating);
  PetscCall(fare_curve_free(&curve));
  PetscCall(fare_network_destroy(&network));
  PetscCall(PetscFree3(l.input, l.target, output));
  PetscFunctionReturn(0);
}

int main(int argc, char **argv)
{
  fare_network_shape shape;

  if (argc != 7) {
    fprintf(stderr, "usage: %s INPUTS WIDTH LAYERS OUTPUTS BATCH SECONDS\n", argv[0]);
    return FARE_EXIT_INPUT;
  }
  if (fare_initialize(1, argv)) return FARE_EXIT_FAILED;
  shape = (fare_network_shape){atoi(argv[1]), atoi(argv[2]), atoi(argv[3]), atoi(argv[4])};
  return fare_finalize(measure(&shape, atoi(argv[5]), atof(argv[6])));
}
