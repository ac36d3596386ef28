/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done with a tree: its derivative, its split into coefficients and basis functions, powers as
 * products. */
#include "expression.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAKE(kind, a, b) fare_tree_make(tree, FARE_X_##kind, a, b)
#define NUMBER(value)    fare_tree_number(tree, value)

/* Marks the nodes that `node` is made of, and gives a place for what each becomes. */
static void begin_sweep(fare_tree *tree, int node, int **reached, int **to)
{
  *reached = fare_tree_reached(tree, 1, &node);
  *to      = calloc((size_t)node + 1, sizeof **to);
  if (!*to) tree->full = PETSC_TRUE;
}

static int end_sweep(const fare_tree *tree, int node, int *reached, int *to)
{
  const int result = tree->full ? 0 : to[node];

  free(reached);
  free(to);
  return result;
}

/* d u^v: v u^(v-1) u' + u^v ln(u) v' */
static int derive_power(fare_tree *tree, int node, int du, int dv)
{
  const int u = tree->node[node].a, v = tree->node[node].b;
  const int by_base = fare_tree_is(tree, du, 0)
    ? du
    : MAKE(MULTIPLY, MAKE(MULTIPLY, v, MAKE(POWER, u, MAKE(SUBTRACT, v, NUMBER(1)))), du);
  const int by_exponent =
    fare_tree_is(tree, dv, 0) ? dv : MAKE(MULTIPLY, MAKE(MULTIPLY, node, MAKE(LOG, u, 0)), dv);

  return MAKE(ADD, by_base, by_exponent);
}

/* f'(u) of a function of one argument; `node` is f(u). */
static int derive_function(fare_tree *tree, int node, int u)
{
  const int one = NUMBER(1), two = NUMBER(2);

  switch (tree->node[node].kind) {
  case FARE_X_SIN:
    return MAKE(COS, u, 0);
  case FARE_X_COS:
    return MAKE(MINUS, MAKE(SIN, u, 0), 0);
  case FARE_X_TAN:
    return MAKE(ADD, one, MAKE(POWER, node, two));
  case FARE_X_EXP:
    return node;
  case FARE_X_LOG:
    return MAKE(DIVIDE, one, u);
  case FARE_X_SQRT:
    return MAKE(DIVIDE, NUMBER(0.5), node);
  case FARE_X_SINH:
    return MAKE(COSH, u, 0);
  case FARE_X_COSH:
    return MAKE(SINH, u, 0);
  case FARE_X_TANH:
    return MAKE(SUBTRACT, one, MAKE(POWER, node, two));
  case FARE_X_ATAN:
    return MAKE(DIVIDE, one, MAKE(ADD, one, MAKE(POWER, u, two)));
  case FARE_X_ABS:
    return MAKE(SIGN, u, 0);
  default:
    return NUMBER(0); /* sign and step */
  }
}

/* d of one node, from those of its children. */
static int derive_node(fare_tree *tree, int node, int axis, const int d[])
{
  const fare_tree_node n = tree->node[node];
  const int            a = n.a, b = n.b;
  int                  chosen;

  switch (n.kind) {
  case FARE_X_NUMBER:
  case FARE_X_PARAMETER:
    return NUMBER(0);
  case FARE_X_AXIS:
    return NUMBER(n.a == axis);
  case FARE_X_MINUS:
    return MAKE(MINUS, d[a], 0);
  case FARE_X_ADD:
    return MAKE(ADD, d[a], d[b]);
  case FARE_X_SUBTRACT:
    return MAKE(SUBTRACT, d[a], d[b]);
  case FARE_X_MULTIPLY:
    return MAKE(ADD, MAKE(MULTIPLY, d[a], b), MAKE(MULTIPLY, a, d[b]));
  /* (u' - (u/v) v')/v */
  case FARE_X_DIVIDE:
    return MAKE(DIVIDE, MAKE(SUBTRACT, d[a], MAKE(MULTIPLY, node, d[b])), b);
  case FARE_X_POWER:
    return derive_power(tree, node, d[a], d[b]);
  case FARE_X_MIN:
  case FARE_X_MAX:
    /* 1 where a is it */
    chosen = MAKE(STEP, n.kind == FARE_X_MAX ? MAKE(SUBTRACT, a, b) : MAKE(SUBTRACT, b, a), 0);
    return MAKE(ADD, MAKE(MULTIPLY, chosen, d[a]), MAKE(MULTIPLY, MAKE(SUBTRACT, NUMBER(1), chosen), d[b]));
  default:
    return fare_tree_is(tree, d[a], 0) ? d[a] : MAKE(MULTIPLY, derive_function(tree, node, a), d[a]);
  }
}

int fare_tree_derivative(fare_tree *tree, int node, int axis)
{
  int *reached, *d;

  begin_sweep(tree, node, &reached, &d);
  for (int i = 0; i <= node && !tree->full; i++) {
    if (reached[i]) d[i] = tree->node[i].of & 1u << axis ? derive_node(tree, i, axis, d) : NUMBER(0);
  }
  return end_sweep(tree, node, reached, d);
}

/* u^n for whole n > 0, by squares */
static int whole_power(fare_tree *tree, int u, int n)
{
  const int half = n > 1 ? whole_power(tree, u, n / 2) : 0;

  if (n == 1) return u;
  return n % 2 ? MAKE(MULTIPLY, MAKE(MULTIPLY, half, half), u) : MAKE(MULTIPLY, half, half);
}

static int lower_power(fare_tree *tree, int u, int v)
{
  const double exponent = tree->node[v].kind == FARE_X_NUMBER ? fabs(tree->node[v].value) : HUGE_VAL;
  const int    whole    = exponent <= 64 ? (int)exponent : 0;
  int          result;

  if (tree->node[u].kind == FARE_X_NUMBER && tree->node[u].value > 0)
    return MAKE(EXP, MAKE(MULTIPLY, NUMBER(log(tree->node[u].value)), v), 0);
  if (exponent > 64 || (exponent != whole && exponent != whole + 0.5)) return MAKE(POWER, u, v);
  result = whole ? whole_power(tree, u, whole) : NUMBER(1);
  if (exponent != whole) result = MAKE(MULTIPLY, result, MAKE(SQRT, u, 0));
  return tree->node[v].value < 0 ? MAKE(DIVIDE, NUMBER(1), result) : result;
}

int fare_tree_lower(fare_tree *tree, int node)
{
  int *reached, *low;

  begin_sweep(tree, node, &reached, &low);
  for (int i = 0; i <= node && !tree->full; i++) {
    const fare_tree_node n = tree->node[i];

    if (!reached[i]) continue;
    if (n.kind <= FARE_X_PARAMETER)
      low[i] = i;
    else if (n.kind == FARE_X_POWER)
      low[i] = lower_power(tree, low[n.a], low[n.b]);
    else
      low[i] = fare_tree_make(tree, n.kind, low[n.a], low[n.b]);
  }
  return end_sweep(tree, node, reached, low);
}

/* A sum of products, coefficient times basis function; count -1: there is no such sum that is short enough.
 */
typedef struct {
  int count, coefficient[FARE_PARAMETERS_MAX], basis[FARE_PARAMETERS_MAX];
} terms;

static void add_term(terms *to, int coefficient, int basis)
{
  if (to->count < 0 || to->count == FARE_PARAMETERS_MAX) {
    to->count = -1;
    return;
  }
  to->coefficient[to->count] = coefficient;
  to->basis[to->count++]     = basis;
}

static void split(fare_tree *tree, int node, terms *to);

static void split_product(fare_tree *tree, int a, int b, terms *to)
{
  /* a square is split once, or the work would double with every square in a square */
  terms left = {0}, other = {0}, *right = a == b ? &left : &other;

  split(tree, a, &left);
  if (left.count >= 0 && a != b) split(tree, b, right);
  if (left.count < 0 || right->count < 0) to->count = -1;
  for (int i = 0; i < left.count && to->count >= 0; i++) {
    for (int k = 0; k < right->count; k++)
      add_term(to, MAKE(MULTIPLY, left.coefficient[i], right->coefficient[k]),
        MAKE(MULTIPLY, left.basis[i], right->basis[k]));
  }
}

static void split(fare_tree *tree, int node, terms *to)
{
  const fare_tree_node n    = tree->node[node];
  const int            one  = NUMBER(1);
  terms                part = {0};

  if (tree->full) to->count = -1;
  if (to->count < 0) return;
  if (!(n.of & FARE_OF_PARAMETERS)) {
    add_term(to, one, node);
    return;
  }
  if (!(n.of & FARE_OF_AXES)) {
    add_term(to, node, one);
    return;
  }
  switch (n.kind) {
  case FARE_X_ADD:
    split(tree, n.a, to);
    split(tree, n.b, to);
    break;
  case FARE_X_MINUS:
  case FARE_X_SUBTRACT:
    if (n.kind == FARE_X_SUBTRACT) split(tree, n.a, to);
    split(tree, n.kind == FARE_X_SUBTRACT ? n.b : n.a, &part);
    if (part.count < 0) to->count = -1;
    for (int i = 0; i < part.count; i++) add_term(to, MAKE(MINUS, part.coefficient[i], 0), part.basis[i]);
    break;
  case FARE_X_MULTIPLY:
    split_product(tree, n.a, n.b, to);
    break;
  case FARE_X_DIVIDE:
    if (tree->node[n.b].of & FARE_OF_AXES && tree->node[n.b].of & FARE_OF_PARAMETERS)
      to->count = -1;
    else
      split_product(tree, n.a, MAKE(DIVIDE, one, n.b), to);
    break;
  case FARE_X_POWER: /* squares are multiplied out, as of a trap that is dragged; higher powers would lose
                        digits */
    if (fare_tree_is(tree, n.b, 2))
      split_product(tree, n.a, n.a, to);
    else
      to->count = -1;
    break;
  default:
    to->count = -1;
    break;
  }
}

/* Terms of equal coefficient become one, then those of equal basis function. */
static void merge(fare_tree *tree, terms *t)
{
  for (int pass = 0; pass < 2; pass++) {
    int *equal = pass ? t->basis : t->coefficient, *added = pass ? t->coefficient : t->basis, count = 0;

    for (int i = 0; i < t->count; i++) {
      int k = 0;

      while (k < count && equal[k] != equal[i]) k++;
      if (k == count) {
        equal[k] = equal[i];
        added[k] = added[i];
        count++;
      } else {
        added[k] = MAKE(ADD, added[k], added[i]);
      }
    }
    t->count = count;
  }
}

int fare_tree_split(fare_tree *tree, int node, int max, int coefficient[], int basis[])
{
  terms t = {0};

  split(tree, node, &t);
  if (t.count <= 0 || tree->full) return 0;
  /* numbers belong to basis functions, so that terms no parameter is in become one */
  for (int i = 0; i < t.count; i++) {
    const fare_tree_node c = tree->node[t.coefficient[i]];

    if (c.kind == FARE_X_NUMBER) {
      t.basis[i]       = MAKE(MULTIPLY, t.coefficient[i], t.basis[i]);
      t.coefficient[i] = NUMBER(1);
    } else if (c.kind == FARE_X_MINUS) {
      t.basis[i]       = MAKE(MINUS, t.basis[i], 0);
      t.coefficient[i] = c.a;
    }
  }
  merge(tree, &t);
  if (t.count > max || tree->full) return 0;
  memcpy(coefficient, t.coefficient, (size_t)t.count * sizeof *coefficient);
  memcpy(basis, t.basis, (size_t)t.count * sizeof *basis);
  return t.count;
}
