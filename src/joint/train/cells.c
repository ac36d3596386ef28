/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The cells of an axis, and densities between their centres. Masses over cell width are point values at
  centres, as the rates of finite volumes have them at rest. Between centres the logarithm of a site's
  marginal is interpolated, and so is the ratio of the joint density to marginals, which varies little: tails
  stay positive.
*/
#include "train.h"

#include <math.h>

#define FLOOR 1e-10 /* of squared weights, relative to their maximum: singular values see no less */

/* Ends reflect. */
int fare_mirrored(int cell, int cells)
{
  return cell < 0 ? -1 - cell : cell >= cells ? 2 * cells - 1 - cell : cell;
}

/*
  Cubic Hermite interpolation between two centres, with slopes of fourth order: weights of six cells, and
  their derivatives.
*/
void fare_train_weights(double xi, double value[FARE_NEAR], double slope[FARE_NEAR])
{
  static const double slopes[5] = {1. / 12, -8. / 12, 0, 8. / 12, -1. / 12};
  const double e = 1 - xi, h[4] = {(1 + 2 * xi) * e * e, xi * e * e, xi * xi * (3 - 2 * xi), -xi * xi * e},
               d[4] = {-6 * xi * e, e * (1 - 3 * xi), 6 * xi * e, xi * (3 * xi - 2)};

  for (int k = 0; k < FARE_NEAR; k++) {
    const double left = k < 5 ? slopes[k] : 0, right = k > 0 ? slopes[k - 1] : 0;

    value[k] = h[0] * (k == 2) + h[1] * left + h[2] * (k == 3) + h[3] * right;
    slope[k] = d[0] * (k == 2) + d[1] * left + d[2] * (k == 3) + d[3] * right;
  }
}

PetscBool fare_train_near(
  const fare_train *train, int site, double x, int at[], double value[], double slope[])
{
  const fare_sites *s  = &train->sites;
  const double     *ln = train->marginal[site], place = (x - s->lower) / s->spacing - 0.5;
  const int         first = (int)floor(place);
  double            derivative[FARE_NEAR], log_p = 0, log_slope = 0;

  if (!(place >= -0.5 && place <= s->cells - 0.5)) return PETSC_FALSE;
  fare_train_weights(place - first, value, derivative);
  for (int k = 0; k < FARE_NEAR; k++) {
    at[k] = fare_mirrored(first - 2 + k, s->cells);
    log_p += value[k] * ln[at[k]];
    log_slope += derivative[k] * ln[at[k]];
  }
  for (int k = 0; k < FARE_NEAR; k++) {
    const double scale = exp(log_p - ln[at[k]]) / s->spacing;

    value[k] *= scale;
    if (slope) slope[k] = (derivative[k] * scale + log_slope * value[k]) / s->spacing;
  }
  return PETSC_TRUE;
}

PetscErrorCode fare_train_tabulate(const fare_train *train, int site, double *density, double *interval)
{
  const fare_sites *s = &train->sites;
  const int         n = s->cells, places = 2 * FARE_PARTS * n;
  const double      length = s->spacing / FARE_PARTS;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(density, FARE_PLACES(n) * n));
  for (int q = 0; q <= places; q++) {
    const double x = s->lower + s->spacing * PetscMin(0.5 * q / FARE_PARTS, n * (1 - 1e-12));
    int          at[FARE_NEAR];
    double       value[FARE_NEAR];

    if (!fare_train_near(train, site, x, at, value, NULL)) continue;
    for (int k = 0; k < FARE_NEAR; k++) density[q * n + at[k]] += value[k];
  }
  for (int q = 0; interval && q < FARE_PARTS * n; q++) {
    const double *d = density + 2 * q * n;

    for (int j = 0; j < n; j++) interval[q * n + j] = length / 6 * (d[j] + 4 * d[n + j] + d[2 * n + j]);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_sites_create(
  const fare_system_type *unit, int cells, double lower, double upper, const double theta[], fare_sites *s)
{
  const size_t  n = (size_t)cells;
  double       *V, lowest = HUGE_VAL;
  const double *at;

  PetscFunctionBegin;
  s->unit    = unit;
  s->cells   = cells;
  s->lower   = lower;
  s->spacing = (upper - lower) / cells;
  PetscCall(PetscMalloc1(n, &s->centre));
  PetscCall(PetscMalloc1(n, &s->weight));
  PetscCall(PetscMalloc1(n, &V));
  for (int i = 0; i < cells; i++) s->centre[i] = lower + s->spacing * (i + 0.5);
  at = s->centre;
  unit->potential(1, theta, n, &at, V);
  for (size_t i = 0; i < n; i++) lowest = PetscMin(lowest, V[i]);
  for (size_t i = 0; i < n; i++) s->weight[i] = sqrt(exp(-(V[i] - lowest) / theta[FARE_KT]) + FLOOR);
  PetscCall(PetscFree(V));
  if (!isfinite(lowest))
    FARE_FAIL(
      FARE_ERR_INPUT, "kind: tensor_train: the potential of a site is not finite in [%g, %g]", lower, upper);
  PetscFunctionReturn(0);
}

void fare_sites_free(fare_sites *s)
{
  PetscCallVoid(PetscFree(s->centre));
  PetscCallVoid(PetscFree(s->weight));
}
