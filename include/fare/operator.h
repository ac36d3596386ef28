/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  operator: the Fokker-Planck operator L on a grid, dP/dt = L P for cell masses P, by finite volumes with
  exponentially fitted rates. L is a rate matrix: off-diagonal entries are not negative, columns sum to zero
  or to what leaves at absorbing ends. Where the force is a gradient the cell masses of the Boltzmann density
  are stationary: r(i->j) = D/(h^2 <exp(U/T)>_edge <exp(-U/T)>_cell).
*/
#ifndef FARE_OPERATOR_H
#define FARE_OPERATOR_H

#include <fare/grid.h>
#include <petscksp.h>

/** The operator L on one grid, with the rates of one time. */
typedef struct fare_operator fare_operator;

/**
  Creates the operator. Collective.
  @param grid   borrowed, as is the system
  @param system the physics
  @param op     destroy with fare_operator_destroy()
  @return FARE_ERR_FAILED where potential, drift or diffusion is not finite in the box
*/
PetscErrorCode fare_operator_create(const fare_grid *grid, const fare_system *system, fare_operator **op);
/**
  Destroys an operator. Collective.
  @param op set to NULL; may be NULL already
  @return 0 or an error code
*/
PetscErrorCode fare_operator_destroy(fare_operator **op);
/**
  Brings the rates to a time; evaluates only what changed. The functions below call it. Collective.
  @param op the operator
  @param t  the time
  @return FARE_ERR_FAILED where a rate is negative or not finite
*/
PetscErrorCode fare_operator_rates(fare_operator *op, double t);
/**
  A matrix with the operator's sparsity, preallocated. Collective.
  @param op the operator
  @param A  the caller destroys it
  @return 0 or an error code
*/
PetscErrorCode fare_operator_matrix(const fare_operator *op, Mat *A);
/**
  Fills A = shift I - L(t). Collective.
  @param op    the operator
  @param t     time of the rates
  @param shift per time
  @param A     from fare_operator_matrix(), overwritten
  @return as fare_operator_rates()
*/
PetscErrorCode fare_operator_assemble(fare_operator *op, double t, double shift, Mat A);
/**
  y = L(t) P. Collective.
  @param op the operator
  @param t  time of the rates
  @param P  cell masses
  @param y  masses per time, overwritten; not P
  @return as fare_operator_rates()
*/
PetscErrorCode fare_operator_apply(fare_operator *op, double t, Vec P, Vec y);
/**
  Probability current through the face above each cell, J = r(i->j) P_i - r(j->i) P_j; at an end, what leaves
  there. Collective.
  @param op   the operator
  @param t    time of the rates
  @param P    cell masses
  @param axis normal of the faces
  @param J    probability per time, overwritten
  @return as fare_operator_rates()
*/
PetscErrorCode fare_operator_current(fare_operator *op, double t, Vec P, int axis, Vec J);
/**
  d<x>/dt per axis: the current, summed over the box. Collective.
  @param op       the operator
  @param t        time of the rates
  @param P        cell masses
  @param velocity one number per axis
  @return an error of PETSc
*/
PetscErrorCode fare_operator_velocity(fare_operator *op, double t, Vec P, double velocity[]);
/**
  Density of the current at centres of cells: the mean over the two faces. Collective.
  @param op      the operator
  @param t       time of the rates
  @param P       cell masses
  @param axis    component of the current
  @param density new global vector; the caller destroys it
  @return an error of PETSc
*/
PetscErrorCode fare_operator_current_density(fare_operator *op, double t, Vec P, int axis, Vec *density);
/**
  Rates over the faces of owned cells. Collective.
  @param op       the operator
  @param t        time of the rates
  @param leaving  out of owned cell n, at [n * 2 dim + 2 axis + side]; side 0: below
  @param entering into it, alike
  @return as fare_operator_rates()
*/
PetscErrorCode fare_operator_faces(fare_operator *op, double t, double leaving[], double entering[]);
/**
  Ratio of the error in space on this grid to that on cells half as wide: 4, down to 2 where fluxes are
  upwind. For the rates made last. Collective.
  @param op     the operator
  @param masses where the ratio counts
  @param ratio  the result
  @return 0 or an error code
*/
PetscErrorCode fare_operator_ratio(const fare_operator *op, Vec masses, double *ratio);
/**
  Sets GMRES with the preconditioner that suits matrices of this sparsity: factors where those are affordable,
  else algebraic multigrid. Collective.
  @param grid the grid of the matrix
  @param ksp  the solver to set up
  @return 0 or an error code
*/
PetscErrorCode fare_linear_solver_choose(const fare_grid *grid, KSP ksp);

/**
  The operator of truth.scheme: high_order as a matrix: dp/dt = L p for values p at the centres of cells,
  times their volume. Of order 7 along each axis; not a rate matrix, but what it moves is kept. Collective.
  @param grid   the cells
  @param system the physics
  @param t      time of drift and diffusion
  @param L      the caller destroys it
  @return FARE_ERR_FAILED where drift or diffusion is not finite
*/
PetscErrorCode fare_high_order_matrix(const fare_grid *grid, const fare_system *system, double t, Mat *L);
/**
  The flow of that operator through each cell along an axis: the mean of those over its two faces. Its sum,
  times the spacing, is d<x>/dt. Collective.
  @param grid   the cells
  @param system the physics
  @param t      time of drift and diffusion
  @param axis   along which
  @param values at centres, times the volume of a cell
  @param J      probability per time, overwritten
  @return FARE_ERR_FAILED where drift or diffusion is not finite
*/
PetscErrorCode fare_high_order_current(
  const fare_grid *grid, const fare_system *system, double t, int axis, Vec values, Vec J);
/**
  Turns values at centres, times the volume of a cell, into masses of cells, of any sign. Collective.
  @param grid   the cells
  @param values overwritten
  @return an error of PETSc
*/
PetscErrorCode fare_high_order_masses(const fare_grid *grid, Vec values);
/**
  Turns masses of cells into values at centres, times the volume of a cell. Collective.
  @param grid   the cells
  @param masses overwritten
  @return an error of PETSc
*/
PetscErrorCode fare_high_order_values(const fare_grid *grid, Vec masses);

/** Columns that fare_chain_step() and fare_chain_step_slope() take side by side. */
#define FARE_CHAIN_LANES 8
/** A term of a series in M: y = scale M x - back y, and sum += weight y. */
typedef struct {
  double scale;  /**< of M x */
  double back;   /**< of y as it was */
  double weight; /**< of y in the sum */
} fare_term;
/**
  One step of a chain that jumps between cells, for FARE_CHAIN_LANES columns side by side,
  [cell * FARE_CHAIN_LANES + lane]. With M = 1 + L/rate, terms of scale 1 and back 0 are those of
  uniformization, exp(L t) = sum_n exp(-rate t) (rate t)^n/n! M^n; others those of Chebyshev's polynomials. A
  kernel; not collective.
  @param cells     how many
  @param faces     of a cell
  @param neighbour [cell * faces + face], the cell itself where there is none
  @param stay      diagonal of M
  @param in        [cell * faces + face]: entry of M in the neighbour's column
  @param term      which term
  @param x         columns before the step
  @param y         columns after it, overwritten; finite numbers before, also where `back` is 0; not x
  @param sum       added to
*/
void fare_chain_step(PetscInt cells, int faces, const int32_t *neighbour, const double *stay,
  const double *in, const fare_term *term, const double *x, double *y, double *sum);
/**
  The same for a derivative by a parameter, with M x + dM base in place of M x. A kernel; not collective.
  @param cells      how many
  @param faces      of a cell
  @param neighbour  as of fare_chain_step(), as are stay, in, term and sum
  @param stay       diagonal of M
  @param in         other entries of M
  @param stay_slope diagonal of dM
  @param in_slope   other entries of dM
  @param term       which term
  @param base       columns whose derivative is x
  @param x          derivatives before the step
  @param y          derivatives after it, overwritten; not x
  @param sum        added to
*/
void fare_chain_step_slope(PetscInt cells, int faces, const int32_t *neighbour, const double *stay,
  const double *in, const double *stay_slope, const double *in_slope, const fare_term *term,
  const double *base, const double *x, double *y, double *sum);

#endif
