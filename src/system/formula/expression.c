/* SPDX-License-Identifier: BSD-2-Clause */
/* The system that a study's own formulas give: the section `system.expression` to a descriptor. */
#include "expression_builder.h"

#include <math.h>
#include <stdlib.h>

static PetscErrorCode compile_formulas(fare_builder *b, fare_origin *origin)
{
  const fare_formula_kernels *kernels;
  fare_system_type           *type   = &b->made->type;
  fare_text                   source = {0};
  PetscErrorCode              code   = 0;

  PetscFunctionBegin;
  fare_formulas_emit(b->tree, &b->formulas, &source);
  if (b->tree->full) code = fare_node_error(b->node, "the formulas and their derivatives are too large");
  for (int i = 0; i < b->tree->count && !code; i++) {
    if (b->tree->node[i].kind == FARE_X_NUMBER && !isfinite(b->tree->node[i].value))
      code = fare_node_error(b->node, "a part of the formulas' derivatives is not finite");
  }
  if (!code) code = fare_formulas_compile(b->node, source.text, &origin->library, &kernels);
  fare_text_free(&source);
  PetscCall(code);
  type->potential       = kernels->potential;
  type->force           = kernels->force;
  type->nonconservative = kernels->nonconservative;
  type->basis_count     = kernels->basis_count;
  type->basis           = kernels->basis;
  type->coefficients    = kernels->coefficients;
  type->drift           = kernels->drift;
  type->diffusion       = kernels->diffusion;
  type->acceleration    = kernels->acceleration;
  type->bath            = kernels->bath;
  PetscFunctionReturn(0);
}

static void keep_formulas(fare_builder *b)
{
  b->made->tree     = b->tree;
  b->made->formulas = b->formulas;
  b->tree           = NULL;
}

static PetscErrorCode build(fare_builder *b, PetscInt64 dimension, fare_origin *origin)
{
  fare_system_type *type = &b->made->type;

  PetscFunctionBegin;
  PetscCall(fare_builder_read_section(b, dimension));
  b->symbols.has_time = PETSC_TRUE;
  PetscCall(fare_builder_read_dynamics(b));
  type->name          = "expression";
  type->summary       = "system defined by formulas of the study";
  type->reference     = "";
  type->dimension_min = type->dimension_max = b->dim;
  type->parameters                          = b->made->parameter;
  for (int axis = 0; axis < b->dim; axis++) type->axes[axis] = b->symbols.axis[axis];
  PetscCall(compile_formulas(b, origin));
  PetscCall(fare_system_type_check(b->node, type));
  if (b->symbols.uses_time)
    keep_formulas(b); /* what they are, at which times, is looked at when the times are known */
  else
    PetscCall(fare_builder_probe(b));
  fare_builder_write_section(b, &origin->plan);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_expression_system(const fare_node *node, const fare_node *parameters,
  PetscInt64 dimension, fare_origin *origin, const fare_system_type **type)
{
  fare_builder   b = {.node = node, .parameters = parameters};
  PetscErrorCode code;

  PetscFunctionBegin;
  origin->expression = b.made = calloc(1, sizeof *b.made);
  if (!b.made) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_tree_create(&b.tree));
  code = build(&b, dimension, origin);
  fare_tree_destroy(&b.tree);
  fare_fields_free(fare_expression_fields(), &b.keys);
  *type = &b.made->type;
  PetscFunctionReturn(code);
}

void fare_expression_destroy(fare_expression *expression)
{
  if (!expression) return;
  for (int axis = 0; axis < FARE_DIM_MAX; axis++) fare_text_free(&expression->axis[axis]);
  for (int i = 0; i < FARE_PARAMETERS_MAX; i++) fare_text_free(&expression->name[i]);
  fare_tree_destroy(&expression->tree);
  free(expression);
}
