/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Means over pairs of particles, within units of consecutive ones: linear in their number, unbiased, and with
  the noise that the units show. Hoeffding, Ann. Math. Stat. 19, 293 (1948); Zaremba, Gretton and Blaschko,
  NIPS (2013).
*/
#include "look.h"

#include <math.h>
#include <string.h>

#define SIZES        4  /* units of a block, of half of one, ... */
#define UNITS_WANTED 40 /* where there are fewer, units are smaller */
#define GROUPS       40
#define GROUPS_LEAST 8

typedef struct {
  fare_joint_look         *look;
  const fare_unit_measure *measure;
  int                      size;  /* particles of a unit */
  int64_t                  units; /* of samples, over all ranks */
} work;

static int64_t counted(const work *w)
{
  return PetscMin(w->look->ensemble->count, (int64_t)FARE_LOOK_UNITS * FARE_BLOCK);
}

static PetscErrorCode begin(work *w)
{
  PetscFunctionBegin;
  w->size = FARE_BLOCK;
  for (int k = 1; k < SIZES && counted(w) / w->size < UNITS_WANTED; k++) w->size /= 2;
  w->units = (counted(w) + w->size - 1) / w->size;
  PetscCall(fare_look_draws(w->look));
  if (w->measure->looks_at_draws && w->look->joint->type->versions(w->look->joint) > 1)
    PetscCall(fare_look_drawn_log_p(w->look));
  PetscFunctionReturn(0);
}

/* The exact draws of a block. */
static void show_draws(const work *w, int64_t block, const double *y[])
{
  for (int axis = 0; axis < w->look->joint->dim; axis++) y[axis] = w->look->draw[axis] + block * FARE_BLOCK;
}

/* The units of a block, beside a block of exact draws of weights v. */
static PetscErrorCode add_block(work *w, int count, const double *const x[], const double weight[],
  int64_t beside, const double v[], double to[])
{
  const double *at[FARE_AXES_MAX], *y[FARE_AXES_MAX];

  PetscFunctionBegin;
  show_draws(w, beside, y);
  for (int from = 0, unit = 0; from < count; from += w->size, unit++) {
    for (int axis = 0; axis < w->look->joint->dim; axis++) at[axis] = x[axis] + from;
    PetscCall(w->measure->add(w->measure->context, w->look, PetscMin(w->size, count - from), at,
      weight ? weight + from : NULL, y, v ? v + from : NULL, to + unit * FARE_UNIT_SUMS));
    for (int axis = 0; axis < w->look->joint->dim; axis++) y[axis] += w->size;
  }
  PetscFunctionReturn(0);
}

/* Of the samples: one unit after the other, known to all ranks. */
static PetscErrorCode add_samples(work *w, int version, double sum[])
{
  const fare_ensemble *e         = w->look->ensemble;
  const int            per_block = FARE_BLOCK / w->size;
  double               v[FARE_BLOCK];

  PetscFunctionBegin;
  memset(sum, 0, (size_t)(w->units + per_block) * FARE_UNIT_SUMS * sizeof *sum);
  for (int64_t b = 0; b < e->blocks; b++) {
    const fare_block block = fare_ensemble_block(e, b);

    if ((int64_t)block.number >= FARE_LOOK_UNITS || !block.counted) continue;
    for (int i = 0; i < FARE_BLOCK && version; i++)
      v[i] = fare_look_ratio(w->look, version, (int64_t)block.number * FARE_BLOCK + i);
    PetscCall(add_block(w, block.counted, (const double *const *)block.x, block.weight, (int64_t)block.number,
      version ? v : NULL, sum + (int64_t)block.number * per_block * FARE_UNIT_SUMS));
  }
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, sum, (PetscMPIInt)(w->units * FARE_UNIT_SUMS), MPI_DOUBLE, MPI_SUM, e->comm));
  PetscFunctionReturn(0);
}

/*
  Standard deviation of the value of as many units of exact draws, every other block in place of samples; 0
  where it has none.
*/
static PetscErrorCode find_floor(work *w, double *spread)
{
  const int per_block = FARE_BLOCK / w->size, blocks = (int)(w->look->drawn / FARE_BLOCK / 2),
            units = blocks * per_block;
  const double *x[FARE_AXES_MAX];
  double       *sum, mean = 0, square = 0;
  int           rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->look->ensemble->comm, &rank));
  PetscCallMPI(MPI_Comm_size(w->look->ensemble->comm, &size));
  PetscCall(PetscCalloc1((size_t)(units * FARE_UNIT_SUMS), &sum));
  for (int b = rank; b < blocks; b += size) {
    show_draws(w, 2 * b, x);
    PetscCall(add_block(w, FARE_BLOCK, x, NULL, 2 * b + 1, NULL, sum + b * per_block * FARE_UNIT_SUMS));
  }
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, sum, units * FARE_UNIT_SUMS, MPI_DOUBLE, MPI_SUM, w->look->ensemble->comm));
  for (int u = 0; u < units; u++) {
    const double value = w->measure->value(sum + u * FARE_UNIT_SUMS);

    mean += value / units;
    square += value * value / units;
  }
  *spread = sqrt(PetscMax(0, square - mean * mean) * units / (units - 1) / (double)w->units);
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(0);
}

void fare_look_judge(int groups, const double without[], double floor_spread, fare_measured *result)
{
  double mean = 0, variance = 0, error, half;

  for (int g = 0; g < groups; g++) mean += without[g] / groups;
  for (int g = 0; g < groups; g++) variance += (without[g] - mean) * (without[g] - mean);
  error                = groups > 1 ? sqrt(variance * (groups - 1) / groups) : NAN;
  half                 = fare_student_95(groups - 1) * error;
  result->corrected    = result->value;
  result->low          = PetscMax(0, result->value - half);
  result->high         = PetscMax(0, result->value + half);
  result->floor_mean   = 0;
  result->floor_high   = HIGH_95 * floor_spread;
  result->excess       = result->value;
  error                = PetscMax(floor_spread, groups >= GROUPS_LEAST ? error : 0);
  result->significance = error > 0 ? result->excess / error : 0;
  result->p_value      = 0.5 * erfc(result->significance * M_SQRT1_2);
  if (groups >= GROUPS_LEAST) return;
  result->interval  = FARE_NO_GROUPS;
  result->corrected = result->low = result->high = NAN;
}

/* Sums over all units but those of one group; group -1: over all. */
static void add_up(const work *w, int groups, int group, const double unit[], double sum[])
{
  memset(sum, 0, FARE_UNIT_SUMS * sizeof *sum);
  for (int64_t u = 0; u < w->units; u++) {
    if (u * groups / w->units == group) continue;
    for (int k = 0; k < w->measure->sums; k++) sum[k] += unit[u * FARE_UNIT_SUMS + k];
  }
}

/*
  The largest change of the value over versions of the truth: exact draws of one, weighed as of another.
  Unknown where none of them has weight.
*/
static PetscErrorCode find_truth_error(work *w, double unit[], fare_measured *result)
{
  fare_joint *joint    = w->look->joint;
  const int   versions = joint->type->versions(joint);
  double      sum[FARE_UNIT_SUMS];

  PetscFunctionBegin;
  result->truth_error = joint->status.error > 0 && (versions < 2 || !w->measure->looks_at_draws) ? NAN : 0;
  for (int v = 1; v < versions && w->measure->looks_at_draws; v++) {
    PetscCall(add_samples(w, v, unit));
    add_up(w, 1, -1, unit, sum);
    result->truth_error =
      fare_larger_change(result->truth_error, fabs(w->measure->value(sum) - result->value));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_look_units(fare_joint_look *look, const fare_unit_measure *measure, fare_measured *result)
{
  work   w = {.look = look, .measure = measure};
  double sum[FARE_UNIT_SUMS], without[GROUPS], spread = 0, *unit;
  int    groups;

  PetscFunctionBegin;
  PetscCall(begin(&w));
  PetscCall(PetscMalloc1((size_t)(w.units + FARE_BLOCK / w.size) * FARE_UNIT_SUMS, &unit));
  PetscCall(add_samples(&w, 0, unit));
  groups = (int)PetscMin(GROUPS, w.units);
  add_up(&w, groups, -1, unit, sum);
  result->value = measure->value(sum);
  for (int g = 0; g < groups; g++) {
    add_up(&w, groups, g, unit, sum);
    without[g] = measure->value(sum);
  }
  PetscCall(find_floor(&w, &spread));
  /* uneven weights leave fewer samples */
  spread *= sqrt((double)look->ensemble->count / look->effective);
  fare_look_judge(groups, without, spread, result);
  PetscCall(find_truth_error(&w, unit, result));
  PetscCall(PetscFree(unit));
  PetscFunctionReturn(0);
}
