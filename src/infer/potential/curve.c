/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Bands and errors of a recovered potential. All that is said of it is a linear function of the parameters.
  Their covariance is that of the prior's posterior, (I + weight S)^-1: it holds what the prior may have
  pulled aside, so that bands cover on the average over places (Nychka, J. Am. Stat. Assoc. 83, 1134 (1988)).
*/
#include "bands.h"

#include <math.h>
#include <string.h>

static double apply(int n, const double row[], const double theta[])
{
  double sum = 0;

  for (int k = 0; k < n; k++) sum += row[k] * theta[k];
  return sum;
}

static double deviation(int n, const double row[], const double C[])
{
  double sum = 0;

  for (int j = 0; j < n; j++) sum += row[j] * apply(n, C + j * n, row);
  return sqrt(PetscMax(0, sum));
}

static void fill_rows(
  const fare_infer_context *c, const fare_fit *best, const double moved[], fare_inferred *to)
{
  const int n = c->count;

  for (int k = 0; k < n; k++) {
    const double *row   = c->frame->rows + k * n;
    const double  error = deviation(n, row, best->covariance);

    to->theta[k] = apply(n, row, best->theta);
    to->error[k] = best->held[k] && k < c->potential->first ? NAN : error;
    to->low[k]   = to->theta[k] - FARE_NORMAL_95 * to->error[k];
    to->high[k]  = to->theta[k] + FARE_NORMAL_95 * to->error[k];
    to->grid[k]  = fabs(apply(n, row, moved));
  }
}

/* Observations about each knot, and beyond all. */
static void look_for_data(const fare_infer_context *c, double observations, fare_infer_potential *to)
{
  const fare_frame            *f         = c->frame;
  const fare_potential_spline *spline    = fare_potential_spline_of(c->potential->system);
  const double                 first     = fare_potential_spline_knot(spline, 0),
               spacing                   = fare_potential_spline_knot(spline, 1) - first;
  double about[FARE_POTENTIAL_KNOTS_MAX] = {0};

  for (PetscInt i = 0; i < f->points; i++) {
    const double along = (f->x[i] - first) / spacing;
    const int    knot  = (int)lround(along);

    if (c->box.periodic[0])
      about[knot % to->knots] += f->density[i];
    else if (along < -1e-9 || along > to->knots - 1 + 1e-9)
      to->outside += f->density[i];
    else
      about[knot] += f->density[i];
  }
  for (int k = 0; k < to->knots; k++) to->unseen += about[k] * observations < 1;
}

static void fill_curve(const fare_infer_context *c, const fare_fit *best, double *curve)
{
  const fare_frame *f     = c->frame;
  const size_t      size  = (size_t)f->points;
  const int         n     = c->count;
  const double      width = (c->box.upper[0] - c->box.lower[0]) / (double)f->points;

  memcpy(curve + FARE_CURVE_X * size, f->x, size * sizeof *curve);
  memcpy(curve + FARE_CURVE_TRUE_POTENTIAL * size, f->potential, size * sizeof *curve);
  memcpy(curve + FARE_CURVE_TRUE_DRIFT * size, f->drift, size * sizeof *curve);
  for (size_t i = 0; i < size; i++) {
    const double *V = f->to_potential + i * (size_t)n, *drift = f->to_drift + i * (size_t)n;

    curve[FARE_CURVE_DENSITY * size + i]         = f->density[i] / width;
    curve[FARE_CURVE_POTENTIAL * size + i]       = apply(n, V, best->theta);
    curve[FARE_CURVE_POTENTIAL_ERROR * size + i] = deviation(n, V, best->covariance);
    curve[FARE_CURVE_DRIFT * size + i]           = apply(n, drift, best->theta);
    curve[FARE_CURVE_DRIFT_ERROR * size + i]     = deviation(n, drift, best->covariance);
  }
}

/* Share of the density where a band holds the truth; NaN: not known. */
static double covered(const fare_frame *f, const double curve[], int estimate, int truth)
{
  const size_t size = (size_t)f->points;
  double       sum  = 0;

  for (size_t i = 0; i < size; i++) {
    const double off = fabs(curve[(size_t)estimate * size + i] - curve[(size_t)truth * size + i]);

    if (isnan(off)) return NAN;
    if (off <= FARE_NORMAL_95 * curve[(size_t)(estimate + 1) * size + i]) sum += f->density[i];
  }
  return sum;
}

/* sum_i density_i drift_i^2 of what moves by these parameters. */
static double squared(const fare_infer_context *c, const double by[])
{
  const fare_frame *f   = c->frame;
  double            sum = 0;

  for (PetscInt i = 0; i < f->points; i++)
    sum += f->density[i] * PetscSqr(apply(c->count, f->to_drift + i * c->count, by));
  return sum;
}

/*
  Errors of the drift, relative to the true one, or where that is not known to the estimate. With G the
  quadratic form of the squared error, C the covariance: its mean is tr G C, its variance 2 tr (G C)^2.
*/
static void judge_drift(
  const fare_infer_context *c, const fare_fit *best, const double moved[], fare_infer_potential *to)
{
  const fare_frame *f                       = c->frame;
  const int         n                       = c->count;
  const size_t      size                    = (size_t)f->points;
  double G[FARE_INFER_MAX * FARE_INFER_MAX] = {0}, GC[FARE_INFER_MAX * FARE_INFER_MAX], off = 0, mean = 0,
                            variance = 0, unit = f->known ? f->rms : sqrt(squared(c, best->theta));

  if (!(unit > 0)) unit = NAN; /* without a drift there is no relative error */
  for (size_t i = 0; i < size; i++) {
    const double *row = f->to_drift + i * (size_t)n;

    for (int j = 0; j < n; j++)
      for (int k = 0; k < n; k++) G[j * n + k] += f->density[i] * row[j] * row[k];
    off += f->density[i] * PetscSqr(to->curve[FARE_CURVE_DRIFT * size + i] - f->drift[i]);
  }
  for (int j = 0; j < n; j++) {
    for (int k = 0; k < n; k++) {
      GC[j * n + k] = 0;
      for (int i = 0; i < n; i++) GC[j * n + k] += G[j * n + i] * best->covariance[i * n + k];
    }
    mean += GC[j * n + j];
  }
  for (int j = 0; j < n; j++)
    for (int k = 0; k < n; k++) variance += 2 * GC[j * n + k] * GC[k * n + j];
  to->drift_error    = sqrt(off) / unit;
  to->alone          = f->alone;
  to->expected       = sqrt(mean / PetscSqr(unit) + (f->known ? PetscSqr(f->alone) : 0));
  to->drift_error_sd = 0.5 * sqrt(variance) / PetscSqr(unit) / to->expected;
  to->grid           = sqrt(squared(c, moved)) / unit;
}

PetscErrorCode fare_potential_finish(const fare_infer_context *c, const fare_fit *found, double weight,
  const double moved_by[], fare_inferred *to)
{
  const fare_potential *p     = c->potential;
  fare_fit              value = *found, *best = &value;
  double                moved[FARE_INFER_MAX];
  fare_infer_potential *r;

  PetscFunctionBegin;
  memcpy(moved, moved_by, (size_t)c->count * sizeof *moved);
  fare_potential_move(p, c->count, found->theta, moved);
  fare_potential_values(p, c->count, found->theta, value.theta);
  fare_potential_push_forward(p, c->count, found->theta, value.covariance);
  fill_rows(c, best, moved, to);
  to->log_likelihood = best->value;
  fare_potential_penalise(p, c->count, -weight, found->theta, &to->log_likelihood, NULL, NULL);
  PetscCall(PetscNew(&to->potential));
  r             = to->potential;
  r->knots      = p->knots;
  r->smoothness = weight;
  r->chosen     = p->smoothness < 0 ? 1 : 0;
  r->points     = (size_t)c->frame->points;
  PetscCall(PetscMalloc1(FARE_CURVE_COLUMNS * r->points, &r->curve));
  fill_curve(c, best, r->curve);
  judge_drift(c, best, moved, r);
  look_for_data(c, (double)to->pairs, r);
  r->covered_potential = covered(c->frame, r->curve, FARE_CURVE_POTENTIAL, FARE_CURVE_TRUE_POTENTIAL);
  r->covered_drift     = covered(c->frame, r->curve, FARE_CURVE_DRIFT, FARE_CURVE_TRUE_DRIFT);
  /* tr C I = parameters - weight tr C S */
  r->effective = p->knots - 1;
  for (int j = 0; j < p->knots; j++)
    for (int k = 0; k < p->knots; k++)
      r->effective -=
        weight * p->roughness[j * p->knots + k] * found->covariance[(p->first + j) * c->count + p->first + k];
  PetscFunctionReturn(0);
}
