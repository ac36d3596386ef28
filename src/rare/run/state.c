/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a run: paths and their pasts, held, and written to words or read from them. */
#include "state.h"

#include <stdlib.h>
#include <string.h>

void fare_tape_pass(fare_tape *t, void *eight_bytes)
{
  if (t->failed) return;
  if (t->reads) {
    t->failed = t->count == t->room ? PETSC_TRUE : PETSC_FALSE;
    if (!t->failed) memcpy(eight_bytes, &t->word[t->count++], sizeof *t->word);
    return;
  }
  if (t->count == t->room) {
    const size_t room = 2 * t->room + 1024;
    uint64_t    *more = realloc(t->word, room * sizeof *more);

    t->failed = more ? PETSC_FALSE : PETSC_TRUE;
    if (!more) return;
    t->word = more;
    t->room = room;
  }
  memcpy(&t->word[t->count++], eight_bytes, sizeof *t->word);
}

void fare_tape_path(fare_tape *t, fare_path *path)
{
  int64_t slot = path->slot, generation = path->generation, end = path->end;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) fare_tape_pass(t, &path->x[axis]);
  fare_tape_pass(t, &path->step);
  fare_tape_pass(t, &path->born);
  fare_tape_pass(t, &slot);
  fare_tape_pass(t, &generation);
  fare_tape_pass(t, &end);
  fare_tape_pass(t, &path->log_weight);
  fare_tape_pass(t, &path->own);
  fare_tape_pass(t, &path->mark);
  path->slot       = (uint32_t)slot;
  path->generation = (uint32_t)generation;
  path->end        = (fare_path_end)end;
}

static PetscBool make_room(fare_past *past, size_t count)
{
  const size_t    room = PetscMax(count, 2 * past->room);
  fare_milestone *more;

  if (count <= past->room) return PETSC_TRUE;
  more = realloc(past->at, room * sizeof *more);
  if (!more) return PETSC_FALSE;
  past->at   = more;
  past->room = room;
  return PETSC_TRUE;
}

void fare_tape_past(fare_tape *t, fare_past *past, size_t first)
{
  int64_t count = (int64_t)past->count;

  fare_tape_pass(t, &count);
  if (t->failed) return;
  if (t->reads && !make_room(past, (size_t)count)) {
    t->failed = PETSC_TRUE;
    return;
  }
  past->count = (size_t)count;
  for (size_t k = first; k < past->count; k++) {
    fare_tape_pass(t, &past->at[k].score);
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) fare_tape_pass(t, &past->at[k].x[axis]);
    fare_tape_pass(t, &past->at[k].step);
  }
}

PetscErrorCode fare_tape_run(fare_tape *t, size_t details, fare_rare_state *run)
{
  int64_t count = (int64_t)run->count, has_past = run->past != NULL;
  double *once = (double *)&run->once;

  PetscFunctionBegin;
  fare_tape_pass(t, &run->stage);
  fare_tape_pass(t, &run->until);
  fare_tape_pass(t, &run->steps);
  fare_tape_pass(t, &run->value);
  for (int k = 0; k < FARE_RARE_ONCE; k++) fare_tape_pass(t, &once[k]);
  for (size_t k = 0; k < details; k++) fare_tape_pass(t, &run->detail[k]);
  fare_tape_pass(t, &count);
  fare_tape_pass(t, &has_past);
  if (t->reads && !t->failed)
    PetscCall(fare_rare_hold(run, (size_t)count, has_past ? PETSC_TRUE : PETSC_FALSE));
  for (int64_t i = 0; i < count && !t->failed; i++) {
    fare_tape_path(t, &run->path[i]);
    if (has_past) fare_tape_past(t, &run->past[i], 0);
  }
  if (t->failed) FARE_FAIL(FARE_ERR_FAILED, "the state of a run cannot be %s", t->reads ? "read" : "kept");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_let_go(fare_rare_state *run)
{
  PetscFunctionBegin;
  for (size_t i = 0; run->past && i < run->count; i++) free(run->past[i].at);
  PetscCall(PetscFree(run->path));
  PetscCall(PetscFree(run->past));
  run->count = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_rare_hold(fare_rare_state *run, size_t count, PetscBool past)
{
  PetscFunctionBegin;
  PetscCall(fare_rare_let_go(run));
  PetscCall(PetscCalloc1(count, &run->path));
  if (past) PetscCall(PetscCalloc1(count, &run->past));
  run->count = count;
  PetscFunctionReturn(0);
}

void fare_rare_remember(fare_rare_state *run, size_t i, double score, const fare_path *path)
{
  fare_past      *past = &run->past[i];
  fare_milestone *m;

  if (past->count == past->room && !make_room(past, PetscMax(4, past->count + 1))) {
    run->full = PETSC_TRUE;
    return;
  }
  m        = &past->at[past->count++];
  m->score = score;
  m->step  = path->step;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) m->x[axis] = path->x[axis];
}
