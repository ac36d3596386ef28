/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  ensemble: weighted samples of a state, distributed over ranks in whole blocks so that results do not depend
  on the layout.
*/
#ifndef FARE_ENSEMBLE_H
#define FARE_ENSEMBLE_H

#include <fare/initial.h>
#include <fare/random.h>
#include <math.h>

/**
  A data container that kernels work on directly. Particles of blocks [first_block, first_block + blocks) live
  here; their ids are FARE_BLOCK*first_block + i. The last block of all is padded: padding is stepped like any
  particle but never counted or written.
*/
typedef struct {
  MPI_Comm comm;             /**< the ranks that share it */
  int      dim;              /**< number of axes */
  int64_t  count;            /**< particles on all ranks */
  int64_t  first_block;      /**< of this rank, over all ranks */
  int64_t  blocks;           /**< of this rank */
  int64_t  local;            /**< counted particles here; at most blocks*FARE_BLOCK */
  double  *x[FARE_AXES_MAX]; /**< positions, blocks*FARE_BLOCK each, 64-byte aligned */
  double  *weight;           /**< NULL: all equal; otherwise unnormalised, blocks*FARE_BLOCK */
  double   time;             /**< that the particles are at */
} fare_ensemble;

/** One block of an ensemble, as kernels take it. */
typedef struct {
  uint64_t number;           /**< over all ranks; selects the block's random numbers */
  int      counted;          /**< its first so many particles count, the others are padding */
  double  *x[FARE_AXES_MAX]; /**< FARE_BLOCK positions each; NULL past the last axis */
  double  *weight;           /**< NULL: all equal */
} fare_block;
/** Block b of this rank, from 0 to blocks - 1; borrowed. Not collective. */
static inline fare_block fare_ensemble_block(const fare_ensemble *ensemble, int64_t b)
{
  const int64_t first = b * FARE_BLOCK, rest = ensemble->local - first;
  fare_block    block = {.number = (uint64_t)(ensemble->first_block + b),
       .counted                  = rest < 0   ? 0
                          : rest < FARE_BLOCK ? (int)rest
                                              : FARE_BLOCK,
       .weight                   = ensemble->weight ? ensemble->weight + first : NULL};

  for (int axis = 0; axis < ensemble->dim; axis++) block.x[axis] = ensemble->x[axis] + first;
  return block;
}

/** Rows of a block, as kernels take them: row[axis] becomes at[axis], up to dim. */
static inline void fare_block_rows(int dim, double at[][FARE_BLOCK], double *row[])
{
  for (int axis = 0; axis < dim; axis++) row[axis] = at[axis];
}

/**
  Creates an ensemble with all positions zero. Collective over comm.
  @param comm     the ranks that share it
  @param dim      number of axes
  @param count    particles on all ranks
  @param ensemble destroy with fare_ensemble_destroy()
  @return FARE_ERR_FAILED where memory ends
*/
PetscErrorCode fare_ensemble_create(MPI_Comm comm, int dim, int64_t count, fare_ensemble **ensemble);
/**
  Destroys an ensemble. Not collective.
  @param ensemble set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_ensemble_destroy(fare_ensemble **ensemble);
/**
  Copies positions, weights and time. Not collective.
  @param from the source
  @param to   an ensemble of the same shape
  @return FARE_ERR_FAILED where shapes differ, or memory ends
*/
PetscErrorCode fare_ensemble_copy(const fare_ensemble *from, fare_ensemble *to);
/**
  Gives an ensemble weights, all 1, unless it has some. Not collective.
  @param ensemble the ensemble
  @return FARE_ERR_FAILED where memory ends
*/
PetscErrorCode fare_ensemble_weigh(fare_ensemble *ensemble);
/**
  Bytes per particle of an ensemble without weights. Not collective.
  @param dim number of axes
  @return 8 bytes for each axis; weights take 8 more
*/
size_t fare_ensemble_bytes(int dim);

/**
  Weights as integers, which add up to the same in any order and on any number of ranks: units of 1 where
  there are no weights, else of the largest weight over a power of two that leaves room for the sum of all.
*/
typedef struct {
  double largest; /**< the largest weight */
  double units;   /**< that it counts for */
} fare_weight_units;
/**
  The units of an ensemble's weights. Collective.
  @param ensemble the ensemble
  @param units    filled in
  @return FARE_ERR_FAILED where no weight is positive
*/
PetscErrorCode fare_ensemble_units(const fare_ensemble *ensemble, fare_weight_units *units);
/** The weight of a particle of this rank, in units. */
static inline int64_t fare_weight_units_of(
  const fare_weight_units *units, const fare_ensemble *ensemble, int64_t particle)
{
  return ensemble->weight ? (int64_t)llrint(ensemble->weight[particle] / units->largest * units->units) : 1;
}

/**
  Independent draws from the initial density on its box, exact but for rounding: the same bits on any rank
  count. Gaussians are drawn without a box unless they are bounded. Collective.
  @param ensemble overwritten
  @param initial  the density
  @param system   of a Boltzmann density
  @param t        time of the system's parameters
  @param stream   what is drawn from
  @return FARE_ERR_FAILED where the density is zero or not finite
*/
PetscErrorCode fare_ensemble_draw(fare_ensemble *ensemble, const fare_initial *initial,
  const fare_system *system, double t, fare_stream stream);

/**
  Reflects points at ends that reflect, in place, as often as it takes. Numbers that are not finite stay as
  they are. Not collective.
  @param walls the walls
  @param n     number of points
  @param clamp also put points on an end that absorbs and lies in front of them
  @param x     points x[axis][i]
  @param sign  NULL; or sign[axis][i] becomes -1 where a direction along the axis is turned over, else 1
  @return how many points were moved
*/
int64_t fare_walls_fold(
  const fare_walls *walls, int64_t n, PetscBool clamp, double *const x[], double *const sign[]);
/**
  Kernel: whether any of n points lies beyond an end that has a wall. Not collective.
  @param walls the walls
  @param n     number of points
  @param x     points x[axis][i]
  @return 1 where one does, else 0; coordinates that are NaN do not count
*/
int fare_walls_crossed(const fare_walls *walls, int64_t n, const double *const x[]);
/**
  Makes the cost of points beyond a wall infinite: there is no density. Not collective.
  @param walls the walls
  @param n     number of points
  @param x     points x[axis][i]
  @param cost  n values, infinite where points lie beyond; the others stay
*/
void fare_walls_refuse(const fare_walls *walls, int64_t n, const double *const x[], double cost[]);
/**
  Where all particles are: shares of the whole ensemble. A particle that is absorbed has weight 0 and lies on
  the end that it left through.
*/
typedef struct {
  double outside; /**< share of weight beyond an end; not a number without walls */
  /** share of particles that were drawn outside and then reflected into the box: the sampler's to count */
  double folded;
  double survival;                   /**< 1 less those that are absorbed */
  double absorbed[FARE_AXES_MAX][2]; /**< at each end */
} fare_census;
/**
  Counts where particles are; the same on any number of ranks. Collective over ensemble->comm.
  @param ensemble the ensemble
  @param walls    the walls
  @param census   filled in
  @return FARE_ERR_FAILED where no weight is positive
*/
PetscErrorCode fare_ensemble_census(
  const fare_ensemble *ensemble, const fare_walls *walls, fare_census *census);

/**
  Numbers of all ranks, in the order of the ranks and so of the particles. Collective.
  @param ensemble whose ranks are meant
  @param count    numbers of this rank
  @param mine     those
  @param all      becomes the numbers of all ranks, on every rank
  @return 0 or an error code
*/
PetscErrorCode fare_ensemble_gather(
  const fare_ensemble *ensemble, int64_t count, const double mine[], double all[]);
/**
  A hash of ids, positions and weights that does not depend on the layout. Collective.
  @param ensemble the ensemble
  @param sum      the hash
  @return 0 or an error code
*/
PetscErrorCode fare_ensemble_checksum(const fare_ensemble *ensemble, uint64_t *sum);
/**
  Checks that positions and weights are finite. Collective.
  @param ensemble the ensemble
  @return FARE_ERR_FAILED naming the first particle that is not
*/
PetscErrorCode fare_ensemble_is_valid(const fare_ensemble *ensemble);
/**
  Moments along each axis. Collective.
  @param ensemble  the ensemble
  @param mean      per axis
  @param variance  per axis
  @param effective effective sample size, (sum w)^2 / sum w^2
  @return 0 or an error code
*/
PetscErrorCode fare_ensemble_moments(
  const fare_ensemble *ensemble, double mean[], double variance[], double *effective);

#endif
