/* SPDX-License-Identifier: BSD-2-Clause */
/* Positions between the centres of cells: which cells tell ln P there, with which weights. */
#include "transition.h"

#include <math.h>

#define ROOM 16 /* nodes of a lattice along an axis, at least: half of them are a lattice, too */

int fare_parabola_stencil(const fare_grid *g, const double x[], PetscInt cell[], double weight[])
{
  PetscInt stride = 1;
  int      count  = 1;

  cell[0]   = 0;
  weight[0] = 1;
  for (int axis = 0; axis < g->dim; axis++) {
    const PetscInt  n        = g->cells[axis];
    const PetscBool periodic = g->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
    double          s        = (x[axis] - g->lower[axis]) / g->spacing[axis] - 0.5, w[3];
    PetscInt        middle   = (PetscInt)lround(s);

    if (!periodic) middle = PetscMax(1, PetscMin(n - 2, middle));
    s -= (double)middle;
    w[0] = 0.5 * s * (s - 1);
    w[1] = 1 - s * s;
    w[2] = 0.5 * s * (s + 1);
    for (int i = 2; i >= 0; i--) {
      const PetscInt index = periodic ? ((middle + i - 1) % n + n) % n : middle + i - 1;

      for (int k = 0; k < count; k++) {
        cell[i * count + k]   = cell[k] + index * stride;
        weight[i * count + k] = weight[k] * w[i];
      }
    }
    count *= 3;
    stride *= n;
  }
  return count;
}

/* Nodes of a lattice along an axis: cells first, first + stride, ... */
typedef struct {
  PetscInt stride, count, first;
} nodes;

static nodes nodes_of(const fare_grid *g, int axis, PetscInt stride)
{
  const PetscInt n = g->cells[axis], count = (n - 1) / stride + 1;

  return (nodes){stride, count, (n - 1 - stride * (count - 1)) / 2};
}

PetscInt fare_lattice_stride(const fare_grid *g, int axis, double spacing)
{
  const PetscInt n      = g->cells[axis];
  PetscInt       stride = (PetscInt)PetscMax(1, PetscMin(spacing / g->spacing[axis], (double)n / ROOM));

  if (g->boundary[axis] == FARE_BOUNDARY_PERIODIC)
    while (n % (2 * stride)) stride--;
  return stride;
}

int fare_lattice_stencil(
  const fare_grid *g, const PetscInt stride[], const double x[], PetscInt cell[], double weight[])
{
  PetscInt step  = 1;
  int      count = 1;

  cell[0]   = 0;
  weight[0] = 1;
  for (int axis = 0; axis < g->dim; axis++) {
    const nodes  l = nodes_of(g, axis, stride[axis]);
    const double s = (x[axis] - g->lower[axis]) / g->spacing[axis] - 0.5,
                 u = (s - (double)l.first) / (double)l.stride;
    PetscInt from  = (PetscInt)floor(u) - 1;

    if (g->boundary[axis] != FARE_BOUNDARY_PERIODIC) from = PetscMax(0, PetscMin(l.count - FARE_NODES, from));
    for (int i = FARE_NODES - 1; i >= 0; i--) {
      const PetscInt index = l.first + l.stride * (((from + i) % l.count + l.count) % l.count);
      double         w     = 1;

      for (int j = 0; j < FARE_NODES; j++)
        if (j != i) w *= (u - (double)(from + j)) / (i - j);
      for (int k = 0; k < count; k++) {
        cell[i * count + k]   = cell[k] + index * step;
        weight[i * count + k] = weight[k] * w;
      }
    }
    count *= FARE_NODES;
    step *= g->cells[axis];
  }
  return count;
}

PetscErrorCode fare_place(const fare_tracks *t, const fare_grid *g, int64_t row, double x[])
{
  PetscFunctionBegin;
  for (int axis = 0; axis < g->dim; axis++) {
    const double lower = g->lower[axis], upper = g->upper[axis];

    x[axis] = t->x[row * g->dim + axis];
    if (g->boundary[axis] == FARE_BOUNDARY_PERIODIC)
      x[axis] -= (upper - lower) * floor((x[axis] - lower) / (upper - lower));
    else if (!(x[axis] >= lower && x[axis] <= upper))
      PetscFunctionReturn(fare_tracks_error(
        t, row, 2 + axis, "%.10g lies outside of the truth's box, [%g, %g]", x[axis], lower, upper));
  }
  PetscFunctionReturn(0);
}
