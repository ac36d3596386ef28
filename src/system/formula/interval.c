/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Bounds of a tree's nodes where its axis 0 is anywhere in an interval (interval arithmetic: Moore, "Interval
  Analysis", 1966). They may be wider than need be, never narrower but for rounding; what is outside the
  domain of a root or a power is left out.
*/
#include "interval.h"

#include <math.h>

static const fare_range everything = {-HUGE_VAL, HUGE_VAL};

static fare_range ordered(double a, double b)
{
  if (isnan(a) || isnan(b)) return everything;
  return a < b ? (fare_range){a, b} : (fare_range){b, a};
}

static fare_range hull(int n, const double v[])
{
  fare_range all = {HUGE_VAL, -HUGE_VAL};

  for (int i = 0; i < n; i++) {
    if (isnan(v[i])) return everything;
    all.lower = PetscMin(all.lower, v[i]);
    all.upper = PetscMax(all.upper, v[i]);
  }
  return all;
}

static double product(double a, double b)
{
  return a == 0 || b == 0 ? 0 : a * b;
}

static fare_range multiply(fare_range a, fare_range b)
{
  return hull(4,
    (const double[]){product(a.lower, b.lower), product(a.lower, b.upper), product(a.upper, b.lower),
      product(a.upper, b.upper)});
}

static fare_range reciprocal(fare_range a)
{
  return a.lower > 0 || a.upper < 0 ? (fare_range){1 / a.upper, 1 / a.lower} : everything;
}

static fare_range size_of(fare_range a)
{
  const fare_range ends = ordered(fabs(a.lower), fabs(a.upper));

  return a.lower <= 0 && a.upper >= 0 ? (fare_range){0, ends.upper} : ends;
}

static fare_range whole_power(fare_range a, double n)
{
  const fare_range base = fmod(n, 2) == 0 ? size_of(a) : a;

  if (n < 0) return reciprocal(whole_power(a, -n));
  return ordered(pow(base.lower, n), pow(base.upper, n));
}

static fare_range power(fare_range a, fare_range b)
{
  if (b.lower == b.upper && b.lower == floor(b.lower)) return whole_power(a, b.lower);
  if (!(a.upper >= 0)) return everything;
  a.lower = PetscMax(a.lower, 0);
  return hull(4,
    (const double[]){
      pow(a.lower, b.lower), pow(a.lower, b.upper), pow(a.upper, b.lower), pow(a.upper, b.upper)});
}

/* Whether first + n period is in the interval for a whole n. */
static PetscBool meets(fare_range a, double first, double period)
{
  return floor((a.upper - first) / period) >= ceil((a.lower - first) / period) ? PETSC_TRUE : PETSC_FALSE;
}

/* Of sin, with its crest at `crest`. */
static fare_range wave(fare_range a, double crest, double (*of)(double))
{
  fare_range is;

  if (!(a.upper - a.lower < 2 * M_PI)) return (fare_range){-1, 1};
  is = ordered(of(a.lower), of(a.upper));
  if (meets(a, crest, 2 * M_PI)) is.upper = 1;
  if (meets(a, crest + M_PI, 2 * M_PI)) is.lower = -1;
  return is;
}

static fare_range function(fare_tree_kind kind, fare_range a)
{
  double (*const of)(double) = fare_tree_notations[kind].value;

  switch (kind) {
  case FARE_X_SIN:
    return wave(a, M_PI / 2, sin);
  case FARE_X_COS:
    return wave(a, 0, cos);
  case FARE_X_TAN:
    return meets(a, M_PI / 2, M_PI) ? everything : ordered(tan(a.lower), tan(a.upper));
  case FARE_X_COSH:
    a = size_of(a);
    return ordered(cosh(a.lower), cosh(a.upper));
  case FARE_X_ABS:
    return size_of(a);
  case FARE_X_LOG:
  case FARE_X_SQRT:
    return a.upper >= 0 ? ordered(of(PetscMax(a.lower, 0)), of(a.upper)) : everything;
  case FARE_X_SIGN:
    return (fare_range){(a.lower > 0) - (a.lower < 0), (a.upper > 0) - (a.upper < 0)};
  case FARE_X_STEP:
    return (fare_range){a.lower >= 0, a.upper >= 0};
  default: /* they rise throughout */
    return ordered(of(a.lower), of(a.upper));
  }
}

static fare_range combine(const fare_tree_node *n, fare_range a, fare_range b)
{
  switch (n->kind) {
  case FARE_X_MINUS:
    return (fare_range){-a.upper, -a.lower};
  case FARE_X_ADD:
    return ordered(a.lower + b.lower, a.upper + b.upper);
  case FARE_X_SUBTRACT:
    return ordered(a.lower - b.upper, a.upper - b.lower);
  case FARE_X_MULTIPLY:
    return n->a == n->b ? whole_power(a, 2) : multiply(a, b);
  case FARE_X_DIVIDE:
    return multiply(a, reciprocal(b));
  case FARE_X_POWER:
    return power(a, b);
  case FARE_X_MIN:
    return (fare_range){PetscMin(a.lower, b.lower), PetscMin(a.upper, b.upper)};
  case FARE_X_MAX:
    return (fare_range){PetscMax(a.lower, b.lower), PetscMax(a.upper, b.upper)};
  default:
    return function(n->kind, a);
  }
}

void fare_ranges_of(const fare_tree *tree, int last, fare_range axis, fare_range at[])
{
  for (int i = 0; i <= last; i++) {
    const fare_tree_node *n = &tree->node[i];

    if (n->kind == FARE_X_NUMBER)
      at[i] = (fare_range){n->value, n->value};
    else if (n->kind == FARE_X_AXIS)
      at[i] = axis;
    else
      at[i] = combine(n, at[n->a], at[n->b]);
  }
}
