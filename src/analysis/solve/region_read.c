/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of states and points, as read from a plan. */
#include "analysis/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEEN           64    /* points along each axis at which a formula is looked at */
#define INTERVALS      65536 /* places at which a formula of one axis is looked at */
#define INTERVALS_MOST 64

/* For more boxes. */
static PetscErrorCode make_room(fare_region *region, size_t more)
{
  const size_t   boxes = region->boxes + more, dim = (size_t)region->dim;
  double        *lower = realloc(region->lower, (boxes * dim + 1) * sizeof *lower), *upper, *inset;
  fare_formula **formula;

  PetscFunctionBegin;
  if (lower) region->lower = lower;
  upper = realloc(region->upper, (boxes * dim + 1) * sizeof *upper);
  if (upper) region->upper = upper;
  inset = realloc(region->inset, (boxes + 1) * sizeof *inset);
  if (inset) region->inset = inset;
  formula = realloc(region->formula, (boxes + 1) * sizeof *formula);
  if (formula) region->formula = formula;
  if (!lower || !upper || !inset || !formula) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t box = region->boxes; box < boxes; box++) {
    region->formula[box] = NULL;
    region->inset[box]   = 0;
  }
  PetscFunctionReturn(0);
}

typedef struct {
  fare_reals       lower, upper;
  const fare_node *formula;
  double           inset;
} box_section;
static const fare_field box_fields[] = {
  {"lower", FARE_REALS, offsetof(box_section, lower), "", -HUGE_VAL, HUGE_VAL, NULL, "length",
    "lower corner; the grid's own unless given"},
  {"upper", FARE_REALS, offsetof(box_section, upper), "", -HUGE_VAL, HUGE_VAL, NULL, "length",
    "upper corner; the grid's own unless given"},
  {"formula", FARE_NODE, offsetof(box_section, formula), "", 0, 0, NULL, "",
    "of the axes: of the box, only where it is at least 0"},
  {"inset", FARE_REAL, offsetof(box_section, inset), "0", -1e9, 1e9, NULL, "length",
    "by which the boundary of the formula lies further in, to first order"},
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
  if (!box->lower.count && !box->upper.count && !box->formula)
    FARE_REFUSE(node, "expected a box {lower: [...], upper: [...]} or a formula, got neither");
  if (box->inset != 0 && !box->formula)
    FARE_REFUSE(fare_node_find(node, "inset"), "an inset is of a formula, and there is none");
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

/* A box with a formula: its bounds are numbers, and some cell's centre is in the set. */
static PetscErrorCode check_formula(
  const fare_node *node, const fare_analysis_context *context, const fare_region *region)
{
  const size_t box = region->boxes - 1;
  double       low[FARE_DIM_MAX], high[FARE_DIM_MAX], x[FARE_DIM_MAX];
  int          points = 1, found = 0;

  PetscFunctionBegin;
  for (int axis = 0; axis < context->dim; axis++) {
    const size_t at = box * (size_t)region->dim + (size_t)axis;

    if (context->open[axis] &&
      (region->lower[at] <= context->lower[axis] || region->upper[at] >= context->upper[axis]))
      FARE_REFUSE(
        node, "a formula needs a box: give truth.lower and truth.upper, or its own lower and upper");
    low[axis]  = PetscMax(region->lower[at], context->lower[axis]);
    high[axis] = PetscMin(region->upper[at], context->upper[axis]);
    points *= SEEN;
  }
  for (int point = 0; point < points; point++) {
    for (int axis = 0, rest = point; axis < context->dim; axis++, rest /= SEEN)
      x[axis] = low[axis] + (high[axis] - low[axis]) * (rest % SEEN + 0.5) / SEEN;
    if (isnan(fare_formula_at(region->formula[box], x, NULL)))
      FARE_REFUSE(
        node, "the formula has no value at %s = %g", fare_system_axis_name(context->system, 0), x[0]);
    found |= fare_region_has(region, x);
  }
  if (!found) FARE_REFUSE(node, "the formula is nowhere 0 or above in its box");
  PetscFunctionReturn(0);
}

/* On one axis, intervals stand for the formula of the last box: they take its place. */
static PetscErrorCode find_intervals(const fare_node *node, fare_region *region)
{
  const size_t box  = region->boxes - 1;
  const double from = region->lower[box], to = region->upper[box], step = (to - from) / INTERVALS;
  size_t       found = 0;
  double       edge[2 * INTERVALS_MOST];
  PetscBool    was = PETSC_FALSE;

  PetscFunctionBegin;
  for (int i = 0; i <= INTERVALS + 1; i++) {
    const double    x = i < INTERVALS ? from + step * i : to, before = x - step;
    const PetscBool in = i <= INTERVALS ? fare_region_has(region, &x) : PETSC_FALSE;

    if (in == was) continue;
    if (found == 2 * INTERVALS_MOST)
      FARE_REFUSE(node, "the formula defines more than %d intervals", INTERVALS_MOST);
    edge[found++] =
      i == 0 || i > INTERVALS ? x : fare_region_begins(region, box, &x, 0, in ? before : x, in ? x : before);
    was = in;
  }
  fare_formula_release(&region->formula[box]);
  region->boxes--;
  PetscCall(make_room(region, found / 2));
  for (size_t k = 0; k < found; k += 2) {
    region->lower[region->boxes]   = edge[k];
    region->upper[region->boxes++] = edge[k + 1];
  }
  PetscFunctionReturn(0);
}

/* A bound that is absent is the end of the truth's box. */
static PetscErrorCode read_bounds(
  const fare_node *node, const fare_analysis_context *context, const box_section *s, fare_region *region)
{
  const char *name[FARE_DIM_MAX];
  double     *lower = region->lower + region->boxes * (size_t)region->dim,
         *upper     = region->upper + region->boxes * (size_t)region->dim;

  PetscFunctionBegin;
  for (int axis = 0; axis < context->dim; axis++) {
    name[axis]  = fare_system_axis_name(context->system, axis);
    lower[axis] = (size_t)axis < s->lower.count ? s->lower.values[axis] : context->lower[axis];
    upper[axis] = (size_t)axis < s->upper.count ? s->upper.values[axis] : context->upper[axis];
  }
  PetscCall(check_box(node, context, s, lower, upper));
  region->boxes++;
  if (!s->formula) PetscFunctionReturn(0);
  region->inset[region->boxes - 1] = s->inset;
  PetscCall(fare_formula_from_config(s->formula, context->dim, name, &region->formula[region->boxes - 1]));
  PetscCall(check_formula(s->formula, context, region));
  if (context->dim == 1) PetscCall(find_intervals(s->formula, region));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_box(
  const fare_node *node, const fare_analysis_context *context, fare_region *region)
{
  box_section    section;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_MAP)
    FARE_REFUSE(node, "expected a box {lower: [...], upper: [...]} or a list of boxes");
  PetscCall(fare_fields_read(box_fields, NULL, node, &section));
  code = make_room(region, 1);
  if (!code) code = read_bounds(node, context, &section, region);
  fare_fields_free(box_fields, &section);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_region_read(
  const fare_node *node, const fare_analysis_context *context, fare_region *region)
{
  const PetscBool is_list = fare_node_kind_of(node) == FARE_NODE_LIST ? PETSC_TRUE : PETSC_FALSE;
  const size_t    boxes   = is_list ? fare_node_size(node) : 1;

  PetscFunctionBegin;
  if (!boxes)
    FARE_REFUSE(node, "expected a box {lower: [...], upper: [...]} or a list of boxes, got an empty list");
  region->dim = context->dim;
  for (size_t box = 0; box < boxes; box++)
    PetscCall(read_box(is_list ? fare_node_item(node, box) : node, context, region));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_region_add(const fare_region *from, fare_region *to)
{
  const size_t dim = (size_t)from->dim;

  PetscFunctionBegin;
  to->dim = from->dim;
  PetscCall(make_room(to, from->boxes));
  for (size_t box = 0; box < from->boxes; box++, to->boxes++) {
    memcpy(to->lower + to->boxes * dim, from->lower + box * dim, dim * sizeof *to->lower);
    memcpy(to->upper + to->boxes * dim, from->upper + box * dim, dim * sizeof *to->upper);
    to->formula[to->boxes] = from->formula ? fare_formula_keep(from->formula[box]) : NULL;
    to->inset[to->boxes]   = from->inset ? from->inset[box] : 0;
  }
  PetscFunctionReturn(0);
}

void fare_region_free(fare_region *region)
{
  for (size_t box = 0; region->formula && box < region->boxes; box++)
    fare_formula_release(&region->formula[box]);
  free(region->lower);
  free(region->upper);
  free(region->formula);
  free(region->inset);
  region->lower = region->upper = region->inset = NULL;
  region->formula                               = NULL;
  region->boxes                                 = 0;
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
