/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Fluctuations of a current in the stationary state: scaled cumulants, mean, effective diffusion, the variance
  over finite times, and the entropy production that they bound, 2 <J>^2/(t Var J) (Barato and Seifert, Phys.
  Rev. Lett. 114, 158101 (2015); Pietzonka, Ritort and Seifert, Phys. Rev. E 96, 012101 (2017)). Variances are
  differences of the mean of J under two small tilts, which the tilted generator gives without noise.
*/
#include "currents.h"

#include <math.h>
#include <string.h>

#define COUNTING_MAX 64
#define HORIZONS_MAX 32
#define TILT         0.02  /* of the inverse unit of the current */
#define TILT_WHILE   0.005 /* the same for finite times, which are not extrapolated */

static const char *const currents[] = {
  [FARE_OF_DISPLACEMENT] = "displacement",
  [FARE_OF_ENTROPY]      = "entropy",
  [FARE_OF_HEAT]         = "heat",
  [FARE_OF_WORK]         = "work",
  NULL,
};

typedef struct {
  int        current;
  fare_reals counting, horizons;
  char      *axis;
  double     tolerance;
  int        along; /* the axis */
} fluctuations;

#define AT(member) offsetof(fluctuations, member)
static const fare_field fields[] = {
  {"current", FARE_CHOICE, AT(current), NULL, 0, 0, currents, "",
    "what flows: displacement; entropy that the bath takes up; heat; work, which is entropy production times "
    "kT"},
  {"counting", FARE_REALS, AT(counting), "[]", -1e6, 1e6, NULL, "",
    "values q at which to give the scaled cumulant lim ln <exp(q A)>/t, at most 64"},
  {"horizons", FARE_REALS, AT(horizons), "[]", 1e-12, 1e12, NULL, "time",
    "times over which to give variance and bound, rising, at most 32"},
  {"axis", FARE_STRING, AT(axis), "", 0, 0, NULL, "", "of displacement; by default the first"},
  {"tolerance", FARE_REAL, AT(tolerance), "1e-8", 1e-12, 0.1, NULL, "",
    "estimated time-stepping error of ln <exp(q A)> over a horizon"},
  FARE_FIELDS_END,
};

static PetscErrorCode check(
  void *state, const fare_node *node, const fare_analysis_context *context, double time)
{
  fluctuations    *s       = state;
  const fare_node *current = fare_node_find(node, "current"), *horizons = fare_node_find(node, "horizons");
  const PetscBool  needs_kT =
    s->current == FARE_OF_HEAT || s->current == FARE_OF_WORK ? PETSC_TRUE : PETSC_FALSE;
  int axis;

  PetscFunctionBegin;
  if (fare_system_is_driven(context->system))
    FARE_REFUSE(node, "the system is driven, and has no stationary state; 'tilted' has period and duration");
  PetscCall(fare_axis_find(fare_node_find(node, "axis"), s->axis, context, &s->along));
  if (s->counting.count > COUNTING_MAX || s->horizons.count > HORIZONS_MAX)
    FARE_REFUSE(node, "expected at most %d values of counting and %d horizons", COUNTING_MAX, HORIZONS_MAX);
  for (size_t k = 1; k < s->horizons.count; k++) {
    if (!(s->horizons.values[k] > s->horizons.values[k - 1])) FARE_REFUSE(horizons, "horizons must rise");
  }
  if (s->current == FARE_OF_DISPLACEMENT && context->boundary[s->along] != FARE_BOUNDARY_PERIODIC)
    FARE_REFUSE(current, "axis %s has ends: nothing flows along it for long; take a periodic axis",
      fare_system_axis_name(context->system, s->along));
  if (needs_kT && !fare_system_has_potential(context->system))
    FARE_REFUSE(current, "the system has no temperature: take 'entropy', which is heat over kT");
  if (fare_axis_lacks_diffusion(context, time, &axis))
    FARE_REFUSE(node, "axis %s has no diffusion: entropy production is not defined by rates there",
      fare_system_axis_name(context->system, axis));
  PetscCall(fare_currents_check_ends(node, context));
  PetscFunctionReturn(0);
}

/* The unit in which the current is of order 1. */
static double unit_of(const fluctuations *s, const fare_grid *grid, const fare_system *system, double time)
{
  if (s->current == FARE_OF_DISPLACEMENT)
    return (grid->upper[s->along] - grid->lower[s->along]) / (2 * PETSC_PI);
  return s->current == FARE_OF_ENTROPY ? 1 : fare_system_kT(system, time);
}

typedef struct {
  const fluctuations *s;
  const fare_grid    *grid;
  const fare_system  *system;
  double              time;
  fare_observable     a;
} problem;

/* psi and psi' for all times. */
static PetscErrorCode at(const problem *p, double q, double *psi, double *slope, double *rounding)
{
  fare_tilted one;

  PetscFunctionBegin;
  PetscCall(fare_tilted_solve(p->grid, p->system, p->time, &p->a, q, &one));
  *psi      = one.psi;
  *slope    = one.slope;
  *rounding = one.rounding;
  PetscCall(VecDestroy(&one.right));
  PetscFunctionReturn(0);
}

/* psi' of paths from the stationary density over a horizon. */
static PetscErrorCode at_horizon(
  const problem *p, double q, double horizon, Vec begin, double *slope, double *change)
{
  const fare_tilted_span span = {p->time, p->time + horizon, p->s->tolerance, PETSC_FALSE, begin};
  fare_tilted            one;
  fare_driven            driven;

  PetscFunctionBegin;
  PetscCall(fare_tilted_solve_driven(p->grid, p->system, &span, &p->a, q, &one, &driven, change));
  *slope = one.slope;
  PetscCall(VecDestroy(&one.right));
  PetscFunctionReturn(0);
}

/* Mean, variance per time for all times, and the error of taking differences. */
static PetscErrorCode find_cumulants(
  const problem *p, double unit, double *mean, double *variance, double *error)
{
  double psi, rounding, slope[2], wide[2];

  PetscFunctionBegin;
  PetscCall(at(p, 0, &psi, mean, &rounding));
  for (int side = 0; side < 2; side++) {
    const double q = (side ? TILT : -TILT) / unit;

    PetscCall(at(p, q, &psi, &slope[side], &rounding));
    PetscCall(at(p, 2 * q, &psi, &wide[side], &rounding));
  }
  const double near = (slope[1] - slope[0]) * unit / (2 * TILT),
               far  = (wide[1] - wide[0]) * unit / (4 * TILT);

  *variance = near + (near - far) / 3;
  *error    = fabs(near - far) / 15 + rounding * unit / TILT;
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_counting(const problem *p, fare_findings *found)
{
  const size_t  count = p->s->counting.count;
  double        psi[COUNTING_MAX], slope, rounding[COUNTING_MAX];
  fare_finding *f;

  PetscFunctionBegin;
  if (!count) PetscFunctionReturn(0);
  for (size_t k = 0; k < count; k++)
    PetscCall(at(p, p->s->counting.values[k], &psi[k], &slope, &rounding[k]));
  fare_found_exact(found, "counting", "values of q", count, 1, p->s->counting.values);
  f = fare_found(found, "cumulant", "scaled cumulant, lim ln <exp(q A)>/t", count, psi);
  memcpy(f->least, rounding, count * sizeof *f->least);
  f->by_start = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode keep_horizons(const problem *p, double unit, double mean, fare_findings *found)
{
  const size_t  count = p->s->horizons.count;
  const double  q     = TILT_WHILE / unit;
  double        variance[HORIZONS_MAX], error[HORIZONS_MAX], bound[HORIZONS_MAX];
  fare_solved   solved;
  fare_finding *f;
  Vec           begin;

  PetscFunctionBegin;
  if (!count) PetscFunctionReturn(0);
  PetscCall(fare_stationary_solve(p->grid, p->system, p->time, &begin, &solved));
  for (size_t k = 0; k < count; k++) {
    double slope[2], change[2];

    for (int side = 0; side < 2; side++)
      PetscCall(at_horizon(p, side ? q : -q, p->s->horizons.values[k], begin, &slope[side], &change[side]));
    variance[k] = (slope[1] - slope[0]) / (2 * q);
    error[k]    = fabs(change[1] - change[0]) / (2 * q) + p->s->tolerance * unit * unit;
    bound[k]    = 2 * mean * mean / variance[k];
  }
  PetscCall(VecDestroy(&begin));
  fare_found_exact(
    found, "horizons", "times over which the current is summed", count, 1, p->s->horizons.values);
  f = fare_found(found, "variance", "of the current summed over a horizon, per time", count, variance);
  memcpy(f->least, error, count * sizeof *f->least);
  f->by_start = PETSC_TRUE;
  f           = fare_found(found, "bound", "2 <J>^2/(t Var J): less than the production", count, bound);
  for (size_t k = 0; k < count; k++) f->least[k] = bound[k] * error[k] / variance[k];
  f->by_start = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const fluctuations *s = state;
  const problem       p = {s, grid, system, time, {(fare_observable_kind)s->current, s->along, 1, NULL}};
  problem             entropy = p;
  const double        unit    = unit_of(s, grid, system, time);
  double              mean = 0, variance = 0, error = 0, psi, production, rounding;

  PetscFunctionBegin;
  (void)like;
  entropy.a.kind = FARE_OF_ENTROPY;
  PetscCall(keep_counting(&p, found));
  PetscCall(find_cumulants(&p, unit, &mean, &variance, &error));
  PetscCall(at(&entropy, 0, &psi, &production, &rounding));
  fare_found(found, "mean", "of the current, per time", 1, &mean);
  const double diffusion = 0.5 * variance, bound = 2 * mean * mean / variance;

  fare_found(found, "diffusion", "half the variance per time, for all times", 1, &diffusion)->least[0] =
    0.5 * error;
  fare_found(found, "long_bound", "2 <J>^2/(t Var J) for all times: less than the production", 1, &bound)
    ->least[0] = bound * error / variance;
  fare_found(found, "production", "rate of entropy production", 1, &production);
  PetscCall(keep_horizons(&p, unit, mean, found));
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_fluctuations = {
  .name      = "fluctuations",
  .summary   = "mean, diffusion and variances of a current, and the dissipation that they bound",
  .reference = "Pietzonka, Ritort and Seifert, Phys. Rev. E 96, 012101 (2017); tilted generator",
  .size      = sizeof(fluctuations),
  .fields    = fields,
  .check     = check,
  .run       = run,
};
