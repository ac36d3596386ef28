/* SPDX-License-Identifier: BSD-2-Clause */
/* fare-test: labels=unit,fuzz timeout=120 */
/*
  Any bytes at all as a study file, as an assignment and as values of fields: they are read, or refused in one
  line; what was read is written and read back to the same. Seeds are the studies in input/ and some hard
  cases.
*/
#define FUZZ_LONGEST 4096
#define FUZZ_ROUNDS  15000
#include "driver.h"

#include <fare/config.h>

#include <ctype.h>
#include <math.h>

typedef struct {
  double           real;
  PetscInt64       integer;
  PetscBool        boolean;
  char            *string, *name;
  int              choice;
  fare_reals       reals;
  fare_integers    integers;
  const fare_node *node;
} everything;

static const char *const choices[] = {"boltzmann", "gaussian", "uniform", NULL};
#define AT(member) offsetof(everything, member)
/* Keys of real studies, so that their files are seeds; one of every kind. */
static const fare_field fields[] = {
  {"dt", FARE_REAL, AT(real), "0.1", -10, 1e300, NULL, "time", "a number"},
  {"particles", FARE_INTEGER, AT(integer), "7", 1, 1e15, NULL, "", "a count"},
  {"estimate", FARE_BOOLEAN, AT(boolean), "true", 0, 0, NULL, "", "a switch"},
  {"study", FARE_STRING, AT(string), "", 0, 0, NULL, "", "a word"},
  {"name", FARE_STRING, AT(name), "", 0, 0, NULL, "", "a word"},
  {"density", FARE_CHOICE, AT(choice), "gaussian", 0, 0, choices, "", "a choice"},
  {"mean", FARE_REALS, AT(reals), "", -HUGE_VAL, HUGE_VAL, NULL, "", "numbers"},
  {"cells", FARE_INTEGERS, AT(integers), "[1, 2]", -1e9, 1e9, NULL, "", "counts"},
  {"train", FARE_NODE, AT(node), "", 0, 0, NULL, "", "anything"},
  FARE_FIELDS_END,
};
/* Keys that are let pass, so that reading goes on behind them. */
static const fare_field more[] = {
#define KEY(name)                              \
  {                                            \
    name, FARE_NODE, 0, "", 0, 0, NULL, "", "" \
  }
  KEY("system"),
  KEY("drive"),
  KEY("initial"),
  KEY("snapshots"),
  KEY("truth"),
  KEY("ensembles"),
  KEY("measures"),
  KEY("output"),
  KEY("seed"),
  KEY("sampler"),
  KEY("start"),
  KEY("end"),
  KEY("count"),
  KEY("tolerance"),
  FARE_FIELDS_END,
};

/* A refusal is ours, says something, and says it in one line. */
static void must_be_refusal(PetscErrorCode code)
{
  must(code == FARE_ERR_INPUT, "an error other than FARE_ERR_INPUT");
  must(*fare_error_message() != '\0', "a refusal without a word");
  for (const char *c = fare_error_message(); *c; c++)
    must(!iscntrl((unsigned char)*c), "a message of more than one line");
}

static void write_and_read_back(const everything *e)
{
  fare_text      first = {0}, second = {0};
  fare_config   *config;
  everything     again;
  PetscErrorCode code;

  fare_fields_write(fields, e, 0, &first);
  code = fare_config_parse("written", first.text, first.length, &config);
  must(!code, "what was written is not read");
  must(!fare_fields_read(fields, NULL, fare_config_root(config), &again),
    "fields that were written are not read");
  fare_fields_write(fields, &again, 0, &second);
  must(!strcmp(first.text, second.text), "what was written reads back as something else");
  fare_fields_free(fields, &again);
  fare_config_destroy(&config);
  fare_text_free(&first);
  fare_text_free(&second);
}

static void read_fields(const fare_node *node)
{
  everything     e;
  PetscErrorCode code;

  memset(&e, 0x5A, sizeof e);
  code = fare_fields_read(fields, more, node, &e);
  if (code)
    must_be_refusal(code);
  else
    write_and_read_back(&e);
  fare_fields_free(fields, &e);
}

static void visit(const fare_node *node, int depth)
{
  must(depth <= 70, "a tree deeper than a file and an assignment make");
  switch (fare_node_kind_of(node)) {
  case FARE_NODE_SCALAR: {
    double         value;
    PetscErrorCode code = fare_node_real(node, &value);

    must(strlen(fare_node_text(node)) < (size_t)1 << 25, "a scalar without end");
    if (code)
      must_be_refusal(code);
    else
      must(isfinite(value), "a number that is not finite");
    break;
  }
  case FARE_NODE_MAP:
    read_fields(node);
    for (size_t i = 0; i < fare_node_size(node); i++)
      must(fare_node_find(node, fare_node_key(node, i)) == fare_node_item(node, i),
        "a key that is not found, or stands twice");
    /* fall through */
  case FARE_NODE_LIST:
    for (size_t i = 0; i < fare_node_size(node); i++) visit(fare_node_item(node, i), depth + 1);
    break;
  }
}

/* The first line of the input as an assignment. */
static void assign(fare_config *config, const uint8_t *data, size_t size)
{
  char           line[200];
  size_t         n = 0;
  PetscErrorCode code;

  while (n < size && n + 1 < sizeof line && data[n] && data[n] != '\n') n++;
  memcpy(line, data, n);
  line[n] = '\0';
  code    = fare_config_set(config, line);
  if (code) must_be_refusal(code);
  visit(fare_config_root(config), 0);
}

static int read_one(const uint8_t *data, size_t size)
{
  static const char small[] =
    "{truth: {cells: [4, 5]}, ensembles: [{name: a, particles: 1}, {name: b}], seed: 1}";
  fare_config   *config;
  PetscErrorCode code    = fare_config_parse("input", (const char *)data, size, &config);
  const int      refused = code != 0;

  if (refused) {
    must_be_refusal(code);
    must(!config, "a document in spite of a refusal");
  } else {
    visit(fare_config_root(config), 0);
    assign(config, data, size);
    fare_config_destroy(&config);
  }
  must(!fare_config_parse("small", small, sizeof small - 1, &config), "parsing");
  assign(config, data, size);
  fare_config_destroy(&config);
  return refused;
}

static const char *const hard[] = {
  "{dt: 1e-3, particles: 5e4, estimate: no, study: 'it''s', name: \"a\\x41\\u00e9\\n\", density: uniform, "
  "mean: [1, -.5, 1e300], cells: 7, train: {a: [b, {c: d}]}}",
  "dt: |\n  1\nmean:\n- 1\n-   2\nstudy: >-\n  folded\n  text\n? name\n: x\n",
  "a: &x [*x, !!str y]\n<<: {b: 1}\n",
  "%YAML 1.1\n---\ndt: 1\n...\n---\nb: 2\n",
  "truth.cells[0]=[1, {a: 2}]\n",
  "ensembles.b.particles=1e999\n",
  "a.b.c.d[1]=~\n",
  "\357\273\277dt: 1 # \xC3\xA9\xE2\x80\xA8 \xF0\x9F\x98\x80\n",
  "study: \"\\N\\L\\P\\_\\0\"\n",
  "[[[[[[[[[[{a: [[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]",
  "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - x\n",
  "cells: []\nmean: []\n",
};
static const char *const tokens[] = {
  ": ",
  "- ",
  "? ",
  "[",
  "]",
  "{",
  "}",
  ", ",
  "&a ",
  "*a",
  "!!int ",
  "!",
  "#",
  "|",
  ">",
  "'",
  "\"",
  "\\",
  "---\n",
  "...\n",
  "\n",
  "\r",
  "\t",
  "\0x",
  "\xFF",
  "\xC3",
  "\xE2\x80\xA8",
  "\xEF\xBF\xBF",
  "%TAG ! x\n",
  "<<: ",
  "=",
  ".",
  "~",
  ".nan",
  ".inf",
  "0x1F",
  "1e999",
  "-",
  "9007199254740993",
  "null",
  "  ",
  "particles: ",
  "mean: ",
  "study: ",
  "name: ",
};

static void begin(void)
{
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(hard); i++) fuzz_add_seed(hard[i], strlen(hard[i]));
  fuzz_add_files("input/*.yaml", FUZZ_SEEDS_MAX);
}

int main(int argc, char **argv)
{
  return fuzz_main(argc, argv, begin, tokens, PETSC_STATIC_ARRAY_LENGTH(tokens), read_one);
}
