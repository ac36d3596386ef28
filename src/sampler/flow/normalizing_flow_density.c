/* SPDX-License-Identifier: BSD-2-Clause */
/*
  The density of what a flow has learned, at points and in cells.

  Cell masses of what a flow has learned. The mass of a cell is the integral over its earlier axes of p(x_1)
  p(x_2|x_1) ..., times a difference of the cumulative function along the last one: the earlier ones at Gauss
  points, whose weights are scaled to the mass that their own axis gives the cell exactly.
*/
#include "normalizing_flow.h"

#include <petscdm.h>

#include <math.h>
#include <string.h>

#define POINTS 3
static const double offset[POINTS] = {0.1127016653792583, 0.5, 0.8872983346207417}; /* of the cell */
static const double weight[POINTS] = {5. / 18, 8. / 18, 5. / 18};

/*
  Points at which the axes so far are known, with the mass that each stands for and its cells' place in the
  vector.
*/
typedef struct {
  int      count;
  double   x[FARE_DIM_MAX][FARE_BLOCK], mass[FARE_BLOCK];
  PetscInt cell[FARE_BLOCK];
} nodes;

typedef struct {
  fare_sampler    *sampler;
  const fare_grid *grid;
  const float     *time;
  nodes           *at[FARE_DIM_MAX]; /* before each axis */
  PetscScalar     *masses;
} integral;

/* Of the base density between two points of the unit interval, from the tail that is nearer. */
static double base_mass(PetscBool even, double below, double above)
{
  const double pull = FARE_NORMALIZING_FLOW_PULL / sqrt(2), a = pull * (below - 0.5),
               b = pull * (above - 0.5);

  if (even) return above - below;
  return a > 0 ? 0.5 * (erfc(a) - erfc(b)) : 0.5 * (erfc(-b) - erfc(-a));
}

/* y and ln dy/dv at position x for one row; a periodic axis goes on beyond its ends. */
static double forward(const integral *in, int axis, int row, double x, double *log_slope)
{
  const fare_normalizing_flow *s    = in->sampler->state;
  double                       v    = fare_normalizing_flow_unit(s, axis, x), y;
  const double                 turn = fare_generative_is_periodic(in->sampler, axis) ? floor(v) : 0;

  v -= turn;
  fare_spline_forward(s->spline[axis], 1, &row, &v, &y, log_slope);
  return turn + y;
}

/* ln of the density of v, up to a constant. */
static double log_density(const integral *in, int axis, int row, double x)
{
  double       log_slope;
  const double u = FARE_NORMALIZING_FLOW_PULL * (forward(in, axis, row, x, &log_slope) - 0.5);

  return log_slope - (fare_generative_is_periodic(in->sampler, axis) ? 0 : 0.5 * u * u);
}

static void spread(integral *in, int axis);

static void add(integral *in, int axis, const nodes *parents, int row, double x, double mass, PetscInt cell)
{
  nodes *to = in->at[axis];

  for (int k = 0; k < axis - 1; k++) to->x[k][to->count] = parents->x[k][row];
  to->x[axis - 1][to->count] = x;
  to->mass[to->count]        = mass;
  to->cell[to->count]        = cell;
  if (++to->count == FARE_BLOCK) spread(in, axis);
}

/* Splits a cell's mass along `axis` over its Gauss points, nodes of the next axis. */
static void split(
  integral *in, int axis, const nodes *parents, int row, double lower, double mass, PetscInt cell)
{
  double share[POINTS], highest = -HUGE_VAL, sum = 0;

  for (int q = 0; q < POINTS; q++) {
    share[q] = log_density(in, axis, row, lower + offset[q] * in->grid->spacing[axis]);
    highest  = PetscMax(highest, share[q]);
  }
  for (int q = 0; q < POINTS; q++) sum += share[q] = weight[q] * exp(share[q] - highest);
  for (int q = 0; q < POINTS; q++)
    add(in, axis + 1, parents, row, lower + offset[q] * in->grid->spacing[axis], mass * share[q] / sum, cell);
}

/* Takes the nodes before `axis` along it, over the cells that this rank owns, and empties them. */
static void spread(integral *in, int axis)
{
  const fare_grid *grid            = in->grid;
  nodes           *from            = in->at[axis];
  const double    *x[FARE_DIM_MAX] = {from->x[0], from->x[1], from->x[2]};
  const PetscBool  even            = fare_generative_is_periodic(in->sampler, axis);
  PetscInt         stride          = 1;

  if (!from->count) return;
  for (int k = 0; k < axis; k++) stride *= grid->count[k];
  fare_normalizing_flow_condition(in->sampler, axis, in->time, from->count, x);
  for (int row = 0; row < from->count; row++) {
    double lower = grid->lower[axis] + grid->spacing[axis] * (double)grid->start[axis],
           below = forward(in, axis, row, lower, NULL);

    for (PetscInt i = 0; i < grid->count[axis]; i++) {
      const double upper  = grid->lower[axis] + grid->spacing[axis] * (double)(grid->start[axis] + i + 1),
                   above  = forward(in, axis, row, upper, NULL);
      const double   mass = from->mass[row] * base_mass(even, below, above);
      const PetscInt cell = from->cell[row] + stride * i;

      if (axis + 1 == grid->dim)
        in->masses[cell] += mass;
      else if (mass > 0)
        split(in, axis, from, row, lower, mass, cell);
      lower = upper;
      below = above;
    }
  }
  from->count = 0;
}

PetscErrorCode fare_normalizing_flow_masses(
  fare_sampler *sampler, double t, const fare_grid *grid, Vec *masses)
{
  float    time[64];
  integral in = {.sampler = sampler, .grid = grid, .time = time};

  PetscFunctionBegin;
  fare_generative_time(sampler, t, time);
  PetscCall(DMCreateGlobalVector(grid->dm, masses));
  PetscCall(VecSet(*masses, 0));
  PetscCall(VecGetArray(*masses, &in.masses));
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscNew(&in.at[axis]));
  in.at[0]->count   = 1;
  in.at[0]->mass[0] = 1;
  for (int axis = 0; axis < grid->dim; axis++) spread(&in, axis);
  for (int axis = 0; axis < grid->dim; axis++) PetscCall(PetscFree(in.at[axis]));
  PetscCall(VecRestoreArray(*masses, &in.masses));
  PetscFunctionReturn(0);
}

/* Adds an axis's part of ln q of n points of a block, given the axes before. */
static void add_axis(
  fare_sampler *sampler, int axis, const float time[], int n, const double *const x[], double to[])
{
  static const int             first[FARE_BLOCK]; /* all points belong to the one row of the first axis */
  const fare_normalizing_flow *s    = sampler->state;
  const PetscBool              even = fare_generative_is_periodic(sampler, axis);
  const double constant             = even ? 0 : log(FARE_NORMALIZING_FLOW_PULL) - 0.5 * log(2 * PETSC_PI);
  double       v[FARE_BLOCK], y[FARE_BLOCK], log_slope[FARE_BLOCK];

  for (int i = 0; i < n; i++) {
    v[i] = fare_normalizing_flow_unit(s, axis, x[axis][i]);
    if (even) v[i] -= floor(v[i]);
  }
  fare_normalizing_flow_condition(sampler, axis, time, n, x);
  fare_spline_forward(s->spline[axis], n, axis ? NULL : first, v, y, log_slope);
  for (int i = 0; i < n; i++) {
    const double u = even ? 0 : FARE_NORMALIZING_FLOW_PULL * (y[i] - 0.5);

    to[i] += constant - log(s->upper[axis] - s->lower[axis]) + log_slope[i] - 0.5 * u * u;
  }
}

PetscErrorCode fare_normalizing_flow_log_density(
  fare_sampler *sampler, int64_t n, const double *const x[], double log_density[])
{
  const fare_normalizing_flow *s   = sampler->state;
  const int                    dim = fare_system_dimension(sampler->system);
  const double                *at[FARE_AXES_MAX];
  float                        time[64];

  PetscFunctionBegin;
  PetscCall(fare_generative_check_ready(sampler));
  fare_generative_time(sampler, s->time, time);
  memset(log_density, 0, (size_t)n * sizeof *log_density);
  for (int64_t from = 0; from < n; from += FARE_BLOCK) {
    for (int axis = 0; axis < dim; axis++) at[axis] = x[axis] + from;
    for (int axis = 0; axis < dim; axis++)
      add_axis(sampler, axis, time, (int)PetscMin(n - from, FARE_BLOCK), at, log_density + from);
  }
  PetscFunctionReturn(0);
}
