/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The energy -ln p of the exact density: cubic splines through its values at the centres of cells, so that the
  force is continuous and exactly the derivative of the energy. Linear in time between the schedule's times: a
  geometric mean of the densities at both.
*/
#include "energy_grid.h"
#include "energy.h"

#include <math.h>
#include <string.h>

/*
  This share of the largest density is added: the solver's values are not to be trusted where the density is
  next to nothing.
*/
#define FLOOR 1e-12

typedef struct {
  const fare_densities *exact;
  PetscInt64            count; /* of splines: one per time, or a single one */
  fare_energy_spline    now;
  size_t                size;   /* coefficients of a spline */
  double              **spline; /* made when first needed */
  double               *masses; /* of the mean over times, where that is meant */
  PetscInt64            at;     /* whose coefficients `now` has, with `share` of the next */
  double                share;
} gridded;

/* Values at centres from averages over cells: p - h^2/24 p'' per axis, but no more than a fifth off. */
static void to_centres(const fare_energy_spline *grid, const double masses[], double p[])
{
  const int64_t step[FARE_DIM_MAX] = {1, grid->cells[0], grid->cells[0] * grid->cells[1]},
                all                = step[2] * grid->cells[2];

  for (int64_t n = 0; n < all; n++) {
    double bend = 0;

    for (int axis = 0; axis < grid->dim; axis++) {
      const int64_t cells = grid->cells[axis], i = n / step[axis] % cells;
      const int64_t below = i > 0 ? n - step[axis] : grid->periodic[axis] ? n + (cells - 1) * step[axis] : n;
      const int64_t above = i < cells - 1 ? n + step[axis]
        : grid->periodic[axis]            ? n - (cells - 1) * step[axis]
                                          : n;

      bend += masses[below] - 2 * masses[n] + masses[above];
    }
    p[n] = masses[n] - PetscMax(-0.2 * masses[n], PetscMin(0.2 * masses[n], bend / 24));
  }
}

/*
  Solves c_{i-1} + 4 c_i + c_{i+1} = 6 y_i in place, n values `stride` apart; the second derivative is 0 at
  both ends.
*/
static void solve_natural(int64_t n, int64_t stride, double y[], double work[])
{
  if (n < 3) return;
  /* c_0 = y_0 and c_{n-1} = y_{n-1}; the rest is tridiagonal */
  work[0] = 0;
  for (int64_t i = 1; i < n - 1; i++) {
    const double pivot = 4 - work[i - 1];

    work[i] = i < n - 2 ? 1 / pivot : 0;
    y[i * stride] =
      (6 * y[i * stride] - y[(i - 1) * stride] - (i == n - 2 ? y[(n - 1) * stride] : 0)) / pivot;
  }
  for (int64_t i = n - 3; i > 0; i--) y[i * stride] -= work[i] * y[(i + 1) * stride];
}

/*
  The same round a ring, by sweeps that reach as far as rounding does: the influence of a value falls like
  0.268^distance.
*/
static void solve_ring(int64_t n, int64_t stride, double y[], double work[])
{
  const double  root   = sqrt(3) - 2;
  const int64_t far    = PetscMin(40, n);
  double        before = 0, after = 0;

  for (int64_t i = 0; i < far; i++) before += pow(root, (double)i) * y[(n - i) % n * stride];
  work[0] = before / (n <= 40 ? 1 - pow(root, (double)n) : 1);
  for (int64_t i = 1; i < n; i++) work[i] = y[i * stride] + root * work[i - 1];
  for (int64_t i = 0; i < far; i++) after += pow(root, (double)i) * work[(n - 1 + i) % n];
  after /= n <= 40 ? 1 - pow(root, (double)n) : 1;
  y[(n - 1) * stride] = -6 * root * after;
  for (int64_t i = n - 2; i >= 0; i--) y[i * stride] = root * (y[(i + 1) * stride] - 6 * work[i]);
}

/* Values at all cells to coefficients, axis by axis. */
static void solve(const fare_energy_spline *grid, double y[], double work[])
{
  const int64_t step[FARE_DIM_MAX] = {1, grid->cells[0], grid->cells[0] * grid->cells[1]},
                all                = step[2] * grid->cells[2];

  for (int axis = 0; axis < grid->dim; axis++) {
    for (int64_t n = 0; n < all; n++) {
      if (n / step[axis] % grid->cells[axis]) continue;
      if (grid->periodic[axis])
        solve_ring(grid->cells[axis], step[axis], y + n, work);
      else
        solve_natural(grid->cells[axis], step[axis], y + n, work);
    }
  }
}

/*
  A coefficient that may lie beyond the ends: round the ring, or along the straight line through the last two.
*/
static double extended(const fare_energy_spline *grid, const double c[], int axis, int64_t stride,
  int64_t place, const int64_t index[])
{
  int64_t n, i, end, inner;
  double  at, within;

  if (axis == grid->dim) return c[place];
  n = grid->cells[axis];
  i = grid->periodic[axis] ? (index[axis] % n + n) % n : index[axis];
  if (i >= 0 && i < n) return extended(grid, c, axis + 1, stride * n, place + i * stride, index);
  end    = i < 0 ? 0 : n - 1;
  inner  = i < 0 ? PetscMin(1, n - 1) : PetscMax(0, n - 2);
  at     = extended(grid, c, axis + 1, stride * n, place + end * stride, index);
  within = extended(grid, c, axis + 1, stride * n, place + inner * stride, index);
  return at + (double)(i < 0 ? -i : i - end) * (at - within);
}

static PetscErrorCode make_spline(const gridded *g, const double masses[], double **spline)
{
  const fare_energy_spline *grid = &g->now;
  const int64_t             all  = grid->cells[0] * grid->cells[1] * grid->cells[2],
                longest          = PetscMax(grid->cells[0], PetscMax(grid->cells[1], grid->cells[2]));
  double highest = 0, volume = 1, *c, *work;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(g->size, spline));
  PetscCall(PetscMalloc2(all, &c, longest, &work));
  to_centres(grid, masses, c);
  for (int axis = 0; axis < grid->dim; axis++) volume *= grid->spacing[axis];
  for (int64_t n = 0; n < all; n++) highest = PetscMax(highest, c[n]);
  for (int64_t n = 0; n < all; n++) c[n] = -log((c[n] + FLOOR * highest) / volume);
  solve(grid, c, work);
  for (size_t n = 0; n < g->size; n++) {
    int64_t index[FARE_DIM_MAX], rest = (int64_t)n;

    for (int axis = 0; axis < grid->dim; axis++) {
      const int64_t wide = grid->cells[axis] + 2 * FARE_SPLINE_MARGIN;

      index[axis] = rest % wide - FARE_SPLINE_MARGIN;
      rest /= wide;
    }
    (*spline)[n] = extended(grid, c, 0, 1, 0, index);
  }
  PetscCall(PetscFree2(c, work));
  PetscFunctionReturn(0);
}

static PetscErrorCode need(gridded *g, PetscInt64 k)
{
  PetscFunctionBegin;
  if (!g->spline[k]) PetscCall(make_spline(g, g->masses ? g->masses : g->exact->masses[k], &g->spline[k]));
  PetscFunctionReturn(0);
}

static PetscErrorCode grid_move(fare_energy *energy, double t)
{
  gridded      *g     = energy->context;
  const double *times = g->exact->times;
  PetscInt64    k     = 0;
  double        share = 0;

  PetscFunctionBegin;
  if (!g->masses) {
    while (k + 2 < g->count && t >= times[k + 1]) k++;
    share = g->count > 1 ? PetscMax(0, PetscMin(1, (t - times[k]) / (times[k + 1] - times[k]))) : 0;
  }
  if (k == g->at && share == g->share) PetscFunctionReturn(0);
  for (PetscInt64 past = 0; past < k; past++) PetscCall(PetscFree(g->spline[past]));
  PetscCall(need(g, k));
  if (share > 0) PetscCall(need(g, k + 1));
  if (share > 0)
    fare_energy_spline_between(share, g->size, g->spline[k], g->spline[k + 1], g->now.coefficient);
  else
    memcpy(g->now.coefficient, g->spline[k], g->size * sizeof(double));
  g->at    = k;
  g->share = share;
  PetscFunctionReturn(0);
}

static void grid_evaluate(fare_energy *energy, int n, const double *const z[], double U[], double *const f[])
{
  const gridded *g = energy->context;
  double         place[FARE_DIM_MAX][FARE_BLOCK];
  const double  *x[FARE_DIM_MAX] = {place[0], place[1], place[2]};

  for (int axis = 0; axis < energy->dim; axis++) {
    for (int i = 0; i < n; i++) place[axis][i] = energy->shift[axis] + energy->scale[axis] * z[axis][i];
  }
  fare_energy_spline_evaluate(&g->now, n, x, U, f);
  for (int axis = 0; axis < energy->dim; axis++) {
    for (int i = 0; i < n; i++) f[axis][i] *= energy->scale[axis];
  }
}

static PetscErrorCode grid_destroy(fare_energy *energy)
{
  gridded *g = energy->context;

  PetscFunctionBegin;
  for (PetscInt64 k = 0; k < g->count; k++) PetscCall(PetscFree(g->spline[k]));
  PetscCall(PetscFree3(g->spline, g->masses, g->now.coefficient));
  PetscCall(PetscFree(g));
  PetscFunctionReturn(0);
}

static PetscErrorCode mean_masses(
  const fare_densities *exact, int64_t cells, int count, const double times[], double masses[])
{
  PetscFunctionBegin;
  for (int i = 0; i < count; i++) {
    const PetscInt64 k = fare_densities_find(exact, times[i]);

    if (k < 0) FARE_FAIL(FARE_ERR_FAILED, "there is no exact density at time %g", times[i]);
    for (int64_t n = 0; n < cells; n++) masses[n] += exact->masses[k][n] / count;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_energy_of_densities(const fare_densities *exact, int count, const double times[],
  const double shift[], const double scale[], fare_energy **energy)
{
  const fare_grid *grid  = exact->grid;
  const PetscInt   cells = fare_grid_owned(grid);
  PetscBool        periodic[FARE_DIM_MAX];
  gridded         *g;

  PetscFunctionBegin;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++)
    periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  PetscCall(fare_energy_create(grid->dim, periodic, grid->lower, grid->upper, shift, scale, energy));
  PetscCall(PetscNew(&g));
  *g = (gridded){
    .exact = exact, .count = count ? 1 : exact->count, .now = {.dim = grid->dim}, .size = 1, .at = -1};
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) {
    g->now.cells[axis]    = grid->cells[axis];
    g->now.stride[axis]   = (int64_t)g->size;
    g->now.lower[axis]    = grid->lower[axis];
    g->now.spacing[axis]  = grid->spacing[axis];
    g->now.periodic[axis] = periodic[axis];
    if (axis < grid->dim) g->size *= (size_t)(grid->cells[axis] + 2 * FARE_SPLINE_MARGIN);
  }
  PetscCall(PetscCalloc3(g->count, &g->spline, count ? cells : 0, &g->masses, g->size, &g->now.coefficient));
  (*energy)->context  = g;
  (*energy)->move     = grid_move;
  (*energy)->evaluate = grid_evaluate;
  (*energy)->destroy  = grid_destroy;
  if (count) PetscCall(mean_masses(exact, cells, count, times, g->masses));
  PetscFunctionReturn(0);
}
