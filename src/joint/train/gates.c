/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Evolution by a pair of neighbours. The generator of a chain is a sum of those of its bonds: on a bond both
  sites diffuse with half of D in the potential V_1(x) + V_1(y) + coupling (x - y)^2, and each end of the
  chain has one more half of its own. On a bond one site moves while the other waits, half a step before and
  half a step after the other does. All are matrices of rates of single sites, by Scharfetter and Gummel, and
  at rest where the bond is.
*/
#include "train.h"

#include <cblas.h>
#include <math.h>

/* Bernoulli's function. */
static double bernoulli(double w)
{
  return fabs(w) < 1e-5 ? 1 - 0.5 * w + w * w / 12 : w / expm1(w);
}

/* The rates of one axis of cells in a potential over kT. */
static void set_rates(int n, const double *U, double diffusion, double *rates)
{
  for (int i = 0; i < n * n; i++) rates[i] = 0;
  for (int i = 0; i + 1 < n; i++) {
    const double w = U[i + 1] - U[i], up = diffusion * bernoulli(w), down = diffusion * bernoulli(-w);

    rates[(i + 1) * n + i] += up;
    rates[i * n + i] -= up;
    rates[i * n + i + 1] += down;
    rates[(i + 1) * n + i + 1] -= down;
  }
}

/* to = a factor times (A from), of a matrix A that is mostly zeros. */
static void multiply_sparse(int n, const double *A, double factor, const double *from, double *to)
{
  for (int row = 0; row < n; row++) {
    double *out = to + (size_t)row * n;

    for (int k = 0; k < n; k++) out[k] = 0;
    for (int column = 0; column < n; column++) {
      const double  a  = A[(size_t)row * n + column] * factor;
      const double *in = from + (size_t)column * n;

      if (a == 0) continue;
      for (int k = 0; k < n; k++) out[k] += a * in[k];
    }
  }
}

#define TERMS 15  /* of the series: 0.5^15/15! is below rounding */
#define SHORT 0.5 /* largest rate times time of the series */

PetscErrorCode fare_exponential(int n, const double *rates, double step, double *to)
{
  const size_t size = (size_t)n * (size_t)n;
  double      *A, *term, *next, fastest = 0;
  int          squarings = 0;

  PetscFunctionBegin;
  for (int i = 0; i < n; i++) fastest = PetscMax(fastest, -rates[(size_t)i * n + i]);
  if (!isfinite(fastest * step)) FARE_FAIL(FARE_ERR_FAILED, "rates between cells are not finite");
  while (ldexp(fastest * step, -squarings) > SHORT) squarings++;
  step = ldexp(step, -squarings);
  PetscCall(PetscMalloc3(size, &A, size, &term, size, &next));
  for (size_t i = 0; i < size; i++) {
    A[i]    = rates[i] * step;
    term[i] = to[i] = 0;
  }
  for (int i = 0; i < n; i++) {
    const size_t at = (size_t)i * n + i;

    A[at] += fastest * step;
    term[at] = to[at] = exp(-fastest * step);
  }
  for (int k = 1; k <= TERMS; k++) {
    double *swap = term;

    multiply_sparse(n, A, 1. / k, term, next);
    term = next;
    next = swap;
    for (size_t i = 0; i < size; i++) to[i] += term[i];
  }
  for (int k = 0; k < squarings; k++) {
    PetscCall(PetscArraycpy(A, to, size));
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, A, n, A, n, 0, to, n);
  }
  PetscCall(PetscFree3(A, term, next));
  PetscFunctionReturn(0);
}

/* The exponential of rates, seen by masses over weights. */
static PetscErrorCode weighted(int n, const double *rates, double step, const double *weight, double *to)
{
  PetscFunctionBegin;
  PetscCall(fare_exponential(n, rates, step, to));
  for (int row = 0; row < n; row++) {
    for (int column = 0; column < n; column++) to[(size_t)row * n + column] *= weight[column] / weight[row];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode make(fare_train *train, const double theta[], double step, fare_gate *gate)
{
  const fare_sites *s = &train->sites;
  const int         n = s->cells, all = n * n;
  const double      kT = theta[FARE_KT], coupling = theta[fare_chain_coupling(train->chain)],
               diffusion = 0.5 * theta[FARE_MOBILITY] * kT / (s->spacing * s->spacing);
  const double *x        = s->centre;
  double       *rates, *V, *U;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &V, n, &U, all, &rates));
  s->unit->potential(1, theta, (size_t)n, &x, V);
  for (int j = 0; j < n; j++) {
    double *half = gate->half + j * all, *whole = gate->whole + j * all;

    for (int i = 0; i < n; i++) U[i] = (V[i] + coupling * (x[i] - x[j]) * (x[i] - x[j])) / kT;
    set_rates(n, U, diffusion, rates);
    PetscCall(weighted(n, rates, 0.25 * step, s->weight, half));
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, half, n, half, n, 0, whole, n);
  }
  for (int i = 0; i < n; i++) U[i] = V[i] / kT;
  set_rates(n, U, diffusion, rates);
  PetscCall(weighted(n, rates, 0.5 * step, s->weight, gate->end));
  PetscCall(PetscFree3(V, U, rates));
  PetscFunctionReturn(0);
}

void fare_gate_apply(const fare_gate *gate, int n, int terms, double *from, double *to)
{
  const int all = n * n, row = n * terms;

  for (int j = 0; j < n; j++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, terms, n, 1, gate->half + j * all, n,
      from + j * terms, row, 0, to + j * terms, row);
  for (int i = 0; i < n; i++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, terms, n, 1, gate->whole + i * all, n,
      to + i * row, terms, 0, from + i * row, terms);
  for (int j = 0; j < n; j++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, terms, n, 1, gate->half + j * all, n,
      from + j * terms, row, 0, to + j * terms, row);
}

/* The oldest one makes room. */
PetscErrorCode fare_train_gate(fare_train *train, const double theta[], double step, const fare_gate **gate)
{
  const size_t n     = (size_t)train->sites.cells;
  fare_gate   *found = NULL, first;

  PetscFunctionBegin;
  for (int i = 0; i < train->gates && !found; i++) {
    PetscBool same;

    PetscCall(PetscArraycmp(train->gate[i].theta, theta, FARE_PARAMETERS_MAX, &same));
    if (same && fabs(train->gate[i].step - step) <= 1e-9 * step) found = &train->gate[i];
  }
  if (!found) {
    if (train->gates == FARE_GATES_MAX) {
      first = train->gate[0];
      for (int i = 1; i < FARE_GATES_MAX; i++) train->gate[i - 1] = train->gate[i];
      train->gate[FARE_GATES_MAX - 1] = first;
      found                           = &train->gate[FARE_GATES_MAX - 1];
    } else {
      found = &train->gate[train->gates++];
      PetscCall(PetscMalloc1(n * n * n, &found->half));
      PetscCall(PetscMalloc1(n * n * n, &found->whole));
      PetscCall(PetscMalloc1(n * n, &found->end));
    }
    found->step = step;
    PetscCall(PetscArraycpy(found->theta, theta, FARE_PARAMETERS_MAX));
    PetscCall(make(train, theta, step, found));
  }
  *gate = found;
  PetscFunctionReturn(0);
}

void fare_train_gates_free(fare_train *train)
{
  for (int i = 0; i < train->gates; i++) {
    PetscCallVoid(PetscFree(train->gate[i].half));
    PetscCallVoid(PetscFree(train->gate[i].whole));
    PetscCallVoid(PetscFree(train->gate[i].end));
  }
  train->gates = 0;
}
