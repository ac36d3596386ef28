/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the files of snapshots are still what a run has written, by their checksums. */
#include "study/run/study.h"

PetscErrorCode fare_run_check_snapshots(fare_run *s, PetscInt64 next, PetscInt64 *bad)
{
  const double began = fare_seconds();

  PetscFunctionBegin;
  for (*bad = 0; *bad < next; ++*bad) {
    const fare_checksum *then = &s->results.file[*bad];
    fare_checksum        now;
    PetscErrorCode       code = fare_record_checksum(s->record, *bad, &now);

    if (!code && then->bytes && (then->bytes != now.bytes || then->crc32 != now.crc32))
      code = fare_error(FARE_ERR_FAILED, "snapshot %lld in %s/snapshots was changed after it was written",
        (long long)*bad, s->plan->directory);
    if (code == FARE_ERR_FAILED) break;
    PetscCall(code);
  }
  if (fare_seconds() - began > 10)
    fare_log("checking the integrity of %lld snapshots took %.0f s", (long long)*bad, fare_seconds() - began);
  PetscFunctionReturn(0);
}
