/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The oracle: bridges between exact densities, each by one rank, their masses at all snapshots on every rank.
*/
#include <fare/bridge.h>
#include "schrodinger_bridge.h"

#include <math.h>

/* The system's diffusion, averaged over the densities of all training times, times the square of `noise`. */
static PetscErrorCode mean_diffusion(fare_sampler *sampler, const fare_training_set *times)
{
  fare_schrodinger *b    = sampler->state;
  const fare_grid  *grid = sampler->exact->grid;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) b->D[axis] = 0;
  for (int k = 0; k < times->count; k++) {
    const double *mass;

    PetscCall(fare_sampler_exact(sampler, times->times[k], &mass));
    for (PetscInt n = 0; n < b->cells; n++) {
      double x[FARE_DIM_MAX], D[FARE_DIM_MAX];

      if (!(mass[n] > 0)) continue;
      fare_cell_centre(grid, n, x);
      fare_generative_diffusion(sampler->system, times->times[k], x, D);
      for (int axis = 0; axis < grid->dim; axis++)
        b->D[axis] += mass[n] * D[axis] * b->noise * b->noise / times->count;
    }
  }
  PetscFunctionReturn(0);
}

/* The bridge after training time k (the last one has no other end), with the snapshots that lie in it. */
static PetscErrorCode solve_one(
  fare_sampler *sampler, const fare_system *reference, int k, fare_bridge_result *result)
{
  fare_schrodinger     *b     = sampler->state;
  const fare_densities *exact = sampler->exact;
  const PetscInt64      first = fare_densities_find(exact, b->times[k]),
                   last       = k + 1 < b->count ? fare_densities_find(exact, b->times[k + 1]) : exact->count;
  const int         count     = (int)(last - first) - 1;
  const fare_bridge bridge    = {.grid = exact->grid,
       .reference                      = reference,
       .start                          = b->times[k],
       .end                            = k + 1 < b->count ? b->times[k + 1] : exact->times[exact->count - 1],
       .p0                             = exact->masses[first],
       .p1                             = k + 1 < b->count ? exact->masses[last] : NULL,
       .steps                          = b->fit_steps,
       .iterations                     = b->fit_rounds,
       .tolerance                      = b->tolerance};

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(b->masses[first], exact->masses[first], b->cells));
  *result = (fare_bridge_result){0};
  if (bridge.end > bridge.start)
    PetscCall(fare_bridge_solve(&bridge, count, exact->times + first + 1, b->masses + first + 1, NULL, result));
  PetscFunctionReturn(0);
}

/* Bridges in turn: rank r solves r, r + ranks, ... */
static PetscErrorCode solve_mine(fare_sampler *sampler, const fare_system *reference)
{
  fare_schrodinger *b = sampler->state;
  fare_progress     progress;
  char              what[128];
  int               rank, ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(sampler->comm, &rank));
  PetscCallMPI(MPI_Comm_size(sampler->comm, &ranks));
  snprintf(what, sizeof what, "bridges of %s", sampler->name);
  fare_progress_begin(&progress, what, b->count);
  for (int k = rank; k < b->count; k += ranks) {
    fare_bridge_result result;
    char               note[96];

    PetscCall(solve_one(sampler, reference, k, &result));
    b->entropy[k]  = result.entropy;
    b->mismatch[k] = result.mismatch;
    snprintf(
      note, sizeof note, "%lld rounds, ends met to %.1e", (long long)result.iterations, result.mismatch);
    fare_progress_update(&progress, k + 1, note);
  }
  fare_progress_end(&progress);
  PetscFunctionReturn(0);
}

/* Every snapshot from the rank that has it. */
static PetscErrorCode share(fare_sampler *sampler)
{
  fare_schrodinger *b = sampler->state;
  int               ranks, k = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(sampler->comm, &ranks));
  for (PetscInt64 i = 0; i < b->snapshots; i++) {
    while (k + 1 < b->count && fare_densities_find(sampler->exact, b->times[k + 1]) <= i) k++;
    PetscCallMPI(MPI_Bcast(b->masses[i], (PetscMPIInt)b->cells, MPI_DOUBLE, k % ranks, sampler->comm));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, b->entropy, b->count, MPI_DOUBLE, MPI_SUM, sampler->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, b->mismatch, b->count, MPI_DOUBLE, MPI_SUM, sampler->comm));
  PetscFunctionReturn(0);
}

static void report(const fare_sampler *sampler)
{
  const fare_schrodinger *b   = sampler->state;
  double                  sum = 0, most = 0, worst = 0;

  for (int k = 0; k + 1 < b->count; k++) {
    sum += b->entropy[k];
    most  = PetscMax(most, b->entropy[k]);
    worst = PetscMax(worst, b->mismatch[k]);
  }
  fare_log("bridges of %s: relative entropy to the reference %.6g nats over all %lld, at most %.4g in one; "
           "ends met to %.1e",
    sampler->name, sum, (long long)b->count - 1, most, worst);
  if (worst > b->tolerance)
    fare_warn("bridges of %s meet their ends to %.1e only, not %.1e, in %lld rounds", sampler->name, worst,
      b->tolerance, (long long)b->fit_rounds);
}

PetscErrorCode fare_schrodinger_solve(fare_sampler *sampler, const fare_training_set *times)
{
  fare_schrodinger     *b        = sampler->state;
  const fare_densities *exact    = sampler->exact;
  fare_system          *brownian = NULL;
  PetscErrorCode        code;

  PetscFunctionBegin;
  b->cells = fare_grid_owned(exact->grid);
  for (PetscInt64 i = 0; i < b->snapshots; i++) PetscCall(PetscMalloc1(b->cells, &b->masses[i]));
  PetscCall(fare_generative_scale_exact(sampler, times));
  PetscCall(mean_diffusion(sampler, times));
  if (b->reference == FARE_REFERENCE_BROWNIAN)
    PetscCall(fare_bridge_brownian(exact->grid->dim, b->D, &brownian));
  code = solve_mine(sampler, brownian ? brownian : sampler->system);
  PetscCall(fare_system_destroy(&brownian));
  PetscCall(fare_error_agree(sampler->comm, code));
  PetscCall(share(sampler));
  report(sampler);
  PetscFunctionReturn(0);
}
