/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside thermo: quadrature in time, and kernels. */
#ifndef FARE_THERMO_PRIVATE_H
#define FARE_THERMO_PRIVATE_H

#include <fare/thermo.h>

#define FARE_POINTS_MAX 9

/*
  Gauss and Lobatto's quadrature on [0, 1], ends included: exact to degree 2 count - 3. derivative[i][j]: of
  the polynomial through the points, at point i. Summation by parts holds: weight[i] derivative[i][j] +
  weight[j] derivative[j][i] is 0 but at the ends, where it is -1 and 1.
*/
typedef struct {
  int    count;
  double at[FARE_POINTS_MAX], weight[FARE_POINTS_MAX], derivative[FARE_POINTS_MAX][FARE_POINTS_MAX];
} fare_lobatto;
void fare_lobatto_make(int count, fare_lobatto *rule);

/* energy[i] = -T ln sum_q weight[q] exp(-V[q * n + i]/T); weights have sum 1. V is spoiled. A kernel. */
void fare_average_boltzmann(size_t n, int points, const double weight[], double T, double *V, double *energy);

/* What is known at one point of the quadrature. */
typedef struct {
  /* U: NULL where there is no energy. Of thermo->high_order, values at centres and energies there */
  Vec             P, U;
  double          kl;
  fare_production rates;
} fare_moment;

/* The thermodynamics of one part of the truth: the truth itself, or a companion. */
typedef struct {
  int              part;
  const fare_grid *grid;
  fare_operator   *op;
  fare_moment      point[FARE_POINTS_MAX];
  PetscBool        rest_is_known;
  /* stationary density, where there is no detailed balance; NULL where it could not be found */
  Vec              rest;
  double          *first; /* masses of all cells in the first row; NULL without speed limit */
  fare_thermo_row  sum;   /* integrals so far */
  fare_thermo_row *row;
} fare_track;

/*
  Rows are kept for the truth and for each of its companions; the grid of the first track is the truth's.
*/
struct fare_thermo {
  fare_truth         *truth;
  const fare_system  *system;
  fare_thermo_options options;
  int                 defined, tracks;
  double              diffused; /* int D dt since the first row, of the speed limit */
  PetscBool           needs_rest, warned, warned_geometric;
  PetscBool           high_order; /* flows are not those of rates */
  fare_lobatto        rule;
  fare_track          track[FARE_TRUTH_PARTS_MAX]; /* by part of the truth */
  size_t              count, room;
  PetscBool           extrapolates; /* so far */
  fare_thermo_row    *better;       /* the truth's rows, extrapolated if so */
  fare_thermo_row    *error;        /* of each of these */
};

/*
  Where the scheme is high_order, for systems without rates over faces: see inertia.c. p: values at centres,
  times the volume of a cell. Energies at centres; what the energy takes up per time, into rates->absorbed;
  d<x>/dt; the density of the current of masses, a new vector. Collective.
*/
PetscErrorCode fare_inertia_energies(const fare_grid *grid, const fare_system *system, double t, Vec U);
PetscErrorCode fare_inertia_rates(
  const fare_grid *grid, const fare_system *system, double t, Vec p, Vec U, fare_production *rates);
PetscErrorCode fare_inertia_velocity(
  const fare_grid *grid, const fare_system *system, double t, Vec p, double velocity[]);
PetscErrorCode fare_inertia_current(
  const fare_grid *grid, const fare_system *system, double t, Vec masses, int axis, Vec *density);

/* Whether diffusion is the same in all cells of one axis with ends. Not collective. */
PetscBool fare_speed_limit_serves(const fare_grid *grid, const fare_system *system, double t, double *D);
/* int D dt between two times; NaN where D is not the same in all cells throughout. Not collective. */
double fare_speed_limit_diffusion(const fare_grid *grid, const fare_system *system, double from, double to);
/* W2^2 of masses of all cells of one axis; less than none counts as none. Not collective. */
double fare_wasserstein_squared(const fare_grid *grid, const double p[], const double q[]);

/* Sums over cells of a density and the equilibrium of its energies. */
typedef struct {
  double energy, entropy, equilibrium_free_energy, kl;
} fare_state;

/*
  Of masses P and cell energies U (NULL: none, then all but the entropy is NaN) at temperature T. Masses that
  are not positive count as none. Collective.
*/
PetscErrorCode fare_state_evaluate(const fare_grid *grid, Vec P, Vec U, double T, fare_state *s);

/* Solvers of an error per cell about NOISE know nothing of smaller masses. */
static inline PetscBool fare_face_matters(double below, double above)
{
  const double noise = 1e-16, matters = 1e-12;

  return PetscMax(below, above) < matters && PetscMin(below, above) < noise ? PETSC_FALSE : PETSC_TRUE;
}

/* The numbers of a row but the time, which are kept and shown. */
typedef enum { FARE_COLUMN_STATE, FARE_COLUMN_INTEGRAL, FARE_COLUMN_BALANCE } fare_thermo_kind;
typedef struct {
  const char      *name, *meaning;
  size_t           offset;  /* in fare_thermo_row */
  int              defined; /* for systems of which all these are */
  fare_thermo_kind kind;    /* a balance has no error of its own */
} fare_thermo_column;
#define FARE_THERMO_COLUMNS 23
extern const fare_thermo_column fare_thermo_columns[FARE_THERMO_COLUMNS];
static inline double            fare_thermo_value(const fare_thermo_row *row, size_t offset)
{
  return *(const double *)((const char *)row + offset);
}
/* Row k, extrapolated where all are, by the ratio of errors in space; and its errors. */
#define FARE_THERMO_RATIO 4.0
void fare_thermo_extrapolate(fare_thermo *thermo, size_t k);
void fare_thermo_estimate(fare_thermo *thermo, size_t k);
/* The error in space and time of one state of row k, not extrapolated. */
double fare_thermo_plain_error(const fare_thermo *thermo, size_t k, size_t offset);
/* Puts `count` rows in place of those of every track, one track after the other. */
PetscErrorCode fare_thermo_restore(fare_thermo *thermo, size_t count, const fare_thermo_row rows[]);

/* FARE_ERR_INPUT where not FARE_HAS_CHAIN. */
PetscErrorCode fare_thermo_check_chain(const fare_system *system);

/* The names under which a study files them. */
extern const char *const fare_relaxation_names[];

#endif
