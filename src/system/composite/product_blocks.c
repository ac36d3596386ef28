/* SPDX-License-Identifier: BSD-2-Clause */
/* What a product tells of its blocks, and points and gradients in their axes. */
#include "product_parts.h"

fare_frame_kind fare_product_frame(const fare_product *product)
{
  return product->frame.kind;
}

int fare_product_blocks(const fare_product *product)
{
  return product->blocks;
}

int fare_product_first(const fare_product *product, int block, int *axes)
{
  if (axes) *axes = product->unit[product->block_unit[block]].axes;
  return product->block_first[block];
}

int fare_product_unit(const fare_product *product, int block)
{
  return product->block_unit[block];
}

int fare_product_units(const fare_product *product)
{
  return product->units;
}

const char *fare_product_label(const fare_product *product, int unit)
{
  return product->unit[unit].label;
}

/* The waveforms stay the product's: the unit borrows them until it is brought up to date again. */
const fare_system *fare_product_unit_system(const fare_system *system, int which)
{
  fare_product      *p = system->origin.composite->state;
  fare_product_part *u = &p->unit[which];

  u->system->drives = 0;
  for (int i = 0; u->system->type->parameters[i].name; i++) {
    u->system->base[i] = system->base[u->place[i]];
    for (int d = 0; d < system->drives; d++) {
      if (system->driven[d] != u->place[i]) continue;
      u->system->drive[u->system->drives]    = system->drive[d];
      u->system->driven[u->system->drives++] = i;
    }
  }
  return u->system;
}

int fare_product_axis(const fare_product *product, int axis)
{
  return product->frame.order[axis];
}

const double *fare_product_row(const fare_product *product, int axis)
{
  const fare_frame *frame = &product->frame;

  return frame->kind == FARE_FRAME_ROTATION ? frame->q + axis * frame->axes : NULL;
}

PetscBool fare_product_is_lifted(const fare_product *product)
{
  return product && product->frame.lift != 0 ? PETSC_TRUE : PETSC_FALSE;
}

void fare_product_to_blocks(const fare_product *product, size_t n, const double *const x[], double *const y[])
{
  fare_frame_enter(&product->frame, n, x, y);
  if (product->frame.lift != 0) fare_frame_lower(&product->frame, n, y);
}

void fare_product_from_blocks(
  const fare_product *product, size_t n, const double *const y[], double *const x[])
{
  fare_frame_leave(&product->frame, n, y, x);
  if (product->frame.lift != 0) fare_frame_apply(&product->frame, n, x, fare_frame_lift);
}

void fare_product_gradient(
  const fare_product *product, size_t n, const double *const y[], double *const of_y[], double *const of_x[])
{
  if (product->frame.lift != 0) fare_frame_lift_gradient(&product->frame, n, y, of_y);
  fare_frame_leave(&product->frame, n, (const double *const *)of_y, of_x);
}
