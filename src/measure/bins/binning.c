/* SPDX-License-Identifier: BSD-2-Clause */
/* Fine bins: made from the grid, filled from densities and ensembles. */
#include "binning.h"

#include <math.h>

/* Most bins along an axis in one, two and three dimensions: no set has more than 2^18. */
static const PetscInt fine_most[FARE_DIM_MAX]   = {4096, 512, 64},
                      coarse_most[FARE_DIM_MAX] = {FARE_COARSE_MOST, 64, 24};

#define GROUPS_LEAST 10 /* fewer samples are not put into groups */

static PetscInt parts(PetscInt whole, PetscInt part)
{
  return (whole + part - 1) / part;
}

/* Which bins are seen, and which of them holds a fine bin. */
static PetscErrorCode choose_seen(fare_binning *b)
{
  PetscFunctionBegin;
  b->all_seen = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    const PetscInt block = b->grid.dim == 1 ? 1 : b->block[axis];

    b->step[axis] = b->cells[axis] * block;
    b->seen[axis] = parts(b->fine[axis], block);
    b->all_seen *= (size_t)b->seen[axis];
  }
  PetscCall(PetscMalloc1(b->bins, &b->seen_of));
  for (PetscInt k = 0, at = 0; k < b->fine[2]; k++) {
    for (PetscInt j = 0; j < b->fine[1]; j++) {
      for (PetscInt i = 0; i < b->fine[0]; i++, at++)
        b->seen_of[at] =
          (size_t)((k * b->cells[2] / b->step[2] * b->seen[1] + j * b->cells[1] / b->step[1]) * b->seen[0] +
            i * b->cells[0] / b->step[0]);
    }
  }
  PetscCall(fare_projections_create(b, &b->projections));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_binning_create(const fare_grid *grid, fare_binning **binning)
{
  fare_binning *b;

  PetscFunctionBegin;
  PetscCall(PetscNew(&b));
  b->grid    = *grid;
  b->grid.dm = NULL;
  b->bins    = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    b->cells[axis]  = parts(grid->cells[axis], fine_most[grid->dim - 1]);
    b->fine[axis]   = parts(grid->cells[axis], b->cells[axis]);
    b->block[axis]  = parts(b->fine[axis], coarse_most[grid->dim - 1]);
    b->coarse[axis] = parts(b->fine[axis], b->block[axis]);
    b->bins *= (size_t)b->fine[axis];
  }
  PetscCall(PetscMalloc1((size_t)b->fine[0] + 1, &b->edge));
  for (PetscInt i = 0; i < b->fine[0]; i++)
    b->edge[i] = grid->lower[0] + (double)(i * b->cells[0]) * grid->spacing[0];
  b->edge[b->fine[0]] = grid->upper[0];
  PetscCall(choose_seen(b));
  *binning = b;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_binning_destroy(fare_binning **binning)
{
  PetscFunctionBegin;
  if (!*binning) PetscFunctionReturn(0);
  PetscCall(fare_projections_destroy(&(*binning)->projections));
  PetscCall(PetscFree((*binning)->seen_of));
  PetscCall(PetscFree((*binning)->edge));
  PetscCall(PetscFree(*binning));
  PetscFunctionReturn(0);
}

void fare_binning_extents(const fare_binning *binning, uint64_t extent[FARE_DIM_MAX])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) extent[axis] = (uint64_t)binning->fine[axis];
}

PetscErrorCode fare_binned_free(fare_binned *binned)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(binned->mass));
  PetscCall(PetscFree(binned->group));
  PetscCall(PetscFree(binned->square));
  PetscFunctionReturn(0);
}

static size_t bin_of_cell(const fare_binning *b, PetscInt i, PetscInt j, PetscInt k)
{
  return (size_t)(((k / b->cells[2]) * b->fine[1] + j / b->cells[1]) * b->fine[0] + i / b->cells[0]);
}

PetscErrorCode fare_binning_density(const fare_binning *binning, Vec masses, fare_binned *binned)
{
  const fare_grid   *grid = &binning->grid;
  const PetscScalar *mass;
  double             total = 0;

  PetscFunctionBegin;
  *binned = (fare_binned){.bins = binning->bins, .effective = HUGE_VAL};
  PetscCall(PetscCalloc1(binning->bins + 1, &binned->mass));
  PetscCall(VecGetArrayRead(masses, &mass));
  for (PetscInt k = 0, at = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++, at++)
        binned->mass[bin_of_cell(binning, grid->start[0] + i, grid->start[1] + j, grid->start[2] + k)] +=
          mass[at];
    }
  }
  PetscCall(VecRestoreArrayRead(masses, &mass));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, binned->mass, (PetscMPIInt)binning->bins, MPI_DOUBLE, MPI_SUM, grid->comm));
  for (size_t i = 0; i < binning->bins; i++) {
    if (binned->mass[i] < 0) binned->mass[i] = 0;
    total += binned->mass[i];
  }
  if (!(total > 0 && isfinite(total))) {
    PetscCall(fare_binned_free(binned));
    FARE_FAIL(FARE_ERR_FAILED, "a density with total mass %g cannot be binned", total);
  }
  for (size_t i = 0; i < binning->bins; i++) binned->mass[i] /= total;
  PetscFunctionReturn(0);
}

/* Into the box of a periodic axis; what is no number stays so. */
double fare_binning_wrap(const fare_binning *binning, int axis, double x)
{
  const double lower = binning->grid.lower[axis], upper = binning->grid.upper[axis];
  double       from, at;

  if (binning->grid.boundary[axis] != FARE_BOUNDARY_PERIODIC || (x >= lower && x <= upper)) return x;
  from = fmod(x - lower, upper - lower);
  at   = lower + (from < 0 ? from + (upper - lower) : from);
  return at > upper ? upper : at; /* round-off may not lead out again */
}

/* Where particles go: a fine bin, or the outside. */
static size_t bin_of_particle(const fare_binning *b, const double *const x[], int64_t particle)
{
  const fare_grid *grid                = &b->grid;
  PetscInt         index[FARE_DIM_MAX] = {0};

  for (int axis = 0; axis < grid->dim; axis++) {
    const double at = fare_binning_wrap(b, axis, x[axis][particle]);

    if (!(at >= grid->lower[axis] && at <= grid->upper[axis])) return b->bins; /* not a number: outside too */
    index[axis] = PetscMin((PetscInt)((at - grid->lower[axis]) / grid->spacing[axis]), grid->cells[axis] - 1);
  }
  return bin_of_cell(b, index[0], index[1], index[2]);
}

/*
  Whole numbers of weight, to be added up over ranks: of fine bins, the outside, what lies below; squares and
  fourth powers of the weight of each distinct position, their number; then of groups. With uneven weights
  also squares and distinct rows of each bin that is seen, and of the outside.
*/
typedef struct {
  size_t   outside, below, squares, fourths, distinct, groups, stride, first_group, uneven, count;
  int64_t *sum;
} tally;

static PetscErrorCode tally_create(const fare_binning *binning, int64_t distinct, PetscBool uneven, tally *t)
{
  PetscFunctionBegin;
  t->outside     = binning->bins;
  t->below       = t->outside + 1;
  t->squares     = t->outside + 2;
  t->fourths     = t->outside + 3;
  t->distinct    = t->outside + 4;
  t->first_group = t->outside + 5;
  t->groups      = distinct < GROUPS_LEAST ? 0 : (size_t)PetscMin(distinct, FARE_GROUPS);
  t->stride      = binning->all_seen + FARE_GROUP_EXTRA;
  t->uneven      = t->first_group + t->groups * t->stride;
  t->count       = t->uneven + (uneven ? 2 * (binning->all_seen + 1) : 0);
  PetscCall(PetscCalloc1(t->count, &t->sum));
  PetscFunctionReturn(0);
}

/* What is known of each row's copies, and where groups begin; all rows differ where `first` is NULL. */
typedef struct {
  int64_t *first, distinct, begin[FARE_GROUPS + 1];
  double  *weight, most; /* of all copies of a row, over the largest weight; the most of these */
  double   unit;         /* of squares */
} copies;

/* Groups of equally many distinct positions, in the order in which they come first. */
static PetscErrorCode cut_groups(const fare_ensemble *e, copies *c)
{
  const int64_t start = e->first_block * FARE_BLOCK, groups = PetscMin(c->distinct, FARE_GROUPS);
  int64_t       before = 0, own = 0;

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->local; i++) own += c->first[i] == start + i;
  PetscCallMPI(MPI_Exscan(&own, &before, 1, MPI_INT64_T, MPI_SUM, e->comm));
  for (int g = 0; g <= FARE_GROUPS; g++) c->begin[g] = e->count;
  for (int64_t i = 0; i < e->local; i++) {
    if (c->first[i] != start + i) continue;
    c->begin[before * groups / c->distinct] = PetscMin(c->begin[before * groups / c->distinct], start + i);
    before++;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, c->begin, FARE_GROUPS + 1, MPI_INT64_T, MPI_MIN, e->comm));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_copies(
  const fare_binning *binning, const fare_ensemble *e, const fare_weight_units *units, copies *c)
{
  int64_t repeated;

  PetscFunctionBegin;
  *c = (copies){.distinct = e->count, .most = 1, .unit = units->units};
  PetscCall(PetscMalloc2(PetscMax(1, e->local), &c->first, PetscMax(1, e->local), &c->weight));
  PetscCall(fare_copies_find(binning, e, units->largest, c->first, c->weight, &repeated));
  c->distinct -= repeated;
  if (repeated) {
    c->unit = PetscMax(c->unit, ldexp(1, 60 - (int)ceil(log2((double)e->count))));
    for (int64_t i = 0; i < e->local; i++) c->most = PetscMax(c->most, c->weight[i]);
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &c->most, 1, MPI_DOUBLE, MPI_MAX, e->comm));
    PetscCall(cut_groups(e, c));
  } else {
    PetscCall(PetscFree2(c->first, c->weight));
  }
  PetscFunctionReturn(0);
}

static int64_t group_of(const copies *c, int64_t count, int64_t groups, int64_t row)
{
  int64_t g = 0;

  if (!c->first) return row * groups / count;
  while (g + 1 < groups && c->begin[g + 1] <= row) g++;
  return g;
}

static void add_particles(const fare_binning *binning, const fare_ensemble *ensemble,
  const fare_weight_units *units, const copies *c, tally *t)
{
  int64_t *const        groups = t->sum + t->first_group,
                 *const uneven = t->count > t->uneven ? t->sum + t->uneven : NULL;

  for (int64_t i = 0; i < ensemble->local; i++) {
    const double w    = ensemble->weight ? ensemble->weight[i] / units->largest : 1,
                 all  = (c->first ? c->weight[i] : w) / c->most;
    const int64_t add = fare_weight_units_of(units, ensemble, i), id = ensemble->first_block * FARE_BLOCK + i,
                  first  = c->first ? c->first[i] : id;
    const int64_t square = llrint(w * all * c->unit), distinct = first == id && w > 0 ? 1 : 0;
    const size_t  bin = bin_of_particle(binning, (const double *const *)ensemble->x, i),
                 seen = bin < t->outside ? binning->seen_of[bin] : binning->all_seen;
    const PetscBool below =
      bin == t->outside && ensemble->dim == 1 && ensemble->x[0][i] < binning->grid.lower[0] ? PETSC_TRUE
                                                                                            : PETSC_FALSE;

    t->sum[bin] += add;
    t->sum[t->squares] += square;
    t->sum[t->fourths] += llrint(w * all * all * all * c->unit);
    t->sum[t->distinct] += distinct;
    if (below) t->sum[t->below] += add;
    if (uneven) uneven[seen] += square;
    if (uneven) uneven[binning->all_seen + 1 + seen] += distinct;
    if (t->groups) {
      int64_t *group = groups + (size_t)group_of(c, ensemble->count, (int64_t)t->groups, first) * t->stride;

      group[bin < t->outside ? seen : binning->all_seen + (below ? 0 : 1)] += add;
      group[t->stride - 1] += add;
    }
  }
}

/* From whole numbers to shares of all weight. */
static PetscErrorCode take_shares(
  const fare_binning *binning, const tally *t, double unit, const copies *c, fare_binned *binned)
{
  const size_t seen    = binning->all_seen + 1;
  const double squares = (double)t->sum[t->squares];
  int64_t      total   = 0;

  PetscFunctionBegin;
  for (size_t i = 0; i <= t->outside; i++) total += t->sum[i];
  binned->below     = (double)t->sum[t->below] / (double)total;
  binned->effective = ((double)total / unit) * ((double)total / (squares * c->most)) * (c->unit / unit);
  binned->behind    = squares / c->unit * (squares / ((double)t->sum[t->fourths] * c->most));
  binned->distinct  = t->sum[t->distinct];
  PetscCall(PetscMalloc1(binning->bins + 1, &binned->mass));
  PetscCall(PetscMalloc1(t->groups * t->stride, &binned->group));
  for (size_t i = 0; i <= t->outside; i++) binned->mass[i] = (double)t->sum[i] / (double)total;
  for (size_t i = 0; i < t->groups * t->stride; i++)
    binned->group[i] = (double)t->sum[t->first_group + i] / (double)total;
  if (t->count == t->uneven) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(2 * seen, &binned->square));
  for (size_t i = 0; i < seen; i++) {
    binned->square[i]        = (double)t->sum[t->uneven + i] / (double)t->sum[t->squares] / binned->effective;
    binned->square[seen + i] = (double)t->sum[t->uneven + seen + i];
  }
  PetscFunctionReturn(0);
}

/* Whether all weights are one and the same. */
static PetscErrorCode are_even(const fare_ensemble *e, const fare_weight_units *units, PetscBool *even)
{
  int all = 1;

  PetscFunctionBegin;
  for (int64_t i = 0; i < e->local && e->weight; i++) all &= e->weight[i] == units->largest;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, e->comm));
  *even = all ? PETSC_TRUE : PETSC_FALSE;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_binning_ensemble(
  const fare_binning *binning, const fare_ensemble *ensemble, fare_binned *binned)
{
  fare_weight_units units;
  PetscBool         even = PETSC_FALSE;
  copies            c;
  tally             t;

  PetscFunctionBegin;
  if (ensemble->dim != binning->grid.dim)
    FARE_FAIL(FARE_ERR_FAILED, "an ensemble of dimension %d does not fit a grid of dimension %d",
      ensemble->dim, binning->grid.dim);
  PetscCall(fare_ensemble_units(ensemble, &units));
  PetscCall(are_even(ensemble, &units, &even));
  PetscCall(find_copies(binning, ensemble, &units, &c));
  PetscCall(tally_create(binning, c.distinct, even && !c.first ? PETSC_FALSE : PETSC_TRUE, &t));
  add_particles(binning, ensemble, &units, &c, &t);
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, t.sum, (PetscMPIInt)t.count, MPI_INT64_T, MPI_SUM, ensemble->comm));
  *binned = (fare_binned){.bins = binning->bins, .samples = ensemble->count, .groups = t.groups};
  PetscCall(take_shares(binning, &t, units.units, &c, binned));
  PetscCall(PetscFree(t.sum));
  PetscCall(PetscFree2(c.first, c.weight));
  PetscFunctionReturn(0);
}
