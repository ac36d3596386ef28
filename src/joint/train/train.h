/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside joint: the cell masses of a chain as a train of tensors, and their evolution. Sites are numbered from
  0; all have the same cells. Site k holds core[k], an array [left][cell][right] of bond[k] x cells x
  bond[k+1] numbers, and

    mass(i_1 ... i_N) = product over sites of weight[i_k] times the product of the matrices core[k][.][i_k][.]

  so that singular values measure errors relative to the weights, which are the root of a Boltzmann density.
  Cores left of `centre` are isometries of (left, cell), those right of it of (cell, right): only there is
  the truncation of a bond the best one.
*/
#ifndef FARE_TRAIN_PRIVATE_H
#define FARE_TRAIN_PRIVATE_H

#include <fare/chain.h>
#include <fare/joint.h>

#define FARE_CELLS_MIN  16 /* companions have half of them */
#define FARE_CELLS_MOST 96 /* of a site: time grows as cells^3 */
#define FARE_PARTS      8  /* of a cell, at whose ends and middles densities are tabulated */
#define FARE_NEAR       6  /* cells whose masses a density between two centres is made of */

/* Evolution by one pair of neighbours and by one end, over half a step and at one moment. */
typedef struct {
  double  theta[FARE_PARAMETERS_MAX], step;
  double *half,
    *whole;    /* [other cell][cells x cells]: of one site of a bond, for a half and the whole of it */
  double *end; /* cells x cells */
} fare_gate;

#define FARE_GATES_MAX 4 /* kept: a square wave needs two */

/* One axis: cells, weights, and what a density between their centres is made of. */
typedef struct {
  int                     cells;
  double                  lower, spacing;
  double                 *centre, *weight; /* per cell; the weight is the root of a Boltzmann density */
  const fare_system_type *unit;
} fare_sites;

/* points.c: what is made of one site to tell about points. */
typedef struct fare_reader fare_reader;

typedef struct fare_train fare_train;
struct fare_train {
  const fare_system *system;
  const fare_chain  *chain;
  fare_sites         sites;
  int                count, most_rank, centre;
  double             step; /* longest */
  int                bond[FARE_AXES_MAX + 1];
  double            *core[FARE_AXES_MAX];
  double *right[FARE_AXES_MAX + 1]; /* right[k][a]: all sites from k on summed; right[count] = {1} */
  double
    *marginal[FARE_AXES_MAX]; /* ln of cell masses of each site by itself, beside which all varies little */
  const fare_train *like;     /* whose they are; NULL: its own */
  fare_reader      *reader[FARE_AXES_MAX]; /* where points are looked at */
  double            discarded;             /* sum over truncations, relative, L2 */
  int               rank;                  /* largest so far */
  PetscBool         full;                  /* the limit of the rank has cut something */
  int               gates;
  fare_gate         gate[FARE_GATES_MAX];
};

/* cells.c: the cells of an axis. Weights from the parameters theta and a floor under their range. */
PetscErrorCode fare_sites_create(const fare_system_type *unit, int cells, double lower, double upper,
  const double theta[], fare_sites *sites);
void           fare_sites_free(fare_sites *sites);
/* The cell of a mirror image: ends reflect. */
int fare_mirrored(int cell, int cells);
/* Weights of six cells around two centres, at xi of 0 to 1 between these, and their derivatives. */
void fare_train_weights(double xi, double value[FARE_NEAR], double slope[FARE_NEAR]);
/*
  The density of a site at x of unit masses in FARE_NEAR cells, at[]; its derivative, unless NULL. False
  outside.
*/
PetscBool fare_train_near(
  const fare_train *train, int site, double x, int at[], double value[], double slope[]);
/* Places at the ends and in the middles of parts. */
#define FARE_PLACES(cells) (2 * FARE_PARTS * (cells) + 1)
/*
  That density at all places, density[place][cell], and the masses in parts, interval[part][cell], by
  Simpson's rule unless NULL.
*/
PetscErrorCode fare_train_tabulate(const fare_train *train, int site, double *density, double *interval);

/* gates.c: the gate of these parameters and this step, made or found. Borrowed until the next. */
PetscErrorCode fare_train_gate(fare_train *train, const double theta[], double step, const fare_gate **gate);
/* Both sites of a bond, [cell][cell][terms]; what `from` held is gone. */
void fare_gate_apply(const fare_gate *gate, int n, int terms, double *from, double *to);
void fare_train_gates_free(fare_train *train);
/* exp(step L) of a matrix of rates, by positive terms alone: columns keep their sum. */
PetscErrorCode fare_exponential(int n, const double *rates, double step, double *to);

/* train.c: the train. */
PetscErrorCode fare_train_create(const fare_system *system, int cells, int rank, double step, double lower,
  double upper, double start, fare_train **train);
/* Begins with products of cell masses, mass[component][site][cell], summed over components. */
PetscErrorCode fare_train_begin(fare_train *train, int components, const double *mass);
/* Steps from t to t + span, in `steps` equal steps on which the drive is smooth. */
PetscErrorCode fare_train_advance(fare_train *train, double t, double span, int steps);
/* Largest entry of |C'C - 1| over the isometries left and right of the centre. */
double         fare_train_gauge(const fare_train *train);
PetscErrorCode fare_train_destroy(fare_train **train);
/* Room for cores of these ranks; what they held is gone. */
PetscErrorCode fare_train_resize(fare_train *train, int site, int left, int right);
/* Sums from the right and marginals, after cores have changed. */
PetscErrorCode fare_train_sum(fare_train *train);

/* Truncates all bonds of a train that has no gauge; then the centre is on the first site. */
PetscErrorCode fare_train_compress(fare_train *train);

#define FARE_TERMS_MAX 5
/*
  combine.c: the sum of at most FARE_TERMS_MAX trains times factors, on the cells of `to`, truncated to its
  rank. Trains of other cells are interpolated.
*/
PetscErrorCode fare_train_combine(int count, fare_train *const of[], const double factor[], fare_train *to);

/* split.c: the best approximation of m (rows x columns) by `most` products left . right, left an isometry or,
  with to_left, right one. guess: `guesses` rows of which the columns' space is begun with. */
PetscErrorCode fare_split(int rows, int columns, double *m, int most, int guesses, const double *guess,
  PetscBool to_left, double *left, double *right, int *rank, double *lost, PetscBool *full);

/* read.c: what a train tells. */
double fare_train_mass(const fare_train *train);
/* Masses of the cells of one or of two sites, the first the slower; not scaled to the sum 1. */
PetscErrorCode fare_train_marginal(const fare_train *train, int axes, const int axis[], double masses[]);
/* Those of their parts. */
PetscErrorCode fare_train_parts(const fare_train *train, int axes, const int axis[], double masses[]);
/* -sum over sites of the entropies of the marginals, and E V / kT + ln Z at time t. */
PetscErrorCode fare_train_energies(const fare_train *train, double t, double *energy, double *log_z);

/* points.c: after cores and marginals have changed. */
PetscErrorCode fare_reader_create(const fare_train *train, int site, fare_reader **reader);
void           fare_reader_free(fare_reader **reader);
/* ln p, -HUGE_VAL where there is none; and the sum of ln `marginal` over sites, between centres, unless NULL.
 */
PetscErrorCode fare_train_log_density(
  const fare_train *train, int64_t n, const double *const x[], double log_density[], double log_sites[]);
PetscErrorCode fare_train_score(
  const fare_train *train, int64_t n, const double *const x[], double *const score[]);
/* From uniform numbers u[site][i] draws x, or with `back` from x the uniform numbers. */
PetscErrorCode fare_train_conditionals(
  const fare_train *train, int64_t n, PetscBool back, double *const x[], double *const u[], double *clipped);

#endif
