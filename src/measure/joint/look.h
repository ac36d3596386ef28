/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the measures of truths without a grid: what they share. */
#ifndef FARE_JOINT_LOOK_H
#define FARE_JOINT_LOOK_H

#include <fare/joint_measure.h>

#define FARE_LOOK_PARTICLES   16384 /* at most, of measures that look at numbers of single particles */
#define FARE_LOOK_DRAWS       8     /* times as many exact draws as particles, but for these limits */
#define FARE_LOOK_DRAWS_LEAST 64    /* blocks */
#define FARE_LOOK_DRAWS_MOST  128
#define FARE_LOOK_COMPANIONS  32  /* blocks of draws at least, of which companions tell ln p */
#define FARE_LOOK_UNITS       128 /* units at most, of measures that look at pairs of particles */

#define HIGH_95 1.645 /* standard deviations below which are 95% */

#define FARE_PART_MEASURES 2
typedef enum {
  FARE_AXES,   /* each by itself: kl and wasserstein_1 */
  FARE_PAIRS,  /* of axes: kl */
  FARE_BLOCKS, /* of the truth, in axes of their own: reverse_kl and well_population */
  FARE_PART_KINDS
} fare_part_kind;
/* Measures on a grid of all parts of a kind. */
typedef struct {
  int            count;
  fare_measured *of[FARE_PART_MEASURES];
} fare_parts;

struct fare_joint_look {
  fare_joint          *joint;
  const fare_ensemble *ensemble;
  const double        *log_q; /* may be NULL */
  double               effective;
  int                  replicates;
  fare_stream          stream, draws; /* of floors, and of exact draws */
  double              *log_p;         /* at local particles, one version after the other; made on demand */
  /* exact draws for all measures, known to all ranks and made on demand: draw[axis][i], drawn_log_p[version]
   */
  int64_t    drawn, companions; /* of companions ln p is known at the first so many */
  double    *draw[FARE_AXES_MAX], *drawn_log_p;
  fare_parts parts[FARE_PART_KINDS]; /* made on demand */
};

/* Not a number, all of it: there is nothing to measure. */
void fare_look_unknown(fare_measured *result);
/* ln p at local particles, of all versions. */
PetscErrorCode fare_look_log_p(fare_joint_look *look);
/* The exact draws, whole blocks of them; with their ln p, of one version after the other. Collective. */
PetscErrorCode fare_look_draws(fare_joint_look *look);
PetscErrorCode fare_look_drawn_log_p(fare_joint_look *look);
/* The larger of two changes over versions of the truth, unknown where either is. */
double fare_larger_change(double before, double change);
/* What one of the first `companions` draws of the first version counts for in another one. */
double fare_look_ratio(const fare_joint_look *look, int version, int64_t i);

/*
  Numbers of particles, of which the distribution under the samples is compared with that under exact draws:
  values[k][i] at n points, k below `kinds`.
*/
typedef struct {
  int   kinds;
  void *context;
  PetscErrorCode (*values)(
    void *context, fare_joint_look *look, int64_t n, const double *const x[], double *const values[]);
  PetscBool of_log_p; /* the number is ln p, which is known: no `values` */
  /* of integers from 0 to `classes` - 1; 0: of real numbers */
  int classes;
} fare_statistic;
/*
  The k-th results are those of measure `type`, of one dimension, for the k-th numbers. It depends on the
  difference of the two distributions alone. The first FARE_LOOK_PARTICLES particles count, and all exact
  draws, whose noise is in floor and interval. Collective.
*/
PetscErrorCode fare_look_statistic(fare_joint_look *look, const fare_statistic *statistic,
  const fare_measure_type *type, fare_measured results[]);
/* Measures on a grid of all parts of a kind, made once. Collective. */
PetscErrorCode fare_look_parts(fare_joint_look *look, fare_part_kind kind, fare_parts **parts);
/* One result of several of the same kind: means, as if their noise were the same. */
void fare_look_mean(int count, const fare_measured of[], fare_measured *result);
/* Their sum, where exact draws of one know nothing of the others: noise of floors adds up in squares. */
void fare_look_sum(int count, const fare_measured of[], fare_measured *result);
/* The one that exceeds its floor most; its significance is that of the best of so many. */
void fare_look_most(int count, const fare_measured of[], fare_measured *result);

#define FARE_UNIT_SUMS 6 /* of a unit at most */
/*
  Numbers of units of consecutive particles, which add up over units: `sums` of them from n particles x of
  weights w, beside which stand as many exact draws y of weights v; NULL: all alike.
*/
typedef struct {
  int   sums;
  void *context;
  PetscErrorCode (*add)(void *context, fare_joint_look *look, int n, const double *const x[],
    const double w[], const double *const y[], const double v[], double sum[]);
  PetscBool looks_at_draws;            /* else it takes the truth's score, of the first version alone */
  double (*value)(const double sum[]); /* of sums over units: unbiased, and 0 for exact draws */
} fare_unit_measure;
/*
  Value, interval by the jackknife over groups of units, and a floor from exact draws in place of the samples.
  The first FARE_LOOK_UNITS units of FARE_BLOCK particles count. Collective.
*/
PetscErrorCode fare_look_units(
  fare_joint_look *look, const fare_unit_measure *measure, fare_measured *result);
/*
  Bias and interval of `value` from the values without one group each, and floor, excess and significance from
  the standard deviation that exact draws show. Of what is unbiased, and nowhere below 0.
*/
void fare_look_judge(int groups, const double without[], double floor_spread, fare_measured *result);

/* Kernels. Pairs of n points with weights w and m points with weights v, n x m or, of one set, all i < j. */
/* sum of w v |x - y|, and of w v */
void fare_unit_distances(int dim, int n, const double *const x[], const double w[], int m,
  const double *const y[], const double v[], double sum[2]);
void fare_unit_distances_within(int dim, int n, const double *const x[], const double w[], double sum[2]);
/* sum of w v u(x, y), Stein's kernel of the inverse multiquadric of this squared length, and of w v */
void fare_unit_stein(int dim, double length2, int n, const double *const x[], const double *const s[],
  const double w[], double sum[2]);

#endif
