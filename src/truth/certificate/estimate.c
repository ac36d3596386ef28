/*
  The error in space, from three grids that each have half as many cells per axis as the one before. Where the
  error falls by a factor r from grid to grid, that of the finest is |finest - next| / (r - 1). The scheme
  says how large r is at best (fare_operator_ratio); the third grid shows how large it is, in each
  neighbourhood, and smaller counts: at a singular end, or where drift outruns diffusion, or with a start
  narrower than a cell, the error falls more slowly. Where it hardly falls, or is large, it may be anything,
  and the estimate is said to be in doubt.
*/
#include "truth/rates/operator.h"

#include <petscdmda.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SMOOTHINGS  4    /* of the differences, before they are divided by each other */
#define NOMINAL     0.75 /* of the scheme's ratio is near enough to it */
#define RATIO_LEAST 1.25 /* that is used */
#define RATIO_WRONG 1.5  /* used where the error does not even fall, which tells nothing */
#define RATIO_LOW   1.5  /* below it the error does not fall as it should */
/* above it the third grid is too coarse to compare with, or the first two agree by accident */
#define RATIO_HIGH  16.0
#define SHARE_LOW   0.3  /* of the estimate may come from cells whose ratio is low */
#define ERROR_LARGE 0.1  /* no grid is in its asymptotic range there */
#define ERROR_SOME  0.01 /* in doubt where cells are steep, or where it was large before */
#define PECLET_HIGH 1.0  /* change of U/kT over a cell, or drift times width over diffusion: steep */
#define PECLET_SOME 0.2  /* worth naming where the error is large */
/*
  kT: a cell has a kink or a bump; grids may then agree by accident, so the estimate is so many times as large
*/
#define ROUGH_SOME   0.02
#define ROUGH_FACTOR 3.0
#define ROUGH_HIGH   1.0 /* in doubt, as beyond */
#define STEEP_HIGH   3.0
#define FILLED_LEAST 4.0   /* cells */
#define NOISE        1e-10 /* and whatever the time method leaves: differences tell nothing */
#define END_SHARE    0.5   /* of the error, in the four cells at the ends of an axis */
#define ERROR_AIM    0.05  /* for the cells that are advised */
#define FINER_MOST   64.0
#define CELLS_MAX    (1 << 28) /* as truth.c has it */

struct fare_estimate {
  const fare_system *system;
  const fare_grid   *grid, *half_grid, *quarter_grid; /* the last is NULL where it cannot be */
  /* standard deviation of the narrowest component of the start, 0: it has none */
  double narrow[FARE_DIM_MAX];
  Vec    difference; /* on the half grid */
  /* |finest - half| and |half - quarter|, on the quarter grid */
  Vec         near, far;
  fare_patch *patch;
  double     *ones, *sums;
  /* of the density at rest, by the quadrature of the rates; < 0: not known yet */
  double rest_error;
};

PetscErrorCode fare_estimate_create(const fare_grid *grid, const fare_grid *half_grid,
  const fare_grid *quarter_grid, const fare_system *system, const fare_initial *initial,
  fare_estimate **estimate)
{
  fare_estimate *e;

  PetscFunctionBeginUser;
  PetscCall(PetscNew(&e));
  *estimate       = e;
  e->system       = system;
  e->grid         = grid;
  e->half_grid    = half_grid;
  e->quarter_grid = quarter_grid;
  e->rest_error   = -1;
  for (size_t i = 0; i < initial->sd.count && fare_initial_is_gaussian(initial); i++) {
    double *narrow = &e->narrow[i % (size_t)grid->dim];

    *narrow = *narrow > 0 ? PetscMin(*narrow, initial->sd.values[i]) : initial->sd.values[i];
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

PetscErrorCode fare_estimate_destroy(fare_estimate **estimate)
{
  fare_estimate *e = *estimate;

  PetscFunctionBeginUser;
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

  PetscFunctionBeginUser;
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

  PetscFunctionBeginUser;
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
  return 1 / ((ratio < 1 ? RATIO_WRONG : PetscMax(ratio, RATIO_LEAST)) - 1);
}

/*
  Multiplies the difference by the factor of each neighbourhood, in whose place `near` is left with; the share
  that comes from low ratios.
*/
static PetscErrorCode scale_difference(fare_estimate *e, double nominal, double *share)
{
  const PetscScalar *far;
  PetscScalar       *near, *difference;
  double             sum[2] = {0, 0};
  Vec                factor;

  PetscFunctionBeginUser;
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
  for (PetscInt n = 0; n < e->half_grid->count[0] * e->half_grid->count[1] * e->half_grid->count[2]; n++) {
    difference[n] *= factor_of(far[n], nominal);
    sum[far[n] < RATIO_LOW] += fabs(difference[n]);
  }
  PetscCall(VecRestoreArrayRead(factor, &far));
  PetscCall(VecRestoreArray(e->difference, &difference));
  PetscCall(VecDestroy(&factor));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, e->grid->comm));
  *share = sum[0] + sum[1] > 0 ? sum[1] / (sum[0] + sum[1]) : 0;
  PetscFunctionReturn(0);
}

/*
  |f| h / D along an axis, with h the spacing of the finest grid, on average over points of a cell of the half
  grid: at its centre alone narrow wells could hide.
*/
static double steepness(const fare_estimate *e, double t, const PetscInt at[], int axis)
{
  enum { POINTS = 4 };
  const fare_grid *half = e->half_grid;
  double           x[FARE_DIM_MAX][POINTS], f[FARE_DIM_MAX][POINTS], D[FARE_DIM_MAX][POINTS], sum = 0;
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};
  const double *const from[] = {x[0], x[1], x[2]};

  for (int i = 0; i < POINTS; i++) {
    for (int a = 0; a < half->dim; a++)
      x[a][i] = fare_grid_centre(half, a, half->start[a] + at[a]) +
        (a == axis ? ((i + 0.5) / POINTS - 0.5) * half->spacing[a] : 0);
  }
  fare_system_drift(e->system, t, POINTS, from, to_f);
  fare_system_diffusion(e->system, t, POINTS, from, to_D);
  for (int i = 0; i < POINTS; i++)
    sum += D[axis][i] > 0 ? fabs(f[axis][i]) * e->grid->spacing[axis] / D[axis][i]
      : f[axis][i] != 0   ? HUGE_VAL
                          : 0;
  return sum / POINTS;
}

/*
  Cell Peclet numbers |f| h / D along each axis (for a gradient force: the change of U/kT over a cell), on
  average over the estimated error; and its share in cells at the ends.
*/
static PetscErrorCode look_at_cells(
  const fare_estimate *e, double t, double peclet[FARE_DIM_MAX], double end[FARE_DIM_MAX])
{
  const fare_grid   *half    = e->half_grid;
  const double       highest = 1e3;
  const PetscScalar *error;
  double             sums[2 * FARE_DIM_MAX + 1] = {0};

  PetscFunctionBeginUser;
  PetscCall(VecGetArrayRead(e->difference, &error));
  for (PetscInt n = 0; n < half->count[0] * half->count[1] * half->count[2]; n++) {
    const PetscInt at[] = {
      n % half->count[0], n / half->count[0] % half->count[1], n / half->count[0] / half->count[1]};

    if (error[n] == 0) continue;
    sums[2 * FARE_DIM_MAX] += fabs(error[n]);
    for (int axis = 0; axis < half->dim; axis++) {
      const PetscInt index = half->start[axis] + at[axis];
      const double   steep = steepness(e, t, at, axis);

      sums[axis] += fabs(error[n]) * (steep < highest ? steep : highest);
      if (half->boundary[axis] != FARE_BOUNDARY_PERIODIC && (index < 2 || index >= half->cells[axis] - 2))
        sums[FARE_DIM_MAX + axis] += fabs(error[n]);
    }
  }
  PetscCall(VecRestoreArrayRead(e->difference, &error));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, 2 * FARE_DIM_MAX + 1, MPI_DOUBLE, MPI_SUM, half->comm));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    peclet[axis] = sums[2 * FARE_DIM_MAX] > 0 ? sums[axis] / sums[2 * FARE_DIM_MAX] : 0;
    end[axis]    = sums[2 * FARE_DIM_MAX] > 0 ? sums[FARE_DIM_MAX + axis] / sums[2 * FARE_DIM_MAX] : 0;
  }
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
  const double seen  = status->observed > 0 ? log2(PetscMin(PetscMax(status->observed, RATIO_LEAST), 4)) : 1,
               order = status->error_space > ERROR_LARGE ? PetscMax(seen, 1) : seen;
  const double all   = status->error_space > ERROR_AIM ? pow(status->error_space / ERROR_AIM, 1 / order) : 1;

  for (int axis = 0; axis < e->grid->dim; axis++) {
    const double factor = PetscMin(FINER_MOST, PetscMax(PetscMax(all, finer[axis]), 1)),
                 cells  = (double)e->grid->cells[axis];

    status->advised[axis] =
      4 * ceil(PetscMax(factor * cells, all > 1 || finer[axis] > 1 ? cells + 1 : 2 * cells) / 4 - 1e-9);
  }
}

/* The cause: the length that the cells are farthest from resolving, or an end, or none that is known. */
static void name_cause(const fare_estimate *e, const double narrower[], const double peclet[],
  const double end[], fare_truth_status *status)
{
  const int start = largest(narrower), steep = largest(peclet), last = largest(end);
  double    finer[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    finer[axis] = PetscMax(narrower[axis], peclet[axis] < 1e2 ? peclet[axis] / PECLET_HIGH : 0);
  if (end[last] > END_SHARE && !(narrower[start] > 1) && !(peclet[steep] > PECLET_HIGH)) {
    status->doubt      = FARE_DOUBT_END;
    status->doubt_axis = last;
    status->doubt_size = status->observed;
  } else if (narrower[start] > 1 && narrower[start] > peclet[steep] / PECLET_HIGH &&
    !(narrower[start] < 2 && peclet[steep] > PECLET_SOME && status->error_space > ERROR_LARGE)) {
    status->doubt      = FARE_DOUBT_START;
    status->doubt_axis = start;
    status->doubt_size = e->narrow[start];
  } else if (peclet[steep] > (status->error_space > ERROR_LARGE ? PECLET_SOME : PECLET_HIGH)) {
    status->doubt = fare_system_type_of(e->system)->drift || fare_system_type_of(e->system)->nonconservative
      ? FARE_DOUBT_DRIFT
      : FARE_DOUBT_WELLS;
    status->doubt_axis = steep;
    status->doubt_size = peclet[steep];
  } else if (narrower[start] > 1) {
    status->doubt      = FARE_DOUBT_START;
    status->doubt_axis = start;
    status->doubt_size = e->narrow[start];
  } else {
    status->doubt      = FARE_DOUBT_UNKNOWN;
    status->doubt_size = status->observed;
  }
  advise(e, finer, status);
}

/* What no difference of grids may show. */
static PetscErrorCode doubt_unseen(
  const fare_estimate *e, const fare_resolution *look, fare_truth_status *status)
{
  const double worst =
    PetscMax(look->rough / ROUGH_HIGH, PetscMax(look->steep / STEEP_HIGH, FILLED_LEAST / look->filled));
  double finer[FARE_DIM_MAX];

  PetscFunctionBeginUser;
  if (status->doubt != FARE_DOUBT_NONE || !(worst > 1)) PetscFunctionReturn(0);
  status->doubt      = look->steep > STEEP_HIGH ? FARE_DOUBT_STEEP
         : look->rough > ROUGH_HIGH             ? FARE_DOUBT_ROUGH
                                                : FARE_DOUBT_FEW;
  status->doubt_size = status->doubt == FARE_DOUBT_STEEP ? look->steep
    : status->doubt == FARE_DOUBT_ROUGH                  ? look->rough
                                                         : look->filled;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) finer[axis] = PetscMin(FINER_MOST, 2 * worst);
  advise(e, finer, status);
  PetscFunctionReturn(0);
}

static PetscErrorCode doubt(
  const fare_estimate *e, double share, double noise, const fare_resolution *look, fare_truth_status *status)
{
  double    narrower[FARE_DIM_MAX] = {0}, peclet[FARE_DIM_MAX] = {0}, end[FARE_DIM_MAX] = {0};
  PetscBool is_odd, is_narrow = PETSC_FALSE, is_steep = PETSC_FALSE;

  PetscFunctionBeginUser;
  status->doubt = FARE_DOUBT_NONE;
  for (int axis = 0; axis < e->grid->dim; axis++) {
    status->advised[axis] = 0;
    if (e->narrow[axis] > 0) narrower[axis] = e->grid->spacing[axis] / e->narrow[axis];
    if (narrower[axis] > 1 + 1e-9 && status->error_space > 0) is_narrow = PETSC_TRUE;
  }
  if (status->error_space <= noise && !is_narrow) PetscFunctionReturn(0);
  is_odd = status->observed > 0 &&
    (status->observed < RATIO_LOW || status->observed > RATIO_HIGH || share > SHARE_LOW);
  if (is_odd || is_narrow || status->error_space > ERROR_SOME)
    PetscCall(look_at_cells(e, status->time, peclet, end));
  for (int axis = 0; axis < e->grid->dim; axis++) {
    if (peclet[axis] > PECLET_HIGH && peclet[axis] < 1e2) is_steep = PETSC_TRUE;
  }
  if (is_odd || is_narrow || status->error_space > ERROR_LARGE ||
    ((is_steep || status->worst > ERROR_LARGE) && status->error_space > ERROR_SOME))
    name_cause(e, narrower, peclet, end, status);
  PetscCall(doubt_unseen(e, look, status));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_estimate_space(fare_estimate *e, Vec masses, Vec half, Vec quarter, double nominal,
  Vec error_field, fare_truth_status *status)
{
  double          sum[2] = {0, 0}, share = 0;
  PetscReal       norm;
  fare_resolution look;

  PetscFunctionBeginUser;
  PetscCall(fare_grid_restrict(e->half_grid, masses, e->difference));
  PetscCall(VecAXPY(e->difference, -1, half));
  status->observed = 0;
  if (quarter) {
    PetscCall(compare_grids(e, half, quarter, sum));
    PetscCall(scale_difference(e, nominal, &share));
    status->observed = sum[0] > 0 ? sum[1] / sum[0] : 0;
  } else {
    /* the order is not seen: the lowest that is not in doubt is taken for it */
    PetscCall(VecScale(e->difference, 1 / (RATIO_LOW - 1)));
  }
  PetscCall(VecNorm(e->difference, NORM_1, &norm));
  if (status->observed > RATIO_HIGH && norm > 0 && sum[1] > norm * 3 * RATIO_HIGH) {
    PetscCall(VecScale(e->difference, sum[1] / (3 * RATIO_HIGH * norm)));
    norm = sum[1] / (3 * RATIO_HIGH);
  }
  PetscCall(fare_resolution_look(e->grid, e->system, status->time, masses, &look));
  if (look.rough > ROUGH_SOME) {
    PetscCall(VecScale(e->difference, ROUGH_FACTOR));
    norm *= ROUGH_FACTOR;
  }
  if (e->rest_error < 0) PetscCall(fare_grid_rest_error(e->grid, e->system, status->time, &e->rest_error));
  status->error_space = PetscMin(2, norm + e->rest_error);
  status->worst       = PetscMax(status->worst, status->error_space);
  PetscCall(doubt(e, share, PetscMax(NOISE, status->error_time), &look, status));
  PetscCall(fare_grid_prolong(e->half_grid, e->difference, error_field));
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
    if (status->doubt_size < 900)
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
      "the density is singular or steep at an end of %s (cells half as wide lower the error by %.2g only)",
      axis, status->doubt_size);
    break;
  case FARE_DOUBT_STEEP:
    snprintf(text, size,
      "the potential, or drift over diffusion, changes by %.2g kT over a cell that holds mass",
      status->doubt_size);
    break;
  case FARE_DOUBT_FEW:
    snprintf(text, size, "the density fills no more than %.2g cells", status->doubt_size);
    break;
  case FARE_DOUBT_ROUGH:
    snprintf(
      text, size, "the drift has a kink, a jump or a bump within a cell (of %.2g kT)", status->doubt_size);
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
    all > CELLS_MAX ? "; more cells would be needed than there can be" : "; take %.0f", status->advised[0]);
  for (int a = 1; a < fare_system_dimension(system) && all <= CELLS_MAX; a++) {
    used = strlen(text);
    snprintf(text + used, size - used, " x %.0f", status->advised[a]);
  }
  used = strlen(text);
  snprintf(text + used, size - used, "%s", all <= CELLS_MAX ? " cells" : "");
}
