/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The evolution by explicit transport of high order (transport.c). Its steps are as long as stability allows,
  equally long up to the next stop; the tolerance tells only what is next to nothing. The steps that are left
  follow from the time and the largest rate seen last, so that they go on alike after a restart.
*/
#include "truth/rates/operator.h"
#include "truth/transport/transport.h"

#include <math.h>

#define SLACK 1.01 /* by which the rate may grow within the step that it was chosen for */

/* A step of a driven system is made of two, with parameters of their own. */
static int halves(const fare_evolution *e)
{
  return fare_system_is_driven(e->system) ? 2 : 1;
}

/* The length of the next step on a way to `end`, and what belongs to its first half. */
static PetscErrorCode prepare_step(fare_evolution *e, double end, double longest, double *length)
{
  const double left = end - e->before;
  double       rate = e->rate;

  PetscFunctionBegin;
  if (!(rate > 0)) {
    PetscCall(fare_transport_prepare(e->transport, e->before, 0, 0));
    rate = e->transport->rate;
  }
  for (;;) {
    const double most = FARE_TRANSPORT_STABLE * halves(e) / (rate * e->parts);

    *length = left / PetscMax(1, ceil(left / PetscMin(longest, most) - 1e-9));
    e->rate = 0;
    for (int half = halves(e) - 1; half >= 0; half--) {
      PetscCall(fare_transport_prepare(e->transport, e->before, *length, half));
      e->rate = PetscMax(e->rate, e->transport->rate);
    }
    if (!isfinite(e->rate)) {
      PetscCall(fare_operator_rates(e->op, e->before + 0.5 * *length));
      FARE_FAIL(FARE_ERR_FAILED, "truth: drift or diffusion is not finite at time %g", e->before);
    }
    if (e->rate <= SLACK * rate) PetscFunctionReturn(0);
    rate = e->rate;
  }
}

static void watch(fare_evolution *e, const fare_transport_step_result *r)
{
  for (int end = 0; end < 2 * FARE_DIM_MAX; end++)
    e->exits.absorbed[end / 2][end % 2] += r->absorbed[end / 2][end % 2];
  e->mass_drift            = PetscMax(e->mass_drift, r->off);
  e->minimum               = PetscMin(e->minimum, r->least / fare_grid_volume(e->grid));
  e->positivity_correction = PetscMax(e->positivity_correction, r->negative);
  e->dropped += r->dropped;
  e->steps++;
}

static PetscErrorCode step(fare_evolution *e, double length)
{
  PetscFunctionBegin;
  for (int half = 0; half < halves(e); half++) {
    fare_transport_step_result result;
    double                     sum = 1;

    for (int i = 0; i < 2 * FARE_DIM_MAX; i++) sum -= e->exits.absorbed[i / 2][i % 2];
    if (half) PetscCall(fare_transport_fit_window(e->transport));
    if (half) PetscCall(fare_transport_prepare(e->transport, e->before, length, half));
    PetscCall(fare_transport_step(e->transport, length / halves(e), sum, &result));
    watch(e, &result);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_transport_advance(fare_evolution *e, double end, double longest)
{
  PetscFunctionBegin;
  while (e->before < end) {
    double length = 0, t;

    PetscCall(fare_transport_fit_window(e->transport));
    PetscCall(prepare_step(e, end, longest, &length));
    t = e->before + length >= end - 1e-14 * fabs(end) ? end : e->before + length;
    if (!(t > e->before))
      FARE_FAIL(FARE_ERR_FAILED,
        "truth: the time stepping gave up at time %g with step %g: the drift is too fast", e->before, length);
    PetscCall(step(e, length));
    e->before  = t;
    e->fullest = PetscMax(e->fullest, length / longest);
    if (t < end) PetscCall(fare_evolution_pause(e, t));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &e->minimum, 1, MPI_DOUBLE, MPI_MIN, e->grid->comm));
  PetscCall(fare_transport_masses(e->transport, e->masses));
  PetscFunctionReturn(0);
}
