/* SPDX-License-Identifier: BSD-2-Clause */
/* Scoring: the maximum of a likelihood by Newton steps with Fisher's information, and its profile. */
#include "infer.h"

#include <petscblaslapack.h>

#include <math.h>
#include <string.h>

#define ROUNDS   100
#define HALVINGS 30
#define PATIENCE 8   /* rounds before steps are stretched ... */
#define SHORTER  0.1 /* ... by these factors at most */
#define LONGER   10.0
#define SINGULAR 1e-10             /* of eigenvalues, when the diagonal is 1 */
#define DROP     3.841458820694124 /* twice the logarithm at the ends of a 95% interval */
#define NEAR     1e-9              /* of a first guess: so near to 0, a step may go there at once */
#define FAR      64.0              /* standard errors to which an interval is followed */
#define HIGHER   1e-3              /* of a profile above the estimate: more than rounding */

/* Names the direction that makes no difference. */
static PetscErrorCode complain(
  int n, const int of[], const char *const name[], const double scale[], const double v[])
{
  fare_text      text = {0};
  double         most = 0;
  PetscErrorCode code;

  for (int i = 0; i < n; i++) most = PetscMax(most, fabs(v[i] * scale[i]));
  for (int i = 0; i < n; i++) {
    if (fabs(v[i] * scale[i]) > 1e-3 * most)
      fare_text_add(&text, "%s%.3g %s", text.text ? " + " : "", v[i] * scale[i] / most, name[of[i]]);
  }
  code = fare_error(
    FARE_ERR_FAILED, "the data do not determine the direction %s: leave out a parameter", text.text);
  fare_text_free(&text);
  return code;
}

PetscErrorCode fare_fit_solve(int count, const char *const name[], const PetscBool fixed[], const double A[],
  const double b[], double x[], double inverse[])
{
  double C[FARE_INFER_MAX * FARE_INFER_MAX], w[FARE_INFER_MAX], work[16 * FARE_INFER_MAX],
    scale[FARE_INFER_MAX];
  int          of[FARE_INFER_MAX], free = 0;
  PetscBLASInt n, room                  = PETSC_STATIC_ARRAY_LENGTH(work), info;

  PetscFunctionBegin;
  for (int i = 0; i < count; i++) {
    x[i] = 0;
    if (!fixed || !fixed[i]) of[free++] = i;
  }
  if (inverse) memset(inverse, 0, (size_t)(count * count) * sizeof *inverse);
  if (!free) PetscFunctionReturn(0);
  for (int i = 0; i < free; i++) {
    scale[i] = 1 / sqrt(A[of[i] * count + of[i]]);
    if (!isfinite(scale[i]))
      FARE_FAIL(FARE_ERR_FAILED, "the data do not determine %s: leave it out", name[of[i]]);
  }
  for (int i = 0; i < free; i++)
    for (int j = 0; j < free; j++) C[i * free + j] = A[of[i] * count + of[j]] * scale[i] * scale[j];
  n = free;
  PetscCallBLAS("LAPACKsyev", LAPACKsyev_("V", "U", &n, C, &n, w, work, &room, &info));
  if (info) FARE_FAIL(FARE_ERR_FAILED, "the information matrix has no eigenvalues (LAPACK: %d)", (int)info);
  if (!(w[0] > SINGULAR)) PetscFunctionReturn(complain(free, of, name, scale, C));
  for (int i = 0; i < free; i++) {
    for (int j = 0; j < free; j++) {
      double sum = 0;

      for (int k = 0; k < free; k++) sum += C[k * free + i] * C[k * free + j] / w[k];
      sum *= scale[i] * scale[j];
      x[of[i]] += sum * b[of[j]];
      if (inverse) inverse[of[i] * count + of[j]] = sum;
    }
  }
  PetscFunctionReturn(0);
}

/*
  How much of a step is taken: it stays in the ranges, and changes no parameter that is positive more than
  twofold, unless it has come near 0.
*/
static double room_for(
  const fare_fit_problem *p, const double begin[], const double theta[], const double step[])
{
  double part = 1;

  for (int k = 0; k < p->count; k++) {
    double low = p->least[k], high = p->most[k];

    if (low >= 0 && theta[k] > NEAR * begin[k]) {
      low  = PetscMax(low, 0.5 * theta[k]);
      high = PetscMin(high, 2 * theta[k]);
    }
    if (step[k] < 0) part = PetscMin(part, (low - theta[k]) / step[k]);
    if (step[k] > 0) part = PetscMin(part, (high - theta[k]) / step[k]);
  }
  return part;
}

static void hold_at_ends(
  const fare_fit_problem *p, const fare_fit *fit, const PetscBool fixed[], PetscBool held[])
{
  for (int k = 0; k < p->count; k++) {
    held[k] = fixed && fixed[k] ? PETSC_TRUE : PETSC_FALSE;
    if (fit->theta[k] <= p->least[k] && fit->score[k] <= 0) held[k] = PETSC_TRUE;
    if (fit->theta[k] >= p->most[k] && fit->score[k] >= 0) held[k] = PETSC_TRUE;
  }
}

/* On every rank with the parameters and the results of rank 0, so that they take the same way to the last
 * bit. */
static PetscErrorCode evaluate(const fare_fit_problem *p, fare_fit *fit)
{
  const int n = p->count;

  PetscFunctionBegin;
  PetscCall(fare_stop_check(p->comm, "the search for the maximum of the likelihood"));
  PetscCallMPI(MPI_Bcast(fit->theta, n, MPI_DOUBLE, 0, p->comm));
  PetscCall(p->evaluate(p->to, fit->theta, &fit->value, fit->score, fit->information));
  PetscCallMPI(MPI_Bcast(&fit->value, 1, MPI_DOUBLE, 0, p->comm));
  PetscCallMPI(MPI_Bcast(fit->score, n, MPI_DOUBLE, 0, p->comm));
  PetscCallMPI(MPI_Bcast(fit->information, n * n, MPI_DOUBLE, 0, p->comm));
  PetscFunctionReturn(0);
}

/* A step of Newton's, that of rank 0. */
static PetscErrorCode take_step(
  const fare_fit_problem *p, const char *const name[], fare_fit *fit, double step[])
{
  PetscFunctionBegin;
  PetscCall(fare_error_agree(
    p->comm, fare_fit_solve(p->count, name, fit->held, fit->information, fit->score, step, fit->covariance)));
  PetscCallMPI(MPI_Bcast(step, p->count, MPI_DOUBLE, 0, p->comm));
  PetscCallMPI(MPI_Bcast(fit->covariance, p->count * p->count, MPI_DOUBLE, 0, p->comm));
  PetscFunctionReturn(0);
}

/* Tries shorter and shorter steps until the value rises; *rose tells whether it did. */
static PetscErrorCode climb(
  const fare_fit_problem *p, const double step[], double part, fare_fit *fit, PetscBool *rose)
{
  fare_fit trial = *fit;

  PetscFunctionBegin;
  *rose = PETSC_FALSE;
  for (int i = 0; i < HALVINGS && !*rose; i++, part *= 0.5) {
    for (int k = 0; k < p->count; k++)
      trial.theta[k] = PetscMin(p->most[k], PetscMax(p->least[k], fit->theta[k] + part * step[k]));
    PetscCall(evaluate(p, &trial));
    if (isfinite(trial.value) && trial.value > fit->value) *rose = PETSC_TRUE;
  }
  if (*rose) *fit = trial;
  PetscFunctionReturn(0);
}

/*
  By what the next step is to be longer, where the last one showed that the curvature along it is not what the
  information says: with few data, or a model that does not hold, steps would go too far for ever, or crawl.
*/
static double stretch_of(int n, const fare_fit *from, const fare_fit *to)
{
  double expected = 0, observed = 0;

  for (int k = 0; k < n; k++) {
    const double moved = to->theta[k] - from->theta[k];

    observed += moved * (from->score[k] - to->score[k]);
    for (int j = 0; j < n; j++)
      expected += moved * from->information[k * n + j] * (to->theta[j] - from->theta[j]);
  }
  return PetscMax(SHORTER, expected < LONGER * observed ? expected / observed : LONGER);
}

PetscErrorCode fare_fit_maximise(const fare_fit_problem *p, const char *const name[], const PetscBool fixed[],
  double tolerance, fare_fit *fit)
{
  double    step[FARE_INFER_MAX], begin[FARE_INFER_MAX], stretch = 1;
  PetscBool rose = PETSC_TRUE;

  PetscFunctionBegin;
  memcpy(begin, fit->theta, sizeof begin);
  PetscCall(evaluate(p, fit));
  if (!isfinite(fit->value))
    FARE_FAIL(FARE_ERR_FAILED, "the likelihood is not a number at the first guess: start elsewhere");
  for (int round = 0; round < ROUNDS && rose; round++) {
    const fare_fit before = *fit;
    double         gain   = 0, room;

    hold_at_ends(p, fit, fixed, fit->held);
    PetscCall(take_step(p, name, fit, step));
    for (int k = 0; k < p->count; k++) gain += fit->score[k] * step[k];
    if (gain < tolerance) PetscFunctionReturn(0);
    for (int k = 0; k < p->count; k++) step[k] *= stretch;
    room = room_for(p, begin, fit->theta, step);
    PetscCall(climb(p, step, room, fit, &rose));
    /* where rounding lets it rise no more, all is gained */
    if (!rose && gain < 1e-9 * fabs(fit->value) + 1e-6) PetscFunctionReturn(0);
    stretch = rose && room == 1 && round >= PATIENCE ? stretch_of(p->count, &before, fit) : 1;
  }
  FARE_FAIL(
    FARE_ERR_FAILED, "the search for the maximum of the likelihood did not converge: start elsewhere");
}

static void add_point(fare_profile *profile, double value, double change)
{
  int i = profile->count;

  if (i == FARE_PROFILE_POINTS) return;
  for (; i > 0 && profile->value[i - 1] > value; i--) {
    profile->value[i]  = profile->value[i - 1];
    profile->change[i] = profile->change[i - 1];
  }
  profile->value[i]  = value;
  profile->change[i] = change;
  profile->count++;
}

/* The root of what is lost at a value of parameter k, others at their best: nearly linear. */
static PetscErrorCode loss_at(const fare_fit_problem *p, const char *const name[], const fare_fit *best,
  int k, double value, fare_fit *at, fare_profile *profile, double *loss)
{
  PetscBool fixed[FARE_INFER_MAX] = {PETSC_FALSE};
  double    rise;

  PetscFunctionBegin;
  fixed[k]     = PETSC_TRUE;
  at->theta[k] = value;
  PetscCall(fare_fit_maximise(p, name, fixed, 1e-4, at));
  rise  = at->value - best->value;
  *loss = sqrt(2 * PetscMax(0, -rise));
  add_point(profile, value, rise > HIGHER ? rise : PetscMin(0, rise));
  PetscFunctionReturn(0);
}

/* One end of the interval, by steps that become secants. */
static PetscErrorCode find_end(const fare_fit_problem *p, const char *const name[], const fare_fit *best,
  int k, int sign, fare_profile *profile, double *end)
{
  const double aim = sqrt(DROP), centre = best->theta[k], edge = sign < 0 ? p->least[k] : p->most[k],
               error = best->held[k] ? 1 / sqrt(best->information[k * p->count + k])
                                     : sqrt(best->covariance[k * p->count + k]);
  double   inside = centre, lost = 0, outside = NAN, beyond = NAN, value = centre + sign * aim * error;
  fare_fit at = *best;

  PetscFunctionBegin;
  *end = sign < 0 ? -HUGE_VAL : HUGE_VAL;
  for (int round = 0; round < ROUNDS; round++) {
    double loss = 0;

    if (sign * (value - edge) >= 0) value = edge;
    PetscCall(loss_at(p, name, best, k, value, &at, profile, &loss));
    if (fabs(loss - aim) < 1e-3) {
      *end = value;
      break;
    }
    if (loss > aim) {
      outside = value;
      beyond  = loss;
    } else {
      inside = value;
      lost   = loss;
      if (value == edge || sign * (value - centre) > FAR * error) break; /* it has no end */
    }
    if (isnan(outside)) {
      value = centre + (value - centre) * PetscMin(2, PetscMax(1.1, aim / PetscMax(loss, 0.1 * aim)));
    } else {
      value = inside + (outside - inside) * PetscMin(0.9, PetscMax(0.1, (aim - lost) / (beyond - lost)));
    }
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_fit_profile(const fare_fit_problem *p, const char *const name[], const fare_fit *best,
  int k, double *low, double *high, fare_profile *profile)
{
  double *const ends[] = {low, high};

  PetscFunctionBegin;
  *profile = (fare_profile){0};
  add_point(profile, best->theta[k], 0);
  for (int side = 0; side < 2; side++) {
    const double edge = side ? p->most[k] : p->least[k];
    fare_fit     at   = *best;
    double       loss;

    PetscCall(find_end(p, name, best, k, side ? 1 : -1, profile, ends[side]));
    if (isfinite(*ends[side]) && best->theta[k] != edge) /* a point between, for its shape */
      PetscCall(loss_at(p, name, best, k, 0.5 * (best->theta[k] + *ends[side]), &at, profile, &loss));
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_fit_intervals(const fare_fit_problem *p, const char *const name[], const fare_fit *best,
  PetscBool profile, fare_inferred *to)
{
  PetscFunctionBegin;
  for (int k = 0; k < p->count; k++) {
    const double centre = best->theta[k], error = sqrt(best->covariance[k * p->count + k]);

    to->theta[k] = centre;
    to->error[k] = best->held[k] ? NAN : error;
    to->low[k]   = PetscMax(p->least[k], centre - FARE_NORMAL_95 * error);
    to->high[k]  = PetscMin(p->most[k], centre + FARE_NORMAL_95 * error);
    if (profile || best->held[k])
      PetscCall(fare_fit_profile(p, name, best, k, &to->low[k], &to->high[k], &to->profile[k]));
    if (best->held[k] && centre <= p->least[k]) to->low[k] = centre;
    if (best->held[k] && centre >= p->most[k]) to->high[k] = centre;
  }
  to->log_likelihood = best->value;
  PetscFunctionReturn(0);
}
