/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures on a grid, of a part of the axes: of a marginal density of the truth, or of one of its blocks. */
#include "look.h"

#include <fare/product.h>

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

/* A marginal of one or two axes, or a block. */
typedef struct {
  int       axes, axis[FARE_DIM_MAX]; /* of the state, or of the frame of the blocks */
  PetscBool is_block;
  int       block;
} one_part;

static PetscErrorCode density_of(
  fare_joint *joint, int version, const one_part *part, fare_grid **grid, Vec *masses)
{
  const fare_joint_type *type = joint->type;

  return part->is_block ? type->block(joint, version, part->block, grid, masses)
                        : type->marginal(joint, version, part->axes, part->axis, grid, masses);
}

static PetscBool same_cells(const fare_grid *a, const fare_grid *b)
{
  for (int axis = 0; axis < a->dim; axis++) {
    if (a->cells[axis] != b->cells[axis] || a->lower[axis] != b->lower[axis] ||
      a->upper[axis] != b->upper[axis])
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
}

/* Another version of the truth, on the bins of the first. */
static PetscErrorCode bin_version(fare_joint *joint, int version, const one_part *part, const fare_grid *grid,
  const fare_binning *binning, fare_binned *binned)
{
  fare_grid *own;
  Vec        masses, moved = NULL;

  PetscFunctionBegin;
  PetscCall(density_of(joint, version, part, &own, &masses));
  if (!same_cells(own, grid)) PetscCall(move_grid(own, masses, grid, &moved));
  PetscCall(fare_binning_density(binning, moved ? moved : masses, binned));
  PetscCall(VecDestroy(&moved));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_destroy(&own));
  PetscFunctionReturn(0);
}

/* Axes of the state, or a block with its axes in the frame of all blocks. */
static one_part part_of(const fare_joint *joint, fare_part_kind kind, int k, const int pair[][2])
{
  const fare_product *product = kind == FARE_BLOCKS ? fare_product_of(joint->system) : NULL;
  one_part part  = {.is_block = kind == FARE_BLOCKS ? PETSC_TRUE : PETSC_FALSE, .block = k, .axes = 1};
  int      first = k;

  if (product) first = fare_product_first(product, k, &part.axes);
  for (int a = 0; a < part.axes; a++) part.axis[a] = first + a;
  if (kind != FARE_PAIRS) return part;
  part.axes = 2;
  memcpy(part.axis, pair[k], sizeof pair[k]);
  return part;
}

/* The ensemble in the frame of the blocks: with arrays of its own where that is not the state's. */
static PetscErrorCode frame_of(const fare_joint *joint, const fare_ensemble *e, fare_ensemble *framed)
{
  const fare_product *product = fare_product_of(joint->system);
  const size_t        n       = (size_t)e->blocks * FARE_BLOCK;

  PetscFunctionBegin;
  *framed = *e;
  if (!product) PetscFunctionReturn(0);
  for (int axis = 0; axis < e->dim; axis++) PetscCall(PetscMalloc1(n, &framed->x[axis]));
  fare_product_to_blocks(product, n, (const double *const *)e->x, framed->x);
  PetscFunctionReturn(0);
}

static PetscErrorCode frame_free(const fare_ensemble *e, fare_ensemble *framed)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < e->dim && framed->x[axis] != e->x[axis]; axis++)
    PetscCall(PetscFree(framed->x[axis]));
  PetscFunctionReturn(0);
}

/* The ensemble along these axes alone: borrows its arrays. */
static fare_ensemble along(const fare_ensemble *e, const one_part *part)
{
  fare_ensemble some = *e;

  some.dim = part->axes;
  for (int a = 0; a < FARE_AXES_MAX; a++) some.x[a] = a < part->axes ? e->x[part->axis[a]] : NULL;
  return some;
}

static PetscErrorCode compare(fare_joint_look *look, const fare_ensemble *ensemble, const one_part *part,
  size_t count, const fare_measure_type *const types[], fare_measured results[])
{
  fare_joint         *joint    = look->joint;
  const int           versions = joint->type->versions(joint);
  const fare_ensemble e        = along(ensemble, part);
  fare_grid          *grid;
  fare_binning       *binning;
  fare_binned         truth, other, samples, ungrouped;
  fare_measured       again[FARE_PART_MEASURES];
  Vec                 masses;

  PetscFunctionBegin;
  PetscCall(density_of(joint, 0, part, &grid, &masses));
  PetscCall(fare_binning_create(grid, &binning));
  PetscCall(fare_binning_density(binning, masses, &truth));
  PetscCall(fare_binning_ensemble(binning, &e, &samples));
  PetscCall(fare_measure_compare(
    e.comm, binning, &truth, NULL, &samples, count, types, look->replicates, look->stream, results));
  for (size_t m = 0; m < count; m++)
    results[m].truth_error = versions > 1 || !(joint->status.error > 0) ? 0 : NAN;
  ungrouped        = samples;
  ungrouped.groups = 0; /* nothing is asked of noise */
  for (int v = 1; v < versions; v++) {
    PetscCall(bin_version(joint, v, part, grid, binning, &other));
    PetscCall(fare_measure_compare(
      e.comm, binning, &truth, &other, &ungrouped, count, types, FARE_VALUES_ALONE, look->stream, again));
    for (size_t m = 0; m < count; m++)
      results[m].truth_error = fare_larger_change(results[m].truth_error, again[m].truth_error);
    PetscCall(fare_binned_free(&other));
  }
  PetscCall(fare_binned_free(&truth));
  PetscCall(fare_binned_free(&samples));
  PetscCall(fare_binning_destroy(&binning));
  PetscCall(VecDestroy(&masses));
  PetscCall(fare_grid_destroy(&grid));
  PetscFunctionReturn(0);
}

static PetscErrorCode compare_all(fare_joint_look *look, fare_part_kind kind, fare_parts *parts)
{
  static const char *const names[FARE_PART_KINDS][FARE_PART_MEASURES] = {
    [FARE_AXES]   = {"kl", "wasserstein_1"},
    [FARE_PAIRS]  = {"kl"},
    [FARE_BLOCKS] = {"reverse_kl", "well_population"}};
  const fare_product      *product = fare_product_of(look->joint->system);
  const int                dim     = look->joint->dim;
  const fare_measure_type *types[FARE_PART_MEASURES];
  fare_ensemble            e     = *look->ensemble;
  size_t                   count = 0;
  int                      pair[PAIRS_MOST][2];

  PetscFunctionBegin;
  while (count < FARE_PART_MEASURES && names[kind][count]) {
    types[count] = fare_measure_type_find(names[kind][count]);
    count++;
  }
  parts->count = kind == FARE_PAIRS  ? choose_pairs(dim, pair)
    : kind == FARE_BLOCKS && product ? fare_product_blocks(product)
                                     : dim;
  if (kind == FARE_BLOCKS) PetscCall(frame_of(look->joint, look->ensemble, &e));
  for (size_t m = 0; m < count; m++) PetscCall(PetscMalloc1((size_t)parts->count, &parts->of[m]));
  for (int k = 0; k < parts->count; k++) {
    const one_part part = part_of(look->joint, kind, k, pair);
    fare_measured  of[FARE_PART_MEASURES];

    PetscCall(compare(look, &e, &part, count, types, of));
    for (size_t m = 0; m < count; m++) parts->of[m][k] = of[m];
  }
  PetscCall(frame_free(look->ensemble, &e));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_look_parts(fare_joint_look *look, fare_part_kind kind, fare_parts **parts)
{
  PetscFunctionBegin;
  *parts = &look->parts[kind];
  if (!(*parts)->count) PetscCall(compare_all(look, kind, *parts));
  PetscFunctionReturn(0);
}
