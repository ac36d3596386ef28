/* SPDX-License-Identifier: BSD-2-Clause */
/* One table of fields, five uses: read, check, describe, document, write back. */
#include "config.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX  64
#define ENTRY_SIZE 8 /* bytes of a double, and of a PetscInt64 */
#define NO_BOUND   1e300

static void *member(const fare_field *field, const void *of)
{
  return (char *)of + field->offset;
}

static const char *what_is(const fare_node *node)
{
  return node->kind == FARE_NODE_SCALAR ? node->text : fare_node_kind_names[node->kind];
}

/* "from 1 to 10", "at least 1", "at most 10" or "". */
static void range_text(const fare_field *field, char *text, size_t size)
{
  const int below = isfinite(field->min), above = isfinite(field->max);

  *text = '\0';
  if (below && above)
    snprintf(text, size, " from %g to %g", field->min, field->max);
  else if (below)
    snprintf(text, size, " of at least %g", field->min);
  else if (above)
    snprintf(text, size, " of at most %g", field->max);
}

static PetscErrorCode expected(const fare_field *field, const fare_node *node, const char *what)
{
  char range[64];

  range_text(field, range, sizeof range);
  return fare_node_error(
    node, "expected %s%s, got %.60s", what, range, *what_is(node) ? what_is(node) : "nothing");
}

static int in_range(const fare_field *field, double value)
{
  return value >= field->min && value <= field->max;
}

static PetscErrorCode read_real(const fare_field *field, const fare_node *node, double *value)
{
  PetscFunctionBegin;
  if (node->kind != FARE_NODE_SCALAR || node->quoted) PetscCall(expected(field, node, "a number"));
  PetscCall(fare_node_real(node, value));
  if (!in_range(field, *value)) PetscCall(expected(field, node, "a number"));
  PetscFunctionReturn(0);
}

/*
  Integers may be written 200000, 2e5 or 2.0e5. From 2^53 on doubles have gaps, so such ones are refused.
*/
static PetscErrorCode read_integer(const fare_field *field, const fare_node *node, PetscInt64 *value)
{
  double real = 0;

  PetscFunctionBegin;
  if (!fare_node_number(node, &real) || !isfinite(real) || real != floor(real) || fabs(real) >= 0x1p53 ||
    !in_range(field, real))
    PetscCall(expected(field, node, "an integer"));
  *value = (PetscInt64)real;
  PetscFunctionReturn(0);
}

static PetscErrorCode read_boolean(const fare_field *field, const fare_node *node, PetscBool *value)
{
  static const char *const words[] = {"true", "yes", "on", "false", "no", "off"};

  PetscFunctionBegin;
  (void)field;
  for (size_t i = 0; i < 6 && node->kind == FARE_NODE_SCALAR; i++) {
    if (strcmp(node->text, words[i])) continue;
    *value = i < 3 ? PETSC_TRUE : PETSC_FALSE;
    PetscFunctionReturn(0);
  }
  FARE_REFUSE(node, "expected true or false, got %.60s", what_is(node));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_choice(const fare_field *field, const fare_node *node, int *value)
{
  fare_text      list = {0}, meant = {0};
  size_t         count = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  for (; field->choices[count]; count++) {
    if (node->kind == FARE_NODE_SCALAR && !strcmp(node->text, field->choices[count])) {
      *value = (int)count;
      fare_text_free(&list);
      PetscFunctionReturn(0);
    }
    fare_text_add(&list, "%s%s", count ? ", " : "", field->choices[count]);
  }
  if (node->kind == FARE_NODE_SCALAR) fare_text_add_nearest(&meant, node->text, field->choices, count);
  code = fare_node_error(
    node, "expected one of %s; got %.60s%s", list.text, what_is(node), meant.text ? meant.text : "");
  fare_text_free(&meant);
  fare_text_free(&list);
  PetscFunctionReturn(code);
}

/* A single value stands for a list of one. */
static const fare_node *entry(const fare_node *node, size_t i)
{
  return node->kind == FARE_NODE_LIST ? node->item[i] : node;
}

static PetscErrorCode read_list(const fare_field *field, const fare_node *node, void *into)
{
  const size_t count = node->kind == FARE_NODE_LIST ? node->count : 1;
  void        *values;

  PetscFunctionBegin;
  if (node->kind == FARE_NODE_MAP)
    PetscCall(expected(field, node,
      field->kind == FARE_REALS        ? "a list of numbers"
        : field->kind == FARE_INTEGERS ? "a list of integers"
                                       : "a list of choices"));
  values = calloc(PetscMax(count, 1), ENTRY_SIZE);
  if (!values) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  if (field->kind == FARE_REALS)
    *(fare_reals *)into = (fare_reals){count, values};
  else
    *(fare_integers *)into = (fare_integers){count, values};
  for (size_t i = 0; i < count; i++) {
    int choice = 0;

    if (field->kind == FARE_REALS) {
      PetscCall(read_real(field, entry(node, i), (double *)values + i));
    } else if (field->kind == FARE_INTEGERS) {
      PetscCall(read_integer(field, entry(node, i), (PetscInt64 *)values + i));
    } else {
      PetscCall(read_choice(field, entry(node, i), &choice));
      ((PetscInt64 *)values)[i] = choice;
    }
  }
  PetscFunctionReturn(0);
}

/*
  A string may hold anything but what would break a line: control characters, and the line ends that YAML
  knows besides (U+0085, U+2028, U+2029).
*/
static PetscErrorCode read_string(const fare_node *node, char **value)
{
  static const char *const        nulls[]  = {"", "~", "null", "Null", "NULL"},
                           *const breaks[] = {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};

  PetscFunctionBegin;
  if (node->kind != FARE_NODE_SCALAR) FARE_REFUSE(node, "expected a string, got %s", what_is(node));
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(nulls) && !node->quoted; i++) {
    if (!strcmp(node->text, nulls[i])) FARE_REFUSE(node, "expected a string, got nothing");
  }
  for (const char *c = node->text; *c; c++) {
    if (iscntrl((unsigned char)*c))
      FARE_REFUSE(node, "expected a string, got one with a control character in it");
  }
  for (size_t i = 0; i < PETSC_STATIC_ARRAY_LENGTH(breaks); i++) {
    if (strstr(node->text, breaks[i]))
      FARE_REFUSE(node, "expected a string, got one with a line break in it");
  }
  PetscCall(fare_string_copy(node->text, strlen(node->text), value));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_field(const fare_field *field, const fare_node *node, void *into)
{
  void *to = member(field, into);

  PetscFunctionBegin;
  switch (field->kind) {
  case FARE_REAL:
    PetscCall(read_real(field, node, to));
    break;
  case FARE_INTEGER:
    PetscCall(read_integer(field, node, to));
    break;
  case FARE_BOOLEAN:
    PetscCall(read_boolean(field, node, to));
    break;
  case FARE_CHOICE:
    PetscCall(read_choice(field, node, to));
    break;
  case FARE_REALS:
  case FARE_INTEGERS:
  case FARE_CHOICES:
    PetscCall(read_list(field, node, to));
    break;
  case FARE_NODE:
    *(const fare_node **)to = node;
    break;
  case FARE_STRING:
    PetscCall(read_string(node, to));
    break;
  }
  PetscFunctionReturn(0);
}

/* The default, through the same reader as anybody's value. */
static PetscErrorCode read_default(const fare_field *field, void *into)
{
  fare_node     *node = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!*field->default_value) PetscFunctionReturn(0); /* absent: zero, NULL or empty */
  PetscCall(fare_parse_yaml(
    "default", PETSC_FALSE, field->default_value, strlen(field->default_value), field->key, &node));
  code = read_field(field, node, into);
  fare_node_destroy(&node);
  PetscFunctionReturn(code);
}

static PetscErrorCode check_keys(const fare_field *fields, const fare_field *more, const fare_node *map)
{
  const char *names[NAMES_MAX];
  size_t      count = 0;

  PetscFunctionBegin;
  for (const fare_field *f = fields; f->key && count < NAMES_MAX; f++) names[count++] = f->key;
  for (const fare_field *f = more; f && f->key && count < NAMES_MAX; f++) names[count++] = f->key;
  PetscCall(fare_node_check_keys(map, names, count));
  PetscFunctionReturn(0);
}

size_t fare_field_size(fare_field_kind kind)
{
  static const size_t sizes[] = {
    [FARE_REAL]     = sizeof(double),
    [FARE_INTEGER]  = sizeof(PetscInt64),
    [FARE_BOOLEAN]  = sizeof(PetscBool),
    [FARE_STRING]   = sizeof(char *),
    [FARE_CHOICE]   = sizeof(int),
    [FARE_REALS]    = sizeof(fare_reals),
    [FARE_INTEGERS] = sizeof(fare_integers),
    [FARE_CHOICES]  = sizeof(fare_integers),
    [FARE_NODE]     = sizeof(const fare_node *),
  };

  return sizes[kind];
}

static PetscErrorCode read_all(
  const fare_field *fields, const fare_field *more, const fare_node *map, void *into)
{
  PetscFunctionBegin;
  if (map && map->kind != FARE_NODE_MAP)
    FARE_REFUSE(
      map, "expected a map of keys and values, got %.60s", *what_is(map) ? what_is(map) : "nothing");
  if (map) PetscCall(check_keys(fields, more, map));
  for (const fare_field *f = fields; f->key; f++) {
    const fare_node *node = fare_node_find(map, f->key);

    if (node)
      PetscCall(read_field(f, node, into));
    else if (f->default_value)
      PetscCall(read_default(f, into));
    else if (map)
      FARE_REFUSE(map, "missing key '%s' (%s)", f->key, f->description);
    else
      FARE_FAIL(FARE_ERR_INPUT, "missing key '%s' (%s)", f->key, f->description);
  }
  PetscFunctionReturn(0);
}

PetscErrorCode fare_fields_read(
  const fare_field *fields, const fare_field *more, const fare_node *map, void *into)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  for (const fare_field *f = fields; f->key; f++) memset(member(f, into), 0, fare_field_size(f->kind));
  code = read_all(fields, more, map, into);
  if (code) fare_fields_free(fields, into); /* nobody has to free what was read by half */
  PetscFunctionReturn(code);
}

static void *values_of(const fare_field *field, const void *list)
{
  return field->kind == FARE_REALS ? (void *)((const fare_reals *)list)->values
                                   : (void *)((const fare_integers *)list)->values;
}

void fare_fields_free(const fare_field *fields, void *from)
{
  for (const fare_field *f = fields; f->key; f++) {
    void *at = member(f, from);

    if (f->kind != FARE_STRING && !fare_field_is_list(f)) continue;
    free(f->kind == FARE_STRING ? *(char **)at : values_of(f, at));
    memset(at, 0, fare_field_size(f->kind));
  }
}

/* A list of its own in place of one that is shared. */
static PetscErrorCode copy_list(const fare_field *field, void *list)
{
  const size_t bytes = fare_field_count(field, list) * ENTRY_SIZE;
  void        *copy  = malloc(PetscMax(bytes, 1));

  PetscFunctionBegin;
  if (!copy) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  memcpy(copy, values_of(field, list), bytes);
  if (field->kind == FARE_REALS)
    ((fare_reals *)list)->values = copy;
  else
    ((fare_integers *)list)->values = copy;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_fields_copy(const fare_field *fields, const void *from, void *into)
{
  PetscFunctionBegin;
  for (const fare_field *f = fields; f->key; f++) {
    const void *source = member(f, from);
    void       *to     = member(f, into);

    memcpy(to, source, fare_field_size(f->kind));
    if (f->kind == FARE_STRING && *(char *const *)source) {
      const char *text = *(char *const *)source;

      PetscCall(fare_string_copy(text, strlen(text), to));
    } else if (fare_field_is_list(f) && values_of(f, source)) {
      PetscCall(copy_list(f, to));
    }
  }
  PetscFunctionReturn(0);
}

const void *fare_fields_find(const fare_field *fields, const void *in, const char *key, fare_field_kind kind)
{
  for (const fare_field *f = fields; f->key; f++) {
    if (f->kind == kind && !strcmp(f->key, key)) return member(f, in);
  }
  return NULL;
}

/* The shortest decimal that reads back to the same double. */
static void write_real(double value, fare_text *to)
{
  char text[40];

  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  fare_text_add(to, "%s", text);
}

void fare_field_write_entry(const fare_field *field, const void *list, size_t i, fare_text *to)
{
  const void *values = values_of(field, list);

  if (field->kind == FARE_REALS)
    write_real(((const double *)values)[i], to);
  else if (field->kind == FARE_INTEGERS)
    fare_text_add(to, "%lld", (long long)((const PetscInt64 *)values)[i]);
  else
    fare_text_add(to, "%s", field->choices[((const PetscInt64 *)values)[i]]);
}

void fare_field_write(const fare_field *field, const void *at, fare_text *to)
{
  switch (field->kind) {
  case FARE_REAL:
    write_real(*(const double *)at, to);
    break;
  case FARE_INTEGER:
    fare_text_add(to, "%lld", (long long)*(const PetscInt64 *)at);
    break;
  case FARE_BOOLEAN:
    fare_text_add(to, "%s", *(const PetscBool *)at ? "true" : "false");
    break;
  case FARE_CHOICE:
    fare_text_add(to, "%s", field->choices[*(const int *)at]);
    break;
  case FARE_STRING:
    fare_string_write(*(char *const *)at, to);
    break;
  case FARE_REALS:
  case FARE_INTEGERS:
  case FARE_CHOICES:
    for (size_t i = 0; i < fare_field_count(field, at); i++) {
      fare_text_add(to, i ? ", " : "[");
      fare_field_write_entry(field, at, i, to);
    }
    fare_text_add(to, fare_field_count(field, at) ? "]" : "[]");
    break;
  case FARE_NODE:
    break;
  }
}

/* A list that is empty where one of another length would be understood is written. */
static int is_absent(const fare_field *field, const void *at)
{
  if (field->kind == FARE_STRING) return !*(char *const *)at;
  if (fare_field_is_list(field))
    return field->default_value && !*field->default_value && !fare_field_count(field, at);
  return field->kind == FARE_NODE;
}

void fare_fields_write(const fare_field *fields, const void *from, int indent, fare_text *to)
{
  for (const fare_field *f = fields; f->key; f++) {
    const void *at = member(f, from);

    if (is_absent(f, at)) continue;
    fare_text_add(to, "%*s%s: ", indent, "", f->key);
    fare_field_write(f, at, to);
    fare_text_add(to, "\n");
  }
}

static const char *const kind_names[] = {
  [FARE_REAL]     = "number",
  [FARE_INTEGER]  = "integer",
  [FARE_BOOLEAN]  = "true or false",
  [FARE_STRING]   = "string",
  [FARE_CHOICE]   = "choice",
  [FARE_REALS]    = "numbers",
  [FARE_INTEGERS] = "integers",
  [FARE_CHOICES]  = "choices",
  [FARE_NODE]     = "map",
};

/* Numbers as large as that stand for a value that was not given, or for no bound. */
static PetscBool is_bound(double value)
{
  return fabs(value) < NO_BOUND ? PETSC_TRUE : PETSC_FALSE;
}

/* The description says what takes the place of a default that is none. */
static const char *default_of(const fare_field *f)
{
  if (!f->default_value) return "required";
  if (!*f->default_value || (f->kind == FARE_REAL && !is_bound(strtod(f->default_value, NULL))))
    return "(none)";
  return f->default_value;
}

static void describe_range(const fare_field *f, fare_table *table)
{
  fare_text text = {0};

  if (f->kind == FARE_CHOICE || f->kind == FARE_CHOICES) {
    for (size_t i = 0; f->choices[i]; i++) fare_text_add(&text, "%s%s", i ? " | " : "", f->choices[i]);
  } else if (f->kind != FARE_BOOLEAN && f->kind != FARE_STRING && f->kind != FARE_NODE) {
    const PetscBool below = is_bound(f->min), above = is_bound(f->max);

    if (below && above)
      fare_text_add(&text, "[%g, %g]", f->min, f->max);
    else if (below)
      fare_text_add(&text, ">= %g", f->min);
    else if (above)
      fare_text_add(&text, "<= %g", f->max);
  }
  fare_table_cell(table, "%s", text.text ? text.text : "");
  fare_text_free(&text);
}

void fare_fields_describe(const fare_field *fields, FILE *to)
{
  static const char *const names[] = {"key", "kind", "default", "range", "unit", "description"};
  fare_table              *table;

  fare_table_create(PETSC_STATIC_ARRAY_LENGTH(names), &table);
  fare_table_headings(table, names);
  for (const fare_field *f = fields; f->key; f++) {
    fare_table_cell(table, "%s", f->key);
    fare_table_cell(table, "%s", kind_names[f->kind]);
    fare_table_cell(table, "%s", default_of(f));
    describe_range(f, table);
    fare_table_cell(table, "%s", f->unit);
    fare_table_cell(table, "%s", f->description);
  }
  fare_table_print(table, to);
  fare_table_destroy(&table);
}
