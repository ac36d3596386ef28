/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  prior: what a method that learns is told about the dynamics behind its data, `prior:` of a line of
  `ensembles`.
*/
#ifndef FARE_PRIOR_H
#define FARE_PRIOR_H

#include <fare/system.h>

/** What is penalised. */
typedef enum {
  FARE_PRIOR_DYNAMICS_CHAIN,   /**< KL(q_{k+1} || K_k q_k), K_k the propagator between snapshots */
  FARE_PRIOR_FOKKER_PLANCK,    /**< the residual of the Fokker-Planck equation in physical time */
  FARE_PRIOR_NOISE_EQUATION,   /**< that of the equation which adding noise obeys */
  FARE_PRIOR_LEAST_DISSIPATION /**< the mean square of the velocity */
} fare_prior_kind;
extern const char *const fare_prior_kinds[]; /**< by fare_prior_kind; NULL ends */

/** A prior as read from a study. */
typedef struct {
  int                kind;    /**< a fare_prior_kind */
  double             weight;  /**< not a number: chosen on particles held out */
  const fare_system *system;  /**< the dynamics assumed: the study's own, or `assumed`; borrowed */
  fare_system       *assumed; /**< owned; NULL: the study's own */
  fare_config       *config;  /**< that it was made from, where it is a copy; owned */
  const fare_node   *infer;   /**< names the inference whose parameters `assumed` is to have; NULL: none */
} fare_prior;

/** The keys of `prior:`. */
extern const fare_field fare_prior_fields[];
/** The keys of `prior.assume:`. */
extern const fare_field fare_prior_assume_fields[];

/**
  Reads a prior. Collective over PETSC_COMM_WORLD where it assumes formulas or a plugin.
  @param node   a map {kind: ..., weight: ..., assume: {...}}
  @param system the study's own, which must outlive the prior
  @param start  of the snapshots
  @param end    of the snapshots
  @param prior  new; fare_prior_destroy(), after an error too
  @return FARE_ERR_INPUT, with file, line and key, for what is wrong
*/
PetscErrorCode fare_prior_read(
  const fare_node *node, const fare_system *system, double start, double end, fare_prior **prior);
/**
  Frees a prior. Not collective.
  @param prior set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_prior_destroy(fare_prior **prior);

#endif
