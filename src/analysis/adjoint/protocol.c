/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps in time, and the places at which a drive has values. */
#include "adjoint.h"

#define EDGE 1e-10 /* of a step: on which side of a jump */

PetscErrorCode fare_protocol_create(
  PetscInt count, const double time[], int parameters, const int parameter[], fare_protocol *protocol)
{
  const PetscInt steps = count - 1;

  PetscFunctionBegin;
  *protocol = (fare_protocol){.steps = steps, .parameters = parameters, .places = 3 * steps + 2};
  if (steps < 1) FARE_FAIL(FARE_ERR_INPUT, "a drive needs at least one step in time");
  for (PetscInt n = 0; n < steps; n++) {
    if (!(time[n + 1] > time[n]))
      FARE_FAIL(FARE_ERR_INPUT, "times of a drive must rise, got %g after %g", time[n + 1], time[n]);
  }
  PetscCall(PetscArraycpy(protocol->parameter, parameter, parameters));
  PetscCall(PetscMalloc2(count, &protocol->time, protocol->places, &protocol->at));
  PetscCall(PetscArraycpy(protocol->time, time, count));
  protocol->at[0] = time[0];
  for (PetscInt n = 0; n < steps; n++) {
    protocol->at[3 * n + 1] = time[n];
    protocol->at[3 * n + 2] = time[n] + FARE_ADJOINT_STAGE * (time[n + 1] - time[n]);
    protocol->at[3 * n + 3] = time[n + 1];
  }
  protocol->at[3 * steps + 1] = time[steps];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_protocol_free(fare_protocol *protocol)
{
  PetscFunctionBegin;
  PetscCall(PetscFree2(protocol->time, protocol->at));
  *protocol = (fare_protocol){0};
  PetscFunctionReturn(0);
}

/* Before the start and after the end it is as it is at these times; otherwise on its own side of a jump. */
void fare_protocol_sample(const fare_protocol *protocol, const fare_system *system, double value[])
{
  for (PetscInt place = 0; place < protocol->places; place++) {
    const PetscInt step = PetscMin(protocol->steps - 1, (PetscMax(place, 1) - 1) / 3);
    const double   edge = EDGE * (protocol->time[step + 1] - protocol->time[step]);
    double         t    = protocol->at[place], theta[FARE_PARAMETERS_MAX];

    if (place && place % 3 == 1 && place < protocol->places - 1) t += edge;
    if (place && place % 3 == 0) t -= edge;
    fare_system_parameters(system, t, theta);
    for (int k = 0; k < protocol->parameters; k++)
      value[place * protocol->parameters + k] = theta[protocol->parameter[k]];
  }
}
