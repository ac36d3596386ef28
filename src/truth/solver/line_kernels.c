/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Elimination where nothing is subtracted, so that a small shift costs no digits (Grassmann, Taksar and
  Heyman, Operations Research 33, 1107, 1985): a pivot is the rate to the next cell plus what is left of it
  without.

  Long lines are cut into parts that are eliminated side by side (Wang, ACM Trans. Math. Softw. 7, 170, 1981).
  The last cell of each part stays. Cell after cell goes: its mass b, and what comes in from the last cell of
  the part below, is handed on: to the next cell, to that last cell, or it is lost. What stays is a short line
  with the like rates, and with losses of its own in each cell.

  A short line is eliminated from both ends to the middle at once: two chains of divisions that do not wait
  for each other take half the time of one. A ring is cut at its last cell, whose own equation is that for the
  sum of all.
*/
#include "support/kernel.h"
#include "line.h"

#define PARTS    FARE_LINE_PARTS
#define LONG     (8 * PARTS) /* cells from which on a line is cut */
#define SHORT    (2 * PARTS)
#define SMALLEST 1e-280 /* added so that products do not become so small that processors are slow at them */

/* x_i = x[i] + carried[i] x_next from both sides, until they meet. lost: from each cell. */
static void solve_open(PetscInt n, const double *restrict up, const double *restrict down,
  const double *restrict lost, const double *restrict b, double *restrict x, double *restrict carried)
{
  const PetscInt middle = n / 2;
  PetscInt       k      = n - 1;
  double low = lost[0] + down[-1], high = lost[n - 1] + up[n - 1], low_share = 0, high_share = 0, below = 0,
         above = 0, met;

  for (PetscInt i = n % 2 ? -1 : 0; i < middle; i++, k--) {
    const double h = 1 / (down[k - 1] + high);

    high_share = high * h;
    above      = (b[k] + down[k] * above) * h;
    x[k]       = above;
    carried[k] = up[k - 1] * h;
    high       = lost[k - 1] + up[k - 1] * high_share;
    if (i >= 0) {
      const double g = 1 / (up[i] + low);

      low_share  = low * g;
      below      = (b[i] + up[i - 1] * below) * g;
      x[i]       = below;
      carried[i] = down[i] * g;
      low        = lost[i + 1] + down[i] * low_share;
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

/* last: what a unit of mass in the last cell brings to the others. */
static void solve_ring(PetscInt n, const double *up, const double *down, const double *lost, const double *b,
  double *x, double *work, double *last)
{
  const PetscInt m     = n - 1;
  double         pivot = lost[m], known = b[m], rest;

  for (PetscInt i = 0; i < m; i++) x[i] = 0;
  x[0] += up[m];
  x[m - 1] += down[m - 1];
  solve_open(m, up, down, lost, x, last, work);
  solve_open(m, up, down, lost, b, x, work);
  for (PetscInt i = 0; i < m; i++) pivot += lost[i] * last[i];
  known += up[m - 1] * x[m - 1] + down[m] * x[0];
  rest = known / pivot;
  for (PetscInt i = 0; i < m; i++) x[i] += rest * last[i];
  x[m] = rest;
}

/*
  What the parts have handed on: to the next cell, its mass and that from the last cell of the part below; its
  pivot's shares, lost and back to that cell; and what that cell has lost and got.
*/
typedef struct {
  double mass[PARTS], from[PARTS], lost[PARTS], back[PARTS], below_lost[PARTS], below_mass[PARTS];
} handed;

/* kept: of each cell of all parts, what it is of itself, of the cell below its part, and of the next. */
static void eliminate_parts(PetscInt each, const double *restrict up, const double *restrict down,
  double shift, const double *restrict b, double *restrict kept, handed *restrict h)
{
  for (PetscInt i = 0; i < each - 1; i++, kept += 3 * PARTS) {
#pragma omp simd
    for (int s = 0; s < PARTS; s++) {
      const double u = up[s * each + i], d = down[s * each + i];
      const double g = 1 / (u + (h->lost[s] + h->back[s])), own = g * (h->mass[s] + b[s * each + i]),
                   of_below = g * h->from[s], of_next = g * d;

      kept[s]             = own;
      kept[PARTS + s]     = of_below;
      kept[2 * PARTS + s] = of_next;
      h->below_lost[s] += of_below * h->lost[s];
      h->below_mass[s] += own * h->back[s];
      h->mass[s] = own * u;
      h->from[s] = of_below * u + SMALLEST;
      h->back[s] = of_next * h->back[s] + SMALLEST;
      h->lost[s] = of_next * h->lost[s] + shift;
    }
  }
}

static void fill_parts(PetscInt each, const double *restrict kept, const double *restrict below,
  const double *restrict last, double *restrict x)
{
  double next[PARTS];

  for (int s = 0; s < PARTS; s++) next[s] = last[s];
  for (PetscInt i = each - 2; i >= 0; i--) {
    const double *k = kept + 3 * PARTS * i;

#pragma omp simd
    for (int s = 0; s < PARTS; s++) {
      next[s]         = k[s] + k[PARTS + s] * below[s] + k[2 * PARTS + s] * next[s];
      x[s * each + i] = next[s];
    }
  }
}

typedef struct {
  double up[SHORT + 1], down[SHORT + 1], lost[SHORT], b[SHORT], x[SHORT], work[2 * SHORT];
} short_line;

/* The line of the cells that stay: the last of each part, and those that are left over. up[k + 1]: above k.
 */
static void shorten(PetscInt n, int ring, PetscInt each, const double *up, const double *down, double shift,
  const double *b, const handed *h, short_line *l)
{
  const PetscInt cells = PARTS + n % PARTS;

  for (PetscInt k = 0; k < cells; k++) {
    const PetscInt at = k < PARTS ? (k + 1) * each - 1 : PARTS * each + k - PARTS;

    l->b[k]        = b[at] + (k < PARTS ? h->mass[k] : 0);
    l->lost[k]     = k < PARTS ? h->lost[k] : shift;
    l->up[k + 1]   = up[at];
    l->down[k + 1] = down[at];
  }
  for (PetscInt k = 0; k < PARTS; k++) {
    const PetscInt below = k ? k - 1 : cells - 1;

    l->up[k]   = h->from[k];
    l->down[k] = h->back[k];
    if (!k && !ring) continue;
    l->lost[below] += h->below_lost[k];
    l->b[below] += h->below_mass[k];
  }
  if (ring) {
    l->up[cells]   = l->up[0];
    l->down[cells] = l->down[0];
  } else {
    l->up[0] = l->down[0] = 0; /* what is lost at the end is in `lost` */
  }
}

static void solve_long(PetscInt n, int ring, const double *up, const double *down, double shift,
  const double *b, double *x, double *kept)
{
  const PetscInt each = n / PARTS, cells = PARTS + n % PARTS;
  handed         h;
  short_line     l;
  double         below[PARTS];

  for (int s = 0; s < PARTS; s++) {
    h.mass[s] = h.below_lost[s] = h.below_mass[s] = 0;
    h.from[s]                                     = up[s * each - 1];
    h.back[s]                                     = down[s * each - 1];
    h.lost[s]                                     = shift;
  }
  if (!ring) {
    h.from[0] = h.back[0] = 0;
    h.lost[0] += down[-1];
  }
  eliminate_parts(each, up, down, shift, b, kept, &h);
  shorten(n, ring, each, up, down, shift, b, &h, &l);
  if (ring)
    solve_ring(cells, l.up + 1, l.down + 1, l.lost, l.b, l.x, l.work, l.work + SHORT);
  else
    solve_open(cells, l.up + 1, l.down + 1, l.lost, l.b, l.x, l.work);
  for (int s = 0; s < PARTS; s++) below[s] = s ? l.x[s - 1] : ring ? l.x[cells - 1] : 0;
  fill_parts(each, kept, below, l.x, x);
  for (PetscInt k = 0; k < cells; k++) x[k < PARTS ? (k + 1) * each - 1 : PARTS * each + k - PARTS] = l.x[k];
}

void fare_line_solve(PetscInt n, int ring, const double *up, const double *down, double shift,
  const double *b, double *x, double *work)
{
  double *lost = work + 2 * n;

  if (n >= LONG) {
    solve_long(n, ring, up, down, shift, b, x, work);
    return;
  }
  for (PetscInt i = 0; i < n; i++) lost[i] = shift;
  if (ring)
    solve_ring(n, up, down, lost, b, x, work, work + n);
  else
    solve_open(n, up, down, lost, b, x, work);
}
