/* SPDX-License-Identifier: BSD-2-Clause */
/* Walls at the ends of a box, and where particles are that have met them. */
#include <fare/ensemble.h>

#include <math.h>

/* Between two mirrors at 0 and `length`: d is brought back by whole reflections. */
static double between_mirrors(double d, double length, double *sign)
{
  d = fmod(d, 2 * length);
  if (d < 0) d += 2 * length;
  *sign = d > length ? -1 : 1;
  return d > length ? 2 * length - d : d;
}

/* One coordinate. A single reflection is exact where the others would round. */
static double fold(double x, double lower, double upper, const fare_wall at[2], double *sign)
{
  const int mirrors[2] = {at[0] == FARE_WALL_REFLECTING, at[1] == FARE_WALL_REFLECTING};

  *sign = 1;
  if (mirrors[0] && mirrors[1] && (x < 2 * lower - upper || x > 2 * upper - lower)) {
    x = lower + between_mirrors(x - lower, upper - lower, sign);
    return x > upper ? upper : x;
  }
  if (mirrors[0] && x < lower) {
    *sign = -1;
    return 2 * lower - x;
  }
  if (mirrors[1] && x > upper) {
    *sign = -1;
    return 2 * upper - x;
  }
  return x;
}

static double hold(double x, double lower, double upper, const fare_wall at[2])
{
  if (at[0] == FARE_WALL_ABSORBING && x < lower) return lower;
  if (at[1] == FARE_WALL_ABSORBING && x > upper) return upper;
  return x;
}

int64_t fare_walls_fold(
  const fare_walls *w, int64_t n, PetscBool clamp, double *const x[], double *const sign[])
{
  int64_t moved = 0;

  for (int64_t i = 0; i < n; i++) {
    double turned = 1, first = 1; /* of this axis and of axis 0 */
    int    beyond = 0;

    for (int axis = 0; axis < w->dim; axis++) {
      const double before = x[axis][i];
      double       now    = before;

      if (axis == 1 && w->inertial) now *= first;
      now = fold(now, w->lower[axis], w->upper[axis], w->at[axis], &turned);
      if (clamp) now = hold(now, w->lower[axis], w->upper[axis], w->at[axis]);
      if (axis == 1 && w->inertial) turned *= first;
      if (axis == 0) first = turned;
      if (sign) sign[axis][i] = turned;
      if (now != before) beyond = 1;
      x[axis][i] = now;
    }
    moved += beyond && isfinite(x[0][i]);
  }
  return moved;
}

/* The end that an absorbed particle lies on, as 2 axis + side; -1: on none. */
static int end_of(const fare_walls *w, double *const x[], int64_t i)
{
  for (int axis = 0; axis < w->dim; axis++) {
    if (w->at[axis][0] == FARE_WALL_ABSORBING && x[axis][i] == w->lower[axis]) return 2 * axis;
    if (w->at[axis][1] == FARE_WALL_ABSORBING && x[axis][i] == w->upper[axis]) return 2 * axis + 1;
  }
  return -1;
}

static PetscBool is_outside(const fare_walls *w, const double *const x[], int64_t i)
{
  for (int axis = 0; axis < w->dim; axis++) {
    if ((w->at[axis][0] && x[axis][i] < w->lower[axis]) || (w->at[axis][1] && x[axis][i] > w->upper[axis]))
      return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

void fare_walls_refuse(const fare_walls *w, int64_t n, const double *const x[], double cost[])
{
  if (!w->dim || !fare_walls_crossed(w, n, x)) return;
  for (int64_t i = 0; i < n; i++) {
    if (is_outside(w, x, i)) cost[i] = HUGE_VAL;
  }
}

PetscErrorCode fare_ensemble_census(const fare_ensemble *e, const fare_walls *w, fare_census *census)
{
  enum { OUTSIDE, WEIGHT, ABSORBED, COUNTS = ABSORBED + 2 * FARE_AXES_MAX };
  int64_t           counts[COUNTS] = {0};
  fare_weight_units units;

  PetscFunctionBegin;
  *census = (fare_census){.outside = NAN, .survival = 1};
  if (!w->dim) PetscFunctionReturn(0);
  PetscCall(fare_ensemble_units(e, &units));
  for (int64_t i = 0; i < e->local; i++) {
    const int     end    = e->weight && e->weight[i] == 0 ? end_of(w, e->x, i) : -1;
    const int64_t weight = fare_weight_units_of(&units, e, i);

    if (end >= 0) counts[ABSORBED + end]++;
    if (is_outside(w, (const double *const *)e->x, i)) counts[OUTSIDE] += weight;
    counts[WEIGHT] += weight;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, counts, COUNTS, MPI_INT64_T, MPI_SUM, e->comm));
  census->outside = (double)counts[OUTSIDE] / (double)counts[WEIGHT];
  for (int end = 0; end < 2 * w->dim; end++) {
    census->absorbed[end / 2][end % 2] = (double)counts[ABSORBED + end] / (double)e->count;
    census->survival -= census->absorbed[end / 2][end % 2];
  }
  PetscFunctionReturn(0);
}
