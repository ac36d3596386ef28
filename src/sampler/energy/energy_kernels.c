/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "energy.h"
#include "energy_grid.h"
#include "energy_model.h"

#include <math.h>

/* Beyond the box the energy rises by this much per cell. */
#define RAMP 50.

/*
  Where a point lies along one axis: the first of four coefficients, their weights and the weights'
  derivatives by x, and what a ramp adds.
*/
typedef struct {
  int64_t first;
  double  weight[4], slope[4], ramp, push;
} position;

static inline void locate(const fare_energy_spline *spline, int axis, double x, position *at)
{
  const double inverse = 1 / spline->spacing[axis], last = (double)spline->cells[axis];
  double       u = (x - spline->lower[axis]) * inverse, t;
  int64_t      i;

  at->ramp = at->push = 0;
  if (spline->periodic[axis]) {
    u -= last * floor(u / last);
  } else if (u < 0 || u > last) {
    const double beyond = u < 0 ? -u : u - last;

    at->ramp = RAMP * beyond;
    at->push = u < 0 ? RAMP * inverse : -RAMP * inverse;
    u        = u < 0 ? 0 : last;
  }
  u -= 0.5;
  i             = (int64_t)floor(u);
  t             = u - (double)i;
  at->first     = i - 1 + FARE_SPLINE_MARGIN;
  at->weight[0] = (1 - t) * (1 - t) * (1 - t) / 6;
  at->weight[1] = (4 - 6 * t * t + 3 * t * t * t) / 6;
  at->weight[2] = (1 + 3 * t + 3 * t * t - 3 * t * t * t) / 6;
  at->weight[3] = t * t * t / 6;
  at->slope[0]  = -0.5 * (1 - t) * (1 - t) * inverse;
  at->slope[1]  = (-2 * t + 1.5 * t * t) * inverse;
  at->slope[2]  = (0.5 + t - 1.5 * t * t) * inverse;
  at->slope[3]  = 0.5 * t * t * inverse;
}

/* One row of four coefficients: sums with weights and with slopes. */
static inline void row(const double c[4], const position *at, double *value, double *slope)
{
  *value = at->weight[0] * c[0] + at->weight[1] * c[1] + at->weight[2] * c[2] + at->weight[3] * c[3];
  *slope = at->slope[0] * c[0] + at->slope[1] * c[1] + at->slope[2] * c[2] + at->slope[3] * c[3];
}

void fare_energy_spline_evaluate(
  const fare_energy_spline *spline, int n, const double *const x[], double U[], double *const f[])
{
  static const position one  = {.weight = {1}};
  const int             rows = spline->dim > 1 ? 4 : 1, planes = spline->dim > 2 ? 4 : 1;

  for (int i = 0; i < n; i++) {
    position at[FARE_DIM_MAX] = {one, one, one};
    double   sum = 0, slope[FARE_DIM_MAX] = {0};

    for (int axis = 0; axis < spline->dim; axis++) locate(spline, axis, x[axis][i], &at[axis]);
    for (int k = 0; k < planes; k++) {
      for (int j = 0; j < rows; j++) {
        const int64_t place =
          at[0].first + (at[1].first + j) * spline->stride[1] + (at[2].first + k) * spline->stride[2];
        double value, along;

        row(spline->coefficient + place, &at[0], &value, &along);
        sum += at[1].weight[j] * at[2].weight[k] * value;
        slope[0] += at[1].weight[j] * at[2].weight[k] * along;
        slope[1] += at[1].slope[j] * at[2].weight[k] * value;
        slope[2] += at[1].weight[j] * at[2].slope[k] * value;
      }
    }
    U[i] = sum;
    for (int axis = 0; axis < spline->dim; axis++) {
      U[i] += at[axis].ramp;
      f[axis][i] = at[axis].push - (at[axis].push ? 0 : slope[axis]);
    }
  }
}

void fare_energy_spline_between(double s, size_t n, const double from[], const double with[], double to[])
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) to[i] = (1 - s) * from[i] + s * with[i];
}

void fare_weights_scale(double least, const double cost[FARE_BLOCK], double weight[FARE_BLOCK])
{
#pragma omp simd
  for (int i = 0; i < FARE_BLOCK; i++) {
    const double rise = least - cost[i];

    weight[i] *= exp(rise < 0 ? rise : 0);
  }
}

void fare_energy_frequencies_back(
  int frequencies, double frequency, int n, const float in[], const float d[], double f[])
{
  for (int k = 0; k < frequencies; k++) {
    const float  w    = (float)ldexp(frequency, k);
    const float *sine = in + (size_t)(2 * k) * FARE_BLOCK, *cosine = sine + FARE_BLOCK;
    const float *by_sine = d + (size_t)(2 * k) * FARE_BLOCK, *by_cosine = by_sine + FARE_BLOCK;

#pragma omp simd
    for (int i = 0; i < n; i++) f[i] -= (double)(w * (cosine[i] * by_sine[i] - sine[i] * by_cosine[i]));
  }
}
