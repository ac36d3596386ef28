/* SPDX-License-Identifier: BSD-2-Clause */
/* Entropy of mixtures of Gaussians, and how they differ. */
#include "normals.h"

#include <math.h>

#define ENTROPY_BLOCKS 64 /* of exact draws, behind the entropy of a mixture */

static double log_det(const fare_normals *p, int component)
{
  double sum = 0;

  for (int axis = 0; axis < p->dim; axis++)
    sum += 2 * log(p->root[(component * p->dim + axis) * p->dim + axis]);
  return sum;
}

/* The same numbers at all times, so that the curve is smooth. */
static PetscErrorCode sampled_entropy(const fare_normals *p, double *entropy, double *error)
{
  const fare_stream stream = fare_stream_make(1, "entropy of a mixture");
  const int64_t     n      = (int64_t)ENTROPY_BLOCKS * FARE_BLOCK;
  double           *all, *x[FARE_AXES_MAX], log_density[FARE_BLOCK], sum = 0, square = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)p->dim * FARE_BLOCK, &all));
  for (int axis = 0; axis < p->dim; axis++) x[axis] = all + axis * FARE_BLOCK;
  for (int b = 0; b < ENTROPY_BLOCKS; b++) {
    PetscCall(fare_normals_draw(p, stream, (uint64_t)b, x));
    PetscCall(fare_normals_log_density(p, FARE_BLOCK, (const double *const *)x, log_density));
    for (int i = 0; i < FARE_BLOCK; i++) {
      sum += log_density[i];
      square += log_density[i] * log_density[i];
    }
  }
  *entropy = -sum / (double)n;
  *error   = sqrt(PetscMax(0, square / (double)n - *entropy * *entropy) / (double)n);
  PetscCall(PetscFree(all));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_entropy(const fare_normals *normals, double *entropy, double *error)
{
  PetscFunctionBegin;
  if (normals->components > 1) {
    PetscCall(sampled_entropy(normals, entropy, error));
    PetscFunctionReturn(0);
  }
  *entropy = 0.5 * (normals->dim * (1 + log(2 * PETSC_PI)) + log_det(normals, 0));
  *error   = 0;
  PetscFunctionReturn(0);
}

/* rows become root^-1 rows: `count` vectors of length dim, one after the other. */
static void whiten(const fare_normals *of, int component, int count, double rows[])
{
  const int     dim = of->dim;
  const double *L   = of->root + component * dim * dim;

  for (int k = 0; k < count; k++) {
    double *y = rows + k * dim;

    for (int row = 0; row < dim; row++) {
      for (int column = 0; column < row; column++) y[row] -= L[row * dim + column] * y[column];
      y[row] /= L[row * dim + row];
    }
  }
}

/*
  In coordinates in which component `own` of `of` is a standard normal: the mean of a component of p, and its
  covariance less `less` times one.
*/
static void see(const fare_normals *p, int component, const fare_normals *of, int own, double less,
  double mean[], double covariance[])
{
  const int dim = p->dim, size = dim * dim;

  for (int axis = 0; axis < dim; axis++)
    mean[axis] = p->mean[component * dim + axis] - of->mean[own * dim + axis];
  whiten(of, own, 1, mean);
  for (int at = 0; at < size; at++)
    covariance[at] = p->covariance[component * size + at] - less * of->covariance[own * size + at];
  whiten(of, own, dim, covariance);
  for (int row = 0; row < dim; row++) { /* transposed: the matrix is symmetric but for what was done */
    for (int column = 0; column < row; column++) {
      const double was = covariance[row * dim + column];

      covariance[row * dim + column] = covariance[column * dim + row];
      covariance[column * dim + row] = was;
    }
  }
  whiten(of, own, dim, covariance);
}

PetscErrorCode fare_normals_distance(const fare_normals *a, const fare_normals *b, double *distance)
{
  const int dim = a->dim;
  double   *mean, *covariance;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2((size_t)dim, &mean, (size_t)(dim * dim), &covariance));
  *distance = 0;
  for (int c = 0; c < a->components; c++) {
    double square = 0;

    see(b, c, a, c, 1, mean, covariance);
    for (int axis = 0; axis < dim; axis++) square += mean[axis] * mean[axis];
    for (int at = 0; at < dim * dim; at++) square += 0.5 * covariance[at] * covariance[at];
    *distance += a->weight[c] * PetscMin(2, sqrt(square));
  }
  PetscCall(PetscFree2(mean, covariance));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_normals_cross_entropy(
  const fare_normals *normals, const fare_normals *of, double *cross_entropy)
{
  const int dim = normals->dim;
  double   *mean, *covariance;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2((size_t)dim, &mean, (size_t)(dim * dim), &covariance));
  *cross_entropy = 0.5 * (dim * log(2 * PETSC_PI) + log_det(of, 0));
  for (int c = 0; c < normals->components; c++) {
    double square = 0;

    see(normals, c, of, 0, 0, mean, covariance);
    for (int axis = 0; axis < dim; axis++) square += mean[axis] * mean[axis] + covariance[axis * dim + axis];
    *cross_entropy += 0.5 * normals->weight[c] * square;
  }
  PetscCall(PetscFree2(mean, covariance));
  PetscFunctionReturn(0);
}
