/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit ranks=1 timeout=60 */
/* YAML with places, tables of fields, assignments: what is read, what is refused and with which words. */
#include "fare_test.h"

#include <stdlib.h>
#include <unistd.h>

static fare_config *parsed(const char *text)
{
  fare_config *config;

  assert_ok(fare_config_parse("f.yaml", text, strlen(text), &config));
  return config;
}

/* The message must be exactly this. */
static void assert_says(PetscErrorCode code, const char *message)
{
  if (code != FARE_ERR_INPUT) fail_msg("code %d, expected \"%s\"", (int)code, message);
  assert_string_equal(fare_error_message(), message);
}

static void assert_refused(const char *text, size_t length, const char *message)
{
  fare_config *config = (fare_config *)1;

  assert_says(fare_config_parse("f.yaml", text, length, &config), message);
  assert_null(config);
}

static void trees_have_the_shape_of_their_text(void **state)
{
  fare_config     *config = parsed("a: 1\nb:\n  - x\n  - {c: 'two words', d: }\n\"e f\": []\n");
  const fare_node *root = fare_config_root(config), *b = fare_node_find(root, "b"), *map;

  (void)state;
  assert_int_equal(fare_node_kind_of(root), FARE_NODE_MAP);
  assert_int_equal(fare_node_size(root), 3);
  assert_string_equal(fare_node_key(root, 1), "b");
  assert_string_equal(fare_node_key(root, 2), "e f");
  assert_string_equal(fare_node_text(fare_node_find(root, "a")), "1");
  assert_null(fare_node_find(root, "A"));
  assert_null(fare_node_find(NULL, "a"));
  assert_null(fare_node_find(b, "a"));
  assert_int_equal(fare_node_kind_of(b), FARE_NODE_LIST);
  assert_int_equal(fare_node_size(b), 2);
  assert_string_equal(fare_node_text(fare_node_item(b, 0)), "x");
  map = fare_node_item(b, 1);
  assert_string_equal(fare_node_text(fare_node_find(map, "c")), "two words");
  assert_string_equal(fare_node_text(fare_node_find(map, "d")), "");
  assert_int_equal(fare_node_size(fare_node_item(root, 2)), 0);
  fare_config_destroy(&config);
  assert_null(config);
}

static void errors_name_the_place(void **state)
{
  fare_config *config = parsed("# a comment\na: 1\nb:\n    - x\n    - {c: gr\303\266\303\237e, d: [1, 2]}\n");
  const fare_node *root = fare_config_root(config), *map = fare_node_item(fare_node_find(root, "b"), 1);

  (void)state;
  assert_says(fare_node_error(root, "no %s", "good"), "f.yaml:2:1: no good");
  assert_says(fare_node_error(fare_node_find(root, "a"), "no"), "f.yaml:2:4: a: no");
  assert_says(fare_node_error(map, "no"), "f.yaml:5:7: b[1]: no");
  /* columns count characters, not bytes */
  assert_says(
    fare_node_error(fare_node_item(fare_node_find(map, "d"), 1), "no"), "f.yaml:5:25: b[1].d[1]: no");
  assert_says(fare_node_error_at_key(map, 1, "no"), "f.yaml:5:18: b[1]: no");
  assert_says(fare_node_error_at_key(root, 1, "no"), "f.yaml:3:1: no");
  /* and stay one line whatever they quote */
  assert_says(fare_node_error(root, "got 'a\nb\033[2J'"), "f.yaml:2:1: got 'a?b?[2J'");
  fare_config_destroy(&config);
}

static void what_is_no_study_is_refused(void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    {"", "f.yaml: it is empty"},
    {"# x\n", "f.yaml: it is empty"},
    {"[1]", "f.yaml:1:1: expected keys and values (study: ..., system: ...), got a list"},
    {"x", "f.yaml:1:1: expected keys and values (study: ..., system: ...), got a single value"},
    {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: duplicate key 'a' (first on line 1)"},
    {"a: {b: 1, b: 2}\n", "f.yaml:1:11: a: duplicate key 'b' (first on line 1)"},
    {"a: &x 1\n", "f.yaml:1:4: anchors and aliases are not supported; write the value out"},
    {"a: &x [*x]\n", "f.yaml:1:4: anchors and aliases are not supported; write the value out"},
    {"a: &x {b: *x}\n", "f.yaml:1:4: anchors and aliases are not supported; write the value out"},
    {"a: *x\n", "f.yaml:1:4: anchors and aliases are not supported; write the value out"},
    {"&x a: 1\n", "f.yaml:1:1: anchors and aliases are not supported; write the value out"},
    {"a: !!str 1\n", "f.yaml:1:4: YAML tags are not supported"},
    {"a: ! [1]\n", "f.yaml:1:4: YAML tags are not supported"},
    {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document; only one study per file"},
    {"[a]: 1\n", "f.yaml:1:1: a key must be a plain scalar"},
    {"{a: 1}: 1\n", "f.yaml:1:1: a key must be a plain scalar"},
    {"'': 1\n", "f.yaml:1:1: a key must have 1 to 100 characters"},
    {"\"a\\0b\": 1\n", "f.yaml:1:1: a key must have 1 to 100 characters"},
    {"a: \"b\\0c\"\n", "f.yaml:1:4: a value contains a zero byte"},
    {"a:\n  {b: 1, c: 2\n5: 3\n",
      "f.yaml:3:2: not YAML: did not find expected ',' or '}' while parsing a flow mapping that begins on "
      "line 2"},
    {"a: 1\n\tb: 2\n",
      "f.yaml:2:1: not YAML: found a tab character that violates indentation while scanning a plain scalar"},
    {"a:\n\tb: 2\n",
      "f.yaml:2:1: not YAML: a character that cannot start a value here (a tab? indent with spaces)"},
    {"a: 1\nb: \xFF\n", "f.yaml:2:4: not UTF-8 text (invalid leading UTF-8 octet)"},
    {"a: 1\nb: \x01\n", "f.yaml:2:4: not UTF-8 text (control characters are not allowed)"},
  };
  char *large = malloc((16u << 20) + 1);

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++)
    assert_refused(cases[i].text, strlen(cases[i].text), cases[i].message);
  assert_refused("a: 1\nb: \0 2\n", 12, "f.yaml:2:4: not UTF-8 text (control characters are not allowed)");
  memset(large, '#', (16u << 20) + 1);
  assert_refused(large, (16u << 20) + 1, "f.yaml: larger than 16 MiB");
  memset(large, '[', 100000);
  assert_refused(large, 100000, "f.yaml:1:34: nested too deeply");
  free(large);
}

/* More than any study has is refused before it takes time or memory; a little less is read. */
static void sizes_are_bounded(void **state)
{
  fare_text    text = {0};
  fare_config *config;

  (void)state;
  for (int i = 0; i < 1001; i++) fare_text_add(&text, "k%d: 1\n", i);
  assert_refused(text.text, text.length, "f.yaml:1001:1: too many keys in one map");
  text.text[strstr(text.text, "k1000") - text.text] = '\0';
  config                                            = parsed(text.text);
  assert_int_equal(fare_node_size(fare_config_root(config)), 1000);
  fare_config_destroy(&config);
  text.length = 0;
  fare_text_add(&text, "a: [0");
  for (int i = 0; i < 499997; i++) fare_text_add(&text, ",1");
  fare_text_add(&text, "]");
  config = parsed(text.text); /* root, list, and the rest */
  assert_int_equal(fare_node_size(fare_node_find(fare_config_root(config), "a")), 499998);
  fare_config_destroy(&config);
  text.length--;
  fare_text_add(&text, ",1]");
  assert_refused(text.text, text.length, "f.yaml:1:1000001: too many values");
  fare_text_free(&text);
}

static void files_are_read_or_refused(void **state)
{
  char         path[] = "config-XXXXXX";
  char         expected[128];
  const int    file = mkstemp(path);
  fare_config *config;

  (void)state;
  assert_true(file >= 0);
  assert_int_equal(write(file, "a: [1, x]\n", 10), 10);
  close(file);
  assert_ok(fare_config_read(PETSC_COMM_WORLD, path, &config));
  snprintf(expected, sizeof expected, "%s:1:8: a[1]: no", path);
  assert_says(
    fare_node_error(fare_node_item(fare_node_find(fare_config_root(config), "a"), 1), "no"), expected);
  fare_config_destroy(&config);
  unlink(path);
  assert_says(
    fare_config_read(PETSC_COMM_WORLD, "missing.yaml", &config), "missing.yaml: No such file or directory");
  assert_null(config);
  assert_says(fare_config_read(PETSC_COMM_WORLD, ".", &config), ".: is a directory, not a study file");
  assert_says(fare_config_read(PETSC_COMM_WORLD, "/dev/zero", &config), "/dev/zero: larger than 16 MiB");
}

static void numbers_are_finite_and_decimal(void **state)
{
  static const char *const good[] = {
    "0", "-0", "+1", "1.5", ".5", "5.", "1e3", "-2.5E-3", "1e308", "00012", "9007199254740993"};
  static const char *const bad[] = {"''", "'1'", "\"1\"", ".nan", ".NaN", "nan", "NAN", ".inf", "-.inf",
    "inf", "Infinity", "1e999", "-1e999", "0x10", "0b1", "1_000", "1,5", "1 2", "1e", "e1", "+", ".", "1.5.2",
    "--1", "true", "~", "null", "1d3", "[1]", "{a: 1}"};

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(good); i++) {
    fare_text    text = {0};
    double       value;
    fare_config *config;

    fare_text_add(&text, "a: %s\n", good[i]);
    config = parsed(text.text);
    assert_ok(fare_node_real(fare_node_find(fare_config_root(config), "a"), &value));
    assert_true(value == atof(good[i]));
    fare_config_destroy(&config);
    fare_text_free(&text);
  }
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(bad); i++) {
    fare_text    text = {0};
    double       value;
    fare_config *config;

    fare_text_add(&text, "a: %s\n", bad[i]);
    config = parsed(text.text);
    if (fare_node_real(fare_node_find(fare_config_root(config), "a"), &value) != FARE_ERR_INPUT)
      fail_msg("%s was taken for the number %g", bad[i], value);
    assert_non_null(strstr(fare_error_message(), "f.yaml:1:4: a: expected a "));
    fare_config_destroy(&config);
    fare_text_free(&text);
  }
}

/* One field of every kind. */
typedef struct {
  double           real;
  PetscInt64       integer;
  PetscBool        boolean;
  char            *string;
  int              choice;
  fare_reals       reals;
  fare_integers    integers;
  const fare_node *node;
} everything;

static const char *const colours[] = {"red", "green", "blue", NULL};
#define AT(member) offsetof(everything, member)
static const fare_field fields[] = {
  {"real", FARE_REAL, AT(real), "0.1", -10, HUGE_VAL, NULL, "time", "a number"},
  {"integer", FARE_INTEGER, AT(integer), "7", 1, 1e15, NULL, "", "a count"},
  {"boolean", FARE_BOOLEAN, AT(boolean), "true", 0, 0, NULL, "", "a switch"},
  {"string", FARE_STRING, AT(string), "", 0, 0, NULL, "", "a word"},
  {"choice", FARE_CHOICE, AT(choice), "green", 0, 0, colours, "", "a colour"},
  {"reals", FARE_REALS, AT(reals), "", -HUGE_VAL, 1e6, NULL, "", "numbers"},
  {"integers", FARE_INTEGERS, AT(integers), "[1, 2]", -100, 100, NULL, "", "counts"},
  {"node", FARE_NODE, AT(node), "", 0, 0, NULL, "", "anything"},
  FARE_FIELDS_END,
};
static const fare_field required[] = {
  {"must", FARE_REALS, AT(reals), NULL, -HUGE_VAL, HUGE_VAL, NULL, "", "what must be there"},
  FARE_FIELDS_END,
};

static void defaults_fill_in(void **state)
{
  everything e;

  (void)state;
  memset(&e, 0x5A, sizeof e); /* whatever was there before does not matter */
  assert_ok(fare_fields_read(fields, NULL, NULL, &e));
  assert_near(e.real, 0.1, 0);
  assert_int_equal(e.integer, 7);
  assert_int_equal(e.boolean, PETSC_TRUE);
  assert_null(e.string);
  assert_int_equal(e.choice, 1);
  assert_int_equal(e.reals.count, 0);
  assert_int_equal(e.integers.count, 2);
  assert_int_equal(e.integers.values[1], 2);
  assert_null(e.node);
  fare_fields_free(fields, &e);
  assert_null(e.integers.values);
  fare_fields_free(fields, &e);
  assert_says(fare_fields_read(required, NULL, NULL, &e), "missing key 'must' (what must be there)");
}

static void values_are_read(void **state)
{
  fare_config *config = parsed("{real: -1e1, integer: 2.0e5, boolean: off, string: 'it''s: #1', choice: "
                               "blue, reals: 3, integers: [], node: {x: [1]}, else: 1}");
  static const fare_field more[] = {
    {"else", FARE_REAL, 0, NULL, 0, 0, NULL, "", "of somebody else"}, FARE_FIELDS_END};
  everything e;

  (void)state;
  assert_says(fare_fields_read(fields, NULL, fare_config_root(config), &e),
    "f.yaml:1:119: unknown key 'else'; known keys: real, integer, boolean, string, choice, reals, integers, "
    "node");
  assert_ok(fare_fields_read(fields, more, fare_config_root(config), &e));
  assert_near(e.real, -10, 0);
  assert_int_equal(e.integer, 200000);
  assert_int_equal(e.boolean, PETSC_FALSE);
  assert_string_equal(e.string, "it's: #1");
  assert_int_equal(e.choice, 2);
  assert_int_equal(e.reals.count, 1); /* one value stands for a list of one */
  assert_near(e.reals.values[0], 3, 0);
  assert_int_equal(e.integers.count, 0);
  assert_ptr_equal(e.node, fare_node_find(fare_config_root(config), "node"));
  fare_fields_free(fields, &e);
  fare_config_destroy(&config);
}

/* Whatever was read before the mistake has been freed again: the sanitizers would find it. */
static void mistakes_in_fields(void **state)
{
  static const struct {
    const char *text, *message;
  } cases[] = {
    {"{string: kept, real: -11}", "f.yaml:1:22: real: expected a number of at least -10, got -11"},
    {"{real: x}", "f.yaml:1:8: real: expected a finite number, got 'x'"},
    {"{real: [1]}", "f.yaml:1:8: real: expected a number of at least -10, got a list"},
    {"{real: '1'}", "f.yaml:1:8: real: expected a number of at least -10, got 1"},
    {"{real: }", "f.yaml:1:8: real: expected a finite number, got ''"},
    {"{integer: 0}", "f.yaml:1:11: integer: expected an integer from 1 to 1e+15, got 0"},
    {"{integer: 1.5}", "f.yaml:1:11: integer: expected an integer from 1 to 1e+15, got 1.5"},
    {"{integer: 1e16}", "f.yaml:1:11: integer: expected an integer from 1 to 1e+15, got 1e16"},
    {"{integer: 1e999}", "f.yaml:1:11: integer: expected an integer from 1 to 1e+15, got 1e999"},
    {"{boolean: 1}", "f.yaml:1:11: boolean: expected true or false, got 1"},
    {"{boolean: {}}", "f.yaml:1:11: boolean: expected true or false, got a map"},
    {"{string: }", "f.yaml:1:10: string: expected a string, got nothing"},
    {"{string: ~}", "f.yaml:1:10: string: expected a string, got nothing"},
    {"{string: null}", "f.yaml:1:10: string: expected a string, got nothing"},
    {"{string: [a]}", "f.yaml:1:10: string: expected a string, got a list"},
    {"{string: \"a\\tb\"}", "f.yaml:1:10: string: expected a string, got one with a control character in it"},
    {"{string: \"a\\Nb\"}", "f.yaml:1:10: string: expected a string, got one with a line break in it"},
    {"{choice: grene}",
      "f.yaml:1:10: choice: expected one of red, green, blue; got grene (did you mean 'green'?)"},
    {"{choice: [red]}", "f.yaml:1:10: choice: expected one of red, green, blue; got a list"},
    {"{string: kept, reals: [1, 2e6, 3]}",
      "f.yaml:1:27: reals[1]: expected a number of at most 1e+06, got 2e6"},
    {"{reals: {a: 1}}", "f.yaml:1:9: reals: expected a list of numbers of at most 1e+06, got a map"},
    {"{reals: [1], integers: [1, 101]}",
      "f.yaml:1:28: integers[1]: expected an integer from -100 to 100, got 101"},
    {"{reals: [1], integers: [[1]]}",
      "f.yaml:1:25: integers[0]: expected an integer from -100 to 100, got a list"},
    {"{string: kept, Integer: 1}", "f.yaml:1:16: unknown key 'Integer' (did you mean 'integer'?)"},
    {"{whatever: 1}",
      "f.yaml:1:2: unknown key 'whatever'; known keys: real, integer, boolean, string, choice, reals, "
      "integers, node"},
  };

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++) {
    fare_config *config = parsed(cases[i].text);
    everything   e;

    assert_says(fare_fields_read(fields, NULL, fare_config_root(config), &e), cases[i].message);
    assert_null(e.string);
    assert_null(e.reals.values);
    assert_null(e.integers.values);
    fare_config_destroy(&config);
  }
}

/* What is written reads back to the same bits. */
static void fields_go_round(void **state)
{
  static const char *const texts[] = {
    "{real: 0.1, string: 'it''s: \"#1\" '}",
    "{real: 0.30000000000000004, reals: [1e-300, -5e-324, 3.141592653589793, 1e-5, 100000], choice: red}",
    "{integer: 999999999999999, integers: [-100, 0, 100], boolean: no}",
    "{string: 'null', reals: []}",
    "{string: '- [gr\303\266\303\237e]: {x} & *y ! | > % @ `'}",
    "{string: ''}",
  };

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(texts); i++) {
    fare_config *config = parsed(texts[i]);
    everything   e, again;
    fare_text    first = {0}, second = {0};

    assert_ok(fare_fields_read(fields, NULL, fare_config_root(config), &e));
    fare_fields_write(fields, &e, 2, &first);
    fare_config_destroy(&config);
    assert_memory_equal(first.text, "  real: ", 8);
    config = parsed(first.text);
    assert_ok(fare_fields_read(fields, NULL, fare_config_root(config), &again));
    fare_fields_write(fields, &again, 2, &second);
    assert_string_equal(first.text, second.text);
    assert_true(e.real == again.real && e.integer == again.integer && e.boolean == again.boolean &&
      e.choice == again.choice);
    assert_int_equal(!e.string, !again.string);
    if (e.string) assert_string_equal(e.string, again.string);
    assert_int_equal(e.reals.count, again.reals.count);
    assert_int_equal(e.integers.count, again.integers.count);
    for (size_t k = 0; k < e.reals.count; k++) assert_true(e.reals.values[k] == again.reals.values[k]);
    for (size_t k = 0; k < e.integers.count; k++)
      assert_true(e.integers.values[k] == again.integers.values[k]);
    fare_fields_free(fields, &e);
    fare_fields_free(fields, &again);
    fare_config_destroy(&config);
    fare_text_free(&first);
    fare_text_free(&second);
  }
}

static void fields_are_described(void **state)
{
  static const char *const shown[] = {"key", "description", "integer", "[1, 1e+15]", ">= -10", "<= 1e+06",
    "red | green | blue", "green", "(none)", "a switch", "map"};
  char                    *text    = NULL;
  size_t                   size    = 0;
  FILE                    *to      = open_memstream(&text, &size);

  (void)state;
  fare_fields_describe(fields, to);
  fare_fields_describe(required, to);
  fclose(to);
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(shown); i++) {
    if (!strstr(text, shown[i])) fail_msg("'%s' is not shown in\n%s", shown[i], text);
  }
  assert_non_null(strstr(text, "required"));
  free(text);
}

/* A default as large as a number may be stands for none. */
static void no_default_is_described(void **state)
{
  static const fare_field open[] = {
    {"lower", FARE_REAL, 0, "-1e300", -1e300, 1e300, NULL, "", "default: the box"},
    {"upper", FARE_REAL, 0, "1e300", -2, 1e300, NULL, "", "default: the box"},
    FARE_FIELDS_END,
  };
  char  *text = NULL;
  size_t size = 0;
  FILE  *to   = open_memstream(&text, &size);

  (void)state;
  fare_fields_describe(open, to);
  fclose(to);
  if (strstr(text, "300") || !strstr(text, "(none)") || !strstr(text, ">= -2"))
    fail_msg("bounds in\n%s", text);
  free(text);
}

static const char *text_at(const fare_config *config, const char *a, const char *b)
{
  const fare_node *node = fare_node_find(fare_config_root(config), a);

  if (b) node = fare_node_find(node, b);
  return node && fare_node_kind_of(node) == FARE_NODE_SCALAR ? fare_node_text(node) : NULL;
}

static void assignments_change_what_they_name(void **state)
{
  fare_config     *config = parsed("a: 1\nlist: [{name: x, v: 1}, {name: y, v: 2}, 3]\n");
  const fare_node *list;

  (void)state;
  assert_ok(fare_config_set(config, "a=2"));
  assert_string_equal(text_at(config, "a", NULL), "2");
  assert_ok(fare_config_set(config, "map.deep=x=y")); /* made; the first '=' counts */
  assert_string_equal(text_at(config, "map", "deep"), "x=y");
  assert_ok(fare_config_set(config, "list[1].v=20"));
  assert_ok(fare_config_set(config, "list.0.v=10"));
  assert_ok(fare_config_set(config, "list.y.new={z: [1, {w: 2}]}"));
  assert_ok(fare_config_set(config, "list[2]=30"));
  list = fare_node_find(fare_config_root(config), "list");
  assert_string_equal(fare_node_text(fare_node_find(fare_node_item(list, 0), "v")), "10");
  assert_string_equal(fare_node_text(fare_node_find(fare_node_item(list, 1), "v")), "20");
  assert_string_equal(fare_node_text(fare_node_item(list, 2)), "30");
  /* a message about it shows the assignment, and the path from the root */
  assert_says(fare_node_error(fare_node_item(list, 2), "no"), "--set list[2]=30: list[2]: no");
  assert_says(
    fare_node_error(
      fare_node_find(
        fare_node_item(fare_node_find(fare_node_find(fare_node_item(list, 1), "new"), "z"), 1), "w"),
      "no"),
    "--set list.y.new={z: [1, {w: 2}]}: list[1].new.z[1].w: no");
  assert_says(fare_node_error_at_key(fare_config_root(config), 2, "no"), "--set map.deep=x=y: no");
  assert_says(fare_node_error_at_key(fare_config_root(config), 1, "no"), "f.yaml:2:1: no");
  fare_config_destroy(&config);
}

static void assignments_that_make_no_sense(void **state)
{
  static const struct {
    const char *assignment, *message;
  } cases[] = {
    {"a", "--set: expected key=value, for instance --set truth.cells=1024, got 'a'"},
    {"", "--set: expected key=value, for instance --set truth.cells=1024, got ''"},
    {"=1", "--set: expected key=value, for instance --set truth.cells=1024, got '=1'"},
    {"a=", "--set a=: nothing after '='"},
    {"[]=1", "--set []=1: expected key=value, got nothing before '='"},
    {"list[3]=1", "--set list[3]=1: list: there is no '3' in this list"},
    {"list[99999999999999999999999]=1",
      "--set list[99999999999999999999999]=1: list: there is no '99999999999999999999999' in this list"},
    {"list.z=1", "--set list.z=1: list: there is no 'z' in this list"},
    {"list[2].x=1", "--set list[2].x=1: list[2]: there is no 'x' in this value"},
    {"a.b=1", "--set a.b=1: a: there is no 'b' in this value"},
    {"a=[", "--set a=[: not YAML: did not find expected node content while parsing a flow node"},
    {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
      "--set a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1: a: there is no 'a' in this "
      "value"},
    {"b.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
      "--set b.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1: nested too deeply"},
    {"a={x: 1, x: 2}", "--set a={x: 1, x: 2}: duplicate key 'x'"},
    {"a=*b", "--set a=*b: anchors and aliases are not supported; write the value out"},
    {"a=#", "--set a=#: it is empty"},
    {"a=1\n--- 2", "--set a=1?--- 2: a second document; only one study per file"},
    {"a=\xFF", "--set a=\xFF: not UTF-8 text (invalid leading UTF-8 octet)"},
  };
  fare_config *config = parsed("a: 1\nlist: [{name: x, v: 1}, {name: y, v: 2}, 3]\n");

  (void)state;
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(cases); i++)
    assert_says(fare_config_set(config, cases[i].assignment), cases[i].message);
  assert_string_equal(text_at(config, "a", NULL), "1");
  fare_config_destroy(&config);
}

/* Former names of keys are read as those of today, wherever they stand; of both the former one is unknown. */
static void former_keys_are_read(void **state)
{
  fare_config *config = parsed("truth: {ends: [reflecting]}\nends: 1\n");

  (void)state;
  assert_string_equal(fare_node_key(fare_node_find(fare_config_root(config), "truth"), 0), "boundaries");
  assert_string_equal(fare_node_key(fare_config_root(config), 1), "ends");
  assert_ok(fare_config_set(config, "truth.ends=periodic"));
  assert_int_equal(fare_node_size(fare_node_find(fare_config_root(config), "truth")), 1);
  assert_string_equal(text_at(config, "truth", "boundaries"), "periodic");
  assert_ok(fare_config_set(config, "truth={ends: absorbing}"));
  assert_string_equal(text_at(config, "truth", "boundaries"), "absorbing");
  fare_config_destroy(&config);
  config = parsed("truth: {ends: absorbing, boundaries: periodic}\n");
  assert_int_equal(fare_node_size(fare_node_find(fare_config_root(config), "truth")), 2);
  fare_config_destroy(&config);
}

static const struct CMUnitTest tests[] = {
  cmocka_unit_test(former_keys_are_read),
  cmocka_unit_test(trees_have_the_shape_of_their_text),
  cmocka_unit_test(errors_name_the_place),
  cmocka_unit_test(what_is_no_study_is_refused),
  cmocka_unit_test(sizes_are_bounded),
  cmocka_unit_test(files_are_read_or_refused),
  cmocka_unit_test(numbers_are_finite_and_decimal),
  cmocka_unit_test(defaults_fill_in),
  cmocka_unit_test(values_are_read),
  cmocka_unit_test(mistakes_in_fields),
  cmocka_unit_test(fields_go_round),
  cmocka_unit_test(fields_are_described),
  cmocka_unit_test(no_default_is_described),
  cmocka_unit_test(assignments_change_what_they_name),
  cmocka_unit_test(assignments_that_make_no_sense),
};
FARE_TEST_MAIN(tests)
