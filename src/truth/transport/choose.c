/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Which scheme serves a system on its cells. Fitted rates are of second order where cells resolve the balance
  of drift and diffusion, and keep Boltzmann's density at rest to rounding; where they do not, or where there
  is no diffusion to balance, they are upwind, of first order. Transport is of order 7 everywhere, but its
  steps are bounded by stability, which diffusion over small cells makes dear.
*/
#include "transport.h"

#include <math.h>

#define SAMPLES 24  /* points along each axis at which drift and diffusion are looked at */
#define STEEP   4.0 /* cell Peclet number |f| h/D: at half of the points or more drift outruns diffusion */
#define STIFF   4.0 /* times as fast as drift crosses cells: diffusion that is better implicit */

/* Of a row of SAMPLES points along the first axis: counts those where cells are steep; the largest rates. */
static void look_along(const fare_system *system, double t, const double h[], const double *const x[],
  int steep[FARE_DIM_MAX], double rates[2], PetscBool *drifts_alone)
{
  const int     dim = fare_system_dimension(system);
  double        f[FARE_DIM_MAX][SAMPLES], D[FARE_DIM_MAX][SAMPLES];
  double *const to_f[] = {f[0], f[1], f[2]}, *const to_D[] = {D[0], D[1], D[2]};

  fare_system_drift(system, t, SAMPLES, x, to_f);
  fare_system_diffusion(system, t, SAMPLES, x, to_D);
  for (int i = 0; i < SAMPLES; i++) {
    double drift = 0, diffusion = 0;

    for (int axis = 0; axis < dim; axis++) {
      const double rate = fabs(f[axis][i]) / h[axis], spread = D[axis][i] / (h[axis] * h[axis]);

      if (rate > 0 && !(spread > 0)) *drifts_alone = PETSC_TRUE;
      steep[axis] += rate > STEEP * spread;
      drift += rate;
      diffusion += spread;
    }
    rates[0] = PetscMax(rates[0], drift);
    rates[1] = PetscMax(rates[1], diffusion);
  }
}

fare_scheme fare_truth_scheme(
  const fare_system *system, const fare_box *box, const fare_truth_options *options, double t)
{
  const int           dim = fare_system_dimension(system);
  double              at[FARE_DIM_MAX][SAMPLES], h[FARE_DIM_MAX], rates[2] = {0};
  const double *const x[]          = {at[0], at[1], at[2]};
  PetscBool           drifts_alone = PETSC_FALSE;
  int                 rows = 1, steep[FARE_DIM_MAX] = {0};

  if (options->scheme != FARE_SCHEME_AUTO) return (fare_scheme)options->scheme;
  if (fare_system_is_gradient(system) || !options->cells.count) return FARE_SCHEME_FITTED;
  for (int axis = 0; axis < dim; axis++) {
    h[axis] = (box->upper[axis] - box->lower[axis]) / (double)options->cells.values[axis];
    rows *= axis ? SAMPLES : 1;
  }
  for (int row = 0; row < rows; row++) {
    const int place[] = {0, row % SAMPLES, row / SAMPLES};

    for (int axis = 0; axis < dim; axis++) {
      for (int i = 0; i < SAMPLES; i++)
        at[axis][i] = box->lower[axis] +
          (box->upper[axis] - box->lower[axis]) * ((axis ? place[axis] : i) + 0.5) / SAMPLES;
    }
    look_along(system, t, h, x, steep, rates, &drifts_alone);
  }
  if (drifts_alone) return FARE_SCHEME_HIGH_ORDER;
  for (int axis = 0; axis < dim; axis++) {
    if (2 * steep[axis] > rows * SAMPLES && rates[1] < STIFF * rates[0]) return FARE_SCHEME_HIGH_ORDER;
  }
  return FARE_SCHEME_FITTED;
}
