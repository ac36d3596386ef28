/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of states: unions of boxes, how cells and edges lie in them, and points; as read from a plan. */
#include "analysis/analysis.h"

#include <math.h>
#include <stdlib.h>

static PetscBool box_has(const fare_region *r, size_t box, const double x[])
{
  for (int axis = 0; axis < r->dim; axis++) {
    if (!(x[axis] >= r->lower[box * (size_t)r->dim + (size_t)axis] &&
          x[axis] <= r->upper[box * (size_t)r->dim + (size_t)axis]))
      return PETSC_FALSE;
  }
  return PETSC_TRUE;
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
  PetscBool cuts = PETSC_FALSE;

  for (size_t at = 0; at < region->boxes * (size_t)region->dim; at++) {
    const int axis = (int)(at % (size_t)region->dim);

    cuts |= is_within_cell(grid, axis, region->lower[at]) || is_within_cell(grid, axis, region->upper[at]);
  }
  return cuts;
}

PetscBool fare_region_overlaps(const fare_region *a, const fare_region *b)
{
  for (size_t i = 0; i < a->boxes; i++) {
    for (size_t j = 0; j < b->boxes; j++) {
      int shared = 0;

      for (int axis = 0; axis < a->dim; axis++) {
        const size_t p = i * (size_t)a->dim + (size_t)axis, q = j * (size_t)a->dim + (size_t)axis;

        shared += PetscMax(a->lower[p], b->lower[q]) < PetscMin(a->upper[p], b->upper[q]);
      }
      if (shared == a->dim) return PETSC_TRUE;
    }
  }
  return PETSC_FALSE;
}

double fare_region_share(const fare_region *region, const fare_grid *grid, const PetscInt index[])
{
  double share = 0;

  for (size_t box = 0; box < region->boxes; box++) {
    double part = 1;

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
    if (!region->outside && box_has(region, box, there))
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

typedef struct {
  fare_reals lower, upper;
} box_section;
static const fare_field box_fields[] = {
  {"lower", FARE_REALS, offsetof(box_section, lower), "", -HUGE_VAL, HUGE_VAL, NULL, "length",
    "lower corner; the grid's own unless given"},
  {"upper", FARE_REALS, offsetof(box_section, upper), "", -HUGE_VAL, HUGE_VAL, NULL, "length",
    "upper corner; the grid's own unless given"},
  FARE_FIELDS_END,
};

/* Centres of cells of the coarsest grid between two bounds. */
static double centres_between(const fare_analysis_context *context, int axis, double lower, double upper)
{
  const double h     = (context->upper[axis] - context->lower[axis]) / (double)context->cells[axis];
  const double first = PetscMax(0, ceil((lower - context->lower[axis]) / h - 0.5)),
               last =
                 PetscMin((double)context->cells[axis] - 1, floor((upper - context->lower[axis]) / h - 0.5));

  return last - first + 1;
}

static PetscErrorCode check_box(const fare_node *node, const fare_analysis_context *context,
  const box_section *box, const double lower[], const double upper[])
{
  static const char *const keys[]  = {"lower", "upper"};
  const fare_reals *const  given[] = {&box->lower, &box->upper};

  PetscFunctionBegin;
  if (!box->lower.count && !box->upper.count)
    FARE_REFUSE(node, "expected a box {lower: [...], upper: [...]}, got neither");
  for (int side = 0; side < 2; side++) {
    if (given[side]->count && given[side]->count != (size_t)context->dim)
      FARE_REFUSE(fare_node_find(node, keys[side]),
        "expected %d number%s for a %d-dimensional system, got %zu", context->dim,
        context->dim > 1 ? "s" : "", context->dim, given[side]->count);
  }
  for (int axis = 0; axis < context->dim; axis++) {
    const char *name = fare_system_axis_name(context->system, axis);

    if (given[0]->count && given[1]->count && !(given[0]->values[axis] < given[1]->values[axis]))
      FARE_REFUSE(fare_node_find(node, "upper"), "upper must lie above lower, got %g and %g",
        given[1]->values[axis], given[0]->values[axis]);
    if (!(PetscMax(lower[axis], context->lower[axis]) < PetscMin(upper[axis], context->upper[axis])))
      FARE_REFUSE(node, "[%g, %g] along %s lies outside the truth's box, [%g, %g]", lower[axis], upper[axis],
        name, context->lower[axis], context->upper[axis]);
    if (!context->open[axis] && centres_between(context, axis, lower[axis], upper[axis]) < 1) {
      FARE_REFUSE(node, "[%g, %g] along %s is so narrow that it contains no cell centre (of %lld cells)",
        lower[axis], upper[axis], name, (long long)context->cells[axis]);
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_box(
  const fare_node *node, const fare_analysis_context *context, double lower[], double upper[])
{
  box_section    box;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a box {lower: [...], upper: [...]} or a list of boxes");
  PetscCall(fare_fields_read(box_fields, NULL, node, &box));
  for (int axis = 0; axis < context->dim; axis++) {
    lower[axis] = (size_t)axis < box.lower.count ? box.lower.values[axis] : context->lower[axis];
    upper[axis] = (size_t)axis < box.upper.count ? box.upper.values[axis] : context->upper[axis];
  }
  code = check_box(node, context, &box, lower, upper);
  fare_fields_free(box_fields, &box);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_region_read(
  const fare_node *node, const fare_analysis_context *context, fare_region *region)
{
  const PetscBool is_list = fare_node_kind_of(node) == FARE_NODE_LIST ? PETSC_TRUE : PETSC_FALSE;
  const size_t    boxes = is_list ? fare_node_size(node) : 1, dim = (size_t)context->dim;

  PetscFunctionBegin;
  if (!boxes)
    FARE_REFUSE(node, "expected a box {lower: [...], upper: [...]} or a list of boxes, got an empty list");
  region->dim   = context->dim;
  region->boxes = boxes;
  region->lower = calloc(boxes * dim, sizeof *region->lower);
  region->upper = calloc(boxes * dim, sizeof *region->upper);
  if (!region->lower || !region->upper) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t box = 0; box < boxes; box++)
    PetscCall(read_box(is_list ? fare_node_item(node, box) : node, context, region->lower + box * dim,
      region->upper + box * dim));
  PetscFunctionReturn(0);
}

void fare_region_free(fare_region *region)
{
  free(region->lower);
  free(region->upper);
  region->lower = region->upper = NULL;
  region->boxes                 = 0;
}

PetscErrorCode fare_points_read(
  const fare_node *node, const fare_analysis_context *context, fare_points *points)
{
  const size_t dim = (size_t)context->dim;

  PetscFunctionBegin;
  if (!node) PetscFunctionReturn(0);
  if (fare_node_kind_of(node) != FARE_NODE_LIST)
    FARE_REFUSE(node, "expected a list of points, each a list of %zu number%s", dim, dim > 1 ? "s" : "");
  points->x = calloc(fare_node_size(node) * dim + 1, sizeof *points->x);
  if (!points->x) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < fare_node_size(node); i++) {
    const fare_node *point = fare_node_item(node, i);
    const PetscBool  bare =
      dim == 1 && fare_node_kind_of(point) == FARE_NODE_SCALAR ? PETSC_TRUE : PETSC_FALSE;

    if (!bare && (fare_node_kind_of(point) != FARE_NODE_LIST || fare_node_size(point) != dim))
      FARE_REFUSE(point, "expected a point, a list of %zu number%s", dim, dim > 1 ? "s" : "");
    for (size_t axis = 0; axis < dim; axis++) {
      double *x = &points->x[i * dim + axis];

      PetscCall(fare_node_real(bare ? point : fare_node_item(point, axis), x));
      if (!(*x >= context->lower[axis] && *x <= context->upper[axis]))
        FARE_REFUSE(
          point, "%g lies outside the truth's box, [%g, %g]", *x, context->lower[axis], context->upper[axis]);
    }
    points->count = i + 1;
  }
  PetscFunctionReturn(0);
}

void fare_points_free(fare_points *points)
{
  free(points->x);
  points->x     = NULL;
  points->count = 0;
}
