/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <cblas.h>
#include <fare/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static fare_random begin(uint64_t seed)
{
  return (fare_random){.stream = fare_stream_make(seed, "system/frame")};
}

void fare_frame_permute(fare_frame *frame, uint64_t seed)
{
  fare_random random = begin(seed);

  frame->kind = FARE_FRAME_PERMUTATION;
  for (int i = 0; i < frame->axes; i++) frame->order[i] = i;
  for (int i = frame->axes - 1; i > 0; i--) {
    const int j = PetscMin(i, (int)(fare_random_uniform(&random) * (i + 1))), kept = frame->order[i];

    frame->order[i] = frame->order[j];
    frame->order[j] = kept;
  }
}

/*
  Rows of normal numbers, made orthonormal one after the other: that factor of theirs is even over the group
  (Mezzadri, Notices AMS 54, 592 (2007)). Twice is enough against cancellation.
*/
PetscErrorCode fare_frame_haar(fare_frame *frame, uint64_t seed)
{
  const int   n      = frame->axes;
  fare_random random = begin(seed);

  PetscFunctionBegin;
  frame->kind = FARE_FRAME_ROTATION;
  frame->q    = calloc((size_t)(n * n), sizeof *frame->q);
  if (!frame->q) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a rotation of %d axes", n);
  for (int i = 0; i < n; i++) {
    double *row = frame->q + i * n;

    for (int k = 0; k < n; k++) row[k] = fare_random_normal(&random);
    for (int j = 0; j < 2 * i; j++) {
      const double *other = frame->q + j % i * n;

      cblas_daxpy(n, -cblas_ddot(n, other, 1, row, 1), other, 1, row, 1);
    }
    cblas_dscal(n, 1 / cblas_dnrm2(n, row, 1), row, 1);
  }
  PetscFunctionReturn(0);
}

double fare_frame_defect(const fare_frame *frame)
{
  const int n     = frame->axes;
  double    worst = 0;

  for (int i = 0; i < n; i++) {
    for (int j = 0; j <= i; j++)
      worst =
        PetscMax(worst, fabs(cblas_ddot(n, frame->q + i * n, 1, frame->q + j * n, 1) - (i == j ? 1 : 0)));
  }
  return worst;
}

/*
  By products of matrices with always as many columns as a block has particles: what a library adds up in
  which order must not depend on how many points there are.
*/
static void rotate(const fare_frame *frame, CBLAS_TRANSPOSE transpose, size_t n, const double *const from[],
  double *const to[])
{
  const size_t               axes = (size_t)frame->axes;
  static FARE_ALIGNED double in[FARE_AXES_MAX * FARE_BLOCK], out[FARE_AXES_MAX * FARE_BLOCK];

  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t count = PetscMin(n - first, FARE_BLOCK);

    for (size_t a = 0; a < axes; a++) {
      memcpy(in + a * FARE_BLOCK, from[a] + first, count * sizeof *in);
      memset(in + a * FARE_BLOCK + count, 0, (FARE_BLOCK - count) * sizeof *in);
    }
    cblas_dgemm(CblasRowMajor, transpose, CblasNoTrans, frame->axes, FARE_BLOCK, frame->axes, 1, frame->q,
      frame->axes, in, FARE_BLOCK, 0, out, FARE_BLOCK);
    for (size_t a = 0; a < axes; a++) memcpy(to[a] + first, out + a * FARE_BLOCK, count * sizeof *out);
  }
}

void fare_frame_enter(const fare_frame *frame, size_t n, const double *const x[], double *const y[])
{
  if (frame->kind == FARE_FRAME_ROTATION) {
    rotate(frame, CblasTrans, n, x, y);
    return;
  }
  for (int a = 0; a < frame->axes; a++)
    memcpy(y[a], x[frame->kind == FARE_FRAME_NONE ? a : frame->order[a]], n * sizeof **y);
}

void fare_frame_leave(const fare_frame *frame, size_t n, const double *const y[], double *const x[])
{
  if (frame->kind == FARE_FRAME_ROTATION) {
    rotate(frame, CblasNoTrans, n, y, x);
    return;
  }
  for (int a = 0; a < frame->axes; a++)
    memcpy(x[frame->kind == FARE_FRAME_NONE ? a : frame->order[a]], y[a], n * sizeof **y);
}

/* The axis before is still, or already, that of y. */
static void add_square(double factor, size_t n, const double *before, double *to)
{
  for (size_t i = 0; i < n; i++) to[i] += factor * before[i] * before[i];
}

void fare_frame_lift(const fare_frame *frame, size_t n, double *const y[])
{
  for (int a = frame->axes - 1; a > 0; a--) add_square(frame->lift, n, y[a - 1], y[a]);
}

void fare_frame_lower(const fare_frame *frame, size_t n, double *const z[])
{
  for (int a = 1; a < frame->axes; a++) add_square(-frame->lift, n, z[a - 1], z[a]);
}

/* Its Jacobian has ones on the diagonal, and below it 2 lift y: its transpose is solved from the last axis.
 */
void fare_frame_lift_gradient(
  const fare_frame *frame, size_t n, const double *const y[], double *const gradient[])
{
  for (int a = frame->axes - 2; a >= 0; a--) {
    for (size_t i = 0; i < n; i++) gradient[a][i] -= 2 * frame->lift * y[a][i] * gradient[a + 1][i];
  }
}

void fare_frame_apply(const fare_frame *frame, size_t n, double *const x[],
  void (*change)(const fare_frame *frame, size_t n, double *const y[]))
{
  static FARE_ALIGNED double store[FARE_AXES_MAX][FARE_BLOCK];

  for (size_t first = 0; first < n; first += FARE_BLOCK) {
    const size_t  count = PetscMin(n - first, FARE_BLOCK);
    const double *from[FARE_AXES_MAX];
    double       *y[FARE_AXES_MAX], *to[FARE_AXES_MAX];

    for (int a = 0; a < frame->axes; a++) {
      from[a] = y[a] = store[a];
      to[a]          = x[a] + first;
    }
    fare_frame_enter(frame, count, (const double *const *)to, y);
    change(frame, count, y);
    fare_frame_leave(frame, count, from, to);
  }
}
