/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A network under test, and the same function by other means: plain loops in double, complex so that a step
  along the imaginary axis gives derivatives.
*/
#ifndef FARE_NETWORK_SUBJECT_H
#define FARE_NETWORK_SUBJECT_H

#include <complex.h>
#include <fare/learn.h>
#include <stdlib.h>

#define ROWS  37 /* not a whole number of vectors */
#define WIDTH 8  /* at least the inputs and outputs of every shape */

/* Of one row. */
static inline void reference(const fare_network_shape *s, PetscBool residual, const double w[],
  const double complex in[], double complex out[])
{
  double complex a[64], b[64];

  for (int j = 0; j < s->inputs; j++) a[j] = in[j];
  for (int layer = 0; layer <= s->layers; layer++) {
    const int n = layer == 0 ? s->inputs : s->width, m = layer == s->layers ? s->outputs : s->width;

    for (int k = 0; k < m; k++) {
      b[k] = w[m * n + k];
      for (int j = 0; j < n; j++) b[k] += w[k * n + j] * a[j];
      if (layer < s->layers) b[k] = b[k] / (1 + cexp(-b[k]));
      if (residual && layer > 0 && layer < s->layers) b[k] += a[k];
    }
    w += m * n + m;
    for (int k = 0; k < m; k++) a[k] = b[k];
  }
  for (int k = 0; k < s->outputs; k++) out[k] = a[k];
}

/*
  A network with all weights away from zero; inputs, targets and a direction as rows of doubles, the first and
  last also as tiles.
*/
typedef struct {
  fare_network *network;
  PetscBool     residual;
  size_t        count;
  double       *w, in[ROWS][WIDTH], target[ROWS][WIDTH], way[ROWS][WIDTH];
  float         input[WIDTH * FARE_BLOCK], direction[WIDTH * FARE_BLOCK];
} subject;

static inline void subject_begin(const fare_network_shape *shape, PetscBool residual, subject *s)
{
  fare_random random = {.stream = fare_stream_make(4, "subject")};

  assert_ok(fare_network_create(shape, fare_stream_make(4, "weights"), &s->network));
  fare_network_set_residual(s->network, residual);
  s->residual = residual;
  s->count    = fare_network_count(s->network);
  s->w        = calloc(s->count, sizeof *s->w);
  for (size_t i = 0; i < s->count; i++)
    s->w[i] = fare_network_weights(s->network)[i] = (float)(0.5 * fare_random_normal(&random));
  for (int r = 0; r < ROWS; r++) {
    for (int k = 0; k < WIDTH; k++) {
      s->in[r][k] = s->input[k * FARE_BLOCK + r] = (float)(2 * fare_random_normal(&random));
      s->target[r][k]                            = (float)fare_random_normal(&random);
      s->way[r][k] = s->direction[k * FARE_BLOCK + r] = (float)fare_random_normal(&random);
    }
  }
}

static inline void subject_end(subject *s)
{
  assert_ok(fare_network_destroy(&s->network));
  free(s->w);
}

/* A number made of weights and inputs of a subject, and its derivative by one of them. */
typedef double (*subject_value)(const fare_network_shape *shape, const subject *s);

static inline double subject_difference(
  const fare_network_shape *shape, subject *s, subject_value value, double *by)
{
  const double h = 1e-5, at = *by;
  double       up, down;

  *by  = at + h;
  up   = value(shape, s);
  *by  = at - h;
  down = value(shape, s);
  *by  = at;
  return (up - down) / (2 * h);
}

/* Derivatives by every weight and input against differences of `value`, to 1e-5 of the largest weight's. */
static inline void assert_derivatives(const fare_network_shape *shape, subject *s, subject_value value,
  const float gradient[], const float d_input[])
{
  double largest = 0;

  for (size_t k = 0; k < s->count; k++) largest = fmax(largest, fabs((double)gradient[k]));
  for (size_t k = 0; k < s->count; k++)
    assert_near(gradient[k], subject_difference(shape, s, value, &s->w[k]), 1e-5 * largest);
  for (int r = 0; r < ROWS; r++) {
    for (int k = 0; k < shape->inputs; k++)
      assert_near(
        d_input[k * FARE_BLOCK + r], subject_difference(shape, s, value, &s->in[r][k]), 1e-5 * largest);
  }
}

#endif
