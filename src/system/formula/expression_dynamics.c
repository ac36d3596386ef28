/* SPDX-License-Identifier: BSD-2-Clause */
/* The dynamics that the formulas of a section give: what is written, and what follows from it. */
#include "expression_builder.h"

#include <string.h>

#define BASIS_MAX 8 /* terms of V that are worth being kept apart */

static PetscErrorCode parse_formula(fare_builder *b, const fare_node *node, int *root)
{
  fare_formula_fault fault;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR)
    FARE_REFUSE(node, "expected a formula, for instance \"k*x^2/2\"");
  if (!fare_formula_parse(b->tree, &b->symbols, fare_node_text(node), root, &fault))
    PetscCall(fare_formula_refuse(node, &fault));
  PetscFunctionReturn(0);
}

static PetscErrorCode parse_part(fare_builder *b, fare_formula_part part)
{
  fare_formulas *f = &b->formulas;

  PetscFunctionBegin;
  f->count[part] = part == FARE_PART_POTENTIAL ? 1 : fare_builder_forces(b);
  for (int k = 0; k < f->count[part]; k++) {
    const fare_node *node = fare_builder_formula(b, part, k);

    if (!node)
      FARE_REFUSE(b->keys.formula[part], "expected a list of %d formula%s, one per axis%s", f->count[part],
        f->count[part] > 1 ? "s" : "", b->keys.mass ? " but the velocity's" : "");
    PetscCall(parse_formula(b, node, &f->root[part][k]));
  }
  PetscFunctionReturn(0);
}

/* "no formula uses 'KT' (did you mean 'kT'?)": of the other parameters. */
static PetscErrorCode refuse_unused(const fare_builder *b, size_t key, const char *name)
{
  const char    *others[FARE_PARAMETERS_MAX];
  size_t         count = 0;
  fare_text      hint  = {0};
  PetscErrorCode code;

  for (int i = 0; i < b->symbols.parameters; i++) {
    if (strcmp(name, b->symbols.parameter[i])) others[count++] = b->symbols.parameter[i];
  }
  fare_text_add_nearest(&hint, name, others, count);
  code = fare_node_error_at_key(b->parameters, key,
    "no formula uses '%s'%s; use it in a formula, or leave it out", name, hint.text ? hint.text : "");
  fare_text_free(&hint);
  return code;
}

/* A parameter that no formula uses is a slip of the pen. */
static PetscErrorCode check_use(const fare_builder *b)
{
  PetscFunctionBegin;
  for (int i = b->common; i < b->symbols.parameters; i++) {
    if (b->symbols.used[i]) continue;
    for (size_t k = 0; k < fare_node_size(b->parameters); k++) {
      if (!strcmp(fare_node_key(b->parameters, k), b->symbols.parameter[i]))
        PetscFunctionReturn(refuse_unused(b, k, b->symbols.parameter[i]));
    }
  }
  PetscFunctionReturn(0);
}

/* A formula of parameters and time alone. */
static PetscErrorCode parse_constant(fare_builder *b, const fare_node *node, const char *lacking, int *root)
{
  const int      axes = b->symbols.axes;
  PetscErrorCode code;

  PetscFunctionBegin;
  b->symbols.axes    = 0;
  b->symbols.lacking = lacking;
  code               = parse_formula(b, node, root);
  b->symbols.axes    = axes;
  b->symbols.lacking = NULL;
  PetscFunctionReturn(code);
}

/* Mass and friction, and the force of the position. */
static PetscErrorCode parse_inertia(fare_builder *b)
{
  const fare_formula_part given =
    b->keys.formula[FARE_PART_POTENTIAL] ? FARE_PART_POTENTIAL : FARE_PART_FORCE;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(parse_constant(b, b->keys.mass, "a mass is a number, or a formula of parameters", &b->mass));
  PetscCall(
    parse_constant(b, b->keys.friction, "a friction is a number, or a formula of parameters", &b->friction));
  b->symbols.axes    = 1;
  b->symbols.lacking = "with a mass, neither the position nor given a value under system.parameters";
  code               = parse_part(b, given);
  b->symbols.axes    = b->dim;
  b->symbols.lacking = NULL;
  PetscFunctionReturn(code);
}

#define MAKE(kind, a, b) fare_tree_make(tree, FARE_X_##kind, a, b)

/*
  dx = v dt, dv = (F(x)/m - friction v) dt + sqrt(2 friction kT/m) dW. With a potential, exp(-E/kT) with
  E = m v^2/2 + V(x) is the equilibrium, and E is the potential of the system.
*/
static void add_inertia(fare_builder *b)
{
  fare_formulas *f    = &b->formulas;
  fare_tree     *tree = b->tree;
  const int      v = fare_tree_axis(tree, 1), half = MAKE(MULTIPLY, fare_tree_number(tree, 0.5), b->mass),
            heating = MAKE(DIVIDE, MAKE(MULTIPLY, b->friction, fare_tree_parameter(tree, FARE_KT)), b->mass);
  int *V = f->root[FARE_PART_POTENTIAL], force = f->root[FARE_PART_FORCE][0];

  if (f->count[FARE_PART_POTENTIAL]) {
    force = MAKE(MINUS, fare_tree_derivative(tree, V[0], 0), 0);
    V[0]  = MAKE(ADD, MAKE(MULTIPLY, half, MAKE(MULTIPLY, v, v)), V[0]);
  }
  f->count[FARE_PART_FORCE]          = 0;
  f->count[FARE_PART_ACCELERATION]   = 1;
  f->root[FARE_PART_ACCELERATION][0] = MAKE(DIVIDE, force, b->mass);
  f->count[FARE_PART_BATH]           = 2;
  f->root[FARE_PART_BATH][0]         = b->friction;
  f->root[FARE_PART_BATH][1]         = heating;
  f->count[FARE_PART_DRIFT]          = 2;
  f->root[FARE_PART_DRIFT][0]        = v;
  f->root[FARE_PART_DRIFT][1] =
    MAKE(SUBTRACT, f->root[FARE_PART_ACCELERATION][0], MAKE(MULTIPLY, b->friction, v));
  f->count[FARE_PART_DIFFUSION]   = 2;
  f->root[FARE_PART_DIFFUSION][0] = fare_tree_number(tree, 0);
  f->root[FARE_PART_DIFFUSION][1] = heating;
}

/* With the values given, which a drive may change later. */
static PetscErrorCode check_inertia(const fare_builder *b)
{
  double theta[FARE_PARAMETERS_MAX] = {0}, mass, friction;

  PetscFunctionBegin;
  if (!b->keys.mass || b->symbols.uses_time) PetscFunctionReturn(0);
  PetscCall(fare_builder_values(b, theta));
  PetscCall(fare_tree_value(b->tree, b->mass, theta, &mass));
  PetscCall(fare_tree_value(b->tree, b->friction, theta, &friction));
  if (!(mass > 0)) FARE_REFUSE(b->keys.mass, "expected a mass above 0, got %g", mass);
  if (!(friction >= 0)) FARE_REFUSE(b->keys.friction, "expected a friction of 0 or more, got %g", friction);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_builder_read_dynamics(fare_builder *b)
{
  fare_formulas *f         = &b->formulas;
  fare_tree     *tree      = b->tree;
  int           *potential = f->root[FARE_PART_POTENTIAL], *force = f->root[FARE_PART_FORCE];

  PetscFunctionBegin;
  f->dim = b->dim;
  for (int axis = 0; axis < b->dim; axis++) {
    f->periodic[axis] = b->made->type.periodic[axis];
    f->lower[axis]    = b->made->type.lower[axis];
    f->upper[axis]    = b->made->type.upper[axis];
  }
  for (int part = 0; part < FARE_PARTS && !b->keys.mass; part++) {
    if (b->keys.formula[part]) PetscCall(parse_part(b, part));
  }
  if (b->keys.mass) PetscCall(parse_inertia(b));
  PetscCall(check_use(b));
  if (b->keys.mass) add_inertia(b);
  PetscCall(check_inertia(b));
  if (!f->count[FARE_PART_POTENTIAL]) PetscFunctionReturn(0);
  f->count[FARE_PART_FORCE] = b->dim;
  for (int axis = 0; axis < b->dim; axis++) {
    const int slope = fare_tree_derivative(tree, potential[0], axis);

    force[axis] = fare_tree_make(tree, FARE_X_MINUS, slope, 0);
    if (f->count[FARE_PART_NONCONSERVATIVE])
      force[axis] = fare_tree_make(tree, FARE_X_ADD, force[axis], f->root[FARE_PART_NONCONSERVATIVE][axis]);
  }
  f->count[FARE_PART_BASIS] = f->count[FARE_PART_COEFFICIENTS] =
    fare_tree_split(tree, potential[0], BASIS_MAX, f->root[FARE_PART_COEFFICIENTS], f->root[FARE_PART_BASIS]);
  PetscFunctionReturn(0);
}
