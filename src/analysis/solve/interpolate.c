/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Values at points, from those at centres of cells: along each axis by the cubic through two nodes on either
  side. Where a set of given value, or an end that absorbs, lies between them, its boundary is a node and
  nothing beyond it is; an end that reflects mirrors. Positive values that differ by much are joined by their
  logarithms unless they are clearly smoother, and beside a boundary of value 0 by those of values over
  distances. Values stay within the range of their neighbours where those rise or fall evenly, and are never
  negative where no neighbour is.
*/
#include "analysis/analysis.h"

#include <math.h>
#include <string.h>

#define NODES  4
#define CORNER (NODES * NODES * NODES)
#define CLOSE  0.05 /* spacings: a centre so near a boundary adds nothing but round-off */
#define DECADE 3.0  /* largest over smallest value from which on logarithms are smoother */

/* One point: the cells around it. */
typedef struct {
  const fare_grid *grid;
  const fare_held *held;
  double           x[FARE_DIM_MAX];
  PetscInt         base[FARE_DIM_MAX]; /* the nearest centre at or below */
  PetscBool        low;                /* of one order less */
  const double    *value;              /* of cells base - 1 to base + 2, the first axis fastest */
} place;

/* Nodes along a line: where, in spacings from the point, and what. */
typedef struct {
  int    count, below; /* below: how many of them are */
  double at[NODES], value[NODES];
} line;

/* The cell that stands for index i along an axis. */
static PetscInt fold(const fare_grid *grid, int axis, PetscInt i)
{
  const PetscInt n = grid->cells[axis];

  if (grid->boundary[axis] == FARE_BOUNDARY_PERIODIC) return ((i % n) + n) % n;
  if (i < 0) i = -1 - i;
  if (i >= n) i = 2 * n - 1 - i;
  return PetscMin(n - 1, PetscMax(0, i));
}

static int held_at(const fare_held *held, const double x[])
{
  for (int k = 0; held && k < held->count; k++) {
    if (fare_region_has(held->region[k], x)) return k;
  }
  return -1;
}

/* Lagrange's polynomial at 0. */
static double polynomial(int count, const double at[], const double value[])
{
  double sum = 0;

  for (int i = 0; i < count; i++) {
    double weight = 1;

    for (int j = 0; j < count; j++) weight *= i == j ? 1 : at[j] / (at[j] - at[i]);
    sum += weight * value[i];
  }
  return sum;
}

/* Whether a field leaps at the boundary next to x on one side: no diffusion crosses it, and drift leaves it.
 */
static PetscBool leaps(const fare_held *held, const double x[], int axis, int side)
{
  double        f[FARE_DIM_MAX], D[FARE_DIM_MAX];
  const double *at[]   = {&x[0], &x[1], &x[2]};
  double *const to_f[] = {&f[0], &f[1], &f[2]}, *const to_D[] = {&D[0], &D[1], &D[2]};

  if (!held || !held->system) return PETSC_FALSE;
  fare_system_drift(held->system, held->time, 1, at, to_f);
  fare_system_diffusion(held->system, held->time, 1, at, to_D);
  return !(D[axis] > 0) && (side ? f[axis] : -f[axis]) <= 0 ? PETSC_TRUE : PETSC_FALSE;
}

static void remove_node(line *l, int i)
{
  if (i < l->below) l->below--;
  for (l->count--; i < l->count; i++) {
    l->at[i]    = l->at[i + 1];
    l->value[i] = l->value[i + 1];
  }
}

/* Nodes rise; those at `below` - 1 and `below` are the neighbours. */
static double limited(const line *l, double v)
{
  double low = HUGE_VAL, high = -HUGE_VAL, least = HUGE_VAL, most = -HUGE_VAL, slack;
  int    up = 0, down = 0;

  for (int i = 0; i < l->count; i++) {
    least = PetscMin(least, l->value[i]);
    most  = PetscMax(most, l->value[i]);
    if (i + 1 < l->count) up += l->value[i + 1] >= l->value[i], down += l->value[i + 1] <= l->value[i];
    if (i != l->below - 1 && i != l->below) continue;
    low  = PetscMin(low, l->value[i]);
    high = PetscMax(high, l->value[i]);
  }
  if (l->below == 0 || l->below == l->count) return least >= 0 ? PetscMax(0, v) : v; /* beyond a leap */
  slack = up == l->count - 1 || down == l->count - 1 ? 0 : 0.25 * (most - least);
  v     = PetscMin(high + slack, PetscMax(low - slack, v));
  return least >= 0 ? PetscMax(0, v) : v;
}

#define CLEARLY 2 /* times as smooth; the next term of a polynomial is known by its size alone */

/* The divided difference of highest order: the next term of the polynomial is as large as it is. */
static double roughness(int count, const double at[], const double value[])
{
  double d[NODES];

  for (int i = 0; i < count; i++) d[i] = value[i];
  for (int order = 1; order < count; order++) {
    for (int i = 0; i + order < count; i++) d[i] = (d[i + 1] - d[i]) / (at[i + order] - at[i]);
  }
  return fabs(d[0]);
}

static PetscBool spans(int count, const double value[])
{
  double least = HUGE_VAL, most = 0;

  for (int i = 0; i < count; i++) {
    least = PetscMin(least, value[i]);
    most  = PetscMax(most, value[i]);
  }
  return least > 0 && most > DECADE * least ? PETSC_TRUE : PETSC_FALSE;
}

static void take_logs(int count, const double value[], double logs[])
{
  for (int i = 0; i < count; i++) logs[i] = log(value[i]);
}

/* Values that fall to 0 at one end: by logarithms of value over distance from there. False: to be joined as
 * they are. */
static PetscBool join_from_zero(const line *l, double *v)
{
  const int    last = l->count - 1, zero = l->value[0] == 0 ? 0 : last, first = zero == 0 ? 1 : 0;
  double       logs[NODES], over[NODES];
  const double here = fabs(l->at[zero]);

  if (l->count < 3 || l->value[zero] != 0 || l->at[0] > 0 || l->at[last] < 0) return PETSC_FALSE;
  for (int i = 0; i < last; i++) over[i] = l->value[first + i] / fabs(l->at[first + i] - l->at[zero]);
  if (!spans(last, over)) return PETSC_FALSE;
  take_logs(last, over, logs);
  *v = here * exp(polynomial(last, l->at + first, logs));
  return PETSC_TRUE;
}

static double join(line *l, PetscBool low)
{
  double    logs[NODES], v;
  PetscBool wide = spans(l->count, l->value);

  for (int i = 0; i < l->count; i++) {
    if (l->at[i] == 0) return l->value[i];
  }
  if (wide) {
    take_logs(l->count, l->value, logs);
    v    = polynomial(l->count, l->at, l->value);
    wide = v <= 0 || l->count < NODES ||
        v * roughness(l->count, l->at, logs) <= CLEARLY * roughness(l->count, l->at, l->value)
      ? PETSC_TRUE
      : PETSC_FALSE;
  }
  if (low && l->count > 2) remove_node(l, fabs(l->at[0]) > fabs(l->at[l->count - 1]) ? 0 : l->count - 1);
  if (wide) {
    take_logs(l->count, l->value, logs);
    v = exp(polynomial(l->count, l->at, logs));
  } else if (!join_from_zero(l, &v)) {
    v = polynomial(l->count, l->at, l->value);
  }
  return limited(l, v);
}

static double along(const place *p, int axis, double x[], PetscInt corner, PetscInt stride);

/* Nodes on one side, the nearest first. */
static int look(const place *p, int axis, int side, double x[], PetscInt corner, PetscInt stride, double at[],
  double value[])
{
  const fare_grid *grid = p->grid;
  const double     h = grid->spacing[axis], here = p->x[axis], width = grid->upper[axis] - grid->lower[axis];
  int              count = 0;

  for (int i = 0; i < NODES / 2; i++) {
    const int      offset = side ? 2 + i : 1 - i;
    const PetscInt index  = p->base[axis] + offset - 1;
    const double   centre = grid->lower[axis] + h * ((double)index + 0.5);
    int            set;

    if ((index < 0 || index >= grid->cells[axis]) && fare_boundary_absorbs(grid->boundary[axis], side)) {
      if (leaps(p->held, x, axis, side)) break;
      at[count]      = fabs((side ? grid->upper[axis] : grid->lower[axis]) - here) / h;
      value[count++] = 0;
      break;
    }
    x[axis] = fare_grid_centre(grid, axis, fold(grid, axis, index));
    set     = held_at(p->held, x);
    if (set >= 0) {
      x[axis] = here;
      if (leaps(p->held, x, axis, side)) break;
      at[count] = PetscMin(fabs(centre - here),
                    fare_region_reach(p->held->region[set], x, axis, side,
                      grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? width : 0)) /
        h;
      value[count++] = p->held->value[set];
      if (count == 2 && at[1] - at[0] < CLOSE) {
        at[0]    = at[1];
        value[0] = value[1];
        count    = 1;
      }
      break;
    }
    at[count]      = fabs(centre - here) / h;
    value[count++] = along(p, axis - 1, x, corner + offset * stride, stride / NODES);
  }
  x[axis] = here;
  return count;
}

/* The value at x, where coordinates up to `axis` are the point's own and those above of a row of centres. */
static double along(const place *p, int axis, double x[], PetscInt corner, PetscInt stride)
{
  double at[2][NODES], value[2][NODES];
  int    count[2], set;
  line   l = {0};

  if (axis < 0) return p->value[corner];
  x[axis] = p->x[axis];
  set     = held_at(p->held, x);
  if (set >= 0) return p->held->value[set];
  for (int side = 0; side < 2; side++)
    count[side] = look(p, axis, side, x, corner, stride, at[side], value[side]);
  for (int i = count[0] - 1; i >= 0; i--, l.count++) {
    l.at[l.count]    = -at[0][i];
    l.value[l.count] = value[0][i];
  }
  l.below = count[0];
  for (int i = 0; i < count[1]; i++, l.count++) {
    if (l.count && at[1][i] == l.at[l.count - 1]) l.count--, l.below = l.count; /* both at the point itself */
    l.at[l.count]    = at[1][i];
    l.value[l.count] = value[1][i];
  }
  return join(&l, p->low);
}

/* The values of cells around all points, on all ranks. */
static PetscErrorCode gather(
  const fare_grid *grid, Vec values, size_t count, const place at[], double around[])
{
  const int          corners = grid->dim == 1 ? NODES : grid->dim == 2 ? NODES * NODES : CORNER;
  const PetscScalar *value;

  PetscFunctionBegin;
  PetscCall(VecGetArrayRead(values, &value));
  for (size_t p = 0; p < count; p++) {
    for (int c = 0; c < corners; c++) {
      PetscInt  n = 0, stride = 1;
      PetscBool mine = PETSC_TRUE;

      for (int axis = 0, rest = c; axis < grid->dim; axis++, rest /= NODES) {
        const PetscInt i = fold(grid, axis, at[p].base[axis] - 1 + rest % NODES) - grid->start[axis];

        if (i < 0 || i >= grid->count[axis]) mine = PETSC_FALSE;
        n += i * stride;
        stride *= grid->count[axis];
      }
      around[p * (size_t)corners + (size_t)c] = mine ? value[n] : 0;
    }
  }
  PetscCall(VecRestoreArrayRead(values, &value));
  PetscCallMPI(MPI_Allreduce(
    MPI_IN_PLACE, around, (PetscMPIInt)(count * (size_t)corners), MPI_DOUBLE, MPI_SUM, grid->comm));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_interpolate(const fare_grid *grid, const fare_held *held, Vec values, size_t count,
  const double x[], double at[], double spread[])
{
  const size_t dim = (size_t)grid->dim, corners = dim == 1 ? NODES : dim == 2 ? NODES * NODES : CORNER;
  place       *p;
  double      *around;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(count + 1, &p, count * corners + 1, &around));
  for (size_t i = 0; i < count; i++) {
    p[i].grid = grid;
    p[i].held = held;
    for (int axis = 0; axis < grid->dim; axis++) {
      p[i].x[axis]    = x[i * dim + (size_t)axis];
      p[i].base[axis] = (PetscInt)floor((p[i].x[axis] - grid->lower[axis]) / grid->spacing[axis] - 0.5);
    }
  }
  PetscCall(gather(grid, values, count, p, around));
  for (size_t i = 0; i < count; i++) {
    double point[FARE_DIM_MAX] = {p[i].x[0], p[i].x[1], p[i].x[2]};

    p[i].value = around + i * corners;
    at[i]      = along(&p[i], grid->dim - 1, point, 0, (PetscInt)(corners / NODES));
    if (!spread) continue;
    p[i].low  = PETSC_TRUE;
    spread[i] = 0.5 *
      fabs(along(&p[i], grid->dim - 1, point, 0, (PetscInt)(corners / NODES)) -
        at[i]); /* the cubic is closer than that: half covers it */
  }
  PetscCall(PetscFree2(p, around));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_grid_interpolate(
  const fare_grid *grid, Vec values, size_t count, const double x[], double at[])
{
  PetscFunctionBegin;
  PetscCall(fare_interpolate(grid, NULL, values, count, x, at, NULL));
  PetscFunctionReturn(0);
}
