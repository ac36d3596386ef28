/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Trees as C: one constant per node, those of parameters alone before the loop over points. Names are made
  here; none comes from the study.
*/
#include "expression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum { WITH_POINTS = 1, WITH_PARAMETERS = 2 } arguments;

static const char *const calls[FARE_X_KINDS] = {
  [FARE_X_POWER] = "pow",
  [FARE_X_SIN]   = "sin",
  [FARE_X_COS]   = "cos",
  [FARE_X_TAN]   = "tan",
  [FARE_X_EXP]   = "exp",
  [FARE_X_LOG]   = "log",
  [FARE_X_SQRT]  = "sqrt",
  [FARE_X_SINH]  = "sinh",
  [FARE_X_COSH]  = "cosh",
  [FARE_X_TANH]  = "tanh",
  [FARE_X_ATAN]  = "atan",
  [FARE_X_ABS]   = "fabs",
};

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

static void emit_choice(const fare_tree *tree, const fare_tree_node *n, const char *comparison, fare_text *to)
{
  emit_infix(tree, n, comparison, to);
  fare_text_add(to, " ? ");
  emit_operand(tree, n->a, to);
  fare_text_add(to, " : ");
  emit_operand(tree, n->b, to);
}

static void emit_value(const fare_tree *tree, const fare_tree_node *n, fare_text *to)
{
  switch (n->kind) {
  case FARE_X_MINUS:
    fare_text_add(to, "-");
    emit_operand(tree, n->a, to);
    break;
  case FARE_X_ADD:
    emit_infix(tree, n, "+", to);
    break;
  case FARE_X_SUBTRACT:
    emit_infix(tree, n, "-", to);
    break;
  case FARE_X_MULTIPLY:
    emit_infix(tree, n, "*", to);
    break;
  case FARE_X_DIVIDE:
    emit_infix(tree, n, "/", to);
    break;
  case FARE_X_MIN:
    emit_choice(tree, n, "<", to);
    break;
  case FARE_X_MAX:
    emit_choice(tree, n, ">", to);
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
    fare_text_add(to, "%s(", calls[n->kind]);
    emit_operand(tree, n->a, to);
    if (n->kind == FARE_X_POWER) {
      fare_text_add(to, ", ");
      emit_operand(tree, n->b, to);
    }
    fare_text_add(to, ")");
    break;
  }
}

/* Children come before parents, so one sweep down marks and one sweep up is an order to compute in. */
static void mark(const fare_tree *tree, int count, const int root[], char reached[])
{
  for (int k = 0; k < count; k++) reached[root[k]] = 1;
  for (int i = tree->count - 1; i >= 0; i--) {
    const fare_tree_node *n = &tree->node[i];

    if (!reached[i] || n->kind <= FARE_X_PARAMETER) continue;
    reached[n->a] = 1;
    if ((n->kind >= FARE_X_ADD && n->kind <= FARE_X_POWER) || n->kind == FARE_X_MIN || n->kind == FARE_X_MAX)
      reached[n->b] = 1;
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
  const fare_tree *tree, const fare_formulas *f, const char reached[], PetscBool of_axes, fare_text *to)
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

/* Results in out[0..count-1][i], or in the one array out[i]. */
static void emit_function(fare_tree *tree, const fare_formulas *f, const char *name, int takes,
  PetscBool one_array, int count, const int roots[], fare_text *to)
{
  char *reached;
  int   root[FARE_PARAMETERS_MAX];

  for (int k = 0; k < count; k++) root[k] = fare_tree_lower(tree, roots[k]);
  reached = calloc((size_t)tree->count, 1);
  if (!reached) tree->full = PETSC_TRUE;
  if (tree->full) return;
  mark(tree, count, root, reached);
  fare_text_add(to, "static void %s(int dim%s%s, double %s)\n{\n", name,
    takes & WITH_PARAMETERS ? ", const double *theta" : "",
    takes & WITH_POINTS ? ", size_t n, const double *const x[]" : "", one_array ? "out[]" : "*const out[]");
  for (int i = 0; i < tree->count && takes & WITH_POINTS; i++) {
    if (reached[i] && tree->node[i].kind == FARE_X_AXIS)
      fare_text_add(to, "  const double *restrict q%d = x[%d];\n", tree->node[i].a, tree->node[i].a);
  }
  for (int k = 0; k < count && takes & WITH_POINTS; k++)
    fare_text_add(
      to, one_array ? "  double *restrict r%d = out;\n" : "  double *restrict r%d = out[%d];\n", k, k);
  emit_nodes(tree, f, reached, PETSC_FALSE, to);
  fare_text_add(to, "  (void)dim%s;\n", takes & WITH_PARAMETERS ? ", (void)theta" : "");
  if (takes & WITH_POINTS) {
    fare_text_add(to, "#pragma omp simd\n  for (size_t i = 0; i < n; i++) {\n");
    emit_nodes(tree, f, reached, PETSC_TRUE, to);
  }
  for (int k = 0; k < count; k++) {
    fare_text_add(to, takes & WITH_POINTS ? "    r%d[i] = " : "  out[%d] = ", k);
    emit_operand(tree, root[k], to);
    fare_text_add(to, ";\n");
  }
  fare_text_add(to, takes & WITH_POINTS ? "  }\n}\n\n" : "}\n\n");
  free(reached);
}

void fare_formulas_emit(fare_tree *tree, const fare_formulas *f, fare_text *to)
{
  const int all = WITH_POINTS | WITH_PARAMETERS;

  fare_text_add(to,
    "/* Made by FARE from the formulas of a study: axes are x0, x1, x2, parameters p0, p1, ... */\n#include "
    "<math.h>\n#include <stddef.h>\n\n");
  if (f->periodic[0] || f->periodic[1] || f->periodic[2]) { /* as fare_ring_wrap */
    fare_text_add(to,
      "static inline double ring(double x, double lower, double upper)\n{\n"
      "  const double wrapped = x - (upper - lower) * floor((x - lower) / (upper - lower));\n\n"
      "  return wrapped < lower ? lower : wrapped > upper ? upper : wrapped;\n}\n\n");
  }
  if (f->has_potential) emit_function(tree, f, "potential", all, PETSC_TRUE, 1, &f->potential, to);
  if (f->has_force) emit_function(tree, f, "force", all, PETSC_FALSE, f->dim, f->force, to);
  if (f->has_nonconservative)
    emit_function(tree, f, "nonconservative", all, PETSC_FALSE, f->dim, f->nonconservative, to);
  if (f->basis_count) emit_function(tree, f, "basis", WITH_POINTS, PETSC_FALSE, f->basis_count, f->basis, to);
  if (f->basis_count)
    emit_function(tree, f, "coefficients", WITH_PARAMETERS, PETSC_TRUE, f->basis_count, f->coefficient, to);
  if (f->has_general) emit_function(tree, f, "drift", all, PETSC_FALSE, f->dim, f->drift, to);
  if (f->has_general) emit_function(tree, f, "diffusion", all, PETSC_FALSE, f->dim, f->diffusion, to);
  /* fare_formula_kernels and fare_plugin, so that no header of FARE is needed where it runs */
  fare_text_add(to,
    "static const struct {\n"
    "  void (*potential)(int, const double *, size_t, const double *const *, double *);\n"
    "  void (*force)(int, const double *, size_t, const double *const *, double *const *);\n"
    "  void (*nonconservative)(int, const double *, size_t, const double *const *, double *const *);\n"
    "  void (*basis)(int, size_t, const double *const *, double *const *);\n"
    "  void (*coefficients)(int, const double *, double *);\n"
    "  void (*drift)(int, const double *, size_t, const double *const *, double *const *);\n"
    "  void (*diffusion)(int, const double *, size_t, const double *const *, double *const *);\n"
    "  int basis_count;\n"
    "} kernels = {%s, %s, %s, %s, %s, %s, %s, %d};\n\n",
    f->has_potential ? "potential" : "0", f->has_force ? "force" : "0",
    f->has_nonconservative ? "nonconservative" : "0", f->basis_count ? "basis" : "0",
    f->basis_count ? "coefficients" : "0", f->has_general ? "drift" : "0", f->has_general ? "diffusion" : "0",
    f->basis_count);
  fare_text_add(to,
    "const struct {\n  int         abi, kind;\n  size_t      size[%d];\n  const void *descriptor;\n} %s = "
    "{%d, "
    "%d, {sizeof kernels}, &kernels};\n",
    FARE_PLUGIN_SIZES, FARE_PLUGIN_SYMBOL, FARE_PLUGIN_ABI, FARE_PLUGIN_IS_FORMULAS);
}
