/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The periodic steady state of a periodic drive, without waiting for it: the masses P that one period brings
  back, (I - Phi) P = 0, by GMRES on the evolution over whole periods. Phi keeps the sum and contracts all
  else, so few periods suffice even where relaxation takes many.

  All grids take steps of one tolerance, so grids do not tell the error of these. The finest solves again, for
  a tolerance LOOSER times as large and with half the panels: a tighter one may be lost to rounding.
*/
#include "analysis.h"

#include <petscdmda.h>

#include <math.h>

#define LOOSER 4

typedef struct {
  const fare_grid   *grid;
  const fare_system *system;
  double             start, period, tolerance;
  Vec                base, image; /* masses of sum 1, and where a period takes them */
  PetscInt           periods;     /* evolved so far */
} cycle;

/* y = Phi P for masses of sum 1. */
static PetscErrorCode evolve(cycle *c, Vec P, Vec y)
{
  fare_evolution *evolution;
  Vec             state;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(P, &state));
  PetscCall(VecCopy(P, state));
  PetscCall(
    fare_evolution_create(c->grid, c->system, c->start, c->tolerance, PETSC_FALSE, state, &evolution));
  fare_evolution_set_linear(evolution);
  PetscCall(fare_evolution_advance(evolution, c->start + c->period));
  PetscCall(VecCopy(fare_evolution_masses(evolution), y));
  PetscCall(fare_evolution_destroy(&evolution));
  c->periods++;
  PetscFunctionReturn(0);
}

/*
  y = (I - Phi) v for v of sum 0, as a difference of evolved densities: Phi v = s (Phi(P + v/s) - Phi P), s
  the size of v.
*/
static PetscErrorCode multiply(Mat shell, Vec v, Vec y)
{
  cycle    *c;
  PetscReal size;
  Vec       shifted;

  PetscFunctionBegin;
  PetscCall(MatShellGetContext(shell, &c));
  PetscCall(fare_norm_1(v, &size));
  PetscCall(VecSet(y, 0));
  if (!(size > 0)) PetscFunctionReturn(0);
  PetscCall(VecDuplicate(v, &shifted));
  PetscCall(VecWAXPY(shifted, 1 / size, v, c->base));
  PetscCall(evolve(c, shifted, y));
  PetscCall(VecAXPY(y, -1, c->image));
  PetscCall(VecAYPX(y, -size, v));
  PetscCall(VecDestroy(&shifted));
  PetscFunctionReturn(0);
}

/* Phi P - P of the normalised P. */
static PetscErrorCode residual(void *context, Vec P, Vec r, double *scale)
{
  cycle      *c = context;
  PetscScalar sum;

  PetscFunctionBegin;
  *scale = 0;
  PetscCall(VecSum(P, &sum));
  if (!(sum > 0) || !isfinite(sum)) {
    PetscCall(VecSet(r, 1)); /* no density: worse than any */
    PetscFunctionReturn(0);
  }
  PetscCall(VecScale(P, 1 / sum));
  PetscCall(VecCopy(P, c->base));
  PetscCall(evolve(c, P, c->image));
  PetscCall(VecWAXPY(r, -1, P, c->image));
  *scale = 1;
  PetscFunctionReturn(0);
}

/* From masses that are a guess. */
static PetscErrorCode refine(const fare_grid *grid, const fare_system *system, double start, double period,
  double tolerance, Vec masses, fare_solved *solved)
{
  cycle c = {grid, system, start, period, tolerance, NULL, NULL, 0};
  KSP   ksp;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(masses, &c.base));
  PetscCall(VecDuplicate(masses, &c.image));
  PetscCall(fare_linear_solver_create_map(masses, multiply, &c, "analysis_periodic_", &ksp));
  PetscCall(
    fare_linear_solver_refine(ksp, residual, &c, tolerance, 1e-5, "periodic steady state", masses, solved));
  solved->iterations = c.periods;
  PetscCall(KSPDestroy(&ksp));
  PetscCall(VecDestroy(&c.base));
  PetscCall(VecDestroy(&c.image));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_periodic_solve(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, Vec *masses, fare_solved *solved)
{
  fare_solved guessed = {0};

  PetscFunctionBegin;
  PetscCall(fare_stationary_solve(grid, system, start, masses, &guessed));
  PetscCall(refine(grid, system, start, period, tolerance, *masses, solved));
  PetscFunctionReturn(0);
}

typedef struct {
  double     period, tolerance;
  PetscInt64 panels;
} periodic;

#define AT(member) offsetof(periodic, member)
static const fare_field fields[] = {
  {"period", FARE_REAL, AT(period), NULL, 1e-12, 1e12, NULL, "time", "after which the drive repeats"},
  {"tolerance", FARE_REAL, AT(tolerance), "1e-8", 1e-14, 0.1, NULL, "",
    "estimated L1 error that one time step may add"},
  {"panels", FARE_INTEGER, AT(panels), "64", 1, 1e5, NULL, "",
    "parts of the period, in each of which 3 Gauss points integrate the current; jumps of the drive "
    "should fall between them"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  const periodic *s = state;

  PetscFunctionBegin;
  PetscCall(fare_period_check(node, context->system, time, s->period, "stationary"));
  PetscFunctionReturn(0);
}

/* The mean over the period of d<x>/dt, from P at its start. */
static PetscErrorCode mean_velocity(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, PetscInt64 panels, Vec P, double velocity[])
{
  static const double place[]  = {0.1127016653792583, 0.5, 0.8872983346207417},
                      weight[] = {5. / 18, 8. / 18, 5. / 18};
  fare_evolution *evolution;
  Vec             state, J;

  PetscFunctionBegin;
  for (int axis = 0; axis < grid->dim; axis++) velocity[axis] = 0;
  PetscCall(VecDuplicate(P, &J));
  PetscCall(VecDuplicate(P, &state));
  PetscCall(VecCopy(P, state));
  PetscCall(fare_evolution_create(grid, system, start, tolerance, PETSC_FALSE, state, &evolution));
  for (PetscInt64 panel = 0; panel < panels; panel++) {
    for (int q = 0; q < 3; q++) {
      const double t = start + period * ((double)panel + place[q]) / (double)panels;

      PetscCall(fare_evolution_advance(evolution, t));
      for (int axis = 0; axis < grid->dim; axis++) {
        PetscScalar sum;

        PetscCall(fare_operator_current(
          fare_evolution_operator(evolution), t, fare_evolution_masses(evolution), axis, J));
        PetscCall(VecSum(J, &sum));
        velocity[axis] += weight[q] * sum * grid->spacing[axis] / (double)panels;
      }
    }
    PetscCall(fare_evolution_advance(evolution, start + period * (double)(panel + 1) / (double)panels));
  }
  PetscCall(fare_evolution_destroy(&evolution));
  PetscCall(VecDestroy(&J));
  PetscFunctionReturn(0);
}

/* The errors of time steps and panels: of the velocity, in its place, and of the density. */
static PetscErrorCode step_errors(const periodic *s, const fare_grid *grid, const fare_system *system,
  double time, Vec P, double velocity[], double *density)
{
  const double tolerance = LOOSER * s->tolerance;
  double       other[FARE_DIM_MAX];
  fare_solved  solved;
  Vec          Q;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(P, &Q));
  PetscCall(VecCopy(P, Q));
  PetscCall(refine(grid, system, time, s->period, tolerance, Q, &solved));
  PetscCall(mean_velocity(grid, system, time, s->period, tolerance, (s->panels + 1) / 2, Q, other));
  for (int axis = 0; axis < grid->dim; axis++) velocity[axis] = fabs(velocity[axis] - other[axis]);
  PetscCall(VecAXPY(Q, -1, P));
  PetscCall(fare_norm_1(Q, density));
  PetscCall(VecDestroy(&Q));
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const periodic *s = state;
  double          velocity[FARE_DIM_MAX], density = 0;
  fare_solved     solved;
  fare_finding   *f;
  Vec             P;

  PetscFunctionBegin;
  PetscCall(fare_periodic_solve(grid, system, time, s->period, s->tolerance, &P, &solved));
  PetscCall(mean_velocity(grid, system, time, s->period, s->tolerance, s->panels, P, velocity));
  f =
    fare_found(found, "velocity", "d<x>/dt per axis, averaged over the period", (size_t)grid->dim, velocity);
  if (!like) {
    PetscCall(step_errors(s, grid, system, time, P, velocity, &density));
    for (int axis = 0; axis < grid->dim; axis++) f->least[axis] = velocity[axis];
  }
  fare_found_number(
    found, "residual", "L1 distance between the density and that one period later", solved.residual);
  fare_found_number(found, "periods", "evolved until convergence", (double)solved.iterations);
  fare_found_mesh(found, "density", "probability density at the start of the period, averaged over each cell",
    FARE_MESH_ESTIMATED, P)
    ->least = density;
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_periodic = {
  .name      = "periodic",
  .summary   = "periodic steady state of a periodic drive, and its mean velocity",
  .reference = "P = Phi P by GMRES on the evolution over a period",
  .size      = sizeof(periodic),
  .fields    = fields,
  .check     = check,
  .run       = run,
};
