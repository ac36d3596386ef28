/* SPDX-License-Identifier: BSD-2-Clause */
/*
  plugin: a system of one's own, in a shared object that a study names, without recompiling FARE:

    #include <fare/plugin.h>
    static const fare_system_type mine = {...};      as in src/system/library
    FARE_PLUGIN_SYSTEM(mine);

  and in the study `system: {plugin: ./mine.so}`. input/plugin is a template.
*/
#ifndef FARE_PLUGIN_H
#define FARE_PLUGIN_H

#include <fare/system.h>

/* Grows with every change of fare_system_type, fare_sampler_type or of what their functions are given. */
#define FARE_PLUGIN_ABI 5

typedef enum {
  FARE_PLUGIN_IS_SYSTEM   = 1, /* descriptor: a fare_system_type */
  FARE_PLUGIN_IS_FORMULAS = 2, /* made by FARE itself from the formulas of a study, for its own use */
  FARE_PLUGIN_IS_SAMPLER  = 3, /* descriptor: a fare_sampler_type; <fare/sampler_plugin.h> */
} fare_plugin_kind;

/* The one symbol that a plugin exports. */
typedef struct {
  int abi, kind; /* FARE_PLUGIN_ABI, a fare_plugin_kind */
  /* of what descriptor points to: tells two builds of one ABI version apart that disagree after all */
  size_t      size;
  const void *descriptor;
} fare_plugin;

/* Keys of the plan's `system.expression:`, formulas that FARE compiles to a plugin itself. */
const fare_field *fare_expression_fields(void);

/*
  Opens the shared object and checks all of what it exports but the descriptor's insides. `path` as dlopen
  wants it: with a slash. What is wrong is a fare_node_error at `node`; the library (for dlclose) may be there
  even then. Not collective.
*/
PetscErrorCode fare_plugin_open(const fare_node *node, const char *path, fare_plugin_kind kind, size_t size,
  void **library, const void **descriptor);
/*
  An absolute path, so that the resolved plan reads back from anywhere; the caller frees it. Not collective.
*/
PetscErrorCode fare_plugin_path(const fare_node *node, const char *path, char **full);

#define FARE_PLUGIN_SYMBOL "fare_plugin_export"
#define FARE_PLUGIN_SYSTEM(type)                                                         \
  __attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export;    \
  const fare_plugin                                               fare_plugin_export = { \
                                                  FARE_PLUGIN_ABI,                       \
                                                  FARE_PLUGIN_IS_SYSTEM,                 \
                                                  sizeof(fare_system_type),              \
                                                  &(type),                               \
  }

#endif
