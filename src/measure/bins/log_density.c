/* SPDX-License-Identifier: BSD-2-Clause */
/*
  ln of a density at points, from its averages over bins: means are turned into values at the middles, and
  those are joined by cubics, but not through bins that are empty.
*/
#include "binning.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define EMPTY 1e-24 /* a bin with less mass is empty: no solver knows so little */
/*
  ln p may differ by so much over a stencil; beyond, cubics may not leave the range of the bins next to the
  point
*/
#define SMOOTH 4.

static double width(const fare_binning *b, int axis)
{
  return b->grid.spacing[axis] * (double)b->cells[axis];
}

/* Up to four bins along an axis and what they count for. */
typedef struct {
  int      count;
  PetscInt bin[4];
  double   weight[4];
} stencil;

/* Whether the bins of an axis go on evenly beyond its ends. */
static PetscBool goes_round(const fare_binning *b, int axis)
{
  return b->grid.boundary[axis] == FARE_BOUNDARY_PERIODIC && b->grid.cells[axis] % b->cells[axis] == 0
    ? PETSC_TRUE
    : PETSC_FALSE;
}

/* Lagrange's cubic where two bins lie on either side, else the line through two. */
static void make_stencil(const fare_binning *b, int axis, double x, stencil *s)
{
  const PetscInt  n        = b->fine[axis];
  const PetscBool periodic = goes_round(b, axis);
  double          at       = (x - b->grid.lower[axis]) / width(b, axis) - 0.5, u;
  PetscInt        base     = (PetscInt)floor(at);

  *s = (stencil){1, {0}, {1}};
  if (n < 2) return;
  if (n < 4 || (!periodic && (base < 1 || base + 2 >= n))) {
    base = PetscMin(PetscMax(base, 0), n - 2);
    u    = PetscMin(PetscMax(at - (double)base, -0.5), 1.5);
    *s   = (stencil){2, {base, base + 1}, {1 - u, u}};
    return;
  }
  u  = at - (double)base;
  *s = (stencil){4, {base - 1, base, base + 1, base + 2},
    {-u * (u - 1) * (u - 2) / 6, (u + 1) * (u - 1) * (u - 2) / 2, -(u + 1) * u * (u - 2) / 2,
      (u + 1) * u * (u - 1) / 6}};
  for (int i = 0; i < 4; i++) s->bin[i] = (s->bin[i] + n) % n;
}

/*
  ln of the average over a bin less h^2/24 (f'' + f'^2) for each axis, f being the logarithm: the value in the
  middle to fourth order. Where a neighbour is missing or empty the average stands for it.
*/
static void find_middles(const fare_binning *b, const double mass[], double average[], double middle[])
{
  size_t stride = 1;

  for (size_t i = 0; i < b->bins; i++) {
    double   volume = 1;
    PetscInt rest   = (PetscInt)i;

    for (int axis = 0; axis < b->grid.dim; axis++) {
      const PetscInt at = rest % b->fine[axis];

      volume *=
        b->grid.spacing[axis] * (double)PetscMin(b->cells[axis], b->grid.cells[axis] - at * b->cells[axis]);
      rest /= b->fine[axis];
    }
    average[i] = middle[i] = mass[i] >= EMPTY ? log(mass[i]) - log(volume) : log(DBL_MIN);
  }
  for (int axis = 0; axis < b->grid.dim; axis++) {
    const PetscInt n      = b->fine[axis];
    const size_t   around = stride * (size_t)(n - 1);

    for (size_t i = 0; i < b->bins; i++) {
      const PetscInt at  = (PetscInt)(i / stride) % n;
      const size_t   one = at > 0 ? i - stride : i + around, other = at + 1 < n ? i + stride : i - around;
      double         up, down;

      if (!goes_round(b, axis) && (at < 1 || at + 1 >= n)) continue;
      if (!(mass[i] >= EMPTY && mass[one] >= EMPTY && mass[other] >= EMPTY)) continue;
      up   = average[other] - average[i];
      down = average[i] - average[one];
      /* else the grid does not resolve it */
      if (fabs(up) < 1 && fabs(down) < 1) middle[i] -= (up - down + 0.25 * (up + down) * (up + down)) / 24;
    }
    stride *= (size_t)b->fine[axis];
  }
}

/* What a stencil sees: its sum, the range of all its bins and of those next to the point. */
typedef struct {
  double sum, least, most, near_least, near_most;
} view;

static void add_bin(view *of, double weight, double value, PetscBool near)
{
  of->sum += weight * value;
  of->least = PetscMin(of->least, value);
  of->most  = PetscMax(of->most, value);
  if (!near) return;
  of->near_least = PetscMin(of->near_least, value);
  of->near_most  = PetscMax(of->near_most, value);
}

/* Whether the i-th bin of a stencil is one of the two on either side of the point. */
static PetscBool is_near(const stencil *s, int i)
{
  return s->count < 4 || i == 1 || i == 2 ? PETSC_TRUE : PETSC_FALSE;
}

static view look_around(const fare_binning *b, const double middle[], const double x[FARE_DIM_MAX])
{
  view    of = {0, HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL};
  stencil s[FARE_DIM_MAX];

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    if (axis < b->grid.dim)
      make_stencil(b, axis, x[axis], &s[axis]);
    else
      s[axis] = (stencil){1, {0}, {1}};
  }
  for (int k = 0; k < s[2].count; k++) {
    for (int j = 0; j < s[1].count; j++) {
      const size_t    row  = (size_t)((s[2].bin[k] * b->fine[1] + s[1].bin[j]) * b->fine[0]);
      const PetscBool near = is_near(&s[2], k) && is_near(&s[1], j) ? PETSC_TRUE : PETSC_FALSE;

      for (int i = 0; i < s[0].count; i++) {
        add_bin(&of, s[2].weight[k] * s[1].weight[j] * s[0].weight[i], middle[row + (size_t)s[0].bin[i]],
          near && is_near(&s[0], i) ? PETSC_TRUE : PETSC_FALSE);
      }
    }
  }
  return of;
}

/* The bin that a point of the box lies in. */
static size_t own_bin(const fare_binning *b, const double x[FARE_DIM_MAX])
{
  size_t at = 0;

  for (int axis = b->grid.dim - 1; axis >= 0; axis--) {
    const PetscInt cell =
      PetscMin((PetscInt)((x[axis] - b->grid.lower[axis]) / b->grid.spacing[axis]), b->grid.cells[axis] - 1);

    at = at * (size_t)b->fine[axis] + (size_t)(cell / b->cells[axis]);
  }
  return at;
}

/*
  Beside an empty bin the average of the point's own: nothing is gained or lost where p has no logarithm to be
  joined.
*/
static double interpolate(
  const fare_binning *b, const double average[], const double middle[], const double x[FARE_DIM_MAX])
{
  const view of = look_around(b, middle, x);

  if (of.least <= log(DBL_MIN)) return average[own_bin(b, x)];
  if (of.most - of.least > SMOOTH) return PetscMin(of.near_most, PetscMax(of.near_least, of.sum));
  return of.sum;
}

PetscErrorCode fare_binning_log_density(
  const fare_binning *binning, const fare_binned *p, const fare_ensemble *ensemble, double log_density[])
{
  double *average, *middle;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(binning->bins, &average, binning->bins, &middle));
  find_middles(binning, p->mass, average, middle);
  for (int64_t i = 0; i < ensemble->local; i++) {
    double    x[FARE_DIM_MAX] = {0};
    PetscBool inside          = PETSC_TRUE;

    for (int axis = 0; axis < binning->grid.dim; axis++) {
      x[axis] = fare_binning_wrap(binning, axis, ensemble->x[axis][i]);
      if (!(x[axis] >= binning->grid.lower[axis] && x[axis] <= binning->grid.upper[axis]))
        inside = PETSC_FALSE;
    }
    log_density[i] = inside ? interpolate(binning, average, middle, x) : log(DBL_MIN);
  }
  PetscCall(PetscFree2(average, middle));
  PetscFunctionReturn(0);
}
