/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside joint: what a truth of kind product holds. */
#ifndef FARE_JOINT_BLOCKS_H
#define FARE_JOINT_BLOCKS_H

#include "block.h"

#include <fare/joint.h>
#include <fare/product.h>

/* A truth of one unit from one start, which all blocks share that have both. */
typedef struct {
  int                 unit;
  fare_initial        initial;
  fare_truth_options  options;
  fare_truth         *truth;
  fare_grid          *grid; /* of this rank alone, with all cells */
  double             *mass, *error;
  fare_block_density *version[2]; /* the density, and with its estimated error added */
  double              entropy[2], equilibrium[2];
} fare_block_source;

typedef struct fare_blocks fare_blocks;
struct fare_blocks {
  /* keys */
  fare_integers cells;
  fare_reals    lower, upper;
  double        tolerance;
  PetscBool     estimate;
  /* what they make */
  fare_blocks       *self; /* what is saved */
  int                sources;
  fare_block_source *source;
  int                of_block[FARE_AXES_MAX]; /* the source of a block */
  /* with noise of so many levels: noisy[level * sources + source] */
  int                  noise_levels;
  double              *noise;
  fare_block_density **noisy;
};

/* blocks_start.c: as of fare_joint_type. */
PetscErrorCode fare_blocks_check(const void *state, const fare_system *system, const fare_initial *initial);
/* The start of a block: where it is gaussian, that of its own axes. */
PetscErrorCode fare_blocks_start(
  const fare_system *system, const fare_initial *of, int block, fare_initial *to);
/* The options of a unit's truth. */
PetscErrorCode fare_blocks_options(
  const fare_blocks *all, const fare_system *system, int unit, fare_truth_options *options);

/* As of fare_joint_type. */
PetscErrorCode fare_blocks_marginal(
  fare_joint *joint, int version, int axes, const int axis[], fare_grid **grid, Vec *masses);
PetscErrorCode fare_blocks_block(fare_joint *joint, int version, int block, fare_grid **grid, Vec *masses);
PetscErrorCode fare_blocks_noise(fare_joint *joint, int levels, const double noise[]);
PetscErrorCode fare_blocks_noised(fare_joint *joint, int level, int64_t n, const double *const y[],
  double log_density[], double *const mean[]);
PetscErrorCode fare_blocks_noise_free(fare_blocks *all);
/* The state of all truths. */
extern const fare_kept_type fare_blocks_kept;
/* Takes all densities from the truths again. Collective. */
PetscErrorCode fare_blocks_renew(fare_joint *joint);

#endif
