/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside infer: potentials without a formula. A spline's values at its knots are parameters of likelihoods
  like any others; a penalty on its roughness is a Gaussian prior of theirs.
*/
#ifndef FARE_INFER_POTENTIAL_H
#define FARE_INFER_POTENTIAL_H

#include "infer.h"

#include <fare/potential_spline.h>

/* What is sought. */
struct fare_potential {
  fare_config *config;
  fare_system *system;              /* a spline, driven as the study's system is */
  double       smoothness;          /* weight of the penalty; negative: it is chosen */
  int          knots, first, fixed; /* places of the first knot, and of that which stands for the constant */
  int          warm;                /* place of kT among the parameters; negative: it is known ... */
  double       kT;                  /* ... to be this */
  double roughness[FARE_POTENTIAL_KNOTS_MAX * FARE_POTENTIAL_KNOTS_MAX]; /* of the values at the knots */
};
/* Made by fare_potential_read(). */
PetscErrorCode fare_potential_destroy(fare_potential **potential);

/*
  What a fit is compared with, at the centres of cells: the density of the observations, the truth where it is
  known, and how values there follow from parameters.
*/
struct fare_frame {
  PetscInt  points;
  int       count;                           /* of parameters */
  PetscBool known;                           /* the true drift is */
  double    rms;                             /* of the true drift; NaN: not known */
  double    alone;                           /* least relative error of the spline's drift; NaN: not known */
  double   *x, *density, *potential, *drift; /* [points]; density sums to 1; NaN: not known */
  double   *to_potential, *to_drift;         /* [point * count + parameter] */
  double   *rows;                            /* from parameters to what rows say: [count * count] */
  double    truth[FARE_INFER_MAX];           /* of rows; NaN: not known */
};
PetscErrorCode fare_frame_destroy(fare_frame **frame);

/* Adds a set of data to the results of its method: its number, from 0. Takes found->potential. */
void fare_potential_add(fare_inferred *found, int64_t set, fare_infer_potential *row);
void fare_potential_end(fare_infer_potential *row);

#endif
