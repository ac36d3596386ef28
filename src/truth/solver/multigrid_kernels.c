/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The smoother of multigrid.c: tridiagonal solves along the lines of all axes, and what is done on the way.
*/
#include "support/kernel.h"
#include "level.h"

#include <math.h>
#include <string.h>

#define TINY 1e-30f /* added so that nothing becomes so small that processors are slow at it */

/* The diagonals of one row's lines along each axis and the factor of their product; see multigrid.c. */
static void smoother_row(const fare_level *level, PetscInt box, float shift, const float least[],
  float *restrict scale, float *const diagonal[], float *const tau[])
{
  const PetscInt n   = level->patch->count[0];
  const int      dim = level->patch->dim;
  const float    own = shift / (float)dim;

  for (int axis = 0; axis < dim; axis++) {
    const float *up = level->up[axis] + box, *down = level->down[axis] + box - level->patch->stride[axis];
    float *restrict d = diagonal[axis], *restrict t = tau[axis];

#pragma omp simd
    for (PetscInt i = 0; i < n; i++) {
      const float leaving = up[i] + down[i];

      t[i] = sqrtf(own + 2 * least[axis] * leaving) * sqrtf(own + 2 * leaving);
      d[i] = own + leaving;
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
      const float a = tau[1][i] + tau[2][i], b = tau[0][i] + tau[2][i], c = tau[0][i] + tau[1][i];

      diagonal[0][i] += a;
      diagonal[1][i] += b;
      diagonal[2][i] += c;
      scale[i] = 0.75f * (a * b + a * c + b * c);
    }
  }
}

/*
  One row of an elimination across rows; `before`: inverse pivots of the row before, NULL for the first of a
  line.
*/
static void eliminate_row(PetscInt n, const float *restrict diagonal, const float *restrict up,
  const float *restrict down, const float *restrict before, float *restrict inverse)
{
  if (!before) {
#pragma omp simd
    for (PetscInt i = 0; i < n; i++) inverse[i] = 1 / diagonal[i];
    return;
  }
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) inverse[i] = 1 / (diagonal[i] - up[i] * down[i] * before[i]);
}

#define RUN 16 /* cells of a row that go to lanes together, and stay in the nearest cache */

/* `width` values of rows from `first`, and back; the usual case has loops of known length. */
static inline void turn(size_t rows, size_t width, const float *const row[], size_t first, float *restrict to)
{
  for (size_t s = 0; s < rows; s++) {
    const float *restrict from = row[s] + first;

    for (size_t i = 0; i < width; i++) to[i * FARE_LANES + s] = from[i];
  }
}

static void to_lanes(size_t rows, size_t width, const float *const row[], size_t first, float *restrict to)
{
  if (rows == FARE_LANES && width == RUN)
    turn(FARE_LANES, RUN, row, first, to);
  else
    turn(rows, width, row, first, to);
}

static inline void turn_back(
  size_t rows, size_t width, size_t n, const float *restrict from, float *restrict to)
{
  for (size_t s = 0; s < rows; s++) {
    for (size_t i = 0; i < width; i++) to[s * n + i] = from[i * FARE_LANES + s];
  }
}

static void from_lanes(size_t rows, size_t width, size_t n, const float *restrict from, float *restrict to)
{
  if (rows == FARE_LANES && width == RUN)
    turn_back(FARE_LANES, RUN, n, from, to);
  else
    turn_back(rows, width, n, from, to);
}

/*
  Of a block of lines along the first axis, beginning at `at` in each array of theirs: the elimination, with
  the factor `scale` on what they give.
*/
static void eliminate_lanes(const fare_level *level, PetscInt rows, const float *const scale[],
  const float *const diagonal[], const float *const up[], const float *const down[], PetscInt at)
{
  const PetscInt n                  = level->patch->count[0];
  float          before[FARE_LANES] = {0}, up_before[FARE_LANES] = {0}, held[FARE_LANES] = {0},
        s_before[FARE_LANES] = {0};
  float a[RUN * FARE_LANES], d[RUN * FARE_LANES], u[RUN * FARE_LANES] = {0}, v[RUN * FARE_LANES] = {0};

  for (int i = 0; i < RUN * FARE_LANES; i++) a[i] = d[i] = 1;
  for (PetscInt first = 0; first < n; first += RUN) {
    const PetscInt width = PetscMin(RUN, n - first);

    to_lanes((size_t)rows, (size_t)width, scale, (size_t)first, a);
    to_lanes((size_t)rows, (size_t)width, diagonal, (size_t)first, d);
    to_lanes((size_t)rows, (size_t)width, up, (size_t)first, u);
    to_lanes((size_t)rows, (size_t)width, down, (size_t)first, v);
    for (PetscInt i = 0; i < width; i++) {
      float *restrict from           = level->from + at + (first + i) * FARE_LANES,
                      *restrict lead = level->lead + at + (first + i) * FARE_LANES;
      /* of the cells before, whose neighbours' scale is known now */
      float *restrict back = level->back + at + (first + i - (first + i > 0)) * FARE_LANES;

#pragma omp simd
      for (int s = 0; s < FARE_LANES; s++) {
        const int   c       = (int)i * FARE_LANES + s;
        const float inverse = 1 / (d[c] - up_before[s] * before[s]), scaled = a[c] * inverse,
                    unscale = 1 / a[c];

        from[s]      = scaled;
        lead[s]      = scaled * up_before[s] * s_before[s];
        back[s]      = held[s] * unscale;
        held[s]      = scaled * v[c];
        before[s]    = inverse * v[c];
        up_before[s] = u[c];
        s_before[s]  = unscale;
      }
    }
  }
  memset(level->back + at + (n - 1) * FARE_LANES, 0, FARE_LANES * sizeof(float));
}

void fare_level_factor(const fare_level *level, double shift, const double least[], float *scratch)
{
  const fare_patch *patch = level->patch;
  const PetscInt    n = patch->count[0], rows = patch->count[1] * patch->count[2];
  const float      *scales[FARE_LANES], *diagonals[FARE_LANES], *ups[FARE_LANES], *downs[FARE_LANES];
  float             damped[FARE_DIM_MAX] = {0}, *diagonal[FARE_DIM_MAX], *tau[FARE_DIM_MAX];

  for (int axis = 0; axis < patch->dim; axis++) damped[axis] = (float)least[axis];
  for (int i = 0; i < FARE_DIM_MAX; i++) {
    tau[i]      = scratch + (2 * FARE_LANES + i) * n;
    diagonal[i] = scratch + (2 * FARE_LANES + 2 + i) * n; /* but of the first axis, below */
  }
  for (PetscInt k = 0, row = 0; k < patch->count[2]; k++) {
    for (PetscInt j = 0; j < patch->count[1]; j++, row++) {
      const PetscInt box = fare_patch_box_row(patch, j, k), at = row * n, lane = row % FARE_LANES;
      float         *scale = scratch + lane * n;

      scales[lane]    = scale;
      diagonals[lane] = diagonal[0] = scratch + (FARE_LANES + lane) * n;
      ups[lane]                     = level->up[0] + box;
      downs[lane]                   = level->down[0] + box;
      smoother_row(level, box, (float)shift, damped, scale, diagonal, tau);
      if (lane == FARE_LANES - 1 || row == rows - 1)
        eliminate_lanes(level, lane + 1, scales, diagonals, ups, downs, (row - lane) * n);
      for (int axis = 1; axis < patch->dim; axis++) {
        const PetscInt gap = axis == 1 ? n : n * patch->count[1], below = box - patch->stride[axis];
        float         *inverse = level->inverse[axis] + at;

        eliminate_row(n, diagonal[axis], level->up[axis] + below, level->down[axis] + below,
          (axis == 1 ? j : k) ? inverse - gap : NULL, inverse);
      }
    }
  }
}

/* A block of lines along the first axis, beginning at `at` in each array of theirs. */
static void solve_lanes(const fare_level *level, PetscInt rows, const float *const r[], float *restrict work,
  PetscInt at, float *to)
{
  const PetscInt n           = level->patch->count[0];
  const float *restrict from = level->from + at, *restrict lead = level->lead + at,
                        *restrict back = level->back + at;
  float carry[FARE_LANES]              = {0};

  if (rows < FARE_LANES) memset(work, 0, (size_t)(n * FARE_LANES) * sizeof *work);
  for (PetscInt first = 0; first < n; first += RUN) {
    const PetscInt end = PetscMin(first + RUN, n);

    to_lanes((size_t)rows, (size_t)(end - first), r, (size_t)first, work + first * FARE_LANES);
    for (PetscInt i = first; i < end; i++) {
#pragma omp simd
      for (int s = 0; s < FARE_LANES; s++) {
        const PetscInt c = i * FARE_LANES + s;

        carry[s] = work[c] = (from[c] * work[c] + TINY) + lead[c] * carry[s];
      }
    }
  }
  memset(carry, 0, sizeof carry);
  for (PetscInt first = (n - 1) / RUN * RUN; first >= 0; first -= RUN) {
    const PetscInt end = PetscMin(first + RUN, n);

    for (PetscInt i = end - 1; i >= first; i--) {
#pragma omp simd
      for (int s = 0; s < FARE_LANES; s++) {
        const PetscInt c = i * FARE_LANES + s;

        carry[s] = work[c] += back[c] * carry[s];
      }
    }
    from_lanes((size_t)rows, (size_t)(end - first), (size_t)n, work + first * FARE_LANES, to + at + first);
  }
}

/*
  One row on its way forth and back across rows; `before`, `after`: the row that was there just before, NULL
  for the first.
*/
static void forth_row(PetscInt n, const float *restrict inverse, const float *restrict up,
  const float *restrict before, float *restrict x)
{
  if (!before) {
#pragma omp simd
    for (PetscInt i = 0; i < n; i++) x[i] *= inverse[i];
    return;
  }
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) x[i] = inverse[i] * (x[i] + up[i] * before[i]) + TINY;
}

static void back_row(PetscInt n, const float *restrict inverse, const float *restrict down,
  const float *restrict after, float *restrict x)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) x[i] += inverse[i] * down[i] * after[i];
}

static void forth_at(const fare_level *level, int axis, PetscInt j, PetscInt k, float *x)
{
  const fare_patch *patch = level->patch;
  const PetscInt    n = patch->count[0], row = fare_patch_row(patch, j, k),
                 gap = axis == 1 ? n : n * patch->count[1];

  forth_row(n, level->inverse[axis] + row,
    level->up[axis] + fare_patch_box_row(patch, j, k) - patch->stride[axis],
    (axis == 1 ? j : k) ? x + row - gap : NULL, x + row);
}

static void back_at(const fare_level *level, int axis, PetscInt j, PetscInt k, float *x)
{
  const fare_patch *patch = level->patch;
  const PetscInt    n = patch->count[0], row = fare_patch_row(patch, j, k),
                 gap = axis == 1 ? n : n * patch->count[1];

  back_row(n, level->inverse[axis] + row, level->down[axis] + fare_patch_box_row(patch, j, k), x + row + gap,
    x + row);
}

/*
  What flows in along one axis to n cells. Both cells beside a face evaluate the same expression, so that what
  one loses the other gains. What a mass beyond an end would be does not matter: rates are zero there.
*/
static inline void add_flow(PetscInt n, const float *restrict up_below, const float *restrict down_below,
  const float *restrict up, const float *restrict down, const float *restrict below,
  const float *restrict here, const float *restrict above, float *restrict to)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++)
    to[i] += (up_below[i] * below[i] - down_below[i] * here[i]) - (up[i] * here[i] - down[i] * above[i]);
}

/* b - A x in one row. */
static void residual_row(
  const fare_level *level, PetscInt j, PetscInt k, float shift, const float *x, float *restrict to)
{
  const fare_patch *patch = level->patch;
  const PetscInt    n = patch->count[0], row = fare_patch_row(patch, j, k),
                 box = fare_patch_box_row(patch, j, k), line = k * patch->count[1] + j;
  const float *up = level->up[0] + box, *down = level->down[0] + box, *here = x + row, *b = level->b + row;
  const float *west = (const float *)patch->ghost[0][0] + line,
              *east = (const float *)patch->ghost[0][1] + line;

#pragma omp simd
  for (PetscInt i = 0; i < n; i++) to[i] = b[i] - shift * here[i];
  if (n == 1) {
    add_flow(1, up - 1, down - 1, up, down, west, here, east, to);
  } else {
    add_flow(1, up - 1, down - 1, up, down, west, here, here + 1, to);
    add_flow(n - 2, up, down, up + 1, down + 1, here, here + 1, here + 2, to + 1);
    add_flow(
      1, up + n - 2, down + n - 2, up + n - 1, down + n - 1, here + n - 2, here + n - 1, east, to + n - 1);
  }
  for (int axis = 1; axis < patch->dim; axis++) {
    const PetscInt at = axis == 1 ? j : k, gap = axis == 1 ? n : n * patch->count[1],
                   face = (axis == 1 ? k : j) * n, s = patch->stride[axis];
    const float *below = at ? here - gap : (const float *)patch->ghost[axis][0] + face,
                *above =
                  at < patch->count[axis] - 1 ? here + gap : (const float *)patch->ghost[axis][1] + face;

    up   = level->up[axis] + box;
    down = level->down[axis] + box;
    add_flow(n, up - s, down - s, up, down, below, here, above, to);
  }
}

/* The rows of a layer, and the layers: the last axis is the one across them. */
static PetscInt rows_of(const fare_patch *patch)
{
  return patch->dim == 2 ? 1 : patch->count[1];
}

void fare_level_forth(const fare_level *level, double shift, const float *x, float *scratch, float *to)
{
  const fare_patch *patch = level->patch;
  const int         last  = patch->dim - 1;
  const PetscInt    n = patch->count[0], each = rows_of(patch), rows = each * patch->count[last];
  float            *work = scratch, *r = scratch + n * FARE_LANES;
  const float      *source[FARE_LANES];

  for (PetscInt row = 0, done = 0; row < rows; row += FARE_LANES) {
    const PetscInt block = PetscMin(FARE_LANES, rows - row);

    for (PetscInt s = 0; s < block; s++) {
      if (x)
        residual_row(
          level, (row + s) % patch->count[1], (row + s) / patch->count[1], (float)shift, x, r + s * n);
      source[s] = x ? r + s * n : level->b + (row + s) * n;
    }
    solve_lanes(level, block, source, work, row * n, to);
    for (; done < (row + block) / each; done++) {
      for (PetscInt j = 0; j < each && last == 2; j++) forth_at(level, 1, j, done, to);
      for (PetscInt j = each - 2; j >= 0 && last == 2; j--) back_at(level, 1, j, done, to);
      for (PetscInt j = 0; j < each; j++)
        forth_at(level, last, last == 1 ? done : j, last == 1 ? 0 : done, to);
    }
  }
}

/* One layer on its way back along the last axis. */
static void back_layer(const fare_level *level, PetscInt layer, float *x)
{
  const fare_patch *patch = level->patch;
  const int         last  = patch->dim - 1;

  if (layer == patch->count[last] - 1) return;
  for (PetscInt j = 0; j < rows_of(patch); j++)
    back_at(level, last, last == 1 ? layer : j, last == 1 ? 0 : layer, x);
}

void fare_level_back(const fare_level *level, float *x)
{
  for (PetscInt layer = level->patch->count[level->patch->dim - 1] - 1; layer >= 0; layer--)
    back_layer(level, layer, x);
}

static void add_row(PetscInt n, const float *restrict inverse, const float *restrict down,
  const float *restrict z, float *restrict after, float *restrict x)
{
#pragma omp simd
  for (PetscInt i = 0; i < n; i++) {
    after[i] = z[i] + inverse[i] * down[i] * after[i];
    x[i] += after[i];
  }
}

void fare_level_back_add(const fare_level *level, const float *z, float *scratch, float *x)
{
  const fare_patch *patch = level->patch;
  const int         last  = patch->dim - 1;
  const PetscInt    n = patch->count[0], each = rows_of(patch);

  memset(scratch, 0, (size_t)(each * n) * sizeof *scratch);
  for (PetscInt row = each * patch->count[last] - 1; row >= 0; row--) {
    const PetscInt at  = row * n,
                   box = fare_patch_box_row(patch, row % patch->count[1], row / patch->count[1]);

    add_row(n, level->inverse[last] + at, level->down[last] + box, z + at, scratch + row % each * n, x + at);
  }
}

static void restrict_layer(
  const fare_level *level, const fare_level *coarse, PetscInt layer, float shift, float *restrict row)
{
  const fare_patch *patch            = level->patch;
  const PetscInt    n                = coarse->patch->count[0],
                 twice[FARE_DIM_MAX] = {patch->count[0] / n, patch->count[1] / coarse->patch->count[1],
                   patch->count[2] / coarse->patch->count[2]};

  for (PetscInt at = 0; at < rows_of(patch); at++) {
    const PetscInt j = patch->dim == 2 ? layer : at, k = patch->dim == 2 ? 0 : layer;
    float *restrict sum = coarse->b + fare_patch_row(coarse->patch, j / twice[1], k / twice[2]);

    residual_row(level, j, k, shift, level->x, row);
    if (twice[0] == 2) {
#pragma omp simd
      for (PetscInt i = 0; i < n; i++) sum[i] += row[2 * i] + row[2 * i + 1];
    } else {
#pragma omp simd
      for (PetscInt i = 0; i < n; i++) sum[i] += row[i];
    }
  }
}

void fare_level_back_restrict(const fare_level *level, const fare_level *coarse, double shift, float *scratch)
{
  const PetscInt layers = level->patch->count[level->patch->dim - 1];

  memset(coarse->b, 0, (size_t)coarse->patch->owned * sizeof *coarse->b);
  for (PetscInt layer = layers - 1; layer >= 0; layer--) {
    back_layer(level, layer, level->x);
    if (layer < layers - 1) restrict_layer(level, coarse, layer + 1, (float)shift, scratch);
  }
  restrict_layer(level, coarse, 0, (float)shift, scratch);
}
