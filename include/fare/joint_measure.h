/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  joint_measure: numbers that compare an ensemble with a truth that is not one grid, each with its noise
  floor. docs/many_axes.md has every definition and rule.
*/
#ifndef FARE_JOINT_MEASURE_H
#define FARE_JOINT_MEASURE_H

#include <fare/joint.h>
#include <fare/measure.h>

/** What a measure needs, as bits. */
typedef enum {
  FARE_NEEDS_LOG_DENSITY = 1,  /**< the samples' own ln q */
  FARE_NEEDS_MARGINALS   = 2,  /**< marginal densities of the truth */
  FARE_NEEDS_ROSENBLATT  = 4,  /**< conditionals of the truth */
  FARE_NEEDS_MODES       = 8,  /**< modes that the truth names, or blocks with wells */
  FARE_NEEDS_PAIRS       = 16, /**< at least two axes */
  FARE_NEEDS_BLOCKS      = 32, /**< a density that is a product of blocks */
  /** conditionals in the axes of the blocks alone */
  FARE_NEEDS_BLOCK_ROSENBLATT = 64
} fare_joint_need;

/** What is being compared, and what measures have made of it so far. Inside src/measure/joint. */
typedef struct fare_joint_look fare_joint_look;

/** What a measure provides: one const descriptor named in src/measure/joint/list.h. */
typedef struct {
  /** name, summary, definition, reference, unit and norm, as of measures on a grid; it has no `evaluate` */
  fare_measure_type base;
  unsigned          needs; /**< bits of fare_joint_need */
  PetscBool         extra; /**< only where a study names it */
  /** Fills in *result, which is zeroed. Collective. */
  PetscErrorCode (*measure)(fare_joint_look *look, const fare_measure_type *type, fare_measured *result);
} fare_joint_measure_type;

/**
  Finds a measure. Not collective.
  @param name as in study files
  @return what describes it; NULL when unknown
*/
const fare_measure_type *fare_joint_measure_find(const char *name);
/**
  Walks through all measures. Not collective.
  @param i from 0 on
  @return what describes it; NULL past the last
*/
const fare_measure_type *fare_joint_measure_at(size_t i);
/**
  Whether a study that names no measures has this one. Not collective.
  @param type of fare_joint_measure_at()
  @return false for variants of others
*/
PetscBool fare_joint_measure_is_usual(const fare_measure_type *type);
/**
  Whether a kind of truth, in so many axes, has what a measure needs. Not collective.
  @param type            of fare_joint_measure_at()
  @param kind            the truth's
  @param dim             number of axes
  @param has_log_density whether samples come with their own ln q
  @return FARE_ERR_INPUT otherwise, with what is missing
*/
PetscErrorCode fare_joint_measure_check(
  const fare_measure_type *type, const fare_joint_type *kind, int dim, PetscBool has_log_density);

/**
  Compares an ensemble with a truth by several measures: the same bits on any number of ranks. Collective over
  ensemble->comm, which must be the truth's.

  @param joint       the truth, at the time of the ensemble
  @param ensemble    the samples, weighted or not
  @param log_density the samples' own ln q, one per local particle; may be NULL
  @param count       number of measures
  @param types       of fare_joint_measure_at()
  @param replicates  exact draws behind the floors of binned measures, at least 1
  @param stream      names their random numbers, and those of exact draws
  @param results     one for each measure; not a number where it needs ln q and there is none
  @return FARE_ERR_INPUT where the truth cannot give what a measure needs
*/
PetscErrorCode fare_joint_compare(fare_joint *joint, const fare_ensemble *ensemble,
  const double log_density[], size_t count, const fare_measure_type *const types[], int replicates,
  fare_stream stream, fare_measured results[]);

/**
  Judges samples by their own density, without bins: the mean over samples of a function of ln p and ln q,
  with its standard error. Collective over ensemble->comm.
  @param which     0: ln q - ln p, D(q||p); 1: u ln u - u + 1 with u = p/q, D(p||q); 2: u, the mass
  @param ensemble  the samples
  @param effective (sum w)^2 / sum w^2, copies taken together
  @param empty     where ln p is no more than this, the truth has no density
  @param log_p     ln of the truth at local particles
  @param other     NULL; or the same of a second version of the truth, for the truth's error
  @param log_q     the samples' own
  @param result    filled in
  @return 0 or an error code
*/
PetscErrorCode fare_measure_density(int which, const fare_ensemble *ensemble, double effective, double empty,
  const double log_p[], const double other[], const double log_q[], fare_measured *result);
/**
  What describes one of these. Not collective.
  @param which from 0
  @return NULL past the last
*/
const fare_measure_type *fare_measure_density_at(size_t which);

#endif
