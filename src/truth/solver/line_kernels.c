/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Elimination from both ends to the middle at once: two chains of divisions that do not wait for each other
  take half the time of one. A pivot is the rate to the next cell plus what is left of it without, its excess;
  from below, with t_i the share of the excess in the pivot,

    t_i = s_i / (up_i + s_i),   s_(i+1) = shift + down_i t_i,

  and likewise from above. Nothing is subtracted, so a small shift costs no digits (Grassmann, Taksar and
  Heyman, Operations Research 33, 1107, 1985). A ring is cut at its last cell, whose own equation is that for
  the sum of all.
*/
#include "support/kernel.h"
#include "line.h"

/* x_i = x[i] + carried[i] x_next from both sides, until they meet. */
static void solve_open(PetscInt n, const double *restrict up, const double *restrict down, double shift,
  const double *restrict b, double *restrict x, double *restrict carried)
{
  const PetscInt middle = n / 2;
  PetscInt       k      = n - 1;
  double         low = shift + down[-1], high = shift + up[n - 1], low_share = 0, high_share = 0, below = 0,
         above = 0, met;

  for (PetscInt i = n % 2 ? -1 : 0; i < middle; i++, k--) {
    const double h = 1 / (down[k - 1] + high);

    high_share = high * h;
    above      = (b[k] + down[k] * above) * h;
    x[k]       = above;
    carried[k] = up[k - 1] * h;
    high       = shift + up[k - 1] * high_share;
    if (i >= 0) {
      const double g = 1 / (up[i] + low);

      low_share  = low * g;
      below      = (b[i] + up[i - 1] * below) * g;
      x[i]       = below;
      carried[i] = down[i] * g;
      low        = shift + down[i] * low_share;
    }
  }
  met           = 1 / (low_share + high_share * (1 - low_share));
  x[middle - 1] = (below + carried[middle - 1] * above) * met;
  x[middle]     = (above + carried[middle] * below) * met;
  k             = middle + 1;
  for (PetscInt i = middle - 2; i >= 0; i--, k++) {
    x[i] += carried[i] * x[i + 1];
    x[k] += carried[k] * x[k - 1];
  }
  for (; k < n; k++) x[k] += carried[k] * x[k - 1];
}

void fare_line_solve(PetscInt n, int ring, const double *up, const double *down, double shift,
  const double *b, double *x, double *work)
{
  const PetscInt m    = n - 1;
  double        *last = work + n; /* what a unit of mass in the last cell brings to the others */
  double         all = 0, known = b[n - 1], rest;

  if (!ring) {
    solve_open(n, up, down, shift, b, x, work);
    return;
  }
  for (PetscInt i = 0; i < m; i++) x[i] = 0;
  x[0] += up[n - 1];
  x[m - 1] += down[m - 1];
  solve_open(m, up, down, shift, x, last, work);
  solve_open(m, up, down, shift, b, x, work);
  for (PetscInt i = 0; i < m; i++) all += last[i];
  known += up[m - 1] * x[m - 1] + down[n - 1] * x[0];
  rest = known / (shift * (1 + all));
  for (PetscInt i = 0; i < m; i++) x[i] += rest * last[i];
  x[m] = rest;
}
