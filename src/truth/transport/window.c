/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The window of a step: of each row along the first axis, one range of cells that has all that hold something
  and FARE_REACH around them, along all axes. No stable step carries mass farther. Nothing flows over its
  edges. Cells outside hold nothing, in all stages.
*/
#include "transport.h"

#include <string.h>

#define EMPTY(range) ((range)[0] >= (range)[1])

/* What a row's range becomes with another one. */
static void join(PetscInt range[2], const PetscInt with[2])
{
  if (EMPTY(with)) return;
  range[0] = EMPTY(range) ? with[0] : PetscMin(range[0], with[0]);
  range[1] = EMPTY(range) ? with[1] : PetscMax(range[1], with[1]);
}

/* From the first to the last cell of a row that holds something. */
static void range_of(PetscInt n, const double *points, PetscInt range[2])
{
  PetscInt low = 0, high = n;

  while (low < n && points[low] == 0) low++;
  while (high > low && points[high - 1] == 0) high--;
  range[0] = low;
  range[1] = high;
}

/* How far beyond each end of a row its neighbour's nearest cell is that holds something. */
static PetscErrorCode exchange_gaps(const fare_transport *t, PetscInt *const out[2], PetscInt *const in[2])
{
  const int *neighbour = t->patch->neighbour[0];

  PetscFunctionBegin;
  for (int side = 0; side < 2; side++)
    PetscCallMPI(MPI_Sendrecv(out[side], (int)t->rows, MPIU_INT, neighbour[side], side, in[1 - side],
      (int)t->rows, MPIU_INT, neighbour[1 - side], side, t->grid->comm, MPI_STATUS_IGNORE));
  PetscFunctionReturn(0);
}

static PetscErrorCode exchange_ranges(const fare_transport *t, int axis)
{
  PetscFunctionBegin;
  for (int side = 0; side < 2; side++) {
    const int *neighbour = t->patch->neighbour[axis];

    PetscCallMPI(MPI_Sendrecv(t->window, 1, t->outgoing_window[axis][side], neighbour[side], side, t->window,
      1, t->ghost_window[axis][1 - side], neighbour[1 - side], side, t->grid->comm, MPI_STATUS_IGNORE));
  }
  PetscFunctionReturn(0);
}

/* The gaps, with `apart` more cells counted as held: a cell at the end of a row with none is at gap 0. */
static PetscErrorCode find_gaps(const fare_transport *t)
{
  const PetscInt n = t->grid->count[0];

  PetscFunctionBegin;
  for (PetscInt r = 0; r < t->rows; r++) {
    const PetscInt *range = t->window + 2 * r;

    t->gap[0][r] = EMPTY(range) ? FARE_REACH : range[0];
    t->gap[1][r] = EMPTY(range) ? FARE_REACH : n - range[1];
    /* where there is no neighbour */
    t->beyond[0][r] = t->beyond[1][r] = FARE_REACH;
  }
  PetscCall(exchange_gaps(t, t->gap, t->beyond));
  PetscFunctionReturn(0);
}

static PetscErrorCode widen_along(fare_transport *t)
{
  const PetscInt n = t->grid->count[0];

  PetscFunctionBegin;
  PetscCall(find_gaps(t));
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt r          = at / t->size[0];
    PetscInt      *range      = t->window + 2 * r;
    const PetscInt near[]     = {FARE_REACH - t->beyond[0][r], FARE_REACH - t->beyond[1][r]};
    const PetscInt from_low[] = {0, PetscMin(n, near[0])}, from_high[] = {PetscMax(0, n - near[1]), n};

    (void)row;
    if (!EMPTY(range)) {
      range[0] = PetscMax(0, range[0] - FARE_REACH);
      range[1] = PetscMin(n, range[1] + FARE_REACH);
    }
    join(range, from_low);
    join(range, from_high);
  }
  PetscFunctionReturn(0);
}

/* With those of rows up to FARE_REACH away along an axis. */
static PetscErrorCode widen_across(fare_transport *t, int axis)
{
  const PetscInt s = t->stride[axis] / t->size[0];

  PetscFunctionBegin;
  PetscCall(exchange_ranges(t, axis));
  PetscCall(PetscArraycpy(t->wider, t->window, 2 * t->rows));
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt r = at / t->size[0];

    (void)row;
    for (PetscInt apart = -FARE_REACH; apart <= FARE_REACH; apart++)
      join(t->wider + 2 * r, t->window + 2 * (r + apart * s));
  }
  PetscCall(PetscArraycpy(t->window, t->wider, 2 * t->rows));
  PetscFunctionReturn(0);
}

/*
  Ranges of the rows beside this rank's; and beyond an end those of the rows inside, so that what flows
  through it is not held.
*/
static PetscErrorCode look_beyond(fare_transport *t)
{
  PetscFunctionBegin;
  PetscCall(find_gaps(t));
  for (int axis = 1; axis < t->grid->dim; axis++) {
    const PetscInt s = t->stride[axis] / t->size[0];

    PetscCall(exchange_ranges(t, axis));
    FARE_FOR_ROWS(t, row, at)
    {
      const PetscInt r = at / t->size[0], place = axis == 1 ? j_ : k_;

      (void)row;
      if (place == 0 && t->patch->neighbour[axis][0] == MPI_PROC_NULL)
        PetscCall(PetscArraycpy(t->window + 2 * (r - s), t->window + 2 * r, 2));
      if (place == t->grid->count[axis] - 1 && t->patch->neighbour[axis][1] == MPI_PROC_NULL)
        PetscCall(PetscArraycpy(t->window + 2 * (r + s), t->window + 2 * r, 2));
    }
  }
  PetscFunctionReturn(0);
}

/* Where stages of the last step have left something. */
static void clear_stages(const fare_transport *t)
{
  FARE_FOR_ROWS(t, row, at)
  {
    const PetscInt *range = fare_transport_range(t, at);
    const size_t    size  = (size_t)(range[1] - range[0]) * sizeof(double);

    (void)row;
    if (EMPTY(range)) continue;
    memset(t->stage[0] + at + range[0], 0, size);
    memset(t->stage[1] + at + range[0], 0, size);
  }
}

PetscErrorCode fare_transport_open_window(fare_transport *t)
{
  PetscFunctionBegin;
  clear_stages(t);
  PetscCall(PetscArrayzero(t->window, 2 * t->rows));
  FARE_FOR_ROWS(t, row, at)
  {
    PetscInt *range = t->window + 2 * (at / t->size[0]);

    (void)row;
    range[1] = t->grid->count[0];
  }
  PetscCall(look_beyond(t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_fit_window(fare_transport *t)
{
  const PetscScalar *points;

  PetscFunctionBegin;
  clear_stages(t);
  PetscCall(PetscArrayzero(t->window, 2 * t->rows));
  PetscCall(VecGetArrayRead(t->points, &points));
  FARE_FOR_ROWS(t, row, at)
  range_of(t->grid->count[0], points + row, t->window + 2 * (at / t->size[0]));
  PetscCall(VecRestoreArrayRead(t->points, &points));
  PetscCall(widen_along(t));
  for (int axis = 1; axis < t->grid->dim; axis++) PetscCall(widen_across(t, axis));
  PetscCall(look_beyond(t));
  PetscFunctionReturn(0);
}
