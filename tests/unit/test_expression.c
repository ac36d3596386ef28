/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=120 */
/* Formulas: the grammar, and exact derivatives and splits of random formulas against dual numbers. */
#include "formulas.h"

/* What a tree says, by walking it: the emitter and the compiler have no part in this. */
static double walk(const fare_tree *tree, int node, const double *x, const double *theta)
{
  const fare_tree_node *n = &tree->node[node];
  double                a = 0, b = 0;

  if (n->kind > FARE_X_PARAMETER) a = walk(tree, n->a, x, theta);
  if ((n->kind >= FARE_X_ADD && n->kind <= FARE_X_POWER) || n->kind == FARE_X_MIN || n->kind == FARE_X_MAX)
    b = walk(tree, n->b, x, theta);
  switch (n->kind) {
  case FARE_X_NUMBER:
    return n->value;
  case FARE_X_AXIS:
    return x[n->a];
  case FARE_X_PARAMETER:
    return theta[n->a];
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
  case FARE_X_SIN:
    return sin(a);
  case FARE_X_COS:
    return cos(a);
  case FARE_X_TAN:
    return tan(a);
  case FARE_X_EXP:
    return exp(a);
  case FARE_X_LOG:
    return log(a);
  case FARE_X_SQRT:
    return sqrt(a);
  case FARE_X_SINH:
    return sinh(a);
  case FARE_X_COSH:
    return cosh(a);
  case FARE_X_TANH:
    return tanh(a);
  case FARE_X_ATAN:
    return atan(a);
  case FARE_X_ABS:
    return fabs(a);
  case FARE_X_SIGN:
    return (a > 0) - (a < 0);
  case FARE_X_STEP:
    return a >= 0;
  case FARE_X_MIN:
    return fmin(a, b);
  case FARE_X_MAX:
    return fmax(a, b);
  default:
    fail_msg("node of kind %d", n->kind);
    return NAN;
  }
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
    int root, slope[3], low, basis_count, coefficient[FARE_PARAMETERS_MAX], basis[FARE_PARAMETERS_MAX];

    pooled              = 0;
    const term *formula = i % 5 ? grow(1 + below(5), dim) : grow_sum(dim);

    print(formula, 1, &text);
    assert_ok(fare_tree_create(&tree));
    if (text.length < FARE_FORMULA_LENGTH && !fare_formula_parse(tree, &symbols, text.text, &root, &fault))
      fail_msg("%s: refused at %zu: %s", text.text, fault.at, fault.what);
    for (int axis = 0; axis < dim; axis++) slope[axis] = fare_tree_derivative(tree, root, axis);
    low         = fare_tree_lower(tree, root);
    basis_count = fare_tree_split(tree, root, 8, coefficient, basis);
    split_up += basis_count > 1;
    assert_false(tree->full);
    for (int k = 0; k < basis_count; k++)
      assert_true(
        !(tree->node[coefficient[k]].of & FARE_OF_AXES) && !(tree->node[basis[k]].of & FARE_OF_PARAMETERS));
    for (int k = 0; k < POINTS; k++) {
      const double x[]     = {3 * uniform() - 1.5, 3 * uniform() - 1.5, 3 * uniform() - 1.5},
                   theta[] = {0.5 + uniform(), uniform() - 0.5, 1 + uniform()};
      double     size = 1, sum = 0, spread = 0;
      const dual is = evaluate(formula, x, theta, &size);

      if (!(size < 1e8) || has_tie(formula, x, theta)) continue;
      compared++;
      if (!(fabs(walk(tree, root, x, theta) - is.v) <= 1e-13 * size))
        fail_msg("%s: read as %.17g, is %.17g", text.text, walk(tree, root, x, theta), is.v);
      if (!(fabs(walk(tree, low, x, theta) - is.v) <= 1e-12 * size))
        fail_msg("%s: with powers as products %.17g, is %.17g", text.text, walk(tree, low, x, theta), is.v);
      for (int axis = 0; axis < dim; axis++) {
        if (!(fabs(walk(tree, slope[axis], x, theta) - is.d[axis]) <= 1e-11 * size * size))
          fail_msg("%s: slope %d is %.17g, by dual numbers %.17g", text.text, axis,
            walk(tree, slope[axis], x, theta), is.d[axis]);
      }
      for (int j = 0; j < basis_count; j++) {
        const double part = walk(tree, coefficient[j], x, theta) * walk(tree, basis[j], x, theta);

        sum += part;
        spread += fabs(part);
      }
      if (basis_count && !(fabs(sum - is.v) <= 1e-12 * (size + spread)))
        fail_msg("%s: the sum of basis functions is %.17g, V is %.17g", text.text, sum, is.v);
    }
    fare_tree_destroy(&tree);
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
    {"1 + 2*3", 7},
    {"2*3 + 1", 7},
    {"7 - 3 - 2", 2},
    {"8/4/2", 1},
    {"8/4*2", 4},
    {"2^3^2", 512},
    {"-2^2", -4},
    {"(-2)^2", 4},
    {"2^-1", 0.5},
    {"2^-2^2", 0.0625},
    {"- -3", 3},
    {"+3 - +2", 1},
    {"2*-3", -6},
    {"2 - -3", 5},
    {"6/-2", -3},
    {".5", 0.5},
    {"5.", 5},
    {"1e3", 1000},
    {"1.5E-2", 0.015},
    {"2e+1", 20},
    {"((((4))))", 4},
    {"pi", 3.14159265358979323846},
    {"e", 2.7182818284590452354},
    {"log(e)", 1},
    {"sin(pi/2)", 1},
    {"cos(0)", 1},
    {"exp(0)", 1},
    {"tan(0)", 0},
    {"sqrt(16)", 4},
    {"abs(-3)", 3},
    {"sign(-2)", -1},
    {"sign(0)", 0},
    {"step(0)", 1},
    {"step(-1)", 0},
    {"min(3, 1, 2)", 1},
    {"max(3, 1, 4, 2)", 4},
    {"tanh(0)", 0},
    {"cosh(0)", 1},
    {"sinh(0)", 0},
    {"4*atan(1)", 3.14159265358979323846},
    {"\t1\n+\r\n1 ", 2},
    {"x - x", 0},
    {"0*sin(x)", 0},
    {"x^0", 1},
    {"k/k*0", 0},
  };

  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    fare_symbols       symbols = symbols_of_test(1);
    fare_formula_fault fault;
    fare_tree         *tree;
    int                root;

    assert_ok(fare_tree_create(&tree));
    if (!fare_formula_parse(tree, &symbols, cases[i].text, &root, &fault))
      fail_msg("%s: refused at %zu: %s", cases[i].text, fault.at, fault.what);
    if (tree->node[root].kind != FARE_X_NUMBER) fail_msg("%s: not folded", cases[i].text);
    assert_near(tree->node[root].value, cases[i].is, 4e-16 * fabs(cases[i].is));
    fare_tree_destroy(&tree);
  }
}

/* Whatever the bytes, an answer: a tree, or a fault at a place within the text. */
static void any_text_gets_an_answer(void **state)
{
  static const char letters[] =
    "xyk0123456789.eE+-*/^(), \n;=\"'\\{}[]#$%&!~`|<>?:@_sincotahlgqrpmxwb\x80\xFF\x01";
  int        taken = 0;
  fare_tree *tree;

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
    if (fare_formula_parse(tree, &symbols, text, &root, &fault))
      taken++;
    else
      assert_true(fault.at <= (size_t)length && *fault.what);
    if (i % 100 == 99) fare_tree_destroy(&tree);
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
  fare_tree_destroy(&tree);
}

/* Squares in squares: a split that multiplied all out, or visited twice, would never end. */
static void splitting_ends(void **state)
{
  fare_symbols       symbols = symbols_of_test(1);
  fare_formula_fault fault;
  fare_text          text = {0};
  fare_tree         *tree;
  int                root, coefficient[FARE_PARAMETERS_MAX], basis[FARE_PARAMETERS_MAX];

  (void)state;
  assert_ok(fare_tree_create(&tree));
  for (int i = 0; i < 50; i++) fare_text_add(&text, "(");
  fare_text_add(&text, "k*x");
  for (int i = 0; i < 50; i++) fare_text_add(&text, "*k)^2");
  assert_true(fare_formula_parse(tree, &symbols, text.text, &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, basis), 1);
  assert_true(fare_formula_parse(tree, &symbols, "exp(-k*x^2)", &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, basis), 0);
  assert_true(fare_formula_parse(tree, &symbols, "x/(k + x)", &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, basis), 0);
  assert_true(fare_formula_parse(
    tree, &symbols, "k*(x^8 + exp(-80*x^2)) + k*sin(x) + x^4/4 - tilt*x + cos(x)/a0", &root, &fault));
  assert_int_equal(fare_tree_split(tree, root, 8, coefficient, basis), 4);
  fare_text_free(&text);
  fare_tree_destroy(&tree);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(precedence_and_constants),
  cmocka_unit_test(random_formulas_read_back),
  cmocka_unit_test(any_text_gets_an_answer),
  cmocka_unit_test(depth_and_length_are_bounded),
  cmocka_unit_test(splitting_ends),
};
FARE_TEST_MAIN(tests)
