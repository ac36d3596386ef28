/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Numbers of single particles, compared with those of exact draws on bins in one dimension: floors, intervals
  and significance are those of measures on a grid.
*/
#include "look.h"

#include <math.h>
#include <string.h>

#define CELLS 4095   /* a third of them for the range of the draws */
#define UNITS 0x1p30 /* a draw counts for: whole numbers add up to the same in any order */

/* What is known of the draws: their numbers here, and their weights in other versions of the truth. */
typedef struct {
  int64_t blocks, local; /* over all ranks, and draws here */
  double *value;         /* value[k * local + i] */
  double *ratio;         /* p_v/p, ratio[(v - 1) * local + i] */
} pool;

static PetscErrorCode draw_pool(fare_joint_look *look, const fare_statistic *s, int64_t count, pool *p)
{
  const fare_joint_type *kind = look->joint->type;
  const int              dim = look->joint->dim, versions = kind->versions(look->joint);
  double                *all, *x[FARE_AXES_MAX], *to[FARE_AXES_MAX], log_p[2][FARE_BLOCK];
  int                    rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(look->ensemble->comm, &rank));
  PetscCallMPI(MPI_Comm_size(look->ensemble->comm, &size));
  p->blocks = (count + FARE_BLOCK - 1) / FARE_BLOCK;
  p->local  = (p->blocks - rank + size - 1) / size * FARE_BLOCK;
  PetscCall(PetscMalloc1((size_t)(s->kinds * p->local), &p->value));
  PetscCall(PetscMalloc1((size_t)(versions * p->local), &p->ratio));
  PetscCall(PetscMalloc1((size_t)dim * FARE_BLOCK, &all));
  for (int axis = 0; axis < dim; axis++) x[axis] = all + axis * FARE_BLOCK;
  for (int64_t b = rank, at = 0; b < p->blocks; b += size, at += FARE_BLOCK) {
    PetscCall(kind->draw(look->joint, look->draws, (uint64_t)b, x));
    for (int k = 0; k < s->kinds; k++) to[k] = p->value + k * p->local + at;
    PetscCall(s->values(s->context, look, FARE_BLOCK, (const double *const *)x, to));
    for (int v = 0; v < versions; v++) {
      PetscCall(
        kind->log_density(look->joint, v, FARE_BLOCK, (const double *const *)x, log_p[PetscMin(v, 1)]));
      for (int i = 0; i < FARE_BLOCK && v; i++)
        p->ratio[(v - 1) * p->local + at + i] = exp(log_p[1][i] - log_p[0][i]);
    }
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

/* The first particles' numbers and weights, in their order, on all ranks. */
static PetscErrorCode gather(
  fare_joint_look *look, const fare_statistic *s, int64_t count, double *values, double *weights)
{
  const fare_ensemble *e = look->ensemble;
  const int64_t from = e->first_block * FARE_BLOCK, mine = PetscMax(0, PetscMin(e->local, count - from));
  double       *to[FARE_AXES_MAX];

  PetscFunctionBegin;
  memset(values, 0, (size_t)(s->kinds * count) * sizeof *values);
  memset(weights, 0, (size_t)count * sizeof *weights);
  for (int k = 0; k < s->kinds; k++) to[k] = values + k * count + PetscMin(from, count);
  PetscCall(s->values(s->context, look, mine, (const double *const *)e->x, to));
  for (int64_t i = 0; i < mine; i++) weights[from + i] = e->weight ? e->weight[i] : 1;
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, values, (PetscMPIInt)(s->kinds * count), MPI_DOUBLE, MPI_SUM, e->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, weights, (PetscMPIInt)count, MPI_DOUBLE, MPI_SUM, e->comm));
  PetscFunctionReturn(0);
}

/* Three times the range of the draws; of integers one cell each. */
static PetscErrorCode make_grid(
  const fare_joint_look *look, const fare_statistic *s, const pool *p, int k, fare_grid **grid)
{
  double         range[2] = {HUGE_VAL, HUGE_VAL}, lower, upper, width;
  const PetscInt cells    = s->classes ? s->classes : CELLS;

  PetscFunctionBegin;
  for (int64_t i = 0; i < p->local; i++) {
    const double value = p->value[k * p->local + i];

    if (!isfinite(value)) continue;
    range[0] = PetscMin(range[0], value);
    range[1] = PetscMin(range[1], -value);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, range, 2, MPI_DOUBLE, MPI_MIN, look->ensemble->comm));
  width = PetscMax(-range[1] - range[0], 1e-9 * (1 + fabs(range[0])));
  lower = s->classes ? -0.5 : range[0] - width;
  upper = s->classes ? s->classes - 0.5 : width - range[1];
  PetscCall(fare_grid_create(PETSC_COMM_SELF, 1, &cells, &lower, &upper, NULL, grid));
  PetscFunctionReturn(0);
}

/* What lies beyond the grid counts at its end. */
static double within(const fare_grid *grid, double value)
{
  const double half = 0.5 * grid->spacing[0];

  return value >= grid->lower[0] + half ? PetscMin(value, grid->upper[0] - half) : grid->lower[0] + half;
}

/* Version 0: each draw counts alike. */
static PetscErrorCode deposit(
  const fare_joint_look *look, const pool *p, int k, int version, const fare_grid *grid, Vec *masses)
{
  const PetscInt cells = grid->cells[0];
  int64_t       *count;
  PetscScalar   *to;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)cells, &count));
  for (int64_t i = 0; i < p->local; i++) {
    const double value = within(grid, p->value[k * p->local + i]);
    const double ratio = version ? p->ratio[(version - 1) * p->local + i] : 1;

    count[PetscMin(cells - 1, (PetscInt)((value - grid->lower[0]) / grid->spacing[0]))] +=
      llrint(PetscMin(ratio, 1000) * UNITS);
  }
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, count, (PetscMPIInt)cells, MPI_INT64_T, MPI_SUM, look->ensemble->comm));
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecGetArrayWrite(*masses, &to));
  for (PetscInt i = 0; i < cells; i++) to[i] = (double)count[i] / UNITS / ((double)p->blocks * FARE_BLOCK);
  PetscCall(VecRestoreArrayWrite(*masses, &to));
  PetscCall(PetscFree(count));
  PetscFunctionReturn(0);
}

/* An ensemble of one axis, of numbers that all ranks have. */
static PetscErrorCode make_ensemble(const fare_joint_look *look, PetscBool classes, const fare_grid *grid,
  int64_t count, const double values[], const double weights[], fare_ensemble **e)
{
  PetscFunctionBegin;
  PetscCall(fare_ensemble_create(look->ensemble->comm, 1, count, e));
  if (look->ensemble->weight) PetscCall(fare_ensemble_weigh(*e));
  for (int64_t i = 0; i < (*e)->local; i++) {
    const int64_t from = (*e)->first_block * FARE_BLOCK + i;

    (*e)->x[0][i] = within(grid, values[from]);
    /* particles of one class are not copies of one */
    if (classes) (*e)->x[0][i] += 0.5 * ((double)from / (double)count - 0.5);
    if (look->ensemble->weight) (*e)->weight[i] = weights[from];
  }
  PetscFunctionReturn(0);
}

/* With the largest change over versions of the truth. */
static PetscErrorCode compare(fare_joint_look *look, const pool *p, int k, const fare_grid *grid,
  const fare_ensemble *e, const fare_measure_type *type, fare_measured *result)
{
  const int     versions = look->joint->type->versions(look->joint);
  fare_binning *binning;
  fare_binned   truth, other, samples;
  fare_measured again;
  Vec           masses;

  PetscFunctionBegin;
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(deposit(look, p, k, 0, grid, &masses));
  PetscCall(fare_binning_density(binning, masses, &truth));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_binning_ensemble(binning, e, &samples));
  PetscCall(fare_measure_compare(
    e->comm, binning, &truth, NULL, &samples, 1, &type, look->replicates, look->stream, result));
  result->truth_error = versions > 1 || !(look->joint->status.error > 0) ? 0 : NAN;
  for (int v = 1; v < versions; v++) {
    PetscCall(deposit(look, p, k, v, grid, &masses));
    PetscCall(fare_binning_density(binning, masses, &other));
    PetscCall(VecDestroy(&masses));
    PetscCall(fare_measure_compare(
      e->comm, binning, &truth, &other, &samples, 1, &type, FARE_VALUES_ALONE, look->stream, &again));
    result->truth_error = PetscMax(result->truth_error, again.truth_error);
    PetscCall(fare_binned_free(&other));
  }
  PetscCall(fare_binned_free(&truth));
  PetscCall(fare_binned_free(&samples));
  PetscCall(fare_binning_destroy(&binning));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_look_statistic(fare_joint_look *look, const fare_statistic *statistic,
  const fare_measure_type *type, fare_measured results[])
{
  const int64_t count = PetscMin(look->ensemble->count, FARE_LOOK_PARTICLES);
  pool          p;
  double       *values, *weights;

  PetscFunctionBegin;
  PetscCall(draw_pool(look, statistic, FARE_LOOK_DRAWS * count, &p));
  PetscCall(PetscMalloc2((size_t)(statistic->kinds * count), &values, (size_t)count, &weights));
  PetscCall(gather(look, statistic, count, values, weights));
  for (int k = 0; k < statistic->kinds; k++) {
    fare_grid     *grid;
    fare_ensemble *e;

    PetscCall(make_grid(look, statistic, &p, k, &grid));
    PetscCall(make_ensemble(
      look, statistic->classes ? PETSC_TRUE : PETSC_FALSE, grid, count, values + k * count, weights, &e));
    PetscCall(compare(look, &p, k, grid, e, type, &results[k]));
    PetscCall(fare_ensemble_destroy(&e));
    PetscCall(fare_grid_destroy(&grid));
  }
  PetscCall(PetscFree2(values, weights));
  PetscCall(PetscFree(p.value));
  PetscCall(PetscFree(p.ratio));
  PetscFunctionReturn(0);
}

/* Standard deviation of a floor, from what is known of it. */
static double spread_of(const fare_measured *m)
{
  return m->significance != 0 ? fabs(m->excess / m->significance) : 0;
}

void fare_look_mean(int count, const fare_measured of[], fare_measured *result)
{
  double spread = 0;

  *result = (fare_measured){.independent = HUGE_VAL, .effective = of[0].effective, .pooled = of[0].pooled};
  for (int k = 0; k < count; k++) {
    const fare_measured *m = &of[k];

    result->value += m->value / count;
    result->corrected += m->corrected / count;
    result->low += m->low / count;
    result->high += m->high / count;
    result->floor_mean += m->floor_mean / count;
    result->floor_high += m->floor_high / count;
    result->excess += m->excess / count;
    result->truth_error += m->truth_error / count;
    result->independent = PetscMin(result->independent, m->independent);
    if (m->interval) result->interval = m->interval;
    spread += spread_of(m) / count;
  }
  result->significance = spread > 0 ? result->excess / spread : 0;
  result->p_value      = 0.5 * erfc(result->significance * M_SQRT1_2);
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
