/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints and requests to stop: between snapshots, and in the middle of one. */
#include "study.h"

#include <math.h>

/* A study that cannot leave a checkpoint, because the disk is full for instance, may still end well. */
PetscErrorCode fare_run_try_checkpoint(fare_run *s, PetscInt64 next)
{
  const PetscErrorCode code = fare_checkpoint_write(s, next);

  PetscFunctionBeginUser;
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  fare_warn("no checkpoint: %s", fare_error_message());
  s->last_checkpoint = fare_seconds();
  PetscFunctionReturn(0);
}

/*
  Whether to stop, and whether a checkpoint is due; neither before a time of fare_seconds. Alike on all ranks.
  Collective.
*/
PetscErrorCode fare_run_due(const fare_run *s, double from, int due[2])
{
  const double now = fare_seconds();

  PetscFunctionBeginUser;
  due[0] = now >= from && fare_stop_asked();
  due[1] = now >= from && now - s->last_checkpoint >= s->options->checkpoint_seconds;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, due, 2, MPI_INT, MPI_MAX, s->comm));
  PetscFunctionReturn(0);
}

/* Writes a checkpoint where one is due, and ends the run with it where that was asked for. */
static PetscErrorCode do_what_is_due(fare_run *s, PetscInt64 next, const int due[2])
{
  PetscFunctionBeginUser;
  if (due[0]) {
    PetscCall(fare_checkpoint_write(s, next));
    FARE_FAIL(FARE_ERR_STOPPED, "stopped on request with %lld of %lld snapshots made; --resume goes on in %s",
      (long long)next, (long long)s->plan->snapshots.count, s->plan->directory);
  }
  if (due[1]) PetscCall(fare_run_try_checkpoint(s, next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_run_checkpoint(fare_run *s, PetscInt64 next)
{
  int due[2];

  PetscFunctionBeginUser;
  PetscCall(fare_run_due(s, -HUGE_VAL, due));
  PetscCall(do_what_is_due(s, next, due));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_run_pause(fare_run *s)
{
  int due[2];

  PetscFunctionBeginUser;
  PetscCall(fare_run_due(s, s->under_way_since + s->options->grace_seconds, due));
  PetscCall(do_what_is_due(s, s->under_way, due));
  PetscFunctionReturn(0);
}
