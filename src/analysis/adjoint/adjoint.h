/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside adjoint: the chain at one place of a drive, and derivatives by the values there. */
#ifndef FARE_ADJOINT_PRIVATE_H
#define FARE_ADJOINT_PRIVATE_H

#include "analysis/analysis.h"

#include <fare/adjoint.h>

/* 1 - 1/sqrt 2: g, and the place of a stage within its step */
#define FARE_ADJOINT_STAGE 0.29289321881345254

/* The chain with the values of one place: rates, and energies of cells. */
typedef struct {
  const fare_grid     *grid;
  const fare_protocol *protocol;
  fare_system         *system; /* has those values; nothing moves by itself */
  fare_absorbing      *absorbing;
  PetscInt             owned;
  double              *centre[FARE_DIM_MAX], *point[FARE_DIM_MAX], *V, *U; /* of owned cells */
  PetscBool            plain;                     /* energies: means of V over cells, whatever kT is */
  double               step[FARE_PARAMETERS_MAX]; /* of differences, in the unit of each parameter */
} fare_place;
PetscErrorCode fare_place_create(const fare_grid *grid, const fare_system *system,
  const fare_protocol *protocol, const fare_goal *goal, fare_place *place);
PetscErrorCode fare_place_free(fare_place *place);
/* Takes on values, one for each parameter of the protocol. Not collective. */
PetscErrorCode fare_place_set(fare_place *place, const double value[]);
/*
  -ln of the integral of exp(-V/kT) over each cell, over its volume: V/kT of a cell as its stationary mass has
  it. Or the mean of V, where `plain`. Not collective.
*/
PetscErrorCode fare_place_energies(const fare_place *place, Vec energy);

/*
  This rank's part of a number that depends on the values of the place; `x` and `y` are the form's own. Rates
  are not brought to the values beforehand. Collective.
*/
typedef PetscErrorCode (*fare_place_form)(fare_place *place, const void *x, const void *y, double *sum);
/* sum_i x_i energy_i of vectors x; y is not used. */
PetscErrorCode fare_form_energy(fare_place *place, const void *x, const void *y, double *sum);
/*
  a . L P = sum over cells i outside of targets and faces of r(i->j) P_i (a_j - a_i), for vectors a and P.
*/
PetscErrorCode fare_form_rates(fare_place *place, const void *a, const void *P, double *sum);
/*
  Chooses steps of differences by what each parameter does along a drive, value[place * parameters + k].
  Leaves the place with other values. Collective.
*/
PetscErrorCode fare_place_choose_steps(fare_place *place, const double value[]);
/*
  Adds `factor` times the derivatives of a form by the values, to gradient[k] of each parameter, by the steps
  that were chosen. Leaves the place with other values. Collective.
*/
PetscErrorCode fare_form_differentiate(fare_place *place, const double value[], fare_place_form form,
  const void *x, const void *y, double factor, double gradient[]);

/* See adjoint.c. */
struct fare_adjoint {
  const fare_grid     *grid;
  fare_grid           *own;         /* of this rank alone, on one axis; NULL: that of all */
  Vec                  gathered[2]; /* the start and the field of the goal, on that */
  const fare_protocol *protocol;
  fare_goal            goal;
  fare_place           place;
  const double        *value; /* of the drive that is run */
  double               kT;
  Vec                  start;  /* NULL: of Boltzmann */
  Vec                  around; /* of a cycle: the masses that a period brings back */
  PetscInt             stride; /* steps between masses that are kept */
  Vec                 *kept;   /* at each of those */
  Vec                 *masses; /* at the steps between two of those, one more */
  Vec                 *within; /* Y of the steps between */
  Vec                  psi, a, r, energy[2];
  Mat                  A;
  KSP                  ksp;
  double               factored; /* width that the factors are of; 0: there are none */
  PetscInt             spent;    /* iterations of the last solve */
  PetscBool            lags;
};
/* Makes s->A and s->ksp. Collective. */
PetscErrorCode fare_adjoint_solver(fare_adjoint *s);
/* The values of the drive at a place, and g times the width of a step. */
const double *fare_adjoint_values(const fare_adjoint *s, PetscInt place);
double        fare_adjoint_width(const fare_adjoint *s, PetscInt step);
/* The chain at a place, and A of a width. Collective. */
PetscErrorCode fare_adjoint_move(fare_adjoint *s, PetscInt place, double width);
/* x = A^-1 x of the backward equation, whose values in targets stay. Collective. */
PetscErrorCode fare_adjoint_solve_backward(fare_adjoint *s, double width, Vec x);
/* One step forward: from P to Y and next. Collective. */
PetscErrorCode fare_adjoint_step_forward(fare_adjoint *s, PetscInt step, Vec P, Vec Y, Vec next);

#endif
