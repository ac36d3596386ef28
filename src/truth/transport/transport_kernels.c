/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "transport.h"

#include <math.h>

/*
  Weights of the pairs of cells around a face, for 1 to 4 of them: of the sum, in the flow whose difference
  is the derivative of order 2 pairs; of the difference, for upwinding, which makes that 2 pairs - 1; and for
  the second derivative.
*/
static const double central[FARE_REACH + 1][FARE_REACH] = {{0}, {1. / 2}, {7. / 12, -1. / 12},
  {37. / 60, -8. / 60, 1. / 60}, {533. / 840, -139. / 840, 29. / 840, -3. / 840}};
static const double upwind[FARE_REACH + 1][FARE_REACH]  = {{0}, {1. / 2}, {3. / 12, -1. / 12},
   {10. / 60, -5. / 60, 1. / 60}, {35. / 280, -21. / 280, 7. / 280, -1. / 280}};
static const double second[FARE_REACH + 1][FARE_REACH]  = {{0}, {1}, {15. / 12, -1. / 12},
   {245. / 180, -25. / 180, 2. / 180}, {7175. / 5040, -889. / 5040, 119. / 5040, -9. / 5040}};

static inline __attribute__((always_inline)) void flow_of(PetscInt n, int pairs, PetscInt s,
  const double *restrict drift, const double *restrict diffusion, double                  uniform,
  const double *restrict points, double *restrict flow)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) {
    const double speed = 0.5 * fabs(drift[i] + drift[i + s]);
    double       sum   = 0;

    for (int k = 0; k < pairs; k++) {
      const PetscInt above = i + (k + 1) * s, below = i - k * s;
      const double   p = points[above], q = points[below];

      sum += central[pairs][k] * (drift[above] * p + drift[below] * q);
      if (diffusion)
        sum -= upwind[pairs][k] * speed * (p - q) +
          second[pairs][k] * (diffusion[above] * p - diffusion[below] * q);
      else
        sum -= (upwind[pairs][k] * speed + second[pairs][k] * uniform) * (p - q);
    }
    flow[i] = sum;
  }
}

#define FOR_PAIRS(pairs, call) \
  switch (pairs) {             \
  case 1: {                    \
    enum { PAIRS = 1 };        \
    call;                      \
  } break;                     \
  case 2: {                    \
    enum { PAIRS = 2 };        \
    call;                      \
  } break;                     \
  case 3: {                    \
    enum { PAIRS = 3 };        \
    call;                      \
  } break;                     \
  default: {                   \
    enum { PAIRS = 4 };        \
    call;                      \
  }                            \
  }

void fare_transport_flow(PetscInt n, int pairs, PetscInt s, const double *drift, const double *diffusion,
  double uniform, const double *points, double *flow)
{
  if (diffusion) {
    FOR_PAIRS(pairs, flow_of(n, PAIRS, s, drift, diffusion, 0, points, flow))
  } else {
    FOR_PAIRS(pairs, flow_of(n, PAIRS, s, drift, NULL, uniform, points, flow))
  }
}

void fare_transport_weights(int pairs, const double drift[], const double diffusion[], double weight[])
{
  const double speed = pairs ? 0.5 * fabs(drift[pairs - 1] + drift[pairs]) : 0;

  for (int k = 0; k < pairs; k++) {
    const int above = pairs + k, below = pairs - 1 - k;

    weight[above] =
      central[pairs][k] * drift[above] - upwind[pairs][k] * speed - second[pairs][k] * diffusion[above];
    weight[below] =
      central[pairs][k] * drift[below] + upwind[pairs][k] * speed + second[pairs][k] * diffusion[below];
  }
}

void fare_transport_differences(
  PetscInt n, int pairs, PetscInt s, const double weight[], const double *points, double *flow)
{
  for (PetscInt i = 0; i < n; i++) {
    flow[i] = 0;
    for (int k = 0; k < pairs; k++) flow[i] += weight[k] * (points[i + (k + 1) * s] - points[i - k * s]);
  }
}

void fare_transport_advance_row(PetscInt n, double c, const double *restrict above,
  const double *restrict below, const double *from, double *to)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) to[i] = from[i] - c * (above[i] - below[i]);
}

void fare_transport_look(PetscInt n, double little, const double *restrict points, double sums[5])
{
  double least = 1e300, sum = 0, negative = 0, taken = 0, dropped = 0;

#pragma omp simd reduction(min : least) reduction(+ : sum, negative, taken, dropped)
  for (PetscInt i = 0; i < n; i++) {
    const double from = points[i], p = fabs(from) < little ? 0 : from, off = from - p;

    least = p < least ? p : least;
    negative += from < 0 ? -from : 0;
    sum += p;
    taken += off;
    dropped += fabs(off);
  }
  sums[0] = least;
  sums[1] = sum;
  sums[2] = negative;
  sums[3] = taken;
  sums[4] = dropped;
}

void fare_transport_drop(PetscInt n, double little, double factor, double *points)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) points[i] = fabs(points[i]) < little ? 0 : factor * points[i];
}

void fare_transport_scale(PetscInt n, double factor, double *values)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) values[i] *= factor;
}

void fare_transport_bounds(PetscInt n, const double *values, double bounds[2])
{
  double most = bounds[0], least = -bounds[1];

#pragma omp simd reduction(max : most) reduction(min : least)
  for (PetscInt i = 0; i < n; i++) {
    most  = values[i] > most ? values[i] : most;
    least = values[i] < least ? values[i] : least;
  }
  bounds[0] = most;
  bounds[1] = -least;
}

double fare_transport_rate(PetscInt n, int dim, const double *const drift[], const double *const diffusion[])
{
  /* largest moduli of the symbols of the two operators with four pairs */
  const double advects = 1.7504, diffuses = 6.5016;
  double       most = 0;

#pragma omp simd reduction(max : most)
  for (PetscInt i = 0; i < n; i++) {
    double sum = 0;

    for (int axis = 0; axis < dim; axis++)
      sum += advects * fabs(drift[axis][i]) + diffuses * diffusion[axis][i];
    most = sum > most ? sum : most;
  }
  return most;
}
