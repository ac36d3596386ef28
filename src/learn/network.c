/*
  Dense networks. Activations are kept value by value, rows side by side, so that every layer is one product W a of matrices and every
  elementwise loop runs along rows.
*/
#include "kernels.h"

#include <cblas.h>
#include <fare/learn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

struct fare_network {
  fare_network_shape shape;
  size_t             count;
  float             *weights;
  float             *activation; /* of each hidden layer, layers x width x FARE_BLOCK */
  float             *slope;      /* derivative of each hidden activation */
  float             *d;          /* two layers of derivatives of the loss */
  float             *bias;       /* of the first layer with the shared inputs added */
};

/* Where a layer's weights begin, and its extents. Layer `layers` is the last, linear one. */
typedef struct {
  int    in, out;
  size_t weights, biases;
} layer;

static layer layer_at(const fare_network_shape *s, int i)
{
  const size_t width = (size_t)s->width, first = (size_t)(s->inputs + 1) * width;
  layer        l     = {i == 0 ? s->inputs : s->width, i == s->layers ? s->outputs : s->width, 0, 0};

  if (i > 0) l.weights = first + (size_t)(i - 1) * (width + 1) * width;
  l.biases = l.weights + (size_t)l.in * (size_t)l.out;
  return l;
}

static float *at(float *layers, const fare_network *network, int i)
{
  return layers + (size_t)i * (size_t)network->shape.width * FARE_BLOCK;
}

static PetscErrorCode allocate(size_t n, float **array)
{
  const size_t bytes = (n * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

  PetscFunctionBeginUser;
  *array = aligned_alloc(ALIGNMENT, PetscMax(bytes, ALIGNMENT));
  if (!*array) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a network");
  memset(*array, 0, bytes);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_network_create(const fare_network_shape *shape, fare_stream stream, fare_network **network)
{
  const size_t  values = (size_t)shape->width * FARE_BLOCK;
  fare_random   random = {.stream = stream};
  layer         last   = layer_at(shape, shape->layers);
  fare_network *n;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&n));
  *network = n;
  n->shape = *shape;
  n->count = last.biases + (size_t)last.out;
  PetscCall(allocate(n->count, &n->weights));
  PetscCall(allocate((size_t)shape->layers * values, &n->activation));
  PetscCall(allocate((size_t)shape->layers * values, &n->slope));
  PetscCall(allocate(2 * values, &n->d));
  PetscCall(allocate((size_t)shape->width, &n->bias));
  for (int i = 0; i < shape->layers; i++) {
    const layer l = layer_at(shape, i);

    for (size_t k = l.weights; k < l.biases; k++) n->weights[k] = (float)(sqrt(2. / l.in) * fare_random_normal(&random));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_network_destroy(fare_network **network)
{
  fare_network *n = *network;

  PetscFunctionBeginUser;
  if (!n) PetscFunctionReturn(0);
  free(n->weights);
  free(n->activation);
  free(n->slope);
  free(n->d);
  free(n->bias);
  PetscCall(PetscFree(*network));
  PetscFunctionReturn(0);
}

const fare_network_shape *fare_network_shape_of(const fare_network *network)
{
  return &network->shape;
}

size_t fare_network_count(const fare_network *network)
{
  return network->count;
}

float *fare_network_weights(fare_network *network)
{
  return network->weights;
}

/* to = W from, of a layer's first `in` inputs. */
static void product(const fare_network *n, layer l, int in, int rows, const float from[], float to[])
{
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, l.out, rows, in, 1, n->weights + l.weights, l.in, from, FARE_BLOCK, 0, to, FARE_BLOCK);
}

void fare_network_evaluate(fare_network *network, int rows, const float input[], int shared, const float common[], float output[])
{
  const int    own  = network->shape.inputs - shared;
  const float *from = input;

  for (int i = 0; i <= network->shape.layers; i++) {
    const layer  l    = layer_at(&network->shape, i);
    const float *bias = network->weights + l.biases;
    float       *to   = i == network->shape.layers ? output : at(network->activation, network, i);

    if (i == 0 && shared) {
      memcpy(network->bias, bias, (size_t)l.out * sizeof(float));
      cblas_sgemv(CblasRowMajor, CblasNoTrans, l.out, shared, 1, network->weights + l.weights + own, l.in, common, 1, 1, network->bias, 1);
      bias = network->bias;
    }
    product(network, l, i == 0 ? own : l.in, rows, from, to);
    if (i < network->shape.layers) fare_silu(l.out, rows, bias, to);
    else fare_add_bias(l.out, rows, bias, to);
    from = to;
  }
}

void fare_network_forward(fare_network *network, int rows, const float input[], float output[])
{
  const float *from = input;

  for (int i = 0; i <= network->shape.layers; i++) {
    const layer  l    = layer_at(&network->shape, i);
    const float *bias = network->weights + l.biases;
    float       *to   = i == network->shape.layers ? output : at(network->activation, network, i);

    product(network, l, l.in, rows, from, to);
    if (i < network->shape.layers) fare_silu_slope(l.out, rows, bias, to, at(network->slope, network, i));
    else fare_add_bias(l.out, rows, bias, to);
    from = to;
  }
}

/* gradient of W += d a^T, of the bias += sum of d; derivative by the layer's input: W^T d. */
void fare_network_backward(fare_network *network, int rows, const float input[], const float d_output[], float gradient[], float d_input[])
{
  const float *d = d_output;

  for (int i = network->shape.layers; i >= 0; i--) {
    const layer  l    = layer_at(&network->shape, i);
    const float *from = i ? at(network->activation, network, i - 1) : input;
    float       *to   = i ? at(network->d, network, i % 2) : d_input;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, l.out, l.in, rows, 1, d, FARE_BLOCK, from, FARE_BLOCK, 1, gradient + l.weights, l.in);
    fare_sum_rows(l.out, rows, d, gradient + l.biases);
    if (to) cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, l.in, rows, l.out, 1, network->weights + l.weights, l.in, d, FARE_BLOCK, 0, to, FARE_BLOCK);
    if (i) fare_multiply(l.in, rows, at(network->slope, network, i - 1), to);
    d = to;
  }
}

static const struct {
  const char *name;
  size_t      offset;
} extents[] = {
  {"inputs", offsetof(fare_network_shape, inputs)},
  {"width", offsetof(fare_network_shape, width)},
  {"layers", offsetof(fare_network_shape, layers)},
  {"outputs", offsetof(fare_network_shape, outputs)},
};

static int extent(const fare_network_shape *shape, size_t i)
{
  return *(const int *)((const char *)shape + extents[i].offset);
}

PetscErrorCode fare_network_save(fare_network *network, MPI_Comm comm, fare_store *to, const char *path)
{
  const uint64_t global = network->count, start = 0;
  uint64_t       count;
  int            rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  count = rank ? 0 : global;
  PetscCall(fare_store_write(to, path, FARE_STORE_FLOAT32, 1, &global, &start, &count, network->weights));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(extents); i++) PetscCall(fare_store_put_int(to, path, extents[i].name, extent(&network->shape, i)));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_network_load(fare_network *network, fare_store *from, const char *path)
{
  const uint64_t start = 0, count = network->count;

  PetscFunctionBeginUser;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(extents); i++) {
    int64_t value;

    PetscCall(fare_store_get_int(from, path, extents[i].name, &value));
    if (value != extent(&network->shape, i)) FARE_FAIL(FARE_ERR_FAILED, "the network in %s has %s %lld, not %d", path, extents[i].name, (long long)value, extent(&network->shape, i));
  }
  PetscCall(fare_store_read(from, path, FARE_STORE_FLOAT32, 1, &start, &count, network->weights));
  PetscFunctionReturn(0);
}
