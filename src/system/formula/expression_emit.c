/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Trees as C: one constant per node, those of parameters alone before the loop over points. Names are made
  here; none comes from the study.
*/
#include "expression.h"

#include <stdlib.h>
#include <string.h>

const char *const fare_formula_part_names[FARE_PARTS] = {"potential", "force", "nonconservative", "basis",
  "coefficients", "drift", "diffusion", "acceleration", "bath"};

/* A node as an operand: a literal that C takes for a double, or the name of what was computed before. */
static void emit_operand(const fare_tree *tree, int node, fare_text *to)
{
  const fare_tree_node *n = &tree->node[node];
  char                  literal[40];

  switch (n->kind) {
  case FARE_X_NUMBER:
    snprintf(literal, sizeof literal, "%.17g", n->value);
    fare_text_add(to, n->value < 0 ? "(%s%s)" : "%s%s", literal, strpbrk(literal, ".e") ? "" : ".0");
    break;
  case FARE_X_AXIS:
    fare_text_add(to, "x%d", n->a);
    break;
  case FARE_X_PARAMETER:
    fare_text_add(to, "p%d", n->a);
    break;
  default:
    fare_text_add(to, "t%d", node);
    break;
  }
}

static void emit_infix(const fare_tree *tree, const fare_tree_node *n, const char *operator, fare_text * to)
{
  emit_operand(tree, n->a, to);
  fare_text_add(to, " %s ", operator);
  emit_operand(tree, n->b, to);
}

/* The smaller or the larger of two. */
static void emit_choice(const fare_tree *tree, const fare_tree_node *n, fare_text *to)
{
  emit_infix(tree, n, n->kind == FARE_X_MIN ? "<" : ">", to);
  fare_text_add(to, " ? ");
  emit_infix(tree, n, ":", to);
}

static void emit_value(const fare_tree *tree, const fare_tree_node *n, fare_text *to)
{
  switch (n->kind) {
  case FARE_X_MINUS:
    fare_text_add(to, "-");
    emit_operand(tree, n->a, to);
    break;
  case FARE_X_ADD:
  case FARE_X_SUBTRACT:
  case FARE_X_MULTIPLY:
  case FARE_X_DIVIDE:
    emit_infix(tree, n, fare_tree_notations[n->kind].in_c, to);
    break;
  case FARE_X_MIN:
  case FARE_X_MAX:
    emit_choice(tree, n, to);
    break;
  case FARE_X_SIGN:
    emit_operand(tree, n->a, to);
    fare_text_add(to, " > 0 ? 1.0 : ");
    emit_operand(tree, n->a, to);
    fare_text_add(to, " < 0 ? -1.0 : 0.0");
    break;
  case FARE_X_STEP:
    emit_operand(tree, n->a, to);
    fare_text_add(to, " >= 0 ? 1.0 : 0.0");
    break;
  default:
    fare_text_add(to, "%s(", fare_tree_notations[n->kind].in_c);
    if (n->kind == FARE_X_POWER)
      emit_infix(tree, n, ",", to);
    else
      emit_operand(tree, n->a, to);
    fare_text_add(to, ")");
    break;
  }
}

/* A coordinate. Round a ring it is that inside the box, as whoever wrote the formula meant it. */
static void emit_coordinate(const fare_formulas *f, int axis, fare_text *to)
{
  if (f->periodic[axis])
    fare_text_add(to, "ring(q%d[i], %.17g, %.17g);\n", axis, f->lower[axis], f->upper[axis]);
  else
    fare_text_add(to, "q%d[i];\n", axis);
}

/* The nodes that depend on axes, or those that do not. */
static void emit_nodes(
  const fare_tree *tree, const fare_formulas *f, const int reached[], PetscBool of_axes, fare_text *to)
{
  for (int i = 0; i < tree->count; i++) {
    const fare_tree_node *n = &tree->node[i];

    if (!reached[i] || n->kind == FARE_X_NUMBER ||
      (n->of & FARE_OF_AXES ? PETSC_TRUE : PETSC_FALSE) != of_axes)
      continue;
    fare_text_add(to, of_axes ? "    const double " : "  const double ");
    emit_operand(tree, i, to);
    if (n->kind == FARE_X_AXIS) {
      fare_text_add(to, " = ");
      emit_coordinate(f, n->a, to);
    } else if (n->kind == FARE_X_PARAMETER) {
      fare_text_add(to, " = theta[%d];\n", n->a);
    } else {
      fare_text_add(to, " = ");
      emit_value(tree, n, to);
      fare_text_add(to, ";\n");
    }
  }
}

static PetscBool takes_points(fare_formula_part part)
{
  return part != FARE_PART_COEFFICIENTS && part != FARE_PART_BATH ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool takes_parameters(fare_formula_part part)
{
  return part != FARE_PART_BASIS ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool takes_dimension(fare_formula_part part)
{
  return part != FARE_PART_ACCELERATION && part != FARE_PART_BATH ? PETSC_TRUE : PETSC_FALSE;
}

/* Whether results go to the one array out[], not to out[0..count-1][i]. */
static PetscBool is_one_array(fare_formula_part part)
{
  return part == FARE_PART_POTENTIAL || part == FARE_PART_COEFFICIENTS || part == FARE_PART_ACCELERATION
    ? PETSC_TRUE
    : PETSC_FALSE;
}

static void emit_arguments(fare_formula_part part, fare_text *to)
{
  if (part == FARE_PART_ACCELERATION) {
    fare_text_add(to, "(const double *theta, size_t n, const double x[], double out[])");
    return;
  }
  if (part == FARE_PART_BATH) {
    fare_text_add(to, "(const double *theta, double *friction, double *heating)");
    return;
  }
  fare_text_add(to, "(int dim%s%s, double %s)", takes_parameters(part) ? ", const double *theta" : "",
    takes_points(part) ? ", size_t n, const double *const x[]" : "",
    is_one_array(part) ? "out[]" : "*const out[]");
}

static void emit_function(fare_tree *tree, const fare_formulas *f, fare_formula_part part, fare_text *to)
{
  const int       count  = f->count[part];
  const PetscBool points = takes_points(part);
  int            *reached, root[FARE_PARAMETERS_MAX];

  for (int k = 0; k < count; k++) root[k] = fare_tree_lower(tree, f->root[part][k]);
  reached = fare_tree_reached(tree, count, root);
  if (!reached) return;
  fare_text_add(to, "static void %s", fare_formula_part_names[part]);
  emit_arguments(part, to);
  fare_text_add(to, "\n{\n");
  for (int i = 0; i < tree->count && points; i++) {
    if (reached[i] && tree->node[i].kind == FARE_X_AXIS)
      fare_text_add(to,
        part == FARE_PART_ACCELERATION ? "  const double *restrict q%d = x;\n"
                                       : "  const double *restrict q%d = x[%d];\n",
        tree->node[i].a, tree->node[i].a);
  }
  for (int k = 0; k < count && points; k++)
    fare_text_add(to,
      is_one_array(part) ? "  double *restrict r%d = out;\n" : "  double *restrict r%d = out[%d];\n", k, k);
  emit_nodes(tree, f, reached, PETSC_FALSE, to);
  fare_text_add(to, "  %s%s;\n", takes_dimension(part) ? "(void)dim" : "(void)0",
    takes_parameters(part) ? ", (void)theta" : "");
  if (points) {
    fare_text_add(to, "#pragma omp simd\n  for (size_t i = 0; i < n; i++) {\n");
    emit_nodes(tree, f, reached, PETSC_TRUE, to);
  }
  for (int k = 0; k < count; k++) {
    if (part == FARE_PART_BATH)
      fare_text_add(to, k ? "  *heating = " : "  *friction = ");
    else
      fare_text_add(to, points ? "    r%d[i] = " : "  out[%d] = ", k);
    emit_operand(tree, root[k], to);
    fare_text_add(to, ";\n");
  }
  fare_text_add(to, points ? "  }\n}\n\n" : "}\n\n");
  free(reached);
}

void fare_formulas_emit(fare_tree *tree, const fare_formulas *f, fare_text *to)
{
  fare_text_add(to,
    "/* Made by FARE from the formulas of a study: axes are x0, x1, x2, parameters p0, p1, ... */\n"
    "#include <math.h>\n#include <stddef.h>\n\n");
  if (f->periodic[0] || f->periodic[1] || f->periodic[2]) { /* as fare_ring_wrap */
    fare_text_add(to,
      "static inline double ring(double x, double lower, double upper)\n{\n"
      "  const double wrapped = x - (upper - lower) * floor((x - lower) / (upper - lower));\n\n"
      "  return wrapped < lower ? lower : wrapped > upper ? upper : wrapped;\n}\n\n");
  }
  for (int part = 0; part < FARE_PARTS; part++) {
    if (f->count[part]) emit_function(tree, f, part, to);
  }
  /* fare_formula_kernels and fare_plugin, so that no header of FARE is needed where it runs */
  fare_text_add(to, "static const struct {\n");
  for (int part = 0; part < FARE_PARTS; part++) {
    fare_text_add(to, "  void (*%s)", fare_formula_part_names[part]);
    emit_arguments(part, to);
    fare_text_add(to, ";\n");
  }
  fare_text_add(to, "  int basis_count;\n} kernels = {");
  for (int part = 0; part < FARE_PARTS; part++)
    fare_text_add(to, "%s, ", f->count[part] ? fare_formula_part_names[part] : "0");
  fare_text_add(to, "%d};\n\n", f->count[FARE_PART_BASIS]);
  fare_text_add(to,
    "const struct {\n  int         abi, kind;\n  size_t      size[%d];\n  const void *descriptor;\n"
    "} %s = {%d, %d, {sizeof kernels}, &kernels};\n",
    FARE_PLUGIN_SIZES, FARE_PLUGIN_SYMBOL, FARE_PLUGIN_ABI, FARE_PLUGIN_IS_FORMULAS);
}
