/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Cell masses of what a flow has learned. The mass of a cell is the integral over its earlier axes of p(x_1)
  p(x_2|x_1) ..., times a difference of the cumulative function along the last one: the earlier ones at Gauss
  points, whose weights are scaled to the mass that their own axis gives the cell exactly.
*/
#include "normalizing_flow.h"

#include <petscdm.h>

#include <math.h>

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
