/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside system: bounds of formulas over an interval of their axis 0. */
#ifndef FARE_INTERVAL_H
#define FARE_INTERVAL_H

#include "expression.h"

typedef struct {
  double lower, upper;
} fare_range;

/* Bounds of the nodes up to `last`, of a tree with no other axes and no parameters. */
void fare_ranges_of(const fare_tree *tree, int last, fare_range axis, fare_range at[]);

#endif
