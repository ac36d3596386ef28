/* fare-test: labels=unit ranks=1 timeout=120 */
/*
  Formulas: the grammar, refusals and their places, exact derivatives against dual numbers, and compiled functions against a formula
  evaluated here. Random formulas are made as a tree of this test's own, printed, and read back by what is tested.
*/
#include "fare_test.h"

#include "system/expression.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static fare_random randomness;

static double uniform(void)
{
  if (!randomness.next) randomness.stream = fare_stream_make(5, "formulas");
  return fare_random_uniform(&randomness);
}

static int below(int n)
{
  return (int)(uniform() * n);
}

static char cache[] = "/tmp/fare-formulas-XXXXXX";

static int files_in_cache(void)
{
  DIR *directory = opendir(cache);
  int  count     = -2; /* . and .. */

  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

static int make_cache(void **state)
{
  (void)state;
  return !mkdtemp(cache) || setenv("FARE_CACHE", cache, 1);
}

static int remove_cache(void **state)
{
  DIR           *directory = opendir(cache);
  struct dirent *entry;
  char           path[512];

  (void)state;
  while ((entry = readdir(directory))) {
    snprintf(path, sizeof path, "%s/%s", cache, entry->d_name);
    if (*entry->d_name != '.') unlink(path);
  }
  closedir(directory);
  return rmdir(cache);
}

/* What a tree says, by walking it: the emitter and the compiler have no part in this. */
static double walk(const fare_tree *tree, int node, const double *x, const double *theta)
{
  const fare_tree_node *n = &tree->node[node];
  double                a = 0, b = 0;

  if (n->kind > FARE_X_PARAMETER) a = walk(tree, n->a, x, theta);
  if ((n->kind >= FARE_X_ADD && n->kind <= FARE_X_POWER) || n->kind == FARE_X_MIN || n->kind == FARE_X_MAX) b = walk(tree, n->b, x, theta);
  switch (n->kind) {
  case FARE_X_NUMBER: return n->value;
  case FARE_X_AXIS: return x[n->a];
  case FARE_X_PARAMETER: return theta[n->a];
  case FARE_X_MINUS: return -a;
  case FARE_X_ADD: return a + b;
  case FARE_X_SUBTRACT: return a - b;
  case FARE_X_MULTIPLY: return a * b;
  case FARE_X_DIVIDE: return a / b;
  case FARE_X_POWER: return pow(a, b);
  case FARE_X_SIN: return sin(a);
  case FARE_X_COS: return cos(a);
  case FARE_X_TAN: return tan(a);
  case FARE_X_EXP: return exp(a);
  case FARE_X_LOG: return log(a);
  case FARE_X_SQRT: return sqrt(a);
  case FARE_X_SINH: return sinh(a);
  case FARE_X_COSH: return cosh(a);
  case FARE_X_TANH: return tanh(a);
  case FARE_X_ATAN: return atan(a);
  case FARE_X_ABS: return fabs(a);
  case FARE_X_SIGN: return (a > 0) - (a < 0);
  case FARE_X_STEP: return a >= 0;
  case FARE_X_MIN: return fmin(a, b);
  case FARE_X_MAX: return fmax(a, b);
  default: fail_msg("node of kind %d", n->kind); return NAN;
  }
}

/* The test's own formulas. Kinds are letters: operators as they are written, functions and leaves as listed in `print`. */
typedef struct term {
  char         kind;
  double       value; /* of a number; index of an axis or parameter */
  struct term *a, *b;
} term;

static term  pool[256];
static int   pooled;
static const char *const axis_names[] = {"x", "y", "phi_2"}, *const parameter_names[] = {"k", "tilt", "a0"};

static term *new_term(char kind, double value, term *a, term *b)
{
  assert_true(pooled < 256);
  pool[pooled] = (term){kind, value, a, b};
  return &pool[pooled++];
}

static term *number(double value)
{
  return new_term('#', value, NULL, NULL);
}

static term *leaf(int dim)
{
  const int which = below(5);

  if (which == 0) return number(floor(1 + 40 * uniform()) / 8);
  if (which == 1) return new_term('p', below(3), NULL, NULL);
  return new_term('x', below(dim), NULL, NULL);
}

/* A sum of products of what has parameters alone and what has axes alone, as most potentials are. */
static term *grow_sum(int dim)
{
  term *sum = leaf(dim);

  for (int i = 1 + below(4); i; i--) {
    term *factor = below(3) ? new_term('s', 0, new_term('*', 0, number(0.5), new_term('x', below(dim), NULL, NULL)), NULL) : new_term('^', 0, new_term('-', 0, leaf(dim), leaf(dim)), number(2));

    sum = new_term(below(2) ? '+' : '-', 0, sum, new_term(below(3) ? '*' : '/', 0, factor, new_term('p', 2 * below(2), NULL, NULL)));
  }
  return sum;
}

/* Formulas that stay tame: no singularity, moderate growth. */
static term *grow(int depth, int dim)
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
  case 'M': return new_term(kind, 0, u, grow(depth - 1, dim));
  case '/': return new_term('/', 0, u, new_term('+', 0, number(1.5), new_term('^', 0, grow(depth - 1, dim), number(2))));
  case '^': return new_term('^', 0, new_term('t', 0, u, NULL), number(below(7)));
  case 'P': return new_term('^', 0, new_term('+', 0, number(1), new_term('^', 0, u, number(2))), new_term('*', 0, number(0.25), leaf(dim)));
  case 'E': return new_term('^', 0, number(2), new_term('s', 0, u, NULL));
  case 'h':
  case 'S':
  case 'C':
  case 'T':
  case 'e': return new_term(kind, 0, new_term('s', 0, u, NULL), NULL); /* of what is between -1 and 1 */
  case 'q': return new_term('q', 0, new_term('+', 0, number(0.5), new_term('^', 0, u, number(2))), NULL);
  case 'l': return new_term('l', 0, new_term('+', 0, number(0.5), new_term('^', 0, u, number(2))), NULL);
  case 'u': return new_term('n', 0, u, NULL);
  default: return new_term(kind, 0, u, NULL);
  }
}

static int precedence(const term *t)
{
  switch (t->kind) {
  case '+':
  case '-': return 1;
  case '*':
  case '/': return 2;
  case 'n': return 3;
  case '^': return 4;
  default: return 5;
  }
}

static void blank(fare_text *to)
{
  if (below(4) == 0) fare_text_add(to, "%s", below(5) ? " " : "\n  ");
}

static const char *function_name(char kind)
{
  static const struct {
    char        kind;
    const char *name;
  } names[] = {{'s', "sin"}, {'c', "cos"}, {'t', "tanh"}, {'h', "exp"}, {'q', "sqrt"}, {'T', "tan"}, {'l', "log"}, {'S', "sinh"}, {'C', "cosh"}, {'a', "atan"}, {'A', "abs"}, {'m', "min"}, {'M', "max"}, {'g', "sign"}, {'H', "step"}};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].kind == kind) return names[i].name;
  }
  return NULL;
}

/* With as few parentheses as the grammar needs, sometimes more. */
static void print(const term *t, int level, fare_text *to)
{
  const int wrapped = precedence(t) < level || below(12) == 0;

  blank(to);
  if (wrapped) fare_text_add(to, "(");
  if (t->kind == '#') fare_text_add(to, "%.17g", t->value);
  else if (t->kind == 'x') fare_text_add(to, "%s", axis_names[(int)t->value]);
  else if (t->kind == 'p') fare_text_add(to, "%s", parameter_names[(int)t->value]);
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

/* Value and gradient by dual numbers; `size` is the largest of all that was met on the way, to which rounding is relative. */
typedef struct {
  double v, d[3];
} dual;

static dual chain(dual u, double value, double slope)
{
  return (dual){value, {slope * u.d[0], slope * u.d[1], slope * u.d[2]}};
}

static dual mix(double value, double by_a, dual a, double by_b, dual b)
{
  dual r = {value, {0}};

  for (int i = 0; i < 3; i++) r.d[i] = (by_a != 0 ? by_a * a.d[i] : 0) + (by_b != 0 ? by_b * b.d[i] : 0);
  return r;
}

static dual evaluate(const term *t, const double *x, const double *theta, double *size)
{
  const dual a = t->a ? evaluate(t->a, x, theta, size) : (dual){0}, b = t->b ? evaluate(t->b, x, theta, size) : (dual){0};
  dual       r = {0};

  switch (t->kind) {
  case '#': r.v = t->value; break;
  case 'p': r.v = theta[(int)t->value]; break;
  case 'x':
    r.v                  = x[(int)t->value];
    r.d[(int)t->value] = 1;
    break;
  case 'n': r = chain(a, -a.v, -1); break;
  case '+': r = mix(a.v + b.v, 1, a, 1, b); break;
  case '-': r = mix(a.v - b.v, 1, a, -1, b); break;
  case '*': r = mix(a.v * b.v, b.v, a, a.v, b); break;
  case '/': r = mix(a.v / b.v, 1 / b.v, a, -a.v / (b.v * b.v), b); break;
  case '^': r = mix(pow(a.v, b.v), b.v != 0 ? b.v * pow(a.v, b.v - 1) : 0, a, b.d[0] != 0 || b.d[1] != 0 || b.d[2] != 0 ? pow(a.v, b.v) * log(a.v) : 0, b); break;
  case 's': r = chain(a, sin(a.v), cos(a.v)); break;
  case 'c': r = chain(a, cos(a.v), -sin(a.v)); break;
  case 't': r = chain(a, tanh(a.v), 1 / (cosh(a.v) * cosh(a.v))); break;
  case 'h': r = chain(a, exp(a.v), exp(a.v)); break;
  case 'q': r = chain(a, sqrt(a.v), 0.5 / sqrt(a.v)); break;
  case 'T': r = chain(a, tan(a.v), 1 / (cos(a.v) * cos(a.v))); break;
  case 'l': r = chain(a, log(a.v), 1 / a.v); break;
  case 'S': r = chain(a, sinh(a.v), cosh(a.v)); break;
  case 'C': r = chain(a, cosh(a.v), sinh(a.v)); break;
  case 'a': r = chain(a, atan(a.v), 1 / (1 + a.v * a.v)); break;
  case 'A': r = chain(a, fabs(a.v), a.v > 0 ? 1 : a.v < 0 ? -1 : 0); break;
  case 'g': r.v = (a.v > 0) - (a.v < 0); break;
  case 'H': r.v = a.v >= 0; break;
  case 'm': r = mix(fmin(a.v, b.v), a.v <= b.v, a, a.v > b.v, b); break;
  case 'M': r = mix(fmax(a.v, b.v), a.v >= b.v, a, a.v < b.v, b); break;
  default: fail_msg("term '%c'", t->kind);
  }
  *size = fmax(*size, fabs(r.v));
  for (int i = 0; i < 3; i++) *size = fmax(*size, fabs(r.d[i]));
  return r;
}

/* Whether somewhere a choice hangs on rounding: equal arguments of min or max, a zero under abs, sign or step. */
static int has_tie(const term *t, const double *x, const double *theta)
{
  double size = 0;

  if (!t) return 0;
  if ((t->kind == 'm' || t->kind == 'M') && fabs(evaluate(t->a, x, theta, &size).v - evaluate(t->b, x, theta, &size).v) < 1e-9) return 1;
  if ((t->kind == 'A' || t->kind == 'g' || t->kind == 'H') && fabs(evaluate(t->a, x, theta, &size).v) < 1e-9) return 1;
  return has_tie(t->a, x, theta) || has_tie(t->b, x, theta);
}

static fare_symbols symbols_of_test(int dim)
{
  return (fare_symbols){.axes = dim, .parameters = 3, .axis = {axis_names[0], axis_names[1], axis_names[2]}, .parameter = {parameter_names[0], parameter_names[1], parameter_names[2]}};
}

static void random_formulas_read_back(void **state)
{
  enum { FORMULAS = 1500, POINTS = 5 };
  int split_up = 0, compared = 0;

  (void)state;
  for (int i = 0; i < FORMULAS; i++) {
    const int          dim     = 1 + below(3);
    fare_symbols       symbols = symbols_of_test(dim);
    fare_text          text    = {0};
    fare_formula_fault fault;
    fare_tree         *tree;
    int                root, slope[3], low, shapes, coefficient[FARE_PARAMETERS_MAX], shape[FARE_PARAMETERS_MAX];

    pooled             = 0;
    const term *formula = i % 5 ? grow(1 + below(5), dim) : grow_sum(dim);

    print(formula, 1, &text);
    assert_ok(fare_tree_create(&tree));
    if (text.length < FARE_FORMULA_LENGTH && !fare_formula_parse(tree, &symbols, text.text, &root, &fault)) fail_msg("%s: refused at %zu: %s", text.text, fault.at, fault.what);
    for (int axis = 0; axis < dim; axis++) slope[axis] = fare_tree_derivative(tree, root, axis);
    low    = fare_tree_lower(tree, root);
    shapes = fare_tree_split(tree, root, 8, coefficient, shape);
    split_up += shapes > 1;
    assert_false(tree->full);
    for (int k = 0; k < shapes; k++) assert_true(!(tree->node[coefficient[k]].of & FARE_OF_AXES) && !(tree->node[shape[k]].of & FARE_OF_PARAMETERS));
    for (int k = 0; k < POINTS; k++) {
      const double x[] = {3 * uniform() - 1.5, 3 * uniform() - 1.5, 3 * uniform() - 1.5}, theta[] = {0.5 + uniform(), uniform() - 0.5, 1 + uniform()};
      double       size = 1, sum = 0, spread = 0;
      const dual   is = evaluate(formula, x, theta, &size);

      if (!(size < 1e8) || has_tie(formula, x, theta)) continue;
      compared++;
      if (!(fabs(walk(tree, root, x, theta) - is.v) <= 1e-13 * size)) fail_msg("%s: read as %.17g, is %.17g", text.text, walk(tree, root, x, theta), is.v);
      if (!(fabs(walk(tree, low, x, theta) - is.v) <= 1e-12 * size)) fail_msg("%s: with powers as products %.17g, is %.17g", text.text, walk(tree, low, x, theta), is.v);
      for (int axis = 0; axis < dim; axis++) {
        if (!(fabs(walk(tree, slope[axis], x, theta) - is.d[axis]) <= 1e-11 * size * size)) fail_msg("%s: slope %d is %.17g, by dual numbers %.17g", text.text, axis, walk(tree, slope[axis], x, theta), is.d[axis]);
      }
      for (int j = 0; j < shapes; j++) {
        const double part = walk(tree, coefficient[j], x, theta) * walk(tree, shape[j], x, theta);

        sum += part;
        spread += fabs(part);
      }
      if (shapes && !(fabs(sum - is.v) <= 1e-12 * (size + spread))) fail_msg("%s: the sum of shapes is %.17g, V is %.17g", text.text, sum, is.v);
    }
    assert_ok(fare_tree_destroy(&tree));
    fare_text_free(&text);
  }
  assert_in_range(compared, 3 * FORMULAS, POINTS * FORMULAS);
  assert_in_range(split_up, FORMULAS / 10, FORMULAS);
}

/* A formula without symbols is folded to a number, which shows how it was read. */
static void precedence_and_constants(void **state)
{
  static const struct {
    const char *text;
    double      is;
  } cases[] = {
    {"1 + 2*3", 7}, {"2*3 + 1", 7}, {"7 - 3 - 2", 2}, {"8/4/2", 1}, {"8/4*2", 4}, {"2^3^2", 512}, {"-2^2", -4}, {"(-2)^2", 4}, {"2^-1", 0.5}, {"2^-2^2", 0.0625}, {"- -3", 3}, {"+3 - +2", 1}, {"2*-3", -6}, {"2 - -3", 5}, {"6/-2", -3},
    {".5", 0.5}, {"5.", 5}, {"1e3", 1000}, {"1.5E-2", 0.015}, {"2e+1", 20}, {"((((4))))", 4}, {"pi", 3.14159265358979323846}, {"e", 2.7182818284590452354}, {"log(e)", 1}, {"sin(pi/2)", 1}, {"cos(0)", 1}, {"exp(0)", 1}, {"tan(0)", 0},
    {"sqrt(16)", 4}, {"abs(-3)", 3}, {"sign(-2)", -1}, {"sign(0)", 0}, {"step(0)", 1}, {"step(-1)", 0}, {"min(3, 1, 2)", 1}, {"max(3, 1, 4, 2)", 4}, {"tanh(0)", 0}, {"cosh(0)", 1}, {"sinh(0)", 0}, {"4*atan(1)", 3.14159265358979323846},
    {"\t1\n+\r\n1 ", 2}, {"x - x", 0}, {"0*sin(x)", 0}, {"x^0", 1}, {"k/k*0", 0},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fare_symbols       symbols = symbols_of_test(1);
    fare_formula_fault fault;
    fare_tree         *tree;
    int                root;

    assert_ok(fare_tree_create(&tree));
    if (!fare_formula_parse(tree, &symbols, cases[i].text, &root, &fault)) fail_msg("%s: refused at %zu: %s", cases[i].text, fault.at, fault.what);
    if (tree->node[root].kind != FARE_X_NUMBER) fail_msg("%s: not folded", cases[i].text);
    assert_near(tree->node[root].value, cases[i].is, 4e-16 * fabs(cases[i].is));
    assert_ok(fare_tree_destroy(&tree));
  }
}

/* The node of a study given as text, and the system that comes of it. */
static PetscErrorCode system_of(const char *yaml, fare_config **config, fare_system **system)
{
  PetscErrorCode code = fare_config_parse("formulas.yaml", yaml, strlen(yaml), config);

  *system = NULL;
  if (!code) code = fare_system_from_config(fare_node_find(fare_config_root(*config), "system"), fare_node_find(fare_config_root(*config), "drive"), system);
  return code;
}

/* Refused before any compiler sees it: the message, and a caret under the place of '@' in the formula (which is taken out). */
static void refusals_point_at_the_place(void **state)
{
  static const struct {
    const char *formula, *what;
  } cases[] = {
    {"x^2 + @tlt*x", "unknown symbol 'tlt' (did you mean 'tilt'?)"},
    {"@sinn(x)", "unknown function 'sinn' (did you mean 'sin'?)"},
    {"@system(x)", "unknown function 'system'"},
    {"x +@", "expected a number, a name or '(', got the end"},
    {"x + @* 2", "expected a number, a name or '('"},
    {"(x + 1@", "expected an operator or ')', got the end"},
    {"x + 1@)", "a ')' without its '('"},
    {"2@x", "expected an operator before this; a product is written with *"},
    {"(x)@(x)", "expected an operator before this"},
    {"x@(1)", "'x' is no function; a product is written x*(...)"},
    {"k@(1 + x)", "'k' is no function"},
    {"sin@", "'sin' is a function: expected '(' behind it"},
    {"sin @x", "'sin' is a function: expected '('"},
    {"sin(@)", "expected a number, a name or '('"},
    {"sin(x@, x)", "'sin' has one argument"},
    {"@min(x)", "'min' needs two arguments or more"},
    {"x*@*2", "a power is written ^"},
    {"1@,5*x", "a ',' outside a function's parentheses; the decimal sign is a point"},
    {"x @; x", "not a character of formulas"},
    {"x @= 2", "not a character of formulas"},
    {"@#include <x>", "not a character of formulas"},
    {"x + @`ls`", "not a character of formulas"},
    {"@\\\"x\\\"", "not a character of formulas"},
    {"x@[0]", "not a character of formulas"},
    {"x @\xC2\xB7 2", "not a character of formulas, which are in plain ASCII"},
    {"@_x", "not a character of formulas"},
    {"@.", "expected digits beside the point"},
    {"1.2@.3", "expected an operator before this"},
    {"0@x10", "expected an operator before this"},
    {"@1e999*x", "too large a number"},
    {"x + 1@/0", "this comes to no finite number"},
    {"@log(-1) + x", "this comes to no finite number"},
    {"@ ", "expected a formula, got nothing"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char  *at = strchr(cases[i].formula, '@');
    char         yaml[512], *line;
    int          column = 0;
    fare_config *config;
    fare_system *system;

    snprintf(yaml, sizeof yaml, "system:\n  expression: {lower: [-1], upper: [1], potential: \"%.*s%s\"}\n  parameters: {k: 1, tilt: 0}\n", (int)(at - cases[i].formula), cases[i].formula, at + 1);
    for (const char *c = cases[i].formula; c < at; c++) column += *c != '\\';
    assert_int_equal(system_of(yaml, &config, &system), FARE_ERR_INPUT);
    assert_ok(fare_config_destroy(&config));
    if (strncmp(fare_error_message(), "formulas.yaml:2:52: system.expression.potential: ", 49) || strncmp(fare_error_message() + 49, cases[i].what, strlen(cases[i].what))) fail_msg("%s: %s", cases[i].formula, fare_error_message());
    line = strrchr(fare_error_message(), '\n');
    assert_non_null(line);
    if (strcspn(line + 1, "^") != (size_t)column + 2 || strlen(line + 1) != (size_t)column + 3) fail_msg("%s: caret elsewhere\n%s", cases[i].formula, fare_error_message());
  }
  assert_int_equal(files_in_cache(), 0);
}

/* A caret stays under its place where only a part of the formula is shown. */
static void long_formulas_are_shown_in_part(void **state)
{
  char         yaml[1024];
  fare_text    formula = {0};
  fare_config *config;
  fare_system *system;
  char        *shown, *caret;

  (void)state;
  for (int i = 0; i < 60; i++) fare_text_add(&formula, "x^%d + ", 2 + i % 8);
  fare_text_add(&formula, "wrong + x^2");
  snprintf(yaml, sizeof yaml, "system: {expression: {lower: [-1], upper: [1], potential: \"%s\"}}\n", formula.text);
  fare_text_free(&formula);
  assert_int_equal(system_of(yaml, &config, &system), FARE_ERR_INPUT);
  assert_ok(fare_config_destroy(&config));
  shown = strchr(fare_error_message(), '\n') + 1;
  caret = strchr(shown, '\n') + 1;
  assert_true(caret - shown < 120);
  assert_int_equal(strcspn(caret, "^"), strstr(shown, "wrong") - shown);
}

static void other_refusals_name_the_key(void **state)
{
  static const struct {
    const char *inside, *parameters, *what; /* of expression: {...}; the message after the file's name */
  } cases[] = {
    {"lower: [-1], upper: [1]", "{}", "nothing moves it"},
    {"lower: [-1], upper: [1], potential: x, force: x", "{}", "the force of a potential is its gradient"},
    {"lower: [-1], upper: [1], drift: x, diffusion: 1, force: x", "{}", "a drift stands instead of a force"},
    {"lower: [-1], upper: [1], extra: x, force: x", "{}", "only beside a 'potential'"},
    {"lower: [-1], upper: [1], drift: x", "{}", "needs a 'diffusion' beside it"},
    {"lower: [-1], upper: [1], potential: x, diffusion: 1", "{}", "only beside a 'drift'"},
    {"lower: [-1], upper: [1], potential: x, extra: [x, x]", "{}", "expected a list of 1 formula, one per axis"},
    {"lower: [-1, -1], upper: [1, 1], force: x", "{}", "expected a list of 2 formulas, one per axis"},
    {"lower: [-1], upper: [1], potential: [x]", "{}", "expected a formula"},
    {"lower: [-1, 0], upper: [1], potential: x", "{}", "upper: expected 2 numbers, one per axis, got 1"},
    {"lower: [1], upper: [1], potential: x", "{}", "must lie above lower"},
    {"lower: [0, 0, 0, 0], upper: [1], potential: x", "{}", "expected 1 to 3 numbers"},
    {"lower: [], upper: [1], potential: x", "{}", "expected 1 to 3 numbers"},
    {"axes: [], lower: [0], upper: [1], potential: x", "{}", "expected a list of 1 to 3 names"},
    {"axes: [sin], lower: [0], upper: [1], potential: x", "{}", "'sin' means something in formulas already"},
    {"axes: [q, q], lower: [0, 0], upper: [1, 1], potential: q", "{}", "'q' is an axis already"},
    {"axes: ['2x'], lower: [0], upper: [1], potential: x", "{}", "'2x' is no name for formulas"},
    {"axes: [kT], lower: [0], upper: [1], potential: kT", "{}", "'kT' is a parameter of every system"},
    {"lower: [0], upper: [1], potential: x, periodic: [maybe]", "{}", "expected a list of 1 of true and false"},
    {"lower: [0], upper: [1], potential: x, periodic: [true, true]", "{}", "expected a list of 1 of true and false"},
    {"lower: [0], upper: [1], potential: x, colour: red", "{}", "unknown key 'colour'"},
    {"upper: [1], potential: x", "{}", "missing key 'lower'"},
    {"lower: [0], upper: [1], potential: x", "{k: 1}", "no formula has a 'k'"},
    {"lower: [0], upper: [1], potential: x*e", "{e: 1}", "'e' means something in formulas already"},
    {"lower: [0], upper: [1], potential: x", "{x: 1}", "'x' is an axis already"},
    {"lower: [0], upper: [1], potential: k*x", "{k: soft}", "expected a finite number, got 'soft'"},
    {"lower: [0], upper: [1], potential: x", "{kT: -1}", "expected a number from 1e-06 to 1e+06"},
    {"lower: [-1], upper: [1], potential: log(x)", "{}", "the potential is"},
    {"lower: [-1], upper: [1], drift: [x], diffusion: [x]", "{}", "the diffusion is -"},
    {"lower: [0], upper: [6.283], potential: sin(x), periodic: [true]", "{}", "the potential is not periodic along 'x'"},
    {"lower: [0], upper: [6.283185307179586], potential: cos(x) - w*x, periodic: [true]", "{w: 1}", "the potential is not periodic along 'x'"},
    {"lower: [0, 0], upper: [6.283185307179586, 1], drift: [cos(x), y], diffusion: [1, x*y], periodic: [true, false]", "{}", "expression.diffusion[1]: the diffusion is not periodic along 'x'"},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char           yaml[512];
    fare_config   *config;
    fare_system   *system;
    PetscErrorCode code;

    snprintf(yaml, sizeof yaml, "system:\n  expression: {%s}\n  parameters: %s\n", cases[i].inside, cases[i].parameters);
    code = system_of(yaml, &config, &system);
    if (code != FARE_ERR_INPUT || strncmp(fare_error_message(), "formulas.yaml:", 14) || !strstr(fare_error_message(), cases[i].what)) fail_msg("%s: %d, %s", cases[i].inside, (int)code, fare_error_message());
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_config_destroy(&config));
  }
}

/* Whatever the bytes, an answer: a tree, or a fault at a place within the text. */
static void any_text_gets_an_answer(void **state)
{
  static const char letters[] = "xyk0123456789.eE+-*/^(), \n;=\"'\\{}[]#$%&!~`|<>?:@_sincotahlgqrpmxwb\x80\xFF\x01";
  int               taken = 0;
  fare_tree        *tree;

  (void)state;
  for (int i = 0; i < 20000; i++) {
    fare_symbols       symbols = symbols_of_test(2);
    char               text[64];
    const int          length = 1 + below(62), few = below(2);
    fare_formula_fault fault;
    int                root;

    for (int k = 0; k < length; k++) text[k] = letters[below(few ? 24 : (int)sizeof letters - 1)];
    text[length] = '\0';
    if (i % 100 == 0) assert_ok(fare_tree_create(&tree));
    if (fare_formula_parse(tree, &symbols, text, &root, &fault)) taken++;
    else assert_true(fault.at <= (size_t)length && *fault.what);
    if (i % 100 == 99) assert_ok(fare_tree_destroy(&tree));
  }
  assert_true(taken > 50);
}

static void depth_and_length_are_bounded(void **state)
{
  static char        text[FARE_FORMULA_LENGTH + 100];
  fare_symbols       symbols = symbols_of_test(1);
  fare_formula_fault fault;
  fare_tree         *tree;
  int                root;

  (void)state;
  assert_ok(fare_tree_create(&tree));
  memset(text, '(', 2000);
  assert_false(fare_formula_parse(tree, &symbols, text, &root, &fault));
  assert_string_equal(fault.what, "nested too deeply");
  memset(text, '-', 2000);
  assert_false(fare_formula_parse(tree, &symbols, text, &root, &fault));
  assert_string_equal(fault.what, "nested too deeply");
  for (int i = 0; i < 1000; i++) memcpy(text + 2 * i, "x^", 2);
  assert_false(fare_formula_parse(tree, &symbols, text, &root, &fault));
  assert_string_equal(fault.what, "nested too deeply");
  memset(text, ' ', sizeof text - 1);
  text[0] = 'x';
  assert_false(fare_formula_parse(tree, &symbols, text, &root, &fault));
  assert_string_equal(fault.what, "longer than 4096 characters");
  for (int i = 0; i < 800; i++) snprintf(text + 5 * i, 6, "x^%d%c ", i % 7 + 2, i < 799 ? '+' : ' ');
  assert_true(fare_formula_parse(tree, &symbols, text, &root, &fault));
  assert_false(tree->full);
  for (int i = 0; i <= FARE_TREE_NODES; i++) fare_tree_number(tree, i + 0.5);
  assert_true(tree->full);
  assert_false(fare_formula_parse(tree, &symbols, "x + 0.125", &root, &fault));
  assert_string_equal(fault.what, "the formula is too large");
  assert_ok(fare_tree_destroy(&tree));
}

/* Squares in squares: a split that multiplied all out, or visited twice, would never end. */
static void splitting_ends(void **state)
{
  fare_symbols       symbols = symbols_of_test(1);
  fare_formula_fault fault;
  fare_text          text = {0};
  fare_tree         *tree;
  int                root, coefficient[FARE_PARAMETERS_MAX], shape[FARE_PARAMETERS_MAX];

  (void)state;
  assert_ok(fare_tree_create(&tree));
  for (int i = 0; i < 50; i++) fare_text_add(&text, "(");
  fare_text_add(&text, "k*x");
  for (int i = 0; i < 50; i++) fare_text_add(&text, "*k)^2");
  assert_true(fare_formula_parse(tree, &symbols, text.text, &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, shape), 1);
  assert_true(fare_formula_parse(tree, &symbols, "exp(-k*x^2)", &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, shape), 0);
  assert_true(fare_formula_parse(tree, &symbols, "x/(k + x)", &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, shape), 0);
  assert_true(fare_formula_parse(tree, &symbols, "k*(x^8 + exp(-80*x^2)) + k*sin(x) + x^4/4 - tilt*x + cos(x)/a0", &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, shape), 4);
  fare_text_free(&text);
  assert_ok(fare_tree_destroy(&tree));
}

/* A sum in which every operator and function stands, of arguments that suit it. */
static const term *one_of_each(int dim)
{
  static const char kinds[] = "scthTSCaAgHqlmM/^n";
  term             *sum     = number(0.5);

  for (const char *c = kinds; *c; c++) {
    term *u = new_term('*', 0, number(0.75), new_term('x', below(dim), NULL, NULL)), *v = new_term('p', below(3), NULL, NULL);

    if (*c == 'q' || *c == 'l') u = new_term('+', 0, number(2), u);
    if (*c == '/' || *c == '^') v = new_term('+', 0, number(2), v), u = new_term('+', 0, number(2), u);
    sum = new_term(below(2) ? '+' : '-', 0, sum, new_term('*', 0, number(1 + below(9) / 8.), new_term(*c, 0, u, strchr("mM/^", *c) ? v : NULL)));
  }
  return sum;
}

/* Compiled potentials and forces against the test's own formulas, compiled drifts and diffusions too. */
static void compiled_functions_agree(void **state)
{
  enum { SYSTEMS = 6, N = 103 };
  static double x[3][N], V[N], f[3][N];
  const double *const px[] = {x[0], x[1], x[2]};
  double *const       pf[] = {f[0], f[1], f[2]};

  (void)state;
  for (int i = 0; i < SYSTEMS; i++) {
    const int     dim     = 3 - i % 3;
    const double  theta[] = {0.5 + uniform(), uniform() - 0.5, 1 + uniform()};
    fare_text     yaml    = {0};
    fare_config  *config;
    fare_system  *system;

    pooled              = 0;
    const term *formula = i ? grow(4, dim) : one_of_each(dim), *all = new_term('+', 0, (term *)formula, new_term('*', 0, new_term('p', 0, NULL, NULL), new_term('+', 0, new_term('p', 1, NULL, NULL), new_term('p', 2, NULL, NULL))));

    fare_text_add(&yaml, "system:\n  expression:\n    axes: [x%s%s]\n    lower: [-1.5%s%s]\n    upper: [1.5%s%s]\n    potential: >\n      ", dim > 1 ? ", y" : "", dim > 2 ? ", phi_2" : "", dim > 1 ? ", -1.5" : "", dim > 2 ? ", -1.5" : "", dim > 1 ? ", 1.5" : "", dim > 2 ? ", 1.5" : "");
    print(all, 1, &yaml);
    for (size_t c = 0; c < yaml.length; c++) { /* in the block of YAML a new line of the formula is indented like the first */
      if (c > (size_t)(strstr(yaml.text, ">\n") - yaml.text) + 2 && yaml.text[c] == '\n') yaml.text[c] = ' ';
    }
    fare_text_add(&yaml, "\n  parameters: {k: %.17g, tilt: %.17g, a0: %.17g}\n", theta[0], theta[1], theta[2]);
    if (system_of(yaml.text, &config, &system)) fail_msg("%s\n%s", yaml.text, fare_error_message());
    for (int axis = 0; axis < dim; axis++) {
      for (int k = 0; k < N; k++) x[axis][k] = 3 * uniform() - 1.5;
    }
    fare_system_potential(system, 0, N, px, V);
    fare_system_force(system, 0, N, px, pf);
    for (int k = 0; k < N; k++) {
      const double at[] = {x[0][k], x[1][k], x[2][k]};
      double       size = 1;
      const dual   is   = evaluate(all, at, theta, &size);

      if (has_tie(all, at, theta)) continue;
      if (!(fabs(V[k] - is.v) <= 1e-11 * size)) fail_msg("%s: compiled %.17g, is %.17g", yaml.text, V[k], is.v);
      for (int axis = 0; axis < dim; axis++) {
        if (!(fabs(f[axis][k] + is.d[axis]) <= 1e-10 * size * size)) fail_msg("%s: compiled force %d %.17g, is %.17g", yaml.text, axis, f[axis][k], -is.d[axis]);
      }
    }
    fare_text_free(&yaml);
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_config_destroy(&config));
  }
}

static void prinz_as_a_formula_is_prinz(void **state)
{
  enum { N = 400 };
  static const char yaml[] = "system: {expression: {lower: [-2], upper: [2], potential: \"height*(x^8 + 0.8*exp(-80*x^2) + 0.2*exp(-80*(x - 0.5)^2) + 0.5*exp(-40*(x + 0.5)^2)) - tilt*x\"}, parameters: {height: 4, tilt: 1.5}}\n";
  static double     at[N], V[2][N], f[2][N];
  const double *const x[] = {at};
  fare_config        *config;
  fare_system        *system[2];

  (void)state;
  assert_ok(system_of(yaml, &config, &system[0]));
  assert_ok(fare_system_create(fare_system_type_find("prinz"), 0, &system[1]));
  assert_ok(fare_system_set(system[1], "tilt", 1.5));
  assert_int_equal(fare_system_type_of(system[0])->shapes, 2);
  for (int i = 0; i < N; i++) at[i] = -2 + 4 * (i + 0.5) / N;
  for (int k = 0; k < 2; k++) {
    double *const pf[] = {f[k]};

    fare_system_potential(system[k], 0, N, x, V[k]);
    fare_system_force(system[k], 0, N, x, pf);
    assert_ok(fare_system_destroy(&system[k]));
  }
  for (int i = 0; i < N; i++) {
    assert_near(V[0][i], V[1][i], 4e-15 * (4 + fabs(V[1][i])));
    assert_near(f[0][i], f[1][i], 4e-15 * (100 + fabs(f[1][i])));
  }
  assert_ok(fare_config_destroy(&config));
}

/* Many compilers make a shared object that is linked with -ffast-math set denormal numbers to zero in whoever loads it. */
static void loading_keeps_the_arithmetic(void **state)
{
  volatile double tiny = 0x1p-1060;
  char            command[512], yaml[512];
  fare_config    *config;
  fare_system    *loaded;

  (void)state;
  snprintf(command, sizeof command, "cd %s && echo 'int nothing;' > fast.c && cc -ffast-math -fPIC -shared -o fast.so fast.c", cache);
  if (system(command)) skip();
  snprintf(yaml, sizeof yaml, "system: {plugin: %s/fast.so}\n", cache);
  assert_int_equal(system_of(yaml, &config, &loaded), FARE_ERR_INPUT);
  assert_non_null(strstr(fare_error_message(), "is no plugin of FARE"));
  assert_true(tiny / 2 > 0);
  assert_ok(fare_config_destroy(&config));
}

/* The same formula twice is compiled once; another is another. */
static void the_cache_is_used(void **state)
{
  static const char *const formulas[] = {"k*x^4", "k * x^4", "k*x^6"};
  static const int         new_files[] = {1, 0, 1};

  (void)state;
  for (int i = 0; i < 3; i++) {
    const int    before = files_in_cache();
    char         yaml[256];
    fare_config *config;
    fare_system *system;

    snprintf(yaml, sizeof yaml, "system: {expression: {lower: [-%d], upper: [%d], potential: \"%s\"}, parameters: {k: %d}}\n", 1 + i, 1 + i, formulas[i], 1 + i);
    assert_ok(system_of(yaml, &config, &system));
    assert_int_equal(files_in_cache() - before, new_files[i]);
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_config_destroy(&config));
  }
}

/* Drift and diffusion with a potential beside them; the resolved plan reads back to itself, and a parameter is driven. */
static void general_systems_read_back(void **state)
{
  static const char yaml[] = "system:\n  expression:\n    axes: [q, v]\n    potential: q^2/2 + v^2/2\n    drift: [v, \"-q - g*v + push\"]\n    diffusion: [0, g*kT]\n    lower: [-4, -5]\n    upper: [4, 5]\n    periodic: [false, false]\n"
                             "  parameters: {g: 0.5, push: 0, kT: 2}\ndrive: [{parameter: push, waveform: sine, amplitude: 3, period: 4}]\n";
  const double        q[] = {0.25}, v[] = {-1.5}, *const x[] = {q, v};
  double              f[2], D[2], V;
  double *const       pf[] = {&f[0], &f[1]}, *const pD[] = {&D[0], &D[1]};
  fare_text           text[2] = {{0}, {0}};
  fare_config        *config;
  fare_system        *system;

  (void)state;
  for (int i = 0; i < 2; i++) {
    assert_ok(system_of(i ? text[0].text : yaml, &config, &system));
    assert_ok(fare_system_write(system, &text[i]));
    assert_int_equal(fare_system_dimension(system), 2);
    assert_string_equal(fare_system_axis_name(system, 1), "v");
    assert_true(fare_system_has_potential(system));
    assert_near(fare_system_kT(system, 0), 2, 0);
    fare_system_drift(system, 1, 1, x, pf);
    fare_system_diffusion(system, 1, 1, x, pD);
    fare_system_potential(system, 1, 1, x, &V);
    assert_near(f[0], -1.5, 1e-15);
    assert_near(f[1], -0.25 + 0.75 + 3, 1e-14);
    assert_near(D[0], 0, 0);
    assert_near(D[1], 1, 1e-15);
    assert_near(V, 0.25 * 0.25 / 2 + 1.5 * 1.5 / 2, 1e-15);
    fare_system_force(system, 1, 1, x, pf);
    assert_near(f[0], -0.25, 1e-15);
    assert_near(f[1], 1.5, 1e-15);
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_config_destroy(&config));
  }
  assert_string_equal(text[0].text, text[1].text);
  fare_text_free(&text[0]);
  fare_text_free(&text[1]);
}

static void a_force_may_stand_alone_or_beside_a_potential(void **state)
{
  static const char *const yaml[] = {
    "system: {expression: {lower: [-3, -3], upper: [3, 3], potential: \"(x^2 + y^2)/2\", extra: [\"-w*y\", \"w*x\"]}, parameters: {w: 3, mobility: 0.5}}\n",
    "system: {expression: {lower: [-3, -3], upper: [3, 3], force: [\"-x - w*y\", \"w*x - y\"]}, parameters: {w: 3, mobility: 0.5}}\n",
  };
  const double  at[] = {0.5}, to[] = {-2}, *const x[] = {at, to};
  double        f[2], D[2];
  double *const pf[] = {&f[0], &f[1]}, *const pD[] = {&D[0], &D[1]};

  (void)state;
  for (int i = 0; i < 2; i++) {
    fare_config            *config;
    fare_system            *system;
    const fare_system_type *type;

    assert_ok(system_of(yaml[i], &config, &system));
    type = fare_system_type_of(system);
    assert_true(!type->extra == (i == 1) && !type->potential == (i == 1));
    fare_system_force(system, 0, 1, x, pf);
    assert_near(f[0], -0.5 + 6, 1e-15);
    assert_near(f[1], 2 + 1.5, 1e-15);
    fare_system_drift(system, 0, 1, x, pf);
    fare_system_diffusion(system, 0, 1, x, pD);
    assert_near(f[0], 2.75, 1e-15);
    assert_near(D[1], 0.5, 0);
    if (type->extra) type->extra(2, (double[]){1, 0.5, 3}, 1, x, pf);
    if (type->extra) assert_near(f[0], 6, 1e-15);
    assert_ok(fare_system_destroy(&system));
    assert_ok(fare_config_destroy(&config));
  }
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(precedence_and_constants),
  cmocka_unit_test(random_formulas_read_back),
  cmocka_unit_test_setup(refusals_point_at_the_place, make_cache),
  cmocka_unit_test(long_formulas_are_shown_in_part),
  cmocka_unit_test(other_refusals_name_the_key),
  cmocka_unit_test(any_text_gets_an_answer),
  cmocka_unit_test(depth_and_length_are_bounded),
  cmocka_unit_test(splitting_ends),
  cmocka_unit_test(compiled_functions_agree),
  cmocka_unit_test(prinz_as_a_formula_is_prinz),
  cmocka_unit_test(loading_keeps_the_arithmetic),
  cmocka_unit_test(the_cache_is_used),
  cmocka_unit_test(general_systems_read_back),
  cmocka_unit_test_teardown(a_force_may_stand_alone_or_beside_a_potential, remove_cache),
};
FARE_TEST_MAIN(tests)
