/* SPDX-License-Identifier: BSD-2-Clause */
/* action_matching: what its parts share. */
#ifndef FARE_ACTION_MATCHING_H
#define FARE_ACTION_MATCHING_H

#include "sampler/shared/generative.h"

/*
  A potential s(z,t) of scaled positions whose gradient moves particles: the network's inputs are z along each
  axis, sines and cosines of it, and those of t. Along a periodic axis z itself is no input and the sines have
  the axis's period.
*/
typedef struct {
  int       dim, frequencies, time_frequencies, inputs;
  double    frequency[FARE_AXES_MAX];
  PetscBool periodic[FARE_AXES_MAX];
} fare_action_shape;

typedef struct fare_action_oracle fare_action_oracle;
typedef struct {
  fare_generative common;
  PetscInt64      transport_steps;
  PetscBool       entropic;

  PetscBool           begun;
  uint64_t            steps; /* taken so far: the counter of random numbers */
  double              speed; /* dz/dt = speed grad s: about that of the data, so that grad s is about 1 */
  fare_action_shape   shape;
  fare_action_oracle *oracle;
} fare_action;

PetscErrorCode fare_action_learn(fare_sampler *sampler, const fare_training_set *data);
/* Passes through the network that a step of training makes of a row. */
int fare_action_passes(const fare_action *a);
/* The shape's frequencies, once the scale of the positions is known. */
void fare_action_prepare(fare_sampler *sampler);
/* A time of the schedule on [-1, 1]. */
double fare_action_clock(const fare_sampler *sampler, double t);

/* What a tile's evaluation works in: one allocation. */
typedef struct {
  float *input, *d_input, *direction, *output, *along, *d_output, *d_along;
} fare_action_tile;
PetscErrorCode fare_action_tile_create(const fare_action_shape *shape, fare_action_tile *tile);
PetscErrorCode fare_action_tile_destroy(fare_action_tile *tile);
/* Inputs for z and clock times, with the network's output and the gradient of it by z. */
void fare_action_evaluate(const fare_action_shape *shape, fare_network *network, int n, fare_row z[],
  const float clock[], fare_action_tile *tile, fare_row gradient[]);

/* When the rows of a tile are looked at (on the clock), and what with. */
typedef struct {
  float clock[FARE_BLOCK], action[FARE_BLOCK], value[FARE_BLOCK];
} fare_action_weights;
/*
  The sum over rows of action (|grad s|^2/2 + sum_k D_k d^2 s/dz_k^2) + value s; D may be NULL. Adds the
  derivatives by the weights to `gradient` unless that is NULL.
*/
double fare_action_loss(const fare_action_shape *shape, fare_network *network, int n, fare_row z[],
  const fare_action_weights *weights, fare_row D[], fare_action_tile *tile, float gradient[]);

/*
  The exact field: particles go from one time of the schedule to the next. In one dimension by the monotone
  map between the two densities; in more by v = J/p, p linear in t between the two, J = q grad phi with q the
  mean of the two and div J = -dp/dt, which is the gradient flow in the middle of the interval. Lengths are in
  `scale`, per axis.
*/
PetscErrorCode fare_action_oracle_create(
  const fare_densities *exact, const double scale[], fare_action_oracle **oracle);
PetscErrorCode fare_action_oracle_destroy(fare_action_oracle **oracle);
/*
  FARE_ERR_FAILED where one of the times is none of the schedule's, or the solver fails. Not collective: every
  rank does the same.
*/
PetscErrorCode fare_action_oracle_between(fare_action_oracle *oracle, double from, double to);
/* n positions from the earlier time to the later, in so many steps. */
void fare_action_oracle_carry(const fare_action_oracle *oracle, int64_t steps, int n, double *const x[]);

/*
  Kernels. Sines and cosines of a position enter, with the derivative of something by them and by z itself
  (NULL: not an input); the derivative by z leaves.
*/
void fare_action_chain(int frequencies, double frequency, int n, const float feature[],
  const float d_position[], const float d_feature[], float d[]);
/* The reverse: the direction of z gives that of the sines and cosines. */
void fare_action_push(
  int frequencies, double frequency, int n, const float feature[], const float along[], float d_feature[]);
/* z + h v in double, per axis; and the sum of Runge and Kutta: x + h/6 (k1 + 2 k2 + 2 k3 + k4). */
void fare_action_step(double h, int n, const double x[], const double v[], double out[]);
void fare_action_gather(
  double h, int n, const double k1[], const double k2[], const double k3[], const double k4[], double x[]);

#endif
