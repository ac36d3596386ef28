/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The paths of a run, walked by its team: each rank takes some of them, and all have all of them behind it.
  What a path does depends on itself alone, so that a team's size does not change a bit.
*/
#include "state.h"

#include <stdlib.h>

#define TOGETHER 512 /* paths of each rank between two looks at the clock */

PetscErrorCode fare_rare_is_over(
  const fare_rare_context *context, const fare_rare_state *run, PetscBool *over)
{
  int ranks, is = fare_seconds() >= run->pause_at;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(context->team, &ranks));
  if (ranks > 1) PetscCallMPI(MPI_Bcast(&is, 1, MPI_INT, 0, context->team));
  *over = is ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

/* Paths of one rank, and what their pasts have gained beyond before[]. */
static void pass_paths(
  fare_tape *t, size_t count, const size_t which[], const size_t before[], fare_rare_state *run)
{
  for (size_t k = 0; k < count; k++) {
    fare_tape_path(t, &run->path[which[k]]);
    if (run->past) fare_tape_past(t, &run->past[which[k]], before[k]);
  }
}

/* The k-th of so many shares of paths. */
static size_t share(size_t count, int k, int of)
{
  return count * (size_t)k / (size_t)of;
}

/* What each rank of the team has walked goes to the others: words[] of them, those of this rank on its tape.
 */
static PetscErrorCode exchange(MPI_Comm team, size_t count, const size_t which[], const size_t before[],
  const int64_t words[][2], fare_tape *own, fare_rare_state *run)
{
  size_t    most = 0;
  uint64_t *other;
  int       rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(team, &ranks));
  PetscCallMPI(MPI_Comm_rank(team, &rank));
  for (int k = 0; k < ranks; k++) most = PetscMax(most, (size_t)words[k][0]);
  PetscCall(PetscMalloc1(most, &other));
  for (int k = 0; k < ranks; k++) {
    const size_t first = share(count, k, ranks);
    fare_tape    t     = {.word = other, .room = (size_t)words[k][0], .reads = PETSC_TRUE};

    PetscCallMPI(MPI_Bcast(k == rank ? own->word : other, (int)words[k][0], MPI_UINT64_T, k, team));
    if (k == rank) continue;
    pass_paths(&t, share(count, k + 1, ranks) - first, which + first, before + first, run);
    if (t.failed) run->full = PETSC_TRUE;
  }
  PetscCall(PetscFree(other));
  PetscFunctionReturn(0);
}

/* Paths which[0..count-1], each by one rank of the team. */
static PetscErrorCode walk_together(
  const fare_walk *walk, size_t count, const size_t which[], size_t before[], fare_rare_state *run)
{
  const MPI_Comm team = walk->context->team;
  int64_t        own[2], (*all)[2], steps = 0;
  size_t         first, many;
  int            rank, ranks;
  PetscBool      failed = PETSC_FALSE;
  PetscErrorCode code;
  fare_tape      t = {0};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(team, &ranks));
  PetscCallMPI(MPI_Comm_rank(team, &rank));
  PetscCall(PetscMalloc1(ranks, &all));
  first = share(count, rank, ranks);
  many  = share(count, rank + 1, ranks) - first;
  for (size_t k = 0; k < count && run->past; k++) before[k] = run->past[which[k]].count;
  code = fare_paths_walk(walk, many, which + first, run->path, &steps);
  pass_paths(&t, many, which + first, before + first, run);
  if (!code && (t.failed || run->full))
    code = fare_error(FARE_ERR_FAILED, "out of memory for records of paths");
  own[0] = code ? -1 : (int64_t)t.count;
  own[1] = steps;
  PetscCallMPI(MPI_Allgather(own, 2, MPI_INT64_T, all, 2, MPI_INT64_T, team));
  for (int k = 0; k < ranks; k++) {
    run->steps += all[k][1];
    if (all[k][0] < 0) failed = PETSC_TRUE;
  }
  if (failed)
    code = fare_error_agree(team, code);
  else
    code = exchange(team, count, which, before, (const int64_t(*)[2])all, &t, run);
  free(t.word);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(code);
}

/* Of fewer paths than the team has ranks, all by each. */
static PetscErrorCode walk_some(
  const fare_walk *walk, size_t count, const size_t which[], size_t before[], fare_rare_state *run)
{
  int ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(walk->context->team, &ranks));
  if (ranks > 1 && count >= (size_t)ranks)
    PetscCall(walk_together(walk, count, which, before, run));
  else
    PetscCall(fare_paths_walk(walk, count, which, run->path, &run->steps));
  if (run->full) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the records of paths");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_walk(const fare_walk *walk, fare_rare_state *run, PetscBool *ended)
{
  size_t        *which, *before, next = 0, most;
  int            ranks;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(walk->context->team, &ranks));
  most = (size_t)ranks * TOGETHER;
  PetscCall(PetscMalloc2(PetscMin(most, run->count), &which, PetscMin(most, run->count), &before));
  for (*ended = PETSC_FALSE; !*ended && !code;) {
    PetscBool over  = PETSC_FALSE;
    size_t    count = 0;

    for (; next < run->count && count < most; next++) {
      if (fare_path_goes_on(&run->path[next], walk->until)) which[count++] = next;
    }
    *ended = count ? PETSC_FALSE : PETSC_TRUE;
    if (*ended) break;
    code = fare_rare_is_over(walk->context, run, &over);
    if (over || code) break;
    code = walk_some(walk, count, which, before, run);
  }
  PetscCall(PetscFree2(which, before));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_sample(const fare_walk *walk, int64_t paths, fare_rare_state *run,
  void (*count)(const fare_path *path, fare_rare_state *run), PetscBool *ended)
{
  int ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(walk->context->team, &ranks));
  for (;;) {
    if (!run->count) {
      PetscCall(fare_rare_hold(run, (size_t)PetscMin(ranks * TOGETHER, paths - run->stage), PETSC_FALSE));
      for (size_t i = 0; i < run->count; i++)
        run->path[i] = fare_path_begin(walk->context, (uint32_t)(run->stage + (int64_t)i));
    }
    PetscCall(fare_rare_walk(walk, run, ended));
    if (!*ended) break;
    for (size_t i = 0; i < run->count; i++) count(&run->path[i], run);
    run->stage += (int64_t)run->count;
    run->count = 0;
    if (run->stage == paths) break;
  }
  run->share = (double)run->stage / (double)paths;
  PetscFunctionReturn(0);
}
