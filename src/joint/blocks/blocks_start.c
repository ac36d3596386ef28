/* SPDX-License-Identifier: BSD-2-Clause */
/* What the blocks of a product begin with, the boxes and cells of their truths, and whether they can be. */
#include "blocks.h"

#include <math.h>
#include <stdlib.h>

#define SAME_SD 1e-12 /* relative */

/* Axes of all units, and of those before one. */
static int unit_axes(const fare_product *product, int unit, int *before)
{
  int sum = 0, last = -1;

  if (before) *before = 0;
  for (int b = 0; b < fare_product_blocks(product); b++) {
    int axes;

    if (fare_product_unit(product, b) == last) continue;
    last = fare_product_unit(product, b);
    if (last == unit && before) *before = sum;
    fare_product_first(product, b, &axes);
    sum += axes;
  }
  return sum;
}

static PetscErrorCode check_counts(const fare_blocks *all, const fare_product *product)
{
  const size_t wanted = (size_t)unit_axes(product, 0, NULL);

  PetscFunctionBegin;
  if (all->cells.count != 1 && all->cells.count != wanted)
    FARE_FAIL(FARE_ERR_INPUT,
      "cells: expected 1 number, or %zu: one for each axis of each unit, not of each copy; got %zu", wanted,
      all->cells.count);
  for (size_t i = 0; i < all->cells.count; i++) {
    if (all->cells.values[i] % 2)
      FARE_FAIL(FARE_ERR_INPUT,
        "cells: expected even numbers, got %lld (the error estimate compares with half as many)",
        (long long)all->cells.values[i]);
  }
  if (all->lower.count != all->upper.count || (all->lower.count && all->lower.count != wanted))
    FARE_FAIL(FARE_ERR_INPUT,
      "lower and upper: expected %zu numbers each, one for each axis of each unit; got %zu and %zu", wanted,
      all->lower.count, all->upper.count);
  for (size_t i = 0; i < all->lower.count; i++) {
    if (!(all->lower.values[i] < all->upper.values[i]))
      FARE_FAIL(FARE_ERR_INPUT, "upper must lie above lower, got %g and %g", all->upper.values[i],
        all->lower.values[i]);
  }
  PetscFunctionReturn(0);
}

/* A density to begin with is a product of the blocks', or there is no product at all. */
static PetscErrorCode check_initial(const fare_product *product, const fare_initial *initial)
{
  const PetscBool rotated = fare_product_frame(product) == FARE_FRAME_ROTATION ? PETSC_TRUE : PETSC_FALSE;

  PetscFunctionBegin;
  if (initial->density == FARE_INITIAL_MIXTURE && fare_product_blocks(product) > 1)
    FARE_FAIL(FARE_ERR_INPUT,
      "a mixture in all axes is no product of blocks: begin with density: boltzmann, gaussian or point");
  if (initial->density == FARE_INITIAL_SNAPSHOT)
    FARE_FAIL(
      FARE_ERR_INPUT, "a product cannot begin with a snapshot: use density: boltzmann, gaussian or point");
  if (!rotated) PetscFunctionReturn(0);
  if (initial->density == FARE_INITIAL_UNIFORM)
    FARE_FAIL(FARE_ERR_INPUT,
      "even on a box of the state is no product of rotated blocks: begin with density: boltzmann, or a "
      "gaussian with one sd for all axes");
  for (size_t i = 1; i < initial->sd.count; i++) {
    if (fabs(initial->sd.values[i] - initial->sd.values[0]) > SAME_SD * initial->sd.values[0])
      FARE_FAIL(FARE_ERR_INPUT,
        "a gaussian with several sd is no product of rotated blocks: give one sd for all axes, got %g and %g",
        initial->sd.values[0], initial->sd.values[i]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode new_list(size_t count, fare_reals *list)
{
  PetscFunctionBegin;
  list->count  = count;
  list->values = calloc(count, sizeof *list->values);
  if (!list->values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

PetscErrorCode fare_blocks_start(
  const fare_system *system, const fare_initial *of, int block, fare_initial *to)
{
  const fare_product *product = fare_product_of(system);
  const int           dim     = fare_system_dimension(system);
  int                 axes;
  const int           first = fare_product_first(product, block, &axes);

  PetscFunctionBegin;
  *to = (fare_initial){.density = of->density};
  if (!fare_initial_is_gaussian(of)) PetscFunctionReturn(0);
  PetscCall(new_list((size_t)axes * PetscMax(1, of->weights.count), &to->mean));
  PetscCall(new_list((size_t)axes * PetscMax(1, of->weights.count), &to->sd));
  if (of->weights.count) PetscCall(new_list(of->weights.count, &to->weights));
  for (size_t c = 0; c < of->weights.count; c++) to->weights.values[c] = of->weights.values[c];
  for (size_t i = 0; i < to->mean.count; i++) {
    const size_t component = i / (size_t)axes;
    const int    axis      = first + (int)i % axes;

    if (fare_product_frame(product) != FARE_FRAME_ROTATION) {
      const size_t at    = component * (size_t)dim + (size_t)fare_product_axis(product, axis);
      to->mean.values[i] = of->mean.values[at];
      to->sd.values[i]   = of->sd.values[at];
      continue;
    }
    for (int x = 0; x < dim; x++)
      to->mean.values[i] +=
        fare_product_row(product, x)[axis] * of->mean.values[component * (size_t)dim + (size_t)x];
    to->sd.values[i] = of->sd.values[0];
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_blocks_options(
  const fare_blocks *all, const fare_system *system, int unit, fare_truth_options *options)
{
  const fare_product *product = fare_product_of(system);
  const int           axes    = fare_system_dimension(fare_product_unit_system(system, unit));
  int                 before;

  PetscFunctionBegin;
  unit_axes(product, unit, &before);
  *options              = (fare_truth_options){.tolerance = all->tolerance, .estimate = all->estimate};
  options->cells.count  = (size_t)axes;
  options->cells.values = calloc((size_t)axes, sizeof *options->cells.values);
  if (!options->cells.values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (int a = 0; a < axes; a++)
    options->cells.values[a] = all->cells.values[all->cells.count > 1 ? before + a : 0];
  if (!all->lower.count) PetscFunctionReturn(0);
  PetscCall(new_list((size_t)axes, &options->lower));
  PetscCall(new_list((size_t)axes, &options->upper));
  for (int a = 0; a < axes; a++) {
    options->lower.values[a] = all->lower.values[before + a];
    options->upper.values[a] = all->upper.values[before + a];
  }
  PetscFunctionReturn(0);
}

/* What lies outside of its box is not there for a truth: it would be squeezed into the last cells. */
static PetscErrorCode check_begins_inside(
  const fare_blocks *all, const fare_system *system, const fare_initial *initial, int block)
{
  const fare_product *product = fare_product_of(system);
  const int           unit    = fare_product_unit(product, block);
  const fare_system  *of      = fare_product_unit_system(system, unit);
  const int           axes    = fare_system_dimension(of);
  fare_truth_options  options = {0};
  fare_initial        start   = {0};
  fare_box            box;
  PetscErrorCode      code;

  PetscFunctionBegin;
  code = fare_blocks_options(all, system, unit, &options);
  if (!code) code = fare_blocks_start(system, initial, block, &start);
  box = fare_truth_box(of, &options);
  for (size_t i = 0; i < start.mean.count && !code; i++) {
    const size_t axis = i % (size_t)axes;
    const double mean = start.mean.values[i];

    if (!box.periodic[axis] && !(mean > box.lower[axis] && mean < box.upper[axis]))
      code = fare_error(FARE_ERR_INPUT,
        "block %d would begin at %g along its axis %d, outside of its box, [%g, %g]: set another mean, or "
        "lower and upper",
        block + 1, mean, (int)axis + 1, box.lower[axis], box.upper[axis]);
  }
  fare_truth_options_free(&options);
  fare_initial_free(&start);
  PetscFunctionReturn(code);
}

PetscErrorCode fare_blocks_check(const void *state, const fare_system *system, const fare_initial *initial)
{
  const fare_product *product = fare_product_of(system);

  PetscFunctionBegin;
  if (!product)
    FARE_FAIL(FARE_ERR_INPUT,
      "kind product is of a system named product, not of '%s'; kind grid is of any system of up to %d axes",
      fare_system_type_of(system)->name, FARE_DIM_MAX);
  PetscCall(check_counts(state, product));
  PetscCall(check_initial(product, initial));
  for (int b = 0; b < fare_product_blocks(product); b++)
    PetscCall(check_begins_inside(state, system, initial, b));
  PetscFunctionReturn(0);
}
