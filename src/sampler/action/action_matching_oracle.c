/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The field of action matching from exact densities: the monotone map in one dimension, a flux found on the
  grid in more.
*/
#include "action_matching.h"

#include <math.h>
#include <petscksp.h>

/* least density of the elliptic problem, over the largest: where there is less, next to nothing flows */
#define FLOOR    1e-12
#define FACTORED 50000 /* cells in three dimensions that are factored; beyond, multigrid */

struct fare_action_oracle {
  const fare_densities *exact;
  double                scale[FARE_DIM_MAX], interval;
  PetscInt64            from, to;
  PetscInt              cells;
  double               *cumulative[2];      /* one dimension: at the lower end of each cell, and 1 */
  double               *flux[FARE_DIM_MAX]; /* through the face above each cell, per area */
  Mat                   A;
  Vec                   phi, change;
  KSP                   ksp;
};

static int is_periodic(const fare_action_oracle *o, int axis)
{
  return o->exact->grid->boundary[axis] == FARE_BOUNDARY_PERIODIC;
}

static PetscInt stride_of(const fare_action_oracle *o, int axis)
{
  PetscInt stride = 1;

  for (int k = 0; k < axis; k++) stride *= o->exact->grid->cells[k];
  return stride;
}

/* The cell above along an axis, -1 where the box ends. */
static PetscInt above(const fare_action_oracle *o, PetscInt cell, int axis)
{
  const PetscInt n = o->exact->grid->cells[axis], stride = stride_of(o, axis), i = cell / stride % n;

  if (i + 1 < n) return cell + stride;
  return is_periodic(o, axis) && n > 2 ? cell - i * stride : -1;
}

static PetscErrorCode create_solver(fare_action_oracle *o)
{
  const int dim = o->exact->grid->dim;
  PC        pc;

  PetscFunctionBegin;
  PetscCall(MatCreateSeqAIJ(PETSC_COMM_SELF, o->cells, o->cells, 1 + 2 * dim, NULL, &o->A));
  PetscCall(MatCreateVecs(o->A, &o->phi, &o->change));
  PetscCall(KSPCreate(PETSC_COMM_SELF, &o->ksp));
  PetscCall(KSPSetType(o->ksp, KSPCG));
  PetscCall(KSPSetTolerances(o->ksp, 1e-10, 1e-300, PETSC_DEFAULT, 1000));
  PetscCall(KSPSetOptionsPrefix(o->ksp, "action_"));
  PetscCall(KSPGetPC(o->ksp, &pc));
  if (dim < 3 || o->cells <= FACTORED) {
    PetscCall(PCSetType(pc, PCCHOLESKY));
#if defined(PETSC_HAVE_MUMPS)
    PetscCall(PCFactorSetMatSolverType(pc, MATSOLVERMUMPS));
#endif
  } else {
#if defined(PETSC_HAVE_HYPRE)
    PetscCall(PCSetType(pc, PCHYPRE));
    PetscCall(PCHYPRESetType(pc, "boomeramg"));
#else
    PetscCall(PCSetType(pc, PCICC));
#endif
  }
  PetscCall(KSPSetFromOptions(o->ksp));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_action_oracle_create(
  const fare_densities *exact, const double scale[], fare_action_oracle **oracle)
{
  fare_action_oracle *o;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  *oracle  = o;
  o->exact = exact;
  o->from = o->to = -1;
  o->cells        = stride_of(o, exact->grid->dim);
  PetscCall(PetscArraycpy(o->scale, scale, exact->grid->dim));
  if (exact->grid->dim == 1) {
    for (int k = 0; k < 2; k++) PetscCall(PetscMalloc1((size_t)o->cells + 1, &o->cumulative[k]));
  } else {
    for (int axis = 0; axis < exact->grid->dim; axis++)
      PetscCall(PetscMalloc1((size_t)o->cells, &o->flux[axis]));
    PetscCall(create_solver(o));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_action_oracle_destroy(fare_action_oracle **oracle)
{
  fare_action_oracle *o = *oracle;

  PetscFunctionBegin;
  if (!o) PetscFunctionReturn(0);
  for (int k = 0; k < 2; k++) PetscCall(PetscFree(o->cumulative[k]));
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) PetscCall(PetscFree(o->flux[axis]));
  PetscCall(KSPDestroy(&o->ksp));
  PetscCall(MatDestroy(&o->A));
  PetscCall(VecDestroy(&o->phi));
  PetscCall(VecDestroy(&o->change));
  PetscCall(PetscFree(*oracle));
  PetscFunctionReturn(0);
}

static void accumulate(const fare_action_oracle *o, PetscInt64 time, double cumulative[])
{
  cumulative[0] = 0;
  for (PetscInt i = 0; i < o->cells; i++) cumulative[i + 1] = cumulative[i] + o->exact->masses[time][i];
  for (PetscInt i = 0; i <= o->cells; i++) cumulative[i] /= cumulative[o->cells];
}

/* What multiplies the difference of phi over the face between two cells in the flux through it. */
static double conductance(const fare_action_oracle *o, int axis, PetscInt i, PetscInt j, double least)
{
  const double *p = o->exact->masses[o->from], *q = o->exact->masses[o->to];
  const double  h = o->exact->grid->spacing[axis], volume = fare_grid_volume(o->exact->grid);

  return PetscMax(0.25 * (p[i] + p[j] + q[i] + q[j]), least) / volume * o->scale[axis] * o->scale[axis] / h;
}

/*
  div J = -dp/dt cell by cell; one cell, where there is most, is tied to zero, since phi is known up to a
  constant.
*/
static PetscErrorCode assemble(fare_action_oracle *o, double least, PetscInt most)
{
  const fare_grid *grid   = o->exact->grid;
  const double     volume = fare_grid_volume(grid);
  PetscScalar     *change;

  PetscFunctionBegin;
  PetscCall(MatZeroEntries(o->A));
  PetscCall(VecGetArray(o->change, &change));
  for (PetscInt i = 0; i < o->cells; i++)
    change[i] = (o->exact->masses[o->to][i] - o->exact->masses[o->from][i]) / volume / o->interval;
  PetscCall(VecRestoreArray(o->change, &change));
  for (PetscInt i = 0; i < o->cells; i++) {
    for (int axis = 0; axis < grid->dim; axis++) {
      const PetscInt j = above(o, i, axis), both[2] = {i, j};
      double         c;

      if (j < 0) continue;
      c = conductance(o, axis, i, j, least) / grid->spacing[axis];
      PetscCall(MatSetValues(o->A, 2, both, 2, both, (PetscScalar[4]){c, -c, -c, c}, ADD_VALUES));
      if (i == most) PetscCall(MatSetValue(o->A, i, i, c, ADD_VALUES));
    }
  }
  PetscCall(MatAssemblyBegin(o->A, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(o->A, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(fare_action_oracle *o)
{
  PetscInt           most = 0;
  double             least;
  KSPConvergedReason reason;
  const PetscScalar *phi;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < o->cells; i++)
    most = o->exact->masses[o->from][i] > o->exact->masses[o->from][most] ? i : most;
  if (above(o, most, 0) < 0) most--;
  least = FLOOR * o->exact->masses[o->from][most];
  PetscCall(assemble(o, least, most));
  PetscCall(KSPSetOperators(o->ksp, o->A, o->A));
  PetscCall(KSPSolve(o->ksp, o->change, o->phi));
  PetscCall(KSPGetConvergedReason(o->ksp, &reason));
  if (reason < 0)
    FARE_FAIL(FARE_ERR_FAILED, "the oracle of action matching found no flux between t = %g and %g (%s)",
      o->exact->times[o->from], o->exact->times[o->to], KSPConvergedReasons[reason]);
  PetscCall(VecGetArrayRead(o->phi, &phi));
  for (int axis = 0; axis < o->exact->grid->dim; axis++) {
    for (PetscInt i = 0; i < o->cells; i++) {
      const PetscInt j = above(o, i, axis);

      o->flux[axis][i] = j < 0 ? 0 : conductance(o, axis, i, j, least) * (phi[j] - phi[i]);
    }
  }
  PetscCall(VecRestoreArrayRead(o->phi, &phi));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_action_oracle_between(fare_action_oracle *o, double from, double to)
{
  PetscFunctionBegin;
  o->from = fare_densities_find(o->exact, from);
  o->to   = fare_densities_find(o->exact, to);
  if (o->from < 0 || o->to < 0)
    FARE_FAIL(FARE_ERR_FAILED,
      "the oracle of action matching is defined only at times of the schedule, not %g",
      o->from < 0 ? from : to);
  o->interval = to - from;
  if (o->exact->grid->dim > 1)
    PetscCall(solve(o));
  else {
    accumulate(o, o->from, o->cumulative[0]);
    accumulate(o, o->to, o->cumulative[1]);
  }
  PetscFunctionReturn(0);
}

/* The monotone map F_to^-1(F_from(x)), both distributions linear within cells. */
static double mapped(const fare_action_oracle *o, double x)
{
  const fare_grid *grid = o->exact->grid;
  const double     place =
    PetscMin(PetscMax((x - grid->lower[0]) / grid->spacing[0], 0), (double)o->cells * (1 - 1e-15));
  const PetscInt cell = (PetscInt)place;
  const double  *from = o->cumulative[0], *to = o->cumulative[1];
  const double   u   = from[cell] + (place - (double)cell) * (from[cell + 1] - from[cell]);
  PetscInt       low = 0, high = o->cells; /* to[low] <= u <= to[high] */

  while (high - low > 1) {
    const PetscInt middle = (low + high) / 2;

    if (to[middle] <= u)
      low = middle;
    else
      high = middle;
  }
  return grid->lower[0] +
    grid->spacing[0] *
    ((double)low + (to[high] > to[low] ? PetscMin(1, (u - to[low]) / (to[high] - to[low])) : 0.5));
}

/*
  Two neighbours along an axis and the weight of the upper one, for values at `offset` spacings from the box's
  lower end; -1 where there is no value but zero.
*/
typedef struct {
  PetscInt at[2];
  double   upper;
} pair;

static pair pair_at(const fare_action_oracle *o, int axis, double x, double offset, int zero_below)
{
  const fare_grid *grid  = o->exact->grid;
  const PetscInt   n     = grid->cells[axis];
  const double     place = (x - grid->lower[axis]) / grid->spacing[axis] - offset, low = floor(place);
  pair             p = {{(PetscInt)low, (PetscInt)low + 1}, place - low};

  for (int k = 0; k < 2; k++) {
    if (is_periodic(o, axis))
      p.at[k] = (p.at[k] % n + n) % n;
    else if (p.at[k] < 0)
      p.at[k] = zero_below ? -1 : 0;
    else if (p.at[k] > n - 1)
      p.at[k] = n - 1; /* through the last face nothing flows */
  }
  return p;
}

/* Linear in each coordinate. */
static double interpolated(const fare_action_oracle *o, const pair p[], const double values[])
{
  const int dim = o->exact->grid->dim;
  double    sum = 0;

  for (int corner = 0; corner < 1 << dim; corner++) {
    PetscInt cell = 0;
    double   part = 1;

    for (int axis = 0; axis < dim && cell >= 0; axis++) {
      const int      upper = corner >> axis & 1;
      const PetscInt at    = p[axis].at[upper];

      part *= upper ? p[axis].upper : 1 - p[axis].upper;
      cell = at < 0 ? -1 : cell + at * stride_of(o, axis);
    }
    if (cell >= 0) sum += part * values[cell];
  }
  return sum;
}

/* J/p at a share of the interval; no faster than through the box within it. */
static void velocity(const fare_action_oracle *o, double share, const double x[], double v[])
{
  const fare_grid *grid = o->exact->grid;
  pair             centred[FARE_DIM_MAX];
  double           density;

  for (int axis = 0; axis < grid->dim; axis++) centred[axis] = pair_at(o, axis, x[axis], 0.5, 0);
  density = ((1 - share) * interpolated(o, centred, o->exact->masses[o->from]) +
              share * interpolated(o, centred, o->exact->masses[o->to])) /
    fare_grid_volume(grid);
  for (int axis = 0; axis < grid->dim; axis++) {
    const double fastest = (grid->upper[axis] - grid->lower[axis]) / o->interval;
    const pair   middle  = centred[axis];
    double       J;

    centred[axis] = pair_at(o, axis, x[axis], 1, 1);
    J             = interpolated(o, centred, o->flux[axis]);
    centred[axis] = middle;
    v[axis]       = density > 0 ? PetscMin(PetscMax(J / density, -fastest), fastest) : 0;
  }
}

static void carry_one(const fare_action_oracle *o, int64_t steps, double x[])
{
  const fare_grid *grid = o->exact->grid;
  const double     h    = o->interval / (double)steps;

  for (int64_t step = 0; step < steps; step++) {
    const double share = (double)step / (double)steps, whole = 1 / (double)steps;
    double       k[4][FARE_DIM_MAX], y[FARE_DIM_MAX];

    velocity(o, share, x, k[0]);
    for (int stage = 1; stage < 4; stage++) {
      const double part = stage == 3 ? 1 : 0.5;

      for (int axis = 0; axis < grid->dim; axis++) y[axis] = x[axis] + part * h * k[stage - 1][axis];
      velocity(o, share + part * whole, y, k[stage]);
    }
    for (int axis = 0; axis < grid->dim; axis++) {
      x[axis] += h / 6 * (k[0][axis] + 2 * k[1][axis] + 2 * k[2][axis] + k[3][axis]);
      if (!is_periodic(o, axis))
        x[axis] = PetscMin(PetscMax(x[axis], grid->lower[axis]), grid->upper[axis]);
      else
        x[axis] -= (grid->upper[axis] - grid->lower[axis]) *
          floor((x[axis] - grid->lower[axis]) / (grid->upper[axis] - grid->lower[axis]));
    }
  }
}

void fare_action_oracle_carry(const fare_action_oracle *o, int64_t steps, int n, double *const x[])
{
  const int dim = o->exact->grid->dim;

  for (int i = 0; i < n; i++) {
    double at[FARE_DIM_MAX];

    if (dim == 1) {
      x[0][i] = mapped(o, x[0][i]);
      continue;
    }
    for (int axis = 0; axis < dim; axis++) at[axis] = x[axis][i];
    carry_one(o, steps, at);
    for (int axis = 0; axis < dim; axis++) x[axis][i] = at[axis];
  }
}
