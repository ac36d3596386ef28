/* SPDX-License-Identifier: BSD-2-Clause */
/* A formula of the axes alone, evaluated as a list of operations. */
#include "expression.h"

#include <fare/formula.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fare_formula {
  int             owners, dim, count, value, slope[FARE_DIM_MAX]; /* places in node[] of what is asked for */
  fare_tree_node *node;                                           /* children first */
  double         *at;
  char           *text;
};

/* What the roots are made of, in as little room as it needs. */
static PetscErrorCode compact(fare_tree *tree, int count, int root[], fare_formula *f)
{
  int *place = fare_tree_reached(tree, count, root);

  PetscFunctionBegin;
  if (!place) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (int i = 0; i < tree->count; i++) f->count += place[i] != 0;
  f->node  = calloc((size_t)f->count, sizeof *f->node);
  f->at    = calloc((size_t)f->count, sizeof *f->at);
  f->count = 0;
  for (int i = 0; i < tree->count && f->node && f->at; i++) {
    fare_tree_node *n = &f->node[f->count];

    if (!place[i]) continue;
    *n = tree->node[i];
    if (n->kind != FARE_X_NUMBER && n->kind != FARE_X_AXIS) {
      n->a = place[n->a];
      n->b = n->b >= 0 && n->b < i ? place[n->b] : n->a;
    }
    place[i] = f->count++;
  }
  for (int k = 0; k < count; k++) root[k] = place[root[k]];
  free(place);
  if (!f->node || !f->at) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscFunctionReturn(0);
}

static PetscErrorCode read(const fare_node *node, const char *const axis[], fare_tree *tree, fare_formula *f)
{
  const int          dim     = f->dim;
  fare_symbols       symbols = {.axes = dim, .lacking = "a set is of axes and numbers alone"};
  fare_formula_fault fault;
  int                root[FARE_DIM_MAX + 1];

  PetscFunctionBegin;
  if (fare_node_kind_of(node) != FARE_NODE_SCALAR)
    FARE_REFUSE(node, "expected a formula, for instance \"1 - x^2\"");
  for (int k = 0; k < dim; k++) symbols.axis[k] = axis[k];
  if (!fare_formula_parse(tree, &symbols, fare_node_text(node), &root[0], &fault))
    PetscFunctionReturn(fare_formula_refuse(node, &fault));
  for (int k = 0; k < dim; k++) root[k + 1] = fare_tree_derivative(tree, root[0], k);
  if (tree->full) FARE_REFUSE(node, "the formula is too long");
  f->text = strdup(fare_node_text(node));
  if (!f->text) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  PetscCall(compact(tree, dim + 1, root, f));
  f->value = root[0];
  for (int k = 0; k < dim; k++) f->slope[k] = root[k + 1];
  PetscFunctionReturn(0);
}

PetscErrorCode fare_formula_from_config(
  const fare_node *node, int dim, const char *const axis[], fare_formula **formula)
{
  fare_formula  *f = calloc(1, sizeof *f);
  fare_tree     *tree;
  PetscErrorCode code;

  PetscFunctionBegin;
  *formula = f;
  if (!f) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  f->owners = 1;
  f->dim    = dim;
  code      = fare_tree_create(&tree);
  if (!code) code = read(node, axis, tree, f);
  fare_tree_destroy(&tree);
  if (code) fare_formula_release(formula);
  PetscFunctionReturn(code);
}

fare_formula *fare_formula_keep(fare_formula *formula)
{
  if (formula) formula->owners++;
  return formula;
}

void fare_formula_release(fare_formula **formula)
{
  fare_formula *f = *formula;

  *formula = NULL;
  if (!f || --f->owners) return;
  free(f->node);
  free(f->at);
  free(f->text);
  free(f);
}

double fare_formula_at(const fare_formula *f, const double x[], double slope[])
{
  const int last = slope ? f->count - 1 : f->value;

  for (int i = 0; i <= last; i++) {
    const fare_tree_node *n = &f->node[i];

    f->at[i] = n->kind == FARE_X_NUMBER ? n->value
      : n->kind == FARE_X_AXIS          ? x[n->a]
                                        : fare_tree_compute(n->kind, f->at[n->a], f->at[n->b]);
  }
  for (int axis = 0; axis < f->dim && slope; axis++) slope[axis] = f->at[f->slope[axis]];
  return f->at[f->value];
}

const char *fare_formula_text(const fare_formula *formula)
{
  return formula->text;
}
