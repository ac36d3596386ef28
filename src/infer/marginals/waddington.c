/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Waddington's landscape: entropic couplings of successive snapshots, of the kernel exp(-|x - y|^2/epsilon),
  are taken for observed displacements. The kernel is that of free diffusion with D = epsilon/(4 lag): epsilon
  is a claim about noise. On cells, the kernel is a product of one matrix for each axis.
*/
#include "marginals.h"

#include <cblas.h>

#include <math.h>
#include <string.h>

#define ROUNDS 500
#define CLOSE  1e-7 /* L1 error of a marginal of the coupling ... */
#define ENOUGH 1e-3 /* ... and of few data, which a particle far from all others makes slow */

/* Displacements along an axis, and what kernels are made of. */
typedef struct {
  const fare_grid *grid;
  double           epsilon;
  double          *K[FARE_DIM_MAX][3]; /* kernel, and times d and d^2: [to * cells + from] */
  double          *work;
} kernels;

static PetscErrorCode create(const fare_infer_context *c, const fare_grid *g, double epsilon, kernels *k)
{
  PetscFunctionBegin;
  *k = (kernels){.grid = g, .epsilon = epsilon};
  PetscCall(PetscMalloc1(fare_grid_owned(g), &k->work));
  for (int axis = 0; axis < g->dim; axis++) {
    const size_t n = (size_t)g->cells[axis];

    PetscCall(PetscMalloc3(n * n, &k->K[axis][0], n * n, &k->K[axis][1], n * n, &k->K[axis][2]));
    for (size_t i = 0; i < n; i++) {
      for (size_t j = 0; j < n; j++) {
        const double d = fare_infer_way(c, axis, (double)i * g->spacing[axis], (double)j * g->spacing[axis]),
                     K = exp(-d * d / epsilon);

        k->K[axis][0][i * n + j] = K;
        k->K[axis][1][i * n + j] = K * d;
        k->K[axis][2][i * n + j] = K * d * d;
      }
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode destroy(kernels *k)
{
  PetscFunctionBegin;
  for (int axis = 0; axis < k->grid->dim; axis++)
    PetscCall(PetscFree3(k->K[axis][0], k->K[axis][1], k->K[axis][2]));
  PetscCall(PetscFree(k->work));
  PetscFunctionReturn(0);
}

/* y_i = sum_j K(j - i) x_j, times d^power along one axis. */
static void apply(const kernels *k, int special, int power, const double x[], double y[])
{
  const fare_grid *g      = k->grid;
  const PetscInt   cells  = fare_grid_owned(g);
  PetscInt         stride = 1;

  memcpy(y, x, (size_t)cells * sizeof *y);
  for (int axis = 0; axis < g->dim; axis++) {
    const int     n = (int)g->cells[axis], many = (int)(cells / n), wide = (int)stride;
    const double *K = k->K[axis][axis == special ? power : 0];

    memcpy(k->work, y, (size_t)cells * sizeof *y);
    if (wide == 1)
      cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, n, many, n, 1, K, n, k->work, n, 0, y, n);
    for (PetscInt at = 0; at < cells && wide > 1; at += stride * n)
      cblas_dgemm(
        CblasColMajor, CblasNoTrans, CblasNoTrans, wide, n, n, 1, k->work + at, wide, K, n, 0, y + at, wide);
    stride *= n;
  }
}

/* Sinkhorn's iteration: a coupling u K v with marginals a and b. */
static PetscErrorCode couple(const kernels *k, const double a[], const double b[], double u[], double v[])
{
  const PetscInt cells = fare_grid_owned(k->grid);
  double        *Kv;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(cells, &Kv));
  for (PetscInt i = 0; i < cells; i++) v[i] = b[i] > 0 ? 1 : 0;
  for (int round = 0; round <= ROUNDS; round++) {
    double off = 0;

    apply(k, 0, 0, v, Kv);
    for (PetscInt i = 0; i < cells; i++) {
      off += round ? fabs(u[i] * Kv[i] - a[i]) : 1;
      u[i] = a[i] > 0 ? a[i] / Kv[i] : 0;
      if (!isfinite(u[i])) round = ROUNDS;
    }
    if (off < CLOSE || (round == ROUNDS && off < ENOUGH)) break;
    if (round == ROUNDS) {
      PetscCall(PetscFree(Kv));
      FARE_FAIL(FARE_ERR_FAILED, "the entropic coupling was not found: take a larger 'epsilon'");
    }
    apply(k, 0, 0, u, Kv);
    for (PetscInt i = 0; i < cells; i++) v[i] = b[i] > 0 ? b[i] / Kv[i] : 0;
  }
  PetscCall(PetscFree(Kv));
  PetscFunctionReturn(0);
}

/* Mean squared distance of two marginals, coupled at random. */
static double distance(const fare_marginals *m, size_t t)
{
  double sum = 0;

  for (int axis = 0; axis < m->dim; axis++) {
    double mean[2] = {0}, square[2] = {0};

    for (size_t side = 0; side < 2; side++) {
      const fare_marginal *at = &m->at[t + side];

      for (size_t i = 0; i < at->points; i++) {
        mean[side] += at->weight[i] * at->x[axis][i];
        square[side] += at->weight[i] * PetscSqr(at->x[axis][i]);
      }
    }
    sum += square[0] + square[1] - 2 * mean[0] * mean[1];
  }
  return sum;
}

/* Rows of displacements of one interval; *D is what epsilon claims. */
static PetscErrorCode add_interval(const fare_marginals *m, size_t t, fare_moments *rows, double *D)
{
  const fare_marginal *from = &m->at[t], *to = &m->at[t + 1];
  const double         epsilon = m->context->epsilon * distance(m, t), lag = to->time - from->time;
  kernels              k;
  double              *u, *v, *sum[3];
  PetscErrorCode       code;

  PetscFunctionBegin;
  *D = epsilon / (4 * lag);
  PetscCall(create(m->context, m->grid, epsilon, &k));
  PetscCall(PetscMalloc5(
    from->points, &u, from->points, &v, from->points, &sum[0], from->points, &sum[1], from->points, &sum[2]));
  code = couple(&k, from->weight, to->weight, u, v);
  if (!code) apply(&k, 0, 0, v, sum[0]);
  for (int axis = 0; axis < m->dim && !code; axis++) {
    size_t row = rows->rows;

    apply(&k, axis, 1, v, sum[1]);
    apply(&k, axis, 2, v, sum[2]);
    for (size_t i = 0; i < from->points; i++) {
      if (!(u[i] > 0)) continue;
      rows->x[axis][row]      = from->x[axis][i];
      rows->first[axis][row]  = sum[1][i] / sum[0][i];
      rows->second[axis][row] = sum[2][i] / sum[0][i];
      rows->lag[row]          = lag;
      rows->weight[row++]     = from->weight[i];
    }
    if (axis + 1 == m->dim) rows->rows = row;
  }
  PetscCall(PetscFree5(u, v, sum[0], sum[1], sum[2]));
  PetscCall(destroy(&k));
  PetscFunctionReturn(code);
}

static PetscErrorCode estimate(const fare_marginals *m, double theta[], fare_inferred *inferred)
{
  fare_moments   rows;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(fare_moments_create(m->dim, (m->count - 1) * m->at[0].points, 0, &rows));
  rows.rows = 0;
  if (inferred) inferred->implied = 0;
  for (size_t t = 0; t + 1 < m->count && !code; t++) {
    double D;

    code = add_interval(m, t, &rows, &D);
    if (inferred) inferred->implied += D / (double)(m->count - 1);
  }
  if (code) {
    PetscCall(fare_moments_free(&rows));
    PetscFunctionReturn(code);
  }
  PetscFunctionReturn(fare_projection_of(m->context, &rows, theta, NULL));
}

static PetscErrorCode fit(const fare_infer_context *c, const fare_tracks *t, fare_inferred *inferred)
{
  return fare_marginals_fit(c, t, PETSC_TRUE, estimate, inferred);
}

static PetscErrorCode limit(const fare_infer_context *c, const PetscInt cells[], double theta[])
{
  return fare_marginals_limit(c, cells, estimate, theta);
}

const fare_infer_type fare_infer_waddington = {
  .name      = "waddington",
  .summary   = "entropic couplings of snapshots, used as displacements; epsilon implies a diffusion",
  .reference = "Schiebinger et al., Cell 176, 928 (2019)",
  .variant   = FARE_ITO,
  .dim_max   = FARE_DIM_MAX,
  .unpaired  = PETSC_TRUE,
  .fit       = fit,
  .limit     = limit,
};
