/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  langevin: kernels of the simulated dynamics: one block of particles through many steps.
*/
#ifndef FARE_LANGEVIN_H
#define FARE_LANGEVIN_H

#include <fare/ensemble.h>

/** Integrators of the sampler `langevin`. */
enum {
  FARE_LANGEVIN_EULER_MARUYAMA,
  FARE_LANGEVIN_LEIMKUHLER_MATTHEWS,
  FARE_LANGEVIN_HEUN,
  FARE_LANGEVIN_BAOAB
};
/** Options of the sampler `langevin`, for fare_sampler_create(). */
typedef struct {
  double dt;         /**< largest time step */
  int    integrator; /**< FARE_LANGEVIN_HEUN, ... */
} fare_langevin_options;

/** A run of steps that all blocks of an ensemble take alike. */
typedef struct {
  const fare_system_type *type;  /**< of the dynamics */
  int                     dim;   /**< axes */
  int                     steps; /**< to take */
  /** parameters at every step's time, steps x FARE_PARAMETERS_MAX (one more for schemes that look ahead) */
  const double     *theta;
  double            dt;         /**< of a step */
  fare_stream       noise;      /**< random numbers: normals of axis k are draw k of a step */
  uint64_t          first_step; /**< number of the first step in that stream */
  const fare_walls *walls;      /**< NULL: none */
  /** of the block's particles, where an end absorbs: 0 once that has happened */
  double *weight;
  /** counts steps that mirrors cannot make good, see fare_langevin_meet; there where walls are */
  int64_t *wild;
  /** for noise that spans two steps, between walls: the block's signs of the half that is still to come */
  double *frame[FARE_AXES_MAX];
} fare_langevin_run;

/**
  What ends do to a block in a step that ended, without them, at x. Ends that reflect are mirrors;
  sign[axis][i], where `sign` is not NULL, is as of fare_walls_fold. A particle is absorbed where it has
  crossed an end that absorbs, or where its path between `from` and x has: a Brownian bridge of variance s^2,
  `even` or, where that is not NULL, variance[axis][i], does so with probability exp(-2 a b/s^2), a and b
  being the distances of its ends (Baldi, Ann. Appl. Probab. 23, 1644 (1995); Gobet, Stoch. Process. Appl. 87,
  167 (2000)). It stays where it left, with weight 0. Uniform numbers are the draws dim + axis of the step. A
  step that ends more than the box's length and ten standard deviations of its noise beyond an end was made by
  drift: the scheme is not stable there. It is reflected like any other, and counted.

  @param run of steps; counts wild ones
  @param block number of the block
  @param step number of the step within the run
  @param from positions before it; needed where an end absorbs
  @param even variance of the noise along each axis, or NULL
  @param variance of each particle's noise, per axis, or NULL
  @param x positions after it, moved in place
  @param sign becomes the signs, or NULL
*/
void fare_langevin_meet(const fare_langevin_run *run, uint64_t block, int step, const double *const from[],
  const double even[], const double *const variance[], double *const x[], double *const sign[]);
/**
  Whether a kernel has to call it after a step: cheap where no particle has come to an end. `from` is needed
  only where an end absorbs.
  @param run of steps
  @param x positions after a step
  @return 0 or 1
*/
int fare_langevin_meets(const fare_langevin_run *run, const double *const x[]);
/** Each moves the FARE_BLOCK particles x[axis] of global block `block`. */
typedef void (*fare_langevin_kernel)(const fare_langevin_run *run, uint64_t block, double *const x[]);

/**
  X += mobility f(X, t) dt + sqrt(2 D dt) R_n: Maruyama 1955. Weak order 1.
  @param run of steps
  @param block number of the block
  @param x positions, moved in place
*/
void fare_langevin_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[]);
/**
  The same with (R_n + R_{n+1})/2 for R_n: Leimkuhler and Matthews 2013. Order 2 in the stationary density.
  @param run of steps
  @param block number of the block
  @param x positions, moved in place
*/
void fare_langevin_leimkuhler_matthews(const fare_langevin_run *run, uint64_t block, double *const x[]);
/**
  Predictor and corrector with the mean of both drifts: weak order 2 for additive noise. Two forces a step.
  @param run of steps
  @param block number of the block
  @param x positions, moved in place
*/
void fare_langevin_heun(const fare_langevin_run *run, uint64_t block, double *const x[]);

/**
  For any drift f and diffusion D: X += f dt + sqrt(2 D dt) R, of weak order 1 in the sense of Ito.
  @param run of steps
  @param block number of the block
  @param x positions, moved in place
*/
void fare_langevin_general_euler_maruyama(const fare_langevin_run *run, uint64_t block, double *const x[]);
/**
  The same with the mean of both drifts of a predictor step: weak order 2 where the noise is constant, else 1.
  @param run of steps
  @param block number of the block
  @param x positions, moved in place
*/
void fare_langevin_general_heun(const fare_langevin_run *run, uint64_t block, double *const x[]);

/**
  BAOAB, for bodies with inertia: kick by half a step (B), drift by half (A), friction and noise exactly over
  a whole one (O), A, B: Leimkuhler and Matthews 2013. Order 2, and in a stationary trap the positions have
  the exact variance at every stable step. One force a step. `run->theta` has one row more than steps.
  @param run of steps
  @param block number of the block
  @param x positions and velocities, moved in place
*/
void fare_baoab(const fare_langevin_run *run, uint64_t block, double *const x[]);

#endif
