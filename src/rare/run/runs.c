/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Runs, spread over the ranks: whole runs first; where fewer are left than there are ranks, each of them is
  made by a team of ranks, which share its paths and all hold its state. All pause from time to time, for a
  line of progress and a checkpoint, which keeps the state of runs under way. Neither teams nor pauses change
  a bit: what a path does depends on itself alone, and sums over paths are made in their order.
*/
#include "state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLICE 0.25 /* seconds between pauses */

/* A run that is not begun. */
static fare_rare_state fresh(int64_t number, double detail[])
{
  return (fare_rare_state){.number = number,
    .until                         = -1,
    .present                       = NAN,
    .present_error                 = NAN,
    .detail                        = detail,
    .begun                         = PETSC_TRUE};
}

PetscErrorCode fare_rare_run_through(const fare_rare_job *job, int64_t number, fare_rare_once *once)
{
  fare_rare_state run;
  double         *detail;
  PetscBool       ended;
  PetscErrorCode  code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(fare_rare_details(job) + 1, &detail));
  run          = fresh(number, detail);
  run.pause_at = HUGE_VAL;
  code         = job->type->run(job->options, job->context, job->work, &run, &ended);
  *once        = run.once;
  PetscCall(fare_rare_let_go(&run));
  PetscCall(PetscFree(detail));
  PetscFunctionReturn(code);
}

/* Of this team, up to the end of a slice. Collective on the team. */
static PetscErrorCode work(fare_shift *s, const fare_rare_under_way *u, double pause_at)
{
  const fare_rare_job *job   = s->job;
  const size_t         width = FARE_RARE_ONCE + fare_rare_details(job);
  PetscBool            over  = PETSC_FALSE, ended;

  PetscFunctionBegin;
  while (!over && s->at < s->count) {
    if (!s->run.begun) {
      for (size_t k = 0; k < fare_rare_details(job); k++) s->detail[k] = 0;
      s->run = fresh(s->list[s->at], s->detail);
      PetscCall(fare_rare_take_up(u, fare_rare_details(job), &s->run));
    }
    s->run.pause_at = pause_at;
    PetscCall(job->type->run(job->options, job->context, job->work, &s->run, &ended));
    if (!ended) break;
    memcpy(s->made + (size_t)s->at * width, &s->run.once, sizeof s->run.once);
    for (size_t k = 0; k < fare_rare_details(job); k++)
      s->made[(size_t)s->at * width + FARE_RARE_ONCE + k] = s->detail[k];
    s->at += s->teams;
    s->run.begun = PETSC_FALSE;
    PetscCall(fare_rare_let_go(&s->run));
    PetscCall(fare_rare_is_over(job->context, &s->run, &over));
  }
  PetscFunctionReturn(0);
}

/* What teams have made from places from[] of the list on is told to all ranks. */
static PetscErrorCode tell(
  const fare_shift *s, int64_t from, MPI_Comm comm, size_t row, fare_rare_under_way *u, fare_rare_results *r)
{
  const size_t details = fare_rare_details(s->job), width = FARE_RARE_ONCE + details;
  int64_t      window[2] = {-from, s->at > from ? s->at - s->teams + 1 : from};
  double      *all;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, window, 2, MPI_INT64_T, MPI_MAX, comm));
  window[0] = -window[0];
  if (window[1] <= window[0]) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1((size_t)(window[1] - window[0]) * width, &all));
  for (int64_t k = from; s->leads && k < s->at; k += s->teams)
    memcpy(all + (size_t)(k - window[0]) * width, s->made + (size_t)k * width, width * sizeof *all);
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, all, (int)(window[1] - window[0]) * (int)width, MPI_DOUBLE, MPI_SUM, comm));
  for (int64_t k = window[0]; k < window[1]; k++) {
    const double *one  = all + (size_t)(k - window[0]) * width;
    const size_t  at   = (size_t)s->list[k];
    double       *once = r->once[row] + at * FARE_RARE_ONCE;

    if (!(((const fare_rare_once *)one)->cost > 0)) continue; /* before this slice, or not yet */
    memcpy(once, one, FARE_RARE_ONCE * sizeof *once);
    if (details) memcpy(r->detail[row] + at * details, one + FARE_RARE_ONCE, details * sizeof *one);
    r->done[row]++;
    fare_pieces_drop(&u->waiting, s->list[k]);
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* The mean of what there is with its error, and what the run of rank 0 tells so far. */
static PetscErrorCode show(
  fare_progress *progress, const fare_shift *s, MPI_Comm comm, size_t row, const fare_rare_results *r)
{
  const fare_rare_once *once = (const fare_rare_once *)r->once[row];
  const double          done = (double)r->done[row];
  double                sum = 0, squares = 0, begun = s->leads && s->run.begun ? s->run.share : 0;
  char                  note[192] = "";
  size_t                length    = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &begun, 1, MPI_DOUBLE, MPI_SUM, comm));
  for (PetscInt64 i = 0; i < r->runs[row]; i++) sum += once[i].estimate;
  for (PetscInt64 i = 0; i < r->runs[row]; i++)
    squares += once[i].cost > 0 ? PetscSqr(once[i].estimate - sum / done) : 0;
  if (done > 0)
    length = (size_t)snprintf(note, sizeof note, "%.0f runs: %.4g +- %.2g%s", done, sum / done,
      done > 1 ? sqrt(squares / done / (done - 1)) : NAN, s->run.begun ? "; " : "");
  if (s->run.begun && isnan(s->run.present))
    snprintf(note + length, sizeof note - length, "run %lld goes on", (long long)s->run.number + 1);
  else if (s->run.begun)
    length += (size_t)snprintf(note + length, sizeof note - length, "run %lld so far: %.4g",
      (long long)s->run.number + 1, s->run.present);
  if (s->run.begun && !isnan(s->run.present_error))
    snprintf(note + length, sizeof note - length, " +- %.2g", s->run.present_error);
  fare_progress_update(progress, done + begun, note);
  PetscFunctionReturn(0);
}

/* A shift from its beginning to its end, in slices. */
static PetscErrorCode work_in_slices(
  fare_shift *s, fare_progress *progress, const fare_rare_pauses *pauses, size_t row, fare_rare_results *r)
{
  const MPI_Comm       comm = s->job->context->comm;
  fare_rare_under_way *u    = r->under_way;
  int                  more = 1;

  PetscFunctionBegin;
  while (more) {
    const int64_t from = s->at;

    PetscCall(fare_error_agree(comm, work(s, u, fare_seconds() + SLICE)));
    PetscCall(tell(s, from, comm, row, u, r));
    PetscCall(show(progress, s, comm, row, r));
    more = s->at < s->count;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &more, 1, MPI_INT, MPI_MAX, comm));
    if (pauses->pause) PetscCall(pauses->pause(pauses->to));
  }
  PetscFunctionReturn(0);
}

/* Runs of the list: all but the last few, one rank each; of fewer than ranks, by teams. *count: how many. */
static PetscErrorCode make_some(const fare_rare_job *job, fare_progress *progress,
  const fare_rare_pauses *pauses, size_t row, int64_t count, const int64_t list[], fare_rare_results *r)
{
  const MPI_Comm comm = job->context->comm;
  fare_shift     s    = {.job = job, .team = PETSC_COMM_SELF, .list = list};
  int            rank, ranks, place = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &ranks));
  s.teams = (int)PetscMin(ranks, count);
  s.count = count - (count > ranks ? count % ranks : 0);
  s.at = s.mine = (int)((int64_t)rank * s.teams / ranks);
  if (s.teams < ranks) {
    PetscCallMPI(MPI_Comm_split(comm, s.mine, rank, &s.team));
    PetscCallMPI(MPI_Comm_rank(s.team, &place));
  }
  s.leads            = place ? PETSC_FALSE : PETSC_TRUE;
  job->context->team = s.team;
  PetscCall(PetscCalloc2((size_t)s.count * (FARE_RARE_ONCE + fare_rare_details(job)), &s.made,
    fare_rare_details(job) + 1, &s.detail));
  r->under_way->now = &s;
  code              = work_in_slices(&s, progress, pauses, row, r);
  r->under_way->now = NULL;
  PetscCall(fare_rare_let_go(&s.run));
  PetscCall(PetscFree2(s.made, s.detail));
  job->context->team = PETSC_COMM_SELF;
  if (s.teams < ranks) PetscCallMPI(MPI_Comm_free(&s.team));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_rare_make(
  const fare_rare_job *job, const fare_rare_pauses *pauses, size_t row, fare_rare_results *r)
{
  const fare_rare_once *once = (const fare_rare_once *)r->once[row];
  PetscErrorCode        code = 0;
  fare_progress         progress;
  int64_t              *list;

  PetscFunctionBegin;
  if (r->done[row] == r->runs[row]) PetscFunctionReturn(0);
  if (r->under_way && r->under_way->row != row) fare_rare_under_way_free(&r->under_way);
  if (!r->under_way) r->under_way = calloc(1, sizeof *r->under_way);
  if (!r->under_way) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  r->under_way->row = row;
  PetscCall(PetscMalloc1(r->runs[row], &list));
  fare_progress_begin(&progress, job->context->name, (double)r->runs[row]);
  while (!code && r->done[row] < r->runs[row]) {
    int64_t count = 0;

    for (PetscInt64 i = 0; i < r->runs[row]; i++) {
      if (!(once[i].cost > 0)) list[count++] = i;
    }
    code = make_some(job, &progress, pauses, row, count, list, r);
  }
  if (!code) fare_progress_end(&progress);
  PetscCall(PetscFree(list));
  fare_rare_under_way_free(&r->under_way);
  PetscFunctionReturn(code);
}
