/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The layers around a rank's cells: FARE_REACH along each axis, as deep as the flow over a face looks; and
  those of the rows' ranges.
*/
#include "transport.h"

PetscErrorCode fare_transport_create_halo(fare_transport *t)
{
  const fare_grid *grid = t->grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      int size[FARE_DIM_MAX], part[FARE_DIM_MAX], start[FARE_DIM_MAX];

      for (int a = 0; a < FARE_DIM_MAX; a++) {
        size[a]  = (int)t->size[a];
        part[a]  = a == axis ? FARE_REACH : (int)grid->count[a];
        start[a] = a < grid->dim ? FARE_REACH : 0;
      }
      start[axis] = side ? size[axis] - 2 * FARE_REACH : FARE_REACH;
      PetscCallMPI(MPI_Type_create_subarray(
        FARE_DIM_MAX, size, part, start, MPI_ORDER_FORTRAN, MPI_DOUBLE, &t->outgoing[axis][side]));
      start[axis] = side ? size[axis] - FARE_REACH : 0;
      PetscCallMPI(MPI_Type_create_subarray(
        FARE_DIM_MAX, size, part, start, MPI_ORDER_FORTRAN, MPI_DOUBLE, &t->ghost[axis][side]));
      PetscCallMPI(MPI_Type_commit(&t->outgoing[axis][side]));
      PetscCallMPI(MPI_Type_commit(&t->ghost[axis][side]));
      if (!axis) continue;
      size[0] = part[0] = 2;
      start[0]          = 0;
      PetscCallMPI(MPI_Type_create_subarray(
        FARE_DIM_MAX, size, part, start, MPI_ORDER_FORTRAN, MPIU_INT, &t->ghost_window[axis][side]));
      start[axis] = side ? size[axis] - 2 * FARE_REACH : FARE_REACH;
      PetscCallMPI(MPI_Type_create_subarray(
        FARE_DIM_MAX, size, part, start, MPI_ORDER_FORTRAN, MPIU_INT, &t->outgoing_window[axis][side]));
      PetscCallMPI(MPI_Type_commit(&t->outgoing_window[axis][side]));
      PetscCallMPI(MPI_Type_commit(&t->ghost_window[axis][side]));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_destroy_halo(fare_transport *t)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscCallMPI(MPI_Type_free(&t->outgoing[axis][side]));
      PetscCallMPI(MPI_Type_free(&t->ghost[axis][side]));
      if (!axis) continue;
      PetscCallMPI(MPI_Type_free(&t->outgoing_window[axis][side]));
      PetscCallMPI(MPI_Type_free(&t->ghost_window[axis][side]));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_exchange(const fare_transport *t, double *values)
{
  MPI_Request request[4 * FARE_DIM_MAX];
  int         requests = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < t->grid->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      const int neighbour = t->patch->neighbour[axis][side];

      if (neighbour == MPI_PROC_NULL) continue;
      PetscCallMPI(MPI_Irecv(
        values, 1, t->ghost[axis][side], neighbour, 2 * axis + !side, t->grid->comm, &request[requests++]));
      PetscCallMPI(MPI_Isend(
        values, 1, t->outgoing[axis][side], neighbour, 2 * axis + side, t->grid->comm, &request[requests++]));
    }
  }
  PetscCallMPI(MPI_Waitall(requests, request, MPI_STATUSES_IGNORE));
  PetscFunctionReturn(0);
}
