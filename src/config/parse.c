/* YAML into our tree, by libyaml's events, so that every place is known and nothing is built for input that will be refused. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 32
#define SIZE_MAX_ (16u << 20)

typedef struct {
  const char   *source;
  yaml_parser_t parser;
  yaml_event_t  event;
  PetscBool     has_event;
} reader;

static PetscErrorCode complain(const reader *r, const yaml_mark_t *mark, const char *message)
{
  return fare_error(FARE_ERR_INPUT, "%s:%zu:%zu: %s", r->source, mark->line + 1, mark->column + 1, message);
}

static PetscErrorCode next(reader *r)
{
  PetscFunctionBeginUser;
  if (r->has_event) yaml_event_delete(&r->event);
  r->has_event = PETSC_FALSE;
  if (!yaml_parser_parse(&r->parser, &r->event)) {
    const yaml_parser_t *p = &r->parser;

    if (p->error == YAML_MEMORY_ERROR) FARE_FAIL(FARE_ERR_FAILED, "%s: out of memory", r->source);
    if (p->error == YAML_READER_ERROR) FARE_FAIL(FARE_ERR_INPUT, "%s: not UTF-8 text at byte %zu (%s)", r->source, p->problem_offset, p->problem);
    if (p->problem && strstr(p->problem, "cannot start any token")) PetscCall(complain(r, &p->problem_mark, "not YAML: a character that cannot start a value here (a tab? indent with spaces)"));
    FARE_FAIL(FARE_ERR_INPUT, "%s:%zu:%zu: not YAML: %s%s%s", r->source, p->problem_mark.line + 1, p->problem_mark.column + 1, p->problem ? p->problem : "?", p->context ? " " : "", p->context ? p->context : "");
  }
  r->has_event = PETSC_TRUE;
  PetscFunctionReturn(0);
}

static PetscErrorCode refuse_anchor(const reader *r, const yaml_char_t *anchor)
{
  PetscFunctionBeginUser;
  if (anchor) PetscCall(complain(r, &r->event.start_mark, "anchors and aliases are not supported; write the value out"));
  PetscFunctionReturn(0);
}

static PetscErrorCode read_node(reader *r, int depth, const char *path, fare_node **node);

/* A path longer than this is cut: it is for people. */
#define PATH_SIZE 256

static PetscErrorCode read_list(reader *r, int depth, fare_node *list)
{
  PetscFunctionBeginUser;
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

  PetscFunctionBeginUser;
  if (r->event.type != YAML_SCALAR_EVENT) PetscCall(complain(r, &r->event.start_mark, "a key must be a plain word"));
  PetscCall(refuse_anchor(r, r->event.data.scalar.anchor));
  if (n == 0 || n >= size || memchr(text, '\0', n)) PetscCall(complain(r, &r->event.start_mark, "a key must be a word of at most 100 characters"));
  memcpy(key, text, n + 1);
  for (size_t i = 0; i < map->count; i++) {
    if (strcmp(map->key[i], key)) continue;
    FARE_FAIL(FARE_ERR_INPUT, "%s:%zu:%zu: %s%skey '%s' stands here twice (first in line %d)", r->source, r->event.start_mark.line + 1, r->event.start_mark.column + 1, map->path, *map->path ? ": " : "", key, map->key_line[i]);
  }
  PetscFunctionReturn(0);
}

static PetscErrorCode read_map(reader *r, int depth, fare_node *map)
{
  PetscFunctionBeginUser;
  for (;;) {
    char       key[101], path[PATH_SIZE];
    fare_node *child = NULL;
    int        line, column;

    PetscCall(next(r));
    if (r->event.type == YAML_MAPPING_END_EVENT) break;
    PetscCall(read_key(r, map, key, sizeof key));
    line   = (int)r->event.start_mark.line + 1;
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

  PetscFunctionBeginUser;
  if (memchr(text, '\0', n)) PetscCall(complain(r, &r->event.start_mark, "a value with a zero byte in it"));
  PetscCall(fare_string_copy(text, n, &node->text));
  node->quoted = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? PETSC_FALSE : PETSC_TRUE;
  PetscFunctionReturn(0);
}

/* The node that the present event begins. On an error the part read so far is destroyed. */
static PetscErrorCode read_node(reader *r, int depth, const char *path, fare_node **node)
{
  const int      line = (int)r->event.start_mark.line + 1, column = (int)r->event.start_mark.column + 1;
  PetscErrorCode code = 0;

  PetscFunctionBeginUser;
  if (depth > DEPTH_MAX) PetscCall(complain(r, &r->event.start_mark, "nested too deeply"));
  switch (r->event.type) {
  case YAML_SCALAR_EVENT:
    PetscCall(refuse_anchor(r, r->event.data.scalar.anchor));
    PetscCall(fare_node_create(FARE_NODE_SCALAR, r->source, line, column, path, node));
    code = read_scalar(r, *node);
    break;
  case YAML_SEQUENCE_START_EVENT:
    PetscCall(refuse_anchor(r, r->event.data.sequence_start.anchor));
    PetscCall(fare_node_create(FARE_NODE_LIST, r->source, line, column, path, node));
    code = read_list(r, depth + 1, *node);
    break;
  case YAML_MAPPING_START_EVENT:
    PetscCall(refuse_anchor(r, r->event.data.mapping_start.anchor));
    PetscCall(fare_node_create(FARE_NODE_MAP, r->source, line, column, path, node));
    code = read_map(r, depth + 1, *node);
    break;
  default: PetscCall(complain(r, &r->event.start_mark, "anchors and aliases are not supported; write the value out"));
  }
  if (code) PetscCall(fare_node_destroy(node));
  PetscFunctionReturn(code);
}

static PetscErrorCode read_document(reader *r, const char *path, fare_node **root)
{
  PetscFunctionBeginUser;
  PetscCall(next(r)); /* stream start */
  PetscCall(next(r));
  if (r->event.type == YAML_STREAM_END_EVENT) FARE_FAIL(FARE_ERR_INPUT, "%s: empty", r->source);
  PetscCall(next(r));
  PetscCall(read_node(r, 0, path, root));
  PetscCall(next(r)); /* document end */
  PetscCall(next(r));
  if (r->event.type != YAML_STREAM_END_EVENT) PetscCall(complain(r, &r->event.start_mark, "a second document; one study per file"));
  PetscFunctionReturn(0);
}

PetscErrorCode fare_parse_yaml(const char *source, const char *text, size_t length, const char *path, fare_node **root)
{
  reader         r = {.source = source};
  PetscErrorCode code;

  PetscFunctionBeginUser;
  *root = NULL;
  if (length > SIZE_MAX_) FARE_FAIL(FARE_ERR_INPUT, "%s: larger than 16 MiB, which no study is", source);
  if (!yaml_parser_initialize(&r.parser)) FARE_FAIL(FARE_ERR_FAILED, "%s: out of memory", source);
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
  code = read_document(&r, path, root);
  if (r.has_event) yaml_event_delete(&r.event);
  yaml_parser_delete(&r.parser);
  if (code) PetscCall(fare_node_destroy(root));
  PetscFunctionReturn(code);
}
