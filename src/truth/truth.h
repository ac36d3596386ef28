/* Inside truth: quadrature, nested grids, rates. */
#ifndef FARE_TRUTH_PRIVATE_H
#define FARE_TRUTH_PRIVATE_H

#include <fare/truth.h>

/* Gauss-Legendre points of half a cell: offsets from the centre in units of the spacing, within (0, 1/2), and weights of sum 1. */
#define FARE_HALF_POINTS 3
extern const double fare_half_offset[FARE_HALF_POINTS], fare_half_weight[FARE_HALF_POINTS];

/* The q-th of 2 FARE_HALF_POINTS points of a cell along one axis; multiplies *weight (sum 1 over the points). */
static inline void fare_cell_point(int q, double *offset, double *weight)
{
  const int half = q % FARE_HALF_POINTS;

  *offset = q < FARE_HALF_POINTS ? fare_half_offset[half] : -fare_half_offset[half];
  *weight *= 0.5 * fare_half_weight[half];
}

/* A grid of cells half as wide, whose cells live on the rank of their parents. Collective. */
PetscErrorCode fare_grid_refine(const fare_grid *coarse, fare_grid **fine);
/* Sums of children, and equal shares of parents; vectors on such a pair of grids. */
PetscErrorCode fare_grid_restrict(const fare_grid *coarse, Vec fine, Vec to);
PetscErrorCode fare_grid_prolong(const fare_grid *coarse, Vec from, Vec fine);

/* Brings the rates of an operator to time t. Collective. */
PetscErrorCode fare_operator_rates(fare_operator *op, double t);
/* Whether the force is a gradient, so that the spectrum is real. */
PetscBool fare_operator_is_gradient(const fare_operator *op);
/* How many times as large this grid's error in space is as that of cells half as wide: 4, down to 2 where fluxes are upwind. Of the rates last made. Collective. */
PetscErrorCode fare_operator_ratio(const fare_operator *op, Vec masses, double *ratio);

/* The integral of the L1 residual, a bound on the error of the time method. See residual.c. Collective. */
typedef struct fare_residual fare_residual;
PetscErrorCode fare_residual_create(double t, Vec masses, fare_residual **residual);
/* Begins anew: what comes is not smoothly joined to what was. */
PetscErrorCode fare_residual_restart(fare_residual *residual, double t, Vec masses);
PetscErrorCode fare_residual_destroy(fare_residual **residual);
/* Adds what the step that has just ended at t with these masses contributes. */
PetscErrorCode fare_residual_step(fare_residual *residual, fare_operator *op, double t, Vec masses, double *bound);

/*
  Masses on one grid, evolved in time with one tolerance. `largest_step` is the largest step that held since the last advance: where the
  next one begins, whatever small step it took to end on time.
*/
typedef struct {
  const fare_grid   *grid;
  const fare_system *system;
  fare_operator     *op;
  TS               ts;
  Mat              A;
  Vec              masses;
  double           largest_step, before; /* time before the step under way */
  PetscBool        is_linear;            /* masses of both signs are evolved as they are: for linear algebra on whole evolutions */
  PetscBool        absorbs;              /* some end does: mass is lost there, and only there */
  double           mass_drift, minimum, lifted; /* worst so far; minimum is of the density; lifted: mass that a solve was given to keep it from being negative */
  fare_residual   *residual;             /* NULL: the time error is not bounded */
  double           time_bound;           /* on the L1 error of the time method so far */
} fare_evolution;

/* Collective. Takes `masses` over as its state. PETSc options: prefix truth_. */
PetscErrorCode fare_evolution_create(const fare_grid *grid, const fare_system *system, double start, double tolerance, PetscBool bound, Vec masses, fare_evolution **evolution);
PetscErrorCode fare_evolution_advance(fare_evolution *evolution, double t);
/* The mass that is left, and what is absorbed at the ends per time. Collective. */
PetscErrorCode fare_evolution_absorbed(fare_evolution *evolution, double *survival, double *flux);
PetscErrorCode fare_evolution_destroy(fare_evolution **evolution);

#endif
