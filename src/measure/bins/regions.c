/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions that follow from a density alone: where it is thinnest, and the basins of its peaks. */
#include "binning.h"

#include <float.h>
#include <math.h>

/* relative: bins that differ by less are alike, so that round-off of a symmetric density decides nothing */
#define SAME_DENSITY 1e-6
#define DEPTH_LEAST  0.5   /* ln(peak/pass) that keeps a well apart */
#define MASS_LEAST   0.001 /* above the pass, to be a well; so there are at most 1000 */
#define NEIGHBOURS   26

typedef struct {
  const fare_binning *binning;
  const double       *mass;
  double             *density, *sorted;
  PetscInt           *order;  /* bins by ascending density */
  int                *parent; /* of every bin, up to the peak of its well; -1: not reached yet */
  double             *above;  /* at a peak: mass of its well so far */
} search;

static double width(const fare_binning *b, int axis, PetscInt i)
{
  return b->grid.spacing[axis] * (double)PetscMin(b->step[axis], b->grid.cells[axis] - i * b->step[axis]);
}

static PetscErrorCode put_in_order(search *s)
{
  const fare_binning *b = s->binning;
  size_t              n = 0;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < b->seen[2]; k++) {
    for (PetscInt j = 0; j < b->seen[1]; j++) {
      for (PetscInt i = 0; i < b->seen[0]; i++, n++) {
        double volume = width(b, 0, i);

        if (b->grid.dim > 1) volume *= width(b, 1, j);
        if (b->grid.dim > 2) volume *= width(b, 2, k);
        s->density[n] = s->sorted[n] = s->mass[n] / volume;
        s->order[n]                  = (PetscInt)n;
        s->parent[n]                 = -1;
      }
    }
  }
  PetscCall(PetscSortRealWithArrayInt((PetscInt)n, s->sorted, s->order));
  PetscFunctionReturn(0);
}

/* Whole bins until the next ones alike are too many, and of those the part that is wanting. */
static void find_tail(const search *s, double tail[])
{
  const size_t n    = s->binning->all_seen;
  double       have = 0;
  size_t       i    = 0;

  for (size_t k = 0; k < n; k++) tail[k] = 0;
  while (i < n) {
    double alike = 0, part;
    size_t to    = i;

    for (; to < n && s->sorted[to] <= s->sorted[i] * (1 + SAME_DENSITY); to++) alike += s->mass[s->order[to]];
    part = have + alike <= FARE_TAIL ? 1 : (FARE_TAIL - have) / alike;
    for (; i < to; i++) tail[s->order[i]] = part;
    if (part < 1) return;
    have += alike;
  }
}

/*
  Bins that touch a bin, over corners too: along a narrow ridge off the axes nothing else would hold together.
*/
static int find_neighbours(const fare_binning *b, PetscInt bin, PetscInt neighbour[NEIGHBOURS])
{
  const PetscInt at[FARE_DIM_MAX] = {
    bin % b->seen[0], bin / b->seen[0] % b->seen[1], bin / b->seen[0] / b->seen[1]};
  int count = 0;

  for (int turn = 0; turn < 27; turn++) {
    const int move[FARE_DIM_MAX] = {turn % 3 - 1, turn / 3 % 3 - 1, turn / 9 - 1};
    PetscInt  to[FARE_DIM_MAX];
    PetscBool inside = turn == 13 ? PETSC_FALSE : PETSC_TRUE;

    for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
      to[axis] = at[axis] + move[axis];
      if (axis < b->grid.dim && b->grid.boundary[axis] == FARE_BOUNDARY_PERIODIC)
        to[axis] = (to[axis] + b->seen[axis]) % b->seen[axis];
      if (to[axis] < 0 || to[axis] >= b->seen[axis]) inside = PETSC_FALSE;
    }
    if (inside) neighbour[count++] = (to[2] * b->seen[1] + to[1]) * b->seen[0] + to[0];
  }
  return count;
}

static int peak_of(search *s, PetscInt bin)
{
  int peak = (int)bin;

  while (s->parent[peak] != peak) {
    s->parent[peak] = s->parent[s->parent[peak]];
    peak            = s->parent[peak];
  }
  return peak;
}

/*
  From the highest bin down: a bin belongs to its highest neighbour's well, and is the pass between that and
  the wells of the others.
*/
static void add_bin(search *s, PetscInt bin)
{
  PetscInt  neighbour[NEIGHBOURS];
  const int count = find_neighbours(s->binning, bin, neighbour);
  PetscInt  best  = -1;

  for (int i = 0; i < count; i++) {
    if (s->parent[neighbour[i]] < 0) continue;
    if (best < 0 || s->density[neighbour[i]] > s->density[best] * (1 + SAME_DENSITY)) best = neighbour[i];
  }
  s->parent[bin] = best < 0 ? (int)bin : peak_of(s, best);
  s->above[bin]  = 0;
  for (int i = 0; i < count; i++) {
    int one, other;

    if (s->parent[neighbour[i]] < 0) continue;
    one   = peak_of(s, bin);
    other = peak_of(s, neighbour[i]);
    if (s->density[one] < s->density[other] || (s->density[one] == s->density[other] && one > other)) {
      const int lower = one;

      one   = other;
      other = lower;
    }
    if (one == other ||
      (s->density[other] > exp(DEPTH_LEAST) * s->density[bin] &&
        PetscMin(s->above[one], s->above[other]) >= MASS_LEAST))
      continue;
    s->parent[other] = one;
    s->above[one] += s->above[other];
  }
  s->above[peak_of(s, bin)] += s->mass[bin];
}

PetscErrorCode fare_regions_find(
  const fare_binning *binning, const double mass[], double tail[], int well[], int *wells)
{
  const size_t n = binning->all_seen;
  search       s = {.binning = binning, .mass = mass};

  PetscFunctionBegin;
  PetscCall(PetscMalloc5(n, &s.density, n, &s.sorted, n, &s.order, n, &s.parent, n, &s.above));
  PetscCall(put_in_order(&s));
  find_tail(&s, tail);
  for (size_t i = n; i-- > 0;) add_bin(&s, s.order[i]);
  *wells = 0;
  for (size_t i = 0; i < n; i++) {
    if (s.parent[i] == (int)i) well[i] = (*wells)++;
  }
  for (size_t i = 0; i < n; i++) well[i] = well[peak_of(&s, (PetscInt)i)];
  PetscCall(PetscFree5(s.density, s.sorted, s.order, s.parent, s.above));
  PetscFunctionReturn(0);
}
