/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "posterior_parts.h"

#include <math.h>

#define NOTHING 1e-280 /* a sum below this has lost its digits */

void fare_posterior_contract(int outer, int from, int to, int inner, int width, const int begin[],
  const double weight[], const double in[], double out[])
{
  for (int o = 0; o < outer; o++) {
    for (int i = 0; i < to; i++) {
      const double *restrict w = weight + (size_t)i * (size_t)width;
      const double *restrict a = in + ((size_t)o * (size_t)from + (size_t)begin[i]) * (size_t)inner;
      double *restrict b       = out + ((size_t)o * (size_t)to + (size_t)i) * (size_t)inner;

      if (inner == 1) {
        double sum = 0;

#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < width; j++) sum += w[j] * a[j];
        b[0] = sum;
        continue;
      }
      for (int k = 0; k < inner; k++) b[k] = 0;
      for (int j = 0; j < width; j++) {
#pragma omp      simd
        for (int k = 0; k < inner; k++) b[k] += w[j] * a[(size_t)j * (size_t)inner + (size_t)k];
      }
    }
  }
}

/* Where y stands on an axis, and the weights of its four nodes: cubic, or linear between the middle two. */
static int nodes_of(const fare_posterior_table *t, int axis, double y, int cubic, double w[4])
{
  const double at = (y - t->first[axis]) / t->spacing[axis], last = t->n[axis] - 2;
  const double in   = at < 1 ? 1 : at > last ? last : at;
  const int    node = in < last - 1 ? (int)in : t->n[axis] - 3;
  const double f    = in - node;

  w[0] = cubic ? -f * (f - 1) * (f - 2) / 6 : 0;
  w[1] = cubic ? (f + 1) * (f - 1) * (f - 2) / 2 : 1 - f;
  w[2] = cubic ? -(f + 1) * f * (f - 2) / 2 : f;
  w[3] = cubic ? (f + 1) * f * (f - 1) / 6 : 0;
  return node - 1;
}

static void sums_at(const fare_posterior_table *t, const double y[], int cubic, double sum[1 + FARE_DIM_MAX])
{
  double w[FARE_DIM_MAX][4] = {{1, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 0, 0}};
  int    node[FARE_DIM_MAX] = {0, 0, 0}, nodes[FARE_DIM_MAX] = {1, 1, 1};

  for (int axis = 0; axis < t->dim; axis++) {
    node[axis]  = nodes_of(t, axis, y[axis], cubic, w[axis]);
    nodes[axis] = 4;
  }
  for (int q = 0; q <= t->dim; q++) sum[q] = 0;
  for (int k = 0; k < nodes[2]; k++) {
    for (int j = 0; j < nodes[1]; j++) {
      const size_t at =
        ((size_t)(node[2] + k) * (size_t)t->n[1] + (size_t)(node[1] + j)) * (size_t)t->n[0] + (size_t)node[0];
      const double share = w[2][k] * w[1][j];

      for (int q = 0; q <= t->dim; q++) {
        const double *s = t->sum[q] + at;

        sum[q] += share * (w[0][0] * s[0] + w[0][1] * s[1] + w[0][2] * s[2] + w[0][3] * s[3]);
      }
    }
  }
}

void fare_posterior_lookup(const fare_posterior_table *t, const fare_row y[], fare_row mean[])
{
  for (int i = 0; i < FARE_BLOCK; i++) {
    double at[FARE_DIM_MAX] = {0, 0, 0}, sum[1 + FARE_DIM_MAX];

    for (int axis = 0; axis < t->dim; axis++) at[axis] = (double)y[axis][i];
    sums_at(t, at, 1, sum);
    /* where sums fall so steeply that a cubic goes below 0, a line does not */
    if (sum[0] < NOTHING) sums_at(t, at, 0, sum);
    for (int axis = 0; axis < t->dim; axis++)
      mean[axis][i] = sum[0] < NOTHING ? y[axis][i] : (float)(sum[1 + axis] / sum[0]);
  }
}

/* Squared distance of particle i. */
static inline double distance(const fare_posterior_boxes *b, const double y[], int64_t i)
{
  double square = (b->x[0][i] - y[0]) * (b->x[0][i] - y[0]);

  if (b->dim > 1) square += (b->x[1][i] - y[1]) * (b->x[1][i] - y[1]);
  if (b->dim > 2) square += (b->x[2][i] - y[2]) * (b->x[2][i] - y[2]);
  return square;
}

static double nearest(const fare_posterior_boxes *b, const double y[], int64_t from, int64_t to)
{
  double least = HUGE_VAL;

#pragma omp simd reduction(min : least)
  for (int64_t i = from; i < to; i++) {
    const double square = distance(b, y, i);

    least = square < least ? square : least;
  }
  return least;
}

/* Adds weight and weight times place of particles, relative to one at the squared distance `least`. */
static void add(const fare_posterior_boxes *b, const double y[], double least, int64_t from, int64_t to,
  double sum[1 + FARE_DIM_MAX])
{
  const double variance = b->sigma * b->sigma, r2 = b->augmented * variance,
               power = -0.5 * (b->dim + b->augmented);
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;

#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (int64_t i = from; i < to; i++) {
    const double square = distance(b, y, i);
    const double w      = b->weight[i] *
      (b->augmented ? exp(power * log((square + r2) / (least + r2)))
                    : exp((least - square) / (2 * variance)));

    s0 += w;
    s1 += w * b->x[0][i];
    if (b->dim > 1) s2 += w * b->x[1][i];
    if (b->dim > 2) s3 += w * b->x[2][i];
  }
  sum[0] += s0;
  sum[1] += s1;
  sum[2] += s2;
  sum[3] += s3;
}

/* The boxes around y as rows of particles that lie together. */
typedef struct {
  int low[FARE_DIM_MAX], high[FARE_DIM_MAX];
} vicinity;

static vicinity vicinity_of(const fare_posterior_boxes *b, const double y[])
{
  vicinity v = {{0, 0, 0}, {0, 0, 0}};

  for (int axis = 0; axis < b->dim; axis++) {
    const double at  = (y[axis] - b->first[axis]) / b->spacing[axis];
    const int    box = at < 0 ? 0 : at >= b->n[axis] ? b->n[axis] - 1 : (int)at;

    v.low[axis]  = box - b->reach < 0 ? 0 : box - b->reach;
    v.high[axis] = box + b->reach >= b->n[axis] ? b->n[axis] - 1 : box + b->reach;
  }
  return v;
}

void fare_posterior_sum(const fare_posterior_boxes *b, const fare_row y[], fare_row mean[])
{
  const double variance = b->sigma * b->sigma;
  /* particles farther than factor least + beyond count less than 1e-8 of the nearest */
  const double factor = b->augmented ? pow(1e8, 2. / (b->dim + b->augmented)) : 1;
  const double beyond = b->augmented ? b->augmented * variance * (factor - 1) : 2 * log(1e8) * variance;

  for (int i = 0; i < FARE_BLOCK; i++) {
    double at[FARE_DIM_MAX] = {0, 0, 0}, sum[1 + FARE_DIM_MAX] = {0}, least = HUGE_VAL, covered = HUGE_VAL;
    const int64_t all = b->begin[b->n[0] * b->n[1] * b->n[2]];
    vicinity      v;

    for (int axis = 0; axis < b->dim; axis++) {
      at[axis] = (double)y[axis][i];
      covered  = b->reach * b->spacing[axis] < covered ? b->reach * b->spacing[axis] : covered;
    }
    v = vicinity_of(b, at);
    for (int pass = 0; pass < 2; pass++) {
      for (int k = v.low[2]; k <= v.high[2]; k++) {
        for (int j = v.low[1]; j <= v.high[1]; j++) {
          const int64_t row = ((int64_t)k * b->n[1] + j) * b->n[0], from = b->begin[row + v.low[0]],
                        to = b->begin[row + v.high[0] + 1];

          if (pass) {
            add(b, at, least, from, to, sum);
          } else {
            const double near = nearest(b, at, from, to);

            least = near < least ? near : least;
          }
        }
      }
      if (!(factor * least + beyond <= covered * covered)) break;
    }
    /* far from all: the boxes around do not hold all that counts */
    if (!(factor * least + beyond <= covered * covered)) {
      least = nearest(b, at, 0, all);
      add(b, at, least, 0, all, sum);
    }
    for (int axis = 0; axis < b->dim; axis++) mean[axis][i] = (float)(sum[1 + axis] / sum[0]);
  }
}
