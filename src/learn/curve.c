/* How a loss fell. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

PetscErrorCode fare_curve_begin(fare_curve *curve, PetscBool validated)
{
  PetscFunctionBeginUser;
  PetscCall(fare_curve_free(curve));
  curve->step = calloc(CURVE_POINTS, sizeof *curve->step);
  curve->loss = calloc(CURVE_POINTS, sizeof *curve->loss);
  if (validated) curve->validation = calloc(CURVE_POINTS, sizeof *curve->validation);
  if (!curve->step || !curve->loss || (validated && !curve->validation))
    FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_free(fare_curve *curve)
{
  PetscFunctionBeginUser;
  free(curve->step);
  free(curve->loss);
  free(curve->validation);
  memset(curve, 0, sizeof *curve);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_copy(const fare_curve *from, fare_curve *to)
{
  PetscFunctionBeginUser;
  PetscCall(fare_curve_begin(to, from->validation ? PETSC_TRUE : PETSC_FALSE));
  to->count = from->count;
  memcpy(to->step, from->step, from->count * sizeof *to->step);
  memcpy(to->loss, from->loss, from->count * sizeof *to->loss);
  if (from->validation) memcpy(to->validation, from->validation, from->count * sizeof *to->validation);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_save(const fare_curve *curve, MPI_Comm comm, fare_store *to, const char *group)
{
  const uint64_t global = curve->count, start = 0;
  uint64_t       count;
  char           path[512];
  int            rank;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  count = rank ? 0 : global;
  snprintf(path, sizeof path, "%s/step", group);
  PetscCall(fare_store_write(to, path, FARE_STORE_INT64, 1, &global, &start, &count, curve->step));
  snprintf(path, sizeof path, "%s/loss", group);
  PetscCall(fare_store_write(to, path, FARE_STORE_FLOAT64, 1, &global, &start, &count, curve->loss));
  if (!curve->validation) PetscFunctionReturn(0);
  snprintf(path, sizeof path, "%s/validation", group);
  PetscCall(fare_store_write(to, path, FARE_STORE_FLOAT64, 1, &global, &start, &count, curve->validation));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_curve_load(fare_curve *curve, fare_store *from, const char *group)
{
  const uint64_t start = 0;
  uint64_t       global[4];
  char           path[512];
  PetscBool      validated;
  int            rank;

  PetscFunctionBeginUser;
  snprintf(path, sizeof path, "%s/validation", group);
  PetscCall(fare_store_has(from, path, &validated));
  PetscCall(fare_curve_begin(curve, validated));
  snprintf(path, sizeof path, "%s/step", group);
  PetscCall(fare_store_extents(from, path, &rank, global));
  if (rank != 1 || global[0] > CURVE_POINTS)
    FARE_FAIL(FARE_ERR_FAILED, "%s is not a curve of at most %d points", group, CURVE_POINTS);
  PetscCall(fare_store_read(from, path, FARE_STORE_INT64, 1, &start, global, curve->step));
  snprintf(path, sizeof path, "%s/loss", group);
  PetscCall(fare_store_read(from, path, FARE_STORE_FLOAT64, 1, &start, global, curve->loss));
  snprintf(path, sizeof path, "%s/validation", group);
  if (validated)
    PetscCall(fare_store_read(from, path, FARE_STORE_FLOAT64, 1, &start, global, curve->validation));
  curve->count = global[0];
  PetscFunctionReturn(0);
}
