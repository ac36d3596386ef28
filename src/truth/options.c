/* SPDX-License-Identifier: BSD-2-Clause */
/* The section `truth:` of a plan, and the box and walls that it asks for. */
#include "truth.h"

#include <math.h>

#define SAME_TURNS 1e-9

static const char *const end_names[] = {
  "reflecting", "periodic", "absorbing", "absorbing_below", "absorbing_above", NULL};

static const char *const scheme_names[] = {"auto", "fitted", "high_order", NULL};

static const char *const kind_names[] = {"grid", NULL};

const fare_field fare_truth_fields[] = {
  {"kind", FARE_CHOICE, offsetof(fare_truth_options, kind), "grid", 0, 0, kind_names, "",
    "how it is computed: on one grid, or another kind of `fare list truths`, each with its own keys"},
  {"cells", FARE_INTEGERS, offsetof(fare_truth_options, cells), "", 4, FARE_CELLS_MAX, NULL, "",
    "cells per axis, each even; or give accuracy"},
  {"accuracy", FARE_REAL, offsetof(fare_truth_options, accuracy), "0", 0, 1, NULL, "",
    "largest estimated L1 error of any snapshot: pilot runs choose cells and tolerance; 0: both as "
    "given"},
  {"lower", FARE_REALS, offsetof(fare_truth_options, lower), "", -1e9, 1e9, NULL, "length",
    "lower corner of the box; the system's own unless given"},
  {"upper", FARE_REALS, offsetof(fare_truth_options, upper), "", -1e9, 1e9, NULL, "length",
    "upper corner of the box; the system's own unless given"},
  {"boundaries", FARE_CHOICES, offsetof(fare_truth_options, boundaries), "", 0, 0, end_names, "",
    "per axis; periodic where the system is, reflecting elsewhere, unless given"},
  {"tolerance", FARE_REAL, offsetof(fare_truth_options, tolerance), "1e-8", 1e-14, 0.1, NULL, "",
    "estimated L1 error that one time step may add"},
  {"extrapolate", FARE_BOOLEAN, offsetof(fare_truth_options, extrapolate), "true", 0, 0, NULL, "",
    "compare with the density extrapolated from truth and companions, of the next order in space, where it "
    "is smooth; needs estimate"},
  {"estimate", FARE_BOOLEAN, offsetof(fare_truth_options, estimate), "true", 0, 0, NULL, "",
    "also evolve coarser companions to estimate the error"},
  {"fit_domain", FARE_BOOLEAN, offsetof(fare_truth_options, fit_domain), "false", 0, 0, NULL, "",
    "find the box by pilot runs: the smallest that holds all but 1e-10 of the mass at all times"},
  {"scheme", FARE_CHOICE, offsetof(fare_truth_options, scheme), "auto", 0, 0, scheme_names, "",
    "fitted: positive rates, implicit, of second order where cells resolve drift against diffusion; "
    "high_order: explicit fluxes of order 7; auto: high_order where an axis has no diffusion or drift "
    "dominates it"},
  FARE_FIELDS_END,
};

static PetscErrorCode check_count(const fare_node *node, const char *key, int dim, size_t count)
{
  PetscFunctionBegin;
  if (count != (size_t)dim)
    FARE_REFUSE(fare_node_find(node, key), "expected %d number%s for a %d-dimensional system, got %zu", dim,
      dim > 1 ? "s" : "", dim, count);
  PetscFunctionReturn(0);
}

fare_boundary fare_truth_end(const fare_system *system, const fare_truth_options *options, int axis)
{
  return options->boundaries.count                ? (fare_boundary)options->boundaries.values[axis]
    : fare_system_type_of(system)->periodic[axis] ? FARE_BOUNDARY_PERIODIC
                                                  : FARE_BOUNDARY_REFLECTING;
}

fare_box fare_truth_box(const fare_system *system, const fare_truth_options *options)
{
  fare_box box = fare_system_box(system);

  for (int axis = 0; axis < fare_system_dimension(system); axis++) {
    if (options->lower.count) box.lower[axis] = options->lower.values[axis];
    if (options->upper.count) box.upper[axis] = options->upper.values[axis];
    box.periodic[axis] =
      fare_truth_end(system, options, axis) == FARE_BOUNDARY_PERIODIC ? PETSC_TRUE : PETSC_FALSE;
  }
  return box;
}

fare_walls fare_truth_walls(const fare_system *system, const fare_truth_options *options)
{
  const fare_box box = fare_truth_box(system, options);
  fare_boundary  end[FARE_DIM_MAX];

  for (int axis = 0; axis < fare_system_dimension(system); axis++)
    end[axis] = fare_truth_end(system, options, axis);
  return fare_walls_of(system, &box, end);
}

/* A circle closes only where the system does: anywhere else drift would jump there. */
static PetscErrorCode check_circle(
  const fare_node *node, const fare_system *system, const fare_truth_options *options, int axis)
{
  const fare_box own = fare_system_box(system), box = fare_truth_box(system, options);
  const double   period  = own.upper[axis] - own.lower[axis],
               turns     = (box.upper[axis] - box.lower[axis]) / period;
  const fare_node *list  = fare_node_find(node, own.periodic[axis] ? "upper" : "boundaries"),
                  *place = list && fare_node_kind_of(list) == FARE_NODE_LIST
    ? fare_node_item(list, (size_t)axis)
    : list;
  const char *name       = fare_system_axis_name(system, axis);

  PetscFunctionBegin;
  if (!box.periodic[axis]) PetscFunctionReturn(0);
  if (!own.periodic[axis])
    FARE_REFUSE(place, "system '%s' is not periodic along %s", fare_system_type_of(system)->name, name);
  if (fabs(turns - PetscMax(1, nearbyint(turns))) > SAME_TURNS * turns) {
    FARE_REFUSE(place,
      "%s is periodic: its ends lie one period (%.12g) or several apart, not %.12g; without lower and upper "
      "they are the system's own",
      name, period, turns * period);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_truth_options_from_config(
  const fare_node *node, const fare_system *system, fare_truth_options *options)
{
  const int dim   = fare_system_dimension(system);
  double    total = 1;

  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_truth_fields, NULL, node, options));
  if (!options->cells.count && !(options->accuracy > 0))
    FARE_REFUSE(node, "missing key 'cells' (cells per axis), or 'accuracy' instead");
  if (options->cells.count && options->accuracy > 0)
    FARE_REFUSE(fare_node_find(node, "accuracy"), "give either cells or accuracy, which chooses them");
  if (options->extrapolate && !options->estimate && fare_node_find(node, "extrapolate"))
    FARE_REFUSE(
      fare_node_find(node, "extrapolate"), "extrapolation needs the estimate, which is switched off");
  if (!options->estimate) options->extrapolate = PETSC_FALSE;
  if (options->accuracy > 0 && !options->estimate)
    FARE_REFUSE(fare_node_find(node, "accuracy"), "an accuracy needs the estimate, which is switched off");
  if (options->cells.count) PetscCall(check_count(node, "cells", dim, options->cells.count));
  if (options->lower.count) PetscCall(check_count(node, "lower", dim, options->lower.count));
  if (options->upper.count) PetscCall(check_count(node, "upper", dim, options->upper.count));
  if (options->boundaries.count) PetscCall(check_count(node, "boundaries", dim, options->boundaries.count));
  if (options->fit_domain && (options->lower.count || options->upper.count))
    FARE_REFUSE(
      fare_node_find(node, "fit_domain"), "give either lower and upper or fit_domain, which finds them");
  if (!options->lower.count != !options->upper.count) FARE_REFUSE(node, "lower and upper go together");
  for (int axis = 0; axis < dim; axis++) {
    if (options->cells.count) total *= (double)options->cells.values[axis];
    if (options->cells.count && options->cells.values[axis] % 2)
      FARE_REFUSE(fare_node_find(node, "cells"),
        "expected an even number of cells, got %lld (the error estimate compares with half as many)",
        (long long)options->cells.values[axis]);
    if (options->lower.count && !(options->lower.values[axis] < options->upper.values[axis]))
      FARE_REFUSE(fare_node_find(node, "upper"), "upper must lie above lower, got %g and %g",
        options->upper.values[axis], options->lower.values[axis]);
    PetscCall(check_circle(node, system, options, axis));
  }
  if (total > FARE_CELLS_MAX)
    FARE_REFUSE(
      fare_node_find(node, "cells"), "%g cells are more than the limit of %d", total, FARE_CELLS_MAX);
  PetscFunctionReturn(0);
}

void fare_truth_options_free(fare_truth_options *options)
{
  fare_fields_free(fare_truth_fields, options);
}
