/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Ordinary differential equations that carry particles from noise to data, by Runge-Kutta steps: block after
  block, or all blocks together where the field of a moment is costly to make.
*/
#ifndef FARE_ODE_H
#define FARE_ODE_H

#include "generative.h"

/* Every stage goes on from the one before: stage s is at the share c of a step and place u + h a v. */
typedef struct {
  int    stages;
  double c[4], a[4], b[4];
} fare_ode_scheme;
extern const fare_ode_scheme fare_ode_euler, fare_ode_heun, fare_ode_rk4;

/*
  Blocks that go together: where a step began, where a stage is, its velocity, where the step leads. Block b
  of each begins at b * dim.
*/
typedef struct {
  int       dim;
  int64_t   first, count;
  fare_row *u, *w, *v, *next;
} fare_ode_batch;
PetscErrorCode fare_ode_batch_create(int dim, int64_t count, fare_ode_batch *batch);
PetscErrorCode fare_ode_batch_destroy(fare_ode_batch *batch);

typedef struct {
  int   dim;
  void *context;
  /* Scaled positions of block `number` where its path begins; `u` is zero. */
  void (*noise)(void *context, uint64_t number, fare_row u[]);
  /*
    Velocities v at w, at the share c of the step that the context knows, and the divergence of the only
    block, or NULL.
  */
  PetscErrorCode (*field)(void *context, double share, const fare_ode_batch *batch, double divergence[]);
  /* All steps of a batch, by the function below. */
  PetscErrorCode (*path)(void *context, const fare_ode_batch *batch);
} fare_ode;

/*
  One step over h of the integration variable: u becomes the next. Adds the integral of the divergence where
  `integral`, of a block, is not NULL. Not collective.
*/
PetscErrorCode fare_ode_step(const fare_ode *ode, const fare_ode_scheme *scheme, double h,
  const fare_ode_batch *batch, double integral[]);
/* Takes all particles here along their paths, `together` or block by block. Not collective. */
PetscErrorCode fare_ode_draw(
  const fare_ode *ode, const fare_sampler *sampler, PetscBool together, fare_ensemble *ensemble);

#endif
