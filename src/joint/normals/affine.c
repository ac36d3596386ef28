/* SPDX-License-Identifier: BSD-2-Clause */
#include "affine.h"

#include <math.h>
#include <string.h>

#define CHECKS 3    /* points besides, at which the drift has to be linear */
#define SAME   1e-8 /* relative */

PetscErrorCode fare_linear_drift_create(int dim, fare_linear_drift *drift)
{
  const size_t d = (size_t)dim, points = d + 1 + CHECKS;

  PetscFunctionBegin;
  *drift = (fare_linear_drift){.dim = dim};
  PetscCall(PetscCalloc1(d * d, &drift->A));
  PetscCall(PetscCalloc2(d, &drift->b, d, &drift->D));
  PetscCall(PetscCalloc2(points * d, &drift->points, points * d, &drift->values));
  for (int axis = 0; axis < dim; axis++) {
    double *x = drift->points + (size_t)axis * points;

    x[axis + 1] = 1; /* the origin comes first */
    for (int k = 0; k < CHECKS; k++)
      x[dim + 1 + k] = (k + 0.3) * (fmod(0.754877666 * (axis + 1) + 0.569840291 * k, 1) - 0.5) * 3;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_drift_destroy(fare_linear_drift *drift)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(drift->A));
  PetscCall(PetscFree2(drift->b, drift->D));
  PetscCall(PetscFree2(drift->points, drift->values));
  PetscFunctionReturn(0);
}

/* Points and values of an axis, as kernels take them. */
static void arrays(fare_linear_drift *drift, const double *x[], double *f[])
{
  const size_t points = (size_t)drift->dim + 1 + CHECKS;

  for (int axis = 0; axis < drift->dim; axis++) {
    x[axis] = drift->points + (size_t)axis * points;
    f[axis] = drift->values + (size_t)axis * points;
  }
}

/* What differences of values along the axes say of the drift. */
static void read_map(fare_linear_drift *drift, double *const f[])
{
  const int dim = drift->dim;

  for (int row = 0; row < dim; row++) {
    drift->b[row] = f[row][0];
    for (int column = 0; column < dim; column++)
      drift->A[row * dim + column] = f[row][column + 1] - f[row][0];
  }
}

static PetscErrorCode check_map(const fare_linear_drift *drift, const fare_system *system, double t,
  const double *const x[], double *const f[])
{
  const int dim = drift->dim;

  PetscFunctionBegin;
  for (int row = 0; row < dim; row++) {
    for (int k = 0; k < CHECKS; k++) {
      double value = drift->b[row], size = fabs(drift->b[row]);

      for (int column = 0; column < dim; column++) {
        const double term = drift->A[row * dim + column] * x[column][dim + 1 + k];

        value += term;
        size += fabs(term);
      }
      if (!(fabs(f[row][dim + 1 + k] - value) <= SAME * (size + 1e-300)))
        FARE_FAIL(FARE_ERR_FAILED, "at time %g the drift of system '%s' along '%s' is not linear in x", t,
          fare_system_type_of(system)->name, fare_system_axis_name(system, row));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_noise(
  fare_linear_drift *drift, const fare_system *system, double t, double *const D[])
{
  PetscFunctionBegin;
  for (int axis = 0; axis < drift->dim; axis++) {
    drift->D[axis] = D[axis][0];
    for (int k = 1; k <= drift->dim + CHECKS; k++) {
      if (fabs(D[axis][k] - D[axis][0]) <= SAME * fabs(D[axis][0])) continue;
      FARE_FAIL(FARE_ERR_FAILED, "at time %g the noise of system '%s' along '%s' depends on x", t,
        fare_system_type_of(system)->name, fare_system_axis_name(system, axis));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_drift_read(fare_linear_drift *drift, const fare_system *system, double t)
{
  const size_t  points = (size_t)drift->dim + 1 + CHECKS;
  const double *x[FARE_AXES_MAX];
  double       *f[FARE_AXES_MAX], theta[FARE_PARAMETERS_MAX];

  PetscFunctionBegin;
  fare_system_parameters(system, t, theta);
  if (drift->known && !memcmp(theta, drift->theta, sizeof theta)) PetscFunctionReturn(0);
  drift->known = 0;
  arrays(drift, x, f);
  fare_system_drift(system, t, points, x, f);
  read_map(drift, f);
  PetscCall(check_map(drift, system, t, x, f));
  fare_system_diffusion(system, t, points, x, f);
  PetscCall(read_noise(drift, system, t, f));
  memcpy(drift->theta, theta, sizeof theta);
  drift->known = 1;
  PetscFunctionReturn(0);
}

/* -grad V at the points of a drift: the force less its part that is no gradient. */
static void gradient_part(const fare_system *system, double t, fare_linear_drift *drift, double *const f[])
{
  const fare_system_type *type   = fare_system_type_of(system);
  const size_t            points = (size_t)drift->dim + 1 + CHECKS;
  const double           *x[FARE_AXES_MAX];
  double                 *values[FARE_AXES_MAX], theta[FARE_PARAMETERS_MAX];

  arrays(drift, x, values);
  fare_system_parameters(system, t, theta);
  if (type->nonconservative) type->nonconservative(drift->dim, theta, points, x, values);
  for (int axis = 0; axis < drift->dim; axis++) {
    for (size_t i = 0; i < points; i++) f[axis][i] = type->nonconservative ? -values[axis][i] : 0;
  }
  fare_system_force(system, t, points, x, values);
  for (int axis = 0; axis < drift->dim; axis++) {
    for (size_t i = 0; i < points; i++) f[axis][i] += values[axis][i];
  }
}

/* Gauss and Jordan, without a choice of pivots: K is symmetric and positive definite, or is found not to be.
 */
static PetscBool invert(int dim, double K[], double inverse[])
{
  memset(inverse, 0, (size_t)(dim * dim) * sizeof *inverse);
  for (int i = 0; i < dim; i++) inverse[i * dim + i] = 1;
  for (int pivot = 0; pivot < dim; pivot++) {
    const double by = K[pivot * dim + pivot];

    if (!(by > 0)) return PETSC_FALSE;
    for (int k = 0; k < dim; k++) {
      K[pivot * dim + k] /= by;
      inverse[pivot * dim + k] /= by;
    }
    for (int row = 0; row < dim; row++) {
      const double factor = K[row * dim + pivot];

      if (row == pivot || factor == 0) continue;
      for (int k = 0; k < dim; k++) {
        K[row * dim + k] -= factor * K[pivot * dim + k];
        inverse[row * dim + k] -= factor * inverse[pivot * dim + k];
      }
    }
  }
  return PETSC_TRUE;
}

/* From -grad V = A x + b: mean -A^-1 b, covariance -kT A^-1. */
static PetscErrorCode from_force(const fare_linear_drift *drift, double kT, fare_normals *to, PetscBool *has)
{
  const int dim = drift->dim;
  double   *K, *C = to->covariance;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)(dim * dim), &K));
  for (int at = 0; at < dim * dim; at++) K[at] = -drift->A[at];
  *has = invert(dim, K, C);
  for (int row = 0; row < dim && *has; row++) {
    to->mean[row] = 0;
    for (int column = 0; column < dim; column++) to->mean[row] += C[row * dim + column] * drift->b[column];
  }
  for (int at = 0; at < dim * dim; at++) C[at] *= kT;
  PetscCall(PetscFree(K));
  if (*has) PetscCall(fare_normals_factor(to));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_linear_boltzmann(
  const fare_system *system, double t, fare_normals *boltzmann, PetscBool *has)
{
  const int         dim    = fare_system_dimension(system);
  const size_t      points = (size_t)dim + 1 + CHECKS;
  fare_linear_drift drift;
  double           *all, *f[FARE_AXES_MAX];

  PetscFunctionBegin;
  *has = fare_system_has_potential(system);
  if (!*has) PetscFunctionReturn(0);
  PetscCall(fare_linear_drift_create(dim, &drift));
  PetscCall(PetscMalloc1(points * (size_t)dim, &all));
  for (int axis = 0; axis < dim; axis++) f[axis] = all + (size_t)axis * points;
  gradient_part(system, t, &drift, f);
  read_map(&drift, f);
  PetscCall(fare_normals_create(dim, 1, boltzmann));
  PetscCall(from_force(&drift, fare_system_kT(system, t), boltzmann, has));
  if (!*has) PetscCall(fare_normals_destroy(boltzmann));
  PetscCall(PetscFree(all));
  PetscCall(fare_linear_drift_destroy(&drift));
  PetscFunctionReturn(0);
}
