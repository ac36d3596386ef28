/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside infer: transition probabilities on a grid, as functions of parameters. */
#ifndef FARE_INFER_TRANSITION_H
#define FARE_INFER_TRANSITION_H

#include <fare/infer.h>
#include <fare/initial.h>
#include <fare/operator.h>
#include <fare/tracks.h>

#define FARE_INFER_MAX FARE_INFER_PARAMETERS /* parameters that are sought at once */
#define FARE_LANES     FARE_CHAIN_LANES      /* columns that are propagated side by side */

/* What sets the rates: a grid, whole on every rank, and a system some of whose parameters are sought. */
typedef struct {
  fare_grid         *grid;
  fare_system       *system; /* its own: its parameters move */
  fare_config       *config; /* that it was made from, where it is driven */
  double             time;   /* of the rates; 0 at first */
  double             period; /* of the drive; 0: there is none, or it does not repeat */
  fare_operator     *op;
  int                count; /* of parameters sought */
  const char *const *name;
  double             scale[FARE_INFER_MAX]; /* by which a parameter may vary; of steps of differences */
  double             least[FARE_INFER_MAX], most[FARE_INFER_MAX]; /* its range */
  double             theta[FARE_INFER_MAX];                       /* of the present rates */
  PetscInt           cells;
  int                faces;                 /* of a cell */
  int32_t           *neighbour;             /* [cell * faces + face]; the cell itself where there is none */
  double             fastest;               /* largest rate at which a cell is left */
  double            *stay, *in;             /* M = I + L/fastest: to stay, and to come in over a face */
  double            *stay_slope, *in_slope; /* dM: [k * cells + cell], [(k * cells + cell) * faces + face] */
} fare_model;
/*
  Names are borrowed; `guess` sets the scales. A drive is copied, too. The system is left alone and must
  outlive the model. Not collective.
*/
PetscErrorCode fare_model_create(const fare_system *system, const fare_box *box,
  const fare_boundary boundary[], const PetscInt cells[], int count, const char *const name[],
  const double guess[], fare_model **model);
PetscErrorCode fare_model_destroy(fare_model **model);
/* Rates at values of the parameters, and where asked for their derivatives, by central differences. */
PetscErrorCode fare_model_set(fare_model *model, const double theta[], PetscBool slopes);
/* The parameters alone; where one is moved, by how much it was moved down and up is told. */
PetscErrorCode fare_model_parameters(fare_model *model, const double theta[]);
double         fare_model_moved(const fare_model *model, const double theta[], int k, double moved[2]);

/*
  Called with the column of a start: probabilities P of all cells after the lag, and where asked for their
  derivatives dP[k] by the parameters. What is below `unsure` has no digits; 0: all have theirs.
*/
typedef PetscErrorCode fare_columns_visit(
  void *to, PetscInt i, PetscInt source, double unsure, const double P[], const double *const dP[]);
/*
  exp(L lag) of chosen columns. Along one axis, matrices of a short time by uniformization (see
  fare_path_columns()) are squared. Else long lags take Chebyshev's polynomials, for FARE_LANES columns as
  they come. Not collective, but FARE_ERR_STOPPED on a rank that was asked to stop: let ranks agree.
*/
PetscErrorCode fare_columns(const fare_model *model, double lag, PetscBool slopes, PetscInt count,
  const PetscInt source[], fare_columns_visit *visit, void *to);

/*
  Takes masses P[0], and where fields > 1 their derivatives P[1], ..., through a time at constant rates. Not
  collective.
*/
PetscErrorCode fare_masses_advance(const fare_model *model, double span, int fields, double *const P[]);

/*
  How well cells resolve masses: the standard deviation, in cells, of Gaussians as steep, along the axis where
  it is least. It is that of a Gaussian itself, wherever it lies on a ring, and however many there are. With
  b = sum_i sqrt(P_i P_{i+1}) of neighbours, which a Gaussian has as exp(-1/(8 sd^2)). Not collective.
*/
double fare_masses_width(const fare_model *model, const double P[]);

/* Rates over an interval: constant over each piece, as they are in its middle. */
typedef struct {
  int         count;
  fare_model *piece; /* the model with rates of its own */
  double     *span;  /* how long each lasts */
  double     *room;
} fare_path;
/*
  Pieces end at corners of the drive; there are `steps` or more, and steps/8 or more in what the drive's own
  time scale allows for a step, without a drive one. Leaves the model with the parameters. FARE_ERR_INPUT
  where there are too many. Not collective.
*/
PetscErrorCode fare_path_create(fare_model *model, const double theta[], double from, double to, int steps,
  PetscBool slopes, fare_path *path);
PetscErrorCode fare_path_free(fare_path *path);
/*
  Masses of an initial density, and their derivatives, which are there where it is a Boltzmann density. P[1],
  ... are left out where `slopes` is false. Leaves the model with the parameters. Not collective.
*/
PetscErrorCode fare_model_initial(fare_model *model, const fare_initial *initial, double start,
  const double theta[], PetscBool slopes, double *const P[]);
/* The model's present rates for a time, which is borrowed with it: nothing to free. */
fare_path fare_path_constant(const fare_model *model, double *span);
/*
  Columns of a path by uniformization: all terms are positive, so that even small probabilities have their
  digits (Jensen, Skand. Aktuarietidskr. 36, 87 (1953)). The second one is as fare_masses_advance() for up to
  FARE_LANES masses side by side: P[lane * fields + k].
*/
PetscErrorCode fare_path_columns(const fare_path *path, PetscBool slopes, PetscInt count,
  const PetscInt source[], fare_columns_visit *visit, void *to);
PetscErrorCode fare_path_advance(const fare_path *path, int fields, int lanes, double *const P[]);

/*
  Intervals between rows that have the same length, and of a driven system the same phase: for each pair which
  one it is. FARE_ERR_INPUT where there are too many. Not collective.
*/
typedef struct {
  int     count;
  double *lag, *from; /* of each; `from` as of fare_lag */
  int    *of;         /* per pair */
} fare_intervals;
PetscErrorCode fare_intervals_create(const fare_tracks *tracks, const fare_model *model, int64_t count,
  const int64_t pair[], fare_intervals *intervals);
PetscErrorCode fare_intervals_free(fare_intervals *intervals);

/* Starts of which ln P is known, to be interpolated between. */
typedef struct {
  double    nodes;   /* over what a lag spreads a point, sqrt(2 D lag), at least; 0: on every cell */
  PetscInt  stretch; /* they are so many times as far apart then: 2 tells the error */
  PetscBool coarse;  /* there are fewer than cells */
} fare_lattice;

/*
  What data of one lag say about ln P: sum of weight * ln P(target|source) is their log-likelihood, but for
  the volume of cells, with ln P interpolated by parabolas at both ends.
*/
typedef struct {
  double   lag;
  double   from; /* of a driven system: when they start, or a whole number of periods from there */
  PetscInt stride[FARE_DIM_MAX]; /* of the lattice of starts; 0: every cell, by parabolas */
  int64_t  pairs;
  PetscInt sources, *source; /* cells where pairs start ... */
  double  *starts;           /* ... and how many do, by the same weights */
  size_t  *first;            /* of each source, its entries in ... */
  int32_t *target;           /* ... these cells ... */
  double  *weight;           /* ... with these weights */
} fare_lag;
typedef struct {
  int       lags;
  fare_lag *of;
  int64_t   pairs;
} fare_pairs;
/*
  Groups pairs of rows by their lags, and of a driven system by when they start within its period. Starts lie
  on the coarsest lattice that is allowed by the model's present diffusion; `lattice` is told whether any is
  coarse. FARE_ERR_INPUT where a position is outside of the grid, or where there are no pairs, or too many
  groups. Not collective.
*/
PetscErrorCode fare_pairs_create(const fare_tracks *tracks, const fare_model *model, fare_lattice *lattice,
  int64_t count, const int64_t pair[], fare_pairs *pairs);
PetscErrorCode fare_pairs_free(fare_pairs *pairs);

/* A position of a row on the grid: inside of the box, or brought back into it along a periodic axis. */
PetscErrorCode fare_place(const fare_tracks *tracks, const fare_grid *grid, int64_t row, double x[]);
/* Three cells along each axis, whose parabola a value is read from at x: their number and weights. */
#define FARE_NODES       4 /* along an axis */
#define FARE_STENCIL_MAX (FARE_NODES * FARE_NODES * FARE_NODES)
int fare_parabola_stencil(const fare_grid *grid, const double x[], PetscInt cell[], double weight[]);
/*
  The same by cubics through four nodes of a lattice along each axis, which are so many cells apart; and what
  that may be where a spacing is allowed.
*/
int fare_lattice_stencil(
  const fare_grid *grid, const PetscInt stride[], const double x[], PetscInt cell[], double weight[]);
PetscInt fare_lattice_stride(const fare_grid *grid, int axis, double spacing);

/* The columns of FARE_LANES starts, and of their derivatives behind them: [(k * cells + cell) * LANES +
 * lane]. */
typedef struct {
  double *x, *y, *sum;
} fare_lanes;
/* One term, of columns and their derivatives: x becomes y, and y what x was. */
void fare_lanes_step(const fare_model *model, int fields, const fare_term *term, fare_lanes *block);
void fare_lanes_swap(double **a, double **b);

/* Coefficients of exp(events (M - I)) in Chebyshev's polynomials of M. */
typedef struct {
  int     terms; /* at most */
  double *of;
} fare_chebyshev;
PetscErrorCode fare_chebyshev_create(double events, fare_chebyshev *series);
PetscErrorCode fare_chebyshev_free(fare_chebyshev *series);
/* x becomes that series of x. Returns the error of its numbers; infinite: it is none of them. */
double fare_lanes_chebyshev(
  const fare_model *model, const fare_chebyshev *series, int fields, fare_lanes *block);

#endif
