/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stepper reports of its steps, whichever it is. */
#include "truth/rates/operator.h"

#include <math.h>

#define LOOKS 8 /* steps from one look at the cells to the next */

PetscErrorCode fare_evolution_watch(fare_evolution *e, Vec masses, double smallest)
{
  double sum;

  PetscFunctionBegin;
  PetscCall(fare_sum(masses, &sum));
  e->mass_drift = PetscMax(e->mass_drift, e->absorbs ? sum - 1 : fabs(sum - 1));
  e->minimum    = PetscMin(e->minimum, smallest / fare_grid_volume(e->grid));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_look(fare_evolution *e, double t, Vec masses)
{
  fare_resolution now;

  PetscFunctionBegin;
  if (!e->residual) PetscFunctionReturn(0);
  PetscCall(fare_resolution_look(e->grid, e->system, t, masses, &now));
  for (int axis = 0; axis < e->grid->dim; axis++)
    e->steepest[axis] = PetscMax(e->steepest[axis], now.steep[axis]);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_stepped(fare_evolution *e, double t, Vec masses, double smallest)
{
  PetscFunctionBegin;
  if (e->residual) PetscCall(fare_residual_step(e->residual, e->op, t, masses, &e->time_bound));
  if (e->absorbs) PetscCall(fare_exits_step(&e->exits, e->op, t, masses));
  PetscCall(fare_evolution_watch(e, masses, smallest));
  if (e->steps % LOOKS == 0) PetscCall(fare_evolution_look(e, t, masses));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_evolution_pause(fare_evolution *e, double t)
{
  PetscFunctionBegin;
  e->before = t;
  if (e->pause) PetscCall(e->pause(e->pause_context));
  PetscFunctionReturn(0);
}

/*
  The sum is 1, or less where ends absorb. What a solve loses is far below the tolerance of a step, or
  rounding of its largest rate times the step.
*/
PetscErrorCode fare_evolution_check_mass(fare_evolution *e, double t, double sum)
{
  const double off = e->absorbs ? sum - 1 : fabs(sum - 1);
  /* what it was off before a step is not the solve's */
  double most = 0.1 * e->tolerance + 1e-10 + e->mass_drift, rate;

  PetscFunctionBegin;
  if (off <= most) PetscFunctionReturn(0);
  PetscCall(fare_operator_largest_rate(e->op, &rate));
  most += 16 * PETSC_MACHINE_EPSILON * rate / e->shift;
  if (!(off <= most)) {
    FARE_FAIL(FARE_ERR_FAILED,
      "truth: a solve at time %g changed the mass by %.1e, which neither the solver's tolerance nor rounding "
      "explains (at most %.1e): the generator on this grid does not conserve probability",
      t, off, most);
  }
  PetscFunctionReturn(0);
}
