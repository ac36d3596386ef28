/* SPDX-License-Identifier: BSD-2-Clause */
/* The system that a study's own formulas give: the section `system.expression` to a descriptor. */
#include "expression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BASIS_MAX 8    /* terms of V that are worth being kept apart */
#define PROBES    2048 /* points at which formulas are looked at before anything runs */

typedef struct {
  const fare_node *axes, *formula[FARE_PARTS], *mass, *friction, *bound[2], *periodic;
} section;

#define AT(member) offsetof(section, member)
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

typedef struct {
  const fare_node *node, *parameters;
  section          keys;
  /* common: parameters that are there unasked, kT and mobility or some of them */
  int              dim, common;
  int              mass, friction; /* roots, with a mass */
  fare_symbols     symbols;
  fare_tree       *tree;
  fare_formulas    formulas;
  fare_expression *made;
} builder;

PetscErrorCode fare_formula_refuse(const fare_node *node, const fare_formula_fault *fault)
{
  enum { BEFORE = 60, SHOWN = 100 };
  const char *text = fare_node_text(node), *from = text + (fault->at > BEFORE ? fault->at - BEFORE : 0);
  fare_text   lines = {0};
  int         width = 0;

  PetscFunctionBegin;
  while (from > text && ((unsigned char)*from & 0xC0) == 0x80) from--; /* not in the middle of a character */
  fare_node_error(node, "%s", fault->what);
  fare_text_add(&lines, "%s\n  %s", fare_error_message(), from > text ? "..." : "");
  for (const char *c = from; *c && (c < from + SHOWN || ((unsigned char)*c & 0xC0) == 0x80); c++)
    fare_text_add(&lines, "%c", (unsigned char)*c < 0x20 || *c == 0x7F ? ' ' : *c);
  for (const char *c = from; c < text + fault->at; c++) width += ((unsigned char)*c & 0xC0) != 0x80;
  fare_text_add(&lines, "\n  %*s^", width + (from > text ? 3 : 0), "");
  fare_error(FARE_ERR_INPUT, "%s", lines.text);
  fare_text_free(&lines);
  PetscFunctionReturn(FARE_ERR_INPUT);
}

static PetscErrorCode parse_formula(builder *b, const fare_node *node, int *root)
{
  fare_formula_fault fault;

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR)
    FARE_REFUSE(node, "expected a formula, for instance \"k*x^2/2\"");
  if (!fare_formula_parse(b->tree, &b->symbols, fare_node_text(node), root, &fault))
    PetscCall(fare_formula_refuse(node, &fault));
  PetscFunctionReturn(0);
}

/* A list of so many; of one, the entry alone will do. NULL: of the wrong length. */
static const fare_node *entry_of(const fare_node *list, int count, int i)
{
  if (fare_node_kind_of(list) == FARE_NODE_SCALAR) return count == 1 ? list : NULL;
  if (fare_node_kind_of(list) != FARE_NODE_LIST || fare_node_size(list) != (size_t)count) return NULL;
  return fare_node_item(list, (size_t)i);
}

/* Of a list with an entry for each axis. */
static const fare_node *entry(const builder *b, const fare_node *list, int axis)
{
  return entry_of(list, b->dim, axis);
}

/* How many formulas of force there are: the velocity of a body with inertia has none. */
static int forces(const builder *b)
{
  return b->keys.mass ? 1 : b->dim;
}

/* The formula that gives a component of a part: NULL where the list has the wrong length. */
static const fare_node *formula_of(const builder *b, fare_formula_part part, int component)
{
  const fare_node *const *formula = b->keys.formula;

  if (part == FARE_PART_FORCE && formula[FARE_PART_POTENTIAL]) return formula[FARE_PART_POTENTIAL];
  if (b->keys.mass) /* drift, diffusion and acceleration come from these */
    return formula[FARE_PART_POTENTIAL] ? formula[FARE_PART_POTENTIAL]
                                        : entry_of(formula[FARE_PART_FORCE], 1, 0);
  return part == FARE_PART_POTENTIAL ? formula[part] : entry(b, formula[part], component);
}

static PetscErrorCode parse_part(builder *b, fare_formula_part part)
{
  fare_formulas *f = &b->formulas;

  PetscFunctionBegin;
  f->count[part] = part == FARE_PART_POTENTIAL ? 1 : forces(b);
  for (int k = 0; k < f->count[part]; k++) {
    const fare_node *node = formula_of(b, part, k);

    if (!node)
      FARE_REFUSE(b->keys.formula[part], "expected a list of %d formula%s, one per axis%s", f->count[part],
        f->count[part] > 1 ? "s" : "", b->keys.mass ? " but the velocity's" : "");
    PetscCall(parse_formula(b, node, &f->root[part][k]));
  }
  PetscFunctionReturn(0);
}

/* Which of the keys go together. */
static PetscErrorCode check_form(const builder *b)
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

static PetscErrorCode check_name(const builder *b, const fare_node *map, size_t i, const char *name)
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
static PetscErrorCode read_axes(builder *b, PetscInt64 dimension)
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

/* Values of the parameters as given. */
static PetscErrorCode given_values(const builder *b, double theta[])
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
static PetscErrorCode read_number(builder *b, const fare_node *node, PetscBool still[], double *value)
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
  PetscCall(given_values(b, theta));
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

static PetscErrorCode read_bounds(builder *b)
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

static PetscErrorCode read_domain(builder *b)
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

static void add_parameter(builder *b, const fare_parameter *row)
{
  const int i = b->symbols.parameters++;

  fare_text_add(&b->made->name[i], "%s", row->name);
  b->made->parameter[i]      = *row;
  b->made->parameter[i].name = b->symbols.parameter[i] = b->made->name[i].text;
}

/* The table: kT and mobility where FARE looks for them, then whatever the study gives a value. */
static PetscErrorCode read_parameters(builder *b)
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

/* "no formula uses 'KT' (did you mean 'kT'?)": of the other parameters. */
static PetscErrorCode refuse_unused(const builder *b, size_t key, const char *name)
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
static PetscErrorCode check_use(const builder *b)
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
static PetscErrorCode parse_constant(builder *b, const fare_node *node, const char *lacking, int *root)
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
static PetscErrorCode parse_inertia(builder *b)
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
static void add_inertia(builder *b)
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
static PetscErrorCode check_inertia(const builder *b)
{
  double theta[FARE_PARAMETERS_MAX] = {0}, mass, friction;

  PetscFunctionBegin;
  if (!b->keys.mass || b->symbols.uses_time) PetscFunctionReturn(0);
  PetscCall(given_values(b, theta));
  PetscCall(fare_tree_value(b->tree, b->mass, theta, &mass));
  PetscCall(fare_tree_value(b->tree, b->friction, theta, &friction));
  if (!(mass > 0)) FARE_REFUSE(b->keys.mass, "expected a mass above 0, got %g", mass);
  if (!(friction >= 0)) FARE_REFUSE(b->keys.friction, "expected a friction of 0 or more, got %g", friction);
  PetscFunctionReturn(0);
}

static PetscErrorCode read_formulas(builder *b)
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

static PetscErrorCode compile_formulas(builder *b, fare_origin *origin)
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

/* In messages, and in the order of fare_formula_part; NULL: not looked at. */
static const char *const function_names[FARE_PARTS] = {"the potential", "the force",
  "the nonconservative force", NULL, NULL, "the drift", "the diffusion", NULL, NULL};

/* How many values per point: 1, one per axis, or 0 where the system has no such function. */
static int evaluate(
  const builder *b, fare_formula_part part, const double *theta, const double *const x[], double *const v[])
{
  const fare_system_type   *type     = &b->made->type;
  fare_vector_kernel *const vector[] = {
    NULL, type->force, type->nonconservative, NULL, NULL, type->drift, type->diffusion, NULL, NULL};

  if (part == FARE_PART_POTENTIAL && type->potential) type->potential(b->dim, theta, PROBES, x, v[0]);
  if (vector[part]) vector[part](b->dim, theta, PROBES, x, v);
  return function_names[part] ? b->formulas.count[part] : 0;
}

/* All finite, and a diffusion not below zero. */
static PetscErrorCode check_values(
  const builder *b, fare_formula_part part, int component, const double *const x[], const double value[])
{
  PetscFunctionBegin;
  for (int i = 0; i < PROBES; i++) {
    fare_text place = {0};

    if (isfinite(value[i]) && !(part == FARE_PART_DIFFUSION && value[i] < 0)) continue;
    for (int axis = 0; axis < b->dim; axis++)
      fare_text_add(&place, "%s%s = %g", axis ? ", " : "", b->symbols.axis[axis], x[axis][i]);
    PetscErrorCode code = fare_node_error(formula_of(b, part, component),
      "%s is %g at %s, inside lower and upper, with the parameters given", function_names[part], value[i],
      place.text);

    fare_text_free(&place);
    PetscFunctionReturn(code);
  }
  PetscFunctionReturn(0);
}

/* What is at the two ends of a periodic axis must be the same. */
static PetscErrorCode check_period(
  const builder *b, fare_formula_part part, int component, int axis, const double low[], const double high[])
{
  static const char *const remedies[] = {"a force with circulation goes under 'nonconservative'; ",
    "give a torque and all other forces together under 'force' in place of the potential; "};
  const double             tolerance  = 1e-6;
  const char              *remedy     = part == FARE_PART_POTENTIAL ? remedies[b->keys.mass ? 1 : 0] : "";

  PetscFunctionBegin;
  for (int i = 0; i < PROBES; i++) {
    if (fabs(high[i] - low[i]) <= tolerance * (1 + fabs(low[i]))) continue;
    FARE_REFUSE(formula_of(b, part, component),
      "%s is not periodic along '%s': %.9g at its lower end, %.9g at its upper; %sbounds need all their "
      "digits",
      function_names[part], b->symbols.axis[axis], low[i], high[i], remedy);
  }
  PetscFunctionReturn(0);
}

/*
  Looks at all functions at points spread over the domain, so that a logarithm of what is negative shows now
  and not in the midst of a run.
*/
static PetscErrorCode probe(const builder *b)
{
  /* powers of 1/g, g^4 = g + 1, spread evenly in 3 dimensions */
  static const double     step[FARE_DIM_MAX] = {0.8191725133961645, 0.6710436067037893, 0.5497004779019703};
  static double           place[FARE_DIM_MAX][PROBES], end[PROBES], value[2][FARE_DIM_MAX][PROBES];
  const double           *x[FARE_DIM_MAX]            = {place[0], place[1], place[2]};
  double *const           low[FARE_DIM_MAX]          = {value[0][0], value[0][1], value[0][2]},
                *const    high[FARE_DIM_MAX]         = {value[1][0], value[1][1], value[1][2]};
  const fare_system_type *type                       = &b->made->type;
  double                  theta[FARE_PARAMETERS_MAX] = {0};

  PetscFunctionBegin;
  PetscCall(given_values(b, theta));
  for (int axis = 0; axis < b->dim; axis++) {
    for (int i = 0; i < PROBES; i++)
      place[axis][i] =
        type->lower[axis] + fmod(0.5 + step[axis] * (i + 1), 1) * (type->upper[axis] - type->lower[axis]);
  }
  for (int part = 0; part < FARE_PARTS; part++) {
    const int count = evaluate(b, part, theta, x, low);

    for (int k = 0; k < count; k++) PetscCall(check_values(b, part, k, x, low[k]));
  }
  for (int axis = 0; axis < b->dim; axis++) {
    if (!type->periodic[axis]) continue;
    x[axis] = end;
    for (int part = 0; part < FARE_PARTS; part++) {
      int count;

      /* where the potential is continuous its slope may jump, there as anywhere */
      if ((part == FARE_PART_FORCE || (part == FARE_PART_DRIFT && b->keys.mass)) && type->potential) continue;
      for (int i = 0; i < PROBES; i++) end[i] = type->lower[axis];
      evaluate(b, part, theta, x, low);
      for (int i = 0; i < PROBES; i++) end[i] = fare_ring_end(type->lower[axis], type->upper[axis]);
      count = evaluate(b, part, theta, x, high);
      for (int k = 0; k < count; k++) PetscCall(check_period(b, part, k, axis, low[k], high[k]));
    }
    x[axis] = place[axis];
  }
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
static void write_bounds(const builder *b, fare_text *to)
{
  for (int side = 0; side < 2; side++) {
    const double *bound = side ? b->made->type.upper : b->made->type.lower;

    fare_text_add(to, side ? "    upper: [" : "    lower: [");
    for (int axis = 0; axis < b->dim; axis++) fare_text_add(to, "%s%.17g", axis ? ", " : "", bound[axis]);
    fare_text_add(to, "]\n");
  }
}

static void write_plan(const builder *b, fare_text *to)
{
  fare_text_add(to, "  expression:\n    axes: [");
  for (int axis = 0; axis < b->dim; axis++)
    fare_text_add(to, "%s'%s'", axis ? ", " : "", b->symbols.axis[axis]);
  fare_text_add(to, "]\n");
  for (int part = 0; part < FARE_PARTS; part++) {
    const PetscBool is_list = part != FARE_PART_POTENTIAL ? PETSC_TRUE : PETSC_FALSE;

    if (!b->keys.formula[part]) continue;
    fare_text_add(to, "    %s: %s", fare_formula_part_names[part], is_list ? "[" : "");
    for (int k = 0; k < (is_list ? forces(b) : 1); k++) {
      if (k) fare_text_add(to, ", ");
      write_formula(formula_of(b, part, k), to);
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

static void keep_formulas(builder *b)
{
  b->made->tree     = b->tree;
  b->made->formulas = b->formulas;
  b->tree           = NULL;
}

static PetscErrorCode build(builder *b, PetscInt64 dimension, fare_origin *origin)
{
  fare_system_type *type = &b->made->type;

  PetscFunctionBegin;
  PetscCall(fare_fields_read(fields, NULL, b->node, &b->keys));
  for (int side = 0; side < 2; side++) {
    if (!b->keys.bound[side]) FARE_REFUSE(b->node, "missing key '%s'", side ? "upper" : "lower");
  }
  PetscCall(check_form(b));
  PetscCall(read_axes(b, dimension));
  PetscCall(read_parameters(b));
  PetscCall(read_domain(b));
  b->symbols.has_time = PETSC_TRUE;
  PetscCall(read_formulas(b));
  PetscCall(check_inertia(b));
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
    PetscCall(probe(b));
  write_plan(b, &origin->plan);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_expression_system(const fare_node *node, const fare_node *parameters,
  PetscInt64 dimension, fare_origin *origin, const fare_system_type **type)
{
  builder        b = {.node = node, .parameters = parameters};
  PetscErrorCode code;

  PetscFunctionBegin;
  origin->expression = b.made = calloc(1, sizeof *b.made);
  if (!b.made) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(fare_tree_create(&b.tree));
  code = build(&b, dimension, origin);
  fare_tree_destroy(&b.tree);
  fare_fields_free(fields, &b.keys);
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
