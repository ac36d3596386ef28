/* SPDX-License-Identifier: BSD-2-Clause */
/*
  PETSc's arrays begin at multiples of 16 bytes. A vector register holds 64, and what lies across two lines of
  the cache costs two accesses: sums of a few vectors take up to three times as long.
*/
#define _POSIX_C_SOURCE 200112L
#include "align.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64

static PetscErrorCode allocate(
  size_t bytes, PetscBool clear, int line, const char function[], const char file[], void **to)
{
  *to = NULL;
  if (!bytes) return 0;
  if (posix_memalign(to, LINE, bytes))
    return PetscError(PETSC_COMM_SELF, line, function, file, PETSC_ERR_MEM, PETSC_ERROR_INITIAL,
      "%.0f bytes are not to be had", (double)bytes);
  if (clear) memset(*to, 0, bytes);
  return 0;
}

static PetscErrorCode release(void *at, int line, const char function[], const char file[])
{
  (void)line, (void)function, (void)file;
  free(at);
  return 0;
}

/* As realloc: what lies there moves along. That may lead to a place of less alignment, and then to another.
 */
static PetscErrorCode reallocate(size_t bytes, int line, const char function[], const char file[], void **at)
{
  void *moved, *aligned;

  if (!bytes || !*at) {
    free(*at);
    return allocate(bytes, PETSC_FALSE, line, function, file, at);
  }
  moved = realloc(*at, bytes);
  if (moved) *at = moved;
  if (moved && (uintptr_t)moved % LINE == 0) return 0;
  if (!moved || allocate(bytes, PETSC_FALSE, line, function, file, &aligned)) return PETSC_ERR_MEM;
  memcpy(aligned, moved, bytes);
  free(moved);
  *at = aligned;
  return 0;
}

PetscErrorCode fare_prepare_arrays(void)
{
  PetscBool debug = PETSC_TRUE;

  PetscFunctionBegin;
#if defined(PETSC_HAVE_POSIX_MEMALIGN) /* what PETSc has allocated until now, free() takes */
  PetscCall(PetscMallocGetDebug(&debug, NULL, NULL));
#endif
  if (!debug) PetscCall(PetscMallocSet(allocate, release, reallocate));
  PetscFunctionReturn(0);
}
