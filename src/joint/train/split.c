/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The best approximation of a matrix by one of lower rank: subspace iteration from a good guess, a few more
  directions at random, then a singular value decomposition of what lies in the subspace (Halko, Martinsson
  and Tropp, SIAM Rev. 53, 217, 2011). The matrices here are wide and their singular values fall fast.
*/
#include "train.h"

#include <cblas.h>
#include <math.h>
#include <petscblaslapack.h>

#define MORE  8     /* directions beyond the rank that is kept */
#define TURNS 1     /* of the iteration */
#define CUT   1e-10 /* singular values are kept down to this, relative to the largest */
#define FULL  1e-8  /* what the limit cuts off above this makes it felt */

/* Orthonormal rows that span those of v, `count` of this length. */
static PetscErrorCode orthonormalise(int count, int length, double *v)
{
  PetscBLASInt m = length, n = count, info, room = 64 * count;
  double      *tau, *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(count, &tau, room, &work));
  PetscCallBLAS("LAPACKgeqrf", LAPACKgeqrf_(&m, &n, v, &m, tau, work, &room, &info));
  if (!info) PetscCallBLAS("LAPACKorgqr", LAPACKorgqr_(&m, &n, &n, v, &m, tau, work, &room, &info));
  PetscCall(PetscFree2(tau, work));
  if (info) FARE_FAIL(FARE_ERR_FAILED, "tensor train: LAPACK cannot factor a matrix (%d)", (int)info);
  PetscFunctionReturn(0);
}

/* B (count rows) = rows' turn * s * z: singular values, right vectors as rows, and turn[i][j] for row j. */
static PetscErrorCode decompose(int count, int length, double *B, double s[], double *z, double *turn)
{
  PetscBLASInt m = length, n = count, info, room = 16 * length + 64 * count;
  double      *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(room, &work));
  PetscCallBLAS("LAPACKgesvd", LAPACKgesvd_("S", "S", &m, &n, B, &m, s, z, &m, turn, &n, work, &room, &info));
  PetscCall(PetscFree(work));
  if (info) FARE_FAIL(FARE_ERR_FAILED, "tensor train: a singular value decomposition fails (%d)", (int)info);
  PetscFunctionReturn(0);
}

/* Normal numbers, always the same. */
static void fill_at_random(size_t n, double *to)
{
  const fare_stream stream = fare_stream_make(1, "tensor train");
  double            z[FARE_BLOCK] FARE_ALIGNED;

  for (size_t at = 0; at < n; at += FARE_BLOCK) {
    fare_random_normals(stream, at / FARE_BLOCK, 0, 0, z);
    (void)PetscArraycpy(to + at, z, PetscMin(n - at, FARE_BLOCK));
  }
}

/* Rows that span the best subspace on the left: u, `count` of length `rows`. */
static PetscErrorCode find_rows(
  int rows, int columns, const double *m, int count, int guesses, const double *guess, double *u, double *v)
{
  const int known = PetscMin(guesses, count);

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(v, guess, (size_t)known * (size_t)columns));
  fill_at_random((size_t)(count - known) * (size_t)columns, v + (size_t)known * (size_t)columns);
  for (int turn = 0;; turn++) {
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, count, rows, columns, 1, v, columns, m, columns, 0, u, rows);
    PetscCall(orthonormalise(count, rows, u));
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, count, columns, rows, 1, u, rows, m, columns, 0, v, columns);
    if (turn == TURNS) break;
    PetscCall(orthonormalise(count, columns, v));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_split(int rows, int columns, double *m, int most, int guesses, const double *guess,
  PetscBool to_left, double *left, double *right, int *rank, double *lost, PetscBool *full)
{
  const int    count = PetscMin(most + MORE, PetscMin(rows, columns));
  const double whole = cblas_dnrm2(rows * columns, m, 1);
  double      *u, *v, *z, *turn, *s, seen = 0, kept = 0;
  int          k;

  PetscFunctionBegin;
  PetscCall(PetscMalloc5(
    count * rows, &u, count * columns, &v, count * columns, &z, count * count, &turn, count, &s));
  PetscCall(find_rows(rows, columns, m, count, guesses, guess, u, v));
  PetscCall(decompose(count, columns, v, s, z, turn));
  for (k = 0; k < count && k < most && (!k || s[k] > CUT * s[0]); k++) kept += s[k] * s[k];
  for (int i = 0; i < count; i++) seen += s[i] * s[i];
  *rank = k;
  *lost =
    sqrt(PetscMax(0, (seen - kept) + (whole * whole - seen > 1e-13 * seen ? whole * whole - seen : 0))) /
    whole;
  if (k == most && k < count && s[k] > FULL * s[0]) *full = PETSC_TRUE;
  for (int i = 0; i < k; i++) {
    const double at_left = to_left ? s[i] : 1, at_right = to_left ? 1 : s[i];

    cblas_dscal(count, at_left, turn + i, count);
    for (int c = 0; c < columns; c++) right[i * columns + c] = at_right * z[i * columns + c];
  }
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, k, count, 1, u, rows, turn, count, 0, left, k);
  PetscCall(PetscFree5(u, v, z, turn, s));
  if (!isfinite(whole) || !(whole > 0)) FARE_FAIL(FARE_ERR_FAILED, "tensor train: no density is left");
  PetscFunctionReturn(0);
}
