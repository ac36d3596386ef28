/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Directions to project on: quadratures of the half circle and the half sphere, and the order of bins along
  each.
*/
#include "binning.h"

#include <math.h>

#define DIRECTIONS 16

/*
  Equal angles in the plane, off the axes. In space the 6 axes through the vertices of an icosahedron and the
  10 through those of a dodecahedron, with the weights that integrate every polynomial of degree 9 (Stroud,
  Approximate Calculation of Multiple Integrals, U3: 9-1, 1971).
*/
static void plane(double direction[DIRECTIONS][FARE_DIM_MAX], double weight[DIRECTIONS])
{
  for (int d = 0; d < DIRECTIONS; d++) {
    const double angle = M_PI * (d + 0.5) / DIRECTIONS;

    direction[d][0] = cos(angle);
    direction[d][1] = sin(angle);
    direction[d][2] = 0;
    weight[d]       = 1. / DIRECTIONS;
  }
}

static void space(double direction[DIRECTIONS][FARE_DIM_MAX], double weight[DIRECTIONS])
{
  const double golden = 0.5 * (1 + sqrt(5)), cube = 1 / sqrt(3);
  int          d = 0;

  for (int axis = 0; axis < 3; axis++) {
    for (int sign = -1; sign <= 1; sign += 2) {
      /* (0, 1, golden) of the icosahedron, (0, golden, 1/golden) of the dodecahedron, and their turns */
      for (int solid = 0; solid < 2; solid++, d++) {
        const double second = solid ? golden : 1, third = solid ? 1 / golden : golden,
                     length = hypot(second, third);

        direction[d][axis]           = 0;
        direction[d][(axis + 1) % 3] = second / length;
        direction[d][(axis + 2) % 3] = sign * third / length;
        weight[d]                    = solid ? 27. / 420 : 25. / 420;
      }
    }
  }
  for (int corner = 0; corner < 4; corner++, d++) {
    for (int axis = 0; axis < 3; axis++) direction[d][axis] = corner == axis ? -cube : cube;
    weight[d] = 27. / 420;
  }
}

static double middle(const fare_binning *b, int axis, PetscInt i)
{
  const PetscInt from = i * b->step[axis], to = PetscMin(from + b->step[axis], b->grid.cells[axis]);

  return b->grid.lower[axis] + 0.5 * (double)(from + to) * b->grid.spacing[axis];
}

/* Orders all bins along one direction. `at` is for work. */
static PetscErrorCode put_in_order(
  const fare_binning *b, const double direction[FARE_DIM_MAX], double at[], PetscInt order[], double gap[])
{
  size_t n = 0;

  PetscFunctionBegin;
  for (PetscInt k = 0; k < b->seen[2]; k++) {
    for (PetscInt j = 0; j < b->seen[1]; j++) {
      for (PetscInt i = 0; i < b->seen[0]; i++, n++) {
        order[n] = (PetscInt)n;
        at[n]    = direction[0] * middle(b, 0, i) + direction[1] * middle(b, 1, j) +
          (b->grid.dim > 2 ? direction[2] * middle(b, 2, k) : 0);
      }
    }
  }
  PetscCall(PetscSortRealWithArrayInt((PetscInt)n, at, order));
  for (size_t i = 0; i < n; i++) gap[i] = i + 1 < n ? at[i + 1] - at[i] : 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_projections_create(const fare_binning *binning, fare_projections *projections)
{
  double    direction[DIRECTIONS][FARE_DIM_MAX], *weight, *gap, *at;
  PetscInt *order;

  PetscFunctionBegin;
  *projections = (fare_projections){0};
  if (binning->grid.dim == 1) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(DIRECTIONS, &weight));
  PetscCall(PetscMalloc1(DIRECTIONS * binning->all_seen, &order));
  PetscCall(PetscMalloc1(DIRECTIONS * binning->all_seen, &gap));
  PetscCall(PetscMalloc1(binning->all_seen, &at));
  if (binning->grid.dim == 2)
    plane(direction, weight);
  else
    space(direction, weight);
  for (size_t d = 0; d < DIRECTIONS; d++)
    PetscCall(
      put_in_order(binning, direction[d], at, order + d * binning->all_seen, gap + d * binning->all_seen));
  PetscCall(PetscFree(at));
  *projections = (fare_projections){DIRECTIONS, weight, order, gap};
  PetscFunctionReturn(0);
}

PetscErrorCode fare_projections_destroy(fare_projections *projections)
{
  double   *weight = (double *)projections->weight, *gap = (double *)projections->gap;
  PetscInt *order = (PetscInt *)projections->order;

  PetscFunctionBegin;
  PetscCall(PetscFree(weight));
  PetscCall(PetscFree(order));
  PetscCall(PetscFree(gap));
  *projections = (fare_projections){0};
  PetscFunctionReturn(0);
}
