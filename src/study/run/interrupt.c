/* SPDX-License-Identifier: BSD-2-Clause */
/* What interrupts a run: checkpoints, requests to stop, and the end of a single ensemble. */
#include "study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A study that cannot leave a checkpoint, because the disk is full for instance, may still end well. */
PetscErrorCode fare_run_try_checkpoint(fare_run *s, PetscInt64 next)
{
  const PetscErrorCode code = fare_checkpoint_write(s, next);

  PetscFunctionBegin;
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

  PetscFunctionBegin;
  due[0] = now >= from && fare_stop_asked();
  due[1] = now >= from && now - s->last_checkpoint >= s->options->checkpoint_seconds;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, due, 2, MPI_INT, MPI_MAX, s->comm));
  PetscFunctionReturn(0);
}

/* Writes a checkpoint where one is due, and ends the run with it where that was asked for. */
static PetscErrorCode do_what_is_due(fare_run *s, PetscInt64 next, const int due[2])
{
  PetscFunctionBegin;
  if (due[0]) {
    PetscCall(fare_checkpoint_write(s, next));
    FARE_FAIL(FARE_ERR_STOPPED,
      "stopped on request with %lld of %lld snapshots done; --resume continues in %s", (long long)next,
      (long long)s->plan->snapshots.count, s->plan->directory);
  }
  if (due[1]) PetscCall(fare_run_try_checkpoint(s, next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_run_checkpoint(fare_run *s, PetscInt64 next)
{
  int due[2];

  PetscFunctionBegin;
  PetscCall(fare_run_due(s, -HUGE_VAL, due));
  PetscCall(do_what_is_due(s, next, due));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_run_pause(fare_run *s)
{
  int due[2];

  PetscFunctionBegin;
  PetscCall(fare_run_due(s, s->under_way_since + s->options->grace_seconds, due));
  PetscCall(do_what_is_due(s, s->under_way, due));
  PetscFunctionReturn(0);
}

/*
  A method that fails numerically ends, says why in its row, and leaves the rest of the study alone. `when` is
  for a message that does not say whose it is.
*/
PetscErrorCode fare_run_end_ensemble(fare_run *s, size_t i, const char *when, PetscErrorCode code)
{
  const char *own = s->sampler[i]->where;
  char        why[FARE_REASON_SIZE];

  PetscFunctionBegin;
  /* ranks that have none are not here: the study cannot go on where they are any */
  if (code) code = fare_error_settle(code, NULL);
  if (code != FARE_ERR_FAILED) PetscFunctionReturn(code);
  if (strcmp(fare_error_last()->where, own))
    snprintf(why, sizeof why, "%s%s: %.1500s", own, when, fare_error_message());
  else
    snprintf(why, sizeof why, "%s", fare_error_message());
  s->results.failure[i] = strdup(why);
  fare_warn("%s; the study continues without it", s->results.failure[i]);
  PetscFunctionReturn(0);
}
