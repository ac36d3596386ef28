/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Cloning beside the tilted generator: walkers that are weighed by exp(s dA) after each interval and drawn
  anew by systematic resampling, psi = sum ln(mean weight)/t (Giardina, Kurchan and Peliti, Phys. Rev. Lett.
  96, 120603 (2006)). Its bias is of order 1/N: runs of N and of 2N walkers tell it, and extrapolate it away.
  With the drift of the driven process of a coarse grid, weights hardly differ, and hardly any bias is left
  (Nemoto, Bouchet, Jack and Lecomte, Phys. Rev. E 93, 062123 (2016)). A walker carries what its ancestors
  have summed, so that means are those of ancestors and not of the last population.
*/
#include "run.h"

#include <petscdmda.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SLICE 0.25 /* seconds between pauses */

#define AT(member) offsetof(fare_clones, member)
const fare_field fare_clones_fields[] = {
  {"walkers", FARE_INTEGER, AT(walkers), "500", 10, 1e6, NULL, "",
    "of half of the runs; the others have twice as many"},
  {"dt", FARE_REAL, AT(dt), NULL, 1e-12, 1e3, NULL, "time", "step of the simulation"},
  {"resample", FARE_REAL, AT(resample), "0", 0, 1e6, NULL, "time",
    "between resamplings; by default ten steps"},
  {"duration", FARE_REAL, AT(duration), NULL, 1e-9, 1e9, NULL, "time", "that counts, after burn"},
  {"burn", FARE_REAL, AT(burn), "0", 0, 1e9, NULL, "time",
    "before, that does not; by default a fifth of duration"},
  {"runs", FARE_INTEGER, AT(runs), "8", 2, 1e4, NULL, "", "independent ones of each kind"},
  {"control_cells", FARE_INTEGER, AT(control), "0", 0, 4096, NULL, "",
    "cells per axis of a grid whose driven process steers the walkers; 0: no steering"},
  {"seed", FARE_INTEGER, AT(seed), "1", 0, 1e15, NULL, "", "of the random numbers"},
  FARE_FIELDS_END,
};

/* ln r of a coarse grid and its gradient at centres. */
static PetscErrorCode find_control(fare_cloning *p)
{
  PetscInt cells[FARE_DIM_MAX] = {p->keys->control, p->keys->control, p->keys->control}, index[FARE_DIM_MAX];
  double  *r;
  fare_tilted one;

  PetscFunctionBegin;
  if (!p->keys->control) PetscFunctionReturn(0);
  PetscCall(fare_grid_create(
    PETSC_COMM_SELF, p->dim, cells, p->grid->lower, p->grid->upper, p->grid->boundary, &p->coarse));
  PetscCall(fare_tilted_solve(p->coarse, p->system, p->t, p->observable, p->s, &one));
  PetscCall(PetscMalloc1(fare_grid_owned(p->coarse), &r));
  PetscCall(PetscMalloc1(fare_grid_owned(p->coarse) * (p->dim + 1), &p->gradient));
  PetscCall(fare_grid_gather(p->coarse, one.right, r));
  PetscCall(VecDestroy(&one.right));
  for (PetscInt n = 0; n < fare_grid_owned(p->coarse); n++) {
    PetscInt stride = 1;

    p->gradient[n * (p->dim + 1) + p->dim] = log(r[n]);
    fare_cell_index(p->coarse, n, index);
    for (int axis = 0; axis < p->dim; axis++) {
      PetscInt there[FARE_DIM_MAX], side[2] = {0, 0};

      if (fare_cell_over(p->coarse, index, 2 * axis, there)) side[0] = there[axis] - index[axis];
      if (fare_cell_over(p->coarse, index, 2 * axis + 1, there)) side[1] = there[axis] - index[axis];
      p->gradient[n * (p->dim + 1) + axis] = (log(r[n + side[1] * stride]) - log(r[n + side[0] * stride])) /
        ((double)((side[0] != 0) + (side[1] != 0)) * p->coarse->spacing[axis]);
      stride *= cells[axis];
    }
  }
  PetscCall(PetscFree(r));
  PetscFunctionReturn(0);
}

/* Mean, and standard error of it. */
static void average(PetscInt64 count, const double value[], size_t stride, double *mean, double *error)
{
  double sum = 0, squares = 0;

  for (PetscInt64 i = 0; i < count; i++) sum += value[(size_t)i * stride];
  *mean = sum / (double)count;
  for (PetscInt64 i = 0; i < count; i++) squares += PetscSqr(value[(size_t)i * stride] - *mean);
  *error = sqrt(squares / (double)count / (double)(count - 1));
}

/* All runs of one tilt: N walkers in the first half of them, 2N in the others. */
typedef struct {
  const fare_cloning   *p;
  fare_analysis_keeper *keeper;
  int                   tilt, ranks;
  int64_t               count, at; /* in the list; this rank has each of so many ranks */
  int64_t              *list;      /* of runs that are not made yet */
  double               *result;    /* NUMBERS of each run; the last is 0 until it is made */
  double               *made;      /* the same, of this rank's since the last pause */
  fare_clones_state     run;
} all_runs;

/* Of this rank, up to the end of a slice. */
static PetscErrorCode work(all_runs *r)
{
  const double until = fare_seconds() + SLICE;

  PetscFunctionBegin;
  while (r->at < r->count && fare_seconds() < until) {
    const int64_t number = r->list[r->at];
    PetscBool     ended;

    if (!r->run.begun) {
      PetscCall(fare_clones_begin(r->p, r->tilt, number, &r->run));
      PetscCall(fare_clones_take_up(&r->keeper->waiting, &r->run));
    }
    PetscCall(fare_clones_go_on(r->p, until, &r->run, r->made + FARE_CLONES_NUMBERS * number, &ended));
    if (!ended) break;
    PetscCall(fare_clones_end(&r->run));
    r->at += r->ranks;
  }
  PetscFunctionReturn(0);
}

/* What all ranks have made goes to all; what is under way is kept, and whoever calls is called. */
static PetscErrorCode pause(all_runs *r, fare_progress *progress, MPI_Comm comm)
{
  const int64_t runs = 2 * r->p->keys->runs;
  int64_t       done = 0;
  double        sum = 0, begun = r->run.begun ? fare_clones_share(&r->run) : 0;
  char          note[96];

  PetscFunctionBegin;
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, r->made, (int)(FARE_CLONES_NUMBERS * runs), MPI_DOUBLE, MPI_SUM, comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &begun, 1, MPI_DOUBLE, MPI_SUM, comm));
  for (int64_t i = 0; i < runs; i++) {
    const double *made = r->made + FARE_CLONES_NUMBERS * i;

    if (made[FARE_CLONES_FAMILIES] > 0) {
      memcpy(r->result + FARE_CLONES_NUMBERS * i, made, FARE_CLONES_NUMBERS * sizeof *made);
      fare_pieces_drop(&r->keeper->waiting, i);
    }
    if (!(r->result[FARE_CLONES_NUMBERS * i + FARE_CLONES_FAMILIES] > 0)) continue;
    sum += r->result[FARE_CLONES_NUMBERS * i];
    done++;
  }
  memset(r->made, 0, (size_t)(FARE_CLONES_NUMBERS * runs) * sizeof *r->made);
  snprintf(note, sizeof note, "%lld of %lld runs, psi %.4g so far", (long long)done, (long long)runs,
    done ? sum / (double)done : NAN);
  fare_progress_update(progress, (double)done + begun, note);
  if (!r->keeper->pause) PetscFunctionReturn(0);
  if (r->run.begun) PetscCall(fare_clones_put(&r->run, &r->keeper->own));
  PetscCall(r->keeper->pause(r->keeper->to));
  fare_pieces_free(&r->keeper->own);
  PetscFunctionReturn(0);
}

static PetscErrorCode make(all_runs *r, const char *what, MPI_Comm comm)
{
  const int64_t  runs = 2 * r->p->keys->runs;
  PetscErrorCode code = 0;
  fare_progress  progress;
  int            more, rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  for (int64_t i = 0; i < runs; i++) {
    if (!(r->result[FARE_CLONES_NUMBERS * i + FARE_CLONES_FAMILIES] > 0)) r->list[r->count++] = i;
  }
  r->at = rank;
  fare_progress_begin(&progress, what, (double)runs);
  do {
    code = fare_error_agree(comm, work(r));
    if (!code) code = pause(r, &progress, comm);
    more = r->at < r->count;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &more, 1, MPI_INT, MPI_MAX, comm));
  } while (more && !code);
  if (!code) fare_progress_end(&progress);
  PetscCall(fare_clones_end(&r->run));
  fare_pieces_free(&r->keeper->own);
  PetscFunctionReturn(code);
}

static void judge(const fare_clones *keys, const double result[], fare_cloned *cloned)
{
  double mean[2], error[2], unused;

  for (int of = 0; of < 2; of++) {
    for (int k = 0; k < 2; k++)
      average(keys->runs, result + FARE_CLONES_NUMBERS * k * keys->runs + of, FARE_CLONES_NUMBERS, &mean[k],
        &error[k]);
    *(of ? &cloned->slope : &cloned->psi)         = 2 * mean[1] - mean[0];
    *(of ? &cloned->slope_error : &cloned->error) = sqrt(4 * error[1] * error[1] + error[0] * error[0]);
    if (of) continue;
    cloned->few       = mean[0];
    cloned->few_error = error[0];
  }
  average(keys->runs, result + FARE_CLONES_NUMBERS * keys->runs + FARE_CLONES_FAMILIES, FARE_CLONES_NUMBERS,
    &cloned->families, &unused);
}

/* Of rank 0, which tells the others. */
static PetscErrorCode find_chain(const fare_cloning *p, MPI_Comm comm, fare_cloned *cloned)
{
  double         chain[2] = {NAN, NAN};
  int64_t        burn, all;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  fare_clones_steps(p->keys, &burn, &all);
  if (fare_is_rank_0(comm)) code = fare_cloning_chain(p, burn, all, &chain[0], &chain[1]);
  PetscCall(fare_error_agree(comm, code));
  PetscCallMPI(MPI_Bcast(chain, 2, MPI_DOUBLE, 0, comm));
  cloned->chain       = chain[0];
  cloned->chain_error = chain[1];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_clones_run(const fare_clones *keys, const fare_observable *observable,
  const fare_grid *grid, const fare_system *system, double t, double s, int number, fare_findings *found,
  fare_cloned *cloned)
{
  const size_t numbers = FARE_CLONES_NUMBERS * 2 * (size_t)keys->runs;
  fare_cloning p = {.keys = keys, .system = system, .observable = observable, .grid = grid, .t = t, .s = s};
  fare_analysis_keeper alone = {.comm = grid->comm};
  all_runs             r     = {.p = &p, .keeper = found->keeper ? found->keeper : &alone, .tilt = number};
  const MPI_Comm       comm  = r.keeper->comm;
  char                 name[FARE_ANALYSIS_ROW];
  PetscErrorCode       code;

  PetscFunctionBegin;
  p.dim   = grid->dim;
  p.walls = fare_grid_walls(grid, system);
  PetscCallMPI(MPI_Comm_size(comm, &r.ranks));
  snprintf(name, sizeof name, "%s/tilt %g", found->of ? found->of : "clones", s);
  PetscCall(fare_analysis_keep(r.keeper, name, numbers, &r.result));
  PetscCall(PetscCalloc2(numbers, &r.made, 2 * keys->runs, &r.list));
  code = fare_error_agree(comm, find_control(&p));
  if (!code) code = make(&r, name, comm);
  if (!code) judge(keys, r.result, cloned);
  if (!code) code = find_chain(&p, comm, cloned);
  PetscCall(PetscFree2(r.made, r.list));
  PetscCall(PetscFree(p.gradient));
  PetscCall(fare_grid_destroy(&p.coarse));
  fare_analysis_keeper_free(&alone);
  PetscFunctionReturn(code);
}
