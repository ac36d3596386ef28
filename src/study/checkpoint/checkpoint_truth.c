/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The truth in a checkpoint, and what follows it. Its vectors are kept as boxes of the whole grid, so that
  another number of ranks reads them, too. A truth that every rank has for itself is written by the first.
*/
#include "study/run/study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define GROUP     "/truth"
#define PATH_SIZE 128
#define SAME_TIME 1e-9 /* of the time between snapshots */

/* Its vectors, one of each kind, written to `to` or, where that is NULL, read from the checkpoint. */
static PetscErrorCode move_vectors(fare_run *run, fare_store *to, int part)
{
  const fare_grid *grid;
  Vec              vector[FARE_TRUTH_VECTORS];
  char             path[PATH_SIZE];
  int              vectors;

  PetscFunctionBegin;
  fare_truth_part(run->truth, part, &grid, &vectors, vector);
  for (int v = 0; v < vectors; v++) {
    PetscScalar *values;

    snprintf(path, sizeof path, GROUP "/%d/vector_%d", part, v);
    PetscCall(VecGetArray(vector[v], &values));
    PetscCall(to ? fare_grid_write(grid, values, to, path) : fare_grid_read(grid, values, run->from, path));
    PetscCall(VecRestoreArray(vector[v], &values));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode put_part(fare_run *run, fare_store *store, int part)
{
  const uint64_t all = FARE_TRUTH_NUMBERS;
  double         numbers[FARE_TRUTH_NUMBERS];
  char           path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(fare_truth_save(run->truth, part, numbers));
  snprintf(path, sizeof path, GROUP "/%d/numbers", part);
  PetscCall(fare_store_write_array(store, path, FARE_STORE_FLOAT64, 1, &all, numbers));
  PetscCall(move_vectors(run, store, part));
  PetscFunctionReturn(0);
}

/* Refuses a truth that is neither at the last snapshot that was made, nor on the way to the next. */
static PetscErrorCode check_time(const fare_run *run, PetscInt64 next, double time, const char *path)
{
  const fare_schedule *schedule = &run->plan->snapshots;
  const double         gap = (schedule->end - schedule->start) / (double)PetscMax(1, schedule->count - 1),
               last        = fare_schedule_time(schedule, next - 1);

  PetscFunctionBegin;
  if (!(time >= last - SAME_TIME * gap && time <= last + (1 + SAME_TIME) * gap))
    FARE_FAIL(FARE_ERR_FAILED,
      "--resume: %s of the checkpoint: the truth is at time %g, the last snapshot at %g and the next at %g",
      path, time, last, last + gap);
  PetscFunctionReturn(0);
}

/* A truth that is not one grid, after `next` snapshots: what it knew at each, and its state. */
static PetscErrorCode put_joint(fare_run *run, fare_store *store, PetscInt64 next)
{
  const uint64_t all = (uint64_t)next * sizeof *run->results.joint;

  PetscFunctionBegin;
  PetscCall(fare_store_write_array(store, GROUP "/status", FARE_STORE_UINT8, 1, &all, run->results.joint));
  PetscCall(fare_joint_save(run->joint, store, GROUP "/joint"));
  PetscFunctionReturn(0);
}

static PetscErrorCode get_joint(fare_run *run, PetscInt64 next)
{
  const uint64_t all = (uint64_t)next * sizeof *run->results.joint;

  PetscFunctionBegin;
  PetscCall(fare_store_read_array(run->from, GROUP "/status", FARE_STORE_UINT8, 1, &all, run->results.joint));
  PetscCall(fare_joint_load(run->joint, run->from, GROUP "/joint"));
  PetscCall(check_time(run, next, run->joint->status.time, GROUP "/joint"));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_put_truth(fare_run *run, fare_store *store, PetscInt64 next)
{
  const uint64_t all = (uint64_t)next * sizeof(fare_truth_status);

  PetscFunctionBegin;
  if (run->truth_lost || !next) PetscFunctionReturn(0);
  if (run->joint) PetscFunctionReturn(put_joint(run, store, next));
  if (!run->truth) PetscFunctionReturn(0);
  PetscCall(fare_store_write_array(store, GROUP "/status", FARE_STORE_UINT8, 1, &all, run->results.truth));
  for (int part = 0; part < fare_truth_parts(run->truth); part++) PetscCall(put_part(run, store, part));
  if (run->thermo) PetscCall(fare_thermo_save(run->thermo, store, GROUP "/thermodynamics"));
  PetscFunctionReturn(0);
}

/* The numbers of one part. */
static PetscErrorCode get_numbers(fare_run *run, PetscInt64 next, int part)
{
  const uint64_t all = FARE_TRUTH_NUMBERS;
  double         numbers[FARE_TRUTH_NUMBERS];
  char           path[PATH_SIZE], why[FARE_REASON_SIZE];
  PetscErrorCode code;

  PetscFunctionBegin;
  snprintf(path, sizeof path, GROUP "/%d/numbers", part);
  PetscCall(fare_store_read_array(run->from, path, FARE_STORE_FLOAT64, 1, &all, numbers));
  code = fare_truth_load(run->truth, part, numbers);
  if (code == FARE_ERR_FAILED) {
    snprintf(why, sizeof why, "%s", fare_error_message());
    FARE_FAIL(FARE_ERR_FAILED, "--resume: %s of the checkpoint: %s", path, why);
  }
  PetscCall(code);
  PetscCall(check_time(run, next, fare_truth_get_status(run->truth)->time, path));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_checkpoint_get_truth(fare_run *run, PetscInt64 next, PetscBool *has)
{
  const uint64_t status = (uint64_t)next * sizeof(fare_truth_status);

  PetscFunctionBegin;
  *has = PETSC_TRUE;
  if (!(run->truth || run->joint) || !next) PetscFunctionReturn(0);
  PetscCall(fare_store_has(run->from, GROUP "/status", has));
  if (!*has) PetscFunctionReturn(0);
  if (run->joint) PetscFunctionReturn(get_joint(run, next));
  PetscCall(
    fare_store_read_array(run->from, GROUP "/status", FARE_STORE_UINT8, 1, &status, run->results.truth));
  for (int part = 0; part < fare_truth_parts(run->truth); part++) PetscCall(move_vectors(run, NULL, part));
  for (int part = 0; part < fare_truth_parts(run->truth); part++) PetscCall(get_numbers(run, next, part));
  if (!run->thermo) PetscFunctionReturn(0);
  /* it begins where the truth is */
  PetscCall(fare_thermo_destroy(&run->thermo));
  PetscCall(fare_thermo_create(run->truth, run->plan->system, &run->plan->thermodynamics, &run->thermo));
  run->results.thermo = run->thermo;
  PetscCall(fare_thermo_load(run->thermo, run->from, GROUP "/thermodynamics"));
  PetscFunctionReturn(0);
}
