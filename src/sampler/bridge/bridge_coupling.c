/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Sinkhorn's iterations on a matrix exp(f + g - cost) into which the potentials f and g are taken from time to
  time, so that no number of it gets lost however small the noise (Schmitzer, SIAM J. Sci. Comput. 41, A1443
  (2019)).
*/
#include "bridge_coupling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ABSORB 20 /* rounds between */

struct fare_coupling {
  int   n, m;
  float cost[FARE_BLOCK][FARE_BLOCK], K[FARE_BLOCK][FARE_BLOCK];
  float f[FARE_BLOCK], g[FARE_BLOCK], u[FARE_BLOCK], v[FARE_BLOCK], sum[FARE_BLOCK];
};

PetscErrorCode fare_coupling_create(fare_coupling **coupling)
{
  PetscFunctionBegin;
  *coupling = aligned_alloc(64, (sizeof **coupling + 63) / 64 * 64);
  if (!*coupling) FARE_FAIL(FARE_ERR_FAILED, "out of memory for a coupling");
  PetscFunctionReturn(0);
}

void fare_coupling_destroy(fare_coupling **coupling)
{
  free(*coupling);
  *coupling = NULL;
}

/* Potentials with which every row and every column of the matrix has an entry 1, and none above. */
static void begin(fare_coupling *c)
{
  for (int i = 0; i < c->n; i++) {
    c->f[i] = c->cost[i][0];
    for (int j = 1; j < c->m; j++) c->f[i] = fminf(c->f[i], c->cost[i][j]);
  }
  for (int j = 0; j < c->m; j++) c->g[j] = HUGE_VALF;
  for (int i = 0; i < c->n; i++) {
    for (int j = 0; j < c->m; j++) c->g[j] = fminf(c->g[j], c->cost[i][j] - c->f[i]);
  }
}

/* Makes the matrix of the potentials, and the factors 1. */
static void absorb(fare_coupling *c, PetscBool first)
{
  for (int i = 0; i < c->n && !first; i++) c->f[i] += logf(c->u[i]);
  for (int j = 0; j < c->m && !first; j++) c->g[j] += logf(c->v[j]);
  for (int i = 0; i < c->n; i++) fare_coupling_weights(c->m, c->f[i], c->g, c->cost[i], c->K[i]);
  for (int i = 0; i < FARE_BLOCK; i++) c->u[i] = c->v[i] = 1;
}

/* One round: rows to p, then columns to q; the mismatch of the columns before. */
static double once(fare_coupling *c, const double p[], const double q[])
{
  double mismatch = 0;

  memset(c->sum, 0, sizeof c->sum);
  for (int i = 0; i < c->n; i++) {
    c->u[i] = (float)p[i] / fare_coupling_dot(c->m, c->K[i], c->v);
    fare_coupling_add(c->m, c->u[i], c->K[i], c->sum);
  }
  for (int j = 0; j < c->m; j++) mismatch += fabs((double)(c->v[j] * c->sum[j]) - q[j]);
  for (int j = 0; j < c->m; j++) c->v[j] = (float)q[j] / c->sum[j];
  return mismatch;
}

double fare_coupling_solve(fare_coupling *c, int dim, const double spread[], const double period[], int n,
  const double *const x[], const double p[], int m, const double *const y[], const double q[],
  double tolerance, int rounds)
{
  double mismatch = HUGE_VAL;

  c->n = n;
  c->m = m;
  for (int i = 0; i < n; i++) {
    memset(c->cost[i], 0, sizeof c->cost[i]);
    for (int axis = 0; axis < dim; axis++)
      fare_coupling_cost(m, x[axis][i], spread[axis], period[axis], y[axis], c->cost[i]);
  }
  begin(c);
  absorb(c, PETSC_TRUE);
  for (int round = 0; round < rounds && mismatch > tolerance; round++) {
    if (round && round % ABSORB == 0) absorb(c, PETSC_FALSE);
    mismatch = once(c, p, q);
  }
  return mismatch;
}

int fare_coupling_partner(const fare_coupling *c, int i, double u)
{
  const double all = fare_coupling_dot(c->m, c->K[i], c->v);
  double       sum = 0;

  for (int j = 0; j < c->m; j++) {
    sum += (double)(c->K[i][j] * c->v[j]);
    if (sum > u * all) return j;
  }
  return c->m - 1;
}
