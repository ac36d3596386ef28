/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/kernel.h"
#include "operator.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Beyond this many T within a cell nothing is resolved, and products must stay finite. */
#define STEEPEST_CELL 150.0
#define STEEPEST_EDGE 400.0

static inline double clamp(double x, double most)
{
  return fmin(most, fmax(-most, x));
}

double fare_held_exponential(double r)
{
  return exp(clamp(r, STEEPEST_CELL));
}

void fare_exponentials(size_t n, double factor, const double *restrict r, double *restrict e)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) e[i] = exp(clamp(factor * r[i], STEEPEST_CELL));
}

void fare_add_scaled(size_t n, double a, const double *restrict x, double *restrict y)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

/* Of four arrays at a time, which are read together. */
static inline void sum_four(size_t n, PetscBool add, const double *restrict a, const double *restrict x,
  const double *restrict x1, const double *restrict x2, const double *restrict x3, double *restrict y)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++)
    y[i] = (add ? y[i] : 0) + a[0] * x[i] + a[1] * x1[i] + a[2] * x2[i] + a[3] * x3[i];
}

void fare_weighted_sum(size_t n, int count, const double a[], const double *const x[], double *restrict y)
{
  for (int k = 0; k < count; k += 4) {
    const double *p[4],
      weight[4] = {
        a[k], k + 1 < count ? a[k + 1] : 0, k + 2 < count ? a[k + 2] : 0, k + 3 < count ? a[k + 3] : 0};

    for (int i = 0; i < 4; i++) p[i] = x[k + i < count ? k + i : k];
    if (k)
      sum_four(n, PETSC_TRUE, weight, p[0], p[1], p[2], p[3], y);
    else
      sum_four(n, PETSC_FALSE, weight, p[0], p[1], p[2], p[3], y);
  }
}

int fare_all_finite(size_t n, const double *x)
{
  const uint64_t exponent = 0x7ff0000000000000u;
  uint64_t       bad      = 0;

  for (size_t i = 0; i < n; i++) {
    uint64_t bits;

    memcpy(&bits, &x[i], sizeof bits);
    bad |= (bits & exponent) == exponent;
  }
  return !bad;
}

int fare_all_rates(size_t n, const double *x)
{
  const uint64_t infinity = 0x7ff0000000000000u, minus_zero = 0x8000000000000000u;
  uint64_t       bad = 0;

  for (size_t i = 0; i < n; i++) {
    uint64_t bits;

    memcpy(&bits, &x[i], sizeof bits);
    bad |= (bits >= infinity) & (bits != minus_zero);
  }
  return !bad;
}

/*
  r(i->j) = D/(h^2 <e^{U/T}>_edge <e^{-U/T}>_cell), and one thing more. Where U rises by many T over one cell,
  what mass a cell has lies at its lower end, and averages from centre to centre would hold it there as by a
  barrier. So the faster of both ways is never slower than a share of Scharfetter and Gummel's rate down: half
  of it up to 4 T, all of it from 7 T on, where a drive then moves mass at its true velocity. The other grows
  by the same factor, which keeps detailed balance. Nothing changes up to a rise of about 4 T per cell. (Which
  way is faster turns where both are equal, so that no rate jumps when a drive turns it.)
*/
static inline double least_share(double fall)
{
  return fmin(1, 0.5 + fmax(0, fall - 4) / 6);
}

#define RUN 128

void fare_face_rates(size_t n, double D, double T, const double *restrict U_below,
  const double *restrict U_above, const double *restrict lower, const double *restrict upper,
  const double *restrict average_below, const double *restrict average_above, const double *restrict work,
  double *restrict up, double *restrict down)
{
  double rise[RUN], growth[RUN];

  for (size_t first = 0; first < n; first += RUN) {
    const size_t width           = n - first < RUN ? n - first : RUN;
    const double *restrict below = U_below + first, *restrict above = U_above + first;
    double worst = 0;

    if (work) {
#pragma omp simd
      for (size_t i = 0; i < width; i++)
        rise[i] = clamp((above[i] - below[i] - work[first + i]) / T, STEEPEST_EDGE);
    } else {
#pragma omp simd
      for (size_t i = 0; i < width; i++) rise[i] = clamp((above[i] - below[i]) / T, STEEPEST_EDGE);
    }
#pragma omp simd
    for (size_t i = 0; i < width; i++) growth[i] = exp(rise[i]);
#pragma omp simd reduction(max : worst)
    for (size_t i = 0; i < width; i++) {
      const size_t at = first + i;
      const double each =
        2 * D / ((lower[at] + growth[i] * upper[at]) * average_below[at] * average_above[at]);
      const double upward = each * average_above[at], downward = each * growth[i] * average_below[at];

      up[at]   = upward;
      down[at] = downward;
      /* f/(1 - e^-f) <= 1 + f */
      worst = fmax(worst, least_share(fabs(rise[i])) * D * (1 + fabs(rise[i])) - fmax(upward, downward));
    }
    if (!(worst > 0)) continue;
#pragma omp simd
    for (size_t i = 0; i < width; i++) {
      const double fall = fabs(rise[i]),
                   least =
                     least_share(fall) * D * (fall > 1e-6 ? fall / (1 - fmin(growth[i], 1 / growth[i])) : 1);
      const double factor = fmax(1, least / fmax(up[first + i], down[first + i]));

      up[first + i] *= factor;
      down[first + i] *= factor;
    }
  }
}
