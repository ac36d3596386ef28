/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside joint: the density of one block of a product, from the masses of the cells of a grid of its own. ln p
  is a cubic spline through the middles of cells, of fourth order. Draws and conditionals have each cell's own
  mass and, within it, exp(slope . y) along each axis: one joint density whose draws its conditionals turn
  into even numbers to the last digit. It differs from the spline's by second differences within a cell.
*/
#ifndef FARE_JOINT_BLOCK_H
#define FARE_JOINT_BLOCK_H

#include <fare/ensemble.h>
#include <fare/truth.h>

#define FARE_BLOCK_EDGE    2        /* coefficients beyond the cells at each end */
#define FARE_BLOCK_OUTSIDE (-1e300) /* so much is added to ln p outside of the box */

typedef struct {
  int       dim;
  PetscInt  cells[FARE_DIM_MAX]; /* 1 beyond dim */
  double    lower[FARE_DIM_MAX], upper[FARE_DIM_MAX], spacing[FARE_DIM_MAX];
  PetscBool periodic[FARE_DIM_MAX];
  size_t    count;
  double   *mass;                /* of all cells, the first axis fastest; not negative, of sum 1 */
  double   *sum;                 /* mass of a cell and of all before it */
  double   *along[FARE_DIM_MAX]; /* the same of the slices along an axis */
  double   *slope[FARE_DIM_MAX]; /* of ln p in the middle of a cell, per cell */
  double   *coefficient;         /* of cubic B-splines; FARE_BLOCK_EDGE more at each end of an axis */
  double    defect; /* |ln of its integral| before that was made 1: about the error of interpolation */
} fare_block_density;

/*
  mass: of all cells of the grid; where one is not positive it becomes next to nothing. FARE_ERR_FAILED where
  all are nothing, or memory is short.
*/
PetscErrorCode fare_block_density_create(
  const fare_grid *grid, const double mass[], fare_block_density **made);
/* The same of the density with normal noise of standard deviation sigma along each axis, on a wider mesh. */
PetscErrorCode fare_block_density_noise(
  const fare_grid *grid, const double mass[], double sigma, fare_block_density **made);
PetscErrorCode fare_block_density_destroy(fare_block_density **density);
/*
  Kernel: adds ln p to log_density[] and, unless score is NULL, fills in its gradient. Outside of the box
  FARE_BLOCK_OUTSIDE is added, and the score is 0.
*/
void fare_block_density_add(const fare_block_density *density, size_t n, const double *const y[],
  double log_density[], double *const score[]);
/* Draws for one block of particles, from numbers of this step of the stream. */
void fare_block_density_draw(
  const fare_block_density *density, fare_stream stream, uint64_t block, uint64_t step, double *const y[]);
/* u[axis][i] = P(Y_axis <= y | those before it in `order`). */
void fare_block_density_rosenblatt(
  const fare_block_density *density, const int order[], size_t n, const double *const y[], double *const u[]);
/*
  -E ln p by quadrature and, of a system with a potential, D(p || its Boltzmann density at time t), else not a
  number.
*/
void fare_block_density_entropy(const fare_block_density *density, const fare_system *system, double t,
  double *entropy, double *equilibrium);

#endif
