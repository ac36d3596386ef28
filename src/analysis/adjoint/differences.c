/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Forms differentiated by the values of a place, by central differences. A parameter may have any unit. So its
  step follows from what it does: the largest change of V/kT, but for one that is the same everywhere, and of
  the logarithms of rates is about CHANGE, among cells that may have mass. What differences leave is of the
  order of CHANGE^2 then, and rounding of that of 1e-16/CHANGE.
*/
#include "adjoint.h"

#include <math.h>

#define CHANGE 1e-4
#define NEARLY 6   /* times more or less is good enough */
#define LEAP   1e4 /* most by which a trial grows or shrinks */
#define TRIALS 40
#define FINEST 1e-12 /* of a value: narrower steps are lost by rounding */
#define PROBES 5     /* places of a drive at which steps are tried; the narrowest counts */
#define HIGH   50    /* kT: cells whose V is by more above the least do not count */
#define BLIND  1e-5  /* where nothing changes: step, relative to the value or to 1 */

/* V/kT at centres, its least value on all ranks, and logarithms of rates out of cells, of owned cells. */
typedef struct {
  PetscInt cells, faces; /* faces: of each cell */
  double  *energy, least, *rate;
} state;

static PetscErrorCode state_create(const fare_place *place, state *s)
{
  PetscFunctionBegin;
  s->cells = place->owned;
  s->faces = 2 * place->grid->dim;
  PetscCall(PetscMalloc2(s->cells, &s->energy, s->cells * s->faces, &s->rate));
  PetscFunctionReturn(0);
}

static PetscErrorCode take(fare_place *place, const double value[], state *s)
{
  const PetscBool energies = fare_system_has_potential(place->system);

  PetscFunctionBegin;
  PetscCall(fare_place_set(place, value));
  PetscCall(fare_absorbing_move(place->absorbing, 0));
  for (PetscInt at = 0; at < s->cells * s->faces; at++)
    s->rate[at] = place->absorbing->leaving[at] > 0 ? log(place->absorbing->leaving[at]) : -HUGE_VAL;
  PetscCall(PetscArrayzero(s->energy, s->cells));
  s->least = 0;
  if (!energies) PetscFunctionReturn(0);
  fare_system_potential(
    place->system, 0, (size_t)place->owned, (const double *const *)place->centre, s->energy);
  for (PetscInt n = 0; n < s->cells; n++) s->energy[n] /= fare_system_kT(place->system, 0);
  s->least = HUGE_VAL;
  for (PetscInt n = 0; n < s->cells; n++) s->least = PetscMin(s->least, s->energy[n]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &s->least, 1, MPI_DOUBLE, MPI_MIN, place->grid->comm));
  PetscFunctionReturn(0);
}

/* The largest change of all, on all ranks; infinite where one of them is not finite. Collective. */
static PetscErrorCode compare(const fare_place *place, const state *here, const state *there, double *change)
{
  double most[] = {-HUGE_VAL, -HUGE_VAL, 0}; /* of V/kT, of its negative, of rates */

  PetscFunctionBegin;
  for (PetscInt n = 0; n < here->cells; n++) {
    const double rise = there->energy[n] - here->energy[n];

    if (!(here->energy[n] - here->least <= HIGH)) continue;
    most[0] = isfinite(rise) ? PetscMax(most[0], rise) : HUGE_VAL;
    most[1] = isfinite(rise) ? PetscMax(most[1], -rise) : HUGE_VAL;
    for (PetscInt at = n * here->faces; at < (n + 1) * here->faces; at++) {
      if (isfinite(here->rate[at]) && isfinite(there->rate[at]))
        most[2] = PetscMax(most[2], fabs(there->rate[at] - here->rate[at]));
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, 3, MPI_DOUBLE, MPI_MAX, place->grid->comm));
  *change = PetscMax(most[0] + most[1], most[2]);
  PetscFunctionReturn(0);
}

/* A step that a double can take exactly from that value. */
static double exact_step(double value, double step)
{
  const volatile double moved = value + step;

  return moved - value;
}

/* By one parameter at one place. *step: where to begin; afterwards 0 where nothing changes. Collective. */
static PetscErrorCode find_step(
  fare_place *place, const double value[], int k, state *here, state *there, double *step)
{
  const fare_parameter *row = &fare_system_type_of(place->system)->parameters[place->protocol->parameter[k]];
  const double finest = FINEST * PetscMax(fabs(value[k]), 1e-280), widest = 0.25 * (row->max - row->min);
  double       moved[FARE_PARAMETERS_MAX], change                         = 0;

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(moved, value, place->protocol->parameters));
  PetscCall(take(place, value, here));
  for (int trial = 0; trial < TRIALS; trial++) {
    *step    = PetscMax(finest, PetscMin(widest, *step));
    moved[k] = value[k] + *step > row->max ? value[k] - *step : value[k] + *step;
    PetscCall(take(place, moved, there));
    PetscCall(compare(place, here, there, &change));
    if (change > CHANGE / NEARLY && change < CHANGE * NEARLY) PetscFunctionReturn(0);
    if ((change <= CHANGE && *step == widest) || (change >= CHANGE && *step == finest)) break;
    *step *= PetscMax(1 / LEAP, PetscMin(LEAP, CHANGE / change));
  }
  if (change == 0) *step = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_place_choose_steps(fare_place *place, const double value[])
{
  const fare_protocol *protocol = place->protocol;
  state                here, there;

  PetscFunctionBegin;
  PetscCall(state_create(place, &here));
  PetscCall(state_create(place, &there));
  for (int k = 0; k < protocol->parameters; k++) {
    double largest = 0, begin = BLIND;

    place->step[k] = HUGE_VAL;
    for (int probe = 0; probe < PROBES; probe++) {
      const double *at = value + (protocol->places - 1) * probe / (PROBES - 1) * protocol->parameters;
      double        step;

      largest = PetscMax(largest, fabs(at[k]));
      step    = begin;
      PetscCall(find_step(place, at, k, &here, &there, &step));
      if (step == 0) continue;
      begin          = step;
      place->step[k] = PetscMin(place->step[k], step);
    }
    if (isinf(place->step[k])) place->step[k] = BLIND * (largest > 0 ? largest : 1);
  }
  PetscCall(PetscFree2(here.energy, here.rate));
  PetscCall(PetscFree2(there.energy, there.rate));
  PetscFunctionReturn(0);
}

/*
  Where differences are taken, in units of `step`, and what each counts, over that: central, or of the same
  order from inside at an end of the parameter's range. How many.
*/
static int stencil(const fare_parameter *row, double value, double step, double at[3], double count[3])
{
  const int side = value + step > row->max ? -1 : value - step < row->min ? 1 : 0;

  if (!side) {
    at[0] = 1, at[1] = -1;
    count[0] = 0.5, count[1] = -0.5;
    return 2;
  }
  at[0] = 0, at[1] = side, at[2] = 2 * side;
  count[0] = -1.5 * side, count[1] = 2 * side, count[2] = -0.5 * side;
  return 3;
}

PetscErrorCode fare_form_differentiate(fare_place *place, const double value[], fare_place_form form,
  const void *x, const void *y, double factor, double gradient[])
{
  const fare_protocol  *protocol = place->protocol;
  const fare_parameter *row      = fare_system_type_of(place->system)->parameters;

  PetscFunctionBegin;
  for (int k = 0; k < protocol->parameters; k++) {
    const double step = exact_step(value[k], place->step[k]);
    double       at[3], count[3], moved[FARE_PARAMETERS_MAX], sum;
    const int    points = stencil(&row[protocol->parameter[k]], value[k], step, at, count);

    PetscCall(PetscArraycpy(moved, value, protocol->parameters));
    for (int i = 0; i < points; i++) {
      moved[k] = value[k] + at[i] * step;
      PetscCall(fare_place_set(place, moved));
      PetscCall(form(place, x, y, &sum));
      gradient[k] += factor * count[i] * sum / step;
    }
  }
  PetscFunctionReturn(0);
}
