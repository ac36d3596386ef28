/* SPDX-License-Identifier: BSD-2-Clause */
/*
  dx = v dt, dv = f(x, v) dt + noise, of which x alone is observed. With v = (x_2 - x_1)/lag and the change to
  the next one, dv = (x_3 - 2 x_2 + x_1)/lag, at the position x_2, velocities and their changes share the
  noise of the first lag: <dv dv> is 2/3 of 2 D lag, and <v dv> is off by 1/6 of it. `ulisfi` allows for both.
*/
#include "inertia.h"

#include <math.h>

#define SAME  1e-6 /* relative difference of lags that counts as none */
#define LOOKS 8

PetscErrorCode fare_inertia_check(const fare_infer_context *c)
{
  PetscFunctionBegin;
  for (int look = 0; look < LOOKS; look++) {
    const double  part[2] = {(look + 0.5) / LOOKS, fmod(0.37 * look + 0.1, 1)};
    double        z[2], f[2], D[2];
    const double *at[2]   = {&z[0], &z[1]};
    double       *to_f[2] = {&f[0], &f[1]}, *to_D[2] = {&D[0], &D[1]};

    if (fare_system_dimension(c->study->system) != 2)
      FARE_FAIL(FARE_ERR_INPUT, "%s is for two axes, a position and its velocity", c->type->name);
    for (int axis = 0; axis < 2; axis++)
      z[axis] = c->box.lower[axis] + part[axis] * (c->box.upper[axis] - c->box.lower[axis]);
    fare_system_drift(c->study->system, 0, 1, at, to_f);
    fare_system_diffusion(c->study->system, 0, 1, at, to_D);
    if (fabs(f[0] - z[1]) > 1e-9 * fabs(z[1]) || D[0] != 0)
      FARE_FAIL(FARE_ERR_INPUT,
        "%s is for a position and its velocity: the first axis has to move by the second "
        "one, without noise",
        c->type->name);
  }
  PetscFunctionReturn(0);
}

/* Rows of moments: of (x, v), with the change of v. */
static void put(fare_moments *m, size_t row, double lag, const double at[2], double change, double factor)
{
  m->lag[row]       = lag;
  m->x[0][row]      = at[0];
  m->x[1][row]      = at[1];
  m->first[0][row]  = at[1] * lag;
  m->first[1][row]  = change;
  m->second[0][row] = 0;
  m->second[1][row] = factor * change * change;
}

static double factor_of(const fare_infer_context *c)
{
  return c->type->variant == FARE_INERTIA ? 1.5 : 1;
}

/* Three observations that follow each other at one lag. */
static PetscErrorCode take_triples(const fare_infer_context *c, const fare_tracks *t, fare_moments *m)
{
  int64_t count, *pair;
  size_t  rows = 0;

  PetscFunctionBegin;
  PetscCall(fare_tracks_pairs(t, c->lag, &count, &pair));
  PetscCall(fare_moments_create(2, (size_t)PetscMax(1, count), 0, m));
  for (int64_t i = 0; i + 1 < count; i++) {
    const int64_t one = pair[2 * i], two = pair[2 * i + 1], three = pair[2 * i + 3];
    const double  lag = t->time[two] - t->time[one], next = t->time[three] - t->time[two];
    double        step[2], at[2];

    if (pair[2 * i + 2] != two || fabs(next - lag) > SAME * lag) continue;
    step[0] = fare_infer_way(c, 0, t->x[2 * one], t->x[2 * two]);
    step[1] = fare_infer_way(c, 0, t->x[2 * two], t->x[2 * three]);
    at[0]   = t->x[2 * two];
    at[1]   = step[0] / lag;
    put(m, rows, lag, at, (step[1] - step[0]) / lag, factor_of(c));
    m->weight[rows]  = 1;
    m->track[rows++] = t->id[one];
  }
  m->rows = rows;
  PetscCall(PetscFree(pair));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_inertia_fit(const fare_infer_context *c, const fare_tracks *t, fare_inferred *inferred)
{
  fare_moments m;
  double       theta[FARE_INFER_MAX];

  PetscFunctionBegin;
  PetscCall(fare_infer_check_noise(t, c->type->name));
  PetscCall(take_triples(c, t, &m));
  if (m.rows <= (size_t)c->count) {
    const size_t rows = m.rows;

    PetscCall(fare_moments_free(&m));
    FARE_FAIL(FARE_ERR_INPUT,
      "%s: %zu times three observations follow each other at one lag: too few for %d "
      "parameters",
      t->name, rows, c->count);
  }
  PetscFunctionReturn(fare_projection_of(c, &m, theta, inferred));
}

/* Six points that have the mean and the covariance of a normal density: sums over them are exact to squares.
 */
static PetscErrorCode put_points(double moments[4][4], double lag, double factor, fare_moments *m)
{
  double L[3][3] = {{0}};

  PetscFunctionBegin;
  for (int i = 0; i < 3; i++) {
    for (int j = 0; j <= i; j++) {
      double rest = moments[i + 1][j + 1] - moments[0][i + 1] * moments[0][j + 1];

      for (int k = 0; k < j; k++) rest -= L[i][k] * L[j][k];
      L[i][j] = i == j ? sqrt(PetscMax(0, rest)) : L[j][j] > 0 ? rest / L[j][j] : 0;
    }
  }
  for (size_t row = 0; row < 6; row++) {
    const double sign = row % 2 ? sqrt(3) : -sqrt(3);
    double       z[3];

    for (int i = 0; i < 3; i++) z[i] = moments[0][i + 1] + sign * L[i][row / 2];
    put(m, row, lag, z, z[2], factor);
    m->weight[row] = 1.0 / 6;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_inertia_limit(const fare_infer_context *c, const PetscInt cells[], double theta[])
{
  fare_linear  linear;
  fare_moments m;
  PetscBool    is_linear;
  double       moments[4][4];

  PetscFunctionBegin;
  for (int k = 0; k < c->count; k++) theta[k] = NAN;
  PetscCall(fare_linear_find(c, &linear, &is_linear));
  if (!is_linear || c->transitions < 2) PetscFunctionReturn(0);
  PetscCall(fare_linear_triples(c, &linear, cells, moments));
  PetscCall(fare_moments_create(2, 6, 0, &m));
  PetscCall(put_points(moments, c->lag, factor_of(c), &m));
  PetscFunctionReturn(fare_projection_of(c, &m, theta, NULL));
}
