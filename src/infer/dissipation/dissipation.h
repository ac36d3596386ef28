/* SPDX-License-Identifier: BSD-2-Clause */
/* Estimators of dissipation from pairs of positions: what they share. */
#ifndef FARE_DISSIPATION_PRIVATE_H
#define FARE_DISSIPATION_PRIVATE_H

#include "infer/infer.h"

#include <math.h>

/*
  Pairs of one lag in the order of tracks, and antisymmetric features of them: functions of the middle times
  the way, both scaled by the pairs that are trained on.
*/
typedef struct {
  const fare_infer_context *context;
  int                       dim, features;
  int64_t                   count;
  double                   *from, *way;  /* [pair * dim + axis] */
  double                   *value;       /* [pair * features + k] */
  int64_t                   first, last; /* held out; all others are trained on */
} fare_dissipation_pairs;

/* Scores of the pairs that are held out, score[pair - first], by what the others tell. */
typedef PetscErrorCode fare_dissipation_score(const fare_dissipation_pairs *pairs, double score[]);
/*
  The mean of scores over the lag, every pair held out once; or where `ratio`, of currents: 2 mean^2/variance.
  A fit(). The standard error is that of means over blocks in the order of tracks. Not collective, and the
  same on all ranks.
*/
PetscErrorCode fare_dissipation_fit(const fare_infer_context *context, const fare_tracks *tracks,
  fare_dissipation_score *score, PetscBool ratio, fare_inferred *inferred);

/* What pairs can tell at that lag, the rate of entropy production, and for which systems. */
PetscErrorCode fare_dissipation_limit(
  const fare_infer_context *context, const PetscInt cells[], double theta[]);
PetscErrorCode fare_dissipation_truth(const fare_infer_context *context, double theta[]);
PetscErrorCode fare_dissipation_check(const fare_infer_context *context);

/* The descriptor of a method, by its scores. */
#define FARE_DISSIPATION_METHOD(METHOD, SCORE, RATIO, SUMMARY, REFERENCE)                                    \
  static PetscErrorCode fit(const fare_infer_context *c, const fare_tracks *tracks, fare_inferred *inferred) \
  {                                                                                                          \
    return fare_dissipation_fit(c, tracks, SCORE, RATIO, inferred);                                          \
  }                                                                                                          \
  const fare_infer_type fare_infer_##METHOD = {.name = #METHOD,                                              \
    .summary                                         = SUMMARY,                                              \
    .reference                                       = REFERENCE,                                            \
    .seeks                                           = "entropy_production",                                 \
    .dim_max                                         = FARE_DIM_MAX,                                         \
    .fit                                             = fit,                                                  \
    .limit                                           = fare_dissipation_limit,                               \
    .truth                                           = fare_dissipation_truth,                               \
    .check                                           = fare_dissipation_check}

static inline PetscBool fare_is_held_out(const fare_dissipation_pairs *pairs, int64_t i)
{
  return i >= pairs->first && i < pairs->last ? PETSC_TRUE : PETSC_FALSE;
}
/* Of the pairs that are trained on, the last fifth in their order tells when to stop. */
static inline PetscBool fare_validates(const fare_dissipation_pairs *pairs, int64_t i)
{
  const int64_t held = pairs->last - pairs->first, at = i < pairs->first ? i : i - held;

  return 5 * at >= 4 * (pairs->count - held) ? PETSC_TRUE : PETSC_FALSE;
}
/* sum_k weight[k] value[k] of one pair. */
double fare_dissipation_sum(const fare_dissipation_pairs *pairs, int64_t i, const double weight[]);
/* A becomes its factors, and b the solution of A x = b; A is symmetric and as good as positive. */
PetscErrorCode fare_dissipation_solve(int n, double A[], double b[]);
/* Weights c = 2 <v v'>^-1 <v> of what is trained on, less the mean where `centred`. */
PetscErrorCode fare_dissipation_linear(
  const fare_dissipation_pairs *pairs, PetscBool centred, double weight[]);

/* h - exp(-h) + 1, whose mean is at most the divergence of pairs from reversed ones; h is clipped. */
#define FARE_CLIP 20.0
static inline double fare_dissipation_bound(double h)
{
  return h - exp(PetscMin(-h, FARE_CLIP)) + 1;
}

#endif
