/* SPDX-License-Identifier: BSD-2-Clause */
/*
  A density that is given on the truth's cells: read, looked at, and put into the truth's bins. There is no
  noise.
*/
#include "score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SUM_ROUNDING 1e-6 /* masses may sum to so much more than 1: those in single precision do */

/* From logarithms of the density in the middles of cells; -inf is no density at all. */
static PetscErrorCode take_mass(const fare_samples *s, size_t i, size_t cells, double values[])
{
  const double   volume = fare_grid_volume(&s->study->grid), time = s->study->time[s->snapshot[i]];
  PetscErrorCode bad = 0;

  PetscFunctionBegin;
  for (size_t c = 0; c < cells && !bad; c++) {
    const double value = values[c];

    if (s->cells == FARE_CELLS_LOG_DENSITY) values[c] = exp(value) * volume;
    if (isnan(value) || !isfinite(values[c]))
      bad = fare_error(FARE_ERR_INPUT,
        "%s: %s[%zu] has a cell with %g (time %g); expected finite numbers, or -inf for no density", s->path,
        fare_cells_path(s->cells), i, value, time);
    else if (values[c] < 0)
      bad = fare_error(FARE_ERR_INPUT, "%s: %s[%zu] has a cell with %g (time %g); masses are not negative",
        s->path, fare_cells_path(s->cells), i, value, time);
  }
  PetscFunctionReturn(fare_error_agree(s->comm, bad));
}

const char *fare_cells_path(fare_cells cells)
{
  return cells == FARE_CELLS_MASS ? "/cell_mass" : "/log_density_cells";
}

static PetscErrorCode read_cells(const fare_samples *s, size_t i, Vec masses, double *total)
{
  uint64_t       extent[4], start[4], count[4];
  PetscScalar   *mass;
  PetscInt       cells;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(masses, &cells));
  fare_finished_box(s->study, i, extent, start, count);
  PetscCall(VecGetArray(masses, &mass));
  code = fare_store_read(
    s->store, fare_cells_path(s->cells), FARE_STORE_FLOAT64, s->study->dim + 1, start, count, mass);
  if (!code) code = take_mass(s, i, (size_t)cells, mass);
  PetscCall(VecRestoreArray(masses, &mass));
  PetscCall(code);
  PetscCall(VecSum(masses, total));
  PetscFunctionReturn(0);
}

/* What masses of cells leave over is outside; a density in the middles of cells is scaled to sum 1. */
static PetscErrorCode fill(const fare_samples *s, size_t i, Vec masses, double total, fare_binned *q)
{
  const double time = s->study->time[s->snapshot[i]];

  PetscFunctionBegin;
  if (!(total > 0))
    FARE_FAIL(
      FARE_ERR_INPUT, "%s: %s[%zu] is 0 in all cells (time %g)", s->path, fare_cells_path(s->cells), i, time);
  if (s->cells == FARE_CELLS_MASS && total > 1 + SUM_ROUNDING)
    FARE_FAIL(FARE_ERR_INPUT, "%s: %s[%zu] sums to %g (time %g); cell masses sum to at most 1", s->path,
      fare_cells_path(s->cells), i, total, time);
  PetscCall(fare_binning_density(s->study->binning, masses, q));
  if (s->cells != FARE_CELLS_MASS || total >= 1 - SUM_ROUNDING) PetscFunctionReturn(0);
  for (size_t b = 0; b < q->bins; b++) q->mass[b] *= total;
  q->mass[q->bins] = 1 - total;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_cells_read(const fare_samples *s, size_t i, fare_binned *q, double *total)
{
  const fare_grid *grid = &s->study->grid;
  PetscErrorCode   code;
  Vec              masses;

  PetscFunctionBegin;
  PetscCall(
    VecCreateMPI(s->comm, grid->count[0] * grid->count[1] * grid->count[2], PETSC_DETERMINE, &masses));
  code = read_cells(s, i, masses, total);
  if (!code) code = fill(s, i, masses, *total, q);
  PetscCall(VecDestroy(&masses));
  PetscFunctionReturn(fare_as_input(code));
}
