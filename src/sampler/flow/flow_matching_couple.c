/* SPDX-License-Identifier: BSD-2-Clause */
/* Optimal transport between noise and data, within one group of rows at a time. */
#include "flow_matching.h"

#define PASSES 4 /* over all pairs of a group: later ones hardly find a swap */

PetscErrorCode fare_flow_matching_pairs_create(int64_t most, fare_flow_matching_pairs *p)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc5((size_t)most, &p->row, (size_t)most, &p->from, (size_t)most, &p->order, (size_t)most,
    &p->key, (size_t)most, &p->kept));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_flow_matching_pairs_destroy(fare_flow_matching_pairs *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree5(p->row, p->from, p->order, p->key, p->kept));
  PetscFunctionReturn(0);
}

/* Rows by ascending value. */
static void sort_by(fare_flow_matching_pairs *p, PetscInt n, const float value[], PetscInt rows[])
{
  for (PetscInt i = 0; i < n; i++) p->key[i] = (PetscReal)value[rows[i]];
  (void)PetscSortRealWithArrayInt(n, p->key, rows);
}

/* The axis along which the rows reach farthest. */
static int main_axis(const fare_flow_matching_pairs *p, PetscInt n, int dim, const float *const x[])
{
  float widest = -1;
  int   found  = 0;

  for (int axis = 0; axis < dim; axis++) {
    float low = x[axis][p->row[0]], high = low;

    for (PetscInt i = 1; i < n; i++) {
      low  = PetscMin(low, x[axis][p->row[i]]);
      high = PetscMax(high, x[axis][p->row[i]]);
    }
    if (high - low <= widest) continue;
    widest = high - low;
    found  = axis;
  }
  return found;
}

/*
  One pass over all pairs; |x - z|^2 + |x' - z'|^2 is more than |x - z'|^2 + |x' - z|^2 where (x - x')(z - z')
  is negative.
*/
static int swap_pairs(
  fare_flow_matching_pairs *p, PetscInt n, int dim, const float *const x[], float *const z[])
{
  int swaps = 0;

  for (PetscInt i = 0; i < n; i++) {
    for (PetscInt j = i + 1; j < n; j++) {
      const PetscInt mine = p->from[i], other = p->from[j];
      float          gain = 0;

      for (int axis = 0; axis < dim; axis++)
        gain += (x[axis][p->row[i]] - x[axis][p->row[j]]) * (z[axis][mine] - z[axis][other]);
      if (gain >= 0) continue;
      p->from[i] = other;
      p->from[j] = mine;
      swaps++;
    }
  }
  return swaps;
}

static void couple_group(
  fare_flow_matching_pairs *p, PetscInt n, int dim, const float *const x[], float *const z[])
{
  const int axis = main_axis(p, n, dim, x);

  for (PetscInt i = 0; i < n; i++) p->from[i] = p->row[i];
  sort_by(p, n, x[axis], p->row);
  sort_by(p, n, z[axis], p->from);
  for (int pass = 0; dim > 1 && pass < PASSES; pass++) {
    if (!swap_pairs(p, n, dim, x, z)) break;
  }
  for (int k = 0; k < dim; k++) {
    for (PetscInt i = 0; i < n; i++) p->kept[i] = z[k][p->from[i]];
    for (PetscInt i = 0; i < n; i++) z[k][p->row[i]] = p->kept[i];
  }
}

void fare_flow_matching_couple(fare_flow_matching_pairs *p, int dim, int64_t n, const int group[],
  const float *const x[], float *const z[])
{
  for (PetscInt i = 0; i < (PetscInt)n; i++) p->order[i] = i;
  for (PetscInt i = 0; i < (PetscInt)n; i++) p->key[i] = group[i];
  (void)PetscSortRealWithArrayInt((PetscInt)n, p->key, p->order);
  for (PetscInt begin = 0, end; begin < (PetscInt)n; begin = end) {
    for (end = begin; end < (PetscInt)n && group[p->order[end]] == group[p->order[begin]]; end++)
      p->row[end - begin] = p->order[end];
    couple_group(p, end - begin, dim, x, z);
  }
}
