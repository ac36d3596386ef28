/* SPDX-License-Identifier: BSD-2-Clause */
/* Mixtures of Gaussians with normal noise: each component's covariance has the noise's variances more. */
#include "normals.h"

static PetscErrorCode add_noise(const fare_normals *of, const double noise[], fare_normals *to)
{
  const int dim = of->dim;

  PetscFunctionBegin;
  PetscCall(fare_normals_create(dim, of->components, to));
  PetscCall(PetscArraycpy(to->weight, of->weight, of->weights));
  PetscCall(PetscArraycpy(to->mean, of->mean, of->means));
  PetscCall(PetscArraycpy(to->covariance, of->covariance, of->covariances));
  for (int c = 0; c < of->components; c++) {
    for (int axis = 0; axis < dim; axis++)
      to->covariance[(c * dim + axis) * dim + axis] += noise[axis] * noise[axis];
  }
  PetscCall(fare_normals_factor(to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_noisy_normals_make(
  const fare_normals *normals, int levels, const double noise[], fare_noisy_normals *noisy)
{
  PetscFunctionBegin;
  PetscCall(fare_noisy_normals_destroy(noisy));
  PetscCall(PetscCalloc1((size_t)levels, &noisy->at));
  PetscCall(PetscMalloc1((size_t)(levels * normals->dim), &noisy->noise));
  PetscCall(PetscArraycpy(noisy->noise, noise, levels * normals->dim));
  for (noisy->levels = 0; noisy->levels < levels; noisy->levels++)
    PetscCall(add_noise(normals, noise + noisy->levels * normals->dim, &noisy->at[noisy->levels]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_noisy_normals_mean(const fare_noisy_normals *noisy, int level, int64_t n,
  const double *const y[], double log_density[], double *const mean[])
{
  const fare_normals *p     = &noisy->at[level];
  const double       *noise = noisy->noise + level * p->dim;

  PetscFunctionBegin;
  PetscCall(fare_normals_log_density(p, n, y, log_density));
  PetscCall(fare_normals_score(p, n, y, mean));
  for (int axis = 0; axis < p->dim; axis++) {
    for (int64_t i = 0; i < n; i++) mean[axis][i] = y[axis][i] + noise[axis] * noise[axis] * mean[axis][i];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_noisy_normals_destroy(fare_noisy_normals *noisy)
{
  PetscFunctionBegin;
  for (int level = 0; level < noisy->levels; level++) PetscCall(fare_normals_destroy(&noisy->at[level]));
  PetscCall(PetscFree(noisy->at));
  PetscCall(PetscFree(noisy->noise));
  noisy->levels = 0;
  PetscFunctionReturn(0);
}
