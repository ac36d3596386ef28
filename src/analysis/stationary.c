/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The stationary density: L P = 0. By elimination, which keeps the digits of populations that only rare events
  balance. Where that does not serve: refined from a first guess with (sigma I - L)^-1 as the preconditioner,
  which with a small sigma is inverse iteration, and for sigma = 1/step a step of backward Euler: positive,
  and keeping the sum. No potential is needed.
*/
#include "analysis.h"

#include <petscdmda.h>

#include <math.h>

typedef struct {
  fare_operator *op;
  double         t;
  Vec            through; /* the rate at which each cell is left */
  Vec            flow;
} problem;

/*
  L P of the normalised P, relative to all that flows. What it sums to is round-off, of which the solver would
  make mass.
*/
static PetscErrorCode residual(void *context, Vec P, Vec r, double *scale)
{
  problem    *p = context;
  PetscScalar sum;
  PetscReal   through;

  PetscFunctionBegin;
  PetscCall(VecSum(P, &sum));
  *scale = 0;
  if (!(sum > 0) || !isfinite(sum)) {
    PetscCall(VecSet(r, 1)); /* no density: worse than any */
    PetscFunctionReturn(0);
  }
  PetscCall(VecScale(P, 1 / sum));
  PetscCall(fare_operator_apply(p->op, p->t, P, r));
  PetscCall(VecSum(r, &sum));
  PetscCall(VecAXPY(r, -sum, P));
  PetscCall(VecPointwiseMult(p->flow, p->through, P));
  PetscCall(fare_norm_1(p->flow, &through));
  *scale = through;
  PetscFunctionReturn(0);
}

static PetscErrorCode first_guess(const fare_grid *grid, const fare_system *system, double t, Vec *masses)
{
  const fare_initial uniform = {.density = FARE_INITIAL_UNIFORM};

  PetscFunctionBegin;
  if (fare_system_has_potential(system))
    PetscCall(fare_grid_boltzmann(grid, system, t, masses));
  else
    PetscCall(fare_grid_initial(grid, &uniform, system, t, masses));
  PetscFunctionReturn(0);
}

/* From the first guess in `masses`. */
static PetscErrorCode refine(const fare_grid *grid, problem *p, Vec masses, fare_solved *solved)
{
  const double shift = 1e-10; /* of the largest rate */
  PetscReal    largest;
  Mat          A, shifted;
  KSP          ksp;

  PetscFunctionBegin;
  PetscCall(fare_operator_matrix(p->op, &A));
  PetscCall(fare_operator_matrix(p->op, &shifted));
  PetscCall(fare_operator_assemble(p->op, p->t, 0, A));
  PetscCall(VecMax(p->through, NULL, &largest));
  PetscCall(fare_operator_assemble(p->op, p->t, shift * largest, shifted));
  PetscCall(fare_linear_solver_create(grid, A, shifted, &ksp));
  PetscCall(fare_linear_solver_refine(ksp, residual, p, 1e-15, 1e-9, "stationary density", masses, solved));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&A));
  PetscCall(MatDestroy(&shifted));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_through(problem *p)
{
  Mat A;

  PetscFunctionBegin;
  PetscCall(fare_operator_matrix(p->op, &A));
  PetscCall(fare_operator_assemble(p->op, p->t, 0, A));
  PetscCall(MatCreateVecs(A, &p->through, &p->flow));
  PetscCall(MatGetDiagonal(A, p->through));
  PetscCall(MatDestroy(&A));
  PetscFunctionReturn(0);
}

/* A code that is not 0 where states are cut off from each other. */
static PetscErrorCode eliminate(const fare_grid *grid, const fare_system *system, double t, Vec masses)
{
  fare_elimination *elimination = NULL;
  fare_absorbing   *faces;
  PetscErrorCode    code;

  PetscFunctionBegin;
  PetscCall(fare_absorbing_create(grid, system, t, 0, NULL, &faces));
  code = fare_elimination_create(faces, 0, PETSC_TRUE, &elimination);
  if (!code) code = fare_elimination_stationary(elimination, masses);
  PetscCall(fare_elimination_destroy(&elimination));
  PetscCall(fare_absorbing_destroy(&faces));
  PetscFunctionReturn(code);
}

/*
  The masses of Boltzmann are kept where they are at rest: wells are filled as they should be, whatever
  divides them.
*/
static PetscErrorCode solve(
  const fare_grid *grid, const fare_system *system, problem *p, Vec masses, fare_solved *solved)
{
  const double   at_rest = 1e-15, most = 1e-9;
  PetscErrorCode code = FARE_ERR_FAILED;
  Vec            other, r;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(masses, &r));
  PetscCall(VecDuplicate(masses, &other));
  solved->iterations = 1;
  PetscCall(fare_linear_solver_residual(residual, p, masses, r, &solved->residual));
  if (fare_system_is_gradient(system) && solved->residual <= at_rest)
    code = 0;
  else if (fare_elimination_serves(grid)) {
    code = eliminate(grid, system, p->t, other);
    if (code && code != FARE_ERR_FAILED) PetscFunctionReturn(code);
    if (!code) {
      PetscCall(VecCopy(other, masses));
      PetscCall(fare_linear_solver_residual(residual, p, masses, r, &solved->residual));
    }
  }
  PetscCall(VecDestroy(&r));
  PetscCall(VecDestroy(&other));
  if (code || !(solved->residual <= most)) PetscCall(refine(grid, p, masses, solved));
  PetscFunctionReturn(0);
}

static PetscErrorCode check_ends(const fare_grid *grid, const fare_system *system)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) {
    if (grid->boundary[axis] >= FARE_BOUNDARY_ABSORBING)
      FARE_FAIL(FARE_ERR_INPUT, "analysis: no stationary density: axis %s has an absorbing boundary",
        fare_system_axis_name(system, axis));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stationary_solve(
  const fare_grid *grid, const fare_system *system, double t, Vec *masses, fare_solved *solved)
{
  problem p = {.t = t};

  PetscFunctionBegin;
  PetscCall(check_ends(grid, system));
  PetscCall(fare_operator_create(grid, system, &p.op));
  PetscCall(find_through(&p));
  PetscCall(first_guess(grid, system, t, masses));
  PetscCall(solve(grid, system, &p, *masses, solved));
  PetscCall(VecDestroy(&p.through));
  PetscCall(VecDestroy(&p.flow));
  PetscCall(fare_operator_destroy(&p.op));
  PetscFunctionReturn(0);
}

typedef struct {
  Mat L;
  Vec through, flow;
} smooth_problem;

/* As residual(), of values at centres and the operator of high order. */
static PetscErrorCode smooth_residual(void *context, Vec p, Vec r, double *scale)
{
  smooth_problem *s = context;
  PetscScalar     sum;

  PetscFunctionBegin;
  PetscCall(VecSum(p, &sum));
  PetscCall(VecScale(p, 1 / sum));
  PetscCall(MatMult(s->L, p, r));
  PetscCall(VecSum(r, &sum));
  PetscCall(VecAXPY(r, -sum, p));
  PetscCall(VecPointwiseMult(s->flow, s->through, p));
  PetscCall(fare_norm_1(s->flow, scale));
  PetscFunctionReturn(0);
}

/* Two guesses: the same everywhere, and twice as much in the second half of the box as in the first. */
static PetscErrorCode guess(const fare_grid *grid, PetscBool lopsided, Vec p)
{
  PetscScalar *to;

  PetscFunctionBegin;
  PetscCall(VecGetArray(p, &to));
  for (PetscInt n = 0; n < fare_grid_owned(grid); n++) {
    PetscInt index[FARE_DIM_MAX];

    fare_cell_index(grid, n, index);
    to[n] = 1;
    for (int axis = 0; axis < grid->dim && lopsided; axis++)
      to[n] *= 1 + (double)index[axis] / (double)grid->cells[axis];
  }
  PetscCall(VecRestoreArray(p, &to));
  PetscFunctionReturn(0);
}

/* From both guesses the same must come, or parts of the box know nothing of each other. */
static PetscErrorCode refine_smooth(const fare_grid *grid, smooth_problem *s, Vec p, fare_solved *solved)
{
  const double shift = 1e-10, most = 1e-9, alike = 1e-6;
  PetscReal    largest, apart;
  Mat          shifted;
  KSP          ksp;
  Vec          other;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p, &other));
  PetscCall(VecMax(s->through, NULL, &largest));
  PetscCall(MatDuplicate(s->L, MAT_COPY_VALUES, &shifted));
  PetscCall(MatScale(shifted, -1));
  PetscCall(MatShift(shifted, shift * largest));
  PetscCall(fare_linear_solver_create(grid, shifted, shifted, &ksp));
  for (int k = 0; k < 2; k++) {
    PetscCall(guess(grid, k ? PETSC_TRUE : PETSC_FALSE, k ? other : p));
    PetscCall(fare_linear_solver_refine(
      ksp, smooth_residual, s, 1e-18, most, "stationary density", k ? other : p, solved));
  }
  PetscCall(VecAXPY(other, -1, p));
  PetscCall(fare_norm_1(other, &apart));
  PetscCall(VecDestroy(&other));
  PetscCall(KSPDestroy(&ksp));
  PetscCall(MatDestroy(&shifted));
  if (apart > alike)
    FARE_FAIL(FARE_ERR_FAILED,
      "stationary density: a barrier keeps parts of the box apart: from two first guesses come densities "
      "that "
      "differ by %.0e, which the scheme high_order cannot resolve: take truth.scheme: fitted, or a larger kT",
      apart);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stationary_values(
  const fare_grid *grid, const fare_system *system, double t, Vec *values, fare_solved *solved)
{
  smooth_problem s;

  PetscFunctionBegin;
  PetscCall(check_ends(grid, system));
  PetscCall(fare_high_order_matrix(grid, system, t, &s.L));
  PetscCall(DMCreateGlobalVector(grid->dm, values));
  PetscCall(VecDuplicate(*values, &s.through));
  PetscCall(VecDuplicate(*values, &s.flow));
  PetscCall(MatGetDiagonal(s.L, s.through));
  PetscCall(VecAbs(s.through));
  PetscCall(refine_smooth(grid, &s, *values, solved));
  PetscCall(VecDestroy(&s.through));
  PetscCall(VecDestroy(&s.flow));
  PetscCall(MatDestroy(&s.L));
  PetscFunctionReturn(0);
}

typedef struct {
  PetscBool meshes;
} stationary;

static const fare_field fields[] = {
  {"meshes", FARE_BOOLEAN, offsetof(stationary, meshes), "true", 0, 0, NULL, "",
    "also record the density and its currents on the grid"},
  FARE_FIELDS_END,
};

/* velocity: per axis. current: densities of it at centres, NULL where they are not kept. All are taken over.
 */
static void keep(const stationary *s, const fare_grid *grid, const fare_system *system,
  const fare_solved *solved, const double velocity[], Vec current[], Vec P, fare_findings *found)
{
  fare_found(found, "velocity", "mean drift d<x>/dt per axis", (size_t)grid->dim, velocity);
  fare_found_number(found, "residual", "|L P| relative to the flows", solved->residual);
  for (int axis = 0; axis < grid->dim && s->meshes; axis++) {
    char name[32];

    snprintf(name, sizeof name, "current_%s", fare_system_axis_name(system, axis));
    fare_found_mesh(found, name, "probability current at centres of cells", FARE_MESH_VALUES, current[axis]);
  }
  fare_found_mesh(
    found, "density", "stationary probability density, averaged over each cell", FARE_MESH_ESTIMATED, P);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const stationary *s = state;
  double            velocity[FARE_DIM_MAX];
  fare_solved       solved;
  fare_operator    *op;
  Vec               P, current[FARE_DIM_MAX];

  PetscFunctionBegin;
  (void)like;
  PetscCall(fare_stationary_solve(grid, system, time, &P, &solved));
  PetscCall(fare_operator_create(grid, system, &op));
  PetscCall(fare_operator_velocity(op, time, P, velocity));
  for (int axis = 0; axis < grid->dim && s->meshes; axis++)
    PetscCall(fare_operator_current_density(op, time, P, axis, &current[axis]));
  keep(s, grid, system, &solved, velocity, current, P, found);
  PetscCall(fare_operator_destroy(&op));
  PetscFunctionReturn(0);
}

static PetscErrorCode run_high_order(const void *state, const fare_grid *grid, const fare_system *system,
  double time, const fare_findings *like, fare_findings *found)
{
  const stationary *s = state;
  double            velocity[FARE_DIM_MAX];
  fare_solved       solved;
  Vec               P, current[FARE_DIM_MAX];

  PetscFunctionBegin;
  (void)like;
  PetscCall(fare_stationary_values(grid, system, time, &P, &solved));
  for (int axis = 0; axis < grid->dim; axis++) {
    const double h = grid->spacing[axis];
    PetscScalar  sum;

    PetscCall(VecDuplicate(P, &current[axis]));
    PetscCall(fare_high_order_current(grid, system, time, axis, P, current[axis]));
    PetscCall(VecSum(current[axis], &sum));
    velocity[axis] = sum * h;
    PetscCall(VecScale(current[axis], h / fare_grid_volume(grid)));
    if (!s->meshes) PetscCall(VecDestroy(&current[axis]));
  }
  PetscCall(fare_high_order_masses(grid, P));
  keep(s, grid, system, &solved, velocity, current, P, found);
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_stationary = {
  .name    = "stationary",
  .summary = "stationary density and currents of an undriven system, with or without a potential",
  .reference =
    "L P = 0 by elimination without subtractions (Grassmann, Taksar and Heyman, Oper. Res. 33, 1107 (1985))",
  .size           = sizeof(stationary),
  .fields         = fields,
  .run            = run,
  .run_high_order = run_high_order,
};
