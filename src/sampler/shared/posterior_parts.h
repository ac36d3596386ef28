/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of posterior: data, the table of a level, sums one by one. */
#ifndef FARE_POSTERIOR_PARTS_H
#define FARE_POSTERIOR_PARTS_H

#include "posterior.h"

/*
  A mesh of y with sums over all data: of their weights, and of weight times place per axis. First axis
  fastest.
*/
typedef struct {
  int     dim, n[FARE_DIM_MAX];
  double  first[FARE_DIM_MAX], spacing[FARE_DIM_MAX];
  double *sum[1 + FARE_DIM_MAX];
} fare_posterior_table;

/* Particles sorted into boxes, of which those within `reach` boxes of y's own count. */
typedef struct {
  int      dim, n[FARE_DIM_MAX], reach;
  double   first[FARE_DIM_MAX], spacing[FARE_DIM_MAX];
  int64_t *begin; /* of each box in `order`, and the end */
  double  *x[FARE_DIM_MAX], *weight;
  double   sigma;
  int      augmented;
} fare_posterior_boxes;

struct fare_posterior {
  const fare_sampler *sampler;
  int                 dim, augmented;
  /* data of the present time, and the box that they lie in */
  PetscBool            cells; /* of a grid, all of them in its order; otherwise particles */
  int64_t              count;
  double              *x[FARE_DIM_MAX], *weight, lower[FARE_DIM_MAX], upper[FARE_DIM_MAX];
  int                  extent[FARE_DIM_MAX];  /* cells per axis */
  double               spacing[FARE_DIM_MAX]; /* of cells, 0 for particles */
  double               level;                 /* what the following are for; 0: nothing yet */
  PetscBool            by_table;
  fare_posterior_table table;
  fare_posterior_boxes boxes;
  /* of a truth that is not one grid, in place of data; else NULL */
  fare_joint *joint;
  int         components; /* normals that the noise is a mixture of */
  double     *share, *wide;
};

/* Of such a truth. What it does not know is FARE_ERR_FAILED. */
PetscErrorCode fare_posterior_joint_begin(fare_posterior *p, fare_sampler *sampler);
PetscErrorCode fare_posterior_joint_level(fare_posterior *p, double sigma);
PetscErrorCode fare_posterior_joint_mean(const fare_posterior *p, const fare_row y[], fare_row mean[]);

/* Whether a mesh can serve at this level, and both methods. */
PetscBool      fare_posterior_table_serves(const fare_posterior *p, double sigma);
PetscErrorCode fare_posterior_table_make(fare_posterior *p, double sigma);
PetscErrorCode fare_posterior_table_free(fare_posterior_table *table);
PetscErrorCode fare_posterior_boxes_make(fare_posterior *p, double sigma);
PetscErrorCode fare_posterior_boxes_free(fare_posterior_boxes *boxes);

/*
  Kernels. out[o][i][k] = sum over j in [begin[i], begin[i] + width) of weight[i][j - begin[i]] in[o][j][k],
  for o < outer, i < to, k < inner; `from` is the extent of j.
*/
void fare_posterior_contract(int outer, int from, int to, int inner, int width, const int begin[],
  const double weight[], const double in[], double out[]);
/*
  The quotient of sums, interpolated between four nodes along each axis; what lies outside the mesh is moved
  to its edge.
*/
void fare_posterior_lookup(const fare_posterior_table *table, const fare_row y[], fare_row mean[]);
void fare_posterior_sum(const fare_posterior_boxes *boxes, const fare_row y[], fare_row mean[]);

#endif
