/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Sums of trains, on the cells of the first. Coarser ones are interpolated, as their densities between cells
  are. Cores of a sum are block diagonal; two sweeps then take away what its terms have in common.
*/
#include "train.h"

#include <cblas.h>
#include <math.h>

#define BEND_MOST                                                                          \
  1.0 /* of a logarithm beside the line through two neighbours: next to no mass bends more \
       */

/*
  What cell `i` of `to` gets of cells at[] of `from`, weights of both included: of degree 5 through the
  nearest centres, those at an end too, for the logarithm of the marginal and for ratios to it.
*/
static void interpolate_cell(
  const fare_train *from, const fare_sites *to, int site, int i, int at[], double value[])
{
  const fare_sites *s  = &from->sites;
  const double     *ln = from->marginal[site], place = (to->centre[i] - s->lower) / s->spacing - 0.5;
  const int         first = PetscMax(0, PetscMin((int)floor(place) - 2, s->cells - FARE_NEAR)),
            near          = PetscMax(0, PetscMin((int)floor(place), s->cells - 2));
  const double line       = ln[near] + (place - near) * (ln[near + 1] - ln[near]);
  double       log_p      = 0;

  for (int t = 0; t < FARE_NEAR; t++) {
    at[t]    = first + t;
    value[t] = 1;
    for (int j = 0; j < FARE_NEAR; j++) value[t] *= j == t ? 1 : (place - first - j) / (t - j);
    log_p += value[t] * ln[at[t]];
  }
  log_p = PetscMax(line - BEND_MOST, PetscMin(line + BEND_MOST, log_p));
  for (int t = 0; t < FARE_NEAR; t++)
    value[t] *= exp(log_p - ln[at[t]]) * to->spacing / s->spacing * s->weight[at[t]] / to->weight[i];
}

/* Adds a core to a larger one at these places on its left and right, times a factor. */
static void add_core(const fare_train *from, double factor, int k, fare_train *to, int at_left, int at_right)
{
  const int n = to->sites.cells, left = from->bond[k], right = from->bond[k + 1], across = to->bond[k + 1];

  for (int i = 0; i < n; i++) {
    int    at[FARE_NEAR] = {i}, count = 1;
    double value[FARE_NEAR] = {1};

    if (from->sites.cells != n) {
      count = FARE_NEAR;
      interpolate_cell(from, &to->sites, k, i, at, value);
    }
    for (int a = 0; a < left; a++) {
      double *row = to->core[k] + ((size_t)(at_left + a) * n + i) * across + at_right;

      for (int t = 0; t < count; t++)
        cblas_daxpy(right, factor * value[t], from->core[k] + ((size_t)a * from->sites.cells + at[t]) * right,
          1, row, 1);
    }
  }
}

/* The mass that a train has on the cells of `to`. */
static PetscErrorCode mass_on(const fare_train *from, const fare_sites *to, double *mass)
{
  double *v, *next, *sum;
  int     most = 1;

  PetscFunctionBegin;
  for (int k = 0; k <= from->count; k++) most = PetscMax(most, from->bond[k]);
  PetscCall(PetscMalloc3(most, &v, most, &next, from->sites.cells, &sum));
  v[0] = 1;
  for (int k = 0; k < from->count; k++) {
    const int left = from->bond[k], right = from->bond[k + 1];

    PetscCall(PetscArrayzero(sum, from->sites.cells));
    PetscCall(PetscArrayzero(next, right));
    for (int i = 0; i < to->cells; i++) {
      int    at[FARE_NEAR];
      double value[FARE_NEAR];

      interpolate_cell(from, to, k, i, at, value);
      for (int t = 0; t < FARE_NEAR; t++) sum[at[t]] += value[t] * to->weight[i];
    }
    for (int a = 0; a < left; a++) {
      for (int j = 0; j < from->sites.cells; j++)
        cblas_daxpy(
          right, v[a] * sum[j], from->core[k] + ((size_t)a * from->sites.cells + j) * right, 1, next, 1);
    }
    PetscCall(PetscArraycpy(v, next, right));
  }
  *mass = v[0];
  PetscCall(PetscFree3(v, next, sum));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_combine(int count, fare_train *const of[], const double factor[], fare_train *to)
{
  const int last = to->count - 1, n = to->sites.cells;
  int       bond[FARE_AXES_MAX + 1] = {0};
  double    scale[FARE_TERMS_MAX];

  PetscFunctionBegin;
  for (int k = 0; k <= last + 1; k++) {
    for (int s = 0; s < count; s++) bond[k] += of[s]->bond[k];
  }
  bond[0] = bond[last + 1] = 1;
  for (int s = 0; s < count; s++) {
    scale[s] = factor[s];
    if (of[s]->sites.cells == n) continue;
    PetscCall(mass_on(of[s], &to->sites, &scale[s]));
    scale[s] = factor[s] * fare_train_mass(of[s]) / scale[s];
  }
  for (int k = 0; k <= last; k++) {
    int at_left = 0, at_right = 0;

    PetscCall(fare_train_resize(to, k, bond[k], bond[k + 1]));
    PetscCall(PetscArrayzero(to->core[k], bond[k] * n * bond[k + 1]));
    for (int s = 0; s < count; s++) {
      add_core(of[s], k ? 1 : scale[s], k, to, k ? at_left : 0, k < last ? at_right : 0);
      at_left += of[s]->bond[k];
      at_right += of[s]->bond[k + 1];
    }
  }
  PetscCall(fare_train_compress(to));
  PetscCall(fare_train_sum(to));
  PetscFunctionReturn(0);
}
