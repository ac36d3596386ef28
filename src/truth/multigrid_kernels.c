#include "multigrid.h"

#include <math.h>
#include <string.h>

PetscInt fare_lines_size(const fare_patch *patch, int axis)
{
  return axis ? patch->owned : (patch->count[1] * patch->count[2] + FARE_LANES - 1) / FARE_LANES * FARE_LANES * patch->count[0];
}

/* Of one row: what leaves its cells along an axis. */
static void leaving(const fare_patch *patch, int axis, PetscInt box, double *restrict to)
{
  const double *up = patch->up[axis] + box, *down = patch->down[axis] + box - patch->stride[axis];

#pragma omp simd
  for (PetscInt i = 0; i < patch->count[0]; i++) to[i] = up[i] + down[i];
}

/* The diagonals of one row's lines along each axis and the factor of their product; see multigrid.c. */
static void smoother_row(const fare_patch *patch, PetscInt box, double shift, const double least[], double *restrict scale, double *const diagonal[], double *const tau[])
{
  const PetscInt n   = patch->count[0];
  const int      dim = patch->dim;
  const double   own = shift / dim;

  for (int axis = 0; axis < dim; axis++) {
    double *restrict d = diagonal[axis], *restrict t = tau[axis];

    leaving(patch, axis, box, d);
#pragma omp simd
    for (PetscInt i = 0; i < n; i++) {
      t[i] = sqrt((own + 2 * least[axis] * d[i]) * (own + 2 * d[i]));
      d[i] += own;
    }
  }
  if (dim == 2) {
#pragma omp simd
    for (PetscInt i = 0; i < n; i++) {
      diagonal[0][i] += tau[1][i];
      diagonal[1][i] += tau[0][i];
      scale[i] = tau[0][i] + tau[1][i];
    }
  } else {
#pragma omp simd
    for (PetscInt i = 0; i < n; i++) {
      const double a = tau[1][i] + tau[2][i], b = tau[0][i] + tau[2][i], c = tau[0][i] + tau[1][i];

      diagonal[0][i] += a;
      diagonal[1][i] += b;
      diagonal[2][i] += c;
      scale[i] = 0.75 * (a * b + a * c + b * c);
    }
  }
}

/* One row of an elimination across rows; `before`: back of the row before, NULL for the first of a line. */
static void eliminate_row(PetscInt n, const double *restrict diagonal, const double *restrict up_below, const double *restrict down, const double *restrict scale, const float *restrict before, float *restrict from, float *restrict lead, float *restrict back)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) {
    const double u = before ? up_below[i] : 0, inverse = 1 / (diagonal[i] - (before ? u * (double)before[i] : 0));

    from[i] = (float)(inverse * (scale ? scale[i] : 1));
    lead[i] = (float)(inverse * u);
    back[i] = (float)(inverse * down[i]);
  }
}

/* FARE_LANES lines side by side. */
static void eliminate_lanes(PetscInt n, const double *restrict diagonal, const double *restrict up, const double *restrict down, float *restrict from, float *restrict lead, float *restrict back)
{
  double before[FARE_LANES] = {0}, up_before[FARE_LANES] = {0};

  for (PetscInt i = 0; i < n; i++) {
#pragma omp simd
    for (int s = 0; s < FARE_LANES; s++) {
      const PetscInt at      = i * FARE_LANES + s;
      const double   inverse = 1 / (diagonal[at] - up_before[s] * before[s]);

      from[at]     = (float)inverse;
      lead[at]     = (float)(inverse * up_before[s]);
      back[at]     = (float)(inverse * down[at]);
      before[s]    = inverse * down[at];
      up_before[s] = up[at];
    }
  }
}

static void to_lane(PetscInt n, const double *restrict from, double *restrict to)
{
  for (PetscInt i = 0; i < n; i++) to[i * FARE_LANES] = from[i];
}

void fare_lines_factor(const fare_patch *patch, double shift, const double least[], double *scratch, fare_line_factors factors[])
{
  const PetscInt n = patch->count[0], rows = patch->count[1] * patch->count[2];
  const int      last = patch->dim - 1;
  double        *scale = scratch, *diagonal[FARE_DIM_MAX], *tau[FARE_DIM_MAX], *lanes[3];

  for (int i = 0; i < FARE_DIM_MAX; i++) {
    diagonal[i] = scratch + (1 + i) * n;
    tau[i]      = scratch + (4 + i) * n;
    lanes[i]    = scratch + (8 + i * FARE_LANES) * n;
  }
  for (PetscInt i = 0; i < n * FARE_LANES; i++) lanes[0][i] = 1;
  memset(lanes[1], 0, (size_t)(2 * n * FARE_LANES) * sizeof(double));
  for (PetscInt k = 0, row = 0; k < patch->count[2]; k++) {
    for (PetscInt j = 0; j < patch->count[1]; j++, row++) {
      const PetscInt box = fare_patch_box_row(patch, j, k), at = row * n, lane = row % FARE_LANES;

      smoother_row(patch, box, shift, least, scale, diagonal, tau);
      to_lane(n, diagonal[0], lanes[0] + lane);
      to_lane(n, patch->up[0] + box, lanes[1] + lane);
      to_lane(n, patch->down[0] + box, lanes[2] + lane);
      if (lane == FARE_LANES - 1 || row == rows - 1) {
        const PetscInt block = (row - lane) * n;

        eliminate_lanes(n, lanes[0], lanes[1], lanes[2], factors[0].from + block, factors[0].lead + block, factors[0].back + block);
      }
      for (int axis = 1; axis <= last; axis++) {
        const fare_line_factors *f     = &factors[axis];
        const PetscInt           gap   = axis == 1 ? n : n * patch->count[1];
        const PetscBool          first = (axis == 1 ? j : k) == 0 ? PETSC_TRUE : PETSC_FALSE;

        eliminate_row(n, diagonal[axis], patch->up[axis] + box - patch->stride[axis], patch->down[axis] + box, axis == last ? scale : NULL, first ? NULL : f->back + at - gap, f->from + at, f->lead + at, f->back + at);
      }
    }
  }
}

static void solve_lanes(PetscInt n, PetscInt rows, const float *restrict from, const float *restrict lead, const float *restrict back, const double *r, double *restrict work, double *x)
{
  double carry[FARE_LANES] = {0};

  for (PetscInt s = 0; s < FARE_LANES; s++) {
    if (s < rows) {
      to_lane(n, r + s * n, work + s);
    } else {
      for (PetscInt i = 0; i < n; i++) work[i * FARE_LANES + s] = 0;
    }
  }
  for (PetscInt i = 0; i < n; i++) {
#pragma omp simd
    for (int s = 0; s < FARE_LANES; s++) {
      const PetscInt at = i * FARE_LANES + s;

      carry[s] = work[at] = (double)from[at] * work[at] + (double)lead[at] * carry[s];
    }
  }
  for (int s = 0; s < FARE_LANES; s++) carry[s] = 0;
  for (PetscInt i = n - 1; i >= 0; i--) {
#pragma omp simd
    for (int s = 0; s < FARE_LANES; s++) {
      const PetscInt at = i * FARE_LANES + s;

      carry[s] = work[at] += (double)back[at] * carry[s];
    }
  }
  for (PetscInt s = 0; s < rows; s++) {
    for (PetscInt i = 0; i < n; i++) x[s * n + i] = work[i * FARE_LANES + s];
  }
}

#define TILE 128 /* lines across rows that are solved together, and stay in cache */

static void solve_tile(PetscInt n, PetscInt width, PetscInt gap, const float *from, const float *lead, const float *back, double *x)
{
#pragma omp simd
  for (PetscInt s = 0; s < width; s++) x[s] *= (double)from[s];
  for (PetscInt i = 1; i < n; i++) {
    const double *before = x + (i - 1) * gap;
    double *restrict y   = x + i * gap;

#pragma omp simd
    for (PetscInt s = 0; s < width; s++) y[s] = (double)from[i * gap + s] * y[s] + (double)lead[i * gap + s] * before[s];
  }
  for (PetscInt i = n - 2; i >= 0; i--) {
    const double *after = x + (i + 1) * gap;
    double *restrict y  = x + i * gap;

#pragma omp simd
    for (PetscInt s = 0; s < width; s++) y[s] += (double)back[i * gap + s] * after[s];
  }
}

void fare_lines_solve(const fare_patch *patch, const fare_line_factors f[], const double *r, double *scratch, double *x)
{
  const PetscInt n = patch->count[0], rows = patch->count[1] * patch->count[2];

  for (PetscInt row = 0; row < rows; row += FARE_LANES) {
    const PetscInt at = row * n;

    solve_lanes(n, PetscMin(FARE_LANES, rows - row), f[0].from + at, f[0].lead + at, f[0].back + at, r + at, scratch, x + at);
  }
  for (int axis = 1; axis < patch->dim; axis++) {
    const PetscInt gap = axis == 1 ? n : n * patch->count[1], blocks = axis == 1 ? patch->count[2] : 1;

    for (PetscInt b = 0; b < blocks; b++) {
      for (PetscInt s = 0; s < gap; s += TILE) {
        const PetscInt at = b * gap * patch->count[axis] + s;

        solve_tile(patch->count[axis], PetscMin(TILE, gap - s), gap, f[axis].from + at, f[axis].lead + at, f[axis].back + at, x + at);
      }
    }
  }
}
