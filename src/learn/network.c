/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Dense networks. Activations are kept value by value, rows side by side, so that every layer is one product W
  a of matrices and every elementwise loop runs along rows.
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
  PetscBool          residual;
  size_t             count;
  float             *weights;
  float             *activation; /* of each hidden layer, layers x width x FARE_BLOCK */
  float             *slope;      /* derivative of each hidden activation */
  float             *along;      /* derivative of each hidden layer along a direction of the input */
  float             *bend;       /* and of its slope */
  /* of the loss: by a layer's output and by its argument, then the same for what is along */
  float *d;
  float *bias; /* of the first layer with the shared inputs added */
};

/* Where a layer's weights begin, and its extents. Layer `layers` is the last, linear one. */
typedef struct {
  int    in, out;
  size_t weights, biases;
} layer;

static layer layer_at(const fare_network_shape *s, int i)
{
  const size_t width = (size_t)s->width, first = (size_t)(s->inputs + 1) * width;
  layer        l = {i == 0 ? s->inputs : s->width, i == s->layers ? s->outputs : s->width, 0, 0};

  if (i > 0) l.weights = first + (size_t)(i - 1) * (width + 1) * width;
  l.biases = l.weights + (size_t)l.in * (size_t)l.out;
  return l;
}

static float *at(float *layers, const fare_network *network, int i)
{
  return layers + (size_t)i * (size_t)network->shape.width * FARE_BLOCK;
}

PetscErrorCode fare_network_create(
  const fare_network_shape *shape, fare_stream stream, fare_network **network)
{
  const size_t  values = (size_t)shape->width * FARE_BLOCK, hidden = (size_t)shape->layers * values;
  fare_random   random = {.stream = stream};
  const layer   last   = layer_at(shape, shape->layers);
  fare_network *n;

  PetscFunctionBegin;
  PetscCall(PetscNew(&n));
  *network = n;
  n->shape = *shape;
  n->count = last.biases + (size_t)last.out;
  {
    float **const arrays[] = {&n->weights, &n->activation, &n->slope, &n->along, &n->bend, &n->d, &n->bias};
    const size_t  sizes[]  = {n->count, hidden, hidden, hidden, hidden, 4 * values, (size_t)shape->width};

    /* not touched, so that what a method never uses costs no memory */
    for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(arrays); i++) {
      *arrays[i] = aligned_alloc(ALIGNMENT, (sizes[i] * sizeof(float) / ALIGNMENT + 1) * ALIGNMENT);
      if (!*arrays[i]) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a network");
    }
  }
  memset(n->weights, 0, n->count * sizeof(float));
  for (int i = 0; i < shape->layers; i++) {
    const layer l = layer_at(shape, i);

    for (size_t k = l.weights; k < l.biases; k++)
      n->weights[k] = (float)(sqrt(2. / l.in) * fare_random_normal(&random));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_learn_network(
  const fare_learn_options *options, int inputs, int outputs, fare_stream stream, fare_network **network)
{
  const fare_network_shape shape = {inputs, (int)options->width, (int)options->layers, outputs};

  PetscFunctionBegin;
  PetscCall(fare_network_create(&shape, stream, network));
  fare_network_set_residual(*network, options->residual);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_network_destroy(fare_network **network)
{
  fare_network *n = *network;

  PetscFunctionBegin;
  if (!n) PetscFunctionReturn(0);
  free(n->weights);
  free(n->activation);
  free(n->slope);
  free(n->along);
  free(n->bend);
  free(n->d);
  free(n->bias);
  PetscCall(PetscFree(*network));
  PetscFunctionReturn(0);
}

void fare_network_set_residual(fare_network *network, PetscBool residual)
{
  network->residual = residual;
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

/* Whether a layer adds its input to its output. */
static PetscBool is_residual(const fare_network *n, int i)
{
  return n->residual && i > 0 && i < n->shape.layers ? PETSC_TRUE : PETSC_FALSE;
}

/* to = W from, of a layer's first `in` inputs. */
static void product(const fare_network *n, layer l, int in, int rows, const float from[], float to[])
{
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, l.out, rows, in, 1, n->weights + l.weights, l.in,
    from, FARE_BLOCK, 0, to, FARE_BLOCK);
}

/* The layers in turn; `slopes`: kept for a pass back. */
static void pass(fare_network *network, int rows, const float input[], int shared, const float common[],
  PetscBool slopes, float output[])
{
  const int    own  = network->shape.inputs - shared;
  const float *from = input;

  for (int i = 0; i <= network->shape.layers; i++) {
    const layer  l    = layer_at(&network->shape, i);
    const float *bias = network->weights + l.biases, *skip = is_residual(network, i) ? from : NULL;
    float       *to = i == network->shape.layers ? output : at(network->activation, network, i);

    if (i == 0 && shared) {
      memcpy(network->bias, bias, (size_t)l.out * sizeof(float));
      cblas_sgemv(CblasRowMajor, CblasNoTrans, l.out, shared, 1, network->weights + l.weights + own, l.in,
        common, 1, 1, network->bias, 1);
      bias = network->bias;
    }
    product(network, l, i == 0 ? own : l.in, rows, from, to);
    if (i == network->shape.layers)
      fare_add_bias(l.out, rows, bias, to);
    else if (slopes)
      fare_silu_slope(l.out, rows, bias, skip, to, at(network->slope, network, i));
    else
      fare_silu(l.out, rows, bias, skip, to);
    from = to;
  }
}

void fare_network_evaluate(
  fare_network *network, int rows, const float input[], int shared, const float common[], float output[])
{
  pass(network, rows, input, shared, common, PETSC_FALSE, output);
}

void fare_network_forward(fare_network *network, int rows, const float input[], float output[])
{
  pass(network, rows, input, 0, NULL, PETSC_TRUE, output);
}

void fare_network_tangent(fare_network *network, int rows, const float input[], const float direction[],
  float output[], float d_output_along[])
{
  const float *from = input, *from_along = direction;

  for (int i = 0; i <= network->shape.layers; i++) {
    const layer  l    = layer_at(&network->shape, i);
    const float *bias = network->weights + l.biases;
    const int    last = i == network->shape.layers, residual = is_residual(network, i);
    float       *to = last ? output : at(network->activation, network, i),
          *to_along = last ? d_output_along : at(network->along, network, i);

    product(network, l, l.in, rows, from, to);
    product(network, l, l.in, rows, from_along, to_along);
    if (last)
      fare_add_bias(l.out, rows, bias, to);
    else
      fare_silu_along(l.out, rows, bias, residual ? from : NULL, residual ? from_along : NULL, to, to_along,
        at(network->slope, network, i), at(network->bend, network, i));
    from       = to;
    from_along = to_along;
  }
}

/* gradient of W += d a^T */
static void gradient_of_weights(layer l, int rows, const float d[], const float from[], float gradient[])
{
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, l.out, l.in, rows, 1, d, FARE_BLOCK, from, FARE_BLOCK,
    1, gradient + l.weights, l.in);
}

/*
  Derivative by a layer's input: W^T d, in a residual block besides what `to` holds, the derivative by its
  output.
*/
static void product_back(const fare_network *n, int i, int rows, const float d[], float to[])
{
  const layer l = layer_at(&n->shape, i);

  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, l.in, rows, l.out, 1, n->weights + l.weights, l.in, d,
    FARE_BLOCK, is_residual(n, i), to, FARE_BLOCK);
}

void fare_network_backward(fare_network *network, int rows, const float input[], const float d_output[],
  float gradient[], float d_input[])
{
  float       *d_layer = at(network->d, network, 0), *d_argument = at(network->d, network, 1);
  const float *d = d_output;

  for (int i = network->shape.layers; i >= 0; i--) {
    const layer l  = layer_at(&network->shape, i);
    float      *to = i ? d_layer : d_input;

    if (gradient) {
      gradient_of_weights(l, rows, d, i ? at(network->activation, network, i - 1) : input, gradient);
      fare_sum_rows(l.out, rows, d, gradient + l.biases);
    }
    if (to) product_back(network, i, rows, d, to);
    if (i) fare_multiply(l.in, rows, at(network->slope, network, i - 1), d_layer, d_argument);
    d = d_argument;
  }
}

void fare_network_tangent_backward(fare_network *network, int rows, const float input[],
  const float direction[], const float d_output[], const float d_along[], float gradient[], float d_input[])
{
  float *d_layer = at(network->d, network, 0), *d_argument = at(network->d, network, 1),
        *e_layer = at(network->d, network, 2), *e_argument = at(network->d, network, 3);
  const float *d = d_output, *e = d_along;

  for (int i = network->shape.layers; i >= 0; i--) {
    const layer l = layer_at(&network->shape, i);

    if (gradient) {
      gradient_of_weights(l, rows, d, i ? at(network->activation, network, i - 1) : input, gradient);
      gradient_of_weights(l, rows, e, i ? at(network->along, network, i - 1) : direction, gradient);
      fare_sum_rows(l.out, rows, d, gradient + l.biases);
    }
    if (i) {
      product_back(network, i, rows, d, d_layer);
      product_back(network, i, rows, e, e_layer);
      fare_multiply_along(l.in, rows, at(network->slope, network, i - 1), at(network->bend, network, i - 1),
        d_layer, e_layer, d_argument, e_argument);
    } else if (d_input) {
      product_back(network, i, rows, d, d_input);
    }
    d = d_argument;
    e = e_argument;
  }
}

/* A network as it is saved. */
typedef struct {
  int64_t   inputs, width, layers, outputs, count;
  PetscBool residual;
  float    *weights;
} saved;

static const fare_kept kept[] = {
  FARE_KEEP(INTEGER, saved, inputs),
  FARE_KEEP(INTEGER, saved, width),
  FARE_KEEP(INTEGER, saved, layers),
  FARE_KEEP(INTEGER, saved, outputs),
  FARE_KEEP(BOOLEAN, saved, residual),
  FARE_KEEP_WITH(SINGLES, saved, weights, .length = offsetof(saved, count)),
  FARE_KEPT_END,
};

static saved saved_of(const fare_network *network)
{
  const fare_network_shape *shape = &network->shape;

  return (saved){shape->inputs, shape->width, shape->layers, shape->outputs, (int64_t)network->count,
    network->residual, network->weights};
}

static PetscErrorCode save(const void *network, fare_store *to, const char *path)
{
  const saved s = saved_of(network);

  PetscFunctionBegin;
  PetscCall(fare_kept_save(kept, &s, 0, to, path));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_shape(const char *path, const saved *found, const saved *expected)
{
  const struct {
    const char *name;
    int64_t     found, expected;
  } extents[] = {{"inputs", found->inputs, expected->inputs}, {"width", found->width, expected->width},
    {"layers", found->layers, expected->layers}, {"outputs", found->outputs, expected->outputs},
    {"weights", found->count, expected->count}};

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(extents); i++) {
    if (extents[i].found != extents[i].expected)
      FARE_FAIL(FARE_ERR_FAILED, "the network in %s has %s %lld, not %lld", path, extents[i].name,
        (long long)extents[i].found, (long long)extents[i].expected);
  }
  if (found->residual != expected->residual)
    FARE_FAIL(FARE_ERR_FAILED, "the network in %s has %sresidual blocks, this one has%s", path,
      found->residual ? "" : "no ", expected->residual ? "" : " none");
  PetscFunctionReturn(0);
}

static PetscErrorCode load(void **object, void *context, fare_store *from, const char *path)
{
  fare_network  *network  = *object;
  const saved    expected = saved_of(network);
  saved          found    = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  (void)context;
  code = fare_kept_load(kept, &found, 0, NULL, from, path);
  if (!code) code = check_shape(path, &found, &expected);
  if (!code) PetscCall(PetscArraycpy(network->weights, found.weights, network->count));
  PetscCall(fare_kept_free(kept, &found));
  PetscFunctionReturn(code);
}

const fare_kept_type fare_network_kept = {save, load};
