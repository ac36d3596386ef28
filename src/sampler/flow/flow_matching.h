/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Parts of flow matching: its state, the paths from noise to data, how the two are paired in training, and
  kernels.
*/
#ifndef FARE_FLOW_MATCHING_H
#define FARE_FLOW_MATCHING_H

#include "sampler/shared/noisy.h"

enum { FARE_FLOW_MATCHING_INDEPENDENT, FARE_FLOW_MATCHING_OPTIMAL_TRANSPORT };
enum { FARE_FLOW_MATCHING_HEUN, FARE_FLOW_MATCHING_RK4 };

typedef struct {
  fare_generative common;
  PetscInt64      sampling_steps;
  double          grading;
  int             coupling, solver;
  PetscInt64      probes;

  double    time;   /* of the last advance */
  PetscBool warned; /* of the error of ln q */
} fare_flow_matching;

#define FARE_FLOW_MATCHING_EXACT 8 /* axes up to which the divergence is summed axis by axis */

/* Draws the ensemble of time t. */
PetscErrorCode fare_flow_matching_draw(fare_sampler *sampler, double t, fare_ensemble *ensemble);
/*
  Cell masses of the density that a network draws from, by the density at the cells' centres: backwards along
  the path from each to noise, with the sampler's own steps. What lies along a periodic axis beyond the box is
  not added. Collective over the grid.
*/
PetscErrorCode fare_flow_matching_density(
  fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses);

/*
  ln q of what a network draws at the time of the last advance, at n points x[axis][i]: alike, in any number
  of axes. In more than FARE_FLOW_MATCHING_EXACT axes, and more than `probes`, the divergence is the mean of
  e'Je over random signs e, which the point itself determines (Hutchinson's estimator); `error` becomes the
  root mean square over points of its standard error, 0 where it has none. Not collective.
*/
PetscErrorCode fare_flow_matching_log_density(
  fare_sampler *sampler, int64_t n, const double *const x[], double log_density[], double *error);

/* Work space of the function below. */
typedef struct {
  PetscInt  *row, *from, *order;
  PetscReal *key;
  float     *kept;
} fare_flow_matching_pairs;
PetscErrorCode fare_flow_matching_pairs_create(int64_t most, fare_flow_matching_pairs *pairs);
PetscErrorCode fare_flow_matching_pairs_destroy(fare_flow_matching_pairs *pairs);
/*
  Pairs noise with data by (nearly) optimal transport among rows of the same group alone: z is exchanged
  between rows of a group. In one dimension both are sorted, which is the optimum; in more, pairs made along
  the longest axis are swapped, two by two, as long as that shortens the squared distance. Not across groups:
  a group's noise would no longer be normal.
*/
void fare_flow_matching_couple(fare_flow_matching_pairs *pairs, int dim, int64_t n, const int group[],
  const float *const x[], float *const z[]);

/* Kernels. The slope below. */
double fare_flow_matching_slope(int base, double tau);
/* tau even in (0, 1) from normals, and `level`, tau scaled to [-1, 1]. */
void fare_flow_matching_times(int n, const float z[], float tau[], float level[]);
/*
  The place u = (1 - tau) z + tau x and what the network should say, x - z - slope u: slope = base (2 tau -
  1)/((1 - tau)^2 + tau^2), which with base 1 is all of the velocity where data are normal with variance 1.
  For frequencies: y = u/tau with the uncertainty (1 - tau)/tau where `faded`, else u itself with none.
*/
void fare_flow_matching_corrupt(int n, int base, int faded, const float tau[], const float x[],
  const float z[], float u[], float target[], float y[], float spread[]);
/*
  That y and its uncertainty for a block at one tau; and the derivatives by u of its frequencies, from the
  frequencies.
*/
void fare_flow_matching_position(
  int faded, double tau, const float u[FARE_BLOCK], float y[FARE_BLOCK], float spread[FARE_BLOCK]);
void fare_flow_matching_frequency_slopes(
  int faded, double tau, int frequencies, double frequency, const float feature[], float slope[]);

#endif
