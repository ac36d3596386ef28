/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that all kinds of driven analyses share, and what they keep of the solution. */
#include "analysis.h"

#include <math.h>

static PetscErrorCode check_repeats(
  const fare_node *node, const fare_system *system, double start, double period)
{
  enum { MOMENTS = 1000 };
  const fare_node *at    = fare_node_find(node, "period");
  int              apart = 0;

  PetscFunctionBegin;
  for (int i = 0; i < MOMENTS; i++)
    apart += !fare_system_repeats(system, start + period * (i + 0.5) / MOMENTS, period);
  /* at a jump round-off may decide on which side a moment lies */
  if (apart > MOMENTS / 100) FARE_REFUSE(at ? at : node, "the drive does not repeat after %g", period);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_drive_check(const fare_node *node, const fare_system *system, double start, double end)
{
  const PetscErrorCode code = fare_system_check(system, start, end);
  char                 why[512];

  PetscFunctionBegin;
  if (!code) PetscFunctionReturn(0);
  PetscCall(PetscStrncpy(why, fare_error_message(), sizeof why));
  FARE_REFUSE(node, "%s", why);
}

PetscErrorCode fare_period_check(
  const fare_node *node, const fare_system *system, double start, double period, const char *instead)
{
  PetscFunctionBegin;
  if (!fare_system_is_driven(system)) FARE_REFUSE(node, "no parameter is driven: use '%s' instead", instead);
  if (period > 0) PetscCall(fare_drive_check(node, system, start, start + period));
  if (period > 0) PetscCall(check_repeats(node, system, start, period));
  PetscFunctionReturn(0);
}

const char *const fare_driven_after[] = {[FARE_AFTER_FROZEN] = "frozen", [FARE_AFTER_OVER] = "over", NULL};

PetscErrorCode fare_driven_check(const fare_driven_keys *keys, const fare_node *node,
  const fare_system *system, double time, const char *instead)
{
  PetscFunctionBegin;
  if (!(keys->period > 0) == !(keys->span > 0))
    FARE_REFUSE(node, "expected one of 'period' and 'span', got %s", keys->span > 0 ? "both" : "neither");
  if (keys->period > 0 && keys->after == FARE_AFTER_OVER)
    FARE_REFUSE(
      fare_node_find(node, "after"), "a periodic drive is never over; give a span instead of the period");
  if (keys->span > 0) PetscCall(fare_drive_check(node, system, time, time + keys->span));
  /* to arrive before the end is a question without a drive, too */
  if (keys->span > 0 && keys->after == FARE_AFTER_OVER) PetscFunctionReturn(0);
  PetscCall(fare_period_check(node, system, time, keys->period, instead));
  PetscFunctionReturn(0);
}

void fare_driven_plan(const fare_driven_keys *keys, double time, fare_span *span, double starts[])
{
  const double length = keys->period > 0 ? keys->period : keys->span;

  *span = (fare_span){
    time, time + length, keys->period > 0 ? FARE_AFTER_PERIODIC : (fare_after)keys->after, keys->tolerance};
  for (PetscInt64 k = 0; k < keys->starts; k++) starts[k] = time + length * (double)k / (double)keys->starts;
}

void fare_driven_keep(const fare_driven_keys *keys, PetscBool relative, const fare_driven *driven,
  const double starts[], const char *what, fare_findings *found)
{
  fare_found_exact(found, "starts", what, (size_t)keys->starts, 1, starts);
  fare_found_number(found, "step_error",
    relative ? "estimated, of the time stepping, of ln_committor at the points"
             : "estimated, of the time stepping, relative to the largest value",
    driven->error);
  fare_found_number(found, "steps", "time steps over the span", (double)driven->steps);
  fare_found_number(
    found, "sweeps", "backward over the whole span, until convergence", (double)driven->iterations);
  fare_found_number(
    found, "residual", "of the periodic solution, or of the frozen one at the end", driven->residual);
}
