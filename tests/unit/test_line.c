/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* The direct solve on one axis against dense elimination, and where a small shift leaves no digits to lose.
 */
#include "fare_test.h"

#include "truth/solver/line.h"

#include <math.h>
#include <stdlib.h>

#define LARGEST 161 /* long enough to be cut into parts, and a rest */
#define USUAL   33

enum { CLOSED, LEAKING, RING };

typedef struct {
  PetscInt n;
  int      ends;
  double   up[LARGEST + 1], down[LARGEST + 1]; /* of the face below cell i */
} line;

static double uniform(void)
{
  return rand() / (double)RAND_MAX;
}

/* Rates between 1e-3 and 1e3, some of them zero. */
static double rate(void)
{
  return rand() % 7 ? pow(10, 6 * uniform() - 3) : 0;
}

static void make_line(line *l, PetscInt n, int ends)
{
  l->n    = n;
  l->ends = ends;
  for (PetscInt i = 0; i <= n; i++) {
    l->up[i]   = rate();
    l->down[i] = rate();
  }
  l->up[0] = l->down[n] = 0;
  if (ends == CLOSED) l->down[0] = l->up[n] = 0;
  if (ends != RING) return;
  l->up[0]   = l->up[n];
  l->down[0] = l->down[n] = rate();
}

static void solve(const line *l, double shift, const double *b, double *x)
{
  double work[FARE_LINE_WORK(LARGEST)];

  fare_line_solve(l->n, l->ends == RING, l->up + 1, l->down + 1, shift, b, x, work);
}

/* Elimination with row exchanges, of a matrix built column by column from where each cell's mass goes. */
static void solve_densely(const line *l, double shift, const double *b, long double *x)
{
  const PetscInt n                       = l->n;
  long double    A[LARGEST][LARGEST + 1] = {{0}};

  for (PetscInt i = 0; i < n; i++) {
    A[i][i] += (long double)shift + l->up[i + 1] + l->down[i];
    A[i][n] = b[i];
    if (i + 1 < n || l->ends == RING) A[(i + 1) % n][i] -= l->up[i + 1];
    if (i > 0 || l->ends == RING) A[(i + n - 1) % n][i] -= l->down[i];
  }
  for (PetscInt k = 0; k < n; k++) {
    PetscInt best = k;

    for (PetscInt i = k; i < n; i++)
      if (fabsl(A[i][k]) > fabsl(A[best][k])) best = i;
    for (PetscInt j = k; j <= n; j++) {
      const long double swapped = A[k][j];

      A[k][j]    = A[best][j];
      A[best][j] = swapped;
    }
    for (PetscInt i = k + 1; i < n; i++)
      for (PetscInt j = n; j >= k; j--) A[i][j] -= A[i][k] / A[k][k] * A[k][j];
  }
  for (PetscInt k = n - 1; k >= 0; k--) {
    x[k] = A[k][n];
    for (PetscInt j = k + 1; j < n; j++) x[k] -= A[k][j] * x[j];
    x[k] /= A[k][k];
  }
}

static void agrees_with_dense_elimination(void **state)
{
  double      b[LARGEST], x[LARGEST];
  long double dense[LARGEST];
  line        l;

  (void)state;
  srand(5);
  for (int trial = 0; trial < 3000; trial++) {
    const int      ends  = trial % 3;
    const PetscInt least = ends == RING ? 3 : 2, largest = trial % 40 < 3 ? LARGEST : USUAL,
                   n   = least + rand() % (largest + 1 - (int)least);
    const double shift = pow(10, 5 * uniform() - 2);
    double       size = 0, wrong = 0;

    make_line(&l, n, ends);
    for (PetscInt i = 0; i < n; i++) b[i] = uniform() - (trial % 2 ? 0.5 : 0);
    solve(&l, shift, b, x);
    solve_densely(&l, shift, b, dense);
    for (PetscInt i = 0; i < n; i++) {
      size += (double)fabsl(dense[i]);
      wrong += (double)fabsl(dense[i] - x[i]);
    }
    assert_true(wrong <= 1e-13 * size);
  }
}

/* Masses at rest under the rates, divided by the shift, are the solution: to all digits, for any shift. */
static void small_shifts_cost_no_digits(void **state)
{
  double rest[LARGEST], x[LARGEST];
  line   l;

  (void)state;
  srand(6);
  for (PetscInt n = 3; n <= LARGEST; n++) {
    for (int ring = 0; ring < 2; ring++) {
      make_line(&l, n, ring ? RING : CLOSED);
      for (PetscInt i = 0; i < n; i++) rest[i] = 1e-2 + uniform();
      for (PetscInt i = 0; i <= n; i++) {
        const PetscInt below = (i + n - 1) % n, above = i % n;

        if (!ring && (i == 0 || i == n)) continue;
        l.up[i]   = (ring && i == n) ? l.up[0] : 1e3 * (0.1 + uniform());
        l.down[i] = l.up[i] * rest[below] / rest[above];
      }
      for (double shift = 1; shift > 1e-15; shift /= 100) {
        solve(&l, shift, rest, x);
        for (PetscInt i = 0; i < n; i++) assert_true(fabs(x[i] * shift / rest[i] - 1) < 1e-11);
      }
    }
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(agrees_with_dense_elimination),
  cmocka_unit_test(small_shifts_cost_no_digits),
};
FARE_TEST_MAIN(tests)
