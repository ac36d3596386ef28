/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Dyson's Brownian motion from a point y: the eigenvalues of M = r diag(y) + m + sqrt(v) H, H Hermitian with
  normal entries, E|H_ij|^2 = 1. Its density (Johansson, CMP 215, 683 (2001); of
  Karlin and McGregor's form) is, with a = r y + m and Vandermonde's products Delta,
  p(x) = Delta(x)/Delta(a) det[exp(-(x_i - a_j)^2/(2 v))]/(2 pi v)^(N/2) where x ascends, else 0.
  With the trap's stiffness k and centre c, mobility u and D = u kT, all as they are driven,
  r' = -u k r, m' = u k (c - m), v' = 2 D - 2 u k v. A point begins with v = sd^2.
*/
#include "dyson/determinant.h"

#include <fare/joint.h>
#include <math.h>
#include <petscblaslapack.h>
#include <stdlib.h>
#include <string.h>

#define MOST     FARE_DETERMINANT_MOST
#define PER_TIME 400  /* steps in the shortest time that the trap or its drive has */
#define WORK     2e6  /* draws behind the entropy times the cube of the particles */
#define SLOPE    4e-3 /* of a gap: the step of differences that make the score */

/* Theta at a time, by names that the system has. */
enum { STIFFNESS = FARE_OWN, CENTRE };

/* M as it comes from the start. */
typedef struct {
  double r, m, v;
} moments;

typedef struct {
  moments at[2]; /* with all steps, and with half as many */
} dyson;

static const fare_field fields[] = {FARE_FIELDS_END};

static PetscErrorCode check(const void *state, const fare_system *system, const fare_initial *initial)
{
  const size_t n = (size_t)fare_system_dimension(system);

  PetscFunctionBegin;
  (void)state;
  if (strcmp(fare_system_type_of(system)->name, "dyson"))
    FARE_FAIL(
      FARE_ERR_INPUT, "kind dyson is of the system dyson, not of '%s'", fare_system_type_of(system)->name);
  if (initial->density != FARE_INITIAL_POINT)
    FARE_FAIL(
      FARE_ERR_INPUT, "kind dyson begins with density: point, mean: [the particles in ascending order]");
  for (size_t i = 1; i < n; i++) {
    if (!(initial->mean.values[i] > initial->mean.values[i - 1]))
      FARE_FAIL(FARE_ERR_INPUT,
        "the particles do not change their order, so 'mean' must ascend; got %g before %g",
        initial->mean.values[i - 1], initial->mean.values[i]);
    if (initial->sd.values[i] != initial->sd.values[0])
      FARE_FAIL(FARE_ERR_INPUT, "kind dyson begins with one sd for all particles, got %g and %g",
        initial->sd.values[0], initial->sd.values[i]);
  }
  PetscFunctionReturn(0);
}

static moments rates(const fare_system *system, double t, moments of)
{
  double theta[FARE_PARAMETERS_MAX], pull;

  fare_system_parameters(system, t, theta);
  pull = theta[FARE_MOBILITY] * theta[STIFFNESS];
  return (moments){
    -pull * of.r, pull * (theta[CENTRE] - of.m), 2 * theta[FARE_MOBILITY] * theta[FARE_KT] - 2 * pull * of.v};
}

static moments add(moments a, double h, moments b)
{
  return (moments){a.r + h * b.r, a.m + h * b.m, a.v + h * b.v};
}

/* One step of the classical method of Runge and Kutta; the drive is smooth inside. */
static moments step(const fare_system *system, double t, double h, moments of)
{
  const double  inside = 1e-12 * h; /* at its end a drive may have jumped already */
  const moments k1 = rates(system, t, of), k2 = rates(system, t + 0.5 * h, add(of, 0.5 * h, k1)),
                k3 = rates(system, t + 0.5 * h, add(of, 0.5 * h, k2)),
                k4 = rates(system, t + h - inside, add(of, h, k3));

  return add(add(add(add(of, h / 6, k1), h / 3, k2), h / 3, k3), h / 6, k4);
}

/* From one time to another, between which nothing jumps or bends. */
static moments stretch(const fare_system *system, double from, double to, int parts, moments of)
{
  double    theta[FARE_PARAMETERS_MAX], shortest = fare_system_longest_step(system, from);
  long long steps;

  fare_system_parameters(system, from, theta);
  shortest = PetscMin(shortest, 1 / (theta[FARE_MOBILITY] * theta[STIFFNESS]));
  steps    = (long long)ceil((to - from) / PetscMin(shortest, to - from) * parts);
  for (long long i = 0; i < steps; i++) {
    const double h = (to - from) / (double)steps;

    of = step(system, from + h * (double)i, h, of);
  }
  return of;
}

/* Draws of eigenvalues for one block of particles. */
static PetscErrorCode draw(fare_joint *joint, fare_stream stream, uint64_t block, double *const x[])
{
  const moments of = ((const dyson *)joint->state)->at[0];
  const int     n = joint->dim, twice = 2 * n;
  double       *z, *matrix, value[2 * MOST], work[2 * MOST * 34];
  PetscBLASInt  size = twice, room = 2 * MOST * 34, info;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n * n * FARE_BLOCK, &z, twice * twice, &matrix));
  for (int k = 0; k < n * n; k++) {
    FARE_ALIGNED double normal[FARE_BLOCK];

    fare_random_normals(stream, block, (uint64_t)k, 0, normal);
    memcpy(z + k * FARE_BLOCK, normal, sizeof normal);
  }
  for (int i = 0; i < FARE_BLOCK; i++) {
    /* A + i B is Hermitian as [A, -B; B, A] is symmetric, with each eigenvalue twice */
    for (int a = 0; a < n; a++) {
      for (int b = 0; b <= a; b++) {
        const double upper = z[(b * n + a) * FARE_BLOCK + i], lower = z[(a * n + b) * FARE_BLOCK + i];
        const double real      = sqrt(of.v) * (a == b ? upper : upper * sqrt(0.5)),
                     imaginary = a == b ? 0 : sqrt(of.v) * lower * sqrt(0.5);
        const double all       = real + (a == b ? of.r * joint->initial->mean.values[a] + of.m : 0);

        matrix[b * twice + a] = matrix[a * twice + b] = all;
        matrix[(b + n) * twice + a + n] = matrix[(a + n) * twice + b + n] = all;
        matrix[b * twice + a + n] = matrix[(a + n) * twice + b] = imaginary;
        matrix[a * twice + b + n] = matrix[(b + n) * twice + a] = -imaginary;
      }
    }
    LAPACKsyev_("N", "L", &size, matrix, &size, value, work, &room, &info);
    if (info)
      FARE_FAIL(FARE_ERR_FAILED, "eigenvalues of a Hermitian matrix were not found (LAPACK: %d)", (int)info);
    for (int a = 0; a < n; a++) x[a][i] = 0.5 * (value[2 * a] + value[2 * a + 1]);
  }
  PetscCall(PetscFree2(z, matrix));
  PetscFunctionReturn(0);
}

/* ln p at a point. */
static double density_at(const fare_joint *joint, moments of, const double x[])
{
  const int n = joint->dim;
  double    a[MOST], b[MOST], sum = -0.5 * n * log(2 * PETSC_PI * of.v);

  for (int i = 0; i < n; i++) {
    a[i] = of.r * joint->initial->mean.values[i] + of.m;
    b[i] = a[i] / of.v;
    sum -= 0.5 * (x[i] * x[i] + a[i] * a[i]) / of.v;
  }
  for (int i = 0; i < n; i++) {
    for (int j = 0; j < i; j++) {
      if (!(x[i] > x[j])) return -HUGE_VAL;
      sum += 2 * log(x[i] - x[j]);
    }
  }
  /* Delta(b) is Delta(a) over v to the power of the number of pairs */
  return sum - n * (n - 1) / 2 * log(of.v) + fare_log_determinant(n, x, b);
}

static PetscErrorCode log_density(
  fare_joint *joint, int version, int64_t n, const double *const x[], double values[])
{
  const moments of = ((const dyson *)joint->state)->at[version];

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) {
    double at[MOST];

    for (int a = 0; a < joint->dim; a++) at[a] = x[a][i];
    values[i] = density_at(joint, of, at);
    if (isnan(values[i]))
      FARE_FAIL(FARE_ERR_FAILED,
        "ln p of %d particles at time %g is beyond quadruple precision: take fewer, or later times",
        joint->dim, joint->status.time);
  }
  PetscFunctionReturn(0);
}

/* By differences of fourth order, over a small part of the way to the neighbours. */
static PetscErrorCode score(fare_joint *joint, int64_t n, const double *const x[], double *const s[])
{
  const moments of  = ((const dyson *)joint->state)->at[0];
  const int     dim = joint->dim;

  PetscFunctionBegin;
  for (int64_t i = 0; i < n; i++) {
    double at[MOST];

    for (int a = 0; a < dim; a++) at[a] = x[a][i];
    for (int a = 0; a < dim; a++) {
      static const double weight[] = {1. / 12, -8. / 12, 8. / 12, -1. / 12}, place[] = {-2, -1, 1, 2};
      double              gap = sqrt(of.v), sum = 0, h;

      if (a) gap = PetscMin(gap, at[a] - at[a - 1]);
      if (a + 1 < dim) gap = PetscMin(gap, at[a + 1] - at[a]);
      h = SLOPE * gap;
      for (int k = 0; k < 4; k++) {
        at[a] = x[a][i] + place[k] * h;
        sum += weight[k] * density_at(joint, of, at);
      }
      at[a]   = x[a][i];
      s[a][i] = sum / h;
      if (!isfinite(s[a][i]))
        FARE_FAIL(
          FARE_ERR_FAILED, "the score of particles that are out of order, or beyond quadruple precision");
    }
  }
  PetscFunctionReturn(0);
}

/* ln of the integral of exp(-V/kT) where x ascends (Mehta, Random Matrices, eq. 17.6.7). */
static double log_partition(int n, double variance)
{
  double sum = 0.5 * n * log(2 * PETSC_PI) + 0.5 * n * n * log(variance) - lgamma(n + 1.);

  for (int j = 1; j <= n; j++) sum += lgamma(j + 1.);
  return sum;
}

/* Draws behind the entropy: a determinant takes time. */
static int samples(int n)
{
  return PetscMax(64, PetscMin(4 * FARE_BLOCK, (int)(WORK / (n * n * n))));
}

/* Means over draws, with their standard errors; the same on all ranks. */
static PetscErrorCode find_means(fare_joint *joint, const double theta[], double mean[2], double error[2])
{
  const int total = samples(joint->dim);
  double   *store, *x[MOST], log_p[FARE_BLOCK], V[FARE_BLOCK], sum[2] = {0, 0}, square[2] = {0, 0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(joint->dim * FARE_BLOCK, &store));
  for (int a = 0; a < joint->dim; a++) x[a] = store + a * FARE_BLOCK;
  for (int first = 0; first < total; first += FARE_BLOCK) {
    const int count = PetscMin(total - first, FARE_BLOCK);

    PetscCall(draw(joint, fare_stream_make(0, "dyson/entropy"), (uint64_t)(first / FARE_BLOCK), x));
    PetscCall(log_density(joint, 0, count, (const double *const *)x, log_p));
    fare_system_potential(joint->system, joint->status.time, (size_t)count, (const double *const *)x, V);
    for (int i = 0; i < count; i++) {
      const double each[] = {-log_p[i], log_p[i] + V[i] / theta[FARE_KT]};

      for (int k = 0; k < 2; k++) {
        sum[k] += each[k] / total;
        square[k] += each[k] * each[k] / total;
      }
    }
  }
  PetscCall(PetscFree(store));
  for (int k = 0; k < 2; k++) {
    mean[k]  = sum[k];
    error[k] = sqrt(PetscMax(0, square[k] - sum[k] * sum[k]) / total);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode report(fare_joint *joint)
{
  const dyson       *d      = joint->state;
  const double       n      = joint->dim;
  fare_joint_status *status = &joint->status;
  double             theta[FARE_PARAMETERS_MAX], mean[2], error[2];

  PetscFunctionBegin;
  fare_system_parameters(joint->system, status->time, theta);
  PetscCall(find_means(joint, theta, mean, error));
  status->entropy           = mean[0];
  status->entropy_error     = error[0];
  status->equilibrium       = mean[1] + log_partition(joint->dim, theta[FARE_KT] / theta[STIFFNESS]);
  status->equilibrium_error = error[1];
  /* of a matrix of n^2 numbers whose means and variances are as wrong */
  status->error_time =
    n * fabs(d->at[0].m - d->at[1].m) / sqrt(d->at[0].v) + n * n * fabs(d->at[0].v - d->at[1].v) / d->at[0].v;
  status->error       = status->error_time;
  status->error_space = 0;
  PetscFunctionReturn(0);
}

static PetscErrorCode setup(fare_joint *joint)
{
  dyson *d = joint->state;

  PetscFunctionBegin;
  d->at[0] = d->at[1] = (moments){1, 0, joint->initial->sd.values[0] * joint->initial->sd.values[0]};
  joint->status.time  = joint->start;
  PetscCall(report(joint));
  PetscFunctionReturn(0);
}

static PetscErrorCode advance(fare_joint *joint, double t)
{
  dyson *d = joint->state;

  PetscFunctionBegin;
  for (double from = joint->status.time; from < t;) {
    const double to = PetscMin(t, fare_system_next_corner(joint->system, from));

    for (int k = 0; k < 2; k++) d->at[k] = stretch(joint->system, from, to, PER_TIME / (k + 1), d->at[k]);
    from = to;
  }
  joint->status.time = t;
  PetscCall(report(joint));
  PetscFunctionReturn(0);
}

static int versions(const fare_joint *joint)
{
  (void)joint;
  return 2;
}

static const fare_kept moments_kept[] = {
  FARE_KEEP(REAL, moments, r),
  FARE_KEEP(REAL, moments, m),
  FARE_KEEP(REAL, moments, v),
  FARE_KEPT_END,
};

static const fare_kept kept[] = {
  {.name = "all_steps", .kind = FARE_KEPT_STRUCT, .offset = offsetof(dyson, at[0]), .fields = moments_kept},
  {.name = "half_steps", .kind = FARE_KEPT_STRUCT, .offset = offsetof(dyson, at[1]), .fields = moments_kept},
  FARE_KEPT_END,
};

const fare_joint_type fare_joint_dyson = {
  .name        = "dyson",
  .summary     = "particles that repel each other like eigenvalues: a determinant, in closed form",
  .reference   = "Dyson, J. Math. Phys. 3, 1191 (1962); Johansson, CMP 215, 683 (2001)",
  .size        = sizeof(dyson),
  .fields      = fields,
  .check       = check,
  .setup       = setup,
  .advance     = advance,
  .versions    = versions,
  .log_density = log_density,
  .score       = score,
  .draw        = draw,
  .no_marginal =
    "one particle's density alone has no closed form here: use measures of ln p and of distances",
  .no_noise =
    "the determinant with noise has no closed form: take a truth of kind product, gaussian or mixture",
  .no_rosenblatt = "the particles' conditionals have no closed form: use measures of ln p and of distances",
  .kept          = kept,
};
