/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of states: unions of boxes, or of parts of them by formulas, and how cells and edges lie in them. */
#include "analysis/analysis.h"

#include <math.h>
#include <stdlib.h>

#define PARTS     4    /* of a cell along each axis, to tell what share of it a formula takes */
#define LATTICE   48   /* points along each axis at which two sets are compared, of which one has a formula */
#define STRIDES   4096 /* along a box, to find where a formula begins */
#define BISECTION 50

/* At least 0 in the set, of boxes with a formula; and the length of its slope. */
static double level(const fare_region *r, size_t box, const double x[], double *steep)
{
  double slope[FARE_DIM_MAX], value, sum = 0;

  if (!r->inset[box] && !steep) return fare_formula_at(r->formula[box], x, NULL);
  value = fare_formula_at(r->formula[box], x, slope);
  for (int axis = 0; axis < r->dim; axis++) sum += slope[axis] * slope[axis];
  if (steep) *steep = sqrt(sum);
  return r->inset[box] != 0 ? value - r->inset[box] * sqrt(sum) : value;
}

static PetscBool has_formula(const fare_region *r, size_t box)
{
  return r->formula && r->formula[box] ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_region_has_formulas(const fare_region *region)
{
  for (size_t box = 0; box < region->boxes; box++) {
    if (has_formula(region, box)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

double fare_region_gap(const fare_region *region, size_t box, const double x[])
{
  double steep, below, diagonal = 0;

  if (!has_formula(region, box)) return 0;
  below = PetscMax(0, -level(region, box, x, &steep));
  for (size_t at = box * (size_t)region->dim; at < (box + 1) * (size_t)region->dim; at++)
    diagonal += PetscSqr(region->upper[at] - region->lower[at]);
  return below > 0 ? below / hypot(steep, below / sqrt(diagonal)) : 0;
}

static PetscBool box_has(const fare_region *r, size_t box, const double x[])
{
  for (int axis = 0; axis < r->dim; axis++) {
    if (!(x[axis] >= r->lower[box * (size_t)r->dim + (size_t)axis] &&
          x[axis] <= r->upper[box * (size_t)r->dim + (size_t)axis]))
      return PETSC_FALSE;
  }
  return !has_formula(r, box) || level(r, box, x, NULL) >= 0 ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_region_has(const fare_region *region, const double x[])
{
  for (size_t box = 0; box < region->boxes; box++) {
    if (box_has(region, box, x)) return region->outside ? PETSC_FALSE : PETSC_TRUE;
  }
  return region->outside;
}

static PetscBool is_within_cell(const fare_grid *grid, int axis, double bound)
{
  const double least = 1e-6, place = (bound - grid->lower[axis]) / grid->spacing[axis];

  return bound > grid->lower[axis] && bound < grid->upper[axis] && fabs(place - round(place)) > least
    ? PETSC_TRUE
    : PETSC_FALSE;
}

PetscBool fare_region_cuts(const fare_region *region, const fare_grid *grid)
{
  PetscBool cuts = fare_region_has_formulas(region);

  for (size_t at = 0; at < region->boxes * (size_t)region->dim; at++) {
    const int axis = (int)(at % (size_t)region->dim);

    cuts |= is_within_cell(grid, axis, region->lower[at]) || is_within_cell(grid, axis, region->upper[at]);
  }
  return cuts;
}

/* Whether two boxes share more than a boundary; where one has a formula, a point of a lattice. */
static PetscBool boxes_overlap(const fare_region *a, size_t i, const fare_region *b, size_t j)
{
  double low[FARE_DIM_MAX], high[FARE_DIM_MAX], x[FARE_DIM_MAX];
  int    points = 1;

  for (int axis = 0; axis < a->dim; axis++) {
    const size_t p = i * (size_t)a->dim + (size_t)axis, q = j * (size_t)a->dim + (size_t)axis;

    low[axis]  = PetscMax(a->lower[p], b->lower[q]);
    high[axis] = PetscMin(a->upper[p], b->upper[q]);
    if (!(low[axis] < high[axis])) return PETSC_FALSE;
    points *= LATTICE;
  }
  if (!has_formula(a, i) && !has_formula(b, j)) return PETSC_TRUE;
  for (int point = 0; point < points; point++) {
    for (int axis = 0, rest = point; axis < a->dim; axis++, rest /= LATTICE)
      x[axis] = low[axis] + (high[axis] - low[axis]) * (rest % LATTICE + 0.5) / LATTICE;
    if (box_has(a, i, x) && box_has(b, j, x)) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

PetscBool fare_region_overlaps(const fare_region *a, const fare_region *b)
{
  for (size_t i = 0; i < a->boxes; i++) {
    for (size_t j = 0; j < b->boxes; j++) {
      if (boxes_overlap(a, i, b, j)) return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

/* The part of a cell that lies in a box with a formula. */
static double part_of(const fare_region *region, size_t box, const fare_grid *grid, const PetscInt index[])
{
  int parts = 1, in = 0;

  for (int axis = 0; axis < region->dim; axis++) parts *= PARTS;
  for (int part = 0; part < parts; part++) {
    double x[FARE_DIM_MAX];

    for (int axis = 0, rest = part; axis < region->dim; axis++, rest /= PARTS)
      x[axis] = fare_grid_centre(grid, axis, index[axis]) +
        grid->spacing[axis] * ((rest % PARTS + 0.5) / PARTS - 0.5);
    in += box_has(region, box, x);
  }
  return (double)in / parts;
}

double fare_region_share(const fare_region *region, const fare_grid *grid, const PetscInt index[])
{
  double share = 0;

  for (size_t box = 0; box < region->boxes; box++) {
    double part = 1;

    if (has_formula(region, box)) {
      share += part_of(region, box, grid, index);
      continue;
    }
    for (int axis = 0; axis < region->dim; axis++) {
      const size_t at    = box * (size_t)region->dim + (size_t)axis;
      const double below = fare_grid_centre(grid, axis, index[axis]) - 0.5 * grid->spacing[axis],
                   above = below + grid->spacing[axis];

      part *= PetscMax(0, PetscMin(above, region->upper[at]) - PetscMax(below, region->lower[at])) /
        grid->spacing[axis];
    }
    share += part;
  }
  share = PetscMin(1, share);
  return region->outside ? 1 - share : share;
}

double fare_region_begins(
  const fare_region *region, size_t box, const double x[], int axis, double outside, double inside)
{
  double y[FARE_DIM_MAX];

  for (int a = 0; a < region->dim; a++) y[a] = x[a];
  for (int k = 0; k < BISECTION; k++) {
    y[axis] = 0.5 * (outside + inside);
    if (box_has(region, box, y))
      inside = y[axis];
    else
      outside = y[axis];
  }
  return inside;
}

double fare_region_crossing(
  const fare_region *region, const fare_grid *grid, const double x[], int axis, int side)
{
  const double least = 1e-6, h = grid->spacing[axis], sign = side ? 1 : -1;
  double       crossing = region->outside ? 0 : 1, there[FARE_DIM_MAX];

  for (int a = 0; a < region->dim; a++) there[a] = x[a];
  there[axis] += sign * h;
  /*
    over a periodic end the neighbour is at the other one; distances are measured from the centre that lies in
    the box
  */
  if (there[axis] > grid->upper[axis]) there[axis] -= grid->upper[axis] - grid->lower[axis];
  if (there[axis] < grid->lower[axis]) there[axis] += grid->upper[axis] - grid->lower[axis];
  for (size_t box = 0; box < region->boxes; box++) {
    const size_t at = box * (size_t)region->dim + (size_t)axis;

    if (region->outside && box_has(region, box, x))
      crossing = PetscMax(crossing, sign * ((side ? region->upper[at] : region->lower[at]) - x[axis]) / h);
    if (!region->outside && has_formula(region, box) && box_has(region, box, there))
      crossing = PetscMin(crossing,
        1 -
          sign *
            (there[axis] -
              fare_region_begins(region, box, there, axis, there[axis] - sign * h, there[axis])) /
            h);
    else if (!region->outside && box_has(region, box, there))
      crossing =
        PetscMin(crossing, 1 - sign * (there[axis] - (side ? region->lower[at] : region->upper[at])) / h);
  }
  return PetscMin(1, PetscMax(least, crossing));
}

PetscBool fare_region_is_beyond(const fare_region *region, const double lower[], const double upper[])
{
  for (size_t box = 0; box < region->boxes && region->outside; box++) {
    PetscBool whole = PETSC_TRUE;

    for (int axis = 0; axis < region->dim; axis++) {
      const size_t at = box * (size_t)region->dim + (size_t)axis;

      if (region->lower[at] > lower[axis] || region->upper[at] < upper[axis]) whole = PETSC_FALSE;
    }
    if (whole) return PETSC_TRUE;
  }
  return PETSC_FALSE;
}

/* As fare_region_reach(), of one box with a formula: in strides, the last of them more closely. */
static double reach_formula(
  const fare_region *region, size_t box, const double x[], int axis, int side, double period)
{
  const size_t at    = box * (size_t)region->dim + (size_t)axis;
  const double lower = region->lower[at], upper = region->upper[at], stride = (upper - lower) / STRIDES,
               sign = side ? 1 : -1;
  double y[FARE_DIM_MAX], way = PetscMax(0, side ? lower - x[axis] : x[axis] - upper);

  for (int a = 0; a < region->dim; a++) y[a] = x[a];
  if (period > 0) way = 0;
  for (; way <= (period > 0 ? period : (side ? upper - x[axis] : x[axis] - lower)); way += stride) {
    y[axis] = x[axis] + sign * way;
    if (period > 0) y[axis] -= period * floor((y[axis] - lower) / period);
    if (box_has(region, box, y))
      return way -
        sign *
        (y[axis] - fare_region_begins(region, box, y, axis, y[axis] - sign * PetscMin(way, stride), y[axis]));
  }
  return HUGE_VAL;
}

double fare_region_reach(const fare_region *region, const double x[], int axis, int side, double period)
{
  double reach = region->outside ? 0 : HUGE_VAL, y[FARE_DIM_MAX];

  for (int a = 0; a < region->dim; a++) y[a] = x[a];
  for (size_t box = 0; box < region->boxes; box++) {
    const size_t at    = box * (size_t)region->dim + (size_t)axis;
    const double lower = region->lower[at], upper = region->upper[at];
    double       way = side ? lower - x[axis] : x[axis] - upper;

    if (region->outside) {
      if (box_has(region, box, x)) reach = PetscMax(reach, side ? upper - x[axis] : x[axis] - lower);
      continue;
    }
    if (has_formula(region, box)) {
      reach = PetscMin(reach, reach_formula(region, box, x, axis, side, period));
      continue;
    }
    y[axis] = PetscMax(lower, PetscMin(upper, x[axis]));
    if (!box_has(region, box, y)) continue;
    if (period > 0 && way < 0) way += period * ceil(-way / period);
    if (way >= 0) reach = PetscMin(reach, way);
  }
  return reach;
}

PetscBool fare_cell_over(const fare_grid *grid, const PetscInt index[], int face, PetscInt there[])
{
  const int axis = face / 2;

  for (int a = 0; a < FARE_DIM_MAX; a++) there[a] = index[a];
  there[axis] += face % 2 ? 1 : -1;
  if (there[axis] >= 0 && there[axis] < grid->cells[axis]) return PETSC_TRUE;
  if (grid->boundary[axis] != FARE_BOUNDARY_PERIODIC) return PETSC_FALSE;
  there[axis] = (there[axis] + grid->cells[axis]) % grid->cells[axis];
  return PETSC_TRUE;
}
