/* SPDX-License-Identifier: BSD-2-Clause */
/* The section `system.expression`: its keys, read and checked, and written back. */
#include "expression_builder.h"

#include <math.h>
#include <string.h>

#define AT(member) offsetof(fare_expression_keys, member)
static const fare_field fields[] = {
  {"axes", FARE_NODE, AT(axes), "", 0, 0, NULL, "", "list of their names; x, y, z unless given"},
  {"potential", FARE_NODE, AT(formula[FARE_PART_POTENTIAL]), "", 0, 0, NULL, "",
    "formula of V; the force is its exact negative gradient"},
  {"nonconservative", FARE_NODE, AT(formula[FARE_PART_NONCONSERVATIVE]), "", 0, 0, NULL, "",
    "list of formulas, one per axis: a force added to that of the potential"},
  {"force", FARE_NODE, AT(formula[FARE_PART_FORCE]), "", 0, 0, NULL, "",
    "list of formulas, one per axis: the total force, without a potential"},
  {"drift", FARE_NODE, AT(formula[FARE_PART_DRIFT]), "", 0, 0, NULL, "",
    "list of formulas, one per axis: the Ito drift, instead of a force"},
  {"diffusion", FARE_NODE, AT(formula[FARE_PART_DIFFUSION]), "", 0, 0, NULL, "",
    "list of formulas, one per axis: D of dX = f dt + sqrt(2 D) dW, with the drift"},
  {"mass", FARE_NODE, AT(mass), "", 0, 0, NULL, "",
    "formula of parameters: of a body with inertia in position and velocity; the potential, or the force, "
    "is one of the position alone"},
  {"friction", FARE_NODE, AT(friction), "", 0, 0, NULL, "",
    "formula of parameters, with the mass: damping rate of the velocity"},
  {"lower", FARE_NODE, AT(bound[0]), "", 0, 0, NULL, "",
    "lower bounds of the domain of the truth, one per axis: numbers, or formulas of parameters such as -pi"},
  {"upper", FARE_NODE, AT(bound[1]), "", 0, 0, NULL, "", "upper bounds"},
  {"periodic", FARE_NODE, AT(periodic), "", 0, 0, NULL, "",
    "list of true or false, one per axis; false unless given"},
  FARE_FIELDS_END,
};

const fare_field *fare_expression_fields(void)
{
  return fields;
}

/* A list of so many; of one, the entry alone will do. NULL: of the wrong length. */
static const fare_node *entry_of(const fare_node *list, int count, int i)
{
  if (fare_node_kind_of(list) == FARE_NODE_SCALAR) return count == 1 ? list : NULL;
  if (fare_node_kind_of(list) != FARE_NODE_LIST || fare_node_size(list) != (size_t)count) return NULL;
  return fare_node_item(list, (size_t)i);
}

/* Of a list with an entry for each axis. */
static const fare_node *entry(const fare_builder *b, const fare_node *list, int axis)
{
  return entry_of(list, b->dim, axis);
}

int fare_builder_forces(const fare_builder *b)
{
  return b->keys.mass ? 1 : b->dim;
}

const fare_node *fare_builder_formula(const fare_builder *b, fare_formula_part part, int component)
{
  const fare_node *const *formula = b->keys.formula;

  if (part == FARE_PART_FORCE && formula[FARE_PART_POTENTIAL]) return formula[FARE_PART_POTENTIAL];
  if (b->keys.mass) /* drift, diffusion and acceleration come from these */
    return formula[FARE_PART_POTENTIAL] ? formula[FARE_PART_POTENTIAL]
                                        : entry_of(formula[FARE_PART_FORCE], 1, 0);
  return part == FARE_PART_POTENTIAL ? formula[part] : entry(b, formula[part], component);
}

/* Which of the keys go together. */
static PetscErrorCode check_form(const fare_builder *b)
{
  const fare_node *const *formula   = b->keys.formula;
  const fare_node        *potential = formula[FARE_PART_POTENTIAL], *force = formula[FARE_PART_FORCE],
                  *extra = formula[FARE_PART_NONCONSERVATIVE], *drift = formula[FARE_PART_DRIFT],
                  *diffusion = formula[FARE_PART_DIFFUSION], *mass = b->keys.mass,
                  *friction = b->keys.friction;
  const struct {
    int              wrong;
    const fare_node *at;
    const char      *what;
  } rules[] = {
    {!potential && !force && !drift, b->node,
      "no dynamics: give a 'potential', a 'force', or a 'drift' and a 'diffusion'"},
    {force && potential, force,
      "the potential already gives a force; one added to it goes under 'nonconservative'"},
    {force && drift, force, "a drift replaces the force: give one of them"},
    {extra && !potential, extra, "only with a 'potential'; without one the total force goes under 'force'"},
    {extra && drift, extra, "a drift replaces the force: put it all under 'drift'"},
    {mass && !friction, mass, "needs a 'friction' as well, which may be 0"},
    {friction && !mass, friction,
      "only with a 'mass'; without inertia the friction is one over the mobility"},
    {mass && (drift || diffusion), mass, "gives drift and diffusion: leave them out"},
    {mass && extra, extra, "with a 'mass', give the total force under 'force' instead of a potential"},
    {drift && !diffusion, drift, "needs a 'diffusion' as well"},
    {diffusion && !drift, diffusion,
      "only with a 'drift'; with a potential or a force the diffusion is mobility times kT"},
  };

  PetscFunctionBegin;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(rules); i++) {
    if (rules[i].wrong) FARE_REFUSE(rules[i].at, "%s", rules[i].what);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode check_name(const fare_builder *b, const fare_node *map, size_t i, const char *name)
{
  const char *wrong = NULL;

  PetscFunctionBegin;
  if (!fare_formula_is_name(name))
    wrong = "is not a valid name: letters, digits and _, a letter first";
  else if (fare_formula_reserves(name))
    wrong = "is reserved in formulas: choose another name";
  for (int axis = 0; axis < b->symbols.axes && !wrong; axis++) {
    if (!strcmp(b->symbols.axis[axis], name)) wrong = "is already an axis";
  }
  if (wrong && map) FARE_REFUSE_KEY(map, i, "'%.60s' %s", name, wrong);
  if (wrong) FARE_REFUSE(fare_node_item(b->keys.axes, i), "'%.60s' %s", name, wrong);
  PetscFunctionReturn(0);
}

/* The dimension and the names of the axes. */
static PetscErrorCode read_axes(fare_builder *b, PetscInt64 dimension)
{
  static const char *const usual[2][FARE_DIM_MAX] = {{"x", "y", "z"}, {"x", "v"}};
  const fare_node         *axes = b->keys.axes, *lower = b->keys.bound[0];
  const size_t             bounds = fare_node_kind_of(lower) == FARE_NODE_SCALAR ? 1
                : fare_node_kind_of(lower) == FARE_NODE_LIST                     ? fare_node_size(lower)
                                                                                 : 0;

  PetscFunctionBegin;
  if (axes &&
    (fare_node_kind_of(axes) != FARE_NODE_LIST || fare_node_size(axes) < 1 ||
      fare_node_size(axes) > FARE_DIM_MAX))
    FARE_REFUSE(axes, "expected a list of 1 to %d names", FARE_DIM_MAX);
  b->dim = axes ? (int)fare_node_size(axes) : dimension ? (int)dimension : (int)PetscMin(bounds, 100);
  if (dimension && dimension != b->dim)
    FARE_REFUSE(axes, "dimension is %d, so expected as many names", (int)dimension);
  if (b->dim < 1 || b->dim > FARE_DIM_MAX)
    FARE_REFUSE(lower, "expected 1 to %d numbers, one per axis, got %zu", FARE_DIM_MAX, bounds);
  if (b->keys.mass && b->dim != 2)
    FARE_REFUSE(
      axes ? axes : lower, "a body with inertia has two axes, position and velocity, got %d", b->dim);
  for (int axis = 0; axis < b->dim; axis++) {
    const fare_node *node = axes ? fare_node_item(axes, (size_t)axis) : NULL;

    if (node && fare_node_kind_of(node) != FARE_NODE_SCALAR)
      FARE_REFUSE(node, "expected the name of an axis");
    if (node) PetscCall(check_name(b, NULL, (size_t)axis, fare_node_text(node)));
    if (node && !strcmp(fare_node_text(node), "time"))
      FARE_REFUSE(node, "'time' is an axis of every file: choose another name");
    fare_text_add(
      &b->made->axis[axis], "%s", node ? fare_node_text(node) : usual[b->keys.mass ? 1 : 0][axis]);
    b->symbols.axis[b->symbols.axes++] = b->made->axis[axis].text;
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_builder_values(const fare_builder *b, double theta[])
{
  PetscFunctionBegin;
  for (int i = 0; i < b->symbols.parameters; i++) {
    const fare_node *given = fare_node_find(b->parameters, b->symbols.parameter[i]);

    theta[i] = b->made->parameter[i].value;
    if (given) PetscCall(fare_node_real(given, &theta[i]));
  }
  PetscFunctionReturn(0);
}

/*
  The value of a formula of parameters. It does not move with them: whoever drives one that is marked in
  `still` is refused.
*/
static PetscErrorCode read_number(fare_builder *b, const fare_node *node, PetscBool still[], double *value)
{
  fare_symbols       symbols = b->symbols;
  fare_formula_fault fault;
  fare_tree         *tree; /* of its own, so that compiled formulas do not depend on bounds */
  double             theta[FARE_PARAMETERS_MAX] = {0};
  int                root;
  PetscErrorCode     code;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR)
    FARE_REFUSE(node, "expected a number, or a formula of parameters such as 2*pi");
  symbols.axes    = 0;
  symbols.lacking = "a bound is a number, or a formula of parameters";
  memset(symbols.used, 0, sizeof symbols.used);
  PetscCall(fare_builder_values(b, theta));
  PetscCall(fare_tree_create(&tree));
  if (fare_formula_parse(tree, &symbols, fare_node_text(node), &root, &fault))
    code = fare_tree_value(tree, root, theta, value);
  else
    code = fare_formula_refuse(node, &fault);
  fare_tree_destroy(&tree);
  PetscCall(code);
  if (!(fabs(*value) <= 1e12)) FARE_REFUSE(node, "expected a number from -1e12 to 1e12, got %g", *value);
  for (int i = 0; i < symbols.parameters; i++) {
    b->symbols.used[i] |= symbols.used[i];
    still[i] |= symbols.used[i];
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_bounds(fare_builder *b)
{
  double *const to[] = {b->made->type.lower, b->made->type.upper};

  PetscFunctionBegin;
  for (int side = 0; side < 2; side++) {
    const fare_node *list = b->keys.bound[side];

    for (int axis = 0; axis < b->dim; axis++) {
      const fare_node *node = entry(b, list, axis);

      if (!node)
        FARE_REFUSE(list, "expected %d number%s, one per axis, got %zu", b->dim, b->dim > 1 ? "s" : "",
          fare_node_kind_of(list) == FARE_NODE_LIST ? fare_node_size(list) : 1);
      PetscCall(read_number(b, node, b->made->still, &to[side][axis]));
    }
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_domain(fare_builder *b)
{
  fare_system_type *type = &b->made->type;

  PetscFunctionBegin;
  PetscCall(read_bounds(b));
  for (int axis = 0; axis < b->dim; axis++) {
    const fare_node *periodic = b->keys.periodic ? entry(b, b->keys.periodic, axis) : NULL;
    const char      *word =
      periodic && fare_node_kind_of(periodic) == FARE_NODE_SCALAR ? fare_node_text(periodic) : NULL;

    if (!(type->lower[axis] < type->upper[axis]))
      FARE_REFUSE(fare_node_find(b->node, "upper"),
        "must lie above lower, got lower %g and upper %g along '%s'", type->lower[axis], type->upper[axis],
        b->symbols.axis[axis]);
    if (!b->keys.periodic) continue;
    if (!word || (strcmp(word, "true") && strcmp(word, "false")))
      FARE_REFUSE(periodic ? periodic : b->keys.periodic,
        "expected a list of %d of true and false, one per axis", b->dim);
    type->periodic[axis] = strcmp(word, "true") ? PETSC_FALSE : PETSC_TRUE;
  }
  PetscFunctionReturn(0);
}

static void add_parameter(fare_builder *b, const fare_parameter *row)
{
  const int i = b->symbols.parameters++;

  fare_text_add(&b->made->name[i], "%s", row->name);
  b->made->parameter[i]      = *row;
  b->made->parameter[i].name = b->symbols.parameter[i] = b->made->name[i].text;
}

/* The table: kT and mobility where FARE looks for them, then whatever the study gives a value. */
static PetscErrorCode read_parameters(fare_builder *b)
{
  static const fare_parameter common[] = {FARE_COMMON_PARAMETERS};
  const fare_node            *map      = b->parameters;

  PetscFunctionBegin;
  b->common = b->keys.mass                 ? 1
    : !b->keys.formula[FARE_PART_DRIFT]    ? 2
    : b->keys.formula[FARE_PART_POTENTIAL] ? 1
                                           : 0;
  for (int i = 0; i < b->common; i++) {
    for (int axis = 0; axis < b->dim; axis++) {
      if (!strcmp(b->symbols.axis[axis], common[i].name))
        FARE_REFUSE(
          b->keys.axes, "'%s' is a parameter of every system with a potential or a force", common[i].name);
    }
    add_parameter(b, &common[i]);
  }
  if (!map) PetscFunctionReturn(0);
  if (fare_node_kind_of(map) != FARE_NODE_MAP)
    FARE_REFUSE(map, "expected a map of parameter names and values");
  for (size_t i = 0; i < fare_node_size(map); i++) {
    fare_parameter row = {fare_node_key(map, i), 0, -HUGE_VAL, HUGE_VAL, "of the study's formulas"};
    int            k   = 0;

    while (k < b->common && strcmp(row.name, common[k].name)) k++;
    if (k < b->common) continue; /* read with those of any system */
    PetscCall(check_name(b, map, i, row.name));
    PetscCall(fare_node_real(fare_node_item(map, i), &row.value));
    if (b->symbols.parameters == FARE_PARAMETERS_MAX - 1)
      FARE_REFUSE_KEY(map, i, "more than %d parameters", FARE_PARAMETERS_MAX - 1);
    add_parameter(b, &row);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_builder_read_section(fare_builder *b, PetscInt64 dimension)
{
  PetscFunctionBegin;
  PetscCall(fare_fields_read(fields, NULL, b->node, &b->keys));
  for (int side = 0; side < 2; side++) {
    if (!b->keys.bound[side]) FARE_REFUSE(b->node, "missing key '%s'", side ? "upper" : "lower");
  }
  PetscCall(check_form(b));
  PetscCall(read_axes(b, dimension));
  PetscCall(read_parameters(b));
  PetscCall(read_domain(b));
  PetscFunctionReturn(0);
}

static void write_formula(const fare_node *node, fare_text *to)
{
  fare_text_add(to, "'");
  for (const char *c = fare_node_text(node); *c; c++)
    fare_text_add(to, "%c", strchr(" \t\r\n", *c) ? ' ' : *c);
  fare_text_add(to, "'");
}

/* As numbers, which do not depend on how they were written. */
static void write_bounds(const fare_builder *b, fare_text *to)
{
  for (int side = 0; side < 2; side++) {
    const double *bound = side ? b->made->type.upper : b->made->type.lower;

    fare_text_add(to, side ? "    upper: [" : "    lower: [");
    for (int axis = 0; axis < b->dim; axis++) fare_text_add(to, "%s%.17g", axis ? ", " : "", bound[axis]);
    fare_text_add(to, "]\n");
  }
}

void fare_builder_write_section(const fare_builder *b, fare_text *to)
{
  fare_text_add(to, "  expression:\n    axes: [");
  for (int axis = 0; axis < b->dim; axis++)
    fare_text_add(to, "%s'%s'", axis ? ", " : "", b->symbols.axis[axis]);
  fare_text_add(to, "]\n");
  for (int part = 0; part < FARE_PARTS; part++) {
    const PetscBool is_list = part != FARE_PART_POTENTIAL ? PETSC_TRUE : PETSC_FALSE;

    if (!b->keys.formula[part]) continue;
    fare_text_add(to, "    %s: %s", fare_formula_part_names[part], is_list ? "[" : "");
    for (int k = 0; k < (is_list ? fare_builder_forces(b) : 1); k++) {
      if (k) fare_text_add(to, ", ");
      write_formula(fare_builder_formula(b, part, k), to);
    }
    fare_text_add(to, is_list ? "]\n" : "\n");
  }
  if (b->keys.mass) {
    fare_text_add(to, "    mass: ");
    write_formula(b->keys.mass, to);
    fare_text_add(to, "\n    friction: ");
    write_formula(b->keys.friction, to);
    fare_text_add(to, "\n");
  }
  write_bounds(b, to);
  fare_text_add(to, "    periodic: [");
  for (int axis = 0; axis < b->dim; axis++)
    fare_text_add(to, "%s%s", axis ? ", " : "", b->made->type.periodic[axis] ? "true" : "false");
  fare_text_add(to, "]\n");
}
