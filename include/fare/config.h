/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  config: a YAML file as a tree that remembers line and column, and tables of fields that read it into
  structs.
*/
#ifndef FARE_CONFIG_H
#define FARE_CONFIG_H

#include <fare/support.h>

typedef struct fare_config fare_config; /* a document; owns its nodes */
typedef struct fare_node   fare_node;   /* a place in it */
typedef enum { FARE_NODE_SCALAR, FARE_NODE_LIST, FARE_NODE_MAP } fare_node_kind;

/**
  Reads a file on rank 0 and gives every rank the same tree. Collective.

  @param path   of a YAML file of at most 16 MiB
  @param config owned by the caller: fare_config_destroy()
  @return FARE_ERR_INPUT, the same on every rank, where the file or its YAML is bad
*/
PetscErrorCode fare_config_read(MPI_Comm comm, const char *path, fare_config **config);
/**
  The same from memory. Not collective.

  @param name   stands for the file in messages
  @param text   YAML, `length` bytes
  @param config owned by the caller
*/
PetscErrorCode fare_config_parse(const char *name, const char *text, size_t length, fare_config **config);
/**
  Applies an assignment as `--set` does; makes maps that are not there, even where it fails later. Not
  collective.

  @param assignment `key.path[0].key=value`, the value in YAML; copied
*/
PetscErrorCode fare_config_set(fare_config *config, const char *assignment);
/** The same for an assignment from elsewhere: `origin` stands in messages in place of "--set ". */
PetscErrorCode fare_config_set_from(fare_config *config, const char *origin, const char *assignment);
/** Frees a document and its nodes; sets *config, which may be NULL, to NULL. */
void fare_config_destroy(fare_config **config);
/** The root, a map. Borrowed. */
const fare_node *fare_config_root(const fare_config *config);

/** @name Nodes belong to their document. What looks for a node returns NULL where there is none. */
/** @{ */
fare_node_kind fare_node_kind_of(const fare_node *node);
/** Entries of a list or map. */
size_t fare_node_size(const fare_node *node);
/** The i-th entry of a list, or value of a map. */
const fare_node *fare_node_item(const fare_node *node, size_t i);
/** The i-th key of a map. */
const char *fare_node_key(const fare_node *map, size_t i);
/** The value under a key; NULL for a NULL map. */
const fare_node *fare_node_find(const fare_node *map, const char *key);
/** The map of a list whose key `name` has this value; NULL for a NULL list. */
const fare_node *fare_node_named(const fare_node *list, const char *name);
/** The text of a scalar. Borrowed. */
const char *fare_node_text(const fare_node *scalar);
/** @} */
/** FARE_ERR_INPUT with "file:line:column: path: message". The message stays on one line. */
PetscErrorCode fare_node_error(const fare_node *node, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/** The same at the i-th key of a map instead of its value. */
PetscErrorCode fare_node_error_at_key(const fare_node *map, size_t i, const char *format, ...)
  PETSC_ATTRIBUTE_FORMAT(3, 4);
/** Ends a function, as FARE_FAIL does, because of what is wrong at a node. */
#define FARE_REFUSE(node, ...) PetscFunctionReturn(fare_node_error(node, __VA_ARGS__))
/** The same at the i-th key of a map. */
#define FARE_REFUSE_KEY(map, i, ...) PetscFunctionReturn(fare_node_error_at_key(map, i, __VA_ARGS__))
/** Appends the location of the i-th key of a map, as it leads such a message: "file:line:column: path: ". */
void fare_node_where_key(const fare_node *map, size_t i, fare_text *to);
/**
  The error of a scalar that names no entry of a registry: "unknown sampler 'x' (did you mean 'y'?); ...".

  @param what    what a name stands for: "sampler"
  @param name_at the i-th name, NULL past the last
*/
PetscErrorCode fare_node_unknown(const fare_node *scalar, const char *what, const char *(*name_at)(size_t i));
/** FARE_ERR_INPUT unless a scalar can name a thing; see fare_is_word(). */
PetscErrorCode fare_node_check_name(const fare_node *scalar);
/** Appends a node as YAML in flow form, on one line, that reads back to the same. Not collective. */
void fare_node_write(const fare_node *node, fare_text *to);
/** A finite real number from a scalar; FARE_ERR_INPUT otherwise. */
PetscErrorCode fare_node_real(const fare_node *node, double *value);
/** FARE_ERR_INPUT for a key of `map` that is not among the `count` names, with the nearest of them. */
PetscErrorCode fare_node_check_keys(const fare_node *map, const char *const names[], size_t count);

/** One configurable value: read, described, documented and written back from this row alone. */
typedef enum {
  FARE_REAL,     /* double */
  FARE_INTEGER,  /* PetscInt64 */
  FARE_BOOLEAN,  /* PetscBool */
  FARE_STRING,   /* char *, owned by the struct */
  FARE_CHOICE,   /* int, index into `choices` */
  FARE_REALS,    /* fare_reals */
  FARE_INTEGERS, /* fare_integers */
  FARE_CHOICES,  /* fare_integers, indices into `choices` */
  FARE_NODE      /* const fare_node *: read by code of its own; NULL when absent */
} fare_field_kind;

typedef struct {
  size_t  count;
  double *values;
} fare_reals;
typedef struct {
  size_t      count;
  PetscInt64 *values;
} fare_integers;

typedef struct {
  const char     *key;
  fare_field_kind kind;
  size_t          offset; /* of the member in the struct */
  /* YAML text; NULL: the key is required; "": may be absent (0, NULL or empty) */
  const char        *default_value;
  double             min, max; /* of numbers, entry by entry, both included; -HUGE_VAL, HUGE_VAL for none */
  const char *const *choices;  /* NULL-terminated, for FARE_CHOICE and FARE_CHOICES */
  const char        *unit;     /* "" when dimensionless */
  const char        *description; /* one line, begins with a small letter, no full stop */
} fare_field;
#define FARE_FIELDS_END                              \
  {                                                  \
    NULL, FARE_REAL, 0, NULL, 0, 0, NULL, NULL, NULL \
  }

/**
  Fills a struct from a map. Not collective.

  @param fields the table, which FARE_FIELDS_END ends
  @param more   keys that belong to the caller and are left alone; NULL: none
  @param map    NULL: defaults alone
  @param into   what it held before is not freed; it owns strings and lists: fare_fields_free()
  @return FARE_ERR_INPUT for unknown or missing keys and bad values; the struct holds nothing to free then
*/
PetscErrorCode fare_fields_read(
  const fare_field *fields, const fare_field *more, const fare_node *map, void *into);
/** Frees strings and lists, and sets them to nothing. */
void fare_fields_free(const fare_field *fields, void *from);
/**
  Copies what the fields hold, strings and lists included, to another struct; what that held before is not
  freed. Not collective.
*/
PetscErrorCode fare_fields_copy(const fare_field *fields, const void *from, void *into);
/** The member that the field `key` of this kind fills, or NULL where the table has none. */
const void *fare_fields_find(const fare_field *fields, const void *in, const char *key, fare_field_kind kind);
/**
  Writes `key: value` lines in YAML, `indent` spaces deep: what was read, defaults filled in. FARE_NODE fields
  are left out.
*/
void fare_fields_write(const fare_field *fields, const void *from, int indent, fare_text *to);

/**
  The first difference between a plan that was written and one that is held. FARE_LACKING, FARE_UNKNOWN: a key
  that plans of this version always, or never, have.
*/
typedef enum { FARE_ALIKE, FARE_DIFFERENT, FARE_LACKING, FARE_UNKNOWN } fare_difference_kind;
#define FARE_SHOWN_SIZE 192
typedef struct {
  fare_difference_kind kind;
  char                 key[256]; /* "ensembles.walk.dt" */
  /* both values; of long ones the part where they differ */
  char before[FARE_SHOWN_SIZE], now[FARE_SHOWN_SIZE];
} fare_difference;
/**
  Compares two structs value by value: the one that `fields` reads from the map `before`, as fare_fields_write
  left it there, and `now`. Keys of the table `more` (may be NULL) and fields of kind FARE_NODE are left
  alone. `path` leads the key of a difference. Does nothing where *difference holds one already.
  FARE_ERR_INPUT where `before` does not read. Not collective.
*/
PetscErrorCode fare_fields_compare(const fare_field *fields, const fare_field *more, const fare_node *before,
  const void *now, const char *path, fare_difference *difference);
/**
  Whether two structs that fare_fields_read has filled hold the same values, but for keys of the table
  `except` (may be NULL).
*/
PetscBool fare_fields_equal(const fare_field *fields, const fare_field *except, const void *a, const void *b);
/**
  As fare_fields_compare, for two nodes of documents (either may be NULL): numbers compare as numbers, maps in
  any order. Not collective.
*/
PetscErrorCode fare_nodes_compare(
  const fare_node *before, const fare_node *now, const char *path, fare_difference *difference);
/** Two texts, and two numbers of things. Not collective. */
void fare_texts_compare(const char *before, const char *now, const char *path, fare_difference *difference);
void fare_counts_compare(size_t before, size_t now, const char *path, fare_difference *difference);
/** The key `name` behind `path`, in `key`. */
void fare_key_join(const char *path, const char *name, size_t size, char key[]);

/** A table for people: key, kind, default, range, unit, description. */
void fare_fields_describe(const fare_field *fields, FILE *to);

#endif
