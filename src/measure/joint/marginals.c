/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures on a grid, of the marginals of one and of two axes. */
#include "look.h"

#include <math.h>
#include <string.h>

#define PAIRS_MOST 24

/* Neighbours and pairs far apart, where there are too many pairs for all. */
static int choose_pairs(int dim, int pair[PAIRS_MOST][2])
{
  int count = 0;

  if (dim * (dim - 1) / 2 <= PAIRS_MOST) {
    for (int a = 0; a < dim; a++) {
      for (int b = a + 1; b < dim; b++, count++) {
        pair[count][0] = a;
        pair[count][1] = b;
      }
    }
    return count;
  }
  for (int far = 0; far < 2; far++) {
    const int distance = far ? dim / 2 : 1, starts = dim - distance, most = PetscMin(PAIRS_MOST / 2, starts);

    for (int k = 0; k < most; k++, count++) {
      pair[count][0] = k * starts / most;
      pair[count][1] = pair[count][0] + distance;
    }
  }
  return count;
}

/* Cells along an axis as shares of those of another grid: overlap[i] begins at cell first[i]. */
static double overlap(const fare_grid *a, PetscInt i, const fare_grid *b, PetscInt j, int axis)
{
  const double low  = PetscMax(a->lower[axis] + (double)i * a->spacing[axis],
                  b->lower[axis] + (double)j * b->spacing[axis]),
               high = PetscMin(a->lower[axis] + (double)(i + 1) * a->spacing[axis],
                 b->lower[axis] + (double)(j + 1) * b->spacing[axis]);

  return PetscMax(0, high - low) / a->spacing[axis];
}

static PetscInt first_cell(const fare_grid *grid, int axis, double at)
{
  return (PetscInt)PetscMax(
    0, PetscMin((double)grid->cells[axis] - 1, floor((at - grid->lower[axis]) / grid->spacing[axis])));
}

/* Along one axis; others are runs of `inner` numbers, `outer` times. What lies beyond is left out. */
static void move_axis(const fare_grid *a, const fare_grid *b, int axis, PetscInt inner, PetscInt outer,
  const double from[], double to[])
{
  const PetscInt n = a->cells[axis], m = b->cells[axis];

  memset(to, 0, (size_t)(inner * m * outer) * sizeof *to);
  for (PetscInt i = 0; i < n; i++) {
    const double low = a->lower[axis] + (double)i * a->spacing[axis];

    for (PetscInt j = first_cell(b, axis, low); j < m; j++) {
      const double share = overlap(a, i, b, j, axis);

      for (PetscInt o = 0; o < outer && share > 0; o++) {
        for (PetscInt k = 0; k < inner; k++)
          to[(o * m + j) * inner + k] += share * from[(o * n + i) * inner + k];
      }
      if (b->lower[axis] + (double)(j + 1) * b->spacing[axis] >= low + a->spacing[axis]) break;
    }
  }
}

/* Masses of grid a on grid b, spread evenly within cells. */
static PetscErrorCode move_grid(const fare_grid *a, Vec from, const fare_grid *b, Vec *to)
{
  const PetscScalar *mass;
  PetscScalar       *moved;
  double            *between;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(b->dm, to));
  PetscCall(VecGetArrayRead(from, &mass));
  PetscCall(VecGetArrayWrite(*to, &moved));
  PetscCall(PetscMalloc1((size_t)(b->cells[0] * a->cells[1]), &between));
  move_axis(a, b, 0, 1, a->cells[1], mass, a->dim > 1 ? between : moved);
  if (a->dim > 1) move_axis(a, b, 1, b->cells[0], 1, between, moved);
  PetscCall(PetscFree(between));
  PetscCall(VecRestoreArrayWrite(*to, &moved));
  PetscCall(VecRestoreArrayRead(from, &mass));
  PetscFunctionReturn(0);
}

/* Another version of the truth, on the bins of the first. */
static PetscErrorCode bin_version(fare_joint *joint, int version, int axes, const int axis[],
  const fare_grid *grid, const fare_binning *binning, fare_binned *binned)
{
  fare_grid *own;
  Vec        masses, moved;

  PetscFunctionBegin;
  PetscCall(joint->type->marginal(joint, version, axes, axis, &own, &masses));
  PetscCall(move_grid(own, masses, grid, &moved));
  PetscCall(fare_binning_density(binning, moved, binned));
  PetscCall(VecDestroy(&moved));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_destroy(&own));
  PetscFunctionReturn(0);
}

/* The ensemble along these axes alone: borrows its arrays. */
static fare_ensemble along(const fare_ensemble *e, int axes, const int axis[])
{
  fare_ensemble some = *e;

  some.dim = axes;
  for (int a = 0; a < FARE_AXES_MAX; a++) some.x[a] = a < axes ? e->x[axis[a]] : NULL;
  return some;
}

static PetscErrorCode compare(fare_joint_look *look, int axes, const int axis[],
  const fare_measure_type *const types[], size_t count, fare_measured results[])
{
  fare_joint         *joint    = look->joint;
  const int           versions = joint->type->versions(joint);
  const fare_ensemble e        = along(look->ensemble, axes, axis);
  fare_grid          *grid;
  fare_binning       *binning;
  fare_binned         truth, other, samples;
  fare_measured       again[2];
  Vec                 masses;

  PetscFunctionBegin;
  PetscCall(joint->type->marginal(joint, 0, axes, axis, &grid, &masses));
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(fare_binning_density(binning, masses, &truth));
  PetscCall(fare_binning_ensemble(binning, &e, &samples));
  PetscCall(fare_measure_compare(
    e.comm, binning, &truth, NULL, &samples, count, types, look->replicates, look->stream, results));
  for (size_t m = 0; m < count; m++)
    results[m].truth_error = versions > 1 || !(joint->status.error > 0) ? 0 : NAN;
  for (int v = 1; v < versions; v++) {
    PetscCall(bin_version(joint, v, axes, axis, grid, binning, &other));
    PetscCall(fare_measure_compare(
      e.comm, binning, &truth, &other, &samples, count, types, FARE_VALUES_ALONE, look->stream, again));
    for (size_t m = 0; m < count; m++)
      results[m].truth_error = PetscMax(results[m].truth_error, again[m].truth_error);
    PetscCall(fare_binned_free(&other));
  }
  PetscCall(fare_binned_free(&truth));
  PetscCall(fare_binned_free(&samples));
  PetscCall(fare_binning_destroy(&binning));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

/* Of all axes, or of the chosen pairs, once for all measures. */
static PetscErrorCode find_margins(fare_joint_look *look, int axes)
{
  const fare_measure_type *const types[] = {
    fare_measure_type_find("kl"), fare_measure_type_find("wasserstein_1")};
  const int     dim = look->joint->dim, which = axes - 1;
  int           pair[PAIRS_MOST][2];
  const int     count = axes == 1 ? dim : choose_pairs(dim, pair);
  fare_measured of[2];

  PetscFunctionBegin;
  if (look->margins[which]) PetscFunctionReturn(0);
  for (int m = 0; m < 2; m++) PetscCall(PetscMalloc1((size_t)count, &look->margin[which][m]));
  for (int k = 0; k < count; k++) {
    const int *axis = axes == 1 ? &k : pair[k];

    PetscCall(compare(look, axes, axis, types, axes == 1 ? 2 : 1, of));
    for (int m = 0; m < 2; m++) look->margin[which][m][k] = of[m];
  }
  look->margins[which] = count;
  PetscFunctionReturn(0);
}

extern const fare_joint_measure_type fare_joint_measure_marginals_1, fare_joint_measure_marginals_1_max,
  fare_joint_measure_marginals_1_wasserstein, fare_joint_measure_marginals_2,
  fare_joint_measure_marginals_2_max;

static PetscErrorCode measure(fare_joint_look *look, const fare_measure_type *type, fare_measured *result)
{
  const int two = type == &fare_joint_measure_marginals_2.base ||
    type == &fare_joint_measure_marginals_2_max.base,
            wasserstein = type == &fare_joint_measure_marginals_1_wasserstein.base;

  PetscFunctionBegin;
  PetscCall(find_margins(look, two ? 2 : 1));
  if (type == &fare_joint_measure_marginals_1_max.base || type == &fare_joint_measure_marginals_2_max.base)
    fare_look_most(look->margins[two], look->margin[two][0], result);
  else
    fare_look_mean(look->margins[two], look->margin[two][wasserstein], result);
  PetscFunctionReturn(0);
}

#define REFERENCE "Kullback and Leibler, Ann. Math. Stat. 22, 79 (1951)"

const fare_joint_measure_type fare_joint_measure_marginals_1 = {
  .base    = {.name = "marginals_1",
       .summary     = "D(truth||ensemble) of single axes, their mean: a lower bound of that of all axes",
       .definition  = "mean over axes of the measure kl on the marginal densities; blind to all correlations.",
       .reference   = REFERENCE,
       .unit        = "nats"},
  .needs   = FARE_NEEDS_MARGINALS,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_1_max = {
  .base    = {.name = "marginals_1_max",
       .summary     = "D(truth||ensemble) of the single axis that shows most: a lower bound of that of all axes",
       .definition  = "measure kl on the marginal density of the axis that exceeds its noise floor most; the "
                         "significance is that of the best of all axes.",
       .reference   = REFERENCE,
       .unit        = "nats"},
  .needs   = FARE_NEEDS_MARGINALS,
  .extra   = PETSC_TRUE,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_1_wasserstein = {
  .base    = {.name = "marginals_1_wasserstein",
       .summary     = "Wasserstein distance of single axes, their mean",
       .definition  = "mean over axes of the measure wasserstein_1 on the marginal densities.",
       .reference   = "Vallender, Theory Probab. Appl. 18, 784 (1974)",
       .unit        = "length",
       .norm        = PETSC_TRUE},
  .needs   = FARE_NEEDS_MARGINALS,
  .extra   = PETSC_TRUE,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_2 = {
  .base    = {.name = "marginals_2",
       .summary     = "D(truth||ensemble) of pairs of axes, their mean: a lower bound of that of all axes",
       .definition =
         "mean of the measure kl on the marginal densities of all pairs of axes; where these are more "
            "than 24, of 12 pairs of neighbours and 12 that are half of all axes apart.",
       .reference = REFERENCE,
       .unit      = "nats"},
  .needs   = FARE_NEEDS_MARGINALS | FARE_NEEDS_PAIRS,
  .measure = measure,
};
const fare_joint_measure_type fare_joint_measure_marginals_2_max = {
  .base    = {.name = "marginals_2_max",
       .summary    = "D(truth||ensemble) of the pair of axes that shows most: a lower bound of that of all axes",
       .definition = "measure kl on the marginal density of the pair, of those of marginals_2, that exceeds its "
                        "noise floor most; the significance is that of the best of them.",
       .reference  = REFERENCE,
       .unit       = "nats"},
  .needs   = FARE_NEEDS_MARGINALS | FARE_NEEDS_PAIRS,
  .extra   = PETSC_TRUE,
  .measure = measure,
};
