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

/* Grows with every change of fare_system_type or of what its functions are given. */
#define FARE_PLUGIN_ABI 1

typedef enum {
  FARE_PLUGIN_IS_SYSTEM   = 1, /* descriptor: a fare_system_type */
  FARE_PLUGIN_IS_FORMULAS = 2, /* made by FARE itself from the formulas of a study, for its own use */
} fare_plugin_kind;

/* The one symbol that a plugin exports. */
typedef struct {
  int         abi, kind; /* FARE_PLUGIN_ABI, a fare_plugin_kind */
  size_t      size;      /* of what descriptor points to: tells two builds of one ABI version apart that disagree after all */
  const void *descriptor;
} fare_plugin;

/* Keys of the plan's `system.expression:`, formulas that FARE compiles to a plugin itself. */
const fare_field *fare_expression_fields(void);

#define FARE_PLUGIN_SYMBOL "fare_plugin_export"
#define FARE_PLUGIN_SYSTEM(type) \
  __attribute__((visibility("default"))) extern const fare_plugin fare_plugin_export; \
  const fare_plugin fare_plugin_export = {FARE_PLUGIN_ABI, FARE_PLUGIN_IS_SYSTEM, sizeof(fare_system_type), &(type)}

#endif
