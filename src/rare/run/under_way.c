/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs under way, to checkpoints and from them. */
#include "state.h"

#include <stdlib.h>

void fare_rare_under_way_free(fare_rare_under_way **under_way)
{
  if (!*under_way) return;
  fare_pieces_free(&(*under_way)->waiting);
  free(*under_way);
  *under_way = NULL;
}

PetscErrorCode fare_rare_take_up(const fare_rare_under_way *u, size_t details, fare_rare_state *run)
{
  int64_t   words;
  uint64_t *word = (uint64_t *)fare_pieces_find(&u->waiting, run->number, &words);
  fare_tape t    = {.word = word, .room = (size_t)words, .reads = PETSC_TRUE};

  PetscFunctionBegin;
  if (word) PetscCall(fare_tape_run(&t, details, run));
  PetscFunctionReturn(0);
}

/* The run that this rank leads. */
static PetscErrorCode pack(const fare_rare_under_way *u, fare_pieces *own)
{
  const fare_shift *s = u->now;
  fare_tape         t = {0};
  fare_rare_state   run;
  PetscErrorCode    code;

  PetscFunctionBegin;
  if (!s || !s->leads || !s->run.begun) PetscFunctionReturn(0);
  run  = s->run;
  code = fare_tape_run(&t, fare_rare_details(s->job), &run);
  if (!code) code = fare_pieces_add(own, run.number, (int64_t)t.count, t.word);
  free(t.word);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_under_way_put(
  const fare_rare_under_way *u, size_t row, fare_store *store, const char *folder)
{
  const MPI_Comm comm = fare_store_comm(store);
  fare_pieces    own  = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!u || u->row != row) PetscFunctionReturn(0);
  code = fare_error_agree(comm, pack(u, &own));
  if (!code) code = fare_error_agree(comm, fare_pieces_share(comm, &u->waiting, &own));
  if (!code) code = fare_store_write_pieces(store, folder, &own);
  fare_pieces_free(&own);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_under_way_get(
  fare_rare_under_way **under_way, size_t row, fare_store *store, const char *folder)
{
  fare_pieces    pieces;
  PetscErrorCode code = fare_store_read_pieces(store, folder, &pieces);

  PetscFunctionBegin;
  if (code || !pieces.count) {
    fare_pieces_free(&pieces);
    PetscFunctionReturn(code);
  }
  fare_rare_under_way_free(under_way);
  *under_way = calloc(1, sizeof **under_way);
  if (!*under_way) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  (*under_way)->row     = row;
  (*under_way)->waiting = pieces;
  PetscFunctionReturn(0);
}
