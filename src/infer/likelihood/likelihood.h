/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside likelihoods: a logarithm of a likelihood as a function of parameters, and what is done with any. */
#ifndef FARE_INFER_LIKELIHOOD_H
#define FARE_INFER_LIKELIHOOD_H

#include "infer/infer.h"

#define FARE_ABSENT 1e-300 /* a probability that counts as 0 */

typedef struct fare_likelihood fare_likelihood;
/* A kind of likelihood. All are collective. */
typedef struct {
  const char *name;
  PetscBool observed; /* its information is of the data at hand; errors take the likelihood's own curvature */
  /* Takes the tracks, which outlive it; sets `data`, `count`, and whether the lattice is coarser than cells.
   */
  PetscErrorCode (*begin)(fare_likelihood *l, const fare_tracks *tracks);
  /* Score and information NULL: the value alone. */
  PetscErrorCode (*evaluate)(
    fare_likelihood *l, const double theta[], double *value, double score[], double information[]);
  /* What the maximum hides, at which the last evaluation was: cells too wide, impossible data. */
  PetscErrorCode (*check)(fare_likelihood *l, const double theta[]);
  PetscErrorCode (*end)(fare_likelihood *l); /* after a begin that failed, too */
} fare_likelihood_kind;
struct fare_likelihood {
  const fare_likelihood_kind *kind;
  const fare_infer_context   *context;
  fare_model                 *model;
  int                         steps;      /* of a driven system between observations */
  fare_lattice                lattice;    /* of starts, on two axes */
  double                      smoothness; /* weight of the penalty on the roughness of a potential */
  int64_t                     count;      /* observations, or pairs of them */
  void                       *data;
};

/* Its maximum, intervals and errors. */
PetscErrorCode fare_likelihood_fit(const fare_likelihood_kind *kind, const fare_infer_context *context,
  const fare_tracks *tracks, fare_inferred *inferred);

extern const fare_likelihood_kind fare_likelihood_pairs, fare_likelihood_filter;

#endif
