/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside cloning: walkers side by side. Nothing here is collective. */
#ifndef FARE_CROWD_PRIVATE_H
#define FARE_CROWD_PRIVATE_H

#include <fare/ensemble.h>
#include <fare/random.h>

#include "analysis/currents/tilted.h"

/* Of one tilt, on one rank alone. */
typedef struct {
  const fare_clones     *keys;
  const fare_system     *system;
  const fare_observable *observable;
  const fare_grid       *grid; /* of the truth: box and boundaries */
  fare_walls             walls;
  double                 t, s;
  int                    dim;
  fare_grid             *coarse;   /* NULL: no control */
  double                *gradient; /* of ln r, and that, [cell * (dim + 1) + axis] */
} fare_cloning;

/* Walkers side by side: [axis][walker]. */
typedef struct {
  size_t  count, doubles; /* walkers, and numbers in memory */
  double *memory, *x[FARE_DIM_MAX], *y[FARE_DIM_MAX], *f[FARE_DIM_MAX], *g[FARE_DIM_MAX], *D[FARE_DIM_MAX],
    *u[FARE_DIM_MAX];
  double  *grown, *log_weight, *sum; /* of an interval, twice; since burn, of all ancestors */
  double  *level;                    /* ln r where the interval began */
  double  *z;                        /* normals of one axis, of whole blocks */
  int64_t *family, *parent;
} fare_crowd;

PetscErrorCode fare_crowd_create(size_t count, int dim, fare_crowd *c);
PetscErrorCode fare_crowd_free(fare_crowd *c);
/* Walkers all over the box. */
void fare_crowd_scatter(const fare_cloning *p, fare_crowd *c, fare_stream stream);
/* One step of all of them. */
void fare_crowd_step(const fare_cloning *p, fare_crowd *c, fare_stream noise, uint64_t number);
/* ln r where the walkers are; 0 where nothing steers. */
void fare_crowd_levels(const fare_cloning *p, fare_crowd *c, double level[]);
/* The gradient of ln r at a place, and ln r behind it: linear between the centres around it. */
void fare_crowd_interpolate(const fare_cloning *p, const double x[], double gradient[]);
/* Draws them anew by a uniform number, and returns ln of their mean weight. */
double fare_crowd_resample(const fare_cloning *p, fare_crowd *c, double u);

/* What psi of ever more walkers tends to, over the steps behind `burn` up to `all` (chain.c); NaN: not known.
 */
PetscErrorCode fare_cloning_chain(
  const fare_cloning *p, int64_t burn, int64_t all, double *psi, double *error);

#endif
