/* SPDX-License-Identifier: BSD-2-Clause */
/* Exact densities at all times of a schedule, gathered whole on every rank, for the oracles of samplers. */
#include "truth.h"

#include <petscdmda.h>

#include <math.h>
#include <stdlib.h>

#define SAME_TIME 1e-9 /* of the schedule's length */

static PetscErrorCode create_arrays(const fare_grid *from, const fare_schedule *schedule, fare_densities *d)
{
  size_t cells = 1;

  PetscFunctionBegin;
  PetscCall(fare_grid_create(
    PETSC_COMM_SELF, from->dim, from->cells, from->lower, from->upper, from->boundary, &d->grid));
  for (int axis = 0; axis < from->dim; axis++) cells *= (size_t)from->cells[axis];
  d->count  = schedule->count;
  d->times  = calloc((size_t)d->count, sizeof *d->times);
  d->masses = calloc((size_t)d->count, sizeof *d->masses);
  if (!d->times || !d->masses) FARE_FAIL(FARE_ERR_FAILED, "out of memory for the densities of oracles");
  for (PetscInt64 k = 0; k < d->count; k++) {
    d->times[k]  = fare_schedule_time(schedule, k);
    d->masses[k] = malloc(cells * sizeof *d->masses[k]);
    if (!d->masses[k])
      FARE_FAIL(FARE_ERR_FAILED, "out of memory for the densities of oracles: %lld times %zu cells",
        (long long)d->count, cells);
  }
  PetscFunctionReturn(0);
}

/* Whole, not negative, of sum 1. */
static PetscErrorCode gather(const fare_grid *grid, Vec masses, double to[])
{
  size_t cells = 1;
  double sum   = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) cells *= (size_t)grid->cells[axis];
  PetscCall(fare_grid_gather(grid, masses, to));
  for (size_t i = 0; i < cells; i++) sum += PetscMax(0, to[i]);
  for (size_t i = 0; i < cells; i++) to[i] = PetscMax(0, to[i]) / sum;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_densities_create(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options, fare_densities **densities)
{
  fare_truth_options alone = *options;
  fare_densities    *d;
  fare_truth        *truth;
  fare_progress      progress;

  PetscFunctionBegin;
  alone.estimate = alone.extrapolate = PETSC_FALSE;
  PetscCall(PetscNew(&d));
  *densities = d;
  PetscCall(fare_truth_create(comm, system, initial, schedule->start, &alone, &truth));
  PetscCall(create_arrays(fare_truth_grid(truth), schedule, d));
  fare_progress_begin(&progress, "exact densities for oracles", (double)d->count);
  for (PetscInt64 k = 0; k < d->count; k++) {
    PetscCall(fare_truth_advance(truth, d->times[k]));
    PetscCall(gather(fare_truth_grid(truth), fare_truth_masses(truth), d->masses[k]));
    fare_progress_update(&progress, (double)k + 1, NULL);
  }
  fare_progress_end(&progress);
  PetscCall(fare_truth_destroy(&truth));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_densities_destroy(fare_densities **densities)
{
  fare_densities *d = *densities;

  PetscFunctionBegin;
  if (!d) PetscFunctionReturn(0);
  for (PetscInt64 k = 0; d->masses && k < d->count; k++) free(d->masses[k]);
  free(d->masses);
  free(d->times);
  PetscCall(fare_grid_destroy(&d->grid));
  PetscCall(PetscFree(*densities));
  PetscFunctionReturn(0);
}

PetscInt64 fare_densities_find(const fare_densities *d, double t)
{
  const double length = d->times[d->count - 1] - d->times[0];

  for (PetscInt64 k = 0; k < d->count; k++) {
    if (fabs(d->times[k] - t) <= SAME_TIME * length) return k;
  }
  return -1;
}

double fare_densities_bytes(const fare_schedule *schedule, const fare_truth_options *options)
{
  double cells = (double)schedule->count;

  for (size_t i = 0; i < options->cells.count; i++) cells *= (double)options->cells.values[i];
  return sizeof(double) * cells;
}
