/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Formulas of the tests' own: random trees, printed for what is tested to read back, with values and gradients
  by dual numbers.
*/
#ifndef FORMULAS_H
#define FORMULAS_H

#include "fare_test.h"

#include "system/formula/expression.h"

static fare_random randomness;

static inline double uniform(void)
{
  if (!randomness.next) randomness.stream = fare_stream_make(5, "formulas");
  return fare_random_uniform(&randomness);
}

static inline int below(int n)
{
  return (int)(uniform() * n);
}

/*
  The test's own formulas. Kinds are letters: operators as they are written, functions and leaves as listed in
  `print`.
*/
typedef struct term {
  char         kind;
  double       value; /* of a number; index of an axis or parameter */
  struct term *a, *b;
} term;

static term              pool[256];
static int               pooled;
static const char *const axis_names[] = {"x", "y", "phi_2"}, *const parameter_names[] = {"k", "tilt", "a0"};

static inline term *new_term(char kind, double value, term *a, term *b)
{
  assert_true(pooled < 256);
  pool[pooled] = (term){kind, value, a, b};
  return &pool[pooled++];
}

static inline term *number(double value)
{
  return new_term('#', value, NULL, NULL);
}

static inline term *leaf(int dim)
{
  const int which = below(5);

  if (which == 0) return number(floor(1 + 40 * uniform()) / 8);
  if (which == 1) return new_term('p', below(3), NULL, NULL);
  return new_term('x', below(dim), NULL, NULL);
}

/* A sum of products of what has parameters alone and what has axes alone, as most potentials are. */
static inline term *grow_sum(int dim)
{
  term *sum = leaf(dim);

  for (int i = 1 + below(4); i; i--) {
    term *factor = below(3)
      ? new_term('s', 0, new_term('*', 0, number(0.5), new_term('x', below(dim), NULL, NULL)), NULL)
      : new_term('^', 0, new_term('-', 0, leaf(dim), leaf(dim)), number(2));

    sum = new_term(below(2) ? '+' : '-', 0, sum,
      new_term(below(3) ? '*' : '/', 0, factor, new_term('p', 2 * below(2), NULL, NULL)));
  }
  return sum;
}

/* Formulas that stay tame: no singularity, moderate growth. */
static inline term *grow(int depth, int dim)
{
  static const char kinds[] = "++--**/^PEscthqTlSCaAmMgHu-^";
  const char        kind    = kinds[below((int)sizeof kinds - 1)];
  term             *u;

  if (depth == 0) return leaf(dim);
  u = grow(depth - 1, dim);
  switch (kind) {
  case '+':
  case '-':
  case '*':
  case 'm':
  case 'M':
    return new_term(kind, 0, u, grow(depth - 1, dim));
  case '/':
    return new_term(
      '/', 0, u, new_term('+', 0, number(1.5), new_term('^', 0, grow(depth - 1, dim), number(2))));
  case '^':
    return new_term('^', 0, new_term('t', 0, u, NULL), number(below(7)));
  case 'P':
    return new_term('^', 0, new_term('+', 0, number(1), new_term('^', 0, u, number(2))),
      new_term('*', 0, number(0.25), leaf(dim)));
  case 'E':
    return new_term('^', 0, number(2), new_term('s', 0, u, NULL));
  case 'h':
  case 'S':
  case 'C':
  case 'T':
  case 'e':
    return new_term(kind, 0, new_term('s', 0, u, NULL), NULL); /* of what is between -1 and 1 */
  case 'q':
    return new_term('q', 0, new_term('+', 0, number(0.5), new_term('^', 0, u, number(2))), NULL);
  case 'l':
    return new_term('l', 0, new_term('+', 0, number(0.5), new_term('^', 0, u, number(2))), NULL);
  case 'u':
    return new_term('n', 0, u, NULL);
  default:
    return new_term(kind, 0, u, NULL);
  }
}

static inline int precedence(const term *t)
{
  switch (t->kind) {
  case '+':
  case '-':
    return 1;
  case '*':
  case '/':
    return 2;
  case 'n':
    return 3;
  case '^':
    return 4;
  default:
    return 5;
  }
}

static inline void blank(fare_text *to)
{
  if (below(4) == 0) fare_text_add(to, "%s", below(5) ? " " : "\n  ");
}

static inline const char *function_name(char kind)
{
  static const struct {
    char        kind;
    const char *name;
  } names[] = {{'s', "sin"}, {'c', "cos"}, {'t', "tanh"}, {'h', "exp"}, {'q', "sqrt"}, {'T', "tan"},
    {'l', "log"}, {'S', "sinh"}, {'C', "cosh"}, {'a', "atan"}, {'A', "abs"}, {'m', "min"}, {'M', "max"},
    {'g', "sign"}, {'H', "step"}};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].kind == kind) return names[i].name;
  }
  return NULL;
}

/* With as few parentheses as the grammar needs, sometimes more. */
static inline void print(const term *t, int level, fare_text *to)
{
  const int wrapped = precedence(t) < level || below(12) == 0;

  blank(to);
  if (wrapped) fare_text_add(to, "(");
  if (t->kind == '#')
    fare_text_add(to, "%.17g", t->value);
  else if (t->kind == 'x')
    fare_text_add(to, "%s", axis_names[(int)t->value]);
  else if (t->kind == 'p')
    fare_text_add(to, "%s", parameter_names[(int)t->value]);
  else if (t->kind == 'n') {
    fare_text_add(to, "-");
    print(t->a, 3, to);
  } else if (function_name(t->kind)) {
    fare_text_add(to, "%s", function_name(t->kind));
    blank(to);
    fare_text_add(to, "(");
    print(t->a, 1, to);
    if (t->b) fare_text_add(to, ",");
    if (t->b) print(t->b, 1, to);
    fare_text_add(to, ")");
  } else {
    print(t->a, t->kind == '^' ? 5 : precedence(t), to);
    blank(to);
    fare_text_add(to, "%c", t->kind);
    print(t->b, t->kind == '^' ? 3 : precedence(t) + 1, to);
  }
  blank(to);
  if (wrapped) fare_text_add(to, ")");
}

/*
  Value and gradient by dual numbers; `size` is the largest of all that was met on the way, to which rounding
  is relative.
*/
typedef struct {
  double v, d[3];
} dual;

static inline dual chain(dual u, double value, double slope)
{
  return (dual){value, {slope * u.d[0], slope * u.d[1], slope * u.d[2]}};
}

static inline dual mix(double value, double by_a, dual a, double by_b, dual b)
{
  dual r = {value, {0}};

  for (int i = 0; i < 3; i++) r.d[i] = (by_a != 0 ? by_a * a.d[i] : 0) + (by_b != 0 ? by_b * b.d[i] : 0);
  return r;
}

static inline dual evaluate(const term *t, const double *x, const double *theta, double *size)
{
  const dual a = t->a ? evaluate(t->a, x, theta, size) : (dual){0},
             b = t->b ? evaluate(t->b, x, theta, size) : (dual){0};
  dual r       = {0};

  switch (t->kind) {
  case '#':
    r.v = t->value;
    break;
  case 'p':
    r.v = theta[(int)t->value];
    break;
  case 'x':
    r.v                = x[(int)t->value];
    r.d[(int)t->value] = 1;
    break;
  case 'n':
    r = chain(a, -a.v, -1);
    break;
  case '+':
    r = mix(a.v + b.v, 1, a, 1, b);
    break;
  case '-':
    r = mix(a.v - b.v, 1, a, -1, b);
    break;
  case '*':
    r = mix(a.v * b.v, b.v, a, a.v, b);
    break;
  case '/':
    r = mix(a.v / b.v, 1 / b.v, a, -a.v / (b.v * b.v), b);
    break;
  case '^':
    r = mix(pow(a.v, b.v), b.v != 0 ? b.v * pow(a.v, b.v - 1) : 0, a,
      b.d[0] != 0 || b.d[1] != 0 || b.d[2] != 0 ? pow(a.v, b.v) * log(a.v) : 0, b);
    break;
  case 's':
    r = chain(a, sin(a.v), cos(a.v));
    break;
  case 'c':
    r = chain(a, cos(a.v), -sin(a.v));
    break;
  case 't':
    r = chain(a, tanh(a.v), 1 / (cosh(a.v) * cosh(a.v)));
    break;
  case 'h':
    r = chain(a, exp(a.v), exp(a.v));
    break;
  case 'q':
    r = chain(a, sqrt(a.v), 0.5 / sqrt(a.v));
    break;
  case 'T':
    r = chain(a, tan(a.v), 1 / (cos(a.v) * cos(a.v)));
    break;
  case 'l':
    r = chain(a, log(a.v), 1 / a.v);
    break;
  case 'S':
    r = chain(a, sinh(a.v), cosh(a.v));
    break;
  case 'C':
    r = chain(a, cosh(a.v), sinh(a.v));
    break;
  case 'a':
    r = chain(a, atan(a.v), 1 / (1 + a.v * a.v));
    break;
  case 'A':
    r = chain(a, fabs(a.v), a.v > 0 ? 1 : a.v < 0 ? -1 : 0);
    break;
  case 'g':
    r.v = (a.v > 0) - (a.v < 0);
    break;
  case 'H':
    r.v = a.v >= 0;
    break;
  case 'm':
    r = mix(fmin(a.v, b.v), a.v <= b.v, a, a.v > b.v, b);
    break;
  case 'M':
    r = mix(fmax(a.v, b.v), a.v >= b.v, a, a.v < b.v, b);
    break;
  default:
    fail_msg("term '%c'", t->kind);
  }
  *size = fmax(*size, fabs(r.v));
  for (int i = 0; i < 3; i++) *size = fmax(*size, fabs(r.d[i]));
  return r;
}

/*
  Whether somewhere a choice hangs on rounding: equal arguments of min or max, a zero under abs, sign or step.
*/
static inline int has_tie(const term *t, const double *x, const double *theta)
{
  double size = 0;

  if (!t) return 0;
  if ((t->kind == 'm' || t->kind == 'M') &&
    fabs(evaluate(t->a, x, theta, &size).v - evaluate(t->b, x, theta, &size).v) < 1e-9)
    return 1;
  if ((t->kind == 'A' || t->kind == 'g' || t->kind == 'H') && fabs(evaluate(t->a, x, theta, &size).v) < 1e-9)
    return 1;
  return has_tie(t->a, x, theta) || has_tie(t->b, x, theta);
}

static inline fare_symbols symbols_of_test(int dim)
{
  return (fare_symbols){.axes = dim,
    .parameters               = 3,
    .axis                     = {axis_names[0], axis_names[1], axis_names[2]},
    .parameter                = {parameter_names[0], parameter_names[1], parameter_names[2]}};
}

#endif
