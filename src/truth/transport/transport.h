/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside truth: transport of order 7 in space and 4 in time, explicit, where drift outruns diffusion. See
  transport.c.
*/
#ifndef FARE_TRANSPORT_H
#define FARE_TRANSPORT_H

#include "truth/grid/patch.h"
#include "truth/truth.h"

#define FARE_REACH 4 /* cells on either side of a face that its flow depends on */

/*
  Cells of this rank with FARE_REACH layers around along each axis of the grid, (k size[1] + j) size[0] + i.
  Values are those of the density at the centres of cells, times the volume of a cell: points. drift is per
  spacing, diffusion per its square; diffusion is not looked at where `uniform` holds it for all cells.
*/
struct fare_transport {
  const fare_grid   *grid;
  const fare_system *system;
  const fare_patch  *patch; /* of which neighbours are known */
  PetscInt           size[FARE_DIM_MAX], stride[FARE_DIM_MAX], first, box, owned;
  MPI_Datatype       outgoing[FARE_DIM_MAX][2], ghost[FARE_DIM_MAX][2];
  double            *drift[FARE_DIM_MAX], *diffusion[FARE_DIM_MAX];
  PetscBool          is_uniform[FARE_DIM_MAX], is_finite, valid;
  /*
    Of a mass of 1, in a cell: less than this, of either sign, becomes 0. What that adds or takes, the others
    have in proportion; the certificate counts it.
  */
  double  little;
  double  uniform[FARE_DIM_MAX], theta[FARE_PARAMETERS_MAX], rate;
  double *stage[2], *flow[FARE_DIM_MAX], *row; /* flow: over the face above each cell */
  /* see window.c: two numbers for each row, layers too; gaps at both ends of each, and those beyond */
  PetscInt     rows, *window, *wider, *gap[2], *beyond[2];
  MPI_Datatype outgoing_window[FARE_DIM_MAX][2], ghost_window[FARE_DIM_MAX][2];
  /* of a stage: flows over the faces of a row, and over those below the rows to come */
  double *along, *above, *below[FARE_DIM_MAX];
  /* owned cells: those that the limiter shall look after, and those at a border of the rank */
  PetscInt *bad, bads, *border, borders;
  Vec       points, next; /* of owned cells, the state */
};

/* Rows of owned cells: n, where it begins among them, and `at`, in the arrays with layers. */
#define FARE_FOR_ROWS(t, n, at)                                                     \
  for (PetscInt k_ = 0, n = 0, at = 0; k_ < (t)->grid->count[2]; k_++)              \
    for (PetscInt j_ = 0; j_ < (t)->grid->count[1] &&                               \
         (at = (t)->first + k_ * (t)->stride[2] + j_ * (t)->stride[1], PETSC_TRUE); \
         j_++, n += (t)->grid->count[0])

/* The range of cells of the row at `at` that a step works on: none where the second is not above. */
static inline const PetscInt *fare_transport_range(const fare_transport *t, PetscInt at)
{
  return t->window + 2 * (at / t->size[0]);
}

/* What a step has left, over all ranks. */
typedef struct {
  double least, sum; /* least point, of this rank alone; sum of all */
  double off;        /* of that sum from what it must be, before that was put right */
  double negative;   /* what was, before the limiter */
  /* next to nothing that became zero: what that took off the sum, and its size, of either sign */
  double taken, dropped;
  double absorbed[FARE_DIM_MAX][2]; /* through each end */
  int    passes;                    /* of the limiter */
} fare_transport_step_result;

/* Borrows all but masses, which are copied. tolerance: what a step may add to the L1 error. Collective. */
PetscErrorCode fare_transport_create(const fare_grid *grid, const fare_system *system, double tolerance,
  const fare_patch *patch, Vec masses, fare_transport **t);
PetscErrorCode fare_transport_destroy(fare_transport **t);
/* Chooses the cells of the next step by its points; or takes all. Collective. */
PetscErrorCode fare_transport_fit_window(fare_transport *t);
PetscErrorCode fare_transport_open_window(fare_transport *t);
/*
  Drift and diffusion of a half, 0 or 1, of a step of a length; where nothing is driven, or the length is 0,
  of its start. `rate`, times a step, decides on stability in the window. Collective.
*/
PetscErrorCode fare_transport_prepare(fare_transport *t, double from, double length, int half);
#define FARE_TRANSPORT_STABLE 2.6
/* One step of a length, of the drift and diffusion last prepared, from a sum of points that is known.
 * Collective. */
PetscErrorCode fare_transport_step(
  fare_transport *t, double length, double sum, fare_transport_step_result *result);
/* Describes the layers to MPI, for fare_transport_exchange(). */
PetscErrorCode fare_transport_create_halo(fare_transport *t);
PetscErrorCode fare_transport_destroy_halo(fare_transport *t);
/* Brings what neighbours hold into the layers around values of owned cells. Collective. */
PetscErrorCode fare_transport_exchange(const fare_transport *t, double *values);
/*
  The points after all flows of a length, limited so that none is negative by more than next to nothing,
  become the present ones. Collective.
*/
PetscErrorCode fare_transport_settle(fare_transport *t, double length, fare_transport_step_result *result);
/* Finds the owned cells with a neighbour on another rank, or on this one round a circle. */
void fare_transport_list_borders(fare_transport *t);
/* The masses of the present points. Collective. */
PetscErrorCode fare_transport_masses(fare_transport *t, Vec masses);

/* Of the tolerance of a step: `little`. */
#define FARE_TRANSPORT_LITTLE 1e-10

/*
  Weights of differences of pairs, for 1 to 3: what a mass has more than a value at the centre, and the other
  way round.
*/
extern const double fare_transport_to_mass[FARE_REACH][FARE_REACH],
  fare_transport_to_point[FARE_REACH][FARE_REACH];
/* Pairs of cells around the face above a cell of index i along an axis; 0: an end. */
int fare_transport_pairs(const fare_grid *grid, int axis, PetscInt i);
/*
  What flows up, per content of the outermost cell, over an end that absorbs, outwards only: over half a cell
  to where nothing is. end: -1 or 1.
*/
double fare_transport_end(int end, double drift, double D);

/* Kernels. */
/*
  Over n faces above cells at `at`, `s` apart from their neighbours along the axis, with `pairs` cells on
  either side, 1 to FARE_REACH: what flows up per time. diffusion: at cells, or NULL where it is `uniform`.
*/
void fare_transport_flow(PetscInt n, int pairs, PetscInt s, const double *drift, const double *diffusion,
  double uniform, const double *points, double *flow);
/* The same flow over one face, as weights of the 2 pairs cells around it, from below. */
void fare_transport_weights(int pairs, const double drift[], const double diffusion[], double weight[]);
/* flow = sum of weight[k] times the difference of the cells k + 1/2 above and below. */
void fare_transport_differences(
  PetscInt n, int pairs, PetscInt s, const double weight[], const double *points, double *flow);
/* to = from - c (what flows out over the faces of one axis): `to` may be `from`. */
void fare_transport_advance_row(
  PetscInt n, double c, const double *above, const double *below, const double *from, double *to);
/*
  The least, the sum and the negative part of n values, with those below `little` as zeros: what that takes
  off the sum, and their sizes.
*/
void fare_transport_look(PetscInt n, double little, const double *points, double sums[5]);
/* And with others scaled, it makes them zeros. */
void fare_transport_drop(PetscInt n, double little, double factor, double *points);
void fare_transport_scale(PetscInt n, double factor, double *values);
/* Takes into bounds the largest of n values and of their opposites. */
void fare_transport_bounds(PetscInt n, const double *values, double bounds[2]);
/* The largest of the sums of |drift| and diffusion, weighted for stability. */
double fare_transport_rate(PetscInt n, int dim, const double *const drift[], const double *const diffusion[]);

#endif
