/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The discrete adjoint of a chain of fixed steps. With A = 1 - g h L and g = 1 - 1/sqrt 2 a step is the
  L-stable method of second order of Alexander (SIAM J. Numer. Anal. 14, 1006 (1977)),

    A_s Y = P,   A_e P' = (1 + sqrt 2) Y - sqrt 2 P,

  with rates of the places s, within the step, and e, at its end. (Powers of A^-1 alone, so that masses keep
  their sum.) Backward, psi being the derivative of what follows by P',

    A_e^T a = psi,   A_s^T b = (1 + sqrt 2) a,   psi <- b - sqrt 2 a,

  and the values at the places count g h a . L_e' P' and g h b . L_s' Y. Work is P . (change of U) at jumps,
  and the mean of P over a step elsewhere: second order, too. For events psi ends as 1 in b, where it stays;
  its value at the start is the committor, and what P comes to is not needed.

  P is kept at every sqrt(steps)-th step, and found again between (Griewank, Optim. Methods Softw. 1, 35
  (1992), has the better schedule; this one costs one more way forward).

  PETSc's TSAdjoint does not serve: of its implicit methods with an adjoint, one is of first order and the
  other is not L-stable, which jumps of the drive need; and its integrals know of no jumps.
*/
#include "adjoint.h"

#include <petscdmda.h>

#include <math.h>

#define AHEAD   2.41421356237309505 /* 1 + sqrt 2 */
#define BACK    1.41421356237309505 /* sqrt 2 */
#define PERIODS 2000                /* at most, until a cycle repeats */
#define SETTLED 1e-12               /* L1 distance of masses a period apart, and relative one of psi */

static PetscBool needs_work(const fare_goal *goal)
{
  return goal->kind == FARE_GOAL_WORK || goal->kind == FARE_GOAL_DISSIPATION || goal->kind == FARE_GOAL_CYCLE
    ? PETSC_TRUE
    : PETSC_FALSE;
}

static PetscErrorCode check(
  const fare_grid *grid, const fare_system *system, const fare_protocol *protocol, const fare_goal *goal)
{
  PetscFunctionBegin;
  if (fare_system_drives(system, FARE_TIME))
    FARE_FAIL(FARE_ERR_INPUT,
      "the system has formulas of time: its drive has no values to differentiate by; drive a parameter "
      "instead");
  if (fare_system_has_rates(system))
    FARE_FAIL(FARE_ERR_INPUT, "the force depends on how fast parameters move, which has no derivative yet");
  if (goal->kind != FARE_GOAL_EVENT && fare_grid_absorbs(grid))
    FARE_FAIL(FARE_ERR_INPUT, "an end of the box absorbs: only the probability of an event has a derivative");
  if (!needs_work(goal)) PetscFunctionReturn(0);
  if (!fare_system_is_gradient(system))
    FARE_FAIL(FARE_ERR_INPUT, "work needs a system whose whole force is the gradient of its potential");
  for (int k = 0; k < protocol->parameters && goal->kind != FARE_GOAL_CYCLE; k++) {
    if (protocol->parameter[k] == FARE_KT)
      FARE_FAIL(FARE_ERR_INPUT, "work under a moving temperature has no derivative yet: keep kT constant");
  }
  PetscFunctionReturn(0);
}

/* A copy of a vector that each rank has whole. */
static PetscErrorCode gather(Vec from, Vec *to)
{
  VecScatter scatter;

  PetscFunctionBegin;
  PetscCall(VecScatterCreateToAll(from, &scatter, to));
  PetscCall(VecScatterBegin(scatter, from, *to, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, from, *to, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterDestroy(&scatter));
  PetscFunctionReturn(0);
}

/* On one axis each rank does all: that is faster than to speak in each step, and gives the same bits. */
static PetscErrorCode take_all(fare_adjoint *s)
{
  const fare_grid *g = s->grid;
  PetscMPIInt      ranks;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(g->comm, &ranks));
  if (g->dim > 1 || ranks == 1) PetscFunctionReturn(0);
  PetscCall(fare_grid_create(PETSC_COMM_SELF, 1, g->cells, g->lower, g->upper, g->boundary, &s->own));
  s->grid = s->own;
  if (s->start) PetscCall(gather(s->start, &s->gathered[0]));
  if (s->goal.field) PetscCall(gather(s->goal.field, &s->gathered[1]));
  s->start      = s->gathered[0];
  s->goal.field = s->gathered[1];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_adjoint_create(const fare_grid *grid, const fare_system *system,
  const fare_protocol *protocol, Vec start, const fare_goal *goal, fare_adjoint **adjoint)
{
  fare_adjoint *s;
  PetscInt      cells;

  PetscFunctionBegin;
  *adjoint = NULL;
  PetscCall(check(grid, system, protocol, goal));
  if (!start && !fare_system_has_potential(system))
    FARE_FAIL(FARE_ERR_INPUT, "without a potential there is no Boltzmann density to start from");
  PetscCall(PetscNew(&s));
  *adjoint    = s;
  s->grid     = grid;
  s->protocol = protocol;
  s->goal     = *goal;
  s->start    = start;
  s->stride   = (PetscInt)ceil(sqrt((double)protocol->steps));
  PetscCall(take_all(s));
  PetscCall(fare_place_create(s->grid, system, protocol, goal, &s->place));
  if (fare_system_has_potential(system)) s->kT = fare_system_kT(s->place.system, 0);
  if (goal->kind == FARE_GOAL_CYCLE) s->kT = 1; /* energies are those of V, as kT may move */
  s->place.plain = goal->kind == FARE_GOAL_CYCLE ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fare_adjoint_solver(s));
  PetscCall(DMCreateGlobalVector(s->grid->dm, &s->psi));
  PetscCall(VecDuplicate(s->psi, &s->a));
  PetscCall(VecDuplicate(s->psi, &s->r));
  for (int i = 0; i < 2; i++) PetscCall(VecDuplicate(s->psi, &s->energy[i]));
  if (goal->kind == FARE_GOAL_CYCLE) {
    PetscCall(VecDuplicate(s->psi, &s->around));
    PetscCall(VecGetSize(s->around, &cells));
    PetscCall(VecSet(s->around, 1 / (PetscReal)cells));
  }
  PetscCall(VecDuplicateVecs(s->psi, s->stride + 1, &s->kept));
  PetscCall(VecDuplicateVecs(s->psi, s->stride + 1, &s->masses));
  PetscCall(VecDuplicateVecs(s->psi, s->stride, &s->within));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_adjoint_destroy(fare_adjoint **adjoint)
{
  fare_adjoint *s = *adjoint;

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(0);
  PetscCall(VecDestroyVecs(s->stride, &s->within));
  PetscCall(VecDestroyVecs(s->stride + 1, &s->masses));
  PetscCall(VecDestroyVecs(s->stride + 1, &s->kept));
  for (int i = 0; i < 2; i++) PetscCall(VecDestroy(&s->energy[i]));
  PetscCall(VecDestroy(&s->around));
  PetscCall(VecDestroy(&s->r));
  PetscCall(VecDestroy(&s->a));
  PetscCall(VecDestroy(&s->psi));
  PetscCall(KSPDestroy(&s->ksp));
  PetscCall(MatDestroy(&s->A));
  PetscCall(fare_place_free(&s->place));
  for (int i = 0; i < 2; i++) PetscCall(VecDestroy(&s->gathered[i]));
  if (s->own) PetscCall(fare_grid_destroy(&s->own));
  PetscCall(PetscFree(*adjoint));
  PetscFunctionReturn(0);
}

/* Energies of cells at a place, as work has them. */
static PetscErrorCode energy_at(fare_adjoint *s, PetscInt place, Vec energy)
{
  PetscFunctionBegin;
  PetscCall(fare_place_set(&s->place, fare_adjoint_values(s, place)));
  PetscCall(fare_place_energies(&s->place, energy));
  PetscCall(VecScale(energy, s->kT));
  PetscFunctionReturn(0);
}

/* Masses of Boltzmann at a place, and what their free energy is in units of kT, or NULL. */
static PetscErrorCode boltzmann_at(fare_adjoint *s, PetscInt place, Vec masses, double *free_energy)
{
  PetscReal   least;
  PetscScalar sum;

  PetscFunctionBegin;
  PetscCall(fare_place_set(&s->place, fare_adjoint_values(s, place)));
  PetscCall(fare_place_energies(&s->place, masses));
  PetscCall(VecMin(masses, NULL, &least));
  PetscCall(VecShift(masses, -least));
  PetscCall(VecScale(masses, -1));
  PetscCall(VecExp(masses));
  PetscCall(VecSum(masses, &sum));
  PetscCall(VecScale(masses, 1 / sum));
  if (free_energy) *free_energy = least - log(sum * fare_grid_volume(s->grid));
  PetscFunctionReturn(0);
}

/* The change of energy between two places. */
static PetscErrorCode rise(fare_adjoint *s, PetscInt from, PetscInt to, PetscBool *none)
{
  const int parameters = s->protocol->parameters;

  PetscFunctionBegin;
  PetscCall(PetscArraycmp(fare_adjoint_values(s, from), fare_adjoint_values(s, to), parameters, none));
  if (*none) PetscFunctionReturn(0);
  PetscCall(energy_at(s, from, s->energy[0]));
  PetscCall(energy_at(s, to, s->energy[1]));
  PetscCall(VecAXPY(s->energy[1], -1, s->energy[0]));
  PetscFunctionReturn(0);
}

/* Adds `part` of the work that masses P receive from one place to another. */
static PetscErrorCode add_work(
  fare_adjoint *s, PetscInt from, PetscInt to, int count, const Vec P[], double *work)
{
  PetscBool   none;
  PetscScalar received;

  PetscFunctionBegin;
  if (!needs_work(&s->goal)) PetscFunctionReturn(0);
  PetscCall(rise(s, from, to, &none));
  for (int i = 0; i < count && !none; i++) {
    PetscCall(VecDot(s->energy[1], P[i], &received));
    *work += received / count;
  }
  PetscFunctionReturn(0);
}

/* Derivatives by masses of that work: psi += part of the change of energy. */
static PetscErrorCode add_rise(fare_adjoint *s, PetscInt from, PetscInt to, double part)
{
  PetscBool none;

  PetscFunctionBegin;
  if (!needs_work(&s->goal)) PetscFunctionReturn(0);
  PetscCall(rise(s, from, to, &none));
  if (!none) PetscCall(VecAXPY(s->psi, part, s->energy[1]));
  PetscFunctionReturn(0);
}

static PetscErrorCode begin(fare_adjoint *s, Vec P)
{
  static const double nothing[] = {0, 0};

  PetscFunctionBegin;
  if (s->start || s->around)
    PetscCall(VecCopy(s->start ? s->start : s->around, P));
  else
    PetscCall(boltzmann_at(s, 0, P, NULL));
  if (s->goal.kind == FARE_GOAL_EVENT) PetscCall(fare_absorbing_hold(s->place.absorbing, nothing, P));
  PetscFunctionReturn(0);
}

/* All the way, with the work; masses are kept at each stride, the last one always. */
static PetscErrorCode run_forward(fare_adjoint *s, double *work)
{
  const PetscInt steps = s->protocol->steps;
  Vec            now = s->masses[0], next = s->masses[1];

  PetscFunctionBegin;
  *work = 0;
  PetscCall(begin(s, now));
  for (PetscInt n = 0; n < steps; n++) {
    if (n % s->stride == 0) PetscCall(VecCopy(now, s->kept[n / s->stride]));
    PetscCall(add_work(s, 3 * n, 3 * n + 1, 1, &now, work));
    PetscCall(fare_adjoint_step_forward(s, n, now, s->within[0], next));
    PetscCall(add_work(s, 3 * n + 1, 3 * n + 3, 2, (Vec[]){now, next}, work));
    const Vec swap = now;

    now  = next;
    next = swap;
  }
  PetscCall(add_work(s, 3 * steps, 3 * steps + 1, 1, &now, work));
  PetscCall(VecCopy(now, s->kept[s->stride]));
  PetscFunctionReturn(0);
}

/* KL(P || target) and its derivative by P; masses that are not positive have no part in it. */
static PetscErrorCode diverge(fare_adjoint *s, Vec P, double *sum)
{
  const PetscScalar *p, *q;
  PetscScalar       *slope;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(P, &p));
  PetscCall(VecGetArrayRead(s->goal.field, &q));
  PetscCall(VecGetArrayWrite(s->psi, &slope));
  *sum = 0;
  for (PetscInt n = 0; n < s->place.owned; n++) {
    const double ratio = p[n] > 0 ? log(p[n] / q[n]) : 0;

    slope[n] = p[n] > 0 ? ratio + 1 : 0;
    *sum += p[n] * ratio;
  }
  PetscCall(VecRestoreArrayWrite(s->psi, &slope));
  PetscCall(VecRestoreArrayRead(s->goal.field, &q));
  PetscCall(VecRestoreArrayRead(P, &p));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 1, MPI_DOUBLE, MPI_SUM, s->grid->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_adjoint_free_energy(fare_adjoint *s, double *free_energy)
{
  double before, after;

  PetscFunctionBegin;
  PetscCall(boltzmann_at(s, 0, s->a, &before));
  PetscCall(boltzmann_at(s, s->protocol->places - 1, s->a, &after));
  *free_energy = s->kT * (after - before);
  PetscFunctionReturn(0);
}

/* The goal, from the work and the masses P at the end, and psi there; of events psi alone. */
static PetscErrorCode finish(fare_adjoint *s, Vec P, double work, double *goal)
{
  static const double reached[] = {1, 0};
  double              free_energy;

  PetscFunctionBegin;
  PetscCall(VecSet(s->psi, 0));
  switch (s->goal.kind) {
  case FARE_GOAL_WORK:
  case FARE_GOAL_CYCLE:
    *goal = work;
    break;
  case FARE_GOAL_DISSIPATION:
    PetscCall(fare_adjoint_free_energy(s, &free_energy));
    *goal = work - free_energy;
    break;
  case FARE_GOAL_OBSERVABLE:
    PetscCall(VecCopy(s->goal.field, s->psi));
    PetscCall(VecDot(s->psi, P, goal));
    break;
  case FARE_GOAL_DIVERGENCE:
    PetscCall(diverge(s, P, goal));
    break;
  case FARE_GOAL_EVENT:
    PetscCall(fare_absorbing_hold(s->place.absorbing, reached, s->psi));
    break;
  }
  PetscFunctionReturn(0);
}

/*
  One step backward, psi going along; P, Y and next: masses of the step. gradient: this rank's part, NULL:
  none.
*/
static PetscErrorCode step_backward(fare_adjoint *s, PetscInt step, Vec P, Vec Y, Vec next, double gradient[])
{
  const PetscInt b = 3 * step + 1, e = b + 2;
  const double   width      = fare_adjoint_width(s, step);
  const int      parameters = s->protocol->parameters;

  PetscFunctionBegin;
  PetscCall(add_rise(s, b, e, 0.5));
  PetscCall(fare_adjoint_move(s, e, width));
  PetscCall(fare_adjoint_solve_backward(s, width, s->psi));
  PetscCall(VecCopy(s->psi, s->a));
  PetscCall(VecScale(s->a, AHEAD));
  PetscCall(fare_adjoint_move(s, b + 1, width));
  PetscCall(fare_adjoint_solve_backward(s, width, s->a));
  if (gradient) {
    PetscCall(fare_form_differentiate(
      &s->place, fare_adjoint_values(s, e), fare_form_rates, s->psi, next, width, gradient + e * parameters));
    PetscCall(fare_form_differentiate(&s->place, fare_adjoint_values(s, b + 1), fare_form_rates, s->a, Y,
      width, gradient + (b + 1) * parameters));
  }
  if (gradient && needs_work(&s->goal)) {
    PetscCall(VecWAXPY(s->r, -1, next, P));
    for (int end = 0; end < 2; end++)
      PetscCall(fare_form_differentiate(&s->place, fare_adjoint_values(s, end ? e : b), fare_form_energy,
        s->r, NULL, 0.5 * s->kT, gradient + (end ? e : b) * parameters));
  }
  PetscCall(VecAXPBY(s->psi, 1, -BACK, s->a));
  PetscCall(add_rise(s, b, e, 0.5));
  PetscFunctionReturn(0);
}

/* What the values before the start and after the end have beside work done elsewhere. */
static PetscErrorCode differentiate_ends(fare_adjoint *s, double gradient[])
{
  const PetscInt last  = s->protocol->places - 1;
  double        *after = gradient + last * s->protocol->parameters;
  PetscScalar    mean;

  PetscFunctionBegin;
  if (needs_work(&s->goal)) {
    PetscCall(fare_form_differentiate(
      &s->place, fare_adjoint_values(s, last), fare_form_energy, s->kept[s->stride], NULL, s->kT, after));
    PetscCall(fare_form_differentiate(
      &s->place, fare_adjoint_values(s, 0), fare_form_energy, s->kept[0], NULL, -s->kT, gradient));
  }
  if (s->goal.kind == FARE_GOAL_DISSIPATION) {
    PetscCall(boltzmann_at(s, last, s->a, NULL));
    PetscCall(fare_form_differentiate(
      &s->place, fare_adjoint_values(s, last), fare_form_energy, s->a, NULL, -s->kT, after));
    PetscCall(boltzmann_at(s, 0, s->a, NULL));
    PetscCall(fare_form_differentiate(
      &s->place, fare_adjoint_values(s, 0), fare_form_energy, s->a, NULL, s->kT, gradient));
  }
  if (s->start || s->around) PetscFunctionReturn(0);
  PetscCall(boltzmann_at(s, 0, s->a, NULL));
  PetscCall(VecDot(s->psi, s->a, &mean));
  PetscCall(VecShift(s->psi, -mean));
  PetscCall(VecPointwiseMult(s->a, s->a, s->psi));
  PetscCall(fare_form_differentiate(
    &s->place, fare_adjoint_values(s, 0), fare_form_energy, s->a, NULL, -1, gradient));
  PetscFunctionReturn(0);
}

/* Stride by stride: masses forward from what was kept, psi backward. */
static PetscErrorCode run_backward(fare_adjoint *s, double gradient[])
{
  const PetscInt steps = s->protocol->steps;

  PetscFunctionBegin;
  PetscCall(add_rise(s, 3 * steps, 3 * steps + 1, 1));
  for (PetscInt first = (steps - 1) / s->stride * s->stride, end = steps; first >= 0;
       end = first, first -= s->stride) {
    if (gradient) PetscCall(VecCopy(s->kept[first / s->stride], s->masses[0]));
    for (PetscInt n = first; n < end && gradient; n++)
      PetscCall(fare_adjoint_step_forward(
        s, n, s->masses[n - first], s->within[n - first], s->masses[n - first + 1]));
    for (PetscInt n = end - 1; n >= first; n--) {
      PetscCall(
        step_backward(s, n, s->masses[n - first], s->within[n - first], s->masses[n - first + 1], gradient));
      PetscCall(add_rise(s, 3 * n, 3 * n + 1, 1));
    }
  }
  PetscFunctionReturn(0);
}

/* Period after period, until one brings the masses back; from those of the drive that was run before. */
static PetscErrorCode settle(fare_adjoint *s, double *work)
{
  PetscReal change = HUGE_VAL;

  PetscFunctionBegin;
  for (int period = 0; period < PERIODS && change > SETTLED; period++) {
    PetscCall(run_forward(s, work));
    PetscCall(VecAXPY(s->around, -1, s->kept[s->stride]));
    PetscCall(fare_norm_1(s->around, &change));
    PetscCall(VecCopy(s->kept[s->stride], s->around));
  }
  if (!(change <= SETTLED))
    FARE_FAIL(FARE_ERR_FAILED,
      "adjoint: %d periods do not bring the density to a periodic one: %.1e are left", PERIODS, change);
  PetscFunctionReturn(0);
}

/*
  What follows counts psi, which is the same a period later but for the mean work of each period: what a
  change of the masses does to the work of all periods to come (Poisson's equation of the period).
*/
static PetscErrorCode settle_backward(fare_adjoint *s)
{
  PetscReal   change = HUGE_VAL, size = 0;
  PetscScalar mean;
  Vec         before;

  PetscFunctionBegin;
  PetscCall(VecDuplicate(s->psi, &before));
  for (int period = 0; period < PERIODS && change > SETTLED * size; period++) {
    PetscCall(VecCopy(s->psi, before));
    PetscCall(run_backward(s, NULL));
    PetscCall(VecDot(s->psi, s->around, &mean));
    PetscCall(VecShift(s->psi, -mean));
    PetscCall(VecAXPY(before, -1, s->psi));
    PetscCall(VecNorm(before, NORM_INFINITY, &change));
    PetscCall(VecNorm(s->psi, NORM_INFINITY, &size));
  }
  PetscCall(VecDestroy(&before));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_adjoint_run(fare_adjoint *s, const double value[], double *goal, double gradient[])
{
  const PetscBool event = s->goal.kind == FARE_GOAL_EVENT ? PETSC_TRUE : PETSC_FALSE;
  const int       sums  = (int)(s->protocol->places * s->protocol->parameters);
  double          work  = 0;

  PetscFunctionBegin;
  s->value = value;
  if (gradient) PetscCall(PetscArrayzero(gradient, sums));
  if (gradient) PetscCall(fare_place_choose_steps(&s->place, value));
  if (s->around)
    PetscCall(settle(s, &work));
  else if (gradient || !event)
    PetscCall(run_forward(s, &work));
  PetscCall(finish(s, s->kept[s->stride], work, goal));
  if (!gradient && !event) PetscFunctionReturn(0);
  if (s->around) PetscCall(settle_backward(s));
  PetscCall(run_backward(s, gradient));
  if (event) {
    if (s->start)
      PetscCall(VecCopy(s->start, s->a));
    else
      PetscCall(boltzmann_at(s, 0, s->a, NULL));
    PetscCall(VecDot(s->psi, s->a, goal));
  }
  if (!gradient) PetscFunctionReturn(0);
  PetscCall(differentiate_ends(s, gradient));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, gradient, sums, MPI_DOUBLE, MPI_SUM, s->grid->comm));
  PetscFunctionReturn(0);
}
