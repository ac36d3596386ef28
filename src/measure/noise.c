/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Design effects. The masses of pools of n independent rows have the covariance (diag(q) - q q')/n. Groups
  show the one that there is; the two are compared in two metrics, of which the first is Pearson's and the
  second sees what pools do together. Rao and Scott, J. Am. Stat. Assoc. 76, 221 (1981).
*/
#include "noise.h"

#include <math.h>
#include <string.h>

#define SURE          3. /* standard errors above 1 that a design effect must be */
#define JOINED        2. /* standard errors that neighbouring groups must have in common to be joined */
#define GROUPS_FEWEST 10 /* of joined ones */

typedef struct {
  size_t  groups, pools;
  double *x, *gram; /* deviations of groups in a metric, groups * pools, and their products */
  double *weight;   /* of pools in that metric */
} scatter;

/* Sums over pools of what a group has beyond its share of all samples. */
static void take_deviations(const fare_sides *s, size_t groups, const double group[], double x[])
{
  const size_t bins = s->binning->all_seen;

  memset(x, 0, groups * s->pools * sizeof *x);
  for (size_t g = 0; g < groups; g++) {
    const double *of = group + g * (bins + FARE_GROUP_EXTRA), share = of[bins + 2];
    double       *to = x + g * s->pools;

    for (size_t i = 0; i < bins; i++) to[s->pool_seen[i]] += of[i];
    for (size_t k = 0; k < s->pools; k++) to[k] -= share * s->q_whole[k];
  }
}

/*
  What independent rows would show: variances of the masses of pools, or of their sums from the first pool on.
*/
static double expected_scatter(const fare_sides *s, PetscBool sums, const double weight[])
{
  double below = 0, square = 0, all = 0;

  for (size_t k = 0; k < s->pools; k++) {
    const double q = s->q_whole[k], v = fare_sides_square(s, k);

    below  = sums ? below + q : q;
    square = sums ? square + v : v;
    all += weight[k] * (square * (1 - 2 * below) + below * below / s->samples->effective);
  }
  return all;
}

static void make_gram(scatter *of)
{
  for (size_t g = 0; g < of->groups; g++) {
    for (size_t h = 0; h <= g; h++) {
      double sum = 0;

      for (size_t k = 0; k < of->pools; k++) sum += of->x[g * of->pools + k] * of->x[h * of->pools + k];
      of->gram[g * of->groups + h] = of->gram[h * of->groups + g] = sum;
    }
  }
}

/* Deviations in one of the two metrics. */
static void show(const fare_sides *s, size_t groups, const double group[], PetscBool sums, scatter *of)
{
  of->groups = groups;
  of->pools  = s->pools;
  take_deviations(s, groups, group, of->x);
  for (size_t k = 0; k < s->pools; k++)
    of->weight[k] = sums ? s->p_raw[k] + s->q_whole[k] : 2 / PetscMax(s->p_raw[k] + s->q_whole[k], 1e-300);
  for (size_t g = 0; g < groups; g++) {
    double below = 0, *x = of->x + g * s->pools;

    for (size_t k = 0; k < s->pools; k++) {
      below = sums ? below + x[k] : x[k];
      x[k]  = sqrt(of->weight[k]) * below;
    }
  }
  make_gram(of);
}

/* Trace of the covariance that groups show, and its standard error relative to it. */
static double trace(const scatter *of, double *error)
{
  const double n   = (double)of->groups;
  double       sum = 0, squares = 0;

  for (size_t g = 0; g < of->groups; g++) {
    const double k = of->gram[g * of->groups + g];

    sum += k;
    squares += k * k;
  }
  *error = sum > 0 ? sqrt(PetscMax(0, squares * n / (sum * sum) - 1) / (n - 1)) : 0;
  return sum * n / (n - 1);
}

/*
  The correlation of neighbours, and how much that is in standard errors of what independent groups would
  have.
*/
static double neighbours(const scatter *of, double *errors)
{
  const size_t n   = of->groups;
  double       lag = 0, own = 0, others = 0;

  for (size_t g = 0; g < n; g++) {
    own += of->gram[g * n + g];
    if (g + 1 < n) lag += of->gram[g * n + g + 1];
    for (size_t h = 0; h < g; h++) others += of->gram[g * n + h] * of->gram[g * n + h];
  }
  *errors = 0;
  if (!(others > 0)) return 0;
  lag += own / (double)n; /* deviations add up to nothing */
  *errors = lag / sqrt((double)n * others / (0.5 * (double)(n * (n - 1))));
  return lag / own;
}

/* Two and two, the last one with a third where they are odd. */
static void join(size_t stride, size_t *groups, double group[])
{
  const size_t half = *groups / 2;

  for (size_t g = 0; g < *groups; g++) {
    const size_t to = PetscMin(g / 2, half - 1);

    for (size_t i = 0; i < stride; i++) {
      const double add = group[g * stride + i];

      group[to * stride + i] = g == 2 * to ? add : group[to * stride + i] + add;
    }
  }
  *groups = half;
}

/* In both metrics. */
static PetscBool depend(const fare_sides *s, size_t groups, const double group[], scatter *of)
{
  double errors;

  for (int sums = 0; sums < 2; sums++) {
    show(s, groups, group, (PetscBool)sums, of);
    (void)neighbours(of, &errors);
    if (errors > JOINED) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/*
  The share of the groups' own covariance with which that of pools has the trace and the sum of squares that
  an estimate without bias gives: of as few groups as there are the sum of squares is too large by the square
  of the trace over their number.
*/
static double find_blend(const scatter *of)
{
  const double n = (double)of->groups, modes = PetscMax(1, (double)of->pools - 1);
  double       sum = 0, squares = 0, unbiased, even;

  for (size_t g = 0; g < of->groups; g++) {
    sum += of->gram[g * of->groups + g];
    for (size_t h = 0; h < of->groups; h++)
      squares += of->gram[g * of->groups + h] * of->gram[g * of->groups + h];
  }
  sum *= n / (n - 1);
  squares *= n / (n - 1) * n / (n - 1);
  even     = sum * sum / modes;
  unbiased = (n - 1) * (n - 1) / ((n - 2) * (n + 1)) * (squares - sum * sum / (n - 1));
  return squares > even ? sqrt(PetscMin(1, PetscMax(0, (unbiased - even) / (squares - even)))) : 0;
}

static PetscErrorCode look(const fare_sides *s, scatter *of, fare_noise *noise)
{
  const size_t stride = s->binning->all_seen + FARE_GROUP_EXTRA;
  double       error, errors, design;

  PetscFunctionBegin;
  for (int sums = 0; sums < 2; sums++) {
    show(s, noise->groups, s->samples->group, (PetscBool)sums, of);
    design = trace(of, &error) / expected_scatter(s, (PetscBool)sums, of->weight);
    if (design * (1 - SURE * error) > 1) noise->correlated = PETSC_TRUE;
  }
  if (!noise->correlated) PetscFunctionReturn(0);
  PetscCall(PetscMalloc1(noise->groups * stride, &noise->group));
  memcpy(noise->group, s->samples->group, noise->groups * stride * sizeof *noise->group);
  while (depend(s, noise->groups, noise->group, of)) {
    if (noise->groups / 2 < GROUPS_FEWEST) {
      noise->too_long = PETSC_TRUE;
      break;
    }
    join(stride, &noise->groups, noise->group);
  }
  show(s, noise->groups, noise->group, PETSC_FALSE, of);
  noise->design = PetscMax(1,
    trace(of, &error) * (1 + PetscMax(0, neighbours(of, &errors))) /
      expected_scatter(s, PETSC_FALSE, of->weight));
  noise->blend  = find_blend(of);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_noise_find(const fare_sides *s, fare_noise *noise)
{
  const size_t   groups = s->samples->groups;
  PetscErrorCode code;
  scatter        of;

  PetscFunctionBegin;
  *noise = (fare_noise){.design = 1, .groups = groups};
  PetscCall(PetscMalloc3(groups * s->pools, &of.x, groups * groups, &of.gram, s->pools, &of.weight));
  code = look(s, &of, noise);
  PetscCall(PetscFree3(of.x, of.gram, of.weight));
  PetscFunctionReturn(code);
}

PetscErrorCode fare_noise_free(fare_noise *noise)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(noise->group));
  PetscFunctionReturn(0);
}
