/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Time-evolving block decimation (Vidal, Phys. Rev. Lett. 91, 147902, 2003) of cell masses: gates go along the
  chain and back, which is of second order in the step, and each is followed by a truncation at the centre of
  orthogonality. Nothing is scaled to keep the mass.
*/
#include "train.h"

#include <cblas.h>
#include <math.h>

#define MOMENTS 64 /* over which parameters are averaged for the density of reference */

PetscErrorCode fare_train_resize(fare_train *train, int site, int left, int right)
{
  PetscFunctionBegin;
  train->bond[site]     = left;
  train->bond[site + 1] = right;
  PetscCall(PetscFree(train->core[site]));
  PetscCall(PetscMalloc1((size_t)left * (size_t)train->sites.cells * (size_t)right, &train->core[site]));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_create(const fare_system *system, int cells, int rank, double step, double lower,
  double upper, double start, fare_train **to)
{
  double      theta[FARE_PARAMETERS_MAX] = {0}, now[FARE_PARAMETERS_MAX];
  fare_train *train;

  PetscFunctionBegin;
  PetscCall(PetscNew(to));
  train            = *to;
  train->system    = system;
  train->chain     = fare_chain_of(system);
  train->count     = fare_system_dimension(system);
  train->most_rank = rank;
  train->step      = step;
  for (int k = 0; k < MOMENTS; k++) {
    fare_system_parameters(system, start + k * step, now);
    for (int i = 0; i < FARE_PARAMETERS_MAX; i++) theta[i] += now[i] / MOMENTS;
  }
  PetscCall(fare_sites_create(fare_chain_unit(train->chain), cells, lower, upper, theta, &train->sites));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_destroy(fare_train **to)
{
  fare_train *train = *to;

  PetscFunctionBegin;
  if (!train) PetscFunctionReturn(0);
  for (int k = 0; k < train->count; k++) PetscCall(PetscFree(train->core[k]));
  for (int k = 0; k < train->count; k++) PetscCall(PetscFree(train->marginal[k]));
  for (int k = 0; k < train->count; k++) fare_reader_free(&train->reader[k]);
  for (int k = 0; k <= train->count; k++) PetscCall(PetscFree(train->right[k]));
  fare_train_gates_free(train);
  fare_sites_free(&train->sites);
  PetscCall(PetscFree(*to));
  PetscFunctionReturn(0);
}

/* Of masses that truncation has left next to nothing or negative. */
#define LEAST 1e-14

/* Notes marginals, and what points need, after sums from the right. */
static PetscErrorCode mark_marginals(fare_train *train)
{
  const int n = train->sites.cells;

  PetscFunctionBegin;
  for (int k = 0; k < train->count; k++) {
    double *mass = train->marginal[k];

    if (!mass) PetscCall(PetscMalloc1(n, &train->marginal[k]));
    mass = train->marginal[k];
    if (train->like) {
      PetscCall(PetscArraycpy(mass, train->like->marginal[k], n));
    } else {
      PetscCall(fare_train_marginal(train, 1, &k, mass));
      for (int i = 0; i < n; i++) mass[i] = log(PetscMax(mass[i], LEAST));
    }
    fare_reader_free(&train->reader[k]);
    PetscCall(fare_reader_create(train, k, &train->reader[k]));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_sum(fare_train *train)
{
  const int n = train->sites.cells;

  PetscFunctionBegin;
  for (int k = train->count; k >= 0; k--) {
    const int left = train->bond[k], right = k < train->count ? train->bond[k + 1] : 0;

    PetscCall(PetscFree(train->right[k]));
    PetscCall(PetscCalloc1(left, &train->right[k]));
    if (k == train->count) {
      train->right[k][0] = 1;
      continue;
    }
    for (int a = 0; a < left; a++) {
      const double *core = train->core[k] + (size_t)a * n * right;

      for (int i = 0; i < n; i++)
        train->right[k][a] +=
          train->sites.weight[i] * cblas_ddot(right, core + i * right, 1, train->right[k + 1], 1);
    }
  }
  PetscCall(mark_marginals(train));
  PetscFunctionReturn(0);
}

/* Makes core `site` an isometry of (cell, right), and gives the rest to the one on its left. */
static PetscErrorCode hand_left(fare_train *train, int site)
{
  const int rows = train->bond[site], columns = train->sites.cells * train->bond[site + 1],
            before = train->bond[site - 1] * train->sites.cells;
  double *left, *right, *core, lost;
  int     rank;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(rows * rows, &left, rows * columns, &right, before * rows, &core));
  PetscCall(fare_split(rows, columns, train->core[site], PetscMin(rows, train->most_rank), rows,
    train->core[site], PETSC_TRUE, left, right, &rank, &lost, &train->full));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, before, rank, rows, 1, train->core[site - 1], rows,
    left, rank, 0, core, rank);
  PetscCall(fare_train_resize(train, site, rank, train->bond[site + 1]));
  PetscCall(PetscArraycpy(train->core[site], right, rank * columns));
  PetscCall(fare_train_resize(train, site - 1, train->bond[site - 1], rank));
  PetscCall(PetscArraycpy(train->core[site - 1], core, before * rank));
  PetscCall(PetscFree3(left, right, core));
  train->discarded += lost;
  train->rank = PetscMax(train->rank, rank);
  PetscFunctionReturn(0);
}

/* Makes core `site` an isometry of (left, cell), and gives the rest to the one on its right. */
static PetscErrorCode hand_right(fare_train *train, int site)
{
  const int rows = train->bond[site] * train->sites.cells, columns = train->bond[site + 1],
            after = train->sites.cells * train->bond[site + 2];
  double *left, *right, *core, lost;
  int     rank;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(rows * columns, &left, columns * columns, &right, columns * after, &core));
  PetscCall(fare_split(rows, columns, train->core[site], columns, 0, NULL, PETSC_FALSE, left, right, &rank,
    &lost, &train->full));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rank, after, columns, 1, right, columns,
    train->core[site + 1], after, 0, core, after);
  PetscCall(fare_train_resize(train, site, train->bond[site], rank));
  PetscCall(PetscArraycpy(train->core[site], left, rows * rank));
  PetscCall(fare_train_resize(train, site + 1, rank, train->bond[site + 2]));
  PetscCall(PetscArraycpy(train->core[site + 1], core, rank * after));
  PetscCall(PetscFree3(left, right, core));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_compress(fare_train *train)
{
  const int last = train->count - 1;

  PetscFunctionBegin;
  for (int k = 0; k < last; k++) PetscCall(hand_right(train, k));
  for (int k = last; k > 0; k--) PetscCall(hand_left(train, k));
  train->centre = 0;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_begin(fare_train *train, int components, const double *mass)
{
  const int n = train->sites.cells, last = train->count - 1;

  PetscFunctionBegin;
  for (int k = 0; k <= last; k++) {
    const int left = k ? components : 1, right = k < last ? components : 1;

    PetscCall(fare_train_resize(train, k, left, right));
    PetscCall(PetscArrayzero(train->core[k], left * n * right));
    for (int c = 0; c < components; c++) {
      for (int i = 0; i < n; i++)
        train->core[k][((k ? c : 0) * n + i) * right + (k < last ? c : 0)] +=
          mass[(c * train->count + k) * n + i] / train->sites.weight[i];
    }
  }
  for (int k = last; k > 0; k--) PetscCall(hand_left(train, k));
  train->centre = 0;
  PetscCall(fare_train_sum(train));
  PetscFunctionReturn(0);
}

/* [a][i][j][b] to [i][j][a][b], or back. */
static void exchange(int left, int pairs, int right, PetscBool back, const double *from, double *to)
{
  for (int a = 0; a < left; a++) {
    for (int p = 0; p < pairs; p++) {
      const size_t outer = ((size_t)a * pairs + p) * right, inner = ((size_t)p * left + a) * right;

      for (int b = 0; b < right; b++) to[(back ? outer : inner) + b] = from[(back ? inner : outer) + b];
    }
  }
}

/* The gate on sites k and k + 1; then the centre is on k + 1, or with to_left on k. */
static PetscErrorCode apply(fare_train *train, const fare_gate *gate, int k, PetscBool to_left)
{
  const int n = train->sites.cells, pairs = n * n, left = train->bond[k], middle = train->bond[k + 1],
            right = train->bond[k + 2], rows = left * n, columns = n * right;
  const size_t size = (size_t)rows * (size_t)columns;
  double      *m, *turned, *u, *v, lost;
  int          rank;

  PetscFunctionBegin;
  if (train->centre != k && train->centre != k + 1)
    FARE_FAIL(FARE_ERR_FAILED, "tensor train: a truncation off the centre of orthogonality");
  PetscCall(
    PetscMalloc4(size, &m, size, &turned, rows * train->most_rank, &u, columns * train->most_rank, &v));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, columns, middle, 1, train->core[k], middle,
    train->core[k + 1], columns, 0, m, columns);
  exchange(left, pairs, right, PETSC_FALSE, m, turned);
  fare_gate_apply(gate, n, left * right, turned, m);
  exchange(left, pairs, right, PETSC_TRUE, m, turned);
  PetscCall(fare_split(rows, columns, turned, train->most_rank, middle, train->core[k + 1], to_left, u, v,
    &rank, &lost, &train->full));
  PetscCall(fare_train_resize(train, k, left, rank));
  PetscCall(PetscArraycpy(train->core[k], u, rows * rank));
  PetscCall(fare_train_resize(train, k + 1, rank, right));
  PetscCall(PetscArraycpy(train->core[k + 1], v, rank * columns));
  PetscCall(PetscFree4(m, turned, u, v));
  train->centre = to_left ? k : k + 1;
  train->discarded += lost;
  train->rank = PetscMax(train->rank, rank);
  PetscFunctionReturn(0);
}

/* The gate of a single site at an end. */
static PetscErrorCode apply_end(fare_train *train, const fare_gate *gate, int k)
{
  const int n = train->sites.cells, left = train->bond[k], right = train->bond[k + 1];
  double   *core;

  PetscFunctionBegin;
  if (train->centre != k) FARE_FAIL(FARE_ERR_FAILED, "tensor train: a gate off the centre of orthogonality");
  PetscCall(PetscMalloc1((size_t)left * n * right, &core));
  for (int a = 0; a < left; a++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, right, n, 1, gate->end, n,
      train->core[k] + a * n * right, right, 0, core + a * n * right, right);
  PetscCall(PetscFree(train->core[k]));
  train->core[k] = core;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_train_advance(fare_train *train, double t, double span, int steps)
{
  const double     step = span / steps;
  const int        last = train->count - 1;
  double           theta[FARE_PARAMETERS_MAX];
  const fare_gate *gate;

  PetscFunctionBegin;
  for (int s = 0; s < steps; s++) {
    fare_system_parameters(train->system, t + (s + 0.5) * step, theta);
    PetscCall(fare_train_gate(train, theta, step, &gate));
    PetscCall(apply_end(train, gate, 0));
    for (int k = 0; k < last; k++) PetscCall(apply(train, gate, k, PETSC_FALSE));
    PetscCall(apply_end(train, gate, last));
    PetscCall(apply_end(train, gate, last));
    for (int k = last - 1; k >= 0; k--) PetscCall(apply(train, gate, k, PETSC_TRUE));
    PetscCall(apply_end(train, gate, 0));
  }
  PetscCall(fare_train_sum(train));
  PetscFunctionReturn(0);
}

double fare_train_gauge(const fare_train *train)
{
  const int n     = train->sites.cells;
  double    worst = 0;

  for (int k = 0; k < train->count; k++) {
    const int left = train->bond[k], right = train->bond[k + 1], size = k < train->centre ? right : left,
              length        = left * n * right / size;
    const PetscBool on_left = k < train->centre ? PETSC_TRUE : PETSC_FALSE;

    if (k == train->centre) continue;
    for (int a = 0; a < size; a++) {
      for (int b = 0; b < size; b++) {
        const double *core = train->core[k];
        const double  dot  = on_left ? cblas_ddot(length, core + a, right, core + b, right)
                                     : cblas_ddot(length, core + a * length, 1, core + b * length, 1);

        worst = PetscMax(worst, fabs(dot - (a == b)));
      }
    }
  }
  return worst;
}
