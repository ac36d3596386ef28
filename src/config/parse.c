/* SPDX-License-Identifier: BSD-2-Clause */
/*
  YAML into our tree, by libyaml's events, so that every place is known and nothing is built for input that
  will be refused.
*/
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/*
  More than any study needs, and little enough that no input takes long or much memory; so is
  FARE_CONFIG_DEPTH.
*/
#define BYTES_MAX  (16u << 20)
#define VALUES_MAX 500000
#define KEYS_MAX   1000

typedef struct {
  const char   *source, *text;
  PetscBool     is_file;
  size_t        values; /* read so far */
  yaml_parser_t parser;
  yaml_event_t  event;
  PetscBool     has_event;
} reader;

static int line_of(const reader *r, const yaml_mark_t *mark)
{
  return r->is_file ? (int)mark->line + 1 : 0;
}

static PetscErrorCode complain(const reader *r, const yaml_mark_t *mark, const char *message)
{
  return fare_config_error(r->source, line_of(r, mark), (int)mark->column + 1, "", "%s", message);
}

/* What is no text at all has no mark yet, only an offset in bytes. */
static yaml_mark_t mark_at(const reader *r, size_t offset)
{
  yaml_mark_t mark = {.index = offset};

  for (size_t i = 0; i < offset; i++) {
    if (r->text[i] == '\n') {
      mark.line++;
      mark.column = 0;
      /* bytes that continue a character count for nothing */
    } else if (((unsigned char)r->text[i] & 0xC0) != 0x80) {
      mark.column++;
    }
  }
  return mark;
}

/* What libyaml says; of a brace or bracket that nothing closes also where it is, as the error comes later. */
static PetscErrorCode not_yaml(const reader *r)
{
  const yaml_parser_t *p          = &r->parser;
  const char          *where      = p->context ? p->context : "";
  char                 opened[48] = "";

  if (strstr(where, "a flow ") && p->context_mark.line < p->problem_mark.line)
    snprintf(opened, sizeof opened, " that begins on line %d", line_of(r, &p->context_mark));
  return fare_config_error(r->source, line_of(r, &p->problem_mark), (int)p->problem_mark.column + 1, "",
    "not YAML: %s%s%s%s", p->problem ? p->problem : "?", *where ? " " : "", where, opened);
}

static PetscErrorCode next(reader *r)
{
  PetscFunctionBegin;
  if (r->has_event) yaml_event_delete(&r->event);
  r->has_event = PETSC_FALSE;
  if (!yaml_parser_parse(&r->parser, &r->event)) {
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR) FARE_FAIL(FARE_ERR_FAILED, "%s: out of memory", r->source);
    if (p->error == YAML_READER_ERROR) {
      const yaml_mark_t mark = mark_at(r, p->problem_offset);

      PetscFunctionReturn(fare_config_error(
        r->source, line_of(r, &mark), (int)mark.column + 1, "", "not UTF-8 text (%s)", p->problem));
    }
    if (p->problem && strstr(p->problem, "cannot start any token"))
      PetscCall(complain(r, &p->problem_mark,
        "not YAML: a character that cannot start a value here (a tab? indent with spaces)"));
    PetscFunctionReturn(not_yaml(r));
  }
  r->has_event = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode refuse_extras(const reader *r, const yaml_char_t *anchor, const yaml_char_t *tag)
{
  PetscFunctionBegin;
  if (anchor)
    PetscCall(
      complain(r, &r->event.start_mark, "anchors and aliases are not supported; write the value out"));
  if (tag) PetscCall(complain(r, &r->event.start_mark, "YAML tags are not supported"));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_node(reader *r, int depth, const char *path, fare_node **node);

/* A path longer than this is cut: it is for people. */
#define PATH_SIZE 256

static PetscErrorCode read_list(reader *r, int depth, fare_node *list)
{
  PetscFunctionBegin;
  for (;;) {
    char       path[PATH_SIZE];
    fare_node *child = NULL;

    PetscCall(next(r));
    if (r->event.type == YAML_SEQUENCE_END_EVENT) break;
    snprintf(path, sizeof path, "%.200s[%zu]", list->path, list->count);
    PetscCall(read_node(r, depth, path, &child));
    PetscCall(fare_node_append(list, NULL, 0, 0, child));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_key(reader *r, const fare_node *map, char *key, size_t size)
{
  const char  *text = (const char *)r->event.data.scalar.value;
  const size_t n    = r->event.data.scalar.length;

  PetscFunctionBegin;
  if (r->event.type != YAML_SCALAR_EVENT)
    PetscCall(complain(r, &r->event.start_mark, "a key must be a plain scalar"));
  PetscCall(refuse_extras(r, r->event.data.scalar.anchor, r->event.data.scalar.tag));
  if (map->count == KEYS_MAX) PetscCall(complain(r, &r->event.start_mark, "too many keys in one map"));
  if (n == 0 || n >= size || memchr(text, '\0', n))
    PetscCall(complain(r, &r->event.start_mark, "a key must have 1 to 100 characters"));
  memcpy(key, text, n + 1);
  for (size_t i = 0; i < map->count; i++) {
    if (strcmp(map->key[i], key)) continue;
    if (!r->is_file)
      PetscFunctionReturn(fare_config_error(r->source, 0, 0, map->path, "duplicate key '%s'", key));
    PetscFunctionReturn(
      fare_config_error(r->source, line_of(r, &r->event.start_mark), (int)r->event.start_mark.column + 1,
        map->path, "duplicate key '%s' (first on line %d)", key, map->key_line[i]));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_map(reader *r, int depth, fare_node *map)
{
  PetscFunctionBegin;
  for (;;) {
    char       key[101], path[PATH_SIZE];
    fare_node *child = NULL;
    int        line, column;

    PetscCall(next(r));
    if (r->event.type == YAML_MAPPING_END_EVENT) break;
    PetscCall(read_key(r, map, key, sizeof key));
    line   = line_of(r, &r->event.start_mark);
    column = (int)r->event.start_mark.column + 1;
    snprintf(path, sizeof path, "%.150s%s%s", map->path, *map->path ? "." : "", key);
    PetscCall(next(r));
    PetscCall(read_node(r, depth, path, &child));
    PetscCall(fare_node_append(map, key, line, column, child));
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_scalar(reader *r, fare_node *node)
{
  const char  *text = (const char *)r->event.data.scalar.value;
  const size_t n    = r->event.data.scalar.length;

  PetscFunctionBegin;
  if (memchr(text, '\0', n)) PetscCall(complain(r, &r->event.start_mark, "a value contains a zero byte"));
  PetscCall(fare_string_copy(text, n, &node->text));
  node->quoted = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* The node that the present event begins. On an error the part read so far is destroyed. */
static PetscErrorCode read_node(reader *r, int depth, const char *path, fare_node **node)
{
  const int      line = line_of(r, &r->event.start_mark), column = (int)r->event.start_mark.column + 1;
  PetscErrorCode code = 0;

  PetscFunctionBegin;
  if (depth > FARE_CONFIG_DEPTH) PetscCall(complain(r, &r->event.start_mark, "nested too deeply"));
  if (++r->values > VALUES_MAX) PetscCall(complain(r, &r->event.start_mark, "too many values"));
  switch (r->event.type) {
  case YAML_SCALAR_EVENT:
    PetscCall(refuse_extras(r, r->event.data.scalar.anchor, r->event.data.scalar.tag));
    PetscCall(fare_node_create(FARE_NODE_SCALAR, r->source, line, column, path, node));
    code = read_scalar(r, *node);
    break;
  case YAML_SEQUENCE_START_EVENT:
    PetscCall(refuse_extras(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag));
    PetscCall(fare_node_create(FARE_NODE_LIST, r->source, line, column, path, node));
    code = read_list(r, depth + 1, *node);
    break;
  case YAML_MAPPING_START_EVENT:
    PetscCall(refuse_extras(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag));
    PetscCall(fare_node_create(FARE_NODE_MAP, r->source, line, column, path, node));
    code = read_map(r, depth + 1, *node);
    break;
  default:
    PetscCall(
      complain(r, &r->event.start_mark, "anchors and aliases are not supported; write the value out"));
  }
  if (code) fare_node_destroy(node);
  PetscFunctionReturn(code);
}

static PetscErrorCode read_document(reader *r, const char *path, fare_node **root)
{
  PetscFunctionBegin;
  PetscCall(next(r)); /* stream start */
  PetscCall(next(r));
  if (r->event.type == YAML_STREAM_END_EVENT)
    PetscFunctionReturn(fare_config_error(r->source, 0, 0, "", "it is empty"));
  PetscCall(next(r));
  PetscCall(read_node(r, 0, path, root));
  PetscCall(next(r)); /* document end */
  PetscCall(next(r));
  if (r->event.type != YAML_STREAM_END_EVENT)
    PetscCall(complain(r, &r->event.start_mark, "a second document; only one study per file"));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_parse_yaml(
  const char *source, PetscBool is_file, const char *text, size_t length, const char *path, fare_node **root)
{
  static const char mark[] = "\xEF\xBB\xBF";
  reader            r      = {.source = source, .text = text, .is_file = is_file};
  PetscErrorCode    code;

  PetscFunctionBegin;
  *root = NULL;
  /* what some editors begin UTF-8 with */
  if (is_file && length >= sizeof mark - 1 && !memcmp(text, mark, sizeof mark - 1)) {
    r.text = text += sizeof mark - 1;
    length -= sizeof mark - 1;
  }
  if (length > BYTES_MAX) PetscFunctionReturn(fare_config_error(source, 0, 0, "", "larger than 16 MiB"));
  if (!yaml_parser_initialize(&r.parser)) FARE_FAIL(FARE_ERR_FAILED, "%s: out of memory", source);
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
  code = read_document(&r, path, root);
  if (r.has_event) yaml_event_delete(&r.event);
  yaml_parser_delete(&r.parser);
  if (code) fare_node_destroy(root);
  PetscFunctionReturn(code);
}
