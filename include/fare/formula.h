/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  formula: a function of the axes of a system, as a study writes it.
*/
#ifndef FARE_FORMULA_H
#define FARE_FORMULA_H

#include <fare/config.h>

/** A formula of the axes, and its slope, which is exact. */
typedef struct fare_formula fare_formula;

/**
  Reads a formula of axes, numbers and functions. Not collective.
  @param node    the scalar
  @param dim     number of axes
  @param axis    their names
  @param formula release with fare_formula_release()
  @return FARE_ERR_INPUT with file, line and path of what is wrong
*/
PetscErrorCode fare_formula_from_config(
  const fare_node *node, int dim, const char *const axis[], fare_formula **formula);
/**
  Another owner. Not collective.
  @param formula may be NULL
  @return the same
*/
fare_formula *fare_formula_keep(fare_formula *formula);
/**
  One owner less; the last frees it. Not collective.
  @param formula set to NULL; may be NULL
*/
void fare_formula_release(fare_formula **formula);
/**
  Its value. Not collective.
  @param formula the formula
  @param x       a point, one number per axis
  @param slope   derivatives by the axes, beside a jump where there is one; may be NULL
  @return the value; NaN where it has none
*/
double fare_formula_at(const fare_formula *formula, const double x[], double slope[]);
/**
  As it was written. Not collective.
  @param formula the formula
  @return its text, valid as long as the formula
*/
const char *fare_formula_text(const fare_formula *formula);

#endif
