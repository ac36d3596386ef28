/* Fine bins: made from the grid, filled from densities and ensembles. */
#include "binning.h"

#include <math.h>

/* Most bins along an axis in one, two and three dimensions: no set has more than 2^18. */
static const PetscInt fine_most[FARE_DIM_MAX] = {4096, 512, 64}, coarse_most[FARE_DIM_MAX] = {FARE_COARSE_MOST, 64, 24};

static PetscInt parts(PetscInt whole, PetscInt part)
{
  return (whole + part - 1) / part;
}

PetscErrorCode fare_binning_create(const fare_grid *grid, fare_binning **binning)
{
  fare_binning *b;

  PetscFunctionBeginUser;
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
  for (PetscInt i = 0; i < b->fine[0]; i++) b->edge[i] = grid->lower[0] + (double)(i * b->cells[0]) * grid->spacing[0];
  b->edge[b->fine[0]] = grid->upper[0];
  *binning            = b;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_binning_destroy(fare_binning **binning)
{
  PetscFunctionBeginUser;
  if (*binning) PetscCall(PetscFree((*binning)->edge));
  PetscCall(PetscFree(*binning));
  PetscFunctionReturn(0);
}

void fare_binning_extents(const fare_binning *binning, uint64_t extent[FARE_DIM_MAX])
{
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) extent[axis] = (uint64_t)binning->fine[axis];
}

PetscErrorCode fare_binned_free(fare_binned *binned)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree(binned->mass));
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

  PetscFunctionBeginUser;
  *binned = (fare_binned){.bins = binning->bins, .effective = HUGE_VAL};
  PetscCall(PetscCalloc1(binning->bins + 1, &binned->mass));
  PetscCall(VecGetArrayRead(masses, &mass));
  for (PetscInt k = 0, at = 0; k < grid->count[2]; k++) {
    for (PetscInt j = 0; j < grid->count[1]; j++) {
      for (PetscInt i = 0; i < grid->count[0]; i++, at++) binned->mass[bin_of_cell(binning, grid->start[0] + i, grid->start[1] + j, grid->start[2] + k)] += mass[at];
    }
  }
  PetscCall(VecRestoreArrayRead(masses, &mass));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, binned->mass, (PetscMPIInt)binning->bins, MPI_DOUBLE, MPI_SUM, grid->comm));
  for (size_t i = 0; i < binning->bins; i++) {
    if (binned->mass[i] < 0) binned->mass[i] = 0;
    total += binned->mass[i];
  }
  if (!(total > 0 && isfinite(total))) {
    PetscCall(fare_binned_free(binned));
    FARE_FAIL(FARE_ERR_FAILED, "a density with total mass %g cannot be put into bins", total);
  }
  for (size_t i = 0; i < binning->bins; i++) binned->mass[i] /= total;
  PetscFunctionReturn(0);
}

/* Into the box of a periodic axis; what is no number stays so. */
static double wrap(double x, double lower, double upper)
{
  double from, at;

  if (x >= lower && x <= upper) return x;
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
    double at = x[axis][particle];

    if (grid->end[axis] == FARE_END_PERIODIC) at = wrap(at, grid->lower[axis], grid->upper[axis]);
    if (!(at >= grid->lower[axis] && at <= grid->upper[axis])) return b->bins; /* not a number: outside too */
    index[axis] = PetscMin((PetscInt)((at - grid->lower[axis]) / grid->spacing[axis]), grid->cells[axis] - 1);
  }
  return bin_of_cell(b, index[0], index[1], index[2]);
}

/*
  Sums of weights as whole numbers: units of 1 where there are no weights, else of the largest weight over a power of two that
  leaves room for the sum of all. Whole numbers add up to the same in any order.
*/
typedef struct {
  double largest, units; /* the largest weight, and the units it counts for */
} weight_scale;

static PetscErrorCode find_units(const fare_ensemble *ensemble, weight_scale *of)
{
  int bits = 0;

  PetscFunctionBeginUser;
  *of = (weight_scale){1, 1};
  if (!ensemble->weight) PetscFunctionReturn(0);
  of->largest = 0;
  for (int64_t i = 0; i < ensemble->local; i++) of->largest = PetscMax(of->largest, ensemble->weight[i]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &of->largest, 1, MPI_DOUBLE, MPI_MAX, ensemble->comm));
  if (!(of->largest > 0)) FARE_FAIL(FARE_ERR_FAILED, "no particle has a positive weight at time %g", ensemble->time);
  while (ensemble->count >> bits) bits++;
  of->units = ldexp(1, PetscMin(62 - bits, 52));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_binning_ensemble(const fare_binning *binning, const fare_ensemble *ensemble, fare_binned *binned)
{
  const size_t outside = binning->bins, below = outside + 1, squares = outside + 2;
  weight_scale scale;
  int64_t     *sums, total = 0;

  PetscFunctionBeginUser;
  if (ensemble->dim != binning->grid.dim) FARE_FAIL(FARE_ERR_FAILED, "an ensemble of dimension %d does not fit a grid of dimension %d", ensemble->dim, binning->grid.dim);
  PetscCall(find_units(ensemble, &scale));
  PetscCall(PetscCalloc1(squares + 1, &sums));
  for (int64_t i = 0; i < ensemble->local; i++) {
    const double  w   = ensemble->weight ? ensemble->weight[i] / scale.largest : 1;
    const int64_t add = llrint(w * scale.units);
    const size_t  bin = bin_of_particle(binning, (const double *const *)ensemble->x, i);

    sums[bin] += add;
    sums[squares] += llrint(w * w * scale.units);
    if (bin == outside && ensemble->dim == 1 && ensemble->x[0][i] < binning->grid.lower[0]) sums[below] += add;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sums, (PetscMPIInt)(squares + 1), MPI_INT64_T, MPI_SUM, ensemble->comm));
  for (size_t i = 0; i <= outside; i++) total += sums[i];
  *binned = (fare_binned){.bins = binning->bins, .below = (double)sums[below] / (double)total, .samples = ensemble->count};
  binned->effective = ((double)total / scale.units) * ((double)total / (double)sums[squares]);
  PetscCall(PetscMalloc1(binning->bins + 1, &binned->mass));
  for (size_t i = 0; i <= outside; i++) binned->mass[i] = (double)sums[i] / (double)total;
  PetscCall(PetscFree(sums));
  PetscFunctionReturn(0);
}
