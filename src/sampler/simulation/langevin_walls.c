/* SPDX-License-Identifier: BSD-2-Clause */
/* Particles at the ends of the truth's box. */
#include <fare/langevin.h>

#include <math.h>

/* exponents beyond which a bridge does not cross an end: 4e-18 is less than uniform numbers resolve */
#define NEVER 40.0

int fare_langevin_meets(const fare_langevin_run *run, const double *const x[])
{
  return run->walls && (run->walls->absorbing || fare_walls_crossed(run->walls, FARE_BLOCK, x));
}

/*
  Twice the product of the distances of both ends of a step from an end of the box, over the variance; not
  positive where that is crossed.
*/
typedef struct {
  double before, after, exponent;
} approach;

static approach approach_of(const fare_walls *w, int axis, int side, double from, double to, double variance)
{
  approach a;

  /* what has passed the mirror opposite is seen in it */
  if (!side && w->at[axis][1] == FARE_WALL_REFLECTING && to > w->upper[axis]) to = 2 * w->upper[axis] - to;
  if (side && w->at[axis][0] == FARE_WALL_REFLECTING && to < w->lower[axis]) to = 2 * w->lower[axis] - to;
  a.before   = side ? w->upper[axis] - from : from - w->lower[axis];
  a.after    = side ? w->upper[axis] - to : to - w->lower[axis];
  a.exponent = a.after <= 0 ? 0 : variance > 0 ? 2 * a.before * a.after / variance : HUGE_VAL;
  return a;
}

/*
  The step of one particle along one axis: at which part of it an end is crossed, and which; 2 where none is.
*/
static double crossing(
  const fare_walls *w, int axis, double from, double to, double variance, double u, int *side_crossed)
{
  double first = 2, tried = 0;

  if (!isfinite(to)) return first; /* no particle vanishes because its step went wrong */
  for (int side = 0; side < 2; side++) {
    approach a;
    double   part;

    if (w->at[axis][side] != FARE_WALL_ABSORBING) continue;
    a    = approach_of(w, axis, side, from, to, variance);
    part = a.before + fabs(a.after) > 0 ? a.before / (a.before + fabs(a.after)) : 0;
    if (a.exponent > 0) {
      const double p = exp(-a.exponent), below = tried;

      tried += p;
      if (!(u >= below && u < tried)) continue;
    }
    if (part >= first) continue;
    first         = part;
    *side_crossed = side;
  }
  return first;
}

/* Whether any particle comes near enough to an end of the axis for a bridge to matter. */
static PetscBool comes_near(
  const fare_walls *w, int axis, const double from[], const double to[], double even, const double variance[])
{
  for (int side = 0; side < 2; side++) {
    if (w->at[axis][side] != FARE_WALL_ABSORBING) continue;
    for (int i = 0; i < FARE_BLOCK; i++) {
      const approach a = approach_of(w, axis, side, from[i], to[i], variance ? variance[i] : even);

      if (a.exponent > 0 && a.exponent < NEVER) return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

/* Those that an end has absorbed in this step are put on it; those of steps before stay where they are. */
static void absorb(const fare_langevin_run *run, uint64_t block, int step, const double *const from[],
  const double even[], const double *const variance[], double *const x[])
{
  const fare_walls *w = run->walls;
  double            first[FARE_BLOCK], u[FARE_BLOCK] FARE_ALIGNED;
  int               axis_crossed[FARE_BLOCK], side_crossed[FARE_BLOCK];

  for (int i = 0; i < FARE_BLOCK; i++) first[i] = 2;
  for (int axis = 0; axis < run->dim; axis++) {
    if (w->at[axis][0] != FARE_WALL_ABSORBING && w->at[axis][1] != FARE_WALL_ABSORBING) continue;
    for (int i = 0; i < FARE_BLOCK; i++) u[i] = 2;
    if (comes_near(w, axis, from[axis], x[axis], even ? even[axis] : 0, variance ? variance[axis] : NULL)) {
      fare_random_uniforms(
        run->noise, block, run->first_step + (uint64_t)step, (uint32_t)(run->dim + axis), u);
    }
    for (int i = 0; i < FARE_BLOCK; i++) {
      int          side = 0;
      const double part =
        crossing(w, axis, from[axis][i], x[axis][i], variance ? variance[axis][i] : even[axis], u[i], &side);

      if (!(part < first[i])) continue;
      first[i]        = part;
      axis_crossed[i] = axis;
      side_crossed[i] = side;
    }
  }
  for (int i = 0; i < FARE_BLOCK; i++) {
    const PetscBool absorbed = run->weight[i] == 0 ? PETSC_TRUE : PETSC_FALSE;

    if (!absorbed && first[i] > 1) continue;
    for (int axis = 0; axis < run->dim; axis++) x[axis][i] = from[axis][i];
    if (absorbed) continue;
    x[axis_crossed[i]][i] = side_crossed[i] ? w->upper[axis_crossed[i]] : w->lower[axis_crossed[i]];
    run->weight[i]        = 0;
  }
}

#define WILD 10.0 /* standard deviations */

static void count_wild(
  const fare_langevin_run *run, const double even[], const double *const variance[], const double *const x[])
{
  const fare_walls *w = run->walls;

  for (int axis = 0; axis < w->dim; axis++) {
    const double length = w->upper[axis] - w->lower[axis];

    if (!w->at[axis][0] || !w->at[axis][1]) continue;
    for (int i = 0; i < FARE_BLOCK; i++) {
      const double beyond = fmax(w->lower[axis] - x[axis][i], x[axis][i] - w->upper[axis]) - length;

      if (beyond > 0 && beyond > WILD * sqrt(variance ? variance[axis][i] : even[axis])) ++*run->wild;
    }
  }
}

void fare_langevin_meet(const fare_langevin_run *run, uint64_t block, int step, const double *const from[],
  const double even[], const double *const variance[], double *const x[], double *const sign[])
{
  count_wild(run, even, variance, (const double *const *)x);
  if (run->walls->absorbing) absorb(run, block, step, from, even, variance, x);
  fare_walls_fold(run->walls, FARE_BLOCK, PETSC_FALSE, x, sign);
}
