/* SPDX-License-Identifier: BSD-2-Clause */
/* The density of a block: its spline, its draws and its conditionals. */
#include "block.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST  1e-290 /* of a cell's mass over the largest: below, no solver knows anything */
#define SWEEPS 60     /* of Gauss and Seidel, each of which divides the error by 10 or more */
#define CLIFF  30.    /* nats by which ln p falls from a cell to the next, at most */
#define STEEP  1e-3   /* slopes per cell below which series are used */

static size_t stride_of(const fare_block_density *p, int axis)
{
  size_t stride = 1;

  for (int k = 0; k < axis; k++) stride *= (size_t)p->cells[k];
  return stride;
}

/* The cell before or behind along an axis; the cell itself where there is none. */
static size_t neighbour(const fare_block_density *p, size_t cell, int axis, int to)
{
  const size_t   stride = stride_of(p, axis);
  const PetscInt n = p->cells[axis], at = (PetscInt)(cell / stride) % n, there = at + to;

  if (there >= 0 && there < n) return to > 0 ? cell + stride : cell - stride;
  if (!p->periodic[axis]) return cell;
  return to > 0 ? cell - stride * (size_t)(n - 1) : cell + stride * (size_t)(n - 1);
}

/*
  ln of the mean of exp(a s + c s^2/2) over s in (-1/2, 1/2), to first order in c: what the mean over a cell
  has above the middle, slope and second difference being a and c.
*/
static double above_middle(double a, double c)
{
  const double r = fabs(a);

  if (r < STEEP) return a * a / 24 + c / 24;
  return 0.5 * r + log(-expm1(-r) / r) + 0.5 * c * (0.25 - 1 / (r * tanh(0.5 * r)) + 2 / (r * r));
}

/* From ln of the averages over cells to the values in their middles, and slopes there. */
static void find_middles(fare_block_density *p, const double average[], double middle[])
{
  memcpy(middle, average, p->count * sizeof *middle);
  for (int axis = 0; axis < p->dim; axis++) {
    for (size_t i = 0; i < p->count; i++) {
      const size_t below = neighbour(p, i, axis, -1), above = neighbour(p, i, axis, 1);
      const double up = average[above] - average[i], down = average[i] - average[below];
      const int    sides = (below != i) + (above != i);

      p->slope[axis][i] = sides ? (up + down) / sides : 0;
      middle[i] -= above_middle(p->slope[axis][i], sides == 2 ? up - down : 0);
    }
  }
}

/* Coefficients of splines through the values of a line; its second derivative is 0 at ends that end. */
static void solve_line(PetscInt n, PetscBool periodic, const double value[], double c[])
{
  memcpy(c, value, (size_t)n * sizeof *c);
  if (n < 3) return;
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    for (PetscInt i = periodic ? 0 : 1; i < (periodic ? n : n - 1); i++)
      c[i] = (6 * value[i] - c[(i + n - 1) % n] - c[(i + 1) % n]) / 4;
  }
}

/* Along each axis in turn, from cells to cells. FARE_ERR_FAILED without memory. */
static PetscErrorCode solve(const fare_block_density *p, double value[])
{
  double *line;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(2 * p->count, &line));
  for (int axis = 0; axis < p->dim; axis++) {
    const size_t   stride = stride_of(p, axis);
    const PetscInt n      = p->cells[axis];

    for (size_t i = 0; i < p->count; i++) {
      if ((PetscInt)(i / stride) % n) continue;
      for (PetscInt k = 0; k < n; k++) line[k] = value[i + stride * (size_t)k];
      solve_line(n, p->periodic[axis], line, line + n);
      for (PetscInt k = 0; k < n; k++) value[i + stride * (size_t)k] = line[n + k];
    }
  }
  PetscCall(PetscFree(line));
  PetscFunctionReturn(0);
}

/* The coefficient of a place along each axis, beyond ends too: round circles, or straight on. */
static double reach(const fare_block_density *p, const double c[], PetscInt at[], int axis)
{
  const PetscInt k = at[axis < 0 ? 0 : axis], n = p->cells[axis < 0 ? 0 : axis];
  double         first, second;

  if (axis < 0) {
    size_t cell = 0;

    for (int a = p->dim - 1; a >= 0; a--) cell = cell * (size_t)p->cells[a] + (size_t)at[a];
    return c[cell];
  }
  if (k >= 0 && k < n) return reach(p, c, at, axis - 1);
  if (p->periodic[axis] || n < 2) {
    at[axis] = n < 2 ? 0 : (k + n) % n;
    first    = reach(p, c, at, axis - 1);
    at[axis] = k;
    return first;
  }
  at[axis] = k < 0 ? 0 : n - 1;
  first    = reach(p, c, at, axis - 1);
  at[axis] = k < 0 ? 1 : n - 2;
  second   = reach(p, c, at, axis - 1);
  at[axis] = k;
  return first + (double)(k < 0 ? -k : k - n + 1) * (first - second);
}

static PetscErrorCode make_spline(fare_block_density *p, double value[])
{
  size_t total = 1;

  PetscFunctionBegin;
  PetscCall(solve(p, value));
  for (int axis = 0; axis < p->dim; axis++) total *= (size_t)(p->cells[axis] + 2 * FARE_BLOCK_EDGE);
  PetscCall(PetscMalloc1(total, &p->coefficient));
  for (size_t i = 0; i < total; i++) {
    PetscInt at[FARE_DIM_MAX] = {0};
    size_t   rest             = i;

    for (int axis = 0; axis < p->dim; axis++) {
      const size_t n = (size_t)p->cells[axis] + 2 * FARE_BLOCK_EDGE;

      at[axis] = (PetscInt)(rest % n) - FARE_BLOCK_EDGE;
      rest /= n;
    }
    p->coefficient[i] = reach(p, value, at, p->dim - 1);
  }
  PetscFunctionReturn(0);
}

static void make_sums(fare_block_density *p)
{
  double total = 0;

  for (size_t i = 0; i < p->count; i++) p->sum[i] = total += p->mass[i];
  for (int axis = 0; axis < p->dim; axis++) {
    const size_t   stride = stride_of(p, axis);
    const PetscInt n      = p->cells[axis];

    for (size_t i = 0; i < p->count; i++) p->along[axis][(PetscInt)(i / stride) % n] += p->mass[i];
    for (PetscInt k = 1; k < n; k++) p->along[axis][k] += p->along[axis][k - 1];
  }
}

static PetscErrorCode allocate(const fare_grid *grid, fare_block_density *p)
{
  PetscFunctionBegin;
  p->dim   = grid->dim;
  p->count = 1;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) p->cells[axis] = axis < p->dim ? grid->cells[axis] : 1;
  for (int axis = 0; axis < p->dim; axis++) {
    p->lower[axis]    = grid->lower[axis];
    p->upper[axis]    = grid->upper[axis];
    p->spacing[axis]  = grid->spacing[axis];
    p->periodic[axis] = grid->boundary[axis] == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
    p->count *= (size_t)p->cells[axis];
  }
  PetscCall(PetscMalloc2(p->count, &p->mass, p->count, &p->sum));
  for (int axis = 0; axis < p->dim; axis++) {
    PetscCall(PetscCalloc1((size_t)p->cells[axis], &p->along[axis]));
    PetscCall(PetscMalloc1(p->count, &p->slope[axis]));
  }
  PetscFunctionReturn(0);
}

/* Calls for the Gauss points of each cell: their places and weights. */
#define POINTS (2 * FARE_HALF_POINTS)
typedef struct {
  int    count;
  double y[FARE_DIM_MAX][POINTS * POINTS * POINTS], weight[POINTS * POINTS * POINTS];
} cell_points;

static void points_of(const fare_block_density *p, size_t cell, cell_points *c)
{
  c->count = p->dim == 1 ? POINTS : p->dim == 2 ? POINTS * POINTS : POINTS * POINTS * POINTS;
  for (int q = 0; q < c->count; q++) {
    int    rest  = q;
    size_t place = cell;

    c->weight[q] = 1;
    for (int axis = 0; axis < p->dim; axis++) {
      double offset;

      fare_cell_point(rest % POINTS, &offset, &c->weight[q]);
      c->y[axis][q] =
        p->lower[axis] + p->spacing[axis] * ((double)(place % (size_t)p->cells[axis]) + 0.5 + offset);
      c->weight[q] *= p->spacing[axis];
      place /= (size_t)p->cells[axis];
      rest /= POINTS;
    }
  }
}

/* Its integral is made 1, by quadrature: a spline through ln p keeps no cell's mass to the last digit. */
static void normalise(fare_block_density *p)
{
  size_t total = 1;
  double sum   = 0;

  for (size_t i = 0; i < p->count; i++) {
    cell_points   c;
    double        log_density[POINTS * POINTS * POINTS] = {0};
    const double *y[FARE_DIM_MAX]                       = {c.y[0], c.y[1], c.y[2]};

    points_of(p, i, &c);
    fare_block_density_add(p, (size_t)c.count, y, log_density, NULL);
    for (int q = 0; q < c.count; q++) sum += c.weight[q] * exp(log_density[q]);
  }
  for (int axis = 0; axis < p->dim; axis++) total *= (size_t)(p->cells[axis] + 2 * FARE_BLOCK_EDGE);
  for (size_t i = 0; i < total; i++) p->coefficient[i] -= log(sum);
  p->defect = fabs(log(sum));
}

/*
  Where a solver has cut off the tails there are cells of no mass beside others of some. A spline through so
  deep a step would overshoot by many nats, so what lies beyond is raised: to nothing that counts.
*/
static void fill_cliffs(const fare_block_density *p, double average[])
{
  for (int axis = 0; axis < p->dim; axis++) {
    for (size_t i = 0; i < p->count; i++)
      average[i] = PetscMax(average[i], average[neighbour(p, i, axis, -1)] - CLIFF);
    for (size_t i = p->count; i-- > 0;)
      average[i] = PetscMax(average[i], average[neighbour(p, i, axis, 1)] - CLIFF);
  }
}

PetscErrorCode fare_block_density_create(
  const fare_grid *grid, const double mass[], fare_block_density **made)
{
  fare_block_density *p;
  double             *average, *middle, largest = 0, sum = 0;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  *made = p;
  PetscCall(allocate(grid, p));
  for (size_t i = 0; i < p->count; i++) largest = PetscMax(largest, mass[i]);
  if (!(largest > 0 && largest < HUGE_VAL))
    FARE_FAIL(FARE_ERR_FAILED, "the density of a block is nowhere positive");
  for (size_t i = 0; i < p->count; i++) sum += p->mass[i] = PetscMax(mass[i], LEAST * largest);
  for (size_t i = 0; i < p->count; i++) p->mass[i] /= sum;
  make_sums(p);
  PetscCall(PetscMalloc2(p->count, &average, p->count, &middle));
  for (size_t i = 0; i < p->count; i++) average[i] = log(p->mass[i]) - log(fare_grid_volume(grid));
  fill_cliffs(p, average);
  find_middles(p, average, middle);
  PetscCall(make_spline(p, middle));
  PetscCall(PetscFree2(average, middle));
  normalise(p);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_block_density_destroy(fare_block_density **density)
{
  fare_block_density *p = *density;

  PetscFunctionBegin;
  if (!p) PetscFunctionReturn(0);
  for (int axis = 0; axis < p->dim; axis++) {
    PetscCall(PetscFree(p->along[axis]));
    PetscCall(PetscFree(p->slope[axis]));
  }
  PetscCall(PetscFree2(p->mass, p->sum));
  PetscCall(PetscFree(p->coefficient));
  PetscCall(PetscFree(*density));
  PetscFunctionReturn(0);
}

/* Share of exp(a s) on (0, s) of that on (0, 1), and where that share is u. */
static double share_below(double a, double s)
{
  return fabs(a) < STEEP ? s + 0.5 * a * s * (s - 1) : expm1(a * s) / expm1(a);
}

static double place_of(double a, double u)
{
  return fabs(a) < STEEP ? u - 0.5 * a * u * (u - 1) : log1p(u * expm1(a)) / a;
}

/* The density of exp(a s) on (0, 1). */
static double density_at(double a, double s)
{
  return fabs(a) < STEEP ? 1 + a * (s - 0.5) : a * exp(a * s) / expm1(a);
}

/* The first of n ascending sums above `target`. */
static size_t first_above(size_t n, const double sum[], double target)
{
  size_t below = 0, above = n - 1;

  while (below < above) {
    const size_t middle = (below + above) / 2;

    if (sum[middle] > target)
      above = middle;
    else
      below = middle + 1;
  }
  return above;
}

void fare_block_density_draw(
  const fare_block_density *p, fare_stream stream, uint64_t block, uint64_t step, double *const y[])
{
  FARE_ALIGNED double which[FARE_BLOCK], u[FARE_BLOCK];
  size_t              cell[FARE_BLOCK];

  fare_random_uniforms(stream, block, step, 0, which);
  for (int i = 0; i < FARE_BLOCK; i++)
    cell[i] = first_above(p->count, p->sum, which[i] * p->sum[p->count - 1]);
  for (int axis = 0; axis < p->dim; axis++) {
    const size_t stride = stride_of(p, axis);

    fare_random_uniforms(stream, block, step, (uint32_t)axis + 1, u);
    for (int i = 0; i < FARE_BLOCK; i++) {
      const PetscInt at = (PetscInt)(cell[i] / stride) % p->cells[axis];

      y[axis][i] = p->lower[axis] + p->spacing[axis] * ((double)at + place_of(p->slope[axis][cell[i]], u[i]));
    }
  }
}

/*
  Along the k-th axis of `order`, given the cells and places along those before it. Of the first axis the sums
  over slices are known; of the others, all cells with the places of those before count.
*/
static double conditional(
  const fare_block_density *p, const int order[], int k, const PetscInt at[], const double s[])
{
  const int axis               = order[k];
  PetscInt  from[FARE_DIM_MAX] = {0}, to[FARE_DIM_MAX] = {1, 1, 1}, index[FARE_DIM_MAX];
  double    below = 0, within = 0, all = 0;

  for (int a = 0; a < p->dim; a++) to[a] = p->cells[a];
  for (int a = 0; a < PetscMax(k, 1); a++) {
    from[order[a]] = at[order[a]];
    to[order[a]]   = at[order[a]] + 1;
  }
  for (index[2] = from[2]; index[2] < to[2]; index[2]++) {
    for (index[1] = from[1]; index[1] < to[1]; index[1]++) {
      for (index[0] = from[0]; index[0] < to[0]; index[0]++) {
        const size_t i = (size_t)((index[2] * p->cells[1] + index[1]) * p->cells[0] + index[0]);
        double       m = p->mass[i];

        for (int a = 0; a < k; a++) m *= density_at(p->slope[order[a]][i], s[order[a]]);
        all += m;
        if (index[axis] < at[axis]) below += m;
        if (index[axis] == at[axis]) within += m * share_below(p->slope[axis][i], s[axis]);
      }
    }
  }
  if (!k) {
    below = at[axis] ? p->along[axis][at[axis] - 1] : 0;
    all   = p->along[axis][p->cells[axis] - 1];
  }
  return all > 0 ? (below + within) / all : 0.5;
}

void fare_block_density_rosenblatt(
  const fare_block_density *p, const int order[], size_t n, const double *const y[], double *const u[])
{
  for (size_t i = 0; i < n; i++) {
    PetscInt at[FARE_DIM_MAX] = {0};
    double   s[FARE_DIM_MAX]  = {0};

    for (int axis = 0; axis < p->dim; axis++) {
      const double cells = (double)p->cells[axis];
      double       place = (y[axis][i] - p->lower[axis]) / p->spacing[axis];

      if (p->periodic[axis]) place -= cells * floor(place / cells);
      place    = place > 0 ? PetscMin(place, cells) : 0; /* beyond an end: all is below, or nothing */
      at[axis] = PetscMin((PetscInt)place, p->cells[axis] - 1);
      s[axis]  = place - (double)at[axis];
    }
    for (int k = 0; k < p->dim; k++) u[order[k]][i] = conditional(p, order, k, at, s);
  }
}

typedef struct {
  double mass, log_density, potential, weight; /* sums of p, p ln p, p V and, over exp(-V/kT), of that */
} sums;

/* Adds a cell's; V is given less its least value. */
static void add_cell(
  const fare_block_density *p, const fare_system *system, double t, double least, size_t cell, sums *to)
{
  cell_points   c;
  double        log_density[POINTS * POINTS * POINTS] = {0}, V[POINTS * POINTS * POINTS] = {0};
  const double *y[FARE_DIM_MAX] = {c.y[0], c.y[1], c.y[2]};

  points_of(p, cell, &c);
  fare_block_density_add(p, (size_t)c.count, y, log_density, NULL);
  if (system) fare_system_potential(system, t, (size_t)c.count, y, V);
  for (int q = 0; q < c.count; q++) {
    const double density = c.weight[q] * exp(log_density[q]);

    to->mass += density;
    to->log_density += density * log_density[q];
    if (!system) continue;
    to->potential += density * (V[q] - least);
    to->weight += c.weight[q] * exp((least - V[q]) / fare_system_kT(system, t));
  }
}

/* The potential in the middle of the cell with the most mass: about the least where it counts. */
static double potential_there(const fare_block_density *p, const fare_system *system, double t)
{
  size_t        most            = 0, rest;
  double        y[FARE_DIM_MAX] = {0}, V;
  const double *at[]            = {&y[0], &y[1], &y[2]};

  for (size_t i = 1; i < p->count; i++) {
    if (p->mass[i] > p->mass[most]) most = i;
  }
  rest = most;
  for (int axis = 0; axis < p->dim; axis++) {
    y[axis] = p->lower[axis] + p->spacing[axis] * ((double)(rest % (size_t)p->cells[axis]) + 0.5);
    rest /= (size_t)p->cells[axis];
  }
  fare_system_potential(system, t, 1, at, &V);
  return V;
}

void fare_block_density_entropy(
  const fare_block_density *p, const fare_system *system, double t, double *entropy, double *equilibrium)
{
  const fare_system *with  = system && fare_system_has_potential(system) ? system : NULL;
  const double       least = with ? potential_there(p, with, t) : 0;
  sums               s     = {0};

  for (size_t i = 0; i < p->count; i++) add_cell(p, with, t, least, i, &s);
  *entropy = -s.log_density / s.mass;
  *equilibrium =
    with ? s.log_density / s.mass + s.potential / s.mass / fare_system_kT(with, t) + log(s.weight) : NAN;
}
