/* SPDX-License-Identifier: BSD-2-Clause */
#include "patch.h"

#include <petscdmda.h>

#include <string.h>

static size_t size_of(const fare_patch *p)
{
  return p->type == MPI_FLOAT ? sizeof(float) : sizeof(double);
}

static size_t face_bytes(const fare_patch *p, int axis)
{
  return (size_t)(p->owned / p->count[axis]) * size_of(p);
}

static PetscErrorCode allocate(fare_patch *p)
{
  PetscFunctionBegin;
  p->owned = p->box = 1;
  p->first          = 0;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    p->owned *= p->count[axis];
    p->stride[axis] = p->box;
    p->first += axis < p->dim ? p->box : 0;
    p->box *= p->count[axis] + (axis < p->dim ? 2 : 0);
  }
  for (int axis = 0; axis < p->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscCall(PetscCalloc1(face_bytes(p, axis), (char **)&p->ghost[axis][side]));
      PetscCall(PetscMalloc1(face_bytes(p, axis), (char **)&p->outgoing[axis][side]));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_patch_create(const fare_grid *grid, MPI_Datatype type, fare_patch **patch)
{
  PetscInt    ranks[FARE_DIM_MAX] = {1, 1, 1}, at[FARE_DIM_MAX];
  PetscMPIInt rank;
  fare_patch *p;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  *patch  = p;
  p->comm = grid->comm;
  p->type = type;
  p->dim  = grid->dim;
  memcpy(p->count, grid->count, sizeof p->count);
  PetscCallMPI(MPI_Comm_rank(grid->comm, &rank));
  PetscCall(DMDAGetInfo(
    grid->dm, NULL, NULL, NULL, NULL, &ranks[0], &ranks[1], &ranks[2], NULL, NULL, NULL, NULL, NULL, NULL));
  at[0] = rank % ranks[0]; /* ranks of a DMDA are numbered as its cells are */
  at[1] = rank / ranks[0] % ranks[1];
  at[2] = rank / ranks[0] / ranks[1];
  for (int axis = 0, stride = 1; axis < grid->dim; stride *= ranks[axis++]) {
    for (int side = 0; side < 2; side++) {
      const PetscInt to = at[axis] + 2 * side - 1, wrapped = (to + ranks[axis]) % ranks[axis];

      p->neighbour[axis][side] = to == wrapped || grid->boundary[axis] == FARE_BOUNDARY_PERIODIC
        ? rank + stride * (int)(wrapped - at[axis])
        : MPI_PROC_NULL;
    }
  }
  PetscCall(allocate(p));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_patch_coarsen(const fare_patch *fine, const PetscBool twice[], fare_patch **coarse)
{
  fare_patch *p;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  *coarse = p;
  p->comm = fine->comm;
  p->type = fine->type;
  p->dim  = fine->dim;
  memcpy(p->neighbour, fine->neighbour, sizeof p->neighbour);
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    p->count[axis] = axis < fine->dim && twice[axis] ? fine->count[axis] / 2 : fine->count[axis];
  PetscCall(allocate(p));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_patch_destroy(fare_patch **patch)
{
  fare_patch *p = *patch;

  PetscFunctionBegin;
  if (!p) PetscFunctionReturn(0);
  for (int axis = 0; axis < p->dim; axis++) {
    for (int side = 0; side < 2; side++) {
      PetscCall(PetscFree(p->ghost[axis][side]));
      PetscCall(PetscFree(p->outgoing[axis][side]));
    }
  }
  PetscCall(PetscFree(*patch));
  PetscFunctionReturn(0);
}

void fare_patch_forget(const fare_patch *p)
{
  for (int axis = 0; axis < p->dim; axis++) {
    for (int side = 0; side < 2; side++) memset(p->ghost[axis][side], 0, face_bytes(p, axis));
  }
}

/* The outermost owned cells on one side. */
static void pack(const fare_patch *p, int axis, int side, const void *masses, void *to)
{
  const PetscInt last = side ? p->count[axis] - 1 : 0;
  const size_t   size = size_of(p), row = (size_t)p->count[0] * size;
  const char    *from = masses;
  char          *face = to;

  if (axis == 0) {
    for (PetscInt line = 0; line < p->count[1] * p->count[2]; line++)
      memcpy(face + (size_t)line * size, from + (size_t)line * row + (size_t)last * size, size);
  } else if (axis == 1) {
    for (PetscInt k = 0; k < p->count[2]; k++)
      memcpy(face + (size_t)k * row, from + (size_t)fare_patch_row(p, last, k) * size, row);
  } else {
    memcpy(face, from + (size_t)fare_patch_row(p, 0, last) * size, face_bytes(p, axis));
  }
}

PetscErrorCode fare_patch_exchange(const fare_patch *p, const void *masses)
{
  MPI_Request request[4 * FARE_DIM_MAX];
  PetscMPIInt rank;
  int         requests = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(p->comm, &rank));
  for (int axis = 0; axis < p->dim; axis++) {
    const int face = (int)(p->owned / p->count[axis]);

    for (int side = 0; side < 2; side++) {
      const int neighbour = p->neighbour[axis][side];

      if (neighbour == rank) pack(p, axis, !side, masses, p->ghost[axis][side]);
      if (neighbour == rank || neighbour == MPI_PROC_NULL) continue;
      pack(p, axis, side, masses, p->outgoing[axis][side]);
      PetscCallMPI(MPI_Irecv(
        p->ghost[axis][side], face, p->type, neighbour, 2 * axis + !side, p->comm, &request[requests++]));
      PetscCallMPI(MPI_Isend(
        p->outgoing[axis][side], face, p->type, neighbour, 2 * axis + side, p->comm, &request[requests++]));
    }
  }
  if (requests) PetscCallMPI(MPI_Waitall(requests, request, MPI_STATUSES_IGNORE));
  PetscFunctionReturn(0);
}
