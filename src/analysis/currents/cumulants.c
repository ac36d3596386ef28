/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Mean and variance of a current in the stationary state pi, without tilts. With moves from i to j at rates
  w_ij, in which it grows by d_ij, and b_i = sum_j w_ij d_ij, it is a martingale but for phi at both ends,

    -L phi = b - <J>,   Var(A)/t -> sum_ij pi_i w_ij (d_ij + phi_j - phi_i)^2,

  of which all terms are positive (Koza, Physica A 272, 384 (1999), for the derivatives of psi; Komorowski,
  Landim and Olla, Fluctuations in Markov Processes, Springer (2012), section 2.6). Over a time T it is less
  than that by 2/T int_0^T a exp(L u) phi du, where a_j = sum_i pi_i w_ij d_ij - <J> pi_j.
*/
#include "currents.h"

#include <petscdmda.h>

#include <math.h>

#define TERMS 8 /* roundings that meet in one term */

typedef struct {
  const fare_grid   *grid;
  const fare_system *system;
  double             time, tolerance, unit; /* unit: of a logarithm of rates; 0: none */
  fare_absorbing    *moves;                 /* tilted by 0: for what the current grows by */
  fare_stepper      *stepper;
  Vec                masses, phi, spread, left; /* spread: what phi rounds by, over eps */
  int                count;
  const double      *horizon;
  double             first, *less, *error; /* less: by how much than for all times, and its last change */
  fare_cumulants    *found;
} problem;

/* Work is heat and the change of the potential. */
static PetscErrorCode add_energies(const problem *p)
{
  const fare_absorbing *k     = p->moves;
  const int             faces = 2 * p->grid->dim;
  const PetscScalar    *U;
  fare_ghosts           ghosts;
  Vec                   V, local;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p->masses, &V));
  PetscCall(fare_potential_at_centres(p->grid, p->system, p->time, V));
  PetscCall(fare_ghosts_of(p->grid, &ghosts));
  PetscCall(fare_ghosts_get(p->grid, V, &local, &U));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;

    fare_cell_index(p->grid, n, index);
    here = fare_ghosts_at(&ghosts, index);
    for (int face = 0; face < faces; face++) {
      if (k->column[n * faces + face] < 0) continue;
      k->tilting->step[n * faces + face] += U[fare_ghosts_over(&ghosts, here, face)] - U[here];
    }
  }
  PetscCall(fare_ghosts_restore(p->grid, &local, &U));
  PetscCall(VecDestroy(&V));
  PetscFunctionReturn(0);
}

/* b, and what its terms round by, over eps: logarithms of rates by 1 however small they are. */
static PetscErrorCode fill_sources(const problem *p, Vec b, Vec sizes)
{
  const fare_absorbing *k     = p->moves;
  const int             faces = 2 * p->grid->dim;
  const double          unit  = p->unit;
  PetscScalar          *to, *size;

  PetscFunctionBegin;
  PetscCall(VecGetArrayWrite(b, &to));
  PetscCall(VecGetArrayWrite(sizes, &size));
  for (PetscInt n = 0; n < k->owned; n++) {
    to[n] = size[n] = 0;
    for (PetscInt at = n * faces; at < (n + 1) * faces; at++) {
      to[n] += k->leaving[at] * k->tilting->step[at];
      size[n] += k->leaving[at] * (fabs(k->tilting->step[at]) + unit);
    }
  }
  PetscCall(VecRestoreArrayWrite(sizes, &size));
  PetscCall(VecRestoreArrayWrite(b, &to));
  PetscFunctionReturn(0);
}

/* The mean, phi, and what that rounds by. */
static PetscErrorCode find_phi(problem *p)
{
  fare_absorbing *pinned;
  fare_solved     solved;
  PetscScalar     mean, size;
  Vec             b, sizes;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(p->masses, &b));
  PetscCall(VecDuplicate(p->masses, &sizes));
  PetscCall(fill_sources(p, b, sizes));
  PetscCall(VecDot(p->masses, b, &mean));
  PetscCall(VecDot(p->masses, sizes, &size));
  p->found->mean       = mean;
  p->found->mean_error = TERMS * PETSC_MACHINE_EPSILON * size;
  PetscCall(VecShift(b, -mean));
  PetscCall(VecShift(sizes, size));
  PetscCall(fare_absorbing_create(p->grid, p->system, p->time, 0, NULL, &pinned));
  PetscCall(fare_absorbing_pin(pinned, p->masses));
  PetscCall(fare_absorbing_solve_source(pinned, b, "fluctuations", &p->phi, &solved));
  PetscCall(fare_absorbing_solve_source(pinned, sizes, "fluctuations", &p->spread, &solved));
  PetscCall(VecDot(p->masses, p->phi, &mean));
  PetscCall(VecShift(p->phi, -mean));
  PetscCall(fare_absorbing_destroy(&pinned));
  PetscCall(VecDestroy(&sizes));
  PetscCall(VecDestroy(&b));
  PetscFunctionReturn(0);
}

/* Fields with those of neighbours: masses, phi and its roundings. */
typedef struct {
  Vec                local[3];
  const PetscScalar *value[3];
  fare_ghosts        ghosts;
} neighbourhood;

static PetscErrorCode look(const problem *p, neighbourhood *at)
{
  const Vec field[] = {p->masses, p->phi, p->spread};

  PetscFunctionBegin;
  PetscCall(fare_ghosts_of(p->grid, &at->ghosts));
  for (int i = 0; i < 3; i++) PetscCall(fare_ghosts_get(p->grid, field[i], &at->local[i], &at->value[i]));
  PetscFunctionReturn(0);
}

/* The variance for all times, its rounding, the fastest rate out of a cell, and a. */
static PetscErrorCode sum_moves(problem *p)
{
  const fare_absorbing *k      = p->moves;
  const int             faces  = 2 * p->grid->dim;
  double                sum[2] = {0, 0}, fastest = 0;
  PetscScalar          *left;
  neighbourhood         at;

  PetscFunctionBegin;
  PetscCall(look(p, &at));
  PetscCall(VecGetArrayWrite(p->left, &left));
  for (PetscInt n = 0; n < k->owned; n++) {
    PetscInt index[FARE_DIM_MAX], here;
    double   all = 0;

    fare_cell_index(p->grid, n, index);
    here    = fare_ghosts_at(&at.ghosts, index);
    left[n] = -p->found->mean * at.value[0][here];
    for (int face = 0; face < faces; face++) {
      const PetscInt i = n * faces + face, there = fare_ghosts_over(&at.ghosts, here, face);

      if (k->column[i] < 0) continue;
      const double step = k->tilting->step[i], grows = step + at.value[1][there] - at.value[1][here],
                   flow = at.value[0][here] * k->leaving[i];

      all += k->leaving[i];
      sum[0] += flow * grows * grows;
      sum[1] += flow * fabs(grows) * (fabs(step) + p->unit + at.value[2][there] + at.value[2][here]);
      left[n] -= at.value[0][there] * k->entering[i] * step;
    }
    fastest = PetscMax(fastest, all);
  }
  PetscCall(VecRestoreArrayWrite(p->left, &left));
  for (int i = 0; i < 3; i++) PetscCall(fare_ghosts_restore(p->grid, &at.local[i], &at.value[i]));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_DOUBLE, MPI_SUM, p->grid->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &fastest, 1, MPI_DOUBLE, MPI_MAX, p->grid->comm));
  p->found->variance = sum[0];
  p->found->error    = TERMS * PETSC_MACHINE_EPSILON * (sum[0] + 2 * sum[1]);
  p->first           = 1 / fastest;
  PetscFunctionReturn(0);
}

static double rounding_at(const problem *p, int k)
{
  return TERMS * PETSC_MACHINE_EPSILON * fabs(p->less[k]) + p->found->error;
}

/* phi goes along stretches that double in length, each of equal steps, past all horizons. */
static PetscErrorCode solve_level(void *context, int level, double *difference, fare_driven *driven)
{
  problem     *p         = context;
  const double within[2] = {p->time, p->time + p->horizon[p->count - 1]};
  double       now = 0, lived = 0;
  Vec          x;

  PetscFunctionBegin;
  *difference = 0;
  PetscCall(VecDuplicate(p->phi, &x));
  PetscCall(VecCopy(p->phi, x));
  for (int k = 0; k < p->count; k++) {
    while (now < p->horizon[k]) {
      const double end = PetscMin(p->horizon[k], now > 0 ? 2 * now : p->first), from = now;

      for (int i = 1; i <= 1 << level; i++) {
        const double next = i == 1 << level ? end : from + (end - from) * i / (1 << level);

        PetscCall(fare_stepper_step(p->stepper, now, next, within, x, &lived));
        now = next;
      }
      driven->steps += 1 << level;
    }
    const double less = 2 * lived / p->horizon[k], was = p->less[k];

    p->less[k]  = less;
    p->error[k] = fabs(less - was);
    *difference = PetscMax(
      *difference, p->error[k] / PetscMax(p->found->variance - less, 100 * rounding_at(p, k) / p->tolerance));
  }
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(0);
}

static PetscErrorCode find_horizons(problem *p, double variance[], double error[])
{
  fare_driven driven = {0};

  PetscFunctionBegin;
  PetscCall(fare_stepper_create(p->grid, p->system, p->time, 0, NULL, PETSC_FALSE, &p->stepper));
  p->stepper->still  = PETSC_TRUE;
  p->stepper->weight = p->left;
  PetscCall(PetscCalloc2(p->count, &p->less, p->count, &p->error));
  PetscCall(fare_levels_run(p->tolerance, solve_level, p, "variance over a horizon", &driven));
  for (int k = 0; k < p->count; k++) {
    variance[k] = p->found->variance - p->less[k];
    error[k]    = p->error[k] / 3 + rounding_at(p, k);
  }
  PetscCall(PetscFree2(p->less, p->error));
  PetscCall(fare_stepper_destroy(&p->stepper));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_current_cumulants(const fare_grid *grid, const fare_system *system, double t,
  const fare_observable *current, int count, const double horizons[], double tolerance, fare_cumulants *found,
  double variance[], double error[])
{
  problem     p = {grid, system, t, tolerance, 0, .count = count, .horizon = horizons, .found = found};
  fare_solved solved;

  PetscFunctionBegin;
  PetscCall(fare_stationary_solve(grid, system, t, &p.masses, &solved));
  PetscCall(fare_absorbing_create(grid, system, t, 0, NULL, &p.moves));
  PetscCall(fare_absorbing_tilt(p.moves, system, current, 0));
  if (current->kind != FARE_OF_DISPLACEMENT)
    p.unit = current->kind == FARE_OF_ENTROPY ? 1 : fare_system_kT(system, t);
  if (current->kind == FARE_OF_WORK) PetscCall(add_energies(&p));
  PetscCall(find_phi(&p));
  PetscCall(VecDuplicate(p.masses, &p.left));
  PetscCall(sum_moves(&p));
  found->error += solved.residual * found->variance;
  if (count) PetscCall(find_horizons(&p, variance, error));
  PetscCall(VecDestroy(&p.left));
  PetscCall(VecDestroy(&p.spread));
  PetscCall(VecDestroy(&p.phi));
  PetscCall(VecDestroy(&p.masses));
  PetscCall(fare_absorbing_destroy(&p.moves));
  PetscFunctionReturn(0);
}
