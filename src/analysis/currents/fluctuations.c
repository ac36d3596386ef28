/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Fluctuations of a current in the stationary state: scaled cumulants, mean, effective diffusion, the variance
  over finite times, and the entropy production that they bound, 2 <J>^2/(t Var J) (Barato and Seifert, Phys.
  Rev. Lett. 114, 158101 (2015); Pietzonka, Ritort and Seifert, Phys. Rev. E 96, 012101 (2017)). Scaled
  cumulants are eigenvalues of the tilted generator; mean and variances need no tilt: see cumulants.c.
*/
#include "currents.h"

#include <math.h>
#include <string.h>

#define COUNTING_MAX 64
#define HORIZONS_MAX 32

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
    "estimated time-stepping error of a variance, relative"},
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
    if (!(s->horizons.values[k] > s->horizons.values[k - 1])) FARE_REFUSE(horizons, "horizons must increase");
  }
  if (s->current == FARE_OF_DISPLACEMENT && context->boundary[s->along] != FARE_BOUNDARY_PERIODIC)
    FARE_REFUSE(current, "axis %s is not periodic, so its long-time current is 0: take a periodic axis",
      fare_system_axis_name(context->system, s->along));
  if (needs_kT && !fare_system_has_potential(context->system))
    FARE_REFUSE(current, "the system has no temperature: take 'entropy', which is heat over kT");
  if (fare_axis_lacks_diffusion(context, time, &axis))
    FARE_REFUSE(node, "axis %s has no diffusion: entropy production is not defined by rates there",
      fare_system_axis_name(context->system, axis));
  PetscCall(fare_currents_check_ends(node, context));
  PetscFunctionReturn(0);
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
  PetscCall(fare_stop_check(p->grid->comm, "the analysis fluctuations"));
  PetscCall(fare_tilted_solve(p->grid, p->system, p->time, &p->a, q, &one));
  *psi      = one.psi;
  *slope    = one.slope;
  *rounding = one.rounding;
  PetscCall(VecDestroy(&one.right));
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

static void keep_bound(const char *name, const char *meaning, size_t count, const fare_cumulants *c,
  const double variance[], const double error[], fare_findings *found)
{
  double        bound[HORIZONS_MAX];
  fare_finding *f;

  for (size_t k = 0; k < count; k++) bound[k] = 2 * c->mean * c->mean / variance[k];
  f = fare_found(found, name, meaning, count, bound);
  for (size_t k = 0; k < count; k++)
    f->least[k] = bound[k] * error[k] / variance[k] + 4 * fabs(c->mean) * c->mean_error / variance[k];
  f->by_start = variance != &c->variance ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode run(const void *state, const fare_grid *grid, const fare_system *system, double time,
  const fare_findings *like, fare_findings *found)
{
  const fluctuations   *s = state;
  const problem         p = {s, grid, system, time, {(fare_observable_kind)s->current, s->along, 1, NULL}};
  const fare_observable entropy = {FARE_OF_ENTROPY, s->along, 1, NULL};
  const size_t          count   = s->horizons.count;
  double                variance[HORIZONS_MAX], error[HORIZONS_MAX];
  fare_cumulants        c, all;

  PetscFunctionBegin;
  (void)like;
  PetscCall(keep_counting(&p, found));
  PetscCall(fare_current_cumulants(
    grid, system, time, &p.a, (int)count, s->horizons.values, s->tolerance, &c, variance, error));
  PetscCall(fare_current_cumulants(grid, system, time, &entropy, 0, NULL, s->tolerance, &all, NULL, NULL));
  const double diffusion = 0.5 * c.variance;

  fare_found(found, "mean", "of the current, per time", 1, &c.mean)->least[0] = c.mean_error;
  fare_found(found, "diffusion", "half the variance per time, for all times", 1, &diffusion)->least[0] =
    0.5 * c.error;
  keep_bound("long_bound", "2 <J>^2/(t Var J) for all times: less than the production", 1, &c, &c.variance,
    &c.error, found);
  fare_found(found, "production", "rate of entropy production", 1, &all.mean)->least[0] = all.mean_error;
  if (!count) PetscFunctionReturn(0);
  fare_found_exact(found, "horizons", "times over which the current is summed", count, 1, s->horizons.values);
  fare_finding *f =
    fare_found(found, "variance", "of the current summed over a horizon, per time", count, variance);
  memcpy(f->least, error, count * sizeof *f->least);
  f->by_start = PETSC_TRUE;
  keep_bound("bound", "2 <J>^2/(t Var J): less than the production", count, &c, variance, error, found);
  PetscFunctionReturn(0);
}

const fare_analysis_type fare_analysis_fluctuations = {
  .name      = "fluctuations",
  .summary   = "mean, diffusion and variances of a current, and the bounds on dissipation that they give",
  .reference = "Pietzonka, Ritort and Seifert, Phys. Rev. E 96, 012101 (2017); tilted generator",
  .size      = sizeof(fluctuations),
  .fields    = fields,
  .check     = check,
  .run       = run,
};
