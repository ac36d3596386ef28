/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The penalty on roughness, and its weight. A penalty weight/2 int (V''/kT)^2 is a Gaussian prior; Laplace's
  approximation of the marginal likelihood is largest where

    weight = (rank S - weight tr (I + weight S)^-1 S)/(v' S v),

  S the roughness, I the information, v the values of V/kT at the maximum: a fixed point that iteration finds
  (Wood and Fasiolo, Biometrics 73, 1071 (2017)). Between fits the
  likelihood is taken for a parabola.
*/
#include "bands.h"

#include <cblas.h>

#include <math.h>
#include <string.h>

#define ROUNDS 500
#define SAME   1e-4
#define LEAP   1e3 /* by which a weight changes between two fits, at most */
#define STIFF  1e6 /* times the weight to begin with: the spline is straight */

static double temperature(const fare_potential *p, const double theta[])
{
  return p->warm < 0 ? p->kT : theta[p->warm];
}

void fare_potential_values(const fare_potential *p, int count, const double theta[], double values[])
{
  for (int k = 0; k < count; k++) values[k] = theta[k] * (k < p->first ? 1 : temperature(p, theta));
}

/* d values/d theta, [value * count + k]. */
static void differentiate(const fare_potential *p, int count, const double theta[], double J[])
{
  memset(J, 0, (size_t)(count * count) * sizeof *J);
  for (int k = 0; k < count; k++) {
    J[k * (count + 1)] = k < p->first ? 1 : temperature(p, theta);
    if (k >= p->first && p->warm >= 0) J[k * count + p->warm] = theta[k];
  }
}

static void multiply(
  int n, CBLAS_TRANSPOSE a, const double A[], CBLAS_TRANSPOSE b, const double B[], double to[])
{
  cblas_dgemm(CblasRowMajor, a, b, n, n, n, 1, A, n, B, n, 0, to, n);
}

void fare_potential_move(const fare_potential *p, int count, const double theta[], double step[])
{
  double J[FARE_INFER_MAX * FARE_INFER_MAX], from[FARE_INFER_MAX];

  differentiate(p, count, theta, J);
  memcpy(from, step, (size_t)count * sizeof *from);
  cblas_dgemv(CblasRowMajor, CblasNoTrans, count, count, 1, J, count, from, 1, 0, step, 1);
}

void fare_potential_pull_back(
  const fare_potential *p, int count, const double theta[], double score[], double information[])
{
  double J[FARE_INFER_MAX * FARE_INFER_MAX], work[FARE_INFER_MAX * FARE_INFER_MAX], from[FARE_INFER_MAX];

  differentiate(p, count, theta, J);
  memcpy(from, score, (size_t)count * sizeof *from);
  cblas_dgemv(CblasRowMajor, CblasTrans, count, count, 1, J, count, from, 1, 0, score, 1);
  multiply(count, CblasNoTrans, information, CblasNoTrans, J, work);
  multiply(count, CblasTrans, J, CblasNoTrans, work, information);
}

void fare_potential_push_forward(
  const fare_potential *p, int count, const double theta[], double covariance[])
{
  double J[FARE_INFER_MAX * FARE_INFER_MAX], work[FARE_INFER_MAX * FARE_INFER_MAX];

  differentiate(p, count, theta, J);
  multiply(count, CblasNoTrans, J, CblasNoTrans, covariance, work);
  multiply(count, CblasNoTrans, work, CblasTrans, J, covariance);
}

void fare_potential_penalise(const fare_potential *p, int count, double weight, const double theta[],
  double *value, double score[], double information[])
{
  for (int j = 0; j < p->knots; j++) {
    double pull = 0;

    for (int k = 0; k < p->knots; k++) {
      const double S = weight * p->roughness[j * p->knots + k];

      pull += S * theta[p->first + k];
      if (information) information[(p->first + j) * count + p->first + k] += S;
    }
    *value -= 0.5 * theta[p->first + j] * pull;
    if (score) score[p->first + j] -= pull;
  }
}

static double stiffness(const fare_potential *p, const double information[], int count)
{
  double told = 0, rough = 0;

  for (int k = 0; k < p->knots; k++) {
    told += information[(p->first + k) * (count + 1)];
    rough += p->roughness[k * (p->knots + 1)];
  }
  return told / rough;
}

double fare_potential_begin(const fare_potential *p, const fare_fit *fit, int count)
{
  return stiffness(p, fit->information, count);
}

/* v' S v, and where C is given tr C S. */
static void look(
  const fare_potential *p, int count, const double theta[], const double C[], double *rough, double *trace)
{
  *rough = *trace = 0;
  for (int j = 0; j < p->knots; j++) {
    for (int k = 0; k < p->knots; k++) {
      const double S = p->roughness[j * p->knots + k];

      *rough += theta[p->first + j] * S * theta[p->first + k];
      *trace += C[(p->first + j) * count + p->first + k] * S;
    }
  }
}

PetscErrorCode fare_potential_choose(const fare_potential *p, const char *const name[], int count,
  const fare_fit *fit, double weight, double *chosen)
{
  const int rank = p->knots - (fare_system_box(p->system).periodic[0] ? 1 : 2);
  double    told[FARE_INFER_MAX * FARE_INFER_MAX], A[FARE_INFER_MAX * FARE_INFER_MAX],
    C[FARE_INFER_MAX * FARE_INFER_MAX], score[FARE_INFER_MAX], b[FARE_INFER_MAX], theta[FARE_INFER_MAX],
    value = 0, most;

  PetscFunctionBegin;
  memcpy(told, fit->information, (size_t)(count * count) * sizeof *told);
  memcpy(score, fit->score, (size_t)count * sizeof *score);
  fare_potential_penalise(
    p, count, -weight, fit->theta, &value, score, told); /* those of the likelihood alone */
  most    = STIFF * stiffness(p, told, count);
  *chosen = weight;
  for (int round = 0; round < ROUNDS; round++) {
    const double before = *chosen;
    double       rough, trace;

    memcpy(A, told, (size_t)(count * count) * sizeof *A);
    memcpy(b, score, (size_t)count * sizeof *b);
    fare_potential_penalise(p, count, before, fit->theta, &value, b, A);
    PetscCall(fare_fit_solve(count, name, fit->held, A, b, theta, C));
    for (int k = 0; k < count; k++) theta[k] += fit->theta[k];
    look(p, count, theta, C, &rough, &trace);
    *chosen = PetscMax(rank - before * trace, 1e-6 * rank) / rough;
    if (!(*chosen < most)) *chosen = most;
    *chosen = PetscMax(weight / LEAP, PetscMin(weight * LEAP, *chosen));
    if (fabs(log(*chosen / before)) < SAME) break;
  }
  PetscFunctionReturn(0);
}
