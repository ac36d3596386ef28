/* SPDX-License-Identifier: BSD-2-Clause */
/* Densities to begin with, and the schedule of snapshots. */
#include <fare/initial.h>

#include "density_file.h"
#include "system.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {"boltzmann", "gaussian", "uniform", "mixture", "point", "snapshot", NULL};

const fare_field fare_initial_fields[] = {
  {"density", FARE_CHOICE, offsetof(fare_initial, density), "boltzmann", 0, 0, kinds, "",
    "boltzmann: exp(-V/kT) at the start; gaussian; uniform: over the truth's box; mixture: of gaussians; "
    "point: a narrow gaussian; snapshot: the density of a file"},
  {"mean", FARE_REALS, offsetof(fare_initial, mean), "", -1e6, 1e6, NULL, "",
    "gaussian, point: mean per axis; mixture: one component after another; beyond 3 axes one number stands "
    "for "
    "all axes"},
  {"sd", FARE_REALS, offsetof(fare_initial, sd), "", 1e-9, 1e6, NULL, "",
    "gaussian, mixture: standard deviations, as mean; point: 1/100 of the domain by default"},
  {"weights", FARE_REALS, offsetof(fare_initial, weights), "", 1e-12, 1e12, NULL, "",
    "mixture: of its components, normalised to 1"},
  {"file", FARE_STRING, offsetof(fare_initial, file), "", 0, 0, NULL, "",
    "snapshot: a snapshot_*.h5 of a study of this dimension"},
  FARE_FIELDS_END,
};

/* The place to complain about: the key if it is there, else the section. */
static const fare_node *place(const fare_node *node, const char *key)
{
  return fare_node_find(node, key) ? fare_node_find(node, key) : node;
}

/* Which keys a kind has: others are refused, lest they be thought to do something. */
static PetscErrorCode check_keys(const fare_node *node, const fare_initial *initial)
{
  const int         kind      = initial->density;
  const PetscBool   gaussians = fare_initial_is_gaussian(initial);
  const char *const stray     = !gaussians && initial->mean.count ? "mean"
        : !gaussians && initial->sd.count                         ? "sd"
        : kind != FARE_INITIAL_MIXTURE && initial->weights.count  ? "weights"
        : kind != FARE_INITIAL_SNAPSHOT && initial->file          ? "file"
                                                                  : NULL;

  PetscFunctionBegin;
  if (stray) FARE_REFUSE(place(node, stray), "not used with density: %s", kinds[kind]);
  PetscFunctionReturn(0);
}

static PetscErrorCode check_numbers(
  const fare_node *node, const char *key, size_t wanted, size_t given, const char *what)
{
  PetscFunctionBegin;
  if (given != wanted)
    FARE_REFUSE(place(node, key), "%s needs %zu number%s in '%s', got %zu", what, wanted,
      wanted > 1 ? "s" : "", key, given);
  PetscFunctionReturn(0);
}

/*
  Beyond a grid's axes, and of copies of a unit, one number, or one of each component, stands for all axes.
  *list becomes as long as it is wanted then.
*/
static PetscErrorCode spread(const fare_system *system, fare_reals *list, size_t dim, size_t components)
{
  const PetscBool alike = dim > FARE_DIM_MAX || system->origin.composite ? PETSC_TRUE : PETSC_FALSE;
  const size_t    given = list->count;
  double         *values;

  PetscFunctionBegin;
  if (!alike || (given != 1 && given != components)) PetscFunctionReturn(0);
  values = calloc(dim * components, sizeof *values);
  if (!values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (size_t i = 0; i < dim * components; i++) values[i] = list->values[given == 1 ? 0 : i / dim];
  free(list->values);
  *list = (fare_reals){.count = dim * components, .values = values};
  PetscFunctionReturn(0);
}

/* A point is a gaussian that is narrow by the measure of the domain. */
static PetscErrorCode widen_point(const fare_system *system, fare_initial *initial)
{
  const fare_system_type *type = fare_system_type_of(system);
  const size_t            dim  = (size_t)fare_system_dimension(system);

  PetscFunctionBegin;
  if (initial->sd.count) PetscFunctionReturn(0);
  initial->sd.values = calloc(dim, sizeof *initial->sd.values);
  if (!initial->sd.values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  initial->sd.count = dim;
  for (size_t axis = 0; axis < dim; axis++)
    initial->sd.values[axis] = 0.01 * (type->upper[axis] - type->lower[axis]);
  PetscFunctionReturn(0);
}

static PetscErrorCode check(const fare_node *node, const fare_system *system, fare_initial *initial)
{
  const size_t dim  = (size_t)fare_system_dimension(system);
  const char  *name = fare_system_type_of(system)->name;
  char         what[64];

  PetscFunctionBegin;
  PetscCall(check_keys(node, initial));
  PetscCall(spread(system, &initial->mean, dim, PetscMax(1, initial->weights.count)));
  PetscCall(spread(system, &initial->sd, dim, PetscMax(1, initial->weights.count)));
  snprintf(what, sizeof what, "a %s in %zu dimension%s", kinds[initial->density], dim, dim > 1 ? "s" : "");
  switch ((fare_initial_kind)initial->density) {
  case FARE_INITIAL_BOLTZMANN:
    if (fare_system_has_potential(system)) break;
    if (node)
      FARE_REFUSE(node, "system '%s' has no potential, so no initial Boltzmann density: give another", name);
    FARE_FAIL(FARE_ERR_INPUT,
      "system '%s' has no potential, so no initial Boltzmann density: give another, say initial: "
      "{density: gaussian, mean: [...], sd: [...]}",
      name);
  case FARE_INITIAL_UNIFORM:
    break;
  case FARE_INITIAL_POINT:
    PetscCall(check_numbers(node, "mean", dim, initial->mean.count, what));
    PetscCall(widen_point(system, initial));
    PetscCall(check_numbers(node, "sd", dim, initial->sd.count, what));
    break;
  case FARE_INITIAL_GAUSSIAN:
    PetscCall(check_numbers(node, "mean", dim, initial->mean.count, what));
    PetscCall(check_numbers(node, "sd", dim, initial->sd.count, what));
    break;
  case FARE_INITIAL_MIXTURE:
    if (!initial->weights.count) FARE_REFUSE(node, "a mixture needs 'weights', one per component");
    PetscCall(check_numbers(node, "mean", dim * initial->weights.count, initial->mean.count, what));
    PetscCall(check_numbers(node, "sd", dim * initial->weights.count, initial->sd.count, what));
    break;
  case FARE_INITIAL_SNAPSHOT:
    if (!initial->file) FARE_REFUSE(node, "density: snapshot needs 'file'");
    if (dim > FARE_DIM_MAX)
      FARE_REFUSE(place(node, "density"),
        "a snapshot holds a density of up to %d axes, the system has %zu: take "
        "gaussian or mixture",
        FARE_DIM_MAX, dim);
    PetscCall(fare_density_file_read(place(node, "file"), initial->file, (int)dim, &initial->density_file));
    break;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_initial_from_config(
  const fare_node *node, const fare_system *system, fare_initial *initial)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(fare_fields_read(fare_initial_fields, NULL, node, initial));
  code = check(node, system, initial);
  if (code) fare_initial_free(initial);
  PetscFunctionReturn(code);
}

void fare_initial_free(fare_initial *initial)
{
  fare_density_file_destroy(&initial->density_file);
  fare_fields_free(fare_initial_fields, initial);
}

PetscBool fare_initial_is_gaussian(const fare_initial *initial)
{
  return initial->density == FARE_INITIAL_GAUSSIAN || initial->density == FARE_INITIAL_MIXTURE ||
      initial->density == FARE_INITIAL_POINT
    ? PETSC_TRUE
    : PETSC_FALSE;
}

void fare_initial_cells(const fare_initial *initial, int64_t cells[], double lower[], double spacing[])
{
  fare_density_file_cells(initial->density_file, cells, lower, spacing);
}

fare_box fare_initial_box(const fare_initial *initial, const fare_system *system)
{
  return initial->box ? *initial->box : fare_system_box(system);
}

#define IMAGES 9.0 /* standard deviations from the nearest image to those that no longer count */
#define EVEN   1.5 /* turns: so wide a gaussian is even round the circle, to rounding */

/*
  ln of a gaussian at a distance from its mean; round a circle, of all its images: what lies beyond one end
  comes in at the other, as particles do.
*/
static double log_gaussian(double distance, double sd, double period)
{
  double near, sum = 0;
  int    most;

  if (period <= 0) return -0.5 * (distance / sd) * (distance / sd);
  if (sd > EVEN * period) return log(sqrt(2 * PETSC_PI) * sd / period);
  near = distance - period * nearbyint(distance / period);
  most = 1 + (int)(IMAGES * sd / period);
  /* to the nearest, which may be next to nothing */
  for (int k = -most; k <= most; k++) sum += exp(-0.5 * k * period * (2 * near + k * period) / (sd * sd));
  return log(sum) - 0.5 * (near / sd) * (near / sd);
}

/* ln of a sum of gaussians, the largest taken out before summing. */
static double log_gaussians(
  const fare_initial *initial, int dim, const double period[], const double *const x[], size_t i)
{
  const size_t components = initial->weights.count ? initial->weights.count : 1;
  double       highest = -HUGE_VAL, sum = 0;

  for (int pass = 0; pass < (components > 1 ? 2 : 1); pass++) {
    for (size_t c = 0; c < components; c++) {
      double exponent = initial->weights.count ? log(initial->weights.values[c]) : 0;

      for (int axis = 0; axis < dim; axis++) {
        const size_t at = c * (size_t)dim + (size_t)axis;

        exponent +=
          log_gaussian(x[axis][i] - initial->mean.values[at], initial->sd.values[at], period[axis]) -
          (components > 1 ? log(initial->sd.values[at]) : 0);
      }
      if (pass)
        sum += exp(exponent - highest);
      else
        highest = PetscMax(highest, exponent);
    }
  }
  return components > 1 ? highest + log(sum) : highest;
}

void fare_initial_log_density(const fare_initial *initial, const fare_system *system, double t, size_t n,
  const double *const x[], double log_density[])
{
  const fare_box box = fare_initial_box(initial, system);
  const int      dim = fare_system_dimension(system);
  double         period[FARE_AXES_MAX], kT;

  for (int axis = 0; axis < dim; axis++)
    period[axis] = box.periodic[axis] ? box.upper[axis] - box.lower[axis] : 0;
  switch ((fare_initial_kind)initial->density) {
  case FARE_INITIAL_BOLTZMANN:
    fare_system_potential(system, t, n, x, log_density);
    kT = fare_system_kT(system, t);
    for (size_t i = 0; i < n; i++) log_density[i] /= -kT;
    break;
  case FARE_INITIAL_GAUSSIAN:
  case FARE_INITIAL_POINT:
  case FARE_INITIAL_MIXTURE:
    for (size_t i = 0; i < n; i++) log_density[i] = log_gaussians(initial, dim, period, x, i);
    break;
  case FARE_INITIAL_UNIFORM:
    for (size_t i = 0; i < n; i++) log_density[i] = 0;
    break;
  case FARE_INITIAL_SNAPSHOT:
    fare_density_file_log_density(initial->density_file, n, x, log_density);
    break;
  }
}
