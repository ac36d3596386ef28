/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside product: what a product is made of, and the functions of its descriptor. */
#ifndef FARE_PRODUCT_PARTS_H
#define FARE_PRODUCT_PARTS_H

#include "composite.h"
#include "frame.h"

#define FARE_PRODUCT_UNITS FARE_AXES_MAX
#define FARE_PRODUCT_NAME  96

/* What blocks are copies of. */
typedef struct {
  fare_system *system;
  char         label[FARE_PRODUCT_NAME / 2];
  int          copies, axes;
  int          place[FARE_PARAMETERS_MAX]; /* of its parameters in the product's table */
} fare_product_part;

struct fare_product {
  /* keys */
  PetscInt64       copies, rotation_seed;
  const fare_node *unit_node, *blocks_node;
  int              rotation;
  fare_reals       matrix;
  double           lift;
  /* what they make */
  int               units, blocks;
  fare_product_part unit[FARE_PRODUCT_UNITS];
  int               block_unit[FARE_AXES_MAX], block_first[FARE_AXES_MAX];
  PetscBool         thermal, forced; /* all have the same kT; and all have a force and the same mobility */
  fare_frame        frame;
  fare_parameter    parameters[FARE_PARAMETERS_MAX];
  char              names[FARE_PARAMETERS_MAX][FARE_PRODUCT_NAME];
};

/* The functions that a product has, out of those of its units. */
void fare_product_set_functions(const fare_product *product, fare_system_type *type);

#endif
