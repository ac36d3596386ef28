/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of a formula: nodes that exist once, made simple as they are made. */
#include "expression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384

PetscErrorCode fare_tree_create(fare_tree **tree)
{
  PetscFunctionBegin;
  *tree = malloc(sizeof **tree);
  if (!*tree) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  (*tree)->count  = 0;
  (*tree)->full   = PETSC_FALSE;
  (*tree)->bucket = malloc(BUCKETS * sizeof(int));
  (*tree)->next   = malloc(FARE_TREE_NODES * sizeof(int));
  if (!(*tree)->bucket || !(*tree)->next) {
    fare_tree_destroy(tree);
    FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  }
  for (int i = 0; i < BUCKETS; i++) (*tree)->bucket[i] = -1;
  PetscFunctionReturn(0);
}

void fare_tree_destroy(fare_tree **tree)
{
  if (!*tree) return;
  free((*tree)->bucket);
  free((*tree)->next);
  free(*tree);
  *tree = NULL;
}

static uint64_t hash_of(const fare_tree_node *n)
{
  uint64_t bits, hash = 0x9E3779B97F4A7C15u * (uint64_t)(n->kind + 1);

  memcpy(&bits, &n->value, sizeof bits);
  hash = (hash ^ (uint64_t)(unsigned)n->a) * 0xBF58476D1CE4E5B9u;
  hash = (hash ^ (uint64_t)(unsigned)n->b ^ hash >> 31) * 0x94D049BB133111EBu;
  return (hash ^ bits ^ bits >> 29) * 0x9E3779B97F4A7C15u >> 33;
}

/* The node that is equal to `n`, made if there is none yet. */
static int find_or_add(fare_tree *tree, fare_tree_node n)
{
  int *bucket = &tree->bucket[hash_of(&n) % BUCKETS];

  for (int i = *bucket; i >= 0; i = tree->next[i]) {
    const fare_tree_node *other = &tree->node[i];

    if (other->kind == n.kind && other->a == n.a && other->b == n.b &&
      !memcmp(&other->value, &n.value, sizeof n.value))
      return i;
  }
  if (tree->count == FARE_TREE_NODES) {
    tree->full = PETSC_TRUE;
    return 0;
  }
  tree->node[tree->count] = n;
  tree->next[tree->count] = *bucket;
  *bucket                 = tree->count;
  return tree->count++;
}

int fare_tree_number(fare_tree *tree, double value)
{
  /* no zero below zero */
  return find_or_add(tree, (fare_tree_node){.kind = FARE_X_NUMBER, .value = value == 0 ? 0 : value});
}

int fare_tree_axis(fare_tree *tree, int axis)
{
  return find_or_add(tree, (fare_tree_node){.kind = FARE_X_AXIS, .a = axis, .of = 1u << axis});
}

int fare_tree_parameter(fare_tree *tree, int parameter)
{
  return find_or_add(
    tree, (fare_tree_node){.kind = FARE_X_PARAMETER, .a = parameter, .of = FARE_OF_PARAMETERS});
}

PetscErrorCode fare_tree_value(const fare_tree *tree, int node, const double theta[], double *value)
{
  double *at = calloc((size_t)node + 1, sizeof *at);

  PetscFunctionBegin;
  if (!at) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  for (int i = 0; i <= node; i++) {
    const fare_tree_node *n = &tree->node[i];

    at[i] = n->kind == FARE_X_NUMBER ? n->value
      : n->kind == FARE_X_PARAMETER  ? theta[n->a]
      : n->kind == FARE_X_AXIS       ? NAN
                                     : fare_tree_compute(n->kind, at[n->a], at[n->b]);
  }
  *value = at[node];
  free(at);
  PetscFunctionReturn(0);
}

static PetscBool is_number(const fare_tree *tree, int node)
{
  return tree->node[node].kind == FARE_X_NUMBER ? PETSC_TRUE : PETSC_FALSE;
}

PetscBool fare_tree_is(const fare_tree *tree, int node, double value)
{
  return is_number(tree, node) && tree->node[node].value == value ? PETSC_TRUE : PETSC_FALSE;
}

const fare_tree_notation fare_tree_notations[FARE_X_KINDS] = {
  [FARE_X_ADD]      = {NULL, "+", NULL},
  [FARE_X_SUBTRACT] = {NULL, "-", NULL},
  [FARE_X_MULTIPLY] = {NULL, "*", NULL},
  [FARE_X_DIVIDE]   = {NULL, "/", NULL},
  [FARE_X_POWER]    = {NULL, "pow", NULL},
  [FARE_X_SIN]      = {"sin", "sin", sin},
  [FARE_X_COS]      = {"cos", "cos", cos},
  [FARE_X_TAN]      = {"tan", "tan", tan},
  [FARE_X_EXP]      = {"exp", "exp", exp},
  [FARE_X_LOG]      = {"log", "log", log},
  [FARE_X_SQRT]     = {"sqrt", "sqrt", sqrt},
  [FARE_X_SINH]     = {"sinh", "sinh", sinh},
  [FARE_X_COSH]     = {"cosh", "cosh", cosh},
  [FARE_X_TANH]     = {"tanh", "tanh", tanh},
  [FARE_X_ATAN]     = {"atan", "atan", atan},
  [FARE_X_ABS]      = {"abs", "fabs", fabs},
  [FARE_X_SIGN]     = {"sign", NULL, NULL},
  [FARE_X_STEP]     = {"step", NULL, NULL},
  [FARE_X_MIN]      = {"min", NULL, NULL},
  [FARE_X_MAX]      = {"max", NULL, NULL},
};

double fare_tree_compute(fare_tree_kind kind, double a, double b)
{
  if (fare_tree_notations[kind].value) return fare_tree_notations[kind].value(a);
  switch (kind) {
  case FARE_X_MINUS:
    return -a;
  case FARE_X_ADD:
    return a + b;
  case FARE_X_SUBTRACT:
    return a - b;
  case FARE_X_MULTIPLY:
    return a * b;
  case FARE_X_DIVIDE:
    return a / b;
  case FARE_X_POWER:
    return pow(a, b);
  case FARE_X_SIGN:
    return (a > 0) - (a < 0);
  case FARE_X_STEP:
    return a >= 0;
  case FARE_X_MIN:
    return a < b ? a : b;
  case FARE_X_MAX:
    return a > b ? a : b;
  default:
    return NAN; /* leaves */
  }
}

static PetscBool has_two(fare_tree_kind kind)
{
  return (kind >= FARE_X_ADD && kind <= FARE_X_POWER) || kind == FARE_X_MIN || kind == FARE_X_MAX
    ? PETSC_TRUE
    : PETSC_FALSE;
}

static int negated(const fare_tree *tree, int node)
{
  return tree->node[node].kind == FARE_X_MINUS ? tree->node[node].a : -1;
}

static int make_sum(fare_tree *tree, int a, int b)
{
  if (fare_tree_is(tree, a, 0)) return b;
  if (fare_tree_is(tree, b, 0)) return a;
  if (a == b) return fare_tree_make(tree, FARE_X_MULTIPLY, fare_tree_number(tree, 2), a);
  if (negated(tree, b) >= 0) return fare_tree_make(tree, FARE_X_SUBTRACT, a, negated(tree, b));
  if (negated(tree, a) >= 0) return fare_tree_make(tree, FARE_X_SUBTRACT, b, negated(tree, a));
  return -1;
}

static int make_difference(fare_tree *tree, int a, int b)
{
  if (a == b) return fare_tree_number(tree, 0);
  if (fare_tree_is(tree, b, 0)) return a;
  if (fare_tree_is(tree, a, 0)) return fare_tree_make(tree, FARE_X_MINUS, b, 0);
  if (negated(tree, b) >= 0) return fare_tree_make(tree, FARE_X_ADD, a, negated(tree, b));
  return -1;
}

static int make_product(fare_tree *tree, int a, int b)
{
  const fare_tree_node *left = &tree->node[a], *right = &tree->node[b];

  if (fare_tree_is(tree, a, 0) || fare_tree_is(tree, b, 0)) return fare_tree_number(tree, 0);
  if (fare_tree_is(tree, a, 1)) return b;
  if (fare_tree_is(tree, b, 1)) return a;
  if (fare_tree_is(tree, a, -1)) return fare_tree_make(tree, FARE_X_MINUS, b, 0);
  if (fare_tree_is(tree, b, -1)) return fare_tree_make(tree, FARE_X_MINUS, a, 0);
  if (negated(tree, a) >= 0)
    return fare_tree_make(tree, FARE_X_MINUS, fare_tree_make(tree, FARE_X_MULTIPLY, negated(tree, a), b), 0);
  if (negated(tree, b) >= 0)
    return fare_tree_make(tree, FARE_X_MINUS, fare_tree_make(tree, FARE_X_MULTIPLY, a, negated(tree, b)), 0);
  if (is_number(tree, b)) return fare_tree_make(tree, FARE_X_MULTIPLY, b, a);
  /* numbers come to the front, where they fold */
  if (right->kind == FARE_X_MULTIPLY && is_number(tree, right->a)) {
    if (is_number(tree, a))
      return fare_tree_make(
        tree, FARE_X_MULTIPLY, fare_tree_number(tree, left->value * tree->node[right->a].value), right->b);
    return fare_tree_make(
      tree, FARE_X_MULTIPLY, right->a, fare_tree_make(tree, FARE_X_MULTIPLY, a, right->b));
  }
  if (left->kind == FARE_X_MULTIPLY && is_number(tree, left->a))
    return fare_tree_make(tree, FARE_X_MULTIPLY, left->a, fare_tree_make(tree, FARE_X_MULTIPLY, left->b, b));
  return -1;
}

static int make_quotient(fare_tree *tree, int a, int b)
{
  if (fare_tree_is(tree, a, 0) && !fare_tree_is(tree, b, 0)) return a;
  if (fare_tree_is(tree, b, 1)) return a;
  if (negated(tree, a) >= 0)
    return fare_tree_make(tree, FARE_X_MINUS, fare_tree_make(tree, FARE_X_DIVIDE, negated(tree, a), b), 0);
  if (negated(tree, b) >= 0)
    return fare_tree_make(tree, FARE_X_MINUS, fare_tree_make(tree, FARE_X_DIVIDE, a, negated(tree, b)), 0);
  return -1;
}

static int make_power(fare_tree *tree, int a, int b)
{
  const fare_tree_node *base = &tree->node[a];

  if (fare_tree_is(tree, b, 0)) return fare_tree_number(tree, 1);
  if (fare_tree_is(tree, b, 1)) return a;
  if (base->kind == FARE_X_POWER && is_number(tree, base->b) && is_number(tree, b)) {
    const double n = tree->node[base->b].value, m = tree->node[b].value;

    /* (u^n)^m = u^(n m) for any u only where both are whole */
    if (n == floor(n) && m == floor(m) && fabs(n * m) <= 64)
      return fare_tree_make(tree, FARE_X_POWER, base->a, fare_tree_number(tree, n * m));
  }
  return -1;
}

/* Rules that make the node something else; -1: it stays. */
static int simplify(fare_tree *tree, fare_tree_kind kind, int a, int b)
{
  switch (kind) {
  case FARE_X_MINUS:
    return negated(tree, a);
  case FARE_X_ADD:
    return make_sum(tree, a, b);
  case FARE_X_SUBTRACT:
    return make_difference(tree, a, b);
  case FARE_X_MULTIPLY:
    return make_product(tree, a, b);
  case FARE_X_DIVIDE:
    return make_quotient(tree, a, b);
  case FARE_X_POWER:
    return make_power(tree, a, b);
  case FARE_X_MIN:
  case FARE_X_MAX:
    return a == b ? a : -1;
  default:
    return -1;
  }
}

int fare_tree_make(fare_tree *tree, fare_tree_kind kind, int a, int b)
{
  const PetscBool two = has_two(kind);
  int             simple;

  if (tree->full) return 0;
  if (!two) b = 0;
  if (is_number(tree, a) && (!two || is_number(tree, b)))
    return fare_tree_number(tree, fare_tree_compute(kind, tree->node[a].value, tree->node[b].value));
  simple = simplify(tree, kind, a, b);
  if (simple >= 0) return simple;
  /* either order is the same node */
  if ((kind == FARE_X_ADD || kind == FARE_X_MULTIPLY) && a > b && !is_number(tree, a)) {
    const int swapped = a;

    a = b;
    b = swapped;
  }
  return find_or_add(tree,
    (fare_tree_node){.kind = kind, .a = a, .b = b, .of = tree->node[a].of | (two ? tree->node[b].of : 0)});
}

int *fare_tree_reached(fare_tree *tree, int count, const int root[])
{
  int *reached = tree->full ? NULL : calloc((size_t)tree->count, sizeof *reached);

  if (!reached) tree->full = PETSC_TRUE;
  for (int k = 0; k < count && reached; k++) reached[root[k]] = 1;
  for (int i = tree->count - 1; i >= 0 && reached; i--) {
    const fare_tree_node *n = &tree->node[i];

    if (!reached[i] || n->kind <= FARE_X_PARAMETER) continue;
    reached[n->a] = 1; /* children come before their parents */
    if (has_two(n->kind)) reached[n->b] = 1;
  }
  return reached;
}
