/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The error in space, from three grids that each have half as many cells per axis as the one before. Where the
  error falls by a factor r from grid to grid, that of the finest is |finest - next| / (r - 1). The scheme
  says how large r is at best (fare_operator_ratio); the third grid shows how large it is, in each
  neighbourhood, and smaller counts: at a singular end, or where drift outruns diffusion, or with a start
  narrower than a cell, the error falls more slowly. The coarser two grids tell the error as well, and the
  larger of both counts: two grids may agree by accident. A start or a kink within a cell, and steep cells,
  make that likely: the estimate is then twice as large.

  What no difference of grids shows is said to be in doubt: cells that hold mass and are too steep, a density
  on a few cells, an error that is large or hardly falls.
*/
#include "truth/rates/operator.h"

#include <petscdmda.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SMOOTHINGS   4    /* of the differences, before they are divided by each other */
#define NOMINAL      0.75 /* of the scheme's ratio is near enough to it */
#define RATIO_WRONG  1.5  /* used where the error does not even fall, which tells nothing */
#define RATIO_KINK   4.0  /* of order 2, and of order 4 */
#define RATIO_SMOOTH 16.0
#define FAR_MOST     3     /* times as much as the finer two grids: what the coarser two may count for */
#define NARROW       1.0   /* cells for a standard deviation of the start */
#define NARROW_HIGH  2.0   /* which the scheme of high order does not follow on any of the grids */
#define ROUGH        1.0   /* kT: a kink, a jump or a bump within a cell */
#define STEEP        2.0   /* kT over a cell: grids may agree by accident */
#define STEEP_HIGH   5.0   /* and they tell nothing */
#define STEEP_SOME   0.2   /* worth naming where the error is large */
#define STEEP_MOST   1e3   /* there is no diffusion */
#define ACCIDENTS    2     /* times as large is the estimate where they are likely */
#define FILLED_LEAST 4.0   /* cells */
#define FILLED_HIGH  6.0   /* for the scheme of high order: coarser grids see nothing */
#define ERROR_LARGE  0.1   /* no grid is in its asymptotic range there */
#define ERROR_SOME   0.01  /* in doubt where it hardly falls */
#define ERROR_STEEP  0.03  /* and in steep cells, which slow mass down by about as much on two grids */
#define FORGOTTEN    0.01  /* of the largest error of cells too steep: what is left is another */
#define NOISE        1e-10 /* differences tell nothing */
#define END_SHARE    0.5   /* of the error, in the four cells at the ends of an axis */
#define ERROR_AIM    0.05  /* for the cells that are advised */
#define FINER_MOST   64.0
#define ABOVE        1.25 /* times the scheme's ratio is near enough to it, too */
#define SMOOTH       0.1  /* kT: roughness of the coarsest cells, for an extrapolation */
#define START_CELLS  2.0  /* in a standard deviation of the start, for that */

struct fare_estimate {
  const fare_system *system;
  const fare_grid   *grid, *half_grid, *quarter_grid; /* the last is NULL where it cannot be */
  PetscBool          high_order;                      /* the scheme: no rate is fitted to steep cells */
  /* standard deviation of the narrowest component of the start, 0: it has none */
  double narrow[FARE_DIM_MAX];
  Vec    difference; /* on the half grid */
  /* |finest - half| and |half - quarter|, on the quarter grid */
  Vec         near, far;
  fare_patch *patch;
  double     *ones, *sums;
  /* of the density at rest, by the quadrature of the rates; < 0: not known yet */
  double rest_error;
  double steep_error; /* see fare_estimate_steep_error */
  /* of the latest masses */
  fare_resolution look;
  double          narrower[FARE_DIM_MAX]; /* cells over the standard deviation of the start */
};

PetscErrorCode fare_estimate_create(const fare_grid *grid, const fare_grid *half_grid,
  const fare_grid *quarter_grid, const fare_system *system, const fare_initial *initial, PetscBool high_order,
  fare_estimate **estimate)
{
  fare_estimate *e;

  PetscFunctionBegin;
  PetscCall(PetscNew(&e));
  *estimate       = e;
  e->system       = system;
  e->grid         = grid;
  e->half_grid    = half_grid;
  e->quarter_grid = quarter_grid;
  e->high_order   = high_order;
  e->rest_error   = -1;
  for (size_t i = 0; i < initial->sd.count && fare_initial_is_gaussian(initial); i++) {
    double *narrow = &e->narrow[i % (size_t)grid->dim];

    *narrow = *narrow > 0 ? PetscMin(*narrow, initial->sd.values[i]) : initial->sd.values[i];
  }
  for (int axis = 0; axis < grid->dim; axis++) {
    if (e->narrow[axis] > 0) e->narrower[axis] = grid->spacing[axis] / e->narrow[axis];
  }
  PetscCall(DMCreateGlobalVector(half_grid->dm, &e->difference));
  if (!quarter_grid) PetscFunctionReturn(0);
  PetscCall(DMCreateGlobalVector(quarter_grid->dm, &e->near));
  PetscCall(DMCreateGlobalVector(quarter_grid->dm, &e->far));
  PetscCall(fare_patch_create(quarter_grid, MPI_DOUBLE, &e->patch));
  PetscCall(PetscMalloc2(e->patch->box, &e->ones, e->patch->owned, &e->sums));
  for (PetscInt i = 0; i < e->patch->box; i++) e->ones[i] = 1;
  PetscFunctionReturn(0);
}

double fare_estimate_rest_error(const fare_estimate *estimate)
{
  return estimate->rest_error;
}

double fare_estimate_steep_error(const fare_estimate *estimate)
{
  return estimate->steep_error;
}

void fare_estimate_set_steep_error(fare_estimate *estimate, double error)
{
  estimate->steep_error = error;
}

PetscErrorCode fare_estimate_destroy(fare_estimate **estimate)
{
  fare_estimate *e = *estimate;

  PetscFunctionBegin;
  if (!e) PetscFunctionReturn(0);
  PetscCall(VecDestroy(&e->difference));
  PetscCall(VecDestroy(&e->near));
  PetscCall(VecDestroy(&e->far));
  PetscCall(fare_patch_destroy(&e->patch));
  PetscCall(PetscFree2(e->ones, e->sums));
  PetscCall(PetscFree(*estimate));
  PetscFunctionReturn(0);
}

/*
  Sums over neighbours, again and again: the same for both differences, so that their ratio is of a
  neighbourhood.
*/
static PetscErrorCode smooth(const fare_estimate *e, Vec v)
{
  double *const ones[] = {e->ones, e->ones, e->ones};
  PetscScalar  *values;

  PetscFunctionBegin;
  PetscCall(VecGetArray(v, &values));
  for (int i = 0; i < SMOOTHINGS; i++) {
    PetscCall(fare_patch_exchange(e->patch, values));
    /* neighbours, and 2 dim times itself */
    fare_patch_apply(e->patch, ones, ones, 1, -4.0 * e->grid->dim, values, e->sums);
    for (PetscInt n = 0; n < e->patch->owned; n++) values[n] = e->sums[n];
  }
  PetscCall(VecRestoreArray(v, &values));
  PetscFunctionReturn(0);
}

/* near and far of the present masses, smoothed, and the sums of both before. */
static PetscErrorCode compare_grids(fare_estimate *e, Vec half, Vec quarter, double sum[2])
{
  Vec size;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(e->difference, &size));
  PetscCall(VecCopy(e->difference, size));
  PetscCall(VecAbs(size));
  PetscCall(fare_grid_restrict(e->quarter_grid, size, e->near));
  PetscCall(VecDestroy(&size));
  PetscCall(fare_grid_restrict(e->quarter_grid, half, e->far));
  PetscCall(VecAXPY(e->far, -1, quarter));
  PetscCall(VecAbs(e->far));
  PetscCall(VecSum(e->near, &sum[0]));
  PetscCall(VecSum(e->far, &sum[1]));
  PetscCall(smooth(e, e->near));
  PetscCall(smooth(e, e->far));
  PetscFunctionReturn(0);
}

/* What a difference is multiplied by where it falls by `ratio`. */
static double factor_of(double ratio, double nominal)
{
  if (ratio >= NOMINAL * nominal) return 1 / (nominal - 1);
  return 1 / ((ratio < 1 ? RATIO_WRONG : PetscMax(ratio, FARE_RATIO_MIN)) - 1);
}

/*
  Of a scheme of high order. A kink or an end leaves order 2 at most, alike on all grids. A smooth density
  falls faster from grid to grid, the better cells resolve it: finer grids then have about twice the ratio of
  the coarser ones, until it is nominal.
*/
static double factor_of_smooth(double observed, double nominal)
{
  const double smooth = (observed - RATIO_KINK) / (RATIO_SMOOTH - RATIO_KINK);

  return factor_of(observed * (1 + PetscMin(1, PetscMax(0, smooth))), nominal);
}

/* Multiplies the difference by the factor of each neighbourhood; leaves far/near in `near`. */
static PetscErrorCode scale_difference(fare_estimate *e, double nominal)
{
  const PetscScalar *far;
  PetscScalar       *near, *difference;
  PetscInt           cells;
  Vec                factor;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(e->difference, &factor));
  PetscCall(VecGetArray(e->near, &near));
  PetscCall(VecGetArrayRead(e->far, &far));
  for (PetscInt n = 0; n < e->patch->owned; n++) near[n] = near[n] > 0 ? far[n] / near[n] : HUGE_VAL;
  PetscCall(VecRestoreArrayRead(e->far, &far));
  PetscCall(VecRestoreArray(e->near, &near));
  PetscCall(VecScale(e->near, 1 << e->grid->dim)); /* children have equal shares */
  PetscCall(fare_grid_prolong(e->quarter_grid, e->near, factor));
  PetscCall(VecGetArray(e->difference, &difference));
  PetscCall(VecGetArrayRead(factor, &far));
  PetscCall(VecGetLocalSize(e->difference, &cells));
  for (PetscInt n = 0; n < cells; n++) difference[n] *= factor_of(far[n], nominal);
  PetscCall(VecRestoreArrayRead(factor, &far));
  PetscCall(VecRestoreArray(e->difference, &difference));
  PetscCall(VecDestroy(&factor));
  PetscFunctionReturn(0);
}

/* The share of the estimated error in cells at the ends of each axis. */
static PetscErrorCode look_at_ends(const fare_estimate *e, double end[FARE_DIM_MAX])
{
  const fare_grid   *half = e->half_grid;
  const PetscScalar *error;
  double             sums[FARE_DIM_MAX + 1] = {0};
  PetscInt           cells;

  PetscFunctionBegin;
  PetscCall(VecGetLocalSize(e->difference, &cells));
  PetscCall(VecGetArrayRead(e->difference, &error));
  for (PetscInt n = 0; n < cells; n++) {
    const PetscInt at[] = {
      n % half->count[0], n / half->count[0] % half->count[1], n / half->count[0] / half->count[1]};

    sums[FARE_DIM_MAX] += fabs(error[n]);
    for (int axis = 0; axis < half->dim; axis++) {
      const PetscInt index = half->start[axis] + at[axis];

      if (half->boundary[axis] != FARE_BOUNDARY_PERIODIC && (index < 2 || index >= half->cells[axis] - 2))
        sums[axis] += fabs(error[n]);
    }
  }
  PetscCall(VecRestoreArrayRead(e->difference, &error));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_SUM, half->comm));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    end[axis] = sums[FARE_DIM_MAX] > 0 ? sums[axis] / sums[FARE_DIM_MAX] : 0;
  PetscFunctionReturn(0);
}

static int largest(const double of[])
{
  int axis = 0;

  for (int i = 1; i < FARE_DIM_MAX; i++) axis = of[i] > of[axis] ? i : axis;
  return axis;
}

/*
  Cells for an error of ERROR_AIM by the order that was seen, and fine enough for the length that is the
  cause.
*/
static void advise(const fare_estimate *e, const double finer[], fare_truth_status *status)
{
  const double seen =
                 status->observed > 0 ? log2(PetscMin(PetscMax(status->observed, FARE_RATIO_MIN), 4)) : 1,
               order = status->error_space > ERROR_LARGE ? PetscMax(seen, 1) : seen;
  const double all   = status->error_space > ERROR_AIM ? pow(status->error_space / ERROR_AIM, 1 / order) : 1;

  for (int axis = 0; axis < e->grid->dim; axis++) {
    const double factor = PetscMin(FINER_MOST, PetscMax(PetscMax(all, finer[axis]), 1)),
                 cells  = (double)e->grid->cells[axis];

    status->advised[axis] =
      4 * ceil(PetscMax(factor * cells, all > 1 || finer[axis] > 1 ? cells + 1 : 2 * cells) / 4 - 1e-9);
  }
}

static void set_doubt(fare_truth_status *status, fare_doubt doubt, int axis, double size)
{
  status->doubt      = doubt;
  status->doubt_axis = axis;
  status->doubt_size = size;
}

/*
  Of an error that is large or hardly falls: an end, or the length that the cells are farthest from resolving,
  or none that is known.
*/
static PetscErrorCode name_cause(const fare_estimate *e, const fare_resolution *look, const double narrower[],
  fare_doubt steep_is, fare_truth_status *status)
{
  const int start = largest(narrower), steep = largest(look->steep);
  double    end[FARE_DIM_MAX];
  int       last;

  PetscFunctionBegin;
  PetscCall(look_at_ends(e, end));
  last = largest(end);
  if (end[last] > END_SHARE && narrower[start] <= NARROW && look->steep[steep] <= STEEP)
    set_doubt(status, FARE_DOUBT_END, last, status->observed);
  else if (narrower[start] > NARROW && narrower[start] > look->steep[steep])
    set_doubt(status, FARE_DOUBT_START, start, e->narrow[start]);
  else if (look->steep[steep] > STEEP_SOME)
    set_doubt(status, steep_is, steep, look->steep[steep]);
  else
    set_doubt(status, FARE_DOUBT_UNKNOWN, 0, status->observed);
  PetscFunctionReturn(0);
}

/* Of the present masses and of what they have been through on the way here. */
static PetscErrorCode doubt_now(
  const fare_estimate *e, const fare_resolution *look, const double narrower[], fare_truth_status *status)
{
  const int        steep = largest(look->steep), start = largest(narrower);
  const fare_doubt steep_is = fare_system_is_gradient(e->system) ? FARE_DOUBT_WELLS : FARE_DOUBT_DRIFT;
  const PetscBool  hardly_falls =
    status->observed > 0 && status->observed < FARE_RATIO_MIN && status->error_space > ERROR_SOME
     ? PETSC_TRUE
     : PETSC_FALSE;
  const double least = e->high_order ? FILLED_HIGH : FILLED_LEAST;
  double       finer[FARE_DIM_MAX];

  PetscFunctionBegin;
  set_doubt(status, FARE_DOUBT_NONE, 0, 0);
  for (int axis = 0; axis < e->grid->dim; axis++) status->advised[axis] = 0;
  /* without diffusion, what grids agree on may be wrong within the widest cells */
  if (status->error_space <= NOISE && look->steep[steep] <= STEEP_MOST) PetscFunctionReturn(0);
  if (look->steep[steep] > STEEP_HIGH)
    set_doubt(status, steep_is, steep, look->steep[steep]);
  else if (look->filled < least)
    set_doubt(status, FARE_DOUBT_FEW, 0, look->filled);
  else if (e->high_order && narrower[start] > NARROW_HIGH)
    set_doubt(status, FARE_DOUBT_START, start, e->narrow[start]);
  else if (hardly_falls || status->error_space > (look->steep[steep] > STEEP ? ERROR_STEEP : ERROR_LARGE))
    PetscCall(name_cause(e, look, narrower, steep_is, status));
  if (status->doubt == FARE_DOUBT_NONE) PetscFunctionReturn(0);
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    finer[axis] = PetscMax(narrower[axis], look->steep[axis] < STEEP_MOST ? look->steep[axis] / STEEP : 0);
    if (status->doubt == FARE_DOUBT_FEW) finer[axis] = PetscMax(finer[axis], 2 * least / look->filled);
  }
  advise(e, finer, status);
  PetscFunctionReturn(0);
}

/*
  Mass that is lost through an absorbing end is lost: what was in doubt once remains so. Elsewhere a doubt
  about cells too steep lasts until the density has forgotten them: grids that agreed by accident there still
  do.
*/
static PetscErrorCode doubt(
  fare_estimate *e, const fare_resolution *look, const double narrower[], fare_truth_status *status)
{
  const fare_truth_status before = *status;
  const PetscBool is_steep       = look->steep[largest(look->steep)] > STEEP_HIGH ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  if (fare_grid_absorbs(e->grid) && status->doubt != FARE_DOUBT_NONE) PetscFunctionReturn(0);
  PetscCall(doubt_now(e, look, narrower, status));
  if (status->doubt != FARE_DOUBT_NONE && is_steep)
    e->steep_error = PetscMax(e->steep_error, status->error_space);
  else if (!(status->error_space > FORGOTTEN * e->steep_error))
    e->steep_error = 0;
  else if (status->doubt == FARE_DOUBT_NONE && e->steep_error > 0) {
    set_doubt(status, before.doubt, before.doubt_axis, before.doubt_size);
    for (int axis = 0; axis < FARE_DIM_MAX; axis++) status->advised[axis] = before.advised[axis];
  }
  PetscFunctionReturn(0);
}

/* The differences of the finer two grids and of the coarser two, where there are any. */
static PetscErrorCode scale(fare_estimate *e, Vec half, Vec quarter, double nominal,
  const fare_resolution *look, PetscBool is_narrow, fare_truth_status *status)
{
  const PetscBool is_steep  = look->steep[largest(look->steep)] > STEEP ? PETSC_TRUE : PETSC_FALSE;
  const double    accidents = is_narrow || is_steep || look->rough > ROUGH ? ACCIDENTS : 1;
  double          sum[2]    = {0, 0}, far, least;
  PetscReal       norm;

  PetscFunctionBegin;
  status->observed = 0;
  if (!quarter) {
    PetscCall(VecScale(e->difference, 1 / (FARE_RATIO_UNSEEN - 1)));
    PetscFunctionReturn(0);
  }
  PetscCall(compare_grids(e, half, quarter, sum));
  status->observed = sum[0] > 0 ? sum[1] / sum[0] : 0;
  if (e->high_order)
    PetscCall(VecScale(e->difference, factor_of_smooth(status->observed, nominal)));
  else
    PetscCall(scale_difference(e, nominal));
  far   = is_steep ? sum[1] / nominal : PetscMin(sum[1] / nominal, FAR_MOST * sum[0]);
  least = PetscMin(1, accidents / (nominal - 1)) * PetscMax(sum[0], far);
  PetscCall(fare_norm_1(e->difference, &norm));
  if (norm > 0 && norm < least) PetscCall(VecScale(e->difference, least / norm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_estimate_space(fare_estimate *e, Vec masses, Vec half, Vec quarter, double nominal,
  const double steepest[], Vec error_field, fare_truth_status *status)
{
  const double *narrower = e->narrower;
  PetscReal     norm;

  PetscFunctionBegin;
  PetscCall(fare_grid_restrict(e->half_grid, masses, e->difference));
  PetscCall(VecAXPY(e->difference, -1, half));
  PetscCall(fare_resolution_look(e->grid, e->system, status->time, masses, &e->look));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    e->look.steep[axis] = e->high_order ? 0 : PetscMax(e->look.steep[axis], steepest[axis]);
  PetscCall(scale(e, half, quarter, nominal, &e->look,
    narrower[largest(narrower)] > NARROW ? PETSC_TRUE : PETSC_FALSE, status));
  PetscCall(fare_norm_1(e->difference, &norm));
  if (e->rest_error < 0) PetscCall(fare_grid_rest_error(e->grid, e->system, status->time, &e->rest_error));
  status->error_space = PetscMin(2, norm + e->rest_error);
  PetscCall(doubt(e, &e->look, narrower, status));
  PetscCall(fare_grid_prolong(e->half_grid, e->difference, error_field));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_estimate_resolves(
  fare_estimate *e, Vec quarter, const fare_truth_status *status, PetscBool *resolves)
{
  const double narrowest = e->narrower[largest(e->narrower)],
               steepest  = e->look.steep[largest(e->look.steep)];
  fare_resolution coarsest;

  PetscFunctionBegin;
  *resolves = PETSC_FALSE;
  if (status->doubt || START_CELLS * narrowest > 1 || steepest > STEEP) PetscFunctionReturn(0);
  PetscCall(fare_resolution_look(e->quarter_grid, e->system, status->time, quarter, &coarsest));
  *resolves = coarsest.rough <= SMOOTH ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_estimate_is_smooth(
  fare_estimate *e, Vec quarter, double nominal, const fare_truth_status *status, PetscBool *smooth)
{
  PetscFunctionBegin;
  *smooth = PETSC_FALSE;
  if (status->observed >= NOMINAL * nominal && status->observed <= ABOVE * nominal)
    PetscCall(fare_estimate_resolves(e, quarter, status, smooth));
  PetscFunctionReturn(0);
}

void fare_truth_doubt_text(
  const fare_system *system, const fare_truth_status *status, size_t size, char text[])
{
  const char *axis = fare_system_axis_name(system, status->doubt_axis);
  double      all  = 1;
  size_t      used;

  switch (status->doubt) {
  case FARE_DOUBT_NONE:
    snprintf(text, size, "%s", "");
    return;
  case FARE_DOUBT_WELLS:
    snprintf(text, size,
      "the cells are too coarse for the potential, which changes by %.1f kT over a cell along %s",
      status->doubt_size, axis);
    break;
  case FARE_DOUBT_DRIFT:
    if (status->doubt_size < STEEP_MOST)
      snprintf(
        text, size, "drift dominates diffusion (cell Peclet number %.3g along %s)", status->doubt_size, axis);
    else
      snprintf(text, size, "drift dominates: there is no diffusion along %s to balance it", axis);
    break;
  case FARE_DOUBT_START:
    snprintf(text, size, "the initial density is narrower than a cell (standard deviation %.3g along %s)",
      status->doubt_size, axis);
    break;
  case FARE_DOUBT_END:
    snprintf(text, size,
      "the density is singular or steep at an end of %s (halving the cells lowers the error by only %.2g)",
      axis, status->doubt_size);
    break;
  case FARE_DOUBT_FEW:
    snprintf(text, size, "the density fills no more than %.2g cells", status->doubt_size);
    break;
  case FARE_DOUBT_UNKNOWN:
    snprintf(text, size,
      "the error does not fall with finer cells as it should (by %.2g when they are halved)",
      status->doubt_size);
    break;
  }
  for (int a = 0; a < fare_system_dimension(system); a++) all *= status->advised[a];
  used = strlen(text);
  snprintf(text + used, size - used,
    all > FARE_CELLS_MAX ? "; more cells would be needed than are allowed" : "; take %.0f",
    status->advised[0]);
  for (int a = 1; a < fare_system_dimension(system) && all <= FARE_CELLS_MAX; a++) {
    used = strlen(text);
    snprintf(text + used, size - used, " x %.0f", status->advised[a]);
  }
  used = strlen(text);
  snprintf(text + used, size - used, "%s", all <= FARE_CELLS_MAX ? " cells" : "");
}
