/* SPDX-License-Identifier: BSD-2-Clause */
#include "spline.h"

#include <stdlib.h>

static double **array_at(fare_spline *s, int i)
{
  double **const arrays[] = {
    &s->width, &s->height, &s->X, &s->Y, &s->S, &s->rise, &s->dw, &s->dX, &s->dh, &s->dY, &s->dS};

  return i < (int)PETSC_STATIC_ARRAY_LENGTH(arrays) ? arrays[i] : NULL;
}

PetscErrorCode fare_spline_create(int bins, int circular, fare_spline **spline)
{
  const size_t bytes = (size_t)(bins + 1) * FARE_BLOCK * sizeof(double);
  fare_spline *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *spline     = s;
  s->bins     = bins;
  s->circular = circular;
  for (int i = 0; array_at(s, i); i++) {
    *array_at(s, i) = aligned_alloc(64, bytes);
    if (!*array_at(s, i)) FARE_FAIL(FARE_ERR_FAILED, "out of memory for splines");
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_spline_destroy(fare_spline **spline)
{
  PetscFunctionBegin;
  if (!*spline) PetscFunctionReturn(0);
  for (int i = 0; array_at(*spline, i); i++) free(*array_at(*spline, i));
  PetscCall(PetscFree(*spline));
  PetscFunctionReturn(0);
}
