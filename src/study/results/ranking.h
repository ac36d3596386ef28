/* SPDX-License-Identifier: BSD-2-Clause */
/* ranking: the samplers of a study in one order, and where the error of each comes from. */
#ifndef FARE_RANKING_H
#define FARE_RANKING_H

#include "study/run/study.h"

/*
  One line of `ensembles:` over its trainings that went through. Distances are of the headline measure,
  averaged over the judged times: the held-out ones where anything learned, else all.
*/
typedef struct {
  const fare_plan_ensemble *of;          /* its first training */
  int                       seeds, lost; /* trainings that count, and those that ended early */
  /* mean and standard deviation over trainings; the latter is not a number for one */
  double value, standard_deviation;
  /* of `value`: the larger of what trainings and samples scatter */
  double standard_error;
  double floor, excess; /* mean noise floor; value - floor */
  double truth_error;   /* by how much the truth's own error may change the value */
  /* means over trainings */
  double train_seconds, sample_seconds, force_evaluations, network_evaluations;
  /* times closer to the truth than `boltzmann`; not a number without one */
  double    factor;
  PetscBool is_noise; /* cannot be told from exact samples */
  /* whether its samples, those of every training, have come to the density that its method aims at */
  fare_convergence converged;
  /* from 1; lines that cannot be told apart share one; 0: none, because no training went through */
  int rank;
} fare_ranked;

/*
  Lines of one sampler with equal options, that differ in where the field comes from. Their index in `line`,
  or -1.
*/
typedef struct {
  int learned, oracle, empirical;
} fare_split;

typedef struct {
  const fare_results *results;
  size_t              measure; /* index of the headline measure: kl, or the first */
  PetscInt64          times;   /* that are judged */
  PetscBool           held_out;
  fare_convergence    baseline; /* of the line that factors are relative to */
  int                 lines, splits;
  fare_ranked        *line; /* by distance above the floor */
  fare_split         *split;
} fare_ranking;

/*
  lines is 0 where there is nothing to rank: fewer than two lines, or no truth. Not collective; results are
  the same on all ranks.
*/
PetscErrorCode fare_ranking_create(const fare_results *results, fare_ranking *ranking);
PetscErrorCode fare_ranking_free(fare_ranking *ranking);

/* These do nothing where there is nothing to rank. Only the write is collective. */
void           fare_ranking_print(const fare_ranking *ranking, FILE *to);
void           fare_ranking_csv(const fare_ranking *ranking, fare_text *to);
PetscErrorCode fare_ranking_write(const fare_ranking *ranking, fare_store *store);

#endif
