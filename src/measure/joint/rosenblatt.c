/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Rosenblatt's transform of samples: even on the unit cube exactly where they have the truth's density. What
  disjoint pairs of its axes are away from even adds up to a lower bound of D(ensemble||truth).
*/
#include "look.h"

#include <math.h>
#include <string.h>

#define GROUPS     50
#define BINS_MOST  16
#define PAIRS_MOST (FARE_AXES_MAX / 2 + 1)

/* Counts of weight in units: of each group, of each pair of axes, on bins x bins cells. */
typedef struct {
  PetscBool of_blocks;
  int       bins, pairs, groups;
  size_t    cells; /* of all pairs */
  int64_t  *count; /* [group][pair][cell] */
} tables;

static int cell_of(const tables *t, double u, double v)
{
  const int i = (int)PetscMin(t->bins - 1, PetscMax(0, floor(u * t->bins))),
            j = (int)PetscMin(t->bins - 1, PetscMax(0, floor(v * t->bins)));

  return j * t->bins + i;
}

/* An axis that has no partner stands with itself: cells of equal axes are merged below. */
static PetscErrorCode fill(fare_joint_look *look, const fare_weight_units *units, tables *t)
{
  const fare_joint_type *kind = look->joint->type;
  const fare_ensemble   *e    = look->ensemble;
  const int              dim  = look->joint->dim;
  double                *all, *u[FARE_AXES_MAX];
  PetscErrorCode         code = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)dim * FARE_BLOCK, &all));
  for (int axis = 0; axis < dim; axis++) u[axis] = all + axis * FARE_BLOCK;
  for (int64_t b = 0; b < e->blocks && !code; b++) {
    const fare_block block = fare_ensemble_block(e, b);

    code = (t->of_blocks ? kind->block_rosenblatt : kind->rosenblatt)(
      look->joint, block.counted, (const double *const *)block.x, u);
    for (int i = 0; i < block.counted && !code; i++) {
      const int64_t particle = (int64_t)block.number * FARE_BLOCK + i,
                    group    = particle * t->groups / e->count,
                    weight   = fare_weight_units_of(units, e, b * FARE_BLOCK + i);

      for (int k = 0; k < t->pairs; k++)
        t->count[(size_t)group * t->cells +
          (size_t)(k * t->bins * t->bins + cell_of(t, u[2 * k][i], 2 * k + 1 < dim ? u[2 * k + 1][i] : 0))] +=
          weight;
    }
  }
  PetscCall(PetscFree(all));
  PetscCall(fare_error_agree(e->comm, code));
  PetscCallMPI(MPI_Allreduce(
    MPI_IN_PLACE, t->count, (PetscMPIInt)((size_t)t->groups * t->cells), MPI_INT64_T, MPI_SUM, e->comm));
  PetscFunctionReturn(0);
}

/* Cells of a pair; of an axis alone a row of them. */
static int cells_of(const tables *t, int dim, int pair)
{
  return 2 * pair + 1 < dim ? t->bins * t->bins : t->bins;
}

/*
  Sum over pairs of D(q||even) by counts, less the bias (cells - 1)/(2 n) that independent samples have.
  Miller (1955).
*/
static double divergence(const tables *t, int dim, double n, const double count[])
{
  double sum = 0;

  for (int k = 0; k < t->pairs; k++) {
    const double *of    = count + k * t->bins * t->bins;
    const int     all   = cells_of(t, dim, k);
    double        whole = 0;

    for (int i = 0; i < all; i++) whole += of[i];
    for (int i = 0; i < all; i++) {
      if (of[i] > 0) sum += of[i] / whole * log(of[i] / whole * all);
    }
    sum -= (all - 1) / (2 * n);
  }
  return sum;
}

/* Counts of all groups but one; -1: of all. */
static void add_up(const tables *t, int group, double to[])
{
  memset(to, 0, t->cells * sizeof *to);
  for (int g = 0; g < t->groups; g++) {
    for (size_t i = 0; i < t->cells && g != group; i++) to[i] += (double)t->count[(size_t)g * t->cells + i];
  }
}

/* Even numbers in place of the transform: known without a draw from the truth. */
static PetscErrorCode find_floor(
  fare_joint_look *look, const tables *t, double n, double values[], double *mean, double *spread)
{
  const int dim = look->joint->dim, most = t->bins * t->bins;
  int64_t  *count;
  double   *p, *of;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3((size_t)most, &count, (size_t)most, &p, t->cells, &of));
  *mean = *spread = 0;
  for (int r = 0; r < look->replicates; r++) {
    fare_random random = {.stream = look->stream, .sequence = (uint64_t)r};

    memset(of, 0, t->cells * sizeof *of);
    for (int k = 0; k < t->pairs; k++) {
      const int all = cells_of(t, dim, k);

      for (int i = 0; i < all; i++) p[i] = 1. / all;
      fare_random_multinomial(&random, (int64_t)PetscMax(1, round(n)), (size_t)all, p, count);
      for (int i = 0; i < all; i++) of[k * most + i] = (double)count[i];
    }
    values[r] = divergence(t, dim, n, of);
    *mean += values[r] / look->replicates;
  }
  for (int r = 0; r < look->replicates; r++)
    *spread += (values[r] - *mean) * (values[r] - *mean) / PetscMax(1, look->replicates - 1);
  *spread = sqrt(*spread);
  PetscCall(PetscFree3(count, p, of));
  PetscFunctionReturn(0);
}

/*
  Where one version has no density, half a count stands in for it, as in reverse_kl_density: so many nats at
  most. Where neither has one, nothing changes.
*/
static double change_of(double first, double other, double most)
{
  if (isfinite(first) && isfinite(other)) return other - first;
  return (isfinite(other) ? most : 0) - (isfinite(first) ? most : 0);
}

/* What a change of ln p makes of D(ensemble||truth): the most that the bound can change, about. */
static PetscErrorCode find_truth_error(fare_joint_look *look, double *error)
{
  const fare_ensemble *e        = look->ensemble;
  const int            versions = look->joint->type->versions(look->joint);
  const int64_t        blocks   = (e->count + FARE_BLOCK - 1) / FARE_BLOCK;
  const double         most     = log(2 * look->effective + 1);
  double              *of;

  PetscFunctionBegin;
  *error = versions > 1 || !(look->joint->status.error > 0) ? 0 : NAN;
  if (versions < 2) PetscFunctionReturn(0);
  PetscCall(fare_look_log_p(look));
  PetscCall(PetscMalloc1((size_t)(2 * blocks), &of));
  for (int v = 1; v < versions; v++) {
    double sum[2] = {0};

    memset(of, 0, (size_t)(2 * blocks) * sizeof *of);
    for (int64_t i = 0; i < e->local; i++) {
      const double change = change_of(look->log_p[i], look->log_p[v * e->local + i], most),
                   w      = e->weight ? PetscMax(0, e->weight[i]) : 1;

      of[2 * (e->first_block + i / FARE_BLOCK)] += w * change;
      of[2 * (e->first_block + i / FARE_BLOCK) + 1] += w;
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, of, (PetscMPIInt)(2 * blocks), MPI_DOUBLE, MPI_SUM, e->comm));
    for (int64_t b = 0; b < 2 * blocks; b++) sum[b % 2] += of[b];
    *error = fare_larger_change(*error, fabs(sum[0] / sum[1]));
  }
  PetscCall(PetscFree(of));
  PetscFunctionReturn(0);
}

static PetscErrorCode judge(fare_joint_look *look, const tables *t, fare_measured *result)
{
  const int    dim = look->joint->dim;
  const double n   = look->effective;
  double      *of, *values, without[GROUPS], mean = 0, spread = 0;
  int          reach = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(t->cells, &of, (size_t)look->replicates, &values));
  add_up(t, -1, of);
  result->value = divergence(t, dim, n, of);
  for (int g = 0; g < t->groups; g++) {
    add_up(t, g, of);
    without[g] = divergence(t, dim, n * (t->groups - 1) / t->groups, of);
  }
  PetscCall(find_floor(look, t, n, values, &mean, &spread));
  fare_look_judge(t->groups, without, spread, result);
  PetscCall(PetscSortReal(look->replicates, values));
  result->floor_mean = mean;
  result->floor_high = values[(int)ceil(0.95 * look->replicates) - 1];
  result->excess     = result->value - mean;
  for (int r = 0; r < look->replicates; r++) reach += values[r] >= result->value;
  result->p_value = (1. + reach) / (1. + look->replicates);
  PetscCall(PetscFree2(of, values));
  PetscFunctionReturn(0);
}

static PetscErrorCode bound(fare_joint_look *look, PetscBool of_blocks, fare_measured *result)
{
  fare_weight_units units;
  tables            t = {.of_blocks = of_blocks, .pairs = (look->joint->dim + 1) / 2};

  PetscFunctionBegin;
  t.bins   = (int)PetscMax(2, PetscMin(BINS_MOST, round(sqrt(sqrt(look->effective)))));
  t.groups = (int)PetscMin(GROUPS, look->ensemble->count);
  t.cells  = (size_t)(t.pairs * t.bins * t.bins);
  PetscCall(fare_ensemble_units(look->ensemble, &units));
  PetscCall(PetscCalloc1((size_t)t.groups * t.cells, &t.count));
  PetscCall(fill(look, &units, &t));
  PetscCall(judge(look, &t, result));
  PetscCall(find_truth_error(look, &result->truth_error));
  PetscCall(PetscFree(t.count));
  PetscFunctionReturn(0);
}

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  (void)type;
  return bound(look, PETSC_FALSE, result);
}

static PetscErrorCode measure_blocks(
  fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  (void)type;
  return bound(look, PETSC_TRUE, result);
}

extern const fare_joint_measure_type fare_joint_measure_rosenblatt;
const fare_joint_measure_type        fare_joint_measure_rosenblatt = {
         .base    = {.name = "rosenblatt",
              .summary     = "lower bound of D(ensemble||truth) from samples alone, by the truth's conditionals",
              .definition = "sum over disjoint pairs of axes, the first and second, the third and fourth, ..., of "
                                      "D(u||even) by counts, less their bias; u_i = P(X_i <= x_i | the axes before it).",
              .reference = "Rosenblatt, Ann. Math. Stat. 23, 470 (1952)",
              .unit      = "nats"},
         .needs   = FARE_NEEDS_ROSENBLATT,
         .measure = measure,
};

extern const fare_joint_measure_type fare_joint_measure_block_rosenblatt;
const fare_joint_measure_type        fare_joint_measure_block_rosenblatt = {
         .base    = {.name = "block_rosenblatt",
              .summary     = "lower bound of D(ensemble||truth) from samples alone, block by block of a product",
              .definition =
                "as rosenblatt, in the axes of the blocks of a rotated product: pairs of axes of the blocks.",
              .reference = "Rosenblatt, Ann. Math. Stat. 23, 470 (1952)",
              .unit      = "nats"},
         .needs   = FARE_NEEDS_BLOCK_ROSENBLATT,
         .measure = measure_blocks,
};
