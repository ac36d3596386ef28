/* ln of a density at points, from its averages over bins: means are turned into values at the middles, and those are joined by cubics. */
#include "binning.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

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
  return b->grid.end[axis] == FARE_END_PERIODIC && b->grid.cells[axis] % b->cells[axis] == 0 ? PETSC_TRUE : PETSC_FALSE;
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
  *s = (stencil){4, {base - 1, base, base + 1, base + 2}, {-u * (u - 1) * (u - 2) / 6, (u + 1) * (u - 1) * (u - 2) / 2, -(u + 1) * u * (u - 2) / 2, (u + 1) * u * (u - 1) / 6}};
  for (int i = 0; i < 4; i++) s->bin[i] = (s->bin[i] + n) % n;
}

/*
  ln of the average over a bin less h^2/24 (f'' + f'^2) for each axis, f being the logarithm: the value in the middle to fourth order. Where a neighbour is missing or
  empty the average stands for it.
*/
static void find_middles(const fare_binning *b, const double mass[], double average[], double middle[])
{
  size_t stride = 1;

  for (size_t i = 0; i < b->bins; i++) {
    double   volume = 1;
    PetscInt rest   = (PetscInt)i;

    for (int axis = 0; axis < b->grid.dim; axis++) {
      const PetscInt at = rest % b->fine[axis];

      volume *= b->grid.spacing[axis] * (double)PetscMin(b->cells[axis], b->grid.cells[axis] - at * b->cells[axis]);
      rest /= b->fine[axis];
    }
    average[i] = middle[i] = mass[i] > 0 ? log(mass[i]) - log(volume) : log(DBL_MIN);
  }
  for (int axis = 0; axis < b->grid.dim; axis++) {
    const PetscInt n      = b->fine[axis];
    const size_t   around = stride * (size_t)(n - 1);

    for (size_t i = 0; i < b->bins; i++) {
      const PetscInt at  = (PetscInt)(i / stride) % n;
      const size_t   one = at > 0 ? i - stride : i + around, other = at + 1 < n ? i + stride : i - around;
      double         up, down;

      if (!goes_round(b, axis) && (at < 1 || at + 1 >= n)) continue;
      if (!(mass[i] > 0 && mass[one] > 0 && mass[other] > 0)) continue;
      up   = average[other] - average[i];
      down = average[i] - average[one];
      if (fabs(up) < 1 && fabs(down) < 1) middle[i] -= (up - down + 0.25 * (up + down) * (up + down)) / 24; /* else the grid does not resolve it */
    }
    stride *= (size_t)b->fine[axis];
  }
}

static double interpolate(const fare_binning *b, const double middle[], const double x[FARE_DIM_MAX])
{
  stencil s[FARE_DIM_MAX];
  double  sum = 0;

  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    if (axis < b->grid.dim) make_stencil(b, axis, x[axis], &s[axis]);
    else s[axis] = (stencil){1, {0}, {1}};
  }
  for (int k = 0; k < s[2].count; k++) {
    for (int j = 0; j < s[1].count; j++) {
      const size_t row = (size_t)((s[2].bin[k] * b->fine[1] + s[1].bin[j]) * b->fine[0]);

      for (int i = 0; i < s[0].count; i++) sum += s[2].weight[k] * s[1].weight[j] * s[0].weight[i] * middle[row + (size_t)s[0].bin[i]];
    }
  }
  return PetscMax(sum, log(DBL_MIN));
}

PetscErrorCode fare_binning_log_density(const fare_binning *binning, const fare_binned *p, const fare_ensemble *ensemble, double log_density[])
{
  double *average, *middle;

  PetscFunctionBeginUser;
  PetscCall(PetscMalloc2(binning->bins, &average, binning->bins, &middle));
  find_middles(binning, p->mass, average, middle);
  for (int64_t i = 0; i < ensemble->local; i++) {
    double    x[FARE_DIM_MAX] = {0};
    PetscBool inside          = PETSC_TRUE;

    for (int axis = 0; axis < binning->grid.dim; axis++) {
      x[axis] = fare_binning_wrap(binning, axis, ensemble->x[axis][i]);
      if (!(x[axis] >= binning->grid.lower[axis] && x[axis] <= binning->grid.upper[axis])) inside = PETSC_FALSE;
    }
    log_density[i] = inside ? interpolate(binning, middle, x) : log(DBL_MIN);
  }
  PetscCall(PetscFree2(average, middle));
  PetscFunctionReturn(0);
}
