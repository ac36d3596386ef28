/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The limiter of transport: where a step leaves a negative point, it takes back some of what flowed out of
  that cell, over each face in proportion, and then of those cells that this makes negative, until there is
  none (but what is negative by next to nothing, which is dropped). The first passes count on what flows in.
  Later ones do not, so that a cell that is treated once is done for good.
*/
#include "transport.h"

#include <math.h>
#include <string.h>

#define TRUSTING 8 /* passes that count on what flows in */

/* Where an owned cell is in the arrays with layers. */
static PetscInt place_of(const fare_transport *t, PetscInt n, PetscInt index[FARE_DIM_MAX])
{
  const PetscInt *count = t->grid->count;

  index[0] = n % count[0];
  index[1] = n / count[0] % count[1];
  index[2] = n / count[0] / count[1];
  return t->first + index[0] + index[1] * t->stride[1] + index[2] * t->stride[2];
}

static PetscBool in_window(const fare_transport *t, PetscInt at)
{
  const PetscInt *range = fare_transport_range(t, at), place = at % t->size[0] - FARE_REACH;

  return place >= range[0] && place < range[1] ? PETSC_TRUE : PETSC_FALSE;
}

void fare_transport_list_borders(fare_transport *t)
{
  for (PetscInt n = 0; n < t->owned; n++) {
    PetscInt  index[FARE_DIM_MAX];
    PetscBool borders = PETSC_FALSE;

    place_of(t, n, index);
    for (int axis = 0; axis < t->grid->dim; axis++) {
      if ((index[axis] == 0 && t->patch->neighbour[axis][0] != MPI_PROC_NULL) ||
        (index[axis] == t->grid->count[axis] - 1 && t->patch->neighbour[axis][1] != MPI_PROC_NULL))
        borders = PETSC_TRUE;
    }
    if (borders) t->border[t->borders++] = n;
  }
}

/* The least of `next` on this rank, its sum over all, what is negative, and whether any must be listed. */
static PetscErrorCode look(fare_transport *t, fare_transport_step_result *result, PetscBool *listed)
{
  double             all[5] = {0}, least = 0; /* of what lies outside the window */
  const PetscScalar *next;

  PetscFunctionBegin;
  t->bads = 0;
  PetscCall(VecGetArrayRead(t->next, &next));
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt *range = fare_transport_range(t, at);
    double          sums[5];

    if (range[1] <= range[0]) continue;
    fare_transport_look(range[1] - range[0], t->little, next + row + range[0], sums);
    least = PetscMin(least, sums[0]);
    for (int i = 0; i < 4; i++) all[i] += sums[1 + i];
    for (PetscInt i = row + range[0]; i < row + range[1] && sums[0] < 0; i++) {
      if (next[i] <= -t->little) t->bad[t->bads++] = i;
    }
  }
  PetscCall(VecRestoreArrayRead(t->next, &next));
  all[4] = (double)t->bads;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, all, 5, MPI_DOUBLE, MPI_SUM, t->grid->comm));
  result->least    = least;
  result->sum      = all[0];
  result->negative = all[1];
  result->taken    = all[2];
  result->dropped  = all[3];
  *listed          = all[4] > 0 ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* What the limiter works with: `length` is that of the flows. */
typedef struct {
  fare_transport *t;
  const double   *points;
  double         *next, *share, length, mark; /* mark: of the present pass, above 1 */
} limiter;

/* The share of what flows out of a cell that leaves nothing negative there. `strict`: inflow does not count.
 */
static double share_of(const limiter *l, PetscInt n, PetscInt at, PetscBool strict)
{
  const fare_transport *t      = l->t;
  const double          nearly = 1 - 1e-14;
  double                in = 0, out = 0;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    const double up = t->flow[axis][at], down = t->flow[axis][at - t->stride[axis]];

    out += PetscMax(up, 0) + PetscMax(-down, 0);
    in += PetscMax(-up, 0) + PetscMax(down, 0);
  }
  if (strict) in = 0;
  return out > 0 ? PetscMin(1, nearly * (l->points[n] / l->length + in) / out) : 1;
}

/*
  Flows have changed: brings `next` of a cell up to date, once in a pass, and lists it where it is negative.
  No share is above 1: a pass leaves its mark there.
*/
static void look_again(limiter *l, PetscInt n, PetscInt at, const PetscInt range[], PetscInt place)
{
  fare_transport *t     = l->t;
  double          value = l->points[n];

  if (place < range[0] || place >= range[1] || l->share[at] == l->mark) return;
  l->share[at] = l->mark;
  for (int axis = 0; axis < t->grid->dim; axis++)
    value -= l->length * (t->flow[axis][at] - t->flow[axis][at - t->stride[axis]]);
  l->next[n] = value;
  if (value <= -t->little) t->bad[t->bads++] = n;
}

/* At a cell and its neighbours on this rank. */
static void look_around(limiter *l, PetscInt n)
{
  const fare_transport *t = l->t;
  PetscInt              index[FARE_DIM_MAX], step = t->grid->count[0];
  const PetscInt        at = place_of(t, n, index), i = index[0];
  const PetscInt       *range = fare_transport_range(t, at);

  look_again(l, n, at, range, i);
  look_again(l, n - 1, at - 1, range, i - 1);
  look_again(l, n + 1, at + 1, range, i + 1);
  for (int axis = 1; axis < t->grid->dim; step *= t->grid->count[axis++]) {
    const PetscInt s = t->stride[axis], rows = 2 * (s / t->size[0]);

    if (index[axis] > 0) look_again(l, n - step, at - s, range - rows, i);
    if (index[axis] < t->grid->count[axis] - 1) look_again(l, n + step, at + s, range + rows, i);
  }
}

/*
  Scales what flows in over the border of this rank from a neighbour's cell that the limiter holds back.
  Nothing flows over a border that is not in the window.
*/
static PetscBool scale_from_beyond(const limiter *l, PetscInt n)
{
  const fare_transport *t = l->t;
  PetscInt              index[FARE_DIM_MAX];
  const PetscInt        at     = place_of(t, n, index);
  PetscBool             scaled = PETSC_FALSE;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const PetscInt s = t->stride[axis], face = side ? at : at - s;
      const double   share = l->share[side ? at + s : at - s], flow = t->flow[axis][face];

      if (index[axis] != (side ? t->grid->count[axis] - 1 : 0) || !(share < 1) || !in_window(t, at)) continue;
      if (side ? flow < 0 : flow > 0) {
        t->flow[axis][face] *= share;
        scaled = PETSC_TRUE;
      }
    }
  }
  return scaled;
}

/* Scales what flows out of an owned cell. */
static void scale_from(const limiter *l, PetscInt at)
{
  const fare_transport *t = l->t;

  for (int axis = 0; axis < t->grid->dim; axis++) {
    double *up = &t->flow[axis][at], *down = &t->flow[axis][at - t->stride[axis]];

    *up *= *up > 0 ? l->share[at] : 1;
    *down *= *down < 0 ? l->share[at] : 1;
  }
}

/* One pass: scales what flows out of the listed cells, and lists those that are negative then. */
static PetscErrorCode hold_back(limiter *l, PetscBool strict)
{
  fare_transport *t = l->t;
  PetscInt       *list, *at, index[FARE_DIM_MAX], count = t->bads;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(count + t->borders, &list, count, &at));
  PetscCall(PetscArraycpy(list, t->bad, count));
  for (PetscInt b = 0; b < t->bads; b++) {
    at[b]           = place_of(t, list[b], index);
    l->share[at[b]] = share_of(l, list[b], at[b], strict);
  }
  PetscCall(fare_transport_exchange(t, l->share));
  for (PetscInt b = 0; b < t->bads; b++) scale_from(l, at[b]);
  for (PetscInt b = 0; b < t->borders; b++) {
    if (scale_from_beyond(l, t->border[b])) list[count++] = t->border[b];
  }
  t->bads = 0;
  l->mark++;
  for (PetscInt b = 0; b < count; b++) look_around(l, list[b]);
  PetscCall(PetscFree2(list, at));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_settle(fare_transport *t, double length, fare_transport_step_result *result)
{
  const PetscInt     n        = t->grid->count[0];
  limiter            l        = {.t = t, .share = t->stage[1], .length = length, .mark = 2};
  double             negative = 0;
  PetscBool          left;
  const PetscScalar *points;
  PetscScalar       *next;
  Vec                last;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(t->points, &points));
  PetscCall(VecGetArray(t->next, &next));
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt *range = fare_transport_range(t, at), low = PetscMin(range[0], range[1]), high = range[1];

    memset(next + row, 0, (size_t)low * sizeof *next);
    memset(next + row + high, 0, (size_t)(n - high) * sizeof *next);
    for (int axis = 0; axis < t->grid->dim; axis++)
      fare_transport_advance_row(high - low, length, t->flow[axis] + at + low,
        t->flow[axis] + at + low - t->stride[axis], (axis ? next : points) + row + low, next + row + low);
  }
  PetscCall(look(t, result, &left));
  negative = result->negative;
  l.points = points;
  l.next   = next;
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt *range = fare_transport_range(t, at);

    (void)row;
    for (PetscInt i = range[0]; i < range[1] && left; i++) l.share[at + i] = 1;
  }
  for (result->passes = 0; left; result->passes++) {
    PetscCall(hold_back(&l, result->passes < TRUSTING ? PETSC_FALSE : PETSC_TRUE));
    left = t->bads > 0 ? PETSC_TRUE : PETSC_FALSE;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &left, 1, MPIU_BOOL, MPI_LOR, t->grid->comm));
  }
  PetscCall(VecRestoreArray(t->next, &next));
  PetscCall(VecRestoreArrayRead(t->points, &points));
  if (result->passes) PetscCall(look(t, result, &left));
  result->negative = negative;
  last             = t->points;
  t->points        = t->next;
  t->next          = last;
  PetscFunctionReturn(0);
}
