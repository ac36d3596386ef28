/* SPDX-License-Identifier: BSD-2-Clause */
/*
  analysis: what the grid tells besides evolution in time: steady states and periodic ones, relaxation rates
  and modes, passage times, committors and rates between sets. One file per kind in src/analysis, named once
  in list.h there. Each number comes with the error that half as many cells per axis tell.
*/
#ifndef FARE_ANALYSIS_H
#define FARE_ANALYSIS_H

#include <fare/store.h>
#include <fare/truth.h>

/*
  How well a linear problem was solved: the L1 norm of its residual relative to that of its terms, and the
  applications of the operator it took.
*/
typedef struct {
  double   residual;
  PetscInt iterations;
} fare_solved;

/* A union of boxes in the space of states, or all that lies outside of it. */
typedef struct {
  int       dim;
  size_t    boxes;
  double   *lower, *upper; /* [box * dim + axis] */
  PetscBool outside;
} fare_region;
/* Whether the point lies in it. */
PetscBool fare_region_has(const fare_region *region, const double x[]);

/*
  Masses P, L(t) P = 0, sum 1, of parameters frozen at t: the density that is approached when nothing is
  driven, with or without a potential. In a new vector. FARE_ERR_INPUT where an end absorbs, FARE_ERR_FAILED
  where the residual stays above 1e-9. Collective.
*/
PetscErrorCode fare_stationary_solve(
  const fare_grid *grid, const fare_system *system, double t, Vec *masses, fare_solved *solved);
/*
  Masses P at time `start` that one period of the drive brings back: P = Phi P with Phi the evolution from
  start to start + period, at the truth's `tolerance` per step. Solves (I - Phi) P = 0 by GMRES;
  solved->iterations are periods evolved. Collective.
*/
PetscErrorCode fare_periodic_solve(const fare_grid *grid, const fare_system *system, double start,
  double period, double tolerance, Vec *masses, fare_solved *solved);
/*
  Decay of exp(-(rate + i frequency) t) of the modes of L(t) nearest to rest; mode 0 is the stationary density
  where no end absorbs.
*/
typedef struct {
  PetscInt  count;
  PetscBool symmetric; /* detailed balance holds: all frequencies are 0 */
  double   *rate, *frequency;
  Vec      *mode; /* masses, L1 norm 1; of a pair first the real part, then the imaginary */
} fare_spectrum;
/*
  The `count` eigenvalues of -L(t) nearest to 0 (one more where that would cut a complex pair), by rising
  rate. Collective.
*/
PetscErrorCode fare_spectrum_solve(
  const fare_grid *grid, const fare_system *system, double t, PetscInt count, fare_spectrum *spectrum);
PetscErrorCode fare_spectrum_free(fare_spectrum *spectrum);

/*
  Mean time until the target is reached (or an end that absorbs), from each cell's centre: sum_j r(i->j)(tau_j
  - tau_i) = -1 outside, tau = 0 in the target. Of parameters frozen at t, in a new vector. Collective.
  FARE_ERR_INPUT where the target holds the centre of no cell, or of all.
*/
PetscErrorCode fare_passage_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *target, Vec *times, fare_solved *solved);

/*
  Transitions between two sets in the steady state (E and Vanden-Eijnden, J. Stat. Phys. 123, 503 (2006);
  Metzner et al., Multiscale Model. Simul. 7, 1192 (2009)).
*/
typedef struct {
  /* probability to reach b before a, and a before b: each with its own relative accuracy */
  Vec committor, complement;
  Vec reactive; /* masses of those that come from a rather than from b */
  /* transitions a -> b per time, counted as they leave a and as they reach b: the same but for the solver */
  double flux_a, flux_b;
  double rate_ab, rate_ba; /* flux per time spent having come from a, and from b */
} fare_reaction;
/* `stationary`: of the same grid and time; NULL leaves all but the committor out. Collective. */
PetscErrorCode fare_reaction_solve(const fare_grid *grid, const fare_system *system, double t,
  const fare_region *a, const fare_region *b, Vec stationary, fare_reaction *reaction, fare_solved *solved);
PetscErrorCode fare_reaction_free(fare_reaction *reaction);

/*
  Of paths that start at any time while the drive goes on: what the backward equation du/dt = -b - L(t)^T u
  tells, from `end` back to `start`. There it begins with what is known: that what is driven stays as it is
  from then on, that all is over and who has not arrived does not count, or that the drive repeats.
*/
typedef enum { FARE_AFTER_FROZEN, FARE_AFTER_OVER, FARE_AFTER_PERIODIC } fare_after;
typedef struct {
  double     start, end; /* end - start: the period, where it repeats */
  fare_after after;
  /* error of the steps in time, relative to the largest value; they are halved until it is met */
  double tolerance;
} fare_span;
typedef struct {
  /* of the periodic solution, or of the frozen one that it begins with, relative */
  double residual;
  /* of the steps in time, relative to the largest value, estimated; and that value */
  double   error, largest;
  PetscInt steps, iterations; /* from end to start; times that this way was gone */
} fare_driven;
/*
  Mean time until the target is reached, or an end that absorbs, from each cell's centre for paths that start
  at starts[0..count), within the span; FARE_AFTER_OVER: until then or the end of the span, whichever is
  first. New vectors times[]. Collective. FARE_ERR_INPUT as fare_passage_solve; FARE_ERR_FAILED where the
  tolerance is not met.
*/
PetscErrorCode fare_driven_passage_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *target, int count, const double starts[], Vec times[],
  fare_driven *driven);
/* Probability to reach b before a; FARE_AFTER_OVER: and before the end of the span. Otherwise alike. */
PetscErrorCode fare_driven_committor_solve(const fare_grid *grid, const fare_system *system,
  const fare_span *span, const fare_region *a, const fare_region *b, int count, const double starts[],
  Vec committor[], fare_driven *driven);

/*
  Of masses at `start`, by the forward equation: what has not reached the target at times[i], what reaches it
  per time then, and the integral of the first from the start on.
*/
typedef struct {
  double survival, density, lived;
} fare_survival;
/*
  Masses within the target have reached it. `times` rise, from `start` on; error: estimated, of `survival`.
  Collective.
*/
PetscErrorCode fare_survival_solve(const fare_grid *grid, const fare_system *system,
  const fare_region *target, Vec masses, double start, double tolerance, int count, const double times[],
  fare_survival survival[], fare_driven *driven);

/*
  Values at `count` points x[point * dim + axis], cubic between centres within the range of their neighbours.
  Collective; the same on all ranks.
*/
PetscErrorCode fare_grid_interpolate(
  const fare_grid *grid, Vec values, size_t count, const double x[], double at[]);

/* One line of the plan's `analysis:`. */
typedef struct fare_analysis      fare_analysis;
typedef struct fare_analysis_type fare_analysis_type;
extern const fare_field           fare_analysis_fields[]; /* common to all kinds; each has its own besides */
const char                       *fare_analysis_name_at(size_t i); /* of the i-th kind, NULL past the last */
const char                       *fare_analysis_summary_at(size_t i);
PetscErrorCode                    fare_analysis_describe(const char *kind, FILE *to);

/*
  Reads and checks the list under `analysis:` (NULL: none). The nodes must outlive it. Free with
  fare_analyses_destroy. Not collective.
*/
PetscErrorCode fare_analyses_from_config(const fare_node *list, const fare_system *system,
  const fare_truth_options *truth, size_t *count, fare_analysis ***analyses);
PetscErrorCode fare_analyses_destroy(size_t *count, fare_analysis ***analyses);
/* The section as YAML that reads back to the same; nothing where there is none. */
void fare_analyses_write(size_t count, fare_analysis *const analyses[], fare_text *to);
/*
  The first difference between the section (NULL: none) that this has left and these analyses, matched by
  name. Not collective.
*/
PetscErrorCode fare_analyses_compare(
  size_t count, fare_analysis *const analyses[], const fare_node *list, fare_difference *difference);
/*
  Computes all of them on `grid`, and on half as many cells for the errors. One that fails is left without
  findings, with a warning. *results: one each, NULL behind the last; they borrow from the analyses. Free with
  fare_analysis_results_destroy. Collective.
*/
typedef struct fare_analysis_result fare_analysis_result;

PetscErrorCode fare_analyses_run(
  size_t count, fare_analysis *const analyses[], const fare_grid *grid, fare_analysis_result ***results);
PetscErrorCode fare_analysis_results_destroy(fare_analysis_result ***results);
/*
  Group /analysis of a store, and a table for people; nothing of NULL. The grid's ranks are the store's, or
  each rank has all of it. Saving is collective; rank 0 alone prints.
*/
PetscErrorCode fare_analyses_save(fare_analysis_result *const results[], fare_store *store);
void           fare_analyses_print(fare_analysis_result *const results[], FILE *to);
/*
  The i-th value called `name` of one analysis, and its estimated error (NaN where unknown). FARE_ERR_INPUT
  when there is none, FARE_ERR_FAILED when the analysis failed.
*/
PetscErrorCode fare_analysis_value(
  const fare_analysis_result *result, const char *name, size_t i, double *value, double *error);

#endif
