/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree: making it, walking it, complaining about a place in it. */
#include "config.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const fare_node_kind_names[] = {
  [FARE_NODE_SCALAR] = "a single value", [FARE_NODE_LIST] = "a list", [FARE_NODE_MAP] = "a map"};

PetscErrorCode fare_string_copy(const char *text, size_t length, char **copy)
{
  PetscFunctionBegin;
  *copy = malloc(length + 1);
  if (!*copy) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  memcpy(*copy, text, length);
  (*copy)[length] = '\0';
  PetscFunctionReturn(0);
}

PetscErrorCode fare_node_create(
  fare_node_kind kind, const char *source, int line, int column, const char *path, fare_node **node)
{
  PetscFunctionBegin;
  *node = calloc(1, sizeof **node);
  if (!*node) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  (*node)->kind   = kind;
  (*node)->source = source;
  (*node)->line   = line;
  (*node)->column = column;
  PetscCall(fare_string_copy(path, strlen(path), &(*node)->path));
  PetscFunctionReturn(0);
}

void fare_node_destroy(fare_node **node)
{
  fare_node *n = *node;

  if (!n) return;
  for (size_t i = 0; i < n->count; i++) {
    fare_node_destroy(&n->item[i]);
    if (n->key) free(n->key[i]);
  }
  free(n->item);
  free(n->key);
  free(n->key_line);
  free(n->key_column);
  free(n->text);
  free(n->path);
  free(n);
  *node = NULL;
}

static PetscErrorCode grow(void *array, size_t count, size_t size)
{
  void **place = array, *larger;

  PetscFunctionBegin;
  if (count & (count - 1)) PetscFunctionReturn(0); /* room is made at powers of two */
  larger = realloc(*place, PetscMax(1, 2 * count) * size);
  if (!larger) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  *place = larger;
  PetscFunctionReturn(0);
}

PetscErrorCode fare_node_append(
  fare_node *parent, const char *key, int key_line, int key_column, fare_node *child)
{
  const size_t n = parent->count;

  PetscFunctionBegin;
  PetscCall(grow(&parent->item, n, sizeof *parent->item));
  if (key) {
    PetscCall(grow(&parent->key, n, sizeof *parent->key));
    PetscCall(grow(&parent->key_line, n, sizeof *parent->key_line));
    PetscCall(grow(&parent->key_column, n, sizeof *parent->key_column));
    PetscCall(fare_string_copy(key, strlen(key), &parent->key[n]));
    parent->key_line[n]   = key_line;
    parent->key_column[n] = key_column;
  }
  parent->item[n] = child;
  parent->count++;
  PetscFunctionReturn(0);
}

fare_node_kind fare_node_kind_of(const fare_node *node)
{
  return node->kind;
}

size_t fare_node_size(const fare_node *node)
{
  return node->count;
}

const fare_node *fare_node_item(const fare_node *node, size_t i)
{
  return node->item[i];
}

const char *fare_node_key(const fare_node *map, size_t i)
{
  return map->key[i];
}

const fare_node *fare_node_find(const fare_node *map, const char *key)
{
  if (!map || map->kind != FARE_NODE_MAP) return NULL;
  for (size_t i = 0; i < map->count; i++) {
    if (!strcmp(map->key[i], key)) return map->item[i];
  }
  return NULL;
}

const fare_node *fare_node_named(const fare_node *list, const char *name)
{
  for (size_t i = 0; list && list->kind == FARE_NODE_LIST && i < list->count; i++) {
    const fare_node *given = fare_node_find(list->item[i], "name");

    if (given && given->kind == FARE_NODE_SCALAR && !strcmp(given->text, name)) return list->item[i];
  }
  return NULL;
}

PetscErrorCode fare_node_path(const fare_node *scalar, char **path)
{
  const char  *slash  = scalar->line > 0 && *scalar->text != '/' ? strrchr(scalar->source, '/') : NULL;
  const size_t folder = slash ? (size_t)(slash - scalar->source) + 1 : 0, size = strlen(scalar->text) + 1;

  PetscFunctionBegin;
  *path = malloc(folder + size);
  if (!*path) FARE_FAIL(FARE_ERR_FAILED, "out of memory");
  memcpy(*path, scalar->source, folder);
  memcpy(*path + folder, scalar->text, size);
  PetscFunctionReturn(0);
}

const char *fare_node_text(const fare_node *scalar)
{
  return scalar->text;
}

/* Messages quote what people wrote; they stay one line whatever that holds. */
static void keep_on_one_line(char *text)
{
  for (char *c = text; *c; c++) {
    if (iscntrl((unsigned char)*c)) *c = '?';
  }
}

#define WHERE_SIZE 1024

static void write_where(const char *source, int line, int column, const char *path, char where[WHERE_SIZE])
{
  char place[32] = "";

  if (line) snprintf(place, sizeof place, ":%d:%d", line, column);
  snprintf(where, WHERE_SIZE, "%.600s%s%s%s", source, place, *path ? ": " : "", path);
  keep_on_one_line(where);
}

static PetscErrorCode complain(
  const char *source, int line, int column, const char *path, const char *format, va_list arguments)
{
  char where[WHERE_SIZE], what[1024];

  vsnprintf(what, sizeof what, format, arguments);
  keep_on_one_line(what);
  write_where(source, line, column, path, where);
  return fare_error_at(FARE_ERR_INPUT, where, "%s", what);
}

void fare_node_where_key(const fare_node *map, size_t i, fare_text *to)
{
  char where[WHERE_SIZE];

  write_where(map->item[i]->source, map->key_line[i], map->key_column[i], map->path, where);
  fare_text_add(to, "%s: ", where);
}

PetscErrorCode fare_config_error(
  const char *source, int line, int column, const char *path, const char *format, ...)
{
  va_list        arguments;
  PetscErrorCode code;

  va_start(arguments, format);
  code = complain(source, line, column, path, format, arguments);
  va_end(arguments);
  return code;
}

PetscErrorCode fare_node_error(const fare_node *node, const char *format, ...)
{
  va_list        arguments;
  PetscErrorCode code;

  va_start(arguments, format);
  code = complain(node->source, node->line, node->column, node->path, format, arguments);
  va_end(arguments);
  return code;
}

PetscErrorCode fare_node_error_at_key(const fare_node *map, size_t i, const char *format, ...)
{
  va_list        arguments;
  PetscErrorCode code;

  va_start(arguments, format);
  /* a key that came from --set may stand in a map of the file */
  code = complain(map->item[i]->source, map->key_line[i], map->key_column[i], map->path, format, arguments);
  va_end(arguments);
  return code;
}

PetscErrorCode fare_node_unknown(const fare_node *scalar, const char *what, const char *(*name_at)(size_t i))
{
  enum { MOST = 64 };
  const char *names[MOST];
  size_t      count = 0;

  while (count < MOST && (names[count] = name_at(count))) count++;
  (void)fare_error_unknown(what, scalar->text, names, count);
  return fare_node_error(scalar, "%s", fare_error_message());
}

size_t fare_name_index(const char *name, const char *(*name_at)(size_t i))
{
  size_t i = 0;

  while (name_at(i) && strcmp(name_at(i), name)) i++;
  return i;
}

PetscErrorCode fare_node_choose(
  const fare_node *node, const char *what, const char *(*name_at)(size_t i), size_t *i)
{
  if (node->kind != FARE_NODE_SCALAR)
    return fare_node_error(node, "expected the name of %s %s", strchr("aeio", *what) ? "an" : "a", what);
  *i = fare_name_index(node->text, name_at);
  return name_at(*i) ? 0 : fare_node_unknown(node, what, name_at);
}

PetscErrorCode fare_node_check_name(const fare_node *scalar)
{
  const size_t length = strlen(scalar->text);

  if (!length || length > 64) return fare_node_error(scalar, "expected a name of 1 to 64 characters");
  if (!fare_is_word(scalar->text))
    return fare_node_error(scalar, "expected a name of letters, digits, _ and -, got '%.60s'", scalar->text);
  return 0;
}

/* strtod alone would take hexadecimal, infinity and NaN too. */
PetscBool fare_node_number(const fare_node *node, double *value)
{
  char *end;

  if (node->kind != FARE_NODE_SCALAR || node->quoted || !*node->text ||
    strspn(node->text, "0123456789+-.eE") != strlen(node->text))
    return PETSC_FALSE;
  *value = strtod(node->text, &end);
  return *end ? PETSC_FALSE : PETSC_TRUE;
}

PetscErrorCode fare_node_real(const fare_node *node, double *value)
{
  PetscFunctionBegin;
  if (node->kind != FARE_NODE_SCALAR)
    FARE_REFUSE(node, "expected a number, got %s", fare_node_kind_names[node->kind]);
  if (!fare_node_number(node, value)) FARE_REFUSE(node, "expected a finite number, got '%.60s'", node->text);
  if (!isfinite(*value))
    FARE_REFUSE(node, "expected a finite number, got '%.60s', which is too large", node->text);
  PetscFunctionReturn(0);
}

PetscErrorCode fare_node_check_keys(const fare_node *map, const char *const names[], size_t count)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < map->count; i++) {
    const char *nearest;
    size_t      k = 0;

    while (k < count && strcmp(names[k], map->key[i])) k++;
    if (k < count) continue;
    nearest = fare_nearest(map->key[i], names, count);
    if (nearest)
      FARE_REFUSE_KEY(map, i, "unknown key '%.100s' (did you mean '%s'?)", map->key[i], nearest);
    else {
      fare_text      list = {0};
      PetscErrorCode code;

      for (k = 0; k < count; k++) fare_text_add(&list, "%s%s", k ? ", " : "", names[k]);
      code = fare_node_error_at_key(
        map, i, "unknown key '%.100s'; known keys: %s", map->key[i], list.text ? list.text : "none");
      fare_text_free(&list);
      PetscFunctionReturn(code);
    }
  }
  PetscFunctionReturn(0);
}

void fare_string_write(const char *string, fare_text *to)
{
  fare_text_add(to, "'");
  for (const char *c = string; *c; c++) fare_text_add(to, *c == '\'' ? "''" : "%c", *c);
  fare_text_add(to, "'");
}

void fare_node_write(const fare_node *node, fare_text *to)
{
  if (node->kind == FARE_NODE_SCALAR) {
    if (node->quoted)
      fare_string_write(node->text, to);
    else
      fare_text_add(to, "%s", node->text);
    return;
  }
  fare_text_add(to, node->kind == FARE_NODE_MAP ? "{" : "[");
  for (size_t i = 0; i < node->count; i++) {
    fare_text_add(to, "%s", i ? ", " : "");
    if (node->kind == FARE_NODE_MAP) fare_text_add(to, "%s: ", node->key[i]);
    fare_node_write(node->item[i], to);
  }
  fare_text_add(to, node->kind == FARE_NODE_MAP ? "}" : "]");
}
