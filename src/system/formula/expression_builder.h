/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Inside expression: what the section `system.expression` is read into, and the steps of reading it, in their
  order.
*/
#ifndef FARE_EXPRESSION_BUILDER_H
#define FARE_EXPRESSION_BUILDER_H

#include "expression.h"

typedef struct {
  const fare_node *axes, *formula[FARE_PARTS], *mass, *friction, *bound[2], *periodic;
} fare_expression_keys;

typedef struct {
  const fare_node     *node, *parameters;
  fare_expression_keys keys;
  /* common: parameters that are there unasked, kT and mobility or some of them */
  int              dim, common;
  int              mass, friction; /* roots, with a mass */
  fare_symbols     symbols;
  fare_tree       *tree;
  fare_formulas    formulas;
  fare_expression *made;
} fare_builder;

/*
  Keys, axes, parameters and domain, checked. Keys that were read are freed by fare_fields_free(), also after
  an error. The second function appends the section to the plan.
*/
PetscErrorCode fare_builder_read_section(fare_builder *b, PetscInt64 dimension);
void           fare_builder_write_section(const fare_builder *b, fare_text *to);
/* How many formulas of force there are: the velocity of a body with inertia has none. */
int fare_builder_forces(const fare_builder *b);
/* The formula that gives a component of a part: NULL where the list has the wrong length. */
const fare_node *fare_builder_formula(const fare_builder *b, fare_formula_part part, int component);
/* Values of the parameters as given. */
PetscErrorCode fare_builder_values(const fare_builder *b, double theta[]);

/* Parses the formulas, and adds those that follow from them: force, basis, drift and diffusion. */
PetscErrorCode fare_builder_read_dynamics(fare_builder *b);

/*
  Evaluates all compiled functions at points spread over the domain, so that a logarithm of a negative number
  shows now and not in the midst of a run.
*/
PetscErrorCode fare_builder_probe(const fare_builder *b);

#endif
