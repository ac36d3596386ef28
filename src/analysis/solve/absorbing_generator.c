/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The generator with target states removed, for the backward equation. Where an edge from a cell outside
  crosses into a target, the target begins at the crossing and not at the neighbour's centre: with U linear
  along the edge its resistance is that of the whole edge times

    w = (e^{z s} - 1)/(e^z - 1),  z = ln(r(j->i)/r(i->j)),

  s being the part of the edge outside. That makes the boundary exact to second order wherever it lies.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>

static double resistance(double leaving, double entering, double s)
{
  const double steep = 500, z = entering > 0 ? log(entering / leaving) : -HUGE_VAL;

  if (z > steep) return exp(z * (s - 1));
  return fabs(z) < 1e-8 ? s : expm1(z * s) / expm1(z);
}

static int target_of(int targets, const fare_region *const target[], const double x[])
{
  for (int i = 0; i < targets; i++) {
    if (fare_region_has(target[i], x)) return i;
  }
  return -1;
}

static void centre(const fare_grid *grid, const PetscInt index[], double x[])
{
  for (int axis = 0; axis < grid->dim; axis++) x[axis] = fare_grid_centre(grid, axis, index[axis]);
}

/*
  Which cells are in a target, and how much of an edge that crosses into one is outside: NaN where none does.
*/
static PetscErrorCode look_at_faces(fare_absorbing *k, int targets, const fare_region *const target[])
{
  const int              faces = 2 * k->grid->dim;
  ISLocalToGlobalMapping mapping;
  const PetscInt        *global;
  fare_ghosts            ghosts;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(DMGetLocalToGlobalMapping(k->grid->dm, &mapping));
  PetscCall(ISLocalToGlobalMappingGetIndices(mapping, &global));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], there[FARE_DIM_MAX];
    double   x[FARE_DIM_MAX], y[FARE_DIM_MAX];

    fare_cell_index(k->grid, n, index);
    centre(k->grid, index, x);
    k->in[n] = (signed char)target_of(targets, target, x);
    for (int face = 0; face < faces; face++) {
      const PetscInt at = n * faces + face;

      k->part[at]   = NAN;
      k->column[at] = k->beyond[at] = -1;
      if (!fare_cell_over(k->grid, index, face, there)) continue;
      k->column[at] = global[fare_ghosts_over(&ghosts, fare_ghosts_at(&ghosts, index), face)];
      centre(k->grid, there, y);
      k->beyond[at] = (signed char)target_of(targets, target, y);
      if (k->in[n] < 0 && k->beyond[at] >= 0)
        k->part[at] = fare_region_crossing(target[k->beyond[at]], k->grid, x, face / 2, face % 2);
    }
  }
  PetscCall(ISLocalToGlobalMappingRestoreIndices(mapping, &global));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_targets(const fare_absorbing *k, int targets, const fare_region *const target[])
{
  PetscInt64 count[3] = {0}; /* in each target, and outside of all */

  PetscFunctionBegin;
  for (PetscInt n = 0; n < k->owned; n++) count[k->in[n] < 0 ? 2 : k->in[n]]++;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, count, 3, MPI_INT64_T, MPI_SUM, k->grid->comm));
  for (int i = 0; i < targets; i++) {
    /* what is left may be the whole box, and through its ends */
    if (count[i] || !(target[i]->boxes || target[i]->outside) ||
      (fare_region_is_beyond(target[i], k->grid->lower, k->grid->upper) && fare_grid_absorbs(k->grid)))
      continue;
    FARE_FAIL(FARE_ERR_INPUT, "analysis: a set contains no cell centre of the grid");
  }
  if (!count[2]) FARE_FAIL(FARE_ERR_INPUT, "analysis: the sets contain all cells of the grid");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_create(const fare_grid *grid, const fare_system *system, double t, int targets,
  const fare_region *const target[], fare_absorbing **absorbing)
{
  fare_absorbing *k;
  size_t          faces;

  PetscFunctionBegin;
  PetscCall(PetscNew(&k));
  *absorbing = k;
  k->grid    = grid;
  k->owned   = fare_grid_owned(grid);
  faces      = (size_t)(2 * grid->dim * k->owned);
  PetscCall(PetscMalloc4(faces, &k->leaving, faces, &k->entering, faces, &k->cut, faces, &k->part));
  PetscCall(PetscMalloc3(faces, &k->column, k->owned, &k->in, faces, &k->beyond));
  PetscCall(look_at_faces(k, targets, target));
  PetscCall(check_targets(k, targets, target));
  PetscCall(fare_operator_create(grid, system, &k->op));
  PetscCall(fare_absorbing_move(k, t));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_move(fare_absorbing *k, double t)
{
  const PetscInt faces = 2 * k->grid->dim * k->owned;

  PetscFunctionBegin;
  PetscCall(fare_elimination_destroy(&k->elimination));
  PetscCall(fare_operator_faces(k->op, t, k->leaving, k->entering));
  for (PetscInt at = 0; at < faces; at++)
    k->cut[at] = !isnan(k->part[at]) && k->leaving[at] > 0
      ? resistance(k->leaving[at], k->entering[at], k->part[at])
      : 1;
  k->time = t;
  if (k->tilting) PetscCall(k->tilting->move(k));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_destroy(fare_absorbing **absorbing)
{
  fare_absorbing *k = *absorbing;

  PetscFunctionBegin;
  if (!k) PetscFunctionReturn(0);
  PetscCall(fare_elimination_destroy(&k->elimination));
  PetscCall(fare_operator_destroy(&k->op));
  if (k->tilting) PetscCall(PetscFree3(k->tilting->step, k->tilting->factor, k->tilting->rate));
  PetscCall(PetscFree(k->tilting));
  PetscCall(PetscFree4(k->leaving, k->entering, k->cut, k->part));
  PetscCall(PetscFree3(k->column, k->in, k->beyond));
  PetscCall(PetscFree(*absorbing));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_matrix(const fare_absorbing *k, Mat *M)
{
  const int faces = 2 * k->grid->dim;

  PetscFunctionBegin;
  PetscCall(MatCreate(k->grid->comm, M));
  PetscCall(MatSetSizes(*M, k->owned, k->owned, PETSC_DETERMINE, PETSC_DETERMINE));
  PetscCall(MatSetType(*M, MATAIJ));
  PetscCall(MatSeqAIJSetPreallocation(*M, 1 + faces, NULL));
  PetscCall(MatMPIAIJSetPreallocation(*M, 1 + faces, NULL, faces, NULL));
  PetscCall(fare_absorbing_fill(k, 0, 1, *M));
  PetscFunctionReturn(0);
}

/* What is beyond a face counts so many times, and this is gained in a cell per time. */
static double factor_at(const fare_absorbing *k, PetscInt at)
{
  return k->tilting ? k->tilting->factor[at] : 1;
}

static double gain_at(const fare_absorbing *k, PetscInt n)
{
  return k->tilting ? k->tilting->s * k->tilting->rate[n] - k->tilting->offset : 0;
}

PetscErrorCode fare_absorbing_fill(const fare_absorbing *k, double shift, double scale, Mat M)
{
  const int faces = 2 * k->grid->dim;
  PetscInt  first;

  PetscFunctionBegin;
  PetscCall(MatGetOwnershipRange(M, &first, NULL));
  PetscCall(MatZeroEntries(M));
  for (PetscInt n = 0; n < k->owned; n++) {
    const PetscInt row = first + n;
    double         sum = 0;

    for (PetscInt at = n * faces; at < (n + 1) * faces && k->in[n] < 0; at++) {
      sum += k->leaving[at] / k->cut[at];
      if (k->column[at] >= 0 && k->beyond[at] < 0)
        PetscCall(MatSetValue(M, row, k->column[at], -scale * k->leaving[at] * factor_at(k, at), ADD_VALUES));
    }
    PetscCall(MatSetValue(M, row, row, k->in[n] < 0 ? shift + scale * (sum - gain_at(k, n)) : 1, ADD_VALUES));
  }
  PetscCall(MatAssemblyBegin(M, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(M, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_residual(const fare_absorbing *k, double b, Vec x, Vec r, double *scale)
{
  const int          faces = 2 * k->grid->dim;
  const PetscScalar *value;
  PetscScalar       *to;
  fare_ghosts        ghosts;
  Vec                local;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(fare_ghosts_get(k->grid, x, &local, &value));
  PetscCall(VecGetArray(r, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    to[n] = 0;
    if (k->in[n] >= 0) continue;
    fare_cell_index(k->grid, n, index);
    here  = fare_ghosts_at(&ghosts, index);
    to[n] = b + gain_at(k, n) * value[here];
    *scale += fabs(to[n]);
    for (int face = 0; face < faces; face++) {
      const PetscInt at    = n * faces + face;
      const double   there = k->column[at] < 0 ? 0 : value[fare_ghosts_over(&ghosts, here, face)];
      const double   flow =
        k->leaving[at] > 0 ? k->leaving[at] / k->cut[at] * (value[here] - factor_at(k, at) * there) : 0;

      to[n] -= flow;
      *scale += fabs(flow);
    }
  }
  PetscCall(VecRestoreArray(r, &to));
  PetscCall(fare_ghosts_restore(k->grid, &local, &value));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, scale, 1, MPI_DOUBLE, MPI_SUM, k->grid->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_hold(const fare_absorbing *k, const double value[], Vec x)
{
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(VecGetArray(x, &to));
  for (PetscInt n = 0; n < k->owned; n++) to[n] = k->in[n] < 0 ? to[n] : value[k->in[n]];
  PetscCall(VecRestoreArray(x, &to));
  PetscFunctionReturn(0);
}

typedef struct {
  const fare_absorbing *absorbing;
  double                b;
  Vec                   source; /* beside b; NULL: none */
} problem;

static PetscErrorCode residual(void *context, Vec x, Vec r, double *scale)
{
  const problem     *p = context;
  const PetscScalar *source;
  PetscScalar       *to;
  PetscReal          sum;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_residual(p->absorbing, p->b, x, r, scale));
  if (!p->source) PetscFunctionReturn(0);
  PetscCall(VecGetArrayRead(p->source, &source));
  PetscCall(VecGetArray(r, &to));
  for (PetscInt n = 0; n < p->absorbing->owned; n++) to[n] += p->absorbing->in[n] < 0 ? source[n] : 0;
  PetscCall(VecRestoreArray(r, &to));
  PetscCall(VecRestoreArrayRead(p->source, &source));
  PetscCall(fare_norm_1(p->source, &sum));
  *scale += sum;
  PetscFunctionReturn(0);
}

/*
  What iterations lose: each rate out of a cell is known to 1e-16 of itself, and that counts as often as a
  path leaves cells before it is over.
*/
static PetscErrorCode check_digits(Mat M, KSP ksp, const char *what)
{
  const double most = 1e-6, one = 1;
  Vec          times, ones, diagonal;
  PetscReal    longest, fastest;

  PetscFunctionBegin;
  PetscCall(MatCreateVecs(M, &diagonal, &times));
  PetscCall(VecDuplicate(times, &ones));
  PetscCall(VecSet(ones, one));
  PetscCall(KSPSolve(ksp, ones, times));
  PetscCall(VecNorm(times, NORM_INFINITY, &longest));
  PetscCall(MatGetDiagonal(M, diagonal));
  PetscCall(VecNorm(diagonal, NORM_INFINITY, &fastest));
  PetscCall(VecDestroy(&times));
  PetscCall(VecDestroy(&ones));
  PetscCall(VecDestroy(&diagonal));
  if (PETSC_MACHINE_EPSILON * longest * fastest <= most) PetscFunctionReturn(0);
  FARE_FAIL(FARE_ERR_FAILED,
    "%s: the barrier is too high for the iterative solver: %.0e passages between neighbours to one over it, "
    "of which %.0e can be resolved; take fewer cells, which are eliminated exactly, or a larger kT",
    what, longest * fastest, most / PETSC_MACHINE_EPSILON);
}

static PetscErrorCode iterate(const fare_absorbing *k, PetscBool transposed, fare_residual_function of,
  void *context, const char *what, Vec x, fare_solved *solved)
{
  Mat M;
  KSP ksp;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_matrix(k, &M));
  if (transposed) PetscCall(MatTranspose(M, MAT_INPLACE_MATRIX, &M));
  PetscCall(fare_linear_solver_create(k->grid, M, M, &ksp));
  PetscCall(fare_linear_solver_refine(ksp, of, context, 0, 1e-7, what, x, solved));
  if (!transposed) PetscCall(check_digits(M, ksp, what));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&M));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_complete(fare_absorbing *k, PetscBool transposed, fare_residual_function of,
  void *context, const char *what, Vec x, fare_solved *solved)
{
  double scale;
  Vec    r;

  PetscFunctionBegin;
  if (!fare_elimination_serves(k->grid)) {
    PetscCall(iterate(k, transposed, of, context, what, x, solved));
    PetscFunctionReturn(0);
  }
  if (!k->elimination) PetscCall(fare_elimination_create(k, 0, PETSC_FALSE, &k->elimination));
  PetscCall(VecDuplicate(x, &r));
  PetscCall(of(context, x, r, &scale));
  PetscCall(fare_elimination_solve(k->elimination, transposed, r));
  PetscCall(VecAXPY(x, 1, r));
  solved->iterations = 1;
  PetscCall(fare_linear_solver_residual(of, context, x, r, &solved->residual));
  PetscCall(VecDestroy(&r));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_solve(
  fare_absorbing *k, double b, const double value[], const char *what, Vec *x, fare_solved *solved)
{
  problem p = {k, b, NULL};

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(k->grid->dm, x));
  PetscCall(VecSet(*x, 0));
  PetscCall(fare_absorbing_hold(k, value, *x));
  PetscCall(fare_absorbing_complete(k, PETSC_FALSE, residual, &p, what, *x, solved));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_solve_source(
  fare_absorbing *k, Vec source, const char *what, Vec *x, fare_solved *solved)
{
  problem p = {k, 0, source};

  PetscFunctionBegin;
  PetscCall(VecDuplicate(source, x));
  PetscCall(VecSet(*x, 0));
  PetscCall(fare_absorbing_complete(k, PETSC_FALSE, residual, &p, what, *x, solved));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_pin(fare_absorbing *k, Vec masses)
{
  const int          faces = 2 * k->grid->dim;
  const PetscScalar *pinned;
  PetscInt           fullest;
  PetscReal          most;
  fare_ghosts        ghosts;
  Vec                mark, local;

  PetscFunctionBegin;
  PetscCall(VecMax(masses, &fullest, &most));
  PetscCall(VecDuplicate(masses, &mark));
  PetscCall(VecSet(mark, 0));
  PetscCall(VecSetValue(mark, fullest, 1, INSERT_VALUES)); /* by all ranks: the same */
  PetscCall(VecAssemblyBegin(mark));
  PetscCall(VecAssemblyEnd(mark));
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(fare_ghosts_get(k->grid, mark, &local, &pinned));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(k->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    if (pinned[here] > 0) k->in[n] = 0;
    for (int face = 0; face < faces; face++) {
      const PetscInt at = n * faces + face;

      if (k->column[at] >= 0 && pinned[fare_ghosts_over(&ghosts, here, face)] > 0) k->beyond[at] = 0;
    }
  }
  PetscCall(fare_ghosts_restore(k->grid, &local, &pinned));
  PetscCall(VecDestroy(&mark));
  PetscFunctionReturn(0);
}

/* By the rates over the faces of one end alone, which are what flows there per mass. */
static PetscErrorCode fill_exit(const fare_absorbing *k, int axis, int side, Vec r)
{
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(VecGetArray(r, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    const PetscInt at = n * 2 * k->grid->dim + 2 * axis + side;

    to[n] = k->in[n] < 0 && k->column[at] < 0 ? k->leaving[at] / k->cut[at] : 0;
  }
  PetscCall(VecRestoreArray(r, &to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_exit(fare_absorbing *k, int axis, int side, Vec *x)
{
  fare_solved solved;
  Vec         source;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(k->grid->dm, &source));
  PetscCall(fill_exit(k, axis, side, source));
  PetscCall(fare_absorbing_solve_source(k, source, "exit probability", x, &solved));
  PetscCall(VecDestroy(&source));
  PetscFunctionReturn(0);
}
