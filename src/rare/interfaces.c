/* SPDX-License-Identifier: BSD-2-Clause */
/*
  What forward flux should find at each interface, on one axis: there a path crosses at one place, so that the
  chance to go on is a ratio of integrals of the scale function, int exp(-int f/D) (Gardiner, Handbook of
  Stochastic Methods, chapter 5). A chain is seen beyond what it crosses, by 0.5826 sqrt(2 D dt) on average
  (Broadie, Glasserman and Kou, Math. Finance 7, 325 (1997)): that predicts its chances.
*/
#include "rare.h"

#include <math.h>

#define SHIFT  0.5826
#define POINTS 40001
#define HALVES 60 /* of an interval that holds an interface */

/* All along y, which is x or -x, so that b lies above. */
typedef struct {
  const fare_rare_context *c;
  double                   sign, a, b, low, step;
  double                  *sum; /* integral of the scale function from `low` on, up to a factor */
} axis;

static void look(const axis *p, double y, double *f, double *D)
{
  const double x = p->sign * y, *at[1] = {&x};

  fare_system_drift(p->c->system, p->c->event->time, 1, at, &f);
  fare_system_diffusion(p->c->system, p->c->event->time, 1, at, &D);
  *f *= p->sign;
}

/* How far beyond a place a path is seen that crosses it. */
static double beyond(const axis *p, double y)
{
  double f, D;

  look(p, y, &f, &D);
  return SHIFT * sqrt(2 * D * p->c->dt);
}

/* The faces of a and b next to the start; false where a does not lie behind it, or between. */
static PetscBool find_faces(axis *p)
{
  const fare_event *event = p->c->event;
  const double      start = event->start[0];

  p->a    = -HUGE_VAL;
  p->b    = HUGE_VAL;
  p->sign = event->b.boxes && event->b.lower[0] > start ? 1 : -1;
  for (size_t box = 0; box < event->b.boxes; box++) {
    const double near = p->sign > 0 ? event->b.lower[box] : -event->b.upper[box];

    if (near > p->sign * start) p->b = PetscMin(p->b, near);
  }
  for (size_t box = 0; box < event->a.boxes; box++) {
    const double near = p->sign > 0 ? event->a.upper[box] : -event->a.lower[box];

    if (near <= p->sign * start)
      p->a = PetscMax(p->a, near);
    else if ((p->sign > 0 ? event->a.lower[box] : -event->a.upper[box]) < p->b)
      return PETSC_FALSE;
  }
  return isfinite(p->a) && isfinite(p->b) ? PETSC_TRUE : PETSC_FALSE;
}

static PetscErrorCode integrate(axis *p, double high)
{
  double *log_scale, most = -HUGE_VAL, slope = 0;

  PetscFunctionBegin;
  p->step = (high - p->low) / (POINTS - 1);
  PetscCall(PetscMalloc1(POINTS, &p->sum));
  PetscCall(PetscMalloc1(POINTS, &log_scale));
  for (int i = 0; i < POINTS; i++) {
    double f, D;

    look(p, p->low + i * p->step, &f, &D);
    log_scale[i] = i ? log_scale[i - 1] - 0.5 * p->step * (slope + f / D) : 0;
    slope        = f / D;
    most         = PetscMax(most, log_scale[i]);
  }
  p->sum[0] = 0;
  for (int i = 1; i < POINTS; i++)
    p->sum[i] = p->sum[i - 1] + exp(log_scale[i - 1] - most) + exp(log_scale[i] - most);
  PetscCall(PetscFree(log_scale));
  PetscFunctionReturn(0);
}

static double sum_to(const axis *p, double y)
{
  const double at = PetscMax(0, PetscMin(POINTS - 1, (y - p->low) / p->step));
  const int    i  = PetscMin(POINTS - 2, (int)at);

  return p->sum[i] + (at - i) * (p->sum[i + 1] - p->sum[i]);
}

/* From one place to the next before a. */
static double chance(const axis *p, double from, double to, double a)
{
  const double zero = sum_to(p, a);

  return (sum_to(p, from) - zero) / (sum_to(p, to) - zero);
}

/* Where the score has a value, between the start and b. */
static double place_of(const axis *p, const fare_score *score, double value)
{
  double low = p->sign * p->c->event->start[0], high = p->b;

  for (int k = 0; k < HALVES; k++) {
    const double middle = 0.5 * (low + high), x = p->sign * middle;

    if (fare_score_at(score, p->c->event->time, &x) < value)
      low = middle;
    else
      high = middle;
  }
  return high;
}

PetscErrorCode fare_interfaces_solve(
  const fare_rare_context *context, const fare_score *score, size_t count, fare_interface interface[])
{
  const PetscBool steps = context->setting.chain.crossing == FARE_CROSSING_STEP ? PETSC_TRUE : PETSC_FALSE;
  const double    from  = fare_score_at(score, context->event->time, context->event->start),
               width    = (fare_score_of_b(score, context->event) - from) / (double)(count - 1);
  axis   p              = {.c = context};
  double last, a;

  PetscFunctionBegin;
  for (size_t k = 0; k < count; k++)
    interface[k] = (fare_interface){.score = from + width * (double)k, .chain = NAN, .continuum = NAN};
  if (context->grid->dim != 1 || context->grid->boundary[0] == FARE_BOUNDARY_PERIODIC || !find_faces(&p))
    PetscFunctionReturn(0);
  a     = steps ? p.a - beyond(&p, p.a) : p.a;
  p.low = a;
  PetscCall(integrate(&p, p.b + beyond(&p, p.b)));
  last = p.sign * context->event->start[0];
  for (size_t k = 1; k < count; k++) {
    const PetscBool is_b = k + 1 == count ? PETSC_TRUE : PETSC_FALSE;
    const double    next = is_b ? p.b : place_of(&p, score, interface[k].score);

    interface[k].continuum = chance(&p, last, next, p.a);
    interface[k].chain =
      chance(&p, last + beyond(&p, last), next + (is_b && !steps ? 0 : beyond(&p, next)), a);
    last = next;
  }
  PetscCall(PetscFree(p.sum));
  PetscFunctionReturn(0);
}
