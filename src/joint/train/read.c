/* SPDX-License-Identifier: BSD-2-Clause */
/* What a train tells of all points: mass, marginals, energies. */
#include "train.h"

#include <cblas.h>
#include <math.h>

double fare_train_mass(const fare_train *train)
{
  return train->right[0][0];
}

/* Divides by the largest size; returns it. */
static double scale_down(int n, double v[])
{
  double largest = 0;

  for (int i = 0; i < n; i++) largest = PetscMax(largest, fabs(v[i]));
  for (int i = 0; i < n && largest > 0; i++) v[i] /= largest;
  return largest;
}

static int widest(const fare_train *train)
{
  int most = 1;

  for (int k = 0; k <= train->count; k++) most = PetscMax(most, train->bond[k]);
  return most;
}

/* to[row][b] = sum over a and cells of from[row][a] core. */
static void sum_over(const fare_train *train, int k, int rows, const double *from, double *to)
{
  const int left = train->bond[k], right = train->bond[k + 1], n = train->sites.cells;

  for (int i = 0; i < rows * right; i++) to[i] = 0;
  for (int a = 0; a < left; a++) {
    for (int j = 0; j < n; j++) {
      for (int row = 0; row < rows; row++)
        cblas_daxpy(right, from[row * left + a] * train->sites.weight[j],
          train->core[k] + ((size_t)a * n + j) * right, 1, to + row * right, 1);
    }
  }
}

/* to[row][cell][b] = sum over a of from[row][a] core, weights included. */
static void open_site(const fare_train *train, int k, int rows, const double *from, double *to)
{
  const int left = train->bond[k], right = train->bond[k + 1], n = train->sites.cells;

  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, n * right, left, 1, from, left, train->core[k],
    n * right, 0, to, n * right);
  for (int row = 0; row < rows; row++) {
    for (int j = 0; j < n; j++) cblas_dscal(right, train->sites.weight[j], to + (row * n + j) * right, 1);
  }
}

PetscErrorCode fare_train_marginal(const fare_train *train, int axes, const int axis[], double masses[])
{
  const int n = train->sites.cells, width = widest(train),
            first = axes > 1 ? PetscMin(axis[0], axis[1]) : axis[0],
            last  = axes > 1 ? PetscMax(axis[0], axis[1]) : axis[0];
  double *room, *v, *next;
  int     rows = 1;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * n * n * width, &room));
  v    = room;
  next = room + n * n * width;
  v[0] = 1;
  for (int k = 0; k <= last; k++) {
    double *swap = v;

    if (k == first || k == last) {
      open_site(train, k, rows, v, next);
      rows *= n;
    } else {
      sum_over(train, k, rows, v, next);
    }
    v    = next;
    next = swap;
  }
  for (int i = 0; i < rows; i++) {
    const int to = axes > 1 && axis[0] > axis[1] ? i % n * n + i / n : i;

    masses[to] =
      cblas_ddot(train->bond[last + 1], v + i * train->bond[last + 1], 1, train->right[last + 1], 1);
  }
  PetscCall(PetscFree(room));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_parts(const fare_train *train, int axes, const int axis[], double masses[])
{
  const int n = train->sites.cells, parts = FARE_PARTS * n;
  double   *cells, *half, *density, *interval;

  PetscFunctionBegin;
  PetscCall(
    PetscMalloc4(n * n, &cells, parts * n, &half, FARE_PLACES(n) * n, &density, parts * n, &interval));
  PetscCall(fare_train_marginal(train, axes, axis, cells));
  PetscCall(fare_train_tabulate(train, axis[0], density, interval));
  if (axes == 1) {
    cblas_dgemv(CblasRowMajor, CblasNoTrans, parts, n, 1, interval, n, cells, 1, 0, masses, 1);
  } else {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, parts, n, n, 1, interval, n, cells, n, 0, half, n);
    PetscCall(fare_train_tabulate(train, axis[1], density, interval));
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, parts, parts, n, 1, half, n, interval, n, 0, masses, parts);
  }
  PetscCall(PetscFree4(cells, half, density, interval));
  PetscFunctionReturn(0);
}

/* ln of the partition function by a transfer matrix, its integral a sum over centres. */
static PetscErrorCode partition(
  const fare_train *train, const double *V, double coupling, double kT, double *log_z)
{
  const int     n      = train->sites.cells;
  const double *x      = train->sites.centre;
  double        lowest = HUGE_VAL, *v, *next;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &v, n, &next));
  for (int i = 0; i < n; i++) lowest = PetscMin(lowest, V[i]);
  *log_z = -train->count * lowest / kT;
  for (int i = 0; i < n; i++) v[i] = 1;
  for (int k = 0; k < train->count; k++) {
    for (int i = 0; i < n; i++) v[i] *= train->sites.spacing * exp(-(V[i] - lowest) / kT);
    for (int i = 0; i < n; i++) {
      next[i] = 0;
      for (int j = 0; j < n; j++)
        next[i] +=
          k + 1 < train->count ? exp(-0.5 * coupling / kT * (x[i] - x[j]) * (x[i] - x[j])) * v[j] : v[j];
    }
    PetscCall(PetscArraycpy(v, next, n));
    *log_z += log(scale_down(n, v));
  }
  PetscCall(PetscFree2(v, next));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_energies(const fare_train *train, double t, double *energy, double *log_z)
{
  const int     n = train->sites.cells;
  const double *x = train->sites.centre;
  double        theta[FARE_PARAMETERS_MAX], coupling, kT, *V, *mass;

  PetscFunctionBegin;
  fare_system_parameters(train->system, t, theta);
  kT       = theta[FARE_KT];
  coupling = theta[fare_chain_coupling(train->chain)];
  PetscCall(PetscMalloc2(n, &V, n * n, &mass));
  train->sites.unit->potential(1, theta, (size_t)n, &x, V);
  *energy = 0;
  for (int k = 0; k < train->count; k++) {
    const int axis[] = {k, k + 1};

    PetscCall(fare_train_marginal(train, 1, axis, mass));
    *energy += cblas_ddot(n, V, 1, mass, 1) / kT;
    if (k + 1 == train->count) break;
    PetscCall(fare_train_marginal(train, 2, axis, mass));
    for (int i = 0; i < n * n; i++)
      *energy += 0.5 * coupling / kT * (x[i / n] - x[i % n]) * (x[i / n] - x[i % n]) * mass[i];
  }
  PetscCall(partition(train, V, coupling, kT, log_z));
  PetscCall(PetscFree2(V, mass));
  PetscFunctionReturn(0);
}
