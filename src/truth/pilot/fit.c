/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Cells and tolerance for an accuracy that is asked for. Pilots run on coarse grids, each with twice the cells
  of the one before, until their errors in space fall by the order of the scheme; what is missing is then
  extrapolated. A fall that is faster than the scheme's order will not last, and is not extrapolated.
*/
#include "truth/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PILOTS_MAX 12
/* of the accuracy is aimed at, so that what is extrapolated may be off by as much */
#define SAFETY        0.7
#define ORDER_MAX     2   /* of the scheme in space */
#define SHARE_OF_TIME 0.2 /* of the accuracy is left to the time method */

static const PetscInt64 first_cells[FARE_DIM_MAX] = {64, 32, 16};

typedef struct {
  double    space, time;
  PetscBool doubted; /* an estimate is out of its asymptotic range */
  char      why[512];
} errors;

/* The largest estimated errors over the schedule. */
static PetscErrorCode pilot(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, const fare_truth_options *options, errors *most)
{
  fare_truth *truth;

  PetscFunctionBegin;
  memset(most, 0, sizeof *most);
  PetscCall(fare_truth_create(comm, system, initial, schedule->start, options, &truth));
  for (PetscInt64 k = 0; k < schedule->count; k++) {
    const fare_truth_status *status = fare_truth_get_status(truth);

    PetscCall(fare_truth_advance(truth, fare_schedule_time(schedule, k)));
    most->space = PetscMax(most->space, status->error_space);
    most->time  = PetscMax(most->time, status->error_time);
    if (status->doubt) fare_truth_doubt_text(system, status, sizeof most->why, most->why);
    if (status->doubt) most->doubted = PETSC_TRUE;
  }
  PetscCall(fare_truth_destroy(&truth));
  PetscFunctionReturn(0);
}

static PetscErrorCode multiply_cells(fare_truth_options *options, double factor)
{
  double total = 1;

  PetscFunctionBegin;
  for (size_t i = 0; i < options->cells.count; i++) {
    /* so that there is a third grid */
    const double cells = 4 * ceil(factor * (double)options->cells.values[i] / 4);

    total *= cells;
    options->cells.values[i] = (PetscInt64)PetscMin(cells, FARE_CELLS_MAX);
  }
  if (total > FARE_CELLS_MAX)
    FARE_FAIL(FARE_ERR_INPUT,
      "truth.accuracy: %g would take %.2g cells, more than allowed; relax it, or take a smaller box",
      options->accuracy, total);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_fit(MPI_Comm comm, const fare_system *system, const fare_initial *initial,
  const fare_schedule *schedule, fare_truth_options *options)
{
  const int      dim    = fare_system_dimension(system);
  const fare_box box    = fare_truth_box(system, options);
  double         before = 0;
  errors         now;

  PetscFunctionBegin;
  if (!(options->accuracy > 0)) PetscFunctionReturn(0);
  options->cells.values = calloc((size_t)dim, sizeof *options->cells.values);
  if (!options->cells.values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  options->cells.count = (size_t)dim;
  for (int axis = 0; axis < dim; axis++) options->cells.values[axis] = first_cells[dim - 1];
  /* of all pilots */
  options->scheme    = (int)fare_truth_scheme(system, &box, options, schedule->start);
  options->tolerance = PetscMax(1e-13, 0.01 * options->accuracy);
  for (int i = 0; i < PILOTS_MAX; i++) {
    const double left = SAFETY * options->accuracy;
    double       order;

    PetscCall(pilot(comm, system, initial, schedule, options, &now));
    order = before > 0 && now.space > 0 ? log2(before / now.space) : 0;
    fare_log("truth: pilot with %lld cells along x, estimated L1 error %.2e in space%s, %.2e in time",
      (long long)options->cells.values[0], now.space, now.doubted ? " (in doubt)" : "", now.time);
    if (now.time > SHARE_OF_TIME * options->accuracy)
      options->tolerance *= PetscMax(0.01, 0.5 * SHARE_OF_TIME * options->accuracy / now.time);
    else if (!now.doubted && now.space + now.time <= left)
      PetscFunctionReturn(0);
    /* regular: the errors fall as they will go on to fall; from then on one jump is enough */
    if (!now.doubted && now.space > left && order > 0.8 && fabs(order - round(order)) < 0.15 &&
      round(order) <= ORDER_MAX) {
      PetscCall(multiply_cells(options, pow(now.space / ((1 - SHARE_OF_TIME) * left), 1 / round(order))));
      if (now.time <= SHARE_OF_TIME * options->accuracy) PetscFunctionReturn(0);
      before = 0;
      continue;
    }
    before = now.space;
    if (now.space > left || now.doubted) PetscCall(multiply_cells(options, 2));
  }
  FARE_FAIL(FARE_ERR_FAILED,
    "truth.accuracy: %g was not reached in %d pilot runs (the last with %lld cells along x: %.2e in space, "
    "%.2e in time%s%s)",
    options->accuracy, PILOTS_MAX, (long long)options->cells.values[0], now.space, now.time,
    now.doubted ? "; " : "", now.why);
}
