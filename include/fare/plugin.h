/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
  plugin: a system of one's own, in a shared object that a study names, without recompiling FARE:

  @code
    #include <fare/plugin.h>
    static const fare_system_type mine = {...}; // as in src/system/library
    FARE_PLUGIN_SYSTEM(mine);
  @endcode

  and in the study `system: {plugin: ./mine.so}`. input/plugin is a template.
*/
#ifndef FARE_PLUGIN_H
#define FARE_PLUGIN_H

#include <fare/system.h>

/** Grows with every change of fare_system_type, fare_sampler_type or of what their functions are given. */
#define FARE_PLUGIN_ABI 6

/** What a plugin holds. */
typedef enum {
  FARE_PLUGIN_IS_SYSTEM   = 1, /**< descriptor: a fare_system_type */
  FARE_PLUGIN_IS_FORMULAS = 2, /**< compiled by FARE from the formulas of a study, for its own use */
  FARE_PLUGIN_IS_SAMPLER  = 3, /**< descriptor: a fare_sampler_type; <fare/sampler_plugin.h> */
} fare_plugin_kind;

#define FARE_PLUGIN_SIZES 7 /**< sizes that a plugin states of itself, at most */

/** The one symbol that a plugin exports. */
typedef struct {
  int abi;  /**< FARE_PLUGIN_ABI; always the first member */
  int kind; /**< a fare_plugin_kind */
  /** of the descriptor and of the structures that its functions are given: tells headers apart that differ
      though their version is the same; 0: none */
  size_t      size[FARE_PLUGIN_SIZES];
  const void *descriptor; /**< what it exports */
} fare_plugin;

/**
  Keys of the plan's `system.expression:`, formulas that FARE compiles to a plugin itself. Not collective.
  @return a constant table; FARE_FIELDS_END ends it
*/
const fare_field *fare_expression_fields(void);

/**
  Opens a shared object and checks what it exports, but for the descriptor's insides. Not collective.
  @param node       where errors point
  @param path       with a slash, as dlopen wants it
  @param kind       of plugin that is expected
  @param size       sizes that it must have been built with
  @param library    handle for dlclose; may be set even after an error
  @param descriptor what the plugin exports; it lives as long as the library is open
  @return FARE_ERR_INPUT where it is no plugin, of another kind, or built for another version
*/
PetscErrorCode fare_plugin_open(const fare_node *node, const char *path, fare_plugin_kind kind,
  const size_t size[FARE_PLUGIN_SIZES], void **library, const void **descriptor);
/**
  An absolute path, so that the resolved plan reads back from anywhere. Not collective.
  @param node where errors point
  @param path relative to the working directory, or absolute
  @param full the result; the caller frees it
  @return FARE_ERR_INPUT where there is no such file
*/
PetscErrorCode fare_plugin_path(const fare_node *node, const char *path, char **full);

/** Name of the symbol that a plugin exports. */
#define FARE_PLUGIN_SYMBOL "fare_plugin_export"
/** Sizes that a plugin of a system states. */
#define FARE_PLUGIN_SYSTEM_SIZES \
  {                              \
    sizeof(fare_system_type)     \
  }
/** Exports a fare_system_type from a shared object. */
#define FARE_PLUGIN_SYSTEM(type)                                                         \
  __attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export;    \
  const fare_plugin                                               fare_plugin_export = { \
                                                  FARE_PLUGIN_ABI,                       \
                                                  FARE_PLUGIN_IS_SYSTEM,                 \
                                                  FARE_PLUGIN_SYSTEM_SIZES,              \
                                                  &(type),                               \
  }

#endif
