/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the sampler normalizing_flow: its state, and the conditional splines that all of it works with. */
#ifndef FARE_NORMALIZING_FLOW_H
#define FARE_NORMALIZING_FLOW_H

#include "sampler/shared/generative.h"
#include "spline.h"

/*
  Axis k is laid on the unit interval, v = (x - lower)/(upper - lower), and from there by a spline on y, whose
  density is the normal one of u = PULL (y - 1/2); of a periodic axis it is even. The spline's parameters are
  network k's answer to t and the coordinates of the axes before.
*/
typedef struct {
  fare_generative common; /* with the network of axis 0 */
  PetscInt64      bins;

  double        lower[FARE_AXES_MAX], upper[FARE_AXES_MAX];
  fare_network *further[FARE_AXES_MAX]; /* of the other axes */
  fare_spline  *spline[FARE_AXES_MAX];
  float        *input, *theta;
  double        time; /* of the last advance */
} fare_normalizing_flow;

#define FARE_NORMALIZING_FLOW_PULL 10.0 /* the ends of the unit interval are five standard deviations out */

/* From positions to the unit interval and back; on a periodic axis the interval that comes is any. */
static inline double fare_normalizing_flow_unit(const fare_normalizing_flow *s, int axis, double x)
{
  return (x - s->lower[axis]) / (s->upper[axis] - s->lower[axis]);
}
static inline double fare_normalizing_flow_place(const fare_normalizing_flow *s, int axis, double v)
{
  return s->lower[axis] + (s->upper[axis] - s->lower[axis]) * v;
}
/* Inputs that the coordinates of the axes before `axis` make, n rows of a tile. */
void fare_normalizing_flow_places(
  const fare_sampler *sampler, int axis, int n, const double *const x[], float input[]);
fare_network *fare_normalizing_flow_network(const fare_normalizing_flow *s, int axis);
/*
  The splines of an axis at time t (its `time` inputs) for n rows with coordinates x of the axes before; of
  the first axis one row, whatever n.
*/
void fare_normalizing_flow_condition(
  fare_sampler *sampler, int axis, const float time[], int n, const double *const x[]);

/*
  ln q of what was learned for the time of the last advance, at n points x[axis][i], in any number of axes.
  Not collective.
*/
PetscErrorCode fare_normalizing_flow_log_density(
  fare_sampler *sampler, int64_t n, const double *const x[], double log_density[]);
/*
  Exact cell masses of what was learned: cumulative functions along each axis, at Gauss points of the axes
  before. Collective.
*/
PetscErrorCode fare_normalizing_flow_masses(
  fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);

#endif
