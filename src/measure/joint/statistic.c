/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Numbers of single particles, compared with those of exact draws on bins in one dimension: floors, intervals
  and significance are those of measures on a grid.
*/
#include "look.h"

#include "measure/bins/binning.h"

#include <math.h>
#include <string.h>

#define CELLS              4095 /* a third of them for the range of the draws */
#define MANY               4    /* numbers of which a mean is taken */
#define REPLICATES_OF_MANY 25
#define INSIDE             0.025  /* what exact draws reach this often is not told from 0 */
#define UNITS              0x1p30 /* a draw counts for: whole numbers add up to the same in any order */

/* The same number of all that are looked at, known to all ranks; values[k * count + i]. */
typedef struct {
  int64_t count;
  double *values, *weights; /* weights: NULL where all are alike */
} numbers;

/* Of the first particles, in their order. */
static PetscErrorCode gather(fare_joint_look *look, const fare_statistic *s, numbers *of)
{
  const fare_ensemble *e     = look->ensemble;
  const int64_t        count = of->count, from = e->first_block * FARE_BLOCK,
                mine = PetscMax(0, PetscMin(e->local, count - from));
  double *to[FARE_AXES_MAX];

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)(s->kinds * count), &of->values));
  for (int k = 0; k < s->kinds; k++) to[k] = of->values + k * count + PetscMin(from, count);
  if (s->of_log_p) {
    PetscCall(fare_look_log_p(look));
    if (mine) memcpy(to[0], look->log_p, (size_t)mine * sizeof *look->log_p);
  } else {
    PetscCall(s->values(s->context, look, mine, (const double *const *)e->x, to));
  }
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, of->values, (PetscMPIInt)(s->kinds * count), MPI_DOUBLE, MPI_SUM, e->comm));
  if (!e->weight) PetscFunctionReturn(0);
  PetscCall(PetscCalloc1((size_t)count, &of->weights));
  for (int64_t i = 0; i < mine; i++) of->weights[from + i] = e->weight[i];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of->weights, (PetscMPIInt)count, MPI_DOUBLE, MPI_SUM, e->comm));
  PetscFunctionReturn(0);
}

/* Of the exact draws. */
static PetscErrorCode look_at_draws(fare_joint_look *look, const fare_statistic *s, numbers *of)
{
  double *to[FARE_AXES_MAX];

  PetscFunctionBegin;
  PetscCall(fare_look_draws(look));
  if (s->of_log_p || look->joint->type->versions(look->joint) > 1) PetscCall(fare_look_drawn_log_p(look));
  of->count = look->drawn;
  PetscCall(PetscMalloc1((size_t)(s->kinds * of->count), &of->values));
  for (int k = 0; k < s->kinds; k++) to[k] = of->values + k * of->count;
  if (s->of_log_p)
    memcpy(to[0], look->drawn_log_p, (size_t)of->count * sizeof *of->values);
  else
    PetscCall(s->values(s->context, look, of->count, (const double *const *)look->draw, to));
  PetscFunctionReturn(0);
}

/* Three times the range of the draws; of integers one cell each. */
static PetscErrorCode make_grid(const fare_statistic *s, const numbers *draws, int k, fare_grid **grid)
{
  double         low = HUGE_VAL, high = -HUGE_VAL, lower, upper, width;
  const PetscInt cells = s->classes ? s->classes : CELLS;

  PetscFunctionBegin;
  for (int64_t i = 0; i < draws->count; i++) {
    const double value = draws->values[k * draws->count + i];

    if (!isfinite(value)) continue;
    low  = PetscMin(low, value);
    high = PetscMax(high, value);
  }
  width = PetscMax(high - low, 1e-9 * (1 + fabs(low)));
  lower = s->classes ? -0.5 : low - width;
  upper = s->classes ? s->classes - 0.5 : high + width;
  PetscCall(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, NULL, grid));
  PetscFunctionReturn(0);
}

/* What lies beyond the grid counts at its end. */
static double within(const fare_grid *grid, double value)
{
  const double half = 0.5 * grid->spacing[0];

  return value >= grid->lower[0] + half ? PetscMin(value, grid->upper[0] - half) : grid->lower[0] + half;
}

static PetscInt cell_of(const fare_grid *grid, double value)
{
  return PetscMin(grid->cells[0] - 1, (PetscInt)((within(grid, value) - grid->lower[0]) / grid->spacing[0]));
}

/*
  Masses of the first draws in another version of the truth; version 0: each draw counts alike.
*/
static PetscErrorCode deposit(const fare_joint_look *look, const numbers *draws, int64_t first, int k,
  int version, const fare_grid *grid, Vec *masses)
{
  const PetscInt cells = grid->cells[0];
  int64_t       *count;
  PetscScalar   *to;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)cells, &count));
  for (int64_t i = 0; i < first; i++)
    count[cell_of(grid, draws->values[k * draws->count + i])] +=
      llrint(PetscMin(version ? fare_look_ratio(look, version, i) : 1, 1000) * UNITS);
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArrayWrite(*masses, &to));
  for (PetscInt i = 0; i < cells; i++) to[i] = (double)count[i] / UNITS / (double)first;
  PetscCall(VecRestoreArrayWrite(*masses, &to));
  PetscCall(PetscFree(count));
  PetscFunctionReturn(0);
}

/* Samples as an ensemble of one axis, on bins. */
static PetscErrorCode bin_samples(const fare_joint_look *look, const fare_statistic *s, const numbers *of,
  int k, const fare_grid *grid, const fare_binning *binning, fare_binned *binned)
{
  fare_ensemble *e;

  PetscFunctionBegin;
  PetscCall(fare_ensemble_create(look->ensemble->comm, 1, of->count, &e));
  if (of->weights) PetscCall(fare_ensemble_weigh(e));
  for (int64_t i = 0; i < e->local; i++) {
    const int64_t from = e->first_block * FARE_BLOCK + i;

    e->x[0][i] = within(grid, of->values[k * of->count + from]);
    /* particles of one class are not copies of one */
    if (s->classes) e->x[0][i] += 0.5 * ((double)from / (double)of->count - 0.5);
    if (of->weights) e->weight[i] = of->weights[from];
  }
  PetscCall(fare_binning_ensemble(binning, e, binned));
  PetscCall(fare_ensemble_destroy(&e));
  PetscFunctionReturn(0);
}

/* Exact draws on bins: independent, so that nothing needs to be found out but their groups. */
static PetscErrorCode bin_draws(const fare_joint_look *look, const numbers *of, int k, const fare_grid *grid,
  const fare_binning *binning, fare_binned *binned)
{
  const size_t stride = binning->all_seen + FARE_GROUP_EXTRA;
  Vec          masses;

  PetscFunctionBegin;
  PetscCall(deposit(look, of, of->count, k, 0, grid, &masses));
  PetscCall(fare_binning_density(binning, masses, binned));
  PetscCall(VecDestroy(&masses));
  binned->samples = binned->distinct = of->count;
  binned->effective = binned->behind = (double)of->count;
  binned->groups                     = FARE_GROUPS;
  PetscCall(PetscCalloc1(binned->groups * stride, &binned->group));
  for (int64_t i = 0; i < of->count; i++) {
    double      *group = binned->group + (size_t)(i * FARE_GROUPS / of->count) * stride;
    const size_t bin   = (size_t)cell_of(grid, of->values[k * of->count + i]) / (size_t)binning->cells[0];

    group[binning->seen_of[bin]] += 1. / (double)of->count;
    group[binning->all_seen + 2] += 1. / (double)of->count;
  }
  PetscFunctionReturn(0);
}

/* The largest change over versions of the truth; unknown where no draw has weight in one of them. */
static PetscErrorCode find_truth_error(fare_joint_look *look, const numbers *draws, int k,
  const fare_grid *grid, const fare_binning *binning, const fare_binned *samples,
  const fare_measure_type *type, double *error)
{
  const int     versions = look->joint->type->versions(look->joint);
  fare_binned   truth, other, ungrouped = *samples;
  fare_measured again;
  PetscScalar   total;
  Vec           masses;

  PetscFunctionBegin;
  *error = versions > 1 || !(look->joint->status.error > 0) ? 0 : NAN;
  if (versions < 2) PetscFunctionReturn(0);
  ungrouped.groups = 0; /* nothing is asked of noise */
  PetscCall(deposit(look, draws, look->companions, k, 0, grid, &masses));
  PetscCall(fare_binning_density(binning, masses, &truth));
  PetscCall(VecDestroy(&masses));
  for (int v = 1; v < versions && !isnan(*error); v++) {
    PetscCall(deposit(look, draws, look->companions, k, v, grid, &masses));
    PetscCall(VecSum(masses, &total));
    if (!(total > 0)) {
      *error = NAN;
      PetscCall(VecDestroy(&masses));
      continue;
    }
    PetscCall(fare_binning_density(binning, masses, &other));
    PetscCall(VecDestroy(&masses));
    PetscCall(fare_measure_compare(look->ensemble->comm, binning, &truth, &other, &ungrouped, 1, &type,
      FARE_VALUES_ALONE, look->stream, &again));
    *error = fare_larger_change(*error, again.truth_error);
    PetscCall(fare_binned_free(&other));
  }
  PetscCall(fare_binned_free(&truth));
  PetscFunctionReturn(0);
}

static PetscErrorCode compare(fare_joint_look *look, const fare_statistic *s, const numbers *samples,
  const numbers *draws, int k, const fare_measure_type *type, fare_measured *result)
{
  fare_grid    *grid;
  fare_binning *binning;
  fare_binned   p, q;
  double        error;
  /* of a mean of many, each needs fewer */
  const int replicates = PetscMin(look->replicates, s->kinds < MANY ? look->replicates : REPLICATES_OF_MANY);

  PetscFunctionBegin;
  PetscCall(make_grid(s, draws, k, &grid));
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(bin_draws(look, draws, k, grid, binning, &p));
  PetscCall(bin_samples(look, s, samples, k, grid, binning, &q));
  PetscCall(fare_measure_compare(
    look->ensemble->comm, binning, &p, NULL, &q, 1, &type, replicates, look->stream, result));
  PetscCall(find_truth_error(look, draws, k, grid, binning, &q, type, &error));
  result->truth_error = error;
  PetscCall(fare_binned_free(&p));
  PetscCall(fare_binned_free(&q));
  PetscCall(fare_binning_destroy(&binning));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_look_statistic(fare_joint_look *look, const fare_statistic *statistic,
  const fare_measure_type *type, fare_measured results[])
{
  numbers samples = {.count = PetscMin(look->ensemble->count, FARE_LOOK_PARTICLES)}, draws = {0};

  PetscFunctionBegin;
  PetscCall(look_at_draws(look, statistic, &draws));
  PetscCall(gather(look, statistic, &samples));
  for (int k = 0; k < statistic->kinds; k++)
    PetscCall(compare(look, statistic, &samples, &draws, k, type, &results[k]));
  PetscCall(PetscFree(samples.values));
  PetscCall(PetscFree(samples.weights));
  PetscCall(PetscFree(draws.values));
  PetscFunctionReturn(0);
}

/* Standard deviation of a floor, from what is known of it. */
static double spread_of(const fare_measured *m)
{
  return m->significance != 0 ? fabs(m->excess / m->significance) : 0;
}

/*
  Where what is left of the bias is not told from 0, the interval begins there. Elsewhere it goes as far down
  as up: lower ends of the parts are 0 where those are not told from 0, and say nothing.
*/
static void find_significance(double spread, fare_measured *result)
{
  result->significance = spread > 0 ? result->excess / spread : 0;
  result->p_value      = 0.5 * erfc(result->significance * M_SQRT1_2);
  result->low          = NAN;
  if (!isnan(result->corrected))
    result->low = result->p_value > INSIDE ? 0 : PetscMax(0, 2 * result->corrected - result->high);
}

void fare_look_mean(int count, const fare_measured of[], fare_measured *result)
{
  double spread = 0;

  *result = (fare_measured){.independent = HUGE_VAL, .effective = of[0].effective, .pooled = of[0].pooled};
  for (int k = 0; k < count; k++) {
    const fare_measured *m = &of[k];

    result->value += m->value / count;
    result->corrected += m->corrected / count;
    result->high += m->high / count;
    result->floor_mean += m->floor_mean / count;
    result->floor_high += m->floor_high / count;
    result->excess += m->excess / count;
    result->truth_error += m->truth_error / count;
    result->independent = PetscMin(result->independent, m->independent);
    if (m->interval) result->interval = m->interval;
    spread += spread_of(m) / count;
  }
  find_significance(spread, result);
}

void fare_look_sum(int count, const fare_measured of[], fare_measured *result)
{
  double spread = 0, above = 0;

  fare_look_mean(count, of, result);
  result->value *= count;
  result->corrected *= count;
  result->high *= count;
  result->floor_mean *= count;
  result->excess *= count;
  result->truth_error *= count;
  for (int k = 0; k < count; k++) {
    spread += pow(spread_of(&of[k]), 2);
    above += pow(of[k].floor_high - of[k].floor_mean, 2);
  }
  result->floor_high = result->floor_mean + sqrt(above);
  find_significance(sqrt(spread), result);
}

/* Standard deviations beyond which a standard normal number is with this probability. */
static double deviations(double tail)
{
  double low = 0, high = 38;

  for (int i = 0; i < 60; i++) {
    const double middle = 0.5 * (low + high);

    if (0.5 * erfc(middle * M_SQRT1_2) > tail)
      low = middle;
    else
      high = middle;
  }
  return low;
}

void fare_look_most(int count, const fare_measured of[], fare_measured *result)
{
  double one;
  int    most = 0;

  for (int k = 1; k < count; k++) {
    if (of[k].excess > of[most].excess) most = k;
  }
  *result         = of[most];
  one             = 0.5 * erfc(result->significance * M_SQRT1_2);
  result->p_value = -expm1(count * log1p(-one));
  if (one > 0 && result->significance > 0) result->significance = deviations(result->p_value);
}
