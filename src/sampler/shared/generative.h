/* SPDX-License-Identifier: BSD-2-Clause */
/*
  generative: what samplers that learn from snapshots, conditioned on the physical time t, have in common. The
  state of such a method begins with a fare_generative, so that the functions below that fit into a descriptor
  can stand in it as they are.
*/
#ifndef FARE_GENERATIVE_H
#define FARE_GENERATIVE_H

#include <fare/sampler.h>

/* Positions of a block along one axis, scaled; and along all of them. */
typedef float    fare_row[FARE_BLOCK];
typedef fare_row fare_place[FARE_AXES_MAX];

/* Particles of one training time, of up to a grid's axes, on every rank: scaled positions, and weights with
 * sum 1 or NULL. */
typedef struct {
  double  time;
  int64_t count;
  double *x[FARE_DIM_MAX], *weight;
} fare_generative_particles;

typedef struct {
  fare_learn_options learn;
  PetscInt64         frequencies, time_frequencies, noise_frequencies;
  double             frequency;

  PetscBool     ready;                                  /* trained or loaded */
  uint64_t      advances;                               /* made so far: the counter of the random numbers */
  double        mean[FARE_AXES_MAX], sd[FARE_AXES_MAX]; /* what learns or draws works with (x - mean)/sd */
  fare_network *network;                                /* made by the method's setup */
  fare_curve    curve;
  /* of an empirical optimum: the whole training set */
  int64_t                    times;
  fare_generative_particles *given;
  /* in place of the network, in methods that have it: made and destroyed by posterior.h */
  struct fare_posterior *posterior;
} fare_generative;

/* Its fields, as those of `type`, whose member `common` it is. */
#define FARE_GENERATIVE_FIELDS(                                                                          \
  type, common, width_, layers_, steps_, batch_, rate_, frequencies_, time_frequencies_)                 \
  FARE_LEARN_FIELDS(type, common.learn, width_, layers_, steps_, batch_, rate_),                         \
    {"frequencies", FARE_INTEGER, offsetof(type, common.frequencies), frequencies_, 0, 16, NULL, "",     \
      "frequencies of sines and cosines of the position, for narrow wells"},                             \
    {"frequency", FARE_REAL, offsetof(type, common.frequency), "1", 1e-3, 1e3, NULL, "1/sd",             \
      "the lowest of them, for positions scaled to variance 1"},                                         \
  {                                                                                                      \
    "time_frequencies", FARE_INTEGER, offsetof(type, common.time_frequencies), time_frequencies_, 0, 16, \
      NULL, "", "frequencies of sines and cosines of t, the lowest half a period over the schedule"      \
  }

/* z and the frequencies of a number that runs over [-1, 1], `stride` apart: 1 + 2 frequencies values. */
void fare_generative_scalar(PetscInt64 frequencies, int n, const float z[], int stride, float out[]);
/* The inputs that say what t is. */
int  fare_generative_time_inputs(const fare_generative *g);
void fare_generative_time(const fare_sampler *sampler, double t, float out[]);

/*
  Inputs that positions make, z = (x - mean)/sd along the first `axes` axes: z, unless the axis is periodic,
  then sines and cosines of z; those of a periodic axis, at least one pair, have its period.
*/
int  fare_generative_position_inputs(const fare_sampler *sampler, int axes);
void fare_generative_positions(
  const fare_sampler *sampler, int axes, int n, const float *const z[], float input[]);
/* How many frequencies an axis has, and the lowest of them, per z. */
int       fare_generative_frequencies(const fare_sampler *sampler, int axis);
double    fare_generative_frequency(const fare_sampler *sampler, int axis);
PetscBool fare_generative_is_periodic(const fare_sampler *sampler, int axis);

/* The rows of a training set, and of each step its batch. */
typedef struct {
  int               dim, time_inputs;
  fare_learn_rows  *rows;
  fare_learn_batch *batch;
  fare_stream       stream;
  float            *times; /* features of every training time */
} fare_generative_rows;
/* Centres and scales, periodic axes wrapped into their box; sets the sampler's mean and sd. Collective. */
PetscErrorCode fare_generative_rows_begin(
  fare_sampler *sampler, const fare_training_set *data, fare_generative_rows *training_context);
PetscErrorCode fare_generative_rows_end(fare_generative_rows *training_context);
/* Time inputs of rows [first, first + n) of the batch. */
void fare_generative_rows_times(
  const fare_generative_rows *training_context, int64_t first, int n, float input[]);
/* Trains the network; what the problem leaves out is named here. Sets ready. Collective. */
PetscErrorCode fare_generative_learn(fare_sampler *sampler, fare_learn_problem *problem);

/* Into the box of a periodic axis; other axes are as they are. */
void fare_generative_wrap(const fare_sampler *sampler, int axis, int64_t n, double x[]);
/*
  Mean and standard deviation of the exact densities over the training times, as a training_context has them
  of its rows.
*/
PetscErrorCode fare_generative_scale_exact(fare_sampler *sampler, const fare_training_set *times);
/* The diffusion of a system at one point. */
void fare_generative_diffusion(const fare_system *system, double t, const double x[], double D[]);
/* FARE_ERR_FAILED where there is nothing to draw from yet. */
PetscErrorCode fare_generative_check_ready(const fare_sampler *sampler);
/* Scaled positions to true ones of block b, wrapped into the box along periodic axes. */
void fare_generative_place(const fare_sampler *sampler, fare_row from[], fare_ensemble *ensemble, int64_t b);

/*
  Of the descriptor. Kept are the network, the training set of an empirical optimum, or of an oracle where it
  stands.
*/
extern const fare_kept fare_generative_kept[];
PetscErrorCode         fare_generative_loaded(fare_sampler *sampler);
const fare_curve      *fare_generative_curve(const fare_sampler *sampler);
PetscErrorCode         fare_generative_destroy(fare_sampler *sampler);

/* Kernels. The sum of weight (F - target)^2, and its derivatives by F. */
double fare_generative_loss(int n, const float weight[], const float target[], const float F[], float d[]);
/* For a block: out = u + h F; out = a u + b z; out = a u; and to double, shift + scale u. */
void fare_generative_euler(
  float h, const float u[FARE_BLOCK], const float F[FARE_BLOCK], float out[FARE_BLOCK]);
void fare_generative_mix(
  float a, float b, const float u[FARE_BLOCK], const double z[FARE_BLOCK], float out[FARE_BLOCK]);
void fare_generative_scale(float a, const float u[FARE_BLOCK], float out[FARE_BLOCK]);
void fare_generative_shift(double shift, double scale, const float u[FARE_BLOCK], double x[FARE_BLOCK]);

#endif
