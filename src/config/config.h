/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside config: how a document is held. */
#ifndef FARE_CONFIG_PRIVATE_H
#define FARE_CONFIG_PRIVATE_H

#include <fare/config.h>

#define FARE_CONFIG_DEPTH 32 /* of a document, and of the path of an assignment */

struct fare_node {
  fare_node_kind kind;
  char          *text;   /* of a scalar */
  PetscBool      quoted; /* a quoted scalar is a string, whatever it looks like */
  size_t         count;  /* of a list or map */
  fare_node    **item;
  char         **key; /* of a map */
  int           *key_line, *key_column;
  int            line, column; /* from 1; 0 outside files */
  char          *path;         /* "ensembles[0].particles"; "" for the root */
  const char    *source;       /* the file, or the --set it came from; owned by the document */
};

struct fare_config {
  char      *name;
  size_t     sources;
  char     **source; /* names that nodes from --set point to */
  fare_node *root;
};

PetscErrorCode fare_node_create(
  fare_node_kind kind, const char *source, int line, int column, const char *path, fare_node **node);
void fare_node_destroy(fare_node **node);
/* Whether a node is a number in decimal notation, which may be too large for a double. */
PetscBool fare_node_number(const fare_node *node, double *value);
/* Appends an entry; `key` NULL for a list. The child becomes the parent's. */
PetscErrorCode fare_node_append(
  fare_node *parent, const char *key, int key_line, int key_column, fare_node *child);
/* The name that a key of this map has today: another one where it is a former name (former_keys.c). */
const char *fare_key_of_today(const fare_node *map, const char *key);
/* Gives former keys of this node, and of all below it, their names of today. */
PetscErrorCode fare_node_rename_former_keys(fare_node *node);
/* A value as YAML, and the i-th entry of a list; the size of what a field of a kind fills. */
void   fare_field_write(const fare_field *field, const void *at, fare_text *to);
void   fare_field_write_entry(const fare_field *field, const void *list, size_t i, fare_text *to);
size_t fare_field_size(fare_field_kind kind);
static inline PetscBool fare_field_is_list(const fare_field *field)
{
  return field->kind >= FARE_REALS && field->kind <= FARE_CHOICES ? PETSC_TRUE : PETSC_FALSE;
}
/* Entries of a list: `fare_reals`, or `fare_integers` for integers and choices. */
static inline size_t fare_field_count(const fare_field *field, const void *list)
{
  return field->kind == FARE_REALS ? ((const fare_reals *)list)->count : ((const fare_integers *)list)->count;
}
PetscErrorCode fare_string_copy(const char *text, size_t length, char **copy);
/* A string as YAML, in single quotes. */
void fare_string_write(const char *string, fare_text *to);
/* "a single value", "a list" or "a map" */
extern const char *const fare_node_kind_names[];
/*
  A tree from YAML text. `path` is the root's. Where it is no file, places in it mean nothing to the reader
  and are left out.
*/
PetscErrorCode fare_parse_yaml(
  const char *source, PetscBool is_file, const char *text, size_t length, const char *path, fare_node **root);
/* FARE_ERR_INPUT in one line: source, place (unless line is 0), path (unless it is "") and what is wrong. */
PetscErrorCode fare_config_error(const char *source, int line, int column, const char *path,
  const char *format, ...) PETSC_ATTRIBUTE_FORMAT(5, 6);

#endif
