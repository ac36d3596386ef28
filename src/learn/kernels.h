/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Kernels of networks and of their training. A tile's rows stand side by side, FARE_BLOCK apart from one value
  to the next.
*/
#ifndef FARE_LEARN_KERNELS_H
#define FARE_LEARN_KERNELS_H

#include <fare/random.h>

/*
  h += bias, then h = SiLU(h) = h/(1 + exp(-h)), value by value of a layer; where `skip` is not NULL it is
  added to that.
*/
void fare_silu(int width, int rows, const float bias[], const float skip[], float h[]);
/* The same, and the derivative of SiLU. */
void fare_silu_slope(int width, int rows, const float bias[], const float skip[], float h[], float slope[]);
/* h += bias alone, for the last layer. */
void fare_add_bias(int width, int rows, const float bias[], float h[]);
/* bias_gradient += sum of d over rows. */
void fare_sum_rows(int width, int rows, const float d[], float bias_gradient[]);
/* out = slope d */
void fare_multiply(int width, int rows, const float slope[], const float d[], float out[]);
/*
  fare_silu_slope with derivatives along a direction: `along` enters as that of h and leaves as that of
  SiLU(h); bend is the derivative of the slope along it. Back, with d by the value and e by what is along:
  d_out = slope d + bend e, e_out = slope e.
*/
void fare_silu_along(int width, int rows, const float bias[], const float skip[], const float skip_along[],
  float h[], float along[], float slope[], float bend[]);
void fare_multiply_along(int width, int rows, const float slope[], const float bend[], const float d[],
  const float e[], float d_out[], float e_out[]);

/*
  One step of Adam on n weights: m and v are the running means of the gradient and of its square, `step`
  counts from 1. Then the average: mean += (1 - decay) (w - mean).
*/
void fare_adam_step(
  double rate, int64_t step, size_t n, const float gradient[], float m[], float v[], float w[]);
void fare_average_step(double decay, size_t n, const float w[], float mean[]);

/* Warns, once, where the BLAS that products of matrices use is a slow one. Not collective. */
void fare_learn_check_blas(void);

#endif
