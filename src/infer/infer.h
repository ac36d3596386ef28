/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: what a method provides, and what it is given. */
#ifndef FARE_INFER_PRIVATE_H
#define FARE_INFER_PRIVATE_H

#include <fare/infer.h>

#include "infer/data/data.h"
#include "infer/transition/transition.h"

enum { FARE_FIRST_FLAT, FARE_FIRST_INITIAL };

typedef struct fare_potential fare_potential;
typedef struct fare_frame     fare_frame;

#define FARE_CHAINS 4 /* that draw from a posterior */

/* Flat from low to high, within the parameter's range; with sd > 0 Gaussian there. */
typedef struct {
  double low, high, mean, sd;
} fare_prior;
typedef struct {
  int64_t    draws; /* of all chains; 0: none */
  uint64_t   seed;
  char       stream[160];
  fare_prior prior[FARE_INFER_MAX];
} fare_posterior;

/* What a method works with. */
typedef struct {
  MPI_Comm                      comm;
  const fare_infer_study       *study;
  const struct fare_infer_type *type; /* the method */
  fare_box                      box;
  fare_boundary                 boundary[FARE_DIM_MAX];
  PetscInt                      cells[FARE_DIM_MAX];
  int                           count; /* of parameters */
  const char *const            *name;
  const double                 *guess;   /* where the search begins */
  PetscBool                     profile; /* intervals by the profile of the likelihood */
  double                        lag;     /* between observations; 0: as they come */
  double                        noise;   /* of simulated observations */
  double                        epsilon; /* of entropic couplings, in units of the mean squared distance */
  double                        settle;  /* of simulated tracks, before the first observation ... */
  double                        transitions; /* ... and how many lags they last */
  fare_posterior                posterior;   /* of likelihoods */
  int                           first; /* density of a state at the first observation, of those with noise */
  const fare_potential         *potential; /* sought without a formula; NULL: none */
  const fare_frame             *frame;     /* what it is compared with */
  int features, folds, bins; /* of dissipation: degree of features, held-out parts, bins per axis */
} fare_infer_context;

enum { FARE_DESIGN_SNAPSHOTS, FARE_DESIGN_TRAJECTORIES };

/* What is asked. */
typedef struct {
  int              kind;
  double           particles; /* observed in each snapshot, or tracks */
  fare_reals       times;     /* of snapshots, or lags of tracks */
  fare_reals       others;    /* that a better design may take instead; none: evenly spaced ones */
  const fare_node *starts;    /* initial densities that it may take; NULL: none */
} fare_design;

/* What it finds in one set of data. */
typedef struct {
  double                theta[FARE_INFER_MAX], low[FARE_INFER_MAX], high[FARE_INFER_MAX]; /* NaN: not known */
  double                error[FARE_INFER_MAX]; /* NaN: at an end of its range, where others' errors hold it */
  double                grid[FARE_INFER_MAX];  /* NaN: uses no cells */
  double                log_likelihood;
  int64_t               pairs;
  PetscBool             dropped[FARE_INFER_MAX]; /* a term that the method leaves out: 0 */
  double                implied;                 /* diffusion that a method's setting claims; NaN: none */
  fare_posterior_of     posterior[FARE_INFER_MAX];
  int64_t               draws;                   /* from it, 0: none ... */
  double               *draw;                    /* ... [draw * count + k]; free with PetscFree() */
  fare_infer_potential *potential;               /* NULL: none; else filled, but for names */
  fare_profile          profile[FARE_INFER_MAX]; /* where it was asked for */
} fare_inferred;

/* A method: one const descriptor, exported by its one file. */
typedef struct fare_infer_type {
  const char *name, *summary, *reference;
  const char *seeks;    /* NULL: parameters; or the name of one number beside them */
  int         dim_max;  /* most axes */
  PetscBool   driven;   /* whether it is for driven systems, too */
  int         variant;  /* of methods that share their functions, which of them this is */
  PetscBool   likely;   /* it has a likelihood, of which there is a posterior */
  PetscBool   unpaired; /* takes all observations, whoever made them: a lag means nothing to it */
  /* Collective. */
  PetscErrorCode (*fit)(
    const fare_infer_context *context, const fare_tracks *tracks, fare_inferred *inferred);
  /*
    What it finds in infinitely many tracks of the study's own system, as the context simulates them, on
    these cells; NaN: not known. NULL: the truth, for it is consistent. Methods of one line that share
    limit(), truth() and variant take it from the first of them. Collective.
  */
  PetscErrorCode (*limit)(const fare_infer_context *context, const PetscInt cells[], double theta[]);
  /* What such a number is in the study's own system. NULL: parameters have their values. Collective. */
  PetscErrorCode (*truth)(const fare_infer_context *context, double theta[]);
  /* FARE_ERR_INPUT where it is not for a system, or not for parameters of it; NULL: for all. */
  PetscErrorCode (*check)(const fare_infer_context *context);
  /*
    Before fits of a potential without a formula: what they are compared with. `simulated`: the study's own
    system is the truth. NULL: seeks none. Destroy with fare_frame_destroy(). Collective.
  */
  PetscErrorCode (*prepare)(
    const fare_infer_context *context, const fare_tracks *tracks, PetscBool simulated, fare_frame **frame);
  /*
    In place of the others, without data: adds what a design can tell to the results, with better ones.
    Collective.
  */
  PetscErrorCode (*judge)(const fare_infer_context *context, const char *name, const fare_design *design,
    fare_infer_results *results);
} fare_infer_type;

/* A function of parameters that is to be largest, with its slope and what is taken for minus its curvature.
 */
typedef struct {
  MPI_Comm comm; /* whose ranks all take the values of rank 0 */
  int      count;
  double   least[FARE_INFER_MAX], most[FARE_INFER_MAX]; /* ranges */
  /* Score and information are NULL where only the value is wanted. */
  PetscErrorCode (*evaluate)(
    void *to, const double theta[], double *value, double score[], double information[]);
  void *to;
} fare_fit_problem;
typedef struct {
  double theta[FARE_INFER_MAX], value, score[FARE_INFER_MAX], information[FARE_INFER_MAX * FARE_INFER_MAX],
    covariance[FARE_INFER_MAX * FARE_INFER_MAX];
  PetscBool held[FARE_INFER_MAX]; /* at an end of its range, or fixed: no part of the covariance */
} fare_fit;
/*
  Finds the largest value near fit->theta by scoring: Newton's method with the information for the curvature.
  `fixed` (may be NULL) are not moved; ends where less than `tolerance` can be gained. FARE_ERR_FAILED where
  it does not come to an end, or a direction makes no difference. `name` of parameters are for messages.
*/
PetscErrorCode fare_fit_maximise(const fare_fit_problem *problem, const char *const name[],
  const PetscBool fixed[], double tolerance, fare_fit *fit);
/*
  Where twice the logarithm of the largest likelihood with parameter k held is 3.84 below the largest one:
  infinite where that is nowhere in the parameter's range. `profile` is every point that was looked at.
*/
PetscErrorCode fare_fit_profile(const fare_fit_problem *problem, const char *const name[],
  const fare_fit *best, int k, double *low, double *high, fare_profile *profile);
/*
  Estimates, standard errors, and 95% intervals within the ranges, by the errors or where asked by profiles.
  Of a held parameter, its end of the range is an end of the interval, and the profile tells the other.
*/
PetscErrorCode fare_fit_intervals(const fare_fit_problem *problem, const char *const name[],
  const fare_fit *best, PetscBool profile, fare_inferred *inferred);
/* Draws about the maximum, and what they tell. Collective. */
PetscErrorCode fare_posterior_sample(const fare_fit_problem *problem, const char *const name[],
  const fare_fit *best, const fare_posterior *asked, fare_inferred *inferred);
/*
  x = A^-1 b, with the directions that `fixed` names left out (x 0 there); NULL: none. Also A^-1 where
  `inverse` is not NULL. FARE_ERR_FAILED where A is singular in what is left, naming the direction.
*/
PetscErrorCode fare_fit_solve(int count, const char *const name[], const PetscBool fixed[], const double A[],
  const double b[], double x[], double inverse[]);

/* NULL past the last; the first is the default. */
const fare_infer_type *fare_infer_type_at(size_t i);
/* Of designs: table and groups. */
void           fare_infer_designs_print(const fare_infer_results *results, FILE *to);
PetscErrorCode fare_infer_designs_save(const fare_infer_results *results, fare_store *store);

/* Of potentials without a formula: table and groups. */
void           fare_infer_potentials_print(const fare_infer_results *results, FILE *to);
PetscErrorCode fare_infer_potentials_save(const fare_infer_results *results, fare_store *store);

/* A model on cells, with the parameters and the box of a context. */
PetscErrorCode fare_infer_model(
  const fare_infer_context *context, const PetscInt cells[], fare_model **model);
/* The centre of a cell, for messages. */
void fare_infer_place(const fare_grid *grid, PetscInt cell, char text[64]);
/* Refuses observations with noise. */
PetscErrorCode fare_infer_check_noise(const fare_tracks *tracks, const char *method);
/* The shortest way along an axis. */
double fare_infer_way(const fare_infer_context *context, int axis, double from, double to);
/* Half as many cells. */
void fare_infer_half(const fare_infer_context *context, PetscInt half[FARE_DIM_MAX]);
/* Values that the study gives to the parameters of a context. */
PetscErrorCode fare_infer_truth(const fare_infer_context *context, double theta[]);

#endif
