/* SPDX-License-Identifier: BSD-2-Clause */
/*
  Formulas from text, by recursive descent:

    sum     = product {("+" | "-") product}
    product = signed {("*" | "/") signed}
    signed  = ("+" | "-") signed | power
    power   = atom ["^" signed]                      so -x^2 = -(x^2), x^y^z = x^(y^z)
    atom    = number | name | name "(" sum {"," sum} ")" | "(" sum ")"
*/
#include "expression.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 64

static const struct {
  const char *name;
  double      value;
} constants[] = {{"pi", 3.14159265358979323846}, {"e", 2.7182818284590452354}};
#define CONSTANTS ((int)PETSC_STATIC_ARRAY_LENGTH(constants))
static const char time_name[] = "t";

typedef struct {
  const char         *text;
  size_t              at;
  int                 depth;
  PetscBool           failed;
  fare_tree          *tree;
  fare_symbols       *symbols;
  fare_formula_fault *fault;
} parser;

/* The kind of the function with this name, or FARE_X_KINDS. */
static fare_tree_kind find_function(const char *name)
{
  fare_tree_kind kind = FARE_X_FIRST_FUNCTION;

  while (kind < FARE_X_KINDS && strcmp(fare_tree_notations[kind].name, name)) kind++;
  return kind;
}

PetscBool fare_formula_reserves(const char *word)
{
  for (int i = 0; i < CONSTANTS; i++) {
    if (!strcmp(constants[i].name, word)) return PETSC_TRUE;
  }
  if (!strcmp(word, time_name)) return PETSC_TRUE;
  return find_function(word) < FARE_X_KINDS ? PETSC_TRUE : PETSC_FALSE;
}

/* Letters of plain ASCII: what isalpha calls a letter depends on the locale. */
static PetscBool is_letter(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? PETSC_TRUE : PETSC_FALSE;
}

static PetscBool is_digit(char c)
{
  return c >= '0' && c <= '9' ? PETSC_TRUE : PETSC_FALSE;
}

static size_t name_length(const char *text)
{
  size_t length = 0;

  if (!is_letter(*text)) return 0;
  while (is_letter(text[length]) || is_digit(text[length]) || text[length] == '_') length++;
  return length;
}

PetscBool fare_formula_is_name(const char *word)
{
  return name_length(word) && name_length(word) == strlen(word) && strlen(word) < NAME_SIZE ? PETSC_TRUE
                                                                                            : PETSC_FALSE;
}

/* The first fault is the one that is told. */
static int PETSC_ATTRIBUTE_FORMAT(3, 4) refuse(parser *p, size_t at, const char *format, ...)
{
  va_list arguments;

  if (p->failed) return 0;
  p->failed    = PETSC_TRUE;
  p->fault->at = at;
  va_start(arguments, format);
  vsnprintf(p->fault->what, sizeof p->fault->what, format, arguments);
  va_end(arguments);
  return 0;
}

static char peek(parser *p)
{
  while (strchr(" \t\r\n", p->text[p->at]) && p->text[p->at]) p->at++;
  return p->text[p->at];
}

static PetscBool take(parser *p, char c)
{
  if (p->failed || peek(p) != c) return PETSC_FALSE;
  p->at++;
  return PETSC_TRUE;
}

/* A node that is made at `at`; what comes to no number is refused there. */
static int make(parser *p, size_t at, fare_tree_kind kind, int a, int b)
{
  int node;

  if (p->failed) return 0;
  node = fare_tree_make(p->tree, kind, a, b);
  if (p->tree->full) return refuse(p, at, "the formula is too large");
  if (p->tree->node[node].kind == FARE_X_NUMBER && !isfinite(p->tree->node[node].value))
    return refuse(p, at, "this is not a finite number");
  return node;
}

static int parse_sum(parser *p);

static int parse_number(parser *p)
{
  const size_t begin = p->at;
  size_t       at    = begin;
  char         text[NAME_SIZE];
  double       value;

  while (is_digit(p->text[at])) at++;
  if (p->text[at] == '.') {
    at++;
    while (is_digit(p->text[at])) at++;
  }
  if (at == begin + 1 && p->text[begin] == '.')
    return refuse(p, begin, "expected digits next to the decimal point");
  if (p->text[at] == 'e' || p->text[at] == 'E') {
    const size_t digits = at + 1 + (p->text[at + 1] == '+' || p->text[at + 1] == '-');

    if (is_digit(p->text[digits])) {
      for (at = digits; is_digit(p->text[at]);) at++;
    }
  }
  if (at - begin >= sizeof text) return refuse(p, begin, "a number with too many digits");
  memcpy(text, p->text + begin, at - begin);
  text[at - begin] = '\0';
  value            = strtod(text, NULL);
  p->at            = at;
  if (!isfinite(value)) return refuse(p, begin, "too large a number");
  return fare_tree_number(p->tree, value);
}

/* Two or more arguments are two of two; the others have one. */
static int parse_arguments(parser *p, fare_tree_kind kind, size_t at)
{
  const char     *name = fare_tree_notations[kind].name;
  const PetscBool many = kind == FARE_X_MIN || kind == FARE_X_MAX ? PETSC_TRUE : PETSC_FALSE;
  int             node, count = 1;

  if (!take(p, '(')) return refuse(p, p->at, "'%s' is a function: expected '(' after it", name);
  node = parse_sum(p);
  if (!many) node = make(p, at, kind, node, 0);
  while (peek(p) == ',' && !p->failed) {
    const size_t comma = p->at++;

    if (!many) return refuse(p, comma, "'%s' has one argument", name);
    node = make(p, at, kind, node, parse_sum(p));
    count++;
  }
  if (many && count < 2) return refuse(p, at, "'%s' needs two arguments or more", name);
  if (!take(p, ')'))
    return refuse(p, p->at, "expected an operator, ')'%s, got %s", many ? " or ','" : "",
      p->text[p->at] ? "this" : "the end");
  return node;
}

/* "unknown symbol 'tlt' (did you mean 'tilt'?)", or of a function, where '(' follows. */
static int refuse_name(parser *p, size_t at, const char *name, PetscBool called)
{
  const fare_symbols *s = p->symbols;
  const char         *names[FARE_DIM_MAX + FARE_PARAMETERS_MAX + FARE_X_KINDS + CONSTANTS + 1];
  size_t              count = 0;
  fare_text           list = {0}, hint = {0};

  for (int i = FARE_X_FIRST_FUNCTION; i < FARE_X_KINDS && called; i++)
    names[count++] = fare_tree_notations[i].name;
  for (int i = 0; i < s->axes && !called; i++) names[count++] = s->axis[i];
  for (int i = 0; i < s->parameters && !called; i++) names[count++] = s->parameter[i];
  if (s->has_time && !called) names[count++] = time_name;
  for (int i = 0; i < CONSTANTS && !called; i++) names[count++] = constants[i].name;
  for (size_t i = 0; i < count && list.length < 200; i++)
    fare_text_add(&list, "%s%s", i ? ", " : "", names[i]);
  fare_text_add_nearest(&hint, name, names, count);
  refuse(p, at, "unknown %s '%s'%s%s%s; there are: %s", called ? "function" : "symbol", name,
    hint.text ? hint.text : "", called ? "" : ": ",
    called         ? ""
      : s->lacking ? s->lacking
                   : "neither an axis nor given a value under system.parameters",
    list.text);
  fare_text_free(&list);
  fare_text_free(&hint);
  return 0;
}

/* The axis, parameter or constant with this name; -1: there is none. */
static int find_symbol(parser *p, const char *name, PetscBool called)
{
  fare_symbols *s = p->symbols;

  for (int i = 0; i < s->axes; i++) {
    if (!strcmp(s->axis[i], name)) return fare_tree_axis(p->tree, i);
  }
  for (int i = 0; i < s->parameters; i++) {
    if (strcmp(s->parameter[i], name)) continue;
    s->used[i] = PETSC_TRUE;
    return fare_tree_parameter(p->tree, i);
  }
  if (s->has_time && !strcmp(time_name, name)) {
    s->uses_time = PETSC_TRUE;
    return fare_tree_parameter(p->tree, FARE_TIME);
  }
  for (int i = 0; i < CONSTANTS && !called; i++) {
    if (!strcmp(constants[i].name, name)) return fare_tree_number(p->tree, constants[i].value);
  }
  return -1;
}

static int parse_name(parser *p)
{
  const size_t   at = p->at, length = name_length(p->text + at);
  char           name[NAME_SIZE];
  PetscBool      called;
  fare_tree_kind function;
  int            node;

  if (length >= NAME_SIZE) return refuse(p, at, "a name of more than %d characters", NAME_SIZE - 1);
  memcpy(name, p->text + at, length);
  name[length] = '\0';
  p->at += length;
  function = find_function(name);
  if (function < FARE_X_KINDS) return parse_arguments(p, function, at);
  called = peek(p) == '(' ? PETSC_TRUE : PETSC_FALSE;
  node   = find_symbol(p, name, called);
  if (node < 0) return refuse_name(p, at, name, called);
  if (called) return refuse(p, p->at, "'%s' is not a function; a product is written %s*(...)", name, name);
  return node;
}

/* Anything that begins no number, name or parenthesis, with advice where the mistake is a common one. */
static int refuse_atom(parser *p)
{
  const char         *here = p->text + p->at;
  const unsigned char c    = (unsigned char)*here;

  if (!c) return refuse(p, p->at, "expected a number, a name or '(', got the end");
  if (c == '*' && p->at && here[-1] == '*') return refuse(p, p->at, "a power is written ^");
  if (c == ')' || c == '*' || c == '/' || c == '^' || c == ',')
    return refuse(p, p->at, "expected a number, a name or '('");
  if (c >= 0x80) return refuse(p, p->at, "not a character of formulas, which are in plain ASCII");
  return refuse(p, p->at, "not a character of formulas");
}

static int parse_atom(parser *p)
{
  const char c = peek(p);
  int        node;

  if (p->failed) return 0;
  if (is_digit(c) || c == '.') return parse_number(p);
  if (is_letter(c)) return parse_name(p);
  if (c != '(') return refuse_atom(p);
  p->at++;
  node = parse_sum(p);
  if (!take(p, ')'))
    return refuse(p, p->at, "expected an operator or ')', got %s", p->text[p->at] ? "this" : "the end");
  return node;
}

static int parse_signed(parser *p)
{
  int node = 0;

  if (p->failed) return 0;
  if (++p->depth > FARE_FORMULA_DEPTH) return refuse(p, p->at, "nested too deeply");
  peek(p);

  const size_t at = p->at;

  if (take(p, '-')) {
    node = make(p, at, FARE_X_MINUS, parse_signed(p), 0);
  } else if (take(p, '+')) {
    node = parse_signed(p);
  } else {
    node = parse_atom(p);
    if (peek(p) == '^' && !p->failed) {
      const size_t sign = p->at++;

      node = make(p, sign, FARE_X_POWER, node, parse_signed(p));
    }
  }
  p->depth--;
  return node;
}

static int parse_product(parser *p)
{
  int node = parse_signed(p);

  while (!p->failed && (peek(p) == '*' || p->text[p->at] == '/')) {
    const size_t at = p->at++;

    node = make(p, at, p->text[at] == '*' ? FARE_X_MULTIPLY : FARE_X_DIVIDE, node, parse_signed(p));
  }
  return node;
}

static int parse_sum(parser *p)
{
  int node = parse_product(p);

  while (!p->failed && (peek(p) == '+' || p->text[p->at] == '-')) {
    const size_t at = p->at++;

    node = make(p, at, p->text[at] == '+' ? FARE_X_ADD : FARE_X_SUBTRACT, node, parse_product(p));
  }
  return node;
}

PetscBool fare_formula_parse(
  fare_tree *tree, fare_symbols *symbols, const char *text, int *root, fare_formula_fault *fault)
{
  parser p = {.text = text, .tree = tree, .symbols = symbols, .fault = fault};

  *root = 0;
  if (strlen(text) > FARE_FORMULA_LENGTH) {
    refuse(&p, 0, "longer than %d characters", FARE_FORMULA_LENGTH);
    return PETSC_FALSE;
  }
  if (!peek(&p)) refuse(&p, 0, "expected a formula, got nothing");
  *root = parse_sum(&p);
  if (!p.failed && peek(&p)) {
    const char c = p.text[p.at];

    if (is_digit(c) || is_letter(c) || c == '(' || c == '.')
      refuse(&p, p.at, "expected an operator before this; a product is written with *");
    else if (c == ')')
      refuse(&p, p.at, "a ')' without a matching '('");
    else if (c == ',')
      refuse(&p, p.at, "a ',' outside a function's parentheses; the decimal sign is a point");
    else
      refuse_atom(&p);
  }
  return p.failed ? PETSC_FALSE : PETSC_TRUE;
}

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
