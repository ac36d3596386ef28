/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The friction tensor between the values at which it was found, by products of Chebyshev polynomials
  (Trefethen, Approximation Theory and Approximation Practice, SIAM (2013)).
*/
#include "response.h"

#include <math.h>

#define SINGULAR 1e-9 /* least share of a friction that others do not explain */

double fare_chebyshev_node(int nodes, int i, double lower, double upper)
{
  return 0.5 * (lower + upper) + 0.5 * (upper - lower) * cos(M_PI * i / (nodes - 1));
}

void fare_chebyshev_transform(int nodes, size_t stride, double value[])
{
  double f[FARE_CHEBYSHEV_MAX];

  for (int j = 0; j < nodes; j++) f[j] = value[(size_t)j * stride] * (j % (nodes - 1) ? 1 : 0.5);
  for (int k = 0; k < nodes; k++) {
    double sum = 0;

    for (int j = 0; j < nodes; j++) sum += f[j] * cos(M_PI * j * k / (nodes - 1));
    value[(size_t)k * stride] = sum * (k % (nodes - 1) ? 2 : 1) / (nodes - 1);
  }
}

void fare_chebyshev_polynomials(int nodes, double x, double T[], double slope[])
{
  double U = 1, before = 0; /* of the second kind: T'_k = k U_(k - 1) */

  T[0] = 1;
  T[1] = x;
  for (int k = 2; k < nodes; k++) T[k] = 2 * x * T[k - 1] - T[k - 2];
  if (!slope) return;
  slope[0] = 0;
  for (int k = 1; k < nodes; k++) {
    const double next = 2 * x * U - before;

    slope[k] = k * U;
    before   = U;
    U        = next;
  }
}

/* ln D, then U below its diagonal, row after row; false where the tensor is singular. */
static PetscBool factor(int d, const double tensor[], double number[])
{
  double U[FARE_FRICTION_MAX][FARE_FRICTION_MAX] = {{0}}, D[FARE_FRICTION_MAX];

  for (int j = 0; j < d; j++) {
    D[j] = tensor[j * d + j];
    for (int k = 0; k < j; k++) D[j] -= U[j][k] * U[j][k] * D[k];
    if (!(D[j] > SINGULAR * tensor[j * d + j])) return PETSC_FALSE;
    for (int i = j + 1; i < d; i++) {
      U[i][j] = tensor[i * d + j];
      for (int k = 0; k < j; k++) U[i][j] -= U[i][k] * U[j][k] * D[k];
      U[i][j] /= D[j];
    }
  }
  for (int i = 0, at = d; i < d; i++) {
    number[i] = log(D[i]);
    for (int j = 0; j < i; j++) number[at++] = U[i][j];
  }
  return PETSC_TRUE;
}

static size_t all_nodes(const fare_metric *m)
{
  size_t all = 1;

  for (int k = 0; k < m->parameters; k++) all *= (size_t)m->nodes;
  return all;
}

/* What the polynomials `first` and the next of a parameter add to a number, at most. */
static double add_pair(const fare_metric *m, int number, size_t stride, int first)
{
  const size_t all = all_nodes(m);
  double       sum = 0;

  for (size_t i = 0; i < all; i++) {
    const int k = (int)(i / stride % (size_t)m->nodes);

    if (k == first || k == first + 1) sum += fabs(m->coefficient[(size_t)number * all + i]);
  }
  return sum;
}

double fare_chebyshev_rest(double last_pair, double pair_before)
{
  const double slowest = 0.9, falls = PetscMin(slowest, last_pair / PetscMax(pair_before, 1e-300));

  return last_pair * falls / (1 - falls);
}

/* What is cut off, at most. */
static double find_tail(const fare_metric *m)
{
  double most = 0;

  for (int number = 0; number < m->numbers; number++) {
    double sum = 0;

    for (size_t stride = 1; stride < all_nodes(m); stride *= (size_t)m->nodes)
      sum += fare_chebyshev_rest(
        add_pair(m, number, stride, m->nodes - 2), add_pair(m, number, stride, m->nodes - 4));
    most = PetscMax(most, sum);
  }
  return most;
}

PetscErrorCode fare_metric_create(const fare_geodesic_task *task, const double tensor[], fare_metric *m)
{
  const int d = task->parameters;
  size_t    all;
  double    number[FARE_METRIC_NUMBERS];

  PetscFunctionBegin;
  *m  = (fare_metric){.parameters = d, .nodes = task->nodes, .numbers = d * (d + 1) / 2};
  all = all_nodes(m);
  for (int k = 0; k < d; k++) {
    m->lower[k] = task->lower[k];
    m->upper[k] = task->upper[k];
  }
  PetscCall(PetscMalloc1((size_t)m->numbers * all, &m->coefficient));
  for (size_t i = 0; i < all; i++) {
    if (!factor(d, tensor + i * (size_t)(d * d), number))
      FARE_FAIL(FARE_ERR_FAILED, "the friction tensor is singular%s",
        d > 1 ? ": two of the parameters do the same to the density; leave one out" : "");
    for (int k = 0; k < m->numbers; k++) m->coefficient[(size_t)k * all + i] = number[k];
  }
  for (size_t stride = 1; stride < all; stride *= (size_t)m->nodes) {
    for (size_t i = 0; i < (size_t)m->numbers * all; i++) {
      if (i / stride % (size_t)m->nodes == 0) fare_chebyshev_transform(m->nodes, stride, m->coefficient + i);
    }
  }
  m->tail = find_tail(m);
  PetscFunctionReturn(0);
}

void fare_metric_free(fare_metric *m)
{
  (void)PetscFree(m->coefficient);
  *m = (fare_metric){0};
}

/* The numbers at l, and their derivatives by each parameter. */
static void look(const fare_metric *m, const double l[], double number[],
  double slope[FARE_FRICTION_MAX][FARE_METRIC_NUMBERS])
{
  double       T[FARE_FRICTION_MAX][FARE_CHEBYSHEV_MAX], dT[FARE_FRICTION_MAX][FARE_CHEBYSHEV_MAX];
  const size_t all = all_nodes(m);

  for (int k = 0; k < m->parameters; k++) {
    const double half = 0.5 * (m->upper[k] - m->lower[k]), x = (l[k] - m->lower[k]) / half - 1;

    fare_chebyshev_polynomials(m->nodes, PetscMax(-1, PetscMin(1, x)), T[k], dT[k]);
    for (int j = 0; j < m->nodes; j++) dT[k][j] *= fabs(x) > 1 ? 0 : 1 / half;
  }
  for (int a = 0; a < m->numbers; a++) {
    number[a] = 0;
    for (int k = 0; k < m->parameters; k++) slope[k][a] = 0;
  }
  for (size_t i = 0; i < all; i++) {
    double value = 1, by[FARE_FRICTION_MAX] = {1, 1, 1};
    size_t rest = i;

    for (int k = 0; k < m->parameters; k++, rest /= (size_t)m->nodes) {
      const size_t j = rest % (size_t)m->nodes;

      value *= T[k][j];
      for (int other = 0; other < m->parameters; other++) by[other] *= other == k ? dT[k][j] : T[k][j];
    }
    for (int a = 0; a < m->numbers; a++) {
      const double c = m->coefficient[(size_t)a * all + i];

      number[a] += c * value;
      for (int k = 0; k < m->parameters; k++) slope[k][a] += c * by[k];
    }
  }
}

double fare_metric_square(
  const fare_metric *m, const double l[], const double v[], double by_l[], double by_v[])
{
  const int d = m->parameters;
  double    number[FARE_METRIC_NUMBERS], slope[FARE_FRICTION_MAX][FARE_METRIC_NUMBERS];
  double    w[FARE_FRICTION_MAX], square = 0;

  look(m, l, number, slope);
  for (int j = 0; j < d; j++) { /* w = U' v */
    w[j] = v[j];
    for (int i = j + 1; i < d; i++) w[j] += number[d + i * (i - 1) / 2 + j] * v[i];
    square += exp(number[j]) * w[j] * w[j];
  }
  for (int k = 0; k < d && by_l; k++) {
    by_l[k] = by_v[k] = 0;
    for (int j = 0; j < d; j++) {
      double dw = 0;

      for (int i = j + 1; i < d; i++) dw += slope[k][d + i * (i - 1) / 2 + j] * v[i];
      by_l[k] += exp(number[j]) * w[j] * (slope[k][j] * w[j] + 2 * dw);
      if (j <= k) by_v[k] += 2 * exp(number[j]) * w[j] * (j == k ? 1 : number[d + k * (k - 1) / 2 + j]);
    }
  }
  return square;
}
