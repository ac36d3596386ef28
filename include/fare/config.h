/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  config: a YAML file as a tree that remembers line and column, and tables of fields that read it into
  structs.
*/
#ifndef FARE_CONFIG_H
#define FARE_CONFIG_H

#include <fare/support.h>

/** A document; owns its nodes. */
typedef struct fare_config fare_config;
/** A place in a document. */
typedef struct fare_node fare_node;
/** What stands at a place. */
typedef enum {
  FARE_NODE_SCALAR, /**< a single value */
  FARE_NODE_LIST,
  FARE_NODE_MAP
} fare_node_kind;

/**
  Reads a file on rank 0 and gives every rank the same tree. Collective.

  @param comm   the ranks
  @param path   of a YAML file of at most 16 MiB
  @param config owned by the caller: fare_config_destroy()
  @return FARE_ERR_INPUT, the same on every rank, where the file or its YAML is bad
*/
PetscErrorCode fare_config_read(MPI_Comm comm, const char *path, fare_config **config);
/**
  The same from memory. Not collective.

  @param name   stands for the file in messages
  @param text   YAML
  @param length bytes of `text`
  @param config owned by the caller: fare_config_destroy()
  @return FARE_ERR_INPUT where the YAML is bad
*/
PetscErrorCode fare_config_parse(const char *name, const char *text, size_t length, fare_config **config);
/**
  Applies an assignment as `--set` does; makes maps that are not there, even where it fails later. Not
  collective.

  @param config     the document
  @param assignment `key.path[0].key=value`, the value in YAML; copied
  @return FARE_ERR_INPUT where the path leads nowhere or the value is bad
*/
PetscErrorCode fare_config_set(fare_config *config, const char *assignment);
/**
  The same for an assignment from elsewhere. Not collective.

  @param config     the document
  @param origin     stands in messages in place of "--set "; copied
  @param assignment as of fare_config_set()
  @return as of fare_config_set()
*/
PetscErrorCode fare_config_set_from(fare_config *config, const char *origin, const char *assignment);
/**
  Frees a document and its nodes. Not collective.

  @param config set to NULL; may be NULL
*/
void fare_config_destroy(fare_config **config);
/**
  The name of a document, the path of its file where it has one. Not collective.

  @param config the document
  @return borrowed
*/
const char *fare_config_name(const fare_config *config);
/**
  The root of a document. Not collective.

  @param config the document
  @return a map; borrowed
*/
const fare_node *fare_config_root(const fare_config *config);

/** @name Nodes. They belong to their document; nothing here is collective. */
/** @{ */
/**
  @param node any
  @return what it is
*/
fare_node_kind fare_node_kind_of(const fare_node *node);
/**
  @param node a list or map
  @return its entries
*/
size_t fare_node_size(const fare_node *node);
/**
  @param node a list or map
  @param i    below its size
  @return the i-th entry of a list, or value of a map
*/
const fare_node *fare_node_item(const fare_node *node, size_t i);
/**
  @param map a map
  @param i   below its size
  @return the i-th key; borrowed
*/
const char *fare_node_key(const fare_node *map, size_t i);
/**
  @param map may be NULL, or no map
  @param key of an entry
  @return the value under that key, or NULL
*/
const fare_node *fare_node_find(const fare_node *map, const char *key);
/**
  @param list of maps; may be NULL, or no list
  @param name value of the key `name` in one of them
  @return that map, or NULL
*/
const fare_node *fare_node_named(const fare_node *list, const char *name);
/**
  @param scalar a scalar
  @return its text; borrowed
*/
const char *fare_node_text(const fare_node *scalar);
/**
  The file that a scalar names: a relative path starts from the directory of the file that the scalar stands
  in; of a value given by `--set`, or from memory, from the working directory.

  @param scalar a scalar
  @param path   its path; the caller frees it
  @return FARE_ERR_FAILED without memory
*/
PetscErrorCode fare_node_path(const fare_node *scalar, char **path);
/**
  An error at a node, on one line: "file:line:column: path: message".

  @param node   where it is
  @param format of the message, as for printf
  @return FARE_ERR_INPUT
*/
PetscErrorCode fare_node_error(const fare_node *node, const char *format, ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
/**
  The same at a key instead of its value.

  @param map    a map
  @param i      index of the key
  @param format of the message, as for printf
  @return FARE_ERR_INPUT
*/
PetscErrorCode fare_node_error_at_key(const fare_node *map, size_t i, const char *format, ...)
  PETSC_ATTRIBUTE_FORMAT(3, 4);
/** Ends a function, as FARE_FAIL does, because of what is wrong at a node. */
#define FARE_REFUSE(node, ...) PetscFunctionReturn(fare_node_error(node, __VA_ARGS__))
/** The same at the i-th key of a map. */
#define FARE_REFUSE_KEY(map, i, ...) PetscFunctionReturn(fare_node_error_at_key(map, i, __VA_ARGS__))
/**
  Appends the location of a key, as it leads such a message: "file:line:column: path: ".

  @param map a map
  @param i   index of the key
  @param to  appended to
*/
void fare_node_where_key(const fare_node *map, size_t i, fare_text *to);
/**
  The error of a scalar that names no entry of a registry: "unknown sampler 'x' (did you mean 'y'?); ...".

  @param scalar  the name that is unknown
  @param what    what a name stands for: "sampler"
  @param name_at the i-th name, NULL past the last
  @return FARE_ERR_INPUT
*/
PetscErrorCode fare_node_unknown(const fare_node *scalar, const char *what, const char *(*name_at)(size_t i));
/**
  The entry of a registry that a node names. Not collective.

  @param node    the name
  @param what    what a name stands for: "sampler"
  @param name_at the i-th name, NULL past the last
  @param i       which it is
  @return FARE_ERR_INPUT where it is no name, or none of these
*/
PetscErrorCode fare_node_choose(
  const fare_node *node, const char *what, const char *(*name_at)(size_t i), size_t *i);
/**
  The entry of a registry of a name, or past the last. Not collective.

  @param name    what is sought
  @param name_at the i-th name, NULL past the last
  @return which it is; name_at() of that is NULL where there is none
*/
size_t fare_name_index(const char *name, const char *(*name_at)(size_t i));
/**
  Whether a scalar can name a thing; see fare_is_word().

  @param scalar a scalar
  @return FARE_ERR_INPUT where it cannot
*/
PetscErrorCode fare_node_check_name(const fare_node *scalar);
/**
  Appends a node as YAML in flow form, on one line, that reads back to the same.

  @param node any
  @param to   appended to
*/
void fare_node_write(const fare_node *node, fare_text *to);
/**
  A finite real number from a scalar.

  @param node  any
  @param value the number
  @return FARE_ERR_INPUT where it is none
*/
PetscErrorCode fare_node_real(const fare_node *node, double *value);
/**
  Refuses keys that are unknown, with the nearest of those that are known.

  @param map   a map
  @param names of keys
  @param count of names
  @return FARE_ERR_INPUT for a key that is not among them
*/
PetscErrorCode fare_node_check_keys(const fare_node *map, const char *const names[], size_t count);
/** @} */

/** What a field of a table fills. */
typedef enum {
  FARE_REAL,     /**< double */
  FARE_INTEGER,  /**< PetscInt64 */
  FARE_BOOLEAN,  /**< PetscBool */
  FARE_STRING,   /**< char *, owned by the struct */
  FARE_CHOICE,   /**< int, index into `choices` */
  FARE_REALS,    /**< fare_reals */
  FARE_INTEGERS, /**< fare_integers */
  FARE_CHOICES,  /**< fare_integers, indices into `choices` */
  FARE_NODE      /**< const fare_node *: read by code of its own; NULL when absent */
} fare_field_kind;

/** A list of numbers. */
typedef struct {
  size_t  count;  /**< of numbers */
  double *values; /**< of malloc; owned by the struct that holds the list */
} fare_reals;
/** A list of integers. */
typedef struct {
  size_t      count;  /**< of integers */
  PetscInt64 *values; /**< of malloc; owned by the struct that holds the list */
} fare_integers;

/** One configurable value: read, described, documented and written back from this row alone. */
typedef struct {
  const char     *key;    /**< NULL ends a table */
  fare_field_kind kind;   /**< of the member */
  size_t          offset; /**< of the member in the struct */
  /** YAML text; NULL: the key is required; "": may be absent (0, NULL or empty) */
  const char        *default_value;
  double             min;         /**< of numbers, entry by entry, included; -HUGE_VAL for none */
  double             max;         /**< the same; HUGE_VAL for none */
  const char *const *choices;     /**< NULL-terminated, for FARE_CHOICE and FARE_CHOICES */
  const char        *unit;        /**< "" when dimensionless */
  const char        *description; /**< one line, begins with a small letter, no full stop */
} fare_field;
/** Ends a table of fields. */
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
/**
  Frees strings and lists, and sets them to nothing. Not collective.

  @param fields the table
  @param from   the struct
*/
void fare_fields_free(const fare_field *fields, void *from);
/**
  Copies what the fields hold, strings and lists included. Not collective.

  @param fields the table
  @param from   a struct that fare_fields_read() has filled
  @param into   another, whose strings and lists are not freed before
  @return FARE_ERR_FAILED where memory is short
*/
PetscErrorCode fare_fields_copy(const fare_field *fields, const void *from, void *into);
/**
  Finds a member by its key. Not collective.

  @param fields the table
  @param in     the struct
  @param key    of the field
  @param kind   of the field
  @return the member; NULL where the table has no such field
*/
const void *fare_fields_find(const fare_field *fields, const void *in, const char *key, fare_field_kind kind);
/**
  Writes `key: value` lines in YAML: what was read, defaults filled in. FARE_NODE fields are left out. Not
  collective.

  @param fields the table
  @param from   a struct that fare_fields_read() has filled
  @param indent spaces before each key
  @param to     appended to
*/
void fare_fields_write(const fare_field *fields, const void *from, int indent, fare_text *to);

/** How two plans differ. */
typedef enum {
  FARE_ALIKE,     /**< not at all, so far */
  FARE_DIFFERENT, /**< in a value */
  FARE_LACKING,   /**< the earlier plan lacks a key that plans of this version always have */
  FARE_UNKNOWN    /**< it has a key that plans of this version never have */
} fare_difference_kind;
/** Bytes of a value that a difference shows. */
#define FARE_SHOWN_SIZE 192
/** The first difference between a plan that was written and one that is held. */
typedef struct {
  fare_difference_kind kind;                    /**< FARE_ALIKE: none was found */
  char                 key[256];                /**< "ensembles.walk.dt" */
  char                 before[FARE_SHOWN_SIZE]; /**< the earlier value; of a long one where they differ */
  char                 now[FARE_SHOWN_SIZE];    /**< the later one */
} fare_difference;
/**
  Compares two structs value by value. Does nothing where *difference holds one already. Not collective.

  @param fields     the table; fields of kind FARE_NODE are left alone
  @param more       a table of keys that are left alone, too; may be NULL
  @param before     the map that fare_fields_write() has left
  @param now        the struct that is held
  @param path       leads the key of a difference
  @param difference the first one
  @return FARE_ERR_INPUT where `before` does not read
*/
PetscErrorCode fare_fields_compare(const fare_field *fields, const fare_field *more, const fare_node *before,
  const void *now, const char *path, fare_difference *difference);
/**
  Whether two structs that fare_fields_read() has filled hold the same values. Not collective.

  @param fields the table
  @param except a table of keys that are left alone; may be NULL
  @param a      one struct
  @param b      the other
  @return true where all other values are equal
*/
PetscBool fare_fields_equal(const fare_field *fields, const fare_field *except, const void *a, const void *b);
/**
  As fare_fields_compare(), for nodes: numbers compare as numbers, maps in any order. Not collective.

  @param before     a node of the earlier document, or NULL
  @param now        one of the later document, or NULL
  @param path       leads the key of a difference
  @param difference the first one
  @return 0, or an error of PETSc
*/
PetscErrorCode fare_nodes_compare(
  const fare_node *before, const fare_node *now, const char *path, fare_difference *difference);
/**
  As fare_fields_compare(), for two texts. Not collective.

  @param before     the earlier one
  @param now        the later one
  @param path       key of the difference
  @param difference the first one
*/
void fare_texts_compare(const char *before, const char *now, const char *path, fare_difference *difference);
/**
  As fare_fields_compare(), for two numbers of entries. Not collective.

  @param before     the earlier one
  @param now        the later one
  @param path       key of the difference
  @param difference the first one
*/
void fare_counts_compare(size_t before, size_t now, const char *path, fare_difference *difference);
/**
  Joins two parts of a key by a dot. Not collective.

  @param path leads the key; may be ""
  @param name its last part
  @param size of `key`, in bytes
  @param key  the result, cut where it is too long
*/
void fare_key_join(const char *path, const char *name, size_t size, char key[]);

/**
  Prints a table of fields: key, kind, default, range, unit, description. Not collective.

  @param fields the table
  @param to     an open file
*/
void fare_fields_describe(const fare_field *fields, FILE *to);

#endif
