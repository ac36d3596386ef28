/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbered pieces of words, which any rank has: states of what is under way. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 512

void fare_pieces_free(fare_pieces *pieces)
{
  free(pieces->number);
  free(pieces->words);
  free(pieces->word);
  *pieces = (fare_pieces){0};
}

const uint64_t *fare_pieces_find(const fare_pieces *pieces, int64_t number, int64_t *words)
{
  int64_t first = 0;

  for (int64_t i = 0; i < pieces->count; first += pieces->words[i++]) {
    *words = pieces->words[i];
    if (pieces->number[i] == number) return pieces->word + first;
  }
  *words = 0;
  return NULL;
}

void fare_pieces_drop(fare_pieces *pieces, int64_t number)
{
  int64_t   words, all = 0, k;
  uint64_t *at = (uint64_t *)fare_pieces_find(pieces, number, &words);

  if (!at) return;
  for (int64_t i = 0; i < pieces->count; i++) all += pieces->words[i];
  for (k = 0; pieces->number[k] != number;) k++;
  memmove(at, at + words, (size_t)(all - words - (at - pieces->word)) * sizeof *at);
  memmove(
    pieces->number + k, pieces->number + k + 1, (size_t)(pieces->count - k - 1) * sizeof *pieces->number);
  memmove(pieces->words + k, pieces->words + k + 1, (size_t)(pieces->count - k - 1) * sizeof *pieces->words);
  pieces->count--;
}

PetscErrorCode fare_pieces_add(fare_pieces *pieces, int64_t number, int64_t words, const uint64_t word[])
{
  const size_t count = (size_t)pieces->count;
  int64_t      all   = 0, *numbers, *sizes;
  uint64_t    *more;

  PetscFunctionBegin;
  for (int64_t i = 0; i < pieces->count; i++) all += pieces->words[i];
  numbers = realloc(pieces->number, (count + 1) * sizeof *numbers);
  if (numbers) pieces->number = numbers;
  sizes = realloc(pieces->words, (count + 1) * sizeof *sizes);
  if (sizes) pieces->words = sizes;
  more = realloc(pieces->word, (size_t)(all + words + 1) * sizeof *more);
  if (more) pieces->word = more;
  if (!numbers || !sizes || !more) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the state of runs");
  memcpy(more + all, word, (size_t)words * sizeof *word);
  numbers[count] = number;
  sizes[count]   = words;
  pieces->count++;
  PetscFunctionReturn(0);
}

/* Where this rank's share begins, and all shares: of pieces and of words. */
static PetscErrorCode lay_out(
  MPI_Comm comm, const fare_pieces *own, uint64_t count[2], uint64_t start[2], uint64_t all[2])
{
  int rank;

  PetscFunctionBegin;
  count[0] = (uint64_t)own->count;
  count[1] = 0;
  for (int64_t i = 0; i < own->count; i++) count[1] += (uint64_t)own->words[i];
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Exscan(count, start, 2, MPI_UINT64_T, MPI_SUM, comm));
  if (!rank) start[0] = start[1] = 0;
  PetscCallMPI(MPI_Allreduce(count, all, 2, MPI_UINT64_T, MPI_SUM, comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_write_pieces(fare_store *store, const char *folder, const fare_pieces *own)
{
  uint64_t count[2], start[2] = {0, 0}, all[2];
  char     path[PATH_SIZE];

  PetscFunctionBegin;
  PetscCall(lay_out(fare_store_comm(store), own, count, start, all));
  if (!all[0]) PetscFunctionReturn(0);
  snprintf(path, sizeof path, "%s/under_way", folder);
  PetscCall(fare_store_write(store, path, FARE_STORE_INT64, 1, &all[0], &start[0], &count[0], own->number));
  snprintf(path, sizeof path, "%s/words", folder);
  PetscCall(fare_store_write(store, path, FARE_STORE_INT64, 1, &all[0], &start[0], &count[0], own->words));
  snprintf(path, sizeof path, "%s/states", folder);
  PetscCall(fare_store_write(store, path, FARE_STORE_UINT64, 1, &all[1], &start[1], &count[1], own->word));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_store_read_pieces(fare_store *store, const char *folder, fare_pieces *pieces)
{
  uint64_t  count[4], words[4];
  char      path[PATH_SIZE], states[PATH_SIZE];
  PetscBool has;
  int       rank;

  PetscFunctionBegin;
  *pieces = (fare_pieces){0};
  snprintf(path, sizeof path, "%s/under_way", folder);
  snprintf(states, sizeof states, "%s/states", folder);
  PetscCall(fare_store_has(store, path, &has));
  if (!has) PetscFunctionReturn(0);
  PetscCall(fare_store_extents(store, path, &rank, count));
  PetscCall(fare_store_extents(store, states, &rank, words));
  pieces->count  = (int64_t)count[0];
  pieces->number = calloc(count[0], sizeof *pieces->number);
  pieces->words  = calloc(count[0], sizeof *pieces->words);
  pieces->word   = calloc(words[0], sizeof *pieces->word);
  if (!pieces->number || !pieces->words || !pieces->word)
    FARE_FAIL(FARE_ERR_FAILED, "out of memory for the state of runs");
  PetscCall(fare_store_read_array(store, path, FARE_STORE_INT64, 1, count, pieces->number));
  snprintf(path, sizeof path, "%s/words", folder);
  PetscCall(fare_store_read_array(store, path, FARE_STORE_INT64, 1, count, pieces->words));
  PetscCall(fare_store_read_array(store, states, FARE_STORE_UINT64, 1, words, pieces->word));
  for (int64_t i = 0; i < pieces->count; i++) {
    if (pieces->words[i] < 0 || (uint64_t)pieces->words[i] > words[0])
      FARE_FAIL(FARE_ERR_FAILED, "%s: does not match its table of states", states);
    words[0] -= (uint64_t)pieces->words[i];
  }
  if (words[0]) FARE_FAIL(FARE_ERR_FAILED, "%s: does not match its table of states", states);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_pieces_share(MPI_Comm comm, const fare_pieces *waiting, fare_pieces *own)
{
  const int64_t mine = own->count ? own->number[0] : -1;
  int64_t      *all, first = 0;
  int           ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  PetscCall(PetscMalloc1(ranks, &all));
  PetscCallMPI(MPI_Allgather(&mine, 1, MPI_INT64_T, all, 1, MPI_INT64_T, comm));
  for (int64_t i = 0; fare_is_rank_0(comm) && i < waiting->count; first += waiting->words[i++]) {
    PetscBool goes_on = PETSC_FALSE;

    for (int k = 0; k < ranks; k++) goes_on |= all[k] == waiting->number[i];
    if (!goes_on)
      PetscCall(fare_pieces_add(own, waiting->number[i], waiting->words[i], waiting->word + first));
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}
