/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What learned densities of one axis say of the dynamics, beside the truth on the same cells and times. In the
  middle of an interval between two snapshots, a density is taken at two moments: the mass that crosses a face
  in between is its current. The truth evolves from the snapshot on, on one rank, to the same two moments.
*/
#include "thermo.h"

#include <fare/current_action.h>
#include <fare/evolution.h>

#include <math.h>

#define SPAN      0.02  /* between the moments, of the whole schedule, or half an interval ... */
#define TOLERANCE 1e-10 /* of a step of the truth */

struct fare_stencil {
  const fare_grid   *grid; /* the truth's */
  const fare_system *system;
  fare_grid         *alone; /* the same cells, on this rank */
  fare_current_line  line;
  double             time[2], *rate, *theta, *u; /* rates and theta: of the truth */
  fare_motion        truth;
};

static double middle_of(const fare_stencil *s)
{
  return 0.5 * (s->time[0] + s->time[1]);
}

/* Of the densities in u: what they say of production, and of the dynamics where the truth has its mass. */
static void judge(fare_stencil *s, fare_motion *m)
{
  const PetscInt n = s->line.cells;

  s->line.still = PETSC_FALSE;
  for (PetscInt i = 0; i < 2 * n; i++) s->line.rate[i] = s->rate[i];
  (void)fare_current_action(&s->line, s->u, NULL);
  if (m == &s->truth)
    for (PetscInt f = 0; f < n; f++) s->theta[f] = s->line.theta[f];
  m->time     = middle_of(s);
  m->residual = 0;
  for (PetscInt f = 0; f < (s->line.closed ? n : n - 1); f++)
    m->residual += 0.5 * s->theta[f] * PetscSqr(s->line.excess[f] / s->line.theta[f]);
  fare_current_set_still(s->alone, s->system, m->time, &s->line);
  m->production = 4 * fare_current_action(&s->line, s->u, NULL);
}

static void set_logarithms(const fare_stencil *s, int side, const double mass[])
{
  for (PetscInt i = 0; i < s->line.cells; i++) s->u[side * s->line.cells + i] = log(PetscMax(0, mass[i]));
}

/* The truth from `masses` at `from` to both moments, and its rates in their middle. */
static PetscErrorCode evolve(fare_stencil *s, double from, const double masses[])
{
  fare_evolution *evolution;
  Vec             start;
  PetscScalar    *to;
  double         *entering;

  PetscFunctionBegin;
  PetscCall(DMCreateGlobalVector(s->alone->dm, &start));
  PetscCall(VecGetArray(start, &to));
  PetscCall(PetscArraycpy(to, masses, s->line.cells));
  PetscCall(VecRestoreArray(start, &to));
  PetscCall(fare_evolution_create(s->alone, s->system, from, TOLERANCE, PETSC_FALSE, start, &evolution));
  for (int side = 0; side < 2; side++) {
    const PetscScalar *now;

    PetscCall(fare_evolution_advance(evolution, s->time[side]));
    PetscCall(VecGetArrayRead(fare_evolution_masses(evolution), &now));
    set_logarithms(s, side, now);
    PetscCall(VecRestoreArrayRead(fare_evolution_masses(evolution), &now));
  }
  PetscCall(PetscMalloc1(2 * s->line.cells, &entering));
  PetscCall(fare_operator_faces(fare_evolution_operator(evolution), middle_of(s), s->rate, entering));
  PetscCall(PetscFree(entering));
  PetscCall(fare_evolution_destroy(&evolution));
  PetscFunctionReturn(0);
}

/* The drive must not jump between both moments: they follow a jump, or come before it if that is late. */
static void avoid_jump(fare_stencil *s)
{
  const double middle = middle_of(s), span = s->time[1] - s->time[0],
               jump = fare_system_next_jump(s->system, s->time[0]);

  if (jump >= s->time[1]) return;
  s->time[0] = jump <= middle ? jump : jump - span;
  s->time[1] = s->time[0] + span;
}

PetscErrorCode fare_stencil_create(const fare_grid *grid, const fare_system *system, Vec masses, double from,
  double to, double length, fare_stencil **stencil)
{
  const double   middle = 0.5 * (from + to), span = PetscMin(SPAN * length, 0.5 * (to - from));
  const PetscInt n = grid->cells[0];
  fare_stencil  *s;
  double        *all;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *stencil   = s;
  s->grid    = grid;
  s->system  = system;
  s->time[0] = middle - 0.5 * span;
  s->time[1] = middle + 0.5 * span;
  avoid_jump(s);
  PetscCall(
    fare_grid_create(PETSC_COMM_SELF, 1, grid->cells, grid->lower, grid->upper, grid->boundary, &s->alone));
  PetscCall(fare_current_line_create(s->alone, &s->line));
  s->line.span = span;
  PetscCall(PetscMalloc3(2 * n, &s->rate, n, &s->theta, 2 * n, &s->u));
  PetscCall(PetscMalloc1(n, &all));
  PetscCall(fare_grid_gather(grid, masses, all));
  PetscCall(evolve(s, from, all));
  PetscCall(PetscFree(all));
  judge(s, &s->truth);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stencil_destroy(fare_stencil **stencil)
{
  fare_stencil *s = *stencil;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  PetscCall(fare_current_line_destroy(&s->line));
  PetscCall(fare_grid_destroy(&s->alone));
  PetscCall(PetscFree3(s->rate, s->theta, s->u));
  PetscCall(PetscFree(*stencil));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_stencil_judge(fare_stencil *s, fare_sampler *sampler, fare_motion *motion)
{
  double *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(s->line.cells, &all));
  for (int side = 0; side < 2; side++) {
    Vec masses;

    PetscCall(sampler->type->model_density(sampler, s->time[side], s->grid, &masses));
    PetscCall(fare_grid_gather(s->grid, masses, all));
    PetscCall(VecDestroy(&masses));
    set_logarithms(s, side, all);
  }
  PetscCall(PetscFree(all));
  judge(s, motion);
  motion->production_truth = s->truth.production;
  motion->residual_truth   = s->truth.residual;
  PetscFunctionReturn(0);
}
