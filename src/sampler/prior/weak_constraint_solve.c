/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The minimisation of weak_constraint, by Newton's method. With y = dq/sqrt(q), the second derivative of the
  chain is a sum of squares, lambda sum_k |y_{k+1} - A_k y_k|^2, A_k = sqrt(q_{k+1}) K_k sqrt(q_k)/(K_k q_k);
  so cells that hold next to nothing converge as fast as others. That and diag(C/q) make a matrix whose blocks
  stand on the diagonal and next to it, one for each time. It says nothing about mass that moves along the
  chain as it is, of which what is minimised is linear; diag|g - <g>|, g the gradient, does, and is 0 at the
  minimum. Each q_k keeps its sum: directions sqrt(q_k) are projected out. Steps are taken in ln q.

  The gap of Frank and Wolfe, sum_k (<g_k, q_k> - min_i g_ki), g the gradient, bounds from above how far a
  convex function is from its minimum over these simplices (Jaggi, ICML 2013).
*/
#include "weak_constraint.h"

#include <petscblaslapack.h>

#include <cblas.h>
#include <math.h>
#include <string.h>

#define ROUNDS   200
#define LEAST    1e-250 /* probability of a cell */
#define RIDGE    1e-10  /* relative to what the diagonal is made of */
#define ROUNDING 1e-14  /* relative, of what is minimised */
#define STEEP    2.0    /* most that ln q rises in a round */

typedef struct {
  const fare_weak_problem *p;
  double                   lambda, most; /* of the counts of one time */
  int                      n;
  size_t                   size;                          /* of a block */
  double                  *root, *flow, *gradient, *step; /* [k * n + i]; flow: (K_k q_k)_i */
  double                  *factor; /* of each time, the block of the factor on the diagonal */
  double                  *below;  /* of each interval, W with W^T the block next to it */
  double                  *A, *back, *trial, *mean; /* mean: of the gradient, by time */
} work;

static double xlogx(double a, double b)
{
  return a > 0 ? a * log(a / b) : 0;
}

static void propagate(const fare_weak_problem *p, int k, const double q[], double to[])
{
  const int n = (int)p->cells;

  cblas_dgemv(CblasColMajor, CblasNoTrans, n, n, 1, p->K[k], n, q + (size_t)k * (size_t)n, 1, 0, to, 1);
  for (int i = 0; i < n; i++) to[i] = PetscMax(to[i], LEAST);
}

static double value_of(const fare_weak_problem *p, double lambda, const double q[], double flow[])
{
  double sum = 0;

  for (int k = 0; k < p->times; k++) {
    const double *here = q + k * p->cells, *count = p->count + k * p->cells;

    for (PetscInt i = 0; i < p->cells; i++) sum -= count[i] > 0 ? count[i] * log(here[i]) : 0;
    if (k + 1 == p->times) break;
    propagate(p, k, q, flow);
    for (PetscInt i = 0; i < p->cells; i++) sum += lambda * xlogx(here[p->cells + i], flow[i]);
  }
  return sum;
}

double fare_weak_value(const fare_weak_problem *problem, double lambda, const double q[])
{
  double *flow, value;

  if (PetscMalloc1(problem->cells, &flow)) return NAN;
  value = value_of(problem, lambda, q, flow);
  (void)PetscFree(flow);
  return value;
}

/* The gradient by q, and its gap. */
static double find_gradient(work *w, const double q[])
{
  const fare_weak_problem *p   = w->p;
  const int                n   = w->n;
  double                   gap = 0;

  for (int k = 0; k + 1 < p->times; k++) propagate(p, k, q, w->flow + k * n);
  for (int k = 0; k < p->times; k++) {
    const double *here = q + k * n, *count = p->count + k * n, *before = w->flow + (k - 1) * n;
    double       *g = w->gradient + k * n, mean = 0, least = HUGE_VAL;

    for (int i = 0; i < n; i++) {
      g[i] = count[i] > 0 ? -count[i] / here[i] : 0;
      if (k) g[i] += w->lambda * (log(here[i] / before[i]) + 1);
    }
    if (k + 1 < p->times) {
      for (int i = 0; i < n; i++) w->back[i] = here[n + i] / w->flow[k * n + i];
      cblas_dgemv(CblasColMajor, CblasTrans, n, n, -w->lambda, p->K[k], n, w->back, 1, 1, g, 1);
    }
    for (int i = 0; i < n; i++) {
      mean += g[i] * here[i];
      least = PetscMin(least, g[i]);
    }
    gap += mean - least;
    w->mean[k] = mean;
  }
  return gap;
}

/* A_k, and A_k^T sqrt(q_{k+1}) in `back`. */
static void make_A(work *w, int k)
{
  const int     n = w->n;
  const double *s = w->root + k * n, *next = s + n, *K = w->p->K[k];

  for (int j = 0; j < n; j++) {
    w->back[j] = 0;
    for (int i = 0; i < n; i++) {
      const double a = next[i] * K[j * n + i] * s[j] / w->flow[k * n + i];

      w->A[j * n + i] = a;
      w->back[j] += a * next[i];
    }
  }
}

/* H = P H P + c s s^T, P = 1 - s s^T, of a symmetric matrix whose lower half counts. */
static void project(work *w, const double s[], double c, double H[])
{
  const int n = w->n;
  double    sHs;

  cblas_dsymv(CblasColMajor, CblasLower, n, 1, H, n, s, 1, 0, w->trial, 1);
  sHs = cblas_ddot(n, s, 1, w->trial, 1);
  for (int i = 0; i < n; i++) w->trial[i] -= 0.5 * (sHs + c) * s[i];
  cblas_dsyr2(CblasColMajor, CblasLower, n, -1, s, 1, w->trial, 1, H, n);
}

/* The blocks, and their factors; *failed where a pivot is not positive. */
static PetscErrorCode factorise(work *w, const double q[], double ridge, PetscBool *failed)
{
  const fare_weak_problem *p = w->p;
  const int                n = w->n;

  PetscFunctionBegin;
  *failed = PETSC_FALSE;
  for (int k = 0; k < p->times && !*failed; k++) {
    const double *s = w->root + k * n, *count = p->count + k * n;
    double       *H    = w->factor + (size_t)k * w->size;
    PetscBLASInt  size = n, info;

    memset(H, 0, w->size * sizeof *H);
    if (k + 1 < p->times) {
      make_A(w, k);
      cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, n, n, w->lambda, w->A, n, 0, H, n);
      /* the block below, projected: -lambda (A - s' (A^T s')^T), kept transposed */
      cblas_dger(CblasColMajor, n, n, -1, s + n, 1, w->back, 1, w->A, n);
    }
    for (int i = 0; i < n; i++)
      H[i * (n + 1)] +=
        count[i] / q[k * n + i] + (k ? w->lambda : 0) + fabs(w->gradient[k * n + i] - w->mean[k]);
    project(w, s, w->most + w->lambda, H);
    for (int i = 0; i < n; i++) H[i * (n + 1)] += ridge * (w->most + w->lambda);
    if (k) {
      const double *W = w->below + (size_t)(k - 1) * w->size;

      cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, n, n, -1, W, n, 1, H, n);
    }
    PetscCallBLAS("LAPACKpotrf", LAPACKpotrf_("L", &size, H, &size, &info));
    *failed = info ? PETSC_TRUE : PETSC_FALSE;
    if (k + 1 < p->times && !info) {
      double *W = w->below + (size_t)k * w->size;

      for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) W[i * n + j] = -w->lambda * w->A[j * n + i];
      }
      cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, n, n, 1, H, n, W, n);
    }
  }
  PetscFunctionReturn(0);
}

/* step = - H^{-1} g in y, then in ln q; returns <g, step>. */
static double find_step(work *w)
{
  const int n = w->n, times = w->p->times;
  double    slope = 0;

  for (int k = 0; k < times; k++) {
    const double *s = w->root + k * n;
    double       *y = w->step + k * n, along;

    for (int i = 0; i < n; i++) y[i] = -s[i] * w->gradient[k * n + i];
    along = cblas_ddot(n, s, 1, y, 1);
    cblas_daxpy(n, -along, s, 1, y, 1);
    memcpy(w->trial + k * n, y, (size_t)n * sizeof *y);
    if (k)
      cblas_dgemv(
        CblasColMajor, CblasTrans, n, n, -1, w->below + (size_t)(k - 1) * w->size, n, y - n, 1, 1, y, 1);
    cblas_dtrsv(
      CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, w->factor + (size_t)k * w->size, n, y, 1);
  }
  for (int k = times - 1; k >= 0; k--) {
    double *y = w->step + k * n;

    if (k + 1 < times)
      cblas_dgemv(
        CblasColMajor, CblasNoTrans, n, n, -1, w->below + (size_t)k * w->size, n, y + n, 1, 1, y, 1);
    cblas_dtrsv(
      CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, n, w->factor + (size_t)k * w->size, n, y, 1);
  }
  for (int i = 0; i < n * times; i++) {
    slope -= w->trial[i] * w->step[i];
    w->step[i] /= w->root[i];
  }
  return slope;
}

static void normalise(int times, int n, double q[])
{
  for (int k = 0; k < times; k++) {
    double sum = 0;

    for (int i = 0; i < n; i++) sum += q[k * n + i];
    for (int i = 0; i < n; i++) q[k * n + i] = PetscMax(q[k * n + i] / sum, LEAST);
  }
}

/* Along the step, halved until there is a gain; false where there is none. */
static PetscBool search(work *w, double slope, double *value, double q[])
{
  const int all   = w->n * w->p->times;
  double    steep = 0, share;

  for (int i = 0; i < all; i++) steep = PetscMax(steep, w->step[i]);
  share = steep > STEEP ? STEEP / steep : 1;
  for (int halving = 0; halving < 40; halving++, share *= 0.5) {
    double now;

    for (int i = 0; i < all; i++) w->trial[i] = q[i] * exp(share * w->step[i]);
    normalise(w->p->times, w->n, w->trial);
    now = value_of(w->p, w->lambda, w->trial, w->back);
    if (now <= *value + 1e-4 * share * slope + ROUNDING * fabs(*value)) {
      memcpy(q, w->trial, (size_t)all * sizeof *q);
      *value = now;
      return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

static PetscErrorCode minimise(work *w, double enough, double q[], fare_weak_fit *fit)
{
  const int all   = w->n * w->p->times;
  double    ridge = RIDGE;

  PetscFunctionBegin;
  normalise(w->p->times, w->n, q);
  fit->value = value_of(w->p, w->lambda, q, w->back);
  for (fit->rounds = 0; fit->rounds < ROUNDS; fit->rounds++) {
    PetscBool failed;
    double    slope;

    fit->gap = find_gradient(w, q);
    if (fit->gap <= enough) break;
    for (int i = 0; i < all; i++) w->root[i] = sqrt(q[i]);
    PetscCall(factorise(w, q, ridge, &failed));
    while (failed && ridge < 1) {
      ridge *= 100;
      PetscCall(factorise(w, q, ridge, &failed));
    }
    if (failed) break;
    slope = find_step(w);
    if (!search(w, slope, &fit->value, q)) break;
  }
  fit->gap = find_gradient(w, q);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_weak_solve(
  const fare_weak_problem *problem, double lambda, double enough, double q[], fare_weak_fit *fit)
{
  const size_t   n = (size_t)problem->cells, times = (size_t)problem->times;
  work           w = {.p = problem, .lambda = lambda, .n = (int)n, .size = n * n};
  PetscErrorCode code;

  PetscFunctionBegin;
  for (size_t k = 0; k < times; k++) {
    double sum = 0;

    for (size_t i = 0; i < n; i++) sum += problem->count[k * n + i];
    w.most = PetscMax(w.most, sum);
  }
  PetscCall(PetscMalloc7(times * n, &w.root, times * n, &w.flow, times * n, &w.gradient, times * n, &w.step,
    times * n, &w.trial, n, &w.back, w.size, &w.A));
  PetscCall(PetscMalloc3(times * w.size, &w.factor, times * w.size, &w.below, times, &w.mean));
  code = minimise(&w, enough, q, fit);
  PetscCall(PetscFree3(w.factor, w.below, w.mean));
  PetscCall(PetscFree7(w.root, w.flow, w.gradient, w.step, w.trial, w.back, w.A));
  PetscFunctionReturn(code);
}
