/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Draws from a posterior by Metropolis and Hastings. Half of the proposals are Student's t about the Gaussian
  of the maximum, whatever the state; the others are steps of a random walk with its covariance. Where the
  posterior is nearly Gaussian, the first are nearly independent; where it is not, the second still move. Four
  chains begin apart. Convergence: split R-hat and effective sample sizes (Vehtari et al., Bayesian Anal. 16,
  667 (2021), without ranks).
*/
#include "infer.h"

#include <fare/random.h>

#include <petscblaslapack.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS  FARE_CHAINS
#define FREEDOM 5   /* of Student's t */
#define APART   2.0 /* standard deviations by which chains begin wider than the Gaussian */

typedef struct {
  const fare_fit_problem *p;
  const fare_posterior   *asked;
  int                     count;
  double centre[FARE_INFER_MAX], root[FARE_INFER_MAX * FARE_INFER_MAX]; /* L L' = covariance */
} target;

static double log_prior(const target *t, const double theta[])
{
  double sum = 0;

  for (int k = 0; k < t->count; k++) {
    const fare_prior *prior = &t->asked->prior[k];

    if (!(theta[k] >= PetscMax(prior->low, t->p->least[k]) &&
          theta[k] <= PetscMin(prior->high, t->p->most[k])))
      return -HUGE_VAL;
    if (prior->sd > 0) sum -= 0.5 * PetscSqr((theta[k] - prior->mean) / prior->sd);
  }
  return sum;
}

/* ln of the posterior, but for its norm: that of rank 0. */
static PetscErrorCode evaluate(const target *t, double theta[], double *value)
{
  const double prior = log_prior(t, theta);

  PetscFunctionBegin;
  *value = -HUGE_VAL;
  if (!isfinite(prior)) PetscFunctionReturn(0);
  PetscCall(fare_stop_check(t->p->comm, "draws from a posterior"));
  PetscCallMPI(MPI_Bcast(theta, t->count, MPI_DOUBLE, 0, t->p->comm));
  PetscCall(t->p->evaluate(t->p->to, theta, value, NULL, NULL));
  PetscCallMPI(MPI_Bcast(value, 1, MPI_DOUBLE, 0, t->p->comm));
  *value = isfinite(*value) ? *value + prior : -HUGE_VAL;
  PetscFunctionReturn(0);
}

/* The Gaussian of likelihood and prior about the maximum. */
static PetscErrorCode begin(const char *const name[], const fare_fit *best, target *t)
{
  const int n = t->count;
  double    A[FARE_INFER_MAX * FARE_INFER_MAX], b[FARE_INFER_MAX] = {0},
                                             covariance[FARE_INFER_MAX * FARE_INFER_MAX];
  PetscBLASInt size = n, info;

  PetscFunctionBegin;
  memcpy(A, best->information, (size_t)(n * n) * sizeof *A);
  for (int k = 0; k < n; k++)
    for (int j = 0; j < n; j++) b[k] += A[k * n + j] * best->theta[j];
  for (int k = 0; k < n; k++) {
    const fare_prior *prior = &t->asked->prior[k];

    if (!(prior->sd > 0)) continue;
    A[k * n + k] += 1 / PetscSqr(prior->sd);
    b[k] += prior->mean / PetscSqr(prior->sd);
  }
  PetscCall(fare_error_agree(t->p->comm, fare_fit_solve(n, name, NULL, A, b, t->centre, covariance)));
  memcpy(t->root, covariance, sizeof t->root);
  PetscCallBLAS("LAPACKpotrf", LAPACKpotrf_("U", &size, t->root, &size, &info)); /* by columns: L by rows */
  PetscCall(fare_error_agree(t->p->comm,
    info ? fare_error(FARE_ERR_FAILED, "the information at the maximum is no covariance's inverse") : 0));
  PetscCallMPI(MPI_Bcast(t->centre, n, MPI_DOUBLE, 0, t->p->comm));
  PetscCallMPI(MPI_Bcast(t->root, n * n, MPI_DOUBLE, 0, t->p->comm));
  PetscFunctionReturn(0);
}

/* to = from + scale L z, z normal, or of Student's t. */
static void step(
  const target *t, fare_random *random, double scale, PetscBool student, const double from[], double to[])
{
  double z[FARE_INFER_MAX], chi = 0;

  for (int k = 0; k < t->count; k++) z[k] = fare_random_normal(random);
  for (int i = 0; i < FREEDOM && student; i++) {
    const double one = fare_random_normal(random);

    chi += one * one / FREEDOM;
  }
  if (student) scale /= sqrt(chi);
  for (int k = 0; k < t->count; k++) {
    to[k] = from[k];
    for (int j = 0; j <= k; j++) to[k] += scale * t->root[k * t->count + j] * z[j];
  }
}

/* ln of Student's density about the centre, but for its norm. */
static double log_student(const target *t, const double theta[])
{
  double z[FARE_INFER_MAX], sum = 0;

  for (int k = 0; k < t->count; k++) {
    z[k] = theta[k] - t->centre[k];
    for (int j = 0; j < k; j++) z[k] -= t->root[k * t->count + j] * z[j];
    z[k] /= t->root[k * t->count + k];
    sum += z[k] * z[k];
  }
  return -0.5 * (FREEDOM + t->count) * log1p(sum / FREEDOM);
}

static PetscErrorCode move(const target *t, fare_random *random, double theta[], double *value)
{
  const PetscBool alone = fare_random_uniform(random) < 0.5 ? PETSC_TRUE : PETSC_FALSE;
  double          to[FARE_INFER_MAX], there, gain;

  PetscFunctionBegin;
  if (alone)
    step(t, random, 1, PETSC_TRUE, t->centre, to);
  else
    step(t, random, 2.38 / sqrt(t->count), PETSC_FALSE, theta, to);
  PetscCall(evaluate(t, to, &there));
  gain = there - *value;
  if (alone) gain += log_student(t, theta) - log_student(t, to);
  if (!(log(fare_random_uniform(random)) < gain)) PetscFunctionReturn(0);
  memcpy(theta, to, (size_t)t->count * sizeof *theta);
  *value = there;
  PetscFunctionReturn(0);
}

/* A chain: its kept draws, [draw * count + k]. */
static PetscErrorCode run(const target *t, const char *stream, int chain, int64_t kept, double draws[])
{
  fare_random random = {fare_stream_make(t->asked->seed, stream), (uint64_t)chain, 0};
  double      theta[FARE_INFER_MAX], value = -HUGE_VAL;

  PetscFunctionBegin;
  for (int tries = 0; !isfinite(value); tries++) {
    if (tries == 1000) FARE_FAIL(FARE_ERR_FAILED, "the priors leave no room near the largest likelihood");
    step(t, &random, APART, PETSC_TRUE, t->centre, theta);
    PetscCall(evaluate(t, theta, &value));
  }
  for (int64_t i = -(50 + kept / 5); i < kept; i++) {
    PetscCall(move(t, &random, theta, &value));
    if (i >= 0) memcpy(draws + i * t->count, theta, (size_t)t->count * sizeof *theta);
  }
  PetscFunctionReturn(0);
}

/* Mean over a stretch of a chain of (x_i - mean)(x_{i+lag} - mean). */
static double covary(const double x[], int64_t n, double mean, int64_t lag)
{
  double sum = 0;

  for (int64_t i = 0; i + lag < n; i++) sum += (x[i] - mean) * (x[i + lag] - mean);
  return sum / (double)n;
}

/* Split R-hat, and the effective sample size by Geyer's initial monotone sequence, of x[chain][draw]. */
static void converge(const double x[], int chains, int64_t n, double *r_hat, double *effective)
{
  double mean[2 * CHAINS], all = 0, within = 0, between = 0, total, sum = 0, before = HUGE_VAL;

  for (int c = 0; c < chains; c++) {
    mean[c] = 0;
    for (int64_t i = 0; i < n; i++) mean[c] += x[c * n + i] / (double)n;
    all += mean[c] / chains;
    within += covary(x + c * n, n, mean[c], 0) * (double)n / (double)(n - 1) / chains;
  }
  for (int c = 0; c < chains; c++) between += PetscSqr(mean[c] - all) / (chains - 1);
  total  = within * (double)(n - 1) / (double)n + between;
  *r_hat = sqrt(total / within);
  for (int64_t lag = 0; lag + 1 < n; lag += 2) {
    double pair = 0;

    for (int64_t k = lag; k < lag + 2; k++) {
      double mine = 0;

      for (int c = 0; c < chains; c++) mine += covary(x + c * n, n, mean[c], k) / chains;
      pair += 1 - (within - mine) / total;
    }
    if (!(pair > 0)) break;
    before = PetscMin(before, pair);
    sum += before;
  }
  *effective = PetscMin(1.0, 1 / PetscMax(2 * sum - 1, 1e-9)) * (double)(chains * n);
}

static int by_value(const void *a, const void *b)
{
  const double p = *(const double *)a, q = *(const double *)b;

  return (p > q) - (p < q);
}

/* A quantile of sorted draws, and the error that their number leaves it. */
static double quantile(const double sorted[], int64_t n, double q, double effective, double *error)
{
  const double wide = sqrt(q * (1 - q) / effective), at[3] = {q - wide, q, q + wide};
  double       found[3];

  for (int i = 0; i < 3; i++) {
    const double  place = PetscMin(1, PetscMax(0, at[i])) * (double)(n - 1);
    const int64_t low   = PetscMin((int64_t)place, n - 2);

    found[i] = sorted[low] + (place - (double)low) * (sorted[low + 1] - sorted[low]);
  }
  *error = 0.5 * (found[2] - found[0]);
  return found[1];
}

/* One parameter's column of all chains. */
static PetscErrorCode summarise(int count, int k, int64_t kept, const double draws[], fare_posterior_of *to)
{
  const int64_t n = CHAINS * kept;
  double       *x, sum = 0, squares = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n, &x));
  for (int64_t i = 0; i < n; i++) x[i] = draws[i * count + k];
  for (int64_t i = 0; i < n; i++) sum += x[i] / (double)n;
  for (int64_t i = 0; i < n; i++) squares += PetscSqr(x[i] - sum) / (double)(n - 1);
  converge(x, 2 * CHAINS, kept / 2, &to->r_hat, &to->effective);
  to->mean  = sum;
  to->sd    = sqrt(squares);
  to->error = to->sd / sqrt(to->effective);
  qsort(x, (size_t)n, sizeof *x, by_value);
  to->low  = quantile(x, n, 0.025, to->effective, &to->low_error);
  to->high = quantile(x, n, 0.975, to->effective, &to->high_error);
  PetscCall(PetscFree(x));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_posterior_sample(const fare_fit_problem *p, const char *const name[],
  const fare_fit *best, const fare_posterior *asked, fare_inferred *to)
{
  const int64_t  kept = 2 * ((asked->draws + 2 * CHAINS - 1) / (2 * CHAINS)); /* of a chain: even */
  target         t    = {.p = p, .asked = asked, .count = p->count};
  double        *draws;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  PetscCall(begin(name, best, &t));
  PetscCall(PetscMalloc1(CHAINS * kept * p->count, &draws));
  for (int chain = 0; chain < CHAINS && !code; chain++)
    code = run(&t, asked->stream, chain, kept, draws + chain * kept * p->count);
  for (int k = 0; k < p->count && !code; k++) code = summarise(p->count, k, kept, draws, &to->posterior[k]);
  if (!code) {
    to->draws = CHAINS * kept;
    to->draw  = draws;
  } else {
    PetscCall(PetscFree(draws));
  }
  PetscFunctionReturn(code);
}
