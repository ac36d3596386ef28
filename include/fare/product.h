/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  product: what a system of the name `product` is made of: blocks of one to three axes each, copies of a few
  units, in a frame y of their own. The state is x = Q y with an orthogonal matrix Q. The density is the
  product of the blocks' densities, and D(q||p) of any q splits exactly into the blocks' divergences and the
  total correlation of the blocks under q.
*/
#ifndef FARE_PRODUCT_H
#define FARE_PRODUCT_H

#include <fare/system.h>

/** How blocks lie in the state. */
typedef enum {
  FARE_FRAME_NONE,        /**< one block after the other: x = y */
  FARE_FRAME_PERMUTATION, /**< the same axes in another order */
  FARE_FRAME_ROTATION     /**< every axis of x may be a mixture of all axes of y */
} fare_frame_kind;

/** A system of this kind; borrowed from the fare_system. */
typedef struct fare_product fare_product;

/**
  The product that a system is. Not collective.
  @param system any
  @return NULL where it is none
*/
const fare_product *fare_product_of(const fare_system *system);
/**
  How blocks lie in the state. Not collective.
  @param product the product
  @return the kind of its frame
*/
fare_frame_kind fare_product_frame(const fare_product *product);
/**
  Number of blocks, all copies counted. Not collective.
  @param product the product
  @return at least 1
*/
int fare_product_blocks(const fare_product *product);
/**
  Where a block lies in the frame y. Not collective.
  @param product the product
  @param block   from 0
  @param axes    becomes its number of axes, 1 to FARE_DIM_MAX; may be NULL
  @return its first axis
*/
int fare_product_first(const fare_product *product, int block, int *axes);
/**
  The unit that a block is a copy of. Not collective.
  @param product the product
  @param block   from 0
  @return from 0 to fare_product_units() - 1
*/
int fare_product_unit(const fare_product *product, int block);
/**
  Number of units. Not collective.
  @param product the product
  @return at least 1
*/
int fare_product_units(const fare_product *product);
/**
  The name of a unit: its label, or that of its system. Not collective.
  @param product the product
  @param unit    from 0
  @return borrowed
*/
const char *fare_product_label(const fare_product *product, int unit);
/**
  A unit as a system of its own, with the values and the drive that the product has at present. Not
  collective.
  @param system the product's
  @param unit   from 0
  @return borrowed; another call brings it up to date
*/
const fare_system *fare_product_unit_system(const fare_system *system, int unit);
/**
  The axis of x that an axis of y is, where the frame is no rotation. Not collective.
  @param product the product
  @param axis    of y
  @return axis of x
*/
int fare_product_axis(const fare_product *product, int axis);
/**
  The matrix of the frame. Not collective.
  @param product the product
  @param axis    of x
  @return the row of Q: one number per axis of y; NULL where the frame is no rotation
*/
const double *fare_product_row(const fare_product *product, int axis);
/**
  Whether the state is lifted: x = Q z with z_i = y_i + c y_(i-1)^2, a map that keeps volumes. The functions
  of the system (force, potential, noise) and its particles' steps belong to Q y, the state before it is
  lifted; fare_system_show() lifts it. Not collective.
  @param product may be NULL
  @return true where c is not 0
*/
PetscBool fare_product_is_lifted(const fare_product *product);
/**
  The axes of the blocks at points of the state: y = Q' x, without the lift. Not collective.
  @param product the product
  @param n       number of points
  @param x       x[axis][i]
  @param y       overwritten, y[axis][i]; none of its arrays is one of x
*/
void fare_product_to_blocks(
  const fare_product *product, size_t n, const double *const x[], double *const y[]);
/**
  The state at points in the axes of the blocks: x = Q y, or lifted. Not collective.
  @param product the product
  @param n       number of points
  @param y       y[axis][i]
  @param x       overwritten, x[axis][i]; none of its arrays is one of y
*/
void fare_product_from_blocks(
  const fare_product *product, size_t n, const double *const y[], double *const x[]);
/**
  The gradient of a function with respect to x from that with respect to y. Not collective.
  @param product the product
  @param n       number of points
  @param y       the points, in the axes of the blocks
  @param of_y    the gradients there; overwritten where the state is lifted
  @param of_x    overwritten; none of its arrays is one of the others
*/
void fare_product_gradient(
  const fare_product *product, size_t n, const double *const y[], double *const of_y[], double *const of_x[]);
#endif
