/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside measure: how the noise of samples differs from that of as many independent ones, as groups of them
  show it.
*/
#ifndef FARE_NOISE_H
#define FARE_NOISE_H

#include "sides.h"

typedef struct {
  PetscBool correlated; /* groups scatter more than independent rows would */
  PetscBool too_long;   /* even the largest groups depend on their neighbours */
  /* mean design effect of the masses of pools, at least 1: variance over that of independent rows */
  double design;
  /* share of the groups' own covariance in that of pools; the rest has the shape of independent rows */
  double  blend;
  size_t  groups; /* that are left when neighbours that depend on each other are joined */
  double *group;  /* as fare_binned has them; NULL: its own. Owned */
} fare_noise;

/*
  From the samples on the two sides, which must have groups and stand whole. Not collective: all that it needs
  is on every rank.
*/
PetscErrorCode fare_noise_find(const fare_sides *sides, fare_noise *noise);
PetscErrorCode fare_noise_free(fare_noise *noise);

#endif
