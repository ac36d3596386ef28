/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Tridiagonal systems, many at once, that are closed or not. Loops run over strands side by side, which are
  neighbours in memory.
*/
#include "support/kernel.h"
#include "propagator.h"

static void factorise_open(
  PetscInt length, PetscInt inners, double *diagonal, double *below, const double *above)
{
  for (PetscInt k = 0; k < inners; k++) diagonal[k] = 1 / diagonal[k];
  for (PetscInt n = inners; n < length * inners; n += inners) {
    double *restrict d = diagonal + n, *restrict l = below + n;
    const double *restrict a = above + n - inners, *restrict before = diagonal + n - inners;

#pragma omp simd
    for (PetscInt k = 0; k < inners; k++) {
      l[k] *= before[k];
      d[k] = 1 / (d[k] - l[k] * a[k]);
    }
  }
}

/*
  The last cell neighbours the first: its row and its column fill up, and hold what the last but one has to do
  with it besides.
*/
static void factorise_closed(PetscInt length, PetscInt inners, double *diagonal, double *below, double *above,
  double *row, double *column)
{
  const PetscInt end = (length - 1) * inners;

  for (PetscInt k = 0; k < inners; k++) {
    column[k] = below[k];
    row[k]    = above[end + k];
    for (PetscInt n = k; n < end; n += inners) {
      if (n > k) {
        below[n] *= diagonal[n - inners];
        diagonal[n] -= below[n] * above[n - inners];
        column[n] = below[n] * column[n - inners];
        row[n]    = row[n - inners] * above[n - inners];
      }
      if (n + inners == end + k) {
        column[n] += above[n];
        row[n] += below[end + k];
        above[n] = 0;
      }
      diagonal[n] = 1 / diagonal[n];
      row[n] *= diagonal[n];
      diagonal[end + k] -= row[n] * column[n];
    }
    diagonal[end + k] = 1 / diagonal[end + k];
    below[end + k]    = 0;
  }
}

void fare_strands_factorise(const fare_strands *of, const fare_strands_factors *f)
{
  for (PetscInt outer = 0; outer < of->outers; outer++) {
    const PetscInt at = outer * of->length * of->inners;

    if (f->last_row)
      factorise_closed(of->length, of->inners, f->inverse + at, f->below + at, f->above + at,
        f->last_row + at, f->last_column + at);
    else
      factorise_open(of->length, of->inners, f->inverse + at, f->below + at, f->above + at);
  }
}

/* to += factor from, for strands side by side. */
static inline void add(
  PetscInt inners, const double *restrict factor, const double *restrict from, double *restrict to)
{
#pragma omp simd
  for (PetscInt k = 0; k < inners; k++) to[k] += factor[k] * from[k];
}
static inline void scale(PetscInt inners, const double *restrict factor, double *restrict to)
{
#pragma omp simd
  for (PetscInt k = 0; k < inners; k++) to[k] *= factor[k];
}

void fare_strands_solve(const fare_strands *of, const fare_strands_factors *f, double x[])
{
  const PetscInt m = of->inners, end = (of->length - 1) * m;

  for (PetscInt at = 0; at < of->outers * of->length * m; at += of->length * m) {
    const double *l = f->below + at, *v = f->inverse + at, *a = f->above + at,
                 *row    = f->last_row ? f->last_row + at : NULL,
                 *column = f->last_row ? f->last_column + at : NULL;
    double *y            = x + at;

    for (PetscInt n = m; n <= end; n += m) add(m, l + n, y + n - m, y + n);
    for (PetscInt n = 0; row && n < end; n += m) add(m, row + n, y + n, y + end);
    scale(m, v + end, y + end);
    for (PetscInt n = end - m; n >= 0; n -= m) {
      if (row) add(m, column + n, y + end, y + n);
      add(m, a + n, y + n + m, y + n);
      scale(m, v + n, y + n);
    }
  }
}

void fare_strands_solve_transposed(const fare_strands *of, const fare_strands_factors *f, double x[])
{
  const PetscInt m = of->inners, end = (of->length - 1) * m;

  for (PetscInt at = 0; at < of->outers * of->length * m; at += of->length * m) {
    const double *l = f->below + at, *v = f->inverse + at, *a = f->above + at,
                 *row    = f->last_row ? f->last_row + at : NULL,
                 *column = f->last_row ? f->last_column + at : NULL;
    double *y            = x + at;

    for (PetscInt n = 0; n <= end; n += m) {
      if (n) add(m, a + n - m, y + n - m, y + n);
      if (n < end || !row) scale(m, v + n, y + n);
      if (row && n < end) add(m, column + n, y + n, y + end);
    }
    if (row) scale(m, v + end, y + end);
    for (PetscInt n = end - m; n >= 0; n -= m) {
      if (row) add(m, row + n, y + end, y + n);
      add(m, l + n + m, y + n + m, y + n);
    }
  }
}
