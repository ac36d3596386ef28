/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside truth: its error estimate, and the parts of an evolution. */
#ifndef FARE_TRUTH_PRIVATE_H
#define FARE_TRUTH_PRIVATE_H

#include <fare/evolution.h>
#include <fare/resolution.h>
#include <fare/truth.h>
#include <petscts.h>

#define FARE_CELLS_MAX (1 << 28) /* of a grid */
/* The boundary along an axis: as the options say, or as the system is. */
fare_boundary fare_truth_end(const fare_system *system, const fare_truth_options *options, int axis);
/* by which an error in space is taken to fall, at least, when cells are halved */
#define FARE_RATIO_MIN 1.25
/*
  Taken for the fall of a density's error where no third grid shows it: of an order that a kink or an end may
  leave. (Numbers do better: UNSEEN of analysis.c.)
*/
#define FARE_RATIO_UNSEEN 1.5

/*
  The error in space from the masses of a grid and of one and two coarser ones; see estimate.c. quarter_grid
  and quarter are NULL where there is no such grid. Fills error_field, and error_space, ratio and doubt of a
  status that has time and error_time. steepest: what cells with mass have been on the way there, along each
  axis. Collective.
*/
typedef struct fare_estimate fare_estimate;

PetscErrorCode fare_estimate_create(const fare_grid *grid, const fare_grid *half_grid,
  const fare_grid *quarter_grid, const fare_system *system, const fare_initial *initial, PetscBool high_order,
  fare_estimate **estimate);
PetscErrorCode fare_estimate_space(fare_estimate *estimate, Vec masses, Vec half, Vec quarter, double nominal,
  const double steepest[], Vec error_field, fare_truth_status *status);
/* The largest error in space so far of a density that remembers cells too steep for it; 0: it does not. */
double         fare_estimate_steep_error(const fare_estimate *estimate);
void           fare_estimate_set_steep_error(fare_estimate *estimate, double error);
PetscErrorCode fare_estimate_destroy(fare_estimate **estimate);
/*
  Of the masses that fare_estimate_space() was last given: the part of error_space that no grid shows; whether
  the coarsest of three grids resolves all there is; and whether that error is smooth and falls as the scheme
  lets it, too, so that what they have in common may be extrapolated. Collective.
*/
double         fare_estimate_rest_error(const fare_estimate *estimate);
PetscErrorCode fare_estimate_resolves(
  fare_estimate *estimate, Vec quarter, const fare_truth_status *status, PetscBool *resolves);
PetscErrorCode fare_estimate_is_smooth(
  fare_estimate *estimate, Vec quarter, double nominal, const fare_truth_status *status, PetscBool *smooth);
/*
  Masses of the next order in space from those of three grids, none of them negative, with an error of their
  own, field and L1 norm; see extrapolate.c. `observed` is the ratio that the grids show. Collective.
*/
typedef struct fare_extrapolation fare_extrapolation;

PetscErrorCode fare_extrapolation_create(
  const fare_grid *half, const fare_grid *quarter, fare_extrapolation **extrapolation);
PetscErrorCode fare_extrapolate(fare_extrapolation *extrapolation, Vec masses, Vec half, Vec quarter,
  double nominal, double observed, Vec better, Vec error_field, double *error);
PetscErrorCode fare_extrapolation_destroy(fare_extrapolation **extrapolation);
/*
  What the cells at the ends hide from all grids; see ends.c. layer: of a start with these masses, the mass
  that each absorbing end should absorb and does not. singular: of the present masses, the L1 error at ends
  where the density is not bounded. Collective.
*/
PetscErrorCode fare_ends_look(const fare_grid *grid, const fare_system *system, double t, Vec masses,
  double layer[FARE_DIM_MAX][2], double *singular);
/*
  L1 distance between the Boltzmann masses at which the rates are at rest and those of finer quadrature: 0
  without a potential. Collective.
*/
PetscErrorCode fare_grid_rest_error(
  const fare_grid *grid, const fare_system *system, double t, double *error);

/*
  What a time method keeps: masses and times of its latest points, the latest first, and vectors that it does
  not need between steps. All borrowed.
*/
typedef struct {
  const Vec    *past;
  const double *t;
  Vec           spare[2];
} fare_path;

/*
  The integral of the L1 residual, a bound on the error of the time method. See residual.c. Without `path` it
  keeps the points itself. Collective.
*/
typedef struct fare_residual fare_residual;
PetscErrorCode fare_residual_create(double t, Vec masses, const fare_path *path, fare_residual **residual);
/* Begins anew: what comes is not smoothly joined to what was. */
PetscErrorCode fare_residual_restart(fare_residual *residual, double t, Vec masses);
PetscErrorCode fare_residual_destroy(fare_residual **residual);
/* Its state: these vectors, and as many numbers and one more. */
#define FARE_RESIDUAL_HISTORY 6
void fare_residual_vectors(const fare_residual *residual, Vec vector[]);
void fare_residual_save(const fare_residual *residual, double numbers[]);
void fare_residual_load(fare_residual *residual, const double numbers[]);
/* Adds what the step that has just ended at t with these masses contributes. */
PetscErrorCode fare_residual_step(
  fare_residual *residual, fare_operator *op, double t, Vec masses, double *bound);

/*
  Masses on one grid, evolved in time with one tolerance: by the backward differentiation of bdf.c, or by
  PETSc's TS, whichever is not NULL. `largest_step` is where the next advance begins, whatever small step the
  last one took to end on time.
*/
/*
  What has left through each end, by a polynomial through the latest rates of loss. Plain numbers, saved and
  loaded as they are.
*/
#define FARE_EXIT_POINTS 4
typedef struct {
  double points, left;        /* rates known; mass at the latest of them */
  double t[FARE_EXIT_POINTS]; /* the latest last */
  double rate[FARE_EXIT_POINTS][FARE_DIM_MAX][2];
  double absorbed[FARE_DIM_MAX][2];
} fare_exits;
/* Begins anew, where the rates jump; then once for each step. Collective. */
PetscErrorCode fare_exits_restart(fare_exits *exits, fare_operator *op, double t, Vec masses);
PetscErrorCode fare_exits_step(fare_exits *exits, fare_operator *op, double t, Vec masses);

typedef struct fare_bdf       fare_bdf;
typedef struct fare_multigrid fare_multigrid;
typedef struct fare_transport fare_transport;
struct fare_evolution {
  const fare_grid   *grid;
  const fare_system *system;
  fare_operator     *op;
  fare_bdf          *bdf;
  fare_transport    *transport;
  TS                 ts;
  KSP                ksp; /* of bdf, or borrowed from ts */
  /* shift - L: assembled where ranks share one axis or an option wants it, otherwise a shell */
  Mat             A;
  double         *line;      /* room for the direct solve on one axis; NULL where there is none */
  fare_multigrid *multigrid; /* NULL where the preconditioner is PETSc's */
  double          shift;     /* of A and of the preconditioner */
  PetscInt        prepared;  /* version of the rates that they are of */
  Vec             masses;
  double          tolerance, largest_step, before; /* time before the step under way */
  /* steps in the place of each longest one that the way to a snapshot allows */
  int parts;
  /* masses of both signs are evolved as they are: for linear algebra on whole evolutions */
  PetscBool  is_linear;
  PetscBool  absorbs; /* some end does: mass is lost there, and only there */
  fare_exits exits;
  /* worst so far; minimum is of the density; positivity_correction: mass that a solve was given */
  double         mass_drift, minimum, positivity_correction;
  double         last_error; /* of the latest step, as it was estimated; bdf only */
  PetscInt       steps, rejected, solves, iterations;
  PetscInt       seen[3];    /* of those TS counts that are in rejected, solves and iterations */
  fare_residual *residual;   /* NULL: the time error is not bounded */
  double         time_bound; /* on the L1 error of the time method so far */
  /* of the smooth way under way: its end, and its longest step; 0: none is */
  double goal, longest;
  double next_step; /* of ts, in the middle of such a way */
  double rate;      /* of transport, that decides on the next step; 0: not known */
  /* of transport, so far: the largest part of its way's longest step that a step was */
  double fullest;
  /*
    where the error in space is told: the steepest that cells with mass have been on the way to a snapshot,
    along each axis; see roughness.c
  */
  double steepest[FARE_DIM_MAX], steepest_until;
  double dropped; /* by transport, so far: mass of either sign that was next to nothing in its cell */
  /* steps of the smooth way that ends there are no longer; 0: no such way */
  double finest_end, finest;
  PetscErrorCode (*pause)(void *context); /* see fare_truth_set_pause */
  void *pause_context;
};

/*
  What evolution.c is made of. Solver: A of the time and shift last prepared. Stepper: by TS, or own.
  Collective.
*/
PetscErrorCode fare_truth_solver_create_matrix(fare_evolution *e, double start);
PetscErrorCode fare_truth_solver_configure(fare_evolution *e, KSP ksp);
PetscErrorCode fare_truth_solver_prepare(fare_evolution *e, double t, double shift);
PetscErrorCode fare_truth_solver_destroy(fare_evolution *e);
PetscErrorCode fare_ts_create(fare_evolution *e, double start);
PetscErrorCode fare_ts_advance(fare_evolution *e, double t, double longest);
PetscErrorCode fare_ts_restart(fare_evolution *e, double t);
PetscErrorCode fare_bdf_create(fare_evolution *e, double start);
PetscErrorCode fare_bdf_advance(fare_evolution *e, double t, double longest);
PetscErrorCode fare_bdf_restart(fare_evolution *e, double t);
PetscErrorCode fare_bdf_destroy(fare_bdf **bdf);
/* An evolution by transport, as fare_evolution_create(). Collective. */
PetscErrorCode fare_evolution_create_transport(const fare_grid *grid, const fare_system *system, double start,
  double tolerance, Vec masses, fare_evolution **evolution);
PetscErrorCode fare_transport_advance(fare_evolution *e, double t, double longest);
fare_path      fare_bdf_path(const fare_bdf *bdf);
#define FARE_BDF_POINTS 6
void fare_bdf_vectors(const fare_bdf *bdf, Vec vector[]);  /* the first has the latest masses */
void fare_bdf_save(const fare_bdf *bdf, double numbers[]); /* FARE_BDF_POINTS + 4 */
/* FARE_ERR_FAILED where no step can be taken from them */
PetscErrorCode fare_bdf_load(fare_bdf *bdf, const double numbers[]);
/* Keeps the steepest cells on the way to a snapshot, where that is wanted. Collective. */
PetscErrorCode fare_evolution_look(fare_evolution *e, double t, Vec masses);
/* Keeps the smallest density and the largest error of the sum so far. Collective. */
PetscErrorCode fare_evolution_watch(fare_evolution *e, Vec masses, double smallest);
/*
  Called by a stepper when masses are those of time t; and then, when its own state is that of time t, too,
  though not yet at the end of its way.
*/
PetscErrorCode fare_evolution_stepped(fare_evolution *e, double t, Vec masses, double smallest);
PetscErrorCode fare_evolution_pause(fare_evolution *e, double t);
/*
  Called by a stepper with the sum of the masses as a solve has left it, before it is put right:
  FARE_ERR_FAILED where it is off by more than the solver's tolerance and rounding explain, for then L itself
  does not keep it. Collective.
*/
PetscErrorCode fare_evolution_check_mass(fare_evolution *e, double t, double sum);

/*
  The state, from which an evolution that was created alike goes on to the same bits: numbers, and vectors
  that are borrowed, in a fixed order. Before fare_evolution_load the caller fills those. Collective.
*/
int            fare_evolution_vectors(const fare_evolution *evolution, Vec vector[FARE_TRUTH_VECTORS]);
PetscErrorCode fare_evolution_save(const fare_evolution *evolution, double numbers[FARE_TRUTH_NUMBERS]);
PetscErrorCode fare_evolution_load(fare_evolution *evolution, const double numbers[FARE_TRUTH_NUMBERS]);
/* The mass that is left, and what is absorbed at each end per time. Collective. */
PetscErrorCode fare_evolution_absorbed(
  fare_evolution *evolution, double *survival, double flux[FARE_DIM_MAX][2]);

#endif
