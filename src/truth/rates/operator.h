/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside truth: the generator, its rates over faces, and the two ways to get them. */
#ifndef FARE_OPERATOR_PRIVATE_H
#define FARE_OPERATOR_PRIVATE_H

#include "truth/grid/patch.h"
#include "truth/truth.h"

/*
  A gradient force, or any drift and diffusion: makes up[axis][cell] and down[axis][cell] of an operator at
  op->theta.
*/
typedef struct {
  PetscErrorCode (*create)(fare_operator *op);
  PetscErrorCode (*rates)(fare_operator *op);
  /*
    Adds to sums[axis] the numerical diffusion of this grid and of one with cells half as wide, over this
    rank's masses; NULL: of second order.
  */
  void (*numerical_diffusion)(
    const fare_operator *op, const PetscScalar mass[], double sums[FARE_DIM_MAX][2]);
  PetscErrorCode (*destroy)(fare_operator *op);
} fare_rates_type;
extern const fare_rates_type fare_rates_gradient, fare_rates_general;
static inline PetscBool      fare_rates_are_general(const fare_system_type *type)
{
  return type->drift || !type->potential ? PETSC_TRUE : PETSC_FALSE;
}

/*
  Cells of the box: those that this rank owns and a layer around them, numbered (k count[1] + j) count[0] + i.
  Rates over the face above each cell along each axis: up from the cell, down from its neighbour.
*/
struct fare_operator {
  const fare_grid        *grid;
  const fare_system      *system;
  const fare_system_type *type;
  const fare_rates_type  *how;
  void                   *data; /* of `how` */
  PetscInt                start[FARE_DIM_MAX], count[FARE_DIM_MAX], stride[FARE_DIM_MAX], box, owned;
  fare_patch             *patch;
  double                 *up[FARE_DIM_MAX], *down[FARE_DIM_MAX];
  double                  theta[FARE_PARAMETERS_MAX], time; /* that the rates are of */
  PetscBool               valid, finite;                    /* finite: all rates are known to be */
  PetscInt                version;                          /* counts how often rates were made */
};

/*
  Points of a cell at which V is evaluated: the centre, FARE_LINE_POINTS on the two half-edges along each
  axis, and in two and three dimensions the cell's own.
*/
#define FARE_LINE_POINTS (2 * FARE_HALF_POINTS)
#define FARE_CELL_POINTS 3
int fare_points_per_cell(int dim);
/* Weight of a point, but the centre, in the average over its cell; 0 for points that serve edges alone. */
double fare_point_weight(int dim, int point);
/* One point of all cells of the box. */
void fare_place_point(const fare_operator *op, int point, double *const x[]);
/* Points so many spacings above the centres of all cells of the box: within [-1, 1]. */
void fare_place_offset(const fare_operator *op, const double offset[], double *const x[]);
/* The terms of V whose coefficients change when a driven parameter does; how many there are. */
int fare_moving_terms(const fare_system *system, int moving[]);

/* Loops over owned cells in the order of vectors: n, the number there, and `cell`, that in the box. */
#define FARE_FOR_OWNED(op, n, cell)                                                                    \
  for (PetscInt n = 0, k_ = 0; k_ < (op)->grid->count[2]; k_++)                                        \
    for (PetscInt j_ = 0; j_ < (op)->grid->count[1]; j_++)                                             \
      for (PetscInt i_ = 0, cell = fare_patch_box_row((op)->patch, j_, k_); i_ < (op)->grid->count[0]; \
           i_++, n++, cell++)

/* Whether the face above a cell of the box at `index` belongs to a cell that this rank owns. */
PetscBool fare_operator_face_serves(const fare_operator *op, int axis, const PetscInt index[]);
/* "1.5, 2", for messages. */
#define FARE_PLACE_SIZE 80
void fare_operator_write_place(const fare_operator *op, const double x[], char place[FARE_PLACE_SIZE]);
/* Gives back what the rates take of memory, until they are asked for again. */
PetscErrorCode fare_operator_clear(fare_operator *op);
/* The largest rate at which mass leaves a cell, over all ranks. Collective. */
PetscErrorCode fare_operator_largest_rate(const fare_operator *op, double *rate);
/*
  What the masses P lose per time through each end of the box that absorbs, of the rates last made.
  Collective.
*/
PetscErrorCode fare_operator_exits(const fare_operator *op, Vec P, double exits[FARE_DIM_MAX][2]);
/* Global index of a cell of the box along each axis. */
void fare_operator_index(const fare_operator *op, PetscInt cell, PetscInt index[FARE_DIM_MAX]);
/*
  Whether the face above a cell at `index` along `axis` is the lower or upper end of the box of an axis that
  ends; 0, -1 or +1.
*/
static inline int fare_operator_end(const fare_operator *op, int axis, PetscInt index)
{
  if (op->grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) return 0;
  return index == -1 ? -1 : index == op->grid->cells[axis] - 1 ? 1 : 0;
}

/* B(z) = z/(exp(z) - 1) */
double fare_bernoulli(double z);

/*
  One row of n faces between cells `below` and `above`: U at centres; lower, upper: averages of e^{(U -
  U_centre)/T} over the half-edges next to the face; average: of e^{-(U - U_centre)/T} over the cells. D is
  per h^2. work: of the nonconservative force along the edge, or NULL. A kernel.
*/
void fare_face_rates(size_t n, double D, double T, const double *U_below, const double *U_above,
  const double *lower, const double *upper, const double *average_below, const double *average_above,
  const double *work, double *up, double *down);
/* exp(r), held within what can be multiplied. */
double fare_held_exponential(double r);
/* e = exp(factor r), held within what can be multiplied. y += a x. Kernels. */
void fare_exponentials(size_t n, double factor, const double *r, double *e);
void fare_add_scaled(size_t n, double a, const double *x, double *y);
/* y = sum of a_k x_k of `count` arrays. A kernel. */
void fare_weighted_sum(size_t n, int count, const double a[], const double *const x[], double *y);
/* Whether all are finite, whatever the compiler assumes. A kernel. */
int fare_all_finite(size_t n, const double *x);
/* Whether all are finite and none is negative. A kernel. */
int fare_all_rates(size_t n, const double *x);

#endif
