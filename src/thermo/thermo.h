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

/* What an instrument works on. */
const fare_system         *fare_thermo_system(const fare_thermo *thermo);
const fare_grid           *fare_thermo_grid(const fare_thermo *thermo);
const fare_thermo_options *fare_thermo_options_of(const fare_thermo *thermo);
/* of the companion; NULL where the truth has none */
const fare_grid *fare_thermo_half_grid(const fare_thermo *thermo);
/*
  Rows are kept for the truth and for each of its companions: how many of these tracks there are, and the rows
  of one.
*/
int                    fare_thermo_tracks(const fare_thermo *thermo);
const fare_thermo_row *fare_thermo_track(const fare_thermo *thermo, int part);
/* Puts `count` rows in place of those of every track, one track after the other. */
PetscErrorCode fare_thermo_restore(fare_thermo *thermo, size_t count, const fare_thermo_row rows[]);

/* The names under which a study files them. */
extern const char *const fare_relaxation_names[];

#endif
