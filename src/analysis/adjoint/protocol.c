/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps in time, and the places at which a drive has values. */
#include "adjoint.h"

#include <math.h>

#define EDGE     1e-10 /* of a step: on which side of a jump */
#define ROUNDING 1e-13 /* of a time */

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

#define STOPS_MAX 100000
#define HALVINGS  6 /* of the step next to a jump or an end */

/* Where steps must end, and whether those next to it are small. */
typedef struct {
  int     count;
  double *t;
  char   *rough;
} stops;

/* Pieces' ends and corners, merged: two closer than this share of a piece are one. */
static PetscErrorCode find_stops(const fare_system *system, double start, double end, int pieces, stops *s)
{
  const double close  = 1e-9 * (end - start) / pieces;
  double       corner = fare_system_next_corner(system, start), jump = fare_system_next_jump(system, start);

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(STOPS_MAX, &s->t, STOPS_MAX, &s->rough));
  s->count = 0;
  for (int piece = 0; piece <= pieces;) {
    const double at = start + (end - start) * piece / pieces, t = PetscMin(at, corner);

    if (s->count == STOPS_MAX) FARE_FAIL(FARE_ERR_INPUT, "the drive has more than %d corners", STOPS_MAX);
    if (s->count && t - s->t[s->count - 1] < close) {
      s->rough[s->count - 1] |= jump <= t + close;
    } else {
      s->t[s->count]       = t;
      s->rough[s->count++] = jump <= t + close || piece == 0 || piece == pieces;
    }
    if (at <= t) piece++;
    if (corner <= t) corner = fare_system_next_corner(system, corner);
    while (jump <= t) jump = fare_system_next_jump(system, jump);
  }
  s->rough[0] = s->rough[s->count - 1] = 1;
  PetscFunctionReturn(0);
}

/* Times of the steps from one stop to the next, its own left out; NULL counts them. How many. */
static PetscInt lay(const stops *s, int i, double widest, double time[])
{
  const double   length = s->t[i + 1] - s->t[i];
  const PetscInt equal  = PetscMax(2, (PetscInt)ceil(length / widest * (1 - 1e-9)));
  const double   width  = length / (double)equal;
  PetscInt       n      = 0;

  for (PetscInt k = 0; k < equal; k++) {
    const double from = s->t[i] + width * (double)k;

    if (time) time[n] = from;
    n++;
    for (int h = HALVINGS; h > 0 && k == 0 && s->rough[i]; h--, n++) {
      if (time) time[n] = from + width / (double)(1 << h);
    }
    for (int h = 1; h <= HALVINGS && k == equal - 1 && s->rough[i + 1]; h++, n++) {
      if (time) time[n] = s->t[i + 1] - width / (double)(1 << h);
    }
  }
  return n;
}

PetscErrorCode fare_protocol_plan(const fare_system *system, double start, double end, int pieces,
  PetscInt steps, int parameters, const int parameter[], fare_protocol *protocol)
{
  const double widest = (end - start) / (double)steps;
  PetscInt     count  = 1;
  stops        s;
  double      *time;

  PetscFunctionBegin;
  PetscCall(find_stops(system, start, end, pieces, &s));
  for (int i = 0; i + 1 < s.count; i++) count += lay(&s, i, widest, NULL);
  PetscCall(PetscMalloc1(count, &time));
  count = 0;
  for (int i = 0; i + 1 < s.count; i++) count += lay(&s, i, widest, time + count);
  time[count++] = s.t[s.count - 1];
  PetscCall(fare_protocol_create(count, time, parameters, parameter, protocol));
  PetscCall(PetscFree(time));
  PetscCall(PetscFree2(s.t, s.rough));
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
    const PetscInt step  = PetscMin(protocol->steps - 1, (PetscMax(place, 1) - 1) / 3);
    const double   width = protocol->time[step + 1] - protocol->time[step],
                 edge    = PetscMin(0.25 * width, EDGE * width + ROUNDING * fabs(protocol->at[place]));
    double t             = protocol->at[place], theta[FARE_PARAMETERS_MAX];

    if (place && place % 3 == 1 && place < protocol->places - 1) t += edge;
    if (place && place % 3 == 0) t -= edge;
    fare_system_parameters(system, t, theta);
    for (int k = 0; k < protocol->parameters; k++)
      value[place * protocol->parameters + k] = theta[protocol->parameter[k]];
  }
}
