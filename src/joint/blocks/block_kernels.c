/* SPDX-License-Identifier: BSD-2-Clause */
/* Splines of ln p at points, in one to three axes. */
#include "support/kernel.h"
#include "block.h"

#include <math.h>

/* Cubic B-splines: which four coefficients of an axis count, and for how much. */
typedef struct {
  PetscInt first;
  double   w[4], d[4]; /* weights and, per length, those of the derivative */
} stencil;

static inline stencil find(const fare_block_density *p, int axis, double y, double *beyond)
{
  const double h = 1 / p->spacing[axis], length = p->upper[axis] - p->lower[axis];
  stencil      s;
  double       at, u, v;

  if (p->periodic[axis]) y -= length * floor((y - p->lower[axis]) / length);
  *beyond += y < p->lower[axis] || y > p->upper[axis] ? 1 : 0;
  at      = (y - p->lower[axis]) * h - 0.5;
  s.first = (PetscInt)floor(at);
  s.first = s.first < -1 ? -1 : s.first;
  s.first = s.first > p->cells[axis] - 1 ? p->cells[axis] - 1 : s.first;
  u       = at - (double)s.first;
  v       = 1 - u;
  s.first += FARE_BLOCK_EDGE - 1;
  s.w[0] = v * v * v / 6;
  s.w[1] = (4 + u * u * (3 * u - 6)) / 6;
  s.w[2] = (4 + v * v * (3 * v - 6)) / 6;
  s.w[3] = u * u * u / 6;
  s.d[0] = -0.5 * v * v * h;
  s.d[1] = u * (1.5 * u - 2) * h;
  s.d[2] = -v * (1.5 * v - 2) * h;
  s.d[3] = 0.5 * u * u * h;
  return s;
}

static void add_1(const fare_block_density *p, size_t n, const double y[], double log_density[])
{
  const double *c = p->coefficient;

#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    double        beyond = 0;
    const stencil s      = find(p, 0, y[i], &beyond);
    const double  sum =
      s.w[0] * c[s.first] + s.w[1] * c[s.first + 1] + s.w[2] * c[s.first + 2] + s.w[3] * c[s.first + 3];

    log_density[i] += beyond > 0 ? FARE_BLOCK_OUTSIDE : sum;
  }
}

static void add_any(
  const fare_block_density *p, size_t n, const double *const y[], double log_density[], double *const score[])
{
  const PetscInt row = p->cells[0] + 2 * FARE_BLOCK_EDGE, plane = row * (p->cells[1] + 2 * FARE_BLOCK_EDGE);
  const stencil  none = {0, {1, 0, 0, 0}, {0, 0, 0, 0}};

  for (size_t i = 0; i < n; i++) {
    double        beyond = 0, sum = 0, d[FARE_DIM_MAX] = {0, 0, 0};
    const stencil s = find(p, 0, y[0][i], &beyond), r = p->dim > 1 ? find(p, 1, y[1][i], &beyond) : none,
                  q = p->dim > 2 ? find(p, 2, y[2][i], &beyond) : none;

    for (int k = 0; k < (p->dim > 2 ? 4 : 1); k++) {
      for (int j = 0; j < (p->dim > 1 ? 4 : 1); j++) {
        const double *c = p->coefficient + (q.first + k) * plane * (p->dim > 2) +
          (r.first + j) * row * (p->dim > 1) + s.first;
        const double value = s.w[0] * c[0] + s.w[1] * c[1] + s.w[2] * c[2] + s.w[3] * c[3],
                     rise  = s.d[0] * c[0] + s.d[1] * c[1] + s.d[2] * c[2] + s.d[3] * c[3];

        sum += q.w[k] * r.w[j] * value;
        d[0] += q.w[k] * r.w[j] * rise;
        d[1] += q.w[k] * r.d[j] * value;
        d[2] += q.d[k] * r.w[j] * value;
      }
    }
    log_density[i] += beyond > 0 ? FARE_BLOCK_OUTSIDE : sum;
    if (!score) continue;
    for (int axis = 0; axis < p->dim; axis++) score[axis][i] = beyond > 0 ? 0 : d[axis];
  }
}

void fare_block_density_add(
  const fare_block_density *p, size_t n, const double *const y[], double log_density[], double *const score[])
{
  if (p->dim == 1 && !score)
    add_1(p, n, y[0], log_density);
  else
    add_any(p, n, y, log_density, score);
}
