/* SPDX-License-Identifier: BSD-2-Clause */
/* How a loss fell. */
#include "state.h"

#include <string.h>

const fare_kept fare_curve_kept[] = {
  FARE_KEEP_WITH(INTEGERS, fare_curve, step, .length = offsetof(fare_curve, count)),
  FARE_KEEP_WITH(REALS, fare_curve, loss, .length = offsetof(fare_curve, count)),
  FARE_KEEP_WITH(REALS, fare_curve, validation, .length = offsetof(fare_curve, count)),
  FARE_KEPT_END,
};

PetscErrorCode fare_curve_begin(fare_curve *curve, PetscBool validated)
{
  PetscFunctionBegin;
  PetscCall(fare_curve_free(curve));
  PetscCall(PetscCalloc1(CURVE_POINTS, &curve->step));
  PetscCall(PetscCalloc1(CURVE_POINTS, &curve->loss));
  if (validated) PetscCall(PetscCalloc1(CURVE_POINTS, &curve->validation));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_free(fare_curve *curve)
{
  PetscFunctionBegin;
  PetscCall(fare_kept_free(fare_curve_kept, curve));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_copy(const fare_curve *from, fare_curve *to)
{
  PetscFunctionBegin;
  PetscCall(fare_curve_begin(to, from->validation ? PETSC_TRUE : PETSC_FALSE));
  to->count = from->count;
  memcpy(to->step, from->step, from->count * sizeof *to->step);
  memcpy(to->loss, from->loss, from->count * sizeof *to->loss);
  if (from->validation) memcpy(to->validation, from->validation, from->count * sizeof *to->validation);
  PetscFunctionReturn(0);
}
