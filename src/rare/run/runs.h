/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside rare: runs of one row, from the first to the last (run/runs.c). */
#ifndef FARE_RARE_RUNS_H
#define FARE_RARE_RUNS_H

#include "rare/rare.h"

/* What all runs of a row share. */
typedef struct {
  const fare_rare_type *type;
  const void           *options;
  fare_rare_context    *context;
  void                 *work;
} fare_rare_job;

/* Who calls, between slices of runs. */
typedef struct {
  PetscErrorCode (*pause)(void *to);
  void *to;
} fare_rare_pauses;

/* All runs of a row that are not made yet; errors of pause(), too. Collective. */
PetscErrorCode fare_rare_make(
  const fare_rare_job *job, const fare_rare_pauses *pauses, size_t row, fare_rare_results *r);
/* One run without a pause, by the team of the context. Collective on it. */
PetscErrorCode fare_rare_run_through(const fare_rare_job *job, int64_t number, fare_rare_once *once);

/* Runs under way, to a checkpoint's group of their row and from it; nothing where there are none. Collective.
 */
PetscErrorCode fare_rare_under_way_put(
  const fare_rare_under_way *u, size_t row, fare_store *store, const char *folder);
PetscErrorCode fare_rare_under_way_get(
  fare_rare_under_way **under_way, size_t row, fare_store *store, const char *folder);
void fare_rare_under_way_free(fare_rare_under_way **under_way);

#endif
