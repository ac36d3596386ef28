/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The tilted generator W of an observable that is summed along paths, and its largest eigenvalue. W - sigma
  has a positive inverse for sigma above it, so that Noda's iteration, sigma = max (W x)_i/x_i, x = (sigma -
  W)^-1 x, keeps x positive and bounds the eigenvalue from both sides at every round. Here x is the right
  vector of the backward form, which has no decades of a density in it; the left one is needed for the slope
  alone.
*/
#include "analysis/analysis.h"

#include <petscdmda.h>

#include <math.h>
#include <stdlib.h>

#define ROUNDS 200
#define SHARP  1e-15 /* of the fastest rate: bounds that are as near as rounding lets them be */
#define CLOSE  1e-9  /* the same: the most that is put up with where they come no nearer */
#define STEEP  600.0 /* of exponents of first guesses */

/* Drift and diffusion along an axis at a place. */
static void look(const fare_system *system, double t, const double x[], int axis, double *f, double *D)
{
  double        fs[FARE_DIM_MAX], Ds[FARE_DIM_MAX];
  const double *at[FARE_DIM_MAX]   = {&x[0], &x[1], &x[2]};
  double *const to_f[FARE_DIM_MAX] = {&fs[0], &fs[1], &fs[2]}, *const to_D[] = {&Ds[0], &Ds[1], &Ds[2]};

  fare_system_drift(system, t, 1, at, to_f);
  fare_system_diffusion(system, t, 1, at, to_D);
  *f = fs[axis];
  *D = Ds[axis];
}

/* f^2/4D + df/2 along an axis. */
static double activity(const fare_system *system, double t, const double x[], int axis, double h)
{
  double y[FARE_DIM_MAX] = {x[0], x[1], x[2]}, f, D, ends[2], unused;

  look(system, t, x, axis, &f, &D);
  for (int side = 0; side < 2; side++) {
    y[axis] = x[axis] + (side ? 0.5 : -0.5) * h;
    look(system, t, y, axis, &ends[side], &unused);
  }
  return f * f / (4 * D) + 0.5 * (ends[1] - ends[0]) / h;
}

/* What an observable grows by per time in an owned cell. */
static double rate_in(
  const fare_observable *a, const fare_grid *grid, const fare_system *system, double t, PetscInt n)
{
  PetscInt index[FARE_DIM_MAX];
  double   x[FARE_DIM_MAX] = {0}, sum = 0;

  fare_cell_index(grid, n, index);
  fare_cell_centre(grid, n, x);
  switch (a->kind) {
  case FARE_OF_OCCUPATION:
    return fare_region_share(a->region, grid, index);
  case FARE_OF_MOMENT:
    return pow(x[a->axis], (double)a->power);
  case FARE_OF_ACTIVITY:
    for (int axis = 0; axis < grid->dim; axis++) sum += activity(system, t, x, axis, grid->spacing[axis]);
    return sum;
  default:
    return 0;
  }
}

static PetscBool is_entropy(const fare_observable *a)
{
  return a->kind == FARE_OF_ENTROPY || a->kind == FARE_OF_HEAT || a->kind == FARE_OF_WORK ? PETSC_TRUE
                                                                                          : PETSC_FALSE;
}

/* Per entropy. */
static double unit_of(const fare_observable *a, const fare_system *system, double t)
{
  return a->kind == FARE_OF_ENTROPY ? 1 : fare_system_kT(system, t);
}

static PetscErrorCode move(fare_absorbing *k)
{
  fare_tilting          *p     = k->tilting;
  const fare_observable *a     = &p->observable;
  const int              faces = 2 * k->grid->dim;
  const double           unit  = is_entropy(a) ? unit_of(a, p->system, k->time) : 0;

  PetscFunctionBegin;
  for (PetscInt n = 0; n < k->owned; n++) {
    p->rate[n] = rate_in(a, k->grid, p->system, k->time, n);
    for (int face = 0; face < faces; face++) {
      const PetscInt at = n * faces + face;

      p->step[at] = 0;
      if (k->column[at] >= 0 && a->kind == FARE_OF_DISPLACEMENT && face / 2 == a->axis)
        p->step[at] = (face % 2 ? 1 : -1) * k->grid->spacing[a->axis];
      if (k->column[at] >= 0 && is_entropy(a)) p->step[at] = unit * log(k->leaving[at] / k->entering[at]);
      p->factor[at] = exp(p->s * p->step[at]);
      if (!isfinite(p->factor[at]) || !isfinite(p->step[at]))
        FARE_FAIL(FARE_ERR_FAILED,
          "tilted: a tilt of %g is too much for a single move between cells, which counts %g", p->s,
          p->step[at]);
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_tilt(
  fare_absorbing *k, const fare_system *system, const fare_observable *observable, double s)
{
  const size_t  faces = (size_t)(2 * k->grid->dim * k->owned);
  fare_tilting *p;

  PetscFunctionBegin;
  if (!k->tilting) {
    PetscCall(PetscNew(&k->tilting));
    p       = k->tilting;
    p->move = move;
    PetscCall(PetscMalloc3(faces, &p->step, faces, &p->factor, k->owned, &p->rate));
  }
  p             = k->tilting;
  p->system     = system;
  p->observable = *observable;
  p->s          = s;
  p->offset     = 0;
  PetscCall(move(k));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_absorbing_slope(const fare_absorbing *k, Vec x, Vec y)
{
  const int           faces = 2 * k->grid->dim;
  const fare_tilting *p     = k->tilting;
  const PetscScalar  *value;
  PetscScalar        *to;
  fare_ghosts         ghosts;
  Vec                 local;

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(k->grid, &ghosts));
  PetscCall(fare_ghosts_get(k->grid, x, &local, &value));
  PetscCall(VecGetArray(y, &to));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(k->grid, n, index);
    here  = fare_ghosts_at(&ghosts, index);
    to[n] = p->rate[n] * value[here];
    for (int face = 0; face < faces; face++) {
      const PetscInt at = n * faces + face;

      if (k->column[at] < 0) continue;
      to[n] += k->leaving[at] * p->step[at] * p->factor[at] * value[fare_ghosts_over(&ghosts, here, face)];
    }
  }
  PetscCall(VecRestoreArray(y, &to));
  PetscCall(fare_ghosts_restore(k->grid, &local, &value));
  PetscFunctionReturn(0);
}

/* What a potential makes of the right vector where entropy is counted; 1 elsewhere. */
static PetscErrorCode first_guess(const fare_absorbing *k, Vec x)
{
  const fare_tilting *p     = k->tilting;
  const double        scale = is_entropy(&p->observable) && fare_system_has_potential(p->system)
           ? p->s * unit_of(&p->observable, p->system, k->time) / fare_system_kT(p->system, k->time)
           : 0;
  PetscScalar        *to;
  PetscReal           most;

  PetscFunctionBegin;
  PetscCall(VecSet(x, 0));
  PetscCall(VecGetArray(x, &to));
  for (PetscInt n = 0; n < k->owned && scale != 0; n++) {
    double        centre[FARE_DIM_MAX] = {0}, V;
    const double *at[FARE_DIM_MAX]     = {&centre[0], &centre[1], &centre[2]};

    fare_cell_centre(k->grid, n, centre);
    fare_system_potential(p->system, k->time, 1, at, &V);
    to[n] = scale * V;
  }
  PetscCall(VecRestoreArray(x, &to));
  PetscCall(VecMax(x, NULL, &most));
  PetscCall(VecGetArray(x, &to));
  for (PetscInt n = 0; n < k->owned; n++) to[n] = exp(PetscMax(-STEEP, to[n] - most));
  PetscCall(VecRestoreArray(x, &to));
  PetscFunctionReturn(0);
}

typedef struct {
  fare_absorbing *faces;
  Mat             A;
  KSP             ksp;
  double          fastest, bound[2];
  PetscInt        solves;
  Vec             x, z;
} problem;

/* z = W x, and the bounds. */
static PetscErrorCode find_bounds(problem *p)
{
  double             scale, bound[2] = {HUGE_VAL, HUGE_VAL};
  const PetscScalar *x, *z;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_residual(p->faces, 0, p->x, p->z, &scale));
  PetscCall(VecGetArrayRead(p->x, &x));
  PetscCall(VecGetArrayRead(p->z, &z));
  for (PetscInt n = 0; n < p->faces->owned; n++) {
    bound[0] = PetscMin(bound[0], z[n] / x[n]);
    bound[1] = PetscMin(bound[1], -z[n] / x[n]);
  }
  PetscCall(VecRestoreArrayRead(p->x, &x));
  PetscCall(VecRestoreArrayRead(p->z, &z));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bound, 2, MPI_DOUBLE, MPI_MIN, p->faces->grid->comm));
  p->bound[0] = bound[0];
  p->bound[1] = -bound[1];
  PetscFunctionReturn(0);
}

/* v = A^-1 v, largest value 1. */
static PetscErrorCode solve(problem *p, KSP ksp, Vec v)
{
  PetscReal least, most;

  PetscFunctionBegin;
  PetscCall(KSPSolve(ksp, v, p->z));
  p->solves++;
  PetscCall(VecMin(p->z, NULL, &least));
  PetscCall(VecMax(p->z, NULL, &most));
  if (-least > most) PetscCall(VecScale(p->z, -1)); /* as rounding may have it next to the eigenvalue */
  PetscCall(VecScale(p->z, 1 / PetscMax(most, -least)));
  PetscCall(VecCopy(p->z, v));
  PetscFunctionReturn(0);
}

static PetscErrorCode factor(problem *p)
{
  PetscFunctionBegin;
  PetscCall(fare_absorbing_fill(p->faces, p->bound[1] + SHARP * p->fastest, 1, p->A));
  PetscCall(KSPSetOperators(p->ksp, p->A, p->A));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_right(problem *p)
{
  double    before = HUGE_VAL;
  PetscReal least;
  Vec       kept;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p->x, &kept));
  PetscCall(find_bounds(p));
  for (int round = 0; round < ROUNDS; round++) {
    const double width = p->bound[1] - p->bound[0], bound[] = {p->bound[0], p->bound[1]};

    if (width <= SHARP * p->fastest || !isfinite(width)) break;
    if (width < CLOSE * p->fastest && width > 0.5 * before) break;
    before = width;
    PetscCall(VecCopy(p->x, kept));
    PetscCall(factor(p));
    PetscCall(solve(p, p->ksp, p->x));
    PetscCall(VecMin(p->x, NULL, &least));
    if (least > 0) PetscCall(find_bounds(p));
    if (least > 0 && p->bound[1] - p->bound[0] < width) continue;
    p->bound[0] = bound[0];
    p->bound[1] = bound[1];
    PetscCall(VecCopy(kept, p->x));
    break;
  }
  PetscCall(VecDestroy(&kept));
  if (!(p->bound[1] - p->bound[0] <= CLOSE * p->fastest))
    FARE_FAIL(FARE_ERR_FAILED,
      "tilted: at the tilt %g psi is only known to lie within [%g, %g]: take fewer cells, or smaller tilts",
      p->faces->tilting->s, p->bound[0], p->bound[1]);
  PetscFunctionReturn(0);
}

/* From any positive vector; the eigenvalue is next to the shift. */
static PetscErrorCode find_left(problem *p, Vec left)
{
  Mat transposed;
  KSP ksp;

  PetscFunctionBegin;
  PetscCall(factor(p));
  PetscCall(MatTranspose(p->A, MAT_INITIAL_MATRIX, &transposed));
  PetscCall(fare_linear_solver_create(p->faces->grid, transposed, transposed, &ksp));
  PetscCall(VecSet(left, 1));
  for (int round = 0; round < 3; round++) PetscCall(solve(p, ksp, left));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&transposed));
  PetscFunctionReturn(0);
}

static PetscErrorCode find(problem *p, fare_tilted *tilted)
{
  PetscScalar size, product;
  double      scale;
  Vec         left;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p->x, &left));
  PetscCall(find_right(p));
  PetscCall(find_left(p, left));
  PetscCall(VecDot(left, p->x, &size));
  PetscCall(fare_absorbing_residual(p->faces, 0, p->x, p->z, &scale));
  PetscCall(VecDot(left, p->z, &product));
  tilted->psi = product / size;
  PetscCall(fare_absorbing_slope(p->faces, p->x, p->z));
  PetscCall(VecDot(left, p->z, &product));
  tilted->slope      = product / size;
  tilted->width      = p->bound[1] - p->bound[0];
  tilted->rounding   = PETSC_MACHINE_EPSILON * p->fastest;
  tilted->iterations = p->solves;
  PetscCall(VecDestroy(&left));
  if (!isfinite(tilted->psi) || !isfinite(tilted->slope))
    FARE_FAIL(FARE_ERR_FAILED, "tilted: psi is not a number at the tilt %g", p->faces->tilting->s);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_tilted_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_observable *observable, double s, fare_tilted *tilted)
{
  problem   p = {.solves = 0};
  PetscReal fastest;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_create(grid, system, t, 0, NULL, &p.faces));
  PetscCall(fare_absorbing_tilt(p.faces, system, observable, s));
  PetscCall(fare_absorbing_matrix(p.faces, &p.A));
  PetscCall(fare_linear_solver_create(grid, p.A, p.A, &p.ksp));
  PetscCall(DMCreateGlobalVector(grid->dm, &p.x));
  PetscCall(VecDuplicate(p.x, &p.z));
  PetscCall(MatGetDiagonal(p.A, p.z));
  PetscCall(VecNorm(p.z, NORM_INFINITY, &fastest));
  p.fastest = fastest;
  PetscCall(first_guess(p.faces, p.x));
  PetscCall(find(&p, tilted));
  tilted->right = p.x;
  PetscCall(VecDestroy(&p.z));
  PetscCall(KSPDestroy(&p.ksp));
  PetscCall(MatDestroy(&p.A));
  PetscCall(fare_absorbing_destroy(&p.faces));
  PetscFunctionReturn(0);
}
