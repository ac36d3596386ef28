/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs under way, to checkpoints and from them. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

void fare_rare_under_way_free(fare_rare_under_way **under_way)
{
  fare_rare_under_way *u = *under_way;

  if (!u) return;
  free(u->number);
  free(u->words);
  free(u->word);
  free(u);
  *under_way = NULL;
}

PetscErrorCode fare_rare_take_up(const fare_rare_under_way *u, size_t details, fare_rare_state *run)
{
  int64_t first = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < u->count; first += u->words[i++]) {
    fare_tape t = {.word = u->word + first, .room = (size_t)u->words[i], .reads = PETSC_TRUE};

    if (u->number[i] == run->number) PetscCall(fare_tape_run(&t, details, run));
  }
  PetscFunctionReturn(0);
}

void fare_rare_drop(fare_rare_under_way *u, int64_t number)
{
  int64_t first = 0, all = 0;

  for (int64_t i = 0; i < u->count; i++) all += u->words[i];
  for (int64_t i = 0; i < u->count; first += u->words[i++]) {
    if (u->number[i] != number) continue;
    memmove(
      u->word + first, u->word + first + u->words[i], (size_t)(all - first - u->words[i]) * sizeof *u->word);
    memmove(u->number + i, u->number + i + 1, (size_t)(u->count - i - 1) * sizeof *u->number);
    memmove(u->words + i, u->words + i + 1, (size_t)(u->count - i - 1) * sizeof *u->words);
    u->count--;
    return;
  }
}

/* What this rank puts into a checkpoint: the run that it leads; rank 0 those, too, that none goes on with
 * yet. */
typedef struct {
  int64_t   count, *number, *words;
  fare_tape tape;
  uint64_t  start[2], global[2]; /* of entries and of words, over all ranks */
} share_of_state;

static PetscErrorCode pack(const fare_rare_under_way *u, MPI_Comm comm, share_of_state *to)
{
  const fare_shift *s   = u->now;
  int64_t           own = s && s->leads && s->run.begun ? s->run.number : -1, *all;
  int               ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscMalloc1(ranks, &all));
  PetscCall(PetscMalloc2(u->count + 1, &to->number, u->count + 1, &to->words));
  PetscCallMPI(MPI_Allgather(&own, 1, MPI_INT64_T, all, 1, MPI_INT64_T, comm));
  if (own >= 0) {
    fare_rare_state run = s->run;

    PetscCall(fare_tape_run(&to->tape, fare_rare_details(s->job), &run));
    to->number[to->count]  = own;
    to->words[to->count++] = (int64_t)to->tape.count;
  }
  for (int64_t i = 0, first = 0; fare_is_rank_0(comm) && i < u->count; first += u->words[i++]) {
    PetscBool goes_on = PETSC_FALSE;

    for (int k = 0; k < ranks; k++) goes_on |= all[k] == u->number[i];
    if (goes_on) continue;
    for (int64_t k = 0; k < u->words[i]; k++) fare_tape_pass(&to->tape, &u->word[first + k]);
    to->number[to->count]  = u->number[i];
    to->words[to->count++] = u->words[i];
  }
  PetscCall(PetscFree(all));
  if (to->tape.failed) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the state of runs");
  PetscFunctionReturn(0);
}

/* Where each rank's share begins. */
static PetscErrorCode lay_out(MPI_Comm comm, share_of_state *to)
{
  const uint64_t own[2] = {(uint64_t)to->count, to->tape.count};
  int            rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Exscan(own, to->start, 2, MPI_UINT64_T, MPI_SUM, comm));
  if (!rank) to->start[0] = to->start[1] = 0;
  PetscCallMPI(MPI_Allreduce(own, to->global, 2, MPI_UINT64_T, MPI_SUM, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_under_way_put(
  const fare_rare_under_way *u, size_t row, fare_store *store, const char *folder)
{
  const MPI_Comm comm = fare_store_comm(store);
  share_of_state s    = {0};
  uint64_t       count[2];
  char           path[64];
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!u || u->row != row) PetscFunctionReturn(0);
  code = fare_error_agree(comm, pack(u, comm, &s));
  if (!code) code = lay_out(comm, &s);
  count[0] = (uint64_t)s.count;
  count[1] = s.tape.count;
  if (!code && s.global[0]) {
    snprintf(path, sizeof path, "%s/under_way", folder);
    code = fare_store_write(store, path, FARE_STORE_INT64, 1, &s.global[0], &s.start[0], &count[0], s.number);
    snprintf(path, sizeof path, "%s/words", folder);
    if (!code)
      code =
        fare_store_write(store, path, FARE_STORE_INT64, 1, &s.global[0], &s.start[0], &count[0], s.words);
    snprintf(path, sizeof path, "%s/states", folder);
    if (!code)
      code = fare_store_write(
        store, path, FARE_STORE_UINT64, 1, &s.global[1], &s.start[1], &count[1], s.tape.word);
  }
  free(s.tape.word);
  PetscCall(PetscFree2(s.number, s.words));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_under_way_get(
  fare_rare_under_way **under_way, size_t row, fare_store *store, const char *folder)
{
  fare_rare_under_way *u;
  uint64_t             count[4], words[4];
  char                 path[64], states[64];
  PetscBool            has;
  int                  rank;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "%s/under_way", folder);
  snprintf(states, sizeof states, "%s/states", folder);
  PetscCall(fare_store_has(store, path, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_extents(store, path, &rank, count));
  PetscCall(fare_store_extents(store, states, &rank, words));
  fare_rare_under_way_free(under_way);
  u = *under_way = calloc(1, sizeof *u);
  if (!u) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  u->row    = row;
  u->count  = (int64_t)count[0];
  u->number = calloc(count[0], sizeof *u->number);
  u->words  = calloc(count[0], sizeof *u->words);
  u->word   = calloc(words[0], sizeof *u->word);
  if (!u->number || !u->words || !u->word) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the state of runs");
  PetscCall(fare_store_read_array(store, path, FARE_STORE_INT64, 1, count, u->number));
  snprintf(path, sizeof path, "%s/words", folder);
  PetscCall(fare_store_read_array(store, path, FARE_STORE_INT64, 1, count, u->words));
  PetscCall(fare_store_read_array(store, states, FARE_STORE_UINT64, 1, words, u->word));
  for (int64_t i = 0; i < u->count; i++) words[0] -= (uint64_t)u->words[i];
  if (words[0]) FARE_FAIL(FARE_ERR_FAILED, "%s: not the states that it tells of", states);
  PetscFunctionReturn(0);
}
