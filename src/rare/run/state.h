/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside run: the state of a run as words, and the runs that are under way. */
#ifndef FARE_RARE_STATE_H
#define FARE_RARE_STATE_H

#include <fare/store.h>

#include "runs.h"

/* 64-bit words that a state is written to, or read from: one function says both. Not collective. */
typedef struct {
  uint64_t *word;
  size_t    count, room;
  PetscBool reads, failed;
} fare_tape;
void fare_tape_pass(fare_tape *t, void *eight_bytes);
void fare_tape_path(fare_tape *t, fare_path *path);
/* Milestones from the first that are asked for. */
void           fare_tape_past(fare_tape *t, fare_past *past, size_t first);
PetscErrorCode fare_tape_run(fare_tape *t, size_t details, fare_rare_state *run);
/* Frees what a run holds. */
PetscErrorCode fare_rare_let_go(fare_rare_state *run);

/*
  Some runs, and the teams that make them: team k the runs list[k], list[k + teams], and so on. The state of
  the one that is under way stays between two slices.
*/
typedef struct {
  const fare_rare_job *job;
  MPI_Comm             team;
  int                  teams, mine;
  PetscBool            leads; /* the first rank of its team */
  int64_t              count, at;
  const int64_t       *list;
  fare_rare_state      run;
  double              *detail; /* of the run under way */
  double              *made;   /* of this team, by place in the list */
} fare_shift;

struct fare_rare_under_way {
  size_t      row;     /* to which they belong */
  fare_shift *now;     /* NULL: none is under way on any rank */
  fare_pieces waiting; /* read from a checkpoint and not gone on with yet */
};
/* The state of run `number` that a checkpoint held, if it did: it goes on from there. Not collective. */
PetscErrorCode fare_rare_take_up(const fare_rare_under_way *u, size_t details, fare_rare_state *run);

/* How many numbers each run gives besides. */
static inline size_t fare_rare_details(const fare_rare_job *job)
{
  return job->type->details ? job->type->details(job->options) : 0;
}

#endif
